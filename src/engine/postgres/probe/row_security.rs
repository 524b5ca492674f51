//! Rows that policies hide from their own tables' owner, as `FORCE ROW LEVEL SECURITY` makes them do.

use super::USER_SCHEMA;
use crate::connection::{Connection, Limits};
use crate::engine::postgres::session::{self, identifier};
use crate::error::Result;

/// Schema, name and rows of each such table of the user's, counted in a transaction that leaves everything as it was.
pub async fn count_around(connection: &Connection, limits: &Limits) -> Result<Vec<(String, String, u64)>> {
    let session = session::open(connection, &connection.database, limits).await.map_err(|refusal| refusal.error)?;
    let tables = format!(
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE {USER_SCHEMA} AND c.relkind = 'r' AND c.relforcerowsecurity AND pg_catalog.row_security_active(c.oid) \
         AND pg_catalog.pg_has_role(c.relowner, 'USAGE') ORDER BY 1, 2"
    );
    let mut counted = Vec::new();
    for row in session.rows(&tables).await? {
        let [Some(schema), Some(name)] = row.as_slice() else { continue };
        let table = format!("{}.{}", identifier(schema), identifier(name));
        let count = session
            .column(&format!(
                "BEGIN; ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY; SELECT count(*) FROM ONLY {table}; ROLLBACK"
            ))
            .await?;
        counted.extend(count.join("").parse().ok().map(|rows| (schema.clone(), name.clone(), rows)));
    }
    Ok(counted)
}
