//! The statements with which a script of `pg_dump --clean` begins, made to forgive what is not there, as
//! `pg_dump --if-exists` writes them.

/// What can be dropped, as `pg_dump` names it.
const KINDS: [&str; 34] = [
    "ACCESS METHOD",
    "AGGREGATE",
    "CAST",
    "COLLATION",
    "CONVERSION",
    "DOMAIN",
    "EVENT TRIGGER",
    "EXTENSION",
    "FOREIGN DATA WRAPPER",
    "FOREIGN TABLE",
    "FUNCTION",
    "INDEX",
    "LANGUAGE",
    "MATERIALIZED VIEW",
    "OPERATOR CLASS",
    "OPERATOR FAMILY",
    "OPERATOR",
    "POLICY",
    "PROCEDURAL LANGUAGE",
    "PROCEDURE",
    "PUBLICATION",
    "RULE",
    "SCHEMA",
    "SEQUENCE",
    "SERVER",
    "STATISTICS",
    "SUBSCRIPTION",
    "TABLE",
    "TEXT SEARCH",
    "TRANSFORM",
    "TRIGGER",
    "TYPE",
    "USER MAPPING",
    "VIEW",
];

/// The kinds of text search objects.
const TEXT_SEARCH: [&str; 4] = ["CONFIGURATION", "DICTIONARY", "PARSER", "TEMPLATE"];

/// A line that is one statement which drops something, with `IF EXISTS`; none where it is no such line, or has it already.
pub fn if_exists(line: &[u8]) -> Option<Vec<u8>> {
    let line = str::from_utf8(line).ok().filter(|line| line.ends_with(";\n"))?;
    let dropped = line.strip_prefix("DROP ").and_then(dropped);
    dropped.or_else(|| line.strip_prefix("ALTER TABLE ").and_then(altered)).or_else(|| unlinked(line)).map(String::into)
}

fn dropped(rest: &str) -> Option<String> {
    let kind = KINDS.iter().find(|kind| rest.strip_prefix(**kind).is_some_and(|name| name.starts_with(' ')))?;
    let mut length = kind.len() + 1;
    if *kind == "TEXT SEARCH" {
        length += TEXT_SEARCH.iter().find(|kind| rest[length..].starts_with(**kind))?.len() + 1;
    }
    let (kind, name) = rest.split_at(length);
    (!name.starts_with("IF EXISTS ")).then(|| format!("DROP {kind}IF EXISTS {name}"))
}

/// `ALTER TABLE ONLY public.a DROP CONSTRAINT a_pkey;`, `ALTER TABLE public.a ALTER COLUMN id DROP DEFAULT;`
fn altered(rest: &str) -> Option<String> {
    if rest.starts_with("IF EXISTS ") {
        return None;
    }
    if let Some((table, constraint)) = rest.split_once(" DROP CONSTRAINT ") {
        let is_bare = !constraint.starts_with("IF EXISTS ");
        return Some(format!(
            "ALTER TABLE IF EXISTS {table} DROP CONSTRAINT {}{constraint}",
            if is_bare { "IF EXISTS " } else { "" }
        ));
    }
    (rest.contains(" ALTER COLUMN ") && rest.ends_with(" DROP DEFAULT;\n"))
        .then(|| format!("ALTER TABLE IF EXISTS {rest}"))
}

/// `SELECT pg_catalog.lo_unlink('16404');`
fn unlinked(line: &str) -> Option<String> {
    let id = line.strip_prefix("SELECT pg_catalog.lo_unlink('")?.strip_suffix("');\n")?;
    let is_number = id.bytes().all(|byte| byte.is_ascii_digit());
    let objects = "pg_catalog.pg_largeobject_metadata";
    is_number.then(|| format!("SELECT pg_catalog.lo_unlink(oid) FROM {objects} WHERE oid = '{id}';\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_need_not_be_there() {
        for (line, expected) in [
            ("DROP INDEX public.a_v_idx;", "DROP INDEX IF EXISTS public.a_v_idx;"),
            ("DROP MATERIALIZED VIEW public.m;", "DROP MATERIALIZED VIEW IF EXISTS public.m;"),
            ("DROP TEXT SEARCH PARSER public.p;", "DROP TEXT SEARCH PARSER IF EXISTS public.p;"),
            ("DROP OPERATOR CLASS public.c USING btree;", "DROP OPERATOR CLASS IF EXISTS public.c USING btree;"),
            ("DROP USER MAPPING FOR a SERVER s;", "DROP USER MAPPING IF EXISTS FOR a SERVER s;"),
            (
                "ALTER TABLE ONLY public.a DROP CONSTRAINT k;",
                "ALTER TABLE IF EXISTS ONLY public.a DROP CONSTRAINT IF EXISTS k;",
            ),
            (
                "ALTER TABLE public.a ALTER COLUMN id DROP DEFAULT;",
                "ALTER TABLE IF EXISTS public.a ALTER COLUMN id DROP DEFAULT;",
            ),
            (
                "SELECT pg_catalog.lo_unlink('16404');",
                "SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata WHERE oid = '16404';",
            ),
        ] {
            let made = if_exists(format!("{line}\n").as_bytes()).expect(line);
            assert_eq!(String::from_utf8(made).expect("text"), format!("{expected}\n"));
            if !line.starts_with("SELECT") {
                assert_eq!(if_exists(format!("{expected}\n").as_bytes()), None, "{expected}");
            }
        }
        for line in
            ["DROP TABLE public.a", "DROP ROLE x;\n", "ALTER TABLE public.a OWNER TO x;\n", "SELECT lo_unlink(1);\n"]
        {
            assert_eq!(if_exists(line.as_bytes()), None, "{line}");
        }
    }
}
