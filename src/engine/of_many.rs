//! Scripts that name their databases: `mysqldump --databases`, `pg_dumpall`, `pg_dump --create`.
//!
//! Such a script is cut before anybody judges it: what passes is a dump of one database, which the inspector, the gate
//! and the loader read as any other. So the cut need not be trusted. What it leaves in by mistake is judged as what it
//! is, and what it takes out runs nowhere.

use super::Incomplete;
use crate::properties::DatabaseProperties;

/// A database that a script holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeldDatabase {
    /// Its name; empty for what stands before the first name.
    pub name: String,
    /// Bytes of the script that are about it.
    pub bytes: u64,
    /// It belongs to the server.
    pub is_system: bool,
    /// What the script's statements about the database itself say.
    pub properties: Option<DatabaseProperties>,
    /// Kinds of such statements that are not sent as they stand: `CREATE DATABASE`.
    pub own_statements: Vec<String>,
}

/// As many databases of one script are told apart, and settings of one database. The rest counts as the last.
pub const MAX_DATABASES: usize = 10_000;

impl HeldDatabase {
    /// One of that name.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

/// The databases that a script has named so far, and the one that passes: the wanted one, or without one the first.
#[derive(Debug, Default)]
pub struct Choice {
    /// The one that is wanted.
    pub wanted: Option<String>,
    /// The one that passes, once it was named.
    pub chosen: Option<String>,
    /// In the script's order.
    pub databases: Vec<HeldDatabase>,
}

impl Choice {
    /// Nothing was named yet.
    #[must_use]
    pub fn new(wanted: Option<&str>) -> Self {
        Self { wanted: wanted.map(str::to_owned), ..Self::default() }
    }

    /// The place of a database that is named now, maybe not for the first time.
    pub fn place(&mut self, name: &str, is_system: bool) -> usize {
        if self.wanted.as_deref().is_none_or(|wanted| wanted == name) {
            self.chosen.get_or_insert_with(|| name.to_owned());
        }
        let known = self.databases.iter().rposition(|database| database.name == name);
        let last = self.databases.len().checked_sub(1).filter(|last| last + 1 >= MAX_DATABASES);
        known.or(last).unwrap_or_else(|| {
            self.databases.push(HeldDatabase { is_system, ..HeldDatabase::named(name) });
            self.databases.len() - 1
        })
    }

    /// Whether the one at this place passes.
    #[must_use]
    pub fn passes(&self, at: usize) -> bool {
        self.chosen.as_ref() == Some(&self.databases[at].name)
    }
}

/// What a script named, once its end was seen.
#[derive(Clone, Debug, Default)]
pub struct HeldDatabases {
    /// In the script's order.
    pub databases: Vec<HeldDatabase>,
    /// The one that passed.
    pub chosen: Option<String>,
    /// Statements about the server that were not passed on: roles, tablespaces.
    pub globals: u64,
    /// The script's own end mark is missing.
    pub incomplete: Option<Incomplete>,
    /// It is whole, and of roles and tablespaces alone: `pg_dumpall --globals-only`.
    pub is_of_roles_alone: bool,
}

impl HeldDatabases {
    /// The one that passed.
    #[must_use]
    pub fn chosen(&self) -> Option<&HeldDatabase> {
        let name = self.chosen.as_ref()?;
        self.databases.iter().find(|database| database.name == *name)
    }
}

/// Passes one database of a script on, as a dump of it alone. Of everything else the line feeds stay, so that each line
/// keeps its number.
pub trait DatabaseCutter: Send {
    /// Takes the next bytes; writes what passes.
    fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>);
    /// The script has ended.
    fn finish(self: Box<Self>, out: &mut Vec<u8>) -> HeldDatabases;
}

/// The line feeds of what does not pass.
pub fn blank(bytes: &[u8], out: &mut Vec<u8>) {
    let lines = memchr::memchr_iter(b'\n', bytes).count();
    out.resize(out.len() + lines, b'\n');
}
