//! How children end, and who ends them.

use super::*;
use crate::error::Kind;

#[test]
fn only_exit_code_0_is_a_good_end() {
    run(async {
        let exited = spawn(&sh("echo well >&2"), &options()).expect("started").wait().await.expect("a good end");
        assert_eq!((exited.program(), exited.stderr().to_string().as_str()), ("sh", "well"));
        let failure =
            spawn(&sh("echo why >&2; exit 3"), &options()).expect("started").wait().await.expect_err("code 3");
        assert!(matches!(failure.cause, Cause::Exit(3)), "{failure}");
        assert_eq!(failure.into_error(Kind::DumpFailed).to_string(), "sh ended with exit code 3\n  why");
        let failure = spawn(&sh("kill -KILL $$"), &options()).expect("started").wait().await.expect_err("killed");
        assert!(matches!(failure.cause, Cause::Signalled(9)), "{failure}");
        let failure = spawn(&Invocation::new("/nowhere/pg_dump"), &options()).expect_err("not started");
        assert!(matches!(failure.cause, Cause::NotStarted(_)), "{failure}");
    });
}

#[test]
fn a_stop_reaches_the_whole_group_as_the_same_signal() {
    let folder = tempfile::tempdir().expect("a folder");
    run(async {
        let log = folder.path().join("log").display().to_string();
        let one = format!("trap 'echo $0 HUP >> {log}; exit 0' HUP; echo $0 >> {log}; while :; do sleep 0.01; done");
        let both = format!("sh -c \"$1\" child & trap 'wait; exit 0' HUP; echo leader >> {log}; wait; wait");
        let options = options();
        let invocation = Invocation::new("/bin/sh").args(["-c", &both, "leader", &one]);
        let running = spawn(&invocation, &options).expect("started");
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        eventually_in_time("both run", || said().contains("leader") && said().contains("child")).await;
        options.stop.request(Signal::HUP);
        let failure = running.wait().await.expect_err("stopped");
        // It ended well after the signal, and still this is no good end.
        assert!(matches!(failure.cause, Cause::Stopped(Signal::HUP)), "{failure}");
        assert!(said().contains("child HUP"), "{}", said());
    });
}

/// A script that ignores what it can, and says when it does so.
const STUBBORN: &str = "trap '' INT TERM HUP; echo deaf >&2; while :; do sleep 0.01; done";

fn stubborn(options: &SpawnOptions) -> (SpawnOptions, tokio::sync::oneshot::Receiver<()>) {
    let (tell, deaf) = tokio::sync::oneshot::channel();
    let tell = std::sync::Mutex::new(Some(tell));
    let mut options = options.clone();
    options.on_stderr = Some(Arc::new(move |line| {
        if line == "deaf" {
            tell.lock().expect("unpoisoned").take().map(|tell| tell.send(()));
        }
    }));
    (options, deaf)
}

#[test]
fn who_ignores_a_stop_is_killed_after_the_grace_period_and_drained_until_then() {
    let mut options = options();
    options.grace = Duration::from_millis(200);
    run(async {
        let script = "trap 'echo last words; echo last error >&2' TERM; echo deaf >&2; while :; do sleep 0.01; done";
        let (options, deaf) = stubborn(&options);
        let mut running = spawn(&sh(script), &options).expect("started");
        let mut output = running.take_stdout().expect("a pipe");
        let reader = std::thread::spawn(move || io::read_to_string(&mut output));
        deaf.await.expect("a sign");
        options.stop.request(Signal::TERM);
        let failure = running.wait().await.expect_err("stopped");
        assert!(matches!(failure.cause, Cause::Stopped(Signal::TERM)), "{failure}");
        // In between, the shell may say that its sleep was terminated.
        assert_eq!(failure.stderr.lines().next_back(), Some("last error"));
        assert_eq!(reader.join().expect("joined").expect("text"), "last words\n");
    });
}

#[test]
fn a_second_signal_kills_at_once() {
    // The grace period is longer than the test's patience.
    run(async {
        let mut options = options();
        options.grace = LONG * 10;
        let (options, deaf) = stubborn(&options);
        let running = spawn(&sh(STUBBORN), &options).expect("started");
        deaf.await.expect("a sign");
        let stop = options.stop.clone();
        let (ended, ()) = tokio::join!(running.wait(), async {
            stop.request(Signal::INT);
            tokio::time::sleep(Duration::from_millis(50)).await;
            stop.request(Signal::INT);
        });
        assert!(matches!(ended.expect_err("stopped").cause, Cause::Stopped(Signal::INT)));
    });
}

#[test]
fn silence_ends_a_child_and_signs_of_life_keep_it() {
    run(async {
        let mut options = options();
        options.idle = Some(Duration::from_millis(1500));
        let failure = spawn(&sh("sleep 1000"), &options).expect("started").wait().await.expect_err("too silent");
        assert!(matches!(failure.cause, Cause::Idle(_)), "{failure}");

        // Longer than the limit in all, but never silent for so long: on stdout, on stderr, by a touch.
        for script in
            ["for i in 1 2 3 4 5 6; do echo x; sleep 0.3; done", "for i in 1 2 3 4 5 6; do echo x >&2; sleep 0.3; done"]
        {
            let exited = spawn(&sh(script), &options).expect("started").wait().await.expect("a good end");
            assert!(exited.duration() > Duration::from_millis(1500));
        }
        let running = spawn(&sh("sleep 1.8"), &options).expect("started");
        let activity = running.activity();
        let touch = async {
            loop {
                activity.touch();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::select! {
            ended = running.wait() => { ended.expect("a good end"); }
            () = touch => {}
        }
    });
}

#[test]
fn the_deadline_ends_a_child_that_is_not_silent() {
    run(async {
        let mut options = options();
        options.deadline = Some(Deadline::after(Duration::from_millis(200)));
        let failure =
            spawn(&sh("while :; do echo x; done"), &options).expect("started").wait().await.expect_err("late");
        assert!(matches!(failure.cause, Cause::Total(after) if after == Duration::from_millis(200)), "{failure}");
    });
}

#[test]
fn dropping_a_child_kills_its_group() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pids");
    run(async {
        let script = format!("sleep 1000 & echo $$ >> {0}; echo $! >> {0}; wait", file.display());
        let mut running = spawn(&sh(&script), &options()).expect("started");
        let pids = pids(&file, 2);
        assert!(pids.iter().all(|pid| alive(*pid)));
        // The watcher would do it too.
        running.lifeline.take().expect("a watcher").release();
        drop(running);
        eventually("the group is gone", || !pids.iter().any(|pid| alive(*pid)));
    });
}

#[test]
fn a_child_has_a_session_and_no_terminal_and_no_core() {
    run(async {
        let script = "cut -d' ' -f1,5,6,7 /proc/$$/stat; ulimit -c; cat";
        let captured = capture(&sh(script), &options(), 1000).await.expect("an answer");
        let words: Vec<_> = captured.stdout.split_whitespace().collect();
        let [pid, group, session, terminal, core] = words[..] else { panic!("{words:?}") };
        assert_eq!((group, session, terminal, core), (pid, pid, "0", "0"));
    });
}

#[test]
fn a_capture_is_bounded_in_bytes_and_time() {
    run(async {
        let captured = capture(&sh("printf 'pg_dump 15.3'"), &options(), 12).await.expect("an answer");
        assert_eq!(captured.stdout, "pg_dump 15.3");
        let failure = capture(&sh("yes"), &options(), 1000).await.expect_err("too much");
        assert!(matches!(failure.cause, Cause::TooMuchOutput(1000)), "{failure}");
        let failure = capture(&sh("echo no; exit 1"), &options(), 1000).await.expect_err("code 1");
        assert!(matches!(failure.cause, Cause::Exit(1)), "{failure}");
        let mut options = options();
        options.deadline = Some(Deadline::after(Duration::from_millis(100)));
        let failure = capture(&sh("sleep 1000"), &options, 1000).await.expect_err("too long");
        assert!(matches!(failure.cause, Cause::Total(_)), "{failure}");
    });
}
