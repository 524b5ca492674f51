//! Every kind of object that the newest versions have, there and back: rows, definitions, and on request owners and
//! rights.

use crate::{
    roundtrip::{assert_same, dumped, loaded, restored, with_clients_of},
    support::{Database, Flavour, Server, fixture, mariadb, mysql, postgres15, postgres18, schema_without},
};

/// A database with all that this server can hold.
fn everything(server: &Server) -> Database<'_> {
    let database = loaded(server, "objects");
    let more: &[&str] = match server.flavour() {
        Flavour::Mysql => &["objects-mysql-9.sql"],
        Flavour::Mariadb => &["objects-mariadb.sql"],
        Flavour::Postgres18 => &["objects-postgres-superuser.sql", "objects-postgres-18.sql"],
        Flavour::Postgres15 => &["objects-postgres-superuser.sql"],
        other => panic!("{other:?} has no fixtures with every kind of object"),
    };
    for name in more {
        database.load_file(fixture(name));
    }
    database
}

fn comes_back(server: &Server, dump: &[&str], restore: &[&str], compare: &[&str]) {
    let source = everything(server);
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, dump);
    let target = server.database("back");
    restored(&archive, &target, restore);
    assert_same(&source, &target);
    if server.flavour().is_postgres() {
        assert_eq!(schema_without(&target, compare), schema_without(&source, compare));
        // A database with a subscription can't be dropped.
        for database in [&source, &target] {
            database.sql("DROP SUBSCRIPTION \"from elsewhere\"");
        }
    }
}

#[test]
fn every_kind_of_object_comes_back_with_owners_and_privileges_on_postgres15() {
    comes_back(postgres15(), &[], &["--keep-owner", "--keep-privileges"], &[]);
}

#[test]
fn every_kind_of_object_comes_back_with_owners_and_privileges_on_postgres18() {
    comes_back(postgres18(), &[], &["--keep-owner", "--keep-privileges"], &[]);
}

/// By several sessions, and without an archive between.
#[test]
fn every_kind_of_object_comes_back_in_every_way() {
    for server in [postgres18(), mysql(), mariadb()] {
        let source = everything(server);
        let keep = if server.flavour().is_postgres() {
            &["--keep-owner", "--keep-privileges"][..]
        } else {
            &["--events", "enabled"]
        };
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, _) = dumped(&source, &folder, &["--jobs", "2"]);
        let restore = server.database("back");
        restored(&archive, &restore, &[keep, &["--jobs", "2"]].concat());
        let copies = ["1", "2"].map(|jobs| {
            let target = server.database("copied");
            let copy = with_clients_of(server).args(["copy", &source.uri(), &target.uri(), "--jobs", jobs]).args(keep);
            copy.run().expect_code(0);
            target
        });
        for target in copies.iter().chain([&restore]) {
            assert_same(&source, target);
        }
        if server.flavour().is_postgres() {
            for database in copies.iter().chain([&restore, &source]) {
                database.sql("DROP SUBSCRIPTION \"from elsewhere\"");
            }
        }
    }
}

const KEEP: [&str; 5] = ["--format", "plain", "--keep-owner", "--keep-privileges", "--keep-comments"];

#[test]
fn every_kind_of_object_comes_back_from_a_plain_dump_of_postgres15() {
    comes_back(postgres15(), &KEEP, &[], &[]);
}

#[test]
fn every_kind_of_object_comes_back_from_a_plain_dump_of_postgres18() {
    comes_back(postgres18(), &KEEP, &[], &[]);
}

#[test]
fn every_kind_of_object_comes_back_on_mysql() {
    comes_back(mysql(), &[], &[], &[]);
}

#[test]
fn every_kind_of_object_comes_back_on_mariadb() {
    comes_back(mariadb(), &[], &[], &[]);
}

/// mariadb-dump leaves it out unless it is told not to.
#[test]
fn the_history_of_a_system_versioned_table_comes_back() {
    let source = mariadb().database("history");
    source.sql(
        "CREATE TABLE remembers (id int PRIMARY KEY, t text) WITH SYSTEM VERSIONING;
        INSERT INTO remembers VALUES (1, 'first'), (2, 'gone');
        UPDATE remembers SET t = 'second' WHERE id = 1;
        DELETE FROM remembers WHERE id = 2;",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, json) = dumped(&source, &folder, &[]);
    assert_eq!(json["rows"], 3, "one is current");
    let target = mariadb().database("back");
    restored(&archive, &target, &[]);
    let all = "SELECT id, t, row_start, row_end FROM remembers FOR SYSTEM_TIME ALL ORDER BY id, row_start";
    assert_eq!(target.sql(all), source.sql(all));
    assert_eq!(target.sql("SELECT t FROM remembers"), "second");
}

/// The rows come back, although a restore under LOCK TABLES would fail. The client writes the source's name into such a
/// default: the restore takes it out, and the dump tells people who restore it without dbhaul.
#[test]
fn a_default_that_calls_a_sequence_calls_the_targets() {
    let server = mariadb();
    let source = server.database("calls");
    source.sql(
        "CREATE SEQUENCE numbers START WITH 5;
        CREATE TABLE numbered (id bigint DEFAULT NEXTVAL(numbers) PRIMARY KEY, t text);
        CREATE VIEW latest AS SELECT LASTVAL(numbers) AS n;
        INSERT INTO numbered (t) VALUES ('a'), ('b');",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    let told = with_clients_of(server).args(["dump", &source.uri(), "-o", "-"]).run().expect_code(0);
    assert!(told.stderr.contains("writes the database's name into what calls a sequence"), "{}", told.stderr);
    let target = server.database("back");
    restored(&archive, &target, &[]);
    assert_eq!(target.sql("SELECT id, t FROM numbered"), source.sql("SELECT id, t FROM numbered"));
    let made = target.sql("SHOW CREATE TABLE numbered");
    assert!(!made.contains(source.name()), "{made}");
}

/// What a client can't dump is missing, and makes the dump fail.
#[test]
fn a_history_by_transaction_is_refused_by_name() {
    let source = mariadb().database("history");
    source.sql(
        "CREATE TABLE by_transaction (id int, s bigint unsigned GENERATED ALWAYS AS ROW START,
            e bigint unsigned GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME (s, e)) WITH SYSTEM VERSIONING;
        INSERT INTO by_transaction (id) VALUES (1), (2);
        DELETE FROM by_transaction WHERE id = 1;",
    );
    let words = ["table by_transaction keeps a history that no client can dump", "hint: --allow-incomplete"];
    let dump = || with_clients_of(mariadb()).args(["dump", &source.uri(), "-o", "-"]);
    dump().run().refused(10, &words);
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, json) = dumped(&source, &folder, &["--allow-incomplete"]);
    assert_eq!(json["missing"].as_array().map(Vec::len), Some(1), "{json}");
    let target = mariadb().database("back");
    restored(&archive, &target, &[]);
    assert_eq!(target.sql("SELECT id FROM by_transaction"), "2");
}

/// A table and a row in each of the server's character sets, with whatever of the text it can hold.
fn every_character_set_comes_back(server: &Server) {
    let source = server.database("sets");
    let sets = source.sql("SELECT character_set_name FROM information_schema.character_sets ORDER BY 1");
    assert!(sets.lines().count() > 35, "{sets}");
    let mut script = String::from("SET NAMES utf8mb4; SET sql_mode = '';\n");
    for set in sets.lines() {
        script += &format!(
            "CREATE TABLE in_{set} (t varchar(100), c char(3), l longtext, e enum('a', 'é')) CHARACTER SET {set};
            INSERT IGNORE INTO in_{set} VALUES ('Aé ÿ € Ж Љ ת ك ก Ω ą 表 あ ｱ 한 გ Ա ☃ 🐬 \\\\ \\'', 'x', '表 \\\\ ソ 能', 'a');\n"
        );
    }
    source.sql(&script);
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    let target = server.database("back");
    restored(&archive, &target, &[]);
    assert_same(&source, &target);
}

#[test]
fn every_character_set_of_mysql_comes_back() {
    every_character_set_comes_back(mysql());
}

#[test]
fn every_character_set_of_mariadb_comes_back() {
    every_character_set_comes_back(mariadb());
}

/// Owners are left out unless they are kept, rights too, each by itself.
#[test]
fn owners_and_privileges_are_kept_one_without_the_other() {
    comes_back(postgres18(), &[], &["--keep-privileges"], &["--no-owner"]);
    comes_back(postgres18(), &[], &["--keep-owner"], &["--no-privileges"]);
}
