//! Hints on the way to a server: the URI, the login, TLS.

use std::fs;

use super::dump_of;
use crate::roundtrip::with_clients_of;
use crate::support::{
    Database, Family, Flavour, Output, Proxy, Server, Silent, closed_port, mariadb, mysql, postgres15, postgres18,
};

/// A dump by this URI, to nowhere that stays.
fn by(server: &Server, uri: &str, more: &[&str]) -> Output {
    with_clients_of(server).args(["dump", uri, "--output", "-", "--retries", "0"]).args(more).run()
}

/// A user of a server, gone with the value.
struct Guest<'s>(&'s Server, String);

impl<'s> Guest<'s> {
    fn of(database: &Database<'s>, password: &str) -> Self {
        let (server, name) = (database.server(), format!("g_{}", database.name()));
        server.sql(&match server.flavour().family() {
            Family::Postgres => format!("CREATE ROLE {name} LOGIN PASSWORD '{password}'"),
            _ => format!("CREATE USER {name}@'%' IDENTIFIED BY '{password}'"),
        });
        Self(server, name)
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        let Self(server, name) = self;
        server.sql(&match server.flavour().family() {
            Family::Postgres => format!("DROP OWNED BY {name}; DROP ROLE {name}"),
            _ => format!("DROP USER {name}@'%'"),
        });
    }
}

#[test]
fn a_wrong_password_and_one_that_is_not_encoded_are_mended_in_the_uri() {
    for (server, hint) in [
        (postgres15(), "check-login-and-encoding"),
        (mysql(), "check-login-and-host"),
        (mariadb(), "check-login-and-host"),
    ] {
        let source = server.database("login");
        source.sql("CREATE TABLE t (id int PRIMARY KEY)");
        by(server, &server.uri_as(server.user(), "wrong", source.name()), &[]).refused(4, &[]).follows(hint);
        by(server, &source.uri(), &[]).expect_code(0);
    }
    let source = postgres15().database("encoded");
    let guest = Guest::of(&source, "a/b@c%d");
    let uri = |password: &str| {
        format!("postgres://{}:{password}@127.0.0.1:{}/{}", guest.1, postgres15().port(), source.name())
    };
    by(postgres15(), &uri("a%2Fb%2540c"), &[]).refused(4, &[]).follows("check-login-and-encoding");
    by(postgres15(), &uri("a%2Fb%40c%25d"), &[]).expect_code(0);
}

#[test]
fn a_database_of_another_name_is_named_rightly_or_made_by_a_restore() {
    for (server, hint) in
        [(postgres15(), "right-name-or-create"), (mysql(), "no-such-database"), (mariadb(), "no-such-database")]
    {
        let source = server.database("named");
        source.sql("CREATE TABLE t (id int PRIMARY KEY)");
        let missing = format!("{}_not", source.name());
        by(server, &server.uri(&missing), &[]).refused(4, &[]).follows(hint);
        by(server, &source.uri(), &[]).expect_code(0);
        let (_folder, archive) = dump_of(&source);
        let restore = |more: &[&str]| {
            with_clients_of(server).arg("restore").arg(&archive).arg(server.uri(&missing)).args(more).run()
        };
        restore(&[]).refused(10, &[]).follows("create-makes-it");
        restore(&["--create"]).expect_code(0);
        server.sql(&format!("DROP DATABASE {}", server.quote(&missing)));
    }
}

#[test]
fn rights_on_a_database_are_granted_as_the_hint_says_it() {
    for server in [mysql(), mariadb()] {
        let source = server.database("granted");
        source.sql("CREATE TABLE t (id int PRIMARY KEY); CREATE VIEW v AS SELECT id FROM t");
        let guest = Guest::of(&source, "secret-9fX");
        let uri = server.uri_as(&guest.1, "secret-9fX", source.name());
        let hint = by(server, &uri, &[]).refused(4, &[]).follows("no-such-database-or-no-right");
        let grant = hint.split("right on it: ").nth(1).expect("a statement");
        server.sql(&grant.replace("the user", &format!("{}@'%'", guest.1)));
        by(server, &uri, &[]).expect_code(0);
    }
    let source = postgres15().database("connect");
    source.sql(&format!("REVOKE CONNECT ON DATABASE {} FROM PUBLIC", source.name()));
    let guest = Guest::of(&source, "secret-9fX");
    let uri = postgres15().uri_as(&guest.1, "secret-9fX", source.name());
    by(postgres15(), &uri, &[]).refused(4, &[]).follows("privilege-connect");
    postgres15().sql(&format!("GRANT CONNECT ON DATABASE {} TO {}", source.name(), guest.1));
    by(postgres15(), &uri, &[]).expect_code(0);
}

#[test]
fn a_port_and_a_host_that_are_wrong_are_mended_in_the_uri() {
    for (server, port, host) in
        [(postgres15(), "nothing-listens-on", "check-host-from-here"), (mysql(), "check-port-and-tunnel", "check-host")]
    {
        let source = server.database("ports");
        source.sql("CREATE TABLE t (id int PRIMARY KEY)");
        let (right, here) = (format!(":{}/", server.port()), format!("@127.0.0.1:{}", server.port()));
        let uri = source.uri();
        assert!(uri.contains(&right) && uri.contains(&here), "{uri}");
        by(server, &uri.replace(&right, &format!(":{}/", closed_port())), &[]).refused(4, &[]).follows(port);
        let nowhere = uri.replace(&here, &here.replace("127.0.0.1", "nowhere.invalid"));
        by(server, &nowhere, &[]).refused(4, &[]).follows(host);
        by(server, &uri, &[]).expect_code(0);
    }
}

#[test]
fn a_certificate_of_another_authority_is_accepted_when_its_file_is_named() {
    for (server, other, mode, ca, hint) in [
        (postgres15(), mysql(), "sslmode", "sslrootcert", "sslrootcert-or-require"),
        (mysql(), postgres15(), "ssl-mode", "ssl-ca", "check-tls-against-certificate"),
    ] {
        let source = server.database("authority");
        source.sql("CREATE TABLE t (id int PRIMARY KEY)");
        let verify = if server.flavour() == Flavour::Postgres15 { "verify-ca" } else { "VERIFY_CA" };
        let uri = |file: &std::path::Path| {
            let uri = source.uri();
            let mark = if uri.contains('?') { '&' } else { '?' };
            format!("{uri}{mark}{mode}={verify}&{ca}={}", file.display())
        };
        by(server, &uri(&other.ca_file()), &[]).refused(4, &[]).follows(hint);
        by(server, &uri(&server.ca_file()), &[]).expect_code(0);
    }
    let source = postgres15().database("encrypts");
    let uri = format!("{}?sslmode=require", source.uri().split('?').next().expect("a URI"));
    by(postgres15(), &uri, &[]).expect_code(0);
}

#[test]
fn a_server_without_tls_is_reached_without() {
    let server = Server::start_with(Flavour::Postgres15, &["-c", "ssl=off"]);
    let source = server.database("clear");
    let base = source.uri().split('?').next().expect("a URI").to_owned();
    by(&server, &format!("{base}?sslmode=require"), &[]).refused(4, &[]).follows("no-tls");
    for mode in ["disable", "prefer"] {
        by(&server, &format!("{base}?sslmode={mode}"), &[]).expect_code(0);
    }
}

#[test]
fn the_ways_to_name_a_database_that_messages_tell_all_work() {
    let source = postgres15().database("ways");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("uri");
    fs::write(&file, source.uri()).expect("write");
    let dump = |uri: &str| {
        let dump = with_clients_of(postgres15()).args(["dump", "--output", "-"]).args((!uri.is_empty()).then_some(uri));
        dump.env("HERE", source.uri()).run()
    };
    let works = |uri: &str| drop(dump(uri).expect_code(0));
    let (by_variable, by_file) = ("env:HERE", format!("file:{}", file.display()));
    dump("").refused(3, &[]).follows("how-to-name-a-database");
    [&*source.uri(), by_variable, &by_file].into_iter().for_each(works);
    dump(&format!("env:{}", source.uri())).refused(3, &[]).follows("env-names-a-variable");
    [&*source.uri(), by_variable].into_iter().for_each(works);
    dump(&format!("file:{}", source.uri())).refused(3, &[]).follows("file-or-env");
    [by_variable, &by_file].into_iter().for_each(works);
    dump("host=127.0.0.1 port").refused(3, &[]).follows("same-as-a-uri");
    works(&source.uri());
    dump(&source.uri().replace("postgres://", "pgsql://")).refused(3, &[]).follows("uri-begins-with");
    works(&source.uri().replace("postgres://", "postgresql://"));
}

#[test]
fn a_connection_string_that_does_not_say_its_engine_is_written_as_a_uri() {
    for (server, scheme, hint) in [(postgres15(), "postgres", "uri-of-postgres"), (mysql(), "mysql", "uri-of-mysql")] {
        let source = server.database("ado");
        source.sql("CREATE TABLE t (id int PRIMARY KEY)");
        let guest = Guest::of(&source, "a@b/c%d");
        server.sql(&match server.flavour() {
            Flavour::Postgres15 => format!("GRANT pg_read_all_data TO {}", guest.1),
            _ => format!("GRANT ALL ON `{}`.* TO {}@'%'", source.name(), guest.1),
        });
        let (port, database) = (server.port(), source.name());
        let ado = format!("Server=127.0.0.1;Port={port};Database={database};User Id={};Password=a@b/c%d;", guest.1);
        let refused = by(server, &ado, &[]).refused(3, &[]);
        refused.follows(hint);
        refused.follows("percent-encode");
        by(server, &format!("{scheme}://{}:a%40b%2Fc%25d@127.0.0.1:{port}/{database}", guest.1), &[]).expect_code(0);
    }
}

#[test]
fn all_connections_that_are_taken_are_ended_as_the_hint_says() {
    let source = postgres15().database("taken");
    let guest = Guest::of(&source, "secret-9fX");
    postgres15().sql(&format!("ALTER ROLE {} CONNECTION LIMIT 0", guest.1));
    let uri = postgres15().uri_as(&guest.1, "secret-9fX", source.name());
    by(postgres15(), &uri, &[]).refused(4, &[]).follows("all-connections-taken");
    postgres15().sql(&format!("ALTER ROLE {} CONNECTION LIMIT 9", guest.1));
    by(postgres15(), &uri, &[]).expect_code(0);
}

#[test]
fn a_host_that_stays_silent_is_the_right_one_in_the_uri() {
    for (server, hint) in
        [(postgres15(), "firewall-or-tunnel"), (mysql(), "not-mysql-there"), (mariadb(), "not-mysql-there")]
    {
        let source = server.database("silent");
        source.sql("CREATE TABLE t (id int PRIMARY KEY)");
        let silent = Silent::listen();
        let uri = source.uri().replace(&format!(":{}/", server.port()), &format!(":{}/", silent.port));
        by(server, &uri, &["--connect-timeout", "1"]).refused(4, &[]).follows(hint);
        by(server, &source.uri(), &[]).expect_code(0);
        let proxy = Proxy::to(server.port());
        by(server, &uri, &["--tunnel", &proxy.port().to_string()]).expect_code(0);
    }
}

#[test]
fn a_port_that_is_closed_to_a_login_with_rules_is_the_right_one() {
    let source = postgres18().database("rules");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let uri = format!("{}?require_auth=scram-sha-256", source.uri());
    let closed = uri.replace(&format!(":{}/", postgres18().port()), &format!(":{}/", closed_port()));
    by(postgres18(), &closed, &[]).refused(4, &[]).follows("check-host-and-server");
    by(postgres18(), &uri, &[]).expect_code(0);
}

#[test]
fn a_host_that_no_way_leads_to_is_the_right_one_in_the_uri() {
    let source = mysql().database("unreached");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    // No machine has this address.
    let uri = source.uri().replace("@127.0.0.1:", "@255.255.255.255:");
    by(mysql(), &uri, &[]).refused(4, &[]).follows("check-that-server-is-reached");
    by(mysql(), &source.uri(), &[]).expect_code(0);
}
