//! Whatever ends one job ends all, at once: nothing is published, no process and no session is left, and it is said which.

use std::{fs, path::Path};

use rustix::process::Signal;
use tempfile::TempDir;

use super::{assert_empty, tables};
use crate::support::{
    Database, Dbhaul, Running, Server, alive, assert_gone, dbhaul, descendants, eventually, fake_client, kill, names,
    postgres15, postgres18, sessions,
};

/// A `pg_dump` that does `main` or, where it dumps rows alone, `others` with what the real one writes.
fn client(folder: &Path, server: &Server, main: &str, others: &str) {
    let real = server.client_dir().join("pg_dump").display().to_string();
    let script = format!(
        "#!/bin/bash\n[ \"$1\" = --version ] && exec '{real}' --version\nset -o pipefail\nhere='{}'\n\
         case \" $* \" in *' --data-only '*) '{real}' \"$@\" | {others};; *) '{real}' \"$@\" | {main};; esac\n",
        folder.display()
    );
    fake_client(folder, "pg_dump", &script);
}

/// Half of the rows, and then nothing for a long time.
const HANGS: &str = "(head -c 200000; touch \"$here/$BASHPID\"; sleep 1000)";

fn dump(database: &Database<'_>, clients: &Path, folder: &TempDir) -> Dbhaul {
    dbhaul().args(["dump", "--jobs", "3", &database.uri()]).client_dirs([clients]).cwd(folder.path())
}

/// A dump whose three clients have all come to the middle of their rows.
fn in_the_middle<'s>(server: &'s Server, folder: &TempDir) -> (Database<'s>, TempDir, Running) {
    let database = server.database("ends");
    tables(&database, 5, 3000);
    let clients = tempfile::tempdir().expect("a folder");
    client(clients.path(), server, HANGS, HANGS);
    let mut running = dump(&database, clients.path(), folder).spawn();
    running.wait_until("all jobs in the middle", |_| names(clients.path()).len() == 4);
    (database, clients, running)
}

/// Nothing is left of it anywhere.
fn nothing_is_left(database: &Database<'_>, clients: &TempDir, folder: &TempDir, children: &[u32]) {
    eventually("every process is gone", || !children.iter().any(|&pid| alive(pid)));
    assert_gone(&clients.path().display().to_string());
    eventually("every session is gone", || sessions(database, false) == 0);
    assert_empty(folder);
}

fn command_line(pid: u32) -> String {
    String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()).replace('\0', " ")
}

#[test]
fn a_job_that_is_killed_ends_all() {
    for (server, rows_alone) in [(postgres15(), true), (postgres18(), false)] {
        let folder = tempfile::tempdir().expect("a folder");
        let (database, clients, running) = in_the_middle(server, &folder);
        let children = descendants(running.pid());
        let script = clients.path().join("pg_dump").display().to_string();
        let job = |pid: &&u32| {
            let line = command_line(**pid);
            line.contains(&script) && line.contains("--snapshot") && line.contains("--data-only") == rows_alone
        };
        kill(*children.iter().find(job).expect("a job"));
        let output = running.wait().refused(6, &["of 3 was killed by SIGKILL"]);
        assert_eq!(output.stderr.contains("pg_dump 1 of 3"), !rows_alone, "{}", output.stderr);
        nothing_is_left(&database, &clients, &folder, &children);
    }
}

#[test]
fn the_session_that_holds_the_snapshot_ends_all_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (database, clients, running) = in_the_middle(postgres15(), &folder);
    let children = descendants(running.pid());
    let holder = "state = 'idle in transaction' AND query LIKE '%relpersistence%'";
    let ended = database.sql(&format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND {holder}"
    ));
    assert_eq!(ended, "t");
    running.wait().refused(6, &["the session that held the dump's snapshot ended", "nothing was published"]);
    nothing_is_left(&database, &clients, &folder, &children);
}

#[test]
fn term_and_int_end_all_jobs() {
    for (signal, code, words) in [(Signal::TERM, 143, "stopped by SIGTERM"), (Signal::INT, 130, "stopped by SIGINT")] {
        let folder = tempfile::tempdir().expect("a folder");
        let (database, clients, running) = in_the_middle(postgres15(), &folder);
        let children = descendants(running.pid());
        running.signal(signal);
        running.wait().refused(code, &[words]);
        nothing_is_left(&database, &clients, &folder, &children);
    }
}

#[test]
fn a_job_that_ends_early_is_never_taken_for_whole() {
    let database = postgres15().database("ends");
    tables(&database, 5, 3000);
    let whole = "cat";
    for (main, others, code, words) in [
        // In the rows, in the table of contents, and before the first byte, with exit code 0.
        (whole, "(head -c 200000; cat >/dev/null)", 6, "the dump is not complete"),
        ("(head -c 200000; cat >/dev/null)", whole, 6, "the dump is not complete"),
        (whole, "(head -c 900; cat >/dev/null)", 6, "it"),
        ("(head -c 900; cat >/dev/null)", whole, 6, "one ends inside its table of contents"),
        ("(cat >/dev/null)", whole, 6, "one ends inside its table of contents"),
        // Every byte, and another exit code.
        (whole, "(cat; exit 3)", 6, "of 3 ended with exit code 3"),
        ("(cat; exit 3)", whole, 6, "pg_dump 1 of 3 ended with exit code 3"),
        // What is no dump.
        (whole, "(cat >/dev/null; echo no dump)", 6, "PGDMP"),
        // One that is silent.
        (whole, "(sleep 1000)", 11, "of 3 moved no byte for 3 s"),
    ] {
        let (clients, folder) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        client(clients.path(), postgres15(), main, others);
        dump(&database, clients.path(), &folder).args(["--idle-timeout", "3"]).run().refused(code, &[words]);
        nothing_is_left(&database, &clients, &folder, &[]);
    }
}

#[test]
fn a_disk_that_is_full_ends_all_jobs() {
    let database = postgres15().database("ends");
    tables(&database, 5, 30_000);
    let disk = crate::support::Disk::mount("size=1m");
    let dump = dbhaul().args(["dump", "--jobs", "4", &database.uri()]).client_dirs([postgres15().client_dir()]);
    let output = dump.args(["--compression", "none", "-o"]).arg(format!("{}/", disk.path().display())).run();
    output.refused(9, &["No space left on device", "nothing was published"]);
    assert_eq!(names(disk.path()), [""; 0]);
    eventually("every session is gone", || sessions(&database, false) == 0);
}

#[test]
fn a_table_that_is_locked_in_the_middle_is_named() {
    let database = postgres15().database("ends");
    tables(&database, 5, 100);
    let folder = tempfile::tempdir().expect("a folder");
    let lock = crate::support::Lock::on(&database, "t5");
    let dump = dump(&database, &postgres15().client_dir(), &folder).args(["--idle-timeout", "5"]);
    dump.run().refused(6, &["t5"]);
    drop(lock);
    eventually("every session is gone", || sessions(&database, false) == 0);
    assert_empty(&folder);
}

#[test]
fn what_several_jobs_can_not_do_is_refused() {
    let postgres = postgres15().database("ends");
    tables(&postgres, 2, 10);
    let run = |database: &Database<'_>, args: &[&str]| {
        dbhaul().arg("dump").args([&database.uri()]).client_dirs([database.server().client_dir()]).args(args).run()
    };
    run(&postgres, &["--jobs", "2", "--format", "plain"]).refused(2, &["--jobs and --format plain exclude"]);
    run(&postgres, &["--jobs", "2", "--", "--inserts"]).refused(2, &["arguments after --"]);
    run(&postgres, &["--jobs", "0"]).refused(2, &["--jobs"]);
    run(&postgres, &["--jobs", "65"]).refused(2, &["--jobs"]);
    let role = format!("limited_{}", postgres.name());
    postgres.sql(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'p' CONNECTION LIMIT 3; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"
    ));
    let uri = postgres15().uri_as(&role, "p", postgres.name());
    let limited = dbhaul().args(["dump", "--jobs", "8", &uri]).client_dirs([postgres15().client_dir()]).run();
    limited.refused(10, &["8 jobs need 9 connections", "nothing was started"]);
    postgres.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}
