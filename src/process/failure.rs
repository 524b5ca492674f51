//! How a child can fail, and what it said last.

use std::io;
use std::time::Duration;

use rustix::process::Signal;

use super::stderr::StderrTail;
use crate::error::{Error, Kind};
use crate::hint::Hint;

/// A child that was not started, or did not end well.
#[derive(Debug, thiserror::Error)]
#[error("{program} {cause}")]
pub struct Failure {
    /// The program's bare name.
    pub program: String,
    /// What happened to it.
    pub cause: Cause,
    /// What it said on stderr, redacted.
    pub stderr: StderrTail,
}

/// What happened to a child that did not end well.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// It could not be started.
    #[error("could not be started: {0}")]
    NotStarted(io::Error),
    /// It ended with an exit code other than 0.
    #[error("ended with exit code {0}")]
    Exit(i32),
    /// A signal that was not ours ended it: the system's lack of memory, an operator.
    #[error("was killed by {}", name(*.0))]
    Signalled(i32),
    /// We ended it, because we were asked to end by this signal.
    #[error("was stopped by {}", name(.0.as_raw()))]
    Stopped(Signal),
    /// We ended it after so long a silence.
    #[error("moved no byte for {} s", .0.as_secs_f64())]
    Idle(Duration),
    /// We ended it because the whole command had used up its time.
    #[error("was not done when {} s were over", .0.as_secs_f64())]
    Total(Duration),
    /// It printed more than so many bytes where a short answer was expected.
    #[error("printed more than {0} bytes")]
    TooMuchOutput(usize),
    /// The system could not tell how it ended.
    #[error("was lost sight of: {0}")]
    Lost(io::Error),
}

/// What to do when nothing moved for too long.
pub const SILENT: Hint = Hint::new(
    "silent-server",
    "the server waits for a lock that somebody holds, or it hangs: look at its list of sessions; \
     --idle-timeout S waits longer",
);

impl Failure {
    /// The failure as people see it. `kind` is what it means to the caller when the child itself is to blame; stops
    /// and time-outs have kinds of their own.
    #[must_use]
    pub fn into_error(self, kind: Kind) -> Error {
        let kind = match &self.cause {
            Cause::Stopped(signal) => Kind::Signal(signal.as_raw()),
            Cause::Idle(_) | Cause::Total(_) => Kind::TimedOut,
            _ => kind,
        };
        let error = Error::new(kind, self.to_string()).why(&self.stderr);
        match self.cause {
            Cause::Idle(_) => error.hint(SILENT),
            Cause::Signalled(9) => {
                error.hint(Hint::new("out-of-memory", "signal 9 mostly is the system running out of memory: see dmesg"))
            }
            _ => error,
        }
    }
}

/// A signal as people know it.
fn name(number: i32) -> String {
    let known = match Signal::from_named_raw(number) {
        Some(Signal::HUP) => "SIGHUP",
        Some(Signal::INT) => "SIGINT",
        Some(Signal::QUIT) => "SIGQUIT",
        Some(Signal::ILL) => "SIGILL",
        Some(Signal::ABORT) => "SIGABRT",
        Some(Signal::BUS) => "SIGBUS",
        Some(Signal::FPE) => "SIGFPE",
        Some(Signal::KILL) => "SIGKILL",
        Some(Signal::SEGV) => "SIGSEGV",
        Some(Signal::PIPE) => "SIGPIPE",
        Some(Signal::TERM) => "SIGTERM",
        Some(Signal::XFSZ) => "SIGXFSZ",
        _ => return format!("signal {number}"),
    };
    format!("{known} ({number})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(cause: Cause) -> Failure {
        Failure { program: "pg_dump".into(), cause, stderr: StderrTail::default() }
    }

    #[test]
    fn stops_and_time_outs_keep_their_own_exit_codes() {
        let kind = |cause| failure(cause).into_error(Kind::DumpFailed).kind;
        assert_eq!(kind(Cause::Exit(1)), Kind::DumpFailed);
        assert_eq!(kind(Cause::Stopped(Signal::TERM)), Kind::Signal(15));
        assert_eq!(kind(Cause::Idle(Duration::from_secs(1))), Kind::TimedOut);
        assert_eq!(kind(Cause::Total(Duration::from_secs(1))), Kind::TimedOut);
    }

    #[test]
    fn a_failure_reads_as_a_sentence() {
        assert_eq!(failure(Cause::Exit(3)).to_string(), "pg_dump ended with exit code 3");
        assert_eq!(failure(Cause::Signalled(9)).to_string(), "pg_dump was killed by SIGKILL (9)");
        assert_eq!(failure(Cause::Idle(Duration::from_millis(1500))).to_string(), "pg_dump moved no byte for 1.5 s");
    }
}
