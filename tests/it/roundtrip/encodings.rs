//! Encodings: a dump is written in the database's, whatever a role says, and names are themselves everywhere.

use crate::{
    roundtrip::{dumped, restored, restored_and_copied, with_clients_of},
    support::{Database, Dbhaul, Server, dbhaul, mariadb, mysql, postgres15, sweeping},
};

/// A database in this encoding, without a locale's opinion of it.
fn encoded<'s>(server: &'s Server, encoding: &str) -> Database<'s> {
    let database = server.database(&format!("enc_{}", encoding.to_lowercase()));
    let name = server.quote(database.name());
    server.sql(&format!("DROP DATABASE {name}"));
    server.sql(&format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"));
    database
}

fn inspected(archive: &std::path::Path) -> String {
    dbhaul().args(["inspect", "--json"]).arg(archive).run().expect_code(0).text().to_owned()
}

/// An archive's dump, as bytes.
fn member(archive: &std::path::Path) -> Vec<u8> {
    let tar = std::process::Command::new("tar")
        .args(["xzOf"])
        .arg(archive)
        .args(["--wildcards", "*/dump.*", "*/part.*"])
        .output();
    tar.expect("run tar").stdout
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

#[test]
fn a_roles_client_encoding_changes_no_dump_and_no_name() {
    let server = postgres15();
    let source = server.database("client_encoding");
    let role = format!("{}_app", source.name());
    source.sql(&format!(
        "SET client_encoding = 'UTF8'; CREATE ROLE {role} LOGIN SUPERUSER PASSWORD 'secret-of-app';
         CREATE TABLE \"café\" (id int PRIMARY KEY, t text); INSERT INTO \"café\" VALUES (1, 'é'), (2, U&'\\+01F600');
         CREATE TABLE plain (t text); INSERT INTO plain VALUES ('😀'); COMMENT ON TABLE plain IS '😀';"
    ));
    let folder = tempfile::tempdir().expect("a folder");
    source.sql(&format!("ALTER ROLE {role} SET client_encoding = 'LATIN1'"));
    let uri = |name: &str| server.uri_as(&role, "secret-of-app", name);
    let rows = "SELECT string_agg(encode(convert_to(t, 'UTF8'), 'hex'), ' ' ORDER BY id) FROM \"caf\\00e9\"";
    let rows = rows.replace("\"caf", "U&\"caf");
    for (name, arguments) in [("one", &[][..]), ("two", &["--jobs", "2"]), ("plain", &["--format", "plain"])] {
        let archive = folder.path().join(format!("{name}.tar.gz"));
        let dump = with_clients_of(server).args(["dump", &uri(source.name())]).args(arguments);
        dump.arg("-o").arg(&archive).run().expect_code(0);
        assert!(inspected(&archive).contains("\"café\""), "{name}");
        // As a role that is told nothing, and as the one that is.
        let target = server.database("restored");
        restored(&archive, &target, &[]);
        assert_eq!(target.sql(&rows), "c3a9 f09f9880", "{name}");
        let target = server.database("restored");
        let restore = with_clients_of(server).arg("restore").arg(&archive).arg(uri(target.name()));
        restore.args(["--table", "café"]).run().expect_code(0);
        assert_eq!(target.sql(&rows), "c3a9 f09f9880", "{name}");
        if name == "one" {
            let verify =
                with_clients_of(server).arg("verify").arg(&archive).arg("--restore-into").arg(uri(target.name()));
            verify.run().expect_code(0);
        }
    }
    let target = server.database("copied");
    let copy = with_clients_of(server).args(["copy", &uri(source.name()), &uri(target.name()), "--jobs", "2"]);
    copy.run().expect_code(0);
    assert_eq!(target.sql(&rows), "c3a9 f09f9880");
}

#[test]
fn patterns_mean_their_names_in_a_database_of_another_encoding() {
    let server = postgres15();
    let source = encoded(server, "LATIN1");
    source.sql(
        "SET client_encoding = 'UTF8'; CREATE TABLE \"café\" (t text); INSERT INTO \"café\" VALUES ('SECRET-é');
         CREATE SCHEMA \"été\"; CREATE TABLE \"été\".x (t text); INSERT INTO \"été\".x VALUES ('HIDDEN');
         CREATE TABLE plain (t text); INSERT INTO plain SELECT 'kept ' || i FROM generate_series(1, 900) i",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let run = |dump: Dbhaul, name: &str, arguments: &[&str]| {
        let archive = folder.path().join(format!("{name}.tar.gz"));
        dump.args(["dump", &source.uri(), "-o"]).arg(&archive).args(arguments).run().expect_code(0);
        archive
    };
    let dump = |name: &str, arguments: &[&str]| run(with_clients_of(server), name, arguments);
    // What stays out, and what is there all the same.
    for (name, arguments, out, within) in [
        ("rows", &["--exclude-table-data", "café"][..], "SECRET", "HIDDEN"),
        ("quoted", &["--exclude-table-data", "\"été\".x"], "HIDDEN", "SECRET"),
        ("table", &["--exclude-table", "café"], "SECRET", "HIDDEN"),
        ("schema", &["--exclude-schema", "été"], "HIDDEN", "SECRET"),
        ("only", &["--table", "CAFé"], "HIDDEN", "SECRET"),
        ("only_schema", &["--schema", "é*"], "SECRET", "HIDDEN"),
        ("jobs", &["--jobs", "3", "--exclude-table-data", "caf?"], "SECRET", "HIDDEN"),
        ("handed", &["--format", "plain", "--", "--exclude-table=café"], "SECRET", "HIDDEN"),
        ("their_own", &["--format", "plain", "--", "-E", "UTF8", "--exclude-table=café"], "SECRET", "HIDDEN"),
    ] {
        let archive = dump(name, arguments);
        let bytes = member(&archive);
        assert!(!contains(&bytes, out.as_bytes()) && contains(&bytes, within.as_bytes()), "{name}");
        assert!(!inspected(&archive).contains('\u{fffd}'), "{name}");
    }
    // A character that the encoding has not stands in no name: that is told, not passed over.
    let refused = with_clients_of(server).args(["dump", &source.uri(), "--exclude-table-data", "日本"]).run();
    let refused = refused.expect_code(2);
    assert!(refused.stderr.contains("日本") && refused.stderr.contains("LATIN1"), "{}", refused.stderr);
    // All of it, by every way, and back into the same encoding.
    let rows = "SET client_encoding = 'UTF8'; SELECT t FROM \"café\" UNION ALL SELECT t FROM \"été\".x ORDER BY 1";
    for (name, arguments) in [("custom", &[][..]), ("by_three", &["--jobs", "3"]), ("sql", &["--format", "plain"])] {
        let archive = dump(name, arguments);
        assert!(contains(&member(&archive), b"SECRET-\xe9"), "in the database's encoding");
        let target = encoded(server, "LATIN1");
        restored(&archive, &target, &[]);
        assert_eq!(target.sql(rows), "HIDDEN\nSECRET-é", "{name}");
    }
    let archive = folder.path().join("custom.tar.gz");
    let target = server.database("utf8");
    restored(&archive, &target, &["--table", "café"]);
    assert_eq!(target.sql("SELECT t FROM \"café\""), "SECRET-é");
    let scratch = with_clients_of(server).arg("verify").arg(&archive).arg("--restore");
    scratch.env("TMPDIR", folder_for_others().path()).run().expect_code(0);
    // Dumps of others, too.
    let foreign = folder.path().join("foreign.dump");
    assert!(source.client("pg_dump").args(["-Fc", "-f"]).arg(&foreign).status().expect("run pg_dump").success());
    let target = encoded(server, "LATIN1");
    restored(&foreign, &target, &["--table", "café"]);
    assert_eq!(target.sql("SELECT count(*) FROM pg_class WHERE relname = 'x'"), "0");
}

/// A folder that the user of scratch servers may pass through.
fn folder_for_others() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o1777)).expect("chmod");
    folder
}

/// Server encodings of one byte a character, beside those that every test run tries.
const ONE_BYTE: [&str; 25] = [
    "ISO_8859_5",
    "ISO_8859_6",
    "ISO_8859_7",
    "ISO_8859_8",
    "KOI8R",
    "KOI8U",
    "LATIN1",
    "LATIN2",
    "LATIN3",
    "LATIN4",
    "LATIN5",
    "LATIN6",
    "LATIN7",
    "LATIN8",
    "LATIN9",
    "LATIN10",
    "WIN866",
    "WIN874",
    "WIN1250",
    "WIN1251",
    "WIN1253",
    "WIN1254",
    "WIN1255",
    "WIN1256",
    "WIN1257",
];

/// Server encodings of several bytes: a name in them, and rows.
const SEVERAL_BYTES: [(&str, &str, &[&str]); 4] = [
    ("UTF8", "f48fbfbf", &["f48fbfbf", "efbfbd", "c280"]),
    ("EUC_CN", "f7fe", &["f7fe", "fefe"]),
    ("EUC_KR", "fdfe", &["fdfe", "fefe"]),
    ("EUC_JIS_2004", "fcfe", &["fcfe", "8ffef6"]),
];

/// The highest byte that is a character in UTF-8, too, and one that is none, where there is one.
fn bytes_of(server: &Server, encoding: &str) -> Vec<String> {
    let database = server.database("bytes");
    let found = database.sql(&format!(
        "CREATE FUNCTION converts(b bytea) RETURNS bool LANGUAGE plpgsql AS
             $$BEGIN PERFORM convert(b, '{encoding}', 'UTF8'); RETURN true; EXCEPTION WHEN OTHERS THEN RETURN false; END$$;
         SELECT DISTINCT ON (c) encode(b, 'hex') FROM (SELECT b, converts(b) AS c
             FROM (SELECT set_byte('\\x00', 0, i) AS b FROM generate_series(128, 255) i) x) y ORDER BY c DESC, b DESC"
    ));
    found.lines().filter(|line| line.len() == 2).map(str::to_owned).collect()
}

/// The server has no conversion of it that a session in UTF-8 could do with.
#[test]
fn a_database_that_no_session_in_utf8_reads_is_refused_with_the_way_on() {
    let source = encoded(postgres15(), "MULE_INTERNAL");
    let words = ["conversion between UTF8 and MULE_INTERNAL", "hint: dbhaul speaks UTF-8", "pg_dump alone"];
    dbhaul().args(["doctor", &source.uri()]).run().refused(4, &words);
}

/// Of each kind of encoding one: a single byte that is a character everywhere, one with bytes that are none in UTF-8,
/// several bytes for a character, and one that dbhaul has no table for. `scripts/sweep.sh` tries all.
#[test]
fn the_highest_characters_and_bytes_without_a_counterpart_come_back() {
    let server = postgres15();
    let owned = |rows: &[&str]| rows.iter().map(|&row| row.to_owned()).collect::<Vec<_>>();
    let mut tried = vec![
        ("WIN1252", "ff".to_owned(), owned(&["ff", "81", "61c3bf"])),
        ("EUC_JP", "f4a6".to_owned(), owned(&["f4a6", "8fede3", "fefe"])),
        ("EUC_TW", "c4e3".to_owned(), owned(&["8ea2a1a1", "fefe"])),
        ("SQL_ASCII", "c3bf".to_owned(), owned(&["ff", "c3bf", "fefe"])),
    ];
    if sweeping() {
        tried.extend(SEVERAL_BYTES.map(|(encoding, name, rows)| (encoding, name.to_owned(), owned(rows))));
        tried.extend(ONE_BYTE.iter().chain(&["WIN1258"]).map(|&encoding| {
            let bytes = bytes_of(server, encoding);
            (encoding, bytes[0].clone(), bytes)
        }));
    }
    let wrong: Vec<_> =
        tried.iter().flat_map(|(encoding, name, rows)| comes_back(server, encoding, name, rows)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Dumps and restores a table of this name with these rows, each in hex. What is not so afterwards.
fn comes_back(server: &Server, encoding: &str, name: &str, rows: &[String]) -> Vec<String> {
    let source = encoded(server, encoding);
    let text = |hex: &str| format!("convert_from('\\x{hex}', '{encoding}')");
    let values = rows.iter().map(|hex| format!("({})", text(hex))).collect::<Vec<_>>().join(", ");
    let last = rows.last().expect("rows");
    source.sql(&format!(
        "DO $$ BEGIN EXECUTE format('CREATE TABLE %1$I (t text); INSERT INTO %1$I VALUES {values};
         COMMENT ON TABLE %1$I IS %2$L', {name}, {last}); END $$",
        values = values.replace('\'', "''"),
        name = text(name),
        last = text(last),
    ));
    let there = format!(
        "SELECT string_agg(encode(convert_to(t, '{encoding}'), 'hex'), ' ') FROM t
         UNION ALL SELECT encode(convert_to(obj_description('t'::regclass), '{encoding}'), 'hex')"
    );
    let seen = |database: &Database<'_>| {
        database.sql("DO $$ BEGIN EXECUTE format('ALTER TABLE %I RENAME TO t', (SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace)); END $$");
        database.sql(&there)
    };
    let folder = tempfile::tempdir().expect("a folder");
    let wanted = format!("{}\n{last}", rows.join(" "));
    let forms = [("custom", &[][..]), ("plain", &["--format", "plain", "--keep-comments"])];
    let found = forms.map(|(form, arguments)| {
        let (archive, _) = dumped(&source, &folder, &[arguments, &["--name", form]].concat());
        let target = encoded(server, encoding);
        restored(&archive, &target, &[]);
        let seen = seen(&target);
        (seen != wanted).then(|| format!("{encoding}, {form}: {seen}, not {wanted}"))
    });
    found.into_iter().flatten().collect()
}

/// A client's text is UTF-8: bytes that stand for no character, or two for one, are read as bytes by a session of ours, and named
/// where the client has to read them.
#[test]
fn bytes_that_utf8_does_not_hold_come_back() {
    for server in [mysql(), mariadb()] {
        let source = server.database("lossy");
        source.sql(
            "CREATE TABLE j (id int PRIMARY KEY, c varchar(20) CHARACTER SET sjis, d varchar(20) CHARACTER SET sjis);
             INSERT INTO j VALUES (1, x'433A5C64', 'abc'); CREATE TABLE f (c varchar(9) CHARACTER SET cp1250) ; INSERT INTO f VALUES ('abc');
             CREATE TABLE r (id int PRIMARY KEY, c varchar(20) CHARACTER SET cp1251, u varchar(9) CHARACTER SET ucs2, a char(3) CHARACTER SET ascii);
             INSERT INTO r VALUES (1, _utf8mb4'\u{436}', _utf8mb4'\u{20ac}', 'abc');
             CREATE TABLE l (id int PRIMARY KEY, a varchar(9) CHARACTER SET cp932, b char(9) CHARACTER SET cp1250, g text CHARACTER SET greek,
             s text CHARACTER SET armscii8, d varchar(9) CHARACTER SET dec8, h varchar(9) CHARACTER SET cp932 AS (CONCAT(a, 'x')));
             INSERT INTO l (id, a, b, g, s, d) VALUES (1, x'ED40FA5C8790', x'8183', x'A4AA', x'A0FF', x'A4FF'), (2, '', NULL, 'a''b', 'a\\\\', '')",
        );
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, output) = dumped(&source, &folder, &[]);
        assert_eq!(output["warnings"].as_array().map(Vec::len), Some(0), "{output}");
        let bytes = "SELECT HEX(c), HEX(d) FROM j; SELECT HEX(a), HEX(b), HEX(g), HEX(s), HEX(d) FROM l";
        for target in restored_and_copied(&archive, &source) {
            assert_eq!(target.sql(bytes), source.sql(bytes), "{}", target.name());
        }
        with_clients_of(server)
            .arg("verify")
            .arg(&archive)
            .args(["--restore-into", &source.uri()])
            .run()
            .expect_code(0);
        let by_client = ["--", "--no-autocommit"];
        let (_, output) = dumped(&source, &folder, &[&["--name", "client"], &by_client[..]].concat());
        let warnings = output["warnings"].to_string();
        assert!(warnings.contains("come back as others: j.c, l.a, l.b, l.g, l.s, "), "{warnings}");
        let without = ["--name", "without", "--exclude-table-data", "j", "--exclude-table-data", "l"];
        let (_, output) = dumped(&source, &folder, &[&without[..], &by_client].concat());
        assert!(!output["warnings"].to_string().contains("come back as others"));
    }
}
