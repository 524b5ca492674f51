//! A dump of more than 8 GiB, which is where a tar header's octal size ends.
//!
//! The fake client plays a custom archive: its blocks are cheap to walk through in a build without optimisation, where
//! reading so much SQL would take minutes. The rows are the same over and over, so that zstd makes little of them.

use std::{fs, io::Write, path::Path, process::Command};

use crate::support::{Running, dbhaul, fake_client, peak, postgres15};

const CHUNK: usize = 1 << 20;
/// Chunks in the file that is repeated, and how often it is.
const CHUNKS: usize = 16;
const TIMES: usize = 520;

/// A real archive of one table with one row, cut around the row: before its first chunk, and after its last.
fn cut(archive: &[u8], row: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let at = archive.windows(row.len()).position(|window| window == row).expect("the row");
    // A number is a sign and four bytes, the lowest first: pg_dump writes a row as a chunk of its own, or more.
    let length = number(row.len());
    assert_eq!(&archive[at - length.len()..at], length, "the row is a chunk");
    (archive[..at - length.len()].to_vec(), archive[at + row.len()..].to_vec())
}

fn number(value: usize) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend(u32::try_from(value).expect("a small number").to_le_bytes());
    bytes
}

/// Waits for its end, and tells what it wrote to stdout and the most memory that it took, in KiB.
fn run(mut running: Running) -> (String, u64) {
    let mut most = 0;
    while running.is_running() {
        most = most.max(peak(running.pid()).unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    (running.wait().expect_code(0).text().trim().to_owned(), most)
}

fn shell(script: &str, archive: &Path) -> String {
    let output = Command::new("bash")
        .args(["-o", "pipefail", "-c", script, "bash"])
        .arg(archive)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("run bash");
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
#[ignore = "it takes minutes: scripts/sweep.sh runs it"]
fn a_dump_of_more_than_8_gib_is_read_by_every_tar_and_takes_no_memory() {
    let database = postgres15().database("huge");
    database.sql("CREATE TABLE t (v TEXT); INSERT INTO t VALUES ('only')");
    let output = database.client("pg_dump").args(["--format=custom", "--compress=0"]).output().expect("run pg_dump");
    assert!(output.status.success());
    let (before, after) = cut(&output.stdout, b"only\n");

    let folder = tempfile::tempdir().expect("a folder");
    let part = |name: &str| folder.path().join(name);
    fs::write(part("before"), &before).expect("write");
    fs::write(part("after"), &after).expect("write");
    let mut chunk = number(CHUNK);
    chunk.extend([b"0123456789abcde\n"].iter().cycle().take(CHUNK / 16).copied().flatten());
    let mut chunks = fs::File::create(part("chunks")).expect("a file");
    for _ in 0..CHUNKS {
        chunks.write_all(&chunk).expect("write");
    }
    let size = before.len() + after.len() + chunk.len() * CHUNKS * TIMES;
    assert!(size > 8 << 30);
    let place = folder.path().display();
    fake_client(
        folder.path(),
        "pg_dump",
        &format!(
            "#!/bin/bash\n[ \"$1\" = --version ] && echo 'pg_dump (PostgreSQL) 15.18' && exit\n\
             exec cat {place}/before $(for ((n = 0; n < {TIMES}; n++)); do echo {place}/chunks; done) {place}/after\n"
        ),
    );

    let dump = dbhaul()
        .client_dirs([folder.path()])
        .args(["dump", &database.uri(), "--compression", "zstd:1"])
        .cwd(folder.path())
        .limit(std::time::Duration::from_secs(400));
    let (archive, memory) = run(dump.spawn());
    assert!(memory < 64 * 1024, "the dump took {memory} KiB");
    let archive = folder.path().join(archive);

    for tar in ["tar -tvf -", "bsdtar -tvf -"] {
        let listed = shell(&format!("zstd -dcq \"$1\" | {tar}"), &archive);
        assert!(
            listed.lines().any(|l| l.contains(&format!(" {size} ")) && l.contains("dump.pgsql")),
            "{tar}: {listed}"
        );
    }
    let python = "import sys, tarfile\nprint(next(iter(tarfile.open(fileobj=sys.stdin.buffer, mode='r|'))).size)";
    // It reads the first header only, and the decoder's pipe breaks.
    let read = shell(&format!("{{ zstd -dcq \"$1\" || true; }} 2>&- | python3 -c \"{python}\""), &archive);
    assert_eq!(read.trim(), size.to_string());

    let verify = dbhaul().arg("verify").arg(&archive).arg("--json").limit(std::time::Duration::from_secs(400));
    let (verified, memory) = run(verify.spawn());
    assert!(verified.contains("\"status\":\"ok\""), "{verified}");
    assert!(verified.contains(&size.to_string()), "{verified}");
    assert!(memory < 64 * 1024, "the check took {memory} KiB");
}
