//! What runs that were killed left behind: found, named, and removed where that is wanted.
//!
//! Whatever a run puts on a disk for a while is locked (flock) while the run lives; the kernel lets go of the lock with
//! the process, however that ends. [`hold`] takes the lock, [`find`] looks for what nobody holds.
//!
//! Nothing is removed but what is ours by name, owner and content, and only while we hold its lock. A run that has made
//! its file and not locked it yet finds it gone then, for [`hold`] looks, and makes another.

use std::ffi::OsStr;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, CWD, FlockOperation, OFlags, flock, statat};
use rustix::io::{Errno, retry_on_intr};

use crate::archive;

/// An archive that is being written has its name and this.
pub const PARTIAL: &str = ".partial";
/// What the names of throw-away servers' folders begin with.
pub const SCRATCH: &str = "dbhaul-scratch-";
/// What the names of temporary copies begin with: files, and folders.
pub const SPOOL: &str = "dbhaul-spool-";
/// What the names of folders with a child's private files begin with.
pub const PRIVATE: &str = "dbhaul-private-";

/// The file of a folder that is locked for it: not every file system locks folders.
const LOCK: &str = "lock";

/// Locks a file of ours that was just made as `name` in the folder `at`. False when it stands there no more: somebody
/// took it for a leftover before it was locked. Where the file system has no locks, it is not locked.
#[must_use]
pub fn hold(file: &File, at: impl AsFd, name: impl AsRef<OsStr>) -> bool {
    // Only who looks for leftovers can hold it, and not for long.
    let _ = retry_on_intr(|| flock(file, FlockOperation::LockExclusive));
    let here = statat(at, name.as_ref(), AtFlags::SYMLINK_NOFOLLOW);
    here.is_ok_and(|here| file.metadata().is_ok_and(|meta| (here.st_dev, here.st_ino) == (meta.dev(), meta.ino())))
}

/// The same of a path.
#[must_use]
pub fn hold_path(file: &File, path: &Path) -> bool {
    hold(file, CWD, path)
}

/// Locks a folder of ours that was just made, for as long as the file lives.
pub fn hold_folder(folder: &Path) -> io::Result<File> {
    let path = folder.join(LOCK);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    if hold_path(&file, &path) { Ok(file) } else { Err(io::Error::other("it was removed in the same moment")) }
}

/// Something that a run left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// A file, or a folder.
    pub path: PathBuf,
    /// Its size in bytes, with everything in it.
    pub bytes: u64,
    /// Since it was last written, or begun.
    pub age: Duration,
    /// Why a living run may still be using it: then it is not removed.
    pub unsure: Option<String>,
}

/// What killed runs left in a folder; an unreadable folder has nothing.
#[must_use]
pub fn find(folder: &Path) -> Vec<Leftover> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let named = entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| LeftoverKind::of(name).is_some()));
    let mut found: Vec<_> = named.filter_map(|entry| examine(&entry.path())).map(|(leftover, _)| leftover).collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

impl Leftover {
    /// Removes it, unless somebody did before us, or it is in use after all.
    pub fn remove(&self) -> io::Result<bool> {
        match examine(&self.path) {
            Some((Leftover { unsure: None, .. }, _lock)) if self.path.is_dir() => std::fs::remove_dir_all(&self.path),
            Some((Leftover { unsure: None, .. }, _lock)) => std::fs::remove_file(&self.path),
            _ => return Ok(false),
        }
        .map(|()| true)
    }
}

/// What a name is the name of.
enum LeftoverKind {
    /// An archive that is being written.
    Archive,
    /// Something in the folder for temporary files.
    Temporary,
}

impl LeftoverKind {
    fn of(name: &str) -> Option<Self> {
        if name.ends_with(PARTIAL) {
            return Some(Self::Archive);
        }
        [SCRATCH, SPOOL, PRIVATE].iter().any(|prefix| name.starts_with(prefix)).then_some(Self::Temporary)
    }
}

/// A leftover, with its lock; nothing when it is not ours, or when somebody holds it.
fn examine(path: &Path) -> Option<(Leftover, File)> {
    let name = path.file_name()?.to_str()?;
    let kind = LeftoverKind::of(name)?;
    let whole = path.symlink_metadata().ok()?;
    let marker = match kind {
        LeftoverKind::Temporary if whole.is_dir() => path.join(LOCK),
        _ => path.to_owned(),
    };
    let file = open_ours(&marker)?;
    if matches!(kind, LeftoverKind::Archive) && !begun_by_us(&file, name) {
        return None;
    }
    let unsure = match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => beyond_this_machine(&file),
        Err(Errno::WOULDBLOCK) => return None,
        Err(error) => Some(format!("the file system has no locks ({error})")),
    };
    let meta = file.metadata().ok()?;
    let here = marker.symlink_metadata().ok()?;
    if (here.dev(), here.ino()) != (meta.dev(), meta.ino()) {
        return None;
    }
    let age = meta.modified().ok().and_then(|at| at.elapsed().ok()).unwrap_or_default();
    Some((Leftover { path: path.to_owned(), bytes: size(path, &whole), age, unsure }, file))
}

/// Opens a regular file that belongs to us. What others put there under such a name is theirs.
fn open_ours(path: &Path) -> Option<File> {
    // Not through a link, and without waiting for whoever writes to a pipe.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
    let meta = file.metadata().ok()?;
    (meta.is_file() && meta.uid() == rustix::process::geteuid().as_raw()).then_some(file)
}

/// Whether it begins as our archives do. One that has hardly begun goes by its name.
fn begun_by_us(file: &File, name: &str) -> bool {
    let mut first = Vec::new();
    if file.take(archive::BEGINNING).read_to_end(&mut first).is_err() {
        return false;
    }
    archive::is_ours(&first)
        .unwrap_or_else(|| [".tar.gz.", ".tar.zst.", ".tar."].iter().any(|part| name.contains(part)))
}

/// Why the lock of this file may be held on another machine all the same.
#[cfg(target_os = "linux")]
fn beyond_this_machine(file: &File) -> Option<String> {
    /// From `statfs(2)`: NFS, SMB (three kinds), FUSE, 9P, Ceph, Lustre, AFS, OCFS2, GFS2.
    const SHARED: [i64; 11] = [
        0x6969,
        0x517b,
        0xff53_4d42,
        0xfe53_4d42,
        0x6573_5546,
        0x0102_1997,
        0x00c3_6400,
        0x0bd0_0bd0,
        0x5346_414f,
        0x7461_636f,
        0x0116_1970,
    ];
    let kind = rustix::fs::fstatfs(file).ok()?.f_type;
    SHARED.contains(&kind).then(|| "the file system may be shared with other machines".to_owned())
}

#[cfg(not(target_os = "linux"))]
fn beyond_this_machine(_: &File) -> Option<String> {
    None
}

/// The bytes of a file, or of everything in a folder.
fn size(path: &Path, meta: &Metadata) -> u64 {
    if !meta.is_dir() {
        return meta.len();
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok().map(|meta| size(&entry.path(), &meta))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "20260102030405_shop.tar.gz.partial";

    fn place() -> tempfile::TempDir {
        tempfile::tempdir().expect("a folder")
    }

    fn found(folder: &Path) -> Vec<PathBuf> {
        find(folder).into_iter().map(|leftover| leftover.path).collect()
    }

    #[test]
    fn what_nobody_holds_is_a_leftover_and_can_be_removed() {
        let folder = place();
        let path = folder.path().join(NAME);
        let file = File::create(&path).expect("made");
        assert!(hold_path(&file, &path));
        assert!(found(folder.path()).is_empty(), "{:?}", find(folder.path()));
        drop(file);
        let [left] = find(folder.path()).try_into().expect("one");
        assert!(left.remove().expect("removed"));
        assert!(!path.exists());
        assert!(!left.remove().expect("nothing to remove"));
    }

    #[test]
    fn what_is_in_use_again_is_not_removed() {
        let folder = place();
        let path = folder.path().join(NAME);
        std::fs::write(&path, "").expect("written");
        let [left] = find(folder.path()).try_into().expect("one");
        let file = File::open(&path).expect("opened");
        assert!(hold_path(&file, &path));
        assert!(!left.remove().expect("left alone"));
        assert!(path.exists());
    }

    #[test]
    fn a_file_that_was_taken_for_a_leftover_before_it_was_locked_is_known_to_be_gone() {
        let folder = place();
        let path = folder.path().join(NAME);
        let file = File::create(&path).expect("made");
        let [left] = find(folder.path()).try_into().expect("one");
        assert!(left.remove().expect("removed"));
        assert!(!hold_path(&file, &path));
        std::fs::write(&path, "another run's").expect("written");
        assert!(!hold_path(&file, &path));
    }

    #[test]
    fn what_is_not_ours_is_none_of_ours() {
        let folder = place();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("holiday.mp4.partial"), "somebody's download").expect("written");
        std::fs::write(at("20260102030405_shop.tar.gz.partial"), [7; 2048]).expect("written");
        std::fs::write(at("empty.partial"), "").expect("written");
        std::fs::write(at("dbhaul-notes"), "").expect("written");
        std::fs::create_dir(at("dbhaul-scratch-without-a-lock")).expect("made");
        std::fs::create_dir(at("20260102030405_shop.tar.partial")).expect("made");
        std::fs::write(at("target"), "").expect("written");
        std::os::unix::fs::symlink(at("target"), at("dbhaul-spool-link")).expect("linked");
        rustix::fs::mkfifoat(CWD, at("dbhaul-spool-pipe"), rustix::fs::Mode::RUSR).expect("a pipe");
        assert!(found(folder.path()).is_empty(), "{:?}", find(folder.path()));
    }

    #[test]
    fn a_folder_counts_with_all_that_is_in_it() {
        let folder = place();
        let left = folder.path().join("dbhaul-scratch-left");
        std::fs::create_dir_all(left.join("data")).expect("made");
        std::fs::write(left.join("data/table"), [0; 1000]).expect("written");
        let lock = hold_folder(&left).expect("held");
        assert!(found(folder.path()).is_empty(), "{:?}", find(folder.path()));
        drop(lock);
        let [leftover] = find(folder.path()).try_into().expect("one");
        assert_eq!(leftover.bytes, 1000);
        assert!(leftover.remove().expect("removed"));
        assert!(!left.exists());
    }
}
