//! Names under [`Server::settings`], and how to read them. Server variables go by their own names.

use super::content::JOIN;
use crate::engine::Server;

/// Names of the views, joined.
pub(super) const VIEWS: &str = "views";
/// Names of tables whose engine has no transactions, joined.
pub(super) const NO_TRANSACTIONS: &str = "tables.no_transactions";
/// Names of views that refer to something that is gone, joined.
pub(super) const BROKEN_VIEWS: &str = "views.broken";
/// Generated columns of a MySQL, as `table.column`, joined.
pub(super) const GENERATED: &str = "columns.generated";
/// Names of routines whose bodies the user can't read, joined.
pub(super) const HIDDEN_ROUTINES: &str = "routines.hidden";
/// `@@lower_case_table_names`.
pub(super) const LOWER_CASE: &str = "lower_case_table_names";
/// `@@max_execution_time` (milliseconds) or MariaDB's `@@max_statement_time` (seconds): 0 for no limit.
pub(super) const STATEMENT_TIME: [&str; 2] = ["max_execution_time", "max_statement_time"];
/// `@@max_allowed_packet`, bytes.
pub(super) const PACKET: &str = "max_allowed_packet";
/// Rights that the user has on the database, as `grant.lock tables`.
pub(super) const GRANT: &str = "grant.";

/// Names that were joined.
pub(super) fn list<'a>(server: &'a Server, name: &str) -> Vec<&'a str> {
    match server.settings.get(name) {
        Some(names) if !names.is_empty() => names.split(JOIN).collect(),
        _ => Vec::new(),
    }
}

/// A number; 0 when it is unknown.
pub(super) fn number(server: &Server, name: &str) -> u64 {
    server.settings.get(name).and_then(|text| text.split('.').next()?.parse().ok()).unwrap_or(0)
}

/// A switch.
pub(super) fn on(server: &Server, name: &str) -> bool {
    server.settings.get(name).is_some_and(|v| matches!(v.to_ascii_lowercase().as_str(), "1" | "on" | "yes"))
}

/// Whether the user has this right on the database.
pub(super) fn granted(server: &Server, right: &str) -> bool {
    on(server, &format!("{GRANT}{right}"))
}
