//! The definitions of a dump's objects, as hashes: whether a restored database defines the same.
//!
//! The server writes an expression anew each time it is asked, and not always in the same way: a list of `varchar`s that
//! was cast as a whole comes back with each element cast. Both are hashed alike.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::engine::Entry;

/// Kinds whose definitions are not compared, since a trial leaves them out, and what they are called; nothing where they
/// stand for no object, or are compared as rows.
const OTHERS: &[(&str, &str)] = &[
    ("", ""),
    ("TABLE DATA", ""),
    ("BLOB", "large objects"),
    ("BLOBS", "large objects"),
    ("BLOB METADATA", "large objects"),
    ("ENCODING", ""),
    ("STDSTRINGS", ""),
    ("SEARCHPATH", ""),
    ("DATABASE", ""),
    ("DATABASE PROPERTIES", ""),
    ("ACL", "privileges"),
    ("DEFAULT ACL", "privileges"),
    ("SECURITY LABEL", "security labels"),
    ("STATISTICS DATA", "statistics"),
    ("SUBSCRIPTION", "subscriptions"),
    ("EVENT TRIGGER", "event triggers"),
];

/// Comments that only the object's owner, or a superuser, may set.
const COMMENTS: &[&str] =
    &["EXTENSION ", "EVENT TRIGGER ", "DATABASE ", "SUBSCRIPTION ", "LARGE OBJECT ", "SCHEMA public"];

/// The name under which an entry's definition is held against another; or what it is, where it is not.
pub fn name(entry: &Entry) -> Result<String, &'static str> {
    if let Some((_, called)) = OTHERS.iter().find(|(kind, _)| *kind == entry.kind) {
        return Err(called);
    }
    if entry.kind == "COMMENT" && COMMENTS.iter().any(|of| entry.tag.starts_with(of)) {
        return Err("");
    }
    // What the dump says of it hangs on its owner, which a trial leaves as it is.
    if entry.kind == "SCHEMA" && entry.tag == "public" {
        return Err("");
    }
    let schema = entry.schema.as_deref().map(|schema| format!("{schema}.")).unwrap_or_default();
    Ok(format!("{} {schema}{}", entry.kind.to_lowercase(), entry.tag))
}

/// The hash of a statement; none of one that sets an owner or the session.
pub fn hash(sql: &str) -> Option<u64> {
    let owner = sets_owner(sql);
    let sql = without_remarks(sql).trim_end();
    if sql.is_empty() || sql.starts_with("SET ") || owner {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    match spread(sql) {
        Some(spread) => spread.hash(&mut hasher),
        None => sql.hash(&mut hasher),
    }
    Some(hasher.finish())
}

/// Whether a script's statement says whose something is.
pub fn sets_owner(sql: &str) -> bool {
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
