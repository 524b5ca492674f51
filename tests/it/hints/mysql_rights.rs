//! Hints on rights and other databases, MySQL and MariaDB.

use std::fs;

use super::mysql::script;
use super::{User, by, dump_of, restore};
use crate::roundtrip::with_clients_of;
use crate::support::{mariadb, mysql};

/// A view on a table of another database.
fn view(of: &str) -> String {
    script(&format!("CREATE VIEW `v` AS SELECT `id` FROM `{of}`.`t`;\n"))
}

#[test]
fn another_database_and_its_table_that_a_dump_names_are_made_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("view.sql");
    for server in [mysql(), mariadb()] {
        let target = server.database("names");
        let other = format!("{}_other", target.name());
        fs::write(&path, view(&other)).expect("write");
        let restore = || restore(&path, &target, &[]);
        let hint = restore().expect_code(7).follows("make-what-is-named");
        assert!(!hint.contains("URI"), "{hint}");
        server.sql(&format!("CREATE DATABASE IF NOT EXISTS `{other}`"));
        let hint = restore().expect_code(7).follows("make-what-is-named");
        assert!(hint.contains(&format!("{other}.t")), "{hint}");
        server.sql(&format!("CREATE TABLE `{other}`.t (id int PRIMARY KEY)"));
        restore().expect_code(0);
        server.sql(&format!("DROP DATABASE `{other}`"));
    }
}

#[test]
fn a_right_on_another_databases_table_is_granted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("view.sql");
    for server in [mysql(), mariadb()] {
        let (target, other) = (server.database("denied"), server.database("denied_other"));
        other.sql("CREATE TABLE t (id int PRIMARY KEY)");
        fs::write(&path, view(other.name())).expect("write");
        let user = User::of(&target);
        server.sql(&format!("GRANT ALL ON `{}`.* TO {}@'%'", target.name(), user.name));
        let restore = || user.run(&["restore", path.to_str().expect("UTF-8"), &user.uri]);
        let hint = restore().expect_code(7).follows("grant-what-is-denied");
        assert!(hint.starts_with("GRANT SELECT on table "), "{hint}");
        let right = hint.trim_start_matches("GRANT ").split(' ').next().expect("a right");
        server.sql(&format!("GRANT {right} ON `{}`.t TO {}@'%'", other.name(), user.name));
        restore().expect_code(0);
        server.sql(&format!("DROP USER {}@'%'", user.name));
    }
}

#[test]
fn a_right_on_the_whole_server_is_granted() {
    for server in [mysql(), mariadb()] {
        let source = server.database("flushes");
        source.sql("CREATE TABLE t (id int PRIMARY KEY)");
        let user = User::of(&source);
        server.sql(&format!("GRANT ALL ON `{}`.* TO {}@'%'", source.name(), user.name));
        let dump = || by(server, &user.uri, &["--", "--flush-logs"]).run();
        let hint = dump().expect_code(6).follows("grant-privilege");
        user.grant(hint.split(" (").next().expect("a statement"));
        dump().expect_code(0);
    }
}

#[test]
fn a_definer_who_is_gone_is_created() {
    for server in [mysql(), mariadb()] {
        let (source, target) = (server.database("definer"), server.database("definer_target"));
        source.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
        let (_folder, archive) = dump_of(&source);
        target.sql("CREATE TABLE t (id int PRIMARY KEY)");
        let create = format!("CREATE USER ghost_{0}@'%'; GRANT ALL ON `{0}`.* TO ghost_{0}@'%'", target.name());
        let drop = format!("DROP USER ghost_{}@'%'", target.name());
        server.sql(&create);
        let trigger = "TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @a = 1";
        target.sql(&format!("CREATE DEFINER=ghost_{}@'%' {trigger}", target.name()));
        server.sql(&drop);
        let restore = || restore(&archive, &target, &["--data-only", "--into-non-empty", "--triggers", "on"]);
        restore().refused(7, &["1449", "ghost_"]).follows("create-definer");
        server.sql(&create);
        restore().expect_code(0);
        server.sql(&drop);
        target.sql(&format!("DELETE FROM t; DROP TRIGGER g; CREATE {trigger}"));
        restore().expect_code(0);
    }
}

#[test]
fn references_are_granted_for_foreign_keys() {
    let source = mysql().database("keyed");
    source.sql(
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES p (id))",
    );
    let (_folder, archive) = dump_of(&source);
    let target = mysql().database("keyed_target");
    let user = User::of(&target);
    let rights = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, LOCK TABLES";
    mysql().sql(&format!("GRANT {rights} ON `{}`.* TO {}@'%'", target.name(), user.name));
    let restore = || user.run(&["restore", archive.to_str().expect("UTF-8"), &user.uri]);
    user.grant(&restore().refused(10, &[]).follows("grant-references"));
    restore().expect_code(0);
}

#[test]
fn tables_are_named_where_a_restore_goes_on() {
    let source = mysql().database("goes_on");
    source.sql("CREATE TABLE t (id int PRIMARY KEY); CREATE VIEW v AS SELECT id FROM t");
    let (_folder, archive) = dump_of(&source);
    let target = mysql().database("goes_on_target");
    let both = ["--resume", "--with-dependencies", "--table", "v"];
    restore(&archive, &target, &both).refused(2, &[]).follows("name-all-tables");
    restore(&archive, &target, &["--resume", "--table", "v", "--table", "t"]).expect_code(0);
}

#[test]
fn a_socket_that_is_not_there_is_another_path() {
    for server in [mysql(), mariadb()] {
        let source = server.database("socket");
        source.sql("CREATE TABLE t (id int PRIMARY KEY)");
        let user = User::of(&source);
        server.sql(&format!("GRANT ALL ON *.* TO {}@'%'", user.name));
        let (login, _) = user.uri.split_once('@').expect("a login");
        let uri = |path: &str| format!("{login}@localhost/{}?socket={path}", source.name());
        by(server, &uri("/nowhere/socket"), &[]).run().refused(4, &[]).follows("check-sockets-path");
        with_clients_of(server)
            .args(["dump", &uri(&server.socket().display().to_string()), "-o", "-"])
            .run()
            .expect_code(0);
    }
}
