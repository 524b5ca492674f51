//! Parts of a database that arguments for the client choose, or that somebody's own client dumped: what they lack is known
//! before the target is touched.

use std::{fs, path::PathBuf};

use crate::{
    roundtrip::{dumped, with_clients_of},
    support::{Database, Output, mariadb, mysql, postgres15, postgres18},
};

/// `dbhaul restore ARCHIVE URI ARGS`.
fn restore(archive: &PathBuf, target: &Database<'_>, args: &[&str]) -> Output {
    with_clients_of(target.server()).arg("restore").arg(archive).arg(target.uri()).args(args).run()
}

/// What the vendor's client writes.
fn foreign(source: &Database<'_>, folder: &tempfile::TempDir, name: &str, args: &[&str]) -> PathBuf {
    let program = source.server().flavour().family().dump();
    let output = source.client(program).args(args).output().expect("run the client");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let path = folder.path().join(name);
    fs::write(&path, output.stdout).expect("written");
    path
}

const SHOP: &str = "CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users VALUES (1);
    CREATE TABLE orders (id int PRIMARY KEY, u int, CONSTRAINT of_user FOREIGN KEY (u) REFERENCES users (id));
    INSERT INTO orders VALUES (1, 1), (2, 1)";

#[test]
fn what_arguments_for_pg_dump_choose_is_a_part_as_any_other() {
    let server = postgres15();
    let source = server.database("chosen");
    source.sql(SHOP);
    source.sql("CREATE VIEW named AS SELECT * FROM users; COMMENT ON CONSTRAINT of_user ON orders IS 'whose'");
    let folder = tempfile::tempdir().expect("a folder");
    for (n, args) in [&["-t", "orders"][..], &["--exclude-table=users", "-T", "named"]].into_iter().enumerate() {
        let (archive, result) = dumped(&source, &folder, &[&["--name", &n.to_string(), "--"], args].concat());
        assert!(result["warnings"].to_string().contains("not in the dump: table public.users"), "{result}");
        let target = server.database("chosen");
        let restored = restore(&archive, &target, &[]).expect_code(0);
        assert!(restored.stderr.contains("fk constraint public.orders of_user"), "{}", restored.stderr);
        assert_eq!(target.sql("SELECT count(*) FROM orders"), "2");
    }
    let (archive, _) = dumped(&source, &folder, &["--name", "view", "--", "-vTusers"]);
    let target = server.database("chosen");
    restore(&archive, &target, &[]).refused(10, &["table public.users, which view public.named needs"]);
    let (archive, result) = dumped(&source, &folder, &["--name", "section", "--", "--section=pre-data"]);
    let words = "not in the dump: what it leaves out by -- --section=pre-data";
    assert!(result["warnings"].to_string().contains(words), "{result}");
    let restored = restore(&archive, &target, &[]).expect_code(0);
    assert!(restored.stderr.contains(words), "{}", restored.stderr);
}

#[test]
fn what_a_part_that_pg_dump_made_lacks_is_named() {
    let source = postgres15().database("foreign");
    source.sql(SHOP);
    source.sql(
        "CREATE SCHEMA lib; CREATE TYPE lib.mood AS ENUM ('ok'); CREATE FUNCTION lib.f(int) RETURNS int IMMUTABLE LANGUAGE sql
         AS 'SELECT $1'; CREATE EXTENSION citext; CREATE TABLE mine (m lib.mood, x int CHECK (lib.f(x) > 0), c citext);
         INSERT INTO mine VALUES ('ok', 1, 'a')",
    );
    let folder = tempfile::tempdir().expect("a folder");
    for server in [postgres15(), postgres18()] {
        for format in ["-Fc", "-Fp"] {
            let archive = foreign(&source, &folder, "orders", &[format, "-O", "-t", "orders"]);
            let target = server.database("foreign");
            let restored = restore(&archive, &target, &[]).expect_code(0);
            assert!(restored.stderr.contains("fk constraint public.orders of_user"), "{}", restored.stderr);
            assert_eq!(target.sql("SELECT count(*) FROM orders"), "2");
            // The target has what it points at: the key comes.
            target.sql("DROP TABLE orders; CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users VALUES (1)");
            restore(&archive, &target, &["--into-non-empty"]).expect_code(0);
            assert_eq!(target.sql("SELECT count(*) FROM pg_constraint WHERE conname = 'of_user'"), "1");
            let archive = foreign(&source, &folder, "mine", &[format, "-O", "-t", "mine"]);
            let words = ["object lib.mood, which table public.mine needs", "object lib.f", "nothing was changed"];
            let refused = restore(&archive, &target, &["--clean", "schema", "--yes"]).refused(10, &words);
            assert!(refused.stderr.contains("object public.citext"), "{}", refused.stderr);
            assert!(
                refused.stderr.contains("CREATE EXTENSION \"citext\" WITH SCHEMA \"public\""),
                "{}",
                refused.stderr
            );
            assert_eq!(target.sql("SELECT count(*) FROM users"), "1");
            let target = server.database("foreign");
            target.sql(
                "CREATE SCHEMA lib; CREATE TYPE lib.mood AS ENUM ('ok'); CREATE EXTENSION citext;
                 CREATE FUNCTION lib.f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1'",
            );
            restore(&archive, &target, &[]).expect_code(0);
            assert_eq!(target.sql("SELECT count(*) FROM mine"), "1");
            let rows = foreign(&source, &folder, "rows", &[format, "-a", "-t", "orders"]);
            restore(&rows, &server.database("foreign"), &[]).refused(10, &["table public.orders, which table data"]);
            // The whole says nothing, whatever it names.
            let whole = foreign(&source, &folder, "whole", &[format, "-O", "-x"]);
            restore(&whole, &server.database("foreign"), &[]).expect_code(0);
        }
    }
}

#[test]
fn what_arguments_for_mysqls_client_leave_out_is_told() {
    for server in [mysql(), mariadb()] {
        let source = server.database("chosen");
        source.sql(SHOP);
        source.sql("CREATE VIEW named AS SELECT * FROM users");
        let folder = tempfile::tempdir().expect("a folder");
        let target = server.database("chosen");
        target.sql("CREATE TABLE old (n INT)");
        let clean = ["--clean", "schema", "--yes"];
        let ignored = format!("--ignore-table={}.users", source.name());
        let (archive, result) = dumped(&source, &folder, &["--name", "ignored", "--", &ignored]);
        assert!(result["warnings"].to_string().contains("not in the dump: table users"), "{result}");
        restore(&archive, &target, &clean).refused(10, &["table users, which view named needs", "nothing was changed"]);
        let (archive, _) = dumped(&source, &folder, &["--name", "rows", "--", "--no-create-info"]);
        restore(&archive, &target, &clean).refused(10, &["table orders, which its data needs", "nothing was changed"]);
        let rows = foreign(&source, &folder, "rows", &["--no-create-info", "--no-tablespaces", source.name()]);
        restore(&rows, &target, &clean).refused(10, &["table users, which its data needs", "nothing was changed"]);
        assert_eq!(target.sql("SELECT COUNT(*) FROM old"), "0");
        let (archive, result) = dumped(&source, &folder, &["--name", "where", "--", "--where=id < 2"]);
        let words = "not in the dump: what it leaves out by -- --where=id < 2";
        assert!(result["warnings"].to_string().contains(words), "{result}");
        let restored = restore(&archive, &target, &clean).expect_code(0);
        assert!(restored.stderr.contains(words), "{}", restored.stderr);
    }
}
