//! A throw-away server from installed binaries, for as long as a trial takes.
//!
//! [`choose`] takes the binaries that fit a dump. A [`Folder`] holds everything that the server ever writes; [`Scratch`]
//! installs and starts it by the engine's plan, and ends it in order. As root it runs as the user that packages make
//! for the server, or as nobody; it listens on a socket in its folder and nowhere else.
//!
//! Whatever ends us takes it along: the kernel sends the server its own signal, and the watcher of `process` sees to
//! the rest and removes the folder. Should nobody have been left to do so, the next run names the folder.

mod choose;
mod folder;

pub use choose::choose;
pub use folder::Folder;

use rustix::process::Signal;

use crate::connection::Connection;
use crate::engine::ScratchPlan;
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;
use crate::process::{self, Failure, Running, SpawnOptions, Stop, capture};

/// What an installer may say, in bytes.
const MAX_OUTPUT_BYTES: usize = 1 << 20;

/// A server of ours that runs. Dropped, it is killed, and its folder goes.
pub struct Scratch {
    /// How it is reached, as soon as it lets anybody in.
    pub connection: Connection,
    running: Running,
    stop: Stop,
    folder: Folder,
}

impl Scratch {
    /// Installs and starts a server. It is not ready yet.
    pub async fn start(plan: ScratchPlan, folder: Folder, options: &SpawnOptions) -> Result<Self> {
        let failed = |failure| cannot_start(failure, "a scratch server could not be installed");
        capture(&plan.install, options, MAX_OUTPUT_BYTES).await.map_err(failed)?;
        // A signal ends the work first, and then, with everything else, the server.
        let stop = Stop::default();
        let options = SpawnOptions { stop: stop.clone(), idle: None, deadline: None, ..options.clone() };
        let running = process::spawn(&plan.server, &options)
            .map_err(|failure| cannot_start(failure, "the scratch server could not be started"))?;
        Ok(Self { connection: plan.connection, running, stop, folder })
    }

    /// Works with the server, and ends it afterwards whatever came of the work. A server that ends first is an error.
    pub async fn during<T>(self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let Self { running, stop, folder, .. } = self;
        let mut ended = Box::pin(running.wait());
        let result = tokio::select! {
            result = work => result,
            exited = &mut ended => {
                return Err(match exited {
                    Ok(_) => Error::new(Kind::RestoreFailed, "the scratch server ended by itself"),
                    Err(failure) => cannot_start(failure, "the scratch server ended by itself"),
                });
            }
        };
        stop.request(Signal::QUIT);
        let _ = ended.await;
        folder.remove();
        result
    }
}

/// What a server or its installer said at its end. A signal or a time-out is what it is.
fn cannot_start(failure: Failure, what: &str) -> Error {
    if !matches!(failure.cause, process::Cause::Exit(_) | process::Cause::NotStarted(_) | process::Cause::Signalled(_))
    {
        return failure.into_error(Kind::RestoreFailed);
    }
    let said: Vec<_> = failure.stderr.lines().collect();
    let last = said[said.len().saturating_sub(12)..].join("\n");
    Error::new(Kind::RestoreFailed, what)
        .why(&failure)
        .why(last)
        .hint(Hint::new(
            "tmpdir-or-server-dir",
            "TMPDIR names another folder, --server-dir other binaries; AppArmor may forbid packaged ones to use either",
        ))
        .hint(Hint::new(
            "restore-into-where-none-starts",
            "--restore-into URI uses a server that runs already, where none can be started",
        ))
}
