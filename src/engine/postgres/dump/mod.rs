//! The whole command line of `pg_dump`.
//!
//! The custom format is written uncompressed: the archive compresses better and on more cores, and dbhaul can then
//! read the rows as they pass. `jobs` divides it among several.

pub(super) mod dependencies;
pub(super) mod extra;
pub(super) mod psql_patterns;

use super::format::encoding::Encoding;
use super::parallel::jobs;
use super::probe::findings::LeftOut;
use super::session::{libpq, pinned_settings};
use crate::connection::{Connection, Limits};
use crate::engine::{
    Client, DumpOptions, DumpPlan, DumpSource, Format, Server, Snapshot, Subject, left_out_by, missing, refuse_missing,
};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;
use crate::invocation::{Arg, Invocation};

/// `pg_dump -Fc --no-owner` writes the owners all the same: they are chosen when the archive is restored.
const KEPT: &str = "pg_dump keeps owners in the custom format; a restore leaves them out unless told to keep them";

/// The one flag that says which rows are dumped, and not which tables.
const ROW_SECURITY: &str = "--enable-row-security";

/// What can be refused without a server.
pub fn check(connection: &Connection, options: &DumpOptions) -> Result<()> {
    extra::check(&options.extra, options.plain)?;
    jobs::check(options)?;
    psql_patterns::check(options, &connection.database)
}

/// Plans a dump.
pub fn plan(
    connection: &Connection,
    server: &Server,
    client: &Client,
    options: &DumpOptions,
    limits: &Limits,
    snapshot: Option<&Snapshot>,
) -> Result<DumpPlan> {
    check(connection, options)?;
    let mut warnings = Vec::new();
    let incomplete = unreadable(server, client, options, &mut warnings)?;
    // Points in time are written in the session's zone: the same rows are to have the same text on every server.
    let mut invocation = Invocation::new(&client.path).env("PGTZ", "UTC");
    let told = pinned_settings::dump_options(server);
    if !told.is_empty() {
        invocation = invocation.env("PGOPTIONS", told.join(" "));
    }
    let mut invocation = libpq::connect(invocation, connection, client.version, limits.connect)?;
    invocation = if options.plain {
        invocation.arg("--format=plain")
    } else {
        invocation.args(["--format=custom", "--compress=0"])
    };
    // Rows and names are written as the database has them, whatever client_encoding the role has. The patterns are read
    // in the same encoding.
    let encoding = extra::encoding(&options.extra).unwrap_or(&server.encoding);
    invocation = invocation.arg(format!("--encoding={encoding}"));
    let said = |arguments| said(encoding, arguments);
    // A little less than our own patience, so that it is pg_dump that says which table was locked.
    let patience = limits.idle.as_millis() * 9 / 10;
    let base = invocation.arg(format!("--lock-wait-timeout={patience}"));
    let everything = base
        .clone()
        .args(said(selection(server, options))?)
        .args(said(added(server))?)
        .args(left_out(options, client, &mut warnings))
        .args(said(incomplete.clone())?)
        .args(said(options.extra.clone())?);
    if client.version.major > server.version.major {
        warnings.push(format!(
            "pg_dump {} dumps a server {}: an archive for pg_restore {} or newer",
            client.version, server.version, client.version.major
        ));
    }
    if !options.plain && options.no_owner {
        warnings.push(KEPT.into());
    }
    warnings.extend(outside_of_selection(server, options));
    warnings.extend(
        server.properties.unreadable.iter().map(|what| format!("the database's {what} is no text: not in the dump")),
    );
    warnings.extend(pinned_settings::dump_warnings(server));
    warnings.extend(crate::engine::warnings(server.selected.as_ref()));
    warnings.extend(extra::leaving_out(&options.extra).map(|argument| left_out_by(argument)));
    let (member, format) =
        if options.plain { ("dump.sql", Format::PG_PLAIN) } else { ("dump.pgsql", Format::PG_CUSTOM) };
    let mut plan = DumpPlan {
        missing: missing(server, |subject| excuses(server, options, subject))
            .into_iter()
            .map(|f| f.what.clone())
            .collect(),
        warnings,
        lc_monetary: pinned_settings::money_of_dump(server),
        ..DumpPlan::new(DumpSource::Client(vec![everything]), member, format, "snapshot")
    };
    let more = incomplete.iter().map(String::as_str).filter(|flag| *flag == ROW_SECURITY).collect::<Vec<_>>();
    if options.split {
        jobs::check_jobs_connections(server, options)?;
        jobs::split_copy(&mut plan, &base, snapshot, options.jobs, &more, Encoding::named(encoding))?;
    } else if let Some(snapshot) = snapshot {
        jobs::split_dump(&mut plan, &base, snapshot, options.jobs, &more, Encoding::named(encoding))?;
    }
    Ok(plan)
}

/// What may not be read makes `pg_dump` fail, minutes or hours later: refused, or left out by these flags.
fn unreadable(
    server: &Server,
    client: &Client,
    options: &DumpOptions,
    warnings: &mut Vec<String>,
) -> Result<Vec<String>> {
    let selected = options.patterns().iter().any(|(_, list)| !list.is_empty());
    let partial = options.schema_only || !options.extra.is_empty() || selected;
    let lacks = missing(server, |subject| excuses(server, options, subject));
    refuse_missing(&lacks, options.allow_incomplete)?;
    if !options.allow_incomplete {
        return Ok(Vec::new());
    }
    let left_out = LeftOut(server);
    let dependents = left_out.dependents();
    if !dependents.is_empty() && !partial {
        let error = Error::new(Kind::Refused, "an incomplete dump could not be restored: nothing was started")
            .why("these need tables that may not be read, and pg_dump has no way to leave them out:");
        return Err(dependents.into_iter().fold(error, Error::why).hint(Hint::new("grant-select-or-drop-dependents", "grant SELECT on the tables (dbhaul doctor names them), or drop what needs them, or leave out the tables that \
             it belongs to with --exclude-table")));
    }
    if !dependents.is_empty() {
        warnings.push(format!(
            "these need tables that are left out, and can't be restored without them: {}",
            dependents.join(", ")
        ));
    }
    Ok(left_out.flags(client.version))
}

/// Whether the options leave out what a finding is about. Of arguments that choose by themselves only `pg_dump` can say.
fn excuses(server: &Server, options: &DumpOptions, subject: &Subject) -> bool {
    let of_some = !(options.schemas.is_empty() && options.tables.is_empty());
    let by_arguments = extra::chooses(&options.extra);
    let selected = server.selected.as_ref();
    match subject {
        Subject::Relation(pattern) => by_arguments || selected.is_some_and(|s| !s.relations.contains(pattern)),
        Subject::Rows(pattern) => {
            options.schema_only || by_arguments || selected.is_some_and(|s| !s.with_rows.contains(pattern))
        }
        // Its definition can be read; what may not be read is left out with all that stands on it.
        Subject::View(pattern) => {
            let by_options = options.patterns()[..4].iter().any(|(_, list)| !list.is_empty());
            let left_out = options.allow_incomplete && selected.is_some_and(|s| s.relations.contains(pattern));
            by_arguments || by_options && !left_out
        }
        // An extension comes whole, or not at all.
        Subject::Configuration => {
            by_arguments || of_some || options.schema_only || !options.exclude_table_data.is_empty()
        }
        Subject::OutsideOfSchemas => by_arguments || of_some || options.data_only,
        Subject::LargeObjects => by_arguments || of_some || options.schema_only,
        _ => false,
    }
}

/// What a selection leaves out without a word: extensions and large objects stand in no schema. Of chosen tables it is
/// known which extensions they need.
fn outside_of_selection(server: &Server, options: &DumpOptions) -> Vec<String> {
    let by = if options.schemas.is_empty() { "--table" } else { "--schema" };
    if options.schemas.is_empty() && options.tables.is_empty() || options.with_dependencies {
        return Vec::new();
    }
    let setting = |name: &str| server.settings.get(name).filter(|text| !text.is_empty());
    let is_known = server.selected.is_some() && !options.tables.is_empty();
    let extensions = setting("extensions.installed")
        .filter(|_| !is_known)
        .map(|names| format!("{by} leaves extensions out, the target must have them: {}", names.replace('\n', ", ")));
    let objects = setting("large_objects").filter(|_| !options.schema_only);
    let objects = objects.map(|count| format!("{by} leaves large objects out: {count} (-- --blobs adds them)"));
    extensions.into_iter().chain(objects).collect()
}

/// Arguments as pg_dump reads them: in the encoding that it writes.
pub fn said(encoding: &str, arguments: Vec<String>) -> Result<Vec<Arg>> {
    let arguments = Encoding::named(encoding).arguments(arguments);
    arguments.map_err(|error| error.why(format!("the dump is written in {encoding}")))
}

/// Patterns are handed on as they are. With all that they need, everything comes but what neither is.
fn selection(server: &Server, options: &DumpOptions) -> Vec<String> {
    let wide = server.selected.as_ref().filter(|_| options.with_dependencies);
    let is_handed_on = |flag: &&str| wide.is_none() || *flag == "exclude-table-data";
    let patterns = options.patterns().into_iter().filter(|(flag, _)| is_handed_on(flag));
    let patterns = patterns.flat_map(|(flag, list)| list.iter().map(move |p| format!("--{flag}={p}")));
    let unneeded = wide.iter().flat_map(|wide| &wide.unneeded).map(|pattern| format!("--exclude-table={pattern}"));
    patterns
        .chain(unneeded)
        .chain(without_catalogs(options))
        .chain(switch(options.schema_only, "--schema-only"))
        .chain(switch(options.data_only, "--data-only"))
        .collect()
}

/// The sequences that chosen tables use come with them.
fn added(server: &Server) -> Vec<String> {
    let added = server.selected.iter().flat_map(|selected| &selected.added);
    added.map(|pattern| format!("--table={pattern}")).collect()
}

/// `--schema=p*` and `--table=*.*` mean `pg_catalog`, too, passwords' hashes included: the server's own schemas are left
/// out, whoever chooses.
fn without_catalogs(options: &DumpOptions) -> Vec<String> {
    if options.schemas.is_empty() && options.tables.is_empty() && options.extra.is_empty() {
        return Vec::new();
    }
    let flags = ["--exclude-schema=^pg_*", "--exclude-schema=information_schema"];
    let of_tables = ["--exclude-table=^pg_*.*", "--exclude-table=information_schema.*"];
    flags.iter().chain(&of_tables).map(|&flag| flag.to_owned()).collect()
}

fn left_out(options: &DumpOptions, client: &Client, warnings: &mut Vec<String>) -> Vec<String> {
    let knows_comments = client.version.major >= 11;
    if options.no_comments && !knows_comments {
        warnings.push(format!("pg_dump {} can't leave comments out: they are in the dump", client.version));
    }
    switch(options.no_owner, "--no-owner")
        .chain(switch(options.no_privileges, "--no-privileges"))
        .chain(switch(options.no_comments && knows_comments, "--no-comments"))
        .collect()
}

fn switch(on: bool, flag: &str) -> impl Iterator<Item = String> {
    on.then(|| flag.to_owned()).into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{Route, TlsMode};
    use crate::engine::postgres::session::libpq::tests::connection;
    use crate::engine::postgres::test_fixtures;
    use crate::engine::{Flavour, Role, Version};

    const RECORDED: [&str; 8] = ["10.3", "12.2", "13.16", "14.2", "15.20", "16.2", "17.11", "18.6"];

    fn client(version: &str) -> Client {
        let text = test_fixtures::recording(&format!("pg_dump-{version}.version.txt"));
        let (flavour, version) = super::super::clients::read_version(&text).expect("a version");
        Client { role: Role::Dump, path: "/pg/bin/pg_dump".into(), flavour, version }
    }

    fn everything() -> DumpOptions {
        let one = |p: &str| vec![p.to_owned()];
        DumpOptions {
            with_dependencies: false,
            plain: true,
            schemas: one("public"),
            exclude_schemas: vec!["information_schema".into(), "^pg_*".into()],
            tables: one("public.\"Big Table\""),
            exclude_tables: one("tmp_*"),
            exclude_table_data: one("audit.log"),
            schema_only: true,
            data_only: true,
            no_owner: true,
            no_privileges: true,
            no_comments: true,
            extra: one("--no-sync"),
            allow_incomplete: false,
            jobs: 1,
            split: false,
            client_rows: false,
        }
    }

    fn planned(version: &str, options: &DumpOptions) -> DumpPlan {
        plan(&connection(), &test_fixtures::server(10), &client(version), options, &Limits::default(), None)
            .expect("a plan")
    }

    #[test]
    fn every_option_is_one_that_the_client_knows() {
        for version in RECORDED {
            let help = test_fixtures::recording(&format!("pg_dump-{version}.help.txt"));
            for options in [everything(), DumpOptions::default()] {
                test_fixtures::assert_known(&planned(version, &options).source.commands()[0], &help);
            }
        }
    }

    #[test]
    fn a_plain_dump_command_of_the_oldest_and_the_newest_client() {
        let default = DumpOptions::default();
        insta::assert_snapshot!(planned("10.3", &default).source.commands()[0].to_string(), @r#"PGTZ=UTC PGPASSWORD='****' /pg/bin/pg_dump '--dbname=host=db.example.test port=5432 user=app dbname=shop sslmode=prefer sslrootcert=/nonexistent sslcert=/nonexistent sslkey=/nonexistent connect_timeout=10 keepalives_idle=30 keepalives_interval=10 keepalives_count=6 application_name=dbhaul' --no-password --format=custom --compress=0 --encoding=UTF8 --lock-wait-timeout=540000"#);
        insta::assert_snapshot!(planned("18.6", &default).source.commands()[0].to_string(), @r#"PGTZ=UTC PGPASSWORD='****' /pg/bin/pg_dump '--dbname=host=db.example.test port=5432 user=app dbname=shop sslmode=prefer sslrootcert=/nonexistent sslcert=/nonexistent sslkey=/nonexistent gssencmode=disable connect_timeout=10 keepalives_idle=30 keepalives_interval=10 keepalives_count=6 application_name=dbhaul' --no-password --format=custom --compress=0 --encoding=UTF8 --lock-wait-timeout=540000"#);
    }

    #[test]
    fn every_option_at_once() {
        insta::assert_snapshot!(planned("10.3", &everything()).source.commands()[0].to_string(), @r#"PGTZ=UTC PGPASSWORD='****' /pg/bin/pg_dump '--dbname=host=db.example.test port=5432 user=app dbname=shop sslmode=prefer sslrootcert=/nonexistent sslcert=/nonexistent sslkey=/nonexistent connect_timeout=10 keepalives_idle=30 keepalives_interval=10 keepalives_count=6 application_name=dbhaul' --no-password --format=plain --encoding=UTF8 --lock-wait-timeout=540000 --schema=public --exclude-schema=information_schema '--exclude-schema=^pg_*' '--table=public."Big Table"' '--exclude-table=tmp_*' --exclude-table-data=audit.log '--exclude-schema=^pg_*' --exclude-schema=information_schema '--exclude-table=^pg_*.*' '--exclude-table=information_schema.*' --schema-only --data-only --no-owner --no-privileges --no-sync"#);
        insta::assert_snapshot!(planned("15.20", &everything()).source.commands()[0].to_string(), @r#"PGTZ=UTC PGPASSWORD='****' /pg/bin/pg_dump '--dbname=host=db.example.test port=5432 user=app dbname=shop sslmode=prefer sslrootcert=/nonexistent sslcert=/nonexistent sslkey=/nonexistent gssencmode=disable connect_timeout=10 keepalives_idle=30 keepalives_interval=10 keepalives_count=6 application_name=dbhaul' --no-password --format=plain --encoding=UTF8 --lock-wait-timeout=540000 --schema=public --exclude-schema=information_schema '--exclude-schema=^pg_*' '--table=public."Big Table"' '--exclude-table=tmp_*' --exclude-table-data=audit.log '--exclude-schema=^pg_*' --exclude-schema=information_schema '--exclude-table=^pg_*.*' '--exclude-table=information_schema.*' --schema-only --data-only --no-owner --no-privileges --no-comments --no-sync"#);
        assert_eq!(planned("10.3", &everything()).warnings.len(), 1);
    }

    #[test]
    fn through_a_tunnel_with_verification() {
        let mut through = connection();
        through.route = Some(Route { host: "127.0.0.1".into(), port: 10_001 });
        through.tls.mode = TlsMode::VerifyFull;
        through.tls.ca = Some("/etc/ca.pem".into());
        let plan = plan(
            &through,
            &test_fixtures::server(15),
            &client("15.20"),
            &DumpOptions::default(),
            &Limits::default(),
            None,
        );
        insta::assert_snapshot!(plan.expect("a plan").source.commands()[0].to_string(), @r#"PGTZ=UTC PGPASSWORD='****' /pg/bin/pg_dump '--dbname=host=db.example.test hostaddr=127.0.0.1 port=10001 user=app dbname=shop sslmode=verify-full sslrootcert=/etc/ca.pem sslcert=/nonexistent sslkey=/nonexistent gssencmode=disable connect_timeout=10 keepalives_idle=30 keepalives_interval=10 keepalives_count=6 application_name=dbhaul' --no-password --format=custom --compress=0 --encoding=UTF8 --lock-wait-timeout=540000"#);
    }

    #[test]
    fn what_pg_dump_would_refuse_is_refused_first() {
        let refused = |options: DumpOptions| {
            let plan =
                plan(&connection(), &test_fixtures::server(15), &client("15.20"), &options, &Limits::default(), None);
            plan.err().expect("refused").kind
        };
        let with = |extra: &str| DumpOptions { extra: vec![extra.into()], ..DumpOptions::default() };
        assert_eq!(refused(with("--file=x")), Kind::Usage);
        assert_eq!(refused(DumpOptions { exclude_schemas: vec!["a.b".into()], ..DumpOptions::default() }), Kind::Usage);
    }

    #[test]
    fn what_may_not_be_read_is_left_out_by_flags_that_the_client_knows_only_when_allowed() {
        let mut server = test_fixtures::server(15);
        server.settings.extend(LeftOut::everything());
        let allowed = DumpOptions { allow_incomplete: true, ..DumpOptions::default() };
        let planned = |version: &str, options: &DumpOptions| {
            let plan =
                plan(&connection(), &server, &client(version), options, &Limits::default(), None).expect("a plan");
            plan.source.commands()[0].clone()
        };
        for version in ["13.16", "14.2", "15.20", "16.2", "17.11", "18.6"] {
            let help = test_fixtures::recording(&format!("pg_dump-{version}.help.txt"));
            let command = planned(version, &allowed);
            test_fixtures::assert_known(&command, &help);
            let text = command.to_string();
            assert!(text.contains(r#"'--exclude-table="public"."a""b"'"#), "{text}");
            for flag in ["--exclude-table-data=", "--enable-row-security", "-large-objects", "-blobs"] {
                let wanted = !(flag == "-large-objects" && version < "16" || flag == "-blobs" && version >= "16");
                assert_eq!(text.contains(flag), wanted, "{version}: {text}");
            }
        }
        let text = planned("15.20", &DumpOptions { schema_only: true, ..DumpOptions::default() }).to_string();
        assert!(!text.contains("row-security") && !text.contains("exclude"), "{text}");
    }

    #[test]
    fn a_newer_client_is_said() {
        let newer =
            Client { role: Role::Dump, path: "/x".into(), flavour: Flavour::POSTGRES, version: Version::new(18, 6, 0) };
        let plan =
            plan(&connection(), &test_fixtures::server(15), &newer, &DumpOptions::default(), &Limits::default(), None);
        assert!(plan.expect("a plan").warnings[0].contains("pg_restore 18"));
    }
}
