//! What a restore adapts on the way in, and what it leaves.

use std::{collections::BTreeSet, fs};

use serde_json::Value;

use super::{User, archive, both, ended, restore, vendor_load, written};
use crate::{
    roundtrip::{restored, with_clients_of},
    support::{Database, dbhaul, fixture, mariadb, mysql, recorded_client},
};

/// How often something was adapted.
fn adapted(result: &Value, what: &str) -> u64 {
    let all = result["adaptations"].as_array().expect("adaptations");
    all.iter()
        .find(|one| one["what"].as_str().is_some_and(|text| text.contains(what)))
        .map_or(0, |one| one["count"].as_u64().expect("a count"))
}

/// A small dump in mysqldump's words.
fn dump_text(server: &str, statements: &str) -> String {
    format!(
        "-- MySQL dump 10.13  Distrib {server}, for Linux (x86_64)\n-- Server version\t{server}\n\n{statements}\n\
         -- Dump completed on 2026-01-02  3:04:05\n"
    )
}

#[test]
fn row_08_a_sandbox_line_is_dropped_wherever_it_stands_and_nothing_else() {
    let table = "CREATE TABLE `t` (`n` int NOT NULL, `v` text, PRIMARY KEY (`n`)) ENGINE=InnoDB;\n";
    let row = "/*!999999\\\\- enable the sandbox mode */ \\n/*M!999999\\\\- enable the sandbox mode */";
    for line in ["/*!999999\\- enable the sandbox mode */", "/*M!999999\\- enable the sandbox mode */"] {
        // Not the first line, as after somebody's own header; and the same words in a row.
        let text = format!(
            "-- kept by the night shift\n{line} \n{}",
            dump_text("10.11.19-MariaDB", &format!("{table}INSERT INTO `t` VALUES (1,'{row}');"))
        );
        let target = mysql().database("sandbox");
        if line.starts_with("/*!") {
            let vendors = vendor_load(&target, &text);
            assert_ne!(vendors.code, Some(0), "MySQL's client takes it");
        }
        let folder = tempfile::tempdir().expect("a folder");
        let result = restored(&written(&folder, &text), &target, &[]);
        assert_eq!(adapted(&result, "sandbox"), 1, "{result}");
        assert_eq!(target.sql("SELECT LENGTH(v) FROM t"), (row.len() - 3).to_string());
    }
}

#[test]
fn row_08_an_old_mariadb_client_gets_no_sandbox_line() {
    let dump = fs::read_to_string(fixture("dumps/mariadb-10.11.19.sql")).expect("the dump");
    assert!(dump.contains("/*M!999999\\- enable the sandbox mode */"));
    let folder = tempfile::tempdir().expect("a folder");
    // As old ones do: they take the line for a command that they don't know.
    let choke = "tee fed | { ! grep -q 'enable the sandbox mode'; } || { echo 'ERROR at line 1: Unknown command '\"'\\\\-'\" >&2; exit 1; }";
    recorded_client(
        folder.path(),
        "mariadb",
        "mariadb-10.5.23",
        &choke.replace("fed", &folder.path().join("fed").display().to_string()),
    );
    let target = mariadb().database("sandbox");
    let restore = dbhaul().client_dirs([folder.path()]).args(["restore", "--json"]);
    let result = restore.arg(fixture("dumps/mariadb-10.11.19.sql")).arg(target.uri()).run().expect_code(0).json();
    assert_eq!(adapted(&result, "sandbox"), 1, "{result}");
    assert!(fs::read_to_string(folder.path().join("fed")).expect("fed").contains("CREATE TABLE"));
}

#[test]
fn row_09_definers_that_the_user_may_not_set_are_left_out_and_said() {
    for server in both() {
        let source = server.database("definers");
        source.sql(
            "CREATE TABLE t (n INT PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'CREATE DEFINER=`a`@`b` VIEW');
             CREATE DEFINER=root@localhost VIEW v AS SELECT n FROM t;
             CREATE DEFINER=ghost@nowhere PROCEDURE p() SELECT 'DEFINER=`a`@`b`';
             CREATE DEFINER=ghost@nowhere EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1",
        );
        let folder = tempfile::tempdir().expect("a folder");
        let path = archive(&source, &folder);
        let target = server.database("definers");
        let user = User::with("ALL PRIVILEGES", &target);
        let by_user = || with_clients_of(server).args(["restore", "--json"]).arg(&path).arg(user.uri(&target));
        let kept = by_user().arg("--keep-definers").run().expect_code(10).json();
        assert!(kept["message"].to_string().contains("may not set other definers: `ghost`@`nowhere`"), "{kept}");
        assert!(kept["hints"].to_string().contains("without --keep-definers"), "{kept}");
        let result = by_user().run().expect_code(0).json();
        assert!(adapted(&result, "DEFINER") >= 3, "{result}");
        assert!(result.to_string().contains("will run as the restoring user"), "{result}");
        let routines = "SELECT DISTINCT definer FROM information_schema.routines WHERE routine_schema = DATABASE()";
        assert!(target.sql(routines).starts_with("few_rights"), "{}", target.sql(routines));
        assert_eq!(target.sql("SELECT v FROM t"), "CREATE DEFINER=`a`@`b` VIEW");
        assert_eq!(target.sql("CALL p()"), "DEFINER=`a`@`b`");
    }
}

#[test]
fn row_29_what_clean_objects_leaves_is_named_and_clean_schema_leaves_nothing() {
    for server in both() {
        let source = server.database("clean");
        source.sql("CREATE TABLE t (n INT PRIMARY KEY); CREATE VIEW v AS SELECT * FROM t");
        let folder = tempfile::tempdir().expect("a folder");
        let path = archive(&source, &folder);
        let target = server.database("clean");
        let fill = "CREATE TABLE t (other INT); CREATE TABLE mine (n INT);
            CREATE TABLE child (n INT, FOREIGN KEY (n) REFERENCES parent (n));";
        target.sql(&format!("CREATE TABLE parent (n INT PRIMARY KEY); {fill}"));
        let output = restore(&path, &target, &["--clean", "objects", "--yes"]).expect_code(0);
        let words = "the dump does not bring, and so the target keeps: child, mine, parent (--clean schema drops all)";
        assert!(output.stderr.contains(words), "{}", output.stderr);
        assert_eq!(target.sql("SHOW TABLES"), "child\nmine\nparent\nt\nv");
        let output = restore(&path, &target, &["--clean", "schema", "--yes"]).expect_code(0);
        assert!(!output.stderr.contains("the target keeps"), "{}", output.stderr);
        assert_eq!(target.sql("SHOW TABLES"), "t\nv");
    }
}

#[test]
fn row_34_a_mode_of_mysql_5_7_is_taken_out_on_the_way_into_mysql_8() {
    let text = dump_text(
        "5.7.21",
        "CREATE TABLE `t` (`n` int NOT NULL, `v` text, PRIMARY KEY (`n`)) ENGINE=InnoDB;\n\
         INSERT INTO `t` VALUES (1,'sql_mode = NO_AUTO_CREATE_USER');\n\
         /*!50003 SET @saved_sql_mode       = @@sql_mode */ ;\n\
         /*!50003 SET sql_mode              = 'STRICT_TRANS_TABLES,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION' */ ;\n\
         DELIMITER ;;\n\
         /*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @a = 1 */;;\n\
         DELIMITER ;\n/*!50003 SET sql_mode              = @saved_sql_mode */ ;",
    );
    let target = mysql().database("modes");
    let vendors = vendor_load(&target, &text);
    assert!(vendors.stderr.contains("ERROR 1231"), "{}", vendors.stderr);
    assert_eq!(target.sql("SELECT COUNT(*) FROM t"), "1", "the rows were loaded by then");
    target.sql("DROP TABLE t");
    let folder = tempfile::tempdir().expect("a folder");
    let result = restored(&written(&folder, &text), &target, &[]);
    assert_eq!(adapted(&result, "NO_AUTO_CREATE_USER"), 1, "{result}");
    let mode = "SELECT sql_mode FROM information_schema.triggers WHERE trigger_schema = DATABASE()";
    assert_eq!(target.sql(mode), "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION");
    assert_eq!(target.sql("SELECT v FROM t"), "sql_mode = NO_AUTO_CREATE_USER");
}

/// What the seed's plain mysqldump writes of a server with GTIDs.
fn with_gtids(source: &Database<'_>) -> String {
    let dump = ended(source.client("mysqldump").arg(source.name()), "").stdout;
    assert!(dump.contains("SET @@GLOBAL.GTID_PURGED") && dump.contains("SQL_LOG_BIN= 0"), "{dump}");
    dump
}

#[test]
fn row_35_a_user_without_rights_on_the_server_restores_a_dump_with_gtids() {
    let source = mysql().database("gtid");
    source.sql("CREATE TABLE t (n INT PRIMARY KEY); INSERT INTO t VALUES (1)");
    let dump = with_gtids(&source);
    let target = mysql().database("gtid");
    let user = User::with("ALL PRIVILEGES", &target);
    let vendors = ended(user.client("mysql").arg(target.name()), &dump);
    assert!(vendors.stderr.contains("ERROR 1227"), "{}", vendors.stderr);
    let folder = tempfile::tempdir().expect("a folder");
    let path = written(&folder, &dump);
    let command = with_clients_of(mysql()).args(["restore", "--json"]).arg(path).arg(user.uri(&target));
    let result = command.run().expect_code(0).json();
    assert!(adapted(&result, "GTID") >= 2, "{result}");
    // dbhaul's own dumps hold none to begin with.
    let target = mysql().database("gtid");
    assert_eq!(adapted(&restored(&archive(&source, &folder), &target, &[]), "GTID"), 0);
}

#[test]
fn surprise_09_what_is_restored_reaches_the_replicas() {
    let source = mysql().database("gtid");
    source.sql("CREATE TABLE t (n INT PRIMARY KEY); INSERT INTO t VALUES (4711)");
    let dump = with_gtids(&source);
    let logged = |database: &Database<'_>| {
        let logs = mysql().sql("SHOW BINARY LOGS");
        let logs: BTreeSet<_> = logs.lines().filter_map(|line| line.split('\t').next()).collect();
        let events = |log: &&str| mysql().sql(&format!("SHOW BINLOG EVENTS IN '{log}'"));
        let mention = "table_id: ";
        logs.iter().map(events).any(|text| {
            text.lines().any(|line| line.contains(mention) && line.contains(&format!("({}.t)", database.name())))
        })
    };
    // The vendor's way: a privileged user's session turns the log off (and the GTIDs are refused, so they are cut).
    let hidden = mysql().database("gtid");
    let without_purged: String =
        dump.split_inclusive(";\n").filter(|statement| !statement.contains("GTID_PURGED=")).collect();
    assert_eq!(vendor_load(&hidden, &without_purged).code, Some(0));
    assert!(!logged(&hidden), "the vendor's client keeps it from the replicas");
    let target = mysql().database("gtid");
    let folder = tempfile::tempdir().expect("a folder");
    restored(&written(&folder, &dump), &target, &[]);
    assert!(logged(&target));
}
