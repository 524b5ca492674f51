//! Which hints are followed by a test: `docs/hints.md`. `DBHAUL_REWRITE=1` writes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::support::{assert_section, made_hints, sources};

/// Hints that name a cause or a fact, and nothing to do for whoever reads them.
const STATES_ONLY: &[&str] = &[
    "archive-means-to-exhaust",
    "binary-data-as-text",
    "commands-not-run",
    "connection-was-lost",
    "disk-is-full",
    "dmesg-says-why-read-only",
    "dump-holds-both-rows",
    "gtids-left-out",
    "host-never-answered",
    "hung-up",
    "index-too-long",
    "is-it-postgresql",
    "made-twice",
    "network-went-away",
    "no-line-in-pg-hba",
    "no-password",
    "no-schema-matches",
    "no-table-matches",
    "nothing-published",
    "older-pg-restore",
    "out-of-memory",
    "place-hung-up",
    "program-behind-the-pipe",
    "read-by-that-dbhaul",
    "servers-disk-is-full",
    "servers-log-may-say-more",
    "servers-log-says-why",
    "session-was-ended",
    "socket-of-others",
    "target-demands-primary-keys",
    "unknown-setting",
    "wanted-file-or-folder",
    "wanted-formats",
    "went-away",
    "what-a-pattern-means",
    "what-a-report-needs",
    "what-a-tunnel-command-prints",
    "whose-disk-is-full",
];

/// As many characters of a hint are shown.
const SHOWN: usize = 90;

/// Where each hint is followed: the test's file and function. A function that calls `follows` may have the name from a table
/// of its own.
fn followed(names: &BTreeSet<&str>) -> BTreeMap<String, BTreeSet<String>> {
    let mut followed = BTreeMap::<String, BTreeSet<String>>::new();
    for (file, text) in sources("tests").into_iter().filter(|(file, _)| !file.ends_with("/guard.rs")) {
        let file = file.trim_start_matches("tests/it/").trim_end_matches(".rs");
        for (function, body) in functions(&text) {
            let direct = body.split(".follows(\"").skip(1).filter_map(|rest| rest.split('"').next());
            let in_tables = body.split('"').filter(|word| word.contains('-') && names.contains(word));
            for name in direct.chain(in_tables.filter(|_| body.contains(".follows("))) {
                followed.entry(name.to_owned()).or_default().insert(format!("`{file}`: {function}"));
            }
        }
    }
    followed
}

/// The functions of a file that stand by themselves or in an `impl`: names and texts.
fn functions(text: &str) -> Vec<(&str, &str)> {
    let starts = text.match_indices("fn ").filter(|(at, _)| {
        let line = text[..*at].rfind('\n').map_or(0, |end| end + 1);
        let before = text[line..*at].trim_start_matches("    ");
        ["", "pub ", "pub(super) "].contains(&before)
    });
    let starts: Vec<usize> = starts.map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let function = |(start, end): (usize, usize)| {
        let body = &text[start..end];
        (body[3..].split(['(', '<']).next().unwrap_or_default(), body)
    };
    starts.iter().copied().zip(ends).map(function).collect()
}

/// A hint's text as a cell.
fn shown(text: &str) -> String {
    let text = text.replace('|', "\\|").replace("{{", "{").replace("}}", "}");
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None if text.is_empty() => "(words that stand elsewhere)".to_owned(),
        None => text,
    }
}

#[test]
fn every_hint_has_one_name_and_the_table_says_which_test_follows_it() {
    let made = made_hints();
    let mut wrong = Vec::new();
    let mut names = BTreeSet::new();
    for hint in made {
        let kebab = hint.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !kebab || hint.name.is_empty() {
            wrong.push(format!("{}: {:?} is no name in kebab-case", hint.file, hint.name));
        }
        if !names.insert(hint.name.as_str()) {
            wrong.push(format!("{}: {} is the name of two hints: one function makes it", hint.file, hint.name));
        }
    }
    let followed = followed(&names);
    let mut texts = BTreeMap::new();
    for hint in made.iter().filter(|hint| !hint.text.is_empty()) {
        if let Some(other) = texts.insert(&hint.text, &hint.name) {
            wrong.push(format!("{}: {} says what {other} says: one constant is enough", hint.file, hint.name));
        }
    }
    let unknown = followed.keys().filter(|name| !names.contains(name.as_str()));
    wrong.extend(unknown.map(|name| format!("{name} is followed by a test, and no hint has that name")));
    let unknown = STATES_ONLY.iter().filter(|name| !names.contains(**name));
    wrong.extend(unknown.map(|name| format!("{name} is listed as a statement, and no hint has that name")));
    let both = STATES_ONLY.iter().filter(|name| followed.contains_key(**name));
    wrong.extend(both.map(|name| format!("{name} is listed as a statement, and a test follows it")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let mut rows: Vec<_> = made.iter().collect();
    rows.sort_by_key(|hint| &hint.name);
    let (mut stated, mut without) = (0, 0);
    let mut table = "| name | what it says | the test that follows it |\n|---|---|---|\n".to_owned();
    for hint in &rows {
        let by = match followed.get(&hint.name) {
            Some(tests) => tests.iter().map(String::as_str).collect::<Vec<_>>().join("; "),
            None if STATES_ONLY.contains(&hint.name.as_str()) => {
                stated += 1;
                "states only".to_owned()
            }
            None => {
                without += 1;
                "no test yet".to_owned()
            }
        };
        let _ = writeln!(table, "| {} | {} | {by} |", hint.name, shown(&hint.text));
    }
    let count = rows.len();
    let by_tests = count - stated - without;
    let head =
        format!("{count} hints: {by_tests} followed by a test, {stated} that state only, {without} without a test.");
    assert_section("docs/hints.md", "hints", &format!("{head}\n\n{table}"));
}
