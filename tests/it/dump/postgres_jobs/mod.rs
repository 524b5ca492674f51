//! Dumps by several jobs: one snapshot, one archive in lanes, every promise of the dump by one.

mod by_hand;
mod ends;
mod memory;
pub mod moment;
mod trips;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{
    roundtrip::dumped,
    support::{Database, names},
};

/// Tables of about so many rows each, with what stands around tables.
pub fn tables(database: &Database<'_>, count: u32, rows: u32) {
    let mut sql = String::new();
    for n in 1..=count {
        sql += &format!(
            "CREATE TABLE t{n} (id int PRIMARY KEY, other int, v text NOT NULL);
             INSERT INTO t{n} SELECT i, i % 7, md5(i::text || '{n}') FROM generate_series(1, {rows} * {n}) i;
             CREATE INDEX ON t{n} (other);"
        );
    }
    database.sql(&sql);
}

/// The archive of a dump by so many jobs.
fn dumped_by(database: &Database<'_>, folder: &TempDir, jobs: &str, args: &[&str]) -> PathBuf {
    dumped(database, folder, &[&["--jobs", jobs], args].concat()).0
}

/// The lanes of an archive, in the order in which their parts stand in it.
fn lanes(archive: &Path) -> Vec<usize> {
    let manifest = crate::roundtrip::manifest(archive);
    let members = manifest["members"].as_array().expect("members").iter();
    let lane = |path: &str| {
        let (rest, number) = path.rsplit_once('.').expect("a number");
        assert_eq!(number.len(), 6, "{path}");
        rest.rsplit_once('.').expect("a lane").1.parse().expect("a number")
    };
    members.map(|member| lane(member["path"].as_str().expect("a path"))).collect()
}

/// Nothing is in the folder.
fn assert_empty(folder: &TempDir) {
    assert_eq!(names(folder.path()), [""; 0]);
}
