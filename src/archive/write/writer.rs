//! Writing an archive in one pass.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::encode::{BLOCK, Encoders};
use super::header;
use super::output::{Output, OutputItem, Written};
use super::part_writer::{self, PartStream};
use crate::archive::codec::{self, Codec};
use crate::archive::compression::{Compression, Pace};
use crate::archive::error::{ArchiveError, Result};

/// Where an archive's bytes go. It moves to a thread of its own.
pub trait Sink: Send + 'static {
    /// Writes all of `bytes` after those written before.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Rewrites bytes that were written before, without moving the end; only called where [`Sink::can_patch`].
    fn patch(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Whether bytes can be rewritten: a file can, a stream can't. Always the same answer.
    fn can_patch(&self) -> bool;
}

/// What an archive is to look like.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder that all members stand in, such as `20231207000608_my_app`.
    pub root: String,
    /// How it is compressed.
    pub compression: Compression,
    /// The members' time, in seconds since 1970.
    pub mtime: u64,
    /// The number of encoder threads, at least 1.
    pub encoders: usize,
}

/// A member, as the manifest tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its path in the tar, the archive's folder included.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its content, in lower-case hexadecimal.
    pub sha256: String,
}

/// Pieces that may wait for the output thread. Each holds at most a block, raw or compressed.
pub(crate) const QUEUE: usize = 8;
/// The level is reconsidered after so many blocks.
const PERIOD: u32 = 16;

/// Writes an archive: [`Writer::stream`] the dump, or [`Writer::lane`] after lane of it at once, then
/// [`Writer::bytes`] the manifest, then [`Writer::seal`].
///
/// After an error every further call fails; dropping the writer waits for its threads and drops the sink.
pub struct Writer<S: Sink> {
    turn: Mutex<Turn<S>>,
    pub(crate) encoders: Encoders,
    progress: Mutex<PaceControl>,
    pub(crate) root: String,
    pub(crate) mtime: u64,
    in_place: bool,
}

/// The output thread, from outside: whoever has the lock is next in the file.
pub(crate) struct Turn<S> {
    pieces: Option<SyncSender<OutputItem>>,
    output: Option<JoinHandle<Result<Written<S>>>>,
    /// What was written, in its order.
    pub members: Vec<Member>,
}

/// An archive that is whole: every byte of it was handed to the sink. Only [`Writer::seal`] makes one.
#[derive(Debug)]
pub struct Sealed<S> {
    sink: S,
    bytes: u64,
    raw_bytes: u64,
}

impl<S> Sealed<S> {
    /// The sink, for whatever makes its bytes last.
    pub fn into_sink(self) -> S {
        self.sink
    }

    /// The archive's size in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The size of the tar inside it, in bytes.
    pub fn raw_bytes(&self) -> u64 {
        self.raw_bytes
    }
}

impl<S: Sink> Writer<S> {
    /// Begins an archive and starts its threads.
    pub fn new(sink: S, options: Options) -> Result<Self> {
        let codec = codec::codec(options.compression);
        Self::with_codec(sink, options, codec)
    }

    pub(crate) fn with_codec(sink: S, options: Options, codec: &'static dyn Codec) -> Result<Self> {
        header::check_name(&options.root)?;
        let in_place = sink.can_patch();
        let no_thread = |error: io::Error| ArchiveError::Worker { what: error.to_string() };
        let encoders = Encoders::start(codec, options.encoders.max(1)).map_err(no_thread)?;
        // The one bound of the whole pipeline: an encoder's block has its place in this queue before it is encoded.
        let (pieces, queue) = sync_channel(QUEUE);
        let output = Output::new(sink, codec, encoders.encoded.clone());
        let output = std::thread::Builder::new().name("archive".into()).spawn(move || output.run(&queue));
        let output = Some(output.map_err(no_thread)?);
        Ok(Self {
            turn: Mutex::new(Turn { pieces: Some(pieces), output, members: Vec::new() }),
            encoders,
            progress: Mutex::new(PaceControl::new(options.compression.pace())),
            root: options.root,
            mtime: options.mtime,
            in_place,
        })
    }

    /// Reads `source` to its end into a member, showing each stretch of it to `observe` on the way.
    ///
    /// Where the sink can be patched that is one member, `root/name`. Otherwise it is numbered parts, `root/name.00001`
    /// and so on, of 16 MiB each but the last; an empty source makes one empty part.
    pub fn stream(&self, name: &str, source: &mut dyn Read, observe: &mut dyn FnMut(&[u8])) -> Result<Vec<Member>> {
        self.new_members(|| self.unsized_member(name, source, observe))
    }

    /// Reads `source` to its end into one of many members, `root/name`, whose size is told truly wherever the archive goes:
    /// up to 16 MiB of it are held until that is known. A larger one is written as [`Writer::stream`] does. A name that
    /// ends as a part's does is refused.
    pub fn member(&self, name: &str, source: &mut dyn Read, observe: &mut dyn FnMut(&[u8])) -> Result<Vec<Member>> {
        self.new_members(|| self.held_member(name, source, observe))
    }

    /// The same for one of several sources that are read at once, each by a thread of its own: always in numbered
    /// parts, `root/name.03.000001` and so on for the lane 3. [`Writer::members`] tells of them.
    pub fn lane(
        &self,
        name: &str,
        lane: PartStream,
        source: &mut dyn Read,
        observe: &mut dyn FnMut(&[u8]),
    ) -> Result<()> {
        let result = self.numbered(name, Some(lane), source, observe);
        self.noting_failure(result)
    }

    /// The parts of all lanes so far, in the order in which they stand in the archive.
    pub fn members(&self) -> Vec<Member> {
        self.turn().members.clone()
    }

    /// Writes a small member whose content is at hand: the manifest, last.
    pub fn bytes(&self, name: &str, content: &[u8]) -> Result<Member> {
        let result = self.try_bytes(name, content);
        self.noting_failure(result)
    }

    /// Ends the archive and waits until all of its bytes are with the sink.
    pub fn seal(self) -> Result<Sealed<S>> {
        let mut turn = self.turn();
        turn.send(OutputItem::Finish)?;
        let Written { sink, bytes, raw_bytes } = turn.join()?;
        Ok(Sealed { sink, bytes, raw_bytes })
    }

    /// The members that this writes.
    fn new_members(&self, write: impl FnOnce() -> Result<()>) -> Result<Vec<Member>> {
        let before = self.turn().members.len();
        self.noting_failure(write())?;
        Ok(self.turn().members.split_off(before))
    }

    /// Of a source whose size is not known.
    fn unsized_member(&self, name: &str, source: &mut dyn Read, observe: &mut dyn FnMut(&[u8])) -> Result<()> {
        if self.in_place { self.one_member(name, source, observe) } else { self.numbered(name, None, source, observe) }
    }

    fn one_member(&self, name: &str, source: &mut dyn Read, observe: &mut dyn FnMut(&[u8])) -> Result<()> {
        let path = format!("{}/{name}", self.root);
        let headers = header::placeholder(&path, self.mtime)?;
        self.turn().send(OutputItem::Member { path: path.clone(), headers })?;
        let (mut size, mut hash) = (0, Sha256::new());
        loop {
            let block = self.read_block(source)?;
            if block.is_empty() {
                self.encoders.raw.put(block);
                break;
            }
            hash.update(&block);
            size += block.len() as u64;
            observe(&block);
            self.submit(block)?;
        }
        let member = self.close(path, size, hash)?;
        self.turn().members.push(member);
        Ok(())
    }

    fn held_member(&self, name: &str, source: &mut dyn Read, observe: &mut dyn FnMut(&[u8])) -> Result<()> {
        let path = format!("{}/{name}", self.root);
        if part_writer::member_of(&path).is_none_or(|(_, part)| part.is_some()) {
            return Err(ArchiveError::Name { name: path, why: "it would be taken for a part's" });
        }
        let (mut held, mut size) = (VecDeque::new(), 0);
        while size < part_writer::PART {
            let block = self.read_block(source)?;
            if block.is_empty() {
                self.encoders.raw.put(block);
                let member = self.sized_member(path, size, held, observe)?;
                self.turn().members.push(member);
                return Ok(());
            }
            size += block.len() as u64;
            held.push_back(block);
        }
        self.unsized_member(name, &mut HeldFirst { held, read: 0, source }, observe)
    }

    fn try_bytes(&self, name: &str, content: &[u8]) -> Result<Member> {
        let blocks = content.chunks(BLOCK).map(<[u8]>::to_vec);
        self.sized_member(format!("{}/{name}", self.root), content.len() as u64, blocks, &mut |_| {})
    }

    /// A member of so many bytes, in blocks.
    fn sized_member(
        &self,
        path: String,
        size: u64,
        blocks: impl IntoIterator<Item = Vec<u8>>,
        observe: &mut dyn FnMut(&[u8]),
    ) -> Result<Member> {
        let headers = header::file(&path, size, self.mtime)?;
        self.turn().send(OutputItem::Member { path: path.clone(), headers })?;
        let mut hash = Sha256::new();
        for block in blocks {
            hash.update(&block);
            observe(&block);
            self.submit(block)?;
        }
        self.close(path, size, hash)
    }

    fn close(&self, path: String, size: u64, hash: Sha256) -> Result<Member> {
        let mut headers = header::file(&path, size, self.mtime)?;
        let last = headers.split_off(headers.len() - header::BLOCK);
        self.turn().send(OutputItem::Close(last))?;
        Ok(Member { path, size, sha256: hex(&hash.finalize()) })
    }

    /// Reads until a block is full or the source ends.
    pub(crate) fn read_block(&self, source: &mut dyn Read) -> Result<Vec<u8>> {
        let mut block = self.encoders.raw.take();
        block.resize(BLOCK, 0);
        let mut filled = 0;
        while filled < BLOCK {
            match source.read(&mut block[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ArchiveError::Source(error)),
            }
        }
        block.truncate(filled);
        Ok(block)
    }

    fn submit(&self, block: Vec<u8>) -> Result<()> {
        let (pending, submit) = self.encoders.promise(block, self.level());
        let sent = self.turn().send(OutputItem::Block(pending));
        submit();
        sent
    }

    /// The level of the next block.
    pub(crate) fn level(&self) -> u32 {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).level(&self.encoders)
    }

    pub(crate) fn turn(&self) -> MutexGuard<'_, Turn<S>> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn noting_failure<T>(&self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            // Ends the output thread, so that a half-written member is never sealed.
            self.turn().pieces = None;
        }
        result
    }
}

impl<S> Turn<S> {
    pub(crate) fn send(&mut self, piece: OutputItem) -> Result<()> {
        match self.pieces.as_ref().ok_or(ArchiveError::Abandoned)?.send(piece) {
            Ok(()) => Ok(()),
            Err(_) => Err(self.failure()),
        }
    }

    /// Why the output thread takes no more pieces.
    pub(crate) fn failure(&mut self) -> ArchiveError {
        self.join().err().unwrap_or(ArchiveError::Abandoned)
    }

    fn join(&mut self) -> Result<Written<S>> {
        self.pieces = None;
        let output = self.output.take().ok_or(ArchiveError::Abandoned)?;
        let panicked = |_| ArchiveError::Worker { what: "the output thread panicked".into() };
        output.join().map_err(panicked).flatten()
    }
}

impl<S: Sink> Drop for Writer<S> {
    fn drop(&mut self) {
        // The sink may own a partial file that is removed when it is dropped: wait for that.
        drop(self.turn().join());
        self.encoders.stop();
    }
}

/// What was held of a source, then the rest of it.
struct HeldFirst<'s> {
    held: VecDeque<Vec<u8>>,
    /// Bytes read of the first block.
    read: usize,
    source: &'s mut dyn Read,
}

impl Read for HeldFirst<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(block) = self.held.front() else { return self.source.read(buffer) };
        let count = buffer.len().min(block.len() - self.read);
        buffer[..count].copy_from_slice(&block[self.read..self.read + count]);
        self.read += count;
        if self.read == block.len() {
            self.held.pop_front();
            self.read = 0;
        }
        Ok(count)
    }
}

/// Watches the encoders and sets the pace.
struct PaceControl {
    pace: Pace,
    blocks: u32,
    since: Instant,
    busy: Duration,
}

impl PaceControl {
    fn new(pace: Pace) -> Self {
        Self { pace, blocks: 0, since: Instant::now(), busy: Duration::ZERO }
    }

    /// The level of the next block.
    fn level(&mut self, encoders: &Encoders) -> u32 {
        self.blocks += 1;
        if self.blocks.is_multiple_of(PERIOD) {
            let busy = encoders.busy();
            self.pace.observe(busy.saturating_sub(self.busy), self.since.elapsed() * encoders.count());
            (self.busy, self.since) = (busy, Instant::now());
        }
        self.pace.level()
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sink that is slower than everything before it, so that all queues fill.
    struct Slow;

    impl Sink for Slow {
        fn write_all(&mut self, _: &[u8]) -> io::Result<()> {
            std::thread::sleep(Duration::from_millis(2));
            Ok(())
        }
        fn patch(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
            Ok(())
        }
        fn can_patch(&self) -> bool {
            true
        }
    }

    #[test]
    fn the_number_of_buffers_is_bounded() {
        for name in ["gzip", "zstd", "none"] {
            let compression = name.parse().expect("a compression");
            let options = Options { root: "r".into(), compression, mtime: 0, encoders: 2 };
            let writer = Writer::new(Slow, options).expect("a writer");
            let (raw, encoded) = (writer.encoders.raw.clone(), writer.encoders.encoded.clone());
            writer.stream("dump.sql", &mut io::repeat(7).take(60 << 20), &mut |_| {}).expect("a dump");
            writer.seal().expect("an archive");
            // One more in the hands of each: reader, output.
            for (what, pool) in [("raw", raw), ("encoded", encoded)] {
                assert!((1..=QUEUE + 3).contains(&pool.count()), "{name}: {} {what} buffers", pool.count());
            }
        }
    }
}
