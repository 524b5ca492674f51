//! `dbhaul verify`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde_json::{Value, json};

use super::connect::ConnectArgs;
use super::foreign::ForeignArgs;
use crate::env_settings;
use crate::error::Result;
use crate::pipeline::Context;
use crate::pipeline::verify::{TrialPlace, Tried, verify};
use crate::report::{Report, units};

/// Reads an archive to its last byte: every checksum, and whether the dump in it is complete
///
/// With --restore or --restore-into it is restored as well, and every table compared with what was dumped.
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// The archive: a file, the folder of a directory-format dump, or - for stdin
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    archive: String,
    /// Restores it into a scratch server, made of installed server programs, and compares every table
    #[arg(long, env = "DBHAUL_RESTORE", conflicts_with = "restore_into")]
    restore: bool,
    /// The same on a server of yours (a URI, env:NAME or file:PATH), in a database of its own that is dropped again
    #[arg(long, value_name = "URI", env = "DBHAUL_RESTORE_INTO")]
    restore_into: Option<String>,
    /// Takes the scratch server's programs from this folder only
    #[arg(long, value_name = "DIR", env = "DBHAUL_SERVER_DIR")]
    server_dir: Option<PathBuf>,
    #[command(flatten)]
    foreign: ForeignArgs,
    #[command(flatten)]
    reach: ConnectArgs,
}

/// Runs it.
pub async fn run(args: VerifyArgs, report: &Report) -> Result<()> {
    let secret_file = std::env::var(env_settings::file_of("DBHAUL_RESTORE_INTO")).ok().filter(|path| !path.is_empty());
    let secret_file = secret_file.filter(|_| !args.restore).map(|path| format!("file:{path}"));
    let place = match args.restore_into.clone().or(secret_file) {
        Some(uri) => Some(TrialPlace::Server(Box::new(ConnectArgs::connection(Some(&uri), report)?.connection))),
        None => args.restore.then_some(TrialPlace::Scratch),
    };
    let context = Context { server_dir: args.server_dir.clone(), ..args.reach.context(report)? };
    let context = args.foreign.within(context);
    let verified = verify(&context, &args.archive, place).await?;
    let held = &verified.content;
    let rows: Option<u64> = held.tables.iter().map(|table| table.rows).sum();
    let tables = units::plural(held.tables.len() as u64, "table");
    let counted = rows.map_or(String::new(), |rows| format!(", {}", units::plural(rows, "row")));
    report.fact("archive", &verified.description);
    report.fact("checked", &verified.proof);
    if let Some(tried) = &verified.tried {
        report.fact("restored", describe(tried));
    }
    let fields = json!({
        "archive": args.archive,
        "kind": verified.description,
        "engine": held.format.dialect.name(),
        "bytes": verified.bytes,
        "source_database": held.database,
        "tables": held.tables.len(),
        "rows": rows,
        "complete": held.unproven.is_none(),
        "checked": verified.proof,
        "restored": verified.tried.as_ref().map(fields),
        "warnings": report.warnings(),
    });
    let complete = if held.unproven.is_some() { "not proved complete" } else { "complete" };
    let restored = if verified.tried.is_some() { ", restored and the same" } else { "" };
    let text = format!("{}: {complete}{restored}; {tables}{counted}, {}", args.archive, units::size(verified.bytes));
    report.result(&text, fields)
}

/// `PostgreSQL 15.18; 11 tables by rows, 11 by checksum, in 2.1 s`
fn describe(tried: &Tried) -> String {
    let tables = units::plural(tried.tables, "table");
    let checksums = match &tried.no_checksums {
        None => format!("{} by checksum", tried.checksums),
        Some(why) => format!("none by checksum ({why})"),
    };
    let (flavour, version) = (tried.server.flavour, tried.server.version);
    let inexact = match &tried.inexact_columns[..] {
        [] => String::new(),
        columns => format!(", but FLOAT columns {} are as the client wrote them", columns.join(", ")),
    };
    let by_name = if tried.no_checksums.is_some() { " by name" } else { "" };
    let definitions = format!("{}{by_name}", units::plural(tried.definitions, "definition"));
    let added = match &tried.added[..] {
        [] => String::new(),
        added => format!("; the server adds {}", added.join(", ")),
    };
    let database = match &tried.database_differences[..] {
        [] => String::new(),
        others => format!("; the trial's server made {}", others.join(", ")),
    };
    let not_compared = match &tried.not_compared[..] {
        [] => String::new(),
        others => format!("; not compared: {}", others.join(", ")),
    };
    format!(
        "{flavour} {version}; {tables} compared by rows, {checksums}{inexact}; {definitions}{added}{database}{not_compared}; \
         in {:.1} s",
        tried.duration_s
    )
}

fn fields(tried: &Tried) -> Value {
    json!({
        "server_version": tried.server.version.to_string(),
        "tables": tried.tables,
        "rows": tried.rows,
        "checksums": tried.checksums,
        "definitions": tried.definitions,
        "added": tried.added,
        "database_differences": tried.database_differences,
        "not_compared": tried.not_compared,
        "no_checksums": tried.no_checksums,
        "inexact_columns": tried.inexact_columns,
        "duration_s": tried.duration_s,
    })
}
