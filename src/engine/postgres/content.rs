//! What a dump holds, gathered while its bytes pass by. Each form has a reader of its own: `custom`, `plain`,
//! `directory`; this is what they share.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::custom::Custom;
use super::plain::Plain;
use super::toc::{Header, TocEntry};
use crate::engine::{Content, DumpedTable, Entry, Flavour, Format, Incomplete, Inspector};
use crate::error::Result;

/// A reader for a dump's bytes in this format.
pub fn inspector(format: Format) -> Box<dyn Inspector> {
    match format {
        Format::PgCustom => Box::new(Custom::default()),
        Format::PgPlain => Box::new(Plain::default()),
        Format::PgTar => Box::new(Unreadable("pg_dump's tar format is not read: unpack it, and name the folder")),
        Format::PgDirectory => Box::new(Unreadable("a directory-format dump is a folder, not a stream")),
        Format::MysqlSql => Box::new(Unreadable("this is a dump for MySQL, not for PostgreSQL")),
    }
}

/// Refuses a form that has no reader.
struct Unreadable(&'static str);

impl Inspector for Unreadable {
    fn see(&mut self, _: &[u8]) {}

    fn position(&self) -> Option<(&DumpedTable, usize)> {
        None
    }

    fn finish(self: Box<Self>) -> Result<Content, Incomplete> {
        Err(Incomplete { what: self.0.to_owned(), offset: 0 })
    }
}

/// The tables of a dump, in its order, found again by name.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    list: Vec<DumpedTable>,
    by_name: HashMap<(Option<String>, String), usize>,
}

impl Tables {
    /// The table's place in the list; a new one is added.
    pub fn place(&mut self, schema: Option<&str>, name: &str) -> usize {
        let key = (schema.map(str::to_owned), name.to_owned());
        *self.by_name.entry(key).or_insert_with(|| {
            self.list.push(DumpedTable { schema: schema.map(str::to_owned), name: name.to_owned(), rows: None });
            self.list.len() - 1
        })
    }

    /// A table by its place.
    pub fn get(&self, place: usize) -> Option<&DumpedTable> {
        self.list.get(place)
    }

    /// Adds rows to a table's count.
    pub fn count(&mut self, place: usize, rows: u64) {
        if let Some(table) = self.list.get_mut(place) {
            table.rows = Some(table.rows.unwrap_or(0) + rows);
        }
    }

    /// All of them. Those that are not in `uncounted` and have no rows in the dump, such as partitioned tables, hold none.
    pub fn into_list(mut self, uncounted: impl Fn(&DumpedTable) -> bool) -> Vec<DumpedTable> {
        for table in self.list.iter_mut().filter(|table| table.rows.is_none()) {
            table.rows = (!uncounted(table)).then_some(0);
        }
        self.list
    }
}

/// Notes a table that an entry creates or fills. Its place, if it is one.
pub fn table_of(tables: &mut Tables, entry: &Entry) -> Option<usize> {
    matches!(entry.kind.as_str(), "TABLE" | "TABLE DATA").then(|| tables.place(entry.schema.as_deref(), &entry.tag))
}

/// What an archive's table of contents says, with the tables that were counted.
pub fn describe(format: Format, header: &Header, toc: Vec<TocEntry>, tables: Tables) -> Content {
    let entries: Vec<Entry> = toc.into_iter().map(|t| t.entry).collect();
    let filled: BTreeSet<_> =
        entries.iter().filter(|e| e.kind == "TABLE DATA").map(|e| (e.schema.as_deref(), e.tag.as_str())).collect();
    let tables = tables.into_list(|table| filled.contains(&(table.schema.as_deref(), table.name.as_str())));
    let tags = |kind: &str| entries.iter().filter(|e| e.kind == kind).map(|e| e.tag.clone()).collect();
    let facts = BTreeMap::from([
        ("archive.version".to_owned(), format!("{}.{}", header.version.0, header.version.1)),
        ("archive.compression".to_owned(), header.compression.to_owned()),
    ]);
    Content {
        format,
        tables,
        objects: entries.len() as u64,
        source_version: header.source.clone(),
        source_flavour: Some(Flavour::Postgres),
        client_version: header.client.clone(),
        extensions: tags("EXTENSION"),
        schemas: tags("SCHEMA"),
        collations: Vec::new(),
        longest_statement: 0,
        facts,
        entries,
    }
}
