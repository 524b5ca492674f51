//! The side that is read: reached, judged, planned; then its clients run, one after the other, whose outputs are one
//! stream, or side by side.

use std::future::poll_fn;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::Poll;

use super::connect::{ConnectedServer, connect};
use super::watch::{asked_to_end, until_stopped};
use super::{Context, clients, tell_stand_in};
use crate::connection::Connection;
use crate::engine::{
    self, Client, DumpJob, DumpOptions, DumpPlan, DumpSnapshot, DumpSource, Purpose, Role, RunningMerge, Severity,
};
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::invocation::Invocation;
use crate::pipeline::restore::load::poll_interval;
use crate::process::{Activity, Cause, ChildStdout, Exited, Failure, Running, StderrTail, spawn};

/// A database that is about to be dumped.
pub struct Source {
    /// The server, and the way to it.
    pub connected: ConnectedServer,
    /// The client that dumps; none where dbhaul reads the server itself.
    pub client: Option<Client>,
    /// How it does.
    pub plan: DumpPlan,
    /// What is read, where several read it.
    pub snapshot: DumpSnapshot,
}

/// Says what a dry run's commands lack.
pub fn snapshot_ended(context: &Context) {
    context.note("the snapshot ended with this: by hand, hold one open with SELECT pg_export_snapshot()");
}

impl Source {
    /// Probes the server, refuses what can't end well, chooses a client and plans. What people should know is told.
    pub async fn open(context: &Context, connection: &Connection, options: &DumpOptions) -> Result<Self> {
        engine::of(connection.dialect).check_options(connection, options)?;
        let mut connected = connect(context, connection, Purpose::Dump).await?;
        connected.scene.extra.clone_from(&options.extra);
        judge(context, &connected)?;
        let engine = connected.engine;
        engine.check_patterns(&connected.connection, options, &context.limits).await?;
        let choosing = engine.selected(&connected.connection, &connected.server, options, &context.limits);
        connected.server.selected = until_stopped(context, choosing).await?;
        let (client, plan, snapshot) = plan(context, &connected, options).await?;
        for what in &plan.missing {
            context.warn(what);
        }
        Ok(Self { connected, client, plan, snapshot })
    }

    /// What would be run, for a dry run. A snapshot that was exported for it ends with this.
    pub fn display_commands(&self, context: &Context) -> Vec<String> {
        let mut lines = self.plan.source.lines();
        match &self.snapshot {
            DumpSnapshot::Alone(_) => {}
            DumpSnapshot::Exported(_) => snapshot_ended(context),
            DumpSnapshot::Seen(readers) => {
                let who = match readers.jobs {
                    1 => "1 session of dbhaul's own reads the rows".to_owned(),
                    jobs => format!("{jobs} sessions of dbhaul's own read the rows, all of one moment"),
                };
                lines.push(format!("# {who}"));
            }
        }
        lines
    }

    /// What the clients of a copy by several jobs run, and what holds what they read.
    pub async fn hold(&self, context: &Context, options: &DumpOptions) -> Result<(DumpPlan, DumpSnapshot)> {
        let ConnectedServer { engine, connection, server, .. } = &self.connected;
        let snapshot =
            until_stopped(context, engine.acquire_snapshot(connection, server, options, &context.limits)).await?;
        let plan = self.plan_with(context, options, &snapshot)?;
        Ok((plan, snapshot))
    }

    /// Runs commands one after the other; `waits` says whether the one that runs waits for us. The relay ends with the
    /// sender, that is: with this future.
    pub async fn run(
        &self,
        context: &Context,
        commands: &[Invocation],
        outputs: Sender<ChildStdout>,
        waits: impl Fn() -> bool,
    ) -> Result<Vec<Exited>, Failure> {
        let supervision = context.supervision(&self.connected.connection.redactor());
        let mut exits = Vec::new();
        for invocation in commands {
            context.tell(Event::Command(invocation.to_string()));
            let mut child = spawn(invocation, &supervision)?;
            let activity = [child.activity()];
            if let Some(output) = child.take_stdout() {
                let _ = outputs.send(output);
            }
            exits.push(self.attend(context, &activity, |_| waits(), child.wait()).await?);
        }
        Ok(exits)
    }

    /// The same; where sessions of our own read the rows, it ends when all of the dump was read.
    pub async fn run_woven(
        &self,
        context: &Context,
        commands: &[Invocation],
        outputs: Sender<ChildStdout>,
        weaving: Option<RunningMerge>,
        waits: impl Fn() -> bool,
    ) -> Result<Vec<Exited>, Failure> {
        let Some(mut weaving) = weaving else { return self.run(context, commands, outputs, waits).await };
        let unread = weaving.client_waits();
        let waits = || waits() || unread.load(Ordering::Relaxed);
        let exits = self.run(context, commands, outputs, waits).await?;
        until_ended(context, weaving.ended()).await.map(|()| exits)
    }

    /// Runs commands side by side. The first that fails ends the others; `waits` says which of them wait for us.
    pub async fn run_side_by_side(
        &self,
        context: &Context,
        commands: &[Invocation],
        outputs: Sender<ChildStdout>,
        waits: impl Fn(usize) -> bool,
    ) -> Result<Vec<Exited>, Failure> {
        let supervision = context.supervision(&self.connected.connection.redactor());
        let (mut children, mut activities) = (Vec::new(), Vec::new());
        for invocation in commands {
            context.tell(Event::Command(invocation.to_string()));
            let mut child = spawn(invocation, &supervision)?;
            activities.push(child.activity());
            if let Some(output) = child.take_stdout() {
                let _ = outputs.send(output);
            }
            children.push(child);
        }
        drop(outputs);
        self.attend(context, &activities, waits, all(children)).await
    }

    /// Waits for clients. The silence of those that wait for us is not their own.
    async fn attend<T>(
        &self,
        context: &Context,
        activities: &[Arc<Activity>],
        waits: impl Fn(usize) -> bool,
        ended: impl Future<Output = T>,
    ) -> T {
        let patience = async {
            loop {
                tokio::time::sleep(poll_interval(context)).await;
                let waiting = activities.iter().enumerate().filter(|(n, _)| waits(*n));
                waiting.for_each(|(_, activity)| activity.touch());
            }
        };
        tokio::select! {
            ended = ended => ended,
            () = self.ask_who_is_waited_for(context, activities) => unreachable!("asking never ends"),
            () = patience => unreachable!("patience never ends"),
        }
    }

    /// The plan for one client alone, and why it is.
    pub fn plan_alone(&self, context: &Context, options: &DumpOptions, why: String) -> Result<DumpPlan> {
        self.plan_with(context, options, &DumpSnapshot::Alone(Some(why)))
    }

    /// The plan with these options, for what sees this snapshot.
    pub fn plan_with(&self, context: &Context, options: &DumpOptions, snapshot: &DumpSnapshot) -> Result<DumpPlan> {
        plan_dump(context, &self.connected, self.client.as_ref(), options, snapshot)
    }

    /// What the clients write, with the rows in it that our own sessions read. What comes along is for
    /// [`Self::run_woven`].
    pub fn dump(&self, plan: &DumpPlan, relay: Relay) -> (Box<dyn Read + Send>, Option<RunningMerge>) {
        match (&self.snapshot, &self.client) {
            (DumpSnapshot::Seen(readers), Some(client)) if plan.without_rows => {
                let (woven, weaving) = readers.merge(Box::new(relay), client);
                (Box::new(woven), Some(weaving))
            }
            _ => (Box::new(relay), None),
        }
    }

    /// While no byte moves, finds out whose lock the clients wait for: once they have given up, nobody can tell.
    async fn ask_who_is_waited_for(&self, context: &Context, activities: &[Arc<Activity>]) {
        let bytes = || activities.iter().map(|activity| activity.bytes()).sum::<u64>();
        loop {
            let before = bytes();
            tokio::time::sleep(poll_interval(context)).await;
            if bytes() == before {
                self.connected.is_busy(context).await;
            } else {
                self.connected.lock_holders.take();
            }
        }
    }
}

/// Waits for sessions of our own, which are told to stop as children are.
async fn until_ended(context: &Context, ended: impl Future<Output = ()>) -> Result<(), Failure> {
    let cause = tokio::select! {
        () = ended => return Ok(()),
        cause = asked_to_end(context) => cause,
    };
    Err(Failure { program: "the reading of rows".to_owned(), cause, stderr: StderrTail::default() })
}

/// Waits until all have ended well, or one has not: the others are then killed, unless the same ends all of them.
async fn all(children: Vec<Running>) -> Result<Vec<Exited>, Failure> {
    let of = children.len();
    let mut waits: Vec<_> = children.into_iter().map(|child| Some(Box::pin(child.wait()))).collect();
    let (mut exits, mut failed) = (Vec::new(), None);
    poll_fn(|task| {
        for (n, slot) in waits.iter_mut().enumerate() {
            let Some(Poll::Ready(ended)) = slot.as_mut().map(|wait| wait.as_mut().poll(task)) else { continue };
            *slot = None;
            match ended {
                Ok(exited) => exits.push(exited),
                Err(failure) if failed.is_none() => {
                    let program = format!("{} {} of {of}", failure.program, n + 1);
                    failed = Some(Failure { program, ..failure });
                }
                Err(_) => {}
            }
        }
        let together = failed.as_ref().is_none_or(|f| matches!(f.cause, Cause::Stopped(_) | Cause::Total(_)));
        if together && waits.iter().any(Option::is_some) { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    failed.map_or(Ok(exits), Err)
}

/// Says what the probe found, and refuses what can't end well. What would be missing is refused by the engine's plan, which
/// knows the options.
fn judge(context: &Context, connected: &ConnectedServer) -> Result<()> {
    let of = |severity| connected.server.findings.iter().filter(move |f| f.severity == severity);
    let fatal = of(Severity::Fatal).fold(None, |error: Option<Error>, finding| {
        let error = error.unwrap_or_else(|| Error::new(Kind::Refused, "this dump can't succeed: nothing was started"));
        Some(error.why(&finding.what).hints(finding.hint.clone()))
    });
    if let Some(error) = fatal {
        return Err(error.why(&connected.connection));
    }
    of(Severity::Note).for_each(|finding| context.note(&finding.what));
    of(Severity::Warning).for_each(|finding| context.warn(&finding.what));
    Ok(())
}

fn plan_dump(
    context: &Context,
    connected: &ConnectedServer,
    client: Option<&Client>,
    options: &DumpOptions,
    snapshot: &DumpSnapshot,
) -> Result<DumpPlan> {
    let ConnectedServer { engine, connection, server, .. } = connected;
    engine.plan_dump(&DumpJob { connection, server, client, options, limits: &context.limits, snapshot })
}

async fn plan(
    context: &Context,
    connected: &ConnectedServer,
    options: &DumpOptions,
) -> Result<(Option<Client>, DumpPlan, DumpSnapshot)> {
    let ConnectedServer { engine, connection, server, .. } = connected;
    let found = clients::find(context, *engine, &[Role::Dump]).await?;
    let client = clients::choose_dump(*engine, server, &found)?;
    if let Some(client) = &client {
        context.fact("client", client.to_string());
        tell_stand_in(context, client, server);
    }
    let plan = |snapshot| plan_dump(context, connected, client.as_ref(), options, snapshot);
    // A copy holds a moment when it begins, and no earlier: somebody may have to be asked before.
    let snapshot = if options.split {
        DumpSnapshot::Alone(None)
    } else {
        if options.jobs > 1 {
            // What is refused is refused before anything is held.
            plan(&DumpSnapshot::Alone(None))?;
        }
        until_stopped(context, engine.acquire_snapshot(connection, server, options, &context.limits)).await?
    };
    let plan = plan(&snapshot)?;
    match &snapshot {
        DumpSnapshot::Alone(Some(why)) => context.note(why),
        DumpSnapshot::Seen(readers) => readers.note.iter().for_each(|why| context.note(why)),
        _ => {}
    }
    plan.notes.iter().for_each(|note| context.note(note));
    for warning in &plan.warnings {
        context.warn(warning);
    }
    // Where there is but one table, there is but one client.
    let needless = matches!(snapshot, DumpSnapshot::Exported(_)) && matches!(plan.source, DumpSource::Client(_));
    let snapshot = if needless { DumpSnapshot::Alone(None) } else { snapshot };
    Ok((client, plan, snapshot))
}

/// The stdouts of several children as one stream. It ends when the last sender is gone, not when a child's output
/// ends: whether another follows is known only when that child's exit status is.
pub struct Relay {
    outputs: Receiver<ChildStdout>,
    current: Option<ChildStdout>,
}

impl Relay {
    /// A relay, and where its outputs are sent to.
    pub fn new() -> (Sender<ChildStdout>, Self) {
        let (sender, outputs) = mpsc::channel();
        (sender, Self { outputs, current: None })
    }

    /// One output alone.
    pub fn of(output: ChildStdout) -> Self {
        let (sender, relay) = Self::new();
        let _ = sender.send(output);
        relay
    }

    /// The outputs themselves.
    pub fn into_outputs(self) -> Receiver<ChildStdout> {
        self.outputs
    }
}

impl Read for Relay {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let output = match &mut self.current {
                Some(output) => output,
                None => match self.outputs.recv() {
                    Ok(output) => self.current.insert(output),
                    Err(_) => return Ok(0),
                },
            };
            match output.read(buffer)? {
                0 => self.current = None,
                bytes => return Ok(bytes),
            }
        }
    }
}
