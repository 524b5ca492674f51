//! Rows that come frozen into PostgreSQL: by every way, where nothing stands against it; and what does.

use std::path::Path;

use crate::{
    roundtrip::{assert_same, dumped, restored, with_clients_of},
    support::{Database, Flavour, checksum, postgres15, postgres18, shared},
};

/// Tables of more than 4 MB, whose names are what they are, and a small one.
const LARGE: &str = r#"
    CREATE TABLE "odd ""name"" FROM stdin;" (id int PRIMARY KEY, "x (" text);
    INSERT INTO "odd ""name"" FROM stdin;" SELECT i, repeat(md5(i::text), 6) FROM generate_series(1, 25000) i;
    CREATE TABLE points (id int REFERENCES "odd ""name"" FROM stdin;", v text);
    INSERT INTO points SELECT i, repeat(md5(i::text), 6) FROM generate_series(1, 25000) i;
    CREATE TABLE small (id int);
    INSERT INTO small SELECT generate_series(1, 100);
    CREATE TABLE parted (id int, v text) PARTITION BY HASH (id);
    CREATE TABLE parted_0 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    INSERT INTO parted SELECT i, repeat(md5(i::text), 6) FROM generate_series(1, 50000) i;"#;

/// The tables whose rows are frozen. Newer servers make some pages that stay empty.
fn frozen(database: &Database<'_>) -> String {
    database.sql(
        "CREATE EXTENSION pg_visibility;
         SELECT c.relname FROM pg_class c, pg_visibility_map_summary(c.oid) s
         WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
         AND s.all_frozen > pg_relation_size(c.oid) / 8192 * 0.9 ORDER BY 1",
    )
}

const ALL: &str = "odd \"name\" FROM stdin;\nparted_0\nparted_1\npoints\nsmall";
const ALL_LARGE: &str = "odd \"name\" FROM stdin;\nparted_0\nparted_1\npoints";

fn copied(source: &Database<'_>, target: &Database<'_>, args: &[&str]) {
    with_clients_of(source.server()).args(["copy", &source.uri(), &target.uri()]).args(args).run().expect_code(0);
}

/// A dump of `pg_dump`'s own, which names the places of its blocks.
fn by_hand(source: &Database<'_>, path: &Path) {
    let mut client = source.client("pg_dump");
    let status = client.args(["--format=custom", "--file"]).arg(path).arg(source.name()).status();
    assert!(status.expect("run pg_dump").success());
}

#[test]
fn rows_come_frozen_by_every_way() {
    for server in [postgres15(), postgres18()] {
        let source = server.database("source");
        source.sql(LARGE);
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, _) = dumped(&source, &folder, &[]);
        let file = folder.path().join("by hand.dump");
        by_hand(&source, &file);
        for (from, args, wanted) in [
            (Some(&archive), &[][..], ALL),
            (Some(&archive), &["--jobs", "2"], ALL),
            (Some(&file), &[], ALL),
            // It stays as it is.
            (Some(&file), &["--jobs", "2"], ""),
            (None, &[], ALL),
            // A small table is not worth being emptied.
            (None, &["--jobs", "3"], ALL_LARGE),
        ] {
            let target = server.database("target");
            match from {
                Some(from) => drop(restored(from, &target, args)),
                None => copied(&source, &target, args),
            }
            assert_same(&source, &target);
            assert_eq!(frozen(&target), wanted, "{} {from:?} {args:?}", server.flavour().name());
        }
    }
}

#[test]
fn parts_of_a_dump_and_tables_that_are_there_take_rows() {
    let source = postgres15().database("source");
    source.sql(LARGE);
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    for jobs in ["1", "2"] {
        let target = postgres15().database("part");
        restored(&archive, &target, &["--table", "parted_1", "--table", "parted", "--jobs", jobs]);
        assert_eq!(target.sql("SELECT count(*) FROM parted_1"), source.sql("SELECT count(*) FROM parted_1"));
        let target = postgres15().database("there");
        restored(&archive, &target, &["--schema-only"]);
        target.sql("ALTER TABLE points DROP CONSTRAINT points_id_fkey; INSERT INTO small VALUES (-1)");
        restored(&archive, &target, &["--data-only", "--into-non-empty", "--jobs", jobs]);
        assert_eq!(target.sql("SELECT count(*), min(id) FROM small"), "101\t-1");
        assert_eq!(checksum(&target)["public.points"], checksum(&source)["public.points"]);
    }
}

#[test]
fn rows_that_a_root_sorts_anew_come_as_they_can() {
    let source = postgres15().database("source");
    source.sql(LARGE);
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &["--", "--load-via-partition-root"]);
    for args in [&[][..], &["--jobs", "2"]] {
        let target = postgres15().database("target");
        restored(&archive, &target, args);
        assert_same(&source, &target);
        assert_eq!(frozen(&target), "odd \"name\" FROM stdin;\npoints\nsmall");
    }
}

/// A table that was emptied is locked until all lanes are through: who reads it from another lane would wait for ever.
#[test]
fn checks_that_read_other_tables_wait_for_nobody() {
    let source = postgres15().database("source");
    source.sql(LARGE);
    source.sql(
        "CREATE FUNCTION read(what regclass) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$
             BEGIN EXECUTE format('SELECT FROM %s LIMIT 1', what); RETURN true; END $$;
         ALTER TABLE points ADD CHECK (id > 1 OR public.read('public.parted_0'));
         ALTER TABLE parted_0 ADD CHECK (id % 20000 <> 0 OR public.read('public.points'));",
    );
    let target = postgres15().database("target");
    copied(&source, &target, &["--jobs", "4", "--idle-timeout", "10"]);
    assert_same(&source, &target);
    assert_eq!(frozen(&target), "");
}

#[test]
fn older_servers_take_rows_as_before() {
    let server = shared(Flavour::Postgres13);
    let source = server.database("source");
    source.sql(LARGE);
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    for jobs in ["1", "2"] {
        let target = server.database("target");
        restored(&archive, &target, &["--jobs", jobs]);
        assert_same(&source, &target);
        let target = server.database("target");
        copied(&source, &target, &["--jobs", jobs]);
        assert_same(&source, &target);
    }
}
