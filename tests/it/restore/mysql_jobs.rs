//! Restores into MySQL and MariaDB by several sessions: the same as by one, whatever the dump holds and wherever it comes
//! from; and what happens when one of them fails.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::{
    roundtrip::{assert_same, dumped, loaded, restored, with_clients_of},
    support::{
        Database, Flavour, Lock, Output, Server, checksum, eventually, fixture, mariadb, mysql, peak, schema, sessions,
        shared,
    },
};

/// All that these servers can hold, in few rows and in many.
pub fn everything<'s>(server: &'s Server, name: &str) -> Database<'s> {
    let database = loaded(server, name);
    let more = if server.flavour() == Flavour::Mysql { "objects-mysql-9.sql" } else { "objects-mariadb.sql" };
    if name == "objects" && [Flavour::Mysql, Flavour::Mariadb].contains(&server.flavour()) {
        database.load_file(fixture(more));
    }
    database
}

pub fn restore(archive: &Path, target: &Database<'_>, args: &[&str]) -> Output {
    with_clients_of(target.server()).arg("restore").args(args).arg(archive).arg(target.uri()).run()
}

/// Restored by one session and by several, from an archive of dbhaul's.
fn comes_back(server: &Server, name: &str) {
    let source = everything(server, name);
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    let one = server.database("one");
    restored(&archive, &one, &[]);
    for jobs in ["2", "4"] {
        let several = server.database("several");
        restored(&archive, &several, &["--jobs", jobs]);
        assert_eq!(checksum(&several), checksum(&one), "{name}, {jobs} jobs");
        assert_eq!(schema(&several).replace(several.name(), one.name()), schema(&one), "{name}, {jobs} jobs");
    }
    assert_same(&source, &one);
}

#[test]
fn tables_with_every_kind_of_key_come_back_on_mysql() {
    comes_back(mysql(), "keys");
}

#[test]
fn tables_with_every_kind_of_key_come_back_on_mariadb() {
    comes_back(mariadb(), "keys");
}

#[test]
fn tables_with_every_kind_of_key_come_back_on_mariadb_10_5() {
    comes_back(shared(Flavour::Mariadb105), "keys");
}

#[test]
fn tables_with_every_kind_of_key_come_back_on_mariadb_11_8() {
    comes_back(shared(Flavour::Mariadb118), "keys");
}

#[test]
fn every_kind_of_object_comes_back_on_mysql() {
    comes_back(mysql(), "objects");
    comes_back(mysql(), "chinook");
}

#[test]
fn every_kind_of_object_comes_back_on_mariadb() {
    comes_back(mariadb(), "objects");
    comes_back(mariadb(), "chinook");
}

#[test]
fn every_kind_of_object_comes_back_on_the_oldest_and_the_newest_mariadb() {
    for flavour in [Flavour::Mariadb105, Flavour::Mariadb118] {
        comes_back(shared(flavour), "chinook");
        comes_back(shared(flavour), "matrix");
    }
}

/// A dump as the manuals make it, by the vendor's client, as a file.
pub fn by_the_manual(source: &Database<'_>, folder: &TempDir, args: &[&str]) -> PathBuf {
    let path = folder.path().join("dump.sql");
    let mut client = source.client(source.server().flavour().family().dump());
    client.args(["--routines", "--triggers", "--events", "--single-transaction"]).args(args).arg(source.name());
    if source.server().flavour() == Flavour::Mysql {
        client.arg("--set-gtid-purged=OFF");
    }
    let status = client.stdout(File::create(&path).expect("a file")).status().expect("run the client");
    assert!(status.success(), "{client:?}");
    path
}

#[test]
fn anyones_dump_comes_back_from_a_file_a_compressed_one_and_a_pipe() {
    for server in [mysql(), mariadb()] {
        let source = everything(server, "keys");
        let folder = tempfile::tempdir().expect("a folder");
        // Many small statements for each table, and names of columns.
        let path = by_the_manual(&source, &folder, &["--net-buffer-length=4096", "--complete-insert"]);
        let target = server.database("plain");
        restored(&path, &target, &["--jobs", "3"]);
        assert_same(&source, &target);

        let bytes = fs::read(&path).expect("read");
        let target = server.database("piped");
        let command = with_clients_of(server).args(["restore", "-", &target.uri(), "--jobs", "2"]);
        command.input(bytes).run().expect_code(0);
        assert_same(&source, &target);

        assert!(Command::new("gzip").arg(&path).status().expect("run gzip").success());
        let target = server.database("compressed");
        restored(&path.with_extension("sql.gz"), &target, &["--jobs", "2"]);
        assert_same(&source, &target);
    }
}

#[test]
fn other_forms_of_dumps_come_back() {
    for server in [mysql(), mariadb()] {
        let source = everything(server, "keys");
        for form in [
            &["--skip-opt", "--create-options", "--quick"][..],
            &["--replace", "--add-drop-trigger"],
            &["--insert-ignore", "--skip-add-locks", "--no-autocommit"],
            &["--order-by-primary", "--skip-disable-keys", "--skip-tz-utc"],
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = by_the_manual(&source, &folder, form);
            let target = server.database("other_form");
            restored(&path, &target, &["--jobs", "2"]);
            assert_eq!(checksum(&target), checksum(&source), "{form:?}");
            assert_eq!(schema(&target).replace(target.name(), source.name()), schema(&source), "{form:?}");
        }
    }
}

#[test]
fn recorded_dumps_of_both_flavours_come_back_as_with_one_session() {
    for (server, name) in [(mysql(), "mysql-9.7.4"), (mysql(), "mysql-9.7.4-gtid"), (mariadb(), "mariadb-10.11.19")] {
        let path = fixture(&format!("dumps/{name}.sql"));
        let (one, several) = (server.database("one"), server.database("several"));
        let by_one = restored(&path, &one, &[]);
        let by_several = restored(&path, &several, &["--jobs", "2"]);
        assert_eq!(checksum(&several), checksum(&one), "{name}");
        assert_eq!(schema(&several).replace(several.name(), one.name()), schema(&one), "{name}");
        assert_eq!((&by_several["rows"], &by_several["tables"]), (&by_one["rows"], &by_one["tables"]));
    }
}

/// A dump of `t`, made by hand: `body` stands where mysqldump writes a table.
pub fn script(body: &str) -> String {
    format!(
        "-- MySQL dump 10.13  Distrib 9.7.4, for Linux (x86_64)\n--\n-- Host: localhost    Database: shop\n\n\
         /*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;\n/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;\n\
         {body}\n/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;\n-- Dump completed on 2025-01-01  0:00:00\n"
    )
}

/// `INSERT`s of so many rows each.
pub fn rows(table: &str, statements: u32, each: u32) -> String {
    let insert = |s: u32| {
        let rows: Vec<String> = (0..each).map(|r| format!("({},'{}')", s * each + r, "x".repeat(20))).collect();
        format!("INSERT INTO `{table}` VALUES {};\n", rows.join(","))
    };
    (0..statements).map(insert).collect()
}

const TABLE: &str = "(`id` int NOT NULL,`v` varchar(40),PRIMARY KEY (`id`),KEY `v` (`v`)) ENGINE=InnoDB;\n";

#[test]
fn the_first_error_ends_all_sessions_and_says_where_it_was() {
    for server in [mysql(), mariadb()] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("dump.sql");
        let good = format!("CREATE TABLE `good` {TABLE}{}", rows("good", 40, 100));
        for (body, words) in [
            (
                format!(
                    "{good}CREATE TABLE `bad` {TABLE}{}INSERT INTO `bad` VALUES (7,'geheim');\n",
                    rows("bad", 20, 100)
                ),
                &[
                    "in table \"bad\"",
                    "INSERT INTO `bad` VALUES",
                    "1062",
                    "the target was empty: the dump holds both rows",
                ][..],
            ),
            (
                format!(
                    "{good}CREATE TABLE `bad` {}{}",
                    TABLE.replace("KEY `v`", "UNIQUE KEY `v`"),
                    rows("bad", 20, 100)
                ),
                &["in table \"bad\"", "ALTER TABLE `bad` ADD UNIQUE KEY `v` (`v`)", "1062"],
            ),
            (format!("{good}CREATE VIEW `w` AS SELECT * FROM `nowhere`;\n"), &["CREATE VIEW `w`", "1146"]),
        ] {
            fs::write(&path, script(&body)).expect("write");
            let target = server.database("failing");
            let failed = restore(&path, &target, &["--jobs", "3"]);
            let failed = failed.refused(7, words);
            for word in ["the target may have been changed", "--clean schema"] {
                assert!(failed.stderr.contains(word), "{}", failed.stderr);
            }
            assert!(!failed.stderr.contains("geheim"), "{}", failed.stderr);
            eventually("all sessions are gone", || sessions(&target, false) == 0);
        }
    }
}

#[test]
fn a_signal_ends_sessions_that_wait_for_a_lock() {
    for (server, signal, code) in [(mysql(), Signal::TERM, 143), (mariadb(), Signal::INT, 130)] {
        let target = server.database("stopped");
        target.sql("CREATE TABLE held (id int)");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("dump.sql");
        let body = format!("CREATE TABLE `good` {TABLE}{}INSERT INTO `held` VALUES (1);\n", rows("good", 20, 100));
        fs::write(&path, script(&body)).expect("write");
        let lock = Lock::on(&target, "held");
        let mut command = with_clients_of(server)
            .args(["restore", "--jobs", "2", "--into-non-empty"])
            .arg(&path)
            .arg(target.uri())
            .spawn();
        command.wait_until("a session waits", |_| sessions(&target, true) == 1);
        command.signal(signal);
        command.wait().refused(code, &["stopped by", "the target may have been changed"]);
        eventually("all sessions but the lock's are gone", || sessions(&target, false) == 1);
        drop(lock);
        assert_eq!(target.sql("SELECT count(*) FROM held"), "0");
    }
}

#[test]
fn a_silence_of_sessions_has_an_end_and_names_the_lock() {
    let target = mysql().database("silent");
    target.sql("CREATE TABLE held (id int)");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("dump.sql");
    fs::write(&path, script("INSERT INTO `held` VALUES (1);\n")).expect("write");
    let _lock = Lock::on(&target, "held");
    let args = ["--jobs", "2", "--into-non-empty", "--idle-timeout", "2"];
    restore(&path, &target, &args).refused(11, &["no statement ended for 2 s", "it waited for a lock of"]);
    eventually("all sessions but the lock's are gone", || sessions(&target, false) == 1);
}

/// The server tells that it works, whatever bytes there are in a statement that somebody else has sent.
#[test]
fn a_server_that_works_for_long_is_not_given_up() {
    for server in [mysql(), mariadb()] {
        let (target, aside) = (server.database("works"), server.database("aside"));
        target.sql(
            "CREATE TABLE held (id int);
             DELIMITER //
             CREATE TRIGGER slow BEFORE INSERT ON held FOR EACH ROW BEGIN
                 DECLARE until DATETIME(6) DEFAULT SYSDATE(6) + INTERVAL 9 SECOND;
                 WHILE SYSDATE(6) < until DO SET @n = 1; END WHILE;
             END //",
        );
        let mut other = aside.client(server.flavour().family().shell());
        let other = other.arg(aside.name()).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut other = other.spawn().expect("a client");
        let statement = b"SELECT SLEEP(300), _binary '\x99@';\n";
        other.stdin.as_mut().expect("a pipe").write_all(statement).expect("it reads");
        eventually("somebody sends bytes that are no text", || sessions(&aside, false) == 1);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("dump.sql");
        fs::write(&path, script("INSERT INTO `held` VALUES (1);\n")).expect("write");
        for jobs in ["1", "2"] {
            let args = ["--jobs", jobs, "--into-non-empty", "--triggers", "on", "--idle-timeout", "4"];
            restore(&path, &target, &args).expect_code(0);
        }
        assert_eq!(target.sql("SELECT count(*) FROM held"), "2");
        assert_eq!(aside.end_sessions(), 1);
        let _ = other.wait();
    }
}

#[test]
fn what_a_dump_sets_reaches_the_rows_of_every_session_and_is_put_back() {
    for server in [mysql(), mariadb()] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("dump.sql");
        // Zeros that count, a time zone, and backslashes, each for one table only.
        let table = |name: &str| {
            format!(
                "CREATE TABLE `{name}` (`id` int NOT NULL AUTO_INCREMENT,`at` timestamp NULL,`v` varchar(9),PRIMARY KEY (`id`)) ENGINE=InnoDB;\n"
            )
        };
        let all = |name: &str| {
            (0..9)
                .map(|i| format!("INSERT INTO `{name}` VALUES ({i},'2020-01-01 12:00:00','\\\\n');\n"))
                .collect::<String>()
        };
        let body = format!(
            "SET @old=@@time_zone, time_zone='+05:00';\n{}{}SET time_zone=@old;\nSET @mode=@@sql_mode, sql_mode='NO_BACKSLASH_ESCAPES,NO_AUTO_VALUE_ON_ZERO';\n{}{}SET sql_mode=@mode;\nSET time_zone='+02:00';\n{}{}",
            table("a"),
            all("a"),
            table("b"),
            all("b"),
            table("c"),
            all("c")
        );
        fs::write(&path, script(&body)).expect("write");
        let (one, several) = (server.database("one"), server.database("several"));
        restored(&path, &one, &[]);
        restored(&path, &several, &["--jobs", "4"]);
        assert_eq!(checksum(&several), checksum(&one));
        assert_eq!(several.sql("SELECT min(id), count(*), max(length(v)) FROM a"), "0\t9\t2");
        assert_eq!(several.sql("SELECT max(length(v)) FROM b"), "3");
    }
}

#[test]
fn what_is_not_understood_is_done_by_one_session_in_order() {
    for server in [mysql(), mariadb()] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("dump.sql");
        let body = format!(
            "CREATE TABLE `t` {TABLE}{}PREPARE s FROM 'UPDATE t SET v = \"y\"';\nEXECUTE s;\nSET autocommit=0;\nINSERT INTO `t` VALUES (-1,@x:='z');\nCOMMIT;\nSET autocommit=1;\n",
            rows("t", 30, 100)
        );
        fs::write(&path, script(&body)).expect("write");
        let target = server.database("by_hand");
        restored(&path, &target, &["--jobs", "4", "--trust"]);
        assert_eq!(target.sql("SELECT v, count(*) FROM t GROUP BY v ORDER BY v"), "y\t3000\nz\t1");
    }
}

#[test]
fn triggers_that_stand_before_the_rows_fire_for_them_where_that_is_meant() {
    for server in [mysql(), mariadb()] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("dump.sql");
        let body = format!(
            "CREATE TABLE `t` {TABLE}CREATE TRIGGER x BEFORE INSERT ON `t` FOR EACH ROW SET NEW.v = concat('fired ', NEW.id);\n{}",
            rows("t", 30, 100)
        );
        fs::write(&path, script(&body)).expect("write");
        for (args, fired) in [(&["--triggers", "on"][..], "3000"), (&[], "0")] {
            let target = server.database("fired");
            restored(&path, &target, &[args, &["--jobs", "4"]].concat());
            assert_eq!(target.sql("SELECT count(*) FROM t WHERE v = concat('fired ', id)"), fired);
        }
    }
}

#[test]
fn one_table_of_a_dump_comes_alone_and_structure_and_rows_have_one_session() {
    let server = mysql();
    let source = everything(server, "keys");
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    let target = server.database("one_table");
    restored(&archive, &target, &["--jobs", "2", "--table", "customers", "--table", "zero"]);
    let sums = checksum(&target);
    assert_eq!(sums.keys().collect::<Vec<_>>(), ["customers", "zero"]);
    assert_eq!(sums["customers"], checksum(&source)["customers"]);
    let target = server.database("apart");
    let note = |json: &serde_json::Value| assert!(json["notes"].to_string().contains("--jobs has no effect"), "{json}");
    note(&restored(&archive, &target, &["--jobs", "2", "--schema-only"]));
    note(&restored(
        &archive,
        &target,
        &["--jobs", "2", "--data-only", "--into-non-empty", "--exclude-table-data", "seen"],
    ));
    assert_eq!(checksum(&target)["orders"], checksum(&source)["orders"]);
}

#[test]
fn a_dry_run_says_that_no_client_runs() {
    let source = loaded(mariadb(), "chinook");
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    let target = mariadb().database("dry");
    let planned = restore(&archive, &target, &["--dry-run", "--jobs", "3"]).expect_code(0);
    assert_eq!(planned.text(), "# 3 sessions of dbhaul's own, and one that leads them; no client is run\n");
    assert!(checksum(&target).is_empty());
}

#[test]
fn row_57_sessions_that_are_not_let_in_leave_the_target_as_it_was() {
    for server in [mysql(), mariadb()] {
        let target = server.database("full");
        let (user, password) = (format!("{}_user", target.name()), server.password());
        target.sql(&format!(
            "CREATE USER {user} IDENTIFIED BY '{password}' WITH MAX_USER_CONNECTIONS 3; GRANT ALL ON {}.* TO {user}",
            target.name()
        ));
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("dump.sql");
        fs::write(&path, script(&format!("CREATE TABLE `t` {TABLE}{}", rows("t", 3, 10)))).expect("write");
        let uri = target.uri().replacen("dbhaul:", &format!("{user}:"), 1);
        let restore = |jobs: &str| with_clients_of(server).arg("restore").arg(&path).args([&uri, "--jobs", jobs]).run();
        restore("3").refused(10, &["3 jobs need 4 connections, 3 are left", "nothing was changed", "--jobs 2"]);
        assert!(checksum(&target).is_empty());
        restore("2").expect_code(0);
        assert_eq!(checksum(&target)["t"].0, 30);
        server.sql(&format!("DROP USER {user}"));
    }
}

#[test]
fn eight_jobs_keep_within_the_memory() {
    let server = mysql();
    let source = server.database("wide");
    source.sql(
        "CREATE TABLE t (id int PRIMARY KEY, v longtext, k int, KEY k (k));
        INSERT INTO t SELECT 1 + a.help_topic_id + 200 * b.help_topic_id, repeat(sha2(a.help_topic_id, 256), 100), b.help_topic_id
        FROM mysql.help_topic a JOIN mysql.help_topic b WHERE a.help_topic_id < 200 AND b.help_topic_id < 100",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, json) = dumped(&source, &folder, &[]);
    assert!(json["rows"].as_u64() > Some(10_000), "{json}");
    let target = server.database("narrow");
    let mut command = with_clients_of(server).args(["restore", "--jobs", "8"]).arg(&archive).arg(target.uri()).spawn();
    let mut most = 0;
    while command.is_running() {
        most = most.max(peak(command.pid()).unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    command.wait().expect_code(0);
    assert!(most > 0 && most <= 64 << 10, "{most} KiB");
    assert_eq!(checksum(&target), checksum(&source));
}
