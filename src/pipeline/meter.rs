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
    current: Option<Current>,
}

struct Current {
    index: usize,
    rows: u64,
    bytes: u64,
}

impl Meter {
    /// A meter for these tables.
    pub fn new(gauge: Gauge, tables: &[Table]) -> Self {
        // A MySQL dump doesn't name its database, so a table is also found by its name alone.
        let named = tables.iter().map(|t| ((String::new(), t.name.clone()), (t.rows, t.bytes)));
        let full = tables.iter().map(|t| ((t.schema.clone(), t.name.clone()), (t.rows, t.bytes)));
        let estimates = named.chain(full).collect();
        let total = tables.iter().map(|t| t.bytes).sum();
        Self { gauge, estimates, total, finished: 0, current: None }
    }

    /// So many bytes have passed by.
    pub fn passed(&mut self, bytes: usize, inspector: &dyn Inspector) {
        let position = inspector.position();
        let share = position.and_then(|(table, index)| self.share(table, index));
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

    fn share(&mut self, table: &DumpedTable, index: usize) -> Option<f64> {
        if self.total == 0 {
            return None;
        }
        if self.current.as_ref().is_none_or(|current| current.index != index) {
            self.finished += self.current.take().map_or(0, |current| current.bytes);
            let key = (table.schema.clone().unwrap_or_default(), table.name.clone());
            let (rows, bytes) = self.estimates.get(&key).copied().unwrap_or_default();
            self.current = Some(Current { index, rows, bytes });
        }
        let current = self.current.as_ref()?;
        let seen = table.rows.unwrap_or(0) as f64 / current.rows.max(1) as f64;
        Some((self.finished as f64 + current.bytes as f64 * seen.min(1.0)) / self.total as f64)
    }
}
