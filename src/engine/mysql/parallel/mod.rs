//! A restore by several sessions of our own, in the place of the `mysql` client.
//!
//! ```text
//! SQL ──▶ script ──▶ coordinator (a session) ──▶ work_queue ──▶ worker (a session) ──▶ target
//!         statements  SET, CREATE, views, ...     rows,          worker
//!                                                 keys           ...
//! ```
//!
//! `script` cuts the SQL on the thread that reads it; everything else happens in [`load`], on one thread. `keys` takes
//! secondary and foreign keys out of a table's definition, to be made when its rows are in. `session_vars` gives each
//! session what the dump had set where a statement stood. Why it is done so:
//! `docs/decisions/mysql-sessions-of-our-own.md`.

pub(super) mod rows;

use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use mysql_async::prelude::Queryable;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::{JoinSet, LocalSet};

use self::coordinator::Coordinator;
pub(super) use self::coordinator::Known;
use self::script::{Script, Statement};
use self::worker::{Common, LoadSession};
use super::session;
use super::session::session_activity::processes;
use crate::connection::{Connection, Limits};
use crate::engine::{RunningLoad, Scene, Sessions};
use crate::error::{Error, Kind, Result};
use crate::report::units;

mod coordinator;
pub(super) mod keys;
mod script;
mod session_vars;
mod work_queue;
mod worker;

/// How much memory the rows may take that sessions have in hand or wait for, in KiB: for each of them, and the least of
/// all. The client library takes as much again, twice.
const ROWS_MEMORY_KIB: (u32, u32) = (1 << 10, 4 << 10);

/// A load by several sessions, not begun.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) connection: Connection,
    /// Sessions that work, beside the one that leads.
    pub(super) jobs: u32,
    pub(super) known: Known,
    /// The dump defines the tables of its rows, on a MariaDB.
    pub(super) unchecked: bool,
    /// For whoever explains a failure.
    pub(super) scene: Scene,
}

impl Sessions for Load {
    fn describe(&self) -> String {
        let (sessions, them) = (units::plural(self.jobs.into(), "session"), if self.jobs == 1 { "it" } else { "them" });
        format!("{sessions} of dbhaul's own, and one that leads {them}; no client is run")
    }

    fn start(self: Box<Self>, limits: &Limits, done: Arc<AtomicU64>) -> RunningLoad {
        // What waits for room waits here, and keeps the reader waiting.
        let (sender, statements) = channel(1);
        let sql: Box<dyn Write + Send> = Box::new(Script::new(sender));
        let ids = Rc::new(RefCell::new(Vec::new()));
        let (connection, limits) = (self.connection.clone(), *limits);
        let of_end = Rc::clone(&ids);
        let work = Box::pin(async move {
            let local = LocalSet::new();
            local.run_until(load(*self, limits, statements, ids, done)).await
        });
        let end = Box::pin(async move {
            let left = of_end.take();
            end(&connection, &limits, &left).await
        });
        RunningLoad { sql, work, end }
    }
}

/// Opens all sessions before the first statement runs, and ends with the first error of any. The rows that the server
/// took come back.
async fn load(
    load: Load,
    limits: Limits,
    statements: Receiver<Statement>,
    ids: Rc<RefCell<Vec<u32>>>,
    done: Arc<AtomicU64>,
) -> Result<u64> {
    let Load { connection, jobs, known, unchecked, scene } = load;
    let (before, board, taken) = (RefCell::default(), work_queue::WorkQueue::default(), RefCell::default());
    let common = Rc::new(Common { connection, scene, unchecked, limits, ids, done, taken, before, board });
    let first = LoadSession::open(&common).await?;
    let mut opened = Vec::new();
    for _ in 0..jobs {
        opened.push(LoadSession::open(&common).await?);
    }
    let mut sessions = JoinSet::new();
    for session in opened {
        sessions.spawn_local(session.work());
    }
    let room = (jobs * ROWS_MEMORY_KIB.0).max(ROWS_MEMORY_KIB.1);
    let mut leading = Box::pin(Coordinator::new(first, &common, room, known).lead(statements));
    let mut led = false;
    loop {
        tokio::select! {
            biased;
            Some(ended) = sessions.join_next() => {
                ended.map_err(|e| Error::new(Kind::Unexpected, "a session ended with a defect of dbhaul's").why(e))??;
            }
            result = &mut leading, if !led => {
                result?;
                led = true;
            }
            else => return Ok(common.taken.borrow().values().sum()),
        }
    }
}

/// Ends what our sessions are still doing: a statement that runs does not notice that nobody waits for it.
async fn end(connection: &Connection, limits: &Limits, ids: &[u32]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let work = async {
        let mut conn = session::open(connection, None, limits).await?;
        let kill = async {
            // Behind a proxy a number may be somebody else's.
            let left = processes(&mut conn, &connection.database).await?;
            for process in left.iter().filter(|process| ids.iter().any(|id| u64::from(*id) == process.id)) {
                let _ = conn.query_drop(format!("KILL {}", process.id)).await;
            }
            Ok(())
        };
        session::within(connection, limits, kill).await?;
        let _ = conn.disconnect().await;
        Ok(())
    };
    tokio::time::timeout(limits.grace, work).await.unwrap_or(Ok(()))
}
