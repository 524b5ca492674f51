//! Children that misbehave. Each is a few lines of shell; nothing here asserts speed, only that ends come at all.

mod death;
mod ends;
mod streams;

use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};

use super::*;
use crate::invocation::PrivateFile;
use crate::secret::Secret;

/// Longer than anything here takes on a busy machine; who waits so long has failed.
const LONG: Duration = Duration::from_secs(60);

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(LONG, future).await.expect("no end in sight") })
}

fn sh(script: &str) -> Invocation {
    Invocation::new("/bin/sh").args(["-c", script])
}

fn options() -> SpawnOptions {
    let env = ChildEnv::for_clients([("PATH".into(), "/usr/bin:/bin".into())]);
    let limits = Limits { grace: LONG, idle: LONG, ..Limits::default() };
    SpawnOptions::new(env, &limits, Stop::default())
}

/// Polls until it holds.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

async fn eventually_in_time(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// True while the process runs; one that is dead and waits to be reaped does not.
fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// The process ids that a script wrote into a file, one a line, once there are so many.
fn pids(file: &Path, count: usize) -> Vec<i32> {
    let read = || -> Vec<i32> {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        // Only whole lines: the script may be writing.
        text.split_inclusive('\n').filter_map(|l| l.strip_suffix('\n')?.parse().ok()).collect()
    };
    eventually("the script's process ids", || read().len() >= count);
    read()
}
