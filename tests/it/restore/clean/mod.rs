//! `--clean` loses nothing: what is dropped comes back when the restore does not end well, and what can't be dropped is
//! refused before the first drop.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    roundtrip::{assert_same, dumped, restored, with_clients_of},
    support::{
        Database, Dbhaul, Gate, Lock, Server, checksum, eventually, fixture, postgres15, postgres18, schema, sessions,
    },
};

mod beforehand;
mod database;
mod objects;
mod refused;
mod rehearsed;
mod row_formats;
mod stray_lines;

/// A dump of `pg_dump`'s own, in this format.
fn by_hand(source: &Database<'_>, folder: &Path, format: &str) -> PathBuf {
    let path = folder.join(format);
    let mut client = source.client("pg_dump");
    let status = client.arg(format!("--format={format}")).arg("--file").arg(&path).arg(source.name()).status();
    assert!(status.expect("run pg_dump").success());
    path
}

fn restoring(archive: &Path, target: &Database<'_>, args: &[&str]) -> Dbhaul {
    with_clients_of(target.server()).arg("restore").arg(archive).arg(target.uri()).args(args)
}

/// An object of every class.
fn zoo<'s>(server: &'s Server, name: &str) -> Database<'s> {
    let database = server.database(name);
    database.load_file(fixture("zoo-postgres.sql"));
    database
}

/// What is in a database that `--clean schema` drops.
fn dropped(database: &Database<'_>) -> String {
    database.sql(
        "SELECT i.type, i.identity FROM pg_depend d, LATERAL pg_identify_object(d.classid, d.objid, 0) i
         WHERE d.objid >= 16384 AND d.deptype <> 'e' AND d.classid <> 'pg_extension'::regclass",
    )
}

#[test]
fn objects_of_every_class_are_dropped_and_come_back() {
    for server in [postgres15(), postgres18()] {
        let source = zoo(server, "source");
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, _) = dumped(&source, &folder, &[]);
        let target = server.database("target");
        let keep = ["--keep-owner", "--keep-privileges", "--clean", "schema", "--yes"];
        restored(&archive, &target, &keep);
        for archive in [archive, by_hand(&source, folder.path(), "directory"), by_hand(&source, folder.path(), "plain")]
        {
            restored(&archive, &target, &keep);
            assert_same(&source, &target);
        }
        with_clients_of(server).args(["copy", &source.uri(), &target.uri()]).args(keep).run().expect_code(0);
        assert_same(&source, &target);
        // Into the target of nothing: only what an archive has no classes for is left.
        let (nothing, _) = dumped(&server.database("nothing"), &folder, &[]);
        restored(&nothing, &target, &keep);
        assert_eq!(dropped(&target), "");
        assert_eq!(target.sql("SELECT count(*) FROM pg_default_acl"), "0");
        for database in [&source, &target] {
            database.sql("DROP SUBSCRIPTION IF EXISTS sub");
        }
    }
}

#[test]
fn a_target_that_holds_any_class_is_not_empty() {
    let server = postgres15();
    let source = zoo(server, "source");
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    source.sql("DROP SUBSCRIPTION sub");
    for (class, name, sql) in [
        ("publication", "p", "CREATE PUBLICATION p"),
        ("foreign data wrapper", "w", "CREATE FOREIGN DATA WRAPPER w"),
        ("cast", "(double precision AS pg_catalog.regclass)", "CREATE CAST (float8 AS regclass) WITH INOUT"),
        ("operator", "public.===", "CREATE OPERATOR public.=== (FUNCTION = int4eq, LEFTARG = int, RIGHTARG = int)"),
        ("operator family", "public.fam", "CREATE OPERATOR FAMILY public.fam USING btree"),
        ("text search dictionary", "public.d", "CREATE TEXT SEARCH DICTIONARY public.d (TEMPLATE = simple)"),
        ("conversion", "public.c", "CREATE CONVERSION public.c FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8"),
        ("collation", "public.c", "CREATE COLLATION public.c (LOCALE = 'C')"),
    ] {
        let target = server.database("target");
        target.sql(sql);
        let words = format!("the target is not empty: 1 object ({class} {name})");
        restoring(&archive, &target, &["--dry-run"]).run().refused(10, &[&words, "--clean schema"]);
    }
}

/// A source whose rows break their foreign key: its restore fails at the end.
fn broken(server: &Server) -> Database<'_> {
    let source = server.database("source");
    source.sql(
        "CREATE TABLE kept (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES kept);
         INSERT INTO kept VALUES (1); SET session_replication_role = replica; INSERT INTO c VALUES (2, 99);
         SELECT lo_from_bytea(4711, 'new')",
    );
    source
}

/// What a failed restore must leave as it is.
fn precious(server: &Server) -> Database<'_> {
    let target = server.database("target");
    target.sql(
        "CREATE TABLE kept (id int PRIMARY KEY, v text); INSERT INTO kept VALUES (7, 'old'), (8, 'older');
         CREATE VIEW seen AS SELECT v FROM kept; CREATE PUBLICATION p FOR TABLE kept; SELECT lo_from_bytea(4711, 'old');
         CREATE SCHEMA other; CREATE TABLE other.t (i int); INSERT INTO other.t VALUES (1)",
    );
    target
}

fn state(database: &Database<'_>) -> (BTreeMap<String, (u64, String)>, String) {
    (checksum(database), schema(database))
}

const LEFT: &str = "the target holds what it held before";

#[test]
fn after_a_failure_in_the_middle_the_old_content_is_there() {
    let server = postgres15();
    let (source, target) = (broken(server), precious(server));
    let before = state(&target);
    let folder = tempfile::tempdir().expect("a folder");
    let clean = ["--clean", "schema", "--yes"];
    for format in ["custom", "directory", "plain"] {
        let output = restoring(&by_hand(&source, folder.path(), format), &target, &clean).run();
        output.refused(7, &["violates foreign key constraint", LEFT]);
        assert_eq!(state(&target), before, "{format}");
    }
    let custom = folder.path().join("custom");
    let several = restoring(&custom, &target, &clean).args(["--jobs", "2"]).run();
    several.refused(7, &["violates foreign key constraint", LEFT]);
    assert_eq!(state(&target), before, "several jobs");
    target.sql("DROP VIEW seen; DROP PUBLICATION p");
    let before = state(&target);
    let objects = restoring(&custom, &target, &["--clean", "objects", "--yes", "--jobs", "2"]).run();
    objects.refused(7, &["violates foreign key constraint", LEFT]);
    assert_eq!(state(&target), before, "several jobs, objects");
    for jobs in ["1", "2"] {
        let copying = with_clients_of(server).args(["copy", &source.uri(), &target.uri(), "--jobs", jobs]).args(clean);
        copying.run().refused(7, &["violates foreign key constraint", LEFT]);
        assert_eq!(state(&target), before, "copy by {jobs}");
    }
}

/// A restore whose drops wait behind a gate and then for a lock, what is done to it there, and what it says.
fn interrupted(format: &str, act: impl FnOnce(u32, &Database<'_>), words: &[&str]) {
    let server = postgres15();
    let (source, target) = (broken(server), precious(server));
    let before = state(&target);
    let folder = tempfile::tempdir().expect("a folder");
    let archive = by_hand(&source, folder.path(), format);
    let gate = Gate::before(&server.client_dir());
    let restore = restoring(&archive, &target, &["--clean", "schema", "--yes"]).client_dirs([gate.folder()]);
    let mut running = restore.spawn();
    running.wait_until("a client before the gate", |_| gate.reached());
    let lock = Lock::on(&target, "kept");
    gate.open();
    running.wait_until("a session that waits for the lock", |_| sessions(&target, true) > 0);
    act(running.pid(), &target);
    let output = running.wait();
    drop(lock);
    eventually("every session is gone", || sessions(&target, false) == 0);
    assert_eq!(state(&target), before, "{format}");
    if !words.is_empty() {
        output.refused(7, words);
    }
}

#[test]
fn after_kill_9_the_old_content_is_there() {
    for format in ["custom", "plain"] {
        interrupted(format, |pid, _| crate::support::kill(pid), &[]);
    }
}

#[test]
fn after_a_lost_connection_the_old_content_is_there() {
    for format in ["custom", "plain"] {
        let end = |_, target: &Database<'_>| {
            let waiting = "datname = current_database() AND wait_event_type = 'Lock'";
            target.sql(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {waiting}"));
        };
        interrupted(format, end, &["terminat", "its transaction was rolled back"]);
    }
}
