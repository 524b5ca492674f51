//! A row that is larger than all the memory there is passes through in pieces, whatever is done with it.
//!
//! The fake clients say what real ones would: a real `pg_dump` can't dump more than 500 MB of `bytea` in a row, a
//! gigabyte of text takes it a minute. Those were done by hand, see docs/reliability.md.

use std::fs;

use super::{CUSTOM, Form, PLAIN, SQL, Table, clients, every_command, heads, within};
use crate::support::{Database, assert_section, dbhaul, mariadb, postgres15};

/// Twice the memory that dbhaul may take.
const ROW: usize = 128 << 20;

/// A dump whose one row can be as long as is wanted: what stands before the row, and after it.
struct Around {
    form: Form,
    before: Vec<u8>,
    after: Vec<u8>,
}

fn real(database: &Database<'_>, program: &str, args: &[&str]) -> Vec<u8> {
    let output = database.client(program).args(args).output().expect("run the client");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// Cuts a real dump of one row, which is `only`.
fn cut(dump: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let at = dump.windows(4).position(|window| window == b"only").expect("the row");
    (dump[..at].to_vec(), dump[at + 4..].to_vec())
}

fn dumps() -> [Around; 3] {
    let server = postgres15();
    let database = server.database("row");
    database.sql("CREATE TABLE t (v TEXT); INSERT INTO t VALUES ('only')");
    let custom = real(&database, "pg_dump", &["--format=custom", "--compress=0"]);
    let (mut before, after) = cut(&custom);
    // The row is a chunk of its own, with its length before it: the sign, and four bytes.
    let length = before.len() - 4;
    before[length..].copy_from_slice(&u32::try_from(ROW + 1).expect("fits").to_le_bytes());
    let custom = Around { form: CUSTOM, before, after };
    let (before, after) = cut(&real(&database, "pg_dump", &["--format=plain"]));
    let plain = Around { form: PLAIN, before, after };
    let database = mariadb().database("row");
    database.sql("CREATE TABLE t (v LONGTEXT); INSERT INTO t VALUES ('only')");
    let (before, after) = cut(&real(&database, "mariadb-dump", &[database.name()]));
    [custom, plain, Around { form: SQL, before, after }]
}

#[test]
fn a_row_larger_than_the_memory_passes_through_in_pieces() {
    let mut troubles = Vec::new();
    let mut table = Table::new(&heads("a row of 128 MiB"));
    for Around { form, before, after } in dumps() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().display();
        fs::write(folder.path().join("before"), before).expect("write");
        fs::write(folder.path().join("after"), after).expect("write");
        let row = format!("head -c {ROW} /dev/zero | tr '\\0' x");
        clients(folder.path(), &format!("cat {place}/before; {row}; exec cat {place}/after"));
        table.row(&every_command(&mut troubles, form, folder.path(), &["--compression", "zstd:1"], "t"));
    }
    assert!(troubles.is_empty(), "{}\n{}", troubles.join("\n"), table.0);
    assert_section("docs/reliability.md", "memory-rows", &table.0);
}

/// The longest statement is known once the archive has been checked, and so before the target is touched.
#[test]
fn a_row_that_the_target_would_not_take_is_refused_before_it_is_touched() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = mariadb().database("target");
    let path = folder.path().join("dump.sql");
    // The servers of these tests take 256 MiB.
    let row = vec![b'x'; 257 << 20];
    let dump = [
        b"-- MariaDB dump 10.19  Distrib 10.11.19-MariaDB\nCREATE TABLE t (v LONGTEXT);\nINSERT INTO t VALUES ('",
        &row[..],
        b"');\n-- Dump completed\n",
    ];
    fs::write(&path, dump.concat()).expect("write");
    let mut troubles = Vec::new();
    let command = dbhaul().arg("restore").arg(&path).arg(target.uri()).client_dirs([mariadb().client_dir()]);
    let output = within(&mut troubles, "the restore", command);
    assert_eq!(troubles, [""; 0]);
    output.refused(10, &["the longest statement has", "max_allowed_packet", "nothing was changed"]);
    assert_eq!(target.sql("SHOW TABLES"), "");
}
