//! What several jobs can't do, and what is left to one.

use super::{copied, copy};
use crate::{
    dump::postgres_jobs::tables,
    roundtrip::{assert_same, with_clients_of},
    support::{Pooler, Pooling, checksum, postgres15},
};

#[test]
fn what_several_jobs_can_not_do_is_refused_before_the_target_is_touched() {
    let (source, target) = (postgres15().database("source"), postgres15().database("target"));
    tables(&source, 2, 10);
    copy(&source, &target, "0").run().refused(2, &["--jobs"]);
    copy(&source, &target, "65").run().refused(2, &["--jobs"]);
    copy(&source, &target, "2").args(["--", "--inserts"]).run().refused(2, &["arguments after --"]);
    // Two for rows, one for the definitions, and ours.
    let role = format!("limited_{}", source.name());
    source.sql(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'p' CONNECTION LIMIT 5; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role};
         GRANT CREATE ON DATABASE {} TO {role}",
        target.name()
    ));
    target.sql(&format!("GRANT ALL ON SCHEMA public TO {role}"));
    let limited = |database: &str| postgres15().uri_as(&role, "p", database);
    let run = |from: &str, to: &str| with_clients_of(postgres15()).args(["copy", from, to, "--jobs", "8"]).run();
    run(&limited(source.name()), &target.uri()).refused(10, &["8 jobs need 10 connections", "nothing was started"]);
    run(&source.uri(), &limited(target.name())).refused(10, &["8 jobs need 9 connections", "nothing was changed"]);
    let pooler = Pooler::start(postgres15(), Pooling::Session);
    run(&source.uri(), &pooler.uri(&target)).refused(10, &["with several jobs", "nothing was changed"]);
    assert_eq!(checksum(&target).len(), 0);
    for database in [&source, &target] {
        database.sql(&format!("DROP OWNED BY {role}"));
    }
    source.sql(&format!("DROP ROLE {role}"));
}

#[test]
fn what_is_left_to_one_job_is_said() {
    let (source, target) = (postgres15().database("source"), postgres15().database("target"));
    tables(&source, 2, 200);
    let run = |args: &[&str], words: &str| {
        let output = copy(&source, &target, "2").args(args).run().expect_code(0);
        assert!(output.stderr.contains(words), "{}", output.stderr);
    };
    run(&["--schema-only"], "without them one pg_dump does it alone");
    run(&["--data-only", "--into-non-empty"], "--data-only keeps to one job");
    assert_same(&source, &target);
    run(&["--clean", "objects", "--yes"], "--clean objects keeps to one job");
    assert_same(&source, &target);
    run(&["--clean", "schema", "--yes"], "--clean schema keeps to one job");
    assert_same(&source, &target);
}

#[test]
fn a_dry_run_shows_every_command_and_changes_nothing() {
    let (source, target) = (postgres15().database("source"), postgres15().database("target"));
    tables(&source, 3, 200);
    let output = copy(&source, &target, "2").arg("--dry-run").run().expect_code(0);
    assert!(!output.text().contains(postgres15().password()), "{}", output.text());
    let commands = |program: &str, option: &str| {
        let of = |line: &&str| line.contains(&format!("/{program} ")) && line.contains(option);
        output.text().lines().filter(of).count()
    };
    assert_eq!(commands("pg_dump", "--snapshot="), 3, "{}", output.text());
    assert_eq!(commands("pg_dump", "--section=pre-data --section=post-data"), 1);
    assert_eq!(commands("pg_dump", "--section=data"), 1);
    assert_eq!(commands("pg_dump", "--data-only"), 1);
    assert_eq!(commands("pg_restore", "--single-transaction"), 3);
    assert_eq!(commands("pg_restore", "--section=pre-data"), 1);
    assert_eq!(commands("pg_restore", "--jobs=2"), 1);
    let json = copied(&source, &target, "2", &["--dry-run"]);
    assert_eq!(json["commands"].as_array().expect("commands").len(), 8, "{json}");
    assert_eq!(checksum(&target).len(), 0);
}
