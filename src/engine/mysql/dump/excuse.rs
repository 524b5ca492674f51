//! Which findings a dump's options excuse: those about what the options leave out.

use super::dump_filter::TableFilter;
use super::extra;
use crate::engine::mysql::probe::probe_keys;
use crate::engine::{DumpOptions, Server, Subject};

/// Whether the dump holds nothing that this is about, and is not meant to.
pub(crate) fn excuses(server: &Server, options: &DumpOptions, selection: &TableFilter, subject: &Subject) -> bool {
    let ignored = extra::ignored(&options.extra, &server.database);
    let is_taken = |name: &String| selection.includes(name) && !ignored.contains(&name.as_str());
    match subject {
        Subject::Relation(name) => !is_taken(name),
        Subject::View(name) => options.data_only || !is_taken(name) || switched(options, "ignore-views"),
        Subject::Rows(name) => {
            let without = options.schema_only || switched(options, "no-data") || selection.without_rows.contains(name);
            without || !is_taken(name)
        }
        Subject::UnseenTables => selection.only.is_some(),
        Subject::Triggers => !takes_triggers(options) || selection.only.is_some() && !hides_triggers(server, selection),
        Subject::Events => !is_dumped(options, selection, "events", 'E'),
        Subject::Routines => !takes_routines(options, selection),
        Subject::Database
        | Subject::Configuration
        | Subject::OutsideOfSchemas
        | Subject::LargeObjects
        | Subject::NotHeld => false,
    }
}

/// Whether the dump is to hold routines.
pub(crate) fn takes_routines(options: &DumpOptions, selection: &TableFilter) -> bool {
    is_dumped(options, selection, "routines", 'R')
}

/// Whether a table that is named has triggers that the user would not see.
pub(crate) fn hides_triggers(server: &Server, selection: &TableFilter) -> bool {
    probe_keys::list(server, probe_keys::WITHOUT_TRIGGERS).into_iter().any(|table| selection.includes(table))
}

fn takes_triggers(options: &DumpOptions) -> bool {
    extra::switched(&options.extra, "triggers", None).unwrap_or(!options.data_only)
}

/// Like `pg_dump`'s, a dump of some tables holds no events and routines, unless it is told to.
fn is_dumped(options: &DumpOptions, selection: &TableFilter, what: &str, letter: char) -> bool {
    let usual = !options.data_only && selection.only.is_none();
    extra::switched(&options.extra, what, Some(letter)).unwrap_or(usual)
}

fn switched(options: &DumpOptions, option: &str) -> bool {
    let letter = (option == "no-data").then_some('d');
    extra::switched(&options.extra, option, letter) == Some(true)
}
