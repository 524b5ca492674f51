//! Tablespaces, which are places on a server's disks: a dump names those that its objects were in, and another server has
//! others. Where it lacks one, everything goes where the target's database puts it.

use std::collections::BTreeSet;
use std::ops::Range;

use super::target::lines;
use crate::engine::postgres::format::dump_lines::identifier;
use crate::engine::postgres::format::plain::{divided, joined};
use crate::engine::postgres::session::Session;
use crate::engine::{Content, Server};
use crate::error::Result;

/// The fact that names those of a dump, each but the last followed by a zero byte.
const NAMES: &str = "tablespaces";
/// The fact that says where a script's lines are that choose one.
const LINES: &str = "tablespaces.lines";

/// Reads those of a target's server.
pub async fn read(session: &Session, server: &mut Server) -> Result<()> {
    let names = session.column("SELECT spcname FROM pg_catalog.pg_tablespace ORDER BY 1").await?;
    server.settings.insert(NAMES.to_owned(), names.join("\n"));
    Ok(())
}

/// Those that a dump names.
#[derive(Clone, Debug, Default)]
pub struct Named {
    names: BTreeSet<String>,
    lines: Vec<Range<u64>>,
}

impl Named {
    /// Takes what an entry of a table of contents says.
    pub fn add(&mut self, name: Option<String>) {
        self.names.extend(name.filter(|name| !name.is_empty()));
    }

    /// Takes a line of a script that stands between statements.
    pub fn line(&mut self, line: &str, place: Range<u64>) {
        let Some(value) = line.strip_prefix("SET default_tablespace = ").and_then(|rest| rest.strip_suffix(';')) else {
            return;
        };
        if let Some((name, _)) = identifier(value).filter(|_| !value.starts_with('\'')) {
            self.names.insert(name);
            self.lines.push(place);
        }
    }

    /// The facts of a dump.
    pub fn facts(self) -> impl Iterator<Item = (String, String)> {
        let names = self.names.into_iter().collect::<Vec<_>>().join("\0");
        let facts = [(NAMES.to_owned(), names), (LINES.to_owned(), joined(&self.lines))];
        facts.into_iter().filter(|(_, text)| !text.is_empty())
    }
}

/// Those of a dump that the target lacks.
pub fn lacking<'c>(server: &Server, content: &'c Content) -> Vec<&'c str> {
    let there = lines(server, NAMES);
    let named = content.facts.get(NAMES).map(|names| names.split('\0')).into_iter().flatten();
    named.filter(|name| !there.contains(name)).collect()
}

/// What is said of it.
pub fn note(lacking: &[&str]) -> String {
    format!(
        "tablespaces left out, everything goes where the target's database puts it; the target lacks {}",
        lacking.join(", ")
    )
}

/// The lines of a script that choose one.
pub fn choices(content: &Content) -> Vec<Range<u64>> {
    content.facts.get(LINES).and_then(|lines| divided(lines)).unwrap_or_default()
}
