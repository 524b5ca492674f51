//! Columns that hold bytes which do not come back: a dump is UTF-8, and some character sets have bytes that stand for no character,
//! or two for one. Rows are looked at as far as that takes little time.

use std::collections::BTreeMap;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::dump_filter::Selection;
use super::probe_keys::{self, some};
use super::session::quote;
use super::suitability::is_member;
use crate::engine::{Flavour, Server, Table};

/// Bytes of tables that are looked at, all together.
const MAX_LOOKED_AT: u64 = 64 << 20;
/// Character sets that are named where rows were not looked at.
const SUSPECTED: [&str; 3] = ["sjis", "cp1250", "armscii8"];

/// The columns of a source whose bytes do not come back, as `table.column`.
pub(super) async fn find(
    conn: &mut Conn,
    database: &str,
    flavour: Flavour,
    tables: &[Table],
) -> mysql_async::Result<Vec<String>> {
    let whole = if flavour == Flavour::Mysql { ", 'ascii'" } else { "" };
    let query = format!(
        "SELECT TABLE_NAME, COLUMN_NAME, CHARACTER_SET_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? \
         AND DATA_TYPE IN ('char', 'varchar', 'tinytext', 'text', 'mediumtext', 'longtext') \
         AND CHARACTER_SET_NAME NOT IN ('utf8mb4', 'utf8mb3', 'utf8', 'latin1', 'binary'{whole})"
    );
    let mut columns: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for (table, column, charset) in conn.exec::<(String, String, String), _, _>(query, (database,)).await? {
        columns.entry(table).or_default().push((column, charset));
    }
    let (mut found, mut looked_at) = (Vec::new(), 0);
    for table in tables {
        let Some(columns) = columns.remove(&table.name) else { continue };
        looked_at += table.bytes;
        let lost = if looked_at <= MAX_LOOKED_AT { lost(conn, &table.name, &columns).await? } else { None };
        let is_lost = |(at, (_, charset)): (usize, &(String, String))| {
            lost.as_ref().map_or(SUSPECTED.contains(&charset.as_str()), |lost| lost.get(at).copied().unwrap_or(false))
        };
        let named = columns.iter().enumerate().filter(|column| is_lost(*column));
        found.extend(named.map(|(_, (column, _))| format!("{}.{column}", table.name)));
    }
    Ok(found)
}

/// Of each column, whether one of its values comes back as another; none where that may not be asked.
async fn lost(conn: &mut Conn, table: &str, columns: &[(String, String)]) -> mysql_async::Result<Option<Vec<bool>>> {
    let one = |(column, charset): &(String, String)| {
        let column = quote(column);
        let back = format!("CONVERT(CONVERT({column} USING utf8mb4) USING {charset})");
        format!("MAX(CAST({back} AS BINARY) <> CAST({column} AS BINARY))")
    };
    let query = format!("SELECT {} FROM {}", columns.iter().map(one).collect::<Vec<_>>().join(", "), quote(table));
    let row: Option<Row> = match conn.query_first(query).await {
        Err(mysql_async::Error::Server(_)) => return Ok(None),
        row => row?,
    };
    let value = |row: &Row, at| row.get::<Option<i64>, _>(at).flatten() == Some(1);
    Ok(row.map(|row| (0..columns.len()).map(|at| value(&row, at)).collect()))
}

/// For a dump of these rows.
pub(super) fn warning(server: &Server, selection: &Selection) -> Option<String> {
    let columns = probe_keys::list(server, probe_keys::LOSSY_BYTES);
    if columns.is_empty() {
        return None;
    }
    let tables: Vec<&str> = selection.with_rows(server).collect();
    let named: Vec<&str> =
        columns.into_iter().filter(|column| tables.iter().any(|table| is_member(column, table))).collect();
    let what = "a dump is UTF-8, and columns hold bytes of their character sets that come back as others";
    (!named.is_empty()).then(|| format!("{what}: {}", some(&named)))
}
