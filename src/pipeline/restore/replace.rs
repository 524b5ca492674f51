//! A target that is replaced as a whole: another database is filled in its place, and takes its name when all is there.
//!
//! After any failure before that, the other database is dropped, and the target is as it was.

use crate::engine::RestoreOptions;
use crate::error::{Error, Result};
use crate::hint::Hint;
use crate::pipeline::Context;
use crate::pipeline::connect::ConnectedServer;
use crate::pipeline::watch::{ProgressHandle, show_progress, stopped};

/// From here on the connection leads to the replacement, if there is to be one.
pub fn lead(connected: &mut ConnectedServer, options: &RestoreOptions) {
    if let Some(name) = connected.engine.replacement(&connected.server, options) {
        connected.replaced = Some(connected.connection.clone());
        connected.connection.database = name;
    }
}

/// Ends what was begun: the replacement takes the target's place, or is dropped. What was done comes back with the result.
/// No signal ends this in the middle: then nobody would know what there is to drop.
pub async fn settle<T>(context: &Context, connected: &ConnectedServer, result: Result<T>) -> Result<(T, Vec<String>)> {
    if connected.replaced.is_none() {
        return result.map(|done| (done, Vec::new()));
    }
    match replaced(context, connected, result).await {
        Ok(done) => Ok(done),
        Err(error) => Err(dropped(context, connected, error).await),
    }
}

async fn replaced<T>(context: &Context, connected: &ConnectedServer, result: Result<T>) -> Result<(T, Vec<String>)> {
    let done = result?;
    if let Some(signal) = context.stop.requested() {
        return Err(stopped(signal));
    }
    let replacing = connected.engine.replace(&connected.connection, &connected.server, &context.limits);
    let steps = show_progress(context, &ProgressHandle::about("replacing"), replacing).await?;
    for step in &steps {
        context.fact("replaced", step);
    }
    Ok((done, steps))
}

/// Drops the replacement after a failure, and tells what is there.
async fn dropped(context: &Context, connected: &ConnectedServer, error: Error) -> Error {
    let Some(target) = &connected.replaced else { return error };
    let name = &connected.connection.database;
    match connected.engine.drop_database(target, name, &context.limits).await {
        Ok(()) => error.why(format!("database \"{}\" holds what it held before", target.database)),
        Err(left) => {
            error.why(format!("database {name} may still be there: {}", left.why.join(" "))).hint(Hint::naming(
                "drop-the-new-database",
                format!("DROP DATABASE {name}, if it is there: \"{}\" was not touched", target.database),
            ))
        }
    }
}
