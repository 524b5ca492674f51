//! Hints on the server that `verify --restore` starts.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use super::{dump, dump_of};
use crate::roundtrip::with_clients_of;
use crate::support::{Disk, Output, fake_client, postgres15};

/// A restore of an archive to try it.
fn verify(archive: &Path, options: &[&str]) -> Output {
    with_clients_of(postgres15()).arg("verify").arg(archive).args(options).run()
}

#[test]
fn a_server_that_is_not_there_or_does_not_start_is_another_one() {
    let source = postgres15().database("scratch");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let (_folder, archive) = dump_of(&source);
    let servers = tempfile::tempdir().expect("a folder");
    fs::set_permissions(servers.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
    let by = |servers: &Path| verify(&archive, &["--restore", "--server-dir", &servers.display().to_string()]);
    let own = postgres15().client_dir();
    by(servers.path()).refused(5, &[]).follows("install-server-or-server-dir");
    fake_client(servers.path(), "postgres", "#!/bin/sh\necho 'postgres (PostgreSQL) 15.2'\n");
    by(servers.path()).refused(5, &[]).follows("whole-server-package");
    by(&own).expect_code(0);
    fake_client(
        servers.path(),
        "postgres",
        "#!/bin/sh\n[ \"$1\" = --version ] && { echo 'postgres (PostgreSQL) 15.2'; exit; }\nexit 1\n",
    );
    fake_client(servers.path(), "initdb", "#!/bin/sh\nexit 0\n");
    let refused = by(servers.path()).refused(7, &[]);
    refused.follows("tmpdir-or-server-dir");
    refused.follows("restore-into-where-none-starts");
    verify(&archive, &["--restore-into", &postgres15().uri("postgres")]).expect_code(0);
}

#[test]
fn a_scratch_server_without_room_has_it_elsewhere() {
    let source = postgres15().database("scratch");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let (_folder, archive) = dump_of(&source);
    let disk = Disk::mount("size=64m,mode=1777");
    let in_folder = |folder: &Path| {
        let verify = with_clients_of(postgres15()).arg("verify").arg(&archive).arg("--restore").env("TMPDIR", folder);
        verify.arg("--server-dir").arg(postgres15().client_dir()).run()
    };
    in_folder(disk.path()).refused(10, &[]).follows("more-room-or-restore-into");
    in_folder(Path::new("/tmp")).expect_code(0);
    verify(&archive, &["--restore-into", &postgres15().uri("postgres")]).expect_code(0);
}

#[test]
fn rows_without_their_tables_are_counted() {
    let source = postgres15().database("scratch");
    source.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rows.tar.gz");
    let rows = with_clients_of(postgres15()).args(["dump", &source.uri(), "--data-only", "-o"]).arg(&path).run();
    rows.expect_code(0);
    let into = ["--restore-into", &postgres15().uri("postgres")];
    verify(&path, &into).refused(10, &[]).follows("verify-without-restore");
    verify(&path, &[]).expect_code(0);
    verify(&dump(&source, &folder, "whole.tar.gz"), &into).expect_code(0);
}
