//! A dump's definitions, brought into a temporary database of the target's server before the first drop. A server that
//! can't take a drop back is asked for its word on each object while everything is still there: no list of what it may refuse is
//! complete.

use std::io::Read;
use std::sync::Arc;

use super::load::{Feed, load};
use crate::connection::Connection;
use crate::engine::{Clean, Content, Purpose, Rehearsal, RestoreInput, RestoreOptions, Scene};
use crate::error::{Error, Kind, Result};
use crate::pipeline::connect::{ConnectedServer, connect};
use crate::pipeline::verify::verify_restore;
use crate::pipeline::watch::stopped;
use crate::pipeline::{Context, target};

/// What the names of these databases begin with.
pub(crate) const PREFIX: &str = "dbhaul_rehearsal_";

/// Opens the dump at its beginning.
pub type Opening<'a> = &'a dyn Fn() -> Result<Box<dyn Read + Send>>;

/// Whether everything that the target holds would be dropped, and could not be brought back. Where that can't be tried
/// before, a note says so.
pub fn is_needed(context: &Context, connected: &ConnectedServer, held: &Content, options: &RestoreOptions) -> bool {
    let target = &connected.server.target;
    let empties = matches!(options.clean, Some(Clean::Schema | Clean::Database));
    if !empties || options.data_only || !target.exists || target.object_count == 0 {
        return false;
    }
    let rehearsal = connected.engine.rehearsal(held);
    if rehearsal == Rehearsal::Harmful {
        context.note(
            "the definitions were not tried before everything is dropped: the dump holds statements for more than its database",
        );
    }
    rehearsal == Rehearsal::Possible
}

/// Refuses a dump whose definitions the target's server does not take. Where that can't be tried, a note says so.
pub async fn rehearse(
    context: &Context,
    connected: &ConnectedServer,
    held: &Content,
    options: &RestoreOptions,
    open: Opening<'_>,
) -> Result<()> {
    let ConnectedServer { engine, connection, .. } = connected;
    let name = format!("{PREFIX}{}", verify_restore::random(5)?);
    match engine.create_database(connection, &name, held.properties.as_ref(), &context.limits).await {
        Err(error) if error.kind == Kind::Refused => {
            context.note(
                "the definitions were not tried before everything is dropped: the user may create no database on that server",
            );
            return Ok(());
        }
        made => made?,
    }
    let tried = match context.stop.requested() {
        Some(signal) => Err(stopped(signal)),
        None => {
            Box::pin(try_definitions(
                &verify_restore::without_own_facts(context),
                connection,
                &name,
                held,
                options,
                open,
            ))
            .await
        }
    };
    let dropped = verify_restore::drop_it(context, *engine, connection, &name).await;
    let still_there = |left: Error| left.why(format!("database {name} is still there: drop it")).unchanged();
    let says_left = |error: Error| match &dropped {
        Ok(()) => error,
        Err(left) => error.why(format!("database {name} is still there: {}", left.why.join(" "))),
    };
    match tried {
        Err(error) if error.recurs && !is_of_this_place(&error, connection, &name) => {
            Err(says_left(refused(error, &name)))
        }
        Err(error) if matches!(error.kind, Kind::Signal(_)) => Err(says_left(error.unchanged())),
        Err(error) => {
            let words = std::iter::once(error.what).chain(error.why.into_iter().take(1)).collect::<Vec<_>>().join(": ");
            context.note(format!("the definitions could not be tried before everything is dropped: {words}"));
            dropped.map_err(still_there)
        }
        Ok(()) => dropped.map_err(still_there),
    }
}

async fn try_definitions(
    context: &Context,
    connection: &Connection,
    name: &str,
    held: &Content,
    options: &RestoreOptions,
    open: Opening<'_>,
) -> Result<()> {
    let there = Connection { database: name.to_owned(), ..connection.clone() };
    let mut connected = connect(context, &there, Purpose::Restore).await?;
    let options = RestoreOptions {
        jobs: 1,
        clean: None,
        create: false,
        schema_only: true,
        disable_events: true,
        // The gate found nothing that this would let through.
        trust: false,
        ..options.clone()
    };
    connected.scene = Scene::restore(&connected.server, held, &options);
    let (plan, _) = target::plan(context, &connected, held, &options, RestoreInput::Stream).await?;
    load(context, &connected, plan, feed(open()?)).await.map(drop)
}

/// A right that the user has on the target's database alone, and what is named by that database, tell nothing of it.
fn is_of_this_place(error: &Error, connection: &Connection, name: &str) -> bool {
    const RIGHTS: [&str; 4] = ["ERROR 1044 ", "ERROR 1142 ", "ERROR 1143 ", "ERROR 1370 "];
    let own = ["'{}.", "`{}`.", " {}."].map(|form| form.replace("{}", &connection.database));
    error.why.iter().any(|line| {
        RIGHTS.iter().any(|number| line.contains(number))
            || !line.contains(name) && own.iter().any(|own| line.contains(own))
    })
}

fn refused(error: Error, name: &str) -> Error {
    let what = "the target's server does not take all that the dump defines: that was tried in a database of its own";
    let why = error.why.into_iter().filter(|line| !line.contains("what was restored before the error"));
    let refused = why.map(|line| line.replace(name, "the target")).fold(Error::new(Kind::Refused, what), Error::why);
    refused.unchanged().hints(error.hints)
}

fn feed(dump: Box<dyn Read + Send>) -> Feed {
    Feed {
        dump,
        waiting: Arc::default(),
        broken: |e| Error::new(Kind::RestoreFailed, "the dump could be read once, and not again").why(e),
    }
}
