//! A watcher that outlives us for a moment: when we are gone, however that happened, it kills the child's group.
//!
//! It is `/bin/sh`, reading from a pipe whose other end only we hold. A word on the pipe means that all is well; end of
//! file without one means that nobody is left to see to the children. It is the only way on systems without
//! `PR_SET_PDEATHSIG`, and on Linux it reaches the grandchildren, which that does not (`pg_restore --jobs`, a tunnel
//! command that is a script).

use std::io::{self, PipeWriter, Write};
use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};

use super::orphans;

/// `$1` is the group, `$2` a folder that goes with it or nothing, `$3` the number of the signal that ends it: a server
/// that can end in order gets some seconds, for its own children are in groups of their own. This spelling of kill is the
/// one that dash, bash and busybox share: the first knows no `--` after `-KILL`, the last none after `-s KILL`.
const WATCH: &str = r#"trap '' HUP INT QUIT TERM
read -r word && exit
kill "-$3" "-$1"
left=50
while [ "$3" != 9 ] && [ "$left" -gt 0 ] && kill -0 "-$1"; do left=$((left - 1)); sleep 0.1; done
kill -KILL "-$1"
[ -z "$2" ] || rm -rf -- "$2""#;

/// Held for as long as a child's group lives.
#[derive(Debug)]
pub(super) struct Watchdog {
    line: PipeWriter,
    /// Tokio reaps it after it has been let go.
    _watcher: Child,
}

impl Watchdog {
    /// Starts the watcher of a group.
    pub(super) fn hold(group: Pid, folder: Option<&Path>, end: Signal) -> io::Result<Self> {
        let (reader, line) = io::pipe()?;
        let watcher = Command::new("/bin/sh")
            .args(["-c", WATCH, "dbhaul-lifeline"])
            .arg(group.to_string())
            .arg(folder.unwrap_or(Path::new("")))
            .arg(end.as_raw().to_string())
            .env_clear()
            .env("PATH", "/bin:/usr/bin")
            .current_dir("/")
            // Out of reach of a Ctrl-C on our terminal.
            .process_group(0)
            .stdin(reader)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        if let Some(pid) = watcher.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            orphans::ours(pid);
        }
        Ok(Self { line, _watcher: watcher })
    }

    /// The group is dead already: the watcher goes home.
    pub(super) fn release(mut self) {
        let _ = self.line.write_all(b"done\n");
    }
}
