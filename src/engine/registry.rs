//! The engines of this process: dbhaul's own, unless the program that runs it brings others.

use std::sync::OnceLock;

use super::mysql::Mysql;
use super::postgres::Postgres;
use super::{Engine, Flavour, Format};
use crate::dialect::{self, Dialect};

static REGISTERED: OnceLock<Registry> = OnceLock::new();

/// dbhaul's own engines. What no engine recognises is taken for the first one's.
const OWN: &[&dyn Engine] = &[&Postgres, &Mysql];

/// Engines, in the order in which they are asked.
pub struct Registry(Vec<&'static dyn Engine>);

impl Default for Registry {
    /// dbhaul's own.
    fn default() -> Self {
        Self(OWN.to_vec())
    }
}

impl Registry {
    /// One engine more.
    #[must_use]
    pub fn with(mut self, engine: &'static dyn Engine) -> Self {
        self.0.push(engine);
        self
    }

    /// Makes these the engines of this process, once. The first call counts.
    pub fn register(self) {
        dialect::register(self.0.iter().map(|engine| engine.dialect()).collect());
        let _ = REGISTERED.set(self);
    }
}

/// All engines.
pub fn all() -> &'static [&'static dyn Engine] {
    REGISTERED.get().map_or(OWN, |registry| &registry.0)
}

/// The engine of a dialect.
#[must_use]
pub fn of(dialect: Dialect) -> &'static dyn Engine {
    all().iter().copied().find(|engine| engine.dialect() == dialect).unwrap_or(OWN[0])
}

/// The flavour of this name.
#[must_use]
pub fn flavour(name: &str) -> Option<Flavour> {
    all().iter().flat_map(|engine| engine.flavours()).copied().find(|flavour| flavour.name == name)
}

/// The form of a dump that begins like this. No mark says that SQL is PostgreSQL's: what nobody knows is taken for that.
#[must_use]
pub fn recognise(beginning: &[u8]) -> Format {
    all().iter().find_map(|engine| engine.recognise(beginning)).unwrap_or(Format::PG_PLAIN)
}

/// The form of a dump that is a folder, `toc.dat` in it.
#[must_use]
pub fn folder_format() -> Format {
    all().iter().find_map(|engine| engine.folder_format()).unwrap_or(Format::PG_DIRECTORY)
}

/// The form of a dump in members of their own, of the engine with this name.
#[must_use]
pub fn members_format(engine: &str) -> Option<Format> {
    all().iter().find(|one| one.dialect().name() == engine)?.members_format()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// URIs are read below the engines, so both lists stand for themselves.
    #[test]
    fn dialects_of_our_own_are_those_of_our_own_engines() {
        let dialects: Vec<_> = all().iter().map(|engine| engine.dialect()).collect();
        assert_eq!(dialects, dialect::all());
    }
}
