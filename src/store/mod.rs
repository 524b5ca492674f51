//! Where archives are and go: files, standard output, and a place that keeps nothing.
//!
//! [`locate`] reads a [`Location`] from the command line. What it opens is an [`StoredObject`](crate::archive::StoredObject), to be read by
//! ranges. What it stages takes bytes as an [`Sink`], and [`Proof::publish`] is the only way to a final name. A
//! proof is of children that ended well, a dump proved complete, and an archive that was sealed. Each of the three can
//! only be had from the module that saw it.

use std::io;
use std::path::{Path, PathBuf};

use crate::archive::{Sealed, Sink};
use crate::engine::Complete;
use crate::engine::members::MembersEnded;
use crate::error::{Error, Kind};
use crate::hint::Hint;
use crate::process::Exited;

#[cfg(test)]
pub(crate) mod conformance;
pub mod file;
mod location;
#[cfg(test)]
pub(crate) mod memory;
pub mod null;
pub mod stdout;

pub use file::open;
pub use location::{Location, LocationError, SharedLocation, is_store_url, locate};
pub use null::NullLocation;

/// Everything that must be true before an archive gets its final name.
pub struct Proof<'a> {
    /// Whoever was read said that it ended well.
    pub ended: &'a SourceEnded,
    /// What they wrote is a whole dump.
    pub complete: &'a Complete,
    /// Every byte of the archive has been handed to the store.
    pub sealed: Sealed<Box<dyn Store>>,
}

/// How what was read ended. Both can only be had from whoever saw it.
pub enum SourceEnded {
    /// Each child ended by itself with status 0.
    Children(Vec<Exited>),
    /// The source of each member said that it ended well.
    Members(MembersEnded),
}

impl Proof<'_> {
    /// Makes the archive final. The path that it has now, if it has one.
    pub fn publish(self) -> Result<Option<PathBuf>, StoreError> {
        self.sealed.into_sink().publish(Proved(()))
    }
}

/// Says that there was a [`Proof`], which alone makes it.
pub struct Proved(());

/// A place that takes one archive. Dropped before it is published, it takes back what it can.
pub trait Store: Sink {
    /// The path that it has until it is published, if it has one.
    fn partial(&self) -> Option<PathBuf> {
        None
    }

    /// Whether dropping it takes back all that was written: what a stream's reader has stays there.
    fn can_abort(&self) -> bool;

    /// Makes the archive final. The path that it has now, if it has one.
    fn publish(self: Box<Self>, proven: Proved) -> Result<Option<PathBuf>, StoreError>;
}

impl Sink for Box<dyn Store> {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        (**self).write_all(bytes)
    }

    fn patch(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        (**self).patch(offset, bytes)
    }

    fn can_patch(&self) -> bool {
        (**self).can_patch()
    }
}

/// What went wrong at the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder can't be written to.
    #[error("can't write in the folder {}: {error}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// The file can't be written.
    #[error("can't write {}: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// The file is whole, and its final name can't be had.
    #[error("{} can't be given its name: {error}", path.display())]
    Rename {
        /// The final name.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// The file is whole and has its name, and the folder that says so could not be flushed to the disk.
    #[error("{} is whole and has its name, but its folder could not be flushed to the disk: {error}", path.display())]
    Unflushed {
        /// The final name.
        path: PathBuf,
        /// The system's words.
        error: io::Error,
    },
    /// The file is there already.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::Exists(_) => Error::new(Kind::Refused, message)
                .why("nothing was published")
                .hint(Hint::new("name-another-file", "name another file; nothing is overwritten")),
            StoreError::Folder { .. } => Error::new(Kind::Store, message).hint(Hint::new(
                "output-folder",
                "--output DIR/ names a folder that exists and can be written; --output - streams the archive out",
            )),
            StoreError::Write { error, .. } => {
                Error::new(Kind::Store, message).why("nothing was published").hint(what_helps(&error))
            }
            StoreError::Rename { error, .. } => {
                let hint = if error.kind() == io::ErrorKind::NotFound {
                    Hint::new(
                        "partial-was-deleted",
                        "somebody deleted the folder, or the .partial file in it, while the dump was written: dump again",
                    )
                } else {
                    what_helps(&error)
                };
                Error::new(Kind::Store, message).why("nothing was published").hint(hint)
            }
            StoreError::Unflushed { .. } => Error::new(Kind::Store, message)
                .why("it may be gone again after a crash of this machine")
                .hint(Hint::new(
                    "check-disk-then-verify",
                    "check the disk, then `dbhaul verify` the archive, or dump into another folder",
                )),
        }
    }
}

/// What to do about an error of the system while an archive is written.
#[must_use]
pub fn what_helps(error: &io::Error) -> Hint {
    match error.kind() {
        io::ErrorKind::StorageFull => {
            Hint::new("more-room-or-stdout", "--output names a folder with more room, or - to send the archive on")
        }
        io::ErrorKind::QuotaExceeded => Hint::new(
            "more-room-quota",
            "--output names a folder with more room, or -; `quota` shows how much is allowed",
        ),
        io::ErrorKind::FileTooLarge => Hint::new(
            "raise-file-size-limit",
            "raise the limit (`ulimit -f`, LimitFSIZE=), or --output - to send the archive on",
        ),
        io::ErrorKind::ReadOnlyFilesystem => Hint::new(
            "dmesg-says-why-read-only",
            "the kernel's log says why the file system became read-only (`dmesg`)",
        ),
        io::ErrorKind::BrokenPipe => Hint::new(
            "program-behind-the-pipe",
            "the program behind the pipe ended before the dump did: see what it says",
        ),
        io::ErrorKind::PermissionDenied => Hint::new(
            "check-who-may-write",
            "check who may write in that folder, or name another one with --output DIR/",
        ),
        _ => Hint::new(
            "check-disk-or-another-folder",
            "check the disk (`dmesg`), or name another folder with --output DIR/",
        ),
    }
}

/// Bytes that may still be written in a folder.
pub fn free(folder: &Path) -> crate::error::Result<u64> {
    let stat = rustix::fs::statvfs(folder)
        .map_err(|e| Error::new(Kind::Store, format!("the disk under {} can't be asked", folder.display())).why(e))?;
    Ok(stat.f_bavail * stat.f_frsize)
}

/// Whether an archive of a database may be too large for so many free bytes. Nobody knows how well it compresses, and
/// how much of the database is indexes: more than a warning can't be made of it.
#[must_use]
pub fn may_not_fit(database: Option<u64>, free: u64) -> bool {
    database.is_some_and(|size| size / 2 > free)
}

/// The folder of a path; `.` for a bare name.
#[must_use]
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
