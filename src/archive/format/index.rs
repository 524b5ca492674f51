//! Where things stand in an archive: the index after the tar's end, and the pointer to it at a fixed place.

use std::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::crc::Crc;
use crate::archive::codec::{self, Codec};
use crate::archive::error::{ArchiveError, Result};
use crate::archive::read::object::{StoredObject, range};

/// The version of the index, and of the whole format.
const VERSION: u64 = 1;
const MAGIC: [u8; 8] = *b"dbhaul\x1a\x01";
const TRAILER: usize = 40;
/// An index of 12 MiB describes 100,000 members: 1.6 TB of a dump in parts.
const INDEX_MAX: u64 = 12 << 20;
/// What a member takes of it besides its path, about.
const MEMBER: u64 = 64;
/// The number of spans stays between half of this and this, however large the archive.
const SPANS_MAX: usize = 4096;

/// What stands where in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// The members, in their order.
    pub members: Vec<IndexedMember>,
    /// Stretches of the file that can be decoded on their own and have a checksum each. Together they cover the
    /// file up to the index.
    pub spans: Vec<Span>,
    /// Where the index begins in the file, in bytes.
    pub at: u64,
    /// Length of the tar stream before the index, in bytes.
    pub tar_len: u64,
    /// The index and its trailer as they stand in the tar stream, where they do.
    pub(crate) tail: Vec<u8>,
}

/// A member's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexedMember {
    /// Its path in the tar.
    pub path: String,
    /// Offset in the file of the piece that holds its tar header, in bytes.
    pub at: u64,
    /// Offset of its tar header in the tar stream, in bytes.
    pub offset: u64,
    /// Its size in bytes.
    pub size: u64,
    /// CRC-32 of its content.
    pub crc32: u32,
}

/// A stretch of the file, up to the next one or to the index: offset in the file, offset in the tar stream, CRC-32 of
/// the file's own (compressed) bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span(pub u64, pub u64, pub u32);

#[derive(Serialize, Deserialize)]
struct Json {
    format_version: u64,
    members: Vec<IndexedMember>,
    #[serde(deserialize_with = "at_most_spans")]
    spans: Vec<Span>,
}

/// Reads no more spans than are ever written: three numbers take less room in JSON than in memory.
fn at_most_spans<'de, D: Deserializer<'de>>(json: D) -> Result<Vec<Span>, D::Error> {
    struct Spans;
    impl<'de> Visitor<'de> for Spans {
        type Value = Vec<Span>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "at most {SPANS_MAX} spans")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Span>, A::Error> {
            let mut spans = Vec::new();
            while let Some(span) = list.next_element()? {
                if spans.len() == SPANS_MAX {
                    return Err(A::Error::invalid_length(SPANS_MAX + 1, &self));
                }
                spans.push(span);
            }
            Ok(spans)
        }
    }
    json.deserialize_seq(Spans)
}

impl Index {
    /// Reads the index of an archive of ours; `None` where the object has no pointer to one.
    pub fn read(object: &dyn StoredObject) -> Result<Option<Self>> {
        Ok(Self::with_codec(object)?.map(|(index, _)| index))
    }

    /// The same, with the container that it was found in.
    pub(crate) fn with_codec(object: &dyn StoredObject) -> Result<Option<(Self, &'static dyn Codec)>> {
        let len = object.size();
        let codec = codec::recognise(&range(object, 0, len.min(4))?);
        let Some(start) = len.checked_sub(codec.after_trailer() + TRAILER as u64) else { return Ok(None) };
        let trailer = range(object, start, TRAILER as u64)?;
        if trailer[..8] != MAGIC {
            return Ok(None);
        }
        let index = Self::parse(object, codec, &trailer).map_err(|error| error.at(Some(start), None))?;
        Ok(Some((index, codec)))
    }

    fn parse(object: &dyn StoredObject, codec: &dyn Codec, trailer: &[u8]) -> Result<Self> {
        let number = |at: usize| u64::from_le_bytes(trailer[at..at + 8].try_into().expect("eight bytes"));
        let sum = |at: usize| u32::from_le_bytes(trailer[at..at + 4].try_into().expect("four bytes"));
        if sum(36) != crc32fast::hash(&trailer[..36]) {
            return Err(ArchiveError::corrupt("the pointer to the index has a wrong checksum"));
        }
        let (at, tar_len, index_len) = (number(8), number(16), number(24));
        if index_len > INDEX_MAX {
            return Err(ArchiveError::TooLarge { what: "the index", bytes: index_len, limit: INDEX_MAX });
        }
        // The framing adds little; a pointer elsewhere would have us read the whole file.
        let framed_len = object.size().saturating_sub(at);
        if framed_len > index_len + 4096 {
            return Err(ArchiveError::corrupt("the pointer to the index leads elsewhere"));
        }
        let index = codec
            .unframe(&range(object, at, framed_len)?, index_len)
            .filter(|index| crc32fast::hash(index) == sum(32))
            .ok_or_else(|| ArchiveError::corrupt("the index does not agree with its checksum"))?;
        let json: Json = serde_json::from_slice(&index)
            .map_err(|error| ArchiveError::corrupt(format!("the index can't be understood: {error}")))?;
        if json.format_version > VERSION {
            return Err(ArchiveError::FormatVersion { found: json.format_version, supported: VERSION });
        }
        let ordered = json.spans.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
        let starts = json.spans.first().is_some_and(|first| first.0 == 0 && first.1 == 0);
        if !ordered || !starts || json.spans.last().is_some_and(|last| last.0 >= at) {
            return Err(ArchiveError::corrupt("the index's spans are out of order"));
        }
        let mut tail = index;
        tail.extend_from_slice(trailer);
        Ok(Self { members: json.members, spans: json.spans, at, tar_len, tail })
    }
}

/// Gathers the index while the archive is written.
#[derive(Debug)]
pub(crate) struct Gather {
    pub members: Vec<IndexedMember>,
    /// What the members will take of the index, about.
    length: u64,
    spans: Vec<Stretch>,
    /// Pieces that a span takes before the next one begins.
    stride: u64,
}

#[derive(Debug)]
struct Stretch {
    at: u64,
    offset: u64,
    pieces: u64,
    crc: Crc,
}

impl Gather {
    pub fn new() -> Self {
        Self { members: Vec::new(), length: 0, spans: Vec::with_capacity(SPANS_MAX), stride: 1 }
    }

    /// Takes in a member. One that the index has no room for ends the archive here, not at its end.
    pub fn member(&mut self, member: IndexedMember) -> Result<()> {
        self.length += member.path.len() as u64 + MEMBER;
        if self.length > INDEX_MAX {
            return Err(ArchiveError::TooLarge { what: "the index", bytes: self.length, limit: INDEX_MAX });
        }
        self.members.push(member);
        Ok(())
    }

    /// Takes in the next piece of the file.
    pub fn piece(&mut self, at: u64, offset: u64, crc: Crc) {
        if let Some(last) = self.spans.last_mut().filter(|last| last.pieces < self.stride) {
            last.crc.append(crc);
            last.pieces += 1;
            return;
        }
        if self.spans.len() == SPANS_MAX {
            self.halve();
        }
        self.spans.push(Stretch { at, offset, pieces: 1, crc });
    }

    /// Half as many spans of twice the length: this is what keeps the memory constant.
    fn halve(&mut self) {
        let mut spans = std::mem::take(&mut self.spans).into_iter();
        self.spans.reserve(SPANS_MAX);
        while let Some(mut first) = spans.next() {
            if let Some(second) = spans.next() {
                first.crc.append(second.crc);
                first.pieces += second.pieces;
            }
            self.spans.push(first);
        }
        self.stride *= 2;
    }

    /// Notes that bytes of the file at `at` were rewritten.
    pub fn rewrite(&mut self, at: u64, old: Crc, new: Crc) {
        let inside = self.spans.partition_point(|span| span.at <= at) - 1;
        let span = &mut self.spans[inside];
        let after = span.at + span.crc.len - (at + old.len);
        span.crc.rewrite(old, new, after);
    }

    /// The index's bytes, and its trailer's, for an index that begins `at` in the file after `tar_len` bytes of tar.
    pub fn finish(self, at: u64, tar_len: u64) -> Result<(Vec<u8>, Vec<u8>)> {
        let spans = self.spans.iter().map(|span| Span(span.at, span.offset, span.crc.sum)).collect();
        let json = Json { format_version: VERSION, members: self.members, spans };
        let index = serde_json::to_vec(&json)
            .map_err(|error| ArchiveError::Worker { what: format!("the index can't be written: {error}") })?;
        if index.len() as u64 > INDEX_MAX {
            return Err(ArchiveError::TooLarge { what: "the index", bytes: index.len() as u64, limit: INDEX_MAX });
        }
        let mut trailer = MAGIC.to_vec();
        trailer.extend_from_slice(&at.to_le_bytes());
        trailer.extend_from_slice(&tar_len.to_le_bytes());
        trailer.extend_from_slice(&(index.len() as u64).to_le_bytes());
        trailer.extend_from_slice(&crc32fast::hash(&index).to_le_bytes());
        trailer.extend_from_slice(&crc32fast::hash(&trailer).to_le_bytes());
        Ok((index, trailer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_spans_is_bounded_and_they_still_cover_everything() {
        let bytes: Vec<u8> = (0..50_000_u32).flat_map(|n| (n % 251).to_le_bytes()).collect();
        let mut gather = Gather::new();
        for (n, piece) in bytes.chunks(10).enumerate() {
            gather.piece(n as u64 * 10, n as u64 * 100, Crc::of(piece));
            assert!(gather.spans.len() <= SPANS_MAX);
        }
        assert!(gather.spans.len() > SPANS_MAX / 2);
        let mut next = 0;
        for span in &gather.spans {
            let (from, len) = (usize::try_from(span.at).expect("small"), usize::try_from(span.crc.len).expect("small"));
            assert_eq!(from, next);
            assert_eq!(span.offset, span.at * 10);
            assert_eq!(span.crc, Crc::of(&bytes[from..from + len]));
            next = from + len;
        }
        assert_eq!(next, bytes.len());
    }
}
