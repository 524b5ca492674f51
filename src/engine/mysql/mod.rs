//! MySQL and MariaDB.
//!
//! `session` opens the SQL sessions. `probe` reads the server. `dump` and `restore` make the clients' command lines and decide what
//! is dumped and what is changed on the way. A dump's bytes go through `sql`: `lexer` (tokens), `splitter` (statements) and
//! `statement` (what a statement is), and from there into `content`, which reads, or into `restore::rewrite`, which adapts.
//! `parallel` reads and writes rows by several sessions of dbhaul's own.

use std::sync::atomic::AtomicU64;

use crate::connection::{Connection, Limits};
use crate::dialect::{Description, Dialect, Parameter};
use crate::engine::{
    Client, ClientCatalog, Content, DatabaseCutter, DatabaseKeeper, Dependency, Diagnosis, DumpJob, DumpOptions,
    DumpPlan, DumpPlanner, DumpReader, DumpSnapshot, Engine, Flavour, Format, GeneratedColumns, Inspector, Layout,
    Pending, Prober, Purpose, Rehearsal, Rejected, Relation, RestoreJob, RestoreOptions, RestorePlan, RestorePlanner,
    ResumeState, Role, Scene, ScratchPlan, ScratchServer, ScratchSpec, Selected, Server, SessionActivity, Stretch,
    TargetKeeper, Version,
};
use crate::error::{Error, Kind, Result};
use crate::properties::{AppliedProperties, DatabaseProperties};

mod clients;
mod collation;
mod diagnose;
mod dump;
mod features;
mod hints;
mod parallel;
mod probe;
mod products;
mod restore;
mod scratch;
mod session;
mod sql;
#[cfg(test)]
mod test_fixtures;

pub use parallel::rows::{MergedDump, RowReaders, RunningMerge};

impl Dialect {
    /// That of MySQL and MariaDB.
    pub const MYSQL: Self = Self::new(&Description {
        name: "mysql",
        schemes: &["mysql", "mysql2", "mariadb"],
        default_port: 3306,
        needs_user: true,
        parameters: &[("socket", Parameter::Socket), ("unixsocket", Parameter::Socket)],
    });
}

impl Flavour {
    /// Oracle's MySQL, or Percona's.
    pub const MYSQL: Self = Self { name: "MySQL", minor_counts_below: u32::MAX, rows_in_encoding: false };
    /// MariaDB.
    pub const MARIADB: Self = Self { name: "MariaDB", ..Self::MYSQL };
}

impl Format {
    /// SQL from mysqldump or mariadb-dump.
    pub const MYSQL_SQL: Self = Self {
        name: "MySQL SQL",
        dialect: Dialect::MYSQL,
        layout: Layout::Stream,
        runs_as_is: false,
        tells_structure: true,
    };
}

/// The engine for MySQL and MariaDB.
#[derive(Clone, Copy, Debug)]
pub struct Mysql;

impl Engine for Mysql {
    fn dialect(&self) -> Dialect {
        Dialect::MYSQL
    }

    fn flavours(&self) -> &'static [Flavour] {
        &[Flavour::MYSQL, Flavour::MARIADB]
    }

    fn clients(&self) -> Option<&dyn ClientCatalog> {
        Some(self)
    }

    fn scratch(&self) -> Option<&dyn ScratchServer> {
        Some(self)
    }
}

impl Prober for Mysql {
    fn oldest(&self, flavour: Flavour) -> Version {
        products::oldest(flavour)
    }

    fn probe<'a>(&'a self, connection: &'a Connection, purpose: Purpose, limits: &'a Limits) -> Pending<'a, Server> {
        Box::pin(probe::probe(connection, purpose, limits))
    }

    fn session_activity<'a>(
        &'a self,
        connection: &'a Connection,
        server: &'a Server,
        limits: &'a Limits,
    ) -> Pending<'a, SessionActivity> {
        Box::pin(session::session_activity::session_activity(connection, server, limits))
    }

    fn relation<'a>(
        &'a self,
        source: &'a Connection,
        target: &'a Connection,
        exists: bool,
        limits: &'a Limits,
    ) -> Pending<'a, Relation> {
        Box::pin(probe::identity::relation(source, target, exists, limits))
    }

    fn generated_columns<'a>(
        &'a self,
        connection: &'a Connection,
        limits: &'a Limits,
    ) -> Pending<'a, GeneratedColumns> {
        Box::pin(probe::generated::sums(connection, limits))
    }
}

impl DatabaseKeeper for Mysql {
    fn create_database<'a>(
        &'a self,
        connection: &'a Connection,
        name: &'a str,
        source: Option<&'a DatabaseProperties>,
        limits: &'a Limits,
    ) -> Pending<'a, ()> {
        Box::pin(restore::prepare::create_database(connection, name, source, limits))
    }

    fn database_properties<'a>(
        &'a self,
        connection: &'a Connection,
        server: &'a Server,
        name: &'a str,
        limits: &'a Limits,
    ) -> Pending<'a, DatabaseProperties> {
        Box::pin(probe::database::properties(connection, server, name, limits))
    }

    fn drop_database<'a>(&'a self, connection: &'a Connection, name: &'a str, limits: &'a Limits) -> Pending<'a, ()> {
        Box::pin(restore::prepare::drop_database(connection, name, limits))
    }

    fn databases<'a>(
        &'a self,
        connection: &'a Connection,
        prefix: &'a str,
        limits: &'a Limits,
    ) -> Pending<'a, Vec<String>> {
        Box::pin(restore::prepare::databases(connection, prefix, limits))
    }
}

impl DumpPlanner for Mysql {
    fn check_options(&self, _: &Connection, options: &DumpOptions) -> Result<()> {
        if options.plain {
            return Err(Error::new(Kind::Usage, "--format is for PostgreSQL: a MySQL dump is always SQL"));
        }
        dump::check(options)
    }

    fn adopted(&self, connection: &Connection, options: DumpOptions) -> DumpOptions {
        dump::extra::adopted(options, &connection.database)
    }

    fn selected<'a>(
        &'a self,
        connection: &'a Connection,
        server: &'a Server,
        options: &'a DumpOptions,
        limits: &'a Limits,
    ) -> Pending<'a, Option<Selected>> {
        Box::pin(dump::dependencies::selected(connection, server, options, limits))
    }

    fn preview_options(&self, options: &DumpOptions) -> DumpOptions {
        DumpOptions { schema_only: true, data_only: false, ..options.clone() }
    }

    fn acquire_snapshot<'a>(
        &'a self,
        connection: &'a Connection,
        server: &'a Server,
        options: &'a DumpOptions,
        limits: &'a Limits,
    ) -> Pending<'a, DumpSnapshot> {
        Box::pin(parallel::rows::hold(connection, server, options, limits))
    }

    fn plan_dump(&self, job: &DumpJob<'_>) -> Result<DumpPlan> {
        dump::plan(job.connection, job.server, job.client()?, job.options, job.limits, job.snapshot)
    }
}

impl DumpReader for Mysql {
    fn inspector(&self, _format: Format) -> Box<dyn Inspector> {
        Box::new(sql::content::Reader::new())
    }

    fn recognise(&self, beginning: &[u8]) -> Option<Format> {
        sql::content::recognise(beginning)
    }

    fn stretches(&self, script: &[u8]) -> Vec<Stretch> {
        sql::bounds::bounds(script)
    }

    fn database_cutter(&self, _format: Format, wanted: Option<&str>) -> Option<Box<dyn DatabaseCutter>> {
        Some(Box::new(restore::sections::Cutter::new(wanted)))
    }

    fn named(&self, statement: &str) -> Option<String> {
        diagnose::named(statement)
    }
}

impl RestorePlanner for Mysql {
    fn check_restore(&self, server: &Server, content: &Content, options: &RestoreOptions) -> Result<Vec<String>> {
        restore::resume::check(server, content, options)?;
        restore::suitability::check(server, content, options)
    }

    fn lacking<'a>(
        &'a self,
        connection: &'a Connection,
        server: &'a Server,
        content: &'a Content,
        options: &'a RestoreOptions,
        limits: &'a Limits,
    ) -> Pending<'a, Vec<Dependency>> {
        Box::pin(async {
            restore::columns::check(connection, server, content, options, limits).await?;
            restore::wide_tables::check(connection, server, content, options, limits).await?;
            Ok(dump::dependencies::lacking(server, content, options))
        })
    }

    fn plan_restore(&self, job: &RestoreJob<'_>) -> Result<RestorePlan> {
        restore::plan(job)
    }

    fn left_out(&self, definition: &str, server: &Server, _: &RestoreOptions, _: bool) -> Option<&'static str> {
        restore::other_tables::left_out(definition, server)
    }

    fn rehearsal(&self, content: &Content) -> Rehearsal {
        use sql::content::{fact, names};
        // Statements with a database's name would come into that one.
        let lists = [fact::ELSEWHERE, fact::STOPPED];
        let is_harmless = lists.iter().all(|list| names(content, list).is_empty());
        if is_harmless { Rehearsal::Possible } else { Rehearsal::Harmful }
    }

    fn inspect_target_for_resume<'a>(
        &'a self,
        connection: &'a Connection,
        server: &'a Server,
        content: &'a Content,
        options: &'a RestoreOptions,
        limits: &'a Limits,
        done: &'a AtomicU64,
    ) -> Pending<'a, ResumeState> {
        Box::pin(restore::resume::inspect_target(connection, server, content, options, limits, done))
    }
}

impl TargetKeeper for Mysql {
    fn prepare<'a>(
        &'a self,
        connection: &'a Connection,
        server: &'a Server,
        content: &'a Content,
        options: &'a RestoreOptions,
        limits: &'a Limits,
    ) -> Pending<'a, Vec<String>> {
        Box::pin(restore::prepare::prepare(connection, server, content, options, limits))
    }

    fn apply_properties<'a>(
        &'a self,
        connection: &'a Connection,
        server: &'a Server,
        content: &'a Content,
        options: &'a RestoreOptions,
        limits: &'a Limits,
    ) -> Pending<'a, AppliedProperties> {
        Box::pin(probe::database::apply(connection, server, content, options, limits))
    }

    fn look_back<'a>(
        &'a self,
        connection: &'a Connection,
        content: &'a Content,
        options: &'a RestoreOptions,
        limits: &'a Limits,
    ) -> Pending<'a, Vec<String>> {
        Box::pin(restore::events::passed(connection, content, options, limits))
    }
}

impl ClientCatalog for Mysql {
    fn programs(&self, role: Role) -> &'static [&'static str] {
        clients::programs(role)
    }

    fn folders(&self) -> &'static [&'static str] {
        clients::FOLDERS
    }

    fn read_version(&self, text: &str) -> Option<(Flavour, Version)> {
        clients::read_version(text)
    }

    fn choose<'c>(
        &self,
        role: Role,
        server: &Server,
        content: Option<&Content>,
        found: &'c [Client],
        rejected: &[Rejected],
    ) -> Result<&'c Client> {
        clients::choose(role, server, content, found, rejected)
    }

    fn diagnose(&self, stderr: &str, scene: &Scene) -> Diagnosis {
        diagnose::diagnose(stderr, scene)
    }
}

impl ScratchServer for Mysql {
    fn to_install(&self, flavour: Flavour, _: Option<u32>) -> String {
        let packages = match flavour {
            Flavour::MARIADB => "apt install mariadb-server-core mariadb-server, or brew install mariadb",
            _ => "apt install mysql-server-core (or MySQL's own package), or brew install mysql",
        };
        packages.to_owned()
    }

    fn service_user(&self) -> &'static str {
        "mysql"
    }

    fn base_disk_bytes(&self) -> u64 {
        scratch::EMPTY
    }

    fn plan_scratch(&self, site: &ScratchSpec<'_>) -> Result<ScratchPlan> {
        scratch::plan(site)
    }
}
