//! A database of one test.

use std::{fs, path::Path, process::Command};

use super::Server;

/// A database of one test, dropped with the value.
pub struct Database<'s> {
    server: &'s Server,
    name: String,
}

impl<'s> Database<'s> {
    /// An empty database of this name.
    pub(super) fn create(server: &'s Server, name: &str) -> Self {
        server.sql(&format!("CREATE DATABASE {}", server.quote(name)));
        Self { server, name: name.to_owned() }
    }

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
        self.try_sql(text).unwrap_or_else(|error| panic!("{} in {}: {error}", self.server.flavour().name(), self.name))
    }

    /// The same; an error is what the client wrote to stderr.
    pub fn try_sql(&self, text: &str) -> Result<String, String> {
        self.server.try_sql(&self.name, text)
    }

    /// The same as one query of several statements, as applications send them.
    pub fn sql_at_once(&self, text: &str) {
        self.server.sql_at_once(&self.name, text);
    }

    /// Ends every session in it; how many that were.
    pub fn end_sessions(&self) -> usize {
        let (server, name) = (self.server, &self.name);
        if server.flavour().is_postgres() {
            let sql = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
            return server.sql(&sql).lines().count();
        }
        let list = server.flavour().processlist();
        let ids = server.sql(&format!("SELECT id FROM {list} WHERE db = '{name}'"));
        // One may have gone meanwhile.
        ids.lines().filter(|id| self.try_sql(&format!("KILL CONNECTION {id}")).is_ok()).count()
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
        if self.server.flavour().is_postgres() {
            command.env("PGDATABASE", &self.name);
        }
        command
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        let name = self.server.quote(&self.name);
        let force = if self.server.flavour().is_postgres() { " WITH (FORCE)" } else { "" };
        // The server may have been stopped or broken by the test, on purpose.
        let _ = self.server.try_sql(self.server.any_database(), &format!("DROP DATABASE IF EXISTS {name}{force}"));
    }
}
