//! Passwords of other servers, which a database holds and dbhaul never heard of.

use crate::roundtrip::{dumped, with_clients_of};
use crate::support::{Database, Output, dbhaul, postgres15};

const SECRET: &str = "Fremd8Tq5n";

fn assert_unsaid(what: &str, output: &Output) {
    for text in [&output.stdout, output.stderr.as_bytes()] {
        let text = String::from_utf8_lossy(text);
        assert!(!text.contains(SECRET), "{what}:\n{text}");
    }
}

/// The way to a database for a role of this test's own, which is no superuser.
fn as_role(database: &Database<'_>, role: &str) -> String {
    database.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD 'x'"));
    database
        .sql(&format!("ALTER DATABASE \"{}\" OWNER TO {role}; ALTER SCHEMA public OWNER TO {role}", database.name()));
    database.server().uri_as(role, "x", database.name())
}

#[test]
fn a_subscriptions_password_is_not_repeated_of_the_statement_that_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, target) = (postgres15().database("subscribed"), postgres15().database("subscribed_target"));
    source.sql("CREATE TABLE t (i int); INSERT INTO t SELECT generate_series(1, 10)");
    source.sql(&format!(
        "CREATE SUBSCRIPTION s CONNECTION 'host=localhost password={SECRET} user=x' PUBLICATION p WITH (connect = false)"
    ));
    let (archive, result) = dumped(&source, &folder, &[]);
    assert!(!result.to_string().contains(SECRET), "{result}");
    let uri = as_role(&target, &format!("subscriber_{}", std::process::id()));
    for jobs in ["1", "2"] {
        for more in [&["-vv"][..], &["-vv", "--json"]] {
            let clients = || dbhaul().client_dirs([postgres15().client_dir()]).args(more);
            let restore =
                clients().arg("restore").arg(&archive).args([&uri, "--jobs", jobs, "--clean", "schema", "--yes"]);
            let copy = clients().args(["copy", &source.uri(), &uri, "--jobs", jobs, "--clean", "schema", "--yes"]);
            for command in [restore, copy] {
                let output = command.run();
                assert_unsaid(jobs, &output);
                output.expect_code(7);
            }
            let restore = clients().arg("restore").arg(&archive).args([&uri, "--jobs", jobs, "--into-non-empty"]);
            assert_unsaid("beside", &restore.run());
        }
    }
    source.sql("ALTER SUBSCRIPTION s DISABLE; ALTER SUBSCRIPTION s SET (slot_name = NONE); DROP SUBSCRIPTION s");
}

#[test]
fn what_a_server_quotes_of_a_statement_is_told_without_the_password() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, target) = (postgres15().database("mapped"), postgres15().database("mapped_target"));
    source.sql("CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'h')");
    source.sql(&format!(
        "CREATE USER MAPPING FOR PUBLIC SERVER far OPTIONS (user 'x', password '{SECRET}', sslpassword '{SECRET}''{SECRET}')"
    ));
    target.sql(
        "CREATE FUNCTION no() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'not here: %', current_query(); END$$;
         CREATE EVENT TRIGGER no ON ddl_command_start WHEN TAG IN ('CREATE USER MAPPING') EXECUTE FUNCTION no()",
    );
    let (archive, _) = dumped(&source, &folder, &[]);
    for more in [&[][..], &["--json"], &["-vv"], &["--jobs", "2", "-vv", "--json"]] {
        let output =
            with_clients_of(postgres15()).arg("restore").arg(&archive).args([&target.uri(), "--into-non-empty"]);
        let output = output.args(more).run();
        assert_unsaid("restore", &output);
        let output = output.expect_code(7);
        assert!(format!("{}{}", output.stderr, output.text()).contains("password '****'"), "{}", output.stderr);
    }
}
