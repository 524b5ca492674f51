//! The rows of a dump by several sessions of our own, in the place of the client's one.
//!
//! ```text
//! mysqldump --where=0 ──▶ skeleton: everything but the rows ──┐
//! reader (a session) ──▶ tuple: rows as mysqldump writes them ─┼─▶ weave ──▶ dump.sql
//! reader (a session) ──▶ ...                                 ──┘
//! ```
//!
//! What comes of it is what the client alone would have written, byte for byte. `moment` makes all sessions see the same;
//! `tables` says how a large table is divided. Each session reads stretches ahead of their turn, as far as there is room.
//! Why it is done so: `docs/decisions/mysql-rows-in-order.md`.

use std::io::Read;
use std::sync::Arc;
use std::thread;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::{Mutex, Semaphore, oneshot, watch};

use self::moment::Quiet;
use self::reader::{Beginning, Board};
use self::weave::{Form, Loom};
use super::select;
use super::{findings, session, setting};
use crate::connection::{Connection, Limits};
use crate::engine::{Client, DumpOptions, Moment, Server, room};
use crate::error::{Error, Kind, Result};

mod moment;
mod reader;
mod skeleton;
mod tables;
mod tuple;
mod weave;

pub(super) use skeleton::NO_ROWS;
pub use weave::{Weaving, Woven};

/// Bytes of a row for which all sessions together have room: the client library takes each row as a whole.
const ROWS: usize = 8 << 20;

/// Sessions that see the database at one moment, and read its rows when they are asked to.
pub struct Readers {
    /// Sessions.
    pub jobs: u32,
    loom: Loom,
    /// The sessions end when it says so, and with it.
    over: Arc<watch::Sender<()>>,
}

impl Readers {
    /// What this client writes without rows, with the rows in their places.
    #[must_use]
    pub fn weave(&self, output: Box<dyn Read + Send>, client: &Client) -> (Woven, Weaving) {
        self.loom.weave(output, Form::of(client), &self.over)
    }
}

/// Opens the sessions that these options ask for, at one moment, or says why one client does it alone.
pub(super) async fn hold(
    connection: &Connection,
    server: &Server,
    options: &DumpOptions,
    limits: &Limits,
) -> Result<Moment> {
    if options.jobs <= 1 {
        return Ok(Moment::Alone(None));
    }
    let names = read_here(server, options)?;
    if let Some(why) = alone(server, options, &names) {
        return Ok(Moment::Alone(Some(why.to_owned())));
    }
    // Those that read, the client's, and one that asks.
    room(server, options.jobs, u64::from(options.jobs) + 2)?;
    let mut conn = session::open(connection, Some(&connection.database), limits).await?;
    let foreign: Vec<String> = session::within(connection, limits, other_engines(&mut conn, server)).await?;
    if let Some(table) = foreign.iter().find(|table| names.contains(table)) {
        let why =
            format!("one client reads: table {table:?} is not InnoDB's, and several sessions might see it differently");
        return Ok(Moment::Alone(Some(why)));
    }
    let known = session::within(connection, limits, tables::ask(&mut conn, server)).await?;
    let _ = conn.disconnect().await;
    let (tasks, taken) = unbounded_channel();
    let (over, told) = watch::channel(());
    let turns = Arc::new(Semaphore::new(options.jobs as usize + 2));
    let longest = (ROWS / options.jobs as usize).max(1 << 20);
    let board = Board {
        tasks: Mutex::new(taken),
        turns: Arc::clone(&turns),
        connection: connection.clone(),
        limits: *limits,
        longest,
    };
    if let Some(why) = begin(Arc::new(board), options.jobs, &names, &told).await? {
        return Ok(Moment::Alone(Some(format!(
            "one client reads: several sessions would need a lock for a moment: {why}"
        ))));
    }
    let ahead = options.jobs as usize * 2 + 4;
    let loom = Loom { tables: Arc::new(known), tasks, turns, ahead, idle: limits.idle };
    Ok(Moment::Seen(Readers { jobs: options.jobs, loom, over: Arc::new(over) }))
}

/// The tables whose rows are dumped.
fn read_here(server: &Server, options: &DumpOptions) -> Result<Vec<String>> {
    let mut selection = select::select(options, server)?;
    if options.allow_incomplete {
        selection.leave_out(&findings::left_out(server));
    }
    Ok(selection.with_rows(server).map(str::to_owned).collect())
}

/// Why one client does it alone, although several sessions were asked for.
fn alone(server: &Server, options: &DumpOptions, names: &[String]) -> Option<&'static str> {
    let some = |setting| setting::list(server, setting).iter().any(|&table| names.iter().any(|name| name == table));
    if options.schema_only {
        Some("--jobs divides rows: without them one client does it alone")
    } else if names.is_empty() {
        Some("--jobs divides rows: there are no tables, and one client does it alone")
    } else if some(setting::NO_TRANSACTIONS) {
        Some("one client reads: there are tables without transactions, which several sessions might see differently")
    } else if some(setting::VERSIONED) {
        Some("one client reads: there are system-versioned tables, whose history only MariaDB's own client dumps")
    } else if server.pooler.is_some() {
        Some("one client reads: behind a proxy several sessions may be with several servers")
    } else {
        None
    }
}

/// Tables of an engine whose locks and views of the database are not `InnoDB`'s.
async fn other_engines(conn: &mut Conn, server: &Server) -> mysql_async::Result<Vec<String>> {
    let query = "SELECT TABLE_NAME FROM information_schema.TABLES \
                 WHERE TABLE_SCHEMA = ? AND TABLE_TYPE = 'BASE TABLE' AND ENGINE <> 'InnoDB'";
    conn.exec(query, (&server.database,)).await
}

/// Starts the sessions' threads, and has all of them begin while nobody writes. What hinders that comes back.
async fn begin(board: Arc<Board>, jobs: u32, tables: &[String], over: &watch::Receiver<()>) -> Result<Option<String>> {
    let mut sessions = Vec::new();
    for _ in 0..jobs {
        let ((opened, is_open), (go, quiet), (begun, has_begun)) =
            (oneshot::channel(), oneshot::channel(), oneshot::channel());
        let (board, over) = (Arc::clone(&board), over.clone());
        thread::spawn(move || reader::run(&board, Beginning { opened, quiet, begun }, over));
        sessions.push((is_open, go, has_begun));
    }
    let mut opened = Vec::new();
    for (is_open, go, has_begun) in sessions {
        told(is_open).await?;
        opened.push((go, has_begun));
    }
    let lock = match moment::quiet(&board.connection, &board.limits, tables).await? {
        Quiet::Locked(conn) => conn,
        Quiet::Refused(why) => return Ok(Some(why)),
    };
    let mut waiting = Vec::new();
    for (go, has_begun) in opened {
        let _ = go.send(());
        waiting.push(has_begun);
    }
    for has_begun in waiting {
        told(has_begun).await?;
    }
    // The lock goes with its session.
    let _ = tokio::time::timeout(board.limits.connect, lock.disconnect()).await;
    Ok(None)
}

async fn told(answer: oneshot::Receiver<Result<()>>) -> Result<()> {
    let lost = || Error::new(Kind::Unexpected, "a session's thread ended with a defect of dbhaul's");
    answer.await.map_err(|_| lost())?
}
