//! What is known of each database engine. Engines know dialects and spawn nothing: they probe over SQL, choose among
//! clients that were found, build [`Invocation`]s, read dumps as they pass by, and explain what a server said.
//!
//! Both engines have the same file names: `probe` (a short session), `clients` (which client fits), `dump` and
//! `restore` (whole command lines), `content` (reading a dump's bytes), `diagnose` (a client's stderr).

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use crate::connection::{Connection, Dialect, Limits};
use crate::error::{Error, Kind, Result};
use crate::invocation::Invocation;

pub mod mysql;
pub mod postgres;

/// A future that an engine hands back.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + 'a>>;

/// The engine for a connection's dialect.
#[must_use]
pub fn of(dialect: Dialect) -> &'static dyn Engine {
    match dialect {
        Dialect::Postgres => &postgres::Postgres,
        Dialect::Mysql => &mysql::Mysql,
    }
}

/// One database engine.
pub trait Engine: Sync {
    /// Which one.
    fn dialect(&self) -> Dialect;

    /// One short session that reads everything that planning needs; one attempt, no retries. Fails with
    /// `Kind::Connect` when the server can't be reached or refuses the login, with a hint for each cause.
    fn probe<'a>(&'a self, connection: &'a Connection, purpose: Purpose, limits: &'a Limits) -> Pending<'a, Server>;

    /// Refuses, with `Kind::Usage`, what can be told from the options alone, before anybody is asked anything.
    /// [`Engine::plan_dump`] refuses the same.
    fn check_options(&self, connection: &Connection, options: &DumpOptions) -> Result<()>;

    /// Asks the server whether the dump's patterns match something where the client would fail if they did not;
    /// `Kind::Usage` names the one that does not.
    fn check_patterns<'a>(
        &'a self,
        connection: &'a Connection,
        options: &'a DumpOptions,
        limits: &'a Limits,
    ) -> Pending<'a, ()> {
        let _ = (connection, options, limits);
        Box::pin(async { Ok(()) })
    }

    /// True while a session of ours (application name or user) is at work on the server, not waiting for a lock or
    /// for us: tells a long index build from a hung restore.
    fn busy<'a>(&'a self, connection: &'a Connection, limits: &'a Limits) -> Pending<'a, bool>;

    /// Empties or makes the target before a restore, as `--clean` and `--create` ask. Says what it did.
    fn prepare<'a>(
        &'a self,
        connection: &'a Connection,
        server: Option<&'a Server>,
        options: &'a RestoreOptions,
        limits: &'a Limits,
    ) -> Pending<'a, Vec<String>>;

    /// The bare names under which a client for this role may be installed, best first.
    fn programs(&self, role: Role) -> &'static [&'static str];

    /// Folders outside of PATH where packages put clients; a `*` stands for any name in its place.
    fn folders(&self) -> &'static [&'static str];

    /// Flavour and version from the text of `--version`; none when it is not such a client.
    fn read_version(&self, text: &str) -> Option<(Flavour, Version)>;

    /// The client that fits, or `Kind::Client` with what was found and what to install. `content` is there for a
    /// restore.
    fn choose<'c>(
        &self,
        role: Role,
        server: &Server,
        content: Option<&Content>,
        found: &'c [Client],
        rejected: &[Rejected],
    ) -> Result<&'c Client>;

    /// The dump's whole command line, and how to read what it writes.
    fn plan_dump(
        &self,
        connection: &Connection,
        server: &Server,
        client: &Client,
        options: &DumpOptions,
        limits: &Limits,
    ) -> Result<DumpPlan>;

    /// A reader for a dump's bytes in this format.
    fn inspector(&self, format: Format) -> Box<dyn Inspector>;

    /// Everything that forbids this restore, before anything is touched: `Kind::Refused` with what was found. Warnings
    /// come back. `--clean` and `--into-non-empty` are part of the judgement.
    fn check_restore(&self, server: &Server, content: &Content, options: &RestoreOptions) -> Result<Vec<String>>;

    /// The restore's command lines. `clients` holds every client found, by role.
    fn plan_restore(
        &self,
        connection: &Connection,
        server: &Server,
        content: &Content,
        clients: &Found,
        options: &RestoreOptions,
        source: RestoreInput<'_>,
    ) -> Result<RestorePlan>;

    /// What a client's stderr means: the lines worth showing, word for word, and a hint for each known cause. Never
    /// called on success, never decides whether something failed.
    fn diagnose(&self, stderr: &str, connection: &Connection) -> Diagnosis;
}

/// What a probe is for: a restore also needs to know what the target holds and can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Reading.
    Dump,
    /// Writing.
    Restore,
}

/// What a client program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// `pg_dump`, `mysqldump`, `mariadb-dump`.
    Dump,
    /// `pg_restore`; MySQL has none.
    Restore,
    /// `psql`, `mysql`, `mariadb`.
    Shell,
}

/// Whose server or client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// PostgreSQL.
    Postgres,
    /// Oracle's MySQL, or Percona's.
    Mysql,
    /// MariaDB.
    Mariadb,
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "PostgreSQL",
            Self::Mysql => "MySQL",
            Self::Mariadb => "MariaDB",
        })
    }
}

/// A version, as far as it matters: PostgreSQL's second number stands in `minor`, its `patch` is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 15 of 15.20, 8 of 8.0.36.
    pub major: u32,
    /// 20 of 15.20, 0 of 8.0.36.
    pub minor: u32,
    /// 36 of 8.0.36.
    pub patch: u32,
}

impl Version {
    /// A version from its numbers.
    #[must_use]
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// Reads `15.20 (Debian ...)`, `9.7.4`, `10.11.19-MariaDB`, `18beta1`: the numbers at the start of the text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let mut numbers = text[..end].split('.').filter(|n| !n.is_empty()).map(str::parse);
        let major = numbers.next()?.ok()?;
        let minor = numbers.next().transpose().ok()?.unwrap_or(0);
        let patch = numbers.next().transpose().ok()?.unwrap_or(0);
        Some(Self { major, minor, patch })
    }
}

/// `15.20` for PostgreSQL's two numbers, `8.0.36` for three.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if self.major < 10 || self.patch > 0 { write!(f, ".{}", self.patch) } else { Ok(()) }
    }
}

/// A client program that answered `--version`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// What it does.
    pub role: Role,
    /// Its absolute path.
    pub path: PathBuf,
    /// Whose it is.
    pub flavour: Flavour,
    /// Which.
    pub version: Version,
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} {})", self.path.display(), self.flavour, self.version)
    }
}

/// A file with a client's name that is not one, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The file.
    pub path: PathBuf,
    /// Why it doesn't count: not executable, its words on `--version`.
    pub why: String,
}

/// All clients of an engine on this machine.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Those that answered.
    pub clients: Vec<Client>,
    /// Those that did not.
    pub rejected: Vec<Rejected>,
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
    /// The user that we are there.
    pub user: String,
    /// The database that we are in.
    pub database: String,
    /// What the user is to this database, for people: `owner`, `superuser`, `reader`.
    pub standing: String,
    /// The database's size in bytes, as the server counts it.
    pub size: Option<u64>,
    /// The user tables, with estimates.
    pub tables: Vec<Table>,
    /// The server's or database's character set: `UTF8`, `utf8mb4`.
    pub encoding: String,
    /// The database's collation.
    pub collation: String,
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
    /// Facts about a restore's target; empty after a probe for a dump.
    pub target: Target,
    /// Server settings and rights that only this engine's own planning reads, by their own names
    /// (`gtid_mode`, `max_allowed_packet`, `grant.process`).
    pub settings: BTreeMap<String, String>,
}

/// A user's table, as the statistics have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
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
    pub hint: Option<String>,
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
    /// Collations that it knows (MySQL family).
    pub collations: Vec<String>,
    /// Rights that the user lacks, as sentences.
    pub lacks: Vec<String>,
}

/// The form of a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// PostgreSQL's custom format.
    PgCustom,
    /// PostgreSQL's directory format: a folder with `toc.dat`.
    PgDirectory,
    /// PostgreSQL's tar format.
    PgTar,
    /// SQL from `pg_dump`, for psql.
    PgPlain,
    /// SQL from mysqldump or mariadb-dump.
    MysqlSql,
}

impl Format {
    /// The engine that it belongs to.
    #[must_use]
    pub fn dialect(self) -> Dialect {
        match self {
            Self::MysqlSql => Dialect::Mysql,
            _ => Dialect::Postgres,
        }
    }
}

/// Refuses a dump that would lack something, unless that is wanted.
pub fn refuse_missing(server: &Server, allowed: bool) -> Result<()> {
    let missing: Vec<_> = server.findings.iter().filter(|f| f.severity == Severity::Missing).collect();
    if missing.is_empty() || allowed {
        return Ok(());
    }
    let error = Error::new(Kind::Refused, "the dump would not be complete: nothing was started");
    let error = missing.iter().fold(error, |error, finding| error.why(&finding.what));
    let mut hints: Vec<_> = missing.iter().filter_map(|finding| finding.hint.clone()).collect();
    hints.dedup();
    Err(error.hints(hints))
}

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
    /// No rows.
    pub schema_only: bool,
    /// Only rows.
    pub data_only: bool,
    /// Only these tables, literal names (`schema.name` or `name`).
    pub tables: Vec<String>,
    /// Set owners as in the dump.
    pub keep_owner: bool,
    /// Grant privileges as in the dump.
    pub keep_privileges: bool,
    /// Leave definers as they are.
    pub keep_definers: bool,
    /// Leave comments out.
    pub no_comments: bool,
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

/// A planned dump.
pub struct DumpPlan {
    /// The commands, run one after the other; their outputs, joined, are the dump. Mostly one.
    pub invocations: Vec<Invocation>,
    /// The member's name in the archive: `dump.pgsql` or `dump.sql`.
    pub member: &'static str,
    /// The form of what it writes.
    pub format: Format,
    /// How consistent the dump is, for the manifest: `snapshot`, or what it is instead.
    pub consistency: String,
    /// What people should know.
    pub warnings: Vec<String>,
}

/// Where a restore's bytes come from.
#[derive(Clone, Copy, Debug)]
pub enum RestoreInput<'a> {
    /// Fed through the first command's stdin.
    Stream,
    /// A file or folder on disk that the command opens itself (a directory-format dump, a parallel restore).
    Path(&'a Path),
}

/// A planned restore.
pub struct RestorePlan {
    /// Turns the dump into SQL first, when the loader can't read it itself: `pg_restore -f -`.
    pub decoder: Option<Invocation>,
    /// The command that writes to the target; its stdin is a pipe unless it opens the input itself.
    pub loader: Invocation,
    /// Adapts the bytes on their way into the loader.
    pub filter: Option<Box<dyn Filter>>,
    /// True when a failure rolls everything back, preparation apart.
    pub atomic: bool,
    /// What is left out or done otherwise, for people: `owners left out (--keep-owner keeps them)`.
    pub notes: Vec<String>,
}

/// Adapts a stream of SQL on its way into a loader, in bounded memory.
pub trait Filter: Send {
    /// Takes some bytes, and appends what goes on to `out`.
    fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>);
    /// The stream has ended: appends what was held back.
    fn finish(&mut self, out: &mut Vec<u8>);
    /// What was adapted, and how often: `DEFINER clauses removed` 12.
    fn adaptations(&self) -> Vec<(String, u64)>;
}

/// Reads a dump's bytes as they pass by, in bounded memory: what is in it, and whether it is whole.
pub trait Inspector: Send {
    /// Takes the next bytes.
    fn see(&mut self, bytes: &[u8]);
    /// The table whose rows are passing by, and how many rows of it were seen.
    fn position(&self) -> Option<(&DumpedTable, usize)>;
    /// The stream has ended. The content, or why this is no complete dump: a sentence that names the offset or what
    /// is missing.
    fn finish(self: Box<Self>) -> Result<Content, Incomplete>;
}

/// A dump proved complete: only an inspector that saw its end makes one.
#[derive(Clone, Debug)]
pub struct Complete(Content);

impl Complete {
    /// Asks the inspector that has seen the whole stream.
    pub fn prove(inspector: Box<dyn Inspector>) -> std::result::Result<Self, Incomplete> {
        inspector.finish().map(Self)
    }

    /// What the dump holds.
    #[must_use]
    pub fn content(&self) -> &Content {
        &self.0
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
}

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
    /// Collations that it names (MySQL family).
    pub collations: Vec<String>,
    /// The longest statement or row, in bytes.
    pub longest_statement: u64,
    /// Facts that only this engine's own planning reads (`archive.version`, `toc.entry...`).
    pub facts: BTreeMap<String, String>,
    /// PostgreSQL's table of contents, for a restore that leaves entries out.
    pub entries: Vec<Entry>,
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
}

/// One entry of a PostgreSQL archive's table of contents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its number, which `pg_restore -L` goes by.
    pub id: i64,
    /// Its kind, such as `TABLE DATA`.
    pub kind: String,
    /// Its schema.
    pub schema: Option<String>,
    /// Its name.
    pub tag: String,
    /// Its owner.
    pub owner: Option<String>,
}

/// What a client's stderr means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// The lines that matter, word for word.
    pub why: Vec<String>,
    /// What to do.
    pub hints: Vec<String>,
    /// True when the way to the server was lost, or the server refused to let us in.
    pub connection: bool,
}
