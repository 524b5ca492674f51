//! A restore runs nobody's code by accident: triggers of tables that are there when rows come, and triggers that stand before
//! rows in a script.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    roundtrip::{assert_same, dumped, restored, with_clients_of},
    support::{Database, Output, Server, checksum, mariadb, mysql, postgres15, postgres18, schema},
};

/// What a restore with `--triggers on` warns of.
const TRIGGERS_RUN: &str = "triggers run for every row, and the numbers of rows leave out what they drop or add";

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
        let on = ["--data-only", "--into-non-empty", "--table", "part_1", "--triggers", "on"];
        let told = restore(&whole, &target.uri(), server, &on).expect_code(0);
        assert!(told.stderr.contains(TRIGGERS_RUN), "{}", told.stderr);
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

const LOGGED: &str = "
    CREATE TABLE audit (id INT); CREATE TABLE t (id INT PRIMARY KEY, v TEXT); CREATE TABLE other (id INT);
    INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c'); INSERT INTO other VALUES (1); INSERT INTO audit VALUES (1), (2), (3);
    CREATE TRIGGER t_log AFTER INSERT ON t FOR EACH ROW INSERT INTO audit VALUES (NEW.id);
    CREATE TRIGGER t_gone AFTER DELETE ON t FOR EACH ROW INSERT INTO audit VALUES (OLD.id);
    SET sql_mode = 'ANSI_QUOTES';
    DELIMITER //
    CREATE TRIGGER ansi BEFORE INSERT ON t FOR EACH ROW BEGIN SET NEW.\"v\" = CONCAT(NEW.\"v\", 'x;'); SET @a = 1; END//
    DELIMITER ;
    CREATE EVENT later ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01 00:00:00' DO DELETE FROM audit;
";

#[test]
fn rows_that_would_fire_a_trigger_are_refused_where_there_is_no_switch() {
    for server in [mysql(), mariadb()] {
        let source = server.database("triggers");
        source.sql(LOGGED);
        let folder = tempfile::tempdir().expect("a folder");
        let (whole, _) = dumped(&source, &folder, &[]);
        let (rows, _) = dumped(&source, &folder, &["--data-only", "--name", "rows"]);
        let target = server.database("filled");
        restored(&whole, &target, &["--schema-only"]);
        let before = (checksum(&target), schema(&target));
        for (archive, args) in [(&whole, &["--data-only"][..]), (&whole, &["--data-only", "--jobs", "2"]), (&rows, &[])]
        {
            let refused =
                restore(archive, &target.uri(), server, &[args, &["--into-non-empty"]].concat()).expect_code(10);
            for words in ["t_log on t", "ansi on t", "--triggers on", "nothing was changed"] {
                assert!(refused.stderr.contains(words), "{}", refused.stderr);
            }
            assert!(!refused.stderr.contains("t_gone"), "{}", refused.stderr);
        }
        let copy = with_clients_of(server).args(["copy", "--data-only", "--into-non-empty"]);
        let refused = copy.arg(source.uri()).arg(target.uri()).run().expect_code(10);
        assert!(refused.stderr.contains("t_log on t"), "{}", refused.stderr);
        assert_eq!((checksum(&target), schema(&target)), before);
        // No trigger, or none that rows fire.
        restored(&whole, &target, &["--data-only", "--into-non-empty", "--table", "other"]);
        let on = ["--data-only", "--into-non-empty", "--table", "t", "--triggers", "on"];
        let told = restore(&whole, &target.uri(), server, &on).expect_code(0);
        assert!(told.stderr.contains(TRIGGERS_RUN) && told.stderr.contains("t_log on t"), "{}", told.stderr);
        assert_eq!(target.sql("SELECT COUNT(*) FROM audit"), "3");
        target.sql("DELETE FROM other; DROP TRIGGER t_log; DROP TRIGGER ansi; DELETE FROM t; DELETE FROM audit");
        restored(&rows, &target, &["--into-non-empty"]);
        assert_eq!(checksum(&target), checksum(&source));
        // Who may not see triggers is told.
        let user = format!("blind{}", target.name());
        server.sql(&format!(
            "CREATE USER {user} IDENTIFIED BY '{}'; GRANT ALL ON {1}.* TO {user}; REVOKE TRIGGER ON {1}.* FROM {user}",
            server.password(),
            target.name()
        ));
        target.sql("DELETE FROM other");
        let blind = server.uri_as(&user, server.password(), target.name());
        let told =
            restore(&whole, &blind, server, &["--data-only", "--into-non-empty", "--table", "other"]).expect_code(0);
        assert!(told.stderr.contains("privilege TRIGGER"), "{}", told.stderr);
        server.sql(&format!("DROP USER {user}"));
    }
}

/// Several runs of a dump program, one behind the other, in one file.
fn joined(source: &Database<'_>, folder: &Path, name: &str, runs: &[&[&str]]) -> PathBuf {
    let (path, family) = (folder.join(name), source.server().flavour().family());
    let run = |args: &&[&str]| {
        let mut dump = source.client(family.dump());
        dump.args(*args);
        if !source.server().flavour().is_postgres() {
            dump.arg(source.name());
        }
        let output = dump.output().expect("run the dump program");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    fs::write(&path, runs.iter().map(run).collect::<Vec<_>>().concat()).expect("written");
    path
}

#[test]
fn triggers_and_events_that_stand_before_rows_are_made_behind_them() {
    for server in [mysql(), mariadb()] {
        let source = server.database("joined");
        source.sql(LOGGED);
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name, runs: &[&[&str]]| joined(&source, folder.path(), name, runs);
        let rows = ["--no-create-info", "--skip-triggers"];
        let once = file("once.sql", &[&["--no-data", "--events"], &rows]);
        // The second part makes the triggers again.
        let twice = file("twice.sql", &[&["--no-data", "--events"], &["--no-create-info"]]);
        for (file, args) in [
            (&once, &[][..]),
            (&once, &["--jobs", "2"]),
            (&once, &["--resume"]),
            (&twice, &[]),
            (&twice, &["--jobs", "2"]),
        ] {
            let target = server.database("back");
            let result = restored(file, &target, args);
            let notes = result["notes"].to_string();
            assert!(
                notes.contains("behind the rows") && notes.contains("trigger t_log") && notes.contains("event later"),
                "{notes}"
            );
            assert_same(&source, &target);
        }
        let verify = with_clients_of(server).arg("verify").arg(&twice).args(["--restore-into", &server.uri("mysql")]);
        verify.run().expect_code(0);
        // One table of it, and the trigger that is its.
        let target = server.database("back");
        restored(&once, &target, &["--table", "t", "--table", "audit"]);
        assert_eq!(target.sql("SELECT COUNT(*) FROM audit"), "3");
        assert_eq!(
            target.sql("SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema = DATABASE()"),
            "3"
        );
        // Which of two triggers is meant nobody knows.
        let other = folder.path().join("other.sql");
        let text = fs::read_to_string(&twice).expect("text");
        let at = text.rfind("VALUES (NEW.id)").expect("a trigger");
        fs::write(&other, [&text[..at], "VALUES (NEW.id + 1)", &text[at + "VALUES (NEW.id)".len()..]].concat())
            .expect("written");
        let target = server.database("back");
        let refused = restore(&other, &target.uri(), server, &[]).expect_code(10);
        assert!(
            refused.stderr.contains("trigger t_log") && refused.stderr.contains("nothing was changed"),
            "{}",
            refused.stderr
        );
        // Without triggers there is nothing to tell.
        source.sql("DROP TRIGGER t_log; DROP TRIGGER t_gone; DROP TRIGGER ansi; DROP EVENT later");
        let plain = file("plain.sql", &[&["--no-data"], &rows]);
        let verified = with_clients_of(server).args(["verify", "--json"]).arg(&plain).run().expect_code(0).json();
        assert_eq!((&verified["tables"], &verified["rows"]), (&3.into(), &7.into()));
        for args in [&[][..], &["--jobs", "2"], &["--resume"]] {
            let target = server.database("back");
            assert_eq!(restored(&plain, &target, args)["rows"], 7);
            assert_same(&source, &target);
        }
    }
}

#[test]
fn triggers_of_a_script_that_stand_before_its_rows_are_made_behind_them() {
    let server = postgres15();
    let source = server.database("joined");
    source.sql(SOURCE);
    source.sql("COMMENT ON TRIGGER always ON \"Te\"\"st\" IS 'said'");
    let folder = tempfile::tempdir().expect("a folder");
    let file = joined(&source, folder.path(), "joined.sql", &[&["-s", "--no-owner"], &["-a"]]);
    let target = server.database("back");
    let result = restored(&file, &target, &[]);
    assert!(result["notes"].to_string().contains("made behind the rows"), "{result}");
    assert_same(&source, &target);
    let target = server.database("back");
    target.sql(
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
                CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    );
    restored(&file, &target, &["--into-non-empty", "--table", "Te\"st"]);
    assert_eq!(target.sql("SELECT count(*) FROM \"Te\"\"st\""), "3");
}
