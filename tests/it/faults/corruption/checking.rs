//! `dbhaul verify` without its process: the library's, called as the command line calls it, thousands of times.

use std::{fs, sync::Arc, time::Duration};

use dbhaul::{
    connection::Limits,
    error::{Error, Kind},
    pipeline::{Context, verify::verify},
    process::{ChildEnv, Deadline, Stop},
};
use tempfile::TempDir;

/// As much time as one archive of a few kilobytes may take: a hang fails.
const LIMIT: Duration = Duration::from_secs(30);

/// Checks archives, one after the other.
pub struct Checker {
    runtime: tokio::runtime::Runtime,
    folder: TempDir,
}

impl Checker {
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { runtime, folder: tempfile::tempdir().expect("a folder") }
    }

    /// What `verify` says of these bytes. Any failure but "this archive is not whole" is a panic: a hang, a defect.
    pub fn verify(&self, bytes: &[u8]) -> Result<(), Error> {
        let path = self.folder.path().join("archive");
        fs::write(&path, bytes).expect("write the archive");
        let context = Context {
            observer: Arc::new(|_| {}),
            stop: Stop::default(),
            limits: Limits { connect: LIMIT, idle: LIMIT, total: None, retries: 0, grace: LIMIT },
            deadline: Some(Deadline::after(LIMIT)),
            client_env: ChildEnv::for_clients([]),
            tunnel_env: ChildEnv::for_tunnels([]),
            search_path: "".into(),
            client_dir: None,
            server_dir: None,
            accept_unproven: false,
            database: None,
            member: None,
            tunnel: None,
            force_version: false,
            remove_leftovers: false,
            temp_dir: self.folder.path().to_owned(),
        };
        let verified = self.runtime.block_on(verify(&context, path.to_str().expect("UTF-8"), None));
        match verified {
            Ok(_) => Ok(()),
            Err(error) if error.kind == Kind::Archive => Err(error),
            Err(error) => panic!("{:?}: {error}", error.kind),
        }
    }
}
