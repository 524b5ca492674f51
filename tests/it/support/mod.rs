//! What tests stand on: real servers, databases of their own, dbhaul as a process, clients that a test scripts.
//!
//! `scripts/servers.sh` installs the servers. A missing one is a panic that says so, never a skipped test.
#![allow(dead_code, reason = "a helper may be there before, or outlive, the test that uses it")]

mod compare;
mod container;
mod crowd;
mod database;
mod dice;
mod failing;
mod flavour;
mod generated;
mod hints;
mod image;
mod mysql_session;
mod pooler;
mod process;
mod program;
mod proxy;
mod recorded;
mod server;
mod several;
mod sshd;
mod template;
mod tls;
mod wire;

#[allow(unused_imports, reason = "as above")]
pub use {
    compare::{checksum, schema, schema_without},
    container::{Container, RunningContainer, container},
    crowd::Crowd,
    database::Database,
    dice::Dice,
    failing::{
        Disk, Gate, Lock, Silent, alive, assert_gone, child_of, closed_port, descendants, error_lines, eventually,
        kill, names, peak, sessions,
    },
    flavour::{Family, Flavour},
    generated::{assert_section, sweeping, table_of_section, write_section},
    hints::{files, made_hints, sources},
    image::{Filesystem, Image},
    pooler::{Pooler, Pooling},
    process::{Dbhaul, Output, Running, copy_program, dbhaul, dbhaul_with_shelf, fake_client},
    program::program,
    proxy::{Proxy, Treatment},
    recorded::recorded_client,
    server::{Server, USER, mariadb, mysql, postgres15, postgres18, shared},
    several::several,
    sshd::Sshd,
    template::cache,
    tls::HOST,
    wire::Wire,
};

use std::path::{Path, PathBuf};

/// The folder of the repository. This package is a folder below it.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the repository")
}

/// `fixtures/NAME`.
pub fn fixture(name: &str) -> PathBuf {
    root().join("fixtures").join(name)
}
