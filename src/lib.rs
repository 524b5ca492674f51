//! dbhaul
pub mod archive;
