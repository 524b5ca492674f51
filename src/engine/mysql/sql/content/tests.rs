use proptest::prelude::*;

use super::*;

const DUMPS: &[(&str, &str)] = &[
    ("9.7.4", include_str!("../../../../../fixtures/dumps/mysql-9.7.4.sql")),
    ("10.11.19-MariaDB", include_str!("../../../../../fixtures/dumps/mariadb-10.11.19.sql")),
];

fn inspect(dump: &[u8], chunk: usize) -> Result<Content, Incomplete> {
    let mut reader = Box::new(Reader::new());
    for bytes in dump.chunks(chunk) {
        reader.see(bytes);
    }
    reader.finish().and_then(Content::proved)
}

#[test]
fn a_real_dump_tells_what_is_in_it() {
    for (client, dump) in DUMPS {
        let content = inspect(dump.as_bytes(), 1000).expect("complete");
        let mut tables: Vec<_> = content.tables.iter().map(|t| (t.name.as_str(), t.rows)).collect();
        tables.sort_unstable();
        let expected = [("empty_t", Some(0)), ("mi", Some(0)), ("users", Some(3)), ("we`ird; na(me", Some(2))];
        assert_eq!(tables, expected);
        assert_eq!(names(&content, fact::VIEWS), ["v", "v2"]);
        assert_eq!(names(&content, fact::TRIGGERS), ["trg"]);
        assert_eq!(names(&content, fact::ROUTINES), ["fn", "proc"]);
        assert_eq!(names(&content, fact::EVENTS), ["ev"]);
        assert_eq!(names(&content, fact::GENERATED), ["users.gen"]);
        assert_eq!(names(&content, fact::NO_PRIMARY_KEY), ["we`ird; na(me"]);
        assert_eq!(content.facts[fact::DEFINERS], "6");
        assert_eq!(content.objects, 10);
        assert_eq!(content.client_version.as_deref(), Some(*client));
        assert!(content.source_version.as_deref().is_some_and(|v| v.starts_with(client)));
        assert!(content.collations.iter().any(|c| c == "latin1_german1_ci"), "{:?}", content.collations);
        let longest = dump.split(';').map(str::len).max().unwrap_or(0) as u64;
        assert!(content.longest_statement >= longest, "{} {longest}", content.longest_statement);
    }
}

#[test]
fn definitions_are_the_same_whoever_restores_them_and_wherever() {
    let of = |definition: &str, database: &str| {
        let dump = format!("-- Host: h    Database: {database}\n{definition};\n-- Dump completed\n");
        inspect(dump.as_bytes(), 7).expect("complete").definitions
    };
    for (one, other) in [
        ("CREATE TABLE `t` (`a` int) AUTO_INCREMENT=7 CHARSET=utf8mb4", "CREATE TABLE `t` (`a` int) CHARSET=utf8mb4"),
        (
            "CREATE DEFINER=`x`@`%` TRIGGER `t` BEFORE INSERT ON `u` FOR EACH ROW SET @a=1",
            "CREATE DEFINER=`y`@`localhost` TRIGGER `t` BEFORE INSERT ON `u` FOR EACH ROW SET @a=1",
        ),
        ("CREATE VIEW `v` AS select nextval(`src`.`s`)", "CREATE VIEW `v` AS select nextval(`dst`.`s`)"),
        (
            "CREATE DEFINER=`x`@`%` EVENT `e` ON SCHEDULE EVERY 1 DAY ENABLE DO SET @a=1",
            "CREATE EVENT `e` ON SCHEDULE EVERY 1 DAY DISABLE DO SET @a=1",
        ),
    ] {
        assert_eq!(of(one, "src"), of(other, "dst"));
        assert_ne!(of(one, "src"), of(&one.replace("`a`", "`b`").replace("=1", "=2").replace("`s`", "`r`"), "src"));
    }
}

#[test]
fn float_columns_are_those_without_a_fixed_scale() {
    let dump = "CREATE TABLE `t` (`a` float DEFAULT NULL, `float` float unsigned, `c` float(7,4), `d` double,\n\
                `e` float GENERATED ALWAYS AS (`a` * 2) STORED, KEY `float` (`a`));\n-- Dump completed\n";
    assert_eq!(inspect(dump.as_bytes(), 9).expect("complete").float_columns, ["t.a", "t.float"]);
}

#[test]
fn a_dump_cut_anywhere_is_incomplete() {
    for (_, dump) in DUMPS {
        let mut reader = Reader::new();
        for (length, byte) in dump.bytes().enumerate() {
            assert!(Box::new(reader.clone()).finish().is_err(), "cut after {length} bytes");
            reader.see(&[byte]);
        }
        assert!(Box::new(reader).finish().is_ok());
    }
}

#[test]
fn the_trailer_counts_only_as_the_last_thing_outside_of_strings() {
    let whole = "SELECT 1;\n-- Dump completed on 2026-01-01\n";
    assert!(inspect(whole.as_bytes(), 10).is_ok());
    assert!(inspect(format!("{whole}\n \n").as_bytes(), 10).is_ok());
    for bad in [
        format!("{whole}SELECT 2;\n"),
        format!("INSERT INTO t VALUES ('\n{whole}"),
        format!("/* \n{whole}"),
        "INSERT INTO t VALUES (1);\n".to_owned(),
        "-- MySQL dump 10.13  Distrib 9.7.4, for Linux\nSELECT 1;\n-- MySQL dump 10.13  Distrib 9.7.4\n-- Dump completed\n".to_owned(),
    ] {
        assert!(inspect(bad.as_bytes(), 10).is_err(), "{bad}");
    }
    let mut more = Box::new(Reader::new());
    more.see(format!("{whole}SELECT 2;\n").as_bytes());
    let appended = more.finish().expect("the dump in it is whole").appended.expect("and something behind it");
    assert_eq!(appended.to_string(), "statements follow the end of the dump, from line 3 on (byte 10 of the dump)");
    let twice = "-- MySQL dump 10.13  Distrib 9.7.4, for Linux\nSELECT 1;\n-- Dump completed\n".repeat(2);
    assert!(inspect(twice.as_bytes(), 10).is_ok());
}

#[test]
fn rows_are_counted_whatever_stands_in_them() {
    let count = |insert: &str| {
        let dump = format!("{insert}\n-- Dump completed\n");
        (1..9).map(|chunk| inspect(dump.as_bytes(), chunk).expect("complete").tables[0].rows).collect::<BTreeSet<_>>()
    };
    let exactly = |rows| BTreeSet::from([Some(rows)]);
    assert_eq!(count("INSERT INTO t VALUES (1),(2),\n(3);"), exactly(3));
    assert_eq!(count("INSERT INTO t (`a(`,b) VALUES (f(1),(2)),('),(');"), exactly(2));
    assert_eq!(count("INSERT INTO t VALUES (-1,'a\\'),(',\"b\"\"),(\"),(-- x),(\n2) /* ,(3) */;"), exactly(2));
    assert_eq!(count("INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a=VALUES(a), b=(1);"), exactly(1));
    assert_eq!(count("SET sql_mode='NO_BACKSLASH_ESCAPES';INSERT INTO t VALUES ('\\'),('x');"), exactly(2));
    assert_eq!(count("REPLACE t VALUES (1);INSERT INTO t SELECT (1);INSERT INTO t VALUES (2);"), exactly(2));
}

proptest! {
    #[test]
    fn bytes_of_any_kind_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), chunk in 1..50_usize) {
        let _ = inspect(&bytes, chunk);
    }

    #[test]
    fn any_chunking_tells_the_same(text in crate::engine::mysql::sql::splitter::tests::script(), chunk in 1..50_usize) {
        let show = |found: Result<Content, Incomplete>| format!("{found:?}");
        prop_assert_eq!(show(inspect(text.as_bytes(), chunk)), show(inspect(text.as_bytes(), text.len().max(1))));
    }
}
