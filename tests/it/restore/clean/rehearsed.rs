//! MySQL and MariaDB: what a server does not take of a dump's definitions is known before the first drop, whatever it is.

use std::fs;

use super::{beforehand::User, restoring, state};
use crate::{
    roundtrip::{dumped, with_clients_of},
    support::{Database, Server, checksum, eventually, mariadb, mysql},
};

fn full(server: &Server) -> Database<'_> {
    let target = server.database("target");
    target.sql(
        "CREATE TABLE kept (id INT PRIMARY KEY); INSERT INTO kept VALUES (1); CREATE VIEW v AS SELECT id FROM kept",
    );
    target
}

/// Other tests' rehearsals come and go; what a command leaves stays.
fn assert_nothing_left(server: &Server) {
    let rehearsals = || {
        server
            .sql("SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'dbhaul\\_rehearsal\\_%'")
    };
    let seen = rehearsals();
    eventually("the rehearsals are gone", || {
        let there = rehearsals();
        !seen.lines().any(|name| there.lines().any(|other| other == name))
    });
}

/// A view on another database that is gone by then stands for all that no list has.
#[test]
fn what_the_server_does_not_take_is_10_and_everything_is_still_there() {
    for server in [mysql(), mariadb()] {
        let folder = tempfile::tempdir().expect("a folder");
        let (source, other) = (server.database("source"), server.database("other"));
        other.sql("CREATE TABLE x (id INT PRIMARY KEY)");
        source.sql(&format!(
            "CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1); CREATE VIEW w AS SELECT id FROM `{}`.x",
            other.name()
        ));
        let (archive, _) = dumped(&source, &folder, &[]);
        let target = full(server);
        let before = state(&target);
        let clean = |args: &'static [&'static str]| [&["--clean", "schema", "--yes"], args].concat();
        restoring(&archive, &target, &clean(&[])).run().expect_code(0);
        let target = full(server);
        other.sql("DROP TABLE x");
        for args in [clean(&[]), clean(&["--jobs", "2"]), vec!["--clean", "database", "--yes"]] {
            let words = ["does not take all that the dump defines", "view w", "1146", "nothing was changed", "hint: "];
            let refused = restoring(&archive, &target, &args).run().refused(10, &words);
            assert!(!refused.stderr.contains("check the database's name in the URI"), "{}", refused.stderr);
            assert_eq!(state(&target), before, "{args:?}");
        }
        assert_nothing_left(server);
        // What is not chosen is not tried.
        restoring(&archive, &target, &clean(&["--table", "t"])).run().expect_code(0);
        assert_eq!(checksum(&target), checksum(&source));
    }
}

#[test]
fn a_copy_tries_the_definitions_first() {
    for server in [mysql(), mariadb()] {
        let source = server.database("source");
        source.sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1); CREATE VIEW w AS SELECT id FROM t");
        let target = full(server);
        let copy = |args: &[&str]| {
            with_clients_of(server)
                .args(["copy", &source.uri(), &target.uri(), "--clean", "schema", "--yes"])
                .args(args)
                .run()
        };
        copy(&[]).expect_code(0);
        assert_eq!(checksum(&target), checksum(&source));
        // Nobody of that name is there, and this user may name nobody.
        let target = full(server);
        let user = format!("u_{}", target.name());
        server.sql(&format!(
            "CREATE USER {user}@'%' IDENTIFIED BY 'secret-9fX'; GRANT ALL ON *.* TO {user}@'%'; CREATE USER gone_{user}; \
             CREATE DEFINER = gone_{user} VIEW `{}`.d AS SELECT 1; DROP USER gone_{user}",
            source.name()
        ));
        if server.flavour() == mysql().flavour() {
            server.sql(&format!("REVOKE SUPER, ALLOW_NONEXISTENT_DEFINER ON *.* FROM {user}@'%'"));
            let before = state(&target);
            let uri = server.uri_as(&user, "secret-9fX", target.name());
            let copied = with_clients_of(server)
                .args(["copy", &source.uri(), &uri, "--clean", "schema", "--yes", "--keep-definers"])
                .run();
            copied.refused(10, &["does not take all that the dump defines", "nothing was changed"]);
            assert_eq!(state(&target), before);
        }
        server.sql(&format!("DROP USER {user}@'%'"));
        assert_nothing_left(server);
    }
}

#[test]
fn who_may_create_no_database_is_told_and_goes_on() {
    for server in [mysql(), mariadb()] {
        let folder = tempfile::tempdir().expect("a folder");
        let source = server.database("source");
        source.sql("CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1)");
        let (archive, _) = dumped(&source, &folder, &[]);
        let target = full(server);
        let restore = User::of(&target, "ALL").restore(&archive, &["--clean", "schema", "--yes"]).expect_code(0);
        assert!(restore.stderr.contains("definitions were not tried"), "{}", restore.stderr);
        assert_eq!(checksum(&target), checksum(&source));
    }
}

/// `--trust` lets statements through that a rehearsal could not hold back: there are none in most dumps.
#[test]
fn trust_leaves_the_rehearsal_where_it_is() {
    for server in [mysql(), mariadb()] {
        let folder = tempfile::tempdir().expect("a folder");
        let (source, other) = (server.database("source"), server.database("other"));
        other.sql("CREATE TABLE x (id INT PRIMARY KEY)");
        source
            .sql(&format!("CREATE TABLE t (id INT PRIMARY KEY); CREATE VIEW w AS SELECT id FROM `{}`.x", other.name()));
        let (archive, _) = dumped(&source, &folder, &[]);
        other.sql("DROP TABLE x");
        let target = full(server);
        let before = state(&target);
        let clean = ["--clean", "schema", "--yes", "--trust"];
        let words = ["does not take all that the dump defines", "view w", "nothing was changed"];
        restoring(&archive, &target, &clean).run().refused(10, &words);
        assert_eq!(state(&target), before);
        let script = folder.path().join("script.sql");
        let sql =
            source.client(server.flavour().family().dump()).args([source.name(), "t"]).output().expect("run it").stdout;
        let more = format!("UPDATE `{}`.y SET id = id + 1;\n", other.name());
        fs::write(&script, [more.as_bytes(), &sql].concat()).expect("written");
        other.sql("CREATE TABLE y (id INT); INSERT INTO y VALUES (4)");
        let output = restoring(&script, &target, &clean).run().expect_code(0);
        assert!(output.stderr.contains("were not tried before everything is dropped"), "{}", output.stderr);
        assert_eq!(other.sql("SELECT id FROM y"), "5", "once");
        assert_nothing_left(server);
    }
}
