//! Extracting a tar into a folder, for dumps in directory format, whose reader wants files.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::candidates::{Candidate, Candidates, is_apples};
use super::reader::Reader;
use super::tar_reader::Type;
use crate::archive::error::{ArchiveError, Result};

impl Reader {
    /// Extracts the files of the archive's folder `of` (empty: the files that are in none) into `folder`, which must exist
    /// and should be empty and private. Nothing outside of it is ever written: relative and absolute names, links and
    /// devices end the extraction with [`ArchiveError::Refused`], and nothing that exists is overwritten. With `alone`,
    /// so does a dump in another folder.
    ///
    /// The size is not limited here: look at free space first, or extract into a file system with a quota.
    pub fn extract_to(mut self, folder: &Path, of: &str, alone: Option<Candidate>) -> Result<()> {
        let of = check_path(of)?;
        let mut others = alone.map(Candidates::after);
        while let Some(mut entry) = self.next_member()? {
            let path = check_path(entry.path())?;
            if is_apples(entry.path()) {
                continue;
            }
            if path != of && path.parent() != Some(&of) {
                if let Some(others) = &mut others {
                    others.see(&mut entry)?;
                }
                continue;
            }
            let inside = path.strip_prefix(&of).unwrap_or(&path).to_owned();
            let path = folder.join(&inside);
            let failed = |source: io::Error| ArchiveError::Extract { path: path.clone(), source };
            match entry.kind() {
                Type::Folder => make_folder(&path).map_err(failed)?,
                Type::File => {
                    make_folder(path.parent().unwrap_or(folder)).map_err(failed)?;
                    write_file(&path, &mut entry)?;
                }
                Type::Other => {
                    let member = entry.path().to_owned();
                    return Err(ArchiveError::Refused { member, why: "it is neither a file nor a folder" });
                }
            }
        }
        others.as_ref().map_or(Ok(()), Candidates::one)
    }
}

/// The path below the folder, or why there is none.
fn check_path(path: &str) -> Result<PathBuf> {
    let refuse = |why| Err(ArchiveError::Refused { member: path.to_owned(), why });
    if path.starts_with('/') {
        return refuse("its path is absolute");
    }
    if path.contains(['\\', '\0']) {
        return refuse("its path has a backslash or a NUL");
    }
    let mut inside = PathBuf::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => return refuse("its path leads out of the folder"),
            part => inside.push(part),
        }
    }
    Ok(inside)
}

fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn write_file(path: &Path, content: &mut impl Read) -> Result<()> {
    let failed = |source: io::Error| ArchiveError::Extract { path: path.to_owned(), source };
    let mut options = OpenOptions::new();
    // Never through a link, never over a file.
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(failed)?;
    let mut buffer = vec![0; 128 * 1024];
    loop {
        // Copied by hand, so that an error of the archive is not taken for one of the disk.
        match content.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => io::Write::write_all(&mut file, &buffer[..read]).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(ArchiveError::from_read(error)),
        }
    }
}
