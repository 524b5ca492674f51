//! One dump out of what several `pg_dump`s write at once.
//!
//! ```text
//! main    ── table of contents ─┐                          ┌─▶ lane 1: its blocks, as they are
//! others  ── table of contents ─┼─▶ lane 0: one table of ──┤
//!            (rows alone)       ┘   contents, of all       └─▶ lane 2 and so on: their blocks, with new numbers
//! ```
//!
//! Joined, the lanes are what one `pg_dump -Fc` writes into a pipe. The main one's entries stand as they are, with the
//! others' `TABLE DATA` behind its own data, in the order in which their blocks follow: `pg_restore` reads a pipe in that
//! order only. Numbers are one `pg_dump`'s own, so the others' get new ones, above all of the main one's, and need the
//! main one's table. Numbers take as many bytes as before: blocks are rewritten where they stand.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{self, Read};
use std::ops::Range;

use super::snapshot::Shared;
use crate::engine::postgres::format::toc::{self, Cursor, Header, Sizes, Stop, put_int, put_text};
use crate::engine::too_many;

const DATA: u8 = 1;
/// The section of an entry that stands between definitions and what is built on data.
const DATA_SECTION: i64 = 3;
/// `pg_class`, whose number is the same everywhere.
const RELATIONS: u32 = 1259;

/// What was given to whom.
#[derive(Clone, Debug)]
pub struct TocMerger {
    /// The tables of each command but the main one, which is the first.
    given: Vec<Vec<Shared>>,
}

/// One command's table of contents, as far as it has come.
#[derive(Default)]
pub struct PartialToc {
    main: bool,
    /// The tables that matter here.
    wanted: HashSet<u32>,
    bytes: Vec<u8>,
    /// What was read of them.
    at: usize,
    header: Option<Header>,
    /// Where the number of entries ends.
    header_end: usize,
    entries: i64,
    highest: i64,
    /// Where the last entry of data ends, or the last one before what is built on data.
    data_end: usize,
    tables: HashMap<u32, i64>,
    rows: Vec<RowsEntry>,
}

/// An entry for a table's rows.
struct RowsEntry {
    oid: u32,
    id: i64,
    at: Range<usize>,
    needs: Range<usize>,
}

/// The table of contents of all.
pub struct MergedToc {
    main: Vec<u8>,
    others: Vec<u8>,
    /// Where the others' stand in the main one's.
    at: usize,
}

/// What follows a table of contents: one command's blocks.
pub struct DataBlocks {
    /// What was read already.
    begun: VecDeque<u8>,
    sizes: Sizes,
    /// The numbers of the blocks in their order, old and new; none where they stay as they are.
    numbers: Option<VecDeque<(i64, i64)>>,
    step: MergeStep,
}

enum MergeStep {
    Kind,
    Number { old: Vec<u8>, new: Vec<u8>, at: usize },
    Length(Vec<u8>),
    Chunk(u64),
}

impl TocMerger {
    /// For a main command and so many others, with their tables.
    #[must_use]
    pub fn new(given: Vec<Vec<Shared>>) -> Self {
        Self { given }
    }

    /// How many commands there are.
    #[must_use]
    pub fn commands(&self) -> usize {
        self.given.len() + 1
    }

    /// Takes each command's output, in their order.
    #[must_use]
    pub fn heads(&self) -> Vec<PartialToc> {
        let oids = |tables: &[Shared]| tables.iter().map(|table| table.oid).collect();
        let main = PartialToc { main: true, wanted: oids(&self.given.concat()), ..PartialToc::default() };
        let others = self.given.iter().map(|tables| PartialToc { wanted: oids(tables), ..PartialToc::default() });
        std::iter::once(main).chain(others).collect()
    }

    /// Makes one table of contents, once all have come. An error says what does not fit together.
    pub fn join(&self, heads: Vec<PartialToc>) -> Result<(MergedToc, Vec<DataBlocks>), String> {
        let mut heads = heads.into_iter();
        let (mut main, header) = heads.next().and_then(PartialToc::whole).ok_or("there is no table of contents")?;
        let main_body = main.body(&header, None);
        let (mut bodies, mut next, mut others) = (vec![main_body], main.highest, Vec::new());
        for (tables, head) in self.given.iter().zip(heads) {
            let (mut head, theirs) = head.whole().ok_or("a table of contents is missing")?;
            if (theirs.version, theirs.sizes, theirs.compression) != (header.version, header.sizes, header.compression)
            {
                return Err("they write different forms of archives".into());
            }
            let mut rows: HashMap<_, _> = head.rows.iter().map(|rows| (rows.oid, rows)).collect();
            if rows.len() < head.rows.len() {
                return Err("one dumps the rows of a table twice".into());
            }
            for table in tables {
                let name = || format!("{}.{}", table.schema, table.name);
                rows.remove(&table.oid).ok_or_else(|| format!("the rows of table {} are missing", name()))?;
                if main.rows.iter().any(|rows| rows.oid == table.oid) {
                    return Err(format!("two of them dump the rows of table {}", name()));
                }
                if !main.tables.contains_key(&table.oid) {
                    return Err(format!("the definition of table {} is missing", name()));
                }
            }
            let mut numbers = VecDeque::new();
            for rows in &head.rows {
                next += 1;
                numbers.push_back((rows.id, next));
                put_int(next, header.sizes, &mut others);
                others.extend_from_slice(&head.bytes[rows.at.start + 1 + header.sizes.int..rows.needs.start]);
                put_text(Some(&main.tables[&rows.oid].to_string()), header.sizes, &mut others);
                put_text(None, header.sizes, &mut others);
                others.extend_from_slice(&head.bytes[rows.needs.end..rows.at.end]);
                main.entries += 1;
            }
            bodies.push(head.body(&theirs, Some(numbers)));
        }
        let mut count = Vec::new();
        put_int(main.entries, header.sizes, &mut count);
        main.bytes[main.header_end - count.len()..main.header_end].copy_from_slice(&count);
        Ok((MergedToc { main: main.bytes, others, at: main.data_end }, bodies))
    }
}

impl PartialToc {
    /// Takes the next bytes. True once the whole table of contents has come; an error says why it can't be one.
    pub fn see(&mut self, bytes: &[u8]) -> Result<bool, String> {
        self.bytes.extend_from_slice(bytes);
        loop {
            match self.unit() {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(Stop::More) => return Ok(false),
                Err(Stop::TooMany) => return Err(too_many(0).what),
                Err(Stop::Bad(what)) => return Err(what),
            }
        }
    }

    /// Reads the header, or one entry. True when there is no more.
    fn unit(&mut self) -> Result<bool, Stop> {
        let mut cursor = Cursor::new(&self.bytes[self.at..]);
        let Some(header) = &self.header else {
            let header = cursor.header()?;
            self.at = cursor.at();
            (self.header_end, self.data_end) = (self.at, self.at);
            self.header = Some(header);
            return Ok(false);
        };
        if self.entries == header.entries {
            return Ok(true);
        }
        let entry = cursor.entry(header)?;
        let (start, end) = (self.at, self.at + cursor.at());
        let needs = cursor.needs();
        let ours = self.wanted.contains(&entry.catalog.1);
        match entry.entry.kind.as_str() {
            "TABLE DATA" if ours && entry.has_data => {
                let needs = start + needs.start..start + needs.end;
                self.rows.push(RowsEntry { oid: entry.catalog.1, id: entry.entry.id, at: start..end, needs });
            }
            "TABLE" if ours && entry.catalog.0 == RELATIONS => {
                self.tables.insert(entry.catalog.1, entry.entry.id);
            }
            kind if entry.has_data && !self.main => {
                return Err(Stop::Bad(format!("{kind} {}: nobody asked this command for it", entry.entry.tag)));
            }
            _ => {}
        }
        if entry.section == DATA_SECTION || entry.section < DATA_SECTION && self.data_end == start {
            self.data_end = end;
        }
        self.highest = self.highest.max(entry.entry.id);
        self.entries += 1;
        self.at = end;
        Ok(false)
    }

    fn whole(self) -> Option<(Self, Header)> {
        let header = self.header.clone().filter(|header| header.entries == self.entries)?;
        Some((self, header))
    }

    /// The blocks that follow; what has come of them is taken away from here.
    fn body(&mut self, header: &Header, numbers: Option<VecDeque<(i64, i64)>>) -> DataBlocks {
        DataBlocks { begun: self.bytes.split_off(self.at).into(), sizes: header.sizes, numbers, step: MergeStep::Kind }
    }
}

impl MergedToc {
    /// Its bytes.
    #[must_use]
    pub fn read(&self) -> impl Read {
        let (before, behind) = self.main.split_at(self.at);
        before.chain(self.others.as_slice()).chain(behind)
    }
}

impl DataBlocks {
    /// Reads the blocks from the rest of the command's output.
    pub fn of<R: Read>(self, output: R) -> impl Read {
        Renumbered { body: self, output }
    }

    /// Puts the new numbers in the places of the old ones.
    fn rewrite(&mut self, mut bytes: &mut [u8]) -> Result<(), String> {
        let Some(numbers) = &mut self.numbers else { return Ok(()) };
        while let Some((first, rest)) = bytes.split_first_mut() {
            match &mut self.step {
                MergeStep::Chunk(left) => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len() + 1);
                    *left -= here as u64;
                    if *left == 0 {
                        self.step = MergeStep::Length(Vec::new());
                    }
                    bytes = &mut rest[here - 1..];
                    continue;
                }
                MergeStep::Kind if *first == DATA => {
                    let (old, new) = numbers.pop_front().ok_or("there are more blocks of rows than tables")?;
                    let bytes = |number| {
                        let mut bytes = Vec::new();
                        put_int(number, self.sizes, &mut bytes);
                        bytes
                    };
                    self.step = MergeStep::Number { old: bytes(old), new: bytes(new), at: 0 };
                }
                MergeStep::Kind => return Err(format!("a block of the kind {first}, where only rows are expected")),
                MergeStep::Number { old, new, at } => {
                    if *first != old[*at] {
                        return Err("the blocks are not in the order of the table of contents".into());
                    }
                    *first = new[*at];
                    *at += 1;
                    if *at == new.len() {
                        self.step = MergeStep::Length(Vec::new());
                    }
                }
                MergeStep::Length(number) => {
                    number.push(*first);
                    if number.len() == 1 + self.sizes.int {
                        self.step = match toc::int(number).map(u64::try_from) {
                            Ok(Ok(0)) => MergeStep::Kind,
                            Ok(Ok(length)) => MergeStep::Chunk(length),
                            _ => return Err("a length that can't be one".into()),
                        };
                    }
                }
            }
            bytes = rest;
        }
        Ok(())
    }
}

struct Renumbered<R> {
    body: DataBlocks,
    output: R,
}

impl<R: Read> Read for Renumbered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = self.body.begun.read(buffer)?;
        if read == 0 {
            self.body.begun = VecDeque::new();
            read = self.output.read(buffer)?;
        }
        self.body.rewrite(&mut buffer[..read]).map_err(io::Error::other)?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
