//! What happens to the server: it hits everybody at once, so every case at every moment stands on one server then.

use std::{
    any::Any,
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::OnceLock,
    thread,
};

use rustix::process::Signal;

use super::{CASES, Case, Fault, Grid, MOMENTS, Moment, Stage, Work};
use crate::support::{Crowd, Flavour, Server};

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
        strike: |server| Box::new(Crowd::fill(server)),
        mend: nothing,
        prepare: nothing,
        restore: nothing,
    },
    Calamity {
        name: "the server ends statements and silent sessions after 0.5 s (1 s)",
        prepare: |server| {
            server.sql(if server.flavour().is_postgres() {
                "ALTER ROLE dbhaul SET statement_timeout = '500ms'; \
                 ALTER ROLE dbhaul SET idle_in_transaction_session_timeout = '500ms'; \
                 ALTER ROLE dbhaul SET lock_timeout = '500ms'"
            } else {
                "SET GLOBAL max_execution_time = 500; SET GLOBAL wait_timeout = 1; SET GLOBAL net_read_timeout = 1; \
                 SET GLOBAL net_write_timeout = 1"
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
            thread::sleep(std::time::Duration::from_millis(1500));
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
        let mut held: Vec<_> = stages.into_iter().map(Stage::hold).collect();
        held.iter().for_each(|held| held.stand_still());
        let lasting = (self.strike)(server);
        held.iter_mut().for_each(|held| held.release());
        let ended: Vec<_> = held.into_iter().map(|held| held.ended()).collect();
        drop(lasting);
        (self.mend)(server);
        (self.restore)(server);
        let outcome = |ended: super::stage::Ended<'_>| {
            let of = (ended.stage.case, ended.stage.moment);
            (of, catch_unwind(AssertUnwindSafe(|| ended.outcome())).map_err(|panic| super::grid::words(&*panic)))
        };
        ended.into_iter().map(outcome).collect()
    }
}

/// A server that may be broken, one for each family.
fn breakable(flavour: Flavour) -> &'static Server {
    static SERVERS: [OnceLock<Server>; 2] = [const { OnceLock::new() }; 2];
    let (at, more): (_, &[&str]) = if flavour.is_postgres() {
        (0, &["-c", "authentication_timeout=600", "-c", "superuser_reserved_connections=0"])
    } else {
        (1, &["--connect-timeout=600", "--max-connections=50"])
    };
    SERVERS[at].get_or_init(|| Server::start_with(flavour, more))
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
    let faults: Vec<_> =
        CALAMITIES.iter().zip(&tell).map(|(calamity, run)| Fault { name: calamity.name, run }).collect();
    Grid(&faults).assert("server");
}
