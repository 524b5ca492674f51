//! Files that other programs wrote.

pub mod archives;
pub mod files;
pub mod no_end_mark;
mod several_databases;
