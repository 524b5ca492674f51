//! MySQL and MariaDB take no drop back: what would end the restore half-way is known before the first one.

use std::{fs, path::Path};

use super::{restoring, state};
use crate::{
    roundtrip::{dumped, member, with_clients_of},
    support::{Database, Output, Server, checksum, mariadb, mysql},
};

/// A target with a table, a view, a routine and an event.
fn full(server: &Server) -> Database<'_> {
    let target = server.database("target");
    target.sql(
        "CREATE TABLE p (id INT PRIMARY KEY); INSERT INTO p VALUES (1); CREATE TABLE a_first (id INT PRIMARY KEY);
         CREATE TABLE z_last (id INT PRIMARY KEY); CREATE VIEW v AS SELECT id FROM p;
         CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1; CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1",
    );
    target
}

/// A user with these rights on the target, gone with the value.
pub(super) struct User<'s> {
    server: &'s Server,
    name: String,
    uri: String,
}

const ALL: &str = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, LOCK TABLES, REFERENCES, CREATE VIEW, SHOW VIEW, \
                   CREATE ROUTINE, ALTER ROUTINE, EXECUTE, EVENT, TRIGGER";

impl<'s> User<'s> {
    pub(super) fn of(target: &Database<'s>, rights: &str) -> Self {
        let (server, name) = (target.server(), format!("u_{}", target.name()));
        server.sql(&format!(
            "CREATE USER {name}@'%' IDENTIFIED BY 'secret-9fX'; GRANT {rights} ON `{}`.* TO {name}@'%'",
            target.name()
        ));
        if server.flavour() == mysql().flavour() {
            // What the superuser has defined is not for others to drop.
            server.sql(&format!("GRANT SYSTEM_USER ON *.* TO {name}@'%'"));
        }
        let uri = server.uri_as(&name, "secret-9fX", target.name());
        Self { server, name, uri }
    }

    pub(super) fn restore(&self, archive: &Path, args: &[&str]) -> Output {
        with_clients_of(self.server).arg("restore").arg(archive).arg(&self.uri).args(args).run()
    }
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        self.server.sql(&format!("DROP USER IF EXISTS {}@'%'", self.name));
    }
}

fn without(right: &str) -> String {
    let rights: Vec<_> = ALL.split(", ").map(str::trim).filter(|one| *one != right).collect();
    rights.join(", ")
}

const SCHEMA: [&str; 3] = ["--clean", "schema", "--yes"];
const DATABASE: [&str; 3] = ["--clean", "database", "--yes"];

#[test]
fn keys_of_other_databases_are_known_before_a_drop() {
    for server in [mysql(), mariadb()] {
        let folder = tempfile::tempdir().expect("a folder");
        let source = server.database("source");
        source.sql("CREATE TABLE t (id INT PRIMARY KEY)");
        let (without_it, _) = dumped(&source, &folder, &[]);
        source.sql("CREATE TABLE p (id INT PRIMARY KEY); INSERT INTO p VALUES (1), (2)");
        let (with_it, _) = dumped(&source, &folder, &[]);
        for clean in [SCHEMA, DATABASE] {
            let (target, other) = (full(server), server.database("other"));
            other.sql(&format!(
                "CREATE TABLE c (id INT PRIMARY KEY, p INT, CONSTRAINT to_p FOREIGN KEY (p) REFERENCES `{}`.p (id));
                 INSERT INTO c VALUES (1, 1)",
                target.name()
            ));
            let before = state(&target);
            let key = format!("{}.c.to_p", other.name());
            let words = [&format!("{key} points at p"), "nothing was changed", "hint: ", "DROP FOREIGN KEY"];
            restoring(&without_it, &target, &clean).run().refused(10, &words);
            assert_eq!(state(&target), before);
            let done = restoring(&with_it, &target, &clean).run().expect_code(0);
            assert!(done.stderr.contains(&key), "{}", done.stderr);
            assert_eq!(checksum(&target), checksum(&source));
            drop(other);
        }
    }
}

#[test]
fn rights_to_drop_and_to_make_are_known_before_a_drop() {
    for server in [mysql(), mariadb()] {
        let folder = tempfile::tempdir().expect("a folder");
        let source = server.database("source");
        source.sql(
            "CREATE TABLE t (id INT PRIMARY KEY); CREATE TABLE c (id INT PRIMARY KEY, t INT, FOREIGN KEY (t) REFERENCES t (id))",
        );
        let (tables, _) = dumped(&source, &folder, &[]);
        source.sql("CREATE PROCEDURE g() SELECT 1");
        let (archive, _) = dumped(&source, &folder, &[]);
        let target = full(server);
        let before = state(&target);
        let mysql_only = server.flavour() == mysql().flavour();
        for (right, archive, words, always) in [
            ("ALTER ROUTINE", &tables, "routines need ALTER ROUTINE: function f", true),
            ("ALTER ROUTINE", &archive, "routines need ALTER ROUTINE: g", true),
            ("REFERENCES", &archive, "foreign keys need REFERENCES, which the user lacks: c", mysql_only),
            ("CREATE ROUTINE", &archive, "CREATE ROUTINE", true),
            ("INDEX", &archive, "INDEX is missing", true),
        ] {
            let user = User::of(&target, &without(right));
            if always {
                user.restore(archive, &SCHEMA).refused(10, &[words, "nothing was changed", "hint: ", "GRANT "]);
                assert_eq!(state(&target), before, "{right}");
            }
        }
        let user = User::of(&target, ALL);
        let words = ["may not set other definers", "nothing was changed", "--keep-definers"];
        user.restore(&archive, &["--clean", "schema", "--keep-definers"])
            .refused(10, &words)
            .follows("definers-left-or-allowed");
        assert_eq!(state(&target), before);
        user.restore(&archive, &SCHEMA).expect_code(0);
        assert_eq!(checksum(&target), checksum(&source));
    }
}

#[test]
fn what_a_system_user_has_defined_is_10_and_nothing_is_dropped() {
    let server = mysql();
    let folder = tempfile::tempdir().expect("a folder");
    let source = server.database("source");
    source.sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)");
    let (archive, _) = dumped(&source, &folder, &[]);
    for more in ["DROP FUNCTION f; DROP EVENT e", "DROP VIEW v; DROP EVENT e", "DROP FUNCTION f; DROP VIEW v"] {
        let target = full(server);
        target.sql(more);
        let user = User::of(&target, ALL);
        server.sql(&format!("REVOKE SYSTEM_USER ON *.* FROM {}@'%'", user.name));
        let before = state(&target);
        let words = ["SYSTEM_USER", "nothing was changed", "hint: ", "--clean database"];
        user.restore(&archive, &SCHEMA).refused(10, &words).follows("grant-or-clean-database");
        assert_eq!(state(&target), before, "{more}");
        user.restore(&archive, &DATABASE).expect_code(0);
        assert_eq!(checksum(&target), checksum(&source));
    }
}

#[test]
fn a_database_that_is_read_only_is_10() {
    let server = mysql();
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&server.database("source"), &folder, &[]);
    let target = full(server);
    let before = state(&target);
    target.sql(&format!("ALTER DATABASE `{}` READ ONLY = 1", target.name()));
    for clean in [SCHEMA, DATABASE] {
        let words = ["database is read-only", "nothing was changed"];
        restoring(&archive, &target, &clean).run().refused(10, &words).follows("read-only-0");
    }
    target.sql(&format!("ALTER DATABASE `{}` READ ONLY = 0", target.name()));
    assert_eq!(state(&target), before);
    restoring(&archive, &target, &SCHEMA).run().expect_code(0);
}

#[test]
fn sessions_that_there_is_no_room_for_are_10() {
    for server in [mysql(), mariadb()] {
        let folder = tempfile::tempdir().expect("a folder");
        let source = server.database("source");
        source.sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)");
        let (archive, _) = dumped(&source, &folder, &[]);
        let target = full(server);
        let user = User::of(&target, ALL);
        server.sql(&format!("ALTER USER {}@'%' WITH MAX_USER_CONNECTIONS 3", user.name));
        let before = state(&target);
        let words = ["4 jobs need 5 connections", "nothing was changed", "hint: --jobs 2 or fewer"];
        let refused = user.restore(&archive, &["--clean", "schema", "--yes", "--jobs", "4"]).refused(10, &words);
        refused.follows("fewer-jobs-or-more-connections");
        assert_eq!(state(&target), before);
        user.restore(&archive, &["--clean", "schema", "--yes", "--jobs", "2"]).expect_code(0);
        assert_eq!(checksum(&target), checksum(&source));
    }
}

#[test]
fn a_view_in_the_place_of_a_table_is_10_and_clean_schema_works() {
    for server in [mysql(), mariadb()] {
        let folder = tempfile::tempdir().expect("a folder");
        let source = server.database("source");
        source.sql(
            "CREATE TABLE a_first (id INT PRIMARY KEY); CREATE TABLE v (id INT PRIMARY KEY); INSERT INTO v VALUES (1)",
        );
        let (archive, _) = dumped(&source, &folder, &[]);
        let target = full(server);
        let before = state(&target);
        let words = ["tables of the dump are views in the target: v", "nothing was changed", "--clean schema"];
        let refused = restoring(&archive, &target, &["--clean", "objects", "--yes"]).run().refused(10, &words);
        refused.follows("clean-schema-or-drop-views");
        assert_eq!(state(&target), before);
        restoring(&archive, &target, &SCHEMA).run().expect_code(0);
        assert_eq!(checksum(&target), checksum(&source));
    }
}

#[test]
fn dates_of_zeros_in_a_dump_without_a_mode_are_10() {
    let server = mysql();
    let folder = tempfile::tempdir().expect("a folder");
    let source = server.database("source");
    source.sql("SET SESSION sql_mode = ''; CREATE TABLE t (id INT PRIMARY KEY, d DATE NOT NULL DEFAULT '0000-00-00'); INSERT INTO t VALUES (1, '2001-01-01')");
    let (archive, _) = dumped(&source, &folder, &[]);
    let dump = String::from_utf8(member(&archive, "*/dump.sql")).expect("text");
    let plain = folder.path().join("d.sql");
    let lines: Vec<_> = dump.lines().filter(|line| !line.contains("SQL_MODE")).collect();
    fs::write(&plain, lines.join("\n") + "\n").expect("write");
    let target = full(server);
    let before = state(&target);
    let words = ["sql_mode refuses dates of zeros", "t.d", "nothing was changed", "hint: put SET sql_mode"];
    restoring(&plain, &target, &SCHEMA).run().refused(10, &words).follows("no-auto-value-on-zero");
    assert_eq!(state(&target), before);
    let mended = format!("SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO';\n{}\n", lines.join("\n"));
    fs::write(&plain, mended).expect("write");
    restoring(&plain, &target, &SCHEMA).run().expect_code(0);
    assert_eq!(checksum(&target), checksum(&source));
}

#[test]
fn a_tablespace_that_the_target_lacks_is_10_and_the_hint_mends_it() {
    let server = mysql();
    let folder = tempfile::tempdir().expect("a folder");
    let source = server.database("source");
    let space = format!("space_of_{}", source.name());
    let make = format!("CREATE TABLESPACE `{space}` ADD DATAFILE '{space}.ibd'");
    server.sql(&make);
    source.sql(&format!(
        "CREATE TABLE t (id INT PRIMARY KEY) TABLESPACE {space}; INSERT INTO t VALUES (1);
         CREATE TABLE own (id INT PRIMARY KEY) TABLESPACE innodb_file_per_table;
         CREATE TABLE common (id INT PRIMARY KEY) TABLESPACE innodb_system"
    ));
    let (archive, _) = dumped(&source, &folder, &[]);
    let sums = checksum(&source);
    source.sql("DROP TABLE t");
    server.sql(&format!("DROP TABLESPACE {space}"));
    let target = full(server);
    let before = state(&target);
    let user = User::of(&target, ALL);
    let words = [&format!("t in {space}"), "nothing was changed", &format!("hint: {make}")];
    user.restore(&archive, &SCHEMA).refused(10, &words).follows("create-tablespace");
    assert_eq!(state(&target), before);
    server.sql(&make);
    user.restore(&archive, &SCHEMA).expect_code(0);
    assert_eq!(checksum(&target), sums);
    target.sql("DROP TABLE t");
    server.sql(&format!("DROP TABLESPACE {space}"));
}
