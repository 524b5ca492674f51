//! Scripts for psql, and archives of which `pg_restore` makes scripts.

use std::{fs, path::PathBuf};

use super::{Trap, refused, restore};
use crate::roundtrip::with_clients_of;
use crate::{
    foreign::archives::with_both,
    support::{Database, Flavour, checksum, fake_client, postgres15, postgres18},
};

/// What psql obeys, as an attacker would hide it from whoever looks for it. Each is a line or more.
const TRICKS: [&str; 23] = [
    "\\! touch MARK\n",
    "SELECT 1 \\g MARK\n",
    "SELECT 1 \\g |touch MARK\n",
    "SELECT 1\n\\g |touch MARK\n",
    "\\copy (SELECT 1) TO PROGRAM 'touch MARK'\n",
    "\\o MARK\n",
    "\\set x `touch MARK`\n",
    "\\i MORE\n",
    "\\ir MORE\n",
    "\\if true\n\\! touch MARK\n\\endif\n",
    // A name with a newline, where pg_dump put it into a comment (CVE-2025-8715).
    "--\n-- Name: a\n\\! touch MARK\n-- ; Type: TABLE; Schema: public; Owner: -\n--\n",
    // What ends a remark, and a comment.
    "-- a\r\\! touch MARK\n",
    "/*/ ' */ \\! touch MARK\n",
    // Where strings begin and end.
    "SELECT 1$$'$$ \\! touch MARK\n;\n",
    "SELECT $$a$$$$'$$ \\! touch MARK\n;\n",
    "SELECT E'a'\r'\\'' \\! touch MARK\n;\n",
    "SELECT E'a'\n'\\' \\! touch MARK\n;\n",
    "SET standard_conforming_strings = off;\nROLLBACK;\nSELECT '\\' \\! touch MARK\n';\n",
    // What the script may say itself.
    "\\restrict a\n\\unrestrict a \\! touch MARK\n\\unrestrict a\n",
    // What looks like rows, and what looks like no rows.
    "CREATE TABLE stdin (copy int);\nSELECT\nCOPY a FROM stdin;\n\\! touch MARK\n\\.\n",
    "SELECT (1;\nCOPY t FROM stdin;\n\\! touch MARK\n\\.\n);\n",
    "SELECT 1; COPY t FROM stdin;\n'\n\\.\n\\! touch MARK\n'\n;\n",
    "COPY t FROM stdin; COPY t FROM stdin;\n\\.\n'\n\\.\n\\! touch MARK\n'\n;\n",
];

/// A plain dump that holds this.
pub fn script(body: &str) -> String {
    format!(
        "--\n-- PostgreSQL database dump\n--\n\nSET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n\n\
         CREATE TABLE t (a text);\n\n{body}\n--\n-- PostgreSQL database dump complete\n--\n\n"
    )
}

/// By a psql that can't shut its commands off, so that only the look at the script stands before them.
#[test]
fn what_psql_would_obey_is_refused_before_psql_starts() {
    let clients = Flavour::Postgres13.client_dir();
    let (trap, target) = (Trap::new(), postgres15().database("tricked"));
    for trick in TRICKS {
        let path = trap.write(script(&trap.set(trick)));
        refused(restore(&clients, &path, &target).run(), &target, trick);
        assert!(!trap.sprung(), "{trick:?} ran");
    }
}

/// psql takes the end of rows with a carriage return for one, and dumps that came through a terminal have them everywhere.
#[test]
fn rows_that_a_carriage_return_ends_are_refused_whoever_trusts_them() {
    let (trap, target) = (Trap::new(), postgres15().database("returned"));
    let path = trap.write(script(&trap.set("COPY t FROM stdin;\n\\.\r\n\\! touch MARK\n")));
    for options in [&[][..], &["--trust"]] {
        let output = restore(&postgres15().client_dir(), &path, &target).args(options).run();
        output.refused(8, &["its line ends were changed, but not all of them", "nothing was changed"]);
        assert!(!trap.sprung() && checksum(&target).is_empty());
    }
}

#[test]
fn each_trick_is_one_for_a_psql_that_is_told_to_trust() {
    let (trap, target) = (Trap::new(), postgres15().database("trusted"));
    for trick in TRICKS {
        let path = trap.write(script(&trap.set(trick)));
        target.sql("DROP TABLE IF EXISTS t CASCADE");
        let output = restore(&postgres15().client_dir(), &path, &target).arg("--trust").run();
        assert!(trap.sprung(), "{trick:?} is no trick: {}", output.stderr);
    }
}

#[test]
fn what_nobody_can_see_is_stopped_by_psql_itself() {
    let (trap, target) = (Trap::new(), postgres15().database("hidden"));
    let hidden = "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT set_config(''standard_conf'' || ''orming_strings'', ''off'', false)';\n\
                  CREATE TABLE u (a text DEFAULT f());\nINSERT INTO u DEFAULT VALUES;\n\
                  SELECT '\\'' \\! touch MARK\n';\n";
    let path = trap.write(script(&trap.set(hidden)));
    let output = restore(&postgres15().client_dir(), &path, &target).run();
    output.refused(7, &["backslash commands are restricted", "its transaction was rolled back"]);
    assert!(!trap.sprung() && checksum(&target).is_empty());
    restore(&postgres15().client_dir(), &path, &target).arg("--trust").run();
    assert!(trap.sprung(), "it is no trick");
}

#[test]
fn the_files_of_the_servers_machine_are_refused() {
    let (trap, target) = (Trap::new(), postgres15().database("server_files"));
    for trick in [
        "COPY t FROM PROGRAM 'echo a';\n",
        "COPY t FROM '/etc/hostname';\n",
        "copy\n t from e'/etc/hostname' ;\n",
        "COPY (SELECT 1) TO '/tmp/never-written';\n",
        "SELECT pg_catalog.lo_import('/etc/hostname');\n",
    ] {
        let path = trap.write(script(trick));
        refused(restore(&postgres15().client_dir(), &path, &target).run(), &target, trick);
    }
}

#[test]
fn what_only_looks_like_a_trick_comes_back() {
    let (trap, target) = (Trap::new(), postgres15().database("innocent"));
    let innocent = "-- \\! touch MARK\n/* \\! touch MARK */\nCOMMENT ON TABLE t IS '\\! touch MARK';\n\
                    CREATE VIEW v AS SELECT 'COPY t FROM PROGRAM ''touch MARK''' AS a, E'\\\\! touch MARK' AS b;\n\
                    CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $_$\nSELECT E'\n\\\\! touch MARK\n'\n$_$;\n\
                    INSERT INTO t VALUES ('\n\\! touch MARK\n');\n\
                    COPY t (a) FROM stdin;\n\\\\! touch MARK\n'\\t\"\\N\n\\.\n";
    for clients in [postgres15().client_dir(), Flavour::Postgres13.client_dir()] {
        let path = trap.write(script(&trap.set(innocent)));
        restore(&clients, &path, &target).args(["--clean=schema"]).run().expect_code(0);
        assert!(!trap.sprung());
        assert_eq!(target.sql("SELECT count(*) FROM t"), "3");
    }
}

/// An archive of the custom format in which a comment and a row were overwritten by something as long.
fn forged(source: &Database<'_>, trap: &Trap, comment: &str, row: &str) -> PathBuf {
    const LENGTH: usize = 400;
    let (first, second) = ("C".repeat(LENGTH), "R".repeat(LENGTH));
    source.sql(&format!("CREATE TABLE t (a text); COMMENT ON TABLE t IS '{first}'; INSERT INTO t VALUES ('{second}')"));
    let dumped = source.client("pg_dump").args(["-Fc", "-Z0"]).output().expect("run pg_dump");
    assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
    let mut bytes = dumped.stdout;
    for (old, new) in [(first, trap.set(comment)), (second, trap.set(row))] {
        if !new.is_empty() {
            let at = bytes.windows(LENGTH).position(|window| window == old.as_bytes()).expect("it is in the archive");
            bytes[at..at + new.len()].copy_from_slice(new.as_bytes());
        }
    }
    let path = trap.path("forged.dump");
    fs::write(&path, bytes).expect("write");
    path
}

#[test]
fn commands_in_a_table_of_contents_run_on_no_way() {
    let cases =
        [("';\n\\! touch MARK\n--", ""), ("", "a\n\\.\n\\! touch MARK\n--"), ("';\nSELECT 1 \\g |touch MARK\n--", "")];
    for (comment, row) in cases {
        // By pg_restore itself, and by psql with what a newer pg_restore makes of the archive.
        for source in [postgres15(), postgres18()] {
            let (trap, source, target) = (Trap::new(), source.database("forged"), postgres15().database("forged"));
            let path = forged(&source, &trap, comment, row);
            let output = with_both().arg("restore").arg(&path).arg(target.uri()).run();
            assert!(matches!(output.code, Some(7 | 8 | 10)), "{:?} {}", output.code, output.stderr);
            assert!(!trap.sprung(), "{comment:?} {row:?} ran");
            assert!(checksum(&target).is_empty());
        }
    }
}

#[test]
fn a_table_of_contents_that_reaches_for_the_servers_files_is_refused_with_its_entry() {
    let (trap, source) = (Trap::new(), postgres15().database("forged"));
    let path = forged(&source, &trap, "';\nCOPY t FROM PROGRAM 'echo x';\n--", "");
    let target = postgres15().database("forged");
    let output = restore(&postgres15().client_dir(), &path, &target).run();
    output.refused(10, &["reaches for files or programs", "entry ", "COMMENT TABLE t", "nothing was changed"]);
    assert!(checksum(&target).is_empty());
}

#[test]
fn an_archive_goes_through_no_psql_that_would_obey_it() {
    let clients = tempfile::tempdir().expect("a folder");
    for (program, of) in [("pg_restore", Flavour::Postgres18), ("psql", Flavour::Postgres13)] {
        let real = of.client_dir().join(program);
        fake_client(clients.path(), program, &format!("#!/bin/sh\nexec '{}' \"$@\"\n", real.display()));
    }
    let (trap, source) = (Trap::new(), postgres18().database("forged"));
    let innocent = forged(&source, &trap, "", "");
    let target = postgres15().database("forged");
    let output = restore(clients.path(), &innocent, &target).run();
    output.refused(10, &["psql 13.", "running programs", "17.6", "nothing was changed"]);
    source.sql("DROP TABLE t");
    let path = forged(&source, &trap, "';\n\\! touch MARK\n--", "");
    restore(clients.path(), &path, &target).run().refused(10, &["COMMENT TABLE t", "nothing was changed"]);
    assert!(!trap.sprung());
    restore(clients.path(), &path, &target).arg("--trust").run();
    assert!(trap.sprung(), "it is no trick");
}

#[test]
fn functions_that_the_server_does_not_confine_are_named_and_refused_where_that_is_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = postgres15().database("unconfined");
    source.sql("CREATE FUNCTION lower_of(text) RETURNS text LANGUAGE internal IMMUTABLE STRICT AS 'lower'");
    source.sql("CREATE FUNCTION harmless_one(text) RETURNS text LANGUAGE sql AS 'SELECT $1'");
    for format in ["custom", "plain"] {
        let archive = folder.path().join(format);
        let dump = with_clients_of(postgres15()).args(["dump", "--format", format, &source.uri(), "-o"]);
        dump.arg(&archive).run().expect_code(0);
        let target = postgres15().database("unconfined_target");
        let restore = || with_clients_of(postgres15()).arg("restore").arg(&archive).arg(target.uri());
        let words = ["does not confine: 1", "lower_of", "nothing was changed"];
        let refused = restore().arg("--refuse-untrusted").run().refused(10, &words);
        assert!(!refused.stderr.contains("harmless_one"), "{}", refused.stderr);
        let done = restore().run().expect_code(0);
        assert!(done.stderr.contains("does not confine: 1: ") && done.stderr.contains("lower_of"), "{}", done.stderr);
        assert_eq!(target.sql("SELECT lower_of('A')"), "a");
    }
}
