//! Several `pg_dump`s side by side: who dumps what.
//!
//! One of them, the main one, dumps everything but the rows of the tables that were given to the others; each of these
//! dumps rows alone. All read one snapshot, and `splice` makes one dump of what they write.

use super::findings::pattern;
use super::snapshot::{Shared, Snapshot};
use super::splice::Splice;
use crate::engine::{DumpOptions, DumpPlan, Server};
use crate::error::{Error, Kind, Result};
use crate::invocation::Invocation;
use crate::report::units;

/// The largest tables are given away, so many of them; the others take little time. `pg_dump` asks the server for each
/// table that its command line names, and a command line has an end.
const MOST: usize = 500;

/// What can be refused without a server.
pub fn check(options: &DumpOptions) -> Result<()> {
    if options.jobs <= 1 {
        return Ok(());
    }
    let refused = |what: &str, why: &str| Err(Error::new(Kind::Usage, what).why(why));
    if options.plain {
        return refused(
            "--jobs and --format plain exclude each other",
            "a plain dump is one script: only the custom format takes tables in any order",
        );
    }
    if !options.extra.is_empty() {
        return refused(
            "--jobs and arguments after -- exclude each other",
            "several pg_dumps divide the tables: what these arguments mean for each of them is not known",
        );
    }
    Ok(())
}

/// Why one `pg_dump` does it alone, although several were asked for.
pub fn alone(options: &DumpOptions) -> Option<&'static str> {
    if options.jobs <= 1 {
        None
    } else if options.schema_only {
        Some("--jobs divides rows: without them one pg_dump does it alone")
    } else if options.data_only {
        Some("--data-only keeps to one job: with the tables there already, the order of rows matters to foreign keys")
    } else {
        None
    }
}

/// Refuses more sessions than the server has room for: the clients', and ours that holds the snapshot.
pub fn room(server: &Server, options: &DumpOptions) -> Result<()> {
    let (jobs, wanted) = (options.jobs, u64::from(options.jobs) + 1);
    match server.connections_left {
        Some(left) if left < wanted => {
            let what = format!("{jobs} jobs need {wanted} connections, {left} are left: nothing was started");
            Err(Error::new(Kind::Refused, what).hint("--jobs 1, or fewer sessions of others"))
        }
        _ => Ok(()),
    }
}

/// The tables that the others are given, group by group; the main one keeps a share of about their size.
fn groups(snapshot: &Snapshot, server: &Server, jobs: u32) -> Vec<Vec<Shared>> {
    let mut tables: Vec<_> = snapshot.tables.iter().filter(|table| table.bytes > 0).collect();
    tables.sort_by_key(|table| std::cmp::Reverse(table.bytes));
    tables.truncate(MOST);
    let all: u64 = server.tables.iter().map(|table| table.bytes).sum();
    let given: u64 = tables.iter().map(|table| table.bytes).sum();
    let mut groups = vec![(0, Vec::new()); jobs.max(1) as usize];
    groups[0].0 = all.saturating_sub(given);
    for table in tables {
        // The first of those that have the least to do.
        if let Some(group) = groups.iter_mut().min_by_key(|(bytes, _)| *bytes) {
            group.0 += table.bytes;
            group.1.push(table.clone());
        }
    }
    groups.into_iter().skip(1).map(|(_, tables)| tables).filter(|tables| !tables.is_empty()).collect()
}

/// Divides a plan for one command among several. `base` is what all of them begin with, `more` what those that dump rows
/// alone are told besides.
pub fn divide(plan: &mut DumpPlan, base: &Invocation, snapshot: &Snapshot, server: &Server, jobs: u32, more: &[&str]) {
    let groups = groups(snapshot, server, jobs);
    let count = groups.len() as u64 + 1;
    if count < u64::from(jobs) {
        let count = units::plural(count, "job");
        plan.notes.push(format!("{count} instead of {jobs}: there are no more tables with rows"));
    }
    if groups.is_empty() {
        return;
    }
    let Some(main) = plan.invocations.pop() else { return };
    let snapshot = format!("--snapshot={}", snapshot.name);
    let named = |flag: &str, tables: &[Shared]| -> Vec<String> {
        tables.iter().map(|table| format!("--{flag}={}", pattern(&table.schema, &table.name))).collect()
    };
    let others = named("exclude-table-data", &groups.concat());
    plan.invocations = vec![main.arg(&snapshot).args(others)];
    plan.invocations.extend(groups.iter().map(|group| {
        let command = base.clone().args(more.iter().copied());
        command.args(["--data-only", &snapshot]).args(named("table", group))
    }));
    plan.member = "part.pgsql";
    plan.splice = Some(Splice::new(groups));
}
