//! One point in time for several `pg_dump`s: a session of ours exports its snapshot, and holds it until all of them have
//! ended well, as the leader of `pg_dump -j` does for its workers.

use std::collections::HashMap;
use std::time::Duration;

use crate::connection::{Connection, Limits};
use crate::engine::postgres::dump::psql_patterns;
use crate::engine::postgres::format::encoding::Encoding;
use crate::engine::postgres::probe::{NOT_OF_AN_EXTENSION, USER_SCHEMA, like};
use crate::engine::postgres::session::{self, Session};
use crate::engine::{DumpOptions, Server};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;

/// A snapshot that several clients can read, and what each of them may be given.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// What the server calls it: `00000003-0000001B-1`.
    pub name: String,
    /// The tables that are dumped with their rows, and whose rows somebody else than the main client may dump.
    pub tables: Vec<Shared>,
}

/// A table that may be given away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shared {
    /// Its number in `pg_class`.
    pub oid: u32,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Bytes of its data, estimated.
    pub bytes: u64,
}

/// A snapshot, and the session that holds it: it is gone with this value.
pub struct SnapshotSession {
    /// What clients are told.
    pub snapshot: Snapshot,
    session: Session,
}

/// How often it is looked whether the session is still there.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Exports a snapshot, and reads in it which tables may be given away.
pub async fn hold(
    connection: &Connection,
    server: &Server,
    options: &DumpOptions,
    limits: &Limits,
) -> Result<SnapshotSession> {
    let session = session::open(connection, &connection.database, limits).await.map_err(|refusal| refusal.error)?;
    // As pg_dump does: a pattern without a schema means what it means for this user.
    session.rows("RESET search_path").await?;
    session.rows("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
    let name = session.column("SELECT pg_catalog.pg_export_snapshot()").await?.join("");
    let bytes: HashMap<_, _> = server.tables.iter().map(|t| ((t.schema.as_str(), t.name.as_str()), t.bytes)).collect();
    let mut tables = Vec::new();
    for row in session.rows(&shared(connection, server, options)?).await? {
        let [Some(oid), Some(schema), Some(name)] = row.as_slice() else { continue };
        let bytes = bytes.get(&(schema.as_str(), name.as_str())).copied().unwrap_or(0);
        let (schema, name) = (schema.clone(), name.clone());
        tables.push(Shared { oid: oid.parse().unwrap_or(0), schema, name, bytes });
    }
    Ok(SnapshotSession { snapshot: Snapshot { name, tables }, session })
}

/// Every table with rows of its own that `pg_dump` would dump with these options, partitions and heirs included. What
/// else holds data stays with the main client: large objects, sequences, the configuration of extensions.
fn shared(connection: &Connection, server: &Server, options: &DumpOptions) -> Result<String> {
    let mut conditions = vec!["c.relkind = 'r'".to_owned(), USER_SCHEMA.to_owned(), NOT_OF_AN_EXTENSION.to_owned()];
    conditions.push("has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')".to_owned());
    // A standby has nothing of what is unlogged.
    let lasting = if server.replica { "c.relpersistence = 'p'" } else { "c.relpersistence <> 't'" };
    conditions.push(lasting.to_owned());
    if !Encoding::named(&server.encoding).is_known() {
        // A client reads its command line in the database's encoding.
        conditions.push("n.nspname || c.relname ~ '^[ -~]*$'".to_owned());
    }
    let schemas = |flag: &str, list: &[String]| -> Result<Vec<String>> {
        list.iter().map(|p| Ok(like(server.version, "n.nspname", &psql_patterns::schema(flag, p)?))).collect()
    };
    let tables = |flag: &str, list: &[String]| -> Result<Vec<String>> {
        list.iter()
            .map(|p| Ok(psql_patterns::table(flag, p, &connection.database)?.condition(server.version)))
            .collect()
    };
    // Where tables are chosen, schemas are not looked at.
    let only = if options.tables.is_empty() {
        conditions.extend(schemas("--exclude-schema", &options.exclude_schemas)?.iter().map(|c| format!("NOT {c}")));
        schemas("--schema", &options.schemas)?
    } else {
        tables("--table", &options.tables)?
    };
    if !only.is_empty() {
        conditions.push(format!("({})", only.join(" OR ")));
    }
    let mut without = tables("--exclude-table", &options.exclude_tables)?;
    without.extend(tables("--exclude-table-data", &options.exclude_table_data)?);
    conditions.extend(without.iter().map(|condition| format!("NOT ({condition})")));
    Ok(format!(
        "SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {} ORDER BY 2, 3",
        conditions.join(" AND ")
    ))
}

impl SnapshotSession {
    /// Ends when the session does.
    pub async fn lost(&self) -> Error {
        while !self.session.is_closed() {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Error::new(Kind::DumpFailed, "the session that held the dump's snapshot ended")
            .why("the server ended it, or the way to the server broke")
            .hint(Hint::new("servers-log-says-why", "the server's own log may say why"))
    }

    /// Proves that the session held until now.
    pub async fn confirm(&self) -> Result<()> {
        match self.session.try_rows("COMMIT").await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(self.lost().await),
        }
    }
}
