//! What `kill -9` leaves, and what the next run says and does about it.

use std::{fs, path::Path, thread};

use rustix::process::Signal;

use super::{Case, MOMENTS, Moment, Stage, Work, lent, stage::archive_of};
use crate::support::{Database, Dbhaul, Flavour, Output, alive, dbhaul, descendants, eventually, names, shared};

const DUMPS: [Case; 2] =
    [Case { work: Work::Dump, flavour: Flavour::Postgres15 }, Case { work: Work::Dump, flavour: Flavour::Mysql }];

fn dump(database: &Database<'_>, folder: &Path) -> Dbhaul {
    dbhaul().args(["dump", &database.uri()]).client_dirs([database.server().client_dir()]).cwd(folder)
}

/// Kills a dump, and tells what it left.
fn killed(stage: Stage<'static>) -> (Stage<'static>, String) {
    let held = stage.hold();
    held.running.signal(Signal::KILL);
    let (stage, _) = held.end();
    let [left] = names(stage.folder.path()).try_into().expect("one file");
    assert!(left.ends_with(".tar.gz.partial"), "{left}");
    (stage, left)
}

/// The line that names something.
fn named<'o>(output: &'o Output, label: &str, name: &str) -> &'o str {
    let line = output.stderr.lines().find(|line| line.starts_with(label) && line.contains(name));
    line.unwrap_or_else(|| panic!("no {label} about {name} in:\n{}", output.stderr))
}

#[test]
fn a_killed_dump_is_named_by_the_next_and_removed_when_that_is_wanted() {
    let all: Vec<_> = MOMENTS.iter().flat_map(|moment| DUMPS.map(|case| (case, *moment))).collect();
    thread::scope(|scope| {
        for part in all.chunks(2) {
            scope.spawn(move || {
                for &(case, moment) in part {
                    let (stage, left) = killed(Stage::at(case, moment));
                    let folder = stage.folder.path();
                    let next = dump(&stage.source, folder).run().expect_code(0);
                    let line = named(&next, "warning", &left);
                    assert!(line.contains(" old)") && line.contains("--remove-leftovers deletes it"), "{line}");
                    assert!(names(folder).contains(&left), "named, and left alone");

                    let next = dump(&stage.source, folder).env("DBHAUL_REMOVE_LEFTOVERS", "1").run().expect_code(0);
                    named(&next, "removed", &left);
                    assert!(names(folder).iter().all(|name| name.ends_with(".tar.gz")), "{:?}", names(folder));
                }
            });
        }
    });
}

#[test]
fn the_partial_file_of_a_dump_that_runs_is_never_touched() {
    let mut held = Stage::at(DUMPS[0], Moment::Middle).hold();
    let folder = held.stage.folder.path().to_owned();
    let [partial] = names(&folder).try_into().expect("one file");
    let out = tempfile::tempdir().expect("a folder");
    let other = lent::lend_filled(shared(Flavour::Postgres15));
    let beside = dump(&other, &folder).arg("--remove-leftovers").run().expect_code(0);
    assert!(!beside.stderr.contains(".partial"), "{}", beside.stderr);
    assert!(names(&folder).contains(&partial));
    fs::rename(folder.join(beside.text().trim()), out.path().join("beside")).expect("moved");
    held.release();
    assert_eq!(held.outcome(), "0, whole");
}

/// What another run may take for a leftover in the moment before it is locked.
#[test]
fn dumps_that_remove_leftovers_all_at_once_do_not_remove_each_others_files() {
    let folder = tempfile::tempdir().expect("a folder");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let source = lent::lend_filled(shared(Flavour::Postgres15));
                for _ in 0..3 {
                    let dump = dump(&source, folder.path()).args(["--name", "same", "--remove-leftovers"]);
                    dump.run().expect_code(0);
                }
            });
        }
    });
    let names = names(folder.path());
    assert_eq!(names.iter().filter(|name| name.ends_with(".tar.gz")).count(), 12, "{names:?}");
    assert_eq!(names.len(), 12, "{names:?}");
}

#[test]
fn where_no_lock_can_be_had_nothing_is_removed() {
    let (stage, left) = killed(Stage::at(DUMPS[0], Moment::Middle));
    let folder = stage.folder.path();
    let next = dump(&stage.source, folder).arg("--remove-leftovers").failing(&["flock:error=ENOLCK"]);
    let next = next.run().expect_code(0);
    let line = named(&next, "warning", &left);
    assert!(line.contains("the file system has no locks") && line.contains("when none does, delete it"), "{line}");
    assert!(names(folder).contains(&left));
}

#[test]
fn doctor_names_leftovers_of_every_kind_and_removes_what_it_can() {
    let (stage, partial) = killed(Stage::at(DUMPS[0], Moment::Middle));
    let [folder, temp] = [stage.folder.path(), stage.temp.path()];
    let scratch = temp.join("dbhaul-scratch-left");
    fs::create_dir(&scratch).expect("made");
    fs::write(scratch.join("lock"), "").expect("written");
    fs::write(temp.join("dbhaul-spool-left"), "a copy").expect("written");
    fs::write(temp.join("somebody-elses"), "").expect("written");

    let doctor = || dbhaul().args(["doctor", &stage.source.uri()]).cwd(folder).env("TMPDIR", temp);
    let output = doctor().run().expect_code(0);
    for left in [&partial, "dbhaul-scratch-left", "dbhaul-spool-left"] {
        named(&output, "warning", left);
    }
    assert_eq!((names(folder).len(), names(temp).len()), (1, 3));

    let output = doctor().arg("--remove-leftovers").run().expect_code(0);
    for left in [&partial, "dbhaul-scratch-left", "dbhaul-spool-left"] {
        named(&output, "removed", left);
    }
    assert_eq!(names(folder), [""; 0]);
    assert_eq!(names(temp), ["somebody-elses"]);
}

#[test]
fn a_database_of_a_trial_is_named_and_never_dropped() {
    let server = crate::support::Server::start(Flavour::Postgres15);
    server.sql("CREATE DATABASE dbhaul_verify_0123456789");
    let source = server.database("source");
    let doctor = dbhaul().args(["doctor", &source.uri(), "--json", "--remove-leftovers"]);
    let output = doctor.client_dirs([server.client_dir()]).run().expect_code(0);
    assert_eq!(output.json()["trial_databases"], serde_json::json!(["dbhaul_verify_0123456789"]));
    named(&output, "warning", "dbhaul_verify_0123456789");
    assert_eq!(server.sql("SELECT count(*) FROM pg_database WHERE datname = 'dbhaul_verify_0123456789'"), "1");
}

#[test]
fn the_copy_of_a_killed_verify_is_removed_by_the_next_one() {
    let temp = tempfile::tempdir().expect("a folder");
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let archive = archive_of(Flavour::Mysql);
    let verify = || dbhaul().args(["verify", "-", "--remove-leftovers"]).env("TMPDIR", temp.path());
    let running = verify().input_file(fs::File::from(std::os::fd::OwnedFd::from(reader))).spawn();
    std::io::Write::write_all(&mut writer, &archive[..1000]).expect("dbhaul reads");
    eventually("a temporary copy", || !names(temp.path()).is_empty());
    let children = descendants(running.pid());
    // While it lives, nobody takes it away.
    verify().input(archive.clone()).run().expect_code(0);
    let [left] = names(temp.path()).try_into().expect("the copy of the one that runs");
    running.signal(Signal::KILL);
    running.wait();
    eventually("every process is gone", || !children.iter().any(|&pid| alive(pid)));
    assert_eq!(names(temp.path()), [left.as_str()]);
    let next = verify().input(archive).run().expect_code(0);
    named(&next, "removed", &left);
    assert_eq!(names(temp.path()), [""; 0]);
}
