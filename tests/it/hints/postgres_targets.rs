//! Hints on targets of PostgreSQL: what stands in a restore's way, and who takes it out of there.

use std::{
    fs,
    io::Write as _,
    process::{Child, Stdio},
};

use rustix::process::Signal;

use super::{User, dump_of, restore};
use crate::foreign::files::vendor;
use crate::roundtrip::with_clients_of;
use crate::support::{Database, Flavour, Gate, Lock, Output, Server, eventually, names, postgres15, sessions};

/// A restore by that user.
fn by_user(user: &User<'_>, archive: &std::path::Path, more: &[&str]) -> Output {
    user.run(&[&["restore", archive.to_str().expect("UTF-8"), &user.uri][..], more].concat())
}

#[test]
fn an_extension_that_can_not_be_moved_is_made_anew_in_a_new_database() {
    let source = postgres15().database("unmoved");
    source.sql("CREATE SCHEMA x; CREATE EXTENSION xml2 SCHEMA x; CREATE VIEW v AS SELECT x.xml_valid('<a/>') AS valid");
    let (_folder, archive) = dump_of(&source);
    let target = postgres15().database("unmoved_target");
    target.sql("CREATE EXTENSION xml2 SCHEMA public");
    restore(&archive, &target, &[]).refused(10, &["xml2"]).follows("clean-database-moves-extension");
    restore(&archive, &target, &["--clean", "database", "--yes"]).expect_code(0);
    assert_eq!(target.sql("SELECT valid FROM v"), "t");
}

#[test]
fn a_slot_that_is_read_from_is_left_by_its_reader() {
    let server = Server::start_with(Flavour::Postgres15, &["-c", "wal_level=logical"]);
    let (source, target) = (server.database("slot"), server.database("slot_target"));
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let (_folder, archive) = dump_of(&source);
    let reader = |what: &[&str]| {
        let mut command = target.client("pg_recvlogical");
        command.args(["--slot=hinted", "--file=-", "--dbname", target.name()]).args(what);
        command.stdout(Stdio::null()).stdin(Stdio::null()).spawn().expect("run it")
    };
    assert!(reader(&["--create-slot"]).wait().expect("its end").success());
    let mut reads = reader(&["--start", "--no-loop"]);
    let active = |wanted: &str| {
        let asked = "SELECT active FROM pg_replication_slots WHERE slot_name = 'hinted'";
        eventually("a slot that is read from, or not", || server.sql(asked) == wanted);
    };
    active("t");
    let clean = || restore(&archive, &target, &["--clean", "database", "--yes"]);
    clean().refused(10, &["hinted"]).follows("end-slots-reader");
    server.sql("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'hinted'");
    assert!(!reads.wait().expect("its end").success());
    active("f");
    clean().expect_code(0);
}

#[test]
fn a_new_database_that_could_not_be_dropped_is_dropped_when_the_server_is_back() {
    let server = Server::start(Flavour::Postgres15);
    let (source, target) = (server.database("anew"), server.database("anew_target"));
    source.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    target.sql("CREATE TABLE old (id int)");
    let (_folder, archive) = dump_of(&source);
    let restore = || {
        let restore = with_clients_of(&server).arg("restore").arg(&archive).arg(target.uri());
        restore.args(["--clean", "database", "--yes"])
    };
    let gate = Gate::before(&server.client_dir());
    let mut running = restore().args(["--retries", "0"]).client_dirs([gate.folder()]).spawn();
    running.wait_until("a client before the gate", |_| gate.reached());
    server.halt(Signal::QUIT);
    server.gone();
    gate.open();
    let failed = running.wait();
    assert_ne!(failed.code, Some(0));
    let hint = failed.follows("drop-the-new-database");
    server.resume();
    let (drop, _) = hint.split_once(", if it is there").expect("a statement");
    server.sql(drop);
    assert_eq!(target.sql("SELECT count(*) FROM old"), "0");
    restore().run().expect_code(0);
    assert_eq!(target.sql("SELECT id FROM t"), "1");
}

/// A session that says one thing after the other.
struct Session(Child);

impl Session {
    fn of(database: &Database<'_>) -> Self {
        let mut psql = database.client("psql");
        Self(psql.args(["-X", "-q"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("run psql"))
    }

    fn say(&mut self, sql: &str) {
        self.0.stdin.as_mut().expect("a pipe").write_all(sql.as_bytes()).expect("write");
    }

    fn end(mut self) {
        drop(self.0.stdin.take());
        self.0.wait().expect("psql's end");
    }
}

#[test]
fn a_restore_that_is_in_a_deadlock_with_another_session_is_tried_again() {
    let tables = "CREATE TABLE a (id int); CREATE TABLE b (id int); CREATE TABLE c (id int)";
    let (source, target) = (postgres15().database("locked"), postgres15().database("locked_target"));
    source.sql(&format!("{tables}; INSERT INTO a VALUES (1); INSERT INTO b VALUES (2); INSERT INTO c VALUES (3)"));
    target.sql(tables);
    let (_folder, archive) = dump_of(&source);
    let restore = || {
        let restore = with_clients_of(postgres15()).arg("restore").arg(&archive).arg(target.uri());
        restore.args(["--data-only", "--into-non-empty"])
    };
    let gate = Gate::before(&postgres15().client_dir());
    let mut running = restore().client_dirs([gate.folder()]).spawn();
    running.wait_until("a client before the gate", |_| gate.reached());
    // The restore holds a, and waits for b; the other session holds c, and waits for a; then b is free, and the restore
    // waits for c. It is the one that looks for a deadlock.
    let between = Lock::on(&target, "b");
    let mut other = Session::of(&target);
    other.say("SET deadlock_timeout = '1h'; BEGIN; LOCK TABLE c;\n");
    let held =
        "SELECT count(*) FROM pg_locks WHERE relation = 'c'::regclass AND granted AND mode = 'AccessExclusiveLock'";
    eventually("a lock on c", || target.sql(held) == "1");
    gate.open();
    eventually("a restore that waits for b", || sessions(&target, true) == 1);
    other.say("LOCK TABLE a;\n");
    eventually("another session that waits for a", || sessions(&target, true) == 2);
    drop(between);
    running.wait().refused(7, &["deadlock detected"]).follows("deadlock");
    other.end();
    restore().run().expect_code(0);
    assert_eq!(target.sql("SELECT a.id, b.id, c.id FROM a, b, c"), "1\t2\t3");
}

#[test]
fn what_a_superuser_owns_and_a_dump_brings_is_dropped_by_one() {
    let source = postgres15().database("publishes");
    source.sql("CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION pub FOR TABLE t");
    let (_folder, archive) = dump_of(&source);
    let target = postgres15().database("publishes_target");
    let user = User::owner_of(&target);
    let clean = ["--clean", "schema", "--yes"];
    target.sql("CREATE PUBLICATION pub");
    by_user(&user, &archive, &clean).refused(10, &["publication pub"]).follows("superuser-drops-it");
    target.sql("DROP PUBLICATION pub");
    by_user(&user, &archive, &clean).expect_code(0);
    target.sql(&format!("ALTER PUBLICATION pub OWNER TO {}", postgres15().user()));
    by_user(&user, &archive, &clean).refused(10, &["publication pub"]);
    restore(&archive, &target, &clean).expect_code(0);
    user.gives_back(&target);
}

#[test]
fn an_extension_of_superusers_in_a_database_that_is_made_is_created_by_one_first() {
    let source = postgres15().database("statements");
    source.sql("CREATE EXTENSION pg_stat_statements; CREATE TABLE t (id int PRIMARY KEY)");
    let (_folder, archive) = dump_of(&source);
    let target = postgres15().database("statements_target");
    let user = User::owner_of(&target);
    postgres15().sql(&format!("ALTER ROLE {} CREATEDB", user.name));
    postgres15().sql(&format!("DROP DATABASE {}", target.name()));
    by_user(&user, &archive, &["--create"]).expect_code(7).follows("superuser-creates-extension-first");
    target.sql("CREATE EXTENSION pg_stat_statements");
    by_user(&user, &archive, &["--into-non-empty"]).expect_code(0);
    assert_eq!(target.sql("SELECT count(*) FROM t"), "0");
    user.gives_back(&target);
}

#[test]
fn an_extension_whose_package_the_server_of_a_new_database_lacks_is_installed() {
    let server = Server::start(Flavour::Postgres18);
    let folder = server.data().join("packages");
    server.sql(&format!(
        "ALTER SYSTEM SET extension_control_path = '$system:{}/packages'",
        server.sql("SHOW data_directory")
    ));
    server.sql("SELECT pg_reload_conf()");
    eventually("the new setting", || server.sql("SHOW extension_control_path").ends_with("packages"));
    let install = || {
        fs::create_dir_all(folder.join("extension")).expect("a folder");
        let write = |name: &str, text: &str| fs::write(folder.join("extension").join(name), text).expect("write");
        write("hinted.control", "default_version = '1.0'\nrelocatable = true\n");
        write("hinted--1.0.sql", "CREATE FUNCTION hinted() RETURNS int LANGUAGE sql AS 'SELECT 7';\n");
    };
    install();
    let source = server.database("packed");
    source.sql("CREATE EXTENSION hinted; CREATE VIEW v AS SELECT hinted() AS seven");
    let (_folder, archive) = dump_of(&source);
    fs::remove_dir_all(&folder).expect("remove");
    let target = server.database("packed_target");
    server.sql(&format!("DROP DATABASE {}", target.name()));
    restore(&archive, &target, &["--create"]).expect_code(7).follows("install-extensions-package");
    install();
    server.sql(&format!("DROP DATABASE IF EXISTS {}", target.name()));
    restore(&archive, &target, &["--create"]).expect_code(0);
    assert_eq!(target.sql("SELECT seven FROM v"), "7");
}

#[test]
fn an_extension_of_others_that_a_script_drops_or_comments_on_is_left_alone_or_a_superusers() {
    let source = postgres15().database("dropping");
    source.sql("CREATE EXTENSION pg_stat_statements; CREATE TABLE t (id int PRIMARY KEY)");
    let folder = tempfile::tempdir().expect("a folder");
    let script = |name: &str, args: &[&str]| {
        let path = folder.path().join(name);
        fs::write(&path, vendor(&source, "pg_dump", &[&["--no-owner"], args].concat())).expect("write");
        path
    };
    let dropping = script("dropping.sql", &["--clean", "--if-exists"]);
    let target = postgres15().database("dropping_target");
    target.sql("CREATE EXTENSION pg_stat_statements");
    let user = User::owner_of(&target);
    for script in [&dropping, &script("commenting.sql", &[])] {
        by_user(&user, script, &[]).refused(7, &["must be owner of extension"]).follows("no-comments");
    }
    by_user(&user, &script("plain.sql", &["--no-comments"]), &[]).expect_code(0);
    restore(&dropping, &target, &["--into-non-empty"]).expect_code(0);
    user.gives_back(&target);
}

#[test]
fn a_default_that_a_script_drops_first_is_no_identity_of_a_target_that_is_emptied() {
    let (source, target) = (postgres15().database("counted"), postgres15().database("counted_target"));
    source.sql("CREATE TABLE t (id serial); INSERT INTO t VALUES (7)");
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("script.sql");
    fs::write(&script, vendor(&source, "pg_dump", &["--clean", "--if-exists"])).expect("write");
    target.sql("CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY)");
    restore(&script, &target, &["--into-non-empty"]).refused(7, &["identity"]).follows("identity-column");
    restore(&script, &target, &["--clean", "schema", "--yes"]).expect_code(0);
    assert_eq!(target.sql("SELECT id FROM t"), "7");
}

#[test]
fn a_collation_of_the_system_is_imported_into_the_target() {
    let (source, target) = (postgres15().database("locale"), postgres15().database("locale_target"));
    source.sql("CREATE TABLE t (v text COLLATE \"C.utf8\")");
    target.sql("DROP COLLATION pg_catalog.\"C.utf8\"");
    let (_folder, archive) = dump_of(&source);
    let hint = restore(&archive, &target, &[]).refused(10, &["C.utf8"]).follows("import-collations");
    target.sql(hint.split("and then: ").nth(1).expect("a statement"));
    restore(&archive, &target, &[]).expect_code(0);
}

#[test]
fn what_stands_on_an_extensions_table_is_made_again_behind_a_restore() {
    let (source, target) = (postgres15().database("stands"), postgres15().database("stands_target"));
    let extension = "CREATE EXTENSION citext; CREATE TABLE config (i int); ALTER EXTENSION citext ADD TABLE config";
    let trigger = "CREATE TRIGGER own BEFORE INSERT ON config FOR EACH ROW EXECUTE FUNCTION f()";
    source.sql(&format!(
        "{extension}; CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'; {trigger}"
    ));
    let told = with_clients_of(postgres15()).args(["doctor", &source.uri()]).run().expect_code(0);
    told.follows("make-it-again-behind");
    let (folder, archive) = dump_of(&source);
    assert_eq!(names(folder.path()).len(), 1);
    target.sql(extension);
    restore(&archive, &target, &["--into-non-empty"]).expect_code(0);
    target.sql(trigger);
    assert_eq!(target.sql("SELECT tgname FROM pg_trigger"), "own");
}
