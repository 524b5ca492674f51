//! What a probe noticed, in sentences: what a dump will lack, what will make it fail, what is good to know.
//!
//! What makes a dump fail only as long as certain objects are in it is no `Fatal` here: `dump` refuses it, knowing the
//! options, or leaves out what [`left_out`] names.

use super::grants::{Grants, SELECT_OF_PROC};
use super::probe_keys::{self, join_truncated};
use crate::engine::mysql::session::NO_CONNECTION_LEFT;
use crate::engine::mysql::session::server_settings::{self, SessionUse};
use crate::engine::{Finding, Flavour, Server, Severity, Subject, Version};
use crate::hint::Hint;

/// Everything worth saying before a dump.
pub(crate) fn find(server: &Server, grants: &Grants) -> Vec<Finding> {
    let mut found = rights(server, grants);
    found.extend(objects(server));
    found.extend(limits(server));
    found
}

fn finding(severity: Severity, what: String, hint: Hint) -> Finding {
    Finding::new(severity, what, Some(hint))
}

fn grant_select(server: &Server) -> Hint {
    Hint::naming("grant-select", format!("GRANT SELECT ON `{}`.* TO the user", server.database))
}

/// For views of which something is gone.
pub(crate) const REPAIR: Hint =
    Hint::new("repair-or-exclude", "repair or drop them, or leave them out with --exclude-table");

fn rights(server: &Server, grants: &Grants) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut missing = |subject: Subject, what: &str, hint: Hint| {
        found.push(finding(Severity::Missing, what.to_owned(), hint).about(subject));
    };
    if !grants.has("select") {
        let what = "without SELECT on the database only the tables that the user was granted are dumped";
        missing(Subject::UnseenTables, what, grant_select(server));
    }
    if !grants.has("trigger") {
        let what = "triggers can't be seen without TRIGGER: the dump holds none, if there are any";
        missing(
            Subject::Triggers,
            what,
            Hint::naming(
                "grant-trigger",
                format!("GRANT TRIGGER ON `{}`.* TO the user, or leave them out: -- --skip-triggers", server.database),
            ),
        );
    }
    if !grants.has("event") {
        let what = "events can't be seen without EVENT: the dump holds none, if there are any";
        missing(
            Subject::Events,
            what,
            Hint::naming(
                "grant-event",
                format!("GRANT EVENT ON `{}`.* TO the user, or leave them out: -- --skip-events", server.database),
            ),
        );
    }
    let sees_routines = ["execute", "create routine", "alter routine", "show_routine", "show create routine", "super"];
    let by_table = has_proc(server) && grants.has(SELECT_OF_PROC);
    if !by_table && !sees_routines.iter().any(|right| grants.has(right)) {
        missing(
            Subject::Routines,
            "routines of other users can't be seen: the dump holds none, if there are any",
            routine_hint(server),
        );
    }
    found
}

fn objects(server: &Server) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut missing = |subject: &dyn Fn(String) -> Subject, kind: &str, names: &[&str], why: &str, hint: &Hint| {
        let one = |name: &&str| {
            finding(Severity::Missing, format!("{kind}{name} {why}"), hint.clone()).about(subject((*name).to_owned()))
        };
        found.extend(names.iter().map(one));
    };
    let list = |name| probe_keys::list(server, name);
    let select = grant_select(server);
    missing(&Subject::Relation, "table ", &list(probe_keys::UNREADABLE), "may not be read", &select);
    let show_view = Hint::naming(
        "grant-select-and-show-view",
        format!("GRANT SELECT, SHOW VIEW ON `{}`.* TO the user", server.database),
    );
    let may_not = "may not be read without SELECT and SHOW VIEW";
    missing(&Subject::View, "view ", &list(probe_keys::UNREADABLE_VIEWS), may_not, &show_view);
    let stands_on = "stands on a table or view that may not be read";
    missing(&Subject::View, "view ", &list(probe_keys::DEPENDENT_VIEWS), stands_on, &select);
    missing(&Subject::View, "view ", &list(probe_keys::BROKEN_VIEWS), "refers to something that is gone", &REPAIR);
    if !dumps_history(server) {
        let hint = Hint::new("dump-history-by-hand", "dump the history by hand: SELECT ... FOR SYSTEM_TIME ALL");
        let why = "keeps a history that no client can dump (from MariaDB 10.11 on they can, where none of the database's \
                   tables is versioned by transaction)";
        missing(&Subject::Rows, "table ", &list(probe_keys::VERSIONED), why, &hint);
    }
    let (routines, hidden) = (list(probe_keys::ROUTINES), list(probe_keys::HIDDEN_ROUTINES));
    if !hidden.is_empty() {
        let is_hidden = |routine: &&str| routine.split_once(' ').is_some_and(|(_, name)| hidden.contains(&name));
        let (hidden, own): (Vec<&str>, Vec<&str>) = routines.into_iter().partition(is_hidden);
        let routines = |_: String| Subject::Routines;
        let (of_another, together) = (
            "belongs to another user, and its body may not be read",
            "goes with the others: the client dumps all routines or none",
        );
        missing(&routines, "", &hidden, of_another, &routine_hint(server));
        missing(&routines, "", &own, together, &routine_hint(server));
    }
    let bound = probe_keys::list(server, probe_keys::BOUND_TO_SEQUENCES);
    if !bound.is_empty() {
        found.push(finding(
            Severity::Note,
            format!(
                "mariadb-dump writes the database's name into what calls a sequence: restored without dbhaul into another database, {} \
                 will look for it in `{}`",
                join_truncated(&bound),
                server.database
            ),
            Hint::new("same-name-or-alter", "restore into a database of the same name, or alter the defaults and views afterwards"),
        ));
    }
    found
}

/// Whether the history of system-versioned tables can be dumped, and restored: mariadb-dump gives up on a table that is
/// versioned by transaction.
pub(crate) fn dumps_history(server: &Server) -> bool {
    server.version >= HISTORY && probe_keys::list(server, probe_keys::VERSIONED_BY_TRANSACTION).is_empty()
}

/// The MariaDB, server and client, that brought `--dump-history` and `system_versioning_insert_history`.
pub(crate) const HISTORY: Version = Version::new(10, 11, 0);

/// Tables and views that `--allow-incomplete` leaves out.
pub(crate) fn left_out(server: &Server) -> Vec<&str> {
    let lists =
        [probe_keys::UNREADABLE, probe_keys::UNREADABLE_VIEWS, probe_keys::DEPENDENT_VIEWS, probe_keys::BROKEN_VIEWS];
    lists.into_iter().flat_map(|list| probe_keys::list(server, list)).collect()
}

/// How the bodies of routines become readable.
pub(crate) fn routine_hint(server: &Server) -> Hint {
    if has_proc(server) {
        Hint::new("grant-mysql-proc", "GRANT SELECT ON mysql.proc TO the user, or leave them out: -- --skip-routines")
    } else {
        Hint::new("grant-show-routine", "GRANT SHOW_ROUTINE ON *.* TO the user, or leave them out: -- --skip-routines")
    }
}

/// Whether routines stand in the table `mysql.proc`.
fn has_proc(server: &Server) -> bool {
    server.flavour == Flavour::MARIADB || server.version.major < 8
}

fn limits(server: &Server) -> Vec<Finding> {
    let mut found = Vec::new();
    if server.replica {
        let what = "the server is a replica: the dump holds what has arrived there".to_owned();
        found.push(Finding::new(Severity::Note, what, None));
    }
    for name in [server_settings::SELECT_LIMIT, server_settings::AS_OF] {
        if let Some((value, mends)) = server_settings::odd(server, name, SessionUse::Read) {
            let what = format!("{name} is {value} for this user: sessions of dbhaul's own don't keep it");
            found.push(finding(
                Severity::Note,
                what,
                Hint::naming("setting-that-a-dump-needs", format!("{mends} is what a dump needs")),
            ));
        }
    }
    if let Some(pooler) = &server.pooler {
        found.push(finding(
            Severity::Warning,
            format!("{pooler} answers in the server's name, and may spread a dump over several servers"),
            Hint::new("name-the-server-itself", "name the server itself in the URI"),
        ));
    }
    if server.connections_left.is_some_and(|left| left < 2) {
        found.push(finding(Severity::Warning, "hardly a connection is left".to_owned(), NO_CONNECTION_LEFT));
    }
    found
}

/// Rights that every restore needs, and this user lacks.
pub(crate) fn lacks(grants: &Grants) -> Vec<String> {
    let needed = ["create", "drop", "alter", "insert", "select", "index", "lock tables"];
    let missing = needed.iter().filter(|right| !grants.has(right));
    missing.map(|right| format!("{} is missing", right.to_uppercase())).collect()
}
