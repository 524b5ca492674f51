//! What a hint tells to do works: each test gets into the situation, follows the hint to the letter, and ends well.

use std::path::{Path, PathBuf};

use crate::roundtrip::with_clients_of;
use crate::support::{Database, Dbhaul, Family, Output, Server};

mod archives;
mod clients;
mod command_line;
mod files;
mod guard;
mod login;
mod meanwhile;
mod mysql;
mod mysql_dumps;
mod mysql_rights;
mod mysql_servers;
mod mysql_targets;
mod output;
mod postgres;
mod postgres_clients;
mod postgres_rights;
mod postgres_servers;
mod postgres_targets;
mod scratch;
mod scripts;
mod targets;
mod tunnels;

/// A restore of an archive.
fn restore(archive: &Path, target: &Database<'_>, options: &[&str]) -> Output {
    with_clients_of(target.server()).arg("restore").arg(archive).arg(target.uri()).args(options).run()
}

/// A dump of a database, as it is now.
fn dump(source: &Database<'_>, folder: &tempfile::TempDir, name: &str) -> PathBuf {
    let path = folder.path().join(name);
    with_clients_of(source.server()).args(["dump", &source.uri(), "-o"]).arg(&path).run().expect_code(0);
    path
}

/// A dump of a database, and the folder that it is in.
fn dump_of(source: &Database<'_>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = dump(source, &folder, "archive.tar.gz");
    (folder, path)
}

/// What stands between two pieces of text on stderr.
fn between(output: &Output, before: &str, after: &str) -> String {
    let (_, rest) = output.stderr.split_once(before).unwrap_or_else(|| panic!("{before:?} in:\n{}", output.stderr));
    rest.split(after).next().expect("text").trim().to_owned()
}

/// A user without rights, gone with the value.
struct User<'s> {
    server: &'s Server,
    name: String,
    uri: String,
}

impl<'s> User<'s> {
    fn of(database: &Database<'s>) -> Self {
        let (server, name) = (database.server(), format!("t_{}", database.name()));
        server.sql(&match server.flavour().family() {
            Family::Postgres => format!("CREATE ROLE {name} LOGIN PASSWORD 'secret-9fX'"),
            _ => format!("CREATE USER {name}@'%' IDENTIFIED BY 'secret-9fX'"),
        });
        let uri = server.uri_as(&name, "secret-9fX", database.name());
        Self { server, name, uri }
    }

    /// One who owns this database of PostgreSQL's, and no more.
    fn owner_of(database: &Database<'s>) -> Self {
        let user = Self::of(database);
        user.server.sql(&format!("ALTER DATABASE {} OWNER TO {}", database.name(), user.name));
        user
    }

    /// Gives back what such a user owns.
    fn gives_back(&self, database: &Database<'_>) {
        self.server.sql(&format!("ALTER DATABASE {} OWNER TO {}", database.name(), self.server.user()));
        database.sql(&format!("DROP OWNED BY {} CASCADE", self.name));
    }

    fn run(&self, words: &[&str]) -> Output {
        with_clients_of(self.server).args(words).run()
    }

    /// Says what a hint says; `the user` is this one.
    fn grant(&self, statement: &str) {
        let statement = statement.split(", or ").next().expect("a statement");
        self.server.sql(&statement.replace("the user", &format!("{}@'%'", self.name)));
    }
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        // A test that fails leaves what the user owns.
        if std::thread::panicking() {
            return;
        }
        self.server.sql(&match self.server.flavour().family() {
            Family::Postgres => format!("DROP ROLE IF EXISTS {}", self.name),
            _ => format!("DROP USER IF EXISTS {}@'%'", self.name),
        });
    }
}

/// A dump by this URI, to nowhere that stays.
fn by(server: &Server, uri: &str, more: &[&str]) -> Dbhaul {
    with_clients_of(server).args(["dump", uri, "--output", "-", "--retries", "0"]).args(more)
}
