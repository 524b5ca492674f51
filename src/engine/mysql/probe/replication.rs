//! Which servers a server gets changes from, or shares them with.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use crate::engine::mysql::session;

/// A server whose changes arrive at another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) host: String,
    pub(crate) port: String,
    /// Empty on MariaDB.
    pub(crate) uuid: String,
    /// One of its two threads is at work.
    pub(crate) runs: bool,
}

/// The sources of this server, on all of its channels; None where this user may not ask.
pub(crate) async fn sources(conn: &mut Conn) -> mysql_async::Result<Option<Vec<Source>>> {
    let mut refused = false;
    // MariaDB's first statement tells of all connections, MySQL's second of all channels.
    for query in ["SHOW ALL SLAVES STATUS", "SHOW REPLICA STATUS", "SHOW SLAVE STATUS"] {
        match conn.query::<Row, _>(query).await {
            Ok(rows) => return Ok(Some(rows.iter().map(Source::read).collect())),
            Err(e) if session::number(&e).is_none() => return Err(e),
            // ER_PARSE_ERROR: another server's words.
            Err(e) => refused |= session::number(&e) != Some(1064),
        }
    }
    Ok(if refused { None } else { Some(Vec::new()) })
}

impl Source {
    fn read(row: &Row) -> Self {
        let one_of = |names: [&str; 2]| names.into_iter().map(|name| text(row, name)).find(|value| !value.is_empty());
        let threads = [["Replica_IO_Running", "Slave_IO_Running"], ["Replica_SQL_Running", "Slave_SQL_Running"]];
        Self {
            host: one_of(["Source_Host", "Master_Host"]).unwrap_or_default(),
            port: one_of(["Source_Port", "Master_Port"]).unwrap_or_default(),
            uuid: one_of(["Source_UUID", "Master_UUID"]).unwrap_or_default(),
            runs: threads.into_iter().filter_map(one_of).any(|state| state != "No"),
        }
    }
}

/// A column as text, whatever its type; nothing where there is no such column.
fn text(row: &Row, name: &str) -> String {
    let place = row.columns_ref().iter().position(|column| column.name_str() == name);
    place.and_then(|at| row.get_opt::<String, _>(at)).and_then(Result::ok).unwrap_or_default()
}

/// What a server says of itself and of the group that it writes with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Member {
    /// `@@server_uuid`; empty on MariaDB.
    pub(crate) uuid: String,
    /// The members of its replication group, by their `server_uuid`; None where that may not be asked.
    pub(crate) group: Option<Vec<String>>,
    /// Galera: the cluster's state, and the addresses of all members. Empty without.
    pub(crate) galera: (String, String),
}

/// Asks a server.
pub(crate) async fn member(conn: &mut Conn) -> mysql_async::Result<Member> {
    let uuid = first(conn, "SELECT @@server_uuid").await?.unwrap_or_default();
    let status = |name: &str| format!("SHOW STATUS LIKE '{name}'");
    let state = pair(conn, &status("wsrep_cluster_state_uuid")).await?;
    let addresses = pair(conn, &status("wsrep_incoming_addresses")).await?;
    let members = "SELECT MEMBER_ID FROM performance_schema.replication_group_members \
                   WHERE MEMBER_STATE IN ('ONLINE', 'RECOVERING')";
    let group = match conn.query(members).await {
        Ok(members) => Some(members),
        // ER_NO_SUCH_TABLE: no such thing there.
        Err(e) if session::number(&e) == Some(1146) => Some(Vec::new()),
        Err(e) if session::number(&e).is_none() => return Err(e),
        // A table that is refused matters only where the plugin is there.
        Err(_) if pair(conn, "SHOW VARIABLES LIKE 'group_replication_group_name'").await?.is_empty() => {
            Some(Vec::new())
        }
        Err(_) => None,
    };
    Ok(Member { uuid, group, galera: (state, addresses) })
}

async fn first(conn: &mut Conn, query: &str) -> mysql_async::Result<Option<String>> {
    Ok(session::tolerant(conn, query).await?.into_iter().next())
}

async fn pair(conn: &mut Conn, query: &str) -> mysql_async::Result<String> {
    let found: Vec<(String, String)> = session::tolerant(conn, query).await?;
    Ok(found.into_iter().next().map_or_else(String::new, |(_, value)| value))
}

impl Member {
    /// Whether both write to one group: what is written to either comes to the other.
    pub(crate) fn writes_with(&self, other: &Self) -> bool {
        let listed = |one: &Self, other: &Self| one.group.iter().flatten().any(|member| *member == other.uuid);
        let (state, addresses) = &self.galera;
        // A cluster that was made from another one's backup keeps its state, and has members of its own.
        let galera = !state.is_empty() && !addresses.is_empty() && self.galera == other.galera;
        galera || self.uuid != other.uuid && (listed(self, other) || listed(other, self))
    }
}
