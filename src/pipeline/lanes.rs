//! What clients write that run side by side, into an archive: a lane for each, and one before them for the table of
//! contents that is made of all of theirs.
//!
//! ```text
//! pg_dump 1 ── Head ─┐            ┌─▶ lane 0: contents        ┌─ Inspector: what passes by, and is it whole?
//! pg_dump 2 ── Head ─┼─▶ Splice ──┤                           │
//!    ...             ┘            └─▶ Body 1 ──▶ lane 1 ──────┼─▶ archive::Writer
//!                                     Body 2 ──▶ lane 2 ──────┘
//! ```
//!
//! Each lane has a thread, which reads, inspects and hashes. All share the inspector, one after the other: its work on
//! a block is short beside the encoders'.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Scope, ScopedJoinHandle, scope};

use tokio::sync::Notify;

use super::meter::Meter;
use crate::archive::{ArchiveError, Lane, Writer};
use crate::engine::{Head, Inspector, Splice};
use crate::process::Output;
use crate::store::Store;

/// Which clients wait for us to read on: their silence is not their own.
pub type Waiting = Arc<Vec<AtomicBool>>;

/// Everything that happens to a block on its way.
pub struct Watch {
    /// Reads it.
    pub inspector: Box<dyn Inspector>,
    /// Counts it.
    pub meter: Meter,
}

/// The lanes of one archive.
pub struct Lanes<'a, S: Store> {
    /// Takes the blocks.
    pub writer: &'a Writer<S>,
    /// The name of their parts.
    pub member: &'a str,
    /// What sees them.
    pub watch: Mutex<Watch>,
    /// Told when one lane fails, so that the clients of the others are ended.
    pub alarm: &'a Notify,
}

impl<S: Store> Lanes<'_, S> {
    /// Writes all lanes, to the end of each client's output.
    pub fn write(&self, splice: &Splice, outputs: &Receiver<Output>, waiting: &Waiting) -> Result<(), ArchiveError> {
        // Fewer come when one could not be started.
        let outputs: Vec<_> = outputs.iter().take(splice.commands()).collect();
        let heads = splice.heads().into_iter().zip(outputs).zip(waiting.iter());
        let (heads, outputs): (Vec<_>, Vec<_>) = scope(|scope| {
            all(heads.map(|((head, output), waits)| self.start(scope, || read_head(head, output, waits))).collect())
        })?
        .into_iter()
        .unzip();
        let (contents, bodies) = splice.join(heads).map_err(|what| self.failed(unjoined(&what)))?;
        let of = bodies.len();
        self.lane(0, of, &mut contents.read())?;
        drop(contents);
        waiting.iter().for_each(|waits| waits.store(false, Ordering::Relaxed));
        let bodies = bodies.into_iter().zip(outputs).enumerate();
        scope(|scope| {
            let lane = |(n, (body, output)): (usize, (crate::engine::Body, Output))| {
                self.start(scope, move || self.lane(n + 1, of, &mut body.of(output)))
            };
            all(bodies.map(lane).collect())
        })
        .map(drop)
    }

    fn lane(&self, number: usize, of: usize, source: &mut dyn Read) -> Result<(), ArchiveError> {
        self.writer.lane(self.member, Lane { number, of }, source, &mut |bytes| {
            let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
            let Watch { inspector, meter } = &mut *watch;
            inspector.see_lane(number, bytes);
            meter.passed_in(number, bytes.len(), inspector.as_ref());
        })
    }

    /// Starts a thread whose failure is told at once.
    fn start<'s, T: Send + 's>(
        &'s self,
        scope: &'s Scope<'s, '_>,
        work: impl FnOnce() -> Result<T, ArchiveError> + Send + 's,
    ) -> ScopedJoinHandle<'s, Result<T, ArchiveError>> {
        scope.spawn(move || work().map_err(|error| self.failed(error)))
    }

    fn failed(&self, error: ArchiveError) -> ArchiveError {
        self.alarm.notify_one();
        error
    }
}

/// Waits for all threads. Of their errors, the one that made the others.
fn all<T>(threads: Vec<ScopedJoinHandle<'_, Result<T, ArchiveError>>>) -> Result<Vec<T>, ArchiveError> {
    let ended =
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
    let (mut done, mut failed) = (Vec::new(), None);
    for result in ended {
        match result {
            Ok(result) => done.push(result),
            Err(error) if failed.is_none() || matches!(failed, Some(ArchiveError::Abandoned)) => failed = Some(error),
            Err(_) => {}
        }
    }
    failed.map_or(Ok(done), Err)
}

/// Reads one client's table of contents. Until all have come, it waits.
fn read_head(mut head: Head, mut output: Output, waits: &AtomicBool) -> Result<(Head, Output), ArchiveError> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = output.read(&mut buffer).map_err(ArchiveError::Source)?;
        if read == 0 {
            return Err(unjoined("one ends inside its table of contents"));
        }
        if head.see(&buffer[..read]).map_err(|what| unjoined(&what))? {
            waits.store(true, Ordering::Relaxed);
            return Ok((head, output));
        }
    }
}

fn unjoined(what: &str) -> ArchiveError {
    ArchiveError::Source(io::Error::other(format!("the outputs of several clients don't make one dump: {what}")))
}
