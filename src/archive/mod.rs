//! The archive: bytes only. It knows tar, gzip and a manifest; no SQL, no processes, no terminal.
//!
//! # Writing
//!
//! ```text
//!              caller's thread                 encoder threads             output thread
//! source ─▶ read a block of 256 KiB ─┬─ job ─▶ deflate, CRC-32 ─┐
//!           SHA-256, observe         │                          ▼
//!                                    └─ promise of the block ─▶ in order: sink, index ─▶ sink
//! ```
//!
//! A block's promise enters a bounded queue before the block goes to the encoders, so the queue is both the order of
//! the file and the one bound on memory. An encoder that dies breaks its promise; a sink that fails closes the queue:
//! either way the caller's next step returns an error, and nothing waits for ever.
//!
//! The size of a dump is not known before its end, but stands before it. In a file its header is rewritten at the
//! end; on a stream it becomes numbered parts, each held in memory until its size is known. So do several streams that
//! are written at once, in a file too: each is a *lane* of parts, and has a caller's thread of its own.
//! `docs/archive-format.md` has every byte, `docs/decisions` the alternatives.
//!
//! # Reading
//!
//! [`verify`] checks every byte of an archive of ours (what it looks at is inflated by a second thread), [`inspect`] reads
//! only its index and manifest, [`dump_stream`] feeds a restore, [`dump_parts`] one of some tables. [`Reader`] takes
//! anybody's archive, and goes by content alone. All of them read a [`StoredObject`] by ranges, wherever it is stored.

mod codec;
mod compression;
mod error;
mod format;
mod read;
#[cfg(test)]
pub(crate) mod tests;
mod write;

pub use compression::{Compression, Level, UnknownCompression};
pub use error::{ArchiveError, Result};
pub use format::index::{Index, IndexedMember, Span};
pub use format::manifest::{Client, FORMAT_VERSION, MANIFEST, MANIFEST_MAX, Manifest, ManifestTable};
pub use format::sniff::{ContentKind, SNIFF, sniff};
pub use format::text::Reading;
pub use read::beginning::{BEGINNING, is_ours};
pub use read::candidates::{Candidate, Candidates, is_called};
#[cfg(test)]
pub(crate) use read::object::fill;
pub use read::object::{ObjectStream, SharedObject, StoredObject};
pub use read::parts::{dump_parts, stretches};
pub use read::reader::{Entry, MemberStream, Reader};
pub use read::tar_reader::Type;
pub use read::verify::{DumpStream, Inspected, VerifiedArchive, dump_stream, inspect, verify};
pub use write::part_writer::{PartStream, is_lane, lane_of, member_of};
pub use write::writer::{Member, Options, Sealed, Sink, Writer};
