//! Triggers and events that a script makes before the rows that they would meet, as in `mysqldump --no-data` and
//! `mysqldump --no-create-info` in one file. The reader finds them; the rewriter holds them back until all rows are in.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher};

use crate::engine::mysql::sql::lexer::Syntax;
use crate::engine::mysql::sql::statement::{Object, StatementInfo, Verb};

/// What is on the way of rows, gathered while a script passes by.
#[derive(Clone, Default)]
pub(crate) struct Order {
    /// What is there by now, by [`key`], and a hash of its statement.
    made: BTreeMap<String, u64>,
    /// Triggers by their table, and events, that no row has met yet.
    waiting: BTreeMap<String, Vec<String>>,
    events: Vec<String>,
    dropped: BTreeSet<String>,
    /// What stands before rows that it would meet, or is made twice.
    pub(crate) early: BTreeSet<String>,
    /// What is made twice, and not alike.
    pub(crate) ambiguous: BTreeSet<String>,
}

/// `trigger t_log`, `event purge`.
pub(crate) fn key(subject: &StatementInfo) -> Option<String> {
    let kind = match subject.object {
        Object::Trigger => "trigger",
        Object::Event => "event",
        _ => return None,
    };
    subject.name.as_ref().map(|name| format!("{kind} {name}"))
}

impl Order {
    /// Takes a statement's head.
    pub(crate) fn see(&mut self, subject: &StatementInfo, head: &[u8]) {
        let Some(name) = &subject.name else { return };
        match (subject.verb, subject.object, key(subject)) {
            (Verb::Create, _, Some(key)) => self.create(key, subject.on.as_ref(), head),
            (Verb::Drop, _, Some(key)) => drop(self.made.remove(&key)),
            (Verb::Insert, ..) => {
                let met = self.waiting.remove(name).into_iter().flatten().chain(self.events.drain(..));
                self.early.extend(met.filter(|key| self.made.contains_key(key)));
            }
            // Its triggers go with it.
            (Verb::Drop, Object::Table, _) => {
                for key in self.waiting.remove(name).into_iter().flatten() {
                    self.made.remove(&key);
                }
                self.dropped.insert(name.clone());
            }
            _ => {}
        }
    }

    fn create(&mut self, key: String, on: Option<&String>, head: &[u8]) {
        let mut hasher = DefaultHasher::new();
        hasher.write(head);
        let text = hasher.finish();
        if let Some(before) = self.made.insert(key.clone(), text) {
            self.early.insert(key.clone());
            if before != text {
                self.ambiguous.insert(key.clone());
            }
        }
        match on {
            Some(table) => self.waiting.entry(table.clone()).or_default().push(key),
            None => self.events.push(key),
        }
    }

    /// Whether the script drops a table before it makes it.
    pub(crate) fn drops(&self, table: &str) -> bool {
        self.dropped.contains(table)
    }
}

/// Statements that wait for the end of a script, in their order.
#[derive(Default)]
pub(crate) struct HeldBack {
    statements: Vec<Held>,
    count: usize,
}

struct Held {
    key: String,
    on: Option<String>,
    number: usize,
    delimiter: Vec<u8>,
    /// With its delimiter.
    text: Vec<u8>,
}

/// What a session's settings mean for a trigger or an event: they are kept with it.
const CONTEXT: [&str; 4] = ["sql_mode", "character_set_client", "collation_connection", "time_zone"];

impl HeldBack {
    /// Takes a statement's text as far as it has come. What stands in its place is written to `out`: what the session's
    /// settings are there.
    pub(crate) fn hold(&mut self, key: String, on: Option<String>, text: Vec<u8>, syntax: &Syntax, out: &mut Vec<u8>) {
        self.forget(&key);
        self.count += 1;
        let number = self.count;
        let saved: Vec<_> = CONTEXT.iter().map(|name| format!("@dbhaul_{number}_{name}=@@{name}")).collect();
        out.extend_from_slice(format!("SET {} ", saved.join(", ")).as_bytes());
        out.extend_from_slice(syntax.delimiter());
        out.push(b'\n');
        self.statements.push(Held { key, on, number, delimiter: syntax.delimiter().to_vec(), text });
    }

    /// More of the statement that came last.
    pub(crate) fn more(&mut self, bytes: &[u8]) {
        if let Some(held) = self.statements.last_mut() {
            held.text.extend_from_slice(bytes);
        }
    }

    /// What is dropped again does not come; nor what is made a second time, in its first place.
    pub(crate) fn forget(&mut self, key: &str) {
        self.statements.retain(|held| held.key != key);
    }

    /// The triggers of a table that is dropped.
    pub(crate) fn forget_table(&mut self, table: &str) {
        self.statements.retain(|held| held.on.as_deref() != Some(table));
    }

    /// Writes all of them. How many they were.
    pub(crate) fn release(&mut self, out: &mut Vec<u8>) -> u64 {
        let all = std::mem::take(&mut self.statements);
        for Held { number, delimiter, text, .. } in &all {
            let settings: Vec<_> = CONTEXT.iter().map(|name| format!("{name}=@dbhaul_{number}_{name}")).collect();
            out.extend_from_slice(format!("\nDELIMITER ;\nSET {};\nDELIMITER ", settings.join(", ")).as_bytes());
            out.extend_from_slice(&[delimiter, &b"\n"[..], text, b"\nDELIMITER ;\n"].concat());
        }
        all.len() as u64
    }
}
