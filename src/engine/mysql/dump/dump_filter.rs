//! Which tables a dump takes: psql's patterns, held against the tables that the probe saw.
//!
//! As in psql, `*` stands for any characters, `?` for one, a quoted part for itself, and `name.name` for database and
//! table. Names are compared as the server compares them. Other characters that a regular expression knows are
//! refused: MySQL's clients take literal names only, and a pattern that means something else here is worse than none.

use crate::engine::mysql::probe::probe_keys;
use crate::engine::{DumpOptions, Server};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;

/// What the patterns come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct TableFilter {
    /// Only these; none for all.
    pub(crate) only: Option<Vec<String>>,
    /// Not these.
    pub(crate) ignored: Vec<String>,
    /// Of these, no rows.
    pub(crate) without_rows: Vec<String>,
    /// Patterns that matched nothing, which excludes nothing.
    pub(crate) idle: Vec<String>,
}

/// Holds the patterns against the server's tables and views.
pub(crate) fn select(options: &DumpOptions, server: &Server) -> Result<TableFilter> {
    if let Some(pattern) = options.schemas.iter().chain(&options.exclude_schemas).next() {
        return Err(Error::new(Kind::Usage, format!("MySQL has no schemas inside of a database: {pattern:?}")).hint(
            Hint::new(
                "database-in-uri-tables-by-option",
                "name the database in the URI, and tables with --table, --exclude-table or --exclude-table-data",
            ),
        ));
    }
    let tables: Vec<&str> = server.tables.iter().map(|t| t.name.as_str()).collect();
    let views = probe_keys::list(server, probe_keys::VIEWS);
    let sequences = probe_keys::list(server, probe_keys::SEQUENCE_NAMES);
    let everything: Vec<&str> = tables.iter().chain(&views).chain(&sequences).copied().collect();
    let mut selection = TableFilter::default();
    if !options.tables.is_empty() {
        let mut only = Vec::new();
        for text in &options.tables {
            let found = matching(text, server, &everything)?;
            if found.is_empty() {
                catalogs(text, server)?;
                return Err(Error::new(Kind::Usage, format!("no table or view matches {text:?}")).why(format!(
                    "in database {:?}, {} tables and views",
                    server.database,
                    everything.len()
                )));
            }
            only.extend(found);
        }
        only.dedup();
        selection.only = Some(only);
    }
    for (patterns, names, into) in [
        (&options.exclude_tables, &everything, &mut selection.ignored),
        (&options.exclude_table_data, &tables, &mut selection.without_rows),
    ] {
        for text in patterns {
            let found = matching(text, server, names)?;
            if found.is_empty() {
                selection.idle.push(text.clone());
            }
            into.extend(found.into_iter().filter(|name| !into.contains(name)).collect::<Vec<_>>());
        }
    }
    selection.settle();
    selection.adopt(server, options);
    if selection.only.as_ref().is_some_and(Vec::is_empty) {
        return Err(Error::new(Kind::Usage, "--exclude-table leaves out every table that --table names"));
    }
    Ok(selection)
}

/// Refuses the tables of the server's own databases by that name.
fn catalogs(text: &str, server: &Server) -> Result<()> {
    const CATALOGS: [&str; 4] = ["mysql", "information_schema", "performance_schema", "sys"];
    let parts = parse(text)?;
    let is_meant = |catalog: &&str| *catalog != server.database && parts.len() > 1 && matches(&parts[0], catalog);
    match CATALOGS.into_iter().find(is_meant) {
        Some(catalog) => {
            let what = format!("{text:?} means database {catalog}, which is the server's own");
            Err(Error::new(Kind::Usage, what)
                .why(format!("the dump is of database {:?}", server.database))
                .hint(Hint::new("tables-of-this-database", "name tables of this database")))
        }
        None => Ok(()),
    }
}

/// Whether the options leave this one out by name.
pub(crate) fn excludes(options: &DumpOptions, server: &Server, name: &str) -> bool {
    let is_meant = |text: &String| matching(text, server, &[name]).is_ok_and(|found| !found.is_empty());
    options.exclude_tables.iter().any(is_meant)
}

impl TableFilter {
    /// Takes what the chosen part needs besides.
    fn adopt(&mut self, server: &Server, options: &DumpOptions) {
        let Some(selected) = &server.selected else { return };
        if options.with_dependencies {
            (self.only, self.ignored) = (None, selected.unneeded.clone());
        } else if let Some(only) = &mut self.only {
            only.extend(selected.added.iter().cloned());
        }
    }

    /// Leaves these out as well.
    pub(crate) fn leave_out(&mut self, names: &[&str]) {
        self.ignored.extend(
            names.iter().map(|&name| name.to_owned()).filter(|name| !self.ignored.contains(name)).collect::<Vec<_>>(),
        );
        self.settle();
    }

    /// Whether a table or view is dumped.
    pub(crate) fn includes(&self, name: &str) -> bool {
        match &self.only {
            Some(only) => only.iter().any(|table| table == name),
            None => !self.ignored.iter().any(|table| table == name),
        }
    }

    /// The tables whose rows are dumped.
    pub(crate) fn with_rows<'a>(&self, server: &'a Server) -> impl Iterator<Item = &'a str> {
        let tables = server.tables.iter().map(|table| table.name.as_str());
        tables.filter(|name| self.includes(name) && !self.without_rows.iter().any(|table| table == name))
    }

    /// A table that is left out altogether needs no other rule; one that is not taken neither.
    fn settle(&mut self) {
        if let Some(only) = &mut self.only {
            let mut seen = std::collections::BTreeSet::new();
            only.retain(|name| seen.insert(name.clone()) && !self.ignored.contains(name));
            self.ignored.clear();
            self.without_rows.retain(|name| only.contains(name));
        }
        self.without_rows.retain(|name| !self.ignored.contains(name));
    }
}

fn matching(text: &str, server: &Server, names: &[&str]) -> Result<Vec<String>> {
    let folds = server.settings.get(probe_keys::LOWER_CASE).is_some_and(|v| v != "0");
    let mut parts = parse(text)?;
    let table = parts.pop().unwrap_or_default();
    if parts.len() > 1 {
        return Err(Error::new(Kind::Usage, format!("too many dots in the pattern {text:?}")));
    }
    if parts.first().is_some_and(|database| !matches(database, &fold(&server.database, folds))) {
        return Ok(Vec::new());
    }
    let table: Vec<PatternElement> = table.into_iter().map(|p| p.fold(folds)).collect();
    Ok(names.iter().filter(|name| matches(&table, &fold(name, folds))).map(|&name| name.to_owned()).collect())
}

fn fold(name: &str, folds: bool) -> String {
    if folds { name.to_lowercase() } else { name.to_owned() }
}

/// One element of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PatternElement {
    Any,
    One,
    Literal(char),
}

impl PatternElement {
    fn fold(self, folds: bool) -> Self {
        match self {
            Self::Literal(c) if folds => Self::Literal(c.to_lowercase().next().unwrap_or(c)),
            other => other,
        }
    }
}

/// The pattern's parts between dots.
fn parse(text: &str) -> Result<Vec<Vec<PatternElement>>> {
    let refuse = |why: &str| {
        Err(Error::new(Kind::Usage, format!("the pattern {text:?} can't be used with MySQL")).why(why).hint(Hint::new(
            "what-a-pattern-means",
            "* stands for any characters, ? for one; put a name with other characters in double quotes",
        )))
    };
    let (mut parts, mut quote) = (vec![Vec::new()], None);
    // Patterns are anchored anyway.
    let text = text.strip_prefix('^').unwrap_or(text);
    for c in text.chars() {
        let last = parts.len() - 1;
        match (quote, c) {
            (Some(q), _) if c == q => quote = None,
            (None, '"' | '`') => quote = Some(c),
            (None, '*') => parts[last].push(PatternElement::Any),
            (None, '?') => parts[last].push(PatternElement::One),
            (None, '.') => parts.push(Vec::new()),
            (None, '|' | '[' | ']' | '(' | ')' | '+' | '{' | '}' | '^' | '\\') => {
                return refuse(&format!("{c:?} belongs to a regular expression"));
            }
            (Some(_) | None, _) => parts[last].push(PatternElement::Literal(c)),
        }
    }
    if quote.is_some() {
        return refuse("a quote is not closed");
    }
    if parts.iter().any(Vec::is_empty) {
        return refuse("a part of it is empty");
    }
    Ok(parts)
}

/// Whether the whole name matches; never worse than quadratic.
fn matches(pattern: &[PatternElement], name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n, mut retry) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some(PatternElement::Any) => {
                retry = Some((p, n));
                p += 1;
            }
            Some(part) if *part == PatternElement::One || *part == PatternElement::Literal(name[n]) => {
                (p, n) = (p + 1, n + 1);
            }
            _ => match &mut retry {
                Some((star, from)) => {
                    *from += 1;
                    (p, n) = (*star + 1, *from);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|part| *part == PatternElement::Any)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::mysql::test_fixtures::{server, strings};
    use crate::engine::{Flavour, Version};

    fn matched(pattern: &str) -> Vec<String> {
        let server = server(Flavour::MYSQL, Version::new(9, 7, 4));
        matching(pattern, &server, &["users", "user_logs", "Orders", "a.b", "log"]).expect("a pattern")
    }

    #[test]
    fn patterns_mean_what_psql_means() {
        assert_eq!(matched("user*"), ["users", "user_logs"]);
        assert_eq!(matched("^user?"), ["users"]);
        assert_eq!(matched("*log*"), ["user_logs", "log"]);
        assert_eq!(matched("shop.log"), ["log"]);
        assert_eq!(matched("other.log"), Vec::<String>::new());
        assert_eq!(matched("\"a.b\""), ["a.b"]);
        assert_eq!(matched("orders"), Vec::<String>::new());
        assert_eq!(matched("*"), ["users", "user_logs", "Orders", "a.b", "log"]);
        for bad in ["a|b", "[ab]", "a..b", "\"a", ""] {
            assert_eq!(parse(bad).expect_err(bad).kind, Kind::Usage);
        }
    }

    #[test]
    fn rules_are_settled_before_the_client_sees_them() {
        let server = server(Flavour::MYSQL, Version::new(9, 7, 4));
        let options = DumpOptions {
            tables: strings(&["*"]),
            exclude_tables: strings(&["logs", "nothing"]),
            exclude_table_data: strings(&["logs", "users"]),
            ..DumpOptions::default()
        };
        let selection = select(&options, &server).expect("selected");
        assert_eq!(selection.only, Some(strings(&["orders", "users", "recent"])));
        assert_eq!((selection.ignored, selection.without_rows), (vec![], strings(&["users"])));
        assert_eq!(selection.idle, ["nothing"]);
        let none = DumpOptions { tables: strings(&["nothing"]), ..DumpOptions::default() };
        assert_eq!(select(&none, &server).expect_err("no match").kind, Kind::Usage);
        let schema = DumpOptions { exclude_schemas: strings(&["x"]), ..DumpOptions::default() };
        assert_eq!(select(&schema, &server).expect_err("no schemas").kind, Kind::Usage);
    }
}
