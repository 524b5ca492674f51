//! What a program can check of how the code is kept: see docs/architecture.md.

use std::fs;

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
