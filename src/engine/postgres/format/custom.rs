//! Reads the custom format as it passes by, and proves it complete.
//!
//! After the table of contents come blocks: a byte for the kind, the entry's number, and then chunks that each start
//! with their length, up to a length of zero. A block of large objects holds such runs of chunks, each after its
//! object's number, up to a number of zero (`pg_backup_custom.c`). An archive is whole when every entry that has data
//! had its block, and the file ends where a block ends; data that zlib compressed are read for its checksum.
//! `pg_restore --list` looks at none of this.
//!
//! At its end `pg_dump` goes back in a file and writes the table of contents again, now with the blocks' places. Newer
//! ones set `O_APPEND` on their stdout: then `pg_dump > FILE` leaves that copy behind the last block.
//!
//! A dump may come in lanes: the table of contents in the first, and in each of them whole blocks, that are read a piece
//! of this one, a piece of that one. Each lane has a place of its own ([`Walk`], offset); joined they are the dump.

use std::collections::HashMap;

use super::content::{Asked, Tables, describe, table_of};
use super::inflate::Inflate;
use super::large_objects::LargeObjects;
use super::rows::CopyText;
use super::toc::{self, Cursor, Header, Stop, TocEntry};
use crate::engine::{Content, DumpedTable, Format, Incomplete, Inspector, fingerprint_of_entries, too_many};
use crate::error::Result;

const DATA: u8 = 1;
const LARGE_OBJECTS: u8 = 3;

/// The reader of one archive.
#[derive(Default)]
pub struct Custom {
    /// Bytes that have been read for good.
    offset: u64,
    /// Why no more is read.
    broken: Option<Incomplete>,
    /// Bytes of the table of contents that make no whole unit yet.
    unread: Vec<u8>,
    header: Option<Header>,
    toc: Vec<TocEntry>,
    asked: Asked,
    tables: Tables,
    /// Entries whose block has not begun, by number.
    awaited: HashMap<i64, usize>,
    /// The size of the table of contents in bytes, with the number of its entries.
    toc_size: u64,
    walk: Walk,
    /// The lane that is read, whose place `offset` and `walk` are; and the places of the others.
    lane: usize,
    lanes: Vec<(u64, Walk)>,
    /// Entries whose blocks stand in other lanes than the first: where that begins is known at the end.
    elsewhere: Vec<(usize, usize)>,
    longest: u64,
}

/// Where in the blocks we are.
#[derive(Default)]
struct Walk {
    step: BlockStep,
    /// The first bytes of a number that was cut by the end of a read.
    number: [u8; 9],
    have: usize,
    /// The place in the table of contents of the entry whose block this is.
    entry: usize,
    table: Option<usize>,
    rows: Option<CopyText>,
    /// Of this block, or of this large object, where zlib compressed it.
    inflate: Option<Inflate>,
    in_objects: bool,
    objects: LargeObjects,
    /// Chunks are plain, or zlib's.
    readable: bool,
    /// Where the block starts.
    start: u64,
}

/// What comes next.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum BlockStep {
    #[default]
    Kind,
    Entry,
    Object,
    Length,
    Chunk(u64),
    /// The table of contents once more, with so many bytes left of it.
    Copy(u64),
}

impl Inspector for Custom {
    fn see(&mut self, bytes: &[u8]) {
        if self.broken.is_some() {
            return;
        }
        if self.in_blocks() {
            self.blocks(bytes);
            return;
        }
        self.unread.extend_from_slice(bytes);
        match self.contents() {
            Ok(()) => {
                let rest = std::mem::take(&mut self.unread);
                self.blocks(&rest);
            }
            Err(Stop::More) => {}
            Err(Stop::TooMany) => self.give_up(too_many(self.offset)),
            Err(Stop::Bad(what)) => self.fail(what),
        }
    }

    fn see_lane(&mut self, lane: usize, bytes: &[u8]) {
        self.turn_to(lane);
        if lane > 0 && !self.in_blocks() && self.broken.is_none() {
            self.fail("rows stand before its table of contents");
        }
        self.see(bytes);
    }

    fn position(&self) -> Option<(&DumpedTable, usize)> {
        let table = self.tables.get(self.walk.table?)?;
        Some((table, self.walk.rows.as_ref().map_or(0, |r| usize::try_from(r.so_far()).unwrap_or(usize::MAX))))
    }

    fn outline(&self) -> Option<Content> {
        let header = self.header.as_ref().filter(|_| self.in_blocks() && self.broken.is_none())?;
        let mut content =
            describe(Format::PG_CUSTOM, header, self.toc.clone(), self.asked.outline(), self.tables.clone());
        // Some blocks may have been seen already: where they stand is no part of the outline.
        content.entries.iter_mut().for_each(|entry| entry.span = None);
        Some(content)
    }

    fn outline_fingerprint(&self) -> Option<u64> {
        let is_known = self.header.is_some() && self.in_blocks() && self.broken.is_none();
        is_known.then(|| fingerprint_of_entries(self.toc.iter().map(|entry| &entry.entry)))
    }

    fn finish(mut self: Box<Self>) -> Result<Content, Incomplete> {
        for lane in 0..self.lanes.len().max(1) {
            self.turn_to(lane);
            if self.broken.is_none() {
                self.judge_the_end();
            }
        }
        if self.broken.is_none() {
            self.judge_the_whole();
        }
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        let Some(header) = self.header else {
            return Err(Incomplete::new("there is no header", 0));
        };
        let mut content = describe(Format::PG_CUSTOM, &header, self.toc, self.asked, self.tables);
        content.longest_statement = self.longest;
        let mut objects = self.walk.objects;
        self.lanes.iter().for_each(|(_, walk)| objects.add(&walk.objects));
        objects.tell(&mut content);
        Ok(content)
    }
}

impl Custom {
    /// Goes on in this lane, where it was left.
    fn turn_to(&mut self, lane: usize) {
        if lane == self.lane && lane < self.lanes.len().max(1) {
            return;
        }
        let most = lane.max(self.lane) + 1;
        self.lanes.resize_with(self.lanes.len().max(most), Default::default);
        self.lanes[self.lane] = (self.offset, std::mem::take(&mut self.walk));
        (self.offset, self.walk) = std::mem::take(&mut self.lanes[lane]);
        self.lane = lane;
    }

    fn fail(&mut self, what: impl Into<String>) {
        let mut what = what.into();
        if self.lane > 0 {
            what = format!("{what}, in its lane {}", self.lane);
        }
        self.give_up(Incomplete::new(what, self.offset));
    }

    fn give_up(&mut self, why: Incomplete) {
        self.broken = Some(why);
        self.unread = Vec::new();
    }

    fn in_blocks(&self) -> bool {
        self.header.as_ref().is_some_and(|h| usize::try_from(h.entries).is_ok_and(|all| all == self.toc.len()))
    }

    /// Reads as much of the table of contents as has come.
    fn contents(&mut self) -> Result<(), Stop> {
        let bytes = std::mem::take(&mut self.unread);
        let mut read = 0;
        let outcome = self.units(&bytes, &mut read);
        self.offset += read as u64;
        self.unread = bytes;
        self.unread.drain(..read);
        outcome
    }

    fn units(&mut self, bytes: &[u8], read: &mut usize) -> Result<(), Stop> {
        if self.header.is_none() {
            let mut cursor = Cursor::new(bytes);
            let header = cursor.header()?;
            *read = cursor.at();
            self.toc_size = 1 + header.sizes.int as u64;
            if !header.custom {
                return Err(Stop::Bad("this table of contents belongs to a directory or tar archive".into()));
            }
            self.header = Some(header);
        }
        let Some(mut header) = self.header.clone() else { return Err(Stop::More) };
        while !self.in_blocks() {
            let mut cursor = Cursor::new(&bytes[*read..]);
            let mut entry = cursor.entry(&header)?;
            if header.learn(&entry) {
                self.header = Some(header.clone());
            }
            self.asked.take(&mut entry);
            *read += cursor.at();
            self.toc_size += cursor.at() as u64;
            table_of(&mut self.tables, &entry.entry);
            if entry.has_data && self.awaited.insert(entry.entry.id, self.toc.len()).is_some() {
                return Err(Stop::Bad(format!("two entries have the number {}", entry.entry.id)));
            }
            self.toc.push(entry);
        }
        Ok(())
    }

    /// Reads blocks.
    fn blocks(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.broken.is_none() {
            if let BlockStep::Copy(left) = self.walk.step {
                let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                if here == 0 {
                    return self.fail("bytes after the copy of its table of contents");
                }
                self.offset += here as u64;
                self.walk.step = BlockStep::Copy(left - here as u64);
                bytes = &bytes[here..];
            } else if let BlockStep::Chunk(left) = self.walk.step {
                let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                let (chunk, rest) = bytes.split_at(here);
                if let Err(what) = self.walk.data(chunk) {
                    // How far into it they were read hangs on where the pipe cut.
                    self.offset = self.walk.start;
                    return self.fail(format!("{}: {what}", name(&self.toc[self.walk.entry])));
                }
                self.offset += here as u64;
                let left = left - here as u64;
                self.walk.step = if left == 0 { BlockStep::Length } else { BlockStep::Chunk(left) };
                bytes = rest;
            } else {
                bytes = self.number(bytes);
            }
        }
    }

    /// Takes the bytes of one number, and acts on it once they are all there. What is left of the bytes.
    fn number<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let int = self.header.as_ref().map_or(4, |h| h.sizes.int);
        let size = if self.walk.step == BlockStep::Kind { 1 } else { 1 + int };
        let here = (size - self.walk.have).min(bytes.len());
        let (part, rest) = bytes.split_at(here);
        self.walk.number[self.walk.have..self.walk.have + here].copy_from_slice(part);
        self.walk.have += here;
        if self.walk.have < size {
            return rest;
        }
        self.walk.have = 0;
        let number = self.walk.number;
        let acted = match self.walk.step {
            BlockStep::Kind => self.start_block(number[0]),
            step => toc::int(&number[..size])
                .map_err(|_| "a number that can't be one".to_owned())
                .and_then(|value| self.act(step, value)),
        };
        if let Err(what) = acted {
            self.fail(what);
        }
        self.offset += size as u64;
        rest
    }

    fn start_block(&mut self, kind: u8) -> Result<(), String> {
        match kind {
            DATA | LARGE_OBJECTS => {
                self.walk.in_objects = kind == LARGE_OBJECTS;
                self.walk.step = BlockStep::Entry;
                Ok(())
            }
            // The sign of the number that the table of contents begins with.
            0 if self.awaited.is_empty() && self.lane == 0 => {
                self.walk.step = BlockStep::Copy(self.toc_size - 1);
                Ok(())
            }
            other => Err(format!("a block of the unknown kind {other}, or bytes after the last block")),
        }
    }

    fn act(&mut self, step: BlockStep, value: i64) -> Result<(), String> {
        match (step, u64::try_from(value)) {
            (BlockStep::Entry, _) => self.start_entry(value),
            (BlockStep::Object, Ok(0)) => self.end_block(),
            (BlockStep::Length, Ok(0)) if !self.walk.in_objects => self.end_block(),
            (BlockStep::Object, Ok(_)) => {
                self.walk.objects.begin(&value.to_string());
                self.walk.inflate = self.zlib().then(Inflate::new);
                self.walk.step = BlockStep::Length;
                Ok(())
            }
            (BlockStep::Length, Ok(0)) => {
                self.end_of_data()?;
                self.walk.objects.end(self.walk.readable);
                self.walk.step = BlockStep::Object;
                Ok(())
            }
            (BlockStep::Length, Ok(length)) => {
                self.walk.step = BlockStep::Chunk(length);
                Ok(())
            }
            _ => Err(format!("a length of {value} bytes")),
        }
    }

    fn start_entry(&mut self, id: i64) -> Result<(), String> {
        let entry = self.awaited.remove(&id).ok_or_else(|| format!("data of an entry {id} that has none, or twice"))?;
        let described = &self.toc[entry];
        // The kind's byte came before the number's.
        let start = self.offset - 1;
        if described.offset.is_some_and(|o| o != start) {
            return Err(format!("the data of {} are not where the table of contents says", name(described)));
        }
        let zlib = self.zlib();
        let readable = zlib || self.header.as_ref().is_some_and(|h| h.compression == "none");
        self.walk.entry = entry;
        self.walk.start = start;
        self.walk.table = table_of(&mut self.tables, &described.entry);
        self.walk.rows = None;
        self.walk.readable = readable;
        self.walk.inflate = (zlib && !self.walk.in_objects).then(Inflate::new);
        if let (true, Some(statement), Some(table)) = (readable, &described.copy, self.walk.table) {
            self.tables.copied(table, statement);
            self.walk.rows = Some(CopyText::default());
        }
        self.walk.step = if self.walk.in_objects { BlockStep::Object } else { BlockStep::Length };
        Ok(())
    }

    /// Whether the data are zlib's.
    fn zlib(&self) -> bool {
        self.header.as_ref().is_some_and(|h| h.compression == "gzip")
    }

    /// The chunks of a block, or of a large object, end here.
    fn end_of_data(&mut self) -> Result<(), String> {
        let inflate = self.walk.inflate.take();
        let ended = inflate.map_or(Ok(()), |inflate| inflate.finish());
        ended.map_err(|what| format!("{}: {what}", name(&self.toc[self.walk.entry])))
    }

    fn end_block(&mut self) -> Result<(), String> {
        self.end_of_data()?;
        let entry = &mut self.toc[self.walk.entry];
        // The number that ends the block is not counted yet.
        let int = self.header.as_ref().map_or(4, |h| h.sizes.int);
        entry.entry.span = Some(self.walk.start..self.offset + 1 + int as u64);
        if self.lane > 0 {
            self.elsewhere.push((self.walk.entry, self.lane));
        }
        let table = self.walk.table.take();
        if let Some(rows) = self.walk.rows.take() {
            let (count, sum) = rows.finished().ok_or_else(|| format!("the rows of {} have no end", name(entry)))?;
            self.longest = self.longest.max(rows.longest());
            if let Some(table) = table {
                self.tables.count(table, count, sum);
            }
        }
        self.walk.step = BlockStep::Kind;
        Ok(())
    }

    fn judge_the_end(&mut self) {
        if !self.in_blocks() {
            self.offset += self.unread.len() as u64;
            let what = if self.offset == 0 { "it is empty" } else { "it ends inside its table of contents" };
            self.fail(what);
        } else if let BlockStep::Copy(left) = self.walk.step {
            if left > 0 {
                self.fail("it ends inside the copy of its table of contents");
            }
        } else if self.walk.step != BlockStep::Kind {
            let what = match self.toc.get(self.walk.entry) {
                Some(entry) if self.walk.step != BlockStep::Entry => {
                    format!("it ends inside the data of {}", name(entry))
                }
                _ => "it ends at the start of a block".to_owned(),
            };
            self.offset += self.walk.have as u64;
            self.fail(what);
        }
    }

    /// Every lane ended well: whether nothing is missing, and where in the whole the blocks of each stand.
    fn judge_the_whole(&mut self) {
        self.turn_to(0);
        if let Some(first) = self.awaited.values().min() {
            let (count, first) = (self.awaited.len(), name(&self.toc[*first]));
            self.fail(format!("the data of {count} of its entries are missing, the first of them {first}"));
        }
        let (mut starts, mut start) = (vec![0], self.offset);
        for (size, _) in self.lanes.iter().skip(1) {
            starts.push(start);
            start += size;
        }
        for (entry, lane) in &self.elsewhere {
            let span = &mut self.toc[*entry].entry.span;
            *span = span.take().map(|span| span.start + starts[*lane]..span.end + starts[*lane]);
        }
    }
}

impl Walk {
    /// Part of a chunk.
    fn data(&mut self, bytes: &[u8]) -> Result<(), String> {
        let mut see = |bytes: &[u8]| {
            if let Some(rows) = &mut self.rows {
                rows.see(bytes);
            } else if self.in_objects {
                self.objects.see(bytes);
            }
        };
        if let Some(inflate) = &mut self.inflate {
            return inflate.see(bytes, see);
        }
        see(bytes);
        Ok(())
    }
}

/// `table public.users`, `blobs`.
fn name(entry: &TocEntry) -> String {
    let entry = &entry.entry;
    let kind = entry.kind.strip_suffix(" DATA").unwrap_or(&entry.kind).to_lowercase();
    match &entry.schema {
        Some(schema) => format!("{kind} {schema}.{}", entry.tag),
        None if kind == entry.tag.to_lowercase() => kind,
        None => format!("{kind} {}", entry.tag),
    }
}
