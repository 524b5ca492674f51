//! Which client is taken, what it is asked to do, and how its end is judged: with the recorded clients played by
//! scripts, and with clients that misbehave.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{
    Database, Output, Server, dbhaul, fake_client, mariadb, mysql, peak, postgres15, postgres18, recorded_client,
};

fn dump(database: &Database<'_>, clients: &[&Path]) -> Output {
    let out = tempfile::tempdir().expect("a folder");
    let output = dbhaul().client_dirs(clients).args(["dump", &database.uri()]).cwd(out.path()).run();
    if output.code != Some(0) {
        let left: Vec<_> = fs::read_dir(out.path()).expect("the folder").flatten().map(|e| e.path()).collect();
        assert_eq!(left, Vec::<PathBuf>::new(), "a failed dump left something");
    }
    output
}

fn small(server: &'static Server) -> Database<'static> {
    let database = server.database("clients");
    database.sql("CREATE TABLE t (n INT PRIMARY KEY); INSERT INTO t VALUES (1), (2)");
    database
}

const MYSQL_HEAD: &str = "-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)\\n--\\n-- Server version\\t9.7.4\\n\\n\
    CREATE TABLE `t` (\\n  `n` int NOT NULL,\\n  PRIMARY KEY (`n`)\\n) ENGINE=InnoDB;\\nINSERT INTO `t` VALUES (1),(2);\\n";
const MYSQL_END: &str = "-- Dump completed on 2026-01-02  3:04:05\\n";

/// A whole dump of one small table, as a line of bash.
pub fn whole_mysql_dump() -> String {
    format!("printf -- '{MYSQL_HEAD}{MYSQL_END}'")
}

/// Every recorded dump client of MySQL's family that fits the server is asked only for what it knows.
fn every_recorded_client_knows_its_options(server: &'static Server, fits: &[&str], unfit: &[&str]) {
    let database = small(server);
    for name in fits.iter().chain(unfit) {
        let folder = tempfile::tempdir().expect("a folder");
        let program = if name.starts_with("mariadb") { "mariadb-dump" } else { "mysqldump" };
        recorded_client(folder.path(), program, name, &whole_mysql_dump());
        let output = dump(&database, &[folder.path()]);
        if fits.contains(name) {
            let output = output.expect_code(0);
            let called = fs::read_to_string(folder.path().join("called")).expect("it was called");
            assert!(called.contains("--single-transaction"), "{name}: {called}\n{}", output.stderr);
        } else {
            let output = output.expect_code(5);
            assert!(output.stderr.contains("no client fits"), "{name}: {}", output.stderr);
            assert!(!folder.path().join("called").exists(), "{name} was run");
        }
    }
}

#[test]
fn flags_by_client_every_dump_client_is_asked_for_what_it_knows_by_mysql() {
    every_recorded_client_knows_its_options(
        mysql(),
        &[
            "mysqldump-8.0.28",
            "mysqldump-8.0.36",
            "mysqldump-8.4.6",
            "mysqldump-9.7.4",
            "mariadb-dump-10.5.23",
            "mariadb-dump-10.11.19",
            "mariadb-dump-11.8.6",
        ],
        &["mysqldump-5.7.21", "mariadb-dump-10.3.22"],
    );
}

#[test]
fn flags_by_client_every_dump_client_is_asked_for_what_it_knows_by_mariadb() {
    every_recorded_client_knows_its_options(
        mariadb(),
        &[
            "mysqldump-8.0.28",
            "mysqldump-8.0.36",
            "mariadb-dump-10.3.22",
            "mariadb-dump-10.5.23",
            "mariadb-dump-10.11.19",
            "mariadb-dump-11.8.6",
        ],
        &["mysqldump-5.7.21", "mysqldump-8.4.6", "mysqldump-9.7.4"],
    );
}

/// What `pg_dump` 15 itself makes of the database, for a fake to play back.
fn archive_of(database: &Database<'_>) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut real = database.client("pg_dump");
    let output = real.args(["--format=custom", "--compress=0"]).output().expect("run pg_dump");
    assert!(output.status.success());
    fs::write(file.path(), &output.stdout).expect("write");
    file
}

#[test]
fn every_pg_dump_is_asked_for_what_it_knows_and_older_ones_are_refused() {
    let database = small(postgres15());
    let archive = archive_of(&database);
    for name in ["pg_dump-15.20", "pg_dump-16.2", "pg_dump-17.11", "pg_dump-18.6"] {
        for format in ["custom", "plain"] {
            let folder = tempfile::tempdir().expect("a folder");
            let play = match format {
                "custom" => format!("cat {}", archive.path().display()),
                _ => "printf -- '--\\n-- PostgreSQL database dump\\n--\\n\\nCREATE TABLE public.t (n integer);\\n--\\n-- PostgreSQL database dump complete\\n--\\n'".to_owned(),
            };
            recorded_client(folder.path(), "pg_dump", name, &play);
            let out = tempfile::tempdir().expect("a folder");
            let output = dbhaul()
                .client_dirs([folder.path()])
                .args(["dump", &database.uri(), "--format", format])
                .args(["--exclude-table", "nothing", "--exclude-table-data", "t"])
                .cwd(out.path())
                .run();
            output.expect_code(0);
            assert!(folder.path().join("called").exists(), "{name} was not run");
        }
    }
    for name in ["pg_dump-10.3", "pg_dump-12.2", "pg_dump-13.16", "pg_dump-14.2"] {
        let folder = tempfile::tempdir().expect("a folder");
        recorded_client(folder.path(), "pg_dump", name, "exit 0");
        let output = dump(&database, &[folder.path()]).expect_code(5);
        let version = name.trim_start_matches("pg_dump-");
        assert!(output.stderr.contains(version), "{}", output.stderr);
        assert!(output.stderr.contains("postgresql-client"), "{}", output.stderr);
    }
}

/// PATH of nothing but these folders, `/bin` for the fakes' own tools behind them.
fn path_of(folders: &[&Path]) -> std::ffi::OsString {
    std::env::join_paths(folders.iter().copied().chain([Path::new("/bin"), Path::new("/usr/bin")])).expect("a PATH")
}

#[test]
fn row_01_the_lowest_pg_dump_that_is_not_older_than_the_server_is_taken_and_never_the_wrapper() {
    // The server's own 15 is installed here in any case: a server of 18 shows the choice.
    let database = small(postgres18());
    let all = tempfile::tempdir().expect("a folder");
    let mut folders = Vec::new();
    for name in ["pg_dump-10.3", "pg_dump-17.11", "pg_dump-14.2"] {
        let folder = all.path().join(name);
        fs::create_dir(&folder).expect("a folder");
        recorded_client(&folder, "pg_dump", name, "exit 1");
        folders.push(folder);
    }
    // Debian's wrapper: a link to a script of this name, which would say whatever version it likes.
    let wrapper = all.path().join("wrapper");
    fs::create_dir(&wrapper).expect("a folder");
    fake_client(
        &wrapper,
        "pg_wrapper",
        "#!/bin/sh\n[ \"$1\" = --version ] && echo 'pg_dump (PostgreSQL) 18.0 (Debian 18.0-1)'\nexit 0\n",
    );
    symlink(wrapper.join("pg_wrapper"), wrapper.join("pg_dump")).expect("a link");
    let real = postgres18().client_dir();
    let mut path: Vec<&Path> = vec![&wrapper];
    path.extend(folders.iter().map(PathBuf::as_path));
    path.push(&real);
    let plan = |path: &[&Path], database: &Database<'_>| {
        dbhaul().env("PATH", path_of(path)).args(["dump", "--dry-run", &database.uri()]).run()
    };
    let output = plan(&path, &database).expect_code(0);
    assert!(output.text().contains(&format!("{}/pg_dump", real.display())), "{}", output.text());

    // Without the right one there is none, whatever the wrapper says.
    let output = plan(&path[..path.len() - 1], &database).expect_code(5);
    assert!(!output.stderr.contains("wrapper/pg_dump"), "{}", output.stderr);

    // 17 stands before 15 on PATH, but 15 is nearer to a server of 15.
    let older = small(postgres15());
    let output = plan(&[&folders[1]], &older).expect_code(0);
    assert!(output.text().contains("/usr/lib/postgresql/15/bin/pg_dump"), "{}", output.text());
}

#[test]
fn row_12_of_several_mysqldumps_the_nearest_is_taken_and_a_deprecation_is_no_failure() {
    let database = small(mysql());
    let all = tempfile::tempdir().expect("a folder");
    let mut folders = Vec::new();
    for (program, name) in [
        ("mariadb-dump", "mariadb-dump-10.3.22"),
        ("mysqldump", "mariadb-dump-11.8.6"),
        ("mysqldump", "mysqldump-5.7.21"),
        ("mysqldump", "mysqldump-9.7.4"),
        ("mysqldump", "mysqldump-8.4.6"),
    ] {
        let folder = all.path().join(name);
        fs::create_dir(&folder).expect("a folder");
        let notice = format!(
            "echo \"{program}: Deprecated program name. It will be removed in a future release\" >&2\n{}",
            whole_mysql_dump()
        );
        recorded_client(&folder, program, name, &notice);
        folders.push(folder);
    }
    let path: Vec<_> = folders.iter().map(PathBuf::as_path).collect();
    let out = tempfile::tempdir().expect("a folder");
    let run = |path: &[&Path]| {
        dbhaul().env("PATH", path_of(path)).args(["dump", &database.uri()]).cwd(out.path()).run().expect_code(0)
    };
    run(&path);
    assert!(folders[3].join("called").exists());
    // Without MySQL's own, the newest MariaDB, which its old name does not hide. The machine's own is older.
    let output = run(&[path[0], path[1], path[2]]);
    assert!(folders[1].join("called").exists(), "{}", output.stderr);
}

#[test]
fn a_client_that_is_not_what_its_name_says_is_no_client() {
    let database = small(mysql());
    let folder = tempfile::tempdir().expect("a folder");
    fake_client(folder.path(), "mysqldump", "#!/bin/sh\necho 'pg_dump (PostgreSQL) 15.20'\n");
    let output = dump(&database, &[folder.path()]).expect_code(5);
    assert!(output.stderr.contains("not what its name says"), "{}", output.stderr);
    fake_client(folder.path(), "mysqldump", "#!/bin/sh\nexit 3\n");
    let output = dump(&database, &[folder.path()]).expect_code(5);
    assert!(output.stderr.contains("exit code 3"), "{}", output.stderr);
    Command::new("chmod").arg("644").arg(folder.path().join("mysqldump")).status().expect("run chmod");
    let output = dump(&database, &[folder.path()]).expect_code(5);
    assert!(output.stderr.contains("not executable"), "{}", output.stderr);
}

/// A mysqldump 9.7.4 that does this; the dump must fail with 6 and say that.
fn fails(then: &str, why: &str) {
    let database = small(mysql());
    let folder = tempfile::tempdir().expect("a folder");
    recorded_client(folder.path(), "mysqldump", "mysqldump-9.7.4", then);
    let output = dump(&database, &[folder.path()]).expect_code(6);
    assert_eq!(output.text(), "");
    assert!(output.stderr.contains(why), "{why} is not in:\n{}", output.stderr);
}

#[test]
fn a_whole_dump_of_a_client_that_failed_is_a_failure() {
    fails(&format!("{}; exit 1", whole_mysql_dump()), "exit code 1");
}

#[test]
fn surprise_04_a_dump_without_its_trailer_is_a_failure_although_the_client_reports_success() {
    fails(&format!("printf -- '{MYSQL_HEAD}'"), "not complete");
}

#[test]
fn surprise_04_the_trailer_that_force_writes_after_an_error_does_not_count() {
    fails(
        &format!(
            "printf -- '{MYSQL_HEAD}{MYSQL_END}'; echo \"mysqldump: Got error: 1356: View 'd.v' references invalid\" >&2; exit 2"
        ),
        "1356",
    );
}

#[test]
fn a_client_that_closes_stdout_and_goes_on_has_not_dumped() {
    fails(&format!("printf -- '{MYSQL_HEAD}'; exec >&-; sleep 0.3; exit 0"), "not complete");
    fails("exit 0", "not complete");
}

#[test]
fn a_client_that_is_killed_has_not_dumped() {
    fails(&format!("{}; kill -KILL $$", whole_mysql_dump()), "SIGKILL");
}

#[test]
fn a_truncated_custom_dump_of_a_pg_dump_that_reports_success_is_a_failure() {
    let database = small(postgres15());
    let archive = archive_of(&database);
    let size = fs::metadata(archive.path()).expect("a file").len();
    for cut in [5, 200, size - 1] {
        let folder = tempfile::tempdir().expect("a folder");
        let play = format!("head -c {cut} {}", archive.path().display());
        recorded_client(folder.path(), "pg_dump", "pg_dump-15.20", &play);
        let output = dump(&database, &[folder.path()]).expect_code(6);
        assert!(output.stderr.contains("not complete"), "{cut}: {}", output.stderr);
    }
}

#[test]
fn a_flood_on_stderr_is_no_failure_and_takes_no_memory() {
    let database = small(mysql());
    let folder = tempfile::tempdir().expect("a folder");
    let flood = "yes 'Warning: this line is repeated until a hundred megabytes are full of it' | head -c 100000000 >&2\n\
        head -c 10000000 /dev/zero >&2\n";
    let wait = format!("touch {0}/flooded; until [ -e {0}/go ]; do sleep 0.01; done\n", folder.path().display());
    recorded_client(folder.path(), "mysqldump", "mysqldump-9.7.4", &format!("{flood}{wait}{}", whole_mysql_dump()));
    let out = tempfile::tempdir().expect("a folder");
    let mut running = dbhaul().client_dirs([folder.path()]).args(["dump", &database.uri()]).cwd(out.path()).spawn();
    running.wait_until("the end of the flood", |_| folder.path().join("flooded").exists());
    let peak = peak(running.pid()).expect("it runs");
    fs::write(folder.path().join("go"), "").expect("go on");
    running.wait().expect_code(0);
    assert!(peak < 64 * 1024, "{peak} KiB");
}
