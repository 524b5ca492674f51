//! A restore: recognise and check the archive, probe the target, plan, ask, prepare, feed.
//!
//! ```text
//! archive ──▶ load: [decoder] ──▶ [Filter] ──▶ loader ──▶ target
//! ```

pub(super) mod lines;
pub(super) mod load;
pub(super) mod rehearsal;
pub(super) mod replace;
pub(super) mod resume;

use std::io::{self, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use super::connect::{ConnectedServer, connect};
use super::input::{Checked, Input};
use super::target::{self, Approve, Ends};
use super::watch::{ProgressHandle, show_progress};
use super::{Context, chain, leftovers};
use crate::archive::ArchiveError;
use crate::connection::Connection;
use crate::engine::{
    self, Content, Dependency, DumpedTable, Loader, Purpose, RestoreInput, RestoreOptions, RestorePlan, Scene, Server,
    is_left_out_by, sentences,
};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;
use crate::properties::AppliedProperties;
use crate::report::units;
use load::{Feed, Loaded, by_members, load};

/// A restore as it was asked for.
pub struct Request<'a> {
    /// The archive: a path, or `-`.
    pub archive: &'a str,
    /// The target.
    pub connection: Connection,
    /// How.
    pub options: RestoreOptions,
    /// Only say what would be done.
    pub dry_run: bool,
    /// Asked before anything is dropped; an error ends the restore.
    pub approve: Approve<'a>,
}

/// How a restore ended.
#[derive(Debug)]
pub enum Outcome {
    /// What would be run, redacted and ready to paste.
    Planned(Vec<String>),
    /// What was done.
    Done(Box<Restored>),
}

/// A finished restore.
#[derive(Debug)]
pub struct Restored {
    /// What the archive held.
    pub content: Content,
    /// What came of it, with the rows that came.
    pub tables: Vec<DumpedTable>,
    /// Bytes of the dump.
    pub bytes: u64,
    /// Bytes of it that were fed to the loader.
    pub fed: u64,
    /// The rows that the target took: as it counted them, or else those of the dump.
    pub rows: Option<u64>,
    /// What was done before the first byte, and in what a database that was made differs from the source's.
    pub prepared: Vec<String>,
    /// What was changed on the way in, and how often.
    pub adaptations: Vec<(String, u64)>,
    /// What was left out or done otherwise.
    pub notes: Vec<String>,
    /// What was done about the properties of the database itself.
    pub applied: AppliedProperties,
    /// Seconds.
    pub duration_s: f64,
    /// The target.
    pub server: Server,
}

/// Restores an archive into a database.
pub async fn restore(context: &Context, request: Request<'_>) -> Result<Outcome> {
    let started = Instant::now();
    resume::check(engine::of(request.connection.dialect), &request.options)?;
    if !request.dry_run {
        leftovers::clean_up(context, &[&context.temp_dir]);
    }
    let ready = Box::pin(ready(context, &request)).await.map_err(target::not_begun)?;
    let PreparedRestore { input, connected, content, bytes, mut plan, left_out } = ready;
    plan.notes.extend(left_out);
    if request.dry_run {
        return Ok(Outcome::Planned(
            [resume::display_state(&connected.server.target.left), target::display_plan(&plan)].concat(),
        ));
    }
    // Before anything is dropped for it.
    input.same_file().map_err(Error::unchanged)?;
    target::approved(context, &connected, &request.options, request.approve).await?;
    for note in &plan.notes {
        context.note(note);
    }
    if rehearsal::is_needed(context, &connected, &content, &request.options) {
        let open = || input.dump(plan.parts.as_deref());
        Box::pin(rehearsal::rehearse(context, &connected, &content, &request.options, &open)).await?;
    }
    let (notes, tables, fed) = (plan.notes.clone(), plan.tables.clone(), fed(context, &plan, bytes));
    let filled = Box::pin(fill(context, &connected, &content, &input, plan, fed, &request.options)).await;
    let (filled, replaced) = replace::settle(context, &connected, filled).await?;
    let Filled { mut prepared, loaded: Loaded { adaptations, rows }, notes: more, applied } = filled;
    let notes = [notes, more].concat();
    prepared.extend(replaced);
    let ConnectedServer { server, tunnel, .. } = connected;
    if let Some(tunnel) = tunnel {
        tunnel.close().await;
    }
    let duration_s = started.elapsed().as_secs_f64();
    let rows = rows.or_else(|| tables.iter().map(|table| table.rows).sum());
    Ok(Outcome::Done(Box::new(Restored {
        content,
        tables,
        bytes,
        fed,
        rows,
        prepared,
        adaptations,
        notes,
        applied,
        duration_s,
        server,
    })))
}

/// How many bytes of the dump are fed. Stretches may reach beyond the end; what is fed is what there is.
fn fed(context: &Context, plan: &RestorePlan, bytes: u64) -> u64 {
    let Some(parts) = &plan.parts else { return bytes };
    let fed = parts.iter().map(|part| part.end.min(bytes).saturating_sub(part.start)).sum();
    context.fact("reading", format!("{} of the dump's {}", units::size(fed), units::size(bytes)));
    fed
}

/// What came of filling a target.
struct Filled {
    prepared: Vec<String>,
    loaded: Loaded,
    notes: Vec<String>,
    applied: AppliedProperties,
}

/// Everything from the first change on.
async fn fill(
    context: &Context,
    connected: &ConnectedServer,
    held: &Content,
    input: &Input,
    plan: RestorePlan,
    fed: u64,
    options: &RestoreOptions,
) -> Result<Filled> {
    let prepared = target::prepare(context, connected, held, options).await?;
    let ends = Ends { atomic: plan.atomic, resumable: plan.resumable };
    let by_client = plan.loader.client().is_some();
    let progress = ProgressHandle::about(&connected.server.database);
    let loaded = transfer(context, connected, plan, input, fed, &progress).await.map_err(|error| {
        // Of a client's several sessions, others may have been let in before; an archive that breaks now was whole a
        // moment ago.
        let several = by_client && options.jobs > 1;
        let later = error.kind == Kind::Connect && several || error.kind == Kind::Archive;
        let error = if later { Error { kind: Kind::RestoreFailed, ..error } } else { error };
        let all_fed = progress.read().share.is_some_and(|share| share >= 1.0);
        target::say_what_is_left(connected, error, ends, all_fed, &prepared)
    })?;
    let applied = target::apply_properties(context, connected, held, options).await?;
    let notes = target::look_back(context, connected, held, options).await;
    Ok(Filled { prepared, loaded, notes, applied })
}

/// Everything that can be known before the first change.
struct PreparedRestore {
    input: Input,
    connected: ConnectedServer,
    content: Content,
    bytes: u64,
    plan: RestorePlan,
    /// What the dump does not hold, as its manifest says, where nothing else tells.
    left_out: Vec<String>,
}

async fn ready(context: &Context, request: &Request<'_>) -> Result<PreparedRestore> {
    let mut input = Input::open(context, request.archive).await?;
    input.check_family(context, &request.connection).await?;
    let mut connected = connect(context, &request.connection, Purpose::Restore).await?;
    let several_jobs = request.options.jobs > 1;
    let filter = connected.engine.file_filter(&connected.server, &request.options).filter(|_| several_jobs);
    let Checked { content, bytes, manifest, notes, .. } = input.check(context, several_jobs, filter).await?;
    if request.options.resume {
        connected.server.target.left = resume::inspect_target(context, &connected, &content, &request.options).await?;
    }
    connected.server.target.lacking = target::lacking(context, &connected, &content, &request.options).await?;
    target::check(context, &connected, &content, &request.options)?;
    connected.scene = Scene::restore(&connected.server, &content, &request.options);
    replace::lead(&mut connected, &request.options);
    let plan = plan(context, &connected, &content, &input, &request.options).await?;
    let warnings = manifest.map(|manifest| manifest.warnings).unwrap_or_default();
    let left_out = warnings.into_iter().filter(|warning| is_left_out_by(warning)).chain(notes).collect();
    Ok(PreparedRestore { input, connected, content, bytes, plan, left_out })
}

/// Restores into an empty database that was made for it and goes away afterwards: there is nothing to ask, and nothing
/// to say of what a failure leaves there.
pub async fn into_fresh(
    context: &Context,
    input: &Input,
    checked: &Checked,
    connection: &Connection,
    options: &RestoreOptions,
) -> Result<Server> {
    let mut connected = connect(context, connection, Purpose::Restore).await?;
    let lacking = target::lacking(context, &connected, &checked.content, options).await?;
    let of_part = |dependency: &Dependency| !dependency.is_of_foreign_keys() && dependency.kind != "role";
    if lacking.iter().any(of_part) {
        let error =
            Error::new(Kind::Refused, "the archive holds a part of a database that can't be restored by itself");
        let hint =
            Hint::new("verify-without-server", "verify without --restore and --restore-into reads and counts it");
        return Err(sentences(&lacking).into_iter().fold(error, Error::why).hint(hint));
    }
    connected.server.target.lacking = lacking;
    target::check(context, &connected, &checked.content, options)?;
    connected.scene = Scene::restore(&connected.server, &checked.content, options);
    let plan = plan(context, &connected, &checked.content, input, options).await?;
    let progress = ProgressHandle::about(&connected.server.database);
    transfer(context, &connected, plan, input, checked.bytes, &progress).await?;
    Ok(connected.server)
}

async fn plan(
    context: &Context,
    connected: &ConnectedServer,
    held: &Content,
    input: &Input,
    options: &RestoreOptions,
) -> Result<RestorePlan> {
    let source = input.path_to_read().map_or(RestoreInput::Stream, RestoreInput::Path);
    target::plan(context, connected, held, options, source).await.map(|(plan, _)| plan)
}

fn broken(error: &ArchiveError) -> Error {
    Error::new(Kind::RestoreFailed, "the archive could be read to its end once, and not again").why(chain(error))
}

/// Feeds the archive to the plan's commands, and shows how far it is; `bytes` is what will be read of it.
async fn transfer(
    context: &Context,
    connected: &ConnectedServer,
    plan: RestorePlan,
    input: &Input,
    bytes: u64,
    progress: &ProgressHandle,
) -> Result<Loaded> {
    let loading: Pin<Box<dyn Future<Output = Result<Loaded>>>> = if let Loader::Native(consumer) = plan.loader {
        let members = input.members(progress.clone(), bytes, broken)?;
        Box::pin(by_members(context, connected, consumer, members))
    } else {
        let dump = input.dump(plan.parts.as_deref())?;
        let dump = Box::new(Counted { dump, progress: progress.clone(), total: bytes });
        let feed = Feed { dump, waiting: Arc::default(), broken: |e| broken(&ArchiveError::from_read(e)) };
        Box::pin(load(context, connected, plan, feed))
    };
    let loading = async {
        tokio::select! {
            loaded = loading => loaded,
            lost = connected.lost() => Err(Error { kind: Kind::RestoreFailed, ..lost }),
        }
    };
    Box::pin(show_progress(context, progress, loading)).await
}

/// The dump's bytes, counted for the progress line.
struct Counted {
    dump: Box<dyn Read + Send>,
    progress: ProgressHandle,
    total: u64,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.dump.read(buffer)?;
        self.progress.passed(count, self.total);
        Ok(count)
    }
}
