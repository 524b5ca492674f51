//! A target that is replaced as a whole: another database is filled in its place, and takes its name when all is there.
//!
//! After any failure before that, the other database is dropped, and the target is as it was.

use crate::engine::RestoreOptions;
use crate::error::{Error, Result};
use crate::hint::Hint;
use crate::pipeline::Context;
use crate::pipeline::connect::ConnectedServer;
use crate::pipeline::watch::{ProgressHandle, shown, stopped};

/// From here on the connection leads to the replacement, if there is to be one.
pub fn lead(reached: &mut ConnectedServer, options: &RestoreOptions) {
    if let Some(name) = reached.engine.replacement(&reached.server, options) {
        reached.replaced = Some(reached.connection.clone());
        reached.connection.database = name;
    }
}

/// Ends what was begun: the replacement takes the target's place, or is dropped. What was done comes back with the result.
/// No signal ends this in the middle: then nobody would know what there is to drop.
pub async fn settle<T>(context: &Context, reached: &ConnectedServer, result: Result<T>) -> Result<(T, Vec<String>)> {
    if reached.replaced.is_none() {
        return result.map(|done| (done, Vec::new()));
    }
    match replaced(context, reached, result).await {
        Ok(done) => Ok(done),
        Err(error) => Err(dropped(context, reached, error).await),
    }
}

async fn replaced<T>(context: &Context, reached: &ConnectedServer, result: Result<T>) -> Result<(T, Vec<String>)> {
    let done = result?;
    if let Some(signal) = context.stop.requested() {
        return Err(stopped(signal));
    }
    let replacing = reached.engine.replace(&reached.connection, &reached.server, &context.limits);
    let steps = shown(context, &ProgressHandle::about("replacing"), replacing).await?;
    for step in &steps {
        context.fact("replaced", step);
    }
    Ok((done, steps))
}

/// Drops the replacement after a failure, and tells what is there.
async fn dropped(context: &Context, reached: &ConnectedServer, error: Error) -> Error {
    let Some(target) = &reached.replaced else { return error };
    let name = &reached.connection.database;
    match reached.engine.drop_database(target, name, &context.limits).await {
        Ok(()) => error.why(format!("database \"{}\" holds what it held before", target.database)),
        Err(left) => {
            error.why(format!("database {name} may still be there: {}", left.why.join(" "))).hint(Hint::naming(
                "drop-the-new-database",
                format!("DROP DATABASE {name}, if it is there: \"{}\" was not touched", target.database),
            ))
        }
    }
}
