//! What `SHOW GRANTS` says of one database. Reading it is the one way that also shows roles, and that needs no right.

use std::collections::{BTreeMap, BTreeSet};

/// Rights on one database, in lower case (`lock tables`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grants {
    rights: BTreeSet<String>,
    /// Rights on one table, view or routine, by its name.
    parts: BTreeMap<String, BTreeSet<String>>,
}

/// What `ALL PRIVILEGES` on a database stands for, as far as a dump or restore needs it.
const ON_DATABASE: &[&str] = &[
    "select",
    "insert",
    "update",
    "delete",
    "create",
    "drop",
    "references",
    "index",
    "alter",
    "create temporary tables",
    "lock tables",
    "execute",
    "create view",
    "show view",
    "create routine",
    "alter routine",
    "event",
    "trigger",
    "show create routine",
];
/// What it stands for on everything, beside these.
const ON_EVERYTHING: &[&str] =
    &["super", "process", "reload", "show_routine", "set_any_definer", "set_user_id", "replication client"];

/// What holds the table of all users' routines, which MySQL 8 has no longer.
const HOLD_PROC: [&str; 3] = ["*.* ", "`mysql`.* ", "`mysql`.`proc` "];
/// What SELECT there counts as, beside what it is for this database.
pub(crate) const SELECT_OF_PROC: &str = "select of mysql.proc";

impl Grants {
    /// Reads the lines. Grants on a role that is not active don't show up in them.
    pub(crate) fn read(lines: &[String], database: &str) -> Self {
        let mut grants = Self::default();
        for line in lines {
            if let Some(rest) = line.strip_prefix("GRANT ") {
                grants.grant(rest, database);
            } else if let Some(rest) = line.strip_prefix("REVOKE ") {
                // Partial revokes take a right on one database away again.
                if let Some((rights, on)) = split(rest)
                    && Scope::of(on, database) == Scope::Database
                {
                    for right in names(rights) {
                        grants.rights.remove(&right);
                    }
                }
            }
        }
        grants
    }

    fn grant(&mut self, rest: &str, database: &str) {
        let Some((rights, on)) = split(rest) else { return };
        if HOLD_PROC.iter().any(|place| on.starts_with(place))
            && names(rights).any(|right| ["select", "all privileges", "all"].contains(&&*right))
        {
            self.rights.insert(SELECT_OF_PROC.to_owned());
        }
        let scope = Scope::of(on, database);
        let own = match &scope {
            Scope::Elsewhere => return,
            Scope::Part(name) => self.parts.entry(name.clone()).or_default(),
            Scope::Everything | Scope::Database => &mut self.rights,
        };
        for right in names(rights) {
            if right == "all privileges" || right == "all" {
                let everything = if scope == Scope::Everything { ON_EVERYTHING } else { &[] };
                own.extend(ON_DATABASE.iter().chain(everything).map(|&r| r.to_owned()));
            }
            own.insert(right);
        }
    }

    /// Whether this right is there.
    pub(crate) fn has(&self, right: &str) -> bool {
        self.rights.contains(right)
    }

    /// Whether this right is there on one table or view, by whichever grant.
    pub(crate) fn has_on(&self, name: &str, right: &str) -> bool {
        self.has(right) || self.parts.get(name).is_some_and(|rights| rights.contains(right))
    }

    /// All on the database.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.rights.iter().map(String::as_str)
    }
}

/// `SELECT, INSERT (a, b)` and `` `shop`.* TO ... ``
fn split(rest: &str) -> Option<(&str, &str)> {
    rest.split_once(" ON ")
}

/// The rights' names; those on columns count as none.
fn names(rights: &str) -> impl Iterator<Item = String> {
    let mut depth = 0_u32;
    let parts = rights.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    parts
        .map(|right| right.trim().to_ascii_lowercase())
        .filter(|right| !right.contains('('))
        .collect::<Vec<_>>()
        .into_iter()
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Scope {
    Everything,
    Database,
    /// A table or routine of the database, by name.
    Part(String),
    Elsewhere,
}

impl Scope {
    /// What `` `sh%`.* TO ... `` covers.
    fn of(on: &str, database: &str) -> Self {
        if on.starts_with("*.*") {
            return Self::Everything;
        }
        let on = ["TABLE ", "FUNCTION ", "PROCEDURE "].iter().find_map(|kind| on.strip_prefix(kind)).unwrap_or(on);
        let Some((pattern, rest)) = backticked(on) else { return Self::Elsewhere };
        if rest.starts_with(".*") {
            if like(&pattern, database) { Self::Database } else { Self::Elsewhere }
        } else if pattern == database
            && let Some((name, _)) = rest.strip_prefix('.').and_then(backticked)
        {
            Self::Part(name)
        } else {
            Self::Elsewhere
        }
    }
}

/// The name at the start, and what follows.
fn backticked(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('`')?;
    let mut name = String::new();
    loop {
        let (part, after) = rest.split_once('`')?;
        name.push_str(part);
        match after.strip_prefix('`') {
            Some(more) => {
                name.push('`');
                rest = more;
            }
            None => return Some((name, after)),
        }
    }
}

/// SQL's `LIKE`, which databases in grants are compared by.
fn like(pattern: &str, name: &str) -> bool {
    fn go(pattern: &[char], name: &[char]) -> bool {
        match pattern {
            [] => name.is_empty(),
            ['%', rest @ ..] => (0..=name.len()).any(|skip| go(rest, &name[skip..])),
            ['\\', c, rest @ ..] => name.first() == Some(c) && go(rest, &name[1..]),
            [c, rest @ ..] => name.first().is_some_and(|n| *c == '_' || c == n) && go(rest, &name[1..]),
        }
    }
    go(&pattern.chars().collect::<Vec<_>>(), &name.chars().collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Grants {
        Grants::read(&lines.iter().map(|&l| l.to_owned()).collect::<Vec<_>>(), "my_shop")
    }

    #[test]
    fn the_table_of_routines_is_read_by_each_grant_that_covers_it() {
        for (on, reads) in [("`mysql`.`proc`", true), ("`mysql`.*", true), ("*.*", true), ("`mysql`.`user`", false)] {
            let rights = read(&[&format!("GRANT SELECT ON {on} TO `app`@`%`")]);
            assert_eq!(rights.has(SELECT_OF_PROC), reads, "{on}");
        }
    }

    #[test]
    fn rights_of_all_scopes() {
        let all = read(&["GRANT USAGE ON *.* TO `app`@`%`", "GRANT ALL PRIVILEGES ON `my\\_shop`.* TO `app`@`%`"]);
        assert!(all.has("trigger") && all.has("lock tables") && !all.has("super"));
        let root = read(&[
            "GRANT SELECT, SUPER ON *.* TO `root`@`localhost` WITH GRANT OPTION",
            "GRANT SET_ANY_DEFINER ON *.* TO x",
        ]);
        assert!(root.has("select") && root.has("super") && root.has("set_any_definer") && !root.has("insert"));
        let some = read(&["GRANT SELECT (`a`, `b`), INSERT ON `my_sho_`.* TO x", "GRANT SELECT ON `my_shop`.`t` TO x"]);
        assert!(some.has("insert") && !some.has("select"));
        assert!(some.has_on("t", "select") && some.has_on("t", "insert") && !some.has_on("u", "select"));
        assert_eq!(read(&["GRANT ALL PRIVILEGES ON `other`.* TO x", "GRANT `r`@`%` TO x"]), Grants::default());
        assert!(!read(&["GRANT SELECT, INSERT ON *.* TO x", "REVOKE SELECT ON `my_shop`.* FROM x"]).has("select"));
    }
}
