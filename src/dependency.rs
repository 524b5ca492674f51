//! What a part of a database needs and does not hold.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What a needing constraint is called, where a restore can do without it.
const FOREIGN_KEY: &str = "fk constraint ";

/// Something that a part of a database needs and does not hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dependency {
    /// What it is: `sequence`, `type`, `function`, `extension`, `schema`.
    pub kind: String,
    /// Its schema, where it is in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Its name; of a function with the types of its arguments.
    pub name: String,
    /// What needs it: `table public.orders`, `fk constraint public.orders orders_user_id_fkey`.
    #[serde(default)]
    pub needed_by: BTreeSet<String>,
}

/// `sequence public.numbers`
impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{} {schema}.{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

impl Dependency {
    /// Whether only foreign keys need it: a restore leaves these out.
    #[must_use]
    pub fn is_of_foreign_keys(&self) -> bool {
        self.needed_by.iter().all(|by| by.starts_with(FOREIGN_KEY))
    }

    /// What needs it and can't be left out, or else all of it.
    fn needing(&self) -> Vec<&str> {
        let all = || self.needed_by.iter().map(String::as_str);
        let hard: Vec<_> = all().filter(|by| !by.starts_with(FOREIGN_KEY)).collect();
        if hard.is_empty() { all().collect() } else { hard }
    }

    /// For people: `sequence public.numbers, which table public.orders needs`.
    #[must_use]
    pub fn sentence(&self) -> String {
        const SHOWN: usize = 3;
        let needing = self.needing();
        let more = if needing.len() > SHOWN { ", ..." } else { "" };
        let verb = if needing.len() == 1 { "needs" } else { "need" };
        format!("{self}, which {}{more} {verb}", needing[..needing.len().min(SHOWN)].join(", "))
    }
}

/// As many dependencies are named one by one.
const NAMED: usize = 20;

/// Each as a sentence, the first of them.
#[must_use]
pub fn sentences(dependencies: &[Dependency]) -> Vec<String> {
    let mut lines: Vec<_> = dependencies.iter().take(NAMED).map(Dependency::sentence).collect();
    if dependencies.len() > NAMED {
        lines.push(format!("and {} more", dependencies.len() - NAMED));
    }
    lines
}
