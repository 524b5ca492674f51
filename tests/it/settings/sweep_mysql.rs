//! The settings of MySQL and MariaDB for the sweep: by SET GLOBAL, and by `init_connect` where that doesn't reach a session.

use std::{collections::BTreeMap, fs, path::Path};

use super::{
    another_number,
    harmless_mysql::LIMITS,
    mysql::{BY_INIT_CONNECT, OTHERS, bytes, content, sorted},
    only,
    sweep::{Change, Reach, Sweep, Trial},
};
use crate::support::{Database, Family, Flavour, Server, root};

/// Users without SUPER are to restore functions, and rows that may be too long.
pub const SWEPT_WITH: &[&str] = &["--log-bin-trust-function-creators=ON", "--innodb-strict-mode=OFF"];

/// Settings whose values are text, and another one of each. Those that are pinned are in [`OTHERS`].
#[rustfmt::skip]
const TEXTS: &[(&str, &str)] = &[
    ("character_set_database", "latin1"), ("character_set_filesystem", "latin1"), ("character_set_server", "latin1"),
    ("collation_database", "latin1_bin"), ("collation_server", "latin1_bin"), ("default_storage_engine", "MyISAM"),
    ("default_tmp_storage_engine", "MyISAM"), ("storage_engine", "MyISAM"),
    ("ft_boolean_syntax", "'+ -><()~*:\"\"&!'"), ("innodb_default_row_format", "compact"),
    ("innodb_change_buffering", "none"), ("innodb_checksum_algorithm", "strict_crc32"),
    ("innodb_stats_method", "nulls_unequal"), ("myisam_stats_method", "nulls_equal"), ("lc_messages", "fr_FR"),
    ("session_track_system_variables", "'*'"), ("log_error_suppression_list", "'MY-010000'"),
    ("init_connect", "'SET @of_init_connect = 1'"), ("init_replica", "'SET @x = 1'"), ("init_slave", "'SET @x = 1'"),
    ("optimizer_switch", "'derived_merge=off'"), ("log_output", "'TABLE'"),
];

/// What would not try a setting but the server's patience, or the tests' own sessions.
#[rustfmt::skip]
const AVOIDED: &[(&str, &str)] = &[
    ("max_connections", "the tests' own sessions need it"),
    ("default_table_encryption", "it wants a keyring"),
    ("mandatory_roles", "it wants roles"),
    ("innodb_max_purge_lag_wait", "to set it is to wait"),
    ("rpl_semi_sync_master_enabled", "each commit would wait for a replica that is not there"),
    ("enforce_storage_engine", "it makes other tables, which is named: see other_tables.rs"),
    ("innodb_default_encryption_key_id", "it makes other tables, which is named: see other_tables.rs"),
    ("mysql56_temporal_format", "it makes other columns, which is named: see other_tables.rs"),
    ("require_row_format", "for replication's own sessions: once on, nobody turns it off"),
    ("super_read_only", "it turns read_only on, which is tried by itself"),
    ("connect_timeout", "a machine under load would be too slow for the least"),
    ("net_retry_count", "a limit for a network that breaks"),
];

pub struct MysqlSweep<'s> {
    server: &'s Server,
    globals: BTreeMap<String, String>,
    harmless: Vec<String>,
}

const USER: &str = "sweep";

impl<'s> MysqlSweep<'s> {
    pub fn new(server: &'s Server) -> Self {
        let roles = if server.flavour().family() == Family::Mysql {
            "SELECT, SHOW_ROUTINE, PROCESS"
        } else {
            "SELECT, PROCESS"
        };
        server.sql(&format!(
            "CREATE USER {USER}@'%' IDENTIFIED BY 'pw'; GRANT ALL ON `%`.* TO {USER}@'%'; GRANT {roles} ON *.* TO {USER}@'%'"
        ));
        let globals = server.sql("SHOW GLOBAL VARIABLES");
        let lines = globals.lines().filter_map(|line| line.split_once('\t').or(Some((line, ""))));
        let globals = lines.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        let page = fs::read_to_string(root().join("docs/settings-mysql.md")).expect("read the page");
        let harmless = ["Pinned", "Harmless"].iter().flat_map(|heading| sorted(&page, heading)).collect();
        Self { server, globals, harmless }
    }

    fn trial(&self, fields: &[&str]) -> Trial {
        let [name, scope, kind, least, most, values, read_only] = fields else {
            panic!("not seven columns: {fields:?}")
        };
        let none = |why| Trial::None((*name).to_owned(), why);
        if let Some((_, why)) = AVOIDED.iter().find(|(avoided, _)| avoided == name) {
            return none(why);
        }
        if *read_only == "YES" {
            return none("it takes a restart, or is read-only");
        }
        if name.starts_with("wsrep_") {
            return none("of Galera, which the tests' servers have not");
        }
        let by_init_connect = scope.to_lowercase().contains("only") || BY_INIT_CONNECT.contains(name);
        let now = self.globals.get(*name).map_or("", String::as_str);
        let first = if values.is_empty() && kind.starts_with("Enum") { self.first_value(name, now) } else { None };
        let values = first.as_deref().unwrap_or(values);
        let Some(value) = another_value(name, kind, now, least, most, values) else {
            return none("a text of which the tests' servers have one only");
        };
        let changes_nothing = self.harmless.iter().any(|harmless| harmless == name);
        let (set, reset, reach) = if by_init_connect {
            let set = format!("SET SESSION {name} = {value}").replace('\'', "''");
            (format!("SET GLOBAL init_connect = '{set}'"), "SET GLOBAL init_connect = ''".to_owned(), Reach::User)
        } else {
            let number = now.parse::<f64>().is_ok() || *name == "system_versioning_asof";
            let before = if number { now.to_owned() } else { format!("'{}'", now.replace('\'', "''")) };
            (format!("SET GLOBAL {name} = {value}"), format!("SET GLOBAL {name} = {before}"), Reach::Server)
        };
        let of_sessions = !scope.eq_ignore_ascii_case("global");
        let is_limit = LIMITS.contains(name);
        Trial::Change(Change { name: (*name).to_owned(), set, reset, reach, of_sessions, changes_nothing, is_limit })
    }

    /// MySQL takes the numbers of values, and does not list them.
    fn first_value(&self, name: &str, now: &str) -> Option<String> {
        let sql = format!("SET GLOBAL {name} = 0; SELECT @@GLOBAL.{name}; SET GLOBAL {name} = '{now}'");
        self.server.try_sql("mysql", &sql).ok()
    }

    /// Why a session of the user can't have it by `init_connect`.
    fn refuses(&self, change: &Change) -> Option<String> {
        let statement = change.set.split_once('\'')?.1.strip_suffix('\'')?.replace("''", "'");
        let uri = ["--user", USER, "--password=pw", "--execute", &statement];
        let mut shell = self.server.client(self.server.flavour().family().shell());
        let output = shell.args(uri).env_remove("MYSQL_PWD").output().expect("run the client");
        (!output.status.success()).then(|| words(&String::from_utf8_lossy(&output.stderr)))
    }
}

/// The server's number and words.
fn words(error: &str) -> String {
    let line = error.lines().find(|line| line.contains("ERROR ")).unwrap_or(error);
    let words = line.split_once(": ").map_or(line, |(_, words)| words);
    // Names and values are not to part what is the same.
    let mut text = String::new();
    for (at, part) in words.split('\'').enumerate() {
        text += if at % 2 == 1 { "..." } else { part };
    }
    format!("the server says: {text}")
}

fn another_value(name: &str, kind: &str, now: &str, least: &str, most: &str, values: &str) -> Option<String> {
    let pinned = OTHERS.iter().find(|(other, ..)| *other == name).map(|(_, value, _)| (*value).to_owned());
    let text = TEXTS.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned());
    pinned.or(text).or_else(|| match kind.to_lowercase().as_str() {
        "boolean" => Some(if ["ON", "1", "YES"].contains(&now) { "OFF" } else { "ON" }.to_owned()),
        // By their numbers: MySQL lists no values.
        "enum" | "enumeration" => Some(if values.split(',').next() == Some(now) { "1" } else { "0" }.to_owned()),
        "set" | "flagset" => Some("1".to_owned()),
        "varchar" | "string" => None,
        _ => another_number(if now.is_empty() { "0" } else { now }, least, most),
    })
}

impl Sweep for MysqlSweep<'_> {
    fn fill(&self, source: &Database<'_>) {
        content(source);
        if self.server.flavour() == Flavour::Mariadb105 {
            // Its history is not dumped by the clients of this version.
            source.sql("DROP TABLE kept");
        }
    }

    fn trials(&self) -> Vec<Trial> {
        let query = if self.server.flavour().family() == Family::Mysql {
            "SELECT variable_name, variable_scope, data_type, IFNULL(min_value, ''), IFNULL(max_value, ''), '', ''
             FROM performance_schema.variables_metadata ORDER BY variable_name"
        } else {
            "SELECT LOWER(variable_name), variable_scope, variable_type, IFNULL(numeric_min_value, ''),
             IFNULL(numeric_max_value, ''), IFNULL(enum_value_list, ''), read_only
             FROM information_schema.system_variables ORDER BY variable_name"
        };
        let rows = self.server.sql(query);
        let fields = rows.lines().map(|line| line.split('\t').collect::<Vec<_>>());
        let wanted = only();
        let is_wanted = |name: &str| wanted.as_ref().is_none_or(|only| only.iter().any(|wanted| wanted == name));
        fields.filter(|fields| is_wanted(fields[0])).map(|fields| self.trial(&fields)).collect()
    }

    fn make(&self, change: &Change) -> Result<(), String> {
        let why = if change.reach == Reach::User { self.refuses(change) } else { None };
        if let Some(why) = why {
            return Err(why);
        }
        self.server.try_sql("mysql", &change.set).map(|_| ()).map_err(|error| words(&error))
    }

    fn put_back(&self, change: &Change) {
        if self.server.try_sql("mysql", &change.reset).is_err() {
            self.server.sql(&format!("SET GLOBAL {} = DEFAULT", change.name));
        }
    }

    fn user(&self, reach: Reach) -> (String, String) {
        match reach {
            Reach::User => (USER.to_owned(), "pw".to_owned()),
            Reach::Server => (self.server.user().to_owned(), self.server.password().to_owned()),
        }
    }

    fn bytes(&self, archive: &Path) -> String {
        bytes(archive)
    }
}
