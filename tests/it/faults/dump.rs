//! What goes wrong in the middle of a dump: the server, the client, the disk, the time. Nothing is published, and no
//! `.partial` stays.

use std::{
    fs::{self, File},
    os::{fd::OwnedFd, unix::fs::PermissionsExt},
    path::Path,
};

use crate::support::{
    Database, Dbhaul, Disk, Flavour, Gate, Lock, Proxy, Running, Server, Treatment, checksum, child_of, dbhaul,
    eventually, fake_client, fixture, kill, mariadb, mysql, names, postgres15, recorded_client, sessions,
};

fn dump(database: &Database<'_>, folder: &Path) -> Dbhaul {
    dbhaul().args(["dump", &database.uri()]).client_dirs([database.server().client_dir()]).cwd(folder)
}

fn orders(database: &Database<'_>) {
    database.sql("CREATE TABLE orders (id int PRIMARY KEY)");
    database.sql("INSERT INTO orders VALUES (1), (2), (3)");
}

/// A dump that waits for the lock on its table, and the `.partial` file that it has by then.
fn waiting(database: &Database<'_>, folder: &Path) -> (Lock, Running) {
    let gate = Gate::before(&database.server().client_dir());
    let mut running = dump(database, folder).client_dirs([gate.folder()]).spawn();
    running.wait_until("a client before the gate", |_| gate.reached());
    let lock = Lock::on(database, "orders");
    gate.open();
    running.wait_until("a session that waits for the lock", |_| sessions(database, true) > 0);
    assert!(names(folder).iter().all(|name| name.ends_with(".partial")), "{:?}", names(folder));
    assert_eq!(names(folder).len(), 1);
    (lock, running)
}

fn server_goes_away(flavour: Flavour) {
    let server = Server::start(flavour);
    let folder = tempfile::tempdir().expect("a folder");
    let running = {
        let database = server.database("going");
        orders(&database);
        let (lock, running) = waiting(&database, folder.path());
        // The database goes with its server.
        std::mem::forget((database, lock));
        running
    };
    server.stop();
    running.wait().refused(6, &["ended with exit code", "hint:"]);
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn a_postgres_that_goes_away_in_the_middle_is_6_and_nothing_is_left() {
    server_goes_away(Flavour::Postgres15);
}

#[test]
fn a_mysql_that_goes_away_in_the_middle_is_6_and_nothing_is_left() {
    server_goes_away(Flavour::Mysql);
}

#[test]
fn a_mariadb_that_goes_away_in_the_middle_is_6_and_nothing_is_left() {
    server_goes_away(Flavour::Mariadb);
}

fn connection_is_reset(server: &Server, fill: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let database = server.database("reset");
    database.sql("CREATE TABLE big (id int, text text)");
    database.sql(fill);
    let proxy = Proxy::changing(server.port(), 1_000_000, Treatment::Reset);
    let uri = database.uri().replace(&format!(":{}/", server.port()), &format!(":{}/", proxy.port()));
    let dump = dbhaul().args(["dump", &uri]).client_dirs([server.client_dir()]).cwd(folder.path());
    dump.run().refused(6, &["ended with exit code", "hint:"]);
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn row_53_a_reset_connection_to_postgres_is_6_and_nothing_is_left() {
    connection_is_reset(
        postgres15(),
        "INSERT INTO big SELECT n, repeat(md5(n::text), 100) FROM generate_series(1, 2000) n",
    );
}

#[test]
fn row_53_a_reset_connection_to_mysql_is_6_and_nothing_is_left() {
    let rows: Vec<_> = (0..100).map(|n| format!("({n}, repeat(sha2({n}, 256), 500))")).collect();
    connection_is_reset(mysql(), &format!("INSERT INTO big VALUES {}", rows.join(",")));
}

fn client_is_killed(server: &Server, program: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let database = server.database("killed");
    orders(&database);
    let (lock, running) = waiting(&database, folder.path());
    kill(child_of(running.pid(), program).expect("the client"));
    running.wait().refused(6, &["was killed by SIGKILL (9)", "hint: signal 9"]);
    assert_eq!(names(folder.path()), [""; 0]);
    drop(lock);
    eventually("no session is left", || sessions(&database, false) == 0);
}

#[test]
fn row_22_a_killed_pg_dump_is_6_and_nothing_is_left() {
    client_is_killed(postgres15(), "pg_dump");
}

#[test]
fn row_22_a_killed_mysqldump_is_6_and_nothing_is_left() {
    client_is_killed(mysql(), "mysqldump");
}

#[test]
fn row_22_a_killed_mariadb_dump_is_6_and_nothing_is_left() {
    client_is_killed(mariadb(), "mariadb-dump");
}

#[test]
fn a_client_that_reports_success_without_a_whole_dump_is_6() {
    for (server, program, recording, dump) in [
        (postgres15(), "pg_dump", "pg_dump-15.20", "pg_dump-15.custom.dump"),
        (mysql(), "mysqldump", "mysqldump-9.7.4", "mysql-9.7.4.sql"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let clients = tempfile::tempdir().expect("a folder");
        let database = server.database("half");
        orders(&database);
        let whole = fs::read(fixture(&format!("dumps/{dump}"))).expect("read");
        let half = clients.path().join("half");
        for bytes in [&whole[..whole.len() - 100], &whole[..whole.len() / 2], b""] {
            fs::write(&half, bytes).expect("write");
            recorded_client(clients.path(), program, recording, &format!("cat {}", half.display()));
            let run = dbhaul().args(["dump", &database.uri()]).client_dirs([clients.path()]).cwd(folder.path()).run();
            run.refused(6, &["not complete", "nothing was published"]);
            assert_eq!(names(folder.path()), [""; 0]);
        }
    }
}

/// Rows that don't compress, much more than any disk here holds.
fn noise(database: &Database<'_>) {
    database.sql(
        "CREATE TABLE noise AS SELECT sha512(n::text::bytea) AS a, sha512((-n)::text::bytea) AS b FROM generate_series(1, 20000) n",
    );
}

#[test]
fn row_54_a_disk_that_fills_up_in_the_stream_is_9_and_nothing_is_left() {
    let database = postgres15().database("full");
    noise(&database);
    for compression in ["gzip", "none", "zstd"] {
        let disk = Disk::mount("size=1m");
        let output = dump(&database, disk.path()).args(["--compression", compression]).run();
        output.refused(9, &["No space left on device", "nothing was published", "hint: --output"]);
        assert_eq!(names(disk.path()), [""; 0], "{compression}");
    }
}

#[test]
fn row_54_a_disk_that_fills_up_while_the_archive_is_sealed_is_9_and_nothing_is_left() {
    let database = postgres15().database("full");
    database.load_file(fixture("chinook-postgres.sql"));
    let folder = tempfile::tempdir().expect("a folder");
    let options = ["--compression", "none", "-o", "archive.tar"];
    dump(&database, folder.path()).args(options).run().expect_code(0);
    let whole = fs::read(folder.path().join("archive.tar")).expect("read");
    // Everything from the manifest's header on is written when the dump is over.
    let name = b"/manifest.json\0";
    let sealing = whole.windows(name.len()).rposition(|window| window == name).expect("a manifest");
    let pages = whole.len() / 4096;
    assert!(pages * 4096 > sealing, "no page ends between {sealing} and {}", whole.len());
    let disk = Disk::mount(&format!("size={}", pages * 4096));
    dump(&database, disk.path()).args(options).run().refused(9, &["No space left on device", "nothing was published"]);
    assert_eq!(names(disk.path()), [""; 0]);
}

#[test]
fn a_folder_that_cannot_be_written_to_is_9_before_a_client_starts() {
    let database = postgres15().database("folder");
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("file"), "x").expect("write");
    let clients = tempfile::tempdir().expect("a folder");
    let trace = clients.path().join("started");
    recorded_client(clients.path(), "pg_dump", "pg_dump-15.20", &format!("touch {}", trace.display()));
    let read_only = Disk::mount("ro");
    let read_only = read_only.path().to_str().expect("UTF-8");
    for (output, word) in [
        ("missing/", "No such file"),
        ("missing/archive.tar.gz", "No such file"),
        ("file/", "Not a directory"),
        (read_only, "Read-only file system"),
    ] {
        let dump = dump(&database, folder.path()).args(["-o", output]).client_dirs([clients.path()]).run();
        dump.refused(9, &["can't write in the folder", word, "hint:"]);
        assert!(!trace.exists(), "a client was started for {output}");
    }
    assert_eq!(names(folder.path()), ["file"]);
}

#[test]
fn an_archive_that_exists_is_10_and_stays_as_it_is() {
    let database = postgres15().database("exists");
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("archive.tar.gz"), "mine").expect("write");
    dump(&database, folder.path()).args(["-o", "archive.tar.gz"]).run().refused(10, &["exists already", "hint:"]);
    assert_eq!(fs::read(folder.path().join("archive.tar.gz")).expect("read"), b"mine");
    assert_eq!(names(folder.path()), ["archive.tar.gz"]);
}

#[test]
fn row_54_a_stream_that_cannot_be_written_to_is_9() {
    let database = postgres15().database("stream");
    noise(&database);
    let folder = tempfile::tempdir().expect("a folder");
    let full = File::options().write(true).open("/dev/full").expect("/dev/full");
    let output = dump(&database, folder.path()).args(["-o", "-"]).output_file(full).run();
    output.refused(9, &["No space left on device", "nothing was published"]);
    // A reader that went away: `dbhaul dump -o - | head -c 1`.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = dump(&database, folder.path()).args(["-o", "-"]).output_file(File::from(OwnedFd::from(writer))).run();
    output.refused(9, &["Broken pipe", "nothing was published"]);
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn a_published_archive_is_for_its_owner_alone() {
    let database = postgres15().database("mode");
    let folder = tempfile::tempdir().expect("a folder");
    dump(&database, folder.path()).args(["-o", "archive.tar.gz"]).run().expect_code(0);
    let mode = fs::metadata(folder.path().join("archive.tar.gz")).expect("metadata").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// A client that answers `--version`, writes a word, and hangs.
fn hanging(folder: &Path, server: &Server) {
    let programs: &[&str] =
        if server.flavour().is_postgres() { &["pg_dump", "pg_restore", "psql"] } else { &["mysqldump", "mysql"] };
    for program in programs {
        let real = server.client_dir().join(program);
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = --version ] && exec '{}' --version\necho begun\nexec sleep 1000\n",
            real.display()
        );
        fake_client(folder, program, &script);
    }
}

#[test]
fn a_client_that_hangs_is_11_when_a_time_out_is_over() {
    for (server, archive) in [(postgres15(), "pg_dump-15.custom.dump"), (mysql(), "mysql-9.7.4.sql")] {
        let folder = tempfile::tempdir().expect("a folder");
        let clients = tempfile::tempdir().expect("a folder");
        hanging(clients.path(), server);
        let database = server.database("hang");
        for (option, words) in
            [("--idle-timeout", "moved no byte for 1 s"), ("--timeout", "was not done when 1 s were over")]
        {
            let dump = dump(&database, folder.path()).args([option, "1"]).client_dirs([clients.path()]);
            dump.run().refused(11, &[words]);
            assert_eq!(names(folder.path()), [""; 0]);
            let restore = dbhaul().arg("restore").arg(fixture(&format!("dumps/{archive}"))).arg(database.uri());
            restore.args([option, "1"]).client_dirs([clients.path()]).run().refused(11, &[words]);
            assert_eq!(checksum(&database).len(), 0);
        }
    }
}
