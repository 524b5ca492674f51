//! The failures of `docs/failure-modes.md`, made to happen. Many stand with their kind in other files: all of them are
//! named after their number, `row_01_` to `row_60_` and `surprise_01_` to `surprise_12_`.

mod clients;
mod extensions;
mod files;
mod mysql;
mod network;
mod objects;
mod pooler;
mod standby;
mod surprises;
mod targets;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::support::{Database, Server, root};

/// A role of a test's own, gone with the value. Databases that it owns must be gone before.
struct Role<'s> {
    server: &'s Server,
    name: String,
}

impl<'s> Role<'s> {
    /// `options` as in `CREATE ROLE`. The name is unique: roles belong to the whole server.
    fn new(server: &'s Server, of: &str, options: &str) -> Self {
        let name = format!("dbhaul_it_{of}_{}", std::process::id());
        server.sql(&format!("CREATE ROLE {name} LOGIN PASSWORD 'pw' {options}"));
        Self { server, name }
    }

    fn uri(&self, database: &Database<'_>) -> String {
        self.server.uri_as(&self.name, "pw", database.name())
    }
}

impl Drop for Role<'_> {
    fn drop(&mut self) {
        self.server.sql(&format!("DROP ROLE IF EXISTS {}", self.name));
    }
}

/// One of the vendor's programs at work, to see what it does by itself: whether it ended well, and its stderr.
fn vendor(command: &mut Command) -> (bool, String) {
    let Output { status, stderr, .. } = command.output().expect("run the vendor's program");
    (status.success(), String::from_utf8_lossy(&stderr).into_owned())
}

/// Every `.rs` file below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The names of all functions and of all tests that macros make, which are the words before a colon.
fn words_of_sources() -> BTreeSet<String> {
    let mut files = Vec::new();
    let root = root();
    for folder in ["src", "tests"] {
        sources(&root.join(folder), &mut files);
    }
    let mut words = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("read a source");
        for line in text.lines().map(str::trim_start) {
            let name = line.strip_prefix("fn ").or_else(|| line.strip_prefix("async fn ")).unwrap_or(line);
            let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
            if end > 0 && name[end..].starts_with(['(', ':']) {
                words.insert(name[..end].to_owned());
            }
        }
    }
    words
}

/// `12` and `S 3` of the headings, with the text below each.
fn blocks(page: &str) -> BTreeMap<String, String> {
    let mut blocks = BTreeMap::new();
    for part in page.split("\n## ").skip(1) {
        let (heading, text) = part.split_once('\n').expect("a text below the heading");
        let (number, symptom) = heading.split_once(". ").unwrap_or_else(|| panic!("no number: {heading}"));
        assert!(!symptom.is_empty(), "{heading}");
        assert!(blocks.insert(number.to_owned(), text.to_owned()).is_none(), "twice: {heading}");
    }
    blocks
}

#[test]
fn every_failure_of_the_page_has_a_test_or_says_why_not() {
    let page = root().join("docs/failure-modes.md");
    let blocks = blocks(&fs::read_to_string(page).expect("docs/failure-modes.md"));
    let known = words_of_sources();
    let rows = (1..=60).map(|n| (n.to_string(), format!("row_{n:02}_")));
    let surprises = (1..=12).map(|n| (format!("S {n}"), format!("surprise_{n:02}_")));
    let patterns = [("P 1".to_owned(), "patterns_".to_owned())];
    let mut wrong = Vec::new();
    for (number, prefix) in rows.chain(surprises).chain(patterns) {
        let Some(text) = blocks.get(&number) else {
            wrong.push(format!("{number}: not on the page"));
            continue;
        };
        // What stands between backquotes, if it is a test's name.
        let quoted: BTreeSet<&str> = text.split('`').skip(1).step_by(2).collect();
        let named = quoted.iter().filter(|word| ["row_", "surprise_", "patterns_"].iter().any(|p| word.starts_with(p)));
        wrong.extend(named.filter(|word| !known.contains(**word)).map(|word| format!("{number}: no test {word}")));
        let own = quoted.iter().any(|word| word.starts_with(&prefix));
        if !own && !text.lines().any(|line| line.starts_with("Not tested: ")) {
            wrong.push(format!("{number}: names no test {prefix}..., and does not say \"Not tested: why\""));
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "\n{}", wrong.join("\n"));
}
