//! Hints on which server of MySQL or MariaDB is meant, and how it must be set up to take a dump.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::net::UnixStream,
    thread,
};

use super::{by, dump_of, restore};
use crate::roundtrip::with_clients_of;
use crate::support::{Database, Flavour, Server, closed_port, eventually, mariadb, mysql};

#[test]
fn a_server_that_takes_no_writes_is_restarted_without_that_setting() {
    let setting = "--innodb-force-recovery=1";
    let server = Server::start_with(Flavour::Mariadb, &[setting]);
    let (source, target) = (mariadb().database("shut"), server.database("shut_target"));
    source.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let (_folder, archive) = dump_of(&source);
    restore(&archive, &target, &[]).refused(10, &["innodb_force_recovery"]).follows("restart-without-settings");
    server.halt(rustix::process::Signal::TERM);
    server.resume_without(setting);
    restore(&archive, &target, &[]).expect_code(0);
    assert_eq!(target.sql("SELECT id FROM t"), "1");
}

#[test]
fn keys_that_are_too_long_for_small_pages_go_to_a_server_with_the_usual_ones() {
    let source = mariadb().database("pages");
    source
        .sql("CREATE TABLE long_key (v varchar(300) PRIMARY KEY) CHARSET=utf8mb4; CREATE TABLE t (id int PRIMARY KEY)");
    let (_folder, archive) = dump_of(&source);
    let small = Server::start_with(Flavour::Mariadb, &["--innodb-page-size=4096"]);
    let (target, usual) = (small.database("pages"), mariadb().database("pages_target"));
    restore(&archive, &target, &[]).refused(10, &["long_key"]).follows("page-size-of-target");
    restore(&archive, &usual, &[]).expect_code(0);
    restore(&archive, &target, &["--table", "t"]).expect_code(0);
}

#[test]
fn a_collation_that_mysql_has_nothing_like_stays_with_mariadb() {
    let source = mariadb().database("collated");
    source.sql("CREATE TABLE t (v varchar(9) COLLATE big5_chinese_nopad_ci); INSERT INTO t VALUES ('a')");
    let (_folder, archive) = dump_of(&source);
    let (other, own) = (mysql().database("collated"), mariadb().database("collated_target"));
    restore(&archive, &other, &[]).refused(10, &["big5_chinese_nopad_ci"]).follows("sources-flavour-or-newer");
    restore(&archive, &own, &[]).expect_code(0);
    assert_eq!(own.sql("SELECT v FROM t"), "a");
}

/// What is read, and what is written.
type Ends = (Box<dyn Read + Send>, Box<dyn Write + Send>);

/// A port whose connections are led to other ends. What comes back may be changed, a packet at a time.
fn led(far: impl Fn() -> Ends + Send + 'static, change: impl Fn(&mut [u8]) + Copy + Send + 'static) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let ((mut from, mut to), mut asks) = (far(), near.try_clone().expect("a socket"));
            thread::spawn(move || std::io::copy(&mut asks, &mut to));
            let mut answers = near;
            thread::spawn(move || {
                let mut buffer = vec![0; 1 << 16];
                while let Ok(count @ 1..) = from.read(&mut buffer) {
                    change(&mut buffer[..count]);
                    if answers.write_all(&buffer[..count]).is_err() {
                        break;
                    }
                }
                let _ = answers.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    port
}

#[test]
fn a_proxy_that_answers_in_the_servers_name_is_left_aside() {
    let source = mariadb().database("proxied");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let port = mariadb().port();
    let far = move || -> Ends {
        let server = TcpStream::connect(("127.0.0.1", port)).expect("the server");
        (Box::new(server.try_clone().expect("a socket")), Box::new(server))
    };
    // Of MariaDB's `version_comment`, which ProxySQL has another of.
    assert!(mariadb().sql("SELECT @@version_comment").starts_with("Debian 1"));
    let proxy = led(far, |answer| {
        if let Some(at) = memchr::memmem::find(answer, b"Debian 1") {
            answer[at..at + 8].copy_from_slice(b"ProxySQL");
        }
    });
    let doctor = |uri: &str| with_clients_of(mariadb()).args(["doctor", uri]).run().expect_code(0);
    let proxied = source.uri().replace(&format!(":{port}/"), &format!(":{proxy}/"));
    doctor(&format!("{proxied}?ssl-mode=DISABLED")).follows("name-the-server-itself");
    let told = doctor(&source.uri());
    assert!(!told.stderr.contains("ProxySQL"), "{}", told.stderr);
}

#[test]
fn a_host_that_no_account_is_for_goes_through_a_tunnel_or_is_granted() {
    for flavour in [Flavour::Mysql, Flavour::Mariadb] {
        let server = Server::start_with(flavour, &["--skip-name-resolve"]);
        let (source, user) = (server.database("hosts"), server.user());
        source.sql("CREATE TABLE t (id int PRIMARY KEY)");
        server.sql(&format!(
            "DROP USER IF EXISTS root@'127.0.0.1', root@'::1'; RENAME USER {user}@'%' TO {user}@localhost; FLUSH PRIVILEGES"
        ));
        let dump = |more: &[&str]| by(&server, &source.uri(), more).run();
        dump(&[]).refused(4, &["1130"]).follows("tunnel-or-grant-host");
        // The tunnel's far end is on the server's own host.
        let socket = server.socket();
        let far = move || -> Ends {
            let socket = UnixStream::connect(&socket).expect("the server's socket");
            (Box::new(socket.try_clone().expect("a socket")), Box::new(socket))
        };
        let tunnel = led(far, |_| {}).to_string();
        dump(&["--tunnel", &tunnel]).expect_code(0);
        server.sql(&format!(
            "CREATE USER {user}@'127.0.0.1' IDENTIFIED BY '{}'; GRANT ALL ON *.* TO {user}@'127.0.0.1'",
            server.password()
        ));
        dump(&[]).expect_code(0);
    }
}

/// Members of one group, the first of which takes writes.
fn group() -> [Server; 2] {
    let ports = [closed_port(), closed_port()];
    let seeds = ports.map(|port| format!("127.0.0.1:{port}")).join(",");
    let start = |number: usize| {
        let words = [
            format!("--server-id={}", number + 1),
            "--gtid-mode=ON".to_owned(),
            "--enforce-gtid-consistency=ON".to_owned(),
            "--plugin-load-add=group_replication.so".to_owned(),
            "--report-host=127.0.0.1".to_owned(),
            "--loose-group-replication-group-name=aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa".to_owned(),
            "--loose-group-replication-start-on-boot=OFF".to_owned(),
            "--loose-group-replication-recovery-get-public-key=ON".to_owned(),
            format!("--loose-group-replication-local-address=127.0.0.1:{}", ports[number]),
            format!("--loose-group-replication-group-seeds={seeds}"),
        ];
        Server::start_with(Flavour::Mysql, &words.each_ref().map(String::as_str))
    };
    let servers = [start(0), start(1)];
    for (number, server) in servers.iter().enumerate() {
        let bootstrap = |on: &str| server.sql(&format!("SET GLOBAL group_replication_bootstrap_group = {on}"));
        server.sql("RESET BINARY LOGS AND GTIDS");
        server.sql(&format!(
            "CHANGE REPLICATION SOURCE TO SOURCE_USER = '{}', SOURCE_PASSWORD = '{}' \
             FOR CHANNEL 'group_replication_recovery'",
            server.user(),
            server.password()
        ));
        bootstrap(if number == 0 { "ON" } else { "OFF" });
        server.sql("START GROUP_REPLICATION");
        bootstrap("OFF");
    }
    let online = "SELECT COUNT(*) FROM performance_schema.replication_group_members WHERE MEMBER_STATE = 'ONLINE'";
    eventually("both members", || servers.iter().all(|server| server.sql(online) == "2"));
    servers
}

#[test]
fn members_of_one_group_are_no_source_and_target_of_one_name() {
    let [first, second] = group();
    let source = first.database("members");
    source.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let at = |server: &Server| server.uri(source.name());
    let there = || second.try_sql(source.name(), "SELECT id FROM t").is_ok_and(|row| row == "1");
    eventually("what was written, at the other member", there);
    let copy = |target: &str| {
        let copy = with_clients_of(mysql()).args(["copy", &at(&second), target, "--clean", "schema", "--yes"]);
        copy.run()
    };
    copy(&at(&first)).refused(10, &["members of one group"]).follows("outside-of-the-group");
    let (another, outside): (Database<'_>, Database<'_>) =
        (first.database("members_another"), mysql().database_named(source.name()));
    for target in [&another, &outside] {
        copy(&target.uri()).expect_code(0);
        assert_eq!(target.sql("SELECT id FROM t"), "1");
    }
}
