//! Settings of an administrator's with which the target makes other tables than the dump says: they are named.

use crate::{
    roundtrip::{dumped, with_clients_of},
    support::{Flavour, Server, checksum},
};

#[test]
fn other_tables_that_mariadb_makes_are_named_and_a_good_archive_stays_good() {
    for flavour in [Flavour::Mariadb105, Flavour::Mariadb, Flavour::Mariadb118] {
        let server = Server::start(flavour);
        let source = server.database("source");
        source.sql(
            "CREATE TABLE t (id int PRIMARY KEY, v varchar(9), d datetime(3)); INSERT INTO t VALUES (1, 'x', '2020-02-29 01:02:03.456');
             CREATE TABLE own (id int PRIMARY KEY) ENGINE=MyISAM; INSERT INTO own VALUES (1)",
        );
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, _) = dumped(&source, &folder, &[]);
        for (set, reset, words, made) in [
            (
                "SET GLOBAL enforce_storage_engine = MyISAM",
                "SET GLOBAL enforce_storage_engine = NULL",
                "the target makes them MyISAM tables (enforce_storage_engine): t",
                "ENGINE=MyISAM",
            ),
            (
                "SET GLOBAL innodb_default_encryption_key_id = 5",
                "SET GLOBAL innodb_default_encryption_key_id = 1",
                "the target gives tables that name none ENCRYPTION_KEY_ID=5 (innodb_default_encryption_key_id)",
                "`ENCRYPTION_KEY_ID`=",
            ),
            (
                "SET GLOBAL mysql56_temporal_format = OFF",
                "SET GLOBAL mysql56_temporal_format = ON",
                "the target stores new columns of times as MariaDB 5.3 did (mysql56_temporal_format)",
                "/* mariadb-5.3 */",
            ),
        ] {
            server.sql(set);
            for jobs in ["1", "2"] {
                let target = server.database("target");
                let restore =
                    with_clients_of(&server).args(["restore", "--jobs", jobs]).arg(&archive).arg(target.uri());
                let done = restore.run().expect_code(0);
                assert!(done.stderr.contains(words), "{}", done.stderr);
                let shown = server.sql(&format!("{reset}; SHOW CREATE TABLE {}.t; {set}", target.name()));
                assert!(shown.contains(made), "{shown}");
                let rows = |sums: std::collections::BTreeMap<String, (u64, String)>| sums["t"].0;
                assert_eq!(rows(checksum(&target)), rows(checksum(&source)));
                let copy = with_clients_of(&server).args(["copy", "--clean", "schema", "--yes", "--jobs", jobs]);
                let copied = copy.args([source.uri(), target.uri()]).run().expect_code(0);
                assert!(copied.stderr.contains(words), "{}", copied.stderr);
            }
            let verify = with_clients_of(&server).args(["verify", "--restore-into", &server.uri("mysql")]);
            verify.arg(&archive).run().expect_code(0);
            server.sql(reset);
        }
        let target = server.database("target");
        let done = with_clients_of(&server).arg("restore").arg(&archive).arg(target.uri()).run().expect_code(0);
        assert!(
            !done.stderr.contains("the target makes") && !done.stderr.contains("ENCRYPTION_KEY_ID"),
            "{}",
            done.stderr
        );
    }
}

/// An old row format takes keys of 767 bytes.
#[test]
fn keys_that_an_old_row_format_does_not_take_are_known_before_a_drop() {
    for flavour in [Flavour::Mysql, Flavour::Mariadb] {
        let server = Server::start(flavour);
        let (source, target) = (server.database("source"), server.database("target"));
        source.sql(
            "CREATE TABLE short (id int PRIMARY KEY, v varchar(250), KEY (v(50))) CHARACTER SET utf8mb4; INSERT INTO short VALUES (1, 'x');
             CREATE TABLE long_key (id int PRIMARY KEY, v varchar(250), UNIQUE KEY (v)) CHARACTER SET utf8mb4;
             CREATE TABLE named (id int PRIMARY KEY, v varchar(250), UNIQUE KEY (v)) CHARACTER SET utf8mb4 ROW_FORMAT=DYNAMIC;
             INSERT INTO long_key VALUES (1, 'y')",
        );
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, _) = dumped(&source, &folder, &[]);
        target.sql("CREATE TABLE old (id int PRIMARY KEY); INSERT INTO old VALUES (7)");
        server.sql("SET GLOBAL innodb_default_row_format = COMPACT");
        let restore = |args: &[&str]| {
            let restore = with_clients_of(&server).args(["restore", "--clean", "schema", "--yes"]).args(args);
            restore.arg(&archive).arg(target.uri()).run()
        };
        let words = [
            "(1071, 1709): long_key",
            "COMPACT there",
            "nothing was changed",
            "hint: SET GLOBAL innodb_default_row_format = DYNAMIC",
        ];
        restore(&[]).refused(10, &words).follows("row-format-dynamic");
        assert_eq!(target.sql("SELECT id FROM old"), "7");
        let done = restore(&["--table", "short"]).expect_code(0);
        assert!(done.stderr.contains("no row format COMPACT"), "{}", done.stderr);
        server.sql("SET GLOBAL innodb_default_row_format = DYNAMIC");
        restore(&[]).expect_code(0);
        assert_eq!(checksum(&target), checksum(&source));
    }
}
