//! One database of a script that names its databases: `pg_dumpall`, `pg_dump --create`.
//!
//! A statement belongs to the database of the last `\connect`. Statements about a database itself never pass; what they
//! say is kept. Of a `pg_dumpall` script neither does what stands outside of databases: roles, tablespaces.

use std::borrow::Cow;

use memchr::memchr;

use super::database_statements;
use crate::engine::Incomplete;
use crate::engine::of_many::{Choice, DatabaseCutter, HeldDatabases, MAX_DATABASES, blank};
use crate::engine::postgres::format::dump_lines::{described, identifier};
use crate::engine::postgres::format::encoding::Encoding;
use crate::engine::postgres::sql::commands::{CommandKind, Nesting, judge};
use crate::engine::postgres::sql::lexer::Lexer;
use crate::engine::stray::MARK;

/// A statement is held until it ends, or up to this: one about a database is short.
const LONGEST_HELD: usize = 256 << 10;

/// Remarks that say where a dump begins and ends, and what made it.
const MARKS: [&str; 4] =
    ["-- PostgreSQL database dump", CLUSTER_ENDS, "-- Dumped from database version ", "-- Dumped by pg_dump version "];
const CLUSTER: &str = "-- PostgreSQL database cluster dump";
const CLUSTER_ENDS: &str = "-- PostgreSQL database cluster dump complete";
const DATABASE_ENDS: &str = "-- PostgreSQL database dump complete";

/// Passes one database on.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about the script, each set by a line of its own")]
pub struct Cutter {
    choice: Choice,
    place: CurrentDatabase,
    /// It says that it is `pg_dumpall`'s, and then that it ends.
    is_cluster: bool,
    is_complete: bool,
    globals: u64,
    /// Statements about objects stand before any `\connect`.
    is_nameless: bool,
    /// The `\restrict` that is open has passed.
    restricts: bool,
    bytes: u64,

    lexer: Lexer,
    nesting: Nesting,
    encoding: Option<String>,
    /// What is not decided yet: a line, or the lines of a statement.
    held: Vec<u8>,
    /// What is held began with a statement, which goes on.
    is_open: bool,
    /// Statements that have ended in it.
    ended: u32,
    /// The statement is too long to be held, and passes or not.
    running: Option<bool>,
    rows: Option<CopyRows>,
}

/// Where in the script.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum CurrentDatabase {
    /// No database was connected to.
    #[default]
    Before,
    /// In this one.
    In(usize),
    /// Behind its end, in a `pg_dumpall` script.
    Behind,
}

/// Rows of a COPY.
struct CopyRows {
    passes: bool,
    /// Bytes of the row so far, and the first of them.
    length: usize,
    head: [u8; 3],
}

impl DatabaseCutter for Cutter {
    fn push(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        if let Some(rest) = bytes.strip_prefix(MARK).filter(|_| self.bytes == 0) {
            out.extend_from_slice(MARK);
            (self.bytes, bytes) = (MARK.len() as u64, rest);
        }
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            let used = if self.rows.is_some() { self.rows(bytes, out) } else { self.script(bytes, out) };
            bytes = &bytes[used..];
        }
    }

    fn finish(mut self: Box<Self>, out: &mut Vec<u8>) -> HeldDatabases {
        if !self.held.is_empty() {
            self.end_of_line(out);
        }
        // What never ends is for the inspector to judge.
        let rest = std::mem::take(&mut self.held);
        self.put(self.passes(), &rest, out);
        let missing = "the last line of a pg_dumpall script, \"PostgreSQL database cluster dump complete\", is missing";
        let is_cut = self.is_cluster && !self.is_complete;
        let is_of_roles_alone = self.is_cluster && self.is_complete && self.choice.databases.is_empty();
        HeldDatabases {
            databases: self.choice.databases,
            chosen: self.choice.chosen,
            globals: self.globals,
            incomplete: is_cut.then(|| Incomplete::new(missing, self.bytes)),
            is_of_roles_alone,
        }
    }
}

impl Cutter {
    /// `wanted`: the database; without it the first that the script names.
    pub fn new(wanted: Option<&str>) -> Self {
        Self { choice: Choice::new(wanted), ..Self::default() }
    }

    /// Rows, up to and with the line `\.`; how many bytes.
    fn rows(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> usize {
        let mut at = 0;
        while let (Some(rows), true) = (&mut self.rows, at < bytes.len()) {
            let rest = &bytes[at..];
            let end = memchr(b'\n', rest);
            let row = &rest[..end.unwrap_or(rest.len())];
            for (place, byte) in rows.head.iter_mut().skip(rows.length).zip(row) {
                *place = *byte;
            }
            rows.length += row.len();
            at += row.len() + usize::from(end.is_some());
            if end.is_none() {
                break;
            }
            if rows.length == 2 && rows.head.starts_with(b"\\.") || rows.length == 3 && rows.head == *b"\\.\r" {
                let passes = rows.passes;
                self.rows = None;
                self.put(passes, &bytes[..at], out);
                return at;
            }
            rows.length = 0;
        }
        let passes = self.rows.as_ref().is_some_and(|rows| rows.passes);
        self.put(passes, &bytes[..at], out);
        at
    }

    /// SQL, up to the end of a line that announces rows; how many bytes.
    fn script(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> usize {
        for (at, &byte) in bytes.iter().enumerate() {
            self.held.push(byte);
            self.lexer.see(byte);
            let in_statement = self.lexer.in_statement();
            self.nesting.see(in_statement.then_some(byte));
            if in_statement && byte == b';' && self.nesting.is_flat() {
                self.is_open = false;
                self.ended += 1;
            } else if in_statement && !byte.is_ascii_whitespace() || !self.lexer.outside() {
                self.is_open = true;
            }
            if byte == b'\n' && self.lexer.outside() {
                self.end_of_line(out);
                if self.rows.is_some() {
                    return at + 1;
                }
            } else if self.held.len() >= LONGEST_HELD {
                let passes = self.running.unwrap_or_else(|| self.object());
                self.running = Some(passes);
                let held = std::mem::take(&mut self.held);
                self.put(passes, &held, out);
            }
        }
        bytes.len()
    }

    /// A line has ended outside of strings: what is held is decided, unless a statement goes on.
    fn end_of_line(&mut self, out: &mut Vec<u8>) {
        if let Some(passes) = self.running {
            let held = std::mem::take(&mut self.held);
            self.put(passes, &held, out);
            if !self.is_open {
                (self.running, self.ended) = (None, 0);
            }
            return;
        }
        let begins = self.held.trim_ascii_start();
        // The first byte of a remark looked like one of a statement.
        let is_line = self.ended == 0 && !self.held.trim_ascii().contains(&b'\n');
        if is_line && (begins.starts_with(b"--") || begins.starts_with(b"\\")) {
            self.is_open = false;
        }
        if self.is_open {
            return;
        }
        let held = std::mem::take(&mut self.held);
        let ended = std::mem::take(&mut self.ended);
        let text = self.text(&held).into_owned();
        let text = text.trim();
        let passes = match ended {
            0 if text.starts_with('\\') => self.command(text),
            // Adminer ends its own as a statement.
            1 if text.starts_with("\\connect ") && !text.contains('\n') => self.command(text),
            0 => self.remark(text),
            1 if text.ends_with(';') => self.statement(text, &held),
            _ => self.object(),
        };
        self.put(passes, &held, out);
    }

    fn put(&mut self, passes: bool, bytes: &[u8], out: &mut Vec<u8>) {
        if let CurrentDatabase::In(at) = self.place {
            self.choice.databases[at].bytes += bytes.len() as u64;
        }
        if passes {
            out.extend_from_slice(bytes);
        } else {
            blank(bytes, out);
        }
    }

    fn text<'b>(&self, bytes: &'b [u8]) -> Cow<'b, str> {
        self.encoding.as_deref().map_or(Encoding::Utf8, Encoding::named).decode(bytes)
    }

    /// Whether what belongs here passes.
    fn passes(&self) -> bool {
        match self.place {
            CurrentDatabase::Before => !self.is_cluster,
            CurrentDatabase::In(at) => self.choice.passes(at),
            CurrentDatabase::Behind => false,
        }
    }

    fn remark(&mut self, text: &str) -> bool {
        match text {
            CLUSTER if self.choice.databases.is_empty() => self.is_cluster = true,
            CLUSTER_ENDS => self.is_complete = true,
            DATABASE_ENDS if self.is_cluster => {
                let passes = self.passes();
                self.place = CurrentDatabase::Behind;
                return passes;
            }
            _ => {}
        }
        MARKS.iter().any(|mark| text.starts_with(mark)) || self.passes() && !is_of_database(text)
    }

    fn command(&mut self, text: &str) -> bool {
        let passes = self.passes();
        if text.starts_with("\\restrict ") {
            self.restricts = passes;
            return passes;
        }
        if text.starts_with("\\unrestrict ") {
            return self.restricts;
        }
        // Behind statements that name no database it is none of a section's.
        let connects = text.strip_prefix("\\connect ").and_then(connected).filter(|_| !self.is_nameless);
        if let Some(name) = connects {
            self.place = CurrentDatabase::In(self.choice.place(&name, false));
            return false;
        }
        passes
    }

    /// A statement that stands alone on its lines.
    fn statement(&mut self, text: &str, held: &[u8]) -> bool {
        match text {
            "SET standard_conforming_strings = off;" => self.lexer.escapes = true,
            "SET standard_conforming_strings = on;" => self.lexer.escapes = false,
            _ => self.encoding = Encoding::announced(text).map(str::to_owned).or(self.encoding.take()),
        }
        if let Some(statement) = database_statements::read(text) {
            let at = self.choice.place(&statement.database, false);
            let database = &mut self.choice.databases[at];
            let properties = database.properties.get_or_insert_default();
            if properties.settings.len() < MAX_DATABASES {
                statement.tell(properties);
            }
            if !database.own_statements.iter().any(|kind| kind == statement.kind) {
                database.own_statements.push(statement.kind.to_owned());
            }
            if self.place == CurrentDatabase::Before {
                database.bytes += held.len() as u64;
            }
            return false;
        }
        let is_setting = text.starts_with("SET ") || text.starts_with("SELECT pg_catalog.set_config(");
        if is_setting {
            return self.passes();
        }
        let passes = self.object();
        if text.starts_with("COPY ") && judge(b"copy", text, true) == CommandKind::Rows {
            self.rows = Some(CopyRows { passes, length: 0, head: [0; 3] });
        }
        passes
    }

    /// Whether a statement passes that is neither a setting nor about a database.
    fn object(&mut self) -> bool {
        match self.place {
            CurrentDatabase::Before if !self.is_cluster => {
                self.is_nameless = true;
                true
            }
            CurrentDatabase::Before | CurrentDatabase::Behind => {
                self.globals += 1;
                false
            }
            CurrentDatabase::In(_) => self.passes(),
        }
    }
}

/// `-- Name: shop; Type: DATABASE; Schema: -; Owner: app`, and what belongs to it.
fn is_of_database(text: &str) -> bool {
    let Some(remark) = text.strip_prefix("-- ").filter(|remark| remark.starts_with("Name: ")) else { return false };
    let entry = described(remark);
    match entry.kind.as_str() {
        "DATABASE" | "DATABASE PROPERTIES" => true,
        "COMMENT" | "ACL" | "SECURITY LABEL" => entry.tag.starts_with("DATABASE "),
        _ => false,
    }
}

/// The database of `\connect name` and of `\connect -reuse-previous=on "dbname='a b'"`: nothing else stands there.
fn connected(argument: &str) -> Option<String> {
    // Adminer ends it as a statement, which psql takes.
    let argument = argument.trim().trim_end_matches(';');
    let Some(string) = argument.strip_prefix("-reuse-previous=on ") else {
        let dotted = !argument.is_empty() && argument.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.".contains(&b));
        let quoted = || identifier(argument).filter(|(_, rest)| rest.is_empty()).map(|(name, _)| name);
        return if dotted { Some(argument.to_owned()) } else { quoted() };
    };
    let (string, _) = identifier(string).filter(|(_, rest)| rest.is_empty())?;
    let value = string.strip_prefix("dbname=")?;
    let Some(quoted) = value.strip_prefix('\'') else { return (!value.contains(' ')).then(|| value.to_owned()) };
    let (mut name, mut letters) = (String::new(), quoted.strip_suffix('\'')?.chars());
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => name.push(letters.next()?),
            '\'' => return None,
            _ => name.push(letter),
        }
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF_ONE: &str = "--\n-- PostgreSQL database dump\n--\n\n\\restrict a\n\n-- Dumped from database version 15.18\n\n\
        SET statement_timeout = 0;\nSELECT pg_catalog.set_config('search_path', '', false);\n\n\
        DROP DATABASE IF EXISTS src;\n--\n-- Name: src; Type: DATABASE; Schema: -; Owner: app\n--\n\n\
        CREATE DATABASE src WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE = 'C';\n\n\nALTER DATABASE src OWNER TO app;\n\n\
        \\unrestrict a\n\\connect src\n\\restrict a\n\nSET statement_timeout = 0;\n\
        COMMENT ON DATABASE src IS 'two\nlines; -- PostgreSQL database dump complete';\nALTER DATABASE src SET work_mem TO '8MB';\n\
        CREATE FUNCTION public.f() RETURNS int LANGUAGE sql\n    AS $$\n\\connect other\nSELECT 1;\n$$;\n\
        CREATE TABLE public.t (\n    a int\n);\nCOPY public.t (a) FROM stdin;\n1\n\\\\connect other\n\\.\n\n\
        GRANT SELECT ON TABLE public.t TO app;\n--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict a\n";

    fn cut(script: &str, wanted: Option<&str>, chunk: usize) -> (String, HeldDatabases) {
        let (mut cutter, mut out) = (Box::new(Cutter::new(wanted)), Vec::new());
        script.as_bytes().chunks(chunk).for_each(|bytes| cutter.push(bytes, &mut out));
        let held = cutter.finish(&mut out);
        (String::from_utf8(out).expect("UTF-8"), held)
    }

    fn names(held: &HeldDatabases) -> Vec<&str> {
        held.databases.iter().map(|database| database.name.as_str()).collect()
    }

    #[test]
    fn a_dump_with_create_becomes_one_without() {
        for chunk in [1, 7, 4096] {
            let (text, held) = cut(OF_ONE, None, chunk);
            assert_eq!((names(&held), held.chosen.as_deref()), (vec!["src"], Some("src")));
            assert_eq!(text.lines().count(), OF_ONE.lines().count());
            for part in [" DATABASE src", "\n\\connect src", "Type: DATABASE", "two\n"] {
                assert!(!text.contains(part), "{part} in {text}");
            }
            for part in [
                "$$\n\\connect other\n",
                "\n1\n\\\\connect other\n\\.\n",
                "GRANT SELECT",
                "dump complete\n--\n\n\\unrestrict a\n",
            ] {
                assert!(text.contains(part), "{part} in {text}");
            }
            let properties = held.databases[0].properties.as_ref().expect("properties");
            assert_eq!(properties.comment.as_deref(), Some("two\nlines; -- PostgreSQL database dump complete"));
            assert_eq!((properties.owner.as_deref(), properties.settings.len()), (Some("app"), 1));
        }
    }

    fn cluster() -> String {
        let other = OF_ONE
            .replace("src", "\"two words\"")
            .replace("\\connect \"two words\"", "\\connect -reuse-previous=on \"dbname='two words'\"");
        format!(
            "--\n-- PostgreSQL database cluster dump\n--\n\n\\restrict r\n\nSET default_transaction_read_only = off;\n\
             DROP DATABASE src;\nCREATE ROLE app;\nALTER ROLE app WITH SUPERUSER;\n\\unrestrict r\n\n\
             --\n-- Database \"template1\" dump\n--\n\n\\connect template1\n\n--\n-- PostgreSQL database dump\n--\n\\restrict t\n\n\
             SET statement_timeout = 0;\n--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict t\n{OF_ONE}{other}\
             --\n-- PostgreSQL database cluster dump complete\n--\n\n"
        )
    }

    #[test]
    fn one_database_of_a_cluster_passes_and_no_role() {
        let script = cluster();
        for chunk in [1, 7, 4096] {
            let (text, held) = cut(&script, Some("two words"), chunk);
            assert_eq!(names(&held), ["src", "template1", "two words"]);
            assert_eq!(
                (held.chosen.as_deref(), held.globals, held.incomplete.is_some()),
                (Some("two words"), 2, false)
            );
            assert_eq!(text.matches("CREATE TABLE").count(), 1);
            assert!(!text.contains("ROLE") && !text.contains("DATABASE src"), "{text}");
            assert_eq!((text.matches("\\restrict").count(), text.matches("\\unrestrict").count()), (1, 1));
            assert_eq!(text.lines().count(), script.lines().count());
        }
        let whole = script.find("-- PostgreSQL database cluster dump complete").expect("its end");
        assert!(cut(&script[..whole], Some("src"), 4096).1.incomplete.is_some());
    }

    #[test]
    fn what_is_no_section_is_left_to_the_gate() {
        for script in [
            "CREATE TABLE t (a int);\n\\connect other\nDROP TABLE keep;\n",
            "\\connect other postgres 10.0.0.1\nDROP TABLE keep;\n",
            "\\connect \"host=x dbname=y\" z\n",
            "SELECT 1; DROP DATABASE other;\n",
            "drop database other;\n",
            "CREATE ROLE app;\n",
        ] {
            let (text, held) = cut(script, None, 3);
            assert_eq!((text.as_str(), held.databases.len()), (script, 0));
        }
        let held = cut(&OF_ONE.replace("GRANT SELECT", "\\connect other\nGRANT SELECT"), None, 3).1;
        assert_eq!(names(&held), ["src", "other"]);
        assert_eq!(
            names(&cut(&OF_ONE.replace("DROP DATABASE IF EXISTS src", "DROP DATABASE other"), None, 3).1),
            ["other", "src"]
        );
    }
}
