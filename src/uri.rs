//! A database's URI, read by libpq's and MySQL's rules rather than a browser's.
//!
//! A WHATWG parser sees a fragment in `#` and a query in `?`, both of which stand in real passwords, and lowercases or
//! refuses host names that servers accept. So the userinfo is cut off by hand, at the last `@` before the first `/`,
//! and percent signs that encode nothing are taken as they are; in the query, too, a `+` is a plus.
//!
//! Connection strings of libpq and of Go's MySQL driver are read, too: see `strings`.
//!
//! A URI that can't be read is never repeated in full: [`redact`] shows what is surely not its password.

use std::path::PathBuf;

use crate::connection::{Connection, Host, LoginRules, Route, Tls, TlsMode};
use crate::dialect::{self, Dialect};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;
use crate::secret::{Redactor, STARS, Secret};

mod params;
mod passfile;
mod strings;

use strings::Style;

/// Reads a URI or a connection string: `Kind::Config`, naming the part that is wrong, when it can't be.
pub fn parse(text: &str) -> Result<Connection> {
    let read = match style(text) {
        None => return parse_uri(text),
        Some(Style::Ado) => return Err(strings::ado()),
        Some(Style::Pairs) => strings::read_pairs(text),
        Some(Style::Dsn) => strings::read_dsn(text.trim()),
    };
    read.map_err(|what| {
        Error::new(Kind::Config, what).hint(Hint::new(
            "same-as-a-uri",
            "the same as a URI: postgres://USER:PASSWORD@HOST:PORT/DATABASE, or mysql:// for MySQL and MariaDB",
        ))
    })
}

/// The style of a connection string that is no URI.
fn style(text: &str) -> Option<Style> {
    if is_database(text) { None } else { strings::style(text) }
}

fn parse_uri(text: &str) -> Result<Connection> {
    let wrong = |what: String| Error::new(Kind::Config, what).why(redact(text));
    let (scheme, rest, mut notes) = split_scheme(text).map_err(&wrong)?;
    let dialect = Dialect::of_scheme(&scheme).ok_or_else(|| {
        let hint = Hint::naming("uri-begins-with", format!("a URI begins with {}", schemes()));
        wrong(format!("unknown scheme \"{scheme}\"")).hint(hint)
    })?;
    let (userinfo, rest) = split_userinfo(rest, &mut notes);
    let (authority, path, query) = split_rest(rest);
    let mut parts = Parts::of(dialect);
    parts.notes = notes;
    if let Some(userinfo) = userinfo {
        let (user, password) = userinfo.split_once(':').map_or((userinfo, None), |(u, p)| (u, Some(p)));
        parts.user = Some(decode(user));
        parts.password = password.map(decode);
        if password.is_some_and(has_bare_percent) {
            parts.notes.push("the password holds a raw %: taken as it is".into());
        }
    }
    parts.read_authority(authority).map_err(&wrong)?;
    if path.contains("://") {
        return Err(wrong("there is another URI behind the database's name: give one".into()));
    }
    if !path.is_empty() {
        parts.database = Some(decode(path));
    }
    parts.read_query(query).map_err(&wrong)?;
    parts.into_connection(scheme).map_err(wrong)
}

/// The text with everything that may be a secret starred out, for a URI that could not be read.
#[must_use]
pub fn redact(text: &str) -> String {
    if style(text).is_some() {
        return parse(text).map_or_else(|_| STARS.to_owned(), |connection| connection.to_string());
    }
    let Some((scheme, rest)) = text.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) else {
        return STARS.to_owned();
    };
    let (stars, rest) = match rest.rsplit_once('@') {
        // An @ in a parameter's password: what follows it is not the host.
        Some((before, _)) if !passwords_in_query(before).is_empty() => return format!("{scheme}://{STARS}"),
        Some((_, rest)) => (format!("{STARS}@"), rest),
        None => (String::new(), rest),
    };
    Redactor::new(&secrets(text)).redact(&format!("{scheme}://{stars}{rest}"))
}

/// What may be a secret in a text that may be a URI, readable or not: as it is written, and decoded.
#[must_use]
pub fn secrets(text: &str) -> Vec<Secret> {
    if let Some(style) = style(text) {
        return strings::passwords(style, text).into_iter().map(Secret::new).collect();
    }
    let Some((_, rest)) = text.split_once("://") else { return Vec::new() };
    let mut found = passwords_in_query(rest);
    match rest.rsplit_once('@') {
        Some((userinfo, _)) => found.extend(userinfo.split_once(':').map(|(_, password)| password)),
        // Without a host, all from a port's place on may be the password.
        None if !rest.starts_with('[') => {
            let port =
                |text: &str| text.split(['/', '?']).next().is_some_and(|p| p.bytes().all(|b| b.is_ascii_digit()));
            found.extend(rest.split_once(':').map(|(_, after)| after).filter(|after| !port(after)));
        }
        None => {}
    }
    found.iter().flat_map(|password| [Secret::new(*password), Secret::new(decode(password))]).collect()
}

/// The values of parameters whose names speak of passwords.
fn passwords_in_query(text: &str) -> Vec<&str> {
    let pairs = text.split(['?', '&']).skip(1).filter_map(|pair| pair.split_once('='));
    pairs.filter(|(name, _)| decode(name).to_ascii_lowercase().contains("pass")).map(|(_, value)| value).collect()
}

/// Redacts each word of a text that looks like a URI: for messages that repeat a setting.
#[must_use]
pub fn redact_words(text: &str) -> String {
    let word = |word: &str| if word.contains("://") { redact(word) } else { word.to_owned() };
    text.split_inclusive(char::is_whitespace).map(word).collect()
}

/// The same of each word that holds a secret, for what is shown to be pasted.
#[must_use]
pub fn redact_secrets(text: &str) -> String {
    let word = |word: &str| if secrets(word).is_empty() { word.to_owned() } else { redact(word) };
    text.split_inclusive(char::is_whitespace).map(word).collect()
}

/// Whether a text may hold a password: as a URI, a connection string, or a setting whose name says so.
#[must_use]
pub fn may_hold_secret(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let named = ["pass", "pwd", "secret"].iter().any(|word| lower.contains(word)) && lower.contains(['=', ':']);
    named || lower.contains("://") || lower.rsplit_once('@').is_some_and(|(userinfo, _)| userinfo.contains(':'))
}

/// Whether a text is a connection string, or any other URI with a password in it.
#[must_use]
pub fn holds_secret(text: &str) -> bool {
    let uri = text.split_once("://").is_some_and(|(scheme, _)| is_scheme(scheme));
    is_connection(text) || uri && !secrets(text).is_empty()
}

/// Whether a text is a database's URI or another connection string, readable or not.
#[must_use]
pub fn is_connection(text: &str) -> bool {
    match style(text) {
        // A single pair may be a file's name.
        Some(Style::Pairs) => text.matches('=').count() > 1,
        // Nor is every @/ in a path a DSN's.
        Some(Style::Dsn) => text.contains("tcp") || text.contains("unix(") || !secrets(text).is_empty(),
        Some(Style::Ado) => true,
        None => is_database(text),
    }
}

/// Whether a text begins as a database's URI does.
#[must_use]
fn is_database(text: &str) -> bool {
    split_scheme(text.trim()).is_ok_and(|(scheme, ..)| Dialect::of_scheme(&scheme).is_some())
}

/// The schemes that are known, for people: `postgres://, postgresql:// or mysql://`.
fn schemes() -> String {
    let all = dialect::all().iter().flat_map(|dialect| dialect.description().schemes);
    let mut all: Vec<String> = all.map(|scheme| format!("{scheme}://")).collect();
    let last = all.pop().unwrap_or_default();
    if all.is_empty() { last } else { format!("{} or {last}", all.join(", ")) }
}

/// The scheme, the rest, and notes on prefixes and suffixes that drivers add: `jdbc:`, `+psycopg2`.
fn split_scheme(text: &str) -> Result<(String, &str, Vec<String>), String> {
    let mut notes = Vec::new();
    let (scheme, rest) = text
        .split_once("://")
        .filter(|(scheme, _)| is_scheme(scheme))
        .ok_or_else(|| "this is not a database URI: it has no scheme://".to_owned())?;
    let scheme = match scheme.strip_prefix("jdbc:") {
        Some(inner) => {
            notes.push("the jdbc: in front of the URI was dropped".to_owned());
            inner
        }
        None => scheme,
    };
    let scheme = match scheme.split_once('+') {
        Some((base, driver)) => {
            notes.push(format!("the driver name +{driver} in the URI was dropped"));
            base
        }
        None => scheme,
    };
    Ok((scheme.to_owned(), rest, notes))
}

/// What stands before `://` is a scheme, and may be shown, when it looks like one.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.:_".contains(&b))
        && text.strip_prefix("jdbc:").unwrap_or(text).len() <= 20
        && !text.strip_prefix("jdbc:").unwrap_or(text).contains(':')
}

/// Cuts at the last `@` before the first `/`, where libpq looks for it too.
fn split_userinfo<'a>(rest: &'a str, notes: &mut Vec<String>) -> (Option<&'a str>, &'a str) {
    let head = rest.split('/').next().unwrap_or_default();
    let Some(at) = head.rfind('@') else { return (None, rest) };
    if head[..at].contains('@') {
        notes.push("the password holds a raw @: the last @ was taken as its end".into());
    }
    (Some(&rest[..at]), &rest[at + 1..])
}

/// Host and port, the database's name, the query.
fn split_rest(rest: &str) -> (&str, &str, &str) {
    let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = before.split_once('/').unwrap_or((before, ""));
    (authority, path, query)
}

/// Percent-decodes; a `%` that encodes nothing stands for itself, and `+` is a plus.
fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let encoded = (bytes[at] == b'%').then(|| bytes.get(at + 1..at + 3).and_then(hex_pair)).flatten();
        out.push(encoded.unwrap_or(bytes[at]));
        at += if encoded.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

fn hex_pair(pair: &[u8]) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16);
    u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()
}

fn has_bare_percent(text: &str) -> bool {
    text.match_indices('%').any(|(at, _)| text.as_bytes().get(at + 1..at + 3).and_then(hex_pair).is_none())
}

/// What was read so far.
struct Parts {
    /// `URI`, `connection string`, `DSN`.
    called: &'static str,
    dialect: Dialect,
    user: Option<String>,
    password: Option<String>,
    host: Option<String>,
    port: Option<u16>,
    socket: Option<PathBuf>,
    hostaddr: Option<String>,
    database: Option<String>,
    tls: Tls,
    login: LoginRules,
    /// PostgreSQL: where libpq looks for a password that is not given.
    passfile: Option<PathBuf>,
    notes: Vec<String>,
}

impl Parts {
    fn of(dialect: Dialect) -> Self {
        Self {
            called: "URI",
            dialect,
            user: None,
            password: None,
            host: None,
            port: None,
            socket: None,
            hostaddr: None,
            database: None,
            tls: Tls { mode: TlsMode::Prefer, explicit: false, ca: None, cert: None, key: None },
            login: LoginRules::default(),
            passfile: None,
            notes: Vec::new(),
        }
    }

    /// Reads `host`, `host:port`, `[::1]:port`, `%2Fpath%2Fof%2Fa%2Fsocket`.
    fn read_authority(&mut self, authority: &str) -> Result<(), String> {
        if authority.contains(',') {
            return Err("several hosts in one URI: name the one to dump from or restore into".into());
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']').ok_or("the address has no closing bracket ]")?;
                match after.strip_prefix(':') {
                    Some(port) => (host, Some(port)),
                    None if after.is_empty() => (host, None),
                    None => return Err("something stands between the address's ] and its port".into()),
                }
            }
            None => match authority.split_once(':') {
                Some((_, port)) if port.contains(':') => {
                    return Err("an IPv6 address needs brackets: [::1]:5432".into());
                }
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        if let Some(port) = port.filter(|p| !p.is_empty()) {
            self.port = Some(read_port(port)?);
        }
        self.set_host(&decode(host));
        Ok(())
    }

    fn set_host(&mut self, host: &str) {
        if host.starts_with('/') {
            self.socket = Some(host.into());
        } else if !host.is_empty() {
            self.host = Some(host.to_owned());
        }
    }

    /// The password, or what libpq would find in the file that is named.
    fn take_password(&mut self, host: &Host, database: &str, user: &str) -> Option<Secret> {
        let given = self.password.take().filter(|password| !password.is_empty());
        let (name, port) = match host {
            Host::Tcp { name, port } => (name.clone(), *port),
            Host::Socket { path, port } => (path.display().to_string(), *port),
        };
        let found = match (given, &self.passfile) {
            (None, Some(path)) => passfile::password(path, [&name, &port.to_string(), database, user]),
            (given, _) => return given.map(Secret::new),
        };
        found.map_err(|why| self.notes.push(why)).ok().map(Secret::new)
    }

    fn into_connection(mut self, scheme: String) -> Result<Connection, String> {
        let port = self.port.unwrap_or(self.dialect.description().default_port);
        let called = self.called;
        if self.login.direct_tls && self.tls.mode < TlsMode::Require {
            return Err("sslnegotiation=direct needs sslmode=require, verify-ca or verify-full".into());
        }
        // Without a name, libpq takes the address for the host.
        let host = match (self.host.take().or_else(|| self.hostaddr.clone()), self.socket.take()) {
            (_, Some(path)) => Host::Socket { path, port },
            (Some(name), None) => Host::Tcp { name, port },
            (None, None) => return Err(format!("the {called} names no host")),
        };
        let database =
            self.database.take().filter(|d| !d.is_empty()).ok_or_else(|| format!("the {called} names no database"))?;
        let user = self.user.take().unwrap_or_default();
        if user.is_empty() && self.dialect.description().needs_user {
            return Err(format!("the {called} names no user"));
        }
        let all = [Some(&database), Some(&user), self.password.as_ref()];
        if all.into_iter().flatten().any(|part| part.contains('\0')) {
            return Err(format!("the {called} holds a zero byte (%00), which no server takes"));
        }
        let password = self.take_password(&host, &database, &user);
        Ok(Connection {
            dialect: self.dialect,
            scheme,
            host,
            route: self.hostaddr.map(|host| Route { host, port }),
            user,
            password,
            database,
            tls: self.tls,
            login: self.login,
            notes: self.notes,
        })
    }
}

/// A port, or why not: without repeating the text, since it may be the rest of a password with a raw `/`.
fn read_port(text: &str) -> Result<u16, String> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        _ if digits => Err(format!("the port {text} is not between 1 and 65535")),
        _ => Err("the port is not a number (a / in a password is written %2F, an @ %40)".into()),
    }
}

#[cfg(test)]
mod tests;
