//! Reads a plain SQL dump as it passes by: what it creates, how many rows it copies, and whether it is whole.
//!
//! A plain dump is whole when the comment that `pg_dump` writes last stands behind its last statement, and when every
//! `\restrict` was answered by its `\unrestrict`. Both are looked for where psql would see them: not among rows, not
//! within strings or function bodies.

use std::collections::BTreeMap;
use std::ops::Range;

use memchr::memchr;

mod seen;

use seen::Seen;

use super::content::{COMMAND, CONNECTS, ENCODING, ROLES, ROLES_OF_ENTRIES, Tables};
use super::encoding::Encoding;
use super::sections::Sections;
use super::untrusted::is_untrusted;
use crate::engine::Stretch;
use crate::engine::postgres::sql::commands::{
    CommandKind, Nesting, display_statement, escapes_after, is_statement, judge, mentions_strings, without_commands,
};
use crate::engine::postgres::sql::gate::{self, Judged, Reason};
use crate::engine::postgres::sql::lexer::Lexer;
use crate::engine::stray::{self, MARK, Stray};
use crate::engine::{Content, DumpedTable, Flavour, Format, Incomplete, Inspector, MAX_ENTRIES, RowSum, too_many};
use crate::error::Result;

/// The fact that says where the lines are that begin and end transactions.
const TRANSACTIONS: &str = "transactions";

/// The fact that says where `\restrict` and `\unrestrict` stand but for the first ones: a file may hold two dumps.
const RESTRICTIONS: &str = "restrictions";

/// As much of a line is kept as is ever looked at: COPY with 1,600 columns of the longest names fits.
const LONGEST_LINE: usize = 256 << 10;

/// As much of a statement is looked at for what an older server does not know.
const LONGEST_STATEMENT: usize = 4 << 20;

/// The reader of one script.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is about the line that is being read")]
pub struct Plain {
    offset: u64,
    /// The table whose rows pass by.
    copying: Option<Copying>,
    lexer: Lexer,
    nesting: Nesting,
    /// Where a zero byte stands: psql would lose what follows it.
    zero: Option<u64>,
    /// The line that is being read, from 1.
    number: u64,
    /// Statements that ended on it, and whether the last of them announced rows.
    ended: u64,
    announced: bool,
    /// The line so far, if it began outside of strings.
    line: Vec<u8>,
    inside: bool,
    /// Rows have passed by, and no statement since.
    behind_rows: bool,
    /// A semicolon came that did not end the statement.
    parted: bool,
    /// The line holds a psql command behind its start.
    commanded: bool,
    /// Where the line starts.
    line_start: u64,
    /// A statement is open: at the line's start, and now.
    open: [bool; 2],
    /// Within brackets or a body, at the line's start.
    nested: bool,
    /// The first line that is no SQL.
    stray: Option<Stray>,
    sections: Sections,
    statement: u64,
    /// The statement's text, as far as it is kept.
    sql: Vec<u8>,
    tables: Tables,
    seen: Seen,
    /// Where statements stand, and where the next begins, if anybody asks.
    bounds: Option<(Vec<Range<u64>>, u64)>,
}

/// The statements of a script, with the comments before each.
pub(in crate::engine) fn bounds(script: &[u8]) -> Vec<Stretch> {
    let mut plain = Plain { bounds: Some((Vec::new(), 0)), ..Plain::default() };
    plain.see(script);
    let at = |offset| usize::try_from(offset).unwrap_or(script.len());
    let ranges = plain.bounds.unwrap_or_default().0.into_iter();
    ranges.map(|range| Stretch { range: at(range.start)..at(range.end), is_statement: true }).collect()
}

struct Copying {
    table: usize,
    rows: u64,
    /// Bytes of the row so far, and the first of them.
    length: u64,
    head: [u8; SAID.len()],
    sum: RowSum,
}

/// How a line begins that pg_dump said.
const SAID: &[u8] = b"pg_dump: ";

impl Inspector for Plain {
    fn see(&mut self, mut bytes: &[u8]) {
        if let Some(rest) = bytes.strip_prefix(MARK).filter(|_| self.offset == 0) {
            self.offset = MARK.len() as u64;
            (self.line_start, bytes) = (self.offset, rest);
        }
        if self.zero.is_none() {
            self.zero = memchr(0, bytes).map(|at| self.offset + at as u64);
        }
        while !bytes.is_empty() && self.sections.count() <= *MAX_ENTRIES {
            let had_rows = self.copying.is_some();
            let rest = if had_rows { self.rows(bytes) } else { self.script(bytes) };
            self.offset += (bytes.len() - rest.len()) as u64;
            if let Some((_, start)) = self.bounds.as_mut().filter(|_| had_rows) {
                *start = self.offset;
            }
            bytes = rest;
        }
    }

    fn position(&self) -> Option<(&DumpedTable, usize)> {
        let copying = self.copying.as_ref()?;
        Some((self.tables.get(copying.table)?, usize::try_from(copying.rows).unwrap_or(usize::MAX)))
    }

    fn finish(mut self: Box<Self>) -> Result<Content, Incomplete> {
        let incomplete = |what: String, offset| Err(Incomplete::new(what, offset));
        if self.offset == 0 {
            return incomplete("it is empty".into(), 0);
        }
        if self.sections.count() > *MAX_ENTRIES {
            return Err(too_many(self.offset));
        }
        if let Some(at) = self.zero {
            return incomplete("it holds a zero byte, which no SQL of PostgreSQL's does".into(), at);
        }
        if let Some(stray) = self.stray.take() {
            return Err(Incomplete::stray(stray));
        }
        if let Some((table, rows)) = self.position() {
            let what = format!("it ends inside the rows of table {}, after {rows}", table.name);
            return incomplete(what, self.offset);
        }
        if !self.line.is_empty() {
            self.number += 1;
            self.end_of_line(self.offset);
        }
        if !self.lexer.outside() {
            return incomplete("it ends inside a string or a comment".into(), self.offset);
        }
        let missing = "the last line of a dump, \"PostgreSQL database dump complete\", is missing";
        let appended = self.seen.completed.filter(|_| !self.seen.complete);
        let appended = appended.map(|(line, offset)| Incomplete::appended(line, offset));
        if !self.nesting.is_flat() {
            // psql sends what is left, and nobody has judged it.
            return incomplete("it ends in the middle of a statement: a bracket or a body is open".into(), self.offset);
        }
        if !self.seen.complete && self.open[1] {
            return incomplete(format!("{missing}: it ends in the middle of a statement"), self.offset);
        }
        // pg_dump's comments are there, and so its last one should be.
        let commented = self.seen.headed || self.seen.client.is_some() || self.seen.objects > 0;
        if !self.seen.complete && appended.is_none() && (commented || self.seen.longest == 0) {
            return incomplete(missing.into(), self.offset);
        }
        if self.seen.restricted.is_some() {
            return incomplete("its \\restrict is never answered by the \\unrestrict".into(), self.offset);
        }
        let proved = self.seen.complete || appended.is_some();
        let unproven =
            (!proved).then(|| Incomplete::new(format!("{missing}, and pg_dump's comments are"), self.offset));
        Ok(Content { unproven, appended, ..self.content() })
    }
}

impl Plain {
    /// Rows, up to and including the line `\.`. What is left of the bytes.
    fn rows<'b>(&mut self, mut bytes: &'b [u8]) -> &'b [u8] {
        while let Some(copying) = &mut self.copying {
            let end = memchr(b'\n', bytes);
            let row = &bytes[..end.unwrap_or(bytes.len())];
            let started = usize::try_from(copying.length).unwrap_or(SAID.len()).min(SAID.len());
            for (place, byte) in copying.head[started..].iter_mut().zip(row) {
                *place = *byte;
            }
            copying.length += row.len() as u64;
            let Some(end) = end else {
                copying.sum.extend_row(row);
                return &[];
            };
            copying.sum.end(row);
            bytes = &bytes[end + 1..];
            self.number += 1;
            let ends = (copying.length == 2 && copying.head.starts_with(b"\\."))
                || (copying.length == 3 && copying.head.starts_with(b"\\.\r"));
            if ends {
                copying.sum.without(&copying.head[..if copying.length == 2 { 2 } else { 3 }]);
                self.tables.count(copying.table, copying.rows, copying.sum.sum());
                self.copying = None;
                self.behind_rows = true;
                break;
            }
            copying.rows += 1;
            if copying.head == SAID && copying.length >= SAID.len() as u64 {
                let line = format!("line {}: {}", self.number, display_statement(&String::from_utf8_lossy(row)));
                self.seen.odd_row.get_or_insert(line);
            }
            self.seen.longest = self.seen.longest.max(copying.length);
            copying.length = 0;
        }
        bytes
    }

    /// SQL, up to the line that starts COPY. What is left of the bytes.
    fn script<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        for (at, &byte) in bytes.iter().enumerate() {
            self.lexer.see(byte);
            self.statement += 1;
            if self.sql.len() < LONGEST_STATEMENT {
                self.sql.push(byte);
            }
            let in_statement = self.lexer.in_statement();
            if in_statement && byte == b';' {
                self.judge();
            }
            self.nesting.see(in_statement.then_some(byte));
            self.number += u64::from(byte == b'\n');
            // The line of COPY goes on behind a name with a newline in it.
            if byte == b'\n' && (self.inside || !self.lexer.in_name()) {
                self.end_of_line(self.offset + at as u64 + 1);
                if self.copying.is_some() {
                    return &bytes[at + 1..];
                }
            } else if !self.inside && self.line.len() < LONGEST_LINE {
                self.line.push(byte);
            }
            if in_statement {
                self.open[1] = byte != b';' && (self.open[1] || !byte.is_ascii_whitespace());
                match byte {
                    b';' => {
                        self.seen.longest = self.seen.longest.max(self.statement);
                        self.statement = 0;
                        if self.nesting.is_flat() {
                            self.end_of_statement(self.offset + at as u64 + 1);
                            self.seen.whole(&self.sql);
                            self.sql.clear();
                        }
                    }
                    // psql takes its own commands anywhere in a statement.
                    b'\\' => self.commanded |= self.inside || self.line.len() > 1,
                    _ => {}
                }
            }
        }
        &[]
    }

    fn end_of_statement(&mut self, end: u64) {
        if let Some((stretches, start)) = &mut self.bounds {
            stretches.push(std::mem::replace(start, end)..end);
        }
    }

    /// A statement is about to end: is it one of a dump's own, and do rows follow?
    fn judge(&mut self) {
        self.ended += 1;
        let whole = self.sql.len() < LONGEST_STATEMENT;
        let sql = self.seen.text(&self.sql);
        let kind = judge(self.nesting.first(), &sql, whole);
        self.announced = kind == CommandKind::Rows;
        // What is inside of strings and bodies may be of any length.
        let sent = self.nesting.ends();
        let is_parted = std::mem::replace(&mut self.parted, !sent);
        let kind = if is_parted && mentions_strings(&sql) { CommandKind::Odd } else { kind };
        if self.nesting.first() == b"set"
            && let Some(escapes) = escapes_after(&sql)
        {
            self.lexer.escapes = escapes;
        }
        let cut = !whole && (is_parted || ![&b"create"[..], b"comment", b"select"].contains(&self.nesting.first()));
        // psql 17 and 18 take what follows an empty statement behind rows for more rows.
        let odd = cut || std::mem::take(&mut self.behind_rows) && gate::begins_empty(&sql);
        // psql sends none at a semicolon within brackets or a body.
        let judged = if sent && !cut { gate::judge_all(without_commands(&sql)) } else { Judged::default() };
        let reason = if odd { Some(Reason::Unknown) } else { judged.reason };
        let place = || format!("line {}: {}", self.number + 1, display_statement(&sql));
        if self.nesting.first() == b"create" && is_untrusted(&sql) {
            let place = place();
            self.seen.untrusted.add(&place);
        }
        for act in judged.acts {
            self.seen.relations.note(act, place, &mut self.seen.stopped);
        }
        match (kind, reason) {
            (CommandKind::Odd, _) => self.seen.command = self.seen.command.take().or_else(|| Some(place())),
            (_, Some(reason)) => {
                let place = place();
                self.seen.stopped.add(&place, reason);
            }
            _ => {}
        }
    }

    /// Something that psql would obey, or might, on the line that has just ended.
    fn suspect(&mut self, what: &str) {
        let place = format!("line {}: {}", self.number, display_statement(what));
        if connects(what) {
            self.seen.connects.get_or_insert_with(|| place.clone());
        }
        self.seen.command.get_or_insert(place);
    }

    /// A line has ended, and the next one starts at this offset.
    fn end_of_line(&mut self, next: u64) {
        let start = std::mem::replace(&mut self.line_start, next);
        let between = !self.open[0];
        let inside = std::mem::replace(&mut self.inside, !self.lexer.outside());
        let nested = std::mem::replace(&mut self.nested, !self.nesting.is_flat());
        let line = std::mem::take(&mut self.line);
        let text = self.seen.text(&line);
        let text = text.trim_end();
        let (announced, alone) = (std::mem::take(&mut self.announced), std::mem::take(&mut self.ended) == 1);
        if std::mem::take(&mut self.commanded) {
            self.suspect(if inside { "a command behind the end of a string" } else { text });
        }
        if self.lexer.doubtful {
            self.suspect("quotes or dollar signs that not every psql reads in the same way");
        }
        if inside {
            if announced {
                self.suspect("COPY behind the end of a string");
            }
            self.open[0] = self.open[1];
            return;
        }
        // The first byte of a comment looked like one of a statement.
        if between && (text.starts_with("--") || text.starts_with('\\')) {
            self.open[1] = false;
        }
        self.open[0] = self.open[1];
        self.sections.line(text, start, between);
        let place = start..start + text.len() as u64;
        if text.starts_with('\\') && !(between && self.seen.command(text, place.clone())) {
            self.suspect(text);
        }
        if between {
            self.seen.tablespaces.line(text, place.clone());
            self.seen.transaction(text, place);
        }
        if between && !nested && !is_statement(text) {
            self.stray.get_or_insert_with(|| Stray::at(text.as_bytes(), self.number, start));
        }
        self.seen.section = self.sections.count();
        let found = self.seen.line(text, &mut self.tables);
        if self.seen.complete && self.seen.restricted.is_none() {
            self.seen.completed = Some((self.number + 1, next));
        }
        match (found, announced) {
            (Some(table), true) if between && alone && self.nesting.is_flat() => {
                self.copying =
                    Some(Copying { table, rows: 0, length: 0, head: [0; SAID.len()], sum: RowSum::default() });
                self.statement = 0;
                self.sql.clear();
            }
            (None, false) => {}
            // Rows for us and SQL for psql, or the other way round.
            _ => self.suspect(text),
        }
        if let Some(name) = Encoding::announced(text) {
            self.seen.encoding = Some(name.to_owned());
        }
        self.line = line;
        self.line.clear();
    }

    fn content(self: Box<Self>) -> Content {
        let entries = self.sections.finish(self.offset);
        let mut seen = self.seen;
        seen.relations.judge(&mut seen.stopped);
        let mut facts = BTreeMap::new();
        if seen.was_restricted {
            facts.insert("psql.restricted".to_owned(), "true".to_owned());
        }
        if !seen.transactions.is_empty() {
            let is_odd = seen.odd_transactions || !seen.transactions.len().is_multiple_of(2);
            facts.insert(TRANSACTIONS.to_owned(), if is_odd { String::new() } else { joined(&seen.transactions) });
        }
        facts.extend(seen.tablespaces.facts());
        if !seen.restrictions.is_empty() {
            facts.insert(RESTRICTIONS.to_owned(), joined(&seen.restrictions));
        }
        if !seen.roles.is_empty() {
            facts.insert(ROLES.to_owned(), seen.roles.into_iter().collect::<Vec<_>>().join("\0"));
            let of_sections = seen.roles_of_sections.iter().map(|(id, role)| format!("{id}\t{role}"));
            facts.insert(ROLES_OF_ENTRIES.to_owned(), of_sections.collect::<Vec<_>>().join("\0"));
        }
        let found =
            [(stray::ROW, seen.odd_row), (COMMAND, seen.command), (CONNECTS, seen.connects), (ENCODING, seen.encoding)];
        facts.extend(seen.stopped.facts());
        facts.extend(seen.untrusted.facts());
        facts.extend(found.into_iter().filter_map(|(fact, found)| Some((fact.to_owned(), found?))));
        let mut content = Content {
            tables: self.tables.into_list(|_| seen.inserts),
            objects: seen.objects,
            source_version: seen.source,
            source_flavour: Some(Flavour::POSTGRES),
            client_version: seen.client,
            extensions: seen.extensions,
            schemas: seen.schemas,
            longest_statement: seen.longest,
            facts,
            entries,
            ..Content::new(Format::PG_PLAIN)
        };
        seen.large_objects.tell(&mut content);
        seen.asked.tell(&mut content);
        content
    }
}

/// Whether a line holds psql's `\connect`, in any of its spellings: a command's name ends at a blank or at the next backslash.
fn connects(line: &str) -> bool {
    let commands = line.split('\\').skip(1);
    let mut names = commands.map(|command| command.split(char::is_whitespace).next().unwrap_or_default());
    names.any(|name| name == "c" || name.starts_with("connect"))
}

/// The lines of a script that begin and end transactions; none where they are not in turns.
pub fn transactions(content: &Content) -> Option<Vec<Range<u64>>> {
    content.facts.get(TRANSACTIONS).map_or_else(|| Some(Vec::new()), |lines| divided(lines))
}

/// The lines that begin and end restrictions behind the first, which ours takes the place of.
pub fn restrictions(content: &Content) -> Vec<Range<u64>> {
    content.facts.get(RESTRICTIONS).and_then(|lines| divided(lines)).unwrap_or_default()
}

/// Places in the script, as a fact.
pub fn joined(places: &[Range<u64>]) -> String {
    places.iter().map(|place| format!("{}-{}", place.start, place.end)).collect::<Vec<_>>().join(" ")
}

pub fn divided(places: &str) -> Option<Vec<Range<u64>>> {
    let place = |text: &str| text.split_once('-').and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    places.split(' ').map(place).collect()
}

#[cfg(test)]
mod tests;
