//! What a hint tells to do works: each test gets into the situation, follows the hint to the letter, and ends well.

use std::path::{Path, PathBuf};

use crate::roundtrip::with_clients_of;
use crate::support::{Database, Output};

mod command_line;
mod files;
mod guard;
mod login;
mod mysql;
mod postgres;
mod targets;

/// A restore of an archive.
fn restore(archive: &Path, target: &Database<'_>, options: &[&str]) -> Output {
    with_clients_of(target.server()).arg("restore").arg(archive).arg(target.uri()).args(options).run()
}

/// A dump of a database, as it is now.
fn dump(source: &Database<'_>, folder: &tempfile::TempDir, name: &str) -> PathBuf {
    let path = folder.path().join(name);
    with_clients_of(source.server()).args(["dump", &source.uri(), "-o"]).arg(&path).run().expect_code(0);
    path
}

/// A dump of a database, and the folder that it is in.
fn dump_of(source: &Database<'_>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = dump(source, &folder, "archive.tar.gz");
    (folder, path)
}

/// What stands between two pieces of text on stderr.
fn between(output: &Output, before: &str, after: &str) -> String {
    let (_, rest) = output.stderr.split_once(before).unwrap_or_else(|| panic!("{before:?} in:\n{}", output.stderr));
    rest.split(after).next().expect("text").trim().to_owned()
}
