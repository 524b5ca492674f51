//! What `pg_dump` leaves out without a word: named at the dump, in the manifest, and by `verify`.

use serde_json::Value;

use crate::{
    roundtrip::{dumped, restored, with_clients_of},
    support::{Database, postgres15, postgres18},
};

fn warnings(result: &Value) -> Vec<&str> {
    result["warnings"].as_array().expect("warnings").iter().map(|warning| warning.as_str().expect("text")).collect()
}

#[test]
fn each_thing_that_no_dump_has_is_named() {
    for server in [postgres15(), postgres18()] {
        let (source, target) = (server.database("not_held"), server.database("not_held_target"));
        let folder = tempfile::tempdir().expect("a folder");
        let nothing = server.database("nothing");
        nothing.sql("CREATE EXTENSION unaccent; CREATE EXTENSION hstore; CREATE TABLE t (i int)");
        assert_eq!(warnings(&dumped(&nothing, &folder, &["--name", "nothing"]).1), [""; 0]);
        source.sql(
            "CREATE EXTENSION unaccent; CREATE EXTENSION hstore; CREATE TABLE t (i int); INSERT INTO t VALUES (1), (1);
             ALTER TEXT SEARCH CONFIGURATION english ALTER MAPPING FOR word WITH unaccent, english_stem;
             ALTER TEXT SEARCH CONFIGURATION french ALTER MAPPING FOR word WITH german_stem;
             CREATE TABLE extt (i int); INSERT INTO extt VALUES (1); ALTER EXTENSION hstore ADD TABLE extt;
             CREATE FUNCTION pg_catalog.ours() RETURNS int LANGUAGE sql AS 'SELECT 1';
             CREATE UNIQUE INDEX broken ON t (i, (i + 1)) WHERE i > 1; UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass;
             CREATE MATERIALIZED VIEW ma AS SELECT 1 AS i; CREATE VIEW between AS SELECT i FROM ma;
             CREATE MATERIALIZED VIEW mb AS SELECT i FROM between; REFRESH MATERIALIZED VIEW ma WITH NO DATA",
        );
        let (archive, result) = dumped(&source, &folder, &[]);
        let named = warnings(&result);
        let expected = [
            "text search configuration pg_catalog.english maps",
            "text search configuration pg_catalog.french maps",
            "table public.extt is an extension's",
            "index public.broken is not valid",
            "function ours() stands among",
            "materialized view public.mb has rows",
        ];
        for what in expected {
            assert!(named.iter().any(|warning| warning.contains(what)), "{what}: {named:?}");
        }
        assert_eq!(named.len(), expected.len(), "{named:?}");
        let inspected = with_clients_of(server).args(["inspect", "--json"]).arg(&archive).run().expect_code(0).json();
        assert_eq!(inspected["manifest"]["not_held"].as_array().map(Vec::len), Some(expected.len()), "{inspected}");
        restored(&archive, &target, &[]);
        let verify =
            with_clients_of(server).arg("verify").arg(&archive).args(["--restore-into", &server.uri("postgres")]);
        let verified = verify.arg("--json").run().expect_code(0).json();
        assert!(verified["restored"]["not_compared"].to_string().contains("public.mb has rows"), "{verified}");
    }
}

/// A role of a test's own that may create databases, and the way to one of them.
fn creator(database: &Database<'_>, name: &str) -> String {
    database.sql(&format!("CREATE ROLE {name} LOGIN CREATEDB PASSWORD 'x'"));
    database.server().uri_as(name, "x", "postgres")
}

#[test]
fn verify_counts_rows_that_policies_hide_from_their_owner() {
    let server = postgres15();
    let source = server.database("forced");
    source.sql(
        "CREATE TABLE t (i int); INSERT INTO t VALUES (1), (2); ALTER TABLE t ENABLE ROW LEVEL SECURITY;
         ALTER TABLE t FORCE ROW LEVEL SECURITY; CREATE POLICY one ON t USING (i = 1)",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    let uri = creator(&source, &format!("forced_{}", std::process::id()));
    let verify = with_clients_of(server).arg("verify").arg(&archive).args(["--restore-into", &uri, "--json"]);
    let verified = verify.run().expect_code(0).json();
    assert_eq!(verified["restored"]["rows"], 2, "{verified}");
    assert!(verified["restored"]["not_compared"].to_string().contains("(public.t)"), "{verified}");
}
