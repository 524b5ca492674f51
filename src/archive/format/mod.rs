//! What stands in an archive: the manifest, the index, checksums, and how a file begins.

pub(super) mod crc;
pub(super) mod index;
pub(super) mod manifest;
pub(super) mod sniff;
pub(super) mod text;
