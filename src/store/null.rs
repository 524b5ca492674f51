//! A place that keeps nothing: a dump that is only looked at on its way.

use std::io;
use std::path::PathBuf;

use super::{Proof, Store, StoreError};
use crate::archive::Sink;

/// Takes an archive and forgets it.
pub struct NullStore;

impl Store for NullStore {
    fn publish(_: Proof<'_, Self>) -> Result<Option<PathBuf>, StoreError> {
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
