//! Files that are whole and have no mark at their ends, and files with more behind it.

use std::fs;

use crate::{
    roundtrip::with_clients_of,
    support::{Database, Output, Server, mysql, postgres15},
};

/// What phpMyAdmin writes.
pub const PHPMYADMIN: &str = "-- phpMyAdmin SQL Dump\n-- version 5.2.1\nSET SQL_MODE = \"NO_AUTO_VALUE_ON_ZERO\";\nSTART TRANSACTION;\n\
    SET time_zone = \"+00:00\";\n/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;\n/*!40101 SET NAMES utf8mb4 */;\n\
    CREATE TABLE `t` (`id` int(11) NOT NULL, `v` varchar(9) DEFAULT NULL) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;\n\
    INSERT INTO `t` (`id`, `v`) VALUES (0, 'zero'), (1, 'a;b');\nDELIMITER $$\n\
    CREATE TRIGGER `tr` BEFORE INSERT ON `t` FOR EACH ROW BEGIN SET NEW.v = UPPER(NEW.v); END\n$$\nDELIMITER ;\n\
    ALTER TABLE `t` ADD PRIMARY KEY (`id`);\n\
    ALTER TABLE `t` MODIFY `id` int(11) NOT NULL AUTO_INCREMENT, AUTO_INCREMENT=2;\nCOMMIT;\n\
    /*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;\n";

/// What `HeidiSQL` writes.
pub const HEIDISQL: &str = "-- Server version:               8.0.30 - MySQL Community Server - GPL\n-- HeidiSQL Version:             12.1.0.6537\n\
    /*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;\n/*!40101 SET NAMES utf8 */;\n\
    /*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;\n/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;\n\
    CREATE TABLE IF NOT EXISTS `t` (`id` int NOT NULL AUTO_INCREMENT, `v` varchar(9), PRIMARY KEY (`id`));\nDELETE FROM `t`;\n\
    INSERT INTO `t` (`id`, `v`) VALUES\n\t(0, 'zero'),\n\t(1, 'a;b');\n/*!40103 SET TIME_ZONE=IFNULL(@OLD_TIME_ZONE, 'system') */;\n\
    /*!40101 SET SQL_MODE=IFNULL(@OLD_SQL_MODE, '') */;\n/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;\n\
    /*!40111 SET SQL_NOTES=IFNULL(@OLD_SQL_NOTES, 1) */;\n";

/// What Adminer writes.
pub const ADMINER: &str = "-- Adminer 4.8.1 MySQL 8.0.30 dump\n\nSET NAMES utf8;\nSET time_zone = '+00:00';\nSET foreign_key_checks = 0;\n\
    SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO';\n\nCREATE TABLE `t` (`id` int NOT NULL AUTO_INCREMENT, `v` varchar(9), PRIMARY KEY (`id`));\n\n\
    INSERT INTO `t` (`id`, `v`) VALUES\n(0,\t'zero'),\n(1,\t'a;b');\n\n-- 2026-01-02 03:04:05\n";

struct Files<'s> {
    server: &'s Server,
    folder: tempfile::TempDir,
}

impl<'s> Files<'s> {
    fn new(server: &'s Server) -> Self {
        Self { server, folder: tempfile::tempdir().expect("a folder") }
    }

    fn run(&self, text: impl AsRef<[u8]>, words: &[&str]) -> Output {
        let file = self.folder.path().join("file.sql");
        fs::write(&file, text).expect("write");
        with_clients_of(self.server).arg(words[0]).arg(file).args(&words[1..]).run()
    }

    /// Refused without the word that goes on, and restored with it.
    fn restored(&self, text: impl AsRef<[u8]>, why: &str) -> Database<'s> {
        for words in [&["verify"][..], &["restore", &self.server.database("unproven").uri()]] {
            self.run(&text, words).refused(8, &["is not proved to be a complete dump", why]).follows("accept-unproven");
        }
        let verify = self.run(&text, &["verify", "--accept-unproven"]).expect_code(0);
        assert!(verify.text().contains("not proved complete; 1 table, 2 rows"), "{}", verify.text());
        let target = self.server.database("unproven");
        let restore = self.run(&text, &["restore", &target.uri(), "--accept-unproven", "--json"]).expect_code(0);
        assert_eq!(restore.json()["complete"], false);
        assert!(restore.stderr.contains("is not proved complete"), "{}", restore.stderr);
        target
    }
}

const ROWS: &str = "SELECT id, v FROM t ORDER BY id";

#[test]
fn exports_without_an_end_mark_come_back_when_that_is_said() {
    let files = Files::new(mysql());
    for (export, program) in [(PHPMYADMIN, "phpMyAdmin"), (HEIDISQL, "HeidiSQL"), (ADMINER, "Adminer")] {
        let target = files.restored(export, &format!("{program} writes no mark at the end"));
        assert_eq!(target.sql(ROWS), "0\tzero\n1\ta;b", "{program}");
        target.sql("INSERT INTO t (v) VALUES ('x')");
        assert_eq!(target.sql("SELECT MAX(id) FROM t"), "2", "{program}");
    }
    let target = mysql().database("unproven_jobs");
    files.run(PHPMYADMIN, &["restore", &target.uri(), "--accept-unproven", "--jobs", "2"]).expect_code(0);
    assert_eq!(
        target.sql(&format!("{ROWS}; INSERT INTO t (v) VALUES ('x'); SELECT v FROM t WHERE id = 2")),
        "0\tzero\n1\ta;b\nX"
    );
}

/// How exporters write a routine: phpMyAdmin, Adminer, `HeidiSQL`, Navicat, `SQLyog`, Sequel Ace, Workbench.
const ROUTINES: [&str; 7] = [
    "\nDELIMITER $$\n--\n-- Procedures\n--\nCREATE DEFINER=`root`@`localhost` PROCEDURE `p` ()   BEGIN\n  SELECT 1;\nEND$$\n\n\
     DELIMITER ;\n\n-- --------------------------------------------------------\n\n",
    "DELIMITER ;;\n\nDROP PROCEDURE IF EXISTS `p`;;\nCREATE PROCEDURE `p`()\nBEGIN\n  SELECT 1;\nEND;;\n\nDELIMITER ;\n\n",
    "-- Dumping structure for procedure shop.p\nDROP PROCEDURE IF EXISTS `p`;\nDELIMITER //\nCREATE PROCEDURE `p`()\nBEGIN\n\tSELECT 1;\n\
     END//\nDELIMITER ;\n\n",
    "-- ----------------------------\n-- Procedure structure for p\n-- ----------------------------\nDROP PROCEDURE IF EXISTS `p`;\n\
     delimiter ;;\nCREATE PROCEDURE `p`()\nBEGIN\n  SELECT 1;\nEND\n;;\ndelimiter ;\n\n",
    "/*!50003 DROP PROCEDURE IF EXISTS  `p` */;\n\nDELIMITER $$\n\n/*!50003 CREATE DEFINER=`root`@`localhost` PROCEDURE `p`()\nBEGIN\n\
     SELECT 1;\nEND */$$\nDELIMITER ;\n\n",
    "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE */;\nDELIMITER ;;\n/*!50003 DROP PROCEDURE IF EXISTS `p` */;;\n/*!50003 SET SESSION SQL_MODE=\"NO_AUTO_VALUE_ON_ZERO\"*/;;\n\
     /*!50003 CREATE*/ /*!50020 DEFINER=`root`@`localhost`*/ /*!50003 PROCEDURE `p`()\nBEGIN\n  SELECT 1;\nEND */;;\n\n\
     /*!50003 SET SESSION SQL_MODE=@OLD_SQL_MODE */;;\nDELIMITER ;\n",
    "-- -----------------------------------------------------\n-- procedure p\n-- -----------------------------------------------------\n\n\
     DELIMITER $$\nCREATE PROCEDURE `p` ()\nBEGIN\n  SELECT 1;\nEND$$\n\nDELIMITER ;\n\n",
];

#[test]
fn routines_come_back_as_each_exporter_writes_them() {
    let files = Files::new(mysql());
    for routine in ROUTINES {
        let text = PHPMYADMIN.replace("COMMIT;", &format!("{routine}COMMIT;"));
        for text in [text.replace('\n', "\r\n"), text] {
            let target = mysql().database("unproven_routine");
            files.run(&text, &["restore", &target.uri(), "--accept-unproven"]).expect_code(0);
            assert_eq!(target.sql("CALL p()"), "1", "{routine}");
        }
    }
}

#[test]
fn inspect_says_who_wrote_a_file_and_what_it_holds() {
    let files = Files::new(mysql());
    let inspected = files.run(PHPMYADMIN, &["inspect", "--json"]).expect_code(0).json();
    let dump = &inspected["dump"];
    assert_eq!((&dump["exporter"], &dump["complete"]), (&"phpMyAdmin".into(), &false.into()), "{dump}");
    assert_eq!(dump["tables"], serde_json::json!([{ "schema": null, "name": "t", "rows": 2 }]));
    let text = files.run(PHPMYADMIN, &["inspect"]).expect_code(0);
    for words in ["written by     phpMyAdmin", "phpMyAdmin writes no mark at the end", "2 rows  t"] {
        assert!(text.text().contains(words), "{words}: {}", text.text());
    }
    let cut = &PHPMYADMIN[..PHPMYADMIN.find("'a;b'").expect("rows")];
    let cut = files.run(cut, &["inspect"]).expect_code(0);
    assert!(cut.text().contains("in the middle of the statement"), "{}", cut.text());
    let two = "-- MySQL dump 10.13  Distrib 9.7.0, for Linux\nCREATE DATABASE `a`;\nUSE `a`;\nCREATE TABLE `t` (`i` int);\n\
               CREATE DATABASE `b`;\nUSE `b`;\nCREATE TABLE `u` (`i` int);\n-- Dump completed on 2026-01-01  0:00:00\n";
    let two = files.run(two, &["inspect", "--json"]).expect_code(0).json();
    let names: Vec<_> =
        two["dump"]["databases"].as_array().expect("a list").iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["a", "b"], "{two}");
}

#[test]
fn an_export_that_breaks_off_is_refused_all_the_same() {
    let files = Files::new(mysql());
    let cut = |text: &str, at: &str| text[..text.find(at).expect("it is there")].to_owned();
    for (text, why) in [
        (cut(PHPMYADMIN, "'a;b'"), "in the middle of the statement"),
        (cut(PHPMYADMIN, ";b')"), "in the middle of a string"),
        (cut(PHPMYADMIN, "/*!40101 SET CHARACTER_SET_CLIENT"), "saves a setting in @old_character_set_client"),
        (cut(HEIDISQL, "/*!40111 SET SQL_NOTES=IFNULL"), "saves a setting in @old_sql_notes"),
        (cut(ADMINER, "-- 2026"), "the date is missing with which Adminer ends"),
        (cut(PHPMYADMIN, "COMMIT") + "<!-- PMA-SQL-ERROR -->\n", "phpMyAdmin met an error and broke off"),
        (
            PHPMYADMIN.replace("INSERT INTO", "-- Error reading data for table shop.t: #1194 - crashed\nINSERT INTO"),
            "could not read a table: Error reading data for table shop.t: #1194",
        ),
        ("-- MySQL dump 10.13  Distrib 9.7.0, for Linux\nCREATE TABLE t (a int);\n".to_owned(), "Dump completed"),
    ] {
        files.run(&text, &["verify", "--accept-unproven"]).refused(8, &[why]);
    }
}

#[test]
fn a_mysqldump_without_comments_is_taken_when_that_is_said() {
    let server = mysql();
    let (files, source) = (Files::new(server), server.database("uncommented"));
    source.sql("CREATE TABLE t (id int PRIMARY KEY, v varchar(9)); INSERT INTO t VALUES (0, 'zero'), (1, 'a;b')");
    for option in ["--compact", "--skip-comments"] {
        let dump = source.client("mysqldump").arg(option).arg(source.name()).output().expect("run mysqldump");
        let target = files.restored(&dump.stdout, "Dump completed");
        assert_eq!(target.sql(ROWS), "0\tzero\n1\ta;b");
    }
}

#[test]
fn a_pg_dump_without_comments_is_taken_when_that_is_said() {
    let server = postgres15();
    let (files, source) = (Files::new(server), server.database("uncommented"));
    source.sql("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (0, 'zero'), (1, 'a;b')");
    let dump = source.client("pg_dump").args(["--no-owner"]).output().expect("run pg_dump");
    let dump = String::from_utf8(dump.stdout).expect("UTF-8");
    let bare: String = dump.lines().filter(|line| !line.starts_with("--")).map(|line| format!("{line}\n")).collect();
    let target = files.restored(&bare, "and pg_dump's comments are");
    assert_eq!(target.sql(ROWS), "0\tzero\n1\ta;b");
    for at in ["1\ta;b", "PRIMARY KEY"] {
        let cut = &bare[..bare.find(at).expect("it is there")];
        files.run(cut, &["verify", "--accept-unproven"]).refused(8, &["does not hold a complete dump"]);
    }
}

/// Rails' structure.sql and Laravel's schema dumps.
#[test]
fn statements_behind_the_end_of_a_dump_come_back_and_are_told() {
    let server = postgres15();
    let (files, source) = (Files::new(server), server.database("structure"));
    source.sql("CREATE TABLE schema_migrations (version varchar PRIMARY KEY)");
    let dump = source.client("pg_dump").args(["--schema-only", "--no-owner"]).output().expect("run pg_dump");
    let rails = String::from_utf8(dump.stdout).expect("UTF-8")
        + "SET search_path TO \"$user\", public;\n\nINSERT INTO \"schema_migrations\" (version) VALUES\n('20240101000000'),\n('20240102000000');\n\n";
    appended(&files, &rails, "SELECT count(*) FROM schema_migrations");

    let server = mysql();
    let (files, source) = (Files::new(server), server.database("schema_dump"));
    source.sql(
        "CREATE TABLE migrations (id int PRIMARY KEY, m varchar(20)); INSERT INTO migrations VALUES (1, 'a'), (2, 'b')",
    );
    let dump = |words: &[&str]| source.client("mysqldump").args(words).output().expect("run mysqldump").stdout;
    let structure = dump(&["--no-data", source.name()]);
    let rows = dump(&["--no-create-info", "--compact", "--skip-extended-insert", source.name(), "migrations"]);
    let laravel = String::from_utf8([structure, rows].concat()).expect("UTF-8");
    appended(&files, &laravel, "SELECT count(*) FROM migrations");
}

fn appended(files: &Files<'_>, text: &str, count: &str) {
    let target = files.server.database("appended");
    let restore = files.run(text, &["restore", &target.uri(), "--json"]).expect_code(0);
    assert!(restore.stderr.contains("statements follow the end of the dump, from line"), "{}", restore.stderr);
    assert_eq!(target.sql(count), "2");
    let cut = text.trim_end().trim_end_matches(';');
    files.run(&cut[..cut.len() - 1], &["verify"]).refused(8, &["does not hold a complete dump"]);
}

/// The client takes the quotes off.
#[test]
fn a_delimiter_in_quotes_is_what_stands_between_them() {
    let files = Files::new(mysql());
    for (quoted, end) in [("\"$$\"", "$$"), ("'//' and more", "//"), ("$$ \"x\"", "$$")] {
        let text = PHPMYADMIN
            .replace("DELIMITER $$", &format!("DELIMITER {quoted}"))
            .replace("END\n$$", &format!("END\n{end}"));
        // The client's own reading is what counts.
        let bare = files.server.database("unproven");
        bare.sql(&text);
        assert_eq!(bare.sql("SELECT COUNT(*) FROM t"), "2", "{quoted}");
        files.restored(&text, "phpMyAdmin");
    }
}

#[test]
fn an_export_that_updates_rows_says_so() {
    let files = Files::new(mysql());
    let inserts = "INSERT INTO `t` (`id`, `v`) VALUES (0, 'zero'), (1, 'a;b');";
    let text = PHPMYADMIN.replace(inserts, "UPDATE `t` SET `id` = 0,`v` = 'zero' WHERE `t`.`id` = 0;");
    assert!(text.contains("UPDATE"), "{text}");
    let target = files.server.database("unproven");
    let words = ["restore", &target.uri(), "--accept-unproven"];
    files.run(&text, &words).refused(10, &["of the type UPDATE", "export again with INSERT"]);
    files.run(PHPMYADMIN, &words).expect_code(0);
}

/// Adminer names the database of a PostgreSQL export as psql is told it.
#[test]
fn adminers_connect_leads_nowhere() {
    let files = Files::new(postgres15());
    let text = "-- Adminer 4.8.1 PostgreSQL 15.4 dump\n\n\\connect \"shop\";\n\nDROP TABLE IF EXISTS \"t\";\n\
        CREATE TABLE \"public\".\"t\" (\"id\" integer NOT NULL, \"v\" text, CONSTRAINT \"t_pkey\" PRIMARY KEY (\"id\")) \
        WITH (oids = false);\n\nINSERT INTO \"t\" (\"id\", \"v\") VALUES\n(0,\t'zero'),\n(1,\t'a;b');\n\n\
        -- 2026-01-02 03:04:05.123456+00\n";
    let target = files.server.database("unproven");
    let words = ["restore", &target.uri(), "--accept-unproven", "--json"];
    let restore = files.run(text, &words).expect_code(0);
    assert!(restore.json()["notes"].to_string().contains("the file names its database: shop"), "{}", restore.json());
    assert_eq!(target.sql("SELECT id, v FROM t ORDER BY 1"), "0\tzero\n1\ta;b");
    let several = format!("{text}\\connect \"other\";\n\n{}", &text[text.find("DROP").expect("a table")..]);
    files.run(several, &words[..3]).refused(8, &["holds 2 databases", "--database "]);
}
