//! The encoder threads: they turn blocks into pieces, in any order.
//!
//! Each block travels with the sending end of a channel of its own, whose receiving end waits its turn at the output
//! thread. So the order is kept by construction, and an encoder that dies is noticed where its block is missed.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::archive::codec::Codec;
use crate::archive::error::{ArchiveError, Result};
use crate::archive::format::crc::Crc;

/// How much input becomes one block. Larger blocks gain 0.2 points of size at most.
pub(crate) const BLOCK: usize = 256 * 1024;

/// A block after compression.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub bytes: Vec<u8>,
    /// Of the bytes as they stand in the file.
    pub file: Crc,
    /// Of the bytes as they stand in the tar.
    pub raw: Crc,
}

/// The promise of a block.
pub(crate) type Pending = Receiver<io::Result<Encoded>>;

/// Waits for a block that was promised.
pub(crate) fn kept(pending: &Pending) -> Result<Encoded> {
    let lost = |what: String| ArchiveError::Worker { what };
    let block = pending.recv().map_err(|_| lost("an encoder thread ended before its block was done".into()))?;
    block.map_err(|error| lost(error.to_string()))
}

struct EncodeJob {
    raw: Vec<u8>,
    level: u32,
    reply: SyncSender<io::Result<Encoded>>,
}

/// Buffers to be used again. Bounded, because the blocks in flight are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pool(Arc<Mutex<Vec<Vec<u8>>>>);

impl Pool {
    pub fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// How many buffers there are, once all are back.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub fn put(&self, buffer: Vec<u8>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
    }
}

/// The encoder threads, from outside.
pub(crate) struct Encoders {
    jobs: Option<Sender<EncodeJob>>,
    threads: Vec<JoinHandle<()>>,
    busy: Arc<AtomicU64>,
    /// Buffers for what goes in.
    pub raw: Pool,
    /// Buffers for what comes out.
    pub encoded: Pool,
}

impl Encoders {
    pub fn start(codec: &'static dyn Codec, count: usize) -> io::Result<Self> {
        let (jobs, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        let mut encoders = Self {
            jobs: Some(jobs),
            threads: Vec::new(),
            busy: Arc::default(),
            raw: Pool::default(),
            encoded: Pool::default(),
        };
        for n in 1..=count {
            let (queue, busy) = (Arc::clone(&queue), Arc::clone(&encoders.busy));
            let (raw, encoded) = (encoders.raw.clone(), encoders.encoded.clone());
            let work = move || work(codec, &queue, &busy, &raw, &encoded);
            encoders.threads.push(std::thread::Builder::new().name(format!("encoder {n}")).spawn(work)?);
        }
        Ok(encoders)
    }

    pub fn count(&self) -> u32 {
        u32::try_from(self.threads.len()).unwrap_or(u32::MAX)
    }

    /// Prepares a block: `submit` it once the promise stands in its place.
    pub fn promise(&self, raw: Vec<u8>, level: u32) -> (Pending, impl FnOnce() + '_) {
        let (reply, pending) = sync_channel(1);
        let job = EncodeJob { raw, level, reply };
        // With no encoder left the job is dropped, and with it the reply: the output thread sees that.
        (pending, move || drop(self.jobs.as_ref().map(|jobs| jobs.send(job))))
    }

    /// Time spent encoding by all of them, since the start.
    pub fn busy(&self) -> Duration {
        Duration::from_nanos(self.busy.load(Ordering::Relaxed))
    }

    pub fn stop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A panic was reported by the block that is missing.
            drop(thread.join());
        }
    }
}

fn work(codec: &dyn Codec, queue: &Mutex<Receiver<EncodeJob>>, busy: &AtomicU64, raw: &Pool, encoded: &Pool) {
    let mut compressor = codec.encoder();
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(mut job) = job else { return };
        let start = std::time::Instant::now();
        let mut bytes = encoded.take();
        bytes.clear();
        let raw_crc = Crc::of(&job.raw);
        let result = compressor.encode(&mut job.raw, job.level, &mut bytes);
        let result = result.map(|()| Encoded { file: Crc::of(&bytes), raw: raw_crc, bytes });
        busy.fetch_add(u64::try_from(start.elapsed().as_nanos()).unwrap_or(0), Ordering::Relaxed);
        raw.put(job.raw);
        // Nobody waits where the output has failed; the writer learns it there.
        drop(job.reply.send(result));
    }
}
