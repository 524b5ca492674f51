//! Reads archives: dbhaul's own, and any tar, zip or compressed file.

pub(super) mod ahead;
pub(super) mod beginning;
pub(super) mod candidates;
pub(super) mod decompress;
pub(super) mod extract;
pub(super) mod input;
pub(super) mod object;
pub(super) mod parts;
pub(super) mod reader;
pub(super) mod tar_reader;
pub(super) mod verify;
pub(super) mod zip_reader;
