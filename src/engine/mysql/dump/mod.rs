//! The dump's whole command line. Every flag is decided by what the probe saw and by the client's flavour and version;
//! fixtures/client-help holds what each client knows, and the tests hold every command line against it.

pub(super) mod computed;
pub(super) mod dependencies;
pub(super) mod dump_filter;
pub(super) mod excuse;
pub(super) mod extra;
pub(super) mod setting_limits;

use std::collections::BTreeSet;

use super::parallel::rows;
use super::probe::probe_keys::{self, join_truncated};
use super::probe::{findings, lossy_texts};
use super::restore::own_name;
use super::restore::suitability::is_member;
use super::session::connection_args as common;
use super::session::server_settings::{self, SessionUse};
use crate::connection::{Connection, Limits};
use crate::engine::{
    Client, DumpOptions, DumpPlan, DumpSnapshot, DumpSource, Flavour, Format, Server, Version, left_out_by, missing,
    refuse_missing,
};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;
use dump_filter::TableFilter;

/// What every dump is made with: rows streamed from one snapshot, binary as hex, all of the objects of a database.
const ALWAYS: &[&str] = &[
    "--quick",
    "--hex-blob",
    "--default-character-set=utf8mb4",
    "--max-allowed-packet=1G",
    // Without PROCESS, mysqldump would ask in vain (and end well).
    "--no-tablespaces",
];

/// MySQL's dump client runs a statement at the beginning of its session from here on.
const INIT_COMMAND: Version = Version::new(8, 4, 0);

/// What can be refused without a server.
pub(super) fn check(options: &DumpOptions) -> Result<()> {
    if options.schema_only && options.data_only {
        return Err(Error::new(Kind::Usage, "--schema-only and --data-only exclude each other"));
    }
    if options.jobs > 1 && !options.extra.is_empty() {
        return Err(Error::new(Kind::Usage, "--jobs and arguments after -- exclude each other")
            .why("the rows are read by several sessions, which know nothing of these arguments"));
    }
    extra::check(&options.extra)
}

/// A dump, planned.
pub(super) fn plan(
    connection: &Connection,
    server: &Server,
    client: &Client,
    options: &DumpOptions,
    limits: &Limits,
    snapshot: &DumpSnapshot,
) -> Result<DumpPlan> {
    check(options)?;
    let mut selection = dump_filter::select(options, server)?;
    let lacks = missing(server, |subject| excuse::excuses(server, options, &selection, subject));
    refuse_missing(&lacks, options.allow_incomplete)?;
    if options.allow_incomplete {
        selection.leave_out(&findings::left_out(server));
    }
    check_history(server, client, options, &selection)?;
    restorable(server, client, options, &selection)?;
    if !is_told(client) {
        setting_limits::check(server, client, options, &selection, snapshot)?;
    }
    let consistency = Consistency::of(server, options, &selection);
    let mut base =
        common::connected(connection, server, client)?.args([consistency.flag()]).args(ALWAYS.iter().copied());
    base = base.args(by_version(server, client, limits));
    let without_rows = matches!(snapshot, DumpSnapshot::Seen(_));
    base = base.args(without_rows.then_some(rows::NO_ROWS));
    let runs = runs(server, client, options, &selection)
        .into_iter()
        .map(|run| base.clone().args(run.flags).args(options.extra.clone()).args(positional(connection, &run.tables)));
    let invocations: Vec<_> = runs.collect();
    if invocations.is_empty() {
        return Err(Error::new(Kind::Usage, "the options leave nothing to dump"));
    }
    let inexact = if options.schema_only { Vec::new() } else { inexact(server, &selection, snapshot) };
    let retyped =
        if options.schema_only { Vec::new() } else { rows::among(server, &selection, probe_keys::TYPED_JSON) };
    let mut warnings = warnings(server, client, options, &selection, &consistency);
    warnings.extend(six_digits(server, &inexact));
    if !options.schema_only {
        warnings.extend(computed::warnings(server, &selection));
        warnings.extend(histograms(server, options, &selection));
        warnings.extend(lossy_texts::warnings(server, &selection, !without_rows));
    }
    warnings.extend(crate::engine::warnings(server.selected.as_ref()));
    warnings.extend(own_name::left_out(server, options, &selection));
    warnings.extend(extra::leaving_out(&options.extra).into_iter().map(|argument| left_out_by(argument)));
    Ok(DumpPlan {
        without_rows,
        missing: lacks.into_iter().map(|finding| finding.what.clone()).collect(),
        warnings,
        inexact: Some(inexact.into_iter().map(str::to_owned).collect()),
        retyped: retyped.into_iter().map(str::to_owned).collect(),
        notes: own_name::spelled_out(server, options, &selection).into_iter().collect(),
        ..DumpPlan::new(DumpSource::Client(invocations), "dump.sql", Format::MYSQL_SQL, consistency.name())
    })
}

/// Whether all tables whose rows are dumped are locked while they are read.
pub(super) fn locks_tables(server: &Server, options: &DumpOptions, selection: &TableFilter) -> bool {
    Consistency::of(server, options, selection) == Consistency::Locked
}

/// FLOAT columns that lose digits: those that the client reads although a session of ours would have.
fn inexact<'s>(server: &'s Server, selection: &TableFilter, snapshot: &DumpSnapshot) -> Vec<&'s str> {
    if matches!(snapshot, DumpSnapshot::Alone(Some(_))) { rows::floats(server, selection) } else { Vec::new() }
}

/// Refuses a client that would leave the history of tables out.
fn check_history(server: &Server, client: &Client, options: &DumpOptions, selection: &TableFilter) -> Result<()> {
    let versioned = probe_keys::list(server, probe_keys::VERSIONED).into_iter();
    let versioned: Vec<_> = versioned.filter(|name| selection.includes(name)).collect();
    let rows = !options.schema_only && !options.allow_incomplete;
    if !rows || versioned.is_empty() || !findings::dumps_history(server) || knows_history(client) {
        return Ok(());
    }
    let what =
        format!("{client} would leave out the history of system-versioned tables: {}", join_truncated(&versioned));
    Err(Error::new(Kind::Refused, format!("the dump would fail: {what}")).unchanged().hint(Hint::new(
        "client-that-dumps-history",
        "install mariadb-dump 10.11 or later; --allow-incomplete dumps the current rows",
    )))
}

pub(super) fn knows_history(client: &Client) -> bool {
    client.flavour == Flavour::MARIADB && client.version >= findings::HISTORY
}

/// MariaDB's client writes the values of generated columns, which MariaDB passes over and MySQL refuses to take back.
fn restorable(server: &Server, client: &Client, options: &DumpOptions, selection: &TableFilter) -> Result<()> {
    if client.flavour != Flavour::MARIADB || server.flavour != Flavour::MYSQL || options.schema_only {
        return Ok(());
    }
    let has_rows = |column: &&str| {
        let of = |table: &String| is_member(column, table);
        selection.only.as_ref().is_none_or(|only| only.iter().any(of))
            && !selection.ignored.iter().chain(&selection.without_rows).any(of)
    };
    let columns: Vec<_> = probe_keys::list(server, probe_keys::GENERATED).into_iter().filter(has_rows).collect();
    if columns.is_empty() {
        return Ok(());
    }
    let what = "MariaDB's client dumps generated columns in a way that MySQL can't restore";
    Err(Error::new(Kind::Refused, what).why(join_truncated(&columns)).unchanged().hint(Hint::new(
        "take-mysqls-mysqldump",
        "take MySQL's own mysqldump: point --client-dir at its folder, or put it on PATH",
    )))
}

/// Whether a statement can be handed to this client for the beginning of its session.
pub(super) fn is_told(client: &Client) -> bool {
    client.flavour == Flavour::MYSQL && client.version >= INIT_COMMAND
}

/// Flags that only some clients know; an unknown one ends every client with code 7.
fn by_version(server: &Server, client: &Client, limits: &Limits) -> Vec<String> {
    let mut flags = Vec::new();
    if client.flavour != Flavour::MYSQL {
        let versioned = !probe_keys::list(server, probe_keys::VERSIONED).is_empty();
        // Without it the history of system-versioned tables is lost, and nobody says so.
        if versioned && knows_history(client) && findings::dumps_history(server) {
            flags.push("--dump-history".to_owned());
        }
        // Of a table with DEFAULT NEXTVAL(...), a restore under LOCK TABLES fails: the sequence is not locked (1100).
        if probe_keys::on(server, probe_keys::SEQUENCES) {
            flags.push("--skip-add-locks".to_owned());
        }
        return flags;
    }
    // Without it a restore would need rights that few have, and replicas would miss the rows.
    flags.push("--set-gtid-purged=OFF".to_owned());
    if client.version.major >= 8 {
        flags.push("--column-statistics=0".to_owned());
    }
    if is_told(client) {
        let [mysql, mariadb] = probe_keys::STATEMENT_TIME;
        let limit = if server.flavour == Flavour::MARIADB { mariadb } else { mysql };
        let told = server_settings::client_assignments(server, SessionUse::Read)
            .map(|told| format!(", {told}"))
            .unwrap_or_default();
        flags.push(format!("--init-command=SET SESSION {limit}=0, {}{told}", common::reading(limits)));
    }
    flags
}

/// One run of the client. Two are needed where the client can't leave out the rows of some tables only.
struct Run {
    flags: Vec<String>,
    /// Only these tables, if any are named.
    tables: Vec<String>,
}

fn runs(server: &Server, client: &Client, options: &DumpOptions, selection: &TableFilter) -> Vec<Run> {
    let full = |table: &String| format!("{}.{table}", server.database);
    let mut ignored = selection.ignored.clone();
    let mut only = selection.only.clone();
    let mut flags = objects(server, options, selection);
    let mut runs = Vec::new();
    if !selection.without_rows.is_empty() && !options.schema_only {
        if client.flavour == Flavour::MARIADB && client.version >= Version::new(10, 5, 5) && !options.data_only {
            flags.extend(selection.without_rows.iter().map(|t| format!("--ignore-table-data={}", full(t))));
        } else {
            if !options.data_only {
                let only = TableFilter { only: Some(selection.without_rows.clone()), ..TableFilter::default() };
                let flags = objects(server, &DumpOptions { schema_only: true, ..options.clone() }, &only);
                runs.push(Run { flags, tables: selection.without_rows.clone() });
            }
            match &mut only {
                Some(only) => only.retain(|table| !selection.without_rows.contains(table)),
                None => ignored.extend(selection.without_rows.iter().cloned()),
            }
        }
    }
    flags.extend(ignored.iter().map(|table| format!("--ignore-table={}", full(table))));
    if only.as_ref().is_none_or(|tables| !tables.is_empty()) {
        runs.push(Run { flags, tables: only.unwrap_or_default() });
    }
    runs
}

/// Routines, events and triggers are off by default in every client. Like `pg_dump`'s, a dump of some tables holds
/// these tables and their triggers alone. A client gives up on what it may not see, or says nothing: the probe's findings
/// say that it will be missing.
fn objects(server: &Server, options: &DumpOptions, selection: &TableFilter) -> Vec<String> {
    let sees = |right| !server.settings.contains_key("grants") || probe_keys::granted(server, right);
    let triggers = sees("trigger") || selection.only.is_some() && !excuse::hides_triggers(server, selection);
    let whole = !options.data_only && selection.only.is_none();
    let hidden = options.allow_incomplete && !probe_keys::list(server, probe_keys::HIDDEN_ROUTINES).is_empty();
    let switch = |on: bool, yes: &str, no: &str| if on { yes.to_owned() } else { no.to_owned() };
    let mut flags = Vec::new();
    flags.extend(options.schema_only.then(|| "--no-data".to_owned()));
    // A table that is there may have its columns in another order.
    flags.extend(
        options.data_only.then(|| ["--no-create-info", "--complete-insert"].map(str::to_owned)).into_iter().flatten(),
    );
    flags.push(switch(!options.data_only && triggers, "--triggers", "--skip-triggers"));
    flags.push(switch(whole && !hidden, "--routines", "--skip-routines"));
    flags.push(switch(whole && sees("event"), "--events", "--skip-events"));
    flags
}

/// The database and the tables; behind `--` when one of them looks like an option.
fn positional(connection: &Connection, tables: &[String]) -> Vec<String> {
    let names = std::iter::once(&connection.database).chain(tables);
    let guard = names.clone().any(|name| name.starts_with('-')).then(|| "--".to_owned());
    guard.into_iter().chain(names.cloned()).collect()
}

/// How the rows of different tables fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Consistency<'a> {
    /// One transaction sees all of them.
    Snapshot,
    /// One transaction, and these tables of engines that know none.
    Mixed(Vec<&'a str>),
    /// No table knows transactions: all are locked for reading.
    Locked,
    /// No table knows transactions, and the user may not lock them.
    Loose(Vec<&'a str>),
}

impl<'a> Consistency<'a> {
    /// Of the tables whose rows are dumped.
    fn of(server: &'a Server, options: &DumpOptions, selection: &TableFilter) -> Self {
        let rows: BTreeSet<&str> = selection.with_rows(server).filter(|_| !options.schema_only).collect();
        let without = probe_keys::list(server, probe_keys::NO_TRANSACTIONS).into_iter();
        let without: Vec<&str> = without.filter(|name| rows.contains(name)).collect();
        if without.is_empty() {
            Self::Snapshot
        } else if without.len() < rows.len() {
            Self::Mixed(without)
        } else if probe_keys::granted(server, "lock tables") {
            Self::Locked
        } else {
            Self::Loose(without)
        }
    }

    fn flag(&self) -> &'static str {
        if *self == Self::Locked { "--lock-tables" } else { "--single-transaction" }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Mixed(_) => "snapshot, except for tables without transactions",
            Self::Locked => "tables locked while they were read",
            Self::Loose(_) => "none: no table knows transactions, and the user may not lock them",
        }
    }
}

fn warnings(
    server: &Server,
    client: &Client,
    options: &DumpOptions,
    selection: &TableFilter,
    consistency: &Consistency<'_>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Consistency::Mixed(names) | Consistency::Loose(names) = consistency {
        warnings.push(format!(
            "{} of an engine without transactions may change while they are read: {}",
            if names.len() == 1 { "1 table".to_owned() } else { format!("{} tables", names.len()) },
            join_truncated(names)
        ));
    }
    if *consistency == Consistency::Locked {
        warnings.push("no table knows transactions: all are locked against writes while they are read".to_owned());
    }
    warnings.extend(setting_limits::time_limits(server, client));
    if options.no_owner || options.no_privileges || options.no_comments {
        warnings.push(
            "owners, privileges and comments can't be left out of a MySQL dump; a restore adapts definers".to_owned(),
        );
    }
    if selection.only.is_some() && !options.data_only {
        warnings.push("routines and events are left out of a dump of some tables".to_owned());
    }
    warnings
        .extend(selection.idle.iter().map(|pattern| format!("nothing matches {pattern:?}, which leaves nothing out")));
    warnings
}

/// Names the columns with histograms, which a client only makes again where it is told to.
fn histograms(server: &Server, options: &DumpOptions, selection: &TableFilter) -> Option<String> {
    let columns = rows::among(server, selection, probe_keys::HISTOGRAMS);
    let comes = options.extra.iter().any(|argument| argument == "--column-statistics");
    let what = "histograms are not in the dump (-- --column-statistics makes them again, without AUTO UPDATE)";
    (!columns.is_empty() && !comes && !options.data_only).then(|| format!("{what}: {}", join_truncated(&columns)))
}

/// Names the FLOAT columns that come back with other values.
fn six_digits(server: &Server, inexact: &[&str]) -> Option<String> {
    let columns: Vec<_> = inexact.iter().map(|column| format!("{}.{column}", server.database)).collect();
    let what = "FLOAT columns come with six digits, as the client writes them";
    (!columns.is_empty()).then(|| format!("{what}: {}", columns.join(", ")))
}

/// The long options of a command line, for tests against what a client says it knows.
#[cfg(test)]
pub(super) fn long_options(invocation: &crate::invocation::Invocation) -> Vec<String> {
    use crate::invocation::Arg;
    let names = invocation.args.iter().map(|arg| match arg {
        Arg::Text(text) => text.as_str(),
        Arg::Bytes(_) => unreachable!("names are UTF-8"),
        Arg::File { prefix, .. } => prefix.as_str(),
    });
    names.filter(|a| a.starts_with("--") && a.len() > 2).map(|a| a.split('=').next().unwrap_or(a).to_owned()).collect()
}

#[cfg(test)]
mod tests;
