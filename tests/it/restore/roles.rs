//! Roles belong to the server, and no dump brings them: what names one that the target lacks is known before anything is
//! dropped.

use std::fs;

use crate::{
    roundtrip::{dumped, with_clients_of},
    support::{postgres15, postgres18},
};

#[test]
fn roles_that_the_target_lacks_are_named_before_anything_is_dropped() {
    // Two servers: each has roles of its own.
    let (source, target) = (postgres15().database("roles"), postgres18().database("roles"));
    let (owner, reader) = (format!("{}_owner", source.name()), format!("{}_reader", source.name()));
    let both = ["an owner", "a grant"];
    source.sql(&format!(
        "CREATE ROLE {owner}; CREATE ROLE {reader}; CREATE TABLE t (n int); INSERT INTO t VALUES (1);
         ALTER TABLE t OWNER TO {owner}; ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT SELECT ON TABLES TO {reader}"
    ));
    target.sql("CREATE TABLE old (n int)");
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    let plain = folder.path().join("plain.sql");
    fs::write(&plain, source.client("pg_dump").output().expect("run pg_dump").stdout).expect("written");
    let keeping = ["--keep-owner", "--keep-privileges"];
    let restore = |archive, args: &[&str]| {
        let restore = with_clients_of(target.server()).arg("restore").arg(archive).arg(target.uri());
        restore.args(["--clean", "schema", "--yes"]).args(args).run()
    };
    let names = [format!("role {owner}, of "), format!("role {reader}, of "), format!("CREATE ROLE \"{owner}\";")];
    let words: Vec<&str> = names.iter().map(String::as_str).chain(["nothing was changed"]).collect();
    restore(&archive, &keeping).refused(10, &[&words[..], &both].concat());
    restore(&plain, &[]).refused(10, &[&words[..], &["--no-owner"]].concat());
    let into = with_clients_of(target.server()).arg("verify").arg(&plain).args(["--restore-into", &target.uri()]).run();
    into.refused(10, &[&words[..3], &["was dropped again"]].concat());
    for args in [&[][..], &["--jobs", "2"]] {
        let copy = with_clients_of(target.server()).args(["copy", "--clean", "schema", "--yes"]).args(keeping);
        copy.args([source.uri(), target.uri()]).args(args).run().refused(10, &words);
    }
    source.sql(&format!("CREATE POLICY p ON t TO {reader} USING (true)"));
    let (archive, _) = dumped(&source, &folder, &["--name", "policy"]);
    let words = [&*format!("role {reader}, of a policy"), "nothing was changed"];
    restore(&archive, &[]).refused(10, &words).follows("create-roles-first");
    assert_eq!(target.sql("SELECT count(*) FROM old"), "0");
    // As the hint says.
    target.sql(&format!("CREATE ROLE {owner}; CREATE ROLE {reader}"));
    restore(&archive, &keeping).expect_code(0);
    assert_eq!(target.sql("SELECT tableowner FROM pg_tables WHERE tablename = 't'"), owner);
    for database in [&source, &target] {
        database.sql(&format!("DROP OWNED BY {reader}; DROP OWNED BY {owner}; DROP ROLE {owner}, {reader}"));
    }
}

#[test]
fn of_a_part_only_the_roles_that_it_names_are_needed() {
    let (source, target) = (postgres15().database("partroles"), postgres18().database("partroles"));
    let role = |what: &str| format!("{}_{what}", source.name());
    let (owner, reader, guest, other) = (role("owner"), role("reader"), role("guest"), role("other"));
    source.sql(&format!(
        "CREATE ROLE {owner}; CREATE ROLE {reader}; CREATE ROLE {guest}; CREATE ROLE {other}; CREATE SCHEMA s;
         CREATE TABLE t (n int); INSERT INTO t VALUES (1); ALTER TABLE t OWNER TO {owner}; GRANT SELECT ON t TO {reader};
         CREATE POLICY p ON t TO {guest} USING (true);
         CREATE TABLE s.u (n int); ALTER TABLE s.u OWNER TO {other};
         CREATE POLICY q ON s.u TO {other} USING (true); CREATE TABLE plain (n int)"
    ));
    target.sql("CREATE TABLE old (n int)");
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    let keeping = ["--keep-owner", "--keep-privileges"];
    let restore = |args: &[&str]| {
        let restore = with_clients_of(target.server()).arg("restore").arg(&archive).arg(target.uri());
        restore.args(["--clean", "schema", "--yes"]).args(args).run()
    };
    let copy = |args: &[&str]| {
        let copy = with_clients_of(target.server()).args(["copy", "--clean", "schema", "--yes"]).args(args);
        copy.args([source.uri(), target.uri()]).run()
    };
    for run in [&restore as &dyn Fn(&[&str]) -> crate::support::Output, &copy] {
        let refusal = run(&[&["--table", "t"][..], &keeping].concat());
        let names = [
            format!("role {guest}, of a policy"),
            format!("role {owner}, of an owner"),
            format!("role {reader}, of a grant"),
        ];
        let words: Vec<&str> = names.iter().map(String::as_str).chain(["nothing was changed"]).collect();
        assert!(!refusal.stderr.contains(&other), "{}", refusal.stderr);
        refusal.refused(10, &words);
        let refusal = run(&["--table", "t"]);
        assert!(![&owner, &reader, &other].iter().any(|name| refusal.stderr.contains(*name)), "{}", refusal.stderr);
        refusal.refused(10, &[&names[0], "nothing was changed"]);
        let refusal = run(&[&["--schema", "s"][..], &keeping].concat());
        assert!(!refusal.stderr.contains(&owner), "{}", refusal.stderr);
        refusal.refused(10, &[&format!("role {other}, of a policy, an owner"), "nothing was changed"]);
        assert_eq!(target.sql("SELECT count(*) FROM old"), "0");
    }
    let plain = folder.path().join("plain.sql");
    fs::write(&plain, source.client("pg_dump").output().expect("run pg_dump").stdout).expect("written");
    let of_plain = |table: &str| {
        let restore = with_clients_of(target.server()).arg("restore").arg(&plain).arg(target.uri());
        restore.args(["--clean", "schema", "--yes", "--table", table]).run()
    };
    let refusal = of_plain("t");
    assert!(!refusal.stderr.contains(&other), "{}", refusal.stderr);
    refusal
        .refused(10, &[&format!("role {owner}, of "), &format!("role {reader}, of "), &format!("role {guest}, of ")]);
    // What names no role needs none; and as the hint says.
    restore(&["--table", "plain"]).expect_code(0);
    target.sql(&format!("CREATE ROLE {owner}; CREATE ROLE {reader}; CREATE ROLE {guest}"));
    restore(&[&["--table", "t"][..], &keeping].concat()).expect_code(0);
    assert_eq!(target.sql("SELECT tableowner FROM pg_tables WHERE tablename = 't'"), owner);
    source.sql("DROP SCHEMA s CASCADE; DROP TABLE t");
    source.sql(&format!("DROP ROLE {owner}, {reader}, {guest}, {other}"));
    target.sql(&format!("DROP TABLE t; DROP ROLE {owner}, {reader}, {guest}"));
}
