//! Restores that can't end well, refused before the target is touched.

use super::{User, archive, both, restore, vendor_dump, vendor_load};
use crate::{
    roundtrip::{restored, with_clients_of},
    support::{Database, Flavour, Output, Server, mariadb, mysql},
};

/// Refused with 10, by name, and the target is as empty as before.
fn refused(source: &Database<'_>, target: &Database<'_>, words: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let output = restore(&archive(source, &folder), target, &[]);
    let output = output.refused(10, &[words, &["nothing was changed", "hint:"]].concat());
    assert_eq!(target.sql("SHOW TABLES"), "");
    output
}

#[test]
fn row_28_rows_are_not_doubled_in_a_target_that_has_some() {
    for server in both() {
        let source = server.database("target");
        source.sql("CREATE TABLE keyless (n INT); INSERT INTO keyless VALUES (1)");
        let doubling = vendor_dump(&source, &["--no-create-info", "--no-tablespaces"]);
        assert_eq!(vendor_load(&source, &doubling.stdout).code, Some(0));
        assert_eq!(source.sql("SELECT COUNT(*) FROM keyless"), "2", "silently");
        let folder = tempfile::tempdir().expect("a folder");
        let path = archive(&source, &folder);
        restore(&path, &source, &[])
            .refused(10, &["the target is not empty: 1 table", "keyless", "nothing was changed"]);
        assert_eq!(source.sql("SELECT COUNT(*) FROM keyless"), "2");
        restored(&path, &source, &["--into-non-empty"]);
        assert_eq!(source.sql("SELECT COUNT(*) FROM keyless"), "2", "the dump drops what it brings");
    }
}

#[test]
fn row_32_a_collation_that_the_target_does_not_know_is_named_before_the_restore() {
    for (source, target, collation) in [
        (mysql(), mariadb(), "utf8mb4_0900_ai_ci"),
        (mysql(), mariadb(), "utf8mb4_ja_0900_as_cs"),
        (mariadb(), mysql(), "uca1400_german2_ai_ci"),
    ] {
        let (source, target) = (source.database("source"), target.database("target"));
        source.sql(&format!("CREATE TABLE t (v VARCHAR(20)) CHARACTER SET utf8mb4 COLLATE {collation}"));
        let vendors = vendor_load(&target, &vendor_dump(&source, &[]).stdout);
        assert!(vendors.stderr.contains("collation"), "{}", vendors.stderr);
        refused(&source, &target, &["does not know the collation", collation]);
    }
}

#[test]
fn row_33_generated_columns_of_mariadb_are_named_before_a_restore_into_mysql() {
    let (source, target) = (mariadb().database("source"), mysql().database("target"));
    source.sql(
        "CREATE TABLE t (a INT PRIMARY KEY, twice INT GENERATED ALWAYS AS (a * 2) STORED) COLLATE utf8mb4_general_ci;
         INSERT INTO t (a) VALUES (1)",
    );
    let dump = vendor_dump(&source, &[]).stdout;
    let dump: String = dump.lines().filter(|line| !line.contains("sandbox")).map(|line| format!("{line}\n")).collect();
    let vendors = vendor_load(&target, &dump);
    assert!(vendors.stderr.contains("3105"), "{}", vendors.stderr);
    target.sql("DROP TABLE t");
    refused(&source, &target, &["generated column", "t.twice"]);
}

/// A table without a key, into a server of the same flavour that wants one.
fn wants_keys(flavour: Flavour, source: &Server, setting: &str, number: &str) {
    let strict = Server::start_with(flavour, &[&format!("--{}=ON", setting.replace('_', "-"))]);
    let (source, target) = (source.database("source"), strict.database("target"));
    source.sql("CREATE TABLE keyed (n INT PRIMARY KEY); CREATE TABLE keyless (n INT); INSERT INTO keyless VALUES (1)");
    let vendors = vendor_load(&target, &vendor_dump(&source, &[]).stdout);
    assert!(vendors.stderr.contains(number), "{}", vendors.stderr);
    target.sql("DROP TABLE IF EXISTS keyed");
    let hint = format!("SET GLOBAL {setting} = OFF");
    let output = refused(&source, &target, &["the target demands primary keys", "keyless", &hint]);
    output.follows("no-demand-for-keys");
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(&source, &folder);
    restored(&archive, &target, &["--table", "keyed"]);
    strict.sql(&hint);
    restored(&archive, &target, &["--clean", "schema"]);
}

#[test]
fn row_36_tables_without_a_primary_key_are_named_before_a_restore_into_a_strict_mysql() {
    wants_keys(Flavour::Mysql, mysql(), "sql_require_primary_key", "ERROR 3750");
}

#[test]
fn row_36_tables_without_a_primary_key_are_named_before_a_restore_into_a_strict_mariadb() {
    wants_keys(Flavour::Mariadb, mariadb(), "innodb_force_primary_key", "ERROR 1173");
}

/// A trigger and a function by a user without SUPER, into a server with a binary log.
fn logged(server: &Server) {
    let source = server.database("source");
    source.sql(
        "CREATE TABLE t (n INT PRIMARY KEY); CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1;
         CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @a = 1",
    );
    let target = server.database("target");
    let user = User::with("ALL PRIVILEGES", &target);
    let client = |sql: &str| super::ended(user.client(super::programs(server)[1]).arg(target.name()), sql);
    let vendors = client("CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1");
    assert!(vendors.stderr.contains("1419"), "{}", vendors.stderr);
    let folder = tempfile::tempdir().expect("a folder");
    let path = archive(&source, &folder);
    let try_it = || -> Output { with_clients_of(server).arg("restore").arg(&path).arg(user.uri(&target)).run() };
    let words =
        ["binary log refuses functions and triggers", "f", "g", "hint: SET GLOBAL log_bin_trust_function_creators = 1"];
    try_it().refused(10, &words).follows("trust-function-creators");
    assert_eq!(target.sql("SHOW TABLES"), "");
    server.sql("SET GLOBAL log_bin_trust_function_creators = 1");
    try_it().expect_code(0);
    assert_eq!(target.sql("SELECT f()"), "1");
}

#[test]
fn row_37_the_setting_of_the_binary_log_is_named_before_a_restore_into_mysql() {
    logged(&Server::start(Flavour::Mysql));
}

#[test]
fn row_37_the_setting_of_the_binary_log_is_named_before_a_restore_into_mariadb() {
    logged(&Server::start_with(Flavour::Mariadb, &["--log-bin", "--server-id=1"]));
}

#[test]
fn row_39_a_statement_larger_than_the_targets_limit_is_refused_with_both_numbers() {
    for server in both() {
        let small = Server::start_with(server.flavour(), &["--max-allowed-packet=1M"]);
        let (source, target) = (server.database("source"), small.database("target"));
        source.sql("CREATE TABLE t (n INT PRIMARY KEY, b LONGBLOB); INSERT INTO t VALUES (1, REPEAT('x', 2000000))");
        let dump = vendor_dump(&source, &["--hex-blob"]).stdout;
        let vendors = vendor_load(&target, &dump);
        assert!(vendors.code == Some(1), "{}", vendors.stderr);
        target.sql("DROP TABLE IF EXISTS t");
        let words = ["the longest statement has 40000", "the server takes 1048576"];
        let hint = refused(&source, &target, &words).follows("max-allowed-packet-of-target");
        small.sql(hint.split(['(', ')']).nth(1).expect("a statement"));
        let folder = tempfile::tempdir().expect("a folder");
        restored(&archive(&source, &folder), &target, &[]);
    }
}
