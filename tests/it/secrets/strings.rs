//! Connection strings that are no URIs, and passwords that are common words.

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::{assert_clean, assert_output_clean};
use crate::support::{Server, dbhaul, fake_client, mysql, postgres15, postgres18};

/// libpq's pairs for a database of this server.
fn pairs(server: &Server, database: &str) -> String {
    let (user, password, port) = (server.user(), server.password(), server.port());
    format!("host=127.0.0.1 port={port} user={user} password='{password}' dbname = {database}")
}

/// The same for Go's driver.
fn dsn(server: &Server, database: &str) -> String {
    format!("{}:{}@tcp(127.0.0.1:{})/{database}?parseTime=true", server.user(), server.password(), server.port())
}

fn travels_by(server: &'static Server, string: fn(&Server, &str) -> String) {
    let (source, target) = (server.database("strings"), server.database("strings_to"));
    source.sql("CREATE TABLE t (n int); INSERT INTO t VALUES (1), (2)");
    let (from, into) = (string(server, source.name()), string(server, target.name()));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("string");
    fs::write(&file, format!("{from}\n")).expect("write the string");
    let run = |words: &[&str], code| {
        let command = dbhaul().client_dirs([server.client_dir()]).env("THERE", &from).env("DBHAUL_URI", &from);
        let output = command.args(words).arg("-v").cwd(folder.path()).run().expect_code(code);
        let shown = format!("{}{}", output.text(), output.stderr);
        assert!(!shown.contains(&format!("{}@tcp", server.password())), "{shown}");
        assert!(!shown.contains(&format!("password='{}'", server.password())), "{shown}");
        output
    };
    for words in [vec!["dump", &from], vec!["dump", "env:THERE"], vec!["dump"], vec!["doctor", &from]] {
        run(&words, 0);
    }
    let archive = run(&["dump", &format!("file:{}", file.display())], 0).text().trim().to_owned();
    run(&["restore", &archive, &into], 0);
    assert_eq!(target.sql("SELECT count(*) FROM t"), "2");
    run(&["copy", &from, &into, "--clean", "objects"], 0);
    assert_eq!(target.sql("SELECT count(*) FROM t"), "2");
    run(&["verify", &archive, "--restore-into", &into], 0);
    // An open tunnel keeps the string's identity.
    let near = format!("--tunnel=127.0.0.1:{}", server.port());
    let far = from.replace("127.0.0.1", "db.example.test").replace(&server.port().to_string(), "1");
    run(&["dump", &far, &near], 0);
}

#[test]
fn pairs_of_libpq_are_taken_wherever_a_uri_is() {
    travels_by(postgres15(), pairs);
}

#[test]
fn data_source_names_of_go_are_taken_wherever_a_uri_is() {
    travels_by(mysql(), dsn);
}

/// As libpq does, where a URI or a string names its file of passwords.
#[test]
fn a_passfile_is_read_and_a_service_is_refused() {
    let server = postgres15();
    let (source, folder) = (server.database("passfile"), tempfile::tempdir().expect("a folder"));
    let (user, password) = (format!("by_{}", source.name()), "a:b\\c'@%41");
    source.sql(&format!("CREATE ROLE {user} LOGIN SUPERUSER PASSWORD $${password}$$; CREATE TABLE t (n int)"));
    let file = folder.path().join("pass");
    fs::write(&file, format!("*:*:*:{user}:{}\n", password.replace('\\', "\\\\").replace(':', "\\:")))
        .expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("chmod");
    let (name, port, file) = (source.name(), server.port(), file.display());
    for string in [
        format!("postgres://{user}@127.0.0.1:{port}/{name}?passfile={file}"),
        format!("host=127.0.0.1 port={port} user={user} dbname={name} passfile={file}"),
    ] {
        let dump =
            dbhaul().client_dirs([server.client_dir()]).args(["dump", "-v", "-o", "-", &string]).run().expect_code(0);
        assert!(!dump.stderr.contains(password) && !dump.stderr.contains("dropped"), "{}", dump.stderr);
        dbhaul().args(["dump", &string.replace("/pass", "/none")]).run().expect_code(4);
        dbhaul().args(["dump", &string.replace("passfile", "service")]).run().refused(3, &["\"service\" names a file"]);
    }
    source.sql(&format!("DROP ROLE {user}"));
}

/// Strings with the password's two pieces in it, in each style, readable and not.
fn strings() -> [&'static str; 9] {
    [
        "postgres://u:Vorn7Qk4x-Hinten9Zw2y@127.0.0.1:1/d",
        "host=127.0.0.1 port=1 user=u password=Vorn7Qk4x-Hinten9Zw2y dbname=d",
        "redis://u:Vorn7Qk4x-Hinten9Zw2y@127.0.0.1:1/d",
        r"host=127.0.0.1 port=1 user=u password='Vorn7Qk4x\' Hinten9Zw2y' dbname=d",
        "host=127.0.0.1 port=1 user=u password=Vorn7Qk4x Hinten9Zw2y=1 dbname=d",
        "host=127.0.0.1 user=u password='Vorn7Qk4x Hinten9Zw2y dbname=d",
        "u:Vorn7Qk4x@Hinten9Zw2y@tcp(127.0.0.1:1)/d",
        "Server=h;Database=d;User Id=u;Password=Vorn7Qk4x-Hinten9Zw2y;",
        "Driver={MySQL};Server=h;Database=d;Uid=u;Pwd=\"Vorn7Qk4x;Hinten9Zw2y\"",
    ]
}

#[test]
fn no_error_about_a_connection_string_repeats_its_password() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("string");
    for string in strings() {
        fs::write(&file, string).expect("write the string");
        let by_file = format!("file:{}", file.display());
        let (odd_variable, odd_file) = (format!("env:{string}"), format!("file:{string}"));
        for words in [
            vec!["dump", string],
            vec!["doctor", string, "--json"],
            vec!["dump", "env:STRING"],
            vec!["dump", &by_file],
            vec!["dump", &odd_variable],
            vec!["dump", &odd_file],
            vec!["copy", string, string],
            vec!["copy", "postgres://u@127.0.0.1:1/d", string],
            vec!["restore", string, string],
            vec!["restore", "x.tar.gz", string],
            vec!["verify", string],
            vec!["verify", "x.tar.gz", "--restore-into", string],
            vec!["inspect", string],
            vec!["dump", string, string],
            vec![string],
        ] {
            let command = dbhaul().args(&words).env("STRING", string).env("DBHAUL_URI_FILE", string);
            let command = command.env("DBHAUL_CONNECT_TIMEOUT", "1").env("DBHAUL_RETRIES", "0");
            let output = command.cwd(folder.path()).run();
            assert_output_clean(&format!("{words:?}"), &output);
            assert_ne!(output.code, Some(0), "{words:?}");
        }
    }
}

#[test]
fn a_string_with_semicolons_is_3_and_the_uri_is_spelled_out_for_both_engines() {
    for string in ["Server=h;User Id=u;Password=Vorn7Qk4x;Database=d", "Host=h;Username=u;Password=Vorn7Qk4x"] {
        let output = dbhaul().args(["dump", string]).run();
        assert_output_clean(string, &output);
        let words = ["which engine", "postgres://USER:PASSWORD@HOST", "mysql://USER:PASSWORD@HOST"];
        output.refused(3, &words);
    }
}

/// The long options of a command, as its own help lists them.
fn options(command: &str) -> Vec<String> {
    let help = dbhaul().args([command, "--help"]).run().expect_code(0).text().to_owned();
    let words = help.split(|c: char| !c.is_ascii_lowercase() && c != '-').filter(|word| word.starts_with("--"));
    let mut options: Vec<_> = words.filter(|word| word.len() > 3 && *word != "--help").map(str::to_owned).collect();
    options.sort();
    options.dedup();
    options
}

#[test]
fn no_option_repeats_a_connection_string_that_was_given_to_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let nobody = "postgres://u@127.0.0.1:1/d";
    let mut tried = 0;
    for (command, places) in [
        ("dump", vec![nobody]),
        ("restore", vec!["x.tar.gz", nobody]),
        ("copy", vec![nobody, nobody]),
        ("verify", vec!["x.tar.gz"]),
        ("inspect", vec!["x.tar.gz"]),
        ("doctor", vec![nobody]),
    ] {
        for (n, option) in options(command).into_iter().enumerate() {
            // Each style comes to its turn.
            for string in [0, 4].map(|step| strings()[(n + step) % strings().len()]) {
                let mut run = |more: &[&str], variable: &str| {
                    let command = dbhaul().arg(command).args(&places).args(more).env(variable, string);
                    let output = command.cwd(folder.path()).run();
                    assert_output_clean(&format!("{places:?} {more:?} {variable}"), &output);
                    assert_ne!(output.code, Some(0), "{places:?} {more:?}");
                    tried += 1;
                };
                let short = ["--connect-timeout=1", "--retries=0"];
                let short = if command == "inspect" { &short[..0] } else { &short[..] };
                let given = format!("{option}={string}");
                run(&[&[given.as_str()], short].concat(), "UNUSED");
                let variable = format!("DBHAUL_{}", option[2..].replace('-', "_").to_uppercase());
                run(short, &variable);
            }
        }
    }
    assert!(tried > 300, "{tried}");
}

#[test]
fn a_uri_for_a_tunnel_command_is_misplaced_and_one_among_its_arguments_is_not_shown() {
    let uri = strings()[0];
    for words in [
        vec!["dump", "postgres://u@127.0.0.1:1/d", "--tunnel-command", uri],
        vec!["copy", "postgres://u@127.0.0.1:1/d", "postgres://u@127.0.0.1:1/d", "--target-tunnel-command", uri],
    ] {
        let output = dbhaul().args(&words).run();
        assert_output_clean("a tunnel command", &output);
        output.refused(2, &["tunnel-command was given a URI"]);
    }
    // A command may well take one; what it says of it is not shown either.
    let command = format!("sh -c 'echo at $0 >&2; exit 1' {uri}");
    let output = dbhaul().args(["dump", "postgres://u@127.0.0.1:1/d", "-vv", "--tunnel-command", &command]).run();
    assert_output_clean("a tunnel command's arguments", &output);
    assert!(output.stderr.contains("at postgres://u:****@127.0.0.1"), "{}", output.stderr);
    output.expect_code(4);
}

/// A user whose name, password and database are one word.
fn one_word(server: &Server, word: &str) {
    if server.flavour().is_postgres() {
        server.sql(&format!("CREATE ROLE \"{word}\" LOGIN SUPERUSER PASSWORD '{word}'"));
    } else {
        server.sql(&format!("CREATE USER '{word}'@'%' IDENTIFIED BY '{word}'; GRANT ALL ON *.* TO '{word}'@'%'"));
    }
}

#[test]
fn a_password_that_is_a_common_word_changes_no_path_and_no_key() {
    for (server, word, engine) in [
        (postgres15(), "myproject", "postgresql"),
        (postgres15(), "postgresql", "postgresql"),
        (mysql(), "myproject", "mysql"),
        (mysql(), "mysqldump", "mysql"),
    ] {
        one_word(server, word);
        let database = server.database_named(word);
        database.sql("CREATE TABLE dump (n int); INSERT INTO dump VALUES (1)");
        let uri = server.uri_as(word, word, word);
        let folder = tempfile::tempdir().expect("a folder");
        let run = |words: &[&str]| {
            dbhaul().client_dirs([server.client_dir()]).args(words).cwd(folder.path()).run().expect_code(0)
        };
        let output = run(&["dump", &uri]);
        let archive = output.text().trim().to_owned();
        assert!(archive.ends_with(&format!("_{word}.tar.gz")), "{archive}");
        assert!(folder.path().join(&archive).is_file(), "{archive}");
        assert!(output.stderr.contains(&format!("as \"{word}")), "{}", output.stderr);
        assert!(!output.stderr.contains(&format!(":{word}@")), "{}", output.stderr);
        let json = run(&["dump", "--json", "--name", "second", &uri]).json();
        assert_eq!((&json["engine"], &json["database"]), (&engine.into(), &word.into()), "{json}");
        let json = run(&["verify", "--json", &archive]).json();
        assert_eq!((&json["engine"], &json["archive"]), (&engine.into(), &archive.as_str().into()), "{json}");
        let commands = run(&["dump", "--dry-run", &uri]).text().to_owned();
        assert!(commands.contains(word) && commands.contains("****"), "{commands}");
    }
}

#[test]
fn a_common_word_stays_hidden_in_what_a_client_says() {
    let server = postgres15();
    let (folder, clients) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    one_word(server, "ourproject");
    let _database = server.database_named("ourproject");
    let real = server.client_dir().join("pg_dump");
    let script = "echo 'fatal: the password ourproject is bad' >&2; exit 1";
    fake_client(
        clients.path(),
        "pg_dump",
        &format!("#!/bin/sh\n[ \"$1\" = --version ] && exec {} --version\n{script}\n", real.display()),
    );
    let uri = server.uri_as("ourproject", "ourproject", "ourproject");
    let output = dbhaul().client_dirs([clients.path()]).args(["dump", "-vv", &uri]).cwd(folder.path()).run();
    assert!(output.stderr.contains("the password **** is bad"), "{}", output.stderr);
    assert!(!output.stderr.contains("password ourproject"), "{}", output.stderr);
    assert!(output.stderr.contains("/ourproject"), "{}", output.stderr);
    output.expect_code(6);
}

#[test]
fn rules_for_the_login_hold_for_our_sessions_and_the_clients() {
    let folder = tempfile::tempdir().expect("a folder");
    for (server, rule, code, words) in [
        (postgres15(), "gssencmode=prefer", 0, "gssencmode=prefer"),
        (postgres15(), "gssencmode=disable", 0, "gssencmode=disable"),
        (postgres15(), "sslmode=require&channel_binding=require", 0, "channel_binding=require"),
        (postgres15(), "sslmode=disable&channel_binding=require", 4, "SCRAM-SHA-256-PLUS"),
        (postgres15(), "channel_binding=disable", 0, "channel_binding=disable"),
        (postgres18(), "sslmode=require&sslnegotiation=direct", 0, "sslnegotiation=direct"),
        (postgres18(), "require_auth=scram-sha-256", 0, "require_auth=scram-sha-256"),
        (postgres18(), "sslmode=disable&require_auth=!password,!md5,!none", 0, "require_auth=!password,!md5,!none"),
        (postgres18(), "require_auth=md5", 4, "require_auth=md5 does not allow scram-sha-256"),
        (postgres18(), "sslmode=disable&require_auth=password,none", 4, "does not allow scram-sha-256"),
        (postgres15(), "gssencmode=require", 3, "gssencmode=require"),
        (postgres15(), "sslnegotiation=direct", 3, "sslnegotiation=direct needs sslmode=require"),
    ] {
        let database = server.database("login_rules");
        database.sql("CREATE TABLE t (n int)");
        let uri = format!("{}?{rule}", database.uri());
        let command = dbhaul().client_dirs([server.client_dir()]).args(["dump", "-v", &uri]);
        let output = command.cwd(folder.path()).run();
        assert!(output.stderr.contains(words), "{rule}: {}", output.stderr);
        assert!(!output.stderr.contains("was dropped"), "{rule}: {}", output.stderr);
        output.expect_code(code);
    }
}

#[test]
fn a_uri_behind_the_dashes_is_in_no_command_and_no_manifest() {
    let server = mysql();
    let database = server.database("behind_dashes");
    database.sql("CREATE TABLE t (v varchar(200)); INSERT INTO t VALUES ('x')");
    let folder = tempfile::tempdir().expect("a folder");
    let argument = format!("--where=v<>'{}'", strings()[0]);
    let command = dbhaul().client_dirs([server.client_dir()]).args(["dump", "-vv", &database.uri(), "-o", "a.tar.gz"]);
    let output = command.args(["--", &argument]).cwd(folder.path()).run().expect_code(0);
    assert_output_clean("an argument", &output);
    let output = dbhaul().args(["inspect", "--json", "a.tar.gz"]).cwd(folder.path()).run().expect_code(0);
    assert_clean("the manifest", &output.stdout);
}
