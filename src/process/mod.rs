//! The only module that spawns.
//!
//! [`spawn`] turns an [`Invocation`] into a [`Running`] child: a process group of its own without a terminal, a clean
//! environment, private files that only it can read, stdout and stdin as pipes for plain threads, stderr drained into a
//! bounded and redacted [`StderrTail`]. [`Running::wait`] ends in an [`Exited`], which only exit code 0 can build, or
//! in a [`Failure`] that says what happened; a [`Stop`], a silence or a deadline ends the whole group. Children don't
//! outlive us, whatever ends us (`docs/decisions/children-die-with-us.md`).
//!
//! Spawn from a task of the main thread (a current-thread runtime under `block_on`): Linux kills a child when the
//! *thread* that started it ends. Bytes are moved by plain threads, which may come and go.

mod capture;
mod environment;
mod failure;
mod orphans;
mod pipes;
mod private;
mod running;
mod stderr;
mod stop;
mod watchdog;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(not(target_os = "linux"), test))]
#[cfg_attr(target_os = "linux", expect(dead_code, reason = "tests use some of it on Linux"))]
mod portable;

#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(not(target_os = "linux"))]
use portable as platform;

#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use capture::{Captured, capture};
pub use environment::{ChildEnv, FIXED, PASSED_ON};
pub use failure::{Cause, Failure, SILENT};
pub use orphans::reap_orphans;
pub use pipes::{Activity, ChildStdin, ChildStdout};
pub use running::{Exited, Running};
pub use rustix::process::Signal;
pub use stderr::{LineObserver, StderrTail};
pub use stop::Stop;

pub use platform::hide_memory;
use rustix::process::Pid;
use tokio::process::Command;

use self::pipes::EndSignal;
use self::private::PrivateFiles;
use self::running::ChildLimits;
use self::stderr::Stderr;
use self::watchdog::Watchdog;
use crate::connection::Limits;
use crate::invocation::{Account, Arg, EnvValue, Invocation, Stdin};
use crate::secret::Redactor;

/// The moment by which everything must be done, and the time that was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    at: Instant,
    after: Duration,
}

impl Deadline {
    /// So long from now. Make one when the command starts and hand it to all that it runs.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        let now = Instant::now();
        // A time beyond the clock's range is none: a century will do.
        let at = now.checked_add(time).unwrap_or(now + Duration::from_secs(100 * 365 * 24 * 3600));
        Self { at, after: time }
    }

    /// The time that was given.
    #[must_use]
    pub fn given(&self) -> Duration {
        self.after
    }

    /// The time that is left.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }
}

/// How a child is run: the same for all children of a command, up to a few.
#[derive(Clone)]
pub struct SpawnOptions {
    /// What it finds in its environment.
    pub env: ChildEnv,
    /// The secrets that it may repeat on stderr.
    pub redactor: Redactor,
    /// What ends it early.
    pub stop: Stop,
    /// How long no byte may move on any of its pipes; None for as long as it likes.
    pub idle: Option<Duration>,
    /// When it must have ended.
    pub deadline: Option<Deadline>,
    /// How long it may take to end once it was asked to.
    pub grace: Duration,
    /// Sees each line of its stderr, redacted.
    pub on_stderr: Option<LineObserver>,
}

impl SpawnOptions {
    /// Options with these limits. The total time counts from here.
    #[must_use]
    pub fn new(env: ChildEnv, limits: &Limits, stop: Stop) -> Self {
        Self {
            env,
            redactor: Redactor::default(),
            stop,
            idle: Some(limits.idle),
            deadline: limits.total.map(Deadline::after),
            grace: limits.grace,
            on_stderr: None,
        }
    }
}

impl fmt::Debug for SpawnOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpawnOptions")
            .field("idle", &self.idle)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// Starts a child, inside a tokio runtime (see the module's head for which thread).
pub fn spawn(invocation: &Invocation, options: &SpawnOptions) -> Result<Running, Failure> {
    start(invocation, options).map_err(|error| Failure {
        program: invocation.program_name(),
        cause: Cause::NotStarted(error),
        stderr: StderrTail::default(),
    })
}

fn start(invocation: &Invocation, options: &SpawnOptions) -> io::Result<Running> {
    let service = invocation.service.as_ref();
    let account = service.and_then(|service| service.account);
    let end = service.map_or(Signal::KILL, |service| service.end);
    let mut private = PrivateFiles::new(options.env.temp_folder(), account);
    let mut command = command_line(invocation, &options.env, &mut private)?;
    let activity = Arc::new(Activity::start());
    let ending = EndSignal::new()?;

    let (stdout, far_stdout) = io::pipe()?;
    let (stderr, far_stderr) = io::pipe()?;
    platform::widen(&stdout);
    command.stdout(far_stdout).stderr(far_stderr);
    let stdin = match invocation.stdin {
        Stdin::Null => {
            command.stdin(Stdio::null());
            None
        }
        Stdin::Pipe => {
            let (far_stdin, stdin) = io::pipe()?;
            platform::widen(&stdin);
            command.stdin(far_stdin);
            Some(ChildStdin::new(stdin, &ending, &activity)?)
        }
    };
    let stdout = ChildStdout::new(stdout, &ending, &activity, true)?;
    let stderr = ChildStdout::new(stderr, &ending, &activity, false)?;
    let stderr = Stderr::drain(stderr, options.redactor.clone(), invocation.echo_fence, options.on_stderr.clone())?;

    if let Some(Account { user, group }) = account {
        command.uid(user).gid(group);
    }
    if let Some(service) = service {
        command.current_dir(&service.folder);
    }
    platform::prepare(&mut command, private.take_inherited(), end);
    let child = command.spawn()?;
    // Our copies of the child's ends must go, or else no pipe would ever end.
    drop(command);
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed())).ok_or(io::ErrorKind::NotFound)?;
    orphans::ours(group);
    tracing::debug!("{} started as process group {}", invocation.program_name(), group.as_raw_nonzero());
    let mut running = Running {
        program: invocation.program_name(),
        child,
        group,
        started: Instant::now(),
        stdin,
        stdout: Some(stdout),
        stderr,
        activity,
        limits: ChildLimits { idle: options.idle, deadline: options.deadline, grace: options.grace },
        stop: options.stop.clone(),
        ending: Some(ending),
        lifeline: None,
        private,
    };
    let folder = service.map(|service| service.folder.as_path());
    running.lifeline = match Watchdog::hold(group, running.private.folder().or(folder), end) {
        // An image without a shell can do without grandchildren as well.
        Err(_) if platform::CHILDREN_DIE_WITH_US => None,
        held => Some(held?),
    };
    Ok(running)
}

/// Program, arguments and environment, with the private files in their places.
fn command_line(invocation: &Invocation, env: &ChildEnv, private: &mut PrivateFiles) -> io::Result<Command> {
    let mut command = Command::new(&invocation.program);
    for arg in &invocation.args {
        match arg {
            Arg::Text(text) => command.arg(text),
            Arg::Bytes(bytes) => command.arg(OsStr::from_bytes(bytes)),
            Arg::File { prefix, content } => command.arg(format!("{prefix}{}", private.place(content)?)),
        };
    }
    command.env_clear().envs(env.iter());
    for (name, value) in &invocation.env {
        match value {
            EnvValue::Text(text) => command.env(name, text),
            EnvValue::Secret(secret) => command.env(name, secret.expose()),
            EnvValue::File(file) => command.env(name, private.place(file)?),
        };
    }
    Ok(command)
}
