//! Hints on PostgreSQL.

use super::{between, dump, restore};
use crate::roundtrip::with_clients_of;
use crate::support::{Database, Output, postgres15};

#[test]
fn two_rows_under_one_unique_index_are_found_in_the_source_as_the_hint_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, target) = (postgres15().database("twice"), postgres15().database("twice_target"));
    let valid = |valid| {
        source.sql(&format!(
            "UPDATE pg_index SET indisready = {valid}, indisvalid = {valid} WHERE indexrelid = 'u_mail'::regclass"
        ));
    };
    source.sql(
        "CREATE TABLE u (id int, mail text); CREATE UNIQUE INDEX u_mail ON u (mail); INSERT INTO u VALUES (1, 'a')",
    );
    valid(false);
    source.sql("INSERT INTO u VALUES (2, 'a')");
    valid(true);
    let failed = restore(&dump(&source, &folder, "broken.tar.gz"), &target, &[]);
    let failed = failed.refused(7, &["u_mail", "Key (mail)=(a) is duplicated", "holds what it held before"]);
    assert!(!failed.stderr.contains("--clean"), "{}", failed.stderr);
    failed.follows("key-twice");
    let settings = between(&failed, "find them there after ", "; delete one, REINDEX the index, and dump again");
    let found = source.sql(&format!("{settings}; SELECT id FROM u WHERE mail = 'a' ORDER BY id"));
    assert!(found.ends_with("1\n2"), "{found}");
    source.sql(&format!("{settings}; DELETE FROM u WHERE id = 2; REINDEX INDEX u_mail"));
    restore(&dump(&source, &folder, "mended.tar.gz"), &target, &[]).expect_code(0);
    assert_eq!(target.sql("SELECT id, mail FROM u"), "1\ta");
}

#[test]
fn rows_that_break_a_foreign_key_are_the_sources_and_both_ways_on_work() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, target) = (postgres15().database("broken_key"), postgres15().database("broken_key_target"));
    source.sql(
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int CONSTRAINT of_p REFERENCES p)",
    );
    source.sql("INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1)");
    source.sql("SET session_replication_role = replica; INSERT INTO c VALUES (2, 99)");
    let broken = dump(&source, &folder, "broken.tar.gz");
    for options in [&[][..], &["--jobs", "2"]] {
        let target = postgres15().database("broken_key_jobs");
        let failed = restore(&broken, &target, options).refused(7, &["of_p", "Key (p)=(99) is not present"]);
        failed.follows("broken-foreign-key");
        assert!(!failed.stderr.contains("--data-only"), "{}", failed.stderr);
    }
    source.sql("ALTER TABLE c DROP CONSTRAINT of_p, ADD CONSTRAINT of_p FOREIGN KEY (p) REFERENCES p NOT VALID");
    restore(&dump(&source, &folder, "not_valid.tar.gz"), &target, &[]).expect_code(0);
    assert_eq!(target.sql("SELECT count(*) FROM c"), "2");
    source.sql("DELETE FROM c WHERE id = 2; ALTER TABLE c VALIDATE CONSTRAINT of_p");
    restore(&dump(&source, &folder, "mended.tar.gz"), &target, &["--clean", "schema", "--yes"]).expect_code(0);
    assert_eq!(target.sql("SELECT count(*) FROM c"), "1");
}

#[test]
fn an_extensions_function_that_misses_its_search_path_is_altered_in_the_target() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, target) = (postgres15().database("earth"), postgres15().database("earth_target"));
    source.sql("CREATE EXTENSION cube; CREATE EXTENSION earthdistance");
    source.sql("CREATE TABLE geo (id int PRIMARY KEY, lat float8, lon float8); INSERT INTO geo VALUES (1, 42.5, 1.6)");
    source.sql("CREATE INDEX geo_earth ON geo USING gist (ll_to_earth(lat, lon))");
    let archive = dump(&source, &folder, "earth.tar.gz");
    let failed = restore(&archive, &target, &[]);
    let failed = failed.refused(7, &["geo_earth", "ll_to_earth", "type \"earth\" does not exist", "no dump holds"]);
    let hint = failed.follows("alter-extensions-function");
    target.sql(hint.split("before the restore: ").nth(1).expect("a line"));
    restore(&archive, &target, &[]).expect_code(0);
    assert_eq!(target.sql("SELECT id FROM geo"), "1");
}

#[test]
fn a_functions_text_that_misses_a_table_is_named_with_what_it_makes() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, target) = (postgres15().database("words"), postgres15().database("words_target"));
    source.sql("CREATE TABLE docs (t text); INSERT INTO docs VALUES ('one two')");
    source.sql("CREATE MATERIALIZED VIEW w AS SELECT word FROM ts_stat('SELECT to_tsvector(''simple'', t) FROM docs')");
    // ts_stat runs what stands in a string, which is not judged.
    let failed = restore(&dump(&source, &folder, "words.tar.gz"), &target, &["--trust"]);
    failed
        .refused(7, &["relation \"docs\" does not exist", "materialized view public.w"])
        .follows("qualify-or-search-path");
    source.sql("DROP MATERIALIZED VIEW w");
    source.sql(
        "CREATE MATERIALIZED VIEW w AS SELECT word FROM ts_stat('SELECT to_tsvector(''simple'', t) FROM public.docs')",
    );
    restore(&dump(&source, &folder, "mended.tar.gz"), &target, &["--trust"]).expect_code(0);
    assert_eq!(target.sql("SELECT count(*) FROM w"), "2");
}

#[test]
fn rows_alone_that_are_there_already_want_their_table_emptied() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, target) = (postgres15().database("rows"), postgres15().database("rows_target"));
    source.sql("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'new')");
    target.sql("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'old')");
    let archive = dump(&source, &folder, "rows.tar.gz");
    let options = ["--data-only", "--into-non-empty"];
    let failed = restore(&archive, &target, &options).refused(7, &["t_pkey"]);
    failed.follows("key-is-in-the-table");
    assert!(!failed.stderr.contains("--clean"), "{}", failed.stderr);
    target.sql("TRUNCATE t");
    restore(&archive, &target, &options).expect_code(0);
    assert_eq!(target.sql("SELECT v FROM t"), "new");
}

#[test]
fn a_key_that_rows_alone_break_is_dropped_and_made_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, target) = (postgres15().database("alone"), postgres15().database("alone_target"));
    for database in [&source, &target] {
        database.sql("CREATE TABLE a (id int PRIMARY KEY, b int); CREATE TABLE b (id int PRIMARY KEY, a int)");
        database.sql("ALTER TABLE a ADD CONSTRAINT of_b FOREIGN KEY (b) REFERENCES b; ALTER TABLE b ADD CONSTRAINT of_a FOREIGN KEY (a) REFERENCES a");
    }
    source.sql("INSERT INTO a VALUES (1, NULL); INSERT INTO b VALUES (1, 1); UPDATE a SET b = 1");
    let archive = dump(&source, &folder, "alone.tar.gz");
    let options = ["--data-only", "--into-non-empty"];
    restore(&archive, &target, &options).refused(7, &["of_b"]).follows("drop-that-constraint");
    target.sql("ALTER TABLE a DROP CONSTRAINT of_b");
    restore(&archive, &target, &options).expect_code(0);
    target.sql("ALTER TABLE a ADD CONSTRAINT of_b FOREIGN KEY (b) REFERENCES b");
    assert_eq!(target.sql("SELECT a.b, b.a FROM a, b"), "1\t1");
}

/// A restore or a copy into a target with more options.
type Way<'a> = &'a dyn Fn(&Database<'_>, &[&str]) -> Output;

#[test]
fn what_is_there_beside_is_dropped_by_clean_objects_and_nothing_else_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = postgres15().database("beside");
    source.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); CREATE TABLE u (id int)");
    let archive = dump(&source, &folder, "beside.tar.gz");
    for jobs in ["1", "2"] {
        let restore = |target: &Database<'_>, options: &[&str]| {
            restore(&archive, target, &[&["--table", "t", "--jobs", jobs], options].concat())
        };
        let copy = |target: &Database<'_>, options: &[&str]| {
            let copy = with_clients_of(postgres15()).args(["copy", &source.uri(), &target.uri(), "--table", "t"]);
            copy.args(["--jobs", jobs]).args(options).run()
        };
        let ways: [Way<'_>; 2] = [&restore, &copy];
        for way in ways {
            let target = postgres15().database("beside_target");
            target.sql("CREATE TABLE keep (id int); INSERT INTO keep VALUES (7); CREATE TABLE t (id int PRIMARY KEY)");
            let failed = way(&target, &["--into-non-empty"]);
            let failed = failed.refused(7, &["relation \"t\" already exists"]);
            failed.follows("clean-objects");
            assert!(!failed.stderr.contains("--clean schema"), "{}", failed.stderr);
            way(&target, &["--clean", "objects", "--yes"]).expect_code(0);
            assert_eq!(target.sql("SELECT t.id, keep.id FROM t, keep"), "1\t7");
        }
    }
}

#[test]
fn rows_alone_that_fail_by_several_jobs_are_not_told_to_clean() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, target) = (postgres15().database("some"), postgres15().database("some_target"));
    for database in [&source, &target] {
        database
            .sql("CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int, p int CONSTRAINT of_p REFERENCES p)");
    }
    source.sql("INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1)");
    let archive = dump(&source, &folder, "some.tar.gz");
    let options = ["--data-only", "--into-non-empty", "--table", "c", "--jobs", "2"];
    let failed = restore(&archive, &target, &options).refused(7, &["of_p"]);
    failed.follows("empty-tables-again");
    assert!(!failed.stderr.contains("--clean"), "{}", failed.stderr);
    target.sql("ALTER TABLE c DROP CONSTRAINT of_p; TRUNCATE c");
    restore(&archive, &target, &options).expect_code(0);
    assert_eq!(target.sql("SELECT p FROM c"), "1");
}

#[test]
fn a_comparison_that_hides_its_operator_is_written_with_its_schema() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, target) = (postgres15().database("hidden"), postgres15().database("hidden_target"));
    source.sql(
        "CREATE EXTENSION ltree; CREATE TABLE node (id int, path ltree); CREATE TABLE log (id int);
         CREATE RULE moved AS ON UPDATE TO node WHERE OLD.path IS DISTINCT FROM NEW.path DO ALSO INSERT INTO log VALUES (1)",
    );
    let doctor = || with_clients_of(postgres15()).args(["doctor", &source.uri()]).run().expect_code(0);
    doctor().follows("write-the-operator");
    let failed =
        restore(&dump(&source, &folder, "hidden.tar.gz"), &target, &[]).refused(7, &["operator does not exist"]);
    failed.follows("operator-with-schema");
    source.sql(
        "CREATE OR REPLACE RULE moved AS ON UPDATE TO node WHERE OLD.path OPERATOR(public.<>) NEW.path
         DO ALSO INSERT INTO log VALUES (1)",
    );
    assert!(!doctor().stderr.contains("compares with"));
    restore(&dump(&source, &folder, "mended.tar.gz"), &target, &[]).expect_code(0);
}

#[test]
fn several_jobs_beside_other_tables_are_begun_again_with_clean_objects() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = postgres15().database("again");
    source.sql("CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p)");
    source.sql("INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1)");
    source.sql("SET session_replication_role = replica; INSERT INTO c VALUES (2, 99)");
    let target = postgres15().database("again_target");
    target.sql("CREATE TABLE kept (i int); INSERT INTO kept VALUES (7)");
    let broken = dump(&source, &folder, "broken.tar.gz");
    let failed = restore(&broken, &target, &["--into-non-empty", "--jobs", "2"]).expect_code(7);
    failed.follows("clean-objects-again");
    source.sql("DELETE FROM c WHERE id = 2");
    let mended = dump(&source, &folder, "mended.tar.gz");
    restore(&mended, &target, &["--clean", "objects", "--yes", "--jobs", "2"]).expect_code(0);
    assert_eq!(target.sql("SELECT c.p, kept.i FROM c, kept"), "1\t7");
}
