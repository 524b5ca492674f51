//! A short SQL session of dbhaul's own.
//!
//! Only the simple query protocol is spoken, and no startup options are sent unless there is no other way: both pass
//! through any pooler. `prefer` falls back to plaintext as libpq does.

pub(super) mod libpq;
pub(super) mod pinned_settings;
pub(super) mod pooler;
pub(super) mod require_auth;
pub mod server_settings;
pub(super) mod session_activity;

use std::error::Error as _;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::config::{self, SslMode, SslNegotiation};
use tokio_postgres::error::{Severity, SqlState};
use tokio_postgres::tls::TlsStream;
use tokio_postgres::{Client, Config, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::connection::{ChannelBinding, Connection, Host, Limits, TlsMode};
use crate::engine::Version;
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;
use crate::secret::Redactor;
use crate::tls;

/// A row, as text.
pub type Row = Vec<Option<String>>;

/// An open session.
pub struct Session {
    client: Client,
    patience: Duration,
    /// The server's major version; 0 where it does not say.
    major: u32,
    /// Limits on time were lifted when it was opened: they are not what they are for others.
    pub is_lifted: bool,
    /// Its settings are [pinned](pinned_settings).
    is_pinned: AtomicBool,
    /// What the server says is shown only through it.
    redactor: Redactor,
}

/// Why there is no session.
#[derive(Debug)]
pub struct ConnectError {
    /// The server's own code, if it was the server that said no.
    pub code: Option<SqlState>,
    /// For people.
    pub error: Error,
}

/// Connects and logs in, to the connection's database or another one of its server, and pins the session's settings.
pub async fn open(connection: &Connection, database: &str, limits: &Limits) -> Result<Session, ConnectError> {
    let (session, _) = open_asking(connection, database, limits, &pinned_settings::statement()).await?;
    session.is_pinned.store(true, Ordering::Relaxed);
    Ok(session)
}

/// Connects, logs in and asks a question; its settings are as the server, the database and the role have them. A time-out
/// of theirs may be so short that it ends the session first: then it is lifted by startup options.
pub async fn open_asking(
    connection: &Connection,
    database: &str,
    limits: &Limits,
    question: &str,
) -> Result<(Session, Vec<Row>), ConnectError> {
    let plain = |error| ConnectError { code: None, error };
    let session = open_with(connection, database, limits, None).await?;
    match session.try_rows(question).await.map_err(plain)? {
        Ok(rows) => return Ok((session, rows)),
        // What is no PostgreSQL may not understand: that is for the caller to find out.
        Err(error) if !ends_session(&error) => return Ok((session, Vec::new())),
        Err(_) => {}
    }
    open_lifted(connection, database, limits, question).await
}

/// The same with limits on time lifted by startup options.
pub async fn open_lifted(
    connection: &Connection,
    database: &str,
    limits: &Limits,
    question: &str,
) -> Result<(Session, Vec<Row>), ConnectError> {
    let major = open_with(connection, database, limits, None).await?.major;
    let options = pinned_settings::startup_options(major);
    let session = open_with(connection, database, limits, Some(&options)).await?;
    let session = Session { is_lifted: true, ..session };
    let rows = session.rows(question).await.map_err(|error| ConnectError { code: None, error })?;
    Ok((session, rows))
}

fn ends_session(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_none_or(|db| db.parsed_severity() == Some(Severity::Fatal))
}

/// Connects and logs in, with startup options, which poolers refuse. Settings are not pinned.
pub async fn open_with(
    connection: &Connection,
    database: &str,
    limits: &Limits,
    options: Option<&str>,
) -> Result<Session, ConnectError> {
    let plain = |error| ConnectError { code: None, error };
    let mut config = config(connection, database).map_err(plain)?;
    if let Some(options) = options {
        config.options(options);
    }
    let attempt = attempt(connection, config, limits);
    match tokio::time::timeout(limits.connect, attempt).await {
        Ok(done) => done,
        Err(_) => Err(plain(
            Error::new(Kind::Connect, format!("cannot connect to {connection}"))
                .why(format!("no answer within {:.0} s", limits.connect.as_secs_f64().ceil()))
                .hint(Hint::new(
                    "firewall-or-tunnel",
                    "is the host right, and does a firewall let you through? A private database needs --tunnel or \
                     --ssh; --connect-timeout waits longer",
                )),
        )),
    }
}

fn config(connection: &Connection, database: &str) -> Result<Config> {
    let mut config = Config::new();
    config.user(&connection.user).dbname(database).application_name("dbhaul");
    config.keepalives_idle(Duration::from_secs(30));
    if let Some(password) = &connection.password {
        config.password(password.expose());
    }
    match (&connection.host, &connection.route) {
        (Host::Socket { path, port }, None) => config.host_path(path).port(*port),
        (_, Some(route)) => {
            config.host(connection.identity()).hostaddr(libpq::resolve(&route.host, route.port)?).port(route.port)
        }
        (Host::Tcp { name, port }, None) => config.host(name).port(*port),
    };
    if let Some(rule) = connection.login.channel_binding {
        config.channel_binding(match rule {
            ChannelBinding::Disable => config::ChannelBinding::Disable,
            ChannelBinding::Prefer => config::ChannelBinding::Prefer,
            ChannelBinding::Require => config::ChannelBinding::Require,
        });
    }
    let socket = matches!(connection.host, Host::Socket { .. }) && connection.route.is_none();
    config.ssl_mode(match connection.tls.mode {
        TlsMode::Off => SslMode::Disable,
        _ if socket => SslMode::Disable,
        TlsMode::Prefer => SslMode::Prefer,
        _ => SslMode::Require,
    });
    if connection.login.direct_tls && !socket {
        config.ssl_negotiation(SslNegotiation::Direct);
    }
    Ok(config)
}

async fn attempt(connection: &Connection, mut config: Config, limits: &Limits) -> Result<Session, ConnectError> {
    let mut connector = tls::client_config(&connection.tls).map_err(|error| ConnectError { code: None, error })?;
    if config.get_ssl_negotiation() == SslNegotiation::Direct {
        // The server takes TLS without being asked only for its own protocol.
        connector.alpn_protocols = vec![b"postgresql".to_vec()];
    }
    let redactor = connection.redactor();
    let refused = match login(&config, connector.clone(), connection).await? {
        Ok(login) => return Ok(Session::new(login, limits, redactor)),
        Err(refused) => refused,
    };
    // libpq's `prefer`: when TLS itself fails, or the server has no line for it, once more without.
    let without_tls = match refused.code() {
        Some(code) => *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        None => tls_failed(&refused),
    };
    if config.get_ssl_mode() == SslMode::Prefer && without_tls {
        config.ssl_mode(SslMode::Disable);
        if let Ok(Ok(login)) = login(&config, connector, connection).await {
            return Ok(Session::new(login, limits, redactor));
        }
    }
    Err(ConnectError { code: refused.code().cloned(), error: explain(&refused, connection, config.get_dbname()) })
}

/// A client that is logged in, and the server's version, where it says one.
pub struct Login(Client, Option<String>);

impl Login {
    /// Of what the driver made; the connection goes on by itself.
    pub fn new<S, T>(client: Client, driver: tokio_postgres::Connection<S, T>) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: TlsStream + Unpin + Send + 'static,
    {
        let version = driver.parameter("server_version").map(str::to_owned);
        tokio::spawn(driver);
        Self(client, version)
    }
}

/// Without TLS where the configuration says so. The outer error is that of a socket.
async fn login(
    config: &Config,
    connector: rustls::ClientConfig,
    connection: &Connection,
) -> Result<Result<Login, tokio_postgres::Error>, ConnectError> {
    if let Some(rule) = &connection.login.require_auth {
        return require_auth::login(config, connector, connection, rule).await.map_err(|error| {
            let error = Error::new(Kind::Connect, format!("cannot connect to {connection}")).why(error);
            let error = error.hint(Hint::new(
                "check-host-and-server",
                "check host and port in the URI, and that the server, or the tunnel, is running",
            ));
            ConnectError { code: None, error: error.transient() }
        });
    }
    Ok(config.connect(MakeRustlsConnect::new(connector)).await.map(|(client, driver)| Login::new(client, driver)))
}

/// So often a question is asked again that a time-out of the server's ended.
const MAX_CANCELS: u32 = 50;

impl Session {
    fn new(Login(client, version): Login, limits: &Limits, redactor: Redactor) -> Self {
        let major = version.as_deref().and_then(Version::parse).map_or(0, |version| version.major);
        Self { client, patience: limits.idle, major, is_lifted: false, is_pinned: AtomicBool::new(false), redactor }
    }

    /// Pins the settings, and says whether the session lives. Only for one that is [nobody
    /// else's](pooler::shares_sessions).
    pub async fn pin(&self) -> Result<bool> {
        // Look-alikes may refuse it.
        let refusal = self.try_rows(&pinned_settings::statement()).await?.err();
        self.is_pinned.store(true, Ordering::Relaxed);
        Ok(!refusal.is_some_and(|error| ends_session(&error)))
    }

    /// The server's words to a refusal, or the system's: without our secrets.
    pub fn words(&self, error: &tokio_postgres::Error) -> String {
        self.redactor.redact(&words(error).0)
    }

    /// The rows of a query, or of the last one of several.
    pub async fn rows(&self, sql: &str) -> Result<Vec<Row>> {
        self.try_rows(sql).await?.map_err(|e| {
            let words = self.words(&e);
            let answered = e.as_db_error().is_some();
            let what = if answered { "the server refused a question" } else { "the server went away" };
            Error::new(Kind::Connect, what).why(words)
        })
    }

    /// The same, with the server's refusal at hand.
    pub async fn try_rows(&self, sql: &str) -> Result<Result<Vec<Row>, tokio_postgres::Error>> {
        for _ in 0..MAX_CANCELS {
            let answer = self.ask(sql).await?;
            let is_cancelled = answer.as_ref().is_err_and(|e| e.code() == Some(&SqlState::QUERY_CANCELED));
            if self.is_pinned.load(Ordering::Relaxed) || !is_cancelled {
                return Ok(answer);
            }
        }
        self.ask(sql).await
    }

    async fn ask(&self, sql: &str) -> Result<Result<Vec<Row>, tokio_postgres::Error>> {
        let answer = tokio::time::timeout(self.patience, self.client.simple_query(sql)).await.map_err(|_| {
            Error::new(Kind::TimedOut, format!("the server did not answer within {} s", self.patience.as_secs()))
        })?;
        Ok(answer.map(|messages| {
            let rows = messages.into_iter().filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect()),
                _ => None,
            });
            rows.collect()
        }))
    }

    /// Whether either side has ended it.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// The first column of each row.
    pub async fn column(&self, sql: &str) -> Result<Vec<String>> {
        let rows = self.rows(sql).await?;
        Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
    }
}

/// The server's words, or else the system's: the innermost cause. With them, the server's code.
fn words(error: &tokio_postgres::Error) -> (String, Option<SqlState>) {
    if let Some(db) = error.as_db_error() {
        let mut words = format!("{}: {}", db.severity(), db.message());
        for more in [db.detail(), db.hint()].into_iter().flatten() {
            words.push('\n');
            words.push_str(more);
        }
        return (words, Some(db.code().clone()));
    }
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        words = inner.to_string();
        cause = inner.source();
    }
    (words, None)
}

fn explain(error: &tokio_postgres::Error, connection: &Connection, database: Option<&str>) -> Error {
    let (words, code) = words(error);
    let redactor = connection.redactor();
    let what = Error::new(Kind::Connect, format!("cannot connect to {connection}")).why(redactor.redact(&words));
    let hint = match code {
        Some(code) => server_hint(&code, &words, database.unwrap_or_default()),
        None => system_hint(error, &words, connection),
    };
    let what = what.hint(hint);
    if may_pass(error) { what.transient() } else { what }
}

/// A server that is starting or full, and a way that is not through yet, may be another matter in a moment.
fn may_pass(error: &tokio_postgres::Error) -> bool {
    match error.code() {
        Some(code) => ["57P03", "53300"].contains(&code.code()),
        // A login that require_auth does not allow, or a socket that is for others.
        None if io_kind(error) == Some(io::ErrorKind::PermissionDenied) => false,
        None => !tls_failed(error) && (io_kind(error).is_some() || error.is_closed()),
    }
}

/// For a server whose sessions are all taken.
pub const ALL_TAKEN: Hint =
    Hint::new("all-connections-taken", "all connections are taken: end idle ones, or try again later");

/// For a login that wants a password.
pub const NO_PASSWORD: Hint = Hint::new("no-password", "the server asks for a password, and the URI has none");

/// For a session in the clear.
pub const NO_TLS: Hint =
    Hint::new("no-tls", "the server offers no TLS; sslmode=disable or prefer in the URI does without");

/// For a login that the server refuses.
pub const CHECK_LOGIN: Hint = Hint::new(
    "check-login-and-encoding",
    "check user and password; in a URI, characters such as / @ % must be percent-encoded",
);

/// For a login that no line of the server's is for.
pub const NO_LINE: Hint = Hint::new(
    "no-line-in-pg-hba",
    "the server lets nobody like this in from here: its pg_hba.conf has no line for this user, database, \
     address and encryption",
);

/// For a server that takes no sessions yet, or no more.
pub const STARTING: Hint =
    Hint::new("starting-or-stopping", "the server is starting or stopping: try again in a moment");

/// For a handshake that fails.
pub const CHECK_TLS: Hint = Hint::new(
    "sslrootcert-or-require",
    "TLS failed: sslrootcert=FILE in the URI names the authority that signed the server's certificate; \
     sslmode=require encrypts without verifying",
);

/// For a user who does not exist.
pub const CHECK_USER: Hint = Hint::new("check-user", "check the user's name in the URI");

fn server_hint(code: &SqlState, words: &str, database: &str) -> Hint {
    match code.code() {
        "28P01" => CHECK_LOGIN,
        "28000" if words.contains("pg_hba") => NO_LINE,
        "28000" => CHECK_USER,
        "3D000" => Hint::naming(
            "right-name-or-create",
            format!("is \"{database}\" the right name? A restore makes the database with --create"),
        ),
        "42501" => Hint::naming(
            "privilege-connect",
            format!("the user needs the privilege CONNECT on database \"{database}\""),
        ),
        "53300" => ALL_TAKEN,
        "57P03" => STARTING,
        "0A000" if words.contains("conversion between") => Hint::new(
            "pg-dump-alone",
            "dbhaul speaks UTF-8 with a server, which can't translate this database's encoding: pg_dump alone dumps it",
        ),
        _ => Hint::new("servers-log-may-say-more", "the server's own log may say more"),
    }
}

fn system_hint(error: &tokio_postgres::Error, words: &str, connection: &Connection) -> Hint {
    let place = match connection.address() {
        Some((host, port)) => format!("{host}:{port}"),
        None => "the socket".into(),
    };
    if words.contains("does not support TLS") {
        return NO_TLS;
    }
    if words.starts_with("require_auth=") {
        return Hint::new(
            "login-or-require-auth",
            "the server's pg_hba.conf says how this user logs in: change it there, or the rule in the URI",
        );
    }
    if words.contains("channel binding") {
        return Hint::new(
            "channel-binding",
            "channel_binding=require in the URI wants TLS and a server that offers SCRAM-SHA-256-PLUS",
        );
    }
    if words.contains("password missing") {
        return NO_PASSWORD;
    }
    if tls_failed(error) {
        return CHECK_TLS;
    }
    if words.contains("lookup address") || words.contains("not known") {
        return Hint::new(
            "check-host-from-here",
            "check the host's name in the URI, and that it is reachable from this machine",
        );
    }
    match io_kind(error) {
        Some(io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => Hint::naming(
            "nothing-listens-on",
            format!("nothing listens on {place}: is the server, or the tunnel, running, and the port right?"),
        ),
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof) => Hint::naming(
            "place-hung-up",
            format!("{place} hung up: behind a tunnel, is its far end reachable? Is this PostgreSQL's port?"),
        ),
        _ => Hint::naming(
            "is-it-postgresql",
            format!("is {place} a PostgreSQL server, and reachable from this machine?"),
        ),
    }
}

type Cause<'e> = &'e (dyn std::error::Error + 'static);

fn causes(error: &tokio_postgres::Error) -> impl Iterator<Item = Cause<'_>> {
    std::iter::successors(error.source(), |cause: &Cause<'_>| (*cause).source())
}

fn io_kind(error: &tokio_postgres::Error) -> Option<io::ErrorKind> {
    causes(error).find_map(|e| e.downcast_ref::<io::Error>()).map(io::Error::kind)
}

fn tls_failed(error: &tokio_postgres::Error) -> bool {
    let rustls = |e: &(dyn std::error::Error + 'static)| {
        let inner = e.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        e.is::<rustls::Error>() || inner.is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
    };
    causes(error).any(rustls) || error.to_string().contains("TLS")
}

/// A string in SQL.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// A name in SQL.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
