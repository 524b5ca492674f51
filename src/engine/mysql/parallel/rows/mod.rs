//! The rows of a dump by sessions of our own, in the place of the client's one: several where that is asked for, one where
//! there are FLOAT columns, of which the client writes six digits, or texts that its UTF-8 can't hold.
//!
//! ```text
//! mysqldump --where=0 ──▶ schema_stream: everything but the rows ──┐
//! reader (a session) ──▶ tuple: rows as mysqldump writes them ──────┼─▶ merge ──▶ dump.sql
//! reader (a session) ──▶ ...                                      ──┘
//! ```
//!
//! What comes of it is what the client alone would have written, byte for byte, these columns apart. `read_lock` makes all sessions see the same;
//! `tables` says how a large table is divided. Each session reads stretches ahead of their turn, as far as there is room.
//! Why it is done so: `docs/decisions/mysql-rows-in-order.md`.

use std::io::Read;
use std::sync::Arc;
use std::thread;

use mysql_async::Conn;
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::{Mutex, Semaphore, oneshot, watch};

use self::merge::{Form, RowMerger};
use self::read_lock::ReadLock;
use self::reader::{Beginning, ReaderContext};
use crate::connection::{Connection, Limits};
use crate::engine::mysql::dump::dump_filter::{self, TableFilter};
use crate::engine::mysql::dump::{self};
use crate::engine::mysql::probe::{findings, probe_keys};
use crate::engine::mysql::restore::suitability::is_member;
use crate::engine::mysql::session::{self, quote};
use crate::engine::{Client, DumpOptions, DumpSnapshot, Flavour, Server, check_free_connections};
use crate::error::{Error, Kind, Result};

mod merge;
mod read_lock;
mod reader;
mod schema_stream;
mod tables;
mod tuple;

pub use merge::{MergedDump, RunningMerge};
pub(in crate::engine::mysql) use schema_stream::NO_ROWS;

/// Bytes of a row for which all sessions together have room: the client library takes each row as a whole.
const ROWS: usize = 8 << 20;

/// Sessions that see the database at one moment, and read its rows when they are asked to.
pub struct RowReaders {
    /// Sessions.
    pub jobs: u32,
    /// Why there are fewer than were asked for.
    pub note: Option<String>,
    merger: RowMerger,
    /// The sessions end when it says so, and with it.
    over: Arc<watch::Sender<()>>,
}

impl RowReaders {
    /// What this client writes without rows, with the rows in their places.
    #[must_use]
    pub fn merge(&self, output: Box<dyn Read + Send>, client: &Client) -> (MergedDump, RunningMerge) {
        self.merger.merge(output, Form::of(client), &self.over)
    }
}

/// Who reads the rows of a dump.
#[derive(Debug, PartialEq, Eq)]
enum RowReader {
    /// The client; why, where sessions of our own would read more, or faster.
    Client(Option<String>),
    /// So many sessions of our own.
    Sessions(u32),
}

impl RowReader {
    /// Of the rows of these tables. Several sessions read where that is asked for; one does where the client would lose
    /// something of values, or would get a part of the rows.
    fn choose(server: &Server, options: &DumpOptions, selection: &TableFilter) -> Self {
        let several = options.jobs > 1;
        let names: Vec<&str> = selection.with_rows(server).collect();
        let some = |setting| probe_keys::list(server, setting).iter().any(|table| names.contains(table));
        let client_would_do = !loses(server, selection) && !some(probe_keys::OVER_LIMIT);
        if options.client_rows || !several && (options.schema_only || client_would_do) {
            return Self::Client(None);
        }
        let why = if options.schema_only {
            "--jobs divides rows: without them one client does it alone"
        } else if names.is_empty() {
            "--jobs divides rows: there are no tables, and one client does it alone"
        } else if several && some(probe_keys::NO_TRANSACTIONS) {
            "one client reads: there are tables without transactions, which several sessions might see differently"
        } else if some(probe_keys::VERSIONED) {
            "one client reads: there are system-versioned tables, whose history only MariaDB's own client dumps"
        } else if server.pooler.is_some() {
            "one client reads: behind a proxy several sessions may be with several servers"
        } else if !options.extra.is_empty() {
            "one client reads: the arguments after -- are for it alone"
        } else if !several && server.connections_left.is_some_and(|left| left < 2) {
            "one client reads: the server has no connection left for a session beside it"
        } else {
            return Self::Sessions(options.jobs.max(1));
        };
        Self::Client(Some(why.to_owned()))
    }
}

/// Locks tables so that who waits to write does not hold up the client, which reads them after us: MariaDB's plain lock
/// would.
fn lock(flavour: Flavour, tables: &[String]) -> String {
    let tables: Vec<_> = tables.iter().map(|table| quote(table)).collect();
    match flavour {
        Flavour::MARIADB => format!("FLUSH TABLES {} WITH READ LOCK", tables.join(", ")),
        _ => format!("LOCK TABLES {} READ", tables.join(" READ, ")),
    }
}

/// The FLOAT columns among the rows of a dump that lose digits in a client's text, as `table.column`.
pub(crate) fn floats<'s>(server: &'s Server, selection: &TableFilter) -> Vec<&'s str> {
    among(server, selection, probe_keys::FLOATS)
}

/// Whether a client's text would lose something of these rows.
fn loses(server: &Server, selection: &TableFilter) -> bool {
    [probe_keys::FLOATS, probe_keys::LOSSY_TEXTS].iter().any(|key| !among(server, selection, key).is_empty())
}

/// Of a list of columns those among the rows of a dump.
pub(crate) fn among<'s>(server: &'s Server, selection: &TableFilter, key: &str) -> Vec<&'s str> {
    let columns = probe_keys::list(server, key);
    if columns.is_empty() {
        return columns;
    }
    let tables: Vec<&str> = selection.with_rows(server).collect();
    columns.into_iter().filter(|column| tables.iter().any(|table| is_member(column, table))).collect()
}

/// Opens the sessions that read the rows, at one moment, or says why one client does it alone.
pub(crate) async fn hold(
    connection: &Connection,
    server: &Server,
    options: &DumpOptions,
    limits: &Limits,
) -> Result<DumpSnapshot> {
    let mut selection = dump_filter::select(options, server)?;
    if options.allow_incomplete {
        selection.leave_out(&findings::left_out(server));
    }
    let held = open(connection, server, options, limits, &selection).await?;
    // What several sessions can't read alike, one may well.
    let DumpSnapshot::Alone(Some(why)) = &held else { return Ok(held) };
    let over = probe_keys::list(server, probe_keys::OVER_LIMIT);
    let cut = selection.with_rows(server).any(|table| over.contains(&table));
    if options.jobs <= 1 || options.schema_only || !cut && !loses(server, &selection) {
        return Ok(held);
    }
    let one = DumpOptions { jobs: 1, ..options.clone() };
    let note = why.replacen("one client reads", "one session reads", 1);
    let alone = open(connection, server, &one, limits, &selection).await?;
    Ok(match alone {
        DumpSnapshot::Seen(readers) => DumpSnapshot::Seen(RowReaders { note: Some(note), ..readers }),
        _ => held,
    })
}

/// One attempt at that.
async fn open(
    connection: &Connection,
    server: &Server,
    options: &DumpOptions,
    limits: &Limits,
    selection: &TableFilter,
) -> Result<DumpSnapshot> {
    let jobs = match RowReader::choose(server, options, selection) {
        RowReader::Client(why) => return Ok(DumpSnapshot::Alone(why)),
        RowReader::Sessions(jobs) => jobs,
    };
    let locks = dump::locks_tables(server, options, selection);
    let sessions = Opening { connection, server, limits, jobs, locks, named: options.data_only };
    let names: Vec<_> = selection.with_rows(server).map(str::to_owned).collect();
    match sessions.open(&names).await {
        // The client alone can do it as well.
        Err(error) if options.jobs <= 1 => {
            let why = std::iter::once(error.what).chain(error.why).collect::<Vec<_>>();
            Ok(DumpSnapshot::Alone(Some(format!("one client reads: {}", why.join(": ")))))
        }
        opened => opened,
    }
}

/// What sessions are opened with.
struct Opening<'a> {
    connection: &'a Connection,
    server: &'a Server,
    limits: &'a Limits,
    jobs: u32,
    /// No table knows transactions: they are locked while they are read.
    locks: bool,
    /// Every statement names its columns: the tables are not in the dump.
    named: bool,
}

impl Opening<'_> {
    /// Opens sessions that read these tables.
    async fn open(&self, names: &[String]) -> Result<DumpSnapshot> {
        let Self { connection, server, limits, jobs, locks, named } = *self;
        let alone = jobs == 1;
        if !alone {
            // Those that read, the client's, and one that asks.
            check_free_connections(server, jobs, u64::from(jobs) + 2)?;
        }
        let mut conn = session::open(connection, Some(&connection.database), limits).await?;
        let foreign = session::within(connection, limits, other_engines(&mut conn, server)).await?;
        if let Some(table) = foreign.iter().find(|table| !alone && names.contains(table)) {
            return Ok(DumpSnapshot::Alone(Some(format!(
                "one client reads: table {table:?} is not InnoDB's, and several sessions might see it differently"
            ))));
        }
        let known = session::within(connection, limits, tables::ask(&mut conn, server, named)).await?;
        let wide = session::within(connection, limits, tables::wide(&mut conn, server)).await?;
        let _ = conn.disconnect().await;
        let (tasks, taken) = unbounded_channel();
        let (over, told) = watch::channel(());
        let turns = Arc::new(Semaphore::new(jobs as usize + 2));
        let board = ReaderContext {
            tasks: Mutex::new(taken),
            turns: Arc::clone(&turns),
            connection: connection.clone(),
            limits: *limits,
            longest: (ROWS / jobs as usize).max(1 << 20),
            alone,
            lock: locks.then(|| lock(server.flavour, names)),
            wide: wide.into_iter().filter(|(table, _)| alone && names.contains(table)).collect(),
        };
        if let Some(why) = begin(Arc::new(board), jobs, names, &told).await? {
            return Ok(DumpSnapshot::Alone(Some(format!(
                "one client reads: several sessions would need a lock for a moment: {why}"
            ))));
        }
        let ahead = jobs as usize * 2 + 4;
        let merger = RowMerger { tables: Arc::new(known), tasks, turns, ahead, idle: limits.idle };
        Ok(DumpSnapshot::Seen(RowReaders { jobs, note: None, merger, over: Arc::new(over) }))
    }
}

/// Tables of an engine whose locks and views of the database are not `InnoDB`'s.
async fn other_engines(conn: &mut Conn, server: &Server) -> mysql_async::Result<Vec<String>> {
    let query = "SELECT TABLE_NAME FROM information_schema.TABLES \
                 WHERE TABLE_SCHEMA = ? AND TABLE_TYPE = 'BASE TABLE' AND ENGINE <> 'InnoDB'";
    session::rows_of(conn, query, &[&server.database]).await
}

/// Starts the sessions' threads, and has all of them begin while nobody writes: one alone needs no such moment. What
/// hinders that comes back.
async fn begin(
    board: Arc<ReaderContext>,
    jobs: u32,
    tables: &[String],
    over: &watch::Receiver<()>,
) -> Result<Option<String>> {
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
        await_answer(is_open).await?;
        opened.push((go, has_begun));
    }
    let lock = if board.alone {
        None
    } else {
        match read_lock::acquire(&board.connection, &board.limits, tables).await? {
            ReadLock::Locked(conn) => Some(conn),
            ReadLock::Refused(why) => return Ok(Some(why)),
        }
    };
    let mut waiting = Vec::new();
    for (go, has_begun) in opened {
        let _ = go.send(());
        waiting.push(has_begun);
    }
    for has_begun in waiting {
        await_answer(has_begun).await?;
    }
    // The lock goes with its session.
    if let Some(lock) = lock {
        let _ = tokio::time::timeout(board.limits.connect, lock.disconnect()).await;
    }
    Ok(None)
}

async fn await_answer(answer: oneshot::Receiver<Result<()>>) -> Result<()> {
    let lost = || Error::new(Kind::Unexpected, "a session's thread ended with a defect of dbhaul's");
    answer.await.map_err(|_| lost())?
}
