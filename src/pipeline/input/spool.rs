//! Private temporary files, for what can only be read from a file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;

use tempfile::{NamedTempFile, TempDir};

use crate::archive::{ArchiveError, lane_of};
use crate::engine::Filter;
use crate::error::{Error, Kind, Result};
use crate::hint;
use crate::leftovers::{self, SPOOL};
use crate::pipeline::watch::{on_thread, until_stopped};
use crate::pipeline::{Context, archive_error};

/// A private temporary file, held as ours, and gone with this value.
pub fn spool_file(context: &Context) -> Result<NamedTempFile> {
    loop {
        let file = tempfile::Builder::new().prefix(SPOOL).tempfile_in(&context.temp_dir);
        let file = file.map_err(|e| no_spool(context, &e))?;
        if leftovers::hold_path(file.as_file(), file.path()) {
            return Ok(file);
        }
    }
}

/// A private temporary folder, with the lock that holds it as ours.
pub fn spool_folder(context: &Context) -> Result<(TempDir, File)> {
    let folder = tempfile::Builder::new().prefix(SPOOL).tempdir_in(&context.temp_dir);
    let folder = folder.map_err(|e| no_spool(context, &e))?;
    let lock = leftovers::hold_folder(folder.path()).map_err(|e| no_spool(context, &e))?;
    Ok((folder, lock))
}

/// The same, with a handle of its own for the thread that fills it: a stop removes the file here, whatever the thread is
/// waiting for. Says what is copied, for people.
pub fn spool_for(context: &Context, what: &str) -> Result<(NamedTempFile, File)> {
    let file = spool_file(context)?;
    context.note(format!("{what} is copied to {} first", file.path().display()));
    let handle = file.reopen().map_err(|e| no_spool(context, &e))?;
    Ok((file, handle))
}

/// Copies a stream, by its name for errors and for people, into a private temporary file.
pub async fn spool(context: &Context, from: impl Read + Send + 'static, name: &str) -> Result<NamedTempFile> {
    let (file, handle) = spool_for(context, name)?;
    match until_stopped(context, on_thread(move || copy(from, handle))).await? {
        Ok(()) => Ok(file),
        Err(Uncopied::Read(error)) => Err(archive_error(name, &error)),
        Err(Uncopied::Written(error)) => Err(no_spool(context, &error)),
    }
}

/// Which side of a copy failed.
enum Uncopied {
    Read(ArchiveError),
    Written(io::Error),
}

/// Copies by hand, so that an error of the archive is not taken for one of the disk.
fn copy(mut from: impl Read, mut to: File) -> Result<(), Uncopied> {
    let mut buffer = vec![0; 128 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => to.write_all(&buffer[..read]).map_err(Uncopied::Written)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Uncopied::Read(error.downcast().unwrap_or_else(ArchiveError::Read))),
        }
    }
}

/// A temporary file can't be made, or has no room.
pub fn no_spool(context: &Context, error: &io::Error) -> Error {
    Error::new(Kind::Store, format!("no temporary copy can be made in {}", context.temp_dir.display()))
        .why(error)
        .unchanged()
        .hint(hint::ANOTHER_TMPDIR)
}

/// Writes the dump into a file while its members pass by, in whatever order they come.
pub struct SpoolWriter {
    file: File,
    /// Where the next bytes of each member belong.
    places: HashMap<String, u64>,
    filter: Option<Box<dyn Filter>>,
    /// What the filter has made of the last bytes, and where all that it has made ends in the file.
    adapted: Vec<u8>,
    end: u64,
    failed: Option<io::Error>,
}

impl SpoolWriter {
    /// Into this file; `places` says where each member of the dump begins. A dump in lanes is not adapted: where
    /// the next one begins must be known.
    pub fn new(file: File, places: HashMap<String, u64>, filter: Option<Box<dyn Filter>>) -> Self {
        let filter = filter.filter(|_| places.keys().all(|member| lane_of(member) == 0));
        Self { file, places, filter, adapted: Vec::new(), end: 0, failed: None }
    }

    /// Takes the next bytes of a member. The first failure is kept until [`end`](Self::end).
    pub fn put(&mut self, member: &str, bytes: &[u8]) {
        let Some(place) = self.places.get_mut(member).filter(|_| self.failed.is_none()) else { return };
        let (place, bytes) = match &mut self.filter {
            None => (place, bytes),
            Some(filter) => {
                self.adapted.clear();
                filter.push(bytes, &mut self.adapted);
                (&mut self.end, self.adapted.as_slice())
            }
        };
        match self.file.write_all_at(bytes, *place) {
            Ok(()) => *place += bytes.len() as u64,
            Err(error) => self.failed = Some(error),
        }
    }

    /// What failed first, when all has passed by. A filter holds nothing back then: the dump was whole.
    pub fn end(self) -> io::Result<()> {
        self.failed.map_or(Ok(()), Err)
    }
}
