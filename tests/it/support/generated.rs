//! Documents that a test writes: a section between two markers must be what the test finds.
//!
//! `DBHAUL_REWRITE=1` in the environment of a test run writes the section instead of comparing it. `DBHAUL_SWEEP=1`, which
//! `scripts/sweep.sh` sets, fills every cell of a table of which a test run tries a part.

use std::{
    fs,
    sync::{Mutex, PoisonError},
};

use super::root;

/// Every cell of a generated table is tried, and not some of them.
pub fn sweeping() -> bool {
    ["DBHAUL_SWEEP", "DBHAUL_REWRITE"].iter().any(|name| std::env::var_os(name).is_some_and(|value| value == "1"))
}

/// The cells of the table in a section, row by row, without its heads; the first row's are the heads.
pub fn table_of_section(file: &str, name: &str) -> Vec<Vec<String>> {
    let path = root().join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
    let (_, rest) = text.split_once(&format!("<!-- {name}: generated -->\n")).expect("the section's start");
    let (found, _) = rest.split_once(&format!("<!-- {name}: end -->")).expect("the section's end");
    let rows = found.lines().filter(|line| line.starts_with('|') && !line.starts_with("|---"));
    rows.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// Writes what stands between the markers.
pub fn write_section(file: &str, name: &str, text: &str) {
    section(file, name, text, true);
}

/// Compares, or rewrites, what stands between `<!-- NAME: generated -->` and `<!-- NAME: end -->` in a file of the
/// repository (`docs/compatibility.md`).
pub fn assert_section(file: &str, name: &str, wanted: &str) {
    section(file, name, wanted, std::env::var_os("DBHAUL_REWRITE").is_some_and(|value| value == "1"));
}

fn section(file: &str, name: &str, wanted: &str, writes: bool) {
    // Sections of one file are written by several tests.
    static WRITING: Mutex<()> = Mutex::new(());
    let _guard = WRITING.lock().unwrap_or_else(PoisonError::into_inner);

    let path = root().join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
    let (start, end) = (format!("<!-- {name}: generated -->\n"), format!("<!-- {name}: end -->"));
    let (before, rest) = text.split_once(&start).unwrap_or_else(|| panic!("no {start:?} in {file}"));
    let (found, after) = rest.split_once(&end).unwrap_or_else(|| panic!("no {end:?} in {file}"));
    let wanted = format!("\n{}\n\n", wanted.trim());
    if found == wanted {
        return;
    }
    if writes {
        fs::write(&path, format!("{before}{start}{wanted}{end}{after}")).expect("rewrite the section");
        return;
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (old, new) = (lines(found), lines(&wanted));
    let differing = |these: &[String], those: &[String], mark: &str| {
        these.iter().filter(|line| !those.contains(line)).map(|line| format!("{mark} {line}\n")).collect::<String>()
    };
    panic!(
        "section {name} of {file} is not what this run found; see the file's head for how to rewrite it\n{}{}",
        differing(&old, &new, "-"),
        differing(&new, &old, "+"),
    );
}
