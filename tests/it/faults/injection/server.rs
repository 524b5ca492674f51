//! What happens to the server: it hits everybody at once, so every case at every moment stands on one server then.

use std::{
    any::Any,
    collections::HashMap,
    fs,
    io::Write,
    os::unix::fs::MetadataExt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process::Command,
    sync::{OnceLock, PoisonError, RwLock},
    thread,
};

use rustix::process::Signal;

use super::{CASES, Case, Fault, Grid, MOMENTS, Moment, Stage, Work, grid::words, stage::Held, weaker};
use crate::support::{Crowd, Disk, Flavour, Gate, Lock, Server};

/// Something that goes wrong on a server.
struct Calamity {
    name: &'static str,
    /// Before dbhaul starts, and after everything.
    prepare: fn(&Server),
    restore: fn(&Server),
    /// At the moment. What comes back lasts until every dbhaul has ended.
    strike: fn(&Server) -> Box<dyn Any>,
    /// When every dbhaul has ended.
    mend: fn(&Server),
}

fn nothing(_: &Server) {}

const CALAMITIES: &[Calamity] = &[
    Calamity {
        name: "the server is stopped",
        strike: |server| {
            server.halt(if server.flavour().is_postgres() { Signal::INT } else { Signal::TERM });
            server.gone();
            Box::new(())
        },
        mend: Server::resume,
        prepare: nothing,
        restore: nothing,
    },
    Calamity {
        name: "the server is killed, and starts again",
        strike: |server| {
            // A PostgreSQL takes its sessions along when it is told to end at once.
            server.halt(if server.flavour().is_postgres() { Signal::QUIT } else { Signal::KILL });
            server.resume();
            Box::new(())
        },
        mend: nothing,
        prepare: nothing,
        restore: nothing,
    },
    Calamity {
        name: "every other connection is taken",
        strike: |server| {
            let crowd = Crowd::fill(server);
            // A pg_restore that has had no byte yet is still to connect: one for a restore, one for a copy.
            Box::new(if server.flavour().is_postgres() { crowd.leave(server, 2) } else { crowd })
        },
        mend: nothing,
        prepare: nothing,
        restore: nothing,
    },
    Calamity {
        name: "the server ends statements and silent sessions after 5 s",
        prepare: |server| {
            server.sql(if server.flavour().is_postgres() {
                "ALTER ROLE dbhaul SET statement_timeout = '5s'; \
                 ALTER ROLE dbhaul SET idle_in_transaction_session_timeout = '5s'; \
                 ALTER ROLE dbhaul SET lock_timeout = '5s'"
            } else {
                "SET GLOBAL max_execution_time = 5000; SET GLOBAL wait_timeout = 5; SET GLOBAL net_read_timeout = 5; \
                 SET GLOBAL net_write_timeout = 5"
            });
        },
        restore: |server| {
            server.sql(if server.flavour().is_postgres() {
                "ALTER ROLE dbhaul RESET ALL"
            } else {
                "SET GLOBAL max_execution_time = DEFAULT; SET GLOBAL wait_timeout = DEFAULT; \
                 SET GLOBAL net_read_timeout = DEFAULT; SET GLOBAL net_write_timeout = DEFAULT"
            });
        },
        strike: |_| {
            // No proof: what is to be survived is a silence of so long.
            thread::sleep(std::time::Duration::from_secs(6));
            Box::new(())
        },
        mend: nothing,
    },
];

type Outcomes = HashMap<(Case, Moment), Result<String, String>>;

impl Calamity {
    /// All of it, for both families.
    fn happen(&self) -> Outcomes {
        let both = [Flavour::Postgres15, Flavour::Mysql];
        thread::scope(|scope| {
            let running = both.map(|flavour| scope.spawn(move || self.happen_to(breakable(flavour))));
            running.into_iter().flat_map(|thread| thread.join().expect("no stage fails to stand still")).collect()
        })
    }

    fn happen_to(&self, server: &'static Server) -> Outcomes {
        let cases = CASES.into_iter().filter(|case| case.flavour == server.flavour() && case.work != Work::Verify);
        let stages = cases.flat_map(|case| MOMENTS.map(|moment| Stage::on_static(server, case, moment)));
        let stages: Vec<_> = stages.collect();
        (self.prepare)(server);
        let mut held = at_once(stages, |stage| {
            let held = stage.hold();
            held.stand_still();
            held
        });
        let lasting = (self.strike)(server);
        for held in &mut held {
            held.release();
        }
        let ended: Vec<_> = held.into_iter().map(Held::ended).collect();
        drop(lasting);
        (self.mend)(server);
        (self.restore)(server);
        let outcomes = at_once(ended, |ended| {
            let of = (ended.stage.case, ended.stage.moment);
            let outcome = catch_unwind(AssertUnwindSafe(|| ended.outcome())).map_err(|panic| words(&*panic));
            // The last byte of a copy goes on its way when its dumper has ended well, which is about now.
            (of, outcome.map(|outcome| weaker(of.0.work == Work::Copy && of.1 == Moment::LastByte, outcome)))
        });
        outcomes.into_iter().collect()
    }
}

fn at_once<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    thread::scope(|scope| {
        let running: Vec<_> = items.into_iter().map(|item| scope.spawn(|| work(item))).collect();
        running.into_iter().map(|thread| thread.join().expect("it stands still")).collect()
    })
}

/// A server that may be broken, one for each family. What it has committed it does not forget when it is killed.
fn breakable(flavour: Flavour) -> &'static Server {
    static SERVERS: [OnceLock<Server>; 2] = [const { OnceLock::new() }; 2];
    let (at, more): (_, &[&str]) = if flavour.is_postgres() {
        (0, &["-c", "authentication_timeout=600", "-c", "synchronous_commit=on"])
    } else {
        (1, &["--connect-timeout=600", "--max-connections=50", "--innodb-flush-log-at-trx-commit=2"])
    };
    SERVERS[at].get_or_init(|| Server::start_with(flavour, more))
}

/// One after the other where all connections are taken, several where only a disk is.
static TAKEN: RwLock<()> = RwLock::new(());

/// Everything has been asked and found in order when the last connection goes.
fn is_crowded_out(case: Case, moment: Moment) -> Option<String> {
    (moment == Moment::Start && [Work::Dump, Work::Restore].contains(&case.work)).then(|| {
        let _alone = TAKEN.write().unwrap_or_else(PoisonError::into_inner);
        let stage = Stage::on_static(breakable(case.flavour), case, moment);
        let gate = Gate::before(&breakable(case.flavour).client_dir());
        let command = stage.command().client_dirs([gate.folder()]);
        let mut held = stage.start_as(command);
        held.running.wait_until("a client before the gate", |_| gate.reached());
        let crowd = Crowd::fill(breakable(case.flavour));
        gate.open();
        let ended = held.ended();
        drop(crowd);
        let log = breakable(case.flavour).log();
        let told = log.lines().rev().take(30).map(|line| format!("{line}\n")).collect::<String>();
        assert!(ended.output.stderr.contains("connection"), "{}\nthe server, backwards:\n{told}", ended.output.stderr);
        assert!(ended.output.hints() > 0, "{}", ended.output.stderr);
        ended.outcome()
    })
}

fn finds_a_lock(case: Case, moment: Moment) -> Option<String> {
    (moment == Moment::Start && case.work == Work::Dump).then(|| {
        let stage = Stage::at(case, moment);
        let lock = Lock::on(&stage.source, "orders");
        // The clients give up at nine tenths of it, counted from when they get there.
        let command = stage.command().args(["--idle-timeout", "30"]);
        let mut held = stage.hold_as(command);
        held.release();
        let ended = held.ended();
        drop(lock);
        let holder = "it waited for a lock of session";
        assert!(ended.output.stderr.contains(holder), "{}", ended.output.stderr);
        ended.outcome()
    })
}

/// A PostgreSQL's target in a tablespace, a MySQL's own folder, on a disk that then has no room left.
fn finds_the_disk_full(case: Case, moment: Moment) -> Option<String> {
    [Work::Restore, Work::Copy].contains(&case.work).then(|| {
        let _several = TAKEN.read().unwrap_or_else(PoisonError::into_inner);
        let server = breakable(case.flavour);
        let stage = Stage::on(server, case, moment);
        let data = server.data().metadata().expect("the data folder");
        let disk = Disk::mount(&format!("size=64m,mode=700,uid={},gid={}", data.uid(), data.gid()));
        let name = stage.target.name().to_owned();
        let target = server.quote(&name);
        let bound = server.data().join(&name);
        if case.flavour.is_postgres() {
            server.sql(&format!("CREATE TABLESPACE {target} LOCATION '{}'", disk.path().display()));
            server.sql(&format!("ALTER DATABASE {target} SET TABLESPACE {target}"));
        } else {
            let status = Command::new("mount").arg("--bind").args([disk.path(), &bound]).status();
            assert!(status.expect("run mount").success(), "these tests mount a folder, as root");
        }
        let mut held = stage.hold();
        held.stand_still();
        fill(disk.path());
        held.release();
        let outcome = catch_unwind(AssertUnwindSafe(|| held.outcome()));
        if case.flavour.is_postgres() {
            server.sql(&format!("DROP TABLESPACE {target}"));
        } else {
            drop_tables(server, &name);
            let status = Command::new("umount").arg(&bound).status();
            assert!(status.expect("run umount").success(), "the server still uses files there");
            server.sql(&format!("DROP DATABASE {target}"));
        }
        outcome.unwrap_or_else(|panic| panic!("{}", words(&*panic)))
    })
}

/// A MySQL drops no database whose folder can't go, and none of its tables then. It looks for their files later, and
/// ends itself where they are gone.
fn drop_tables(server: &Server, database: &str) {
    let sql = format!("SELECT table_name FROM information_schema.tables WHERE table_schema = '{database}'");
    for table in server.sql(&sql).lines() {
        server.sql(&format!("DROP TABLE {}.{}", server.quote(database), server.quote(table)));
    }
}

/// Leaves no room on a disk.
fn fill(folder: &Path) {
    let mut file = fs::File::create(folder.join("filler")).expect("a file");
    while file.write_all(&[0; 4096]).is_ok() {}
}

#[test]
fn every_calamity_of_a_server_at_every_moment() {
    let outcomes: Vec<_> = CALAMITIES.iter().map(Calamity::happen).collect();
    let tell: Vec<_> = outcomes
        .iter()
        .map(|outcomes| {
            move |case, moment| {
                let found: &Result<String, String> = outcomes.get(&(case, moment))?;
                Some(found.clone().unwrap_or_else(|why| panic!("{why}")))
            }
        })
        .collect();
    let mut faults: Vec<_> =
        CALAMITIES.iter().zip(&tell).map(|(calamity, run)| Fault { name: calamity.name, run }).collect();
    faults.extend([
        Fault { name: "the client finds every connection taken", run: &is_crowded_out },
        Fault { name: "a lock is held for ever", run: &finds_a_lock },
        Fault { name: "the disk of the target is full", run: &finds_the_disk_full },
    ]);
    Grid(&faults).assert("server");
}
