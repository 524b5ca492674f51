//! Settings of MySQL's and MariaDB's servers: what a dump and a restore come to does not depend on them.
//! `docs/settings-mysql.md` sorts them all.

use std::{collections::BTreeMap, fs, path::Path};

use tempfile::TempDir;

use crate::{
    roundtrip::{dumped, manifest, member, with_clients_of},
    support::{Database, Flavour, Output, Server, checksum, mariadb, mysql, root, schema, shared},
};

/// What is tried while a setting is otherwise: each takes its time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    Both,
    Restore,
}

/// Each pinned setting, and another value that a server may have for it.
pub(super) const OTHERS: &[(&str, &str, Run)] = &[
    ("sql_select_limit", "2", Run::Both),
    ("sql_big_selects", "OFF", Run::Both),
    ("sql_buffer_result", "ON", Run::Both),
    ("system_versioning_asof", "'2001-01-01'", Run::Both),
    ("max_execution_time", "200", Run::Both),
    ("max_statement_time", "0.2", Run::Both),
    ("idle_transaction_timeout", "1", Run::Both),
    ("idle_readonly_transaction_timeout", "1", Run::Both),
    ("idle_write_transaction_timeout", "1", Run::Both),
    ("autocommit", "OFF", Run::Both),
    ("completion_type", "2", Run::Both),
    ("transaction_isolation", "'READ-UNCOMMITTED'", Run::Both),
    ("tx_isolation", "'READ-UNCOMMITTED'", Run::Both),
    ("transaction_read_only", "ON", Run::Both),
    ("tx_read_only", "ON", Run::Both),
    ("sql_auto_is_null", "ON", Run::Both),
    ("sql_safe_updates", "ON", Run::Both),
    ("character_set_client", "latin1", Run::Both),
    ("character_set_connection", "latin1", Run::Both),
    ("character_set_results", "latin1", Run::Both),
    ("collation_connection", "latin1_bin", Run::Both),
    ("sql_mode", "'ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,PIPES_AS_CONCAT,NO_ZERO_DATE'", Run::Both),
    ("time_zone", "'+09:00'", Run::Both),
    ("sql_quote_show_create", "OFF", Run::Both),
    ("show_gipk_in_create_table_and_information_schema", "OFF", Run::Both),
    ("show_create_table_skip_secondary_engine", "ON", Run::Both),
    ("show_create_table_verbosity", "ON", Run::Both),
    ("terminology_use_previous", "'BEFORE_8_2_0'", Run::Both),
    ("sql_generate_invisible_primary_key", "ON", Run::Restore),
    ("restrict_fk_on_non_standard_key", "ON", Run::Restore),
    ("innodb_strict_mode", "ON", Run::Restore),
    ("explicit_defaults_for_timestamp", "OFF", Run::Restore),
    ("old_mode", "''", Run::Restore),
    ("character_set_collations", "'utf8mb4=utf8mb4_unicode_ci,utf8mb3=utf8mb3_unicode_ci'", Run::Restore),
    ("default_collation_for_utf8mb4", "utf8mb4_general_ci", Run::Restore),
    ("alter_algorithm", "'INSTANT'", Run::Restore),
    ("innodb_compression_default", "ON", Run::Restore),
    ("mhnsw_default_distance", "cosine", Run::Restore),
    ("mhnsw_default_m", "12", Run::Restore),
    ("default_week_format", "3", Run::Restore),
    ("div_precision_increment", "9", Run::Restore),
    ("lc_time_names", "fr_FR", Run::Restore),
    ("block_encryption_mode", "'aes-256-ecb'", Run::Restore),
    ("default_regex_flags", "'DOTALL'", Run::Restore),
];

/// Settings that `SET GLOBAL` doesn't give to a session that logs in: `init_connect` does.
pub(super) const BY_INIT_CONNECT: [&str; 4] =
    ["character_set_client", "character_set_connection", "character_set_results", "collation_connection"];

/// Some of everything that a setting could change.
pub(super) fn content(database: &Database<'_>) {
    let mut sql = String::from(
        "CREATE TABLE people (id int PRIMARY KEY AUTO_INCREMENT, name varchar(40) CHARACTER SET utf8mb4, pad char(5),
             at timestamp NOT NULL, seen timestamp NULL DEFAULT '2001-02-03 04:05:06', born date, a decimal(9,2), b int,
             share decimal(30,12) AS (a / b) STORED, KEY (name)) CHARACTER SET utf8mb4;
         INSERT INTO people (name, pad, at, born, a, b) VALUES ('é€😀', 'x', '2020-01-01 00:00:01', '2024-01-01', 1, 3),
             ('it''s', '', '2020-06-01 00:00:01', '2023-12-31', 2, 3), ('back\\\\slash', 'y', '2021-01-01 00:00:01', NULL, NULL, 7),
             ('line\\nfeed', 'z', '2021-01-01 00:00:01', '2025-06-01', 10, 7), (NULL, NULL, '1971-01-01 00:00:01', NULL, 0, 1);
         CREATE TABLE orders (id int PRIMARY KEY, person int, total decimal(9,2), CHECK (total >= 0),
             CONSTRAINT of_person FOREIGN KEY (person) REFERENCES people (id));
         INSERT INTO orders VALUES (1, 1, 10.5), (2, 1, 0), (3, 5, NULL);
         CREATE TABLE keyless (v int, t text, b blob); INSERT INTO keyless VALUES (1, 'x', x'00ff27'), (1, 'x', x'00ff27'), (2, NULL, NULL);
         CREATE TABLE old_text (t varchar(20)) CHARACTER SET latin1; INSERT INTO old_text VALUES ('\u{e9}'), ('b'), ('c');
         CREATE VIEW named AS SELECT name, a / b AS share FROM people WHERE name IS NOT NULL;
         CREATE VIEW totals AS SELECT person, SUM(total) AS total FROM orders GROUP BY person;
         CREATE TRIGGER t_one BEFORE INSERT ON orders FOR EACH ROW SET NEW.total = ABS(NEW.total);
         CREATE TRIGGER t_two AFTER INSERT ON orders FOR EACH ROW SET @x = 'é';
         CREATE TRIGGER t_three BEFORE DELETE ON orders FOR EACH ROW SET @x = \"q\";
         CREATE FUNCTION one() RETURNS int DETERMINISTIC RETURN 1;
         CREATE FUNCTION two(s varchar(9)) RETURNS varchar(9) CHARACTER SET utf8mb4 DETERMINISTIC RETURN CONCAT(s, 'é');
         CREATE FUNCTION three() RETURNS int DETERMINISTIC RETURN 3;
         CREATE PROCEDURE p() SELECT \"q\";
         CREATE EVENT e ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DISABLE DO DELETE FROM keyless;",
    );
    if database.server().flavour() == Flavour::Mysql {
        sql += "CREATE TABLE shared_key (id int PRIMARY KEY, code int, KEY (code)); INSERT INTO shared_key VALUES (1, 7), (2, 7);
                SET SESSION restrict_fk_on_non_standard_key = OFF, sql_generate_invisible_primary_key = ON;
                CREATE TABLE by_code (id int PRIMARY KEY, code int, CONSTRAINT of_code FOREIGN KEY (code) REFERENCES shared_key (code));
                INSERT INTO by_code VALUES (1, 7);
                CREATE TABLE given_key (v int); INSERT INTO given_key VALUES (5), (6), (7);";
    } else {
        sql += "CREATE TABLE kept (id int PRIMARY KEY, v int) WITH SYSTEM VERSIONING; INSERT INTO kept VALUES (1, 1), (2, 2), (3, 3);
                DELETE FROM kept WHERE id = 2;";
    }
    let columns: String = (0..200).map(|n| format!(", c{n} varchar(40) NOT NULL DEFAULT ''")).collect();
    sql += &format!(
        "SET SESSION innodb_strict_mode = OFF;
         CREATE TABLE too_wide (id int PRIMARY KEY{columns}) CHARACTER SET utf8mb4 ROW_FORMAT=DYNAMIC; INSERT INTO too_wide (id) VALUES (1);"
    );
    // Enough rows for keys that several sessions add later.
    let rows: Vec<String> = (1..=1500).map(|n| format!("({n}, {}, 'v{n}')", n % 7)).collect();
    sql += &format!(
        "CREATE TABLE many (id int PRIMARY KEY, k int, v varchar(9), KEY by_k (k), UNIQUE KEY by_v (v)); INSERT INTO many VALUES {}",
        rows.join(", ")
    );
    database.sql(&sql);
}

/// The dump without what says when it was made.
pub(super) fn bytes(archive: &Path) -> String {
    let sql = String::from_utf8_lossy(&member(archive, "*/dump.sql")).into_owned();
    sql.lines().filter(|line| !line.starts_with("-- Dump completed")).map(|line| format!("{line}\n")).collect()
}

/// Rows, and definitions.
fn state(database: &Database<'_>) -> (BTreeMap<String, (u64, String)>, String) {
    (checksum(database), schema(database).replace(database.name(), "it"))
}

/// A server's content, and what a dump of it should be.
pub(super) struct Subject<'s> {
    source: Database<'s>,
    folder: TempDir,
    archive: std::path::PathBuf,
    bytes: String,
    state: (BTreeMap<String, (u64, String)>, String),
}

impl<'s> Subject<'s> {
    pub(super) fn new(server: &'s Server) -> Self {
        let (source, folder) = (server.database("settings"), tempfile::tempdir().expect("a folder"));
        content(&source);
        let (archive, _) = dumped(&source, &folder, &[]);
        let (bytes, state) = (bytes(&archive), state(&source));
        Self { source, folder, archive, bytes, state }
    }

    /// While the setting is otherwise: dumps, restores, a copy. Then what came of them is looked at. `refused` holds words
    /// of a dump that this flavour's client can't make.
    pub(super) fn faults(&self, what: &str, run: Run, set: &str, reset: &str, refused: &[&str]) -> Vec<String> {
        let server = self.source.server();
        let (several, copied) = (server.database("several"), server.database("copied"));
        server.sql(set);
        let mut dumps = Vec::new();
        let ways: &[&[&str]] = if run == Run::Both { &[&[], &["--jobs", "2"]] } else { &[] };
        for args in ways {
            let archive = self.folder.path().join(format!("again{}.tar.gz", dumps.len()));
            let _ = fs::remove_file(&archive);
            let dump =
                with_clients_of(server).args(["dump", "--output"]).arg(&archive).arg(self.source.uri()).args(*args);
            dumps.push((args, archive, dump.run()));
        }
        // The copy is a restore by the client.
        let restore = with_clients_of(server).args(["restore", "--jobs", "2"]).arg(&self.archive).arg(several.uri());
        let restore = restore.run();
        let copy = with_clients_of(server).args(["copy", &self.source.uri(), &copied.uri()]).run();
        server.sql(reset);
        let mut faults = Vec::new();
        let mut done = |how: String, output: &Output, same: &dyn Fn() -> bool| {
            let as_wanted = if refused.is_empty() {
                output.code == Some(0) && same()
            } else {
                output.code == Some(10) && refused.iter().all(|words| output.stderr.contains(words))
            };
            if !as_wanted {
                faults.push(format!("{what}, {how}: {:?}, {}", output.code, output.stderr));
            }
        };
        for (args, archive, output) in dumps {
            done(format!("dump {args:?}"), &output, &|| bytes(&archive) == self.bytes);
        }
        done("copy".to_owned(), &copy, &|| state(&copied) == self.state);
        if restore.code != Some(0) || state(&several) != self.state {
            faults.push(format!("{what}, restored: {:?}, {}", restore.code, restore.stderr));
        }
        faults
    }
}

/// What is said of a dump that MariaDB's client can't be told to make.
fn refused_on_mariadb(name: &str) -> &'static [&'static str] {
    match name {
        "sql_select_limit" => &["only a part of the tables", "hint: SET GLOBAL sql_select_limit=18446744073709551615"],
        _ => &[],
    }
}

fn each_alone(flavour: Flavour) {
    let server = Server::start(flavour);
    let (subject, mut faults) = (Subject::new(&server), Vec::new());
    let known = server.sql("SHOW GLOBAL VARIABLES");
    let known: BTreeMap<&str, &str> = known.lines().filter_map(|line| line.split_once('\t')).collect();
    for (name, other, run) in
        OTHERS.iter().filter(|(name, ..)| known.contains_key(name) && !BY_INIT_CONNECT.contains(name))
    {
        let refused = if flavour == Flavour::Mysql { &[] } else { refused_on_mariadb(name) };
        let before = known[name].replace('\'', "''");
        let number = before.parse::<f64>().is_ok();
        let before = if number || *name == "system_versioning_asof" { before } else { format!("'{before}'") };
        let (set, reset) = (format!("SET GLOBAL {name} = {other}"), format!("SET GLOBAL {name} = {before}"));
        faults.extend(subject.faults(name, *run, &set, &reset, refused));
    }
    // What was computed with another setting than a restore has.
    server.sql("SET GLOBAL div_precision_increment = 9");
    let dump = with_clients_of(&server).args(["dump", "--output", "-", &subject.source.uri()]).run().expect_code(0);
    assert!(dump.stderr.contains("div_precision_increment is 9 here"), "{}", dump.stderr);
    assert!(dump.stderr.contains("otherwise: people.share"), "{}", dump.stderr);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn each_pinned_setting_of_mysql_at_another_value_changes_nothing() {
    each_alone(Flavour::Mysql);
}

#[test]
fn each_pinned_setting_of_mariadb_at_another_value_changes_nothing() {
    each_alone(Flavour::Mariadb);
}

/// `init_connect` is for users without SUPER. MariaDB's client can't be told otherwise: sessions of our own read what its
/// `SELECT` would get in part, and what can't be had in whole is refused.
#[test]
fn what_init_connect_sets_changes_nothing_either() {
    for flavour in [Flavour::Mysql, Flavour::Mariadb] {
        let server = Server::start(flavour);
        let (source, target) = (server.database("source"), server.database("target"));
        source.sql(
            "CREATE TABLE t (i int PRIMARY KEY, s varchar(9) CHARACTER SET utf8mb4);
             INSERT INTO t VALUES (1, 'é€😀'), (2, 'b'), (3, 'c'), (4, 'd'), (5, 'e'), (6, 'f')",
        );
        for database in [&source, &target] {
            server.sql(&format!(
                "CREATE USER IF NOT EXISTS plain@'%' IDENTIFIED BY 'pw'; GRANT ALL ON {}.* TO plain@'%'",
                database.name()
            ));
        }
        server.sql("CREATE DATABASE elsewhere; GRANT ALL ON elsewhere.* TO plain@'%'");
        let [from, to] = [&source, &target].map(|database| server.uri_as("plain", "pw", database.name()));
        let folder = tempfile::tempdir().expect("a folder");
        let wanted = checksum(&source);
        for set in [
            "SET sql_select_limit = 5",
            "SET NAMES latin1",
            "SET collation_connection = latin1_bin, autocommit = 0, completion_type = 2",
            // A restore went into that other database, or hung, and the copy gave up.
            "USE elsewhere; START TRANSACTION",
        ] {
            server.sql(&format!("SET GLOBAL init_connect = '{set}'"));
            for jobs in ["1", "2"] {
                let archive = folder.path().join("x.tar.gz");
                let run =
                    |args: &[&str]| with_clients_of(&server).args(args).args(["--jobs", jobs]).run().expect_code(0);
                let path = archive.to_str().expect("UTF-8");
                run(&["dump", "--output", path, &from]);
                assert_eq!(manifest(&archive)["tables"][0]["rows"], 6, "{set}");
                run(&["restore", "--clean", "schema", "--yes", path, &to]);
                assert_eq!(checksum(&target), wanted, "{set}, restored by {jobs}");
                run(&["copy", "--clean", "schema", "--yes", &from, &to]);
                assert_eq!(checksum(&target), wanted, "{set}, copied by {jobs}");
                fs::remove_file(&archive).expect("remove it");
            }
        }
        assert_eq!(server.sql("SHOW TABLES FROM elsewhere"), "");
        server.sql("SET GLOBAL init_connect = 'SET sql_select_limit = 1'");
        let dump = with_clients_of(&server).args(["dump", "--output", "-", &from]).run();
        if flavour == Flavour::Mysql {
            dump.expect_code(0);
        } else {
            dump.refused(10, &["only a part of the tables", "init_connect"]);
        }
    }
}

/// MariaDB's client dumps history whole whatever the time is that tables are read as of; a client that can't is refused.
#[test]
fn tables_as_of_another_time_are_refused_where_their_history_does_not_come() {
    let server = Server::start(Flavour::Mariadb105);
    let source = server.database("source");
    source.sql("CREATE TABLE t (i int) WITH SYSTEM VERSIONING; INSERT INTO t VALUES (1); CREATE TABLE u (i int); INSERT INTO u VALUES (1)");
    server.sql("SET GLOBAL system_versioning_asof = '2001-01-01'");
    let dump = |args: &[&str]| {
        with_clients_of(&server).args(["dump", "--output", "-", &source.uri(), "--allow-incomplete"]).args(args).run()
    };
    dump(&[]).refused(10, &["as of another time (t)", "hint: SET GLOBAL system_versioning_asof=DEFAULT"]);
    dump(&["--exclude-table", "t"]).expect_code(0);
    dump(&["--schema-only"]).expect_code(0);
}

/// With it the server refuses even its list of settings. mariadb-dump can't be told: that is known before it runs, as far as
/// the optimizer's estimates are. The question that lifts it, and gives ours room, is taken as it is: where a server refuses
/// a part of it, the rest is asked alone.
#[test]
fn a_least_max_join_size_hides_no_setting_from_us() {
    for flavour in [Flavour::Mysql, Flavour::Mariadb] {
        let server = Server::start_with(flavour, &["--log-output=TABLE", "--general-log=1"]);
        let (source, target) = (server.database("source"), server.database("target"));
        source.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3), (4), (5)");
        server.sql("SET GLOBAL max_join_size = 1");
        let off = "SET GLOBAL sql_big_selects = OFF, max_join_size = 10";
        let copy = || {
            let copy = with_clients_of(&server).args(["copy", "--clean", "schema", "--yes", "--jobs", "2"]);
            copy.args([source.uri(), target.uri()]).run()
        };
        if flavour == Flavour::Mariadb {
            let hint = copy().refused(10, &["max_join_size is 1"]).follows("mend-the-setting");
            server.sql(hint.split(" on the server").next().expect("a statement"));
            copy().expect_code(0);
            server.sql(off);
            let hint = copy().refused(6, &["1104"]).follows("sql-big-selects");
            server.sql(hint.split(": ").nth(1).expect("a statement").trim_end_matches(" there"));
        }
        copy().expect_code(0);
        server.sql("SET GLOBAL max_join_size = DEFAULT, sql_big_selects = ON");
        assert_eq!(checksum(&target), checksum(&source));
        let lifts = |more: &str| {
            let asked = "SELECT COUNT(*) FROM mysql.general_log WHERE argument LIKE 'SET @dbhaul_limit%'";
            server.sql(&format!("{asked} {more}")).trim().parse::<u64>().expect("a number")
        };
        assert!(lifts("") > 2 && lifts("AND argument NOT LIKE '%sort_buffer_size%'") == 0);
    }
}

/// A user who may not turn them off in a session is told before anything is touched.
#[test]
fn invisible_keys_of_the_target_come_by_themselves_or_are_refused() {
    let server = Server::start(Flavour::Mysql);
    let source = server.database("source");
    source.sql(
        "CREATE TABLE a (id int NOT NULL AUTO_INCREMENT, v int, KEY (id)); INSERT INTO a (v) VALUES (1), (2);
         CREATE TABLE n (v int); INSERT INTO n VALUES (1), (1)",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    let (only_n, _) = dumped(&source, &folder, &["--table", "n"]);
    server.sql("SET GLOBAL sql_generate_invisible_primary_key = ON");
    let target = server.database("target");
    server.sql(&format!("CREATE USER plain@'%' IDENTIFIED BY 'pw'; GRANT ALL ON {}.* TO plain@'%'", target.name()));
    let uri = server.uri_as("plain", "pw", target.name());
    for jobs in ["1", "2"] {
        let restore = with_clients_of(&server).args(["restore", "--jobs", jobs]).arg(&archive).arg(&uri).run();
        restore.refused(10, &["sql_generate_invisible_primary_key", "a", "4109"]);
        assert_eq!(target.sql("SHOW TABLES"), "");
    }
    let restore = with_clients_of(&server).arg("restore").arg(&only_n).arg(&uri).run().expect_code(0);
    assert!(restore.stderr.contains("my_row_id, to tables without one: n (SET GLOBAL"), "{}", restore.stderr);
    let again = with_clients_of(&server).args(["restore", "--resume"]).arg(&only_n).arg(&uri).run().expect_code(0);
    assert!(!again.stderr.contains("0 of 2 rows"), "{}", again.stderr);
    assert_eq!(target.sql("SELECT COUNT(*), MAX(my_row_id) FROM n"), "2\t2", "n was complete");
    let verify = with_clients_of(&server).args(["verify", "--restore-into", &server.uri("mysql")]).arg(&only_n).run();
    let verify = verify.expect_code(0);
    assert!(!verify.stderr.contains("another backup"), "{}", verify.stderr);
}

/// The names below a heading of the page: in lists of names, and in the first column of tables.
pub(super) fn sorted(page: &str, heading: &str) -> Vec<String> {
    let part = page.split("\n## ").find(|part| part.starts_with(heading)).unwrap_or_else(|| panic!("no {heading}"));
    let is_name = |word: &str| word.starts_with('`') && word.trim_end_matches([',', '.']).ends_with('`');
    let lists = part.lines().filter(|line| line.split(' ').all(is_name));
    let columns = part.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split('|').nth(1));
    let names = lists.chain(columns).flat_map(|line| line.split('`').skip(1).step_by(2));
    names.map(str::to_owned).collect()
}

/// A setting that a later server adds stands nowhere on the page, and fails here.
#[test]
fn every_setting_of_every_server_is_sorted() {
    let page = fs::read_to_string(root().join("docs/settings-mysql.md")).expect("read the page");
    let timed = ["lock_wait_timeout", "net_read_timeout", "net_write_timeout", "wait_timeout"].map(str::to_owned);
    let pinned = sorted(&page, "Pinned");
    let of_server = sorted(&page, "Of the server as a whole");
    let mut all = pinned.clone();
    all.extend(["Harmless", "Not ours to pin"].iter().flat_map(|heading| sorted(&page, heading)));
    all.extend(of_server);
    all.extend(timed);
    let mut once = all.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), all.len(), "a setting stands twice");
    let mut seen = Vec::new();
    for flavour in [Flavour::Mysql, Flavour::Mariadb105, Flavour::Mariadb, Flavour::Mariadb114, Flavour::Mariadb118] {
        let listed = shared(flavour).sql("SHOW VARIABLES");
        let listed: Vec<_> = listed.lines().filter_map(|line| line.split('\t').next()).map(str::to_lowercase).collect();
        let unsorted: Vec<_> = listed.iter().filter(|name| !all.contains(name)).collect();
        assert!(unsorted.is_empty(), "{}: sort these in docs/settings-mysql.md: {unsorted:?}", flavour.name());
        seen.extend(listed);
    }
    let gone: Vec<_> = all.iter().filter(|name| !seen.contains(name)).collect();
    assert!(gone.is_empty(), "no server has these: {gone:?}");
    let others: Vec<_> = OTHERS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    let untried: Vec<_> = pinned.iter().filter(|name| !others.contains(name)).collect();
    assert!(untried.is_empty(), "pinned and not tried at another value: {untried:?}");
}

/// MariaDB lets every user turn `innodb_strict_mode` off in a session, MySQL does not: there the reason is told.
#[test]
fn a_table_whose_rows_may_be_too_long_comes_back_or_the_reason_is_told() {
    for server in [mysql(), mariadb()] {
        let (source, target) = (server.database("wide"), server.database("target"));
        let columns: String = (0..200).map(|n| format!(", c{n} varchar(40) NOT NULL DEFAULT ''")).collect();
        source.sql(&format!(
            "SET SESSION innodb_strict_mode = OFF;
             CREATE TABLE w (id int PRIMARY KEY{columns}) CHARACTER SET utf8mb4 ROW_FORMAT=DYNAMIC; INSERT INTO w (id) VALUES (1)"
        ));
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, _) = dumped(&source, &folder, &[]);
        let user = format!("wide_{}", target.name());
        let name = target.name();
        server.sql(&format!("CREATE USER {user}@'%' IDENTIFIED BY 'pw'; GRANT ALL ON {name}.* TO {user}@'%'"));
        for jobs in ["1", "2"] {
            let restore = with_clients_of(server).args(["restore", "--clean", "schema", "--yes", "--jobs", jobs]);
            let restore = restore.arg(&archive).arg(server.uri_as(&user, "pw", target.name())).run();
            if server.flavour() == Flavour::Mysql {
                // Known before the first drop; not where the user may make no temporary table.
                restore.refused(10, &["1118", "innodb_strict_mode", ": w", "nothing was changed"]);
            } else {
                restore.expect_code(0);
                assert_eq!(target.sql("SELECT COUNT(*) FROM w"), "1");
            }
        }
        server.sql(&format!("DROP USER {user}@'%'"));
        let restore = with_clients_of(server).args(["restore", "--clean", "schema", "--yes"]).arg(&archive);
        restore.arg(target.uri()).run().expect_code(0);
    }
}

/// For a user without rights, too: MySQL lets everybody turn this one off.
#[test]
fn foreign_keys_that_point_at_no_unique_key_come_back_on_mysql() {
    let server = mysql();
    let (source, target) = (server.database("fk"), server.database("target"));
    source.sql(
        "SET SESSION restrict_fk_on_non_standard_key = OFF;
         CREATE TABLE a_parent (id INT PRIMARY KEY, code INT, KEY (code)); INSERT INTO a_parent VALUES (1, 7), (2, 7);
         CREATE TABLE b_child (id INT PRIMARY KEY, code INT, CONSTRAINT b_fk FOREIGN KEY (code) REFERENCES a_parent (code));
         CREATE TABLE z_parent (id INT PRIMARY KEY, code INT, KEY (code)); INSERT INTO z_parent VALUES (1, 7);
         CREATE TABLE c_child (id INT PRIMARY KEY, code INT, CONSTRAINT c_fk FOREIGN KEY (code) REFERENCES z_parent (code));
         INSERT INTO b_child VALUES (1, 7); INSERT INTO c_child VALUES (1, 7)",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    let (user, name) = (format!("fk_{}", target.name()), target.name());
    server.sql(&format!("CREATE USER {user}@'%' IDENTIFIED BY 'pw'; GRANT ALL ON {name}.* TO {user}@'%'"));
    for jobs in ["1", "2"] {
        let restore = with_clients_of(server).args(["restore", "--clean", "schema", "--yes", "--jobs", jobs]);
        restore.arg(&archive).arg(server.uri_as(&user, "pw", target.name())).run().expect_code(0);
        assert_eq!(state(&target), state(&source), "{jobs}");
    }
    server.sql(&format!("DROP USER {user}@'%'"));
}
