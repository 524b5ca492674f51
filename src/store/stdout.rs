//! An archive on its way to standard output or another stream: what is written can't be rewritten.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;

use super::{Proof, Store, StoreError};
use crate::archive::Sink;

/// A stream that takes an archive.
pub struct Stream(File);

impl Stream {
    /// Standard output, unbuffered.
    pub fn stdout() -> Result<Self, StoreError> {
        let stdout = io::stdout().as_fd().try_clone_to_owned();
        stdout.map(|fd| Self(fd.into())).map_err(|error| StoreError::Write { path: "standard output".into(), error })
    }
}

impl Store for Stream {
    fn publish(proof: Proof<'_, Self>) -> Result<Option<PathBuf>, StoreError> {
        drop(proof.sealed.into_sink());
        Ok(None)
    }
}

impl Sink for Stream {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn patch(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "a stream can't be rewritten"))
    }

    fn can_patch(&self) -> bool {
        false
    }
}
