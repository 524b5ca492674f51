//! What only Linux has: `portable.rs` does the same by other means elsewhere. The only file with unsafe code.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, Signal, getpid, getppid, getrlimit, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit, setsid,
};
use tokio::process::Command;

/// Children die with us even where no watcher could be started.
pub const CHILDREN_DIE_WITH_US: bool = true;

/// Makes a session for the child, without a terminal, ties its life to the thread that spawns it, forbids core dumps
/// (they would hold the password), and lets it inherit these files under the numbers that they have here. `death` is what
/// the system sends it when that thread ends.
pub fn prepare(command: &mut Command, inherited: Vec<OwnedFd>, death: Signal) {
    let us = getpid();
    let between_fork_and_exec = move || {
        setsid()?;
        set_parent_process_death_signal(Some(death))?;
        if getppid() != Some(us) {
            // We were killed before the line above: nobody is left to tell.
            return Err(Errno::SRCH.into());
        }
        forbid_core_dumps()?;
        for file in &inherited {
            fcntl_setfd(file, FdFlags::empty())?;
        }
        Ok(())
    };
    #[expect(unsafe_code, reason = "pre_exec: rustix's bare system calls and nothing else; no allocation, no lock")]
    // SAFETY: the closure makes only async-signal-safe calls and allocates nothing, as a forked child must.
    unsafe {
        command.pre_exec(between_fork_and_exec);
    }
}

/// Keeps what we hold in memory and in our environment from core dumps and from other programs of the same user: nobody
/// but root can trace us, or open our `/proc/PID/environ`, `mem` and `fd`. An exec undoes it, so children have the limit
/// alone.
pub fn hide_memory() {
    // Refused by no system that is known; and a run that can't hide is no worse than one of another program.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = forbid_core_dumps();
}

/// A limit of one byte, where it may still be set: none forbids files, but not the pipe to a crash reporter that many
/// systems have in `core_pattern`. One forbids both (`fs/coredump.c`).
fn forbid_core_dumps() -> rustix::io::Result<()> {
    let most = getrlimit(Resource::Core).maximum.unwrap_or(1).min(1);
    setrlimit(Resource::Core, Rlimit { current: Some(most), maximum: Some(most) })
}

/// A file in memory that children inherit: no disk ever sees it, it needs no removal, it can be opened more than once,
/// and programs that insist on a regular file of mode 0600 (libpq's passfile) find one.
pub fn memory_file(name: &str, content: &[u8]) -> io::Result<Option<OwnedFd>> {
    // Kernels before 6.3 do not know NOEXEC_SEAL; later ones may be set up to insist on it.
    let created = match memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => memfd_create(name, MemfdFlags::CLOEXEC)?,
        other => other?,
    };
    let mut file = File::from(created);
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(content)?;
    Ok(Some(file.into()))
}

/// Makes a pipe hold 1 MiB instead of 64 KiB, so that neither side waits for the other at every turn.
pub fn widen(pipe: &impl AsFd) {
    // Refused where the user's pipes have used up their share of memory: then it stays narrow.
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, 1024 * 1024);
}

/// How many bytes a pipe holds.
pub fn capacity(pipe: &impl AsFd) -> usize {
    rustix::pipe::fcntl_getpipe_size(pipe).unwrap_or(1024 * 1024)
}

/// True when we were started with HUP ignored, as by `nohup`. Asked before any handler is installed.
pub fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    mask & 1 << (Signal::HUP.as_raw() - 1) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_file_is_closed_in_every_child_that_does_not_ask_for_it() {
        let file = memory_file("pgpass", b"secret").expect("made").expect("a file");
        assert!(rustix::io::fcntl_getfd(&file).expect("flags").contains(FdFlags::CLOEXEC));
    }
}
