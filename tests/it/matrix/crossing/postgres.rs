//! PostgreSQL: each version into each other one.

use std::{collections::BTreeMap, sync::OnceLock};

use super::{dump, refused, restore, table};
use crate::support::{Flavour, checksum, shared};

const ALL: [Flavour; 6] = [
    Flavour::Postgres13,
    Flavour::Postgres14,
    Flavour::Postgres15,
    Flavour::Postgres16,
    Flavour::Postgres17,
    Flavour::Postgres18,
];

/// What every supported version knows.
const COMMON: &str = r#"
    CREATE SCHEMA shop;
    CREATE TYPE shop.mood AS ENUM ('sad', 'it''s fine');
    CREATE DOMAIN shop.price AS numeric(12, 2) CHECK (VALUE >= 0);
    CREATE TABLE shop.users (
        id serial PRIMARY KEY, name text COLLATE "C" NOT NULL UNIQUE, mood shop.mood, cost shop.price,
        twice numeric GENERATED ALWAYS AS (cost * 2) STORED, at timestamptz, raw bytea, doc jsonb, tags text[],
        stay daterange, note text DEFAULT 'NULLS NOT DISTINCT WITHOUT OVERLAPS uuidv7()');
    CREATE TABLE shop.orders (
        id bigint GENERATED ALWAYS AS IDENTITY, user_id int REFERENCES shop.users ON DELETE CASCADE, at date NOT NULL,
        PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
    CREATE TABLE shop.orders_old PARTITION OF shop.orders FOR VALUES FROM ('2020-01-01') TO ('2024-01-01');
    CREATE TABLE shop.orders_new PARTITION OF shop.orders DEFAULT;
    CREATE UNLOGGED TABLE shop.cache (key text, "NOT ENFORCED" int);
    CREATE INDEX ON shop.users (lower(name)) WHERE mood IS NOT NULL;
    CREATE VIEW shop.happy WITH (security_barrier) AS SELECT id, name FROM shop.users WHERE mood = 'it''s fine';
    CREATE MATERIALIZED VIEW shop.spent AS SELECT user_id, count(*) FROM shop.orders GROUP BY user_id;
    CREATE FUNCTION shop.stamp() RETURNS trigger LANGUAGE plpgsql SET work_mem TO '8MB' SET my.own TO 'x' AS
        $$ BEGIN new.at := coalesce(new.at, now()); PERFORM uuidv7(), 'MERGE INTO'; RETURN new; END $$;
    CREATE FUNCTION shop.quiet() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
    CREATE TRIGGER quiet BEFORE UPDATE ON shop.users FOR EACH ROW EXECUTE FUNCTION shop.quiet();
    ALTER TABLE shop.users ENABLE ROW LEVEL SECURITY;
    CREATE POLICY everybody ON shop.users USING (true);
    COMMENT ON TABLE shop.users IS 'GENERATED ALWAYS AS (id) VIRTUAL';
    INSERT INTO shop.users (name, mood, cost, at, raw, doc, tags, stay)
        SELECT 'user ' || n || ' ❤ \t', 'it''s fine', n * 1.25, '2024-05-06 07:08:09.123456+00', decode(md5(n::text), 'hex'),
            '{"a": [1, null]}', ARRAY['x', NULL, '"'], '[2024-01-01,2024-02-01)' FROM generate_series(1, 50) n;
    INSERT INTO shop.orders (user_id, at) SELECT 1 + n % 50, '2019-12-30'::date + n * 30 FROM generate_series(1, 80) n;
    INSERT INTO shop.cache VALUES ('a', 1);
    SELECT lo_from_bytea(4711, '\x00ff');
    REFRESH MATERIALIZED VIEW shop.spent;
"#;

/// How a dump of one version goes into each other one; asked once for each.
fn crossed(source: Flavour) -> &'static BTreeMap<&'static str, String> {
    static ROWS: [OnceLock<BTreeMap<&'static str, String>>; ALL.len()] = [const { OnceLock::new() }; ALL.len()];
    let place = ALL.iter().position(|&flavour| flavour == source).expect("one of them");
    ROWS[place].get_or_init(|| {
        let database = shared(source).database("crossing");
        database.sql(COMMON);
        let folder = tempfile::tempdir().expect("a folder");
        let archive = dump(&database, &folder, &[]);
        let wanted = checksum(&database);
        let cross = |target: Flavour| {
            let database = shared(target).database("crossed");
            let output = restore(&archive, &database, source).run().expect_code(0);
            assert_eq!(checksum(&database), wanted, "{} into {}", source.name(), target.name());
            let adapted = output.json()["adaptations"].to_string().contains("transaction_timeout");
            if adapted { "works ¹" } else { "works" }.to_owned()
        };
        ALL.iter().map(|&target| (target.version(), cross(target))).collect()
    })
}

fn major(flavour: Flavour) -> u32 {
    flavour.version().parse().expect("a number")
}

macro_rules! into_every_version {
    ($($name:ident: $flavour:ident),*) => {$(
        #[test]
        fn $name() {
            assert_eq!(crossed(Flavour::$flavour).len(), ALL.len());
        }
    )*};
}

into_every_version!(
    a_dump_of_postgres_13_goes_into_every_version: Postgres13,
    a_dump_of_postgres_14_goes_into_every_version: Postgres14,
    a_dump_of_postgres_15_goes_into_every_version: Postgres15,
    a_dump_of_postgres_16_goes_into_every_version: Postgres16,
    a_dump_of_postgres_17_goes_into_every_version: Postgres17,
    a_dump_of_postgres_18_goes_into_every_version: Postgres18
);

/// What only newer versions know: since when, the name that a refusal has for it, and how it is made.
const NEWER: &[(u32, &str, &str)] = &[
    (14, "multirange types", "CREATE TABLE m14a (a datemultirange)"),
    (14, "COMPRESSION of a column", "CREATE TABLE m14b (a text COMPRESSION pglz)"),
    (14, "SQL-standard function bodies", "CREATE FUNCTION f14a(int) RETURNS int LANGUAGE sql RETURN $1 + 1"),
    (14, "SQL-standard function bodies", "CREATE FUNCTION f14b() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; END"),
    (14, "OUT parameters of procedures", "CREATE PROCEDURE p14(OUT a int) LANGUAGE sql AS 'SELECT 1'"),
    (14, "statistics on expressions", "CREATE TABLE s14 (a int, b int); CREATE STATISTICS e14 ON (a + b) FROM s14"),
    (14, "functions of PostgreSQL 14", "CREATE VIEW v14 AS SELECT date_bin('1 day', now(), now()) AS a"),
    (15, "NULLS NOT DISTINCT", "CREATE TABLE n15 (a int UNIQUE NULLS NOT DISTINCT)"),
    (15, "security_invoker views", "CREATE VIEW v15 WITH (security_invoker = true) AS SELECT 1 AS a"),
    (15, "publications of schemas", "CREATE PUBLICATION p15a FOR TABLES IN SCHEMA public"),
    (
        15,
        "row filters of publications",
        "CREATE TABLE t15 (a int PRIMARY KEY); CREATE PUBLICATION p15b FOR TABLE t15 WHERE (a > 1)",
    ),
    (
        15,
        "column lists of publications",
        "CREATE TABLE u15 (a int PRIMARY KEY); CREATE PUBLICATION p15c FOR TABLE u15 (a)",
    ),
    (
        15,
        "columns in ON DELETE SET",
        "CREATE TABLE a15 (a int, b int, PRIMARY KEY (a, b)); CREATE TABLE b15 (a int, b int, FOREIGN KEY (a, b) REFERENCES a15 ON DELETE SET NULL (b))",
    ),
    (15, "unlogged sequences", "CREATE UNLOGGED SEQUENCE q15"),
    (15, "numeric with a negative scale", "CREATE TABLE c15 (a numeric(3, -2))"),
    (15, "functions of PostgreSQL 15", "CREATE TABLE d15 (a text CHECK (regexp_like(a, 'x')))"),
    (16, "SQL/JSON constructors", "CREATE VIEW v16 AS SELECT JSON_ARRAY(1, 2) AS a"),
    (16, "SYSTEM_USER", "CREATE VIEW w16 AS SELECT SYSTEM_USER AS a"),
    (16, "functions of PostgreSQL 16", "CREATE VIEW x16 AS SELECT any_value(a) AS a FROM (VALUES (1)) AS x (a)"),
    (17, "the builtin collation provider", "CREATE COLLATION o17 (provider = builtin, locale = 'C.UTF-8')"),
    (17, "SQL/JSON query functions", "CREATE VIEW v17 AS SELECT JSON_VALUE(jsonb '1', '$') AS a"),
    (
        17,
        "setting transaction_timeout",
        "CREATE FUNCTION g17() RETURNS int LANGUAGE sql SET transaction_timeout TO '5s' AS 'SELECT 1'",
    ),
    (
        18,
        "virtual generated columns",
        "CREATE TABLE g18 (a int, s int GENERATED ALWAYS AS (a) STORED, b int GENERATED ALWAYS AS (a * (2 + 1)) VIRTUAL)",
    ),
    (18, "WITHOUT OVERLAPS", "CREATE TABLE o18 (a int4range, b daterange, PRIMARY KEY (a, b WITHOUT OVERLAPS))"),
    (
        18,
        "PERIOD in a foreign key",
        "CREATE TABLE q18 (a int4range, b daterange, FOREIGN KEY (a, PERIOD b) REFERENCES o18)",
    ),
    (
        18,
        "NOT NULL as a constraint of its own",
        "CREATE TABLE n18 (a int); ALTER TABLE n18 ADD CONSTRAINT c18 NOT NULL a NOT VALID",
    ),
    (18, "NOT ENFORCED constraints", "CREATE TABLE e18 (a int CONSTRAINT d18 CHECK (a > 0) NOT ENFORCED)"),
    (18, "functions of PostgreSQL 18", "CREATE TABLE u18 (a uuid DEFAULT uuidv7())"),
];

#[test]
fn what_an_older_postgres_does_not_know_is_what_it_refuses_itself() {
    // What stands in a transaction that has failed, or behind its end, is not answered.
    let each = |(number, (_, _, sql)): (usize, &(u32, &str, &str))| {
        format!("BEGIN;\n{sql};\nSELECT 'made {number}' WHERE pg_current_xact_id_if_assigned() IS NOT NULL;\nCOMMIT;\n")
    };
    let script = format!("\\set ON_ERROR_STOP off\n{}", NEWER.iter().enumerate().map(each).collect::<String>());
    for flavour in ALL {
        let answers = shared(flavour).database("newer").sql(&script);
        for (number, (since, name, _)) in NEWER.iter().enumerate() {
            let made = answers.lines().any(|line| line == format!("made {number}"));
            assert_eq!(made, major(flavour) >= *since, "{name} on {}", flavour.name());
        }
    }
}

#[test]
fn all_that_an_older_postgres_does_not_know_is_named_and_nothing_else() {
    let source = shared(Flavour::Postgres18).database("newest");
    source.sql(&NEWER.iter().map(|(_, _, sql)| format!("{sql};\n")).collect::<String>());
    let folder = tempfile::tempdir().expect("a folder");
    for archive in [dump(&source, &folder, &[]), dump(&source, &folder, &["--format", "plain"])] {
        for &target in &ALL[..5] {
            let database = shared(target).database("older");
            let output = refused(&archive, &database, Flavour::Postgres18, &["does not know all that the dump holds"]);
            for (since, name, _) in NEWER {
                let named = output.stderr.contains(&format!("  {name}"));
                assert_eq!(named, *since > major(target), "{name} into {}:\n{}", target.name(), output.stderr);
            }
        }
        let same = shared(Flavour::Postgres18).database("same");
        restore(&archive, &same, Flavour::Postgres18).run().expect_code(0);
    }
    let database = shared(Flavour::Postgres17).database("older");
    let output = refused(&dump(&source, &folder, &[]), &database, Flavour::Postgres18, &["table public.g18"]);
    assert!(!output.stderr.contains("table public.c15"), "{}", output.stderr);
}

#[test]
fn a_right_that_an_older_postgres_does_not_know_matters_only_where_rights_are_kept() {
    let source = shared(Flavour::Postgres18).database("maintained");
    source.sql("CREATE TABLE t (a int); GRANT MAINTAIN ON t TO pg_monitor");
    let folder = tempfile::tempdir().expect("a folder");
    let archive = dump(&source, &folder, &[]);
    let target = shared(Flavour::Postgres15).database("older");
    let output = restore(&archive, &target, Flavour::Postgres18).arg("--keep-privileges").run().expect_code(10);
    super::assert_untouched(&target, &output);
    assert!(output.stderr.contains("the MAINTAIN privilege"), "{}", output.stderr);
    restore(&archive, &target, Flavour::Postgres18).run().expect_code(0);
}

#[test]
fn a_collation_that_the_target_does_not_have_is_named() {
    let source = shared(Flavour::Postgres15).database("collated");
    let icu = source.sql("SELECT collname FROM pg_collation WHERE collprovider = 'i' AND collname = 'de-x-icu'");
    assert_eq!(icu, "de-x-icu", "this machine's PostgreSQL has ICU");
    source.sql("CREATE COLLATION pg_catalog.\"far away\" (provider = icu, locale = 'de'); CREATE TABLE t (a text COLLATE pg_catalog.\"far away\")");
    let folder = tempfile::tempdir().expect("a folder");
    for archive in [dump(&source, &folder, &[]), dump(&source, &folder, &["--format", "plain"])] {
        let target = shared(Flavour::Postgres18).database("uncollated");
        refused(&archive, &target, Flavour::Postgres15, &["collation far away"]);
        let output =
            restore(&archive, &target, Flavour::Postgres15).args(["--map-collation", "a=b"]).run().expect_code(2);
        assert!(output.stderr.contains("for MySQL and MariaDB"), "{}", output.stderr);
    }
}

#[test]
fn what_is_only_said_in_the_data_is_no_reason_to_refuse() {
    let source = shared(Flavour::Postgres18).database("spoken");
    let words: String = NEWER.iter().map(|(_, _, sql)| format!("{};\n", sql.replace('\'', "''"))).collect();
    source.sql(&format!(
        "CREATE TABLE t (a text, \"WITHOUT OVERLAPS\" int); INSERT INTO t VALUES ('{words}'), (E'\\n;\\n{words}');
         CREATE FUNCTION said() RETURNS text LANGUAGE sql AS $_$ SELECT '{words}' $_$;
         COMMENT ON TABLE t IS '{words}'"
    ));
    let folder = tempfile::tempdir().expect("a folder");
    let extra = ["--format", "plain", "--", "--inserts"];
    for archive in [dump(&source, &folder, &[]), dump(&source, &folder, &extra[..2]), dump(&source, &folder, &extra)] {
        let target = shared(Flavour::Postgres13).database("heard");
        restore(&archive, &target, Flavour::Postgres18).run().expect_code(0);
        assert_eq!(target.sql("SELECT a FROM t ORDER BY 1"), source.sql("SELECT a FROM t ORDER BY 1"));
    }
}

#[test]
fn every_postgres_stands_in_the_table_of_crossings() {
    let text = table(&ALL, "from, into", |source, target| crossed(source)[target.version()].clone());
    crate::support::assert_section("docs/compatibility.md", "crossing-postgresql", &text);
}
