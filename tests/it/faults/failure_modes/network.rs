//! What a URI may hold on a real server, and connections that die without a word.

use super::vendor;
use crate::{
    roundtrip::with_clients_of,
    support::{Proxy, Treatment, names, postgres15},
};

#[test]
fn row_15_a_password_logs_in_as_it_is_typed_wherever_libpq_lets_it() {
    let server = postgres15();
    let database = server.database("passwords");
    database.sql("CREATE TABLE t (n int)");
    let folder = tempfile::tempdir().expect("a folder");
    let role = super::Role::new(server, "row15", "SUPERUSER");
    // As typed, as it is, and whether libpq takes it.
    for (typed, password, libpq) in [
        ("p#w", "p#w", true),
        ("p?w", "p?w", true),
        ("p:w", "p:w", true),
        ("p+w", "p+w", true),
        ("p%2Fw%40%25", "p/w@%", true),
        ("p@w", "p@w", false),
        ("100%", "100%", false),
    ] {
        server.sql(&format!("ALTER ROLE {} PASSWORD '{password}'", role.name));
        let uri = format!("postgres://{}:{typed}@127.0.0.1:{}/{}", role.name, server.port(), database.name());
        let (well, said) = vendor(server.client("psql").env_remove("PGPASSWORD").args(["-X", "-c", "SELECT 1", &uri]));
        assert_eq!(well, libpq, "{typed}: {said}");
        let output = with_clients_of(server).args(["dump", &uri]).cwd(folder.path()).run().expect_code(0);
        assert!(!output.stderr.contains(password), "{}", output.stderr);
        if !libpq {
            assert!(output.stderr.lines().any(|line| line.starts_with("note")), "{}", output.stderr);
        }
    }
    // What can't be understood is refused, and says how to write it.
    let uri = format!("postgres://{}:p/w@127.0.0.1:{}/{}", role.name, server.port(), database.name());
    with_clients_of(server).args(["dump", &uri]).cwd(folder.path()).run().refused(3, &["%2F"]);
}

#[test]
fn row_16_parameters_that_libpq_would_die_of_are_translated_dropped_or_refused() {
    let server = postgres15();
    let database = server.database("parameters");
    database.sql("CREATE TABLE t (n int)");
    let folder = tempfile::tempdir().expect("a folder");
    for (query, code, words) in [
        (
            "schema=public&pgbouncer=true&pool=5&connection_limit=3",
            0,
            &["schema was dropped", "pgbouncer was dropped"][..],
        ),
        ("ssl=false", 0, &[]),
        ("ssl=true", 0, &[]),
        ("sslmode=no-verify", 0, &[]),
        ("sslnegotiation=postgres&load_balance_hosts=random", 0, &["load_balance_hosts was dropped"]),
        ("require_auth=gss", 3, &["require_auth=gss can't be kept"]),
        ("require_auth=scram-sha-256", 3, &["PostgreSQL 15's clients don't know require_auth"]),
        ("sslmode=sometimes", 3, &["sslmode"]),
    ] {
        let uri = format!("{}?{query}", database.uri());
        let (well, said) = vendor(server.client("psql").args(["-X", "-c", "SELECT 1", &uri]));
        assert!(!well || query == "ssl=true", "libpq 15 takes {query}: {said}");
        let output = with_clients_of(server).args(["dump", &uri]).cwd(folder.path()).run().expect_code(code);
        for word in words {
            assert!(output.stderr.contains(word), "{query}: no {word} in {}", output.stderr);
        }
    }
}

#[test]
fn row_52_a_connection_that_the_network_has_forgotten_is_given_up() {
    let server = postgres15();
    let database = server.database("forgotten");
    database.sql("CREATE TABLE big AS SELECT repeat(md5(n::text), 100) AS text FROM generate_series(1, 2000) n");
    let folder = tempfile::tempdir().expect("a folder");
    // As a NAT does that has forgotten the connection.
    let proxy = Proxy::changing(server.port(), 1_000_000, Treatment::Stalled);
    let uri = database.uri().replace(&format!(":{}/", server.port()), &format!(":{}/", proxy.port()));
    let dump = with_clients_of(server).args(["dump", &uri, "--idle-timeout", "2"]).cwd(folder.path()).run();
    dump.refused(11, &["moved no byte for 2 s"]);
    assert_eq!(names(folder.path()), [""; 0]);
}
