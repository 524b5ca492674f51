//! Row sizes and formats that the target refuses in its strict mode are known before the first drop.

use super::{restoring, state};
use crate::{
    roundtrip::{dumped, with_clients_of},
    support::{Flavour, Server, checksum, mysql},
};

/// A user who may do all in one database, and set nothing of the server's.
fn owner(server: &Server, database: &str) -> (String, String) {
    let user = format!("o_{database}");
    server
        .sql(&format!("CREATE USER {user}@'%' IDENTIFIED BY 'secret-9fX'; GRANT ALL ON `{database}`.* TO {user}@'%'"));
    let uri = server.uri_as(&user, "secret-9fX", database);
    (user, uri)
}

/// Beside the tables that are too wide, everything that a temporary table can't have.
#[test]
fn only_tables_that_are_too_wide_are_refused() {
    let server = mysql();
    let (source, target) = (server.database("source"), server.database("target"));
    let columns = |kind: &str| (0..200).map(|n| format!(", c{n} {kind}")).collect::<String>();
    let wide = columns("varchar(40) NOT NULL DEFAULT ''");
    source.sql(&format!(
        "SET SESSION innodb_strict_mode = OFF;
         CREATE TABLE narrow (id int PRIMARY KEY{}, KEY (c1)) COMMENT 'as many columns'; INSERT INTO narrow (id) VALUES (1);
         CREATE TABLE rich (id int PRIMARY KEY{}, t text, n int, FULLTEXT KEY (t), p point NOT NULL SRID 0, SPATIAL KEY (p),
             g int AS (id + 1) STORED, h int AS (id + 2) VIRTUAL, KEY (h), UNIQUE KEY u (g, c1), CHECK (id > 0),
             CONSTRAINT to_narrow FOREIGN KEY (n) REFERENCES narrow (id));
         INSERT INTO rich (id, t, n, p) VALUES (1, 'x', 1, POINT(0, 0));
         CREATE TABLE parts (id int{}) PARTITION BY HASH (id) PARTITIONS 2; INSERT INTO parts (id) VALUES (1);
         CREATE TABLE of_isam (id int PRIMARY KEY{wide}) CHARACTER SET utf8mb4 ENGINE=MyISAM;
         CREATE TABLE wide (id int PRIMARY KEY{wide}) CHARACTER SET utf8mb4; INSERT INTO wide (id) VALUES (1);
         CREATE TABLE wide_of_old (id int PRIMARY KEY{}) CHARACTER SET utf8mb4 ROW_FORMAT=COMPACT",
        columns("int"),
        columns("int"),
        columns("int"),
        (0..12).map(|n| format!(", c{n} varchar(250)")).collect::<String>(),
    ));
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    target.sql("CREATE TABLE old (id int PRIMARY KEY); INSERT INTO old VALUES (7)");
    let before = state(&target);
    let (user, uri) = owner(server, target.name());
    let restore = |args: &[&str]| with_clients_of(server).arg("restore").arg(&archive).arg(&uri).args(args).run();
    for clean in [&["--clean", "schema", "--yes"][..], &["--clean", "database", "--yes"], &["--into-non-empty"]] {
        let words = ["1118", ": wide, wide_of_old\n", "nothing was changed", "hint: SET GLOBAL innodb_strict_mode="];
        restore(clean).refused(10, &words);
        assert_eq!(state(&target), before, "{clean:?}");
    }
    let fitting = ["narrow", "rich", "parts", "of_isam"].map(|table| format!("--table={table}"));
    let fitting: Vec<_> = fitting.iter().map(String::as_str).chain(["--clean", "schema", "--yes"]).collect();
    restore(&fitting).expect_code(0);
    assert_eq!(target.sql("SELECT COUNT(*) FROM rich"), "1");
    server.sql(&format!("DROP USER {user}@'%'"));
    restoring(&archive, &target, &["--clean", "schema", "--yes"]).run().expect_code(0);
    assert_eq!(checksum(&target), checksum(&source));
}

/// Without files of their own for tables there are no compressed pages: in the strict mode the server refuses such tables,
/// without it it makes others.
#[test]
fn compressed_tables_that_the_target_can_not_have_are_known_before_a_drop() {
    for flavour in [Flavour::Mysql, Flavour::Mariadb] {
        let server = Server::start_with(flavour, &["--innodb-file-per-table=ON"]);
        let (source, target) = (server.database("source"), server.database("target"));
        source.sql(
            "CREATE TABLE t (id int PRIMARY KEY, v text) ROW_FORMAT=COMPRESSED; INSERT INTO t VALUES (1, 'x');
             CREATE TABLE b (id int PRIMARY KEY, v text) KEY_BLOCK_SIZE=4; INSERT INTO b VALUES (1, 'x')",
        );
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, _) = dumped(&source, &folder, &[]);
        target.sql("CREATE TABLE old (id int PRIMARY KEY); INSERT INTO old VALUES (7)");
        let before = state(&target);
        server.sql("SET GLOBAL innodb_file_per_table = OFF");
        let (_, uri) = owner(&server, target.name());
        let restore = || {
            let restore = with_clients_of(&server).args(["restore", "--clean", "schema", "--yes"]);
            restore.arg(&archive).arg(&uri).run()
        };
        if flavour == Flavour::Mysql {
            let words = [
                "b (innodb_file_per_table is off), t (",
                "hint: SET GLOBAL innodb_strict_mode=",
                "nothing was changed",
            ];
            restore().refused(10, &words).follows("mend-or-session-variables-admin");
            assert_eq!(state(&target), before);
            server.sql("SET GLOBAL innodb_strict_mode = OFF");
        }
        let done = restore().expect_code(0);
        assert!(done.stderr.contains("does not compress these tables: b ("), "{}", done.stderr);
        assert_eq!(checksum(&target), checksum(&source));
        server.sql("SET GLOBAL innodb_file_per_table = ON");
        let done = restore().expect_code(0);
        assert!(!done.stderr.contains("does not compress"), "{}", done.stderr);
    }
}
