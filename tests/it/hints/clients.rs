//! Hints on clients that are not there, or can't do what is asked of them.

use super::{by, dump_of};
use crate::roundtrip::with_clients_of;
use crate::support::{
    Database, Flavour, Output, dbhaul, mariadb, mysql, postgres15, postgres18, recorded_client, shared,
};

/// A dump by the clients of this folder, to nowhere that stays.
fn dump(source: &Database<'_>, clients: &std::path::Path, more: &[&str]) -> Output {
    let folder = clients.display().to_string();
    dbhaul().args(["dump", &source.uri(), "--output", "-", "--client-dir", &folder]).args(more).run()
}

#[test]
fn a_client_that_does_not_fit_is_another_one_in_its_folder() {
    for (server, program, recording, hint) in [
        (postgres18(), "pg_dump", "pg_dump-14.2", "install-postgresql-client"),
        (mysql(), "mysqldump", "mysqldump-5.7.21", "install-mysql-client"),
        (mariadb(), "mysqldump", "mysqldump-5.7.21", "install-mysql-client"),
    ] {
        let source = server.database("fits");
        source.sql("CREATE TABLE t (id int PRIMARY KEY)");
        let folder = tempfile::tempdir().expect("a folder");
        recorded_client(folder.path(), program, recording, "exit 1");
        dump(&source, folder.path(), &[]).refused(5, &[]).follows(hint);
        dump(&source, &server.client_dir(), &[]).expect_code(0);
    }
}

#[test]
fn a_client_that_is_not_what_it_says_is_another_one_in_its_folder() {
    for (server, program, recording, words) in [
        (postgres15(), "pg_dump", "pg_dump-15.20", "pg_dump: unrecognized option '--lock-wait-timeout=60s'"),
        (postgres15(), "pg_dump", "pg_dump-15.20", "pg_dump: error: aborting because of server version mismatch"),
        (mysql(), "mysqldump", "mysqldump-9.7.4", "mysqldump: [ERROR] unknown option '--no-tablespaces'."),
    ] {
        let source = server.database("lies");
        source.sql("CREATE TABLE t (id int PRIMARY KEY)");
        let folder = tempfile::tempdir().expect("a folder");
        recorded_client(folder.path(), program, recording, &format!("echo \"{words}\" >&2; exit 7"));
        dump(&source, folder.path(), &[]).expect_code(6).follows("another-client");
        dump(&source, &server.client_dir(), &[]).expect_code(0);
    }
}

#[test]
fn generated_columns_of_mysql_are_dumped_by_mysqls_own() {
    let source = mysql().database("generated");
    source.sql("CREATE TABLE t (id int PRIMARY KEY, twice int AS (id * 2) STORED); INSERT INTO t (id) VALUES (1)");
    let mariadbs = shared(Flavour::Mariadb118).client_dir();
    dump(&source, &mariadbs, &[]).refused(10, &["t.twice"]).follows("take-mysqls-mysqldump");
    dump(&source, &mysql().client_dir(), &[]).expect_code(0);
}

#[test]
fn history_is_dumped_by_a_client_that_can_or_by_hand() {
    let versioned =
        "CREATE TABLE t (id int PRIMARY KEY) WITH SYSTEM VERSIONING; INSERT INTO t VALUES (1); DELETE FROM t";
    let source = mariadb().database("history");
    source.sql(versioned);
    let older = shared(Flavour::Mariadb105);
    dump(&source, &older.client_dir(), &[]).refused(10, &[]).follows("client-that-dumps-history");
    dump(&source, &older.client_dir(), &["--allow-incomplete"]).expect_code(0);
    dump(&source, &mariadb().client_dir(), &[]).expect_code(0);

    let source = older.database("history");
    source.sql(versioned);
    dump(&source, &older.client_dir(), &[]).refused(10, &["t"]).follows("dump-history-by-hand");
    assert_eq!(source.sql("SELECT id FROM t FOR SYSTEM_TIME ALL"), "1");
    dump(&source, &older.client_dir(), &["--allow-incomplete"]).expect_code(0);
}

#[test]
fn an_authority_that_the_client_wants_in_a_file_is_named() {
    let source = mysql().database("authority");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let uri = format!("{}?ssl-mode=VERIFY_CA", source.uri());
    let ca = mysql().ca_file();
    by(mysql(), &uri, &[]).env("SSL_CERT_FILE", &ca).run().refused(3, &[]).follows("ssl-ca-file");
    by(mysql(), &format!("{uri}&ssl-ca={}", ca.display()), &[]).run().expect_code(0);

    let source = postgres15().database("authority");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let uri = format!("{}?sslmode=verify-ca", source.uri());
    let empty = tempfile::tempdir().expect("a folder");
    let none = empty.path().join("none.pem");
    std::fs::write(&none, "").expect("write");
    let nobody = by(postgres15(), &uri, &[]).env("SSL_CERT_FILE", &none).env("SSL_CERT_DIR", empty.path()).run();
    nobody.refused(3, &[]).follows("authoritys-file-in-uri");
    by(postgres15(), &format!("{uri}&sslrootcert={}", postgres15().ca_file().display()), &[]).run().expect_code(0);
}

#[test]
fn what_an_older_postgresql_does_not_know_goes_into_a_newer_one_or_is_changed() {
    let source = postgres18().database("newer");
    source.sql("CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL)");
    let (folder, archive) = dump_of(&source);
    let restore = |archive: &std::path::Path, target: &Database<'_>| {
        with_clients_of(postgres18()).arg("restore").arg(archive).arg(target.uri()).run()
    };
    let (older, newer) = (postgres15().database("newer"), postgres18().database("newer"));
    restore(&archive, &older).refused(10, &["virtual"]).follows("newer-server-or-change-source");
    restore(&archive, &newer).expect_code(0);
    source.sql("ALTER TABLE t DROP COLUMN b");
    restore(&super::dump(&source, &folder, "changed.tar.gz"), &older).expect_code(0);
}

#[test]
fn an_extension_that_the_target_has_not_is_left_out() {
    let source = postgres15().database("adminpack");
    source.sql("CREATE EXTENSION adminpack; CREATE TABLE t (id int PRIMARY KEY)");
    let (_folder, archive) = dump_of(&source);
    // PostgreSQL 17 and later have it no more.
    let target = postgres18().database("adminpack");
    let restore =
        |more: &[&str]| with_clients_of(postgres18()).arg("restore").arg(&archive).arg(target.uri()).args(more).run();
    let hint = restore(&[]).refused(10, &["adminpack"]).follows("install-extension-or-exclude");
    let option = hint.split("if nothing needs it: ").nth(1).expect("an option");
    restore(&option.split(' ').collect::<Vec<_>>()).expect_code(0);
}
