//! The command lines of a restore.
//!
//! The custom and directory formats go through `pg_restore`, in one transaction unless several jobs are asked for. From
//! 17 on it sets `transaction_timeout`, which older servers refuse, and it can't drop what the archive doesn't bring: then
//! it only decodes, and `psql` loads, what is dropped first in the same transaction
//! (`docs/decisions/clean-in-one-transaction.md`). What the target has already, or the user may not set, is left out by a
//! list of the archive's entries.

pub(super) mod apply_properties;
pub(super) mod clean;
pub(super) mod copy_freeze;
pub(super) mod database_statements;
pub(super) mod default_privileges;
pub(super) mod dependents;
pub(super) mod drops;
pub(super) mod epilogue;
pub(super) mod extensions;
pub(super) mod filter;
pub(super) mod object_classes;
pub(super) mod of_many;
pub(super) mod postpone;
pub(super) mod prepare;
pub(super) mod replace;
pub(super) mod restore_filter;
pub(super) mod roles;
pub(super) mod suitability;
pub(super) mod tablespaces;
pub(super) mod target;
pub(super) mod triggers;
pub(super) mod tuning;
pub(super) mod unheld;
pub(super) mod use_list;

use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::ops::Range;

use super::clients;
use super::dump::dependencies;
use super::format::plain;
use super::session::{libpq, pinned_settings};
use crate::connection::Limits;
use crate::engine::{
    Clean, Client, DumpedTable, Filter, Format, Loader, RestoreInput, RestoreJob, RestorePlan, Role, Section,
};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;
use crate::invocation::{Invocation, PrivateFile, Stdin};
use copy_freeze::{Freeze, FreezeTarget};
use epilogue::Epilogue;
use filter::{Adapter, Restriction, Transaction};
use postpone::Postpone;
use restore_filter::{blocks, join_truncated, sections, select, tables, without};
use target::{STAYING, lines};
use use_list::TocExclusions;

/// Plans a restore. A plain dump is always fed through stdin.
pub fn plan(job: &RestoreJob<'_>) -> Result<RestorePlan> {
    let mut plan = match job.content.format {
        Format::PG_PLAIN => job.script()?,
        Format::PG_CUSTOM | Format::PG_DIRECTORY => job.archive()?,
        Format::PG_TAR => return Err(Error::new(Kind::Archive, "pg_dump's tar format is read unpacked alone")),
        _ => return Err(Error::new(Kind::Refused, "another engine's dump does not fit PostgreSQL")),
    };
    plan.notes.extend(job.differing());
    Ok(plan)
}

/// How `pg_restore` and psql do a job.
impl RestoreJob<'_> {
    /// In what the database that is there differs from the source's, and stays: a database keeps what it was made with.
    fn differing(&self) -> Vec<String> {
        let made = self.is_replaced() || !self.server.target.exists;
        let part = self.options.selects() || self.options.data_only;
        let source = self.content.properties.as_ref().filter(|_| !made && !part);
        let differences = source.map(|source| source.differences_of_creation(&self.server.properties));
        differences.unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    fn client(&self, role: Role) -> Result<&Client> {
        let archive = (role == Role::Restore).then_some(self.content);
        clients::choose(role, self.server, archive, &self.clients.clients, &self.clients.rejected)
    }

    /// The psql that fits best among those that obey no command of a script, if there is one.
    fn shell(&self) -> Result<&Client> {
        let all = &self.clients.clients;
        let safe: Vec<Client> = all.iter().filter(|c| clients::knows_restrict(c.version)).cloned().collect();
        let best = clients::choose(Role::Shell, self.server, None, &safe, &[]).ok();
        match best.and_then(|best| all.iter().find(|c| *c == best)) {
            Some(best) => Ok(best),
            None => self.client(Role::Shell),
        }
    }

    /// psql reads a plain dump.
    fn script(&self) -> Result<RestorePlan> {
        let psql = self.shell()?;
        let mut notes = Vec::new();
        let chosen = self.chosen(&mut notes)?;
        let parts = chosen.as_ref().map(|chosen| sections(&self.content.entries, chosen));
        let tables = tables(self.content, chosen.as_ref());
        // pg_dump puts large objects into a transaction of their own, which would end the one around it.
        let transactions = plain::transactions(self.content);
        let atomic = transactions.is_some();
        let lines = transactions.unwrap_or_default().into_iter().chain(plain::restrictions(self.content));
        let lacking = tablespaces::lacking(self.server, self.content);
        let choices = if lacking.is_empty() { Vec::new() } else { tablespaces::choices(self.content) };
        notes.extend((!lacking.is_empty()).then(|| tablespaces::note(&lacking)));
        let left_out: Vec<_> = self.staying_schemas().chain(lines).chain(choices).collect();
        let parts = if left_out.is_empty() { parts } else { Some(without(parts, &left_out)) };
        if !self.options.keep_owner || !self.options.keep_privileges {
            notes.push("a plain dump is run as it is: owners and privileges that it holds are kept".into());
        }
        if self.options.no_comments {
            notes.push("a plain dump is run as it is: its comments are kept".into());
        }
        let filter = self.transaction(false, &mut notes);
        let filter = self.filter(psql, filter, parts.as_deref(), &mut notes);
        if !atomic && !self.is_replaced() {
            notes.push("the dump holds transactions of its own: a failure leaves behind what came before it".into());
        }
        let loader = Loader::Client(self.psql(psql)?);
        Ok(RestorePlan { filter: Some(filter), parts, atomic, notes, ..RestorePlan::new(loader, tables) })
    }

    /// The numbers of the entries that were asked for by name; none when that is all of them.
    fn chosen(&self, notes: &mut Vec<String>) -> Result<Option<BTreeSet<i64>>> {
        let mut chosen = None;
        if self.options.selects() {
            let selection = select(&self.content.entries, self.options)?;
            notes.extend(selection.notes);
            chosen = Some(selection.chosen);
        }
        Ok(dependencies::without_pointing_keys(self.server, self.content, chosen, notes))
    }

    fn archive(&self) -> Result<RestorePlan> {
        let client = self.client(Role::Restore)?;
        let mut notes = Vec::new();
        let selection = self.selection(client, &mut notes)?;
        let is_newer = client.version.major >= 17 && self.server.version.major < 17;
        if is_newer {
            notes.push(format!(
                "pg_restore {} is newer than the server: it makes SQL of the archive, and psql runs it",
                client.version
            ));
        }
        let identities = clean::identities_off(self.server, self.content, self.options);
        let is_told = !identities.is_empty()
            || !self.triggers_off().is_empty()
            || !self.statements().is_empty()
            || self.sets_within();
        if is_newer || self.drops_first() || is_told {
            return self.through_psql(client, selection, notes);
        }
        let (parts, tables) = (selection.parts.clone(), selection.tables.clone());
        let mut jobs = self.options.jobs;
        if jobs > 1 && self.options.clean == Some(Clean::Objects) && self.server.target.object_count > 0 {
            notes.push("--clean objects keeps to one job: what is dropped comes back if the rest fails".into());
            jobs = 1;
        }
        let mut loader = self.connected(client, jobs)?.arg("--exit-on-error");
        loader = if jobs > 1 { loader.arg(format!("--jobs={jobs}")) } else { loader.arg("--single-transaction") };
        if jobs > 1 && !self.is_replaced() {
            notes.push(format!("{jobs} sessions at once: a failure leaves behind what was restored before it"));
        }
        let loader = self.with_input(selection.add_to(loader))?;
        let plan = RestorePlan::new(Loader::Client(loader), tables);
        Ok(RestorePlan { filter: self.freeze(), parts, atomic: jobs <= 1, notes, ..plan })
    }

    /// Marks rows as frozen on their way, where `pg_restore` reads a stream.
    fn freeze(&self) -> Option<Box<dyn Filter>> {
        if self.content.format != Format::PG_CUSTOM || !matches!(self.source, RestoreInput::Stream) {
            return None;
        }
        let freeze = match self.options.section {
            Some(Section::Data) => Freeze::lane(self.server, self.options, &self.content.entries),
            _ => Freeze::new(self.server, self.options, FreezeTarget::Stream),
        };
        freeze.map(|freeze| -> Box<dyn Filter> { Box::new(freeze) })
    }

    /// Whether the target's objects are dropped in the transaction of the restore.
    fn drops_first(&self) -> bool {
        let target = &self.server.target;
        let is_whole = self.options.section.is_none();
        self.options.clean == Some(Clean::Schema) && is_whole && target.exists && target.object_count > 0
    }

    /// Whether the target is there, whatever happens to the database that is filled.
    fn is_replaced(&self) -> bool {
        self.options.clean == Some(Clean::Database) && self.server.target.exists
    }

    /// Whether a psql is there that can set the database's settings in the transaction of the restore.
    fn sets_within(&self) -> bool {
        !self.settings().is_empty() && self.shell().is_ok_and(|psql| clients::knows_restrict(psql.version))
    }

    fn settings(&self) -> String {
        let is_one = self.content.format != Format::PG_PLAIN || plain::transactions(self.content).is_some();
        let settings = is_one.then(|| apply_properties::within_restore(self.server, self.content, self.options));
        settings.unwrap_or_default()
    }

    /// How triggers of the target are kept off while rows come.
    fn triggers_off(&self) -> triggers::Switches {
        triggers::switches(self.server, self.content, self.options)
    }

    /// What psql is told of its session because nobody can by `PGOPTIONS`.
    fn statements(&self) -> String {
        pinned_settings::restore(self.server, self.content).statements
    }

    /// The transaction that psql runs a script in.
    fn transaction(&self, is_scripts: bool, notes: &mut Vec<String>) -> Transaction {
        let mut first = String::new();
        if self.drops_first() {
            let name = &self.server.database;
            notes.push(format!(
                "everything but extensions in database \"{name}\" is dropped, in the restore's transaction"
            ));
            let staying = lines(self.server, STAYING);
            if !staying.is_empty() {
                notes.push(format!("stays, as it is not {}'s: {}", self.server.user, staying.join(", ")));
            }
            first = object_classes::drops(self.options.keep_privileges);
        }
        let switches = self.triggers_off();
        notes.extend(switches.note);
        first += &switches.off;
        first += &clean::identities_off(self.server, self.content, self.options);
        Transaction { settings: self.statements(), first, is_scripts }
    }

    /// `pg_restore` makes SQL of the archive, and psql runs it.
    fn through_psql(&self, client: &Client, selection: RestoreScope, mut notes: Vec<String>) -> Result<RestorePlan> {
        let psql = self.shell()?;
        if !clients::knows_restrict(psql.version) && !self.options.trust {
            return Err(Error::new(
                Kind::Refused,
                format!("psql {} can't keep an archive from running programs on this machine", psql.version),
            )
            .hint(Hint::new(
                "install-psql-with-restrict",
                "install a psql of August 2025 or later: 13.22, 14.19, 15.14, 16.10, 17.6, 18",
            ))
            .hint(Hint::new(
                "trust-without-restrict",
                "--trust goes on without: only for archives that nobody else could have changed",
            )));
        }
        if self.options.jobs > 1 {
            notes.push("--jobs has no effect on this way: one session".into());
        }
        let (parts, tables) = (selection.parts.clone(), selection.tables.clone());
        let decoder = self
            .with_input(selection.add_to(Invocation::new(&client.path).args(["--file=-", "--single-transaction"])))?;
        let transaction = self.transaction(true, &mut notes);
        let filter = self.filter(psql, transaction, None, &mut notes);
        let loader = Loader::Client(self.psql(psql)?);
        Ok(RestorePlan {
            decoder: Some(decoder),
            decoder_filter: self.freeze(),
            filter: Some(filter),
            parts,
            atomic: true,
            notes,
            ..RestorePlan::new(loader, tables)
        })
    }

    fn psql(&self, psql: &Client) -> Result<Invocation> {
        let mut loader = self.connected(psql, 1)?.args([
            "--no-psqlrc",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
            "--output=/dev/null",
            "--file=-",
        ]);
        loader.stdin = Stdin::Pipe;
        Ok(loader)
    }

    /// The client with its way to the target, and what its sessions are told there.
    fn connected(&self, client: &Client, sessions: u32) -> Result<Invocation> {
        // A script or an archive says what it is written in; a script that doesn't is text as any other.
        let invocation = Invocation::new(&client.path).env("PGCLIENTENCODING", "UTF8");
        let told = pinned_settings::restore(self.server, self.content).options;
        let options: Vec<_> = tuning::options(self.server, sessions).into_iter().chain(told).collect();
        let invocation = if options.is_empty() { invocation } else { invocation.env("PGOPTIONS", options.join(" ")) };
        libpq::connect(invocation, self.connection, client.version, Limits::default().connect)
    }

    /// Runs a script in a transaction, shuts psql's commands off, and leaves out lines that the server or this psql does not know.
    /// `parts` of it come, if not all.
    fn filter(
        &self,
        psql: &Client,
        transaction: Transaction,
        parts: Option<&[Range<u64>]>,
        notes: &mut Vec<String>,
    ) -> Box<dyn Filter> {
        let restriction = match (clients::knows_restrict(psql.version), self.options.trust) {
            (true, false) => Restriction::Ours(token()),
            (true, true) => Restriction::AsItIs,
            (false, _) => {
                notes.push(format!("psql {} does not know \\restrict: those lines are left out", psql.version));
                Restriction::Unknown
            }
        };
        let adapter = Adapter::new(self.server.version.major < 17, restriction).within(transaction);
        let mut filter: Box<dyn Filter> =
            Box::new(if self.brings_public() { adapter.without_public() } else { adapter });
        let postpones = self.content.format == Format::PG_PLAIN && !self.options.triggers;
        let (early, names) = postpone::early(if postpones { &self.content.entries } else { &[] });
        if !early.is_empty() {
            notes.push(format!(
                "made behind the rows, before which the dump has them: {}",
                join_truncated(names.into_iter().map(str::to_owned))
            ));
            filter = Box::new(Postpone::new(filter, early, parts));
        }
        match self.triggers_off().back + &self.settings() {
            last if last.is_empty() => filter,
            last => Box::new(Epilogue::new(filter, last)),
        }
    }

    /// A script can't be restored by a list of its entries: the one line that would fail is taken out of it.
    fn brings_public(&self) -> bool {
        let held = self.content.format == Format::PG_PLAIN && self.content.schemas.iter().any(|name| name == "public");
        held && self.leaving().schema_stays("public")
    }

    /// Of a script: the sections of other schemas that the target keeps.
    fn staying_schemas(&self) -> impl Iterator<Item = Range<u64>> {
        let schemas = self.content.entries.iter().filter(|e| e.kind == "SCHEMA" && e.tag != "public");
        schemas.filter(|e| self.leaving().schema_stays(&e.tag)).filter_map(|e| e.span.clone())
    }

    fn leaving(&self) -> TocExclusions<'_> {
        TocExclusions { server: self.server, options: self.options }
    }

    fn with_input(&self, mut invocation: Invocation) -> Result<Invocation> {
        match self.source {
            RestoreInput::Path(path) => return Ok(invocation.arg(path.to_string_lossy())),
            RestoreInput::Stream if self.content.format == Format::PG_DIRECTORY || self.options.jobs > 1 => {
                return Err(Error::new(
                    Kind::Refused,
                    "several jobs, and directory-format dumps, need the dump as a file",
                ));
            }
            RestoreInput::Stream => invocation.stdin = Stdin::Pipe,
        }
        Ok(invocation)
    }

    fn selection(&self, client: &Client, notes: &mut Vec<String>) -> Result<RestoreScope> {
        let options = self.options;
        let mut flags = Vec::new();
        let mut when = |on: bool, flag: &str, note: &str| {
            if on {
                flags.push(flag.to_owned());
                notes.extend((!note.is_empty()).then(|| note.to_owned()));
            }
        };
        when(!options.keep_owner, "--no-owner", "owners left out (--keep-owner keeps them)");
        when(!options.keep_privileges, "--no-privileges", "privileges left out (--keep-privileges keeps them)");
        when(options.schema_only, "--schema-only", "");
        when(options.data_only, "--data-only", "");
        when(options.section == Some(Section::PreData), "--section=pre-data", "");
        let behind = [Section::PostData, Section::Indexes, Section::Readers];
        when(options.section.is_some_and(|section| behind.contains(&section)), "--section=post-data", "");
        when(options.no_comments && client.version.major >= 11, "--no-comments", "comments left out");
        let lacking = tablespaces::lacking(self.server, self.content);
        when(!lacking.is_empty(), "--no-tablespaces", &tablespaces::note(&lacking));
        // Cleaning an empty target can fail where there is nothing to clean.
        let clean = options.clean == Some(Clean::Objects) && self.server.target.object_count > 0;
        when(clean, "--clean", "");
        when(clean, "--if-exists", "");
        let chosen = self.chosen(notes)?;
        if options.section == Some(Section::Data) {
            // The entries are definitions', which another command makes.
            return Ok(RestoreScope { flags, list: None, parts: None, tables: self.content.tables.clone() });
        }
        let streamed = self.content.format == Format::PG_CUSTOM && matches!(self.source, RestoreInput::Stream);
        let parts = chosen.as_ref().filter(|_| streamed).map(|chosen| blocks(self.content, chosen, options));
        let tables = tables(self.content, chosen.as_ref());
        let list = self.leaving().list(&self.content.entries, chosen.as_ref(), clean, notes);
        Ok(RestoreScope { flags, list, parts, tables })
    }
}

/// Which part of the archive, as arguments.
struct RestoreScope {
    flags: Vec<String>,
    list: Option<PrivateFile>,
    /// The stretches of the dump that it takes.
    parts: Option<Vec<Range<u64>>>,
    /// The tables that come.
    tables: Vec<DumpedTable>,
}

impl RestoreScope {
    fn add_to(self, invocation: Invocation) -> Invocation {
        let invocation = invocation.args(self.flags);
        match self.list {
            Some(list) => invocation.file_arg("--use-list=", list),
            None => invocation,
        }
    }
}

/// What no archive can know: the keys come from the system's random numbers.
pub fn token() -> String {
    let random = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", random(), random())
}

#[cfg(test)]
mod tests;
