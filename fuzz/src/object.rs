//! An input as an object of a store.

use std::io;
use std::sync::Arc;

use dbhaul::archive::{SharedObject, StoredObject};

struct Bytes(Vec<u8>);

/// An object that holds these bytes.
pub fn object(bytes: &[u8]) -> SharedObject {
    Arc::new(Bytes(bytes.to_vec()))
}

impl StoredObject for Bytes {
    fn name(&self) -> &str {
        "fuzz"
    }

    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|from| self.0.get(from..)).unwrap_or_default();
        let read = rest.len().min(buf.len());
        buf[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }
}
