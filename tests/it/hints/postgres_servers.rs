//! Hints on how a PostgreSQL server lets somebody in, and on what it is doing.

use std::{fs, io::Write as _, process::Stdio};

use rustix::process::Signal;

use super::by;
use crate::roundtrip::with_clients_of;
use crate::support::{Flavour, Pooler, Pooling, Server, eventually, postgres15, postgres18};

#[test]
fn a_login_by_trust_is_checked_by_the_users_name_alone() {
    let server = Server::start(Flavour::Postgres18);
    let source = server.database("trusted");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let rule = |uri: &str, rule: &str| format!("{uri}?require_auth={rule}");
    let file = server.data().join("pg_hba.conf");
    let strict = fs::read_to_string(&file).expect("pg_hba.conf");
    let set = |text: &str| {
        fs::write(&file, text).expect("write");
        server.sql("SELECT pg_reload_conf()");
    };
    set(&format!("host all all 127.0.0.1/32 trust\n{strict}"));
    let nobody = server.uri_as("nobody", "x", source.name());
    eventually("the new rules", || by(&server, &nobody, &[]).run().stderr.contains("does not exist"));
    by(&server, &nobody, &[]).run().refused(4, &["nobody"]).follows("check-user");
    by(&server, &source.uri(), &[]).run().expect_code(0);
    let wanted = rule(&source.uri(), "scram-sha-256");
    by(&server, &wanted, &[]).run().refused(4, &[]).follows("login-or-require-auth");
    by(&server, &rule(&source.uri(), "none"), &[]).run().expect_code(0);
    set(&strict);
    eventually("the old rules", || by(&server, &wanted, &[]).run().code == Some(0));
}

#[test]
fn a_server_that_stops_is_asked_again_when_it_is_back() {
    let server = Server::start(Flavour::Postgres15);
    let source = server.database("stops");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    // A server that is told to stop waits for its sessions, and lets nobody in meanwhile.
    let mut client = source.client("psql");
    let mut session = client.args(["-X", "-q"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("run psql");
    session.stdin.as_mut().expect("a pipe").write_all(b"SET application_name = 'held';\n").expect("write");
    let held = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'held'";
    eventually("a session", || server.sql(held) == "1");
    server.halt(Signal::TERM);
    eventually("nobody is let in", || server.log().contains("received smart shutdown request"));
    by(&server, &source.uri(), &[]).run().refused(4, &["shutting down"]).follows("starting-or-stopping");
    drop(session.stdin.take());
    session.wait().expect("psql's end");
    server.resume();
    by(&server, &source.uri(), &[]).run().expect_code(0);
}

#[test]
fn rules_of_a_login_that_the_client_or_the_way_can_not_keep_are_changed() {
    let source = postgres18().database("rules");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let clear = format!("{}?channel_binding=require&sslmode=disable", source.uri());
    by(postgres18(), &clear, &[]).run().refused(4, &[]).follows("channel-binding");
    by(postgres18(), &clear.replace("disable", "require"), &[]).run().expect_code(0);

    let older = postgres15().database("rules");
    older.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let uri = format!("{}?require_auth=scram-sha-256", older.uri());
    by(postgres15(), &uri, &[]).run().refused(3, &[]).follows("newer-libpq-or-no-parameter");
    by(postgres15(), &older.uri(), &[]).run().expect_code(0);
    by(postgres18(), &uri, &[]).run().expect_code(0);
}

#[test]
fn an_encoding_that_no_utf_8_is_made_of_is_dumped_by_pg_dump_alone() {
    let server = postgres15();
    let name = format!("mule_{}", std::process::id());
    server.sql(&format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'MULE_INTERNAL' LOCALE 'C'"));
    by(server, &server.uri(&name), &[]).run().refused(4, &[]).follows("pg-dump-alone");
    let by_hand = server.client("pg_dump").arg(&name).output().expect("run pg_dump");
    assert!(by_hand.status.success(), "{}", String::from_utf8_lossy(&by_hand.stderr));
    server.sql(&format!("DROP DATABASE {name}"));
}

#[test]
fn a_pooler_is_left_aside() {
    let source = postgres15().database("pooled");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let pooler = Pooler::start(postgres15(), Pooling::Session);
    let doctor = |uri: &str| with_clients_of(postgres15()).args(["doctor", uri]).run();
    doctor(&pooler.uri(&source)).expect_code(0).follows("connection-itself-is-safer");
    let told = doctor(&source.uri()).expect_code(0);
    assert!(!told.stderr.contains("PgBouncer"), "{}", told.stderr);
}

#[test]
fn what_no_dump_holds_is_made_such_that_it_does() {
    let source = postgres15().database("held");
    source.sql(
        "CREATE EXTENSION hstore; CREATE TABLE t (i int); INSERT INTO t VALUES (1);
         ALTER TEXT SEARCH CONFIGURATION french ALTER MAPPING FOR word WITH german_stem;
         CREATE TABLE extt (i int); INSERT INTO extt VALUES (1); ALTER EXTENSION hstore ADD TABLE extt;
         CREATE FUNCTION pg_catalog.ours() RETURNS int LANGUAGE sql AS 'SELECT 1';
         CREATE INDEX broken ON t (i); UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass;
         CREATE MATERIALIZED VIEW ma AS SELECT 1 AS i; CREATE MATERIALIZED VIEW mb AS SELECT i FROM ma;
         REFRESH MATERIALIZED VIEW ma WITH NO DATA",
    );
    let doctor = || with_clients_of(postgres15()).args(["doctor", &source.uri()]).run().expect_code(0);
    let told = doctor();
    for (hint, as_it_says) in [
        (
            "configuration-of-ones-own",
            "CREATE TEXT SEARCH CONFIGURATION public.ours (COPY = french);
             ALTER TEXT SEARCH CONFIGURATION french ALTER MAPPING FOR word WITH french_stem;
             ALTER TEXT SEARCH CONFIGURATION public.ours ALTER MAPPING FOR word WITH german_stem",
        ),
        ("table-of-ones-own", "ALTER EXTENSION hstore DROP TABLE extt"),
        ("reindex-or-drop", "REINDEX INDEX broken"),
        ("set-schema", "ALTER FUNCTION pg_catalog.ours() SET SCHEMA public"),
        ("refresh-what-it-reads", "REFRESH MATERIALIZED VIEW ma"),
    ] {
        told.follows(hint);
        source.sql(as_it_says);
    }
    let told = doctor();
    assert!(!told.stderr.contains("hint: "), "{}", told.stderr);
    by(postgres15(), &source.uri(), &[]).run().expect_code(0);
}

#[test]
fn a_server_without_room_for_so_many_locks_is_restarted_with_more() {
    let server = Server::start(Flavour::Postgres15);
    let (many, few) = (server.database("many"), server.database("few"));
    few.sql("CREATE TABLE t (id int PRIMARY KEY)");
    // One transaction can't make as many, for the same reason.
    many.sql("SELECT format('CREATE TABLE t%s (n int)', n) FROM generate_series(1, 2000) n \\gexec");
    let (_folder, archive) = super::dump_of(&few);
    let dump = || by(&server, &many.uri(), &[]).run();
    let clean = || super::restore(&archive, &many, &["--clean", "schema", "--yes"]);
    let restart_with = |locks: u32| {
        server.sql(&format!("ALTER SYSTEM SET max_locks_per_transaction = {locks}"));
        server.halt(Signal::INT);
        server.resume();
    };
    restart_with(10);
    dump().expect_code(6).follows("raise-max-locks");
    clean().refused(10, &["locks"]).follows("raise-max-locks-of-target");
    restart_with(128);
    dump().expect_code(0);
    clean().expect_code(0);
}
