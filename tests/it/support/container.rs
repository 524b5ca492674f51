//! What a container is made of, without an engine: namespaces, a root file system that nobody can write to, a user that
//! no passwd knows, no home, no terminal, and nothing in the environment.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{Output, descendants, eventually, program};

/// The number of a user and of a group that are in no passwd.
const USER: &str = "--reuid=10001 --regid=10001 --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all";

/// A shell that runs in the new namespaces. Its arguments: dbhaul's path, lines for before and for after the file systems
/// become read-only (for root, too), and the command. `/srv` is a small file system of the test's own, with dbhaul in
/// `/srv/bin`: the folder it was built in may be root's alone.
const MAKE: &str = r#"set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 none /srv
mkdir /srv/bin
: > /srv/bin/dbhaul
mount --bind "$1" /srv/bin/dbhaul
eval "$2"
while read -r _ _ _ _ where _; do
    case $where in /proc*|/sys*|/dev|/dev/pts) ;; *) mount -o remount,bind,ro "$where" 2>/dev/null || true ;; esac
done < /proc/self/mountinfo
for file in / /tmp/x /var/tmp/x /dev/shm/x /run/x /srv/x; do
    if touch "$file" 2>/dev/null; then echo "$file is writable" >&2; exit 99; fi
done
eval "$3"
shift 3
exec "$@""#;

/// A container to be run: dbhaul is its process 1, in `/`.
pub struct Container {
    command: Command,
    before: String,
    after: String,
    words: Vec<String>,
}

/// A container with this machine's file system, in which `words` run as process 1; `dbhaul` is on its PATH.
pub fn container(words: &[&str]) -> Container {
    let mut command = Command::new("unshare");
    command
        .args(["--pid", "--fork", "--kill-child", "--mount-proc", "--mount"])
        .env_clear()
        .env("PATH", "/srv/bin:/usr/bin:/bin")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    Container { command, before: String::new(), after: String::new(), words }
}

impl Container {
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Shell lines that prepare the file system before it becomes read-only.
    #[must_use]
    pub fn before(mut self, line: &str) -> Self {
        self.before += line;
        self
    }

    /// A small writable disk at `/mnt`, as a platform mounts one.
    #[must_use]
    pub fn disk(mut self, size: &str) -> Self {
        self.after = format!("mount -t tmpfs -o size={size},mode=1777 none /mnt");
        self
    }

    #[must_use]
    pub fn input(mut self, file: &Path) -> Self {
        self.command.stdin(File::open(file).expect("open the input"));
        self
    }

    /// Runs it to its end.
    pub fn run(self) -> Output {
        self.spawn().wait()
    }

    pub fn spawn(mut self) -> RunningContainer {
        self.command.args(["sh", "-c", MAKE, "container", program()]);
        self.command.args([&self.before, &self.after, "setpriv"]);
        self.command.args(USER.split(' ')).args(&self.words);
        RunningContainer(self.command.spawn().expect("run unshare"))
    }
}

/// A container that runs; its other end is unshare.
pub struct RunningContainer(Child);

impl RunningContainer {
    /// Process 1, by its number out here.
    pub fn first(&self) -> u32 {
        let children = || fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.0.id())).unwrap_or_default();
        eventually("process 1", || children().trim().parse::<u32>().is_ok());
        children().trim().parse().expect("one child")
    }

    /// What process 1 has started.
    pub fn others(&self) -> Vec<u32> {
        descendants(self.first())
    }

    /// Sends a signal to process 1.
    pub fn signal(&self, signal: Signal) {
        let first = Pid::from_raw(self.first().cast_signed()).expect("a pid");
        kill_process(first, signal).expect("signal process 1");
    }

    pub fn is_running(&mut self) -> bool {
        self.0.try_wait().expect("wait for unshare").is_none()
    }

    /// Waits for its end.
    pub fn wait(self) -> Output {
        let output = self.0.wait_with_output().expect("wait for unshare");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Output { code: output.status.code(), signal: None, stdout: output.stdout, stderr }
    }
}
