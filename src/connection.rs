//! How a database is reached: what a URI said, normalised, with the tunnel's route kept apart from the server's identity.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::dialect::Dialect;
use crate::secret::{Redactor, STARS, Secret, percent_encode};

/// Where the server says it is, as the URI has it: this is also its TLS identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A host name or address, without the brackets of IPv6, in the spelling of the URI.
    Tcp {
        /// The name.
        name: String,
        /// The port.
        port: u16,
    },
    /// A Unix socket: the folder for PostgreSQL (libpq adds `.s.PGSQL.PORT`), the socket itself for MySQL.
    Socket {
        /// The path.
        path: PathBuf,
        /// PostgreSQL's port, part of the socket's name.
        port: u16,
    },
}

/// How much TLS is asked for, in the same five steps for both engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsMode {
    /// Never.
    Off,
    /// When the server offers it, unverified.
    Prefer,
    /// Always, unverified.
    Require,
    /// Always, with a certificate signed by a trusted authority.
    VerifyCa,
    /// Always, signed by a trusted authority and made out to this host.
    VerifyFull,
}

/// What the URI says of TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The mode.
    pub mode: TlsMode,
    /// True when the URI named the mode; false when it is the engine's default.
    pub explicit: bool,
    /// The file of trusted authorities (PEM); without one, the system's.
    pub ca: Option<PathBuf>,
    /// The client's certificate (PEM).
    pub cert: Option<PathBuf>,
    /// The client certificate's key (PEM).
    pub key: Option<PathBuf>,
}

/// What a PostgreSQL URI asks of the login, beside TLS. The default is libpq's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginRules {
    /// `gssencmode=prefer`: a client may encrypt by GSSAPI, where it has the credentials.
    pub gss_encryption: bool,
    /// `channel_binding`.
    pub channel_binding: Option<ChannelBinding>,
    /// `sslnegotiation=direct`: TLS from the first byte, without asking.
    pub direct_tls: bool,
    /// `require_auth`.
    pub require_auth: Option<RequireAuth>,
}

/// The ways in which the server may want us to prove who we are, as libpq's `require_auth` lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequireAuth {
    methods: Vec<String>,
    /// These, and all others may.
    negated: bool,
}

impl RequireAuth {
    /// libpq's names.
    const METHODS: [&str; 7] = ["password", "md5", "gss", "sspi", "scram-sha-256", "oauth", "none"];
    /// Those that dbhaul's own sessions have.
    const OURS: [&str; 4] = ["password", "md5", "scram-sha-256", "none"];

    /// Whether this method is allowed.
    #[must_use]
    pub fn allows(&self, method: &str) -> bool {
        self.methods.iter().any(|named| named == method) != self.negated
    }

    /// Whether one that dbhaul's own sessions have is allowed.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        Self::OURS.iter().any(|method| self.allows(method))
    }
}

impl FromStr for RequireAuth {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let negated = text.trim_start().starts_with('!');
        let mut methods = Vec::new();
        for method in text.split(',').map(str::trim) {
            let name = if negated { method.strip_prefix('!').ok_or(())? } else { method };
            if !Self::METHODS.contains(&name) {
                return Err(());
            }
            methods.push(name.to_owned());
        }
        Ok(Self { methods, negated })
    }
}

/// As libpq writes it.
impl fmt::Display for RequireAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negated { "!" } else { "" };
        write!(f, "{sign}{}", self.methods.join(&format!(",{sign}")))
    }
}

/// Whether the login is bound to the TLS session that it goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelBinding {
    /// Never.
    Disable,
    /// When the server offers it.
    Prefer,
    /// Always.
    Require,
}

/// The near end of a tunnel: where packets go, while the identity stays that of the URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// An address or a name, mostly 127.0.0.1.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// One database, and how to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The family.
    pub dialect: Dialect,
    /// The scheme as it was written, for showing the URI again.
    pub scheme: String,
    /// The server's identity.
    pub host: Host,
    /// The tunnel's near end, if the way goes through one.
    pub route: Option<Route>,
    /// The user; empty only where the engine wants none.
    pub user: String,
    /// The password.
    pub password: Option<Secret>,
    /// The database; never empty.
    pub database: String,
    /// TLS.
    pub tls: Tls,
    /// Rules for the login, for PostgreSQL.
    pub login: LoginRules,
    /// What was dropped or translated while parsing, for people.
    pub notes: Vec<String>,
}

/// Time limits and retries; a duration of zero is never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// For connecting and logging in, all retries together.
    pub connect: Duration,
    /// For a silence: no byte moved.
    pub idle: Duration,
    /// For the whole command.
    pub total: Option<Duration>,
    /// How often connecting is tried again.
    pub retries: u32,
    /// Between TERM and KILL when a child is ended.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(600),
            total: None,
            retries: 3,
            grace: Duration::from_secs(5),
        }
    }
}

impl Connection {
    /// Where to connect to: the tunnel's near end, or else the server itself. None for a socket.
    #[must_use]
    pub fn address(&self) -> Option<(&str, u16)> {
        match (&self.route, &self.host) {
            (Some(route), _) => Some((&route.host, route.port)),
            (None, Host::Tcp { name, port }) => Some((name, *port)),
            (None, Host::Socket { .. }) => None,
        }
    }

    /// The name that the server's certificate must be made out to.
    #[must_use]
    pub fn identity(&self) -> &str {
        match &self.host {
            Host::Tcp { name, .. } => name,
            Host::Socket { .. } => "localhost",
        }
    }

    /// A redactor that knows this connection's secrets.
    #[must_use]
    pub fn redactor(&self) -> Redactor {
        Redactor::new(&self.password)
    }
}

/// The URI with stars for the password.
impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, percent_encode(&self.user))?;
        if self.password.is_some() {
            write!(f, ":{STARS}")?;
        }
        if self.password.is_some() || !self.user.is_empty() {
            f.write_str("@")?;
        }
        match &self.host {
            Host::Tcp { name, port } if name.contains(':') => write!(f, "[{name}]:{port}")?,
            Host::Tcp { name, port } => write!(f, "{name}:{port}")?,
            Host::Socket { path, .. } => f.write_str(&percent_encode(&path.to_string_lossy()))?,
        }
        write!(f, "/{}", percent_encode(&self.database))?;
        if let Some(route) = &self.route {
            write!(f, " (through {}:{})", route.host, route.port)?;
        }
        Ok(())
    }
}

impl TlsMode {
    /// libpq's name for it.
    #[must_use]
    pub fn libpq(self) -> &'static str {
        match self {
            Self::Off => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }

    /// The name in MySQL's `--ssl-mode`.
    #[must_use]
    pub fn mysql(self) -> &'static str {
        match self {
            Self::Off => "DISABLED",
            Self::Prefer => "PREFERRED",
            Self::Require => "REQUIRED",
            Self::VerifyCa => "VERIFY_CA",
            Self::VerifyFull => "VERIFY_IDENTITY",
        }
    }
}

impl ChannelBinding {
    /// libpq's name for it.
    #[must_use]
    pub fn libpq(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
        }
    }
}

impl FromStr for ChannelBinding {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Disable, Self::Prefer, Self::Require].into_iter().find(|one| one.libpq() == text).ok_or(())
    }
}

/// Any spelling of libpq, MySQL, JDBC and the drivers in between.
impl FromStr for TlsMode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.to_ascii_lowercase().replace('_', "-").as_str() {
            "disable" | "disabled" | "off" | "false" | "0" | "none" => Ok(Self::Off),
            "allow" | "prefer" | "preferred" => Ok(Self::Prefer),
            "require" | "required" | "on" | "true" | "1" | "no-verify" => Ok(Self::Require),
            "verify-ca" => Ok(Self::VerifyCa),
            "verify-full" | "verify-identity" | "strict" => Ok(Self::VerifyFull),
            _ => Err(()),
        }
    }
}
