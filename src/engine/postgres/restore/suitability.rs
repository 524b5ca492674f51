//! Whether a dump and a target go together: everything that forbids a restore, found before anything is touched.

use std::collections::BTreeMap;

use super::restore_filter::select;
use super::target::lines;
use super::{clean, default_privileges, dependents, extensions, replace, triggers};
use crate::engine::postgres::dump::dependencies;
use crate::engine::postgres::features;
use crate::engine::postgres::format::content::{COMMAND, CONNECTS};
use crate::engine::postgres::format::untrusted;
use crate::engine::postgres::session::{pinned_settings, pooler};
use crate::engine::postgres::sql::gate::{STOPPED, STOPPED_COUNT};
use crate::engine::{
    Clean, Content, Feature, Format, RestoreOptions, Server, TRUST, Target, Version, more_than_its_database,
};
use crate::error::{Error, Kind, Result};
use crate::hint::{self, Hint};

/// Refuses `--resume`, which no client of PostgreSQL can do.
pub fn check_resume() -> Result<()> {
    let what = "--resume is for MySQL and MariaDB: pg_restore can't go on from where it ended";
    Err(Error::new(Kind::Usage, what).hint(Hint::new(
        "restore-from-the-beginning",
        "restore again from the beginning, with --clean schema if the target is not empty: without --jobs a failed restore left nothing",
    )))
}

/// Refuses what can't work or would do harm. Warnings come back.
pub fn check(server: &Server, content: &Content, options: &RestoreOptions) -> Result<Vec<String>> {
    chosen(content, options)?;
    writable(server)?;
    pooling(server)?;
    let mut told: Vec<_> = stopped(content, options)?.into_iter().collect();
    told.extend(unconfined(content, options)?);
    plain(content, options)?;
    if !options.map_collations.is_empty() {
        return Err(Error::new(Kind::Usage, "--map-collation is for MySQL and MariaDB").hint(Hint::new(
            "create-missing-collation",
            "PostgreSQL: CREATE COLLATION pg_catalog.\"...\" FROM another one makes a missing name known",
        )));
    }
    sessions(server, options)?;
    // A database that is made anew is empty, and ours.
    if exists(server, options)? && !replaced(server, options)? {
        // An empty target holds nothing but what is needed, and no table for rows alone.
        if options.data_only || !dependencies::is_prepared(server, content) {
            emptiness(&server.target, options)?;
        }
        rights(server, content, options)?;
        if options.clean == Some(Clean::Schema) {
            clean::check(server, content, options)?;
        }
        told.extend(dependents::check(server, content, options)?);
        told.extend(extensions::check_schemas(server, content, options)?);
    }
    triggers::check(server, content, options)?;
    told.extend(triggers::warning(server, content, options));
    pinned_settings::check(server, content, options)?;
    extensions::check(server, content, options)?;
    check_cross_version(server, content, options)?;
    dependencies::check(server, content)?;
    told.extend(warnings(server, content, options));
    told.extend(default_privileges::warning(server, content, options));
    told.extend(replace::warnings(server));
    Ok(told)
}

pub fn refused(what: impl Into<String>) -> Error {
    Error::new(Kind::Refused, what)
}

/// Names that match nothing are told before anything else.
fn chosen(content: &Content, options: &RestoreOptions) -> Result<()> {
    if options.selects() { select(&content.entries, options).map(drop) } else { Ok(()) }
}

fn writable(server: &Server) -> Result<()> {
    if server.replica || server.read_only {
        return Err(refused("the target is a standby: it takes no writes")
            .hint(Hint::new("restore-into-primary", "restore into its primary")));
    }
    Ok(())
}

fn pooling(server: &Server) -> Result<()> {
    match &server.pooler {
        Some(name) if server.settings.get(pooler::POOLING).is_some_and(|how| how == pooler::BY_TRANSACTION) => {
            Err(refused(pooler::refusal(name)).hint(pooler::WAY_OUT))
        }
        _ => Ok(()),
    }
}

/// A dump of one database is SQL for that database, and nothing else. What is let through as `--trust` says comes back.
fn stopped(content: &Content, options: &RestoreOptions) -> Result<Option<String>> {
    if let Some(command) = content.facts.get(CONNECTS) {
        return Err(refused("the dump goes to another database in its middle, and a restore goes into one")
            .why(command)
            .why("no dump of one database has a \\connect behind its first statement, and --trust sends none"));
    }
    if let Some(command) = content.facts.get(COMMAND).filter(|_| !options.trust) {
        return Err(refused("the dump holds a psql command that a dump of one database never holds")
            .why(command)
            .hint(Hint::new(
                "dump-again-without-command",
                "psql would obey it, also where it leaves the target's database: dump again without it",
            ))
            .hint(TRUST));
    }
    let (Some(found), Some(count)) = (content.facts.get(STOPPED), content.facts.get(STOPPED_COUNT)) else {
        return Ok(None);
    };
    let what = more_than_its_database(count);
    if let Some(why) = options.lets_through() {
        return Ok(Some(format!("{what}, let through {why}: {}", found.replace('\0', "; "))));
    }
    Err(found.split('\0').fold(refused(what), Error::why).hint(TRUST))
}

/// Functions that reach whatever the server's own account reaches: refused where that is asked for, said else.
fn unconfined(content: &Content, options: &RestoreOptions) -> Result<Option<String>> {
    let Some((named, count)) = untrusted::named(content) else { return Ok(None) };
    let what = format!("the dump makes functions or languages that the server does not confine: {count}");
    if options.refuse_untrusted {
        let hint = Hint::new("without-refuse-untrusted", "without --refuse-untrusted they come along: read them first");
        return Err(named.into_iter().fold(refused(what), Error::why).hint(hint));
    }
    Ok(Some(format!("{what}: {}", named.join("; "))))
}

/// Plain SQL is a script: it can only be run as a whole.
fn plain(content: &Content, options: &RestoreOptions) -> Result<()> {
    if content.format != Format::PG_PLAIN {
        return Ok(());
    }
    if options.clean == Some(Clean::Objects) {
        return Err(refused("a plain dump can't tell what it brings, so --clean objects can't drop it")
            .hint(Hint::new("clean-schema-for-plain", "--clean schema empties the database first")));
    }
    if options.schema_only || options.data_only || !options.exclude_extensions.is_empty() || options.jobs > 1 {
        return Err(refused("a plain dump is restored by one session, structure and rows together").hint(Hint::new(
            "custom-format-for-options",
            "--schema-only, --data-only, --exclude-extension and --jobs work with the custom format",
        )));
    }
    Ok(())
}

fn sessions(server: &Server, options: &RestoreOptions) -> Result<()> {
    if options.jobs < 2 {
        return Ok(());
    }
    if let Some(pooler) = &server.pooler {
        return Err(refused(format!("{pooler} answers in the server's name, and may hang with several jobs"))
            .hint(Hint::new("itself-or-no-jobs", "connect to the server itself, or leave --jobs out")));
    }
    match server.connections_left {
        Some(left) if left <= u64::from(options.jobs) => {
            Err(refused(format!("{} jobs need {} connections, {left} are left", options.jobs, options.jobs + 1))
                .hint(Hint::naming("fewer-jobs", format!("--jobs {} or fewer", left.saturating_sub(1).max(1)))))
        }
        _ => Ok(()),
    }
}

fn exists(server: &Server, options: &RestoreOptions) -> Result<bool> {
    if server.target.exists {
        return Ok(true);
    }
    let name = &server.database;
    if !options.create {
        return Err(refused(format!("database \"{name}\" does not exist")).hint(hint::CREATE));
    }
    if server.settings.get("createdb").is_some_and(|v| v == "false") {
        return Err(refused(format!("{} may not create database \"{name}\"", server.user)).hint(Hint::naming(
            "have-database-created",
            format!("have it created: CREATE DATABASE \"{name}\" OWNER \"{}\"", server.user),
        )));
    }
    Ok(false)
}

/// Whether the database is dropped and made again, and may be.
fn replaced(server: &Server, options: &RestoreOptions) -> Result<bool> {
    if options.clean != Some(Clean::Database) {
        return Ok(false);
    }
    let may_create = server.settings.get("createdb").is_none_or(|v| v == "true");
    if server.standing == "reader" || !may_create {
        return Err(refused(format!("{} may not drop and create database \"{}\"", server.user, server.database))
            .hint(hint::CLEAN_SCHEMA_INSTEAD));
    }
    if options.data_only {
        return Err(refused("--clean drops the tables that --data-only is to fill"));
    }
    replace::check(server)?;
    Ok(true)
}

fn emptiness(target: &Target, options: &RestoreOptions) -> Result<()> {
    if options.data_only {
        return match (target.object_count, options.clean, options.into_non_empty) {
            (0, ..) => Err(refused("--data-only fills tables, and the target has none")
                .hint(Hint::new("schema-first", "restore without --data-only, or first with --schema-only"))),
            (_, Some(_), _) => Err(refused("--clean drops the tables that --data-only is to fill")),
            (_, None, false) => Err(refused(format!("the target is not empty: {}", holdings(target))).hint(Hint::new(
                "data-only-into-non-empty",
                "--data-only adds rows to tables that are there: --into-non-empty says that this is meant",
            ))),
            _ => Ok(()),
        };
    }
    if target.object_count == 0 || options.clean.is_some() || options.into_non_empty {
        return Ok(());
    }
    Err(refused(format!("the target is not empty: {}", holdings(target))).hint(Hint::new(
        "clean-schema-or-beside",
        "--clean schema drops them first; --into-non-empty restores beside them",
    )))
}

/// `12 tables in schema "public" (users, orders, ...)`.
fn holdings(target: &Target) -> String {
    let tables: Vec<(&str, &str)> =
        target.objects.iter().filter_map(|o| o.strip_prefix("table ")?.split_once('.')).collect();
    let all_known = target.objects.len() as u64 == target.object_count;
    let Some((schema, _)) = tables.first().filter(|(s, _)| all_known && tables.iter().all(|(other, _)| other == s))
    else {
        return format!(
            "{} ({})",
            count(target.object_count, "object"),
            join_truncated(target.objects.iter().map(String::as_str))
        );
    };
    let names = join_truncated(tables.iter().map(|(_, name)| *name));
    let mut text = format!("{} in schema \"{schema}\" ({names})", count(tables.len() as u64, "table"));
    let others = target.object_count - tables.len() as u64;
    if others > 0 {
        text = format!("{text} and {}", count(others, "other object"));
    }
    text
}

fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

pub fn join_truncated<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.collect();
    let more = if names.len() > 3 { ", ..." } else { "" };
    format!("{}{more}", names[..names.len().min(3)].join(", "))
}

/// What the user lacks matters only where the dump needs it.
fn rights(server: &Server, content: &Content, options: &RestoreOptions) -> Result<()> {
    let there: Vec<&str> = lines(server, "schemas");
    let public = content.tables.iter().any(|t| t.schema.as_deref() == Some("public"))
        || content.entries.iter().any(|e| e.schema.as_deref() == Some("public"));
    let schemas = content.schemas.iter().any(|s| !there.contains(&s.as_str()));
    for lack in server.target.lacks.iter().filter(|_| !options.data_only) {
        let (needed, grant) = if lack.contains("schema \"public\"") {
            (public, format!("GRANT CREATE ON SCHEMA public TO \"{}\"", server.user))
        } else {
            (schemas, format!("GRANT CREATE ON DATABASE \"{}\" TO \"{}\"", server.database, server.user))
        };
        if needed {
            return Err(refused(lack).hint(Hint::naming("have-owner-grant", format!("have the owner say: {grant}"))));
        }
    }
    Ok(())
}

/// What the target does not know.
fn check_cross_version(server: &Server, content: &Content, options: &RestoreOptions) -> Result<()> {
    if options.data_only {
        return Ok(());
    }
    let mut unknown: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for feature in content.features.iter().filter(|feature| comes_in(feature, content, options)) {
        if let Some(what) = features::unknown(&feature.name, server) {
            unknown.entry(what).or_default().push(feature.place());
        }
    }
    if !unknown.is_empty() {
        let what = format!("PostgreSQL {} does not know all that the dump holds", server.version);
        let error = unknown.iter().fold(Error::new(Kind::Refused, what), |error, (what, places)| {
            error.why(format!("{what}: {}", join_truncated(places.iter().map(String::as_str))))
        });
        return Err(error.hint(Hint::new(
            "newer-server-or-change-source",
            "restore into a newer server, or change that at the source and dump again",
        )));
    }
    let known = &server.target.collations;
    let missing: Vec<_> = content.collations.iter().filter(|name| !known.contains(name)).map(String::as_str).collect();
    if known.is_empty() || missing.is_empty() || options.selects() {
        return Ok(());
    }
    Err(refused(format!("the target does not know the collation {}", join_truncated(missing.into_iter()))).hint(
        Hint::new(
            "import-collations",
            "have the locale installed on the target's machine, and then: SELECT \
         pg_import_system_collations('pg_catalog')",
        ),
    ))
}

/// Whether a feature's entry is restored.
fn comes_in(feature: &Feature, content: &Content, options: &RestoreOptions) -> bool {
    let granted = !feature.kind.ends_with("ACL") || options.keep_privileges || content.format == Format::PG_PLAIN;
    let named = |table: &String| feature.object == *table || feature.object.ends_with(&format!(".{table}"));
    let of_schema = |schema: &String| feature.object.starts_with(&format!("{schema}."));
    granted
        && (options.tables.is_empty() || options.tables.iter().any(named))
        && (options.schemas.is_empty() || options.schemas.iter().any(of_schema))
}

fn warnings(server: &Server, content: &Content, options: &RestoreOptions) -> Vec<String> {
    let mut warnings = Vec::new();
    let source = content.source_version.as_deref().and_then(Version::parse);
    if let Some(source) = source.filter(|s| s.major > server.version.major) {
        warnings.push(format!(
            "the dump is of PostgreSQL {source}, the target is {}: what the older server does not know will fail",
            server.version
        ));
    }
    if options.clean == Some(Clean::Objects) && server.target.object_count > 0 {
        warnings.push("--clean objects drops what the archive brings; other objects of the target stay".into());
    }
    if server.pooler.is_some() {
        warnings.push("a pooler stands between: session settings of the restore may not hold".into());
    }
    warnings.extend(pinned_settings::warn_of_money(server, content));
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::postgres::test_fixtures;

    fn filled(objects: &[&str]) -> Server {
        let mut server = test_fixtures::server(15);
        server.target.objects = objects.iter().map(ToString::to_string).collect();
        server.target.object_count = objects.len() as u64;
        server
    }

    fn refusal(server: &Server, content: &Content, options: &RestoreOptions) -> String {
        let error = check(server, content, options).expect_err("refused");
        assert_eq!(error.kind, Kind::Refused);
        error.what
    }

    #[test]
    fn a_target_that_is_not_empty_is_refused_with_what_it_holds() {
        let table = |objects: &[&str]| {
            refusal(&filled(objects), &test_fixtures::content("1.14"), &test_fixtures::restore_options())
        };
        let four = ["table public.a", "table public.b", "table public.c", "table public.d"];
        insta::assert_snapshot!(table(&four), @r#"the target is not empty: 4 tables in schema "public" (a, b, c, ...)"#);
        insta::assert_snapshot!(table(&["table public.a", "view public.v"]), @r#"the target is not empty: 1 table in schema "public" (a) and 1 other object"#);
        insta::assert_snapshot!(table(&["table x.a", "table public.a"]), @r#"the target is not empty: 2 objects (table x.a, table public.a)"#);
        insta::assert_snapshot!(table(&["schema only"]), @r#"the target is not empty: 1 object (schema only)"#);
        let mut forced = test_fixtures::restore_options();
        forced.into_non_empty = true;
        assert!(check(&filled(&four), &test_fixtures::content("1.14"), &forced).is_ok());
    }

    #[test]
    fn a_database_that_is_missing_needs_create() {
        let mut server = test_fixtures::server(15);
        server.target.exists = false;
        let mut options = test_fixtures::restore_options();
        assert_eq!(refusal(&server, &test_fixtures::content("1.14"), &options), "database \"shop\" does not exist");
        options.create = true;
        assert!(check(&server, &test_fixtures::content("1.14"), &options).is_ok());
        server.settings.insert("createdb".into(), "false".into());
        refusal(&server, &test_fixtures::content("1.14"), &options);
    }

    #[test]
    fn what_the_target_can_not_take_is_refused() {
        let options = test_fixtures::restore_options();
        let mut content = test_fixtures::content("1.14");
        content.extensions = vec!["postgis".into()];
        let mut server = test_fixtures::server(15);
        assert!(refusal(&server, &content, &options).contains("is not available"));
        server.settings.insert("extensions.available".into(), "hstore\npostgis".into());
        assert!(refusal(&server, &content, &options).contains("superuser"));
        server.target.extensions = vec!["postgis".into()];
        assert!(check(&server, &content, &options).is_ok());

        server.target.lacks = vec!["app may not create objects in schema \"public\"".into()];
        assert!(check(&server, &content, &options).is_ok(), "nothing goes into public");
        content.tables = vec![crate::engine::DumpedTable {
            schema: Some("public".into()),
            name: "a".into(),
            ..crate::engine::DumpedTable::default()
        }];
        assert!(refusal(&server, &content, &options).contains("public"));
        server.replica = true;
        assert!(refusal(&server, &content, &options).contains("standby"));
    }

    #[test]
    fn several_jobs_need_connections_and_no_pooler() {
        let options = RestoreOptions { jobs: 4, ..test_fixtures::restore_options() };
        let mut server = test_fixtures::server(15);
        server.connections_left = Some(4);
        assert!(refusal(&server, &test_fixtures::content("1.14"), &options).contains("4 are left"));
        server.connections_left = Some(5);
        assert!(check(&server, &test_fixtures::content("1.14"), &options).is_ok());
        server.pooler = Some("PgBouncer".into());
        assert!(refusal(&server, &test_fixtures::content("1.14"), &options).contains("PgBouncer"));
    }

    #[test]
    fn a_plain_dump_is_whole_or_nothing() {
        let mut content = test_fixtures::content("");
        content.format = Format::PG_PLAIN;
        let server = test_fixtures::server(15);
        for options in [
            RestoreOptions { clean: Some(Clean::Objects), ..test_fixtures::restore_options() },
            RestoreOptions { schema_only: true, ..test_fixtures::restore_options() },
            RestoreOptions { data_only: true, ..test_fixtures::restore_options() },
        ] {
            refusal(&server, &content, &options);
        }
        content.facts.insert(COMMAND.into(), "\\! rm".into());
        assert!(refusal(&server, &content, &test_fixtures::restore_options()).contains("psql command"));
    }
}
