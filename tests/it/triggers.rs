//! A restore runs nobody's code by accident: triggers of tables that are there when rows come.

use std::path::Path;

use crate::{
    roundtrip::{assert_same, dumped, restored, with_clients_of},
    support::{Database, Output, Server, checksum, postgres15, postgres18, schema},
};

/// Rows with triggers of every kind and state. A trigger that runs adds to `audit`, drops the row, or fails.
const SOURCE: &str = r#"
    CREATE TABLE audit (what text);
    CREATE TABLE "Te""st" (id int PRIMARY KEY, v text);
    CREATE TABLE parent (id int PRIMARY KEY);
    CREATE TABLE child (id int, p int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
    CREATE TABLE part (id int, k int) PARTITION BY LIST (k);
    CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
    CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2);
    CREATE TABLE nothing (id int);
    INSERT INTO "Te""st" SELECT n, 'x' FROM generate_series(1, 3) n;
    INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1, 1); INSERT INTO part VALUES (1, 1), (2, 2);
    INSERT INTO audit VALUES ('as it was');
    -- Its table is found by the search_path that a restore empties.
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO audit VALUES (TG_NAME); RETURN NEW; END$$;
    CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
    CREATE TRIGGER "on" AFTER INSERT ON "Te""st" FOR EACH ROW EXECUTE FUNCTION note();
    CREATE TRIGGER before BEFORE INSERT ON "Te""st" FOR EACH ROW EXECUTE FUNCTION swallow();
    CREATE TRIGGER always AFTER INSERT ON "Te""st" FOR EACH ROW EXECUTE FUNCTION note();
    CREATE TRIGGER replica AFTER INSERT ON "Te""st" FOR EACH ROW EXECUTE FUNCTION note();
    CREATE TRIGGER off AFTER INSERT ON "Te""st" FOR EACH ROW EXECUTE FUNCTION note();
    CREATE CONSTRAINT TRIGGER later AFTER INSERT ON child DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note();
    CREATE TRIGGER whole AFTER INSERT ON nothing FOR EACH STATEMENT EXECUTE FUNCTION note();
    CREATE TRIGGER copied AFTER INSERT ON part FOR EACH ROW EXECUTE FUNCTION note();
    CREATE TRIGGER own AFTER INSERT ON part_1 FOR EACH ROW EXECUTE FUNCTION note();
    ALTER TABLE "Te""st" ENABLE ALWAYS TRIGGER always, ENABLE REPLICA TRIGGER replica, DISABLE TRIGGER off;
    ALTER TABLE part_1 ENABLE ALWAYS TRIGGER copied; ALTER TABLE part_2 DISABLE TRIGGER copied;
"#;

/// Records DDL; a restore of rows is none.
const EVENT_TRIGGER: &str = "
    CREATE FUNCTION ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.audit VALUES (TG_TAG); END$$;
    CREATE EVENT TRIGGER ddl ON ddl_command_end EXECUTE FUNCTION ddl(); ALTER EVENT TRIGGER ddl ENABLE ALWAYS;
";

fn restore(archive: &Path, uri: &str, server: &Server, args: &[&str]) -> Output {
    with_clients_of(server).arg("restore").arg(archive).arg(uri).args(args).run()
}

/// A database with the definitions of another, and no rows.
fn definitions_of<'s>(source: &Database<'s>) -> Database<'s> {
    let target = source.server().database("filled");
    target.sql(&schema(source));
    // What the event trigger has seen of that.
    target.sql("DELETE FROM public.audit");
    target
}

#[test]
fn triggers_are_off_while_rows_come_and_then_what_they_were() {
    for server in [postgres15(), postgres18()] {
        let source = server.database("triggers");
        source.sql(SOURCE);
        source.sql(EVENT_TRIGGER);
        let folder = tempfile::tempdir().expect("a folder");
        let (whole, _) = dumped(&source, &folder, &[]);
        let (rows, _) = dumped(&source, &folder, &["--data-only", "--name", "rows"]);
        let (plain, _) = dumped(&source, &folder, &["--data-only", "--format", "plain", "--name", "plain"]);
        let directory = folder.path().join("directory");
        let made = source.client("pg_dump").args(["-Fd", "-f"]).arg(&directory).status().expect("run pg_dump");
        assert!(made.success());
        // Of an archive of rows, a restore is one of rows alone.
        for (archive, args) in
            [(&whole, &["--data-only"][..]), (&rows, &[]), (&plain, &[]), (&directory, &["--data-only"])]
        {
            let target = definitions_of(&source);
            let result = restored(archive, &target, &[args, &["--into-non-empty"]].concat());
            assert!(result["notes"].to_string().contains("triggers off while rows come"), "{result}");
            assert!(result["notes"].to_string().contains("always on public.Te\\\"st"), "{result}");
            assert_same(&source, &target);
        }
        let target = definitions_of(&source);
        let copy = with_clients_of(server).args(["copy", "--data-only", "--into-non-empty", "--jobs", "2"]);
        copy.arg(source.uri()).arg(target.uri()).run().expect_code(0);
        assert_same(&source, &target);
        // Its rows are in no other table: the others' triggers are not touched.
        let target = definitions_of(&source);
        let result = restored(&whole, &target, &["--data-only", "--into-non-empty", "--table", "parent"]);
        assert!(!result["notes"].to_string().contains("triggers"), "{result}");
        // Who means it says so.
        target.sql("CREATE OR REPLACE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.audit VALUES (TG_NAME); RETURN NEW; END$$");
        restored(&whole, &target, &["--data-only", "--into-non-empty", "--table", "part_1", "--triggers", "on"]);
        assert_eq!(
            target.sql("SELECT string_agg(what, ' ' ORDER BY what) FROM audit WHERE what <> 'CREATE FUNCTION'"),
            "copied own"
        );
    }
}

#[test]
fn what_can_not_keep_triggers_off_is_refused_before_anything_is_changed() {
    let server = postgres15();
    let source = server.database("triggers");
    source.sql(SOURCE);
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    let target = definitions_of(&source);
    let before = (checksum(&target), schema(&target));
    let rows = ["--data-only", "--into-non-empty"];
    let jobs = restore(&archive, &target.uri(), server, &[&rows[..], &["--jobs", "2"]].concat()).expect_code(10);
    for words in ["on on public.Te\"st", "--jobs 1", "--triggers on", "nothing was changed"] {
        assert!(jobs.stderr.contains(words), "{}", jobs.stderr);
    }
    // An owner may, another user may not.
    let [owner, writer] = ["owner", "writer"].map(|who| format!("dbhaul_it_triggers_{who}"));
    for role in [&owner, &writer] {
        server.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD '{}'", server.password()));
    }
    target.sql(&format!(
        r"GRANT ALL ON ALL TABLES IN SCHEMA public TO {writer};
          SELECT format('ALTER TABLE %s OWNER TO {owner}', oid::regclass) FROM pg_class
          WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') \gexec"
    ));
    let uri = |who: &str| server.uri_as(who, server.password(), target.name());
    let refused = restore(&archive, &uri(&writer), server, &rows).expect_code(10);
    for words in ["always on public.Te\"st", "whole on public.nothing", "--triggers on", "nothing was changed"] {
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
    }
    assert!(!refused.stderr.contains("off on public"), "{}", refused.stderr);
    assert_eq!((checksum(&target), schema(&target)), before);
    restore(&archive, &uri(&writer), server, &[&rows[..], &["--table", "parent"]].concat()).expect_code(0);
    target.sql("DELETE FROM parent");
    // A foreign key is checked, and a failure leaves all as it was.
    target.sql("DELETE FROM audit; ALTER TABLE child ADD CHECK (id > 1)");
    let failed = restore(&archive, &uri(&owner), server, &rows).expect_code(7);
    assert!(failed.stderr.contains("child_id_check") && failed.stderr.contains("rolled back"), "{}", failed.stderr);
    target.sql("ALTER TABLE child DROP CONSTRAINT child_id_check");
    let failed = restore(&archive, &uri(&owner), server, &[&rows[..], &["--table", "child"]].concat()).expect_code(7);
    assert!(failed.stderr.contains("child_p_fkey") && failed.stderr.contains("rolled back"), "{}", failed.stderr);
    assert_eq!((checksum(&target), schema(&target)), before);
    restore(&archive, &uri(&owner), server, &rows).expect_code(0);
    assert_same(&source, &target);
}
