//! Tests of the reader of scripts: what it finds, and what it must not.

use super::super::dump_lines::{identifier, policy_roles, qualified};
use super::*;

#[test]
fn names_are_read_as_pg_dump_quotes_them() {
    assert_eq!(qualified("public.users (id)"), Some((Some("public".into()), "users".into(), " (id)")));
    assert_eq!(qualified("\"a.b\".\"c\"\"d\" ("), Some((Some("a.b".into()), "c\"d".into(), " (")));
    assert_eq!(qualified("users;"), Some((None, "users".into(), ";")));
    assert_eq!(identifier("\"open"), None);
}

#[test]
fn a_policy_names_its_roles() {
    for (statement, roles) in [
        ("CREATE POLICY p ON public.t TO app USING (true);", &["app"][..]),
        (
            "CREATE POLICY \"a TO b\" ON public.\"t TO u\" AS RESTRICTIVE FOR SELECT TO a, \"B, c\", d;",
            &["a", "B, c", "d"],
        ),
        ("CREATE POLICY p ON public.t FOR SELECT USING ((x = ' TO y'::text)) WITH CHECK (true);", &[]),
        ("CREATE TABLE t TO x", &[]),
    ] {
        assert_eq!(policy_roles(statement), roles, "{statement}");
    }
}

#[test]
fn rows_are_rows_below_a_name_with_a_newline() {
    let mut plain = Box::new(Plain::default());
    plain
        .see(b"COPY public.\"two\nlines\" (\"a\nb\") FROM stdin;\n'\\N\n\\.\n\n-- PostgreSQL database dump complete\n");
    let content = plain.finish().expect("complete");
    assert_eq!((content.tables[0].name.as_str(), content.tables[0].rows), ("two\nlines", Some(1)));
    assert!(content.facts.is_empty(), "{:?}", content.facts);
}

const END: &str = "-- PostgreSQL database dump complete\n";

/// What is found in a script, whatever the pieces in which it comes.
fn found(script: &str) -> Option<String> {
    let script = format!("{script}\n{END}");
    let read = |size: usize| {
        let mut plain = Box::new(Plain::default());
        script.as_bytes().chunks(size).for_each(|chunk| plain.see(chunk));
        match plain.finish() {
            Ok(content) => content.facts.get(COMMAND).cloned(),
            Err(incomplete) => Some(incomplete.what),
        }
    };
    let (one, all) = (read(1), read(script.len()));
    assert_eq!(one, all, "{script:?}");
    all
}

#[test]
fn no_trick_makes_a_command_look_like_text() {
    let open = "COPY t FROM stdin;";
    for script in [
        "-- remark\r\\! x",
        "SELECT typE'\\' \\! x '",
        "SELECT 1$$'$$ \\! x\n'",
        "SELECT $1$ \\! x $1$",
        "SELECT $$a$$$$'$$ \\! x\n'",
        "SELECT E'a'\r'\\'' \\! x\n'",
        "SELECT E'a'\n'\\' \\! x\n'",
        "/*/ ' */ \\! x\n'",
        "\\restrict a\n\\unrestrict a \\! x\n\\unrestrict a",
        "\\restrict a\n\\restrict b\n\\unrestrict b\n\\unrestrict a",
        "\\restrict a\n\\unrestrict a\n\\! x\n\\restrict b\n\\unrestrict b",
        "SET standard_conforming_strings = off;\nROLLBACK;\nSELECT '\\' \\! x\n';",
        "SET standard_conforming_strings = off;\nSET standard_conforming_strings = on;\nSELECT '\\' \\! x\n';",
        "set standard_conforming_strings = off;\nSELECT '\\'' \\! x\n';",
        "SELECT\nCOPY a FROM stdin;\n\\! x\n\\.",
        &format!("SELECT (1;\n{open}\n\\! x\n\\."),
        &format!("CREATE FUNCTION f() BEGIN ATOMIC SELECT 1;\n{open}\n\\! x\n\\."),
        &format!("SELECT 1; {open}\n'\n\\.\n\\! x\n'"),
        &format!("{open} COPY u FROM stdin;\na\n\\.\n'\n\\.\n\\! x\n'"),
        "copy t from stdin;\n'\n\\.\n\\! x\n'",
        "COPY t TO stdout; SELECT y FROM stdin;\n\\! x\n\\.",
        &format!("{open}\n\\.\r\n\\! x\n\\."),
        &format!("{open}\na\0\n\\.\nSELECT '\n\\.\n\\! x\n'"),
    ] {
        assert!(found(script).is_some(), "{script:?}");
    }
}

#[test]
fn nothing_is_found_in_strings_rows_bodies_and_comments() {
    for script in [
        "-- \\! x",
        "/* \\! x */",
        "COMMENT ON TABLE t IS '\\! x';",
        "CREATE FUNCTION f() AS $_$ \\! x\nCOPY t FROM stdin;\n $_$;",
        "COPY t FROM stdin;\n\\! x\n\\.",
        "COPY t (a) FROM stdin;\r\n\\\\! x\r\n\\.\r",
        "SELECT E'\\! x';",
        "\\restrict aB3\nSELECT 1;\n\\unrestrict aB3",
        "\\restrict a\n\\unrestrict a\n\\restrict b\n\\unrestrict b",
        "SET standard_conforming_strings = off;\nSELECT 'C:\\\\', E'\\\\';",
        "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);\nCOPY t FROM stdin;\n\\.",
        "CREATE FUNCTION f() BEGIN ATOMIC SELECT 1; END;\nCOPY t FROM stdin;\n\\.",
    ] {
        assert_eq!(found(script), None, "{script:?}");
    }
}

#[test]
fn a_psql_command_is_noticed_wherever_it_stands() {
    for script in ["\\! rm x\n", "SELECT 1 \\g /tmp/x\n"] {
        let mut plain = Box::new(Plain::default());
        plain.see(format!("{script}-- PostgreSQL database dump complete\n").as_bytes());
        let content = plain.finish().expect("complete");
        assert_eq!(content.facts[COMMAND], format!("line 1: {}", script.trim_end()));
        assert!(!content.facts.contains_key(CONNECTS), "{script}");
    }
    for script in
        ["\\connect other\n", "\\c other\n", "\\c\tother\n", "\\c\n", "SELECT 1 \\g\\c other\n", "\\echo x \\c other\n"]
    {
        let mut plain = Box::new(Plain::default());
        plain.see(format!("SELECT 1;\n{script}-- PostgreSQL database dump complete\n").as_bytes());
        let content = plain.finish().expect("complete");
        assert_eq!(content.facts[CONNECTS], format!("line 2: {}", script.trim_end()));
    }
}
