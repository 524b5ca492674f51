//! The side that is read: reached, judged, planned; then its clients run, and what they write is one stream.

use std::cell::RefCell;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};

use super::load::beat;
use super::reach::{Reached, reach};
use super::{Context, clients, tell_stand_in};
use crate::connection::Connection;
use crate::engine::{self, Client, DumpOptions, DumpPlan, Purpose, Role, Severity};
use crate::error::{Error, Kind, Result};
use crate::event::Event;
use crate::process::{Activity, Exited, Failure, Output, spawn};

/// A database that is about to be dumped.
pub struct Source {
    /// The server, and the way to it.
    pub reached: Reached,
    /// The client that dumps.
    pub client: Client,
    /// How it does.
    pub plan: DumpPlan,
    /// What the dump will lack, as allowed.
    pub missing: Vec<String>,
    /// Signs of life of the client that runs.
    activity: RefCell<Option<Arc<Activity>>>,
}

impl Source {
    /// Probes the server, refuses what can't end well, chooses a client and plans. What people should know is told.
    pub async fn open(context: &Context, connection: &Connection, options: &DumpOptions) -> Result<Self> {
        engine::of(connection.dialect).check_options(connection, options)?;
        let reached = reach(context, connection, Purpose::Dump).await?;
        let missing = judge(context, &reached)?;
        let (client, plan) = plan(context, &reached, options).await?;
        for what in &missing {
            context.warn(what);
        }
        Ok(Self { reached, client, plan, missing, activity: RefCell::default() })
    }

    /// Runs a plan's commands one after the other. The relay ends with the sender, that is: with this future.
    pub async fn run(
        &self,
        context: &Context,
        plan: &DumpPlan,
        outputs: Sender<Output>,
    ) -> Result<Vec<Exited>, Failure> {
        let supervision = context.supervision(&self.reached.connection.redactor());
        let mut exits = Vec::new();
        for invocation in &plan.invocations {
            context.tell(Event::Command(invocation.to_string()));
            let mut child = spawn(invocation, &supervision)?;
            self.activity.replace(Some(child.activity()));
            if let Some(output) = child.take_stdout() {
                let _ = outputs.send(output);
            }
            let asking = self.ask_who_is_waited_for(context, child.activity());
            exits.push(tokio::select! {
                exited = child.wait() => exited?,
                () = asking => unreachable!("asking never ends"),
            });
        }
        Ok(exits)
    }

    /// While no byte moves, finds out whose lock the client waits for: once it has given up, nobody can tell.
    async fn ask_who_is_waited_for(&self, context: &Context, activity: Arc<Activity>) {
        loop {
            let before = activity.bytes();
            tokio::time::sleep(beat(context)).await;
            if activity.bytes() == before {
                self.reached.is_busy(context).await;
            } else {
                self.reached.lock_holders.take();
            }
        }
    }

    /// A sign of life for the client that runs: it is somebody else that it waits for.
    pub fn touch(&self) {
        if let Some(activity) = self.activity.borrow().as_ref() {
            activity.touch();
        }
    }
}

/// Says what the probe found, and refuses what can't end well. What will be missing comes back, for the manifest; the
/// engine's plan refuses that unless it is allowed.
fn judge(context: &Context, reached: &Reached) -> Result<Vec<String>> {
    let of = |severity| reached.server.findings.iter().filter(move |f| f.severity == severity);
    let fatal = of(Severity::Fatal).fold(None, |error: Option<Error>, finding| {
        let error = error.unwrap_or_else(|| Error::new(Kind::Refused, "this dump can't succeed: nothing was started"));
        Some(error.why(&finding.what).hints(finding.hint.clone()))
    });
    if let Some(error) = fatal {
        return Err(error.why(&reached.connection));
    }
    of(Severity::Note).for_each(|finding| context.note(&finding.what));
    of(Severity::Warning).for_each(|finding| context.warn(&finding.what));
    Ok(of(Severity::Missing).map(|finding| finding.what.clone()).collect())
}

async fn plan(context: &Context, reached: &Reached, options: &DumpOptions) -> Result<(Client, DumpPlan)> {
    let Reached { engine, connection, server, .. } = reached;
    let found = clients::find(context, *engine, &[Role::Dump]).await?;
    let client = engine.choose(Role::Dump, server, None, &found.clients, &found.rejected)?.clone();
    context.fact("client", client.to_string());
    tell_stand_in(context, &client, server);
    engine.check_patterns(connection, options, &context.limits).await?;
    let plan = engine.plan_dump(connection, server, &client, options, &context.limits)?;
    for warning in &plan.warnings {
        context.warn(warning);
    }
    Ok((client, plan))
}

/// The stdouts of several children as one stream. It ends when the last sender is gone, not when a child's output
/// ends: whether another follows is known only when that child's exit status is.
pub struct Relay {
    outputs: Receiver<Output>,
    current: Option<Output>,
}

impl Relay {
    /// A relay, and where its outputs are sent to.
    pub fn new() -> (Sender<Output>, Self) {
        let (sender, outputs) = mpsc::channel();
        (sender, Self { outputs, current: None })
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
