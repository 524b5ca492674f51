//! Archives.
mod codec;
mod compression;
mod crc;
mod encode;
mod error;
mod header;
mod index;
mod output;
mod writer;

pub use compression::{Compression, Level, UnknownCompression};
pub use error::{ArchiveError, Result};
pub use index::{Index, IndexedMember, Span};
pub use writer::{Member, Options, Sealed, Sink, Writer};
