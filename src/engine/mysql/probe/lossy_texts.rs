//! Columns whose texts do not come back as the same values. Rows are looked at as far as that takes little time.
//!
//! A client's text is UTF-8, and some character sets have bytes that stand for no character, or two for one; the error's value of an
//! ENUM has an empty text, as a proper one may have: `rows` reads both otherwise. MySQL's JSON holds decimals, dates and bytes,
//! which JSON's text has only as numbers and strings: these are named.

use std::collections::BTreeMap;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::probe_keys::{self, join_truncated};
use crate::engine::mysql::dump::dump_filter::TableFilter;
use crate::engine::mysql::parallel::rows;
use crate::engine::mysql::session::{self, quote};
use crate::engine::{Flavour, Server};

/// Bytes of tables that are looked at, all together.
const MAX_LOOKED_AT: u64 = 64 << 20;
/// Character sets that are taken for lossy where rows were not looked at.
const SUSPECTED: [&str; 3] = ["sjis", "cp1250", "armscii8"];
/// What stands in a character set's place.
const ENUM: &str = "an enum";
const JSON: &str = "json";

/// Fills the settings that name such columns, as `table.column`.
pub(crate) async fn read(conn: &mut Conn, server: &mut Server) -> mysql_async::Result<()> {
    let mut columns = suspects(conn, server).await?;
    let (mut lossy, mut json, mut looked_at) = (Vec::new(), Vec::new(), 0);
    for table in &server.tables {
        let Some(columns) = columns.remove(&table.name) else { continue };
        looked_at += table.bytes;
        let lost = if looked_at <= MAX_LOOKED_AT { lost(conn, &table.name, &columns).await? } else { None };
        for (at, (column, kind)) in columns.iter().enumerate() {
            let suspected = SUSPECTED.contains(&kind.as_str());
            if lost.as_ref().map_or(suspected, |lost| lost.get(at).copied().unwrap_or(false)) {
                if kind == JSON { &mut json } else { &mut lossy }.push(format!("{}.{column}", table.name));
            }
        }
    }
    server.settings.insert(probe_keys::LOSSY_TEXTS.to_owned(), lossy.join(probe_keys::JOIN));
    server.settings.insert(probe_keys::TYPED_JSON.to_owned(), json.join(probe_keys::JOIN));
    Ok(())
}

/// Fills the setting that names columns with histograms, which came with MySQL 8.
pub(crate) async fn histograms(conn: &mut Conn, server: &mut Server) -> mysql_async::Result<()> {
    if server.flavour == Flavour::MYSQL && server.version.major >= 8 {
        let query = "SELECT CONCAT(TABLE_NAME, '.', COLUMN_NAME) FROM information_schema.COLUMN_STATISTICS \
                     WHERE SCHEMA_NAME = ? ORDER BY 1";
        let columns: Vec<String> = session::rows_of(conn, query, &[&server.database]).await?;
        server.settings.insert(probe_keys::HISTOGRAMS.to_owned(), columns.join(probe_keys::JOIN));
    }
    Ok(())
}

/// Columns that may be such, by table, each with its character set or what stands in its place.
async fn suspects(conn: &mut Conn, server: &Server) -> mysql_async::Result<BTreeMap<String, Vec<(String, String)>>> {
    // MariaDB's JSON is text.
    let (whole, json) = if server.flavour == Flavour::MYSQL { (", 'ascii'", JSON) } else { ("", "no such type") };
    let query = format!(
        "SELECT TABLE_NAME, COLUMN_NAME, CASE DATA_TYPE WHEN 'enum' THEN '{ENUM}' WHEN 'json' THEN '{JSON}' \
         ELSE CHARACTER_SET_NAME END FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? \
         AND IFNULL(GENERATION_EXPRESSION, '') = '' AND (DATA_TYPE IN ('char', 'varchar', 'tinytext', 'text', 'mediumtext', 'longtext') \
         AND CHARACTER_SET_NAME NOT IN ('utf8mb4', 'utf8mb3', 'utf8', 'latin1', 'binary'{whole}) \
         OR DATA_TYPE = 'enum' AND COLUMN_TYPE REGEXP '[(,]''''[,)]' OR DATA_TYPE = '{json}') \
         ORDER BY TABLE_NAME, ORDINAL_POSITION"
    );
    let mut columns: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for (table, column, kind) in session::rows_of::<(String, String, String)>(conn, &query, &[&server.database]).await?
    {
        columns.entry(table).or_default().push((column, kind));
    }
    Ok(columns)
}

/// Of each column, whether one of its values comes back as another; none where that may not be asked.
async fn lost(conn: &mut Conn, table: &str, columns: &[(String, String)]) -> mysql_async::Result<Option<Vec<bool>>> {
    let one = |(column, kind): &(String, String)| {
        let column = quote(column);
        let changes = match kind.as_str() {
            ENUM => format!("{column} = 0"),
            JSON => {
                let back = format!("CAST(CAST({column} AS CHAR) AS JSON)");
                format!(
                    "CAST({back} AS CHAR) <> CAST({column} AS CHAR) OR JSON_STORAGE_SIZE({back}) \
                     <> JSON_STORAGE_SIZE({column}) - JSON_STORAGE_FREE({column})"
                )
            }
            charset => {
                let back = format!("CONVERT(CONVERT({column} USING utf8mb4) USING {charset})");
                format!("CAST({back} AS BINARY) <> CAST({column} AS BINARY)")
            }
        };
        format!("MAX({changes})")
    };
    let query = format!("SELECT {} FROM {}", columns.iter().map(one).collect::<Vec<_>>().join(", "), quote(table));
    let row: Option<Row> = match conn.query_first(query).await {
        Err(mysql_async::Error::Server(_)) => return Ok(None),
        row => row?,
    };
    let value = |row: &Row, at| row.get::<Option<i64>, _>(at).flatten() == Some(1);
    Ok(row.map(|row| (0..columns.len()).map(|at| value(&row, at)).collect()))
}

/// For a dump of these rows: what comes back as something else. `by_client`: no session of ours reads them.
pub(crate) fn warnings(server: &Server, selection: &TableFilter, by_client: bool) -> Vec<String> {
    let named = |key: &str, what: &str| {
        let columns = rows::among(server, selection, key);
        (!columns.is_empty()).then(|| format!("{what}: {}", join_truncated(&columns)))
    };
    let text = "a dump is UTF-8, and columns hold bytes of their character sets that come back as others";
    let json = "JSON columns hold decimals, dates or bytes, which come back as the numbers and strings of JSON's text";
    let text = by_client.then(|| named(probe_keys::LOSSY_TEXTS, text)).flatten();
    text.into_iter().chain(named(probe_keys::TYPED_JSON, json)).collect()
}
