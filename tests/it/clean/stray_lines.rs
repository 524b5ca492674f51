//! What is no SQL is found while the archive is read, before the first drop.

use std::{fs, path::PathBuf, process::Command};

use super::{by_hand, precious, restoring, state};
use crate::{
    roundtrip::{dumped, member, with_clients_of},
    support::{Database, Server, checksum, mariadb, mysql, postgres15, postgres18},
};

/// A source, and what `mysqldump source` writes of it.
fn source(server: &Server) -> (Database<'_>, String) {
    let source = server.database("source");
    source.sql(
        "CREATE TABLE a (id INT PRIMARY KEY, v TEXT); INSERT INTO a VALUES (1, 'x'), (2, 'it''s');
         CREATE TABLE b (id INT PRIMARY KEY, v TEXT); INSERT INTO b VALUES (3, 'y')",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    (source, String::from_utf8(member(&archive, "*/dump.sql")).expect("text"))
}

/// A target that must stay as it is.
fn kept(server: &Server) -> Database<'_> {
    let target = server.database("target");
    target.sql("CREATE TABLE keep (id INT PRIMARY KEY); INSERT INTO keep VALUES (1), (2)");
    target
}

/// In a file, compressed, and in a tar.gz beside something else.
fn wrapped(folder: &tempfile::TempDir, dump: &[u8]) -> Vec<PathBuf> {
    let path = |name: &str| folder.path().join(name);
    let plain = path("d.sql");
    fs::write(&plain, dump).expect("write");
    fs::write(path("README"), "nothing").expect("write");
    let run = |command: &mut Command| assert!(command.current_dir(folder.path()).status().expect("run").success());
    run(Command::new("gzip").args(["-kf", "d.sql"]));
    run(Command::new("tar").args(["czf", "d.tar.gz", "README", "d.sql"]));
    vec![plain, path("d.sql.gz"), path("d.tar.gz")]
}

const SAID: &str = "mysqldump: Error: 'Access denied; you need (at least one of) the PROCESS privilege(s) for this operation' when trying to dump tablespaces";

/// Lines of a program's put into its dump, by the place where they came.
fn spoiled(dump: &str) -> Vec<(&'static str, String)> {
    let before = |mark: &str, line: &str| {
        let at = dump.find(mark).expect(mark);
        format!("{}{line}\n{}", &dump[..at], &dump[at..])
    };
    let rows = dump.find("(2,").expect("rows");
    vec![
        ("middle", before("-- Table structure for table `b`", &format!("{SAID}\n--"))),
        ("a quote that is open", before("-- Table structure for table `b`", "mysqldump: Couldn't go on")),
        (
            "head",
            format!("mysqldump: [Warning] Using a password on the command line interface can be insecure.\n{dump}"),
        ),
        ("a shell's words at the head", format!("stdin: is not a tty\n{dump}")),
        ("among rows", format!("{}\nmysqldump: Got error: 1: x\n{}", &dump[..rows], &dump[rows..])),
        ("in a definition", before("  `v` text", "mariadb-dump: Got error: 1: x")),
        ("two lines", before("-- Dumping data for table `b`", "mysqldump: one\nmysqldump: two")),
    ]
}

#[test]
fn case_4_a_line_that_is_no_sql_is_8_before_the_first_drop_and_the_hint_mends_it() {
    for server in [mysql(), mariadb()] {
        let (source, dump) = source(server);
        let target = kept(server);
        let before = state(&target);
        let folder = tempfile::tempdir().expect("a folder");
        for (place, text) in spoiled(&dump) {
            let odd = |line: &&str| {
                line.contains(": ") && ["mysqldump", "mariadb-dump", "stdin"].iter().any(|p| line.starts_with(p))
            };
            let (number, line) = text.lines().enumerate().find(|(_, line)| odd(line)).expect("the line");
            let words = [&format!("line {}: {line}", number + 1), &format!("'{}", number + 1), "sed ", "hint: "];
            let archives = wrapped(&folder, text.as_bytes());
            let ways = [&["--clean", "schema", "--yes"][..], &["--clean", "database", "--jobs", "2"], &["--resume"]];
            for (archive, way) in archives.iter().zip(ways) {
                restoring(archive, &target, way).run().refused(8, &words);
                let refused = with_clients_of(server).arg("verify").arg(archive).run().refused(8, &words);
                let (_, hint) = refused.stderr.split_once("take it out: ").expect("a hint");
                let command = hint.lines().next().expect("a line");
                let mut shell = Command::new("sh");
                let status = shell.current_dir(folder.path()).args(["-c", command]).status().expect("run sh");
                assert!(status.success(), "{place}: {command}");
                let fixed = folder.path().join(if command.contains("-i") { "d.sql" } else { "fixed.sql" });
                let bare = |text: &str| text.replace("--\n", "").replace('\n', "");
                assert_eq!(bare(&fs::read_to_string(fixed).expect("text")), bare(&dump), "{place}: {command}");
            }
            assert_eq!(state(&target), before, "{place}");
        }
        fs::write(folder.path().join("d.sql"), &dump).expect("write");
        restoring(&folder.path().join("d.sql"), &target, &["--clean", "schema", "--yes"]).run().expect_code(0);
        assert_eq!(checksum(&target), checksum(&source));
    }
}

#[test]
fn case_4_a_line_of_pg_dumps_is_8_before_anything() {
    let server = postgres15();
    let source = server.database("source");
    source.sql("CREATE TABLE a (i int); CREATE TABLE b (i int); INSERT INTO a VALUES (1)");
    let folder = tempfile::tempdir().expect("a folder");
    let dump = fs::read_to_string(by_hand(&source, folder.path(), "plain")).expect("text");
    let target = precious(server);
    let before = state(&target);
    let head = format!(
        "pg_dump: warning: there are circular foreign-key constraints on this table:\npg_dump: detail: a\n{dump}"
    );
    let middle = dump.replace("-- Name: b; Type: TABLE;", "--\npg_dump: warning: don't\n-- Name: b; Type: TABLE;");
    for (text, line) in [(head, "line 1: pg_dump: warning: there are"), (middle, "pg_dump: warning: don't")] {
        for archive in wrapped(&folder, text.as_bytes()) {
            restoring(&archive, &target, &["--clean", "schema", "--yes"]).run().refused(8, &[line, "sed ", "hint: "]);
        }
    }
    assert_eq!(state(&target), before);
}

#[test]
fn case_19_a_byte_order_mark_before_a_plain_dump_is_nothing() {
    for server in [postgres15(), postgres18()] {
        let source = server.database("source");
        source.sql("CREATE TABLE t (v text); INSERT INTO t VALUES ('x')");
        let folder = tempfile::tempdir().expect("a folder");
        let dump = fs::read_to_string(by_hand(&source, folder.path(), "plain")).expect("text");
        for archive in wrapped(&folder, ["\u{feff}", &dump].concat().as_bytes()) {
            let target = precious(server);
            restoring(&archive, &target, &["--clean", "schema", "--yes"]).run().expect_code(0);
            assert_eq!(checksum(&target), checksum(&source));
        }
    }
}

#[test]
fn case_19_a_byte_order_mark_is_no_reason_to_lose_a_target() {
    for server in [mysql(), mariadb()] {
        let (source, dump) = source(server);
        let folder = tempfile::tempdir().expect("a folder");
        let marked = ["\u{feff}", &dump].concat();
        for archive in wrapped(&folder, marked.as_bytes()) {
            let target = kept(server);
            restoring(&archive, &target, &["--clean", "schema", "--jobs", "2"]).run().expect_code(0);
            assert_eq!(checksum(&target), checksum(&source));
        }
        let target = server.database("target");
        restoring(&folder.path().join("d.sql"), &target, &["--resume"]).run().expect_code(0);
        assert_eq!(checksum(&target), checksum(&source));
    }
}
