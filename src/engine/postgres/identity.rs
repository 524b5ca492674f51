//! Whether two connections lead to one database, whatever their hosts are called.

use super::session;
use crate::connection::{Connection, Limits};
use crate::error::Result;

/// A lock taken through one connection is tried through the other. It belongs to a transaction, which keeps a pooler
/// from handing both the same session. A standby has locks of its own: it is known by its cluster's number.
pub async fn same(one: &Connection, other: &Connection, limits: &Limits) -> Result<bool> {
    let mine = session::open(one, &one.database, limits).await.map_err(|r| r.error)?;
    let theirs = session::open(other, &other.database, limits).await.map_err(|r| r.error)?;
    let mut clusters = Vec::new();
    for session in [&mine, &theirs] {
        let number = "SELECT system_identifier, pg_catalog.pg_is_in_recovery() FROM pg_catalog.pg_control_system()";
        clusters.push(session.try_rows(number).await?.ok().and_then(|rows| rows.into_iter().next()));
    }
    if let [Some(mine), Some(theirs)] = clusters.as_slice() {
        let standby = [mine, theirs].iter().any(|row| row.get(1).is_some_and(|v| v.as_deref() == Some("t")));
        if standby && mine.first() == theirs.first() && one.database == other.database {
            return Ok(true);
        }
    }
    let key = mine.column("SELECT (pg_catalog.random() * 9e18)::bigint").await?.join("");
    let lock = format!("BEGIN; SELECT pg_catalog.pg_try_advisory_xact_lock({key})");
    mine.rows(&lock).await?;
    let free = theirs.rows(&lock).await?;
    mine.rows("ROLLBACK").await?;
    theirs.rows("ROLLBACK").await?;
    Ok(free.into_iter().flatten().flatten().any(|answer| answer == "f"))
}
