//! Reads dumps in each format of `pg_dump`: plain, custom, directory.

pub(super) mod content;
#[cfg(test)]
pub(super) mod content_tests;
pub(super) mod custom;
pub(super) mod database_entries;
pub(super) mod definition;
pub(super) mod directory;
pub(super) mod dump_lines;
pub(super) mod encoding;
pub(super) mod inflate;
pub(super) mod large_objects;
pub(super) mod lz4;
pub(super) mod name_index;
pub(super) mod plain;
pub(super) mod rows;
pub(super) mod sections;
pub(super) mod toc;
pub(super) mod untrusted;
