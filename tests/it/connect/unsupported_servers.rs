//! Servers that dbhaul does not know, or no longer: too old, or of another make.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use crate::support::{Flavour, Server, dbhaul, fixture, mysql, names};

/// Speaks just enough of PostgreSQL's protocol to let anybody in and to answer every question with one line.
fn answers_postgres(answer: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || converse(stream, answer));
        }
    });
    port
}

fn converse(mut stream: TcpStream, answer: &str) -> Option<()> {
    let message = |kind: u8, body: &[u8]| {
        let length = u32::try_from(body.len() + 4).expect("small").to_be_bytes();
        [&[kind][..], &length, body].concat()
    };
    let ready = message(b'Z', b"I");
    let mut length = [0; 4];
    loop {
        stream.read_exact(&mut length).ok()?;
        let mut body = vec![0; u32::from_be_bytes(length) as usize - 4];
        stream.read_exact(&mut body).ok()?;
        // A request for TLS: no.
        if body == 80_877_103_u32.to_be_bytes() {
            stream.write_all(b"N").ok()?;
            continue;
        }
        break;
    }
    stream.write_all(&[message(b'R', &[0; 4]), ready.clone()].concat()).ok()?;
    loop {
        let mut kind = [0];
        stream.read_exact(&mut kind).ok()?;
        stream.read_exact(&mut length).ok()?;
        let mut body = vec![0; u32::from_be_bytes(length) as usize - 4];
        stream.read_exact(&mut body).ok()?;
        if kind != *b"Q" {
            return None;
        }
        // One column, called version, of type text.
        let column = [&b"\0\x01version\0"[..], &[0; 6], &25_u32.to_be_bytes(), &[0xff; 6], &[0; 2]].concat();
        let size = u32::try_from(answer.len()).expect("small").to_be_bytes();
        let row = [&b"\0\x01"[..], &size, answer.as_bytes()].concat();
        let answers = [message(b'T', &column), message(b'D', &row), message(b'C', b"SELECT 1\0"), ready.clone()];
        stream.write_all(&answers.concat()).ok()?;
    }
}

/// Dump, restore and doctor, each refused with all of these words, and nothing written.
fn all_refuse(uri: &str, archive: &str, words: &[&str]) {
    for args in [&["dump", uri][..], &["restore", archive, uri], &["doctor", uri]] {
        let folder = tempfile::tempdir().expect("a folder");
        dbhaul().args(args).cwd(folder.path()).run().refused(10, words);
        assert_eq!(names(folder.path()), [""; 0], "{args:?}");
    }
}

#[test]
fn a_server_that_only_speaks_postgres_is_refused_by_name_over_the_wire() {
    let archive = fixture("dumps/pg_dump-15.custom.dump");
    let archive = archive.to_str().expect("UTF-8");
    for (version, name, instead) in [
        (
            "CockroachDB CCL v21.1.0 (x86_64-unknown-linux-gnu)",
            "CockroachDB only speaks PostgreSQL's",
            "hint: its own BACKUP",
        ),
        ("PostgreSQL 8.0.2 on i686-pc-linux-gnu, Redshift 1.0.77467", "Amazon Redshift only speaks", "hint: UNLOAD"),
    ] {
        let uri = format!("postgres://u:p@127.0.0.1:{}/d?sslmode=disable", answers_postgres(version));
        all_refuse(&uri, archive, &[name, instead, "nothing was"]);
    }
    // An unknown one says what it calls itself.
    let uri = format!("postgres://u:p@127.0.0.1:{}/d?sslmode=disable", answers_postgres("FancyDB 1.0"));
    dbhaul().args(["dump", &uri]).run().refused(4, &["FancyDB 1.0", "not PostgreSQL"]);
}

#[test]
fn an_old_postgres_is_refused_even_where_it_does_not_understand_us() {
    let uri = format!("postgres://u:p@127.0.0.1:{}/d?sslmode=disable", answers_postgres("PostgreSQL 9.6.24 on x86_64"));
    dbhaul().args(["dump", &uri]).run().refused(10, &["PostgreSQL 9.6.24 is older than the oldest supported, 13"]);
}

#[test]
fn a_postgres_older_than_the_oldest_supported_is_tried_with_force_version_only() {
    let server = Server::start(Flavour::Postgres12);
    let database = server.database("old");
    database.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let words = ["PostgreSQL 12.", "is older than the oldest supported, PostgreSQL 13", "hint: --force-version"];
    let archive = fixture("dumps/pg_dump-15.custom.dump");
    all_refuse(&database.uri(), archive.to_str().expect("UTF-8"), &words);
    let dump = |more: &[&str]| {
        let dump = dbhaul().client_dirs([server.client_dir()]).args(["dump", &database.uri(), "-o", "-"]);
        dump.args(more).run()
    };
    dump(&[]).refused(10, &words).follows("force-version");
    dump(&["--force-version"]).expect_code(0);

    let folder = tempfile::tempdir().expect("a folder");
    let forced = || dbhaul().client_dirs([server.client_dir()]).cwd(folder.path()).env("DBHAUL_FORCE_VERSION", "1");
    let dumped = forced().args(["dump", &database.uri()]).run().expect_code(0);
    assert!(dumped.stderr.contains("untested"), "{}", dumped.stderr);
    let target = server.database("old");
    forced().args(["restore", dumped.text().trim(), &target.uri()]).run().expect_code(0);
    assert_eq!(target.sql("SELECT count(*) FROM t"), "1");
}

/// MariaDB's servers say what `--version=` tells them to: a real server, under another name.
#[test]
fn a_server_that_only_speaks_mysql_is_refused_by_name_over_the_wire() {
    let archive = fixture("dumps/mysql-9.7.4.sql");
    for (version, name) in [("8.0.11-TiDB-v7.5.0", "TiDB"), ("8.0.30-Vitess", "Vitess")] {
        let server = Server::start_with(Flavour::Mariadb, &[&format!("--version={version}")]);
        let database = server.database("alike");
        let words = [&format!("{name} only speaks MySQL's protocol"), "hint: ", "nothing was"];
        all_refuse(&database.uri(), archive.to_str().expect("UTF-8"), &words);
        if name == "Vitess" {
            let told = dbhaul().args(["dump", &database.uri()]).run();
            assert!(told.follows("products-own-tool").contains("each shard's own MySQL, named in the URI"));
            let shard = mysql().database("shard");
            let dump = dbhaul().client_dirs([mysql().client_dir()]).args(["dump", &shard.uri(), "-o", "-"]);
            dump.run().expect_code(0);
        }
    }
}

#[test]
fn a_server_older_than_the_oldest_supported_is_tried_with_force_version_only() {
    let server = Server::start_with(Flavour::Mariadb, &["--version=10.2.44-MariaDB"]);
    let database = server.database("old");
    database.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let words = ["MariaDB 10.2.44 is older than the oldest supported, MariaDB 10.3", "hint: --force-version"];
    let archive = fixture("dumps/mariadb-10.11.19.sql");
    all_refuse(&database.uri(), archive.to_str().expect("UTF-8"), &words);

    let folder = tempfile::tempdir().expect("a folder");
    let clients = server.client_dir();
    let dump = dbhaul().client_dirs([&clients]).cwd(folder.path()).args(["dump", "--force-version", &database.uri()]);
    let dumped = dump.run().expect_code(0);
    assert!(dumped.stderr.contains("untested"), "{}", dumped.stderr);
    let target = server.database("old");
    let restore = dbhaul().client_dirs([&clients]).cwd(folder.path()).env("DBHAUL_FORCE_VERSION", "1");
    restore.args(["restore", dumped.text().trim(), &target.uri()]).run().expect_code(0);
    assert_eq!(target.sql("SELECT COUNT(*) FROM t"), "1");
}

#[test]
fn percona_and_azure_are_named_and_dumped() {
    let server = Server::start_with(Flavour::Mariadb, &["--version=8.0.36-28-Percona-MariaDB"]);
    let database = server.database("kin");
    database.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let folder = tempfile::tempdir().expect("a folder");
    let dump = dbhaul().client_dirs([server.client_dir()]).cwd(folder.path()).args([
        "doctor",
        "--json",
        "--force-version",
        &database.uri(),
    ]);
    assert_eq!(dump.run().expect_code(0).json()["server"]["products"], serde_json::json!(["Percona Server"]));
    let own = Server::start(Flavour::Postgres15);
    own.sql("CREATE ROLE azure_pg_admin");
    let database = own.database("kin");
    database.sql("CREATE TABLE t (id int)");
    let dump = dbhaul().client_dirs([own.client_dir()]).cwd(folder.path()).args(["dump", &database.uri()]);
    let dumped = dump.run().expect_code(0);
    assert!(dumped.stderr.contains("(Azure Database for PostgreSQL)"), "{}", dumped.stderr);
}
