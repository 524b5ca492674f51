//! How much of a dump has passed by, from the server's estimates of its tables.

use std::collections::HashMap;

use super::watch::Gauge;
use crate::engine::{DumpedTable, Inspector, Table};

/// Weighs each table by its bytes, and the rows seen of it by its estimated rows.
pub struct Meter {
    gauge: Gauge,
    estimates: HashMap<(String, String), (u64, u64)>,
    total: u64,
    finished: u64,
    /// What passes by, in each lane.
    current: HashMap<usize, Current>,
}

struct Current {
    table: (String, String),
    rows: u64,
    bytes: u64,
    seen: u64,
}

impl Current {
    fn done(&self) -> f64 {
        self.bytes as f64 * (self.seen as f64 / self.rows.max(1) as f64).min(1.0)
    }
}

impl Meter {
    /// A meter for these tables.
    pub fn new(gauge: Gauge, tables: &[Table]) -> Self {
        // A MySQL dump doesn't name its database, so a table is also found by its name alone.
        let named = tables.iter().map(|t| ((String::new(), t.name.clone()), (t.rows, t.bytes)));
        let full = tables.iter().map(|t| ((t.schema.clone(), t.name.clone()), (t.rows, t.bytes)));
        let estimates = named.chain(full).collect();
        let total = tables.iter().map(|t| t.bytes).sum();
        Self { gauge, estimates, total, finished: 0, current: HashMap::new() }
    }

    /// So many bytes have passed by.
    pub fn passed(&mut self, bytes: usize, inspector: &dyn Inspector) {
        self.passed_in(0, bytes, inspector);
    }

    /// The same in one of several lanes, which the inspector looks at.
    pub fn passed_in(&mut self, lane: usize, bytes: usize, inspector: &dyn Inspector) {
        let position = inspector.position();
        let share = position.and_then(|(table, rows)| self.share(lane, table, rows));
        self.gauge.update(|progress| {
            progress.bytes += bytes as u64;
            if let Some((table, _)) = position {
                progress.what.clone_from(&table.name);
            }
            // An estimate must not make the line go backwards, nor say that all is done while it isn't.
            let share = share.map(|new| new.min(0.99).max(progress.share.unwrap_or(0.0)));
            progress.share = share.or(progress.share);
        });
    }

    fn share(&mut self, lane: usize, table: &DumpedTable, rows: usize) -> Option<f64> {
        if self.total == 0 {
            return None;
        }
        let key = (table.schema.clone().unwrap_or_default(), table.name.clone());
        if self.current.get(&lane).is_none_or(|current| current.table != key) {
            let (rows, bytes) = self.estimates.get(&key).copied().unwrap_or_default();
            let before = self.current.insert(lane, Current { table: key, rows, bytes, seen: 0 });
            self.finished += before.map_or(0, |current| current.bytes);
        }
        self.current.get_mut(&lane)?.seen = rows as u64;
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
        let table = |name: &str, rows, bytes| Table { schema: "s".into(), name: name.into(), rows, bytes };
        let gauge = Gauge::about("");
        let mut meter = Meter::new(gauge.clone(), &[table("a", 100, 300), table("b", 10, 100)]);
        let mut share_at = |name: &str, schema: Option<&str>, rows| {
            let at = DumpedTable { schema: schema.map(str::to_owned), name: name.into(), ..DumpedTable::default() };
            meter.passed(1, &At(at, rows));
            gauge.read().share
        };
        assert_eq!(share_at("a", Some("s"), 50), Some(0.375));
        assert_eq!(share_at("a", Some("s"), 100), Some(0.75));
        assert_eq!(share_at("b", None, 5), Some(0.875));
        assert_eq!(share_at("b", None, 4), Some(0.875), "never backwards");
        assert_eq!(share_at("b", None, 5000), Some(0.99), "never done before the end");
    }
}
