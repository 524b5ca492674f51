//! Parts of MySQL's and MariaDB's databases.

use super::{needed, restore};
use crate::{
    roundtrip::{dumped, manifest, member, restored, with_clients_of},
    support::{Database, mariadb, mysql},
};

const SHOP_OF_VIEWS: &str = "CREATE TABLE p (n INT PRIMARY KEY); INSERT INTO p VALUES (1); CREATE VIEW v AS SELECT n FROM p;
    CREATE FUNCTION twice(n INT) RETURNS INT DETERMINISTIC RETURN n * 2; CREATE FUNCTION unused() RETURNS INT DETERMINISTIC RETURN 1;
    CREATE VIEW w AS SELECT twice(v.n) AS n FROM v JOIN p ON p.n = v.n;
    CREATE TABLE users (id INT PRIMARY KEY); INSERT INTO users VALUES (1);
    CREATE TABLE orders (id INT PRIMARY KEY, u INT, CONSTRAINT of_user FOREIGN KEY (u) REFERENCES users (id)); INSERT INTO orders VALUES (1, 1)";

#[test]
fn a_view_of_mysqls_without_what_it_needs_is_named_at_the_dump_and_before_the_restore() {
    for server in [mysql(), mariadb()] {
        let source = server.database("views");
        source.sql(SHOP_OF_VIEWS);
        let folder = tempfile::tempdir().expect("a folder");
        for (args, lacks) in [
            (&["--exclude-table", "p"][..], &["table p, which view v, view w need"][..]),
            (&["--table", "v"], &["table p, which view v needs"]),
            (
                &["--table", "w"],
                &["function twice, which view w needs", "table p, which view w needs", "table v, which view w needs"],
            ),
            (
                &["--table", "w", "--table", "v", "--jobs", "2"],
                &["function twice, which view w needs", "table p, which view v, view w need"],
            ),
        ] {
            let (archive, result) =
                dumped(&source, &folder, &[args, &["--name", &args.concat().replace("--", "")]].concat());
            for what in lacks {
                assert!(
                    result["warnings"].to_string().contains(&format!("not in the dump: {what}")),
                    "{args:?}: {result}"
                );
            }
            assert_eq!(needed(&archive).len(), lacks.len(), "{args:?}: {:?}", needed(&archive));
            let inspected = with_clients_of(server).arg("inspect").arg(&archive).run().expect_code(0);
            assert!(inspected.text().contains(lacks[0]), "{}", inspected.text());
            let target = server.database("views");
            for more in [&[][..], &["--dry-run"], &["--jobs", "2"], &["--schema-only"]] {
                let refused = restore(&archive, &target, more).refused(10, &[lacks, &["nothing was changed"]].concat());
                assert!(!refused.stderr.contains("changed or dropped while"), "{}", refused.stderr);
            }
            let verify = with_clients_of(server).arg("verify").arg(&archive).args(["--restore-into", &source.uri()]);
            verify.run().refused(10, lacks);
        }
        // What the target has is enough, and makes it no full one.
        let (archive, _) = dumped(&source, &folder, &["--table", "v", "--name", "one"]);
        let target = server.database("views");
        target.sql("CREATE TABLE p (n INT PRIMARY KEY); INSERT INTO p VALUES (2)");
        restored(&archive, &target, &[]);
        assert_eq!(target.sql("SELECT n FROM v"), "2");
        restore(&archive, &target, &["--clean", "schema", "--yes"]).refused(10, &["table p"]);
        assert_eq!(target.sql("SELECT n FROM v"), "2");
        // A key stays with its table, and is named.
        let (archive, result) = dumped(&source, &folder, &["--table", "orders", "--name", "key"]);
        let key = "table users, which fk constraint orders.of_user needs";
        assert!(result["warnings"].to_string().contains(key), "{result}");
        let result = restored(&archive, &server.database("views"), &[]);
        assert!(result["notes"].to_string().contains(key), "{result}");
        let (whole, _) = dumped(&source, &folder, &["--name", "whole"]);
        assert_eq!(manifest(&whole).get("dependencies"), None);
    }
}

#[test]
fn a_part_of_mysqls_brings_what_it_needs_or_names_it() {
    for server in [mysql(), mariadb()] {
        let source = server.database("views");
        source.sql(SHOP_OF_VIEWS);
        let folder = tempfile::tempdir().expect("a folder");
        let (whole, _) = dumped(&source, &folder, &[]);
        let holds = "SELECT GROUP_CONCAT(name ORDER BY name) FROM (SELECT table_name AS name FROM information_schema.tables \
            WHERE table_schema = DATABASE() UNION SELECT routine_name FROM information_schema.routines WHERE routine_schema = DATABASE()) AS t";
        let copy = |target: &Database<'_>, args: &[&str]| {
            with_clients_of(server).args(["copy", &source.uri(), &target.uri()]).args(args).run()
        };
        for jobs in ["1", "2"] {
            let target = server.database("views");
            let part = ["--table", "w", "--jobs", jobs];
            let words = [
                "function twice, which view w needs",
                "table p, which view w needs",
                "--with-dependencies",
                "nothing was changed",
            ];
            restore(&whole, &target, &part).refused(10, &words);
            assert_eq!(target.sql(holds), "NULL", "{jobs}");
            restored(&whole, &target, &[&part[..], &["--with-dependencies"]].concat());
            assert_eq!(target.sql(holds), "p,twice,v,w", "{jobs}");
            assert_eq!(target.sql("SELECT n FROM w"), "2", "{jobs}");

            let target = server.database("views");
            copy(&target, &part).refused(10, &[words[0], words[1], words[3]]);
            copy(&target, &[&part[..], &["--with-dependencies"]].concat()).expect_code(0);
            assert_eq!(target.sql(holds), "p,twice,v,w", "{jobs}");
            let target = server.database("views");
            copy(&target, &["--table", "orders", "--with-dependencies", "--jobs", jobs]).expect_code(0);
            assert_eq!(target.sql(holds), "orders,users", "{jobs}");
            assert_eq!(target.sql("SELECT COUNT(*) FROM users, orders"), "1", "{jobs}");
        }
    }
}

#[test]
fn a_sequence_of_mariadbs_comes_with_the_tables_that_use_it() {
    let server = mariadb();
    let source = server.database("numbers");
    source.sql("CREATE SEQUENCE s START WITH 50; CREATE TABLE t (id INT DEFAULT NEXTVAL(s), n INT); INSERT INTO t (n) VALUES (1); CREATE TABLE other (n INT)");
    let folder = tempfile::tempdir().expect("a folder");
    let program = |args: &[&str], name: &str| dumped(&source, &folder, &[args, &["--name", name]].concat()).0;
    let archive = program(&["--table", "t"], "one");
    assert_eq!(needed(&archive), [""; 0]);
    let sql = String::from_utf8(member(&archive, "*/dump.sql")).expect("UTF-8");
    assert!(sql.contains("CREATE SEQUENCE `s`") && !sql.contains("`other`"), "{sql}");
    assert_eq!(needed(&program(&["--table", "t", "--exclude-table", "s"], "without")), ["sequence s"]);
    assert_eq!(needed(&program(&["--exclude-table", "s"], "excluded")), ["sequence s"]);
    let target = server.database("numbers");
    restore(&program(&["--table", "t", "--exclude-table", "s"], "again"), &target, &[])
        .refused(10, &["sequence s, which table t needs"]);
    let whole = program(&[], "whole");
    restore(&whole, &target, &["--table", "t"])
        .refused(10, &["sequence s, which table t needs", "--with-dependencies"]);
    restored(&whole, &target, &["--table", "t", "--with-dependencies"]);
    assert_eq!(target.sql("SELECT GROUP_CONCAT(table_name ORDER BY table_name) FROM information_schema.tables WHERE table_schema = DATABASE()"), "s,t");
}
