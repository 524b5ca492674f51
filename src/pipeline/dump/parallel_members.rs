//! What clients write that run side by side, into an archive: a lane for each, and one before them for the table of
//! contents that is made of all of theirs.
//!
//! ```text
//! pg_dump 1 ── PartialToc ─┐               ┌─▶ lane 0: contents              ┌─ Inspector: what passes by, and is it whole?
//! pg_dump 2 ── PartialToc ─┼─▶ TocMerger ──┤                                 │
//!    ...                   ┘               └─▶ DataBlocks 1 ──▶ lane 1 ──────┼─▶ archive::Writer
//!                                              DataBlocks 2 ──▶ lane 2 ──────┘
//! ```
//!
//! Each lane has a thread, which reads, inspects and hashes. All share the inspector, one after the other: its work on
//! a block is short beside the encoders'.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::scope;

use tokio::sync::Notify;

use super::progress_estimate::ProgressEstimate;
use crate::archive::{ArchiveError, PartStream, Writer};
use crate::engine::{DataBlocks, Inspector, PartialToc, TocMerger};
use crate::process::ChildStdout;
use crate::store::Store;

/// Which clients wait for us to read on: their silence is not their own.
pub type Waiting = Arc<Vec<AtomicBool>>;

/// Everything that happens to a block on its way.
pub struct Watch {
    /// Reads it.
    pub inspector: Box<dyn Inspector>,
    /// Counts it.
    pub meter: ProgressEstimate,
}

/// The lanes of one archive.
pub struct Lanes<'a> {
    /// Takes the blocks.
    pub writer: &'a Writer<Box<dyn Store>>,
    /// The name of their parts.
    pub member: &'a str,
    /// What sees them.
    pub watch: Mutex<Watch>,
    /// Told when one lane fails, so that the clients of the others are ended.
    pub alarm: &'a Notify,
}

impl Lanes<'_> {
    /// Writes all lanes, to the end of each client's output. The outputs are left open, for whoever ends the clients:
    /// closed here, they would make clients fail that are blamed for what went wrong elsewhere.
    pub fn write(
        &self,
        merger: &TocMerger,
        outputs: &mut [ChildStdout],
        waiting: &Waiting,
    ) -> Result<(), ArchiveError> {
        let heads = merger.heads().into_iter().zip(outputs.iter_mut()).zip(waiting.iter());
        let read = |((head, output), waits): ((PartialToc, &mut ChildStdout), &AtomicBool)| {
            self.alarmed(read_head(head, output).inspect(|_| waits.store(true, Ordering::Relaxed)))
        };
        let heads = scope(|scope| all(heads.map(|head| scope.spawn(move || read(head))).collect::<Vec<_>>()))?;
        let (contents, bodies) = self.alarmed(merger.join(heads).map_err(|what| unjoined(&what)))?;
        let of = bodies.len();
        self.alarmed(self.lane(0, of, &mut contents.read()))?;
        drop(contents);
        waiting.iter().for_each(|waits| waits.store(false, Ordering::Relaxed));
        let lane = |(n, (body, output)): (usize, (DataBlocks, &mut ChildStdout))| {
            self.alarmed(self.lane(n + 1, of, &mut body.of(output)))
        };
        let bodies = bodies.into_iter().zip(outputs).enumerate();
        scope(|scope| all(bodies.map(|body| scope.spawn(move || lane(body))).collect::<Vec<_>>())).map(drop)
    }

    fn lane(&self, number: usize, of: usize, source: &mut dyn Read) -> Result<(), ArchiveError> {
        self.writer.lane(self.member, PartStream { number, of }, source, &mut |bytes| {
            let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
            let Watch { inspector, meter } = &mut *watch;
            inspector.see_lane(number, bytes);
            meter.passed_in(number, bytes.len(), inspector.as_ref());
        })
    }

    /// Tells of a failure at once.
    fn alarmed<T>(&self, result: Result<T, ArchiveError>) -> Result<T, ArchiveError> {
        result.inspect_err(|_| self.alarm.notify_one())
    }
}

/// The outputs of so many clients; fewer when one could not be started.
pub fn outputs(started: &Receiver<ChildStdout>, merger: &TocMerger) -> Vec<ChildStdout> {
    started.iter().take(merger.commands()).collect()
}

/// Waits for all threads. Of their errors, the one that made the others.
fn all<T>(threads: Vec<std::thread::ScopedJoinHandle<'_, Result<T, ArchiveError>>>) -> Result<Vec<T>, ArchiveError> {
    let (mut done, mut failed) = (Vec::new(), None);
    for thread in threads {
        match thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)) {
            Ok(result) => done.push(result),
            Err(error) if matches!(failed, None | Some(ArchiveError::Abandoned)) => failed = Some(error),
            Err(_) => {}
        }
    }
    failed.map_or(Ok(done), Err)
}

/// Reads one client's table of contents.
fn read_head(mut head: PartialToc, output: &mut ChildStdout) -> Result<PartialToc, ArchiveError> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = output.read(&mut buffer).map_err(ArchiveError::Source)?;
        if read == 0 {
            return Err(unjoined("one ends inside its table of contents"));
        }
        if head.see(&buffer[..read]).map_err(|what| unjoined(&what))? {
            return Ok(head);
        }
    }
}

fn unjoined(what: &str) -> ArchiveError {
    ArchiveError::Source(io::Error::other(format!("the outputs of several clients don't make one dump: {what}")))
}
