//! psql's patterns, as `pg_dump` reads them in `--schema`, `--table` and their family. The translation into regular
//! expressions follows `patternToSQLRegex` in `src/fe_utils/string_utils.c`; the server is then asked with its own `~`,
//! so that a pattern means here what it means to `pg_dump`.

use crate::engine::DumpOptions;
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;

/// A pattern's parts as regular expressions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The database, word for word: `pg_dump` wants its own there.
    pub database: Option<String>,
    /// For the schema's name; none when any schema of the search path is meant.
    pub schema: Option<String>,
    /// For the object's name.
    pub name: String,
}

/// Refuses patterns that `pg_dump` would refuse, without asking the server.
pub fn check(options: &DumpOptions, database: &str) -> Result<()> {
    for (flag, pattern) in labelled(&[("--schema", &options.schemas), ("--exclude-schema", &options.exclude_schemas)]) {
        schema(flag, pattern)?;
    }
    let tables = [
        ("--table", &options.tables),
        ("--exclude-table", &options.exclude_tables),
        ("--exclude-table-data", &options.exclude_table_data),
    ];
    for (flag, pattern) in labelled(&tables) {
        table(flag, pattern, database)?;
    }
    Ok(())
}

fn labelled<'a>(lists: &'a [(&'a str, &'a Vec<String>)]) -> impl Iterator<Item = (&'a str, &'a String)> {
    lists.iter().flat_map(|(flag, list)| list.iter().map(move |pattern| (*flag, pattern)))
}

/// The regular expression for a schema's name.
pub fn schema(flag: &str, pattern: &str) -> Result<String> {
    let (mut parts, _) = split(pattern, 1);
    if has_dot(pattern) {
        return Err(Error::new(Kind::Usage, format!("{flag} {pattern}: a schema's name has no dot"))
            .why("pg_dump takes a.b for schema b of another database, and fails")
            .hint(Hint::naming(
                "quote-the-dot",
                format!("quote it if the dot belongs to the name: {flag} '\"{pattern}\"'"),
            )));
    }
    Ok(parts.remove(0))
}

/// The regular expressions for a table's name. `database` is the one that is dumped.
pub fn table(flag: &str, pattern: &str, database: &str) -> Result<Pattern> {
    let (mut parts, literal) = split(pattern, 3);
    let name = parts.pop().unwrap_or_default();
    let schema = parts.pop();
    let too_many = Error::new(Kind::Usage, format!("{flag} {pattern}: too many dots"))
        .hint(Hint::new("schema-dot-table", "schema.table, with double quotes around a name that holds a dot"));
    match parts.len() {
        0 => Ok(Pattern { database: None, schema, name }),
        // Dots beyond the third part stay in the name.
        1 if dots(pattern) > 2 => Err(too_many),
        1 if literal == database => Ok(Pattern { database: Some(literal), schema, name }),
        _ => Err(Error::new(Kind::Usage, format!("{flag} {pattern}: this is database {database}, not {literal}"))
            .hint(Hint::new(
                "write-schema-dot-table",
                "write schema.table, with double quotes around a name that holds a dot",
            ))),
    }
}

fn has_dot(pattern: &str) -> bool {
    dots(pattern) > 0
}

/// Dots outside of double quotes.
fn dots(pattern: &str) -> usize {
    let mut quoted = false;
    pattern
        .chars()
        .filter(|c| {
            quoted ^= *c == '"';
            *c == '.' && !quoted
        })
        .count()
}

/// Up to `most` parts as anchored regular expressions, and the first part word for word.
fn split(pattern: &str, most: usize) -> (Vec<String>, String) {
    let (mut parts, mut literal) = (vec![String::from("^(")], String::new());
    let mut quoted = false;
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        let (first, last) = (parts.len() == 1, parts.len() == most);
        let Some(part) = parts.last_mut() else { break };
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                part.push('"');
                literal.extend(first.then_some('"'));
                continue;
            }
            '"' => {
                quoted = !quoted;
                continue;
            }
            'A'..='Z' if !quoted => part.push(c.to_ascii_lowercase()),
            '*' if !quoted => part.push_str(".*"),
            '?' if !quoted => part.push('.'),
            '.' if !quoted => {
                if last {
                    part.push('.');
                } else {
                    parts.push("^(".into());
                }
                continue;
            }
            '$' => part.push_str("\\$"),
            _ => {
                // Outside of quotes other characters of regular expressions keep their meaning, but [] is an array.
                if quoted && "|*+?()[]{}.^\\".contains(c) || c == '[' && chars.peek() == Some(&']') {
                    part.push('\\');
                }
                part.push(c);
            }
        }
        literal.extend(first.then_some(if quoted { c } else { c.to_ascii_lowercase() }));
    }
    for part in &mut parts {
        part.push_str(")$");
    }
    (parts, literal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_patterns_become_what_psql_makes_of_them() {
        for (pattern, regex) in [
            ("public", "^(public)$"),
            ("PUBLIC", "^(public)$"),
            ("\"PUBLIC\"", "^(PUBLIC)$"),
            ("^pg_*", "^(^pg_.*)$"),
            ("a?", "^(a.)$"),
            ("a|b", "^(a|b)$"),
            ("\"a|b\"", "^(a\\|b)$"),
            ("a$b", "^(a\\$b)$"),
            ("\"a$b\"", "^(a\\$b)$"),
            ("[ab]", "^([ab])$"),
            ("x[]", "^(x\\[])$"),
            ("\"a\"\"b\"", "^(a\"b)$"),
            ("\"a.b\"", "^(a\\.b)$"),
            ("a\"B\"C", "^(aBc)$"),
            ("ÄRGER", "^(Ärger)$"),
        ] {
            assert_eq!(schema("--schema", pattern).expect(pattern), regex, "{pattern}");
        }
    }

    #[test]
    fn table_patterns_split_at_dots() {
        let parts = |p| table("--table", p, "Shop").map(|p| (p.schema, p.name));
        assert_eq!(parts("users").expect("users"), (None, "^(users)$".into()));
        assert_eq!(parts("public.us*").expect("us"), (Some("^(public)$".into()), "^(us.*)$".into()));
        assert_eq!(parts("\"Shop\".a.b").expect("own"), (Some("^(a)$".into()), "^(b)$".into()));
        assert_eq!(parts("\"a.b\".c").expect("quoted"), (Some("^(a\\.b)$".into()), "^(c)$".into()));
        for refused in ["Shop.a.b", "other.a.b", "a.b.c.d", "\"Shop\".b.c.d"] {
            assert_eq!(parts(refused).expect_err(refused).kind, Kind::Usage, "{refused}");
        }
    }

    #[test]
    fn a_schema_with_a_dot_is_refused_with_the_way_out() {
        let error = schema("--exclude-schema", "a.b").expect_err("a.b");
        assert_eq!(error.kind, Kind::Usage);
        assert_eq!(
            crate::hint::texts(&error.hints),
            ["quote it if the dot belongs to the name: --exclude-schema '\"a.b\"'"]
        );
    }
}
