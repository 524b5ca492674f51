//! `dbhaul restore`.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::connect::ConnectArgs;
use super::foreign::ForeignArgs;
use super::lists::Variables;
use super::question::may_be_dropped;
use crate::engine::{Clean, CollationMap, DatabaseSettings, RestoreOptions};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;
use crate::pipeline::restore::{Outcome, Request, Restored, restore};
use crate::report::{Report, units};
use crate::store;

/// Restores an archive into a database
///
/// Takes dbhaul's archives, a platform's tar.gz, and bare .sql, .dump and .pgsql files, compressed or not: what it is
/// is found by content. The archive is checked to its last byte before the target is touched.
#[expect(clippy::struct_excessive_bools, reason = "each is one independent switch of the command line")]
#[derive(Args, Debug)]
pub struct RestoreArgs {
    /// The archive: a file, the folder of a directory-format dump, or - for stdin
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    archive: String,
    /// The target database: a URI, env:NAME or file:PATH; without it, the variables that `dump` reads
    uri: Option<String>,
    /// Parallel sessions; more than 1 is not one transaction, and for PostgreSQL needs disk for a copy of the dump
    ///
    /// MySQL and MariaDB: sessions of dbhaul's own instead of the client, one more than N. Rows are shared among them,
    /// secondary and foreign keys are made behind the rows.
    #[arg(long, value_name = "N", env = "DBHAUL_JOBS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    jobs: u32,
    /// No rows
    #[arg(long, env = "DBHAUL_SCHEMA_ONLY", conflicts_with = "data_only")]
    schema_only: bool,
    /// Only rows
    #[arg(long, env = "DBHAUL_DATA_ONLY")]
    data_only: bool,
    /// Only this table or view, NAME or SCHEMA.NAME, literally; repeatable
    ///
    /// With a table come its rows, indexes, constraints, triggers, rules, policies, defaults, statistics, comments,
    /// grants (with --keep-privileges), the sequences that it owns and its partitions. What it uses must be in the
    /// target, or comes with --with-dependencies: types, functions, extensions, schemas, other tables. Foreign keys to tables that are not chosen are left
    /// out, and named; in MySQL and MariaDB they are part of the table, and stay.
    #[arg(long, value_name = "TABLE", env = "DBHAUL_TABLE")]
    table: Vec<String>,
    /// PostgreSQL: only what is in this schema, literally; repeatable
    ///
    /// The schema, everything in it, and comments and grants on that. With --table it says where the tables are.
    #[arg(long, value_name = "NAME", env = "DBHAUL_SCHEMA")]
    schema: Vec<String>,
    /// With --table or --schema: brings along what the chosen part needs, and what that needs
    ///
    /// Sequences with their values, types, functions, extensions, schemas, a view's tables, the tables that foreign keys
    /// point at, and that rules and policies name. Without it, what is needed must be in the target: a restore that lacks
    /// something is refused, and names it.
    #[arg(long, env = "DBHAUL_WITH_DEPENDENCIES")]
    with_dependencies: bool,
    /// Not the rows of this table, NAME or SCHEMA.NAME, literally; repeatable
    ///
    /// PostgreSQL: foreign keys of other tables that point at it are left out, and named.
    #[arg(long, value_name = "TABLE", env = "DBHAUL_EXCLUDE_TABLE_DATA")]
    exclude_table_data: Vec<String>,
    /// MySQL and MariaDB: goes on after a restore of this archive that failed: complete tables stay, the rest comes again
    ///
    /// The target tells what is complete: a table with the columns, keys and checks of the dump's, by name, and as many
    /// rows. Whoever changed rows since is not noticed. What else the archive brings is dropped and restored again; a
    /// target that holds more than that is refused, unless --into-non-empty is given.
    #[arg(long, help_heading = "The target")]
    resume: bool,
    /// Checks everything, prints the commands, redacted, and changes nothing
    #[arg(long, env = "DBHAUL_DRY_RUN")]
    dry_run: bool,
    #[command(flatten)]
    into: IntoArgs,
    #[command(flatten)]
    foreign: ForeignArgs,
    #[command(flatten)]
    reach: ConnectArgs,
}

/// What the target keeps, and what may be done to it
#[expect(clippy::struct_excessive_bools, reason = "each is one independent switch of the command line")]
#[derive(Args, Debug)]
#[command(next_help_heading = "The target")]
pub struct IntoArgs {
    /// Drops first: objects (what the archive brings), schema (everything but extensions), database
    #[arg(long, value_name = "WHAT")]
    clean: Option<CleanArg>,
    /// Creates the database
    #[arg(long)]
    create: bool,
    /// Restores beside what is there
    #[arg(long, conflicts_with = "clean")]
    into_non_empty: bool,
    /// Sets owners as in the dump
    #[arg(long, env = "DBHAUL_KEEP_OWNER")]
    keep_owner: bool,
    /// Grants privileges as in the dump
    #[arg(long, env = "DBHAUL_KEEP_PRIVILEGES")]
    keep_privileges: bool,
    /// MySQL: leaves DEFINER as it is
    #[arg(long, env = "DBHAUL_KEEP_DEFINERS")]
    keep_definers: bool,
    /// Leaves comments out
    #[arg(long, env = "DBHAUL_NO_COMMENTS")]
    no_comments: bool,
    /// Whether triggers run for rows that come into tables which have them already (--data-only): on, off
    ///
    /// Off, PostgreSQL switches them off in the transaction that brings the rows, and afterwards each is what it was;
    /// foreign keys are checked all the same. MySQL and MariaDB have no such switch: there, rows are refused that would
    /// fire triggers. A script's triggers and events that stand before its rows are made behind them; on, where they stand.
    #[arg(long, value_name = "WHETHER", env = "DBHAUL_TRIGGERS", default_value = "off")]
    triggers: TriggersArg,
    /// MySQL and MariaDB: how events come: enabled (each as in the dump), disabled [default: enabled; of copy: disabled]
    #[arg(long, value_name = "HOW", env = "DBHAUL_EVENTS")]
    events: Option<EventsArg>,
    /// MySQL and MariaDB: takes collation TO wherever the dump says FROM
    #[arg(long, value_name = "FROM=TO", env = "DBHAUL_MAP_COLLATION", value_delimiter = '\n', value_parser = map_collation)]
    map_collation: Vec<CollationMap>,
    /// PostgreSQL: leaves this extension out; what needs it will fail
    #[arg(long, value_name = "NAME", env = "DBHAUL_EXCLUDE_EXTENSION", value_delimiter = '\n')]
    exclude_extension: Vec<String>,
    /// The source's own settings of its database, where the target lacks them: keep (the target's), set, print
    ///
    /// PostgreSQL: ALTER DATABASE ... SET, ALTER ROLE ... IN DATABASE ... SET. What the target has otherwise stays, and is
    /// named; so is what only a superuser may set, what loads a library and what acts as another role. MySQL and MariaDB:
    /// the default character set of an empty database. Without this option they are set where the database comes as a
    /// whole, and kept where a part is restored, or beside what is there.
    #[arg(long, value_name = "WHAT", env = "DBHAUL_DATABASE_SETTINGS")]
    database_settings: Option<DatabaseSettingsArg>,
    /// Takes a script for what you wrote yourself: runs what it holds beside SQL for its database
    ///
    /// A dump is refused when it holds anything but the statements that dump programs and exporters write for their one
    /// database: commands for psql or mysql (\\!, \\copy, \\connect, system, source), statements about accounts, settings, files,
    /// programs and other databases, code that runs at once. With this they run, as far as the client lets them, and what was
    /// let through is said. Only for dumps that nobody else could have changed.
    #[arg(long)]
    trust: bool,
    /// PostgreSQL: refuses functions in languages that the server does not confine: C, internal, PL/Python and others
    ///
    /// They run with the rights of the server's own account. Without this they come along where the user may create them,
    /// counted and named.
    #[arg(long, env = "DBHAUL_REFUSE_UNTRUSTED")]
    refuse_untrusted: bool,
    /// Does not ask before --clean
    #[arg(long)]
    yes: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum CleanArg {
    Objects,
    Schema,
    Database,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DatabaseSettingsArg {
    Keep,
    Set,
    Print,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TriggersArg {
    On,
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum EventsArg {
    Enabled,
    Disabled,
}

/// Runs it.
pub async fn run(args: RestoreArgs, report: &Report) -> Result<()> {
    if args.archive.contains("://") && !store::is_store_url(&args.archive) {
        return Err(Error::new(
            Kind::Usage,
            "the first argument is the archive, and archives can't be read from URLs yet",
        )
        .hint(Hint::new("name-the-archive", "dbhaul restore ARCHIVE [URI]; another program's output is read with -")));
    }
    let named = ConnectArgs::connection(args.uri.as_deref(), report)?;
    let context = args.foreign.within(args.reach.context(report)?);
    let answered = args.into.answered();
    let request = Request {
        archive: &args.archive,
        connection: named.connection,
        options: args.options(),
        dry_run: args.dry_run,
        approve: &|server| Box::pin(may_be_dropped(server, answered)),
    };
    match Box::pin(restore(&context, request)).await? {
        Outcome::Planned(commands) => report.result(&commands.join("\n"), json!({ "commands": commands })),
        Outcome::Done(restored) => show(report, &args, &restored),
    }
}

impl RestoreArgs {
    fn options(&self) -> RestoreOptions {
        RestoreOptions {
            jobs: self.jobs,
            schema_only: self.schema_only,
            data_only: self.data_only,
            tables: self.table.clone(),
            schemas: self.schema.clone(),
            exclude_table_data: self.exclude_table_data.clone(),
            with_dependencies: self.with_dependencies,
            resume: self.resume,
            ..self.into.options()
        }
    }
}

impl RestoreArgs {
    /// Cuts apart what came from variables.
    pub fn split(&mut self, variables: &Variables) {
        for (option, values) in [
            ("table", &mut self.table),
            ("schema", &mut self.schema),
            ("exclude_table_data", &mut self.exclude_table_data),
        ] {
            variables.split_names(option, values);
        }
    }
}

impl IntoArgs {
    /// The options of a restore of everything, by one session.
    pub fn options(&self) -> RestoreOptions {
        RestoreOptions {
            clean: self.clean.map(|clean| match clean {
                CleanArg::Objects => Clean::Objects,
                CleanArg::Schema => Clean::Schema,
                CleanArg::Database => Clean::Database,
            }),
            create: self.create,
            into_non_empty: self.into_non_empty,
            keep_owner: self.keep_owner,
            keep_privileges: self.keep_privileges,
            keep_definers: self.keep_definers,
            no_comments: self.no_comments,
            triggers: self.triggers == TriggersArg::On,
            disable_events: self.events == Some(EventsArg::Disabled),
            map_collations: self.map_collation.clone(),
            exclude_extensions: self.exclude_extension.clone(),
            database_settings: self.database_settings.map(|settings| match settings {
                DatabaseSettingsArg::Keep => DatabaseSettings::Keep,
                DatabaseSettingsArg::Set => DatabaseSettings::Set,
                DatabaseSettingsArg::Print => DatabaseSettings::Print,
            }),
            trust: self.trust,
            refuse_untrusted: self.refuse_untrusted,
            ..RestoreOptions::default()
        }
    }

    /// The same for a copy, whose events would do on two servers what was meant for one.
    pub fn copy_options(&self) -> RestoreOptions {
        RestoreOptions { of_server: true, disable_events: self.events != Some(EventsArg::Enabled), ..self.options() }
    }

    /// Whether the question before something is dropped was answered.
    pub fn answered(&self) -> bool {
        self.yes
    }
}

/// `utf8mb4_0900_ai_ci=utf8mb4_unicode_520_ci`
fn map_collation(text: &str) -> std::result::Result<CollationMap, String> {
    let named = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    match text.split_once('=') {
        Some((from, to)) if named(from) && named(to) => Ok(CollationMap { from: from.to_owned(), to: to.to_owned() }),
        _ => Err("two names of collations are wanted, FROM=TO".to_owned()),
    }
}

fn show(report: &Report, args: &RestoreArgs, restored: &Restored) -> Result<()> {
    let adaptations = adapted(report, &restored.adaptations);
    let content = &restored.content;
    let tables = restored.tables.len() as u64;
    let rows = restored.rows.filter(|_| !args.schema_only);
    let shown = rows.map_or(String::new(), |rows| format!(", {}", units::plural(rows, "row")));
    let of_all =
        if restored.fed < restored.bytes { format!(" of {}", units::size(restored.bytes)) } else { String::new() };
    let complete = restored.server.target.left.complete.len() as u64;
    let beside =
        if args.resume { format!("; {} there already", units::plural(complete, "table")) } else { String::new() };
    report.fact(
        "done",
        format!(
            "{}{shown} ({}{of_all}) restored into \"{}\" in {:.1} s{beside}",
            units::plural(tables, "table"),
            units::size(restored.fed),
            restored.server.database,
            restored.duration_s
        ),
    );
    let fields = json!({
        "archive": args.archive,
        "bytes": restored.bytes,
        "bytes_read": restored.fed,
        "database": restored.server.database,
        "source_database": content.database,
        "engine": content.format.dialect.name(),
        "server_version": restored.server.version.to_string(),
        "tables": tables,
        "tables_complete": complete,
        "rows": rows,
        "complete": content.unproven.is_none(),
        "prepared": restored.prepared,
        "adaptations": adaptations,
        "notes": restored.notes,
        "database_properties": restored.applied,
        "duration_s": restored.duration_s,
        "warnings": report.warnings(),
    });
    report.result("", fields)
}

/// Tells what was changed on the way in, and how often; the same for the JSON result.
pub fn adapted(report: &Report, adaptations: &[(String, u64)]) -> Vec<Value> {
    for (what, count) in adaptations {
        report.fact("adapted", format!("{what}: {}", units::count(*count)));
    }
    adaptations.iter().map(|(what, count)| json!({ "what": what, "count": count })).collect()
}
