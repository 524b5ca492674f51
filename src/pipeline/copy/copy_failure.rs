//! The two sides of a copy: their commands, whose failure it was, and what it does to the other.

use std::io;

use crate::error::{Error, Kind, Result};
use crate::pipeline::connect::ConnectedServer;
use crate::pipeline::explain;
use crate::pipeline::source::Source;
use crate::process::{Cause, Failure};

/// Commands, redacted and ready to paste: first one after the other, then into these.
#[derive(Debug)]
pub struct CommandPair {
    /// The source's commands.
    pub dump: Vec<String>,
    /// The target's commands, each reading from the one before it.
    pub load: Vec<String>,
}

/// An error with the side that it comes from.
pub fn side(side: &str, error: Error) -> Error {
    Error { what: format!("{side}: {}", error.what), ..error }
}

/// A client of the source's that did not end well, even if it was the login that failed: others may have been before.
pub async fn source_failed(source: &Source, failure: Failure) -> Error {
    let error = explain(&source.connected, failure, Kind::DumpFailed).await;
    let kind = if error.kind == Kind::Connect { Kind::DumpFailed } else { error.kind };
    side("source", Error { kind, ..error }).why(&source.connected.connection)
}

/// What it means when a dump's bytes don't come to their end.
pub fn broken(error: io::Error) -> Error {
    let transient = error.kind() == io::ErrorKind::InvalidData;
    // One of ours may have travelled through the reader.
    error.downcast().unwrap_or_else(|error| Error { transient, ..Error::new(Kind::DumpFailed, error.to_string()) })
}

/// What went wrong while bytes went into the target, with the side to blame.
pub fn named(source: &Source, target: &ConnectedServer, error: Error) -> Error {
    match error.kind {
        Kind::DumpFailed => side("source", error).why(&source.connected.connection),
        _ => side("target", error).why(target.named()),
    }
}

/// Waits for both sides. The failure of one ends the other, and is not hidden by it: a loader sees a dump that breaks
/// off as an error of its input; a dumper whose loader is gone waits, until it is ended here.
pub async fn both<T>(
    source: &Source,
    dumping: impl Future<Output = Result<(), Failure>>,
    loading: impl Future<Output = Result<T>>,
) -> Result<T> {
    let mut loading = Box::pin(loading);
    tokio::select! {
        biased;
        dumped = dumping => {
            if let Err(failure) = dumped {
                if matches!(failure.cause, Cause::Stopped(_) | Cause::Total(_)) {
                    // It was told the same, and ends in order.
                    let _ = loading.await;
                }
                // Otherwise it is ended here: it may wait for a lock, and would never see that the dump broke off.
                return Err(source_failed(source, failure).await);
            }
            loading.await
        }
        loaded = &mut loading => loaded,
    }
}
