//! What `pg_dump`, `pg_restore` and `psql` say on stderr, and what to do about it.

use super::format::dump_lines::qualified;
use super::probe::findings::{BYPASSRLS, OWNER_OF_LARGE_OBJECTS};
use super::restore::roles::create_first;
use super::session::{
    ALL_TAKEN, CHECK_LOGIN, CHECK_TLS, CHECK_USER, NO_LINE, NO_PASSWORD, NO_TLS, STARTING, identifier,
};
use crate::engine::{Diagnosis, Into, Scene};
use crate::hint::{self, Hint};

/// As many lines are shown, the last ones.
const SHOWN: usize = 10;

/// A line is cut behind this many characters: some repeat whole rows.
const LONGEST: usize = 400;

/// The one statement that `pg_dump` limits itself (`--lock-wait-timeout`), by what the server calls a statement timeout.
const LOCKING: &str = "Query was: LOCK TABLE ";
const STATEMENT_TIMEOUT: &str = "canceling statement due to statement timeout";

/// A known cause: every piece must stand in one line.
struct Cause {
    pieces: &'static [&'static str],
    hint: Hint,
}

/// `--clean objects` drops what the archive brings as what it brings.
const OTHER_KIND: Hint = Hint::new(
    "other-kind",
    "the target has something of another kind under that name, or it belongs to what the dump does not bring: drop it there \
     by its name, and restore again (--clean schema drops everything that the target holds)",
);

const LOCKED: Hint = Hint::new(
    "another-session-holds-a-lock",
    "another session holds a lock: see pg_locks, or try again at a quiet hour",
);

const MAX_LOCKS: Hint = Hint::new("raise-max-locks", "raise max_locks_per_transaction on the server");

/// The first that fits a line counts.
const CAUSES: &[Cause] = &[
    cause(&["server version mismatch"], hint::ANOTHER_CLIENT),
    cause(
        &["unsupported version", "in file header"],
        Hint::new("older-pg-restore", "this pg_restore is older than the pg_dump that made the archive"),
    ),
    cause(
        &["must be owner of extension"],
        Hint::new(
            "no-comments",
            "restore as a superuser, or dump again by pg_dump with --no-comments and without --clean",
        ),
    ),
    cause(
        &["permission denied to create extension"],
        Hint::new(
            "superuser-creates-extension-first",
            "have a superuser create the extension first, then restore with --into-non-empty",
        ),
    ),
    cause(
        &["extension", "is not available"],
        Hint::new("install-extensions-package", "install the extension's package on the server"),
    ),
    cause(
        &["permission denied for schema"],
        Hint::new(
            "grant-usage-and-create",
            "GRANT USAGE, CREATE ON SCHEMA ... TO this user; since PostgreSQL 15 nobody else may create in public",
        ),
    ),
    cause(
        &["permission denied for foreign-data wrapper"],
        Hint::new(
            "grant-usage-on-wrapper",
            "have a superuser say: GRANT USAGE ON FOREIGN DATA WRAPPER ... TO this user",
        ),
    ),
    cause(
        &["permission denied to create event trigger"],
        Hint::new(
            "superuser-or-custom-format",
            "a plain dump is run as it is: restore as a superuser, or dump in custom format, whose restore leaves it out",
        ),
    ),
    cause(
        &["must be superuser to create FOR ALL TABLES publication"],
        Hint::new(
            "no-publications",
            "restore as a superuser, or dump again without publications: -- --no-publications",
        ),
    ),
    cause(
        &["must be superuser to create subscriptions"],
        Hint::new(
            "no-subscriptions",
            "restore as a superuser, or dump again without subscriptions: -- --no-subscriptions",
        ),
    ),
    cause(&["permission denied for large object"], OWNER_OF_LARGE_OBJECTS),
    cause(&["query would be affected by row-level security"], BYPASSRLS),
    cause(
        &["is an identity column"],
        Hint::new(
            "identity-column",
            "the target's column is an identity, the archive's has a default: --clean schema drops the table as a whole",
        ),
    ),
    cause(&["\" is not a table"], OTHER_KIND),
    cause(&["\" is not a view"], OTHER_KIND),
    cause(&["\" is not a materialized view"], OTHER_KIND),
    cause(&["\" is not a sequence"], OTHER_KIND),
    cause(&["\" is not a foreign table"], OTHER_KIND),
    cause(
        &["other objects depend on it"],
        Hint::new("others-depend", "something outside of the archive depends on it: --clean schema drops both"),
    ),
    cause(
        &["canceling statement due to conflict with recovery"],
        Hint::new(
            "recovery-came-first",
            "the standby's recovery came first: it may go well another time; a dump of the primary never meets this, and \
         max_standby_streaming_delay makes the standby wait",
        ),
    ),
    cause(&["canceling statement due to lock timeout"], LOCKED),
    cause(&["could not obtain lock on relation"], LOCKED),
    cause(&[LOCKING], LOCKED),
    cause(
        &[STATEMENT_TIMEOUT],
        Hint::new("statement-timeout-0", "the server ends long statements: ALTER ROLE ... SET statement_timeout = 0"),
    ),
    cause(&["deadlock detected"], Hint::new("deadlock", "another session was changing the same objects: try again")),
    cause(
        &["No space left on device"],
        Hint::new("whose-disk-is-full", "the disk is full: the server's, if the line came from it"),
    ),
    cause(&["could not extend file"], hint::SERVERS_DISK_IS_FULL),
    cause(
        &["invalid memory alloc request size"],
        Hint::new(
            "value-too-large",
            "a value is too large to be written as text, of which the server holds 1 GB (bytea takes twice its size): cut it \
         up, or leave its table out with --exclude-table-data",
        ),
    ),
    cause(&["out of shared memory"], MAX_LOCKS),
    cause(&["You might need to increase"], MAX_LOCKS),
    cause(&["invalid command \\restrict"], hint::ANOTHER_CLIENT),
    cause(
        &["backslash commands are restricted"],
        Hint::new(
            "commands-not-run",
            "the dump holds psql commands that did not come from pg_dump: none of them was run",
        ),
    ),
    cause(
        &["server closed the connection unexpectedly"],
        Hint::new("went-away", "the server or the network went away: see the server's log"),
    ),
    cause(&["SSL SYSCALL error"], Hint::new("network-went-away", "the network went away")),
    cause(
        &["terminating connection due to"],
        Hint::new("session-was-ended", "somebody ended the session on the server: see the server's log"),
    ),
    cause(&["the database system is shutting down"], STARTING),
    cause(
        &["no matching schemas were found"],
        Hint::new("no-schema-matches", "no schema matches the --schema patterns"),
    ),
    cause(&["no matching tables were found"], Hint::new("no-table-matches", "no table matches the --table patterns")),
    cause(
        &["invalid byte sequence for encoding"],
        Hint::new(
            "sources-encoding",
            "the dump's rows don't fit the target's encoding: create the target with the source's",
        ),
    ),
];

const KEY_TWICE: Hint = Hint::new(
    "key-twice",
    "both rows are in the source, whose index does not see it: find them there after SET enable_indexscan = off; \
     SET enable_indexonlyscan = off; SET enable_bitmapscan = off; delete one, REINDEX the index, and dump again",
);
const BROKEN_KEY: Hint = Hint::new(
    "broken-foreign-key",
    "the rows are so in the source: find them there and delete or mend them, or make the constraint there \
     again as NOT VALID; then dump again",
);

/// Words of one line, and the hint for what the client did.
type ByScene = (&'static [&'static str], fn(&Scene, &str) -> Hint);

/// Causes whose way on depends on what the client did. The first that fits counts.
const BY_SCENE: &[ByScene] = &[
    (&["role \"", "\" does not exist"], |_, line| create_first(line.split('"').nth(1).into_iter())),
    (&["unrecognized option"], |scene, line| scene.refused_option(line)),
    (&["invalid option"], |scene, line| scene.refused_option(line)),
    (&["could not create unique index"], |_, _| KEY_TWICE),
    (&["violates unique constraint"], |scene, _| match scene.doing {
        Into::Beside | Into::InPlace | Into::Tables => hint::KEY_IS_IN_THE_TABLE,
        Into::Nothing | Into::Empty => KEY_TWICE,
    }),
    (&["already exists"], |scene, _| match scene.doing {
        Into::Empty => hint::MADE_TWICE,
        Into::InPlace => OTHER_KIND,
        _ if scene.is_script => {
            Hint::new("drop-or-rename", "the target has that already: drop or rename it there, and restore again")
        }
        _ => Hint::new(
            "clean-objects",
            "the target has that already: --clean objects, in place of --into-non-empty, drops what the dump brings and \
             nothing else",
        ),
    }),
    (&["violates foreign key constraint"], |scene, _| match scene.doing {
        Into::Tables => Hint::new(
            "drop-that-constraint",
            "rows come table by table: drop that constraint in the target, restore, and make it again; or restore the whole dump",
        ),
        _ => BROKEN_KEY,
    }),
    (&["permission denied for"], |scene, _| match scene.doing {
        Into::Nothing => Hint::new(
            "grant-select-or-leave-out",
            "GRANT SELECT to this user (PostgreSQL 14 and newer: GRANT pg_read_all_data), or leave the object out",
        ),
        _ => Hint::new("databases-owner-or-superuser", "restore as the database's owner, or as a superuser"),
    }),
];

/// Causes why nobody was let in.
const AT_THE_DOOR: &[Cause] = &[
    cause(&["password authentication failed"], CHECK_LOGIN),
    cause(&["no password supplied"], NO_PASSWORD),
    cause(&["no pg_hba.conf entry"], NO_LINE),
    cause(&["database", "does not exist"], Hint::new("check-databases-name", "check the database's name in the URI")),
    cause(&["role", "does not exist"], CHECK_USER),
    cause(&["too many"], ALL_TAKEN),
    cause(&["remaining connection slots"], ALL_TAKEN),
    cause(&["starting up"], STARTING),
    cause(&["shutting down"], STARTING),
    cause(&["certificate"], CHECK_TLS),
    cause(&["does not support SSL"], NO_TLS),
    cause(&["could not translate host name"], hint::CHECK_HOST),
    cause(
        &["timeout expired"],
        Hint::new("host-never-answered", "the host never answered: is it reachable from here?"),
    ),
    cause(
        &["Connection refused"],
        Hint::new(
            "nothing-listens",
            "nothing listens there: is the server, or the tunnel, running, and the port right?",
        ),
    ),
];

const fn cause(pieces: &'static [&'static str], hint: Hint) -> Cause {
    Cause { pieces, hint }
}

/// What stderr means.
pub fn diagnose(stderr: &str, scene: &Scene) -> Diagnosis {
    let lines = meaningful(stderr);
    let door = lines.iter().any(|line| is_at_the_door(line));
    let mut hints: Vec<Hint> = Vec::new();
    let locked = lines.iter().any(|line| line.contains(LOCKING));
    for line in lines.iter().filter(|line| !(locked && line.contains(STATEMENT_TIMEOUT))) {
        let fits = |pieces: &[&str]| pieces.iter().all(|piece| line.contains(piece));
        let list = if door { AT_THE_DOOR } else { CAUSES };
        // A detail says what of, and is no error of its own.
        let own = !door && !line.starts_with("DETAIL:");
        let by_scene = || BY_SCENE.iter().find(|(pieces, _)| own && fits(pieces)).map(|(_, hint)| hint(scene, line));
        let found = list.iter().find(|c| fits(c.pieces)).map(|cause| cause.hint.clone()).or_else(by_scene);
        if let Some(hint) = found.filter(|hint| !hints.contains(hint)) {
            hints.push(hint);
        }
    }
    let from = lines.len().saturating_sub(SHOWN);
    let mut why: Vec<_> = lines[from..].iter().map(|l| truncate_line(l)).collect();
    if let Some(name) = lines.iter().find_map(|line| unqualified(line)) {
        let statement = statement(stderr);
        let made = made_by(&statement);
        why.extend(made.iter().map(|made| format!("in: {made}")));
        let function = lines.iter().find_map(|line| function(line));
        let compares = function.is_none() && lines.iter().any(|line| line.contains("operator does not exist: "));
        let spelling = HIDING.iter().find(|spelling| compares && statement.contains(*spelling));
        hints.push(match (spelling, made) {
            (Some(spelling), Some(made)) => hint_at_operator(&made, spelling, name),
            // psql does not repeat the statement. What compares by a sign alone is one of these.
            (_, made) if compares && is_comparison(name) => {
                let made = made.unwrap_or_else(|| "something in the dump".to_owned());
                hint_at_operator(&made, "IS DISTINCT FROM, NULLIF, CASE x WHEN, JOIN USING, or rows", name)
            }
            _ => hint_at_search_path(name, function, scene),
        });
    }
    let refused = lines.iter().any(|line| line.contains("ERROR:  "));
    Diagnosis {
        why,
        hints,
        connection: door,
        // FATAL is a session that ended; what it was doing may have been its COMMIT.
        refused,
        recurs: refused && scene.doing != Into::Nothing && !lines.iter().any(|line| passes(line)),
        ..Diagnosis::default()
    }
}

/// Lines without the statements that clients repeat, which may be long and hold a customer's rows.
fn meaningful(stderr: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut in_statement = false;
    for line in stderr.lines().map(str::trim_end).filter(|l| !l.trim().is_empty()) {
        let starts =
            ["Command was: ", "Query was: ", "The command was: ", "STATEMENT:  "].iter().any(|s| line.contains(s));
        let speaks =
            ["pg_dump: ", "pg_restore: ", "psql:", "DETAIL:", "HINT:", "CONTEXT:", "ERROR:", "FATAL:", "WARNING:"]
                .iter()
                .any(|s| line.starts_with(s));
        // It names tables and nothing else, and no other line does.
        in_statement = (starts && !line.contains(LOCKING)) || (in_statement && !speaks);
        if !in_statement {
            lines.push(line);
        }
    }
    lines
}

/// libpq's words before a session exists: `connection to server at ... failed: ...`.
fn is_at_the_door(line: &str) -> bool {
    line.contains("could not connect to server")
        || (line.contains("connection to server ") && line.contains(" failed: "))
        || (line.contains("connection to database ") && line.contains(" failed: "))
        || line.contains("could not translate host name")
}

/// Whether the same statement may go well another time.
fn passes(line: &str) -> bool {
    ["deadlock detected", "canceling statement", "terminating connection", "could not extend file", "No space left"]
        .iter()
        .any(|words| line.contains(words))
}

/// `pg_dump` empties the `search_path`, for good reasons; a function's body must find its names without. A dump does not
/// hold what was altered of an extension's function.
fn hint_at_search_path(name: &str, function: Option<&str>, scene: &Scene) -> Hint {
    let bare = |function: &str| function.split('(').next().unwrap_or(function).rsplit('.').next().map(str::to_owned);
    let of_dump = |function: &str| bare(function).is_some_and(|name| scene.functions.contains(&name));
    if let Some(function) = function.filter(|function| !scene.extensions.is_empty() && !of_dump(function)) {
        let create = |extension: &String| format!("CREATE EXTENSION {}; ", identifier(extension));
        let create: String = scene.extensions.iter().map(create).collect();
        return Hint::naming(
            "alter-extensions-function",
            format!(
                "a restore runs with an empty search_path, and function {function} uses {name} without its schema. The function is an \
             extension's, and no dump holds what is altered of it. In the target, before the restore: {create}ALTER FUNCTION \
             {function} SET search_path = public, pg_catalog"
            ),
        );
    }
    let (who, which) = match function {
        Some(function) => (format!("function {function} uses {name}"), function),
        None => (format!("something uses {name}"), "..."),
    };
    Hint::naming(
        "qualify-or-search-path",
        format!(
            "a restore runs with an empty search_path, and {who} without its schema: in the source, qualify the name or \
         ALTER FUNCTION {which} SET search_path = public, and dump again"
        ),
    )
}

/// Comparisons that are spelt without their operator.
const HIDING: [&str; 10] = [
    "IS DISTINCT FROM",
    "IS NOT DISTINCT FROM",
    "NULLIF(",
    "CASE ",
    " USING (",
    "ROW(",
    "IN ( SELECT",
    "ANY ( SELECT",
    "ALL ( SELECT",
    " = ( SELECT",
];

/// Whether `public.citext = public.citext` is by a sign that such an expression stands for.
fn is_comparison(operator: &str) -> bool {
    let sign = |word: &str| ["=", "<>", "<", "<=", ">", ">="].contains(&word.rsplit('.').next().unwrap_or(word));
    operator.split(' ').any(sign)
}

/// What such a comparison needs: `public.ltree = public.ltree`, of which the dump names no operator.
fn hint_at_operator(made: &str, spelling: &str, operator: &str) -> Hint {
    let schema = operator.split_once('.').map_or("public", |(before, _)| before.rsplit(' ').next().unwrap_or(before));
    let spelling = spelling.trim_end_matches('(').trim();
    Hint::naming(
        "operator-with-schema",
        format!(
            "{made} compares with {spelling}, for which a dump can't name the operator, and a restore finds only pg_catalog's: in \
         the source, write the comparison with OPERATOR({schema}.<>) or OPERATOR({schema}.=), that of rows column by column, or \
         compare as text, and dump again"
        ),
    )
}

/// The statement that failed, as the client repeats it, in one line; empty without.
fn statement(stderr: &str) -> String {
    let begins = |line: &str| {
        let found = ["Command was: ", "STATEMENT:  "].iter().find_map(|begin| line.split_once(begin));
        found.map(|(_, statement)| statement.to_owned())
    };
    let mut lines = stderr.lines().skip_while(|line| begins(line).is_none());
    let first = lines.next().and_then(begins).unwrap_or_default();
    lines.fold(first, |statement, line| statement + " " + line.trim())
}

/// What it makes: `trigger node_path on public.node`. Names alone: the rest may hold what is nobody's business.
fn made_by(statement: &str) -> Option<String> {
    const KINDS: [&str; 9] =
        ["TRIGGER", "TABLE", "MATERIALIZED VIEW", "VIEW", "INDEX", "POLICY", "RULE", "DOMAIN", "FUNCTION"];
    let mut rest = ["CREATE ", "ALTER ", "REFRESH "].iter().find_map(|verb| statement.strip_prefix(verb))?;
    for word in ["OR REPLACE ", "CONSTRAINT ", "UNIQUE ", "UNLOGGED ", "FOREIGN ", "RECURSIVE "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let (kind, rest) = KINDS.iter().find_map(|kind| Some((kind, rest.strip_prefix(kind)?.strip_prefix(' ')?)))?;
    let named = |text: &str| {
        let (schema, name, rest) = qualified(text.strip_prefix("ONLY ").unwrap_or(text))?;
        Some((schema.map_or_else(|| name.clone(), |schema| format!("{schema}.{name}")), rest.to_owned()))
    };
    let (name, rest) = named(rest)?;
    let made = format!("{} {name}", kind.to_lowercase());
    let on = ["TRIGGER", "INDEX", "POLICY", "RULE"].contains(kind).then(|| rest.split_once(" ON "));
    let table = on.flatten().and_then(|(_, table)| named(table));
    Some(table.map_or_else(|| made.clone(), |(table, _)| format!("{made} on {table}")))
}

/// The function in `CONTEXT:  PL/pgSQL function public.f(integer) line 3 at RETURN`, `SQL function "f" during inlining`.
fn function(line: &str) -> Option<&str> {
    let named = line.split_once("PL/pgSQL function ").and_then(|(_, rest)| Some(rest.split_once(" line ")?.0));
    named.or_else(|| line.split_once("SQL function \"")?.1.split_once('"').map(|(name, _)| name))
}

/// The name in `relation "users" does not exist`, if it has no schema.
fn unqualified(line: &str) -> Option<&str> {
    const KINDS: [&str; 5] =
        ["relation ", "function ", "type ", "text search configuration ", "operator does not exist: "];
    if let Some((_, operator)) = line.split_once(KINDS[4]) {
        return Some(operator);
    }
    let rest = KINDS.iter().find_map(|kind| Some(line.split_once(kind)?.1))?;
    let name = rest.strip_suffix(" does not exist")?.trim_matches('"');
    (!name.is_empty() && !name.split('(').next()?.contains(['.', ' '])).then_some(name)
}

fn truncate_line(line: &str) -> String {
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} ...", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests;
