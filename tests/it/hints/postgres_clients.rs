//! Hints on what clients of PostgreSQL need, and on what they read.

use std::{os::unix::fs::symlink, path::Path};

use super::{User, by, dump_of};
use crate::support::{dbhaul, fake_client, postgres15};

#[test]
fn a_psql_that_obeys_archives_is_a_newer_one_or_they_are_trusted() {
    let source = postgres15().database("restrict");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let (_folder, archive) = dump_of(&source);
    let target = postgres15().database("restrict_target");
    let (folder, real) = (tempfile::tempdir().expect("a folder"), postgres15().client_dir());
    symlink(real.join("pg_restore"), folder.path().join("pg_restore")).expect("a link");
    let older = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && {{ echo 'psql (PostgreSQL) 15.13'; exit; }}\nexec '{}/psql' \"$@\"\n",
        real.display()
    );
    fake_client(folder.path(), "psql", &older);
    let restore = |clients: &Path, more: &[&str]| {
        target.sql("CREATE TABLE IF NOT EXISTS old (id int)");
        let restore = dbhaul().arg("restore").arg(&archive).arg(target.uri()).args(["--clean", "schema", "--yes"]);
        restore.args(more).client_dirs([clients]).run()
    };
    let refused = restore(folder.path(), &[]).refused(10, &["psql 15.13"]);
    refused.follows("install-psql-with-restrict");
    refused.follows("trust-without-restrict");
    restore(&real, &[]).expect_code(0);
    restore(folder.path(), &["--trust"]).expect_code(0);
}

#[test]
fn an_authority_that_the_system_has_in_no_file_is_named() {
    let source = postgres15().database("bundle");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let uri = format!("{}?sslmode=verify-ca", source.uri());
    let ca = postgres15().ca_file();
    // A system without such files: folders that are empty.
    let hidden = "for folder in /etc/ssl /etc/pki; do [ ! -d $folder ] || mount -t tmpfs none $folder || exit; done; exec \"$@\"";
    let dump = |uri: &str| {
        let dump = by(postgres15(), uri, &[]).env("SSL_CERT_FILE", &ca);
        dump.under(["unshare", "--mount", "sh", "-c", hidden, "sh"]).run()
    };
    dump(&uri).refused(3, &["has none in a known place"]).follows("sslrootcert-file");
    dump(&format!("{uri}&sslrootcert={}", ca.display())).expect_code(0);
}

#[test]
fn a_limit_on_statements_of_a_foreign_server_is_lifted_there() {
    let (source, far) = (postgres15().database("near"), postgres15().database("far"));
    far.sql("CREATE VIEW v AS SELECT 1 AS id FROM pg_sleep(0.5)");
    let user = User::of(&far);
    far.sql(&format!("GRANT SELECT ON v TO {0}; ALTER ROLE {0} SET statement_timeout = '100ms'", user.name));
    source.sql(&format!(
        "CREATE EXTENSION postgres_fdw;
         CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '{}', dbname '{}');
         CREATE USER MAPPING FOR {} SERVER far OPTIONS (user '{}', password 'secret-9fX');
         CREATE FOREIGN TABLE t (id int) SERVER far OPTIONS (table_name 'v')",
        postgres15().port(),
        far.name(),
        postgres15().user(),
        user.name,
    ));
    let dump = || by(postgres15(), &source.uri(), &["--", "--include-foreign-data=far"]).run();
    let hint = dump().expect_code(6).follows("statement-timeout-0");
    let (_, statement) = hint.split_once("ends long statements: ").expect("a statement");
    far.sql(&statement.replace("...", &user.name));
    dump().expect_code(0);
    far.sql(&format!("DROP OWNED BY {}", user.name));
}

#[test]
fn a_database_of_which_one_archive_does_not_tell_is_dumped_in_pieces() {
    let source = postgres15().database("pieces");
    // Characters that JSON writes as six: an archive tells of 32 MiB.
    source.sql("DO $$ BEGIN EXECUTE format('COMMENT ON DATABASE %I IS %L', current_database(), repeat(chr(1), 5590000)); END $$");
    source.sql("SELECT format('CREATE TABLE %I (i int)', 't' || n || repeat(chr(1), 60)) FROM generate_series(10, 69) n \\gexec");
    let dump = |more: &[&str]| by(postgres15(), &source.uri(), more).run();
    dump(&[]).refused(10, &["more tables and columns"]).follows("dump-in-pieces");
    for tens in 1..=6 {
        dump(&["--table", &format!("t{tens}*")]).expect_code(0);
    }
}

#[test]
#[ignore = "it takes gigabytes of memory: scripts/sweep.sh runs it"]
fn a_value_that_is_too_large_as_text_is_cut_up_or_left_out() {
    let source = postgres15().database("huge");
    source.sql(
        "CREATE TABLE t (id int PRIMARY KEY, v bytea); ALTER TABLE t ALTER v SET STORAGE EXTERNAL;
         INSERT INTO t SELECT 1, convert_to(repeat('x', 540000000), 'UTF8')",
    );
    let dump = |more: &[&str]| by(postgres15(), &source.uri(), more).run();
    dump(&[]).expect_code(6).follows("value-too-large");
    dump(&["--exclude-table-data", "t"]).expect_code(0);
    source.sql(
        "INSERT INTO t SELECT 2, substr(v, 270000001) FROM t; UPDATE t SET v = substr(v, 1, 270000000) WHERE id = 1",
    );
    dump(&[]).expect_code(0);
}
