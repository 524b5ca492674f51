//! A real standby, made by `pg_basebackup` from a server of the test's own.

use std::{
    fs::File,
    io::Read,
    net::TcpListener,
    os::{fd::OwnedFd, unix::fs::chown},
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::{
    roundtrip::with_clients_of,
    support::{Database, Flavour, Server, eventually},
};

/// A streaming standby, gone with the value.
struct Standby {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Standby {
    fn of(primary: &Server) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let mut backup = primary.client("pg_basebackup");
        backup.args(["--write-recovery-conf", "--checkpoint=fast", "-D"]).arg(&data);
        assert!(backup.status().expect("run pg_basebackup").success());
        // PostgreSQL refuses root, and a folder that others own.
        let id = |option: &str| -> u32 {
            let output = Command::new("id").args([option, "postgres"]).output().expect("run id");
            String::from_utf8_lossy(&output.stdout).trim().parse().expect("a user postgres; run scripts/servers.sh")
        };
        let (user, group) = (id("-u"), id("-g"));
        let owner = format!("{user}:{group}");
        assert!(Command::new("chown").args(["-R", &owner]).arg(folder.path()).status().expect("run chown").success());
        chown(folder.path(), Some(user), Some(group)).expect("chown");
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).expect("a free port").port();
        let child = Command::new("setpriv")
            .args(["--pdeathsig=KILL", &format!("--reuid={user}"), &format!("--regid={group}"), "--clear-groups"])
            .arg(primary.client_dir().join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-c", &format!("port={port}"), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"])
            .args(["-c", &format!("unix_socket_directories={}", folder.path().display())])
            .args(["-c", "max_connections=50", "-c", "max_standby_streaming_delay=0", "-c", "shared_buffers=16MB"])
            .args(["-c", "dynamic_shared_memory_type=mmap"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.path().join("log")).expect("a log"))
            .spawn()
            .expect("run setpriv");
        Self { child, port, _folder: folder }
    }

    fn uri(&self, database: &Database<'_>) -> String {
        database.uri().replace(&format!(":{}/", database.server().port()), &format!(":{}/", self.port))
    }

    /// Runs SQL there; an error is none of ours: it may be starting.
    fn sql(&self, database: &Database<'_>, sql: &str) -> Option<String> {
        let mut psql = database.client("psql");
        let output =
            psql.env("PGPORT", self.port.to_string()).args(["-X", "-At", "-c", sql]).output().expect("run psql");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        // QUIT ends its backends too; KILL would leave them.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
        let _ = self.child.wait();
    }
}

fn dump(source: &Database<'_>, uri: &str, folder: &Path) -> crate::support::Dbhaul {
    with_clients_of(source.server()).args(["dump", uri]).cwd(folder)
}

#[test]
fn row_49_a_standby_is_named_and_a_conflict_with_its_recovery_is_explained() {
    let primary = Server::start_with(Flavour::Postgres15, &["-c", "wal_level=replica", "-c", "max_wal_senders=4"]);
    let source = primary.database("replicated");
    // More than all buffers on the way hold: a reader that stops stops everything before it.
    source.sql("CREATE TABLE noise AS SELECT sha512(n::text::bytea) AS a FROM generate_series(1, 150000) n");
    source.sql("CREATE TABLE more AS SELECT a || a || a || a AS a FROM noise");
    let standby = Standby::of(&primary);
    eventually("the standby has caught up", || {
        standby.sql(&source, "SELECT count(*) FROM more").as_deref() == Some("150000")
    });
    let folder = tempfile::tempdir().expect("a folder");
    let uri = standby.uri(&source);
    let output = dump(&source, &uri, folder.path()).arg("--schema-only").run().expect_code(0);
    assert!(output.stderr.contains("the server is a standby"), "{}", output.stderr);
    let archive = folder.path().join(output.text().trim());
    let restore = with_clients_of(&primary).arg("restore").arg(&archive).arg(&uri).run();
    restore.refused(10, &["the target is a standby", "nothing was changed"]).follows("restore-into-primary");
    let into_primary = primary.database("into_primary");
    with_clients_of(&primary).arg("restore").arg(&archive).arg(into_primary.uri()).run().expect_code(0);

    // Nor is it a target of its primary, by any name of the database.
    let beside = primary.database("beside");
    eventually("the standby has that database", || standby.sql(&beside, "SELECT 1").is_some());
    for (target, words) in [(&source, "the same database"), (&beside, "the target is a standby")] {
        let copy = with_clients_of(&primary).args(["copy", &source.uri(), &standby.uri(target)]).run();
        copy.refused(10, &[words, "nothing was changed"]);
    }

    // A dump whose reader stands still, and so its COPY on the standby; meanwhile the primary changes the table.
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let stopped = dump(&source, &uri, folder.path()).args(["-o", "-", "--compression", "none"]);
    let running = stopped.output_file(File::from(OwnedFd::from(writer))).spawn();
    let copying = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%' AND wait_event = 'ClientWrite'";
    eventually("a COPY that waits for its reader", || standby.sql(&source, copying).as_deref() == Some("1"));
    source.sql("ALTER TABLE more ADD COLUMN b int; CHECKPOINT");
    // The COPY is told to end at once, and may do so before anybody sees the recovery wait for it.
    let met = "SELECT EXISTS (SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted)
        OR NOT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE 'COPY%' AND state = 'active')";
    eventually("the recovery meets the COPY", || standby.sql(&source, met).as_deref() == Some("t"));
    let mut sink = Vec::new();
    reader.read_to_end(&mut sink).expect("read");
    let output = running.wait();
    output.refused(6, &["conflict with recovery", "primary"]).follows("recovery-came-first");
    eventually("the standby has caught up", || standby.sql(&source, "SELECT b FROM more LIMIT 1").is_some());
    let again = |uri: &str, more: &[&str]| dump(&source, uri, folder.path()).args(["-o", "-"]).args(more).run();
    again(&uri, &[]).expect_code(0);
    again(&source.uri(), &[]).expect_code(0);

    source.sql("CREATE UNLOGGED TABLE quick (i int)");
    eventually("the standby has it", || standby.sql(&source, "SELECT 'quick'::regclass").is_some());
    again(&uri, &[]).refused(10, &["quick"]).follows("primary-or-exclude");
    again(&uri, &["--exclude-table", "quick"]).expect_code(0);
    let doctor = with_clients_of(&primary).args(["doctor", &uri]).run();
    doctor.follows("primary-or-streaming-delay");
    again(&source.uri(), &[]).expect_code(0);
}
