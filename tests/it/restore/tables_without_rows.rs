//! Tables that a dump holds without their rows, and what points at these.

use crate::{
    roundtrip::{dumped, restored, with_clients_of},
    support::{Database, postgres15},
};

#[test]
fn keys_to_rows_that_the_dump_leaves_out_are_named_and_stay_out_of_every_restore() {
    let server = postgres15();
    let source = server.database("without_parents");
    source.sql(
        "CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (id int PRIMARY KEY, p int CONSTRAINT of_parent REFERENCES parent);
         CREATE TABLE other (c int CONSTRAINT of_child REFERENCES child);
         INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1, 1); INSERT INTO other VALUES (1)",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let without = ["--exclude-table-data", "parent"];
    let (archive, result) = dumped(&source, &folder, &without);
    let said = result["warnings"].to_string();
    assert!(
        said.contains("rows of table public.parent") && said.contains("of_parent") && !said.contains("of_child"),
        "{said}"
    );
    let keys =
        |target: &Database<'_>| target.sql("SELECT string_agg(conname, ' ') FROM pg_constraint WHERE contype = 'f'");
    for jobs in ["1", "2"] {
        let target = server.database("without_parents_target");
        let result = restored(&archive, &target, &["--jobs", jobs]);
        assert!(result.to_string().contains("of_parent"), "{result}");
        assert_eq!((keys(&target), target.sql("SELECT p FROM child")), ("of_child".to_owned(), "1".to_owned()));
        let target = server.database("without_parents_copy");
        let copy = with_clients_of(server).args(["copy", &source.uri(), &target.uri(), "--jobs", jobs]).args(without);
        let copied = copy.run().expect_code(0);
        assert!(copied.stderr.contains("of_parent"), "{}", copied.stderr);
        assert_eq!((keys(&target), target.sql("SELECT p FROM child")), ("of_child".to_owned(), "1".to_owned()));
    }
    let verify = with_clients_of(server).arg("verify").arg(&archive).args(["--restore-into", &server.uri("postgres")]);
    let verified = verify.run().expect_code(0);
    assert!(verified.stderr.contains("foreign keys to what is outside"), "{}", verified.stderr);
    let target = server.database("without_parents_schema");
    restored(&archive, &target, &["--schema-only"]);
    assert!(keys(&target).contains("of_parent"));
}
