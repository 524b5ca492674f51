//! The arguments that every client takes: the option file with the password, the way to the server, TLS.
//!
//! The password reaches the client by an option file that is an inherited memory file; both flavours read one (tried with
//! mysqldump 9.7 and mariadb-dump 10.11). No other option file is read, `~/.mylogin.cnf` included.

use std::time::Duration;

use crate::connection::{Connection, Host, Limits, TlsMode};
use crate::engine::mysql::probe::probe_keys;
use crate::engine::mysql::session;
use crate::engine::{Client, Flavour, Server, Version};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;
use crate::invocation::{Invocation, PrivateFile};
use crate::secret::{STARS, Secret};

/// MariaDB's clients verify certificates on their own from here on.
const MARIADB_VERIFIES: Version = Version::new(11, 4, 0);

/// An invocation of this client that reaches the server and logs in.
pub(crate) fn connected(connection: &Connection, server: &Server, client: &Client) -> Result<Invocation> {
    let invocation = Invocation::new(&client.path);
    // The option file must be the first argument.
    let mut invocation = match &connection.password {
        Some(password) => invocation.file_arg("--defaults-file=", option_file(password)),
        None => invocation.arg("--no-defaults"),
    };
    if client.flavour == Flavour::MYSQL {
        // The only way, in all versions, to keep ~/.mylogin.cnf from overriding the option file.
        invocation = invocation.env("MYSQL_TEST_LOGIN_FILE", "/dev/null");
    }
    invocation = invocation.args(address(connection)).arg(format!("--user={}", connection.user));
    Ok(invocation.args(tls(connection, server, client)?))
}

/// The option file: in double quotes with backslashes doubled, the one form that every version reads alike.
fn option_file(password: &Secret) -> PrivateFile {
    let mut quoted = String::new();
    for c in password.expose().chars() {
        match c {
            '\\' => quoted.push_str("\\\\"),
            '"' => quoted.push_str("\\\""),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            other => quoted.push(other),
        }
    }
    PrivateFile {
        name: "my.cnf".to_owned(),
        content: Secret::new(format!("[client]\npassword=\"{quoted}\"\n")),
        redacted: format!("[client]\npassword=\"{STARS}\"\n"),
    }
}

fn address(connection: &Connection) -> Vec<String> {
    match (connection.address(), &connection.host) {
        (Some((host, port)), _) => {
            vec!["--protocol=TCP".to_owned(), format!("--host={}", tcp_host(host)), format!("--port={port}")]
        }
        (None, Host::Socket { path, .. }) => {
            vec!["--protocol=SOCKET".to_owned(), format!("--socket={}", path.display())]
        }
        (None, Host::Tcp { .. }) => Vec::new(),
    }
}

/// `localhost` means the socket to some clients and TCP to others: an address means the same to all.
pub(crate) fn tcp_host(host: &str) -> &str {
    if host.eq_ignore_ascii_case("localhost") { "127.0.0.1" } else { host }
}

fn tls(connection: &Connection, server: &Server, client: &Client) -> Result<Vec<String>> {
    if connection.address().is_none() {
        return Ok(Vec::new());
    }
    let tls = &connection.tls;
    check(connection, server, client)?;
    let mut args = match client.flavour {
        Flavour::MARIADB => mariadb(tls.mode, client.version),
        _ => vec![format!("--ssl-mode={}", tls.mode.mysql())],
    };
    let files = [("--ssl-ca", &tls.ca), ("--ssl-cert", &tls.cert), ("--ssl-key", &tls.key)];
    if tls.mode > TlsMode::Off {
        let checks = tls.mode >= TlsMode::VerifyCa;
        let named = files.iter().filter(|(name, _)| checks || *name != "--ssl-ca");
        args.extend(named.filter_map(|(name, path)| path.as_ref().map(|p| format!("{name}={}", p.display()))));
    }
    if client.flavour == Flavour::MYSQL && client.version.major >= 8 && !server.encrypted {
        args.push("--get-server-public-key".to_owned());
    }
    Ok(args)
}

/// MariaDB's switches. Up to 11.3 an authority's file alone makes the client check the chain, and the last switch the
/// name too; from 11.4 on it is both or nothing, so that `verify-ca` is as strict as `verify-full`.
fn mariadb(mode: TlsMode, version: Version) -> Vec<String> {
    let args: &[&str] = match mode {
        TlsMode::Off => &["--skip-ssl"],
        TlsMode::Prefer | TlsMode::Require => &["--ssl", "--skip-ssl-verify-server-cert"],
        TlsMode::VerifyCa if version < MARIADB_VERIFIES => &["--ssl", "--skip-ssl-verify-server-cert"],
        TlsMode::VerifyCa | TlsMode::VerifyFull => &["--ssl", "--ssl-verify-server-cert"],
    };
    args.iter().map(|&arg| arg.to_owned()).collect()
}

/// What a client can't do is refused; nothing weaker is ever done in its place.
fn check(connection: &Connection, server: &Server, client: &Client) -> Result<()> {
    let mode = connection.tls.mode;
    let refuse = |what: &str, hint: Hint| Err(Error::new(Kind::Config, what).why(client).hint(hint));
    if mode >= TlsMode::Require && !server.encrypted {
        return refuse("the server's session is not encrypted, and the URI asks for TLS", session::NO_TLS);
    }
    if mode < TlsMode::VerifyCa {
        return Ok(());
    }
    if connection.tls.ca.is_none() {
        return refuse(
            "this client verifies a server only with an authority's file",
            Hint::new(
                "ssl-ca-file",
                "name it in the URI: ssl-ca=/etc/ssl/certs/ca-certificates.crt holds the system's on Debian and Alpine",
            ),
        );
    }
    let moved = connection.route.as_ref().is_some_and(|route| route.host != connection.identity());
    if moved && mode == TlsMode::VerifyFull {
        return refuse(
            "through a tunnel this client would look for the tunnel's name in the server's certificate",
            Hint::new("verify-ca", "ssl-mode=VERIFY_CA in the URI checks the authority and not the name"),
        );
    }
    let here = connection.address().is_some_and(|(host, _)| is_loopback(host));
    if (moved || here) && client.flavour == Flavour::MARIADB && client.version >= MARIADB_VERIFIES {
        return refuse(
            "this client can't verify an authority without the name, and verifies nothing at 127.0.0.1",
            Hint::new(
                "mysqls-client-or-older-mariadbs",
                "use MySQL's client, or MariaDB's before 11.4, with ssl-mode=VERIFY_CA; or say ssl-mode=REQUIRED in the URI if the \
                 way is trusted",
            ),
        );
    }
    Ok(())
}

/// MariaDB's newer clients take this machine for safe, whatever they are told.
fn is_loopback(host: &str) -> bool {
    tcp_host(host).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What a session that reads a dump's rows, a client's or ours, is given beside the time of its statements. It waits for a
/// lock a little less than we wait for it, so that it is the server that says which table was locked. Whoever reads slowly
/// keeps it from its next statement, and the server from ending its last.
pub(crate) fn reading(limits: &Limits) -> String {
    let wait = seconds(limits.idle * 9 / 10);
    format!("lock_wait_timeout={wait}, wait_timeout=86400, {}=86400", probe_keys::WRITE_TIME)
}

/// Whole seconds, at least one.
pub(crate) fn seconds(duration: Duration) -> u64 {
    duration.as_secs().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Route;
    use crate::engine::Role;
    use crate::engine::mysql::test_fixtures::{connection, server, words};

    fn client(flavour: Flavour, version: Version) -> Client {
        Client { role: Role::Dump, path: "/c/mysqldump".into(), flavour, version }
    }

    fn args(connection: &Connection, flavour: Flavour, version: Version) -> Result<String> {
        let mut server = server(Flavour::MYSQL, Version::new(9, 7, 4));
        server.encrypted = connection.tls.mode > TlsMode::Off;
        Ok(tls(connection, &server, &client(flavour, version))?.join(" "))
    }

    #[test]
    fn row_10_each_mode_for_each_flavour() {
        let old = Version::new(10, 11, 19);
        let new = Version::new(11, 8, 6);
        let mysql = Version::new(9, 7, 4);
        let mut at = connection();
        let mut all = String::new();
        for mode in [TlsMode::Off, TlsMode::Prefer, TlsMode::Require, TlsMode::VerifyCa, TlsMode::VerifyFull] {
            at.tls.mode = mode;
            at.tls.ca = (mode >= TlsMode::VerifyCa).then(|| "/ca.pem".into());
            for (flavour, version) in [(Flavour::MYSQL, mysql), (Flavour::MARIADB, old), (Flavour::MARIADB, new)] {
                let args = args(&at, flavour, version).expect("args");
                all.extend([format!("{mode:?} {flavour} {version}: {args}\n")]);
            }
        }
        insta::assert_snapshot!(all, @r#"
        Off MySQL 9.7.4: --ssl-mode=DISABLED --get-server-public-key
        Off MariaDB 10.11.19: --skip-ssl
        Off MariaDB 11.8.6: --skip-ssl
        Prefer MySQL 9.7.4: --ssl-mode=PREFERRED
        Prefer MariaDB 10.11.19: --ssl --skip-ssl-verify-server-cert
        Prefer MariaDB 11.8.6: --ssl --skip-ssl-verify-server-cert
        Require MySQL 9.7.4: --ssl-mode=REQUIRED
        Require MariaDB 10.11.19: --ssl --skip-ssl-verify-server-cert
        Require MariaDB 11.8.6: --ssl --skip-ssl-verify-server-cert
        VerifyCa MySQL 9.7.4: --ssl-mode=VERIFY_CA --ssl-ca=/ca.pem
        VerifyCa MariaDB 10.11.19: --ssl --skip-ssl-verify-server-cert --ssl-ca=/ca.pem
        VerifyCa MariaDB 11.8.6: --ssl --ssl-verify-server-cert --ssl-ca=/ca.pem
        VerifyFull MySQL 9.7.4: --ssl-mode=VERIFY_IDENTITY --ssl-ca=/ca.pem
        VerifyFull MariaDB 10.11.19: --ssl --ssl-verify-server-cert --ssl-ca=/ca.pem
        VerifyFull MariaDB 11.8.6: --ssl --ssl-verify-server-cert --ssl-ca=/ca.pem
        "#);
    }

    #[test]
    fn surprise_07_what_a_client_cannot_verify_is_refused() {
        let mut at = connection();
        at.tls.mode = TlsMode::VerifyFull;
        let refused = |at: &Connection, flavour, version| args(at, flavour, version).expect_err("refused").kind;
        assert_eq!(refused(&at, Flavour::MYSQL, Version::new(9, 7, 4)), Kind::Config);
        at.tls.ca = Some("/ca.pem".into());
        at.route = Some(Route { host: "127.0.0.1".into(), port: 10000 });
        assert_eq!(refused(&at, Flavour::MYSQL, Version::new(9, 7, 4)), Kind::Config);
        assert_eq!(refused(&at, Flavour::MARIADB, Version::new(10, 11, 19)), Kind::Config);
        at.tls.mode = TlsMode::VerifyCa;
        assert!(args(&at, Flavour::MYSQL, Version::new(9, 7, 4)).is_ok());
        assert!(args(&at, Flavour::MARIADB, Version::new(10, 11, 19)).is_ok());
        assert_eq!(refused(&at, Flavour::MARIADB, Version::new(11, 8, 6)), Kind::Config);
        at.route = None;
        assert!(args(&at, Flavour::MARIADB, Version::new(11, 8, 6)).is_ok());
        for here in ["127.0.0.1", "localhost", "::1"] {
            at.host = Host::Tcp { name: here.into(), port: 3306 };
            assert_eq!(refused(&at, Flavour::MARIADB, Version::new(11, 8, 6)), Kind::Config, "{here}");
        }
    }

    #[test]
    fn the_password_stands_in_the_option_file_alone() {
        let mut at = connection();
        at.password = Some(Secret::new("p\"a\\s's#w o%rdü\n"));
        let server = server(Flavour::MYSQL, Version::new(9, 7, 4));
        let invocation = connected(&at, &server, &client(Flavour::MYSQL, Version::new(9, 7, 4))).expect("planned");
        assert_eq!(
            option_file(&Secret::new("p\"a\\s's#w o%rdü\n")).content.expose(),
            "[client]\npassword=\"p\\\"a\\\\s's#w o%rdü\\n\"\n"
        );
        let shown = format!("{invocation} {invocation:?} {}", words(&invocation));
        assert!(!shown.contains("w o%rd"), "{shown}");
        at.host = Host::Tcp { name: "LocalHost".into(), port: 3306 };
        assert_eq!(address(&at), ["--protocol=TCP", "--host=127.0.0.1", "--port=3306"]);
    }
}
