//! Progress while something else works, and the end that a signal asks for.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::Signal;

use super::Context;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Progress};
use crate::process::Cause;

/// How far the work is; written by the thread that works, read by the one that shows it.
#[derive(Clone, Default)]
pub struct ProgressHandle(Arc<Mutex<Progress>>);

impl ProgressHandle {
    /// Says what is being worked on, before the first byte.
    pub fn about(what: &str) -> Self {
        Self(Arc::new(Mutex::new(Progress { what: what.to_owned(), ..Progress::default() })))
    }

    /// Changes what is known.
    pub fn update(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// So many bytes more of so many in all have passed.
    pub fn passed(&self, bytes: usize, total: u64) {
        self.update(|progress| {
            progress.bytes += bytes as u64;
            progress.share = (total > 0).then(|| progress.bytes as f64 / total as f64);
        });
    }

    /// What is known now.
    pub fn read(&self) -> Progress {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Shows the progress until the work ends. It is shown again when no byte moves, so that a platform sees a sign of life.
pub async fn show_progress<T>(context: &Context, progress: &ProgressHandle, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    let mut tick = tokio::time::interval(Duration::from_millis(200));
    let result = loop {
        tokio::select! {
            result = &mut work => break result,
            _ = tick.tick() => context.tell(Event::Progress(progress.read())),
        }
    };
    context.tell(Event::ProgressEnd);
    result
}

/// Runs blocking work on a thread of its own.
pub async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Error::new(Kind::Unexpected, "a thread ended with a defect of dbhaul's").why(e))
}

/// The work's result, or the end that a signal or `--timeout` asks for, whichever comes first. Children have both of
/// their own.
pub async fn until_stopped<T>(context: &Context, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        result = work => result,
        cause = asked_to_end(context) => Err(match cause {
            Cause::Stopped(signal) => stopped(signal),
            _ => Error::new(Kind::TimedOut, "the time that --timeout gave is over"),
        }),
    }
}

/// Ends when a signal or `--timeout` asks for the end, and says which.
pub async fn asked_to_end(context: &Context) -> Cause {
    let overdue = async {
        match context.deadline {
            Some(deadline) => {
                tokio::time::sleep(deadline.remaining()).await;
                deadline.given()
            }
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        signal = context.stop.wait() => Cause::Stopped(signal),
        limit = overdue => Cause::Total(limit),
    }
}

/// The error of a run that a signal ended.
pub fn stopped(signal: Signal) -> Error {
    let name = match signal {
        Signal::INT => "SIGINT",
        Signal::TERM => "SIGTERM",
        Signal::HUP => "SIGHUP",
        Signal::QUIT => "SIGQUIT",
        _ => "a signal",
    };
    Error::new(Kind::Signal(signal.as_raw()), format!("stopped by {name}"))
}
