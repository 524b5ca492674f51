//! What a dump's bytes tell: what is in it, and whether it is whole.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::LazyLock;

use super::stray::Stray;
use super::{Flavour, Format};
use crate::dependency::Dependency;
use crate::memory;
use crate::properties::DatabaseProperties;
use crate::report::units;

/// A dump of more entries than this is not read: each is held, in half a KiB or so, until the dump has passed by. Where
/// memory is limited there are fewer, since who is out of memory can't say so.
pub static MAX_ENTRIES: LazyLock<usize> = LazyLock::new(|| {
    const FOR_ALL_ELSE: u64 = 32 << 20;
    const EACH: u64 = 1 << 10;
    let room = MEMORY.map(|memory| memory.saturating_sub(FOR_ALL_ELSE) / EACH);
    room.and_then(|room| usize::try_from(room).ok()).map_or(DEFAULT_MAX_ENTRIES, |room| room.min(DEFAULT_MAX_ENTRIES))
});

const DEFAULT_MAX_ENTRIES: usize = 1_000_000;

static MEMORY: LazyLock<Option<u64>> = LazyLock::new(memory::limit);

/// Why a dump of so many entries is refused.
#[must_use]
pub fn too_many(offset: u64) -> Incomplete {
    let limit = MEMORY.filter(|_| *MAX_ENTRIES < DEFAULT_MAX_ENTRIES);
    let memory = limit.map(|limit| format!(" in the {} MiB of memory that dbhaul may take here", limit >> 20));
    let what = format!(
        "it has more than {} entries, which is the most that is read{}: {}dump its schemas one by one",
        units::count(*MAX_ENTRIES as u64),
        memory.unwrap_or_default(),
        if limit.is_some() { "give it more, or " } else { "" },
    );
    Incomplete { too_large: true, ..Incomplete::new(what, offset) }
}

/// Reads a dump's bytes as they pass by, in bounded memory: what is in it, and whether it is whole.
pub trait Inspector: Send {
    /// Takes the next bytes.
    fn see(&mut self, bytes: &[u8]);
    /// A member begins, of a form whose dumps are made of [members](super::Layout::Members).
    fn begin_member(&mut self, name: &str) {
        let _ = name;
    }
    /// The same for a dump that comes in lanes, several streams at once that make one dump when they are joined in the
    /// order of their numbers. The first is 0; only a form that says so comes in more than that one.
    fn see_lane(&mut self, lane: usize, bytes: &[u8]) {
        debug_assert_eq!(lane, 0);
        self.see(bytes);
    }
    /// The table whose rows are passing by, and how many rows of it were seen.
    fn position(&self) -> Option<(&DumpedTable, usize)>;
    /// What the dump will hold, as soon as its beginning has told: entries and tables, no rows counted. None before,
    /// and for forms that tell only as they go.
    fn outline(&self) -> Option<Content> {
        None
    }
    /// The [fingerprint](fingerprint_of_entries) of the outline's entries, which an outline would hold once more.
    fn outline_fingerprint(&self) -> Option<u64> {
        self.outline().map(|outline| fingerprint_of_entries(outline.entries.iter()))
    }
    /// The stream has ended. The content, or why this is no complete dump: a sentence that names the offset or what
    /// is missing.
    fn finish(self: Box<Self>) -> Result<Content, Incomplete>;
}

/// A dump proved complete: only an inspector that saw its end makes one.
#[derive(Clone, Debug)]
pub struct Complete(Content);

impl Complete {
    /// Asks the inspector that has seen the whole stream.
    pub fn prove(inspector: Box<dyn Inspector>) -> Result<Self, Incomplete> {
        inspector.finish()?.proved().map(Self)
    }

    /// What the dump holds.
    #[must_use]
    pub fn content(&self) -> &Content {
        &self.0
    }

    /// The same, where the proof is needed no more.
    #[must_use]
    pub fn into_content(self) -> Content {
        self.0
    }
}

/// Why a dump is not complete.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} (byte {offset} of the dump)")]
pub struct Incomplete {
    /// What is missing or wrong.
    pub what: String,
    /// Where in the dump's own bytes.
    pub offset: u64,
    /// It has [`too_many`] entries: it may be whole, and nobody has seen that.
    pub too_large: bool,
    /// Lines that are no SQL, which can be taken out.
    pub stray: Option<Stray>,
}

impl Incomplete {
    /// Statements follow the end of the dump, from this line on, which is at this offset.
    #[must_use]
    pub fn appended(line: u64, offset: u64) -> Self {
        Self::new(format!("statements follow the end of the dump, from line {line} on"), offset)
    }

    /// Something is missing or wrong there.
    #[must_use]
    pub fn new(what: impl Into<String>, offset: u64) -> Self {
        Self { what: what.into(), offset, too_large: false, stray: None }
    }

    /// A line is no SQL.
    #[must_use]
    pub fn stray(stray: Stray) -> Self {
        let (what, offset) = (format!("line {} is no SQL: {}", stray.line, stray.text), stray.offset);
        Self { stray: Some(stray), ..Self::new(what, offset) }
    }
}

/// The fact that names a program which wrote a dump and is none of the servers' own.
pub const EXPORTER: &str = "exporter";

/// What a complete dump holds, as read from its bytes.
#[derive(Clone, Debug)]
pub struct Content {
    /// Its form.
    pub format: Format,
    /// The tables, in the dump's order.
    pub tables: Vec<DumpedTable>,
    /// Entries or objects in all, tables included.
    pub objects: u64,
    /// The server that it was made from, as the dump says: `15.18 (Debian ...)`.
    pub source_version: Option<String>,
    /// The flavour that it was made from, where it shows.
    pub source_flavour: Option<Flavour>,
    /// The client that made it.
    pub client_version: Option<String>,
    /// Extensions that it creates.
    pub extensions: Vec<String>,
    /// Schemas that it creates.
    pub schemas: Vec<String>,
    /// Collations that it names and does not create: for PostgreSQL those of `pg_catalog`.
    pub collations: Vec<String>,
    /// MySQL: FLOAT columns of which the client writes six digits, as `table.column`.
    pub float_columns: Vec<String>,
    /// What it says of each object, by its kind and name: `trigger public.orders audit`.
    pub definitions: BTreeMap<String, Defined>,
    /// The sum of what is in all large objects, where it holds any that could be read.
    pub large_objects: Option<u64>,
    /// What the dump needs and does not hold, where whoever made it said so.
    pub dependencies: Vec<Dependency>,
    /// PostgreSQL: what its definitions name or its rows want, and it does not hold, where nobody said what it lacks. It
    /// may be there.
    pub unheld: Vec<Dependency>,
    /// What the dump holds and no trial compares: `privileges`.
    pub not_compared: BTreeSet<&'static str>,
    /// What not every server of the engine takes.
    pub features: Vec<Feature>,
    /// The database that it is of, where a file names it.
    pub database: Option<String>,
    /// What belonged to the database itself, as far as that is known.
    pub properties: Option<DatabaseProperties>,
    /// PostgreSQL: the locale in which amounts of money are written, where that is known.
    pub lc_monetary: Option<String>,
    /// The longest statement or row, in bytes.
    pub longest_statement: u64,
    /// Facts that only this engine's own planning reads (`archive.version`, `toc.entry...`).
    pub facts: BTreeMap<String, String>,
    /// The parts of the dump that can be chosen one by one: PostgreSQL's table of contents, the sections of SQL.
    pub entries: Vec<Entry>,
    /// Whoever wrote the dump writes no mark at its end: its structure is whole, and nothing proves that it is all.
    pub unproven: Option<Incomplete>,
    /// Statements follow the end of the dump. Nothing proves that these are all.
    pub appended: Option<Incomplete>,
}

impl Content {
    /// The same, if its end was seen, and was the end.
    pub fn proved(mut self) -> Result<Self, Incomplete> {
        match self.unproven.take().or(self.appended.take()) {
            Some(incomplete) => Err(incomplete),
            None => Ok(self),
        }
    }

    /// MySQL and MariaDB: whether it has rows, and no table of them is defined in it.
    #[must_use]
    pub fn holds_rows_alone(&self) -> bool {
        let is_alone = |table: &DumpedTable| table.structure.is_none();
        self.format.tells_structure && !self.tables.is_empty() && self.tables.iter().all(is_alone)
    }

    /// Nothing yet, in this form.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self {
            format,
            tables: Vec::new(),
            objects: 0,
            source_version: None,
            source_flavour: None,
            client_version: None,
            extensions: Vec::new(),
            schemas: Vec::new(),
            collations: Vec::new(),
            float_columns: Vec::new(),
            definitions: BTreeMap::new(),
            large_objects: None,
            dependencies: Vec::new(),
            unheld: Vec::new(),
            not_compared: BTreeSet::new(),
            features: Vec::new(),
            database: None,
            properties: None,
            lc_monetary: None,
            longest_statement: 0,
            facts: BTreeMap::new(),
            entries: Vec::new(),
            unproven: None,
            appended: None,
        }
    }
}

/// What a dump says of an object, in hashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Defined {
    /// Its definition.
    pub text: u64,
    /// Whose it is, where it says so.
    pub owner: Option<NonZeroU64>,
}

/// Tells two things apart without holding both: lists of entries, names, statements.
#[must_use]
pub fn fingerprint(thing: &(impl Hash + ?Sized)) -> u64 {
    let mut hasher = DefaultHasher::new();
    thing.hash(&mut hasher);
    hasher.finish()
}

/// The same of a dump's entries, wherever their bytes stand.
#[must_use]
pub fn fingerprint_of_entries<'e>(entries: impl Iterator<Item = &'e Entry>) -> u64 {
    let mut hasher = DefaultHasher::new();
    for Entry { id, kind, schema, tag, owner, needs, span: _ } in entries {
        (id, kind, schema, tag, owner, needs).hash(&mut hasher);
    }
    hasher.finish()
}

/// A table of a dump.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DumpedTable {
    /// The schema, where the engine has them.
    pub schema: Option<String>,
    /// The name.
    pub name: String,
    /// Rows counted in the dump; none where they can't be counted.
    pub rows: Option<u64>,
    /// The checksum of those rows (see `checksum`), where they were counted.
    pub checksum: Option<u64>,
    /// PostgreSQL: the columns of its COPY, as they stand there. A checksum is of rows in this shape.
    pub columns: Option<String>,
    /// MySQL: the column that the server added by itself. A checksum is of rows with it.
    pub added_column: Option<String>,
    /// PostgreSQL: the table that the rows are loaded into when it is another, as `schema.name`: that of a partition
    /// whose rows its root sorts anew (`--load-via-partition-root`).
    pub root: Option<String>,
    /// MySQL: what its definition names; none where the dump does not create it.
    pub structure: Option<Structure>,
}

/// What a table's definition names, in sums of hashes: the order of the names is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Structure {
    /// Columns, keys and checks; 0 where the definition was not understood.
    pub own: u64,
    /// Foreign keys; 0 where there is none.
    pub foreign: u64,
    /// The foreign keys can be made behind the rows, in a statement of their own.
    pub divides: bool,
}

/// Something in a dump that not every server of its engine takes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Feature {
    /// Its name: a row of the engine's table of features, or what only the target can tell that it has.
    pub name: String,
    /// What kind of object it stands in, as the dump calls it: `TABLE`, `FK CONSTRAINT`.
    pub kind: String,
    /// That object's name: `public.users`, `users`, `users.total`.
    pub object: String,
}

impl Feature {
    /// For people: `table public.users`.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{} {}", self.kind.to_lowercase(), self.object)
    }
}

/// One entry of a PostgreSQL archive's table of contents, or the section of an SQL dump that stands for one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Its number, which `pg_restore -L` goes by; in SQL its place among the sections.
    pub id: i64,
    /// Its kind, such as `TABLE DATA`.
    pub kind: String,
    /// Its schema.
    pub schema: Option<String>,
    /// Its name.
    pub tag: String,
    /// Its owner.
    pub owner: Option<String>,
    /// The numbers of the entries that it needs.
    pub needs: Vec<i64>,
    /// Where its bytes stand in the dump: its block of rows in the custom format, its section in SQL.
    pub span: Option<Range<u64>>,
}
