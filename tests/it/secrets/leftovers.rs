//! What stays behind when nobody is left to clean up, and what others of the same machine may look at.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::{Command, Stdio},
    time::SystemTime,
};

use rustix::process::Signal;

use super::{assert_clean, files_below, password, talkative, user, wrappers};
use crate::support::{Server, copy_program, eventually, mysql, postgres15, program};

/// The soft and the hard limit for core dumps, from the text of `/proc/PID/limits`. One byte, not none: that also stops
/// the pipe to a crash reporter.
pub fn core_limit(limits: &str) -> Vec<&str> {
    let line = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a line about core dumps");
    line.split_whitespace().skip(4).take(2).collect()
}

fn killed_leaves_nothing(server: &Server, of: &str) {
    let begun = SystemTime::now();
    let password = &password(of);
    let place = tempfile::tempdir().expect("a folder");
    let [clients, temp, run, out] = ["clients", "tmp", "run", "out"].map(|name| {
        let folder = place.path().join(name);
        fs::create_dir(&folder).expect("a folder");
        folder
    });
    wrappers(server, &clients);
    let name = format!("killed_{}", std::process::id());
    user(server, &name, password);
    let database = server.database("secret_killed");
    database.sql("CREATE TABLE t (n INT)");
    let uri = place.path().join("uri");
    fs::write(&uri, server.uri_as(&name, password, database.name())).expect("write the URI");
    let command = talkative(&clients, &temp).env("XDG_RUNTIME_DIR", &run).arg("dump");
    let home = command.home().to_owned();
    let mut running = command.arg(format!("file:{}", uri.display())).cwd(&out).spawn();
    // The client has been started, with everything that it reads its password from.
    let started = |_: &_| files_below(&clients).iter().any(|file| file.display().to_string().contains("environment"));
    running.wait_until("a client", started);
    running.signal(Signal::KILL);
    eventually("its end", || !running.is_running());
    for folder in [&clients, &temp, &run, &out, &home] {
        for file in files_below(folder) {
            assert_clean(&file.display().to_string(), fs::read(&file).unwrap_or_default());
        }
    }
    let is_newer = |file: &Path| fs::metadata(file).and_then(|file| file.modified()).is_ok_and(|at| at >= begun);
    for file in files_below(Path::new("/dev/shm")).iter().filter(|file| is_newer(file) && !is_of_tests(file)) {
        assert_clean(&file.display().to_string(), fs::read(file).unwrap_or_default());
    }
    for folder in [&temp, &run] {
        assert_eq!(fs::read_dir(folder).expect("readable").count(), 0, "{}", folder.display());
    }
    assert_clean("stderr", running.stderr());
}

/// Whether a file stands in a folder that a test made for itself, as in `$TMPDIR/.tmpXXXXXX/uri`.
fn is_of_tests(file: &Path) -> bool {
    let below = file.strip_prefix(std::env::temp_dir()).ok().and_then(|below| below.to_str());
    below.is_some_and(|below| [".tmp", "dbhaul-it-"].iter().any(|made| below.starts_with(made)))
}

#[test]
fn a_killed_dump_of_postgres_leaves_no_password_on_any_disk() {
    killed_leaves_nothing(postgres15(), "pgkill");
}

#[test]
fn a_killed_dump_of_mysql_leaves_no_password_on_any_disk() {
    killed_leaves_nothing(mysql(), "mykill");
}

#[test]
fn others_of_the_same_user_can_not_look_into_dbhaul_and_it_leaves_no_core_dump() {
    const NOBODY: u32 = 65534;
    let place = tempfile::tempdir().expect("a folder");
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o777)).expect("permissions");
    let binary = place.path().join("dbhaul");
    copy_program(program(), &binary);
    let mut child = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&binary)
        // It waits for its standard input.
        .args(["restore", "-", "env:SOME_URI"])
        .env_clear()
        .env("SOME_URI", "postgres://u:Vorn7Qk4x@127.0.0.1:1/d")
        .env("TMPDIR", place.path())
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("run setpriv");
    let proc = Path::new("/proc").join(child.id().to_string());
    let is_ours = || {
        let command = fs::read(proc.join("cmdline")).unwrap_or_default();
        let status = fs::read_to_string(proc.join("status")).unwrap_or_default();
        let user = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
        command.starts_with(binary.as_os_str().as_encoded_bytes())
            && user.split_whitespace().all(|id| id == NOBODY.to_string())
    };
    eventually("dbhaul runs as nobody, and its environment is root's", || {
        assert_eq!(child.try_wait().expect("its state"), None, "it ended by itself");
        is_ours() && fs::metadata(proc.join("environ")).is_ok_and(|file| file.uid() == 0)
    });
    let limits = fs::read_to_string(proc.join("limits")).expect("limits");
    assert_eq!(core_limit(&limits), ["1", "1"], "{limits}");
    drop(child.stdin.take());
    child.wait().expect("its end");
}
