use super::super::content::{Reader, fact, names};
use super::*;
use crate::engine::Inspector;

/// What the gate says of a script, in which each statement stands for itself.
fn stopped(script: &str) -> Vec<String> {
    let mut reader = Box::new(Reader::new());
    for bytes in format!("{script}\n-- Dump completed\n").as_bytes().chunks(7) {
        reader.see(bytes);
    }
    let content = reader.finish().unwrap_or_else(|error| panic!("{script}: {error:?}"));
    let elsewhere = names(&content, fact::ELSEWHERE).into_iter().map(str::to_owned);
    names(&content, fact::STOPPED).into_iter().map(str::to_owned).chain(elsewhere).collect()
}

#[test]
fn what_dump_programs_write_passes() {
    for dump in [
        include_str!("../../../../../fixtures/dumps/mysql-9.7.4.sql"),
        include_str!("../../../../../fixtures/dumps/mariadb-10.11.19.sql"),
    ] {
        assert_eq!(stopped(dump), [""; 0]);
    }
}

#[test]
fn what_exporters_write_passes() {
    for statement in [
        "SET SQL_MODE = \"NO_AUTO_VALUE_ON_ZERO\"",
        "/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */",
        "/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */",
        "/*!40101 SET SQL_MODE=IFNULL(@OLD_SQL_MODE, '') */",
        "/*!40014 SET FOREIGN_KEY_CHECKS=IFNULL(@OLD_FOREIGN_KEY_CHECKS, 1) */",
        "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
        "SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ 'a-b:1-7'",
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION",
        "BEGIN WORK",
        "CREATE TABLE IF NOT EXISTS `t` (`a` decimal(9,2) NOT NULL DEFAULT 1.5, `select` int DEFAULT nextval(`s`), \
         CONSTRAINT `f` FOREIGN KEY (`a`) REFERENCES `other`.`u` (`a`)) PARTITION BY RANGE (`a`) (PARTITION p VALUES LESS THAN (9))",
        "ALTER TABLE `t` ADD PRIMARY KEY (`id`), MODIFY `id` int NOT NULL AUTO_INCREMENT, AUTO_INCREMENT=2",
        "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (a)",
        "CREATE UNIQUE INDEX i ON t (a)",
        "CREATE OR REPLACE ALGORITHM=UNDEFINED DEFINER=`a`@`%` SQL SECURITY DEFINER VIEW `v` AS select `other`.`f`(1) from `other`.`t`",
        "CREATE DEFINER=`a.b`@`10.0.0.%` FUNCTION `f`(a int) RETURNS int RETURN (SELECT LOAD_FILE('x') INTO OUTFILE 'y')",
        "INSERT IGNORE INTO `t` (`id`, `values`) VALUES (1, ST_GeomFromText('POINT(1 2)')),(2,_binary 'x(')",
        "REPLACE INTO t VALUES (1) ON DUPLICATE KEY UPDATE a=VALUES(a)",
        "INSERT INTO t SET a = 1, b = NOW()",
        "TRUNCATE TABLE `t`",
        "DELETE FROM `t`",
        "DO SETVAL(`s`, 7, 0)",
        "SELECT SETVAL(`s`, 7, 0)",
        "SELECT 'loading t' AS 'INFO'",
        "/*!80002 ANALYZE TABLE `t` UPDATE HISTOGRAM ON `a` WITH 100 BUCKETS */",
        "DROP TABLE IF EXISTS `a`, `b` CASCADE",
        "DROP DATABASE IF EXISTS `shop`",
        "CHANGE MASTER TO MASTER_LOG_FILE='x'",
        "LOCK TABLES `a` WRITE, `b` READ LOCAL",
        "/*!50112 SELECT COUNT(*) INTO @is_rocksdb_supported FROM INFORMATION_SCHEMA.SESSION_VARIABLES WHERE VARIABLE_NAME='rocksdb_bulk_load' */",
        "/*!50112 SET @enable_bulk_load = IF (@is_rocksdb_supported, 'SET SESSION rocksdb_bulk_load = 1', 'SET @dummy_rocksdb_bulk_load = 0') */",
        "/*!50112 PREPARE s FROM @enable_bulk_load */",
        "/*!50112 EXECUTE s */",
    ] {
        assert_eq!(stopped(&format!("{statement};")), [""; 0], "{statement}");
    }
}

#[test]
fn everything_else_is_stopped_with_the_reason() {
    for (statement, reason) in [
        ("\\! touch x", Reason::Command),
        ("/*!50000 source x */", Reason::Command),
        ("LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t", Reason::Files),
        ("/*!50000 LOAD XML INFILE 'x' INTO TABLE t */", Reason::Files),
        ("TABLE t INTO OUTFILE '/tmp/x'", Reason::Files),
        ("VALUES ROW(1) INTO OUTFILE '/tmp/x'", Reason::Files),
        ("(SELECT 1) INTO /* a */ DUMPFILE '/tmp/x'", Reason::Files),
        ("CREATE FUNCTION f RETURNS STRING SONAME 'x.so'", Reason::Files),
        ("CREATE AGGREGATE FUNCTION f RETURNS REAL SONAME 'x.so'", Reason::Files),
        ("INSTALL PLUGIN p SONAME 'x.so'", Reason::Files),
        ("ALTER TABLE t IMPORT TABLESPACE", Reason::Files),
        ("CREATE TABLE t (a text) ENGINE=CONNECT TABLE_TYPE=DOS FILE_NAME='/etc/passwd'", Reason::Files),
        ("CREATE TABLE t (a text DEFAULT (LOAD_FILE('/etc/passwd')))", Reason::Files),
        ("INSERT INTO t VALUES (1),(LOAD_FILE('/etc/passwd'))", Reason::Files),
        ("CREATE USER function@'%' IDENTIFIED BY 'x'", Reason::Server),
        ("CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (HOST 'x')", Reason::Server),
        ("GRANT ALL ON *.* TO u", Reason::Server),
        ("SET GLOBAL general_log_file = '/tmp/x'", Reason::Server),
        ("SET GLOBAL gtid_purged = 'x', general_log = 1", Reason::Server),
        ("SET @@persist.max_connections = 1", Reason::Server),
        ("SET PASSWORD FOR u = 'x'", Reason::Server),
        ("SET SESSION debug = 'd,f,o,/tmp/x'", Reason::Server),
        ("FLUSH PRIVILEGES", Reason::Server),
        ("CREATE TABLE t (a int DEFAULT (GET_LOCK('x', 9)))", Reason::Server),
        ("RESET MASTER", Reason::Server),
        ("PREPARE s FROM 'SELECT 1'", Reason::Runs),
        ("EXECUTE IMMEDIATE 'SELECT 1'", Reason::Runs),
        ("CALL p()", Reason::Runs),
        ("SET @enable_bulk_load = 'SELECT 1'", Reason::Runs),
        ("PREPARE s FROM @other", Reason::Runs),
        ("SELECT f()", Reason::Runs),
        ("DO f()", Reason::Runs),
        ("SELECT SETVAL(s, f())", Reason::Runs),
        ("INSERT INTO t SELECT * FROM u", Reason::Runs),
        ("INSERT INTO t (a) SELECT 1 UNION VALUES (2)", Reason::Runs),
        ("INSERT INTO t VALUES ((SELECT 1))", Reason::Runs),
        ("INSERT INTO t VALUES (other.f (1))", Reason::Runs),
        ("INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = f(1)", Reason::Runs),
        ("INSERT INTO t VALUES (1) RETURNING f /* */ (1)", Reason::Runs),
        ("INSERT INTO t SET a = f(1)", Reason::Runs),
        ("CREATE TABLE t AS SELECT 1", Reason::Runs),
        ("CREATE TABLE t VALUES ROW(1)", Reason::Runs),
        ("SET @x = (SELECT 1)", Reason::Runs),
        ("SET @x = f()", Reason::Runs),
        ("ANALYZE SELECT f()", Reason::Runs),
        ("DELETE FROM t WHERE f()", Reason::Runs),
        ("UPDATE t SET a = 1", Reason::Runs),
        ("HANDLER t OPEN", Reason::Runs),
        ("SET sql_mode = 1048576", Reason::Unclear),
        ("SET sql_mode = 'NO_BACK' 'SLASH_ESCAPES'", Reason::Unclear),
        ("SET sql_mode = 'NO_BACKSL\\ASH_ESCAPES'", Reason::Unclear),
        ("SET sql_mode = '', sql_mode = 'NO_BACKSLASH_ESCAPES'", Reason::Unclear),
        ("CREATE TABLE t (a int) \u{b} COMMENT 'x'", Reason::Unclear),
        ("CREATE TABLE t (a int /*!99999 ' */ , b int /*!99999 ' */)", Reason::Unclear),
        ("CREATE PROCEDURE p() SET @a = mydelimiter", Reason::Unclear),
        ("INSERT INTO t VALUES (1delimiter)", Reason::Runs),
        ("BEGIN NOT ATOMIC SELECT 1", Reason::Unknown),
        ("XA START 'x'", Reason::Unknown),
        ("RENAME TABLE t TO u", Reason::Unknown),
        ("START GROUP_REPLICATION", Reason::Unknown),
    ] {
        let found = stopped(&format!("{statement};"));
        assert!(found.len() == 1 && found[0].ends_with(&format!("({})", reason.words())), "{statement}: {found:?}");
    }
}

#[test]
fn a_later_statement_is_read_as_an_earlier_one_says() {
    for script in [
        "SET @m = 'NO_BACKSLASH_ESCAPES'; SET sql_mode = @m;",
        "SET NAMES gbk; INSERT INTO t VALUES (1);",
        "SET @c = 'sjis'; SET character_set_client = @c; INSERT INTO t VALUES (1);",
        "SET NAMES gbk; SET @old = @@character_set_client; SET NAMES utf8mb4; SET character_set_client = @old; INSERT INTO t VALUES (1);",
    ] {
        let found = stopped(script);
        let words = [Reason::Unclear.words(), CHARACTER_SET];
        let is_told = found.len() == 1 && words.iter().any(|words| found[0].contains(words));
        assert!(is_told, "{script}: {found:?}");
    }
    let passes = "SET @old = @@character_set_client; SET character_set_client = gbk; CREATE FUNCTION f() RETURNS int RETURN 1; \
                  SET character_set_client = @old; INSERT INTO t VALUES (1);";
    assert_eq!(stopped(passes), [""; 0]);
}

#[test]
fn statements_about_another_database_are_told_with_its_name() {
    for statement in [
        "DROP TABLE other.keep",
        "DROP TABLE a, `other`.`keep`",
        "REPLACE INTO `other` . keep SET a = 1",
        "ALTER TABLE t RENAME TO other.keep",
        "ALTER TABLE t EXCHANGE PARTITION p WITH TABLE other.keep",
        "CREATE TABLE t (a int) ENGINE=MERGE UNION=(other.keep)",
        "CREATE VIEW other.v AS SELECT 1",
        "CREATE TRIGGER other.t BEFORE INSERT ON t FOR EACH ROW SET @a=1",
        "CREATE INDEX i ON other.keep (a)",
        "TRUNCATE other.keep",
        "LOCK TABLES other.keep WRITE",
        "CREATE TABLE t (a int DEFAULT nextval(`other`.`s`))",
        "ALTER TABLE t ADD a int DEFAULT (setval(other.s, 1))",
        "CREATE TABLE t (a int DEFAULT (NEXT VALUE FOR other.s))",
    ] {
        let found = stopped(&format!("{statement};"));
        assert_eq!(found, [format!("other: line 1: {statement}")]);
    }
}

#[test]
fn what_is_too_long_to_be_looked_at_is_stopped() {
    let long = format!("CREATE TABLE t (a int COMMENT '{}') AS SELECT LOAD_FILE('x');", "x".repeat(1 << 20));
    assert!(stopped(&long)[0].contains(Reason::Unclear.words()));
    let body = format!("CREATE FUNCTION f() RETURNS text RETURN '{}';", "x".repeat(1 << 20));
    assert_eq!(stopped(&body), [""; 0], "a body is not judged");
}
