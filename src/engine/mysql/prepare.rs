//! Empties or makes a restore's target.

use std::collections::BTreeMap;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::session::{self, quote, tolerant};
use crate::connection::{Connection, Limits};
use crate::engine::{Clean, RestoreOptions, Server};
use crate::error::{Error, Kind, Result};
use crate::report::units;

/// Does what `--clean`, `--create` and `--resume` ask for; `objects` needs nothing, as every dump drops what it brings.
pub(super) async fn prepare(
    connection: &Connection,
    server: Option<&Server>,
    options: &RestoreOptions,
    limits: &Limits,
) -> Result<Vec<String>> {
    let exists = server.is_none_or(|s| s.target.exists);
    let creates = options.create && !exists;
    let cleans = exists && matches!(options.clean, Some(Clean::Schema | Clean::Database));
    let again = server.map_or(&[][..], |server| &server.target.left.again);
    if !creates && !cleans && again.is_empty() {
        return Ok(Vec::new());
    }
    let mut conn = session::open(connection, exists.then_some(connection.database.as_str()), limits).await?;
    let work = async {
        match options.clean {
            _ if creates => create(&mut conn, &connection.database).await,
            Some(Clean::Database) => recreate(&mut conn, &connection.database).await,
            Some(_) => {
                let all = objects(&mut conn).await?;
                drop_all(&mut conn, &connection.database, &all).await
            }
            None => drop_all(&mut conn, &connection.database, again).await,
        }
    };
    let done = session::within(connection, limits, work).await;
    let _ = tokio::time::timeout(limits.connect, conn.disconnect()).await;
    done.map_err(|e| {
        let error = Error::new(Kind::RestoreFailed, format!("the target could not be prepared: {connection}"));
        error.why(e.why.join("\n")).why("it may be partly emptied").hints(e.hints)
    })
}

async fn create(conn: &mut Conn, database: &str) -> mysql_async::Result<Vec<String>> {
    conn.query_drop(format!("CREATE DATABASE {}", quote(database))).await?;
    Ok(vec![format!("created database {database:?}")])
}

/// Dropped and made again, with the character set and collation that it had.
async fn recreate(conn: &mut Conn, database: &str) -> mysql_async::Result<Vec<String>> {
    let query = "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?";
    let had: Option<(String, String)> = conn.exec_first(query, (database,)).await?;
    let name = quote(database);
    conn.query_drop(format!("DROP DATABASE {name}")).await?;
    let with = had.map_or(String::new(), |(set, collation)| format!(" CHARACTER SET {set} COLLATE {collation}"));
    conn.query_drop(format!("CREATE DATABASE {name}{with}")).await?;
    Ok(vec![format!("dropped and created database {database:?}")])
}

/// Everything in the database that can be dropped by itself, in an order in which that can be done: `VIEW`, and the name.
/// Triggers go with their tables.
pub(super) async fn objects(conn: &mut Conn) -> mysql_async::Result<Vec<(String, String)>> {
    let views = "SELECT 'VIEW', TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'VIEW'";
    let tables = "SELECT IF(TABLE_TYPE = 'SEQUENCE', 'SEQUENCE', 'TABLE'), TABLE_NAME FROM information_schema.TABLES \
                  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE <> 'VIEW'";
    let routines = "SELECT ROUTINE_TYPE, ROUTINE_NAME FROM information_schema.ROUTINES \
                    WHERE ROUTINE_SCHEMA = DATABASE() AND ROUTINE_TYPE <> 'PACKAGE BODY'";
    let events = "SELECT 'EVENT', EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()";
    let mut found = Vec::new();
    for query in [events, views, tables, routines] {
        found.extend(tolerant::<(String, String)>(conn, query).await?);
    }
    Ok(found)
}

/// Drops these; the database, its grants and its settings stay. Says how many of each kind.
async fn drop_all(conn: &mut Conn, database: &str, objects: &[(String, String)]) -> mysql_async::Result<Vec<String>> {
    // Tables that point at each other can be dropped in no order.
    conn.query_drop("SET SESSION foreign_key_checks = 0, lock_wait_timeout = 60").await?;
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for (kind, name) in objects {
        if kind == "PACKAGE" {
            // MariaDB's parser knows the word in this mode only.
            conn.query_drop("SET SESSION sql_mode = 'ORACLE'").await?;
        }
        conn.query_drop(format!("DROP {kind} IF EXISTS {}.{}", quote(database), quote(name))).await?;
        *counts.entry(kind).or_default() += 1;
    }
    Ok(counts
        .into_iter()
        .map(|(kind, count)| format!("dropped {}", units::plural(count, &kind.to_lowercase())))
        .collect())
}

/// Makes an empty database.
pub(super) async fn create_database(connection: &Connection, name: &str, limits: &Limits) -> Result<()> {
    let mut conn = session::open(connection, None, limits).await?;
    let made = conn.query_drop(format!("CREATE DATABASE {}", quote(name))).await;
    let _ = tokio::time::timeout(limits.connect, conn.disconnect()).await;
    made.map_err(|error| {
        let words = session::explain(&error, connection).why.join("\n");
        let denied = matches!(session::number(&error), Some(1044 | 1142 | 1227));
        let what = format!("{} may not create a database there", connection.user);
        let kind = if denied { Kind::Refused } else { Kind::RestoreFailed };
        let error = Error::new(kind, if denied { what } else { format!("database {name} could not be made") });
        error.why(words).why("nothing was changed").hints(
            denied.then(|| format!("GRANT ALL ON `{}%`.* TO the user, or name another user", name_pattern(name))),
        )
    })
}

/// Drops a database.
pub(super) async fn drop_database(connection: &Connection, name: &str, limits: &Limits) -> Result<()> {
    let mut conn = session::open(connection, None, limits).await?;
    // A client that was just killed may hold a lock for a moment.
    let work = async {
        conn.query_drop("SET SESSION lock_wait_timeout = 60").await?;
        conn.query_drop(format!("DROP DATABASE IF EXISTS {}", quote(name))).await
    };
    let done = session::within(connection, limits, work).await;
    let _ = tokio::time::timeout(limits.connect, conn.disconnect()).await;
    done
}

/// The databases whose names begin so.
pub(super) async fn databases(connection: &Connection, prefix: &str, limits: &Limits) -> Result<Vec<String>> {
    let mut conn = session::open(connection, None, limits).await?;
    let query = "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE LEFT(SCHEMA_NAME, ?) = ? ORDER BY 1";
    let work = conn.exec(query, (prefix.chars().count(), prefix));
    let found = session::within(connection, limits, work).await;
    let _ = tokio::time::timeout(limits.connect, conn.disconnect()).await;
    found
}

/// A name up to its last underscore, as GRANT wants a pattern: underscores escaped.
fn name_pattern(name: &str) -> String {
    name.rsplit_once('_').map_or(name, |(prefix, _)| prefix).replace('_', "\\_") + "\\_"
}
