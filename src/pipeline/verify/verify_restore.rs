//! A trial: an archive restored into a database that nobody needs, dumped again, and compared.
//!
//! The restore and the dump are the ordinary ones. What the second dump's bytes say of each table is held against what
//! the archive's say. The database goes away whatever comes of it: with its scratch server, or by a DROP.

use std::collections::BTreeSet;
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::compare::{Comparison, Scope, compare, other_words};
use super::verify_properties;
use crate::archive::Compression;
use crate::connection::{Connection, Limits};
use crate::engine::{
    self, Content, DatabaseSettings, Dependency, DumpOptions, DumpedTable, Engine, Purpose, RestoreOptions, Role,
    ScratchSpec, Server, Severity, Version, with_comments,
};
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::hint::{self, Hint};
use crate::pipeline::connect::{ConnectedServer, connect};
use crate::pipeline::dump::{self, Outcome};
use crate::pipeline::input::{Checked, Input};
use crate::pipeline::watch::stopped;
use crate::pipeline::{Context, clients, restore};
use crate::report::units;
use crate::scratch::{self, Folder, Scratch};
use crate::secret::Secret;
use crate::store::NullLocation;

/// What the names of our databases begin with.
pub(crate) const PREFIX: &str = "dbhaul_verify_";

/// A scratch server has this long until it lets us in: it may have much to set up on a slow disk.
const UNTIL_READY: Duration = Duration::from_secs(120);

/// Where a trial takes place.
#[derive(Debug)]
pub enum TrialPlace {
    /// On a server of ours, made for it.
    Scratch,
    /// On this server, in a database of its own.
    Server(Box<Connection>),
}

/// A trial that went well.
#[derive(Debug)]
pub struct Tried {
    /// The server.
    pub server: Server,
    /// Tables that were compared.
    pub tables: u64,
    /// Their rows; None where they could not be counted.
    pub rows: Option<u64>,
    /// Tables whose checksums were compared as well.
    pub checksums: u64,
    /// Definitions that were compared: as the dump has them, or by their names where checksums were not compared.
    pub definitions: u64,
    /// What the trial's server has beside what the archive brought.
    pub added: Vec<String>,
    /// What of the database itself the trial's server made otherwise, a sentence each.
    pub database_differences: Vec<String>,
    /// What the archive holds and was not compared: `privileges`.
    pub not_compared: Vec<String>,
    /// Why no checksum was compared.
    pub no_checksums: Option<String>,
    /// Columns of which the archive may hold fewer digits than its source had, as `table.column`.
    pub inexact_columns: Vec<String>,
    /// Seconds.
    pub duration_s: f64,
}

/// Restores, dumps again and compares. `Kind::Archive` names each table that is not the same.
pub async fn attempt(context: &Context, input: &Input, checked: &Checked, place: TrialPlace) -> Result<Tried> {
    let started = Instant::now();
    refuse_rows_alone(checked)?;
    let mut tried = match place {
        TrialPlace::Scratch => on_scratch(context, input, checked).await?,
        TrialPlace::Server(connection) => on_server(context, input, checked, &connection).await?,
    };
    tried.duration_s = started.elapsed().as_secs_f64();
    Ok(tried)
}

fn refuse_rows_alone(checked: &Checked) -> Result<()> {
    let options = checked.manifest.as_ref().map(|manifest| &manifest.options);
    if options.is_some_and(|options| options.contains_key("data-only")) {
        return Err(Error::new(Kind::Refused, "the archive holds rows without their tables (--data-only)")
            .why("nothing was started")
            .hint(Hint::new("verify-without-restore", "verify without --restore reads and counts them")));
    }
    Ok(())
}

async fn on_scratch(context: &Context, input: &Input, checked: &Checked) -> Result<Tried> {
    let engine = engine::of(input.format().dialect);
    let Some(server) = engine.scratch() else {
        return Err(Error::new(
            Kind::Usage,
            format!("no throw-away server of {} can be started", engine.dialect().name()),
        )
        .hint(hint::RESTORE_INTO_URI));
    };
    let found = clients::find(context, engine, &[Role::Server]).await?;
    let program = scratch::choose(&checked.content, &found)?;
    let needed = server.base_disk_bytes() + 2 * checked.bytes;
    let folder = Folder::create(&context.temp_dir, needed, server.service_user())?;
    context.fact("scratch server", format!("{program}, in {} ({})", folder.path().display(), units::size(needed)));
    let encoding = checked.manifest.as_ref().and_then(|manifest| manifest.encoding.as_deref());
    let (path, account) = (folder.path().to_owned(), folder.account);
    let site = ScratchSpec { program, folder: &path, account, password: Secret::new(random(16)?), encoding };
    let plan = server.plan_scratch(&site)?;
    for invocation in [&plan.install, &plan.server] {
        context.tell(Event::Command(invocation.to_string()));
    }
    let supervision = context.supervision(&plan.connection.redactor());
    let scratch = Scratch::start(plan, folder, &supervision).await?;
    let connection = scratch.connection.clone();
    // Another release may lack roles of the server's own.
    let source = checked.content.source_version.as_deref().and_then(Version::parse);
    let options = options(source.is_some_and(|source| source.major == program.version.major));
    let quiet = without_own_facts(context);
    let patient = Limits { connect: UNTIL_READY, retries: u32::MAX, ..context.limits };
    let work = async {
        connect(&Context { limits: patient, ..quiet.clone() }, &connection, Purpose::Dump).await?;
        server.create_required_roles(&connection, &checked.content, &quiet.limits).await?;
        let name = format!("{PREFIX}scratch");
        engine.create_database(&connection, &name, checked.content.properties.as_ref(), &quiet.limits).await?;
        in_database(&quiet, input, checked, &connection, &name, &options).await
    };
    Box::pin(scratch.during(work)).await
}

async fn on_server(context: &Context, input: &Input, checked: &Checked, named: &Connection) -> Result<Tried> {
    input.check_family(context, named).await?;
    let connected = connect(context, named, Purpose::Restore).await?;
    if let Some(fatal) = connected.server.findings.iter().find(|finding| finding.severity == Severity::Fatal) {
        let refused = Error::new(Kind::Refused, &fatal.what).unchanged();
        return Err(refused.hints(fatal.hint.clone()));
    }
    let result = Box::pin(in_own_database(&without_own_facts(context), &connected, input, checked)).await;
    if let Some(tunnel) = connected.tunnel {
        tunnel.close().await;
    }
    result
}

/// Makes a database, tries, and drops it, whatever came of it.
async fn in_own_database(
    context: &Context,
    connected: &ConnectedServer,
    input: &Input,
    checked: &Checked,
) -> Result<Tried> {
    let ConnectedServer { engine, connection, .. } = connected;
    for name in engine.databases(connection, PREFIX, &context.limits).await? {
        context.warn(format!(
            "database {name} is on that server: another verify runs, or one was killed; if none runs, drop it"
        ));
    }
    let name = format!("{PREFIX}{}", random(5)?);
    // Not left in the middle by a signal: then nobody would know whether there is something to drop.
    engine.create_database(connection, &name, checked.content.properties.as_ref(), &context.limits).await?;
    let result = match context.stop.requested() {
        Some(signal) => Err(stopped(signal)),
        None => Box::pin(in_database(context, input, checked, connection, &name, &options(false))).await,
    };
    let dropped = drop_it(context, *engine, connection, &name).await;
    match (result, dropped) {
        (Err(error), Ok(())) => Err(error.why(format!("database {name} was dropped again"))),
        (result, Ok(())) => result,
        (Err(error), Err(left)) => Err(error.why(format!("database {name} is still there: {}", left.why.join(" ")))),
        (Ok(_), Err(left)) => Err(left.why(format!("database {name} is still there: drop it"))),
    }
}

/// A connection may fail once where a server was just busy; nobody else will drop it.
pub(crate) async fn drop_it(context: &Context, engine: &dyn Engine, connection: &Connection, name: &str) -> Result<()> {
    match engine.drop_database(connection, name, &context.limits).await {
        Err(_) => {
            tokio::time::sleep(Duration::from_secs(1)).await;
            engine.drop_database(connection, name, &context.limits).await
        }
        done => done,
    }
}

/// How a trial restores. Nothing of the archive's is to run on a server of the user's; a database's settings are for others
/// than us. `has_roles`: those that the archive names are there.
fn options(has_roles: bool) -> RestoreOptions {
    RestoreOptions {
        disable_events: true,
        database_settings: Some(DatabaseSettings::Keep),
        keep_owner: has_roles,
        keep_privileges: has_roles,
        ..RestoreOptions::default()
    }
}

/// The trial itself, in an empty database of this name on the connection's server.
async fn in_database(
    context: &Context,
    input: &Input,
    checked: &Checked,
    connection: &Connection,
    name: &str,
    options: &RestoreOptions,
) -> Result<Tried> {
    let target = &Connection { database: name.to_owned(), ..connection.clone() };
    let server = restore::into_fresh(context, input, checked, target, options).await?;
    // Who wrote rows as the client does is held against rows that the client writes.
    let exact = checked.manifest.as_ref().and_then(|manifest| manifest.inexact_columns.as_ref()).map(Vec::is_empty);
    let client_rows = exact != Some(true);
    let inexact_columns = if client_rows { checked.content.float_columns.clone() } else { Vec::new() };
    let plain = checked.content.format.runs_as_is;
    let request = dump::Request {
        connection: target.clone(),
        options: DumpOptions { plain, allow_incomplete: true, client_rows, ..DumpOptions::default() },
        destination: Arc::new(NullLocation),
        name: None,
        compression: Compression::None,
        dry_run: false,
    };
    // What would be warned of before a dump of this database was known, or not, when its first one was made.
    let mute = without(context, |event| matches!(event, Event::Warning(_)));
    let Outcome::Done(mut again) = Box::pin(dump::dump(&mute, request)).await? else {
        return Err(Error::new(Kind::Unexpected, "a dump was planned and not made"));
    };
    let retyped = checked.manifest.as_ref().map_or(&[][..], |manifest| &manifest.retyped_columns);
    without_checksums(retyped, &mut again.content);
    let around = count_around_policies(context, target, &mut again.content).await?;
    let no_checksums = other_words(checked.manifest.as_ref(), &again.manifest);
    let (engine, exact) = (engine::of(target.dialect), no_checksums.is_none());
    // A script is run as it is.
    let kept = &RestoreOptions { keep_privileges: plain || options.keep_privileges, ..options.clone() };
    let of_scope = |definition: &str| engine.left_out(definition, &server, kept, exact);
    let scope = Scope { exact, owners: plain || options.keep_owner, left_out: &of_scope };
    let Comparison { tables, rows, checksums, definitions, added, mut differences, mut redefined, not_compared } =
        compare(&checked.content, &again.content, &scope);
    let of_database = verify_properties::compare(context, connection, target, &server, &checked.content).await?;
    redefined.extend(of_database.differences);
    let mut not_compared =
        checked.content.not_compared.union(&not_compared).map(ToString::to_string).collect::<Vec<_>>();
    let not_held = checked.manifest.iter().flat_map(|manifest| &manifest.not_held);
    not_compared.extend(not_held.map(|what| format!("what the dump does not hold ({what})")));
    not_compared.extend(
        (!retyped.is_empty()).then(|| format!("values of tables with JSON of other types ({})", retyped.join(", "))),
    );
    not_compared.extend(around.iter().map(|table| format!("values of rows behind row-level security ({table})")));
    // What points at tables outside of the dumped part could not be made here.
    let (left_out, all) = (left_out(&server, &checked.content), differences.len());
    differences.retain(|difference| !left_out.iter().any(|key| *difference == format!("{key} is missing")));
    let keys = (differences.len() < all).then(|| "foreign keys to what is outside of the dump".to_owned());
    if !differences.is_empty() || !redefined.is_empty() {
        return Err(differs(input.name(), &differences, &redefined));
    }
    Ok(Tried {
        server,
        tables,
        rows,
        checksums,
        definitions,
        added,
        database_differences: of_database.of_server,
        not_compared: not_compared.into_iter().chain(of_database.not_given).chain(keys).collect(),
        no_checksums,
        inexact_columns,
        duration_s: 0.0,
    })
}

/// Of tables with these columns, `table.column`, rows are counted alone: their values come back in other words.
fn without_checksums(columns: &[String], found: &mut Content) {
    let is_of = |column: &String, table: &str| column.strip_prefix(table).is_some_and(|rest| rest.starts_with('.'));
    for table in &mut found.tables {
        if columns.iter().any(|column| is_of(column, &table.name)) {
            table.checksum = None;
        }
    }
}

/// A user whose own tables' policies hold for it, too, dumps the rows that they let through. All are counted instead; these
/// tables are returned.
async fn count_around_policies(context: &Context, target: &Connection, found: &mut Content) -> Result<Vec<String>> {
    let engine = engine::of(target.dialect);
    let counts = engine.rows_behind_policies(target, &context.limits).await?;
    let mut names = Vec::new();
    for (schema, name, rows) in counts {
        let is = |table: &&mut DumpedTable| table.schema.as_deref() == Some(schema.as_str()) && table.name == name;
        if let Some(table) = found.tables.iter_mut().find(is) {
            (table.rows, table.checksum) = (Some(rows), None);
            names.push(format!("{schema}.{name}"));
        }
    }
    Ok(names)
}

/// Foreign keys that a restore of a part leaves out, and comments on them.
fn left_out(server: &Server, content: &Content) -> BTreeSet<String> {
    let lacking = server.target.lacking.iter().filter(|dependency| dependency.is_of_foreign_keys());
    let keys: BTreeSet<String> = lacking.flat_map(|dependency| dependency.needed_by.iter().cloned()).collect();
    let left = with_comments(&content.entries, &keys).into_iter().map(|entry| Dependency::from(entry).to_string());
    left.collect()
}

/// What is missing or has other rows may be the archive's fault. A definition that reads otherwise is what that server
/// makes of the dump's words.
fn differs(name: &str, differences: &[String], redefined: &[String]) -> Error {
    let count = units::plural((differences.len() + redefined.len()) as u64, "difference");
    let error = Error::new(Kind::Archive, format!("{name} was restored, and is not what was dumped: {count}"));
    let mut error = differences.iter().chain(redefined).fold(error, Error::why);
    if !differences.is_empty() {
        error = error.hint(Hint::new(
            "compare-and-take-another",
            "restore it where you can look at it, and compare with the source; take another backup",
        ));
    }
    if !redefined.is_empty() {
        error = error.hint(Hint::new("compare-definitions", "the server reads the dump's words otherwise than the source was defined: restore it where you can look at it, \
             and compare these definitions with the source's"));
    }
    error
}

/// The same run without the facts that a restore and a dump tell of their own, and without the tunnel, which stands.
pub(crate) fn without_own_facts(context: &Context) -> Context {
    let quiet = without(context, |event| matches!(event, Event::Fact { .. } | Event::Note(_)));
    Context { tunnel: None, ..quiet }
}

/// The same run without some of its events.
fn without(context: &Context, unwanted: fn(&Event) -> bool) -> Context {
    let observer = context.observer.clone();
    let observer = Arc::new(move |event: Event| {
        if !unwanted(&event) {
            observer(event);
        }
    });
    Context { observer, ..context.clone() }
}

/// So many random bytes, as hexadecimal digits.
pub(crate) fn random(bytes: usize) -> Result<String> {
    let mut random = vec![0; bytes];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut random))
        .map_err(|e| Error::new(Kind::Unexpected, "the system has no random numbers").why(e))?;
    Ok(random.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}")))
}
