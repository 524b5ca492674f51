//! What only a superuser may do on the target, and what a choice of schemas leaves out.

use std::fs;

use super::{Role, vendor};
use crate::{
    roundtrip::{dumped, member, restored, with_clients_of},
    support::{checksum, postgres15},
};

#[test]
fn row_25_an_extension_that_only_a_superuser_may_create_is_named_before_anything_is_touched() {
    let server = postgres15();
    let owner = Role::new(server, "row25", "");
    let source = server.database("extended");
    source.sql("CREATE EXTENSION pg_stat_statements; CREATE TABLE t AS SELECT 1 AS n");
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    let dump = folder.path().join("dump.pgsql");
    fs::write(&dump, member(&archive, "*/dump.pgsql")).expect("write");

    let target = server.database("extended");
    server.sql(&format!("ALTER DATABASE {} OWNER TO {}", target.name(), owner.name));
    let uri = owner.uri(&target);
    let by_hand = || {
        let mut restore = target.client("pg_restore");
        vendor(restore.args(["--no-owner", "--no-privileges", "--exit-on-error", "--dbname", &uri]).arg(&dump))
    };
    let (well, said) = by_hand();
    assert!(!well && said.contains("permission denied to create extension"), "{said}");
    let restore =
        |more: &[&str]| with_clients_of(server).args(["restore", "--json"]).arg(&archive).arg(&uri).args(more).run();
    let output = restore(&[]).expect_code(10);
    for word in ["pg_stat_statements", "can only be created by a superuser", "CREATE EXTENSION", "--exclude-extension"]
    {
        assert!(output.stderr.contains(word), "no {word} in {}", output.stderr);
    }
    assert!(checksum(&target).is_empty());

    // Without it: it was not needed.
    let result = restore(&["--exclude-extension", "pg_stat_statements"]).expect_code(0).json();
    assert!(result["notes"].to_string().contains("pg_stat_statements"), "{result}");
    assert_eq!(checksum(&target).len(), 1);
    target.sql("DROP TABLE t");

    // A superuser made it: it is theirs, and so is its comment.
    target.sql("CREATE EXTENSION pg_stat_statements");
    let (well, said) = by_hand();
    assert!(!well && said.contains("must be owner of extension"), "{said}");
    let result = restore(&[]).expect_code(0).json();
    assert!(result["notes"].to_string().contains("EXTENSION pg_stat_statements"), "{result}");
    drop(target);
}

#[test]
fn row_26_a_dump_of_schema_public_comes_back_and_says_what_it_lacks() {
    let source = postgres15().database("chosen");
    source.sql("CREATE EXTENSION hstore; CREATE TABLE t AS SELECT 1 AS n; SELECT lo_from_bytea(4711, 'x')");
    let folder = tempfile::tempdir().expect("a folder");
    for format in ["custom", "plain"] {
        let (archive, result) = dumped(&source, &folder, &["--schema", "public", "--format", format, "--name", format]);
        let warnings = result["warnings"].to_string();
        assert!(warnings.contains("--schema leaves extensions out") && warnings.contains("hstore"), "{warnings}");
        assert!(warnings.contains("--schema leaves large objects out: 1"), "{warnings}");
        let target = postgres15().database("chosen");
        if format == "custom" {
            let dump = folder.path().join("dump.pgsql");
            fs::write(&dump, member(&archive, "*/dump.pgsql")).expect("write");
            let mut restore = target.client("pg_restore");
            let (well, said) = vendor(restore.args(["--exit-on-error", "--dbname", target.name()]).arg(&dump));
            assert!(!well && said.contains("schema \"public\" already exists"), "{said}");
        }
        let back = restored(&archive, &target, &[]);
        assert_eq!(checksum(&target)["public.t"].0, 1);
        assert!(back.to_string().contains("public"), "what was left out is said: {back}");
    }
    // Everything: nothing is missing.
    let (_, whole) = dumped(&source, &folder, &["--name", "whole"]);
    assert!(!whole["warnings"].to_string().contains("leaves"), "{whole}");
}
