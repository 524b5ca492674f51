//! The soak: random dumps, restores, copies and verifies against servers of its own, with signals, kills, cuts and stalls
//! at random moments; `scripts/soak.sh` runs it for an hour, `cargo test` for some seconds.
//!
//! `DBHAUL_SOAK_SECONDS` says for how long. `DBHAUL_SOAK_SEED` repeats the decisions of an earlier run, which prints its
//! own; how long things take is the machine's.

#![expect(clippy::print_stdout, reason = "it is a program that prints a table")]
#![expect(clippy::cast_precision_loss, reason = "sizes for people")]

#[path = "../it/support/mod.rs"]
#[allow(clippy::enum_glob_use, clippy::format_collect, clippy::similar_names, reason = "the tests', as they are")]
mod support;
mod tally;
mod watch;
mod worker;

use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
    time::{Duration, Instant, SystemTime},
};

use support::{Flavour, Server, assert_gone, eventually, names};
use tally::Tally;
use worker::Worker;

const WORKERS: u64 = 3;
const FLAVOURS: [Flavour; 3] = [Flavour::Postgres15, Flavour::Mysql, Flavour::Mariadb];

fn main() {
    // `cargo test NAME` and `cargo test -- --list` ask for tests of other files.
    if std::env::args().skip(1).any(|arg| arg == "--list" || !arg.starts_with('-')) {
        return;
    }
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let length = Duration::from_secs(number("DBHAUL_SOAK_SECONDS").unwrap_or(10));
    let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |now| now.as_secs());
    let seed = number("DBHAUL_SOAK_SEED").unwrap_or(clock);
    println!("soak: {} s, DBHAUL_SOAK_SEED={seed}", length.as_secs());

    let memory = shared_memory();
    let servers: Vec<_> = thread::scope(|scope| {
        let starting = FLAVOURS.map(|flavour| scope.spawn(move || Server::start(flavour)));
        starting.map(|server| server.join().expect("a server")).into_iter().collect()
    });
    let root = tempfile::tempdir().expect("a folder");
    let tally = Tally::new();
    let deadline = Instant::now() + length;
    thread::scope(|scope| {
        for number in 0..WORKERS {
            let (servers, tally, folder) = (&servers, &tally, root.path().join(number.to_string()));
            let work = move || Worker::new(seed + number, servers, &folder, tally).work_until(deadline);
            scope.spawn(move || {
                if catch_unwind(AssertUnwindSafe(work)).is_err() {
                    println!("soak: worker {number} found the above; DBHAUL_SOAK_SEED={seed}");
                    tally.fail();
                }
            });
        }
    });
    println!("{}", tally.table());
    assert!(!tally.failed(), "the soak found something: see above");
    for server in &servers {
        nothing_left(server);
    }
    assert_gone(&root.path().display().to_string());
    // Servers and folders may stand in /dev/shm themselves.
    drop((servers, root));
    eventually("shared memory is as it was", || shared_memory().is_subset(&memory));
    let [(rss, fds), (later_rss, later_fds)] = tally.halves();
    // Both halves have their luck; a leak has no bound.
    assert!(later_rss < rss * 3 / 2 + 16 * 1024, "the resident size grows: {rss} KiB, then {later_rss} KiB");
    assert!(later_fds < fds * 3 / 2 + 16, "the descriptors grow: {fds}, then {later_fds}");
    println!("nothing was left: no process, session, prepared transaction, file, shared memory");
}

/// Neither a session nor a prepared transaction.
fn nothing_left(server: &Server) {
    let (sessions, prepared) = if server.flavour().is_postgres() {
        let others = "backend_type = 'client backend' AND pid <> pg_backend_pid()";
        (format!("SELECT count(*) FROM pg_stat_activity WHERE {others}"), "SELECT gid FROM pg_prepared_xacts")
    } else {
        let others = "command NOT IN ('Daemon', 'Binlog Dump') AND user <> 'event_scheduler' AND id <> connection_id()";
        let list = server.flavour().processlist();
        (format!("SELECT count(*) FROM {list} WHERE {others}"), "XA RECOVER")
    };
    eventually("the server counts no session", || server.sql(&sessions).starts_with('0'));
    assert_eq!(server.sql(prepared), "", "a prepared transaction on {}", server.flavour().name());
}

/// What stands in /dev/shm.
fn shared_memory() -> BTreeSet<String> {
    let folder = std::path::Path::new("/dev/shm");
    if folder.exists() { names(folder).into_iter().collect() } else { BTreeSet::new() }
}
