//! One run of dbhaul: watched while it lives, something done to it, judged by what it leaves on the machine.

use std::{
    collections::BTreeSet,
    fs, thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Database, Dbhaul, Output, Proxy, Treatment, child_of, descendants, eventually, peak};

/// What is done to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Nothing,
    Signal(Signal),
    Twice,
    Client(Signal),
    Sessions,
    Cut,
    Stall,
}

impl Fault {
    /// Whether a run may end so.
    pub fn explains(self, output: &Output) -> bool {
        let (code, signal) = (output.code, output.signal);
        match self {
            _ if code == Some(0) => true,
            Self::Nothing => false,
            // One that comes before anybody listens ends it at once.
            Self::Signal(sent) => signal == Some(sent.as_raw()) || code == Some(128 + sent.as_raw()),
            Self::Twice => signal == Some(15) || code == Some(143),
            Self::Client(_) | Self::Stall => matches!(code, Some(4..=7 | 11)),
            Self::Sessions | Self::Cut => matches!(code, Some(4 | 6 | 7)),
        }
    }

    /// Options without which it would take too long.
    pub fn options(self) -> &'static [&'static str] {
        match self {
            Self::Client(_) | Self::Stall => {
                &["--idle-timeout", "3", "--grace-period", "1", "--connect-timeout", "8", "--retries", "0"]
            }
            _ => &[],
        }
    }
}

/// How a run went.
pub struct Ran {
    pub output: Output,
    pub took: Duration,
    /// KiB.
    pub rss: u64,
    pub fds: usize,
}

/// Runs it, does `fault` to it after so long, and waits until every process of it is gone.
pub fn watch(command: Dbhaul, fault: Fault, after: Duration, proxy: &Proxy, databases: &[&Database<'_>]) -> Ran {
    let started = Instant::now();
    let mut running = command.spawn();
    let pid = running.pid();
    let mut family = BTreeSet::new();
    let (mut rss, mut fds, mut done) = (0, 0, fault == Fault::Nothing);
    while running.is_running() {
        if let Some(peak) = peak(pid) {
            rss = rss.max(peak);
            fds = fds.max(fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count));
        }
        family.extend(descendants(pid).into_iter().filter_map(birth));
        if !done && started.elapsed() >= after {
            // dbhaul may be between two clients.
            done = act(fault, pid, proxy, databases);
        } else if done && fault == Fault::Twice {
            signal(pid, Signal::TERM);
        }
        thread::sleep(Duration::from_millis(if done { 25 } else { 5 }));
    }
    let took = started.elapsed();
    let output = running.wait();
    eventually("every process of the run is gone", || {
        !family.iter().any(|&(pid, born)| birth(pid) == Some((pid, born)))
    });
    Ran { output, took, rss, fds }
}

fn act(fault: Fault, pid: u32, proxy: &Proxy, databases: &[&Database<'_>]) -> bool {
    match fault {
        Fault::Nothing => {}
        Fault::Signal(number) => signal(pid, number),
        Fault::Twice => signal(pid, Signal::TERM),
        Fault::Client(number) => {
            let programs = ["pg_dump", "pg_restore", "psql", "mysqldump", "mariadb-dump", "mysql", "mariadb"];
            let Some(client) = programs.iter().find_map(|program| child_of(pid, program)) else { return false };
            signal(client, number);
        }
        Fault::Sessions => {
            for database in databases {
                database.end_sessions();
            }
        }
        Fault::Cut => {
            proxy.treat(Treatment::Reset);
            // New ones are served.
            proxy.treat(Treatment::Passed);
        }
        Fault::Stall => proxy.treat(Treatment::Stalled),
    }
    true
}

/// It may have ended a moment ago.
fn signal(pid: u32, number: Signal) {
    let _ = kill_process(Pid::from_raw(pid.cast_signed()).expect("a pid"), number);
}

/// A process that is no zombie, and when it was started: ids come again.
fn birth(pid: u32) -> Option<(u32, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit(") ").next()?.split(' ');
    (fields.next()? != "Z").then_some(())?;
    Some((pid, fields.nth(18)?.parse().ok()?))
}
