//! What our sessions are doing, and whose lock they wait for.

use super::session;
use crate::connection::{Connection, Limits};
use crate::engine::Doing;
use crate::error::Result;

/// Sessions of ours, other than the asking one.
const OURS: &str = "application_name = 'dbhaul' AND usename = current_user AND datname = current_database() \
    AND pid <> pg_catalog.pg_backend_pid()";

/// Asks in a short session.
pub async fn doing(connection: &Connection, limits: &Limits) -> Result<Doing> {
    let session = session::open(connection, &connection.database, limits).await.map_err(|r| r.error)?;
    let working = format!(
        "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE {OURS} AND state = 'active' \
         AND wait_event_type IS DISTINCT FROM 'Lock' AND wait_event_type IS DISTINCT FROM 'Client'"
    );
    let busy = session.column(&working).await?.first().is_some_and(|count| count != "0");
    // Of other users' sessions, the server tells the number and the name alone.
    let holders = format!(
        "SELECT DISTINCT 'session ' || pid || ' of user ' || coalesce('\"' || usename || '\"', '?') \
         || coalesce(' from ' || host(client_addr), '') || coalesce(', ' || nullif(application_name, ''), '') \
         || coalesce(', ' || state, '') FROM pg_catalog.pg_stat_activity WHERE pid IN \
         (SELECT pg_catalog.unnest(pg_catalog.pg_blocking_pids(pid)) FROM pg_catalog.pg_stat_activity \
         WHERE {OURS} AND wait_event_type = 'Lock')"
    );
    Ok(Doing { busy, holders: session.column(&holders).await? })
}
