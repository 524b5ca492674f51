//! Real servers: each in a temporary folder, on a free port of 127.0.0.1, gone with the test process.
//!
//! Tests share one server of each flavour ([`postgres15`] and its sisters) and make databases of their own in it;
//! [`Server::start`] is for a test that must break, stop or reconfigure a server.

use std::{
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{template, tls};

/// The superuser of every server.
pub const USER: &str = "dbhaul";
/// Its password. Long enough to be searched for where no password may stand.
pub const PASSWORD: &str = "correct-horse-7Kq2wZ";

const START_LIMIT: Duration = Duration::from_secs(60);

/// What a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// PostgreSQL 15, this machine's.
    Postgres15,
    /// PostgreSQL 18, in the sid root.
    Postgres18,
    /// MySQL 9.7, in the sid root.
    Mysql,
    /// MariaDB 10.11, this machine's.
    Mariadb,
}

impl Flavour {
    pub fn is_postgres(self) -> bool {
        matches!(self, Self::Postgres15 | Self::Postgres18)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Postgres15 => "postgresql-15",
            Self::Postgres18 => "postgresql-18",
            Self::Mysql => "mysql-9.7",
            Self::Mariadb => "mariadb-10.11",
        }
    }

    /// The folder of the vendor's clients, as for `--client-dir`.
    pub fn client_dir(self) -> PathBuf {
        match self {
            Self::Postgres15 => "/usr/lib/postgresql/15/bin".into(),
            Self::Mariadb => "/usr/bin".into(),
            Self::Postgres18 | Self::Mysql => template::cache().join("bin").join(self.name()),
        }
    }

    /// The root that the server runs in, if it isn't this machine's own.
    fn root(self) -> Option<PathBuf> {
        matches!(self, Self::Postgres18 | Self::Mysql).then(|| template::cache().join("sid"))
    }

    /// User and group that the server runs as: PostgreSQL refuses root.
    fn owner(self) -> (u32, u32) {
        if !self.is_postgres() {
            return (0, 0);
        }
        let passwd = self.root().unwrap_or_else(|| "/".into()).join("etc/passwd");
        let text = fs::read_to_string(&passwd)
            .unwrap_or_else(|error| panic!("{}: {error}; run scripts/servers.sh", passwd.display()));
        text.lines()
            .find_map(|line| {
                let mut fields = line.strip_prefix("postgres:")?.split(':').skip(1);
                Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
            })
            .unwrap_or_else(|| panic!("no user postgres in {}; run scripts/servers.sh", passwd.display()))
    }

    /// A folder that the server can reach and owns.
    pub(super) fn new_folder(self) -> tempfile::TempDir {
        assert!(
            rustix::process::geteuid().is_root(),
            "these tests run as root: they start servers by chroot and as other users"
        );
        let parent = self.root().map_or_else(std::env::temp_dir, |root| root.join("tmp"));
        let folder = tempfile::Builder::new()
            .prefix("dbhaul-it-")
            .tempdir_in(&parent)
            .unwrap_or_else(|error| panic!("{}: {error}; run scripts/servers.sh", parent.display()));
        let (user, group) = self.owner();
        chown(folder.path(), Some(user), Some(group)).expect("chown the server's folder");
        folder
    }

    /// `folder` as the server sees it.
    pub(super) fn inside(self, folder: &Path) -> PathBuf {
        match self.root() {
            Some(root) => Path::new("/").join(folder.strip_prefix(root).expect("a folder inside the root")),
            None => folder.to_owned(),
        }
    }

    pub(super) fn program(self, name: &str) -> String {
        match self {
            Self::Postgres15 => format!("/usr/lib/postgresql/15/bin/{name}"),
            Self::Postgres18 => format!("/usr/lib/postgresql/18/bin/{name}"),
            Self::Mysql | Self::Mariadb => format!("/usr/sbin/{name}"),
        }
    }

    /// The beginning of a command line that runs one of the server's programs, which dies with its parent.
    fn launcher(self) -> Vec<String> {
        let mut words = Vec::new();
        if let Some(root) = self.root() {
            words.extend(["chroot".to_owned(), root.display().to_string()]);
        }
        let (user, group) = self.owner();
        words.extend(["setpriv".to_owned(), "--pdeathsig=KILL".to_owned()]);
        if user != 0 {
            words.extend([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]);
        }
        words
    }

    /// One of the server's programs, run to its end: the program's path and arguments follow.
    pub(super) fn command(self) -> Command {
        let words = self.launcher();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir("/").stdin(Stdio::null());
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C.UTF-8");
        command
    }

    /// The server's own command line; `folder` as the server sees it.
    fn server_words(self, folder: &Path, port: u16) -> Vec<String> {
        let path = |name: &str| folder.join(name).display().to_string();
        let tls::Files { ca, certificate, key } = tls::files(folder);
        let (ca, certificate, key) = (ca.display(), certificate.display(), key.display());
        if self.is_postgres() {
            let mut words = vec![self.program("postgres"), "-D".to_owned(), path("data")];
            for setting in [
                format!("port={port}"),
                "listen_addresses=127.0.0.1".to_owned(),
                format!("unix_socket_directories={}", folder.display()),
                "max_connections=50".to_owned(),
                "shared_buffers=32MB".to_owned(),
                // In the data folder, not in /dev/shm, where a killed server would leave it.
                "dynamic_shared_memory_type=mmap".to_owned(),
                "fsync=off".to_owned(),
                "synchronous_commit=off".to_owned(),
                "full_page_writes=off".to_owned(),
                "ssl=on".to_owned(),
                format!("ssl_ca_file={ca}"),
                format!("ssl_cert_file={certificate}"),
                format!("ssl_key_file={key}"),
            ] {
                words.extend(["-c".to_owned(), setting]);
            }
            return words;
        }
        let mut words = vec![
            self.program(if self == Self::Mysql { "mysqld" } else { "mariadbd" }),
            "--no-defaults".to_owned(),
            "--user=root".to_owned(),
            format!("--datadir={}", path("data")),
            format!("--socket={}", path("socket")),
            // A MariaDB that starts removes the temporary tables it finds there, other servers' too.
            format!("--tmpdir={}", folder.display()),
            format!("--pid-file={}", path("pid")),
            format!("--init-file={}", path("init.sql")),
            format!("--port={port}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--secure-file-priv=".to_owned(),
            "--max-allowed-packet=256M".to_owned(),
            "--innodb-buffer-pool-size=64M".to_owned(),
            "--innodb-flush-log-at-trx-commit=0".to_owned(),
            "--skip-innodb-doublewrite".to_owned(),
            "--sync-binlog=0".to_owned(),
            format!("--ssl-ca={ca}"),
            format!("--ssl-cert={certificate}"),
            format!("--ssl-key={key}"),
        ];
        if self == Self::Mysql {
            words.push("--mysqlx=OFF".to_owned());
        }
        words
    }
}

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
        template::copy(flavour, folder.path());
        tls::write(folder.path(), flavour.owner());
        if !flavour.is_postgres() {
            let init = format!(
                "CREATE USER {USER}@'%' IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON *.* TO {USER}@'%' WITH GRANT OPTION;\n"
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
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
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
        let scheme = match self.flavour {
            Flavour::Postgres15 | Flavour::Postgres18 => "postgres",
            Flavour::Mysql => "mysql",
            Flavour::Mariadb => "mariadb",
        };
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
        let database = Database { server: self, name: name.to_owned() };
        self.sql(&format!("CREATE DATABASE {}", self.quote(name)));
        database
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
        let mut command = Command::new("timeout");
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

    fn any_database(&self) -> &'static str {
        if self.flavour.is_postgres() { "postgres" } else { "mysql" }
    }

    /// The interactive client, reading SQL from standard input and stopping at the first error.
    fn shell(&self, database: &str) -> Command {
        if self.flavour.is_postgres() {
            let mut psql = self.client("psql");
            psql.args(["-X", "-q", "-At", "-F\t", "-v", "ON_ERROR_STOP=1", "-f", "-"]).env("PGDATABASE", database);
            psql
        } else {
            let mut mysql = self.client(if self.flavour == Flavour::Mysql { "mysql" } else { "mariadb" });
            mysql.args(["--skip-column-names", "--batch"]).arg(format!("--database={database}"));
            mysql
        }
    }

    fn try_sql(&self, database: &str, text: &str) -> Result<String, String> {
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

/// A database of one test, dropped with the value.
pub struct Database<'s> {
    server: &'s Server,
    name: String,
}

impl<'s> Database<'s> {
    pub fn server(&self) -> &'s Server {
        self.server
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// `postgres://user:password@127.0.0.1:port/name`, or `mysql://`, or `mariadb://`.
    pub fn uri(&self) -> String {
        self.server.uri(&self.name)
    }

    /// Runs SQL as the superuser. Rows are lines, columns are separated by tabs, the last newline is taken off.
    pub fn sql(&self, text: &str) -> String {
        self.try_sql(text).unwrap_or_else(|error| panic!("{} in {}: {error}", self.server.flavour.name(), self.name))
    }

    /// The same; an error is what the client wrote to stderr.
    pub fn try_sql(&self, text: &str) -> Result<String, String> {
        self.server.try_sql(&self.name, text)
    }

    /// Runs a file of SQL, which must not create databases or change to one.
    pub fn load_file(&self, path: impl AsRef<Path>) {
        let path = path.as_ref();
        let file = fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let output = self.server.shell(&self.name).stdin(file).output().expect("run the client");
        assert!(output.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
    }

    /// One of the vendor's clients on this database, for PostgreSQL by PGDATABASE; MySQL's programs want the name
    /// as an argument.
    pub fn client(&self, program: &str) -> Command {
        let mut command = self.server.client(program);
        if self.server.flavour.is_postgres() {
            command.env("PGDATABASE", &self.name);
        }
        command
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        let name = self.server.quote(&self.name);
        let force = if self.server.flavour.is_postgres() { " WITH (FORCE)" } else { "" };
        // The server may have been stopped or broken by the test, on purpose.
        let _ = self.server.try_sql(self.server.any_database(), &format!("DROP DATABASE IF EXISTS {name}{force}"));
    }
}

/// The shared PostgreSQL 15. Shared servers end with the test process; leave their settings as they are.
pub fn postgres15() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(Flavour::Postgres15))
}

/// The shared PostgreSQL 18.
pub fn postgres18() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(Flavour::Postgres18))
}

/// The shared MySQL 9.7.
pub fn mysql() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(Flavour::Mysql))
}

/// The shared MariaDB 10.11.
pub fn mariadb() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start(Flavour::Mariadb))
}

fn free_port() -> u16 {
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
