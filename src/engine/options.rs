//! What is dumped and restored, and how: every option resolved.

/// What is dumped, and how; every option resolved.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent switch of the command line")]
pub struct DumpOptions {
    /// PostgreSQL: plain SQL instead of the custom format.
    pub plain: bool,
    /// psql patterns.
    pub schemas: Vec<String>,
    /// psql patterns.
    pub exclude_schemas: Vec<String>,
    /// psql patterns.
    pub tables: Vec<String>,
    /// psql patterns.
    pub exclude_tables: Vec<String>,
    /// psql patterns: the table stays, its rows don't.
    pub exclude_table_data: Vec<String>,
    /// What the chosen part needs is dumped, too: for a copy, whose restore chooses.
    pub with_dependencies: bool,
    /// No rows.
    pub schema_only: bool,
    /// Only rows.
    pub data_only: bool,
    /// Leave owners out.
    pub no_owner: bool,
    /// Leave privileges out.
    pub no_privileges: bool,
    /// Leave comments out.
    pub no_comments: bool,
    /// Go on although something will be missing.
    pub allow_incomplete: bool,
    /// Handed to the client as they are.
    pub extra: Vec<String>,
    /// Sessions at once; one for less than two.
    pub jobs: u32,
    /// PostgreSQL, for a copy by several jobs: definitions apart from rows.
    pub split: bool,
    /// The client reads all rows, also those of which sessions of our own would keep more: to be held against such a
    /// dump.
    pub client_rows: bool,
}

impl DumpOptions {
    /// The pattern lists, by the names that they have on the command lines of dbhaul and pg_dump.
    #[must_use]
    pub fn patterns(&self) -> [(&'static str, &Vec<String>); 5] {
        [
            ("schema", &self.schemas),
            ("exclude-schema", &self.exclude_schemas),
            ("table", &self.tables),
            ("exclude-table", &self.exclude_tables),
            ("exclude-table-data", &self.exclude_table_data),
        ]
    }
}

impl DumpOptions {
    /// One of the lists by that name.
    pub(crate) fn patterns_mut(&mut self, name: &str) -> Option<&mut Vec<String>> {
        match name {
            "schema" => Some(&mut self.schemas),
            "exclude-schema" => Some(&mut self.exclude_schemas),
            "table" => Some(&mut self.tables),
            "exclude-table" => Some(&mut self.exclude_tables),
            "exclude-table-data" => Some(&mut self.exclude_table_data),
            _ => None,
        }
    }
}

/// What a finished restore keeps, and what it may do to the target; every option resolved.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent switch of the command line")]
pub struct RestoreOptions {
    /// Parallel sessions; 1 is one transaction where possible.
    pub jobs: u32,
    /// What is dropped first.
    pub clean: Option<Clean>,
    /// Create the database.
    pub create: bool,
    /// Restore beside what is there.
    pub into_non_empty: bool,
    /// Go on from what an earlier restore of the same dump left (MySQL family).
    pub resume: bool,
    /// No rows.
    pub schema_only: bool,
    /// Only rows.
    pub data_only: bool,
    /// Let the target's triggers run for rows that come into tables which are there already.
    pub triggers: bool,
    /// Events come disabled, instead of as the dump has them (MySQL family).
    pub disable_events: bool,
    /// Only these tables, literal names (`schema.name` or `name`).
    pub tables: Vec<String>,
    /// Only these schemas, literal names.
    pub schemas: Vec<String>,
    /// These tables without their rows, literal names.
    pub exclude_table_data: Vec<String>,
    /// What the chosen part needs comes along.
    pub with_dependencies: bool,
    /// Set owners as in the dump.
    pub keep_owner: bool,
    /// Grant privileges as in the dump.
    pub keep_privileges: bool,
    /// Leave definers as they are.
    pub keep_definers: bool,
    /// Leave comments out.
    pub no_comments: bool,
    /// Collations that take another one's place on the way in (MySQL family).
    pub map_collations: Vec<CollationMap>,
    /// PostgreSQL: leave these extensions out, literal names.
    pub exclude_extensions: Vec<String>,
    /// What becomes of the source's database settings; none: they are set where the database comes as a whole.
    pub database_settings: Option<DatabaseSettings>,
    /// Run what the dump holds beside SQL for its database: psql's commands, the files of the server's machine.
    pub trust: bool,
    /// PostgreSQL: refuse functions in languages that the server does not confine.
    pub refuse_untrusted: bool,
    /// The dump comes from a server that is read at this moment: what a file would be refused for is said, and comes along.
    pub of_server: bool,
    /// PostgreSQL: only this part of the dump.
    pub section: Option<Section>,
    /// PostgreSQL, for [`Section::Data`]: tables that are large enough to be emptied again before their rows come.
    pub large: Vec<(String, String)>,
}

impl RestoreOptions {
    /// Why what a dump of one database never holds is let through, if it is.
    #[must_use]
    pub fn lets_through(&self) -> Option<&'static str> {
        let of_server = self.of_server.then_some("because the source holds it");
        self.trust.then_some("by --trust").or(of_server)
    }

    /// What becomes of the source's database settings, in a database that the restore makes or that was there.
    #[must_use]
    pub fn database_settings(&self, made: bool) -> DatabaseSettings {
        let part = self.selects() || self.data_only || self.into_non_empty || self.resume;
        let usual = if made || !part { DatabaseSettings::Set } else { DatabaseSettings::Keep };
        self.database_settings.unwrap_or(usual)
    }

    /// Whether only a part of the dump is wanted, by name.
    #[must_use]
    pub fn selects(&self) -> bool {
        !(self.tables.is_empty() && self.schemas.is_empty() && self.exclude_table_data.is_empty())
    }
}

/// One collation in another one's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollationMap {
    /// The name in the dump.
    pub from: String,
    /// The name that the target knows.
    pub to: String,
}

impl Default for RestoreOptions {
    /// Everything, by one session, into an empty database.
    fn default() -> Self {
        Self {
            jobs: 1,
            clean: None,
            create: false,
            into_non_empty: false,
            resume: false,
            schema_only: false,
            data_only: false,
            triggers: false,
            disable_events: false,
            of_server: false,
            refuse_untrusted: false,
            tables: Vec::new(),
            schemas: Vec::new(),
            exclude_table_data: Vec::new(),
            with_dependencies: false,
            keep_owner: false,
            keep_privileges: false,
            keep_definers: false,
            no_comments: false,
            map_collations: Vec::new(),
            exclude_extensions: Vec::new(),
            database_settings: None,
            trust: false,
            section: None,
            large: Vec::new(),
        }
    }
}

/// What becomes of the source's database settings (`ALTER DATABASE ... SET`) where the target's database was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseSettings {
    /// The target's stay as they are.
    Keep,
    /// Those that the target lacks are set.
    Set,
    /// They are only told.
    Print,
}

/// A part of a dump, as `pg_dump` divides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// What rows need: tables, types, functions.
    PreData,
    /// Rows alone, of the tables that [`Section::PreData`] has made.
    Data,
    /// What is made behind rows: indexes, constraints, triggers, the rows of materialized views.
    PostData,
    /// Of that, all but [`Section::Readers`].
    Indexes,
    /// Of that, what reads tables when it is made, through their indexes: foreign keys, materialized views.
    Readers,
}

/// What `--clean` drops before a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clean {
    /// What the archive brings.
    Objects,
    /// Everything of the user's in the database; extensions stay.
    Schema,
    /// The database itself.
    Database,
}
