use serde_json::json;

use super::{absent, by_hand, dump, made, restored, restoring, said, set};
use crate::support::{Database, Family, Server, dbhaul, mariadb, mysql};

const LATIN: &str = "CHARACTER SET latin1 COLLATE latin1_german2_ci";

/// A database whose function hangs on its default collation; another function was made under another one.
fn source(server: &Server) -> Database<'_> {
    let comment = if server.flavour().family() == Family::Mariadb { " COMMENT 'the ''shop'''" } else { "" };
    let source = made(server, "src", &format!("{LATIN}{comment}"));
    let name = source.name();
    source.sql(&format!(
        "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(10)); INSERT INTO t VALUES (1, 'ä');
         ALTER DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
         CREATE FUNCTION other(a VARCHAR(10)) RETURNS INT DETERMINISTIC RETURN a = 'ae';
         ALTER DATABASE {name} {LATIN};
         CREATE FUNCTION same(a VARCHAR(10)) RETURNS INT DETERMINISTIC RETURN a = 'ae'"
    ));
    source
}

fn default_of(database: &Database<'_>) -> String {
    database.server().sql(&format!(
        "SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '{}'",
        database.name()
    ))
}

/// What hangs on the database's default.
fn behaves(target: &Database<'_>) {
    assert_eq!(default_of(target), "latin1_german2_ci");
    assert_eq!(target.sql("SELECT same('ä'), other('ä')"), "1\t0");
    target.sql("CREATE TABLE later (v VARCHAR(10))");
    let later = "SELECT COLLATION_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'later'";
    assert_eq!(target.sql(later), "latin1_german2_ci");
}

#[test]
fn a_database_that_is_made_has_the_sources_character_set() {
    for server in [mysql(), mariadb()] {
        let folder = tempfile::tempdir().expect("a folder");
        let source = source(server);
        let archive = dump(&source, folder.path());
        let shown = said(&dbhaul().arg("inspect").arg(&archive).run().expect_code(0));
        assert!(shown.contains("property       collation latin1_german2_ci"), "{shown}");

        let target = absent(server, "new");
        restored(&archive, &target, &["--create"]);
        behaves(&target);
        for options in [&["--clean", "database", "--yes"][..], &["--clean", "database", "--yes", "--jobs", "2"]] {
            server.sql(&format!("ALTER DATABASE {} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", target.name()));
            restored(&archive, &target, options);
            behaves(&target);
        }
        let copied = absent(server, "copied");
        let copy = dbhaul().args(["copy", &source.uri(), &copied.uri(), "--create"]);
        copy.client_dirs([server.client_dir()]).run().expect_code(0);
        behaves(&copied);
    }
}

#[test]
fn a_comment_comes_along_where_the_server_keeps_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = dump(&source(mariadb()), folder.path());
    let comment = |target: &Database<'_>| {
        mariadb().sql(&format!(
            "SELECT SCHEMA_COMMENT FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '{}'",
            target.name()
        ))
    };
    let target = absent(mariadb(), "new");
    restored(&archive, &target, &["--create"]);
    assert_eq!(comment(&target), "the 'shop'");
    mariadb().sql(&format!("ALTER DATABASE {} COMMENT 'mine'", target.name()));
    restored(&archive, &target, &["--clean", "database", "--yes"]);
    assert_eq!(comment(&target), "mine");
    let target = absent(mysql(), "new");
    let output = restoring(&archive, &target, &["--create"]).run().expect_code(0);
    assert!(output.stderr.contains("MySQL keeps no comment of a database: it is left out"), "{}", output.stderr);
}

#[test]
fn an_empty_database_gets_the_sources_character_set_unless_it_is_to_keep_its_own() {
    for server in [mysql(), mariadb()] {
        let folder = tempfile::tempdir().expect("a folder");
        let archive = dump(&source(server), folder.path());
        let target = made(server, "there", "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
        let result = restored(&archive, &target, &["--database-settings", "keep"]);
        assert_eq!(default_of(&target), "utf8mb4_bin", "whatever the dump says around a routine");
        assert_eq!(result["database_properties"], json!({ "set": [], "by_hand": [] }));
        let notes = result["notes"].to_string();
        assert!(notes.contains("collation: latin1_german2_ci in the source, utf8mb4_bin in the target"), "{notes}");

        let result = restored(&archive, &target, &["--clean", "schema", "--yes", "--database-settings", "print"]);
        assert_eq!(default_of(&target), "utf8mb4_bin");
        let [(statement, _)] = &by_hand(&result)[..] else { panic!("{result}") };
        assert_eq!(*statement, format!("ALTER DATABASE `{}` {LATIN};", target.name()));

        // Beside what is there, nothing is changed, and the difference is named.
        target.sql("DROP TABLE t; DROP FUNCTION same; DROP FUNCTION other; CREATE TABLE mine (id int)");
        let result = restored(&archive, &target, &["--into-non-empty"]);
        assert_eq!(default_of(&target), "utf8mb4_bin");
        assert!(result["notes"].to_string().contains("latin1_german2_ci in the source"), "{result}");

        let result = restored(&archive, &target, &["--clean", "schema", "--yes"]);
        assert_eq!(set(&result), ["character set"]);
        behaves(&target);
    }
}

#[test]
fn whether_it_may_create_is_asked_before_anything_is_dropped() {
    for server in [mysql(), mariadb()] {
        let folder = tempfile::tempdir().expect("a folder");
        let source = source(server);
        source.sql("DROP FUNCTION same; DROP FUNCTION other");
        let archive = dump(&source, folder.path());
        let target = made(server, "full", "");
        target.sql("CREATE TABLE keep (id int); INSERT INTO keep VALUES (1)");
        let name = target.name();
        server.sql(&format!(
            "CREATE USER props_few@'%' IDENTIFIED BY 'geheim-78'; GRANT ALL ON {name}.* TO props_few@'%'; \
             REVOKE CREATE ON {name}.* FROM props_few@'%'; GRANT CREATE ON {name}.t TO props_few@'%'"
        ));
        let uri = server.uri_as("props_few", "geheim-78", name);
        let restore = dbhaul().arg("restore").arg(&archive).arg(uri).args(["--clean", "database", "--yes"]);
        let output = restore.client_dirs([server.client_dir()]).run();
        server.sql("DROP USER props_few@'%'");
        output.refused(10, &["nothing was changed"]);
        assert_eq!(target.sql("SELECT count(*) FROM keep"), "1");
    }
}

#[test]
fn a_collation_that_the_target_lacks_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = made(mysql(), "src", "CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci");
    source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)");
    let dbhaul = dump(&source, folder.path());
    let target = absent(mariadb(), "new");
    let options = ["--create", "--map-collation", "utf8mb4_0900_ai_ci=utf8mb4_unicode_520_ci"];
    let result = restored(&dbhaul, &target, &options);
    assert_eq!(default_of(&target), "utf8mb4_unicode_520_ci");
    assert_eq!(by_hand(&result), []);
}
