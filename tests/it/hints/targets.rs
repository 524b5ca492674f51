//! Hints on what a target holds, and on what its user may do.

use super::{User, dump_of, restore};
use crate::roundtrip::with_clients_of;
use crate::support::{Family, mariadb, mysql, postgres15};

#[test]
fn a_target_that_is_not_empty_is_emptied_or_restored_beside() {
    for (server, hint) in [
        (postgres15(), "clean-schema-or-beside"),
        (mysql(), "clean-schema-beside-or-resume"),
        (mariadb(), "clean-schema-beside-or-resume"),
    ] {
        let source = server.database("full");
        source.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
        let (_folder, archive) = dump_of(&source);
        let target = server.database("full_target");
        target.sql("CREATE TABLE kept (id int PRIMARY KEY)");
        restore(&archive, &target, &[]).refused(10, &[]).follows(hint);
        restore(&archive, &target, &["--into-non-empty"]).expect_code(0);
        target.sql("SELECT * FROM kept");
        if server.flavour().family() != Family::Postgres {
            let beside = restore(&archive, &target, &["--resume"]).refused(10, &[]);
            beside.follows("resume-beside-or-clean-schema");
            restore(&archive, &target, &["--resume", "--into-non-empty"]).expect_code(0);
        }
        restore(&archive, &target, &["--clean", "schema", "--yes"]).expect_code(0);
        assert!(target.try_sql("SELECT * FROM kept").is_err());
        target.sql("DROP TABLE t; CREATE TABLE u (id int PRIMARY KEY)");
        restore(&archive, &target, &["--clean", "database", "--yes"]).expect_code(0);
    }
}

#[test]
fn rights_that_a_restore_lacks_are_granted_as_the_hint_says_it() {
    for server in [mysql(), mariadb()] {
        let source = server.database("rights");
        source.sql("CREATE TABLE t (id int PRIMARY KEY); CREATE VIEW v AS SELECT id FROM t");
        let (_folder, archive) = dump_of(&source);
        let archive = archive.to_str().expect("UTF-8");
        let (target, other) = (server.database("rights_target"), server.database("rights_other"));
        let user = User::of(&target);
        server.sql(&format!("GRANT SELECT ON `{}`.* TO {}@'%'", target.name(), user.name));
        let hint = user.run(&["restore", archive, &user.uri]).refused(10, &[]).follows("grant-all");
        user.grant(&hint);
        user.run(&["restore", archive, &user.uri]).expect_code(0);

        let needed = "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, LOCK TABLES, REFERENCES";
        server.sql(&format!("GRANT {needed} ON `{}`.* TO {}@'%'", other.name(), user.name));
        let uri = server.uri_as(&user.name, "secret-9fX", other.name());
        let hint = user.run(&["restore", archive, &uri]).refused(10, &[]).follows("grant-all-or-some-tables");
        user.run(&["restore", archive, &uri, "--table", "t"]).expect_code(0);
        other.sql("DROP TABLE t");
        user.grant(&hint);
        user.run(&["restore", archive, &uri]).expect_code(0);
    }
}

#[test]
fn rights_in_postgresql_are_granted_by_the_owner_as_the_hint_says_it() {
    let source = postgres15().database("rights");
    source.sql("CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY); CREATE TABLE u (id int)");
    let (_folder, archive) = dump_of(&source);
    let archive = archive.to_str().expect("UTF-8");
    let target = postgres15().database("rights_target");
    let user = User::of(&target);
    for _ in 0..2 {
        let hint = user.run(&["restore", archive, &user.uri]).refused(10, &[]).follows("have-owner-grant");
        target.sql(hint.trim_start_matches("have the owner say: "));
    }
    user.run(&["restore", archive, &user.uri]).expect_code(0);
    let missing = format!("{}_made", target.name());
    let uri = postgres15().uri_as(&user.name, "secret-9fX", &missing);
    let hint = user.run(&["restore", archive, &uri, "--create"]).refused(10, &[]).follows("have-database-created");
    postgres15().sql(hint.trim_start_matches("have it created: "));
    user.run(&["restore", archive, &uri]).expect_code(0);
    postgres15().sql(&format!("DROP DATABASE \"{missing}\""));
    target.sql(&format!("DROP OWNED BY {}", user.name));
}

#[test]
fn rights_that_a_dump_lacks_are_granted_as_the_hints_say_it() {
    for server in [mysql(), mariadb()] {
        let source = server.database("poor");
        source.sql(
            "CREATE TABLE t (id int PRIMARY KEY); CREATE VIEW v AS SELECT id FROM t;
             CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @a = 1;
             CREATE FUNCTION f() RETURNS int DETERMINISTIC RETURN 1",
        );
        let user = User::of(&source);
        server.sql(&format!("GRANT INSERT ON `{}`.* TO {}@'%'", source.name(), user.name));
        let dump = |more: &[&str]| user.run(&[&["dump", &user.uri, "--output", "-"][..], more].concat());
        let all = dump(&[]).refused(10, &[]);
        let routines = if server.flavour() == mysql().flavour() { "grant-show-routine" } else { "grant-mysql-proc" };
        for name in ["grant-select", "grant-trigger", "grant-event", routines] {
            user.grant(&all.follows(name));
        }
        let views = dump(&[]).refused(10, &[]);
        user.grant(&views.follows("grant-select-and-show-view"));
        dump(&[]).expect_code(0);
        server.sql(&format!("REVOKE TRIGGER, EVENT ON `{}`.* FROM {}@'%'", source.name(), user.name));
        let without = dump(&[]).refused(10, &[]);
        without.follows("grant-trigger");
        without.follows("grant-event");
        without.follows("allow-incomplete");
        dump(&["--", "--skip-triggers", "--skip-events"]).expect_code(0);
        dump(&["--allow-incomplete"]).expect_code(0);
    }
}

#[test]
fn views_that_are_broken_are_repaired_or_left_out() {
    for server in [mysql(), mariadb()] {
        let source = server.database("broken");
        source.sql("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int); CREATE VIEW v AS SELECT id FROM t; DROP TABLE t");
        let dump =
            |more: &[&str]| with_clients_of(server).args(["dump", &source.uri(), "--output", "-"]).args(more).run();
        dump(&[]).refused(10, &[]).follows("repair-or-exclude");
        dump(&["--exclude-table", "v"]).expect_code(0);
        source.sql("CREATE OR REPLACE VIEW v AS SELECT id FROM u");
        dump(&[]).expect_code(0);
    }
}

#[test]
fn rights_of_a_dump_in_postgresql_are_granted_or_done_without() {
    let source = postgres15().database("poor");
    let user = User::of(&source);
    source.sql(
        "CREATE SCHEMA s; CREATE TABLE s.t (id int); CREATE SEQUENCE s.q; CREATE TABLE s.hidden (id int);
         ALTER TABLE s.hidden ENABLE ROW LEVEL SECURITY",
    );
    let dump = |more: &[&str]| user.run(&[&["dump", &user.uri, "--output", "-"][..], more].concat());
    let all = dump(&[]).refused(10, &[]);
    all.follows("grant-select-and-usage");
    all.follows("grant-select-on-sequences");
    dump(&["--exclude-table", "s.t", "--exclude-table", "s.hidden", "--exclude-table", "s.q"]).expect_code(0);
    source.sql(&format!(
        "GRANT USAGE ON SCHEMA s TO {0}; GRANT SELECT ON ALL TABLES IN SCHEMA s TO {0}; GRANT SELECT ON SEQUENCE s.q TO {0}",
        user.name
    ));
    dump(&[]).refused(10, &[]).follows("owner-or-bypassrls");
    postgres15().sql(&format!("ALTER ROLE {} BYPASSRLS", user.name));
    dump(&[]).expect_code(0);
    source.sql(&format!("DROP OWNED BY {}", user.name));
    postgres15().sql(&format!("GRANT pg_read_all_data TO {}", user.name));
    dump(&[]).expect_code(0);
    source.sql("SELECT lo_create(4711)");
    dump(&[]).refused(10, &[]).follows("owner-of-large-objects-or-superuser");
    with_clients_of(postgres15()).args(["dump", &source.uri(), "--output", "-"]).run().expect_code(0);
    source.sql(&format!("ALTER LARGE OBJECT 4711 OWNER TO {}", user.name));
    dump(&[]).expect_code(0);
    let name = format!("sub_{}", source.name());
    source.sql(&format!("CREATE SUBSCRIPTION {name} CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false)"));
    dump(&[]).refused(10, &[]).follows("dump-as-superuser");
    with_clients_of(postgres15()).args(["dump", &source.uri(), "--output", "-"]).run().expect_code(0);
    source.sql(&format!("ALTER SUBSCRIPTION {name} SET (slot_name = NONE)"));
    source.sql(&format!("DROP SUBSCRIPTION {name}"));
    source.sql(&format!(
        "ALTER LARGE OBJECT 4711 OWNER TO {}; REVOKE pg_read_all_data FROM {}",
        postgres15().user(),
        user.name
    ));
}

#[test]
fn triggers_of_the_target_are_kept_off_or_run() {
    for server in [mysql(), mariadb()] {
        let source = server.database("fires");
        source.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
        let (_folder, archive) = dump_of(&source);
        let target = server.database("fires_target");
        target.sql("CREATE TABLE t (id int PRIMARY KEY); CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @a = 1");
        let rows = ["--data-only", "--into-non-empty"];
        let refused = restore(&archive, &target, &rows).refused(10, &[]);
        for name in ["triggers-behind-the-rows", "drop-triggers-meanwhile", "triggers-on"] {
            refused.follows(name);
        }
        restore(&archive, &target, &[&rows[..], &["--triggers", "on"]].concat()).expect_code(0);
        target.sql("DELETE FROM t; DROP TRIGGER g");
        restore(&archive, &target, &rows).expect_code(0);
        target.sql("CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @a = 1");
        restore(&archive, &target, &["--clean", "schema", "--yes"]).expect_code(0);
    }
    let source = postgres15().database("fires");
    source.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let (_folder, archive) = dump_of(&source);
    let target = postgres15().database("fires_target");
    target.sql(
        "CREATE TABLE t (id int PRIMARY KEY); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
    );
    let rows = ["--data-only", "--into-non-empty", "--jobs", "2"];
    let refused = restore(&archive, &target, &rows).refused(10, &[]);
    refused.follows("one-job-switches-off");
    refused.follows("triggers-on");
    restore(&archive, &target, &["--data-only", "--into-non-empty", "--jobs", "1"]).expect_code(0);
    target.sql("DELETE FROM t");
    restore(&archive, &target, &[&rows[..], &["--triggers", "on"]].concat()).expect_code(0);
}

#[test]
fn jobs_are_as_many_as_the_server_has_room_for() {
    let source = postgres15().database("jobs");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let (_folder, archive) = dump_of(&source);
    let target = postgres15().database("jobs_target");
    let user = User::owner_of(&target);
    postgres15().sql(&format!("ALTER ROLE {} CONNECTION LIMIT 4", user.name));
    let run = |jobs: &str| user.run(&["restore", archive.to_str().expect("UTF-8"), &user.uri, "--jobs", jobs]);
    let hint = run("6").refused(10, &[]).follows("fewer-jobs");
    run(hint.split(' ').nth(1).expect("a number")).expect_code(0);
    let dump = |jobs: &str| user.run(&["dump", &user.uri, "--output", "-", "--jobs", jobs]);
    dump("8").refused(10, &[]).follows("fewer-sessions");
    dump("1").expect_code(0);
    user.gives_back(&target);
}

#[test]
fn a_part_is_restored_with_what_it_needs() {
    for server in [postgres15(), mysql()] {
        let source = server.database("needs");
        source.sql("CREATE TABLE t (id int PRIMARY KEY); CREATE VIEW v AS SELECT id FROM t");
        let (_folder, archive) = dump_of(&source);
        let target = server.database("needs_target");
        restore(&archive, &target, &["--table", "v"]).refused(10, &[]).follows("with-dependencies");
        restore(&archive, &target, &["--table", "v", "--with-dependencies"]).expect_code(0);
        target.sql("SELECT id FROM v");
    }
}

#[test]
fn a_database_that_can_not_be_dropped_is_freed_or_emptied_instead() {
    let source = postgres15().database("held");
    source.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let (_folder, archive) = dump_of(&source);
    let target = postgres15().database("held_target");
    let clean = |kind: &str| restore(&archive, &target, &["--clean", kind, "--yes"]);
    postgres15().sql(&format!("ALTER DATABASE {} IS_TEMPLATE true", target.name()));
    let refused = clean("database").refused(10, &[]);
    refused.follows("clean-schema-keeps-database");
    clean("schema").expect_code(0);
    let free = format!("ALTER DATABASE {} IS_TEMPLATE false", target.name());
    assert_eq!(refused.follows("no-template"), free);
    postgres15().sql(&free);
    clean("database").expect_code(0);

    let subscribe = "CREATE SUBSCRIPTION hint_sub CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false)";
    target.sql(subscribe);
    let hint = clean("schema").refused(10, &[]).follows("end-subscription");
    let (first, rest) = hint.trim_start_matches("end it first: ").split_once("; DROP").expect("two statements");
    target.sql(first);
    let (_, detach) = rest.split_once("can't be reached, ").expect("what detaches it");
    target.sql(detach.trim_end_matches(" before the DROP"));
    target.sql("DROP SUBSCRIPTION hint_sub");
    clean("schema").expect_code(0);
    target.sql(subscribe);
    let refused = clean("database").refused(10, &[]);
    let way = refused.follows("drop-subscription");
    assert!(way.starts_with("ALTER SUBSCRIPTION"), "{way}");
    target.sql(&way.replace("; ", ";\n"));
    clean("database").expect_code(0);
}

#[test]
fn what_others_own_in_a_target_is_dropped_by_them() {
    let source = postgres15().database("others");
    source.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let (_folder, archive) = dump_of(&source);
    let archive_path = archive.to_str().expect("UTF-8");
    let target = postgres15().database("others_target");
    let user = User::of(&target);
    let owner = format!("o_{}", target.name());
    target.sql(&format!(
        "ALTER DATABASE {} OWNER TO {}; CREATE ROLE {owner}; CREATE SCHEMA shut; CREATE TABLE shut.t (i int);
         ALTER SCHEMA shut OWNER TO {owner}; ALTER TABLE shut.t OWNER TO {owner}",
        target.name(),
        user.name
    ));
    let clean = |kind: &str| user.run(&["restore", archive_path, &user.uri, "--clean", kind, "--yes"]);
    clean("database").refused(10, &[]).follows("clean-schema-instead");
    clean("schema").refused(10, &[]).follows("superuser-or-owners-member");
    target.sql(&format!("GRANT {owner} TO {}", user.name));
    clean("schema").expect_code(0);
    target.sql(&format!(
        "CREATE SCHEMA shut; CREATE TABLE shut.t (i int); ALTER SCHEMA shut OWNER TO {owner}; REVOKE {owner} FROM {}",
        user.name
    ));
    clean("schema").refused(10, &[]).follows("superuser-or-owners-member");
    restore(&archive, &target, &["--clean", "schema", "--yes"]).expect_code(0);
    postgres15().sql(&format!("ALTER DATABASE {} OWNER TO {}", target.name(), postgres15().user()));
    target.sql(&format!("DROP OWNED BY {owner}, {} CASCADE; DROP ROLE {owner}", user.name));
}

#[test]
fn extensions_that_only_a_superuser_makes_are_made_or_left_out() {
    let source = postgres15().database("extension");
    source.sql("CREATE EXTENSION pageinspect; CREATE TABLE t (id int PRIMARY KEY)");
    let (_folder, archive) = dump_of(&source);
    let archive = archive.to_str().expect("UTF-8");
    let target = postgres15().database("extension_target");
    let user = User::owner_of(&target);
    postgres15().sql(&format!("ALTER ROLE {} CREATEDB", user.name));
    let run = |more: &[&str]| user.run(&[&["restore", archive, &user.uri][..], more].concat());
    let refused = run(&[]).refused(10, &[]);
    let without = refused.follows("or-exclude-extension");
    let create = refused.follows("superuser-creates-extension");
    let name = without.split("--exclude-extension ").nth(1).expect("a name").to_owned();
    run(&["--exclude-extension", &name]).expect_code(0);
    target.sql("DROP TABLE t");
    target.sql(create.trim_start_matches("have one say, in that database: "));
    run(&[]).expect_code(0);
    run(&["--clean", "database", "--yes"]).refused(10, &[]).follows("clean-schema-keeps-extensions");
    run(&["--clean", "schema", "--yes"]).expect_code(0);
    user.gives_back(&target);
}

#[test]
fn objects_of_another_shape_are_dropped_with_the_schema() {
    let source = postgres15().database("shape");
    source.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let (_folder, archive) = dump_of(&source);
    let target = postgres15().database("shape_target");
    target.sql("CREATE TABLE t (id int PRIMARY KEY); CREATE VIEW outside AS SELECT id FROM t");
    restore(&archive, &target, &["--clean", "objects", "--yes"]).refused(7, &[]).follows("others-depend");
    restore(&archive, &target, &["--clean", "schema", "--yes"]).expect_code(0);
    let empty = postgres15().database("shape_empty");
    restore(&archive, &empty, &["--data-only"]).refused(10, &[]).follows("schema-first");
    restore(&archive, &empty, &["--schema-only"]).expect_code(0);
    restore(&archive, &empty, &["--data-only", "--into-non-empty"]).expect_code(0);
}

#[test]
fn keys_of_other_databases_are_dropped_first() {
    for server in [mysql(), mariadb()] {
        let source = server.database("keys");
        source.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
        let (_folder, archive) = dump_of(&source);
        let (target, other) = (server.database("keys_target"), server.database("keys_other"));
        target.sql("CREATE TABLE p (id int PRIMARY KEY)");
        let refer = format!("CONSTRAINT to_p FOREIGN KEY (p) REFERENCES `{}`.p (id)", target.name());
        other.sql(&format!("CREATE TABLE c (id int PRIMARY KEY, p int, {refer})"));
        let clean = || restore(&archive, &target, &["--clean", "schema", "--yes"]);
        clean().refused(10, &[]).follows("drop-foreign-keys-first");
        restore(&archive, &target, &["--into-non-empty"]).expect_code(0);
        other.sql("ALTER TABLE c DROP FOREIGN KEY to_p");
        clean().expect_code(0);
    }
}

#[test]
fn generated_columns_of_mariadb_come_into_mariadb_or_without_rows() {
    let source = mariadb().database("generated");
    source.sql("CREATE TABLE t (id int PRIMARY KEY, twice int AS (id * 2) STORED); INSERT INTO t (id) VALUES (1)");
    let (_folder, archive) = dump_of(&source);
    let (other, own) = (mysql().database("generated"), mariadb().database("generated"));
    restore(&archive, &other, &[]).refused(10, &[]).follows("mariadb-or-schema-only");
    restore(&archive, &other, &["--schema-only"]).expect_code(0);
    restore(&archive, &own, &[]).expect_code(0);
}

#[test]
fn a_trial_on_a_server_of_ones_own_takes_the_rights_that_the_hint_names() {
    for server in [postgres15(), mysql(), mariadb()] {
        let source = server.database("trial");
        source.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
        let (_folder, archive) = dump_of(&source);
        let archive = archive.to_str().expect("UTF-8");
        let user = User::of(&source);
        if server.flavour().family() != Family::Postgres {
            server.sql(&format!("GRANT SELECT ON `{}`.* TO {}@'%'", source.name(), user.name));
        }
        let trial = |uri: &str| user.run(&["verify", archive, "--restore-into", uri]);
        let refused = trial(&user.uri).refused(10, &[]);
        if server.flavour().family() == Family::Postgres {
            let hint = refused.follows("createdb-or-another-user");
            server.sql(hint.split(", or ").next().expect("a statement"));
        } else {
            user.grant(&refused.follows("grant-all-on-pattern"));
        }
        trial(&user.uri).expect_code(0);
        trial(&source.uri()).expect_code(0);
    }
}

#[test]
fn an_extension_that_a_part_needs_is_made_first() {
    let source = postgres15().database("citext");
    source.sql("CREATE EXTENSION citext; CREATE TABLE t (c citext)");
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("t.tar.gz");
    let dump = with_clients_of(postgres15()).args(["dump", &source.uri(), "--table", "t", "-o"]).arg(&archive).run();
    dump.expect_code(0);
    let target = postgres15().database("citext_target");
    let hint = restore(&archive, &target, &[]).refused(10, &[]).follows("create-extension-first");
    target.sql(hint.trim_start_matches("make it in the target first: "));
    restore(&archive, &target, &[]).expect_code(0);

    let verify = |more: &[&str]| with_clients_of(postgres15()).arg("verify").arg(&archive).args(more).run();
    verify(&["--restore-into", &target.uri()]).refused(10, &[]).follows("verify-without-server");
    verify(&[]).expect_code(0);
}
