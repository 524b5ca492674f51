//! There and back, in every way that an archive is read.

use std::{fs::File, path::PathBuf, process::Command};

use serde_json::Value;
use tempfile::TempDir;

use super::{dumped_by, lanes, tables};
use crate::{
    roundtrip::{assert_same, dumped, loaded, manifest, real_rows, restored, with_clients_of},
    support::{Database, Flavour, Server, checksum, postgres15, postgres18, shared},
};

/// Every kind of object, or Chinook, by so many jobs; the manifest says what one job's would.
fn trip(server: &Server, name: &str, jobs: &str) {
    let source = loaded(server, name);
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, json) = dumped(&source, &folder, &["--jobs", jobs]);
    assert_eq!(json["rows"], real_rows(&source).values().sum::<u64>());
    let found = lanes(&archive);
    assert_eq!(found[0], 0, "the table of contents is first");
    assert_eq!(*found.iter().max().expect("lanes"), jobs.parse::<usize>().expect("a number"), "a lane for each job");
    let (alone, _) = dumped(&source, &folder, &[]);
    let said = |archive| {
        let mut manifest = manifest(archive);
        for what in ["members", "started_at", "finished_at"] {
            manifest.as_object_mut().expect("an object").remove(what);
        }
        sort_tables(&mut manifest);
        manifest
    };
    assert_eq!(said(&archive), said(&alone));
    let target = server.database("back");
    let back = restored(&archive, &target, &[]);
    assert_eq!((&back["rows"], &back["tables"]), (&json["rows"], &json["tables"]));
    assert_same(&source, &target);
}

/// Without the server's statistics, which it may renew between two dumps.
fn sort_tables(manifest: &mut Value) {
    let tables = manifest["tables"].as_array_mut().expect("tables");
    for table in &mut *tables {
        table.as_object_mut().expect("an object").remove("estimated_rows");
    }
    tables.sort_by_key(ToString::to_string);
}

#[test]
fn all_kinds_of_objects_come_back_from_several_jobs() {
    for server in [postgres15(), postgres18()] {
        trip(server, "objects", "2");
        trip(server, "objects", "4");
    }
}

#[test]
fn chinook_comes_back_from_several_jobs() {
    for server in [postgres15(), postgres18()] {
        trip(server, "chinook", "2");
        trip(server, "chinook", "4");
    }
    trip(shared(Flavour::Postgres13), "chinook", "3");
}

/// A database of some tables, of which large ones fill several parts of a lane, and its archive by three jobs.
fn large<'s>(server: &'s Server, folder: &TempDir) -> (Database<'s>, PathBuf) {
    let source = server.database("jobs");
    tables(&source, 5, 30_000);
    source.sql(
        "CREATE TABLE small (id int PRIMARY KEY REFERENCES t1); INSERT INTO small VALUES (1), (2);
         CREATE VIEW seen AS SELECT * FROM t5; CREATE SEQUENCE counted; SELECT setval('counted', 42)",
    );
    let archive = dumped_by(&source, folder, "3", &["--compression", "none"]);
    assert!(lanes(&archive).len() > 4, "{:?}", lanes(&archive));
    (source, archive)
}

#[test]
fn every_way_of_restoring_reads_the_lanes() {
    for server in [postgres15(), postgres18()] {
        let folder = tempfile::tempdir().expect("a folder");
        let (source, archive) = large(server, &folder);
        for args in [&["--jobs", "2"][..], &["--clean", "database", "--yes"]] {
            let target = server.database("jobs");
            restored(&archive, &target, args);
            assert_same(&source, &target);
        }
        let target = server.database("jobs");
        let restore = with_clients_of(server).args(["restore", "-", &target.uri()]);
        restore.input_file(File::open(&archive).expect("the archive")).run().expect_code(0);
        assert_same(&source, &target);

        // One table: of the rest nothing is read.
        let target = server.database("jobs");
        let json = restored(&archive, &target, &["--table", "t1"]);
        assert_eq!((&json["rows"], &json["tables"]), (&30_000.into(), &1.into()));
        let (all, one) = (checksum(&source), checksum(&target));
        assert_eq!(one.get("public.t1"), all.get("public.t1"));
        assert!(json["bytes_read"].as_u64().expect("bytes") < 3_000_000, "{json}");
    }
}

#[test]
fn verify_and_inspect_read_the_lanes() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, archive) = large(postgres15(), &folder);
    let dbhaul = |args: &[&str]| with_clients_of(postgres15()).args(args).arg(&archive).run().expect_code(0);
    let verified = dbhaul(&["verify", "--json"]).json();
    assert_eq!(verified["rows"], real_rows(&source).values().sum::<u64>());
    let tried = dbhaul(&["verify", "--restore", "--server-dir", postgres15().client_dir().to_str().expect("UTF-8")]);
    assert!(tried.stderr.contains("complete") || tried.text().contains("complete"), "{}", tried.stderr);
    assert!(dbhaul(&["inspect"]).text().contains("part.pgsql.03.000001"));
}

#[test]
fn a_stream_has_the_same_lanes() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, _) = large(postgres15(), &folder);
    let stream = folder.path().join("stream.tar.zst");
    let dump = with_clients_of(postgres15()).args(["dump", "-o", "-", "--jobs", "3", "--compression", "zstd"]);
    dump.arg(source.uri()).output_file(File::create(&stream).expect("a file")).run().expect_code(0);
    let mut found = lanes(&stream);
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, [0, 1, 2, 3]);
    let target = postgres15().database("jobs");
    restored(&stream, &target, &[]);
    assert_same(&source, &target);
    // Without its index, nobody can tell where the parts are.
    let bare = folder.path().join("bare.tar");
    let mut sh = Command::new("sh");
    sh.args(["-c", "tar --zstd -xf stream.tar.zst && tar -cf bare.tar */part.*"]).current_dir(folder.path());
    assert!(sh.status().expect("run sh").success());
    let verify = with_clients_of(postgres15()).arg("verify").arg(&bare).run();
    verify.refused(8, &["the parts of a dump by several jobs"]);
}

/// Selections, in every kind of pattern: what one job dumps, no more and no less.
#[test]
fn several_jobs_dump_what_one_does_of_a_selection() {
    let source = postgres15().database("jobs");
    tables(&source, 4, 300);
    source.sql(
        r#"CREATE SCHEMA "Odd one"; CREATE TABLE "Odd one"."a.b ""c"" $1 *" (v text);
           INSERT INTO "Odd one"."a.b ""c"" $1 *" SELECT repeat('y', 500) FROM generate_series(1, 300);
           CREATE SCHEMA s; CREATE TABLE s.t1 AS SELECT * FROM t1;
           CREATE TABLE parted (k int, v text) PARTITION BY LIST (k);
           CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
           CREATE TABLE parted_2 PARTITION OF parted FOR VALUES IN (2);
           INSERT INTO parted SELECT 1 + i % 2, repeat('z', 300) FROM generate_series(1, 500) i;
           CREATE TABLE heir (more int) INHERITS (t1); INSERT INTO heir SELECT 1000 + i, 1, 'h', 2 FROM generate_series(1, 500) i;
           CREATE UNLOGGED TABLE fast AS SELECT * FROM t2"#,
    );
    let folder = tempfile::tempdir().expect("a folder");
    for args in [
        &[][..],
        &["--table", "t1", "--table", "T3"],
        &["--table", "s.*"],
        &["--table", "parted*", "--exclude-table", "parted_2"],
        &["--schema", "s"],
        &["--schema", "p*", "--exclude-table-data", "t2"],
        &["--exclude-schema", "Odd*", "--exclude-schema", "s"],
        &["--exclude-schema", r#""Odd one""#, "--exclude-table-data", "t?"],
        &["--exclude-table", "heir"],
        &["--schema-only"],
        &["--data-only"],
    ] {
        let manifests = ["1", "4"].map(|jobs| manifest(&dumped_by(&source, &folder, jobs, args)));
        let tables = manifests.map(|mut manifest| {
            sort_tables(&mut manifest);
            manifest["tables"].take()
        });
        assert_eq!(tables[0], tables[1], "{args:?}");
    }
}

#[test]
fn fewer_jobs_than_asked_for_are_said() {
    let source = postgres15().database("jobs");
    tables(&source, 2, 100);
    let folder = tempfile::tempdir().expect("a folder");
    let dump = |args: &[&str]| {
        let dump = with_clients_of(postgres15()).args(["dump", "--jobs", "8"]).arg(source.uri()).args(args);
        dump.cwd(folder.path()).run().expect_code(0)
    };
    assert!(dump(&[]).stderr.contains("2 jobs instead of 8"));
    assert!(dump(&["--schema-only"]).stderr.contains("one pg_dump does it alone"));
    let planned = dump(&["--dry-run"]);
    let commands: Vec<_> = planned.text().lines().collect();
    assert_eq!(commands.len(), 2);
    assert!(commands[0].contains("'--exclude-table-data=\"public\".\"t1\"'"), "{}", commands[0]);
    assert!(
        commands[1].contains("--data-only") && commands[1].contains("'--table=\"public\".\"t1\"'"),
        "{}",
        commands[1]
    );
    source.sql("DROP TABLE t1, t2");
    let empty = dump(&[]);
    assert!(empty.stderr.contains("1 job instead of 8"), "{}", empty.stderr);
}
