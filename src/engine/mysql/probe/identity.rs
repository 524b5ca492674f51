//! Whether two connections lead to one database, whatever their hosts are called, or to databases that are tied.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::replication::{Member, Source, member, sources};
use crate::connection::{Connection, Limits};
use crate::engine::mysql::session::{self, tolerant, within};
use crate::engine::{Relation, SAME_DATABASE};
use crate::error::Result;
use crate::hint::Hint;

/// The source and the target of a copy. A target that is a replica at work is refused by its probe.
pub(crate) async fn relation(
    source: &Connection,
    target: &Connection,
    exists: bool,
    limits: &Limits,
) -> Result<Relation> {
    let mut from = session::open(source, Some(&source.database), limits).await?;
    let database = exists.then_some(target.database.as_str());
    let mut into = session::open(target, database, limits).await?;
    let work = async {
        let one_server = shares_locks(&mut from, &mut into, source, target).await?;
        let one_name = same_name(&mut into, source, target).await?;
        if one_server {
            let same = one_name && exists;
            return Ok(if same { SAME_DATABASE } else { Relation::Separate(Vec::new()) });
        }
        let (theirs, ours) = (Side::ask(&mut from).await?, Side::ask(&mut into).await?);
        Ok(judge(&theirs, &ours, source, target, one_name))
    };
    let relation = within(source, limits, work).await;
    for conn in [from, into] {
        session::close(conn, limits).await;
    }
    relation
}

/// A lock taken through one connection is looked for through the other. Where locks are forbidden, the hosts' names
/// decide.
async fn shares_locks(
    mine: &mut Conn,
    theirs: &mut Conn,
    one: &Connection,
    other: &Connection,
) -> mysql_async::Result<bool> {
    let name: Option<String> = mine.query_first("SELECT CONCAT('dbhaul.', UUID())").await?;
    let name = name.unwrap_or_default();
    let taken: Vec<Option<u8>> = tolerant(mine, &format!("SELECT GET_LOCK('{name}', 0)")).await?;
    let free: Vec<Option<u8>> = tolerant(theirs, &format!("SELECT IS_FREE_LOCK('{name}')")).await?;
    Ok(if taken == [Some(1)] { free == [Some(0)] } else { one.host == other.host })
}

/// Some servers make no difference between cases.
async fn same_name(conn: &mut Conn, one: &Connection, other: &Connection) -> mysql_async::Result<bool> {
    let folded: Option<u8> = conn.query_first("SELECT @@lower_case_table_names").await?;
    let folded = folded.unwrap_or(0) > 0;
    Ok(one.database == other.database || folded && one.database.to_lowercase() == other.database.to_lowercase())
}

/// What one side of a copy says of its server.
struct Side {
    member: Member,
    /// None where this user may not ask.
    sources: Option<Vec<Source>>,
}

impl Side {
    async fn ask(conn: &mut Conn) -> mysql_async::Result<Self> {
        Ok(Self { member: member(conn).await?, sources: sources(conn).await? })
    }
}

/// Two servers.
fn judge(from: &Side, into: &Side, source: &Connection, target: &Connection, one_name: bool) -> Relation {
    if one_name && from.member.writes_with(&into.member) {
        return Relation::Tied {
            what: "source and target are members of one group: what is written to one comes to the other",
            hint: Hint::new(
                "outside-of-the-group",
                "name another database as the target, or a server outside of the group",
            ),
        };
    }
    let follows = |one: &Side, other: &Side, at: &Connection| {
        one.sources.iter().flatten().find(|source| is_at(source, at, &other.member)).map(|source| source.runs)
    };
    if follows(into, from, source) == Some(true) {
        return Relation::Tied {
            what: "the target is a replica of the source",
            hint: Hint::new("server-that-follows-none", "name a server that follows no other"),
        };
    }
    if one_name && follows(from, into, target) == Some(true) {
        return Relation::Tied {
            what: "the source is a replica of the target, and gets what is written there",
            hint: Hint::new("stop-replication", "name another database as the target, or stop the replication first"),
        };
    }
    let mut notes = Vec::new();
    if !from.member.uuid.is_empty() && from.member.uuid == into.member.uuid {
        notes.push("both servers have the same server_uuid: one was made from a copy of the other".to_owned());
    }
    for stopped in into.sources.iter().flatten().filter(|source| !source.runs) {
        let Source { host, port, .. } = stopped;
        notes.push(format!("the target was made a replica of {host}:{port}; its replication stands still"));
    }
    if into.sources.is_none() {
        notes.push(
            "whether the target is a replica could not be asked: the user lacks REPLICATION CLIENT (MariaDB: REPLICA MONITOR)"
                .to_owned(),
        );
    }
    if into.member.group.is_none() && from.member.group.is_none() {
        notes.push(
            "whether source and target are members of one group could not be asked: the user may not read \
             performance_schema.replication_group_members"
                .to_owned(),
        );
    }
    Relation::Separate(notes)
}

/// Whether a source of one server is this other one: by its number, or by the name that the URI has.
fn is_at(source: &Source, at: &Connection, server: &Member) -> bool {
    if !source.uuid.is_empty() && !server.uuid.is_empty() {
        return source.uuid == server.uuid;
    }
    matches!(&at.host, crate::connection::Host::Tcp { name, port }
        if source.host.eq_ignore_ascii_case(name) && source.port == port.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::mysql::test_fixtures::connection;

    fn side(uuid: &str) -> Side {
        let member = Member { uuid: uuid.to_owned(), group: Some(Vec::new()), ..Member::default() };
        Side { member, sources: Some(Vec::new()) }
    }

    fn source(uuid: &str, host: &str, runs: bool) -> Vec<Source> {
        vec![Source { host: host.into(), port: "3306".into(), uuid: uuid.into(), runs }]
    }

    fn judged(from: &Side, into: &Side, one_name: bool) -> Result<Vec<String>, &'static str> {
        let (source, mut target) = (connection(), connection());
        target.host = crate::connection::Host::Tcp { name: "other.example".into(), port: 3306 };
        match judge(from, into, &source, &target, one_name) {
            Relation::Tied { what, .. } => Err(what),
            Relation::Separate(notes) => Ok(notes),
        }
    }

    #[test]
    fn members_of_one_group_are_tied_where_the_database_is_the_same() {
        let mut from = side("a");
        let mut into = side("b");
        assert_eq!(judged(&from, &into, true), Ok(Vec::new()));
        into.member.group = Some(vec!["a".into(), "b".into()]);
        assert!(judged(&from, &into, true).is_err());
        assert_eq!(judged(&from, &into, false), Ok(Vec::new()));
        (from, into) = (side(""), side(""));
        from.member.galera = ("state".into(), "one:3306,two:3306".into());
        into.member.galera = from.member.galera.clone();
        assert!(judged(&from, &into, true).is_err());
        // Made from a backup of the other.
        into.member.galera.1 = "staging:3306".into();
        assert_eq!(judged(&from, &into, true), Ok(Vec::new()));
    }

    #[test]
    fn a_replica_of_the_other_is_tied_and_one_that_stands_still_is_told() {
        let (mut from, mut into) = (side("a"), side("b"));
        into.sources = Some(source("a", "10.0.0.1", true));
        assert_eq!(judged(&from, &into, false), Err("the target is a replica of the source"));
        into.sources = Some(source("a", "10.0.0.1", false));
        assert!(
            judged(&from, &into, true).expect("two databases")[0]
                .contains("10.0.0.1:3306; its replication stands still")
        );
        into.sources = Some(source("c", "10.0.0.1", true));
        assert_eq!(judged(&from, &into, true), Ok(Vec::new()));
        // MariaDB has names only.
        (from, into) = (side(""), side(""));
        into.sources = Some(source("", "DB.example", true));
        assert!(judged(&from, &into, false).is_err());
        into.sources = Some(Vec::new());
        from.sources = Some(source("", "other.example", true));
        assert!(judged(&from, &into, true).is_err());
        assert_eq!(judged(&from, &into, false), Ok(Vec::new()));
    }

    #[test]
    fn a_copy_of_a_server_is_told_and_so_is_what_may_not_be_asked() {
        let (from, mut into) = (side("a"), side("a"));
        assert!(judged(&from, &into, true).expect("two databases")[0].contains("same server_uuid"));
        into = Side { sources: None, ..side("b") };
        assert!(judged(&from, &into, true).expect("two databases")[0].contains("could not be asked"));
    }
}
