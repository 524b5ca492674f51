//! File systems in a file, for what a tmpfs can't do.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Which.
#[derive(Clone, Copy)]
pub enum Filesystem {
    /// It can become read-only in the middle, as after an error of the medium.
    Ext4,
    /// With a quota of so many bytes.
    Btrfs { quota: u64 },
}

/// A file system in a file, mounted while this lives.
pub struct Image {
    folder: tempfile::TempDir,
    place: PathBuf,
}

impl Image {
    pub fn mount(kind: Filesystem) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (image, mounted) = (folder.path().join("image"), folder.path().join("mounted"));
        fs::create_dir(&mounted).expect("made");
        let size = match kind {
            Filesystem::Ext4 => 16 << 20,
            // The smallest that it makes without being asked twice.
            Filesystem::Btrfs { .. } => 128 << 20,
        };
        fs::File::create(&image).and_then(|file| file.set_len(size)).expect("an image");
        let (make, options): (&[&str], _) = match kind {
            Filesystem::Ext4 => (&["mkfs.ext4", "-q"], "loop,errors=remount-ro"),
            Filesystem::Btrfs { .. } => (&["mkfs.btrfs", "-q"], "loop"),
        };
        run(Command::new(make[0]).args(&make[1..]).arg(&image));
        run(Command::new("mount").args(["-o", options]).arg(&image).arg(&mounted));
        let mut image = Self { place: mounted.clone(), folder };
        if let Filesystem::Btrfs { quota } = kind {
            image.place = mounted.join("limited");
            run(Command::new("btrfs").args(["quota", "enable"]).arg(&mounted));
            run(Command::new("btrfs").args(["subvolume", "create"]).arg(&image.place));
            run(Command::new("btrfs").args(["qgroup", "limit", &quota.to_string()]).arg(&image.place));
        }
        image
    }

    pub fn path(&self) -> &Path {
        &self.place
    }

    /// What the kernel does when it finds that a file system is not what it should be.
    pub fn become_read_only(&self) {
        let found = Command::new("findmnt").args(["-n", "-o", "SOURCE"]).arg(&self.place).output().expect("findmnt");
        let device = String::from_utf8(found.stdout).expect("a device");
        let device = Path::new(device.trim()).file_name().expect("a device").to_owned();
        let trigger = Path::new("/sys/fs/ext4").join(device).join("trigger_fs_error");
        fs::write(&trigger, "1").unwrap_or_else(|error| panic!("{}: {error}", trigger.display()));
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.folder.path().join("mounted")).status();
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; run scripts/servers.sh"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "these tests mount file systems, as root; {command:?}: {said}");
}
