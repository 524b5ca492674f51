//! The private folder of a throw-away server, and who it belongs to.
//!
//! It is locked while we live: that tells it from one that a killed run left behind (`leftovers`).

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::error::{Error, Kind, Result};
use crate::hint::{self, Hint};
use crate::invocation::Account;
use crate::leftovers;
use crate::report::units;
use crate::store;

/// The longest path of a folder that leaves room for a socket's name: the system takes 107 bytes, macOS 103.
const LONGEST: usize = 80;

/// A private folder for one server.
pub struct Folder {
    place: TempDir,
    /// Who the server runs as, if that is not ourselves.
    pub account: Option<Account>,
    _lock: File,
}

impl Folder {
    /// Makes a folder where there is room for so many bytes. `package` is the user that packages make for the server.
    pub fn create(parent: &Path, needed: u64, package: &str) -> Result<Self> {
        check_disk_space(parent, needed)?;
        let account = if rustix::process::geteuid().is_root() { Some(find_account(package)?) } else { None };
        let failed = |error: io::Error| {
            Error::new(Kind::Store, format!("no folder for a scratch server can be made in {}", parent.display()))
                .why(error)
                .hint(hint::ANOTHER_TMPDIR)
        };
        let private = Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new()
            .prefix(leftovers::SCRATCH)
            .permissions(private)
            .tempdir_in(parent)
            .map_err(failed)?;
        if folder.path().as_os_str().len() > LONGEST {
            return Err(failed(io::Error::other("its path is too long for a socket")));
        }
        let lock = leftovers::hold_folder(folder.path()).map_err(failed)?;
        if let Some(Account { user, group }) = account {
            chown(folder.path(), Some(user), Some(group)).map_err(failed)?;
        }
        Ok(Self { place: folder, account, _lock: lock })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.place.path()
    }

    /// Removes it. A process that was killed a moment ago may still add a file.
    pub fn remove(self) {
        for _ in 0..20 {
            if std::fs::remove_dir_all(self.place.path()).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Refuses before the first byte what would fail after hours.
fn check_disk_space(folder: &Path, needed: u64) -> Result<()> {
    let free = store::free(folder)?;
    if free >= needed {
        return Ok(());
    }
    Err(Error::new(Kind::Refused, format!("there is no room for a scratch server in {}", folder.display()))
        .why(format!("it may take {} with its indexes and logs, {} are free", units::size(needed), units::size(free)))
        .why("nothing was started")
        .hint(Hint::new(
            "more-room-or-restore-into",
            "TMPDIR names a folder with more room; --restore-into URI uses a server of yours",
        )))
}

/// The server's own user of this machine, or nobody: PostgreSQL refuses root, and a dump's SQL needs no such rights.
fn find_account(package: &str) -> Result<Account> {
    let known = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    [package, "nobody"].into_iter().find_map(|name| find(&known, name)).ok_or_else(|| {
        Error::new(Kind::Client, "a scratch server does not run as root, and there is nobody else to run it")
            .why(format!("neither {package} nor nobody is in /etc/passwd"))
            .hint(Hint::new("ordinary-user", "run verify as an ordinary user"))
    })
}

/// `postgres:x:105:110:...`
fn find(passwd: &str, name: &str) -> Option<Account> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let found = fields.next()? == name;
        let (user, group) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        (found && user != 0).then_some(Account { user, group })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_name_and_never_root() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\npostgres2:x:1:1::/:/bin/sh\npostgres:x:105:110::/:/bin/sh\n";
        assert_eq!(find(passwd, "postgres"), Some(Account { user: 105, group: 110 }));
        assert_eq!(find(passwd, "root"), None);
        assert_eq!(find(passwd, "nobody"), None);
    }

    #[test]
    fn a_folder_in_use_is_no_leftover_and_goes_with_its_owner() {
        let parent = tempfile::tempdir().expect("a folder");
        let used = Folder::create(parent.path(), 0, "nobody").expect("made");
        assert_eq!(leftovers::find(parent.path()), []);
        let path = used.path().to_owned();
        used.remove();
        assert!(!path.exists());
    }

    #[test]
    fn too_little_room_is_said_before_anything_is_made() {
        let parent = tempfile::tempdir().expect("a folder");
        let error = Folder::create(parent.path(), u64::MAX, "nobody").err().expect("refused");
        assert_eq!(error.kind, Kind::Refused);
        assert_eq!(parent.path().read_dir().expect("readable").count(), 0);
    }
}
