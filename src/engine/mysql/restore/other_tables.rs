//! Settings of an administrator's with which the target makes other tables than the dump says, and says nothing. A restore heeds
//! them, and names them.

use super::beforehand::is_wanted;
use super::wide_tables::{ROW_FORMAT, old_row_format};
use crate::engine::mysql::features;
use crate::engine::mysql::probe::probe_keys::join_truncated;
use crate::engine::mysql::sql::content::{fact, names};
use crate::engine::{Content, Flavour, RestoreOptions, Server};

const ENFORCED_ENGINE: &str = "enforce_storage_engine";
const ENCRYPTION_KEY: &str = "innodb_default_encryption_key_id";
/// MariaDB: off, new columns of times are stored as MariaDB 5.3 did, which `SHOW CREATE TABLE` shows.
const TIMES: &str = "mysql56_temporal_format";

/// What the target makes otherwise, for people.
pub(crate) fn notes(server: &Server, content: &Content, options: &RestoreOptions) -> Vec<String> {
    if options.data_only {
        return Vec::new();
    }
    let all: Vec<&str> = names(content, fact::TRIALS)
        .into_iter()
        .filter_map(|line| line.split_once('\t').filter(|(table, _)| is_wanted(options, table)))
        .filter(|(_, statement)| !statement.contains(" ROW_FORMAT="))
        .map(|(table, _)| table)
        .collect();
    let mut notes = Vec::new();
    if let Some(engine) = enforced_engine(server) {
        let others = content.features.iter().filter(|feature| is_wanted(options, &feature.object));
        let others =
            others.filter(|feature| features::engine(feature).is_some_and(|own| !own.eq_ignore_ascii_case(engine)));
        let others: Vec<&str> = others.map(|feature| feature.object.as_str()).collect();
        if !others.is_empty() {
            notes.push(format!(
                "the target makes them {engine} tables ({ENFORCED_ENGINE}): {}",
                join_truncated(&others)
            ));
        }
    }
    if let Some(key) = encryption_key(server) {
        notes.push(format!("the target gives tables that name none ENCRYPTION_KEY_ID={key} ({ENCRYPTION_KEY})"));
    }
    if server.settings.get(TIMES).is_some_and(|value| value == "OFF") {
        notes.push(format!("the target stores new columns of times as MariaDB 5.3 did ({TIMES})"));
    }
    if let Some(format) = old_row_format(server).filter(|_| !all.is_empty()) {
        notes.push(format!("the target makes tables that name no row format {format} ({ROW_FORMAT})"));
    }
    notes
}

/// What a trial does not compare, since the server decides it.
pub(crate) fn left_out(definition: &str, server: &Server) -> Option<&'static str> {
    let decides = enforced_engine(server).is_some() || encryption_key(server).is_some();
    (decides && definition.starts_with("table "))
        .then_some("the definitions of tables, which that server makes otherwise")
}

/// MariaDB: the engine that all tables get, whatever they name.
fn enforced_engine(server: &Server) -> Option<&str> {
    server.settings.get(ENFORCED_ENGINE).map(String::as_str).filter(|engine| !["", "NULL"].contains(engine))
}

/// MariaDB: the key that new tables are given, where it isn't the usual one.
fn encryption_key(server: &Server) -> Option<&str> {
    let key = server.settings.get(ENCRYPTION_KEY).filter(|_| server.flavour == Flavour::MARIADB)?;
    (key != "1").then_some(key)
}
