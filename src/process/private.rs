//! Option files and passfiles that one child may read, and only while it lives.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown, fchown};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::platform;
use crate::invocation::{Account, PrivateFile};
use crate::leftovers;

/// The private files of one child: in memory where the system can, else in a folder of mode 0700 that goes when this
/// value goes.
#[derive(Debug)]
pub(super) struct PrivateFiles {
    temp: PathBuf,
    /// Whose they are, if not ours.
    owner: Option<Account>,
    /// The folder, and its lock, which goes last.
    folder: Option<(TempDir, File)>,
    inherited: Vec<OwnedFd>,
    placed: usize,
}

impl PrivateFiles {
    pub(super) fn new(temp: PathBuf, owner: Option<Account>) -> Self {
        Self { temp, owner, folder: None, inherited: Vec::new(), placed: 0 }
    }

    /// Places a file and tells the path by which the child opens it.
    pub(super) fn place(&mut self, file: &PrivateFile) -> io::Result<String> {
        let content = file.content.expose().as_bytes();
        match platform::memory_file(&file.name, content)? {
            Some(inherited) => {
                if let Some(Account { user, group }) = self.owner {
                    fchown(&inherited, Some(user), Some(group))?;
                }
                let path = format!("/dev/fd/{}", inherited.as_raw_fd());
                self.inherited.push(inherited);
                Ok(path)
            }
            None => self.write(&file.name, content),
        }
    }

    fn write(&mut self, name: &str, content: &[u8]) -> io::Result<String> {
        let (folder, _) = if let Some(folder) = &self.folder {
            folder
        } else {
            let private = Permissions::from_mode(0o700);
            let folder =
                tempfile::Builder::new().prefix(leftovers::PRIVATE).permissions(private).tempdir_in(&self.temp)?;
            let lock = leftovers::hold_folder(folder.path())?;
            if let Some(Account { user, group }) = self.owner {
                chown(folder.path(), Some(user), Some(group))?;
            }
            self.folder.insert((folder, lock))
        };
        self.placed += 1;
        let path = folder.path().join(format!("{}-{name}", self.placed));
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?.write_all(content)?;
        if let Some(Account { user, group }) = self.owner {
            chown(&path, Some(user), Some(group))?;
        }
        path.into_os_string()
            .into_string()
            .map_err(|path| io::Error::new(io::ErrorKind::InvalidInput, format!("{} is not UTF-8", path.display())))
    }

    /// The files that the child inherits, to be handed to its spawning.
    pub(super) fn take_inherited(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.inherited)
    }

    /// The folder, if there is one: it must go even if we are killed.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.folder.as_ref().map(|(folder, _)| folder.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_on_disk_are_private_and_gone_afterwards() {
        let temp = tempfile::tempdir().expect("a folder");
        let mut files = PrivateFiles::new(temp.path().into(), None);
        let paths = ["pgpass", "pgpass"].map(|name| files.write(name, b"secret").expect("written"));
        assert_ne!(paths[0], paths[1], "two files of one name");
        let mode = |path: &Path| path.metadata().expect("metadata").permissions().mode() & 0o777;
        assert_eq!(mode(Path::new(&paths[0])), 0o600);
        assert_eq!(mode(files.folder().expect("a folder")), 0o700);
        drop(files);
        assert_eq!(temp.path().read_dir().expect("readable").count(), 0);
    }
}
