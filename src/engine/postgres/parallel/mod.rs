//! Several `pg_dump`s of one snapshot, and one archive out of what they write.

pub(super) mod jobs;
pub(super) mod snapshot;
pub(super) mod toc_merge;
