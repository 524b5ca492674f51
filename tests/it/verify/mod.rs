//! `verify`: definitions compared, and trial restores.

mod definitions;
pub mod trial_restore;
