//! `restore --resume` into MySQL and MariaDB: what comes of it is what an uninterrupted restore makes, complete tables are
//! not touched, and where there is nothing to go on from nothing happens.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::{
    restore::mysql_jobs::{by_the_manual, everything, restore, rows, script},
    roundtrip::{assert_same, dumped, loaded, restored, with_clients_of},
    support::{
        Database, Family, Flavour, Server, checksum, eventually, mariadb, mysql, postgres15, schema, sessions, shared,
    },
};

/// The numbers by which `InnoDB` knows its tables: a table that was made again has another.
fn numbers(database: &Database<'_>) -> BTreeMap<String, String> {
    let mysql = database.server().flavour().family() == Family::Mysql;
    let list = if mysql { "INNODB_TABLES" } else { "INNODB_SYS_TABLES" };
    let query = "SELECT SUBSTRING_INDEX(name, '/', -1), table_id FROM information_schema";
    let lines = database.sql(&format!("{query}.{list} WHERE name LIKE '{}/%'", database.name()));
    let lines = lines.lines().filter_map(|line| line.split_once('\t'));
    // Full-text keys have tables of their own.
    let tables = lines.filter(|(name, _)| !name.to_lowercase().starts_with("fts_"));
    tables.map(|(name, id)| (name.into(), id.into())).collect()
}

/// Goes on, and holds all but these tables to be those that were there.
fn goes_on(archive: &Path, target: &Database<'_>, args: &[&str], again: &[&str]) -> Value {
    let before = numbers(target);
    let planned = restore(archive, target, &[args, &["--resume", "--dry-run"]].concat()).expect_code(0);
    assert_eq!(numbers(target), before, "a dry run changes nothing");
    let json = restored(archive, target, &[args, &["--resume"]].concat());
    let after = numbers(target);
    for (name, number) in &before {
        assert_eq!(after.get(name) != Some(number), again.contains(&&**name), "{name}");
    }
    let stay = planned.text().lines().filter(|line| line.starts_with("# stays")).count();
    assert_eq!(json["tables_complete"], stay, "{}", planned.text());
    json
}

fn assert_alike(one: &Database<'_>, other: &Database<'_>) {
    assert_eq!(checksum(one), checksum(other));
    assert_eq!(schema(one).replace(one.name(), other.name()), schema(other));
}

/// A session that holds a lock by name, in no database.
struct Held(Child);

impl Held {
    fn by(server: &Server, name: &str) -> Self {
        let mut client = server.client(server.flavour().family().shell());
        client.args(["--batch", "--skip-column-names", "--unbuffered"]);
        let mut child = client.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("run the client");
        let sql = format!("SELECT GET_LOCK('{name}', 0);\n");
        child.stdin.as_mut().expect("a pipe").write_all(sql.as_bytes()).expect("lock");
        let mut said = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut said).expect("read from the client");
        assert_eq!(said, "1\n");
        Self(child)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

const KEYED: &str = "(`id` int NOT NULL,`v` varchar(40),PRIMARY KEY (`id`),KEY `v` (`v`)) ENGINE=InnoDB;\n";

/// A dump whose restore stands still in the middle of `half` for as long as somebody holds the lock.
fn with_a_gate(folder: &TempDir, gate: &str) -> PathBuf {
    let half = rows("half", 30, 100).replacen("(1000,", &format!("(-1,GET_LOCK('{gate}',3600)),(1000,"), 1);
    let body = [
        "DROP TABLE IF EXISTS `done`;\nCREATE TABLE `done` ",
        KEYED,
        &rows("done", 30, 100),
        "CREATE TRIGGER `of_done` BEFORE INSERT ON `done` FOR EACH ROW SET NEW.v = 'fired';\n",
        // No DROP: mysqldump may be told to write none.
        "CREATE TABLE `half` ",
        KEYED,
        &half,
        "CREATE TRIGGER `of_half` BEFORE INSERT ON `half` FOR EACH ROW SET NEW.v = 'fired';\n",
        "DROP TABLE IF EXISTS `later`;\nCREATE TABLE `later` ",
        &KEYED.replace("KEY `v` (`v`)", "KEY `v` (`v`),CONSTRAINT `of` FOREIGN KEY (`id`) REFERENCES `done` (`id`)"),
        &rows("later", 30, 100),
        "CREATE FUNCTION f() RETURNS int DETERMINISTIC RETURN 1;\n",
        "CREATE VIEW `seen` AS SELECT * FROM `half`;\n",
    ];
    let path = folder.path().join("dump.sql");
    fs::write(&path, script(&body.concat())).expect("write");
    path
}

/// Ends a restore in the middle: by the server, which ends its sessions, or by a signal that it can't answer.
fn interrupted(server: &Server, jobs: &str, by_the_server: bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let (whole, target) = (server.database("whole"), server.database("broken"));
    let path = with_a_gate(&folder, target.name());
    restored(&path, &whole, &["--trust"]);
    let gate = Held::by(server, target.name());
    let mut command =
        with_clients_of(server).args(["restore", "--trust", "--jobs", jobs]).arg(&path).arg(target.uri()).spawn();
    // Of several sessions others go on: they load what comes later, but for its foreign key.
    let several = jobs != "1";
    command.wait_until("it waits in the middle, and all that can be done is", |_| {
        let list = server.flavour().processlist();
        let waits = format!("SELECT count(*) FROM {list} WHERE state = 'User lock' AND db = DATABASE()");
        let keys = "SELECT count(*) FROM information_schema.statistics WHERE table_schema = DATABASE() \
                    AND table_name = 'later' AND index_name = 'v'";
        target.sql(&waits) == "1"
            && target.sql("SHOW TRIGGERS LIKE 'done'").contains("of_done")
            && (!several || target.sql(keys) == "1")
    });
    if by_the_server {
        target.end_sessions();
        let failed = command.wait().expect_code(7);
        failed.follows("resume");
    } else {
        command.signal(Signal::KILL);
        assert_eq!(command.wait().code, None);
        target.end_sessions();
    }
    eventually("all sessions are gone", || sessions(&target, false) == 0);
    drop(gate);
    let json = goes_on(&path, &target, &["--jobs", jobs, "--trust"], &["half"]);
    let complete = if several { 2 } else { 1 };
    assert_eq!((&json["tables_complete"], &json["tables"]), (&complete.into(), &(3 - complete).into()), "{json}");
    assert_alike(&target, &whole);
    let json = goes_on(&path, &target, &["--jobs", jobs, "--trust"], &[]);
    assert_eq!((&json["tables_complete"], &json["tables"], &json["rows"]), (&3.into(), &0.into(), &0.into()), "{json}");
    assert_alike(&target, &whole);
}

#[test]
fn a_restore_that_mysql_ended_goes_on() {
    interrupted(mysql(), "1", true);
    interrupted(mysql(), "2", true);
}

#[test]
fn a_restore_that_mariadb_ended_goes_on() {
    interrupted(mariadb(), "1", true);
    interrupted(mariadb(), "2", true);
}

#[test]
fn a_restore_that_was_killed_goes_on() {
    interrupted(mysql(), "2", false);
    interrupted(mariadb(), "1", false);
}

#[test]
fn tables_that_lack_something_come_again_and_the_others_stay() {
    for server in [mysql(), mariadb()] {
        let source = everything(server, "keys");
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, _) = dumped(&source, &folder, &[]);
        let target = server.database("lacking");
        restored(&archive, &target, &["--jobs", "2"]);
        target.sql(
            "SET foreign_key_checks = 0; ALTER TABLE customers DROP KEY noted; DELETE FROM seen WHERE id = 7;
             ALTER TABLE few DROP FOREIGN KEY few_customer, DROP FOREIGN KEY few_later; DROP TABLE zero;
             ALTER TABLE unique_alone ADD c int; INSERT INTO no_primary VALUES (1, 'x');
             DROP VIEW a_view; CREATE TABLE a_view (a int); DROP FUNCTION f",
        );
        let again = ["customers", "seen", "zero", "unique_alone", "no_primary", "a_view"];
        let json = goes_on(&archive, &target, &["--jobs", "2"], &again);
        assert_eq!(json["tables"], 5, "{json}");
        assert_same(&source, &target);
    }
}

/// Complete tables that point at one that comes again, at a key that is not its primary one.
#[test]
fn a_table_that_others_point_at_comes_again() {
    for server in [mysql(), mariadb()] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("dump.sql");
        let parent = KEYED.replace("KEY `v`", "KEY `w` (`id`,`v`),UNIQUE KEY `v`");
        let row = |id: u32| format!("({id},'{id} {}')", "x".repeat(20));
        let insert =
            |s: u32| format!("INSERT INTO `parent` VALUES {};\n", (s..s + 100).map(row).collect::<Vec<_>>().join(","));
        let unique: String = (0..2000).step_by(100).map(insert).collect();
        let body = format!(
            "CREATE TABLE `child` (`id` int NOT NULL,`p` varchar(40),PRIMARY KEY (`id`),KEY `p` (`p`),\
             CONSTRAINT `of_parent` FOREIGN KEY (`p`) REFERENCES `parent` (`v`)) ENGINE=InnoDB;\n\
             INSERT INTO `child` VALUES (1,NULL);\nCREATE TABLE `parent` {parent}{unique}"
        );
        fs::write(&path, script(&body)).expect("write");
        let (whole, target) = (server.database("whole"), server.database("pointed"));
        restored(&path, &whole, &[]);
        restored(&path, &target, &[]);
        target.sql("DELETE FROM parent WHERE id = 7");
        goes_on(&path, &target, &["--jobs", "3"], &["parent"]);
        assert_alike(&target, &whole);
    }
}

/// A trigger of a complete table, behind a view that stands in: foreign keys are still made when all tables are there.
#[test]
fn a_trigger_of_a_complete_table_waits_for_nothing() {
    for server in [mysql(), mariadb()] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("dump.sql");
        let child =
            KEYED.replace(") ENGINE", ",CONSTRAINT `of_z` FOREIGN KEY (`id`) REFERENCES `z` (`number`)) ENGINE");
        let numbers: Vec<String> = (0..2000).map(|id| format!("({id},{id})")).collect();
        let body = [
            "CREATE TABLE `a` ",
            &child,
            &rows("a", 20, 100),
            "/*!50001 CREATE VIEW `stands_in` AS SELECT 1 AS `id` */;\nCREATE TABLE `t` ",
            KEYED,
            "DROP TRIGGER IF EXISTS `of_t`;\nCREATE TRIGGER `of_t` BEFORE INSERT ON `t` FOR EACH ROW SET NEW.v = 'x';\n",
            "CREATE TABLE `z` (`id` int NOT NULL,`number` int NOT NULL,PRIMARY KEY (`id`),UNIQUE KEY `number` (`number`)) ENGINE=InnoDB;\n",
            &format!("INSERT INTO `z` VALUES {};\n", numbers.join(",")),
        ];
        fs::write(&path, script(&body.concat())).expect("write");
        let (whole, target) = (server.database("whole"), server.database("triggered"));
        restored(&path, &whole, &[]);
        restored(&path, &target, &[]);
        target.sql("SET foreign_key_checks = 0; DROP TABLE a; DELETE FROM z WHERE id = 7");
        goes_on(&path, &target, &["--jobs", "2"], &["z"]);
        assert_alike(&target, &whole);
    }
}

#[test]
fn everything_that_servers_can_hold_is_found_complete() {
    for server in [mysql(), mariadb()] {
        let source = everything(server, "objects");
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, _) = dumped(&source, &folder, &[]);
        let target = server.database("finished");
        let first = restored(&archive, &target, &[]);
        // MariaDB's sequences are tables to InnoDB.
        let json = goes_on(&archive, &target, &[], &["counter", "down", "seq@0060uence"]);
        assert_eq!((&json["tables"], &json["tables_complete"]), (&0.into(), &first["tables"]), "{json}");
        assert_same(&source, &target);
        // All of it can be dropped, packages too.
        restored(&archive, &target, &["--clean", "schema"]);
    }
}

#[test]
fn older_and_newer_mariadbs_tell_the_same() {
    for flavour in [Flavour::Mariadb105, Flavour::Mariadb118] {
        let server = shared(flavour);
        let source = everything(server, "keys");
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, _) = dumped(&source, &folder, &[]);
        let target = server.database("of_others");
        restored(&archive, &target, &["--jobs", "2"]);
        target.sql(
            "SET foreign_key_checks = 0; ALTER TABLE orders DROP KEY at; DELETE FROM customers LIMIT 1;
             ALTER TABLE few DROP FOREIGN KEY few_customer, DROP FOREIGN KEY few_later",
        );
        let json = goes_on(&archive, &target, &["--jobs", "2"], &["customers", "orders"]);
        assert_eq!(json["tables"], 2, "{json}");
        assert_same(&source, &target);
    }
}

#[test]
fn anyones_dump_goes_on_from_a_file_and_from_a_pipe() {
    for server in [mysql(), mariadb()] {
        let source = loaded(server, "chinook");
        let folder = tempfile::tempdir().expect("a folder");
        let path = by_the_manual(&source, &folder, &["--skip-add-drop-table"]);
        let target = server.database("anyones");
        // Into an empty one, too.
        restored(&path, &target, &["--resume"]);
        let (largest, _) = checksum(&source).into_iter().max_by_key(|(_, (rows, _))| *rows).expect("a table");
        target.sql(&format!("SET foreign_key_checks = 0; DELETE FROM `{largest}` LIMIT 3"));
        goes_on(&path, &target, &[], &[&largest]);
        assert_same(&source, &target);
        target.sql(&format!("SET foreign_key_checks = 0; DROP TABLE `{largest}`"));
        let input = fs::read(&path).expect("the dump");
        let piped = with_clients_of(server).args(["restore", "--resume", "-", &target.uri()]).input(input).run();
        piped.expect_code(0);
        assert_same(&source, &target);
    }
}

#[test]
fn of_chosen_tables_only_these_go_on() {
    let server = mysql();
    let source = everything(server, "keys");
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    let target = server.database("chosen");
    restored(&archive, &target, &[]);
    target.sql("SET foreign_key_checks = 0; DELETE FROM orders WHERE id < 9; DELETE FROM customers WHERE id < 9");
    let args = ["--table", "orders", "--table", "zero", "--table", "seen", "--exclude-table-data", "seen"];
    let json = goes_on(&archive, &target, &args, &["orders", "seen"]);
    assert_eq!((&json["tables"], &json["tables_complete"]), (&2.into(), &1.into()), "{json}");
    assert_eq!(checksum(&target)["orders"], checksum(&source)["orders"]);
    assert_eq!(target.sql("SELECT count(*) FROM seen"), "0");
    assert_ne!(checksum(&target)["customers"], checksum(&source)["customers"]);
}

#[test]
fn a_target_with_more_in_it_is_refused_unless_that_is_meant() {
    for server in [mysql(), mariadb()] {
        let source = loaded(server, "chinook");
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, _) = dumped(&source, &folder, &[]);
        let target = server.database("more");
        restored(&archive, &target, &[]);
        target.sql(
            "CREATE TABLE theirs (id int PRIMARY KEY); INSERT INTO theirs VALUES (1);
             CREATE PROCEDURE also_theirs() SELECT 1; DELETE FROM PlaylistTrack LIMIT 1",
        );
        let (rows, before, numbers_before) = (checksum(&target), schema(&target), numbers(&target));
        let refused = restore(&archive, &target, &["--resume"]);
        refused.refused(10, &["table theirs", "procedure also_theirs", "nothing was changed", "--into-non-empty"]);
        assert_eq!((checksum(&target), schema(&target), numbers(&target)), (rows, before, numbers_before));
        let json = restored(&archive, &target, &["--resume", "--into-non-empty"]);
        assert_eq!(json["tables"], 1, "{json}");
        assert_eq!(target.sql("SELECT id FROM theirs"), "1");
        target.sql("DROP TABLE theirs; DROP PROCEDURE also_theirs");
        assert_same(&source, &target);
    }
}

#[test]
fn where_nothing_can_go_on_nothing_happens() {
    let (server, folder) = (mysql(), tempfile::tempdir().expect("a folder"));
    let path = folder.path().join("dump.sql");
    fs::write(&path, script(&format!("CREATE TABLE `t` {KEYED}{}", rows("t", 3, 10)))).expect("write");
    let target = server.database("kept");
    target.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    for (other, why) in [
        (&["--clean", "schema"][..], "it drops what there is to go on from"),
        (&["--create"], "a new database holds nothing"),
        (&["--schema-only"], "without rows no table is complete"),
        (&["--data-only"], "made again, not filled"),
    ] {
        restore(&path, &target, &[other, &["--resume"]].concat()).refused(2, &["--resume and", other[0], why]);
    }
    fs::write(&path, script("INSERT INTO `t` VALUES (2);\n")).expect("write");
    let refused = restore(&path, &target, &["--resume"]);
    refused.refused(10, &["tables that it does not create", "again: t", "nothing was changed"]);
    assert_eq!(target.sql("SELECT * FROM t"), "1");

    let source = loaded(postgres15(), "chinook");
    let (archive, _) = dumped(&source, &folder, &[]);
    let target = postgres15().database("kept");
    target.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    for jobs in ["1", "2"] {
        let refused = restore(&archive, &target, &["--resume", "--jobs", jobs]);
        refused.refused(2, &["--resume is for MySQL and MariaDB: pg_restore can't go on", "--clean schema"]);
    }
    assert_eq!(target.sql("SELECT * FROM t"), "1");
}

#[test]
fn a_failure_with_no_way_on_does_not_name_one() {
    let (server, folder) = (mysql(), tempfile::tempdir().expect("a folder"));
    let path = folder.path().join("dump.sql");
    let target = server.database("no_way");
    target.sql("CREATE TABLE t (id int PRIMARY KEY)");
    fs::write(&path, script("INSERT INTO `t` VALUES (2),(2);\n")).expect("write");
    let failed = restore(&path, &target, &["--into-non-empty"]).expect_code(7);
    assert!(
        failed.stderr.contains("empty the tables that it fills") && !failed.stderr.contains("--resume"),
        "{}",
        failed.stderr
    );
}
