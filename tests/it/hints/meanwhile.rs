//! What changes between our own look at a server and the client's: the client meets it first.

use std::{fs, net::TcpStream, path::Path};

use super::{User, by, dump_of};
use crate::roundtrip::with_clients_of;
use crate::support::{
    Database, Dbhaul, Family, Gate, Output, Proxy, Server, eventually, mariadb, mysql, postgres15, recorded_client,
};

/// Runs a command whose client starts when this has been done.
pub(super) fn after(server: &Server, command: Dbhaul, change: impl FnOnce()) -> Output {
    let gate = Gate::before(&server.client_dir());
    let mut running = command.client_dirs([gate.folder()]).spawn();
    running.wait_until("a client before the gate", |_| gate.reached());
    change();
    gate.open();
    running.wait()
}

/// A database with a table, and a user who may read all of it.
fn read_by_a_user(server: &Server) -> (Database<'_>, User<'_>) {
    let source = server.database("meanwhile");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let user = User::of(&source);
    server.sql(&match server.flavour().family() {
        Family::Postgres => format!("GRANT pg_read_all_data TO {}", user.name),
        _ => format!("GRANT ALL ON `{}`.* TO {}@'%'", source.name(), user.name),
    });
    (source, user)
}

#[test]
fn a_password_that_is_changed_meanwhile_is_the_new_one_in_the_uri() {
    for (server, hint) in [
        (postgres15(), "check-login-and-encoding"),
        (mysql(), "check-login-and-host"),
        (mariadb(), "check-login-and-host"),
    ] {
        let (source, user) = read_by_a_user(server);
        let change = || {
            server.sql(&match server.flavour().family() {
                Family::Postgres => format!("ALTER ROLE {} PASSWORD 'other'", user.name),
                _ => format!("ALTER USER {}@'%' IDENTIFIED BY 'other'", user.name),
            });
        };
        after(server, by(server, &user.uri, &[]), change).expect_code(4).follows(hint);
        by(server, &server.uri_as(&user.name, "other", source.name()), &[]).run().expect_code(0);
    }
}

#[test]
fn a_server_that_goes_away_meanwhile_is_named_with_its_port_again() {
    for (server, hint) in
        [(postgres15(), "nothing-listens"), (mysql(), "check-host-and-port"), (mariadb(), "check-host-and-port")]
    {
        let source = server.database("meanwhile");
        source.sql("CREATE TABLE t (id int PRIMARY KEY)");
        let proxy = Proxy::to(server.port());
        let at = proxy.at();
        let uri = source.uri().replace(&format!(":{}/", server.port()), &format!(":{}/", at.port()));
        let change = || {
            drop(proxy);
            eventually("nobody listens", || TcpStream::connect(at).is_err());
        };
        after(server, by(server, &uri, &[]), change).expect_code(4).follows(hint);
        by(server, &source.uri(), &[]).run().expect_code(0);
    }
}

#[test]
fn an_authority_that_is_replaced_meanwhile_is_named_again() {
    for (server, other, query, hint) in [
        (postgres15(), mysql(), "sslmode=verify-ca&sslrootcert", "sslrootcert-or-require"),
        (mysql(), postgres15(), "ssl-mode=VERIFY_CA&ssl-ca", "check-tls-against-certificate"),
    ] {
        let source = server.database("meanwhile");
        source.sql("CREATE TABLE t (id int PRIMARY KEY)");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ca.pem");
        fs::copy(server.ca_file(), &file).expect("copy");
        let uri = |ca: &Path| format!("{}?{query}={}", source.uri(), ca.display());
        let change = || assert!(fs::copy(other.ca_file(), &file).expect("copy") > 0);
        after(server, by(server, &uri(&file), &[]), change).expect_code(4).follows(hint);
        by(server, &uri(&server.ca_file()), &[]).run().expect_code(0);
    }
}

#[test]
fn rights_that_are_taken_meanwhile_are_granted_again() {
    for server in [mysql(), mariadb()] {
        let (source, user) = read_by_a_user(server);
        let revoke = || drop(server.sql(&format!("REVOKE ALL ON `{}`.* FROM {}@'%'", source.name(), user.name)));
        user.grant(&after(server, by(server, &user.uri, &[]), revoke).expect_code(4).follows("grant-all"));
        by(server, &user.uri, &[]).run().expect_code(0);
    }
    let source = postgres15().database("meanwhile");
    source.sql("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int)");
    let user = User::of(&source);
    let grant = || source.sql(&format!("GRANT SELECT ON t, u TO {}", user.name));
    let revoke = || drop(source.sql(&format!("REVOKE SELECT ON t FROM {}", user.name)));
    grant();
    let refused = after(postgres15(), by(postgres15(), &user.uri, &[]), revoke).expect_code(6);
    refused.follows("grant-select-or-leave-out");
    by(postgres15(), &user.uri, &["--exclude-table", "t"]).run().expect_code(0);
    grant();
    by(postgres15(), &user.uri, &[]).run().expect_code(0);
    revoke();
    source.sql(&format!("REVOKE SELECT ON u FROM {0}; GRANT pg_read_all_data TO {0}", user.name));
    by(postgres15(), &user.uri, &[]).run().expect_code(0);
}

#[test]
fn a_database_that_is_dropped_meanwhile_is_made_by_the_restore() {
    for server in [mysql(), mariadb()] {
        let source = server.database("meanwhile");
        source.sql("CREATE TABLE t (id int PRIMARY KEY)");
        let (_folder, archive) = dump_of(&source);
        let target = server.database("meanwhile_target");
        let restore = || with_clients_of(server).arg("restore").arg(&archive).arg(target.uri());
        let change = || drop(server.sql(&format!("DROP DATABASE `{}`", target.name())));
        after(server, restore(), change).expect_code(4).follows("check-name-or-create");
        restore().arg("--create").run().expect_code(0);
    }
}

#[test]
fn a_database_that_is_renamed_meanwhile_is_named_rightly() {
    let server = postgres15();
    let source = server.database("meanwhile");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let (name, renamed) = (source.name(), format!("{}_renamed", source.name()));
    let change = || {
        source.end_sessions();
        server.sql(&format!("ALTER DATABASE {name} RENAME TO {renamed}"));
    };
    let refused = after(server, by(server, &source.uri(), &[]), change).expect_code(4);
    refused.follows("check-databases-name");
    by(server, &server.uri(&renamed), &[]).run().expect_code(0);
    server.sql(&format!("ALTER DATABASE {renamed} RENAME TO {name}"));
}

#[test]
fn an_option_that_the_client_does_not_know_is_left_out() {
    for server in [postgres15(), mysql(), mariadb()] {
        let source = server.database("options");
        source.sql("CREATE TABLE t (id int PRIMARY KEY)");
        let refused = by(server, &source.uri(), &["--", "--no-such-option"]).run().expect_code(6);
        let hint = refused.follows("leave-option-out");
        assert!(hint.starts_with("leave --no-such-option out"), "{hint}");
        assert!(!refused.stderr.contains("--client-dir"), "{}", refused.stderr);
        by(server, &source.uri(), &["--"]).run().expect_code(0);
    }
}

#[test]
fn an_archive_that_is_written_to_meanwhile_is_restored_when_nobody_does() {
    let source = postgres15().database("written");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let (_folder, archive) = dump_of(&source);
    let target = postgres15().database("written_target");
    let restore = || with_clients_of(postgres15()).arg("restore").arg(&archive).arg(target.uri());
    let gate = Gate::before_versions(&postgres15().client_dir());
    let mut running = restore().client_dirs([gate.folder()]).spawn();
    running.wait_until("a client that is asked", |_| gate.reached());
    let whole = fs::read(&archive).expect("read");
    fs::write(&archive, [&whole[..], b"more"].concat()).expect("write");
    gate.open();
    running.wait().refused(8, &[]).follows("start-when-nobody-writes");
    fs::write(&archive, whole).expect("write");
    restore().run().expect_code(0);
}

#[test]
fn a_table_that_is_changed_twice_meanwhile_is_dumped_when_nobody_does() {
    let source = mysql().database("changed");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let clients = tempfile::tempdir().expect("a folder");
    let changed = "mysqldump: Error 1412: Table definition has changed, please retry transaction when dumping table `t` at row: 0";
    recorded_client(clients.path(), "mysqldump", "mysqldump-9.7.4", &format!("echo '{changed}' >&2; exit 3"));
    let failed = by(mysql(), &source.uri(), &[]).client_dirs([clients.path()]).run();
    failed.expect_code(6).follows("while-nobody-changes-structure");
    by(mysql(), &source.uri(), &[]).run().expect_code(0);
}
