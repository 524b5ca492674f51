//! Whether a pooler stands between, and what becomes of a session there.
//!
//! A pooler that pools by transaction gives a session another backend for each one: what `pg_dump` sets for its session
//! (an empty `search_path` above all) is lost for it, and stays behind for other people's sessions.

use std::time::Duration;

use super::Session;
use crate::connection::{Connection, Limits};
use crate::engine::postgres::session;
use crate::engine::{Finding, Server, Severity};
use crate::error::Result;
use crate::hint::Hint;

/// The setting that says how a pooler pools; not there without one.
pub const POOLING: &str = "pooling";

/// The value of [`POOLING`] that forbids dumps and restores.
pub const BY_TRANSACTION: &str = "transaction";

/// A second session may have to wait for a place in the pool: that is not worth the whole connect time-out.
pub const POOLER_TIMEOUT: Duration = Duration::from_secs(3);

/// Fills the server's `pooler`, the setting [`POOLING`], and a finding. `shares` is [what was found](shares_sessions).
pub async fn detect_pooler(connection: &Connection, server: &mut Server, shares: bool, limits: &Limits) {
    let database = server.database.clone();
    let limits = Limits { connect: limits.connect.min(POOLER_TIMEOUT), ..*limits };
    server.pooler = name(connection, server, &database, &limits).await;
    if shares {
        let pooler = server.pooler.get_or_insert_with(|| "a pooler".into());
        server.settings.insert(POOLING.into(), BY_TRANSACTION.into());
        server.findings.push(Finding::new(Severity::Fatal, refusal(pooler), Some(WAY_OUT)));
    } else if let Some(pooler) = &server.pooler {
        server.findings.push(Finding::new(
            Severity::Warning,
            format!("{pooler} answers in the server's name"),
            Some(Hint::new(
                "connection-itself-is-safer",
                "a connection to the server itself is safer for a dump or a restore",
            )),
        ));
    }
}

/// Why nothing goes through a pooler that pools by transaction.
pub fn refusal(pooler: &str) -> String {
    format!("{pooler} stands before the server and pools by transaction: what a client sets for its session is lost")
}

/// What to do about it.
pub const WAY_OUT: Hint = Hint::new(
    "server-itself",
    "connect to the server itself, or to a port of the pooler that pools by session; platforms name both in their console",
);

/// Two sessions that share a backend, or one that changes it, share their connections by the transaction. A server, and a
/// pooler that pools by session, gives each its own for as long as it lives.
pub async fn shares_sessions(
    connection: &Connection,
    session: &Session,
    database: &str,
    limits: &Limits,
) -> Result<bool> {
    const BACKEND: &str = "SELECT pg_catalog.pg_backend_pid()";
    // Without a second session nothing is learned: there may be no connection left for it.
    let limits = Limits { connect: limits.connect.min(POOLER_TIMEOUT), ..*limits };
    let opened = if session.is_lifted {
        session::open_lifted(connection, database, &limits, BACKEND).await
    } else {
        session::open_asking(connection, database, &limits, BACKEND).await
    };
    let Ok((other, _)) = opened else { return Ok(false) };
    let first = session.column(BACKEND).await?;
    for _ in 0..3 {
        let theirs = other.column(BACKEND).await?;
        if theirs == first || session.column(BACKEND).await? != first {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `PgBouncer` refuses startup options that a server takes. It is only asked when the port that answered is not the one
/// that was dialled, as behind most poolers, and behind tunnels and containers too.
async fn name(connection: &Connection, server: &Server, database: &str, limits: &Limits) -> Option<String> {
    let (_, dialled) = connection.address()?;
    if server.settings.get("server.port").is_some_and(|port| *port == dialled.to_string()) {
        return None;
    }
    match session::open_with(connection, database, limits, Some("-c geqo=on")).await {
        Err(refusal) if refusal.error.why.iter().any(|w| w.contains("unsupported startup parameter")) => {
            Some("PgBouncer".into())
        }
        _ => None,
    }
}
