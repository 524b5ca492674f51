//! Hints on plain dumps of PostgreSQL.

use std::{fs, path::PathBuf};

use super::{dump_of, restore};
use crate::foreign::files::{plain, vendor};
use crate::support::{Flavour, Server, postgres15};

const END: &str = "--\n-- PostgreSQL database dump complete\n";

/// A plain dump of one table with these lines before its end.
fn script(folder: &tempfile::TempDir, lines: &str) -> PathBuf {
    let source = postgres15().database("script");
    source.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let text = plain(&source);
    assert!(text.contains(END), "{text}");
    let path = folder.path().join("script.sql");
    fs::write(&path, text.replace(END, &format!("{lines}\n{END}"))).expect("write");
    path
}

#[test]
fn what_a_script_brings_and_the_target_has_is_dropped_or_renamed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = script(&folder, "");
    let target = postgres15().database("beside");
    target.sql("CREATE TABLE t (old int); CREATE TABLE kept (i int)");
    let restore = || restore(&path, &target, &["--into-non-empty"]);
    restore().refused(7, &["relation \"t\" already exists"]).follows("drop-or-rename");
    target.sql("ALTER TABLE t RENAME TO t_before");
    restore().expect_code(0);
    target.sql("DROP TABLE t, t_before");
    restore().expect_code(0);
}

#[test]
fn a_script_with_transactions_of_its_own_fills_a_new_database_or_what_it_made_is_dropped() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = script(&folder, "COMMIT;\nCREATE TABLE public.there (i int);");
    let target = postgres15().database("transactions");
    target.sql("CREATE TABLE there (old int)");
    restore(&path, &target, &["--clean", "schema", "--yes"])
        .refused(10, &["transactions"])
        .follows("clean-database-fills-a-new-one");
    restore(&path, &target, &["--into-non-empty"]).expect_code(7).follows("drop-what-it-made");
    target.sql("DROP TABLE t; DROP TABLE there");
    restore(&path, &target, &[]).expect_code(0);
    restore(&path, &target, &["--clean", "database", "--yes"]).expect_code(0);
    assert_eq!(target.sql("SELECT count(*) FROM t, there"), "0");
}

#[test]
fn rows_of_such_a_script_come_in_custom_format_past_triggers() {
    let source = postgres15().database("rows");
    source.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let folder = tempfile::tempdir().expect("a folder");
    let text = String::from_utf8(vendor(&source, "pg_dump", &["--data-only"])).expect("UTF-8");
    let path = folder.path().join("rows.sql");
    fs::write(&path, text.replace(END, &format!("COMMIT;\n{END}"))).expect("write");
    let target = postgres15().database("rows_target");
    target.sql(
        "CREATE TABLE t (id int PRIMARY KEY); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
    );
    restore(&path, &target, &["--into-non-empty"]).refused(10, &[]).follows("custom-format-is-one-transaction");
    let custom = folder.path().join("rows.dump");
    fs::write(&custom, vendor(&source, "pg_dump", &["--data-only", "--format=custom"])).expect("write");
    restore(&custom, &target, &["--data-only", "--into-non-empty"]).expect_code(0);
}

#[test]
fn a_command_of_psql_in_a_dump_is_taken_out_by_dumping_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = postgres15().database("command");
    restore(&script(&folder, "\\! true"), &target, &[]).refused(10, &["\\!"]).follows("dump-again-without-command");
    restore(&script(&folder, ""), &target, &[]).expect_code(0);
}

#[test]
fn bytes_that_are_no_utf_8_come_into_a_database_of_the_sources_encoding() {
    let server = postgres15();
    let create = |name: &str| {
        let name = format!("{name}_{}", std::process::id());
        server.sql(&format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'"));
        name
    };
    let run = |name: &str, sql: &str| server.try_sql(name, sql).unwrap_or_else(|error| panic!("{error}"));
    let (source, target) = (create("ascii"), create("ascii_target"));
    run(&source, "CREATE TABLE t (v text); INSERT INTO t VALUES (E'\\xff')");
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("ascii.tar.gz");
    let haul = |words: &[&str]| crate::roundtrip::with_clients_of(server).args(words).run();
    // COPY does not look at the bytes of SQL_ASCII.
    haul(&["dump", &server.uri(&source), "-o", archive.to_str().expect("UTF-8"), "--", "--inserts"]).expect_code(0);
    let utf_8 = server.database("utf_8");
    restore(&archive, &utf_8, &[]).refused(7, &["0xff"]).follows("sources-encoding");
    haul(&["restore", archive.to_str().expect("UTF-8"), &server.uri(&target)]).expect_code(0);
    server.sql(&format!("DROP DATABASE {source}"));
    server.sql(&format!("DROP DATABASE {target}"));
}

#[test]
fn roles_alone_are_made_by_psql_and_the_database_is_in_another_file() {
    let server = Server::start(Flavour::Postgres15);
    let (source, target) = (postgres15().database("globals"), server.database("globals_target"));
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("globals.sql");
    let mut dumpall = postgres15().client("pg_dumpall");
    let globals = dumpall.arg("--globals-only").output().expect("run pg_dumpall");
    assert!(globals.status.success(), "{}", String::from_utf8_lossy(&globals.stderr));
    fs::write(&file, globals.stdout).expect("write");
    restore(&file, &target, &[]).refused(8, &[]).follows("roles-by-psql");
    let psql = server.client("psql").arg("-f").arg(&file).arg("postgres").output().expect("run psql");
    assert!(psql.status.success(), "{}", String::from_utf8_lossy(&psql.stderr));
    let (_folder, archive) = dump_of(&source);
    restore(&archive, &target, &[]).expect_code(0);
}

#[test]
fn a_collation_that_the_target_lacks_is_made_from_another_one() {
    let (source, target) = (postgres15().database("collated"), postgres15().database("collated_target"));
    let create = "CREATE COLLATION pg_catalog.\"hinted\" FROM \"C\"";
    source.sql(&format!("{create}; CREATE TABLE t (v text COLLATE \"hinted\")"));
    let (_folder, archive) = dump_of(&source);
    let refused = restore(&archive, &target, &["--map-collation", "hinted=C"]).refused(2, &[]);
    let hint = refused.follows("create-missing-collation").replace("\"...\"", "\"hinted\"");
    let statement = hint.trim_start_matches("PostgreSQL: ").replace("another one makes a missing name known", "\"C\"");
    restore(&archive, &target, &[]).refused(10, &["collation"]);
    target.sql(&statement);
    restore(&archive, &target, &[]).expect_code(0);
}

#[test]
fn an_extension_of_a_part_that_pg_dump_wrote_is_made_where_it_looks_for_it() {
    let source = postgres15().database("part");
    source.sql("CREATE EXTENSION citext; CREATE TABLE t (c citext)");
    let folder = tempfile::tempdir().expect("a folder");
    let part = folder.path().join("part.dump");
    fs::write(&part, vendor(&source, "pg_dump", &["--table=t", "--format=custom"])).expect("write");
    let target = postgres15().database("part_target");
    let hint = restore(&part, &target, &[]).refused(10, &["citext"]).follows("create-extension-with-schema");
    target.sql(hint.trim_start_matches("an extension's: "));
    restore(&part, &target, &[]).expect_code(0);
}

#[test]
fn a_name_that_an_encoding_lacks_is_written_with_question_marks() {
    let source = postgres15().database("named");
    source.sql("CREATE TABLE \"中文\" (id int PRIMARY KEY)");
    let dump = |table: &str| {
        let dump = crate::roundtrip::with_clients_of(postgres15()).args(["dump", &source.uri(), "--output", "-"]);
        dump.args(["--table", table, "--", "--encoding=EUC_TW"]).run()
    };
    dump("中文").refused(2, &[]).follows("question-mark-for-characters");
    dump("??").expect_code(0);
}
