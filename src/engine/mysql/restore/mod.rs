//! A restore's whole command line, and what is adapted on the way.

pub(super) mod beforehand;
pub(super) mod columns;
pub(super) mod early;
pub(super) mod events;
pub(super) mod foreign_keys;
pub(super) mod other_tables;
pub(super) mod own_name;
pub(super) mod prepare;
pub(super) mod resume;
pub(super) mod rewrite;
pub(super) mod sections;
pub(super) mod suitability;
pub(super) mod triggers;
pub(super) mod wide_tables;

use std::collections::BTreeSet;
use std::ops::Range;

use super::clients;
use super::dump::dependencies;
use super::parallel::{Known, Load};
use super::probe::database;
use super::probe::probe_keys::{self, join_truncated};
use super::session::server_settings::{self, SessionUse};
use super::session::{LOADING, UNCHECKED, connection_args as common};
use super::sql::content::{fact, names};
use crate::connection::Connection;
use crate::engine::{
    Client, Content, DumpedTable, Filter, Flavour, Loader, RestoreInput, RestoreJob, RestoreOptions, RestorePlan,
    ResumeState, Role, Scene, Server, Version,
};
use crate::error::{Error, Kind, Result};
use crate::invocation::{Invocation, Stdin};
use rewrite::{Adapt, Rewriter};
use suitability::{is_member, without_database};

/// Seconds for the client's own connecting; the probe has just got through.
const CONNECT_SECONDS: u32 = 10;

/// A longer statement may take more than the memory that dbhaul promises.
const LONG_STATEMENT: u64 = 8 << 20;

/// MariaDB's clients repeat a failing statement between two of these lines. The option against that came late, and
/// versions that lack it pass over it.
const ECHO_FENCE: &str = "--------------";

/// A restore, planned.
pub(super) fn plan(job: &RestoreJob<'_>) -> Result<RestorePlan> {
    let RestoreJob { connection, server, content, clients, options, source } = *job;
    if let RestoreInput::Path(path) = source {
        return Err(Error::new(Kind::Unexpected, format!("a MySQL dump is fed, not opened: {}", path.display())));
    }
    let left = &server.target.left;
    let (chosen, functions) = dependencies::chosen(content, options);
    let adapt = |client: Option<&Client>| Adapt {
        definers: !options.keep_definers,
        sandbox: !client.is_some_and(knows_sandbox),
        sql_mode: server.flavour == Flavour::MYSQL && server.version.major >= 8,
        schema_only: options.schema_only,
        data_only: options.data_only,
        tables: chosen.clone(),
        functions: functions.clone(),
        without_rows: bare_names(&options.exclude_table_data),
        collations: options.map_collations.clone(),
        complete: left.complete.clone(),
        without_foreign_keys: left.without_foreign_keys.clone(),
        disable_events: options.disable_events,
        own_name: content.facts.get(fact::DATABASE_NAME).filter(|name| **name != connection.database).cloned(),
        strict: is_strict(server, content, options),
        early: early(content, options).into_iter().map(str::to_owned).collect(),
        prologue: if client.is_some() { server_settings::prologue(server, &connection.database) } else { Vec::new() },
    };
    let (loader, adapt) = if shares(options) {
        (Loader::Sessions(Box::new(sessions(connection, server, content, options))), adapt(None))
    } else {
        let client = clients::choose(Role::Shell, server, Some(content), &clients.clients, &clients.rejected)?;
        (Loader::Client(shell(connection, server, client, unchecked(server, content, options))?), adapt(Some(client)))
    };
    let parts = if functions.is_empty() { needed(content, &adapt.tables) } else { None };
    let mut tables = coming(content, options);
    let resumable = !options.schema_only && !options.data_only && tables.iter().all(|table| table.structure.is_some());
    tables.retain(|table| !left.complete.contains(&table.name));
    let notes =
        notes(server, content, options).into_iter().chain(database::standing(server, content, options)).collect();
    let filter: Option<Box<dyn Filter>> = Some(Box::new(Rewriter::new(adapt)));
    Ok(RestorePlan { filter, parts, resumable, notes, ..RestorePlan::new(loader, tables) })
}

/// Whether sessions of our own have something to share, or to go on from.
pub(super) fn shares(options: &RestoreOptions) -> bool {
    (options.jobs > 1 || options.resume) && !options.schema_only && !options.data_only
}

/// Whether rows come alone, into tables that are there.
fn rows_alone(content: &Content, options: &RestoreOptions) -> bool {
    options.data_only || content.holds_rows_alone()
}

/// Whether rows come although they break a check: as they were at the source.
fn unchecked(server: &Server, content: &Content, options: &RestoreOptions) -> bool {
    server.flavour == Flavour::MARIADB && !rows_alone(content, options)
}

/// Generated columns of the target, for which MariaDB's dumps have values: a strict mode refuses these.
fn generated<'s>(server: &'s Server, content: &Content, options: &RestoreOptions) -> Vec<&'s str> {
    let tables = coming(content, options);
    let comes = |column: &&str| tables.iter().any(|table| is_member(column, &table.name));
    let columns = probe_keys::list(server, probe_keys::GENERATED).into_iter();
    if server.flavour == Flavour::MARIADB { columns.filter(comes).collect() } else { Vec::new() }
}

/// Whether values that a column of the target does not take end the restore, and are not cut to fit.
fn is_strict(server: &Server, content: &Content, options: &RestoreOptions) -> bool {
    rows_alone(content, options) && generated(server, content, options).is_empty()
}

/// Sessions of our own, which know how many rows will come.
fn sessions(connection: &Connection, server: &Server, content: &Content, options: &RestoreOptions) -> Load {
    let rows = coming(content, options).into_iter().filter_map(|table| Some((table.name, table.rows?))).collect();
    let left = &server.target.left;
    let (complete, without_foreign_keys) = (left.complete.clone(), left.without_foreign_keys.clone());
    let known = Known { rows, complete, without_foreign_keys, pointed_at: pointed_at(content, left) };
    let scene = Scene::restore(server, content, options);
    Load {
        connection: connection.clone(),
        jobs: options.jobs,
        known,
        unchecked: unchecked(server, content, options),
        scene,
    }
}

/// The tables that foreign keys of complete tables point at.
fn pointed_at(content: &Content, left: &ResumeState) -> BTreeSet<String> {
    let has_keys = |table: &str| left.complete.contains(table) && !left.without_foreign_keys.contains(table);
    // Names may have dots: `table.other` is parted wherever a table's name ends.
    let parted = |both: &'_ str| {
        let ends = both.match_indices('.').map(|(at, _)| (&both[..at], &both[at + 1..]));
        ends.filter(|(table, _)| has_keys(table)).map(|(_, other)| other.to_owned()).collect::<Vec<_>>()
    };
    names(content, fact::REFERENCES).into_iter().flat_map(parted).collect()
}

/// The client's command line.
fn shell(connection: &Connection, server: &Server, client: &Client, unchecked: bool) -> Result<Invocation> {
    let unchecked = if unchecked { UNCHECKED } else { "" };
    let told = server_settings::client_assignments(server, SessionUse::Load)
        .map(|told| format!(", {told}"))
        .unwrap_or_default();
    let mut loader = common::connected(connection, server, client)?
        .args([
            // Also keeps a dump from running programs: no command but DELIMITER is obeyed.
            "--binary-mode",
            // Or else most clients take the comments out of routines' bodies.
            "--comments",
            "--default-character-set=utf8mb4",
            "--max-allowed-packet=1G",
            "--skip-reconnect",
            "--local-infile=0",
        ])
        .arg(format!("--connect-timeout={CONNECT_SECONDS}"))
        .arg(format!("--init-command={LOADING}{unchecked}{told}"))
        .args(by_version(client))
        .arg(format!("--database={}", connection.database));
    loader.stdin = Stdin::Pipe;
    loader.tells_line = true;
    loader.echo_fence = (client.flavour == Flavour::MARIADB).then_some(ECHO_FENCE);
    Ok(loader)
}

/// The tables that were asked for; some without their rows.
pub(super) fn coming(content: &Content, options: &RestoreOptions) -> Vec<DumpedTable> {
    let (tables, without_rows) = (dependencies::chosen(content, options).0, bare_names(&options.exclude_table_data));
    let chosen = content.tables.iter().filter(|t| tables.is_empty() || tables.contains(&t.name));
    let rows = |t: &DumpedTable| if without_rows.contains(&t.name) { Some(0) } else { t.rows };
    chosen.map(|t| DumpedTable { rows: rows(t), ..t.clone() }).collect()
}

fn bare_names(tables: &[String]) -> BTreeSet<String> {
    tables.iter().map(|table| without_database(table).to_owned()).collect()
}

/// Up to the end of the last statement about a table that is wanted: what comes behind need not be read.
#[expect(clippy::single_range_in_vec_init, reason = "one stretch it is")]
fn needed(content: &Content, tables: &BTreeSet<String>) -> Option<Vec<Range<u64>>> {
    let wanted = content.entries.iter().filter(|e| tables.contains(&e.tag));
    let end = wanted.filter_map(|e| e.span.as_ref()).map(|span| span.end).max()?;
    Some(vec![0..end])
}

/// `Album points at Artist`: keys that stay in the tables' definitions, to tables that neither come nor are there.
fn dangling(server: &Server, content: &Content, tables: &BTreeSet<String>) -> Vec<String> {
    let there = |name: &str| tables.contains(name) || server.tables.iter().any(|t| t.name.eq_ignore_ascii_case(name));
    let chosen = content.entries.iter().filter(|e| tables.contains(&e.tag));
    let points = chosen.flat_map(|e| {
        let others = names(content, fact::REFERENCES).into_iter();
        others.filter_map(|r| r.strip_prefix(e.tag.as_str())?.strip_prefix('.')).map(|other| (e.tag.as_str(), other))
    });
    points.filter(|(_, other)| !there(other)).map(|(table, other)| format!("{table} points at {other}")).collect()
}

/// Second and third locks on the door that `--binary-mode` shuts, and no customers' rows on stderr.
fn by_version(client: &Client) -> Vec<&'static str> {
    let v = client.version;
    if client.flavour == Flavour::MYSQL {
        let knows = v >= Version::new(9, 4, 0) || (v >= Version::new(8, 4, 6) && v < Version::new(9, 0, 0));
        return if knows { vec!["--skip-system-command", "--skip-commands"] } else { Vec::new() };
    }
    let mut flags = Vec::new();
    if knows_sandbox(client) {
        flags.push("--sandbox");
    }
    if v >= Version::new(10, 6, 0) {
        // Which patch release brought it is not written down; "loose" lets older ones pass over it.
        flags.push("--loose-skip-print-query-on-error");
    }
    flags
}

/// The releases of May 2024 brought the sandbox to every branch of MariaDB.
fn knows_sandbox(client: &Client) -> bool {
    const SINCE: [(u32, u32, u32); 7] =
        [(10, 5, 25), (10, 6, 18), (10, 11, 8), (11, 0, 6), (11, 1, 5), (11, 2, 4), (11, 4, 2)];
    let Version { major, minor, patch } = client.version;
    client.flavour == Flavour::MARIADB
        && ((major, minor) > (11, 4) || SINCE.iter().any(|&(a, b, c)| (a, b) == (major, minor) && patch >= c))
}

/// What is made behind the rows, before which the dump has it.
fn early<'c>(content: &'c Content, options: &RestoreOptions) -> Vec<&'c str> {
    if options.triggers || options.data_only { Vec::new() } else { names(content, fact::EARLY) }
}

/// What the target adds, where this user may not turn that off.
fn added_keys(server: &Server, content: &Content, options: &RestoreOptions) -> Option<String> {
    let (_, mends) = server_settings::stays(server, server_settings::INVISIBLE_KEYS, SessionUse::Load)?;
    let chosen = bare_names(&options.tables);
    let mut tables = names(content, fact::NO_PRIMARY_KEY);
    tables.retain(|table| chosen.is_empty() || chosen.contains(*table));
    let key = super::sql::definition::ADDED_KEY;
    let what = || {
        format!(
            "the target adds an invisible primary key, {key}, to tables without one: {} ({mends} there)",
            join_truncated(&tables)
        )
    };
    (!tables.is_empty() && !options.data_only).then(what)
}

fn notes(server: &Server, content: &Content, options: &RestoreOptions) -> Vec<String> {
    let mut notes = Vec::new();
    let mut dangling = dangling(server, content, &dependencies::chosen(content, options).0);
    dangling.extend(dependencies::dangling(server));
    if !dangling.is_empty() && !options.data_only {
        let keys: Vec<&str> = dangling.iter().map(String::as_str).collect();
        notes.push(format!(
            "foreign keys to tables that are not there: rows go in now, not later: {}",
            join_truncated(&keys)
        ));
    }
    let generated = generated(server, content, options);
    if rows_alone(content, options) && !generated.is_empty() {
        notes.push(format!(
            "values that the target's columns do not take are cut to fit: a strict mode would refuse those of generated \
             columns, which MariaDB's dumps have: {}",
            join_truncated(&generated)
        ));
    }
    let early = early(content, options);
    if !early.is_empty() {
        notes.push(format!("made behind the rows, before which the dump has them: {}", join_truncated(&early)));
    }
    notes.extend(added_keys(server, content, options));
    notes.extend(other_tables::notes(server, content, options));
    notes.extend(events::notes(server, content, options));
    let definers = content.facts.get(fact::DEFINERS).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    if definers > 0 && !options.keep_definers && !options.data_only {
        let noun = if definers == 1 { "object" } else { "objects" };
        notes.push(format!(
            "definers left out: {definers} {noun} will run as the restoring user (--keep-definers keeps them)"
        ));
    }
    if !options.tables.is_empty() {
        let what = if options.with_dependencies { "other routines and events" } else { "routines and events" };
        notes.push(format!("{what} left out: only some tables were asked for"));
    }
    if options.jobs > 1 && !shares(options) {
        notes.push("--jobs has no effect on structure alone or rows alone: one session".to_owned());
    }
    // Several sessions hold statements whole, and others of them besides.
    if shares(options) && content.longest_statement > LONG_STATEMENT {
        let size = content.longest_statement;
        notes.push(format!("the longest statement has {size} bytes, and up to three times that is held in memory"));
    }
    if options.keep_owner || options.keep_privileges || options.no_comments {
        notes.push("a MySQL dump holds no owners or privileges, and comments stay with their columns".to_owned());
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::mysql::clients::tests::recorded;
    use crate::engine::mysql::dump::long_options;
    use crate::engine::mysql::sql::content::Reader;
    use crate::engine::mysql::test_fixtures::{connection, knows, server, words};
    use crate::engine::{Found, Inspector};

    fn options() -> RestoreOptions {
        RestoreOptions::default()
    }

    fn content(dump: &str) -> Content {
        let mut reader = Box::new(Reader::new());
        reader.see(dump.as_bytes());
        reader.finish().expect("complete")
    }

    const MARIADB: &str = include_str!("../../../../fixtures/dumps/mariadb-10.11.19.sql");

    #[test]
    fn flags_by_client_a_restore_by_every_recorded_client() {
        let content = content(MARIADB);
        let mut all = String::new();
        for (name, client, help) in recorded().into_iter().filter(|(_, c, _)| c.role == Role::Shell) {
            let server = server(client.flavour, client.version);
            let found = Found { clients: vec![client], rejected: Vec::new() };
            let plan = plan(&RestoreJob {
                connection: &connection(),
                server: &server,
                content: &content,
                clients: &found,
                options: &options(),
                source: RestoreInput::Stream,
            })
            .expect("a plan");
            let loader = plan.loader.client().expect("a client");
            for option in long_options(loader) {
                assert!(knows(&help, &option.replace("--loose-", "--")), "{name} does not know {option}");
            }
            all.extend([name, "\n  ".into(), words(loader), "\n".into()]);
        }
        insta::assert_snapshot!(all, @r#"
        mariadb-10.11.19
          mariadb --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' --ssl --skip-ssl-verify-server-cert --binary-mode --comments '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --skip-reconnect '--local-infile=0' '--connect-timeout=10' '--init-command=SET SESSION net_read_timeout=3600, net_write_timeout=3600, wait_timeout=28800, lock_wait_timeout=600, check_constraint_checks=0' --sandbox --loose-skip-print-query-on-error '--database=shop'
        mariadb-10.3.22
          mariadb --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' --ssl --skip-ssl-verify-server-cert --binary-mode --comments '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --skip-reconnect '--local-infile=0' '--connect-timeout=10' '--init-command=SET SESSION net_read_timeout=3600, net_write_timeout=3600, wait_timeout=28800, lock_wait_timeout=600, check_constraint_checks=0' '--database=shop'
        mariadb-10.5.23
          mariadb --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' --ssl --skip-ssl-verify-server-cert --binary-mode --comments '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --skip-reconnect '--local-infile=0' '--connect-timeout=10' '--init-command=SET SESSION net_read_timeout=3600, net_write_timeout=3600, wait_timeout=28800, lock_wait_timeout=600, check_constraint_checks=0' '--database=shop'
        mariadb-11.8.6
          mariadb --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' --ssl --skip-ssl-verify-server-cert --binary-mode --comments '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --skip-reconnect '--local-infile=0' '--connect-timeout=10' '--init-command=SET SESSION net_read_timeout=3600, net_write_timeout=3600, wait_timeout=28800, lock_wait_timeout=600, check_constraint_checks=0' --sandbox --loose-skip-print-query-on-error '--database=shop'
        mysql-5.7.21
          mysql --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' '--ssl-mode=PREFERRED' --binary-mode --comments '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --skip-reconnect '--local-infile=0' '--connect-timeout=10' '--init-command=SET SESSION net_read_timeout=3600, net_write_timeout=3600, wait_timeout=28800, lock_wait_timeout=600' '--database=shop'
        mysql-8.0.28
          mysql --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' '--ssl-mode=PREFERRED' --binary-mode --comments '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --skip-reconnect '--local-infile=0' '--connect-timeout=10' '--init-command=SET SESSION net_read_timeout=3600, net_write_timeout=3600, wait_timeout=28800, lock_wait_timeout=600' '--database=shop'
        mysql-8.0.36
          mysql --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' '--ssl-mode=PREFERRED' --binary-mode --comments '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --skip-reconnect '--local-infile=0' '--connect-timeout=10' '--init-command=SET SESSION net_read_timeout=3600, net_write_timeout=3600, wait_timeout=28800, lock_wait_timeout=600' '--database=shop'
        mysql-8.4.6
          mysql --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' '--ssl-mode=PREFERRED' --binary-mode --comments '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --skip-reconnect '--local-infile=0' '--connect-timeout=10' '--init-command=SET SESSION net_read_timeout=3600, net_write_timeout=3600, wait_timeout=28800, lock_wait_timeout=600' --skip-system-command --skip-commands '--database=shop'
        mysql-9.7.4
          mysql --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' '--ssl-mode=PREFERRED' --binary-mode --comments '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --skip-reconnect '--local-infile=0' '--connect-timeout=10' '--init-command=SET SESSION net_read_timeout=3600, net_write_timeout=3600, wait_timeout=28800, lock_wait_timeout=600' --skip-system-command --skip-commands '--database=shop'
        "#);
    }
}
