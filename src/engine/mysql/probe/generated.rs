//! Stored generated columns, summed by the server.

use std::collections::BTreeMap;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::connection::{Connection, Limits};
use crate::engine::mysql::session::{self, quote};
use crate::engine::{GeneratedColumns, GeneratedSums};
use crate::error::Result;

/// Columns of tables that have some: the table, the column, whether it is one.
const COLUMNS: &str = "SELECT c.TABLE_NAME, c.COLUMN_NAME, c.EXTRA LIKE '%STORED GENERATED%' OR c.EXTRA LIKE '%PERSISTENT%' \
     FROM information_schema.COLUMNS c JOIN information_schema.TABLES t \
     ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME AND t.TABLE_TYPE = 'BASE TABLE' \
     WHERE c.TABLE_SCHEMA = DATABASE() AND c.EXTRA NOT LIKE '%VIRTUAL GENERATED%' AND c.TABLE_NAME IN \
     (SELECT s.TABLE_NAME FROM information_schema.COLUMNS s WHERE s.TABLE_SCHEMA = DATABASE() \
     AND (s.EXTRA LIKE '%STORED GENERATED%' OR s.EXTRA LIKE '%PERSISTENT%')) ORDER BY 1, 2";

/// Sums all tables that have some. No query where there are none.
pub(crate) async fn sums(connection: &Connection, limits: &Limits) -> Result<GeneratedColumns> {
    session::ask(connection, Some(&connection.database), limits, async |conn| {
        let columns: Vec<(String, String, bool)> = conn.query(COLUMNS).await?;
        let mut tables: BTreeMap<String, (Vec<String>, Vec<String>)> = BTreeMap::new();
        for (table, column, is_generated) in columns {
            let (others, generated) = tables.entry(table).or_default();
            if is_generated { generated.push(column) } else { others.push(column) }
        }
        let mut found = GeneratedColumns::new();
        for (table, (others, generated)) in tables {
            let sums = table_sums(conn, &table, &others, &generated).await?;
            found.insert(table, GeneratedSums { columns: generated, ..sums });
        }
        Ok(found)
    })
    .await
}

async fn table_sums(
    conn: &mut Conn,
    table: &str,
    others: &[String],
    generated: &[String],
) -> mysql_async::Result<GeneratedSums> {
    // Points in time have the same text on both sides.
    conn.query_drop("SET SESSION time_zone = '+00:00'").await?;
    let [others, generated] = [others, generated].map(|columns| {
        let each = columns.iter().map(|column| format!("IFNULL(SHA2(CAST({} AS BINARY), 256), '-')", quote(column)));
        let row = std::iter::once("''".to_owned()).chain(each).collect::<Vec<_>>().join(", ");
        let hash = format!("CONV(SUBSTRING(SHA2(CONCAT({row}), 256), 1, 15), 16, 10)");
        format!("CAST(SUM(CAST({hash} AS UNSIGNED)) AS CHAR)")
    });
    let query = format!("SELECT CAST(COUNT(*) AS CHAR), {others}, {generated} FROM {}", quote(table));
    let row: Option<(String, Option<String>, Option<String>)> = conn.query_first(query).await?;
    let (rows, others, generated) = row.unwrap_or_default();
    let generated = generated.unwrap_or_default();
    Ok(GeneratedSums { columns: Vec::new(), others: (rows, others.unwrap_or_default()), generated })
}
