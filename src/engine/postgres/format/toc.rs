//! The table of contents of `pg_dump`'s archives, versions 1.12 to 1.16 (`pg_dump` 9.0 to 18), as
//! `src/bin/pg_dump/pg_backup_archiver.c` writes it: `ReadHead`, `ReadToc`, `ReadInt`, `ReadStr`, `ReadOffset`.
//!
//! Reading is by small units, the header and then entry after entry, so that a stream can be parsed as it comes: a
//! unit whose bytes have not all come is [`Stop::More`] and is tried again later. Nothing is ever allocated by a size
//! that the archive claims.

use std::io::{self, Read};
use std::ops::Range;

use super::encoding::Encoding;
use super::untrusted::is_untrusted;
use crate::engine::postgres::sql::gate::{self, Act, Judged, Reason, Relation};
use crate::engine::{Entry, MAX_ENTRIES};

/// The longest unit that is believed, in bytes: no function or view is larger than this. It is held until it is whole.
const LONGEST: usize = 16 << 20;

/// How much of a `toc.dat` is read at once, in bytes.
const READ: usize = 64 << 10;

/// Why a unit could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Its bytes have not all come yet.
    More,
    /// It has more entries than are read.
    TooMany,
    /// It can't be right.
    Bad(String),
}

/// What stands before the entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The archive format's version: 1 and 14 of 1.14.
    pub version: (u8, u8),
    /// `none`, `gzip`, `lz4`, `zstd`.
    pub compression: &'static str,
    /// The server's version.
    pub source: Option<String>,
    /// `pg_dump`'s version.
    pub client: Option<String>,
    /// How many entries follow.
    pub entries: i64,
    /// How numbers are written from here on.
    pub sizes: Sizes,
    /// Custom format, or one of those that name files (directory, tar).
    pub custom: bool,
    /// What the entries are written in, as the first of them says.
    pub encoding: Encoding,
    /// Its name there.
    pub encoding_name: Option<String>,
}

impl Header {
    /// Learns from an entry how those behind it are written. True when it says so.
    pub fn learn(&mut self, TocEntry { entry, definition, .. }: &TocEntry) -> bool {
        let name = Encoding::announced(definition).filter(|_| entry.kind == "ENCODING");
        if let Some(name) = name {
            self.encoding = Encoding::named(name);
            self.encoding_name = Some(name.to_owned());
        }
        name.is_some()
    }
}

/// How an archive writes numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Bytes of an integer, its sign byte not counted.
    pub int: usize,
    /// Bytes of an offset, its state byte not counted.
    pub offset: usize,
}

/// One entry, with what only a reader of data needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TocEntry {
    /// What a restore goes by.
    pub entry: Entry,
    /// A block or a file of data belongs to it.
    pub has_data: bool,
    /// The catalogue that describes it, and its number there; the rows of a table have the table's, in no catalogue.
    pub catalog: (u32, u32),
    /// When it is restored: 1 with what it belongs to, 2 before the data, 3 data, 4 after the data.
    pub section: i64,
    /// The COPY statement whose text the data are (none for INSERT statements and large objects).
    pub copy: Option<String>,
    /// Where its block starts, if the archive was written to a file.
    pub offset: Option<u64>,
    /// The file that holds its data, in the directory and tar formats.
    pub file: Option<String>,
    /// Its SQL; empty once that was looked at ([`Asked::take`](super::content::Asked::take)).
    pub definition: String,
    /// Why some of its SQL is stopped, if it is.
    pub stopped: Option<Reason>,
    /// What its SQL does with relations, but for the rows of the table that it is about.
    pub acts: Box<[Act]>,
    /// Its SQL brings rows into that table: of ten thousand tables it counts how that is kept.
    pub fills_its_own: bool,
    /// It makes something that the server does not confine.
    pub untrusted: bool,
    /// Where it is on its server's disks, if that was chosen.
    pub tablespace: Option<String>,
}

/// Bytes, and how far they have been read.
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the list of an entry's needs stands, its end included.
    needs: Range<usize>,
    /// Where its COPY statement stands.
    copy: Range<usize>,
    /// What texts are written in.
    encoding: Encoding,
}

impl<'a> Cursor<'a> {
    /// A cursor at the start of some bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, needs: 0..0, copy: 0..0, encoding: Encoding::Utf8 }
    }

    /// How many bytes were read.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Where the entry that was read last names those that it needs.
    pub fn needs(&self) -> Range<usize> {
        self.needs.clone()
    }

    /// Where the COPY statement of the entry that was read last stands.
    pub fn copy(&self) -> Range<usize> {
        self.copy.clone()
    }

    /// The header of an archive.
    pub fn header(&mut self) -> Result<Header, Stop> {
        if !self.take(5)?.eq(b"PGDMP") {
            return Err(Stop::Bad("this is no archive of pg_dump's: it does not begin with PGDMP".into()));
        }
        let version = (self.byte()?, self.byte()?);
        let _revision = self.byte()?;
        if !((1, 12)..=(1, 16)).contains(&version) {
            return Err(Stop::Bad(format!("archive version {}.{} is not known", version.0, version.1)));
        }
        let sizes = Sizes { int: self.byte()?.into(), offset: self.byte()?.into() };
        if !(1..=8).contains(&sizes.int) || !(1..=8).contains(&sizes.offset) {
            return Err(Stop::Bad(format!("integers of {} and offsets of {} bytes", sizes.int, sizes.offset)));
        }
        let custom = match self.byte()? {
            1 => true,
            3 | 5 => false,
            other => return Err(Stop::Bad(format!("archive format {other} is not known"))),
        };
        let compression = self.compression(version, sizes)?;
        // Seconds, minutes, hours, day, month, year, daylight saving.
        for _ in 0..7 {
            self.int(sizes)?;
        }
        let _database = self.text(sizes)?;
        let (source, client) = (self.text(sizes)?, self.text(sizes)?);
        let entries = self.int(sizes)?;
        if entries < 0 {
            return Err(Stop::Bad(format!("a table of contents with {entries} entries")));
        }
        if usize::try_from(entries).is_ok_and(|all| all > *MAX_ENTRIES) {
            return Err(Stop::TooMany);
        }
        let (encoding, encoding_name) = (Encoding::Utf8, None);
        Ok(Header { version, compression, source, client, entries, sizes, custom, encoding, encoding_name })
    }

    fn compression(&mut self, version: (u8, u8), sizes: Sizes) -> Result<&'static str, Stop> {
        if version < (1, 15) {
            return Ok(if self.int(sizes)? == 0 { "none" } else { "gzip" });
        }
        match self.byte()? {
            0 => Ok("none"),
            1 => Ok("gzip"),
            2 => Ok("lz4"),
            3 => Ok("zstd"),
            other => Err(Stop::Bad(format!("compression {other} is not known"))),
        }
    }

    /// The next entry.
    pub fn entry(&mut self, header: &Header) -> Result<TocEntry, Stop> {
        let sizes = header.sizes;
        self.encoding = header.encoding;
        let id = self.int(sizes)?;
        if id <= 0 {
            return Err(Stop::Bad(format!("an entry with the number {id}")));
        }
        let has_data = self.int(sizes)? != 0;
        let catalog = (self.number(sizes)?, self.number(sizes)?);
        let tag = self.text(sizes)?.unwrap_or_default();
        let kind = self.text(sizes)?.unwrap_or_default();
        let section = self.int(sizes)?;
        let definition = self.text(sizes)?.unwrap_or_default();
        let drop = self.text(sizes)?.unwrap_or_default();
        let start = self.at;
        let copy = self.text(sizes)?.filter(|statement| !statement.is_empty());
        self.copy = start..self.at;
        // What is about the database itself is never sent.
        let of_database = ["COMMENT", "ACL", "SECURITY LABEL"].contains(&kind.as_str()) && tag.starts_with("DATABASE ");
        let sent = !of_database && !["DATABASE", "DATABASE PROPERTIES"].contains(&kind.as_str());
        let texts = [definition.as_str(), drop.as_str(), copy.as_deref().unwrap_or_default()];
        // Of large objects the numbers stand there, and pg_restore writes the statements.
        let numbers =
            |text: &str| kind == "BLOB METADATA" && text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_whitespace());
        let judged = texts.into_iter().filter(|text| sent && !numbers(text));
        // Behind the rows of the entry before, psql would take what follows for more rows.
        let begins_empty = texts.into_iter().any(gate::begins_empty);
        let (mut stopped, mut acts) = (begins_empty.then_some(Reason::Unknown), Vec::new());
        for judged in judged.map(gate::judge_all) {
            let Judged { reason, acts: more } = judged;
            stopped = stopped.or(reason);
            acts.extend(more);
        }
        let untrusted = is_untrusted(&definition);
        let schema = self.text(sizes)?.filter(|s| !s.is_empty());
        let tablespace = self.text(sizes)?.filter(|name| !name.is_empty());
        if header.version >= (1, 14) {
            let _access_method = self.skip_text(sizes)?;
        }
        if header.version >= (1, 16) {
            let _kind_of_relation = self.int(sizes)?;
        }
        let owner = self.text(sizes)?.filter(|o| !o.is_empty());
        let _with_oids = self.skip_text(sizes)?;
        // The entries that this one depends on, up to a null.
        let (mut needs, start) = (Vec::new(), self.at);
        while let Some(id) = self.optional_text(sizes)? {
            needs.extend(std::str::from_utf8(id).ok().and_then(|id| id.parse::<i64>().ok()));
        }
        // Most have one, and a vector begins with room for four: of ten thousand tables that counts.
        needs.shrink_to_fit();
        self.needs = start..self.at;
        let (mut offset, mut file) = (None, None);
        if header.custom {
            offset = self.offset(sizes)?;
        } else {
            file = self.text(sizes)?.filter(|f| !f.is_empty());
        }
        let entry = Entry { id, kind, schema, tag, owner, needs, span: None };
        let all = acts.len();
        acts.retain(|act| *act != Act::Rows(Relation::of(&entry)));
        Ok(TocEntry {
            entry,
            has_data,
            catalog,
            section,
            copy,
            offset,
            file,
            definition,
            stopped,
            fills_its_own: acts.len() < all,
            acts: acts.into_boxed_slice(),
            untrusted,
            tablespace,
        })
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Stop> {
        if self.at + count > LONGEST {
            return Err(Stop::Bad("an entry of more than 16 MiB in the table of contents".into()));
        }
        let taken = self.bytes.get(self.at..self.at + count).ok_or(Stop::More)?;
        self.at += count;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Stop> {
        Ok(self.take(1)?[0])
    }

    fn int(&mut self, sizes: Sizes) -> Result<i64, Stop> {
        int(self.take(1 + sizes.int)?)
    }

    /// A block's place: unknown, known, or no block at all.
    fn offset(&mut self, sizes: Sizes) -> Result<Option<u64>, Stop> {
        let bytes = self.take(1 + sizes.offset)?;
        match bytes[0] {
            1 | 3 => Ok(None),
            2 => Ok(Some(little_endian(&bytes[1..]))),
            other => Err(Stop::Bad(format!("an offset of the unknown kind {other}"))),
        }
    }

    /// The bytes of a string; none where the archive has a null.
    fn optional_text(&mut self, sizes: Sizes) -> Result<Option<&'a [u8]>, Stop> {
        match usize::try_from(self.int(sizes)?) {
            Ok(length) if length <= LONGEST => self.take(length).map(Some),
            Ok(length) => Err(Stop::Bad(format!("a string of {length} bytes in the table of contents"))),
            Err(_) => Ok(None),
        }
    }

    fn text(&mut self, sizes: Sizes) -> Result<Option<String>, Stop> {
        Ok(self.optional_text(sizes)?.map(|bytes| self.encoding.decode(bytes).into_owned()))
    }

    /// A number of the server's, which is written as text; 0 where there is none.
    fn number(&mut self, sizes: Sizes) -> Result<u32, Stop> {
        let text = self.optional_text(sizes)?.and_then(|digits| std::str::from_utf8(digits).ok());
        Ok(text.and_then(|digits| digits.parse().ok()).unwrap_or(0))
    }

    fn skip_text(&mut self, sizes: Sizes) -> Result<usize, Stop> {
        Ok(self.optional_text(sizes)?.map_or(0, <[u8]>::len))
    }
}

/// An integer as `WriteInt` has it: a byte for the sign, then its value, the lowest byte first.
pub fn int(bytes: &[u8]) -> Result<i64, Stop> {
    let value = i64::try_from(little_endian(&bytes[1..]));
    match (bytes[0], value) {
        (0, Ok(value)) => Ok(value),
        (1, Ok(value)) => Ok(-value),
        _ => Err(Stop::Bad("a number that can't be one".into())),
    }
}

/// Appends an integer as `WriteInt` does.
pub fn put_int(value: i64, sizes: Sizes, out: &mut Vec<u8>) {
    out.push(u8::from(value < 0));
    out.extend_from_slice(&value.unsigned_abs().to_le_bytes()[..sizes.int]);
}

/// Appends a text as `WriteStr` does; none is a null.
pub fn put_text(text: Option<&str>, sizes: Sizes, out: &mut Vec<u8>) {
    put_int(text.map_or(-1, |text| i64::try_from(text.len()).unwrap_or(i64::MAX)), sizes, out);
    out.extend_from_slice(text.unwrap_or_default().as_bytes());
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// Reads a `toc.dat` and shows each of its entries. [`Stop::More`] when it is cut off; an error of the file itself is
/// one of the outer result.
pub fn read_all(file: impl Read, mut see: impl FnMut(TocEntry)) -> io::Result<Result<Header, Stop>> {
    let mut units = Units { file, unread: Vec::new(), at: 0 };
    #[expect(clippy::redundant_closure_for_method_calls, reason = "the method itself is of one lifetime only")]
    let mut header = match units.next(|cursor| cursor.header())? {
        Ok(header) => header,
        stopped => return Ok(stopped),
    };
    for _ in 0..header.entries {
        match units.next(|cursor| cursor.entry(&header))? {
            Ok(entry) => {
                header.learn(&entry);
                see(entry);
            }
            Err(stop) => return Ok(Err(stop)),
        }
    }
    Ok(Ok(header))
}

/// A file, read as far as a unit needs it.
struct Units<R> {
    file: R,
    unread: Vec<u8>,
    /// What stands before this is read for good.
    at: usize,
}

impl<R: Read> Units<R> {
    fn next<T>(&mut self, unit: impl Fn(&mut Cursor<'_>) -> Result<T, Stop>) -> io::Result<Result<T, Stop>> {
        loop {
            let mut cursor = Cursor::new(&self.unread[self.at..]);
            match unit(&mut cursor) {
                Err(Stop::More) => {}
                Ok(read) => {
                    self.at += cursor.at;
                    return Ok(Ok(read));
                }
                stopped => return Ok(stopped),
            }
            self.unread.drain(..std::mem::take(&mut self.at));
            if (&mut self.file).take(READ as u64).read_to_end(&mut self.unread)? == 0 {
                return Ok(Err(Stop::More));
            }
        }
    }
}
