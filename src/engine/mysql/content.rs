//! Reads a dump of mysqldump or mariadb-dump as it passes by: what is in it, and whether it is whole.
//!
//! A dump is whole when its last line is the trailer `-- Dump completed ...`, standing outside of every statement.
//! Several dumps in a row (see `dump`) are whole when each of them is.

use std::collections::{BTreeMap, BTreeSet};

use super::columns::RowColumns;
use super::definition;
use super::dependencies::{self, Need};
use super::early::Order;
use super::events;
use super::exporter::{self, Exporter};
use super::features;
use super::foreign_keys::Keys;
use super::gate::{self, Found, Gate, Reason};
use super::head::{self, Object, Piece, Subject, Verb};
use super::lexer::{LONGEST_DELIMITER, Syntax, Token};
use super::own_name;
use super::setting::JOIN;
use super::splitter::{Between, Ending, Splitter, Visitor};
use super::structure;
use super::wide_tables;
use crate::engine::stray::{self, Place, Stray, Watch};
use crate::engine::{
    Content, Defined, DumpedTable, EXPORTER, Entry, Feature, Flavour, Format, GENERATED_VALUES, Incomplete, Inspector,
    MOST_ENTRIES, Structure, Version, too_many,
};

/// Facts in [`Content::facts`]: lists of names are joined by [`JOIN`], numbers are decimal.
pub(super) mod fact {
    /// Databases that the dump creates or switches to.
    pub(in super::super) const DATABASES: &str = "databases";
    /// Generated columns, as `table.column`.
    pub(in super::super) const GENERATED: &str = "generated_columns";
    /// Tables without a primary key.
    pub(in super::super) const NO_PRIMARY_KEY: &str = "tables_without_primary_key";
    /// Of these, those with a column that counts.
    pub(in super::super) const COUNTED_WITHOUT_PRIMARY_KEY: &str = "tables_without_primary_key.counted";
    /// Foreign keys that point at no whole unique key, as `b_child.b_fk: a_parent(code)`.
    pub(in super::super) const FOREIGN_NOT_UNIQUE: &str = "foreign_keys.not_unique";
    /// How many objects name a definer.
    pub(in super::super) const DEFINERS: &str = "definers";
    /// Triggers.
    pub(in super::super) const TRIGGERS: &str = "triggers";
    /// Functions, which are among the routines too.
    pub(in super::super) const FUNCTIONS: &str = "functions";
    /// Procedures and functions.
    pub(in super::super) const ROUTINES: &str = "routines";
    /// Events.
    pub(in super::super) const EVENTS: &str = "events";
    /// Of these, those that run: not disabled.
    pub(in super::super) const ENABLED_EVENTS: &str = "events.enabled";
    /// Of these, those that end: a server drops them by itself.
    pub(in super::super) const ENDING_EVENTS: &str = "events.ending";
    /// Of these, those that run at one time, and not again.
    pub(in super::super) const ONE_TIME_EVENTS: &str = "events.one_time";
    /// Triggers and events that stand before rows which they would meet, as `trigger t_log`.
    pub(in super::super) const EARLY: &str = "made_before_rows";
    /// Triggers and events that are made twice, each time otherwise.
    pub(in super::super) const MADE_TWICE: &str = "made_twice";
    /// TIMESTAMP columns, as `table.column`.
    pub(in super::super) const TIMESTAMPS: &str = "columns.timestamps";
    /// The database that it is of, as the dump says.
    pub(in super::super) const DATABASE_NAME: &str = "database.name";
    /// Bodies that spell out that name, as `trigger t_log (shop.audit)`.
    pub(in super::super) const OWN_NAMES: &str = "bodies.own_names";
    /// Which columns the rows of each table are for: see `columns`.
    pub(in super::super) const ROW_COLUMNS: &str = "rows.columns";
    /// Tables that are made only where they are not there.
    pub(in super::super) const KEPT_TABLES: &str = "tables.kept";
    /// Views.
    pub(in super::super) const VIEWS: &str = "views";
    /// MariaDB's sequences.
    pub(in super::super) const SEQUENCES: &str = "sequences";
    /// Tables that foreign keys point at, as `table.other`.
    pub(in super::super) const REFERENCES: &str = "references";
    /// What definitions need of the database's own: see `dependencies`.
    pub(in super::super) const NEEDS: &str = "needs";
    /// Statements that set GTIDs or turn the binary log off.
    pub(in super::super) const GTID: &str = "gtid_lines";
    /// Tables with foreign keys.
    pub(in super::super) const FOREIGN_KEYS: &str = "tables.foreign_keys";
    /// Columns whose default is a date of zeros, where the dump sets no SQL mode.
    pub(in super::super) const ZERO_DEFAULTS: &str = "columns.zero_dates";
    /// Tablespaces that tables name: the table, a tab, the tablespace.
    pub(in super::super) const TABLESPACES: &str = "tables.tablespaces";
    /// Compressed tables.
    pub(in super::super) const COMPRESSED: &str = "tables.compressed";
    /// Tables that can be tried: the table, a tab, and the statement that does it (see `wide_tables`).
    pub(in super::super) const TRIALS: &str = "tables.trials";
    /// The size of a compressed table's blocks in KiB: the table, a tab, the size.
    pub(in super::super) const BLOCK_SIZES: &str = "tables.key_block_size";
    /// The definers that objects name.
    pub(in super::super) const DEFINER_NAMES: &str = "definers.names";
    /// Statements that are more than a dump's SQL for its database, as `line 7: GRANT ...: it changes the server`.
    pub(in super::super) const STOPPED: &str = "gate.stopped";
    /// How many there are: the list ends at the twentieth.
    pub(in super::super) const STOPPED_COUNT: &str = "gate.stopped.count";
    /// Databases whose objects statements change by name, each with the first line of it: `other: line 7: DROP ...`.
    pub(in super::super) const ELSEWHERE: &str = "gate.databases";
}

/// The reader of one dump.
#[derive(Clone)]
pub(super) struct Reader {
    splitter: Splitter,
    seen: Seen,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self { splitter: Splitter::new(), seen: Seen::default() }
    }
}

impl Inspector for Reader {
    fn see(&mut self, bytes: &[u8]) {
        if self.seen.entries.len() > *MOST_ENTRIES {
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
        if self.seen.entries.len() > *MOST_ENTRIES {
            return Err(too_many(self.splitter.offset()));
        }
        let ending = self.splitter.finish(&mut self.seen);
        if let Some(stray) = self.seen.stray.take() {
            return Err(exporter::broken_off(&stray).unwrap_or_else(|| Incomplete::stray(stray)));
        }
        let end = self.splitter.offset();
        let incomplete = |what: &str, offset| Err(Incomplete::new(what, offset));
        match ending {
            Ending::Inside { start, quoted: true } => {
                return incomplete(
                    "the dump ends in the middle of a string or comment of the statement that starts",
                    start,
                );
            }
            Ending::Inside { start, quoted: false } => {
                return incomplete("the dump ends in the middle of the statement that starts", start);
            }
            Ending::Clean => {}
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
            Between::Comment => self.comment(bytes),
            Between::Delimiter => self.something(),
            Between::Blank | Between::More | Between::Sandbox | Between::Mark => {}
        }
        self.offset += bytes.len() as u64;
    }

    fn head(&mut self, head: &[u8], syntax: &Syntax) {
        self.something();
        self.statements += 1;
        self.inserting = false;
        self.judge(head, syntax);
        let subject = head::subject(head, syntax);
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
            (Verb::Alter, Object::Table) if !head::switches_keys(head, syntax) => self.alter(subject.name.as_ref()),
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
        let Found { reason, databases, has_body, fills } = self.gate.judge(head, syntax);
        let is_insert = head.trim_ascii_end().len() >= 5 && gate::has_rows(head, syntax);
        self.judged = (format!("line {}: {}", self.lines + 1, gate::shown(head)), has_body || is_insert);
        if let Some(reason) = reason {
            self.stop(reason);
        }
        if let Some(table) = fills.filter(|table| !self.filled.contains_key(table)) {
            self.filled.insert(table, self.judged.0.clone());
        }
        for database in databases {
            self.elsewhere.entry(database).or_insert_with(|| self.judged.0.clone());
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
    fn stray_head(&mut self, subject: &Subject, head: &[u8], syntax: &Syntax) {
        self.watch.forget();
        // A body may quote anything.
        let has_body = matches!(subject.object, Object::Trigger | Object::Routine | Object::Function | Object::Event);
        let looked_at = self.client.is_some() && !has_body;
        let is_statement = gate::is_statement(head, syntax);
        let line = |at| Place { at, is_within: false };
        let place = match subject.verb {
            _ if !is_statement => Some(line(0)),
            _ if !looked_at => None,
            Verb::Insert => self.watch.see(head),
            _ => stray::find(head).map(line),
        };
        self.note_stray(place, head);
    }

    fn note_stray(&mut self, place: Option<Place>, bytes: &[u8]) {
        if let Some(Place { at, is_within }) = place.filter(|_| self.stray.is_none()) {
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
    fn place(&mut self, subject: &Subject) {
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
            self.header(rest, Flavour::Mysql);
        } else if let Some(rest) = line.strip_prefix("MariaDB dump ") {
            self.header(rest, Flavour::Mariadb);
        } else if let Some((_, database)) = line.strip_prefix("Host: ").and_then(|rest| rest.split_once("Database: ")) {
            self.database = Some(database.trim_end().to_owned());
        } else if let Some(rest) = line.strip_prefix("Server version") {
            let version = rest.trim().to_owned();
            let mariadb = version.to_ascii_lowercase().contains("mariadb");
            self.flavour = Some(if mariadb { Flavour::Mariadb } else { Flavour::Mysql });
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

    /// A table's definition: its columns are looked at for what another server may not take.
    fn table(&mut self, subject: &Subject, head: &[u8], syntax: &Syntax) {
        let Some(name) = subject.name.clone() else { return };
        let index = self.index(name.clone());
        self.tables[index].rows.get_or_insert(0);
        self.tables[index].checksum.get_or_insert(0);
        self.tables[index].structure = Some(structure::read(head, syntax).unwrap_or_default());
        let definition = Definition::read(head, syntax);
        self.counts |= definition::has_counter(head, syntax);
        self.needs("table", Some(&name), head, syntax);
        self.define(subject, head, syntax);
        self.tables[index].columns = definition.added_key.then(|| definition::ADDED_KEY.to_owned());
        self.row_columns.define(&name, head, syntax);
        for column in features::timestamps(head, syntax) {
            self.note(fact::TIMESTAMPS, Some(format!("{name}.{column}")));
        }
        self.zeros_default(&name, head, syntax);
        for tablespace in features::tablespaces(head, syntax) {
            self.note(fact::TABLESPACES, Some(format!("{name}\t{tablespace}")));
        }
        let fits = |trial: &String| self.trial_bytes + trial.len() <= wide_tables::MAX_TRIAL_BYTES;
        if let Some(trial) = wide_tables::trial(&name, head, syntax).filter(fits) {
            self.trial_bytes += trial.len();
            self.note(fact::TRIALS, Some(format!("{name}\t{trial}")));
        }
        if let Some(size) = features::block_size(head, syntax) {
            self.note(fact::BLOCK_SIZES, Some(format!("{name}\t{size}")));
        }
        let compressed = features::is_compressed(head, syntax);
        self.note(fact::COMPRESSED, compressed.then(|| name.clone()));
        self.note(fact::FOREIGN_KEYS, (!definition.references.is_empty()).then(|| name.clone()));
        self.collations(head, syntax);
        self.keys.see(&name, head, syntax);
        self.features.extend(features::of(subject, head, syntax));
        for check in features::check_names(head, syntax) {
            self.check(&name, &check);
        }
        for column in definition.generated {
            self.note(fact::GENERATED, Some(format!("{name}.{column}")));
        }
        self.floats.extend(definition.floats.iter().map(|column| format!("{name}.{column}")));
        for other in definition.references.into_iter().filter(|other| *other != name) {
            self.note(fact::REFERENCES, Some(format!("{name}.{other}")));
        }
        let condition = |piece: Piece<'_>| piece.is("exists") && piece.at < subject.name_at.start;
        if !self.order.drops(&name) && head::pieces(head, syntax).take(6).any(condition) {
            self.note(fact::KEPT_TABLES, Some(name.clone()));
        }
        if !definition.primary_key {
            self.note(fact::COUNTED_WITHOUT_PRIMARY_KEY, Some(name.clone()).filter(|_| definition.counts));
            self.note(fact::NO_PRIMARY_KEY, Some(name));
        }
    }

    /// Several statements may define a view: it stands in for itself before its time.
    fn define(&mut self, subject: &Subject, head: &[u8], syntax: &Syntax) {
        if let Some(name) = definition::name(subject) {
            let hash = definition::hash(head, syntax, subject, self.database.as_deref());
            let sum = &mut self.definitions.entry(name).or_default().text;
            *sum = if subject.object == Object::View { sum.wrapping_add(hash) } else { hash };
        }
    }

    /// Where the mode is left to the server, a strict one refuses dates of zeros.
    fn zeros_default(&mut self, table: &str, head: &[u8], syntax: &Syntax) {
        if !self.sets_mode {
            let columns = features::zero_dates(head, syntax);
            self.named.extend(columns.into_iter().map(|column| (fact::ZERO_DEFAULTS, format!("{table}.{column}"))));
        }
    }

    /// What else a definition names. A table's columns and keys only look like what views call.
    fn needs(&mut self, kind: &str, by: Option<&str>, head: &[u8], syntax: &Syntax) {
        let Some(by) = by else { return };
        for named in dependencies::named(head, syntax, self.database.as_deref()) {
            if kind == "view" || named.0 == "sequence" {
                self.note(fact::NEEDS, Some(Need::encode(kind, by, &named)));
            }
        }
    }

    /// A definition that is not all that makes a table tells little of it.
    fn alter(&mut self, name: Option<&String>) {
        let index = name.and_then(|name| self.by_name.get(name));
        if let Some(structure) = index.and_then(|at| self.tables[*at].structure.as_mut()) {
            *structure = Structure::default();
        }
    }

    fn create(&mut self, subject: &Subject, head: &[u8], syntax: &Syntax) {
        let list = match subject.object {
            Object::View => fact::VIEWS,
            Object::Trigger => fact::TRIGGERS,
            Object::Routine | Object::Function => fact::ROUTINES,
            Object::Event => fact::EVENTS,
            Object::Sequence => fact::SEQUENCES,
            Object::Database => fact::DATABASES,
            Object::Table | Object::Other => return,
        };
        self.note(list, subject.name.clone());
        let schedule = events::schedule(subject, head, syntax).filter(|_| subject.object == Object::Event);
        let passes = schedule.as_ref().is_some_and(|schedule| schedule.once || schedule.ends);
        if passes {
            self.note(fact::ENDING_EVENTS, subject.name.clone());
        } else {
            self.define(subject, head, syntax);
        }
        if subject.object == Object::View {
            self.needs("view", subject.name.as_deref(), head, syntax);
        }
        if let Some(database) = &self.database {
            self.note(fact::OWN_NAMES, own_name::named(head, syntax, database).own_line(subject));
        }
        if subject.object == Object::Function {
            self.note(fact::FUNCTIONS, subject.name.clone());
        }
        if let Some(schedule) = schedule {
            self.note(fact::ENABLED_EVENTS, subject.name.clone().filter(|_| schedule.enabled));
            self.note(fact::ONE_TIME_EVENTS, subject.name.clone().filter(|_| schedule.once));
        }
        self.definers += u64::from(subject.definer.is_some());
        let definer = subject.definer.as_ref().and_then(|at| std::str::from_utf8(&head[at.clone()]).ok());
        let account = definer.and_then(|text| text.split_once('=')).map(|(_, account)| account.trim().to_owned());
        self.note(fact::DEFINER_NAMES, account);
        self.collations(head, syntax);
        self.features.extend(features::of(subject, head, syntax));
    }

    /// Names are the same in any letter case.
    fn check(&mut self, table: &str, name: &str) {
        let first = self.checks.entry(name.to_lowercase()).or_insert_with(|| table.to_owned());
        if *first != table {
            self.features.insert(Feature {
                name: features::CHECK_NAME.to_owned(),
                kind: "constraint".to_owned(),
                object: format!("{name} of {first} and {table}"),
            });
        }
    }

    /// `SET collation_connection = x`, `SET @@GLOBAL.GTID_PURGED=...`, `SET @@SESSION.SQL_LOG_BIN= 0`.
    fn set(&mut self, head: &[u8], syntax: &Syntax) {
        let pieces: Vec<_> = head::pieces(head, syntax).take(16).collect();
        self.gtid += u64::from(sets_gtid(&pieces));
        self.sets_mode |= head::sql_mode(head, syntax).is_some();
        self.features.extend(features::modes(head, syntax));
        self.collations(head, syntax);
    }

    fn collations(&mut self, head: &[u8], syntax: &Syntax) {
        // `SET collation_connection = @saved_col_connection` names none.
        self.collations.extend(head::collations(head, syntax).filter_map(|name| name.unquoted()));
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
            ..Content::new(Format::MysqlSql)
        }
    }
}

/// Lists of what is an object of its own; functions are among the routines.
const OBJECTS: [&str; 5] = [fact::TRIGGERS, fact::ROUTINES, fact::EVENTS, fact::VIEWS, fact::SEQUENCES];

/// The names in a fact.
pub(super) fn names<'a>(content: &'a Content, fact: &str) -> Vec<&'a str> {
    match content.facts.get(fact) {
        Some(names) if !names.is_empty() => names.split(JOIN).collect(),
        _ => Vec::new(),
    }
}

/// Whether a SET statement touches GTIDs or the binary log, or saves and restores what such a one touches.
pub(super) fn sets_gtid(pieces: &[Piece<'_>]) -> bool {
    pieces.iter().any(|p| p.is("gtid_purged") || p.is("sql_log_bin") || p.is("mysqldump_temp_log_bin"))
}

/// What a `CREATE` says that matters to another server.
#[derive(Default)]
struct Definition {
    generated: Vec<String>,
    floats: Vec<String>,
    primary_key: bool,
    /// A column counts: `AUTO_INCREMENT`.
    counts: bool,
    /// It has the column that MySQL adds by itself.
    added_key: bool,
    references: Vec<String>,
}

impl Definition {
    fn read(head: &[u8], syntax: &Syntax) -> Self {
        let mut found = Self::default();
        let (mut depth, mut column, mut column_next) = (0_u32, None, false);
        let (mut points, mut type_next, mut float) = (false, false, false);
        for piece in head::pieces(head, syntax) {
            let is_type = std::mem::take(&mut type_next);
            let is_float = std::mem::replace(&mut float, is_type && piece.is("float"));
            match piece.token {
                Token::Symbol(b'(') => {
                    // `float(7,4)`
                    if is_float {
                        found.floats.pop();
                    }
                    depth += 1;
                    column_next = depth == 1;
                }
                Token::Symbol(b')') => depth = depth.saturating_sub(1),
                Token::Symbol(b',') => column_next = depth == 1,
                // `REFERENCES database.table` names the database before the dot.
                _ if std::mem::take(&mut points) => found.references.extend(piece.unquoted()),
                _ if std::mem::take(&mut column_next) => {
                    found.primary_key |= piece.is("primary");
                    column = matches!(piece.token, Token::Quoted(_)).then(|| piece.unquoted()).flatten();
                    type_next = column.is_some();
                    found.added_key |= column.as_deref() == Some(definition::ADDED_KEY);
                }
                Token::Word if float => found.floats.extend(column.clone()),
                Token::Word => {
                    points = depth == 1 && piece.is("references");
                    if depth == 1 && piece.is("generated") {
                        found.floats.pop_if(|float| column.as_ref() == Some(float));
                        found.generated.extend(column.take());
                    }
                    found.primary_key |= depth == 1 && piece.is("primary");
                    found.counts |= depth == 1 && piece.is("auto_increment");
                }
                _ => {}
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DUMPS: &[(&str, &str)] = &[
        ("9.7.4", include_str!("../../../fixtures/dumps/mysql-9.7.4.sql")),
        ("10.11.19-MariaDB", include_str!("../../../fixtures/dumps/mariadb-10.11.19.sql")),
    ];

    fn inspect(dump: &[u8], chunk: usize) -> Result<Content, Incomplete> {
        let mut reader = Box::new(Reader::new());
        for bytes in dump.chunks(chunk) {
            reader.see(bytes);
        }
        reader.finish().and_then(Content::proved)
    }

    #[test]
    fn a_real_dump_tells_what_is_in_it() {
        for (client, dump) in DUMPS {
            let content = inspect(dump.as_bytes(), 1000).expect("complete");
            let mut tables: Vec<_> = content.tables.iter().map(|t| (t.name.as_str(), t.rows)).collect();
            tables.sort_unstable();
            let expected = [("empty_t", Some(0)), ("mi", Some(0)), ("users", Some(3)), ("we`ird; na(me", Some(2))];
            assert_eq!(tables, expected);
            assert_eq!(names(&content, fact::VIEWS), ["v", "v2"]);
            assert_eq!(names(&content, fact::TRIGGERS), ["trg"]);
            assert_eq!(names(&content, fact::ROUTINES), ["fn", "proc"]);
            assert_eq!(names(&content, fact::EVENTS), ["ev"]);
            assert_eq!(names(&content, fact::GENERATED), ["users.gen"]);
            assert_eq!(names(&content, fact::NO_PRIMARY_KEY), ["we`ird; na(me"]);
            assert_eq!(content.facts[fact::DEFINERS], "6");
            assert_eq!(content.objects, 10);
            assert_eq!(content.client_version.as_deref(), Some(*client));
            assert!(content.source_version.as_deref().is_some_and(|v| v.starts_with(client)));
            assert!(content.collations.iter().any(|c| c == "latin1_german1_ci"), "{:?}", content.collations);
            let longest = dump.split(';').map(str::len).max().unwrap_or(0) as u64;
            assert!(content.longest_statement >= longest, "{} {longest}", content.longest_statement);
        }
    }

    #[test]
    fn definitions_are_the_same_whoever_restores_them_and_wherever() {
        let of = |definition: &str, database: &str| {
            let dump = format!("-- Host: h    Database: {database}\n{definition};\n-- Dump completed\n");
            inspect(dump.as_bytes(), 7).expect("complete").definitions
        };
        for (one, other) in [
            (
                "CREATE TABLE `t` (`a` int) AUTO_INCREMENT=7 CHARSET=utf8mb4",
                "CREATE TABLE `t` (`a` int) CHARSET=utf8mb4",
            ),
            (
                "CREATE DEFINER=`x`@`%` TRIGGER `t` BEFORE INSERT ON `u` FOR EACH ROW SET @a=1",
                "CREATE DEFINER=`y`@`localhost` TRIGGER `t` BEFORE INSERT ON `u` FOR EACH ROW SET @a=1",
            ),
            ("CREATE VIEW `v` AS select nextval(`src`.`s`)", "CREATE VIEW `v` AS select nextval(`dst`.`s`)"),
            (
                "CREATE DEFINER=`x`@`%` EVENT `e` ON SCHEDULE EVERY 1 DAY ENABLE DO SET @a=1",
                "CREATE EVENT `e` ON SCHEDULE EVERY 1 DAY DISABLE DO SET @a=1",
            ),
        ] {
            assert_eq!(of(one, "src"), of(other, "dst"));
            assert_ne!(of(one, "src"), of(&one.replace("`a`", "`b`").replace("=1", "=2").replace("`s`", "`r`"), "src"));
        }
    }

    #[test]
    fn float_columns_are_those_without_a_fixed_scale() {
        let dump = "CREATE TABLE `t` (`a` float DEFAULT NULL, `float` float unsigned, `c` float(7,4), `d` double,\n\
                    `e` float GENERATED ALWAYS AS (`a` * 2) STORED, KEY `float` (`a`));\n-- Dump completed\n";
        assert_eq!(inspect(dump.as_bytes(), 9).expect("complete").float_columns, ["t.a", "t.float"]);
    }

    #[test]
    fn a_dump_cut_anywhere_is_incomplete() {
        for (_, dump) in DUMPS {
            let mut reader = Reader::new();
            for (length, byte) in dump.bytes().enumerate() {
                assert!(Box::new(reader.clone()).finish().is_err(), "cut after {length} bytes");
                reader.see(&[byte]);
            }
            assert!(Box::new(reader).finish().is_ok());
        }
    }

    #[test]
    fn the_trailer_counts_only_as_the_last_thing_outside_of_strings() {
        let whole = "SELECT 1;\n-- Dump completed on 2026-01-01\n";
        assert!(inspect(whole.as_bytes(), 10).is_ok());
        assert!(inspect(format!("{whole}\n \n").as_bytes(), 10).is_ok());
        for bad in [
            format!("{whole}SELECT 2;\n"),
            format!("INSERT INTO t VALUES ('\n{whole}"),
            format!("/* \n{whole}"),
            "INSERT INTO t VALUES (1);\n".to_owned(),
            "-- MySQL dump 10.13  Distrib 9.7.4, for Linux\nSELECT 1;\n-- MySQL dump 10.13  Distrib 9.7.4\n-- Dump completed\n".to_owned(),
        ] {
            assert!(inspect(bad.as_bytes(), 10).is_err(), "{bad}");
        }
        let mut more = Box::new(Reader::new());
        more.see(format!("{whole}SELECT 2;\n").as_bytes());
        let appended = more.finish().expect("the dump in it is whole").appended.expect("and something behind it");
        assert_eq!(appended.to_string(), "statements follow the end of the dump, from line 3 on (byte 10 of the dump)");
        let twice = "-- MySQL dump 10.13  Distrib 9.7.4, for Linux\nSELECT 1;\n-- Dump completed\n".repeat(2);
        assert!(inspect(twice.as_bytes(), 10).is_ok());
    }

    #[test]
    fn rows_are_counted_whatever_stands_in_them() {
        let count = |insert: &str| {
            let dump = format!("{insert}\n-- Dump completed\n");
            (1..9)
                .map(|chunk| inspect(dump.as_bytes(), chunk).expect("complete").tables[0].rows)
                .collect::<BTreeSet<_>>()
        };
        let exactly = |rows| BTreeSet::from([Some(rows)]);
        assert_eq!(count("INSERT INTO t VALUES (1),(2),\n(3);"), exactly(3));
        assert_eq!(count("INSERT INTO t (`a(`,b) VALUES (f(1),(2)),('),(');"), exactly(2));
        assert_eq!(count("INSERT INTO t VALUES (-1,'a\\'),(',\"b\"\"),(\"),(-- x),(\n2) /* ,(3) */;"), exactly(2));
        assert_eq!(count("INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a=VALUES(a), b=(1);"), exactly(1));
        assert_eq!(count("SET sql_mode='NO_BACKSLASH_ESCAPES';INSERT INTO t VALUES ('\\'),('x');"), exactly(2));
        assert_eq!(count("REPLACE t VALUES (1);INSERT INTO t SELECT (1);INSERT INTO t VALUES (2);"), exactly(2));
    }

    proptest! {
        #[test]
        fn bytes_of_any_kind_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), chunk in 1..50_usize) {
            let _ = inspect(&bytes, chunk);
        }

        #[test]
        fn any_chunking_tells_the_same(text in crate::engine::mysql::splitter::tests::script(), chunk in 1..50_usize) {
            let show = |found: Result<Content, Incomplete>| format!("{found:?}");
            prop_assert_eq!(show(inspect(text.as_bytes(), chunk)), show(inspect(text.as_bytes(), text.len().max(1))));
        }
    }
}
