//! One database of a script that names several: `mysqldump --databases a b`, `--all-databases`.
//!
//! A statement belongs to the database of the last `USE`. Settings, the client's `DELIMITER` and the ends of
//! transactions pass whatever they stand between: they change how later statements are read, and come in pairs.

use crate::engine::mysql::sql::lexer::Syntax;
use crate::engine::mysql::sql::splitter::{Between, Splitter, Visitor};
use crate::engine::mysql::sql::statement::{self, Object, SpannedToken, StatementInfo, Verb};
use crate::engine::of_many::{Choice, DatabaseCutter, HeldDatabase, HeldDatabases, blank};
use crate::properties::DatabaseProperties;

/// Databases of the server's own.
const SYSTEM: [&str; 5] = ["mysql", "sys", "information_schema", "performance_schema", "ndbinfo"];

/// Comments that say where a dump begins and ends.
const MARKS: [&[u8]; 3] = [b"-- Dump completed", b"-- MySQL dump ", b"-- MariaDB dump "];

/// Passes one database on.
pub(crate) struct Cutter {
    splitter: Splitter,
    cut: Cut,
}

impl Cutter {
    /// `wanted`: the database; without it the first that the script names.
    pub(crate) fn new(wanted: Option<&str>) -> Self {
        let cut = Cut { choice: Choice::new(wanted), passes: true, ..Cut::default() };
        Self { splitter: Splitter::without_rows(), cut }
    }
}

impl DatabaseCutter for Cutter {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        std::mem::swap(&mut self.cut.out, out);
        self.splitter.push(bytes, &mut self.cut);
        std::mem::swap(&mut self.cut.out, out);
    }

    fn finish(mut self: Box<Self>, out: &mut Vec<u8>) -> HeldDatabases {
        std::mem::swap(&mut self.cut.out, out);
        self.splitter.finish(&mut self.cut);
        std::mem::swap(&mut self.cut.out, out);
        let Cut { choice: Choice { mut databases, chosen, .. }, nameless, globals, current, .. } = self.cut;
        if nameless > 0 && current.is_some() {
            databases.insert(0, HeldDatabase { bytes: nameless, ..HeldDatabase::default() });
        }
        HeldDatabases { databases, chosen, globals, incomplete: None, is_of_roles_alone: false }
    }
}

#[derive(Default)]
struct Cut {
    choice: Choice,
    /// The database of the last `USE`.
    current: Option<usize>,
    /// The one that the statement at hand is about.
    about: Option<usize>,
    /// Bytes of statements about objects before the first name.
    nameless: u64,
    is_object: bool,
    globals: u64,
    /// The statement at hand passes.
    passes: bool,
    out: Vec<u8>,
}

impl Visitor for Cut {
    fn between(&mut self, what: Between, bytes: &[u8]) {
        let stays = match what {
            Between::Comment => MARKS.iter().any(|mark| bytes.starts_with(mark)) || self.is_chosen(self.current),
            Between::More => self.is_chosen(self.current),
            Between::Blank | Between::Delimiter | Between::Sandbox | Between::Mark => true,
        };
        (self.about, self.is_object) = (self.current, false);
        self.put(stays, bytes);
    }

    fn head(&mut self, head: &[u8], syntax: &Syntax) {
        let subject = statement::subject(head, syntax);
        self.about = self.current;
        self.is_object = false;
        self.passes = self.passes(&subject, head, syntax);
        self.put(self.passes, head);
    }

    fn more(&mut self, bytes: &[u8]) {
        self.put(self.passes, bytes);
    }

    fn rows(&mut self, _: u64, _: u64) {}

    fn end(&mut self, _: u64) {}
}

impl Cut {
    fn put(&mut self, passes: bool, bytes: &[u8]) {
        match self.about {
            Some(at) => self.choice.databases[at].bytes += bytes.len() as u64,
            None if self.is_object => self.nameless += bytes.len() as u64,
            None => {}
        }
        if passes {
            self.out.extend_from_slice(bytes);
        } else {
            blank(bytes, &mut self.out);
        }
    }

    /// Whether this database passes. What stands before the first name passes unless one is wanted.
    fn is_chosen(&self, database: Option<usize>) -> bool {
        match database {
            Some(at) => self.choice.passes(at),
            None => self.choice.wanted.is_none() || self.choice.databases.is_empty(),
        }
    }

    fn place(&mut self, name: &str) -> usize {
        self.choice.place(name, SYSTEM.iter().any(|system| name.eq_ignore_ascii_case(system)))
    }

    fn passes(&mut self, subject: &StatementInfo, head: &[u8], syntax: &Syntax) -> bool {
        match (subject.verb, subject.object, subject.name.as_deref()) {
            (Verb::Use, _, Some(name)) => {
                let at = self.place(name);
                (self.current, self.about) = (Some(at), Some(at));
                self.is_chosen(self.about)
            }
            (Verb::Create, Object::Database, Some(name)) => {
                let at = self.place(name);
                self.about = Some(at);
                self.choice.databases[at].properties = properties(head, syntax);
                self.is_chosen(self.about)
            }
            (Verb::Drop, Object::Database, Some(name)) => {
                self.choice.chosen.as_deref().is_none_or(|chosen| chosen == name)
            }
            // Without a name it is about the database at hand.
            (Verb::Alter, Object::Database, Some(name))
                if self.choice.databases.iter().any(|other| other.name == name) =>
            {
                self.choice.chosen.as_deref() == Some(name)
            }
            (Verb::Set, ..) if switches_statistics(head, syntax) => {
                self.globals += 1;
                false
            }
            (Verb::Set | Verb::Replication, ..) => true,
            (Verb::Other, ..) if ends_something(head, syntax) => true,
            (Verb::Other, ..) if self.current.is_some() && flushes_privileges(head, syntax) => {
                self.globals += 1;
                false
            }
            _ => {
                self.is_object = true;
                match self.current {
                    None => self.choice.wanted.is_none(),
                    current => self.is_chosen(current),
                }
            }
        }
    }
}

/// The begin or end of a transaction, or of locks.
fn ends_something(head: &[u8], syntax: &Syntax) -> bool {
    let first = statement::pieces(head, syntax).next();
    first.is_some_and(|first| ["begin", "start", "commit", "rollback", "unlock"].iter().any(|word| first.is(word)))
}

/// `SET GLOBAL INNODB_STATS_AUTO_RECALC=OFF`, which `mysqldump --all-databases` writes for the server's own tables.
fn switches_statistics(head: &[u8], syntax: &Syntax) -> bool {
    let mut pieces = statement::pieces(head, syntax).skip(1);
    pieces.next().is_some_and(|word| word.is("global"))
        && pieces.next().is_some_and(|word| word.is("innodb_stats_auto_recalc"))
}

/// `mysqldump --flush-privileges` ends with it.
fn flushes_privileges(head: &[u8], syntax: &Syntax) -> bool {
    let mut pieces = statement::pieces(head, syntax);
    pieces.next().is_some_and(|first| first.is("flush")) && pieces.next().is_some_and(|next| next.is("privileges"))
}

/// `CREATE DATABASE a DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT ENCRYPTION='Y'`.
fn properties(head: &[u8], syntax: &Syntax) -> Option<DatabaseProperties> {
    let pieces: Vec<SpannedToken<'_>> =
        statement::pieces(head, syntax).filter(|piece| !piece.is_symbol(b'=') && !piece.is("set")).collect();
    let value = |keys: &[&str]| {
        let found = pieces.windows(2).find(|pair| keys.iter().any(|key| pair[0].is(key)));
        found.and_then(|pair| pair[1].unquoted())
    };
    let encoding = value(&["character", "charset"])?;
    let encrypted = value(&["encryption"]).is_some_and(|word| word.eq_ignore_ascii_case("y"));
    let comment = value(&["comment"]);
    Some(DatabaseProperties {
        encoding: Some(encoding),
        collation: value(&["collate"]),
        encryption: encrypted.then_some(true),
        comment,
        ..DatabaseProperties::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "-- MySQL dump 10.13\nSET NAMES utf8mb4;\n/*!50606 SET GLOBAL INNODB_STATS_AUTO_RECALC=OFF */;\n\
        CREATE DATABASE /*!32312 IF NOT EXISTS*/ `a` /*!40100 DEFAULT CHARACTER SET latin1 COLLATE latin1_bin */;\n\nUSE `a`;\n\
        CREATE TABLE t (a int);\nINSERT INTO t VALUES (1),\n(2);\nDELIMITER ;;\nCREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW BEGIN END ;;\n\
        DELIMITER ;\nCREATE DATABASE `b`;\nUSE `b`;\nALTER DATABASE `b` CHARACTER SET utf8mb4;\nCREATE TABLE u (b int);\n\
        USE `a`;\nCREATE VIEW v AS SELECT 1;\nUSE `mysql`;\nCREATE TABLE user (a int);\n/*! FLUSH PRIVILEGES */;\nCOMMIT;\n\
        SET NAMES latin1;\n-- Dump completed\n";

    fn cut(script: &str, wanted: Option<&str>, chunk: usize) -> (String, HeldDatabases) {
        let (mut cutter, mut out) = (Box::new(Cutter::new(wanted)), Vec::new());
        script.as_bytes().chunks(chunk).for_each(|bytes| cutter.push(bytes, &mut out));
        let held = cutter.finish(&mut out);
        (String::from_utf8(out).expect("UTF-8"), held)
    }

    #[test]
    fn one_database_passes_with_the_settings_of_all_and_each_line_keeps_its_number() {
        for chunk in [1, 7, 4096] {
            let (of_a, held) = cut(SCRIPT, Some("a"), chunk);
            assert_eq!(held.chosen.as_deref(), Some("a"));
            let names: Vec<_> = held.databases.iter().map(|held| (held.name.as_str(), held.is_system)).collect();
            assert_eq!((names, held.globals), (vec![("a", false), ("b", false), ("mysql", true)], 2));
            let properties = held.databases[0].properties.clone().expect("properties");
            assert_eq!(properties.collation.as_deref(), Some("latin1_bin"));
            for part in
                ["USE `a`", "INTO t VALUES (1),\n(2);", "TRIGGER x", "VIEW v", "COMMIT", "latin1;", "-- Dump completed"]
            {
                assert!(of_a.contains(part), "{part} in {of_a}");
            }
            for part in ["`b`", "TABLE u", "`mysql`", "TABLE user", "FLUSH", "GLOBAL"] {
                assert!(!of_a.contains(part), "{part} in {of_a}");
            }
            let (of_b, _) = cut(SCRIPT, Some("b"), chunk);
            assert!(
                of_b.contains("TABLE u") && of_b.contains("ALTER DATABASE `b`") && !of_b.contains("TABLE t"),
                "{of_b}"
            );
            for text in [&of_a, &of_b] {
                assert_eq!(text.lines().count(), SCRIPT.lines().count());
            }
        }
        assert_eq!(cut(SCRIPT, None, 9).0, cut(SCRIPT, Some("a"), 9).0, "the first that is named");
    }

    #[test]
    fn what_names_no_database_passes_as_it_is() {
        let script =
            "CREATE TABLE t (a int);\nALTER DATABASE `x` CHARACTER SET utf8mb4;\nDROP DATABASE z;\n-- Dump completed\n";
        let (text, held) = cut(script, None, 3);
        assert_eq!((text.as_str(), held.databases.len()), (script, 0));
        let (text, held) = cut(&format!("{script}USE b;\nDROP TABLE t;\n"), None, 3);
        assert_eq!(held.databases.iter().map(|held| held.name.as_str()).collect::<Vec<_>>(), ["", "b"]);
        assert!(text.contains("CREATE TABLE t"));
        assert!(!cut(&format!("{script}USE b;\n"), Some("b"), 3).0.contains("CREATE TABLE t"));
    }
}
