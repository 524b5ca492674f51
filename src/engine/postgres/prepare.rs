//! What is done to a target before a restore.

use super::content::ROLES;
use super::database;
use super::session::{self, Session, identifier, literal};
use crate::connection::{Connection, Limits};
use crate::engine::{Clean, Content, RestoreOptions, Server};
use crate::error::{Error, Kind, Result};
use crate::properties::DatabaseProperties;

/// Makes the target, as asked. Says what it did. What `--clean schema` drops, the restore drops in its own transaction.
pub async fn prepare(
    connection: &Connection,
    server: &Server,
    content: &Content,
    options: &RestoreOptions,
    limits: &Limits,
) -> Result<Vec<String>> {
    let exists = server.target.exists;
    match options.clean {
        Some(Clean::Database) if exists => recreate(connection, server, content, limits).await,
        _ if options.create && !exists => create(connection, content, limits).await,
        _ => Ok(Vec::new()),
    }
}

async fn create(connection: &Connection, content: &Content, limits: &Limits) -> Result<Vec<String>> {
    let session = maintenance(connection, limits).await?;
    let differences = database::create(&session, &connection.database, content.properties.as_ref(), "").await?;
    let done = format!("created database \"{}\"", connection.database);
    Ok(std::iter::once(done).chain(differences).collect())
}

/// A session in another database of the server.
async fn maintenance(connection: &Connection, limits: &Limits) -> Result<Session> {
    let mut refused = Error::new(Kind::Connect, "no other database of this server lets us in");
    for database in ["postgres", "template1"] {
        if database == connection.database {
            continue;
        }
        match session::open(connection, database, limits).await {
            Ok(session) => return Ok(session),
            Err(refusal) => refused = refusal.error,
        }
    }
    Err(refused)
}

/// Replaces the database by a new one, which is made first, under another name: if that fails, nothing is lost.
async fn recreate(connection: &Connection, server: &Server, content: &Content, limits: &Limits) -> Result<Vec<String>> {
    let session = maintenance(connection, limits).await?;
    let (fresh, differences) = create_beside(&session, connection, server, content).await?;
    take_place(&session, &fresh, &connection.database).await?;
    let done = format!("dropped database \"{}\" and made it again", connection.database);
    Ok(std::iter::once(done).chain(differences).collect())
}

/// Makes an empty database that can take the connection's database's place: with the source's encoding and locale, as far
/// as they are known, and with owner, tablespace, connection limit, comment, grants and settings of the database that is
/// there. Its name comes back, and in what it differs from the source. After an error it is gone again.
pub async fn create_beside(
    session: &Session,
    connection: &Connection,
    server: &Server,
    content: &Content,
) -> Result<(String, Vec<String>)> {
    let query = format!(
        "SELECT format(' OWNER %I TABLESPACE %I CONNECTION LIMIT %s', pg_catalog.pg_get_userbyid(d.datdba), t.spcname, d.datconnlimit) \
         FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = {}",
        literal(&connection.database)
    );
    let more = session.column(&query).await?.join("");
    let (fresh, own) = (database::unused_name(), &server.properties);
    let differences = database::create(session, &fresh, Some(&wanted(content, own)), &more).await?;
    let grants = own.grants.iter().flat_map(|grants| database::grant_all(&fresh, grants));
    let comment = own.comment.iter().map(|comment| database::comment(&fresh, comment));
    let settings = own.settings.iter().map(|setting| database::set(&fresh, setting, setting.value()));
    for statement in grants.chain(comment).chain(settings) {
        if let Err(error) = run(session, &statement, "nothing was changed").await {
            drop_fresh(session, &fresh).await?;
            return Err(
                error.hint("--clean schema empties the database, and keeps what belongs to the database itself")
            );
        }
    }
    Ok((fresh, differences))
}

/// The source's encoding and locale; its own where the dump does not tell.
fn wanted(content: &Content, own: &DatabaseProperties) -> DatabaseProperties {
    let tells = |source: &&DatabaseProperties| {
        source.collation.is_some() || source.encoding.is_some() && source.encoding != own.encoding
    };
    content.properties.as_ref().filter(tells).unwrap_or(own).clone()
}

/// Drops a database and gives its name to the one that was made [beside it](create_beside).
pub async fn take_place(session: &Session, fresh: &str, name: &str) -> Result<()> {
    let force = if database::version(session).await?.major >= 13 { " WITH (FORCE)" } else { "" };
    let dropped = run(session, &format!("DROP DATABASE {}{force}", identifier(name)), "nothing was changed").await;
    if let Err(error) = dropped {
        drop_fresh(session, fresh).await?;
        return Err(error);
    }
    let left = format!("database \"{name}\" is dropped, and the new one is there as {fresh}");
    run(session, &format!("ALTER DATABASE {fresh} RENAME TO {}", identifier(name)), &left).await
}

async fn drop_fresh(session: &Session, fresh: &str) -> Result<()> {
    run(session, &format!("DROP DATABASE {fresh}"), &format!("database {fresh} was left behind")).await
}

/// Runs one statement; `state` says what a failure leaves behind.
async fn run(session: &Session, statement: &str, state: &str) -> Result<()> {
    session.try_rows(statement).await?.map(drop).map_err(|refused| {
        Error::new(Kind::RestoreFailed, "the target could not be prepared")
            .why(session.words(&refused))
            .why(format!("at: {statement}"))
            .why(state)
    })
}

/// Makes the roles that a dump's policies name, unless they are there: a policy can't be made without.
pub async fn create_roles(connection: &Connection, content: &Content, limits: &Limits) -> Result<()> {
    let session = session::open(connection, &connection.database, limits).await.map_err(|r| r.error)?;
    let there = session.column("SELECT rolname FROM pg_catalog.pg_roles").await?;
    let named = content.facts.get(ROLES).into_iter().flat_map(|roles| roles.split('\0'));
    for role in named.filter(|role| !role.is_empty() && !there.iter().any(|known| known == role)) {
        run(&session, &format!("CREATE ROLE {}", identifier(role)), "nothing was restored").await?;
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
    let may =
        session.column("SELECT rolcreatedb OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user").await?;
    if may.first().is_none_or(|may| may != "t") {
        return Err(Error::new(Kind::Refused, format!("{} may not create a database there", connection.user))
            .why("nothing was changed")
            .hint(format!("ALTER ROLE \"{}\" CREATEDB, or name another user", connection.user)));
    }
    database::create(&session, name, source, "").await.map(drop)
}

/// Drops a database, and ends the sessions in it.
pub async fn drop_database(connection: &Connection, name: &str, limits: &Limits) -> Result<()> {
    let session = own_or_maintenance(connection, limits).await?;
    let version = session.column("SELECT current_setting('server_version_num')").await?.join("");
    let force = if version.parse::<u32>().unwrap_or(0) >= 130_000 { " WITH (FORCE)" } else { "" };
    run(&session, &format!("DROP DATABASE IF EXISTS {}{force}", identifier(name)), "it is still there").await
}

/// The databases whose names begin so.
pub async fn databases(connection: &Connection, prefix: &str, limits: &Limits) -> Result<Vec<String>> {
    let query = format!(
        "SELECT datname FROM pg_catalog.pg_database WHERE pg_catalog.strpos(datname, {}) = 1 ORDER BY 1",
        literal(prefix)
    );
    // Doctor asks this of a pooler, too, which may hand a session's settings to others: they stay.
    match session::open_asking(connection, &connection.database, limits, &query).await {
        Ok((_, rows)) => Ok(rows.into_iter().flatten().flatten().collect()),
        Err(refusal) => maintenance(connection, limits).await.map_err(|_| refusal.error)?.column(&query).await,
    }
}

/// A session in the connection's own database, or in another one when that is not there.
async fn own_or_maintenance(connection: &Connection, limits: &Limits) -> Result<Session> {
    match session::open(connection, &connection.database, limits).await {
        Ok(session) => Ok(session),
        Err(refusal) => maintenance(connection, limits).await.map_err(|_| refusal.error),
    }
}
