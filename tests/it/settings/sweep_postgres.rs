//! The settings of PostgreSQL for the sweep: of a role where a role can have them, of the whole server otherwise.

use std::path::Path;

use dbhaul::engine::postgres::server_settings::{Sort, sort};

use super::{
    another_number, only,
    postgres::{FIXTURE, OTHERS, script},
    sweep::{Change, Reach, Sweep, Trial},
};
use crate::support::{Database, Server, USER};

/// Settings whose values are text, and another one of each. Those that are pinned are in [`OTHERS`].
#[rustfmt::skip]
const TEXTS: &[(&str, &str)] = &[
    ("archive_cleanup_command", "false"), ("archive_command", "false"), ("backtrace_functions", "errstart"),
    ("createrole_self_grant", "set, inherit"), ("default_text_search_config", "pg_catalog.german"),
    ("dynamic_library_path", "$libdir:/nowhere"), ("extension_control_path", "$system:/nowhere"),
    ("lc_messages", "POSIX"), ("lc_numeric", "es_CO.UTF-8"), ("lc_time", "es_CO.UTF-8"),
    ("log_connections", "all"), ("log_destination", "csvlog"), ("log_directory", "elsewhere"), ("log_filename", "log-%H"),
    ("log_line_prefix", "%a"), ("log_timezone", "Asia/Tokyo"), ("primary_conninfo", "host=nowhere"),
    ("primary_slot_name", "nobody"), ("recovery_end_command", "false"), ("restore_command", "false"), ("role", USER),
    ("session_preload_libraries", "auto_explain"), ("ssl_ciphers", "HIGH"), ("syslog_ident", "x"),
    ("temp_tablespaces", "pg_default"), ("timezone_abbreviations", "India"), ("wal_consistency_checking", "heap"),
];

/// What would not try a setting but the server's patience.
const AVOIDED: &[(&str, &str)] = &[
    ("synchronous_standby_names", "each commit would wait for a standby that is not there"),
    ("authentication_timeout", "a machine under load would be too slow for the least"),
    ("db_user_namespace", "users get other names, also the tests' own"),
    ("post_auth_delay", "each session would begin later, for developers"),
    ("pre_auth_delay", "each session would begin later, for developers"),
];

pub struct PostgresSweep<'s> {
    server: &'s Server,
}

/// A role's name on each server.
const ROLE: &str = "sweep";

impl<'s> PostgresSweep<'s> {
    pub fn new(server: &'s Server) -> Self {
        server.sql(&format!("CREATE ROLE {ROLE} SUPERUSER LOGIN PASSWORD 'pw'"));
        Self { server }
    }

    fn is_seen(&self, name: &str, before: Option<&str>) -> bool {
        let now = self.server.sql(&format!("SELECT setting FROM pg_settings WHERE name = '{name}'"));
        before.map_or_else(|| now == self.file_value(name), |before| now != before)
    }

    /// What a new session has when nothing is changed.
    fn file_value(&self, name: &str) -> String {
        self.server.sql(&format!("SELECT boot FROM sweep_before WHERE name = '{name}'"))
    }
}

fn trial(fields: &[&str]) -> Trial {
    let [name, context, category, kind, now, source, least, most, values] = fields else {
        panic!("not nine columns: {fields:?}")
    };
    let none = |why| Trial::None((*name).to_owned(), why);
    let of_role = ["user", "superuser"].contains(context);
    match *context {
        "internal" => return none("read-only"),
        "postmaster" => return none("it takes a restart"),
        _ if *category == "Developer Options" || name.starts_with("debug_") => return none("for developers"),
        _ if *source == "command line" && !of_role => return none("given on the command line of the tests' server"),
        _ => {}
    }
    if let Some((_, why)) = AVOIDED.iter().find(|(avoided, _)| avoided == name) {
        return none(why);
    }
    let text = OTHERS.iter().chain(TEXTS).find(|(other, _)| other == name).map(|(_, value)| (*value).to_owned());
    let value = text.or_else(|| match *kind {
        "bool" => Some(if *now == "on" { "off" } else { "on" }.to_owned()),
        "enum" => values.split(',').find(|value| value != now).map(str::to_owned),
        "string" => None,
        _ => another_number(now, least, most),
    });
    let Some(value) = value else { return none("a text of which the tests' servers have one only") };
    // A list of names is no string.
    let quoted = if *name == "search_path" { value } else { format!("'{value}'") };
    let (how, reach) = if *context == "user" || *name == "role" {
        (format!("ALTER ROLE {ROLE}"), Reach::User)
    } else {
        ("ALTER SYSTEM".to_owned(), Reach::Server)
    };
    let reset = if reach == Reach::User { format!("{how} RESET ALL") } else { format!("{how} RESET {name}") };
    Trial::Change(Change {
        set: format!("{how} SET {name} = {quoted}"),
        reset,
        reach,
        of_sessions: of_role,
        changes_nothing: !matches!(sort(name), Some(Sort::NotOurs(_))),
        is_limit: false,
        name: (*name).to_owned(),
    })
}

/// What can be done to each setting of the server.
fn trials(server: &Server) -> Vec<Trial> {
    let rows = server.sql(
        "SELECT name, context, category, vartype, reset_val, source, min_val, max_val, array_to_string(enumvals, ',')
         FROM pg_settings WHERE name NOT LIKE '%.%' ORDER BY name",
    );
    let fields = rows.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let wanted = only();
    let is_wanted = |name: &str| wanted.as_ref().is_none_or(|only| only.iter().any(|wanted| wanted == name));
    fields.filter(|fields| is_wanted(fields[0])).map(|fields| trial(&fields)).collect()
}

impl Sweep for PostgresSweep<'_> {
    fn fill(&self, source: &Database<'_>) {
        source.sql(FIXTURE);
        self.server.sql("CREATE TABLE sweep_before AS SELECT name, setting AS boot FROM pg_settings");
    }

    fn trials(&self) -> Vec<Trial> {
        trials(self.server)
    }

    fn make(&self, change: &Change) -> Result<(), String> {
        let words = |error: String| error.lines().next().unwrap_or_default().replace("psql:<stdin>:1: ", "");
        self.server.try_sql("postgres", &change.set).map_err(words)?;
        if change.reach == Reach::Server {
            let before = self.file_value(&change.name);
            self.server.sql("SELECT pg_reload_conf()");
            if !(0..500).any(|_| self.is_seen(&change.name, Some(&before))) {
                self.put_back(change);
                return Err("the server does not take it while it runs".to_owned());
            }
        }
        Ok(())
    }

    fn put_back(&self, change: &Change) {
        self.server.sql(&change.reset);
        if change.reach == Reach::Server {
            self.server.sql("SELECT pg_reload_conf()");
            crate::support::eventually("the setting is back", || self.is_seen(&change.name, None));
        }
    }

    fn user(&self, reach: Reach) -> (String, String) {
        match reach {
            Reach::User => (ROLE.to_owned(), "pw".to_owned()),
            Reach::Server => (self.server.user().to_owned(), self.server.password().to_owned()),
        }
    }

    fn bytes(&self, archive: &Path) -> String {
        script(archive)
    }
}
