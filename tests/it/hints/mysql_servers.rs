//! Hints on how a server of MySQL or MariaDB is set up.

use std::{fs, io::Write as _, process::Stdio};

use super::mysql::script;
use super::{User, by, dump_of, restore};
use crate::roundtrip::with_clients_of;
use crate::support::{Flavour, Server, eventually, mariadb, mysql};

#[test]
fn settings_of_a_mariadb_are_changed_as_the_hints_say() {
    let server = Server::start(Flavour::Mariadb);
    let (source, target) = (server.database("set"), server.database("set_target"));
    source.sql(
        "CREATE TABLE a (id int PRIMARY KEY) ROW_FORMAT=COMPRESSED; INSERT INTO a VALUES (1); CREATE TABLE b (i int)",
    );
    let (_folder, archive) = dump_of(&source);

    server.sql("SET GLOBAL innodb_read_only_compressed = ON");
    let hint = restore(&archive, &target, &[]).refused(10, &["compressed"]).follows("innodb-read-only-compressed-off");
    server.sql(hint.trim_end_matches(" on the target"));
    restore(&archive, &target, &[]).expect_code(0);

    server.sql("SET GLOBAL sql_select_limit = 1");
    let hint = by(&server, &source.uri(), &[]).run().refused(10, &["only a part"]).follows("mend-the-setting");
    let told = with_clients_of(&server).args(["doctor", &source.uri()]).run();
    let needed = told.follows("setting-that-a-dump-needs");
    let statement = hint.split(" on the server").next().expect("a statement");
    assert_eq!(needed.trim_end_matches(" is what a dump needs"), statement);
    server.sql(statement);
    by(&server, &source.uri(), &[]).run().expect_code(0);

    server.sql("SET GLOBAL max_allowed_packet = 1024");
    let hint = by(&server, &source.uri(), &[])
        .run()
        .refused(4, &["max_allowed_packet"])
        .follows("max-allowed-packet-of-server");
    server.sql(hint.split_once(": ").expect("a statement").1);
    by(&server, &source.uri(), &[]).run().expect_code(0);

    // A user without SUPER: others may write all the same.
    let user = User::of(&target);
    server.sql(&format!("GRANT ALL ON `{}`.* TO {}@'%'; SET GLOBAL read_only = ON", target.name(), user.name));
    let clean = ["--clean", "schema", "--yes"];
    let words = ["restore", archive.to_str().expect("UTF-8"), &user.uri];
    user.run(&[&words[..], &clean].concat()).refused(10, &[]).follows("name-the-primary");
    server.sql("SET GLOBAL read_only = OFF");
    let primary = mariadb().database("set_primary");
    restore(&archive, &primary, &clean).expect_code(0);
}

#[test]
fn logins_that_a_mariadb_refuses_are_made_as_the_hints_say() {
    let server = Server::start(Flavour::Mariadb);
    let source = server.database("logins");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let user = User::of(&source);
    let (name, password) = (&user.name, "secret-9fX");
    server.sql(&format!("GRANT ALL ON `{}`.* TO {name}@'%'; INSTALL SONAME 'auth_ed25519'", source.name()));
    let dump = |uri: &str| by(&server, uri, &[]).run();
    let others = format!("ALTER USER {name}@'%' IDENTIFIED VIA ed25519 USING PASSWORD('{password}')");
    let natives = format!("ALTER USER {name}@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('{password}')");
    server.sql(&others);
    dump(&user.uri).expect_code(0);
    server.sql("UNINSTALL SONAME 'auth_ed25519'");
    dump(&user.uri).refused(4, &["1524"]).follows("account-with-known-plugin");
    server.sql(&natives);
    dump(&user.uri).expect_code(0);
}

#[test]
fn a_server_and_an_account_that_want_tls_get_it() {
    for (flavour, hint) in [(Flavour::Mysql, "ssl-mode-required"), (Flavour::Mariadb, "account-may-want-tls")] {
        let server = Server::start(flavour);
        let source = server.database("wants_tls");
        source.sql("CREATE TABLE t (id int PRIMARY KEY)");
        let user = User::of(&source);
        server.sql(&format!("GRANT ALL ON `{}`.* TO {}@'%'", source.name(), user.name));
        let dump = |mode: &str| by(&server, &format!("{}?ssl-mode={mode}", user.uri), &[]).run();
        dump("DISABLED").expect_code(0);
        server.sql("SET GLOBAL require_secure_transport = ON");
        dump("DISABLED").refused(4, &[]).follows(hint);
        dump("REQUIRED").expect_code(0);
        server.sql(&format!("SET GLOBAL require_secure_transport = OFF; ALTER USER {}@'%' REQUIRE SSL", user.name));
        dump("DISABLED").refused(4, &["1045"]).follows("account-may-want-tls");
        dump("REQUIRED").expect_code(0);
    }
}

#[test]
fn names_that_a_server_takes_for_one_go_to_another_or_one_by_one() {
    let source = mariadb().database("cases");
    source.sql("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE T (id int PRIMARY KEY)");
    let (_folder, archive) = dump_of(&source);
    let folding = Server::start_with(Flavour::Mariadb, &["--lower-case-table-names=1"]);
    let (target, keeping) = (folding.database("cases"), mariadb().database("cases"));
    restore(&archive, &target, &[]).refused(10, &[]).follows("target-that-keeps-case");
    restore(&archive, &keeping, &[]).expect_code(0);
    restore(&archive, &target, &["--table", "t"]).expect_code(0);
}

#[test]
fn a_user_whose_connections_are_taken_comes_later_or_is_given_more() {
    for server in [mysql(), mariadb()] {
        let source = server.database("taken");
        source.sql("CREATE TABLE t (id int PRIMARY KEY)");
        let user = User::of(&source);
        let limit = |most: u32| {
            server.sql(&format!("ALTER USER {}@'%' WITH MAX_USER_CONNECTIONS {most}", user.name));
        };
        server.sql(&format!("GRANT ALL ON `{}`.* TO {}@'%'", source.name(), user.name));
        limit(1);
        let mut client = server.client(server.flavour().family().shell());
        client.arg(format!("--user={}", user.name)).env("MYSQL_PWD", "secret-9fX");
        let mut session = client.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("run the client");
        session.stdin.as_mut().expect("a pipe").write_all(b"SELECT 1;\n").expect("write");
        let held = format!("SELECT count(*) FROM {} WHERE user = '{}'", server.flavour().processlist(), user.name);
        eventually("a session", || server.sql(&held) == "1");
        by(server, &user.uri, &[]).run().refused(4, &[]).follows("no-connection-left");
        limit(9);
        by(server, &user.uri, &[]).run().expect_code(0);
        drop(session.stdin.take());
        session.wait().expect("the client's end");
        by(server, &user.uri, &[]).run().expect_code(0);
    }
}

#[test]
fn what_a_mariadb_does_not_take_goes_to_mysql_or_stays_behind() {
    let source = mysql().database("newer");
    source.sql(
        "CREATE TABLE plain (id int PRIMARY KEY) COLLATE utf8mb4_general_ci;
         CREATE TABLE computed (id int PRIMARY KEY, v int, KEY ((v + 1))) COLLATE utf8mb4_general_ci",
    );
    let (_folder, archive) = dump_of(&source);
    let (other, own) = (mariadb().database("newer"), mysql().database("newer"));
    restore(&archive, &other, &[]).refused(10, &["computed"]).follows("older-target-or-change-source");
    restore(&archive, &own, &[]).expect_code(0);
    restore(&archive, &other, &["--table", "plain"]).expect_code(0);
    source.sql("ALTER TABLE computed DROP KEY functional_index");
    let (_folder, archive) = dump_of(&source);
    restore(&archive, &other, &["--clean", "schema", "--yes"]).expect_code(0);
}

#[test]
fn rows_of_a_table_that_a_script_does_not_make_are_not_gone_on_with() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rows.sql");
    let body = "CREATE TABLE `a` (`id` int PRIMARY KEY);\nINSERT INTO `a` VALUES (1);\nINSERT INTO `b` VALUES (1);\n";
    fs::write(&path, script(body)).expect("write");
    let target = mysql().database("unmade");
    restore(&path, &target, &["--resume"]).refused(10, &["b"]).follows("others-or-from-the-beginning");
    restore(&path, &target, &["--resume", "--table", "a"]).expect_code(0);
    target.sql("DROP TABLE a; CREATE TABLE b (id int PRIMARY KEY)");
    restore(&path, &target, &["--into-non-empty"]).expect_code(0);
}

#[test]
fn a_sequences_name_stays_in_a_database_of_the_same_name() {
    let source = mariadb().database("sequence");
    source.sql("CREATE SEQUENCE s; CREATE TABLE t (id int PRIMARY KEY DEFAULT nextval(s)); INSERT INTO t VALUES (1)");
    with_clients_of(mariadb()).args(["doctor", &source.uri()]).run().expect_code(0).follows("same-name-or-alter");
    let (_folder, archive) = dump_of(&source);
    restore(&archive, &source, &["--clean", "schema", "--yes"]).expect_code(0);
}
