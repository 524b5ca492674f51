//! The side that is written: checked, planned, prepared, and what is said of it after a failure.

use std::pin::Pin;

use super::connect::ConnectedServer;
use super::watch::{self, ProgressHandle, until_stopped};
use super::{Context, clients, tell_stand_in};
use crate::engine::{
    Client, Content, Dependency, Found, Loader, RestoreInput, RestoreJob, RestoreOptions, RestorePlan, Role, Server,
};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;
use crate::properties::{AppliedProperties, ByHand};

/// The last line of what ends while the target is emptied or made.
pub const PREPARING: &str = "the target may have been changed: dropping or creating had begun";

/// What ended before the first change for a reason that does not say so by itself.
pub fn not_begun(error: Error) -> Error {
    let silent = matches!(error.kind, Kind::Signal(_) | Kind::TimedOut | Kind::Connect | Kind::Archive);
    if silent { error.unchanged() } else { error }
}

/// Asked before anything is dropped; an error ends the work.
pub type Approve<'a> = &'a dyn for<'s> Fn(&'s Server) -> Pin<Box<dyn Future<Output = Result<()>> + 's>>;

/// What the restore needs and neither brings nor finds there.
pub async fn lacking(
    context: &Context,
    connected: &ConnectedServer,
    held: &Content,
    options: &RestoreOptions,
) -> Result<Vec<Dependency>> {
    let ConnectedServer { engine, connection, server, .. } = connected;
    until_stopped(context, engine.lacking(connection, server, held, options, &context.limits)).await
}

/// Refuses everything that forbids this restore, before anything is touched.
pub fn check(context: &Context, connected: &ConnectedServer, held: &Content, options: &RestoreOptions) -> Result<()> {
    let refused = |error: Error| error.why(&connected.connection).unchanged();
    for warning in connected.engine.check_restore(&connected.server, held, options).map_err(refused)? {
        context.warn(warning);
    }
    Ok(())
}

/// The commands, and the client that writes to the target.
pub async fn plan(
    context: &Context,
    connected: &ConnectedServer,
    held: &Content,
    options: &RestoreOptions,
    source: RestoreInput<'_>,
) -> Result<(RestorePlan, Option<Client>)> {
    let found = clients(context, connected).await?;
    let plan = plan_with(connected, held, &found, options, source)?;
    let loader = tell_clients(context, connected, &plan, &found);
    Ok((plan, loader))
}

/// The clients that there are for a restore.
pub async fn clients(context: &Context, connected: &ConnectedServer) -> Result<Found> {
    clients::find(context, connected.engine, &[Role::Restore, Role::Shell]).await
}

/// The commands, made of these clients.
pub fn plan_with(
    connected: &ConnectedServer,
    held: &Content,
    found: &Found,
    options: &RestoreOptions,
    source: RestoreInput<'_>,
) -> Result<RestorePlan> {
    let ConnectedServer { connection, server, .. } = connected;
    let job = RestoreJob { connection, server, content: held, clients: found, options, source };
    connected
        .engine
        .plan_restore(&job)
        .map_err(|error| if error.kind == Kind::Refused { error.unchanged() } else { error })
}

/// Tells which clients a plan takes. The one that writes to the target comes back.
pub fn tell_clients(
    context: &Context,
    connected: &ConnectedServer,
    plan: &RestorePlan,
    found: &Found,
) -> Option<Client> {
    let mut loader = None;
    if let Loader::Sessions(sessions) = &plan.loader {
        context.fact("sessions", sessions.describe());
    }
    if let Loader::Native(consumer) = &plan.loader {
        context.fact("sessions", consumer.describe());
    }
    for program in invocations(plan).map(|invocation| &invocation.program) {
        loader = found.clients.iter().find(|client| client.path == *program);
        if let Some(client) = loader {
            context.fact("client", client.to_string());
            tell_stand_in(context, client, &connected.server);
        }
    }
    loader.cloned()
}

/// The plan's commands, in the order in which the bytes pass them.
pub fn invocations(plan: &RestorePlan) -> impl Iterator<Item = &crate::invocation::Invocation> {
    plan.decoder.iter().chain(plan.loader.client())
}

/// What a dry run prints: the commands, or what takes their place.
pub fn display_plan(plan: &RestorePlan) -> Vec<String> {
    plan.decoder.iter().map(ToString::to_string).chain([plan.loader.to_string()]).collect()
}

/// Asks whether what the target holds may be dropped.
pub async fn approved(
    context: &Context,
    connected: &ConnectedServer,
    options: &RestoreOptions,
    approve: Approve<'_>,
) -> Result<()> {
    if options.clean.is_none() || connected.server.target.object_count == 0 {
        return Ok(());
    }
    until_stopped(context, approve(&connected.server)).await.map_err(Error::unchanged)
}

/// What was done to the target before the first byte: for people, and for the words after a failure.
pub async fn prepare(
    context: &Context,
    connected: &ConnectedServer,
    held: &Content,
    options: &RestoreOptions,
) -> Result<Vec<String>> {
    let work = connected.engine.prepare(&connected.connection, &connected.server, held, options, &context.limits);
    // Dropping may wait for a lock, and take its time: no reason for silence.
    let progress = ProgressHandle::about("preparing");
    let work = watch::show_progress(context, &progress, work);
    let done = if connected.replaced.is_some() {
        // The target is not touched, and what is made has to be dropped: not before it is there.
        work.await?
    } else {
        until_stopped(context, work).await.map_err(|error| match error.kind {
            Kind::Refused => error,
            _ => error.why(PREPARING),
        })?
    };
    for step in &done {
        context.fact("prepared", step);
    }
    Ok(done)
}

/// Gives the restored database what belonged to its source itself, and tells what is left to do by hand.
pub async fn apply_properties(
    context: &Context,
    connected: &ConnectedServer,
    held: &Content,
    options: &RestoreOptions,
) -> Result<AppliedProperties> {
    let ConnectedServer { engine, connection, server, .. } = connected;
    let work = engine.apply_properties(connection, server, held, options, &context.limits);
    let applied = until_stopped(context, work).await.map_err(|error| match &connected.replaced {
        Some(_) => error,
        None => error.why("everything was restored; the database's own settings may not be set"),
    })?;
    if !applied.set.is_empty() {
        context.fact("set", format!("{} of database \"{}\"", applied.set.join(", "), server.database));
    }
    for ByHand { statement, why } in &applied.by_hand {
        context.note(format!("not set, {why}: {statement}"));
    }
    Ok(applied)
}

/// What the server made otherwise than the dump says, told. The restore is done, whatever can't be looked at now.
pub async fn look_back(
    context: &Context,
    connected: &ConnectedServer,
    held: &Content,
    options: &RestoreOptions,
) -> Vec<String> {
    let ConnectedServer { engine, connection, .. } = connected;
    let looked = engine.look_back(connection, held, options, &context.limits).await;
    let notes =
        looked.unwrap_or_else(|error| vec![format!("what the server made of it could not be looked at: {error}")]);
    for note in &notes {
        context.note(note);
    }
    notes
}

/// What a failure leaves of a restore's own work.
#[derive(Clone, Copy)]
pub struct Ends {
    /// Nothing.
    pub atomic: bool,
    /// What the same restore can go on from.
    pub resumable: bool,
}

/// The last lines of a failed restore: whether the target was changed. Once a loader has got everything, only the
/// server's own word tells that it did not commit: a loader that was killed, or that lost its session, may have sent its
/// COMMIT just before.
/// Of a [replaced](crate::pipeline::restore::replace) target it is told when the replacement is gone.
pub fn say_what_is_left(
    connected: &ConnectedServer,
    error: Error,
    ends: Ends,
    all_fed: bool,
    prepared: &[String],
) -> Error {
    if connected.replaced.is_some() {
        return error;
    }
    if error.kind == Kind::Connect && prepared.is_empty() {
        return error.unchanged();
    }
    let error = prepared.iter().fold(error, |error, step| error.why(format!("before it began: {step}")));
    let error = match error.kind {
        Kind::TimedOut => error.hint(Hint::new(
            "end-session-of-gone-client",
            "where the network fell silent, the server may not know that the client is gone: end its session there, \
             which holds its locks, before you try again",
        )),
        _ => error,
    };
    let Ends { atomic, resumable } = ends;
    if atomic && all_fed && !error.refused_by_server {
        error.why("its transaction was rolled back, unless its COMMIT had just been sent: look before you go on")
    } else if atomic && prepared.is_empty() {
        error.why("the restore itself changed nothing: its transaction was rolled back, and the target holds what it held before")
    } else if atomic {
        error.why("the restore itself changed nothing: its transaction was rolled back")
    } else {
        let first = if error.recurs { "when that is mended, " } else { "" };
        error
            .why("the target may have been changed: what was restored before the error stays in it")
            .hint(connected.scene.begin_again(first))
            .hints(
                resumable.then(|| {
                    Hint::naming("resume", format!("{first}--resume goes on from the tables that are complete"))
                }),
            )
    }
}
