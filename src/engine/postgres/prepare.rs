//! What is done to a target before a restore.

use std::collections::BTreeSet;

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
    let (fresh, differences) = create_beside(&session, connection, server, content, limits).await?;
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
    limits: &Limits,
) -> Result<(String, Vec<String>)> {
    let query = format!(
        "SELECT pg_catalog.format(' OWNER %I', pg_catalog.pg_get_userbyid(d.datdba)) \
         || CASE d.dattablespace WHEN m.dattablespace THEN '' ELSE pg_catalog.format(' TABLESPACE %I', t.spcname) END \
         || pg_catalog.format(' CONNECTION LIMIT %s', d.datconnlimit) \
         FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace \
         JOIN pg_catalog.pg_database m ON m.datname = 'template0' WHERE d.datname = {}",
        literal(&connection.database)
    );
    let more = session.column(&query).await?.join("");
    let (fresh, own) = (database::unused_name(), &server.properties);
    let differences = database::create(session, &fresh, Some(&wanted(content, own)), &more).await?;
    if let Err(error) = give_own(session, connection, &fresh, own, limits).await {
        drop_fresh(session, &fresh).await?;
        let error = Error { kind: Kind::Refused, ..error };
        return Err(error.hint("--clean schema empties the database, and keeps what belongs to the database itself"));
    }
    Ok((fresh, differences))
}

/// Gives a new database comment, settings and grants of the one that it replaces.
async fn give_own(
    session: &Session,
    connection: &Connection,
    fresh: &str,
    own: &DatabaseProperties,
    limits: &Limits,
) -> Result<()> {
    let comment = own.comment.iter().map(|comment| database::comment(fresh, comment)).map(|text| (text.clone(), text));
    let settings = own.settings.iter().map(|setting| {
        let shown = setting.value().filter(|_| !setting.is_secret());
        (database::set(fresh, setting, setting.value()), database::set(fresh, setting, shown))
    });
    let texts: Vec<_> = comment.chain(settings).collect();
    // A text is kept in the encoding of the database that it is written in.
    let is_ascii = texts.iter().all(|(statement, _)| statement.is_ascii());
    let within = if is_ascii { None } else { session::open(connection, fresh, limits).await.ok() };
    for (statement, shown) in &texts {
        run_shown(within.as_ref().unwrap_or(session), statement, shown, "nothing was changed").await?;
    }
    for grant in own.grants.iter().flat_map(|grants| database::grant_all(fresh, grants)) {
        run(session, &grant, "nothing was changed").await?;
    }
    Ok(())
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
    run_shown(session, statement, statement, state).await
}

/// The same with what may be shown of it.
async fn run_shown(session: &Session, statement: &str, shown: &str, state: &str) -> Result<()> {
    session.try_rows(statement).await?.map(drop).map_err(|refused| {
        Error::new(Kind::RestoreFailed, "the target could not be prepared")
            .why(session.words(&refused))
            .why(format!("at: {shown}"))
            .why(state)
    })
}

/// Makes the roles that a dump's policies and its database's settings name, unless they are there: neither can be made
/// without.
pub async fn create_roles(connection: &Connection, content: &Content, limits: &Limits) -> Result<()> {
    let session = session::open(connection, &connection.database, limits).await.map_err(|r| r.error)?;
    let there = session.column("SELECT rolname FROM pg_catalog.pg_roles").await?;
    let named = content.facts.get(ROLES).into_iter().flat_map(|roles| roles.split('\0'));
    let settings = content.properties.iter().flat_map(|properties| &properties.settings);
    let named: BTreeSet<_> = named.chain(settings.filter_map(|setting| setting.role.as_deref())).collect();
    for role in named.into_iter().filter(|role| !role.is_empty() && !there.iter().any(|known| known == role)) {
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
    drop_subscriptions(&session, connection, name, limits).await?;
    let version = session.column("SELECT current_setting('server_version_num')").await?.join("");
    let force = if version.parse::<u32>().unwrap_or(0) >= 130_000 { " WITH (FORCE)" } else { "" };
    run(&session, &format!("DROP DATABASE IF EXISTS {}{force}", identifier(name)), "it is still there").await
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
