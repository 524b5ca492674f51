//! What somebody else's dump says of itself, read in one pass.

use std::path::Path;

use super::found::{self, Found, Shape};
use super::{CheckError, check};
use crate::archive::Reading;
use crate::engine::{Content, DumpedTable, EXPORTER, Flavour, HeldDatabase, registry};
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

/// Looks at a dump of anybody's; none where the file is an archive of several files to be unpacked first. A file of more
/// than 64 MiB is read with `rows` alone.
pub fn inspect_foreign(path: &Path, rows: bool) -> Option<Foreign> {
    let folder = path.is_dir();
    let (shape, format) = if folder {
        (Shape::Folder, registry::folder_format())
    } else {
        match found::look_inside(path, None).ok()? {
            Found::Dump { shape: shape @ Shape::Foreign { .. }, format } => (shape, format),
            _ => return None,
        }
    };
    if !folder && !rows && path.metadata().map_or(true, |meta| meta.len() > QUICK) {
        return Some(Foreign { end: "not read: --rows reads all of a large file".to_owned(), ..Foreign::default() });
    }
    let reading = Reading { accept_unproven: true, ..Reading::default() };
    let looked = check(path, &shape, format, &ProgressHandle::about("reading"), None, &reading, None);
    Some(match looked {
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
    })
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
