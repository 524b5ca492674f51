//! Plans: what is to be run, before anything is.

use std::fmt;
use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::members::{Consumer, Producer};
use super::{
    Client, Content, DumpOptions, DumpSnapshot, DumpedTable, Format, Found, Pending, RestoreOptions, Server, Shared,
    TocMerger,
};
use crate::connection::{Connection, Limits};
use crate::error::{Error, Kind, Result};
use crate::invocation::{Account, Invocation};
use crate::secret::Secret;

/// What a dump is planned from.
pub struct DumpJob<'a> {
    /// The database.
    pub connection: &'a Connection,
    /// Its server, as probed.
    pub server: &'a Server,
    /// The client that dumps; none where the engine [has none](super::Engine::clients).
    pub client: Option<&'a Client>,
    /// What of it, and how.
    pub options: &'a DumpOptions,
    /// Time limits.
    pub limits: &'a Limits,
    /// What several clients or sessions see.
    pub snapshot: &'a DumpSnapshot,
}

impl DumpJob<'_> {
    /// The client, for an engine that has some.
    pub fn client(&self) -> Result<&Client> {
        self.client.ok_or_else(|| Error::new(Kind::Unexpected, "a dump was planned without a client"))
    }
}

/// Where a dump's bytes come from.
pub enum DumpSource {
    /// Commands, run one after the other; their outputs, joined, are the dump. Mostly one.
    Client(Vec<Invocation>),
    /// Commands, run side by side; the merger makes lanes of one dump of their outputs.
    Clients(Vec<Invocation>, TocMerger),
    /// dbhaul asks the server itself.
    Native(Box<dyn Producer>),
}

impl DumpSource {
    /// The commands; none where dbhaul asks the server itself.
    #[must_use]
    pub fn commands(&self) -> &[Invocation] {
        match self {
            Self::Client(commands) | Self::Clients(commands, _) => commands,
            Self::Native(_) => &[],
        }
    }

    /// What would be run, redacted and ready to paste, or a comment to a shell that says what happens in its place.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Client(commands) | Self::Clients(commands, _) => commands.iter().map(ToString::to_string).collect(),
            Self::Native(producer) => vec![format!("# {}", producer.describe())],
        }
    }
}

/// A planned dump.
pub struct DumpPlan {
    /// Where its bytes come from.
    pub source: DumpSource,
    /// The outputs have no rows in them: sessions of our own read those.
    pub without_rows: bool,
    /// Of a copy by several jobs: its definitions and its rows. The source is the definitions alone then.
    pub split: Option<SplitDump>,
    /// The member's name in the archive, `dump.pgsql` or `dump.sql`, or that of the lanes' parts, `part.pgsql`.
    pub member: &'static str,
    /// The form of what it writes.
    pub format: Format,
    /// How consistent the dump is, for the manifest: `snapshot`, or what it is instead.
    pub consistency: String,
    /// What is in the database and will not be in the dump, as allowed.
    pub missing: Vec<String>,
    /// What people should know.
    pub warnings: Vec<String>,
    /// Columns whose values the dump holds with fewer digits than the source, as `table.column`; none where no dump of the
    /// engine's does.
    pub inexact: Option<Vec<String>>,
    /// MySQL: JSON columns with values that come back as others of their kind, as `table.column`.
    pub retyped: Vec<String>,
    /// What is done otherwise than asked, for people.
    pub notes: Vec<String>,
    /// PostgreSQL: the locale in which amounts of money are written, where that is known.
    pub lc_monetary: Option<String>,
}

impl DumpPlan {
    /// A plan of which there is nothing more to say; `consistency` as in the manifest.
    #[must_use]
    pub fn new(source: DumpSource, member: &'static str, format: Format, consistency: &str) -> Self {
        Self {
            source,
            without_rows: false,
            split: None,
            member,
            format,
            consistency: consistency.to_owned(),
            missing: Vec::new(),
            warnings: Vec::new(),
            inexact: None,
            retyped: Vec::new(),
            notes: Vec::new(),
            lc_monetary: None,
        }
    }
}

/// What a copy by several jobs dumps beside rows, and whose rows each job dumps.
pub struct SplitDump {
    /// Dumps all definitions.
    pub definitions: Invocation,
    /// Dump the rows, side by side.
    pub rows: Vec<Invocation>,
    /// The tables of each command of rows but the first, which dumps all the rest.
    pub given: Vec<Vec<Shared>>,
}

/// Where a restore's bytes come from.
#[derive(Clone, Copy, Debug)]
pub enum RestoreInput<'a> {
    /// Fed through the first command's stdin.
    Stream,
    /// A file or folder on disk that the command opens itself (a directory-format dump, a parallel restore).
    Path(&'a Path),
}

/// What a restore is planned from.
pub struct RestoreJob<'a> {
    /// The target's database.
    pub connection: &'a Connection,
    /// Its server, as probed.
    pub server: &'a Server,
    /// What the dump holds.
    pub content: &'a Content,
    /// Every client found, by role.
    pub clients: &'a Found,
    /// What of it, and how.
    pub options: &'a RestoreOptions,
    /// Where its bytes come from.
    pub source: RestoreInput<'a>,
}

/// A planned restore.
pub struct RestorePlan {
    /// Turns the dump into SQL first, when the loader can't read it itself: `pg_restore -f -`.
    pub decoder: Option<Invocation>,
    /// Adapts the dump's bytes on their way into the decoder.
    pub decoder_filter: Option<Box<dyn Filter>>,
    /// What writes to the target.
    pub loader: Loader,
    /// Adapts the bytes on their way into the loader.
    pub filter: Option<Box<dyn Filter>>,
    /// The stretches of the dump's bytes that are needed, in order; all of them without it. Only for a stream.
    pub parts: Option<Vec<Range<u64>>>,
    /// The tables that come, with the rows that come with them.
    pub tables: Vec<DumpedTable>,
    /// True when a failure rolls everything back, preparation apart.
    pub atomic: bool,
    /// True when `--resume` goes on from what a failure leaves.
    pub resumable: bool,
    /// What is left out or done otherwise, for people: `owners left out (--keep-owner keeps them)`.
    pub notes: Vec<String>,
}

impl RestorePlan {
    /// A plan of which there is nothing more to say.
    #[must_use]
    pub fn new(loader: Loader, tables: Vec<DumpedTable>) -> Self {
        Self {
            decoder: None,
            decoder_filter: None,
            loader,
            filter: None,
            parts: None,
            tables,
            atomic: false,
            resumable: false,
            notes: Vec::new(),
        }
    }
}

/// What writes to a target.
pub enum Loader {
    /// A command; its stdin is a pipe unless it opens the input itself.
    Client(Invocation),
    /// Sessions of our own.
    Sessions(Box<dyn Sessions>),
    /// dbhaul hands the server the dump's members itself.
    Native(Box<dyn Consumer>),
}

impl Loader {
    /// The command, if it is one.
    #[must_use]
    pub fn client(&self) -> Option<&Invocation> {
        match self {
            Self::Client(invocation) => Some(invocation),
            Self::Sessions(_) | Self::Native(_) => None,
        }
    }
}

/// The command, redacted and ready to paste, or a comment to a shell that says what happens in its place.
impl fmt::Display for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(invocation) => invocation.fmt(f),
            Self::Sessions(sessions) => write!(f, "# {}", sessions.describe()),
            Self::Native(consumer) => write!(f, "# {}", consumer.describe()),
        }
    }
}

/// A load by several sessions of our own, not begun.
pub trait Sessions {
    /// What will happen, for people: `2 sessions of dbhaul's own`.
    fn describe(&self) -> String;

    /// Begins. `done` counts the statements that are done: what counts is not silent.
    fn start(self: Box<Self>, limits: &Limits, done: Arc<AtomicU64>) -> RunningLoad;
}

/// A load by several sessions, at work.
pub struct RunningLoad {
    /// Takes the SQL: blocking, for a plain thread. To be flushed at the end; dropping it is the end of the input.
    pub sql: Box<dyn Write + Send>,
    /// Ends when all is done, with the rows that the server took, or with the first error of any session.
    pub work: Pending<'static, u64>,
    /// To be awaited when the work did not end well, after it was dropped: ends what the sessions are doing on the
    /// server.
    pub end: Pending<'static, ()>,
}

/// Where a throw-away server is to live, and out of what.
#[derive(Clone, Debug)]
pub struct ScratchSpec<'a> {
    /// The server's program.
    pub program: &'a Client,
    /// A private folder that is the server's own.
    pub folder: &'a Path,
    /// Who it runs as, when that is not ourselves.
    pub account: Option<Account>,
    /// Its superuser's password: letters and digits.
    pub password: Secret,
    /// The encoding of its databases, where the engine wants to know before they are made.
    pub encoding: Option<&'a str>,
}

/// A throw-away server, planned.
#[derive(Clone, Debug)]
pub struct ScratchPlan {
    /// Makes its data folder.
    pub install: Invocation,
    /// The server, in the foreground.
    pub server: Invocation,
    /// How it is reached once it runs, in a database that it has from the beginning.
    pub connection: Connection,
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
