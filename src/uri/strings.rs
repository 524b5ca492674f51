//! Connection strings that are no URIs. libpq's `key=value` pairs and Go's `user:password@tcp(host:port)/database` are
//! read. ADO's `Server=...;Password=...` is told apart, because it holds a password, and refused: it names no engine.

use super::params::truth;
use super::{Parts, decode};
use crate::connection::Connection;
use crate::dialect::Dialect;
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;

/// What a text is that is no URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// libpq's pairs.
    Pairs,
    /// The data source name of Go's MySQL driver.
    Dsn,
    /// Pairs with semicolons, as .NET, ODBC and JDBC for SQL Server have them.
    Ado,
}

/// libpq's keywords. No other word is ever repeated: it may be a piece of a password.
const KEYWORDS: [&str; 53] = [
    "application_name",
    "authtype",
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "dbname",
    "fallback_application_name",
    "gssdelegation",
    "gssencmode",
    "gsslib",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "max_protocol_version",
    "min_protocol_version",
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_issuer",
    "oauth_scope",
    "options",
    "passfile",
    "password",
    "port",
    "replication",
    "require_auth",
    "requirepeer",
    "requiressl",
    "scram_client_key",
    "scram_server_key",
    "service",
    "servicefile",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcert",
    "sslcertmode",
    "sslcompression",
    "sslcrl",
    "sslcrldir",
    "sslkey",
    "sslkeylogfile",
    "sslmode",
    "sslnegotiation",
    "sslpassword",
    "sslrootcert",
    "sslsni",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
];

/// The usual keys of ADO strings, in lower case.
const ADO_KEYS: [&str; 22] = [
    "address",
    "addr",
    "data source",
    "database",
    "datasource",
    "driver",
    "host",
    "hostname",
    "initial catalog",
    "network address",
    "password",
    "port",
    "pwd",
    "server",
    "ssl mode",
    "sslmode",
    "uid",
    "user",
    "user id",
    "userid",
    "user name",
    "username",
];

/// The style of a text, if it is one of these.
pub(super) fn style(text: &str) -> Option<Style> {
    let text = text.trim();
    if ado_keys(text) >= 2 {
        return Some(Style::Ado);
    }
    let first = text.split_once('=').map(|(keyword, _)| keyword.trim());
    if first.is_some_and(|keyword| KEYWORDS.contains(&keyword)) {
        return Some(Style::Pairs);
    }
    dsn_address(text).map(|_| Style::Dsn)
}

/// How many of the parts between semicolons begin as a key of ADO's.
fn ado_keys(text: &str) -> usize {
    let keys = text.split(';').filter_map(|part| Some(part.split_once('=')?.0.trim().to_ascii_lowercase()));
    keys.filter(|key| ADO_KEYS.contains(&key.as_str())).count()
}

/// Reads libpq's pairs.
pub(super) fn read_pairs(text: &str) -> Result<Connection, String> {
    let dialect = Dialect::of_scheme("postgresql").ok_or("no engine here reads libpq's connection strings")?;
    let mut parts = Parts { called: "connection string", ..Parts::of(dialect) };
    parts.read_parameters(pairs(text)?)?;
    parts.into_connection("postgresql".into())
}

/// The pairs as libpq cuts them: blanks between, quotes around a value with blanks, backslashes before `'` and `\`.
fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let place = found.last().map_or("at the beginning".to_owned(), |(keyword, _)| format!("behind \"{keyword}\""));
        let (keyword, value) = rest.split_once('=').ok_or_else(|| no_pair(&place))?;
        let keyword = keyword.trim_end();
        if !KEYWORDS.contains(&keyword) {
            return Err(no_pair(&place));
        }
        let (value, after) =
            value_of(value.trim_start()).ok_or_else(|| format!("the value of \"{keyword}\" has no closing quote"))?;
        found.push((keyword.to_owned(), value));
        rest = after.trim_start();
    }
    Ok(found)
}

fn no_pair(place: &str) -> String {
    format!("{place} stands no keyword of libpq's with its value: a value with blanks is written 'like this'")
}

/// A value and what follows it; None when its quote is not closed.
fn value_of(text: &str) -> Option<(String, &str)> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut characters = text.char_indices().skip(usize::from(quoted));
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            '\'' if quoted => return Some((value, &text[at + 1..])),
            blank if !quoted && blank.is_whitespace() => return Some((value, &text[at..])),
            other => value.push(other),
        }
    }
    (!quoted).then_some((value, ""))
}

/// Where the parts of a Go DSN end: the userinfo at the address, the address at the slash before the database.
struct Dsn<'a> {
    userinfo: Option<&'a str>,
    protocol: &'a str,
    address: &'a str,
    rest: &'a str,
}

/// Cuts a Go DSN as its driver does: the last slash behind an address, the last `@` before it, user and password raw.
fn dsn_address(text: &str) -> Option<Dsn<'_>> {
    let (head, rest) = match text.rfind(")/") {
        Some(at) => (&text[..=at], &text[at + 2..]),
        None if text.ends_with(')') => (text, ""),
        None => {
            let at = ["@/", "@tcp/"].into_iter().find_map(|end| Some(text.rfind(end)? + end.len() - 1))?;
            (&text[..at], &text[at + 1..])
        }
    };
    let (userinfo, place) = head.rsplit_once('@').map_or((None, head), |(user, place)| (Some(user), place));
    let (protocol, address) = match place.split_once('(') {
        Some((protocol, address)) => (protocol, address.strip_suffix(')')?),
        None => (place, ""),
    };
    let named = ["tcp", "unix"].contains(&protocol);
    let plain = protocol.is_empty() && address.is_empty() && userinfo.is_some_and(|userinfo| !userinfo.is_empty());
    (plain || named).then_some(Dsn { userinfo, protocol, address, rest })
}

/// Reads a Go DSN.
pub(super) fn read_dsn(text: &str) -> Result<Connection, String> {
    let dsn = dsn_address(text).ok_or("this is no DSN of Go's MySQL driver")?;
    let dialect = Dialect::of_scheme("mysql").ok_or("no engine here reads DSNs of Go's MySQL driver")?;
    let mut parts = Parts { called: "DSN", ..Parts::of(dialect) };
    let (user, password) =
        dsn.userinfo.map_or(("", None), |info| info.split_once(':').map_or((info, None), |(u, p)| (u, Some(p))));
    (parts.user, parts.password) = (Some(user.to_owned()), password.map(str::to_owned));
    match dsn.protocol {
        "" | "tcp" if dsn.address.is_empty() => parts.set_host("127.0.0.1"),
        "tcp" => parts.read_authority(dsn.address)?,
        _ => parts.socket = Some(dsn.address.into()),
    }
    let (database, query) = dsn.rest.split_once('?').unwrap_or((dsn.rest, ""));
    parts.database = Some(decode(database));
    let query = query.split('&').filter_map(|pair| pair.split_once('='));
    let as_uri = |(name, value)| {
        // Go's driver verifies the server where a URI's ssl=true only encrypts.
        let verifies = name == "tls" && truth(value) == Some(true);
        if verifies { ("sslmode".into(), "verify-full".into()) } else { (decode(name), decode(value)) }
    };
    parts.read_parameters(query.map(as_uri))?;
    parts.into_connection("mysql".into())
}

/// The refusal of an ADO string.
pub(super) fn ado() -> Error {
    Error::new(Kind::Config, "a connection string with semicolons does not say which engine is meant")
        .why("nothing of it was used, and none of it is repeated: it may hold a password")
        .hint(Hint::new("uri-of-postgres", "PostgreSQL: postgres://USER:PASSWORD@HOST:5432/DATABASE"))
        .hint(Hint::new("uri-of-mysql", "MySQL, MariaDB: mysql://USER:PASSWORD@HOST:3306/DATABASE"))
        .hint(Hint::new("percent-encode", "in user and password, write @ as %40, / as %2F and % as %25"))
}

/// The passwords of a text of this style, as far as it can be read.
pub(super) fn passwords(style: Style, text: &str) -> Vec<String> {
    match style {
        Style::Pairs => {
            let read = pairs(text).unwrap_or_default();
            read.into_iter().filter(|(keyword, _)| holds_secret(keyword)).map(|(_, value)| value).collect()
        }
        Style::Dsn => {
            let password = dsn_address(text.trim()).and_then(|dsn| Some(dsn.userinfo?.split_once(':')?.1.to_owned()));
            password.into_iter().collect()
        }
        Style::Ado => {
            let values = text.split(';').filter_map(|part| part.split_once('='));
            let secret = |(key, _): &(&str, &str)| ["password", "pwd"].contains(&&*key.trim().to_ascii_lowercase());
            values.filter(secret).map(|(_, value)| value.trim().to_owned()).collect()
        }
    }
}

/// Whether a keyword of libpq's has a secret for its value.
fn holds_secret(keyword: &str) -> bool {
    keyword.ends_with("password") || keyword.ends_with("secret") || keyword.starts_with("scram_")
}
