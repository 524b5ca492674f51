//! What `pg_dump`, `pg_restore` and `psql` say on stderr, and what to do about it.

use super::plain::qualified;
use crate::connection::Connection;
use crate::engine::Diagnosis;

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
    hint: &'static str,
}

/// `--clean objects` drops what the archive brings as what it brings.
const OTHER_KIND: &str =
    "the target has something of another kind under that name: --clean schema drops everything first";

/// The first that fits a line counts.
const CAUSES: &[Cause] = &[
    cause(&["server version mismatch"], "this pg_dump is older than the server: install the client of its version"),
    cause(&["unrecognized option"], "the client is not what its version says: point --client-dir at another"),
    cause(&["invalid option"], "the client is not what its version says: point --client-dir at another"),
    cause(
        &["unsupported version", "in file header"],
        "this pg_restore is older than the pg_dump that made the archive",
    ),
    cause(
        &["unrecognized configuration parameter \"transaction_timeout\""],
        "the client is newer than the server: install the client of the server's version",
    ),
    cause(&["must be owner of extension"], "restore as a superuser, or leave comments out with --no-comments"),
    cause(
        &["permission denied to create extension"],
        "have a superuser create the extension first, then restore with --into-non-empty",
    ),
    cause(&["extension", "is not available"], "install the extension's package on the server"),
    cause(
        &["schema \"public\" already exists"],
        "the dump names schema public: restore it with dbhaul, which leaves that entry out",
    ),
    cause(
        &["permission denied for schema"],
        "GRANT USAGE, CREATE ON SCHEMA ... TO this user; since PostgreSQL 15 nobody else may create in public",
    ),
    cause(
        &["permission denied for foreign-data wrapper"],
        "have a superuser say: GRANT USAGE ON FOREIGN DATA WRAPPER ... TO this user",
    ),
    cause(
        &["permission denied to create event trigger"],
        "a plain dump is run as it is: restore as a superuser, or dump in custom format, whose restore leaves it out",
    ),
    cause(
        &["must be superuser to create FOR ALL TABLES publication"],
        "restore as a superuser, or dump again without publications: -- --no-publications",
    ),
    cause(
        &["must be superuser to create subscriptions"],
        "restore as a superuser, or dump again without subscriptions: -- --no-subscriptions",
    ),
    cause(&["permission denied for large object"], "dump as the large object's owner or as a superuser"),
    cause(&["query would be affected by row-level security"], "dump as the tables' owner or as a user with BYPASSRLS"),
    cause(
        &["permission denied for"],
        "GRANT SELECT to this user (PostgreSQL 14 and newer: GRANT pg_read_all_data), or leave the object out",
    ),
    cause(&["role", "does not exist"], "restore without --keep-owner and --keep-privileges, or create the role first"),
    cause(&["violates unique constraint"], "the target had rows already: --clean schema empties it first"),
    cause(&["already exists"], "the target is not empty: --clean schema empties it first"),
    cause(
        &["violates foreign key constraint"],
        "with --data-only, tables are filled in an order that foreign keys may not allow",
    ),
    cause(
        &["is an identity column"],
        "the target's column is an identity, the archive's has a default: --clean schema drops the table as a whole",
    ),
    cause(&["\" is not a table"], OTHER_KIND),
    cause(&["\" is not a view"], OTHER_KIND),
    cause(&["\" is not a materialized view"], OTHER_KIND),
    cause(&["\" is not a sequence"], OTHER_KIND),
    cause(&["\" is not a foreign table"], OTHER_KIND),
    cause(&["other objects depend on it"], "something outside of the archive depends on it: --clean schema drops both"),
    cause(
        &["canceling statement due to conflict with recovery"],
        "the standby's recovery came first: it may go well another time; a dump of the primary never meets this, and \
         max_standby_streaming_delay makes the standby wait",
    ),
    cause(
        &["canceling statement due to lock timeout"],
        "another session holds a lock: see pg_locks, or try again at a quiet hour",
    ),
    cause(
        &["could not obtain lock on relation"],
        "another session holds a lock: see pg_locks, or try again at a quiet hour",
    ),
    cause(&[LOCKING], "another session holds a lock: see pg_locks, or try again at a quiet hour"),
    cause(&[STATEMENT_TIMEOUT], "the server ends long statements: ALTER ROLE ... SET statement_timeout = 0"),
    cause(&["deadlock detected"], "another session was changing the same objects: try again"),
    cause(&["No space left on device"], "the disk is full: the server's, if the line came from it"),
    cause(&["could not extend file"], "the server's disk is full"),
    cause(
        &["invalid memory alloc request size"],
        "a value is too large to be written as text, of which the server holds 1 GB (bytea takes twice its size): cut it \
         up, or leave its table out with --exclude-table-data",
    ),
    cause(&["out of shared memory"], "raise max_locks_per_transaction on the server"),
    cause(&["You might need to increase"], "raise max_locks_per_transaction on the server"),
    cause(&["unsupported startup parameter"], "a pooler refuses the client's settings: connect to the server itself"),
    cause(&["invalid command \\restrict"], "this psql is too old for the dump: install a newer one"),
    cause(
        &["backslash commands are restricted"],
        "the dump holds psql commands that did not come from pg_dump: look at it before you run it",
    ),
    cause(&["server closed the connection unexpectedly"], "the server or the network went away: see the server's log"),
    cause(&["SSL SYSCALL error"], "the network went away"),
    cause(&["terminating connection due to"], "somebody ended the session on the server: see the server's log"),
    cause(&["the database system is shutting down"], "the server is stopping: try again when it is back"),
    cause(&["no matching schemas were found"], "no schema matches the --schema patterns"),
    cause(&["no matching tables were found"], "no table matches the --table patterns"),
    cause(
        &["invalid byte sequence for encoding"],
        "the dump's rows don't fit the target's encoding: create the target with the source's",
    ),
];

/// Causes why nobody was let in.
const AT_THE_DOOR: &[Cause] = &[
    cause(&["password authentication failed"], "check user and password in the URI"),
    cause(&["no password supplied"], "the server asks for a password, and the URI has none"),
    cause(
        &["no pg_hba.conf entry"],
        "the server's pg_hba.conf has no line for this user, database, address and encryption",
    ),
    cause(&["database", "does not exist"], "check the database's name in the URI"),
    cause(&["role", "does not exist"], "check the user's name in the URI"),
    cause(&["too many"], "all connections are taken: end idle ones, or try again later"),
    cause(&["remaining connection slots"], "all connections are taken: end idle ones, or try again later"),
    cause(&["starting up"], "the server is starting: try again in a moment"),
    cause(&["certificate"], "sslrootcert=FILE in the URI names the authority that signed the server's certificate"),
    cause(&["does not support SSL"], "the server offers no TLS; sslmode=disable or prefer in the URI does without"),
    cause(&["could not translate host name"], "check the host's name in the URI"),
    cause(&["timeout expired"], "the host never answered: is it reachable from here?"),
    cause(&["Connection refused"], "nothing listens there: is the server, or the tunnel, running, and the port right?"),
];

const fn cause(pieces: &'static [&'static str], hint: &'static str) -> Cause {
    Cause { pieces, hint }
}

/// What stderr means.
pub fn diagnose(stderr: &str, _connection: &Connection) -> Diagnosis {
    let lines = meaningful(stderr);
    let door = lines.iter().any(|line| is_at_the_door(line));
    let mut hints: Vec<String> = Vec::new();
    let locked = lines.iter().any(|line| line.contains(LOCKING));
    for line in lines.iter().filter(|line| !(locked && line.contains(STATEMENT_TIMEOUT))) {
        let list = if door { AT_THE_DOOR } else { CAUSES };
        let found = list.iter().find(|c| c.pieces.iter().all(|piece| line.contains(piece)));
        if let Some(cause) = found.filter(|c| !hints.iter().any(|h| h == c.hint)) {
            hints.push(cause.hint.to_owned());
        }
    }
    let from = lines.len().saturating_sub(SHOWN);
    let mut why: Vec<_> = lines[from..].iter().map(|l| shortened(l)).collect();
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
            _ if compares && statement.is_empty() && name.contains(" = ") => {
                hint_at_operator("something in the dump", "IS DISTINCT FROM, NULLIF, CASE x WHEN or JOIN USING", name)
            }
            _ => hint_at_search_path(name, function),
        });
    }
    Diagnosis {
        why,
        hints,
        connection: door,
        // FATAL is a session that ended; what it was doing may have been its COMMIT.
        refused: lines.iter().any(|line| line.contains("ERROR:  ")),
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

/// `pg_dump` empties the `search_path`, for good reasons; a function's body must find its names without.
fn hint_at_search_path(name: &str, function: Option<&str>) -> String {
    let (who, which) = match function {
        Some(function) => (format!("function {function} uses {name}"), function),
        None => (format!("something uses {name}"), "..."),
    };
    format!(
        "a restore runs with an empty search_path, and {who} without its schema: in the source, qualify the name or \
         ALTER FUNCTION {which} SET search_path = public, and dump again"
    )
}

/// Comparisons that are spelt without their operator.
const HIDING: [&str; 5] = ["IS DISTINCT FROM", "IS NOT DISTINCT FROM", "NULLIF(", "CASE ", " USING ("];

/// What such a comparison needs: `public.ltree = public.ltree`, of which the dump names no operator.
fn hint_at_operator(made: &str, spelling: &str, operator: &str) -> String {
    let schema = operator.split_once('.').map_or("public", |(before, _)| before.rsplit(' ').next().unwrap_or(before));
    let spelling = spelling.trim_end_matches('(').trim();
    format!(
        "{made} compares with {spelling}, for which a dump can't name the operator, and a restore finds only pg_catalog's: in \
         the source, write the comparison with OPERATOR({schema}.<>) or OPERATOR({schema}.=), or compare as text, and dump \
         again"
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
    let mut rest = statement.strip_prefix("CREATE ").or_else(|| statement.strip_prefix("ALTER "))?;
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

fn shortened(line: &str) -> String {
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{} ...", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::postgres::libpq::tests::connection;

    fn of(stderr: &str) -> Diagnosis {
        diagnose(stderr, &connection())
    }

    #[test]
    fn known_causes_have_a_hint() {
        for (line, hint) in [
            ("pg_dump: error: aborting because of server version mismatch", "older than the server"),
            ("pg_restore: error: unsupported version (1.16) in file header", "older than the pg_dump"),
            ("pg_restore: error: could not execute query: ERROR:  must be owner of extension hstore", "--no-comments"),
            ("ERROR:  permission denied for schema public", "CREATE ON SCHEMA"),
            (
                "pg_dump: detail: Error message from server: ERROR:  invalid memory alloc request size 1200000003",
                "--exclude-table-data",
            ),
            (
                "pg_dump: error: query failed: ERROR:  query would be affected by row-level security policy for table \"t\"",
                "BYPASSRLS",
            ),
            ("ERROR:  permission denied for foreign-data wrapper postgres_fdw", "GRANT USAGE ON FOREIGN"),
            ("ERROR:  permission denied to create event trigger \"e\"", "superuser"),
            ("ERROR:  must be superuser to create FOR ALL TABLES publication", "--no-publications"),
            ("ERROR:  must be superuser to create subscriptions", "--no-subscriptions"),
            ("ERROR:  role \"alice\" does not exist", "--keep-owner"),
            ("ERROR:  relation \"users\" already exists", "--clean schema"),
            ("ERROR:  canceling statement due to conflict with recovery", "primary"),
            ("ERROR:  deadlock detected", "try again"),
            ("ERROR:  could not extend file \"base/1/2\": No space left on device", "full"),
            ("pg_dump: error: query failed: server closed the connection unexpectedly", "went away"),
            ("ERROR:  relation \"users\" does not exist", "something uses users without its schema"),
            ("ERROR:  operator does not exist: public.hstore -> unknown", "public.hstore -> unknown"),
        ] {
            let diagnosis = of(line);
            assert!(diagnosis.hints.len() == 1 && diagnosis.hints[0].contains(hint), "{line}: {:?}", diagnosis.hints);
            assert!(!diagnosis.connection, "{line}");
            assert_eq!(diagnosis.why, [line]);
        }
    }

    #[test]
    fn a_comparison_whose_operator_is_not_named_is_told_by_what_it_stands_in() {
        let error =
            "ERROR:  operator does not exist: public.ltree = public.ltree\nLINE 1: ...OW WHEN ((old.path IS DIST...\n";
        let found = of(&format!(
            "pg_restore: error: could not execute query: {error}Command was: CREATE TRIGGER \"node path\" AFTER UPDATE ON \
             public.node FOR EACH ROW\nWHEN ((old.path IS DISTINCT FROM new.path)) EXECUTE FUNCTION public.note_it();\n"
        ));
        assert_eq!(found.why.last().map(String::as_str), Some("in: trigger node path on public.node"));
        insta::assert_snapshot!(found.hints.join("\n"), @"trigger node path on public.node compares with IS DISTINCT FROM, for which a dump can't name the operator, and a restore finds only pg_catalog's: in the source, write the comparison with OPERATOR(public.<>) or OPERATOR(public.=), or compare as text, and dump again");
        let found = of(&format!("psql:<stdin>:114: {error}"));
        assert!(
            found.hints[0].starts_with("something in the dump compares with IS DISTINCT FROM, NULLIF"),
            "{found:?}"
        );
        for (statement, made) in [
            ("CREATE UNIQUE INDEX i ON public.t USING btree (x)", Some("index i on public.t")),
            ("CREATE OR REPLACE VIEW public.\"a b\" AS SELECT 1", Some("view public.a b")),
            ("ALTER TABLE ONLY public.t ADD CONSTRAINT c", Some("table public.t")),
            ("CREATE USER MAPPING FOR x SERVER s OPTIONS (password 'p')", None),
            ("INSERT INTO t VALUES (1)", None),
        ] {
            assert_eq!(made_by(statement).as_deref(), made, "{statement}");
        }
    }

    #[test]
    fn only_a_failure_to_connect_is_one() {
        let refused = of(
            "pg_dump: error: connection to server at \"db\" (10.0.0.1), port 5432 failed: FATAL:  password authentication failed for user \"app\"",
        );
        assert!(refused.connection && refused.hints == ["check user and password in the URI"]);
        assert!(
            of("psql: error: could not translate host name \"x\" to address: Name or service not known").connection
        );
        assert!(!of("ERROR:  function dblink: connection to server lost").connection);
        assert!(!of("FATAL:  terminating connection due to administrator command").connection);
    }

    #[test]
    fn row_42_a_table_that_somebody_holds_is_named() {
        let found = of("pg_dump: error: query failed: ERROR:  canceling statement due to statement timeout\n\
                        pg_dump: detail: Query was: LOCK TABLE public.held IN ACCESS SHARE MODE");
        assert!(found.why[1].contains("public.held") && found.hints.len() == 1, "{found:?}");
        assert!(found.hints[0].contains("pg_locks"), "{found:?}");
    }

    #[test]
    fn what_is_not_known_is_shown_and_not_explained() {
        for line in [
            "pg_dump: warning: there are circular foreign-key constraints",
            "NOTICE:  relation \"public.a\" does not exist, skipping",
            "ERROR:  relation \"public.users\" does not exist",
        ] {
            let found = Diagnosis { refused: false, ..of(line) };
            assert_eq!(found, Diagnosis { why: vec![line.into()], ..Diagnosis::default() });
        }
    }

    #[test]
    fn a_statement_was_refused_when_the_server_says_so_and_not_when_the_session_ended() {
        assert!(of("pg_restore: error: could not execute query: ERROR:  x").refused);
        for line in [
            "pg_restore: error: could not execute query: FATAL:  terminating connection due to administrator command",
            "pg_restore: error: could not execute query: server closed the connection unexpectedly",
            "pg_restore: terminated by user",
        ] {
            assert!(!of(line).refused, "{line}");
        }
    }

    #[test]
    fn repeated_statements_are_left_out_and_lines_are_cut() {
        let diagnosis = of(
            "pg_restore: error: could not execute query: ERROR:  x\nCommand was: CREATE VIEW v AS\nSELECT 1\nFROM t;\npg_restore: warning: y\npg_dump: detail: Query was: COPY t TO stdout;\n",
        );
        assert_eq!(diagnosis.why, ["pg_restore: error: could not execute query: ERROR:  x", "pg_restore: warning: y"]);
        assert_eq!(of(&"é".repeat(1000)).why[0].chars().count(), LONGEST + 4);
    }
}
