//! Whose database it is: logins that act as others, sessions of others under the same login, and copies between servers
//! that belong together.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Child, Stdio},
};

use crate::support::{
    Database, Dbhaul, Flavour, Lock, Server, dbhaul, eventually, fake_client, mariadb, mysql, postgres15, sessions,
};

fn with_clients_of(server: &Server) -> Dbhaul {
    dbhaul().client_dirs([server.client_dir()])
}

/// `blue`, who acts as `combined`, who owns a database. The names are the process's own: servers are shared.
struct Acting {
    login: String,
    owner: String,
}

impl Acting {
    fn on(server: &Server, of: &str) -> Self {
        let (login, owner) = (format!("blue_{of}"), format!("combined_{of}"));
        server.sql(&format!(
            "CREATE ROLE {owner} NOLOGIN; CREATE ROLE {login} LOGIN PASSWORD 'x' IN ROLE {owner};
             ALTER ROLE {login} SET role = '{owner}'"
        ));
        Self { login, owner }
    }

    fn database<'s>(&self, server: &'s Server, prefix: &str) -> Database<'s> {
        let database = server.database(prefix);
        server.sql(&format!("ALTER DATABASE {} OWNER TO {}", database.name(), self.owner));
        database
    }
}

#[test]
fn a_login_that_acts_as_another_role_is_the_one_that_was_named() {
    let server = postgres15();
    let acting = Acting::on(server, "named");
    let (source, target) = (acting.database(server, "acting"), acting.database(server, "acting_to"));
    source.sql(&format!("SET ROLE {}; CREATE TABLE t (n int); INSERT INTO t VALUES (1)", acting.owner));
    let folder = tempfile::tempdir().expect("a folder");
    let tunnel = format!("--tunnel=127.0.0.1:{}", server.port());
    let through = |database: &str| format!("postgres://{}:x@db.example.test:1/{database}", acting.login);
    let output = with_clients_of(server)
        .args(["dump", &through(source.name()), &tunnel])
        .cwd(folder.path())
        .run()
        .expect_code(0);
    let shown = format!("as \"{}\", acting as \"{}\"", acting.login, acting.owner);
    assert!(output.stderr.contains(&shown), "{}", output.stderr);
    let archive = folder.path().join(output.text().trim());
    let restore = with_clients_of(server).arg("restore").arg(&archive).arg(through(target.name())).arg(&tunnel);
    restore.run().expect_code(0);
    let owner = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 't'";
    assert_eq!(target.sql(owner), acting.owner);
    // Another database behind the tunnel is still another one.
    let another = acting.database(server, "acting_beside");
    let other = with_clients_of(server).args(["dump", &through(another.name()), &tunnel]).cwd(folder.path()).run();
    other.expect_code(0);
}

/// An archive of a table whose index takes some seconds to make.
fn with_slow_index(source: &Database<'_>, folder: &Path) -> std::path::PathBuf {
    source.sql(
        "CREATE FUNCTION slow(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
         $$ BEGIN PERFORM pg_sleep(7) WHERE current_database() LIKE '%_to%'; RETURN n; END $$;
         CREATE TABLE few (n int); INSERT INTO few VALUES (1); CREATE INDEX slow ON few (public.slow(n))",
    );
    let output = with_clients_of(source.server()).args(["dump", &source.uri()]).cwd(folder).run().expect_code(0);
    folder.join(output.text().trim())
}

#[test]
fn the_work_of_a_login_that_acts_as_another_role_is_no_silence() {
    let server = postgres15();
    let acting = Acting::on(server, "busy");
    let (source, target) = (server.database("slow"), acting.database(server, "slow_to"));
    let folder = tempfile::tempdir().expect("a folder");
    let archive = with_slow_index(&source, folder.path());
    let uri = server.uri_as(&acting.login, "x", target.name());
    let restore = with_clients_of(server).arg("restore").arg(&archive).args([&uri, "--idle-timeout", "3"]);
    restore.run().expect_code(0);
    let owner = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'few'";
    assert_eq!(target.sql(owner), acting.owner);
}

/// Another application's session, at work as the same user in the same database.
struct Other(Child);

impl Other {
    fn on(database: &Database<'_>, sql: &str) -> Self {
        let mut client = database.client(database.server().flavour().family().shell());
        if database.server().flavour().is_postgres() {
            client.env("PGAPPNAME", "dbhaul");
        } else {
            client.arg(format!("--database={}", database.name()));
        }
        let mut child =
            client.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("run the client");
        child.stdin.as_mut().expect("a pipe").write_all(sql.as_bytes()).expect("written");
        // The end of its input ends it after the statement.
        drop(child.stdin.take());
        Self(child)
    }
}

#[test]
fn another_session_of_the_same_user_keeps_no_hung_restore_alive() {
    let server = postgres15();
    let target = server.database("hung_to");
    target.sql("CREATE TABLE held (n int)");
    let folder = tempfile::tempdir().expect("a folder");
    let source = server.database("hung_from");
    source.sql("CREATE TABLE held (n int); INSERT INTO held VALUES (1)");
    let dump = with_clients_of(server).args(["dump", &source.uri()]).cwd(folder.path()).run().expect_code(0);
    let archive = folder.path().join(dump.text().trim());
    let mut other = Other::on(&target, "SELECT pg_sleep(60);\n");
    eventually("another application is at work", || sessions(&target, false) == 1);
    let _lock = Lock::on(&target, "held");
    let restore = with_clients_of(server).arg("restore").arg(&archive).arg(target.uri());
    let restore = restore.args(["--data-only", "--into-non-empty", "--idle-timeout", "3"]).run();
    target.end_sessions();
    let _ = other.0.wait();
    restore.expect_code(11);
}

#[test]
fn another_session_of_the_same_mysql_user_keeps_no_hung_restore_alive() {
    for server in [mysql(), mariadb()] {
        let target = server.database("hung");
        target.sql("CREATE TABLE held (n int)");
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("rows.sql");
        fs::write(&file, "INSERT INTO `held` VALUES (1);\n-- Dump completed on 2026-11-28\n").expect("write");
        // It works, and waits for nobody.
        let mut other = Other::on(&target, "SELECT BENCHMARK(1000000000, SHA2(REPEAT('x', 1000), 512));\n");
        eventually("another application is at work", || sessions(&target, false) == 1);
        let _lock = Lock::on(&target, "held");
        let restore = with_clients_of(server).arg("restore").arg(&file).arg(target.uri());
        let restore = restore.args(["--into-non-empty", "--idle-timeout", "3"]).run();
        target.end_sessions();
        let _ = other.0.wait();
        restore.refused(11, &["moved no byte for 3 s"]);
    }
}

#[test]
fn servers_of_one_origin_are_told_and_their_databases_are_two() {
    // Both are made from the same template.
    let twin = Server::start_with(Flavour::Postgres15, &[]);
    let (source, target) = (postgres15().database("origin"), twin.database("origin"));
    source.sql("CREATE TABLE t (n int); INSERT INTO t VALUES (1)");
    let output = with_clients_of(&twin).args(["copy", &source.uri(), &target.uri()]).run().expect_code(0);
    assert!(output.stderr.contains("have the same system identifier"), "{}", output.stderr);
    assert_eq!(target.sql("SELECT count(*) FROM t"), "1");
    let beside = twin.database("beside");
    let output = with_clients_of(&twin).args(["copy", &target.uri(), &beside.uri()]).run().expect_code(0);
    assert!(!output.stderr.contains("system identifier"), "{}", output.stderr);
}

#[test]
fn a_mysql_that_follows_the_source_is_no_target_and_any_name_is_its_own_login() {
    let source_server = mysql();
    let server = Server::start_with(Flavour::Mysql, &["--server-id=77"]);
    let (source, target) = (source_server.database("followed"), server.database("follows"));
    source.sql("CREATE TABLE t (n int); INSERT INTO t VALUES (1)");
    let copy = |more: &[&str]| with_clients_of(&server).args(["copy", &source.uri(), &target.uri()]).args(more).run();
    server.sql(&format!(
        "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={}, SOURCE_USER='{}', SOURCE_PASSWORD='{}', \
         SOURCE_CONNECT_RETRY=1, GET_SOURCE_PUBLIC_KEY=1",
        source_server.port(),
        source_server.user(),
        source_server.password()
    ));
    let output = copy(&[]).expect_code(0);
    let note =
        format!("the target was made a replica of 127.0.0.1:{}; its replication stands still", source_server.port());
    assert!(output.stderr.contains(&note), "{}", output.stderr);
    assert_eq!(target.sql("SELECT count(*) FROM t"), "1");
    // Only what arrives is meant: nothing of the shared server's is to be done here.
    server.sql("START REPLICA IO_THREAD");
    copy(&["--clean", "schema", "--yes"])
        .refused(10, &["the target is a replica of the source", "nothing was changed"])
        .follows("server-that-follows-none");
    let free = source_server.database("follows_none");
    with_clients_of(&server).args(["copy", &source.uri(), &free.uri()]).run().expect_code(0);
    assert_eq!(target.sql("SELECT count(*) FROM t"), "1");
    // The other way round, between databases of one name.
    let here = server.database_named(source.name());
    here.sql("CREATE TABLE t (n int); INSERT INTO t VALUES (2)");
    let back =
        |into: &str| with_clients_of(&server).args(["copy", &here.uri(), into, "--clean", "schema", "--yes"]).run();
    back(&source.uri()).refused(10, &["the source is a replica of the target"]).follows("stop-replication");
    back(&free.uri()).expect_code(0);
    server.sql("STOP REPLICA");
    back(&source.uri()).expect_code(0);
    server.sql("RESET REPLICA ALL");

    // Who may not look is told so.
    server.sql(&format!("CREATE USER few@'%' IDENTIFIED BY 'x'; GRANT ALL ON {}.* TO few@'%'", target.name()));
    let few = server.uri_as("few", "x", target.name());
    let output = with_clients_of(&server).args(["copy", &source.uri(), &few, "--clean", "schema", "--yes"]).run();
    let output = output.expect_code(0);
    assert!(output.stderr.contains("whether the target is a replica could not be asked"), "{}", output.stderr);

    // An account that stands for any name.
    server.sql(&format!("CREATE USER ''@'%' IDENTIFIED BY 'x'; GRANT ALL ON {}.* TO ''@'%'", target.name()));
    let bob = format!("mysql://bob:x@db.example.test:1/{}", target.name());
    let tunnel = format!("--tunnel=127.0.0.1:{}", server.port());
    let folder = tempfile::tempdir().expect("a folder");
    let output = with_clients_of(&server).args(["dump", &bob, &tunnel]).cwd(folder.path()).run().expect_code(0);
    assert!(output.stderr.contains("as \"bob\", acting as \"@%\""), "{}", output.stderr);
    // It sees no session, not even its own: long work can't be told from silence, and that is said.
    let restore = with_clients_of(&server).args(["restore", output.text().trim(), &bob, &tunnel, "--dry-run"]);
    let output = restore.args(["--clean", "schema"]).cwd(folder.path()).run().expect_code(0);
    assert!(output.stderr.contains("may not see its own sessions"), "{}", output.stderr);
}

/// The vendor's clients; of the dump program, the second run that does any work does this instead.
fn failing_later(server: &Server, program: &str, then: &str, folder: &Path) {
    let real = server.client_dir().join(program);
    let (real, count) = (real.display(), folder.join("runs").display().to_string());
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && exec {real} --version\n\
         echo run >> {count}\n[ $(wc -l < {count}) -gt 1 ] && {{ {then}; }}\nexec {real} \"$@\"\n"
    );
    fake_client(folder, program, &script);
    for other in ["pg_restore", "psql", "mysql", "mariadb"] {
        let real = server.client_dir().join(other);
        if real.exists() {
            fake_client(folder, other, &format!("#!/bin/sh\nexec {} \"$@\"\n", real.display()));
        }
    }
}

#[test]
fn nothing_is_dropped_before_the_source_has_begun_to_send() {
    for (server, program, clean, jobs) in [
        (postgres15(), "pg_dump", "database", "1"),
        (postgres15(), "pg_dump", "database", "2"),
        (postgres15(), "pg_dump", "schema", "1"),
        (mysql(), "mysqldump", "schema", "1"),
        (mysql(), "mysqldump", "database", "1"),
        (mariadb(), "mariadb-dump", "schema", "1"),
    ] {
        let (source, target) = (server.database("sender"), server.database("keeper"));
        source.sql("CREATE TABLE t (n int); INSERT INTO t VALUES (1)");
        target.sql("CREATE TABLE old (n int); INSERT INTO old VALUES (1)");
        let clients = tempfile::tempdir().expect("a folder");
        failing_later(server, program, "echo 'the source is gone' >&2; exit 1", clients.path());
        let copy = dbhaul().client_dirs([clients.path()]);
        let copy = copy.args(["copy", &source.uri(), &target.uri(), "--yes", "--clean", clean, "--jobs", jobs]);
        let output = copy.run().refused(6, &["source: ", "the source is gone"]);
        assert!(!output.stderr.contains("may have been changed"), "{program} {clean} {jobs}: {}", output.stderr);
        assert_eq!(target.sql("SELECT n FROM old"), "1", "{program} --clean {clean} --jobs {jobs}");
    }
}
