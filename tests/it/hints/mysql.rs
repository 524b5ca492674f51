//! Hints on MySQL and MariaDB.

use std::fs;

use super::{between, dump, restore};
use crate::support::{Flavour, Server, mariadb, mysql, shared};

/// A script as mysqldump writes one, around these statements.
pub(super) fn script(body: &str) -> String {
    format!(
        "-- MySQL dump 10.13  Distrib 8.4.0, for Linux (x86_64)\n\n{body}\n-- Dump completed on 2026-01-01  0:00:00\n"
    )
}

fn a_mapping_that_pads_is_told_and_the_one_of_the_hint_works(target: &Server, padding: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let source = mysql().database("padded");
    source.sql(
        "CREATE TABLE t (v VARCHAR(9) COLLATE utf8mb4_0900_ai_ci, UNIQUE (v)); INSERT INTO t VALUES ('a'), ('a ')",
    );
    let archive = dump(&source, &folder, "padded.tar.gz");
    let target = target.database("padded_target");
    let map = |to: &str| format!("utf8mb4_0900_ai_ci={to}");
    for jobs in ["1", "2"] {
        let options = ["--jobs", jobs, "--map-collation", &map(padding), "--clean", "schema", "--yes"];
        let failed = restore(&archive, &target, &options).refused(7, &["spaces at their end", "--clean schema"]);
        assert!(!failed.stderr.contains("the target was not empty"), "{}", failed.stderr);
        failed.follows("mapping-that-does-not-pad");
        let mapping = between(&failed, "tells apart: --map-collation ", " does not");
        let options = ["--jobs", jobs, "--map-collation", &mapping, "--clean", "schema", "--yes"];
        restore(&archive, &target, &options).expect_code(0);
        assert_eq!(target.sql("SELECT count(*) FROM t"), "2");
    }
    // The mapping that a refusal proposes keeps both rows, too.
    let refused = restore(&archive, &target, &["--clean", "schema", "--yes"]);
    if refused.code == Some(10) {
        let mapping = between(&refused, "hint: --map-collation ", " compares");
        restore(&archive, &target, &["--map-collation", &mapping, "--clean", "schema", "--yes"]).expect_code(0);
        assert_eq!(target.sql("SELECT count(*) FROM t"), "2");
    }
}

#[test]
fn a_mapping_that_pads_is_told_and_the_one_of_the_hint_works_on_mariadb() {
    a_mapping_that_pads_is_told_and_the_one_of_the_hint_works(mariadb(), "utf8mb4_unicode_ci");
}

#[test]
fn a_mapping_that_pads_is_told_and_the_one_of_the_hint_works_on_the_oldest_mariadb() {
    a_mapping_that_pads_is_told_and_the_one_of_the_hint_works(shared(Flavour::Mariadb105), "utf8mb4_unicode_520_ci");
}

fn a_row_that_a_script_holds_twice_is_named_with_its_table(server: &Server) {
    let folder = tempfile::tempdir().expect("a folder");
    let target = server.database("twice");
    let path = folder.path().join("twice.sql");
    let body = "CREATE TABLE `first` (`id` int PRIMARY KEY);\nINSERT INTO `first` VALUES (1);\n\
                CREATE TABLE `kept` (\n  `id` int PRIMARY KEY\n);\nINSERT INTO `kept` VALUES (1),(2),(1);\n";
    fs::write(&path, script(body)).expect("write");
    for options in [&[][..], &["--jobs", "2"]] {
        let failed = restore(&path, &target, options)
            .refused(7, &["1062", "kept", "the target was empty: the dump holds both rows"]);
        assert!(failed.stderr.contains("when that is mended, restore again with --clean schema"), "{}", failed.stderr);
        assert!(!failed.stderr.contains("hint: --clean"), "{}", failed.stderr);
        target.sql("DROP TABLE first, kept");
    }
    restore(&path, &target, &[]).expect_code(7).follows("clean-schema-again");
    fs::write(&path, script(&body.replace(",(1);", ";"))).expect("write");
    restore(&path, &target, &["--clean", "schema", "--yes"]).expect_code(0);
    assert_eq!(target.sql("SELECT count(*) FROM kept"), "2");
}

#[test]
fn a_row_that_a_script_holds_twice_is_named_with_its_table_on_mysql() {
    a_row_that_a_script_holds_twice_is_named_with_its_table(mysql());
}

#[test]
fn a_row_that_a_script_holds_twice_is_named_with_its_table_on_mariadb() {
    a_row_that_a_script_holds_twice_is_named_with_its_table(mariadb());
}

#[test]
fn rows_alone_that_are_there_already_want_their_table_emptied() {
    let folder = tempfile::tempdir().expect("a folder");
    for server in [mysql(), mariadb()] {
        let (source, target) = (server.database("rows"), server.database("rows_target"));
        source.sql("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'new')");
        target.sql("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'old')");
        let archive = dump(&source, &folder, &format!("{}.tar.gz", server.flavour().name()));
        let options = ["--data-only", "--into-non-empty"];
        restore(&archive, &target, &options).refused(7, &["1062", "in: table t"]).follows("key-is-in-the-table");
        target.sql("TRUNCATE t");
        restore(&archive, &target, &options).expect_code(0);
        assert_eq!(target.sql("SELECT v FROM t"), "new");
    }
}

#[test]
fn an_object_and_a_key_that_are_there_already_are_dropped_by_clean() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("there.sql");
    for server in [mysql(), mariadb()] {
        for (body, hint) in [
            ("CREATE TABLE `t` (`id` int PRIMARY KEY);\nINSERT INTO `t` VALUES (1);\n", "object-is-there"),
            ("CREATE TABLE IF NOT EXISTS `t` (`id` int PRIMARY KEY);\nINSERT INTO `t` VALUES (1);\n", "key-is-there"),
        ] {
            fs::write(&path, script(body)).expect("write");
            let target = server.database("there");
            target.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
            restore(&path, &target, &["--into-non-empty"]).refused(7, &[]).follows(hint);
            restore(&path, &target, &["--clean", "schema", "--yes"]).expect_code(0);
            assert_eq!(target.sql("SELECT id FROM t"), "1");
        }
    }
}

#[test]
fn an_object_that_a_script_makes_twice_is_not_said_to_be_the_targets() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = mysql().database("made_twice");
    let path = folder.path().join("twice.sql");
    fs::write(&path, script("CREATE TABLE `t` (`id` int);\nCREATE TABLE `t` (`id` int);\n")).expect("write");
    let failed = restore(&path, &target, &[]).refused(7, &["1050", "the dump makes that twice"]);
    assert!(!failed.stderr.contains("drops what the target holds first"), "{}", failed.stderr);
}
