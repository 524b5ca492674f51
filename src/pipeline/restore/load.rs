//! Bytes into a target.
//!
//! ```text
//! dump ──▶ [[Filter] ──▶ decoder: pg_restore -f -] ──▶ [Filter] ──▶ loader: pg_restore, psql, mysql, or sessions ──▶ target
//! ```
//!
//! A loader takes the end of its input for the end of the dump, and commits. So its stdin is closed only when
//! everything before it has ended well; after a failure the loader is killed first.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::lines::{Lines, Remembered};
use crate::engine::members::{self, Consumer, MemberSender};
use crate::engine::{Filter, Loader, RestorePlan, RunningLoad, Sessions};
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::invocation::Invocation;
use crate::pipeline::connect::ConnectedServer;
use crate::pipeline::watch::{on_thread, until_stopped};
use crate::pipeline::{Context, explain, target};
use crate::process::{self, Running, SpawnOptions, spawn};

/// What is fed into a loader.
pub struct Feed {
    /// The dump's bytes. It ends well only when the dump does: an error keeps the loader from committing.
    pub dump: Box<dyn Read + Send>,
    /// True while the next bytes are waited for: then a loader's silence is not its own.
    pub waiting: Arc<AtomicBool>,
    /// What it means when the bytes can't be read to their end.
    pub broken: fn(io::Error) -> Error,
}

/// What came of a load.
pub struct Loaded {
    /// What the filter adapted, and how often.
    pub adaptations: Vec<(String, u64)>,
    /// The rows that the server took, where sessions of our own counted them.
    pub rows: Option<u64>,
}

/// Runs the plan.
pub async fn load(context: &Context, connected: &ConnectedServer, plan: RestorePlan, dump: Feed) -> Result<Loaded> {
    for invocation in target::invocations(&plan) {
        context.tell(Event::Command(invocation.to_string()));
    }
    match plan.loader {
        Loader::Client(client) => {
            let decoder = plan.decoder.map(|decoder| (decoder, plan.decoder_filter));
            let adaptations = by_client(context, connected, decoder, &client, plan.filter, dump).await?;
            Ok(Loaded { adaptations, rows: None })
        }
        Loader::Sessions(sessions) => by_sessions(context, connected, sessions, plan.filter, dump).await,
        Loader::Native(_) => Err(Error::new(Kind::Unexpected, "a dump in members is no stream")),
    }
}

/// By sessions of our own.
async fn by_sessions(
    context: &Context,
    connected: &ConnectedServer,
    sessions: Box<dyn Sessions>,
    filter: Option<Box<dyn Filter>>,
    dump: Feed,
) -> Result<Loaded> {
    let done: Arc<AtomicU64> = Arc::default();
    let mut rows = None;
    let RunningLoad { sql, work, end } = sessions.start(&context.limits, Arc::clone(&done));
    let Feed { dump, waiting, broken } = dump;
    let feeding = on_thread(move || feed(dump, broken, filter, sql));
    let loading = async {
        tokio::select! {
            worked = until_stopped(context, work) => worked.map(|taken| rows = Some(taken)),
            silent = silence(context, connected, &waiting, &done) => Err(silent),
        }
    };
    let loaded = both(feeding, loading).await;
    if loaded.is_err() && end.await.is_err() {
        tracing::debug!("the sessions could not be ended on the server");
    }
    loaded.map(|adaptations| Loaded { adaptations, rows })
}

/// Ends when no statement has ended for too long, and the server does not work for us.
pub async fn silence(context: &Context, connected: &ConnectedServer, waiting: &AtomicBool, done: &AtomicU64) -> Error {
    let (waits, moved) = (|| waiting.load(Ordering::Relaxed), || done.load(Ordering::Relaxed));
    until_silent(context, connected, &waits, &moved, "no statement ended").await
}

/// The same of whatever `moved` counts, while nobody `waits` for us; `what` says what did not happen.
pub async fn until_silent(
    context: &Context,
    connected: &ConnectedServer,
    waits: &dyn Fn() -> bool,
    moved: &dyn Fn() -> u64,
    what: &str,
) -> Error {
    let (mut before, mut sign) = (0, Instant::now());
    loop {
        tokio::time::sleep(poll_interval(context)).await;
        let now = moved();
        if now != before || waits() || connected.is_busy(context).await {
            (before, sign) = (now, Instant::now());
        } else if sign.elapsed() >= context.limits.idle {
            let what = format!("{what} for {} s", context.limits.idle.as_secs_f64());
            return connected
                .waited_for()
                .into_iter()
                .fold(Error::new(Kind::TimedOut, what), Error::why)
                .hint(process::SILENT);
        }
    }
}

/// A dump's members, as they are read from an archive; for a plain thread.
pub type Members = Box<dyn FnOnce(&MemberSender) -> Result<()> + Send>;

/// By sessions of our own, which take members.
pub async fn by_members(
    context: &Context,
    connected: &ConnectedServer,
    consumer: Box<dyn Consumer>,
    members: Members,
) -> Result<Loaded> {
    let (sender, receiver) = members::queue();
    let flow = sender.flow();
    let (waits, moved) = (|| flow.is_empty(), || flow.moved());
    // The reader ends the queue by its last word: when it fails, the consumer sees the members break off.
    let mut reading = std::pin::pin!(on_thread(move || members(&sender)));
    let taking = async {
        tokio::select! {
            taken = until_stopped(context, consumer.start(&context.limits, receiver)) => taken,
            silent = until_silent(context, connected, &waits, &moved, "no byte was taken") => Err(silent),
        }
    };
    let (read, taken) = tokio::join!(&mut reading, taking);
    match (read?, taken) {
        (Ok(()), taken) => taken.map(|rows| Loaded { adaptations: Vec::new(), rows: Some(rows) }),
        // Who reads fails where nobody takes: that is for whoever should have taken to explain.
        (Err(error), Err(taken)) if error.kind == Kind::Unexpected => Err(taken),
        (Err(error), _) => Err(error),
    }
}

/// By a client.
async fn by_client(
    context: &Context,
    connected: &ConnectedServer,
    decoder: Option<(Invocation, Option<Box<dyn Filter>>)>,
    loader: &Invocation,
    filter: Option<Box<dyn Filter>>,
    dump: Feed,
) -> Result<Vec<(String, u64)>> {
    let supervision = context.supervision(&connected.connection.redactor());
    let failed = async |failure| explain(connected, failure, Kind::RestoreFailed).await;
    let tells_line = loader.tells_line;
    let mut loader = match spawn(loader, &supervision) {
        Ok(loader) => loader,
        Err(failure) => return Err(failed(failure).await),
    };
    let waiting = Arc::clone(&dump.waiting);
    let Some(stdin) = loader.take_stdin() else {
        return keep_alive(context, connected, loader, &waiting).await.map(|()| Vec::new());
    };
    let stdin: Box<dyn Write + Send> = if tells_line {
        let lines: Arc<Mutex<Lines>> = Arc::default();
        connected.script.replace(Some(Arc::clone(&lines)));
        Box::new(Remembered::new(stdin, lines))
    } else {
        Box::new(stdin)
    };
    let Feed { dump, broken, .. } = dump;
    let feeding = async {
        let Some((decoder, decoder_filter)) = decoder else {
            return on_thread(move || feed(dump, broken, filter, stdin)).await;
        };
        // It only stands between two that are watched: when the target works for long, the decoder is silent, too.
        let supervision = SpawnOptions { idle: None, ..supervision.clone() };
        let mut decoder = match spawn(&decoder, &supervision) {
            Ok(decoder) => decoder,
            Err(failure) => return Err(failed(failure).await),
        };
        let Some(sql) = decoder.take_stdout() else {
            return Err(Error::new(Kind::Unexpected, "the decoder has no stdout"));
        };
        let (dump, raw): (_, Box<dyn Write + Send>) = match decoder.take_stdin() {
            Some(raw) => (dump, Box::new(raw)),
            // It opens the dump itself.
            None => (Box::new(io::empty()) as _, Box::new(io::sink())),
        };
        // The decoder may see the end of its input at once: what it makes of a broken one does not get through, since
        // the loader's stdin stays open until all three have ended well.
        let (decoding, feeding, ended) = tokio::join!(
            on_thread(move || {
                let Fed { result, source, .. } = feed(dump, broken, decoder_filter, raw);
                (result, source)
            }),
            on_thread(move || feed(Box::new(sql), broken, filter, stdin)),
            decoder.wait()
        );
        let (mut fed, (input, _source)) = (feeding?, decoding?);
        let ended = match ended {
            Err(failure) if input.is_ok() => Err(failed(failure).await),
            _ => Ok(()),
        };
        fed.result = input.and(ended).and(fed.result);
        Ok(fed)
    };
    both(feeding, keep_alive(context, connected, loader, &waiting)).await
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
        drop(fed.loader);
        return Err(error);
    }
    drop(fed.loader);
    loading.await?;
    Ok(fed.adaptations)
}

/// What comes back from a feeder: how it went, and both ends, still open. Were the source's end closed here, who writes
/// there would fail for it, and be blamed for what went wrong behind us.
struct Fed {
    result: Result<()>,
    source: Box<dyn Read + Send>,
    loader: Box<dyn Write + Send>,
    adaptations: Vec<(String, u64)>,
}

/// Moves bytes into a loader, through the filter. One that went away is no error here: its own end says why.
fn feed(
    mut source: Box<dyn Read + Send>,
    broken: fn(io::Error) -> Error,
    mut filter: Option<Box<dyn Filter>>,
    mut loader: Box<dyn Write + Send>,
) -> Fed {
    let mut buffer = vec![0; 256 * 1024];
    let mut adapted = Vec::with_capacity(buffer.len());
    let result = loop {
        let count = match source.read(&mut buffer) {
            Ok(count) => count,
            Err(e) => break Err(broken(e)),
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
        if loader.write_all(bytes).is_err() {
            break Ok(());
        }
        if count == 0 {
            let _ = loader.flush();
            break Ok(());
        }
    };
    Fed { result, source, loader, adaptations: filter.map_or_else(Vec::new, |filter| filter.adaptations()) }
}

/// How often it is looked whether a silence is one: some times within the one that is allowed.
pub fn poll_interval(context: &Context) -> Duration {
    (context.limits.idle / 4).clamp(Duration::from_millis(200), Duration::from_secs(30))
}

/// Waits for a loader. While no byte moves, the server is asked whether it works for us: building an index is no
/// silence.
async fn keep_alive(
    context: &Context,
    connected: &ConnectedServer,
    loader: Running,
    waiting: &AtomicBool,
) -> Result<()> {
    let activity = loader.activity();
    let every = poll_interval(context);
    let asking = async {
        loop {
            let before = activity.bytes();
            tokio::time::sleep(every).await;
            let silent = activity.bytes() == before;
            if silent && (waiting.load(Ordering::Relaxed) || connected.is_busy(context).await) {
                activity.touch();
            }
        }
    };
    tokio::select! {
        exited = loader.wait() => match exited {
            Ok(_) => Ok(()),
            Err(failure) => Err(explain(connected, failure, Kind::RestoreFailed).await),
        },
        () = asking => unreachable!("asking never ends"),
    }
}
