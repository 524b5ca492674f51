//! Functions in languages that the server does not confine: C, internal, PL/Python and others. A superuser's database may hold
//! them; they run with the rights of the server's own account.

use std::fmt::Write as _;

use crate::engine::Content;
use crate::engine::postgres::sql::commands::{is, without_remarks};
use crate::engine::postgres::sql::lexer::{Token, tokens};

/// The fact that names them, the first twenty, joined by zero bytes; and how many there are.
const UNCONFINED: &str = "untrusted";
const COUNT: &str = "untrusted.count";

/// Languages whose functions reach nothing but the database.
const CONFINED: &str = "plcoffee pllua plls plperl plpgsql pltcl plv8 sql";

/// What a dump holds of them.
#[derive(Clone, Debug, Default)]
pub struct Untrusted {
    names: String,
    count: u64,
}

impl Untrusted {
    /// Notes the place of one.
    pub fn add(&mut self, place: &str) {
        const MAX_NAMED: u64 = 20;
        self.count += 1;
        if self.count <= MAX_NAMED {
            let _ = write!(self.names, "{}{place}", if self.count > 1 { "\0" } else { "" });
        }
    }

    /// As facts of a dump's content; none when there are none.
    pub fn facts(self) -> impl Iterator<Item = (String, String)> {
        let any = self.count > 0;
        let facts = [(UNCONFINED, self.names), (COUNT, self.count.to_string())];
        facts.into_iter().filter(move |_| any).map(|(fact, value)| (fact.to_owned(), value))
    }
}

/// What a dump holds of them, as one line for each that is named, and how many there are in all.
pub fn named(content: &Content) -> Option<(Vec<&str>, &str)> {
    Some((content.facts.get(UNCONFINED)?.split('\0').collect(), content.facts.get(COUNT)?))
}

/// Whether a statement makes such a function, or such a language.
pub fn is_untrusted(sql: &str) -> bool {
    // Most statements are told without being cut into words.
    const LANGUAGE: &[u8] = b"language";
    if !sql.as_bytes().windows(LANGUAGE.len()).any(|window| window.eq_ignore_ascii_case(LANGUAGE)) {
        return false;
    }
    let tokens = tokens(sql);
    let tokens = without_remarks(&tokens);
    if !tokens.first().is_some_and(|token| is(token, "create")) {
        return false;
    }
    let between = ["create", "or", "replace", "procedural"];
    let object = tokens.iter().find(|token| !between.iter().any(|word| is(token, word)));
    if object.is_some_and(|token| is(token, "language")) {
        return true;
    }
    if !object.is_some_and(|token| is(token, "function") || is(token, "procedure")) {
        return false;
    }
    let language = tokens.windows(2).find(|pair| is(&pair[0], "language")).map(|pair| &pair[1]);
    match language {
        Some(Token::Word(name) | Token::Name(name)) => {
            !CONFINED.split(' ').any(|confined| confined.eq_ignore_ascii_case(name))
        }
        // No dump program puts it into a string.
        Some(_) => true,
        // A body of SQL's own needs none.
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_that_the_server_does_not_confine_are_told() {
        for (sql, untrusted) in [
            ("CREATE FUNCTION public.f() RETURNS integer\n    LANGUAGE c STRICT\n    AS '$libdir/x', 'f';", true),
            ("CREATE OR REPLACE FUNCTION public.f() RETURNS integer LANGUAGE internal AS 'now';", true),
            ("CREATE PROCEDURE public.p()\n    LANGUAGE plpython3u\n    AS $$pass$$;", true),
            ("CREATE FUNCTION f() RETURNS int LANGUAGE \"C\" AS 'a', 'b';", true),
            ("CREATE FUNCTION f() RETURNS int AS 'a', 'b' LANGUAGE 'c';", true),
            ("--\n-- Name: f(); Type: FUNCTION\n--\n\nCREATE FUNCTION f() RETURNS int LANGUAGE c AS 'a', 'b';", true),
            ("CREATE PROCEDURAL LANGUAGE plpython3u;", true),
            ("CREATE TRUSTED LANGUAGE plmine HANDLER h;", false),
            ("CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 'LANGUAGE c'; END $$;", false),
            ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';", false),
            ("CREATE FUNCTION f() RETURNS int\n    RETURN 1;", false),
            ("CREATE TABLE language (c int);", false),
            ("CREATE TABLE public.t (language text, c int);", false),
            ("INSERT INTO t VALUES ('CREATE FUNCTION f() LANGUAGE c');", false),
        ] {
            assert_eq!(is_untrusted(sql), untrusted, "{sql}");
        }
    }
}
