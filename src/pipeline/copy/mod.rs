//! A copy: a dump that goes straight into a restore.
//!
//! ```text
//! source ──▶ dumper ──▶ Relay ──▶ VerifyingReader ──▶ load: [decoder] ──▶ [Filter] ──▶ loader ──▶ target
//!               └─ exit status ──▶ ┘ └─ Inspector: complete?
//! ```
//!
//! Everything that a restore knows from its archive is read beforehand, by a first look at the source's schema
//! (`docs/decisions/copy-reads-the-schema-first.md`). Whoever fails first ends the other, and is named. Several jobs are
//! in `copy_jobs`.

pub(super) mod copied_columns;
pub(super) mod copy_failure;
pub(super) mod copy_jobs;
pub(super) mod preparing;

use std::cell::Cell;
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tempfile::NamedTempFile;

use super::connect::{ConnectedServer, connect};
use super::source::{Relay, Source, snapshot_ended};
use super::target::{self, Approve, Ends};
use super::watch::{ProgressHandle, on_thread, show_progress, until_stopped};
use super::{Context, leftovers};
use crate::connection::Connection;
use crate::engine::{
    self, Client, Complete, Content, DumpOptions, DumpSnapshot, Inspector, Purpose, Relation, RestoreInput,
    RestoreOptions, RestorePlan, Scene, Server, fingerprint_of_entries,
};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;
use crate::pipeline::dump::progress_estimate::ProgressEstimate;
use crate::pipeline::dump::verifying_reader::{Planned, VerifyingReader};
use crate::pipeline::input::spool::spool_file;
use crate::pipeline::restore::load::{Feed, Loaded, load};
use crate::pipeline::restore::{rehearsal, replace};
use crate::properties::AppliedProperties;
use crate::tunnel::TunnelSpec;
pub use copy_failure::CommandPair;
use copy_failure::{both, broken, named, side, source_failed};
use copy_jobs::Jobs;
use preparing::Preparing;

/// A copy as it was asked for.
pub struct Request<'a> {
    /// What is copied.
    pub source: Connection,
    /// Where to.
    pub target: Connection,
    /// The way to the target; the context has the source's.
    pub target_tunnel: Option<TunnelSpec>,
    /// What of the source.
    pub dump: DumpOptions,
    /// What the target keeps, and what may be done to it.
    pub restore: RestoreOptions,
    /// Only say what would be done.
    pub dry_run: bool,
    /// Asked before anything is dropped; an error ends the copy.
    pub approve: Approve<'a>,
}

/// How a copy ended.
#[derive(Debug)]
pub enum Outcome {
    /// What would be run.
    Planned(Vec<CommandPair>),
    /// What was done.
    Done(Box<Copied>),
}

/// A finished copy.
#[derive(Debug)]
pub struct Copied {
    /// What was copied, as counted while it passed by.
    pub content: Content,
    /// Bytes of the dump.
    pub bytes: u64,
    /// The rows that the target took: as it counted them, or else those that passed by.
    pub rows: Option<u64>,
    /// What was done before the first byte, and in what a database that was made differs from the source's.
    pub prepared: Vec<String>,
    /// What was changed on the way in, and how often.
    pub adaptations: Vec<(String, u64)>,
    /// What was left out or done otherwise.
    pub notes: Vec<String>,
    /// What was done about the properties of the database itself.
    pub applied: AppliedProperties,
    /// What the source's user may not read, left out as allowed.
    pub missing: Vec<String>,
    /// How consistent the rows are with each other.
    pub consistency: String,
    /// Seconds.
    pub duration_s: f64,
    /// The source.
    pub source: Server,
    /// The client that read it.
    pub source_client: Option<Client>,
    /// The target.
    pub target: Server,
    /// The client that wrote it.
    pub target_client: Option<Client>,
}

/// Copies a database into another one.
pub async fn copy(context: &Context, mut request: Request<'_>) -> Result<Outcome> {
    let started = Instant::now();
    same_family(&request.source, &request.target)?;
    // With all that it needs, the restore chooses, which knows our options alone.
    if !request.dump.with_dependencies {
        request.dump = engine::of(request.source.dialect).adopted(&request.source, request.dump);
    }
    choose_jobs(context, &mut request)?;
    if !request.dry_run {
        leftovers::clean_up(context, &[&context.temp_dir]);
    }
    let ready = Box::pin(ready(context, &mut request)).await.map_err(target::not_begun)?;
    let PreparedCopy { source, target, planned, plan, target_client, spool } = ready;
    if request.dry_run {
        return would_run(context, &request, &source, &plan).await.map(Outcome::Planned);
    }
    target::approved(context, &target, &request.restore, request.approve).await?;
    let mut notes = plan.notes();
    for note in &notes {
        context.note(note);
    }
    if rehearsal::is_needed(context, &target, &planned, &request.restore) {
        Box::pin(rehearse(context, &source, &target, &planned, &request)).await.map_err(Error::unchanged)?;
    }
    let properties = Content { properties: planned.properties.clone(), ..Content::new(source.plan.format) };
    let preparing = Preparing::new(context, &target, &properties, &request.restore);
    let filling = Filling { context, source: &source, target: &target, preparing: &preparing, spool: spool.as_ref() };
    let filled = Box::pin(filling.run(&request, planned, plan, &properties)).await;
    let (filled, replaced) = replace::settle(context, &target, filled).await?;
    let Filled { copied, taken, adaptations, bytes, notes: more, applied } = filled;
    notes.extend(more);
    let prepared = [preparing.done(), replaced].concat();
    let Source { connected, client, plan, .. } = source;
    for tunnel in [connected.tunnel, target.tunnel].into_iter().flatten() {
        tunnel.close().await;
    }
    let rows = taken.or_else(|| copied.tables.iter().map(|table| table.rows).sum());
    Ok(Outcome::Done(Box::new(Copied {
        content: copied,
        bytes,
        rows,
        prepared,
        adaptations,
        notes,
        applied,
        missing: plan.missing,
        consistency: plan.consistency,
        duration_s: started.elapsed().as_secs_f64(),
        source: connected.server,
        source_client: client,
        target: target.server,
        target_client,
    })))
}

/// What a target is filled from, and how.
struct Filling<'a> {
    context: &'a Context,
    source: &'a Source,
    target: &'a ConnectedServer,
    preparing: &'a Preparing<'a>,
    spool: Option<&'a NamedTempFile>,
}

/// What came of filling a target.
struct Filled {
    copied: Content,
    taken: Option<u64>,
    adaptations: Vec<(String, u64)>,
    bytes: u64,
    notes: Vec<String>,
    applied: AppliedProperties,
}

impl Filling<'_> {
    /// Everything from the first change on.
    async fn run(&self, request: &Request<'_>, planned: Content, plan: Plan, properties: &Content) -> Result<Filled> {
        let Self { context, source, target, .. } = *self;
        let (copied, taken, adaptations, bytes) = Box::pin(self.load(request, planned, plan)).await?;
        // First, so that what several sessions restored is not long without its settings.
        let applied = target::apply_properties(context, target, properties, &request.restore).await?;
        let mut notes = target::look_back(context, target, &copied, &request.restore).await;
        if !request.restore.schema_only {
            let not_compared = copied_columns::compare(context, &source.connected, target).await;
            for note in &not_compared {
                context.note(note);
            }
            notes.extend(not_compared);
        }
        Ok(Filled { copied, taken, adaptations, bytes, notes, applied })
    }

    /// Loads the target; once more where nothing came of it for a reason that passes.
    async fn load(&self, request: &Request<'_>, mut planned: Content, mut plan: Plan) -> Result<Taken> {
        let Self { context, source, target, preparing, spool } = *self;
        let (whole, begun) = (plan.is_whole(), Cell::new(false));
        let failed = |error, all_fed| {
            let ends = Ends { atomic: whole && !begun.get(), resumable: false };
            preparing.say_what_is_left(error, ends, all_fed)
        };
        let mut again = whole;
        loop {
            let progress = ProgressHandle::about(&target.server.database);
            let outline = fingerprint_of_entries(planned.entries.iter());
            drop(planned);
            let copying = async {
                match (plan, spool) {
                    (Plan::Jobs(plan), Some(spool)) => {
                        let (options, progress, begun) = (&request.dump, &progress, &begun);
                        let jobs = Jobs { context, source, target, options, spool, progress, preparing, begun };
                        Box::pin(jobs.run(plan, outline))
                            .await
                            .map(|(content, adaptations)| (content, None, adaptations))
                    }
                    (Plan::One(plan), _) => {
                        Box::pin(stream(context, source, target, plan, outline, &progress, preparing)).await
                    }
                    (Plan::Jobs(_), None) => unreachable!("several jobs have a spool"),
                }
            };
            let error = match Box::pin(show_progress(context, &progress, copying)).await {
                Ok((copied, taken, adaptations)) => return Ok((copied, taken, adaptations, progress.read().bytes)),
                Err(error) => error,
            };
            let repeatable = error.transient && !begun.get() && preparing.is_repeatable();
            if !(repeatable && std::mem::take(&mut again)) {
                return Err(failed(error, progress.read().share.is_some_and(|share| share >= 1.0)));
            }
            // Nothing came of it. The schema may be the same: told in another order, its entries have other numbers.
            planned = preview(context, source, &request.dump).await.map_err(|error| failed(error, false))?;
            let path = spool.map(NamedTempFile::path);
            let planning = Plan::make(context, source, target, &planned, &request.restore, path);
            plan = planning.await.map_err(|error| failed(error, false))?.0;
        }
    }
}

/// What was copied, the rows that the target took, what was adapted, and bytes.
type Taken = (Content, Option<u64>, Vec<(String, u64)>, u64);

/// Several jobs, where the engine does not leave them to one.
fn choose_jobs(context: &Context, request: &mut Request<'_>) -> Result<()> {
    let engine = engine::of(request.source.dialect);
    if engine.clients().is_none() {
        let name = engine.dialect().name();
        return Err(Error::new(Kind::Usage, format!("{name} has no client, and a copy is made by two of them"))
            .hint(Hint::new("dump-then-restore", "dump the source into a file, and restore that")));
    }
    engine.check_options(&request.source, &request.dump)?;
    if let Some(why) = engine.copied_alone(&request.dump, &request.restore) {
        context.note(why);
        (request.dump.jobs, request.restore.jobs) = (1, 1);
    }
    request.dump.split = request.dump.jobs > 1 && engine.splits_copies();
    Ok(())
}

/// How the target will be loaded.
enum Plan {
    One(RestorePlan),
    Jobs(copy_jobs::Plan),
}

impl Plan {
    /// `spool` is where several jobs will find the definitions.
    async fn make(
        context: &Context,
        source: &Source,
        target: &ConnectedServer,
        held: &Content,
        options: &RestoreOptions,
        spool: Option<&Path>,
    ) -> Result<(Self, Option<Client>)> {
        match spool {
            None => {
                let planned = target::plan(context, target, held, options, RestoreInput::Stream).await?;
                Ok((Self::One(planned.0), planned.1))
            }
            Some(spool) => {
                let planned = copy_jobs::Plan::make(context, source, target, held, options, spool).await?;
                Ok((Self::Jobs(planned.0), planned.1))
            }
        }
    }

    fn notes(&self) -> Vec<String> {
        match self {
            Self::One(plan) => plan.notes.clone(),
            Self::Jobs(plan) => plan.notes(),
        }
    }

    /// True when a failure leaves nothing behind; of several jobs, as long as they have not begun.
    fn is_whole(&self) -> bool {
        match self {
            Self::One(plan) => plan.atomic,
            Self::Jobs(_) => true,
        }
    }
}

/// Everything that can be known before the first change.
struct PreparedCopy {
    source: Source,
    target: ConnectedServer,
    planned: Content,
    plan: Plan,
    target_client: Option<Client>,
    /// Takes the definitions, of several jobs.
    spool: Option<NamedTempFile>,
}

async fn ready(context: &Context, request: &mut Request<'_>) -> Result<PreparedCopy> {
    let source = Source::open(context, &request.source, &request.dump).await.map_err(|e| side("source", e))?;
    if let Some(selected) = source.connected.server.selected.as_ref().filter(|_| request.dump.with_dependencies) {
        // The dump holds more than was chosen.
        request.restore.tables.clone_from(&selected.tables);
        request.restore.schemas.clone_from(&selected.schemas);
    }
    let way = Context { tunnel: request.target_tunnel.clone(), ..context.clone() };
    let mut target = connect(&way, &request.target, Purpose::Restore).await.map_err(|e| side("target", e))?;
    two_databases(context, &source.connected, &target).await?;
    let planned = preview(context, &source, &request.dump).await.map_err(Error::unchanged)?;
    target.server.target.lacking = target::lacking(context, &target, &planned, &request.restore).await?;
    target::check(context, &target, &planned, &request.restore)?;
    target.scene = Scene::restore(&target.server, &planned, &request.restore);
    replace::lead(&mut target, &request.restore);
    let spool = if request.dump.split && !request.dry_run { Some(spool_file(context)?) } else { None };
    let path = spool.as_ref().map(NamedTempFile::path).or(request.dump.split.then(|| Path::new(DEFINITIONS)));
    let (plan, target_client) = Plan::make(context, &source, &target, &planned, &request.restore, path).await?;
    Ok(PreparedCopy { source, target, planned, plan, target_client, spool })
}

/// Where the definitions stand in the commands of a dry run.
const DEFINITIONS: &str = "definitions.pgsql";

async fn would_run(context: &Context, request: &Request<'_>, source: &Source, plan: &Plan) -> Result<Vec<CommandPair>> {
    match plan {
        Plan::One(plan) => {
            Ok(vec![CommandPair { dump: source.display_commands(context), load: target::display_plan(plan) }])
        }
        Plan::Jobs(plan) => {
            let (dump, _) = source.hold(context, &request.dump).await.map_err(|e| side("source", e))?;
            snapshot_ended(context);
            Ok(plan.command_pairs(&dump, DEFINITIONS))
        }
    }
}

fn same_family(source: &Connection, target: &Connection) -> Result<()> {
    let (from, to) = (source.dialect.name(), target.dialect.name());
    if from == to {
        return Ok(());
    }
    Err(Error::new(Kind::Refused, format!("a {from} database can't be copied into a {to} server"))
        .why(source)
        .why(target)
        .unchanged()
        .hint(Hint::new("two-servers-of-a-family", "name two servers of the same family")))
}

/// Whatever hosts, ports and tunnels are called: a database must not be copied onto itself, nor onto what it is tied to.
async fn two_databases(context: &Context, source: &ConnectedServer, target: &ConnectedServer) -> Result<()> {
    let exists = target.server.target.exists;
    let asking = source.engine.relation(&source.connection, &target.connection, exists, &context.limits);
    match until_stopped(context, asking).await? {
        Relation::Separate(notes) => {
            for note in notes {
                context.note(note);
            }
            Ok(())
        }
        Relation::Tied { what, hint } => {
            Err(Error::new(Kind::Refused, what).why(&source.connection).why(&target.connection).unchanged().hint(hint))
        }
    }
}

/// What the dump will hold: its beginning where that tells, or else a dump without rows.
async fn preview(context: &Context, source: &Source, options: &DumpOptions) -> Result<Content> {
    let ConnectedServer { engine, server, .. } = &source.connected;
    let plan = source.plan_with(context, &engine.preview_options(options), &DumpSnapshot::Alone(None))?;
    let (outputs, mut relay) = Relay::new();
    let inspector = engine.inspector(plan.format);
    let mut reading = std::pin::pin!(on_thread(move || {
        let outline = read_outline(&mut relay, inspector);
        // The relay comes back open: closed there, it would make the client fail before it is ended.
        (outline, relay)
    }));
    let looking = async {
        tokio::select! {
            biased;
            // Once enough was read, the client is ended with its future.
            read = &mut reading => read?.0,
            ended = source.run(context, plan.source.commands(), outputs, || false) => match ended {
                Ok(_) => reading.await?.0,
                Err(failure) => Err(source_failed(source, failure).await),
            },
            lost = source.connected.lost() => Err(Error { kind: Kind::DumpFailed, ..side("source", lost) }),
        }
    };
    let outline = show_progress(context, &ProgressHandle::about("schema"), looking).await?;
    let lc_monetary = plan.lc_monetary.clone();
    let dependencies = server.selected.as_ref().map(|selected| selected.dependencies.clone()).unwrap_or_default();
    Ok(Content {
        properties: Some(server.properties.clone()),
        lc_monetary,
        dependencies,
        unheld: Vec::new(),
        ..outline
    })
}

/// Tries the source's definitions on the target's server, before anything is dropped there.
async fn rehearse(
    context: &Context,
    source: &Source,
    target: &ConnectedServer,
    planned: &Content,
    request: &Request<'_>,
) -> Result<()> {
    let options = source.connected.engine.preview_options(&request.dump);
    let plan = source.plan_with(context, &options, &DumpSnapshot::Alone(None))?;
    let spool = spool_file(context)?;
    let no_room = |e: io::Error| Error::new(Kind::Store, "the source's definitions could not be kept").why(e);
    let mut file = spool.reopen().map_err(no_room)?;
    let (outputs, mut relay) = Relay::new();
    let writing = on_thread(move || io::copy(&mut relay, &mut file));
    let (written, ended) = tokio::join!(writing, source.run(context, plan.source.commands(), outputs, || false));
    if let Err(failure) = ended {
        return Err(source_failed(source, failure).await);
    }
    written?.map_err(no_room)?;
    let open = || spool.reopen().map(|file| Box::new(file) as _).map_err(no_room);
    rehearsal::rehearse(context, target, planned, &request.restore, &open).await
}

fn read_outline(dump: &mut Relay, mut inspector: Box<dyn Inspector>) -> Result<Content> {
    let broken = |why: String| Error::new(Kind::DumpFailed, "source: its schema can't be read").why(why);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match dump.read(&mut buffer).map_err(|e| broken(e.to_string()))? {
            0 => break,
            count => inspector.see(&buffer[..count]),
        }
        if let Some(outline) = inspector.outline() {
            return Ok(outline);
        }
    }
    let complete = Complete::prove(inspector).map_err(|incomplete| broken(incomplete.to_string()))?;
    let mut content = complete.into_content();
    content.tables.iter_mut().for_each(|table| table.rows = None);
    Ok(content)
}

/// Streams the rows once. What was copied, the rows that sessions of our own counted, and what was adapted come back when
/// all is proved and loaded.
async fn stream(
    context: &Context,
    source: &Source,
    target: &ConnectedServer,
    plan: RestorePlan,
    planned: u64,
    progress: &ProgressHandle,
    preparing: &Preparing<'_>,
) -> Result<(Content, Option<u64>, Vec<(String, u64)>)> {
    let (outputs, relay) = Relay::new();
    let (dump, weaving) = source.dump(&source.plan, relay);
    let (exited, exits) = mpsc::channel();
    let (proof, proved) = mpsc::channel();
    let waiting: Arc<AtomicBool> = Arc::default();
    let dump = Box::new(VerifyingReader {
        source: dump,
        exits,
        inspector: Some(target.engine.inspector(source.plan.format)),
        planned: Some(Planned::Entries(planned)),
        proof,
        waiting: Arc::clone(&waiting),
        meter: Arc::new(Mutex::new(ProgressEstimate::new(progress.clone(), &source.connected.server.tables))),
        lane: 0,
        progress: progress.clone(),
        held: None,
    });
    let feed = Feed { dump, waiting: Arc::clone(&waiting), broken };
    let dumping = async move {
        // While the target works, the source's client has to wait.
        let waits = || !waiting.load(Ordering::Relaxed);
        let exits = source.run_woven(context, source.plan.source.commands(), outputs, weaving, waits).await?;
        let _ = exited.send(exits);
        Ok(())
    };
    let loading = async {
        let loaded = async { load(context, target, plan, preparing.behind(feed).await?).await };
        loaded.await.map_err(|error| named(source, target, error))
    };
    let Loaded { adaptations, rows } = tokio::select! {
        both = both(source, dumping, loading) => both?,
        lost = source.connected.lost() => return Err(Error { kind: Kind::DumpFailed, ..side("source", lost) }),
        lost = target.lost() => return Err(Error { kind: Kind::RestoreFailed, ..side("target", lost) }),
    };
    let complete: Complete =
        proved.try_recv().map_err(|_| Error::new(Kind::Unexpected, "the target ended well before the dump did"))?;
    Ok((complete.into_content(), rows, adaptations))
}
