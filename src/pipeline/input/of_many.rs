//! Which database of a script comes: the one that was asked for, or the only one.

use std::io::{self, Read};

use crate::engine::{Content, DatabaseCutter, HeldDatabase, HeldDatabases};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;
use crate::invocation::quote;
use crate::report::units;

/// Refuses a script of several databases of which none was named, and a name that it does not hold. `archive` is the
/// script's own name.
pub fn check_choice(archive: &str, held: &HeldDatabases, wanted: Option<&str>) -> Result<()> {
    if held.is_of_roles_alone {
        let what = format!("{archive} holds no database: it is what pg_dumpall --globals-only writes");
        return Err(Error::new(Kind::Archive, what)
            .why("it is of roles and tablespaces alone, which belong to a server; a restore fills a database")
            .hint(Hint::new(
                "roles-by-psql",
                "psql makes the roles, as a superuser: psql -f FILE postgres; a database is in another file (pg_dump, pg_dumpall)",
            )));
    }
    let inside = &held.databases;
    let list = |error: Error| {
        const SHOWN: usize = 50;
        let more = inside.len().checked_sub(SHOWN + 1).map(|more| format!("and {} more", more + 1));
        inside.iter().take(SHOWN).map(describe).chain(more).fold(error, Error::why)
    };
    let Some(wanted) = wanted else {
        // The largest is the likeliest: pg_dumpall begins with template1.
        let own = inside.iter().filter(|database| !database.is_system && !database.name.is_empty());
        let one_name = own.max_by_key(|database| database.bytes);
        return match (inside.len(), one_name) {
            (0 | 1, _) => Ok(()),
            (count, example) => {
                let what = format!("{archive} holds {count} databases, and a restore goes into one");
                let name = example.map_or("NAME", |database| &database.name);
                let hint = Hint::naming("database-of-many", format!("--database {} takes one of them", quote(name)));
                Err(list(Error::new(Kind::Archive, what)).hint(hint))
            }
        };
    };
    match inside.iter().find(|database| database.name == wanted) {
        Some(database) if database.is_system => {
            let what = format!("--database {wanted}: that database belongs to the server");
            Err(Error::new(Kind::Refused, what)
                .why("it holds the accounts and settings of the server that it comes from")
                .hint(Hint::new("name-one-of-your-own", "name one of your own; accounts and grants are made by hand")))
        }
        Some(_) => Ok(()),
        None if inside.is_empty() => {
            let what = format!("--database {wanted}: {archive} names no database");
            Err(Error::new(Kind::Usage, what)
                .hint(Hint::new("leave-database-out", "leave --database out: the file is a dump of one")))
        }
        None => {
            let what = format!("--database {wanted}: {archive} holds no such database");
            Err(list(Error::new(Kind::Usage, what))
                .hint(Hint::new("database-takes-one", "--database takes one of these names, as it stands here")))
        }
    }
}

/// `"shop", 1.2 MB`.
fn describe(database: &HeldDatabase) -> String {
    let size = units::size(database.bytes);
    match (database.name.as_str(), database.is_system) {
        ("", _) => format!("statements before the first name of a database, {size}"),
        (name, true) => format!("{name:?}, {size}, the server's own"),
        (name, false) => format!("{name:?}, {size}"),
    }
}

/// What the script says of the chosen database itself, and what of the script is not sent.
pub fn settle(held: &HeldDatabases, content: &mut Content) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(chosen) = held.chosen() {
        content.database = Some(chosen.name.clone());
        content.properties = chosen.properties.clone().or(content.properties.take());
        notes.push(format!(
            "the file names its database: {}; it goes into the target's, by the target's name",
            chosen.name
        ));
        if !chosen.own_statements.is_empty() {
            let kinds = chosen.own_statements.join(", ");
            notes.push(format!("not sent as the file has them, since they name the database {}: {kinds}", chosen.name));
        }
    }
    if held.globals > 0 {
        let count = units::plural(held.globals, "statement");
        notes.push(format!(
            "not sent, since it is for the server: {count} about roles, tablespaces, global settings and the like"
        ));
    }
    notes
}

/// A script's bytes, of which one database passes.
pub struct CutReader {
    source: Box<dyn Read + Send>,
    cutter: Option<Box<dyn DatabaseCutter>>,
    buffer: Vec<u8>,
    passed: Vec<u8>,
    read: usize,
}

impl CutReader {
    /// Reads the source through the cutter.
    pub fn new(source: Box<dyn Read + Send>, cutter: Box<dyn DatabaseCutter>) -> Self {
        Self { source, cutter: Some(cutter), buffer: vec![0; 256 * 1024], passed: Vec::new(), read: 0 }
    }
}

impl Read for CutReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.passed.len() {
            let Some(cutter) = &mut self.cutter else { return Ok(0) };
            self.passed.clear();
            self.read = 0;
            match self.source.read(&mut self.buffer)? {
                0 => drop(self.cutter.take().map(|cutter| cutter.finish(&mut self.passed))),
                count => cutter.push(&self.buffer[..count], &mut self.passed),
            }
        }
        let count = buffer.len().min(self.passed.len() - self.read);
        buffer[..count].copy_from_slice(&self.passed[self.read..self.read + count]);
        self.read += count;
        Ok(count)
    }
}
