//! What a dump holds, gathered while its bytes pass by. Each form has a reader of its own: `custom`, `plain`,
//! `directory`; this is what they share.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::custom::Custom;
use super::dump_lines::{identifier, owner_or_grantees, policy_roles, qualified};
use super::name_index::NameIndex;
use super::plain::Plain;
use super::toc::{Header, TocEntry};
use super::untrusted::Untrusted;
use super::{database_entries, definition};
use crate::engine::postgres::features;
use crate::engine::postgres::restore::tablespaces;
use crate::engine::postgres::restore::unheld::Named;
use crate::engine::postgres::sql::gate::{Act, Event, Relation, Relations, Stopped};
use crate::engine::{
    Content, Defined, DumpedTable, Entry, Feature, Flavour, Format, GENERATED_VALUES, Incomplete, Inspector,
    fingerprint,
};
use crate::error::Result;
use crate::properties::DatabaseProperties;

/// The fact that names the roles of a dump's policies, each but the last followed by a zero byte.
pub const ROLES: &str = "roles";

/// The fact that names the roles that are granted something, in the same way.
pub const GRANTEES: &str = "grantees";

/// The fact that says which entries of a table of contents name which of these: the entry's number, a tab, the role, each
/// but the last followed by a zero byte.
pub const ROLES_OF_ENTRIES: &str = "roles.of_entries";

/// The fact that names the first psql command of a script, and its line.
pub const COMMAND: &str = "psql.command";

/// The fact that names the first psql command that goes to another database, and its line.
pub const CONNECTS: &str = "psql.connects";

/// The fact that says what names, rows and definitions are written in: `LATIN1`.
pub const ENCODING: &str = "encoding";
/// The fact that says which schema each extension of a dump is in: `citext`, a tab, `public`, a line for each.
pub const EXTENSION_SCHEMAS: &str = "extensions.schemas";

/// A reader for a dump's bytes in this format.
pub fn inspector(format: Format) -> Box<dyn Inspector> {
    match format {
        Format::PG_CUSTOM => Box::new(Custom::default()),
        Format::PG_PLAIN => Box::new(Plain::default()),
        Format::PG_TAR => Box::new(Unreadable("pg_dump's tar format is not read: unpack it, and name the folder")),
        Format::PG_DIRECTORY => Box::new(Unreadable("a directory-format dump is a folder, not a stream")),
        _ => Box::new(Unreadable("this is another engine's dump, not PostgreSQL's")),
    }
}

/// The form of what begins like this, where it says that it is `pg_dump`'s.
pub fn recognise(beginning: &[u8]) -> Option<Format> {
    if beginning.starts_with(b"PGDMP") {
        return Some(Format::PG_CUSTOM);
    }
    String::from_utf8_lossy(beginning).contains("PostgreSQL database dump").then_some(Format::PG_PLAIN)
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
    places: NameIndex,
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

    /// What a second dump in the same file drops, the first one has brought in vain.
    pub fn dropped(&mut self, schema: Option<&str>, name: &str) {
        let is = |table: &DumpedTable| table.schema.as_deref() == schema && table.name == name;
        if let Some(place) = self.places.of(schema, name).find(|place| is(&self.list[*place])) {
            let table = &mut self.list[place];
            (table.rows, table.checksum) = (table.rows.and(Some(0)), table.checksum.and(Some(0)));
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

/// A hash of an entry's name: of ten thousand tables it takes less room than the name.
pub fn hashed_name(entry: &Entry) -> u64 {
    fingerprint(&(&entry.schema, &entry.tag))
}

/// The number of the section that is restored behind the rows.
const POST_DATA: i64 = 4;

/// What of an archive is stopped. Several sessions fill tables when all that makes something was run, wherever that stands.
fn stopped(toc: &mut [TocEntry]) -> Stopped {
    let (mut stopped, mut relations) = (Stopped::default(), Relations::default());
    let place = |entry: &Entry| format!("entry {}: {} {}", entry.id, entry.kind, entry.tag);
    let mut later = Vec::new();
    for (at, TocEntry { entry, stopped: reason, acts, section, copy, .. }) in toc.iter_mut().enumerate() {
        if let Some(reason) = *reason {
            stopped.add(&place(entry), reason);
        }
        if entry.kind == "TABLE DATA" && copy.is_none() {
            later.push((at, Act::Fires(Relation::of(entry), Event::Insert)));
        }
        for act in std::mem::take(acts) {
            // Where pg_dump writes rules, no rows follow.
            let waits = matches!(act, Act::Rule(..)) && *section == POST_DATA;
            if act.makes() && !waits {
                relations.note(act, || place(entry), &mut stopped);
            } else {
                later.push((at, act));
            }
        }
    }
    for (at, act) in later {
        relations.note(act, || place(&toc[at].entry), &mut stopped);
    }
    for TocEntry { entry, .. } in toc.iter().filter(|entry| entry.fills_its_own) {
        relations.note(Act::Rows(Relation::of(entry)), || place(entry), &mut stopped);
    }
    relations.judge(&mut stopped);
    stopped
}

/// What an archive's table of contents says and asks, with the tables that were counted.
pub fn describe(format: Format, header: &Header, mut toc: Vec<TocEntry>, asked: Asked, tables: Tables) -> Content {
    let stopped = stopped(&mut toc);
    let mut untrusted = Untrusted::default();
    for TocEntry { entry, .. } in toc.iter().filter(|entry| entry.untrusted) {
        untrusted.add(&format!("entry {}: {} {}", entry.id, entry.kind, entry.tag));
    }
    let entries: Vec<Entry> = toc.into_iter().map(|t| t.entry).collect();
    let filled: HashSet<u64> = entries.iter().filter(|e| e.kind == "TABLE DATA").map(hashed_name).collect();
    let tables = tables.into_list(|table| filled.contains(&fingerprint(&(&table.schema, &table.name))));
    drop(filled);
    let tags = |kind: &str| entries.iter().filter(|e| e.kind == kind).map(|e| e.tag.clone()).collect();
    let mut facts = BTreeMap::from([
        ("archive.version".to_owned(), format!("{}.{}", header.version.0, header.version.1)),
        ("archive.compression".to_owned(), header.compression.to_owned()),
        (ROLES.to_owned(), asked.roles.iter().map(String::as_str).collect::<Vec<_>>().join("\0")),
        (GRANTEES.to_owned(), asked.grantees.iter().map(String::as_str).collect::<Vec<_>>().join("\0")),
    ]);
    let of_entries: Vec<_> = asked.roles_of_entries.iter().map(|(id, role)| format!("{id}\t{role}")).collect();
    facts.insert(ROLES_OF_ENTRIES.to_owned(), of_entries.join("\0"));
    facts.extend(stopped.facts());
    facts.extend(untrusted.facts());
    facts.extend(header.encoding_name.clone().map(|name| (ENCODING.to_owned(), name)));
    let mut content = Content {
        tables,
        objects: entries.len() as u64,
        source_version: header.source.clone(),
        source_flavour: Some(Flavour::POSTGRES),
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
    /// Who is granted something.
    grantees: BTreeSet<String>,
    /// Which entries name which of both.
    roles_of_entries: BTreeSet<(i64, String)>,
    features: BTreeSet<Feature>,
    collations: BTreeSet<String>,
    definitions: BTreeMap<String, Defined>,
    not_compared: BTreeSet<&'static str>,
    database: DatabaseProperties,
    /// Extensions, each with its schema.
    extensions: Vec<(String, String)>,
    /// What definitions name.
    named: Named,
    tablespaces: tablespaces::Named,
}

impl Asked {
    /// The same without definitions, which only a whole dump is compared by: of many objects they are megabytes.
    pub fn outline(&self) -> Self {
        Self {
            roles: self.roles.clone(),
            grantees: self.grantees.clone(),
            roles_of_entries: self.roles_of_entries.clone(),
            features: self.features.clone(),
            collations: self.collations.clone(),
            definitions: BTreeMap::new(),
            not_compared: self.not_compared.clone(),
            database: self.database.clone(),
            extensions: self.extensions.clone(),
            named: Named::default(),
            tablespaces: self.tablespaces.clone(),
        }
    }

    /// Adds what one entry's SQL asks.
    pub fn note(&mut self, entry: &Entry, sql: &str) {
        database_entries::note(&mut self.database, entry, sql);
        self.named.note(entry, sql);
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
        match definition::name(entry) {
            Ok(name) => definition::add(self.definitions.entry(name).or_default(), entry, sql),
            Err(other) => self.not_compared.extend((!other.is_empty()).then_some(other)),
        }
    }

    /// Adds what an entry of a table of contents asks, and takes its SQL away: of all that an entry holds it is the most.
    pub fn take(&mut self, entry: &mut TocEntry) {
        let definition = std::mem::take(&mut entry.definition);
        self.tablespaces.add(entry.tablespace.take());
        self.note(&entry.entry, &definition);
        let (named, all) = if entry.entry.kind == "POLICY" {
            (policy_roles(&definition), &mut self.roles)
        } else if definition::is_acl(&entry.entry) && !entry.entry.tag.starts_with("DATABASE ") {
            // Grants on the database itself are applied one by one, each where it can be.
            (definition.lines().flat_map(owner_or_grantees).collect(), &mut self.grantees)
        } else {
            return;
        };
        self.roles_of_entries.extend(named.iter().map(|role| (entry.entry.id, role.clone())));
        all.extend(named);
    }

    /// Puts it into the content.
    pub fn tell(self, content: &mut Content) {
        content.unheld = self.named.unheld(&content.entries, &self.extensions);
        content.features = self.features.into_iter().collect();
        content.collations = self.collations.into_iter().collect();
        content.definitions = self.definitions;
        content.facts.extend(self.tablespaces.facts());
        content.not_compared.extend(self.not_compared);
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
