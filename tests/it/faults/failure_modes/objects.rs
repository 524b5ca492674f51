//! Objects that a dump can't read, or that a restore can't make.

use super::{Role, vendor};
use crate::{
    roundtrip::{dumped, restored, with_clients_of},
    support::{checksum, postgres15, postgres18},
};

/// A body that names something without its schema, what uses it, and what the hint must name.
const UNQUALIFIED: [(&str, &str, [&str; 2]); 4] = [
    (
        "CREATE FUNCTION price_of(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT price FROM prices WHERE id = $1); END'",
        "CREATE MATERIALIZED VIEW summary AS SELECT price_of(1) AS price",
        ["function public.price_of(integer) uses prices", "ALTER FUNCTION public.price_of(integer) SET search_path"],
    ),
    (
        "CREATE FUNCTION price_of(int) RETURNS int LANGUAGE sql AS 'SELECT price FROM prices WHERE id = $1'",
        "CREATE MATERIALIZED VIEW summary AS SELECT price_of(1) AS price",
        ["function price_of uses prices", "ALTER FUNCTION price_of SET search_path"],
    ),
    (
        "CREATE FUNCTION price_of(int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT price FROM prices WHERE id = $1); END'",
        "CREATE TABLE orders (id int CHECK (price_of(id) > 0)); INSERT INTO orders VALUES (1)",
        ["function public.price_of(integer) uses prices", "SET search_path"],
    ),
    (
        "CREATE FUNCTION twice(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 2 * $1';
         CREATE FUNCTION price_of(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN twice($1); END'",
        "CREATE INDEX ON prices (price_of(id))",
        ["function public.price_of(integer) uses twice(integer)", "SET search_path"],
    ),
];

#[test]
fn row_45_a_function_that_misses_its_search_path_is_named_with_what_it_looks_for() {
    for (function, user, words) in UNQUALIFIED {
        let source = postgres15().database("path");
        source.sql(&format!(
            "CREATE TABLE prices (id int, price int); INSERT INTO prices VALUES (1, 7); {function}; {user}"
        ));
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, _) = dumped(&source, &folder, &["--name", "before"]);
        let target = postgres15().database("path");
        let restore = with_clients_of(postgres15()).arg("restore").arg(&archive).arg(target.uri()).run();
        let failed = restore.refused(7, &["does not exist", "rolled back", words[0], words[1]]);
        failed.follows("qualify-or-search-path");
        assert!(checksum(&target).is_empty());
        // As the hint says.
        source.sql("ALTER FUNCTION price_of(int) SET search_path = public");
        let (archive, _) = dumped(&source, &folder, &["--name", "after"]);
        restored(&archive, &target, &[]);
        assert_eq!(checksum(&target), checksum(&source), "{user}");
    }
}

#[test]
fn row_46_rows_that_a_policy_hides_are_never_left_out_in_silence() {
    let server = postgres15();
    let reader = Role::new(server, "row46", "");
    let source = server.database("policies");
    source.sql(&format!(
        "CREATE TABLE secrets AS SELECT n FROM generate_series(1, 10) n; GRANT SELECT ON secrets TO {};
         ALTER TABLE secrets ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON secrets USING (n < 3)",
        reader.name
    ));
    let uri = reader.uri(&source);
    let by_hand = |more: &[&str]| vendor(source.client("pg_dump").arg("--dbname").arg(&uri).args(more));
    let (well, said) = by_hand(&[]);
    assert!(!well && said.contains("row-level security"), "{said}");
    let (well, said) = by_hand(&["--enable-row-security"]);
    assert!(well, "two rows of ten, and all is well: {said}");

    let folder = tempfile::tempdir().expect("a folder");
    let dump = |more: &[&str]| with_clients_of(server).args(["dump", &uri]).args(more).cwd(folder.path()).run();
    dump(&[]).refused(10, &["table public.secrets", "row-level security hides rows", "BYPASSRLS"]);
    dump(&["--", "--enable-row-security"]).refused(2, &["--enable-row-security", "would be missing"]);
    dump(&["--table", "secrets"]).refused(10, &["row-level security", "BYPASSRLS"]);
    dump(&["--schema-only"]).expect_code(0);
    dump(&["--", "--table=secrets"]).refused(10, &["row-level security", "BYPASSRLS"]);
    drop(source);
}

#[test]
fn chosen_tables_name_the_extensions_that_they_need_and_no_others() {
    let source = postgres15().database("dash");
    source.sql(
        "CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE TABLE \"-dash\" (i int); CREATE TABLE h (x hstore)",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let warnings = |table: &str| dumped(&source, &folder, &["--table", table, "--name", "x"]).1["warnings"].to_string();
    assert_eq!(warnings("\"-dash\""), "[]");
    let said = warnings("h");
    assert!(said.contains("extension hstore") && !said.contains("citext"), "{said}");
}

#[test]
fn row_47_large_objects_of_other_owners_are_named_before_the_dump() {
    for server in [postgres15(), postgres18()] {
        let owner = Role::new(server, "row47", "");
        let source = server.database("objects");
        server.sql(&format!("ALTER DATABASE {} OWNER TO {}", source.name(), owner.name));
        source.sql(&format!(
            "SELECT lo_from_bytea(4711, 'theirs'), lo_from_bytea(4712, 'mine'), lo_from_bytea(4713, 'granted');
             ALTER LARGE OBJECT 4712 OWNER TO {0}; GRANT SELECT ON LARGE OBJECT 4713 TO {0}",
            owner.name
        ));
        let uri = owner.uri(&source);
        let (well, said) = vendor(source.client("pg_dump").args(["--format=custom", "--dbname", &uri]));
        assert!(!well && said.contains("permission denied for large object 4711"), "{said}");
        let folder = tempfile::tempdir().expect("a folder");
        let dump = || with_clients_of(server).args(["dump", &uri]).cwd(folder.path()).run();
        let output = dump().refused(10, &["large object 4711", "may not be read", "owner or as a superuser"]);
        assert!(!output.stderr.contains("4712") && !output.stderr.contains("4713"), "{}", output.stderr);
        source.sql(&format!("GRANT SELECT ON LARGE OBJECT 4711 TO {}", owner.name));
        dump().expect_code(0);
        source.sql(&format!("REASSIGN OWNED BY {0} TO CURRENT_USER; DROP OWNED BY {0}", owner.name));
        drop(source);
    }
}

#[test]
fn patterns_of_exclusions_mean_what_psql_means_and_no_catalog_is_dumped() {
    let source = postgres15().database("patterns");
    source.sql(
        "CREATE TABLE public.t (n int); CREATE SCHEMA pgboss; CREATE TABLE pgboss.t (n int);
         CREATE SCHEMA \"a.b\"; CREATE TABLE \"a.b\".t (n int); CREATE SCHEMA other; CREATE TABLE other.t (n int)",
    );
    let (pgboss, dotted, other, public) = ("pgboss.t", "\"a.b\".t", "other.t", "public.t");
    for (options, kept) in [
        (&["--exclude-schema", "^pg_*"][..], &[pgboss, dotted, other, public][..]),
        (&["--exclude-schema", "pg*"], &[dotted, other, public]),
        (&["--exclude-schema", "\"a.b\""], &[pgboss, other, public]),
        (&["--exclude-schema", "OTHE?"], &[pgboss, dotted, public]),
        (&["--exclude-schema", "nothing_like_it", "--exclude-table", "nor_this"], &[pgboss, dotted, other, public]),
        (&["--schema", "p*"], &[pgboss, public]),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, _) = dumped(&source, &folder, options);
        let held = String::from_utf8_lossy(&crate::roundtrip::member(&archive, "*/dump.pgsql")).into_owned();
        assert!(!held.contains("pg_authid"), "{options:?}: a catalog is in it");
        let target = postgres15().database("patterns");
        restored(&archive, &target, &[]);
        let seen: std::collections::BTreeSet<_> = checksum(&target).into_keys().collect();
        assert_eq!(seen, kept.iter().map(ToString::to_string).collect(), "{options:?}");
    }
    // By itself:
    let output = source.client("pg_dump").args(["--schema-only", "--schema", "p*"]).output().expect("run pg_dump");
    assert!(String::from_utf8_lossy(&output.stdout).contains("pg_authid"), "pg_dump has learned");
    let dump = |pattern: &[&str]| with_clients_of(postgres15()).args(["dump", &source.uri()]).args(pattern).run();
    dump(&["--exclude-schema", "a.b"]).refused(2, &["a schema's name has no dot", "--exclude-schema '\"a.b\"'"]);
    dump(&["--schema", "nothing*"]).refused(2, &["matches nothing"]);
}
