//! A dump in numbered parts: how they are named, made, and joined.
//!
//! A part's size stands before it, so a part is held, compressed, until that is known. One stream is `NAME.00001`,
//! `NAME.00002` and so on. Several streams that are written at once are *lanes*, `NAME.00.000001`: in the tar their
//! parts stand as they became ready, and they are joined in the order of their names.

use std::collections::{BTreeMap, VecDeque};
use std::io::Read;
use std::sync::mpsc::sync_channel;

use sha2::{Digest, Sha256};

use super::encode::{Encoded, Pending, kept};
use super::header;
use super::output::{CompleteMember, OutputItem, Piecewise};
use super::writer::{Member, QUEUE, Sink, Writer, hex};
use crate::archive::error::Result;
use crate::archive::read::reader::successor;

/// Raw bytes in one part, at most.
pub(crate) const PART: u64 = 16 << 20;
/// Compressed bytes that the parts of all lanes hold together, about. With one lane, the raw bytes are the limit.
const HELD: usize = 16 << 20;
/// However many lanes there are: an index has room for so many parts only.
const HELD_MIN: usize = 1 << 20;

/// One of several streams that are written at once.
#[derive(Clone, Copy, Debug)]
pub struct PartStream {
    /// Its place in the order in which they are joined, from 0; below 100.
    pub number: usize,
    /// How many are written at once.
    pub of: usize,
}

/// The name of the member that a path in an archive is, or is a part of: with the part's number. None for a lane's part.
#[must_use]
pub fn member_of(path: &str) -> Option<(&str, Option<u64>)> {
    if is_lane(path) {
        return None;
    }
    let name = path.split_once('/').map_or(path, |(_, name)| name);
    let is_number = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    match name.rsplit_once('.').filter(|(_, number)| is_number(number)) {
        Some((name, number)) => Some((name, number.parse().ok())),
        None => Some((name, None)),
    }
}

/// The lane that a member belongs to; 0 for what belongs to none.
#[must_use]
pub fn lane_of(path: &str) -> usize {
    place(path).map_or(0, |(_, lane, _)| lane)
}

/// Whether a member is part of a lane.
#[must_use]
pub fn is_lane(path: &str) -> bool {
    place(path).is_some()
}

/// Stem, lane and number of a lane's part.
fn place(path: &str) -> Option<(&str, usize, u64)> {
    let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    let (rest, number) = path.rsplit_once('.').filter(|(_, number)| digits(number, 6))?;
    let (stem, lane) = rest.rsplit_once('.').filter(|(_, lane)| digits(lane, 2))?;
    Some((stem, lane.parse().ok()?, number.parse().ok()?))
}

/// The places of the dump's members among all of an archive's, in the order in which their contents are joined.
pub(crate) fn joined<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<usize> {
    let paths: Vec<_> = paths.collect();
    let Some(first) = paths.first() else { return Vec::new() };
    let Some((stem, ..)) = place(first) else {
        let follow = paths.windows(2).take_while(|pair| successor(pair[0]).as_deref() == Some(pair[1]));
        return (0..=follow.count()).collect();
    };
    let of_dump = |(at, path)| place(path).filter(|(of, ..)| *of == stem).map(|(_, lane, number)| (lane, number, at));
    let mut places: Vec<_> = paths.iter().copied().enumerate().filter_map(of_dump).collect();
    places.sort_unstable();
    places.into_iter().map(|(.., at)| at).collect()
}

/// The first part that does not follow the one before it in its lane. Who reads lanes as they stand in the tar relies
/// on that.
pub(crate) fn out_of_order<'a>(paths: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut last: BTreeMap<(&str, usize), u64> = BTreeMap::new();
    let mut follows = |path: &'a str| {
        let Some((stem, lane, number)) = place(path) else { return true };
        let last = last.entry((stem, lane)).or_default();
        *last += 1;
        *last == number
    };
    paths.into_iter().find(|path| !follows(path))
}

/// A part that is being made.
#[derive(Default)]
struct Held {
    size: u64,
    hash: Sha256,
    /// Blocks that the encoders have, in their order.
    waiting: VecDeque<Pending>,
    bytes: Vec<u8>,
    pieces: Vec<Piecewise>,
}

impl<S: Sink> Writer<S> {
    /// Reads `source` to its end into numbered parts.
    pub(crate) fn numbered(
        &self,
        name: &str,
        lane: Option<PartStream>,
        source: &mut dyn Read,
        observe: &mut dyn FnMut(&[u8]),
    ) -> Result<()> {
        let of = lane.map_or(1, |lane| lane.of).max(1);
        let (most, in_flight) = ((HELD / of).max(HELD_MIN), (QUEUE / of).max(2));
        let path = |number: u64| match lane {
            None => format!("{}/{name}.{number:05}", self.root),
            Some(PartStream { number: lane, .. }) => format!("{}/{name}.{lane:02}.{number:06}", self.root),
        };
        let (mut number, mut part) = (1, Held::default());
        loop {
            let block = self.read_block(source)?;
            if block.is_empty() {
                self.encoders.raw.put(block);
                break;
            }
            if part.size >= PART || part.bytes.len() >= most {
                part = self.put(path(number), part)?;
                number += 1;
            }
            part.hash.update(&block);
            part.size += block.len() as u64;
            observe(&block);
            let (pending, submit) = self.encoders.promise(block, self.level());
            submit();
            part.waiting.push_back(pending);
            if part.waiting.len() > in_flight {
                self.settle(&mut part)?;
            }
        }
        self.put(path(number), part).map(drop)
    }

    /// Waits for the oldest block that the encoders have.
    fn settle(&self, part: &mut Held) -> Result<()> {
        if let Some(pending) = part.waiting.pop_front() {
            let Encoded { bytes, file, raw } = kept(&pending)?;
            part.bytes.extend_from_slice(&bytes);
            part.pieces.push(Piecewise { file, raw });
            self.encoders.encoded.put(bytes);
        }
        Ok(())
    }

    /// Puts a part into the archive, whole, and waits until it is there. The next part, with the memory of this one.
    fn put(&self, path: String, mut part: Held) -> Result<Held> {
        while !part.waiting.is_empty() {
            self.settle(&mut part)?;
        }
        let Held { size, hash, bytes, pieces, .. } = part;
        let headers = header::file(&path, size, self.mtime)?;
        let member = Member { path: path.clone(), size, sha256: hex(&hash.finalize()) };
        let (done, back) = sync_channel(1);
        {
            let mut turn = self.turn();
            turn.send(OutputItem::Part(CompleteMember { path, headers, bytes, pieces, done }))?;
            turn.members.push(member);
        }
        let mut bytes = back.recv().map_err(|_| self.turn().failure())?;
        bytes.clear();
        Ok(Held { bytes, ..Held::default() })
    }
}
