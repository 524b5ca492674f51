//! Reads any tar as a stream. Hostile input costs time, never memory: only names are held, and they are bounded.

use std::io::{self, Read};

use tar::{EntryType, Header, PaxExtensions};

use crate::archive::error::{ArchiveError, Result};
use crate::archive::write::header::{self, BLOCK};

/// The most that the extension entries before one member may take.
const EXTENSIONS_MAX: u64 = 1 << 20;

/// What a member of a tar is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A link, a device or anything else, which is never followed nor made.
    Other,
}

/// The header of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TarMember {
    pub path: String,
    pub size: u64,
    pub kind: Type,
    /// Where its first header block stands in the tar.
    pub offset: u64,
}

/// Whether these bytes begin with a tar header: its checksum is right, and it is not empty.
pub(crate) fn is_header(first: &[u8]) -> bool {
    first.get(..BLOCK).is_some_and(|block| block[0] != 0 && checksum_fits(block))
}

/// A tar that is read once, from its first byte to its last.
pub(crate) struct TarReader<R> {
    input: R,
    /// Content of the current member that was not read yet, and the padding behind it.
    left: u64,
    padding: u64,
    /// Path of the current member.
    path: Option<String>,
    /// Bytes of the tar read so far.
    offset: u64,
    ended: bool,
}

impl<R: Read> TarReader<R> {
    pub fn new(input: R) -> Self {
        Self { input, left: 0, padding: 0, path: None, offset: 0, ended: false }
    }

    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// The next member's header, having skipped what was left of the current one. `None` after the end-of-archive
    /// blocks: what comes behind them is still to be read from [`TarReader::rest`].
    pub fn next(&mut self) -> Result<Option<TarMember>> {
        self.next_inside().map_err(|error| {
            let path = self.path.clone();
            error.at(None, path.as_deref())
        })
    }

    fn next_inside(&mut self) -> Result<Option<TarMember>> {
        if self.ended {
            return Ok(None);
        }
        self.skip()?;
        let (mut name, mut size) = (None, None);
        let start = self.offset;
        loop {
            let mut block = [0; BLOCK];
            self.fill(&mut block)?;
            if block.iter().all(|byte| *byte == 0) {
                self.ended = true;
                self.path = None;
                // The second empty block; some writers leave it out at the very end of a file. A file that can't be
                // read so far, because a container around it is cut, is another matter.
                self.fill_up_to(&mut [0; BLOCK])?;
                return Ok(None);
            }
            if !checksum_fits(&block) {
                let what = format!("no tar header at byte {} of the tar", self.offset - BLOCK as u64);
                return Err(ArchiveError::corrupt(what));
            }
            let header = Header::from_byte_slice(&block);
            let claimed = claimed(header)?;
            match header.entry_type() {
                EntryType::GNULongName => name = Some(until_nul(&self.extension(claimed)?)),
                EntryType::GNULongLink | EntryType::XGlobalHeader => drop(self.extension(claimed)?),
                EntryType::XHeader => {
                    for (key, value) in pax(&self.extension(claimed)?)? {
                        match key.as_str() {
                            "path" => name = Some(value),
                            "size" => size = Some(number(&value)?),
                            _ => {}
                        }
                    }
                }
                kind => {
                    let head = self.read_member(header, kind, name, size.unwrap_or(claimed))?;
                    return Ok(Some(TarMember { offset: start, ..head }));
                }
            }
        }
    }

    fn read_member(&mut self, header: &Header, kind: EntryType, name: Option<Vec<u8>>, size: u64) -> Result<TarMember> {
        let path = name.unwrap_or_else(|| header.path_bytes().into_owned());
        let path = String::from_utf8_lossy(&path).into_owned();
        let kind = match kind {
            // A name that ends in a slash was how old tars marked a folder.
            EntryType::Regular if path.ends_with('/') => Type::Folder,
            EntryType::Regular | EntryType::Continuous => Type::File,
            EntryType::Directory => Type::Folder,
            _ => Type::Other,
        };
        // Links have no content, whatever their size says: POSIX tells readers to ignore it.
        let size = if matches!(header.entry_type(), EntryType::Link | EntryType::Symlink) { 0 } else { size };
        if size > u64::MAX / 2 {
            return Err(ArchiveError::corrupt(format!("a member claims {size} bytes")));
        }
        self.left = size;
        self.padding = header::padding(size) as u64;
        self.path = Some(path.clone());
        Ok(TarMember { path, size, kind, offset: self.offset })
    }

    /// The content of an extension entry.
    fn extension(&mut self, size: u64) -> Result<Vec<u8>> {
        if size > EXTENSIONS_MAX {
            return Err(ArchiveError::TooLarge { what: "a member's name", bytes: size, limit: EXTENSIONS_MAX });
        }
        let padded = size + header::padding(size) as u64;
        let mut content = vec![0; usize::try_from(padded).map_err(|_| ArchiveError::corrupt("a name's size"))?];
        self.fill(&mut content)?;
        content.truncate(usize::try_from(size).unwrap_or(content.len()));
        Ok(content)
    }

    /// Reads and drops the rest of the current member.
    fn skip(&mut self) -> Result<()> {
        let left = self.left + self.padding;
        (self.left, self.padding) = (0, 0);
        let skipped = io::copy(&mut (&mut self.input).take(left), &mut io::sink()).map_err(ArchiveError::from_read)?;
        self.offset += skipped;
        if skipped == left { Ok(()) } else { Err(self.truncated()) }
    }

    fn fill(&mut self, block: &mut [u8]) -> Result<()> {
        if self.fill_up_to(block)? == block.len() { Ok(()) } else { Err(self.truncated()) }
    }

    /// Reads until the block is full or the file ends; how much that was.
    fn fill_up_to(&mut self, block: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < block.len() {
            match self.input.read(&mut block[filled..]) {
                Ok(0) => break,
                Ok(read) => {
                    self.offset += read as u64;
                    filled += read;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ArchiveError::from_read(error)),
            }
        }
        Ok(filled)
    }

    fn truncated(&self) -> ArchiveError {
        ArchiveError::truncated(format!("the tar ends after {} bytes, before its end mark", self.offset))
    }

    /// Bytes of the tar read so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Everything behind the end-of-archive blocks.
    pub fn rest(&mut self) -> &mut R {
        &mut self.input
    }
}

/// The current member's content.
impl<R: Read> Read for TarReader<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buf.len());
        if most == 0 {
            return Ok(0);
        }
        let read = self.input.read(&mut buf[..most]).map_err(|error| {
            if error.kind() == io::ErrorKind::Interrupted {
                return error;
            }
            ArchiveError::from_read(error).at(None, self.path.as_deref()).into()
        })?;
        if read == 0 {
            return Err(self.truncated().at(None, self.path.as_deref()).into());
        }
        self.offset += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

fn checksum_fits(block: &[u8]) -> bool {
    let Ok(told) = Header::from_byte_slice(block).cksum() else { return false };
    let sum = |range: std::ops::Range<usize>| block[range].iter().map(|byte| u32::from(*byte)).sum::<u32>();
    told == sum(0..148) + 8 * u32::from(b' ') + sum(156..BLOCK)
}

/// The size in a header: octal, or in binary where its first bit is set, of which 64 bits are read elsewhere and must
/// be all.
fn claimed(header: &Header) -> Result<u64> {
    let field = header.as_old().size;
    if field[0] & 0x80 != 0 && (field[0] != 0x80 || field[1..4] != [0; 3]) {
        return Err(ArchiveError::corrupt("a member claims a size below zero, or beyond 2^64"));
    }
    header.entry_size().map_err(|error| ArchiveError::corrupt(error.to_string()))
}

/// A size in a PAX header. One that is none must not be passed over: the other header's would be taken instead.
fn number(value: &[u8]) -> Result<u64> {
    let text = String::from_utf8_lossy(value);
    text.parse().map_err(|_| ArchiveError::corrupt(format!("a member claims a size of {text:.40?}")))
}

fn until_nul(bytes: &[u8]) -> Vec<u8> {
    bytes.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
}

fn pax(content: &[u8]) -> Result<Vec<(String, Vec<u8>)>> {
    let record = |record: io::Result<tar::PaxExtension<'_>>| {
        let record = record.map_err(|error| ArchiveError::corrupt(error.to_string()))?;
        Ok((String::from_utf8_lossy(record.key_bytes()).into_owned(), record.value_bytes().to_vec()))
    };
    PaxExtensions::new(content).map(record).collect()
}
