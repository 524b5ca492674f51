//! What can go wrong between a byte source, an archive and its reader.

use std::io;

/// The errors of this module.
///
/// Writing tells the source (what is being archived) from the sink (where the archive goes); reading tells a medium
/// that fails ([`ArchiveError::Read`]) from bytes that are wrong, and says where they are.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The bytes to be archived could not be read.
    #[error("failed to read what was to be archived")]
    Source(#[source] io::Error),

    /// The archive's bytes could not be written.
    #[error("failed to write the archive")]
    Sink(#[source] io::Error),

    /// A thread of the writer ended before its work was done: a defect of ours, or no memory.
    #[error("failed to compress: {what}")]
    Worker {
        /// What was lost.
        what: String,
    },

    /// The writer was used after it had failed.
    #[error("failed to go on with an archive after an earlier error")]
    Abandoned,

    /// A member's name that a tar header can't carry, or that a reader would refuse.
    #[error("failed to name a member {name:?}: {why}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },

    /// The archive could not be read: the medium failed, not the bytes.
    #[error("failed to read the archive")]
    Read(#[source] io::Error),

    /// The archive ends too early.
    #[error("the archive is truncated{}: {what}", place(*.offset, .member.as_deref()))]
    Truncated {
        /// What is missing.
        what: String,
        /// Offset in the file, in bytes, near which it ends.
        offset: Option<u64>,
        /// The member that is cut.
        member: Option<String>,
    },

    /// The archive's bytes contradict each other.
    #[error("the archive is corrupt{}: {what}", place(*.offset, .member.as_deref()))]
    Corrupt {
        /// What disagrees with what.
        what: String,
        /// Offset in the file, in bytes, near which it was noticed.
        offset: Option<u64>,
        /// The member it was noticed in.
        member: Option<String>,
    },

    /// A compressed stream was whole, and something else follows it.
    #[error("{container} that is whole{}, but {bytes} bytes of something else follow it, from its byte {offset} on", inside(.member.as_deref()))]
    Behind {
        /// `a gzip file`.
        container: &'static str,
        /// Where the stream ends, in bytes from the beginning of the compressed file.
        offset: u64,
        /// How much follows.
        bytes: u64,
        /// The member that it is, where it stands in an archive.
        member: Option<String>,
    },

    /// Several dumps, of which only one can be meant.
    #[error("an archive with {} dumps in it: {}", .dumps.len(), listed(.dumps))]
    Several {
        /// Their paths, and sizes in bytes.
        dumps: Vec<(String, Option<u64>)>,
    },

    /// The dump that was asked for is not there.
    #[error("no dump {wanted:?} in it; it holds {}", listed(.dumps))]
    NoMember {
        /// What was asked for.
        wanted: String,
        /// What is there: paths, and sizes in bytes.
        dumps: Vec<(String, Option<u64>)>,
    },

    /// One name stands more than once in an archive: which of them is meant?
    #[error("{path:?} stands more than once in it")]
    Twice {
        /// The name.
        path: String,
    },

    /// A text without a line feed, whose lines end in carriage returns.
    #[error("its lines end in carriage returns alone, which no server takes for ends of lines")]
    ReturnsAlone,

    /// A text whose line ends were changed in part.
    #[error("its line ends were changed, but not all of them: {what}")]
    LineEnds {
        /// Which line ends how.
        what: String,
    },

    /// Text in UTF-16 with other characters than ASCII's.
    #[error("it is UTF-16 text with characters that are not ASCII, the first in line {line}: {character:?}")]
    WideText {
        /// The line, from 1.
        line: u64,
        /// The character.
        character: char,
    },

    /// What holds the dump must be unpacked by another program first.
    #[error("not recognised: {what}")]
    Packed {
        /// What it is.
        what: String,
    },

    /// Not something that holds a dump, or (where asked for) not an archive of ours.
    #[error("not recognised: {what}")]
    NotRecognised {
        /// What it looks like instead.
        what: String,
    },

    /// Something that must fit into memory is larger than is reasonable.
    #[error("{what} takes {bytes} bytes, more than the {limit} that are read into memory")]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// Its size, or the size it claims, in bytes.
        bytes: u64,
        /// The most that is accepted, in bytes.
        limit: u64,
    },

    /// Written by a later dbhaul.
    #[error("the archive's format version is {found}, this dbhaul reads up to {supported}")]
    FormatVersion {
        /// The archive's version.
        found: u64,
        /// The greatest version known here.
        supported: u64,
    },

    /// A member that is not extracted, whatever the archive says.
    #[error("refused to extract {member:?}: {why}")]
    Refused {
        /// Its path in the archive.
        member: String,
        /// Why not.
        why: &'static str,
    },

    /// A file could not be written while extracting.
    #[error("failed to extract {path}")]
    Extract {
        /// The file.
        path: std::path::PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// The result of this module's functions.
pub type Result<T, E = ArchiveError> = std::result::Result<T, E>;

fn place(offset: Option<u64>, member: Option<&str>) -> String {
    match (offset, member) {
        (None, None) => String::new(),
        (Some(offset), None) => format!(" at byte {offset}"),
        (None, Some(member)) => format!(" in {member:?}"),
        (Some(offset), Some(member)) => format!(" in {member:?}, near byte {offset}"),
    }
}

fn inside(member: Option<&str>) -> String {
    member.map_or(String::new(), |member| format!(" ({member:?})"))
}

fn listed(dumps: &[(String, Option<u64>)]) -> String {
    let names: Vec<_> = dumps.iter().map(|(path, _)| path.as_str()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

impl ArchiveError {
    pub(super) fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into(), offset: None, member: None }
    }

    pub(super) fn truncated(what: impl Into<String>) -> Self {
        Self::Truncated { what: what.into(), offset: None, member: None }
    }

    /// Takes an error back out of the [`io::Error`] in which it travelled through a chain of [`io::Read`]s.
    ///
    /// Everything that reads an archive through `Read` returns such errors. What a decoder says itself becomes
    /// [`ArchiveError::Truncated`] or [`ArchiveError::Corrupt`].
    #[must_use]
    pub fn from_read(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(own) => own,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Self::truncated("it ends inside its compressed data")
            }
            Err(error) => Self::corrupt(error.to_string()),
        }
    }

    /// Adds where it was noticed, unless that is known already.
    #[must_use]
    pub(super) fn at(mut self, here: Option<u64>, inside: Option<&str>) -> Self {
        if let Self::Corrupt { offset, member, .. } | Self::Truncated { offset, member, .. } = &mut self {
            *offset = offset.or(here);
            if member.is_none() {
                *member = inside.map(str::to_owned);
            }
        }
        if let Self::Behind { member, .. } = &mut self
            && member.is_none()
        {
            *member = inside.map(str::to_owned);
        }
        self
    }
}

impl From<ArchiveError> for io::Error {
    fn from(error: ArchiveError) -> Self {
        Self::other(error)
    }
}
