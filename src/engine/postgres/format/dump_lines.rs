//! What a line of `pg_dump`'s says: names, owners, roles, and what the remark before an entry describes.

use crate::engine::Entry;

/// `Name: users; Type: TABLE; Schema: public; Owner: app`.
pub fn described(remark: &str) -> Entry {
    let field = |name: &str| remark.split_once(name).and_then(|(_, rest)| rest.split(';').next()).map(str::to_owned);
    Entry {
        kind: field("; Type: ").unwrap_or_default(),
        tag: field("Name: ").unwrap_or_default(),
        schema: field("; Schema: ").filter(|schema| schema != "-"),
        ..Entry::default()
    }
}

/// The roles of `ALTER ... OWNER TO app;`, `GRANT ... TO app;` and their like; none of anything else.
pub fn owner_or_grantees(statement: &str) -> Vec<String> {
    let default = statement.strip_prefix("ALTER DEFAULT PRIVILEGES FOR ROLE ");
    let last = |word| statement.rsplit_once(word).map(|(_, role)| role);
    let other = if default.is_some() {
        last(if statement.contains(" REVOKE ") { " FROM " } else { " TO " })
    } else if statement.starts_with("ALTER ") {
        last(" OWNER TO ")
    } else if statement.starts_with("GRANT ") {
        last(" TO ")
    } else if statement.starts_with("REVOKE ") {
        last(" FROM ")
    } else {
        statement.strip_prefix("SET SESSION AUTHORIZATION ").filter(|role| !role.starts_with("DEFAULT;"))
    };
    let everybody = |role: &&str| role.starts_with("PUBLIC;") || role.starts_with("PUBLIC ");
    let roles = default.into_iter().chain(other).filter(|role| !everybody(role));
    roles.filter_map(|role| identifier(role.trim_start_matches('\''))).map(|(role, _)| role).collect()
}

/// The roles of `CREATE POLICY name ON table AS RESTRICTIVE FOR SELECT TO a, "b" USING (...)`; none of anything else.
pub fn policy_roles(statement: &str) -> Vec<String> {
    let named = || {
        let (_, rest) = identifier(statement.strip_prefix("CREATE POLICY ")?)?;
        let (_, _, rest) = qualified(rest.strip_prefix(" ON ")?)?;
        let end = [" USING (", " WITH CHECK ("].iter().filter_map(|word| rest.find(word)).min();
        rest[..end.unwrap_or(rest.len())].split_once("TO ").map(|(_, roles)| roles)
    };
    let mut left = named();
    std::iter::from_fn(|| {
        let (role, rest) = identifier(left?)?;
        left = rest.strip_prefix(", ");
        Some(role)
    })
    .collect()
}

/// `schema.name rest` or `name rest`.
pub fn qualified(text: &str) -> Option<(Option<String>, String, &str)> {
    let (first, rest) = identifier(text)?;
    match rest.strip_prefix('.') {
        None => Some((None, first, rest)),
        Some(rest) => identifier(rest).map(|(second, rest)| (Some(first), second, rest)),
    }
}

/// A name as `pg_dump` quotes it, and what follows.
pub fn identifier(text: &str) -> Option<(String, &str)> {
    let Some(mut quoted) = text.strip_prefix('"') else {
        let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let mut name = String::new();
    loop {
        let end = quoted.find('"')?;
        name.push_str(&quoted[..end]);
        quoted = &quoted[end + 1..];
        match quoted.strip_prefix('"') {
            Some(rest) => {
                name.push('"');
                quoted = rest;
            }
            None => return Some((name, quoted)),
        }
    }
}
