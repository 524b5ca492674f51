//! Dumps of MySQL and MariaDB by several sessions: byte for byte what the client alone would have written, all of one
//! moment, and every promise of the dump by one.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::{
    dump::postgres_jobs::moment::Writers,
    memory::within,
    restore::mysql_jobs::everything,
    roundtrip::{assert_same, dumped, manifest, member, restored, with_clients_of},
    support::{
        Database, Dbhaul, Disk, Flavour, Lock, Server, alive, dbhaul, descendants, eventually, fake_client, mariadb,
        mysql, names, sessions, shared,
    },
};

/// What a dump says of the time and of whether rows were read by several.
const NOTE: &str = "one client reads";

/// The dump in an archive, without the time in its last line.
fn sql(archive: &Path) -> Vec<u8> {
    let mut sql = member(archive, "*/dump.sql");
    let at = memchr::memmem::rfind(&sql, b"-- Dump completed on ").expect("a last line");
    sql.truncate(at);
    sql
}

/// Panics with the first line that differs: dumps are long.
fn assert_same_sql(several: &[u8], one: &[u8], what: &str) {
    if several == one {
        return;
    }
    let lines = |sql: &[u8]| String::from_utf8_lossy(sql).lines().map(str::to_owned).collect::<Vec<_>>();
    let (several, one) = (lines(several), lines(one));
    let differs = several.iter().zip(&one).position(|(a, b)| a != b).unwrap_or(several.len().min(one.len()));
    let cut =
        |lines: &[String]| lines.get(differs).map_or("<the end>".into(), |l| l.chars().take(300).collect::<String>());
    panic!("{what}, line {differs}:\n  several: {}\n  one:     {}", cut(&several), cut(&one));
}

/// Each table with its rows and their checksum. Its size is an estimate of the server's, who renews it now and then.
fn tables(archive: &Path) -> Vec<String> {
    let manifest = manifest(archive);
    let tables = manifest["tables"].as_array().expect("tables").iter();
    tables.map(|table| format!("{} {} {}", table["name"], table["rows"], table["checksum"])).collect()
}

/// The archive of a dump by several sessions indeed.
fn by_several(source: &Database<'_>, folder: &TempDir, args: &[&str]) -> PathBuf {
    let dump = with_clients_of(source.server()).args(["dump", &source.uri()]).args(args).cwd(folder.path());
    let output = dump.run().expect_code(0);
    assert!(!output.stderr.contains(NOTE) && !output.stderr.contains("begun again"), "{}", output.stderr);
    folder.path().join(output.text().trim())
}

/// All that these servers can hold, and what leaves out the tables that are left to one client: those of engines without
/// transactions, unless they can be `InnoDB`'s, and those with a history.
fn transactional<'s>(server: &'s Server, name: &str) -> (Database<'s>, Vec<String>) {
    let database = everything(server, name);
    let others = database.server().sql(&format!(
        "SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = '{}' \
         AND (TABLE_TYPE = 'BASE TABLE' AND ENGINE <> 'InnoDB' OR TABLE_TYPE = 'SYSTEM VERSIONED')",
        database.name()
    ));
    let mut without = Vec::new();
    for (table, kind) in others.lines().filter_map(|line| line.split_once('\t')) {
        let altered = database.try_sql(&format!("ALTER TABLE {} ENGINE=InnoDB", server.quote(table)));
        if kind != "BASE TABLE" || altered.is_err() {
            without.extend(["--exclude-table".to_owned(), format!("\"{table}\"")]);
        }
    }
    (database, without)
}

/// By one client and by several sessions.
fn same_by_several(source: &Database<'_>, args: &[&str], jobs: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, _) = dumped(source, &folder, args);
    for jobs in jobs {
        let several = by_several(source, &folder, &[args, &["--jobs", jobs]].concat());
        assert_same_sql(&sql(&several), &sql(&one), &format!("{} {args:?}, {jobs} jobs", source.name()));
        assert_eq!(tables(&several), tables(&one));
        assert_eq!(manifest(&several)["consistency"], manifest(&one)["consistency"]);
    }
}

fn every_fixture(server: &Server, names: &[&str]) {
    for name in names {
        let (source, without) = transactional(server, name);
        same_by_several(&source, &without.iter().map(String::as_str).collect::<Vec<_>>(), &["3"]);
    }
}

#[test]
fn several_sessions_write_what_mysqldump_writes_byte_for_byte() {
    every_fixture(mysql(), &["objects", "keys", "chinook", "matrix"]);
}

#[test]
fn several_sessions_write_what_mariadb_dump_writes_byte_for_byte() {
    every_fixture(mariadb(), &["objects", "keys", "chinook", "matrix"]);
}

#[test]
fn several_sessions_write_what_other_mariadb_dumps_write_byte_for_byte() {
    for flavour in [Flavour::Mariadb105, Flavour::Mariadb114, Flavour::Mariadb118] {
        every_fixture(shared(flavour), &["keys", "chinook", "matrix"]);
    }
}

/// Tables of some megabytes each, with every kind of key that a table is or isn't divided by.
fn large(database: &Database<'_>) {
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)";
    let body = "REPEAT(CONCAT('\\'', i, '\\n'), 200)";
    let deep = if database.server().flavour() == Flavour::Mysql {
        "cte_max_recursion_depth"
    } else {
        "max_recursive_iterations"
    };
    database.sql(&format!(
        "SET SESSION {deep} = 10000;
         CREATE TABLE plain (id int PRIMARY KEY AUTO_INCREMENT, t text NOT NULL);
         CREATE TABLE gaps (id bigint unsigned PRIMARY KEY, t text NOT NULL);
         CREATE TABLE negative (id smallint, other varchar(20), t text NOT NULL, PRIMARY KEY (id, other));
         CREATE TABLE named (id varchar(20) PRIMARY KEY, t text NOT NULL);
         CREATE TABLE keyless (t text NOT NULL);
         CREATE TABLE parts (id int PRIMARY KEY, t text NOT NULL) PARTITION BY HASH (id) PARTITIONS 3;
         CREATE TABLE computed (id int PRIMARY KEY, twice int AS (id * 2) STORED, t text NOT NULL);
         CREATE TABLE nothing (id int PRIMARY KEY);
         INSERT INTO plain (t) {rows} SELECT {body} FROM n;
         INSERT INTO gaps {rows} SELECT IF(i < 1000, i, 18446744073709550000 - i), {body} FROM n;
         INSERT INTO negative {rows} SELECT i - 1000, CONCAT('b', i), {body} FROM n;
         INSERT INTO negative {rows} SELECT i - 1000, CONCAT('a', i), 'x' FROM n WHERE i < 100;
         INSERT INTO named {rows} SELECT CONCAT('k', i), {body} FROM n;
         INSERT INTO keyless SELECT t FROM plain;
         INSERT INTO parts SELECT id, t FROM plain;
         INSERT INTO computed (id, t) SELECT id, t FROM plain;
         ANALYZE TABLE plain, gaps, negative, named, keyless, parts, computed"
    ));
}

#[test]
fn large_tables_are_divided_and_come_out_in_their_order() {
    for server in [mysql(), mariadb()] {
        let source = server.database("large");
        large(&source);
        same_by_several(&source, &[], &["2", "5"]);
        same_by_several(&source, &["--data-only", "--exclude-table-data", "g*"], &["2"]);
        same_by_several(&source, &["--table", "plain", "--table", "nothing"], &["8"]);
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, _) = dumped(&source, &folder, &["--jobs", "3"]);
        let target = server.database("large");
        restored(&archive, &target, &[]);
        assert_same(&source, &target);
    }
}

#[test]
fn a_copy_by_several_jobs_is_the_same() {
    for server in [mysql(), mariadb()] {
        let source = server.database("large");
        large(&source);
        let target = server.database("copy");
        let copy = || with_clients_of(server).args(["copy", &source.uri(), &target.uri(), "--jobs", "3"]);
        let planned = copy().arg("--dry-run").run().expect_code(0);
        assert!(planned.text().contains("# 3 sessions of dbhaul's own read the rows"), "{}", planned.text());
        copy().run().expect_code(0);
        assert_same(&source, &target);
    }
}

/// Moves money and rows between tables, each time in one transaction. Some wait before they commit.
const MOVE: &str = "CREATE PROCEDURE move() BEGIN
    DECLARE a, b, amount int;
    DECLARE CONTINUE HANDLER FOR SQLEXCEPTION ROLLBACK;
    LOOP
        SET a = 1 + FLOOR(RAND() * 3), b = 1 + a % 3, amount = FLOOR(RAND() * 100);
        START TRANSACTION;
        SET @take = CONCAT('UPDATE account_', a, ' SET amount = amount - ', amount, ' ORDER BY id DESC LIMIT 1');
        PREPARE s FROM @take; EXECUTE s;
        SET @give = CONCAT('UPDATE account_', b, ' SET amount = amount + ', amount, ' ORDER BY id LIMIT 1');
        PREPARE s FROM @give; EXECUTE s;
        IF RAND() < 0.05 THEN DO SLEEP(0.02); END IF;
        INSERT INTO moves VALUES (NULL);
        COMMIT;
        DO SLEEP(0.002); -- Others need the processor, too.
    END LOOP;
END";

fn total(database: &Database<'_>) -> String {
    let all: Vec<_> = (1..=3).map(|n| format!("SELECT amount FROM account_{n}")).collect();
    database.sql(&format!("SELECT COUNT(*), SUM(amount) FROM ({}) every", all.join(" UNION ALL ")))
}

/// `DBHAUL_MOMENTS=100` makes it so many rounds.
fn how_many() -> u32 {
    std::env::var("DBHAUL_MOMENTS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(4)
}

#[expect(clippy::print_stdout, reason = "how many rounds there were is asked for with --nocapture")]
fn rounds(server: &Server, jobs: &str) {
    let source = server.database("moment");
    source.sql("CREATE TABLE moves (n int PRIMARY KEY AUTO_INCREMENT)");
    for n in 1..=3 {
        source.sql(&format!("CREATE TABLE account_{n} (id int PRIMARY KEY AUTO_INCREMENT, amount int NOT NULL)"));
        source.sql(&format!("INSERT INTO account_{n} (amount) VALUES {}", vec!["(1000)"; 300].join(",")));
    }
    source.sql(&format!("DELIMITER ;;\n{MOVE};;\n"));
    let wanted = total(&source);
    let writers = Writers::on(&source);
    let moves = || source.sql("SELECT COUNT(*) FROM moves").parse::<u64>().expect("a count");
    eventually("rows are moved", || moves() > 10);
    let mut round = 0;
    while round < how_many() {
        let folder = tempfile::tempdir().expect("a folder");
        let before = moves();
        let archive = by_several(&source, &folder, &["--jobs", jobs]);
        if moves() == before {
            // Whoever moves rows had no turn: that proves nothing.
            continue;
        }
        let target = server.database("moment");
        restored(&archive, &target, &[]);
        assert_eq!(total(&target), wanted, "round {round}");
        round += 1;
    }
    drop(writers);
    source.end_sessions();
    println!("{round} rounds by {jobs} sessions of {}", server.flavour().name());
}

#[test]
fn what_several_sessions_read_is_one_moment_on_mysql() {
    rounds(mysql(), "3");
}

#[test]
fn what_several_sessions_read_is_one_moment_on_mariadb() {
    rounds(mariadb(), "3");
    rounds(shared(Flavour::Mariadb118), "2");
}

/// A dump that takes long to be written, so that it is in the middle until somebody ends it.
fn slow(database: &Database<'_>, folder: &TempDir) -> Dbhaul {
    with_clients_of(database.server()).args(["dump", &database.uri(), "--jobs", "3"]).cwd(folder.path())
}

/// How many sessions have begun to see the database.
fn begun(database: &Database<'_>) -> usize {
    let server = database.server();
    let list = server.flavour().processlist();
    let query = format!(
        "SELECT COUNT(*) FROM information_schema.INNODB_TRX t JOIN {list} p ON p.id = t.trx_mysql_thread_id \
         WHERE p.db = '{}'",
        database.name()
    );
    // InnoDB answers as before to whoever asked within the last tenth of a second.
    std::thread::sleep(std::time::Duration::from_millis(120));
    server.sql(&query).parse().expect("a number")
}

/// A dump whose readers wait, because the client's output goes nowhere yet.
fn in_the_middle<'s>(server: &'s Server, folder: &TempDir) -> (Database<'s>, TempDir, crate::support::Running) {
    let database = server.database("ends");
    large(&database);
    let clients = tempfile::tempdir().expect("a folder");
    let name = server.flavour().family().dump();
    let real = server.client_dir().join(name).display().to_string();
    // Stops in the middle of the third table's definition; what stands before that goes out.
    let script = format!(
        "#!/bin/bash\n[ \"$1\" = --version ] && exec '{real}' --version\n\
         '{real}' \"$@\" | (grep -m1 -B1000 'CREATE TABLE `keyless`'; sleep 1000)\n"
    );
    fake_client(clients.path(), name, &script);
    let dump = dbhaul().args(["dump", &database.uri(), "--jobs", "3"]).client_dirs([clients.path()]);
    let mut running = dump.cwd(folder.path()).spawn();
    running.wait_until("the client is at work", |running| descendants(running.pid()).len() >= 3);
    (database, clients, running)
}

fn nothing_is_left(database: &Database<'_>, folder: &TempDir, children: &[u32]) {
    eventually("every process is gone", || !children.iter().any(|&pid| alive(pid)));
    eventually("every session is gone", || sessions(database, false) == 0);
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn term_and_int_end_all_sessions() {
    for (signal, code, words) in [(Signal::TERM, 143, "stopped by SIGTERM"), (Signal::INT, 130, "stopped by SIGINT")] {
        for server in [mysql(), mariadb()] {
            let folder = tempfile::tempdir().expect("a folder");
            let (database, _clients, running) = in_the_middle(server, &folder);
            let children = descendants(running.pid());
            running.signal(signal);
            running.wait().refused(code, &[words]);
            nothing_is_left(&database, &folder, &children);
        }
    }
}

#[test]
fn a_client_that_is_killed_ends_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let (database, _clients, running) = in_the_middle(mysql(), &folder);
    let children = descendants(running.pid());
    crate::support::kill(*children.first().expect("a client"));
    running.wait().refused(6, &["was killed by SIGKILL"]);
    nothing_is_left(&database, &folder, &children);
}

#[test]
fn a_client_that_is_silent_ends_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = mysql().database("ends");
    database.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let clients = tempfile::tempdir().expect("a folder");
    let real = mysql().client_dir().join("mysqldump").display().to_string();
    fake_client(
        clients.path(),
        "mysqldump",
        &format!(
            "#!/bin/bash\n[ \"$1\" = --version ] && exec '{real}' --version\necho '-- MySQL dump'\nexec sleep 1000\n"
        ),
    );
    let dump = dbhaul().args(["dump", &database.uri(), "--jobs", "2", "--idle-timeout", "2"]);
    dump.client_dirs([clients.path()]).cwd(folder.path()).run().refused(11, &["moved no byte for 2 s"]);
    nothing_is_left(&database, &folder, &[]);
}

/// Reading is kept waiting by a full pipe that nobody empties.
#[test]
fn a_session_that_is_killed_ends_all_and_its_table_is_named() {
    for server in [mysql(), mariadb()] {
        let database = server.database("ends");
        large(&database);
        let folder = tempfile::tempdir().expect("a folder");
        let dump = slow(&database, &folder).args(["-o", "-", "--compression", "none"]);
        let fifo = tempfile::tempdir().expect("a folder");
        let path = fifo.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().expect("run mkfifo").success());
        let held = fs::File::options().read(true).write(true).open(&path).expect("a pipe");
        let running = dump.output_file(fs::File::options().write(true).open(&path).expect("a pipe")).spawn();
        eventually("all sessions have begun", || begun(&database) >= 3);
        // Not the last to come, which may be the client's: it asks for definitions meanwhile, and would say so first.
        let list = server.flavour().processlist();
        let ids = server.sql(&format!("SELECT id FROM {list} WHERE db = '{}' ORDER BY id DESC", database.name()));
        let killed = ids.lines().skip(1).filter(|id| database.try_sql(&format!("KILL CONNECTION {id}")).is_ok());
        // The first may end the others.
        assert!(killed.count() > 0, "{ids}");
        // Now what has been read goes out, and the end is noticed.
        let reader = std::thread::spawn(move || {
            let mut held = held;
            let mut buffer = vec![0; 1 << 16];
            while std::io::Read::read(&mut held, &mut buffer).is_ok_and(|count| count > 0) {}
        });
        running.wait().refused(6, &["the rows of table", "could not be read"]);
        eventually("every session is gone", || sessions(&database, false) == 0);
        drop(reader);
    }
}

#[test]
fn a_disk_that_is_full_ends_all_sessions() {
    let database = mysql().database("ends");
    large(&database);
    let disk = Disk::mount("size=1m");
    let dump = with_clients_of(mysql()).args(["dump", "--jobs", "4", &database.uri(), "--compression", "none", "-o"]);
    let output = dump.arg(format!("{}/", disk.path().display())).run();
    output.refused(9, &["No space left on device", "nothing was published"]);
    assert_eq!(names(disk.path()), [""; 0]);
    eventually("every session is gone", || sessions(&database, false) == 0);
}

#[test]
fn a_table_that_is_locked_for_ever_is_named() {
    let database = mysql().database("ends");
    large(&database);
    let folder = tempfile::tempdir().expect("a folder");
    let lock = Lock::on(&database, "named");
    let output = slow(&database, &folder).args(["--idle-timeout", "5"]).run();
    // Neither lock can be had while somebody else holds one for writing: one client reads, and waits for its own.
    assert!(output.stderr.contains(NOTE), "{}", output.stderr);
    output.refused(6, &["named"]);
    drop(lock);
    nothing_is_left(&database, &folder, &[]);
}

#[test]
fn a_row_that_is_too_long_for_a_session_is_read_by_the_client() {
    let database = mysql().database("long");
    database.sql(
        "CREATE TABLE t (id int PRIMARY KEY, b longblob); INSERT INTO t VALUES (1, 'x'), (2, REPEAT('y', 6000000))",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, json) = dumped(&database, &folder, &["--jobs", "2"]);
    let warnings = json["warnings"].to_string();
    assert!(warnings.contains("begun again, once") && warnings.contains("longer than the 4 MiB"), "{json}");
    let target = mysql().database("long");
    restored(&archive, &target, &[]);
    assert_same(&database, &target);
    // What went down a stream can't be taken back.
    let output = slow(&database, &folder).args(["-o", "-"]).run().expect_code(6);
    let said = &output.stderr;
    assert!(said.contains("a row is longer than the 2 MiB") && said.contains("--jobs 1"), "{said}");
    same_by_several(&database, &["--exclude-table-data", "t"], &[]);
}

/// A mysqldump behind whose definition of table b this is done, the first time alone.
pub fn altering(database: &Database<'_>, clients: &Path, statement: &str) {
    let shell = database.client("mysql");
    let words: Vec<_> = shell.get_args().map(|word| format!("'{}'", word.to_string_lossy())).collect();
    let alter = format!(
        "MYSQL_PWD='{}' timeout {} {} -e \"{statement}\"",
        mysql().password(),
        words.join(" "),
        database.name()
    );
    let real = mysql().client_dir().join("mysqldump").display().to_string();
    fs::write(clients.join("alter"), alter).expect("write");
    let script = format!(
        "#!/bin/bash\n[ \"$1\" = --version ] && exec '{real}' --version\nhere='{}'\n\
         '{real}' \"$@\" | while IFS= read -r line; do\n\
         if [ \"$line\" = 'LOCK TABLES `b` WRITE;' ] && mkdir \"$here/once\" 2>/dev/null; then bash \"$here/alter\"; fi\n\
         printf '%s\\n' \"$line\"; done\n",
        clients.display()
    );
    fake_client(clients, "mysqldump", &script);
}

#[test]
fn a_table_that_is_altered_in_between_makes_the_dump_begin_again() {
    let database = mysql().database("altered");
    database.sql("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); INSERT INTO b VALUES (1)");
    let clients = tempfile::tempdir().expect("a folder");
    let folder = tempfile::tempdir().expect("a folder");
    altering(&database, clients.path(), "ALTER TABLE b ADD COLUMN v int");
    let dump = dbhaul().args(["dump", &database.uri(), "--jobs", "2", "--json"]).client_dirs([clients.path()]);
    let json = dump.cwd(folder.path()).run().expect_code(0).json();
    let warnings = json["warnings"].to_string();
    assert!(warnings.contains("begun again, once") && warnings.contains("definition has changed"), "{json}");
    let target = mysql().database("altered");
    restored(&folder.path().join(json["archive"].as_str().expect("a path")), &target, &[]);
    assert_same(&database, &target);
}

#[test]
fn who_may_lock_nothing_reads_by_one_client_and_is_told_so() {
    for server in [mysql(), mariadb()] {
        let database = server.database("limited");
        database.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)");
        let user = format!("u_{}", database.name()).chars().take(30).collect::<String>();
        server.sql(&format!(
            "CREATE USER '{user}'@'%' IDENTIFIED BY 'p'; GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON `{}`.* TO '{user}'@'%'",
            database.name()
        ));
        let folder = tempfile::tempdir().expect("a folder");
        let uri = server.uri_as(&user, "p", database.name());
        let dump = with_clients_of(server).args(["dump", &uri, "--jobs", "2", "--json", "--allow-incomplete"]);
        let output = dump.cwd(folder.path()).run().expect_code(0);
        assert!(output.stderr.contains(NOTE) && output.stderr.contains("denied"), "{}", output.stderr);
        assert_eq!(output.json()["rows"], 2);
        server.sql(&format!("DROP USER '{user}'@'%'"));
    }
}

#[test]
fn what_several_sessions_can_not_do_is_refused_or_left_to_one_client() {
    let database = mysql().database("refused");
    let folder = tempfile::tempdir().expect("a folder");
    database
        .sql("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE m (id int) ENGINE=MyISAM; INSERT INTO a VALUES (1)");
    let run = |args: &[&str]| slow(&database, &folder).args(args).run();
    run(&["--", "--where=1"]).refused(2, &["arguments after --"]);
    for (args, why) in [(&[][..], "tables without transactions"), (&["--schema-only"], "--jobs divides rows")] {
        let output = run(args).expect_code(0);
        assert!(output.stderr.contains(why), "{}", output.stderr);
    }
    let output = run(&["--exclude-table", "m", "--dry-run"]).expect_code(0);
    assert!(
        output.text().contains("--where=0") && output.text().contains("# 3 sessions of dbhaul's own"),
        "{}",
        output.text()
    );
}

#[test]
fn eight_sessions_fit_into_the_memory() {
    let source = mysql().database("memory");
    large(&source);
    let mut troubles = Vec::new();
    for compression in ["gzip", "none"] {
        let folder = tempfile::tempdir().expect("a folder");
        let dump = with_clients_of(mysql()).args(["dump", "--jobs", "8", "--compression", compression, &source.uri()]);
        within(&mut troubles, compression, dump.cwd(folder.path())).expect_code(0);
    }
    assert!(troubles.is_empty(), "{}", troubles.join("\n"));
}
