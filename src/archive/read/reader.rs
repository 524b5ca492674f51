//! Reading any archive from its first byte to its last.

use std::io::{self, Cursor, Read};

use super::candidates::{Candidate, Candidates, is_called};
use super::decompress::decode;
use super::input::{self, Bytes, Medium, Position};
use super::object::{ObjectStream, SharedObject, range};
use super::tar_reader::{TarReader, Type};
use super::zip_reader::ZipReader;
use crate::archive::codec;
use crate::archive::error::{ArchiveError, Result};
use crate::archive::format::index::Index;
use crate::archive::format::sniff::{ContentKind, SNIFF, sniff};
use crate::archive::format::text::{Reading, Text, narrow_beginning};

/// Reads an archive, anyone's: a tar, a zip or a bare dump, compressed or not. The kind is found by content.
///
/// Its end is only reported once everything behind the last member was read as well, so that a container's own
/// checksums have been checked.
pub struct Reader {
    container: ContentKind,
    content: ContentKind,
    body: Container,
    position: Position,
    /// The first bytes of the current member, read ahead to see what it is, and not read by the caller yet.
    ahead: Cursor<Vec<u8>>,
}

enum Container {
    Tar(TarReader<Bytes>),
    Zip(ZipReader),
    Bare { name: Option<String>, size: Option<u64>, input: Bytes },
}

/// A member's path, size and type.
type Found = (String, Option<u64>, Type);

/// A member of an archive, to be read before the next one is asked for.
pub struct Entry<'a> {
    reader: &'a mut Reader,
    path: String,
    size: Option<u64>,
    kind: Type,
    content: ContentKind,
}

impl Reader {
    /// Opens an object of a store.
    pub fn open(object: &SharedObject) -> Result<Self> {
        let ours = Index::read(object.as_ref())?.is_some();
        if sniff(&range(object.as_ref(), 0, object.size().min(SNIFF as u64))?) == ContentKind::Zip {
            let position = Position::default();
            let body = Container::Zip(ZipReader::new(object, position.clone())?);
            let (container, content, ahead) = (ContentKind::Zip, ContentKind::Zip, Cursor::default());
            return Ok(Self { container, content, body, position, ahead });
        }
        Self::begin(ObjectStream::new(object, 0), object.name(), Some(object.size()), ours)
    }

    /// Reads a stream, such as standard input; `name` is what a bare dump in it is called.
    pub fn from_stream(input: impl Read + Send + 'static, name: &str) -> Result<Self> {
        Self::begin(input, name, None, false)
    }

    fn begin(input: impl Read + Send + 'static, name: &str, size: Option<u64>, ours: bool) -> Result<Self> {
        let (medium, position) = Medium::new(input);
        let (first, medium) = input::peek(medium)?;
        let container = sniff(&first);
        let buffered = io::BufReader::with_capacity(64 * 1024, medium);
        let inside: Bytes = if ours {
            codec::recognise(&first).whole(Box::new(buffered)).map_err(ArchiveError::from_read)?
        } else {
            decode(container, buffered)
        };
        let (first, inside) = input::peek(inside).map_err(|error| error.at(Some(position.get()), None))?;
        let content = sniff(&first);
        if content == ContentKind::Utf16 && sniff(&narrow_beginning(&first)) != ContentKind::Sql {
            return Err(ArchiveError::NotRecognised { what: format!("{} that is not SQL", content.describe()) });
        }
        let inside: Bytes = Box::new(inside);
        let body = match content {
            ContentKind::Tar => Container::Tar(TarReader::new(inside)),
            ContentKind::PgCustom | ContentKind::Sql | ContentKind::Utf16 => {
                let size = size.filter(|_| !container.is_compressed());
                Container::Bare { name: Some(bare_name(name, container)), size, input: inside }
            }
            other if container.is_compressed() => {
                let what = format!("{} that holds {}", container.describe(), other.describe());
                let packed = other.is_compressed() || other == ContentKind::Zip;
                return Err(if packed { ArchiveError::Packed { what } } else { ArchiveError::NotRecognised { what } });
            }
            other => return Err(ArchiveError::NotRecognised { what: other.describe().to_owned() }),
        };
        Ok(Self { container, content, body, position, ahead: Cursor::default() })
    }

    /// What the file itself is.
    #[must_use]
    pub fn container(&self) -> ContentKind {
        self.container
    }

    /// What is inside, once decompressed: [`ContentKind::Tar`], [`ContentKind::Zip`], or a bare [`ContentKind::PgCustom`] or [`ContentKind::Sql`].
    #[must_use]
    pub fn content(&self) -> ContentKind {
        self.content
    }

    /// Whether the file is a dump and nothing else.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        matches!(self.body, Container::Bare { .. })
    }

    /// How much of the file was read, in bytes; it runs ahead by a buffer.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position.get()
    }

    /// The next member; what was not read of the current one is skipped.
    pub fn next_member(&mut self) -> Result<Option<Entry<'_>>> {
        let Some(head) = self.advance()? else { return Ok(None) };
        self.read_beginning(head).map(Some)
    }

    /// Reads the first bytes of a member.
    fn read_beginning(&mut self, (path, size, kind): Found) -> Result<Entry<'_>> {
        let mut first = Vec::with_capacity(SNIFF);
        self.body().take(SNIFF as u64).read_to_end(&mut first).map_err(|error| self.locate(error))?;
        let content = sniff(&first);
        self.ahead = Cursor::new(first);
        Ok(Entry { reader: self, path, size, kind, content })
    }

    /// The content of the member that [`Reader::next_member`] returned last, as a stream of its own. Where that is a
    /// numbered part, `.00001`, the parts after it follow.
    ///
    /// The stream ends well only after all of the archive was read: truncation behind the dump is an error too.
    #[must_use]
    pub fn into_stream(self) -> MemberStream {
        let path = match &self.body {
            Container::Tar(tar) => tar.path().unwrap_or_default().to_owned(),
            Container::Zip(zip) => zip.path().to_owned(),
            Container::Bare { .. } => String::new(),
        };
        MemberStream { reader: self, path, ended: false, others: None }
    }

    /// The dump that is called so, decompressed where it is compressed by itself, as its program wrote it. With `alone`,
    /// another dump in the archive is an error at the end of the stream.
    pub fn dump(mut self, path: &str, alone: Option<Candidate>, reading: Reading) -> Result<Box<dyn Read + Send>> {
        while let Some(entry) = self.next_member()? {
            if entry.path() == path {
                let stream = MemberStream { others: alone.map(Candidates::after), ..self.into_stream() };
                return unpacked(stream, path, reading);
            }
        }
        Err(ArchiveError::NotRecognised { what: format!("{path} is no longer there") })
    }

    fn advance(&mut self) -> Result<Option<Found>> {
        let here = Some(self.position.get());
        self.ahead = Cursor::default();
        let next = match &mut self.body {
            Container::Tar(tar) => tar.next().map(|head| head.map(|head| (head.path, Some(head.size), head.kind))),
            Container::Zip(zip) => zip.next().map(|head| head.map(|head| (head.path, Some(head.size), head.kind))),
            Container::Bare { name, size, .. } => Ok(name.take().map(|name| (name, *size, Type::File))),
        };
        let next = next.map_err(|error| error.at(here, None))?;
        if next.is_none() {
            let rest: &mut dyn Read = match &mut self.body {
                Container::Tar(tar) => tar.rest(),
                Container::Zip(zip) => return zip.finish().map(|()| None).map_err(|error| error.at(here, None)),
                Container::Bare { input, .. } => input,
            };
            io::copy(rest, &mut io::sink()).map_err(|error| self.locate(error))?;
        }
        Ok(next)
    }

    fn body(&mut self) -> &mut dyn Read {
        match &mut self.body {
            Container::Tar(tar) => tar,
            Container::Zip(zip) => zip,
            Container::Bare { input, .. } => input,
        }
    }

    fn locate(&self, error: io::Error) -> ArchiveError {
        ArchiveError::from_read(error).at(Some(self.position.get()), None)
    }

    fn read_current(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.ahead.read(buf)?;
        if read > 0 {
            return Ok(read);
        }
        self.body().read(buf).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            _ => self.locate(error).into(),
        })
    }
}

impl Entry<'_> {
    /// Its path in the tar, or a bare file's name.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its size in bytes, as claimed; unknown for a compressed bare file.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// File, folder, or neither.
    #[must_use]
    pub fn kind(&self) -> Type {
        self.kind
    }

    /// What its first bytes are.
    #[must_use]
    pub fn content(&self) -> ContentKind {
        self.content
    }

    /// Why its content can't be read, if it can't.
    #[must_use]
    pub fn unread(&self) -> Option<&str> {
        match &self.reader.body {
            Container::Zip(zip) => zip.unread(),
            _ => None,
        }
    }

    /// Its first bytes: at most [`SNIFF`] of them.
    #[must_use]
    pub fn first(&self) -> &[u8] {
        self.reader.ahead.get_ref()
    }
}

impl Read for Entry<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.reader.read_current(buf)
    }
}

/// A dump's bytes: one member, or its numbered parts joined. Made by [`Reader::into_stream`].
pub struct MemberStream {
    reader: Reader,
    path: String,
    ended: bool,
    /// Looks for other dumps, where there may be none.
    others: Option<Candidates>,
}

impl MemberStream {
    /// Reads what stands behind the dump, from the member on that is current.
    fn rest(&mut self, mut head: Found) -> Result<()> {
        loop {
            // Nobody chose, or whoever did chose by a name that two have.
            if self.others.is_none() && head.2 == Type::File && is_called(&head.0, &self.path) {
                return Err(ArchiveError::Twice { path: head.0 });
            }
            if let Some(others) = &mut self.others {
                others.see(&mut self.reader.read_beginning(head)?)?;
            }
            match self.reader.advance()? {
                Some(next) => head = next,
                None => break,
            }
        }
        self.others.as_ref().map_or(Ok(()), Candidates::one)
    }
}

impl Read for MemberStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while !self.ended && !buf.is_empty() {
            let read = self.reader.read_current(buf)?;
            if read > 0 {
                return Ok(read);
            }
            let wanted = successor(&self.path);
            match self.reader.advance()? {
                Some((path, ..)) if Some(&path) == wanted.as_ref() => self.path = path,
                Some(head) => {
                    self.rest(head)?;
                    self.ended = true;
                }
                None => self.ended = true,
            }
        }
        Ok(0)
    }
}

/// What is in a member: decompressed, and SQL as its program wrote it.
fn unpacked(member: MemberStream, path: &str, reading: Reading) -> Result<Box<dyn Read + Send>> {
    let (first, member) = input::peek(member)?;
    let kind = sniff(&first);
    if matches!(kind, ContentKind::Sql | ContentKind::Utf16) {
        return Ok(Box::new(Text::new(member, reading)));
    }
    if !kind.is_compressed() {
        return Ok(Box::new(member));
    }
    let inside = Inside { input: decode(kind, io::BufReader::with_capacity(64 * 1024, member)), path: path.to_owned() };
    let (first, inside) = input::peek(inside)?;
    if matches!(sniff(&first), ContentKind::Sql | ContentKind::Utf16) {
        return Ok(Box::new(Text::new(inside, reading)));
    }
    Ok(Box::new(inside))
}

/// A compressed member: its errors name it.
struct Inside {
    input: Bytes,
    path: String,
}

impl Read for Inside {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.input.read(buf).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            _ => ArchiveError::from_read(error).at(None, Some(&self.path)).into(),
        })
    }
}

/// The path of the part that follows this one.
pub(crate) fn successor(path: &str) -> Option<String> {
    let (stem, digits) = path.rsplit_once('.')?;
    let numbered = digits.len() >= 5 && digits.bytes().all(|digit| digit.is_ascii_digit());
    let number = digits.parse::<u64>().ok().filter(|number| numbered && *number > 0)?;
    Some(format!("{stem}.{:05}", number + 1))
}

/// The name of what is inside a compressed file.
fn bare_name(name: &str, container: ContentKind) -> String {
    let endings: &[&str] = match container {
        ContentKind::Gzip => &[".gz"],
        ContentKind::Zstd => &[".zst", ".zstd"],
        ContentKind::Bzip2 => &[".bz2"],
        ContentKind::Xz => &[".xz"],
        ContentKind::Lz4 => &[".lz4"],
        _ => &[],
    };
    endings.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name).to_owned()
}
