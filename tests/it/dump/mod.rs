//! What a dump holds: several jobs, parts of a database, what is left out.

mod client_arguments;
mod dependencies;
mod huge;
pub mod mysql_jobs;
mod omissions;
pub mod postgres_jobs;
