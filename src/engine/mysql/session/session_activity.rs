//! What our sessions are doing, and whose lock they wait for.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::tolerant;
use crate::connection::{Connection, Limits};
use crate::engine::mysql::probe::probe_keys;
use crate::engine::mysql::session;
use crate::engine::{Server, SessionActivity};
use crate::error::Result;

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
    WHERE wanted.LOCK_STATUS = 'PENDING' AND w.PROCESSLIST_USER = \
    SUBSTRING_INDEX(USER(), CONCAT('@', SUBSTRING_INDEX(USER(), '@', -1)), 1) \
    AND w.PROCESSLIST_DB = DATABASE() AND (wanted.LOCK_TYPE LIKE '%EXCLUSIVE%' \
    OR held.LOCK_TYPE NOT IN ('SHARED', 'SHARED_HIGH_PRIO', 'SHARED_READ', 'INTENTION_EXCLUSIVE'))";

/// Asks in a short session.
pub(crate) async fn session_activity(
    connection: &Connection,
    server: &Server,
    limits: &Limits,
) -> Result<SessionActivity> {
    session::ask(connection, Some(&connection.database), limits, async |conn| {
        let ours = processes(conn, &connection.database).await?;
        let holders = tolerant(conn, HOLDERS).await?;
        // The server counts its sessions: an older one is another's of the same user. A proxy's are older than their use.
        let first = if server.pooler.is_none() { probe_keys::number(server, probe_keys::SESSION) } else { 0 };
        Ok(SessionActivity { busy: ours.iter().any(|process| process.id >= first && process.works()), holders })
    })
    .await
}

/// A session on the server.
pub(crate) struct Process {
    pub(crate) id: u64,
    command: String,
    state: String,
}

/// Our user's sessions in this database, other than the asking one. By `SHOW`: MySQL's `information_schema.PROCESSLIST`
/// fails while a statement on the server holds bytes that are no text (3854), as rows of a dump do.
pub(crate) async fn processes(conn: &mut Conn, database: &str) -> mysql_async::Result<Vec<Process>> {
    let asking = conn.query_first("SELECT USER(), CONNECTION_ID()").await?;
    let (login, asking): (String, u64) = asking.unwrap_or_default();
    let user = login.rsplit_once('@').map_or("", |(user, _)| user);
    let rows: Vec<Row> = conn.query("SHOW PROCESSLIST").await?;
    let ours = rows.iter().filter(|row| text(row, "User") == user && text(row, "db").eq_ignore_ascii_case(database));
    let processes = ours.filter_map(|row| {
        let id = row.get_opt("Id")?.ok()?;
        Some(Process { id, command: text(row, "Command"), state: text(row, "State") })
    });
    Ok(processes.filter(|process| process.id != asking).collect())
}

fn text(row: &Row, column: &str) -> String {
    row.get_opt::<Option<String>, _>(column).and_then(Result::ok).flatten().unwrap_or_default()
}

impl Process {
    /// `Sending to client` and `Writing to net` wait for us, `Waiting for table metadata lock` for somebody else.
    fn works(&self) -> bool {
        let state = self.state.to_ascii_lowercase();
        let waits = ["waiting", "lock", "sending to client", "writing to net", "sleep"];
        ["Query", "Execute"].contains(&self.command.as_str()) && !waits.iter().any(|word| state.contains(word))
    }
}
