//! What a dump holds, gathered while its bytes pass by. Each form has a reader of its own: `custom`, `plain`,
//! `directory`; this is what they share.

use std::collections::{BTreeMap, BTreeSet};

use super::custom::Custom;
use super::definition;
use super::places::Places;
use super::plain::{Plain, identifier, policy_roles, qualified};
use super::toc::{Header, TocEntry};
use super::{database_entries, features};
use crate::engine::{Content, DumpedTable, Entry, Feature, Flavour, Format, GENERATED_VALUES, Incomplete, Inspector};
use crate::error::Result;
use crate::properties::DatabaseProperties;

/// The fact that names the roles of a dump's policies, each but the last followed by a zero byte.
pub const ROLES: &str = "roles";

/// The fact that names the first psql command of a script, and its line.
pub const COMMAND: &str = "psql.command";

/// The fact that names the first statement that reaches for the server's files.
pub const FILES: &str = "server.files";

/// The fact that says what names, rows and definitions are written in: `LATIN1`.
pub const ENCODING: &str = "encoding";
/// The fact that says which schema each extension of a dump is in: `citext`, a tab, `public`, a line for each.
pub const EXTENSION_SCHEMAS: &str = "extensions.schemas";

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
        Err(Incomplete::new(self.0, 0))
    }
}

/// The tables of a dump, in its order, found again by name.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    list: Vec<DumpedTable>,
    places: Places,
}

impl Tables {
    /// The table's place in the list; a new one is added.
    pub fn place(&mut self, schema: Option<&str>, name: &str) -> usize {
        let is = |table: &DumpedTable| table.schema.as_deref() == schema && table.name == name;
        if let Some(place) = self.places.of(schema, name).find(|place| is(&self.list[*place])) {
            return place;
        }
        self.places.insert(schema, name, self.list.len());
        self.list.push(DumpedTable { schema: schema.map(str::to_owned), name: name.to_owned(), ..Default::default() });
        self.list.len() - 1
    }

    /// A table by its place.
    pub fn get(&self, place: usize) -> Option<&DumpedTable> {
        self.list.get(place)
    }

    /// Adds rows, and the sum of their hashes, to a table.
    pub fn count(&mut self, place: usize, rows: u64, sum: u64) {
        if let Some(table) = self.list.get_mut(place) {
            table.rows = Some(table.rows.unwrap_or(0) + rows);
            table.checksum = Some(table.checksum.unwrap_or(0).wrapping_add(sum));
        }
    }

    /// Notes what a table's COPY says: `COPY public.orders (id, note) FROM stdin;`.
    pub fn copied(&mut self, place: usize, statement: &str) {
        let (Some(table), Some((schema, name, rest))) =
            (self.list.get_mut(place), statement.strip_prefix("COPY ").and_then(qualified))
        else {
            return;
        };
        table.columns = rest.split_once(" FROM stdin").map(|(columns, _)| columns.trim().to_owned());
        if (schema.as_ref(), &name) != (table.schema.as_ref(), &table.name) {
            table.root = Some(schema.map_or_else(|| name.clone(), |schema| format!("{schema}.{name}")));
        }
    }

    /// All of them. Those that are not in `uncounted` and have no rows in the dump, such as partitioned tables, hold none.
    pub fn into_list(mut self, uncounted: impl Fn(&DumpedTable) -> bool) -> Vec<DumpedTable> {
        for table in self.list.iter_mut().filter(|table| table.rows.is_none()) {
            let none = (!uncounted(table)).then_some(0);
            (table.rows, table.checksum) = (none, none);
        }
        self.list
    }
}

/// Notes a table that an entry creates or fills. Its place, if it is one.
pub fn table_of(tables: &mut Tables, entry: &Entry) -> Option<usize> {
    matches!(entry.kind.as_str(), "TABLE" | "TABLE DATA").then(|| tables.place(entry.schema.as_deref(), &entry.tag))
}

/// What an archive's table of contents says and asks, with the tables that were counted.
pub fn describe(format: Format, header: &Header, toc: Vec<TocEntry>, asked: Asked, tables: Tables) -> Content {
    let files = toc.iter().find(|t| t.reaches_files);
    let files = files.map(|t| format!("entry {}: {} {}", t.entry.id, t.entry.kind, t.entry.tag));
    let entries: Vec<Entry> = toc.into_iter().map(|t| t.entry).collect();
    let filled: BTreeSet<_> =
        entries.iter().filter(|e| e.kind == "TABLE DATA").map(|e| (e.schema.as_deref(), e.tag.as_str())).collect();
    let tables = tables.into_list(|table| filled.contains(&(table.schema.as_deref(), table.name.as_str())));
    let tags = |kind: &str| entries.iter().filter(|e| e.kind == kind).map(|e| e.tag.clone()).collect();
    let mut facts = BTreeMap::from([
        ("archive.version".to_owned(), format!("{}.{}", header.version.0, header.version.1)),
        ("archive.compression".to_owned(), header.compression.to_owned()),
        (ROLES.to_owned(), asked.roles.iter().map(String::as_str).collect::<Vec<_>>().join("\0")),
    ]);
    facts.extend(files.map(|entry| (FILES.to_owned(), entry)));
    facts.extend(header.encoding_name.clone().map(|name| (ENCODING.to_owned(), name)));
    let mut content = Content {
        tables,
        objects: entries.len() as u64,
        source_version: header.source.clone(),
        source_flavour: Some(Flavour::Postgres),
        client_version: header.client.clone(),
        extensions: tags("EXTENSION"),
        schemas: tags("SCHEMA"),
        facts,
        entries,
        ..Content::new(format)
    };
    asked.tell(&mut content);
    content
}

/// What the entries of a dump ask of a server, and tell of their database, gathered.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Without whom a policy can't be made.
    roles: BTreeSet<String>,
    features: BTreeSet<Feature>,
    collations: BTreeSet<String>,
    definitions: BTreeMap<String, u64>,
    not_compared: BTreeSet<&'static str>,
    database: DatabaseProperties,
    /// Extensions, each with its schema.
    extensions: Vec<(String, String)>,
}

impl Asked {
    /// The same without definitions, which only a whole dump is compared by: of many objects they are megabytes.
    pub fn outline(&self) -> Self {
        Self {
            roles: self.roles.clone(),
            features: self.features.clone(),
            collations: self.collations.clone(),
            definitions: BTreeMap::new(),
            not_compared: self.not_compared.clone(),
            database: self.database.clone(),
            extensions: self.extensions.clone(),
        }
    }

    /// Adds what one entry's SQL asks.
    pub fn note(&mut self, entry: &Entry, sql: &str) {
        database_entries::note(&mut self.database, entry, sql);
        self.extensions.extend(extension(sql).filter(|_| entry.kind == "EXTENSION"));
        let generates = entry.kind == "TABLE" && sql.contains(" GENERATED ALWAYS AS (");
        self.not_compared.extend(generates.then_some(GENERATED_VALUES));
        let asks = features::of(&entry.kind, sql);
        self.features.extend(asks.features.into_iter().map(|name| Feature {
            name,
            kind: entry.kind.clone(),
            object: entry.schema.iter().chain([&entry.tag]).map(String::as_str).collect::<Vec<_>>().join("."),
        }));
        self.collations.extend(asks.collations);
        let owned = entry.owner.is_some() && !entry.kind.is_empty() || definition::sets_owner(sql);
        self.not_compared.extend(owned.then_some("owners"));
        match (definition::name(entry), definition::hash(sql)) {
            (Ok(name), Some(hash)) => {
                let sum = self.definitions.entry(name).or_default();
                *sum = sum.wrapping_add(hash);
            }
            (Err(other), _) if !other.is_empty() => drop(self.not_compared.insert(other)),
            _ => {}
        }
    }

    /// Adds what an entry of a table of contents asks, and takes its SQL away: of all that an entry holds it is the most.
    pub fn take(&mut self, entry: &mut TocEntry) {
        let definition = std::mem::take(&mut entry.definition);
        self.note(&entry.entry, &definition);
        if entry.entry.kind == "POLICY" {
            self.roles.extend(policy_roles(&definition));
        }
    }

    /// Puts it into the content.
    pub fn tell(self, content: &mut Content) {
        content.features = self.features.into_iter().collect();
        content.collations = self.collations.into_iter().collect();
        content.definitions = self.definitions;
        content.not_compared = self.not_compared;
        // A dump is in its database's encoding, unless somebody wanted another.
        let encoding = self.database.encoding.clone().or_else(|| content.facts.get(ENCODING).cloned());
        content.properties = Some(DatabaseProperties { encoding, ..self.database });
        let extensions: Vec<_> = self.extensions.iter().map(|(name, schema)| format!("{name}\t{schema}")).collect();
        if !extensions.is_empty() {
            content.facts.insert(EXTENSION_SCHEMAS.to_owned(), extensions.join("\n"));
        }
    }
}

/// Name and schema of `CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public;`.
fn extension(sql: &str) -> Option<(String, String)> {
    let (_, statement) = sql.split_once("CREATE EXTENSION IF NOT EXISTS ")?;
    let (name, rest) = identifier(statement)?;
    let (schema, _) = identifier(rest.strip_prefix(" WITH SCHEMA ")?)?;
    Some((name, schema))
}
