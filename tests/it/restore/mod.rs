//! What a restore does to its target: cleaning, selection, jobs, resuming, roles, triggers.

mod clean;
mod copy_freeze;
mod data_only;
mod events;
mod limited_users;
pub mod mysql_jobs;
mod options;
mod reported_counts;
mod resume;
mod roles;
mod selection;
mod tables_without_rows;
mod targets;
mod triggers;
