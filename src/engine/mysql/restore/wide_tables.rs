//! Tables whose rows or keys are longer than the target takes: rows while `innodb_strict_mode` is on (1118), keys where its
//! pages are small or its row format is an old one (1071, 1709). A server has its own way to tell how long they may be, so it is
//! asked: before the first drop each is made as a temporary table, which nobody else sees and which ends with its session.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::beforehand::is_wanted;
use crate::connection::{Connection, Limits};
use crate::engine::mysql::features::Statement;
use crate::engine::mysql::hints;
use crate::engine::mysql::parallel::keys;
use crate::engine::mysql::probe::probe_keys::{self, join_truncated};
use crate::engine::mysql::session::server_settings::{self, STRICT_MODE, SessionUse};
use crate::engine::mysql::session::{self, quote};
use crate::engine::mysql::sql::content::{fact, names};
use crate::engine::mysql::sql::lexer::Syntax;
use crate::engine::mysql::sql::statement::{self, SpannedToken};
use crate::engine::{Content, RestoreOptions, Server};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;

/// Memory for the statements of one dump; tables beyond are not tried.
pub(crate) const MAX_TRIAL_BYTES: usize = 8 << 20;

/// The row format of tables that name none, and the size of a page in bytes.
pub(crate) const ROW_FORMAT: &str = "innodb_default_row_format";
pub(crate) const PAGE_SIZE: &str = "innodb_page_size";
/// Smaller pages take shorter keys.
const USUAL_PAGE: u64 = 16 << 10;

/// What temporary tables can't have, or what makes no row longer.
const LEFT_OUT: [&str; 7] = ["fulltext", "spatial", "vector", "foreign", "constraint", "check", "period"];

/// The statement that makes such a table for a trial, with its columns and keys; none for one of another engine, and
/// for a compressed one, which can't be temporary.
pub(crate) fn temporary_table(table: &str, definition: &[u8], syntax: &Syntax) -> Option<String> {
    let pieces: Vec<SpannedToken<'_>> = statement::pieces(definition, syntax).collect();
    let open = pieces.iter().position(|piece| piece.is_symbol(b'('))?;
    let (items, close) = keys::items(definition, &pieces, open)?;
    let tail = &pieces[close + 1..];
    let is_other = |piece: &SpannedToken<'_>| ["select", "like", "union"].iter().any(|word| piece.is(word));
    let is_innodb = Statement::option(tail, "engine").is_none_or(|engine| engine.eq_ignore_ascii_case("innodb"));
    let format = Statement::option(tail, "row_format");
    let is_compressed = format.as_deref().is_some_and(|format| format.eq_ignore_ascii_case("compressed"))
        || Statement::option(tail, "key_block_size").is_some();
    if !is_innodb || is_compressed || tail.iter().any(is_other) {
        return None;
    }
    let stays =
        |inside: &[SpannedToken<'_>]| !LEFT_OUT.iter().any(|word| inside.first().is_some_and(|piece| piece.is(word)));
    let kept = items.into_iter().filter(|(_, range)| stays(&pieces[range.clone()]));
    let kept: Vec<_> = kept.map(|(at, _)| String::from_utf8_lossy(&definition[at])).collect();
    let options = [("ROW_FORMAT", "row_format"), ("CHARSET", "charset"), ("COLLATE", "collate")];
    let options = options.iter().filter_map(|(word, name)| Some(format!(" {word}={}", Statement::option(tail, name)?)));
    Some(format!(
        "CREATE TEMPORARY TABLE {} ({}) ENGINE=InnoDB{}",
        quote(table),
        kept.join(", "),
        options.collect::<String>()
    ))
}

/// The row format of tables that name none, where it is an old one.
pub(crate) fn old_row_format(server: &Server) -> Option<String> {
    let format = server.settings.get(ROW_FORMAT)?.to_uppercase();
    ["COMPACT", "REDUNDANT"].contains(&format.as_str()).then_some(format)
}

/// Refuses tables that this user's sessions can't make. What else a temporary table is refused for says nothing of the
/// table.
pub(crate) async fn check(
    connection: &Connection,
    server: &Server,
    content: &Content,
    options: &RestoreOptions,
    limits: &Limits,
) -> Result<()> {
    let strict = server_settings::stays(server, STRICT_MODE, SessionUse::Load);
    let page = probe_keys::number(server, PAGE_SIZE);
    let short_keys = (1..USUAL_PAGE).contains(&page) || old_row_format(server).is_some();
    if strict.is_none() && !short_keys || !server.target.exists || options.data_only {
        return Ok(());
    }
    let trials = names(content, fact::TRIALS).into_iter().filter_map(|line| line.split_once('\t'));
    let trials: Vec<_> = trials.filter(|(table, _)| is_wanted(options, table)).collect();
    if trials.is_empty() {
        return Ok(());
    }
    let mut conn = session::open_for_load(connection, limits).await?;
    let found = session::within(connection, limits, try_all(&mut conn, &trials)).await;
    session::close(conn, limits).await;
    let found = found?;
    if let Some((_, mends)) = strict.filter(|_| !found.long_rows.is_empty()) {
        let what = format!(
            "rows may be longer than the target takes (1118: {STRICT_MODE} is on there, and was off where the tables were \
             made): {}",
            join_truncated(&found.long_rows)
        );
        return Err(Error::new(Kind::Refused, what).unchanged().hint(hints::mends_or_admin(&mends)));
    }
    if found.long_keys.is_empty() {
        return Ok(());
    }
    let what = format!("keys are longer than the target takes (1071, 1709): {}", join_truncated(&found.long_keys));
    let error = Error::new(Kind::Refused, what);
    Err(match old_row_format(server) {
        Some(format) => error
            .why(format!("tables that name no row format are {format} there ({ROW_FORMAT})"))
            .unchanged()
            .hint(Hint::naming("row-format-dynamic", format!("SET GLOBAL {ROW_FORMAT} = DYNAMIC on the target"))),
        None => error.why(format!("a page has {page} bytes there ({PAGE_SIZE})")).unchanged().hint(Hint::naming(
            "page-size-of-target",
            format!("restore into a server whose {PAGE_SIZE} is {USUAL_PAGE}, or the other tables with --table"),
        )),
    })
}

/// The server's numbers for a row and for a key that are too long.
const LONG_ROW: u16 = 1118;
const LONG_KEY: [u16; 2] = [1071, 1709];
/// Its numbers for a user who may make no temporary table.
const DENIED: [u16; 2] = [1044, 1142];

#[derive(Default)]
struct TooLong<'t> {
    long_rows: Vec<&'t str>,
    long_keys: Vec<&'t str>,
}

async fn try_all<'t>(conn: &mut Conn, trials: &[(&'t str, &str)]) -> mysql_async::Result<TooLong<'t>> {
    conn.query_drop("SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'").await?;
    let mut found = TooLong::default();
    for (table, statement) in trials {
        match conn.query_drop(*statement).await {
            Ok(()) => conn.query_drop(format!("DROP TEMPORARY TABLE {}", quote(table))).await?,
            Err(error) => match session::number(&error) {
                Some(LONG_ROW) => found.long_rows.push(*table),
                Some(number) if LONG_KEY.contains(&number) => found.long_keys.push(*table),
                Some(number) if DENIED.contains(&number) => return Ok(found),
                Some(_) => {}
                None => return Err(error),
            },
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_has_columns_and_keys_and_what_a_temporary_table_can_have() {
        let columns: Vec<_> = (0..9).map(|n| format!("`c{n}` int /*!80023 INVISIBLE */")).collect();
        let columns = columns.join(",\n");
        let create = |tail: &str| {
            let text = format!(
                "CREATE TABLE `t` (`id` int DEFAULT '7,8',\n{columns},\nPRIMARY KEY (`id`), FULLTEXT KEY `f` (`c1`),
                 CONSTRAINT `k` FOREIGN KEY (`c1`) REFERENCES `o` (`id`)) {tail}"
            );
            temporary_table("t", text.as_bytes(), &Syntax::new())
        };
        let expected = format!(
            "CREATE TEMPORARY TABLE `t` (`id` int DEFAULT '7,8', {}, PRIMARY KEY (`id`)) ENGINE=InnoDB ROW_FORMAT=DYNAMIC CHARSET=utf8mb4",
            columns.replace(",\n", ", ")
        );
        let tail = "ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 ROW_FORMAT=DYNAMIC PARTITION BY KEY (id)";
        assert_eq!(create(tail), Some(expected));
        for other in ["ENGINE=MyISAM", "ENGINE=InnoDB ROW_FORMAT=COMPRESSED", "KEY_BLOCK_SIZE=8", "SELECT 1"] {
            assert_eq!(create(other), None, "{other}");
        }
    }
}
