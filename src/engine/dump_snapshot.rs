//! One point in time that several read.

use super::mysql::RowReaders;
use super::postgres::{Snapshot, SnapshotSession};
use crate::error::{Error, Result};

/// One point in time that several read, and what holds it.
pub enum DumpSnapshot {
    /// One client reads; why, if several were asked for.
    Alone(Option<String>),
    /// A session of ours exported it, for several clients.
    Exported(SnapshotSession),
    /// Sessions of ours see it, and read the rows.
    Seen(RowReaders),
}

impl DumpSnapshot {
    /// What several clients are told of it.
    #[must_use]
    pub fn exported(&self) -> Option<&Snapshot> {
        match self {
            Self::Exported(session) => Some(&session.snapshot),
            _ => None,
        }
    }

    /// Ends when the session does that holds it for others; those that read notice their own ends.
    pub async fn lost(&self) -> Error {
        match self {
            Self::Exported(session) => session.lost().await,
            _ => std::future::pending().await,
        }
    }

    /// Proves that it held until now.
    pub async fn confirm(&self) -> Result<()> {
        match self {
            Self::Exported(session) => session.confirm().await,
            _ => Ok(()),
        }
    }
}
