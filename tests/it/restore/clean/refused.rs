//! What `--clean` can't do is refused before the first drop.

use super::{precious, restoring, state};
use crate::{
    roundtrip::{dumped, restored},
    support::{Flavour, Server, postgres15},
};

/// A user who owns a database, and their URI of it.
fn owner(server: &Server, database: &crate::support::Database<'_>) -> (String, String) {
    let name = format!("owner_of_{}", database.name());
    server.sql(&format!(
        "CREATE ROLE {name} LOGIN PASSWORD 'secret-9fX'; ALTER DATABASE {} OWNER TO {name}",
        database.name()
    ));
    let uri = server.uri_as(&name, "secret-9fX", database.name());
    (name, uri)
}

#[test]
fn what_is_somebody_elses_is_10_in_schemas_and_stays_outside_of_them() {
    let server = postgres15();
    let folder = tempfile::tempdir().expect("a folder");
    let source = server.database("source");
    source.sql("CREATE TABLE mine (i int); INSERT INTO mine VALUES (1)");
    let (archive, _) = dumped(&source, &folder, &[]);
    source.sql("CREATE PUBLICATION furniture FOR TABLE mine");
    let (with_publication, _) = dumped(&source, &folder, &[]);
    let target = server.database("target");
    let (name, uri) = owner(server, &target);
    target.sql("CREATE PUBLICATION furniture; CREATE TABLE theirs (i int)");
    let run = |archive, args: &[&str]| {
        let dbhaul = crate::roundtrip::with_clients_of(server).arg("restore").arg(archive).arg(&uri).args(args);
        dbhaul.args(["--clean", "schema", "--yes"]).run()
    };
    let before = state(&target);
    // The owner of the database owns public, too: it is theirs to drop there.
    target.sql(&format!("CREATE SCHEMA shut; CREATE TABLE shut.t (i int); GRANT USAGE ON SCHEMA shut TO {name}"));
    run(&archive, &[])
        .refused(10, &["may not drop all that the target holds", "schema shut", "nothing was changed", "hint: "]);
    target.sql("DROP SCHEMA shut CASCADE");
    run(&with_publication, &[]).refused(10, &["publication furniture", "nothing was changed", "hint: "]);
    assert_eq!(state(&target), before);
    let done = run(&archive, &["--json"]).expect_code(0);
    assert!(done.json()["notes"].to_string().contains("stays, as it is not"), "{}", done.stderr);
    assert_eq!(target.sql("SELECT (SELECT count(*) FROM mine), (SELECT count(*) FROM pg_publication)"), "1\t1");
    // To its user it is as good as empty, without tables.
    target.sql("DROP TABLE mine");
    let plain = crate::roundtrip::with_clients_of(server).arg("restore").arg(&archive).arg(&uri);
    plain.run().expect_code(0);
    drop(target);
    server.sql(&format!("DROP ROLE {name}"));
}

#[test]
fn what_no_transaction_can_drop_is_10() {
    let server =
        Server::start_with(Flavour::Postgres15, &["-c", "max_locks_per_transaction=10", "-c", "max_connections=12"]);
    let folder = tempfile::tempdir().expect("a folder");
    let source = server.database("source");
    source.sql("CREATE TABLE t (i int); INSERT INTO t VALUES (1)");
    let (archive, _) = dumped(&source, &folder, &[]);
    let target = precious(&server);
    target.sql("CREATE SUBSCRIPTION sub CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false)");
    let before = state(&target);
    let words = ["subscription \"sub\" has a replication slot", "nothing was changed", "hint: ", "DROP SUBSCRIPTION"];
    restoring(&archive, &target, &["--clean", "schema", "--yes"]).run().refused(10, &words);
    assert_eq!(state(&target), before);
    target.sql("ALTER SUBSCRIPTION sub SET (slot_name = NONE); DROP SUBSCRIPTION sub");

    target.sql("SELECT format('CREATE TABLE many_%s (id serial PRIMARY KEY, v text)', n) FROM generate_series(1, 20) n \\gexec");
    let before = state(&target);
    let words = [
        "locks, and the server has room for 120",
        "nothing was changed",
        "max_locks_per_transaction",
        "--clean database",
    ];
    restoring(&archive, &target, &["--clean", "schema", "--yes"])
        .run()
        .refused(10, &words)
        .follows("or-clean-database");
    assert_eq!(state(&target), before);
    restored(&archive, &target, &["--clean", "database"]);
    assert_eq!(target.sql("SELECT count(*) FROM t"), "1");
}

#[test]
fn case_11_an_extension_in_another_schema_is_10_and_the_hint_mends_it() {
    let server = postgres15();
    let folder = tempfile::tempdir().expect("a folder");
    for (here, there) in [("extensions", "public"), ("public", "extensions")] {
        let source = server.database("source");
        source.sql(&format!(
            "CREATE SCHEMA extensions; CREATE EXTENSION citext SCHEMA {here}; CREATE EXTENSION hstore SCHEMA extensions;
             CREATE TABLE t (id int PRIMARY KEY, m {here}.citext); INSERT INTO t VALUES (1, 'A')"
        ));
        let (archive, _) = dumped(&source, &folder, &[]);
        let target = precious(server);
        // Nothing of the dump's needs hstore: it may be anywhere.
        target.sql(&format!("CREATE SCHEMA IF NOT EXISTS {there}; CREATE EXTENSION citext SCHEMA {there}; CREATE EXTENSION hstore SCHEMA public"));
        let before = state(&target);
        let restore = || restoring(&archive, &target, &["--clean", "schema", "--yes"]).run();
        let words = format!("extension citext is in schema {there} there, the dump needs it in {here}");
        let refused = restore().refused(10, &[&words, "nothing was changed"]);
        assert_eq!(state(&target), before);
        let hint = refused.follows("have-extension-moved");
        target.sql(hint.trim_start_matches("have it moved: "));
        restore().expect_code(0);
        assert_eq!(target.sql("SELECT count(*) FROM t"), "1");
    }
}

#[test]
fn case_11_of_a_plain_dump_is_7_unchanged_with_the_way_on() {
    let server = postgres15();
    let folder = tempfile::tempdir().expect("a folder");
    for (here, there) in [("extensions", "public"), ("public", "extensions")] {
        let source = server.database("source");
        source.sql(&format!(
            "CREATE SCHEMA extensions; CREATE EXTENSION citext SCHEMA {here};
             CREATE TABLE t (id int PRIMARY KEY, m {here}.citext); INSERT INTO t VALUES (1, 'A')"
        ));
        let archive = super::by_hand(&source, folder.path(), "plain");
        let target = precious(server);
        target.sql(&format!("CREATE SCHEMA IF NOT EXISTS {there}; CREATE EXTENSION citext SCHEMA {there}"));
        let before = state(&target);
        let restore = || restoring(&archive, &target, &["--clean", "schema", "--yes"]).run();
        let words = format!("extension citext is in schema {there} there, and in {here} in the dump");
        let refused = restore().refused(7, &[&words, "the target holds what it held before"]);
        assert_eq!(state(&target), before);
        let (_, way) = refused.stderr.split_once("have it moved: ").expect("a way on");
        target.sql(way.lines().next().expect("a line"));
        restore().expect_code(0);
        assert_eq!(target.sql("SELECT count(*) FROM t"), "1");
    }
}

#[test]
fn what_users_added_to_an_extensions_table_is_named_and_neither_lost_nor_doubled() {
    let server = postgres15();
    let folder = tempfile::tempdir().expect("a folder");
    let target = server.database("target");
    target.sql(
        "CREATE SCHEMA e; CREATE EXTENSION citext SCHEMA e; CREATE TABLE e.config (i int);
         ALTER EXTENSION citext ADD TABLE e.config;
         CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
         CREATE TRIGGER own BEFORE INSERT ON e.config FOR EACH ROW EXECUTE FUNCTION f();
         CREATE TRIGGER common BEFORE UPDATE ON e.config FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
         CREATE POLICY seen ON e.config USING (true); CREATE TABLE mine (i int)",
    );
    let added = || target.sql("SELECT tgname FROM pg_trigger UNION ALL SELECT polname FROM pg_policy ORDER BY 1");
    let archive = folder.path().join("archive.tar.gz");
    let dump = crate::roundtrip::with_clients_of(server).args(["dump", &target.uri(), "-o"]).arg(&archive);
    let warned = dump.run().expect_code(0).stderr;
    let words = "trigger own on table e.config, which stands on function public.f(), is not in the dump";
    assert!(warned.contains(words) && !warned.contains("common"), "{warned}");
    let clean = ["--clean", "schema", "--yes"];
    let words = ["would drop trigger own on table e.config", "nothing was changed", "hint: drop it yourself"];
    restoring(&archive, &target, &clean).run().refused(10, &words).follows("drop-it-yourself");
    assert_eq!(added(), "common\nown\nseen");
    // As the hint says.
    target.sql("DROP TRIGGER own ON e.config");
    for clean in [&clean[..], &["--clean", "objects", "--yes"]] {
        restoring(&archive, &target, clean).run().expect_code(0);
        target.sql("CREATE TRIGGER own BEFORE INSERT ON e.config FOR EACH ROW EXECUTE FUNCTION f()");
        assert_eq!(added(), "common\nown\nseen");
        target.sql("DROP TRIGGER own ON e.config");
    }
}
