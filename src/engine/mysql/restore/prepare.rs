//! Empties or makes a restore's target.

use std::collections::BTreeMap;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::connection::{Connection, Limits};
use crate::engine::mysql::hints::LOCKED;
use crate::engine::mysql::probe::database;
use crate::engine::mysql::session::{self, quote, tolerant};
use crate::engine::{Clean, Content, RestoreOptions, Server};
use crate::error::{Error, Kind, Result};
use crate::hint::{self, Hint};
use crate::properties::DatabaseProperties;
use crate::report::units;

/// Does what `--clean`, `--create` and `--resume` ask for; `objects` needs nothing, as every dump drops what it brings. An
/// empty database gets the source's character set.
pub(crate) async fn prepare(
    connection: &Connection,
    server: &Server,
    content: &Content,
    options: &RestoreOptions,
    limits: &Limits,
) -> Result<Vec<String>> {
    let exists = server.target.exists;
    let makes = if exists { options.clean == Some(Clean::Database) } else { options.create };
    let empties = exists && options.clean == Some(Clean::Schema);
    let change = database::change(server, content, options);
    let again = &server.target.left.again;
    if !makes && !empties && again.is_empty() && change.is_none() {
        return Ok(Vec::new());
    }
    let mut conn = session::open(connection, exists.then_some(connection.database.as_str()), limits).await?;
    let name = &connection.database;
    let done = async {
        if makes {
            return make(&mut conn, connection, server, content, options, limits).await;
        }
        let mut dropped = Dropped::new();
        let work = async {
            let objects = if empties { &objects(&mut conn).await? } else { again };
            drop_all(&mut conn, name, objects, &mut dropped).await?;
            if let Some(statement) = &change {
                conn.query_drop(statement).await?;
            }
            Ok(())
        };
        let done = session::within(connection, limits, work).await;
        done.map_err(|error| match error.why.first() {
            Some(words) if dropped.is_empty() && words.starts_with("ERROR ") => undropped(error),
            _ => unprepared(error, connection),
        })?;
        let mut steps: Vec<_> = dropped
            .into_iter()
            .map(|(kind, count)| format!("dropped {}", units::plural(count, &kind.to_lowercase())))
            .collect();
        steps.extend(change.map(|statement| format!("gave database {name:?} the source's character set: {statement}")));
        Ok(steps)
    }
    .await;
    session::close(conn, limits).await;
    done
}

/// The server refused the first drop: there was none.
fn undropped(e: Error) -> Error {
    let words = e.why.join("\n");
    let hint = if words.starts_with("ERROR 1205") {
        LOCKED
    } else {
        Hint::new(
            "grant-or-clean-database",
            "GRANT the user what is missing; or --clean database, which drops the database as a whole",
        )
    };
    let error = Error::new(Kind::Refused, "the server does not let the user drop what the target holds");
    error.why(words).unchanged().hints(e.hints).hint(hint)
}

fn unprepared(e: Error, connection: &Connection) -> Error {
    let error = Error::new(Kind::RestoreFailed, format!("the target could not be prepared: {connection}"));
    error.why(e.why.join("\n")).why("it may be partly emptied").hints(e.hints)
}

/// Makes the database, in place of the one that is there. Whether the server lets us is asked first: of a database that is
/// there, it takes this statement and does nothing.
async fn make(
    conn: &mut Conn,
    connection: &Connection,
    server: &Server,
    content: &Content,
    options: &RestoreOptions,
    limits: &Limits,
) -> Result<Vec<String>> {
    let (database, wanted) = (&connection.database, database::wanted(server, content, options));
    let create = format!("{}{}", quote(database), database::definition(server, &wanted, options));
    let exists = server.target.exists;
    let asking = conn.query_drop(format!("CREATE DATABASE {}{create}", if exists { "IF NOT EXISTS " } else { "" }));
    if let Err(e) = session::within(connection, limits, asking).await {
        let error =
            Error::new(Kind::Refused, format!("{} may not create database {database:?} there", connection.user));
        let error = error.why(e.why.join("\n")).unchanged().hints(e.hints);
        return Err(if exists { error.hint(hint::CLEAN_SCHEMA_INSTEAD) } else { error });
    }
    let work = async {
        if exists {
            // A table that a key of another database points at would stop it half-way.
            conn.query_drop("SET SESSION foreign_key_checks = 0, lock_wait_timeout = 60").await?;
            conn.query_drop(format!("DROP DATABASE {}", quote(database))).await?;
            conn.query_drop(format!("CREATE DATABASE {create}")).await?;
        }
        database::differences(conn, server, &wanted).await
    };
    let differences = session::within(connection, limits, work).await.map_err(|error| unprepared(error, connection))?;
    let done = if exists { "dropped and created" } else { "created" };
    Ok(std::iter::once(format!("{done} database {database:?}")).chain(differences).collect())
}

/// Everything in the database that can be dropped by itself, in an order in which that can be done: `VIEW`, and the name.
/// Triggers go with their tables.
pub(crate) async fn objects(conn: &mut Conn) -> mysql_async::Result<Vec<(String, String)>> {
    let views = "SELECT 'VIEW', TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'VIEW'";
    let tables = "SELECT IF(TABLE_TYPE = 'SEQUENCE', 'SEQUENCE', 'TABLE'), TABLE_NAME FROM information_schema.TABLES \
                  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE <> 'VIEW'";
    let routines = "SELECT ROUTINE_TYPE, ROUTINE_NAME FROM information_schema.ROUTINES \
                    WHERE ROUTINE_SCHEMA = DATABASE() AND ROUTINE_TYPE <> 'PACKAGE BODY'";
    let events = "SELECT 'EVENT', EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()";
    let mut found = Vec::new();
    for query in [tables, views, routines, events] {
        found.extend(tolerant::<(String, String)>(conn, query).await?);
    }
    Ok(found)
}

/// What was dropped, by kind.
type Dropped = BTreeMap<String, u64>;

/// Drops these; the database, its grants and its settings stay. `dropped` says how far it came.
async fn drop_all(
    conn: &mut Conn,
    database: &str,
    objects: &[(String, String)],
    dropped: &mut Dropped,
) -> mysql_async::Result<()> {
    // Tables that point at each other can be dropped in no order.
    conn.query_drop("SET SESSION foreign_key_checks = 0, lock_wait_timeout = 60").await?;
    let qualified = |name: &str| format!("{}.{}", quote(database), quote(name));
    ask_for_routines(conn, database, objects).await?;
    let strangers = "SELECT EVENT_NAME FROM information_schema.EVENTS \
                     WHERE EVENT_SCHEMA = DATABASE() AND DEFINER <> CURRENT_USER()";
    let strangers: Vec<String> = tolerant(conn, strangers).await?;
    let of_strangers = |kind: &str, name: &String| kind == "EVENT" && strangers.contains(name);
    for (kind, name) in objects.iter().filter(|(kind, name)| of_strangers(kind, name)) {
        drop_one(conn, kind, &qualified(name), dropped).await?;
    }
    // All views, and all tables, in one statement each: it waits for the locks of all, and asks for the right to all,
    // before the first is gone.
    for wanted in ["VIEW", "TABLE"] {
        let names: Vec<_> =
            objects.iter().filter(|(kind, _)| kind == wanted).map(|(_, name)| qualified(name)).collect();
        if !names.is_empty() {
            conn.query_drop(format!("DROP {wanted} IF EXISTS {}", names.join(", "))).await?;
            dropped.insert(wanted.to_owned(), names.len() as u64);
        }
    }
    let others = objects.iter().filter(|(kind, name)| kind != "VIEW" && kind != "TABLE" && !of_strangers(kind, name));
    for (kind, name) in others {
        drop_one(conn, kind, &qualified(name), dropped).await?;
    }
    Ok(())
}

async fn drop_one(conn: &mut Conn, kind: &str, name: &str, dropped: &mut Dropped) -> mysql_async::Result<()> {
    if kind == "PACKAGE" {
        // MariaDB's parser knows the word in this mode only.
        conn.query_drop("SET SESSION sql_mode = 'ORACLE'").await?;
    }
    conn.query_drop(format!("DROP {kind} IF EXISTS {name}")).await?;
    *dropped.entry(kind.to_owned()).or_default() += 1;
    Ok(())
}

/// The server's number for a right of the whole server that is missing.
const NEEDS_RIGHT: u16 = 1227;

/// MySQL keeps what an account with `SYSTEM_USER` has defined from those without. A change of nothing asks whether a routine may
/// be dropped.
async fn ask_for_routines(conn: &mut Conn, database: &str, objects: &[(String, String)]) -> mysql_async::Result<()> {
    for (kind, name) in objects.iter().filter(|(kind, _)| kind == "FUNCTION" || kind == "PROCEDURE") {
        match conn.query_drop(format!("ALTER {kind} {}.{}", quote(database), quote(name))).await {
            // What else an ALTER is refused for says nothing of a DROP.
            Err(error) if session::number(&error).is_some_and(|number| number != NEEDS_RIGHT) => {}
            asked => asked?,
        }
    }
    Ok(())
}

/// Makes an empty database with the source's character set and collation, where the server knows them.
pub(crate) async fn create_database(
    connection: &Connection,
    name: &str,
    source: Option<&DatabaseProperties>,
    limits: &Limits,
) -> Result<()> {
    let mut conn = session::open(connection, None, limits).await?;
    let create = format!("CREATE DATABASE {}", quote(name));
    let made = match source.and_then(database::names) {
        Some(clause) => match conn.query_drop(format!("{create}{clause}")).await {
            // Unknown collation, unknown character set.
            Err(error) if matches!(session::number(&error), Some(1273 | 1115)) => conn.query_drop(create).await,
            done => done,
        },
        None => conn.query_drop(create).await,
    };
    session::close(conn, limits).await;
    made.map_err(|error| {
        let words = session::explain(&error, connection).why.join("\n");
        let denied = matches!(session::number(&error), Some(1044 | 1142 | 1227));
        let what = format!("{} may not create a database there", connection.user);
        let kind = if denied { Kind::Refused } else { Kind::RestoreFailed };
        let error = Error::new(kind, if denied { what } else { format!("database {name} could not be made") });
        error.why(words).unchanged().hints(denied.then(|| {
            Hint::naming(
                "grant-all-on-pattern",
                format!("GRANT ALL ON `{}%`.* TO the user, or name another user", name_pattern(name)),
            )
        }))
    })
}

/// Drops a database.
pub(crate) async fn drop_database(connection: &Connection, name: &str, limits: &Limits) -> Result<()> {
    session::ask(connection, None, limits, async |conn| {
        // A client that was just killed may hold a lock for a moment.
        conn.query_drop("SET SESSION lock_wait_timeout = 60").await?;
        conn.query_drop(format!("DROP DATABASE IF EXISTS {}", quote(name))).await
    })
    .await
}

/// The databases whose names begin so.
pub(crate) async fn databases(connection: &Connection, prefix: &str, limits: &Limits) -> Result<Vec<String>> {
    let query = "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA \
                 WHERE LEFT(SCHEMA_NAME, CHAR_LENGTH(?)) = ? ORDER BY 1";
    let work = async |conn: &mut Conn| session::rows_of(conn, query, &[prefix, prefix]).await;
    session::ask(connection, None, limits, work).await
}

/// A name up to its last underscore, as GRANT wants a pattern: underscores escaped.
fn name_pattern(name: &str) -> String {
    name.rsplit_once('_').map_or(name, |(prefix, _)| prefix).replace('_', "\\_") + "\\_"
}
