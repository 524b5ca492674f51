//! What a dump's own bytes tell of the database: `pg_dump` writes it into its archives, for `pg_restore --create`.

use crate::engine::Entry;
use crate::engine::postgres::probe::database::list;
use crate::properties::{DatabaseProperties, DatabaseSetting};

/// Adds what an entry's SQL tells.
pub fn note(properties: &mut DatabaseProperties, entry: &Entry, sql: &str) {
    let sql = sql.trim_start();
    match entry.kind.as_str() {
        "DATABASE" => {
            created(properties, &words(sql));
            properties.owner.clone_from(&entry.owner);
        }
        "DATABASE PROPERTIES" => {
            words(sql).split(|word| word.is(";")).for_each(|words| altered(properties, words));
        }
        "COMMENT" if entry.tag.starts_with("DATABASE ") => {
            properties.comment = words(sql).into_iter().rfind(|word| word.kind == WordKind::Text).map(|word| word.text);
        }
        _ => {}
    }
}

/// `CREATE DATABASE shop WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = libc LOCALE = 'C.UTF-8'`.
fn created(properties: &mut DatabaseProperties, words: &[Word]) {
    let value = |key: &str| {
        let place = words.windows(3).find(|three| three[0].is(key) && three[1].is("="));
        place.map(|three| three[2].text.clone())
    };
    let both = value("LOCALE");
    properties.encoding = value("ENCODING");
    properties.collation = value("LC_COLLATE").or_else(|| both.clone());
    properties.ctype = value("LC_CTYPE").or(both);
    properties.locale_provider = Some(value("LOCALE_PROVIDER").unwrap_or_else(|| "libc".to_owned()));
    properties.locale = value("ICU_LOCALE").or_else(|| value("BUILTIN_LOCALE"));
    properties.icu_rules = value("ICU_RULES");
    properties.tablespace = value("TABLESPACE");
}

/// `ALTER DATABASE shop SET work_mem TO '8MB'`, `ALTER ROLE app IN DATABASE shop SET ...`, `... CONNECTION LIMIT = 5`.
fn altered(properties: &mut DatabaseProperties, words: &[Word]) {
    let (role, rest) = match words {
        [_, role, name, into, database, _, rest @ ..]
            if role.is("ROLE") && into.is("IN") && database.is("DATABASE") =>
        {
            (Some(name.text.clone()), rest)
        }
        [_, database, _, rest @ ..] if database.is("DATABASE") => (None, rest),
        _ => return,
    };
    let (Some(first), to) = (rest.first(), rest.iter().position(|word| word.is("TO"))) else { return };
    if first.is("CONNECTION") {
        properties.connection_limit = rest.last().and_then(|limit| limit.text.parse().ok());
    } else if first.is("IS_TEMPLATE") {
        properties.template = rest.last().filter(|value| value.is("true")).map(|_| true);
    } else if let (true, Some(to)) = (first.is("SET"), to) {
        let name: String = rest[1..to].iter().map(|word| word.text.as_str()).collect();
        let values = rest[to..].iter().filter(|word| word.kind == WordKind::Text).map(|word| word.text.as_str());
        let value = list(&name, values);
        properties.settings.push(DatabaseSetting::new(role, name, value));
    }
}

/// A word of a statement.
#[derive(Debug)]
pub struct Word {
    kind: WordKind,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WordKind {
    /// Keywords, numbers, names without quotes; each of `=`, `,` and `;`.
    Bare,
    /// A quoted name.
    Name,
    /// A string.
    Text,
}

impl Word {
    /// Whether it is this keyword or sign.
    pub fn is(&self, text: &str) -> bool {
        self.kind == WordKind::Bare && self.text == text
    }

    /// Whether it is a string.
    pub fn is_text(&self) -> bool {
        self.kind == WordKind::Text
    }

    /// What it says, without quotes.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// The words of statements that `pg_dump` writes: no comments, no dollar quotes.
pub fn words(sql: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut letters = sql.chars().peekable();
    let mut open = false;
    while let Some(letter) = letters.next() {
        let symbol = matches!(letter, '=' | ',' | ';');
        match letter {
            '\'' | '"' => {
                // E'...' has backslashes.
                let escapes = letter == '\'' && open && words.pop_if(|word| word.is("E")).is_some();
                let mut text = String::new();
                while let Some(next) = letters.next() {
                    match next {
                        '\\' if escapes => text.extend(letters.next()),
                        _ if next != letter => text.push(next),
                        _ if letters.next_if_eq(&letter).is_some() => text.push(letter),
                        _ => break,
                    }
                }
                words.push(Word { kind: if letter == '"' { WordKind::Name } else { WordKind::Text }, text });
                open = false;
            }
            _ if letter.is_whitespace() => open = false,
            _ => {
                match words.last_mut().filter(|_| open && !symbol) {
                    Some(word) => word.text.push(letter),
                    None => words.push(Word { kind: WordKind::Bare, text: letter.to_string() }),
                }
                open = !symbol;
            }
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(entries: &[(&str, &str, &str)]) -> DatabaseProperties {
        let mut properties = DatabaseProperties::default();
        for (kind, tag, sql) in entries {
            let entry =
                Entry { kind: (*kind).into(), tag: (*tag).into(), owner: Some("app".into()), ..Entry::default() };
            note(&mut properties, &entry, sql);
        }
        properties
    }

    #[test]
    fn an_archive_tells_what_its_database_was() {
        let properties = read(&[
            (
                "DATABASE",
                "a;b",
                "CREATE DATABASE \"a;b\" WITH TEMPLATE = template0 ENCODING = 'LATIN1' LC_COLLATE = 'C' LC_CTYPE = 'de_DE';\n",
            ),
            ("COMMENT", "DATABASE \"a;b\"", "COMMENT ON DATABASE \"a;b\" IS 'it''s; E''\\';\n"),
            (
                "DATABASE PROPERTIES",
                "a;b",
                "ALTER DATABASE \"a;b\" CONNECTION LIMIT = 5;\nALTER DATABASE \"a;b\" SET search_path TO '$user', 'a\"b', '', 'app', 'user';\n\
                 ALTER DATABASE \"a;b\" SET \"app.key\" TO E'\\\\k;''';\nALTER ROLE \"IN\" IN DATABASE \"a;b\" SET work_mem TO '64MB';\n",
            ),
        ]);
        let expected = DatabaseProperties {
            encoding: Some("LATIN1".into()),
            collation: Some("C".into()),
            ctype: Some("de_DE".into()),
            locale_provider: Some("libc".into()),
            owner: Some("app".into()),
            comment: Some("it's; E'\\".into()),
            connection_limit: Some(5),
            settings: [
                (None, "search_path", "\"$user\", \"a\"\"b\", \"\", app, \"user\""),
                (None, "app.key", "\\k;'"),
                (Some("IN"), "work_mem", "64MB"),
            ]
            .map(|(role, name, value)| DatabaseSetting::new(role.map(str::to_owned), name.into(), value.into()))
            .into(),
            ..DatabaseProperties::default()
        };
        assert_eq!(properties, expected);
    }

    #[test]
    fn a_locale_is_both_and_a_provider_has_its_own() {
        let icu = "CREATE DATABASE x WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE_PROVIDER = icu LOCALE = 'C.UTF-8' \
                   ICU_LOCALE = 'und' ICU_RULES = '&a < b';";
        let properties = read(&[("DATABASE", "x", icu)]);
        let of = |text: &Option<String>| text.clone().unwrap_or_default();
        let found = [
            &properties.collation,
            &properties.ctype,
            &properties.locale_provider,
            &properties.locale,
            &properties.icu_rules,
        ];
        assert_eq!(found.map(of), ["C.UTF-8", "C.UTF-8", "icu", "und", "&a < b"]);
    }
}
