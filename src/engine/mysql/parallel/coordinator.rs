//! The session that leads: it runs what is no rows, in the dump's order, and hands out the rest.
//!
//! What may be needed by a statement is there before it runs: the rows of a table before its triggers, all tables with
//! their keys before routines, events and views. What is not understood ends the sharing: from there on the leading
//! session does everything, as a client would.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::sync::mpsc::Receiver;

use super::keys::{Definition, Later};
use super::script::{Statement, StatementKind};
use super::session_vars::{self, SessionVars};
use super::work_queue::{DeferredStatement, InsertTask, LoadedTable};
use super::worker::{Common, LoadSession, failed};
use crate::error::{Error, Kind as ErrorKind, Result};

/// A table with fewer rows is filled with its keys in place: adding them later costs more than it saves.
const SMALL_TABLE_ROWS: u64 = 1000;
/// Each `INSERT` counts at least as much, in KiB.
const LEAST_ROOM: u32 = 16;

/// The leading session and what it knows.
pub(super) struct Coordinator {
    session: LoadSession,
    common: Rc<Common>,
    known: Known,
    tables: HashMap<String, Rc<LoadedTable>>,
    /// The table that the last statement was about.
    current: Option<Rc<LoadedTable>>,
    /// Foreign keys to be made when all tables are there.
    foreign: Vec<(Rc<LoadedTable>, DeferredStatement)>,
    /// What the dump has set, unless it must be asked for.
    values: Option<Rc<SessionVars>>,
    /// The variables that the dump sets.
    names: Vec<String>,
    /// How much memory waiting rows may take, in KiB.
    room: (Arc<Semaphore>, u32),
    /// No sharing any more.
    alone: bool,
}

/// What is known beforehand.
#[derive(Debug)]
pub(in super::super) struct Known {
    /// The rows that the dump holds for each table.
    pub(in super::super) rows: HashMap<String, u64>,
    /// Tables that are there already.
    pub(in super::super) complete: BTreeSet<String>,
    /// Those of them that lack their foreign keys.
    pub(in super::super) without_foreign_keys: BTreeSet<String>,
    /// Tables that foreign keys point at which are there already: servers want the key that is pointed at from the
    /// beginning.
    pub(in super::super) pointed_at: BTreeSet<String>,
}

impl Coordinator {
    pub(super) fn new(session: LoadSession, common: &Rc<Common>, room: u32, known: Known) -> Self {
        Self {
            session,
            common: Rc::clone(common),
            known,
            tables: HashMap::new(),
            current: None,
            foreign: Vec::new(),
            values: None,
            names: Vec::new(),
            room: (Arc::new(Semaphore::new(room as usize)), room),
            alone: false,
        }
    }

    /// Takes all statements, and waits until all that was handed out is done.
    pub(super) async fn lead(mut self, mut statements: Receiver<Statement>) -> Result<()> {
        while let Some(statement) = statements.recv().await {
            self.take(statement).await?;
        }
        self.all().await?;
        self.common.board.end();
        // Behind `SET autocommit=0` of the dump's own, what this session ran itself is not committed yet.
        self.session.run(b"COMMIT", 6, "").await?;
        self.session.close().await
    }

    async fn take(&mut self, statement: Statement) -> Result<()> {
        let Statement { kind, sql, head } = statement;
        if self.alone
            && !matches!(&kind, StatementKind::Table { name, .. } if self.known.without_foreign_keys.contains(name))
        {
            // What is left out otherwise: there is nobody to be locked out.
            return match kind {
                StatementKind::Ours if !is_transaction(&sql) => Ok(()),
                StatementKind::Rows { table, .. } => self.session.run_rows(&sql, head, &table).await,
                StatementKind::Drop(name) => self.drop_table(&name, &sql, head).await,
                _ => self.run(&sql, head).await,
            };
        }
        match kind {
            StatementKind::Rows { table, plain } => self.insert(&table, plain, sql, head).await,
            StatementKind::Set(names) => self.set(names, &sql).await,
            StatementKind::Ours => Ok(()),
            StatementKind::SwitchKeys(name) => self.switch_keys(&name, &sql).await,
            StatementKind::Table { name, definition } => self.create(&name, definition.map(|d| *d), &sql).await,
            // It waits for nothing: its table is complete.
            StatementKind::Trigger { on: Some(table) } if self.known.complete.contains(&table) => {
                self.run(&sql, head).await
            }
            StatementKind::Trigger { .. } => self.trigger(sql).await,
            StatementKind::Drop(name) => {
                self.leave();
                if self.tables.contains_key(&name) {
                    self.all().await?;
                    self.tables.remove(&name);
                }
                self.drop_table(&name, &sql, head).await
            }
            StatementKind::Alone => {
                self.leave();
                self.run(&sql, head).await
            }
            StatementKind::After | StatementKind::Unknown => {
                self.all().await?;
                self.alone = kind == StatementKind::Unknown;
                self.run(&sql, head).await
            }
        }
    }

    async fn drop_table(&mut self, name: &str, sql: &[u8], shows: usize) -> Result<()> {
        self.common.taken.borrow_mut().remove(name);
        self.run(sql, shows).await
    }

    async fn run(&mut self, sql: &[u8], shows: usize) -> Result<()> {
        self.session.run(sql, shows, "").await
    }

    /// Runs a `SET`. What its variables were before is kept, for sessions that go back to where it was not set.
    async fn set(&mut self, names: Vec<String>, sql: &[u8]) -> Result<()> {
        // Sessions have their own transactions.
        let new = names.iter().filter(|name| !self.names.contains(name) && *name != "autocommit");
        let new: Vec<String> = new.cloned().collect();
        if !new.is_empty() {
            let before = self.read(&new).await?;
            self.names.extend(before.keys().cloned());
            self.common.before.borrow_mut().extend(before);
        }
        if !names.is_empty() {
            self.values = None;
        }
        self.run(sql, sql.len()).await
    }

    async fn read(&mut self, names: &[String]) -> Result<SessionVars> {
        let read = session_vars::read(&mut self.session.conn, names).await;
        read.map_err(|error| failed(&error, &self.common, b"SELECT @@SESSION", ""))
    }

    /// What the dump has set by now.
    async fn values(&mut self) -> Result<Rc<SessionVars>> {
        if let Some(values) = &self.values {
            return Ok(Rc::clone(values));
        }
        let names = self.names.clone();
        let values = Rc::new(self.read(&names).await?);
        self.values = Some(Rc::clone(&values));
        Ok(values)
    }

    async fn create(&mut self, name: &str, definition: Option<Definition>, sql: &[u8]) -> Result<()> {
        self.leave();
        if self.tables.contains_key(name) {
            self.all().await?;
        }
        let later = definition.as_ref().map_or_else(Vec::new, |definition| self.later(name, definition));
        // With secondary keys in place sessions might wait for each other in circles.
        let shared = definition.as_ref().is_some_and(|d| later.contains(&Later::Keys) || !d.has(Later::Keys));
        let table = LoadedTable::new(name, shared);
        match definition.filter(|_| !later.is_empty()) {
            None => self.session.run(sql, sql.len(), name).await?,
            Some(definition) => {
                if !self.known.without_foreign_keys.contains(name) {
                    self.session.run(&definition.create(&later), sql.len(), name).await?;
                }
                let values = self.values().await?;
                let steps = |what| {
                    let alters = if later.contains(&what) { definition.alter(what) } else { Vec::new() };
                    alters.into_iter().map(|sql| DeferredStatement { sql, values: Rc::clone(&values) })
                };
                table.steps.borrow_mut().extend(steps(Later::Keys));
                self.foreign.extend(steps(Later::Foreign).map(|step| (Rc::clone(&table), step)));
            }
        }
        self.tables.insert(name.to_owned(), Rc::clone(&table));
        self.current = Some(table);
        Ok(())
    }

    /// What of a definition is made behind the rows.
    fn later(&self, name: &str, definition: &Definition) -> Vec<Later> {
        let Known { rows, without_foreign_keys, pointed_at, .. } = &self.known;
        let has_few = |name: &str| rows.get(name).is_none_or(|rows| *rows < SMALL_TABLE_ROWS);
        let (few, there) = (has_few(name), without_foreign_keys.contains(name));
        let mut later = Vec::new();
        if definition.has(Later::Keys) && !few && !there && !pointed_at.contains(name) {
            later.push(Later::Keys);
        }
        // While a table's keys are made, no other can be made that points at it.
        if definition.has(Later::Foreign) && (there || !(few && definition.parents().all(has_few))) {
            later.push(Later::Foreign);
        }
        later
    }

    async fn insert(&mut self, name: &str, plain: bool, sql: Vec<u8>, head: usize) -> Result<()> {
        if self.current.as_ref().is_none_or(|table| table.name != name) {
            self.leave();
            // A table that is complete by now, or was there before, takes them one after the other.
            let known = self.tables.get(name).filter(|table| table.is_open()).cloned();
            if known.is_none() {
                self.finished(name).await;
            }
            let table = known.unwrap_or_else(|| LoadedTable::new(name, false));
            self.tables.insert(name.to_owned(), Rc::clone(&table));
            self.current = Some(table);
        }
        let Some(table) = self.current.clone() else { return Ok(()) };
        if !plain {
            table.shared.set(false);
        }
        // The first one goes alone: MariaDB locks a table that it fills from empty.
        let shared = table.shared.get();
        if !shared || table.sent.get() == 1 {
            self.common.board.until(|| table.all_committed()).await;
        }
        let alone = !shared || table.sent.get() == 0;
        let values = self.values().await?;
        let wanted = u32::try_from(sql.len() / 1024 + 1).unwrap_or(u32::MAX).clamp(LEAST_ROOM, self.room.1);
        let room = Arc::clone(&self.room.0).acquire_many_owned(wanted).await;
        let room = room.map_err(|e| Error::new(ErrorKind::Unexpected, e.to_string()))?;
        self.common.board.insert(InsertTask { table, sql, head, values, alone, room });
        Ok(())
    }

    /// Waits for the steps of a table that was closed.
    async fn finished(&self, name: &str) {
        if let Some(table) = self.tables.get(name) {
            self.common.board.until(|| table.is_done()).await;
        }
    }

    /// Keys of `InnoDB`'s are not switched; other tables' are, when their rows are not on their way.
    async fn switch_keys(&mut self, name: &str, sql: &[u8]) -> Result<()> {
        if let Some(table) = self.tables.get(name) {
            if table.shared.get() {
                return Ok(());
            }
            self.common.board.until(|| table.all_committed()).await;
        }
        self.session.run(sql, sql.len(), name).await
    }

    /// A trigger comes when its table's rows are in, as it stands in a dump: there it is about the current table.
    async fn trigger(&mut self, sql: Vec<u8>) -> Result<()> {
        let has_rows = |table: &Rc<LoadedTable>| self.known.rows.get(&table.name).is_some_and(|rows| *rows > 0);
        let table = self.current.as_ref().filter(|table| table.is_open() && (table.sent.get() > 0 || !has_rows(table)));
        let Some(table) = table.cloned() else {
            self.all().await?;
            return self.run(&sql, sql.len()).await;
        };
        let values = self.values().await?;
        table.steps.borrow_mut().push(DeferredStatement { sql, values });
        Ok(())
    }

    /// The statements go on to something else. A table whose rows are still to come stays open.
    fn leave(&mut self) {
        if let Some(table) = self.current.take() {
            let expected = self.known.rows.get(&table.name).is_some_and(|rows| *rows > 0);
            if table.sent.get() > 0 || !expected {
                self.common.board.close(&table);
            }
        }
    }

    /// Waits for everything that was handed out, and makes the foreign keys.
    async fn all(&mut self) -> Result<()> {
        self.current = None;
        for table in self.tables.values() {
            self.common.board.close(table);
        }
        for table in self.tables.values() {
            self.common.board.until(|| table.is_done()).await;
        }
        for (table, step) in self.foreign.drain(..) {
            // One after the other: each locks two tables.
            self.common.board.follow(&table, vec![step]);
            self.common.board.until(|| table.is_done()).await;
        }
        Ok(())
    }
}

/// `COMMIT`, `START TRANSACTION`, and not `LOCK TABLES`.
fn is_transaction(sql: &[u8]) -> bool {
    let text = sql.to_ascii_lowercase();
    memchr::memmem::find(&text, b"lock").is_none()
}
