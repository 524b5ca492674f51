//! The three containers behind one trait: what differs between `.tar.gz`, `.tar.zst` and `.tar`.
//!
//! All of them are a sequence of *pieces*, each decodable without those before it. A piece is either a compressed
//! block, or *stored*: framed, but verbatim, so that it can be rewritten in place.

mod gzip;
#[cfg(feature = "isal")]
mod isal;
mod plain;
mod zstandard;

use std::io::{self, BufRead, Read};

use super::compression::Compression;
use crate::archive::format::crc::Crc;

pub(super) use gzip::Gzip;
pub(super) use plain::Plain;
pub(super) use zstandard::Zstandard;

/// A container format. Implementations hold no state.
pub(crate) trait Codec: Send + Sync {
    /// The bytes before the first piece.
    fn head(&self) -> &'static [u8];

    /// Appends `raw` as stored pieces. The first stands `stored_prefix` bytes in, and only after 65,535 bytes
    /// does a second one begin.
    fn store(&self, raw: &[u8], out: &mut Vec<u8>);

    /// Length of the framing before a stored piece's bytes.
    fn stored_prefix(&self) -> u64;

    /// A block encoder, one for each thread.
    fn encoder(&self) -> Box<dyn Encode>;

    /// Appends the index and its trailer, then whatever ends the container. `raw` covers the tar stream so far.
    fn finish(&self, raw: Crc, index: &[u8], trailer: &[u8], out: &mut Vec<u8>);

    /// How many bytes follow the trailer, to the end of the file.
    fn after_trailer(&self) -> u64;

    /// How `len` bytes of index and then the trailer, `framed` as [`Codec::finish`] does, are found in the file.
    /// `None` where a single byte of the framing differs.
    fn unframe(&self, framed: &[u8], index_len: u64) -> Option<Vec<u8>>;

    /// Reads the tar stream from the container's first byte to its last.
    fn whole<'a>(&self, file: Box<dyn BufRead + Send + 'a>) -> io::Result<Box<dyn Read + Send + 'a>>;

    /// Reads the tar stream from the first byte of any piece.
    fn onwards<'a>(&self, file: Box<dyn BufRead + Send + 'a>) -> io::Result<Box<dyn Read + Send + 'a>>;

    /// Whether the index and its trailer are also part of what [`Codec::whole`] yields.
    fn index_in_stream(&self) -> bool;
}

/// Compresses blocks, one at a time, each as a piece of its own.
pub(crate) trait Encode: Send {
    /// Compresses `raw` into `out`, which is empty. It may keep `raw`'s buffer and leave another in its place.
    fn encode(&mut self, raw: &mut Vec<u8>, level: u32, out: &mut Vec<u8>) -> io::Result<()>;
}

/// The codec that writes a compression.
pub(super) fn codec(compression: Compression) -> &'static dyn Codec {
    match compression {
        Compression::Gzip(_) => &Gzip,
        Compression::Zstd(_) => &Zstandard,
        Compression::None => &Plain,
    }
}

/// The codec of an archive of ours that begins with these bytes.
pub(super) fn recognise(first: &[u8]) -> &'static dyn Codec {
    if first.starts_with(&[0x1f, 0x8b]) {
        &Gzip
    } else if first.starts_with(&zstandard::MAGIC) {
        &Zstandard
    } else {
        &Plain
    }
}

/// The most that fits one stored piece.
const STORED_MAX: usize = 0xffff;
