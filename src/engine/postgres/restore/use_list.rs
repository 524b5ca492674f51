//! The list of an archive's entries that `pg_restore` is to restore: those that were chosen, without what the target has
//! already or the user may not set there.

use std::collections::BTreeSet;

use super::target::lines;
use crate::engine::{Clean, Entry, RestoreOptions, Section, Server};
use crate::invocation::PrivateFile;
use crate::secret::Secret;

/// What decides about an entry.
pub struct TocExclusions<'a> {
    pub server: &'a Server,
    pub options: &'a RestoreOptions,
}

impl TocExclusions<'_> {
    /// The list for `pg_restore --use-list`, if it is not all of these entries, and in `notes` what stays out of it. `clean`:
    /// the target's objects are dropped by `pg_restore` itself.
    pub fn list(
        &self,
        entries: &[Entry],
        chosen: Option<&BTreeSet<i64>>,
        clean: bool,
        notes: &mut Vec<String>,
    ) -> Option<PrivateFile> {
        let wanted = entries.iter().filter(|e| chosen.is_none_or(|chosen| chosen.contains(&e.id)));
        let (mut kept, left): (Vec<&Entry>, Vec<&Entry>) = wanted.partition(|e| !self.leaves_out(e, clean));
        let readers = match self.options.section {
            Some(section @ (Section::Indexes | Section::Readers)) => Some((section, readers(entries))),
            _ => None,
        };
        if left.is_empty() && chosen.is_none() && readers.is_none() {
            return None;
        }
        if let Some((section, readers)) = readers {
            kept.retain(|entry| readers.contains(&entry.id) == (section == Section::Readers));
        }
        let kinds = [
            ("COMMENT", false, "comments", "may not be set there"),
            ("SCHEMA", false, "schemas", "there already"),
            ("EXTENSION", false, "extensions", "there already"),
            ("EXTENSION", true, "extensions", "--exclude-extension"),
            ("EVENT TRIGGER", false, "event triggers", "only a superuser may create them"),
        ];
        for (kind, excluded, noun, why) in kinds {
            let of_kind = left.iter().filter(|e| e.kind == kind && self.excluded(e) == excluded);
            let names: Vec<&str> = of_kind.map(|e| e.tag.as_str()).collect();
            if !names.is_empty() {
                notes.push(format!("{noun} left out ({why}), {}: {}", names.len(), names.join(", ")));
            }
        }
        Some(list_file(&kept))
    }

    /// Whether an entry stays out.
    pub fn leaves_out(&self, entry: &Entry, clean: bool) -> bool {
        if self.excluded(entry) {
            return true;
        }
        let superuser = self.server.standing == "superuser";
        match entry.kind.as_str() {
            "COMMENT" if entry.tag == "SCHEMA public" => !superuser && !self.owns_public(),
            // CREATE EXTENSION sets it, and only the extension's owner may.
            "COMMENT" => (entry.tag.starts_with("EXTENSION ") || entry.tag.starts_with("EVENT TRIGGER ")) && !superuser,
            "EVENT TRIGGER" => !superuser,
            "SCHEMA" => self.schema_stays(&entry.tag),
            "EXTENSION" => clean && lines(self.server, "extensions.installed").contains(&entry.tag.as_str()),
            _ => false,
        }
    }

    /// An extension that the user does without, and its comment.
    fn excluded(&self, entry: &Entry) -> bool {
        let name = match entry.kind.as_str() {
            "EXTENSION" => Some(entry.tag.as_str()),
            "COMMENT" => entry.tag.strip_prefix("EXTENSION "),
            _ => None,
        };
        name.is_some_and(|name| {
            self.options.exclude_extensions.iter().any(|excluded| excluded == name.trim_matches('"'))
        })
    }

    fn owns_public(&self) -> bool {
        self.server.settings.get("schema.public.owned").is_some_and(|v| v == "t")
    }

    /// True when the schema is in the target at the time of the restore.
    pub fn schema_stays(&self, name: &str) -> bool {
        let there = |setting| lines(self.server, setting).contains(&name);
        if !self.server.target.exists || self.options.clean == Some(Clean::Database) {
            return name == "public";
        }
        match self.options.clean {
            Some(Clean::Schema) => there("schemas.kept"),
            Some(_) => name == "public" && there("schemas") || there("schemas.kept"),
            None => there("schemas"),
        }
    }
}

/// Foreign keys and materialized views, and what needs them.
fn readers(entries: &[Entry]) -> BTreeSet<i64> {
    let reads = |e: &&Entry| ["FK CONSTRAINT", "MATERIALIZED VIEW DATA"].contains(&e.kind.as_str());
    let mut readers: BTreeSet<i64> = entries.iter().filter(reads).map(|e| e.id).collect();
    loop {
        let before = readers.len();
        let behind = |e: &&Entry| e.needs.iter().any(|id| readers.contains(id));
        let more: Vec<i64> = entries.iter().filter(behind).map(|e| e.id).collect();
        readers.extend(more);
        if readers.len() == before {
            return readers;
        }
    }
}

/// Only the numbers count; the rest is for people, up to the line's end.
fn list_file(entries: &[&Entry]) -> PrivateFile {
    let line = |e: &&Entry| format!("{}; {} {}\n", e.id, e.kind, e.tag.replace(['\n', '\r'], " "));
    let text: String = entries.iter().map(line).collect();
    PrivateFile { name: "entries".into(), content: Secret::new(text.clone()), redacted: text }
}
