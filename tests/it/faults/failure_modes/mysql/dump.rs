//! What a dump stumbles over: rights, views, routines, character sets, tables that change.

use std::fs;

use serde_json::Value;

use super::{User, archive, both, dump, ended, programs, vendor_dump};
use crate::{
    roundtrip::{dumped, manifest, member, restored, with_clients_of},
    support::{Database, Gate, Lock, Output, Running, Server, mariadb, mysql, sessions},
};

const READER: &str = "SELECT, SHOW VIEW, TRIGGER, EVENT, LOCK TABLES, EXECUTE";

fn small(server: &Server) -> Database<'_> {
    let database = server.database("dumping");
    database.sql("CREATE TABLE t (n INT PRIMARY KEY); INSERT INTO t VALUES (1), (2)");
    database
}

#[test]
fn row_06_without_process_a_dump_is_whole_and_silent() {
    let database = small(mysql());
    let user = User::with(READER, &database);
    let args = ["--single-transaction", "--set-gtid-purged=OFF", database.name()];
    let vendors = ended(user.client("mysqldump").args(args), "");
    assert!(vendors.stderr.contains("when trying to dump tablespaces"), "{}", vendors.stderr);
    assert_eq!(vendors.code, Some(0), "an error that is none");
    let folder = tempfile::tempdir().expect("a folder");
    let output = dump(mysql(), &user.uri(&database), &folder, &["-vv"]).expect_code(0);
    assert!(!output.stderr.contains("tablespaces'"), "{}", output.stderr);
    let sql = String::from_utf8(member(&folder.path().join("archive.tar.gz"), "*/dump.sql")).expect("UTF-8");
    assert!(sql.contains("INSERT INTO `t` VALUES (1),(2);"), "{sql}");
}

#[test]
fn row_07_a_server_with_gtids_is_dumped_without_reload() {
    let database = small(mysql());
    assert_eq!(mysql().sql("SELECT @@gtid_mode"), "ON");
    let user = User::with(READER, &database);
    let vendors = ended(user.client("mysqldump").args(["--single-transaction", database.name()]), "");
    assert!(vendors.code == Some(2) && vendors.stderr.contains("RELOAD"), "{}", vendors.stderr);
    let folder = tempfile::tempdir().expect("a folder");
    dump(mysql(), &user.uri(&database), &folder, &[]).expect_code(0);
}

#[test]
fn surprise_10_an_error_about_masking_policies_is_none() {
    let database = small(mysql());
    let user = User::with(READER, &database);
    let args = ["--single-transaction", "--set-gtid-purged=OFF", "--no-tablespaces", database.name()];
    let vendors = ended(user.client("mysqldump").args(args), "");
    assert!(vendors.code == Some(0) && vendors.stderr.contains("column_masking_policy"), "{}", vendors.stderr);
    let folder = tempfile::tempdir().expect("a folder");
    let json = dump(mysql(), &user.uri(&database), &folder, &["--json"]).expect_code(0).json();
    assert_eq!((json["status"].as_str(), &json["warnings"]), (Some("ok"), &Value::Array(Vec::new())));
}

#[test]
fn row_30_routines_and_events_are_in_every_dump() {
    for server in both() {
        let source = small(server);
        source.sql(
            "CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1; CREATE PROCEDURE p() SELECT 1;
             CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1;
             CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @a = 1",
        );
        let vendors = vendor_dump(&source, &[]);
        assert!(!vendors.stdout.contains("PROCEDURE") && !vendors.stdout.contains("EVENT"), "{}", vendors.stdout);
        let folder = tempfile::tempdir().expect("a folder");
        let target = server.database("dumping");
        restored(&archive(&source, &folder), &target, &[]);
        assert_eq!(target.sql("SELECT f()"), "1");
        assert_eq!(target.sql("CALL p()"), "1");
        assert_eq!(target.sql("SHOW EVENTS").lines().count(), 1);
        assert_eq!(target.sql("SHOW TRIGGERS").lines().count(), 1);
    }
}

#[test]
fn row_30_routines_that_the_user_cannot_read_are_named_before_the_dump() {
    for (server, right) in both().into_iter().zip(["SHOW_ROUTINE", "SELECT ON mysql.proc"]) {
        let source = small(server);
        source.sql("CREATE FUNCTION not_yours() RETURNS INT DETERMINISTIC RETURN 1");
        let user = User::with(READER, &source);
        let [program, _] = programs(server);
        let vendors = ended(user.client(program).args(["--routines", "--no-tablespaces", source.name()]), "");
        assert_eq!(vendors.code, Some(2), "{}", vendors.stderr);
        let folder = tempfile::tempdir().expect("a folder");
        dump(server, &user.uri(&source), &folder, &[]).refused(10, &["not_yours", right, "hint:", "--skip-routines"]);
    }
}

#[test]
fn row_31_a_dump_that_would_lack_triggers_is_refused_or_says_so() {
    for server in both() {
        let source = small(server);
        source.sql("CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @a = 1");
        let user = User::with("SELECT, SHOW VIEW, EVENT, LOCK TABLES, EXECUTE", &source);
        let [program, _] = programs(server);
        let args = ["--single-transaction", "--no-tablespaces", "--triggers", source.name()];
        let mut client = user.client(program);
        let client =
            if server.flavour() == mysql().flavour() { client.arg("--set-gtid-purged=OFF") } else { &mut client };
        let vendors = ended(client.args(args), "");
        assert!(vendors.code != Some(0) || !vendors.stdout.contains("TRIGGER"), "silently without: {}", vendors.stdout);
        let folder = tempfile::tempdir().expect("a folder");
        let uri = user.uri(&source);
        dump(server, &uri, &folder, &[]).refused(10, &["TRIGGER", "hint: GRANT TRIGGER ON"]);
        let output = dump(server, &uri, &folder, &["--allow-incomplete"]).expect_code(0);
        assert!(output.stderr.contains("without TRIGGER: the dump holds none"), "{}", output.stderr);
        let missing = manifest(&folder.path().join("archive.tar.gz"))["missing"].to_string();
        assert!(missing.contains("TRIGGER"), "{missing}");
    }
}

#[test]
fn row_38_emoji_and_every_byte_come_back() {
    for server in both() {
        let source = server.database("dumping");
        source.sql(
            "CREATE TABLE t (n INT PRIMARY KEY, v VARCHAR(20) CHARACTER SET utf8mb4, b BLOB);
             INSERT INTO t VALUES (1, 'a😀b', X'00FF270A0D1A5C22C328')",
        );
        let vendors = vendor_dump(&source, &["--default-character-set=utf8mb3"]);
        assert!(vendors.code == Some(0) && vendors.stdout.contains("'a?b'"), "{}", vendors.stdout);
        let folder = tempfile::tempdir().expect("a folder");
        let target = server.database("dumping");
        restored(&archive(&source, &folder), &target, &[]);
        let row = "SELECT HEX(v), HEX(b) FROM t";
        assert_eq!(target.sql(row), "61F09F988062\t00FF270A0D1A5C22C328");
        let refused = dump(server, &source.uri(), &folder, &["--", "--default-character-set=utf8mb3"]);
        refused.refused(2, &["--default-character-set can't be handed to the dump program"]);
    }
}

#[test]
fn row_39_a_row_larger_than_the_clients_own_limit_is_dumped() {
    let source = mariadb().database("dumping");
    source.sql("CREATE TABLE t (n INT PRIMARY KEY, v LONGTEXT); INSERT INTO t VALUES (1, REPEAT('x', 26000000))");
    // The last one counts, and 24M is what the client takes by itself.
    let vendors = vendor_dump(&source, &["--max-allowed-packet=24M"]);
    assert!(matches!(vendors.code, Some(2 | 3)), "{:?} {}", vendors.code, vendors.stderr);
    assert!(!vendors.stderr.contains("packet"), "it does not say why: {}", vendors.stderr);
    let folder = tempfile::tempdir().expect("a folder");
    let (_, json) = dumped(&source, &folder, &[]);
    assert_eq!(json["rows"], 1);
}

#[test]
fn row_43_a_broken_view_is_named_before_the_dump() {
    for server in both() {
        let source = small(server);
        source.sql(
            "CREATE TABLE gone (a INT); CREATE VIEW broken AS SELECT * FROM gone; CREATE VIEW upon AS SELECT * FROM broken;
             CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1; CREATE VIEW calling AS SELECT f();
             DROP TABLE gone; DROP FUNCTION f",
        );
        let vendors = vendor_dump(&source, &[]);
        assert!(vendors.code == Some(2) && !vendors.stdout.contains("Dump completed"), "{:?}", vendors.code);
        let folder = tempfile::tempdir().expect("a folder");
        let words = ["broken", "calling", "upon", "nothing was started", "hint:", "--exclude-table"];
        dump(server, &source.uri(), &folder, &[]).refused(10, &words);
        let without = ["--exclude-table", "broken", "--exclude-table", "upon", "--exclude-table", "calling"];
        dump(server, &source.uri(), &folder, &without).expect_code(0);
    }
}

/// A dump that has begun its transaction and waits for the first table; the second is altered meanwhile.
fn altered_meanwhile(server: &Server, to: &str) -> (Output, tempfile::TempDir) {
    let source = server.database("dumping");
    source.sql("CREATE TABLE a (n INT PRIMARY KEY); CREATE TABLE b (n INT PRIMARY KEY); INSERT INTO a VALUES (1)");
    source.sql("INSERT INTO b VALUES (1), (2)");
    let gate = Gate::before(&server.client_dir());
    let folder = tempfile::tempdir().expect("a folder");
    let args = ["dump", "--json", &source.uri(), "--output", to];
    let command = with_clients_of(server).client_dirs([gate.folder()]).args(args).cwd(folder.path());
    let mut running: Running = command.spawn();
    running.wait_until("a client before the gate", |_| gate.reached());
    let lock = Lock::on(&source, "a");
    gate.open();
    running.wait_until("a session that waits for the lock", |_| sessions(&source, true) > 0);
    source.sql("ALTER TABLE b ADD COLUMN m INT NOT NULL DEFAULT 7, ALGORITHM=COPY");
    drop(lock);
    (running.wait(), folder)
}

#[test]
fn row_44_a_table_that_is_altered_meanwhile_makes_the_dump_begin_again_once() {
    for server in both() {
        let (output, folder) = altered_meanwhile(server, "archive.tar.gz");
        let output = output.expect_code(0);
        let warnings = output.json()["warnings"].to_string();
        assert!(warnings.contains("begun again, once") && warnings.contains("`b`"), "{warnings}");
        let path = folder.path().join("archive.tar.gz");
        let sql = String::from_utf8(member(&path, "*/dump.sql")).expect("UTF-8");
        assert!(sql.replace('\n', "").contains("(1,7),(2,7);"), "{sql}");
        assert_eq!(manifest(&path)["warnings"], output.json()["warnings"]);
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1);
    }
}

#[test]
fn row_44_what_a_stream_has_taken_is_not_begun_again() {
    let (output, _folder) = altered_meanwhile(mysql(), "-");
    let output = output.expect_code(6);
    assert!(output.stderr.contains("for table: `b`"), "{}", output.stderr);
}

#[test]
fn row_44_tables_without_transactions_are_named() {
    for server in both() {
        let source = small(server);
        source.sql("CREATE TABLE mine (n INT) ENGINE=MyISAM");
        let folder = tempfile::tempdir().expect("a folder");
        let (path, json) = dumped(&source, &folder, &[]);
        assert!(json["warnings"].to_string().contains("may change while they are read: mine"), "{json}");
        assert_eq!(manifest(&path)["consistency"], "snapshot, except for tables without transactions");
        // Of rows that are not dumped there is nothing to say.
        for left_out in [&["--exclude-table", "mine"][..], &["--exclude-table-data", "mine"], &["--schema-only"]] {
            let folder = tempfile::tempdir().expect("a folder");
            let (path, json) = dumped(&source, &folder, left_out);
            assert!(!json["warnings"].to_string().contains("mine"), "{left_out:?}: {json}");
            assert_eq!(manifest(&path)["consistency"], "snapshot", "{left_out:?}");
        }
        // Of these alone it is one moment.
        let folder = tempfile::tempdir().expect("a folder");
        let (path, _) = dumped(&source, &folder, &["--table", "mine"]);
        assert_eq!(manifest(&path)["consistency"], "tables locked while they were read");
    }
}
