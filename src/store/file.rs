//! An archive as a file: written under a `.partial` name that only its owner may read, locked while its writer lives,
//! flushed to the disk, and renamed without overwriting.
//!
//! The lock tells a live `.partial` from one that a killed run left behind: the kernel lets go of it with the process.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::{Destination, Proof, Store, StoreError, parent};
use crate::archive::Sink;

const PARTIAL: &str = "partial";

/// A file that is being written, and that goes away unless it is published.
pub struct Staged {
    file: File,
    partial: PathBuf,
    target: Target,
}

/// The final name.
enum Target {
    /// `STEM.EXTENSION` in a folder; `STEM_2.EXTENSION` when that is taken.
    Free { folder: PathBuf, stem: String, extension: String },
    /// Exactly this one.
    Fixed(PathBuf),
}

impl Staged {
    /// Opens a staging file beside the final one. `stem` and `extension` name the archive in a folder. None for
    /// a destination that has no name.
    pub fn create(destination: &Destination, stem: &str, extension: &str) -> Result<Option<Self>, StoreError> {
        let target = match destination {
            Destination::Stdout | Destination::Nowhere => return Ok(None),
            Destination::File(path) if path.symlink_metadata().is_ok() => {
                return Err(StoreError::Exists(path.clone()));
            }
            Destination::File(path) => Target::Fixed(path.clone()),
            Destination::Folder(folder) => {
                Target::Free { folder: folder.clone(), stem: stem.to_owned(), extension: extension.to_owned() }
            }
        };
        let (partial, file) = open_partial(&target)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|error| StoreError::Write { path: partial.clone(), error: error.into() })?;
        Ok(Some(Self { file, partial, target }))
    }

    fn rename(&self) -> Result<PathBuf, StoreError> {
        for number in 1_u32.. {
            let path = self.target.name(number);
            match rename_new(&self.partial, &path) {
                Ok(()) => return Ok(path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match &self.target {
                    Target::Fixed(path) => return Err(StoreError::Exists(path.clone())),
                    Target::Free { .. } => {}
                },
                Err(error) => return Err(StoreError::Write { path, error }),
            }
        }
        unreachable!("a folder can't hold four billion names")
    }
}

impl Store for Staged {
    /// Flushes the file to the disk and gives it its final name. Nothing is ever overwritten.
    fn publish(proof: Proof<'_, Self>) -> Result<Option<PathBuf>, StoreError> {
        let staged = proof.sealed.into_sink();
        let failed = |error| StoreError::Write { path: staged.partial.clone(), error };
        staged.file.sync_all().map_err(failed)?;
        let path = staged.rename()?;
        let folder = parent(&path);
        let flushed = File::open(folder).and_then(|f| f.sync_all());
        flushed.map_err(|error| StoreError::Folder { folder: folder.to_owned(), error })?;
        Ok(Some(path))
    }
}

/// Unpublished means unwanted. After publishing, the partial name is gone already.
impl Drop for Staged {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.partial);
    }
}

impl Sink for Staged {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn patch(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn can_patch(&self) -> bool {
        true
    }
}

impl Target {
    fn name(&self, number: u32) -> PathBuf {
        match self {
            Self::Fixed(path) => path.clone(),
            Self::Free { folder, stem, extension } if number < 2 => folder.join(format!("{stem}.{extension}")),
            Self::Free { folder, stem, extension } => folder.join(format!("{stem}_{number}.{extension}")),
        }
    }
}

/// A new file beside the final name; a second writer in the same second takes the next number.
fn open_partial(target: &Target) -> Result<(PathBuf, File), StoreError> {
    for number in 1_u32.. {
        let mut partial = target.name(1).into_os_string();
        partial.push(if number < 2 { format!(".{PARTIAL}") } else { format!(".{number}.{PARTIAL}") });
        let partial = PathBuf::from(partial);
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial) {
            Ok(file) => return Ok((partial, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(StoreError::Folder { folder: parent(&partial).to_owned(), error }),
        }
    }
    unreachable!("a folder can't hold four billion names")
}

/// Renames, unless the new name is taken.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // File systems without the flag (NFS, some FUSE ones) get the two steps below.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {}
            other => return other.map_err(Into::into),
        }
    }
    match std::fs::hard_link(from, to) {
        Ok(()) => std::fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // No hard links either: the name was free a moment ago, or this says that it is not.
        Err(_) => {
            OpenOptions::new().write(true).create_new(true).open(to)?;
            std::fs::rename(from, to)
        }
    }
}

/// A `.partial` file that no living process is writing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
}

/// What killed runs left in a folder; an unreadable folder has none.
#[must_use]
pub fn leftovers(folder: &Path) -> Vec<Leftover> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<_> = entries.flatten().filter_map(|entry| leftover(entry.path())).collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn leftover(path: PathBuf) -> Option<Leftover> {
    let name = path.file_name()?.to_str()?;
    let ours = [".tar.gz.", ".tar.zst.", ".tar."].iter().any(|part| name.contains(part));
    if !ours || path.extension()? != PARTIAL {
        return None;
    }
    let file = File::open(&path).ok()?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).ok()?;
    let size = file.metadata().ok()?.len();
    Some(Leftover { path, size })
}
