//! FLOAT columns of MySQL and MariaDB: every value comes back bit by bit, whoever reads the rows; where that can't be,
//! the columns are named.

use std::{fs, path::PathBuf};

use crate::{
    restore::mysql_jobs::everything,
    roundtrip::{dumped, manifest, restored, with_clients_of},
    support::{Database, Gate, Server, dbhaul, eventually, mariadb, mysql, sessions},
};

/// Each kind of FLOAT column, and values at both ends of each.
fn floats(database: &Database<'_>) {
    database.sql(
        "CREATE TABLE f (id int PRIMARY KEY, x float, y float unsigned);
         INSERT INTO f VALUES (1, 16777216, 123456.789), (2, 0.010516252390057362, 33554431), (3, NULL, 0);
         CREATE TABLE ends (id int PRIMARY KEY AUTO_INCREMENT, v float, d double, KEY (v));
         INSERT INTO ends (v, d) VALUES (3.4028234663852886e38, 1.7976931348623157e308), (-3.4028234663852886e38, 0.1),
             (1.1754943508222875e-38, 2.2250738585072014e-308), (1.401298464324817e-45, 5e-324), (-0e0, 1), (0.1, 0.1),
             (1e10, 1e10), (16777217, 1), (-123456.789, 1), (1e-7, 1), (8388609.5, 1);
         CREATE TABLE shapes (`a``b` float, fixed float(12,2), padded float zerofill, `select` varchar(9),
             twice float AS (`a``b` * 2) STORED, half float AS (`a``b` / 2) VIRTUAL);
         INSERT INTO shapes (`a``b`, fixed, padded, `select`) VALUES (16777216, 9999999.99, 123456.789, 'x'), (0.3, 0.07, 1, NULL);
         CREATE TABLE parts (id int, v float NOT NULL, PRIMARY KEY (id, v)) PARTITION BY HASH (id) PARTITIONS 3;
         INSERT INTO parts VALUES (1, 16777215), (1, 16777214), (2, 0.3);
         CREATE TABLE wide (x float, j json, g geometry, l longtext, b mediumblob);
         INSERT INTO wide VALUES (0.3, '{\"a\": 1}', ST_GeomFromText('POINT(1 2)'), 'l', NULL), (16777215, NULL, NULL, NULL, 'b');
         CREATE TABLE other (id int PRIMARY KEY, t text);
         INSERT INTO other VALUES (1, 'it''s')",
    );
}

/// Every value as the double that it is, and the server's own checksums.
fn bits(database: &Database<'_>) -> String {
    let columns = database.sql(&format!(
        "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = '{}' \
         AND DATA_TYPE IN ('float', 'double') ORDER BY 1, 2",
        database.name()
    ));
    let server = database.server();
    let mut tables: Vec<&str> = Vec::new();
    let mut all = String::new();
    for (table, column) in columns.lines().filter_map(|line| line.split_once('\t')) {
        let (table_name, column) = (server.quote(table), server.quote(column));
        all += &format!("{table} {column}\n");
        all += &database.sql(&format!("SELECT {column} * 1e0 FROM {table_name} ORDER BY 1"));
        if !tables.contains(&table) {
            tables.push(table);
            let sum = database.sql(&format!("CHECKSUM TABLE {table_name}"));
            all += sum.split_once('\t').map_or("", |(_, sum)| sum);
        }
    }
    all
}

fn assert_same_bits(source: &Database<'_>, target: &Database<'_>, how: &str) {
    assert_eq!(bits(target), bits(source), "{how}");
}

fn copied(source: &Database<'_>, target: &Database<'_>, args: &[&str]) {
    let copy = with_clients_of(source.server()).args(["copy", &source.uri(), &target.uri()]);
    copy.args(args).run().expect_code(0);
}

#[test]
fn every_float_comes_back_bit_by_bit() {
    for server in [mysql(), mariadb()] {
        let source = server.database("floats");
        floats(&source);
        let folder = tempfile::tempdir().expect("a folder");
        for args in [&[][..], &["--jobs", "2"], &["--table", "*"], &["--exclude-table-data", "other"]] {
            let (archive, json) = dumped(&source, &folder, args);
            assert_eq!(json["warnings"].as_array().map(|list| list.iter().any(about_floats)), Some(false), "{json}");
            assert_eq!(manifest(&archive)["inexact_columns"], serde_json::json!([]));
            for jobs in ["1", "2"] {
                let target = server.database("back");
                restored(&archive, &target, &["--jobs", jobs]);
                assert_same_bits(&source, &target, &format!("{args:?}, restored by {jobs}"));
            }
        }
        for args in [&[][..], &["--jobs", "2"]] {
            let target = server.database("copy");
            copied(&source, &target, args);
            assert_same_bits(&source, &target, &format!("copy {args:?}"));
        }
    }
}

fn about_floats(warning: &serde_json::Value) -> bool {
    warning.as_str().is_some_and(|text| text.contains("FLOAT"))
}

/// Without transactions the tables are locked while they are read, also by a session of our own. Who waits to write holds
/// up neither it nor the client beside it.
#[test]
fn floats_of_an_engine_without_transactions_come_back_too() {
    for server in [mysql(), mariadb()] {
        let source = server.database("floats");
        source.sql(
            "CREATE TABLE f (id int PRIMARY KEY, x float) ENGINE=MyISAM;
             CREATE TABLE g (id int PRIMARY KEY) ENGINE=MyISAM;
             INSERT INTO f VALUES (1, 16777216), (2, 0.010516252390057362); INSERT INTO g VALUES (1)",
        );
        let before = bits(&source);
        let (folder, gate) = (tempfile::tempdir().expect("a folder"), Gate::before(&server.client_dir()));
        let mut dump = dbhaul().client_dirs([gate.folder()]).args(["dump", &source.uri()]).cwd(folder.path()).spawn();
        dump.wait_until("a client before the gate", |_| gate.reached());
        let shell = server.flavour().family().shell();
        let mut writer =
            source.client(shell).args([source.name(), "-e", "UPDATE f SET x = 7"]).spawn().expect("run it");
        eventually("a writer that waits", || sessions(&source, true) > 0);
        gate.open();
        let archive = folder.path().join(dump.wait().expect_code(0).text().trim());
        assert!(writer.wait().expect("an end").success());
        assert_eq!(manifest(&archive)["consistency"], "tables locked while they were read");
        let target = server.database("back");
        restored(&archive, &target, &[]);
        assert_eq!(bits(&target), before);
    }
}

/// Several sessions would need one moment of all engines; one session does not.
#[test]
fn where_several_sessions_can_not_read_one_keeps_the_floats() {
    for server in [mysql(), mariadb()] {
        let source = server.database("floats");
        floats(&source);
        source
            .sql("CREATE TABLE old (id int PRIMARY KEY, x float) ENGINE=MyISAM; INSERT INTO old VALUES (1, 16777215)");
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, json) = dumped(&source, &folder, &["--jobs", "2"]);
        assert_eq!(json["warnings"].as_array().map(|list| list.iter().any(about_floats)), Some(false), "{json}");
        let target = server.database("back");
        restored(&archive, &target, &[]);
        assert_same_bits(&source, &target, "two engines");
    }
}

/// An archive whose floats the client wrote, and why it did.
fn inexact(source: &Database<'_>, args: &[&str], why: &str) -> PathBuf {
    let folder = tempfile::tempdir().expect("a folder");
    let dump = with_clients_of(source.server()).args(["dump", &source.uri(), "-o"]).arg(folder.path().join("x.tar.gz"));
    let output = dump.args(args).run().expect_code(0);
    let named =
        format!("FLOAT columns come with six digits, as the client writes them: {0}.f.x, {0}.f.y", source.name());
    assert!(output.stderr.contains(&named) && output.stderr.contains(why), "{}", output.stderr);
    let archive = folder.keep().join("x.tar.gz");
    let manifest = manifest(&archive);
    assert_eq!(manifest["inexact_columns"], serde_json::json!(["f.x", "f.y"]));
    assert!(manifest["warnings"].as_array().is_some_and(|list| list.iter().any(about_floats)), "{manifest}");
    archive
}

fn two_floats(server: &'static Server) -> Database<'static> {
    let source = server.database("floats");
    source.sql(
        "CREATE TABLE f (id int PRIMARY KEY, x float, y float unsigned);
         INSERT INTO f VALUES (1, 16777216, 123456.789), (2, 0.010516252390057362, 33554431)",
    );
    source
}

#[test]
fn floats_that_the_client_writes_are_named_by_the_dump_and_by_verify() {
    for server in [mysql(), mariadb()] {
        let source = two_floats(server);
        let archive = inexact(&source, &["--", "--no-autocommit"], "arguments after --");
        let verify = with_clients_of(server).arg("verify").arg(&archive).args(["--restore-into", &source.uri()]);
        let output = verify.arg("--json").run().expect_code(0);
        assert_eq!(output.json()["restored"]["inexact_columns"], serde_json::json!(["f.x", "f.y"]));
        assert!(output.stderr.contains("FLOAT columns f.x, f.y are as the client wrote them"), "{}", output.stderr);
        fs::remove_dir_all(archive.parent().expect("a folder")).expect("removed");
    }
}

/// A session of our own holds a row as a whole; a longer one than it has room for is the client's.
#[test]
fn a_row_that_is_too_long_for_us_is_left_to_the_client() {
    let source = two_floats(mysql());
    source
        .sql("CREATE TABLE long_ (id int PRIMARY KEY, b longblob); INSERT INTO long_ VALUES (1, REPEAT('x', 9 << 20))");
    let archive = inexact(&source, &[], "longer than");
    fs::remove_dir_all(archive.parent().expect("a folder")).expect("removed");
    let streamed = with_clients_of(mysql()).args(["dump", &source.uri(), "-o", "-"]);
    let streamed = streamed.output_file(tempfile::tempfile().expect("a file"));
    assert!(streamed.run().expect_code(0).stderr.contains("FLOAT columns come with six digits"));
    let target = mysql().database("copy");
    copied(&source, &target, &[]);
    assert_eq!(target.sql("SELECT LENGTH(b) FROM long_"), source.sql("SELECT LENGTH(b) FROM long_"));
}

/// What an earlier version of dbhaul, or anybody else, has dumped.
#[test]
fn a_dump_of_somebody_elses_is_the_same_but_for_its_floats() {
    let source = two_floats(mariadb());
    let sql = source.client("mariadb-dump").arg(source.name()).output().expect("run mariadb-dump");
    let verify = dbhaul().client_dirs([mariadb().client_dir()]).args(["verify", "-", "--restore-into", &source.uri()]);
    let output = verify.input(sql.stdout).run().expect_code(0);
    assert!(output.stderr.contains("FLOAT columns f.x, f.y are as the client wrote them"), "{}", output.stderr);
}

/// The history of a system-versioned table is only dumped by MariaDB's own client.
#[test]
fn floats_beside_a_history_are_named() {
    let source = two_floats(mariadb());
    source.sql("CREATE TABLE v (id int) WITH SYSTEM VERSIONING");
    let archive = inexact(&source, &[], "system-versioned");
    fs::remove_dir_all(archive.parent().expect("a folder")).expect("removed");
}

/// Without FLOAT columns, and without rows, one client does it alone.
#[test]
fn what_has_no_floats_is_left_to_one_client() {
    let source = everything(mysql(), "chinook");
    let planned = with_clients_of(mysql()).args(["dump", "--dry-run", &source.uri()]).run().expect_code(0);
    assert!(!planned.text().contains("of dbhaul's own"), "{}", planned.text());
    let floats = two_floats(mysql());
    let planned = with_clients_of(mysql()).args(["dump", "--dry-run", &floats.uri()]).run().expect_code(0);
    assert!(planned.text().contains("# 1 session of dbhaul's own reads the rows"), "{}", planned.text());
    let planned = with_clients_of(mysql()).args(["dump", "--dry-run", "--schema-only", &floats.uri()]).run();
    assert!(!planned.expect_code(0).text().contains("of dbhaul's own"));
}
