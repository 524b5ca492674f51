//! Reads a zip by its central directory, members as streams: stored and deflated ones, also of more than 4 GiB.
//!
//! A zip's list of members stands at its end, so a stream of it does not do. Hostile input costs time, never memory.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::DeflateDecoder;

use super::input::Position;
use super::object::{SharedObject, StoredObject, fill};
use super::tar_reader::Type;
use crate::archive::error::{ArchiveError, Result};

/// The record at the end, and the most that a comment behind it may take.
const END: usize = 22;
const COMMENT_MAX: u64 = 0xffff;
/// Records of 64-bit zips: where the other end record is, and that record.
const LOCATOR: usize = 20;
const END_64: usize = 56;
/// The fixed parts of a member's two headers.
const CENTRAL: usize = 46;
const LOCAL: usize = 30;

/// The header of a member.
pub(crate) struct ZipMember {
    pub path: String,
    pub size: u64,
    pub kind: Type,
}

/// A zip, read once in the order of its list.
pub(crate) struct ZipReader {
    object: SharedObject,
    /// What stands before the zip's first byte.
    before: u64,
    list: BufReader<Section>,
    left: u64,
    current: Option<Content>,
    /// The current member's path, and why its content can't be read.
    path: String,
    unread: Option<String>,
}

/// A stretch of the file.
struct Section {
    object: SharedObject,
    at: u64,
    end: u64,
    position: Position,
}

impl Read for Section {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX).min(buf.len());
        let read = fill(self.object.as_ref(), self.at, &mut buf[..most]).map_err(ArchiveError::Read)?;
        self.at += read as u64;
        self.position.set(self.at);
        Ok(read)
    }
}

/// A member's content, checked at its end.
struct Content {
    path: String,
    from: Box<dyn Read + Send>,
    sum: crc32fast::Hasher,
    left: u64,
    expected: u32,
}

impl ZipReader {
    pub fn new(object: &SharedObject, position: Position) -> Result<Self> {
        let end = End::find(object.as_ref())?;
        let begin =
            end.at.checked_sub(end.size).ok_or_else(|| corrupt("its list of members is longer than the file"))?;
        let before =
            begin.checked_sub(end.offset).ok_or_else(|| corrupt("its list of members is not where it says"))?;
        let section = Section { object: object.clone(), at: begin, end: end.at, position };
        Ok(Self {
            object: object.clone(),
            before,
            list: BufReader::new(section),
            left: end.members,
            current: None,
            path: String::new(),
            unread: None,
        })
    }

    /// The current member's path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Why the current member's content can't be read, if it can't.
    pub fn unread(&self) -> Option<&str> {
        self.unread.as_deref()
    }

    /// The next member's header.
    pub fn next(&mut self) -> Result<Option<ZipMember>> {
        (self.current, self.unread) = (None, None);
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let header: [u8; CENTRAL] = self.take()?;
        if !header.starts_with(b"PK\x01\x02") {
            return Err(corrupt("its list of members is damaged"));
        }
        let (name, extra, comment) = (u16_at(&header, 28), u16_at(&header, 30), u16_at(&header, 32));
        let path = String::from_utf8_lossy(&self.take_some(name.into())?).into_owned();
        let extra = self.take_some(extra.into())?;
        self.take_some(comment.into())?;
        let mut member = Member {
            flags: u16_at(&header, 8),
            method: u16_at(&header, 10),
            sum: u32_at(&header, 16),
            packed: u32_at(&header, 20).into(),
            size: u32_at(&header, 24).into(),
            at: u32_at(&header, 42).into(),
        };
        member.widen(&extra)?;
        let kind = if path.ends_with('/') { Type::Folder } else { Type::File };
        let size = member.size;
        self.path.clone_from(&path);
        self.unread = match (member.flags & 1, member.method) {
            (0, 0 | 8) => None,
            (0, method) => Some(format!("it is compressed in a way that is not read (method {method})")),
            _ => Some("it is encrypted".to_owned()),
        };
        if kind == Type::File && size > 0 && self.unread.is_none() {
            self.current = Some(self.content(&path, &member).map_err(|error| error.at(None, Some(&path)))?);
        }
        Ok(Some(ZipMember { path, size, kind }))
    }

    /// The stream of a member.
    fn content(&self, path: &str, member: &Member) -> Result<Content> {
        let at = self.before.checked_add(member.at).ok_or_else(|| corrupt("it stands outside of the file"))?;
        let mut header = [0; LOCAL];
        exactly(self.object.as_ref(), at, &mut header)?;
        if !header.starts_with(b"PK\x03\x04") {
            return Err(corrupt("it is not where the list of members says"));
        }
        let begin = at + (LOCAL + usize::from(u16_at(&header, 26)) + usize::from(u16_at(&header, 28))) as u64;
        let end = begin.checked_add(member.packed).ok_or_else(|| corrupt("it is larger than the file"))?;
        let section =
            Section { object: self.object.clone(), at: begin, end, position: self.list.get_ref().position.clone() };
        let packed = BufReader::with_capacity(64 * 1024, section);
        let from: Box<dyn Read + Send> =
            if member.method == 0 { Box::new(packed) } else { Box::new(DeflateDecoder::new(packed)) };
        Ok(Content {
            path: path.to_owned(),
            from,
            sum: crc32fast::Hasher::new(),
            left: member.size,
            expected: member.sum,
        })
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.list.read_exact(&mut bytes).map_err(read_error)?;
        Ok(bytes)
    }

    fn take_some(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.list.read_exact(&mut bytes).map_err(read_error)?;
        Ok(bytes)
    }

    /// The list's end: nothing more is in it.
    pub fn finish(&mut self) -> Result<()> {
        if self.left == 0 && self.list.fill_buf().map_err(ArchiveError::from_read)?.is_empty() {
            return Ok(());
        }
        Err(corrupt("its list of members goes on behind the last of them"))
    }
}

/// The current member's content.
impl Read for ZipReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(content) = &mut self.current else { return Ok(0) };
        content.read(buf).map_err(|error| ArchiveError::from_read(error).at(None, Some(&content.path)).into())
    }
}

impl Read for Content {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buf)?;
        self.sum.update(&buf[..read]);
        let left = self.left.checked_sub(read as u64);
        self.left = left.ok_or_else(|| corrupt("it is longer than the list of members says"))?;
        if read == 0 && !buf.is_empty() {
            if self.left > 0 {
                return Err(ArchiveError::truncated("it is shorter than the list of members says").into());
            }
            if std::mem::take(&mut self.sum).finalize() != self.expected {
                return Err(corrupt("it does not agree with its checksum").into());
            }
            self.expected = 0;
        }
        Ok(read)
    }
}

/// What the list says of a member.
struct Member {
    flags: u16,
    method: u16,
    sum: u32,
    packed: u64,
    size: u64,
    at: u64,
}

impl Member {
    /// Takes the numbers that don't fit 32 bits from the extra field, where they stand in this order.
    fn widen(&mut self, mut extra: &[u8]) -> Result<()> {
        while let [a, b, c, d, rest @ ..] = extra {
            let (id, length) = (u16::from_le_bytes([*a, *b]), usize::from(u16::from_le_bytes([*c, *d])));
            let Some((mut field, behind)) = rest.split_at_checked(length) else { break };
            if id == 1 {
                for number in [&mut self.size, &mut self.packed, &mut self.at] {
                    if *number == u64::from(u32::MAX) {
                        let (wide, after) =
                            field.split_first_chunk().ok_or_else(|| corrupt("a member's size is missing"))?;
                        (*number, field) = (u64::from_le_bytes(*wide), after);
                    }
                }
                return Ok(());
            }
            extra = behind;
        }
        Ok(())
    }
}

/// What the record at the end says.
struct End {
    /// Where the list of members ends.
    at: u64,
    size: u64,
    offset: u64,
    members: u64,
}

impl End {
    fn find(object: &dyn StoredObject) -> Result<Self> {
        let length = object.size();
        let begin = length.saturating_sub(END as u64 + COMMENT_MAX);
        let mut tail = vec![0; usize::try_from(length - begin).unwrap_or(0)];
        exactly(object, begin, &mut tail)?;
        let fits = |at: &usize| {
            let record = &tail[*at..];
            record.starts_with(b"PK\x05\x06") && END + usize::from(u16_at(record, 20)) == record.len()
        };
        let Some(found) = (0..=tail.len().saturating_sub(END)).rev().filter(|at| tail.len() - at >= END).find(fits)
        else {
            return Err(ArchiveError::truncated("the list of members, with which a zip ends, is missing"));
        };
        let (record, at) = (&tail[found..], begin + found as u64);
        let end = Self {
            at,
            size: u32_at(record, 12).into(),
            offset: u32_at(record, 16).into(),
            members: u16_at(record, 10).into(),
        };
        if u16_at(record, 4) != 0 && u16_at(record, 4) != u16::MAX {
            return Err(ArchiveError::NotRecognised { what: "a part of a zip that was split".to_owned() });
        }
        Ok(Self::wide(object, at)?.unwrap_or(end))
    }

    /// The same in 64 bits, where that stands before it.
    fn wide(object: &dyn StoredObject, at: u64) -> Result<Option<Self>> {
        let mut locator = [0; LOCATOR];
        let Some(begin) = at.checked_sub((LOCATOR + END_64) as u64) else { return Ok(None) };
        exactly(object, at - LOCATOR as u64, &mut locator)?;
        if !locator.starts_with(b"PK\x06\x07") {
            return Ok(None);
        }
        let mut record = [0; END_64];
        for at in [u64_at(&locator, 8), begin] {
            exactly(object, at, &mut record)?;
            if record.starts_with(b"PK\x06\x06") {
                let (members, size, offset) = (u64_at(&record, 32), u64_at(&record, 40), u64_at(&record, 48));
                return Ok(Some(Self { at, size, offset, members }));
            }
        }
        Err(corrupt("its list of members can't be found"))
    }
}

fn corrupt(what: &str) -> ArchiveError {
    ArchiveError::corrupt(what)
}

/// Fills `buf` from the object, which is cut where it can't.
fn exactly(object: &dyn StoredObject, at: u64, buf: &mut [u8]) -> Result<()> {
    if fill(object, at, buf).map_err(ArchiveError::Read)? == buf.len() { Ok(()) } else { Err(cut()) }
}

fn cut() -> ArchiveError {
    ArchiveError::truncated("it ends before a member that its list names")
}

fn read_error(error: io::Error) -> ArchiveError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => cut(),
        _ if error.get_ref().is_some() => ArchiveError::from_read(error),
        _ => ArchiveError::Read(error),
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
