//! Databases that stages take and give back: to make one, fill it and drop it takes longer than most faults.

use std::{
    cell::Cell,
    ops::Deref,
    sync::{Mutex, PoisonError},
};

use super::stage::fill;
use crate::support::{Database, Server};

type Shelf = Mutex<Vec<Database<'static>>>;

static FILLED: Shelf = Mutex::new(Vec::new());
static EMPTY: Shelf = Mutex::new(Vec::new());

/// A database of a stage.
pub struct Lent<'s> {
    database: Option<Database<'s>>,
    give_back: Option<fn(Database<'s>)>,
    /// Whether it is known to be as it was lent; otherwise it is dropped.
    clean: Cell<bool>,
}

impl<'s> Lent<'s> {
    /// One that is dropped with the stage.
    pub fn own(database: Database<'s>) -> Self {
        Self { database: Some(database), give_back: None, clean: Cell::new(false) }
    }

    /// Says whether it is as it was lent.
    pub fn set_clean(&self, clean: bool) {
        self.clean.set(clean);
    }
}

impl<'s> Deref for Lent<'s> {
    type Target = Database<'s>;

    fn deref(&self) -> &Self::Target {
        self.database.as_ref().expect("it is taken when this ends")
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let Some(database) = self.database.take() else { return };
        match self.give_back {
            Some(give_back) if self.clean.get() && !std::thread::panicking() => give_back(database),
            _ => drop(database),
        }
    }
}

/// One that holds what every source does.
pub fn lend_filled(server: &'static Server) -> Lent<'static> {
    let database = take(&FILLED, server).unwrap_or_else(|| {
        let made = server.database("source");
        fill(&made);
        made
    });
    Lent { database: Some(database), give_back: Some(|database| put(&FILLED, database)), clean: Cell::new(true) }
}

/// An empty one.
pub fn lend(server: &'static Server) -> Lent<'static> {
    let database = take(&EMPTY, server).unwrap_or_else(|| server.database("target"));
    Lent { database: Some(database), give_back: Some(|database| put(&EMPTY, database)), clean: Cell::new(true) }
}

fn take(shelf: &Shelf, server: &Server) -> Option<Database<'static>> {
    let mut shelf = shelf.lock().unwrap_or_else(PoisonError::into_inner);
    let at = shelf.iter().position(|database| std::ptr::eq(database.server(), server))?;
    Some(shelf.swap_remove(at))
}

fn put(shelf: &Shelf, database: Database<'static>) {
    shelf.lock().unwrap_or_else(PoisonError::into_inner).push(database);
}
