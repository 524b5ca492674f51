//! The forms of dumps, as the engines describe them.

use crate::dialect::Dialect;

/// The form of a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// For people: `PostgreSQL custom format`.
    pub name: &'static str,
    /// Whose it is.
    pub dialect: Dialect,
    /// How it stands in an archive.
    pub layout: Layout,
    /// It is a script that its client runs as it stands: what was chosen at the dump is all that there is to choose.
    pub runs_as_is: bool,
    /// Its tables tell their [structure](super::Structure).
    pub tells_structure: bool,
}

/// How a dump stands in an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One stream of bytes, in one member or in numbered parts.
    Stream,
    /// The same, or the streams of several jobs, joined. Several jobs of a restore may read one file of it, each at places
    /// of its own.
    Streams,
    /// A folder, which a client opens itself.
    Folder,
    /// Members of their own, each with a name that says what is in it.
    Members,
}
