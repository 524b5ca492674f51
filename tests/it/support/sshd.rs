//! A real sshd.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{descendants, fake_client};

/// A real sshd with keys, a configuration and a port of its own.
pub struct Sshd {
    child: Child,
    folder: tempfile::TempDir,
    pub port: u16,
}

impl Sshd {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        for name in ["host", "user"] {
            let status = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f", &path(name)])
                .status()
                .expect("run ssh-keygen");
            assert!(status.success());
        }
        // Privilege separation wants a folder that only root may write; the package's start script makes it.
        let _ = fs::create_dir_all("/run/sshd");
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).expect("a free port").port();
        fs::write(
            path("config"),
            format!(
                "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\n\
                 PidFile none\nPasswordAuthentication no\nPermitRootLogin yes\n",
                path("host"),
                path("user.pub"),
            ),
        )
        .expect("write the configuration");
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-e", "-f", &path("config")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(path("log")).expect("a log"))
            .process_group(0)
            .spawn()
            .expect("run sshd: apt install openssh-server");
        let sshd = Self { child, folder, port };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "sshd does not listen: {}", sshd.log());
            thread::sleep(Duration::from_millis(20));
        }
        sshd
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub fn place(&self) -> String {
        format!("root@127.0.0.1:{}", self.port)
    }

    /// An `ssh` of PATH that uses the test's key and host key. ssh takes `~` from the user database, not from HOME, so
    /// `~/.ssh/config` can't be used to say so.
    pub fn client(&self) -> PathBuf {
        let folder = self.folder.path().join("bin");
        let _ = fs::create_dir(&folder);
        let known = self.folder.path().join("known_hosts");
        let key = fs::read_to_string(self.folder.path().join("host.pub")).expect("the host's key");
        fs::write(&known, format!("[127.0.0.1]:{} {key}", self.port)).expect("write known_hosts");
        fake_client(
            &folder,
            "ssh",
            &format!(
                "#!/bin/sh\nexec /usr/bin/ssh -F /dev/null -o UserKnownHostsFile={} -o IdentitiesOnly=yes -i {} \"$@\"\n",
                known.display(),
                self.folder.path().join("user").display(),
            ),
        );
        folder
    }

    /// Kills the sshd and every process that it started for a connection.
    pub fn kill(&self) {
        for pid in [descendants(self.child.id()), vec![self.child.id()]].concat() {
            let _ = kill_process(Pid::from_raw(pid.cast_signed()).expect("an id"), Signal::KILL);
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.kill();
        let _ = self.child.wait();
    }
}
