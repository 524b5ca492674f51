//! A restore: recognise and check the archive, probe the target, plan, ask, prepare, feed.
//!
//! ```text
//! archive ──▶ [decoder: pg_restore -f -] ──▶ [Filter] ──▶ loader: pg_restore, psql, mysql ──▶ target
//! ```
//!
//! A loader takes the end of its input for the end of the dump, and commits. So its stdin is closed only when
//! everything before it has ended well; after a failure the loader is killed first.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use super::input::{Checked, Input};
use super::reach::{Reached, reach};
use super::watch::{Gauge, on_thread, shown, until_stopped};
use super::{Context, clients, explain};
use crate::connection::Connection;
use crate::engine::{Clean, Content, Filter, Purpose, RestoreInput, RestoreOptions, RestorePlan, Role, Server};
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::process::{self, Failure, Running, spawn};

/// The last line of everything that ends before the first change.
const UNCHANGED: &str = "nothing was changed";

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
    pub approve: &'a dyn Fn(&Server) -> Result<()>,
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
    /// Bytes of the dump.
    pub bytes: u64,
    /// What was changed on the way in, and how often.
    pub adaptations: Vec<(String, u64)>,
    /// What was left out or done otherwise.
    pub notes: Vec<String>,
    /// Seconds.
    pub duration_s: f64,
    /// The target.
    pub server: Server,
}

/// Restores an archive into a database.
pub async fn restore(context: &Context, request: Request<'_>) -> Result<Outcome> {
    let started = Instant::now();
    let mut input = Input::open(context, request.archive).await?;
    let wanted = input.format().dialect();
    if wanted != request.connection.dialect {
        return Err(Error::new(
            Kind::Refused,
            format!("a {} dump can't be restored into a {} server", wanted.name(), request.connection.dialect.name()),
        )
        .why(format!("{}: {}", input.name(), input.describe()))
        .why(&request.connection)
        .why(UNCHANGED)
        .hint("name the URI of a server of the same family"));
    }
    let reached = reach(context, &request.connection, Purpose::Restore).await?;
    let Checked { content, bytes, .. } = input.check(context).await?;
    let refused = |mut error: Error| {
        // An engine may have said so of one cause; here it is true of all.
        error.why.retain(|line| line != UNCHANGED);
        error.why(&reached.connection).why(UNCHANGED)
    };
    for warning in reached.engine.check_restore(&reached.server, &content, &request.options).map_err(refused)? {
        context.warn(warning);
    }
    let plan = plan(context, &reached, &content, &mut input, &request.options).await?;
    if request.dry_run {
        let commands = plan.decoder.iter().chain([&plan.loader]);
        return Ok(Outcome::Planned(commands.map(ToString::to_string).collect()));
    }
    let prepared = prepare(context, &reached, &request).await?;
    let notes = plan.notes.clone();
    for note in &notes {
        context.note(note);
    }
    let atomic = plan.atomic;
    let gauge = Gauge::about(&reached.server.database);
    let adaptations = match transfer(context, &reached, plan, &input, bytes, &gauge).await {
        Ok(adaptations) => adaptations,
        Err(error) => {
            let all_fed = gauge.read().share.is_some_and(|share| share >= 1.0);
            return Err(say_what_is_left(error, atomic, all_fed, &prepared));
        }
    };
    let Reached { server, tunnel, .. } = reached;
    if let Some(tunnel) = tunnel {
        tunnel.close().await;
    }
    let duration_s = started.elapsed().as_secs_f64();
    Ok(Outcome::Done(Box::new(Restored { content, bytes, adaptations, notes, duration_s, server })))
}

/// Restores into an empty database that was made for it and goes away afterwards: there is nothing to ask, and nothing
/// to say of what a failure leaves there.
pub async fn into_fresh(
    context: &Context,
    input: &mut Input,
    checked: &Checked,
    connection: &Connection,
) -> Result<Server> {
    let reached = reach(context, connection, Purpose::Restore).await?;
    let options = RestoreOptions {
        jobs: 1,
        clean: None,
        create: false,
        into_non_empty: false,
        schema_only: false,
        data_only: false,
        tables: Vec::new(),
        keep_owner: false,
        keep_privileges: false,
        keep_definers: false,
        no_comments: false,
    };
    for warning in reached.engine.check_restore(&reached.server, &checked.content, &options)? {
        context.warn(warning);
    }
    let plan = plan(context, &reached, &checked.content, input, &options).await?;
    let gauge = Gauge::about(&reached.server.database);
    transfer(context, &reached, plan, input, checked.bytes, &gauge).await?;
    Ok(reached.server)
}

/// Runs the plan, and shows how far it is.
async fn transfer(
    context: &Context,
    reached: &Reached,
    plan: RestorePlan,
    input: &Input,
    bytes: u64,
    gauge: &Gauge,
) -> Result<Vec<(String, u64)>> {
    let loading = async {
        tokio::select! {
            loaded = load(context, reached, plan, input, bytes, gauge) => loaded,
            lost = reached.lost() => Err(Error { kind: Kind::RestoreFailed, ..lost }),
        }
    };
    Box::pin(shown(context, gauge, loading)).await
}

async fn plan(
    context: &Context,
    reached: &Reached,
    held: &Content,
    input: &mut Input,
    options: &RestoreOptions,
) -> Result<RestorePlan> {
    let found = clients::find(context, reached.engine, &[Role::Restore, Role::Shell]).await?;
    let spool = input.path_to_read(context, options.jobs > 1).await?;
    let source = spool.as_deref().map_or(RestoreInput::Stream, RestoreInput::Path);
    let plan = reached.engine.plan_restore(&reached.connection, &reached.server, held, &found, options, source)?;
    for program in plan.decoder.iter().chain([&plan.loader]).map(|invocation| &invocation.program) {
        if let Some(client) = found.clients.iter().find(|client| client.path == *program) {
            context.fact("client", client.to_string());
        }
    }
    Ok(plan)
}

/// What was done to the target before the first byte: for people, and for the words after a failure.
async fn prepare(context: &Context, reached: &Reached, request: &Request<'_>) -> Result<Vec<String>> {
    let options = &request.options;
    if options.clean.is_some() && reached.server.target.object_count > 0 {
        (request.approve)(&reached.server)?;
    }
    let drops = matches!(options.clean, Some(Clean::Schema | Clean::Database));
    if !(drops || options.create && !reached.server.target.exists) {
        return Ok(Vec::new());
    }
    let work = reached.engine.prepare(&reached.connection, Some(&reached.server), options, &context.limits);
    let done = until_stopped(context, work)
        .await
        .map_err(|error| error.why("the target may have been changed: dropping or creating had begun"))?;
    for step in &done {
        context.fact("prepared", step);
    }
    Ok(done)
}

/// The last lines of a failed restore: whether the target was changed.
fn say_what_is_left(error: Error, atomic: bool, all_fed: bool, prepared: &[String]) -> Error {
    if error.kind == Kind::Connect && prepared.is_empty() {
        return error.why(UNCHANGED);
    }
    let error = prepared.iter().fold(error, |error, step| error.why(format!("before it began: {step}")));
    let killed = matches!(error.kind, Kind::Signal(_) | Kind::TimedOut);
    if atomic && all_fed && killed {
        error.why("its transaction was rolled back, unless its COMMIT had just been sent: look before you go on")
    } else if atomic {
        error.why("the restore itself changed nothing: its transaction was rolled back")
    } else {
        error
            .why("the target may have been changed: what was restored before the error stays in it")
            .hint("restore again with --clean schema, which drops that first")
    }
}

/// Runs the plan. What the filter adapted comes back.
async fn load(
    context: &Context,
    reached: &Reached,
    plan: RestorePlan,
    input: &Input,
    bytes: u64,
    gauge: &Gauge,
) -> Result<Vec<(String, u64)>> {
    let supervision = context.supervision(&reached.connection.redactor());
    for invocation in plan.decoder.iter().chain([&plan.loader]) {
        context.tell(Event::Command(invocation.to_string()));
    }
    let failed = |failure: Failure| explain(reached, failure, Kind::RestoreFailed);
    let mut loader = spawn(&plan.loader, &supervision).map_err(failed)?;
    let Some(stdin) = loader.take_stdin() else {
        return keep_alive(context, reached, loader).await.map(|()| Vec::new());
    };
    let counted = Counted { dump: input.dump()?, gauge: gauge.clone(), total: bytes };
    let feeding = async {
        let Some(decoder) = &plan.decoder else {
            return on_thread(move || feed(counted, plan.filter, stdin)).await;
        };
        let mut decoder = spawn(decoder, &supervision).map_err(failed)?;
        let (Some(sql), Some(raw)) = (decoder.take_stdout(), decoder.take_stdin()) else {
            return Err(Error::new(Kind::Unexpected, "the decoder has no pipes"));
        };
        // The decoder may see the end of its input at once: what it makes of a broken one does not get through, since
        // the loader's stdin stays open until all three have ended well.
        let (decoding, feeding, ended) = tokio::join!(
            on_thread(move || feed(counted, None, raw).result),
            on_thread(move || feed(sql, plan.filter, stdin)),
            decoder.wait()
        );
        let mut fed = feeding?;
        fed.result = decoding?.and(ended.map(drop).map_err(failed)).and(fed.result);
        Ok(fed)
    };
    both(feeding, keep_alive(context, reached, loader)).await
}

/// Waits for the feeder and the loader. When the dump did not come to its end, the loader is killed before it could
/// take the end of its input for that.
async fn both(
    feeding: impl Future<Output = Result<Fed>>,
    loading: impl Future<Output = Result<()>>,
) -> Result<Vec<(String, u64)>> {
    let mut feeding = std::pin::pin!(feeding);
    let mut loading = Box::pin(loading);
    let fed = tokio::select! {
        fed = &mut feeding => fed?,
        loaded = &mut loading => {
            // It may well end first, when the last it reads is not the last of the dump: that is no failure.
            loaded?;
            let fed = feeding.await?;
            return fed.result.map(|()| fed.adaptations);
        }
    };
    if let Err(error) = fed.result {
        drop(loading);
        drop(fed.child);
        return Err(error);
    }
    drop(fed.child);
    loading.await?;
    Ok(fed.adaptations)
}

/// What comes back from a feeder: how it went, and the pipe's end, still open.
struct Fed {
    result: Result<()>,
    child: process::Input,
    adaptations: Vec<(String, u64)>,
}

/// Moves bytes into a child, through the filter. A child that went away is no error here: its exit status says why.
fn feed(mut source: impl Read, mut filter: Option<Box<dyn Filter>>, mut child: process::Input) -> Fed {
    let mut buffer = vec![0; 256 * 1024];
    let mut adapted = Vec::with_capacity(buffer.len());
    let result = loop {
        let count = match source.read(&mut buffer) {
            Ok(count) => count,
            Err(e) => break Err(Error::new(Kind::Archive, "the archive could not be read to its end").why(e)),
        };
        let bytes = match &mut filter {
            None => &buffer[..count],
            Some(filter) => {
                adapted.clear();
                if count == 0 {
                    filter.finish(&mut adapted);
                } else {
                    filter.push(&buffer[..count], &mut adapted);
                }
                &adapted[..]
            }
        };
        if child.write_all(bytes).is_err() || count == 0 {
            break Ok(());
        }
    };
    Fed { result, child, adaptations: filter.map_or_else(Vec::new, |filter| filter.adaptations()) }
}

/// Waits for a loader. While no byte moves, the server is asked whether it works for us: building an index is no
/// silence.
async fn keep_alive(context: &Context, reached: &Reached, loader: Running) -> Result<()> {
    let activity = loader.activity();
    let every = (context.limits.idle / 4).clamp(Duration::from_millis(200), Duration::from_secs(30));
    let asking = async {
        loop {
            let before = activity.bytes();
            tokio::time::sleep(every).await;
            let silent = activity.bytes() == before;
            if silent && reached.engine.busy(&reached.connection, &context.limits).await.unwrap_or(false) {
                activity.touch();
            }
        }
    };
    tokio::select! {
        exited = loader.wait() => match exited {
            Ok(_) => Ok(()),
            Err(failure) => {
                reached.settle().await;
                Err(explain(reached, failure, Kind::RestoreFailed))
            }
        },
        () = asking => unreachable!("asking never ends"),
    }
}

/// The dump's bytes, counted for the progress line.
struct Counted {
    dump: Box<dyn Read + Send>,
    gauge: Gauge,
    total: u64,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.dump.read(buffer)?;
        self.gauge.update(|progress| {
            progress.bytes += count as u64;
            progress.share = (self.total > 0).then(|| progress.bytes as f64 / self.total as f64);
        });
        Ok(count)
    }
}
