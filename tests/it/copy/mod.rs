//! `copy`: what arrives, what is refused before anything is touched, and what a failure on either side leaves behind.

mod jobs;

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::roundtrip::{assert_same, loaded, real_rows};
use crate::support::{
    Database, Dbhaul, Flavour, Output, Running, Server, alive, checksum, child_of, dbhaul, descendants, eventually,
    fake_client, kill, mariadb, mysql, names, peak, postgres15, postgres18, sessions,
};

/// `dbhaul copy SOURCE TARGET`, with the clients of both servers in PATH.
fn copy(source: &Database<'_>, target: &Database<'_>) -> Dbhaul {
    let folders = [source.server().client_dir(), target.server().client_dir(), "/usr/bin".into(), "/bin".into()];
    let path = std::env::join_paths(folders).expect("folders");
    dbhaul().env("PATH", path).args(["copy", &source.uri(), &target.uri()])
}

/// Copies, and holds the JSON result against what was there.
fn copied(source: &Database<'_>, target: &Database<'_>) -> Value {
    // As they are in the source, which is held against the target.
    let copy = copy(source, target).env("DBHAUL_EVENTS", "enabled");
    let json = copy.arg("--json").run().expect_code(0).json();
    assert_eq!((&json["command"], &json["status"]), (&"copy".into(), &"ok".into()));
    assert_eq!(json["rows"], real_rows(source).values().sum::<u64>());
    assert_eq!(json["source"]["database"], source.name());
    assert_eq!(json["target"]["database"], target.name());
    assert_eq!(json["missing"], Value::Array(Vec::new()));
    assert!(json["bytes"].as_u64().expect("bytes") > 0);
    json
}

fn orders(database: &Database<'_>) {
    database.sql("CREATE TABLE orders (id int PRIMARY KEY)");
    database.sql("INSERT INTO orders VALUES (1), (2), (3)");
}

/// Everything in the other database of the same server.
fn within(server: &Server) {
    for name in ["objects", "chinook"] {
        let (source, target) = (loaded(server, name), server.database("copied"));
        copied(&source, &target);
        assert_same(&source, &target);
    }
}

#[test]
fn what_a_restore_of_a_file_refuses_is_copied_and_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, target) = (postgres15().database("reaching"), postgres15().database("reached"));
    source.sql(
        "CREATE TABLE t (a int CHECK (a > 0 OR pg_catalog.pg_read_file('nothing') IS NULL)); INSERT INTO t VALUES (1)",
    );
    let archive = folder.path().join("reaching.tar.gz");
    crate::roundtrip::with_clients_of(postgres15())
        .args(["dump", &source.uri(), "-o"])
        .arg(&archive)
        .run()
        .expect_code(0);
    let restore = crate::roundtrip::with_clients_of(postgres15()).arg("restore").arg(&archive).arg(target.uri());
    restore.run().refused(10, &["--trust", "nothing was changed"]);
    let done = copy(&source, &target).run().expect_code(0);
    assert!(
        done.stderr.contains("let through because the source holds it: ") && done.stderr.contains("table"),
        "{}",
        done.stderr
    );
    assert_eq!(target.sql("SELECT a FROM t"), "1");
}

#[test]
fn all_kinds_of_objects_are_copied_within_postgres15() {
    within(postgres15());
}

#[test]
fn all_kinds_of_objects_are_copied_within_postgres18() {
    within(postgres18());
}

#[test]
fn all_kinds_of_objects_are_copied_within_mysql() {
    within(mysql());
}

#[test]
fn all_kinds_of_objects_are_copied_within_mariadb() {
    within(mariadb());
}

#[test]
fn postgres15_is_copied_into_postgres18_and_back() {
    for name in ["objects", "chinook"] {
        let source = loaded(postgres15(), name);
        let (newer, older) = (postgres18().database("newer"), postgres15().database("older"));
        let json = copied(&source, &newer);
        assert!(json["source"]["server_version"].as_str().expect("a version").starts_with("15."), "{json}");
        assert!(json["target"]["client_version"].as_str().expect("a version").starts_with("18."), "{json}");
        assert_eq!(checksum(&newer), checksum(&source));
        // The archive's own version wants a pg_restore 18, and that sets what a server 15 does not know.
        let json = copied(&newer, &older);
        assert_eq!(json["adaptations"][0]["what"], "SET transaction_timeout left out", "{json}");
        assert_same(&source, &older);
    }
}

#[test]
fn mysql_and_mariadb_are_copied_into_each_other() {
    let source = mysql().database("crossing");
    source.sql(
        "CREATE TABLE t (id int PRIMARY KEY, name varchar(20)) DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_general_ci",
    );
    source.sql("INSERT INTO t VALUES (1, 'eins'), (2, '🦀')");
    let (there, back) = (mariadb().database("there"), mysql().database("back"));
    let json = copied(&source, &there);
    assert_eq!((&json["source"]["flavour"], &json["target"]["flavour"]), (&"MySQL".into(), &"MariaDB".into()));
    assert_eq!(checksum(&there), checksum(&source));
    copied(&there, &back);
    assert_eq!(checksum(&back), checksum(&source));
}

#[test]
fn what_the_target_does_not_know_is_found_before_it_is_touched() {
    let (source, target) = (mysql().database("modern"), mariadb().database("target"));
    source.sql("CREATE TABLE t (id int PRIMARY KEY, v varchar(9) COLLATE utf8mb4_0900_as_cs)");
    copy(&source, &target)
        .run()
        .refused(10, &["MariaDB 10.11", "does not know the collation", "utf8mb4_0900_as_cs", "nothing was changed"]);
    // Rows of generated columns: the look has no rows, and takes them for there.
    let (source, target) = (mariadb().database("generated"), mysql().database("target"));
    source.sql("CREATE TABLE t (id int PRIMARY KEY, `twice` int GENERATED ALWAYS AS (id * 2) STORED)");
    source.sql("INSERT INTO t (id) VALUES (1)");
    copy(&source, &target).run().refused(10, &["generated columns", "nothing was changed"]);
    assert_eq!(checksum(&target).len(), 0);
    // The beginning of pg_dump's stream says what its DDL asks for.
    let (source, target) = (postgres18().database("modern"), postgres15().database("target"));
    source.sql("CREATE TABLE t (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) VIRTUAL)");
    copy(&source, &target).run().refused(10, &["public.t", "virtual", "nothing was changed"]);
    assert_eq!(checksum(&target).len(), 0);
}

#[test]
fn options_of_both_sides_are_obeyed() {
    for server in [postgres15(), mysql()] {
        let (source, target) = (server.database("some"), server.database("target"));
        orders(&source);
        source.sql("CREATE TABLE log (id int PRIMARY KEY)");
        source.sql("INSERT INTO log VALUES (1)");
        source.sql("CREATE TABLE other (id int PRIMARY KEY)");
        target.sql("CREATE TABLE old (id int)");
        let options = ["--exclude-table", "other", "--exclude-table-data", "log", "--clean", "schema", "--yes"];
        copy(&source, &target).args(options).run().expect_code(0);
        let rows: Vec<_> = real_rows(&target).into_values().collect();
        assert_eq!(rows, [0, 3], "log and orders");
        // Rows into tables that are there.
        target.sql("DELETE FROM orders");
        let options = ["--data-only", "--into-non-empty", "--table", "orders"];
        copy(&source, &target).args(options).run().expect_code(0);
        assert_eq!(target.sql("SELECT count(*) FROM orders"), "3");
    }
}

#[test]
fn a_target_that_is_not_empty_is_refused() {
    for server in [postgres15(), mysql(), mariadb()] {
        let (source, target) = (server.database("source"), server.database("full"));
        orders(&source);
        target.sql("CREATE TABLE precious (id int)");
        let before = checksum(&target);
        copy(&source, &target).run().refused(10, &["is not empty", "precious", "nothing was changed", "hint: --clean"]);
        assert_eq!(checksum(&target), before);
    }
}

#[test]
fn a_database_is_not_copied_onto_itself_by_whatever_name() {
    for server in [postgres15(), mysql(), mariadb()] {
        let source = server.database("itself");
        orders(&source);
        let other_name = source.uri().replace("@127.0.0.1:", "@localhost:");
        let output = dbhaul().client_dirs([server.client_dir()]);
        let output = output.args(["copy", &source.uri(), &other_name, "--clean", "database", "--yes"]).run();
        output.refused(10, &["the same database", "nothing was changed"]);
        assert_eq!(source.sql("SELECT count(*) FROM orders"), "3");
    }
}

#[test]
fn another_family_is_refused() {
    let (source, target) = (postgres15().database("source"), mysql().database("target"));
    copy(&source, &target).run().refused(10, &["postgresql", "mysql", "nothing was changed"]);
    copy(&target, &source).run().refused(10, &["postgresql", "mysql", "nothing was changed"]);
}

#[test]
fn rights_that_are_missing_on_either_side_are_found_before_anything_starts() {
    let server = postgres15();
    let (source, target) = (server.database("source"), server.database("target"));
    orders(&source);
    server.sql("DROP ROLE IF EXISTS copy_nobody; CREATE ROLE copy_nobody LOGIN PASSWORD 'secret-9Xw'");
    let nobody = |database: &Database<'_>| server.uri_as("copy_nobody", "secret-9Xw", database.name());
    let run = |from: &str, to: &str| dbhaul().client_dirs([server.client_dir()]).args(["copy", from, to]).run();
    run(&nobody(&source), &target.uri()).refused(10, &["table public.orders may not be read"]);
    run(&source.uri(), &nobody(&target)).refused(10, &["copy_nobody may not create", "nothing was changed"]);
    let wrong = target.uri().replace(server.password(), "wrong-password");
    run(&source.uri(), &wrong).refused(4, &["target: "]);
    run(&wrong, &target.uri()).refused(4, &["source: "]);
    assert_eq!(checksum(&target).len(), 0);
    server.sql("DROP ROLE copy_nobody");
}

#[test]
fn each_side_has_a_tunnel_of_its_own() {
    let (source, target) = (postgres15().database("source"), postgres18().database("target"));
    orders(&source);
    let far = |database: &Database<'_>, host: &str| {
        database.uri().replace(&format!("127.0.0.1:{}", database.server().port()), &format!("{host}.invalid:5432"))
    };
    let path = std::env::join_paths([postgres18().client_dir(), "/usr/bin".into()]).expect("folders");
    let run = dbhaul().env("PATH", path).args(["copy", &far(&source, "one"), &far(&target, "two")]);
    run.args(["--tunnel", &postgres15().port().to_string()])
        .args(["--target-tunnel", &postgres18().port().to_string()])
        .run()
        .expect_code(0);
    assert_eq!(target.sql("SELECT count(*) FROM orders"), "3");
}

#[test]
fn a_dry_run_changes_nothing_and_its_pipe_can_be_pasted() {
    // The other version's pg_restore, psql in between, and a list of entries are all in it.
    for (from, to) in [(postgres15(), postgres15()), (postgres18(), postgres15()), (mysql(), mysql())] {
        let (source, target) = (loaded(from, "chinook"), to.database("target"));
        let output = copy(&source, &target).arg("--dry-run").run().expect_code(0);
        assert_eq!(checksum(&target).len(), 0);
        assert!(!output.text().contains(from.password()), "{}", output.text());
        let json = copy(&source, &target).args(["--dry-run", "--json"]).run().expect_code(0).json();
        assert!(json["commands"].as_array().expect("commands").len() >= 2, "{json}");
        if from.flavour() == Flavour::Postgres18 {
            // What this server does not know is filtered on the way, which no shell does.
            assert_eq!(output.text().matches(" |\n").count(), 2, "{}", output.text());
            continue;
        }
        let pasted = output.text().replace("****", from.password());
        let shell = Command::new("bash").args(["-o", "pipefail", "-c", &pasted]).output().expect("run bash");
        assert!(shell.status.success(), "{pasted}\n{}", String::from_utf8_lossy(&shell.stderr));
        assert_eq!(checksum(&target), checksum(&source));
    }
}

/// A folder of clients in which the dumper obeys a script, once the look at the schema is over.
struct Scripted(TempDir);

impl Scripted {
    /// `script` finds the whole dump, as a pipe gets it, in the file `dump`, and half its size in `$half`.
    fn new(source: &Server, target: &Server, script: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let dumper = match source.flavour() {
            Flavour::Mysql => "mysqldump",
            Flavour::Mariadb => "mariadb-dump",
            _ => "pg_dump",
        };
        for loader in ["pg_restore", "psql", "mysql", "mariadb"] {
            // One that reads the archive; `psql` is the target's.
            let of = if loader == "pg_restore" { source } else { target };
            let real = of.client_dir().join(loader);
            if real.exists() {
                symlink(real, folder.path().join(loader)).expect("a link");
            }
        }
        let (real, place) = (source.client_dir().join(dumper), folder.path().display());
        let script = format!(
            "#!/bin/sh\nreal='{}'\ncd '{place}'\n[ \"$1\" = --version ] && exec \"$real\" --version\n\
             if [ ! -e looked ]; then touch looked; exec \"$real\" \"$@\"; fi\n\
             \"$real\" \"$@\" | cat > dump\nhalf=$(($(stat -c %s dump) / 2))\n{script}\n",
            real.display()
        );
        fake_client(folder.path(), dumper, &script);
        Self(folder)
    }

    /// Half a dump, then nothing until there is a file `go`, then the other half.
    fn halting(source: &Server, target: &Server) -> Self {
        let script =
            "head -c $half dump; touch arrived; until [ -e go ]; do sleep 0.02; done; tail -c +$((half + 1)) dump";
        Self::new(source, target, script)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn start(&self, source: &Database<'_>, target: &Database<'_>, temp: &Path) -> Running {
        let dbhaul = dbhaul().client_dirs([self.path()]).env("TMPDIR", temp).env("S", source.uri());
        let mut running = dbhaul.env("T", target.uri()).args(["copy", "env:S", "env:T"]).spawn();
        running.wait_until("half of the dump", |_| self.file("arrived").exists());
        running
    }

    fn run(&self, source: &Database<'_>, target: &Database<'_>) -> Output {
        dbhaul().client_dirs([self.path()]).args(["copy", &source.uri(), &target.uri()]).run()
    }
}

/// More than a pipe holds, so that half of it has reached the target.
fn filled(server: &Server) -> Database<'_> {
    let database = server.database("filled");
    orders(&database);
    database.sql("CREATE TABLE much (id int PRIMARY KEY, text text)");
    if server.flavour().is_postgres() {
        database.sql("INSERT INTO much SELECT n, repeat('x', 1000) FROM generate_series(1, 6000) n");
    } else {
        let rows: Vec<_> = (0..300).map(|n| format!("({n}, repeat('x', 20000))")).collect();
        database.sql(&format!("INSERT INTO much VALUES {}", rows.join(",")));
    }
    database
}

/// Nothing that belongs to this copy is left: processes, sessions, files.
fn nothing_left(children: &[u32], databases: [&Database<'_>; 2], temp: &TempDir) {
    eventually("every process is gone", || !children.iter().any(|&pid| alive(pid)));
    for database in databases {
        eventually("every session is gone", || sessions(database, false) == 0);
    }
    assert_eq!(names(temp.path()), [""; 0]);
}

const ROLLED_BACK: &str = "its transaction was rolled back";
const MAY_BE_CHANGED: &str = "the target may have been changed";

fn killed_source(from: &Server, to: &Server, program: &str, left: &str) {
    let (source, target, temp) = (filled(from), to.database("target"), tempfile::tempdir().expect("a folder"));
    let clients = Scripted::halting(from, to);
    let running = clients.start(&source, &target, temp.path());
    let children = descendants(running.pid());
    kill(child_of(running.pid(), program).expect("the client"));
    running.wait().refused(6, &[&format!("source: {program} was killed by SIGKILL (9)"), left]);
    nothing_left(&children, [&source, &target], &temp);
    if left == ROLLED_BACK {
        assert_eq!(checksum(&target).len(), 0);
    }
}

#[test]
fn a_killed_pg_dump_is_6_and_the_target_is_rolled_back() {
    killed_source(postgres15(), postgres15(), "pg_dump", ROLLED_BACK);
    // Through a decoder and psql.
    killed_source(postgres18(), postgres15(), "pg_dump", ROLLED_BACK);
}

#[test]
fn a_killed_mysqldump_is_6_and_what_may_be_left_is_said() {
    killed_source(mysql(), mysql(), "mysqldump", MAY_BE_CHANGED);
    killed_source(mariadb(), mariadb(), "mariadb-dump", MAY_BE_CHANGED);
}

#[test]
fn a_dump_that_is_whole_but_whose_client_failed_is_not_committed() {
    for (from, to) in [(postgres15(), postgres15()), (postgres18(), postgres18()), (postgres18(), postgres15())] {
        let (source, target) = (filled(from), to.database("target"));
        let temp = tempfile::tempdir().expect("a folder");
        let script = "cat dump; touch arrived; until [ -e go ]; do sleep 0.02; done; echo 'a bad end' >&2; exit 1";
        let clients = Scripted::new(from, to, script);
        let running = clients.start(&source, &target, temp.path());
        // Everything has been loaded that can be: the session waits for us, and goes on waiting.
        let mut looks = 0;
        eventually("the target waits for the rest", || {
            let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'ClientRead' AND datname";
            looks = if to.sql(&format!("{waits} = '{}'", target.name())) == "1" { looks + 1 } else { 0 };
            looks == 20
        });
        fs::write(clients.file("go"), "").expect("write");
        let output = running.wait();
        output.refused(6, &["source: pg_dump ended with exit code 1", "a bad end", ROLLED_BACK]);
        assert_eq!(checksum(&target).len(), 0);
        // The other way round: it reports success, and the end is missing.
        let clients = Scripted::new(from, to, "head -c $half dump");
        clients.run(&source, &target).refused(6, &["source: the dump is not complete, although", ROLLED_BACK]);
        assert_eq!(checksum(&target).len(), 0);
    }
}

#[test]
fn half_a_dump_of_mysql_is_6_although_its_client_reports_success() {
    let (source, target) = (filled(mysql()), mysql().database("target"));
    let clients = Scripted::new(mysql(), mysql(), "head -c $half dump");
    clients.run(&source, &target).refused(6, &["source: the dump is not complete, although", MAY_BE_CHANGED]);
}

/// Clients whose dumper says this to the source before each run, the first look excepted.
fn meddling(statement: &str) -> Scripted {
    let clients = Scripted::new(postgres15(), postgres15(), "");
    let script = fs::read_to_string(clients.file("pg_dump")).expect("the script");
    let psql = format!(
        "./psql --no-psqlrc --quiet -d \"$(printf '%s\\n' \"$@\" | sed -n 's/^--dbname=//p')\" -c \"{statement}\"\n"
    );
    let script = script.replace("\"$real\" \"$@\" |", &format!("{psql}\"$real\" \"$@\" |"));
    fake_client(clients.path(), "pg_dump", &script.replace("half=", "cat dump; half="));
    clients
}

#[test]
fn a_schema_that_changes_between_the_look_and_the_copy_is_6_and_the_target_unchanged() {
    let (source, target) = (filled(postgres15()), postgres15().database("target"));
    // The copy begins again once, and finds it changed once more.
    let clients = meddling("CREATE TABLE late_$$ ()");
    clients.run(&source, &target).refused(6, &["the schema was changed between", ROLLED_BACK]);
    assert_eq!(checksum(&target).len(), 0);
}

#[test]
fn a_schema_that_changes_once_makes_the_copy_begin_again() {
    let (source, target) = (filled(postgres15()), postgres15().database("target"));
    let clients = meddling("CREATE TABLE IF NOT EXISTS late ()");
    let output = dbhaul().client_dirs([clients.path()]).args(["copy", "--json", &source.uri(), &target.uri()]).run();
    let result: Value = serde_json::from_str(output.expect_code(0).text().trim()).expect("one JSON object");
    assert!(checksum(&target).contains_key("public.late"));
    assert_eq!(checksum(&target), checksum(&source));
    // What was read in vain is not counted.
    assert_eq!(result["bytes"], fs::metadata(clients.file("dump")).expect("the last dump").len());
}

fn stopped_target(flavour: Flavour, left: &str) {
    let from = if flavour == Flavour::Mysql { mysql() } else { postgres15() };
    let to = Server::start(flavour);
    let (source, temp) = (filled(from), tempfile::tempdir().expect("a folder"));
    let clients = Scripted::halting(from, &to);
    let target = to.database("target");
    let running = clients.start(&source, &target, temp.path());
    let children = descendants(running.pid());
    std::mem::forget(target);
    to.stop();
    fs::write(clients.file("go"), "").expect("write");
    running.wait().refused(7, &["target: ", "ended with exit code", left]);
    eventually("every process is gone", || !children.iter().any(|&pid| alive(pid)));
    eventually("every session is gone", || sessions(&source, false) == 0);
    assert_eq!(names(temp.path()), [""; 0]);
}

#[test]
fn a_postgres_target_that_goes_away_in_the_middle_is_7() {
    stopped_target(Flavour::Postgres15, ROLLED_BACK);
}

#[test]
fn a_mysql_target_that_goes_away_in_the_middle_is_7() {
    stopped_target(Flavour::Mysql, MAY_BE_CHANGED);
}

#[test]
fn a_row_that_the_target_refuses_is_7_and_the_target_is_to_blame() {
    let (source, target) = (filled(postgres15()), postgres15().database("target"));
    target.sql("CREATE TABLE much (id int PRIMARY KEY CHECK (id < 10), text text)");
    let run = copy(&source, &target).args(["--data-only", "--into-non-empty", "--table", "much"]).run();
    run.refused(7, &["target: pg_restore ended with exit code 1", "much_id_check", ROLLED_BACK]);
    assert_eq!(target.sql("SELECT count(*) FROM much"), "0");
}

fn interrupted(server: &Server, signal: Signal, code: i32, left: &str) {
    let (source, target, temp) = (filled(server), server.database("target"), tempfile::tempdir().expect("a folder"));
    let clients = Scripted::halting(server, server);
    let running = clients.start(&source, &target, temp.path());
    let children = descendants(running.pid());
    // Nobody sees a password: neither in a command line nor in an environment.
    for pid in &children {
        for file in ["cmdline", "environ"] {
            let text = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            assert!(!String::from_utf8_lossy(&text).contains(server.password()), "{file} of {pid}");
        }
    }
    running.signal(signal);
    let output = running.wait().refused(code, &["was stopped by SIG", left]);
    assert!(!output.stderr.contains(server.password()), "{}", output.stderr);
    nothing_left(&children, [&source, &target], &temp);
    if left == ROLLED_BACK {
        assert_eq!(checksum(&target).len(), 0);
    }
}

#[test]
fn int_and_term_end_a_copy_of_postgres_and_it_is_rolled_back() {
    interrupted(postgres15(), Signal::INT, 130, ROLLED_BACK);
    interrupted(postgres18(), Signal::TERM, 143, ROLLED_BACK);
}

#[test]
fn int_ends_a_copy_of_mysql_and_what_may_be_left_is_said() {
    interrupted(mysql(), Signal::INT, 130, MAY_BE_CHANGED);
    interrupted(mariadb(), Signal::TERM, 143, MAY_BE_CHANGED);
}

#[test]
fn a_silent_source_is_11_and_named() {
    let (source, target) = (filled(postgres15()), postgres15().database("target"));
    let clients = Scripted::halting(postgres15(), postgres15());
    let run =
        dbhaul().client_dirs([clients.path()]).args(["copy", &source.uri(), &target.uri(), "--idle-timeout", "1"]);
    run.run().refused(11, &["source: pg_dump moved no byte for 1 s", ROLLED_BACK]);
    assert_eq!(checksum(&target).len(), 0);
}

#[test]
fn a_target_that_works_for_long_makes_nobody_give_up() {
    let (source, target) = (filled(postgres15()), postgres15().database("target"));
    // More than all pipes and sockets on the way hold: the source's client has to wait, too.
    source.sql("INSERT INTO much SELECT n, repeat('x', 1000) FROM generate_series(6001, 40000) n");
    target.sql("CREATE TABLE much (id int PRIMARY KEY, text text)");
    target.sql(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(8); RETURN new; END $$;
         CREATE TRIGGER slow BEFORE INSERT ON much FOR EACH ROW WHEN (new.id = 1) EXECUTE FUNCTION slow()",
    );
    let options = ["--data-only", "--into-non-empty", "--table", "much", "--idle-timeout", "3"];
    copy(&source, &target).args(options).run().expect_code(0);
    assert_eq!(target.sql("SELECT count(*) FROM much"), "40000");
}

#[test]
fn a_large_copy_takes_little_memory() {
    let (source, target) = (postgres15().database("large"), postgres15().database("target"));
    source.sql("CREATE TABLE t AS SELECT n, repeat(md5(n::text), 30) AS text FROM generate_series(1, 100000) n");
    let mut running = copy(&source, &target).spawn();
    let mut most = 0;
    while running.is_running() {
        most = most.max(peak(running.pid()).unwrap_or(0));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let output = running.wait().expect_code(0);
    assert!(most < 64 * 1024, "{most} KiB");
    let done = output.stderr.lines().last().expect("a line");
    assert!(done.starts_with("done") && done.contains("1 table, 100,000 rows") && done.ends_with("complete"), "{done}");
    assert_eq!(checksum(&target), checksum(&source));
}
