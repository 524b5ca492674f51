//! One moment for several sessions: all begin to read while nobody writes.
//!
//! The tables are locked for the time that takes, some milliseconds once the lock is there; whoever writes waits so
//! long. A lock that does not come soon is not waited for, because everybody who writes would wait behind it.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::connection::{Connection, Limits};
use crate::engine::mysql::session::{self, quote};
use crate::error::Result;

/// Seconds for which a lock is waited for, at most.
const LOCK_TIMEOUT_S: u64 = 3;

/// What each lock may fail with.
#[derive(Debug)]
pub(super) enum ReadLock {
    /// Nobody writes until the session ends.
    Locked(Conn),
    /// Neither lock could be had: why, in the server's words.
    Refused(String),
}

/// Locks these tables against writes, or else all of the server.
///
/// Tables first: it is others' databases that the lock of the whole server would hold up. It asks `InnoDB` for its locks
/// as well, or else a transaction that has written could still commit: that takes `autocommit=0`.
pub(super) async fn acquire(connection: &Connection, limits: &Limits, tables: &[String]) -> Result<ReadLock> {
    let mut conn = session::open(connection, Some(&connection.database), limits).await?;
    // Two are asked for within the time that a server may be silent.
    let wait = (limits.idle.as_secs() / 4).clamp(1, LOCK_TIMEOUT_S);
    let setup = format!(
        "SET SESSION lock_wait_timeout={wait}, innodb_lock_wait_timeout={wait}, innodb_table_locks=1, autocommit=0"
    );
    let locked: Vec<_> = tables.iter().map(|table| format!("{} READ", quote(table))).collect();
    let attempt = async {
        conn.query_drop(setup).await?;
        let of_tables = match conn.query_drop(format!("LOCK TABLES {}", locked.join(", "))).await {
            Err(mysql_async::Error::Server(error)) => error.message,
            other => return other.map(|()| None),
        };
        match conn.query_drop("FLUSH TABLES WITH READ LOCK").await {
            Err(mysql_async::Error::Server(error)) => Ok(Some(format!("{of_tables}; {}", error.message))),
            other => other.map(|()| None),
        }
    };
    let refused = session::within(connection, limits, attempt).await?;
    Ok(match refused {
        None => ReadLock::Locked(conn),
        Some(why) => ReadLock::Refused(connection.redactor().redact(&why)),
    })
}
