//! Whether a dump and a target go together: everything that forbids a restore, found before anything is touched.
//!
//! A dump of MySQL's holds statements that commit by themselves: no restore is atomic, so everything that can be known
//! beforehand is looked at beforehand.

use std::collections::{BTreeMap, BTreeSet};

use super::{beforehand, own_name, triggers};
use crate::engine::mysql::dump::dependencies;
use crate::engine::mysql::features::{self, Verdict};
use crate::engine::mysql::probe::probe_keys::{self, join_truncated};
use crate::engine::mysql::session::server_settings::{self, INVISIBLE_KEYS, STANDARD_KEYS, SessionUse};
use crate::engine::mysql::sql::content::{fact, names};
use crate::engine::mysql::sql::gate::CHARACTER_SET;
use crate::engine::mysql::{collation, hints};
use crate::engine::{
    Clean, Content, EXPORTER, Feature, Flavour, RestoreOptions, Server, TRUST, Version, more_than_its_database, suggest,
};
use crate::error::{Error, Kind, Result};
use crate::hint::{self, Hint};

/// Everything that forbids this restore; warnings come back.
pub(crate) fn check(server: &Server, content: &Content, options: &RestoreOptions) -> Result<Vec<String>> {
    usage(content, options)?;
    let mut warnings: Vec<_> = stopped(server, content, options)?.into_iter().collect();
    check_target_state(server, content, options)?;
    check_content(server, content, options)?;
    warnings.extend(triggers::check(server, content, options)?);
    warnings.extend(beforehand::warning(server, options));
    warnings.extend(blind(server));
    warnings.extend(own_name::warning(server, content, options));
    warnings.extend(late_times(server, content, options));
    warnings.extend((options.clean == Some(Clean::Objects)).then(|| remaining_objects(server, content)).flatten());
    warnings.extend(check_cross_flavour(server, content, options)?);
    dependencies::check(server, content)?;
    beforehand::check(server, content, options)?;
    warnings.extend(beforehand::uncompressed_warning(server, content, options));
    warnings.extend(collation::unused(content, &options.map_collations));
    warnings
        .extend(collation::padding(&options.map_collations, &server.target.collations).iter().map(ToString::to_string));
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

/// A server tells an anonymous account of no session without PROCESS, not even of its own.
fn blind(server: &Server) -> Option<String> {
    let what = "the account is anonymous and may not see its own sessions: a statement that takes longer than --idle-timeout \
                is taken for silence (a longer --idle-timeout, or GRANT PROCESS)";
    (server.user.starts_with('@') && !probe_keys::granted(server, "process")).then(|| what.to_owned())
}

/// MariaDB 11.5 and later keep points in time up to 2106. Others make zeros of those after 2038, without an error.
fn late_times(server: &Server, content: &Content, options: &RestoreOptions) -> Option<String> {
    let keeps = |flavour, version| flavour == Flavour::MARIADB && version >= Version::new(11, 5, 0);
    let source = content.source_version.as_deref().and_then(Version::parse)?;
    let columns: Vec<&str> = names(content, fact::TIMESTAMPS)
        .into_iter()
        .filter(|column| {
            options.tables.is_empty() || options.tables.iter().any(|table| is_member(column, without_database(table)))
        })
        .collect();
    let may_lose =
        keeps(content.source_flavour?, source) && !keeps(server.flavour, server.version) && !options.schema_only;
    let text = || {
        format!("the target makes zeros of times after 2038-01-19 in TIMESTAMP columns: {}", join_truncated(&columns))
    };
    (may_lose && !columns.is_empty()).then(text)
}

/// What `--clean objects` leaves: the dump drops no more than it brings. Triggers go with their tables.
fn remaining_objects(server: &Server, content: &Content) -> Option<String> {
    let lists = [fact::VIEWS, fact::ROUTINES, fact::EVENTS, fact::SEQUENCES];
    let mut brought: BTreeSet<&str> = lists.iter().flat_map(|list| names(content, list)).collect();
    brought.extend(content.tables.iter().map(|table| table.name.as_str()));
    let named = server.target.objects.iter().filter_map(|object| object.split_once(' '));
    let stays = named.filter(|(kind, name)| *kind != "trigger" && !brought.contains(name));
    let stays: Vec<_> = stays.map(|(_, name)| name).collect();
    let text = || {
        format!(
            "the dump does not bring, and so the target keeps: {} (--clean schema drops all)",
            join_truncated(&stays)
        )
    };
    (!stays.is_empty()).then(text)
}

/// Options that make no sense with this dump.
fn usage(content: &Content, options: &RestoreOptions) -> Result<()> {
    let wrong = |what: &str, hint: Hint| Err(Error::new(Kind::Usage, what).hint(hint));
    if !options.exclude_extensions.is_empty() {
        return wrong("--exclude-extension: MySQL has no extensions", Hint::new("leave-it-out", "leave it out"));
    }
    if options.resume && options.with_dependencies {
        return wrong(
            "--resume and --with-dependencies exclude each other",
            Hint::new("name-all-tables", "name all tables with --table"),
        );
    }
    if options.schema_only && options.data_only {
        return wrong("--schema-only and --data-only exclude each other", hint::GIVE_ONE);
    }
    if let Some(schema) = options.schemas.first() {
        return wrong(
            &format!("--schema {schema}: MySQL has no schemas inside of a database"),
            Hint::new(
                "tables-by-option-database-in-uri",
                "name tables with --table, and the target database in the URI",
            ),
        );
    }
    let views = names(content, fact::VIEWS);
    let tables = || content.entries.iter().map(|e| e.tag.as_str());
    for (flag, names) in [("--table", &options.tables), ("--exclude-table-data", &options.exclude_table_data)] {
        for wanted in names {
            if !tables().any(|name| name == without_database(wanted)) {
                let known = tables().filter(|name| flag == "--table" || !views.contains(name)).map(str::to_owned);
                let close = suggest(without_database(wanted), known);
                let hint = if close.is_empty() {
                    Hint::new("names-stand-in-inspect", "names are literal: dbhaul inspect lists them")
                } else {
                    hint::suggest(&close)
                };
                return wrong(&format!("{flag} {wanted}: the dump has no such table"), hint);
            }
        }
    }
    Ok(())
}

/// A dump of one database is SQL for that database, and nothing else. What is let through as `--trust` says comes back.
fn stopped(server: &Server, content: &Content, options: &RestoreOptions) -> Result<Option<String>> {
    let mut found: Vec<String> = names(content, fact::STOPPED).into_iter().map(str::to_owned).collect();
    let elsewhere = names(content, fact::ELSEWHERE).into_iter().filter_map(|line| line.split_once(": "));
    let elsewhere = elsewhere.filter(|(database, _)| *database != server.database);
    let count = content.facts.get(fact::STOPPED_COUNT).and_then(|count| count.parse().ok()).unwrap_or(0_usize);
    found.extend(elsewhere.map(|(database, place)| format!("{place} (it is for the database {database})")));
    let count = count.max(found.len());
    if count == 0 {
        return Ok(None);
    }
    let what = more_than_its_database(&count.to_string());
    if found.iter().any(|place| place.contains(CHARACTER_SET)) {
        let what =
            "the dump is written in a character set that hides where strings end (big5, cp932, gbk, gb18030, sjis)";
        let error = found.into_iter().fold(refused(what), Error::why);
        return Err(
            error.why("a dump made with --default-character-set=utf8mb4 is read; the mysql client loads this one")
        );
    }
    if let Some(why) = options.lets_through() {
        return Ok(Some(format!("{what}, let through {why}: {}", found.join("; "))));
    }
    let updates = content.facts.get(EXPORTER).is_some_and(|program| program == "phpMyAdmin")
        && found.iter().any(|place| place.contains(": UPDATE "));
    let error = found.into_iter().fold(refused(what), Error::why);
    if updates {
        let why = "it is an export of phpMyAdmin's of the type UPDATE: it changes rows that are there already, and makes none";
        return Err(error.why(why).hint(Hint::new(
            "export-as-insert",
            "export again with INSERT as the function to use when dumping data: no row is in a new database to be updated",
        )));
    }
    Err(error.hint(TRUST))
}

/// `database.table` and `table` mean the same: a dump holds one database.
pub(crate) fn without_database(table: &str) -> &str {
    table.rsplit_once('.').map_or(table, |(_, name)| name)
}

/// Whether the target is there, empty, and lets itself be written to.
fn check_target_state(server: &Server, content: &Content, options: &RestoreOptions) -> Result<()> {
    let target = &server.target;
    let refuse = |what: String, hint: Hint| Err(refused(what).hint(hint));
    if server.read_only || server.replica {
        let what = if server.replica { "a replica" } else { "read-only" };
        return refuse(format!("the target is {what}"), hints::THE_PRIMARY);
    }
    if !target.exists && !options.create {
        return refuse(format!("the database {:?} does not exist", server.database), hint::CREATE);
    }
    if options.data_only && !options.into_non_empty {
        return refuse(
            "--data-only fills tables that are there already".into(),
            Hint::new("into-non-empty", "--into-non-empty says that this is meant"),
        );
    }
    let kept = options.clean.is_none() && !options.into_non_empty && !options.resume;
    if target.object_count > 0 && kept && !dependencies::is_prepared(server, content) {
        return refuse(
            format!("the target is not empty: {}", contents(server)),
            Hint::new(
                "clean-schema-beside-or-resume",
                "--clean schema drops them first; --into-non-empty restores beside them; --resume goes on after a restore of \
             this dump that failed",
            ),
        );
    }
    if !target.lacks.is_empty() {
        let error = target.lacks.iter().fold(refused("the user may not restore there"), Error::why);
        return Err(error.hint(hints::grant_all(server)));
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
    let mut shown = join_truncated(&list);
    if count > list.len() as u64 && !shown.ends_with("...") {
        shown += ", ...";
    }
    format!("{count} {noun}{plural} in database {:?} ({shown})", server.database)
}

fn refused(what: impl Into<String>) -> Error {
    Error::new(Kind::Refused, what)
}

/// Whether the target can take what the dump holds.
fn check_content(server: &Server, content: &Content, options: &RestoreOptions) -> Result<()> {
    let refuse = |what: String, hint: Hint| Err(refused(what).hint(hint));
    let databases = names(content, fact::DATABASES);
    if databases.len() > 1 {
        return refuse(
            format!(
                "the dump holds {} databases ({}), and a restore goes into one",
                databases.len(),
                join_truncated(&databases)
            ),
            Hint::new("a-dump-of-each", "make a dump of each, or load it by hand with the mysql client"),
        );
    }
    collation::check(server, content, &options.map_collations)?;
    let packet = probe_keys::number(server, probe_keys::PACKET);
    if packet > 0 && content.longest_statement >= packet && !options.schema_only {
        return refuse(
            format!("the longest statement has {} bytes, and the server takes {packet}", content.longest_statement),
            hints::LARGER_PACKET,
        );
    }
    structure(server, content, options)
}

/// What the target refuses. What it would only lose comes back as warnings.
fn check_cross_flavour(server: &Server, content: &Content, options: &RestoreOptions) -> Result<Vec<String>> {
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
        let places = |places: &[String]| join_truncated(&places.iter().map(String::as_str).collect::<Vec<_>>());
        let those = judged.iter().filter(|((verdict, _), _)| *verdict == of);
        those.map(|((_, name), all)| format!("{name}: {}", places(all))).collect()
    };
    let never = told(Verdict::Refused);
    if !never.is_empty() {
        let error = never.iter().fold(refused(format!("{target} does not take all that the dump holds")), Error::why);
        return Err(error.hint(Hint::new(
            "older-target-or-change-source",
            "restore into the flavour and version that the dump comes from, change that at the source and dump again, \
             or restore the other tables with --table",
        )));
    }
    let without = |line: String| format!("{target} does not know it, and goes on without: {line}");
    Ok(told(Verdict::Lost).into_iter().map(without).collect())
}

/// Whether a feature's object is restored.
fn comes_in(feature: &Feature, options: &RestoreOptions) -> bool {
    let tables = &options.tables;
    let object = feature.object.as_str();
    let named = |table: &String| object == without_database(table) || is_member(object, without_database(table));
    tables.is_empty() || ["table", "view", "sequence"].contains(&feature.kind.as_str()) && tables.iter().any(named)
}

/// What the target demands of tables, routines and triggers.
fn structure(server: &Server, content: &Content, options: &RestoreOptions) -> Result<()> {
    let refuse = |what: String, hint: Hint| Err(refused(what).hint(hint));
    let wanted: BTreeSet<&str> = options.tables.iter().map(|t| without_database(t)).collect();
    let mut generated = names(content, fact::GENERATED);
    generated.retain(|column| {
        has_rows(content, column) && (wanted.is_empty() || wanted.iter().any(|w| is_member(column, w)))
    });
    if content.source_flavour == Some(Flavour::MARIADB)
        && server.flavour == Flavour::MYSQL
        && !generated.is_empty()
        && !options.schema_only
    {
        return refuse(
            format!(
                "MariaDB's dump has values for generated columns, which MySQL refuses: {}",
                join_truncated(&generated)
            ),
            hints::INTO_MARIADB,
        );
    }
    if options.data_only {
        return Ok(());
    }
    let mut keyless = names(content, fact::NO_PRIMARY_KEY);
    keyless.retain(|table| wanted.is_empty() || wanted.contains(table));
    if let Some(demand) =
        probe_keys::PRIMARY_KEY.iter().find(|name| probe_keys::on(server, name) && !keyless.is_empty())
    {
        return refuse(
            format!(
                "the target demands primary keys, and the dump has tables without one: {}",
                join_truncated(&keyless)
            ),
            Hint::naming(
                "no-demand-for-keys",
                format!("SET GLOBAL {demand} = OFF on the target, or give them a key at the source"),
            ),
        );
    }
    keys(server, content, &wanted)?;
    let mut logged = names(content, fact::TRIGGERS);
    logged.extend(names(content, fact::FUNCTIONS));
    let trusted = !probe_keys::on(server, "log_bin") || probe_keys::on(server, "log_bin_trust_function_creators");
    if !trusted && !probe_keys::granted(server, "super") && !logged.is_empty() && wanted.is_empty() {
        return refuse(
            format!("the target's binary log refuses functions and triggers of this user: {}", join_truncated(&logged)),
            hints::TRUST_CREATORS,
        );
    }
    rights(server, content, &wanted)
}

/// What the target makes of keys, where this user may not turn that off in a session.
fn keys(server: &Server, content: &Content, wanted: &BTreeSet<&str>) -> Result<()> {
    let refuse = |what: String, mends: &str| Err(refused(what).hint(hints::mends_or_admin(mends)));
    let comes = |table: &str| wanted.is_empty() || wanted.contains(table);
    if let Some((_, mends)) = server_settings::stays(server, INVISIBLE_KEYS, SessionUse::Load) {
        let mut counted = names(content, fact::COUNTED_WITHOUT_PRIMARY_KEY);
        counted.retain(|table| comes(table));
        if !counted.is_empty() {
            let what = "the target adds invisible primary keys, and refuses them beside a column that counts (4109)";
            return refuse(format!("{what}: {} ({INVISIBLE_KEYS})", join_truncated(&counted)), &mends);
        }
    }
    if let Some((_, mends)) = server_settings::stays(server, STANDARD_KEYS, SessionUse::Load) {
        let mut keys = names(content, fact::FOREIGN_NOT_UNIQUE);
        keys.retain(|key| wanted.is_empty() || wanted.iter().any(|table| is_member(key, table)));
        if !keys.is_empty() {
            let what = "the target takes no foreign key that points at no whole unique key (6125)";
            return refuse(format!("{what}: {} ({STANDARD_KEYS})", join_truncated(&keys)), &mends);
        }
    }
    Ok(())
}

/// Whether `users.full name` is a column of this table.
pub(crate) fn is_member(column: &str, table: &str) -> bool {
    column.strip_prefix(table).is_some_and(|rest| rest.starts_with('.'))
}

/// A table whose rows were not counted may have some.
fn has_rows(content: &Content, column: &str) -> bool {
    content.tables.iter().any(|t| t.rows != Some(0) && is_member(column, &t.name))
}

/// Rights that only some dumps need.
fn rights(server: &Server, content: &Content, wanted: &BTreeSet<&str>) -> Result<()> {
    let needs = [
        (fact::VIEWS, "create view", "views"),
        (fact::TRIGGERS, "trigger", "triggers"),
        (fact::ROUTINES, "create routine", "routines"),
        // A dump drops each before it makes it, and that wants this right, whether there is one or not.
        (fact::ROUTINES, "alter routine", "routines"),
        (fact::EVENTS, "event", "events"),
    ];
    let lacking: Vec<_> = needs
        .iter()
        .filter(|(list, ..)| wanted.is_empty() && !names(content, list).is_empty())
        .filter(|(_, right, _)| server.settings.contains_key("grants") && !probe_keys::granted(server, right))
        .collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let details: Vec<_> = lacking
        .iter()
        .map(|(list, right, what)| {
            format!("{what} need {}: {}", right.to_uppercase(), join_truncated(&names(content, list)))
        })
        .collect();
    let error = details.iter().fold(refused("the user may not create all that the dump holds"), Error::why);
    Err(error.hint(Hint::naming(
        "grant-all-or-some-tables",
        format!("GRANT ALL ON `{}`.* TO the user, or restore some tables with --table", server.database),
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Inspector;
    use crate::engine::mysql::sql::content::Reader;
    use crate::engine::mysql::test_fixtures::{server, strings};

    fn content(dump: &str) -> Content {
        let mut reader = Box::new(Reader::new());
        reader.see(dump.as_bytes());
        reader.finish().expect("complete")
    }

    fn options() -> RestoreOptions {
        RestoreOptions::default()
    }

    const MARIADB: &str = include_str!("../../../../fixtures/dumps/mariadb-10.11.19.sql");

    #[test]
    fn refusals_name_what_was_found() {
        let dump = content(MARIADB);
        let maria = server(Flavour::MARIADB, Version::new(10, 11, 19));
        let mysql = server(Flavour::MYSQL, Version::new(9, 7, 4));
        assert_eq!(check(&maria, &dump, &options()).expect("fits"), Vec::<String>::new());
        let mut all = String::new();
        let refused = |server: &Server| {
            let error = check(server, &dump, &options()).expect_err("refused");
            assert_eq!(error.kind, Kind::Refused);
            format!("{error}\nhint: {}\n", hint::texts(&error.hints).join("\nhint: "))
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
        hint: restore into MariaDB, or only the structure with --schema-only
        the database "shop" does not exist
        hint: --create makes it
        the target is not empty: 12 tables in database "shop" (users, orders, ...)
        hint: --clean schema drops them first; --into-non-empty restores beside them; --resume goes on after a restore of this dump that failed
        the target is not empty: 1 object in database "shop" (view v)
        hint: --clean schema drops them first; --into-non-empty restores beside them; --resume goes on after a restore of this dump that failed
        the target is a replica
        hint: name the primary in the URI
        MariaDB 10.11.19 does not know the collation latin1_german1_ci
        hint: restore into the flavour and version that the dump comes from, or a newer one
        the longest statement has 394 bytes, and the server takes 256
        hint: raise the target's max_allowed_packet (SET GLOBAL max_allowed_packet = 1073741824)
        the target demands primary keys, and the dump has tables without one: we`ird; na(me
        hint: SET GLOBAL sql_require_primary_key = OFF on the target, or give them a key at the source
        the target's binary log refuses functions and triggers of this user: trg, fn
        hint: SET GLOBAL log_bin_trust_function_creators = 1 on the target, or restore as a user with SUPER
        the user may not create all that the dump holds
          views need CREATE VIEW: v, v2
          triggers need TRIGGER: trg
          routines need CREATE ROUTINE: fn, proc
          routines need ALTER ROUTINE: fn, proc
          events need EVENT: ev
        hint: GRANT ALL ON `shop`.* TO the user, or restore some tables with --table
        the user may not restore there
          CREATE is missing
        hint: GRANT ALL ON `shop`.* TO the user
        "#);
        let mut full = maria;
        changes[2](&mut full);
        assert!(check(&full, &dump, &RestoreOptions { clean: Some(Clean::Schema), ..options() }).is_ok());
        assert!(check(&full, &dump, &RestoreOptions { into_non_empty: true, ..options() }).is_ok());
        assert!(check(&mysql, &dump, &RestoreOptions { schema_only: true, ..options() }).is_ok());
    }

    #[test]
    fn times_after_2038_are_told_where_the_target_has_none() {
        let dump = |from: &str| {
            content(&format!(
                "-- MariaDB dump 10.19  Distrib {from}-MariaDB\n-- Server version\t{from}-MariaDB\n\
                 CREATE TABLE `t` (`a` timestamp NULL, `b` datetime, PRIMARY KEY (`a`));\n-- Dump completed\n"
            ))
        };
        let told = |from: &str, server: &Server| {
            let warnings = check(server, &dump(from), &options()).expect("fits");
            warnings.iter().any(|warning| warning.contains("2038-01-19") && warning.ends_with("t.a"))
        };
        let (older, newer) = (Version::new(10, 11, 19), Version::new(11, 8, 6));
        assert!(
            told("11.8.6", &server(Flavour::MARIADB, older))
                && told("11.8.6", &server(Flavour::MYSQL, Version::new(9, 7, 4)))
        );
        assert!(
            !told("11.8.6", &server(Flavour::MARIADB, newer)) && !told("10.11.19", &server(Flavour::MARIADB, older))
        );
    }

    #[test]
    fn options_that_make_no_sense_are_usage_errors() {
        let (dump, server) = (content(MARIADB), server(Flavour::MARIADB, Version::new(10, 11, 19)));
        for wrong in [
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
