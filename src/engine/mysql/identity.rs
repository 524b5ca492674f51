//! Whether two connections lead to one database, whatever their hosts are called.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::session::{self, tolerant, within};
use crate::connection::{Connection, Limits};
use crate::error::Result;

/// A lock taken through one connection is looked for through the other. Where locks are forbidden, the hosts' names
/// decide.
pub(super) async fn same(one: &Connection, other: &Connection, limits: &Limits) -> Result<bool> {
    let mut mine = session::open(one, Some(&one.database), limits).await?;
    let mut theirs = session::open(other, Some(&other.database), limits).await?;
    let asked = within(one, limits, async {
        let name: Option<String> = mine.query_first("SELECT CONCAT('dbhaul.', UUID())").await?;
        let name = name.unwrap_or_default();
        let taken: Vec<Option<u8>> = tolerant(&mut mine, &format!("SELECT GET_LOCK('{name}', 0)")).await?;
        let free: Vec<Option<u8>> = tolerant(&mut theirs, &format!("SELECT IS_FREE_LOCK('{name}')")).await?;
        let server = if taken == [Some(1)] { free == [Some(0)] } else { one.host == other.host };
        Ok(server && same_name(&mut theirs, one, other).await?)
    });
    let same = asked.await;
    for conn in [mine, theirs] {
        let _ = tokio::time::timeout(limits.connect, conn.disconnect()).await;
    }
    same
}

/// Some servers make no difference between cases.
async fn same_name(conn: &mut Conn, one: &Connection, other: &Connection) -> mysql_async::Result<bool> {
    let folded: Option<u8> = conn.query_first("SELECT @@lower_case_table_names").await?;
    let folded = folded.unwrap_or(0) > 0;
    Ok(one.database == other.database || folded && one.database.to_lowercase() == other.database.to_lowercase())
}
