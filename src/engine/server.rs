//! What a probe learns of a server.

use std::collections::{BTreeMap, BTreeSet};

use super::{Dependency, Flavour, Product, Selected, Version};
use crate::connection::Connection;
use crate::hint::Hint;
use crate::properties::DatabaseProperties;

/// What a probe is for: a restore also needs to know what the target holds and can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Reading.
    Dump,
    /// Writing.
    Restore,
}

/// What a probe learned of a server.
#[derive(Clone, Debug)]
pub struct Server {
    /// Whose.
    pub flavour: Flavour,
    /// Which.
    pub version: Version,
    /// In its own words.
    pub version_text: String,
    /// What it is, where it is not just its vendor's server: `Amazon Aurora`.
    pub products: Vec<&'static Product>,
    /// The user that logged in, as the URI names it.
    pub login: String,
    /// The user whose rights count: another one where a role acts as another, or where an account stands for several names.
    pub user: String,
    /// The database that we are in.
    pub database: String,
    /// What the user is to this database, for people: `owner`, `superuser`, `reader`.
    pub standing: String,
    /// The database's size in bytes, as the server counts it.
    pub size: Option<u64>,
    /// The user tables, with estimates.
    pub tables: Vec<TableEstimate>,
    /// The server's or database's character set: `UTF8`, `utf8mb4`.
    pub encoding: String,
    /// The database's collation.
    pub collation: String,
    /// What belongs to the database itself; nothing while it is not there.
    pub properties: DatabaseProperties,
    /// A standby or replica.
    pub replica: bool,
    /// Refuses writes.
    pub read_only: bool,
    /// A pooler answered in the server's name: `PgBouncer`.
    pub pooler: Option<String>,
    /// Connections that this user may still open.
    pub connections_left: Option<u64>,
    /// The session is encrypted.
    pub encrypted: bool,
    /// What a dump will lack or stumble over, and what a person should know.
    pub findings: Vec<Finding>,
    /// What the dump's options choose, where that is a part.
    pub selected: Option<Selected>,
    /// Facts about a restore's target; empty after a probe for a dump.
    pub target: Target,
    /// Server settings and rights that only this engine's own planning reads, by their own names
    /// (`gtid_mode`, `max_allowed_packet`, `grant.process`).
    pub settings: BTreeMap<String, String>,
}

impl Server {
    /// A server of which nothing more is known than that it answered as this connection asks.
    #[must_use]
    pub fn new(flavour: Flavour, version: Version, connection: &Connection) -> Self {
        Self {
            flavour,
            version,
            version_text: version.to_string(),
            products: Vec::new(),
            login: connection.user.clone(),
            user: connection.user.clone(),
            database: connection.database.clone(),
            standing: String::new(),
            size: None,
            tables: Vec::new(),
            encoding: String::new(),
            collation: String::new(),
            properties: DatabaseProperties::default(),
            replica: false,
            read_only: false,
            pooler: None,
            connections_left: None,
            encrypted: false,
            findings: Vec::new(),
            selected: None,
            target: Target::default(),
            settings: BTreeMap::new(),
        }
    }
}

/// A user's table, as the statistics have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableEstimate {
    /// The schema; for MySQL the database.
    pub schema: String,
    /// The name.
    pub name: String,
    /// Rows, estimated.
    pub rows: u64,
    /// Bytes of its data, indexes not counted.
    pub bytes: u64,
}

/// Something that a probe noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// What: one line that names the object or setting.
    pub what: String,
    /// What to do about it.
    pub hint: Option<Hint>,
    /// What it is about.
    pub subject: Subject,
}

impl Finding {
    /// One that concerns every dump.
    pub fn new(severity: Severity, what: impl Into<String>, hint: Option<Hint>) -> Self {
        Self { severity, what: what.into(), hint, subject: Subject::Database }
    }

    /// The same about this.
    #[must_use]
    pub fn about(self, subject: Subject) -> Self {
        Self { subject, ..self }
    }
}

/// What a finding is about: a dump that leaves this very thing out lacks nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Subject {
    /// Every dump.
    #[default]
    Database,
    /// A table, view or sequence: for PostgreSQL as a pattern that means it alone, for MySQL its name.
    Relation(String),
    /// A table's rows, named in the same way.
    Rows(String),
    /// A view's definition; for PostgreSQL also what else stands on a table.
    View(String),
    /// MySQL: the tables that the user does not see.
    UnseenTables,
    /// MySQL: the triggers of the dumped tables.
    Triggers,
    /// MySQL: the events.
    Events,
    /// MySQL: the routines.
    Routines,
    /// PostgreSQL: the rows of an extension's configuration table.
    Configuration,
    /// PostgreSQL: what stands in no schema, as subscriptions.
    OutsideOfSchemas,
    /// PostgreSQL: the large objects.
    LargeObjects,
    /// PostgreSQL: what no dump has, whatever its options.
    NotHeld,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Note,
    /// The dump works, with a difference.
    Warning,
    /// The dump would lack something.
    Missing,
    /// The dump would fail: refused before it starts.
    Fatal,
}

/// What the target of a restore holds and can take.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// False when the database does not exist (`--create` makes it).
    pub exists: bool,
    /// Objects that belong to no extension, as `table public.users`; at most a few dozen.
    pub objects: Vec<String>,
    /// How many there are in all.
    pub object_count: u64,
    /// Extensions that can be created there.
    pub extensions: Vec<String>,
    /// Collations that it knows; for PostgreSQL those of `pg_catalog`.
    pub collations: Vec<String>,
    /// Rights that the user lacks, as sentences.
    pub lacks: Vec<String>,
    /// What the restore needs, and neither brings nor finds there.
    pub lacking: Vec<Dependency>,
    /// What an earlier restore of the same dump left, where that was asked for.
    pub left: ResumeState,
    /// Triggers that rows fire when they come into tables which are there, as far as the user sees them.
    pub triggers: Vec<TargetTrigger>,
    /// PostgreSQL: event triggers that an `ALTER TABLE` fires, and what they are: `O`, `R` or `A`.
    pub event_triggers: Vec<(String, String)>,
}

/// A trigger of a target's that a row or a load fires.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetTrigger {
    /// Its table's schema; for MySQL the database.
    pub schema: String,
    /// Its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// PostgreSQL: when it fires, as the catalogue says it: `O`, `R` or `A`.
    pub state: String,
    /// The user may switch it off.
    pub owned: bool,
    /// PostgreSQL: the root of its table's partition tree, as `schema.name`.
    pub root: Option<String>,
}

/// What an earlier restore of the same dump left in a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResumeState {
    /// Tables that hold what the dump brings, by their names in the dump.
    pub complete: BTreeSet<String>,
    /// Those of them that lack their foreign keys, and nothing else.
    pub without_foreign_keys: BTreeSet<String>,
    /// Tables that are there and not complete, and what they lack: `orders (1,200 of 3,000 rows)`.
    pub incomplete: Vec<String>,
    /// What comes again and is there, to be dropped in this order: `TABLE`, and the name.
    pub again: Vec<(String, String)>,
    /// What the dump does not bring: `table logs`.
    pub foreign: Vec<String>,
}
