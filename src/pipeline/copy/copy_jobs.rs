//! A copy by several jobs, of one snapshot: definitions, then rows in lanes side by side, then what is made behind rows.
//!
//! ```text
//! pg_dump definitions ──▶ spool ──▶ load: pre-data                  load: post-data, by N sessions
//! pg_dump rows 1 ──▶ Relay ──▶ VerifyingReader ──▶ load 1 ──┐                ▲
//! pg_dump rows 2 ──▶ Relay ──▶ VerifyingReader ──▶ load 2 ──┴─▶ committed ───┘
//! ```
//!
//! The dumpers of rows start first: their locks keep the tables as the definitions say. No lane commits before all
//! dumpers have ended well (`docs/decisions/copy-in-lanes.md`).

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use tempfile::NamedTempFile;

use super::copy_failure::{CommandPair, both, broken, named, side, source_failed};
use super::preparing::Preparing;
use crate::engine::{
    Client, Complete, Content, DumpOptions, DumpPlan, Inspector, Pending, RestoreInput, RestoreOptions, RestorePlan,
    Section, Shared, SplitDump, fingerprint_of_entries,
};
use crate::error::{Error, Kind, Result};
use crate::hint;
use crate::invocation::Invocation;
use crate::pipeline::connect::ConnectedServer;
use crate::pipeline::dump::progress_estimate::ProgressEstimate;
use crate::pipeline::dump::verifying_reader::{Planned, VerifyingReader};
use crate::pipeline::restore::load::{Feed, load};
use crate::pipeline::source::{Relay, Source};
use crate::pipeline::watch::{ProgressHandle, on_thread, until_stopped};
use crate::pipeline::{Context, target};
use crate::process::{ChildStdout, Exited};

/// What was adapted, and how often.
type Adaptations = Vec<(String, u64)>;

/// For the rows of a table of so many bytes it pays that the table is emptied first, which takes a millisecond or two.
const LARGE: u64 = 4 << 20;

/// How the target will be loaded.
pub struct Plan {
    /// What rows need.
    before: RestorePlan,
    /// Rows, for as many lanes as there can be.
    rows: Vec<RestorePlan>,
    /// What is made behind them, one after the other.
    after: Vec<RestorePlan>,
}

impl Plan {
    /// The commands, and the client that writes to the target. `spool` will hold the definitions.
    pub async fn make(
        context: &Context,
        source: &Source,
        target: &ConnectedServer,
        held: &Content,
        options: &RestoreOptions,
        spool: &Path,
    ) -> Result<(Self, Option<Client>)> {
        let found = target::clients(context, target).await?;
        let large = source.connected.server.tables.iter().filter(|table| table.bytes >= LARGE);
        let large: Vec<_> = large.map(|table| (table.schema.clone(), table.name.clone())).collect();
        let plan = |jobs, section, input| {
            let options = RestoreOptions { jobs, section, large: large.clone(), ..options.clone() };
            target::plan_with(target, held, &found, &options, input)
        };
        let before = plan(1, Some(Section::PreData), RestoreInput::Stream)?;
        let client = target::tell_clients(context, target, &before, &found);
        // An index that is attached to its parent's excludes who goes through both, and the server sees a deadlock.
        let attached = held.entries.iter().any(|entry| entry.kind == "INDEX ATTACH");
        let sections = if attached { &[Section::Indexes, Section::Readers][..] } else { &[Section::PostData] };
        let behind = |section: &Section| plan(options.jobs, Some(*section), RestoreInput::Path(spool));
        let mut after = sections.iter().map(behind).collect::<Result<Vec<_>>>()?;
        if after.iter().any(|plan| plan.decoder.is_some()) {
            let mut one = plan(1, Some(Section::PostData), RestoreInput::Stream)?;
            one.notes.push("indexes and constraints are made by one session: psql runs them".into());
            one.notes.push(format!("{} jobs: a failure leaves behind what was copied before it", options.jobs));
            after = vec![one];
        }
        let rows = (0..options.jobs).map(|_| plan(1, Some(Section::Data), RestoreInput::Stream));
        Ok((Self { before, rows: rows.collect::<Result<_>>()?, after }, client))
    }

    /// What is left out or done otherwise, each once.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = self.before.notes.clone();
        for note in self.after.iter().flat_map(|plan| &plan.notes) {
            if !notes.contains(note) {
                notes.push(note.clone());
            }
        }
        notes
    }

    /// The commands, where the definitions stand in this file.
    pub fn command_pairs(&self, dump: &DumpPlan, definitions: &str) -> Vec<CommandPair> {
        let first = dump.split.iter().map(|split| format!("{} > {definitions}", split.definitions));
        let cat = |plan: &RestorePlan| CommandPair {
            dump: vec![format!("cat {definitions}")],
            load: target::display_plan(plan),
        };
        let rows = dump.split.iter().flat_map(|split| &split.rows).zip(&self.rows);
        let mut pipes = vec![CommandPair { dump: first.collect(), load: Vec::new() }, cat(&self.before)];
        pipes.extend(
            rows.map(|(dump, load)| CommandPair { dump: vec![dump.to_string()], load: target::display_plan(load) }),
        );
        pipes.extend(self.after.iter().map(|plan| match plan.decoder {
            Some(_) => cat(plan),
            None => CommandPair { dump: Vec::new(), load: target::display_plan(plan) },
        }));
        pipes
    }
}

/// A copy by several jobs.
pub struct Jobs<'a> {
    /// The world around it.
    pub context: &'a Context,
    /// What is copied.
    pub source: &'a Source,
    /// Where to.
    pub target: &'a ConnectedServer,
    /// What of the source.
    pub options: &'a DumpOptions,
    /// Takes the definitions.
    pub spool: &'a NamedTempFile,
    /// Shows how far it is.
    pub progress: &'a ProgressHandle,
    /// Makes or empties the target.
    pub preparing: &'a Preparing<'a>,
    /// True from the first change of the target on.
    pub begun: &'a Cell<bool>,
}

/// One dumper of rows, and what its loader has to know.
struct RowsDumper {
    waiting: Arc<AtomicBool>,
    exits: Receiver<Vec<Exited>>,
    planned: Planned,
}

impl Jobs<'_> {
    /// Copies. `planned` is the fingerprint of the definitions that the plan was made for.
    pub async fn run(&self, plan: Plan, planned: u64) -> Result<(Content, Adaptations)> {
        let Plan { before, rows, after } = plan;
        let (dump, snapshot) = self.source.hold(self.context, self.options).await.map_err(|e| side("source", e))?;
        let lost = |side_of, kind, lost| Error { kind, ..side(side_of, lost) };
        let (content, mut adapted) = tokio::select! {
            copied = self.definitions_and_rows(&dump, before, rows, planned) => copied?,
            error = snapshot.lost() => return Err(side("source", error)),
            error = self.source.connected.lost() => return Err(lost("source", Kind::DumpFailed, error)),
            error = self.target.lost() => return Err(lost("target", Kind::RestoreFailed, error)),
        };
        until_stopped(self.context, snapshot.confirm()).await.map_err(|e| side("source", e))?;
        drop(snapshot);
        self.progress.update(|progress| progress.what = "indexes and constraints".into());
        for plan in after {
            adapted.push(tokio::select! {
                loaded = self.load(plan, self.spooled()?) => loaded?,
                error = self.target.lost() => return Err(lost("target", Kind::RestoreFailed, error)),
            });
        }
        Ok((content, summed(adapted)))
    }

    /// Both sides, up to the commit of all rows.
    async fn definitions_and_rows(
        &self,
        dump: &DumpPlan,
        before: RestorePlan,
        rows: Vec<RestorePlan>,
        planned: u64,
    ) -> Result<(Content, Vec<Adaptations>)> {
        let Some(split) = &dump.split else {
            return Err(Error::new(Kind::Unexpected, "the dump was not planned for several jobs"));
        };
        let (outputs, relay) = Relay::new();
        let (exited, lanes) = lanes(split);
        let waiting: Vec<_> = lanes.iter().map(|lane| Arc::clone(&lane.waiting)).collect();
        let dumping = async move {
            // While the target works, the source's clients have to wait.
            let waits = |n: usize| waiting.get(n).is_some_and(|waiting| !waiting.load(Ordering::Relaxed));
            let ended = self.source.run_side_by_side(self.context, &split.rows, outputs, waits).await?;
            for (exited, exit) in exited.iter().zip(ended) {
                let _ = exited.send(vec![exit]);
            }
            Ok(())
        };
        let loading = async {
            let content = self.definitions(&split.definitions, planned).await?;
            self.preparing.once().await?;
            self.begun.set(true);
            let mut adapted = vec![self.load(before, self.spooled()?).await?];
            let meter = ProgressEstimate::new(self.progress.clone(), &self.source.connected.server.tables);
            let meter = Arc::new(Mutex::new(meter));
            let outputs: Vec<ChildStdout> = relay.into_outputs().try_iter().collect();
            let lanes = outputs.into_iter().zip(lanes).zip(rows).enumerate();
            let lanes = lanes.map(|(n, ((output, lane), plan))| self.lane(n, output, lane, plan, Arc::clone(&meter)));
            let (counted, more): (Vec<_>, Vec<_>) = all(lanes.collect()).await?.into_iter().unzip();
            adapted.extend(more);
            Ok((counted.into_iter().fold(content, with_rows), adapted))
        };
        Box::pin(both(self.source, dumping, loading)).await
    }

    /// Dumps the definitions into the spool. What they hold, which must be what was planned for.
    async fn definitions(&self, command: &Invocation, planned: u64) -> Result<Content> {
        let (outputs, relay) = Relay::new();
        let inspector = self.source.connected.engine.inspector(self.source.plan.format);
        let unwritten = |e: io::Error| {
            let what = format!("the definitions can't be written to {}", self.spool.path().display());
            Error::new(Kind::Store, what).why(e).hint(hint::ANOTHER_TMPDIR)
        };
        let file = self.spool.reopen().map_err(unwritten)?;
        let command = std::slice::from_ref(command);
        let (dumped, written) = tokio::join!(
            self.source.run(self.context, command, outputs, || false),
            on_thread(move || write(relay, file, inspector))
        );
        let (inspector, bytes) = match (written?, dumped) {
            // A full disk breaks the pipe, and the client complains of that.
            (Err(Unwritten::Spool(e)), _) => return Err(unwritten(e)),
            (_, Err(failure)) => return Err(source_failed(self.source, failure).await),
            (Err(Unwritten::Dump(e)), _) => return Err(side("source", broken(e))),
            (Ok(written), Ok(_)) => written,
        };
        let complete = Complete::prove(inspector).map_err(|incomplete| {
            let what = format!("source: the dump of its definitions is not complete: {incomplete}");
            Error::new(Kind::DumpFailed, what).why(&self.source.connected.connection)
        })?;
        self.progress.update(|progress| progress.bytes += bytes);
        let content = complete.into_content();
        if fingerprint_of_entries(content.entries.iter()) == planned {
            return Ok(content);
        }
        let changed = "source: the schema was changed between the look at it and the copy: copy again";
        Err(Error { transient: true, ..Error::new(Kind::DumpFailed, changed).why(&self.source.connected.connection) })
    }

    /// The definitions, from their beginning.
    fn spooled(&self) -> Result<Feed> {
        let broken =
            |e| Error::new(Kind::Store, "the definitions can't be read again from their temporary file").why(e);
        let file = self.spool.reopen().map_err(broken)?;
        Ok(Feed { dump: Box::new(file), waiting: Arc::default(), broken })
    }

    /// One lane, from its dumper's first byte to its commit.
    fn lane(
        &self,
        number: usize,
        output: ChildStdout,
        lane: RowsDumper,
        plan: RestorePlan,
        meter: Arc<Mutex<ProgressEstimate>>,
    ) -> Pending<'_, (Content, Adaptations)> {
        let RowsDumper { waiting, exits, planned } = lane;
        let (proof, proved) = mpsc::channel();
        let dump = Box::new(VerifyingReader {
            source: Box::new(Relay::of(output)),
            exits,
            inspector: Some(self.target.engine.inspector(self.source.plan.format)),
            planned: Some(planned),
            proof,
            waiting: Arc::clone(&waiting),
            meter,
            lane: number,
            progress: self.progress.clone(),
            held: None,
        });
        Box::pin(async move {
            let adapted = self.load(plan, Feed { dump, waiting, broken }).await?;
            let early = |_| Error::new(Kind::Unexpected, "the target ended well before the dump did");
            let complete: Complete = proved.try_recv().map_err(early)?;
            Ok((complete.into_content(), adapted))
        })
    }

    /// Into the target. Of several sessions, others may have been let in before.
    async fn load(&self, plan: RestorePlan, feed: Feed) -> Result<Adaptations> {
        let loaded = load(self.context, self.target, plan, feed).await;
        loaded.map(|loaded| loaded.adaptations).map_err(|error| {
            let kind = if error.kind == Kind::Connect { Kind::RestoreFailed } else { error.kind };
            named(self.source, self.target, Error { kind, ..error })
        })
    }
}

/// A lane for each dumper of rows, and where its loader is told that all of them have ended well.
fn lanes(split: &SplitDump) -> (Vec<Sender<Vec<Exited>>>, Vec<RowsDumper>) {
    let lane = |n| {
        let (exited, exits) = mpsc::channel();
        (exited, RowsDumper { waiting: Arc::default(), exits, planned: rows_of(n, &split.given) })
    };
    (0..=split.given.len()).map(lane).unzip()
}

/// The rows of each table come once: the first dumper's are none of those that were given to the others.
fn rows_of(lane: usize, given: &[Vec<Shared>]) -> Planned {
    let tables = lane.checked_sub(1).map_or_else(|| given.concat(), |n| given[n].clone());
    let tables: BTreeSet<_> = tables.into_iter().map(|table| (table.schema, table.name)).collect();
    Planned::Tables(Box::new(move |outline| {
        let named = outline.tables.iter().map(|t| (t.schema.clone().unwrap_or_default(), t.name.clone()));
        let found: BTreeSet<_> = named.collect();
        let right = if lane == 0 { found.is_disjoint(&tables) } else { found == tables };
        let wrong = || io::Error::other(format!("client {} dumps other rows than those that it was given", lane + 1));
        if right { Ok(()) } else { Err(wrong()) }
    }))
}

/// Which side of a copy to disk failed.
enum Unwritten {
    Dump(io::Error),
    Spool(io::Error),
}

/// Writes a dump to its end, and looks at it. The inspector, and how many bytes there were.
fn write(
    mut dump: Relay,
    mut file: File,
    mut inspector: Box<dyn Inspector>,
) -> Result<(Box<dyn Inspector>, u64), Unwritten> {
    // An attempt before may have been longer.
    file.set_len(0).map_err(Unwritten::Spool)?;
    let mut buffer = vec![0; 128 << 10];
    let mut bytes = 0;
    loop {
        let read = dump.read(&mut buffer).map_err(Unwritten::Dump)?;
        if read == 0 {
            return Ok((inspector, bytes));
        }
        inspector.see(&buffer[..read]);
        file.write_all(&buffer[..read]).map_err(Unwritten::Spool)?;
        bytes += read as u64;
    }
}

/// Adds what a lane's rows said to what the definitions did.
fn with_rows(mut content: Content, rows: Content) -> Content {
    let key = |schema: &Option<String>, name: &str| (schema.clone(), name.to_owned());
    let places: HashMap<_, _> =
        content.tables.iter().enumerate().map(|(n, table)| (key(&table.schema, &table.name), n)).collect();
    for table in rows.tables {
        match places.get(&key(&table.schema, &table.name)) {
            Some(&place) => content.tables[place] = table,
            // A table of an extension's, whose definition is the extension.
            None => content.tables.push(table),
        }
    }
    content.objects += rows.objects;
    content.longest_statement = content.longest_statement.max(rows.longest_statement);
    content
}

fn summed(adapted: Vec<Adaptations>) -> Adaptations {
    let mut sums = BTreeMap::new();
    for (what, count) in adapted.into_iter().flatten() {
        *sums.entry(what).or_insert(0) += count;
    }
    sums.into_iter().collect()
}

/// Waits until all have ended well, or one has not: the others end with their futures.
async fn all<T>(works: Vec<Pending<'_, T>>) -> Result<Vec<T>> {
    let mut works: Vec<_> = works.into_iter().map(Some).collect();
    let mut done = Vec::new();
    poll_fn(|task| {
        for slot in &mut works {
            let Some(Poll::Ready(ended)) = slot.as_mut().map(|work| work.as_mut().poll(task)) else { continue };
            *slot = None;
            match ended {
                Ok(result) => done.push(result),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        if works.iter().any(Option::is_some) { Poll::Pending } else { Poll::Ready(Ok(())) }
    })
    .await?;
    Ok(done)
}
