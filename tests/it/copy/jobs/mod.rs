//! Copies by several jobs: what one job copies, of one moment, and every promise that is kept without one transaction.

mod ends;
mod moment;
mod refused;

use serde_json::Value;

use crate::{
    dump::postgres_jobs::tables,
    roundtrip::{assert_same, loaded, real_rows},
    support::{Database, Dbhaul, Server, checksum, dbhaul, peak, postgres15, postgres18},
};

/// `dbhaul copy SOURCE TARGET --jobs JOBS`, with the clients of both servers in PATH.
fn copy(source: &Database<'_>, target: &Database<'_>, jobs: &str) -> Dbhaul {
    let folders = [source.server().client_dir(), target.server().client_dir(), "/usr/bin".into(), "/bin".into()];
    let path = std::env::join_paths(folders).expect("folders");
    dbhaul().env("PATH", path).args(["copy", &source.uri(), &target.uri(), "--jobs", jobs])
}

fn copied(source: &Database<'_>, target: &Database<'_>, jobs: &str, args: &[&str]) -> Value {
    copy(source, target, jobs).arg("--json").args(args).run().expect_code(0).json()
}

/// By several jobs comes what comes by one.
fn same_as_by_one(source: &Database<'_>, to: &Server, args: &[&str]) {
    let one = to.database("one");
    let wanted = copied(source, &one, "1", args);
    for jobs in ["2", "4"] {
        let several = to.database("several");
        let json = copied(source, &several, jobs, args);
        assert_same(&one, &several);
        for what in ["rows", "tables", "consistency", "missing", "source"] {
            assert_eq!(json[what], wanted[what], "{what} of {jobs} jobs");
        }
    }
}

#[test]
fn all_kinds_of_objects_are_copied() {
    for name in ["objects", "chinook"] {
        let source = loaded(postgres18(), name);
        same_as_by_one(&source, postgres18(), &[]);
        let target = postgres18().database("copied");
        let json = copied(&source, &target, "3", &[]);
        assert_eq!(json["rows"], real_rows(&source).values().sum::<u64>());
        assert_same(&source, &target);
    }
}

#[test]
fn versions_are_crossed_up_and_down() {
    let source = loaded(postgres15(), "objects");
    same_as_by_one(&source, postgres18(), &[]);
    let newer = postgres18().database("newer");
    let json = copied(&source, &newer, "2", &[]);
    assert!(json["target"]["client_version"].as_str().expect("a version").starts_with("18."), "{json}");
    assert_eq!(checksum(&newer), checksum(&source));
    // Through pg_restore 18 and psql.
    same_as_by_one(&newer, postgres15(), &[]);
    let older = postgres15().database("older");
    let json = copied(&newer, &older, "2", &[]);
    // The definitions twice, and two lanes.
    let adapted = &json["adaptations"][0];
    assert_eq!((&adapted["what"], &adapted["count"]), (&"SET transaction_timeout left out".into(), &4.into()));
    assert!(json["notes"].to_string().contains("made by one session"), "{json}");
    assert_same(&source, &older);
}

/// What hangs on an order, or stands in no table.
const TANGLED: &str = "
    CREATE TABLE hen (id int PRIMARY KEY, egg int);
    CREATE TABLE egg (id int PRIMARY KEY, hen int REFERENCES hen DEFERRABLE);
    ALTER TABLE hen ADD FOREIGN KEY (egg) REFERENCES egg;
    INSERT INTO hen SELECT i FROM generate_series(1, 5000) i;
    INSERT INTO egg SELECT i, 5001 - i FROM generate_series(1, 5000) i;
    UPDATE hen SET egg = 5001 - id;
    CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree);
    INSERT INTO tree SELECT i, nullif(i / 2, 0) FROM generate_series(1, 3000) i;
    CREATE MATERIALIZED VIEW a_last AS SELECT 0 AS n WITH NO DATA;
    CREATE MATERIALIZED VIEW m_first AS SELECT id % 10 AS digit, count(*) AS n FROM hen GROUP BY 1;
    DROP MATERIALIZED VIEW a_last;
    CREATE MATERIALIZED VIEW a_last AS SELECT sum(n) AS n FROM m_first;
    CREATE UNIQUE INDEX ON m_first (digit);
    CREATE TABLE grouped (id int PRIMARY KEY, v text);
    INSERT INTO grouped SELECT i, 'v' || i FROM generate_series(1, 100) i;
    CREATE VIEW by_key AS SELECT id, v, count(*) FROM grouped GROUP BY id;
    CREATE TABLE made (id bigint GENERATED ALWAYS AS IDENTITY (START 7 INCREMENT 3) PRIMARY KEY, w int,
        twice int GENERATED ALWAYS AS (w * 2) STORED);
    INSERT INTO made (w) SELECT i FROM generate_series(1, 2000) i;
    CREATE TABLE serially (id serial, v text);
    INSERT INTO serially (v) SELECT 'x' FROM generate_series(1, 1500);
    CREATE SEQUENCE alone; SELECT setval('alone', 42, false);
    CREATE TABLE parted (at date, v int, PRIMARY KEY (at, v)) PARTITION BY RANGE (at);
    CREATE TABLE parted_old PARTITION OF parted FOR VALUES FROM (MINVALUE) TO ('2024-01-01');
    CREATE TABLE parted_new PARTITION OF parted FOR VALUES FROM ('2024-01-01') TO (MAXVALUE) PARTITION BY HASH (v);
    CREATE TABLE parted_new_0 PARTITION OF parted_new FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE parted_new_1 PARTITION OF parted_new FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    INSERT INTO parted SELECT date '2023-12-01' + i % 60, i FROM generate_series(1, 4000) i;
    CREATE INDEX ON parted (v);
    CREATE TABLE points_at (at date, v int, FOREIGN KEY (at, v) REFERENCES parted);
    INSERT INTO points_at SELECT * FROM parted WHERE v % 3 = 0;
    CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO notes VALUES (new.id); RETURN new; END $$;
    CREATE TABLE notes (id int);
    CREATE TRIGGER noted AFTER INSERT ON grouped FOR EACH ROW EXECUTE FUNCTION noted();
    CREATE RULE twice AS ON INSERT TO serially DO ALSO INSERT INTO notes VALUES (1);
    SELECT lo_from_bytea(0, convert_to(repeat('large ' || i, 3000), 'UTF8')) FROM generate_series(1, 40) i;
    COMMENT ON TABLE hen IS 'with a comment';";

#[test]
fn what_hangs_on_an_order_is_copied() {
    for server in [postgres15(), postgres18()] {
        let source = server.database("tangled");
        source.sql(TANGLED);
        same_as_by_one(&source, server, &[]);
        let target = server.database("copied");
        copied(&source, &target, "4", &["--keep-owner", "--keep-privileges"]);
        assert_same(&source, &target);
        assert_eq!(target.sql("SELECT n FROM a_last"), "5000");
        assert_eq!(target.sql("SELECT count(*) FROM notes"), "0", "no trigger and no rule saw the rows");
    }
}

#[test]
fn indexes_are_attached_before_anything_goes_through_them() {
    let source = postgres18().database("attached");
    source.sql(
        "CREATE TABLE parent (id int PRIMARY KEY, a int, b int) PARTITION BY HASH (id);
         SELECT format('CREATE TABLE p%s PARTITION OF parent FOR VALUES WITH (MODULUS 12, REMAINDER %s)', n, n)
         FROM generate_series(0, 11) n \\gexec
         CREATE INDEX ON parent (a); CREATE INDEX ON parent (b); CREATE INDEX ON parent (a, b);
         INSERT INTO parent SELECT i, i, i FROM generate_series(1, 500) i;
         SELECT format('CREATE TABLE f%s AS SELECT id FROM parent; ALTER TABLE f%s ADD FOREIGN KEY (id) REFERENCES parent;
            CREATE MATERIALIZED VIEW m%s AS SELECT count(*) FROM parent', n, n, n) FROM generate_series(1, 8) n \\gexec",
    );
    for _ in 0..5 {
        let target = postgres18().database("attached");
        copied(&source, &target, "6", &[]);
        assert_eq!(checksum(&target), checksum(&source));
    }
}

#[test]
fn selections_are_those_of_one_job() {
    let source = postgres15().database("tangled");
    source.sql(TANGLED);
    source.sql(
        r#"CREATE SCHEMA "Odd one"; CREATE TABLE "Odd one"."a.b ""c"" $1 *" (v text);
           INSERT INTO "Odd one"."a.b ""c"" $1 *" SELECT repeat('y', 500) FROM generate_series(1, 300)"#,
    );
    for args in [
        &["--schema", "\"Odd\"*"][..],
        &["--exclude-schema", "\"Odd one\""],
        &["--table", "parted*", "--table", "made"],
        &["--exclude-table", "points_at", "--exclude-table-data", "serially"],
        &["--no-comments", "--into-non-empty"],
    ] {
        same_as_by_one(&source, postgres15(), args);
    }
}

#[test]
fn a_target_is_emptied_first_where_that_is_wanted() {
    let source = postgres15().database("source");
    tables(&source, 3, 500);
    for clean in ["schema", "database"] {
        let target = postgres15().database("target");
        target.sql("CREATE TABLE t1 (old int); CREATE SCHEMA other CREATE TABLE old (id int)");
        copied(&source, &target, "2", &["--clean", clean, "--yes"]);
        assert_same(&source, &target);
    }
    let target = postgres15().database("target");
    target.sql("CREATE TABLE precious (id int)");
    let refused = copy(&source, &target, "2").run();
    refused.refused(10, &["is not empty", "precious", "nothing was changed", "hint: --clean"]);
}

#[test]
fn a_large_copy_takes_little_memory() {
    let (source, target) = (postgres15().database("large"), postgres15().database("target"));
    for n in 1..=4 {
        let rows = "SELECT n, repeat(md5(n::text), 30) AS text FROM generate_series(1, 30000) n";
        source.sql(&format!("CREATE TABLE t{n} AS {rows}"));
    }
    let mut running = copy(&source, &target, "4").spawn();
    let mut most = 0;
    while running.is_running() {
        most = most.max(peak(running.pid()).unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let output = running.wait().expect_code(0);
    assert!(most < 64 * 1024, "{most} KiB");
    let done = output.stderr.lines().last().expect("a line");
    assert!(
        done.starts_with("done") && done.contains("4 tables, 120,000 rows") && done.ends_with("complete"),
        "{done}"
    );
    assert_eq!(checksum(&target), checksum(&source));
}
