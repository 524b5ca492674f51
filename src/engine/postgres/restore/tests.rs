use std::path::Path;

use super::*;
use crate::engine::postgres::session::libpq::tests::connection;
use crate::engine::postgres::test_fixtures;
use crate::engine::{Entry, Found, RestoreOptions, Version};

const RECORDED: [&str; 8] = ["10.3", "12.2", "13.16", "14.2", "15.20", "16.2", "17.11", "18.6"];

fn found(versions: &[&str]) -> Found {
    let mut found = Found::default();
    for version in versions {
        for (role, name) in [(Role::Restore, "pg_restore"), (Role::Shell, "psql")] {
            let text = test_fixtures::recording(&format!("{name}-{version}.version.txt"));
            let (flavour, version) = clients::read_version(&text).expect("a version");
            found.clients.push(Client { role, path: format!("/pg{}/{name}", version.major).into(), flavour, version });
        }
    }
    found
}

fn entry(id: i64, kind: &str, schema: Option<&str>, tag: &str) -> Entry {
    Entry { id, kind: kind.into(), schema: schema.map(str::to_owned), tag: tag.into(), ..Entry::default() }
}

fn planned(target: u32, archive: &str, versions: &[&str], options: &RestoreOptions) -> RestorePlan {
    let mut content = test_fixtures::content(archive);
    content.entries = vec![entry(1, "TABLE", Some("public"), "users"), entry(2, "TABLE DATA", Some("public"), "users")];
    content.entries[1].needs = vec![1];
    plan(&RestoreJob {
        connection: &connection(),
        server: &test_fixtures::server(target),
        content: &content,
        clients: &found(versions),
        options,
        source: RestoreInput::Stream,
    })
    .expect("a plan")
}

#[test]
fn every_option_is_one_that_the_client_knows() {
    let options = RestoreOptions {
        schema_only: true,
        data_only: true,
        no_comments: true,
        clean: Some(Clean::Objects),
        ..test_fixtures::restore_options()
    };
    for version in RECORDED {
        let archive = if version < "12" { "1.13" } else { "1.14" };
        let major = Version::parse(version).expect("a version").major;
        let mut server = test_fixtures::server(major);
        server.target.object_count = 1;
        let mut content = test_fixtures::content(archive);
        let clients = found(&[version]);
        let restore = plan(&RestoreJob {
            connection: &connection(),
            server: &server,
            content: &content,
            clients: &clients,
            options: &options,
            source: RestoreInput::Stream,
        })
        .expect("a plan");
        test_fixtures::assert_known(
            restore.loader.client().expect("a client"),
            &test_fixtures::recording(&format!("pg_restore-{version}.help.txt")),
        );
        content.format = Format::PG_PLAIN;
        let script = plan(&RestoreJob {
            connection: &connection(),
            server: &server,
            content: &content,
            clients: &clients,
            options: &options,
            source: RestoreInput::Stream,
        })
        .expect("a plan");
        test_fixtures::assert_known(
            script.loader.client().expect("a client"),
            &test_fixtures::recording(&format!("psql-{version}.help.txt")),
        );
    }
}

#[test]
fn a_restore_by_the_targets_own_client() {
    let plan = planned(15, "1.14", &["15.20", "18.6"], &test_fixtures::restore_options());
    insta::assert_snapshot!(plan.loader.to_string(), @r#"PGCLIENTENCODING=UTF8 PGPASSWORD='****' /pg15/pg_restore '--dbname=host=db.example.test port=5432 user=app dbname=shop sslmode=prefer sslrootcert=/nonexistent sslcert=/nonexistent sslkey=/nonexistent gssencmode=disable connect_timeout=10 keepalives_idle=30 keepalives_interval=10 keepalives_count=6 application_name=dbhaul' --no-password --exit-on-error --single-transaction --no-owner --no-privileges"#);
    insta::assert_snapshot!(plan.notes.join("\n"), @r#"
        owners left out (--keep-owner keeps them)
        privileges left out (--keep-privileges keeps them)
    "#);
    assert!(
        plan.atomic
            && plan.decoder.is_none()
            && plan.filter.is_some()
            && plan.loader.client().is_some_and(|client| client.stdin == Stdin::Pipe)
    );
}

#[test]
fn a_newer_pg_restore_only_decodes() {
    let plan = planned(15, "1.16", &["15.20", "18.6"], &test_fixtures::restore_options());
    insta::assert_snapshot!(plan.decoder.expect("a decoder").to_string(), @r#"/pg18/pg_restore --file=- --single-transaction --no-owner --no-privileges"#);
    insta::assert_snapshot!(plan.loader.to_string(), @r#"PGCLIENTENCODING=UTF8 PGPASSWORD='****' /pg15/psql '--dbname=host=db.example.test port=5432 user=app dbname=shop sslmode=prefer sslrootcert=/nonexistent sslcert=/nonexistent sslkey=/nonexistent gssencmode=disable connect_timeout=10 keepalives_idle=30 keepalives_interval=10 keepalives_count=6 application_name=dbhaul' --no-password --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --output=/dev/null --file=-"#);
    assert!(plan.filter.is_some() && plan.atomic);
}

#[test]
fn several_jobs_open_the_file_themselves() {
    let options =
        RestoreOptions { jobs: 4, keep_owner: true, keep_privileges: true, ..test_fixtures::restore_options() };
    let (server, content, clients) = (test_fixtures::server(18), test_fixtures::content("1.16"), found(&["18.6"]));
    let path = RestoreInput::Path(Path::new("/backups/my dump"));
    let plan = plan(&RestoreJob {
        connection: &connection(),
        server: &server,
        content: &content,
        clients: &clients,
        options: &options,
        source: path,
    })
    .expect("a plan");
    insta::assert_snapshot!(plan.loader.to_string(), @r#"PGCLIENTENCODING=UTF8 PGPASSWORD='****' /pg18/pg_restore '--dbname=host=db.example.test port=5432 user=app dbname=shop sslmode=prefer sslrootcert=/nonexistent sslcert=/nonexistent sslkey=/nonexistent gssencmode=disable connect_timeout=10 keepalives_idle=30 keepalives_interval=10 keepalives_count=6 application_name=dbhaul' --no-password --exit-on-error --jobs=4 '/backups/my dump'"#);
    assert!(!plan.atomic && plan.loader.client().is_some_and(|client| client.stdin == Stdin::Null));
}

#[test]
fn entries_that_the_target_has_or_refuses_are_left_out() {
    let mut content = test_fixtures::content("1.14");
    content.entries = vec![
        entry(5, "SCHEMA", None, "public"),
        entry(6, "COMMENT", None, "SCHEMA public"),
        entry(7, "EXTENSION", None, "hstore"),
        entry(8, "COMMENT", None, "EXTENSION hstore"),
        entry(9, "TABLE", Some("public"), "users"),
        entry(10, "COMMENT", Some("public"), "TABLE users"),
    ];
    let mut server = test_fixtures::server(15);
    server.settings.insert("schemas".into(), "information_schema\npublic".into());
    let (clients, options) = (found(&["15.20"]), test_fixtures::restore_options());
    let plan = plan(&RestoreJob {
        connection: &connection(),
        server: &server,
        content: &content,
        clients: &clients,
        options: &options,
        source: RestoreInput::Stream,
    })
    .expect("a plan");
    insta::assert_snapshot!(plan.loader.to_string().split("--use-list=").last().expect("a list"), @r#"
        <(printf %s '7; EXTENSION hstore
        9; TABLE users
        10; COMMENT TABLE users
        ')
    "#);
    insta::assert_snapshot!(plan.notes.join("\n"), @r#"
        owners left out (--keep-owner keeps them)
        privileges left out (--keep-privileges keeps them)
        comments left out (may not be set there), 2: SCHEMA public, EXTENSION hstore
        schemas left out (there already), 1: public
    "#);
}

#[test]
fn the_parts_of_a_copy() {
    let mut content = test_fixtures::content("1.14");
    content.entries = vec![
        entry(1, "TABLE", Some("public"), "users"),
        entry(2, "CONSTRAINT", Some("public"), "users users_pkey"),
        entry(3, "FK CONSTRAINT", Some("public"), "orders to_users"),
        entry(4, "COMMENT", Some("public"), "CONSTRAINT to_users ON orders"),
        entry(5, "MATERIALIZED VIEW DATA", Some("public"), "seen"),
    ];
    content.entries[3].needs = vec![3];
    let (server, clients) = (test_fixtures::server(15), found(&["15.20"]));
    let words = |section, jobs, source| {
        let options = RestoreOptions { section: Some(section), jobs, ..test_fixtures::restore_options() };
        let plan = plan(&RestoreJob {
            connection: &connection(),
            server: &server,
            content: &content,
            clients: &clients,
            options: &options,
            source,
        })
        .expect("a plan");
        let text = plan.loader.to_string();
        text.split_once("--exit-on-error ").expect("options").1.replace('\n', " ")
    };
    let file = RestoreInput::Path(Path::new("/tmp/definitions"));
    insta::assert_snapshot!(words(Section::PreData, 1, RestoreInput::Stream), @"--single-transaction --no-owner --no-privileges --section=pre-data");
    insta::assert_snapshot!(words(Section::Data, 1, RestoreInput::Stream), @"--single-transaction --no-owner --no-privileges");
    insta::assert_snapshot!(words(Section::PostData, 2, file), @"--jobs=2 --no-owner --no-privileges --section=post-data /tmp/definitions");
    insta::assert_snapshot!(words(Section::Indexes, 2, file), @"--jobs=2 --no-owner --no-privileges --section=post-data --use-list=<(printf %s '1; TABLE users 2; CONSTRAINT users users_pkey ') /tmp/definitions");
    insta::assert_snapshot!(words(Section::Readers, 2, file), @"--jobs=2 --no-owner --no-privileges --section=post-data --use-list=<(printf %s '3; FK CONSTRAINT orders to_users 4; COMMENT CONSTRAINT to_users ON orders 5; MATERIALIZED VIEW DATA seen ') /tmp/definitions");
}

#[test]
fn a_table_is_found_with_and_without_its_schema() {
    for name in ["users", "public.users"] {
        let options = RestoreOptions { tables: vec![name.into()], ..test_fixtures::restore_options() };
        assert!(planned(15, "1.14", &["15.20"], &options).loader.to_string().contains("1; TABLE users\n2; TABLE DATA"));
    }
    let options = RestoreOptions { tables: vec!["Users".into()], ..test_fixtures::restore_options() };
    let refused = plan(&RestoreJob {
        connection: &connection(),
        server: &test_fixtures::server(15),
        content: &test_fixtures::content("1.14"),
        clients: &found(&["15.20"]),
        options: &options,
        source: RestoreInput::Stream,
    });
    assert_eq!(refused.err().expect("refused").kind, Kind::Usage);
}

#[test]
fn an_old_psql_never_sees_restrict() {
    for (version, knows) in [("14.2", false), ("15.20", true), ("16.2", false), ("17.11", true), ("18.6", true)] {
        assert_eq!(clients::knows_restrict(Version::parse(version).expect(version)), knows, "{version}");
    }
}
