//! Dumps that cross versions and flavours: what comes out of each server goes into each other one of its family, or is
//! refused by name before the target is touched.

mod mysql;
mod postgres;

use std::path::PathBuf;

use tempfile::TempDir;

use crate::support::{Database, Dbhaul, Flavour, Output, dbhaul};

/// A dump of a database by its server's own clients.
fn dump(source: &Database<'_>, folder: &TempDir, args: &[&str]) -> PathBuf {
    crate::roundtrip::dumped(source, folder, args).0
}

/// A dbhaul about to restore, with the clients of target and source at hand.
fn restore(archive: &PathBuf, target: &Database<'_>, source: Flavour) -> Dbhaul {
    let own = [target.server().client_dir(), source.client_dir()];
    let path = std::env::var_os("PATH").expect("PATH");
    let folders = std::env::join_paths(own.into_iter().chain(std::env::split_paths(&path))).expect("no colons");
    dbhaul().env("PATH", folders).args(["restore", "--json"]).arg(archive).arg(target.uri())
}

/// A restore that must be refused with all of these words and leave an empty target.
#[track_caller]
fn refused(archive: &PathBuf, target: &Database<'_>, source: Flavour, words: &[&str]) -> Output {
    let output = restore(archive, target, source).run().expect_code(10);
    assert_untouched(target, &output);
    for word in words {
        assert!(output.stderr.contains(word), "no {word:?} in:\n{}", output.stderr);
    }
    output
}

#[track_caller]
fn assert_untouched(target: &Database<'_>, output: &Output) {
    assert!(output.stderr.contains("nothing was changed"), "{}", output.stderr);
    let count = if target.server().flavour().is_postgres() {
        "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
         WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
    } else {
        "SELECT (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()) + \
         (SELECT COUNT(*) FROM information_schema.routines WHERE routine_schema = DATABASE())"
    };
    assert_eq!(target.sql(count), "0", "{}", output.stderr);
}

/// A table for docs/compatibility.md: a row for each source, a column for each target.
fn table(flavours: &[Flavour], title: &str, cell: impl Fn(Flavour, Flavour) -> String) -> String {
    let columns = flavours.iter().map(|f| format!(" {} |", f.version())).collect::<String>();
    let mut text = format!("| {title} |{columns}\n|---|{}\n", "---|".repeat(flavours.len()));
    for &source in flavours {
        let cells = flavours.iter().map(|&target| format!(" {} |", cell(source, target))).collect::<String>();
        text.push_str(&format!("| {} |{cells}\n", source.name()));
    }
    text
}
