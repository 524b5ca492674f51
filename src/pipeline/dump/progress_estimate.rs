//! How much of a dump has passed by, from the server's estimates of its tables.

use std::collections::HashMap;

use crate::engine::{DumpedTable, Inspector, TableEstimate};
use crate::pipeline::watch::ProgressHandle;

/// Weighs each table by its bytes, and the rows seen of it by its estimated rows; where there is no such estimate, the
/// bytes that passed by its size. A table that turns out to be much larger than it was thought ends the estimate.
pub struct ProgressEstimate {
    progress: ProgressHandle,
    estimates: HashMap<(String, String), (u64, u64)>,
    total: u64,
    finished: u64,
    /// The estimates are no good.
    lost: bool,
    /// What passes by, in each lane.
    current: HashMap<usize, Current>,
}

struct Current {
    table: (String, String),
    rows: u64,
    bytes: u64,
    seen: u64,
    /// Bytes of the dump since its first row.
    passed: u64,
}

impl Current {
    fn done(&self) -> f64 {
        self.bytes as f64 * self.fraction().min(1.0)
    }

    /// More than 1 where the estimate was too low.
    fn fraction(&self) -> f64 {
        match self.rows {
            0 => self.passed as f64 / self.bytes.max(1) as f64,
            rows => self.seen as f64 / rows as f64,
        }
    }

    /// Statistics may lag a little. Text may be many times as long as what the server keeps, which compresses it.
    fn is_beyond(&self) -> bool {
        const SMALL_TABLE_ROWS: u64 = 1000;
        const FEW_BYTES: u64 = 1 << 20;
        match self.rows {
            0 => self.passed > FEW_BYTES && self.fraction() > 1.0,
            _ => self.seen > SMALL_TABLE_ROWS && self.fraction() > 1.2,
        }
    }
}

impl ProgressEstimate {
    /// A meter for these tables.
    pub fn new(progress: ProgressHandle, tables: &[TableEstimate]) -> Self {
        // A MySQL dump doesn't name its database, so a table is also found by its name alone.
        let named = tables.iter().map(|t| ((String::new(), t.name.clone()), (t.rows, t.bytes)));
        let full = tables.iter().map(|t| ((t.schema.clone(), t.name.clone()), (t.rows, t.bytes)));
        let estimates = named.chain(full).collect();
        let total = tables.iter().map(|t| t.bytes).sum();
        Self { progress, estimates, total, finished: 0, lost: false, current: HashMap::new() }
    }

    /// So many bytes have passed by.
    pub fn passed(&mut self, bytes: usize, inspector: &dyn Inspector) {
        self.passed_in(0, bytes, inspector);
    }

    /// The same in one of several lanes, which the inspector looks at.
    pub fn passed_in(&mut self, lane: usize, bytes: usize, inspector: &dyn Inspector) {
        let position = inspector.position();
        let share = position.and_then(|(table, rows)| self.share(lane, table, rows, bytes));
        let lost = self.lost;
        self.progress.update(|progress| {
            progress.bytes += bytes as u64;
            if let Some((table, _)) = position {
                progress.what.clone_from(&table.name);
            }
            // An estimate must not make the line go backwards, nor say that all is done while it isn't.
            let share = share.map(|new| new.min(0.99).max(progress.share.unwrap_or(0.0)));
            progress.share = share.or(progress.share).filter(|_| !lost);
        });
    }

    fn share(&mut self, lane: usize, table: &DumpedTable, rows: usize, bytes: usize) -> Option<f64> {
        if self.total == 0 || self.lost {
            return None;
        }
        let key = (table.schema.clone().unwrap_or_default(), table.name.clone());
        if self.current.get(&lane).is_none_or(|current| current.table != key) {
            let (rows, bytes) = self.estimates.get(&key).copied().unwrap_or_default();
            let before = self.current.insert(lane, Current { table: key, rows, bytes, seen: 0, passed: 0 });
            self.finished += before.map_or(0, |current| current.bytes);
        }
        let current = self.current.get_mut(&lane)?;
        (current.seen, current.passed) = (rows as u64, current.passed + bytes as u64);
        self.lost = current.is_beyond();
        let passing: f64 = self.current.values().map(Current::done).sum();
        Some((self.finished as f64 + passing) / self.total as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Content, Incomplete};

    struct At(DumpedTable, usize);

    impl Inspector for At {
        fn see(&mut self, _: &[u8]) {}

        fn position(&self) -> Option<(&DumpedTable, usize)> {
            Some((&self.0, self.1))
        }

        fn finish(self: Box<Self>) -> Result<Content, Incomplete> {
            Err(Incomplete::new("a part of a test", 0))
        }
    }

    #[test]
    fn the_share_follows_rows_and_tables() {
        let table = |name: &str, rows, bytes| TableEstimate { schema: "s".into(), name: name.into(), rows, bytes };
        let progress = ProgressHandle::about("");
        let mut meter = ProgressEstimate::new(progress.clone(), &[table("a", 100, 300), table("b", 10, 100)]);
        let mut share_at = |name: &str, schema: Option<&str>, rows| {
            let at = DumpedTable { schema: schema.map(str::to_owned), name: name.into(), ..DumpedTable::default() };
            meter.passed(1, &At(at, rows));
            progress.read().share
        };
        assert_eq!(share_at("a", Some("s"), 50), Some(0.375));
        assert_eq!(share_at("a", Some("s"), 100), Some(0.75));
        assert_eq!(share_at("b", None, 5), Some(0.875));
        assert_eq!(share_at("b", None, 4), Some(0.875), "never backwards");
        assert_eq!(share_at("b", None, 500), Some(0.99), "never done before the end");
        assert_eq!(share_at("b", None, 5000), None, "nobody knows");
        assert_eq!(share_at("b", None, 5001), None);
    }

    #[test]
    fn a_table_that_was_never_analysed_is_measured_by_its_size() {
        let table = |name: &str, bytes| TableEstimate { schema: "s".into(), name: name.into(), rows: 0, bytes };
        let progress = ProgressHandle::about("");
        let mut meter = ProgressEstimate::new(progress.clone(), &[table("a", 3 << 20), table("b", 1 << 20)]);
        let mut after = |name: &str, bytes| {
            let at = DumpedTable { schema: Some("s".into()), name: name.into(), ..DumpedTable::default() };
            meter.passed(bytes, &At(at, 1));
            progress.read().share
        };
        assert_eq!(after("a", 3 << 18), Some(0.1875));
        assert_eq!(after("a", 3 << 19), Some(0.5625));
        assert_eq!(after("b", 1 << 19), Some(0.875));
        assert_eq!(after("b", 1 << 20), None, "its size was wrong");
    }
}
