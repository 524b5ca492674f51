//! Scripts for the mysql and mariadb clients.

use super::{Trap, refused, restore};
use crate::support::{Flavour, Server, mariadb, mysql, shared};

/// Commands of the client's, in the forms that it obeys where somebody types.
const COMMANDS: [&str; 12] = [
    "\\! touch MARK\n;\n",
    "system touch MARK\n;\n",
    "SYSTEM touch MARK;\n",
    "\\. MORE\n;\n",
    "source MORE\n;\n",
    "tee MARK\n;\n",
    "\\T MARK\n;\n",
    "pager cat > MARK\n;SELECT 1;\n",
    "\\P cat > MARK\n;SELECT 1;\n",
    "/*!50000 \\! touch MARK\n*/;\n",
    "DELIMITER //\nSELECT 1//\nsystem touch MARK\n//\nDELIMITER ;\n",
    "\\C latin1\n;\\! touch MARK\n;\n",
];

const FILES: [&str; 5] = [
    "LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE t;\n",
    "/*!50000 LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE t */;\n",
    "LOAD XML LOCAL INFILE '/etc/hostname' INTO TABLE t;\n",
    "SELECT 1 INTO OUTFILE '/tmp/never-written';\n",
    "INSTALL PLUGIN p SONAME 'p.so';\n",
];

/// A dump that holds this.
pub fn script(server: &Server, body: &str) -> String {
    let name = if server.flavour() == Flavour::Mysql {
        "MySQL dump 10.13  Distrib 9.7.4"
    } else {
        "MariaDB dump 10.19  Distrib 10.11.6-MariaDB"
    };
    format!(
        "-- {name}, for Linux (x86_64)\n--\n-- Host: localhost    Database: shop\n\nCREATE TABLE `t` (`a` longtext);\n\
         {body}\n-- Dump completed on 2025-01-01  0:00:00\n"
    )
}

fn nothing_runs(server: &Server) {
    let trap = Trap::new();
    let target = server.database("tricked");
    for trick in COMMANDS.into_iter().chain(FILES) {
        let path = trap.write(script(server, &trap.set(trick)));
        refused(restore(&server.client_dir(), &path, &target).run(), &target, trick);
        // Nor does the client obey what is let through to it.
        let trusted = restore(&server.client_dir(), &path, &target).args(["--trust", "--clean=schema"]).run();
        assert!(!trap.sprung(), "{trick:?} ran: {}", trusted.stderr);
        if trick.contains("LOCAL") {
            assert_eq!(trusted.code, Some(7), "{trick:?}: {}", trusted.stderr);
            assert_eq!(target.sql("SELECT count(*) FROM t"), "0", "a file of this machine was sent");
        }
        // Most are errors for the server; the table of their beginnings goes.
        target.sql("DROP TABLE IF EXISTS t");
    }
    // In the middle of a statement the client does not obey them either; outside of strings no backslash passes.
    for trick in ["INSERT INTO t VALUES (1 \\! touch MARK\n);\n", "SELECT '\n\\! touch MARK\n';\n"] {
        let path = trap.write(script(server, &trap.set(trick)));
        let output = restore(&server.client_dir(), &path, &target).arg("--clean=schema").run();
        assert!(matches!(output.code, Some(0 | 10)), "{trick:?}: {}", output.stderr);
        assert!(!trap.sprung(), "{trick:?} ran");
    }
}

#[test]
fn nothing_that_a_script_says_runs_in_mysql() {
    nothing_runs(mysql());
}

#[test]
fn nothing_that_a_script_says_runs_in_mariadb() {
    nothing_runs(mariadb());
}

#[test]
fn nothing_that_a_script_says_runs_in_a_mariadb_without_a_sandbox() {
    nothing_runs(shared(Flavour::Mariadb105));
}

#[test]
fn what_only_looks_like_a_command_comes_back() {
    for server in [mysql(), mariadb()] {
        let (trap, target) = (Trap::new(), server.database("innocent"));
        let innocent = "-- \\! touch MARK\n/* \\! touch MARK */\nCREATE TABLE `system` (`source` text COMMENT 'LOAD DATA');\n\
                        INSERT INTO `system` VALUES ('\n\\! touch MARK\n'),('system touch MARK'),('INTO OUTFILE');\n";
        let path = trap.write(script(server, &trap.set(innocent)));
        restore(&server.client_dir(), &path, &target).run().expect_code(0);
        assert!(!trap.sprung());
        assert_eq!(target.sql("SELECT count(*) FROM `system`"), "3");
    }
}

/// What such a dump holds is a text whose strings end where only its character set says.
#[test]
fn a_dump_in_gbk_is_refused_with_the_way_out() {
    for server in [mysql(), mariadb()] {
        let source = server.database("gbk");
        source.sql("CREATE TABLE t (a varchar(9)) CHARACTER SET utf8mb4; INSERT INTO t VALUES ('乗')");
        let program = if server.flavour() == Flavour::Mysql { "mysqldump" } else { "mariadb-dump" };
        let dump = |set: &str| {
            let mut dump = source.client(program);
            let output = dump.args([&format!("--default-character-set={set}"), source.name()]).output().expect("dump");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            output.stdout
        };
        let (trap, target) = (Trap::new(), server.database("gbk"));
        let gbk = dump("gbk");
        assert!(gbk.windows(3).any(|bytes| bytes == b"\x81\\'"), "the character ends in a backslash");
        // Of its strings one seems never to end.
        for (rows, code) in [("('乗')", 8), ("('a')", 10)] {
            source.sql(&format!("DELETE FROM t; INSERT INTO t VALUES {rows}"));
            let refused = restore(&server.client_dir(), &trap.write(dump("gbk")), &target).run();
            refused
                .refused(code, &["hides where strings end", "nothing was changed", "--default-character-set=utf8mb4"]);
        }
        source.sql("INSERT INTO t VALUES ('乗')");
        restore(&server.client_dir(), &trap.write(dump("utf8mb4")), &target).run().expect_code(0);
        assert_eq!(target.sql("SELECT HEX(a) FROM t ORDER BY 1"), "61\nE4B997");
    }
}
