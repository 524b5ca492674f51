//! The same functions as `linux.rs`, for the other Unixes. Tests run them on Linux too.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::process::{Resource, Rlimit, Signal, setrlimit};
use tokio::process::Command;

/// Without the watcher (`lifeline.rs`) children would outlive us.
pub const CHILDREN_DIE_WITH_US: bool = false;

/// Makes a process group for the child. A session of its own would need unsafe code; a group in the background can't
/// read from the terminal either.
pub fn prepare(command: &mut Command, _inherited: Vec<OwnedFd>, _death: Signal) {
    command.process_group(0);
}

/// Keeps secrets from core dumps, ours and our children's, which inherit the limit.
pub fn hide_memory() {
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
}

/// There are no files in memory here: private files go into a private folder.
#[expect(clippy::unnecessary_wraps, reason = "the signature is shared with linux.rs")]
pub fn memory_file(_name: &str, _content: &[u8]) -> io::Result<Option<OwnedFd>> {
    Ok(None)
}

/// The system chooses a pipe's size.
pub fn widen(_pipe: &impl AsFd) {}

/// At least what a pipe holds.
pub fn capacity(_pipe: &impl AsFd) -> usize {
    1024 * 1024
}

/// Can't be asked without unsafe code.
pub fn ignores_hangup() -> bool {
    false
}
