//! What an engine is: traits by concern. What an engine has not, it does not implement: most methods answer for it.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::AtomicU64;

use super::{
    Client, Content, DatabaseCutter, Dependency, Diagnosis, DumpJob, DumpOptions, DumpPlan, DumpSnapshot, Filter,
    Flavour, Format, GeneratedColumns, Incomplete, Inspector, Purpose, Rehearsal, Rejected, Relation, RestoreJob,
    RestoreOptions, RestorePlan, ResumeState, Role, Scene, ScratchPlan, ScratchSpec, Selected, Server, SessionActivity,
    Stretch, Version,
};
use crate::connection::{Connection, Limits};
use crate::dialect::Dialect;
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;
use crate::properties::{AppliedProperties, DatabaseProperties};

/// A future that an engine hands back.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + 'a>>;

/// One engine: what varies among them, by concern.
pub trait Engine: Prober + DatabaseKeeper + DumpPlanner + DumpReader + RestorePlanner + TargetKeeper {
    /// Which one.
    fn dialect(&self) -> Dialect;

    /// Whose servers speak it; the first is the one that is meant where nobody says more.
    fn flavours(&self) -> &'static [Flavour];

    /// The vendor's programs; none where dbhaul speaks to the server itself.
    fn clients(&self) -> Option<&dyn ClientCatalog> {
        None
    }

    /// Throw-away servers; none where dbhaul can't start one.
    fn scratch(&self) -> Option<&dyn ScratchServer> {
        None
    }
}

/// Asks a server.
pub trait Prober: Sync {
    /// One short session that reads everything that planning needs; one attempt, no retries. Fails with
    /// `Kind::Connect` when the server can't be reached or refuses the login, with a hint for each cause.
    fn probe<'a>(&'a self, connection: &'a Connection, purpose: Purpose, limits: &'a Limits) -> Pending<'a, Server>;

    /// The oldest server version of this flavour that is supported.
    fn oldest(&self, flavour: Flavour) -> Version;

    /// What our sessions are doing in this database: tells a long index build from a restore that hangs. Ours are those of
    /// our login that came after the probe that `server` is of.
    fn session_activity<'a>(
        &'a self,
        connection: &'a Connection,
        server: &'a Server,
        limits: &'a Limits,
    ) -> Pending<'a, SessionActivity> {
        let _ = (connection, server, limits);
        Box::pin(async { Ok(SessionActivity::default()) })
    }

    /// Whether a copy between two databases would come back to its source: they are the same, by whatever names and
    /// ways, or one gets the changes of the other. `exists` says whether the target's database is there.
    fn relation<'a>(
        &'a self,
        source: &'a Connection,
        target: &'a Connection,
        exists: bool,
        limits: &'a Limits,
    ) -> Pending<'a, Relation> {
        let _ = (source, target, exists, limits);
        Box::pin(async { Ok(Relation::Separate(Vec::new())) })
    }

    /// Schema, name and rows of tables of the user's own, of which a dump by that user has only what policies let through.
    fn rows_behind_policies<'a>(
        &'a self,
        connection: &'a Connection,
        limits: &'a Limits,
    ) -> Pending<'a, Vec<(String, String, u64)>> {
        let _ = (connection, limits);
        Box::pin(async { Ok(Vec::new()) })
    }

    /// What the stored generated columns of a database hold, in sums.
    fn generated_columns<'a>(
        &'a self,
        connection: &'a Connection,
        limits: &'a Limits,
    ) -> Pending<'a, GeneratedColumns> {
        let _ = (connection, limits);
        Box::pin(async { Ok(GeneratedColumns::new()) })
    }
}

/// Makes, lists and drops databases of a server.
pub trait DatabaseKeeper: Sync {
    /// Makes an empty database on the connection's server, as much like the source's as the server can; `Kind::Refused`
    /// when the user may not.
    fn create_database<'a>(
        &'a self,
        connection: &'a Connection,
        name: &'a str,
        source: Option<&'a DatabaseProperties>,
        limits: &'a Limits,
    ) -> Pending<'a, ()> {
        let _ = (connection, source, limits);
        Box::pin(async move { Err(no_databases(name)) })
    }

    /// What belongs to a database of the connection's server itself, asked from outside of it.
    fn database_properties<'a>(
        &'a self,
        connection: &'a Connection,
        server: &'a Server,
        name: &'a str,
        limits: &'a Limits,
    ) -> Pending<'a, DatabaseProperties> {
        let _ = (connection, server, name, limits);
        Box::pin(async { Ok(DatabaseProperties::default()) })
    }

    /// Drops a database, whoever uses it.
    fn drop_database<'a>(&'a self, connection: &'a Connection, name: &'a str, limits: &'a Limits) -> Pending<'a, ()> {
        let _ = (connection, limits);
        Box::pin(async move { Err(no_databases(name)) })
    }

    /// The databases whose names begin so, as far as the user sees them.
    fn databases<'a>(
        &'a self,
        connection: &'a Connection,
        prefix: &'a str,
        limits: &'a Limits,
    ) -> Pending<'a, Vec<String>> {
        let _ = (connection, prefix, limits);
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Databases that were made to [replace](TargetKeeper::replace) others, or were replaced, by restores that were killed. Each
    /// comes with what is to be said of it.
    fn replacements_left<'a>(&'a self, _: &'a Connection, _: &'a Limits) -> Pending<'a, Vec<(String, String)>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// Plans a dump.
pub trait DumpPlanner: Sync {
    /// Refuses, with `Kind::Usage`, what can be told from the options alone, before anybody is asked anything.
    /// [`DumpPlanner::plan_dump`] refuses the same.
    fn check_options(&self, connection: &Connection, options: &DumpOptions) -> Result<()> {
        let _ = (connection, options);
        Ok(())
    }

    /// The same options, where arguments for the client that choose tables and schemas stand among ours.
    fn adopted(&self, connection: &Connection, options: DumpOptions) -> DumpOptions {
        let _ = connection;
        options
    }

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

    /// What these options choose of the database, and what that needs; none where they choose all, or where that can't be
    /// told.
    fn selected<'a>(
        &'a self,
        connection: &'a Connection,
        server: &'a Server,
        options: &'a DumpOptions,
        limits: &'a Limits,
    ) -> Pending<'a, Option<Selected>> {
        let _ = (connection, server, options, limits);
        Box::pin(async { Ok(None) })
    }

    /// The options of a dump that tells what the dump with these options will hold, with no more rows than it must:
    /// it is read until its inspector has an [outline](Inspector::outline), or else to its end.
    fn preview_options(&self, options: &DumpOptions) -> DumpOptions {
        options.clone()
    }

    /// One point in time for the several clients or sessions that these options ask for, held until it is dropped.
    fn acquire_snapshot<'a>(
        &'a self,
        connection: &'a Connection,
        server: &'a Server,
        options: &'a DumpOptions,
        limits: &'a Limits,
    ) -> Pending<'a, DumpSnapshot> {
        let _ = (connection, server, options, limits);
        Box::pin(async { Ok(DumpSnapshot::Alone(None)) })
    }

    /// Whether a copy by several jobs has a stream of rows for each; otherwise several sessions load one stream.
    fn splits_copies(&self) -> bool {
        false
    }

    /// Why a copy by several jobs is left to one, for people; none where it is not.
    fn copied_alone(&self, dump: &DumpOptions, restore: &RestoreOptions) -> Option<&'static str> {
        let _ = (dump, restore);
        None
    }

    /// The dump's whole command lines, and how to read what they write; several at once only of one moment.
    fn plan_dump(&self, job: &DumpJob<'_>) -> Result<DumpPlan>;
}

/// Reads dumps.
pub trait DumpReader: Sync {
    /// A reader for a dump's bytes in this format.
    fn inspector(&self, format: Format) -> Box<dyn Inspector>;

    /// The form of a dump that begins like this, where these bytes show that it is this engine's.
    fn recognise(&self, beginning: &[u8]) -> Option<Format> {
        let _ = beginning;
        None
    }

    /// The form of its dumps in members of their own.
    fn members_format(&self) -> Option<Format> {
        None
    }

    /// The form of its dumps that are folders.
    fn folder_format(&self) -> Option<Format> {
        None
    }

    /// What such a folder holds.
    fn inspect_folder(&self, folder: &Path) -> Result<Content, Incomplete> {
        Err(Incomplete::new(format!("{} is no dump", folder.display()), 0))
    }

    /// Files of such a folder, each with the name under which a client looks for it.
    fn misnamed_files(&self, folder: &Path) -> Vec<(String, String)> {
        let _ = folder;
        Vec::new()
    }

    /// Passes one database of a script on that may name its databases: `wanted`, or else the first. None for forms that
    /// hold one and don't name it.
    fn database_cutter(&self, format: Format, wanted: Option<&str>) -> Option<Box<dyn DatabaseCutter>> {
        let _ = (format, wanted);
        None
    }

    /// Where our reader sees statements in a script; for the tests that compare it with the real client.
    #[doc(hidden)]
    fn stretches(&self, script: &[u8]) -> Vec<Stretch> {
        let _ = script;
        Vec::new()
    }

    /// What a statement makes or fills, by its beginning: `table orders`. Names alone; asked where a client tells no more
    /// than a line of its script.
    fn named(&self, statement: &str) -> Option<String> {
        let _ = statement;
        None
    }
}

/// Judges and plans a restore.
pub trait RestorePlanner: Sync {
    /// Refuses, with `Kind::Usage`, a `--resume` that no restore into such a server goes on from.
    fn check_resume(&self) -> Result<()> {
        Ok(())
    }

    /// Everything that forbids this restore, before anything is touched: `Kind::Refused` with what was found. Warnings
    /// come back. `--clean` and `--into-non-empty` are part of the judgement.
    fn check_restore(&self, server: &Server, content: &Content, options: &RestoreOptions) -> Result<Vec<String>> {
        let _ = content;
        if options.create || options.clean.is_some() { Err(no_databases(&server.database)) } else { Ok(Vec::new()) }
    }

    /// What the dump needs, or the chosen part of it, and neither brings nor the target has, once it is as the restore
    /// begins.
    fn lacking<'a>(
        &'a self,
        connection: &'a Connection,
        server: &'a Server,
        content: &'a Content,
        options: &'a RestoreOptions,
        limits: &'a Limits,
    ) -> Pending<'a, Vec<Dependency>> {
        let _ = (connection, server, content, options, limits);
        Box::pin(async { Ok(Vec::new()) })
    }

    /// The restore's command lines.
    fn plan_restore(&self, job: &RestoreJob<'_>) -> Result<RestorePlan>;

    /// Adapts a dump on its way into the file that several jobs of a restore will read.
    fn file_filter(&self, server: &Server, options: &RestoreOptions) -> Option<Box<dyn Filter>> {
        let _ = (server, options);
        None
    }

    /// What such a restore leaves out of a whole dump, by the name of a definition, and what that is called; where the
    /// dump is another server's or client's, not `exact`, also what that alone may leave out.
    fn left_out(
        &self,
        definition: &str,
        server: &Server,
        options: &RestoreOptions,
        exact: bool,
    ) -> Option<&'static str> {
        let _ = (definition, server, options, exact);
        None
    }

    /// Whether a dump's definitions are tried in a database of their own before a target is emptied.
    fn rehearsal(&self, _: &Content) -> Rehearsal {
        Rehearsal::Needless
    }

    /// What an earlier restore of this dump left in the target, as the target itself tells. `done` counts the tables that
    /// were looked at.
    fn inspect_target_for_resume<'a>(
        &'a self,
        connection: &'a Connection,
        server: &'a Server,
        content: &'a Content,
        options: &'a RestoreOptions,
        limits: &'a Limits,
        done: &'a AtomicU64,
    ) -> Pending<'a, ResumeState> {
        let _ = (connection, server, content, options, limits, done);
        Box::pin(async { Ok(ResumeState::default()) })
    }
}

/// Changes a target before a restore and behind it.
pub trait TargetKeeper: Sync {
    /// Empties or makes the target before a restore, as `--clean` and `--create` ask. Says what it did.
    fn prepare<'a>(
        &'a self,
        connection: &'a Connection,
        server: &'a Server,
        content: &'a Content,
        options: &'a RestoreOptions,
        limits: &'a Limits,
    ) -> Pending<'a, Vec<String>> {
        let _ = (connection, server, content, options, limits);
        Box::pin(async { Ok(Vec::new()) })
    }

    /// The name of the database that a restore fills in the target's place, where it does not fill the target itself. From
    /// [`TargetKeeper::prepare`] on, which makes it, the connection leads there.
    fn replacement(&self, server: &Server, options: &RestoreOptions) -> Option<String> {
        let _ = (server, options);
        None
    }

    /// Gives the [replacement](TargetKeeper::replacement) the target's name, and drops the old one. Says what it did. After an
    /// error both are what they were.
    fn replace<'a>(
        &'a self,
        connection: &'a Connection,
        server: &'a Server,
        limits: &'a Limits,
    ) -> Pending<'a, Vec<String>> {
        let _ = (connection, server, limits);
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Gives the restored database what belonged to its source itself, as the options say. What can't be given is no
    /// error: the rows are there.
    fn apply_properties<'a>(
        &'a self,
        connection: &'a Connection,
        server: &'a Server,
        content: &'a Content,
        options: &'a RestoreOptions,
        limits: &'a Limits,
    ) -> Pending<'a, AppliedProperties> {
        let _ = (connection, server, content, options, limits);
        Box::pin(async { Ok(AppliedProperties::default()) })
    }

    /// What the server made of a restore that ended well, where that is not what the dump says: a line each.
    fn look_back<'a>(
        &'a self,
        connection: &'a Connection,
        content: &'a Content,
        options: &'a RestoreOptions,
        limits: &'a Limits,
    ) -> Pending<'a, Vec<String>> {
        let _ = (connection, content, options, limits);
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// The vendor's programs: where they are, which one fits, what they say.
pub trait ClientCatalog: Sync {
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

    /// What a client's stderr means where it failed: the lines worth showing, word for word, and a hint for each known
    /// cause. Never called on success, never decides whether something failed.
    fn diagnose(&self, stderr: &str, scene: &Scene) -> Diagnosis;
}

/// Plans throw-away servers.
pub trait ScratchServer: Sync {
    /// How to get the server: `apt install ...`.
    fn to_install(&self, flavour: Flavour, major: Option<u32>) -> String;

    /// The user that packages make for the server, who runs a throw-away one when we are root.
    fn service_user(&self) -> &'static str;

    /// Bytes that a server's data folder has before its first table, and its logs while it works.
    fn base_disk_bytes(&self) -> u64;

    /// The command lines of a throw-away server. `Kind::Client` when a program that it needs is not where its own is.
    fn plan_scratch(&self, site: &ScratchSpec<'_>) -> Result<ScratchPlan>;

    /// Gives a throw-away server what a dump of one database takes for granted: PostgreSQL's roles.
    fn create_required_roles<'a>(
        &'a self,
        connection: &'a Connection,
        content: &'a Content,
        limits: &'a Limits,
    ) -> Pending<'a, ()> {
        let _ = (connection, content, limits);
        Box::pin(async { Ok(()) })
    }
}

/// The refusal to make or drop a database where the engine has none.
fn no_databases(name: &str) -> Error {
    Error::new(Kind::Usage, format!("{name} can't be made or emptied: such a server has no databases"))
        .hint(Hint::new("name-what-is-there", "name a URI of what is there, without --create and --clean"))
}
