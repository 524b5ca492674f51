//! Whether two connections lead to one database, whatever their hosts are called, or to databases that are tied.

use crate::connection::{Connection, Limits};
use crate::engine::postgres::session::{self, Row, Session, pinned_settings};
use crate::engine::{Relation, SAME_DATABASE};
use crate::error::Result;

/// The source and the target of a copy. A target that recovers is refused by its probe. One that is not there yet is none
/// of the source's.
pub async fn relation(source: &Connection, target: &Connection, exists: bool, limits: &Limits) -> Result<Relation> {
    if !exists {
        return Ok(Relation::Separate(Vec::new()));
    }
    // Nobody knows yet whether these sessions are ours alone: their settings stay.
    let asking = session::open_asking(source, &source.database, limits, CLUSTER);
    let (mut from, number) = asking.await.map_err(|refusal| refusal.error)?;
    let asking = session::open_asking(target, &target.database, limits, CLUSTER);
    let (mut into, other_number) = asking.await.map_err(|refusal| refusal.error)?;
    let mut notes = Vec::new();
    match [cluster(&number), cluster(&other_number)] {
        [Some(one), Some(other)] if one.number == other.number => {
            // A standby has locks of its own.
            if (one.recovers || other.recovers) && source.database == target.database {
                return Ok(SAME_DATABASE);
            }
            // Two databases of one server.
            if one.started != other.started {
                notes
                    .push("both servers have the same system identifier: one was made from a copy of the other".into());
            }
        }
        [Some(_), Some(_)] => {}
        _ => notes.push(
            "whether one server is a standby of the other could not be asked: pg_control_system() is not for this user"
                .to_owned(),
        ),
    }
    let mut is_one = shares_locks(&from, &into).await;
    // Either may have been idle for longer than its user's sessions may be; one ends while the other is opened again.
    for _ in 0..5 {
        if is_one.is_ok() {
            break;
        }
        from = still_open(from, source, limits).await?;
        into = still_open(into, target, limits).await?;
        is_one = shares_locks(&from, &into).await;
    }
    let is_one = is_one?;
    if is_one {
        return Ok(SAME_DATABASE);
    }
    notes.extend(match subscriptions(&into).await {
        Ok(found) => found,
        Err(_) => subscriptions(&opened_lifted(target, limits).await?).await?,
    });
    Ok(Relation::Separate(notes))
}

/// The session, or another one without limits on time in the place of one that has ended.
async fn still_open(session: Session, connection: &Connection, limits: &Limits) -> Result<Session> {
    if !session.is_closed() {
        return Ok(session);
    }
    opened_lifted(connection, limits).await
}

async fn opened_lifted(connection: &Connection, limits: &Limits) -> Result<Session> {
    let opening = session::open_lifted(connection, &connection.database, limits, CLUSTER);
    opening.await.map(|(session, _)| session).map_err(|refusal| refusal.error)
}

/// A server: the number that it shares with what was made from it, and since when it runs.
struct Cluster {
    number: String,
    recovers: bool,
    started: Option<String>,
}

const CLUSTER: &str = "SELECT system_identifier, pg_catalog.pg_is_in_recovery(), \
     extract(epoch FROM pg_catalog.pg_postmaster_start_time()) FROM pg_catalog.pg_control_system()";

fn cluster(answer: &[Row]) -> Option<Cluster> {
    match answer.first()?.as_slice() {
        [Some(number), recovers, started] => {
            let recovers = recovers.as_deref() == Some("t");
            Some(Cluster { number: number.clone(), recovers, started: started.clone() })
        }
        _ => None,
    }
}

/// A lock of this database that is taken through one connection is tried through the other. It belongs to a transaction,
/// which keeps a pooler from handing both the same session.
async fn shares_locks(mine: &Session, theirs: &Session) -> Result<bool> {
    let key = mine.column("SELECT (pg_catalog.random() * 9e18)::bigint").await?.join("");
    let lift = pinned_settings::lift_time_limits();
    // It begins anew after a time-out of the server's.
    let lock = format!(
        "ROLLBACK; BEGIN; SET LOCAL statement_timeout = 0; {lift}; SELECT pg_catalog.pg_try_advisory_xact_lock({key})"
    );
    mine.rows(&lock).await?;
    let free = theirs.rows(&lock).await?;
    mine.rows("ROLLBACK").await?;
    theirs.rows("ROLLBACK").await?;
    Ok(free.last().and_then(|row| row.first()).is_some_and(|answer| answer.as_deref() == Some("f")))
}

/// A logical replica takes writes, and rows of its publisher beside them.
async fn subscriptions(target: &Session) -> Result<Vec<String>> {
    let query = "SELECT s.subname FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid \
         WHERE d.datname = current_database() AND s.subenabled ORDER BY 1";
    let names = target.try_rows(query).await?.unwrap_or_default().into_iter().flatten().flatten();
    Ok(names.map(|name| format!("the target gets rows of a publisher as well, by subscription \"{name}\"")).collect())
}
