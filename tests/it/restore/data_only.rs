//! MySQL and MariaDB: rows that come without their tables come into the columns that they were read from, as they are.

use std::path::Path;

use crate::{
    roundtrip::{dumped, member, with_clients_of},
    support::{Database, Output, checksum, mariadb, mysql},
};

fn restore(archive: &Path, target: &Database<'_>, args: &[&str]) -> Output {
    let into = ["--into-non-empty"];
    with_clients_of(target.server()).arg("restore").arg(archive).arg(target.uri()).args(into).args(args).run()
}

const SOURCE: &str = "CREATE TABLE n (price int, qty int); INSERT INTO n VALUES (1, 2);
    CREATE TABLE f (a float, b int); INSERT INTO f VALUES (0.1, 3)";
const OTHER_ORDER: &str = "CREATE TABLE n (qty int, price int); CREATE TABLE f (b int, a float)";

#[test]
fn rows_alone_come_into_their_own_columns() {
    for server in [mysql(), mariadb()] {
        let folder = tempfile::tempdir().expect("a folder");
        let source = server.database("source");
        source.sql(SOURCE);
        let (whole, _) = dumped(&source, &folder, &[]);
        let other = || {
            let target = server.database("target");
            target.sql(OTHER_ORDER);
            target
        };
        let is_same = |target: &Database<'_>| {
            assert_eq!(
                target.sql("SELECT price, qty FROM n; SELECT a, b FROM f"),
                source.sql("SELECT * FROM n; SELECT * FROM f")
            );
        };
        let alone = |args: &[&str]| {
            let (archive, _) = dumped(&source, &folder, &[&["--data-only"], args].concat());
            let target = other();
            restore(&archive, &target, &[]).expect_code(0);
            is_same(&target);
            archive
        };
        alone(&[]);
        let archive = alone(&["--jobs", "2"]);
        let sql = String::from_utf8(member(&archive, "*/dump.sql")).expect("text");
        assert!(sql.contains("INSERT INTO `n` (`price`, `qty`) VALUES"), "{sql}");

        let words =
            ["other columns", "table n: (price, qty) in the dump, (qty, price) in the target", "nothing was changed"];
        let target = other();
        restore(&whole, &target, &["--data-only"]).refused(10, &words);
        assert_eq!(target.sql("SELECT count(*) FROM n"), "0");
        let copy = ["copy", "--data-only", "--into-non-empty", &source.uri(), &target.uri()];
        with_clients_of(server).args(copy).run().expect_code(0);
        is_same(&target);

        let lacking = server.database("lacking");
        lacking.sql("CREATE TABLE n (price int, number int); CREATE TABLE f (a float, b int)");
        for archive in [&archive, &whole] {
            restore(archive, &lacking, &["--data-only"])
                .refused(10, &["the target's has no column qty", "nothing was changed"]);
        }
        let same = server.database("same");
        same.sql("CREATE TABLE n (price int, qty int); CREATE TABLE f (a float, b int)");
        restore(&whole, &same, &["--data-only"]).expect_code(0);
        assert_eq!(checksum(&same), checksum(&source));
    }
}

#[test]
fn rows_alone_are_never_cut_to_fit() {
    for server in [mysql(), mariadb()] {
        let folder = tempfile::tempdir().expect("a folder");
        let source = server.database("source");
        source.sql(
            "SET SESSION sql_mode = 'ALLOW_INVALID_DATES'; CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT, n int, d date);
             INSERT INTO t VALUES (1, 300000, '0000-00-00'), (2, 7, '2001-02-30');
             SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'; INSERT INTO t VALUES (0, NULL, NULL)",
        );
        let (whole, _) = dumped(&source, &folder, &[]);
        let (alone, _) = dumped(&source, &folder, &["--data-only"]);
        for archive in [&whole, &alone] {
            for column in ["n smallint, d date", "n int NOT NULL, d date"] {
                let target = server.database("target");
                target.sql(&format!("CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT, {column})"));
                restore(archive, &target, &["--data-only"]).refused(7, &["t"]);
                assert_eq!(target.sql("SELECT count(*) FROM t WHERE n = 32767 OR n = 0"), "0");
            }
            let target = server.database("target");
            target.sql("CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT, n bigint, d date)");
            restore(archive, &target, &["--data-only"]).expect_code(0);
            assert_eq!(checksum(&target), checksum(&source));
            // A second time each row is there.
            let again =
                restore(archive, &target, &["--data-only"]).refused(7, &["hint: a row with that key", "TRUNCATE"]);
            assert!(!again.stderr.contains("--clean"), "{}", again.stderr);
        }
    }
}

/// MariaDB's dumps have values for generated columns, which a strict mode refuses.
#[test]
fn rows_alone_with_generated_columns_come() {
    for server in [mysql(), mariadb()] {
        let folder = tempfile::tempdir().expect("a folder");
        let source = server.database("source");
        let table = "CREATE TABLE t (id int PRIMARY KEY, g int AS (id * 2) STORED)";
        source.sql(&format!("{table}; INSERT INTO t (id) VALUES (1), (2)"));
        for args in [&[][..], &["--data-only"]] {
            let (archive, _) = dumped(&source, &folder, args);
            let target = server.database("target");
            target.sql(table);
            restore(&archive, &target, &["--data-only"]).expect_code(0);
            assert_eq!(checksum(&target), checksum(&source));
        }
    }
}

/// MariaDB lets rows in that break a check where a session asks for that: a restore brings them as they were.
#[test]
fn rows_that_break_a_check_come_back() {
    let server = mariadb();
    let folder = tempfile::tempdir().expect("a folder");
    let source = server.database("source");
    source.sql("CREATE TABLE t (id int PRIMARY KEY, n int, CONSTRAINT small CHECK (n < 10)); SET check_constraint_checks = 0; INSERT INTO t VALUES (1, 99)");
    let (archive, _) = dumped(&source, &folder, &[]);
    with_clients_of(server).arg("verify").arg(&archive).args(["--restore-into", &source.uri()]).run().expect_code(0);
    for args in [&["--jobs", "1"], &["--jobs", "2"]] {
        let target = server.database("target");
        with_clients_of(server).arg("restore").arg(&archive).arg(target.uri()).args(args).run().expect_code(0);
        assert_eq!(checksum(&target), checksum(&source));
    }
    let target = server.database("target");
    target.sql("CREATE TABLE t (id int PRIMARY KEY, n int, CONSTRAINT small CHECK (n < 10))");
    restore(&archive, &target, &["--data-only"]).refused(7, &["small"]);
}
