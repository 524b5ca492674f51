//! `dbhaul dump`.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde_json::json;

use super::connect::ConnectArgs;
use super::lists::Variables;
use crate::archive::Compression;
use crate::engine::DumpOptions;
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;
use crate::pipeline::dump::{Dumped, Outcome, Request, dump};
use crate::report::{Report, units};
use crate::store::{self, LocationError, SharedLocation};

/// Dumps a database into YYYYMMDDHHMMSS_NAME.tar.gz, and prints the archive's path
///
/// The archive appears under its name only when the dump is complete: the client ended well, what it wrote was read to
/// its end and every byte is on the disk. Until then it is a .partial file, which goes away with a failure.
#[derive(Args, Debug)]
pub struct DumpArgs {
    /// The database: postgres://, mysql:// or mariadb://, or env:NAME, or file:PATH. Without it: DBHAUL_URI,
    /// DATABASE_URL, SCALINGO_POSTGRESQL_URL, SCALINGO_MYSQL_URL, each also with _FILE for a file that holds it
    uri: Option<String>,
    /// The archive's path; a folder (ending in /) gets YYYYMMDDHHMMSS_NAME.tar.gz; - is stdout
    #[arg(long, short, value_name = "PATH|DIR/|-", env = "DBHAUL_OUTPUT", default_value = ".", value_parser = NonEmptyStringValueParser::new())]
    output: String,
    /// The name in the archive's file name [default: the database's]
    #[arg(long, env = "DBHAUL_NAME", value_parser = NonEmptyStringValueParser::new())]
    name: Option<String>,
    /// PostgreSQL: custom can be restored in part and adapted, plain is SQL
    #[arg(long, env = "DBHAUL_FORMAT", default_value = "custom", value_parser = ["custom", "plain"])]
    format: String,
    /// N sessions at once, all of one moment (PostgreSQL: custom format)
    #[arg(long, value_name = "N", env = "DBHAUL_JOBS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    jobs: u32,
    /// gzip, zstd or none, with :LEVEL; without a level, it is chosen while the dump runs
    #[arg(long, value_name = "METHOD[:LEVEL]", env = "DBHAUL_COMPRESSION", default_value = "gzip")]
    compression: Compression,
    /// Dumps what can be read, and lists in the manifest what is missing
    #[arg(long, env = "DBHAUL_ALLOW_INCOMPLETE")]
    allow_incomplete: bool,
    /// Prints the commands, redacted and ready to paste, and runs nothing
    #[arg(long, env = "DBHAUL_DRY_RUN")]
    dry_run: bool,
    #[command(flatten)]
    pub select: SelectArgs,
    #[command(flatten)]
    keep: KeepArgs,
    #[command(flatten)]
    reach: ConnectArgs,
    /// Handed to pg_dump or mysqldump as they are
    #[arg(last = true, value_name = "ARGS")]
    extra: Vec<String>,
}

/// What is dumped
#[derive(Args, Debug)]
#[command(next_help_heading = "What is dumped (PATTERN: psql's, * and ?)")]
pub struct SelectArgs {
    /// Only these schemas
    #[arg(long, value_name = "PATTERN", env = "DBHAUL_SCHEMA")]
    schema: Vec<String>,
    /// Not these schemas
    #[arg(long, value_name = "PATTERN", env = "DBHAUL_EXCLUDE_SCHEMA")]
    exclude_schema: Vec<String>,
    /// Only these tables
    ///
    /// With the sequences that they use. What else they need (types, functions, a view's tables) is named, and must be where
    /// they are restored.
    #[arg(long, value_name = "PATTERN", env = "DBHAUL_TABLE")]
    table: Vec<String>,
    /// Not these tables
    #[arg(long, value_name = "PATTERN", env = "DBHAUL_EXCLUDE_TABLE")]
    exclude_table: Vec<String>,
    /// These tables without their rows
    #[arg(long, value_name = "PATTERN", env = "DBHAUL_EXCLUDE_TABLE_DATA")]
    exclude_table_data: Vec<String>,
    /// No rows
    #[arg(long, env = "DBHAUL_SCHEMA_ONLY", conflicts_with = "data_only")]
    schema_only: bool,
    /// Only rows
    #[arg(long, env = "DBHAUL_DATA_ONLY")]
    data_only: bool,
}

/// What is left out
#[expect(clippy::struct_excessive_bools, reason = "each is one independent switch of the command line")]
#[derive(Args, Debug)]
struct KeepArgs {
    /// Leaves owners out (the default for plain)
    #[arg(long, env = "DBHAUL_NO_OWNER", conflicts_with = "keep_owner")]
    no_owner: bool,
    /// Leaves privileges out (the default for plain)
    #[arg(long, env = "DBHAUL_NO_PRIVILEGES", conflicts_with = "keep_privileges")]
    no_privileges: bool,
    /// Leaves comments out (the default for plain)
    #[arg(long, env = "DBHAUL_NO_COMMENTS", conflicts_with = "keep_comments")]
    no_comments: bool,
    /// Plain: keeps owners
    #[arg(long, env = "DBHAUL_KEEP_OWNER")]
    keep_owner: bool,
    /// Plain: keeps privileges
    #[arg(long, env = "DBHAUL_KEEP_PRIVILEGES")]
    keep_privileges: bool,
    /// Plain: keeps comments
    #[arg(long, env = "DBHAUL_KEEP_COMMENTS")]
    keep_comments: bool,
}

/// Runs it.
pub async fn run(args: DumpArgs, report: &Report) -> Result<()> {
    let destination = destination(&args.output)?;
    if destination.scheme() == store::stdout::SCHEME && !args.dry_run {
        report.leave_stdout();
    }
    let named = ConnectArgs::connection(args.uri.as_deref(), report)?;
    let plain = args.format == "plain";
    let request = Request {
        connection: named.connection,
        options: DumpOptions {
            allow_incomplete: args.allow_incomplete,
            extra: args.extra,
            jobs: args.jobs,
            ..args.keep.resolve(plain, args.select.options())
        },
        destination,
        name: args.name,
        compression: args.compression,
        dry_run: args.dry_run,
    };
    match dump(&args.reach.context(report)?, request).await? {
        Outcome::Planned(commands) => report.result(&commands.join("\n"), json!({ "commands": commands })),
        Outcome::Done(dumped) => show(report, &dumped),
    }
}

fn destination(text: &str) -> Result<SharedLocation> {
    let destination = store::locate(text).map_err(|error| match error {
        LocationError::UnknownScheme(scheme) => {
            Error::new(Kind::Usage, format!("--output: archives can't be sent to {scheme}:// yet"))
                .hint(Hint::new("output-to-stdout", "--output - writes to stdout, so that another program can send it"))
        }
        LocationError::Malformed(what) => Error::new(Kind::Usage, format!("--output: {what}")),
    })?;
    if destination.scheme() == store::stdout::SCHEME && std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        return Err(Error::new(Kind::Usage, "--output -: an archive is not for a terminal")
            .hint(Hint::new("redirect-archive", "add > FILE or | PROGRAM")));
    }
    Ok(destination)
}

impl SelectArgs {
    /// Cuts apart what came from variables.
    pub fn split(&mut self, variables: &Variables) {
        for (option, values) in [
            ("schema", &mut self.schema),
            ("exclude_schema", &mut self.exclude_schema),
            ("table", &mut self.table),
            ("exclude_table", &mut self.exclude_table),
            ("exclude_table_data", &mut self.exclude_table_data),
        ] {
            variables.split_patterns(option, values);
        }
    }

    /// The options of a dump of this, with nothing left out of it.
    pub fn options(self) -> DumpOptions {
        DumpOptions {
            schemas: self.schema,
            exclude_schemas: self.exclude_schema,
            tables: self.table,
            exclude_tables: self.exclude_table,
            exclude_table_data: self.exclude_table_data,
            schema_only: self.schema_only,
            data_only: self.data_only,
            ..DumpOptions::default()
        }
    }
}

impl KeepArgs {
    /// In plain format nothing can be chosen at the restore, so owners, privileges and comments are left out unless
    /// they are wanted; in custom format they stay unless they are not.
    fn resolve(&self, plain: bool, options: DumpOptions) -> DumpOptions {
        DumpOptions {
            plain,
            no_owner: self.no_owner || (plain && !self.keep_owner),
            no_privileges: self.no_privileges || (plain && !self.keep_privileges),
            no_comments: self.no_comments || (plain && !self.keep_comments),
            ..options
        }
    }
}

fn show(report: &Report, dumped: &Dumped) -> Result<()> {
    let manifest = &dumped.manifest;
    let tables = units::plural(manifest.tables.len() as u64, "table");
    let rows = total_rows(dumped).map_or(String::new(), |rows| format!(", {}", units::plural(rows, "row")));
    let missing = if manifest.missing.is_empty() { "complete" } else { "INCOMPLETE, as allowed" };
    let path = dumped.path.as_ref().map(|path| path.display().to_string());
    let members: Vec<_> = dumped
        .members
        .iter()
        .map(|member| json!({ "path": member.path, "bytes": member.size, "sha256": member.sha256 }))
        .collect();
    let fields = json!({
        "archive": path,
        "bytes": dumped.bytes,
        "raw_bytes": dumped.raw_bytes,
        "members": members,
        "duration_s": dumped.duration_s,
        "engine": manifest.engine,
        "server_version": manifest.server_version,
        "client_version": manifest.client.version,
        "database": manifest.database,
        "consistency": manifest.consistency,
        "tables": manifest.tables.len(),
        "rows": total_rows(dumped),
        "missing": manifest.missing,
        "warnings": report.warnings(),
    });
    let done = format!(
        "{} -> {} in {:.1} s; {tables}{rows}; {missing}, checksums recorded",
        units::size(dumped.raw_bytes),
        units::size(dumped.bytes),
        dumped.duration_s,
    );
    // The object is the last that a reader of stderr finds, where stdout carries the archive.
    if path.is_none() {
        report.fact("done", &done);
    }
    let stands =
        path.as_ref().map_or_else(|| "the archive went to stdout".to_owned(), |path| format!("the archive is {path}"));
    report.path(path.as_deref().unwrap_or_default(), fields).map_err(|error| error.why(stands))?;
    if path.is_some() {
        report.fact("done", &done);
    }
    Ok(())
}

/// The rows of all tables; none where one could not be counted.
fn total_rows(dumped: &Dumped) -> Option<u64> {
    dumped.manifest.tables.iter().map(|table| table.rows).sum()
}
