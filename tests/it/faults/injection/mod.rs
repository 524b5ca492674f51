//! Faults at every moment of every command, and what is left then: docs/reliability.md shows the tables.
//!
//! A [`Stage`] is one run of dbhaul with everything around it, stopped at a [`Moment`]; a [`Grid`] does one fault after
//! the other on stages of every kind, and compares what came out with a section of the page.

mod disk;
mod disk_limits;
mod grid;
mod leftovers;
mod lent;
mod network;
mod server;
mod signals;
mod stage;

use grid::{Fault, Grid};
use stage::{Held, Stage};

use std::fmt::{self, Display};

use crate::support::Flavour;

/// What dbhaul is told to do, and on which servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Case {
    work: Work,
    flavour: Flavour,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Work {
    Dump,
    Restore,
    Copy,
    /// Of an archive that comes through a pipe.
    Verify,
}

/// The columns of every table.
const CASES: [Case; 8] = {
    const fn case(work: Work, flavour: Flavour) -> Case {
        Case { work, flavour }
    }
    [
        case(Work::Dump, Flavour::Postgres15),
        case(Work::Dump, Flavour::Mysql),
        case(Work::Restore, Flavour::Postgres15),
        case(Work::Restore, Flavour::Mysql),
        case(Work::Copy, Flavour::Postgres15),
        case(Work::Copy, Flavour::Mysql),
        case(Work::Verify, Flavour::Postgres15),
        case(Work::Verify, Flavour::Mysql),
    ]
};

/// How much has moved when the fault happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Moment {
    /// Nothing: the client runs and waits.
    Start,
    /// Half of the bytes.
    Middle,
    /// All bytes but one.
    LastByte,
    /// Every byte, but not the end of the stream.
    Sent,
}

const MOMENTS: [Moment; 4] = [Moment::Start, Moment::Middle, Moment::LastByte, Moment::Sent];

impl Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::LastByte => "last byte",
            Self::Sent => "sent",
        })
    }
}

impl Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let work = match self.work {
            Work::Dump => "dump",
            Work::Restore => "restore",
            Work::Copy => "copy",
            Work::Verify => "verify",
        };
        let engine = if self.flavour.is_postgres() { "PostgreSQL" } else { "MySQL" };
        write!(f, "{work}, {engine}")
    }
}

/// How much has got into the pipes and sockets before a loader sees the end is the system's affair. Once all may have,
/// dbhaul says the weaker of two truths.
fn weaker(may_be: bool, outcome: String) -> String {
    if may_be { outcome.replace("rolled back", "all or nothing") } else { outcome }
}
