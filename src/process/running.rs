//! A child while it lives, and how its end is judged.
//!
//! [`Running::wait`] watches five things at once: the child's own end, a stop, a silence, the command's deadline and a
//! second signal. Whatever ends it, the order is the same: the signal to the whole group, a grace period during which
//! other threads still drain the pipes, KILL; then whoever is left of the group is killed, the pipes are declared
//! ended, and stderr is read to its end.

use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;
use tokio::time::{sleep, sleep_until, timeout};

use super::failure::{Cause, Failure};
use super::pipes::{Activity, ChildStdin, ChildStdout, EndSignal};
use super::private::PrivateFiles;
use super::stderr::{Stderr, StderrTail};
use super::watchdog::Watchdog;
use super::{Deadline, Stop};

/// A child under supervision. Dropping it kills its whole group.
#[derive(Debug)]
pub struct Running {
    pub(super) program: String,
    pub(super) child: Child,
    pub(super) group: Pid,
    pub(super) started: Instant,
    pub(super) stdin: Option<ChildStdin>,
    pub(super) stdout: Option<ChildStdout>,
    pub(super) stderr: Stderr,
    pub(super) activity: Arc<Activity>,
    pub(super) limits: ChildLimits,
    pub(super) stop: Stop,
    /// None once the child has ended.
    pub(super) ending: Option<EndSignal>,
    pub(super) lifeline: Option<Watchdog>,
    pub(super) private: PrivateFiles,
}

/// How long a child may be silent, run, and take to end.
#[derive(Clone, Copy, Debug)]
pub(super) struct ChildLimits {
    pub(super) idle: Option<Duration>,
    pub(super) deadline: Option<Deadline>,
    pub(super) grace: Duration,
}

/// A child ended by itself with exit code 0. Nothing else can build one, so it can serve as half of the proof that a
/// dump is complete.
#[derive(Debug)]
pub struct Exited {
    program: String,
    stderr: StderrTail,
    duration: Duration,
}

impl Exited {
    /// The program's bare name.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }

    /// What it said on stderr, redacted.
    #[must_use]
    pub fn stderr(&self) -> &StderrTail {
        &self.stderr
    }

    /// From its start to its end.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.duration
    }
}

impl Running {
    /// The child's process id, which is its group's too.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.group.as_raw_nonzero().get()
    }

    /// The child's stdout, once. Without anybody who takes it, it is read and thrown away.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.stdout.take()
    }

    /// The child's stdin, once, when the invocation has one. Without anybody who takes it, the child reads nothing.
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.stdin.take()
    }

    /// What moves, for progress and for signs of life that we can't see ourselves.
    #[must_use]
    pub fn activity(&self) -> Arc<Activity> {
        Arc::clone(&self.activity)
    }

    /// Waits for the child's end, or brings it about. Dropping the future kills the group.
    pub async fn wait(mut self) -> Result<Exited, Failure> {
        self.stdin = None;
        self.discard_stdout();
        let cause = match self.first_event().await {
            Event::Ended(status) => judge(status),
            Event::Overdue(cause) => {
                let signal = if let Cause::Stopped(signal) = cause { signal } else { Signal::TERM };
                self.end(signal).await;
                Some(cause)
            }
        };
        let stderr = self.clean_up().await;
        let program = std::mem::take(&mut self.program);
        let took = self.started.elapsed().as_millis();
        match &cause {
            None => tracing::debug!("{program} ended well after {took} ms"),
            Some(cause) => tracing::debug!("{program} {cause}, after {took} ms"),
        }
        match cause {
            None => Ok(Exited { program, stderr, duration: self.started.elapsed() }),
            Some(cause) => Err(Failure { program, cause, stderr }),
        }
    }

    /// Kills the group at once and tells what the child said.
    pub async fn kill(mut self) -> StderrTail {
        self.signal(Signal::KILL);
        self.reaped().await;
        self.clean_up().await
    }

    async fn first_event(&mut self) -> Event {
        let ChildLimits { idle, deadline, .. } = self.limits;
        let silence = async {
            match idle {
                Some(limit) => {
                    self.activity.silent_for(limit).await;
                    limit
                }
                None => std::future::pending().await,
            }
        };
        let overtime = async {
            match deadline {
                Some(deadline) => {
                    sleep_until(deadline.at.into()).await;
                    deadline.after
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            status = self.child.wait() => Event::Ended(status),
            signal = self.stop.wait() => Event::Overdue(Cause::Stopped(signal)),
            after = overtime => Event::Overdue(Cause::Total(after)),
            limit = silence => Event::Overdue(Cause::Idle(limit)),
        }
    }

    /// The signal, the grace period, KILL.
    async fn end(&mut self, signal: Signal) {
        self.signal(signal);
        let ended = tokio::select! {
            biased;
            _ = self.child.wait() => true,
            () = self.stop.killed() => false,
            () = sleep(self.limits.grace) => false,
        };
        if !ended {
            self.signal(Signal::KILL);
            self.reaped().await;
        }
    }

    /// Waits for a child that was sent KILL. One that hangs in a dead file system does not even then end.
    async fn reaped(&mut self) {
        let _ = timeout(Duration::from_secs(5), self.child.wait()).await;
    }

    /// A group that is gone is no error: that is what the signal is for.
    fn signal(&self, signal: Signal) {
        let _ = kill_process_group(self.group, signal);
    }

    fn discard_stdout(&mut self) {
        if let Some(mut output) = self.stdout.take() {
            std::thread::spawn(move || io::copy(&mut output, &mut io::sink()));
        }
    }

    /// The child has ended; so does everything that it left behind.
    async fn clean_up(&mut self) -> StderrTail {
        self.signal(Signal::KILL);
        self.ending = None;
        if let Some(lifeline) = self.lifeline.take() {
            lifeline.release();
        }
        self.stderr.finish().await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ending.take().is_none() {
            return;
        }
        self.signal(Signal::KILL);
        if let Some(lifeline) = self.lifeline.take() {
            lifeline.release();
        }
    }
}

enum Event {
    Ended(io::Result<ExitStatus>),
    Overdue(Cause),
}

/// None for the one good end.
fn judge(status: io::Result<ExitStatus>) -> Option<Cause> {
    use std::os::unix::process::ExitStatusExt;
    match status {
        Err(error) => Some(Cause::Lost(error)),
        Ok(status) => match (status.code(), status.signal()) {
            (Some(0), _) => None,
            (Some(code), _) => Some(Cause::Exit(code)),
            (None, signal) => Some(Cause::Signalled(signal.unwrap_or_default())),
        },
    }
}
