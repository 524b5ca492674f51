//! An archive on its way to standard output: what is written can't be rewritten.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Location, Proved, SharedLocation, Store, StoreError};
use crate::archive::{SharedObject, Sink};

/// How the command line names it.
pub const SCHEME: &str = "-";

/// Standard output.
#[derive(Debug)]
struct Stdout;

pub(super) fn location() -> SharedLocation {
    Arc::new(Stdout)
}

impl Location for Stdout {
    fn scheme(&self) -> &'static str {
        SCHEME
    }

    fn stage(&self, _: &str, _: &str) -> Result<Box<dyn Store>, StoreError> {
        let stdout = io::stdout().as_fd().try_clone_to_owned();
        let stdout = stdout.map_err(|error| StoreError::Write { path: "standard output".into(), error })?;
        Ok(Box::new(Stream(stdout.into())))
    }

    fn open(&self) -> Option<io::Result<SharedObject>> {
        None
    }
}

/// A stream that takes an archive, unbuffered.
pub(super) struct Stream(pub(super) File);

impl Store for Stream {
    fn can_abort(&self) -> bool {
        false
    }

    fn publish(self: Box<Self>, _: Proved) -> Result<Option<PathBuf>, StoreError> {
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
