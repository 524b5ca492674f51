//! What the library tells while it works. It never prints: the command line's `report` turns events into lines.

use std::sync::Arc;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A labelled fact: `server`, `PostgreSQL 15.18, 1.2 GB in 48 tables`.
    Fact {
        /// The label.
        label: &'static str,
        /// The value.
        value: String,
    },
    /// Something dropped, adapted or assumed, that nobody needs to act on.
    Note(String),
    /// Something that a person should know about; it is repeated in results and manifests.
    Warning(String),
    /// A command about to run, redacted and shell-quoted.
    Command(String),
    /// A line that a client wrote to its stderr, redacted.
    Said(String),
    /// Bytes moved.
    Progress(Progress),
    /// The work shown by the progress line has ended, well or not.
    ProgressEnd,
}

/// How far the work is.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// What is being worked on, such as a table's name.
    pub what: String,
    /// Bytes seen so far, uncompressed.
    pub bytes: u64,
    /// The share that is done, from 0 to 1, where it is known.
    pub share: Option<f64>,
}

/// Takes events, from any thread.
pub type Observer = Arc<dyn Fn(Event) + Send + Sync>;
