//! What is done to a target before a restore.

use super::content::ROLES;
use super::session::{self, Session, identifier, literal};
use crate::connection::{Connection, Limits};
use crate::engine::{Clean, Content, RestoreOptions, Server};
use crate::error::{Error, Kind, Result};

/// Empties or makes the target, as asked. Says what it did.
pub async fn prepare(
    connection: &Connection,
    server: Option<&Server>,
    options: &RestoreOptions,
    limits: &Limits,
) -> Result<Vec<String>> {
    let exists = server.is_none_or(|s| s.target.exists);
    match options.clean {
        Some(Clean::Database) if exists => recreate(connection, limits).await,
        Some(Clean::Schema) if exists => empty(connection, limits).await,
        _ if options.create && !exists => create(connection, limits).await,
        _ => Ok(Vec::new()),
    }
}

async fn create(connection: &Connection, limits: &Limits) -> Result<Vec<String>> {
    let session = maintenance(connection, limits).await?;
    run(&session, &format!("CREATE DATABASE {}", identifier(&connection.database)), "nothing was changed").await?;
    Ok(vec![format!("created database \"{}\"", connection.database)])
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

/// Replaces the database by a new one with the same owner, encoding and locale. The new one is made first, under
/// another name: if that fails, nothing is lost.
async fn recreate(connection: &Connection, limits: &Limits) -> Result<Vec<String>> {
    let session = maintenance(connection, limits).await?;
    let (name, fresh) = (identifier(&connection.database), format!("dbhaul_{}", std::process::id()));
    let create = session.column(&definition(&session, &connection.database, &fresh).await?).await?.join("");
    let version = session.column("SELECT current_setting('server_version_num')").await?.join("");
    let force = if version.parse::<u32>().unwrap_or(0) >= 130_000 { " WITH (FORCE)" } else { "" };
    run(&session, &create, "nothing was changed").await?;
    let dropped = run(&session, &format!("DROP DATABASE {name}{force}"), "nothing was changed").await;
    if let Err(error) = dropped {
        run(&session, &format!("DROP DATABASE {fresh}"), &format!("database {fresh} was left behind")).await?;
        return Err(error);
    }
    let left = format!("database {name} is dropped, and an empty one is there as {fresh}");
    run(&session, &format!("ALTER DATABASE {fresh} RENAME TO {name}"), &left).await?;
    Ok(vec![format!("dropped database {name} and made it again")])
}

/// A query for the statement that makes a database like this one, under a new name.
async fn definition(session: &Session, database: &str, fresh: &str) -> Result<String> {
    let version: u32 =
        session.column("SELECT current_setting('server_version_num')").await?.join("").parse().unwrap_or(0);
    let provider = match version / 10_000 {
        ..15 => "''",
        15 | 16 => {
            "CASE d.datlocprovider WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L', d.daticulocale) ELSE '' END"
        }
        _ => {
            "CASE d.datlocprovider WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L', d.datlocale) \
             WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', d.datlocale) ELSE '' END"
        }
    };
    Ok(format!(
        "SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING %L LC_COLLATE %L LC_CTYPE %L \
         CONNECTION LIMIT %s', {}, pg_catalog.pg_get_userbyid(d.datdba), pg_catalog.pg_encoding_to_char(d.encoding), \
         d.datcollate, d.datctype, d.datconnlimit) || {provider} \
         || CASE WHEN t.spcname = 'pg_default' THEN '' ELSE format(' TABLESPACE %I', t.spcname) END \
         FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = {}",
        literal(fresh),
        literal(database)
    ))
}

/// Drops everything of the user's in one transaction; extensions stay, with all that belongs to them.
async fn empty(connection: &Connection, limits: &Limits) -> Result<Vec<String>> {
    let session = session::open(connection, &connection.database, limits).await.map_err(|r| r.error)?;
    run(&session, "BEGIN", "nothing was changed").await?;
    let mut dropped = 0;
    // An earlier drop may cascade over a later one; IF EXISTS forgives, and each kind is asked for anew.
    for query in drops(&session).await? {
        for statement in session.column(&query).await? {
            run(&session, &statement, "nothing was changed").await?;
            dropped += 1;
        }
    }
    run(&session, "COMMIT", "nothing was changed").await?;
    Ok(vec![format!("dropped everything but extensions in database \"{}\": {dropped} statements", connection.database)])
}

/// Queries for statements, in an order in which they succeed: whole schemas, then what is left in schemas that hold
/// extensions or can't be dropped (`public`).
async fn drops(session: &Session) -> Result<Vec<String>> {
    let version: u32 =
        session.column("SELECT current_setting('server_version_num')").await?.join("").parse().unwrap_or(0);
    let routine = if version >= 110_000 {
        "CASE p.prokind WHEN 'a' THEN 'AGGREGATE' WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END"
    } else {
        "CASE WHEN p.proisagg THEN 'AGGREGATE' ELSE 'FUNCTION' END"
    };
    let user = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";
    let free = |catalog: &str, oid: &str| {
        format!(
            "NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.{catalog}'::pg_catalog.regclass \
             AND d.objid = {oid} AND d.deptype IN ('e', 'i') AND d.refobjid <> d.objid)"
        )
    };
    let named = |kind: &str, catalog: &str, prefix: &str, condition: &str| {
        let free = free(catalog, "o.oid");
        format!(
            "SELECT format('DROP {kind} IF EXISTS %I.%I CASCADE', n.nspname, o.{prefix}name) FROM pg_catalog.{catalog} o \
             JOIN pg_catalog.pg_namespace n ON n.oid = o.{prefix}namespace WHERE {user} AND {free} AND {condition}"
        )
    };
    // A schema goes as a whole when no extension has anything in it, nor is installed there.
    let members = ["pg_class:rel", "pg_proc:pro", "pg_type:typ", "pg_operator:opr"].map(|pair| {
        let (catalog, prefix) = pair.split_once(':').unwrap_or_default();
        format!(
            "AND NOT EXISTS (SELECT 1 FROM pg_catalog.{catalog} o JOIN pg_catalog.pg_depend d ON d.objid = o.oid \
             AND d.classid = 'pg_catalog.{catalog}'::pg_catalog.regclass AND d.deptype = 'e' WHERE o.{prefix}namespace = n.oid)"
        )
    });
    let schema_free = free("pg_namespace", "n.oid");
    let relation = |kind: &str, letter: &str| named(kind, "pg_class", "rel", &format!("o.relkind IN ({letter})"));
    Ok(vec![
        format!(
            "SELECT format('DROP SCHEMA IF EXISTS %I CASCADE', n.nspname) FROM pg_catalog.pg_namespace n WHERE {user} \
             AND n.nspname <> 'public' AND {schema_free} AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_extension e \
             WHERE e.extnamespace = n.oid) {}",
            members.join(" ")
        ),
        relation("VIEW", "'v'"),
        relation("MATERIALIZED VIEW", "'m'"),
        relation("FOREIGN TABLE", "'f'"),
        relation("TABLE", "'r', 'p'"),
        relation("SEQUENCE", "'S'"),
        format!(
            "SELECT format('DROP %s IF EXISTS %s CASCADE', {routine}, p.oid::pg_catalog.regprocedure) \
             FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE {user} AND {}",
            free("pg_proc", "p.oid")
        ),
        named("DOMAIN", "pg_type", "typ", "o.typtype = 'd'"),
        named("TYPE", "pg_type", "typ", "(o.typtype IN ('b', 'e', 'r') AND o.typelem = 0 OR o.typtype = 'c')"),
        named("COLLATION", "pg_collation", "coll", "true"),
        named("TEXT SEARCH CONFIGURATION", "pg_ts_config", "cfg", "true"),
        named("TEXT SEARCH DICTIONARY", "pg_ts_dict", "dict", "true"),
        "SELECT format('SELECT pg_catalog.lo_unlink(%s)', oid) FROM pg_catalog.pg_largeobject_metadata".into(),
    ])
}

/// Runs one statement; `state` says what a failure leaves behind.
async fn run(session: &Session, statement: &str, state: &str) -> Result<()> {
    session.try_rows(statement).await?.map(drop).map_err(|refused| {
        let (words, _) = session::words(&refused);
        Error::new(Kind::RestoreFailed, "the target could not be prepared")
            .why(words)
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

/// Makes an empty database, out of nothing that somebody put into template1.
pub async fn create_database(connection: &Connection, name: &str, limits: &Limits) -> Result<()> {
    let session = own_or_maintenance(connection, limits).await?;
    let may =
        session.column("SELECT rolcreatedb OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user").await?;
    if may.first().is_none_or(|may| may != "t") {
        return Err(Error::new(Kind::Refused, format!("{} may not create a database there", connection.user))
            .why("nothing was changed")
            .hint(format!("ALTER ROLE \"{}\" CREATEDB, or name another user", connection.user)));
    }
    let create = format!("CREATE DATABASE {} TEMPLATE template0", identifier(name));
    run(&session, &create, "nothing was changed").await
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
    let session = own_or_maintenance(connection, limits).await?;
    let query = format!(
        "SELECT datname FROM pg_catalog.pg_database WHERE pg_catalog.strpos(datname, {}) = 1 ORDER BY 1",
        literal(prefix)
    );
    session.column(&query).await
}

/// A session in the connection's own database, or in another one when that is not there.
async fn own_or_maintenance(connection: &Connection, limits: &Limits) -> Result<Session> {
    match session::open(connection, &connection.database, limits).await {
        Ok(session) => Ok(session),
        Err(refusal) => maintenance(connection, limits).await.map_err(|_| refusal.error),
    }
}
