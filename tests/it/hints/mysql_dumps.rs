//! Hints on what ends a dump of MySQL or MariaDB.

use std::{fs, process::Command};

use rustix::process::Signal;

use super::{User, by};
use crate::dump::mysql_jobs::altering;
use crate::roundtrip::with_clients_of;
use crate::support::{Flavour, Gate, Server, dbhaul, mariadb, mysql, shared};

#[test]
fn a_table_that_is_altered_behind_its_definition_is_dumped_again() {
    let source = mysql().database("altered");
    source.sql("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); INSERT INTO b VALUES (1)");
    let clients = tempfile::tempdir().expect("a folder");
    altering(&source, clients.path(), "ALTER TABLE b COMMENT = 'other'");
    let dump = || {
        let dump = dbhaul().args(["dump", &source.uri(), "--jobs", "2", "-o", "-"]);
        dump.client_dirs([clients.path()]).run()
    };
    dump().expect_code(6).follows("dump-again");
    dump().expect_code(0);
}

#[test]
fn rows_that_are_longer_than_a_session_takes_are_read_by_the_client() {
    let source = mysql().database("long_rows");
    source.sql("CREATE TABLE t (id int PRIMARY KEY, b longblob); INSERT INTO t VALUES (1, REPEAT('y', 6000000))");
    let to_stdout = |more: &[&str]| by(mysql(), &source.uri(), more).run();
    to_stdout(&["--jobs", "2"]).expect_code(6).follows("one-job");
    to_stdout(&["--jobs", "1"]).expect_code(0);

    // One session reads them for the float's digits. No column is long, and the row is.
    let names: Vec<String> = (0..140).map(|number| format!("c{number}")).collect();
    let columns: String = names.iter().map(|name| format!(", {name} TEXT")).collect();
    source.sql(&format!("DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, f float{columns}) ROW_FORMAT=DYNAMIC"));
    source.sql("INSERT INTO t (id, f) VALUES (1, 0.5)");
    for some in names.chunks(20) {
        let long: Vec<_> = some.iter().map(|name| format!("{name} = REPEAT('y', 65535)")).collect();
        source.sql(&format!("UPDATE t SET {}", long.join(", ")));
    }
    to_stdout(&[]).expect_code(6).follows("dump-into-a-file");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file.tar.gz");
    with_clients_of(mysql()).args(["dump", &source.uri(), "-o"]).arg(file).run().expect_code(0);
}

#[test]
fn a_query_that_the_server_ends_is_given_time() {
    let server = Server::start_with(Flavour::Mysql, &["--max-execution-time=20"]);
    let source = server.database("limited");
    source.sql(
        "SET SESSION max_execution_time = 0; CREATE TABLE t (n INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(300));
         INSERT INTO t (v) SELECT REPEAT('x', 300) FROM information_schema.collations a, information_schema.collations b",
    );
    // MariaDB's client lifts MariaDB's limit alone.
    let clients = shared(Flavour::Mariadb118).client_dir();
    let dump = || dbhaul().args(["dump", &source.uri(), "-o", "-"]).client_dirs([&clients]).run();
    dump().expect_code(6).follows("raise-max-execution-time");
    server.sql("SET GLOBAL max_execution_time = 600000");
    dump().expect_code(0);
}

#[test]
fn a_server_that_opens_too_few_files_opens_more() {
    let server = Server::start(Flavour::Mariadb);
    let source = server.database("files");
    let tables: String = (0..40).map(|number| format!("CREATE TABLE t{number} (id int) ENGINE=Aria; ")).collect();
    source.sql(&tables);
    let gate = Gate::before(&server.client_dir());
    let mut running = by(&server, &source.uri(), &[]).client_dirs([gate.folder()]).spawn();
    running.wait_until("a client before the gate", |_| gate.reached());
    // What the server knows of the tables it need not read again; their rows' files are closed.
    server.sql("FLUSH TABLES");
    let known = format!("SELECT COUNT(ENGINE) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '{}'", source.name());
    assert_eq!(server.sql(&known), "40");
    let open = fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("its files").count();
    let (of, few) = (format!("--pid={}", server.pid()), format!("--nofile={0}:{0}", open + 12));
    assert!(Command::new("prlimit").args([of, few]).status().expect("run prlimit").success());
    gate.open();
    running.wait().expect_code(6).follows("raise-open-files-limit");
    // A server that starts may open as many as its open_files_limit says.
    server.halt(Signal::KILL);
    server.resume();
    assert!(server.sql("SELECT @@open_files_limit > 1000") == "1");
    by(&server, &source.uri(), &[]).run().expect_code(0);
}

#[test]
fn routines_whose_right_is_taken_meanwhile_are_granted_again() {
    for (server, right) in [(mysql(), "SHOW_ROUTINE ON *.*"), (mariadb(), "SELECT ON mysql.proc")] {
        let source = server.database("routines");
        source.sql("CREATE FUNCTION f() RETURNS int DETERMINISTIC RETURN 1");
        let user = User::of(&source);
        let grant = || server.sql(&format!("GRANT {right} TO {}@'%'", user.name));
        server.sql(&format!("GRANT ALL ON `{}`.* TO {}@'%'", source.name(), user.name));
        grant();
        let revoke = || drop(server.sql(&format!("REVOKE {right} FROM {}@'%'", user.name)));
        let hint = super::meanwhile::after(server, by(server, &user.uri, &[]), revoke).expect_code(6);
        hint.follows("routines-of-others");
        grant();
        by(server, &user.uri, &[]).run().expect_code(0);
    }
}

#[test]
fn a_broken_view_hinders_no_dump_that_leaves_views_out() {
    let source = mysql().database("broken_view");
    source.sql(
        "CREATE TABLE t (id int PRIMARY KEY); CREATE VIEW v AS SELECT id FROM t; ALTER TABLE t RENAME COLUMN id TO n",
    );
    by(mysql(), &source.uri(), &[]).run().refused(10, &["view v"]);
    by(mysql(), &source.uri(), &["--", "--ignore-views"]).run().expect_code(0);
}
