//! Process 1 of a container inherits everybody's orphans, and nobody else reaps them.
//!
//! A `waitpid(-1)` would steal exit statuses from tokio. So the children that we start are known by their numbers, and
//! every other child of ours that has ended is an orphan, and is waited for by its own number.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Mutex, PoisonError};

use rustix::process::{Pid, WaitOptions, getpid, waitpid};
use tokio::signal::unix::{SignalKind, signal};

/// The children that somebody here waits for. A number stays: tokio may reap a child long after it was let go.
static OURS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// A child of ours was started, on the thread that runs [`reap_orphans`] too: it is known before it could be reaped.
pub(super) fn ours(pid: Pid) {
    OURS.lock().unwrap_or_else(PoisonError::into_inner).insert(pid.as_raw_nonzero().get());
}

/// From now on reaps, if we are process 1, what others leave to us, as soon as it ends; for as long as the runtime of
/// the caller lives. Call it where children are spawned from, the main thread's runtime.
pub fn reap_orphans() -> io::Result<()> {
    if getpid() != Pid::INIT {
        return Ok(());
    }
    reap_from_now_on()
}

pub(super) fn reap_from_now_on() -> io::Result<()> {
    let mut ended = signal(SignalKind::child())?;
    tokio::spawn(async move {
        while ended.recv().await.is_some() {
            for orphan in zombies() {
                let _ = waitpid(Some(orphan), WaitOptions::NOHANG);
            }
        }
    });
    Ok(())
}

/// Our children that have ended and that nobody waits for.
fn zombies() -> Vec<Pid> {
    let us = getpid().to_string();
    let ours = OURS.lock().unwrap_or_else(PoisonError::into_inner);
    let numbers = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let orphans = numbers.filter(|pid| !ours.contains(pid) && is_zombie_of(&us, *pid));
    orphans.filter_map(Pid::from_raw).collect()
}

/// `17 (a name) Z 1 ...`: the state, then the parent. The name may hold anything.
fn is_zombie_of(parent: &str, pid: i32) -> bool {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
    let stat = String::from_utf8_lossy(&stat);
    let mut fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
    fields.next() == Some("Z") && fields.next() == Some(parent)
}
