//! PostgreSQL's `--clean database` fills a new database, which takes the old one's name at the end: until then the old
//! one is there.

use std::{path::Path, sync::OnceLock};

use super::{broken, by_hand, precious, restoring, state};
use crate::{
    roundtrip::{assert_same, restored, with_clients_of},
    support::{Database, Flavour, Output, Server, eventually, kill},
};

const CLEAN: [&str; 3] = ["--clean", "database", "--yes"];

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start_with(Flavour::Postgres15, &["-c", "max_prepared_transactions=2"]))
}

/// A target whose comment tells whose the databases beside it are.
fn target() -> Database<'static> {
    let target = precious(server());
    target.sql(&format!("COMMENT ON DATABASE {0} IS '{0}'", target.name()));
    target
}

/// The databases that were made for this target and are there now.
fn beside(target: &Database<'_>) -> String {
    server().sql(&format!(
        "SELECT string_agg(datname, ' ') FROM pg_database WHERE shobj_description(oid, 'pg_database') = '{0}' AND datname <> '{0}'",
        target.name()
    ))
}

const HELD: &str = "holds what it held before";

#[test]
fn after_a_failure_the_old_database_is_there() {
    let (source, target) = (broken(server()), target());
    let before = (state(&target), server().sql("SELECT oid FROM pg_database ORDER BY 1"));
    let folder = tempfile::tempdir().expect("a folder");
    let is_as_before = |way: &str, output: Output| {
        output.refused(7, &["violates foreign key constraint", HELD]);
        assert_eq!((state(&target), beside(&target).as_str()), (before.0.clone(), ""), "{way}");
    };
    for (format, jobs) in [("custom", "1"), ("custom", "2"), ("directory", "2"), ("plain", "1")] {
        let archive = by_hand(&source, folder.path(), format);
        is_as_before(format, restoring(&archive, &target, &CLEAN).args(["--jobs", jobs]).run());
        std::fs::rename(&archive, folder.path().join(format!("{format}{jobs}.done"))).expect("rename");
    }
    for jobs in ["1", "2"] {
        let copying =
            with_clients_of(server()).args(["copy", &source.uri(), &target.uri(), "--jobs", jobs]).args(CLEAN);
        is_as_before(jobs, copying.run());
    }
}

/// A source whose restore into a new database never ends.
fn endless(folder: &Path) -> std::path::PathBuf {
    let source = server().database("source");
    source.sql(
        "CREATE TABLE t (i int); CREATE MATERIALIZED VIEW m AS SELECT CASE WHEN current_database() LIKE 'dbhaul_new_%' \
         THEN pg_sleep(1000)::text END AS slept",
    );
    by_hand(&source, folder, "custom")
}

#[test]
fn a_signal_drops_what_was_filled_and_after_kill_9_it_is_told() {
    let target = target();
    let before = state(&target);
    let folder = tempfile::tempdir().expect("a folder");
    let archive = endless(folder.path());
    let sleeping = || {
        let query = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = '{}'",
            beside(&target)
        );
        server().sql(&query) == "1"
    };
    let mut running = restoring(&archive, &target, &CLEAN).spawn();
    running.wait_until("a session that sleeps", |_| sleeping());
    running.signal(rustix::process::Signal::TERM);
    let output = running.wait();
    assert!(output.stderr.contains(HELD), "{}", output.stderr);
    assert_eq!((state(&target), beside(&target).as_str()), (before.clone(), ""));

    let mut running = restoring(&archive, &target, &CLEAN).spawn();
    running.wait_until("a session that sleeps", |_| sleeping());
    kill(running.pid());
    running.wait();
    assert_eq!(state(&target), before);
    let left = beside(&target);
    server().sql(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{left}'"));
    eventually("nobody is connected to it", || {
        server().sql(&format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{left}'")) == "0"
    });
    let told = restoring(&archive, &target, &["--dry-run"]).args(CLEAN).run().expect_code(0);
    let drop = format!("DROP DATABASE {left}");
    assert!(told.stderr.contains(&left) && told.stderr.contains(&drop), "{}", told.stderr);
    let told = doctor(&target);
    assert!(told.stderr.contains("a half-filled database: ") && told.stderr.contains(&drop), "{}", told.stderr);
    assert!(told.json()["replacement_databases"].as_array().expect("a list").contains(&left.into()));
    server().sql(&drop);
}

fn doctor(target: &Database<'_>) -> Output {
    with_clients_of(target.server()).args(["doctor", "--json", &target.uri()]).run().expect_code(0)
}

/// The server drops the old database behind a checkpoint, and its checkpointer stands still.
#[test]
fn an_old_database_whose_drop_was_killed_is_named_by_doctor() {
    let server = Server::start(Flavour::Postgres15);
    let (source, target) = (server.database("source"), server.database("target"));
    source.sql("CREATE TABLE t (i int); INSERT INTO t VALUES (1)");
    target.sql("CREATE TABLE old (i int)");
    let folder = tempfile::tempdir().expect("a folder");
    let archive = by_hand(&source, folder.path(), "custom");
    let pid = server.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'");
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().expect("a number")).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).expect("stopped");
    let mut running = restoring(&archive, &target, &CLEAN).spawn();
    let dropping = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DROP DATABASE dbhaul_old_%' AND wait_event LIKE 'Checkpoint%'";
    running.wait_until("a drop that waits", |_| server.sql(dropping) == "1");
    kill(running.pid());
    running.wait();
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'DROP DATABASE dbhaul_old_%'");
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).expect("goes on");
    eventually("the drop is over", || {
        server.sql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DROP DATABASE dbhaul_old_%'") == "0"
    });
    assert_eq!(target.sql("SELECT i FROM t"), "1");
    let told = doctor(&target);
    let left = told.json()["replacement_databases"][0].as_str().expect("a database").to_owned();
    let drop = format!("DROP DATABASE {left}");
    assert!(left.starts_with("dbhaul_old_") && told.stderr.contains("a database that was replaced"), "{}", told.stderr);
    assert!(told.stderr.contains(&drop), "{}", told.stderr);
    server.sql(&drop);
    assert_eq!(doctor(&target).json()["replacement_databases"], serde_json::json!([]));
}

#[test]
fn the_new_one_takes_the_name_while_others_are_connected() {
    let source = server().database("source");
    source.sql("CREATE TABLE t (i int); INSERT INTO t VALUES (1), (2)");
    let folder = tempfile::tempdir().expect("a folder");
    let archive = by_hand(&source, folder.path(), "custom");
    let target = target();
    let name = target.name();
    // A user who is no superuser, has a limit of sessions, and may be let in by the owner's right alone.
    server().sql(&format!(
        "CREATE ROLE keeper LOGIN CREATEDB PASSWORD 'secret-9fX'; ALTER DATABASE {name} OWNER TO keeper;
         REVOKE ALL ON DATABASE {name} FROM PUBLIC; ALTER DATABASE {name} CONNECTION LIMIT 2;
         ALTER DATABASE {name} SET default_transaction_read_only = on"
    ));
    let facts = "SELECT pg_get_userbyid(datdba), datacl, datconnlimit, setconfig FROM pg_database d
         JOIN pg_db_role_setting s ON s.setdatabase = d.oid WHERE datname = current_database()";
    let before = target.sql(facts);
    let uri = server().uri_as("keeper", "secret-9fX", name);
    let run = || with_clients_of(server()).arg("restore").arg(&archive).arg(&uri).args(CLEAN).run();

    // A superuser's session is not the user's to end.
    let mut other = target.client("psql").args(["-X", "-c", "SELECT pg_sleep(1000)"]).spawn().expect("run psql");
    let there = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND wait_event = 'PgSleep'");
    eventually("another session", || server().sql(&there) == "1");
    let held = state(&target);
    run().refused(7, &["is being accessed by other users", HELD]);
    assert_eq!((state(&target), beside(&target).as_str()), (held, ""));

    // A superuser's restore ends it.
    restored(&archive, &target, &CLEAN);
    assert!(!other.wait().expect("psql's end").success());
    assert_same(&source, &target);
    assert_eq!((target.sql(facts), beside(&target).as_str()), (before.clone(), ""));
    run().expect_code(0);
    assert_eq!((target.sql(facts), beside(&target).as_str()), (before, ""));
}

#[test]
fn what_can_not_be_dropped_or_made_is_10_before_anything() {
    let source = server().database("source");
    source.sql("CREATE TABLE t (i int)");
    let folder = tempfile::tempdir().expect("a folder");
    let archive = by_hand(&source, folder.path(), "custom");
    let target = target();
    let name = target.name();
    let held = [
        (
            "CREATE SUBSCRIPTION sub CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false)",
            "it has subscription sub",
            "ALTER SUBSCRIPTION sub DISABLE; ALTER SUBSCRIPTION sub SET (slot_name = NONE); DROP SUBSCRIPTION sub",
            "drop-subscription",
        ),
        (
            "BEGIN; DELETE FROM kept; PREPARE TRANSACTION 'x'",
            "it has a prepared transaction",
            "ROLLBACK PREPARED 'x'",
            "end-prepared-transaction",
        ),
        (
            &format!("ALTER DATABASE {name} IS_TEMPLATE true"),
            "it is a template",
            &format!("ALTER DATABASE {name} IS_TEMPLATE false"),
            "no-template",
        ),
    ];
    for (sql, what, way_on, hint) in held {
        target.sql(sql);
        let before = state(&target);
        let refused = restoring(&archive, &target, &CLEAN).run();
        let refused = refused.refused(10, &[what, "nothing was changed", "hint: ", "--clean schema"]);
        assert!(refused.follows(hint).contains(way_on), "{}", refused.stderr);
        assert_eq!((state(&target), beside(&target).as_str()), (before, ""));
        way_on.split("; ").for_each(|statement| drop(target.sql(statement)));
    }
    server().sql("CREATE ROLE poor LOGIN PASSWORD 'secret-9fX'");
    server().sql(&format!("ALTER DATABASE {name} OWNER TO poor"));
    let before = state(&target);
    let uri = server().uri_as("poor", "secret-9fX", name);
    let refused = with_clients_of(server()).arg("restore").arg(&archive).arg(&uri).args(CLEAN).run();
    refused.refused(10, &["may not drop and create database", "nothing was changed", "hint: --clean schema"]);
    assert_eq!((state(&target), beside(&target).as_str()), (before, ""));
    server().sql(&format!("ALTER DATABASE {name} OWNER TO {}; DROP ROLE poor", server().user()));
    restored(&archive, &target, &CLEAN);
}

#[test]
fn a_new_database_that_lets_nobody_in_is_10_before_anything() {
    let server = Server::start(Flavour::Postgres15);
    let source = server.database("source");
    source.sql("CREATE TABLE t (i int)");
    let folder = tempfile::tempdir().expect("a folder");
    let archive = by_hand(&source, folder.path(), "custom");
    let target = precious(&server);
    let rules = server.data().join("pg_hba.conf");
    let known = std::fs::read_to_string(&rules).expect("the rules");
    let names = format!("postgres,template1,{}", target.name());
    let named = known.lines().map(|rule| rule.replacen(" all ", &format!(" {names} "), 1) + "\n");
    std::fs::write(&rules, named.collect::<String>()).expect("write the rules");
    server.sql("SELECT pg_reload_conf()");
    eventually("the rules are read", || source.try_sql("SELECT 1").is_err());
    let before = state(&target);
    let refused = restoring(&archive, &target, &CLEAN).run();
    refused.refused(10, &["pg_hba.conf", "nothing was changed", "hint: ", "--clean schema"]);
    assert_eq!(state(&target), before);
    assert_eq!(server.sql("SELECT count(*) FROM pg_database WHERE datname ~ '^dbhaul_'"), "0");
    std::fs::write(&rules, known).expect("write the rules");
    server.sql("SELECT pg_reload_conf()");
    eventually("the rules are read", || source.try_sql("SELECT 1").is_ok());
}
