//! What holds the dump: found by content, whatever it is called.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::archive::{
    self, ArchiveError, Candidate, Candidates, ContentKind, Reader, Reading, SharedObject, is_called,
};
use crate::engine::{Format, registry};
use crate::error::{self, Error};
use crate::hint::Hint;
use crate::invocation::quote_path;
use crate::pipeline::archive_error;
use crate::store;

/// What holds the dump.
#[derive(Clone)]
pub enum Shape {
    /// An archive of ours, with its index.
    Ours(SharedObject),
    /// A dump in somebody else's archive, or a bare dump.
    Foreign {
        /// What it is read from.
        object: SharedObject,
        /// Its path, or the file's name.
        member: String,
        /// What it is as it stands there: a compressed file, or the dump.
        packed: ContentKind,
        /// Where nobody chose it, it must be the only one.
        alone: Option<Candidate>,
    },
    /// The folder of a directory-format dump.
    Folder(PathBuf),
}

impl Shape {
    /// What it is read from, unless that is a folder.
    pub fn object(&self) -> Option<&SharedObject> {
        match self {
            Self::Ours(object) | Self::Foreign { object, .. } => Some(object),
            Self::Folder(_) => None,
        }
    }
}

/// What a look at the beginning showed.
pub enum Found {
    /// A dump that can be read as a stream.
    Dump {
        /// What holds it.
        shape: Shape,
        /// Its form.
        format: Format,
    },
    /// A directory-format dump in an archive.
    Directory {
        /// The folder in the archive, empty for none.
        folder: String,
        /// Where nobody chose it, it must be the only dump.
        alone: Option<Candidate>,
    },
}

/// Without the index, the parts could only be joined on a disk.
const SCATTERED: &str = "the parts of a dump by several jobs, without dbhaul's index (restore from the archive as dbhaul \
                         wrote it, or unpack this one and join its parts: cat X/part.* > X.dump)";

/// Finds the dump by what its first bytes are, or the one that is asked for. Whether it is the only one shows when the
/// archive has been read to its end.
pub fn look_inside(object: &SharedObject, wanted: Option<&str>) -> Result<Found, ArchiveError> {
    // An archive of ours whose index is damaged or gone must not pass for somebody else's, which has no checksums.
    let ours = match archive::inspect(object) {
        Ok(inspected) => match registry::members_format(&inspected.manifest.engine) {
            Some(format) => return Ok(Found::Dump { shape: Shape::Ours(object.clone()), format }),
            None => true,
        },
        Err(ArchiveError::NotRecognised { .. }) => false,
        Err(error) => return Err(error),
    };
    let found = |candidate, ours, alone| found(object, candidate, ours, alone);
    let mut reader = Reader::open(object)?;
    let bare = reader.is_bare();
    let mut candidates = Candidates::default();
    while let Some(mut entry) = reader.next_member()? {
        if !ours && archive::is_lane(entry.path()) && entry.content().is_dump() {
            return Err(ArchiveError::NotRecognised { what: SCATTERED.into() });
        }
        let Some(candidate) = candidates.see(&mut entry)? else { continue };
        let taken = match wanted {
            Some(name) => is_called(&candidate.path, name),
            None => candidate.sure || ours || bare,
        };
        if taken {
            let candidate = candidate.clone();
            return Ok(found(candidate, ours, wanted.is_none()));
        }
    }
    if let Some(name) = wanted {
        return Err(candidates.without(name));
    }
    candidates.one()?;
    candidates.dumps().pop().map(|only| found(only, false, false)).ok_or_else(|| candidates.none())
}

fn found(object: &SharedObject, candidate: Candidate, ours: bool, alone: bool) -> Found {
    let (path, format) = (candidate.path.clone(), registry::recognise(&candidate.first));
    if candidate.kind == ContentKind::PgToc {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        return Found::Directory { folder, alone: alone.then_some(candidate) };
    }
    let (object, packed) = (object.clone(), candidate.packed);
    let alone = alone.then_some(candidate);
    let shape = if ours { Shape::Ours(object) } else { Shape::Foreign { object, member: path, packed, alone } };
    Found::Dump { shape, format }
}

/// The dump's bytes, read to the end of what holds it.
pub fn dump_stream(shape: &Shape, reading: &Reading) -> Result<Box<dyn Read + Send>, ArchiveError> {
    match shape {
        Shape::Ours(object) => Ok(Box::new(archive::dump_stream(object)?.1)),
        Shape::Foreign { object, member, alone, .. } => {
            Reader::open(object)?.dump(member, alone.clone(), reading.clone())
        }
        Shape::Folder(_) => Ok(Box::new(io::empty())),
    }
}

/// Fails where the archive holds another dump, and nobody chose.
pub fn is_alone(shape: &Shape) -> Result<(), ArchiveError> {
    let Shape::Foreign { object, alone: Some(_), .. } = shape else { return Ok(()) };
    let mut candidates = Candidates::default();
    let mut reader = Reader::open(object)?;
    while let Some(mut entry) = reader.next_member()? {
        candidates.see(&mut entry)?;
    }
    candidates.one()
}

/// Whether a folder is a directory-format dump, and the one that is asked for.
pub fn in_folder(folder: &Path, wanted: Option<&str>) -> Result<(), ArchiveError> {
    if !folder.join("toc.dat").is_file() {
        let what = "a folder without the toc.dat of a directory-format dump".to_owned();
        return Err(ArchiveError::NotRecognised { what });
    }
    match wanted.filter(|name| !is_called("toc.dat", name)) {
        Some(name) => Err(ArchiveError::NoMember { wanted: name.to_owned(), dumps: vec![("toc.dat".into(), None)] }),
        None => Ok(()),
    }
}

/// The same for people, with the files in it that are dumps themselves.
pub fn not_in_folder(name: &str, folder: &Path, error: &ArchiveError) -> Error {
    if !matches!(error, ArchiveError::NotRecognised { .. }) {
        return archive_error(name, error);
    }
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let holds_dump = |path: &Path| store::open(path).is_ok_and(|object| look_inside(&object, None).is_ok());
    let mut dumps: Vec<_> = files.filter(|path| path.is_file() && holds_dump(path)).take(20).collect();
    dumps.sort();
    let error = Error::new(error::Kind::Archive, format!("{name} is not recognised")).why(error);
    let Some(first) = dumps.first() else {
        return error.hint(Hint::new(
            "wanted-file-or-folder",
            "wanted: a file, or the folder that pg_dump --format=directory wrote",
        ));
    };
    let named = dumps.iter().map(|path| path.file_name().unwrap_or_default().to_string_lossy().into_owned());
    let named = named.collect::<Vec<_>>().join(", ");
    error.why(format!("files in it that hold a dump: {named}")).hint(Hint::naming(
        "restore-reads-one-file",
        format!("a restore reads one file: dbhaul restore {} [URI]", quote_path(first)),
    ))
}
