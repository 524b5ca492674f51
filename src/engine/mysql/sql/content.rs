//! Reads a dump of mysqldump or mariadb-dump as it passes by: what is in it, and whether it is whole.
//!
//! A dump is whole when its last line is the trailer `-- Dump completed ...`, standing outside of every statement.
//! Several dumps in a row (see `dump`) are whole when each of them is.

use std::collections::{BTreeMap, BTreeSet};

use super::definition;
use super::doubts::is_doubtful_comment;
use super::exporter::{self, Exporter};
use super::gate::{self, CHARACTER_SET, Found, Gate, Reason};
use super::lexer::{LONGEST_DELIMITER, Syntax};
use super::splitter::{Between, ScriptEnd, Splitter, Visitor};
use super::statement::{self, Object, SpannedToken, StatementInfo, Verb};
use crate::engine::mysql::features;
use crate::engine::mysql::probe::probe_keys::JOIN;
use crate::engine::mysql::restore::columns::RowColumns;
use crate::engine::mysql::restore::early::Order;
use crate::engine::mysql::restore::foreign_keys::Keys;
use crate::engine::stray::{self, FoundAt, Stray, Watch};
use crate::engine::{
    Content, Defined, DumpedTable, EXPORTER, Entry, Feature, Flavour, Format, GENERATED_VALUES, Incomplete, Inspector,
    MAX_ENTRIES, Version, too_many,
};

mod created;
mod definitions;
pub(crate) mod fact;

/// The form of what begins like this, where it shows that it is MySQL's: mysqldump and mariadb-dump begin with their names or
/// a conditional comment, and quote with backticks, which PostgreSQL doesn't know.
pub fn recognise(beginning: &[u8]) -> Option<Format> {
    let marks = ["-- MySQL dump", "-- MariaDB dump", "-- Dump created by", "/*!", "/*M!", "`"];
    let text = String::from_utf8_lossy(beginning);
    marks.iter().any(|mark| text.contains(mark)).then_some(Format::MYSQL_SQL)
}

/// The reader of one dump.
#[derive(Clone)]
pub(crate) struct Reader {
    splitter: Splitter,
    seen: Seen,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self { splitter: Splitter::new(), seen: Seen::default() }
    }
}

impl Inspector for Reader {
    fn see(&mut self, bytes: &[u8]) {
        if self.seen.entries.len() > *MAX_ENTRIES {
            return;
        }
        self.splitter.push(bytes, &mut self.seen);
    }

    fn position(&self) -> Option<(&DumpedTable, usize)> {
        let index = self.seen.current?;
        let table = self.seen.tables.get(index)?;
        Some((table, usize::try_from(table.rows.unwrap_or(0)).unwrap_or(usize::MAX)))
    }

    fn finish(mut self: Box<Self>) -> Result<Content, Incomplete> {
        if self.seen.entries.len() > *MAX_ENTRIES {
            return Err(too_many(self.splitter.offset()));
        }
        let ending = self.splitter.finish(&mut self.seen);
        if let Some(stray) = self.seen.stray.take() {
            return Err(exporter::broken_off(&stray).unwrap_or_else(|| Incomplete::stray(stray)));
        }
        let end = self.splitter.offset();
        let incomplete = |what: &str, offset| Err(Incomplete::new(what, offset));
        match ending {
            ScriptEnd::Inside { start, quoted: true } if self.seen.is_hidden() => {
                return incomplete(
                    "its character set (big5, cp932, gbk, gb18030, sjis) hides where strings end: a dump made with \
                     --default-character-set=utf8mb4 is read. In the middle of a string ends the statement that starts",
                    start,
                );
            }
            ScriptEnd::Inside { start, quoted: true } => {
                return incomplete(
                    "the dump ends in the middle of a string or comment of the statement that starts",
                    start,
                );
            }
            ScriptEnd::Inside { start, quoted: false } => {
                return incomplete("the dump ends in the middle of the statement that starts", start);
            }
            ScriptEnd::Clean => {}
        }
        let appended = self.seen.completed.filter(|_| self.seen.headers == 0 && self.seen.trailer == Trailer::Open);
        let appended = appended.map(|(line, offset)| Incomplete::appended(line, offset));
        match self.seen.trailer {
            _ if end == 0 => incomplete("the dump is empty", 0),
            Trailer::Last => Ok(self.seen.into_content()),
            Trailer::Open if appended.is_some() => Ok(Content { appended, ..self.seen.into_content() }),
            Trailer::Open if self.seen.headers == 0 && self.seen.statements > 0 => {
                if let Some(what) = self.seen.exporter.cut(self.seen.gate.settings()) {
                    return incomplete(&what, end);
                }
                let unproven = Some(Incomplete::new(self.seen.exporter.unproven(), end));
                Ok(Content { unproven, ..self.seen.into_content() })
            }
            Trailer::Cut(at) => incomplete("the dump ends in the middle of its last line \"-- Dump completed\"", at),
            Trailer::Missing(at) => {
                incomplete("a second dump begins before the first one's last line \"-- Dump completed\"", at)
            }
            Trailer::Open => incomplete(
                "the last line \"-- Dump completed\" is missing: the dump was cut off, or made with --skip-comments or \
                 --compact, which leave no proof that it is whole (make it again without them)",
                end,
            ),
        }
    }
}

/// Where the trailer stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Trailer {
    /// Not seen, or followed by something.
    #[default]
    Open,
    /// The last thing that was seen.
    Last,
    /// Seen without the end of its line.
    Cut(u64),
    /// A second dump began at this offset before the first had ended.
    Missing(u64),
}

/// Everything seen so far.
#[derive(Clone, Default)]
struct Seen {
    offset: u64,
    /// Bytes of the statements that try tables.
    trial_bytes: usize,
    trailer: Trailer,
    headers: u64,
    statements: u64,
    /// The line behind the last trailer.
    completed: Option<(u64, u64)>,
    exporter: Exporter,
    flavour: Option<Flavour>,
    client: Option<String>,
    server: Option<String>,
    tables: Vec<DumpedTable>,
    by_name: BTreeMap<String, usize>,
    /// The table whose rows are passing by.
    current: Option<usize>,
    /// The statement that is passing by has rows.
    inserting: bool,
    named: BTreeSet<(&'static str, String)>,
    /// Where the statements about each table and view stand, from the first to the last.
    entries: Vec<Entry>,
    entry_of: BTreeMap<String, usize>,
    /// The one that statements are about now.
    about: Option<usize>,
    definers: u64,
    gtid: u64,
    collations: BTreeSet<String>,
    /// The database that the dump is of, as its first lines say.
    database: Option<String>,
    definitions: BTreeMap<String, Defined>,
    /// A table's `AUTO_INCREMENT` has come so far already.
    counts: bool,
    order: Order,
    row_columns: RowColumns,
    /// The dump says which SQL mode it wants.
    sets_mode: bool,
    floats: BTreeSet<String>,
    features: BTreeSet<Feature>,
    keys: Keys,
    /// Names of check constraints, with the table that had each first.
    checks: BTreeMap<String, String>,
    longest: u64,
    /// Lines that have ended.
    lines: u64,
    /// The first line that is no SQL, and where more of them may stand.
    stray: Option<Stray>,
    watch: Watch,
    gate: Gate,
    /// What the gate stops: the first twenty, and how many.
    stopped: (Vec<String>, u64),
    elsewhere: BTreeMap<String, String>,
    /// What rows come into or go from, each with the first line of it.
    filled: BTreeMap<String, String>,
    /// The statement that is passing by: as a message shows it, and whether what follows its head may be anything.
    judged: (String, bool),
}

impl Visitor for Seen {
    fn between(&mut self, what: Between, bytes: &[u8]) {
        self.count_lines(bytes);
        match what {
            Between::Comment => {
                self.comment(bytes);
                self.judge_comment(bytes, is_doubtful_comment(bytes, &Syntax::new()));
            }
            Between::Delimiter => self.something(),
            // It is too long to be looked at as a whole.
            Between::More => self.judge_comment(b"/*", memchr::memmem::find(bytes, b"/*").is_some()),
            Between::Blank | Between::Sandbox | Between::Mark => {}
        }
        self.offset += bytes.len() as u64;
    }

    fn head(&mut self, head: &[u8], syntax: &Syntax) {
        self.something();
        self.statements += 1;
        self.inserting = false;
        self.judge(head, syntax);
        let subject = statement::subject(head, syntax);
        self.stray_head(&subject, head, syntax);
        self.count_lines(head);
        self.place(&subject);
        self.order.see(&subject, head);
        match (subject.verb, subject.object) {
            (Verb::Insert, _) => {
                if let Some(table) = &subject.name {
                    self.row_columns.insert(table, &subject, head, syntax);
                }
                self.insert(subject.name);
            }
            (Verb::Create, Object::Table) => self.table(&subject, head, syntax),
            (Verb::Create, _) => self.create(&subject, head, syntax),
            (Verb::Alter, Object::Table) if !statement::switches_keys(head, syntax) => {
                self.alter(subject.name.as_ref());
            }
            (Verb::Drop, Object::Table) => self.dropped(subject.name.as_ref()),
            (Verb::Use, _) => {
                self.database.clone_from(&subject.name);
                self.note(fact::DATABASES, subject.name);
            }
            (Verb::Set, _) => self.set(head, syntax),
            (Verb::Other, _) => {
                let value = definition::sequence_value(head, syntax);
                self.definitions.extend(value.map(|(name, text)| (name, Defined { text, owner: None })));
            }
            _ => {}
        }
        self.offset += head.len() as u64;
    }

    fn more(&mut self, bytes: &[u8]) {
        self.stray_rows(bytes);
        if !self.judged.1 && bytes.len() > LONGEST_DELIMITER {
            self.stop(Reason::Unclear);
        }
        self.count_lines(bytes);
        self.offset += bytes.len() as u64;
    }

    fn rows(&mut self, count: u64, sum: u64) {
        if let Some(table) = self.current.filter(|_| self.inserting).and_then(|i| self.tables.get_mut(i)) {
            *table.rows.get_or_insert(0) += count;
            table.checksum = Some(table.checksum.unwrap_or(0).wrapping_add(sum));
        }
    }

    fn called(&mut self, function: &[u8]) {
        if !gate::rows_may_call(function) {
            self.stop(match function {
                gate::VERSIONED => Reason::Unclear,
                _ if function.eq_ignore_ascii_case(b"load_file") => Reason::Files,
                _ => Reason::Runs,
            });
        }
    }

    fn end(&mut self, length: u64) {
        self.longest = self.longest.max(length);
    }
}

impl Seen {
    /// Whether a statement is one of a dump's own for its database.
    fn judge(&mut self, head: &[u8], syntax: &Syntax) {
        let Found { reason, databases, sequences, has_body, fills } = self.gate.judge(head, syntax);
        let is_insert = head.trim_ascii_end().len() >= 5 && gate::has_rows(head, syntax);
        self.judged = (format!("line {}: {}", self.lines + 1, gate::display_beginning(head)), has_body || is_insert);
        if let Some(reason) = reason {
            self.stop(reason);
        }
        if let Some(table) = fills.filter(|table| !self.filled.contains_key(table)) {
            self.filled.insert(table, self.judged.0.clone());
        }
        // The dump's own name is taken out where a sequence is called: see `own_name`.
        let sequences = sequences.into_iter().filter(|database| self.database.as_ref() != Some(database));
        for database in databases.into_iter().chain(sequences) {
            self.elsewhere.entry(database).or_insert_with(|| self.judged.0.clone());
        }
    }

    /// A statement was stopped because its character set hides where strings end.
    fn is_hidden(&self) -> bool {
        self.stopped.0.iter().any(|place| place.contains(CHARACTER_SET))
    }

    /// A comment between two statements, which not everybody may take for one.
    fn judge_comment(&mut self, bytes: &[u8], is_doubtful: bool) {
        if bytes.starts_with(b"/*") && (bytes.starts_with(b"/*+") || is_doubtful) {
            self.judged = (format!("line {}: {}", self.lines + 1, gate::display_beginning(bytes)), true);
            self.stop(Reason::Unclear);
        }
    }

    /// The statement that is passing by is stopped, once.
    fn stop(&mut self, reason: Reason) {
        const SHOWN: usize = 20;
        let text = std::mem::take(&mut self.judged.0);
        if text.is_empty() {
            return;
        }
        let (list, count) = &mut self.stopped;
        *count += 1;
        if list.len() < SHOWN {
            list.push(format!("{text} ({})", reason.words()));
        }
    }

    /// Rows that go through a view of the dump go wherever it points. Servers may take `V` for `v`.
    fn judge_filled(&mut self) {
        let of_view =
            |(list, view): &(&str, String), table: &str| *list == fact::VIEWS && view.eq_ignore_ascii_case(table);
        for (table, place) in std::mem::take(&mut self.filled) {
            if self.named.iter().any(|named| of_view(named, &table)) {
                self.judged.0 = place;
                self.stop(Reason::View);
            }
        }
    }

    fn count_lines(&mut self, bytes: &[u8]) {
        self.lines += memchr::memchr_iter(b'\n', bytes).count() as u64;
    }

    /// A statement that begins with no word of SQL's, or that a program's words stand in.
    fn stray_head(&mut self, subject: &StatementInfo, head: &[u8], syntax: &Syntax) {
        self.watch.forget();
        // A body may quote anything.
        let has_body = matches!(subject.object, Object::Trigger | Object::Routine | Object::Function | Object::Event);
        let looked_at = self.client.is_some() && !has_body;
        let is_statement = gate::is_statement(head, syntax);
        let line = |at| FoundAt { at, is_within: false };
        let place = match subject.verb {
            _ if !is_statement => Some(line(0)),
            _ if !looked_at => None,
            Verb::Insert => self.watch.see(head),
            _ => stray::find(head).map(line),
        };
        self.note_stray(place, head);
    }

    fn note_stray(&mut self, place: Option<FoundAt>, bytes: &[u8]) {
        if let Some(FoundAt { at, is_within }) = place.filter(|_| self.stray.is_none()) {
            let lines = memchr::memchr_iter(b'\n', &bytes[..at]).count() as u64;
            let stray = Stray::at(&bytes[at..], self.lines + lines + 1, self.offset + at as u64);
            self.stray = Some(Stray { is_within, ..stray });
        }
    }

    /// A program writes no line feed into the rows of its dump: what begins a line there is what it said meanwhile.
    fn stray_rows(&mut self, bytes: &[u8]) {
        if !self.inserting || self.client.is_none() {
            return;
        }
        let place = self.watch.see(bytes);
        self.note_stray(place, bytes);
    }

    /// Whatever follows the trailer takes its proof away.
    fn something(&mut self) {
        if !matches!(self.trailer, Trailer::Missing(_)) {
            self.trailer = Trailer::Open;
        }
    }

    /// Notes where statements about a table or view begin, and where those about another one do.
    fn place(&mut self, subject: &StatementInfo) {
        let table = match (subject.verb, subject.object) {
            (Verb::Set | Verb::Use | Verb::Replication | Verb::Other, _) => return,
            (_, Object::Table | Object::View | Object::Sequence) => subject.name.as_ref(),
            (_, Object::Trigger) => subject.on.as_ref(),
            _ => None,
        };
        self.leave();
        self.about = table.map(|name| {
            *self.entry_of.entry(name.clone()).or_insert_with(|| {
                let span = Some(self.offset..self.offset);
                self.entries.push(Entry { kind: "TABLE".into(), tag: name.clone(), span, ..Entry::default() });
                self.entries.len() - 1
            })
        });
    }

    /// The statements about one table end here.
    fn leave(&mut self) {
        if let Some(span) = self.about.take().and_then(|at| self.entries[at].span.as_mut()) {
            span.end = self.offset;
        }
    }

    fn comment(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(512)]);
        self.exporter.comment(&text);
        let Some(line) = text.strip_prefix("-- ") else { return };
        if line.starts_with("Dump completed") {
            self.headers = self.headers.saturating_sub(1);
            self.completed = Some((self.lines + 1, self.offset));
            if !matches!(self.trailer, Trailer::Missing(_)) {
                self.trailer = if bytes.ends_with(b"\n") { Trailer::Last } else { Trailer::Cut(self.offset) };
            }
        } else if let Some(rest) = line.strip_prefix("MySQL dump ") {
            self.header(rest, Flavour::MYSQL);
        } else if let Some(rest) = line.strip_prefix("MariaDB dump ") {
            self.header(rest, Flavour::MARIADB);
        } else if let Some((_, database)) = line.strip_prefix("Host: ").and_then(|rest| rest.split_once("Database: ")) {
            self.database = Some(database.trim_end().to_owned());
        } else if let Some(rest) = line.strip_prefix("Server version") {
            let version = rest.trim().to_owned();
            let mariadb = version.to_ascii_lowercase().contains("mariadb");
            self.flavour = Some(if mariadb { Flavour::MARIADB } else { Flavour::MYSQL });
            self.server = Some(version);
        }
    }

    /// `10.19  Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)`
    fn header(&mut self, rest: &str, flavour: Flavour) {
        if self.headers > 0 {
            self.trailer = Trailer::Missing(self.offset);
        } else {
            self.something();
        }
        self.headers += 1;
        let distribution = rest.split_once("Distrib ").map_or(rest, |(_, after)| after);
        let version = distribution.split([',', ' ']).next().unwrap_or_default();
        if Version::parse(version).is_some() {
            self.client = Some(version.to_owned());
        }
        self.flavour.get_or_insert(flavour);
    }

    fn insert(&mut self, name: Option<String>) {
        self.inserting = true;
        let Some(name) = name else { return self.current = None };
        let index = self.index(name);
        self.tables[index].rows.get_or_insert(0);
        self.tables[index].checksum.get_or_insert(0);
        self.current = Some(index);
    }

    /// What a second dump in the same file drops, the first one has brought in vain.
    fn dropped(&mut self, name: Option<&String>) {
        if let Some(index) = name.and_then(|name| self.by_name.get(name)) {
            let table = &mut self.tables[*index];
            (table.rows, table.checksum) = (table.rows.and(Some(0)), table.checksum.and(Some(0)));
        }
    }

    fn index(&mut self, name: String) -> usize {
        *self.by_name.entry(name).or_insert_with_key(|name| {
            self.tables.push(DumpedTable { name: name.clone(), ..DumpedTable::default() });
            self.tables.len() - 1
        })
    }

    /// `SET collation_connection = x`, `SET @@GLOBAL.GTID_PURGED=...`, `SET @@SESSION.SQL_LOG_BIN= 0`.
    fn set(&mut self, head: &[u8], syntax: &Syntax) {
        let pieces: Vec<_> = statement::pieces(head, syntax).take(16).collect();
        self.gtid += u64::from(sets_gtid(&pieces));
        self.sets_mode |= statement::sql_mode(head, syntax).is_some();
        self.features.extend(features::modes(head, syntax));
        self.collations(head, syntax);
    }

    fn collations(&mut self, head: &[u8], syntax: &Syntax) {
        // `SET collation_connection = @saved_col_connection` names none.
        self.collations.extend(statement::collations(head, syntax).filter_map(|name| name.unquoted()));
    }

    fn note(&mut self, list: &'static str, name: Option<String>) {
        if let Some(name) = name {
            self.named.insert((list, name));
        }
    }

    fn into_content(mut self) -> Content {
        self.judge_filled();
        self.leave();
        self.named.extend(std::mem::take(&mut self.order.early).into_iter().map(|key| (fact::EARLY, key)));
        self.named.extend(std::mem::take(&mut self.row_columns).lines().map(|line| (fact::ROW_COLUMNS, line)));
        self.named.extend(self.keys.not_unique().map(|key| (fact::FOREIGN_NOT_UNIQUE, key)));
        self.named.extend(std::mem::take(&mut self.order.ambiguous).into_iter().map(|key| (fact::MADE_TWICE, key)));
        let mut facts: BTreeMap<String, String> = BTreeMap::new();
        // Older clients create each view as a table first.
        let is_view = |name: &str| self.named.contains(&(fact::VIEWS, name.to_owned()));
        let tables: Vec<_> = self.tables.into_iter().filter(|t| !is_view(&t.name)).collect();
        let mut objects = tables.len() as u64;
        for (list, name) in self.named {
            objects += u64::from(OBJECTS.contains(&list));
            let names = facts.entry(list.to_owned()).or_default();
            if !names.is_empty() {
                names.push_str(JOIN);
            }
            names.push_str(&name);
        }
        let (stopped, count) = self.stopped;
        let elsewhere: Vec<_> = self.elsewhere.iter().map(|(database, place)| format!("{database}: {place}")).collect();
        let lists = [(fact::STOPPED, stopped), (fact::ELSEWHERE, elsewhere)];
        facts.extend(
            lists
                .into_iter()
                .filter(|(_, list)| !list.is_empty())
                .map(|(fact, list)| (fact.to_owned(), list.join(JOIN))),
        );
        facts.extend(self.database.map(|name| (fact::DATABASE_NAME.to_owned(), name)));
        facts.extend((count > 0).then(|| (fact::STOPPED_COUNT.to_owned(), count.to_string())));
        facts.extend(self.exporter.program().map(|program| (EXPORTER.to_owned(), program.to_owned())));
        facts.insert(fact::DEFINERS.to_owned(), self.definers.to_string());
        facts.insert(fact::GTID.to_owned(), self.gtid.to_string());
        let events = facts.contains_key(fact::ENDING_EVENTS).then_some("events that end");
        let definers = (self.definers > 0).then_some("definers");
        let counters = self.counts.then_some("values of AUTO_INCREMENT");
        let generated = facts.contains_key(fact::GENERATED).then_some(GENERATED_VALUES);
        Content {
            tables,
            objects,
            source_version: self.server,
            source_flavour: self.flavour,
            client_version: self.client,
            collations: self.collations.into_iter().collect(),
            definitions: self.definitions,
            not_compared: [events, definers, generated, counters].into_iter().flatten().collect(),
            float_columns: self.floats.into_iter().collect(),
            features: self.features.into_iter().collect(),
            longest_statement: self.longest,
            facts,
            entries: self.entries,
            ..Content::new(Format::MYSQL_SQL)
        }
    }
}

/// Lists of what is an object of its own; functions are among the routines.
const OBJECTS: [&str; 5] = [fact::TRIGGERS, fact::ROUTINES, fact::EVENTS, fact::VIEWS, fact::SEQUENCES];

/// The names in a fact.
pub(crate) fn names<'a>(content: &'a Content, fact: &str) -> Vec<&'a str> {
    match content.facts.get(fact) {
        Some(names) if !names.is_empty() => names.split(JOIN).collect(),
        _ => Vec::new(),
    }
}

/// Whether a SET statement touches GTIDs or the binary log, or saves and restores what such a one touches.
pub(crate) fn sets_gtid(pieces: &[SpannedToken<'_>]) -> bool {
    pieces.iter().any(|p| p.is("gtid_purged") || p.is("sql_log_bin") || p.is("mysqldump_temp_log_bin"))
}

#[cfg(test)]
mod tests;
