//! What an archive is read from: an object of a store, in any ranges, by any number of threads.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use crate::archive::error::{ArchiveError, Result};

/// An object of a store, opened for reading: a file, or what an object store keeps under a key.
///
/// It has no position. Each read names its offset, so a read may be a request of its own to a remote store.
pub trait StoredObject: Send + Sync {
    /// The last part of its path or key.
    fn name(&self) -> &str;

    /// Its size in bytes when it was opened.
    fn size(&self) -> u64;

    /// Reads bytes from `offset` on, perhaps fewer than `buf` holds. 0 at the object's end and behind it.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;

    /// Its path on this machine, for a program that opens it itself. What has none is copied for such a program.
    fn local_path(&self) -> Option<&Path> {
        None
    }

    /// Whether it is still what was opened. A store whose reads fail once the object has changed needs no own answer.
    fn is_unchanged(&self) -> bool {
        true
    }
}

/// An object that several readers share.
pub type SharedObject = Arc<dyn StoredObject>;

/// Reads until `buf` is full or the object ends.
pub(crate) fn fill(object: &dyn StoredObject, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buf.len() {
        match object.read_at(offset + filled as u64, &mut buf[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Reads a range that the object's size promises.
pub(crate) fn range(object: &dyn StoredObject, offset: u64, len: u64) -> Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
    if fill(object, offset, &mut bytes).map_err(ArchiveError::Read)? == bytes.len() {
        Ok(bytes)
    } else {
        Err(ArchiveError::truncated("it became shorter while it was read"))
    }
}

/// An object's bytes from an offset to its end.
pub struct ObjectStream {
    object: SharedObject,
    offset: u64,
}

impl ObjectStream {
    /// Begins at this offset.
    #[must_use]
    pub fn new(object: &SharedObject, offset: u64) -> Self {
        Self { object: object.clone(), offset }
    }
}

impl Read for ObjectStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.object.read_at(self.offset, buf)?;
        self.offset += read as u64;
        Ok(read)
    }
}
