//! Other people's archives: found out by content, whatever they are called and wrapped in.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{
    roundtrip::{assert_same, loaded, restored, with_clients_of},
    support::{
        Database, Dbhaul, Family, Flavour, Output, Server, checksum, dbhaul, fixture, mariadb, mysql, postgres15,
        postgres18, schema,
    },
};

/// The vendor's dump program on a database, with its arguments, into `path`.
fn vendor(database: &Database<'_>, program: &str, args: &[&str], path: &Path) {
    let mut dump = database.client(program);
    dump.args(args);
    if !database.server().flavour().is_postgres() {
        dump.arg(database.name());
    }
    if !args.contains(&"-f") {
        dump.stdout(fs::File::create(path).expect("a file"));
    }
    let output = dump.output().expect("run the dump program");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A custom-format dump, a directory-format dump, as pg_dump writes them by itself: compressed.
fn custom(database: &Database<'_>, path: &Path) {
    vendor(database, "pg_dump", &["-Fc", "-f", path.to_str().expect("UTF-8")], path);
}

fn directory(database: &Database<'_>, path: &Path, more: &[&str]) {
    let mut args = vec!["-Fd", "-f", path.to_str().expect("UTF-8")];
    args.extend(more);
    vendor(database, "pg_dump", &args, path);
}

fn sql(database: &Database<'_>, path: &Path) {
    let (program, args): (&str, &[&str]) = match database.server().flavour().family() {
        Family::Postgres => ("pg_dump", &[]),
        Family::Mysql => ("mysqldump", &["--routines", "--events", "--hex-blob", "--set-gtid-purged=OFF"]),
        Family::Mariadb => ("mariadb-dump", &["--routines", "--events", "--hex-blob"]),
    };
    vendor(database, program, args, path);
}

fn bash(script: &str, folder: &Path) {
    let output = Command::new("bash").args(["-euc", script]).current_dir(folder).output().expect("run bash");
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Restores each of these files of a folder into a database of its own, and compares.
fn come_back(source: &Database<'_>, folder: &Path, files: &[&str]) {
    let (rows, structure) = (checksum(source), schema(source));
    for file in files {
        let target = source.server().database("foreign");
        restored(&folder.join(file), &target, &[]);
        assert_eq!(checksum(&target), rows, "{file}");
        let structure = structure.replace("`ghost`@`%.example.test`", "`dbhaul`@`%`");
        assert_eq!(schema(&target), structure.replace(source.name(), target.name()), "{file}");
    }
}

#[test]
fn a_platforms_archive_of_postgres_comes_back_whatever_is_called_what_inside() {
    let source = loaded(postgres15(), "objects");
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    custom(&source, &at.join("20231207000608_my_app_4553.pgsql"));
    bash(
        "tar czf 20231207000608_my_app_4553.tar.gz 20231207000608_my_app_4553.pgsql
         mkdir -p 'some folder/and another' && cp *.pgsql 'some folder/and another/backup ü.txt'
         echo readme > 'some folder/README' && head -c 200000 /dev/urandom > 'some folder/a.bin'
         tar czf deep.tar.gz './some folder'
         tar cf plain.zip 'some folder'
         tar --format=posix -cJf misleading.sql 'some folder'
         tar --format=gnu -cjf no_extension 'some folder'",
        at,
    );
    come_back(
        &source,
        at,
        &["20231207000608_my_app_4553.tar.gz", "deep.tar.gz", "plain.zip", "misleading.sql", "no_extension"],
    );
}

fn a_platforms_archive_of_sql(server: &Server) {
    let source = loaded(server, "objects");
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    sql(&source, &at.join("my_app_4553.sql"));
    bash(
        "mkdir 20231207000608_my_app_4553 && cp my_app_4553.sql 20231207000608_my_app_4553/
         tar czf 20231207000608_my_app_4553.tar.gz 20231207000608_my_app_4553
         cp my_app_4553.sql x && tar czf y x",
        at,
    );
    come_back(&source, at, &["20231207000608_my_app_4553.tar.gz", "y"]);
}

#[test]
fn a_platforms_archive_of_mysql_comes_back() {
    a_platforms_archive_of_sql(mysql());
}

#[test]
fn a_platforms_archive_of_mariadb_comes_back() {
    a_platforms_archive_of_sql(mariadb());
}

#[test]
fn a_platforms_archive_of_plain_postgres_sql_comes_back() {
    a_platforms_archive_of_sql(postgres18());
}

const WRAP: &str = "for f in \"$NAME\"; do
    gzip -k $f; zstd -qk $f; bzip2 -k $f; xz -k $f
    head -c 100000 $f | gzip > first && tail -c +100001 $f | gzip > second && cat first second > members.$f.gz
    head -c 50000 $f | xz > first && tail -c +50001 $f | xz > second && cat first second > members.$f.xz
done";

fn wrapped(source: &Database<'_>, folder: &Path, name: &str) {
    bash(&WRAP.replace("$NAME", name), folder);
    let names = ["", ".gz", ".zst", ".bz2", ".xz"].map(|extension| format!("{name}{extension}"));
    let members = [".gz", ".xz"].map(|extension| format!("members.{name}{extension}"));
    come_back(source, folder, &names.iter().chain(&members).map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn a_bare_custom_dump_comes_back_however_it_is_compressed() {
    let source = loaded(postgres18(), "chinook");
    let folder = tempfile::tempdir().expect("a folder");
    custom(&source, &folder.path().join("my.dump"));
    // pg_dump > FILE: from some version on, with a second table of contents at the end.
    vendor(&source, "pg_dump", &["-Fc"], &folder.path().join("redirected.dump"));
    come_back(&source, folder.path(), &["redirected.dump"]);
    wrapped(&source, folder.path(), "my.dump");
    bash(
        "cp my.dump my.pgsql; cp my.dump my.sql; cp my.dump my.tar.gz; cp my.dump.gz my.gzip.sql; cp my.dump.xz x.gz",
        folder.path(),
    );
    come_back(&source, folder.path(), &["my.pgsql", "my.sql", "my.tar.gz", "my.gzip.sql", "x.gz"]);
}

#[test]
fn a_bare_sql_dump_of_postgres_comes_back_however_it_is_compressed() {
    let source = loaded(postgres15(), "chinook");
    let folder = tempfile::tempdir().expect("a folder");
    sql(&source, &folder.path().join("my.sql"));
    wrapped(&source, folder.path(), "my.sql");
    bash("cp my.sql my.dump; cp my.sql.zst my.sql2.gz", folder.path());
    come_back(&source, folder.path(), &["my.dump", "my.sql2.gz"]);
}

#[test]
fn a_bare_sql_dump_of_mysql_comes_back_however_it_is_compressed() {
    let source = loaded(mysql(), "chinook");
    let folder = tempfile::tempdir().expect("a folder");
    sql(&source, &folder.path().join("my.sql"));
    wrapped(&source, folder.path(), "my.sql");
    bash("cp my.sql my.pgsql", folder.path());
    come_back(&source, folder.path(), &["my.pgsql"]);
}

/// As a folder, in a tar with and without a folder around it, compressed, and through stdin.
fn directory_format(server: &Server, more: &[&str]) {
    let source = loaded(server, "objects");
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path();
    directory(&source, &at.join("my dump"), more);
    bash(
        "tar cf a.tar 'my dump' && tar czf a.tar.gz 'my dump' && tar cf flat.tar -C 'my dump' . && tar cJf a.tar.xz './my dump'",
        at,
    );
    come_back(&source, at, &["my dump", "a.tar", "a.tar.gz", "flat.tar", "a.tar.xz"]);
    let target = server.database("stdin");
    let archive = fs::File::open(at.join("a.tar.gz")).expect("the archive");
    with_clients_of(server).args(["restore", "-", &target.uri()]).input_file(archive).run().expect_code(0);
    assert_same(&source, &target);
    let parallel = server.database("jobs");
    restored(&at.join("my dump"), &parallel, &["--jobs", "2"]);
    assert_same(&source, &parallel);
}

#[test]
fn a_directory_dump_comes_back_from_a_folder_and_from_tars() {
    directory_format(postgres15(), &[]);
}

#[test]
fn a_directory_dump_without_compression_comes_back_from_a_folder_and_from_tars() {
    directory_format(postgres18(), &["-Z0"]);
}

#[test]
fn a_directory_dump_compressed_by_zstd_comes_back() {
    let source = loaded(postgres18(), "chinook");
    let folder = tempfile::tempdir().expect("a folder");
    directory(&source, &folder.path().join("zstd"), &["--compress=zstd"]);
    directory(&source, &folder.path().join("lz4"), &["--compress=lz4"]);
    let custom = folder.path().join("custom");
    vendor(&source, "pg_dump", &["-Fc", "--compress=zstd", "-f", custom.to_str().expect("UTF-8")], &custom);
    come_back(&source, folder.path(), &["zstd", "lz4", "custom"]);
}

/// A newer `pg_restore` opens the file or folder itself, and psql runs what it makes of that.
#[test]
fn what_a_newer_client_dumped_comes_back_into_an_older_server_from_a_folder_and_by_several_jobs() {
    let (source, newer) = (loaded(postgres15(), "objects"), postgres18().client_dir());
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().join("folder");
    let mut dump = postgres18().client("pg_dump");
    dump.env("PGPORT", postgres15().port().to_string()).env("PGDATABASE", source.name()).args(["-Fd", "-f"]).arg(&at);
    assert!(dump.status().expect("run pg_dump").success());
    let by_newer = || dbhaul().client_dirs([&newer]).cwd(folder.path());
    let archive = by_newer().args(["dump", &source.uri(), "--jobs", "2"]).run().expect_code(0).text().trim().to_owned();
    for (name, jobs) in [(archive.as_str(), "2"), ("folder", "1"), ("folder", "2")] {
        let target = postgres15().database("older");
        by_newer().args(["restore", name, &target.uri(), "--jobs", jobs]).run().expect_code(0);
        assert_same(&source, &target);
    }
}

#[test]
fn the_manuals_pg_dump_comes_back() {
    let source = loaded(postgres15(), "chinook");
    let folder = tempfile::tempdir().expect("a folder");
    let args = ["--clean", "--if-exists", "--format", "c", "--no-owner", "--no-privileges", "--no-comments"];
    let excluded = ["--exclude-schema", "information_schema", "--exclude-schema", "^pg_*"];
    vendor(&source, "pg_dump", &[args.as_slice(), &excluded].concat(), &folder.path().join("dump.pgsql"));
    come_back(&source, folder.path(), &["dump.pgsql"]);
}

/// How often something was adapted.
fn adapted(result: &Value, what: &str) -> Option<u64> {
    let all = result["adaptations"].as_array().expect("adaptations");
    all.iter().find(|one| one["what"].as_str().is_some_and(|text| text.contains(what)))?["count"].as_u64()
}

#[test]
fn row_35_the_manuals_mysqldump_comes_back_into_the_server_whose_gtids_it_holds() {
    let server = Server::start_with(Flavour::Mysql, &["--gtid-mode=ON", "--enforce-gtid-consistency=ON"]);
    let source = loaded(&server, "chinook");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("dump.sql");
    vendor(&source, "mysqldump", &["--column-statistics=0", "--no-tablespaces"], &path);
    let text = fs::read_to_string(&path).expect("the dump");
    assert!(text.contains("SET @@GLOBAL.GTID_PURGED"), "no GTID line to be dropped");
    let target = server.database("back");
    let result = restored(&path, &target, &[]);
    assert_same(&source, &target);
    assert!(adapted(&result, "GTID").expect("counted") >= 1, "{result}");
}

#[test]
fn row_08_a_dump_of_mariadb_with_its_sandbox_line_goes_into_mysql() {
    let source = loaded(mariadb(), "chinook");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("dump.sql");
    sql(&source, &path);
    assert!(fs::read_to_string(&path).expect("the dump").starts_with("/*M!999999\\- enable the sandbox mode */"));
    let target = mysql().database("from_mariadb");
    let result = restored(&path, &target, &[]);
    assert_eq!(adapted(&result, "sandbox"), Some(1), "{result}");
    let rows = |database: &Database<'_>| -> Vec<_> { checksum(database).into_iter().collect() };
    assert_eq!(rows(&target), rows(&source));
    let warnings = result["warnings"].to_string();
    assert!(warnings.contains("MariaDB") && warnings.contains("MySQL"), "{warnings}");
}

/// A dbhaul with the clients of both versions: 15's are in this machine's versioned folder.
pub fn with_both() -> Dbhaul {
    let path = std::env::var_os("PATH").expect("PATH");
    let folders = std::iter::once(postgres18().client_dir()).chain(std::env::split_paths(&path));
    dbhaul().env("PATH", std::env::join_paths(folders).expect("folders without a colon"))
}

fn restore_with_both(archive: &Path, target: &Database<'_>) -> Output {
    with_both().args(["restore", "--json"]).arg(archive).arg(target.uri()).run()
}

/// Made by dbhaul with the source's own clients, in each format.
fn archives(source: &Database<'_>, folder: &tempfile::TempDir) -> [PathBuf; 2] {
    [["--name", "custom", "--format", "custom"], ["--name", "plain", "--format", "plain"]]
        .map(|args| crate::roundtrip::dumped(source, folder, &args).0)
}

#[test]
fn an_archive_of_postgres_15_goes_into_18() {
    let source = loaded(postgres15(), "objects");
    let folder = tempfile::tempdir().expect("a folder");
    for archive in archives(&source, &folder) {
        let target = postgres18().database("newer");
        restore_with_both(&archive, &target).expect_code(0);
        assert_eq!(checksum(&target), checksum(&source), "{}", archive.display());
    }
}

#[test]
fn row_02_an_archive_of_postgres_18_goes_into_15_without_what_15_does_not_know() {
    let source = loaded(postgres18(), "chinook");
    let folder = tempfile::tempdir().expect("a folder");
    for archive in archives(&source, &folder) {
        let target = postgres15().database("older");
        let result = restore_with_both(&archive, &target).expect_code(0).json();
        assert_eq!(checksum(&target), checksum(&source), "{}", archive.display());
        assert_eq!(schema(&target).matches("CREATE TABLE").count(), 11);
        assert_eq!(adapted(&result, "transaction_timeout"), Some(1), "{result}");
        assert!(result["warnings"].to_string().contains("PostgreSQL 18."), "{result}");
    }
}

#[test]
fn what_postgres_15_does_not_know_leaves_the_target_untouched() {
    let source = postgres18().database("virtual");
    source.sql("CREATE TABLE first (id int); CREATE TABLE second (a int, b int GENERATED ALWAYS AS (a * 2) VIRTUAL)");
    let folder = tempfile::tempdir().expect("a folder");
    for archive in archives(&source, &folder) {
        let target = postgres15().database("older");
        let output = restore_with_both(&archive, &target).expect_code(10);
        assert!(output.stderr.contains("table public.second") && output.stderr.contains("nothing was changed"));
        assert!(checksum(&target).is_empty(), "{}", archive.display());
    }
}

#[test]
fn what_can_not_be_told_beforehand_is_rolled_back() {
    let source = postgres18().database("unforeseen");
    // Only its argument's type is new in 18.
    source.sql("CREATE TABLE first (id int); CREATE VIEW second AS SELECT reverse('\\x0102'::bytea)");
    let folder = tempfile::tempdir().expect("a folder");
    for archive in archives(&source, &folder) {
        let target = postgres15().database("older");
        let output = restore_with_both(&archive, &target).expect_code(7);
        assert!(output.stderr.contains("changed nothing"), "{}", output.stderr);
        assert!(checksum(&target).is_empty(), "{}", archive.display());
    }
}

#[test]
fn row_03_an_archive_that_no_client_here_reads_is_refused_with_the_version_that_it_takes() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = postgres18().database("too_new");
    source.sql("CREATE TABLE t (id int)");
    let (archive, _) = crate::roundtrip::dumped(&source, &folder, &[]);
    // pg_restore 15 by itself: "unsupported version (1.16) in file header".
    let dump = folder.path().join("dump.pgsql");
    fs::write(&dump, crate::roundtrip::member(&archive, "*/dump.pgsql")).expect("write");
    let mut listed = Command::new(postgres15().client_dir().join("pg_restore"));
    let listed = listed.arg("--list").arg(&dump).output().expect("run pg_restore");
    assert!(String::from_utf8_lossy(&listed.stderr).contains("unsupported version"), "{listed:?}");

    let target = postgres15().database("older");
    for path in [&archive, &dump] {
        let output = with_clients_of(postgres15()).arg("restore").arg(path).arg(target.uri()).run();
        let words = ["no pg_restore reads this archive: it takes version 17 or newer", "15.", "postgresql-client-17"];
        output.refused(5, &words);
        assert!(checksum(&target).is_empty());
    }
}

#[test]
fn the_recorded_dumps_of_each_version_come_back() {
    let dumps = fixture("dumps");
    for (server, version) in [(postgres15(), "15"), (postgres18(), "18")] {
        // They hold an owner and an extension that the target needs not know.
        for kind in ["custom.dump", "compressed.dump", "inserts.dump", "seekable.dump", "directory"] {
            let target = server.database("recorded");
            let result = restored(&dumps.join(format!("pg_dump-{version}.{kind}")), &target, &[]);
            assert_eq!(target.sql("SELECT count(*) FROM users"), "12", "{kind}: {result}");
            assert_eq!(target.sql("SELECT count(*) FROM pg_largeobject_metadata"), "2", "{kind}");
        }
    }
    for name in ["mysql-9.7.4.sql", "mysql-9.7.4-gtid.sql"] {
        let target = mysql().database("recorded");
        restored(&dumps.join(name), &target, &[]);
        assert_eq!(target.sql("SELECT COUNT(*) FROM users"), "3", "{name}");
    }
    let target = mariadb().database("recorded");
    restored(&dumps.join("mariadb-10.11.19.sql"), &target, &[]);
    assert_eq!(target.sql("SELECT COUNT(*) FROM users"), "3");
}
