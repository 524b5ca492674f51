//! What goes into children and comes out of them: bytes, complaints, environment, private files.

use std::io::{Read, Write};
use std::sync::Mutex;

use super::*;

#[test]
fn bytes_go_through_and_are_counted() {
    run(async {
        let mut invocation = sh("cat");
        invocation.stdin = Stdin::Pipe;
        let mut running = spawn(&invocation, &options()).expect("started");
        let (mut input, mut output) = (running.take_stdin().expect("stdin"), running.take_stdout().expect("stdout"));
        let sent: Vec<u8> = (0..5_000_000_u32).map(|n| n.to_le_bytes()[n as usize % 3]).collect();
        let copy = sent.clone();
        let writer = std::thread::spawn(move || input.write_all(&copy));
        let reader = std::thread::spawn(move || {
            let mut received = Vec::new();
            output.read_to_end(&mut received).map(|_| received)
        });
        let activity = running.activity();
        running.wait().await.expect("a good end");
        writer.join().expect("joined").expect("written");
        assert!(reader.join().expect("joined").expect("read") == sent, "other bytes came back");
        assert_eq!(activity.bytes(), 10_000_000);
    });
}

#[test]
fn a_slow_reader_still_gets_everything_after_the_end() {
    run(async {
        let mut running = spawn(&sh("head -c 60000 /dev/zero"), &options()).expect("started");
        let mut output = running.take_stdout().expect("stdout");
        running.wait().await.expect("a good end");
        let mut received = Vec::new();
        output.read_to_end(&mut received).expect("read");
        assert_eq!(received.len(), 60000);
    });
}

#[test]
fn a_grandchild_that_holds_every_pipe_hangs_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pids");
    run(async {
        // One stays in the group, one leaves it: nobody finds that one, but nobody waits for it either.
        let script = format!(
            "sleep 1000 <&0 & echo $! >> {0}; setsid sh -c 'echo $$ >> {0}; exec sleep 1000' <&0 & \
             while [ $(wc -l < {0}) -lt 2 ]; do sleep 0.01; done; echo out; echo err >&2",
            file.display()
        );
        let mut invocation = sh(&script);
        invocation.stdin = Stdin::Pipe;
        let mut running = spawn(&invocation, &options()).expect("started");
        let (mut input, mut output) = (running.take_stdin().expect("stdin"), running.take_stdout().expect("stdout"));
        let writer = std::thread::spawn(move || input.write_all(&vec![0; 4_000_000]));
        let reader = std::thread::spawn(move || io::read_to_string(&mut output));
        let exited = running.wait().await.expect("a good end");
        assert_eq!(exited.stderr().to_string(), "err");
        assert_eq!(reader.join().expect("joined").expect("read"), "out\n");
        let error = writer.join().expect("joined").expect_err("nobody read that");
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        let pids = pids(&file, 2);
        eventually("the one in the group is dead", || !alive(pids[0]) || !alive(pids[1]));
        let left = pids.into_iter().find(|pid| alive(*pid)).expect("the one that left the group");
        let _ = rustix::process::kill_process(Pid::from_raw(left).expect("a pid"), Signal::KILL);
    });
}

#[test]
fn a_gigabyte_on_stderr_is_drained_into_64_kib() {
    run(async {
        let script = "echo first >&2; head -c 1000000000 /dev/zero | tr '\\0' x >&2; \
                      seq 1 100000 >&2; echo last >&2; printf unended >&2";
        let exited = spawn(&sh(script), &options()).expect("started").wait().await.expect("a good end");
        let lines: Vec<_> = exited.stderr().lines().collect();
        assert_eq!(lines[0], "first");
        assert_eq!(lines[1], "x".repeat(400) + "…");
        assert_eq!(lines[lines.len() - 2..], ["last", "unended"]);
        let bytes: usize = lines.iter().map(|l| l.len()).sum();
        assert!(bytes < 64 * 1024, "{bytes}");
        assert_eq!(exited.stderr().omitted() + lines.len() as u64, 100_003);
    });
}

#[test]
fn what_a_child_repeats_of_its_input_is_neither_kept_nor_seen() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    run(async {
        let script = "printf -- 'before\n-----\nINSERT a customer\nand\r-- another\n-----\n\nERROR 1062\n' >&2";
        let mut invocation = sh(script);
        invocation.echo_fence = Some("-----");
        let (mut options, log) = (options(), Arc::clone(&seen));
        options.on_stderr = Some(Arc::new(move |line| log.lock().expect("unpoisoned").push(line.to_owned())));
        let exited = spawn(&invocation, &options).expect("started").wait().await.expect("a good end");
        assert_eq!(exited.stderr().to_string(), "before\nERROR 1062");
    });
    assert_eq!(*seen.lock().expect("unpoisoned"), ["before", "ERROR 1062"]);
}

/// What is kept and what is seen of these bytes, written to stderr piece by piece.
fn said(pieces: &[String], secret: &str) -> (String, String) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut options = options();
    options.redactor = Redactor::new([&Secret::new(secret)]);
    let log = Arc::clone(&seen);
    options.on_stderr = Some(Arc::new(move |line| log.lock().expect("unpoisoned").push(line.to_owned())));
    let script: Vec<_> = pieces.iter().map(|p| format!("printf %s '{p}' >&2; sleep 0.05")).collect();
    let exited = run(async { spawn(&sh(&script.join(";")), &options)?.wait().await }).expect("a good end");
    let seen = seen.lock().expect("unpoisoned").join("\n");
    (exited.stderr().to_string(), seen)
}

#[test]
fn a_secret_is_hidden_however_reads_cut_it() {
    let (kept, seen) = said(&["fatal: gehe".into(), "im-nis-".into(), "77 is wrong".into()], "geheim-nis-77");
    assert_eq!(kept, "fatal: **** is wrong");
    assert_eq!(seen, kept);
}

#[test]
fn a_secret_is_hidden_however_a_long_line_cuts_it() {
    let secret = "q9-Zk".repeat(12);
    // Before the visible end, across it, across the raw bound, with others before it that shrink to stars.
    for before in [0, 340, 380, 399, 1500, 1590, 1599, 1600, 1700, 1800, 1840, 1850] {
        let filled = "x".repeat(before) + &secret + &"y".repeat(5000);
        let starred = secret.repeat(before / 60 + 1) + &"x".repeat(before % 60) + &secret.repeat(40);
        for line in [filled, starred] {
            let (kept, _) = said(&[line], &secret);
            assert!(!kept.contains("q9") && !kept.contains("Zk"), "{before}: {kept}");
            assert!(kept.chars().count() <= 401, "{before}");
        }
    }
}

#[test]
fn control_characters_do_not_reach_a_terminal() {
    let exited = run(async { spawn(&sh("printf 'a\\033[2Jb\\tc\\r\\nd\\n' >&2"), &options())?.wait().await });
    assert_eq!(exited.expect("a good end").stderr().to_string(), "a\u{fffd}[2Jb\tc\nd");
}

#[test]
fn the_environment_is_what_was_listed() {
    run(async {
        let invocation = Invocation::new("/usr/bin/env").env("PGPASSFILE", "/x");
        let captured = capture(&invocation, &options(), 10_000).await.expect("an answer");
        let mut lines: Vec<_> = captured.stdout.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["HOME=/nonexistent", "LC_ALL=C.UTF-8", "PATH=/usr/bin:/bin", "PGPASSFILE=/x", "TZ=UTC"]);
    });
}

fn option_file() -> PrivateFile {
    let content = Secret::new("password=geheimnis77\n");
    PrivateFile { name: "my.cnf".into(), content, redacted: "password=****\n".into() }
}

#[test]
fn a_private_file_is_read_by_the_child_and_shows_nowhere() {
    run(async {
        // Read twice, by a grandchild, as a regular file of mode 0600; then the two places where others could look.
        let script = "cat ${1#*=}; cat $PGPASSFILE; stat -L -c '%F %a' $PGPASSFILE; tr '\\0' ' ' < /proc/$$/cmdline; \
                      tr '\\0' ' ' < /proc/$$/environ; cat ${1#*=} | wc -c";
        let invocation = Invocation::new("/bin/sh")
            .args(["-c", script, "sh"])
            .file_arg("--defaults-file=", option_file())
            .env_file("PGPASSFILE", option_file());
        let captured = capture(&invocation, &options(), 10_000).await.expect("an answer");
        let (files, places) = captured.stdout.split_once("600\n").expect("a mode of 600");
        assert_eq!(files, "password=geheimnis77\npassword=geheimnis77\nregular file ");
        assert!(places.contains("--defaults-file=/dev/fd/") && places.contains("PGPASSFILE="), "{places}");
        assert!(!places.contains("geheimnis77"), "{places}");
        assert!(places.ends_with("21\n"), "{places}");
    });
}

#[test]
fn a_child_inherits_its_own_files_and_no_others() {
    run(async {
        let waiting = spawn(&sh("sleep 1000").file_arg("", option_file()), &options()).expect("started");
        let captured = capture(&sh("ls -l /proc/$$/fd").file_arg("", option_file()), &options(), 1000).await;
        let files = captured.expect("an answer").stdout;
        assert_eq!(files.matches("memfd:").count(), 1, "{files}");
        waiting.kill().await;
    });
}
