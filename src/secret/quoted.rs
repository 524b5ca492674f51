//! Passwords that are not ours, in text that quotes a statement, a connection string or a URI.
//!
//! A server that refuses `CREATE SUBSCRIPTION`, and the client that repeats the statement, say the password of a server
//! that dbhaul never heard of. Such a password is told by what stands before it.

use std::ops::Range;

use super::STARS;

/// In a name, these say that its value is a password.
const PASSWORDS: [&str; 5] = ["password", "passwd", "pwd", "passphrase", "passcode"];
/// These are words of many columns: only a value that is quoted, or right behind an equals sign, is one.
const TOKENS: [&str; 7] = ["secret", "token", "credential", "apikey", "api_key", "access_key", "private_key"];
/// Say how a user logs in, and not with what.
const NO_SECRETS: [&str; 2] = ["passfile", "password_required"];

/// The text with stars in place of every such password.
pub fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for Range { start, end } in found(text) {
        if start >= done {
            out.push_str(&text[done..start]);
            out.push_str(STARS);
            done = end;
        }
    }
    out + &text[done..]
}

/// Where the passwords stand, in order.
fn found(text: &str) -> Vec<Range<usize>> {
    let mut found = in_uris(text);
    let mut at = 0;
    while let Some(start) = text[at..].find(is_of_name).map(|start| at + start) {
        let end = text[start..].find(|c| !is_of_name(c)).map_or(text.len(), |length| start + length);
        if text[start..end].eq_ignore_ascii_case("identified") {
            found.extend(login_strings(text, end));
        } else {
            found.extend(value(text, start..end));
        }
        at = end;
    }
    found.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
    found.retain(|range| &text[range.clone()] != STARS);
    found
}

fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The first place from `at` on that is not white.
fn past_blanks(text: &str, at: usize) -> usize {
    text.len() - text[at..].trim_start().len()
}

/// The value of the name that stands there, where that is a password's: of `password=...`, `password '...'`.
fn value(text: &str, name: Range<usize>) -> Option<Range<usize>> {
    let lower = text[name.clone()].to_ascii_lowercase();
    let holds = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let is_password = holds(&PASSWORDS);
    if NO_SECRETS.contains(&lower.as_str()) || !is_password && !holds(&TOKENS) {
        return None;
    }
    // A name may be quoted itself.
    let behind = name.end + usize::from(text[name.end..].starts_with(['"', '`', '\'']));
    let sign = past_blanks(text, behind);
    if !text[sign..].starts_with(['=', ':']) {
        // OPTIONS (password '...'), PASSWORD('...')
        let value = sign + usize::from(text[sign..].starts_with('('));
        return string(text, past_blanks(text, value), &['\'']);
    }
    let value = past_blanks(text, sign + 1);
    if let Some(string) = string(text, value, &['\'', '"']) {
        return Some(string);
    }
    let is_near = sign == name.end && value == sign + 1;
    let is_bare = text[sign..].starts_with('=') && (is_password || is_near) && value < text.len();
    let in_query = text[..name.start].ends_with(['?', '&']);
    is_bare.then(|| value..bare_end(text, value, in_query))
}

/// What is between the quotes of the string that begins there; to the end of the text where none closes it.
fn string(text: &str, at: usize, quotes: &[char]) -> Option<Range<usize>> {
    let quote = text[at..].find(|c| !is_of_name(c)).map(|length| at + length)?;
    // E'...', _utf8mb4'...'
    let prefix = &text[at..quote];
    let is_prefix = prefix.starts_with('_') || ["", "e", "n"].contains(&prefix.to_ascii_lowercase().as_str());
    let sign = text[quote..].chars().next().filter(|sign| quotes.contains(sign) && is_prefix)?;
    let from = quote + 1;
    // Inside of another string quotes are doubled.
    let doubled = text[from..].starts_with(sign) && !is_closing(&text[from + 1..]);
    let from = from + usize::from(doubled);
    let mut chars = text[from..].char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == sign {
            let is_twice = chars.peek().is_some_and(|(_, next)| *next == sign);
            if is_twice == doubled {
                return Some(from..from + at);
            }
            chars.next_if(|_| is_twice);
        }
    }
    Some(from..text.len())
}

/// Whether a string may have ended before this.
fn is_closing(text: &str) -> bool {
    text.is_empty() || text.starts_with(|c: char| c.is_whitespace() || ",);".contains(c))
}

/// The end of a value without quotes: at a blank; what closes the text around it stays.
fn bare_end(text: &str, at: usize, in_query: bool) -> usize {
    let mut is_escaped = false;
    let is_end = |c: char| {
        let ends = !is_escaped && (c.is_whitespace() || in_query && c == '&');
        is_escaped = c == '\\' && !is_escaped;
        ends
    };
    let end = text[at..].find(is_end).map_or(text.len(), |length| at + length);
    let trimmed = text[at..end].trim_end_matches(['\'', '"', ')', ';', ',']);
    if trimmed.is_empty() { end } else { at + trimmed.len() }
}

/// The strings of `IDENTIFIED BY '...'`, `IDENTIFIED WITH plugin AS '...'`.
fn login_strings(text: &str, at: usize) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = at;
    while let Some(quote) = text[at..].find(['\'', '"']).map(|length| at + length) {
        if !text[at..quote].chars().all(|c| is_of_name(c) || c.is_whitespace()) {
            break;
        }
        let Some(range) = string(text, quote, &['\'', '"']) else { break };
        at = (range.end + 1).min(text.len());
        found.push(range);
    }
    found
}

/// What stands between the colon and the last @ of a URI's first part.
fn in_uris(text: &str) -> Vec<Range<usize>> {
    let password = |(at, sign): (usize, &str)| {
        let from = at + sign.len();
        let end = text[from..].find(char::is_whitespace).map_or(text.len(), |length| from + length);
        let host = from + text[from..end].rfind('@')?;
        let colon = from + text[from..host].find(':')?;
        (colon + 1 < host).then_some(colon + 1..host)
    };
    text.match_indices("://").filter_map(password).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_hidden_wherever_a_statement_holds_one() {
        for text in [
            "CREATE SUBSCRIPTION s CONNECTION 'host=localhost password=SECRET' PUBLICATION p;",
            "CONNECTION 'host=localhost password=SECRET user=x'",
            "CONNECTION 'password=''SEC \\' RET'' user=x'",
            "host=h password = 'SEC\\'RET' user=x",
            "host=h password=SEC\\ RET user=x",
            "host=h sslpassword=SECRET",
            "CREATE USER MAPPING FOR u SERVER s OPTIONS (user 'x', password 'SEC''RET', sslpassword 'SECRET')",
            "    password 'SECRET',",
            "OPTIONS (\"password\" E'SEC\\\\RET')",
            "OPTIONS (USER 'x', PASSWORD 'SECRET', HOST 'h')",
            "password 'SECRET",
            "ALTER ROLE x PASSWORD 'SECRET'",
            "CREATE USER 'u'@'h' IDENTIFIED BY 'SECRET' REQUIRE SSL",
            "CREATE USER 'u'@'h' IDENTIFIED WITH caching AS 'SECRET'",
            "SET PASSWORD FOR 'u'@'h' = PASSWORD('SECRET')",
            "CHANGE MASTER TO MASTER_PASSWORD='SECRET', MASTER_PORT=3",
            "CONNECTION='mysql://u:SEC@RET@h:3306/d/t'",
            "invalid URI postgresql://u:SECRET@h/d?sslpassword=SECRET&x=y",
            "{\"password\": \"SECRET\"}",
            "api_token=SECRET",
        ] {
            let redacted = redact(text);
            assert!(!redacted.contains("SEC") && !redacted.contains("RET"), "{text}\n{redacted}");
            assert!(redacted.contains(STARS), "{redacted}");
            assert_eq!(redact(&redacted), redacted, "{text}");
        }
        assert_eq!(
            redact("CONNECTION 'host=localhost password=SECRET' PUBLICATION p"),
            "CONNECTION 'host=localhost password=****' PUBLICATION p"
        );
        assert_eq!(redact("OPTIONS (user 'x', password 'y')"), "OPTIONS (user 'x', password '****')");
        assert_eq!(redact("password '' x"), "password '****' x");
    }

    #[test]
    fn words_about_passwords_stay() {
        for text in [
            "FATAL:  password authentication failed for user \"app\"",
            "Access denied for user 'x'@'h' (using password: YES)",
            "relation \"password_resets\" already exists",
            "DETAIL:  Token \"abc\" is invalid.",
            "DETAIL:  Key (token)=(7) already exists.",
            "CREATE INDEX i ON public.sessions USING btree (token)",
            "WHERE (a.token = b.token)",
            "passfile=/home/x/.pgpass",
            "OPTIONS (password_required 'false')",
            "connect to postgres://app@db:5432/shop",
        ] {
            assert_eq!(redact(text), text);
        }
    }
}
