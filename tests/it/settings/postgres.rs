//! PostgreSQL: every setting is sorted; each that is pinned is tried alone, all harmless ones in one batch.

use std::path::{Path, PathBuf};

use dbhaul::engine::postgres::server_settings::{NOT_OURS, PINNED, Sort, sort};
use tempfile::TempDir;

use crate::{
    roundtrip::{dumped, member, restored, with_clients_of},
    support::{Database, Flavour, Server, assert_section, checksum, postgres15, postgres18, schema, several, shared},
};

const SERVERS: [Flavour; 6] = [
    Flavour::Postgres13,
    Flavour::Postgres14,
    Flavour::Postgres15,
    Flavour::Postgres16,
    Flavour::Postgres17,
    Flavour::Postgres18,
];

/// Modules have settings of their own, which a session lists once it has loaded them. Not every server has all.
const WITH_MODULES: &str = "
    DO $$ DECLARE module text; BEGIN
        FOREACH module IN ARRAY ARRAY['auth_delay', 'auto_explain', 'basebackup_to_shell', 'basic_archive', 'isn',
            'passwordcheck', 'pg_overexplain', 'pg_prewarm', 'pg_stat_statements', 'pg_trgm', 'pgcrypto', 'plpgsql',
            'postgres_fdw'] LOOP
            BEGIN EXECUTE format('LOAD %L', module); EXCEPTION WHEN undefined_file THEN NULL; END;
        END LOOP;
    END $$;
    SELECT name FROM pg_settings ORDER BY 1";

#[test]
fn every_setting_of_every_postgresql_is_sorted() {
    let mut unsorted = Vec::new();
    for flavour in SERVERS {
        let names = shared(flavour).sql(WITH_MODULES);
        if flavour == Flavour::Postgres15 {
            assert!(["auto_explain.", "pg_trgm.", "plpgsql."].iter().all(|module| names.contains(module)), "{names}");
        }
        unsorted.extend(names.lines().filter(|name| sort(name).is_none()).map(|name| format!("{flavour:?}: {name}")));
    }
    assert_eq!(unsorted, Vec::<String>::new(), "to be sorted in src/engine/postgres/session/server_settings.rs");
}

#[test]
fn the_table_of_pinned_settings_is_the_one_in_the_documentation() {
    let mut text = String::from("| Setting | Pinned to | What it would change |\n|---|---|---|\n");
    for pin in PINNED {
        let value = if pin.value.is_empty() { "nothing" } else { pin.value };
        text += &format!("| `{}` | {value} | {} |\n", pin.name, pin.why);
    }
    text += "\n| Not pinned | Why |\n|---|---|\n";
    for (why, names) in NOT_OURS {
        let names = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        text += &format!("| {names} | {why} |\n");
    }
    assert_section("docs/settings.md", "postgresql", &text);
}

/// One of each kind of value and of object that a setting may change.
pub const FIXTURE: &str = r#"
    CREATE SCHEMA app; CREATE TYPE app.mood AS ENUM ('ok', 'so so');
    CREATE FUNCTION app.current_setting(text) RETURNS text LANGUAGE sql AS 'SELECT ''15''::text';
    CREATE FUNCTION app.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS 'SELECT ''nothing''::text';
    CREATE TABLE kinds (id int PRIMARY KEY, m money, f float8, r real, ts timestamptz, d date, i interval, b bytea,
        x xml, words text[], t text DEFAULT E'a\\b', n int, mood app.mood,
        twice money GENERATED ALWAYS AS (m * 2) STORED, CHECK ((n = NULL) IS NOT TRUE), CHECK (t <> 'x\y'));
    INSERT INTO kinds VALUES
        (1, '$1234.56', 0.1, 1e-7, '2024-06-01 12:00:00.5+05', '2024-02-03', '-1 year 2 mons -3 days 02:03:04.5',
            '\x00ff5c27', '<a/>text', '{NULL,NULL,a}', E'back\\slash ''q''', NULL, 'so so'),
        (2, '-$0.07', 1.0/3, 16777216, '-infinity', 'infinity', '1 day', '', '<b>ä</b>', '{}', 'é', 7, 'ok');
    UPDATE kinds SET words[2] = 'NULL' WHERE id = 1;
    CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent VALUES (1);
    CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent, secret text); INSERT INTO child VALUES (1, 1, 's');
    ALTER TABLE child ENABLE ROW LEVEL SECURITY; CREATE POLICY none ON child USING (secret <> 'it''s');
    CREATE VIEW seen AS SELECT id, 'c:\d' AS path, t COLLATE "C" AS text, m FROM kinds WHERE t IS DISTINCT FROM 'select';
    CREATE MATERIALIZED VIEW kept AS SELECT id, path FROM seen;
    CREATE TABLE parts (at timestamptz) PARTITION BY RANGE (at);
    CREATE TABLE part PARTITION OF parts FOR VALUES FROM ('2024-01-01 00:00+00') TO ('2025-01-01 00:00+00');
    INSERT INTO parts VALUES ('2024-01-01 00:00+00');
    CREATE FUNCTION added(a text, out sum int) LANGUAGE plpgsql AS $$BEGIN sum := length(a || '\'); END$$;
    CREATE TABLE many AS SELECT g AS id, repeat('x', g % 50) AS t FROM generate_series(1, 500) g;
    CREATE INDEX many_t ON many (t); COMMENT ON TABLE many IS 'it''s \ here';
    SELECT lo_from_bytea(4711, '\x00ff');
"#;

/// A database with the fixture.
fn source(server: &Server) -> Database<'_> {
    let source = server.database("settings");
    source.sql(FIXTURE);
    source
}

/// What a pinned setting is tried with. Those without a value here have no other on this server.
#[rustfmt::skip]
pub(super) const OTHERS: &[(&str, &str)] = &[
    ("application_name", "x"), ("array_nulls", "off"), ("backslash_quote", "off"), ("bytea_output", "escape"),
    ("check_function_bodies", "on"), ("client_encoding", "LATIN1"), ("DateStyle", "German, DMY"),
    ("default_transaction_deferrable", "on"), ("default_transaction_isolation", "serializable"),
    ("default_transaction_read_only", "on"), ("exit_on_error", "on"), ("extra_float_digits", "-5"),
    ("gin_fuzzy_search_limit", "1"), ("idle_in_transaction_session_timeout", "1ms"), ("idle_session_timeout", "200ms"),
    ("IntervalStyle", "sql_standard"), ("lc_monetary", "es_CO.UTF-8"), ("lock_timeout", "1ms"),
    ("quote_all_identifiers", "on"), ("restrict_nonsystem_relation_kind", "view"), ("row_security", "off"),
    ("search_path", "app, pg_catalog"), ("session_replication_role", "replica"),
    ("standard_conforming_strings", "off"), ("statement_timeout", "1ms"), ("synchronize_seqscans", "on"),
    ("synchronous_commit", "off"), ("TimeZone", "Asia/Tokyo"), ("track_activities", "off"),
    ("transform_null_equals", "on"), ("xmloption", "document"),
];

/// A superuser with these settings, gone with the value.
struct Role<'s> {
    server: &'s Server,
    name: String,
}

impl<'s> Role<'s> {
    fn new(server: &'s Server, name: &str, options: &str, settings: &[(&str, &str)]) -> Self {
        let name = format!("settings_{}_{}", name.to_lowercase(), std::process::id());
        server.sql(&format!("CREATE ROLE {name} LOGIN {options} PASSWORD 'pw'"));
        for (setting, value) in settings {
            let value = if *setting == "search_path" { (*value).to_owned() } else { format!("'{value}'") };
            server.sql(&format!("ALTER ROLE {name} SET {setting} = {value}"));
        }
        Self { server, name }
    }

    fn uri(&self, database: &Database<'_>) -> String {
        self.server.uri_as(&self.name, "pw", database.name())
    }
}

impl Drop for Role<'_> {
    fn drop(&mut self) {
        let _ = std::panic::catch_unwind(|| self.server.sql(&format!("DROP ROLE IF EXISTS {}", self.name)));
    }
}

/// The SQL of a plain archive, without the key that is new each time.
pub(super) fn script(archive: &Path) -> String {
    let text = String::from_utf8(member(archive, "*/dump.sql")).expect("UTF-8");
    let key = |line: &&str| line.starts_with("\\restrict ") || line.starts_with("\\unrestrict ");
    text.lines().filter(|line| !key(line)).map(|line| format!("{line}\n")).collect()
}

fn plain_dump(uri: &str, server: &Server, folder: &TempDir, name: &str) -> PathBuf {
    let archive = folder.path().join(format!("{name}.tar.gz"));
    let dump = with_clients_of(server).args(["dump", uri, "--format", "plain", "--keep-comments", "-o"]).arg(&archive);
    dump.run().expect_code(0);
    archive
}

/// A dump, a copy, a restore that drops first, and a trial, by a role with these settings: the dump's bytes, the rows and
/// the definitions are those of a role without.
fn changes_nothing(source: &Database<'_>, wanted: &str, name: &str, settings: &[(&str, &str)]) {
    let (server, folder) = (source.server(), tempfile::tempdir().expect("a folder"));
    let target = server.database("settings_copy");
    // Made before the guard of the database, and so gone after it.
    let role = Role::new(server, name, "SUPERUSER", settings);
    let archive = plain_dump(&role.uri(source), server, &folder, "plain");
    assert_eq!(script(&archive), wanted, "the dump under {name}");
    let same = |how: &str| {
        assert_eq!(checksum(&target), checksum(source), "{how} under {name}");
        assert_eq!(schema(&target), schema(source), "{how} under {name}");
    };
    with_clients_of(server).args(["copy", &role.uri(source), &role.uri(&target)]).run().expect_code(0);
    same("a copy");
    target.sql("CREATE VIEW beside AS SELECT 1 AS n; INSERT INTO kinds (id) VALUES (3)");
    let restore = with_clients_of(server).args(["restore", "--clean", "schema", "--yes"]).arg(&archive);
    restore.arg(role.uri(&target)).run().expect_code(0);
    same("a restore");
    let verify = with_clients_of(server).arg("verify").arg(&archive).args(["--restore-into", &role.uri(&target)]);
    verify.run().expect_code(0);
    server.sql(&format!("DROP DATABASE {} WITH (FORCE)", target.name()));
}

#[test]
fn each_pinned_setting_alone_changes_nothing() {
    let server = postgres15();
    let source = source(server);
    let folder = tempfile::tempdir().expect("a folder");
    let wanted = script(&plain_dump(&source.uri(), server, &folder, "wanted"));
    let known = server.sql("SELECT name FROM pg_settings");
    let only = ["default_table_access_method", "default_tablespace"];
    for pin in PINNED.iter().filter(|pin| known.lines().any(|name| name == pin.name) && !only.contains(&pin.name)) {
        assert!(OTHERS.iter().any(|(name, _)| *name == pin.name), "{} is not tried", pin.name);
    }
    several(OTHERS, |other| changes_nothing(&source, &wanted, other.0, &[*other]));
}

/// On 18, which has all of them: alone and together.
#[test]
fn limits_of_a_millisecond_end_no_session_of_ours() {
    let server = postgres18();
    let source = source(server);
    let folder = tempfile::tempdir().expect("a folder");
    let wanted = script(&plain_dump(&source.uri(), server, &folder, "wanted"));
    let limits =
        ["idle_in_transaction_session_timeout", "idle_session_timeout", "statement_timeout", "transaction_timeout"];
    let limits = limits.map(|name| (name, "1ms"));
    for limit in &limits {
        changes_nothing(&source, &wanted, limit.0, &[*limit]);
    }
    changes_nothing(&source, &wanted, "all_limits", &limits);
}

#[test]
fn all_harmless_settings_together_change_nothing() {
    let server = postgres15();
    let source = source(server);
    let folder = tempfile::tempdir().expect("a folder");
    let wanted = script(&plain_dump(&source.uri(), server, &folder, "wanted"));
    let rows = server.sql(
        "SELECT name, CASE vartype WHEN 'bool' THEN CASE reset_val WHEN 'on' THEN 'off' ELSE 'on' END
             WHEN 'enum' THEN (SELECT v FROM unnest(enumvals) v WHERE v <> reset_val ORDER BY v DESC LIMIT 1)
             ELSE round(least(max_val::numeric, greatest(min_val::numeric, reset_val::numeric * 2 + 1)))::text END
         FROM pg_settings WHERE context IN ('user', 'superuser') AND vartype <> 'string'",
    );
    let skipped = ["client_min_messages", "log_min_messages", "log_min_error_statement", "post_auth_delay"];
    let settings: Vec<(&str, &str)> = rows
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .filter(|(name, _)| matches!(sort(name), Some(Sort::Harmless(_))))
        .filter(|(name, _)| !name.starts_with("transaction_") && !name.starts_with("debug_") && !skipped.contains(name))
        .collect();
    assert!(settings.len() > 100, "{settings:?}");
    changes_nothing(&source, &wanted, "harmless", &settings);
}

/// Case 7: 12.34 came back as 1234 where points and commas are swapped.
#[test]
fn money_is_the_same_in_a_database_of_another_locale() {
    let server = postgres15();
    let source = server.database("money");
    let (spanish, german) = ("es_CO.UTF-8", "de_DE.UTF-8");
    source.sql("CREATE TABLE m (id int PRIMARY KEY, c money); INSERT INTO m VALUES (1, '$12.34'), (2, '-$1234567.89')");
    let amounts = "SELECT string_agg(c::numeric::text, ' ' ORDER BY id) FROM m";
    let folder = tempfile::tempdir().expect("a folder");
    let target_of = |locale: &str| {
        let target = server.database("money_back");
        server.sql(&format!("ALTER DATABASE {} SET lc_monetary = '{locale}'", target.name()));
        assert_eq!(target.sql("SHOW lc_monetary"), locale, "run scripts/servers.sh");
        target
    };
    for locale in ["C", german, spanish] {
        server.sql(&format!("ALTER DATABASE {} SET lc_monetary = '{locale}'", source.name()));
        for (form, arguments) in [("custom", &[][..]), ("plain", &["--format", "plain"])] {
            let (archive, _) = dumped(&source, &folder, &[arguments, &["--name", form]].concat());
            let target = target_of(spanish);
            restored(&archive, &target, &[]);
            assert_eq!(target.sql(amounts), "12.34 -1234567.89", "{locale} {form}");
        }
        let target = target_of(spanish);
        with_clients_of(server).args(["copy", &source.uri(), &target.uri(), "--jobs", "2"]).run().expect_code(0);
        assert_eq!(target.sql(amounts), "12.34 -1234567.89", "{locale}");
    }
    // Somebody else's dump does not say how it was written: it is read as before, and that is said.
    let foreign = folder.path().join("foreign.dump");
    server.sql(&format!("ALTER DATABASE {} SET lc_monetary = '{german}'", source.name()));
    assert!(source.client("pg_dump").args(["-Fc", "-f"]).arg(&foreign).status().expect("run pg_dump").success());
    let target = target_of(german);
    let json = restored(&foreign, &target, &[]);
    assert_eq!(target.sql(amounts), "12.34 -1234567.89");
    assert!(json["warnings"].to_string().contains("lc_monetary, de_DE.UTF-8"), "{json}");
}

#[test]
fn foreign_keys_are_checked_where_a_superuser_turned_that_off_for_a_role() {
    let server = postgres15();
    let source = server.database("replica_role");
    source.sql(
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p int REFERENCES p);
                SET session_replication_role = replica; INSERT INTO c VALUES (99)",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    let target = server.database("replica_role_back");
    let role = Role::new(server, "replica", "", &[("session_replication_role", "replica")]);
    let (target_name, role_name) = (target.name(), &role.name);
    server.sql(&format!("ALTER DATABASE {target_name} OWNER TO {role_name}"));
    target.sql(&format!(
        "SET ROLE {role_name}; CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (p int REFERENCES p)"
    ));
    let restore = || {
        let restore = with_clients_of(server).arg("restore").arg(&archive).arg(role.uri(&target));
        restore.args(["--data-only", "--into-non-empty"]).run()
    };
    let line = format!("ALTER ROLE {role_name} IN DATABASE {target_name} SET session_replication_role = 'origin'");
    let line = line.replace(role_name, &format!("\"{role_name}\"")).replace(target_name, &format!("\"{target_name}\""));
    restore().refused(10, &["session_replication_role is replica", &line]);
    server.sql(&line);
    restore().refused(7, &["(99) is not present"]);
    assert_eq!(target.sql("SELECT count(*) FROM c"), "0");
    drop(target);
}

#[test]
fn a_table_without_a_schema_is_looked_for_where_the_user_looks() {
    let server = postgres15();
    let source = server.database("looked_for");
    source.sql("CREATE SCHEMA app; CREATE TABLE app.wanted AS SELECT 1 AS n; CREATE TABLE other AS SELECT 2 AS n");
    server.sql(&format!("ALTER DATABASE {} SET search_path = app", source.name()));
    let folder = tempfile::tempdir().expect("a folder");
    for jobs in ["1", "2"] {
        let (_, json) = dumped(&source, &folder, &["--table", "wanted", "--jobs", jobs]);
        assert_eq!((&json["tables"], &json["rows"]), (&1.into(), &1.into()), "{jobs}");
    }
}
