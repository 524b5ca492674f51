//! MySQL and MariaDB: all harmless settings at another value, in one batch.

use super::{
    mysql::{Run, Subject, sorted},
    sweep::{Change, Reach, Sweep, Trial},
    sweep_mysql::{MysqlSweep, SWEPT_WITH},
};
use crate::support::{Flavour, Server, root};

/// Limits that are for who sets them: at their least they end the work, and that is told.
pub const LIMITS: [&str; 13] = [
    "connection_memory_limit",
    "connection_memory_chunk_size",
    "innodb_lock_wait_timeout",
    "interactive_timeout",
    "max_allowed_packet",
    "max_binlog_cache_size",
    "max_join_size",
    "max_session_mem_used",
    "max_tmp_session_space_usage",
    "max_user_connections",
    "net_retry_count",
    "parser_max_mem_size",
    "tmp_disk_table_size",
];

fn all_together(flavour: Flavour) {
    let server = Server::start_with(flavour, SWEPT_WITH);
    let page = std::fs::read_to_string(root().join("docs/settings-mysql.md")).expect("read the page");
    let harmless = sorted(&page, "Harmless");
    let sweep = MysqlSweep::new(&server);
    let changes = sweep.trials().into_iter().filter_map(|trial| match trial {
        Trial::Change(change) if change.reach == Reach::Server && harmless.contains(&change.name) => Some(change),
        _ => None,
    });
    // What the server does not take alone, it does not take among others.
    let is_taken = |change: &Change| {
        let made = sweep.make(change).is_ok();
        let is_put_back = made && server.try_sql("mysql", &change.reset).is_ok();
        if made && !is_put_back {
            sweep.put_back(change);
        }
        is_put_back
    };
    let changes: Vec<_> =
        changes.filter(|change| !LIMITS.contains(&change.name.as_str()) && is_taken(change)).collect();
    assert!(changes.len() > 80, "{} settings", changes.len());
    let joined = |statements: Vec<&str>| statements.join(";\n");
    // Applications use these up.
    let (used_up, free) = ("SET GLOBAL max_prepared_stmt_count = 0", "SET GLOBAL max_prepared_stmt_count = DEFAULT");
    let set = joined(changes.iter().map(|change| change.set.as_str()).chain([used_up]).collect());
    let reset = joined(changes.iter().map(|change| change.reset.as_str()).chain([free]).collect());
    let faults = Subject::new(&server).faults("all harmless settings", Run::Both, &set, &reset, &[]);
    assert!(faults.is_empty(), "{}\n{set}", faults.join("\n"));
}

#[test]
fn all_harmless_settings_of_mysql_together_change_nothing() {
    all_together(Flavour::Mysql);
}

#[test]
fn all_harmless_settings_of_mariadb_together_change_nothing() {
    all_together(Flavour::Mariadb);
}
