//! How `pg_dump`, `pg_restore` and `psql` are told where to connect: one connection string, without a secret, and a
//! passfile.
//!
//! Everything that libpq would otherwise look up in a home folder is pinned: a certificate there would change what
//! `sslmode=require` means.

use std::fmt::Write as _;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::connection::{ChannelBinding, Connection, Host, TlsMode};
use crate::engine::Version;
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;
use crate::invocation::{EnvValue, Invocation, PrivateFile};
use crate::secret::{STARS, Secret};

/// A path that is not there: libpq goes on without, where a missing setting would make it look in the home folder.
const NOWHERE: &str = "/nonexistent";

/// Where systems keep their trusted authorities in one file.
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/opt/homebrew/etc/ca-certificates/cert.pem",
    "/usr/local/etc/ca-certificates/cert.pem",
];

/// Passfiles were read into 320 bytes per line before version 13.
const LONGEST_PASSFILE_PASSWORD: usize = 250;

/// Adds the connection to a client's command line.
pub fn connect(
    invocation: Invocation,
    connection: &Connection,
    client: Version,
    timeout: Duration,
) -> Result<Invocation> {
    let string = conninfo(connection, client, timeout, system_bundle())?;
    let invocation = invocation.arg(format!("--dbname={string}")).arg("--no-password");
    Ok(match &connection.password {
        Some(password) => with_password(invocation, password, client),
        None => invocation.env("PGPASSFILE", NOWHERE),
    })
}

fn with_password(mut invocation: Invocation, password: &Secret, client: Version) -> Invocation {
    let text = password.expose();
    let too_long = client.major < 13 && text.len() > LONGEST_PASSFILE_PASSWORD;
    if text.contains(['\n', '\r']) || too_long {
        invocation.env.push(("PGPASSWORD".into(), EnvValue::Secret(password.clone())));
        return invocation;
    }
    // The file is for this one child: any host will do, which spares us libpq's rules for sockets and addresses.
    let escaped = text.replace('\\', "\\\\").replace(':', "\\:");
    invocation.env_file(
        "PGPASSFILE",
        PrivateFile {
            name: "pgpass".into(),
            content: Secret::new(format!("*:*:*:*:{escaped}\n")),
            redacted: format!("*:*:*:*:{STARS}"),
        },
    )
}

/// The connection string. `bundle` is the system's file of trusted authorities.
fn conninfo(connection: &Connection, client: Version, timeout: Duration, bundle: Option<PathBuf>) -> Result<String> {
    let mut string = String::new();
    let mut set = |key: &str, value: &str| {
        let space = if string.is_empty() { "" } else { " " };
        let _ = write!(string, "{space}{key}={}", quote(value));
    };
    match (&connection.host, &connection.route) {
        (Host::Socket { path, port }, None) => {
            set("host", &path.to_string_lossy());
            set("port", &port.to_string());
        }
        (_, Some(route)) => {
            set("host", connection.identity());
            set("hostaddr", &resolve(&route.host, route.port)?.to_string());
            set("port", &route.port.to_string());
        }
        (Host::Tcp { name, port }, None) => {
            set("host", name);
            set("port", &port.to_string());
        }
    }
    set("user", &connection.user);
    set("dbname", &connection.database);
    set("sslmode", connection.tls.mode.libpq());
    let tls = &connection.tls;
    if tls.mode > TlsMode::Off {
        set("sslrootcert", &authorities(connection, client, bundle)?);
        set("sslcert", &tls.cert.as_deref().unwrap_or(Path::new(NOWHERE)).to_string_lossy());
        set("sslkey", &tls.key.as_deref().unwrap_or(Path::new(NOWHERE)).to_string_lossy());
    }
    if client.major >= 12 {
        // The probe speaks no GSSAPI: unless the URI allows it, both reach the server the same way.
        set("gssencmode", if connection.login.gss_encryption { "prefer" } else { "disable" });
    }
    for (key, value) in login_rules(connection, client)? {
        set(key, &value);
    }
    set("connect_timeout", &timeout.as_secs().max(2).to_string());
    set("keepalives_idle", "30");
    set("keepalives_interval", "10");
    set("keepalives_count", "6");
    // No tcp_user_timeout: Linux would also end a connection whose server takes no data while it waits for a lock.
    set("application_name", "dbhaul");
    Ok(string)
}

/// The URI's rules for the login, for a client that knows them. A rule that the client can't keep is refused.
fn login_rules(connection: &Connection, client: Version) -> Result<Vec<(&'static str, String)>> {
    let (mut rules, login) = (Vec::new(), &connection.login);
    let unknown = |rule: String, since: u32| {
        Err(Error::new(Kind::Config, format!("PostgreSQL {}'s clients don't know {rule}", client.major))
            .why("the URI asks for it, and nothing was started without it")
            .hint(Hint::naming(
                "newer-libpq-or-no-parameter",
                format!("install the clients of PostgreSQL {since} or later, or take the parameter out of the URI"),
            )))
    };
    match login.channel_binding {
        Some(rule) if client.major >= 13 => rules.push(("channel_binding", rule.libpq().to_owned())),
        // What they do by themselves.
        None | Some(ChannelBinding::Prefer) => {}
        Some(rule) => return unknown(format!("channel_binding={}", rule.libpq()), 13),
    }
    if login.direct_tls {
        if client.major < 17 {
            return unknown("sslnegotiation=direct".into(), 17);
        }
        rules.push(("sslnegotiation", "direct".to_owned()));
    }
    if let Some(rule) = &login.require_auth {
        if client.major < 16 {
            return unknown("require_auth".into(), 16);
        }
        rules.push(("require_auth", rule.to_string()));
    }
    Ok(rules)
}

/// What to verify the server's certificate with, for libpq.
fn authorities(connection: &Connection, client: Version, bundle: Option<PathBuf>) -> Result<String> {
    let tls = &connection.tls;
    match (&tls.ca, tls.mode, bundle) {
        // With a file there, `require` would verify.
        (_, TlsMode::Off | TlsMode::Prefer | TlsMode::Require, _) => Ok(NOWHERE.into()),
        (Some(file), ..) => Ok(file.to_string_lossy().into_owned()),
        (None, TlsMode::VerifyFull, _) if client.major >= 16 => Ok("system".into()),
        (None, _, Some(bundle)) => Ok(bundle.to_string_lossy().into_owned()),
        (None, ..) => Err(Error::new(Kind::Config, "no trusted certificate authority to verify the server with")
            .why(format!(
                "PostgreSQL {}'s clients need them in a file, and this system has none in a known place",
                client.major
            ))
            .hint(Hint::new("sslrootcert-file", "name the file in the URI: sslrootcert=FILE"))),
    }
}

fn system_bundle() -> Option<PathBuf> {
    BUNDLES.iter().map(PathBuf::from).find(|p| p.is_file())
}

/// The address of a tunnel's near end; IPv4 first, for that is where tunnels listen.
pub fn resolve(host: &str, port: u16) -> Result<IpAddr> {
    let found = (host, port)
        .to_socket_addrs()
        .map_err(|e| Error::new(Kind::Connect, format!("the tunnel's host name {host} is not known")).why(e))?;
    let mut addresses: Vec<IpAddr> = found.map(|a| a.ip()).collect();
    addresses.sort_by_key(IpAddr::is_ipv6);
    addresses.first().copied().ok_or_else(|| Error::new(Kind::Connect, format!("{host} has no address")))
}

/// A value of a connection string, quoted where libpq needs it.
fn quote(value: &str) -> String {
    if !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || c == '\'' || c == '\\') {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::connection::{LoginRules, Route, Tls};
    use crate::dialect::Dialect;

    /// `postgres://app:****@db.example.test:5432/shop`
    pub fn connection() -> Connection {
        Connection {
            dialect: Dialect::POSTGRES,
            scheme: "postgres".into(),
            host: Host::Tcp { name: "db.example.test".into(), port: 5432 },
            route: None,
            user: "app".into(),
            password: Some(Secret::new("it's: a \\ secret")),
            database: "shop".into(),
            tls: Tls { mode: TlsMode::Prefer, explicit: false, ca: None, cert: None, key: None },
            login: LoginRules::default(),
            notes: Vec::new(),
        }
    }

    fn string(connection: &Connection, major: u32) -> String {
        let bundle = Some(PathBuf::from("/etc/bundle.pem"));
        conninfo(connection, Version::new(major, 0, 0), Duration::from_secs(10), bundle).expect("a string")
    }

    #[test]
    fn a_tunnel_keeps_the_servers_name() {
        let mut through = connection();
        through.route = Some(Route { host: "127.0.0.1".into(), port: 10_000 });
        through.tls.mode = TlsMode::VerifyFull;
        insta::assert_snapshot!(string(&through, 18), @r#"host=db.example.test hostaddr=127.0.0.1 port=10000 user=app dbname=shop sslmode=verify-full sslrootcert=system sslcert=/nonexistent sslkey=/nonexistent gssencmode=disable connect_timeout=10 keepalives_idle=30 keepalives_interval=10 keepalives_count=6 application_name=dbhaul"#);
        insta::assert_snapshot!(string(&through, 10), @r#"host=db.example.test hostaddr=127.0.0.1 port=10000 user=app dbname=shop sslmode=verify-full sslrootcert=/etc/bundle.pem sslcert=/nonexistent sslkey=/nonexistent connect_timeout=10 keepalives_idle=30 keepalives_interval=10 keepalives_count=6 application_name=dbhaul"#);
        through.tls.ca = Some("/etc/my ca.pem".into());
        assert!(string(&through, 18).contains(r"sslrootcert='/etc/my ca.pem'"));
    }

    #[test]
    fn rules_for_the_login_reach_clients_that_know_them_and_others_are_refused() {
        let mut at = connection();
        at.tls.mode = TlsMode::Require;
        at.login = LoginRules {
            gss_encryption: true,
            channel_binding: Some(ChannelBinding::Require),
            direct_tls: true,
            require_auth: "!password,!md5".parse().ok(),
        };
        let told = string(&at, 17);
        assert!(
            told.contains(
                "gssencmode=prefer channel_binding=require sslnegotiation=direct require_auth=!password,!md5"
            ),
            "{told}"
        );
        let refused = |at: &Connection, major| {
            let error = conninfo(at, Version::new(major, 0, 0), Duration::from_secs(10), None).expect_err("unknown");
            assert_eq!(error.kind, Kind::Config);
            error.what
        };
        assert_eq!(refused(&at, 16), "PostgreSQL 16's clients don't know sslnegotiation=direct");
        assert_eq!(refused(&at, 12), "PostgreSQL 12's clients don't know channel_binding=require");
        at.login = LoginRules { channel_binding: Some(ChannelBinding::Prefer), ..LoginRules::default() };
        assert!(!string(&at, 12).contains("channel_binding"));
        assert!(string(&at, 13).contains("gssencmode=disable channel_binding=prefer"));
    }

    #[test]
    fn nothing_comes_from_the_home_folder() {
        let mut plain = connection();
        plain.tls.mode = TlsMode::Require;
        plain.tls.ca = Some("/etc/ca.pem".into());
        let string = string(&plain, 15);
        for pinned in ["sslrootcert=/nonexistent", "sslcert=/nonexistent", "sslkey=/nonexistent"] {
            assert!(string.contains(pinned), "{string}");
        }
    }

    #[test]
    fn sockets_and_awkward_names_are_quoted() {
        let mut odd = connection();
        odd.host = Host::Socket { path: "/run/my pg".into(), port: 5433 };
        odd.tls.mode = TlsMode::Off;
        odd.user = "o'brien".into();
        odd.database = "a=b c\\".into();
        insta::assert_snapshot!(string(&odd, 10), @r#"host='/run/my pg' port=5433 user='o\'brien' dbname='a=b c\\' sslmode=disable connect_timeout=10 keepalives_idle=30 keepalives_interval=10 keepalives_count=6 application_name=dbhaul"#);
    }

    #[test]
    fn without_authorities_verification_is_refused() {
        let mut strict = connection();
        strict.tls.mode = TlsMode::VerifyCa;
        let error = conninfo(&strict, Version::new(18, 0, 0), Duration::from_secs(10), None).expect_err("no bundle");
        assert_eq!(error.kind, Kind::Config);
    }

    #[test]
    fn the_password_is_in_the_passfile_alone() {
        let plan = connect(Invocation::new("pg_dump"), &connection(), Version::new(15, 0, 0), Duration::from_secs(10))
            .expect("a plan");
        assert!(!plan.to_string().contains("secret"), "{plan}");
        let EnvValue::File(file) = &plan.env[0].1 else { panic!("no file") };
        assert_eq!(file.content.expose(), "*:*:*:*:it's\\: a \\\\ secret\n");
    }
}
