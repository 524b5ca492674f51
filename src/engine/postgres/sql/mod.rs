//! Reads SQL: as psql cuts it into statements, and whether each may be restored.

pub(super) mod commands;
pub mod gate;
pub(super) mod lexer;
