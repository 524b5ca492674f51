use super::*;

fn of(stderr: &str) -> Diagnosis {
    diagnose(stderr, &Scene::default())
}

#[test]
fn known_causes_have_a_hint() {
    for (line, hint) in [
        ("pg_dump: error: aborting because of server version mismatch", "not what its version says"),
        ("pg_restore: error: unsupported version (1.16) in file header", "older than the pg_dump"),
        ("pg_restore: error: could not execute query: ERROR:  must be owner of extension hstore", "--no-comments"),
        ("ERROR:  permission denied for schema public", "CREATE ON SCHEMA"),
        (
            "pg_dump: detail: Error message from server: ERROR:  invalid memory alloc request size 1200000003",
            "--exclude-table-data",
        ),
        (
            "pg_dump: error: query failed: ERROR:  query would be affected by row-level security policy for table \"t\"",
            "BYPASSRLS",
        ),
        ("ERROR:  permission denied for foreign-data wrapper postgres_fdw", "GRANT USAGE ON FOREIGN"),
        ("ERROR:  permission denied to create event trigger \"e\"", "superuser"),
        ("ERROR:  must be superuser to create FOR ALL TABLES publication", "--no-publications"),
        ("ERROR:  must be superuser to create subscriptions", "--no-subscriptions"),
        ("ERROR:  role \"alice\" does not exist", "CREATE ROLE \"alice\""),
        ("ERROR:  relation \"users\" already exists", "--clean objects"),
        ("ERROR:  canceling statement due to conflict with recovery", "primary"),
        ("ERROR:  deadlock detected", "try again"),
        ("ERROR:  could not extend file \"base/1/2\": No space left on device", "full"),
        ("pg_dump: error: query failed: server closed the connection unexpectedly", "went away"),
        ("ERROR:  relation \"users\" does not exist", "something uses users without its schema"),
        ("ERROR:  operator does not exist: public.hstore -> unknown", "public.hstore -> unknown"),
    ] {
        let diagnosis = of(line);
        assert!(
            diagnosis.hints.len() == 1 && diagnosis.hints[0].text().contains(hint),
            "{line}: {:?}",
            diagnosis.hints
        );
        assert!(!diagnosis.connection, "{line}");
        assert_eq!(diagnosis.why, [line]);
    }
}

#[test]
fn a_comparison_whose_operator_is_not_named_is_told_by_what_it_stands_in() {
    let error =
        "ERROR:  operator does not exist: public.ltree = public.ltree\nLINE 1: ...OW WHEN ((old.path IS DIST...\n";
    let found = of(&format!(
        "pg_restore: error: could not execute query: {error}Command was: CREATE TRIGGER \"node path\" AFTER UPDATE ON \
         public.node FOR EACH ROW\nWHEN ((old.path IS DISTINCT FROM new.path)) EXECUTE FUNCTION public.note_it();\n"
    ));
    assert_eq!(found.why.last().map(String::as_str), Some("in: trigger node path on public.node"));
    insta::assert_snapshot!(hint::texts(&found.hints).join("\n"), @"trigger node path on public.node compares with IS DISTINCT FROM, for which a dump can't name the operator, and a restore finds only pg_catalog's: in the source, write the comparison with OPERATOR(public.<>) or OPERATOR(public.=), that of rows column by column, or compare as text, and dump again");
    let found = of(&format!("psql:<stdin>:114: {error}"));
    assert!(
        found.hints[0].text().starts_with("something in the dump compares with IS DISTINCT FROM, NULLIF"),
        "{found:?}"
    );
    for (statement, made) in [
        ("CREATE UNIQUE INDEX i ON public.t USING btree (x)", Some("index i on public.t")),
        ("CREATE OR REPLACE VIEW public.\"a b\" AS SELECT 1", Some("view public.a b")),
        ("ALTER TABLE ONLY public.t ADD CONSTRAINT c", Some("table public.t")),
        ("CREATE USER MAPPING FOR x SERVER s OPTIONS (password 'p')", None),
        ("INSERT INTO t VALUES (1)", None),
    ] {
        assert_eq!(made_by(statement).as_deref(), made, "{statement}");
    }
}

#[test]
fn only_a_failure_to_connect_is_one() {
    let refused = of(
        "pg_dump: error: connection to server at \"db\" (10.0.0.1), port 5432 failed: FATAL:  password authentication failed for user \"app\"",
    );
    assert!(refused.connection && refused.hints == [CHECK_LOGIN]);
    assert!(of("psql: error: could not translate host name \"x\" to address: Name or service not known").connection);
    assert!(!of("ERROR:  function dblink: connection to server lost").connection);
    assert!(!of("FATAL:  terminating connection due to administrator command").connection);
}

#[test]
fn row_42_a_table_that_somebody_holds_is_named() {
    let found = of("pg_dump: error: query failed: ERROR:  canceling statement due to statement timeout\n\
                    pg_dump: detail: Query was: LOCK TABLE public.held IN ACCESS SHARE MODE");
    assert!(found.why[1].contains("public.held") && found.hints.len() == 1, "{found:?}");
    assert!(found.hints[0].text().contains("pg_locks"), "{found:?}");
}

#[test]
fn what_is_not_known_is_shown_and_not_explained() {
    for line in [
        "pg_dump: warning: there are circular foreign-key constraints",
        "NOTICE:  relation \"public.a\" does not exist, skipping",
        "ERROR:  relation \"public.users\" does not exist",
    ] {
        let found = Diagnosis { refused: false, ..of(line) };
        assert_eq!(found, Diagnosis { why: vec![line.into()], ..Diagnosis::default() });
    }
}

#[test]
fn a_statement_was_refused_when_the_server_says_so_and_not_when_the_session_ended() {
    assert!(of("pg_restore: error: could not execute query: ERROR:  x").refused);
    for line in [
        "pg_restore: error: could not execute query: FATAL:  terminating connection due to administrator command",
        "pg_restore: error: could not execute query: server closed the connection unexpectedly",
        "pg_restore: terminated by user",
    ] {
        assert!(!of(line).refused, "{line}");
    }
}

#[test]
fn repeated_statements_are_left_out_and_lines_are_cut() {
    let diagnosis = of(
        "pg_restore: error: could not execute query: ERROR:  x\nCommand was: CREATE VIEW v AS\nSELECT 1\nFROM t;\npg_restore: warning: y\npg_dump: detail: Query was: COPY t TO stdout;\n",
    );
    assert_eq!(diagnosis.why, ["pg_restore: error: could not execute query: ERROR:  x", "pg_restore: warning: y"]);
    assert_eq!(of(&"é".repeat(1000)).why[0].chars().count(), LONGEST + 4);
}
