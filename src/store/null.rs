//! A place that keeps nothing: a dump that is only looked at on its way.

use std::io;
use std::path::PathBuf;

use super::{Location, Proved, Store, StoreError};
use crate::archive::{SharedObject, Sink};

/// Nowhere. No command line names it.
#[derive(Debug)]
pub struct NullLocation;

/// What messages and callers know it by.
pub const SCHEME: &str = "null";

impl Location for NullLocation {
    fn scheme(&self) -> &'static str {
        SCHEME
    }

    fn stage(&self, _: &str, _: &str) -> Result<Box<dyn Store>, StoreError> {
        Ok(Box::new(NullStore))
    }

    fn open(&self) -> Option<io::Result<SharedObject>> {
        None
    }
}

/// Takes an archive and forgets it.
struct NullStore;

impl Store for NullStore {
    fn can_abort(&self) -> bool {
        true
    }

    fn publish(self: Box<Self>, _: Proved) -> Result<Option<PathBuf>, StoreError> {
        Ok(None)
    }
}

impl Sink for NullStore {
    fn write_all(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn patch(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn can_patch(&self) -> bool {
        true
    }
}
