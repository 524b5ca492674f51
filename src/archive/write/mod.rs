//! Writes an archive in one pass, with several encoder threads.

pub(super) mod encode;
pub(super) mod header;
pub(super) mod output;
pub(super) mod part_writer;
pub(super) mod writer;
