//! What an archive says of itself: drafted from the plan, completed from what was really seen.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::archive::{self, FORMAT_VERSION, MANIFEST_MAX, Manifest, Member};
use crate::engine::{Client, Content, DumpOptions, ROW_CHECKSUM, Severity, Subject};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;
use crate::pipeline::connect::ConnectedServer;
use crate::pipeline::source::Source;
use crate::properties::DatabaseProperties;
use crate::report::units;

/// The manifest as far as it is known before the first byte.
pub fn draft(source: &Source, name: Option<&str>, dumped: &DumpOptions, started_at: Timestamp) -> Manifest {
    let Source { connected: ConnectedServer { server, .. }, client, plan, .. } = source;
    let not_held = server.findings.iter().filter(|f| f.subject == Subject::NotHeld).map(|f| f.what.clone());
    let found = server.findings.iter().filter(|f| f.severity == Severity::Warning).map(|f| f.what.clone());
    Manifest {
        format_version: FORMAT_VERSION,
        tool: concat!("dbhaul ", env!("CARGO_PKG_VERSION")).to_owned(),
        engine: plan.format.dialect.name().to_owned(),
        flavour: server.flavour.to_string(),
        server_version: server.version.to_string(),
        client: client.as_ref().map_or_else(ourselves, |client| archive::Client {
            program: program_name(client),
            version: client.version.to_string(),
        }),
        database: server.database.clone(),
        name: name.unwrap_or(&server.database).to_owned(),
        started_at: started_at.to_string(),
        finished_at: String::new(),
        options: options(dumped),
        members: Vec::new(),
        consistency: plan.consistency.clone(),
        row_checksum: Some(ROW_CHECKSUM.to_owned()),
        tables: server
            .tables
            .iter()
            .map(|table| archive::ManifestTable {
                schema: Some(table.schema.clone()).filter(|_| !table.schema.is_empty()),
                name: table.name.clone(),
                rows: None,
                checksum: None,
                estimated_rows: Some(table.rows),
                bytes: Some(table.bytes),
            })
            .collect(),
        inexact_columns: plan.inexact.clone(),
        retyped_columns: plan.retyped.clone(),
        missing: plan.missing.clone(),
        not_held: not_held.collect(),
        dependencies: server
            .selected
            .as_ref()
            .filter(|selected| selected.is_part || !selected.dependencies.is_empty())
            .map(|selected| selected.dependencies.clone()),
        warnings: found.chain(plan.warnings.iter().cloned()).collect(),
        encoding: Some(server.encoding.clone()),
        collation: Some(server.collation.clone()),
        lc_monetary: plan.lc_monetary.clone(),
        extensions: Vec::new(),
        database_properties: Some(server.properties.clone()),
    }
}

/// Refuses a manifest that no reader would take into memory.
pub fn check_size(bytes: usize, kind: Kind) -> Result<()> {
    if bytes as u64 <= MANIFEST_MAX {
        return Ok(());
    }
    let (bytes, most) = (units::size(bytes as u64), units::size(MANIFEST_MAX));
    Err(Error::new(kind, "the database has more tables and columns than one archive tells of")
        .why(format!("its manifest would have {bytes}, and {most} are read"))
        .why("nothing was published")
        .hint(Hint::new("dump-in-pieces", "dump its schemas one by one, or some of its tables: --schema, --table")))
}

/// Where no client wrote the dump.
fn ourselves() -> archive::Client {
    archive::Client { program: "dbhaul".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
}

/// `pg_dump`: where it stood on this machine says nothing elsewhere.
fn program_name(client: &Client) -> String {
    client.path.file_name().unwrap_or(client.path.as_os_str()).to_string_lossy().into_owned()
}

/// Replaces estimates by what the dump's bytes said. A table that the dump does not hold is left out.
pub fn complete(manifest: &mut Manifest, content: &Content, members: &[Member]) {
    let estimates: BTreeMap<_, _> =
        manifest.tables.drain(..).map(|t| ((t.schema.clone(), t.name.clone()), (t.estimated_rows, t.bytes))).collect();
    let by_name: BTreeMap<_, _> = estimates.iter().map(|((_, name), known)| (name.clone(), *known)).collect();
    manifest.tables = content
        .tables
        .iter()
        .map(|table| {
            let known = match &table.schema {
                Some(_) => estimates.get(&(table.schema.clone(), table.name.clone())),
                None => by_name.get(&table.name),
            };
            let (estimated_rows, bytes) = known.copied().unwrap_or_default();
            let schema = table.schema.clone();
            let checksum = table.checksum.map(hexadecimal);
            archive::ManifestTable {
                schema,
                name: table.name.clone(),
                rows: table.rows,
                checksum,
                estimated_rows,
                bytes,
            }
        })
        .collect();
    manifest.members = members.to_vec();
    manifest.extensions.clone_from(&content.extensions);
    manifest.finished_at = Timestamp::now().to_string();
}

/// The first table of which the manifest says something else than the dump's bytes do, as a sentence. What was not
/// counted, or was summed in another way, can't be compared.
pub fn disagreement(manifest: &Manifest, content: &Content) -> Option<String> {
    let found: BTreeMap<_, _> = content.tables.iter().map(|t| ((t.schema.as_deref(), t.name.as_str()), t)).collect();
    let summed = manifest.row_checksum.as_deref() == Some(ROW_CHECKSUM);
    manifest.tables.iter().find_map(|told| {
        let name = qualified(told.schema.as_deref(), &told.name);
        let Some(table) = found.get(&(told.schema.as_deref(), told.name.as_str())) else {
            return Some(format!("table {name} is in the manifest and not in the dump"));
        };
        if let (Some(told), Some(rows)) = (told.rows, table.rows)
            && told != rows
        {
            let (told, rows) = (units::plural(told, "row"), units::plural(rows, "row"));
            return Some(format!("table {name} has {told} in the manifest and {rows} in the dump"));
        }
        let told = told.checksum.as_deref().filter(|_| summed)?;
        let sum = table.checksum.map(hexadecimal)?;
        (told != sum)
            .then(|| format!("the rows of table {name} have checksum {told} in the manifest and {sum} in the dump"))
    })
}

/// What belonged to the database itself: as the manifest has it, or an older one the most of it; what the dump says where
/// that is more.
pub fn properties(manifest: &Manifest, held: Option<DatabaseProperties>) -> Option<DatabaseProperties> {
    let Manifest { encoding, collation, database_properties, .. } = manifest;
    let older =
        || DatabaseProperties { encoding: encoding.clone(), collation: collation.clone(), ..Default::default() };
    let more = held.filter(|held| held.collation.is_some());
    let Some(mut told) = database_properties.clone() else { return more.or_else(|| Some(older())) };
    // Values that may be secrets stand in the dump alone.
    for setting in told.settings.iter_mut().filter(|setting| setting.value().is_none()) {
        if let Some(known) = more.as_ref().and_then(|more| more.setting(setting)) {
            *setting = known.clone();
        }
    }
    Some(told)
}

/// `schema.name`, or `name` where there is no schema.
pub fn qualified(schema: Option<&str>, name: &str) -> String {
    schema.map_or_else(|| name.to_owned(), |schema| format!("{schema}.{name}"))
}

/// A checksum as the manifest writes it.
fn hexadecimal(sum: u64) -> String {
    format!("{sum:016x}")
}

/// The options that were given, by their names on the command line.
fn options(options: &DumpOptions) -> BTreeMap<String, Value> {
    let arguments: Vec<_> = options.extra.iter().map(|argument| crate::uri::redact_secrets(argument)).collect();
    let lists = options.patterns().into_iter().chain([("arguments", &arguments)]);
    let switches = [
        ("plain", options.plain),
        ("schema-only", options.schema_only),
        ("data-only", options.data_only),
        ("no-owner", options.no_owner),
        ("no-privileges", options.no_privileges),
        ("no-comments", options.no_comments),
    ];
    let lists = lists.filter(|(_, list)| !list.is_empty()).map(|(name, list)| (name, json!(list)));
    let switches = switches.into_iter().filter(|(_, on)| *on).map(|(name, _)| (name, json!(true)));
    lists.chain(switches).map(|(name, value)| (name.to_owned(), value)).collect()
}
