//! PgBouncer in front of a server.

use std::{
    fs,
    io::Read as _,
    net::TcpStream,
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{
    Database, Server,
    flavour::user_postgres,
    server::{PASSWORD, USER, free_port},
};

/// How long a client keeps its server session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    Session,
    Transaction,
}

/// A running PgBouncer. Dropped, it is stopped.
pub struct Pooler<'s> {
    server: &'s Server,
    port: u16,
    process: Child,
    _folder: tempfile::TempDir,
}

impl<'s> Pooler<'s> {
    /// Starts one for every database of the server and its superuser, and waits until it answers.
    pub fn start(server: &'s Server, pooling: Pooling) -> Self {
        Self::start_with(server, pooling, &[])
    }

    /// The same with more lines for its `[pgbouncer]` section, such as `["max_db_connections = 1"]`.
    pub fn start_with(server: &'s Server, pooling: Pooling, more: &[&str]) -> Self {
        Self::run(server, pooling, "", more)
    }

    /// One that hands out another database under a name, as another user, who has the superuser's password.
    pub fn start_handing_out(server: &'s Server, name: &str, other: &str, user: &str) -> Self {
        let place = format!("host=127.0.0.1 port={} dbname={other}", server.port());
        let alias = format!("{name} = {place} user={user} password={PASSWORD}\n");
        Self::run(server, Pooling::Session, &alias, &[])
    }

    fn run(server: &'s Server, pooling: Pooling, databases: &str, more: &[&str]) -> Self {
        // PgBouncer refuses root.
        let (user, group) = user_postgres(Path::new("/"));
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let mode = match pooling {
            Pooling::Session => "session",
            Pooling::Transaction => "transaction",
        };
        let settings = format!(
            "[databases]\n{databases}* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\npool_mode = {mode}\nauth_type = scram-sha-256\nauth_file = {}\n{}\n",
            server.port(),
            folder.path().join("users").display(),
            more.join("\n"),
        );
        for (name, text) in [("users", format!("\"{USER}\" \"{PASSWORD}\"\n")), ("settings", settings)] {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("write PgBouncer's files");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
            chown(&path, Some(user), Some(group)).expect("chown");
        }
        chown(folder.path(), Some(user), Some(group)).expect("chown");
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig=KILL", &format!("--reuid={user}"), &format!("--regid={group}"), "--clear-groups"])
            .args(["/usr/sbin/pgbouncer", "--quiet"])
            .arg(folder.path().join("settings"))
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let process = command.spawn().expect("run setpriv");
        let mut pooler = Self { server, port, process, _folder: folder };
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = pooler.process.try_wait().expect("wait for PgBouncer").is_some();
            assert!(!ended && Instant::now() < deadline, "no PgBouncer:\n{}", pooler.errors());
            thread::sleep(Duration::from_millis(20));
        }
        // Its log must never block it.
        let mut stderr = pooler.process.stderr.take().expect("a pipe");
        thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        pooler
    }

    fn errors(&mut self) -> String {
        let _ = self.process.kill();
        let mut text = String::new();
        let _ = self.process.stderr.take().expect("a pipe").read_to_string(&mut text);
        text + "run scripts/servers.sh if it is missing"
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The superuser's URI of a database of the server, through the pooler.
    pub fn uri(&self, database: &Database<'_>) -> String {
        database.uri().replacen(&format!(":{}/", self.server.port()), &format!(":{}/", self.port), 1)
    }
}

impl Drop for Pooler<'_> {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
