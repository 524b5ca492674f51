//! Scripts for the mysql and mariadb clients.

use dbhaul::engine::Format;

use super::{Fuzzed, Maker, fed};
use crate::support::{Flavour, Server, mariadb, mysql, shared};

const PIECES: &[&str] = &[
    "'",
    "\"",
    "`",
    "''",
    "\"\"",
    "``",
    "\\'",
    "\\\"",
    "\\`",
    "\\\\",
    "\\",
    ";",
    ";;",
    "//",
    "$$",
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
    "--",
    "-- ",
    "--\n",
    "--\t",
    "--\u{b}",
    "--\u{1}",
    "--\u{a0}",
    "#",
    "/",
    "*",
    "/*",
    "*/",
    "/**/",
    "/*/",
    "/*!",
    "/*!40101 ",
    "/*!50001",
    "/*!99999 ",
    "/*!999999",
    "/*M!",
    "/*M!100100 ",
    "/*+",
    "/*+ ",
    "/* ; */",
    "/*! ; */",
    "/*+ ; */",
    "/* ' */",
    "/*! ' */",
    "/*!99999 ' */",
    "/*+ ' */",
    "/*M! ' */",
    "/* /*! */",
    "/*! /* */",
    "/*! -- */",
    "/*!99999 -- \n*/",
    "-- ;\n",
    "-- '\n",
    "# ;\n",
    "# '\n",
    "# \"\n",
    "--;\n",
    "\nDELIMITER ;\n",
    "\nDELIMITER //\n",
    "\ndelimiter ;;\n",
    " DELIMITER x ",
    "DELIMITER",
    "delimiterx",
    "\n--\n",
    "\\g",
    "\\G",
    "\\c",
    "\\;",
    "\\N",
    "\\C gbk\n",
    "\\u x\n",
    "\\q",
    "\\!",
    "(",
    ")",
    ",",
    "()",
    "@",
    "BEGIN ",
    "END",
    " SELECT ",
    "\nDROP TABLE {w};\n",
    "x'41'",
    "_utf8'",
    "N'",
    "\u{feff}",
];

/// `{d}` is the delimiter, `{w}` a word, `{f}` pieces.
const STATEMENTS: &[&str] = &[
    "CREATE PROCEDURE {w}() BEGIN {f} END {d}\n",
    "CREATE PROCEDURE {w}() BEGIN {f} END {d}\n",
    "CREATE PROCEDURE {w}() BEGIN {f}; {f} END {d}\n",
    "CREATE PROCEDURE {w}() SELECT '{f}' {d}",
    "CREATE PROCEDURE {w}() SELECT \"{f}\" {d}\n",
    "CREATE TRIGGER {w} BEFORE INSERT ON {w} FOR EACH ROW SET @{w} = '{f}', @{w} = `{f}`{d}\n",
    "/*!50003 CREATE*/ /*!50003 TRIGGER {w} BEFORE INSERT ON {w} FOR EACH ROW BEGIN {f} END */{d}\n",
    "/*!50106 CREATE EVENT {w} ON SCHEDULE EVERY 1 DAY DO {f} */ {d}\n",
    "CREATE FUNCTION {w}() RETURNS int RETURN {f} {d} -- {f}\n",
    "CREATE VIEW {w} AS SELECT '{f}' AS `{f}` {d}\n",
    "CREATE VIEW {w} AS SELECT {f} {d}\n",
    "INSERT INTO {w} VALUES ('{f}'),('{f}'){d}\n",
    "INSERT INTO {w} (`{f}`) VALUES (1, \"{f}\"),\n('{f}'){d}\n",
    "INSERT INTO {w} VALUES (1),({f}){d}\n",
    "CREATE TABLE {w} ({w} int COMMENT '{f}'){d}\n",
    "CREATE TABLE {w} (`{f}` int) COMMENT=\"{f}\" {d}\n",
    "SELECT '{f}' AS \"{f}\" {d}\n",
    "SELECT '{f}' {d} SELECT '{f}' {d}",
    "DROP TABLE IF EXISTS {w} /* {f} */ {d}\n",
    "DROP TABLE {w} -- {f}\n{d}\n",
    "DROP TABLE /*!99999 {f} */ {w} {d}\n",
    "DROP TABLE IF EXISTS `{f}`{d}\n",
    "/*! DROP TABLE IF EXISTS {w} {f} */{d}\n",
    "/*!40101 SET @{w} = 1 */{d}\n",
    "LOCK TABLES {w} WRITE {d}\n",
    "{d}\n",
];

const BETWEEN: &[&str] = &[
    "-- {f}\n",
    "--{f}\n",
    "# {f}\n",
    "/* {f} */",
    "/* {f} */\n",
    "/* {f} */{d}\n",
    "/*+ {f} */\n",
    "/*+ {f}\n{f} */\n",
    "/*! {f} */{d}\n",
    "/*!40101 {f} */{d}\n",
    "/*M! {f} */{d}\n",
    "/*!99999 {f} */{d}\n",
    "\n",
    "  \n",
    "\t",
    "\u{b}",
    "\u{c}\n",
    "\r\n",
    "--\u{b}{f}\n",
    "--\u{1}{f}\n",
    "{f}",
];

const MODES: &[&str] = &[
    "SET sql_mode = '' /* {w} */ {d}\n",
    "SET sql_mode = 'NO_BACKSLASH_ESCAPES' /* {w} */ {d}\n",
    "SET sql_mode = 'ANSI_QUOTES' /* {w} */ {d}\n",
    "SET sql_mode = 'ANSI' /* {w} */ {d}\n",
    "SET SESSION sql_mode = \"ANSI_QUOTES,NO_BACKSLASH_ESCAPES\" /* {w} */ {d}\n",
    "/*!50003 SET sql_mode = 'NO_BACKSLASH_ESCAPES' */ /* {w} */ {d}\n",
    "/*!99999 SET sql_mode = 'NO_BACKSLASH_ESCAPES' */ /* {w} */ {d}\n",
    "/*M! SET sql_mode = 'NO_BACKSLASH_ESCAPES' */ /* {w} */ {d}\n",
    "SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_BACKSLASH_ESCAPES' /* {w} */ {d}\nSET SQL_MODE=@OLD_SQL_MODE /* {w} */ {d}\n",
    "SET sql_mode = 'no_backslash_escapes ' /* {w} */ {d}\n",
    "SET @@session.sql_mode := 'NO_BACKSLASH_ESCAPES' /* {w} */ {d}\n",
];

/// `{n}` is the next delimiter.
const DELIMITERS: &[&str] = &[
    "DELIMITER {n}\n",
    "DELIMITER {n}\n",
    "delimiter {n}\n",
    "DeLiMiTeR   {n}\t\n",
    "  DELIMITER {n}\n",
    "DELIMITER {n} {f}\n",
    "DELIMITER{n}\n",
    "DELIMITER\t{n}\n",
    "DELIMITER\u{b}{n}\n",
    "DELIMITER '{n}'\n",
    "DELIMITER `{n}`\n",
    "DELIMITER \"{n}\n",
    "DELIMITER \\{n}\n",
    "DELIMITER {n} {d}\n",
    "DELIMITER {n};\n",
    "{d} DELIMITER {n}\n",
    "DROP TABLE {w} {d} DELIMITER {n} {d}\n",
    "DROP TABLE {w} {d} DELIMITER {n}\n",
    "/* {f} */ DELIMITER {n}\n",
    "/* {f} */\nDELIMITER {n}\n",
    "-- {f}\nDELIMITER {n}\n",
    "  \nDELIMITER {n}\n",
    "DELIMITER\n",
    "DELIMITER \n{n}\n",
    "DELIMITER {n}{n}{n}{n}{n}{n}{n}{n}{n}{n}{n}{n}{n}{n}{n}{n}{n}{n}{n}{n}\n",
    "DELIMITER {n}\r\n",
    "DELIMITER {n} -- {f}\n",
    "DELIMITER {n} # {f}\n",
    "DROP TABLE {w} {d} /* {f} */\nDELIMITER {n}\n",
    "DROP TABLE {w} {d} -- {f}\nDELIMITER {n}\n",
    "\u{c}DELIMITER {n}\n",
    "\r\nDELIMITER {n}\r\n",
];

const ENDS: &[&str] =
    &[";", ";", ";;", "//", "$$", "|", "x", "W", "--", "#", "'", "*/", "\u{e9}", ";x", "END", "delimiter"];

fn script(maker: &mut Maker) -> String {
    let (mut script, mut delimiter) = (String::new(), ";");
    for _ in 0..=maker.dice.below(5) {
        let template = match maker.dice.below(12) {
            0 => maker.dice.pick(MODES),
            1 | 2 => maker.dice.pick(BETWEEN),
            3 => maker.dice.pick(DELIMITERS),
            _ => maker.dice.pick(STATEMENTS),
        };
        let next = maker.dice.pick(ENDS);
        script.push_str(&maker.fill(&template.replace("{d}", delimiter).replace("{n}", next)));
        if template.contains("{n}") && !maker.dice.once_in(4) {
            delimiter = next;
        }
    }
    // What the client still holds would hide the next DELIMITER from it.
    script + "\n" + delimiter + "\n"
}

/// What stands between the lines of dashes.
fn sent(server: &Server, script: &[u8]) -> Vec<String> {
    const LINE: &str = "--------------\n";
    let mut client = server.client(server.flavour().family().shell());
    client.args(["--binary-mode", "--comments", "--verbose", "--force", "--batch", "--skip-column-names"]);
    let output = String::from_utf8_lossy(&fed(client, script)).into_owned();
    output.split(LINE).skip(1).step_by(2).map(str::to_owned).collect()
}

const FUZZED: Fuzzed = Fuzzed {
    format: Format::MYSQL_SQL,
    pieces: PIECES,
    script,
    reset: "\nDELIMITER ;\nSET sql_mode = '' /* {w} */;\n",
    sent,
};

#[test]
fn mysql_ends_statements_where_we_do() {
    FUZZED.seeds(mysql());
}

#[test]
fn mariadb_ends_statements_where_we_do() {
    FUZZED.seeds(mariadb());
}

#[test]
fn an_old_mariadb_ends_statements_where_we_do() {
    FUZZED.seeds(shared(Flavour::Mariadb105));
}

#[test]
fn a_new_mariadb_ends_statements_where_we_do() {
    FUZZED.seeds(shared(Flavour::Mariadb118));
}
