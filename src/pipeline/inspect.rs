//! What an archive says of itself, without reading the dump in it where an index spares that.

use std::path::Path;

use super::archive_error;
use crate::archive::{self, ArchiveError, Manifest, Reader};
use crate::error::Result;
use crate::pipeline::input::foreign;
pub use crate::pipeline::input::foreign::Foreign;

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
    let inspected = members(path)?;
    let foreign = if inspected.manifest.is_none() { foreign::inspect_foreign(Path::new(path), rows) } else { None };
    Ok(Inspected { foreign, ..inspected })
}

fn members(path: &str) -> Result<Inspected> {
    let failed = |error| archive_error(path, &error);
    if Path::new(path).join("toc.dat").is_file() {
        return list_folder(Path::new(path)).map_err(|error| failed(ArchiveError::Read(error)));
    }
    match archive::inspect(Path::new(path)) {
        Ok(archive::Inspected { manifest, index }) => {
            let members = index.members.iter().map(|member| (member.path.clone(), Some(member.size))).collect();
            Ok(Inspected {
                description: "an archive of dbhaul's".into(),
                members,
                manifest: Some(manifest),
                foreign: None,
            })
        }
        Err(ArchiveError::NotRecognised { .. }) => list(Path::new(path)).map_err(failed),
        Err(error) => Err(failed(error)),
    }
}

fn list(path: &Path) -> archive::Result<Inspected> {
    let mut reader = Reader::open(path)?;
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
