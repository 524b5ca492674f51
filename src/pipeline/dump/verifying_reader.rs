//! A dump that ends well only when it is proved to be whole.
//!
//! Nothing marks the end for every loader: `pg_restore` commits once it has read the last block, without looking
//! whether more follows. So the last byte is held back until the clients have ended well and the inspector has found
//! the dump complete. Without it no archive, no transaction and no last statement is whole.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use super::progress_estimate::ProgressEstimate;
use crate::engine::{Complete, Content, Inspector};
use crate::pipeline::watch::ProgressHandle;
use crate::process::Exited;

/// Fails for a dump that is not what was planned for.
type Check = Box<dyn FnOnce(&Content) -> io::Result<()> + Send>;

/// What a restore was planned for, held against the dump's table of contents.
pub enum Planned {
    /// Its entries have this fingerprint.
    Entries(u64),
    /// Fails for other tables than planned.
    Tables(Check),
}

impl Planned {
    /// Looks at the table of contents, once it has come. The plan comes back before.
    fn inspect(self, inspector: &dyn Inspector) -> io::Result<Option<Self>> {
        const CHANGED: &str = "the schema was changed between the look at it and the copy: copy again";
        match self {
            Self::Entries(planned) => match inspector.outline_fingerprint() {
                None => Ok(Some(self)),
                Some(found) if found == planned => Ok(None),
                Some(_) => Err(io::Error::new(io::ErrorKind::InvalidData, CHANGED)),
            },
            Self::Tables(check) => match inspector.outline() {
                None => Ok(Some(Self::Tables(check))),
                Some(outline) => check(&outline).map(|()| None),
            },
        }
    }
}

/// The stream of a dump that goes into a loader as it comes.
pub struct VerifyingReader {
    /// What the clients write, with the rows of our own sessions in it.
    pub source: Box<dyn Read + Send>,
    /// Told once when all clients have ended well; gone without a word when one has not.
    pub exits: Receiver<Vec<Exited>>,
    /// None once the proof was given.
    pub inspector: Option<Box<dyn Inspector>>,
    /// Compares the table of contents with what the restore was planned for, once it has come.
    pub planned: Option<Planned>,
    /// Takes the proof.
    pub proof: Sender<Complete>,
    /// True while the clients are waited for.
    pub waiting: Arc<AtomicBool>,
    /// Counts what passes by, in all lanes.
    pub meter: Arc<Mutex<ProgressEstimate>>,
    /// Which of them this is.
    pub lane: usize,
    /// Says 1.0 when everything has been handed on.
    pub progress: ProgressHandle,
    /// The last byte that came.
    pub held: Option<u8>,
}

impl VerifyingReader {
    /// Looks at new bytes.
    fn see(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(inspector) = &mut self.inspector else { return Ok(()) };
        inspector.see(bytes);
        let mut meter = self.meter.lock().unwrap_or_else(PoisonError::into_inner);
        meter.passed_in(self.lane, bytes.len(), inspector.as_ref());
        if let Some(planned) = self.planned.take() {
            self.planned = planned.inspect(inspector.as_ref())?;
        }
        Ok(())
    }

    /// Gives the proof, or fails.
    fn prove(&mut self) -> io::Result<()> {
        let exits = self.exits.recv().map_err(|_| io::Error::other("the dump broke off"))?;
        let Some(inspector) = self.inspector.take() else { return Ok(()) };
        let complete = Complete::prove(inspector).map_err(|incomplete| {
            let client = exits.last().map_or("its client", Exited::program);
            io::Error::other(format!("the dump is not complete, although {client} reported success: {incomplete}"))
        })?;
        let _ = self.proof.send(complete);
        self.progress.update(|progress| progress.share = Some(1.0));
        Ok(())
    }
}

impl Read for VerifyingReader {
    /// `buffer` has room for two bytes or more.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.inspector.is_none() {
            return Ok(0);
        }
        loop {
            let at = usize::from(self.held.is_some());
            self.waiting.store(true, Ordering::Relaxed);
            let read = self.source.read(&mut buffer[at..]);
            let count = match read {
                Ok(0) => {
                    self.prove()?;
                    self.waiting.store(false, Ordering::Relaxed);
                    return Ok(self.held.take().map_or(0, |last| {
                        buffer[0] = last;
                        1
                    }));
                }
                other => other?,
            };
            self.waiting.store(false, Ordering::Relaxed);
            self.see(&buffer[at..at + count])?;
            let end = at + count - 1;
            if let Some(first) = self.held.replace(buffer[end]) {
                buffer[0] = first;
            }
            if end > 0 {
                return Ok(end);
            }
        }
    }
}
