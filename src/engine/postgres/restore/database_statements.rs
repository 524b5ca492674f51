//! Statements about a database itself: `pg_dump --create` and `pg_dumpall` write them under the name that the database
//! had. They are never sent so. What they say goes the way of what an archive says of its database.

use crate::engine::Entry;
use crate::engine::postgres::format::database_entries::{Word, note, words};
use crate::properties::{DatabaseGrant, DatabaseProperties};

/// A statement about a database.
#[derive(Debug)]
pub struct DatabaseStatement {
    /// The database that it names.
    pub database: String,
    /// `CREATE DATABASE`, `ALTER DATABASE ... OWNER`.
    pub kind: &'static str,
    words: Vec<Word>,
    sql: String,
}

/// What a statement says of a database; none where it is about something else. Only as `pg_dump` writes it: whatever else
/// names a database is for the gate.
pub fn read(sql: &str) -> Option<DatabaseStatement> {
    const FIRST: [&str; 8] = ["CREATE", "DROP", "ALTER", "COMMENT", "SECURITY", "GRANT", "REVOKE", "UPDATE"];
    let sql = sql.trim();
    if !FIRST.iter().any(|first| sql.starts_with(first)) {
        return None;
    }
    let words = words(sql);
    let on = words.windows(2).position(|pair| pair[0].is("ON") && pair[1].is("DATABASE"));
    let starts = |expected: &[&str]| words.len() > expected.len() && expected.iter().zip(&words).all(|(e, w)| w.is(e));
    let (kind, name) = match () {
        () if starts(&["CREATE", "DATABASE"]) => ("CREATE DATABASE", words.get(2)),
        () if starts(&["DROP", "DATABASE", "IF", "EXISTS"]) => ("DROP DATABASE", words.get(4)),
        () if starts(&["DROP", "DATABASE"]) => ("DROP DATABASE", words.get(2)),
        () if starts(&["ALTER", "DATABASE"]) => (altered(words.get(3)?), words.get(2)),
        () if starts(&["ALTER", "ROLE"]) && words[3..].first()?.is("IN") && words.get(4)?.is("DATABASE") => {
            ("ALTER ROLE ... IN DATABASE", words.get(5))
        }
        () if starts(&["COMMENT", "ON", "DATABASE"]) => ("COMMENT ON DATABASE", words.get(3)),
        () if starts(&["SECURITY", "LABEL"]) => ("SECURITY LABEL ON DATABASE", words.get(on? + 2)),
        () if starts(&["GRANT"]) => ("GRANT ON DATABASE", words.get(on? + 2)),
        () if starts(&["REVOKE"]) => ("REVOKE ON DATABASE", words.get(on? + 2)),
        () if starts(&["UPDATE", "pg_catalog.pg_database", "SET", "datistemplate"]) => {
            let name = words.windows(2).find(|pair| pair[0].is("datname")).map(|_| words.len());
            ("UPDATE pg_database", name.and_then(|_| words.iter().rfind(|word| word.is_text())))
        }
        () => return None,
    };
    let database = name?.text().to_owned();
    Some(DatabaseStatement { database, kind, words, sql: sql.to_owned() })
}

fn altered(what: &Word) -> &'static str {
    match what.text() {
        "SET" => "ALTER DATABASE ... SET",
        "OWNER" => "ALTER DATABASE ... OWNER",
        "CONNECTION" => "ALTER DATABASE ... CONNECTION LIMIT",
        _ => "ALTER DATABASE",
    }
}

impl DatabaseStatement {
    /// Adds what it says.
    pub fn tell(&self, properties: &mut DatabaseProperties) {
        let entry = |kind: &str, tag: String| Entry { kind: kind.to_owned(), tag, ..Entry::default() };
        match self.kind {
            "CREATE DATABASE" => {
                let owner = properties.owner.take();
                note(properties, &entry("DATABASE", self.database.clone()), &self.sql);
                properties.owner = owner;
                self.limit(properties);
            }
            "COMMENT ON DATABASE" => {
                note(properties, &entry("COMMENT", format!("DATABASE {}", self.database)), &self.sql);
            }
            "ALTER DATABASE ... OWNER" => properties.owner = self.words.get(5).map(|word| word.text().to_owned()),
            "GRANT ON DATABASE" | "REVOKE ON DATABASE" => self.grants(properties),
            _ => note(properties, &entry("DATABASE PROPERTIES", self.database.clone()), &self.sql),
        }
    }

    /// `CREATE DATABASE x WITH ... CONNECTION LIMIT = 5`.
    fn limit(&self, properties: &mut DatabaseProperties) {
        let place = self.words.windows(4).find(|four| four[0].is("CONNECTION") && four[1].is("LIMIT"));
        properties.connection_limit =
            place.and_then(|four| four[3].text().parse().ok()).or(properties.connection_limit);
    }

    /// `GRANT CONNECT,TEMPORARY ON DATABASE x TO app WITH GRANT OPTION`. Without any, everybody has these two.
    fn grants(&self, properties: &mut DatabaseProperties) {
        let everybody = |privilege: &str| DatabaseGrant { role: None, privilege: privilege.into(), grantable: false };
        let grants = properties.grants.get_or_insert_with(|| ["CONNECT", "TEMPORARY"].map(everybody).into());
        let Some(on) = self.words.iter().position(|word| word.is("ON")) else { return };
        let Some(role) = self.words.get(on + 4) else { return };
        let role = Some(role.text().to_owned()).filter(|_| !role.is("PUBLIC"));
        let listed = &self.words[1..on];
        let all = listed.iter().any(|word| word.is("ALL"));
        let grantable = self.words[on..].iter().any(|word| word.is("OPTION"));
        for privilege in ["CREATE", "CONNECT", "TEMPORARY"] {
            if !all && !listed.iter().any(|word| word.is(privilege)) {
                continue;
            }
            grants.retain(|grant| grant.role != role || grant.privilege != privilege);
            if self.kind == "GRANT ON DATABASE" {
                grants.push(DatabaseGrant { role: role.clone(), privilege: privilege.to_owned(), grantable });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_about_a_database_are_told_from_others() {
        for (sql, kind, database) in [
            ("CREATE DATABASE src WITH TEMPLATE = template0;", "CREATE DATABASE", "src"),
            ("DROP DATABASE IF EXISTS \"a \"\"b\";", "DROP DATABASE", "a \"b"),
            ("ALTER DATABASE src OWNER TO app;", "ALTER DATABASE ... OWNER", "src"),
            ("ALTER DATABASE src SET search_path TO 'a', 'b';", "ALTER DATABASE ... SET", "src"),
            ("ALTER ROLE app IN DATABASE src SET work_mem TO '64MB';", "ALTER ROLE ... IN DATABASE", "src"),
            ("COMMENT ON DATABASE src IS 'it''s\n;';", "COMMENT ON DATABASE", "src"),
            ("SECURITY LABEL FOR x ON DATABASE src IS 'y';", "SECURITY LABEL ON DATABASE", "src"),
            ("GRANT CONNECT ON DATABASE src TO app;", "GRANT ON DATABASE", "src"),
            ("REVOKE CONNECT,TEMPORARY ON DATABASE src FROM PUBLIC;", "REVOKE ON DATABASE", "src"),
            (
                "UPDATE pg_catalog.pg_database SET datistemplate = false WHERE datname = 'src';",
                "UPDATE pg_database",
                "src",
            ),
        ] {
            let found = read(sql).unwrap_or_else(|| panic!("{sql}"));
            assert_eq!((found.kind, found.database.as_str()), (kind, database), "{sql}");
        }
        for sql in [
            "ALTER ROLE app SET work_mem TO '64MB';",
            "CREATE ROLE app;",
            "GRANT ALL ON TABLE t TO app;",
            "COMMENT ON TABLE t IS 'ON DATABASE x';",
            "UPDATE t SET a = 1;",
            "ALTER ROLE app;",
        ] {
            assert!(read(sql).is_none(), "{sql}");
        }
    }

    #[test]
    fn what_they_say_is_what_an_archive_says() {
        let mut properties = DatabaseProperties::default();
        for sql in [
            "CREATE DATABASE s WITH TEMPLATE = template0 ENCODING = 'LATIN1' LOCALE = 'C' CONNECTION LIMIT = 7;",
            "ALTER DATABASE s OWNER TO app;",
            "COMMENT ON DATABASE s IS 'shop';",
            "ALTER DATABASE s SET work_mem TO '8MB';",
            "ALTER ROLE app IN DATABASE s SET work_mem TO '9MB';",
            "REVOKE CONNECT,TEMPORARY ON DATABASE s FROM PUBLIC;",
            "GRANT TEMPORARY ON DATABASE s TO PUBLIC;",
            "GRANT CONNECT ON DATABASE s TO \"App\" WITH GRANT OPTION;",
        ] {
            read(sql).expect(sql).tell(&mut properties);
        }
        assert_eq!((properties.encoding.as_deref(), properties.owner.as_deref()), (Some("LATIN1"), Some("app")));
        assert_eq!((properties.comment.as_deref(), properties.connection_limit), (Some("shop"), Some(7)));
        let settings: Vec<_> = properties.settings.iter().map(|s| format!("{s}={:?}", s.value())).collect();
        assert_eq!(settings, ["work_mem=Some(\"8MB\")", "work_mem for role app=Some(\"9MB\")"]);
        let grants = properties.grants.expect("grants");
        let grants: Vec<_> = grants.iter().map(|g| (g.role.as_deref(), g.privilege.as_str(), g.grantable)).collect();
        assert_eq!(grants, [(None, "TEMPORARY", false), (Some("App"), "CONNECT", true)]);
    }
}
