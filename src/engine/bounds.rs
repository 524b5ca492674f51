//! Where our readers see statements, for the tests that compare them with the real clients.

use std::ops::Range;

use crate::connection::Dialect;

/// One stretch of a script, as our reader cuts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Its bytes, the delimiter included.
    pub range: Range<usize>,
    /// It is a statement; otherwise a comment between two statements.
    pub is_statement: bool,
}

/// The statements of a script, and the comments between them.
#[must_use]
pub fn of(dialect: Dialect, script: &[u8]) -> Vec<Stretch> {
    match dialect {
        Dialect::Mysql => super::mysql::bounds(script),
        Dialect::Postgres => super::postgres::bounds(script),
    }
}
