//! In a container: process 1, a root file system that nobody writes to, a user that no passwd knows, no home, no terminal,
//! and nothing but the environment to say what to do.

use std::{fs, path::Path, thread, time::Duration};

use rustix::process::Signal;

use crate::support::{
    Database, RunningContainer, Server, alive, checksum, container, dbhaul, eventually, fake_client, mariadb,
    postgres15, root,
};

/// Servers whose clients stand where anybody may run them.
fn servers() -> [&'static Server; 2] {
    [postgres15(), mariadb()]
}

fn shop(server: &Server) -> Database<'_> {
    let database = server.database("container");
    database.sql("CREATE TABLE orders (id int PRIMARY KEY, note text)");
    database.sql("INSERT INTO orders VALUES (1, 'one'), (2, 'two'), (3, 'three')");
    database
}

/// Shell lines that put a secret where the platform would mount it.
fn secret(name: &str, value: &str) -> String {
    format!("printf '%s\\n' '{value}' > /srv/{name}; chown 10001 /srv/{name}; chmod 400 /srv/{name}\n")
}

/// Shell lines that put a file there.
fn mounted(file: &Path, name: &str) -> String {
    format!("cp {} /srv/{name}; chmod 444 /srv/{name}\n", file.display())
}

fn archive_of(database: &Database<'_>, folder: &Path) -> std::path::PathBuf {
    let archive = folder.join("shop.tar.gz");
    dbhaul().args(["dump", &database.uri(), "-o"]).arg(&archive).run().expect_code(0);
    archive
}

#[test]
fn a_dump_streams_out_of_a_container_that_can_write_nowhere() {
    for server in servers() {
        let database = shop(server);
        let folder = tempfile::tempdir().expect("a folder");
        let dumped = container(&["dbhaul", "dump"])
            .before(&secret("uri", &database.uri()))
            .env("DBHAUL_URI_FILE", "/srv/uri")
            .env("DBHAUL_OUTPUT", "-")
            .run()
            .expect_code(0);
        assert!(dumped.stderr.contains("file /srv/uri"), "{}", dumped.stderr);
        let archive = folder.path().join("shop.tar.gz");
        fs::write(&archive, dumped.stdout).expect("write");
        let target = server.database("container");
        dbhaul().arg("restore").arg(&archive).arg(target.uri()).run().expect_code(0);
        assert_eq!(checksum(&target), checksum(&database));
    }
}

#[test]
fn an_archive_comes_back_in_a_container_that_can_write_nowhere() {
    for server in servers() {
        let (database, target) = (shop(server), server.database("container"));
        let folder = tempfile::tempdir().expect("a folder");
        let archive = archive_of(&database, folder.path());
        container(&["dbhaul", "restore", "/srv/shop.tar.gz"])
            .before(&mounted(&archive, "shop.tar.gz"))
            .env("DATABASE_URL", &target.uri())
            .run()
            .expect_code(0);
        assert_eq!(checksum(&target), checksum(&database));

        container(&["dbhaul", "verify", "/srv/shop.tar.gz"])
            .before(&mounted(&archive, "shop.tar.gz"))
            .before(&secret("server", &target.uri()))
            .env("DBHAUL_RESTORE_INTO_FILE", "/srv/server")
            .env("DBHAUL_JSON", "1")
            .run()
            .expect_code(0)
            .json()["restored"]["tables"]
            .as_u64()
            .filter(|&tables| tables == 1)
            .expect("one table compared");
    }
}

#[test]
fn a_copy_needs_no_disk_at_all() {
    for server in servers() {
        let (database, target) = (shop(server), server.database("container"));
        container(&["dbhaul", "copy", "env:SOURCE", "env:TARGET"])
            .before(&secret("target", &target.uri()))
            .env("SOURCE", &database.uri())
            .env("TARGET_FILE", "/srv/target")
            .run()
            .expect_code(0);
        assert_eq!(checksum(&target), checksum(&database));
    }
}

#[test]
fn what_needs_a_disk_says_so_and_takes_the_one_it_is_given() {
    let (database, target) = (shop(postgres15()), postgres15().database("container"));
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive_of(&database, folder.path());

    let refused = container(&["dbhaul", "dump"]).env("DATABASE_URL", &database.uri()).run();
    refused.refused(9, &["Read-only file system", "--output -"]);

    let restore = || container(&["dbhaul", "restore", "-"]).env("DATABASE_URL", &target.uri()).input(&archive);
    restore().run().refused(9, &["in /tmp", "Read-only file system", "TMPDIR", "nothing was changed"]);
    restore().disk("4k").env("TMPDIR", "/mnt").run().refused(9, &["TMPDIR", "No space left", "nothing was changed"]);
    assert_eq!(target.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), "0");
    restore().disk("1m").env("TMPDIR", "/mnt").run().expect_code(0);
    assert_eq!(checksum(&target), checksum(&database));
}

#[test]
fn a_secret_that_is_not_there_or_may_not_be_read_is_named() {
    let without = || container(&["dbhaul", "dump"]);
    without().run().refused(3, &["no database was named", "DBHAUL_URI_FILE"]);
    let missing = without().env("DATABASE_URL_FILE", "/srv/uri").run();
    missing.refused(3, &["/srv/uri", "No such file"]);
    let locked = without().before("umask 077; echo 'postgres://u:secret@h/d' > /srv/uri\n");
    let locked = locked.env("DATABASE_URL_FILE", "/srv/uri").run().refused(3, &["/srv/uri", "Permission denied"]);
    assert!(!locked.stderr.contains("secret"));
}

#[test]
fn a_scratch_server_for_a_user_that_no_passwd_knows_is_refused_with_the_way_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = archive_of(&shop(postgres15()), folder.path());
    let verify = container(&["dbhaul", "verify", "--restore", "/srv/shop.tar.gz"]);
    let verify = verify.before(&mounted(&archive, "shop.tar.gz")).disk("500m").env("TMPDIR", "/mnt");
    verify.run().refused(7, &["10001", "--restore-into"]);
}

/// A pg_dump that does this when it is to dump, and a dump by it that has begun.
fn dump_by(script: &str, more: &[&str], database: &Database<'_>) -> RunningContainer {
    let clients = tempfile::tempdir().expect("a folder");
    let script =
        format!("#!/bin/bash\n[ \"$1\" = --version ] && echo 'pg_dump (PostgreSQL) 15.20' && exit\n{script}\n");
    let client = fake_client(clients.path(), "pg_dump", &script);
    let words = [&["dbhaul", "dump", "--client-dir", "/srv/clients"], more].concat();
    let running = container(&words)
        .before(&format!("mkdir /srv/clients; cp {} /srv/clients\n", client.display()))
        .env("DATABASE_URL", &database.uri())
        .env("DBHAUL_OUTPUT", "/mnt/")
        .disk("64k")
        .spawn();
    eventually("the client works", || {
        running.others().iter().any(|&pid| Path::new(&format!("/proc/{pid}/root/mnt/working")).exists())
    });
    running
}

#[test]
fn process_1_reaps_orphans_while_it_runs_on() {
    let database = shop(postgres15());
    // One that stays in the client's group, one that leaves it.
    let orphans = "(sh -c 'sleep 0.1; : > /mnt/one' &)\n(setsid sh -c 'sleep 0.1; : > /mnt/two' &)";
    let mut running = dump_by(&format!("{orphans}\n: > /mnt/working\nexec sleep 1000"), &[], &database);
    let inside = |running: &RunningContainer, name: &str| {
        Path::new(&format!("/proc/{}/root/mnt/{name}", running.first())).exists()
    };
    eventually("both have ended", || inside(&running, "one") && inside(&running, "two"));
    eventually("no zombie is left", || running.others().into_iter().all(alive));
    assert!(running.is_running());
    running.signal(Signal::TERM);
    running.wait().refused(143, &["stopped by SIGTERM"]);
}

#[test]
fn process_1_is_gone_within_the_platforms_10_seconds_even_with_a_client_that_ignores_term() {
    let database = shop(postgres15());
    let deaf = "trap '' TERM\n(trap '' TERM; setsid sleep 1000 &)\n: > /mnt/working\nwhile :; do sleep 1000; done";
    let mut running = dump_by(deaf, &[], &database);
    running.signal(Signal::TERM);
    // What a platform does: wait, and kill.
    for _ in 0..1000 {
        if !running.is_running() {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    if running.is_running() {
        running.signal(Signal::KILL);
    }
    let ended = running.wait();
    ended.refused(143, &["stopped by SIGTERM"]);
}

#[test]
fn process_1_hears_every_signal_that_a_platform_sends() {
    let database = shop(postgres15());
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::QUIT, 131), (Signal::HUP, 129)] {
        let running = dump_by(": > /mnt/working\nexec sleep 1000", &[], &database);
        running.signal(signal);
        running.wait().refused(code, &["stopped by SIG"]);
    }
}

/// The script of docs/containers.md that is marked like this.
fn documented(mark: &str) -> String {
    let page = root().join("docs/containers.md");
    let page = fs::read_to_string(page).expect("read the page");
    let rest = page.split_once(&format!("<!-- {mark} -->\n```sh\n")).expect("the mark").1;
    rest.split_once("```").expect("the end").0.to_owned()
}

#[test]
fn the_documented_entrypoint_seeds_an_empty_database_and_starts_the_application() {
    let folder = tempfile::tempdir().expect("a folder");
    let broken = folder.path().join("broken.tar.gz");
    for server in servers() {
        let (seed, target) = (shop(server), server.database("container"));
        let inner = tempfile::tempdir_in(folder.path()).expect("a folder");
        let archive = archive_of(&seed, inner.path());
        let whole = fs::read(&archive).expect("read");
        fs::write(&broken, &whole[..whole.len() - 40]).expect("write");
        let entry = fake_client(inner.path(), "entry", &documented("entrypoint"));
        let app = fake_client(inner.path(), "my-app", "#!/bin/sh\necho started \"$@\"\n");
        let start = |archive: &Path, uri: &str| {
            let programs = format!("cp {} {} /srv/bin\n", entry.display(), app.display());
            container(&["/srv/bin/entry", "--port", "80"])
                .before(&mounted(archive, "seed.tar.gz"))
                .before(&programs)
                .env("DATABASE_URL", uri)
                .run()
        };
        // A broken seed, and no server: the application does not start.
        start(&broken, &target.uri()).refused(8, &["seed.tar.gz"]);
        start(&archive, &target.uri().replace("127.0.0.1", "127.0.0.2")).refused(4, &["127.0.0.2"]);
        // Empty, and then not empty: it does, and what it has changed stays.
        assert_eq!(start(&archive, &target.uri()).expect_code(0).text(), "started --port 80\n");
        assert_eq!(checksum(&target), checksum(&seed));
        target.sql("INSERT INTO orders VALUES (4, 'of the application')");
        let again = start(&archive, &target.uri()).expect_code(0);
        assert_eq!(again.text(), "started --port 80\n");
        assert!(again.stderr.contains("not empty"), "{}", again.stderr);
        assert_eq!(target.sql("SELECT count(*) FROM orders"), "4");
    }
}
