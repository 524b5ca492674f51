//! What there is to do, what is being done, and what has been committed: shared by all sessions of one load.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use tokio::sync::{Notify, OwnedSemaphorePermit};

use super::session_vars::SessionVars;

/// Work for a session, on one table.
pub(super) enum Work {
    Rows(InsertTask),
    /// The table's rows are committed: its keys and triggers, or foreign keys.
    Steps(Rc<LoadedTable>, Vec<DeferredStatement>),
}

/// One `INSERT`.
pub(super) struct InsertTask {
    pub(super) table: Rc<LoadedTable>,
    pub(super) sql: Vec<u8>,
    /// How much of it is no rows.
    pub(super) head: usize,
    pub(super) values: Rc<SessionVars>,
    /// Committed at once.
    pub(super) alone: bool,
    /// Its part of the memory that waiting rows may take.
    pub(super) room: OwnedSemaphorePermit,
}

/// A statement that comes later than where it stood.
pub(super) struct DeferredStatement {
    pub(super) sql: Vec<u8>,
    /// What the dump had set where it stood.
    pub(super) values: Rc<SessionVars>,
}

/// A table while it is restored.
pub(super) struct LoadedTable {
    pub(super) name: String,
    /// Several sessions may insert at once, in any order.
    pub(super) shared: Cell<bool>,
    /// `INSERT`s handed out so far.
    pub(super) sent: Cell<u64>,
    /// Of these, those that are not committed yet.
    uncommitted: Cell<u64>,
    /// What follows the rows.
    pub(super) steps: RefCell<Vec<DeferredStatement>>,
    stage: Cell<Stage>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Rows may come.
    Open,
    /// All rows were handed out.
    Closed,
    /// They are committed, and the steps are being done.
    Stepping,
    Done,
}

impl LoadedTable {
    pub(super) fn new(name: &str, shared: bool) -> Rc<Self> {
        Rc::new(Self {
            name: name.to_owned(),
            shared: Cell::new(shared),
            sent: Cell::new(0),
            uncommitted: Cell::new(0),
            steps: RefCell::default(),
            stage: Cell::new(Stage::Open),
        })
    }

    pub(super) fn is_open(&self) -> bool {
        self.stage.get() == Stage::Open
    }

    pub(super) fn is_done(&self) -> bool {
        self.stage.get() == Stage::Done
    }

    pub(super) fn all_committed(&self) -> bool {
        self.uncommitted.get() == 0
    }
}

/// The work of one load. All of it happens on one thread.
#[derive(Default)]
pub(super) struct WorkQueue {
    rows: RefCell<VecDeque<InsertTask>>,
    steps: RefCell<VecDeque<Work>>,
    over: Cell<bool>,
    wake: Notify,
    changed: Notify,
}

impl WorkQueue {
    /// Hands out rows.
    pub(super) fn insert(&self, rows: InsertTask) {
        let table = &rows.table;
        table.sent.set(table.sent.get() + 1);
        table.uncommitted.set(table.uncommitted.get() + 1);
        self.rows.borrow_mut().push_back(rows);
        self.wake.notify_one();
    }

    /// Hands out steps.
    pub(super) fn follow(&self, table: &Rc<LoadedTable>, steps: Vec<DeferredStatement>) {
        table.stage.set(Stage::Stepping);
        self.steps.borrow_mut().push_back(Work::Steps(Rc::clone(table), steps));
        self.wake.notify_one();
    }

    /// No more rows will come for this table.
    pub(super) fn close(&self, table: &Rc<LoadedTable>) {
        if table.is_open() {
            table.stage.set(Stage::Closed);
            self.settle(table);
        }
    }

    /// So many of the table's `INSERT`s are committed.
    pub(super) fn committed(&self, table: &Rc<LoadedTable>, count: u64) {
        table.uncommitted.set(table.uncommitted.get() - count);
        self.settle(table);
    }

    /// The table's steps are done.
    pub(super) fn stepped(&self, table: &LoadedTable) {
        table.stage.set(Stage::Done);
        self.changed.notify_waiters();
    }

    fn settle(&self, table: &Rc<LoadedTable>) {
        if table.stage.get() == Stage::Closed && table.all_committed() {
            let steps = table.steps.take();
            if steps.is_empty() {
                table.stage.set(Stage::Done);
            } else {
                self.follow(table, steps);
            }
        }
        self.changed.notify_waiters();
    }

    /// Waits until this is so.
    pub(super) async fn until(&self, so: impl Fn() -> bool) {
        while !so() {
            self.changed.notified().await;
        }
    }

    /// The next work, what makes tables complete first; none when there will be none.
    pub(super) async fn next(&self) -> Option<Work> {
        loop {
            let step = self.steps.borrow_mut().pop_front();
            let work = step.or_else(|| self.rows.borrow_mut().pop_front().map(Work::Rows));
            if work.is_some() || self.over.get() {
                return work;
            }
            self.wake.notified().await;
        }
    }

    /// There will be no more work.
    pub(super) fn end(&self) {
        self.over.set(true);
        self.wake.notify_waiters();
    }
}
