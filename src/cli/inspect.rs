//! `dbhaul inspect`.

use std::fmt::Write as _;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde_json::{Value, json};

use crate::archive::Manifest;
use crate::engine::{DumpedTable, HeldDatabase};
use crate::error::Result;
use crate::pipeline::inspect::{Foreign, Inspected, inspect};
use crate::properties::{DatabaseGrant, DatabaseProperties};
use crate::report::{Report, units};

/// Shows an archive's manifest, members and tables; answers at once, whatever its size
///
/// A file that another program wrote is read to its end where that is quick: who wrote it, its tables with their rows, and
/// whether its end mark is there.
#[derive(Args, Debug)]
pub struct InspectArgs {
    /// The archive
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    archive: String,
    /// Reads another program's file to its end, however large it is
    #[arg(long, env = "DBHAUL_ROWS")]
    rows: bool,
}

/// Runs it.
pub fn run(args: &InspectArgs, report: &Report) -> Result<()> {
    let inspected = inspect(&args.archive, args.rows)?;
    let members: Vec<_> = inspected.members.iter().map(|(path, size)| json!({ "path": path, "bytes": size })).collect();
    let fields = json!({
        "archive": args.archive,
        "kind": inspected.description,
        "members": members,
        "manifest": inspected.manifest,
        "dump": inspected.foreign.as_ref().map(of_foreign),
    });
    report.result(&text(&inspected), fields)
}

/// One column of labels, values beside them.
fn text(inspected: &Inspected) -> String {
    let mut out = format!("{:<14} {}\n", "archive", inspected.description);
    if let Some(manifest) = &inspected.manifest {
        describe(manifest, &mut out);
    }
    for (path, size) in &inspected.members {
        let size = size.map_or("size unknown".into(), units::size);
        let _ = writeln!(out, "{:<14} {size:>10}  {path}", "member");
    }
    if let Some(foreign) = &inspected.foreign {
        describe_foreign(foreign, &mut out);
    }
    for table in inspected.manifest.iter().flat_map(|manifest| &manifest.tables) {
        let name = table.schema.iter().chain([&table.name]).cloned().collect::<Vec<_>>().join(".");
        let rows = match (table.rows, table.estimated_rows) {
            (Some(rows), _) => units::plural(rows, "row"),
            (None, Some(rows)) => format!("about {}", units::plural(rows, "row")),
            (None, None) => "rows not counted".into(),
        };
        let checksum = table.checksum.as_ref().map_or(String::new(), |sum| format!("  {sum}"));
        let _ = writeln!(out, "{:<14} {rows:>16}  {name}{checksum}", "table");
    }
    out
}

/// Somebody else's dump, as JSON.
fn of_foreign(foreign: &Foreign) -> Value {
    let table = |table: &DumpedTable| json!({ "schema": table.schema, "name": table.name, "rows": table.rows });
    let database = |held: &HeldDatabase| json!({ "name": held.name, "bytes": held.bytes });
    json!({
        "flavour": foreign.flavour.map(|flavour| flavour.to_string()),
        "server_version": foreign.server_version,
        "client_version": foreign.client_version,
        "exporter": foreign.exporter,
        "complete": foreign.complete,
        "end": foreign.end,
        "tables": foreign.tables.iter().map(table).collect::<Vec<_>>(),
        "databases": foreign.databases.iter().map(database).collect::<Vec<_>>(),
    })
}

fn describe_foreign(foreign: &Foreign, out: &mut String) {
    let server =
        foreign.flavour.map(|flavour| format!("{flavour} {}", foreign.server_version.as_deref().unwrap_or_default()));
    let lines =
        [("server", server), ("client", foreign.client_version.clone()), ("written by", foreign.exporter.clone())];
    for (label, value) in lines.into_iter().filter_map(|(label, value)| Some((label, value?))) {
        let _ = writeln!(out, "{label:<14} {}", value.trim_end());
    }
    let _ = writeln!(out, "{:<14} {}", "end", foreign.end);
    for HeldDatabase { name, bytes, .. } in &foreign.databases {
        let _ = writeln!(out, "{:<14} {:>10}  {name}", "database", units::size(*bytes));
    }
    for DumpedTable { schema, name, rows, .. } in &foreign.tables {
        let name = schema.iter().chain([name]).cloned().collect::<Vec<_>>().join(".");
        let rows = rows.map_or("rows not counted".into(), |rows| units::plural(rows, "row"));
        let _ = writeln!(out, "{:<14} {rows:>16}  {name}", "table");
    }
}

fn describe(manifest: &Manifest, out: &mut String) {
    let lines = [
        ("database", manifest.database.clone()),
        ("server", format!("{} {}", manifest.flavour, manifest.server_version)),
        ("client", format!("{} {}", manifest.client.program, manifest.client.version)),
        ("written by", manifest.tool.clone()),
        ("started", manifest.started_at.clone()),
        ("finished", manifest.finished_at.clone()),
        ("consistency", manifest.consistency.clone()),
    ];
    for (label, value) in lines {
        let _ = writeln!(out, "{label:<14} {value}");
    }
    for property in manifest.database_properties.iter().flat_map(properties) {
        let _ = writeln!(out, "{:<14} {property}", "property");
    }
    let options = manifest.options.iter().map(|(name, value)| ("option", format!("{name} {value}")));
    let missing = manifest.missing.iter().map(|what| ("missing", what.clone()));
    let needed = manifest.dependencies.iter().flatten().map(|dependency| ("needed", dependency.sentence()));
    let warnings = manifest.warnings.iter().map(|what| ("warning", what.clone()));
    for (label, value) in options.chain(missing).chain(needed).chain(warnings) {
        let _ = writeln!(out, "{label:<14} {value}");
    }
}

/// What belongs to the database itself, a line for each.
fn properties(properties: &DatabaseProperties) -> Vec<String> {
    let named = [
        ("encoding", &properties.encoding),
        ("collation", &properties.collation),
        ("character classification", &properties.ctype),
        ("locale provider", &properties.locale_provider),
        ("provider's locale", &properties.locale),
        ("ICU rules", &properties.icu_rules),
        ("tablespace", &properties.tablespace),
        ("owner", &properties.owner),
        ("comment", &properties.comment),
    ];
    let mut lines: Vec<_> =
        named.iter().filter_map(|(name, value)| Some(format!("{name} {}", value.as_ref()?))).collect();
    lines.extend(properties.connection_limit.map(|limit| format!("connection limit {limit}")));
    lines.extend((properties.template == Some(true)).then(|| "a template".to_owned()));
    lines.extend((properties.encryption == Some(true)).then(|| "default encryption on".to_owned()));
    lines.extend((properties.read_only == Some(true)).then(|| "read-only".to_owned()));
    for DatabaseGrant { role, privilege, .. } in properties.grants.iter().flatten() {
        lines.push(format!("grant {privilege} to {}", role.as_deref().unwrap_or("everybody")));
    }
    lines.extend(properties.settings.iter().map(|setting| match setting.value() {
        Some(value) => format!("setting {setting} = {value}"),
        None => format!("setting {setting}, whose value is only in the dump"),
    }));
    lines
}
