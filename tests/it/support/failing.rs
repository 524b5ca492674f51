//! What tests of failures share: how a refusal looks, a lock that stops a client, a disk of its own.

use std::{
    fs,
    io::Write as _,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{Database, Output, fake_client};

impl Output {
    /// A failure: this exit code, nothing on stdout, an `error:` line and all of `words` on stderr.
    #[track_caller]
    pub fn refused(self, code: i32, words: &[&str]) -> Self {
        let output = self.expect_code(code);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "stdout of a failure; stderr:\n{}", output.stderr);
        assert_eq!(error_lines(&output.stderr), 1, "one line says what failed:\n{}", output.stderr);
        for word in words {
            assert!(output.stderr.contains(word), "no {word:?} in:\n{}", output.stderr);
        }
        output
    }

    /// How many lines say what to do.
    pub fn hints(&self) -> usize {
        self.stderr.lines().filter(|line| line.starts_with("hint:")).count()
    }
}

/// How many lines say what failed.
pub fn error_lines(stderr: &str) -> usize {
    stderr.lines().filter(|line| line.starts_with("error:")).count()
}

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Polls until `condition` holds; a minute without is a panic.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "still not: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// The vendor's clients, each waiting at a gate: `--version` answers at once, work begins when the test says so.
pub struct Gate(tempfile::TempDir);

impl Gate {
    pub fn before(clients: &Path) -> Self {
        Self::with(clients, |real| format!("[ \"$1\" = --version ] && exec '{real}' --version\n"))
    }

    /// The same, but what waits is the answer to `--version`.
    pub fn before_versions(clients: &Path) -> Self {
        Self::with(clients, |real| format!("[ \"$1\" = --version ] || exec '{real}' \"$@\"\n"))
    }

    /// Clients that do this first.
    fn with(clients: &Path, first: impl Fn(&str) -> String) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (arrived, open) = (folder.path().join("arrived"), folder.path().join("open"));
        for program in ["pg_dump", "pg_restore", "psql", "mysqldump", "mysql", "mariadb-dump", "mariadb"] {
            let real = clients.join(program);
            if real.exists() {
                let script = format!(
                    "#!/bin/sh\n{first}touch '{arrived}'\n\
                     while [ ! -e '{open}' ]; do sleep 0.05; done\nexec '{real}' \"$@\"\n",
                    first = first(&real.to_string_lossy()),
                    real = real.display(),
                    arrived = arrived.display(),
                    open = open.display(),
                );
                fake_client(folder.path(), program, &script);
            }
        }
        Self(folder)
    }

    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    /// Whether a client stands before it: everything that dbhaul itself asks the server has been asked.
    pub fn reached(&self) -> bool {
        self.0.path().join("arrived").exists()
    }

    pub fn open(&self) {
        fs::write(self.0.path().join("open"), "").expect("write");
    }
}

/// Holds a table so that nobody else can read or write it, until it is dropped.
pub struct Lock(Child);

impl Lock {
    pub fn on(database: &Database<'_>, table: &str) -> Self {
        let server = database.server();
        let postgres = server.flavour().is_postgres();
        let mut client = database.client(server.flavour().family().shell());
        let sql = if postgres {
            format!("BEGIN; LOCK TABLE {table};\n\\echo locked\n")
        } else {
            client
                .args(["--batch", "--skip-column-names", "--unbuffered"])
                .arg(format!("--database={}", database.name()));
            format!("LOCK TABLES {table} WRITE; SELECT 'locked';\n")
        };
        let mut child = client.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("run the client");
        child.stdin.as_mut().expect("a pipe").write_all(sql.as_bytes()).expect("lock");
        let mut said = String::new();
        let mut stdout = std::io::BufReader::new(child.stdout.take().expect("a pipe"));
        while !said.contains("locked") {
            let read = std::io::BufRead::read_line(&mut stdout, &mut said).expect("read from the client");
            assert!(read > 0, "no lock on {table}");
        }
        Self(child)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The end of its input ends the client, its session and the lock.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// How many sessions, other than the asking one, are at work in this database; those that wait for a lock alone when
/// `waiting`.
pub fn sessions(database: &Database<'_>, waiting: bool) -> usize {
    let name = database.name();
    let sql = if database.server().flavour().is_postgres() {
        let which = if waiting { "wait_event_type = 'Lock'" } else { "true" };
        format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid() AND {which}"
        )
    } else {
        let which = if waiting { "state LIKE 'Waiting for%lock%'" } else { "true" };
        let list = database.server().flavour().processlist();
        format!("SELECT count(*) FROM {list} WHERE db = '{name}' AND {which}")
    };
    database.server().sql(&sql).parse().expect("a number")
}

/// A small disk, mounted while it lives.
pub struct Disk(tempfile::TempDir);

impl Disk {
    /// `options` as for `mount -o`: `size=64k`, `ro`.
    pub fn mount(options: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "dbhaul-it"]).arg(folder.path());
        assert!(mount.status().expect("run mount").success(), "these tests mount a tmpfs, as root");
        Self(folder)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves no room beyond what is used.
    pub fn shrink(&self) {
        let stat = rustix::fs::statvfs(self.path()).expect("a disk");
        let size = format!("remount,size={}", (stat.f_blocks - stat.f_bfree) * stat.f_frsize);
        let mounted = Command::new("mount").args(["-o", &size]).arg(self.path()).status().expect("run mount");
        assert!(mounted.success(), "{size}");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

/// A port that nobody listens on.
pub fn closed_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("its address").port()
}

/// A port that accepts and never says a word.
pub struct Silent {
    pub port: u16,
    _accepted: Arc<Mutex<Vec<TcpStream>>>,
}

impl Silent {
    pub fn listen() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let accepted = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&accepted);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                kept.lock().expect("no panic with the lock").push(stream);
            }
        });
        Self { port, _accepted: accepted }
    }
}

/// A child of a process, by the path of its program in its command line: some are run through a loader.
pub fn child_of(parent: u32, program: &str) -> Option<u32> {
    let named = |word: &[u8]| word.ends_with(format!("/{program}").as_bytes());
    descendants(parent).into_iter().find(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|&byte| byte == 0).take(5).any(named)
    })
}

/// Sends KILL to a process.
pub fn kill(pid: u32) {
    kill_process(Pid::from_raw(pid.cast_signed()).expect("a pid"), Signal::KILL).expect("kill");
}

/// Every process below another one.
pub fn descendants(parent: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let mut ask = vec![parent];
    while let Some(pid) = ask.pop() {
        for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            let children = children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok());
            ask.extend(children.inspect(|&pid| found.push(pid)));
        }
    }
    found
}

/// Whether a process is there and no zombie.
pub fn alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

/// The highest resident size of a dbhaul, in KiB; none before its exec, when it still is who starts it.
pub fn peak(pid: u32) -> Option<u64> {
    let exe = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    exe.file_name().filter(|name| name.as_encoded_bytes().starts_with(b"dbhaul"))?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// The command lines of all processes that hold this text.
fn processes_with(mark: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).filter(|line| line.contains(mark)).collect()
}

/// Waits until no process's command line holds this text.
pub fn assert_gone(mark: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !processes_with(mark).is_empty() {
        assert!(Instant::now() < deadline, "still there: {:?}", processes_with(mark));
        thread::sleep(Duration::from_millis(50));
    }
}
