//! `--clean database`: a new database is made beside the target's, filled, and takes its name when all is there.
//!
//! Until then the old one serves, and a failure of whatever kind leaves it as it is. The new one gets what belongs to the
//! old one itself. Both names change in one transaction; the old database is dropped behind it.

use std::time::Duration;

use super::prepare::{asked, maintenance, run, run_shown};
use super::suitability::refused;
use super::target::{HELD, lines};
use crate::connection::{Connection, Limits};
use crate::engine::postgres::probe::database;
use crate::engine::postgres::session::{self, Session, identifier, literal};
use crate::engine::{Clean, Content, RestoreOptions, Server};
use crate::error::{Error, Kind, Result, UNCHANGED};
use crate::hint::Hint;
use crate::properties::DatabaseProperties;

/// What the names of new databases begin with, and of old ones whose name a new one has.
const NEW: &str = "dbhaul_new_";
const OLD: &str = "dbhaul_old_";

const WAY_ON: Hint = Hint::new(
    "clean-schema-keeps-database",
    "--clean schema empties the database, and keeps what belongs to the database itself",
);

/// The setting that names the databases of restores that were killed: nobody is connected to them.
pub const LEFT: &str = "databases.left";

/// Databases of restores that nobody is connected to.
const LEFT_QUERY: &str = "SELECT d.datname FROM pg_catalog.pg_database d WHERE d.datname ~ '^dbhaul_(new|old)_[0-9a-f]{16}$' \
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid) ORDER BY 1";

/// The databases of [`LEFT_QUERY`]. One of a restore that runs has no session for a moment at most.
pub async fn leftover_databases(session: &Session) -> Result<Vec<String>> {
    let mut left = session.column(LEFT_QUERY).await?;
    if !left.is_empty() {
        tokio::time::sleep(NEXT_SESSION_TIMEOUT).await;
        let still = session.column(LEFT_QUERY).await?;
        left.retain(|name| still.contains(name));
    }
    Ok(left)
}

/// The same, asked by sessions that set nothing. Each comes with what is to be said of it.
pub async fn left_on_server(connection: &Connection, limits: &Limits) -> Result<Vec<(String, String)>> {
    let mut left = asked(connection, LEFT_QUERY, limits).await?;
    if !left.is_empty() {
        tokio::time::sleep(NEXT_SESSION_TIMEOUT).await;
        let still = asked(connection, LEFT_QUERY, limits).await?;
        left.retain(|name| still.contains(name));
    }
    Ok(left.into_iter().map(|name| (name.clone(), warning(&name))).collect())
}

/// A restore goes on to its next session within this.
const NEXT_SESSION_TIMEOUT: Duration = Duration::from_secs(1);

/// What [`HELD`] is asked by.
pub const HELD_QUERY: &str = "SELECT pg_catalog.format('it is a template: ALTER DATABASE %I IS_TEMPLATE false', d.datname) \
     FROM pg_catalog.pg_database d WHERE d.datname = current_database() AND d.datistemplate \
     UNION ALL SELECT pg_catalog.format('it has subscription %I: ALTER SUBSCRIPTION %1$I DISABLE; \
     ALTER SUBSCRIPTION %1$I SET (slot_name = NONE); DROP SUBSCRIPTION %1$I', s.subname) FROM pg_catalog.pg_subscription s \
     JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = current_database() \
     UNION ALL SELECT pg_catalog.format('it has a prepared transaction: COMMIT PREPARED %L or ROLLBACK PREPARED %1$L', p.gid) \
     FROM pg_catalog.pg_prepared_xacts p WHERE p.database = current_database() \
     UNION ALL SELECT pg_catalog.format('replication slot %s is in use: end what reads it', r.slot_name) \
     FROM pg_catalog.pg_replication_slots r WHERE r.database = current_database() AND r.active";

/// The name of the database that is filled in the target's place, if one is. In a container every process has the same
/// id: no other run has this name.
pub fn name(server: &Server, options: &RestoreOptions) -> Option<String> {
    (options.clean == Some(Clean::Database) && server.target.exists).then(database::unused_name)
}

/// What keeps a database from being dropped, known before a long restore.
pub fn check(server: &Server) -> Result<()> {
    if let Some(what) = server.properties.unreadable.first() {
        let what =
            format!("database \"{}\" has a {what} that is no text, and can't be given to another", server.database);
        return Err(refused(what).hint(WAY_ON));
    }
    match lines(server, HELD).first().and_then(|held| held.split_once(": ")) {
        Some((what, way_on)) => {
            let error = refused(format!("database \"{}\" can't be dropped: {what}", server.database));
            Err(error.hint(free(what, way_on.to_owned())).hint(WAY_ON))
        }
        None => Ok(()),
    }
}

/// What makes the database one that can be dropped, in the words of [`HELD_QUERY`].
fn free(what: &str, way_on: String) -> Hint {
    match what {
        "it is a template" => Hint::naming("no-template", way_on),
        _ if what.starts_with("it has subscription") => Hint::naming("drop-subscription", way_on),
        _ if what.starts_with("it has a prepared") => Hint::naming("end-prepared-transaction", way_on),
        _ => Hint::naming("end-slots-reader", way_on),
    }
}

/// Names what restores left that were killed.
pub fn warnings(server: &Server) -> impl Iterator<Item = String> {
    lines(server, LEFT).into_iter().map(warning)
}

fn warning(name: &str) -> String {
    let what = if name.starts_with(OLD) { "a database that was replaced" } else { "a half-filled database" };
    format!(
        "{name} is on that server, {what}: a restore with --clean database was killed; unless one runs, drop it: \
         DROP DATABASE {name}"
    )
}

/// Makes an empty database that can take the target's place: with the source's encoding and locale, as far as they are
/// known, and with owner, tablespace, comment, grants and settings of the database that is there. `connection` leads to
/// it, and does so from now on. Says what was made, and in what it differs from the source. After an error it is gone.
pub async fn create(
    connection: &Connection,
    server: &Server,
    content: &Content,
    limits: &Limits,
) -> Result<Vec<String>> {
    let (name, fresh, own) = (&server.database, &connection.database, &server.properties);
    let session = maintenance(connection, name, limits).await?;
    let query = format!(
        "SELECT pg_catalog.format(' OWNER %I', pg_catalog.pg_get_userbyid(d.datdba)) \
         || CASE d.dattablespace WHEN m.dattablespace THEN '' ELSE pg_catalog.format(' TABLESPACE %I', t.spcname) END \
         FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace \
         JOIN pg_catalog.pg_database m ON m.datname = 'template0' WHERE d.datname = {}",
        literal(name)
    );
    let more = session.column(&query).await?.join("");
    let refused = |error: Error| Error { kind: Kind::Refused, ..error }.hint(WAY_ON);
    let differences = database::create(&session, fresh, Some(&wanted(content, own)), &more).await.map_err(refused)?;
    if let Err(error) = give_own(connection, own, limits).await {
        run(&session, &format!("DROP DATABASE {fresh}"), &format!("database {fresh} was left behind")).await?;
        return Err(refused(error));
    }
    let done = format!("made database {fresh}, which takes the place of \"{name}\" when all is there");
    Ok(std::iter::once(done).chain(differences).collect())
}

/// Gives the new database comment, settings and grants of the one that it replaces. A text is kept in the encoding of the
/// database that it is written in, so this is done within it, which also shows whether we are let in: a server's rules
/// may name databases, and a pooler may know only some.
async fn give_own(connection: &Connection, own: &DatabaseProperties, limits: &Limits) -> Result<()> {
    let fresh = &connection.database;
    let comment = own.comment.iter().map(|comment| database::comment(fresh, comment)).map(|text| (text.clone(), text));
    let settings = own.settings.iter().map(|setting| {
        let shown = setting.value().filter(|_| !setting.is_secret());
        (database::set(fresh, setting, setting.value()), database::set(fresh, setting, shown))
    });
    let within = session::open(connection, fresh, limits).await.map_err(|refusal| refusal.error.unchanged())?;
    for (statement, shown) in comment.chain(settings) {
        run_shown(&within, &statement, &shown, UNCHANGED).await?;
    }
    for grant in own.grants.iter().flat_map(|grants| database::grant_all(fresh, grants)) {
        run(&within, &grant, UNCHANGED).await?;
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

/// Gives the database that was filled its name, and drops the old one, whoever is connected to it. `connection` leads to
/// the new one. After an error both are as they were. Says what was done.
pub async fn take_place(connection: &Connection, server: &Server, limits: &Limits) -> Result<Vec<String>> {
    let (name, fresh) = (&server.database, &connection.database);
    let old = fresh.replacen(NEW, OLD, 1);
    let renaming = maintenance(connection, name, limits).await?;
    let ending = maintenance(connection, name, limits).await?;
    // The limit is not for the restore's own sessions.
    let limit = server
        .properties
        .connection_limit
        .map_or(String::new(), |limit| format!("ALTER DATABASE {fresh} CONNECTION LIMIT {limit}; "));
    let swap = format!(
        "BEGIN; ALTER DATABASE {} RENAME TO {old}; {limit}ALTER DATABASE {fresh} RENAME TO {}; COMMIT",
        identifier(name),
        identifier(name)
    );
    // The first rename locks the old database and waits for its sessions to end: new ones wait for that lock.
    let in_both = [name, fresh];
    let renamed = tokio::select! {
        renamed = run(&renaming, &swap, "the names are what they were") => renamed,
        error = end_sessions(&ending, &in_both) => Err(error),
    };
    if let Err(error) = renamed {
        // Its COMMIT may have come through, and its answer not.
        let asking = maintenance(connection, name, limits).await?;
        let query = format!("SELECT 1 FROM pg_catalog.pg_database WHERE datname = {}", literal(fresh));
        if !asking.column(&query).await?.is_empty() {
            return Err(error);
        }
    }
    let force = if server.version.major >= 13 { " WITH (FORCE)" } else { "" };
    let left = format!("database \"{name}\" is the new one, and the old one is still there: DROP DATABASE {old}");
    Ok(vec![match run(&ending, &format!("DROP DATABASE {old}{force}"), "").await {
        Ok(()) => format!("database \"{name}\" is the new one, and the old one was dropped"),
        Err(error) => format!("{left} ({})", error.why.first().map_or("", String::as_str)),
    }])
}

/// Ends the sessions of these databases, again and again. Comes back with an error alone.
async fn end_sessions(session: &Session, databases: &[&String]) -> Error {
    let names = databases.iter().map(|name| literal(name)).collect::<Vec<_>>().join(", ");
    let query = format!("SELECT pid FROM pg_catalog.pg_stat_activity WHERE datname IN ({names})");
    loop {
        let pids = match session.column(&query).await {
            Ok(pids) => pids,
            Err(error) => return error,
        };
        for pid in pids {
            // What is not ours to end is named by the server, which waits for it in vain.
            if let Err(error) = session.try_rows(&format!("SELECT pg_catalog.pg_terminate_backend({pid})")).await {
                return error;
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Sessions are ended so often.
const AGAIN: Duration = Duration::from_millis(200);
