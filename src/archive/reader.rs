//! Reading any archive from its first byte to its last.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use super::codec;
use super::error::{ArchiveError, Result};
use super::index::Index;
use super::input::{self, Bytes, Medium, Position};
use super::sniff::{Kind, SNIFF, sniff};
use super::tar_reader::{TarReader, Type};

/// Reads an archive, anyone's: a tar or a bare dump, compressed or not. The kind is found by content.
///
/// Its end is only reported once everything behind the last member was read as well, so that a container's own
/// checksums have been checked.
pub struct Reader {
    container: Kind,
    content: Kind,
    body: Body,
    position: Position,
    /// The first bytes of the current member, read ahead to see what it is, and not read by the caller yet.
    ahead: Cursor<Vec<u8>>,
}

enum Body {
    Tar(TarReader<Bytes>),
    Bare { name: Option<String>, size: Option<u64>, input: Bytes },
}

/// A member of an archive, to be read before the next one is asked for.
pub struct Entry<'a> {
    reader: &'a mut Reader,
    path: String,
    size: Option<u64>,
    kind: Type,
    content: Kind,
}

impl Reader {
    /// Opens a file.
    pub fn open(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(ArchiveError::Read)?;
        let size = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|meta| meta.len());
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // An index needs a file that can be sought in; a named pipe is read like any stream.
        let ours = match size {
            Some(_) => Index::read(&mut file)?.is_some(),
            None => false,
        };
        if size.is_some() {
            io::Seek::rewind(&mut file).map_err(ArchiveError::Read)?;
        }
        Self::begin(file, &name, size, ours)
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
            input::decode(container, buffered)
        };
        let (first, inside) = input::peek(inside).map_err(|error| error.at(Some(position.get()), None))?;
        let content = sniff(&first);
        let inside: Bytes = Box::new(inside);
        let body = match content {
            Kind::Tar => Body::Tar(TarReader::new(inside)),
            Kind::PgCustom | Kind::Sql => {
                let size = size.filter(|_| !container.is_compressed());
                Body::Bare { name: Some(bare_name(name, container)), size, input: inside }
            }
            other if container.is_compressed() => {
                let what = format!("{} that holds {}", container.describe(), other.describe());
                return Err(ArchiveError::NotRecognised { what });
            }
            other => return Err(ArchiveError::NotRecognised { what: other.describe().to_owned() }),
        };
        Ok(Self { container, content, body, position, ahead: Cursor::default() })
    }

    /// What the file itself is.
    #[must_use]
    pub fn container(&self) -> Kind {
        self.container
    }

    /// What is inside, once decompressed: [`Kind::Tar`], or a bare [`Kind::PgCustom`] or [`Kind::Sql`].
    #[must_use]
    pub fn content(&self) -> Kind {
        self.content
    }

    /// How much of the file was read, in bytes; it runs ahead by a buffer.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position.get()
    }

    /// The next member; what was not read of the current one is skipped.
    pub fn next_member(&mut self) -> Result<Option<Entry<'_>>> {
        let Some((path, size, kind)) = self.advance()? else { return Ok(None) };
        let mut first = Vec::with_capacity(SNIFF);
        self.body().take(SNIFF as u64).read_to_end(&mut first).map_err(|error| self.locate(error))?;
        let content = sniff(&first);
        self.ahead = Cursor::new(first);
        Ok(Some(Entry { reader: self, path, size, kind, content }))
    }

    /// The content of the member that [`Reader::next_member`] returned last, as a stream of its own. Where that is a
    /// numbered part, `.00001`, the parts after it follow.
    ///
    /// The stream ends well only after all of the archive was read: truncation behind the dump is an error too.
    #[must_use]
    pub fn into_stream(self) -> Stream {
        let path = match &self.body {
            Body::Tar(tar) => tar.path().unwrap_or_default().to_owned(),
            Body::Bare { .. } => String::new(),
        };
        Stream { reader: self, path, ended: false }
    }

    fn advance(&mut self) -> Result<Option<(String, Option<u64>, Type)>> {
        let here = Some(self.position.get());
        self.ahead = Cursor::default();
        let next = match &mut self.body {
            Body::Tar(tar) => tar.next().map(|head| head.map(|head| (head.path, Some(head.size), head.kind))),
            Body::Bare { name, size, .. } => Ok(name.take().map(|name| (name, *size, Type::File))),
        };
        let next = next.map_err(|error| error.at(here, None))?;
        if next.is_none() {
            let rest: &mut dyn Read = match &mut self.body {
                Body::Tar(tar) => tar.rest(),
                Body::Bare { input, .. } => input,
            };
            io::copy(rest, &mut io::sink()).map_err(|error| self.locate(error))?;
        }
        Ok(next)
    }

    fn body(&mut self) -> &mut dyn Read {
        match &mut self.body {
            Body::Tar(tar) => tar,
            Body::Bare { input, .. } => input,
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
    pub fn content(&self) -> Kind {
        self.content
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
pub struct Stream {
    reader: Reader,
    path: String,
    ended: bool,
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while !self.ended && !buf.is_empty() {
            let read = self.reader.read_current(buf)?;
            if read > 0 {
                return Ok(read);
            }
            let wanted = successor(&self.path);
            match self.reader.advance()? {
                Some((path, ..)) if Some(&path) == wanted.as_ref() => self.path = path,
                Some(_) => {
                    while self.reader.advance()?.is_some() {}
                    self.ended = true;
                }
                None => self.ended = true,
            }
        }
        Ok(0)
    }
}

/// The path of the part that follows this one.
pub(super) fn successor(path: &str) -> Option<String> {
    let (stem, digits) = path.rsplit_once('.')?;
    let numbered = digits.len() >= 5 && digits.bytes().all(|digit| digit.is_ascii_digit());
    let number = digits.parse::<u64>().ok().filter(|number| numbered && *number > 0)?;
    Some(format!("{stem}.{:05}", number + 1))
}

/// The name of what is inside a compressed file.
fn bare_name(name: &str, container: Kind) -> String {
    let endings: &[&str] = match container {
        Kind::Gzip => &[".gz"],
        Kind::Zstd => &[".zst", ".zstd"],
        Kind::Bzip2 => &[".bz2"],
        Kind::Xz => &[".xz"],
        _ => &[],
    };
    endings.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name).to_owned()
}
