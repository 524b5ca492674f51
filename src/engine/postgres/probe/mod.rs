//! One short session that reads what planning needs.

pub(super) mod database;
pub(super) mod findings;
pub(super) mod generated;
pub(super) mod hidden_operators;
pub(super) mod identity;
pub(super) mod not_held;
pub(super) mod on_extensions;
pub(super) mod row_security;

use std::collections::BTreeMap;

use super::dump::psql_patterns;
use super::products::{OLDEST, PRODUCTS, WITNESSES};
use super::restore::{tablespaces, target};
use super::session::{self, ConnectError, Row, Session, literal, pinned_settings, pooler};
use crate::connection::{Connection, Limits};
use crate::engine::{DumpOptions, Flavour, Purpose, Server, TableEstimate, Target, Version, recognise};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;
use crate::properties::DatabaseProperties;

/// Objects that an extension brought are not the user's, and are not dumped.
pub const NOT_OF_AN_EXTENSION: &str = "NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d \
     WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')";

/// Schemas that hold the user's objects.
pub const USER_SCHEMA: &str = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

const FACTS: &str = "SELECT current_setting('server_version_num'), version(), current_user, current_database(), \
     r.rolsuper, pg_catalog.pg_has_role(d.datdba, 'USAGE'), \
     CASE WHEN has_database_privilege(d.oid, 'CONNECT') THEN pg_catalog.pg_database_size(d.oid) END, \
     pg_catalog.pg_encoding_to_char(d.encoding), d.datcollate, pg_catalog.pg_is_in_recovery(), \
     current_setting('transaction_read_only'), current_setting('max_connections')::int, \
     current_setting('superuser_reserved_connections')::int + coalesce(current_setting('reserved_connections', true), '0')::int, \
     l.rolconnlimit, d.datconnlimit, (SELECT sum(numbackends) FROM pg_catalog.pg_stat_database), \
     (SELECT numbackends FROM pg_catalog.pg_stat_database s WHERE s.datid = d.oid), \
     (SELECT count(*) FROM pg_catalog.pg_stat_activity a WHERE a.usename = session_user), \
     (SELECT s.ssl FROM pg_catalog.pg_stat_ssl s WHERE s.pid = pg_catalog.pg_backend_pid()), \
     pg_catalog.inet_server_port(), r.rolcreatedb, session_user, l.rolsuper, \
     extract(epoch FROM pg_catalog.clock_timestamp()) \
     FROM pg_catalog.pg_database d, pg_catalog.pg_roles r, pg_catalog.pg_roles l \
     WHERE d.datname = current_database() AND r.rolname = current_user AND l.rolname = session_user";

/// When the probe asked, in seconds of the server's clock.
pub const ASKED_AT: &str = "asked_at";

/// Asked first.
const VERSION: &str = "SELECT version()";

/// Reads the server.
pub async fn probe(connection: &Connection, purpose: Purpose, limits: &Limits) -> Result<Server> {
    let database = connection.database.as_str();
    let (opened, place) = match session::open_asking(connection, database, limits, VERSION).await {
        Ok(opened) => (opened, database),
        Err(refusal) => elsewhere(connection, purpose, limits, refusal).await?,
    };
    let (mut session, version_text) = opened;
    let exists = place == database;
    // What only sounds like PostgreSQL may not understand the rest.
    let version_text = version_text.into_iter().flatten().flatten().collect::<String>();
    recognise(PRODUCTS, "PostgreSQL", &version_text)?;
    // A session that is shared keeps other people's settings.
    let shares = if let Ok(shares) = pooler::shares_sessions(connection, &session, place, limits).await {
        shares
    } else {
        // One of both was idle for longer than this user's sessions may be.
        session = session::open_lifted(connection, place, limits, VERSION).await.map_err(|r| r.error)?.0;
        pooler::shares_sessions(connection, &session, place, limits).await?
    };
    if !shares && !session.pin().await? {
        // A limit on time ended it meanwhile.
        session = session::open_lifted(connection, place, limits, VERSION).await.map_err(|r| r.error)?.0;
        session.pin().await?;
    }
    let mut server = facts(&session).await.map_err(|error| stranger(error, &version_text))?;
    let witnesses = session.try_rows(WITNESSES).await?.unwrap_or_default().into_iter().flatten().flatten();
    let words = std::iter::once(version_text).chain(witnesses).collect::<Vec<_>>().join("\n");
    server.products = recognise(PRODUCTS, "PostgreSQL", &words)?;
    pooler::detect_pooler(connection, &mut server, shares, limits).await;
    pinned_settings::read(connection, &session, &mut server, purpose, limits).await?;
    server.database.clone_from(&connection.database);
    if purpose == Purpose::Restore {
        tablespaces::read(&session, &mut server).await?;
    }
    if !exists {
        server.size = None;
        return Ok(server);
    }
    server.properties = database::read(&session, server.version, &connection.database).await?;
    match purpose {
        Purpose::Dump => {
            server.tables = tables(&session).await?;
            findings::find(&session, &mut server).await?;
            for (name, query) in OUTSIDE_OF_SCHEMAS {
                server.settings.insert(name.to_owned(), session.column(query).await?.join("\n"));
            }
        }
        Purpose::Restore => {
            server.tables = tables(&session).await?;
            target::read(&session, &mut server).await?;
        }
    }
    Ok(server)
}

/// Questions are for the supported versions: an older server may not understand them.
fn stranger(error: Error, version_text: &str) -> Error {
    let said = version_text.strip_prefix("PostgreSQL ").and_then(Version::parse);
    match said.filter(|version| *version < OLDEST) {
        Some(version) => Error { kind: Kind::Refused, ..error }
            .why(format!("PostgreSQL {version} is older than the oldest supported, {}", OLDEST.major)),
        None => error.why(format!("it calls itself: {version_text}")),
    }
}

/// A restore may make its database: then the server is asked from another one.
async fn elsewhere(
    connection: &Connection,
    purpose: Purpose,
    limits: &Limits,
    refusal: ConnectError,
) -> Result<((Session, Vec<Row>), &'static str)> {
    let unknown = refusal.code.as_ref().is_some_and(|c| c.code() == "3D000");
    if purpose != Purpose::Restore || !unknown {
        return Err(refusal.error);
    }
    for database in ["postgres", "template1"] {
        if let Ok(opened) = session::open_asking(connection, database, limits, VERSION).await {
            return Ok((opened, database));
        }
    }
    Err(refusal.error)
}

async fn facts(session: &Session) -> Result<Server> {
    let row = session.rows(FACTS).await?.into_iter().next().unwrap_or_default();
    let text = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
    let yes = |at: usize| text(at) == "t" || text(at) == "on";
    let number: u32 = text(0).parse().map_err(|_| {
        Error::new(Kind::Connect, "the server does not say which version it is").why("this is not PostgreSQL")
    })?;
    // 150018 is 15.18, 90624 is 9.6.24.
    let version = if number >= 100_000 {
        Version::new(number / 10_000, number % 10_000, 0)
    } else {
        Version::new(number / 10_000, number / 100 % 100, number % 100)
    };
    let standing = if yes(4) {
        "superuser"
    } else if yes(5) {
        "owner"
    } else {
        "reader"
    };
    let settings = BTreeMap::from([
        ("createdb".to_owned(), (yes(4) || yes(20)).to_string()),
        ("server.port".to_owned(), text(19)),
        (ASKED_AT.to_owned(), text(23)),
    ]);
    Ok(Server {
        flavour: Flavour::POSTGRES,
        version,
        version_text: text(1),
        products: Vec::new(),
        login: text(21),
        user: text(2),
        database: text(3),
        standing: standing.to_owned(),
        size: text(6).parse().ok(),
        tables: Vec::new(),
        encoding: text(7),
        collation: text(8),
        properties: DatabaseProperties::default(),
        replica: yes(9),
        read_only: yes(10),
        pooler: None,
        connections_left: connections_left(&row),
        encrypted: yes(18),
        selected: None,
        findings: Vec::new(),
        target: Target::default(),
        settings,
    })
}

/// What the server, the role and the database still allow: the least of the three.
fn connections_left(row: &Row) -> Option<u64> {
    let number = |at: usize| row.get(at)?.as_deref()?.parse::<i64>().ok();
    let superuser = row.get(22)?.as_deref() == Some("t");
    let reserved = if superuser { 0 } else { number(12)? };
    let mut left = number(11)? - reserved - number(15)?;
    // A limit of -1 is none, and superusers have none.
    for (limit, used) in [(13, 17), (14, 16)] {
        if let (Some(limit @ 0..), Some(used), false) = (number(limit), number(used), superuser) {
            left = left.min(limit - used);
        }
    }
    Some(u64::try_from(left).unwrap_or(0))
}

/// The user's tables. Sizes need a lock on each table: where one is held, estimates of the last vacuum stand in.
async fn tables(session: &Session) -> Result<Vec<TableEstimate>> {
    let query = |size: &str| {
        format!(
            "SELECT n.nspname, c.relname, c.reltuples::bigint, {size} FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND {USER_SCHEMA} AND {NOT_OF_AN_EXTENSION} \
             ORDER BY 1, 2"
        )
    };
    // Not pg_table_size, which opens four files of each and as many of its TOAST table's: a third more of the time for 10,000.
    let exact = query(
        "pg_catalog.pg_relation_size(c.oid) + \
         CASE WHEN c.reltoastrelid = 0 THEN 0 ELSE pg_catalog.pg_relation_size(c.reltoastrelid) END",
    );
    let rows =
        if let Ok(rows) = session.try_rows(&format!("BEGIN; SET LOCAL lock_timeout = '2s'; {exact}; COMMIT")).await? {
            rows
        } else {
            session.rows("ROLLBACK").await?;
            session.rows(&query("c.relpages::bigint * current_setting('block_size')::bigint")).await?
        };
    Ok(rows.into_iter().filter_map(|row| table(&row)).collect())
}

fn table(row: &Row) -> Option<TableEstimate> {
    let [schema, name, rows, bytes] = row.as_slice() else { return None };
    let count = |text: &Option<String>| text.as_ref()?.parse().ok();
    Some(TableEstimate {
        schema: schema.clone()?,
        name: name.clone()?,
        rows: count(rows).unwrap_or(0),
        bytes: count(bytes).unwrap_or(0),
    })
}

/// What no schema holds, and a dump of chosen schemas or tables therefore lacks.
const OUTSIDE_OF_SCHEMAS: [(&str, &str); 2] = [
    ("extensions.installed", "SELECT extname FROM pg_catalog.pg_extension WHERE extname <> 'plpgsql' ORDER BY 1"),
    ("large_objects", "SELECT count(*) FROM pg_catalog.pg_largeobject_metadata HAVING count(*) > 0"),
];

/// A `--schema` or `--table` that matches nothing makes `pg_dump` fail, or is a typing error that it does not tell.
pub async fn check_patterns(connection: &Connection, options: &DumpOptions, limits: &Limits) -> Result<()> {
    psql_patterns::check(options, &connection.database)?;
    if options.schemas.is_empty() && options.tables.is_empty() {
        return Ok(());
    }
    let session = session::open(connection, &connection.database, limits).await.map_err(|r| r.error)?;
    // As pg_dump does: a name without a schema means what it means for this user.
    session.rows("RESET search_path").await?;
    let major = session.column("SELECT current_setting('server_version_num')::int / 10000").await?.join("");
    let version = Version::new(major.parse().unwrap_or(0), 0, 0);
    for pattern in &options.schemas {
        let regex = psql_patterns::schema("--schema", pattern)?;
        let schemas = "SELECT 1 FROM pg_catalog.pg_namespace n WHERE";
        must_match(&session, "--schema", pattern, schemas, &like(version, "n.nspname", &regex)).await?;
    }
    for pattern in &options.tables {
        let parts = psql_patterns::table("--table", pattern, &connection.database)?;
        let relations = "SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                         WHERE c.relkind IN ('r', 'S', 'v', 'm', 'f', 'p') AND";
        must_match(&session, "--table", pattern, relations, &parts.condition(version)).await?;
    }
    Ok(())
}

/// A column that matches a pattern's regular expression. Since 12, names have the collation "C"; patterns go by the
/// database's.
pub fn like(version: Version, column: &str, regex: &str) -> String {
    let collate = if version.major >= 12 { " COLLATE pg_catalog.\"default\"" } else { "" };
    format!("{column} OPERATOR(pg_catalog.~) {}{collate}", literal(regex))
}

impl psql_patterns::Pattern {
    /// That relation `c`, in schema `n`, is meant.
    pub fn condition(&self, version: Version) -> String {
        let place = match &self.schema {
            Some(schema) => like(version, "n.nspname", schema),
            None => "pg_catalog.pg_table_is_visible(c.oid)".to_owned(),
        };
        format!("{} AND {place}", like(version, "c.relname", &self.name))
    }
}

/// Something of the user's must match. What matches the server's own catalogs alone is refused by that name.
async fn must_match(session: &Session, flag: &str, pattern: &str, all: &str, condition: &str) -> Result<()> {
    match session.try_rows(&format!("{all} {USER_SCHEMA} AND {condition} LIMIT 1")).await? {
        Ok(rows) if !rows.is_empty() => Ok(()),
        Ok(_) if !session.rows(&format!("{all} {condition} LIMIT 1")).await?.is_empty() => {
            let what = format!("{flag} {pattern} means the server's own catalogs, which are never dumped");
            Err(Error::new(Kind::Usage, what)
                .why("they hold password hashes, and what another server has of its own")
                .hint(Hint::new("name-schemas-of-database", "name schemas and tables of the database's own")))
        }
        Ok(_) => Err(Error::new(Kind::Usage, format!("{flag} {pattern} matches nothing in this database"))
            .why("nothing was dumped")
            .hint(Hint::new(
                "names-are-folded",
                "names are folded to lower case unless they stand in double quotes within the pattern",
            ))),
        Err(refused) => {
            Err(Error::new(Kind::Usage, format!("{flag} {pattern} is no valid pattern")).why(session.words(&refused)))
        }
    }
}
