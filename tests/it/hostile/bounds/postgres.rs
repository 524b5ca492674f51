//! Scripts for psql. Before version 14 it sends a body of SQL statements in pieces, which no server takes: those are left out.

use std::fs;

use dbhaul::engine::Format;

use super::{Fuzzed, Maker, fed};
use crate::support::{Server, postgres15, postgres18};

const PIECES: &[&str] = &[
    "'",
    "\"",
    "''",
    "\"\"",
    "\\'",
    "\\\"",
    "\\\\",
    "\\",
    ";",
    "\n",
    "\r\n",
    "\r",
    " ",
    "\t",
    "\u{b}",
    "\u{c}",
    "\u{1}",
    "\u{a0}",
    "\u{85}",
    "\u{e9}",
    "\u{20ac}",
    "\u{1f600}",
    "\u{feff}",
    "--",
    "-- ",
    "--\n",
    "--\r",
    "--;\n",
    "-- '\n",
    "-- $$\n",
    "/",
    "*",
    "/*",
    "*/",
    "/**/",
    "/*/",
    "/* /* */ */",
    "/* ; */",
    "/* ' */",
    "/* $$ */",
    "$",
    "$$",
    "$$$",
    "$a$",
    "$1",
    "$1$",
    "$a",
    "a$",
    "a$$",
    "$_$",
    "$\u{e9}$",
    "$A$",
    "$a$b$a$",
    "E'",
    "e'",
    "E '",
    "E\n'",
    "U&'",
    "U&\"",
    "B'",
    "X'",
    "N'",
    "E'\\''",
    "E'\\'",
    "E'a'\n'\\'",
    "E'a'\r'\\''",
    "E'a' -- \r'\\'",
    "E'a' -- \n'\\'",
    "E'a'\n\n 'b\\''",
    "'a'\n'b'",
    "E'a'/* */'\\'",
    "1'",
    "1E'",
    "_E'",
    "\u{e9}E'",
    "$1E'",
    "1$$",
    "1$a$",
    "(",
    ")",
    "[",
    "]",
    "();",
    "(;)",
    "\\;",
    "\\:",
    ":",
    "::",
    ":x",
    ":'x'",
    ":\"x\"",
    ":{?x}",
    ":=",
    "BEGIN ",
    "BEGIN ATOMIC ",
    "begin",
    " END ",
    "END;",
    " CASE ",
    "\"BEGIN\"",
    "BEGIN$",
    "$BEGIN",
    "1BEGIN",
    "BEGIN_",
    "\u{e9}BEGIN",
    "!=-",
    "+--",
    "@--",
    "*--",
    "/--\n",
    "-/*",
    "@/*",
    "=*/",
    "\\g",
    "\\gx",
    "\\.\n",
    "\n\\.\n",
    "\\p",
    "UESCAPE '!'",
    "UESCAPE",
    "\\restrict x\n",
    "\nCOPY bounds FROM stdin;\n",
    "CREATE ",
    "FUNCTION ",
    "CREATE FUNCTION {w}() ",
    "PROCEDURE",
    "OR REPLACE ",
];

const STATEMENTS: &[&str] = &[
    "CREATE FUNCTION {w}() RETURNS int LANGUAGE sql AS $${f}$$;\n",
    "CREATE FUNCTION {w}() RETURNS int LANGUAGE sql AS $a${f}$a$;\n",
    "CREATE FUNCTION {w}() RETURNS int LANGUAGE sql AS '{f}';\n",
    "CREATE FUNCTION {w}() RETURNS int LANGUAGE sql AS E'{f}', '{f}';\n",
    "CREATE FUNCTION {w}() RETURNS int LANGUAGE sql BEGIN ATOMIC {f}; {f} END;\n",
    "CREATE FUNCTION {w}({f}) RETURNS int LANGUAGE sql RETURN {f};\n",
    "CREATE OR REPLACE PROCEDURE {w}() BEGIN ATOMIC SELECT {w}; SELECT CASE WHEN {f} THEN {w} END; {f} END;\n",
    "CREATE PROCEDURE {w}() LANGUAGE sql BEGIN ATOMIC {f} END; {f};\n",
    "CREATE VIEW {w} AS SELECT {f};\n",
    "CREATE VIEW {w} AS SELECT ({f});\n",
    "CREATE VIEW {w} AS SELECT '{f}' AS \"{f}\";\n",
    "CREATE RULE {w} AS ON INSERT TO {w} DO ALSO (SELECT {w}; {f});\n",
    "CREATE TABLE {w} ({w} int, {w} text DEFAULT '{f}');\n",
    "CREATE TABLE {w} ({w} int, \"{f}\" text);\n",
    "COMMENT ON TABLE {w} IS '{f}';\n",
    "COMMENT ON TABLE {w} IS E'{f}';\n",
    "COMMENT ON TABLE {w} IS {f};\n",
    "COMMENT ON TABLE {w} IS U&'{f}';\n",
    "COMMENT ON TABLE {w} IS 'a'\n'{f}';\n",
    "COMMENT ON TABLE {w} IS E'a'\n'{f}';\n",
    "COMMENT ON TABLE {w} IS E'a'\r'{f}';\n",
    "INSERT INTO {w} VALUES ('{f}', '{f}');\n",
    "INSERT INTO {w} VALUES (E'{f}'), ($${f}$$);\n",
    "INSERT INTO {w} VALUES ({f});\n",
    "ALTER TABLE {w} ADD CONSTRAINT {w} CHECK ({f});\n",
    "ALTER TABLE {w} OWNER TO \"{f}\";\n",
    "COPY bounds (a) FROM stdin;\n{f}\n{f}\n\\.\n",
    "COPY bounds FROM stdin;\n\\.\n",
    "COPY bounds FROM stdin; -- {f}\n{f}\n\\.\n",
    "COPY bounds (\"a;\nb\") FROM stdin;\n{f}\n\\.\n",
    "COPY bounds /* {f} */ FROM stdin;\n{f}\n\\.\n",
    "SELECT pg_catalog.setval('{f}', 1, true);\n",
    "TRUNCATE {w}; TRUNCATE {w};",
    ";\n",
    "SET search_path = '{f}';\n",
];

const BETWEEN: &[&str] = &[
    "-- {f}\n",
    "--{f}\n",
    "-- {f}\r",
    "/* {f} */",
    "/* {f} */\n",
    "/* /* {f} */ {f} */\n",
    "\n",
    "  \n",
    "\t",
    "\u{b}",
    "\u{c}\n",
    "\r\n",
    "{f}",
    "--\n-- {f}\n--\n\n",
    "SET standard_conforming_strings = off;\n",
    "SET standard_conforming_strings = on;\n",
    "\\.\n",
];

fn script(maker: &mut Maker) -> String {
    let mut script = String::new();
    for _ in 0..=maker.dice.below(5) {
        let template = if maker.dice.once_in(4) { maker.dice.pick(BETWEEN) } else { maker.dice.pick(STATEMENTS) };
        script.push_str(&maker.fill(template));
    }
    script.push('\n');
    script
}

/// Rows of a table that is not there would be statements for psql; it is dbhaul that ends at the first error.
const TABLE: &[u8] = b"CREATE TEMPORARY TABLE bounds (a text, \"a;\nb\" text);\n";

/// psql writes each query into a log, between two lines of stars.
fn sent(server: &Server, script: &[u8]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let mut client = server.client("psql");
    client.args(["-X", "-q", "-o", "/dev/null", "-L"]).arg(&log).args(["-f", "-"]).env("PGDATABASE", "postgres");
    client.env("PGOPTIONS", "-c statement_timeout=1000 -c lock_timeout=100");
    fed(client, &[TABLE, script].concat());
    let text = String::from_utf8_lossy(&fs::read(&log).unwrap_or_default()).into_owned();
    let mut queries = Vec::new();
    for part in text.split(" QUERY *********").skip(1) {
        let part = part.split_once('\n').map_or("", |(_, rest)| rest);
        let end = part.find("\n**************************").or_else(|| part.find("\n/************************/"));
        queries.push(part[..end.unwrap_or(part.len())].to_owned());
    }
    queries
}

const FUZZED: Fuzzed = Fuzzed {
    format: Format::PG_PLAIN,
    pieces: PIECES,
    script,
    reset: "\nROLLBACK;\nSET standard_conforming_strings = on;\n",
    sent,
};

#[test]
fn psql_15_ends_statements_where_we_do() {
    FUZZED.seeds(postgres15());
}

#[test]
fn psql_18_ends_statements_where_we_do() {
    FUZZED.seeds(postgres18());
}
