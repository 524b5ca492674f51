use std::{fs, os::unix::fs::MetadataExt, path::Path, path::PathBuf, sync::OnceLock};

use super::{absent, by_hand, dump, made, restored, restoring, said, set};
use crate::support::{Database, Flavour, Server, dbhaul, postgres15, postgres18, shared};

/// A server in whose template1 somebody once ran a script.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = Server::start_with(Flavour::Postgres15, &["-c", "track_commit_timestamp=on"]);
        server.sql("CREATE ROLE props_app; CREATE ROLE props_ro;");
        let mut shell = server.client("psql");
        shell.args(["-X", "-d", "template1", "-c", "CREATE TABLE t (id int)"]);
        assert!(shell.status().expect("run psql").success());
        server
    })
}

/// The settings of a database, `role name=value` a line, as the server has them.
fn settings(database: &Database<'_>) -> String {
    database.server().sql(&format!(
        "SELECT coalesce(r.rolname || ' ', '') || s.setting FROM (SELECT setrole, unnest(setconfig) AS setting \
         FROM pg_db_role_setting WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = '{}')) s \
         LEFT JOIN pg_roles r ON r.oid = s.setrole ORDER BY 1",
        database.name()
    ))
}

/// One line about a database.
fn facts(database: &Database<'_>, columns: &str) -> String {
    database
        .server()
        .sql(&format!("SELECT concat_ws(' ', {columns}) FROM pg_database d WHERE datname = '{}'", database.name()))
}

const LOCALE: &str = "pg_encoding_to_char(encoding), datcollate, datctype";
const COMMENT: &str = "shobj_description(oid, 'pg_database')";
const MAY_CONNECT: &str =
    "has_database_privilege('props_app', oid, 'CONNECT'), has_database_privilege('props_ro', oid, 'CONNECT')";

/// A database with everything; what a server sets in it must not reach the restore.
fn source() -> Database<'static> {
    let source = made(server(), "src", "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
    source.sql("CREATE SCHEMA app; CREATE TABLE app.other (id int PRIMARY KEY); INSERT INTO app.other VALUES (1), (2)");
    let name = source.name();
    server().sql(&format!(
        "ALTER DATABASE {name} SET search_path = app, \"$user\", public;
         ALTER DATABASE {name} SET timezone = 'Asia/Tokyo';
         ALTER DATABASE {name} SET default_transaction_read_only = on;
         ALTER DATABASE {name} SET app.key = 'geheim-1234';
         ALTER DATABASE {name} SET log_min_duration_statement = 1000;
         ALTER DATABASE {name} SET session_preload_libraries = 'auto_explain';
         ALTER ROLE props_app IN DATABASE {name} SET work_mem = '64MB';
         ALTER DATABASE {name} CONNECTION LIMIT 7;
         COMMENT ON DATABASE {name} IS 'the ''shop''';
         REVOKE ALL ON DATABASE {name} FROM PUBLIC; GRANT CONNECT ON DATABASE {name} TO props_app;
         ALTER DATABASE {name} OWNER TO props_ro"
    ));
    source
}

const SET: &str = "TimeZone=Asia/Tokyo\napp.key=geheim-1234\ndefault_transaction_read_only=on\n\
                   props_app work_mem=64MB\nsearch_path=app, \"$user\", public";

fn is_left_to_people(hands: &[(String, String)], words: &str, why: &str) {
    let found = hands.iter().any(|(statement, reason)| statement.contains(words) && reason.contains(why));
    assert!(found, "{words}, {why}: {hands:?}");
}

#[test]
fn create_makes_the_database_that_the_source_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, target) = (source(), absent(server(), "new"));
    let archive = dump(&source, folder.path());

    let shown = said(&dbhaul().arg("inspect").arg(&archive).run().expect_code(0));
    for line in [
        "encoding LATIN1",
        "collation C",
        "comment the 'shop'",
        "connection limit 7",
        "owner props_ro",
        "grant CONNECT to props_app",
        "setting work_mem for role props_app = 64MB",
        "setting app.key, whose",
    ] {
        assert!(shown.contains(&format!("property       {line}")), "{line}: {shown}");
    }
    let output = restoring(&archive, &target, &["--create", "--json"]).run().expect_code(0);
    assert!(
        output.stderr.contains(&format!("PostgreSQL 15.18, no database \"{}\" yet, as", target.name())),
        "{}",
        output.stderr
    );
    for text in [&shown, &said(&output)] {
        assert!(!text.contains("geheim-1234"), "{text}");
    }
    let result = output.json();
    assert_eq!(facts(&target, LOCALE), "LATIN1 C C");
    assert_eq!(facts(&target, &format!("datconnlimit, {COMMENT}")), "7 the 'shop'");
    assert_eq!(facts(&target, MAY_CONNECT), "t t", "privileges were not asked for");
    assert_eq!(facts(&target, "pg_get_userbyid(datdba)"), "dbhaul");
    assert_eq!(settings(&target), SET);
    assert_eq!(
        target.sql("SELECT string_agg(relname, ' ') FROM pg_class WHERE relkind = 'r' AND relnamespace > 16383"),
        "other",
        "nothing of template1's"
    );
    assert_eq!(target.sql("SELECT count(*) FROM other"), "2", "search_path");
    let hands = by_hand(&result);
    let new = target.name();
    let paste = format!("ALTER DATABASE \"{new}\" SET log_min_duration_statement TO '1000';");
    is_left_to_people(&hands, &paste, "only a superuser may set it");
    is_left_to_people(&hands, "session_preload_libraries TO 'auto_explain';", "it loads a library");
    assert_eq!(hands.len(), 2, "{hands:?}");
    assert!(set(&result).contains(&"work_mem for role props_app"), "{result}");
    // What is printed can be pasted.
    server().sql(&paste);
}

#[test]
fn create_keeps_owner_and_grants_where_that_is_wanted() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = absent(server(), "new");
    let archive = dump(&source(), folder.path());
    restored(
        &archive,
        &target,
        &["--create", "--keep-owner", "--keep-privileges", "--no-comments", "--database-settings", "keep"],
    );
    assert_eq!(facts(&target, &format!("pg_get_userbyid(datdba), {MAY_CONNECT}")), "props_ro t t");
    assert_eq!(facts(&target, "datacl"), "{props_ro=CTc/props_ro,props_app=c/props_ro}");
    assert_eq!(facts(&target, COMMENT), "");
    assert_eq!(settings(&target), "");
}

#[test]
fn a_role_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = absent(postgres15(), "new");
    let archive = dump(&source(), folder.path());
    let result = restored(&archive, &target, &["--create", "--keep-owner", "--keep-privileges"]);
    let hands = by_hand(&result);
    let name = target.name();
    for (words, role) in [
        (format!("ALTER ROLE \"props_app\" IN DATABASE \"{name}\" SET work_mem TO '64MB';"), "props_app"),
        (format!("GRANT CONNECT ON DATABASE \"{name}\" TO \"props_app\";"), "props_app"),
        (format!("ALTER DATABASE \"{name}\" OWNER TO \"props_ro\";"), "props_ro"),
    ] {
        is_left_to_people(&hands, &words, &format!("role \"{role}\" does not exist"));
    }
    assert!(settings(&target).contains("default_transaction_read_only=on"));
}

#[test]
fn an_empty_database_gets_the_settings_that_it_lacks() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = source();
    let archive = dump(&source, folder.path());
    let target = made(server(), "there", "TEMPLATE template0");
    let own = format!("ALTER DATABASE {0} SET timezone = 'UTC'; COMMENT ON DATABASE {0} IS 'mine'", target.name());
    server().sql(&own);

    // A part, and what is restored beside something, leaves the database as it is.
    let result = restored(&archive, &target, &["--schema-only", "--database-settings", "keep"]);
    assert_eq!(settings(&target), "TimeZone=UTC");
    assert_eq!(by_hand(&result), []);
    restored(&archive, &target, &["--data-only", "--into-non-empty"]);
    assert_eq!(settings(&target), "TimeZone=UTC");

    let result = restored(&archive, &target, &["--clean", "schema", "--yes", "--database-settings", "print"]);
    assert_eq!(settings(&target), "TimeZone=UTC");
    let hands = by_hand(&result);
    is_left_to_people(&hands, "SET search_path TO 'app', '$user', 'public';", "print");
    is_left_to_people(&hands, "SET app.key TO ...;", "print");

    let output = restoring(&archive, &target, &["--clean", "schema", "--yes", "--json"]).run().expect_code(0);
    assert_eq!(settings(&target), SET.replace("Asia/Tokyo", "UTC"));
    assert_eq!(facts(&target, &format!("datconnlimit, {COMMENT}")), "-1 mine");
    is_left_to_people(
        &by_hand(&output.json()),
        "SET TimeZone TO 'Asia/Tokyo';",
        "the target has TimeZone = UTC, which stays",
    );
    for difference in
        ["encoding: LATIN1 in the source, UTF8 in the target", "collation: C in the source, C.UTF-8 in the"]
    {
        assert!(output.stderr.contains(difference), "{}", output.stderr);
    }
    assert!(!said(&output).contains("geheim-1234"));
}

#[test]
fn clean_database_keeps_what_is_the_targets_and_takes_what_is_the_sources() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = dump(&source(), folder.path());
    let target = made(server(), "there", "OWNER props_app TEMPLATE template0");
    let name = target.name();
    target.sql("CREATE TABLE old (id int)");
    server().sql(&format!(
        "REVOKE CONNECT, TEMPORARY ON DATABASE {name} FROM PUBLIC; GRANT CREATE ON DATABASE {name} TO props_ro WITH GRANT OPTION;
         ALTER DATABASE {name} CONNECTION LIMIT 9; COMMENT ON DATABASE {name} IS 'mine';
         ALTER DATABASE {name} SET timezone = 'UTC'; ALTER DATABASE {name} SET own.key = 'a''b';
         ALTER ROLE props_ro IN DATABASE {name} SET work_mem = '1MB'"
    ));
    let grants = facts(&target, "pg_get_userbyid(datdba), datacl, datconnlimit");
    let result = restored(&archive, &target, &["--clean", "database", "--yes"]);
    assert_eq!(facts(&target, "pg_get_userbyid(datdba), datacl, datconnlimit"), grants);
    assert_eq!(facts(&target, &format!("{COMMENT}, {LOCALE}")), "mine LATIN1 C C");
    let all = SET
        .replace("Asia/Tokyo", "UTC")
        .replace("props_app", "own.key=a'b\nprops_app")
        .replace("64MB\n", "64MB\nprops_ro work_mem=1MB\n");
    assert_eq!(settings(&target), all);
    is_left_to_people(&by_hand(&result), "SET TimeZone TO 'Asia/Tokyo';", "which stays");
    assert_eq!(target.sql("SELECT count(*) FROM other"), "2");
    assert_eq!(server().sql("SELECT count(*) FROM pg_database WHERE datname LIKE 'dbhaul_new%'"), "0");
}

#[test]
fn a_copy_does_the_same() {
    let source = source();
    let made = absent(server(), "new");
    let replaced = server().database("there");
    let ways = [(&made, &["--create"][..]), (&replaced, &["--clean", "database", "--yes", "--jobs", "2"])];
    for (target, options) in ways {
        let copy = dbhaul().args(["copy", &source.uri(), &target.uri(), "--json"]).args(options);
        let output = copy.client_dirs([server().client_dir()]).run().expect_code(0);
        assert!(!said(&output).contains("geheim-1234"));
        assert_eq!(facts(target, LOCALE), "LATIN1 C C");
        assert_eq!(settings(target), SET);
        assert_eq!(target.sql("SELECT count(*) FROM other"), "2");
    }
    assert_eq!(facts(&made, COMMENT), "the 'shop'");
}

/// How many transactions made a table and the settings of its database.
fn transactions(target: &Database<'_>) -> String {
    target.sql(
        "SELECT count(DISTINCT pg_xact_commit_timestamp(x)) FROM (SELECT xmin FROM pg_class WHERE relname = 'other' \
         UNION ALL SELECT xmin FROM pg_db_role_setting WHERE setdatabase = \
         (SELECT oid FROM pg_database WHERE datname = current_database())) AS made (x)",
    )
}

#[test]
fn settings_come_in_the_transaction_that_ends_the_restore() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = source();
    let archive = dump(&source, folder.path());
    let plain = folder.path().join("plain.tar.gz");
    let dump = dbhaul().args(["dump", &source.uri(), "--format", "plain", "-o"]).arg(&plain);
    dump.client_dirs([server().client_dir()]).run().expect_code(0);
    let empty = made(server(), "empty", "TEMPLATE template0");
    for (archive, target, options) in [
        (&archive, absent(server(), "new"), &["--create"][..]),
        (&archive, made(server(), "there", "TEMPLATE template0"), &["--clean", "schema", "--yes"]),
        (&plain, absent(server(), "new"), &["--create"]),
        (&archive, empty, &[]),
    ] {
        let result = restored(archive, &target, options);
        // A script holds no value that may be a secret.
        let is_plain = archive == &plain;
        let wanted = if is_plain { SET.replace("app.key=geheim-1234\n", "") } else { SET.to_owned() };
        assert_eq!((settings(&target), transactions(&target)), (wanted, "1".to_owned()), "{options:?}");
        assert!(set(&result).contains(&"work_mem for role props_app"), "{result}");
        assert_eq!(target.sql("SELECT count(*) FROM other"), "2");
        assert_eq!(by_hand(&result).len(), if is_plain { 3 } else { 2 }, "{result}");
    }
    let copied = absent(server(), "copied");
    let copy = dbhaul().args(["copy", &source.uri(), &copied.uri(), "--create"]);
    copy.client_dirs([server().client_dir()]).run().expect_code(0);
    assert_eq!((settings(&copied), transactions(&copied)), (SET.to_owned(), "1".to_owned()));
}

/// What a database's users may not do, and have no time for, is none of a dump's or restore's concern.
#[test]
fn a_millisecond_and_read_only_sessions_end_no_dump_and_no_restore() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = made(server(), "hasty", "TEMPLATE template0");
    source.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 20000)");
    let name = source.name();
    server().sql(&format!(
        "ALTER DATABASE {name} SET statement_timeout = '1ms'; ALTER DATABASE {name} SET default_transaction_read_only = on"
    ));
    let plain = folder.path().join("plain.tar.gz");
    let dump_plain = dbhaul().args(["dump", &source.uri(), "--format", "plain", "-o"]).arg(&plain);
    dump_plain.client_dirs([server().client_dir()]).run().expect_code(0);
    let custom = dump(&source, folder.path());
    let is_right = |target: &Database<'_>, way: &str| {
        assert_eq!(settings(target), "default_transaction_read_only=on\nstatement_timeout=1ms", "{way}");
        server().sql(&format!("ALTER DATABASE {} RESET ALL", target.name()));
        assert_eq!(target.sql("SELECT count(*) FROM t"), "20000", "{way}");
    };
    for (archive, options) in
        [(&custom, &["--create"][..]), (&custom, &["--create", "--jobs", "2"]), (&plain, &["--create"])]
    {
        let target = absent(server(), "new");
        restored(archive, &target, options);
        is_right(&target, "restore");
    }
    for options in [&["--create"][..], &["--create", "--jobs", "2"]] {
        let target = absent(server(), "new");
        let copy = dbhaul().args(["copy", &source.uri(), &target.uri()]).args(options);
        copy.client_dirs([server().client_dir()]).run().expect_code(0);
        is_right(&target, "copy");
    }
}

/// Each database keeps its texts in its own encoding, wherever all of them are kept.
#[test]
fn texts_of_a_database_in_another_encoding_stay_what_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let words = "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
    let texts = |database: &Database<'_>| {
        database.sql(
            "SET client_encoding = 'UTF8'; SELECT shobj_description(oid, 'pg_database') || ' ' || current_setting('app.name') \
             FROM pg_database WHERE datname = current_database()",
        )
    };
    let write = |database: &Database<'_>, comment: &str| {
        let name = database.name();
        database.sql(&format!(
            "SET client_encoding = 'UTF8'; COMMENT ON DATABASE {name} IS '{comment}'; ALTER DATABASE {name} SET app.name = 'é'"
        ));
    };
    let (source, target) = (made(server(), "src", words), made(server(), "there", words));
    source.sql("CREATE TABLE t (id int)");
    write(&source, "ü");
    write(&target, "ö");
    let archive = dump(&source, folder.path());
    let fresh = absent(server(), "new");
    restored(&archive, &fresh, &["--create"]);
    assert_eq!(texts(&fresh), "ü é");
    restored(&archive, &target, &["--clean", "database", "--yes"]);
    assert_eq!(texts(&target), "ö é");
    let verify = dbhaul().args(["verify", "--json", "--restore-into", &server().uri("postgres")]).arg(&archive);
    let output = verify.client_dirs([server().client_dir()]).run().expect_code(0);
    let not_compared = output.json()["restored"]["not_compared"].to_string();
    assert!(!not_compared.contains("comment") && !not_compared.contains("app.name"), "{not_compared}");
}

/// A value that may be a secret shows in no error, and what can't be carried over is lost with no database.
#[test]
fn a_database_is_not_replaced_by_who_may_not_give_it_what_it_has() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = dump(&source(), folder.path());
    server().sql("CREATE ROLE props_owner LOGIN CREATEDB PASSWORD 'secret-79'");
    let target = made(server(), "there", "OWNER props_owner TEMPLATE template0");
    server().sql(&format!("ALTER DATABASE {} SET app.key = 'geheim-4321'", target.name()));
    target.sql("CREATE TABLE keep (id int)");
    let uri = server().uri_as("props_owner", "secret-79", target.name());
    let restore =
        dbhaul().arg("restore").arg(&archive).arg(uri).args(["--clean", "database", "--yes", "--json", "-vv"]);
    let output = restore.client_dirs([server().client_dir()]).run();
    let kept = target.sql("SELECT count(*) FROM keep");
    drop(target);
    server().sql("DROP ROLE props_owner");
    assert!(!said(&output).contains("geheim"), "{}", said(&output));
    output.expect_code(10);
    assert_eq!(kept, "0");
}

/// What `pg_dump` itself writes.
fn foreign(source: &Database<'_>, folder: &Path, options: &[&str]) -> PathBuf {
    let path = folder.join(format!("{}.foreign", source.name()));
    let mut pg_dump = source.client("pg_dump");
    pg_dump.args(options).arg("-f").arg(&path).env("PGOPTIONS", "-c statement_timeout=0");
    let status = pg_dump.status().expect("run pg_dump");
    assert!(status.success());
    path
}

#[test]
fn a_foreign_dump_tells_of_its_database() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = made(server(), "ascii", "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
    source.sql("SET client_encoding = SQL_ASCII; CREATE TABLE b (t text); INSERT INTO b VALUES (E'\\377')");
    // A millisecond would end the restore's own sessions.
    server().sql(&format!("ALTER DATABASE {} SET statement_timeout = '1ms'", source.name()));
    for options in [&["-Fp"][..], &["-Fc"]] {
        let target = absent(server(), "new");
        restored(&foreign(&source, folder.path(), options), &target, &["--create"]);
        assert_eq!(facts(&target, LOCALE), "SQL_ASCII C C");
        let expected = if options == ["-Fc"] { "statement_timeout=1ms" } else { "" };
        assert_eq!(settings(&target), expected);
        server().sql(&format!("ALTER DATABASE {} RESET ALL", target.name()));
        assert_eq!(target.sql("SELECT encode(t::bytea, 'hex') FROM b"), "ff");
    }
}

#[test]
fn a_locale_that_the_target_lacks_becomes_the_nearest_and_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = made(server(), "src", "LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8' TEMPLATE template0");
    let path = foreign(&source, folder.path(), &["-Fc"]);
    let mut bytes = fs::read(&path).expect("read");
    let (known, unknown) = (b"'C.UTF-8'", b"'xx.UTF8'");
    let places: Vec<_> = bytes.windows(known.len()).enumerate().filter(|(_, w)| w == known).map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + unknown.len()].copy_from_slice(unknown);
    }
    fs::write(&path, bytes).expect("write");
    let target = absent(server(), "new");
    let output = restoring(&path, &target, &["--create"]).run().expect_code(0);
    assert_eq!(facts(&target, LOCALE), "UTF8 C.UTF-8 C.UTF-8");
    assert!(output.stderr.contains("collation: xx.UTF8 in the source, C.UTF-8 in the target"), "{}", output.stderr);
    // Nor is a database lost for it.
    target.sql("CREATE TABLE old (id int)");
    restored(&path, &target, &["--clean", "database", "--yes"]);
    assert_eq!(facts(&target, LOCALE), "UTF8 C.UTF-8 C.UTF-8");
}

#[test]
fn a_locale_provider_comes_along_or_is_replaced_by_the_nearest() {
    let folder = tempfile::tempdir().expect("a folder");
    let words = "LOCALE_PROVIDER icu ICU_LOCALE 'de-u-co-phonebk' TEMPLATE template0";
    let source = made(postgres15(), "icu", words);
    let archive = dump(&source, folder.path());
    for (server, locale) in [(postgres15(), "daticulocale"), (postgres18(), "datlocale")] {
        let target = absent(server, "new");
        restored(&archive, &target, &["--create"]);
        assert_eq!(facts(&target, &format!("datlocprovider, {locale}")), "i de-u-co-phonebk");
    }
    let source = made(postgres18(), "built", "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' TEMPLATE template0");
    let archive = dump(&source, folder.path());
    let target = absent(postgres18(), "new");
    restored(&archive, &target, &["--create"]);
    assert_eq!(facts(&target, "datlocprovider, datlocale"), "b C.UTF-8");
    let target = absent(postgres15(), "new");
    let output =
        restoring(&archive, &target, &["--create"]).client_dirs([postgres18().client_dir()]).run().expect_code(0);
    assert_eq!(facts(&target, "datlocprovider, datcollate, datctype"), "c C C.UTF-8");
    assert!(output.stderr.contains("locale provider: builtin in the source, libc in the target"), "{}", output.stderr);
}

#[test]
fn a_user_with_few_rights_gets_what_the_user_may_have() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = dump(&source(), folder.path());
    server().sql("CREATE ROLE props_maker LOGIN CREATEDB PASSWORD 'geheim-77'");
    let target = absent(server(), "new");
    let uri = server().uri_as("props_maker", "geheim-77", target.name());
    let restore = dbhaul().arg("restore").arg(&archive).arg(uri).args(["--create", "--json"]);
    let output = restore.client_dirs([server().client_dir()]).run().expect_code(0);
    assert_eq!(facts(&target, &format!("{LOCALE}, pg_get_userbyid(datdba)")), "LATIN1 C C props_maker");
    assert_eq!(settings(&target), SET.replace("props_app work_mem=64MB\n", "").replace("app.key=geheim-1234\n", ""));
    let hands = by_hand(&output.json());
    is_left_to_people(&hands, "SET app.key TO ...;", "permission denied to set parameter \"app.key\"");
    is_left_to_people(&hands, "ALTER ROLE \"props_app\"", "permission denied");
    drop(target);
    server().sql("DROP ROLE props_maker");
}

#[test]
fn what_belongs_to_a_database_is_asked_of_every_version() {
    for flavour in [Flavour::Postgres13, Flavour::Postgres16, Flavour::Postgres17] {
        let server = shared(flavour);
        let folder = tempfile::tempdir().expect("a folder");
        let source = made(server, "src", "ENCODING 'LATIN9' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
        server.sql(&format!("ALTER DATABASE {} SET timezone = 'Asia/Tokyo'", source.name()));
        let target = absent(server, "new");
        let archive = dump(&source, folder.path());
        for options in [&["--create"][..], &["--clean", "database", "--yes"]] {
            restored(&archive, &target, options);
            assert_eq!(facts(&target, LOCALE), "LATIN9 C C", "{}", flavour.name());
            assert_eq!(settings(&target), "TimeZone=Asia/Tokyo");
        }
    }
}

/// A database with `SQL_ASCII` has bytes: those that are UTF-8 come along, the others are named.
#[test]
fn texts_of_a_database_without_an_encoding_come_along_or_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let words = "ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
    let (source, target) = (made(server(), "src", words), made(server(), "there", words));
    let texts = |database: &Database<'_>| {
        database.sql(
            "SELECT shobj_description(d.oid, 'pg_database'), setconfig FROM pg_database d JOIN pg_db_role_setting s \
             ON s.setdatabase = d.oid WHERE datname = current_database()",
        )
    };
    let name = source.name();
    source.sql(&format!(
        "CREATE TABLE t (id int); COMMENT ON DATABASE {name} IS 'Größe'; ALTER DATABASE {name} SET search_path = 'größe', public"
    ));
    let archive = dump(&source, folder.path());
    let fresh = absent(server(), "new");
    restored(&archive, &fresh, &["--create"]);
    assert_eq!(texts(&fresh), texts(&source));
    let name = target.name();
    target.sql(&format!("COMMENT ON DATABASE {name} IS 'später'; ALTER DATABASE {name} SET app.x = 'ü'"));
    restored(&archive, &target, &["--clean", "database", "--yes"]);
    assert_eq!(texts(&target), "später\t{app.x=ü,\"search_path=\\\"größe\\\", public\"}");

    target.sql(&format!(
        "SET client_encoding = 'SQL_ASCII'; DO $$ BEGIN EXECUTE 'ALTER DATABASE {name} SET app.x = ''' \
        || convert_from('\\xf6', 'SQL_ASCII') || ''''; END $$"
    ));
    let refused = restoring(&archive, &target, &["--clean", "database", "--yes"]).run();
    refused.refused(10, &["has a setting app.x that is no text", "nothing was changed", "hint: --clean schema"]);
    let path = folder.path().join("bytes.tar.gz");
    let output = dbhaul().args(["dump", &target.uri(), "-o"]).arg(path).client_dirs([server().client_dir()]).run();
    assert!(said(&output.expect_code(0)).contains("the database's setting app.x is no text: not in the dump"));
}

#[test]
fn settings_beyond_ascii_come_in_the_transaction_that_ends_the_restore_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = made(server(), "src", "TEMPLATE template0");
    let name = source.name();
    source.sql(&format!("CREATE TABLE other (id int); ALTER DATABASE {name} SET search_path = 'größe', '€', public"));
    let archive = dump(&source, folder.path());
    let target = made(server(), "there", "TEMPLATE template0");
    restored(&archive, &target, &[]);
    assert_eq!((settings(&target), transactions(&target)), (settings(&source), "1".to_owned()));
    // What the target's encoding has not is left to a person, and ends nothing.
    let latin = made(server(), "there", "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
    let result = restored(&archive, &latin, &[]);
    is_left_to_people(&by_hand(&result), "'€'", "has no equivalent");
    assert_eq!(latin.sql("SELECT count(*) FROM other"), "0");
}

/// Whom it is open to and where it is kept is no archive's to decide.
#[test]
fn a_template_and_a_tablespace_are_said() {
    let server = Server::start(Flavour::Postgres15);
    let place = server.data().parent().expect("the server's folder").join("place");
    fs::create_dir(&place).expect("made");
    let owner = fs::metadata(server.data()).expect("there");
    std::os::unix::fs::chown(&place, Some(owner.uid()), Some(owner.gid())).expect("given");
    server.sql(&format!("CREATE TABLESPACE \"the place\" LOCATION '{}'", place.display()));
    let source = made(&server, "src", "IS_TEMPLATE true TABLESPACE \"the place\"");
    let folder = tempfile::tempdir().expect("a folder");
    let archive = dump(&source, folder.path());
    let shown = said(&dbhaul().arg("inspect").arg(&archive).run().expect_code(0));
    for line in ["tablespace the place", "a template"] {
        assert!(shown.contains(&format!("property       {line}")), "{line}: {shown}");
    }
    let by_client = folder.path().join("client");
    for format in ["custom", "plain"] {
        let mut client = source.client("pg_dump");
        client.args(["--create", "--format", format, "--file"]).arg(&by_client);
        assert!(client.status().expect("run pg_dump").success());
        for archive in [&archive, &by_client] {
            let target = absent(&server, "new");
            let hands = by_hand(&restored(archive, &target, &["--create", "--keep-owner"]));
            is_left_to_people(&hands, "IS_TEMPLATE true;", "nobody can drop it");
            is_left_to_people(&hands, "SET TABLESPACE \"the place\";", "it moves the database's files");
            assert_eq!(hands.len(), 2, "{hands:?}");
            for (statement, _) in &hands {
                server.sql(statement);
            }
            assert_eq!(facts(&target, "datistemplate, dattablespace > 2000"), "t t");
            server.sql(&format!("ALTER DATABASE {} IS_TEMPLATE false", target.name()));
        }
    }
    server.sql(&format!("ALTER DATABASE {} IS_TEMPLATE false", source.name()));
}
