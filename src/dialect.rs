//! Dialects: what a URI of each engine looks like. An engine registers its own; nothing else needs to know which there are.

use std::fmt;
use std::sync::OnceLock;

/// One family of servers, whose clients and URIs are alike.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dialect(&'static Description);

/// A dialect, as its engine describes it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Description {
    /// The engine's name in manifests and JSON: `postgresql`.
    pub name: &'static str,
    /// The schemes of its URIs, in small letters; the first is the one that people are told of.
    pub schemes: &'static [&'static str],
    /// The port where a URI names none.
    pub default_port: u16,
    /// Whether a URI must name a user.
    pub needs_user: bool,
    /// Parameters of a URI that only this dialect has, in small letters and without `-` and `_`, and what they mean.
    pub parameters: &'static [(&'static str, Parameter)],
}

/// What a parameter of a URI says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Parameter {
    /// The host, or the folder of its socket.
    Host,
    /// The address, where the name is not to be looked up.
    HostAddress,
    /// The path of the socket.
    Socket,
    /// The database.
    Database,
    /// A file of passwords.
    PasswordFile,
    /// A service, whose file is not read here.
    Service,
    /// `gssencmode`.
    GssEncryption,
    /// `channel_binding`.
    ChannelBinding,
    /// `require_auth`.
    RequireAuth,
    /// `sslnegotiation`.
    TlsNegotiation,
}

static REGISTERED: OnceLock<Vec<Dialect>> = OnceLock::new();

/// Those of dbhaul's own engines.
const OWN: [Dialect; 2] = [Dialect::POSTGRES, Dialect::MYSQL];

/// All dialects that a command line is understood in.
pub fn all() -> &'static [Dialect] {
    REGISTERED.get().map_or(&OWN, Vec::as_slice)
}

/// Makes these the dialects of this process, once. The first call counts.
pub fn register(dialects: Vec<Dialect>) {
    let _ = REGISTERED.set(dialects);
}

impl Dialect {
    /// A dialect of this description.
    #[must_use]
    pub const fn new(description: &'static Description) -> Self {
        Self(description)
    }

    /// The dialect of a URI with this scheme.
    #[must_use]
    pub fn of_scheme(scheme: &str) -> Option<Self> {
        let scheme = scheme.to_ascii_lowercase();
        all().iter().copied().find(|dialect| dialect.0.schemes.contains(&scheme.as_str()))
    }

    /// The engine's name in manifests and JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// What its engine says of it.
    #[must_use]
    pub fn description(self) -> &'static Description {
        self.0
    }

    /// What this parameter means, where only this dialect has it.
    #[must_use]
    pub fn parameter(self, key: &str) -> Option<Parameter> {
        self.0.parameters.iter().find(|(name, _)| *name == key).map(|(_, means)| *means)
    }
}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
