//! What a dump's options choose of a database, and what that needs.

use std::collections::BTreeSet;

use super::content::Entry;
use crate::dependency::{Dependency, sentences};

/// That something else needs an entry of a dump.
impl From<&Entry> for Dependency {
    fn from(entry: &Entry) -> Self {
        let (kind, schema, name) = (entry.kind.to_lowercase(), entry.schema.clone(), entry.tag.clone());
        Self { kind, schema, name, needed_by: BTreeSet::new() }
    }
}

/// The entries of these names, as `fk constraint public.orders orders_user_id_fkey`, and comments on them. The comment of a
/// script's names the table alone with its schema.
#[must_use]
pub fn with_comments<'e>(entries: &'e [Entry], wanted: &BTreeSet<String>) -> Vec<&'e Entry> {
    let is_wanted = |entry: &&Entry| wanted.contains(&Dependency::from(*entry).to_string());
    let keys: Vec<&Entry> = entries.iter().filter(is_wanted).collect();
    let about = |comment: &Entry, key: &Entry| {
        let tag = comment.tag.strip_prefix("CONSTRAINT ").and_then(|tag| tag.split_once(" ON "));
        let bare = |name: &str| name.trim_matches('"').to_owned();
        let same = |(name, table)| comment.schema == key.schema && key.tag == format!("{} {}", bare(table), bare(name));
        comment.needs.contains(&key.id) || tag.is_some_and(same)
    };
    let comments = entries.iter().filter(|e| e.kind == "COMMENT" && keys.iter().any(|key| about(e, key)));
    comments.chain(keys.iter().copied()).collect()
}

/// What a dump warns of: that it does not hold what the chosen part needs.
#[must_use]
pub fn warnings(selected: Option<&Selected>) -> Vec<String> {
    let dependencies = selected.map(|selected| sentences(&selected.dependencies)).unwrap_or_default();
    let partitions = selected.map(|selected| selected.partitions.join(", ")).unwrap_or_default();
    let partitions =
        (!partitions.is_empty()).then(|| format!("partitions of chosen tables, and their rows: {partitions}"));
    dependencies.into_iter().chain(partitions).map(|sentence| format!("not in the dump: {sentence}")).collect()
}

/// What a dump lacks that an argument for its client leaves out.
const LEFT_OUT_BY: &str = "not in the dump: what it leaves out by ";

/// What a dump warns of where an argument for its client leaves something out.
#[must_use]
pub fn left_out_by(argument: &str) -> String {
    format!("{LEFT_OUT_BY}-- {}", crate::uri::redact_secrets(argument))
}

/// Whether a warning is of that kind: then a restore says so, too.
#[must_use]
pub fn is_left_out_by(warning: &str) -> bool {
    warning.starts_with(LEFT_OUT_BY)
}

/// What a dump's options choose of a database, where that is not all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// Not only rows are left out.
    pub is_part: bool,
    /// PostgreSQL: the chosen tables, views and sequences, as patterns.
    pub relations: BTreeSet<String>,
    /// PostgreSQL: those that come with their rows.
    pub with_rows: BTreeSet<String>,
    /// What is needed and not chosen.
    pub dependencies: Vec<Dependency>,
    /// PostgreSQL: partitions of chosen tables that are not chosen, with their rows.
    pub partitions: Vec<String>,
    /// What is dumped besides, since it is needed and can be: sequences, as patterns or names.
    pub added: Vec<String>,
    /// What stays out of a dump of the chosen and of all that it needs, as patterns or names.
    pub unneeded: Vec<String>,
    /// What a restore takes of such a dump: tables and schemas by name.
    pub tables: Vec<String>,
    /// The same.
    pub schemas: Vec<String>,
}
