//! Hints on tunnels.

use std::{fs, path::Path, process::Command};

use super::by;
use crate::support::{Database, Output, Proxy, Sshd, fake_client, postgres15};

fn small() -> Database<'static> {
    let source = postgres15().database("tunnel");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    source
}

/// A dump through an sshd, by the `ssh` in this folder.
fn by_ssh(source: &Database<'_>, folder: &Path, place: &str) -> Output {
    let dump = by(postgres15(), &source.uri(), &["--ssh", place, "--connect-timeout", "10"]);
    dump.env("PATH", format!("{}:/usr/bin:/bin", folder.display())).run()
}

#[test]
fn a_key_that_ssh_lacks_and_a_host_that_it_does_not_know_are_given_to_it() {
    let (source, sshd) = (small(), Sshd::start());
    let client = sshd.client();
    let real = fs::read_to_string(client.join("ssh")).expect("a script");
    let folder = tempfile::tempdir().expect("a folder");
    let as_ssh = |script: &str| drop(fake_client(folder.path(), "ssh", script));
    // Without a key.
    let (before, key) = real.split_once(" -i ").expect("a key");
    let (_, behind) = key.split_once(' ').expect("arguments");
    as_ssh(&format!("{before} {behind}"));
    by_ssh(&source, folder.path(), &sshd.place()).refused(4, &["Permission denied"]).follows("load-key-into-agent");
    // As ~/.ssh/config would name it.
    as_ssh(&real);
    by_ssh(&source, folder.path(), &sshd.place()).expect_code(0);
    // By this name its key is unknown.
    let by_name = sshd.place().replace("127.0.0.1", "localhost");
    by_ssh(&source, folder.path(), &by_name).refused(4, &["Host key verification"]).follows("accept-hosts-key");
    let port = sshd.port.to_string();
    let by_hand = Command::new(folder.path().join("ssh"))
        .args(["-o", "StrictHostKeyChecking=accept-new", "-p", &port, "root@localhost", "true"])
        .status();
    assert!(by_hand.expect("run ssh").success());
    by_ssh(&source, folder.path(), &by_name).expect_code(0);
}

#[test]
fn a_program_that_is_not_on_path_is_installed_or_named_by_its_path() {
    let (source, sshd) = (small(), Sshd::start());
    let empty = tempfile::tempdir().expect("a folder");
    let by = |more: &[&str], path: &Path| by(postgres15(), &source.uri(), more).env("PATH", path).run();
    by(&["--ssh", &sshd.place()], empty.path()).refused(2, &[]).follows("install-ssh");
    by(&["--ssh", &sshd.place()], &sshd.client()).expect_code(0);

    let proxy = Proxy::to(postgres15().port());
    let script = format!("#!/bin/sh\necho 127.0.0.1:{}\nexec /bin/sleep 1000\n", proxy.port());
    let tunnel = fake_client(empty.path(), "open-tunnel", &script);
    let elsewhere = tempfile::tempdir().expect("a folder");
    by(&["--tunnel-command", "open-tunnel"], elsewhere.path()).refused(2, &[]).follows("program-by-its-path");
    by(&["--tunnel-command", &tunnel.display().to_string()], elsewhere.path()).expect_code(0);
    by(&["--tunnel-command", "open-tunnel"], empty.path()).expect_code(0);
}

#[test]
fn a_socket_needs_no_tunnel() {
    let source = small();
    let proxy = Proxy::to(postgres15().port());
    let (user, password) = (postgres15().user(), postgres15().password());
    let (folder, port, name) = (postgres15().socket().display().to_string(), postgres15().port(), source.name());
    let socket = format!("postgres://{user}:{password}@/{name}?host={folder}&port={port}");
    let tunnel = ["--tunnel", &proxy.port().to_string()];
    by(postgres15(), &socket, &tunnel).run().refused(2, &[]).follows("leave-tunnel-out");
    by(postgres15(), &socket, &[]).run().expect_code(0);
    by(postgres15(), &source.uri(), &tunnel).run().expect_code(0);
}
