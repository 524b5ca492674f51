//! What belongs to a database itself: its character set and collation, MariaDB's comment, MySQL's encryption and
//! read-only mode. Read from a server, and given to a database that is made.
//!
//! Tables and routines that name no character set take the database's, when they are made: it is set before the first
//! of them comes.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::connection::{Connection, Limits};
use crate::engine::mysql::collation;
use crate::engine::mysql::session::{self, quote, tolerant};
use crate::engine::{Clean, Content, DatabaseSettings, Flavour, RestoreOptions, Server, Version};
use crate::error::Result;
use crate::properties::{AppliedProperties, ByHand, DatabaseProperties};

/// What this database has; nothing where it is not there.
pub(crate) async fn read(
    conn: &mut Conn,
    database: &str,
    flavour: Flavour,
    version: Version,
) -> mysql_async::Result<DatabaseProperties> {
    let column = |table: &str, column: &str, name: &str| {
        format!("SELECT {column} FROM information_schema.{table} WHERE {name} = ?")
    };
    let of_schemata = |name: &str| column("SCHEMATA", name, "SCHEMA_NAME");
    let mut properties = DatabaseProperties {
        encoding: one(conn, &of_schemata("DEFAULT_CHARACTER_SET_NAME"), database).await?,
        collation: one(conn, &of_schemata("DEFAULT_COLLATION_NAME"), database).await?,
        ..DatabaseProperties::default()
    };
    if flavour == Flavour::MARIADB {
        let comment = one(conn, &of_schemata("SCHEMA_COMMENT"), database).await?;
        properties.comment = comment.filter(|comment| !comment.is_empty());
        return Ok(properties);
    }
    if version >= Version::new(8, 0, 16) {
        let encryption = one(conn, &of_schemata("DEFAULT_ENCRYPTION"), database).await?;
        properties.encryption = encryption.map(|word| word == "YES");
    }
    if version >= Version::new(8, 0, 22) {
        let options = one(conn, &column("SCHEMATA_EXTENSIONS", "OPTIONS", "SCHEMA_NAME"), database).await?;
        properties.read_only = options.map(|options| options.contains("READ ONLY=1")).filter(|read_only| *read_only);
    }
    Ok(properties)
}

/// The same, by a session of its own.
pub(crate) async fn properties(
    connection: &Connection,
    server: &Server,
    name: &str,
    limits: &Limits,
) -> Result<DatabaseProperties> {
    let work = async |conn: &mut Conn| read(conn, name, server.flavour, server.version).await;
    session::ask(connection, None, limits, work).await
}

/// A server that does not know the column says nothing.
async fn one(conn: &mut Conn, query: &str, database: &str) -> mysql_async::Result<Option<String>> {
    let found = tolerant::<Option<String>>(conn, &session::with_texts(query, &[database])).await?;
    Ok(found.into_iter().next().flatten())
}

/// What the database is to have: the source's character set and collation, and what is said of it; of a database that is
/// replaced, its own comment and encryption.
pub(crate) fn wanted(server: &Server, content: &Content, options: &RestoreOptions) -> DatabaseProperties {
    let (source, own) = (content.properties.clone().unwrap_or_default(), server.properties.clone());
    if !server.target.exists {
        let comment = source.comment.clone().filter(|_| !options.no_comments);
        return DatabaseProperties { comment, ..source };
    }
    let told = if source.encoding.is_some() { source } else { own.clone() };
    DatabaseProperties { encoding: told.encoding, collation: told.collation, ..own }
}

/// The same as `CREATE DATABASE` takes it, as far as the server knows it.
pub(crate) fn definition(server: &Server, wanted: &DatabaseProperties, options: &RestoreOptions) -> String {
    let mut clause = character_set(server, wanted, options).unwrap_or_default();
    if wanted.encryption == Some(true) && server.flavour == Flavour::MYSQL && server.version >= Version::new(8, 0, 16) {
        clause += " ENCRYPTION 'Y'";
    }
    if let Some(comment) = wanted.comment.as_ref().filter(|_| server.flavour == Flavour::MARIADB) {
        clause += " COMMENT '";
        clause += &comment.replace('\\', "\\\\").replace('\'', "''");
        clause += "'";
    }
    clause
}

/// ` CHARACTER SET latin1 COLLATE latin1_german2_ci`: the collation, or what the user wants in its place; where the
/// server does not know it, the character set alone.
fn character_set(server: &Server, wanted: &DatabaseProperties, options: &RestoreOptions) -> Option<String> {
    let encoding = wanted.encoding.as_deref().filter(is_name)?;
    let collation = wanted.collation.as_deref().filter(is_name);
    let collation = collation.map(|name| collation::mapped(&options.map_collations, name).unwrap_or(name));
    match collation.filter(|name| collation::knows(server, name)) {
        Some(collation) => Some(format!(" CHARACTER SET {encoding} COLLATE {collation}")),
        None => collation::has_charset(server, encoding).then(|| format!(" CHARACTER SET {encoding}")),
    }
}

/// A manifest may say anything.
fn is_name(name: &&str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The same for a server of which nothing is known.
pub(crate) fn names(source: &DatabaseProperties) -> Option<String> {
    let encoding = source.encoding.as_deref().filter(is_name)?;
    let collation = source.collation.as_deref().filter(is_name)?;
    Some(format!(" CHARACTER SET {encoding} COLLATE {collation}"))
}

/// In what the database that is there differs from what was wanted of it.
pub(crate) async fn differences(
    conn: &mut Conn,
    server: &Server,
    wanted: &DatabaseProperties,
) -> mysql_async::Result<Vec<String>> {
    let made = read(conn, &server.database, server.flavour, server.version).await?;
    let mut differences: Vec<_> = wanted.differences_of_creation(&made).iter().map(ToString::to_string).collect();
    if wanted.comment.is_some() && made.comment.is_none() {
        differences.push(format!("{} keeps no comment of a database: it is left out", server.flavour));
    }
    Ok(differences)
}

/// Whether an empty database that is there gets the source's character set.
fn is_changed(server: &Server, options: &RestoreOptions) -> bool {
    let emptied = server.target.object_count == 0 || options.clean == Some(Clean::Schema);
    emptied && options.database_settings(false) == DatabaseSettings::Set
}

/// What gives an empty database that is there the source's character set, where that is another.
pub(crate) fn change(server: &Server, content: &Content, options: &RestoreOptions) -> Option<String> {
    let wanted = content.properties.as_ref().filter(|wanted| differs(wanted, &server.properties))?;
    let there = server.target.exists && options.clean != Some(Clean::Database) && is_changed(server, options);
    let clause = character_set(server, wanted, options).filter(|_| there)?;
    Some(format!("ALTER DATABASE {}{clause}", quote(&server.database)))
}

fn differs(wanted: &DatabaseProperties, own: &DatabaseProperties) -> bool {
    !wanted.differences_of_creation(own).is_empty()
}

/// In what the database that is there differs, and stays.
pub(crate) fn standing(server: &Server, content: &Content, options: &RestoreOptions) -> Vec<String> {
    let made = options.clean == Some(Clean::Database) || !server.target.exists;
    let changed = change(server, content, options).is_some();
    let source = content.properties.as_ref().filter(|_| !made && !changed && !options.selects() && !options.data_only);
    let differences = source.map(|source| source.differences_of_creation(&server.properties)).unwrap_or_default();
    differences.iter().map(ToString::to_string).collect()
}

/// What is left when everything is there. A dump changes the database's default around routines that were made under
/// another one, and leaves it at the source's: where the target keeps its own, it gets that back.
pub(crate) async fn apply(
    connection: &Connection,
    server: &Server,
    content: &Content,
    options: &RestoreOptions,
    limits: &Limits,
) -> Result<AppliedProperties> {
    let mut applied = AppliedProperties::default();
    let Some(source) = &content.properties else { return Ok(applied) };
    let (name, own) = (quote(&server.database), &server.properties);
    let made = options.clean == Some(Clean::Database) || !server.target.exists;
    let wanted = options.database_settings(made);
    if source.read_only == Some(true) && server.flavour == Flavour::MYSQL && wanted != DatabaseSettings::Keep {
        let statement = format!("ALTER DATABASE {name} READ ONLY = 1;");
        applied.by_hand.push(ByHand { statement, why: "the source's database refuses writes".to_owned() });
    }
    if made || !differs(source, own) {
        return Ok(applied);
    }
    if change(server, content, options).is_some() {
        applied.set.push("character set".to_owned());
        return Ok(applied);
    }
    if let Some(clause) = character_set(server, source, options).filter(|_| wanted == DatabaseSettings::Print) {
        let statement = format!("ALTER DATABASE {name}{clause};");
        applied.by_hand.push(ByHand { statement, why: "--database-settings print".to_owned() });
    }
    if let Err(why) = keep_default(connection, server, limits).await {
        let statement = format!("ALTER DATABASE {name}{};", character_set(server, own, options).unwrap_or_default());
        applied.by_hand.push(ByHand { statement, why: [&[why.what], why.why.as_slice()].concat().join(": ") });
    }
    Ok(applied)
}

/// Gives a database its own default back, where the dump left another one.
async fn keep_default(connection: &Connection, server: &Server, limits: &Limits) -> Result<()> {
    session::ask(connection, None, limits, async |conn| {
        let now = read(conn, &server.database, server.flavour, server.version).await?;
        let own = &server.properties;
        if let (true, Some(encoding), Some(collation)) = (differs(own, &now), &own.encoding, &own.collation) {
            let name = quote(&server.database);
            conn.query_drop(format!("ALTER DATABASE {name} CHARACTER SET {encoding} COLLATE {collation}")).await?;
        }
        Ok(())
    })
    .await
}
