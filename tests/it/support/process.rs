//! dbhaul as a process, and clients that a test scripts.

use std::{
    ffi::OsStr,
    fs::File,
    io::{Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::program;

/// A dbhaul to be started, with an environment of PATH and HOME (an empty temporary folder) and no input.
pub fn dbhaul() -> Dbhaul {
    started_as(program())
}

/// The same of the program that has one engine more.
pub fn dbhaul_with_shelf() -> Dbhaul {
    started_as(env!("CARGO_BIN_EXE_dbhaul-with-shelf"))
}

fn started_as(program: &str) -> Dbhaul {
    let home = tempfile::tempdir().expect("a folder for HOME");
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").expect("PATH"))
        .env("HOME", home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    Dbhaul { command, home, input: None, limit: Duration::from_secs(120) }
}

/// See [`dbhaul`].
pub struct Dbhaul {
    command: Command,
    home: tempfile::TempDir,
    input: Option<Vec<u8>>,
    limit: Duration,
}

impl Dbhaul {
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// The working folder.
    #[must_use]
    pub fn cwd(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Where clients are looked for, by `DBHAUL_CLIENT_DIR` (joined as in PATH).
    #[must_use]
    pub fn client_dirs(mut self, folders: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.env("DBHAUL_CLIENT_DIR", std::env::join_paths(folders).expect("folders without a colon"));
        self
    }

    /// Started by another program, which is given it as its last arguments: `strace`, `prlimit`. To be said before what
    /// its input and output are.
    #[must_use]
    pub fn under(mut self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        let mut words = words.into_iter();
        let mut command = Command::new(words.next().expect("a program"));
        command.args(words).arg(self.command.get_program()).args(self.command.get_args());
        command.env_clear().envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(folder) = self.command.get_current_dir() {
            command.current_dir(folder);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        self.command = command;
        self
    }

    /// With system calls that fail: `fsync:error=EIO:when=2` is the second of each thread.
    #[must_use]
    pub fn failing(self, calls: &[&str]) -> Self {
        let injected = calls.iter().map(|call| format!("--inject={call}"));
        // -D: dbhaul itself is our child, and strace looks on.
        let strace = ["strace", "-D", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null"].map(str::to_owned);
        let names = calls.iter().map(|call| call.split(':').next().unwrap_or_default());
        let traced = format!("--trace={}", names.collect::<Vec<_>>().join(","));
        self.under(strace.into_iter().chain([traced]).chain(injected))
    }

    /// Standard input, through a pipe.
    #[must_use]
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.command.stdin(Stdio::piped());
        self.input = Some(bytes.into());
        self
    }

    /// Standard input from a file.
    #[must_use]
    pub fn input_file(mut self, file: File) -> Self {
        self.command.stdin(file);
        self.input = None;
        self
    }

    /// Standard output into a file (`/dev/full`, say); then [`Output::stdout`] stays empty.
    #[must_use]
    pub fn output_file(mut self, file: File) -> Self {
        self.command.stdout(file);
        self
    }

    /// How long it may take, instead of 120 s.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// HOME, to put files into.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Runs it to its end.
    pub fn run(self) -> Output {
        self.spawn().wait()
    }

    /// Starts it, for tests that do something meanwhile.
    pub fn spawn(mut self) -> Running {
        let mut child = self.command.spawn().expect("start dbhaul");
        if let (Some(input), Some(mut stdin)) = (self.input.take(), child.stdin.take()) {
            // dbhaul may well stop reading: that is no failure of the test.
            thread::spawn(move || {
                let _ = stdin.write_all(&input);
            });
        }
        let stdout = Collected::from(child.stdout.take());
        let stderr = Collected::from(child.stderr.take());
        Running { child, stdout, stderr, deadline: Instant::now() + self.limit, status: None, _home: self.home }
    }
}

/// A dbhaul that runs. Dropped, it and its process group are killed.
pub struct Running {
    child: Child,
    stdout: Collected,
    stderr: Collected,
    deadline: Instant,
    status: Option<ExitStatus>,
    _home: tempfile::TempDir,
}

impl Running {
    /// Its process id, which is also its process group's.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to dbhaul alone.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.raw_pid(), signal).expect("signal dbhaul");
    }

    /// What it has written to stderr so far.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr.bytes()).into_owned()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        if self.status.is_none() {
            self.status = self.child.try_wait().expect("wait for dbhaul");
        }
        self.status.is_none()
    }

    /// Waits until `condition` holds; a dbhaul that ends first, or the time limit, is a panic.
    pub fn wait_until(&mut self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        while !condition(self) {
            assert!(self.is_running(), "dbhaul ended before {what}:\n{}", self.stderr());
            assert!(Instant::now() < self.deadline, "no {what} in time:\n{}", self.stderr());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for its end and for the end of its streams; too long is a panic.
    pub fn wait(mut self) -> Output {
        while self.is_running() {
            assert!(Instant::now() < self.deadline, "dbhaul ran too long and was killed:\n{}", self.stderr());
            thread::sleep(Duration::from_millis(5));
        }
        let in_time = self.stdout.finish(self.deadline) && self.stderr.finish(self.deadline);
        assert!(in_time, "dbhaul ended, but something holds its stdout or stderr open:\n{}", self.stderr());
        let status = self.status.expect("it has ended");
        Output { code: status.code(), signal: status.signal(), stdout: self.stdout.bytes(), stderr: self.stderr() }
    }

    fn raw_pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The id is dbhaul's as long as nobody has waited for it; its group may outlive it.
        if self.status.is_none() {
            let _ = kill_process_group(self.raw_pid(), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// How a dbhaul ended.
#[derive(Debug)]
pub struct Output {
    /// The exit code, unless a signal ended it.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Output {
    /// stdout as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("stdout is not UTF-8")
    }

    /// stdout as one JSON value.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in: {}\n{}", String::from_utf8_lossy(&self.stdout), self.stderr))
    }

    /// Panics, with stderr, unless the exit code is `code`.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "signal {:?}, stderr:\n{}", self.signal, self.stderr);
        self
    }
}

/// A stream read by a thread of its own, so that the child never waits for the test.
struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    end: mpsc::Receiver<()>,
}

impl Collected {
    fn from(stream: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let (sender, end) = mpsc::channel();
        if let Some(mut stream) = stream {
            let bytes = Arc::clone(&bytes);
            thread::spawn(move || {
                let mut buffer = vec![0; 65536];
                while let Ok(count @ 1..) = stream.read(&mut buffer) {
                    bytes.lock().expect("no panic with the lock").extend_from_slice(&buffer[..count]);
                }
                let _ = sender.send(());
            });
        } else {
            let _ = sender.send(());
        }
        Self { bytes, end }
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().expect("no panic with the lock").clone()
    }

    /// Whether the stream ended before `deadline` (and at least 2 s from now).
    fn finish(&self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_secs(2));
        self.end.recv_timeout(left).is_ok()
    }
}

/// Writes an executable `folder/name` that plays a client; `script` begins with its `#!` line.
pub fn fake_client(folder: &Path, name: &str, script: &str) -> PathBuf {
    let path = folder.join(name);
    install(Path::new("/dev/stdin"), &path, script.as_bytes());
    path
}

/// Copies a program to `to`, where every user may run it.
pub fn copy_program(from: impl AsRef<Path>, to: &Path) {
    install(from.as_ref(), to, b"");
}

/// Another process writes what will be run: a descriptor open for writing here could be inherited for a moment by a child
/// that another test starts, and the program would be refused as "text file busy".
fn install(from: &Path, to: &Path, stdin: &[u8]) {
    let mut install = Command::new("install")
        .args(["-m", "755"])
        .args([from, to])
        .stdin(Stdio::piped())
        .spawn()
        .expect("run install");
    install.stdin.take().expect("a pipe").write_all(stdin).expect("write the script");
    assert!(install.wait().expect("wait for install").success(), "cannot write {}", to.display());
}
