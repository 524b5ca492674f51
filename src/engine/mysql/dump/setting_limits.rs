//! What a server's settings would cut from a dump, or make it fail: of a client that can't be told otherwise.
//!
//! mysqldump takes a statement for the beginning of its session from 8.4 on, MariaDB's client never does. The rows come
//! by sessions of our own then, as far as they can; the client's questions are its own. A dump that comes right as it is
//! is never refused.

use super::dump_filter::TableFilter;
use crate::engine::mysql::dump;
use crate::engine::mysql::probe::findings;
use crate::engine::mysql::probe::probe_keys::{self, join_truncated};
use crate::engine::mysql::session::server_settings::{
    self, AS_OF, BIG_SELECTS, BUFFERED, CLIENT_CHARSET, MAX_JOIN_SIZE, SELECT_LIMIT, SessionUse,
};
use crate::engine::{Client, DumpOptions, DumpSnapshot, Flavour, Server};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;

/// Refuses what this client would dump in part.
pub(crate) fn check(
    server: &Server,
    client: &Client,
    options: &DumpOptions,
    selection: &TableFilter,
    snapshot: &DumpSnapshot,
) -> Result<()> {
    if let Some((limit, mends)) = server_settings::odd(server, SELECT_LIMIT, SessionUse::Read) {
        limited(server, options, selection, snapshot, limit).map_or(Ok(()), |what| {
            let what = format!("{client} would dump {what}: {SELECT_LIMIT} is {limit} for this user");
            Err(refused(server, what, &mends))
        })?;
    }
    if let Some((_, mends)) = server_settings::odd(server, BIG_SELECTS, SessionUse::Read)
        && let Some(what) = refused_reads(server, options, selection, snapshot)
    {
        let limit = probe_keys::number(server, MAX_JOIN_SIZE);
        let what = format!("the server would not let {client} read {what}: {MAX_JOIN_SIZE} is {limit} for this user");
        return Err(refused(server, what, &mends));
    }
    let with_history = findings::dumps_history(server) && dump::knows_history(client);
    let mut versioned = probe_keys::list(server, probe_keys::VERSIONED);
    versioned.retain(|table| selection.with_rows(server).any(|name| name == *table));
    if let Some((time, mends)) = server_settings::odd(server, AS_OF, SessionUse::Read)
        && !(options.schema_only || with_history || versioned.is_empty())
    {
        let what = format!(
            "{client} would dump system-versioned tables as of another time ({}): {AS_OF} is {time} for this user",
            join_truncated(&versioned)
        );
        return Err(refused(server, what, &mends));
    }
    let mut views = probe_keys::list(server, probe_keys::VIEWS);
    views.retain(|view| selection.includes(view));
    if let Some((_, mends)) = server_settings::odd(server, BUFFERED, SessionUse::Read)
        && !(server.flavour == Flavour::MARIADB || options.data_only || views.is_empty())
    {
        let what = format!(
            "{client} would write {BUFFERED}, which is on for this user, into views: {}",
            join_truncated(&views)
        );
        return Err(refused(server, what, &mends));
    }
    if let Some((charset, mends)) = server_settings::odd(server, CLIENT_CHARSET, SessionUse::Read) {
        let named = names(server).filter(|name| !name.is_ascii() && selection.includes(name)).collect::<Vec<_>>();
        if !named.is_empty() && !["utf8", "utf8mb3"].contains(&charset) {
            let what = format!(
                "{client} would not find {}: the server reads its statements as {charset} ({CLIENT_CHARSET})",
                join_truncated(&named)
            );
            return Err(refused(server, what, &mends));
        }
    }
    Ok(())
}

/// What a limit on the rows of each `SELECT` cuts, in the words behind "would dump".
fn limited(
    server: &Server,
    options: &DumpOptions,
    selection: &TableFilter,
    snapshot: &DumpSnapshot,
    limit: &str,
) -> Option<String> {
    let limit = limit.parse::<u64>().unwrap_or(0);
    if limit < probe_keys::number(server, probe_keys::LONGEST_LIST) {
        return Some("only a part of the tables and other objects".to_owned());
    }
    if !client_reads_rows(options, snapshot) {
        return None;
    }
    let mut over = probe_keys::list(server, probe_keys::OVER_LIMIT);
    over.retain(|table| selection.with_rows(server).any(|name| name == *table));
    let why = match snapshot {
        DumpSnapshot::Alone(Some(why)) => format!(" ({why})"),
        _ => String::new(),
    };
    (!over.is_empty()).then(|| format!("only a part of the rows of {}{why}", join_truncated(&over)))
}

/// Who reads is not decided yet where nobody says why the client does.
fn client_reads_rows(options: &DumpOptions, snapshot: &DumpSnapshot) -> bool {
    let by_client = options.client_rows || matches!(snapshot, DumpSnapshot::Alone(Some(_)));
    by_client && !options.schema_only
}

/// What [`MAX_JOIN_SIZE`] keeps a client from reading, by the server's estimates.
fn refused_reads(
    server: &Server,
    options: &DumpOptions,
    selection: &TableFilter,
    snapshot: &DumpSnapshot,
) -> Option<String> {
    /// The optimizer's estimate of a list of the catalogue.
    const ROWS_OF_LIST: u64 = 10;
    let limit = probe_keys::number(server, MAX_JOIN_SIZE);
    if limit < ROWS_OF_LIST {
        return Some("the list of the tables".to_owned());
    }
    if !client_reads_rows(options, snapshot) {
        return None;
    }
    let large = server.tables.iter().filter(|table| table.rows > limit).map(|table| table.name.as_str());
    let over: Vec<&str> = large.filter(|table| selection.with_rows(server).any(|name| name == *table)).collect();
    (!over.is_empty()).then(|| join_truncated(&over))
}

/// Tables, views and routines.
fn names(server: &Server) -> impl Iterator<Item = &str> {
    let tables = server.tables.iter().map(|table| table.name.as_str());
    let routines = probe_keys::list(server, probe_keys::ROUTINES).into_iter();
    let routines = routines.filter_map(|routine| routine.split_once(' ').map(|(_, name)| name));
    tables.chain(probe_keys::list(server, probe_keys::VIEWS)).chain(routines)
}

fn refused(server: &Server, what: String, mends: &str) -> Error {
    let newer = match server.flavour {
        Flavour::MYSQL => "; mysqldump 8.4 or later can be told otherwise",
        _ => "",
    };
    let hint = Hint::naming(
        "mend-the-setting",
        format!("{mends} on the server; where its init_connect sets it, take it out there{newer}"),
    );
    Error::new(Kind::Refused, what).why("nothing was written").hint(hint)
}

/// The server's limits on time that this client does not take off its own session. MySQL's clients do both by
/// `--init-command`; MariaDB's lift the first one in a comment that only MariaDB obeys, and have no way for the second.
pub(crate) fn time_limits(server: &Server, client: &Client) -> Vec<String> {
    const SHORT_SECONDS: u64 = 60;
    let mut limits = Vec::new();
    if dump::is_told(client) {
        return limits;
    }
    let by_mariadb = client.flavour == Flavour::MARIADB && server.flavour == Flavour::MARIADB;
    for name in probe_keys::STATEMENT_TIME.iter().filter(|name| !by_mariadb && probe_keys::number(server, name) > 0) {
        let unit = if *name == "max_execution_time" { "ms" } else { "s" };
        limits.push(format!(
            "{name} is {} {unit} on the server: the reading of a large table is ended, and this client can't lift it \
             (MySQL's 8.4 can)",
            probe_keys::number(server, name)
        ));
    }
    let write = probe_keys::number(server, probe_keys::WRITE_TIME);
    if (1..SHORT_SECONDS).contains(&write) {
        limits.push(format!(
            "{} is {write} s on the server: where the archive is written slowly the connection is lost, and this client \
             can't raise it (SET GLOBAL {0} = 600 can, or MySQL's 8.4)",
            probe_keys::WRITE_TIME
        ));
    }
    limits
}
