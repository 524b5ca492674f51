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
            let odd =
                |line: &&str| line.contains(": ") && ["mysqldump", "mariadb-dump"].iter().any(|p| line.starts_with(p));
            let (number, line) = text.lines().enumerate().find(|(_, line)| odd(line)).expect("the line");
            let words = [&format!("line {}: {line}", number + 1), &format!("'{}", number + 1), "sed ", "hint: "];
            let archives = wrapped(&folder, text.as_bytes());
            let ways = [&["--clean", "schema", "--yes"][..], &["--clean", "database", "--jobs", "2"], &["--resume"]];
            for (archive, way) in archives.iter().zip(ways) {
                restoring(archive, &target, way).run().refused(8, &words);
                let refused = with_clients_of(server).arg("verify").arg(archive).run().refused(8, &words);
                let hint = refused.follows("take-line-out");
                let (_, command) = hint.split_once("take it out: ").expect("a command");
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
    let middle = dump.replace("-- Name: b; Type: TABLE;", "--\npg_dump: warning: don't\n-- Name: b; Type: TABLE;");
    for archive in wrapped(&folder, middle.as_bytes()) {
        let words = ["pg_dump: warning: don't", "sed ", "hint: "];
        restoring(&archive, &target, &["--clean", "schema", "--yes"]).run().refused(8, &words);
    }
    assert_eq!(state(&target), before);
}

#[test]
fn case_4_lines_before_the_dump_are_passed_over_with_a_note() {
    const PASSED_OVER: &str = "what stands before the dump is no SQL and was passed over: ";
    let password = "mysqldump: [Warning] Using a password on the command line interface can be insecure.";
    let circular = "pg_dump: warning: there are circular foreign-key constraints on this table:";
    for (server, first, next) in [
        (mysql(), password, ""),
        (mariadb(), "stdin: is not a tty", "\n"),
        (postgres15(), circular, "pg_dump: detail: a\n\n"),
        (postgres18(), "Warning: Permanently added 'db.example' to the list of known hosts.", ""),
    ] {
        let source = server.database("source");
        source.sql("CREATE TABLE a (id int PRIMARY KEY, v varchar(9)); INSERT INTO a VALUES (1, 'x'), (2, 'y')");
        let folder = tempfile::tempdir().expect("a folder");
        let dump = crate::foreign::files::plain(&source);
        let ways = [&["--clean", "schema", "--yes"][..], &["--clean", "schema", "--yes", "--jobs", "1"], &[]];
        for (archive, way) in wrapped(&folder, format!("{first}\n{next}{dump}").as_bytes()).iter().zip(ways) {
            let target = server.database("target");
            let restored = restoring(archive, &target, way).run().expect_code(0);
            assert!(restored.stderr.contains(&format!("{PASSED_OVER}{first}")), "{}", restored.stderr);
            assert_eq!(checksum(&target), checksum(&source));
        }
        // A later line that is no SQL keeps its number.
        let middle = format!("{first}\n{next}{}", dump.replacen("\nCREATE TABLE", "\npg_dump: x\nCREATE TABLE", 1));
        let number = middle.lines().position(|line| line == "pg_dump: x").expect("the line") + 1;
        let archive = &wrapped(&folder, middle.as_bytes())[0];
        let refused = with_clients_of(server).arg("verify").arg(archive).run();
        refused.refused(8, &[&format!("line {number}: pg_dump: x"), &format!("sed -i '{number}d'")]);
    }
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

#[test]
fn case_4_words_in_the_middle_of_a_line_of_rows_are_8_before_the_first_drop() {
    for server in [mysql(), mariadb()] {
        let (_, dump) = source(server);
        let target = kept(server);
        let before = state(&target);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("d.sql");
        for place in ["'it", "it\\'", "(2,"] {
            let at = dump.find(place).expect(place) + place.len();
            let said = "mysqldump: Got error: 1: x";
            fs::write(&path, format!("{}{said}\n{}", &dump[..at], &dump[at..])).expect("write");
            let words = [said, "in the middle of a line of rows", "hint: dump again"];
            restoring(&path, &target, &["--clean", "schema", "--yes"]).run().refused(8, &words);
            assert_eq!(state(&target), before, "{place}");
        }
        // The same words in a row are a row.
        let row = dump.replace("'x'", "'mysqldump: Got error: 1: x'");
        fs::write(&path, row).expect("write");
        restoring(&path, &target, &["--clean", "schema", "--yes"]).run().expect_code(0);
        assert_eq!(target.sql("SELECT v FROM a WHERE id = 1"), "mysqldump: Got error: 1: x");
    }
}

#[test]
fn a_row_that_looks_like_a_line_of_pg_dumps_is_warned_of() {
    let server = postgres15();
    let source = server.database("source");
    source.sql("CREATE TABLE t (v text); INSERT INTO t VALUES ('x'), ('y')");
    let folder = tempfile::tempdir().expect("a folder");
    let path = by_hand(&source, folder.path(), "plain");
    let dump = fs::read_to_string(&path).expect("text");
    fs::write(&path, dump.replace("\nx\n", "\nx\npg_dump: warning: z\n")).expect("write");
    let target = server.database("target");
    for output in [with_clients_of(server).arg("verify").arg(&path).run(), restoring(&path, &target, &[]).run()] {
        let output = output.expect_code(0);
        assert!(output.stderr.contains("pg_dump: warning: z: among the rows, and may be one"), "{}", output.stderr);
    }
    assert_eq!(target.sql("SELECT count(*) FROM t"), "3");
}
