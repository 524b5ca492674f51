//! Targets that are refused (10, nothing changed), and restores that fail in the middle (7, and what is left is said).

use std::{fs, path::PathBuf};

use crate::support::{
    Database, Dbhaul, Flavour, Gate, Lock, Output, Running, Server, checksum, child_of, dbhaul, eventually,
    fake_client, fixture, kill, mariadb, mysql, postgres15, postgres18, sessions,
};

/// Dumps a database beside others.
fn dump(database: &Database<'_>, folder: &tempfile::TempDir) -> PathBuf {
    let path = folder.path().join(format!("{}.tar.gz", database.name()));
    let dump = dbhaul().args(["dump", &database.uri(), "-o"]).arg(&path);
    dump.client_dirs([database.server().client_dir()]).run().expect_code(0);
    path
}

fn restore(archive: &PathBuf, target: &Database<'_>, options: &[&str]) -> Dbhaul {
    let dbhaul = dbhaul().arg("restore").arg(archive).arg(target.uri()).args(options);
    dbhaul.client_dirs([target.server().client_dir()])
}

/// Two tables: the first takes rows, the second refuses its last one when `strict`.
fn tables(database: &Database<'_>, strict: bool) {
    let check = if strict { ", CHECK (n < 500)" } else { "" };
    database.sql("CREATE TABLE a_first (n int PRIMARY KEY)");
    database.sql(&format!("CREATE TABLE b_second (n int PRIMARY KEY{check})"));
}

fn fill(database: &Database<'_>) {
    let numbers: Vec<_> = (1..=500).map(|n| format!("({n})")).collect();
    for table in ["a_first", "b_second"] {
        database.sql(&format!("INSERT INTO {table} VALUES {}", numbers.join(",")));
    }
}

fn source(server: &Server) -> Database<'_> {
    let source = server.database("source");
    tables(&source, false);
    fill(&source);
    source
}

fn rows(database: &Database<'_>) -> [String; 2] {
    ["a_first", "b_second"].map(|table| database.sql(&format!("SELECT count(*) FROM {table}")))
}

#[test]
fn a_target_without_the_schema_public_is_refused_before_it_is_touched() {
    let server = postgres15();
    let folder = tempfile::tempdir().expect("a folder");
    let archive = dump(&source(server), &folder);
    let target = server.database("without_public");
    target.sql("DROP SCHEMA public");
    for options in [&[][..], &["--jobs", "2"], &["--clean", "schema", "--yes"]] {
        let refused = restore(&archive, &target, options).run();
        refused.refused(10, &["schema public, which", "nothing was changed"]).follows("create-schema-first");
    }
    target.sql("CREATE SCHEMA \"public\"");
    restore(&archive, &target, &[]).run().expect_code(0);
}

fn a_full_target_is_refused(server: &Server) {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = dump(&source(server), &folder);
    let target = server.database("target");
    target.sql("CREATE TABLE users (id int)");
    let before = checksum(&target);
    for options in [&[][..], &["--dry-run"]] {
        restore(&archive, &target, options).run().refused(
            10,
            &["the target is not empty: 1 table in", "users", "nothing was changed", "hint:", "--into-non-empty"],
        );
        assert_eq!(checksum(&target), before);
    }
    let output = restore(&archive, &target, &[]).run();
    assert_eq!(output.stderr.matches("nothing was changed").count(), 1, "{}", output.stderr);
}

#[test]
fn row_28_a_postgres_target_that_is_not_empty_is_10() {
    a_full_target_is_refused(postgres15());
}

#[test]
fn row_28_a_mysql_target_that_is_not_empty_is_10() {
    a_full_target_is_refused(mysql());
}

#[test]
fn a_target_that_is_not_there_is_10_and_create_is_the_hint() {
    for (server, dump) in [(postgres15(), "pg_dump-15.custom.dump"), (mysql(), "mysql-9.7.4.sql")] {
        let archive = fixture(&format!("dumps/{dump}"));
        let output =
            dbhaul().arg("restore").arg(archive).arg(server.uri("not_there")).client_dirs([server.client_dir()]);
        output.run().refused(10, &["\"not_there\" does not exist", "nothing was changed", "hint: --create"]);
    }
}

#[test]
fn an_archive_of_the_other_family_is_10() {
    let (postgres, mysql) = (postgres15().database("target"), mysql().database("target"));
    let words =
        ["can't be restored into a", "hint: name the URI of a server of the same family", "nothing was changed"];
    for name in ["mysql-9.7.4.sql", "mariadb-10.11.19.sql"] {
        restore(&fixture(&format!("dumps/{name}")), &postgres, &[]).run().refused(10, &words);
    }
    for name in ["pg_dump-15.custom.dump", "pg_dump-18.plain.sql", "pg_dump-18.directory"] {
        restore(&fixture(&format!("dumps/{name}")), &mysql, &[]).run().refused(10, &words);
    }
    let folder = tempfile::tempdir().expect("a folder");
    restore(&dump(&source(postgres15()), &folder), &mysql, &[]).run().refused(10, &words);
}

#[test]
fn a_target_whose_version_cannot_take_the_dump_is_10() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = mysql().database("source");
    source.sql("CREATE TABLE t (name varchar(20)) COLLATE utf8mb4_0900_ai_ci");
    let target = mariadb().database("target");
    let words = ["MariaDB 10.11", "does not know the collation utf8mb4_0900_ai_ci", "nothing was changed", "hint:"];
    restore(&dump(&source, &folder), &target, &[]).run().refused(10, &words);
    assert_eq!(checksum(&target).len(), 0);
}

#[test]
fn an_extension_that_the_target_has_not_is_10() {
    let target = postgres15().database("target");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("dump.sql");
    let dump = fs::read_to_string(fixture("dumps/pg_dump-15.plain.sql")).expect("read");
    let (head, tail) = dump.split_once("\nSET default_tablespace").expect("a plain dump");
    let extension = "\nCREATE EXTENSION IF NOT EXISTS no_such_extension WITH SCHEMA public;\n";
    fs::write(&path, format!("{head}{extension}\nSET default_tablespace{tail}")).expect("write");
    restore(&path, &target, &[]).run().refused(10, &["no_such_extension", "nothing was changed", "hint:"]);
}

#[test]
fn an_unread_clean_on_the_wrong_database_changes_nothing() {
    // --clean with an archive that can't be restored must not drop first.
    let target = postgres15().database("target");
    tables(&target, false);
    fill(&target);
    let archive = fixture("dumps/mysql-9.7.4.sql");
    restore(&archive, &target, &["--clean", "schema", "--yes"]).run().refused(10, &["nothing was changed"]);
    assert_eq!(rows(&target), ["500", "500"]);
}

fn postgres_rolls_back(server: &Server, options: &[&str], plain: bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let source = source(server);
    let path = folder.path().join("archive.tar.gz");
    let mut dump = dbhaul().args(["dump", &source.uri(), "--data-only", "-o"]).arg(&path);
    if plain {
        dump = dump.args(["--format", "plain"]);
    }
    dump.client_dirs([server.client_dir()]).run().expect_code(0);
    let target = server.database("target");
    tables(&target, true);
    let output = restore(&path, &target, &[&["--into-non-empty"], options].concat()).run();
    let words = ["violates check constraint", "the restore itself changed nothing: its transaction was rolled back"];
    output.refused(7, &words);
    assert_eq!(rows(&target), ["0", "0"]);
}

#[test]
fn row_24_a_violated_constraint_rolls_a_custom_restore_back_and_says_so() {
    postgres_rolls_back(postgres15(), &["--data-only"], false);
}

#[test]
fn a_violated_constraint_rolls_a_plain_restore_back_and_says_so() {
    postgres_rolls_back(postgres18(), &[], true);
}

#[test]
fn several_jobs_are_no_transaction_and_the_message_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = postgres15();
    let archive = dump(&source(server), &folder);
    let target = server.database("target");
    tables(&target, true);
    let options = ["--into-non-empty", "--data-only", "--jobs", "2"];
    let words = [
        "violates check constraint",
        "the target may have been changed: what was restored before the error stays in it",
        "hint:",
    ];
    restore(&archive, &target, &options).run().refused(7, &words);
    // The other job's table is whole, or its copy was ended with the failed one's.
    assert_eq!(rows(&target)[1], "0");
}

fn mysql_keeps_a_part(server: &Server) {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = dump(&source(server), &folder);
    let target = server.database("target");
    tables(&target, true);
    let words = ["the target may have been changed: what was restored before the error stays in it", "hint:"];
    restore(&archive, &target, &["--into-non-empty", "--data-only"]).run().refused(7, &words);
    assert_eq!(rows(&target), ["500", "0"]);
}

#[test]
fn a_violated_constraint_leaves_a_part_in_mysql_and_the_message_says_so() {
    mysql_keeps_a_part(mysql());
}

#[test]
fn a_violated_constraint_leaves_a_part_in_mariadb_and_the_message_says_so() {
    mysql_keeps_a_part(mariadb());
}

#[test]
fn what_clean_would_drop_is_there_after_a_failure() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = postgres15();
    let archive = dump(&source(server), &folder);
    let target = server.database("target");
    tables(&target, false);
    fill(&target);
    for program in ["pg_restore", "psql"] {
        let real = server.client_dir().join(program);
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = --version ] && exec '{}' --version\necho 'psql: error: broken' >&2\nexit 1\n",
            real.display()
        );
        fake_client(folder.path(), program, &script);
    }
    let output = restore(&archive, &target, &["--clean", "schema", "--yes"]).client_dirs([folder.path()]).run();
    output.refused(7, &["broken", "rolled back"]);
    assert_eq!(rows(&target), ["500", "500"]);
}

/// A restore that has filled the first table and waits for the second, which is locked.
fn waiting(archive: &PathBuf, target: &Database<'_>) -> (Lock, Running) {
    let gate = Gate::before(&target.server().client_dir());
    let restore = restore(archive, target, &["--into-non-empty", "--data-only"]).client_dirs([gate.folder()]);
    let mut running = restore.spawn();
    running.wait_until("a client before the gate", |_| gate.reached());
    let lock = Lock::on(target, "b_second");
    gate.open();
    running.wait_until("a session that waits for the lock", |_| sessions(target, true) > 0);
    (lock, running)
}

/// A restore that waits for a locked table, and what happens when `act` is done to it.
fn interrupted(server: &Server, act: impl FnOnce(u32, &Database<'_>)) -> (Output, [String; 2]) {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = dump(&source(server), &folder);
    let target = server.database("target");
    tables(&target, false);
    let (lock, running) = waiting(&archive, &target);
    act(running.pid(), &target);
    let output = running.wait();
    drop(lock);
    eventually("every session is gone", || sessions(&target, false) == 0);
    let rows = rows(&target);
    (output, rows)
}

fn kill_loader(dbhaul: u32, names: &[&str]) {
    kill(names.iter().find_map(|name| child_of(dbhaul, name)).expect("a loader"));
}

#[test]
fn a_killed_loader_is_7_and_postgres_rolls_back() {
    let (output, rows) = interrupted(postgres15(), |pid, _| kill_loader(pid, &["pg_restore", "psql"]));
    output.refused(7, &["was killed by SIGKILL", "its transaction was rolled back"]);
    assert_eq!(rows, ["0", "0"]);
}

#[test]
fn a_killed_loader_is_7_and_mysql_keeps_a_part() {
    for server in [mysql(), mariadb()] {
        let (output, rows) = interrupted(server, |pid, _| kill_loader(pid, &["mysql", "mariadb"]));
        output.refused(
            7,
            &[
                "was killed by SIGKILL",
                "the target may have been changed: what was restored before the error stays in it",
            ],
        );
        assert_eq!(rows[0], "500");
    }
}

#[test]
fn a_session_that_the_server_ends_is_7_and_postgres_rolls_back() {
    let (output, rows) = interrupted(postgres15(), |_, target| {
        let waiting = "datname = current_database() AND wait_event_type = 'Lock'";
        target.sql(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {waiting}"));
    });
    output.refused(7, &["terminat", "its transaction was rolled back"]);
    assert_eq!(rows, ["0", "0"]);
}

fn server_goes_away(flavour: Flavour, left: &str) {
    let server = Server::start(flavour);
    let folder = tempfile::tempdir().expect("a folder");
    let archive = dump(&source(&server), &folder);
    let running = {
        let target = server.database("target");
        tables(&target, false);
        let (lock, running) = waiting(&archive, &target);
        // The database goes with its server.
        std::mem::forget((target, lock));
        running
    };
    server.stop();
    running.wait().refused(7, &[left, "hint:"]);
}

#[test]
fn a_server_that_goes_away_in_a_restore_is_7_for_postgres() {
    server_goes_away(Flavour::Postgres15, "its transaction was rolled back");
}

#[test]
fn a_server_that_goes_away_in_a_restore_is_7_for_mysql() {
    server_goes_away(
        Flavour::Mysql,
        "the target may have been changed: what was restored before the error stays in it",
    );
}
