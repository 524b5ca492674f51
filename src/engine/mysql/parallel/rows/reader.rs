//! One session that reads rows, on a thread of its own.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{Mutex, Semaphore, oneshot, watch};

use super::schema_stream::RowsSlot;
use super::tuple::{self, Shape};
use crate::connection::{Connection, Limits};
use crate::engine::Scene;
use crate::engine::mysql::diagnose::diagnose;
use crate::engine::mysql::session::{self, connection_args, quote};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;
use crate::report::units;

/// Rows are handed over in pieces of this many bytes, and few more: below what the allocator takes from the system anew
/// each time.
const PIECE: usize = 96 << 10;
/// So many pieces of a stretch may wait for their turn.
pub(super) const PIECES: usize = 22;

/// What comes of a stretch.
#[derive(Debug)]
pub(super) enum StretchRows {
    /// Rows, one behind the other, and where each ends.
    Rows { bytes: Vec<u8>, ends: Vec<usize> },
    /// There are no more.
    End,
    /// It could not be read.
    Failed(Box<Error>),
}

/// A stretch of a table that is to be read.
pub(super) struct Task {
    pub(super) place: Arc<RowsSlot>,
    pub(super) select: String,
    pub(super) pieces: SyncSender<StretchRows>,
}

/// What the sessions share.
pub(super) struct ReaderContext {
    /// The stretches, in the order of their turns.
    pub(super) tasks: Mutex<UnboundedReceiver<Task>>,
    /// How many may still be begun: those that wait for their turn take memory.
    pub(super) turns: Arc<Semaphore>,
    pub(super) connection: Connection,
    pub(super) limits: Limits,
    /// A row of more bytes is not read.
    pub(super) longest: usize,
    /// There is but one session.
    pub(super) alone: bool,
    /// Locks all tables while they are read, where no table knows transactions.
    pub(super) lock: Option<String>,
    /// Tables that may have rows of more bytes, and their columns: none must, where there is but one session.
    pub(super) wide: Vec<(String, Vec<String>)>,
}

/// The steps before the first task, and what is told of each.
pub(super) struct Beginning {
    pub(super) opened: oneshot::Sender<Result<()>>,
    /// Comes when nobody writes.
    pub(super) quiet: oneshot::Receiver<()>,
    pub(super) begun: oneshot::Sender<Result<()>>,
}

/// Runs a session until there are no more tasks, or `over` says so or is gone.
pub(super) fn run(board: &ReaderContext, beginning: Beginning, mut over: watch::Receiver<()>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        tokio::select! {
            biased;
            _ = over.changed() => {}
            () = work(board, beginning) => {}
        }
    });
}

async fn work(board: &ReaderContext, beginning: Beginning) {
    let mut session = match RowsSession::open(board).await {
        Ok(session) => session,
        Err(error) => {
            let _ = beginning.opened.send(Err(error));
            return;
        }
    };
    if beginning.opened.send(Ok(())).is_err() || beginning.quiet.await.is_err() {
        return;
    }
    let begun = session.begin().await;
    let failed = begun.is_err();
    if beginning.begun.send(begun).is_err() || failed {
        return;
    }
    while let Ok(turn) = board.turns.acquire().await {
        turn.forget();
        let Some(task) = session.next().await else { break };
        let end = match session.read(&task).await {
            Ok(()) => StretchRows::End,
            Err(error) => StretchRows::Failed(Box::new(error)),
        };
        // Nobody takes it when the dump has failed already.
        let _ = task.pieces.send(end);
    }
}

struct RowsSession<'a> {
    conn: Conn,
    board: &'a ReaderContext,
    /// The table that was read last: its definition can't change until another is read.
    table: Option<Arc<RowsSlot>>,
}

impl<'a> RowsSession<'a> {
    /// One that reads as the client does.
    async fn open(board: &'a ReaderContext) -> Result<Self> {
        let ReaderContext { connection, limits, .. } = board;
        let mut conn = session::open_for_rows(connection, limits, board.longest).await?;
        let setup = async { conn.query_drop(format!("SET SESSION {}", connection_args::reading(limits))).await };
        session::within(connection, limits, setup).await?;
        Ok(Self { conn, board, table: None })
    }

    /// Takes its view of the database.
    async fn begin(&mut self) -> Result<()> {
        let ReaderContext { connection, limits, lock, .. } = self.board;
        let begin = async {
            if let Some(lock) = lock {
                return self.conn.query_drop(lock).await;
            }
            self.conn.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT").await?;
            self.conn.query_drop("SAVEPOINT dbhaul").await
        };
        session::within(connection, limits, begin).await?;
        self.refuse_long_rows().await
    }

    /// Fails where a row is longer than one session has room for. That may take as long as reading the tables does.
    async fn refuse_long_rows(&mut self) -> Result<()> {
        /// What the other columns of a row may take.
        const OTHERS: usize = 1 << 20;
        let ReaderContext { connection, longest, wide, .. } = self.board;
        let most = longest - OTHERS;
        for (table, columns) in wide {
            let lengths: Vec<_> = columns.iter().map(|c| format!("IFNULL(LENGTH({}), 0)", quote(c))).collect();
            let query = format!("SELECT 1 FROM {} WHERE {} > {most} LIMIT 1", quote(table), lengths.join(" + "));
            let found: Option<u8> =
                self.conn.query_first(query).await.map_err(|error| session::explain(&error, connection))?;
            if found.is_some() {
                let what = format!("table {table:?} has a row that is longer than {}", units::size(most as u64));
                return Err(Error::new(Kind::DumpFailed, what));
            }
        }
        Ok(())
    }

    /// The next task. Nothing is held of a table while there is none.
    async fn next(&mut self) -> Option<Task> {
        // Who holds the list waits for a task: there is none.
        if let Ok(mut tasks) = self.board.tasks.try_lock()
            && let Ok(task) = tasks.try_recv()
        {
            return Some(task);
        }
        // What is wrong with the session, its next task finds out.
        let _ = self.leave().await;
        self.board.tasks.lock().await.recv().await
    }

    /// Reads a stretch, and makes sure that the table is what the dump says of it.
    async fn read(&mut self, task: &Task) -> Result<()> {
        let another = self.table.as_ref().is_none_or(|table| !Arc::ptr_eq(table, &task.place));
        let table = &task.place.table;
        if another {
            self.leave().await.map_err(|error| self.failed(&error, table))?;
            self.table = Some(Arc::clone(&task.place));
        }
        self.rows(task).await.map_err(|error| self.failed(&error, table))?;
        if another && let Some(definition) = &task.place.definition {
            let query = format!("SHOW CREATE TABLE {}", quote(table));
            let row: Option<Row> = self.conn.query_first(query).await.map_err(|error| self.failed(&error, table))?;
            let now: Option<Vec<u8>> = row.and_then(|row| row.get(1));
            if now.is_none_or(|now| without_counter(&now) != without_counter(definition)) {
                return Err(Error::new(Kind::DumpFailed, format!("table {table:?} was altered while it was dumped"))
                    .transient()
                    .hint(Hint::new("dump-again", "dump again")));
            }
        }
        Ok(())
    }

    /// Lets go of the table that was read last: what waits for it may alter it.
    async fn leave(&mut self) -> mysql_async::Result<()> {
        if self.table.take().is_some() && self.board.lock.is_none() {
            self.conn.query_drop("ROLLBACK TO SAVEPOINT dbhaul").await?;
        }
        Ok(())
    }

    /// Hands over the rows. That nobody takes them any more is no error here.
    async fn rows(&mut self, task: &Task) -> mysql_async::Result<()> {
        let mut result = self.conn.query_iter(task.select.as_str()).await?;
        let shapes: Vec<_> = result.columns_ref().iter().map(Shape::of).collect();
        let (mut bytes, mut ends) = (Vec::with_capacity(PIECE + (PIECE >> 2)), Vec::new());
        while let Some(row) = result.next().await? {
            tuple::append(&shapes, &row, &mut bytes);
            ends.push(bytes.len());
            if bytes.len() >= PIECE {
                let full = std::mem::replace(&mut bytes, Vec::with_capacity(PIECE + (PIECE >> 2)));
                if task.pieces.send(StretchRows::Rows { bytes: full, ends: std::mem::take(&mut ends) }).is_err() {
                    return Ok(());
                }
            }
        }
        if !bytes.is_empty() {
            let _ = task.pieces.send(StretchRows::Rows { bytes, ends });
        }
        Ok(())
    }

    fn failed(&self, error: &mysql_async::Error, table: &str) -> Error {
        let ReaderContext { connection, longest, alone, .. } = self.board;
        let what = format!("the rows of table {table:?} could not be read");
        if session::is_too_long(error) {
            let who = if *alone { "a session" } else { "each of several jobs" };
            let hint = if *alone {
                Hint::new("dump-into-a-file", "dump into a file: the client reads rows of any length")
            } else {
                Hint::new("one-job", "--jobs 1: the client reads rows of any length")
            };
            return Error::new(Kind::DumpFailed, what)
                .why(format!("a row is longer than the {} MiB that {who} has room for", longest >> 20))
                .transient()
                .hint(hint);
        }
        let words = match error {
            mysql_async::Error::Server(e) => format!("ERROR {} ({}): {}", e.code, e.state, e.message),
            other => format!("ERROR 2013 (HY000): lost connection to the server: {other}"),
        };
        let diagnosis = diagnose(&connection.redactor().redact(&words), &Scene::default());
        diagnosis.of(Error::new(Kind::DumpFailed, what))
    }
}

/// A definition without the next number that the table will give: that changes with every row.
fn without_counter(definition: &[u8]) -> Vec<u8> {
    const COUNTER: &[u8] = b" AUTO_INCREMENT=";
    let Some(at) = memchr::memmem::rfind(definition, COUNTER) else { return definition.to_vec() };
    let rest = &definition[at + COUNTER.len()..];
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    [&definition[..at], &rest[digits..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_is_no_part_of_a_definition() {
        let same = b"CREATE TABLE `t` (\n `a` int\n) ENGINE=InnoDB CHARSET=latin1";
        assert_eq!(
            without_counter(b"CREATE TABLE `t` (\n `a` int\n) ENGINE=InnoDB AUTO_INCREMENT=42 CHARSET=latin1"),
            same
        );
        assert_eq!(without_counter(same), same);
    }
}
