//! Functions that reach beyond a database, and the ways in which a statement can name one.

use std::{collections::HashMap, sync::LazyLock};

use super::super::commands::is;
use super::super::lexer::Token;
use super::function_lists::{HARMLESS, STOPPED};
use super::knows;

/// What becomes of a function that an expression without a body calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// It reaches beyond the database, and for what.
    Stopped(&'static str),
    /// It may be called.
    Harmless,
}

/// Looks a function up by its name; none where nobody has sorted it.
#[must_use]
pub fn sort_function(name: &str) -> Option<Sort> {
    static SORTED: LazyLock<HashMap<&str, Sort>> = LazyLock::new(|| {
        let harmless = HARMLESS.iter().map(|(_, names)| (*names, Sort::Harmless));
        let stopped = STOPPED.iter().map(|(why, names)| (*names, Sort::Stopped(why)));
        harmless.chain(stopped).flat_map(|(names, sort)| names.split(' ').map(move |name| (name, sort))).collect()
    });
    if name.starts_with("dblink") {
        return Some(Sort::Stopped("other servers"));
    }
    SORTED.get(name).copied()
}

fn reaches(name: &str) -> bool {
    matches!(sort_function(name), Some(Sort::Stopped(_)))
}

/// A name that only the server's own functions have. One that nobody has sorted is of a newer server's.
fn is_new(name: &str) -> bool {
    (name.starts_with("pg_") || name.starts_with("binary_upgrade_")) && sort_function(name).is_none()
}

/// Whether the name at this place, with a parenthesis behind it, may be a function of the server's own schema: it has no
/// other schema, and is no table's name.
fn is_servers_own(tokens: &[Token<'_>], at: usize) -> bool {
    const TABLE_FOLLOWS: [&str; 7] = ["table", "exists", "into", "references", "only", "view", "statistics"];
    match tokens[..at] {
        [.., schema, Token::Symbol(b'.')] => name(&schema).is_some_and(|schema| schema == "pg_catalog"),
        [.., before] => !TABLE_FOLLOWS.iter().any(|word| is(&before, word)),
        [] => true,
    }
}

/// A name as the server reads it: in small letters, unless it is quoted.
pub(super) fn name(token: &Token<'_>) -> Option<String> {
    match token {
        Token::Word(word) => Some(word.to_ascii_lowercase()),
        Token::Name(name) => Some(name.replace("\"\"", "\"")),
        _ => None,
    }
}

/// The names that have a parenthesis behind them.
pub(super) fn calls<'t>(tokens: &'t [Token<'_>]) -> impl Iterator<Item = String> + 't {
    tokens.windows(2).filter(|pair| pair[1] == Token::Symbol(b'(')).filter_map(|pair| name(&pair[0]))
}

/// Whether it calls one that reaches: `f(x)`, or `(x).f`, which is the same.
pub(super) fn calls_reaching(tokens: &[Token<'_>]) -> bool {
    calls_reaching_besides("", tokens)
}

/// The same, where these may be called.
pub(super) fn calls_reaching_besides(allowed: &str, tokens: &[Token<'_>]) -> bool {
    let is_reaching = |name: &str| reaches(name) && !knows(allowed, name);
    tokens.windows(2).enumerate().any(|(at, pair)| match pair {
        [Token::Symbol(b'.'), attribute] => name(attribute).is_some_and(|name| is_reaching(&name)),
        [called, Token::Symbol(b'(')] => name(called).is_some_and(|name| {
            is_reaching(&name) || is_new(&name) && !knows(allowed, &name) && is_servers_own(tokens, at)
        }),
        _ => false,
    })
}

/// Whether it names one, in a statement that makes another door to it: `FUNCTION = lo_export`.
pub(super) fn names_reaching(tokens: &[Token<'_>]) -> bool {
    tokens.iter().filter_map(name).any(|name| reaches(&name))
}

/// `U&"lo\005fexport"`: a name that is spelled otherwise than it reads, and that no program writes.
pub(super) fn spells_names(tokens: &[Token<'_>]) -> bool {
    // Nothing may stand between the three.
    const BETWEEN: usize = r#"U&""#.len();
    tokens.windows(3).any(|three| match three {
        [Token::Word(u), Token::Symbol(b'&'), Token::Name(name)] => {
            u.eq_ignore_ascii_case("u") && name.as_ptr() as usize == u.as_ptr() as usize + BETWEEN
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Reason, judge_all};
    use super::*;

    fn reason(expression: &str) -> Option<Reason> {
        judge_all(&format!("CREATE TABLE public.t (a int, b text DEFAULT {expression})")).reason
    }

    #[test]
    fn functions_are_stopped_and_let_through_as_the_lists_say() {
        for name in STOPPED.iter().flat_map(|(_, names)| names.split(' ')) {
            assert_eq!(reason(&format!("{name}('x')")), Some(Reason::Reaches), "{name}");
        }
        for name in HARMLESS.iter().flat_map(|(_, names)| names.split(' ')) {
            assert_eq!(reason(&format!("{name}('x')")), None, "{name}");
        }
    }

    #[test]
    fn each_function_stands_in_one_list_once() {
        let all: Vec<_> = STOPPED.iter().chain(HARMLESS).flat_map(|(_, names)| names.split(' ')).collect();
        let once: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(once.len(), all.len());
    }

    #[test]
    fn what_a_newer_server_has_is_stopped_and_what_others_made_is_not() {
        for (expression, stopped) in [
            ("pg_of_tomorrow()", true),
            ("pg_catalog.pg_of_tomorrow()", true),
            ("binary_upgrade_of_tomorrow()", true),
            ("public.pg_of_somebody()", false),
            ("of_an_extension()", false),
        ] {
            assert_eq!(reason(expression).is_some(), stopped, "{expression}");
        }
        for sql in [
            "CREATE TABLE pg_mine (a int)",
            "CREATE TABLE IF NOT EXISTS pg_mine (a int REFERENCES pg_yours (a))",
            "CREATE INDEX i ON pg_mine (a)",
            "CREATE INDEX i ON ONLY public.pg_mine USING btree (a)",
            "CREATE MATERIALIZED VIEW pg_mine (a) AS SELECT 1",
            "INSERT INTO pg_mine (a) VALUES (1)",
        ] {
            assert_eq!(judge_all(sql).reason, None, "{sql}");
        }
        assert_eq!(judge_all("CREATE INDEX i ON t (pg_of_tomorrow(a))").reason, Some(Reason::Reaches));
    }
}
