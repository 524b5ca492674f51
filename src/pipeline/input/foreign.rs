//! What somebody else's dump says of itself, read in one pass.

use super::found::{self, Found, Shape};
use super::{CheckError, check};
use crate::archive::{Reading, SharedObject};
use crate::engine::{Content, DumpedTable, EXPORTER, Flavour, Format, HeldDatabase};
use crate::pipeline::watch::ProgressHandle;

/// A larger file is read only where that is asked for, in bytes.
const QUICK: u64 = 64 << 20;

/// What a foreign dump holds.
#[derive(Debug, Default)]
pub struct Foreign {
    /// Whose server it is of, where that shows.
    pub flavour: Option<Flavour>,
    /// The server's version, as the dump says it.
    pub server_version: Option<String>,
    /// The version of the program that wrote it.
    pub client_version: Option<String>,
    /// The program, where it is none of the servers' own.
    pub exporter: Option<String>,
    /// Whether its end mark stands there; none where it was not read so far.
    pub complete: Option<bool>,
    /// What stands at its end, in words.
    pub end: String,
    /// Its tables, with rows where they can be counted.
    pub tables: Vec<DumpedTable>,
    /// The databases of a file of several.
    pub databases: Vec<HeldDatabase>,
}

/// Looks at a dump of anybody's; none where it is an archive of several files to be unpacked first. One of more than
/// 64 MiB is read with `rows` alone.
pub fn inspect_foreign(object: &SharedObject, rows: bool) -> Option<Foreign> {
    match found::look_inside(object, None).ok()? {
        Found::Dump { shape: Shape::Foreign { .. }, .. } if !rows && object.size() > QUICK => {
            Some(Foreign { end: "not read: --rows reads all of a large file".to_owned(), ..Foreign::default() })
        }
        Found::Dump { shape: shape @ Shape::Foreign { .. }, format } => Some(read(&shape, format)),
        _ => None,
    }
}

/// Reads all of the dump that this holds.
pub fn read(shape: &Shape, format: Format) -> Foreign {
    let reading = Reading { accept_unproven: true, ..Reading::default() };
    match check(shape, format, &ProgressHandle::about("reading"), None, &reading, None) {
        Ok(checked) => of_content(checked.content),
        Err(CheckError::Choice(held)) => Foreign {
            end: "a file of several databases: --database of restore and verify takes one".to_owned(),
            databases: held.databases,
            ..Foreign::default()
        },
        Err(trouble) => {
            let end = trouble.words();
            Foreign { complete: Some(false), end, ..Foreign::default() }
        }
    }
}

fn of_content(content: Content) -> Foreign {
    let doubt = content.unproven.as_ref().or(content.appended.as_ref());
    let end = doubt.map_or_else(|| "complete".to_owned(), ToString::to_string);
    Foreign {
        flavour: content.source_flavour,
        complete: Some(doubt.is_none()),
        end,
        exporter: content.facts.get(EXPORTER).cloned(),
        server_version: content.source_version,
        client_version: content.client_version,
        tables: content.tables,
        databases: Vec::new(),
    }
}
