//! How a session gets the [pinned](super::server_settings) settings.
//!
//! Our own sessions set them by a statement, once it is known that no pooler hands their settings to others. A client is
//! told by `PGOPTIONS` what is otherwise for this user in this database, and nothing else: most are told nothing. Whether
//! the server, or what stands before it, takes these options is tried with a session of our own. What a client can't be
//! told, `psql` is told by statements, or it is refused.

use super::server_settings::{PINNED, Pin, Way};
use super::{Session, identifier, literal};
use crate::connection::{Connection, Limits};
use crate::engine::postgres::restore::suitability::refused;
use crate::engine::postgres::restore::target::lines;
use crate::engine::postgres::restore::tuning;
use crate::engine::postgres::session;
use crate::engine::{Content, Finding, Purpose, RestoreOptions, Server, Severity, Subject};
use crate::error::Result;
use crate::hint::Hint;

/// The settings of a [`Server`] that name what a client is told, can't be told, and may not set: `name=value` a line,
/// with the value that it has.
const TOLD: &str = "settings.told";
const UNTOLD: &str = "settings.untold";
const FORBIDDEN: &str = "settings.forbidden";

/// The setting by which money is written and read.
const LC_MONETARY: &str = "lc_monetary";
/// The setting of a [`Server`] that holds it.
const MONEY_THERE: &str = "settings.lc_monetary";

/// A second session may have to wait for a place in a pool: that is not worth the whole connect time-out.
const TRIAL_TIMEOUT: std::time::Duration = super::pooler::POOLER_TIMEOUT;

/// Pins the settings of one of our own sessions.
pub fn statement() -> String {
    let rows = PINNED.iter().filter(|pin| pin.ours).map(|pin| {
        let wanted = pin.also.iter().chain([&pin.value]).map(|value| literal(value));
        format!(
            "({}, {}, ARRAY[{}]::text[])",
            literal(pin.name),
            literal(pin.value),
            wanted.collect::<Vec<_>>().join(", ")
        )
    });
    format!(
        "SET statement_timeout = 0; SET search_path = ''; \
         SELECT pg_catalog.set_config(s.name, p.value, false) FROM pg_catalog.pg_settings s \
         JOIN (VALUES {}) p (name, value, wanted) ON p.name = s.name \
         WHERE s.context = 'user' AND s.setting <> ALL (p.wanted)",
        rows.collect::<Vec<_>>().join(", ")
    )
}

/// What ends a session before it is told anything, and the first major version that knows it.
const TIME_LIMITS: [(&str, u32); 4] = [
    ("statement_timeout", 0),
    ("idle_in_transaction_session_timeout", 0),
    ("idle_session_timeout", 14),
    ("transaction_timeout", 17),
];

fn time_limits(major: u32) -> impl Iterator<Item = &'static Pin> {
    let known = TIME_LIMITS.iter().filter(move |(_, since)| major >= *since);
    known.filter_map(|(name, _)| PINNED.iter().find(|pin| pin.name == *name))
}

/// The startup options for a session that would not live long enough to be told by a statement.
pub fn startup_options(major: u32) -> String {
    time_limits(major).map(|pin| option(pin.name, pin.value)).collect::<Vec<_>>().join(" ")
}

/// Lifts limits on time for a transaction: a pooler hands no more than that to others.
pub fn lift_time_limits() -> String {
    let names = TIME_LIMITS.map(|(name, _)| literal(name)).join(", ");
    format!("SELECT pg_catalog.set_config(name, '0', true) FROM pg_catalog.pg_settings WHERE name IN ({names})")
}

/// A setting that has another value than the pinned one.
struct Off {
    pin: &'static Pin,
    value: String,
    may_set: bool,
}

/// Reads what a client's session would have otherwise, and tries what it can be told. A restore's memory is tried with
/// the same session.
pub async fn read(
    connection: &Connection,
    session: &Session,
    server: &mut Server,
    purpose: Purpose,
    limits: &Limits,
) -> Result<()> {
    let Some(mut off) = off(session, server, purpose).await? else { return Ok(()) };
    if session.is_lifted {
        // What this session was told hides what another one would have.
        let limits = time_limits(server.version.major);
        off.extend(limits.map(|pin| Off { pin, value: "short".into(), may_set: true }));
    }
    let (may, may_not): (Vec<Off>, Vec<Off>) = off.into_iter().partition(|off| off.may_set);
    let memory = if purpose == Purpose::Restore { tuning::memory(session).await? } else { None };
    let options: Vec<_> = may.iter().map(|off| option(off.pin.name, off.pin.value)).collect();
    let all: Vec<_> = options.into_iter().chain(memory.as_ref().map(tuning::Memory::as_it_is)).collect();
    let mut stays = None;
    if !all.is_empty() {
        let limits = Limits { connect: limits.connect.min(TRIAL_TIMEOUT), ..*limits };
        let trial = session::open_with(connection, &server.database, &limits, Some(&all.join(" "))).await;
        if let Ok(trial) = trial {
            stays = self::off(&trial, server, purpose).await.ok().flatten();
        }
    }
    if let Some(memory) = memory.filter(|_| stays.is_some()) {
        memory.keep(server);
    }
    let takes = |off: &Off| stays.as_ref().is_some_and(|stays| stays.iter().all(|s| s.pin.name != off.pin.name));
    let (told, untold): (Vec<Off>, Vec<Off>) = may.into_iter().partition(takes);
    for (key, list) in [(TOLD, told), (UNTOLD, untold), (FORBIDDEN, may_not)] {
        let list: Vec<_> = list.iter().map(|off| format!("{}={}", off.pin.name, off.value)).collect();
        server.settings.insert(key.into(), list.join("\n"));
    }
    Ok(())
}

/// What is otherwise in a session that nobody tells anything. None where the server does not say.
async fn off(session: &Session, server: &mut Server, purpose: Purpose) -> Result<Option<Vec<Off>>> {
    let may_set = match server.version.major {
        ..15 => "(SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = session_user)",
        15.. => "pg_catalog.has_parameter_privilege(session_user, name, 'SET')",
    };
    let query = format!(
        "SELECT name, reset_val, context = 'user' OR context = 'superuser' AND {may_set} FROM pg_catalog.pg_settings"
    );
    let Ok(rows) = session.try_rows(&query).await? else { return Ok(None) };
    let mut off = Vec::new();
    for row in rows {
        let [Some(name), value, Some(may_set)] = row.as_slice() else { continue };
        let value = value.as_deref().unwrap_or_default();
        let pin = PINNED.iter().find(|pin| pin.name == *name);
        if let Some(pin) = pin.filter(|pin| pin.way(purpose) != Way::Itself && !pin.is_wanted(value)) {
            off.push(Off { pin, value: value.to_owned(), may_set: may_set == "t" });
        }
        if name == LC_MONETARY {
            server.settings.entry(MONEY_THERE.into()).or_insert_with(|| value.to_owned());
        }
        if purpose == Purpose::Dump && value == "on" && DAMAGE.contains(&name.as_str()) {
            warn_of_damage(server, name);
        }
    }
    Ok(Some(off))
}

/// Settings with which a damaged page is read as if it were none.
const DAMAGE: [&str; 2] = ["ignore_checksum_failure", "zero_damaged_pages"];

fn warn_of_damage(server: &mut Server, name: &str) {
    let finding = Finding {
        severity: Severity::Warning,
        what: format!("{name} is on: where a page is damaged, rows are missing or wrong, and nobody is told"),
        hint: Some(Hint::naming(
            "damage-setting-off",
            format!("ALTER ROLE {} SET {name} = off", identifier(&server.login)),
        )),
        subject: Subject::Database,
    };
    if !server.findings.contains(&finding) {
        server.findings.push(finding);
    }
}

impl Pin {
    fn way(&self, purpose: Purpose) -> Way {
        match purpose {
            Purpose::Dump => self.dump,
            Purpose::Restore => self.restore,
        }
    }
}

/// `-c name=value`, as the server takes options apart.
fn option(name: &str, value: &str) -> String {
    format!("-c {name}={}", value.replace('\\', "\\\\").replace(' ', "\\ "))
}

fn pins<'s>(server: &'s Server, key: &str) -> impl Iterator<Item = (&'static Pin, &'s str)> {
    lines(server, key).into_iter().filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        Some((PINNED.iter().find(|pin| pin.name == name)?, value))
    })
}

/// What `pg_dump` is told by `PGOPTIONS`.
pub fn dump_options(server: &Server) -> Vec<String> {
    pins(server, TOLD).map(|(pin, _)| option(pin.name, pin.value)).collect()
}

/// What `pg_dump` can't be told and another dump of the same rows would have otherwise, for people.
pub fn dump_warnings(server: &Server) -> Vec<String> {
    let pooler = server.pooler.as_deref().unwrap_or("what stands before the server");
    let name = identifier(&server.login);
    let text = |(pin, value): (&Pin, &str)| {
        format!(
            "{} is {value} for this user, and {pooler} takes no settings: the dump is written so, and a comparison may \
             find that its rows read otherwise. ALTER ROLE {name} SET {0} = {} ends that",
            pin.name,
            literal(pin.value)
        )
    };
    pins(server, UNTOLD).filter(|(pin, _)| ["bytea_output", LC_MONETARY].contains(&pin.name)).map(text).collect()
}

/// In which `lc_monetary` a dump's money is written. None where the server did not say.
pub fn money_of_dump(server: &Server) -> Option<String> {
    let untold = pins(server, UNTOLD).chain(pins(server, FORBIDDEN)).find(|(pin, _)| pin.name == LC_MONETARY);
    let there = server.settings.get(MONEY_THERE)?;
    Some(untold.map_or("C", |_| there.as_str()).to_owned())
}

/// What the clients of a restore are told.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// By `PGOPTIONS`.
    pub options: Vec<String>,
    /// By statements before the script, which only `psql` can be; empty unless there is no other way.
    pub statements: String,
}

/// What the clients of this restore are told.
pub fn restore(server: &Server, content: &Content) -> Told {
    let money = content.lc_monetary.as_deref();
    let reads_money = |pin: &Pin| pin.name != LC_MONETARY || money.is_some_and(|money| pin.is_wanted(money));
    let told = pins(server, TOLD).filter(|(pin, _)| reads_money(pin));
    let mut options: Vec<_> = told.map(|(pin, _)| option(pin.name, pin.value)).collect();
    let mut untold: Vec<_> = pins(server, UNTOLD)
        .filter(|(pin, _)| pin.restore == Way::Needed && reads_money(pin))
        .map(|(pin, _)| (pin.name, pin.value))
        .collect();
    // Written in a locale of its own: a pooler stood before its source.
    let pin = PINNED.iter().find(|pin| pin.name == LC_MONETARY);
    let there = server.settings.get(MONEY_THERE).map(String::as_str);
    if let Some(money) = money.filter(|money| !pin.is_some_and(|pin| pin.is_wanted(money)) && there != Some(*money)) {
        if lines(server, UNTOLD).is_empty() {
            options.push(option(LC_MONETARY, money));
        } else {
            untold.push((LC_MONETARY, money));
        }
    }
    let set = |(name, value): (&str, &str)| format!("SET {name} = {};\n", literal(value));
    Told { options, statements: untold.into_iter().map(set).collect() }
}

/// Refuses what this user may not set and what makes rows come in otherwise.
pub fn check(server: &Server, content: &Content, options: &RestoreOptions) -> Result<()> {
    // Definitions that come with their rows are checked by the server when they are made, whatever the session's role.
    let checks_rows = options.data_only || !content.entries.iter().any(|entry| entry.kind == "TABLE");
    let forbidden = pins(server, FORBIDDEN).find(|(pin, _)| pin.restore == Way::Needed && checks_rows);
    let Some((pin, value)) = forbidden else { return Ok(()) };
    let (user, database) = (identifier(&server.login), identifier(&server.database));
    Err(refused(format!("{} is {value} for {} on the target, who may not set it: {}", pin.name, server.login, pin.why))
        .hint(Hint::naming(
            "superuser-sets-it",
            format!(
                "a superuser sets it: ALTER ROLE {user} IN DATABASE {database} SET {} = {}",
                pin.name,
                literal(pin.value)
            ),
        )))
}

/// Says that nobody knows how a dump's money is to be read.
pub fn warn_of_money(server: &Server, content: &Content) -> Option<String> {
    let pin = PINNED.iter().find(|pin| pin.name == LC_MONETARY)?;
    let there = server.settings.get(MONEY_THERE).filter(|there| !pin.is_wanted(there))?;
    let holders: Vec<_> = content.features.iter().filter(|feature| feature.name == MONEY).collect();
    let first = holders.first().filter(|_| content.lc_monetary.is_none())?;
    let more = if holders.len() > 1 { " and more" } else { "" };
    Some(format!(
        "{}{more}: money is read by the target's lc_monetary, {there}, and the dump does not say how it was written: \
         compare an amount; ALTER DATABASE {} SET lc_monetary = 'C' reads $12.34",
        first.object,
        identifier(&server.database)
    ))
}

/// The feature of a dump that has columns of money.
pub const MONEY: &str = "money";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Feature;
    use crate::engine::postgres::test_fixtures;

    fn server(lists: &[(&str, &str)]) -> Server {
        let mut server = test_fixtures::server(15);
        server.settings.extend(lists.iter().map(|(key, list)| ((*key).to_owned(), (*list).to_owned())));
        server
    }

    fn content(money: Option<&str>) -> Content {
        Content { lc_monetary: money.map(str::to_owned), ..test_fixtures::content("1.14") }
    }

    #[test]
    fn a_client_is_told_what_is_otherwise_and_nothing_else() {
        let healthy = server(&[(TOLD, ""), (UNTOLD, ""), (FORBIDDEN, ""), (MONEY_THERE, "C")]);
        assert_eq!(dump_options(&healthy), Vec::<String>::new());
        assert_eq!(restore(&healthy, &content(Some("C"))), Told::default());
        assert_eq!(money_of_dump(&healthy).as_deref(), Some("C"));
        let odd =
            server(&[(TOLD, "array_nulls=off\nlc_monetary=es_CO.UTF-8"), (UNTOLD, ""), (MONEY_THERE, "es_CO.UTF-8")]);
        assert_eq!(restore(&odd, &content(Some("C"))).options, ["-c array_nulls=on", "-c lc_monetary=C"]);
        // Nobody knows how its money was written.
        assert_eq!(restore(&odd, &content(None)).options, ["-c array_nulls=on"]);
        assert_eq!(restore(&odd, &content(Some("es_CO.UTF-8"))).options, ["-c array_nulls=on"]);
        assert_eq!(restore(&odd, &content(Some("de_DE"))).options, ["-c array_nulls=on", "-c lc_monetary=de_DE"]);
    }

    #[test]
    fn behind_a_pooler_psql_is_told_what_matters() {
        let pooled = server(&[
            (UNTOLD, "array_nulls=off\nlc_monetary=es_CO.UTF-8\nsynchronous_commit=off"),
            (MONEY_THERE, "es_CO.UTF-8"),
        ]);
        let told = restore(&pooled, &content(Some("C")));
        assert_eq!(told.statements, "SET array_nulls = 'on';\nSET lc_monetary = 'C';\n");
        assert!(told.options.is_empty());
        assert_eq!(restore(&pooled, &content(None)).statements, "SET array_nulls = 'on';\n");
        assert_eq!(money_of_dump(&pooled).as_deref(), Some("es_CO.UTF-8"));
        assert_eq!(dump_warnings(&pooled).len(), 1);
    }

    #[test]
    fn what_a_user_may_not_set_is_refused_where_it_lets_rows_in() {
        let server = server(&[(FORBIDDEN, "session_replication_role=replica\ntrack_activities=off")]);
        let mut options = test_fixtures::restore_options();
        options.data_only = true;
        let error = check(&server, &content(None), &options).expect_err("refused");
        assert!(
            error.hints[0]
                .text()
                .contains(r#"ALTER ROLE "app" IN DATABASE "shop" SET session_replication_role = 'origin'"#)
        );
    }

    #[test]
    fn money_that_nobody_knows_how_to_read_is_told() {
        let mut content = content(None);
        let feature = Feature { name: MONEY.into(), kind: "TABLE".into(), object: "public.m".into() };
        content.features = vec![feature];
        for (locale, warns) in [("C", false), ("en_US.UTF-8", false), ("de_DE.UTF-8", true)] {
            let server = server(&[(MONEY_THERE, locale)]);
            assert_eq!(warn_of_money(&server, &content).is_some(), warns, "{locale}");
        }
    }

    #[test]
    fn values_are_told_as_the_server_takes_options_apart() {
        assert_eq!(option("x", r"a b\c"), r"-c x=a\ b\\c");
        assert!(!startup_options(13).contains("idle_session_timeout"));
        assert!(startup_options(18).contains("transaction_timeout=0"));
    }
}
