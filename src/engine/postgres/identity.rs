//! Whether two connections lead to one database, whatever their hosts are called.

use super::pinned_settings;
use super::session::{self, Session};
use crate::connection::{Connection, Limits};
use crate::error::Result;

/// A lock taken through one connection is tried through the other. It belongs to a transaction, which keeps a pooler
/// from handing both the same session. A standby has locks of its own: it is known by its cluster's number.
pub async fn same(one: &Connection, other: &Connection, limits: &Limits) -> Result<bool> {
    const NUMBER: &str = "SELECT system_identifier, pg_catalog.pg_is_in_recovery() FROM pg_catalog.pg_control_system()";
    // Nobody knows yet whether these sessions are ours alone: their settings stay.
    let (mine, number) = session::open_asking(one, &one.database, limits, NUMBER).await.map_err(|r| r.error)?;
    let (theirs, other_number) =
        session::open_asking(other, &other.database, limits, NUMBER).await.map_err(|r| r.error)?;
    if let (Some(mine), Some(theirs)) = (number.first(), other_number.first()) {
        let standby = [mine, theirs].iter().any(|row| row.get(1).is_some_and(|v| v.as_deref() == Some("t")));
        if standby && mine.first() == theirs.first() && one.database == other.database {
            return Ok(true);
        }
    }
    match locks_are_one(&mine, &theirs).await {
        Err(_) if mine.is_closed() => {
            // It was idle for longer than this user's sessions may be.
            let (mine, _) = session::open_lifted(one, &one.database, limits, NUMBER).await.map_err(|r| r.error)?;
            locks_are_one(&mine, &theirs).await
        }
        answer => answer,
    }
}

async fn locks_are_one(mine: &Session, theirs: &Session) -> Result<bool> {
    let key = mine.column("SELECT (pg_catalog.random() * 9e18)::bigint").await?.join("");
    let lift = pinned_settings::lift_time_limits();
    // It begins anew after a time-out of the server's.
    let lock = format!(
        "ROLLBACK; BEGIN; SET LOCAL statement_timeout = 0; {lift}; SELECT pg_catalog.pg_try_advisory_xact_lock({key})"
    );
    mine.rows(&lock).await?;
    let free = theirs.rows(&lock).await?;
    mine.rows("ROLLBACK").await?;
    theirs.rows("ROLLBACK").await?;
    Ok(free.last().and_then(|row| row.first()).is_some_and(|answer| answer.as_deref() == Some("f")))
}
