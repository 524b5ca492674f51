//! What runs that were killed left in the folders that a run uses: named, or removed where that was asked for.

use std::path::Path;

use super::Context;
use crate::leftovers::{Leftover, find};
use crate::report::units;

/// Looks for leftovers in these folders.
pub fn clean_up(context: &Context, folders: &[&Path]) {
    for leftover in folders.iter().flat_map(|folder| find(folder)) {
        let Leftover { path, bytes, age, unsure } = &leftover;
        let what = format!("{} ({}, {} old)", path.display(), units::size(*bytes), units::rough(*age));
        if let Some(why) = unsure {
            context.warn(format!(
                "{what} was left by a run that was killed, or another one uses it: {why}; when none does, delete it"
            ));
            continue;
        }
        if !context.remove_leftovers {
            context.warn(format!(
                "{what} was left by a run that was killed; nobody uses it: --remove-leftovers deletes it"
            ));
            continue;
        }
        match leftover.remove() {
            Ok(true) => context.fact("removed", format!("{what}, left by a run that was killed")),
            Ok(false) => {}
            Err(error) => {
                context.warn(format!("{what} was left by a run that was killed, and can't be removed: {error}"));
            }
        }
    }
}
