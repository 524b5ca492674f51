//! What is known of each database engine. Engines know dialects and spawn nothing: they probe over SQL, choose among
//! clients that were found, build [`Invocation`](crate::invocation::Invocation)s, read dumps as they pass by, and explain what a server said.
//!
//! Both engines have the same file names: `probe` (a short session), `clients` (which client fits), `dump` and
//! `restore` (whole command lines), `content` (reading a dump's bytes), `diagnose` (a client's stderr).

use crate::error::{Error, Kind, Result};
use crate::hint::Hint;

mod bounds;
mod checksum;
mod client;
mod content;
mod dependency;
mod dump_snapshot;
mod format;
mod generated;
pub mod members;
pub mod mysql;
mod of_many;
mod options;
mod plan;
pub mod postgres;
mod product;
pub mod registry;
mod scene;
mod server;
pub mod stray;
mod suggest;
mod traits;

pub use crate::dependency::{Dependency, sentences};
#[doc(hidden)]
pub use bounds::Stretch;
pub use checksum::{ROW_CHECKSUM, RowSum};
pub use client::{Client, Flavour, Found, Rejected, Role, Version};
pub use content::{
    Complete, Content, Defined, DumpedTable, EXPORTER, Entry, Feature, Incomplete, Inspector, MAX_ENTRIES, Structure,
    fingerprint, fingerprint_of_entries, too_many,
};
pub use dependency::{Selected, is_left_out_by, left_out_by, warnings, with_comments};
pub use dump_snapshot::DumpSnapshot;
pub use format::{Format, Layout};
pub use generated::{GENERATED_VALUES, GeneratedColumns, GeneratedSums};
pub use mysql::{MergedDump, RowReaders, RunningMerge};
pub use of_many::{DatabaseCutter, HeldDatabase, HeldDatabases};
pub use options::{Clean, CollationMap, DatabaseSettings, DumpOptions, RestoreOptions, Section};
pub use plan::{
    DumpJob, DumpPlan, DumpSource, Filter, Loader, RestoreInput, RestoreJob, RestorePlan, RunningLoad, ScratchPlan,
    ScratchSpec, Sessions, SplitDump,
};
pub use postgres::{DataBlocks, PartialToc, Shared, Snapshot, SnapshotSession, TocMerger};
pub use product::{Product, SupportLevel, recognise};
pub use registry::of;
pub use scene::{Into, Scene};
pub use server::{Finding, Purpose, ResumeState, Server, Severity, Subject, TableEstimate, Target, TargetTrigger};
pub use suggest::suggest;
pub use traits::{
    ClientCatalog, DatabaseKeeper, DumpPlanner, DumpReader, Engine, Pending, Prober, RestorePlanner, ScratchServer,
    TargetKeeper,
};

/// Whether a dump's definitions can be tried before a target is emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rehearsal {
    /// A failure takes the drops back.
    Needless,
    /// In a database of their own.
    Possible,
    /// They would change more than that database.
    Harmful,
}

/// The refusal of a dump that holds more than SQL for its database.
#[must_use]
pub fn more_than_its_database(count: &str) -> String {
    let plural = if count == "1" { "" } else { "s" };
    format!("the dump holds more than its database's tables, views and routines: {count} statement{plural}")
}

/// What a restore with `--triggers on` warns of.
#[must_use]
pub fn triggers_run(listed: &str) -> String {
    format!("triggers run for every row, and the numbers of rows leave out what they drop or add: {listed}")
}

/// The way out where a dump holds more than SQL for its database.
pub const TRUST: Hint = Hint::new("trust", "read it, and say --trust if all of it is meant to run");

/// A text of at most so many characters; dots stand for the rest.
#[must_use]
pub fn truncate(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// As many missing things are named by a refusal.
const NAMED: usize = 20;

/// What a dump will lack, of what the probe found: its options `excuse` what they leave out.
pub fn missing(server: &Server, excuse: impl Fn(&Subject) -> bool) -> Vec<&Finding> {
    server.findings.iter().filter(|f| f.severity == Severity::Missing && !excuse(&f.subject)).collect()
}

/// Refuses a dump that would lack something, unless that is wanted.
pub fn refuse_missing(missing: &[&Finding], allowed: bool) -> Result<()> {
    if missing.is_empty() || allowed {
        return Ok(());
    }
    let error = Error::new(Kind::Refused, "the dump would not be complete: nothing was started");
    let mut error = missing.iter().take(NAMED).fold(error, |error, finding| error.why(&finding.what));
    if missing.len() > NAMED {
        error = error.why(format!("and {} more: dbhaul doctor names them all", missing.len() - NAMED));
    }
    let mut hints: Vec<_> = missing.iter().filter_map(|finding| finding.hint.clone()).collect();
    hints.dedup();
    Err(error.hints(hints).hint(Hint::new(
        "allow-incomplete",
        "--allow-incomplete dumps the rest, and the manifest lists what is missing",
    )))
}

/// Refuses a dump by so many jobs where fewer connections are left than it wants.
pub fn check_free_connections(server: &Server, jobs: u32, wanted: u64) -> Result<()> {
    match server.connections_left {
        Some(left) if left < wanted => {
            let what = format!("{jobs} jobs need {wanted} connections, {left} are left: nothing was started");
            Err(Error::new(Kind::Refused, what)
                .hint(Hint::new("fewer-sessions", "--jobs 1, or fewer sessions of others")))
        }
        _ => Ok(()),
    }
}

/// What the server does for us while no byte moves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionActivity {
    /// A session of ours is at work, and waits neither for a lock nor for us.
    pub busy: bool,
    /// Who holds the lock that a session of ours waits for, as far as we may know: one line each.
    pub holders: Vec<String>,
}

/// How the target of a copy stands to its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relation {
    /// What is written to the target comes back to the source, or the other way round.
    Tied {
        /// How.
        what: &'static str,
        /// What to do.
        hint: Hint,
    },
    /// Two databases. What people should know of them, a line each.
    Separate(Vec<String>),
}

/// The source itself.
pub const SAME_DATABASE: Relation = Relation::Tied {
    what: "source and target are the same database",
    hint: Hint::new("another-target", "name another database as the target; --create makes it"),
};

/// What a client's stderr means.
#[expect(clippy::struct_excessive_bools, reason = "each is one independent fact")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// The lines that matter, word for word.
    pub why: Vec<String>,
    /// What to do.
    pub hints: Vec<Hint>,
    /// True when the way to the server was lost, or the server refused to let us in.
    pub connection: bool,
    /// True when the same again may well succeed: a table's definition changed while it was read.
    pub passing: bool,
    /// True when the same again fails in the same way, unless something is mended first.
    pub recurs: bool,
    /// The line of the script at which the client says that it stood.
    pub line: Option<u64>,
    /// True when the server refused a statement, and so ended the transaction that it was in.
    pub refused: bool,
}

impl Diagnosis {
    /// Tells it of an error: the lines behind those that are there, the hints, and what may be done again.
    #[must_use]
    pub fn of(self, mut error: Error) -> Error {
        error.why.extend(self.why);
        error.transient = self.passing;
        error.refused_by_server = self.refused;
        error.recurs = self.recurs;
        error.hints(self.hints)
    }
}
