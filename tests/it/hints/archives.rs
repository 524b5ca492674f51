//! Hints on archives that somebody made or changed by hand.

use std::{fs, path::Path, process::Command};

use super::{dump, dump_of, restore};
use crate::foreign::no_end_mark::PHPMYADMIN;
use crate::roundtrip::{member, with_clients_of};
use crate::support::{dbhaul, mysql, postgres15};
use crate::verify::trial_restore::{meddling, with_dump, with_manifest};

#[test]
fn an_archive_whose_manifest_was_changed_is_made_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, target) = (postgres15().database("changed"), postgres15().database("changed_target"));
    source.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let archive = dump(&source, &folder, "changed.tar.gz");
    with_manifest(&archive, |manifest| manifest.tables[0].rows = Some(2));
    restore(&archive, &target, &[]).refused(8, &["2 rows in the manifest"]).follows("archive-was-changed");
    restore(&dump(&source, &folder, "again.tar.gz"), &target, &[]).expect_code(0);
}

#[test]
fn an_archive_of_ours_with_two_databases_in_it_is_dumped_one_by_one_or_loaded_by_hand() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, other) = (mysql().database("both"), mysql().database("both_other"));
    for database in [&one, &other] {
        database.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    }
    let words = ["--set-gtid-purged=OFF", "--databases", one.name(), other.name()];
    let both = mysql().client("mysqldump").args(words).output().expect("run mysqldump");
    let archive = dump(&one, &folder, "both.tar.gz");
    with_dump(&archive, &both.stdout);
    let target = mysql().database("both_target");
    restore(&archive, &target, &[]).refused(10, &["holds 2 databases"]).follows("a-dump-of-each");
    for (database, name) in [(&one, "one.tar.gz"), (&other, "other.tar.gz")] {
        let target = mysql().database("both_target");
        restore(&dump(database, &folder, name), &target, &[]).expect_code(0);
        assert_eq!(target.sql("SELECT id FROM t"), "1");
    }
    let script = folder.path().join("both.sql");
    fs::write(&script, member(&archive, "*/dump.sql")).expect("write");
    let loaded = mysql().client("mysql").stdin(fs::File::open(script).expect("open")).status().expect("run mysql");
    assert!(loaded.success());
}

#[test]
fn a_member_of_an_archive_without_a_dump_is_not_promised_to_be_listed() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("README"), "nothing").expect("write");
    let archive = folder.path().join("without.tar");
    let mut tar = Command::new("tar");
    tar.arg("-cf").arg(&archive).arg("-C").arg(folder.path()).arg("README");
    assert!(tar.status().expect("run tar").success());
    let named = dbhaul().arg("verify").arg(&archive).args(["--member", "README"]).run();
    named.refused(8, &["without a dump in it"]);
}

#[test]
fn an_export_of_updates_is_made_again_with_insert() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = mysql().database("updates");
    let path = folder.path().join("export.sql");
    let insert = PHPMYADMIN.lines().find(|line| line.starts_with("INSERT INTO")).expect("rows");
    let update = "UPDATE `t` SET `id` = 0, `v` = 'zero' WHERE `t`.`id` = 0;";
    fs::write(&path, PHPMYADMIN.replace(insert, update)).expect("write");
    let restore = || restore(&path, &target, &["--accept-unproven"]);
    restore().refused(10, &["of the type UPDATE"]).follows("export-as-insert");
    fs::write(&path, PHPMYADMIN).expect("write");
    restore().expect_code(0);
}

#[test]
fn a_trigger_that_a_file_makes_in_two_ways_is_taken_out_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = mysql().database("two_ways");
    let path = folder.path().join("two.sql");
    let trigger = |value: u8| format!("CREATE TRIGGER `g` BEFORE INSERT ON `t` FOR EACH ROW SET NEW.`id` = {value};\n");
    let (meant, other) = (trigger(7), trigger(8));
    let text = |triggers: &str| super::mysql::script(&format!("CREATE TABLE `t` (`id` int);\n{triggers}"));
    fs::write(&path, text(&(meant.clone() + &other))).expect("write");
    restore(&path, &target, &[]).refused(10, &["trigger g"]).follows("take-one-out");
    fs::write(&path, text(&meant)).expect("write");
    restore(&path, &target, &[]).expect_code(0);
    target.sql("INSERT INTO t VALUES (1)");
    assert_eq!(target.sql("SELECT id FROM t"), "7");
}

#[test]
fn a_dump_that_is_not_complete_although_its_client_says_so_is_run_again() {
    let source = mysql().database("silent");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let clients = tempfile::tempdir().expect("a folder");
    let header = "echo '-- MySQL dump 10.13  Distrib 9.7.4, for Linux (x86_64)'";
    crate::support::recorded_client(clients.path(), "mysqldump", "mysqldump-9.7.4", header);
    let dump = |folder: &Path, more: &[&str]| {
        dbhaul().args(["dump", &source.uri(), "-o", "-"]).args(more).client_dirs([folder]).run()
    };
    dump(clients.path(), &[]).expect_code(6).follows("run-again-verbosely");
    let said = dump(&mysql().client_dir(), &["-vv"]).expect_code(0).stderr;
    assert!(said.contains("debug "), "{said}");
}

#[test]
fn what_a_trial_finds_is_compared_with_the_source_and_another_backup_is_taken() {
    let source = postgres15().database("trial");
    source.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2); CREATE VIEW v AS SELECT 1 AS one");
    let (folder, archive) = dump_of(&source);
    let verify = |archive: &Path, clients: &Path| {
        let verify = dbhaul().arg("verify").arg(archive).args(["--restore-into", &postgres15().uri("postgres")]);
        verify.client_dirs([clients]).run()
    };
    for (sql, hint) in [
        ("DELETE FROM t WHERE id = 2", "compare-and-take-another"),
        ("CREATE OR REPLACE VIEW v AS SELECT 2 AS one", "compare-definitions"),
    ] {
        let clients = tempfile::tempdir().expect("a folder");
        meddling(clients.path(), postgres15(), sql);
        verify(&archive, clients.path()).refused(8, &[]).follows(hint);
        let target = postgres15().database("trial_target");
        restore(&archive, &target, &[]).expect_code(0);
        for what in ["SELECT count(*) FROM t", "SELECT pg_get_viewdef('v'::regclass)"] {
            assert_eq!(target.sql(what), source.sql(what));
        }
    }
    let another = dump(&source, &folder, "another.tar.gz");
    verify(&another, &postgres15().client_dir()).expect_code(0);
}

#[test]
fn a_question_that_can_not_be_asked_is_answered_by_an_option() {
    let source = postgres15().database("question");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let (_folder, archive) = dump_of(&source);
    let target = postgres15().database("question_target");
    target.sql("CREATE TABLE old (id int)");
    let on_terminal = "exec script -qec \"$(printf '%q ' \"$@\")\" /dev/null";
    // The answer is no text.
    let restore = |more: &[&str]| {
        let restore = with_clients_of(postgres15()).arg("restore").arg(&archive).arg(target.uri());
        let restore = restore.args(["--clean", "schema"]).args(more).env("NO_COLOR", "1").under([
            "bash",
            "-c",
            on_terminal,
            "bash",
        ]);
        restore.input(b"\xff\n").run()
    };
    let asked = restore(&[]).expect_code(10);
    assert!(String::from_utf8_lossy(&asked.stdout).contains("could not be asked"));
    asked.follows("yes-goes-on");
    restore(&["--yes"]).expect_code(0);
}
