//! Faults against moments and commands: run, and written down.

use std::{
    fmt::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::{CASES, Case, MOMENTS, Moment};
use crate::support::{assert_section, several, sweeping, table_of_section};

const PAGE: &str = "docs/reliability.md";

/// Something that goes wrong.
pub struct Fault<'f> {
    /// As the table says it: `dbhaul is sent TERM`.
    pub name: &'f str,
    /// Makes it happen, and tells what came of it ([`super::Held::outcome`]); None where it can't happen.
    pub run: &'f (dyn Fn(Case, Moment) -> Option<String> + Sync),
}

/// Faults that make one section.
pub struct Grid<'f>(pub &'f [Fault<'f>]);

impl Grid<'_> {
    /// Runs every fault at every moment of every case, some at a time, and compares the section with the page. A test run
    /// tries every third cell, so that each fault meets each command and each moment; a sweep tries all. A cell that panics
    /// is named, after all others have been run.
    pub fn assert(&self, section: &str) {
        let cells: Vec<_> = self
            .0
            .iter()
            .flat_map(|fault| MOMENTS.map(|moment| CASES.map(|case| (fault, moment, case))).concat())
            .collect();
        let known = known(section);
        let outcomes = several(&cells.iter().enumerate().collect::<Vec<_>>(), |&(at, cell)| {
            let (row, column) = (at / CASES.len(), at % CASES.len());
            if sweeping() || (row + column) % 3 == 0 { run(cell) } else { Ok(known(cell)) }
        });
        let failed: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
        assert!(
            failed.is_empty(),
            "{} cells failed:\n{}",
            failed.len(),
            failed.iter().map(|s| format!("{s}\n")).collect::<String>()
        );
        // A command to which nothing of this can happen has no column.
        let happens = |column: &usize| outcomes.iter().skip(*column).step_by(CASES.len()).flatten().any(|o| o != "-");
        let columns: Vec<_> = (0..CASES.len()).filter(happens).collect();
        let mut text = String::from("| fault | moment |");
        text.extend(columns.iter().map(|column| format!(" {} |", CASES[*column])));
        text += &format!("\n|---|---|{}\n", "---|".repeat(columns.len()));
        for (row, outcomes) in outcomes.chunks(CASES.len()).enumerate() {
            let (fault, moment, _) = cells[row * CASES.len()];
            let _ = write!(text, "| {} | {moment} |", fault.name);
            text.extend(columns.iter().flat_map(|column| &outcomes[*column]).map(|outcome| format!(" {outcome} |")));
            text.push('\n');
        }
        assert_section(PAGE, section, &text);
    }
}

type Cell<'a, 'f> = (&'a Fault<'f>, Moment, Case);

fn run(&(fault, moment, case): &Cell<'_, '_>) -> Result<String, String> {
    let ran = catch_unwind(AssertUnwindSafe(|| (fault.run)(case, moment)));
    let outcome = ran.map(|outcome| outcome.unwrap_or_else(|| "-".into()));
    outcome.map_err(|panic| format!("{}, {moment}, {case}: {}", fault.name, words(&*panic)))
}

/// What the page says of a cell; a dash where it has no such column.
fn known(section: &str) -> impl Fn(&Cell<'_, '_>) -> String + Sync + use<> {
    let rows = table_of_section(PAGE, section);
    move |&(fault, moment, case)| {
        let column = rows.first().and_then(|heads| heads.iter().position(|head| *head == case.to_string()));
        let row = rows.iter().find(|row| row[0] == fault.name && row[1] == moment.to_string());
        row.zip(column).map_or_else(|| "-".to_owned(), |(row, column)| row[column].clone())
    }
}

/// What a panic said.
pub fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default()
}
