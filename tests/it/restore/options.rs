//! What a restore and a dump may be told: cleaning, choosing, keeping, and what becomes of the target.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use crate::{
    roundtrip::{assert_same, dumped, loaded, member, restored, with_clients_of},
    support::{Database, Disk, Output, Server, checksum, mariadb, mysql, names, postgres15, postgres18, schema},
};

/// A restore with these arguments, however it ends.
fn restore(archive: &Path, target: &Database<'_>, args: &[&str]) -> Output {
    with_clients_of(target.server()).arg("restore").args(args).arg(archive).arg(target.uri()).run()
}

fn tables(database: &Database<'_>) -> BTreeSet<String> {
    checksum(database).into_keys().map(|name| name.trim_start_matches("public.").to_owned()).collect()
}

/// Chinook, an archive of it, and the folder that holds it.
fn chinook(server: &Server) -> (Database<'_>, std::path::PathBuf, tempfile::TempDir) {
    let source = loaded(server, "chinook");
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    (source, archive, folder)
}

const EXTRAS: &str = "CREATE EXTENSION pg_trgm; CREATE EXTENSION hstore;
    CREATE SCHEMA extra; CREATE TABLE extra.t (id int); CREATE TYPE extra.kind AS ENUM ('a'); CREATE TABLE extra.k (k extra.kind);
    CREATE TABLE mine (id int, words hstore); CREATE VIEW my_view AS SELECT * FROM album; CREATE MATERIALIZED VIEW my_mv AS SELECT 1 AS one;
    CREATE FUNCTION my_function(mine) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE PROCEDURE my_procedure() LANGUAGE sql AS 'SELECT 1';
    CREATE AGGREGATE my_sum(int) (SFUNC = int4pl, STYPE = int); CREATE DOMAIN my_domain AS int; CREATE SEQUENCE my_sequence;
    SELECT lo_from_bytea(4711, 'x')";

#[test]
fn row_29_clean_schema_drops_everything_of_the_users_and_keeps_extensions() {
    for server in [postgres15(), postgres18()] {
        let (source, archive, _folder) = chinook(server);
        let target = loaded(server, "chinook");
        target.sql(EXTRAS);
        let refused = restore(&archive, &target, &[]).expect_code(10);
        assert!(
            refused.stderr.contains("not empty") && refused.stderr.contains("nothing was changed"),
            "{}",
            refused.stderr
        );
        assert!(refused.stderr.contains("--clean schema"), "{}", refused.stderr);
        assert!(tables(&target).contains("mine"));

        restored(&archive, &target, &["--clean", "schema"]);
        assert_eq!(checksum(&target), checksum(&source));
        assert_eq!(
            target.sql("SELECT string_agg(extname, ' ' ORDER BY extname) FROM pg_extension"),
            "hstore pg_trgm plpgsql"
        );
        target.sql("DROP EXTENSION hstore; DROP EXTENSION pg_trgm");
        assert_same(&source, &target);
    }
}

#[test]
fn extensions_alone_make_no_target_full() {
    let (source, archive, _folder) = chinook(postgres15());
    let target = postgres15().database("extended");
    target.sql("CREATE EXTENSION hstore; CREATE SCHEMA ext; CREATE EXTENSION pg_trgm SCHEMA ext");
    restored(&archive, &target, &[]);
    assert_eq!(checksum(&target), checksum(&source));
}

#[test]
fn row_29_clean_objects_drops_what_the_archive_brings_and_nothing_else() {
    let (source, archive, _folder) = chinook(postgres15());
    let target = loaded(postgres15(), "chinook");
    target.sql("CREATE TABLE mine AS SELECT 1 AS one; DELETE FROM playlist_track; DELETE FROM invoice_line; DROP TABLE invoice_line");
    let result = restored(&archive, &target, &["--clean", "objects"]);
    assert!(result["warnings"].to_string().contains("other objects of the target stay"), "{result}");
    let mut sums = checksum(&target);
    assert_eq!(sums.remove("public.mine").expect("still there").0, 1);
    assert_eq!(sums, checksum(&source));
    // A view that stands on a table of the archive's forbids the drop: all is as it was.
    target.sql("CREATE VIEW my_view AS SELECT * FROM album");
    let before = (checksum(&target), schema(&target));
    let failed = restore(&archive, &target, &["--clean", "objects"]).expect_code(7);
    assert!(failed.stderr.contains("my_view") && failed.stderr.contains("rolled back"), "{}", failed.stderr);
    assert_eq!((checksum(&target), schema(&target)), before);
}

#[test]
fn clean_database_makes_it_anew_as_it_was() {
    let (source, archive, _folder) = chinook(postgres18());
    let target = loaded(postgres18(), "chinook");
    target.sql(EXTRAS);
    restored(&archive, &target, &["--clean", "database"]);
    assert_same(&source, &target);
    assert_eq!(target.sql("SELECT string_agg(extname, ' ') FROM pg_extension"), "plpgsql");
}

#[test]
fn row_29_mysqls_targets_are_cleaned_in_every_way() {
    for server in [mysql(), mariadb()] {
        let source = loaded(server, "objects");
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, _) = dumped(&source, &folder, &[]);
        let extras = "CREATE TABLE mine (id int); CREATE VIEW my_view AS SELECT * FROM mine; CREATE FUNCTION my_function() RETURNS int DETERMINISTIC RETURN 1;
            CREATE PROCEDURE my_procedure() SELECT 1; CREATE EVENT my_event ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1";
        for clean in ["schema", "database"] {
            let target = loaded(server, "objects");
            target.sql(extras);
            restore(&archive, &target, &[]).expect_code(10);
            restored(&archive, &target, &["--clean", clean]);
            assert_same(&source, &target);
        }
        let target = loaded(server, "objects");
        target.sql(extras);
        target.sql("DELETE FROM latin");
        restored(&archive, &target, &["--clean", "objects"]);
        assert!(tables(&target).contains("mine"), "{:?}", tables(&target));
        target.sql("DROP VIEW my_view; DROP TABLE mine; DROP FUNCTION my_function; DROP PROCEDURE my_procedure; DROP EVENT my_event");
        assert_same(&source, &target);
    }
}

#[test]
fn create_makes_the_database() {
    for server in [postgres15(), mysql(), mariadb()] {
        let (source, archive, _folder) = chinook(server);
        let target = server.database("created");
        server.sql(&format!("DROP DATABASE {}", server.quote(target.name())));
        let refused = restore(&archive, &target, &[]).expect_code(10);
        assert!(refused.stderr.contains("--create"), "{}", refused.stderr);
        restored(&archive, &target, &["--create"]);
        assert_eq!(checksum(&target), checksum(&source));
    }
}

#[test]
fn into_non_empty_restores_beside_what_is_there() {
    for server in [postgres18(), mysql(), mariadb()] {
        let (source, archive, _folder) = chinook(server);
        let target = server.database("beside");
        target.sql("CREATE TABLE mine (id int)");
        restore(&archive, &target, &[]).expect_code(10);
        restored(&archive, &target, &["--into-non-empty"]);
        let mut seen = tables(&target);
        assert!(seen.remove("mine"));
        assert_eq!(seen, tables(&source));
    }
}

#[test]
fn schema_first_and_rows_later_make_the_whole() {
    for server in [postgres15(), postgres18(), mysql(), mariadb()] {
        let source = loaded(server, "chinook");
        if server.flavour().is_postgres() {
            drop_foreign_keys(&source);
            drop_rows_and_log_them(&source);
        }
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, _) = dumped(&source, &folder, &[]);
        let target = server.database("halves");
        let result = restored(&archive, &target, &["--schema-only"]);
        assert_eq!(result["rows"], Value::Null);
        assert_eq!(tables(&target), tables(&source));
        assert!(checksum(&target).values().all(|(rows, _)| *rows == 0));
        restore(&archive, &target, &["--data-only"]).expect_code(10);
        restored(&archive, &target, &["--data-only", "--into-non-empty"]);
        assert_same(&source, &target);
    }
}

/// Triggers that would change what comes: MySQL has no switch for such.
fn drop_rows_and_log_them(database: &Database<'_>) {
    database.sql(
        "CREATE TABLE log (id int);
         CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.log VALUES (1); RETURN NEW; END$$;
         CREATE TRIGGER lose BEFORE INSERT ON album FOR EACH ROW EXECUTE FUNCTION lose();
         CREATE TRIGGER note AFTER INSERT ON artist FOR EACH ROW EXECUTE FUNCTION note()",
    );
}

fn drop_foreign_keys(database: &Database<'_>) {
    database.sql(
        r"SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) FROM pg_constraint WHERE contype = 'f' \gexec",
    );
}

/// `pg_restore --data-only` fills tables in the archive's order, in which rows may come before those they point at.
#[test]
fn rows_that_break_a_foreign_key_change_nothing() {
    let (_source, archive, _folder) = chinook(postgres15());
    let target = postgres15().database("keys");
    restored(&archive, &target, &["--schema-only"]);
    let failed = restore(&archive, &target, &["--data-only", "--into-non-empty"]).expect_code(7);
    assert!(failed.stderr.contains("foreign key") && failed.stderr.contains("rolled back"), "{}", failed.stderr);
    assert!(checksum(&target).values().all(|(rows, _)| *rows == 0));
}

#[test]
fn one_table_is_restored_alone() {
    for server in [postgres15(), mysql(), mariadb()] {
        let (source, archive, _folder) = chinook(server);
        let target = server.database("chosen");
        let [album, artist] =
            if server.flavour().is_postgres() { ["public.album", "artist"] } else { ["Album", "Artist"] };
        let args: &[&str] = if server.flavour().is_postgres() { &[] } else { &["--schema-only"] };
        // Album points at Artist: in MySQL both are needed, in PostgreSQL the key is left out with the table alone.
        restored(&archive, &target, &[args, &["--table", album, "--table", artist]].concat());
        assert_eq!(tables(&target).len(), 2);
        if args.is_empty() {
            assert_eq!(checksum(&target)["public.album"], checksum(&source)["public.album"]);
        }
        let unknown = restore(&archive, &target, &["--into-non-empty", "--table", "nowhere"]);
        assert!(unknown.code == Some(2) && unknown.stderr.contains("nowhere"), "{unknown:?}");
        assert_eq!(tables(&target).len(), 2);
    }
}

#[test]
fn owners_privileges_and_comments_come_only_when_they_are_wanted() {
    let server = postgres15();
    let roles = ["owner", "reader"].map(|role| format!("dbhaul_it_options_{role}"));
    let [owner, reader] = &roles;
    server.sql(&format!("CREATE ROLE {owner}; CREATE ROLE {reader}"));
    let source = server.database("owned");
    source.sql(&format!(
        "CREATE TABLE t (id int); ALTER TABLE t OWNER TO {owner}; GRANT SELECT ON t TO {reader}; COMMENT ON TABLE t IS 'a comment'"
    ));
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    let (plain, _) =
        dumped(&source, &folder, &["--format", "plain", "--keep-owner", "--keep-comments", "--name", "plain"]);
    let (bare, result) =
        dumped(&source, &folder, &["--no-owner", "--no-privileges", "--no-comments", "--name", "bare"]);
    // pg_dump keeps owners in the custom format, whatever it is told.
    assert!(result["warnings"].to_string().contains("owner"), "{result}");
    for (archive, args, wanted) in [
        (&archive, &[][..], [false, false, true]),
        (&archive, &["--keep-owner"], [true, false, true]),
        (&archive, &["--keep-privileges"], [false, true, true]),
        (&archive, &["--keep-owner", "--keep-privileges", "--no-comments"], [true, true, false]),
        (&plain, &[], [true, false, true]),
        (&bare, &["--keep-owner", "--keep-privileges"], [true, false, false]),
        (&bare, &[], [false, false, false]),
    ] {
        let target = server.database("owners");
        restored(archive, &target, args);
        let seen = target.sql(&format!(
            "SELECT tableowner = '{owner}', has_table_privilege('{reader}', 't', 'SELECT'), obj_description('t'::regclass) IS NOT NULL
             FROM pg_tables WHERE tablename = 't'"
        ));
        let letter = |wanted| if wanted { "t" } else { "f" };
        assert_eq!(seen, wanted.map(letter).join("\t"), "{args:?}");
    }
    drop(source);
    server.sql(&format!("DROP ROLE {owner}; DROP ROLE {reader}"));
}

#[test]
fn row_09_definers_are_rewritten_and_counted_or_kept() {
    for server in [mysql(), mariadb()] {
        let source = loaded(server, "objects");
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, _) = dumped(&source, &folder, &[]);
        let count = |database: &Database<'_>| schema(database).matches("DEFINER=`ghost`@`%.example.test`").count();
        assert_eq!(count(&source), 3);
        let rewritten = server.database("rewritten");
        let result = restored(&archive, &rewritten, &[]);
        assert_eq!(count(&rewritten), 0);
        let all = result["adaptations"].as_array().expect("adaptations");
        let counted = all.iter().find(|one| one["what"] == "DEFINER clauses removed").expect("counted");
        assert!(counted["count"].as_u64().expect("a count") >= 3, "{result}");
        let kept = server.database("kept");
        let result = restored(&archive, &kept, &["--keep-definers"]);
        assert_eq!(schema(&kept), schema(&source).replace(source.name(), kept.name()));
        assert!(!result.to_string().contains("DEFINER clauses removed"), "{result}");
    }
}

#[test]
fn two_jobs_restore_the_same() {
    for server in [postgres15(), postgres18()] {
        let source = loaded(server, "objects");
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, _) = dumped(&source, &folder, &[]);
        let (lanes, _) = dumped(&source, &folder, &["--jobs", "2"]);
        let alone = folder.path().join("--alone");
        fs::write(&alone, member(&archive, "*.pgsql")).expect("write");
        for (dump, is_copied) in [(&*archive, true), (&lanes, true), (Path::new("--alone"), false)] {
            let target = server.database("jobs");
            let (disk, full) = (Disk::mount("size=64m"), Disk::mount("size=16k"));
            let restore = |disk: &Disk| {
                let restore = with_clients_of(server).cwd(folder.path()).env("TMPDIR", disk.path());
                restore.args(["restore", "--jobs", "2", "--"]).arg(dump).arg(target.uri())
            };
            if is_copied {
                restore(&full).run().refused(9, &["no temporary copy can be made", "nothing was changed"]);
                assert!(checksum(&target).is_empty());
            }
            let output = restore(&disk).run().expect_code(0);
            assert_eq!(
                output.stderr.contains("which several jobs read at once, is copied to"),
                is_copied,
                "{output:?}"
            );
            assert!(names(disk.path()).is_empty());
            assert_same(&source, &target);
        }
    }
}

#[test]
fn a_dry_run_touches_nothing_and_shows_no_password() {
    for server in [postgres15(), mysql(), mariadb()] {
        let (source, archive, folder) = chinook(server);
        let target = server.database("dry");
        let files = || fs::read_dir(folder.path()).expect("a folder").count();
        let before = files();
        let dump =
            with_clients_of(server).args(["dump", "--dry-run", &source.uri()]).cwd(folder.path()).run().expect_code(0);
        let back = restore(&archive, &target, &["--dry-run"]).expect_code(0);
        assert_eq!(files(), before);
        assert!(tables(&target).is_empty());
        let full = restore(&archive, &source, &["--dry-run", "--clean", "database", "--yes"]).expect_code(0);
        assert_eq!(tables(&source).len(), 11);
        for output in [&dump, &back, &full] {
            assert!(!output.text().is_empty());
            for text in [output.text(), &output.stderr] {
                assert!(!text.contains(server.password()), "{text}");
            }
            // Each line is one that a shell can read.
            let mut bash = std::process::Command::new("bash");
            let checked = bash.args(["-n", "-c", output.text()]).output().expect("run bash");
            assert!(checked.status.success(), "{}", output.text());
        }
    }
}

/// The tables of a dump with these arguments, and those of them that have rows in it.
fn chosen(source: &Database<'_>, args: &[&str]) -> (BTreeSet<String>, BTreeSet<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(source, &folder, args);
    let target = source.server().database("chosen");
    let archived: Value = serde_json::from_slice(&member(&archive, "*/manifest.json")).expect("a manifest");
    restored(&archive, &target, &[]);
    let sums = checksum(&target);
    let base: Vec<_> = archived["tables"].as_array().expect("tables").iter().collect();
    assert!(base.len() <= sums.len(), "{archived}");
    (
        sums.keys().cloned().collect(),
        sums.into_iter().filter(|(_, (rows, _))| *rows > 0).map(|(name, _)| name).collect(),
    )
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn patterns_choose_what_is_dumped_as_in_psql() {
    let source = postgres15().database("patterns");
    source.sql(
        "CREATE SCHEMA app; CREATE SCHEMA app_old; CREATE SCHEMA \"App\"; CREATE TABLE app.users AS SELECT 1 AS a; CREATE TABLE app.logs AS SELECT 1 AS a;
         CREATE TABLE app.logs_2 AS SELECT 1 AS a; CREATE TABLE app_old.users AS SELECT 1 AS a; CREATE TABLE \"App\".users AS SELECT 1 AS a;
         CREATE TABLE public.\"Users\" AS SELECT 1 AS a; CREATE TABLE public.users AS SELECT 1 AS a",
    );
    let all =
        ["\"App\".users", "app.logs", "app.logs_2", "app.users", "app_old.users", "public.\"Users\"", "public.users"];
    let without = |left: &[&str]| -> BTreeSet<String> { set(&all).difference(&set(left)).cloned().collect() };
    let tables = |args: &[&str]| chosen(&source, args).0;
    assert_eq!(tables(&[]), set(&all));
    assert_eq!(
        tables(&["--exclude-schema", "app*"]),
        without(&["app.logs", "app.logs_2", "app.users", "app_old.users"])
    );
    assert_eq!(tables(&["--exclude-schema", "^app"]), without(&["app.logs", "app.logs_2", "app.users"]));
    assert_eq!(
        tables(&["--exclude-schema", "\"App\"", "--exclude-schema", "app_old"]),
        without(&["\"App\".users", "app_old.users"])
    );
    assert_eq!(tables(&["--exclude-table", "app.log*"]), without(&["app.logs", "app.logs_2"]));
    assert_eq!(tables(&["--exclude-table", "USERS"]), without(&["public.users"]));
    assert_eq!(
        tables(&["--exclude-table", "*.users"]),
        without(&["public.users", "app.users", "app_old.users", "\"App\".users"])
    );
    assert_eq!(tables(&["--schema", "app"]), set(&["app.logs", "app.logs_2", "app.users"]));
    assert_eq!(tables(&["--schema", "app?old|public"]), set(&["app_old.users", "public.\"Users\"", "public.users"]));
    let (dumped, filled) = chosen(&source, &["--exclude-table-data", "app.*"]);
    assert_eq!((dumped, filled), (set(&all), without(&["app.logs", "app.logs_2", "app.users"])));
    assert_eq!(chosen(&source, &["--schema-only"]), (set(&all), BTreeSet::new()));
    assert_eq!(tables(&["--table", "public.*"]), set(&["public.\"Users\"", "public.users"]));
}

#[test]
fn patterns_choose_what_is_dumped_of_mysql() {
    for server in [mysql(), mariadb()] {
        let source = server.database("patterns");
        let all = ["log", "log_2", "logs", "orders", "percent%"];
        for table in all {
            source.sql(&format!("CREATE TABLE `{table}` AS SELECT 1 AS a"));
        }
        let without = |left: &[&str]| -> BTreeSet<String> { set(&all).difference(&set(left)).cloned().collect() };
        assert_eq!(chosen(&source, &["--exclude-table", "log?"]).0, without(&["logs"]));
        assert_eq!(chosen(&source, &["--exclude-table", "log*"]).0, without(&["log", "log_2", "logs"]));
        assert_eq!(
            chosen(&source, &["--exclude-table", &format!("{}.percent%", source.name())]).0,
            without(&["percent%"])
        );
        assert_eq!(chosen(&source, &["--table", "log", "--table", "orders"]).0, set(&["log", "orders"]));
        assert_eq!(chosen(&source, &["--exclude-table-data", "log*"]), (set(&all), set(&["orders", "percent%"])));
        assert_eq!(chosen(&source, &["--schema-only"]), (set(&all), BTreeSet::new()));
    }
}

/// Its sessions together get what the server has as shared buffers: 32 MB here.
#[test]
fn a_restore_into_postgresql_builds_indexes_with_more_memory_than_a_session_has() {
    let (source, archive, _folder) = chinook(postgres15());
    for (args, wanted) in [(&[][..], "32MB"), (&["--jobs", "2"], "16MB")] {
        let target = postgres15().database("remembers");
        target.sql(&format!(
            "ALTER DATABASE {} SET maintenance_work_mem = '1MB'; CREATE SCHEMA watch; CREATE TABLE watch.seen (memory text);
            CREATE FUNCTION watch.see() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
                INSERT INTO watch.seen VALUES (current_setting('maintenance_work_mem')); END $$;
            CREATE EVENT TRIGGER watching ON ddl_command_end WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION watch.see()",
            target.name()
        ));
        restored(&archive, &target, &[args, &["--into-non-empty"]].concat());
        assert_eq!(target.sql("SELECT DISTINCT memory FROM watch.seen"), wanted);
        assert_eq!(target.sql("SELECT count(*) FROM public.track"), source.sql("SELECT count(*) FROM public.track"));
    }
}

/// They are for whatever this user makes there, and not the source's.
#[test]
fn what_the_targets_default_privileges_change_is_named() {
    for server in [postgres15(), postgres18()] {
        let source = server.database("source");
        source.sql("CREATE SCHEMA s; CREATE TABLE t (i int); GRANT SELECT ON t TO PUBLIC; CREATE TABLE s.u (i int)");
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, _) = dumped(&source, &folder, &[]);
        let named = "the target's default privileges change what is restored: ALTER DEFAULT PRIVILEGES";
        for args in [&[][..], &["--keep-privileges"]] {
            let target = server.database("target");
            target.sql(
                "ALTER DEFAULT PRIVILEGES GRANT INSERT, UPDATE ON TABLES TO PUBLIC; CREATE SCHEMA s;
                 ALTER DEFAULT PRIVILEGES REVOKE DELETE ON TABLES FROM CURRENT_USER;
                 ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO pg_monitor;
                 ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO PUBLIC;
                 ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
            );
            let output = restore(&archive, &target, &[args, &["--into-non-empty"]].concat()).expect_code(0);
            let all = "GRANT INSERT, UPDATE ON TABLES TO PUBLIC; REVOKE DELETE ON TABLES FROM dbhaul; \
                       IN SCHEMA s GRANT SELECT ON TABLES TO pg_monitor\n";
            assert!(output.stderr.contains(&format!("{named} {all}")), "{}", output.stderr);
            let again = restore(&archive, &target, &[args, &["--clean", "schema", "--yes"]].concat()).expect_code(0);
            assert_eq!(again.stderr.contains(named), args.is_empty(), "{}", again.stderr);
        }
        assert!(!restore(&archive, &server.database("plain"), &[]).expect_code(0).stderr.contains(named));
    }
}
