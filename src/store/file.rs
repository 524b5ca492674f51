//! Files: where they are, and reading them. `staged` writes them.

use std::fs::{File, Metadata};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Location, SharedLocation, Store, StoreError, location};
use crate::archive::{SharedObject, StoredObject};

mod staged;

pub(super) use staged::Staged;

/// As in `file:///backups/`; a path has no scheme.
pub const SCHEME: &str = "file";

/// A file, or a folder for files.
#[derive(Debug)]
struct FileLocation {
    path: PathBuf,
    is_folder: bool,
}

/// The location of a path, or of a `file:///` URL.
pub(super) fn parse(text: &str) -> Result<SharedLocation, String> {
    let Some(url) = location::url(text) else { return Ok(at(text)) };
    let path = url.to_file_path().map_err(|()| "file:// is followed by an absolute path: file:///PATH".to_owned())?;
    Ok(at(path))
}

/// The location of a path, which is a folder if it ends in a slash.
pub fn at(path: impl Into<PathBuf>) -> SharedLocation {
    let path = path.into();
    let is_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/") || path.is_dir();
    Arc::new(FileLocation { path, is_folder })
}

impl Location for FileLocation {
    fn scheme(&self) -> &'static str {
        SCHEME
    }

    fn stage(&self, stem: &str, extension: &str) -> Result<Box<dyn Store>, StoreError> {
        let staged = match self.path.to_str() {
            // Joined with a name, an empty folder gives the bare name, which reads better than ./name.
            Some(".") => Staged::in_folder(Path::new(""), stem, extension),
            _ if self.is_folder => Staged::in_folder(&self.path, stem, extension),
            _ => Staged::at(&self.path),
        };
        Ok(Box::new(staged?))
    }

    fn open(&self) -> Option<io::Result<SharedObject>> {
        Some(open(&self.path))
    }

    fn local_path(&self) -> Option<&Path> {
        Some(&self.path)
    }

    fn local_folder(&self) -> Option<&Path> {
        Some(if self.is_folder { &self.path } else { super::parent(&self.path) })
    }
}

/// Opens a file to be read by ranges.
pub fn open(path: &Path) -> io::Result<SharedObject> {
    // A program that opens it itself must not take its name for an option.
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut file = File::open(&path)?;
    let meta = file.metadata()?;
    // A block device has a size, too, and a pipe says that it has none.
    let size = if meta.is_file() { meta.len() } else { file.seek(SeekFrom::End(0))? };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Arc::new(OpenFile { file, name, size, state: State::of(&meta), path }))
}

/// A file that is open for reading.
struct OpenFile {
    file: File,
    path: PathBuf,
    name: String,
    size: u64,
    state: Option<State>,
}

/// Which file it is, and which state of it: device, number, size, seconds and nanoseconds of the last change.
#[derive(PartialEq, Eq)]
struct State(u64, u64, u64, i64, i64);

impl State {
    /// Of a regular file: others have no state that stays.
    fn of(meta: &Metadata) -> Option<Self> {
        meta.is_file().then(|| Self(meta.dev(), meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec()))
    }
}

impl StoredObject for OpenFile {
    fn name(&self) -> &str {
        &self.name
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        // To the system an offset that no file can have is an error.
        if offset < self.size { self.file.read_at(buf, offset) } else { Ok(0) }
    }

    fn local_path(&self) -> Option<&Path> {
        Some(&self.path)
    }

    fn is_unchanged(&self) -> bool {
        self.state.is_none() || self.state == self.path.metadata().ok().and_then(|meta| State::of(&meta))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_changed_or_replaced_is_not_what_was_opened() {
        let folder = tempfile::tempdir().expect("a folder");
        let [path, other] = ["a", "b"].map(|name| folder.path().join(name));
        for path in [&path, &other] {
            std::fs::write(path, "some").expect("written");
        }
        let object = open(&path).expect("there");
        assert!(object.is_unchanged());
        std::fs::rename(&other, &path).expect("replaced");
        assert!(!object.is_unchanged(), "replaced");
        let object = open(&path).expect("there");
        std::fs::write(&path, "more than that").expect("written");
        assert!(!object.is_unchanged(), "changed");
        std::fs::remove_file(&path).expect("removed");
        assert!(!object.is_unchanged(), "removed");
    }
}
