//! Tunnels: somebody else's, ssh's with a real sshd, a command's; what they carry, and that none of them is left.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Stdio},
};

use rustix::process::Signal;

use crate::support::{
    Database, Dbhaul, HOST, Pooler, Proxy, Server, Sshd, assert_gone, checksum, dbhaul, fake_client, mariadb, mysql,
    postgres15,
};

fn small(server: &Server) -> Database<'_> {
    let database = server.database("tunnels");
    database.sql("CREATE TABLE t (n INT PRIMARY KEY); INSERT INTO t VALUES (1), (2)");
    database
}

/// The URI with another host and port, and parameters.
fn elsewhere(database: &Database<'_>, host: &str, query: &str) -> String {
    let here = format!("127.0.0.1:{}", database.server().port());
    format!("{}{query}", database.uri().replace(&here, host))
}

fn dump(database: &Database<'_>, uri: &str, out: &Path) -> Dbhaul {
    dbhaul().client_dirs([database.server().client_dir()]).args(["dump", uri]).cwd(out)
}

#[test]
fn an_open_tunnel_carries_a_dump_and_a_restore() {
    let out = tempfile::tempdir().expect("a folder");
    for server in [postgres15(), mysql(), mariadb()] {
        let (source, target) = (small(server), server.database("tunnels"));
        let proxy = Proxy::to(server.port());
        // Nothing resolves this name: all goes through the tunnel.
        let uri = elsewhere(&source, "db.invalid:1", "");
        let output = dump(&source, &uri, out.path()).args(["--tunnel", &proxy.port().to_string()]).run();
        let archive = output.expect_code(0).text().trim().to_owned();
        assert!(proxy.accepted() > 1);

        let output = dbhaul()
            .client_dirs([server.client_dir()])
            .args(["restore", &archive, &elsewhere(&target, "db.invalid:1", "")])
            .args(["--tunnel", &format!("localhost:{}", proxy.port())])
            .cwd(out.path())
            .run();
        output.expect_code(0);
        assert_eq!(checksum(&target), checksum(&source));
    }
}

#[test]
fn a_tunnel_without_a_port_means_10000() {
    let source = small(postgres15());
    let out = tempfile::tempdir().expect("a folder");
    let uri = elsewhere(&source, "db.invalid:1", "");
    let run = || {
        let words = ["dump", "--connect-timeout", "5", "--tunnel", &uri].map(str::to_owned);
        dbhaul().client_dirs([postgres15().client_dir()]).args(words).cwd(out.path()).run()
    };
    if let Ok(listener) = TcpListener::bind(("127.0.0.1", 10000)) {
        let proxy = Proxy::on(listener, postgres15().port());
        run().expect_code(0);
        assert!(proxy.accepted() > 1);
    } else {
        // Somebody else listens there: whatever that is, it is where we went.
        let output = run();
        assert!(output.stderr.contains("127.0.0.1:10000 for db.invalid"), "{}", output.stderr);
    }
}

#[test]
fn row_20_a_tunnel_that_accepts_and_closes_is_not_ready_yet() {
    let out = tempfile::tempdir().expect("a folder");
    for server in [postgres15(), mysql(), mariadb()] {
        let source = small(server);
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let proxy = Proxy::refusing(listener, server.port(), 2);
        let uri = elsewhere(&source, "db.invalid:1", "");
        let port = proxy.port().to_string();
        // Waiting for a tunnel costs no retry.
        let output = dump(&source, &uri, out.path()).args(["--tunnel", &port, "--retries", "0"]).run();
        output.expect_code(0);
        assert!(proxy.accepted() > 3);

        let closing = Proxy::refusing(TcpListener::bind(("127.0.0.1", 0)).expect("a port"), 1, usize::MAX);
        let output = dump(&source, &uri, out.path())
            .args(["--tunnel", &closing.port().to_string(), "--connect-timeout", "1"])
            .run();
        output.expect_code(4);
        assert!(closing.accepted() > 1, "it was tried only once");
    }
}

fn query(database: &Database<'_>, mode: &str, ca: &Path) -> String {
    if database.server().flavour().is_postgres() {
        format!("?sslmode={mode}&sslrootcert={}", ca.display())
    } else {
        format!("?sslmode={mode}&ssl-ca={}", ca.display())
    }
}

#[test]
fn row_18_verify_full_goes_by_the_real_name_through_a_tunnel_to_postgresql() {
    let source = small(postgres15());
    let out = tempfile::tempdir().expect("a folder");
    let proxy = Proxy::to(postgres15().port());
    let port = proxy.port().to_string();
    let try_it = |host: &str, ca: &Path| {
        let uri = elsewhere(&source, &format!("{host}:5432"), &query(&source, "verify-full", ca));
        dump(&source, &uri, out.path()).args(["--tunnel", &port, "-v"]).run()
    };
    let ca = postgres15().ca_file();
    let output = try_it(HOST, &ca).expect_code(0);
    assert!(output.stderr.contains("verify-full"), "pg_dump verifies too: {}", output.stderr);
    let archive = output.text().trim().to_owned();
    for (host, ca) in [("other.example.test", ca.clone()), (HOST, mysql().ca_file())] {
        let output = try_it(host, &ca).expect_code(4);
        assert!(output.stderr.contains("certificate"), "{host}: {}", output.stderr);
    }
    // The same for a restore, whose clients are others.
    let target = postgres15().database("tunnels");
    let uri = |host: &str| elsewhere(&target, &format!("{host}:5432"), &query(&target, "verify-full", &ca));
    let restore =
        |host: &str| dbhaul().args(["restore", &archive, &uri(host), "--tunnel", &port]).cwd(out.path()).run();
    restore("other.example.test").expect_code(4);
    assert_eq!(checksum(&target).len(), 0);
    restore(HOST).expect_code(0);
    assert_eq!(checksum(&target), checksum(&source));
}

#[test]
fn row_18_verify_full_through_a_tunnel_is_refused_for_mysql_and_verify_ca_works() {
    let out = tempfile::tempdir().expect("a folder");
    for server in [mysql(), mariadb()] {
        let source = small(server);
        let proxy = Proxy::to(server.port());
        let port = proxy.port().to_string();
        let try_it = |mode: &str, ca: &Path| {
            let uri = elsewhere(&source, &format!("{HOST}:3306"), &query(&source, mode, ca));
            dump(&source, &uri, out.path()).args(["--tunnel", &port, "--connect-timeout", "3"]).run()
        };
        let ca = server.ca_file();
        let output = try_it("verify-full", &ca).expect_code(3);
        assert!(output.stderr.contains("tunnel's name"), "{}", output.stderr);
        output.follows("verify-ca");
        try_it("verify-ca", &ca).expect_code(0);
        let output = try_it("verify-ca", &postgres15().ca_file()).expect_code(4);
        assert!(output.stderr.contains("certificate"), "{}", output.stderr);
    }
}

#[test]
fn row_19_another_database_behind_the_tunnel_is_left_alone() {
    let out = tempfile::tempdir().expect("a folder");
    let server = postgres15();
    let (source, theirs) = (small(server), server.database("theirs"));
    let archive = dump(&source, &source.uri(), out.path()).run().expect_code(0).text().trim().to_owned();
    theirs.sql("CREATE TABLE kept (n INT); INSERT INTO kept VALUES (7)");
    let user = format!("{}_user", theirs.name());
    theirs.sql(&format!("CREATE ROLE {user} LOGIN SUPERUSER PASSWORD '{}'", server.password()));
    // The tunnel leads to a pooler that hands out another database under this name, as somebody else.
    let bouncer = Pooler::start_handing_out(server, source.name(), theirs.name(), &user);
    let (uri, port) = (elsewhere(&source, "db.invalid:5432", ""), bouncer.port().to_string());
    for words in [vec!["restore", &archive, &uri, "--clean", "schema", "--yes"], vec!["dump", &uri]] {
        let output = dbhaul().client_dirs([server.client_dir()]).args(words).args(["--tunnel", &port]).cwd(out.path());
        let output = output.run().expect_code(10);
        assert!(output.stderr.contains("another database answered"), "{}", output.stderr);
        output.follows("check-tunnels-port");
    }
    let proxy = Proxy::to(server.port());
    dump(&source, &uri, out.path()).args(["--tunnel", &proxy.port().to_string()]).run().expect_code(0);
    assert_eq!(theirs.sql("SELECT string_agg(n::text, ' ') FROM kept"), "7");
    assert_eq!(
        theirs.sql("SELECT string_agg(relname, ' ') FROM pg_class WHERE relnamespace = 'public'::regnamespace"),
        "kept"
    );
}

fn with_path(command: Dbhaul, folder: &Path) -> Dbhaul {
    command.env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
}

#[test]
fn ssh_carries_a_dump_and_a_restore_and_is_gone_afterwards() {
    let sshd = Sshd::start();
    let out = tempfile::tempdir().expect("a folder");
    for server in [postgres15(), mysql()] {
        let (source, target) = (small(server), server.database("tunnels"));
        let output = dump(&source, &source.uri(), out.path()).args(["--ssh", &sshd.place()]);
        let output = with_path(output, &sshd.client()).run();
        let archive = output.expect_code(0).text().trim().to_owned();
        let restore = dbhaul()
            .client_dirs([server.client_dir()])
            .args(["restore", &archive, &target.uri(), "--ssh", &sshd.place()])
            .cwd(out.path());
        with_path(restore, &sshd.client()).run().expect_code(0);
        assert_eq!(checksum(&target), checksum(&source));
    }
    assert!(sshd.log().contains("Accepted publickey for root"), "{}", sshd.log());
    assert_gone(&format!("-p {}", sshd.port));
}

/// Holds a lock that keeps `pg_dump` waiting until it is dropped.
struct Lock(Child);

impl Lock {
    fn on(database: &Database<'_>) -> Self {
        let mut psql = database.client("psql");
        psql.args(["-X", "-q", "-At"]).stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut child = psql.spawn().expect("run psql");
        let text = b"BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE; SELECT 'held';\n";
        child.stdin.as_mut().expect("a pipe").write_all(text).expect("write");
        let mut held = [0; 4];
        child.stdout.as_mut().expect("a pipe").read_exact(&mut held).expect("the lock");
        Self(child)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// The probe waits a moment, too: `LOCK TABLE` is `pg_dump`'s.
fn waits_for_the_lock(database: &Database<'_>) -> bool {
    let name = database.name();
    database
        .server()
        .sql(&format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND wait_event_type = 'Lock' AND query LIKE 'LOCK TABLE%'"))
        == "1"
}

#[test]
fn the_death_of_sshd_in_the_middle_of_a_dump_is_named() {
    let out = tempfile::tempdir().expect("a folder");
    for _ in 0..3 {
        // Of its own: the server does not notice at once that a client that waited for a lock is gone.
        let source = small(postgres15());
        let sshd = Sshd::start();
        let lock = Lock::on(&source);
        let command = dump(&source, &source.uri(), out.path()).args(["--ssh", &sshd.place()]);
        let mut running = with_path(command, &sshd.client()).spawn();
        running.wait_until("pg_dump's wait for the lock", |_| waits_for_the_lock(&source));
        sshd.kill();
        let output = running.wait();
        drop(lock);
        assert!(output.stderr.contains("the tunnel has ended"), "{}", output.stderr);
        output.expect_code(6);
        assert_eq!(fs::read_dir(out.path()).expect("a folder").count(), 0, "something is left");
        assert_gone(&format!("-p {}", sshd.port));
    }
}

#[test]
fn no_ssh_is_left_when_dbhaul_is_ended_or_killed() {
    let source = small(postgres15());
    let sshd = Sshd::start();
    for (signal, code) in [(Signal::TERM, Some(143)), (Signal::KILL, None)] {
        let out = tempfile::tempdir().expect("a folder");
        let _lock = Lock::on(&source);
        let command = dump(&source, &source.uri(), out.path()).args(["--ssh", &sshd.place()]);
        let mut running = with_path(command, &sshd.client()).spawn();
        running.wait_until("pg_dump's wait for the lock", |_| waits_for_the_lock(&source));
        running.signal(signal);
        assert_eq!(running.wait().code, code);
        assert_gone(&format!("-p {}", sshd.port));
    }
}

#[test]
fn an_ssh_that_does_not_get_through_is_named_with_its_words() {
    let source = small(postgres15());
    let sshd = Sshd::start();
    let out = tempfile::tempdir().expect("a folder");
    let try_it = |place: &str| {
        let command = dump(&source, &source.uri(), out.path()).args(["--ssh", place, "--connect-timeout", "5"]);
        with_path(command, &sshd.client()).run().expect_code(4).stderr
    };
    let closed = TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).expect("a free port").port();
    let stderr = try_it(&format!("root@127.0.0.1:{closed}"));
    assert!(stderr.contains("the tunnel has ended") && stderr.contains("Connection refused"), "{stderr}");
    let stderr = try_it(&format!("stranger@127.0.0.1:{}", sshd.port));
    assert!(stderr.contains("Permission denied") && stderr.contains("hint: load the key"), "{stderr}");
    // The host is known by its address only, so by this name its key is unknown.
    let stderr = try_it(&format!("root@localhost:{}", sshd.port));
    assert!(stderr.contains("Host key verification failed") && stderr.contains("hint: connect once"), "{stderr}");
}

/// A tunnel command that begins with this; `PORT` is a proxy's to PostgreSQL 15.
fn command_says(script: &str, more: &[&str]) -> (crate::support::Output, String) {
    let source = small(postgres15());
    let folder = tempfile::tempdir().expect("a folder");
    let proxy = Proxy::to(postgres15().port());
    let script = script.replace("PORT", &proxy.port().to_string());
    let tunnel = fake_client(folder.path(), "open-tunnel", &format!("#!/bin/bash\n{script}\n"));
    let output = dump(&source, &elsewhere(&source, "db.invalid:1", ""), folder.path())
        .arg("--tunnel-command")
        .arg(format!("{} --app my-app", tunnel.display()))
        .args(more)
        .run();
    assert_gone(&tunnel.display().to_string());
    (output, script)
}

#[test]
fn a_tunnel_command_is_believed_for_the_first_address_that_it_prints() {
    let (output, _) = command_says(
        "echo 'Building tunnel to db-1.example.com:30000' ; echo 10:30:00 ok\n\
         echo noise on stderr >&2\nhead -c 100000 /dev/zero | tr '\\0' -; echo\n\
         [ \"$*\" = '--app my-app' ] && echo 'You can access your database on: 127.0.0.1:PORT'\n\
         echo 'and not on 127.0.0.1:1'; exec sleep 1000",
        &[],
    );
    output.expect_code(0);
}

#[test]
fn a_tunnel_command_may_go_on_talking() {
    let (output, _) = command_says("echo 127.0.0.1:PORT; while :; do echo 'connection from 127.0.0.1:2'; done", &[]);
    output.expect_code(0);
}

#[test]
fn a_tunnel_command_that_dies_is_named_with_its_words() {
    let (output, _) = command_says("echo starting; echo 'no such app' >&2; exit 3", &[]);
    let output = output.expect_code(4);
    assert!(
        output.stderr.contains("the tunnel has ended") && output.stderr.contains("no such app"),
        "{}",
        output.stderr
    );
    // It may also die right after its address.
    let (output, _) = command_says("echo 127.0.0.1:1; echo 'port is busy' >&2; exit 3", &[]);
    let output = output.expect_code(4);
    assert!(output.stderr.contains("port is busy"), "{}", output.stderr);
}

#[test]
fn a_tunnel_command_that_prints_no_address_is_given_up() {
    for script in ["exec sleep 1000", "while :; do echo still building; sleep 0.01; done", "exec >&-; sleep 1000"] {
        let (output, _) = command_says(script, &["--connect-timeout", "1"]);
        let output = output.expect_code(4);
        assert!(output.stderr.contains("printed no address within 1 s"), "{}", output.stderr);
    }
}
