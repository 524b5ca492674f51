//! What our sessions are doing, and whose lock they wait for.

use crate::connection::{Connection, Limits};
use crate::engine::postgres::probe::ASKED_AT;
use crate::engine::postgres::session;
use crate::engine::{Server, SessionActivity};
use crate::error::Result;

/// Sessions of ours, other than the asking one. An older one is another's of the same user, unless a pooler stands
/// between, whose sessions are older than their use.
fn ours(server: &Server) -> String {
    let asked_at = server.settings.get(ASKED_AT).filter(|at| at.parse::<f64>().is_ok() && server.pooler.is_none());
    let since = asked_at.map_or(String::new(), |at| format!(" AND extract(epoch FROM backend_start) >= {at}"));
    format!(
        "application_name = 'dbhaul' AND usename = session_user AND datname = current_database() \
         AND pid <> pg_catalog.pg_backend_pid(){since}"
    )
}

/// Asks in a short session.
pub async fn session_activity(connection: &Connection, server: &Server, limits: &Limits) -> Result<SessionActivity> {
    let session = session::open(connection, &connection.database, limits).await.map_err(|r| r.error)?;
    // A role that acts as another may not see what its own login does.
    session.rows("BEGIN; SET LOCAL ROLE NONE").await?;
    let ours = ours(server);
    let working = format!(
        "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE {ours} AND state = 'active' \
         AND wait_event_type IS DISTINCT FROM 'Lock' AND wait_event_type IS DISTINCT FROM 'Client'"
    );
    let busy = session.column(&working).await?.first().is_some_and(|count| count != "0");
    // Of other users' sessions, the server tells the number and the name alone.
    let holders = format!(
        "SELECT DISTINCT 'session ' || pid || ' of user ' || coalesce('\"' || usename || '\"', '?') \
         || coalesce(' from ' || host(client_addr), '') || coalesce(', ' || nullif(application_name, ''), '') \
         || coalesce(', ' || state, '') FROM pg_catalog.pg_stat_activity WHERE pid IN \
         (SELECT pg_catalog.unnest(pg_catalog.pg_blocking_pids(pid)) FROM pg_catalog.pg_stat_activity \
         WHERE {ours} AND wait_event_type = 'Lock')"
    );
    Ok(SessionActivity { busy, holders: session.column(&holders).await? })
}
