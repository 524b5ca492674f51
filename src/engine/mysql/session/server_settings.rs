//! Settings that change what a session reads, writes or commits, and the values that ours and the clients' get whatever
//! the server, its `init_connect` or its user's defaults say. `docs/settings-mysql.md` sorts every setting of every
//! supported server; the tests hold both against each other and against the servers.
//!
//! A session of our own sets them itself. A client is told by `--init-command`, as far as it knows that, and only what
//! the probe's session could set. What a dump client can't be told is judged in `dump`.

use std::collections::BTreeMap;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::{quote, tolerant};
use crate::engine::mysql::probe::probe_keys::{self, JOIN};
use crate::engine::{Flavour, Server, Version};

/// A setting, and the value that it gets.
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    /// As `SHOW VARIABLES` has it.
    pub(crate) value: &'static str,
    pub(crate) needed_by: NeededBy,
}

/// The sessions that need a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NeededBy {
    All,
    /// Those that read a dump, and those that ask.
    Reading,
    /// Those that load a dump.
    Loading,
    /// Those of our own that read or ask: a dump client sets it itself.
    Asking,
}

/// What a session is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionUse {
    /// Reads a dump's rows, or asks.
    Read,
    /// Loads a dump.
    Load,
    /// Asks on behalf of both: what it could set, a client can.
    Probe,
}

use NeededBy::{All, Asking, Loading, Reading};

const fn setting(name: &'static str, value: &'static str, needed_by: NeededBy) -> Setting {
    Setting { name, value, needed_by }
}

/// The limit on the rows of a `SELECT`. It cuts our own questions too, so each session lifts it before it asks anything.
pub(crate) const SELECT_LIMIT: &str = "sql_select_limit";
const MAX_ROWS: &str = "18446744073709551615";
/// MariaDB: the time as of which system-versioned tables are read.
pub(crate) const AS_OF: &str = "system_versioning_asof";
/// The character set in which the server takes a client's statements to be written.
pub(crate) const CLIENT_CHARSET: &str = "character_set_client";
/// MySQL: a table without a primary key gets an invisible one.
pub(crate) const INVISIBLE_KEYS: &str = "sql_generate_invisible_primary_key";
/// Off, [`MAX_JOIN_SIZE`] refuses the reading of large tables, and of the list of settings.
pub(crate) const BIG_SELECTS: &str = "sql_big_selects";
/// How many rows a `SELECT` may examine while [`BIG_SELECTS`] is off.
pub(crate) const MAX_JOIN_SIZE: &str = "max_join_size";
/// MySQL: it is written into the definitions of views.
pub(crate) const BUFFERED: &str = "sql_buffer_result";
/// MySQL: a foreign key must point at a whole unique key.
pub(crate) const STANDARD_KEYS: &str = "restrict_fk_on_non_standard_key";
/// Refuses tables whose rows may be too long, and formats that the server can't give them.
pub(crate) const STRICT_MODE: &str = "innodb_strict_mode";
/// MySQL: whether invisible keys that the server made are shown.
const SHOWN_KEYS: &str = "show_gipk_in_create_table_and_information_schema";
/// What the server runs at the beginning of each session of a user without SUPER.
const INIT_CONNECT: &str = "init_connect";
/// MariaDB 10.6 and later have one value in it by default.
const OLD_MODE: &str = "old_mode";

#[rustfmt::skip]
pub(crate) const PINNED: &[Setting] = &[
    setting(SELECT_LIMIT,                         MAX_ROWS,         All),
    setting(BIG_SELECTS,                          "ON",              All),
    setting(BUFFERED,                             "OFF",             All),
    setting(AS_OF,                                "DEFAULT",         All),
    setting("max_execution_time",                 "0",               All),
    setting("max_statement_time",                 "0",               All),
    setting("idle_transaction_timeout",           "0",               All),
    setting("idle_readonly_transaction_timeout",  "0",               All),
    setting("idle_write_transaction_timeout",     "0",               All),
    setting("autocommit",                         "ON",              All),
    setting("completion_type",                    "NO_CHAIN",        All),
    setting("transaction_isolation",              "REPEATABLE-READ", All),
    setting("tx_isolation",                       "REPEATABLE-READ", All),
    setting("transaction_read_only",              "OFF",             All),
    setting("tx_read_only",                       "OFF",             All),
    setting("sql_auto_is_null",                   "OFF",             All),
    setting("sql_safe_updates",                   "OFF",             All),
    setting(CLIENT_CHARSET,                       "utf8mb4",         All),
    setting("character_set_connection",           "utf8mb4",         All),
    setting("character_set_results",              "utf8mb4",         All),
    setting("collation_connection",               "utf8mb4_general_ci", Asking),
    setting("sql_mode",                           "",                Asking),
    setting("time_zone",                          "+00:00",          Asking),
    setting("sql_quote_show_create",              "ON",              All),
    setting(SHOWN_KEYS,                           "ON",              Reading),
    setting("show_create_table_skip_secondary_engine", "OFF",        Reading),
    setting("show_create_table_verbosity",        "OFF",             Reading),
    setting("terminology_use_previous",           "NONE",            Reading),
    setting(INVISIBLE_KEYS,                       "OFF",             Loading),
    setting(STANDARD_KEYS,                        "OFF",             Loading),
    setting(STRICT_MODE,                          "OFF",             Loading),
    setting("explicit_defaults_for_timestamp",    "ON",              Loading),
    setting(OLD_MODE,                             "UTF8_IS_UTF8MB3", Loading),
    setting("character_set_collations",           "",                Loading),
    setting("default_collation_for_utf8mb4",      "utf8mb4_0900_ai_ci", Loading),
    setting("alter_algorithm",                    "DEFAULT",         Loading),
    setting("innodb_compression_default",         "OFF",             Loading),
    setting("mhnsw_default_distance",             "euclidean",       Loading),
    setting("mhnsw_default_m",                    "6",               Loading),
    setting("default_week_format",                "0",               Loading),
    setting("div_precision_increment",            "4",               Loading),
    setting("lc_time_names",                      "en_US",           Loading),
    setting("block_encryption_mode",              "aes-128-ecb",     Loading),
    setting("default_regex_flags",                "",                Loading),
];

impl NeededBy {
    fn is_for(self, sessions: SessionUse) -> bool {
        match sessions {
            SessionUse::Probe => true,
            SessionUse::Read => self != Loading,
            SessionUse::Load => matches!(self, All | Loading),
        }
    }
}

impl Setting {
    /// `autocommit='ON'`, for behind `SET SESSION`. A number wants no quotes, and the time zone of history has no other
    /// way to be unset.
    fn assignment(&self, value: &str) -> String {
        let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        match value {
            _ if is_number || self.name == AS_OF => format!("{}={value}", self.name),
            _ => format!("{}='{value}'", self.name),
        }
    }

    /// The value on a server of this kind.
    fn wanted(&self, version: &str) -> &'static str {
        let before = version.contains("MariaDB") && Version::parse(version).is_some_and(|v| v < Version::new(10, 6, 0));
        if self.name == OLD_MODE && before { "" } else { self.value }
    }
}

/// What a session's settings were before it set its own, and which of these it could not set.
#[derive(Debug, Default)]
pub(crate) struct Pinned {
    pub(crate) before: BTreeMap<String, String>,
    pub(crate) refused: Vec<&'static str>,
}

/// MySQL takes the first comment for SQL, MariaDB the second, and a server too old for both takes neither.
const LIFT: &str = "SET @dbhaul_limit = @@SESSION.sql_select_limit, SESSION sql_select_limit = 18446744073709551615, \
    @dbhaul_big = @@SESSION.sql_big_selects, SESSION sql_big_selects = ON, \
    @dbhaul_time = 0 /*!50708 , @dbhaul_time = @@max_execution_time, SESSION max_execution_time = 0 */ \
    /*M!100101 , @dbhaul_time = @@max_statement_time, SESSION max_statement_time = 0 */";

/// Room for our questions. The least that a server can be given is too little for the lists of its own catalogue, and MySQL's
/// optimizer would try every order of the tables under them. It goes with [`LIFT`], in one question.
const ROOM: &str = "SESSION sort_buffer_size = CAST(GREATEST(@@SESSION.sort_buffer_size, 262144) AS UNSIGNED) \
    /*!80000 , SESSION optimizer_prune_level = 1 */ /*M!100300 , SESSION tmp_disk_table_size = 18446744073709551615, SESSION max_session_mem_used = 9223372036854775807 */";

/// Servers write a number of seconds with a fraction.
fn is_same(now: &str, wanted: &str) -> bool {
    now.eq_ignore_ascii_case(wanted) || wanted == "0" && now.parse() == Ok(0.0)
}

/// Ends what `init_connect` may have begun, a transaction and locks, and goes back to the session's own database.
fn undo_init_connect(database: Option<&str>) -> Vec<String> {
    let ended = ["ROLLBACK AND NO CHAIN NO RELEASE", "UNLOCK TABLES"].map(str::to_owned);
    ended.into_iter().chain(database.map(|database| format!("USE {}", quote(database)))).collect()
}

fn has_init_connect(settings: &BTreeMap<String, String>) -> bool {
    settings.get(INIT_CONNECT).is_some_and(|text| !text.trim().is_empty())
}

/// What a client that loads runs before the dump's first statement.
pub(crate) fn prologue(server: &Server, database: &str) -> Vec<String> {
    if has_init_connect(&server.settings) { undo_init_connect(Some(database)) } else { Vec::new() }
}

/// Sets what differs from what a session needs, in this database or in none. What the server does not let us set stays,
/// and is named.
pub(crate) async fn pin(conn: &mut Conn, database: Option<&str>, sessions: SessionUse) -> mysql_async::Result<Pinned> {
    // The limits would cut or end the list of settings.
    if !try_set(conn, &format!("{LIFT}, {ROOM}")).await? && !try_set(conn, LIFT).await? {
        try_set(conn, &format!("SET SESSION {SELECT_LIMIT} = {MAX_ROWS}")).await?;
    }
    let mut pinned = Pinned::default();
    let needed: Vec<&Setting> = PINNED.iter().filter(|setting| setting.needed_by.is_for(sessions)).collect();
    let names: Vec<String> = needed.iter().map(|setting| format!("'{}'", setting.name)).collect();
    let show = format!(
        "SHOW SESSION VARIABLES WHERE Variable_name IN ('version', '{INIT_CONNECT}', '{MAX_JOIN_SIZE}', {})",
        names.join(", ")
    );
    pinned.before = tolerant(conn, &show).await?.into_iter().collect();
    let version = pinned.before.remove("version").unwrap_or_default();
    let version = version.strip_prefix("5.5.5-").unwrap_or(&version).to_owned();
    let differs = |setting: &&&Setting| {
        pinned.before.get(setting.name).is_some_and(|now| !is_same(now, setting.wanted(&version)))
    };
    let differing: Vec<&Setting> = needed.iter().filter(differs).copied().collect();
    let assignments: Vec<_> = differing.iter().map(|setting| setting.assignment(setting.wanted(&version))).collect();
    if !assignments.is_empty() && !try_set(conn, &format!("SET SESSION {}", assignments.join(", "))).await? {
        for (setting, assignment) in differing.iter().zip(&assignments) {
            if !try_set(conn, &format!("SET SESSION {assignment}")).await? {
                pinned.refused.push(setting.name);
            }
        }
    }
    if has_init_connect(&pinned.before) {
        for statement in undo_init_connect(database) {
            conn.query_drop(statement).await?;
        }
    }
    if sessions == SessionUse::Probe {
        let lifted = "SELECT CAST(@dbhaul_limit AS CHAR), CAST(@dbhaul_time AS CHAR), IF(@dbhaul_big, 'ON', 'OFF')";
        if let Some((limit, time, big)) = tolerant::<(String, String, String)>(conn, lifted).await?.into_iter().next() {
            pinned.before.insert(SELECT_LIMIT.to_owned(), limit);
            pinned.before.entry(BIG_SELECTS.to_owned()).and_modify(|lifted| *lifted = big);
            for name in probe_keys::STATEMENT_TIME {
                pinned.before.entry(name.to_owned()).and_modify(|lifted| lifted.clone_from(&time));
            }
        }
    }
    Ok(pinned)
}

/// Whether the server took it.
async fn try_set(conn: &mut Conn, statement: &str) -> mysql_async::Result<bool> {
    match conn.query_drop(statement).await {
        Err(mysql_async::Error::Server(_)) => Ok(false),
        other => other.map(|()| true),
    }
}

/// Of the server's settings, which the probe's session found otherwise than they should be.
fn differing(server: &Server, sessions: SessionUse) -> impl Iterator<Item = (&'static Setting, &'static str)> {
    let version = if server.flavour == Flavour::MARIADB {
        format!("{}-MariaDB", server.version)
    } else {
        server.version.to_string()
    };
    let needed = PINNED.iter().filter(move |setting| setting.needed_by.is_for(sessions) && setting.needed_by != Asking);
    let wanted = needed.map(move |setting| (setting, setting.wanted(&version)));
    wanted.filter(|(setting, wanted)| server.settings.get(setting.name).is_some_and(|now| !is_same(now, wanted)))
}

/// What a client is told behind `SET SESSION `, if anything.
pub(crate) fn client_assignments(server: &Server, sessions: SessionUse) -> Option<String> {
    let refused = probe_keys::list(server, probe_keys::REFUSED);
    let settable = differing(server, sessions).filter(|(setting, _)| !refused.contains(&setting.name));
    let assignments: Vec<String> = settable.map(|(setting, wanted)| setting.assignment(wanted)).collect();
    (!assignments.is_empty()).then(|| assignments.join(", "))
}

/// The value of a setting that is not what a session needs, and the line that mends it at the server.
pub(crate) fn odd<'s>(server: &'s Server, name: &str, sessions: SessionUse) -> Option<(&'s str, String)> {
    let (setting, wanted) = differing(server, sessions).find(|(setting, _)| setting.name == name)?;
    let mends = format!("SET GLOBAL {}", setting.assignment(wanted));
    server.settings.get(name).map(|value| (value.as_str(), mends))
}

/// The same of one that the user may not set, either.
pub(crate) fn stays<'s>(server: &'s Server, name: &str, sessions: SessionUse) -> Option<(&'s str, String)> {
    odd(server, name, sessions).filter(|_| probe_keys::list(server, probe_keys::REFUSED).contains(&name))
}

/// What the probe's session found, for [`Server::settings`].
pub(crate) fn found(pinned: Pinned) -> impl Iterator<Item = (String, String)> {
    let refused = (probe_keys::REFUSED.to_owned(), pinned.refused.join(JOIN));
    pinned.before.into_iter().chain(std::iter::once(refused))
}

/// Shows or hides the invisible keys that a MySQL server adds; whether it knows such.
pub(crate) async fn show_added_keys(conn: &mut Conn, shown: bool) -> mysql_async::Result<bool> {
    try_set(conn, &format!("SET SESSION {SHOWN_KEYS} = {}", if shown { "ON" } else { "OFF" })).await
}
