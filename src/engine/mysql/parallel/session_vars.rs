//! What a dump sets for its session, so that every session can be given the same.
//!
//! One session leads and runs each `SET` of the dump. Which variables these name is read from the statements, what they
//! are then is asked of the server; a session that does a part of the work gets what differs. So the values of any moment
//! of the dump can be had, a later or an earlier one.

use std::collections::BTreeMap;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::super::session;
use crate::engine::mysql::sql::lexer::{Syntax, Token};
use crate::engine::mysql::sql::statement::{self, SpannedToken};

/// Session variables and their values, as they are written in SQL.
pub(super) type SessionVars = BTreeMap<String, String>;

/// No such variable, or none that a session has: other flavours' settings, in comments that the server passes over.
const UNKNOWN: [u16; 3] = [1193, 1238, 1227];

/// The session variables that a `SET` gives values; none when it does more than that.
pub(super) fn names(text: &[u8], syntax: &Syntax) -> Option<Vec<String>> {
    let mut pieces = statement::pieces(text, syntax).peekable();
    pieces.next().filter(|p| p.is("set"))?;
    let mut found = Vec::new();
    loop {
        found.extend(target(&mut pieces)?);
        if !value(&mut pieces)? {
            return Some(found);
        }
    }
}

/// What stands before a value: `@x =`, `@@SESSION.x =`, `SESSION x :=`, `NAMES`.
fn target<'a>(pieces: &mut std::iter::Peekable<impl Iterator<Item = SpannedToken<'a>>>) -> Option<Vec<String>> {
    const NAMES: [&str; 3] = ["character_set_client", "character_set_results", "collation_connection"];
    let is_scope =
        |p: &SpannedToken<'_>| ["session", "local", "global", "persist", "persist_only"].iter().any(|s| p.is(s));
    let named = |p: &SpannedToken<'_>| matches!(p.token, Token::Word | Token::Quoted(b'`'));
    let at = |p: &SpannedToken<'_>| p.is_symbol(b'@');
    let mut global = false;
    let mut scope = |p: &SpannedToken<'_>| global = !(p.is("session") || p.is("local"));
    let mut users = false;
    if pieces.next_if(at).is_some() {
        users = pieces.next_if(at).is_none();
    } else if pieces.peek().is_some_and(|p| p.is("names") || p.is("charset")) {
        pieces.next();
        return Some(NAMES.map(str::to_owned).to_vec());
    }
    let mut name = pieces.next_if(|p| named(p) || users && matches!(p.token, Token::Quoted(_)))?;
    if name.is("character") && pieces.next_if(|p| p.is("set")).is_some() {
        return Some(NAMES.map(str::to_owned).to_vec());
    }
    if !users && is_scope(&name) {
        scope(&name);
        pieces.next_if(|p| p.is_symbol(b'.'));
        name = pieces.next_if(named)?;
    }
    pieces.next_if(|p| p.is_symbol(b':'));
    pieces.next_if(|p| p.is_symbol(b'='))?;
    let name = name.unquoted()?.to_ascii_lowercase();
    Some(if users || global { Vec::new() } else { vec![name] })
}

/// Passes over a value; whether another assignment follows. None when the value is read from tables.
fn value<'a>(pieces: &mut impl Iterator<Item = SpannedToken<'a>>) -> Option<bool> {
    let mut depth = 0_u32;
    for piece in pieces {
        match piece.token {
            Token::Symbol(b'(') => depth += 1,
            Token::Symbol(b')') => depth = depth.checked_sub(1)?,
            Token::Symbol(b',') if depth == 0 => return Some(true),
            Token::Broken => return None,
            _ if ["select", "for", "table"].iter().any(|word| piece.is(word)) => return None,
            _ => {}
        }
    }
    (depth == 0).then_some(false)
}

/// The values of these variables now; what the server does not know is left out.
pub(super) async fn read(conn: &mut Conn, names: &[String]) -> mysql_async::Result<SessionVars> {
    match read_all(conn, names).await {
        Err(error) if names.len() > 1 && is_unknown(&error) => {
            let mut found = SessionVars::new();
            for name in names {
                found.extend(Box::pin(read(conn, std::slice::from_ref(name))).await?);
            }
            Ok(found)
        }
        Err(error) if is_unknown(&error) => Ok(SessionVars::new()),
        other => other,
    }
}

fn is_unknown(error: &mysql_async::Error) -> bool {
    session::number(error).is_some_and(|number| UNKNOWN.contains(&number))
}

/// All in one column: each column of a result takes a buffer of the library's, and every buffer grows to the largest
/// statement that was ever sent.
async fn read_all(conn: &mut Conn, names: &[String]) -> mysql_async::Result<SessionVars> {
    if names.is_empty() {
        return Ok(SessionVars::new());
    }
    let value =
        |name: &String| format!("IFNULL(HEX(CONVERT(@@SESSION.{} USING utf8mb4)), 'NULL')", session::quote(name));
    let values: Vec<String> = names.iter().map(value).collect();
    let row: Option<String> = conn.query_first(format!("SELECT CONCAT_WS(',', {})", values.join(", "))).await?;
    let row = row.unwrap_or_default();
    Ok(names.iter().cloned().zip(row.split(',').map(literal)).collect())
}

/// As SQL wants it: numbers as they are, other text in quotes.
fn literal(hex: &str) -> String {
    if hex == "NULL" {
        return hex.to_owned();
    }
    let digit = |at: usize| hex.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    let bytes: Vec<u8> = (0..hex.len()).step_by(2).filter_map(digit).collect();
    let text = String::from_utf8_lossy(&bytes);
    let number = text.parse::<f64>().is_ok() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b'-');
    if number { text.into_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

/// `SET` of what differs; none when nothing does.
pub(super) fn set(have: &SessionVars, want: &SessionVars) -> Option<String> {
    let differs = want.iter().filter(|(name, value)| have.get(*name) != Some(value));
    let assigned: Vec<String> =
        differs.map(|(name, value)| format!("SESSION {}={value}", session::quote(name))).collect();
    (!assigned.is_empty()).then(|| format!("SET {}", assigned.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<Vec<String>> {
        names(text.as_bytes(), &Syntax::new())
    }

    #[test]
    fn the_variables_of_a_session_are_read_from_what_dumps_set() {
        let names = ["character_set_client", "character_set_results", "collation_connection"];
        for (text, variables) in [
            ("/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */", &[][..]),
            ("/*!50503 SET NAMES utf8mb4 */", &names),
            ("/*!40101 SET NAMES utf8mb4 COLLATE utf8mb4_bin */", &names),
            ("SET CHARACTER SET utf8", &names),
            ("/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */", &["unique_checks"]),
            (
                "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='A,B', @@session.time_zone := '+00:00'*/",
                &["sql_mode", "time_zone"],
            ),
            ("/*!50003 SET character_set_client  = utf8mb3 */", &["character_set_client"]),
            ("SET SESSION a = CONCAT(@@a, ',B'), LOCAL `b` = 1, @@c = DEFAULT", &["a", "b", "c"]),
            ("SET GLOBAL x = 1, @@GLOBAL.y = 2, PERSIST z = 3", &[]),
            ("SET @`a b` = 1, @'c' = 2, @names = 'x'", &[]),
        ] {
            assert_eq!(
                of(text).as_deref(),
                Some(&variables.iter().map(|&v| v.to_owned()).collect::<Vec<_>>()[..]),
                "{text}"
            );
        }
    }

    #[test]
    fn what_does_more_than_that_is_not_followed() {
        for text in [
            "SELECT 1",
            "SET",
            "SET ROLE x",
            "SET PASSWORD FOR a = 'x'",
            "SET STATEMENT max_statement_time=1 FOR SELECT 1",
            "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "SET @a = (SELECT 1)",
            "SET a.b = 1",
            "SET x = )",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn only_what_differs_is_set() {
        let values =
            |all: &[(&str, &str)]| all.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect::<SessionVars>();
        let (have, want) = (values(&[("a", "1"), ("b", "'x'")]), values(&[("a", "1"), ("b", "NULL"), ("c", "'y'")]));
        assert_eq!(set(&have, &want).as_deref(), Some("SET SESSION `b`=NULL, SESSION `c`='y'"));
        assert_eq!(set(&want, &want), None);
        for (hex, sql) in [
            ("6974277320", "'it''s '"),
            ("", "''"),
            ("NULL", "NULL"),
            ("313030", "100"),
            ("2D312E35", "-1.5"),
            ("2B30303A3030", "'+00:00'"),
        ] {
            assert_eq!(literal(hex), sql);
        }
    }
}
