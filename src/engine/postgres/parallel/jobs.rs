//! Several `pg_dump`s side by side: who dumps what.
//!
//! One of them, the main one, dumps everything but the rows of the tables that were given to the others; each of these
//! dumps rows alone. All read one snapshot, and `toc_merge` makes one dump of what they write. For a copy all of them dump
//! rows alone, and one more dumps the definitions.

use super::snapshot::{Shared, Snapshot};
use super::toc_merge::TocMerger;
use crate::engine::postgres::format::encoding::Encoding;
use crate::engine::postgres::probe::findings::pattern;
use crate::engine::{Clean, DumpOptions, DumpPlan, DumpSource, RestoreOptions, Server, SplitDump};
use crate::error::{Error, Kind, Result};
use crate::invocation::{Arg, Invocation};
use crate::report::units;

/// The largest tables are given away, so many of them; the others take little time. `pg_dump` asks the server for each
/// table that its command line names, and a command line has an end.
const MAX_NAMED_TABLES: usize = 500;

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

/// The same for a copy.
pub fn copied_alone(dump: &DumpOptions, restore: &RestoreOptions) -> Option<&'static str> {
    // What is dropped goes in the order of everything that comes, and sections are less.
    let why = match restore.clean {
        Some(Clean::Objects) => {
            "--clean objects keeps to one job: foreign keys go before the tables that they point at"
        }
        _ if dump.with_dependencies => {
            "--with-dependencies keeps to one job: what comes is chosen out of a dump of more"
        }
        Some(Clean::Schema) => "--clean schema keeps to one job: what is dropped comes back if the rest fails",
        _ => return alone(dump),
    };
    alone(dump).or((dump.jobs > 1).then_some(why))
}

/// Refuses more sessions than the server has room for: the clients', of a copy that of the definitions, too, and ours
/// that holds the snapshot.
pub fn check_jobs_connections(server: &Server, options: &DumpOptions) -> Result<()> {
    crate::engine::check_free_connections(server, options.jobs, u64::from(options.jobs) + 1 + u64::from(options.split))
}

/// The tables that the others are given, group by group; the main one keeps a share of about their size.
fn groups(snapshot: &Snapshot, jobs: u32) -> Vec<Vec<Shared>> {
    let mut tables: Vec<_> = snapshot.tables.iter().filter(|table| table.bytes > 0).collect();
    tables.sort_by_key(|table| std::cmp::Reverse(table.bytes));
    tables.truncate(MAX_NAMED_TABLES);
    let all: u64 = snapshot.tables.iter().map(|table| table.bytes).sum();
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
/// alone are told besides; `encoding` is that of their command lines.
pub fn split_dump(
    plan: &mut DumpPlan,
    base: &Invocation,
    snapshot: &Snapshot,
    jobs: u32,
    more: &[&str],
    encoding: Encoding,
) -> Result<()> {
    let groups = groups(snapshot, jobs);
    let count = groups.len() as u64 + 1;
    if count < u64::from(jobs) {
        let count = units::plural(count, "job");
        plan.notes.push(format!("{count} instead of {jobs}: there are no more tables with rows"));
    }
    let [main] = plan.source.commands() else { return Ok(()) };
    if groups.is_empty() {
        return Ok(());
    }
    let commands = commands(main.clone(), base, snapshot, &groups, more, encoding)?;
    plan.member = "part.pgsql";
    plan.source = DumpSource::Clients(commands, TocMerger::new(groups));
    Ok(())
}

/// Divides it for a copy: definitions, and the rows among several. Without a snapshot only the definitions are looked at.
pub fn split_copy(
    plan: &mut DumpPlan,
    base: &Invocation,
    snapshot: Option<&Snapshot>,
    jobs: u32,
    more: &[&str],
    encoding: Encoding,
) -> Result<()> {
    let [everything] = plan.source.commands() else { return Ok(()) };
    let mut definitions = everything.clone().args(["--section=pre-data", "--section=post-data"]);
    if let Some(snapshot) = snapshot {
        let given = groups(snapshot, jobs);
        let rows = commands(everything.clone().arg("--section=data"), base, snapshot, &given, more, encoding)?;
        definitions = definitions.arg(snapshot_argument(snapshot));
        plan.split = Some(SplitDump { definitions: definitions.clone(), rows, given });
    }
    plan.source = DumpSource::Client(vec![definitions]);
    Ok(())
}

/// The main command, without the rows of these groups, and one for each of them.
fn commands(
    main: Invocation,
    base: &Invocation,
    snapshot: &Snapshot,
    groups: &[Vec<Shared>],
    more: &[&str],
    encoding: Encoding,
) -> Result<Vec<Invocation>> {
    let named = |flag: &str, tables: &[Shared]| -> Result<Vec<Arg>> {
        encoding.arguments(tables.iter().map(|table| format!("--{flag}={}", pattern(&table.schema, &table.name))))
    };
    let mut commands = vec![main.arg(snapshot_argument(snapshot)).args(named("exclude-table-data", &groups.concat())?)];
    for group in groups {
        let command = base.clone().args(more.iter().copied());
        commands.push(command.arg("--data-only").arg(snapshot_argument(snapshot)).args(named("table", group)?));
    }
    Ok(commands)
}

fn snapshot_argument(snapshot: &Snapshot) -> String {
    format!("--snapshot={}", snapshot.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(sizes: &[u64]) -> Snapshot {
        let table = |(n, bytes): (usize, &u64)| {
            let oid = u32::try_from(n).expect("few");
            Shared { oid, schema: "s".into(), name: format!("t\"{n}"), bytes: *bytes }
        };
        Snapshot { name: "00000003-1".into(), tables: sizes.iter().enumerate().map(table).collect() }
    }

    /// The sizes of each group's tables, the main one's left out.
    fn sizes(of: &[u64], jobs: u32) -> Vec<Vec<u64>> {
        let groups = groups(&snapshot(of), jobs);
        groups.into_iter().map(|group| group.into_iter().map(|table| table.bytes).collect()).collect()
    }

    #[test]
    fn the_largest_tables_are_dealt_out_onto_the_least_loaded() {
        assert_eq!(sizes(&[5, 9, 4, 7, 0], 2), [[7, 5]]);
        assert_eq!(sizes(&[100, 1, 1, 1], 3), [vec![1, 1], vec![1]]);
        assert_eq!(sizes(&[3, 3], 8), [[3]]);
        assert!(sizes(&[3], 8).is_empty());
        assert!(sizes(&[0, 0], 8).is_empty() && sizes(&[], 8).is_empty());
        // What is not given away is the main one's: it takes no other table then.
        let many = sizes(&[10; 2000], 2);
        assert_eq!((many.len(), many[0].len()), (1, MAX_NAMED_TABLES));
    }

    fn everything() -> DumpPlan {
        let source = DumpSource::Client(vec![Invocation::new("/pg_dump").args(["--format=custom", "--schema=s"])]);
        DumpPlan::new(source, "dump.pgsql", crate::engine::Format::PG_CUSTOM, "snapshot")
    }

    #[test]
    fn a_copy_dumps_definitions_apart_and_each_row_once() {
        let (mut plan, base) = (everything(), Invocation::new("/pg_dump").arg("--format=custom"));
        split_copy(&mut plan, &base, Some(&snapshot(&[3, 2, 1])), 2, &["--enable-row-security"], Encoding::Utf8)
            .expect("a plan");
        let split = plan.split.expect("definitions apart");
        let commands: Vec<_> = [&split.definitions].into_iter().chain(&split.rows).collect();
        let text: Vec<_> = commands.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(text.join("\n"), @r#"
        /pg_dump --format=custom --schema=s --section=pre-data --section=post-data --snapshot=00000003-1
        /pg_dump --format=custom --schema=s --section=data --snapshot=00000003-1 '--exclude-table-data="s"."t""1"' '--exclude-table-data="s"."t""2"'
        /pg_dump --format=custom --enable-row-security --data-only --snapshot=00000003-1 '--table="s"."t""1"' '--table="s"."t""2"'
        "#);
        assert_eq!(split.given.len(), 1);
        for version in ["10.3", "13.16", "15.20", "18.6"] {
            let help = crate::engine::postgres::test_fixtures::recording(&format!("pg_dump-{version}.help.txt"));
            for command in &commands {
                crate::engine::postgres::test_fixtures::assert_known(command, &help);
            }
        }
        // The look, without a snapshot.
        let mut plan = everything();
        split_copy(&mut plan, &base, None, 2, &[], Encoding::Utf8).expect("a plan");
        let look = plan.source.lines();
        assert_eq!(look, ["/pg_dump --format=custom --schema=s --section=pre-data --section=post-data"]);
    }

    #[test]
    fn one_dumps_everything_but_the_rows_that_the_others_dump() {
        let (mut plan, base) = (everything(), Invocation::new("/pg_dump").arg("--format=custom"));
        split_dump(&mut plan, &base, &snapshot(&[3, 2, 1]), 4, &["--enable-row-security"], Encoding::Utf8)
            .expect("a plan");
        let commands = plan.source.lines();
        insta::assert_snapshot!(commands.join("\n"), @r#"
        /pg_dump --format=custom --schema=s --snapshot=00000003-1 '--exclude-table-data="s"."t""1"' '--exclude-table-data="s"."t""2"'
        /pg_dump --format=custom --enable-row-security --data-only --snapshot=00000003-1 '--table="s"."t""1"'
        /pg_dump --format=custom --enable-row-security --data-only --snapshot=00000003-1 '--table="s"."t""2"'
        "#);
        assert_eq!(plan.notes, ["3 jobs instead of 4: there are no more tables with rows"]);
        assert_eq!(plan.member, "part.pgsql");
        let DumpSource::Clients(commands, merger) = &plan.source else { panic!("one client") };
        assert_eq!(merger.commands(), 3);
        for version in ["10.3", "13.16", "15.20", "18.6"] {
            let help = crate::engine::postgres::test_fixtures::recording(&format!("pg_dump-{version}.help.txt"));
            for command in commands {
                crate::engine::postgres::test_fixtures::assert_known(command, &help);
            }
        }
    }
}
