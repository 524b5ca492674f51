use proptest::prelude::*;

use super::*;

fn all() -> Adapt {
    Adapt { definers: true, sandbox: true, sql_mode: true, ..Adapt::default() }
}

fn rewrite(adapt: &Adapt, text: &[u8], chunk: usize) -> (String, Vec<(String, u64)>) {
    let (mut filter, mut out) = (Rewriter::new(adapt.clone()), Vec::new());
    for bytes in text.chunks(chunk) {
        filter.push(bytes, &mut out);
    }
    filter.finish(&mut out);
    (String::from_utf8_lossy(&out).into_owned(), filter.adaptations())
}

#[track_caller]
fn becomes(before: &str, after: &str) {
    for chunk in [1, 2, 7, before.len().max(1)] {
        assert_eq!(rewrite(&all(), before.as_bytes(), chunk).0, after, "chunks of {chunk}");
    }
}

#[test]
fn definers_go_and_everything_else_stays() {
    becomes(
        "/*!50013 CREATE DEFINER=`a`@`b` SQL SECURITY DEFINER VIEW v AS select 'DEFINER=`a`@`b` ' */;\n",
        "/*!50013 CREATE SQL SECURITY DEFINER VIEW v AS select 'DEFINER=`a`@`b` ' */;\n",
    );
    becomes(
        "DELIMITER ;;\nCREATE DEFINER=`a`@`%` PROCEDURE p() BEGIN -- DEFINER=`x`@`y` it's;\n SELECT 1; END ;;\nDELIMITER ;\n",
        "DELIMITER ;;\nCREATE PROCEDURE p() BEGIN -- DEFINER=`x`@`y` it's;\n SELECT 1; END ;;\nDELIMITER ;\n",
    );
    becomes(
        "/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET @a=1 */;",
        "/*!50003 CREATE*/ /*!50017 */ /*!50003 TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET @a=1 */;",
    );
    becomes(
        "INSERT INTO t VALUES ('CREATE DEFINER=`a`@`b` VIEW');",
        "INSERT INTO t VALUES ('CREATE DEFINER=`a`@`b` VIEW');",
    );
}

#[test]
fn a_collation_does_not_bring_a_delimiter_into_its_statement() {
    let map = CollationMap { from: "a_ci".into(), to: "unicode_ci".into() };
    let adapt = Adapt { collations: vec![map], ..all() };
    let plain = rewrite(&adapt, b"CREATE TABLE t (a int) COLLATE a_ci;", 99);
    assert_eq!(plain.0, "CREATE TABLE t (a int) COLLATE unicode_ci;");
    let text = "DELIMITER e\n/*!O COLLATE a_ci */ e";
    assert_eq!(rewrite(&adapt, text.as_bytes(), 99), (text.to_owned(), Vec::new()));
}

#[test]
fn a_definer_ends_where_the_server_ends_it() {
    becomes("CREATE DEFINER=`app`@`db`VIEW v AS SELECT 1;", "CREATE VIEW v AS SELECT 1;");
    becomes("CREATE DEFINER=`app`@`d``b` VIEW v AS SELECT 1;", "CREATE VIEW v AS SELECT 1;");
    becomes("CREATE DEFINER=app@db.example VIEW v AS SELECT 1;", "CREATE VIEW v AS SELECT 1;");
    // No server takes a dash there; at the end of what is cut off, two of them look like a comment.
    becomes("CREATE DEFINER=`a`@`b`--`v", "CREATE --`v");
}

#[test]
fn a_definer_that_no_dump_writes_stays() {
    // Without it the bracket would have no beginning.
    let over_a_bracket = "CREATE DEFINER=`a`@ /*!50003 `b` VIEW v AS SELECT 1 */;";
    becomes(over_a_bracket, over_a_bracket);
    // Without it a comment would begin.
    let behind_a_sign = "CREATE--DEFINER=a\nVIEW v AS SELECT 1;";
    becomes(behind_a_sign, behind_a_sign);
}

#[test]
fn the_sandbox_line_goes_wherever_it_stands_alone() {
    let line = "/*!999999\\- enable the sandbox mode */ \n";
    becomes(&format!("{line}SELECT 1;\n"), "SELECT 1;\n");
    becomes(&format!("-- x\n{}SELECT 1;\n", line.replace("/*!", "/*M!")), "-- x\nSELECT 1;\n");
    becomes(&format!("INSERT INTO t VALUES ('\n{line}');"), &format!("INSERT INTO t VALUES ('\n{line}');"));
    let other = "/*!999999\\- enable the sandbox mode */ SELECT 1;";
    becomes(other, other);
}

#[test]
fn what_a_server_refuses_is_taken_out() {
    becomes("SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ 'uuid:1-5,\nuuid:7';\nx;", "\nx;");
    becomes("SET @@SESSION.SQL_LOG_BIN= 0;x;", "x;");
    becomes("USE `prod`;CREATE DATABASE /*!32312 IF NOT EXISTS*/ `prod`;x;", "x;");
    becomes("ALTER DATABASE `prod` CHARACTER SET utf8mb4 ;", "ALTER DATABASE CHARACTER SET utf8mb4 ;");
    // What stands right behind is taken for the name, or nothing is.
    becomes("/*!50001ALTER DATABASE /*! EXISTS `v2`*/;", "/*!50001ALTER DATABASE /*! `v2`*/;");
    becomes("CHANGE MASTER TO MASTER_LOG_FILE='x';START TRANSACTION;", "START TRANSACTION;");
    becomes(
        "/*!50003 SET sql_mode              = 'A,NO_AUTO_CREATE_USER,B' */ ;",
        "/*!50003 SET sql_mode              = 'A,B' */ ;",
    );
    becomes("SET sql_mode='NO_AUTO_CREATE_USER';", "SET sql_mode='';");
    becomes("SET @x='NO_AUTO_CREATE_USER';", "SET @x='NO_AUTO_CREATE_USER';");
}

#[test]
fn real_dumps_lose_exactly_what_they_should() {
    for (name, dump) in DUMPS {
        let (text, counts) = rewrite(&all(), dump.as_bytes(), 4096);
        assert!(counts.contains(&("DEFINER clauses removed".into(), 6)), "{name}: {counts:?}");
        assert_eq!(text.matches("DEFINER=`root`").count(), 0, "{name}");
        // The strings in rows and bodies that only look like one.
        assert!(text.contains("'DEFINER=`x`@`y`'") && text.contains("'DEFINER=`a`@`b`'"), "{name}");
        assert!(!text.contains("SQL_LOG_BIN") && !text.contains("NO_AUTO_CREATE_USER") && !text.contains("sandbox"));
        assert_eq!(rewrite(&Adapt::default(), dump.as_bytes(), 100).0.len() < dump.len(), *name == "gtid");
    }
}

#[test]
fn of_complete_tables_triggers_come_and_missing_foreign_keys() {
    let all = "DROP TABLE IF EXISTS `a`;CREATE TABLE `a` (x int);LOCK TABLES `a` WRITE;\
        /*!40000 ALTER TABLE `a` DISABLE KEYS */;INSERT INTO `a` VALUES (1);UNLOCK TABLES;\
        DROP TRIGGER IF EXISTS t;CREATE TRIGGER t BEFORE INSERT ON `a` FOR EACH ROW SET @x=1;INSERT INTO `b` VALUES (1);";
    let [complete, without_foreign_keys] = [["a"]; 2].map(|names| names.map(str::to_owned).into());
    let adapt = Adapt { complete, ..Adapt::default() };
    let rest = "UNLOCK TABLES;CREATE TRIGGER t BEFORE INSERT ON `a` FOR EACH ROW SET @x=1;INSERT INTO `b` VALUES (1);";
    assert_eq!(rewrite(&adapt, all.as_bytes(), 5).0, rest);
    let adapt = Adapt { without_foreign_keys, ..adapt };
    assert_eq!(rewrite(&adapt, all.as_bytes(), 5).0, format!("CREATE TABLE `a` (x int);{rest}"));
}

#[test]
fn a_restore_of_some_tables_leaves_the_rest_out() {
    let dump = DUMPS[0].1;
    let tables = BTreeSet::from(["users".to_owned()]);
    let (text, _) = rewrite(&Adapt { tables, ..all() }, dump.as_bytes(), 512);
    assert!(text.contains("CREATE TABLE `users`") && text.contains("TRIGGER") && text.contains("INSERT INTO `users`"));
    assert!(!text.contains("CREATE TABLE `mi`") && !text.contains("PROCEDURE") && !text.contains("VIEW `v`"));
    let (text, _) = rewrite(&Adapt { schema_only: true, ..all() }, dump.as_bytes(), 512);
    assert!(!text.contains("INSERT INTO `users` VALUES") && text.contains("CREATE TABLE `mi`"));
    let (text, _) = rewrite(&Adapt { data_only: true, ..all() }, dump.as_bytes(), 512);
    assert!(text.contains("INSERT INTO `users`") && !text.contains("CREATE ") && !text.contains("DROP "));
}

const DUMPS: &[(&str, &str)] = &[
    ("mysql", include_str!("../../../../../fixtures/dumps/mysql-9.7.4.sql")),
    ("mariadb", include_str!("../../../../../fixtures/dumps/mariadb-10.11.19.sql")),
];

proptest! {
    #[test]
    fn any_chunking_gives_the_same(text in crate::engine::mysql::sql::splitter::tests::script(), cuts in prop::collection::vec(1..40_usize, 1..30)) {
        let whole = rewrite(&all(), text.as_bytes(), text.len().max(1));
        let (mut filter, mut out, mut rest) = (Rewriter::new(all()), Vec::new(), text.as_bytes());
        for cut in cuts.iter().cycle() {
            if rest.is_empty() { break }
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            filter.push(now, &mut out);
            rest = later;
        }
        filter.finish(&mut out);
        prop_assert_eq!(String::from_utf8_lossy(&out), whole.0);
        prop_assert_eq!(filter.adaptations(), whole.1);
    }

    #[test]
    fn bytes_of_any_kind_never_panic_and_stay_without_a_reason(bytes in prop::collection::vec(any::<u8>(), 0..400), chunk in 1..50_usize) {
        let (mut filter, mut out) = (Rewriter::new(all()), Vec::new());
        for part in bytes.chunks(chunk) {
            filter.push(part, &mut out);
        }
        filter.finish(&mut out);
        if filter.adaptations().is_empty() {
            prop_assert_eq!(out, bytes);
        }
    }
}
