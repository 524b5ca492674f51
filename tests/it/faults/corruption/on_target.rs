//! A sample of the same damage, by the program itself: `verify` and `restore` refuse it, a target that holds something
//! keeps it as it is, and no damaged length makes them take more memory than was promised.

use std::{fs, process::Command};

use super::archives::{Archive, Guard, foreign, ours};
use crate::support::{Server, checksum, error_lines, mariadb, mysql, postgres15, program};

/// What dbhaul itself may take, in KiB.
const MOST: u64 = 64 << 10;

/// Runs dbhaul: exit code, stderr, and the most memory that it took, which only its parent can ask for.
fn run(words: &[&str], clients: &Server) -> (i32, String, u64) {
    const PARENT: &str = "import os, sys
child = os.spawnv(os.P_NOWAIT, sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(child, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))";
    let output = Command::new("timeout")
        .args(["--kill-after=1", "100", "python3", "-c", PARENT, program()])
        .args(words)
        .env("DBHAUL_CLIENT_DIR", clients.client_dir())
        .output()
        .expect("run python3");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let most = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or_else(|_| panic!("{stderr}"));
    (output.status.code().unwrap_or(-1), stderr, most)
}

/// Cut at a third and at two thirds; altered, too.
fn damaged(archive: &Archive) -> Vec<(String, Vec<u8>)> {
    let (bytes, len) = (&archive.bytes, archive.bytes.len());
    let cut = [len / 3, len * 2 / 3].map(|end| (format!("cut to {end} of {len}"), bytes[..end].to_vec()));
    let altered = [len / 5, len / 2].map(|at| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x10;
        (format!("altered at {at} of {len}"), bytes)
    });
    // In what has no checksums, an altered byte may be anything.
    let guarded = archive.guard != Guard::Structure;
    cut.into_iter().chain(altered.into_iter().filter(|_| guarded)).collect()
}

fn refused_by_the_program(server: &Server, engine: &str) {
    let target = server.database("kept");
    target.sql("CREATE TABLE kept (id int PRIMARY KEY, v varchar(9)); INSERT INTO kept VALUES (1, 'a'), (2, 'b')");
    let before = checksum(&target);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archive");
    let path_word = path.to_str().expect("UTF-8");
    // Every layout once; of ours that differ in the dump's form alone, the first.
    let mut layouts: Vec<&Archive> = Vec::new();
    for archive in ours().iter().chain(foreign()).filter(|archive| archive.engine == engine) {
        if layouts.iter().all(|known| known.layout != archive.layout) {
            layouts.push(archive);
        }
    }
    for (n, archive) in layouts.into_iter().enumerate() {
        let all = damaged(archive);
        let (what, bytes) = &all[n % all.len()];
        fs::write(&path, bytes).expect("write the archive");
        for words in [&["verify", path_word][..], &["restore", "--into-non-empty", path_word, &target.uri()]] {
            let (code, stderr, most) = run(words, server);
            let what = format!("{} of {}, {what}, {engine}:\n{stderr}", words[0], archive.layout);
            assert_eq!(code, 8, "{what}");
            assert_eq!(error_lines(&stderr), 1, "{what}");
            assert!(most < MOST, "{most} KiB: {what}");
        }
        assert_eq!(checksum(&target), before, "{}, {what}", archive.layout);
    }
}

#[test]
fn a_target_of_postgres_stays_as_it_was_whatever_is_damaged() {
    refused_by_the_program(postgres15(), "PostgreSQL");
}

#[test]
fn a_target_of_mysql_stays_as_it_was_whatever_is_damaged() {
    refused_by_the_program(mysql(), "MySQL");
}

#[test]
fn a_target_of_mariadb_stays_as_it_was_whatever_is_damaged() {
    refused_by_the_program(mariadb(), "MariaDB");
}
