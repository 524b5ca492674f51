//! What the lines of a script said: its versions, its objects, the tables whose rows follow, and psql's own commands.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use crate::engine::Entry;
use crate::engine::postgres::format::content::{Asked, Tables};
use crate::engine::postgres::format::dump_lines::{described, identifier, owner_or_grantees, policy_roles, qualified};
use crate::engine::postgres::format::encoding::Encoding;
use crate::engine::postgres::format::large_objects::LargeObjects;
use crate::engine::postgres::format::untrusted::Untrusted;
use crate::engine::postgres::restore::tablespaces;
use crate::engine::postgres::sql::gate::{Relations, Stopped};

/// What the lines said.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each set by a line of its own")]
#[derive(Default)]
pub(super) struct Seen {
    pub(super) complete: bool,
    /// Some remark says that `pg_dump` begins here.
    pub(super) headed: bool,
    /// The line behind the last one that says that a dump ends.
    pub(super) completed: Option<(u64, u64)>,
    pub(super) restricted: Option<String>,
    pub(super) was_restricted: bool,
    /// The lines of such pairs behind the first.
    pub(super) restrictions: Vec<Range<u64>>,
    pub(super) tablespaces: tablespaces::Named,
    pub(super) source: Option<String>,
    pub(super) client: Option<String>,
    pub(super) objects: u64,
    /// The first row that looks like what a program said.
    pub(super) odd_row: Option<String>,
    /// What the remark before a statement says that it makes.
    pub(super) entry: Entry,
    pub(super) asked: Asked,
    pub(super) large_objects: LargeObjects,
    pub(super) extensions: Vec<String>,
    pub(super) schemas: Vec<String>,
    pub(super) longest: u64,
    /// The lines that begin and end transactions within the dump, in turns.
    pub(super) transactions: Vec<Range<u64>>,
    /// There are such lines that are not in turns.
    pub(super) odd_transactions: bool,
    pub(super) roles: BTreeSet<String>,
    /// The sections that name each of them; 0 for what stands before the first.
    pub(super) roles_of_sections: BTreeSet<(usize, String)>,
    /// The number of the section that passes by.
    pub(super) section: usize,
    /// Rows come as INSERT, which is not counted.
    pub(super) inserts: bool,
    /// The first psql command that `pg_dump` does not write into a dump of one database, and its line.
    pub(super) command: Option<String>,
    /// The first that goes to another database.
    pub(super) connects: Option<String>,
    pub(super) stopped: Stopped,
    pub(super) relations: Relations,
    pub(super) untrusted: Untrusted,
    /// What the script is written in, as it says.
    pub(super) encoding: Option<String>,
}

impl Seen {
    /// A part of the script as text.
    pub(super) fn text<'b>(&self, bytes: &'b [u8]) -> Cow<'b, str> {
        self.encoding.as_deref().map_or(Encoding::Utf8, Encoding::named).decode(bytes)
    }

    /// Learns from a line that began outside of strings. The table, if its rows follow.
    pub(super) fn line(&mut self, line: &str, tables: &mut Tables) -> Option<usize> {
        if let Some(remark) = line.strip_prefix("-- ") {
            self.remark(remark);
        } else if !line.starts_with('\\') && !line.is_empty() && line != "--" {
            self.complete = false;
            return self.statement(line, tables);
        }
        None
    }

    pub(super) fn remark(&mut self, remark: &str) {
        if remark == "PostgreSQL database dump complete" || remark == "PostgreSQL database cluster dump complete" {
            self.complete = true;
        } else if remark == "PostgreSQL database dump" {
            (self.headed, self.completed) = (true, None);
        } else if let Some(version) = remark.strip_prefix("Dumped from database version ") {
            self.source.get_or_insert_with(|| version.to_owned());
        } else if let Some(version) = remark.strip_prefix("Dumped by pg_dump version ") {
            self.client.get_or_insert_with(|| version.to_owned());
        } else if remark.starts_with("Name: ") || remark.starts_with("Data for Name: ") {
            self.objects += 1;
            self.entry = described(remark);
        }
    }

    /// A whole statement has passed by. Rows are no concern of it.
    pub(super) fn whole(&mut self, sql: &[u8]) {
        let sql = self.text(sql);
        if self.entry.kind == "BLOBS" {
            self.large_objects.statement(&sql);
        } else if !sql.trim_start().starts_with("INSERT INTO ") {
            self.asked.note(&self.entry, &sql);
        }
    }

    /// Learns of a transaction that a line begins or ends.
    pub(super) fn transaction(&mut self, line: &str, place: Range<u64>) {
        if ["BEGIN;", "COMMIT;", "ROLLBACK;"].contains(&line) {
            let begins = self.transactions.len().is_multiple_of(2);
            self.odd_transactions |= line != if begins { "BEGIN;" } else { "COMMIT;" };
            self.transactions.push(place);
        }
    }

    /// Whether a line with a psql command is one of the two that `pg_dump` writes, in turns.
    pub(super) fn command(&mut self, line: &str, place: Range<u64>) -> bool {
        let is_token = |token: &&str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let restrict = line.strip_prefix("\\restrict ").filter(is_token).filter(|_| self.restricted.is_none());
        let unrestrict = line.strip_prefix("\\unrestrict ").filter(is_token);
        if let Some(token) = restrict {
            self.restricted = Some(token.to_owned());
            self.restrictions.extend(self.was_restricted.then_some(place));
            self.was_restricted = true;
            return true;
        }
        if unrestrict.is_some() && self.restricted.as_deref() == unrestrict {
            self.restricted = None;
            self.restrictions.extend((!self.restrictions.is_empty()).then_some(place));
            return true;
        }
        self.complete = false;
        false
    }

    pub(super) fn statement(&mut self, line: &str, tables: &mut Tables) -> Option<usize> {
        for role in policy_roles(line).into_iter().chain(owner_or_grantees(line)) {
            self.roles_of_sections.insert((self.section, role.clone()));
            self.roles.insert(role);
        }
        self.inserts |= line.starts_with("INSERT INTO ");
        if let Some(rest) = line.strip_prefix("COPY ") {
            let (schema, name, rest) = qualified(rest)?;
            if !rest.ends_with(" FROM stdin;") {
                return None;
            }
            let table = tables.place(schema.as_deref(), &name);
            tables.copied(table, line);
            return Some(table);
        }
        if let Some(rest) = line.strip_prefix("DROP TABLE ") {
            let (schema, name, _) = qualified(rest.strip_prefix("IF EXISTS ").unwrap_or(rest))?;
            tables.dropped(schema.as_deref(), &name);
            return None;
        }
        if let Some(rest) = ["CREATE TABLE ", "CREATE UNLOGGED TABLE "].iter().find_map(|p| line.strip_prefix(p)) {
            let (schema, name, _) = qualified(rest)?;
            tables.place(schema.as_deref(), &name);
        } else if let Some(rest) = line.strip_prefix("CREATE EXTENSION IF NOT EXISTS ") {
            self.extensions.push(identifier(rest)?.0);
        } else if let Some(rest) = line.strip_prefix("CREATE SCHEMA ") {
            self.schemas.push(identifier(rest)?.0);
        }
        None
    }
}
