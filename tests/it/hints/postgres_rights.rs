//! Hints on what a user may not do, PostgreSQL.

use std::path::Path;

use super::{User, by, dump, dump_of, restore};
use crate::roundtrip::with_clients_of;
use crate::support::postgres15;

/// A restore by that user.
fn by_user(user: &User<'_>, archive: &Path, more: &[&str]) -> crate::support::Output {
    user.run(&[&["restore", archive.to_str().expect("UTF-8"), &user.uri][..], more].concat())
}

#[test]
fn a_schema_of_others_is_opened_by_the_hints_grant() {
    let source = postgres15().database("schema");
    source.sql("CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY)");
    let (_folder, archive) = dump_of(&source);
    let target = postgres15().database("schema_target");
    target.sql("CREATE SCHEMA s");
    let user = User::of(&target);
    let only = ["--table", "s.t", "--into-non-empty"];
    by_user(&user, &archive, &only).refused(7, &["schema s"]).follows("grant-usage-and-create");
    target.sql(&format!("GRANT USAGE, CREATE ON SCHEMA s TO {}", user.name));
    by_user(&user, &archive, &only).expect_code(0);
    target.sql(&format!("DROP OWNED BY {}", user.name));
}

#[test]
fn a_wrapper_of_others_is_opened_by_the_hints_grant() {
    let source = postgres15().database("wrapper");
    source.sql("CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw");
    let (_folder, archive) = dump_of(&source);
    let target = postgres15().database("wrapper_target");
    target.sql("CREATE EXTENSION postgres_fdw");
    let user = User::owner_of(&target);
    by_user(&user, &archive, &[]).refused(7, &["postgres_fdw"]).follows("grant-usage-on-wrapper");
    target.sql(&format!("GRANT USAGE ON FOREIGN DATA WRAPPER postgres_fdw TO {}", user.name));
    by_user(&user, &archive, &[]).expect_code(0);
    user.gives_back(&target);
}

#[test]
fn an_event_trigger_of_a_plain_dump_is_made_by_a_superuser_or_left_out() {
    let source = postgres15().database("event");
    source.sql(
        "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
         CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let plain = folder.path().join("plain.tar.gz");
    let made = with_clients_of(postgres15()).args(["dump", &source.uri(), "--format", "plain", "-o"]).arg(&plain).run();
    made.expect_code(0);
    let target = postgres15().database("event_target");
    let user = User::owner_of(&target);
    by_user(&user, &plain, &[]).refused(7, &[]).follows("superuser-or-custom-format");
    by_user(&user, &dump(&source, &folder, "custom.tar.gz"), &[]).expect_code(0);
    target.sql("DROP FUNCTION f CASCADE");
    restore(&plain, &target, &[]).expect_code(0);
    user.gives_back(&target);
}

#[test]
fn publications_and_subscriptions_come_by_a_superuser_or_stay_behind() {
    for (make, drop_it, hint, without) in [
        ("CREATE PUBLICATION pub FOR ALL TABLES", "DROP PUBLICATION pub", "no-publications", "--no-publications"),
        (
            "CREATE SUBSCRIPTION hinted CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE)",
            "DROP SUBSCRIPTION hinted",
            "no-subscriptions",
            "--no-subscriptions",
        ),
    ] {
        let source = postgres15().database("publishes");
        source.sql("CREATE TABLE t (id int PRIMARY KEY)");
        source.sql(make);
        let (folder, archive) = dump_of(&source);
        let target = postgres15().database("publishes_target");
        let user = User::owner_of(&target);
        by_user(&user, &archive, &[]).refused(7, &[]).follows(hint);
        let left_out = folder.path().join("without.tar.gz");
        let again = with_clients_of(postgres15()).args(["dump", &source.uri(), "-o"]).arg(&left_out);
        again.args(["--", without]).run().expect_code(0);
        by_user(&user, &left_out, &[]).expect_code(0);
        target.sql("DROP TABLE t");
        restore(&archive, &target, &[]).expect_code(0);
        for database in [&source, &target] {
            let _ = database.try_sql("ALTER SUBSCRIPTION hinted SET (slot_name = NONE)");
            database.sql(drop_it);
        }
        user.gives_back(&target);
    }
}

#[test]
fn a_language_of_superusers_is_theirs_to_restore() {
    let source = postgres15().database("internal");
    source.sql("CREATE FUNCTION plus(int, int) RETURNS int LANGUAGE internal IMMUTABLE AS 'int4pl'");
    let (_folder, archive) = dump_of(&source);
    let target = postgres15().database("internal_target");
    let user = User::owner_of(&target);
    by_user(&user, &archive, &[]).refused(7, &["language"]).follows("databases-owner-or-superuser");
    restore(&archive, &target, &[]).expect_code(0);
    user.gives_back(&target);
}

#[test]
fn a_setting_that_only_a_superuser_may_set_is_set_by_one() {
    let source = postgres15().database("damage");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let user = User::of(&source);
    postgres15().sql(&format!("ALTER ROLE {0} SUPERUSER; ALTER ROLE {0} SET zero_damaged_pages = on", user.name));
    let told = user.run(&["doctor", &user.uri]).expect_code(0);
    postgres15().sql(&told.follows("damage-setting-off"));
    let told = user.run(&["doctor", &user.uri]).expect_code(0);
    assert!(!told.stderr.contains("zero_damaged_pages"), "{}", told.stderr);
    by(postgres15(), &user.uri, &[]).run().expect_code(0);
}

#[test]
fn triggers_of_others_tables_are_switched_off_by_a_superuser_or_run() {
    let source = postgres15().database("fires");
    source.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let (_folder, archive) = dump_of(&source);
    let target = postgres15().database("fires_target");
    target.sql(
        "CREATE TABLE t (id int PRIMARY KEY); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
    );
    let user = User::of(&target);
    target.sql(&format!("GRANT ALL ON t TO {}", user.name));
    let rows = ["--data-only", "--into-non-empty"];
    by_user(&user, &archive, &rows).refused(10, &[]).follows("owner-of-tables-or-superuser");
    restore(&archive, &target, &rows).expect_code(0);
    target.sql(&format!("DELETE FROM t; ALTER TABLE t OWNER TO {}", user.name));
    by_user(&user, &archive, &rows).expect_code(0);
    target.sql(&format!("DROP OWNED BY {} CASCADE", user.name));
}

#[test]
fn a_role_of_sessions_that_fires_nothing_is_set_by_a_superuser() {
    let source = postgres15().database("replica");
    source.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let (_folder, archive) = dump_of(&source);
    let target = postgres15().database("replica_target");
    target.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let user = User::of(&target);
    target
        .sql(&format!("ALTER TABLE t OWNER TO {0}; ALTER ROLE {0} SET session_replication_role = replica", user.name));
    let rows = ["--data-only", "--into-non-empty"];
    let hint = by_user(&user, &archive, &rows).refused(10, &[]).follows("superuser-sets-it");
    postgres15().sql(hint.trim_start_matches("a superuser sets it: "));
    by_user(&user, &archive, &rows).expect_code(0);
    target.sql(&format!("DROP OWNED BY {} CASCADE", user.name));
}

#[test]
fn tables_that_may_not_be_read_are_granted_or_left_out_with_what_needs_them() {
    let source = postgres15().database("secret");
    source.sql("CREATE TABLE secret (id int PRIMARY KEY); CREATE TABLE refers (id int REFERENCES secret)");
    let user = User::of(&source);
    source.sql(&format!("GRANT SELECT ON refers TO {}", user.name));
    let dump = |more: &[&str]| by(postgres15(), &user.uri, &[&["--allow-incomplete"], more].concat()).run();
    dump(&[]).refused(10, &["refers_id_fkey"]).follows("grant-select-or-drop-dependents");
    dump(&["--exclude-table", "refers"]).expect_code(0);
    let told = user.run(&["doctor", &user.uri]);
    assert!(told.stderr.contains("table public.secret"), "{}", told.stderr);
    source.sql("ALTER TABLE refers DROP CONSTRAINT refers_id_fkey");
    dump(&[]).expect_code(0);
    source.sql(&format!(
        "ALTER TABLE refers ADD FOREIGN KEY (id) REFERENCES secret; GRANT SELECT ON secret TO {}",
        user.name
    ));
    dump(&[]).expect_code(0);
    source.sql(&format!("DROP OWNED BY {}", user.name));
}

#[test]
fn what_only_an_owner_reads_is_dumped_by_one_or_granted() {
    let source = postgres15().database("owned");
    let (user, other) = (User::of(&source), postgres15().database("owned_other"));
    source.sql(&format!(
        "CREATE EXTENSION postgres_fdw; CREATE EXTENSION hstore;
         CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '{}', dbname '{}');
         CREATE USER MAPPING FOR {2} SERVER far OPTIONS (user '{2}', password '{3}');
         CREATE FOREIGN TABLE far_t (id int) SERVER far OPTIONS (table_name 't');
         CREATE TABLE settings (id int); ALTER EXTENSION hstore ADD TABLE settings;
         UPDATE pg_extension SET extconfig = ARRAY['settings'::regclass], extcondition = '{{\"\"}}' WHERE extname = 'hstore';
         GRANT SELECT ON far_t TO {4}",
        postgres15().port(),
        other.name(),
        postgres15().user(),
        postgres15().password(),
        user.name
    ));
    other.sql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)");
    let by_user = || by(postgres15(), &user.uri, &[]).run();
    by_user().refused(10, &["settings"]).follows("extensions-owner-grants");
    by(postgres15(), &user.uri, &["--exclude-table-data", "settings", "--exclude-table", "far_t"])
        .run()
        .expect_code(10);
    source.sql(&format!("GRANT SELECT ON settings TO {}", user.name));
    by_user().refused(10, &["user mapping"]).follows("owner-of-server-or-superuser");
    let superusers = |more: &[&str]| by(postgres15(), &source.uri(), more).run();
    superusers(&[]).expect_code(0);
    let told = with_clients_of(postgres15()).args(["doctor", &source.uri()]).run().expect_code(0);
    let hint = told.follows("include-foreign-data");
    assert!(hint.contains("--include-foreign-data=SERVER after --"), "{hint}");
    superusers(&["--", "--include-foreign-data=far"]).expect_code(0);
    source.sql(&format!("DROP OWNED BY {}", user.name));
}
