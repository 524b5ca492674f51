//! Signals in the middle of a dump and of a restore: the exit code, nothing published, no process and no session left.

use std::{fs, path::Path};

use rustix::process::Signal;

use crate::support::{
    Database, Dbhaul, Gate, Lock, Output, Running, Server, Silent, alive, checksum, dbhaul, descendants, eventually,
    fake_client, mariadb, mysql, names, postgres15, sessions,
};

fn dump(database: &Database<'_>, folder: &Path) -> Dbhaul {
    dbhaul().args(["dump", &database.uri()]).client_dirs([database.server().client_dir()]).cwd(folder)
}

fn orders(database: &Database<'_>) {
    database.sql("CREATE TABLE orders (id int PRIMARY KEY)");
    database.sql("INSERT INTO orders VALUES (1), (2), (3)");
}

/// Starts it, and waits until its client waits for a lock on the table.
fn blocked(dbhaul: Dbhaul, database: &Database<'_>) -> (Lock, Running) {
    let gate = Gate::before(&database.server().client_dir());
    let mut running = dbhaul.client_dirs([gate.folder()]).spawn();
    running.wait_until("a client before the gate", |_| gate.reached());
    let lock = Lock::on(database, "orders");
    gate.open();
    running.wait_until("a session that waits for the lock", |_| sessions(database, true) > 0);
    (lock, running)
}

/// Sends signals, and waits until neither a process nor a session is left.
fn signalled(lock: Lock, running: Running, database: &Database<'_>, signals: &[Signal]) -> Output {
    let children = descendants(running.pid());
    assert!(!children.is_empty(), "no client runs");
    for &signal in signals {
        running.signal(signal);
    }
    let output = running.wait();
    eventually("every process is gone", || !children.iter().any(|&pid| alive(pid)));
    // A server need not notice that a client is gone while it waits for a lock itself.
    drop(lock);
    eventually("every session is gone", || sessions(database, false) == 0);
    output
}

fn a_dump(server: &Server, signals: &[Signal], code: i32, name: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let database = server.database("signals");
    orders(&database);
    let (lock, running) = blocked(dump(&database, folder.path()), &database);
    assert_eq!(names(folder.path()).len(), 1, "a .partial file");
    signalled(lock, running, &database, signals).refused(code, &[name]);
    assert_eq!(names(folder.path()), [""; 0]);
}

fn a_restore(server: &Server, signals: &[Signal], code: i32, words: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive.tar.gz");
    let source = server.database("signals");
    orders(&source);
    dump(&source, folder.path()).arg("-o").arg(&archive).run().expect_code(0);
    let target = server.database("signals");
    target.sql("CREATE TABLE orders (id int PRIMARY KEY)");
    let empty = checksum(&target);
    let restore = dbhaul().arg("restore").arg(&archive).arg(target.uri()).args(["--into-non-empty", "--data-only"]);
    let (lock, running) = blocked(restore, &target);
    signalled(lock, running, &target, signals).refused(code, words);
    assert_eq!(checksum(&target), empty);
}

#[test]
fn term_ends_a_dump_with_143() {
    for server in [postgres15(), mysql(), mariadb()] {
        a_dump(server, &[Signal::TERM], 143, "stopped by SIGTERM");
    }
}

#[test]
fn int_ends_a_dump_with_130() {
    for server in [postgres15(), mysql()] {
        a_dump(server, &[Signal::INT], 130, "stopped by SIGINT");
    }
}

#[test]
fn hup_ends_a_dump_with_129() {
    for server in [postgres15(), mysql()] {
        a_dump(server, &[Signal::HUP], 129, "stopped by SIGHUP");
    }
}

#[test]
fn term_int_and_hup_end_a_restore_into_postgres_and_it_is_rolled_back() {
    let left = "its transaction was rolled back";
    a_restore(postgres15(), &[Signal::TERM], 143, &["stopped by SIGTERM", left]);
    a_restore(postgres15(), &[Signal::INT], 130, &["stopped by SIGINT", left]);
    a_restore(postgres15(), &[Signal::HUP], 129, &["stopped by SIGHUP", left]);
}

#[test]
fn term_and_int_end_a_restore_into_mysql_and_what_may_be_left_is_said() {
    let left = "the target may have been changed";
    a_restore(mysql(), &[Signal::TERM], 143, &["stopped by SIGTERM", left]);
    a_restore(mysql(), &[Signal::INT], 130, &["stopped by SIGINT", left]);
    a_restore(mariadb(), &[Signal::TERM], 143, &["stopped by SIGTERM", left]);
}

/// A client that won't end when it is asked to, with a child of its own.
fn stubborn(folder: &Path, server: &Server, program: &str) {
    let real = server.client_dir().join(program);
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && exec '{}' --version\ntrap '' TERM INT HUP\nsleep 1000 &\ntouch '{}'\n\
         while :; do sleep 1000; done\n",
        real.display(),
        folder.join("arrived").display(),
    );
    fake_client(folder, program, &script);
}

#[test]
fn a_second_term_kills_a_client_that_ignores_the_first_at_once() {
    let database = postgres15().database("signals");
    orders(&database);
    let (folder, clients) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    stubborn(clients.path(), postgres15(), "pg_dump");
    // Without the second signal it would take longer than the test may.
    let dump = dump(&database, folder.path()).client_dirs([clients.path()]).args(["--grace-period", "1000"]);
    let mut running = dump.spawn();
    running.wait_until("the client", |_| clients.path().join("arrived").exists());
    let children = descendants(running.pid());
    running.signal(Signal::TERM);
    // Two signals at one moment are one signal: the first must have been heard.
    eventually("the first signal was heard", || {
        running.signal(Signal::TERM);
        !children.iter().any(|&pid| alive(pid))
    });
    running.wait().refused(143, &["stopped by SIGTERM"]);
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn a_client_that_ignores_term_is_killed_when_its_grace_period_is_over() {
    let database = postgres15().database("signals");
    orders(&database);
    let (folder, clients) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    stubborn(clients.path(), postgres15(), "pg_dump");
    let dump = dump(&database, folder.path()).client_dirs([clients.path()]).args(["--grace-period", "1"]);
    let mut running = dump.spawn();
    running.wait_until("the client", |_| clients.path().join("arrived").exists());
    let children = descendants(running.pid());
    running.signal(Signal::TERM);
    running.wait().refused(143, &["stopped by SIGTERM"]);
    eventually("every process is gone", || !children.iter().any(|&pid| alive(pid)));
    assert_eq!(names(folder.path()), [""; 0]);
}

/// It waits for a server that never says a word.
#[test]
fn a_signal_before_the_first_change_says_that_nothing_was_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive.tar.gz");
    let source = postgres15().database("signals");
    orders(&source);
    dump(&source, folder.path()).arg("-o").arg(&archive).run().expect_code(0);
    let silent = Silent::listen();
    let uri = format!("postgres://nobody@127.0.0.1:{}/nothing", silent.port);
    for command in [dbhaul().arg("restore").arg(&archive).arg(&uri), dbhaul().arg("copy").arg(source.uri()).arg(&uri)] {
        let mut running = command.client_dirs([postgres15().client_dir()]).spawn();
        running.wait_until("a handler of TERM", |running| {
            let status = fs::read_to_string(format!("/proc/{}/status", running.pid())).unwrap_or_default();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0").trim();
            u64::from_str_radix(caught, 16).is_ok_and(|caught| caught & 1 << (Signal::TERM.as_raw() - 1) != 0)
        });
        running.signal(Signal::TERM);
        running.wait().refused(143, &["stopped by SIGTERM", "nothing was changed"]);
    }
}

/// kill -9: nobody can clean up, but the client must not go on, and the next dump says what was left.
fn killed_dump(server: &Server) {
    let folder = tempfile::tempdir().expect("a folder");
    let database = server.database("signals");
    orders(&database);
    let (lock, running) = blocked(dump(&database, folder.path()), &database);
    let output = signalled(lock, running, &database, &[Signal::KILL]);
    assert_eq!((output.signal, output.code), (Some(9), None));
    let left = names(folder.path());
    assert!(left.len() == 1 && left[0].ends_with(".partial"), "{left:?}");
    let before = fs::read(folder.path().join(&left[0])).expect("read");

    let next = dump(&database, folder.path()).run().expect_code(0);
    let warned = next.stderr.lines().any(|line| line.starts_with("warning") && line.contains(&left[0]));
    assert!(warned, "{}", next.stderr);
    assert_eq!(fs::read(folder.path().join(&left[0])).expect("still there"), before);
    assert_eq!(names(folder.path()).len(), 2);
}

#[test]
fn kill_9_leaves_a_partial_file_of_postgres_that_the_next_dump_names() {
    killed_dump(postgres15());
}

#[test]
fn kill_9_leaves_a_partial_file_of_mysql_that_the_next_dump_names() {
    killed_dump(mysql());
}

#[test]
fn kill_9_in_a_restore_leaves_no_process_and_postgres_rolls_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive.tar.gz");
    let source = postgres15().database("signals");
    orders(&source);
    dump(&source, folder.path()).arg("-o").arg(&archive).run().expect_code(0);
    let target = postgres15().database("signals");
    target.sql("CREATE TABLE orders (id int PRIMARY KEY)");
    let restore = dbhaul().arg("restore").arg(&archive).arg(target.uri()).args(["--into-non-empty", "--data-only"]);
    let (lock, running) = blocked(restore, &target);
    let output = signalled(lock, running, &target, &[Signal::KILL]);
    assert_eq!(output.signal, Some(9));
    assert_eq!(target.sql("SELECT count(*) FROM orders"), "0");
}

#[test]
fn the_partial_file_of_a_dump_that_runs_is_not_called_a_leftover() {
    let folder = tempfile::tempdir().expect("a folder");
    let (slow, other) = (postgres15().database("signals"), postgres15().database("signals"));
    orders(&slow);
    orders(&other);
    let (lock, running) = blocked(dump(&slow, folder.path()), &slow);
    let output = dump(&other, folder.path()).run().expect_code(0);
    assert!(!output.stderr.contains(".partial"), "{}", output.stderr);
    drop(lock);
    running.wait().expect_code(0);
    assert_eq!(names(folder.path()).iter().filter(|name| name.ends_with(".tar.gz")).count(), 2);
}
