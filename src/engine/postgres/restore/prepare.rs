//! What is done to a target before a restore.

use std::collections::BTreeSet;

use super::replace;
use crate::connection::{Connection, Limits};
use crate::engine::postgres::format::content::{GRANTEES, ROLES};
use crate::engine::postgres::probe::database;
use crate::engine::postgres::session::{self, Session, identifier, literal};
use crate::engine::{Clean, Content, RestoreOptions, Server};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;
use crate::properties::DatabaseProperties;

/// Makes the target, as asked, or what is filled in its place. Says what it did. What `--clean schema` drops, the restore
/// drops in its own transaction.
pub async fn prepare(
    connection: &Connection,
    server: &Server,
    content: &Content,
    options: &RestoreOptions,
    limits: &Limits,
) -> Result<Vec<String>> {
    let exists = server.target.exists;
    match options.clean {
        Some(Clean::Database) if exists => replace::create(connection, server, content, limits).await,
        _ if options.create && !exists => create(connection, content, limits).await,
        _ => Ok(Vec::new()),
    }
}

async fn create(connection: &Connection, content: &Content, limits: &Limits) -> Result<Vec<String>> {
    let session = maintenance(connection, &connection.database, limits).await?;
    let differences = database::create(&session, &connection.database, content.properties.as_ref(), "").await?;
    let done = format!("created database \"{}\"", connection.database);
    Ok(std::iter::once(done).chain(differences).collect())
}

/// A session in a database of the server that is not this one.
pub async fn maintenance(connection: &Connection, other_than: &str, limits: &Limits) -> Result<Session> {
    let mut refused = Error::new(Kind::Connect, "no other database of this server lets us in");
    for database in ["postgres", "template1"] {
        if database == other_than {
            continue;
        }
        match session::open(connection, database, limits).await {
            Ok(session) => return Ok(session),
            Err(refusal) => refused = refusal.error,
        }
    }
    Err(refused)
}

/// Runs one statement; `state` says what a failure leaves behind.
pub async fn run(session: &Session, statement: &str, state: &str) -> Result<()> {
    run_shown(session, statement, statement, state).await
}

/// The same with what may be shown of it.
pub async fn run_shown(session: &Session, statement: &str, shown: &str, state: &str) -> Result<()> {
    session.try_rows(statement).await?.map(drop).map_err(|refused| {
        Error::new(Kind::RestoreFailed, "the target could not be prepared")
            .why(session.words(&refused))
            .why(format!("at: {shown}"))
            .why(state)
    })
}

/// Makes the roles that a dump and its database's settings name, unless they are there. They may own anything: some kinds
/// are for superusers.
pub async fn create_roles(connection: &Connection, content: &Content, limits: &Limits) -> Result<()> {
    let session = session::open(connection, &connection.database, limits).await.map_err(|r| r.error)?;
    let there = session.column("SELECT rolname FROM pg_catalog.pg_roles").await?;
    let facts = [ROLES, GRANTEES].into_iter().filter_map(|fact| content.facts.get(fact));
    let owners = content.entries.iter().filter_map(|entry| entry.owner.as_deref());
    let named = facts.flat_map(|roles| roles.split('\0')).chain(owners);
    let settings = content.properties.iter().flat_map(|properties| &properties.settings);
    let named: BTreeSet<_> = named.chain(settings.filter_map(|setting| setting.role.as_deref())).collect();
    for role in named
        .into_iter()
        .filter(|role| !role.is_empty() && !role.starts_with("pg_") && !there.iter().any(|known| known == role))
    {
        run(&session, &format!("CREATE ROLE {} SUPERUSER", identifier(role)), "nothing was restored").await?;
    }
    Ok(())
}

/// Makes an empty database with the source's encoding and locale, as far as they are known and the server has them.
pub async fn create_database(
    connection: &Connection,
    name: &str,
    source: Option<&DatabaseProperties>,
    limits: &Limits,
) -> Result<()> {
    let session = own_or_maintenance(connection, limits).await?;
    // Who logs in may act as another role.
    let unable =
        "SELECT rolname FROM pg_catalog.pg_roles WHERE rolname = current_user AND NOT (rolcreatedb OR rolsuper)";
    if let Some(role) = session.column(unable).await?.first() {
        return Err(Error::new(Kind::Refused, format!("{role} may not create a database there")).unchanged().hint(
            Hint::naming(
                "createdb-or-another-user",
                format!("ALTER ROLE {} CREATEDB, or name another user", identifier(role)),
            ),
        ));
    }
    database::create(&session, name, source, "").await.map(drop)
}

/// What belongs to a database itself: asked within it, since its texts are in its encoding.
pub async fn properties(
    connection: &Connection,
    server: &Server,
    name: &str,
    limits: &Limits,
) -> Result<DatabaseProperties> {
    let session = session::open(connection, name, limits).await.map_err(|refusal| refusal.error)?;
    database::read(&session, server.version, name).await
}

/// Drops a database, and ends the sessions in it.
pub async fn drop_database(connection: &Connection, name: &str, limits: &Limits) -> Result<()> {
    let session = own_or_maintenance(connection, limits).await?;
    end_creation(&session, name).await?;
    drop_subscriptions(&session, connection, name, limits).await?;
    let version = session.column("SELECT current_setting('server_version_num')").await?.join("");
    let force = if version.parse::<u32>().unwrap_or(0) >= 130_000 { " WITH (FORCE)" } else { "" };
    run(&session, &format!("DROP DATABASE IF EXISTS {}{force}", identifier(name)), "it is still there").await
}

/// A `CREATE DATABASE` whose session we left goes on: what is not there yet can't be dropped.
async fn end_creation(session: &Session, name: &str) -> Result<()> {
    let query = format!(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE usename = session_user \
         AND state = 'active' AND pg_catalog.strpos(query, {}) = 1",
        literal(&format!("CREATE DATABASE {} ", identifier(name)))
    );
    while !session.column(&query).await?.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    Ok(())
}

/// `DROP DATABASE` refuses one that subscribes. The slots are the source's own, and stay.
async fn drop_subscriptions(session: &Session, connection: &Connection, name: &str, limits: &Limits) -> Result<()> {
    let query = format!(
        "SELECT s.subname FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid \
         WHERE d.datname = {} ORDER BY 1",
        literal(name)
    );
    let subscriptions = session.column(&query).await?;
    if subscriptions.is_empty() {
        return Ok(());
    }
    let within = session::open(connection, name, limits).await.map_err(|refusal| refusal.error)?;
    for subscription in subscriptions.iter().map(|name| identifier(name)) {
        for statement in [
            format!("ALTER SUBSCRIPTION {subscription} DISABLE"),
            format!("ALTER SUBSCRIPTION {subscription} SET (slot_name = NONE)"),
            format!("DROP SUBSCRIPTION {subscription}"),
        ] {
            run(&within, &statement, "it is still there").await?;
        }
    }
    Ok(())
}

/// The databases whose names begin so.
pub async fn databases(connection: &Connection, prefix: &str, limits: &Limits) -> Result<Vec<String>> {
    let query = format!(
        "SELECT datname FROM pg_catalog.pg_database WHERE pg_catalog.strpos(datname, {}) = 1 ORDER BY 1",
        literal(prefix)
    );
    asked(connection, &query, limits).await
}

/// One column, asked by a session that sets nothing: doctor asks a pooler, too, which may hand its settings to others.
pub async fn asked(connection: &Connection, query: &str, limits: &Limits) -> Result<Vec<String>> {
    match session::open_asking(connection, &connection.database, limits, query).await {
        Ok((_, rows)) => Ok(rows.into_iter().flatten().flatten().collect()),
        Err(refusal) => {
            maintenance(connection, &connection.database, limits).await.map_err(|_| refusal.error)?.column(query).await
        }
    }
}

/// A session in the connection's own database, or in another one when that is not there.
pub async fn own_or_maintenance(connection: &Connection, limits: &Limits) -> Result<Session> {
    match session::open(connection, &connection.database, limits).await {
        Ok(session) => Ok(session),
        Err(refusal) => maintenance(connection, &connection.database, limits).await.map_err(|_| refusal.error),
    }
}
