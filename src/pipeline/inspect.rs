//! What an archive says of itself, without reading the dump in it where an index spares that.

use std::path::Path;

use super::archive_error;
use crate::archive::{self, ArchiveError, Manifest, Reader, SharedObject};
use crate::engine::registry;
use crate::error::Result;
pub use crate::pipeline::input::foreign::Foreign;
use crate::pipeline::input::found::Shape;
use crate::pipeline::input::{foreign, locate_archive};
use crate::store;

/// What is in an archive.
#[derive(Debug)]
pub struct Inspected {
    /// For people: `an archive of dbhaul's`, `a gzip file that holds a tar`.
    pub description: String,
    /// Paths and sizes.
    pub members: Vec<(String, Option<u64>)>,
    /// The manifest of an archive of ours.
    pub manifest: Option<Manifest>,
    /// What a dump in somebody else's says of itself.
    pub foreign: Option<Foreign>,
}

/// How much of names is listed, in bytes, with what each takes besides: a gzip of a megabyte can hold gigabytes of them.
const LIST_MAX: u64 = 8 << 20;
const MEMBER: u64 = 64;

/// Looks into an archive, ours or not. It verifies nothing of ours. A foreign file that is not large is read to its end; a
/// large one where `rows` asks for it.
pub fn inspect(path: &str, rows: bool) -> Result<Inspected> {
    let failed = |error| archive_error(path, &error);
    let location = locate_archive(path)?;
    if let Some(folder) = location.local_path().filter(|folder| folder.join("toc.dat").is_file()) {
        let inspected = list_folder(folder).map_err(|error| failed(ArchiveError::Read(error)))?;
        let foreign = Some(foreign::read(&Shape::Folder(folder.to_owned()), registry::folder_format()));
        return Ok(Inspected { foreign, ..inspected });
    }
    let opened = location.open().unwrap_or_else(|| store::open(Path::new(path)));
    let object = opened.map_err(|error| failed(ArchiveError::Read(error)))?;
    let inspected = members(&object).map_err(failed)?;
    let foreign = if inspected.manifest.is_none() { foreign::inspect_foreign(&object, rows) } else { None };
    Ok(Inspected { foreign, ..inspected })
}

fn members(object: &SharedObject) -> archive::Result<Inspected> {
    match archive::inspect(object) {
        Ok(archive::Inspected { manifest, index }) => {
            let members = index.members.iter().map(|member| (member.path.clone(), Some(member.size))).collect();
            Ok(Inspected {
                description: "an archive of dbhaul's".into(),
                members,
                manifest: Some(manifest),
                foreign: None,
            })
        }
        Err(ArchiveError::NotRecognised { .. }) => list(object),
        Err(error) => Err(error),
    }
}

fn list(object: &SharedObject) -> archive::Result<Inspected> {
    let mut reader = Reader::open(object)?;
    let (container, content) = (reader.container(), reader.content());
    let description = if container.is_compressed() {
        format!("{} that holds {}", container.describe(), content.describe())
    } else {
        content.describe().to_owned()
    };
    let (mut members, mut held) = (Vec::new(), 0);
    while let Some(entry) = reader.next_member()? {
        let name = format!("{} ({})", entry.path(), entry.content().describe());
        held += name.len() as u64 + MEMBER;
        if held > LIST_MAX {
            return Err(ArchiveError::TooLarge { what: "the list of its members", bytes: held, limit: LIST_MAX });
        }
        members.push((name, entry.size()));
    }
    Ok(Inspected { description, members, manifest: None, foreign: None })
}

/// The files of a directory-format dump.
fn list_folder(path: &Path) -> std::io::Result<Inspected> {
    let mut members = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        members.push((entry.file_name().to_string_lossy().into_owned(), Some(entry.metadata()?.len())));
    }
    members.sort();
    Ok(Inspected {
        description: "a folder, PostgreSQL directory format".into(),
        members,
        manifest: None,
        foreign: None,
    })
}
