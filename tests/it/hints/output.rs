//! Hints on the place that an archive goes to, and on archives that can't be read.

use std::fs;

use super::by;
use crate::roundtrip::with_clients_of;
use crate::support::{Database, Dbhaul, Disk, Filesystem, Image, dbhaul, mysql, names, postgres15};

/// Rows that fill a disk of 64 KiB.
fn much() -> Database<'static> {
    let source = postgres15().database("much");
    source.sql("CREATE TABLE t AS SELECT md5(n::text) AS v FROM generate_series(1, 20000) n");
    source
}

/// A dump into a folder.
fn into(source: &Database<'_>, folder: &std::path::Path) -> Dbhaul {
    let dump = with_clients_of(source.server()).args(["dump", &source.uri(), "--compression", "none"]);
    dump.arg("--output").arg(format!("{}/", folder.display()))
}

#[test]
fn a_disk_that_is_full_is_another_one_or_none() {
    let source = much();
    let room = tempfile::tempdir().expect("a folder");
    let goes_on = || {
        into(&source, room.path()).run().expect_code(0);
        by(postgres15(), &source.uri(), &[]).run().expect_code(0);
    };
    let disk = Disk::mount("size=64k");
    into(&source, disk.path()).run().refused(9, &["No space left"]).follows("more-room-or-stdout");
    goes_on();
    let disk = Image::mount(Filesystem::Btrfs { quota: 1 << 19 });
    into(&source, disk.path()).run().refused(9, &["quota exceeded"]).follows("more-room-quota");
    let limited = into(&source, room.path()).under(["prlimit", "--fsize=65536"]).run();
    limited.refused(9, &["File too large"]).follows("raise-file-size-limit");
    into(&source, room.path()).under(["prlimit", "--fsize=unlimited"]).run().expect_code(0);
    goes_on();
}

#[test]
fn a_place_that_fails_is_another_one() {
    let source = mysql().database("place");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    for (call, hint) in [
        ("renameat2:error=EACCES", "check-who-may-write"),
        ("renameat2:error=EIO", "check-disk-or-another-folder"),
        ("renameat2:error=ENOENT", "partial-was-deleted"),
    ] {
        let (bad, good) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        into(&source, bad.path()).failing(&[call]).run().refused(9, &[]).follows(hint);
        assert_eq!(names(bad.path()), [""; 0]);
        into(&source, good.path()).run().expect_code(0);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let failed = into(&source, folder.path()).failing(&["fsync:error=EIO:when=2"]).run().refused(9, &[]);
    failed.follows("check-disk-then-verify");
    let archive = folder.path().join(&names(folder.path())[0]);
    dbhaul().arg("verify").arg(archive).run().expect_code(0);
}

#[test]
fn an_archive_that_may_not_be_read_is_let_be_read() {
    let source = mysql().database("unread");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let folder = tempfile::tempdir().expect("a folder");
    let made = into(&source, folder.path()).run().expect_code(0);
    let archive = made.text().trim().to_owned();
    let verify = || dbhaul().args(["verify", &archive]);
    for (call, hint) in
        [("openat:error=EACCES", "check-who-may-read"), ("pread64,read:error=EIO", "check-disk-or-fetch")]
    {
        let strace = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-P", &archive].map(str::to_owned);
        let inject = format!("--inject={call}");
        verify().under(strace.into_iter().chain([inject])).run().refused(8, &[]).follows(hint);
        let fetched = folder.path().join("fetched.tar");
        fs::copy(&archive, &fetched).expect("copy");
        dbhaul().arg("verify").arg(fetched).run().expect_code(0);
    }
    verify().run().expect_code(0);
}
