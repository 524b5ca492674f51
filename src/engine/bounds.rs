//! Where our readers see statements, for the tests that compare them with the real clients.

use std::ops::Range;

/// One stretch of a script, as our reader cuts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Its bytes, the delimiter included.
    pub range: Range<usize>,
    /// It is a statement; otherwise a comment between two statements.
    pub is_statement: bool,
}
