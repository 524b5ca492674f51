//! What nobody expects of the vendor's own programs. Where a version at hand still does it, the test shows it first.

use std::{
    fs,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
    process::Command,
};

use super::vendor;
use crate::{
    roundtrip::{dumped, loaded, member, restored, with_clients_of},
    support::{Database, Disk, HOST, checksum, dbhaul, fake_client, mysql, names, postgres15, postgres18},
};

fn rows() -> Database<'static> {
    let source = postgres15().database("surprise");
    source.sql("CREATE TABLE t AS SELECT n, md5(n::text) AS text FROM generate_series(1, 20000) n");
    source
}

/// The dump in an archive, as a file of its own.
fn taken_out(archive: &Path, pattern: &str) -> PathBuf {
    let path = archive.with_extension("member");
    fs::write(&path, member(archive, pattern)).expect("write");
    path
}

#[test]
fn surprise_01_a_plain_dump_whose_tail_was_lost_in_silence_is_not_published() {
    let source = rows();
    // pg_dump 15 on a full disk: its stdout ends early, and its exit code is 0.
    let clients = tempfile::tempdir().expect("a folder");
    let real = postgres15().client_dir().join("pg_dump");
    let script = format!(
        "#!/bin/bash\n[ \"$1\" = --version ] && exec '{0}' --version\n'{0}' \"$@\" | head -c 400000\nexit 0\n",
        real.display()
    );
    fake_client(clients.path(), "pg_dump", &script);
    let folder = tempfile::tempdir().expect("a folder");
    let dump = dbhaul().client_dirs([clients.path()]).args(["dump", &source.uri(), "--format", "plain"]);
    dump.cwd(folder.path())
        .run()
        .refused(6, &["not complete", "ends inside the rows of table t", "nothing was published"]);
    assert_eq!(names(folder.path()), [""; 0]);
    // And where the disk that fills up is ours, the real one is not asked.
    let disk = Disk::mount("size=256k");
    let dump =
        with_clients_of(postgres15()).args(["dump", &source.uri(), "--format", "plain", "--compression", "none"]);
    dump.cwd(disk.path()).run().refused(9, &["No space left on device", "nothing was published"]);
    assert_eq!(names(disk.path()), [""; 0]);
}

#[test]
fn surprise_02_a_script_that_was_cut_among_its_rows_reaches_no_psql() {
    let source = rows();
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &["--format", "plain"]);
    let script = taken_out(&archive, "*/dump.sql");
    let whole = fs::read(&script).expect("read");
    let cut = folder.path().join("cut.sql");
    // Behind a row's end: psql takes the end of the file for the end of the rows.
    let half = whole.len() / 2 + whole[whole.len() / 2..].iter().position(|&byte| byte == b'\n').expect("a line") + 1;
    fs::write(&cut, &whole[..half]).expect("write");
    let by_hand = postgres15().database("surprise");
    let (well, said) = vendor(by_hand.client("psql").args(["-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f"]).arg(&cut));
    assert!(well, "psql has learned: {said}");
    let committed: u64 = by_hand.sql("SELECT count(*) FROM t").parse().expect("a number");
    assert!((1..20000).contains(&committed), "{committed} rows, and all is well");

    let target = postgres15().database("surprise");
    let restore = with_clients_of(postgres15()).arg("restore").arg(&cut).arg(target.uri()).run();
    restore.refused(8, &["ends inside the rows of table t"]);
    assert!(checksum(&target).is_empty());
    // The last word is not the last line, where \unrestrict follows.
    let text = String::from_utf8(whole).expect("SQL");
    let behind = text.split("-- PostgreSQL database dump complete").nth(1).expect("the last word");
    assert!(behind.contains("\\unrestrict "), "{behind}");
    restored(&script, &target, &[]);
    assert_eq!(checksum(&target), checksum(&source));
}

#[test]
fn surprise_03_an_archive_is_read_to_its_end_and_checked_not_listed() {
    let source = rows();
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &["--compression", "none"]);
    let dump = taken_out(&archive, "*/dump.pgsql");
    let whole = fs::read(&dump).expect("read");
    let by_hand = |option: &[&str], path: &Path| vendor(postgres15().client("pg_restore").args(option).arg(path)).0;
    let verify = |path: &Path| dbhaul().arg("verify").arg(path).run();
    let cut = folder.path().join("cut.dump");
    for length in [whole.len() * 6 / 10, whole.len() - 1] {
        fs::write(&cut, &whole[..length]).expect("write");
        assert!(by_hand(&["--list"], &cut), "pg_restore --list has learned");
        verify(&cut).refused(8, &["cut.dump"]);
    }
    // One letter of one row: a custom dump of -Z0 can't tell, our checksums can.
    let row = b"c4ca4238a0b923820dcc509a6f75849b";
    let flip = |bytes: &[u8]| {
        let mut changed = bytes.to_vec();
        let at = changed.windows(row.len()).position(|window| window == row).expect("the row");
        changed[at] = b'd';
        changed
    };
    fs::write(&cut, flip(&whole)).expect("write");
    assert!(by_hand(&["--file=/dev/stdout"], &cut), "pg_restore has learned");
    let changed = folder.path().join("changed.tar");
    fs::write(&changed, flip(&fs::read(&archive).expect("read"))).expect("write");
    verify(&changed).refused(8, &["changed.tar", "dump.pgsql"]);
    let target = postgres15().database("surprise");
    let restore = with_clients_of(postgres15()).arg("restore").arg(&changed).arg(target.uri()).run();
    restore.refused(8, &["dump.pgsql"]);
    assert!(checksum(&target).is_empty());
}

#[test]
fn surprise_08_require_is_not_turned_into_verify_ca_by_a_file_in_the_home() {
    let source = rows();
    // Another authority's certificate: by it, the server is a stranger.
    let put = |home: &Path| {
        fs::create_dir(home.join(".postgresql")).expect("a folder");
        fs::copy(mysql().ca_file(), home.join(".postgresql/root.crt")).expect("copy");
    };
    let home = tempfile::tempdir().expect("a folder");
    put(home.path());
    let uri = format!("{}?sslmode=require", source.uri());
    let mut psql = source.client("psql");
    let (well, said) = vendor(psql.env("HOME", home.path()).args(["-X", "-c", "SELECT 1", &uri]));
    assert!(!well && said.contains("certificate verify failed"), "{said}");
    let folder = tempfile::tempdir().expect("a folder");
    for server in [postgres15(), postgres18()] {
        let source = server.database("surprise");
        source.sql("CREATE TABLE t AS SELECT 1 AS n");
        let uri = format!("{}?sslmode=require", source.uri());
        let dump = with_clients_of(server).args(["dump", &uri]).cwd(folder.path());
        put(dump.home());
        dump.run().expect_code(0);
    }
    // Who wants it verified says so.
    let uri = format!("{}?sslmode=verify-ca&sslrootcert={}", source.uri(), mysql().ca_file().display());
    let dump = with_clients_of(postgres15()).args(["dump", &uri]).cwd(folder.path());
    assert!(!uri.contains(HOST));
    dump.run().refused(4, &["certificate"]);
}

#[test]
fn surprise_11_a_dump_goes_to_dev_null_and_leaves_it_as_it_is() {
    let source = rows();
    let folder = tempfile::tempdir().expect("a folder");
    let (well, said) = vendor(source.client("pg_dump").args(["--format=custom", "-f", "/dev/null"]));
    assert!(!well && said.contains("fsync"), "{well} {said}");
    let null = fs::File::options().write(true).open("/dev/null").expect("/dev/null");
    let dump = with_clients_of(postgres15()).args(["dump", &source.uri(), "-o", "-"]).output_file(null);
    dump.cwd(folder.path()).run().expect_code(0);
    // By name it is a file that is there: it is not replaced.
    let device = folder.path().join("null");
    assert!(Command::new("mknod").arg(&device).args(["c", "1", "3"]).status().expect("run mknod").success());
    let dump = with_clients_of(postgres15()).args(["dump", &source.uri(), "-o", "null"]).cwd(folder.path());
    dump.run().refused(10, &["null exists already", "hint:"]);
    assert!(fs::metadata(&device).expect("still there").file_type().is_char_device());
    assert_eq!(names(folder.path()), ["null"]);
}

#[test]
fn surprise_12_an_empty_target_is_not_cleaned() {
    let source = loaded(postgres15(), "chinook");
    source.sql("CREATE DOMAIN positive AS int; ALTER DOMAIN positive ADD CONSTRAINT above CHECK (VALUE > 0) NOT VALID");
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    let dump = taken_out(&archive, "*/dump.pgsql");
    let by_hand = postgres15().database("surprise");
    let mut restore = by_hand.client("pg_restore");
    let (well, said) = vendor(restore.args(["--clean", "--if-exists", "--dbname", by_hand.name()]).arg(&dump));
    assert!(!well && said.contains("positive"), "{said}");
    let target = postgres15().database("surprise");
    restored(&archive, &target, &["--clean", "objects"]);
    assert_eq!(checksum(&target), checksum(&source));
}
