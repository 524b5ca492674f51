//! Real servers: each in a temporary folder, on a free port of 127.0.0.1, gone with the test process.
//!
//! Tests share one server of each flavour ([`shared`], [`postgres15`] and its sisters) and make databases of their own in it;
//! [`Server::start`] is for a test that must break, stop or reconfigure a server.

use std::{
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    net::TcpListener,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    Database, alive, eventually,
    flavour::{self, Flavour},
    mysql_session, template, tls,
};

/// The superuser of every server.
pub const USER: &str = "dbhaul";
/// Its password. Long enough to be searched for where no password may stand.
pub const PASSWORD: &str = "correct-horse-7Kq2wZ";

const START_LIMIT: Duration = Duration::from_secs(60);

/// A running server. Dropped, it is stopped and its folder removed.
pub struct Server {
    flavour: Flavour,
    port: u16,
    folder: PathBuf,
    watcher: Child,
}

impl Server {
    /// Starts a server and waits until its superuser can log in.
    pub fn start(flavour: Flavour) -> Self {
        Self::start_with(flavour, &[])
    }

    /// The same with more words at the end of the server's command line, such as `["-c", "ssl=off"]` or
    /// `["--sql-require-primary-key=ON"]`.
    pub fn start_with(flavour: Flavour, more: &[&str]) -> Self {
        // Another program may take the free port before the server does.
        for _ in 0..2 {
            if let Ok(server) = Self::try_start(flavour, more) {
                return server;
            }
        }
        Self::try_start(flavour, more).unwrap_or_else(|log| panic!("{} does not start:\n{log}", flavour.name()))
    }

    fn try_start(flavour: Flavour, more: &[&str]) -> Result<Self, String> {
        let folder = flavour.new_folder();
        template::copy(flavour, folder.path(), more);
        tls::write(folder.path(), flavour.owner());
        if !flavour.is_postgres() {
            let init = format!(
                "CREATE USER IF NOT EXISTS {USER}@'%' IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON *.* TO {USER}@'%' WITH GRANT OPTION;\n"
            );
            fs::write(folder.path().join("init.sql"), init).expect("write the init file");
        }
        let port = free_port();
        let folder = folder.keep();

        let mut watcher = Command::new("bash");
        watcher
            .args(["-c", include_str!("watcher.sh"), "watcher"])
            .arg(&folder)
            // PostgreSQL's "immediate" end takes its backends along; the others are one process.
            .arg(if flavour.is_postgres() { "QUIT" } else { "KILL" })
            .args(flavour.launcher())
            .args(flavour.server_words(&flavour.inside(&folder), port))
            .args(more)
            .current_dir("/")
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LC_ALL", "C.UTF-8")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        let watcher = watcher.spawn().expect("run bash");
        let mut server = Self { flavour, port, folder, watcher };

        let deadline = Instant::now() + START_LIMIT;
        let mut log = String::new();
        while server.watcher.try_wait().expect("wait for the watcher").is_none() {
            if let Ok(text) = fs::read(server.folder.join("log")) {
                log = String::from_utf8_lossy(&text).into_owned();
            }
            match server.try_sql(server.any_database(), "SELECT 1") {
                Ok(_) => return Ok(server),
                Err(error) if Instant::now() > deadline => {
                    let _ = write!(log, "no login after {START_LIMIT:?}: {error}");
                    return Err(log);
                }
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        }
        Err(log)
    }

    pub fn flavour(&self) -> Flavour {
        self.flavour
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    #[expect(clippy::unused_self, reason = "all servers have the same; a caller need not know")]
    pub fn user(&self) -> &'static str {
        USER
    }

    #[expect(clippy::unused_self, reason = "all servers have the same; a caller need not know")]
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// The folder of the vendor's clients that fit this server.
    pub fn client_dir(&self) -> PathBuf {
        self.flavour.client_dir()
    }

    /// The authority that signed the server's certificate, which is for [`tls::HOST`] and `localhost`.
    pub fn ca_file(&self) -> PathBuf {
        tls::files(&self.folder).ca
    }

    /// Where the server's Unix socket is: a folder for PostgreSQL, a file for the others.
    pub fn socket(&self) -> PathBuf {
        if self.flavour.is_postgres() { self.folder.clone() } else { self.folder.join("socket") }
    }

    /// Where it keeps its data.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.join("log")).expect("read the log")).into_owned()
    }

    /// The superuser's URI of a database by name.
    pub fn uri(&self, database: &str) -> String {
        self.uri_as(USER, PASSWORD, database)
    }

    /// A URI with another user; every part is percent-encoded where it has to be.
    pub fn uri_as(&self, user: &str, password: &str, database: &str) -> String {
        let scheme = self.flavour.family().scheme();
        let [user, password, database] = [user, password, database].map(percent_encode);
        format!("{scheme}://{user}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// An empty database, its name beginning with `prefix`.
    pub fn database(&self, prefix: &str) -> Database<'_> {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        self.database_named(&format!("{prefix}_{}", COUNT.fetch_add(1, Ordering::Relaxed)))
    }

    /// An empty database of exactly this name.
    pub fn database_named(&self, name: &str) -> Database<'_> {
        Database::create(self, name)
    }

    /// Runs SQL as the superuser in the server's own database (`postgres`, `mysql`).
    pub fn sql(&self, text: &str) -> String {
        self.try_sql(self.any_database(), text).unwrap_or_else(|error| panic!("{}: {error}", self.flavour.name()))
    }

    /// A name as an identifier in SQL.
    pub fn quote(&self, name: &str) -> String {
        let quote = if self.flavour.is_postgres() { "\"" } else { "`" };
        format!("{quote}{}{quote}", name.replace(quote, &quote.repeat(2)))
    }

    /// One of the vendor's clients under `timeout`, told how to reach this server as the superuser; the database is left to say.
    pub fn client(&self, program: &str) -> Command {
        // Some hang by themselves (mariadb-dump 10.11 does on an event whose body has two semicolons in a row).
        // By its whole path: it is not looked for on PATH, and std need not fork this large process for that.
        let mut command = Command::new("/usr/bin/timeout");
        command.args(["--kill-after=5", "300"]).arg(self.client_dir().join(program));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8").env("HOME", "/nonexistent");
        if self.flavour.is_postgres() {
            command
                .env("PGHOST", "127.0.0.1")
                .env("PGPORT", self.port.to_string())
                .env("PGUSER", USER)
                .env("PGPASSWORD", PASSWORD);
        } else {
            command
                .args(["--no-defaults", "--protocol=TCP", "--host=127.0.0.1", "--default-character-set=utf8mb4"])
                .args(["--max-allowed-packet=1G".to_owned(), format!("--port={}", self.port), format!("--user={USER}")])
                .env("MYSQL_PWD", PASSWORD);
        }
        command
    }

    pub(super) fn any_database(&self) -> &'static str {
        if self.flavour.is_postgres() { "postgres" } else { "mysql" }
    }

    /// The interactive client, reading SQL from standard input and stopping at the first error.
    pub(super) fn shell(&self, database: &str) -> Command {
        let mut shell = self.client(self.flavour.family().shell());
        if self.flavour.is_postgres() {
            shell.args(["-X", "-q", "-At", "-F\t", "-v", "ON_ERROR_STOP=1", "-f", "-"]).env("PGDATABASE", database);
        } else {
            shell.args(["--skip-column-names", "--batch", "--comments"]).arg(format!("--database={database}"));
        }
        shell
    }

    pub fn try_sql(&self, database: &str, text: &str) -> Result<String, String> {
        if !self.flavour.is_postgres() && mysql_session::takes(text) {
            return mysql_session::run(&self.socket(), database, text);
        }
        let mut shell = self.shell(database);
        let mut child = shell
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot run timeout: {error}"))?;
        let mut stdin = child.stdin.take().expect("a pipe");
        // A thread: a client with much to say must not wait for one that has much to tell it.
        let text = text.to_owned();
        let writer = thread::spawn(move || stdin.write_all(text.as_bytes()));
        let output = child.wait_with_output().map_err(|error| error.to_string())?;
        let written = writer.join().expect("the writer");
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        written.map_err(|error| error.to_string())?;
        let mut text = String::from_utf8(output.stdout).map_err(|error| error.to_string())?;
        text.truncate(text.trim_end_matches('\n').len());
        Ok(text)
    }

    pub(super) fn sql_at_once(&self, database: &str, text: &str) {
        mysql_session::run(&self.socket(), database, text).unwrap_or_else(|error| panic!("{database}: {error}"));
    }

    /// Sends the server a signal that ends it. Its folder stays: [`Server::resume`] starts it there again.
    pub fn halt(&self, signal: Signal) {
        fs::write(self.folder.join("stopped"), "").expect("write");
        kill_process(Pid::from_raw(self.pid().cast_signed()).expect("an id"), signal).expect("signal the server");
    }

    /// Waits until a server that was halted is gone.
    pub fn gone(&self) {
        eventually("the server is gone", || self.folder.join("down").exists());
    }

    /// Starts a server that was halted on its port again, and waits until it lets us in.
    pub fn resume(&self) {
        self.gone();
        fs::remove_file(self.folder.join("down")).expect("remove");
        eventually("the server is back", || self.try_sql(self.any_database(), "SELECT 1").is_ok());
    }

    /// The same without a word of its command line.
    pub fn resume_without(&self, word: &str) {
        fs::write(self.folder.join("without"), word).expect("write");
        self.resume();
    }

    /// The server's process: beside it, the watcher has one that waits for the end of its input.
    pub fn pid(&self) -> u32 {
        let watcher = self.watcher.id();
        let children = fs::read_to_string(format!("/proc/{watcher}/task/{watcher}/children")).unwrap_or_default();
        let name = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let mut servers = children.split_whitespace().filter_map(|pid| pid.parse().ok());
        servers.find(|pid| alive(*pid) && name(pid) != "cat\n").expect("it runs")
    }

    /// Stops the server and waits until it is gone, its folder too. [`Drop`] does the same.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.watcher.stdin.take());
        let _ = self.watcher.wait();
    }
}

/// The shared server of a flavour, started when it is first asked for. Shared servers end with the test process; leave
/// their settings as they are.
pub fn shared(flavour: Flavour) -> &'static Server {
    static SERVERS: [OnceLock<Server>; flavour::COUNT] = [const { OnceLock::new() }; flavour::COUNT];
    SERVERS[flavour as usize].get_or_init(|| Server::start(flavour))
}

/// The shared PostgreSQL 15.
pub fn postgres15() -> &'static Server {
    shared(Flavour::Postgres15)
}

/// The shared PostgreSQL 18.
pub fn postgres18() -> &'static Server {
    shared(Flavour::Postgres18)
}

/// The shared MySQL 9.7.
pub fn mysql() -> &'static Server {
    shared(Flavour::Mysql)
}

/// The shared MariaDB 10.11.
pub fn mariadb() -> &'static Server {
    shared(Flavour::Mariadb)
}

pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0));
    listener.and_then(|listener: TcpListener| -> io::Result<_> { listener.local_addr() }).expect("a free port").port()
}

fn percent_encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
