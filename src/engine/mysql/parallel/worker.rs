//! One session of a load, and what went wrong in it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::super::diagnose::diagnose;
use super::super::session;
use super::session_vars::{self, SessionVars};
use super::work_queue::{DeferredStatement, InsertTask, LoadedTable, Work, WorkQueue};
use crate::connection::{Connection, Limits};
use crate::engine::Scene;
use crate::engine::mysql::sql::gate::display_beginning;
use crate::error::{Error, Kind, Result};

/// Rows of so many bytes are committed at once: a commit waits for a disk, and what is not committed is held in logs.
const COMMIT: u64 = 64 << 20;
/// A session without work keeps a transaction open for no longer than this.
const PAUSE: Duration = Duration::from_millis(100);

/// What all sessions of a load share.
pub(super) struct Common {
    pub(super) connection: Connection,
    pub(super) scene: Scene,
    /// Rows come although they break a check.
    pub(super) unchecked: bool,
    pub(super) limits: Limits,
    /// The server's numbers of our sessions.
    pub(super) ids: Rc<RefCell<Vec<u32>>>,
    /// Statements that were done.
    pub(super) done: Arc<AtomicU64>,
    /// The rows that the server took, by table: a dump may say that it ignores some.
    pub(super) taken: RefCell<HashMap<String, u64>>,
    /// What the variables that the dump sets were before it did.
    pub(super) before: RefCell<SessionVars>,
    pub(super) board: WorkQueue,
}

/// A session.
pub(super) struct LoadSession {
    pub(super) conn: Conn,
    common: Rc<Common>,
    /// What it was given of the dump's settings.
    values: RefCell<SessionVars>,
    /// Whose rows its transaction holds, in how many statements and bytes.
    open: Option<(Rc<LoadedTable>, u64, u64)>,
}

impl LoadSession {
    /// One that stands where a client would after it has logged in.
    pub(super) async fn open(common: &Rc<Common>) -> Result<Self> {
        let Common { connection, limits, unchecked, .. } = &**common;
        let loading = format!("{}{}", session::LOADING, if *unchecked { session::UNCHECKED } else { "" });
        let mut conn = session::open_for_load(connection, limits).await?;
        let begin = async {
            conn.query_drop("SET NAMES utf8mb4").await?;
            conn.query_drop(loading).await?;
            conn.query_first::<u32, _>("SELECT CONNECTION_ID()").await
        };
        let id = session::within(connection, limits, begin).await?;
        common.ids.borrow_mut().extend(id);
        Ok(Self { conn, common: Rc::clone(common), values: RefCell::default(), open: None })
    }

    /// Takes work until there is none.
    pub(super) async fn work(mut self) -> Result<()> {
        let common = Rc::clone(&self.common);
        loop {
            let idle = async {
                match self.open {
                    Some(_) => tokio::time::sleep(PAUSE).await,
                    None => std::future::pending().await,
                }
            };
            let work = tokio::select! {
                biased;
                work = common.board.next() => work,
                () = idle => {
                    self.commit().await?;
                    continue;
                }
            };
            match work {
                Some(Work::Rows(rows)) => self.insert(rows).await?,
                Some(Work::Steps(table, steps)) => {
                    self.commit().await?;
                    for DeferredStatement { sql, values } in steps {
                        self.apply(&values).await?;
                        self.run(&sql, sql.len(), &table.name).await?;
                    }
                    common.board.stepped(&table);
                }
                None => return self.close().await,
            }
        }
    }

    /// Commits, and logs out.
    pub(super) async fn close(mut self) -> Result<()> {
        self.commit().await?;
        let _ = tokio::time::timeout(self.common.limits.connect, self.conn.disconnect()).await;
        Ok(())
    }

    async fn insert(&mut self, rows: InsertTask) -> Result<()> {
        let InsertTask { table, sql, head, values, alone, room } = rows;
        let another = self.open.as_ref().is_some_and(|(open, ..)| !Rc::ptr_eq(open, &table));
        if another || session_vars::set(&self.values.borrow(), &self.wanted(&values)).is_some() {
            self.commit().await?;
            self.apply(&values).await?;
        }
        if self.open.is_none() && !alone {
            self.run(b"START TRANSACTION", 32, &table.name).await?;
        }
        self.run_rows(&sql, head, &table.name).await?;
        let length = sql.len() as u64;
        drop((sql, room));
        if alone && self.open.is_none() {
            self.common.board.committed(&table, 1);
            return Ok(());
        }
        let (_, count, bytes) = self.open.get_or_insert((table, 0, 0));
        *count += 1;
        *bytes += length;
        if alone || *bytes >= COMMIT { self.commit().await } else { Ok(()) }
    }

    async fn commit(&mut self) -> Result<()> {
        let Some((table, count, _)) = self.open.take() else { return Ok(()) };
        self.run(b"COMMIT", 32, &table.name).await?;
        self.common.board.committed(&table, count);
        Ok(())
    }

    /// Values for all that the dump ever set.
    fn wanted(&self, values: &SessionVars) -> SessionVars {
        let mut wanted = self.common.before.borrow().clone();
        wanted.extend(values.iter().map(|(name, value)| (name.clone(), value.clone())));
        wanted
    }

    /// Sets what the dump had set.
    async fn apply(&mut self, values: &SessionVars) -> Result<()> {
        let wanted = self.wanted(values);
        let set = session_vars::set(&self.values.borrow(), &wanted);
        if let Some(set) = set {
            self.run(set.as_bytes(), set.len(), "").await?;
            self.values.replace(wanted);
        }
        Ok(())
    }

    /// Runs a statement with rows of a table, and counts those that the server took.
    pub(super) async fn run_rows(&mut self, sql: &[u8], shows: usize, table: &str) -> Result<()> {
        self.run(sql, shows, table).await?;
        *self.common.taken.borrow_mut().entry(table.to_owned()).or_default() += self.conn.affected_rows();
        Ok(())
    }

    /// Runs a statement about a table; of the statement, so much may be shown.
    pub(super) async fn run(&mut self, sql: &[u8], shows: usize, table: &str) -> Result<()> {
        let ran = self.conn.query_drop(sql).await;
        self.common.done.fetch_add(1, Ordering::Relaxed);
        ran.map_err(|error| failed(&error, &self.common, &sql[..shows.min(sql.len())], table))
    }
}

/// A statement that failed: the table, the statement's beginning, the server's words.
pub(super) fn failed(error: &mysql_async::Error, common: &Common, sql: &[u8], table: &str) -> Error {
    let what = match table {
        "" => "a session's statement failed".to_owned(),
        table => format!("a session's statement failed, in table {table:?}"),
    };
    let words = match error {
        mysql_async::Error::Server(e) => format!("ERROR {} ({}): {}", e.code, e.state, e.message),
        mysql_async::Error::Driver(e) => format!("ERROR 2013 (HY000): {e}"),
        other => format!("ERROR 2013 (HY000): lost connection to the server: {other}"),
    };
    let diagnosis = diagnose(&common.connection.redactor().redact(&words), &common.scene);
    diagnosis.of(Error::new(Kind::RestoreFailed, what).why(display_beginning(sql)))
}
