//! MySQL and MariaDB.
//!
//! `session` opens the SQL sessions. `probe` reads the server. `dump` and `restore` make the clients' command lines and decide what
//! is dumped and what is changed on the way. A dump's bytes go through `sql`: `lexer` (tokens), `splitter` (statements) and
//! `statement` (what a statement is), and from there into `content`, which reads, or into `restore::rewrite`, which adapts.
//! `parallel` reads and writes rows by several sessions of dbhaul's own.

use std::sync::atomic::AtomicU64;

use crate::connection::{Connection, Dialect, Limits};
use crate::engine::{
    Client, Content, DatabaseCutter, Dependency, Diagnosis, DumpOptions, DumpPlan, DumpSnapshot, Engine, Flavour,
    Format, Found, GeneratedColumns, Inspector, Pending, Purpose, Rehearsal, Rejected, Relation, RestoreInput,
    RestoreOptions, RestorePlan, ResumeState, Role, Scene, ScratchPlan, ScratchSpec, Selected, Server, SessionActivity,
    Version,
};
use crate::error::Result;
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
pub(super) use sql::bounds::bounds;

/// The engine for MySQL and MariaDB.
#[derive(Clone, Copy, Debug)]
pub struct Mysql;

impl Engine for Mysql {
    fn dialect(&self) -> Dialect {
        Dialect::Mysql
    }

    fn probe<'a>(&'a self, connection: &'a Connection, purpose: Purpose, limits: &'a Limits) -> Pending<'a, Server> {
        Box::pin(probe::probe(connection, purpose, limits))
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

    fn session_activity<'a>(
        &'a self,
        connection: &'a Connection,
        server: &'a Server,
        limits: &'a Limits,
    ) -> Pending<'a, SessionActivity> {
        Box::pin(session::session_activity::session_activity(connection, server, limits))
    }

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

    fn relation<'a>(
        &'a self,
        source: &'a Connection,
        target: &'a Connection,
        exists: bool,
        limits: &'a Limits,
    ) -> Pending<'a, Relation> {
        Box::pin(probe::identity::relation(source, target, exists, limits))
    }

    fn rehearsal(&self, content: &Content) -> Rehearsal {
        use sql::content::{fact, names};
        // Statements with a database's name would come into that one.
        let lists = [fact::ELSEWHERE, fact::STOPPED];
        let is_harmless = lists.iter().all(|list| names(content, list).is_empty());
        if is_harmless { Rehearsal::Possible } else { Rehearsal::Harmful }
    }

    fn preview_options(&self, options: &DumpOptions) -> DumpOptions {
        DumpOptions { schema_only: true, data_only: false, ..options.clone() }
    }

    fn oldest(&self, flavour: Flavour) -> Version {
        products::oldest(flavour)
    }

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

    fn adopted(&self, connection: &Connection, options: DumpOptions) -> DumpOptions {
        dump::extra::adopted(options, &connection.database)
    }

    fn check_options(&self, _: &Connection, options: &DumpOptions) -> Result<()> {
        dump::check(options)
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

    fn plan_dump(
        &self,
        connection: &Connection,
        server: &Server,
        client: &Client,
        options: &DumpOptions,
        limits: &Limits,
        snapshot: &DumpSnapshot,
    ) -> Result<DumpPlan> {
        dump::plan(connection, server, client, options, limits, snapshot)
    }

    fn inspector(&self, _format: Format) -> Box<dyn Inspector> {
        Box::new(sql::content::Reader::new())
    }

    fn database_cutter(&self, _format: Format, wanted: Option<&str>) -> Option<Box<dyn DatabaseCutter>> {
        Some(Box::new(restore::sections::Cutter::new(wanted)))
    }

    fn check_restore(&self, server: &Server, content: &Content, options: &RestoreOptions) -> Result<Vec<String>> {
        restore::resume::check(server, content, options)?;
        restore::suitability::check(server, content, options)
    }

    fn plan_restore(
        &self,
        connection: &Connection,
        server: &Server,
        content: &Content,
        clients: &Found,
        options: &RestoreOptions,
        source: RestoreInput<'_>,
    ) -> Result<RestorePlan> {
        restore::plan(connection, server, content, clients, options, source)
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

    fn generated_columns<'a>(
        &'a self,
        connection: &'a Connection,
        limits: &'a Limits,
    ) -> Pending<'a, GeneratedColumns> {
        Box::pin(probe::generated::sums(connection, limits))
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

    fn left_out(&self, definition: &str, server: &Server, _: &RestoreOptions, _: bool) -> Option<&'static str> {
        restore::other_tables::left_out(definition, server)
    }

    fn diagnose(&self, stderr: &str, scene: &Scene) -> Diagnosis {
        diagnose::diagnose(stderr, scene)
    }

    fn named(&self, statement: &str) -> Option<String> {
        diagnose::named(statement)
    }
}
