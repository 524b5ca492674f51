//! What a dump may hold: the statements that `pg_dump` and exporters write, for the one database at hand.
//!
//! Everything else is stopped before the target is touched. What a function, trigger, rule or view does when it is called
//! is not judged: nobody can. The list is of what is known, not of what is dangerous: a statement that this file has never
//! heard of is stopped, too.

mod function_lists;
mod functions;
mod relations;
mod rules;

pub use functions::{Sort, sort_function};
use functions::{calls, calls_reaching, calls_reaching_besides, names_reaching, spells_names};
pub use relations::{Act, Relation, Relations, is_of_the_server};
use relations::{acts, reads};
pub use rules::Event;

use super::commands::{copies_files, is, rows_follow, without_remarks};
use super::lexer::{Token, tokens};

/// What `CREATE`, `ALTER` and `DROP` may be about.
const OBJECTS: &str = "access aggregate cast collation conversion data domain extension function index language operator policy \
    procedure publication routine rule schema sequence server statistics subscription table text transform trigger type view";

/// Words between `CREATE` and the object.
const BEFORE_OBJECT: &str = "constraint concurrently default event foreign global local materialized or procedural recursive replace temp \
    temporary trusted unique unlogged";

/// Functions that a dump calls by `SELECT`.
const SELECTED: &str = "array case coalesce currval exists lo_close lo_create lo_from_bytea lo_open lo_unlink lowrite max min \
    pg_get_serial_sequence pg_restore_attribute_stats pg_restore_extended_stats pg_restore_relation_stats set_config setval values";

/// Functions, types and words with a parenthesis behind them that rows of an `INSERT` may have.
const IN_ROWS: &str = "and any array bit cast char character coalesce conflict convert_from current_date current_timestamp date \
    date_trunc decimal decode default excluded gen_random_uuid in interval json_build_object jsonb_build_object \
    localtimestamp make_date make_timestamp nextval now numeric or point returning row set st_geomfromewkb st_geomfromewkt \
    st_geomfromtext st_geomfromwkb st_setsrid string_to_array time timestamp timestamptz to_date to_json to_jsonb to_number \
    to_timestamp to_tsvector uuid_generate_v4 values varchar varying where";

/// Why a statement is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Files or programs of the server's machine, other servers, other sessions.
    Reaches,
    /// Roles, databases, tablespaces, settings of the server.
    Server,
    /// It runs code, a query or a function while it restores.
    Runs,
    /// Whatever else is not known.
    Unknown,
}

impl Reason {
    /// The reason in words that follow a statement.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Reaches => "it reaches for files or programs of the server's machine, for other servers or sessions",
            Self::Server => "it changes the server, not its database",
            Self::Runs => "it runs code or a query, which no dump program writes there",
            Self::Unknown => "no dump program writes such a statement",
        }
    }
}

/// The fact that names what is stopped, the first twenty, joined by zero bytes; and how many there are.
pub const STOPPED: &str = "gate.stopped";
/// See [`STOPPED`].
pub const STOPPED_COUNT: &str = "gate.stopped.count";

/// What of a dump is stopped.
#[derive(Debug, Default)]
pub struct Stopped {
    shown: Vec<String>,
    count: u64,
}

impl Stopped {
    /// Notes one: where it stands, and why.
    pub fn add(&mut self, place: &str, reason: Reason) {
        const MAX_NAMED: usize = 20;
        self.count += 1;
        if self.shown.len() < MAX_NAMED {
            self.shown.push(format!("{place} ({})", reason.words()));
        }
    }

    /// As facts of a dump's content; none when nothing is stopped.
    pub fn facts(&self) -> impl Iterator<Item = (String, String)> {
        let facts = [(STOPPED, self.shown.join("\0")), (STOPPED_COUNT, self.count.to_string())];
        let any = self.count > 0;
        facts.into_iter().filter(move |_| any).map(|(fact, value)| (fact.to_owned(), value))
    }
}

/// What a statement is by itself, and what it does with relations: see [`Relations`].
#[derive(Debug, Default)]
pub struct Judged {
    /// Why it is stopped, if it is.
    pub reason: Option<Reason>,
    /// What it does with relations.
    pub acts: Vec<Act>,
}

/// Judges SQL of one statement or several: the reason of the first statement that is stopped, and what all do.
#[must_use]
pub fn judge_all(sql: &str) -> Judged {
    let (tokens, mut all) = (tokens(sql), Judged::default());
    for tokens in statements(&tokens) {
        let Judged { reason, acts } = Statement::new(without_remarks(tokens)).judged();
        all.reason = all.reason.or(reason);
        all.acts.extend(acts);
    }
    all
}

/// Whether nothing but remarks stands before the first semicolon.
#[must_use]
pub fn begins_empty(sql: &str) -> bool {
    // Whatever else comes first is no remark.
    let first = sql.trim_start_matches(|c: char| c.is_ascii_whitespace());
    first.starts_with([';', '-', '/']) && without_remarks(&tokens(sql)).first() == Some(&Token::Symbol(b';'))
}

/// Cut at the semicolons that stand in no bracket and in no body, as the server does: psql takes more for the inside of a
/// body, and sends what follows as well.
fn statements<'t, 'a>(tokens: &'t [Token<'a>]) -> Vec<&'t [Token<'a>]> {
    let (mut statements, mut start, mut brackets, mut begins) = (Vec::new(), 0, 0_u32, 0_u32);
    for (at, token) in tokens.iter().enumerate() {
        let atomic = tokens.get(at + 1).is_some_and(|next| is(next, "atomic")) && makes_routine(&tokens[start..at]);
        match token {
            Token::Symbol(b'(') => brackets += 1,
            Token::Symbol(b')') => brackets = brackets.saturating_sub(1),
            Token::Symbol(b';') if brackets == 0 && begins == 0 => {
                statements.push(&tokens[start..at]);
                start = at + 1;
            }
            _ if brackets > 0 => {}
            _ if is(token, "begin") && atomic => begins += 1,
            _ if is(token, "case") && begins > 0 && !is_name(tokens, at) => begins += 1,
            _ if is(token, "end") => begins = begins.saturating_sub(1),
            _ => {}
        }
    }
    statements.push(&tokens[start..]);
    statements
}

/// `CREATE FUNCTION`, `CREATE OR REPLACE PROCEDURE`: nothing else has a body of statements.
fn makes_routine(tokens: &[Token<'_>]) -> bool {
    let rest = match without_remarks(tokens) {
        [create, or, replace, rest @ ..] if is(create, "create") && is(or, "or") && is(replace, "replace") => rest,
        [create, rest @ ..] if is(create, "create") => rest,
        _ => return false,
    };
    rest.first().is_some_and(|object| is(object, "function") || is(object, "procedure"))
}

/// Whether a keyword stands where any word may be a name: `t.case`, `AS case`.
fn is_name(tokens: &[Token<'_>], at: usize) -> bool {
    let before = at.checked_sub(1).map(|before| &tokens[before]);
    before.is_some_and(|before| *before == Token::Symbol(b'.') || is(before, "as"))
}

/// A statement, cut into tokens.
struct Statement<'t, 'a> {
    tokens: &'t [Token<'a>],
}

impl<'t, 'a> Statement<'t, 'a> {
    fn new(tokens: &'t [Token<'a>]) -> Self {
        Self { tokens: tokens.strip_suffix(&[Token::Symbol(b';')]).unwrap_or(tokens) }
    }

    fn judged(&self) -> Judged {
        let reason = if spells_names(self.tokens) { Some(Reason::Unknown) } else { self.judge() };
        let acts = if reason.is_some() { Vec::new() } else { self.acts() };
        Judged { reason, acts }
    }

    fn judge(&self) -> Option<Reason> {
        let first = match self.tokens.first()? {
            Token::Word(word) => word.to_ascii_lowercase(),
            _ => return Some(Reason::Unknown),
        };
        match first.as_str() {
            "set" => self.set(),
            "reset" | "begin" | "commit" | "rollback" | "start" | "savepoint" | "release" | "lock" | "analyze"
            | "vacuum" | "truncate" | "cluster" | "reindex" | "end" | "refresh" => None,
            "comment" | "security" => self.about_shared(),
            "select" => self.select(),
            "copy" => self.copy(),
            "insert" => self.insert(),
            "create" | "alter" | "drop" => self.define(),
            "grant" | "revoke" => self.grant(),
            "delete" if !self.has("where") && !self.has("using") => self.calls_reaching(),
            "load" => Some(Reason::Reaches),
            "do" | "call" | "execute" | "prepare" | "explain" | "with" | "values" | "table" | "update" | "delete"
            | "merge" | "declare" | "fetch" => Some(self.calls_reaching().unwrap_or(Reason::Runs)),
            "checkpoint" | "reassign" | "import" => Some(Reason::Server),
            _ => Some(Reason::Unknown),
        }
    }

    /// What it does with relations.
    fn acts(&self) -> Vec<Act> {
        let Some(first) = self.tokens.first() else { return Vec::new() };
        match first {
            _ if is(first, "select") => {
                let reads = reads(self.tokens);
                if reads.is_empty() { Vec::new() } else { vec![Act::OddQuery(reads)] }
            }
            _ if is(first, "create") || is(first, "alter") => {
                let Some(at) = self.object() else { return Vec::new() };
                let rule = is(&self.tokens[at], "rule").then(|| rules::read(&self.tokens[at + 1..])).flatten();
                rule.map_or_else(|| acts(self.tokens, at), |rule| vec![rule])
            }
            _ if ["copy", "insert", "delete", "truncate", "analyze", "vacuum"].iter().any(|word| is(first, word)) => {
                self.rows()
            }
            _ => Vec::new(),
        }
    }

    /// The tables whose rows come, go, or are looked through.
    fn rows(&self) -> Vec<Act> {
        const NOISE: [&str; 9] =
            ["into", "from", "table", "only", "verbose", "full", "freeze", "analyze", "skip_locked"];
        let mut rest = &self.tokens[1..];
        let (mut acts, mut in_brackets) = (Vec::new(), false);
        // Options in brackets stand before the first name only.
        while let Some((token, more)) = rest.split_first() {
            let skips = in_brackets || *token == Token::Symbol(b'(') || NOISE.iter().any(|word| is(token, word));
            if !skips {
                break;
            }
            in_brackets = (in_brackets || *token == Token::Symbol(b'(')) && *token != Token::Symbol(b')');
            rest = more;
        }
        while let Some((table, behind)) = Relation::read(rest) {
            acts.extend(rules::fired(&self.tokens[0]).map(|event| Act::Fires(table.clone(), event)));
            acts.push(Act::Rows(table));
            // `ANALYZE t (a, b), u`.
            let comma = match behind {
                [Token::Symbol(b'('), ..] => behind
                    .iter()
                    .position(|token| *token == Token::Symbol(b')'))
                    .map_or(&[][..], |at| &behind[at + 1..]),
                _ => behind,
            };
            let [Token::Symbol(b','), next @ ..] = comma else { break };
            rest = if next.first().is_some_and(|token| is(token, "only")) { &next[1..] } else { next };
        }
        if acts.is_empty() { vec![Act::AllRows] } else { acts }
    }

    fn has(&self, word: &str) -> bool {
        self.tokens.iter().any(|token| is(token, word))
    }

    fn calls_reaching(&self) -> Option<Reason> {
        calls_reaching(self.tokens).then_some(Reason::Reaches)
    }

    /// `COMMENT ON ROLE`, `SECURITY LABEL FOR p ON DATABASE`: what databases share. Of the dump's own database it is taken
    /// out before.
    fn about_shared(&self) -> Option<Reason> {
        let on = self.tokens.iter().position(|token| is(token, "on"));
        let object = on.and_then(|on| self.tokens.get(on + 1));
        let shared = ["role", "user", "database", "tablespace"];
        let is_shared = object.is_none_or(|object| shared.iter().any(|word| is(object, word)));
        is_shared.then_some(Reason::Server)
    }

    /// What a session says of itself; of another user only what `pg_dump --use-set-session-authorization` writes.
    fn set(&self) -> Option<Reason> {
        let loads = ["dynamic_library_path", "local_preload_libraries", "session_preload_libraries"];
        loads.iter().any(|setting| self.has(setting)).then_some(Reason::Reaches)
    }

    fn select(&self) -> Option<Reason> {
        let strange = |pair: &[Token<'_>]| {
            // Of another schema it is another function.
            pair[1] == Token::Symbol(b'.')
                && matches!(pair[0], Token::Word(_) | Token::Name(_))
                && !is(&pair[0], "pg_catalog")
        };
        let qualified = self.tokens.windows(4).any(|four| {
            strange(&four[..2]) && matches!(four[2], Token::Word(_) | Token::Name(_)) && four[3] == Token::Symbol(b'(')
        });
        if calls_reaching_besides(SELECTED, self.tokens) {
            return Some(Reason::Reaches);
        }
        let others = qualified || calls(self.tokens).any(|name| !knows(SELECTED, &name));
        others.then_some(Reason::Runs)
    }

    fn copy(&self) -> Option<Reason> {
        let whole: Vec<_> = self.tokens.iter().copied().chain([Token::Symbol(b';')]).collect();
        match () {
            () if rows_follow(&whole) => None,
            () if copies_files(self.tokens) => Some(Reason::Reaches),
            // A query.
            () if self.tokens.get(1) == Some(&Token::Symbol(b'(')) => {
                Some(self.calls_reaching().unwrap_or(Reason::Runs))
            }
            () if self.has("stdin") || self.has("stdout") => self.calls_reaching(),
            () => Some(Reason::Unknown),
        }
    }

    fn insert(&self) -> Option<Reason> {
        let Some(values) = self.tokens.iter().position(|token| is(token, "values")) else {
            return Some(self.calls_reaching().unwrap_or(Reason::Runs));
        };
        let rows = &self.tokens[values..];
        let queries = self.has("select") || rows.iter().any(|token| is(token, "table") || is(token, "with"));
        let runs = queries || calls(rows).any(|name| !knows(IN_ROWS, &name));
        self.calls_reaching().or(runs.then_some(Reason::Runs))
    }

    /// Where the word stands that says what is made.
    fn object(&self) -> Option<usize> {
        const MAX_BEFORE: usize = 8;
        let words = self.tokens.iter().enumerate().skip(1).take(MAX_BEFORE);
        words.filter(|(_, token)| !knows_token(BEFORE_OBJECT, token)).map(|(at, _)| at).next()
    }

    /// `CREATE`, `ALTER` and `DROP` of what a database holds.
    fn define(&self) -> Option<Reason> {
        let Some(at) = self.object() else { return Some(Reason::Unknown) };
        let (object, next) = (&self.tokens[at], self.tokens.get(at + 1));
        let is_one_of = |words: &[&str]| words.iter().any(|word| is(object, word));
        if is(object, "user") && next.is_some_and(|next| is(next, "mapping")) {
            return None;
        }
        if is_one_of(&["role", "user", "group", "database", "tablespace", "system", "owned"]) {
            return Some(Reason::Server);
        }
        let altered = is(&self.tokens[0], "alter") && is_one_of(&["privileges", "large", "trigger", "procedural"]);
        if !altered && !knows_token(OBJECTS, object) {
            return Some(Reason::Unknown);
        }
        self.reaching(at).or_else(|| self.odd(at))
    }

    /// What a definition names or calls, where that runs by itself or can be called by a name that looks harmless.
    fn reaching(&self, object: usize) -> Option<Reason> {
        let is_one_of = |words: &[&str]| words.iter().any(|word| is(&self.tokens[object], word));
        let materialized = self.tokens[..object].iter().any(|token| is(token, "materialized"));
        let (doors, routines) = (
            [
                "access",
                "aggregate",
                "cast",
                "conversion",
                "data",
                "language",
                "operator",
                "text",
                "transform",
                "trigger",
                "type",
            ],
            ["function", "procedure", "routine"],
        );
        let reaches = match () {
            () if is_one_of(&["subscription"]) => return self.subscription(),
            () if is_one_of(&doors) => names_reaching(self.tokens),
            // What has a body runs when it is called, but for its arguments' defaults.
            () if is_one_of(&routines) => calls_reaching(arguments(&self.tokens[object..])),
            () if is_one_of(&["rule"]) || is_one_of(&["view"]) && !materialized => false,
            // Behind the table's name, which has brackets behind it, too.
            () if is_one_of(&["index"]) => {
                let on = self.tokens.iter().position(|token| is(token, "on"));
                let table = on.map_or(&[][..], |on| &self.tokens[on + 1..]);
                let table = table.strip_prefix(&table[..usize::from(table.first().is_some_and(|t| is(t, "only")))]);
                let behind = table.and_then(Relation::read).map_or(self.tokens, |(_, behind)| behind);
                calls_reaching(behind)
            }
            () => calls_reaching(self.tokens),
        };
        reaches.then_some(Reason::Reaches)
    }

    /// Forms that no dump program writes, and that hide a query or a name: a table of a query's, objects within
    /// `CREATE SCHEMA`, another name for what is there.
    fn odd(&self, object: usize) -> Option<Reason> {
        let creates = |word: &str| is(&self.tokens[0], "create") && is(&self.tokens[object], word);
        let rest = &self.tokens[object + 1..];
        let mut depth = 0_u32;
        let mut flat = rest.iter().filter(|token| {
            depth = match token {
                Token::Symbol(b'(') => depth + 1,
                Token::Symbol(b')') => depth.saturating_sub(1),
                _ => depth,
            };
            depth == 0
        });
        let renames = |three: &[Token<'_>]| {
            let words = ["attribute", "column", "constraint", "to", "value"];
            is(&three[0], "rename") && (words.iter().any(|word| is(&three[1], word)) || is(&three[2], "to"))
        };
        let moves = |three: &[Token<'_>]| is(&three[0], "set") && is(&three[1], "schema");
        match () {
            () if creates("table") && flat.any(|token| is(token, "as")) => Some(Reason::Runs),
            () if creates("schema") && rest.iter().any(|token| is(token, "create") || is(token, "grant")) => {
                Some(Reason::Unknown)
            }
            () if is(&self.tokens[0], "alter") && rest.windows(3).any(|three| renames(three) || moves(three)) => {
                Some(Reason::Unknown)
            }
            () => None,
        }
    }

    /// One that connects at once would speak to another server.
    fn subscription(&self) -> Option<Reason> {
        let quiet =
            |three: &[Token<'_>]| is(&three[0], "connect") && three[1] == Token::Symbol(b'=') && is(&three[2], "false");
        let creates = is(&self.tokens[0], "create");
        let connects = creates && !self.tokens.windows(3).any(quiet);
        let acts = is(&self.tokens[0], "alter") && !self.has("owner");
        (connects || acts).then_some(Reason::Server)
    }

    /// Privileges on what the database holds; not membership in roles.
    fn grant(&self) -> Option<Reason> {
        let on = self.tokens.iter().position(|token| is(token, "on"));
        let Some(on) = on else { return Some(Reason::Server) };
        let server = ["tablespace", "parameter", "database"]
            .iter()
            .any(|word| self.tokens.get(on + 1).is_some_and(|t| is(t, word)));
        server.then_some(Reason::Server)
    }
}

/// What stands in the first brackets.
fn arguments<'t, 'a>(tokens: &'t [Token<'a>]) -> &'t [Token<'a>] {
    let Some(start) = tokens.iter().position(|token| *token == Token::Symbol(b'(')) else { return &[] };
    let mut depth = 0_u32;
    let end = tokens[start..].iter().position(|token| {
        match token {
            Token::Symbol(b'(') => depth += 1,
            Token::Symbol(b')') => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    &tokens[start..end.map_or(tokens.len(), |end| start + end)]
}

fn knows(list: &str, word: &str) -> bool {
    list.split(' ').any(|known| known == word)
}

fn knows_token(list: &str, token: &Token<'_>) -> bool {
    matches!(token, Token::Word(word) if knows(list, &word.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pg_dump_writes_passes() {
        for dump in [
            include_str!("../../../../fixtures/dumps/pg_dump-15.plain.sql"),
            include_str!("../../../../fixtures/dumps/pg_dump-15.inserts.sql"),
            include_str!("../../../../fixtures/dumps/pg_dump-18.plain.sql"),
            include_str!("../../../../fixtures/dumps/pg_dump-18.inserts.sql"),
        ] {
            // Rows and psql's own lines are no statements.
            let mut rows = false;
            let sql: String = dump
                .lines()
                .filter(|line| {
                    let row = rows;
                    rows = (rows || line.starts_with("COPY ")) && *line != "\\.";
                    !row && !line.starts_with('\\')
                })
                .fold(String::new(), |text, line| text + line + "\n");
            let tokens = tokens(&sql);
            for statement in statements(&tokens) {
                let statement = Statement::new(without_remarks(statement));
                assert_eq!(statement.judge(), None, "{:?}", statement.tokens);
            }
        }
    }

    #[test]
    fn what_dumps_and_exporters_write_besides_passes() {
        for sql in [
            "SET SESSION AUTHORIZATION 'app'",
            "SELECT pg_catalog.set_config('search_path', '', false)",
            "SELECT setval('public.s', (SELECT max(id) FROM t))",
            "SELECT setval(pg_get_serial_sequence('t', 'id'), coalesce(max(id), 1)) FROM t",
            "SELECT pg_catalog.lowrite(0, '\\x00')",
            "SELECT * FROM pg_catalog.pg_restore_relation_stats('version', '180000'::integer)",
            "CREATE OR REPLACE PROCEDURAL LANGUAGE plpython3u",
            "CREATE DEFAULT CONVERSION c FOR 'LATIN1' TO 'UTF8' FROM f",
            "CREATE UNIQUE INDEX CONCURRENTLY i ON t (lower(a))",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN pg_read_file('x') END; END",
            "CREATE VIEW v AS SELECT pg_read_file('/etc/passwd')",
            "CREATE USER MAPPING FOR app SERVER s OPTIONS (user 'x')",
            "CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p WITH (connect = false, slot_name = 's')",
            "ALTER DEFAULT PRIVILEGES FOR ROLE a IN SCHEMA s GRANT SELECT ON TABLES TO b",
            "ALTER LARGE OBJECT 16393 OWNER TO app",
            "ALTER EVENT TRIGGER e DISABLE",
            "ALTER TABLE ONLY t ATTACH PARTITION u FOR VALUES IN (1)",
            "DROP CAST (a AS b)",
            "GRANT ALL ON SCHEMA public TO app",
            "INSERT INTO \"t\" (\"select\", b) VALUES (1, to_date('x', 'y')), (CAST('1' AS numeric(9,2)), now()) ON CONFLICT (a) DO NOTHING",
            "INSERT INTO t DEFAULT VALUES",
            "REFRESH MATERIALIZED VIEW m",
            "DELETE FROM t",
            "COPY public.t (a) FROM stdin",
        ] {
            assert_eq!(judge_all(&format!("-- remark\n{sql};\n")).reason, None, "{sql}");
        }
    }

    #[test]
    fn everything_else_is_stopped_with_the_reason() {
        for (sql, reason) in [
            ("DO $$ BEGIN COPY (SELECT 1) TO PROGRAM 'id'; END $$", Reason::Runs),
            ("CALL p()", Reason::Runs),
            ("EXPLAIN ANALYZE SELECT f()", Reason::Runs),
            ("SELECT f()", Reason::Runs),
            ("SELECT other.setval('s', 1)", Reason::Runs),
            ("SELECT \"Setval\"('s', 1)", Reason::Runs),
            ("INSERT INTO t SELECT 1", Reason::Runs),
            ("INSERT INTO t VALUES (f(1))", Reason::Runs),
            ("UPDATE t SET a = 1", Reason::Runs),
            ("WITH x AS (SELECT 1) SELECT 1", Reason::Runs),
            ("WITH x AS (SELECT lo_export(1, '/tmp/x')) SELECT 1", Reason::Reaches),
            ("INSERT INTO t SELECT pg_read_file('/etc/passwd')", Reason::Reaches),
            ("SELECT pg_catalog . \"lo_import\" ('/etc/passwd')", Reason::Reaches),
            ("SELECT dblink_exec('host=x', 'DROP TABLE y')", Reason::Reaches),
            ("CREATE TABLE t (a text DEFAULT pg_read_file('/etc/passwd'))", Reason::Reaches),
            ("CREATE MATERIALIZED VIEW m AS SELECT pg_ls_dir('.')", Reason::Reaches),
            ("CREATE INDEX i ON t (pg_read_file(a))", Reason::Reaches),
            ("COPY t FROM PROGRAM 'id'", Reason::Reaches),
            ("COPY t TO '/tmp/x'", Reason::Reaches),
            ("LOAD '/tmp/x.so'", Reason::Reaches),
            ("SET dynamic_library_path = '/tmp'", Reason::Reaches),
            ("CREATE ROLE function SUPERUSER", Reason::Server),
            ("CREATE USER mapping_user", Reason::Server),
            ("ALTER SYSTEM SET archive_command = 'id'", Reason::Server),
            ("ALTER USER postgres PASSWORD 'x'", Reason::Server),
            ("DROP DATABASE other", Reason::Server),
            ("DROP OWNED BY app", Reason::Server),
            ("GRANT postgres TO app", Reason::Server),
            ("GRANT SET ON PARAMETER archive_command TO app", Reason::Server),
            ("CREATE SUBSCRIPTION s CONNECTION 'host=x' PUBLICATION p", Reason::Server),
            ("IMPORT FOREIGN SCHEMA s FROM SERVER x INTO y", Reason::Server),
            ("NOTIFY x", Reason::Unknown),
            ("(SELECT f())", Reason::Unknown),
        ] {
            assert_eq!(judge_all(&format!("SET a = 1;\n{sql};\n")).reason, Some(reason), "{sql}");
        }
    }
}
