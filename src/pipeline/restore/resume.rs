//! `--resume`: what an earlier restore of the same archive left in the target, and what is still to come.

use std::sync::atomic::{AtomicBool, AtomicU64};

use super::load::silence;
use crate::engine::{Content, Engine, RestoreOptions, ResumeState};
use crate::error::{Error, Kind, Result};
use crate::hint;
use crate::pipeline::Context;
use crate::pipeline::connect::ConnectedServer;
use crate::pipeline::watch::{ProgressHandle, show_progress as with_gauge, until_stopped};
use crate::report::units;

/// How many names are told; a dry run names all.
const NAMED: usize = 5;

/// Refuses what can't go on, before anybody is asked anything.
pub fn check(engine: &dyn Engine, options: &RestoreOptions) -> Result<()> {
    if !options.resume {
        return Ok(());
    }
    engine.check_resume()?;
    let others = [
        ("--clean", options.clean.is_some(), "it drops what there is to go on from"),
        ("--create", options.create, "a new database holds nothing to go on from"),
        ("--schema-only", options.schema_only, "without rows no table is complete"),
        ("--data-only", options.data_only, "tables that are not complete are made again, not filled"),
    ];
    match others.iter().find(|(_, given, _)| *given) {
        Some((other, _, why)) => {
            Err(Error::new(Kind::Usage, format!("--resume and {other} exclude each other: {why}")).hint(hint::GIVE_ONE))
        }
        None => Ok(()),
    }
}

/// Asks the target what is complete, and says it. Counting may take long: only a server that does not work is silent.
pub async fn inspect_target(
    context: &Context,
    connected: &ConnectedServer,
    held: &Content,
    options: &RestoreOptions,
) -> Result<ResumeState> {
    let (looked_at, waiting) = (AtomicU64::new(0), AtomicBool::new(false));
    let ConnectedServer { engine, connection, server, .. } = connected;
    let looking = async {
        tokio::select! {
            left = engine.inspect_target_for_resume(connection, server, held, options, &context.limits, &looked_at) => left,
            silent = silence(context, connected, &waiting, &looked_at) => Err(silent),
            lost = connected.lost() => Err(lost),
        }
    };
    let progress = ProgressHandle::about("comparing");
    let left = until_stopped(context, with_gauge(context, &progress, looking)).await?;
    let complete: Vec<&str> = left.complete.iter().map(String::as_str).collect();
    context.fact("complete", count_and_names(&complete));
    if !left.incomplete.is_empty() {
        let incomplete: Vec<&str> = left.incomplete.iter().map(String::as_str).collect();
        context.fact("again", count_and_names(&incomplete));
    }
    Ok(left)
}

/// `7 tables: album, artist, ...`
fn count_and_names(tables: &[&str]) -> String {
    let named = tables.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    let (colon, more) = (if tables.is_empty() { "" } else { ": " }, if tables.len() > NAMED { ", ..." } else { "" });
    format!("{}{colon}{named}{more}", units::plural(tables.len() as u64, "table"))
}

/// What a dry run prints of it, as comments to a shell.
pub fn display_state(left: &ResumeState) -> Vec<String> {
    let stays = |table: &String| {
        let how =
            if left.without_foreign_keys.contains(table) { ", and is given its foreign keys" } else { " as it is" };
        format!("# stays{how}: table {table:?}")
    };
    let again = left.again.iter().map(|(kind, name)| format!("# dropped first: {} {name:?}", kind.to_lowercase()));
    left.complete.iter().map(stays).chain(again).collect()
}
