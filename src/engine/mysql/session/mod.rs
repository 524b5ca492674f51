//! One SQL session of dbhaul's own, and what went wrong when there is none.

pub(super) mod connection_args;
pub(super) mod server_settings;
pub(super) mod session_activity;

use std::future::Future;

use mysql_async::prelude::Queryable;
use mysql_async::{ClientIdentity, Conn, DriverError, IoError, Opts, OptsBuilder, SslOpts};

use crate::connection::{Connection, Host, Limits, Tls, TlsMode};
use crate::error::{Error, Kind, Result};
use crate::hint::{self, Hint};
use crate::secret::Secret;
use connection_args::tcp_host;
use server_settings::{Pinned, SessionUse};

/// For a session that loads a dump, a client's or ours: a source may be slow, and a lock that is held must not hang us
/// for a year.
pub(super) const LOADING: &str =
    "SET SESSION net_read_timeout=3600, net_write_timeout=3600, wait_timeout=28800, lock_wait_timeout=600";

/// MariaDB: rows come as they were, also those that broke a check when they were written. Tables that are there keep their own.
pub(super) const UNCHECKED: &str = ", check_constraint_checks=0";

/// Opens a session, in this database or in none, within the time to connect.
pub(super) async fn open(connection: &Connection, database: Option<&str>, limits: &Limits) -> Result<Conn> {
    open_within(connection, database, limits, None, SessionUse::Read).await.map(|(conn, _)| conn)
}

/// One that loads a dump.
pub(super) async fn open_for_load(connection: &Connection, limits: &Limits) -> Result<Conn> {
    open_within(connection, Some(&connection.database), limits, None, SessionUse::Load).await.map(|(conn, _)| conn)
}

/// One for the probe, and what the server's settings were.
pub(super) async fn open_for_probe(
    connection: &Connection,
    database: Option<&str>,
    limits: &Limits,
) -> Result<(Conn, Pinned)> {
    open_within(connection, database, limits, None, SessionUse::Probe).await
}

/// One in the connection's database whose rows must not have more than so many bytes: a longer one is an
/// [error](is_too_long), and ends the session.
pub(super) async fn open_for_rows(connection: &Connection, limits: &Limits, longest: usize) -> Result<Conn> {
    let opened = open_within(connection, Some(&connection.database), limits, Some(longest), SessionUse::Read).await;
    opened.map(|(conn, _)| conn)
}

/// Whether a row was too long for a session.
pub(super) fn is_too_long(error: &mysql_async::Error) -> bool {
    // It comes wrapped in more than one way: the words are the library's own.
    error.to_string().contains("larger than max_allowed_packet")
}

async fn open_within(
    connection: &Connection,
    database: Option<&str>,
    limits: &Limits,
    longest: Option<usize>,
    sessions: SessionUse,
) -> Result<(Conn, Pinned)> {
    let opened = async {
        let mut conn = connect(connection, database, longest).await?;
        let pinned = server_settings::pin(&mut conn, database, sessions).await?;
        Ok((conn, pinned))
    };
    let attempt = async { opened.await.map_err(|e| explain(&e, connection)) };
    match tokio::time::timeout(limits.connect, attempt).await {
        Ok(result) => result,
        Err(_) => Err(failed(connection)
            .why(format!("no answer in {} s", limits.connect.as_secs_f64()))
            .hint(Hint::new("not-mysql-there", "something listens there but does not speak MySQL, or a firewall drops packets: check host, port and tunnel"))),
    }
}

/// Ends a session, within the time to connect. One that is not ended shows as an aborted client in the server's log.
pub(super) async fn close(conn: Conn, limits: &Limits) {
    let _ = tokio::time::timeout(limits.connect, conn.disconnect()).await;
}

/// Runs queries; a server that falls silent ends them.
pub(super) async fn within<T>(
    connection: &Connection,
    limits: &Limits,
    work: impl Future<Output = mysql_async::Result<T>>,
) -> Result<T> {
    match tokio::time::timeout(limits.idle, work).await {
        Ok(result) => result.map_err(|e| explain(&e, connection)),
        Err(_) => Err(failed(connection).why(format!("no answer in {} s", limits.idle.as_secs_f64()))),
    }
}

/// Opens a session, runs queries in it, and ends it, whatever comes of them.
pub(super) async fn ask<T>(
    connection: &Connection,
    database: Option<&str>,
    limits: &Limits,
    work: impl AsyncFnOnce(&mut Conn) -> mysql_async::Result<T>,
) -> Result<T> {
    let mut conn = open(connection, database, limits).await?;
    let done = within(connection, limits, work(&mut conn)).await;
    close(conn, limits).await;
    done
}

/// `prefer` tries TLS first, and does without when the server has none or its handshake fails.
async fn connect(connection: &Connection, database: Option<&str>, longest: Option<usize>) -> mysql_async::Result<Conn> {
    // Two crates bring rustls; whichever comes first, the provider is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let as_who =
        |identity: Option<&str>| -> Opts { options(connection, database, identity).max_allowed_packet(longest).into() };
    let with = |tls: bool| as_who(tls.then(|| connection.identity()));
    let mode = connection.tls.mode;
    let offered = mode > TlsMode::Off && connection.address().is_some();
    match Conn::new(with(offered)).await {
        Err(e) if mode == TlsMode::Prefer && offered && is_tls(&e) => Conn::new(with(false)).await,
        Err(e) if mode == TlsMode::VerifyCa && is_other_name(&e) => Conn::new(as_who(Some(ANY_NAME))).await,
        other => other,
    }
}

/// `mysql_async` 0.37 forgives a wrong name when the error's text says `NotValidForName`, which rustls no longer writes;
/// but it does write the name that was expected. The chain has been found good by then, and should either crate
/// change its mind, the handshake fails and nothing weaker happens.
const ANY_NAME: &str = "NotValidForName";

/// The chain is good, the name is another.
fn is_other_name(error: &mysql_async::Error) -> bool {
    use rustls::CertificateError::{NotValidForName, NotValidForNameContext};
    matches!(tls_error(error), Some(rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })))
}

/// tokio-rustls wraps its errors once more.
fn tls_error(error: &mysql_async::Error) -> Option<&rustls::Error> {
    match error {
        mysql_async::Error::Io(IoError::Io(e)) => e.get_ref()?.downcast_ref(),
        _ => None,
    }
}

fn is_tls(error: &mysql_async::Error) -> bool {
    match error {
        mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer)
        | mysql_async::Error::Io(IoError::Tls(_)) => true,
        other => tls_error(other).is_some(),
    }
}

/// With TLS when a name is given that the certificate is held against.
fn options(connection: &Connection, database: Option<&str>, identity: Option<&str>) -> OptsBuilder {
    let mut builder = OptsBuilder::default()
        .user(Some(&connection.user))
        .pass(connection.password.as_ref().map(Secret::expose))
        .db_name(database)
        // Or else a session to 127.0.0.1 is silently moved to a socket.
        .prefer_socket(false);
    builder = match (connection.address(), &connection.host) {
        (Some((host, port)), _) => builder.ip_or_hostname(tcp_host(host)).tcp_port(port),
        (None, Host::Socket { path, .. }) => builder.socket(Some(path.to_string_lossy())),
        (None, Host::Tcp { .. }) => builder,
    };
    builder.ssl_opts(identity.map(|identity| ssl(&connection.tls, identity)))
}

fn ssl(tls: &Tls, identity: &str) -> SslOpts {
    let verifies = tls.mode >= TlsMode::VerifyCa;
    let roots = match &tls.ca {
        _ if !verifies => Vec::new(),
        Some(path) => vec![path.clone().into()],
        None => rustls_native_certs::load_native_certs().certs.iter().map(|c| c.to_vec().into()).collect(),
    };
    let identity_of_client = match (&tls.cert, &tls.key) {
        (Some(cert), Some(key)) => Some(ClientIdentity::new(cert.clone().into(), key.clone().into())),
        _ => None,
    };
    SslOpts::default()
        .with_root_certs(roots)
        .with_disable_built_in_roots(verifies)
        .with_danger_accept_invalid_certs(!verifies)
        .with_danger_skip_domain_validation(tls.mode < TlsMode::VerifyFull)
        .with_danger_tls_hostname_override(Some(identity.to_owned()))
        .with_client_identity(identity_of_client)
}

fn failed(connection: &Connection) -> Error {
    Error::new(Kind::Connect, format!("cannot connect to {connection}"))
}

/// The server's number, when the error is the server's.
pub(super) fn number(error: &mysql_async::Error) -> Option<u16> {
    match error {
        mysql_async::Error::Server(server) => Some(server.code),
        _ => None,
    }
}

/// What went wrong, in the server's or system's words, and one hint for its cause.
pub(super) fn explain(error: &mysql_async::Error, connection: &Connection) -> Error {
    let words = match error {
        mysql_async::Error::Server(server) => format!("ERROR {}: {}", server.code, server.message),
        mysql_async::Error::Io(IoError::Io(io)) => io.to_string(),
        other => other.to_string(),
    };
    let explained = failed(connection).why(connection.redactor().redact(&words));
    let explained = explained.hints(hint(error, connection)).hints(wants_tls(error, connection));
    if may_pass(error) { explained.transient() } else { explained }
}

/// A server that is full, and a way that is not through yet, may be another matter in a moment.
fn may_pass(error: &mysql_async::Error) -> bool {
    match error {
        mysql_async::Error::Server(server) => server.code == 1040,
        mysql_async::Error::Driver(driver) => matches!(driver, DriverError::ConnectionClosed),
        mysql_async::Error::Io(_) => !is_tls(error),
        _ => false,
    }
}

/// For a server whose sessions are all taken.
pub(super) const NO_CONNECTION_LEFT: Hint = Hint::new(
    "no-connection-left",
    "no connection is left: try later, or raise max_connections, or MAX_USER_CONNECTIONS of the user",
);

/// For a login that the server refuses.
pub(super) const CHECK_LOGIN: Hint = Hint::new(
    "check-login-and-host",
    "check the user and the password in the URI; the server also looks at the host you come from",
);

/// For an account whose plugin the server or we don't have.
const OTHER_ACCOUNT: Hint = Hint::new(
    "account-with-known-plugin",
    "the account's login plugin does not work here: use an account with caching_sha2_password or mysql_native_password",
);

/// For a host that no account is for.
pub(super) const OTHER_HOSTS: Hint = Hint::new(
    "tunnel-or-grant-host",
    "the server lets nobody in from this host: go through a tunnel, or grant the user this host",
);

/// For a session in the clear.
pub(super) const NO_TLS: Hint = Hint::new(
    "ssl-mode-preferred",
    "the server has no TLS, and the URI asks for it: turn it on there, or say ssl-mode=PREFERRED",
);

/// For a handshake that fails.
pub(super) const CHECK_TLS: Hint = Hint::new(
    "check-tls-against-certificate",
    "TLS failed: check ssl-mode and ssl-ca in the URI against the server's certificate",
);

const HUNG_UP: Hint =
    Hint::new("hung-up", "the other end hung up: it is no MySQL server, or the tunnel can't reach one");

/// An account that is for sessions with TLS alone is refused as if its password were wrong; MariaDB says the same of a
/// server that wants TLS of everybody.
fn wants_tls(error: &mysql_async::Error, connection: &Connection) -> Option<Hint> {
    let clear = connection.tls.mode == TlsMode::Off && connection.address().is_some();
    (clear && number(error) == Some(1045)).then(|| {
        Hint::new("account-may-want-tls", "or the account or the server wants TLS: say ssl-mode=REQUIRED in the URI")
    })
}

fn hint(error: &mysql_async::Error, connection: &Connection) -> Option<Hint> {
    let database = &connection.database;
    Some(match error {
        mysql_async::Error::Server(server) => match server.code {
            1045 | 1698 => CHECK_LOGIN,
            1049 => Hint::naming(
                "no-such-database",
                format!("there is no database {database:?}: check the URI; restore --create makes one"),
            ),
            // A user without global rights is told the same of a database that doesn't exist.
            1044 => Hint::naming(
                "no-such-database-or-no-right",
                format!(
                    "there is no such database, or the user has no right on it: GRANT SELECT, SHOW VIEW, TRIGGER, EVENT, EXECUTE ON `{database}`.* TO the user"
                ),
            ),
            1130 => OTHER_HOSTS,
            1040 | 1203 | 1226 => NO_CONNECTION_LEFT,
            1251 | 1524 | 1275 => OTHER_ACCOUNT,
            3159 => Hint::new("ssl-mode-required", "the server insists on TLS: say ssl-mode=REQUIRED in the URI"),
            _ => return None,
        },
        mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer) => NO_TLS,
        mysql_async::Error::Driver(DriverError::UnknownAuthPlugin { .. } | DriverError::CleartextPluginDisabled) => {
            OTHER_ACCOUNT
        }
        e if is_tls(e) => CHECK_TLS,
        e if is_too_long(e) => Hint::new(
            "max-allowed-packet-of-server",
            "raise the server's max_allowed_packet: SET GLOBAL max_allowed_packet = DEFAULT",
        ),
        mysql_async::Error::Io(IoError::Io(io)) => match io.kind() {
            std::io::ErrorKind::ConnectionRefused => Hint::new(
                "check-port-and-tunnel",
                "nothing listens there: check host and port, and whether the tunnel is open",
            ),
            std::io::ErrorKind::NotFound => {
                Hint::new("check-sockets-path", "there is no such socket: check its path in the URI")
            }
            std::io::ErrorKind::PermissionDenied => Hint::new("socket-of-others", "the socket is not for this user"),
            std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset => HUNG_UP,
            _ if io.to_string().contains("lookup") => hint::CHECK_HOST,
            _ => Hint::new("check-that-server-is-reached", "check that the server can be reached from here"),
        },
        mysql_async::Error::Driver(DriverError::ConnectionClosed) => HUNG_UP,
        _ => return None,
    })
}

/// A name in backticks.
pub(super) fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A query with texts in the places of its question marks, for a session in any SQL mode. Nothing is prepared: applications
/// may have used up the server's `max_prepared_stmt_count`.
pub(super) fn with_texts(query: &str, texts: &[&str]) -> String {
    debug_assert_eq!(query.matches('?').count(), texts.len(), "{query}");
    let digits = |text: &str| text.bytes().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"));
    let literal = |text: &str| format!("_utf8mb4 X'{}'", digits(text));
    texts.iter().fold(query.to_owned(), |query, text| query.replacen('?', &literal(text), 1))
}

/// The rows of [such a query](with_texts).
pub(super) async fn rows_of<T>(conn: &mut Conn, query: &str, texts: &[&str]) -> mysql_async::Result<Vec<T>>
where
    T: mysql_async::prelude::FromRow + Send + 'static,
{
    conn.query(with_texts(query, texts)).await
}

/// Rows of a query that some servers refuse; none then.
pub(super) async fn tolerant<T>(conn: &mut Conn, query: &str) -> mysql_async::Result<Vec<T>>
where
    T: mysql_async::prelude::FromRow + Send + 'static,
{
    match conn.query(query).await {
        Err(mysql_async::Error::Server(_)) => Ok(Vec::new()),
        other => other,
    }
}
