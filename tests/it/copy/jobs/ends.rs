//! Whatever ends one lane ends all, at once; it is said which side it was, and that the target was changed.

use std::{fs, os::unix::fs::symlink};

use rustix::process::Signal;
use tempfile::TempDir;

use super::copy;
use crate::{
    dump::postgres_jobs::tables,
    support::{
        Database, Dbhaul, Running, Server, alive, assert_gone, checksum, dbhaul, descendants, eventually, fake_client,
        kill, names, postgres15, postgres18, sessions,
    },
};

const MAY_BE_CHANGED: &str = "the target may have been changed";
const UNCHANGED: &str = "the restore itself changed nothing";

/// Clients whose `pg_dump` does this with what the real one writes: of the definitions under a snapshot, of the first
/// lane's rows, of the others'.
fn clients(server: &Server, definitions: &str, first: &str, others: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let real = server.client_dir().join("pg_dump").display().to_string();
    let script = format!(
        "#!/bin/bash\n[ \"$1\" = --version ] && exec '{real}' --version\nset -o pipefail\nhere='{}'\n\
         case \" $* \" in\n\
         *' --data-only '*) '{real}' \"$@\" | {others};;\n\
         *' --section=data '*) '{real}' \"$@\" | {first};;\n\
         *' --snapshot='*) '{real}' \"$@\" | {definitions};;\n\
         *) exec '{real}' \"$@\";;\nesac\n",
        folder.path().display()
    );
    fake_client(folder.path(), "pg_dump", &script);
    for loader in ["pg_restore", "psql"] {
        symlink(server.client_dir().join(loader), folder.path().join(loader)).expect("a link");
    }
    folder
}

const WHOLE: &str = "cat";
/// Half of the rows, and then nothing for a long time.
const HANGS: &str = "(head -c 200000; touch \"$here/half-$BASHPID\"; sleep 1000)";
/// Half of the rows, and the others once there is a file `go` with a part of the arguments.
const HALTS: &str = "(head -c 200000; touch \"$here/half-$BASHPID\"; \
    until [ -e \"$here/go\" ] && [[ \"$*\" == *\"$(cat \"$here/go\")\"* ]]; do sleep 0.05; done; cat)";

struct Copying<'s> {
    source: Database<'s>,
    target: Database<'s>,
    clients: TempDir,
    temp: TempDir,
}

impl<'s> Copying<'s> {
    fn new(server: &'s Server, clients: TempDir) -> Self {
        let (source, target) = (server.database("ends"), server.database("target"));
        tables(&source, 5, 3000);
        Self { source, target, clients, temp: tempfile::tempdir().expect("a folder") }
    }

    fn copy(&self) -> Dbhaul {
        let dbhaul = dbhaul().client_dirs([self.clients.path()]).env("TMPDIR", self.temp.path());
        dbhaul.args(["copy", &self.source.uri(), &self.target.uri(), "--jobs", "3"])
    }

    /// All three lanes have come to the middle of their rows.
    fn in_the_middle(&self) -> Running {
        let mut running = self.copy().spawn();
        let halves = || names(self.clients.path()).iter().filter(|name| name.starts_with("half-")).count();
        running.wait_until("all lanes in the middle", |_| halves() == 3);
        eventually("all loaders load", || {
            self.target.sql(&at_work(&self.target, "%COPY %FROM stdin%")).lines().count() == 3
        });
        running
    }

    /// Those that halt and have this among their arguments go on.
    fn go(&self, argument: &str) {
        let [written, go] = ["written", "go"].map(|name| self.clients.path().join(name));
        fs::write(&written, argument).expect("write");
        fs::rename(&written, &go).expect("rename");
    }

    /// Another script for the `pg_dump` of these clients.
    fn rewrite(&self, how: impl FnOnce(&str) -> String) {
        let script = fs::read_to_string(self.clients.path().join("pg_dump")).expect("the script");
        fake_client(self.clients.path(), "pg_dump", &how(&script));
    }

    /// Nothing is left of it: processes, sessions, files.
    fn nothing_is_left(&self, children: &[u32]) {
        eventually("every process is gone", || !children.iter().any(|&pid| alive(pid)));
        assert_gone(&self.clients.path().display().to_string());
        for database in [&self.source, &self.target] {
            eventually("every session is gone", || sessions(database, false) == 0);
        }
        assert_eq!(names(self.temp.path()), [""; 0]);
    }

    /// Not all lanes were committed, and none that was not whole.
    fn no_half(&self) {
        let (held, whole) = (checksum(&self.target), checksum(&self.source));
        assert!(held != whole && held.iter().all(|(table, sum)| sum.0 == 0 || *sum == whole[table]), "{held:?}");
    }

    /// No lane was committed.
    fn no_rows(&self) {
        let held = checksum(&self.target);
        assert!(held.values().all(|(rows, _)| *rows == 0), "{held:?}");
    }
}

/// A query for the sessions that are doing this.
fn at_work(database: &Database<'_>, query: &str) -> String {
    format!(
        "SELECT pid FROM pg_stat_activity WHERE datname = '{}' AND pid <> pg_backend_pid() AND query LIKE '{query}'",
        database.name()
    )
}

/// Ends one of the sessions that are doing this.
fn end_session(database: &Database<'_>, query: &str) {
    let pids = at_work(database, query);
    assert_eq!(database.sql(&format!("SELECT pg_terminate_backend(pid) FROM ({pids} LIMIT 1) one")), "t");
}

fn command_line(pid: u32) -> String {
    String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()).replace('\0', " ")
}

#[test]
fn a_lane_whose_dumper_is_killed_ends_all() {
    for (server, option) in [(postgres15(), "--section=data"), (postgres18(), "--data-only")] {
        let copying = Copying::new(server, clients(server, WHOLE, HANGS, HANGS));
        let running = copying.in_the_middle();
        let children = descendants(running.pid());
        let script = copying.clients.path().join("pg_dump").display().to_string();
        let dumper = |pid: &&u32| command_line(**pid).contains(&script) && command_line(**pid).contains(option);
        kill(*children.iter().find(dumper).expect("a dumper"));
        let output = running.wait().refused(6, &["source: pg_dump", "of 3 was killed by SIGKILL", MAY_BE_CHANGED]);
        assert!(!output.stderr.contains(server.password()), "{}", output.stderr);
        copying.nothing_is_left(&children);
        copying.no_rows();
    }
}

#[test]
fn a_session_that_ends_on_the_source_ends_all() {
    let copying = Copying::new(postgres15(), clients(postgres15(), WHOLE, HALTS, HALTS));
    copying.source.sql("INSERT INTO t5 SELECT i, 1, repeat('long', 100) FROM generate_series(100001, 140000) i");
    let running = copying.in_the_middle();
    let children = descendants(running.pid());
    end_session(&copying.source, "COPY public.t5%TO stdout%");
    // Its lane is the first. The others stay where they are: one that were through before the end were committed.
    copying.go("--section=data");
    let words = ["source: pg_dump", "of 3 ended with exit code 1", MAY_BE_CHANGED];
    running.wait().refused(6, &words);
    copying.nothing_is_left(&children);
    copying.no_rows();
}

#[test]
fn a_session_that_ends_on_the_target_ends_all() {
    let copying = Copying::new(postgres15(), clients(postgres15(), WHOLE, HALTS, HALTS));
    let running = copying.in_the_middle();
    let children = descendants(running.pid());
    let loaded = |table: &str| format!("COPY public.{table} %");
    let dumped = |table: &str| format!("--table=\"public\".\"{table}\"");
    let table = (1..=5).map(|n| format!("t{n}")).find(|table| {
        children.iter().any(|&pid| command_line(pid).contains(&dumped(table)))
            && !copying.target.sql(&at_work(&copying.target, &loaded(table))).is_empty()
    });
    let table = table.expect("a lane and its table");
    end_session(&copying.target, &loaded(&table));
    // Its loader sees it when more rows come. The others stay where they are: one that were through before the end were
    // committed.
    copying.go(&dumped(&table));
    let words = ["target: pg_restore ended with exit code 1", MAY_BE_CHANGED];
    running.wait().refused(7, &words);
    copying.nothing_is_left(&children);
    copying.no_rows();
}

#[test]
fn the_session_that_holds_the_snapshot_ends_all_with_it() {
    let copying = Copying::new(postgres15(), clients(postgres15(), WHOLE, HANGS, HANGS));
    let running = copying.in_the_middle();
    let children = descendants(running.pid());
    end_session(&copying.source, "SELECT c.oid%relpersistence%");
    running.wait().refused(6, &["source: the session that held the dump's snapshot ended", MAY_BE_CHANGED]);
    copying.nothing_is_left(&children);
    copying.no_rows();
}

#[test]
fn term_and_int_end_all_lanes() {
    for (signal, code, words) in [(Signal::TERM, 143, "stopped by SIGTERM"), (Signal::INT, 130, "stopped by SIGINT")] {
        let copying = Copying::new(postgres15(), clients(postgres15(), WHOLE, HANGS, HANGS));
        let running = copying.in_the_middle();
        let children = descendants(running.pid());
        for pid in &children {
            for file in ["cmdline", "environ"] {
                let text = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
                assert!(!String::from_utf8_lossy(&text).contains(postgres15().password()), "{file} of {pid}");
            }
        }
        running.signal(signal);
        running.wait().refused(code, &[words, MAY_BE_CHANGED]);
        copying.nothing_is_left(&children);
        copying.no_rows();
    }
}

#[test]
fn term_ends_what_is_made_behind_rows() {
    let copying = Copying::new(postgres15(), clients(postgres15(), WHOLE, WHOLE, WHOLE));
    // A server does not look whether its client is still there: one that had no time to cancel leaves it asleep.
    slow_index(&copying.source, "PERFORM pg_sleep(25) WHERE current_database() LIKE 'target%'");
    let mut running = copying.copy().spawn();
    running.wait_until("an index is made", |_| {
        !copying.target.sql(&at_work(&copying.target, "CREATE INDEX slow%")).is_empty()
    });
    let children = descendants(running.pid());
    running.signal(Signal::TERM);
    running.wait().refused(143, &["stopped by SIGTERM", MAY_BE_CHANGED]);
    copying.nothing_is_left(&children);
}

/// An index that is made by doing this once for each row.
fn slow_index(source: &Database<'_>, body: &str) {
    source.sql(&format!(
        "CREATE FUNCTION slow(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN {body}; RETURN n; END $$;
         CREATE TABLE few (n int); INSERT INTO few VALUES (1); CREATE INDEX slow ON few (public.slow(n))"
    ));
}

#[test]
fn what_the_target_refuses_names_the_target() {
    let copying = Copying::new(postgres15(), clients(postgres15(), WHOLE, WHOLE, WHOLE));
    // An index.
    slow_index(&copying.source, "IF current_database() LIKE 'target%' THEN RAISE 'not here'; END IF");
    let words = ["target: pg_restore ended with exit code 1", "not here", MAY_BE_CHANGED, "restore again with"];
    copying.copy().run().refused(7, &words);
    copying.nothing_is_left(&[]);
    assert_eq!(checksum(&copying.target)["public.t1"], checksum(&copying.source)["public.t1"]);
    // A row of one lane.
    copying.source.sql("DROP TABLE few; ALTER TABLE t3 ADD CHECK (id < 5000 OR current_database() LIKE 'ends%')");
    let before = checksum(&copying.target);
    let again = copying.copy().args(["--clean", "schema", "--yes"]).run();
    again.refused(7, &["t3_id_check", "the target holds what it held before"]);
    copying.nothing_is_left(&[]);
    assert_eq!(checksum(&copying.target), before);
}

#[test]
fn a_lane_that_ends_early_is_never_taken_for_whole() {
    const CUT: &str = "source: the dump is not complete";
    for (definitions, first, others, code, words) in [
        // In the rows, in the table of contents, and before the first byte, with exit code 0.
        (WHOLE, WHOLE, "(head -c 200000; cat >/dev/null)", 6, CUT),
        (WHOLE, "(head -c 200000; cat >/dev/null)", WHOLE, 6, CUT),
        (WHOLE, WHOLE, "(head -c 100; cat >/dev/null)", 6, CUT),
        (WHOLE, "cat >/dev/null", WHOLE, 6, CUT),
        ("(head -c 900; cat >/dev/null)", WHOLE, WHOLE, 6, "source: the dump of its definitions is not"),
        // Every byte, and another exit code.
        (WHOLE, WHOLE, "(cat; exit 3)", 6, "of 3 ended with exit code 3"),
        (WHOLE, "(cat; exit 3)", WHOLE, 6, "source: pg_dump 1 of 3 ended with exit code 3"),
        ("(cat; exit 3)", WHOLE, WHOLE, 6, "source: pg_dump ended with exit code 3"),
        // One that is silent.
        (WHOLE, WHOLE, "(sleep 1000)", 11, "of 3 moved no byte for 3 s"),
        ("(sleep 1000)", WHOLE, WHOLE, 11, "source: pg_dump moved no byte for 3 s"),
    ] {
        let copying = Copying::new(postgres15(), clients(postgres15(), definitions, first, others));
        let output = copying.copy().args(["--idle-timeout", "3"]).run().refused(code, &[words]);
        copying.nothing_is_left(&[]);
        // A lane may fail before the target is touched.
        if output.stderr.contains(UNCHANGED) {
            assert_eq!(checksum(&copying.target).len(), 0);
        } else {
            assert!(definitions == WHOLE && output.stderr.contains(MAY_BE_CHANGED), "{}", output.stderr);
            // When all dumpers say that all is well, a lane that is whole may be committed before another is found out.
            if words == CUT { copying.no_half() } else { copying.no_rows() }
        }
    }
}

#[test]
fn rows_of_another_table_are_found_before_they_are_loaded() {
    let copying = Copying::new(postgres15(), clients(postgres15(), WHOLE, HANGS, HANGS));
    copying.rewrite(|script| script.replace("set -o", "set -- \"${@//\\\"t4\\\"/\\\"t3\\\"}\"; set -o"));
    copying.copy().run().refused(6, &["source: client", "dumps other rows than", MAY_BE_CHANGED]);
    copying.nothing_is_left(&[]);
    copying.no_rows();
}

/// Between each look at the definitions and the copy this is said to the source.
fn meddle(copying: &Copying<'_>, statement: &str) {
    let psql = copying.clients.path().join("psql").display().to_string();
    let before =
        format!("> \"$here/look\"; '{psql}' -Xqd '{}' -c \"{statement}\"; cat \"$here/look\"", copying.source.uri());
    copying.rewrite(|script| {
        let (start, look) = script.rsplit_once("*) exec").expect("the look");
        format!("{start}*) {}", look.replacen("\"$@\"", &format!("\"$@\" {before}"), 1))
    });
}

#[test]
fn a_schema_that_changes_after_the_look_makes_the_copy_begin_again_once() {
    let copying = Copying::new(postgres15(), clients(postgres15(), WHOLE, WHOLE, WHOLE));
    meddle(&copying, "CREATE TABLE IF NOT EXISTS late ()");
    copying.copy().run().expect_code(0);
    assert!(checksum(&copying.target).contains_key("public.late"));
    assert_eq!(checksum(&copying.target), checksum(&copying.source));
    let copying = Copying::new(postgres15(), clients(postgres15(), WHOLE, WHOLE, WHOLE));
    meddle(&copying, "CREATE TABLE late_$$ ()");
    copying.copy().run().refused(6, &["source: the schema was changed between", UNCHANGED]);
    copying.nothing_is_left(&[]);
    assert_eq!(checksum(&copying.target).len(), 0);
}

#[test]
fn what_kill_leaves_behind_is_removed_by_the_next_run() {
    let copying = Copying::new(postgres15(), clients(postgres15(), WHOLE, HANGS, HANGS));
    let running = copying.in_the_middle();
    let children = descendants(running.pid());
    kill(running.pid());
    let _ = running.wait();
    eventually("every process is gone", || !children.iter().any(|&pid| alive(pid)));
    eventually("every session is gone", || sessions(&copying.target, false) == 0);
    copying.no_rows();
    assert!(names(copying.temp.path()).iter().any(|name| name.starts_with("dbhaul-spool-")));
    let next = copy(&copying.source, &copying.target, "2").env("TMPDIR", copying.temp.path());
    next.args(["--clean", "schema", "--yes", "--remove-leftovers"]).run().expect_code(0);
    assert_eq!(checksum(&copying.target), checksum(&copying.source));
    copying.nothing_is_left(&[]);
}

#[test]
fn a_folder_for_the_definitions_that_can_not_be_written_is_found_first() {
    let copying = Copying::new(postgres15(), clients(postgres15(), WHOLE, WHOLE, WHOLE));
    let run = copy(&copying.source, &copying.target, "2").env("TMPDIR", "/proc").run();
    run.refused(9, &["no temporary copy can be made in /proc", "nothing was changed"]);
    assert_eq!(checksum(&copying.target).len(), 0);
}
