//! What is reported is what the target holds.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    roundtrip::with_clients_of,
    support::{Database, Server, mariadb, mysql, postgres15, postgres18},
};

/// What the vendor's client writes, one dump behind the other.
fn dumps(source: &Database<'_>, folder: &tempfile::TempDir, each: &[&[&str]]) -> PathBuf {
    let program = source.server().flavour().family().dump();
    let sql = each.iter().flat_map(|args| {
        source.client(program).args(*args).arg(source.name()).output().expect("run the client").stdout
    });
    let path = folder.path().join("dumps.sql");
    fs::write(&path, sql.collect::<Vec<u8>>()).expect("written");
    path
}

fn rows(server: &Server, dump: &Path, args: &[&str]) -> (serde_json::Value, String) {
    let target = server.database("counted");
    let restore = with_clients_of(server).args(["restore", "--json"]).arg(dump).arg(target.uri()).args(args);
    let json = restore.run().expect_code(0).json();
    (json["rows"].clone(), target.sql("SELECT COUNT(*) FROM t").trim().to_owned())
}

#[test]
fn two_dumps_in_one_file_count_once() {
    for server in [mysql(), mariadb()] {
        let source = server.database("twice");
        source.sql(
            "CREATE TABLE t (id int PRIMARY KEY, v varchar(9)); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, NULL)",
        );
        let folder = tempfile::tempdir().expect("a folder");
        for each in [&[&["--no-data"][..], &["--no-create-info"]][..], &[&[], &[]]] {
            let dump = dumps(&source, &folder, each);
            let verified = with_clients_of(server).args(["verify", "--json"]).arg(&dump).run().expect_code(0).json();
            assert_eq!((&verified["tables"], &verified["rows"]), (&1.into(), &3.into()), "{each:?}");
            for args in [&[][..], &["--jobs", "2"], &["--resume"]] {
                assert_eq!(rows(server, &dump, args), (3.into(), "3".to_owned()), "{each:?} {args:?}");
            }
        }
    }
}

/// Rows that the dump's own words leave out, and rows that its own words do not commit.
#[test]
fn sessions_count_what_the_server_took_and_commit_it() {
    for server in [mysql(), mariadb()] {
        let folder = tempfile::tempdir().expect("a folder");
        let dump = folder.path().join("own.sql");
        let sql = "-- MySQL dump 10.13  Distrib 9.7.4, for Linux (x86_64)\nSET autocommit=0;\n\
                   CREATE TABLE `t` (`id` int PRIMARY KEY) ENGINE=InnoDB;\n\
                   INSERT IGNORE INTO `t` VALUES (1),(1),(2);\n\
                   UPDATE `t` SET `id` = 7 WHERE `id` = 2;\nINSERT INTO `t` VALUES (3);\n-- Dump completed\n";
        fs::write(&dump, sql).expect("written");
        assert_eq!(rows(server, &dump, &["--jobs", "2", "--trust"]), (3.into(), "3".to_owned()));
    }
}

#[test]
fn two_dumps_of_postgresql_in_one_file_count_once() {
    for server in [postgres15(), postgres18()] {
        let source = server.database("twice");
        source.sql("CREATE TABLE t (id int, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, NULL); CREATE TABLE empty (id int)");
        let folder = tempfile::tempdir().expect("a folder");
        let both: &[&[&str]] = &[&["--schema-only"], &["--data-only"]];
        let again: &[&[&str]] = &[&[], &["--clean", "--if-exists"]];
        let rows_twice: &[&[&str]] = &[&[], &["--data-only", "--table", "t"]];
        for (each, wanted) in [(both, 3), (again, 3), (rows_twice, 6)] {
            let dump = dumps(&source, &folder, each);
            let target = server.database("counted");
            let restore = with_clients_of(server).args(["restore", "--json"]).arg(&dump).arg(target.uri());
            let done = restore.run().expect_code(0);
            let there = target.sql("SELECT count(*) FROM t");
            assert_eq!((there.as_str(), &done.json()["rows"]), (&*wanted.to_string(), &wanted.into()), "{each:?}");
            assert_eq!(done.json()["tables"], 2, "{each:?} {}", done.text());
            let of_target = format!("{wanted} rows");
            assert!(done.stderr.contains(&of_target), "{each:?}: {}", done.stderr);
        }
    }
}

/// Rows that the target's own trigger leaves out, or adds, are none or some.
#[test]
fn a_copy_by_several_jobs_tells_what_the_target_holds() {
    let server = postgres15();
    let source = server.database("several");
    source.sql(
        "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 1000);
         CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (50);
         CREATE TABLE p2 PARTITION OF p DEFAULT; INSERT INTO p SELECT generate_series(1, 100); CREATE TABLE empty (id int);
         CREATE MATERIALIZED VIEW m AS SELECT id FROM t",
    );
    for jobs in ["1", "3"] {
        let target = server.database("target");
        let copy = with_clients_of(server).args(["copy", "--json", "--jobs", jobs, &source.uri(), &target.uri()]);
        let json = copy.run().expect_code(0).json();
        assert_eq!((&json["rows"], &json["tables"]), (&1100.into(), &5.into()), "{jobs}: {json}");
        assert_eq!(target.sql("SELECT (SELECT count(*) FROM t) + (SELECT count(*) FROM p)"), "1100");
    }
}
