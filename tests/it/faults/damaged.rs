//! Archives that are damaged, cut, or none: 8, with the place, before the target is touched.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    roundtrip::with_clients_of,
    support::{Database, Server, checksum, dbhaul, fixture, mysql, postgres15},
};

/// An archive of Chinook.
fn archive_of(server: &Server, folder: &Path, compression: &str) -> PathBuf {
    let source = server.database("source");
    let family = if server.flavour().is_postgres() { "postgres" } else { "mysql" };
    source.load_file(fixture(&format!("chinook-{family}.sql")));
    let dump = dbhaul().args(["dump", &source.uri(), "--compression", compression, "-o"]).arg(folder.join("whole"));
    dump.client_dirs([server.client_dir()]).run().expect_code(0);
    folder.join("whole")
}

/// Verify and restore refuse it; the target stays as it was, which is empty.
fn refused(target: &Database<'_>, archive: &Path, words: &[&str]) {
    let verify = dbhaul().arg("verify").arg(archive).run();
    let what = format!("{}, {words:?}", archive.display());
    assert_eq!(verify.code, Some(8), "{what}:\n{}", verify.stderr);
    let clients = target.server().client_dir();
    let restore = dbhaul().arg("restore").arg(archive).arg(target.uri()).client_dirs([clients]).run();
    let restore = restore.refused(8, &[archive.to_str().expect("UTF-8")]).refused(8, words);
    assert_eq!(checksum(target).len(), 0, "{what}: the target was touched; stderr:\n{}", restore.stderr);
}

/// Whether the last refusal names an offset or a member.
fn has_place(archive: &Path) {
    let verify = dbhaul().arg("verify").arg(archive).run().refused(8, &[]);
    let place = ["at byte ", "near byte ", " in \""].iter().any(|word| verify.stderr.contains(word));
    assert!(place, "no place in:\n{}", verify.stderr);
}

fn damaged_in_many_places(server: &Server, compression: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = fs::read(archive_of(server, folder.path(), compression)).expect("read the archive");
    let target = server.database("target");
    let path = folder.path().join("damaged.tar");
    let end = whole.len();
    for cut in [1, 600, end / 4, end / 2, end - 2000, end - 100, end - 1] {
        fs::write(&path, &whole[..cut]).expect("write");
        refused(&target, &path, &[]);
        if cut > 600 {
            has_place(&path);
        }
    }
    for place in [20, end / 4, end / 2, end * 3 / 4, end - 1000] {
        let mut altered = whole.clone();
        altered[place] ^= 0x10;
        fs::write(&path, &altered).expect("write");
        refused(&target, &path, &[]);
        if place > 20 {
            has_place(&path);
        }
    }
    let appended = [&whole[..], b"more than there was"].concat();
    fs::write(&path, &appended).expect("write");
    refused(&target, &path, &[]);
}

#[test]
fn a_damaged_gzip_archive_of_postgres_is_8_with_the_place() {
    damaged_in_many_places(postgres15(), "gzip");
}

#[test]
fn a_damaged_zstd_archive_of_mysql_is_8_with_the_place() {
    damaged_in_many_places(mysql(), "zstd");
}

#[test]
fn a_damaged_uncompressed_archive_is_8_with_the_place() {
    damaged_in_many_places(postgres15(), "none");
}

#[test]
fn row_23_a_dump_that_was_cut_is_8_whoever_wrote_it() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, server, cut) in [
        ("pg_dump-15.custom.dump", postgres15(), 60),
        ("pg_dump-15.plain.sql", postgres15(), 300),
        ("mysql-9.7.4.sql", mysql(), 100),
    ] {
        let target = server.database("target");
        let whole = fs::read(fixture(&format!("dumps/{name}"))).expect("read the fixture");
        let path = folder.path().join(name);
        fs::write(&path, &whole[..whole.len() - cut]).expect("write");
        refused(&target, &path, &["hint:"]);
        fs::write(&path, &whole[..whole.len() / 2]).expect("write");
        refused(&target, &path, &["hint:"]);
        let gzip = Command::new("gzip").arg("-kf").arg(fixture(&format!("dumps/{name}"))).arg("-c").output();
        let gzip = gzip.expect("run gzip").stdout;
        fs::write(&path, &gzip[..gzip.len() - 5]).expect("write");
        refused(&target, &path, &["truncated"]);
    }
}

#[test]
fn what_is_no_archive_is_8_and_the_target_is_not_touched() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = postgres15().database("target");
    let at = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).expect("write");
        path
    };
    let random: Vec<u8> = (0_u32..40_000).map(|n| (n.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect();
    let zip = [&b"PK\x03\x04\x14\0\0\0\0\0"[..], &[0; 16], &[1, 0, 0, 0], b"a", b"PK\x05\x06", &[0; 18]].concat();
    let shell = |script: &str| {
        let status = Command::new("sh").args(["-ec", script]).current_dir(folder.path()).status();
        assert!(status.expect("run sh").success(), "{script}");
    };
    shell("echo hello > hello.txt; tar cf else.tar hello.txt; tar czf else.tar.gz hello.txt; mkdir empty; mkdir files");
    shell("echo data > files/3388.dat; gzip -c < /dev/null > nothing.gz");
    for (path, words) in [
        (at("nothing.sql", b""), &["empty"][..]),
        (at("archive.zip", &zip), &["zip"]),
        (at("text.sql", b"Dear all,\n\nthis is no dump.\n"), &[]),
        (at("random.dump", &random), &[]),
        (folder.path().join("else.tar"), &["dump"]),
        (folder.path().join("else.tar.gz"), &["dump"]),
        (folder.path().join("nothing.gz"), &[]),
        (folder.path().join("empty"), &["toc.dat"]),
        (folder.path().join("files"), &["toc.dat"]),
        (folder.path().join("missing.tar.gz"), &["No such file"]),
    ] {
        refused(&target, &path, words);
    }
}

#[test]
fn inspect_says_8_too_where_it_sees_that_nothing_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("empty");
    File::create(&path).expect("create");
    dbhaul().arg("inspect").arg(&path).run().refused(8, &["empty"]);
    dbhaul().args(["inspect", "/no/such/file"]).run().refused(8, &["No such file"]);
}

#[test]
fn a_directory_dump_with_a_missing_or_cut_file_is_8_and_names_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("copy");
    let target = postgres15().database("target");
    let fresh = || {
        let _ = fs::remove_dir_all(&copy);
        let from = fixture("dumps/pg_dump-15.directory");
        assert!(Command::new("cp").arg("-r").args([&from, &copy]).status().expect("run cp").success());
    };
    fresh();
    fs::remove_file(copy.join("3388.dat")).expect("remove");
    refused(&target, &copy, &["3388.dat"]);
    fresh();
    let toc = fs::read(copy.join("toc.dat")).expect("read");
    fs::write(copy.join("toc.dat"), &toc[..toc.len() / 2]).expect("write");
    refused(&target, &copy, &["toc.dat"]);
}

/// Statements that begin like a dump's and are none: the server's words come, and no defect of ours.
#[test]
fn a_statement_that_stops_short_is_7_with_one_job_and_several() {
    let server = mysql();
    let folder = tempfile::tempdir().expect("a folder");
    let (head, end) =
        ("-- MySQL dump 10.13  Distrib 9.7.0, for Linux (x86_64)", "-- Dump completed on 2026-11-29 12:00:00");
    for statement in ["CREATE TABLE", "CREATE TABLE `t` (", "INSERT INTO", "ALTER TABLE", "CREATE"] {
        let file = folder.path().join("short.sql");
        fs::write(&file, format!("{head}\n\n{statement};\n{end}\n")).expect("write");
        for jobs in ["1", "2"] {
            let target = server.database("short");
            let restore =
                with_clients_of(server).arg("restore").arg(&file).args([&target.uri(), "--jobs", jobs, "--trust"]);
            let stderr = restore.run().refused(7, &["ERROR 1064 (42000)"]).stderr;
            assert!(!stderr.contains("defect"), "{statement} {jobs}: {stderr}");
        }
    }
}
