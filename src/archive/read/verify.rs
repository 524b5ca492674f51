//! Reading an archive of ours: all of it to verify it, its manifest alone to inspect it, its dump to restore it.

use std::collections::{HashMap, VecDeque};
use std::io::{self, BufReader, Read};

use sha2::{Digest, Sha256};

use super::ahead::Ahead;
use super::input::{Medium, Position, Spanned};
use super::object::{ObjectStream, SharedObject};
use super::parts::dump_parts;
use super::reader::Reader;
use super::tar_reader::{TarReader, Type};
use crate::archive::codec::Codec;
use crate::archive::error::{ArchiveError, Result};
use crate::archive::format::crc::Crc;
use crate::archive::format::index::{Index, IndexedMember};
use crate::archive::format::manifest::{MANIFEST, MANIFEST_MAX, Manifest};
use crate::archive::write::part_writer::{is_lane, joined, out_of_order};
use crate::archive::write::writer::{Member, hex};

/// An archive of which every byte was read and checked. Only [`verify`] makes one.
#[derive(Debug)]
pub struct VerifiedArchive {
    manifest: Manifest,
    manifest_json: Vec<u8>,
    bytes: u64,
    raw_bytes: u64,
}

impl VerifiedArchive {
    /// The manifest; its members are those that were found.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The manifest alone.
    #[must_use]
    pub fn into_manifest(self) -> Manifest {
        self.manifest
    }

    /// The manifest, word for word.
    #[must_use]
    pub fn manifest_json(&self) -> &[u8] {
        &self.manifest_json
    }

    /// The archive's size in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The size of the tar inside it, in bytes.
    #[must_use]
    pub fn raw_bytes(&self) -> u64 {
        self.raw_bytes
    }
}

/// What an archive says of itself, its dump not read.
#[derive(Debug)]
pub struct Inspected {
    /// The manifest.
    pub manifest: Manifest,
    /// The index.
    pub index: Index,
}

impl Inspected {
    /// Where each member of the dump begins when its parts are joined.
    #[must_use]
    pub fn member_offsets(&self) -> HashMap<String, u64> {
        let members = &self.manifest.members;
        let mut end: u64 = 0;
        let places = joined(members.iter().map(|member| member.path.as_str())).into_iter().map(|place| {
            let begin = end;
            end = begin.saturating_add(members[place].size);
            (members[place].path.clone(), begin)
        });
        places.collect()
    }
}

/// Reads all of an archive of ours and checks every byte of it, in constant memory.
///
/// `observe` sees the content of every member but the manifest, in stretches, with the member's path. The first stretch
/// of each is empty.
pub fn verify(object: &SharedObject, observe: &mut dyn FnMut(&str, &[u8])) -> Result<VerifiedArchive> {
    let (index, codec) = open(object)?;
    // Reads from the store are large, whatever a span's length is.
    let (medium, position) = Medium::new(ObjectStream::new(object, 0));
    let spanned = Spanned::new(medium, &index.spans, index.at);
    let inside =
        codec.whole(Box::new(BufReader::with_capacity(64 * 1024, spanned))).map_err(ArchiveError::from_read)?;
    let (inside, position) = Ahead::of(inside, position).map_err(ArchiveError::Read)?;
    let mut check = Check { tar: TarReader::new(inside), position, members: Vec::new(), buffer: vec![0; 128 * 1024] };
    if let Some(path) = out_of_order(index.members.iter().map(|member| member.path.as_str())) {
        return Err(ArchiveError::corrupt("it does not follow the part before it").at(None, Some(path)));
    }
    let (manifest, manifest_json) = check.run(&index, observe)?;
    check.tail(&index, codec)?;
    if manifest.members != check.members {
        return Err(ArchiveError::corrupt(disagreement(&manifest.members, &check.members)).at(None, Some(MANIFEST)));
    }
    // Whoever wants the manifest alone goes where the index says: there must be the same.
    indexed_manifest(object, &index, codec)?;
    Ok(VerifiedArchive { manifest, manifest_json, bytes: object.size(), raw_bytes: index.tar_len })
}

/// Reads an archive's index, and its manifest through it: a few ranges, however large it is.
pub fn inspect(object: &SharedObject) -> Result<Inspected> {
    let (index, codec) = open(object)?;
    let json = indexed_manifest(object, &index, codec)?;
    Ok(Inspected { manifest: Manifest::parse(&json)?, index })
}

/// The manifest's bytes where the index has it.
fn indexed_manifest(object: &SharedObject, index: &Index, codec: &dyn Codec) -> Result<Vec<u8>> {
    let last = manifest_of(index)?;
    let (medium, _) = Medium::new(ObjectStream::new(object, last.at));
    let here = |error: ArchiveError| error.at(Some(last.at), Some(&last.path));
    let piece = codec.onwards(Box::new(medium)).map_err(ArchiveError::from_read)?;
    let mut tar = TarReader::new(piece);
    let head = tar.next().map_err(here)?;
    if head.is_none_or(|head| head.path != last.path || head.size != last.size) {
        return Err(here(ArchiveError::corrupt("the index leads to another member")));
    }
    let json = manifest_json(&mut tar, last.size).map_err(here)?;
    if Crc::of(&json) != (Crc { sum: last.crc32, len: last.size }) {
        return Err(here(ArchiveError::corrupt("it does not agree with its checksum in the index")));
    }
    Ok(json)
}

/// The dump inside an archive of ours, whole or in parts, with the manifest that it is checked against on the way.
///
/// The stream ends well only when size and SHA-256 of every part were right, and, where the parts stand in the order in
/// which they are joined, all of the archive was read.
pub fn dump_stream(object: &SharedObject) -> Result<(Manifest, DumpStream)> {
    let Inspected { manifest, .. } = inspect(object)?;
    let places = joined(manifest.members.iter().map(|member| member.path.as_str()));
    let expected: VecDeque<_> = places.iter().map(|place| manifest.members[*place].clone()).collect();
    let stream: Box<dyn Read + Send> = if expected.front().is_some_and(|first| is_lane(&first.path)) {
        let whole = 0..expected.iter().map(|member| member.size).sum();
        Box::new(dump_parts(object, std::slice::from_ref(&whole))?)
    } else {
        let mut reader = Reader::open(object)?;
        let found = reader.next_member()?.map(|entry| entry.path().to_owned());
        if found.is_none() || found.as_ref() != expected.front().map(|first| &first.path) {
            return Err(ArchiveError::corrupt("its first member is not the manifest's").at(None, found.as_deref()));
        }
        Box::new(reader.into_stream())
    };
    Ok((manifest, DumpStream { stream, expected, read: 0, hash: Sha256::new() }))
}

/// A dump's bytes, checked as they pass. Made by [`dump_stream`].
pub struct DumpStream {
    stream: Box<dyn Read + Send>,
    expected: VecDeque<Member>,
    read: u64,
    hash: Sha256,
}

impl Read for DumpStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.expected.front().is_some_and(|member| member.size == self.read) {
            let hash = hex(&std::mem::take(&mut self.hash).finalize());
            self.read = 0;
            if let Some(member) = self.expected.pop_front().filter(|member| member.sha256 != hash) {
                let error = ArchiveError::corrupt("its SHA-256 is not the manifest's");
                return Err(error.at(None, Some(&member.path)).into());
            }
        }
        let left = self.expected.front().map_or(u64::MAX, |member| member.size - self.read);
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        let read = self.stream.read(&mut buf[..most])?;
        match self.expected.front() {
            Some(member) if read == 0 && most > 0 => {
                let error = ArchiveError::truncated("it is shorter than the manifest says");
                Err(error.at(None, Some(&member.path)).into())
            }
            None if read > 0 => Err(ArchiveError::corrupt("the dump is longer than the manifest says").into()),
            _ => {
                self.hash.update(&buf[..read]);
                self.read += read as u64;
                Ok(read)
            }
        }
    }
}

fn open(object: &SharedObject) -> Result<(Index, &'static dyn Codec)> {
    Index::with_codec(object.as_ref())?.ok_or_else(|| not_ours(object))
}

/// Why an object has no index: it is not ours, or its end is missing. Reads all of it to tell.
fn not_ours(object: &SharedObject) -> ArchiveError {
    let mut reader = match Reader::open(object) {
        Ok(reader) => reader,
        Err(error) => return error,
    };
    let mut last = String::new();
    loop {
        match reader.next_member() {
            Ok(Some(entry)) => entry.path().clone_into(&mut last),
            Ok(None) => break,
            Err(error) => return error,
        }
    }
    if last.ends_with(&format!("/{MANIFEST}")) {
        ArchiveError::truncated("its index is not at its end").at(Some(reader.position()), None)
    } else {
        ArchiveError::NotRecognised { what: format!("{} that dbhaul did not write", reader.content().describe()) }
    }
}

fn manifest_of(index: &Index) -> Result<&IndexedMember> {
    let last = index.members.last().filter(|last| last.path.split_once('/').is_some_and(|(_, name)| name == MANIFEST));
    last.ok_or_else(|| ArchiveError::corrupt("its last member is not the manifest"))
}

fn manifest_json(tar: &mut impl Read, size: u64) -> Result<Vec<u8>> {
    if size > MANIFEST_MAX {
        return Err(ArchiveError::TooLarge { what: "the manifest", bytes: size, limit: MANIFEST_MAX });
    }
    let mut json = Vec::new();
    tar.take(size).read_to_end(&mut json).map_err(ArchiveError::from_read)?;
    Ok(json)
}

/// One pass over the tar, beside the index.
struct Check<R> {
    tar: TarReader<R>,
    position: Position,
    /// What was found, the manifest left out.
    members: Vec<Member>,
    buffer: Vec<u8>,
}

impl<R: Read> Check<R> {
    fn run(&mut self, index: &Index, observe: &mut dyn FnMut(&str, &[u8])) -> Result<(Manifest, Vec<u8>)> {
        let last = manifest_of(index)?;
        let root = last.path.strip_suffix(MANIFEST).unwrap_or_default();
        let mut manifest = None;
        for expected in &index.members {
            let head = self.tar.next().map_err(|error| error.at(Some(self.position.get()), None))?;
            let found = head.ok_or_else(|| self.wrong("the tar ends before the index does", &expected.path))?;
            let name = found.path.strip_prefix(root).unwrap_or_default();
            let same = found.path == expected.path && found.size == expected.size && found.offset == expected.offset;
            if !same || found.kind != Type::File || name.is_empty() || name.contains('/') {
                return Err(self.wrong("it is not the member that the index has here", &found.path));
            }
            let content = if std::ptr::eq(expected, last) {
                let json = manifest_json(&mut self.tar, found.size).map_err(|error| self.here(error))?;
                let content = Crc::of(&json);
                manifest = Some((Manifest::parse(&json)?, json));
                content
            } else {
                self.member(&found.path, observe)?
            };
            if content != (Crc { sum: expected.crc32, len: expected.size }) {
                return Err(self.wrong("it does not agree with its checksum in the index", &found.path));
            }
        }
        if let Some(extra) = self.tar.next().map_err(|error| self.here(error))? {
            return Err(self.wrong("the index does not have it", &extra.path));
        }
        manifest.ok_or_else(|| ArchiveError::corrupt("there is no manifest"))
    }

    fn member(&mut self, path: &str, observe: &mut dyn FnMut(&str, &[u8])) -> Result<Crc> {
        let (mut hash, mut crc, mut size) = (Sha256::new(), crc32fast::Hasher::new(), 0);
        observe(path, &[]);
        loop {
            let read = match self.tar.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.here(ArchiveError::from_read(error))),
            };
            let bytes = &self.buffer[..read];
            hash.update(bytes);
            crc.update(bytes);
            size += read as u64;
            observe(path, bytes);
        }
        self.members.push(Member { path: path.to_owned(), size, sha256: hex(&hash.finalize()) });
        Ok(Crc { sum: crc.finalize(), len: size })
    }

    /// What stands behind the tar's end must be the index, byte for byte, or nothing.
    fn tail(&mut self, index: &Index, codec: &dyn Codec) -> Result<()> {
        let expected: &[u8] = if codec.index_in_stream() { &index.tail } else { &[] };
        let mut rest = BufReader::new(self.tar.rest());
        let mut found = Vec::new();
        let most = expected.len() as u64 + 1;
        let read = (&mut rest).take(most).read_to_end(&mut found).map_err(ArchiveError::from_read);
        read.map_err(|error| self.here(error))?;
        if found == expected && self.tar.offset() == index.tar_len {
            Ok(())
        } else {
            Err(ArchiveError::corrupt("what follows the tar is not its index").at(Some(index.at), None))
        }
    }

    fn here(&self, error: ArchiveError) -> ArchiveError {
        error.at(Some(self.position.get()), None)
    }

    fn wrong(&self, what: &str, member: &str) -> ArchiveError {
        self.here(ArchiveError::corrupt(what).at(None, Some(member)))
    }
}

fn disagreement(told: &[Member], found: &[Member]) -> String {
    match told.iter().zip(found).find(|(told, found)| told != found) {
        Some((told, found)) if told.path == found.path => {
            format!("{:?} has another size or SHA-256 than it says", found.path)
        }
        Some((told, found)) => format!("it has {:?} where the archive has {:?}", told.path, found.path),
        None => format!("it has {} members, the archive {}", told.len(), found.len()),
    }
}
