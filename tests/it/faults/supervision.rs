//! Time-outs, the environment, the terminal and process 1: how children are kept, seen from outside.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{
    Database, Dbhaul, Server, assert_gone, checksum, dbhaul, fake_client, mariadb, mysql, postgres15, postgres18,
    program,
};

const VERSION: &str =
    "[ \"$1\" = --version ] && echo 'mysqldump  Ver 9.7.4 for Linux on x86_64 (MySQL Community Server)' && exit 0\n";

fn small(server: &Server) -> Database<'_> {
    let database = server.database("supervision");
    database.sql("CREATE TABLE t (n INT PRIMARY KEY); INSERT INTO t VALUES (1), (2)");
    database
}

/// Runs a dump by a mysqldump that does this; nothing of it is left, on the disk or among the processes.
fn dump_by(script: &str, command: impl FnOnce(Dbhaul) -> Dbhaul) -> crate::support::Output {
    let database = small(mysql());
    let (clients, out) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let client = fake_client(clients.path(), "mysqldump", &format!("#!/bin/bash\n{VERSION}{script}\n"));
    let command = command(dbhaul().client_dirs([clients.path()]).args(["dump", &database.uri()]).cwd(out.path()));
    let output = command.run();
    assert_eq!(fs::read_dir(out.path()).expect("a folder").count(), 0);
    assert_gone(&client.display().to_string());
    output
}

#[test]
fn row_52_a_client_that_moves_no_byte_is_given_up() {
    let silent = "printf -- '-- MySQL dump 10.13  Distrib 9.7.4, for Linux (x86_64)\\n'; sleep 1000 & sleep 1000";
    let output = dump_by(silent, |dbhaul| dbhaul.args(["--idle-timeout", "1"])).expect_code(11);
    assert!(output.stderr.contains("moved no byte for 1 s"), "{}", output.stderr);
    // One that will not end, either.
    let deaf = format!("trap '' TERM\n{silent}");
    let output = dump_by(&deaf, |dbhaul| dbhaul.args(["--idle-timeout", "1", "--grace-period", "1", "--json"]));
    let json = output.expect_code(11).json();
    assert_eq!((json["code"].as_i64(), json["kind"].as_str()), (Some(11), Some("timed_out")));
}

#[test]
fn a_dump_that_takes_too_long_is_given_up_however_much_moves() {
    let endless = "printf -- '-- MySQL dump 10.13  Distrib 9.7.4, for Linux (x86_64)\\n'; while :; do echo '-- more'; sleep 0.01; done";
    let output = dump_by(endless, |dbhaul| dbhaul.args(["--timeout", "8"])).expect_code(11);
    assert!(output.stderr.contains("8 s were over"), "{}", output.stderr);
}

#[test]
fn a_version_that_is_never_told_does_not_hang() {
    let database = small(mysql());
    let clients = tempfile::tempdir().expect("a folder");
    let client = fake_client(clients.path(), "mysqldump", "#!/bin/bash\nsleep 1000\n");
    let output =
        dbhaul().client_dirs([clients.path()]).args(["dump", "--dry-run", &database.uri(), "--timeout", "2"]).run();
    output.expect_code(11);
    assert_gone(&client.display().to_string());
}

/// Everything in the environment and the home that would send a client elsewhere, or make it fail.
fn with_traps(command: Dbhaul) -> Dbhaul {
    let home = command.home().to_owned();
    let write = |name: &str, text: &str| {
        let path = home.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, text).expect("write a trap");
        Command::new("chmod").arg("600").arg(&path).status().expect("run chmod");
    };
    write(
        ".my.cnf",
        "[client]\nhost=192.0.2.1\nport=1\npassword=wrong\nssl-mode=VERIFY_IDENTITY\n[mysqldump]\nno-such-option\n[mysql]\nno-such-option\n",
    );
    write(".pgpass", "*:*:*:*:wrong\n");
    write(".pg_service.conf", "[trap]\nhost=192.0.2.1\nsslmode=verify-full\n");
    write(".psqlrc", "\\echo trapped\n\\quit\n");
    write(".postgresql/root.crt", "no certificate\n");
    let traps = [
        ("PGHOST", "192.0.2.1"),
        ("PGHOSTADDR", "192.0.2.1"),
        ("PGPORT", "1"),
        ("PGUSER", "nobody"),
        ("PGPASSWORD", "wrong"),
        ("PGDATABASE", "nothing"),
        ("PGSERVICE", "trap"),
        ("PGSSLMODE", "verify-full"),
        ("PGOPTIONS", "-c no_such_setting=1"),
        ("PGTARGETSESSIONATTRS", "standby"),
        ("PGCLIENTENCODING", "SQL_ASCII"),
        ("PGREQUIREAUTH", "none"),
        ("PSQLRC", "/dev/zero"),
        ("MYSQL_HOST", "192.0.2.1"),
        ("MYSQL_TCP_PORT", "1"),
        ("MYSQL_UNIX_PORT", "/nonexistent"),
        ("MYSQL_PWD", "wrong"),
        ("MYSQL_GROUP_SUFFIX", "_trap"),
        ("LANG", "de_DE.UTF-8"),
        ("LC_ALL", "tr_TR.UTF-8"),
        ("TZ", "Asia/Tokyo"),
        ("POSIXLY_CORRECT", "1"),
        ("LD_PRELOAD", ""),
        ("BASH_ENV", "/dev/zero"),
    ];
    traps.into_iter().fold(command, |command, (name, value)| command.env(name, value))
}

#[test]
fn row_55_the_environment_and_the_home_do_not_matter() {
    for server in [postgres15(), postgres18(), mysql(), mariadb()] {
        let (source, target) = (small(server), server.database("supervision"));
        let out = tempfile::tempdir().expect("a folder");
        // Plain text makes a restore use psql as well.
        let format: &[&str] = if server.flavour().is_postgres() { &["--format", "plain"] } else { &[] };
        let run = |words: &[&str]| {
            with_traps(dbhaul().client_dirs([server.client_dir()]).args(words).cwd(out.path())).run().expect_code(0)
        };
        let dumped = run(&[&["dump", &source.uri()], format].concat());
        let restored = run(&["restore", dumped.text().trim(), &target.uri()]);
        assert!(!restored.stderr.contains("trapped"));
        assert_eq!(checksum(&target), checksum(&source));
        if server.flavour().is_postgres() {
            run(&["dump", &source.uri()]);
        }
    }
}

#[test]
fn row_55_clients_see_nothing_of_the_environment_but_the_allow_list() {
    let clients = tempfile::tempdir().expect("a folder");
    let seen = clients.path().join("seen");
    let script = format!("env | cut -d= -f1 | sort > {}; exit 1", seen.display());
    let database = small(mysql());
    fake_client(clients.path(), "mysqldump", &format!("#!/bin/sh\n{VERSION}{script}\n"));
    let command = dbhaul().client_dirs([clients.path()]).args(["dump", &database.uri()]).cwd(clients.path());
    with_traps(command.env("AWS_SECRET_ACCESS_KEY", "x")).run().expect_code(6);
    let seen = fs::read_to_string(seen).expect("it ran");
    let seen: Vec<_> = seen.lines().filter(|name| !["PWD", "_", "SHLVL", "OLDPWD"].contains(name)).collect();
    assert_eq!(seen, ["HOME", "LC_ALL", "MYSQL_TEST_LOGIN_FILE", "PATH", "TZ"]);
}

/// Runs dbhaul with a terminal of its own, as stdin, stdout and stderr, and tells all that it showed.
fn on_a_terminal(folder: &Path, words: &[&str]) -> (Option<i32>, String) {
    let line = shell_line(words);
    let output = Command::new("timeout")
        .args(["60", "script", "-qec", &line, "/dev/null"])
        .current_dir(folder)
        .env_remove("PGPASSWORD")
        .stdin(Stdio::null())
        .output()
        .expect("run script");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

fn shell_line(words: &[&str]) -> String {
    let quoted = words.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''")));
    std::iter::once(program().to_owned()).chain(quoted).collect::<Vec<_>>().join(" ")
}

#[test]
fn row_59_nobody_asks_for_a_password_on_a_terminal() {
    let folder = tempfile::tempdir().expect("a folder");
    for server in [postgres15(), mysql(), mariadb()] {
        let database = small(server);
        let without = database.uri().replace(&format!(":{}@", server.password()), "@");
        let dir = server.client_dir().display().to_string();
        let (code, shown) = on_a_terminal(folder.path(), &["dump", &without, "--client-dir", &dir]);
        assert_eq!(code, Some(4), "{shown}");
        assert!(!shown.to_lowercase().contains("enter password") && !shown.contains("Password:"), "{shown}");
    }
}

#[test]
fn row_59_a_client_has_no_terminal_to_ask_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = small(mysql());
    let script = "if (: < /dev/tty) 2>/dev/null; then echo 'there is a terminal' >&2; exit 3; fi\n\
        read -r line && exit 4\necho 'no terminal, no input' >&2; exit 5";
    fake_client(folder.path(), "mysqldump", &format!("#!/bin/bash\n{VERSION}{script}\n"));
    let dir = folder.path().display().to_string();
    let (code, shown) = on_a_terminal(folder.path(), &["dump", &database.uri(), "--client-dir", &dir]);
    assert_eq!(code, Some(6), "{shown}");
    assert!(shown.contains("no terminal, no input"), "{shown}");
}

#[test]
fn row_50_as_process_1_it_ends_with_143_and_leaves_nothing() {
    let database = small(mysql());
    for deaf in [false, true] {
        let (clients, out) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let trap = if deaf { "trap '' TERM\n" } else { "" };
        let working = clients.path().join("working");
        // With a grandchild, and one that left the group and became a child of process 1.
        let script = format!(
            "{trap}(setsid sleep 1001 &)\nsleep 1000 &\nprintf -- '-- MySQL dump 10.13  Distrib 9.7.4\\n'; touch {}\nsleep 1000\nsleep 1000",
            working.display()
        );
        let client = fake_client(clients.path(), "mysqldump", &format!("#!/bin/bash\n{VERSION}{script}\n"));
        let mut unshare = Command::new("unshare");
        unshare
            .args(["--pid", "--fork", "--mount-proc", program(), "dump", &database.uri()])
            .args(["--grace-period", "1", "--client-dir"])
            .arg(clients.path())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .current_dir(out.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(clients.path().join("stderr")).expect("a file"))
            .process_group(0);
        let mut unshare = unshare.spawn().expect("run unshare");
        let deadline = Instant::now() + Duration::from_secs(60);
        while !working.exists() {
            assert!(Instant::now() < deadline, "{:?}", fs::read_to_string(clients.path().join("stderr")));
            thread::sleep(Duration::from_millis(10));
        }
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", unshare.id())).expect("children");
        let first: i32 = children.trim().parse().expect("one child");
        kill_process(Pid::from_raw(first).expect("an id"), Signal::TERM).expect("signal dbhaul");
        let status = loop {
            if let Some(status) = unshare.try_wait().expect("wait") {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            thread::sleep(Duration::from_millis(10));
        };
        let stderr = fs::read_to_string(clients.path().join("stderr")).expect("stderr");
        assert_eq!(status.code(), Some(143), "{stderr}");
        assert!(stderr.contains("SIGTERM"), "{stderr}");
        assert_eq!(fs::read_dir(out.path()).expect("a folder").count(), 0);
        assert_gone(&client.display().to_string());
    }
}
