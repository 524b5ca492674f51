//! Limits on time: a slow reader, a long statement, a lock that somebody holds.

use std::{fs::File, os::fd::OwnedFd};

use super::{both, dump, vendor_dump};
use crate::{
    connect::clients::whole_mysql_dump,
    roundtrip::{dumped, with_clients_of},
    support::{
        Database, Flavour, Lock, Output, Server, dbhaul, eventually, mariadb, mysql, postgres15, recorded_client,
        sessions,
    },
};

/// More than all the buffers between a server and a reader hold.
fn large(server: &Server) -> Database<'_> {
    let database = server.database("limits");
    database.sql("CREATE TABLE t (n INT PRIMARY KEY AUTO_INCREMENT, v LONGBLOB)");
    for _ in 0..30 {
        database.sql("INSERT INTO t (v) VALUES (RANDOM_BYTES(1024)), (REPEAT(RANDOM_BYTES(1024), 1000))");
    }
    database
}

/// How long, in seconds, the server has been trying to hand over rows.
fn stuck(database: &Database<'_>) -> u64 {
    let (name, list) = (database.name(), database.server().flavour().processlist());
    let sql = format!("SELECT COALESCE(MAX(time), 0) FROM {list} WHERE db = '{name}' AND command = 'Query'");
    database.server().sql(&sql).parse().expect("seconds")
}

/// A dump to a pipe that nobody reads until the server is in this state.
fn slowly_read(database: &Database<'_>, state: impl Fn() -> bool) -> Output {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let args = ["dump", &database.uri(), "--output", "-", "--compression", "none"];
    let command = with_clients_of(database.server()).args(args);
    let mut running = command.output_file(File::from(OwnedFd::from(writer))).spawn();
    running.wait_until("a server that waits for its reader", |_| stuck(database) >= 2);
    running.wait_until("what was to happen to the server's session", |_| state());
    let mut reader = File::from(OwnedFd::from(reader));
    let drain = std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
    let output = running.wait();
    drain.join().expect("the reader").expect("read");
    output
}

#[test]
fn row_40_a_slow_reader_outlasts_the_servers_write_timeout() {
    let server = Server::start_with(Flavour::Mysql, &["--net-write-timeout=1"]);
    let database = large(&server);
    let output = slowly_read(&database, || stuck(&database) >= 4).expect_code(0);
    assert!(!output.stderr.contains("net_write_timeout"), "it is lifted, and so not warned of: {}", output.stderr);
}

#[test]
fn row_40_where_the_client_cannot_lift_the_timeout_it_is_said_before_and_after() {
    let server = Server::start_with(Flavour::Mariadb, &["--net-write-timeout=4"]);
    let database = large(&server);
    let output = slowly_read(&database, || sessions(&database, false) == 0).expect_code(6);
    let (before, after) = output.stderr.split_once("error:").expect("an error");
    assert!(before.contains("net_write_timeout is 4 s on the server"), "{before}");
    assert!(after.contains("hint:") && after.contains("net_write_timeout"), "{after}");
}

#[test]
fn row_41_a_limit_on_statements_is_lifted_or_said_before() {
    let server = Server::start_with(Flavour::Mysql, &["--max-execution-time=20"]);
    let source = server.database("limits");
    source.sql(
        "SET SESSION max_execution_time = 0; CREATE TABLE t (n INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(300));
         INSERT INTO t (v) SELECT REPEAT('x', 300) FROM information_schema.collations a, information_schema.collations b",
    );
    let vendors = vendor_dump(&source, &[]);
    assert!(vendors.code != Some(0) && vendors.stderr.contains("3024"), "{:?} {}", vendors.code, vendors.stderr);
    let folder = tempfile::tempdir().expect("a folder");
    let (_, json) = dumped(&source, &folder, &[]);
    assert_eq!(json["warnings"], serde_json::json!([]));
    assert_eq!(json["rows"].to_string(), source.sql("SET SESSION max_execution_time = 0; SELECT COUNT(*) FROM t"));
    // Clients without --init-command can't lift it, and MariaDB's lifts MariaDB's alone.
    for (program, recording) in [("mysqldump", "mysqldump-8.0.36"), ("mariadb-dump", "mariadb-dump-10.11.19")] {
        let clients = tempfile::tempdir().expect("a folder");
        recorded_client(clients.path(), program, recording, &whole_mysql_dump());
        let command = dbhaul().client_dirs([clients.path()]).args(["dump", &source.uri()]).cwd(clients.path());
        let output = command.run().expect_code(0);
        assert!(output.stderr.contains("max_execution_time is 20 ms on the server"), "{recording}: {}", output.stderr);
    }
}

#[test]
fn row_41_mariadbs_client_lifts_mariadbs_limit() {
    let server = Server::start_with(Flavour::Mariadb, &["--max-statement-time=0.01"]);
    let source = server.database("limits");
    source.sql(
        "SET SESSION max_statement_time = 0; CREATE TABLE t (n INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(100));
         INSERT INTO t (v) SELECT REPEAT('x', 100) FROM seq_1_to_200000",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let output = dump(&server, &source.uri(), &folder, &["--json"]).expect_code(0);
    assert_eq!(output.json()["warnings"], serde_json::json!([]));
    let clients = tempfile::tempdir().expect("a folder");
    recorded_client(clients.path(), "mysqldump", "mysqldump-8.0.36", &whole_mysql_dump());
    let command = dbhaul().client_dirs([clients.path()]).args(["dump", &source.uri()]).cwd(clients.path());
    let output = command.run().expect_code(0);
    assert!(output.stderr.contains("max_statement_time is 1 s on the server"), "{}", output.stderr);
}

/// A dump while somebody holds the table; when nobody does, it ends well.
fn locked_out(server: &Server, code: i32, words: &[&str]) -> Output {
    let source = server.database("limits");
    source.sql("CREATE TABLE held (n INT PRIMARY KEY)");
    let folder = tempfile::tempdir().expect("a folder");
    let lock = Lock::on(&source, "held");
    let output = dump(server, &source.uri(), &folder, &["--idle-timeout", "10"]).refused(code, words);
    drop(lock);
    dump(server, &source.uri(), &folder, &[]).expect_code(0);
    output
}

#[test]
fn row_42_a_locked_table_ends_a_dump_of_mysql_with_the_servers_words() {
    let words = ["Lock wait timeout exceeded", "`held`", "it waited for a lock of session", "SHOW PROCESSLIST"];
    locked_out(mysql(), 6, &words).follows("wait-or-processlist");
}

#[test]
fn row_42_a_locked_table_ends_a_dump_of_mariadb_by_our_own_watchdog() {
    let words = ["mariadb-dump moved no byte for 10 s", "lock"];
    locked_out(mariadb(), 11, &words).follows("silent-server");
}

#[test]
fn row_42_a_locked_table_ends_a_dump_of_postgres_with_its_name() {
    let words = ["held", "it waited for a lock of session", "user \"dbhaul\"", "idle in transaction"];
    locked_out(postgres15(), 6, &words).follows("another-session-holds-a-lock");
}

#[test]
fn row_42_a_restore_that_waits_for_a_lock_is_ended() {
    for server in both() {
        let source = server.database("limits");
        source.sql("CREATE TABLE held (n INT PRIMARY KEY)");
        let folder = tempfile::tempdir().expect("a folder");
        let (path, _) = dumped(&source, &folder, &[]);
        let lock = Lock::on(&source, "held");
        // MariaDB does not tell.
        let holder = if server.flavour() == Flavour::Mariadb { "" } else { "it waited for a lock of session" };
        let command = with_clients_of(server).arg("restore").arg(&path).arg(source.uri());
        let output = command.args(["--clean", "objects", "--yes", "--idle-timeout", "5"]).run();
        let words = ["moved no byte for 5 s", holder, "the target may have been changed", "hint:", "lock"];
        output.refused(11, &words).follows("end-session-of-gone-client");
        drop(lock);
        eventually("nobody waits any more", || stuck(&source) == 0);
        source.end_sessions();
        let again = with_clients_of(server).arg("restore").arg(&path).arg(source.uri());
        again.args(["--clean", "objects", "--yes"]).run().expect_code(0);
    }
}
