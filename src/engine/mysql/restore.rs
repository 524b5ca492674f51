//! What forbids a restore, and its whole command line.
//!
//! A dump of MySQL's holds statements that commit by themselves: no restore is atomic, so everything that can be known
//! beforehand is looked at beforehand.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::content::{fact, names};
use super::dump::some;
use super::features::{self, Verdict};
use super::rewrite::{Adapt, Rewriter};
use super::{clients, collation, options as common, setting};
use crate::connection::Connection;
use crate::engine::{
    Clean, Client, Content, Feature, Flavour, Found, RestoreInput, RestoreOptions, RestorePlan, Role, Server, Version,
    near,
};
use crate::error::{Error, Kind, Result};
use crate::invocation::Stdin;

/// Seconds for the client's own connecting; the probe has just got through.
const CONNECT_SECONDS: u32 = 10;
/// For the loading session: a source may be slow, and a lock that is held must not hang us for a year.
const SESSION: &str =
    "SET SESSION net_read_timeout=3600, net_write_timeout=3600, wait_timeout=28800, lock_wait_timeout=600";

/// MariaDB's clients repeat a failing statement between two of these lines. The option against that came late, and
/// versions that lack it pass over it.
const ECHO_FENCE: &str = "--------------";

/// Everything that forbids this restore; warnings come back.
pub(super) fn check(server: &Server, content: &Content, options: &RestoreOptions) -> Result<Vec<String>> {
    usage(content, options)?;
    room(server, options)?;
    takes(server, content, options)?;
    let mut warnings: Vec<_> =
        (options.clean == Some(Clean::Objects)).then(|| left(server, content)).flatten().into_iter().collect();
    warnings.extend(crossing(server, content, options)?);
    warnings.extend(collation::unused(content, &options.map_collations));
    let source = content.source_version.as_deref().and_then(Version::parse);
    if let (Some(flavour), Some(source)) = (content.source_flavour, source) {
        if flavour != server.flavour {
            warnings.push(format!(
                "the dump comes from {flavour} {source}, the target is {} {}",
                server.flavour, server.version
            ));
        } else if (source.major, source.minor) > (server.version.major, server.version.minor) {
            warnings.push(format!(
                "the dump comes from {flavour} {source}, which is newer than the target's {}",
                server.version
            ));
        }
    }
    Ok(warnings)
}

/// What `--clean objects` leaves: the dump drops no more than it brings. Triggers go with their tables.
fn left(server: &Server, content: &Content) -> Option<String> {
    let lists = [fact::VIEWS, fact::ROUTINES, fact::EVENTS, fact::SEQUENCES];
    let mut brought: BTreeSet<&str> = lists.iter().flat_map(|list| names(content, list)).collect();
    brought.extend(content.tables.iter().map(|table| table.name.as_str()));
    let named = server.target.objects.iter().filter_map(|object| object.split_once(' '));
    let stays = named.filter(|(kind, name)| *kind != "trigger" && !brought.contains(name));
    let stays: Vec<_> = stays.map(|(_, name)| name).collect();
    let text =
        || format!("the dump does not bring, and so the target keeps: {} (--clean schema drops all)", some(&stays));
    (!stays.is_empty()).then(text)
}

/// Options that make no sense with this dump.
fn usage(content: &Content, options: &RestoreOptions) -> Result<()> {
    let wrong = |what: &str, hint: &str| Err(Error::new(Kind::Usage, what).hint(hint));
    if options.jobs > 1 {
        return wrong("--jobs: a MySQL dump is restored by one session", "leave --jobs out");
    }
    if !options.exclude_extensions.is_empty() {
        return wrong("--exclude-extension: MySQL has no extensions", "leave it out");
    }
    if options.schema_only && options.data_only {
        return wrong("--schema-only and --data-only exclude each other", "give one of them");
    }
    if let Some(schema) = options.schemas.first() {
        return wrong(
            &format!("--schema {schema}: MySQL has no schemas inside of a database"),
            "name tables with --table, and the target database in the URI",
        );
    }
    let views = names(content, fact::VIEWS);
    let tables = || content.entries.iter().map(|e| e.tag.as_str());
    for (flag, names) in [("--table", &options.tables), ("--exclude-table-data", &options.exclude_table_data)] {
        for wanted in names {
            if !tables().any(|name| name == bare(wanted)) {
                let known = tables().filter(|name| flag == "--table" || !views.contains(name)).map(str::to_owned);
                let close = near(bare(wanted), known).join(", ");
                let hint = if close.is_empty() {
                    "names are literal: dbhaul inspect lists them".into()
                } else {
                    format!("near: {close}")
                };
                return wrong(&format!("{flag} {wanted}: the dump has no such table"), &hint);
            }
        }
    }
    Ok(())
}

/// `database.table` and `table` mean the same: a dump holds one database.
pub(super) fn bare(table: &str) -> &str {
    table.rsplit_once('.').map_or(table, |(_, name)| name)
}

/// Whether the target is there, empty, and lets itself be written to.
fn room(server: &Server, options: &RestoreOptions) -> Result<()> {
    let target = &server.target;
    let refuse = |what: String, hint: &str| Err(refused(what).hint(hint));
    if server.read_only || server.replica {
        let what = if server.replica { "a replica" } else { "read-only" };
        return refuse(format!("the target is {what}"), "name the primary in the URI");
    }
    if !target.exists && !options.create {
        return refuse(format!("the database {:?} does not exist", server.database), "--create makes it");
    }
    if options.data_only && !options.into_non_empty {
        return refuse(
            "--data-only fills tables that are there already".into(),
            "--into-non-empty says that this is meant",
        );
    }
    if target.object_count > 0 && options.clean.is_none() && !options.into_non_empty {
        return refuse(
            format!("the target is not empty: {}", contents(server)),
            "--clean schema drops them first; --into-non-empty restores beside them",
        );
    }
    if !target.lacks.is_empty() {
        let error = refused_for("the user may not restore there", &target.lacks);
        return Err(error.hint(format!("GRANT ALL ON `{}`.* TO the user", server.database)));
    }
    Ok(())
}

/// `12 tables in database "shop" (users, orders, ...)`
fn contents(server: &Server) -> String {
    let target = &server.target;
    let tables: Vec<_> = target.objects.iter().filter_map(|o| o.strip_prefix("table ")).collect();
    let all: Vec<_> = target.objects.iter().map(String::as_str).collect();
    let count = target.object_count;
    let only_tables = tables.len() == all.len();
    let (noun, list) = if only_tables { ("table", tables) } else { ("object", all) };
    let plural = if count == 1 { "" } else { "s" };
    let mut shown = some(&list);
    if count > list.len() as u64 && !shown.ends_with("...") {
        shown += ", ...";
    }
    format!("{count} {noun}{plural} in database {:?} ({shown})", server.database)
}

pub(super) fn refused(what: impl Into<String>) -> Error {
    refused_for(what, &[])
}

/// Details first, and at last whether anything was changed.
fn refused_for(what: impl Into<String>, details: &[String]) -> Error {
    Error::new(Kind::Refused, what).why(details.join("\n")).why("nothing was changed")
}

/// Whether the target can take what the dump holds.
fn takes(server: &Server, content: &Content, options: &RestoreOptions) -> Result<()> {
    let refuse = |what: String, hint: &str| Err(refused(what).hint(hint));
    let databases = names(content, fact::DATABASES);
    if databases.len() > 1 {
        return refuse(
            format!("the dump holds {} databases ({}), and a restore goes into one", databases.len(), some(&databases)),
            "make a dump of each, or load it by hand with the mysql client",
        );
    }
    collation::check(server, content, &options.map_collations)?;
    let packet = setting::number(server, setting::PACKET);
    if packet > 0 && content.longest_statement >= packet && !options.schema_only {
        return refuse(
            format!("the longest statement has {} bytes, and the server takes {packet}", content.longest_statement),
            "raise the target's max_allowed_packet (SET GLOBAL max_allowed_packet = 1073741824)",
        );
    }
    structure(server, content, options)
}

/// What the target refuses. What it would only lose comes back as warnings.
fn crossing(server: &Server, content: &Content, options: &RestoreOptions) -> Result<Vec<String>> {
    if options.data_only {
        return Ok(Vec::new());
    }
    let mut judged: BTreeMap<(Verdict, &str), Vec<String>> = BTreeMap::new();
    for feature in content.features.iter().filter(|feature| comes_in(feature, options)) {
        let verdict = features::verdict(feature, server, content.source_flavour);
        judged.entry((verdict, &feature.name)).or_default().push(feature.place());
    }
    let target = format!("{} {}", server.flavour, server.version);
    let told = |of: Verdict| -> Vec<String> {
        let places = |places: &[String]| some(&places.iter().map(String::as_str).collect::<Vec<_>>());
        let those = judged.iter().filter(|((verdict, _), _)| *verdict == of);
        those.map(|((_, name), all)| format!("{name}: {}", places(all))).collect()
    };
    let refused = told(Verdict::Refused);
    if !refused.is_empty() {
        let error = refused_for(format!("{target} does not take all that the dump holds"), &refused);
        return Err(error.hint(
            "restore into the flavour and version that the dump comes from, change that at the source and dump again, \
             or restore the other tables with --table",
        ));
    }
    let without = |line: String| format!("{target} does not know it, and goes on without: {line}");
    Ok(told(Verdict::Lost).into_iter().map(without).collect())
}

/// Whether a feature's object is restored.
fn comes_in(feature: &Feature, options: &RestoreOptions) -> bool {
    let tables = &options.tables;
    let object = feature.object.as_str();
    let named = |table: &String| object == bare(table) || belongs(object, bare(table));
    tables.is_empty() || ["table", "view", "sequence"].contains(&feature.kind.as_str()) && tables.iter().any(named)
}

/// What the target demands of tables, routines and triggers.
fn structure(server: &Server, content: &Content, options: &RestoreOptions) -> Result<()> {
    let refuse = |what: String, hint: &str| Err(refused(what).hint(hint));
    let wanted: BTreeSet<&str> = options.tables.iter().map(|t| bare(t)).collect();
    let mut generated = names(content, fact::GENERATED);
    generated
        .retain(|column| has_rows(content, column) && (wanted.is_empty() || wanted.iter().any(|w| belongs(column, w))));
    if content.source_flavour == Some(Flavour::Mariadb)
        && server.flavour == Flavour::Mysql
        && !generated.is_empty()
        && !options.schema_only
    {
        return refuse(
            format!("MariaDB's dump has values for generated columns, which MySQL refuses: {}", some(&generated)),
            "restore into MariaDB, or only the structure with --schema-only",
        );
    }
    if options.data_only {
        return Ok(());
    }
    let mut keyless = names(content, fact::NO_PRIMARY_KEY);
    keyless.retain(|table| wanted.is_empty() || wanted.contains(table));
    if let Some(demand) = setting::PRIMARY_KEY.iter().find(|name| setting::on(server, name) && !keyless.is_empty()) {
        return refuse(
            format!("the target demands primary keys, and the dump has tables without one: {}", some(&keyless)),
            &format!("SET GLOBAL {demand} = OFF on the target, or give them a key at the source"),
        );
    }
    let mut logged = names(content, fact::TRIGGERS);
    logged.extend(names(content, fact::FUNCTIONS));
    let trusted = !setting::on(server, "log_bin") || setting::on(server, "log_bin_trust_function_creators");
    if !trusted && !setting::granted(server, "super") && !logged.is_empty() && wanted.is_empty() {
        return refuse(
            format!("the target's binary log refuses functions and triggers of this user: {}", some(&logged)),
            "SET GLOBAL log_bin_trust_function_creators = 1 on the target, or restore as a user with SUPER",
        );
    }
    rights(server, content, &wanted)
}

fn belongs(column: &str, table: &str) -> bool {
    column.strip_prefix(table).is_some_and(|rest| rest.starts_with('.'))
}

/// A table whose rows were not counted may have some.
fn has_rows(content: &Content, column: &str) -> bool {
    content.tables.iter().any(|t| t.rows != Some(0) && belongs(column, &t.name))
}

/// Rights that only some dumps need.
fn rights(server: &Server, content: &Content, wanted: &BTreeSet<&str>) -> Result<()> {
    let needs = [
        (fact::VIEWS, "create view", "views"),
        (fact::TRIGGERS, "trigger", "triggers"),
        (fact::ROUTINES, "create routine", "routines"),
        (fact::EVENTS, "event", "events"),
    ];
    let lacking: Vec<_> = needs
        .iter()
        .filter(|(list, ..)| wanted.is_empty() && !names(content, list).is_empty())
        .filter(|(_, right, _)| server.settings.contains_key("grants") && !setting::granted(server, right))
        .collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let details: Vec<_> = lacking
        .iter()
        .map(|(list, right, what)| format!("{what} need {}: {}", right.to_uppercase(), some(&names(content, list))))
        .collect();
    let error = refused_for("the user may not create all that the dump holds", &details);
    Err(error.hint(format!("GRANT ALL ON `{}`.* TO the user, or restore some tables with --table", server.database)))
}

/// A restore, planned.
pub(super) fn plan(
    connection: &Connection,
    server: &Server,
    content: &Content,
    clients: &Found,
    options: &RestoreOptions,
    source: RestoreInput<'_>,
) -> Result<RestorePlan> {
    if let RestoreInput::Path(path) = source {
        return Err(Error::new(Kind::Unexpected, format!("a MySQL dump is fed, not opened: {}", path.display())));
    }
    let client = clients::choose(Role::Shell, server, Some(content), &clients.clients, &clients.rejected)?;
    let mut loader = common::connected(connection, server, client)?
        .args([
            // Also keeps a dump from running programs: no command but DELIMITER is obeyed.
            "--binary-mode",
            // Or else most clients take the comments out of routines' bodies.
            "--comments",
            "--default-character-set=utf8mb4",
            "--max-allowed-packet=1G",
            "--skip-reconnect",
            "--local-infile=0",
        ])
        .arg(format!("--connect-timeout={CONNECT_SECONDS}"))
        .arg(format!("--init-command={SESSION}"))
        .args(by_version(client))
        .arg(format!("--database={}", connection.database));
    loader.stdin = Stdin::Pipe;
    loader.echo_fence = (client.flavour == Flavour::Mariadb).then_some(ECHO_FENCE);
    let adapt = Adapt {
        definers: !options.keep_definers,
        sandbox: !knows_sandbox(client),
        sql_mode: server.flavour == Flavour::Mysql && server.version.major >= 8,
        schema_only: options.schema_only,
        data_only: options.data_only,
        tables: bare_names(&options.tables),
        without_rows: bare_names(&options.exclude_table_data),
        collations: options.map_collations.clone(),
    };
    let parts = needed(content, &adapt.tables);
    Ok(RestorePlan {
        decoder: None,
        loader,
        filter: Some(Box::new(Rewriter::new(adapt))),
        parts,
        atomic: false,
        notes: notes(server, content, options),
    })
}

fn bare_names(tables: &[String]) -> BTreeSet<String> {
    tables.iter().map(|table| bare(table).to_owned()).collect()
}

/// Up to the end of the last statement about a table that is wanted: what comes behind need not be read.
#[expect(clippy::single_range_in_vec_init, reason = "one stretch it is")]
fn needed(content: &Content, tables: &BTreeSet<String>) -> Option<Vec<Range<u64>>> {
    let wanted = content.entries.iter().filter(|e| tables.contains(&e.tag));
    let end = wanted.filter_map(|e| e.span.as_ref()).map(|span| span.end).max()?;
    Some(vec![0..end])
}

/// `Album points at Artist`: keys that stay in the tables' definitions, to tables that neither come nor are there.
fn dangling(server: &Server, content: &Content, tables: &BTreeSet<String>) -> Vec<String> {
    let there = |name: &str| tables.contains(name) || server.tables.iter().any(|t| t.name.eq_ignore_ascii_case(name));
    let chosen = content.entries.iter().filter(|e| tables.contains(&e.tag));
    let points = chosen.flat_map(|e| {
        let others = names(content, fact::REFERENCES).into_iter();
        others.filter_map(|r| r.strip_prefix(e.tag.as_str())?.strip_prefix('.')).map(|other| (e.tag.as_str(), other))
    });
    points.filter(|(_, other)| !there(other)).map(|(table, other)| format!("{table} points at {other}")).collect()
}

/// Second and third locks on the door that `--binary-mode` shuts, and no customers' rows on stderr.
fn by_version(client: &Client) -> Vec<&'static str> {
    let v = client.version;
    if client.flavour == Flavour::Mysql {
        let knows = v >= Version::new(9, 4, 0) || (v >= Version::new(8, 4, 6) && v < Version::new(9, 0, 0));
        return if knows { vec!["--skip-system-command", "--skip-commands"] } else { Vec::new() };
    }
    let mut flags = Vec::new();
    if knows_sandbox(client) {
        flags.push("--sandbox");
    }
    if v >= Version::new(10, 6, 0) {
        // Which patch release brought it is not written down; "loose" lets older ones pass over it.
        flags.push("--loose-skip-print-query-on-error");
    }
    flags
}

/// The releases of May 2024 brought the sandbox to every branch of MariaDB.
fn knows_sandbox(client: &Client) -> bool {
    const SINCE: [(u32, u32, u32); 7] =
        [(10, 5, 25), (10, 6, 18), (10, 11, 8), (11, 0, 6), (11, 1, 5), (11, 2, 4), (11, 4, 2)];
    let Version { major, minor, patch } = client.version;
    client.flavour == Flavour::Mariadb
        && ((major, minor) > (11, 4) || SINCE.iter().any(|&(a, b, c)| (a, b) == (major, minor) && patch >= c))
}

fn notes(server: &Server, content: &Content, options: &RestoreOptions) -> Vec<String> {
    let mut notes = Vec::new();
    let dangling = dangling(server, content, &bare_names(&options.tables));
    if !dangling.is_empty() && !options.data_only {
        let keys: Vec<&str> = dangling.iter().map(String::as_str).collect();
        notes.push(format!("foreign keys to tables that are not there: rows go in now, not later: {}", some(&keys)));
    }
    let definers = content.facts.get(fact::DEFINERS).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    if definers > 0 && !options.keep_definers && !options.data_only {
        let noun = if definers == 1 { "object" } else { "objects" };
        notes.push(format!(
            "definers left out: {definers} {noun} will run as the restoring user (--keep-definers keeps them)"
        ));
    }
    if !options.tables.is_empty() {
        notes.push("routines and events left out: only some tables were asked for".to_owned());
    }
    if options.keep_owner || options.keep_privileges || options.no_comments {
        notes.push("a MySQL dump holds no owners or privileges, and comments stay with their columns".to_owned());
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Inspector;
    use crate::engine::mysql::clients::tests::recorded;
    use crate::engine::mysql::content::Reader;
    use crate::engine::mysql::dump::long_options;
    use crate::engine::mysql::testing::{connection, knows, server, strings, words};

    fn options() -> RestoreOptions {
        RestoreOptions {
            jobs: 1,
            clean: None,
            create: false,
            into_non_empty: false,
            schema_only: false,
            data_only: false,
            tables: Vec::new(),
            schemas: Vec::new(),
            exclude_table_data: Vec::new(),
            keep_owner: false,
            keep_privileges: false,
            keep_definers: false,
            no_comments: false,
            map_collations: Vec::new(),
            exclude_extensions: Vec::new(),
        }
    }

    fn content(dump: &str) -> Content {
        let mut reader = Box::new(Reader::new());
        reader.see(dump.as_bytes());
        reader.finish().expect("complete")
    }

    const MARIADB: &str = include_str!("../../../fixtures/dumps/mariadb-10.11.19.sql");

    #[test]
    fn flags_by_client_a_restore_by_every_recorded_client() {
        let content = content(MARIADB);
        let mut all = String::new();
        for (name, client, help) in recorded().into_iter().filter(|(_, c, _)| c.role == Role::Shell) {
            let server = server(client.flavour, client.version);
            let found = Found { clients: vec![client], rejected: Vec::new() };
            let plan =
                plan(&connection(), &server, &content, &found, &options(), RestoreInput::Stream).expect("a plan");
            for option in long_options(&plan.loader) {
                assert!(knows(&help, &option.replace("--loose-", "--")), "{name} does not know {option}");
            }
            all.extend([name, "\n  ".into(), words(&plan.loader), "\n".into()]);
        }
        insta::assert_snapshot!(all, @r#"
        mariadb-10.11.19
          mariadb --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' --ssl --skip-ssl-verify-server-cert --binary-mode --comments '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --skip-reconnect '--local-infile=0' '--connect-timeout=10' '--init-command=SET SESSION net_read_timeout=3600, net_write_timeout=3600, wait_timeout=28800, lock_wait_timeout=600' --sandbox --loose-skip-print-query-on-error '--database=shop'
        mariadb-10.3.22
          mariadb --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' --ssl --skip-ssl-verify-server-cert --binary-mode --comments '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --skip-reconnect '--local-infile=0' '--connect-timeout=10' '--init-command=SET SESSION net_read_timeout=3600, net_write_timeout=3600, wait_timeout=28800, lock_wait_timeout=600' '--database=shop'
        mariadb-10.5.23
          mariadb --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' --ssl --skip-ssl-verify-server-cert --binary-mode --comments '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --skip-reconnect '--local-infile=0' '--connect-timeout=10' '--init-command=SET SESSION net_read_timeout=3600, net_write_timeout=3600, wait_timeout=28800, lock_wait_timeout=600' '--database=shop'
        mariadb-11.8.6
          mariadb --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' --ssl --skip-ssl-verify-server-cert --binary-mode --comments '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --skip-reconnect '--local-infile=0' '--connect-timeout=10' '--init-command=SET SESSION net_read_timeout=3600, net_write_timeout=3600, wait_timeout=28800, lock_wait_timeout=600' --sandbox --loose-skip-print-query-on-error '--database=shop'
        mysql-5.7.21
          mysql --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' '--ssl-mode=PREFERRED' --binary-mode --comments '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --skip-reconnect '--local-infile=0' '--connect-timeout=10' '--init-command=SET SESSION net_read_timeout=3600, net_write_timeout=3600, wait_timeout=28800, lock_wait_timeout=600' '--database=shop'
        mysql-8.0.28
          mysql --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' '--ssl-mode=PREFERRED' --binary-mode --comments '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --skip-reconnect '--local-infile=0' '--connect-timeout=10' '--init-command=SET SESSION net_read_timeout=3600, net_write_timeout=3600, wait_timeout=28800, lock_wait_timeout=600' '--database=shop'
        mysql-8.0.36
          mysql --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' '--ssl-mode=PREFERRED' --binary-mode --comments '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --skip-reconnect '--local-infile=0' '--connect-timeout=10' '--init-command=SET SESSION net_read_timeout=3600, net_write_timeout=3600, wait_timeout=28800, lock_wait_timeout=600' '--database=shop'
        mysql-8.4.6
          mysql --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' '--ssl-mode=PREFERRED' --binary-mode --comments '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --skip-reconnect '--local-infile=0' '--connect-timeout=10' '--init-command=SET SESSION net_read_timeout=3600, net_write_timeout=3600, wait_timeout=28800, lock_wait_timeout=600' --skip-system-command --skip-commands '--database=shop'
        mysql-9.7.4
          mysql --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' '--ssl-mode=PREFERRED' --binary-mode --comments '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --skip-reconnect '--local-infile=0' '--connect-timeout=10' '--init-command=SET SESSION net_read_timeout=3600, net_write_timeout=3600, wait_timeout=28800, lock_wait_timeout=600' --skip-system-command --skip-commands '--database=shop'
        "#);
    }

    #[test]
    fn refusals_name_what_was_found() {
        let dump = content(MARIADB);
        let maria = server(Flavour::Mariadb, Version::new(10, 11, 19));
        let mysql = server(Flavour::Mysql, Version::new(9, 7, 4));
        assert_eq!(check(&maria, &dump, &options()).expect("fits"), Vec::<String>::new());
        let mut all = String::new();
        let refused = |server: &Server| {
            let error = check(server, &dump, &options()).expect_err("refused");
            assert_eq!(error.kind, Kind::Refused);
            format!("{error}\nhint: {}\n", error.hints.join("\nhint: "))
        };
        all += &refused(&mysql);
        let setting =
            |s: &mut Server, name: &str, value: &str| drop(s.settings.insert(name.to_owned(), value.to_owned()));
        let changes: [&dyn Fn(&mut Server); 10] = [
            &|s| s.target.exists = false,
            &|s| (s.target.objects, s.target.object_count) = (strings(&["table users", "table orders"]), 12),
            &|s| (s.target.objects, s.target.object_count) = (strings(&["view v"]), 1),
            &|s| s.replica = true,
            &|s| s.target.collations = strings(&["utf8mb4_general_ci"]),
            &|s| setting(s, "max_allowed_packet", "256"),
            &|s| setting(s, "sql_require_primary_key", "1"),
            &|s| setting(s, "log_bin", "1"),
            &|s| setting(s, "grants", "read"),
            &|s| s.target.lacks = strings(&["CREATE is missing"]),
        ];
        for change in changes {
            let mut server = maria.clone();
            change(&mut server);
            all += &refused(&server);
        }
        insta::assert_snapshot!(all, @r#"
        MariaDB's dump has values for generated columns, which MySQL refuses: users.gen
          nothing was changed
        hint: restore into MariaDB, or only the structure with --schema-only
        the database "shop" does not exist
          nothing was changed
        hint: --create makes it
        the target is not empty: 12 tables in database "shop" (users, orders, ...)
          nothing was changed
        hint: --clean schema drops them first; --into-non-empty restores beside them
        the target is not empty: 1 object in database "shop" (view v)
          nothing was changed
        hint: --clean schema drops them first; --into-non-empty restores beside them
        the target is a replica
          nothing was changed
        hint: name the primary in the URI
        MariaDB 10.11.19 does not know the collation latin1_german1_ci
          nothing was changed
        hint: restore into the flavour and version that the dump comes from, or a newer one
        the longest statement has 394 bytes, and the server takes 256
          nothing was changed
        hint: raise the target's max_allowed_packet (SET GLOBAL max_allowed_packet = 1073741824)
        the target demands primary keys, and the dump has tables without one: we`ird; na(me
          nothing was changed
        hint: SET GLOBAL sql_require_primary_key = OFF on the target, or give them a key at the source
        the target's binary log refuses functions and triggers of this user: trg, fn
          nothing was changed
        hint: SET GLOBAL log_bin_trust_function_creators = 1 on the target, or restore as a user with SUPER
        the user may not create all that the dump holds
          views need CREATE VIEW: v, v2
          triggers need TRIGGER: trg
          routines need CREATE ROUTINE: fn, proc
          events need EVENT: ev
          nothing was changed
        hint: GRANT ALL ON `shop`.* TO the user, or restore some tables with --table
        the user may not restore there
          CREATE is missing
          nothing was changed
        hint: GRANT ALL ON `shop`.* TO the user
        "#);
        let mut full = maria;
        changes[2](&mut full);
        assert!(check(&full, &dump, &RestoreOptions { clean: Some(Clean::Schema), ..options() }).is_ok());
        assert!(check(&full, &dump, &RestoreOptions { into_non_empty: true, ..options() }).is_ok());
        assert!(check(&mysql, &dump, &RestoreOptions { schema_only: true, ..options() }).is_ok());
    }

    #[test]
    fn options_that_make_no_sense_are_usage_errors() {
        let (dump, server) = (content(MARIADB), server(Flavour::Mariadb, Version::new(10, 11, 19)));
        for wrong in [
            RestoreOptions { jobs: 2, ..options() },
            RestoreOptions { exclude_extensions: strings(&["hstore"]), ..options() },
            RestoreOptions { schemas: strings(&["shop"]), ..options() },
            RestoreOptions { exclude_table_data: strings(&["Users"]), ..options() },
            RestoreOptions { data_only: true, schema_only: true, into_non_empty: true, ..options() },
            RestoreOptions { tables: strings(&["nothing"]), ..options() },
        ] {
            assert_eq!(check(&server, &dump, &wrong).expect_err("usage").kind, Kind::Usage);
        }
        assert!(check(&server, &dump, &RestoreOptions { tables: strings(&["shop.users", "v"]), ..options() }).is_ok());
    }
}
