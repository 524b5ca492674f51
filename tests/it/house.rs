//! What a program can check of how the code is kept: see docs/architecture.md.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use crate::support::{files, root, sources};

#[test]
fn no_file_is_longer_than_600_lines() {
    const MAX_LINES: usize = 600;
    let all = [sources("src"), sources("tests")].concat();
    assert!(all.len() > 100, "{}", all.len());
    let lengths = all.iter().map(|(path, text)| (path, text.lines().count()));
    let long: Vec<_> = lengths.filter(|(_, lines)| *lines > MAX_LINES).collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn files_that_the_docs_name_exist() {
    let root = root();
    let pages =
        ["README.md", "SECURITY.md"].map(|name| (name.to_owned(), fs::read_to_string(root.join(name)).expect("read")));
    let mut named = 0;
    for (page, text) in files("docs", "md").into_iter().chain(pages) {
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "/_.-".contains(c)));
        let sources = words
            .map(|word| word.trim_end_matches(['.', '/']))
            .filter(|word| ["src/", "tests/", "scripts/", "fixtures/"].iter().any(|folder| word.starts_with(folder)));
        for source in sources {
            named += 1;
            assert!(root.join(source).exists(), "{page} names {source}");
        }
    }
    assert!(named > 20, "{named}");
}

/// What of a file is compiled into the program: no comments, no unit tests.
fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..end].lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
}

fn is_of_tests(path: &str) -> bool {
    ["tests", "test_", "conformance"].iter().any(|word| path.contains(word))
}

/// The words of code, `::` among them as a word of its own.
fn words(code: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let length = match first {
            _ if rest.starts_with("::") => 2,
            c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        words.push(&rest[..length]);
        rest = &rest[length..];
    }
    words
}

#[test]
fn modules_make_no_circle() {
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in sources("src") {
        let path = path.strip_prefix("src/").unwrap_or(&path);
        if is_of_tests(path) {
            continue;
        }
        let module = path.split(['/', '.']).next().unwrap_or_default().to_owned();
        let code = code(&text);
        let used = words(&code)
            .windows(3)
            .filter(|w| w[0] == "crate" && w[1] == "::")
            .map(|w| w[2].to_owned())
            .collect::<Vec<_>>();
        uses.entry(module.clone()).or_default().extend(used.into_iter().filter(|other| *other != module));
    }
    assert!(uses.values().map(BTreeSet::len).sum::<usize>() > 100, "{uses:?}");
    // Modules that use nothing which is left are taken away; a circle stays.
    while let Some(done) =
        uses.iter().find(|(_, of)| of.iter().all(|other| !uses.contains_key(other))).map(|(name, _)| name.clone())
    {
        uses.remove(&done);
    }
    assert!(uses.is_empty(), "modules that use each other: {uses:?}");
}

#[test]
fn an_engine_is_named_in_its_own_folder_and_where_engines_are_registered() {
    // The last one, and the types that mod.rs hands on, are of parallel dumps, whose mechanisms will be one.
    const MAY: [&str; 4] =
        ["src/dialect.rs", "src/engine/registry.rs", "src/engine/mod.rs", "src/engine/dump_snapshot.rs"];
    let is_engines = |w: &[&str]| {
        let is_row = w[2].len() > 1 && w[2].bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        w[1] == "::"
            && (["mysql", "postgres"].contains(&w[0]) || ["Dialect", "Flavour", "Format"].contains(&w[0]) && is_row)
    };
    let mut named = Vec::new();
    for (path, text) in sources("src") {
        let own = ["src/engine/mysql/", "src/engine/postgres/"].iter().any(|folder| path.starts_with(folder));
        if own || is_of_tests(&path) || MAY.contains(&path.as_str()) {
            continue;
        }
        let code = code(&text);
        named.extend(words(&code).windows(3).filter(|w| is_engines(w)).map(|w| format!("{path}: {}", w.concat())));
    }
    assert!(named.is_empty(), "{named:#?}");
}
