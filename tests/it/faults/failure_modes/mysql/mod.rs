//! MySQL's and MariaDB's rows. Each shows the failure with the vendor's own clients first, wherever these can be had.

mod clients;
mod dump;
mod limits;
mod refused;
mod restore;

use std::{
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use tempfile::TempDir;

use crate::{
    roundtrip::with_clients_of,
    support::{Database, Flavour, Output, Server, mariadb, mysql},
};

/// The shared servers of the family.
fn both() -> [&'static Server; 2] {
    [mysql(), mariadb()]
}

/// The server's own dump program and its own shell.
fn programs(server: &Server) -> [&'static str; 2] {
    match server.flavour() {
        Flavour::Mysql => ["mysqldump", "mysql"],
        _ => ["mariadb-dump", "mariadb"],
    }
}

/// How a vendor's client ended: its exit code, stdout and stderr.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn ended(command: &mut Command, input: &str) -> Ended {
    let streams = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = streams.spawn().expect("run the client");
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_owned();
    // A client that gives up reads no more: that is no failure of the test.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().expect("wait for the client");
    writer.join().expect("the writer");
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// The vendor's dump of a database with these arguments, without GTIDs.
fn vendor_dump(database: &Database<'_>, args: &[&str]) -> Ended {
    let [program, _] = programs(database.server());
    let mut client = database.client(program);
    if database.server().flavour() == Flavour::Mysql {
        client.arg("--set-gtid-purged=OFF");
    }
    ended(client.args(args).arg(database.name()), "")
}

/// The vendor's shell, fed with a dump.
fn vendor_load(target: &Database<'_>, dump: &str) -> Ended {
    let [_, program] = programs(target.server());
    ended(target.client(program).arg(target.name()), dump)
}

/// A user with these rights on one database and none else, dropped with the value.
struct User<'s> {
    server: &'s Server,
    name: String,
}

const USERS_PASSWORD: &str = "few-rights-5Jx";

impl<'s> User<'s> {
    fn with(rights: &str, database: &Database<'s>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let server = database.server();
        let name = format!("few_rights_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        server.sql(&format!(
            "CREATE USER {name}@'%' IDENTIFIED BY '{USERS_PASSWORD}'; GRANT {rights} ON {}.* TO {name}@'%'",
            server.quote(database.name())
        ));
        Self { server, name }
    }

    fn uri(&self, database: &Database<'_>) -> String {
        self.server.uri_as(&self.name, USERS_PASSWORD, database.name())
    }

    /// A vendor's client that logs in as this user.
    fn client(&self, program: &str) -> Command {
        let mut client = self.server.client(program);
        client.arg(format!("--user={}", self.name)).env("MYSQL_PWD", USERS_PASSWORD);
        client
    }
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        self.server.sql(&format!("DROP USER {}@'%'", self.name));
    }
}

/// A dump by the server's own clients into a folder.
fn dump(server: &Server, uri: &str, folder: &TempDir, args: &[&str]) -> Output {
    with_clients_of(server).args(["dump", uri, "--output"]).arg(folder.path().join("archive.tar.gz")).args(args).run()
}

/// A restore of that dump, or of anything else, by the target's own clients.
fn restore(archive: &PathBuf, target: &Database<'_>, args: &[&str]) -> Output {
    with_clients_of(target.server()).arg("restore").arg(archive).arg(target.uri()).args(args).run()
}

/// The archive of a whole database.
fn archive(source: &Database<'_>, folder: &TempDir) -> PathBuf {
    dump(source.server(), &source.uri(), folder, &[]).expect_code(0);
    folder.path().join("archive.tar.gz")
}

/// A file with this text.
fn written(folder: &TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("dump.sql");
    std::fs::write(&path, text).expect("write");
    path
}
