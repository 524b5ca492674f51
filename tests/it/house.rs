//! What a program can check of how the code is kept: see docs/architecture.md.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a folder that end so.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![root().join(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            match () {
                () if path.is_dir() => folders.push(path),
                () if path.extension().is_some_and(|is| is == extension) => found.push(path),
                () => {}
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no .{extension}");
    found
}

#[test]
fn no_file_is_longer_than_600_lines() {
    const MAX_LINES: usize = 600;
    let lines = |path: &PathBuf| fs::read_to_string(path).expect("read").lines().count();
    let all = [files("src", "rs"), files("tests", "rs")].concat();
    let long: Vec<_> = all.iter().map(|path| (lines(path), path)).filter(|(lines, _)| *lines > MAX_LINES).collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn files_that_the_docs_name_exist() {
    let mut named = 0;
    for path in [files("docs", "md"), vec![root().join("README.md"), root().join("SECURITY.md")]].concat() {
        let text = fs::read_to_string(&path).expect("read");
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "/_.-".contains(c)));
        let sources = words
            .map(|word| word.trim_end_matches(['.', '/']))
            .filter(|word| ["src/", "tests/", "scripts/", "fixtures/"].iter().any(|folder| word.starts_with(folder)));
        for source in sources {
            named += 1;
            assert!(root().join(source).exists(), "{} names {source}", path.display());
        }
    }
    assert!(named > 20, "{named}");
}
