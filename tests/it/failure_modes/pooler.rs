//! A real PgBouncer between dbhaul and the server.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::chown,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    roundtrip::{dumped, with_clients_of},
    support::{Database, Server, checksum, postgres15},
};

/// A PgBouncer before a server, gone with the value.
struct PgBouncer {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl PgBouncer {
    fn before(server: &Server, mode: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).expect("a free port").port();
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::write(path("users"), format!("\"{}\" \"{}\"\n", server.user(), server.password())).expect("write");
        let configuration = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port={port}\n\
             unix_socket_dir=\nauth_type=scram-sha-256\nauth_file={}\npool_mode={mode}\n",
            server.port(),
            path("users"),
        );
        fs::write(path("pgbouncer.ini"), configuration).expect("write");
        // It refuses to be root.
        let nobody = Some(65534);
        for file in [folder.path().to_owned(), folder.path().join("users"), folder.path().join("pgbouncer.ini")] {
            chown(file, nobody, nobody).expect("chown");
        }
        let child = Command::new("setpriv")
            .args(["--pdeathsig=KILL", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/sbin/pgbouncer"])
            .arg(path("pgbouncer.ini"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(path("log")).expect("a log"))
            .spawn()
            .expect("run setpriv");
        let bouncer = Self { child, port, folder };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = fs::read_to_string(bouncer.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "PgBouncer does not listen; run scripts/servers.sh\n{log}");
            thread::sleep(Duration::from_millis(20));
        }
        bouncer
    }

    fn uri(&self, database: &Database<'_>) -> String {
        database.uri().replace(&format!(":{}/", database.server().port()), &format!(":{}/", self.port))
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn source() -> Database<'static> {
    let source = postgres15().database("pooled");
    source.sql("CREATE TABLE t AS SELECT n FROM generate_series(1, 100) n");
    source
}

#[test]
fn row_48_a_pooler_that_pools_by_session_carries_a_dump_and_a_restore() {
    let source = source();
    let folder = tempfile::tempdir().expect("a folder");
    let bouncer = PgBouncer::before(postgres15(), "session");
    let dump = with_clients_of(postgres15()).args(["dump", &bouncer.uri(&source), "-o", "pooled.tar.gz"]);
    let output = dump.cwd(folder.path()).run().expect_code(0);
    assert!(output.stderr.contains("PgBouncer answers in the server's name"), "{}", output.stderr);
    let target = postgres15().database("pooled");
    let restore = |more: &[&str]| {
        let restore = with_clients_of(postgres15()).args(["restore", "pooled.tar.gz", &bouncer.uri(&target)]);
        restore.args(more).cwd(folder.path()).run()
    };
    restore(&["--jobs", "2"]).refused(10, &["PgBouncer", "may hang with several jobs", "nothing was changed"]);
    restore(&[]).expect_code(0);
    assert_eq!(checksum(&target), checksum(&source));
}

#[test]
fn row_48_a_pooler_that_pools_by_transaction_is_seen_and_refused() {
    let source = source();
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    let target = postgres15().database("pooled");
    for mode in ["transaction", "statement"] {
        let bouncer = PgBouncer::before(postgres15(), mode);
        let words =
            ["PgBouncer stands before the server and pools by transaction", "hint: connect to the server itself"];
        let clients = || with_clients_of(postgres15()).cwd(folder.path());
        clients().args(["dump", &bouncer.uri(&source)]).run().refused(10, &words);
        let restore = clients().arg("restore").arg(&archive).arg(bouncer.uri(&target)).run();
        restore.refused(10, &words).refused(10, &["nothing was changed"]);
        assert!(checksum(&target).is_empty());
    }
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1, "the archive alone");
}
