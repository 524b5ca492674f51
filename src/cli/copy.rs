//! `dbhaul copy`.

use clap::Args;
use serde_json::{Value, json};

use super::connect::ConnectArgs;
use super::dump::SelectArgs;
use super::question::may_be_dropped;
use super::restore::{IntoArgs, adapted};
use crate::engine::{Client, DumpOptions, RestoreOptions, Server};
use crate::error::Result;
use crate::pipeline::copy::{CommandPair, Copied, Outcome, Request, copy};
use crate::report::{Report, units};
use crate::tunnel::TunnelSpec;

/// Copies a database into another one: dump and restore, without an archive in between
///
/// PostgreSQL to PostgreSQL, MySQL or MariaDB to MySQL or MariaDB, across versions. Everything is checked beforehand
/// as for a restore; then the rows are read once. A failure on either side ends both. On PostgreSQL it leaves the
/// target as it was, unless there are several jobs; MySQL and MariaDB commit as they go, and keep a part.
///
/// Time-outs and --client-dir are for both sides; --tunnel, --ssh and --tunnel-command are the way to the source.
#[derive(Args, Debug)]
pub struct CopyArgs {
    /// The database that is copied: postgres://, mysql:// or mariadb://, or env:NAME, or file:PATH
    source: String,
    /// The database that it is copied into, of the same family
    target: String,
    /// Parallel sessions on each side; more than 1 is not one transaction
    ///
    /// Rows are read in one snapshot by N sessions and written side by side; N sessions make the indexes and constraints
    /// behind them. A failure leaves behind what came before it.
    #[arg(long, value_name = "N", env = "DBHAUL_JOBS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    jobs: u32,
    /// With --table, --schema and their like: copies along what the chosen part needs, and what that needs
    ///
    /// Sequences with their values, types, functions, extensions, schemas, a view's tables, the tables that foreign keys
    /// point at, and that rules and policies name. Without it, what is needed must be in the target: a copy that lacks
    /// something is refused, and names it.
    #[arg(long, env = "DBHAUL_WITH_DEPENDENCIES")]
    with_dependencies: bool,
    /// Copies what can be read, and says what is missing
    #[arg(long, env = "DBHAUL_ALLOW_INCOMPLETE")]
    allow_incomplete: bool,
    /// Checks everything, prints the commands as a pipe, redacted, and changes nothing
    #[arg(long, env = "DBHAUL_DRY_RUN")]
    dry_run: bool,
    #[command(flatten)]
    pub select: SelectArgs,
    #[command(flatten)]
    into: IntoArgs,
    #[command(flatten)]
    way: TargetWayArgs,
    #[command(flatten)]
    reach: ConnectArgs,
    /// Handed to pg_dump or mysqldump as they are
    #[arg(last = true, value_name = "ARGS")]
    extra: Vec<String>,
}

/// The way to the target
#[expect(clippy::struct_field_names, reason = "the options' names, which the source's ways have without the prefix")]
#[derive(Args, Debug)]
#[command(next_help_heading = "Reaching the target")]
struct TargetWayArgs {
    /// Goes through an open tunnel to the target
    #[arg(long, value_name = "[HOST:]PORT", env = "DBHAUL_TARGET_TUNNEL", value_parser = TunnelSpec::parse_open, group = "target_way")]
    target_tunnel: Option<TunnelSpec>,
    /// Opens `ssh -N -L` to this host for the target, and ends it afterwards
    #[arg(long, value_name = "[USER@]HOST[:PORT]", env = "DBHAUL_TARGET_SSH", value_parser = TunnelSpec::parse_ssh, group = "target_way")]
    target_ssh: Option<TunnelSpec>,
    /// Starts this command and takes the target's HOST:PORT from the first such address that it prints
    #[arg(long, value_name = "CMD", env = "DBHAUL_TARGET_TUNNEL_COMMAND", value_parser = TunnelSpec::parse_command, group = "target_way")]
    target_tunnel_command: Option<TunnelSpec>,
}

/// Runs it.
pub async fn run(args: CopyArgs, report: &Report) -> Result<()> {
    let source = ConnectArgs::side("source", &args.source, report)?;
    let target = ConnectArgs::side("target", &args.target, report)?;
    let select = args.select.options();
    let (schema_only, data_only, jobs) = (select.schema_only, select.data_only, args.jobs);
    let with_dependencies = args.with_dependencies;
    let restore = RestoreOptions { jobs, schema_only, data_only, with_dependencies, ..args.into.copy_options() };
    let TargetWayArgs { target_tunnel, target_ssh, target_tunnel_command } = args.way;
    let answered = args.into.answered();
    let request = Request {
        source,
        target,
        target_tunnel: target_tunnel.or(target_ssh).or(target_tunnel_command),
        dump: DumpOptions {
            allow_incomplete: args.allow_incomplete,
            extra: args.extra,
            jobs,
            with_dependencies,
            ..select
        },
        restore,
        dry_run: args.dry_run,
        approve: &|server| Box::pin(may_be_dropped(server, answered)),
    };
    match Box::pin(copy(&args.reach.context(report)?, request)).await? {
        Outcome::Planned(pipes) => {
            let commands: Vec<_> = pipes.iter().flat_map(|pipe| pipe.dump.iter().chain(&pipe.load)).collect();
            let text: Vec<_> = pipes.iter().map(shell).collect();
            report.result(&text.join("\n"), json!({ "commands": commands }))
        }
        Outcome::Done(copied) => show(report, &copied),
    }
}

/// As a shell wants it: several dumps after each other, then the pipe.
fn shell(pipe: &CommandPair) -> String {
    let dump = match pipe.dump.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        several => Some(format!("{{ {}; }}", several.join(" &&\n"))),
    };
    dump.into_iter().chain(pipe.load.iter().cloned()).collect::<Vec<_>>().join(" |\n")
}

fn show(report: &Report, copied: &Copied) -> Result<()> {
    let adaptations = adapted(report, &copied.adaptations);
    let tables = copied.content.tables.len() as u64;
    let rows = copied.rows;
    let missing = if copied.missing.is_empty() { "complete" } else { "INCOMPLETE, as allowed" };
    let fields = json!({
        "bytes": copied.bytes,
        "engine": copied.content.format.dialect.name(),
        "source": side(&copied.source, copied.source_client.as_ref()),
        "target": side(&copied.target, copied.target_client.as_ref()),
        "consistency": copied.consistency,
        "tables": tables,
        "rows": rows,
        "missing": copied.missing,
        "prepared": copied.prepared,
        "adaptations": adaptations,
        "notes": copied.notes,
        "database_properties": copied.applied,
        "duration_s": copied.duration_s,
        "warnings": report.warnings(),
    });
    report.fact(
        "done",
        format!(
            "{}{} ({}) copied into \"{}\" in {:.1} s; {missing}",
            units::plural(tables, "table"),
            rows.map_or(String::new(), |rows| format!(", {}", units::plural(rows, "row"))),
            units::size(copied.bytes),
            copied.target.database,
            copied.duration_s
        ),
    );
    report.result("", fields)
}

/// One of the two databases.
fn side(server: &Server, client: Option<&Client>) -> Value {
    json!({
        "database": server.database,
        "flavour": server.flavour.to_string(),
        "server_version": server.version.to_string(),
        "client_version": client.map(|client| client.version.to_string()),
    })
}
