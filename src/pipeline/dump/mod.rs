//! A dump: probe, choose a client, plan, run, prove, publish.
//!
//! ```text
//!            child's stdout            blocks
//! pg_dump ──────────────────▶ Relay ──────────▶ archive::Writer ──▶ store (a .partial file, or a stream)
//!    │                          └─ Inspector: what passes by, and is it whole?
//!    └─ exit status ──▶ Exited ─┐
//!       Inspector ──▶ Complete ─┼─▶ Proof ──▶ publish
//!       Writer ──▶ Sealed ──────┘
//! ```
//!
//! Several clients at once have a lane of the archive each: `parallel_members`.

pub(super) mod manifest;
mod native;
pub(super) mod parallel_members;
pub(super) mod progress_estimate;
pub(super) mod verifying_reader;

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::Notify;

use super::source::{Relay, Source};
use super::watch::{ProgressHandle, on_thread, show_progress, stopped};
use super::{Context, dump_error, explain, leftovers};
use crate::archive::{ArchiveError, Compression, MANIFEST, Manifest, Member, Options, Writer};
use crate::connection::Connection;
use crate::engine::{self, Complete, Content, DumpOptions, DumpPlan, DumpSnapshot, DumpSource, Inspector, TocMerger};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;
use crate::process::ChildStdout;
use crate::report::units;
use crate::store::{self, Proof, SharedLocation, SourceEnded, Store, parent};
use parallel_members::{Lanes, Waiting, Watch};
use progress_estimate::ProgressEstimate;

/// A dump as it was asked for.
#[derive(Debug)]
pub struct Request {
    /// The database.
    pub connection: Connection,
    /// What of it, and how.
    pub options: DumpOptions,
    /// Where the archive goes.
    pub destination: SharedLocation,
    /// The archive's name; the database's without one.
    pub name: Option<String>,
    /// How it is compressed.
    pub compression: Compression,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// How a dump ended.
#[derive(Debug)]
pub enum Outcome {
    /// What would be run, redacted and ready to paste.
    Planned(Vec<String>),
    /// What was done.
    Done(Box<Dumped>),
}

/// A published archive.
#[derive(Debug)]
pub struct Dumped {
    /// Where it is; none when it went to a stream.
    pub path: Option<PathBuf>,
    /// Its size in bytes.
    pub bytes: u64,
    /// The dump's size in bytes, before compression.
    pub raw_bytes: u64,
    /// What is in it.
    pub members: Vec<Member>,
    /// Seconds.
    pub duration_s: f64,
    /// The manifest that stands in it.
    pub manifest: Manifest,
    /// What the dump's bytes said.
    pub content: Content,
}

/// Dumps a database into an archive.
pub async fn dump(context: &Context, mut request: Request) -> Result<Outcome> {
    let started = Instant::now();
    let engine = engine::of(request.connection.dialect);
    request.options = engine.adopted(&request.connection, request.options);
    let started_at = Timestamp::now();
    let source = Source::open(context, &request.connection, &request.options).await?;
    if request.dry_run {
        return Ok(Outcome::Planned(source.display_commands(context)));
    }
    if request.destination.scheme() != store::null::SCHEME {
        let folders = request.destination.local_folder().into_iter().chain([context.temp_dir.as_path()]);
        leftovers::clean_up(context, &folders.collect::<Vec<_>>());
    }
    if let Some(free) = request.destination.local_folder().and_then(|folder| store::free(folder).ok())
        && store::may_not_fit(source.connected.server.size, free)
    {
        let size = source.connected.server.size.unwrap_or_default();
        let (free, size) = (units::size(free), units::size(size));
        context.warn(format!("the archive may not fit: {free} are free, the database takes {size}"));
    }
    let name = archive_name(&request, started_at);
    let manifest = manifest::draft(&source, request.name.as_deref(), &request.options, started_at);
    if request.options.patterns().iter().all(|(_, patterns)| patterns.is_empty()) {
        // Row counts and checksums come on top: what is too large already only gets larger.
        manifest::check_size(manifest.to_json().len(), Kind::Refused)?;
    }
    let options = Options {
        root: name.clone(),
        compression: request.compression,
        mtime: started_at.as_second().unsigned_abs(),
        encoders: std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 4)),
    };
    let job = DumpRun { context, source: &source, plan: &source.plan, options, manifest };
    let mut dumped = job.to(&request).await?;
    dumped.duration_s = started.elapsed().as_secs_f64();
    if let Some(tunnel) = source.connected.tunnel {
        tunnel.close().await;
    }
    Ok(Outcome::Done(Box::new(dumped)))
}

/// `20231207000608_my_app`: UTC, and nothing that a file system or a shell would mind.
fn archive_name(request: &Request, at: Timestamp) -> String {
    let name = request.name.as_deref().unwrap_or(&request.connection.database);
    let safe: String = name.chars().map(|c| if c.is_alphanumeric() || "._-+".contains(c) { c } else { '_' }).collect();
    let safe = safe.trim_start_matches(['.', '-']);
    let cut: String = safe.chars().take(60).collect();
    format!("{}_{}", at.strftime("%Y%m%d%H%M%S"), if cut.is_empty() { "dump" } else { &cut })
}

/// How long an archive that could not be written waits for a client's own word: its failure may be the cause.
const CLIENT_ERROR_TIMEOUT: Duration = Duration::from_millis(500);

/// Everything that running a planned dump needs.
#[derive(Clone)]
struct DumpRun<'a> {
    context: &'a Context,
    source: &'a Source,
    plan: &'a DumpPlan,
    options: Options,
    manifest: Manifest,
}

/// A member on its way: the archive so far, and what has been seen of the dump.
struct Written {
    writer: Writer<Box<dyn Store>>,
    members: Vec<Member>,
    inspector: Box<dyn Inspector>,
}

impl DumpRun<'_> {
    /// Dumps to the store. A table that was altered meanwhile does not read like that again: an archive is begun anew,
    /// once; what a stream has taken can't be taken back.
    async fn to(self, request: &Request) -> Result<Dumped> {
        let stage = || request.destination.stage(&self.options.root, self.options.compression.extension());
        let (staged, folder) = (stage()?, request.destination.local_folder());
        let can_abort = staged.can_abort();
        let error = match self.clone().run_staged(staged, folder).await {
            Err(error) if error.transient && error.kind == Kind::DumpFailed && can_abort => error,
            ended => return ended,
        };
        let staged = stage()?;
        let why = format!("the dump was begun again, once: {}", error.why.join("; "));
        // What our own sessions saw is gone with them; a client reads rows of any length.
        let alone = match &self.source.snapshot {
            DumpSnapshot::Seen(_) => Some(self.source.plan_alone(self.context, &request.options, why.clone())?),
            _ => None,
        };
        let mut again = DumpRun { plan: alone.as_ref().unwrap_or(self.plan), ..self.clone() };
        self.context.warn(&why);
        again.manifest.warnings.push(why);
        if let Some(plan) =
            alone.as_ref().filter(|plan| plan.inexact.as_ref().is_some_and(|columns| !columns.is_empty()))
        {
            let more = plan.warnings.iter().filter(|warning| !self.plan.warnings.contains(warning)).cloned();
            again.manifest.warnings.extend(more.inspect(|warning| self.context.warn(warning)));
            again.manifest.inexact_columns.clone_from(&plan.inexact);
        }
        again.run_staged(staged, folder).await
    }

    /// The same, with what is to be said of the file: where it stands when its folder was moved, and what is left of
    /// it when it can't be removed.
    async fn run_staged(self, staged: Box<dyn Store>, folder: Option<&Path>) -> Result<Dumped> {
        let (partial, context) = (staged.partial(), self.context);
        let dumped = self.run(staged).await.map_err(|error| match partial {
            Some(partial) if partial.symlink_metadata().is_ok() => {
                error.why(format!("{} could not be removed: delete it", partial.display()))
            }
            _ => error,
        })?;
        if let (Some(named), Some(now)) = (folder, dumped.path.as_deref().map(parent))
            && named != now
        {
            let (named, now) = (named.display(), now.display());
            context.warn(format!("{named} was moved or replaced while the dump was written: the archive is in {now}"));
        }
        Ok(dumped)
    }

    /// Runs the children into the archive, proves, and publishes.
    async fn run(mut self, store: Box<dyn Store>) -> Result<Dumped> {
        let progress = ProgressHandle::about(&self.source.connected.server.database);
        let writer = Writer::new(store, self.options.clone()).map_err(dump_error)?;
        let inspector = self.source.connected.engine.inspector(self.plan.format);
        let meter = ProgressEstimate::new(progress.clone(), &self.source.connected.server.tables);
        let watch = Watch { inspector, meter };
        let (written, ended) = match &self.plan.source {
            DumpSource::Native(producer) => native::run(&self, producer.as_ref(), writer, watch, &progress).await?,
            _ => self.stream(writer, watch, &progress).await?,
        };
        let Written { writer, members, inspector } = written;
        let proved = Complete::prove(inspector).map_err(|incomplete| {
            let (what, hint) = if incomplete.too_large {
                ("the dump is too large to be checked", Hint::new("nothing-published", "nothing was published"))
            } else {
                let again = Hint::new(
                    "run-again-verbosely",
                    "nothing was published; run again with -vv to see what the client says",
                );
                ("the dump is not complete, although its client reported success", again)
            };
            Error::new(Kind::DumpFailed, what).why(incomplete).hint(hint)
        })?;
        if let Some(signal) = self.context.stop.requested() {
            return Err(stopped(signal));
        }
        manifest::complete(&mut self.manifest, proved.content(), &members);
        let raw_bytes = members.iter().map(|m| m.size).sum();
        let manifest = self.manifest;
        let json = manifest.to_json();
        manifest::check_size(json.len(), Kind::DumpFailed)?;
        let (path, bytes, content) = on_thread(move || -> Result<_> {
            writer.bytes(MANIFEST, &json).map_err(dump_error)?;
            let sealed = writer.seal().map_err(dump_error)?;
            let bytes = sealed.bytes();
            let path = Proof { ended: &ended, complete: &proved, sealed }.publish()?;
            Ok((path, bytes, proved.into_content()))
        })
        .await??;
        Ok(Dumped { path, bytes, raw_bytes, members, duration_s: 0.0, manifest, content })
    }

    /// Moves the children's stdout into the archive. Whoever fails first ends the others.
    async fn stream(
        &self,
        writer: Writer<Box<dyn Store>>,
        watch: Watch,
        progress: &ProgressHandle,
    ) -> Result<(Written, SourceEnded)> {
        let (Source { connected, snapshot, .. }, plan) = (self.source, self.plan);
        let (commands, merger) = match &plan.source {
            DumpSource::Clients(commands, merger) => (commands.as_slice(), Some(merger)),
            other => (other.commands(), None),
        };
        let (outputs, relay) = Relay::new();
        let waiting: Waiting = Arc::new(commands.iter().map(|_| AtomicBool::new(false)).collect());
        let alarm: Arc<Notify> = Arc::default();
        let (member, held, rings) = (plan.member, waiting.clone(), alarm.clone());
        let (work, weaving): (Work, _) = match merger.cloned() {
            None => {
                let (dump, weaving) = self.source.dump(plan, relay);
                (Box::new(move || (write_member(writer, member, dump, watch), Vec::new())), weaving)
            }
            Some(merger) => {
                let work = move || write_lanes(writer, member, &merger, relay, watch, &rings, &held);
                (Box::new(work), None)
            }
        };
        let mut archive = std::pin::pin!(on_thread(work));
        let mut children = Box::pin(show_progress(self.context, progress, async {
            if merger.is_some() {
                let waits = |n: usize| waiting[n].load(Ordering::Relaxed);
                self.source.run_side_by_side(self.context, commands, outputs, waits).await
            } else {
                self.source.run_woven(self.context, commands, outputs, weaving, || false).await
            }
        }));
        let (mut exits, mut written) = (None, None);
        tokio::select! {
            ended = &mut children => exits = Some(ended),
            lost = self.lost() => {
                // Without the children the archive ends: its file goes before we do.
                drop(children);
                let _ = archive.await;
                return Err(Error { kind: Kind::DumpFailed, ..lost });
            }
            // The archive ends first only when it fails.
            ended = &mut archive => written = Some(ended?),
            () = alarm.notified() => {}
        }
        if exits.is_none() {
            exits = tokio::time::timeout(CLIENT_ERROR_TIMEOUT, &mut children).await.ok();
        }
        // Dropping the children's future kills them.
        drop(children);
        let written = match written {
            Some(written) => written,
            None => archive.await?,
        };
        match (written.0, exits) {
            (Ok(written), Some(Ok(exits))) => {
                snapshot.confirm().await.map_err(unpublished)?;
                Ok((written, SourceEnded::Children(exits)))
            }
            (Err(ArchiveError::Source(error)), _) if is_ours(&error) => Err(dump_error(ArchiveError::Source(error))),
            (Ok(_) | Err(ArchiveError::Source(_)), Some(Err(failure))) => {
                Err(explain(connected, failure, Kind::DumpFailed).await)
            }
            // A full disk breaks the pipe, and the child complains of that: the archive knows what went wrong.
            (Err(error), _) => Err(dump_error(error)),
            (Ok(_), None) => Err(Error::new(Kind::Unexpected, "the archive ended before the dump did")),
        }
    }

    /// Ends when the way to the server does, or what several clients read.
    async fn lost(&self) -> Error {
        tokio::select! {
            lost = self.source.connected.lost() => lost,
            lost = self.source.snapshot.lost() => unpublished(lost),
        }
    }
}

/// An error of ours that travelled through the reader, and says more than a client's.
fn is_ours(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Error>)
}

fn unpublished(error: Error) -> Error {
    error.why("nothing was published")
}

/// Writing, for a thread of its own: what was written, and the outputs of several clients, still open.
type Work = Box<dyn FnOnce() -> (Result<Written, ArchiveError>, Vec<ChildStdout>) + Send>;

/// The outputs of several clients as lanes of the archive.
fn write_lanes(
    writer: Writer<Box<dyn Store>>,
    member: &str,
    merger: &TocMerger,
    relay: Relay,
    watch: Watch,
    alarm: &Notify,
    waiting: &Waiting,
) -> (Result<Written, ArchiveError>, Vec<ChildStdout>) {
    let mut outputs = parallel_members::outputs(&relay.into_outputs(), merger);
    let lanes = Lanes { writer: &writer, member, watch: Mutex::new(watch), alarm };
    let done = lanes.write(merger, &mut outputs, waiting);
    let Watch { inspector, .. } = lanes.watch.into_inner().unwrap_or_else(PoisonError::into_inner);
    (done.map(|()| Written { members: writer.members(), writer, inspector }), outputs)
}

/// The hot path of one stream: this thread reads, inspects and hashes; the writer's own threads compress.
fn write_member(
    writer: Writer<Box<dyn Store>>,
    member: &str,
    mut dump: Box<dyn Read + Send>,
    watch: Watch,
) -> Result<Written, ArchiveError> {
    let Watch { mut inspector, mut meter } = watch;
    let members = writer.stream(member, &mut dump, &mut |bytes| {
        inspector.see(bytes);
        meter.passed(bytes.len(), inspector.as_ref());
    })?;
    Ok(Written { writer, members, inspector })
}
