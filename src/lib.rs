//! dbhaul: from a database's URI to a published archive, and back.
//!
//! ```text
//! URI ─▶ Connection ─▶ Engine ─▶ Invocation ─▶ supervised child ─▶ Archive ─▶ Store
//!         (tunnel)     (probe,    (argv, env,    (process group,    (tar.gz,    (file)
//!                       plan)      secrets)       stderr, time)      manifest)
//! ```
//!
//! A restore runs the same street backwards. The library never prints and never reads the environment: it takes
//! settings and emits [`event::Event`]s; the command line resolves the one and shows the other.

use std::ffi::OsString;
use std::process::ExitCode;

pub mod archive;
pub mod cli;
pub mod connection;
pub mod dependency;
pub mod dialect;
pub mod engine;
pub mod env_settings;
pub mod error;
pub mod event;
pub mod exit_code;
pub mod hint;
pub mod invocation;
pub mod leftovers;
pub mod memory;
pub mod pipeline;
pub mod process;
pub mod properties;
pub mod report;
pub mod scratch;
pub mod secret;
pub mod store;
pub mod tls;
pub mod tunnel;
pub mod uri;

/// The program: runs a command line with these engines, and says everything that there is to say.
pub fn run(registry: engine::registry::Registry, args: impl IntoIterator<Item = OsString>) -> ExitCode {
    registry.register();
    cli::main(args)
}
