//! Reads SQL: as the client cuts it into statements, what each statement is, and whether it may be restored.

pub(super) mod bodies;
pub(super) mod bounds;
pub(super) mod buffer;
pub(super) mod content;
pub(super) mod definition;
pub(super) mod doubts;
pub(super) mod exporter;
pub(super) mod gate;
pub(super) mod lexer;
pub(super) mod session_settings;
pub(super) mod splitter;
pub(super) mod statement;
pub(super) mod structure;
