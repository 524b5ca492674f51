//! What our sessions are doing, and whose lock they wait for.

use mysql_async::prelude::Queryable;

use super::session::{self, tolerant};
use crate::connection::{Connection, Limits};
use crate::engine::Doing;
use crate::error::Result;

/// Sessions of ours, other than the asking one, and their states.
const STATES: &str = "SELECT IFNULL(STATE, '') FROM information_schema.PROCESSLIST \
    WHERE COMMAND IN ('Query', 'Execute') AND ID <> CONNECTION_ID() \
    AND USER = SUBSTRING_INDEX(CURRENT_USER(), '@', 1) AND DB = ?";

/// Holders of a lock on what one of our sessions waits to use. Readers keep nobody waiting but who wants it alone. Where
/// the server does not tell this, or not this user (MariaDB, a user without rights on `performance_schema`), there are none.
const HOLDERS: &str = "SELECT DISTINCT CONCAT('session ', h.PROCESSLIST_ID, ' of user ', \
    IFNULL(CONCAT('\"', h.PROCESSLIST_USER, '\"'), '?'), IFNULL(CONCAT(' from ', h.PROCESSLIST_HOST), ''), \
    IFNULL(CONCAT(', ', h.PROCESSLIST_COMMAND), ''), IFNULL(CONCAT(' for ', h.PROCESSLIST_TIME, ' s'), '')) \
    FROM performance_schema.metadata_locks wanted JOIN performance_schema.metadata_locks held \
    ON held.OBJECT_TYPE = wanted.OBJECT_TYPE AND held.OBJECT_SCHEMA <=> wanted.OBJECT_SCHEMA \
    AND held.OBJECT_NAME <=> wanted.OBJECT_NAME AND held.LOCK_STATUS = 'GRANTED' \
    AND held.OWNER_THREAD_ID <> wanted.OWNER_THREAD_ID \
    JOIN performance_schema.threads w ON w.THREAD_ID = wanted.OWNER_THREAD_ID \
    JOIN performance_schema.threads h ON h.THREAD_ID = held.OWNER_THREAD_ID \
    WHERE wanted.LOCK_STATUS = 'PENDING' AND w.PROCESSLIST_USER = SUBSTRING_INDEX(CURRENT_USER(), '@', 1) \
    AND w.PROCESSLIST_DB = DATABASE() AND (wanted.LOCK_TYPE LIKE '%EXCLUSIVE%' \
    OR held.LOCK_TYPE NOT IN ('SHARED', 'SHARED_HIGH_PRIO', 'SHARED_READ', 'INTENTION_EXCLUSIVE'))";

/// Asks in a short session.
pub(super) async fn doing(connection: &Connection, limits: &Limits) -> Result<Doing> {
    let mut conn = session::open(connection, Some(&connection.database), limits).await?;
    let work = async {
        let states: Vec<String> = conn.exec(STATES, (&connection.database,)).await?;
        let holders = tolerant(&mut conn, HOLDERS).await?;
        Ok(Doing { busy: states.iter().any(|state| works(state)), holders })
    };
    let done = session::within(connection, limits, work).await;
    let _ = tokio::time::timeout(limits.connect, conn.disconnect()).await;
    done
}

/// `Sending to client` and `Writing to net` wait for us, `Waiting for table metadata lock` for somebody else.
fn works(state: &str) -> bool {
    let state = state.to_ascii_lowercase();
    !["waiting", "lock", "sending to client", "writing to net", "sleep"].iter().any(|word| state.contains(word))
}
