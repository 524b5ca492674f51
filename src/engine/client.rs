//! Clients: whose, which version, what each is for, and what was found of them.

use std::fmt;
use std::path::PathBuf;

/// What a client program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// `pg_dump`, `mysqldump`, `mariadb-dump`.
    Dump,
    /// `pg_restore`; MySQL has none.
    Restore,
    /// `psql`, `mysql`, `mariadb`.
    Shell,
    /// The server itself, for a throw-away one: `postgres`, `mysqld`, `mariadbd`.
    Server,
}

/// Whose server or client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flavour {
    /// For people, and in manifests and JSON: `PostgreSQL`.
    pub name: &'static str,
    /// From which major version on the second number counts no more: such servers read each other's dumps, and write the
    /// same ones.
    pub minor_counts_below: u32,
    /// How rows are written depends on the database's encoding.
    pub rows_in_encoding: bool,
}

impl Flavour {
    /// What of a version a dump depends on.
    #[must_use]
    pub fn release(self, version: Version) -> (u32, u32) {
        (version.major, if version.major < self.minor_counts_below { version.minor } else { 0 })
    }
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A version, as far as it matters: PostgreSQL's second number stands in `minor`, its `patch` is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 15 of 15.20, 8 of 8.0.36.
    pub major: u32,
    /// 20 of 15.20, 0 of 8.0.36.
    pub minor: u32,
    /// 36 of 8.0.36.
    pub patch: u32,
}

impl Version {
    /// A version from its numbers.
    #[must_use]
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// Reads `15.20 (Debian ...)`, `9.7.4`, `10.11.19-MariaDB`, `18beta1`: the numbers at the start of the text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let mut numbers = text[..end].split('.').filter(|n| !n.is_empty()).map(str::parse);
        let major = numbers.next()?.ok()?;
        let minor = numbers.next().transpose().ok()?.unwrap_or(0);
        let patch = numbers.next().transpose().ok()?.unwrap_or(0);
        Some(Self { major, minor, patch })
    }
}

/// `15.20` for PostgreSQL's two numbers, `8.0.36` for three.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if self.major < 10 || self.patch > 0 { write!(f, ".{}", self.patch) } else { Ok(()) }
    }
}

/// A client program that answered `--version`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// What it does.
    pub role: Role,
    /// Its absolute path.
    pub path: PathBuf,
    /// Whose it is.
    pub flavour: Flavour,
    /// Which.
    pub version: Version,
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} {})", self.path.display(), self.flavour, self.version)
    }
}

/// A file with a client's name that is not one, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The file.
    pub path: PathBuf,
    /// Why it doesn't count: not executable, its words on `--version`.
    pub why: String,
}

/// All clients of an engine on this machine.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Those that answered.
    pub clients: Vec<Client>,
    /// Those that did not.
    pub rejected: Vec<Rejected>,
}
