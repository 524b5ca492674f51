//! An archive as a file: written under a `.partial` name that only its owner may read, locked while its writer lives,
//! flushed to the disk, and renamed without overwriting.
//!
//! The lock tells a live `.partial` from one that a killed run left behind (`leftovers`). The folder stays open from
//! the first byte to the last: one that is moved meanwhile takes the archive along, and keeps nothing else.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use rustix::fs::{AtFlags, Mode, OFlags, linkat, openat, renameat, unlinkat};
use rustix::io::Errno;

use crate::archive::Sink;
use crate::leftovers::{self, PARTIAL};
use crate::store::{Proved, Store, StoreError, parent};

/// A file that is being written, and that goes away unless it is published.
pub struct Staged {
    file: File,
    flusher: Option<Flusher>,
    /// Bytes that no flusher was told of.
    unflushed: usize,
    folder: Folder,
    /// Its name for now; None when it has its own.
    partial: Option<OsString>,
    target: Target,
}

#[cfg(test)]
impl Staged {
    /// As if the disk were full from now on.
    pub fn on_full_disk(mut self) -> Self {
        self.file = File::options().write(true).open("/dev/full").expect("a full device");
        self
    }
}

/// The final name.
enum Target {
    /// `STEM.EXTENSION`; `STEM_2.EXTENSION` when that is taken.
    Free { stem: String, extension: String },
    /// Exactly this one.
    Fixed(OsString),
}

/// The folder that it stands in.
struct Folder {
    /// As it was named; empty for the working folder.
    named: PathBuf,
    handle: File,
}

impl Staged {
    /// Begins a file of exactly this path.
    pub fn at(path: &Path) -> Result<Self, StoreError> {
        if path.symlink_metadata().is_ok() {
            return Err(StoreError::Exists(path.to_owned()));
        }
        Self::create(path.parent().unwrap_or(path), Target::Fixed(path.file_name().unwrap_or_default().to_owned()))
    }

    /// Begins a file in a folder, under its own name.
    pub fn in_folder(folder: &Path, stem: &str, extension: &str) -> Result<Self, StoreError> {
        Self::create(folder, Target::Free { stem: stem.to_owned(), extension: extension.to_owned() })
    }

    /// Opens a staging file beside the final one.
    fn create(folder: &Path, target: Target) -> Result<Self, StoreError> {
        let folder = Folder::open(folder)?;
        let (partial, file) = folder.create_partial(&target)?;
        Ok(Self { file, flusher: None, unflushed: 0, folder, partial: Some(partial), target })
    }

    /// Where it stands until it is published.
    fn partial_path(&self) -> PathBuf {
        self.folder.named.join(self.partial.as_deref().unwrap_or_default())
    }

    /// Has what was written so far flushed, while more is written.
    fn flush_meanwhile(&mut self) -> io::Result<()> {
        self.unflushed = 0;
        let flusher = match self.flusher.take() {
            Some(flusher) => flusher,
            None => Flusher::start(self.file.try_clone()?)?,
        };
        if !flusher.go_on() {
            return flusher.end();
        }
        self.flusher = Some(flusher);
        Ok(())
    }

    /// Gives it the first of its names that is free.
    fn rename(&mut self) -> Result<OsString, StoreError> {
        let partial = self.partial.take().unwrap_or_default();
        for number in 1_u32.. {
            let name = self.target.name(number);
            let path = self.folder.named.join(&name);
            let error = match rename_new(&self.folder.handle, &partial, &name) {
                Ok(()) => return Ok(name),
                Err(Errno::EXIST) if matches!(self.target, Target::Free { .. }) => continue,
                Err(Errno::EXIST) => StoreError::Exists(path),
                Err(error) => StoreError::Rename { path, error: error.into() },
            };
            self.partial = Some(partial);
            return Err(error);
        }
        unreachable!("a folder can't hold four billion names")
    }
}

impl Store for Staged {
    fn partial(&self) -> Option<PathBuf> {
        Some(self.partial_path())
    }

    fn can_abort(&self) -> bool {
        true
    }

    /// Flushes the file to the disk and gives it its final name. Nothing is ever overwritten.
    fn publish(mut self: Box<Self>, _: Proved) -> Result<Option<PathBuf>, StoreError> {
        let flushed = self.flusher.take().map_or(Ok(()), Flusher::end).and_then(|()| self.file.sync_all());
        flushed.map_err(|error| StoreError::Write { path: self.partial_path(), error })?;
        let name = self.rename()?;
        let path = self.folder.now().join(name);
        match self.folder.handle.sync_all() {
            // Some file systems (SMB, some FUSE ones) flush no folders.
            Err(error) if !matches!(error.raw_os_error().map(Errno::from_raw_os_error), Some(Errno::INVAL)) => {
                Err(StoreError::Unflushed { path, error })
            }
            _ => Ok(Some(path)),
        }
    }
}

/// Unpublished means unwanted.
impl Drop for Staged {
    fn drop(&mut self) {
        if let Some(partial) = &self.partial {
            let _ = unlinkat(&self.folder.handle, partial, AtFlags::empty());
        }
    }
}

impl Sink for Staged {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.unflushed += bytes.len();
        if self.unflushed < STRETCH { Ok(()) } else { self.flush_meanwhile() }
    }

    fn patch(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn can_patch(&self) -> bool {
        true
    }
}

/// So much is written before the disk is asked to keep it.
const STRETCH: usize = 32 << 20;

/// Brings to the disk what is written, while more is: at the end the rest is short. Without it the system begins with
/// that after half a minute, or when memory is full.
struct Flusher {
    wake: SyncSender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Flusher {
    fn start(file: File) -> io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        // The system tells a failure once: it must not be lost here.
        let flush = move || woken.iter().try_for_each(|()| file.sync_data());
        Ok(Self { wake, thread: std::thread::Builder::new().name("flusher".into()).spawn(flush)? })
    }

    /// Flushes what was written so far, once it is through with what was before. False when it has failed.
    fn go_on(&self) -> bool {
        !matches!(self.wake.try_send(()), Err(TrySendError::Disconnected(())))
    }

    /// Waits for it. How the flushing went.
    fn end(self) -> io::Result<()> {
        drop(self.wake);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that flushes the file died")))
    }
}

impl Target {
    fn name(&self, number: u32) -> OsString {
        match self {
            Self::Fixed(name) => name.clone(),
            Self::Free { stem, extension } if number < 2 => format!("{stem}.{extension}").into(),
            Self::Free { stem, extension } => format!("{stem}_{number}.{extension}").into(),
        }
    }
}

impl Folder {
    fn open(named: &Path) -> Result<Self, StoreError> {
        let path = if named.as_os_str().is_empty() { Path::new(".") } else { named };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|error| StoreError::Folder { folder: path.to_owned(), error: error.into() })?;
        Ok(Self { named: named.to_owned(), handle: handle.into() })
    }

    /// A new file beside the final name, locked; a second writer in the same second takes the next number.
    fn create_partial(&self, target: &Target) -> Result<(OsString, File), StoreError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        for number in 1_u32.. {
            let mut name = target.name(1);
            name.push(if number < 2 { PARTIAL.to_owned() } else { format!(".{number}{PARTIAL}") });
            match openat(&self.handle, &name, flags, Mode::RUSR | Mode::WUSR).map(File::from) {
                Ok(file) if leftovers::hold(&file, &self.handle, &name) => return Ok((name, file)),
                Ok(_) | Err(Errno::EXIST) => {}
                Err(error) => {
                    let folder = parent(&self.named.join(&name)).to_owned();
                    return Err(StoreError::Folder { folder, error: error.into() });
                }
            }
        }
        unreachable!("a folder can't hold four billion names")
    }

    /// The path that leads to it now: another than its name when it was moved, or another folder took its place.
    fn now(&self) -> PathBuf {
        let path = if self.named.as_os_str().is_empty() { Path::new(".") } else { &self.named };
        if self.is_at(path) {
            return self.named.clone();
        }
        let moved = std::fs::read_link(format!("/proc/self/fd/{}", self.handle.as_raw_fd()));
        moved.ok().filter(|moved| self.is_at(moved)).unwrap_or_else(|| self.named.clone())
    }

    fn is_at(&self, path: &Path) -> bool {
        let (Ok(there), Ok(here)) = (path.metadata(), self.handle.metadata()) else { return false };
        (there.dev(), there.ino()) == (here.dev(), here.ino())
    }
}

/// Renames inside a folder, unless the new name is taken.
fn rename_new(folder: &File, from: &OsStr, to: &OsStr) -> rustix::io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    {
        use rustix::fs::{RenameFlags, renameat_with};
        match renameat_with(folder, from, folder, to, RenameFlags::NOREPLACE) {
            // File systems without the flag (NFS, some FUSE ones) get the two steps below.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            other => return other,
        }
    }
    match linkat(folder, from, folder, to, AtFlags::empty()) {
        // Of two names the final one goes, too: what is not published is not there.
        Ok(()) => unlinkat(folder, from, AtFlags::empty()).inspect_err(|_| {
            let _ = unlinkat(folder, to, AtFlags::empty());
        }),
        Err(Errno::EXIST) => Err(Errno::EXIST),
        // No hard links either: the name was free a moment ago, or this says that it is not.
        Err(_) => {
            drop(openat(folder, to, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC, Mode::RUSR)?);
            renameat(folder, from, folder, to).inspect_err(|_| {
                let _ = unlinkat(folder, to, AtFlags::empty());
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_t_be_flushed_is_told_at_the_next_stretch_and_at_the_end() {
        let broken = || {
            // A pipe can't be flushed.
            let (_reader, writer) = rustix::pipe::pipe().expect("a pipe");
            Flusher::start(File::from(writer)).expect("a thread")
        };
        let flusher = broken();
        let told = |_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            !flusher.go_on()
        };
        assert!((0..1000).any(told), "never told");
        assert_eq!(flusher.end().expect_err("an error").raw_os_error(), Some(Errno::INVAL.raw_os_error()));
        let flusher = broken();
        assert!(flusher.go_on());
        flusher.end().expect_err("an error");
        broken().end().expect("nothing to flush");
    }
}
