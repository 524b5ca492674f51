//! Hints on files that are not as they should be.

use std::{fs, path::Path, process::Command};

use super::{dump_of, restore};
use crate::roundtrip::with_clients_of;
use crate::support::{Output, Server, mysql, postgres15, postgres18, program};

/// What the vendor's dump program writes of a small database.
fn script(server: &Server) -> String {
    let source = server.database("script");
    source.sql("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'x')");
    crate::foreign::files::plain(&source)
}

fn bash(folder: &Path, command: &str) {
    let status = Command::new("bash").current_dir(folder).args(["-ec", command]).status().expect("run bash");
    assert!(status.success(), "{command}");
}

fn verify(server: &Server, folder: &Path, words: &[&str]) -> Output {
    with_clients_of(server).arg("verify").args(words).cwd(folder).run()
}

#[test]
fn a_file_that_was_cut_or_spoilt_is_fetched_or_made_again() {
    for server in [postgres15(), mysql()] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        fs::write(path.join("d.sql"), script(server)).expect("write");
        bash(
            path,
            "gzip -k d.sql; head -c 200 d.sql.gz > cut.sql.gz; head -c 300 d.sql > cut.sql; cp d.sql.gz fetched.sql.gz",
        );
        verify(server, path, &["cut.sql.gz"]).refused(8, &[]).follows("fetch-again");
        verify(server, path, &["fetched.sql.gz"]).expect_code(0);
        verify(server, path, &["cut.sql"]).refused(8, &[]).follows("make-or-fetch-again");
        verify(server, path, &["d.sql"]).expect_code(0);
        bash(path, "tar czf inner.tar.gz d.sql; zip -q a.zip inner.tar.gz; tar cf outer.tar a.zip");
        verify(server, path, &["outer.tar"]).refused(8, &[]).follows("unpack-and-name");
        bash(path, "tar xf outer.tar; unzip -qo a.zip");
        verify(server, path, &["inner.tar.gz"]).expect_code(0);
        bash(path, "tar cf both.tar d.sql fetched.sql.gz");
        let hint = verify(server, path, &["both.tar"]).refused(8, &[]).follows("member-takes-one");
        let member = hint.split("--member ").nth(2).expect("a name").to_owned();
        verify(server, path, &["both.tar", "--member", &member]).expect_code(0);
        verify(server, path, &["both.tar", "--member", "none"]).refused(2, &[]);
    }
}

#[test]
fn a_dump_through_powershell_is_written_by_the_program_or_taken_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = mysql().database("wide");
    source.sql("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'grün')");
    let text = crate::foreign::files::plain(&source);
    let wide: Vec<u8> = "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    fs::write(folder.path().join("wide.sql"), wide).expect("write");
    let refused = verify(mysql(), folder.path(), &["wide.sql"]).refused(8, &[]);
    refused.follows("let-program-write-file");
    refused.follows("accept-unproven-characters");
    verify(mysql(), folder.path(), &["wide.sql", "--accept-unproven"]).expect_code(0);
    fs::write(folder.path().join("written.sql"), text).expect("write");
    verify(mysql(), folder.path(), &["written.sql"]).expect_code(0);
}

#[test]
fn stderr_within_a_row_is_kept_out_of_another_dump() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = script(mysql());
    let at = text.find("(1,").expect("a row") + 3;
    let spoilt = format!("{}mysqldump: Got error: 1: x\n{}", &text[..at], &text[at..]);
    fs::write(folder.path().join("spoilt.sql"), spoilt).expect("write");
    verify(mysql(), folder.path(), &["spoilt.sql"]).refused(8, &[]).follows("keep-stderr-out");
    fs::write(folder.path().join("again.sql"), text).expect("write");
    verify(mysql(), folder.path(), &["again.sql"]).expect_code(0);
}

#[test]
fn one_database_of_a_script_is_named_as_the_hint_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let part = |name: &str| {
        format!(
            "--\n-- Current Database: `{name}`\n--\n\nCREATE DATABASE `{name}`;\n\nUSE `{name}`;\n\
             CREATE TABLE `t` (`id` int PRIMARY KEY);\nINSERT INTO `t` VALUES (1);\n"
        )
    };
    let head = "-- MySQL dump 10.13  Distrib 8.4.0, for Linux (x86_64)\n--\n-- Host: localhost    Database: \n-- ------------------------------------------------------\n-- Server version\t8.4.0\n\n";
    let end = "\n-- Dump completed on 2026-01-01  0:00:00\n";
    fs::write(folder.path().join("many.sql"), [head, &part("shop"), &part("other"), &part("mysql"), end].concat())
        .expect("write");
    let run = |more: &[&str]| verify(mysql(), folder.path(), &[&["many.sql"], more].concat());
    let hint = run(&[]).refused(8, &[]).follows("database-of-many");
    let name = hint.split(' ').nth(1).expect("a name").trim_matches('"').to_owned();
    run(&["--database", &name]).expect_code(0);
    run(&["--database", "shp"]).refused(2, &[]).follows("database-takes-one");
    run(&["--database", "mysql"]).refused(10, &[]).follows("name-one-of-your-own");
    run(&["--database", "shop"]).expect_code(0);
    fs::write(folder.path().join("one.sql"), script(mysql())).expect("write");
    let one = verify(mysql(), folder.path(), &["one.sql", "--database", "shop"]).refused(2, &[]);
    one.follows("leave-database-out");
    verify(mysql(), folder.path(), &["one.sql"]).expect_code(0);
}

#[test]
fn a_plain_dump_does_what_it_can_and_the_custom_format_the_rest() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("d.sql");
    let source = postgres15().database("plain");
    let owner = format!("o_{}", source.name());
    source.sql(&format!("CREATE ROLE {owner}; CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); ALTER TABLE t OWNER TO {owner}"));
    let by_hand = |more: &[&str]| {
        let output = source.client("pg_dump").args(more).output().expect("run pg_dump");
        assert!(output.status.success());
        fs::write(&path, output.stdout).expect("write");
    };
    by_hand(&["--no-owner"]);
    let target = postgres15().database("plain_target");
    restore(&path, &target, &["--schema-only"]).refused(10, &[]).follows("custom-format-for-options");
    let (_folder, archive) = dump_of(&source);
    restore(&archive, &target, &["--schema-only"]).expect_code(0);
    restore(&path, &target, &["--clean", "objects", "--yes"]).refused(10, &[]).follows("clean-schema-for-plain");
    restore(&path, &target, &["--clean", "schema", "--yes"]).expect_code(0);

    by_hand(&[]);
    let target = postgres18().database("plain_target");
    restore(&path, &target, &[]).refused(10, &[]).follows("or-dump-without-owners");
    by_hand(&["--no-owner", "--no-privileges"]);
    restore(&path, &target, &[]).expect_code(0);
    source.sql(&format!("DROP OWNED BY {owner}; DROP ROLE {owner}"));
}

#[test]
fn what_is_more_than_the_database_is_read_and_let_through() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("d.sql");
    let text = script(mysql());
    let at = text.find("DROP TABLE").expect("a statement");
    fs::write(&path, format!("{}SET GLOBAL net_write_timeout = 60;\n{}", &text[..at], &text[at..])).expect("write");
    let target = mysql().database("trusted");
    restore(&path, &target, &[]).refused(10, &["net_write_timeout"]).follows("trust");
    restore(&path, &target, &["--trust"]).expect_code(0);

    let source = postgres15().database("internal");
    source.sql("CREATE FUNCTION f(text) RETURNS int LANGUAGE internal IMMUTABLE AS 'textlen'");
    let (_folder, archive) = dump_of(&source);
    let target = postgres15().database("internal_target");
    let refused = restore(&archive, &target, &["--refuse-untrusted"]).refused(10, &[]);
    refused.follows("without-refuse-untrusted");
    restore(&archive, &target, &[]).expect_code(0);
}

#[test]
fn a_folder_for_temporary_files_and_a_server_for_a_trial_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let dumps = crate::support::fixture("dumps");
    bash(folder.path(), &format!("tar czf d.tar.gz -C {} pg_dump-15.directory; mkdir empty", dumps.display()));
    let with = |tmpdir: &Path| {
        let verify = with_clients_of(postgres15()).args(["verify", "d.tar.gz"]).cwd(folder.path());
        verify.env("TMPDIR", tmpdir.as_os_str()).run()
    };
    with(Path::new("/no/such/folder")).refused(9, &[]).follows("another-tmpdir");
    with(folder.path()).expect_code(0);
    let source = mysql().database("trial");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let (_folder, archive) = dump_of(&source);
    let archive = archive.to_str().expect("UTF-8");
    let none = verify(mysql(), folder.path(), &[archive, "--restore", "--server-dir", "empty"]).refused(5, &[]);
    none.follows("restore-into-uri");
    verify(mysql(), folder.path(), &[archive, "--restore-into", &source.uri()]).expect_code(0);
}

#[test]
fn what_somebody_added_to_a_member_is_unpacked_by_hand_or_made_again() {
    for server in [postgres15(), mysql()] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        fs::write(path.join("d.sql"), script(server)).expect("write");
        bash(path, "gzip -k d.sql; cp d.sql.gz good.sql.gz; echo 'something else' >> d.sql.gz; tar cf a.tar d.sql.gz");
        verify(server, path, &["a.tar"]).refused(8, &["something else behind"]).follows("unpack-by-hand");
        bash(path, "tar xf a.tar; gzip -dc d.sql.gz > unpacked.sql || true; tar cf again.tar good.sql.gz");
        verify(server, path, &["unpacked.sql"]).expect_code(0);
        verify(server, path, &["again.tar"]).expect_code(0);
    }
}

#[test]
fn an_archive_for_a_terminal_goes_to_a_file_or_a_program() {
    let source = postgres15().database("terminal");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let folder = tempfile::tempdir().expect("a folder");
    let on_a_terminal = |more: &str| {
        let dump = format!("{} dump '{}' --output - {more}", program(), source.uri());
        let mut script = Command::new("script");
        script
            .env("NO_COLOR", "1")
            .args(["-qec", &dump, "/dev/null"])
            .current_dir(folder.path())
            .stdin(std::process::Stdio::null());
        let Ok(output) = script.env("DBHAUL_CLIENT_DIR", postgres15().client_dir()).output() else {
            panic!("there is no program script: apt install bsdutils")
        };
        let (code, signal) = (output.status.code(), None);
        Output { code, signal, stdout: output.stdout, stderr: String::from_utf8_lossy(&output.stderr).into_owned() }
    };
    on_a_terminal("").expect_code(2).follows("redirect-archive");
    on_a_terminal("> archive.tar.gz").expect_code(0);
    on_a_terminal("| cat > piped.tar.gz").expect_code(0);
    verify(postgres15(), folder.path(), &["archive.tar.gz"]).expect_code(0);
    verify(postgres15(), folder.path(), &["piped.tar.gz"]).expect_code(0);
}
