//! `PostgreSQL`: `pg_dump`, `pg_restore` and `psql`.
//!
//! `session` opens the SQL sessions. `probe` reads the server. `dump` and `restore` make the clients' command lines and decide what
//! is dumped and restored. `format` reads each format of `pg_dump`, `sql` what psql would run. `parallel` divides a dump among
//! several `pg_dump`s, and joins what they write.

use std::path::Path;

use crate::connection::{Connection, Limits};
use crate::dialect::{Description, Dialect, Parameter};
use crate::engine::{
    Client, ClientCatalog, Content, DatabaseCutter, DatabaseKeeper, Dependency, Diagnosis, DumpJob, DumpOptions,
    DumpPlan, DumpPlanner, DumpReader, DumpSnapshot, Engine, Filter, Flavour, Format, GeneratedColumns, Incomplete,
    Inspector, Layout, Pending, Prober, Purpose, Rejected, Relation, RestoreJob, RestoreOptions, RestorePlan,
    RestorePlanner, Role, Scene, ScratchPlan, ScratchServer, ScratchSpec, Selected, Server, SessionActivity, Stretch,
    TargetKeeper, Version,
};
use crate::error::Result;
use crate::properties::{AppliedProperties, DatabaseProperties};

mod clients;
mod diagnose;
mod dump;
mod features;
mod format;
mod parallel;
mod probe;
mod products;
mod restore;
mod scratch;
mod session;
mod sql;
#[cfg(test)]
mod test_fixtures;

use restore::copy_freeze::{Freeze, FreezeTarget};

pub use parallel::snapshot::{Shared, Snapshot, SnapshotSession};
pub use parallel::toc_merge::{DataBlocks, MergedToc, PartialToc, TocMerger};
pub use session::server_settings;
pub use sql::gate;

impl Dialect {
    /// PostgreSQL's.
    pub const POSTGRES: Self = Self::new(&Description {
        name: "postgresql",
        schemes: &["postgres", "postgresql"],
        default_port: 5432,
        needs_user: true,
        parameters: &[
            ("host", Parameter::Host),
            ("hostaddr", Parameter::HostAddress),
            ("dbname", Parameter::Database),
            ("passfile", Parameter::PasswordFile),
            ("service", Parameter::Service),
            ("servicefile", Parameter::Service),
            ("gssencmode", Parameter::GssEncryption),
            ("channelbinding", Parameter::ChannelBinding),
            ("requireauth", Parameter::RequireAuth),
            ("sslnegotiation", Parameter::TlsNegotiation),
        ],
    });
}

impl Flavour {
    /// PostgreSQL.
    pub const POSTGRES: Self = Self { name: "PostgreSQL", minor_counts_below: 10, rows_in_encoding: true };
}

impl Format {
    /// `pg_dump`'s custom format.
    pub const PG_CUSTOM: Self = Self::of("PostgreSQL custom format", Layout::Streams);
    /// Its directory format: a folder with `toc.dat`.
    pub const PG_DIRECTORY: Self = Self::of("PostgreSQL directory format", Layout::Folder);
    /// Its tar format.
    pub const PG_TAR: Self = Self::of("PostgreSQL tar format", Layout::Stream);
    /// SQL, for psql.
    pub const PG_PLAIN: Self = Self { runs_as_is: true, ..Self::of("PostgreSQL SQL", Layout::Stream) };

    const fn of(name: &'static str, layout: Layout) -> Self {
        Self { name, dialect: Dialect::POSTGRES, layout, runs_as_is: false, tells_structure: false }
    }
}

/// The engine.
#[derive(Debug)]
pub struct Postgres;

impl Engine for Postgres {
    fn dialect(&self) -> Dialect {
        Dialect::POSTGRES
    }

    fn flavours(&self) -> &'static [Flavour] {
        &[Flavour::POSTGRES]
    }

    fn clients(&self) -> Option<&dyn ClientCatalog> {
        Some(self)
    }

    fn scratch(&self) -> Option<&dyn ScratchServer> {
        Some(self)
    }
}

impl Prober for Postgres {
    fn oldest(&self, _: Flavour) -> Version {
        products::OLDEST
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

    fn rows_behind_policies<'a>(
        &'a self,
        connection: &'a Connection,
        limits: &'a Limits,
    ) -> Pending<'a, Vec<(String, String, u64)>> {
        Box::pin(probe::row_security::count_around(connection, limits))
    }

    fn generated_columns<'a>(
        &'a self,
        connection: &'a Connection,
        limits: &'a Limits,
    ) -> Pending<'a, GeneratedColumns> {
        Box::pin(probe::generated::sums(connection, limits))
    }
}

impl DatabaseKeeper for Postgres {
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
        Box::pin(restore::prepare::properties(connection, server, name, limits))
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

    fn replacements_left<'a>(
        &'a self,
        connection: &'a Connection,
        limits: &'a Limits,
    ) -> Pending<'a, Vec<(String, String)>> {
        Box::pin(restore::replace::left_on_server(connection, limits))
    }
}

impl DumpPlanner for Postgres {
    fn check_options(&self, connection: &Connection, options: &DumpOptions) -> Result<()> {
        dump::check(connection, options)
    }

    fn adopted(&self, _: &Connection, options: DumpOptions) -> DumpOptions {
        dump::extra::adopted(options)
    }

    fn check_patterns<'a>(
        &'a self,
        connection: &'a Connection,
        options: &'a DumpOptions,
        limits: &'a Limits,
    ) -> Pending<'a, ()> {
        Box::pin(probe::check_patterns(connection, options, limits))
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
        options.clone()
    }

    fn acquire_snapshot<'a>(
        &'a self,
        connection: &'a Connection,
        server: &'a Server,
        options: &'a DumpOptions,
        limits: &'a Limits,
    ) -> Pending<'a, DumpSnapshot> {
        Box::pin(async move {
            let why = parallel::jobs::alone(options).map(str::to_owned);
            if options.jobs <= 1 || why.is_some() {
                return Ok(DumpSnapshot::Alone(why));
            }
            parallel::jobs::check_jobs_connections(server, options)?;
            parallel::snapshot::hold(connection, server, options, limits).await.map(DumpSnapshot::Exported)
        })
    }

    fn copied_alone(&self, dump: &DumpOptions, restore: &RestoreOptions) -> Option<&'static str> {
        parallel::jobs::copied_alone(dump, restore)
    }

    fn splits_copies(&self) -> bool {
        true
    }

    fn plan_dump(&self, job: &DumpJob<'_>) -> Result<DumpPlan> {
        dump::plan(job.connection, job.server, job.client()?, job.options, job.limits, job.snapshot.exported())
    }
}

impl DumpReader for Postgres {
    fn inspector(&self, format: Format) -> Box<dyn Inspector> {
        format::content::inspector(format)
    }

    fn recognise(&self, beginning: &[u8]) -> Option<Format> {
        format::content::recognise(beginning)
    }

    fn folder_format(&self) -> Option<Format> {
        Some(Format::PG_DIRECTORY)
    }

    fn inspect_folder(&self, folder: &Path) -> Result<Content, Incomplete> {
        format::directory::inspect_directory(folder)
    }

    fn misnamed_files(&self, folder: &Path) -> Vec<(String, String)> {
        format::directory::misnamed_lists(folder)
    }

    fn stretches(&self, script: &[u8]) -> Vec<Stretch> {
        format::plain::bounds(script)
    }

    fn database_cutter(&self, format: Format, wanted: Option<&str>) -> Option<Box<dyn DatabaseCutter>> {
        (format == Format::PG_PLAIN).then(|| Box::new(restore::of_many::Cutter::new(wanted)) as _)
    }
}

impl RestorePlanner for Postgres {
    fn check_resume(&self) -> Result<()> {
        restore::suitability::check_resume()
    }

    fn check_restore(&self, server: &Server, content: &Content, options: &RestoreOptions) -> Result<Vec<String>> {
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
        Box::pin(dump::dependencies::lacking(connection, server, content, options, limits))
    }

    fn plan_restore(&self, job: &RestoreJob<'_>) -> Result<RestorePlan> {
        restore::plan(job)
    }

    fn file_filter(&self, server: &Server, options: &RestoreOptions) -> Option<Box<dyn Filter>> {
        Some(Box::new(Freeze::new(server, options, FreezeTarget::File)?))
    }

    fn left_out(
        &self,
        definition: &str,
        server: &Server,
        options: &RestoreOptions,
        exact: bool,
    ) -> Option<&'static str> {
        format::definition::left_out(definition, server, options, exact)
    }
}

impl TargetKeeper for Postgres {
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

    fn replacement(&self, server: &Server, options: &RestoreOptions) -> Option<String> {
        restore::replace::name(server, options)
    }

    fn replace<'a>(
        &'a self,
        connection: &'a Connection,
        server: &'a Server,
        limits: &'a Limits,
    ) -> Pending<'a, Vec<String>> {
        Box::pin(restore::replace::take_place(connection, server, limits))
    }

    fn apply_properties<'a>(
        &'a self,
        connection: &'a Connection,
        server: &'a Server,
        content: &'a Content,
        options: &'a RestoreOptions,
        limits: &'a Limits,
    ) -> Pending<'a, AppliedProperties> {
        Box::pin(restore::apply_properties::apply(connection, server, content, options, limits))
    }
}

impl ClientCatalog for Postgres {
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

impl ScratchServer for Postgres {
    fn to_install(&self, _: Flavour, major: Option<u32>) -> String {
        let major = major.map_or(String::new(), |major| format!("-{major}"));
        format!("apt install postgresql{major}, or brew install postgresql@N")
    }

    fn service_user(&self) -> &'static str {
        "postgres"
    }

    fn base_disk_bytes(&self) -> u64 {
        scratch::EMPTY
    }

    fn plan_scratch(&self, site: &ScratchSpec<'_>) -> Result<ScratchPlan> {
        scratch::plan(site)
    }

    fn create_required_roles<'a>(
        &'a self,
        connection: &'a Connection,
        content: &'a Content,
        limits: &'a Limits,
    ) -> Pending<'a, ()> {
        Box::pin(restore::prepare::create_roles(connection, content, limits))
    }
}
