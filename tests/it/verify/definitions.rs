//! `verify` compares definitions, too: what is the same is not called different, and what is not the same is named.

use std::path::{Path, PathBuf};

use crate::{
    restore::mysql_jobs::everything,
    roundtrip::{dumped, with_clients_of},
    support::{Database, Dbhaul, Flavour, Output, Server, dbhaul, mariadb, mysql, postgres15, postgres18},
};

/// Restored beside its source, and compared.
fn verify(archive: &Path, source: &Database<'_>) -> Dbhaul {
    let verify = with_clients_of(source.server()).arg("verify").arg(archive);
    verify.args(["--restore-into", &source.uri()])
}

fn verified(archive: &Path, source: &Database<'_>) -> Output {
    verify(archive, source).arg("--json").run().expect_code(0)
}

fn archive(source: &Database<'_>, folder: &tempfile::TempDir, args: &[&str]) -> PathBuf {
    dumped(source, folder, args).0
}

/// What servers write in another way when they have read it: lists that are cast, views, expressions.
fn rewritten(database: &Database<'_>) {
    database.sql(
        "CREATE TABLE r (id serial PRIMARY KEY, s varchar(9) DEFAULT 'a' CHECK (s IN ('a', 'b,]', 'it''s')), n numeric);
         CREATE INDEX r_part ON r (n) WHERE s IN ('a', 'b') AND n BETWEEN 1 AND 2;
         CREATE VIEW r_view AS SELECT * FROM r WHERE s NOT IN ('a', 'x') AND n = ANY (ARRAY[1, 2]::numeric[]);
         CREATE MATERIALIZED VIEW r_full AS SELECT count(*) FROM r;
         CREATE MATERIALIZED VIEW r_empty AS SELECT 1 AS one WITH NO DATA;
         INSERT INTO r (s, n) VALUES ('a', 1), ('b,]', 2)",
    );
}

#[test]
fn what_postgresql_restores_has_the_same_definitions() {
    let folder = tempfile::tempdir().expect("a folder");
    for server in [postgres15(), postgres18()] {
        for name in ["objects", "matrix", "chinook"] {
            let source = crate::roundtrip::loaded(server, name);
            if name == "objects" {
                rewritten(&source);
            }
            for args in [&[][..], &["--format", "plain"]] {
                let output = verified(&archive(&source, &folder, args), &source);
                let tried = &output.json()["restored"];
                assert!(tried["definitions"].as_u64().is_some_and(|count| count > 10), "{tried}");
                assert_eq!(tried["added"], serde_json::json!([]), "{name} {args:?}");
                assert_eq!(tried["no_checksums"], serde_json::Value::Null, "{name} {args:?}");
            }
        }
    }
}

#[test]
fn what_mysql_and_mariadb_restore_has_the_same_definitions() {
    let folder = tempfile::tempdir().expect("a folder");
    for server in [mysql(), mariadb()] {
        for name in ["objects", "matrix", "keys"] {
            let source = everything(server, name);
            let output = verified(&archive(&source, &folder, &[]), &source);
            let tried = &output.json()["restored"];
            assert!(tried["definitions"].as_u64().is_some_and(|count| count > 2), "{tried}");
            assert_eq!(tried["added"], serde_json::json!([]), "{name}");
            if name == "objects" {
                assert_eq!(
                    tried["not_compared"],
                    serde_json::json!([
                        "definers",
                        "events that end",
                        "values of AUTO_INCREMENT",
                        "values of generated columns"
                    ])
                );
            }
        }
    }
}

/// MySQL keeps the semicolon of a body that came with another statement behind it, mysqldump writes it before the end of a
/// versioned comment, and the server reads no statement that ends there. MariaDB keeps none.
#[test]
fn bodies_that_end_with_a_semicolon_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = mysql().database("semicolons");
    source.sql("CREATE TABLE t (a int)");
    for statement in [
        "CREATE TRIGGER t_one BEFORE INSERT ON t FOR EACH ROW SET NEW.a = NEW.a + 1",
        "CREATE EVENT e_one ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01' DO DELETE FROM t",
        "CREATE PROCEDURE p_one() SELECT 1",
    ] {
        source.sql_at_once(&format!("{statement}; SELECT 1"));
    }
    assert!(source.sql("SHOW CREATE TRIGGER t_one").contains("NEW.a + 1;"));
    let archive = archive(&source, &folder, &[]);
    verified(&archive, &source);
    for jobs in ["1", "2"] {
        let [target, copy] = ["restored", "copied"].map(|name| mysql().database(name));
        let restore = with_clients_of(mysql()).arg("restore").arg(&archive).arg(target.uri());
        let output = restore.args(["--jobs", jobs]).run().expect_code(0);
        assert!(output.stderr.contains("semicolons taken from the ends of bodies"), "{}", output.stderr);
        with_clients_of(mysql()).args(["copy", "--jobs", jobs, &source.uri(), &copy.uri()]).run().expect_code(0);
        for database in [target, copy] {
            assert_eq!(database.sql("INSERT INTO t VALUES (1); SELECT a FROM t"), "2");
        }
    }
}

/// `IS DISTINCT FROM` of an extension's type means another type's comparison where the search path is empty.
#[test]
fn a_trigger_that_changed_its_meaning_is_named() {
    for server in [postgres15(), postgres18()] {
        let source = server.database("citext");
        source.sql(
            "CREATE EXTENSION citext; CREATE TABLE audit (n int);
             CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS
                $$BEGIN INSERT INTO public.audit VALUES (1); RETURN NULL; END$$;
             CREATE TABLE person (id int PRIMARY KEY, mail citext); INSERT INTO person VALUES (1, 'a@b.c');
             CREATE TRIGGER person_mail AFTER UPDATE ON person FOR EACH ROW
                WHEN (OLD.mail IS DISTINCT FROM NEW.mail) EXECUTE FUNCTION note_it()",
        );
        let folder = tempfile::tempdir().expect("a folder");
        for args in [&[][..], &["--format", "plain"]] {
            let verified = verify(&archive(&source, &folder, args), &source).run();
            let words = ["trigger public.person person_mail: another definition than in the dump"];
            assert!(!verified.refused(8, &words).stderr.contains("another backup"));
        }
    }
}

/// A key that the server adds by itself makes no archive a bad one.
#[test]
fn a_key_that_the_server_adds_is_told_of_the_server() {
    let server = Server::start_with(Flavour::Mysql, &["--sql-generate-invisible-primary-key=ON"]);
    let source = mysql().database("keyless");
    source.sql("CREATE TABLE n (v int, t text); INSERT INTO n VALUES (1, 'a'), (1, 'a'), (2, NULL)");
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive(&source, &folder, &[]);
    let into = server.database("into");
    verified(&archive, &into);
}

/// A plain dump of somebody else's sets owners and privileges: a scratch server has those roles.
#[test]
fn a_foreign_dump_with_owners_is_restored_into_a_scratch_server() {
    let source = postgres15().database("owned");
    let role = format!("{}_owner", source.name());
    source.sql(&format!(
        "CREATE ROLE \"{role}\"; CREATE TABLE t (id int); ALTER TABLE t OWNER TO \"{role}\";
         GRANT SELECT ON t TO \"{role}\"; ALTER DEFAULT PRIVILEGES FOR ROLE \"{role}\" GRANT SELECT ON TABLES TO PUBLIC"
    ));
    let sql = source.client("pg_dump").output().expect("run pg_dump");
    let verify = dbhaul().client_dirs([postgres15().client_dir()]).args(["verify", "--restore", "-"]);
    let output = verify.input(sql.stdout).run().expect_code(0);
    assert!(output.stderr.contains("not compared: owners, privileges"), "{}", output.stderr);
    source.sql(&format!("DROP OWNED BY \"{role}\"; DROP ROLE \"{role}\""));
}

/// What belongs to the database itself is given to the trial's, too, and read again.
#[test]
fn properties_of_the_database_are_compared() {
    let source = postgres15().database("properties");
    let (name, role) = (source.name(), format!("{}_role", source.name()));
    source.sql(&format!(
        "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); CREATE ROLE {role};
         ALTER DATABASE {name} SET lock_timeout = '1ms'; ALTER DATABASE {name} SET default_transaction_read_only = on;
         ALTER DATABASE {name} SET app.key = 'geheim-1234'; ALTER ROLE {role} IN DATABASE {name} SET work_mem = '8MB';
         ALTER DATABASE {name} SET session_preload_libraries = 'auto_explain'; COMMENT ON DATABASE {name} IS 'shop'"
    ));
    let folder = tempfile::tempdir().expect("a folder");
    let others = ["the database's setting session_preload_libraries", "the database's owner"];
    for form in ["custom", "plain"] {
        let archive = archive(&source, &folder, &["--format", form, "--name", form]);
        let server =
            with_clients_of(postgres15()).args(["verify", "--json", "--restore-into", &postgres15().uri("postgres")]);
        let scratch = with_clients_of(postgres15()).args(["verify", "--json", "--restore"]);
        for verify in [server, scratch] {
            let output = verify.arg(&archive).run().expect_code(0);
            let tried = &output.json()["restored"];
            let not_compared = tried["not_compared"].to_string();
            assert!(others.iter().all(|other| not_compared.contains(other)), "{tried}");
            assert!(!not_compared.contains("work_mem"), "{tried}");
            // A script does not hold it.
            assert_eq!(not_compared.contains("app.key"), form == "plain", "{tried}");
            assert!(!not_compared.contains("lock_timeout"), "{tried}");
            assert_eq!(tried["database_differences"], serde_json::json!([]));
            assert!(!output.text().contains("geheim") && !output.stderr.contains("geheim"));
        }
    }
    source.server().sql(&format!("ALTER DATABASE {name} RESET ALL; DROP ROLE {role}"));
}

/// A locale that the trial's server lacks is no fault of the archive's.
#[test]
fn what_the_server_makes_of_a_locale_is_told_of_the_server() {
    let source = postgres15().database("locale");
    source.sql("CREATE TABLE t (id int)");
    let dump = source.client("pg_dump").arg("-Fc").output().expect("run pg_dump").stdout;
    let (known, unknown) = (b"'C.UTF-8'", b"'xx.UTF8'");
    let mut dump = dump;
    while let Some(at) = dump.windows(known.len()).position(|bytes| bytes == known) {
        dump[at..at + unknown.len()].copy_from_slice(unknown);
    }
    let verify = with_clients_of(postgres15()).args(["verify", "--json", "-", "--restore-into", &source.uri()]);
    let output = verify.input(dump).run().expect_code(0);
    let differences = output.json()["restored"]["database_differences"].to_string();
    assert!(differences.contains("collation: xx.UTF8 in the source, C.UTF-8 in the target"), "{differences}");
}

/// `DROP DATABASE` refuses one that subscribes.
/// A column that inherits its table's collation, or names one without a character set, is written otherwise once it was made
/// of its own definition.
#[test]
fn a_collation_says_its_character_set() {
    let folder = tempfile::tempdir().expect("a folder");
    for server in [mysql(), mariadb()] {
        let source = server.database("collations");
        let collations =
            ["utf8mb4_unicode_ci", "utf8mb4_general_ci", "utf8mb4_bin", "utf8mb3_unicode_ci", "latin1_bin"];
        for (n, collation) in collations.iter().enumerate() {
            source.sql(&format!(
                "CREATE TABLE t{n} (id int PRIMARY KEY, v varchar(10), e enum('a', 'b') NOT NULL DEFAULT 'a', x text, \
                 o varchar(9) CHARACTER SET ascii, b varchar(9) COLLATE utf8mb4_bin, g varchar(9) AS (concat(v, 'x'))) COLLATE {collation}"
            ));
        }
        source.sql(&format!("ALTER DATABASE `{}` COLLATE latin1_german2_ci; CREATE TABLE last (v varchar(9), w char(3) CHARACTER SET latin1)", source.name()));
        source.sql("INSERT INTO t0 (id, v) VALUES (1, 'a')");
        let output = verified(&archive(&source, &folder, &[]), &source);
        assert_eq!(output.json()["restored"]["definitions"], 6);
    }
}

#[test]
fn a_trial_with_a_subscription_leaves_nothing_behind() {
    for server in [postgres15(), postgres18()] {
        let source = server.database("subscriber");
        source.sql(
            "CREATE TABLE t (id int); CREATE SUBSCRIPTION \"s 1\" CONNECTION 'host=nowhere password=geheim-99' PUBLICATION p
             WITH (connect = false, slot_name = 'somewhere')",
        );
        let folder = tempfile::tempdir().expect("a folder");
        let archive = archive(&source, &folder, &[]);
        let output = verified(&archive, &source);
        let left = server.sql(
            "SELECT string_agg(datname, ' ') FROM pg_database d JOIN pg_subscription s ON s.subdbid = d.oid \
             WHERE s.subname = 's 1' AND datname LIKE 'dbhaul_verify%'",
        );
        source.sql("ALTER SUBSCRIPTION \"s 1\" SET (slot_name = NONE)");
        source.sql("DROP SUBSCRIPTION \"s 1\"");
        assert_eq!(left, "");
        assert!(!output.json()["restored"]["not_compared"].to_string().contains("subscriptions"));
        assert!(!output.text().contains("geheim") && !output.stderr.contains("geheim"));
    }
}

/// No dump holds the values of generated columns: a copy can ask its source, a trial says that nobody was asked.
#[test]
fn generated_columns_that_the_target_computes_otherwise_are_named() {
    for server in [postgres15(), postgres18(), mysql(), mariadb()] {
        let table = |factor: u32| {
            format!(
                "CREATE TABLE sums (id int PRIMARY KEY, a int, g int GENERATED ALWAYS AS (a * {factor}) STORED); \
                 CREATE TABLE kept (id int PRIMARY KEY, a int, g int GENERATED ALWAYS AS (a + 1) STORED)"
            )
        };
        let (source, other) = (server.database("generated"), server.database("other"));
        source.sql(&table(2));
        source.sql("INSERT INTO sums (id, a) VALUES (1, 1), (2, NULL), (3, 5); INSERT INTO kept (id, a) VALUES (1, 1)");
        other.sql(&table(3));
        let copy = |target: &Database<'_>, args: &[&str]| {
            let copy = with_clients_of(server).args(["copy", "--json", &source.uri(), &target.uri()]).args(args);
            let warnings = copy.run().expect_code(0).json()["warnings"].to_string();
            (warnings.contains("generated columns have other values"), warnings)
        };
        for args in [&[][..], &["--jobs", "2"]] {
            assert!(!copy(&server.database("whole"), args).0, "{args:?}");
        }
        let (found, warnings) = copy(&other, &["--data-only", "--into-non-empty"]);
        assert!(found && warnings.contains("sums (g)") && !warnings.contains("kept"), "{warnings}");
        let folder = tempfile::tempdir().expect("a folder");
        let output = verified(&archive(&source, &folder, &[]), &source);
        let not_compared = output.json()["restored"]["not_compared"].to_string();
        assert!(not_compared.contains("values of generated columns"), "{not_compared}");
    }
}
