//! Stored generated columns, summed by the server.

use super::{NOT_OF_AN_EXTENSION, USER_SCHEMA};
use crate::connection::{Connection, Limits};
use crate::engine::postgres::session::{self, Session, identifier};
use crate::engine::{GeneratedColumns, GeneratedSums};
use crate::error::Result;

/// Whatever the two databases have set, the same value has the same text.
const SAME_TEXT: &str = "SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; \
     SET extra_float_digits = 1; SET bytea_output = 'hex'; SET lc_monetary = 'C'; SET xmlbinary = 'base64'; \
     SET search_path = ''; SET statement_timeout = 0";

/// Sums all tables that have some. No query where there are none.
pub async fn sums(connection: &Connection, limits: &Limits) -> Result<GeneratedColumns> {
    let session = session::open(connection, &connection.database, limits).await.map_err(|refusal| refusal.error)?;
    let columns = session.rows(&columns()).await?;
    let mut found = GeneratedColumns::new();
    if columns.is_empty() {
        return Ok(found);
    }
    session.rows(SAME_TEXT).await?;
    let encoding = session.column("SELECT pg_catalog.getdatabaseencoding()").await?.join("");
    let encoding = if encoding == "SQL_ASCII" { encoding.as_str() } else { "UTF8" };
    for row in columns {
        let [Some(schema), Some(table), Some(generated), names, others] = row.as_slice() else { continue };
        let (others, names) = (others.as_deref().unwrap_or_default(), names.as_deref().unwrap_or_default());
        let sums = table_sums(&session, schema, table, [others, generated], encoding).await?;
        let columns = names.split('\t').map(str::to_owned).collect();
        found.insert(format!("{schema}.{table}"), GeneratedSums { columns, ..sums });
    }
    Ok(found)
}

/// Schema, table, the generated columns as SQL and as names, and the other columns as SQL.
fn columns() -> String {
    let list = |what: &str, between: &str, generated: &str| {
        format!("pg_catalog.string_agg({what}, {between} ORDER BY a.attname) FILTER (WHERE a.attgenerated {generated})")
    };
    let sql = "pg_catalog.quote_ident(a.attname)";
    format!(
        "SELECT n.nspname, c.relname, {}, {}, {} FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND {USER_SCHEMA} AND {NOT_OF_AN_EXTENSION} \
         GROUP BY n.nspname, c.relname HAVING pg_catalog.bool_or(a.attgenerated = 's') ORDER BY 1, 2",
        list(sql, "', '", "= 's'"),
        list("a.attname::text", "E'\\t'", "= 's'"),
        list(sql, "', '", "= ''"),
    )
}

async fn table_sums(
    session: &Session,
    schema: &str,
    table: &str,
    columns: [&str; 2],
    encoding: &str,
) -> Result<GeneratedSums> {
    let [others, generated] = columns.map(|columns| {
        format!(
            "coalesce(pg_catalog.sum(('x' || pg_catalog.substr(pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(\
             ROW({columns})::text, '{encoding}')), 'hex'), 1, 15))::bit(60)::bigint), 0)"
        )
    });
    let query = format!(
        "SELECT pg_catalog.count(*), {others}, {generated} FROM ONLY {}.{}",
        identifier(schema),
        identifier(table)
    );
    let row = session.rows(&query).await?.into_iter().next().unwrap_or_default();
    let mut cells = row.into_iter().map(Option::unwrap_or_default);
    let mut next = || cells.next().unwrap_or_default();
    Ok(GeneratedSums { columns: Vec::new(), others: (next(), next()), generated: next() })
}
