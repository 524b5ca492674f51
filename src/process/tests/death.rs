//! Nobody outlives us, not even a kill -9 of ours. A test that is about the end of a process starts itself again, and
//! what it finds in [`ROLE`] tells that other process what to do.

use std::os::unix::process::ExitStatusExt;
use std::process::Command as StdCommand;

use super::*;
use crate::process::{linux, portable};

/// Set where a test runs in a process of its own: the file that takes the ids of its children.
const ROLE: &str = "DBHAUL_TEST_CHILDREN";

fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// This test, to be run once more, in a process of its own.
fn again(test: &str, file: &Path) -> StdCommand {
    let mut command = StdCommand::new(std::env::current_exe().expect("a path"));
    command.args(["--exact", &format!("process::tests::death::{test}"), "--nocapture"]).env(ROLE, file);
    command
}

/// The one that is killed. The mode says by which means its children are tied to it.
fn the_one_that_is_killed(mode: &str, file: &str) {
    let script = format!("sleep 1000 & echo $$ >> {file}; echo $! >> {file}; wait");
    run(async {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &script]);
        match mode {
            "whole" => {
                let _running = spawn(&sh(&script), &options()).expect("started");
                std::future::pending::<()>().await;
            }
            "parent-death" => {
                linux::prepare(&mut command, Vec::new(), Signal::KILL);
                let _child = command.spawn().expect("started");
                std::future::pending::<()>().await;
            }
            _ => {
                portable::prepare(&mut command, Vec::new(), Signal::KILL);
                let folder =
                    tempfile::Builder::new().prefix("private").tempdir_in(Path::new(file).parent().expect("a folder"));
                let folder = folder.expect("a folder");
                let child = command.spawn().expect("started");
                let group = Pid::from_raw(child.id().expect("an id").cast_signed()).expect("a pid");
                let _lifeline = Watchdog::hold(group, Some(folder.path()), Signal::KILL).expect("a watcher");
                std::future::pending::<()>().await;
            }
        }
    });
}

/// Runs a test as the one above, kills it, and tells the child's and the grandchild's ids.
fn kill_one(test: &str, mode: &str, file: &Path) -> Vec<i32> {
    let mut parent = again(test, file).stdout(Stdio::null()).spawn().expect("started");
    let pids = pids(file, 2);
    assert!(pids.iter().all(|pid| alive(*pid)), "{mode}");
    // The watcher starts after the child: without it, killing now would prove nothing.
    let watched = |pid: &i32| watcher_of(*pid).is_some();
    eventually("a watcher", || mode == "parent-death" || watched(&pids[0]));
    parent.kill().expect("killed");
    assert_eq!(parent.wait().expect("reaped").signal(), Some(9));
    pids
}

/// The watcher of a group, found by its command line.
fn watcher_of(group: i32) -> Option<i32> {
    let wanted = format!("\0dbhaul-lifeline\0{group}\0");
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let pid = entry.file_name().to_str()?.parse().ok()?;
        String::from_utf8_lossy(&line).contains(&wanted).then_some(pid)
    })
}

#[test]
fn after_kill_9_neither_child_nor_grandchild_nor_watcher_is_left() {
    if let Some(file) = role() {
        return the_one_that_is_killed("whole", &file);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let test = "after_kill_9_neither_child_nor_grandchild_nor_watcher_is_left";
    let pids = kill_one(test, "whole", &folder.path().join("pids"));
    eventually("all gone", || !pids.iter().any(|pid| alive(*pid)) && watcher_of(pids[0]).is_none());
}

#[test]
fn the_parent_death_signal_alone_ends_the_child() {
    if let Some(file) = role() {
        return the_one_that_is_killed("parent-death", &file);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let test = "the_parent_death_signal_alone_ends_the_child";
    let pids = kill_one(test, "parent-death", &folder.path().join("pids"));
    eventually("the child is gone", || !alive(pids[0]));
    // What it does not reach is why there is a watcher as well.
    let _ = rustix::process::kill_process(Pid::from_raw(pids[1]).expect("a pid"), Signal::KILL);
}

#[test]
fn the_watcher_alone_ends_the_group_and_removes_the_private_folder() {
    if let Some(file) = role() {
        return the_one_that_is_killed("watcher", &file);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let test = "the_watcher_alone_ends_the_group_and_removes_the_private_folder";
    let pids = kill_one(test, "watcher", &folder.path().join("pids"));
    let private = || folder.path().read_dir().expect("readable").count() > 1;
    eventually("all gone", || !pids.iter().any(|pid| alive(*pid)) && !private());
}

/// Process 1 in miniature: orphans become its children, as they do in a container.
fn the_one_that_gets_the_orphans(file: &str) {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).expect("a subreaper");
    run(async {
        orphans::reap_from_now_on().expect("a handler");
        // One of its group, one that left it; both end while the child itself goes on.
        let script =
            format!("(sleep 0.01 & echo $! >> {file}); (setsid sleep 0.01 & echo $! >> {file}); exec sleep 1000");
        let running = spawn(&sh(&script), &options()).expect("started");
        let child = running.pid();
        let left = |pid: &i32| Path::new(&format!("/proc/{pid}")).exists();
        eventually_in_time("both reaped", || !pids(Path::new(file), 2).iter().any(left)).await;
        assert!(alive(child), "it goes on");
        running.kill().await;
    });
}

#[test]
fn orphans_are_reaped_while_the_child_goes_on() {
    if let Some(file) = role() {
        return the_one_that_gets_the_orphans(&file);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut test = again("orphans_are_reaped_while_the_child_goes_on", &folder.path().join("pids"));
    let output = test.output().expect("started");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn the_watcher_goes_when_all_is_well() {
    run(async {
        let running = spawn(&sh("sleep 0.05"), &options()).expect("started");
        let pid = running.pid();
        eventually("a watcher", || watcher_of(pid).is_some());
        running.wait().await.expect("a good end");
        eventually("no watcher", || watcher_of(pid).is_none());
    });
}
