//! Which servers there are and where their programs stand: one table, as in `scripts/servers.sh`.

use std::{
    fs,
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{template, tls};

/// What a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flavour {
    /// Older than the oldest that dbhaul supports.
    Postgres12,
    Postgres13,
    Postgres14,
    /// This machine's.
    Postgres15,
    Postgres16,
    Postgres17,
    Postgres18,
    Mariadb105,
    /// 10.11, this machine's.
    Mariadb,
    Mariadb114,
    Mariadb118,
    /// 9.7.
    Mysql,
}

/// Whose server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Postgres,
    Mysql,
    Mariadb,
}

struct Row {
    flavour: Flavour,
    family: Family,
    version: &'static str,
    /// The root in the cache that the server runs in; this machine without.
    root: Option<&'static str>,
    /// The folder above the server's `bin` or `sbin`, inside the root.
    home: &'static str,
    /// The folder of clients that the tests' own work with it is done by: an absolute path, or a name in the cache's
    /// `bin`. The vendor's of the same version, or the nearest newer ones.
    clients: &'static str,
}

#[rustfmt::skip]
const ROWS: [Row; 12] = {
    use Flavour::*;
    use Family::{Mariadb as Maria, Mysql as My, Postgres as Pg};
    const fn row(
        flavour: Flavour, family: Family, version: &'static str,
        root: Option<&'static str>, home: &'static str, clients: &'static str,
    ) -> Row {
        Row { flavour, family, version, root, home, clients }
    }
    const BULLSEYE: Option<&str> = Some("bullseye");
    const TRIXIE: Option<&str> = Some("trixie");
    const SID: Option<&str> = Some("sid");
    [
        row(Postgres12, Pg,    "12",    TRIXIE,   "/opt/postgresql-12",     "postgresql-13"),
        row(Postgres13, Pg,    "13",    BULLSEYE, "/usr/lib/postgresql/13", "postgresql-13"),
        row(Postgres14, Pg,    "14",    TRIXIE,   "/opt/postgresql-14",     "/usr/lib/postgresql/15/bin"),
        row(Postgres15, Pg,    "15",    None,     "/usr/lib/postgresql/15", "/usr/lib/postgresql/15/bin"),
        row(Postgres16, Pg,    "16",    TRIXIE,   "/opt/postgresql-16",     "postgresql-17"),
        row(Postgres17, Pg,    "17",    TRIXIE,   "/usr/lib/postgresql/17", "postgresql-17"),
        row(Postgres18, Pg,    "18",    SID,      "/usr/lib/postgresql/18", "postgresql-18"),
        row(Mariadb105, Maria, "10.5",  BULLSEYE, "/usr",                   "mariadb-10.5"),
        row(Mariadb,    Maria, "10.11", None,     "/usr",                   "/usr/bin"),
        row(Mariadb114, Maria, "11.4",  TRIXIE,   "/opt/mariadb-11.4",      "mariadb-11.4"),
        row(Mariadb118, Maria, "11.8",  TRIXIE,   "/usr",                   "mariadb-11.8"),
        row(Mysql,      My,    "9.7",   SID,      "/usr",                   "mysql-9.7"),
    ]
};

/// How many flavours there are; `flavour as usize` is below it.
pub(super) const COUNT: usize = ROWS.len();

impl Family {
    /// The scheme of its URIs.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Mariadb => "mariadb",
        }
    }

    /// The name of its interactive client.
    pub fn shell(self) -> &'static str {
        match self {
            Self::Postgres => "psql",
            Self::Mysql => "mysql",
            Self::Mariadb => "mariadb",
        }
    }

    /// The name of its dump program.
    pub fn dump(self) -> &'static str {
        match self {
            Self::Postgres => "pg_dump",
            Self::Mysql => "mysqldump",
            Self::Mariadb => "mariadb-dump",
        }
    }

    fn server(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mysqld",
            Self::Mariadb => "mariadbd",
        }
    }
}

impl Flavour {
    fn row(self) -> &'static Row {
        let row = &ROWS[self as usize];
        assert_eq!(row.flavour, self, "the rows stand in the enum's order");
        row
    }

    pub fn family(self) -> Family {
        self.row().family
    }

    pub fn is_postgres(self) -> bool {
        self.family() == Family::Postgres
    }

    /// The table of a MySQL's or MariaDB's sessions. MySQL's older one, which MariaDB has, fails while any session sends
    /// bytes that are no text.
    pub fn processlist(self) -> &'static str {
        match self.family() {
            Family::Mysql => "performance_schema.processlist",
            _ => "information_schema.processlist",
        }
    }

    /// `15`, `10.11`: what its version begins with.
    pub fn version(self) -> &'static str {
        self.row().version
    }

    /// `postgresql-15`: also the name of its folder of clients.
    pub fn name(self) -> String {
        let vendor = match self.family() {
            Family::Postgres => "postgresql",
            Family::Mysql => "mysql",
            Family::Mariadb => "mariadb",
        };
        format!("{vendor}-{}", self.version())
    }

    /// The folder of the vendor's clients that fit this server, as for `--client-dir`.
    pub fn client_dir(self) -> PathBuf {
        // An absolute path takes the cache's place.
        template::cache().join("bin").join(self.row().clients)
    }

    /// The root that the server runs in, if it isn't this machine's own.
    fn root(self) -> Option<PathBuf> {
        self.row().root.map(|name| template::cache().join(name))
    }

    /// User and group that the server runs as: PostgreSQL refuses root.
    pub(super) fn owner(self) -> (u32, u32) {
        if !self.is_postgres() {
            return (0, 0);
        }
        user_postgres(&self.root().unwrap_or_else(|| "/".into()))
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

    /// The path of one of the server's programs, inside its root.
    pub(super) fn program(self, name: &str) -> String {
        let home = self.row().home;
        let outside = self.root().unwrap_or_default();
        ["bin", "sbin", "scripts"]
            .map(|folder| format!("{home}/{folder}/{name}"))
            .into_iter()
            .find(|path| Path::new(&format!("{}{path}", outside.display())).exists())
            .unwrap_or_else(|| panic!("no {name} of {} below {home}; run scripts/servers.sh", self.name()))
    }

    /// The beginning of a command line that runs one of the server's programs, which dies with its parent.
    pub(super) fn launcher(self) -> Vec<String> {
        let mut words = Vec::new();
        if let Some(root) = self.root() {
            words.extend(["chroot".to_owned(), root.display().to_string()]);
        }
        let (user, group) = self.owner();
        words.extend(["setpriv".to_owned(), "--pdeathsig=KILL".to_owned()]);
        if user != 0 {
            words.extend([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]);
        }
        let home = self.row().home;
        if home.starts_with("/opt") {
            words.extend(["env".to_owned(), format!("LD_LIBRARY_PATH={home}/lib:{home}/libs")]);
        }
        words
    }

    /// One of the server's programs, run to its end: the program's path and arguments follow.
    pub(super) fn command(self) -> Command {
        let words = self.launcher();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir("/").stdin(Stdio::null());
        command.env_clear().env("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C.UTF-8");
        command
    }

    /// What an option of MariaDB's and MySQL's programs says of where their own files are.
    pub(super) fn base_folder(self) -> String {
        format!("--basedir={}", self.row().home)
    }

    /// The server's own command line; `folder` as the server sees it.
    pub(super) fn server_words(self, folder: &Path, port: u16) -> Vec<String> {
        let path = |name: &str| folder.join(name).display().to_string();
        let tls::Files { ca, certificate, key } = tls::files(folder);
        let (ca, certificate, key) = (ca.display(), certificate.display(), key.display());
        let mut words = vec![self.program(self.family().server())];
        if self.is_postgres() {
            words.extend(["-D".to_owned(), path("data")]);
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
        words.extend([
            "--no-defaults".to_owned(),
            "--user=root".to_owned(),
            self.base_folder(),
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
        ]);
        if self.family() == Family::Mysql {
            words.push("--mysqlx=OFF".to_owned());
        }
        words
    }
}

/// User and group postgres of a root; `/` for this machine's.
pub(super) fn user_postgres(root: &Path) -> (u32, u32) {
    let passwd = root.join("etc/passwd");
    let text = fs::read_to_string(&passwd)
        .unwrap_or_else(|error| panic!("{}: {error}; run scripts/servers.sh", passwd.display()));
    text.lines()
        .find_map(|line| {
            let mut fields = line.strip_prefix("postgres:")?.split(':').skip(1);
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        })
        .unwrap_or_else(|| panic!("no user postgres in {}; run scripts/servers.sh", passwd.display()))
}
