//! Stored generated columns whose values hang on a setting that is otherwise at the source. A dump doesn't hold the values:
//! a restore computes them anew, with the default.

use mysql_async::Conn;

use super::dump_filter::TableFilter;
use crate::engine::Server;
use crate::engine::mysql::probe::probe_keys::{self, JOIN, join_truncated};
use crate::engine::mysql::restore::suitability::is_member;
use crate::engine::mysql::session;
use crate::engine::mysql::session::server_settings::{self, SessionUse};

/// Settings that say what an expression gives, and what stands in such expressions.
const SETTINGS: [(&str, &[&str]); 5] = [
    ("div_precision_increment", &["/"]),
    ("default_week_format", &["week("]),
    ("lc_time_names", &["date_format(", "dayname(", "monthname("]),
    ("block_encryption_mode", &["aes_encrypt(", "aes_decrypt("]),
    ("default_regex_flags", &["regexp", "rlike"]),
];

/// What is otherwise in sessions of the source: name, value, and what stands in expressions that hang on it.
fn otherwise(server: &Server) -> impl Iterator<Item = (&'static str, &str, &'static [&'static str])> {
    SETTINGS.into_iter().filter_map(|(name, words)| {
        server_settings::odd(server, name, SessionUse::Load).map(|(value, _)| (name, value, words))
    })
}

/// The columns, each with its table and what stands in it.
pub(crate) async fn read(conn: &mut Conn, server: &mut Server) -> mysql_async::Result<()> {
    let settings: Vec<_> = otherwise(server).map(|(name, _, words)| (name, words)).collect();
    if settings.is_empty() {
        return Ok(());
    }
    let query = "SELECT CONCAT(TABLE_NAME, '.', COLUMN_NAME), GENERATION_EXPRESSION FROM information_schema.COLUMNS \
                 WHERE TABLE_SCHEMA = ? AND (EXTRA LIKE '%STORED GENERATED%' OR EXTRA LIKE '%PERSISTENT%') ORDER BY 1";
    let columns: Vec<(String, String)> = session::rows_of(conn, query, &[&server.database]).await?;
    for (name, words) in settings {
        let hangs = |text: &str| words.iter().any(|word| text.to_lowercase().contains(word));
        let found: Vec<_> = columns.iter().filter(|(_, text)| hangs(text)).map(|(column, _)| column.as_str()).collect();
        server.settings.insert(key(name), found.join(JOIN));
    }
    Ok(())
}

fn key(name: &str) -> String {
    format!("columns.by_{name}")
}

/// Names the columns of tables that are dumped.
pub(crate) fn warnings(server: &Server, selection: &TableFilter) -> Vec<String> {
    let tables: Vec<&str> = selection.with_rows(server).collect();
    let of_setting = |(name, value, _): (&str, &str, _)| {
        let mut columns = probe_keys::list(server, &key(name));
        columns.retain(|column| tables.iter().any(|table| is_member(column, table)));
        (!columns.is_empty()).then(|| {
            format!(
                "{name} is {value} here: a restore computes stored columns anew, by the default, and these may come back \
                 otherwise: {}",
                join_truncated(&columns)
            )
        })
    };
    otherwise(server).filter_map(of_setting).collect()
}
