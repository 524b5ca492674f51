//! What a probe noticed, in sentences: what a dump will lack, what will make it fail, what is good to know.
//!
//! What makes a dump fail only as long as certain objects are in it is no `Fatal` here: `dump` refuses it, knowing the
//! options.

use super::dump::some;
use super::grants::Grants;
use super::setting;
use crate::engine::{Finding, Flavour, Server, Severity};

/// Everything worth saying before a dump.
pub(super) fn find(server: &Server, grants: &Grants) -> Vec<Finding> {
    let mut found = rights(server, grants);
    found.extend(objects(server));
    found.extend(limits(server));
    found
}

fn finding(severity: Severity, what: String, hint: impl Into<String>) -> Finding {
    Finding { severity, what, hint: Some(hint.into()) }
}

fn grant(server: &Server, rights: &str) -> String {
    format!("GRANT {rights} ON `{}`.* TO the user", server.database)
}

fn rights(server: &Server, grants: &Grants) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut missing = |what: &str, right: &str| {
        found.push(finding(Severity::Missing, what.to_owned(), grant(server, right)));
    };
    if !grants.has("select") {
        missing("without SELECT on the database only the tables that the user was granted are dumped", "SELECT");
    }
    if !setting::list(server, setting::VIEWS).is_empty() && !grants.has("show view") {
        missing("without SHOW VIEW the dump of views fails", "SHOW VIEW");
    }
    if !grants.has("trigger") {
        missing("without TRIGGER the dump holds no triggers, if there are any", "TRIGGER");
    }
    if !grants.has("event") {
        missing("without EVENT the dump holds no events, if there are any", "EVENT");
    }
    let sees_routines = ["execute", "create routine", "alter routine", "show_routine", "show create routine", "super"];
    if !sees_routines.iter().any(|right| grants.has(right)) {
        let right = if server.flavour == Flavour::Mariadb { "SELECT ON mysql.proc" } else { "SHOW_ROUTINE ON *.*" };
        found.push(finding(
            Severity::Missing,
            "routines of other users can't be seen: the dump holds none, if there are any".to_owned(),
            format!("GRANT {right} TO the user"),
        ));
    }
    found
}

fn objects(server: &Server) -> Vec<Finding> {
    let mut found = Vec::new();
    let hidden = setting::list(server, setting::HIDDEN_ROUTINES);
    if !hidden.is_empty() {
        found.push(finding(
            Severity::Missing,
            format!("the bodies of routines of other owners can't be read: {}", some(&hidden)),
            routine_hint(server),
        ));
    }
    let broken = setting::list(server, setting::BROKEN_VIEWS);
    if !broken.is_empty() {
        found.push(finding(
            Severity::Missing,
            format!("views refer to something that is gone: {}", some(&broken)),
            "repair or drop them, or leave them out with --exclude-table",
        ));
    }
    found
}

/// How the bodies of routines become readable.
pub(super) fn routine_hint(server: &Server) -> &'static str {
    match server.flavour {
        Flavour::Mariadb => "GRANT SELECT ON mysql.proc TO the user, or leave them out: -- --skip-routines",
        _ => "GRANT SHOW_ROUTINE ON *.* TO the user, or leave them out: -- --skip-routines",
    }
}

fn limits(server: &Server) -> Vec<Finding> {
    let mut found = Vec::new();
    if server.replica {
        let what = "the server is a replica: the dump holds what has arrived there".to_owned();
        found.push(Finding { severity: Severity::Note, what, hint: None });
    }
    if let Some(pooler) = &server.pooler {
        found.push(finding(
            Severity::Warning,
            format!("{pooler} answers in the server's name, and may spread a dump over several servers"),
            "name the server itself in the URI",
        ));
    }
    if server.connections_left.is_some_and(|left| left < 2) {
        found.push(finding(Severity::Warning, "hardly a connection is left".to_owned(), "raise max_connections"));
    }
    found
}

/// Rights that every restore needs, and this user lacks.
pub(super) fn lacks(grants: &Grants) -> Vec<String> {
    let needed = ["create", "drop", "alter", "insert", "select", "index", "lock tables"];
    let missing = needed.iter().filter(|right| !grants.has(right));
    missing.map(|right| format!("{} is missing", right.to_uppercase())).collect()
}
