//! What is wrong before anything starts: the URI, the options, the way to the server, the clients.

use std::path::Path;

use crate::support::{
    Dbhaul, Output, Server, Silent, closed_port, dbhaul, fake_client, fixture, mariadb, mysql, names, postgres15,
    recorded_client,
};

/// A dbhaul in an empty folder that must be empty afterwards, with clients that leave a trace when they are started.
fn run(args: &[&str], set: impl FnOnce(Dbhaul) -> Dbhaul) -> Output {
    let (folder, clients) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let trace = clients.path().join("started");
    for (program, recording) in [("pg_dump", "pg_dump-18.6"), ("mysqldump", "mysqldump-9.7.4")] {
        recorded_client(clients.path(), program, recording, &format!("touch {}", trace.display()));
    }
    let output = set(dbhaul().args(args).client_dirs([clients.path()]).cwd(folder.path())).run();
    assert_eq!(names(folder.path()), [""; 0], "something was written; stderr:\n{}", output.stderr);
    assert!(!trace.exists(), "a client was started; stderr:\n{}", output.stderr);
    output
}

fn refused(args: &[&str], code: i32, words: &[&str]) -> Output {
    run(args, |dbhaul| dbhaul).refused(code, words)
}

#[test]
fn no_uri_anywhere_is_3_and_lists_where_one_was_looked_for() {
    let words = ["no database was named", "DBHAUL_URI_FILE", "SCALINGO_MYSQL_URL", "hint: dbhaul dump postgres://"];
    refused(&["dump"], 3, &words);
    refused(&["dump", "env:NOT_SET"], 3, &["the variable NOT_SET is not set"]);
    refused(&["dump", "file:/no/such/file"], 3, &["/no/such/file", "No such file"]);
}

#[test]
fn a_wrong_uri_is_3_and_the_wrong_part_is_named_without_its_password() {
    for (uri, words) in [
        ("redis://u:hunter2@h/x", &["redis", "hint: a URI begins with postgres://"][..]),
        ("postgres://u:hunter2@h:99999/x", &["99999", "port"]),
        ("mysql://u:hunter2@h:port/x", &["port"]),
        ("postgres://u:hunter2@h:5432", &["database"]),
        ("postgres://u:hunter2@h/", &["database"]),
        ("mysql://u:hunter2@h/", &["database"]),
        ("postgres://u:hunter2@h/x?sslmode=maybe", &["sslmode", "maybe"]),
        ("postgres://u:hunter2@one,two/x", &["one,two"]),
    ] {
        let words_from_env = [words, &["taken from HERE"]].concat();
        for output in [
            refused(&["dump", uri], 3, words),
            run(&["dump", "env:HERE"], |dbhaul| dbhaul.env("HERE", uri)).refused(3, &words_from_env),
        ] {
            assert!(!output.stderr.contains("hunter2"), "{uri}:\n{}", output.stderr);
        }
    }
}

#[test]
fn a_wrong_command_line_is_2_before_anything_starts() {
    let nobody = format!("postgres://u:hunter2@127.0.0.1:{}/x", closed_port());
    let nobody = nobody.as_str();
    let mysql = nobody.replace("postgres", "mysql");
    let mysql = mysql.as_str();
    for (args, words) in [
        (&["dump", nobody, "--jobs", "0"][..], &["--jobs", "0"][..]),
        (&["dump", nobody, "--schema-only", "--data-only"], &["--schema-only", "--data-only"]),
        (&["dump", nobody, "--no-owner", "--keep-owner"], &["--no-owner", "--keep-owner"]),
        (&["dump", nobody, "--tunnel", "--ssh", "h"], &["--tunnel", "--ssh"]),
        (&["dump", nobody, "--quiet", "--verbose"], &["--quiet", "--verbose"]),
        (&["dump", nobody, "--connect-timeout", "0"], &["--connect-timeout"]),
        (&["dump", nobody, "--compression", "lzma"], &["--compression", "lzma"]),
        (&["dump", nobody, "--no-such-option"], &["--no-such-option"]),
        (&["dump", nobody, "-o", "s3://bucket/x"], &["--output", "s3://"]),
        (&["dump", mysql, "--format", "plain"], &["--format"]),
        (&["restore", "x.tar.gz", nobody, "--jobs", "0"], &["--jobs", "0"]),
        (&["restore", "x.tar.gz", nobody, "--clean", "schema", "--into-non-empty"], &["--clean", "--into-non-empty"]),
        (&["restore", "x.tar.gz", nobody, "--clean", "everything"], &["--clean", "everything"]),
        (&["restore", "x.tar.gz", nobody, "--schema-only", "--data-only"], &["--schema-only", "--data-only"]),
        (&["restore", nobody, "x.tar.gz"], &["the first argument is the archive"]),
        (&["restore"], &["<ARCHIVE>"]),
        (&["verify"], &["<ARCHIVE>"]),
        (&["shovel"], &["shovel"]),
    ] {
        let output = refused(args, 2, words);
        assert!(!output.stderr.contains("hunter2"), "{args:?}:\n{}", output.stderr);
    }
}

#[test]
fn row_56_arguments_that_would_break_the_archive_are_2_before_the_server_is_asked() {
    for (scheme, extra) in [
        ("postgres", "--file=x"),
        ("postgres", "-fx"),
        ("postgres", "-Fd"),
        ("postgres", "--password=hunter2"),
        ("postgres", "-j4"),
        ("mysql", "--result-file=x"),
        ("mysql", "-rx"),
        ("mysql", "--tab=x"),
        ("mysql", "--password=hunter2"),
        ("mysql", "-phunter2"),
    ] {
        // Nobody listens: were the server asked first, this would be 4.
        let nobody = format!("{scheme}://u@127.0.0.1:{}/x", closed_port());
        let option = if extra.starts_with("--") { extra.split('=').next().unwrap_or(extra) } else { &extra[..2] };
        let output = refused(&["dump", &nobody, "--", extra], 2, &[option]);
        assert!(!output.stderr.contains("hunter2"), "{extra}:\n{}", output.stderr);
    }
}

#[test]
fn a_pattern_that_matches_nothing_is_2_before_a_client_starts() {
    let database = postgres15().database("patterns");
    database.sql("CREATE TABLE orders (id int)");
    let uri = database.uri();
    for (option, pattern) in [("--table", "nope*"), ("--schema", "nope*")] {
        refused(&["dump", &uri, option, pattern], 2, &[option, "nope*", "matches nothing"]);
    }
    let database = mysql().database("patterns");
    database.sql("CREATE TABLE orders (id int)");
    refused(&["dump", &database.uri(), "--table", "nope*"], 2, &["nope*", "no table or view matches"]);
}

fn login_is_refused(server: &Server) {
    let database = server.database("login");
    let wrong = server.uri_as(server.user(), "hunter2-wrong", database.name());
    let output = refused(&["dump", &wrong], 4, &["cannot connect to", "****", "hint:"]);
    assert!(!output.stderr.contains("hunter2"), "{}", output.stderr);
    assert_eq!(output.hints(), 1, "{}", output.stderr);

    let output = refused(&["dump", &server.uri("no_such_database")], 4, &["no_such_database", "hint:"]);
    assert_eq!(output.hints(), 1, "{}", output.stderr);

    let scheme = wrong.split(':').next().expect("a scheme");
    let closed = format!("{scheme}://u:p@127.0.0.1:{}/x", closed_port());
    let output = refused(&["dump", &closed], 4, &["refused", "hint:"]);
    assert_eq!(output.hints(), 1, "{}", output.stderr);
}

#[test]
fn postgres_does_not_let_us_in_is_4() {
    login_is_refused(postgres15());
}

#[test]
fn mysql_does_not_let_us_in_is_4() {
    login_is_refused(mysql());
}

#[test]
fn mariadb_does_not_let_us_in_is_4() {
    login_is_refused(mariadb());
}

#[test]
fn row_52_a_host_that_accepts_and_never_answers_is_4_when_the_connect_time_out_is_over() {
    let silent = Silent::listen();
    for scheme in ["postgres", "mysql"] {
        let uri = format!("{scheme}://u:p@127.0.0.1:{}/x", silent.port);
        let output = refused(&["dump", &uri, "--connect-timeout", "1"], 4, &["cannot connect to", "hint:"]);
        assert_eq!(output.hints(), 1, "{}", output.stderr);
        // The same before a restore: the archive is good, the target does not answer.
        let archive = fixture(if scheme == "mysql" { "dumps/mysql-9.7.4.sql" } else { "dumps/pg_dump-15.custom.dump" });
        let archive = archive.to_str().expect("UTF-8");
        refused(&["restore", archive, &uri, "--connect-timeout", "1"], 4, &["cannot connect to"]);
    }
}

/// A dump with nothing but these clients.
fn with_clients(server: &Server, clients: &Path, words: &[&str]) {
    let database = server.database("unfit");
    database.sql("CREATE TABLE t (id int)");
    let dump = run(&["dump", &database.uri()], |dbhaul| dbhaul.client_dirs([clients]));
    let all = [words, &["hint: ", "apt install", "apk add", "dnf install", "brew install", "--client-dir"]].concat();
    dump.refused(5, &all);
}

#[test]
fn no_client_is_5_and_says_what_to_install() {
    let empty = tempfile::tempdir().expect("a folder");
    with_clients(postgres15(), empty.path(), &["no pg_dump fits PostgreSQL 15.", "found: no"]);
    with_clients(mysql(), empty.path(), &["no client fits MySQL 9.7", "found: no"]);
    with_clients(mariadb(), empty.path(), &["no client fits MariaDB 10.11", "found: no"]);
    let database = postgres15().database("unfit");
    run(&["dump", &database.uri()], |dbhaul| dbhaul.client_dirs(["/no/such/folder"]))
        .refused(5, &["the client folder /no/such/folder can't be read"]);
}

#[test]
fn only_an_old_client_is_5_and_names_it() {
    let clients = tempfile::tempdir().expect("a folder");
    recorded_client(clients.path(), "pg_dump", "pg_dump-13.16", "exit 1");
    let path = clients.path().join("pg_dump").display().to_string();
    with_clients(postgres15(), clients.path(), &["no pg_dump fits", &path, "13.16", "too old", "postgresql-client-15"]);
    recorded_client(clients.path(), "mysqldump", "mariadb-dump-10.3.22", "exit 1");
    let path = clients.path().join("mysqldump").display().to_string();
    with_clients(mysql(), clients.path(), &[&path, "MariaDB 10.3.22", "caching_sha2_password"]);
    recorded_client(clients.path(), "mysqldump", "mysqldump-5.7.21", "exit 1");
    with_clients(mysql(), clients.path(), &[&path, "MySQL 5.7.21"]);
    with_clients(mariadb(), clients.path(), &[&path, "MySQL 5.7.21"]);
}

#[test]
fn a_client_that_is_none_is_5_and_says_why() {
    let clients = tempfile::tempdir().expect("a folder");
    for program in ["pg_dump", "mysqldump"] {
        fake_client(clients.path(), program, "#!/bin/sh\necho 'something else 15.20'\n");
    }
    let words = ["not what its name says", "something else 15.20"];
    with_clients(postgres15(), clients.path(), &words);
    with_clients(mysql(), clients.path(), &words);
    for program in ["pg_dump", "mysqldump"] {
        std::fs::write(clients.path().join(program), "x").expect("write");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        std::fs::set_permissions(clients.path().join(program), mode).expect("chmod");
    }
    with_clients(postgres15(), clients.path(), &["pg_dump, not executable"]);
    with_clients(mysql(), clients.path(), &["mysqldump, not executable"]);
    for program in ["pg_dump", "mysqldump"] {
        fake_client(clients.path(), program, "#!/no/such/interpreter\n");
    }
    with_clients(postgres15(), clients.path(), &["pg_dump, ", "could not be started"]);
    with_clients(mysql(), clients.path(), &["mysqldump, ", "could not be started"]);
}

#[test]
fn an_archive_that_is_not_there_is_8_with_a_hint() {
    for args in [&["verify", "no-such.tar.gz"][..], &["inspect", "no-such.tar.gz"]] {
        refused(args, 8, &["no-such.tar.gz can't be read", "No such file", "hint: check its path"]);
    }
}

#[test]
fn a_variable_that_is_set_and_empty_counts_as_none() {
    let database = postgres15().database("unset");
    let set = |dbhaul: Dbhaul| {
        let names = [
            "TIMEOUT",
            "RETRIES",
            "JOBS",
            "TABLE",
            "COMPRESSION",
            "TUNNEL",
            "JSON",
            "FORCE_VERSION",
            "CONNECT_TIMEOUT",
        ];
        let dbhaul = names.iter().fold(dbhaul, |dbhaul, name| dbhaul.env(&format!("DBHAUL_{name}"), ""));
        dbhaul.client_dirs([postgres15().client_dir()])
    };
    run(&["dump", "--dry-run", &database.uri()], set).expect_code(0);
}

#[test]
fn a_client_of_another_flavour_says_that_it_stands_in() {
    let database = mysql().database("stand_in");
    database.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let output = run(&["dump", "--dry-run", &database.uri()], |dbhaul| dbhaul.client_dirs([mariadb().client_dir()]));
    let output = output.expect_code(0);
    assert!(
        output.stderr.contains("no fitting client of MySQL's is here") && output.stderr.contains("stands in"),
        "{}",
        output.stderr
    );
}
