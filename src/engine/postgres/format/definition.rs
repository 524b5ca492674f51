//! The definitions of a dump's objects, as hashes: whether a restored database defines the same.
//!
//! The server writes an expression anew each time it is asked, and not always in the same way: a list of `varchar`s that
//! was cast as a whole comes back with each element cast. Both are hashed alike.

use std::num::NonZeroU64;

use crate::engine::{Defined, Entry, RestoreOptions, Server, fingerprint};

/// Kinds whose definitions are not compared, and what they are called; nothing where they stand for no object, or are
/// compared otherwise: as rows, as the contents of large objects, as properties of the database.
const OTHERS: &[(&str, &str)] = &[
    ("", ""),
    ("TABLE DATA", ""),
    ("BLOBS", ""),
    ("BLOB METADATA", ""),
    ("ENCODING", ""),
    ("STDSTRINGS", ""),
    ("SEARCHPATH", ""),
    ("DATABASE", ""),
    ("DATABASE PROPERTIES", ""),
    ("STATISTICS DATA", "statistics"),
];

/// Kinds that `pg_restore` gives an owner; what belongs to one of them has the same.
const OWNED: &[&str] = &[
    "AGGREGATE",
    "BLOB",
    "COLLATION",
    "CONVERSION",
    "DOMAIN",
    "EVENT TRIGGER",
    "FOREIGN DATA WRAPPER",
    "FOREIGN TABLE",
    "FUNCTION",
    "MATERIALIZED VIEW",
    "OPERATOR",
    "OPERATOR CLASS",
    "OPERATOR FAMILY",
    "PROCEDURAL LANGUAGE",
    "PROCEDURE",
    "PUBLICATION",
    "SCHEMA",
    "SEQUENCE",
    "SERVER",
    "STATISTICS",
    "SUBSCRIPTION",
    "TABLE",
    "TEXT SEARCH CONFIGURATION",
    "TEXT SEARCH DICTIONARY",
    "TYPE",
    "VIEW",
];

/// What the names of grants begin with.
const PRIVILEGES: &str = "privileges on ";

/// The name under which an entry's definition is held against another; or what it is, where it is not.
pub fn name(entry: &Entry) -> Result<String, &'static str> {
    if let Some((_, called)) = OTHERS.iter().find(|(kind, _)| *kind == entry.kind) {
        return Err(called);
    }
    if entry.kind == "COMMENT" && entry.tag.starts_with("DATABASE ") {
        return Err("");
    }
    // What a dump says of it hangs on who the server's first user is.
    if entry.schema.is_none() && entry.tag == "public" && entry.kind == "SCHEMA" {
        return Err("");
    }
    if is_acl(entry) {
        if entry.schema.is_none() && entry.tag == "SCHEMA public" {
            return Err("privileges on schema public");
        }
        let place = entry.schema.as_deref().map(|schema| format!(" in {schema}")).unwrap_or_default();
        return Ok(format!("{PRIVILEGES}{}{place}", entry.tag));
    }
    let schema = entry.schema.as_deref().map(|schema| format!("{schema}.")).unwrap_or_default();
    Ok(format!("{} {schema}{}", entry.kind.to_lowercase(), entry.tag))
}

/// Whether it grants or revokes.
pub fn is_acl(entry: &Entry) -> bool {
    ["ACL", "DEFAULT ACL"].contains(&entry.kind.as_str())
}

/// Whether a restore that keeps owners gives it one.
pub fn has_owner(entry: &Entry) -> bool {
    OWNED.contains(&entry.kind.as_str()) && !(entry.kind == "SCHEMA" && entry.tag == "public")
}

/// Adds what an entry's SQL says to what is known of the object.
pub fn add(defined: &mut Defined, entry: &Entry, sql: &str) {
    if OWNED.contains(&entry.kind.as_str()) {
        let owner = entry.owner.as_deref().or_else(|| sets_owner(sql).then(|| without_remarks(sql).trim_end()));
        defined.owner = owner.map(|owner| fingerprint(owner) | 1).and_then(NonZeroU64::new).or(defined.owner);
    }
    let sum = if is_acl(entry) {
        // Each grant alone: their order is nothing.
        sql.lines().filter_map(hash).fold(0, u64::wrapping_add)
    } else {
        hash(sql).unwrap_or_default()
    };
    defined.text = defined.text.wrapping_add(sum);
}

/// What a restore leaves out of a whole dump, by the name of its definition, and what that is called. What another version
/// grants anyhow it does not dump.
pub fn left_out(name: &str, server: &Server, options: &RestoreOptions, exact: bool) -> Option<&'static str> {
    let superuser = server.standing == "superuser";
    match name {
        _ if name.starts_with(PRIVILEGES) => (!(options.keep_privileges && exact)).then_some("privileges"),
        _ if superuser => None,
        _ if name.starts_with("event trigger ") => Some("event triggers"),
        "comment SCHEMA public" => Some("the comment on schema public"),
        _ if name.starts_with("comment EXTENSION ") => Some("comments on extensions"),
        _ if name.starts_with("comment EVENT TRIGGER ") => Some("comments on event triggers"),
        _ => None,
    }
}

/// The hash of a statement; none of one that sets an owner or the session.
fn hash(sql: &str) -> Option<u64> {
    let owner = sets_owner(sql);
    let sql = without_remarks(sql).trim_end();
    if sql.is_empty() || sql.starts_with("SET ") || owner {
        return None;
    }
    Some(spread(sql).map_or_else(|| fingerprint(sql), |spread| fingerprint(&spread)))
}

/// Whether a script's statement says whose something is.
fn sets_owner(sql: &str) -> bool {
    let sql = without_remarks(sql);
    sql.starts_with("ALTER ") && sql.contains(" OWNER TO ")
}

/// A statement of a script without the remarks before it, which name its owner.
fn without_remarks(sql: &str) -> &str {
    let mut rest = sql.trim_start();
    while let Some((_, below)) = rest.strip_prefix("--").map(|remark| remark.split_once('\n').unwrap_or((remark, ""))) {
        rest = below.trim_start();
    }
    rest
}

/// `((ARRAY['a'::character varying])::text[])` as `(ARRAY[('a'::character varying)::text])`; none where nothing is cast
/// so.
fn spread(sql: &str) -> Option<String> {
    const ARRAY: &str = "(ARRAY[";
    let mut at = sql.find(ARRAY)?;
    let mut out = sql[..at].to_owned();
    loop {
        let inner = &sql[at + ARRAY.len()..];
        at += ARRAY.len();
        if let Some((elements, cast, length)) = cast_array(inner) {
            let each: Vec<_> = elements.iter().map(|element| format!("({element})::{cast}")).collect();
            out.extend(["ARRAY[", &each.join(", "), "]"]);
            at += length;
        } else {
            out.push_str(ARRAY);
        }
        let Some(next) = sql[at..].find(ARRAY) else { return Some(out + &sql[at..]) };
        out.push_str(&sql[at..at + next]);
        at += next;
    }
}

/// The elements before `])::TYPE[]`, the type, and how long all of it is.
fn cast_array(inner: &str) -> Option<(Vec<&str>, &str, usize)> {
    let (mut elements, mut start, mut depth, mut quoted) = (Vec::new(), 0, 0_u32, None);
    for (at, byte) in inner.bytes().enumerate() {
        match (quoted, byte) {
            (Some(quote), _) if byte == quote => quoted = None,
            (None, b'\'' | b'"') => quoted = Some(byte),
            (None, b'(' | b'[') => depth += 1,
            (None, b',') if depth == 0 => {
                elements.push(inner[start..at].trim());
                start = at + 1;
            }
            (None, b']') if depth == 0 => {
                elements.push(inner[start..at].trim());
                let rest = inner[at + 1..].strip_prefix(")::")?;
                let end = rest.find("[]")?;
                let cast = &rest[..end];
                let is_type = cast.bytes().all(|b| b.is_ascii_alphanumeric() || b"_. \"".contains(&b));
                return is_type.then_some((elements, cast, at + 1 + 3 + end + 2));
            }
            (None, b')' | b']') => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cast_of_a_list_is_a_cast_of_each_element() {
        let whole = "CHECK (((s)::text = ANY ((ARRAY['a,]'::character varying, 'it''s'::character varying])::text[])))";
        let each =
            "CHECK (((s)::text = ANY (ARRAY[('a,]'::character varying)::text, ('it''s'::character varying)::text])))";
        assert_eq!(spread(whole).as_deref(), Some(each));
        assert_eq!(hash(whole), hash(each));
        for sql in
            ["SELECT (ARRAY[1, 2])[1]", "SELECT (ARRAY[f(1), (2)])", "SELECT (ARRAY['", "(ARRAY[(ARRAY[a])::int[]])"]
        {
            assert!(hash(sql).is_some());
        }
        assert_eq!(spread("(ARRAY[x])[1] || (ARRAY[a])::b[]").as_deref(), Some("(ARRAY[x])[1] || ARRAY[(a)::b]"));
    }

    #[test]
    fn owners_and_sessions_are_no_definitions() {
        assert_eq!(hash("ALTER TABLE public.t OWNER TO app;"), None);
        assert_eq!(hash("SET default_tablespace = '';"), None);
        assert_eq!(hash("--\n-- Name: t; Owner: a\n--\n\nCREATE TABLE t ();"), hash("CREATE TABLE t ();"));
        assert_ne!(hash("CREATE TABLE t ();"), hash("CREATE TABLE u ();"));
    }
}
