//! A dump and a restore of every fixture on every server, compared row by row and schema by schema.

mod database_names;
mod database_properties;
mod encodings;
mod floats;
mod hidden_operators;
mod objects;
mod tablespaces;
mod values;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    Database, Dbhaul, Server, checksum, dbhaul, fixture, mariadb, mysql, postgres15, postgres18, schema,
};

/// A database filled from `fixtures/NAME-FAMILY.sql`.
pub fn loaded<'s>(server: &'s Server, name: &str) -> Database<'s> {
    let database = server.database(&name.replace('-', "_"));
    let family = if server.flavour().is_postgres() { "postgres" } else { "mysql" };
    database.load_file(fixture(&format!("{name}-{family}.sql")));
    database
}

/// A dbhaul that finds the server's own clients.
pub fn with_clients_of(server: &Server) -> Dbhaul {
    dbhaul().client_dirs([server.client_dir()])
}

/// `dbhaul dump --json -o FOLDER/ ARGS URI`, done: the archive and the JSON result.
pub fn dumped(database: &Database<'_>, folder: &TempDir, args: &[&str]) -> (PathBuf, Value) {
    let output = with_clients_of(database.server())
        .args(["dump", "--json", "--output"])
        .arg(format!("{}/", folder.path().display()))
        .args([&database.uri()])
        .args(args)
        .run()
        .expect_code(0);
    let json = output.json();
    (PathBuf::from(json["archive"].as_str().expect("a path")), json)
}

/// `dbhaul restore --json ARGS ARCHIVE URI`, done: the JSON result.
pub fn restored(archive: &Path, target: &Database<'_>, args: &[&str]) -> Value {
    let output = with_clients_of(target.server()).args(["restore", "--json"]).arg(archive).arg(target.uri());
    output.args(args).run().expect_code(0).json()
}

/// What an archive and its source become by a restore and a copy, with one job and with two.
pub fn restored_and_copied<'s>(archive: &Path, source: &Database<'s>) -> Vec<Database<'s>> {
    let server = source.server();
    let both = |jobs: &str| {
        let [target, copy] = ["restored", "copied"].map(|name| server.database(name));
        restored(archive, &target, &["--jobs", jobs]);
        with_clients_of(server).args(["copy", &source.uri(), &copy.uri(), "--jobs", jobs]).run().expect_code(0);
        [target, copy]
    };
    ["1", "2"].into_iter().flat_map(both).collect()
}

/// The rows of each table by themselves: what a table's partitions and heirs hold is theirs.
pub fn real_rows(database: &Database<'_>) -> BTreeMap<String, u64> {
    let counts = if database.server().flavour().is_postgres() {
        database.sql(
            r"SELECT format('SELECT replace(%L, chr(10), '' ''), count(*) FROM ONLY %I.%I', nspname || '.' || relname, nspname, relname)
              FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
              WHERE relkind = 'r' AND nspname !~ '^pg_' AND nspname <> 'information_schema' \gexec",
        )
    } else {
        let statements = database.sql(
            "SELECT HEX(CONCAT('SELECT ', QUOTE(REPLACE(table_name, CHAR(10), ' ')), ', COUNT(*) FROM `',
                REPLACE(table_name, '`', '``'), '`;'))
             FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')",
        );
        let unhex = |line: &str| -> String {
            let bytes = (0..line.len()).step_by(2).map(|at| u8::from_str_radix(&line[at..at + 2], 16).expect("hex"));
            String::from_utf8(bytes.collect()).expect("a statement")
        };
        database.sql(&statements.lines().map(unhex).collect::<String>())
    };
    let count = |line: &str| {
        let (name, rows) = line.rsplit_once('\t').expect("two columns");
        (name.to_owned(), rows.parse().expect("a count"))
    };
    counts.lines().map(count).collect()
}

/// Panics unless both hold the same rows and the same schema. Definers that nobody is have become the restoring user.
pub fn assert_same(source: &Database<'_>, target: &Database<'_>) {
    assert_eq!(checksum(target), checksum(source));
    let wanted = schema(source).replace("`ghost`@`%.example.test`", "`dbhaul`@`%`");
    assert_eq!(schema(target), wanted.replace(source.name(), target.name()));
}

/// `file:///PATH` is the path; the scheme of a store that is not there is said.
#[test]
fn an_archive_is_named_by_its_url_as_by_its_path() {
    let source = loaded(mysql(), "objects");
    let (target, folder) = (mysql().database("target"), tempfile::tempdir().expect("a folder"));
    let url = format!("file://{}/with%20a%20blank.tar.gz", folder.path().display());
    let run = |words: &[&str]| with_clients_of(mysql()).args(words).run();
    let dumped = run(&["dump", &source.uri(), "-o", &url]).expect_code(0);
    let path = folder.path().join("with a blank.tar.gz");
    assert_eq!(dumped.text().trim_end(), path.display().to_string());
    run(&["verify", &url]).expect_code(0);
    run(&["inspect", &url]).expect_code(0);
    run(&["restore", &url, &target.uri()]).expect_code(0);
    assert_same(&source, &target);
    run(&["dump", &source.uri(), "-o", &url]).refused(10, &["exists already"]);
    run(&["dump", &source.uri(), "-o", "file://elsewhere/a"]).refused(2, &["file:///PATH"]);
}

/// A member of an archive, by GNU tar, which finds out the compression.
pub fn member(archive: &Path, pattern: &str) -> Vec<u8> {
    let output = Command::new("tar").arg("xOf").arg(archive).args(["--wildcards", pattern]).output().expect("run tar");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

pub fn manifest(archive: &Path) -> Value {
    serde_json::from_slice(&member(archive, "*/manifest.json")).expect("a manifest")
}

/// There and back: the archive, for those who look at it further.
fn round_trip(server: &Server, name: &str, args: &[&str]) {
    let source = if name.is_empty() { server.database("nothing") } else { loaded(server, name) };
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, json) = dumped(&source, &folder, args);
    let rows_of = real_rows(&source);
    assert_eq!(json["rows"], rows_of.values().sum::<u64>(), "rows of the dump");

    let manifest = manifest(&archive);
    // Partitioned tables are in the list, too: they hold no rows themselves.
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for table in manifest["tables"].as_array().expect("tables") {
        let schema = table["schema"].as_str().map_or(String::new(), |schema| format!("{schema}."));
        let name = format!("{schema}{}", table["name"].as_str().expect("a name")).replace('\n', " ");
        let rows = table["rows"].as_u64().unwrap_or_else(|| panic!("not counted: {table}"));
        if rows > 0 || rows_of.contains_key(&name) {
            seen.insert(name, rows);
        }
    }
    assert_eq!(seen, rows_of);
    assert_eq!(manifest["missing"], Value::Array(Vec::new()));

    let target = server.database("back");
    let back = restored(&archive, &target, &[]);
    assert_eq!(back["rows"], json["rows"], "rows of the restore");
    assert_eq!(back["tables"], json["tables"]);
    assert_same(&source, &target);
}

macro_rules! round_trips {
    ($($test:ident: $server:ident, $name:literal $(, $arg:literal)*;)*) => { $(
        #[test]
        fn $test() {
            round_trip($server(), $name, &[$($arg),*]);
        }
    )* };
}

round_trips! {
    chinook_comes_back_on_postgres15: postgres15, "chinook";
    chinook_comes_back_on_postgres18: postgres18, "chinook";
    chinook_comes_back_on_mysql: mysql, "chinook";
    chinook_comes_back_on_mariadb: mariadb, "chinook";
    all_kinds_of_objects_come_back_on_postgres15: postgres15, "objects";
    all_kinds_of_objects_come_back_on_postgres18: postgres18, "objects";
    all_kinds_of_objects_come_back_on_mysql: mysql, "objects";
    all_kinds_of_objects_come_back_on_mariadb: mariadb, "objects";
    a_row_of_30_megabytes_comes_back_on_postgres15: postgres15, "big-row";
    a_row_of_30_megabytes_comes_back_on_postgres18: postgres18, "big-row";
    a_row_of_30_megabytes_comes_back_on_mysql: mysql, "big-row";
    a_row_of_30_megabytes_comes_back_on_mariadb: mariadb, "big-row";
    an_empty_database_comes_back_on_postgres15: postgres15, "";
    an_empty_database_comes_back_on_postgres18: postgres18, "";
    an_empty_database_comes_back_on_mysql: mysql, "";
    an_empty_database_comes_back_on_mariadb: mariadb, "";
    a_plain_dump_of_chinook_comes_back: postgres15, "chinook", "--format", "plain";
    a_plain_dump_of_all_objects_comes_back_on_postgres15: postgres15, "objects", "--format", "plain", "--keep-comments";
    a_plain_dump_of_all_objects_comes_back_on_postgres18: postgres18, "objects", "--format", "plain", "--keep-comments";
    a_zstd_archive_comes_back: postgres18, "objects", "--compression", "zstd";
    a_zstd_archive_of_a_level_comes_back: mysql, "chinook", "--compression", "zstd:3";
    an_archive_without_compression_comes_back: mariadb, "objects", "--compression", "none";
    a_gzip_archive_of_level_9_comes_back: postgres15, "objects", "--compression", "gzip:9";
}

/// `-o -` into a file, and that file through stdin into a second database.
fn through_streams(server: &Server) {
    let source = loaded(server, "objects");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("stream");
    let out = File::create(&path).expect("a file");
    let output = with_clients_of(server)
        .args(["dump", "--json", "-o", "-", &source.uri()])
        .output_file(out)
        .run()
        .expect_code(0);
    let last = output.stderr.lines().last().expect("a line");
    let json: Value = serde_json::from_str(last).expect("the result as JSON on stderr");
    assert_eq!((json["status"].as_str(), &json["archive"]), (Some("ok"), &Value::Null));
    let members = json["members"].as_array().expect("members");
    assert!(members[0]["path"].as_str().expect("a path").ends_with(".00001"), "{members:?}");
    assert_eq!(json["bytes"], fs::metadata(&path).expect("the archive").len());

    let target = server.database("back");
    restored(&path, &target, &[]);
    assert_same(&source, &target);
    let piped = server.database("piped");
    let restore = |dbhaul: Dbhaul| dbhaul.args(["restore", "-", &piped.uri()]).run().expect_code(0);
    let output = restore(with_clients_of(server).input(fs::read(&path).expect("the archive")));
    assert_eq!(output.text(), "");
    assert_same(&source, &piped);
    // The other way round: the archive of a file, as a redirected file.
    piped.server().sql(&format!("DROP DATABASE {0}", server.quote(piped.name())));
    piped.server().sql(&format!("CREATE DATABASE {0}", server.quote(piped.name())));
    let (archive, _) = dumped(&source, &folder, &[]);
    restore(with_clients_of(server).input_file(File::open(archive).expect("the archive")));
    assert_same(&source, &piped);
}

#[test]
fn an_archive_goes_through_stdout_and_stdin_on_postgres15() {
    through_streams(postgres15());
}

#[test]
fn an_archive_goes_through_stdout_and_stdin_on_postgres18() {
    through_streams(postgres18());
}

#[test]
fn an_archive_goes_through_stdout_and_stdin_on_mysql() {
    through_streams(mysql());
}

#[test]
fn an_archive_goes_through_stdout_and_stdin_on_mariadb() {
    through_streams(mariadb());
}

/// Names of all files of a folder.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect()
}

#[test]
fn row_60_the_archive_is_named_by_second_and_database_and_readable_by_its_owner_only() {
    let source = postgres15().database("app");
    let folder = tempfile::tempdir().expect("a folder");
    let output = with_clients_of(postgres15()).args(["dump", &source.uri()]).cwd(folder.path()).run().expect_code(0);
    let name = output.text().strip_suffix('\n').expect("one line").trim_start_matches("./").to_owned();
    assert_eq!(names(folder.path()), BTreeSet::from([name.clone()]));
    let (second, rest) = name.split_at(14);
    assert!(second.bytes().all(|byte| byte.is_ascii_digit()), "{name}");
    let utc = Command::new("date").args(["-u", "+%Y%m%d"]).output().expect("run date").stdout;
    // Midnight may pass between the two.
    let today: u64 = String::from_utf8(utc).expect("digits").trim().parse().expect("a number");
    assert!(second[..8].parse::<u64>().expect("a number") <= today, "{name}");
    assert_eq!(rest, format!("_{}.tar.gz", source.name()));
    let mode = fs::metadata(folder.path().join(&name)).expect("the archive").permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);

    for (compression, extension) in [("zstd", ".tar.zst"), ("none", ".tar")] {
        let (archive, _) = dumped(&source, &folder, &["--compression", compression, "--name", "my name"]);
        let name = archive.file_name().expect("a name").to_str().expect("UTF-8");
        assert!(name.ends_with(extension), "{name}");
        assert_eq!(name.len(), "20231207000608_my_name".len() + extension.len(), "{name}");
    }
}

#[test]
fn row_60_a_second_archive_of_the_same_second_gets_a_number() {
    let source = postgres15().database("app");
    let folder = tempfile::tempdir().expect("a folder");
    // Every name of the next minute is taken already, whenever the dump begins.
    let now = Command::new("date").arg("+%s").output().expect("run date").stdout;
    let now: u64 = String::from_utf8(now).expect("digits").trim().parse().expect("a number");
    let mut times = Command::new("date");
    times.env("TZ", "UTC").args(["-f", "-", "+%Y%m%d%H%M%S"]).stdin(std::process::Stdio::piped());
    let mut times = times.stdout(std::process::Stdio::piped()).spawn().expect("run date");
    let lines: String = (now..now + 60).map(|second| format!("@{second}\n")).collect();
    std::io::Write::write_all(&mut times.stdin.take().expect("a pipe"), lines.as_bytes()).expect("write");
    let times = times.wait_with_output().expect("date's answer").stdout;
    for second in String::from_utf8(times).expect("digits").lines() {
        fs::write(folder.path().join(format!("{second}_app.tar.gz")), "mine").expect("take the name");
    }
    let (second, _) = dumped(&source, &folder, &["--name", "app"]);
    assert!(second.to_str().expect("UTF-8").ends_with("_app_2.tar.gz"), "{}", second.display());
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 61);
    let target = postgres15().database("back");
    restored(&second, &target, &[]);
}

#[test]
fn a_file_that_is_there_is_refused_and_left_alone() {
    let source = postgres15().database("app");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mine.tar.gz");
    fs::write(&path, "mine").expect("a file");
    let dump = |output: &Path| with_clients_of(postgres15()).args(["dump", &source.uri(), "-o"]).arg(output).run();
    let refused = dump(&path).expect_code(10);
    assert!(refused.stderr.contains("mine.tar.gz"), "{}", refused.stderr);
    assert_eq!(refused.text(), "");
    assert_eq!(fs::read_to_string(&path).expect("the file"), "mine");
    assert_eq!(names(folder.path()), BTreeSet::from(["mine.tar.gz".to_owned()]));

    let other = folder.path().join("other.tgz");
    let done = dump(&other).expect_code(0);
    assert_eq!(done.text(), format!("{}\n", other.display()));
    assert_eq!(names(folder.path()), BTreeSet::from(["mine.tar.gz".to_owned(), "other.tgz".to_owned()]));
}

/// Many blocks and parts: a dump of more than the archive's buffers hold, with its limit raised for slow machines.
#[test]
fn a_big_stream_has_several_parts_and_comes_back() {
    let server = postgres15();
    let source = server.database("parts");
    source.sql("CREATE TABLE noise AS SELECT i, sha512(i::text::bytea) AS a FROM generate_series(1, 600000) AS i");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("stream");
    with_clients_of(server)
        .args(["dump", "-o", "-", "--compression", "gzip:1", &source.uri()])
        .output_file(File::create(&path).expect("a file"))
        .limit(Duration::from_secs(300))
        .run()
        .expect_code(0);
    let members = manifest(&path)["members"].as_array().expect("members").len();
    assert!(members > 2, "{members} members");
    for jobs in ["1", "2"] {
        let target = server.database("back");
        restored(&path, &target, &["--jobs", jobs]);
        assert_same(&source, &target);
    }
}

/// What kind of server it is, in the manifest's words.
#[test]
fn the_manifest_names_server_client_and_database() {
    for (server, engine, flavour, program) in [
        (postgres15(), "postgresql", "PostgreSQL", "pg_dump"),
        (postgres18(), "postgresql", "PostgreSQL", "pg_dump"),
        (mysql(), "mysql", "MySQL", "mysqldump"),
        (mariadb(), "mysql", "MariaDB", "mariadb-dump"),
    ] {
        let source = loaded(server, "chinook");
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, json) = dumped(&source, &folder, &[]);
        let manifest = manifest(&archive);
        let version = format!("{}.", server.flavour().version());
        for text in [&manifest["server_version"], &json["server_version"], &manifest["client"]["version"]] {
            assert!(text.as_str().expect("a version").starts_with(&version), "{text}");
        }
        assert_eq!(manifest["engine"], engine);
        assert_eq!(manifest["flavour"], flavour);
        assert_eq!(manifest["client"]["program"], program);
        assert_eq!(manifest["database"], source.name());
        assert_eq!(manifest["tables"].as_array().expect("tables").len(), 11);
        assert_eq!(manifest["members"][0]["sha256"], json["members"][0]["sha256"]);
        assert_eq!(json["tables"], 11);
        assert_eq!(json["rows"], 15_607);
    }
}
