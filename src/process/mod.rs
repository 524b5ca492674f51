//! The only module that spawns.
