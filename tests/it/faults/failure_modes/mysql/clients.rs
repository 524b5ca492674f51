//! Which client is taken, what it is asked, how it gets in.

use std::{fs, path::Path, process::Command};

use super::{both, dump, ended, restore, vendor_load, written};
use crate::{
    connect::clients::whole_mysql_dump,
    roundtrip::with_clients_of,
    support::{Database, Flavour, Output, Server, dbhaul, fake_client, mariadb, mysql, recorded_client, shared},
};

fn small(server: &Server) -> Database<'_> {
    let database = server.database("client");
    database.sql("CREATE TABLE t (n INT PRIMARY KEY); INSERT INTO t VALUES (1), (2)");
    database
}

/// A dump by this recorded client, which does `then`; and the arguments that it was called with, if it was.
fn dump_by(database: &Database<'_>, query: &str, recording: &str, then: &str) -> (Output, Option<String>) {
    let (clients, out) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let program = if recording.starts_with("mariadb") { "mariadb-dump" } else { "mysqldump" };
    recorded_client(clients.path(), program, recording, then);
    let uri = format!("{}{query}", database.uri());
    let output = dbhaul().client_dirs([clients.path()]).args(["dump", &uri]).cwd(out.path()).run();
    (output, fs::read_to_string(clients.path().join("called")).ok())
}

#[test]
fn row_05_column_statistics_is_decided_by_the_clients_version() {
    let wrong = ended(mariadb().client("mariadb-dump").args(["--column-statistics=0", "mysql"]), "");
    assert_eq!(wrong.code, Some(7), "{}", wrong.stderr);
    for (server, recording, given) in [
        (mysql(), "mysqldump-8.0.28", true),
        (mysql(), "mysqldump-9.7.4", true),
        (mysql(), "mariadb-dump-11.8.6", false),
        (mariadb(), "mysqldump-8.0.36", true),
        (mariadb(), "mariadb-dump-10.3.22", false),
        (mariadb(), "mariadb-dump-10.11.19", false),
    ] {
        let (output, called) = dump_by(&small(server), "", recording, &whole_mysql_dump());
        output.expect_code(0);
        let called = called.expect("it was called");
        assert_eq!(called.contains("--column-statistics=0"), given, "{recording}: {called}");
    }
}

#[test]
fn row_10_each_clients_own_switches_say_what_the_uri_asks_for() {
    for (query, mysqls, mariadbs) in [
        ("", "--ssl-mode=PREFERRED", "--skip-ssl-verify-server-cert"),
        ("?ssl-mode=DISABLED", "--ssl-mode=DISABLED", "--skip-ssl"),
        ("?ssl-mode=REQUIRED", "--ssl-mode=REQUIRED", "--ssl\n--skip-ssl-verify-server-cert"),
        ("?useSSL=true&verifyServerCertificate=false", "--ssl-mode=REQUIRED", "--ssl\n--skip-ssl-verify-server-cert"),
    ] {
        for (recording, switches) in [
            ("mysqldump-8.0.36", mysqls),
            ("mysqldump-9.7.4", mysqls),
            ("mariadb-dump-10.11.19", mariadbs),
            ("mariadb-dump-11.8.6", mariadbs),
        ] {
            let (output, called) = dump_by(&small(mysql()), query, recording, &whole_mysql_dump());
            output.expect_code(0);
            let called = called.expect("it was called");
            assert!(called.contains(switches), "{recording} for {query:?}: {called}");
        }
    }
}

#[test]
fn row_10_a_server_without_tls_gets_a_dump_only_when_none_was_asked_for() {
    let server = Server::start_with(Flavour::Mariadb, &["--skip-ssl"]);
    let database = small(&server);
    let folder = tempfile::tempdir().expect("a folder");
    for query in ["?ssl-mode=REQUIRED", "?ssl-mode=VERIFY_CA&ssl-ca=/etc/ssl/certs/ca-certificates.crt"] {
        let output = dump(&server, &format!("{}{query}", database.uri()), &folder, &[]);
        output.refused(4, &["hint: the server has no TLS, and the URI asks for it"]).follows("ssl-mode-preferred");
    }
    let other = tempfile::tempdir().expect("a folder");
    dump(&server, &format!("{}?ssl-mode=PREFERRED", database.uri()), &other, &[]).expect_code(0);
    dump(&server, &database.uri(), &folder, &[]).expect_code(0);
}

#[test]
fn row_11_a_client_without_the_login_plugin_gets_a_hint_that_names_it() {
    let message = "mariadb-dump: Got error: 2059: \\\"Authentication plugin 'caching_sha2_password' cannot be loaded: \
                   /usr/lib/mariadb/plugin/caching_sha2_password.so: No such file or directory\\\" when trying to connect";
    let (output, called) =
        dump_by(&small(mysql()), "", "mariadb-dump-11.8.6", &format!("echo \"{message}\" >&2; exit 2"));
    assert!(called.is_some());
    output
        .refused(4, &["caching_sha2_password' cannot be loaded", "hint:", "apk add mariadb-connector-c"])
        .follows("client-with-the-plugin");
    let own = small(mysql());
    dump(mysql(), &own.uri(), &tempfile::tempdir().expect("a folder"), &[]).expect_code(0);
    // Those that are known to lack it are not even started.
    let (output, called) = dump_by(&small(mysql()), "", "mariadb-dump-10.3.22", "exit 1");
    assert!(called.is_none());
    output.refused(5, &["MariaDB 10.3.22", "can't log in with caching_sha2_password", "hint: apt install"]);
    // The other way round: MySQL 9 has no plugin for MariaDB's accounts.
    let database = small(mariadb());
    let real = mysql().client_dir().join("mysqldump");
    let port = format!("--port={}", mariadb().port());
    let mut vendors = Command::new(real);
    vendors.args(["--no-defaults", "--protocol=TCP", "--host=127.0.0.1", &port, "--user=dbhaul", database.name()]);
    let failed = ended(vendors.env("MYSQL_PWD", mariadb().password()), "");
    assert!(failed.stderr.contains("mysql_native_password"), "{}", failed.stderr);
    let (output, called) = dump_by(&database, "", "mysqldump-9.7.4", "exit 1");
    assert!(called.is_none());
    output.refused(5, &["MySQL 9.7.4", "can't log in with mysql_native_password"]);
}

#[test]
fn row_12_one_name_of_the_two_is_enough() {
    let database = small(mariadb());
    for program in ["mysqldump", "mariadb-dump"] {
        let (clients, out) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let deprecated = "echo 'mysqldump: Deprecated program name. It will be removed in a future release' >&2\n";
        let then = format!("{deprecated}{}", whole_mysql_dump());
        recorded_client(clients.path(), program, "mariadb-dump-11.8.6", &then);
        let dump = dbhaul().client_dirs([clients.path()]).args(["dump", "--json", &database.uri()]).cwd(out.path());
        let output = dump.run().expect_code(0);
        assert_eq!(output.json()["warnings"], serde_json::json!([]));
        assert!(clients.path().join("called").exists(), "{program}");
    }
}

#[test]
fn row_17_the_tls_parameters_of_platforms_uris_are_understood() {
    let folder = tempfile::tempdir().expect("a folder");
    for (number, query) in [
        "useSSL=true&verifyServerCertificate=false",
        "ssl-mode=REQUIRED",
        "ssl_mode=required",
        "sslaccept=accept_invalid_certs",
        "useSSL=false",
    ]
    .iter()
    .enumerate()
    {
        for server in both() {
            let database = small(server);
            let uri = database.uri().replace("mysql://", "MySQL2://").replace("mariadb://", "MARIADB://");
            let path = folder.path().join(format!("{number}-{}.tar.gz", database.name()));
            let dump = with_clients_of(server).args(["dump", &format!("{uri}?{query}"), "--output"]).arg(path);
            dump.run().expect_code(0);
        }
    }
}

#[test]
fn row_21_localhost_with_a_port_means_tcp() {
    let database = small(mysql());
    let mut vendors = Command::new(mysql().client_dir().join("mysql"));
    vendors.args(["--no-defaults", "--host=localhost", &format!("--port={}", mysql().port()), "--user=dbhaul"]);
    let failed = ended(vendors.env("MYSQL_PWD", mysql().password()), "SELECT 1");
    assert!(failed.stderr.contains("through socket"), "{}", failed.stderr);
    for server in both() {
        let source = small(server);
        let local = |database: &Database<'_>| database.uri().replace("@127.0.0.1:", "@LocalHost:");
        let folder = tempfile::tempdir().expect("a folder");
        dump(server, &local(&source), &folder, &[]).expect_code(0);
        let target = server.database("client");
        let archive = folder.path().join("archive.tar.gz");
        with_clients_of(server).arg("restore").arg(&archive).arg(local(&target)).run().expect_code(0);
        assert_eq!(target.sql("SELECT COUNT(*) FROM t"), "2");
    }
    drop(database);
}

#[test]
fn surprise_05_nothing_is_concluded_from_help() {
    // The false probe: the option is unknown, and yet all seems well.
    let probe = ended(mariadb().client("mariadb-dump").args(["--column-statistics=0", "--help"]), "");
    assert!(probe.code == Some(0) && probe.stderr.contains("unknown variable"), "{:?} {}", probe.code, probe.stderr);
    let (clients, out) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let log = clients.path().join("log");
    let real = mariadb().client_dir().join("mariadb-dump");
    let script = format!("#!/bin/sh\necho \"$*\" >> {}\nexec {} \"$@\"\n", log.display(), real.display());
    fake_client(clients.path(), "mariadb-dump", &script);
    let database = small(mariadb());
    dbhaul().client_dirs([clients.path()]).args(["dump", &database.uri()]).cwd(out.path()).run().expect_code(0);
    let calls = fs::read_to_string(&log).expect("calls");
    assert!(calls.starts_with("--version\n") && !calls.contains("--help"), "{calls}");
    assert_eq!(calls.lines().count(), 2, "{calls}");
}

/// A row that can't be restored, of a customer whom nobody should read of.
const CUSTOMER: &str = "-- MariaDB dump 10.19  Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)\n\
    -- Server version\t10.11.19-MariaDB\n\nCREATE TABLE `t` (`n` int NOT NULL, `who` text, PRIMARY KEY (`n`)) ENGINE=InnoDB;\n\
    INSERT INTO `t` VALUES (1,'Ada Lovelace'),\n(1,'Grace Hopper');\n-- Dump completed on 2026-01-02  3:04:05\n";

fn names_nobody(output: &Output) {
    for name in ["Lovelace", "Hopper", "INSERT INTO"] {
        assert!(!output.stderr.contains(name), "{}", output.stderr);
    }
    assert!(output.stderr.contains("ERROR 1062 (23000)"), "{}", output.stderr);
}

#[test]
fn surprise_06_a_failing_statement_with_customers_rows_reaches_no_log() {
    let target = mariadb().database("echo");
    let vendors = vendor_load(&target, CUSTOMER);
    assert!(vendors.stderr.contains("Grace Hopper"), "the client repeats it: {}", vendors.stderr);
    let folder = tempfile::tempdir().expect("a folder");
    let path = written(&folder, CUSTOMER);
    target.sql("DROP TABLE t");
    names_nobody(&restore(&path, &target, &["-vv"]).expect_code(7));
    // One that is too old for the option against it.
    let clients = tempfile::tempdir().expect("a folder");
    let real = mariadb().client_dir().join("mariadb");
    let then = format!(
        "args=()\nfor arg in \"$@\"; do [[ $arg = *print-query* ]] || args+=(\"$arg\"); done\nexec {} \"${{args[@]}}\"",
        real.display()
    );
    recorded_client(clients.path(), "mariadb", "mariadb-10.5.23", &then);
    target.sql("DROP TABLE t");
    let old = dbhaul().client_dirs([clients.path()]).arg("restore").arg(&path).arg(target.uri()).arg("-vv").run();
    assert!(clients.path().join("called").exists(), "{}", old.stderr);
    names_nobody(&old.expect_code(7));
}

#[test]
fn surprise_07_a_client_that_would_not_verify_is_not_asked_to() {
    let query = |ca: &Path, mode: &str| format!("?ssl-mode={mode}&ssl-ca={}", ca.display());
    for mode in ["VERIFY_CA", "VERIFY_IDENTITY"] {
        let database = small(mariadb());
        // The certificate is for `localhost`, so dbhaul's own session is content; the client would not look.
        let uri = database.uri().replace("@127.0.0.1:", "@localhost:");
        let (clients, out) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        recorded_client(clients.path(), "mariadb-dump", "mariadb-dump-11.8.6", "exit 1");
        let uri = format!("{uri}{}", query(&mariadb().ca_file(), mode));
        let output = dbhaul().client_dirs([clients.path()]).args(["dump", &uri]).cwd(out.path()).run();
        output
            .refused(3, &["verifies nothing at 127.0.0.1", "MariaDB 11.8.6", "hint:"])
            .follows("mysqls-client-or-older-mariadbs");
        assert!(!clients.path().join("called").exists());
        let older = with_clients_of(mariadb()).args(["dump", "--output", "-", &uri.replace(mode, "VERIFY_CA")]).run();
        older.expect_code(0);
        let required = dbhaul().client_dirs([shared(Flavour::Mariadb118).client_dir()]).args(["dump", "--output", "-"]);
        required.arg(format!("{}?ssl-mode=REQUIRED", database.uri())).run().expect_code(0);
    }
}
