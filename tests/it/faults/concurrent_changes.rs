//! What changes under a dump or a restore while it runs, and clients that are not what they say.

use std::{fs, process::Command};

use crate::{
    roundtrip::dumped,
    support::{
        Database, Dbhaul, Flavour, Gate, Lock, Server, checksum, dbhaul, eventually, mariadb, mysql, names, peak,
        postgres15, recorded_client, sessions,
    },
};

fn dump(database: &Database<'_>, clients: &std::path::Path, folder: &tempfile::TempDir) -> Dbhaul {
    dbhaul().args(["dump", &database.uri()]).client_dirs([clients]).cwd(folder.path())
}

fn two_tables(database: &Database<'_>) {
    database.sql("CREATE TABLE a_first (id int PRIMARY KEY); CREATE TABLE orders (id int PRIMARY KEY)");
    database.sql("INSERT INTO a_first VALUES (1); INSERT INTO orders VALUES (1), (2), (3)");
}

#[test]
fn a_client_that_lies_about_its_version_is_6_in_its_own_words_and_nothing_is_left() {
    for (server, program, recording, words) in [
        (postgres15(), "pg_dump", "pg_dump-15.20", "pg_dump: unrecognized option '--lock-wait-timeout=60s'"),
        (mysql(), "mysqldump", "mysqldump-9.7.4", "mysqldump: [ERROR] unknown option '--no-tablespaces'."),
    ] {
        let database = server.database("lied");
        two_tables(&database);
        let (clients, folder) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        recorded_client(clients.path(), program, recording, &format!("echo \"{words}\" >&2; exit 7"));
        dump(&database, clients.path(), &folder).run().refused(6, &[words, "exit code 7", "not what its version says"]);
        assert_eq!(names(folder.path()), [""; 0]);
    }
}

#[test]
fn a_client_that_floods_stderr_and_fails_is_told_in_few_lines() {
    let database = postgres15().database("flood");
    two_tables(&database);
    let (clients, folder) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let mark = |name: &str| clients.path().join(name).display().to_string();
    let script = format!(
        "yes 'pg_dump: warning: a line' | head -c 8000000 >&2\nhead -c 5000000 /dev/zero | tr '\\0' x >&2; echo >&2\n\
         echo 'pg_dump: error: the last word' >&2\ntouch {}; until [ -e {} ]; do sleep 0.01; done; exit 1",
        mark("flooded"),
        mark("go")
    );
    recorded_client(clients.path(), "pg_dump", "pg_dump-15.20", &script);
    let mut running = dump(&database, clients.path(), &folder).spawn();
    running.wait_until("the end of the flood", |_| clients.path().join("flooded").exists());
    let peak = peak(running.pid()).expect("it runs");
    fs::write(mark("go"), "").expect("go on");
    let output = running.wait().refused(6, &["the last word"]);
    assert!(peak < 64 * 1024, "{peak} KiB");
    assert!(output.stderr.len() < 16 << 10, "{} bytes", output.stderr.len());
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn a_database_that_is_dropped_in_the_middle_is_a_failure_and_nothing_is_left() {
    for server in [postgres15(), mysql(), mariadb()] {
        let database = server.database("dropped");
        two_tables(&database);
        let folder = tempfile::tempdir().expect("a folder");
        let gate = Gate::before(&server.client_dir());
        let mut running = dump(&database, gate.folder(), &folder).spawn();
        running.wait_until("a client before the gate", |_| gate.reached());
        if server.flavour().is_postgres() {
            // In the middle of its work.
            let lock = Lock::on(&database, "orders");
            gate.open();
            running.wait_until("a session that waits for the lock", |_| sessions(&database, true) > 0);
            server.sql(&format!("DROP DATABASE {} WITH (FORCE)", database.name()));
            drop(lock);
        } else {
            // Between the probe and the dump: a session in a dump keeps the database from being dropped.
            server.sql(&format!("DROP DATABASE {}", database.name()));
            gate.open();
        }
        let output = running.wait();
        assert!(matches!(output.code, Some(4 | 6)), "{output:?}");
        assert!(output.stderr.contains("error:"), "{}", output.stderr);
        assert_eq!(names(folder.path()), [""; 0]);
    }
}

#[test]
fn a_table_that_is_altered_in_the_middle_is_dumped_as_one_or_the_other() {
    // pg_dump locks all tables before it reads the first: whoever alters one waits for its end.
    let database = postgres15().database("altered");
    two_tables(&database);
    let folder = tempfile::tempdir().expect("a folder");
    let gate = Gate::before(&database.server().client_dir());
    let mut running = dump(&database, gate.folder(), &folder).spawn();
    running.wait_until("a client before the gate", |_| gate.reached());
    database.sql("ALTER TABLE orders ADD note text DEFAULT 'x'");
    gate.open();
    let output = running.wait().expect_code(0);
    let target = postgres15().database("altered");
    let restore = dbhaul().client_dirs([postgres15().client_dir()]).cwd(folder.path());
    restore.args(["restore", output.text().trim(), &target.uri()]).run().expect_code(0);
    assert_eq!(checksum(&target), checksum(&database));

    // mysqldump holds a snapshot, in which an altered table can no longer be read: the dump begins again.
    for server in [mysql(), mariadb()] {
        let database = server.database("altered");
        two_tables(&database);
        let folder = tempfile::tempdir().expect("a folder");
        let gate = Gate::before(&server.client_dir());
        let mut running = dump(&database, gate.folder(), &folder).spawn();
        running.wait_until("a client before the gate", |_| gate.reached());
        let lock = Lock::on(&database, "a_first");
        gate.open();
        running.wait_until("a session that waits for the lock", |_| sessions(&database, true) > 0);
        database.sql("ALTER TABLE orders ADD note int DEFAULT 7, ALGORITHM=COPY");
        drop(lock);
        let output = running.wait().expect_code(0);
        assert!(output.stderr.contains("begun again, once"), "{}", output.stderr);
        let target = server.database("altered");
        let restore = dbhaul().client_dirs([server.client_dir()]).cwd(folder.path());
        restore.args(["restore", output.text().trim(), &target.uri()]).run().expect_code(0);
        assert_eq!(checksum(&target), checksum(&database));
    }
}

/// A restore of rows alone that waits for a lock on its target's table.
fn waiting_restore<'s>(
    server: &'s Server,
    folder: &tempfile::TempDir,
) -> (Database<'s>, Lock, crate::support::Running) {
    let source = server.database("restart");
    two_tables(&source);
    let (archive, _) = dumped(&source, folder, &[]);
    let target = server.database("restart");
    target.sql("CREATE TABLE a_first (id int PRIMARY KEY); CREATE TABLE orders (id int PRIMARY KEY)");
    let gate = Gate::before(&server.client_dir());
    let restore = dbhaul().client_dirs([gate.folder()]).args(["restore", "--data-only", "--into-non-empty"]);
    let mut running = restore.arg(&archive).arg(target.uri()).spawn();
    running.wait_until("a client before the gate", |_| gate.reached());
    let lock = Lock::on(&target, "orders");
    gate.open();
    running.wait_until("a session that waits for the lock", |_| sessions(&target, true) > 0);
    std::mem::forget(source);
    (target, lock, running)
}

#[test]
fn a_postgres_that_restarts_during_a_restore_has_nothing_of_it() {
    let server = Server::start(Flavour::Postgres15);
    let folder = tempfile::tempdir().expect("a folder");
    let (target, lock, running) = waiting_restore(&server, &folder);
    // The tests' servers commit without waiting for the disk: what the target holds must outlive this.
    target.sql("CHECKPOINT");
    // A backend that is killed has the server restart itself, and recover.
    let backend = target.sql("SELECT pg_backend_pid(), pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
    let pid = backend.split('\t').nth(1).expect("a process");
    assert!(Command::new("kill").args(["-KILL", pid]).status().expect("run kill").success());
    running.wait().refused(7, &["rolled back"]);
    drop(lock);
    eventually("the server takes sessions again", || target.try_sql("SELECT 1").is_ok());
    assert_eq!(target.sql("SELECT (SELECT count(*) FROM a_first), (SELECT count(*) FROM orders)"), "0\t0");
    assert!(server.log().contains("automatic recovery in progress") || server.log().contains("reinitializing"));
}

#[test]
fn a_mysql_that_goes_away_during_a_restore_may_have_part_of_it() {
    for flavour in [Flavour::Mysql, Flavour::Mariadb] {
        let server = Server::start(flavour);
        let folder = tempfile::tempdir().expect("a folder");
        let running = {
            let (target, lock, running) = waiting_restore(&server, &folder);
            std::mem::forget((target, lock));
            running
        };
        server.stop();
        running.wait().refused(7, &["the target may have been changed", "empty the tables that it fills"]);
    }
}
