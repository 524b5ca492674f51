//! Names under [`Server::settings`], and how to read them. Server variables go by their own names.

use crate::engine::Server;

/// Between names of one list. No name can hold it.
pub(crate) const JOIN: &str = "\0";

/// Names of the views, joined.
pub(crate) const VIEWS: &str = "views";
/// Names of the storage engines that the server has, joined.
pub(crate) const ENGINES: &str = "engines";
/// Names of tables whose engine has no transactions, joined.
pub(crate) const NO_TRANSACTIONS: &str = "tables.no_transactions";
/// Names of MariaDB's system-versioned tables, joined.
pub(crate) const VERSIONED: &str = "tables.versioned";
/// Names of those that are versioned by transaction, joined.
pub(crate) const VERSIONED_BY_TRANSACTION: &str = "tables.versioned_by_transaction";
/// Whether there are MariaDB's sequences.
pub(crate) const SEQUENCES: &str = "sequences";
/// Names of these, joined.
pub(crate) const SEQUENCE_NAMES: &str = "sequences.names";
/// Names of tables and views that call a sequence by the database's name, joined.
pub(crate) const BOUND_TO_SEQUENCES: &str = "tables.bound_to_sequences";
/// What the bodies of triggers, routines and events name, joined: see `own_name`.
pub(crate) const BODIES: &str = "bodies";
/// Names of views that refer to something that is gone, joined.
pub(crate) const BROKEN_VIEWS: &str = "views.broken";
/// Generated columns of a MySQL, of a target of a MariaDB, as `table.column`, joined.
pub(crate) const GENERATED: &str = "columns.generated";
/// FLOAT columns without a fixed scale, as `table.column`, joined: a client writes six digits of them.
pub(crate) const FLOATS: &str = "columns.float";
/// Columns whose texts don't come back as the same values, as `table.column`, joined: see `lossy_texts`.
pub(crate) const LOSSY_TEXTS: &str = "columns.lossy_texts";
/// Columns with a histogram, in the same form.
pub(crate) const HISTOGRAMS: &str = "columns.histogram";
/// JSON columns that hold values of types that JSON's text does not have, in the same form.
pub(crate) const TYPED_JSON: &str = "columns.typed_json";
/// Names of tables and sequences without SELECT, joined.
pub(crate) const UNREADABLE: &str = "tables.unreadable";
/// Names of views whose definitions the user may not read, joined.
pub(crate) const UNREADABLE_VIEWS: &str = "views.unreadable";
/// Names of views that stand on a table or view that may not be read, joined.
pub(crate) const DEPENDENT_VIEWS: &str = "views.dependent";
/// Names of tables whose triggers the user does not see, joined.
pub(crate) const WITHOUT_TRIGGERS: &str = "tables.without_triggers";
/// All routines, as `procedure NAME`, joined.
pub(crate) const ROUTINES: &str = "routines";
/// Names of routines whose bodies the user can't read, joined.
pub(crate) const HIDDEN_ROUTINES: &str = "routines.hidden";
/// Of a target: names of routines that the user may not drop, joined.
pub(crate) const UNDROPPABLE: &str = "routines.undroppable";
/// The tablespaces that MySQL has, where it tells.
pub(crate) const TABLESPACES: &str = "tablespaces";
/// Foreign keys of other databases that point at this one: `other.child.fk`, a tab, and the table; joined.
pub(crate) const OTHERS_KEYS: &str = "foreign_keys.others";
/// `@@lower_case_table_names`.
pub(crate) const LOWER_CASE: &str = "lower_case_table_names";
/// `@@max_execution_time` (milliseconds) or MariaDB's `@@max_statement_time` (seconds): 0 for no limit.
pub(crate) const STATEMENT_TIME: [&str; 2] = ["max_execution_time", "max_statement_time"];
/// Seconds after which the server gives up a client that takes no rows.
pub(crate) const WRITE_TIME: &str = "net_write_timeout";
/// `@@max_allowed_packet`, bytes.
pub(crate) const PACKET: &str = "max_allowed_packet";
/// A switch that makes a server refuse tables without a primary key: MySQL's, MariaDB's.
pub(crate) const PRIMARY_KEY: [&str; 2] = ["sql_require_primary_key", "innodb_force_primary_key"];
/// The number of the session that probed: ours have higher ones.
pub(crate) const SESSION: &str = "session";
/// Settings that the user may not set in a session, joined.
pub(crate) const REFUSED: &str = "settings.refused";
/// Names of tables with more rows than the server lets a `SELECT` have, joined.
pub(crate) const OVER_LIMIT: &str = "tables.over_select_limit";
/// The longest list that a client asks for, where the server limits the rows of a `SELECT`: tables and views, the columns
/// or triggers of one, functions, procedures, events.
pub(crate) const LONGEST_LIST: &str = "objects.most_listed";
/// Rights that the user has on the database, as `grant.lock tables`.
pub(crate) const GRANT: &str = "grant.";

/// Names that were joined.
pub(crate) fn list<'a>(server: &'a Server, name: &str) -> Vec<&'a str> {
    match server.settings.get(name) {
        Some(names) if !names.is_empty() => names.split(JOIN).collect(),
        _ => Vec::new(),
    }
}

/// A number, a fraction rounded up; 0 when it is unknown.
pub(crate) fn number(server: &Server, name: &str) -> u64 {
    let Some((whole, fraction)) = server.settings.get(name).map(|text| text.split_once('.').unwrap_or((text, "")))
    else {
        return 0;
    };
    whole.parse::<u64>().map_or(0, |whole| whole.saturating_add(u64::from(fraction.contains(|c| c != '0'))))
}

/// A switch.
pub(crate) fn on(server: &Server, name: &str) -> bool {
    server.settings.get(name).is_some_and(|v| matches!(v.to_ascii_lowercase().as_str(), "1" | "on" | "yes"))
}

/// Whether the user has this right on the database.
pub(crate) fn granted(server: &Server, right: &str) -> bool {
    on(server, &format!("{GRANT}{right}"))
}

/// A few names, and how many more.
pub(crate) fn join_truncated(names: &[impl AsRef<str>]) -> String {
    const SHOWN: usize = 5;
    let mut text = names.iter().take(SHOWN).map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text += ", ...";
    }
    text
}
