//! What belongs to a database itself: read from a server, and given to a database that is made.
//!
//! A database is always made from template0: template1 may hold what somebody once put there. Encoding and locale can't
//! be changed afterwards, and not every server knows every locale: [`create`] asks for the source's first, then for what
//! is nearest, and says what it became.

use crate::engine::Version;
use crate::engine::postgres::restore::token;
use crate::engine::postgres::session::{Row, Session, identifier, literal};
use crate::error::{self, Error, Kind};
use crate::properties::{DatabaseGrant, DatabaseProperties, DatabaseSetting};

/// What this database has.
pub async fn read(session: &Session, version: Version, database: &str) -> error::Result<DatabaseProperties> {
    let name = literal(database);
    let rows = session.rows(&facts(version, &name)).await?;
    let mut cells = rows.into_iter().next().unwrap_or_default().into_iter();
    let mut next = || cells.next().flatten();
    let mut properties = DatabaseProperties {
        encoding: next(),
        collation: next(),
        ctype: next(),
        locale_provider: next(),
        locale: next(),
        icu_rules: next(),
        owner: next(),
        connection_limit: next().and_then(|limit| limit.parse().ok()),
        template: next().map(|_| true),
        tablespace: next(),
        ..DatabaseProperties::default()
    };
    let (comment, is_bytes) = (next(), next());
    match comment.map(|comment| text(comment, is_bytes.as_deref())).transpose() {
        Ok(comment) => properties.comment = comment,
        Err(_) => properties.unreadable.push("comment".into()),
    }
    if next().as_deref() == Some("t") {
        properties.grants = Some(session.rows(&grants(&name)).await?.into_iter().filter_map(grant).collect());
    }
    for row in session.rows(&settings(&name)).await? {
        match setting(row) {
            Some(Ok(setting)) => properties.settings.push(setting),
            Some(Err(name)) => properties.unreadable.push(name),
            None => {}
        }
    }
    Ok(properties)
}

const IS_ASCII: &str = "~ E'^[\\x01-\\x7f]*$'";

/// Databases share the tables of comments and of settings, and each writes there in its own encoding: what another one
/// wrote may be no text here.
fn readable(text: &str) -> String {
    format!("({text} {IS_ASCII} OR d.datname = pg_catalog.current_database())")
}

/// A text, and whether it comes as the digits of its bytes: a database with `SQL_ASCII` has those, and the server sends
/// them as they are.
fn sent(text: &str) -> String {
    let is_bytes = format!("NOT {text} {IS_ASCII} AND d.encoding = 0");
    let bytes = format!("pg_catalog.encode(pg_catalog.convert_to({text}, 'SQL_ASCII'), 'hex')");
    format!("CASE WHEN {is_bytes} THEN {bytes} ELSE {text} END, {is_bytes}")
}

/// What was [sent]. An error is as much of it as is text.
fn text(sent: String, is_bytes: Option<&str>) -> Result<String, String> {
    if is_bytes != Some("t") {
        return Ok(sent);
    }
    let pairs = sent.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
    let bytes: Vec<u8> = pairs.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect();
    String::from_utf8(bytes).map_err(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn facts(version: Version, database: &str) -> String {
    let (provider, locale) = match version.major {
        ..15 => ("'libc'", "NULL"),
        15 | 16 => ("CASE d.datlocprovider WHEN 'i' THEN 'icu' ELSE 'libc' END", "d.daticulocale"),
        17.. => ("CASE d.datlocprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END", "d.datlocale"),
    };
    let rules = if version.major >= 16 { "d.daticurules" } else { "NULL" };
    format!(
        "SELECT pg_catalog.pg_encoding_to_char(d.encoding), d.datcollate, d.datctype, {provider}, {locale}, {rules}, \
         pg_catalog.pg_get_userbyid(d.datdba), CASE WHEN d.datconnlimit >= 0 THEN d.datconnlimit END, \
         CASE WHEN d.datistemplate THEN true END, \
         (SELECT t.spcname FROM pg_catalog.pg_tablespace t WHERE t.oid = d.dattablespace AND t.spcname <> 'pg_default'), \
         {}, d.datacl IS NOT NULL FROM pg_catalog.pg_database d LEFT JOIN \
         LATERAL (SELECT pg_catalog.shobj_description(d.oid, 'pg_database') AS comment) c ON {} WHERE d.datname = {database}",
        sent("c.comment"),
        readable("c.comment")
    )
}

/// What the owner may do goes without saying.
fn grants(database: &str) -> String {
    format!(
        "SELECT CASE a.grantee WHEN 0 THEN NULL ELSE pg_catalog.pg_get_userbyid(a.grantee) END, a.privilege_type, \
         a.is_grantable FROM pg_catalog.pg_database d, pg_catalog.aclexplode(d.datacl) a \
         WHERE d.datname = {database} AND a.grantee <> d.datdba ORDER BY 1 NULLS FIRST, 2"
    )
}

fn settings(database: &str) -> String {
    format!(
        "SELECT r.rolname, {} FROM pg_catalog.pg_database d \
         JOIN pg_catalog.pg_db_role_setting s ON s.setdatabase = d.oid \
         CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS c(setting) LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole \
         WHERE d.datname = {database} AND (s.setrole = 0 OR r.oid IS NOT NULL) AND {} ORDER BY 1 NULLS FIRST, 2",
        sent("c.setting"),
        readable("c.setting")
    )
}

fn grant(row: Row) -> Option<DatabaseGrant> {
    let [role, privilege, grantable] = <[_; 3]>::try_from(row).ok()?;
    Some(DatabaseGrant { role, privilege: privilege?, grantable: grantable.as_deref() == Some("t") })
}

/// A setting; or the name of one whose value is no text.
fn setting(row: Row) -> Option<Result<DatabaseSetting, String>> {
    let [role, setting, is_bytes] = <[_; 3]>::try_from(row).ok()?;
    let told = text(setting?, is_bytes.as_deref());
    let is_text = told.is_ok();
    let (Ok(told) | Err(told)) = told;
    let (name, value) = told.split_once('=')?;
    let setting = DatabaseSetting::new(role, name.to_owned(), value.to_owned());
    Some(if is_text { Ok(setting) } else { Err(format!("setting {setting}")) })
}

/// A name that no other database has: in a container every process has the same id.
pub fn unused_name() -> String {
    format!("dbhaul_new_{}", &token()[..16])
}

/// The server's version, for a session that was not probed.
pub async fn version(session: &Session) -> error::Result<Version> {
    let major = session.column("SELECT pg_catalog.current_setting('server_version_num')::int / 10000").await?.join("");
    Ok(Version::new(major.parse().unwrap_or(0), 0, 0))
}

/// Makes an empty database with the source's encoding and locale, or what is nearest. `more` is what else
/// `CREATE DATABASE` is told. In what it differs from the source comes back.
pub async fn create(
    session: &Session,
    name: &str,
    source: Option<&DatabaseProperties>,
    more: &str,
) -> error::Result<Vec<String>> {
    let wanted = source.cloned().unwrap_or_default();
    let version = version(session).await?;
    let encoding = wanted.encoding.as_ref().map_or(String::new(), |name| format!(" ENCODING {}", literal(name)));
    let mut refusal = None;
    for locale in locales(&wanted, version) {
        let statement = format!("CREATE DATABASE {} TEMPLATE template0{encoding}{locale}{more}", identifier(name));
        match session.try_rows(&statement).await? {
            Ok(_) => {
                let made = read(session, version, name).await?;
                return Ok(wanted.differences_of_creation(&made).iter().map(ToString::to_string).collect());
            }
            Err(error) if is_about_locale(&error) => refusal = refusal.or(Some((statement, error))),
            Err(error) => return Err(refused(session, &statement, &error)),
        }
    }
    // The first that was asked for is what was wanted.
    let unknown = || Error::new(Kind::Unexpected, "a database was to be made in no way");
    Err(refusal.map_or_else(unknown, |(statement, error)| refused(session, &statement, &error)))
}

fn refused(session: &Session, statement: &str, error: &tokio_postgres::Error) -> Error {
    Error::new(Kind::Refused, "the target could not be prepared")
        .why(session.words(error))
        .why(format!("at: {statement}"))
        .unchanged()
}

/// The server does not know this locale, this provider, or does not take it with this encoding.
fn is_about_locale(error: &tokio_postgres::Error) -> bool {
    // wrong_object_type, invalid_parameter_value, feature_not_supported, undefined_object
    error.code().is_some_and(|code| ["42809", "22023", "0A000", "42704"].contains(&code.code()))
}

/// The locales that are asked for, in this order: the source's; the source's for libc alone; the server's own; none.
fn locales(wanted: &DatabaseProperties, version: Version) -> Vec<String> {
    let by = |provider: &str| if version.major >= 15 { format!(" LOCALE_PROVIDER {provider}") } else { String::new() };
    let set = |name: &str, value: &Option<String>| {
        value.as_ref().map_or(String::new(), |value| format!(" {name} {}", literal(value)))
    };
    let c = Some("C".to_owned());
    let of_libc = |collate: &Option<String>, ctype: &Option<String>| {
        format!("{}{}{}", by("libc"), set("LC_COLLATE", collate), set("LC_CTYPE", ctype))
    };
    let (collate, ctype) = (&wanted.collation, &wanted.ctype.clone().or_else(|| wanted.collation.clone()));
    let mut choices = Vec::new();
    if let Some(locale) = wanted.locale.as_deref().map(literal) {
        let libc = format!("{}{}", set("LC_COLLATE", collate), set("LC_CTYPE", ctype));
        match wanted.locale_provider.as_deref() {
            Some("icu") if version.major >= 15 => {
                let rules = if version.major >= 16 { set("ICU_RULES", &wanted.icu_rules) } else { String::new() };
                let icu = format!("{} ICU_LOCALE {locale}{rules}", by("icu"));
                choices.extend([format!("{icu}{libc}"), icu]);
            }
            Some("builtin") if version.major >= 17 => {
                let builtin = format!("{} BUILTIN_LOCALE {locale}", by("builtin"));
                choices.extend([format!("{builtin}{libc}"), builtin]);
            }
            // Code points sort as bytes do.
            Some("builtin") => choices.push(of_libc(&c, ctype)),
            _ => {}
        }
    }
    if collate.is_some() {
        choices.push(of_libc(collate, ctype));
    }
    // Every server takes any locale with SQL_ASCII from a superuser: the one that means nothing is meant.
    if wanted.encoding.as_deref() != Some("SQL_ASCII") {
        choices.push(String::new());
    }
    choices.push(of_libc(&c, &c));
    choices
}

/// What gives a setting to a database, or to a role in it. `value` is what the server keeps; without one, the
/// statement has a gap.
pub fn set(database: &str, setting: &DatabaseSetting, value: Option<&str>) -> String {
    let database = identifier(database);
    let object = match &setting.role {
        Some(role) => format!("ROLE {} IN DATABASE {database}", identifier(role)),
        None => format!("DATABASE {database}"),
    };
    let name = setting.name.split('.').map(setting_name).collect::<Vec<_>>().join(".");
    let value = match value {
        None => "...".to_owned(),
        Some(value) if is_list(&setting.name) => {
            names(value).iter().map(|name| literal(name)).collect::<Vec<_>>().join(", ")
        }
        Some(value) => literal(value),
    };
    // An empty list is one empty name.
    let value = if value.is_empty() { "''".to_owned() } else { value };
    format!("ALTER {object} SET {name} TO {value}")
}

fn setting_name(part: &str) -> String {
    let simple =
        part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && !part.starts_with(|c: char| c.is_ascii_digit());
    if simple && !part.is_empty() { part.to_owned() } else { identifier(part) }
}

/// Settings whose value is a list of names, each quoted by itself (`variable_is_guc_list_quote` of `pg_dump`).
fn is_list(name: &str) -> bool {
    const LISTS: [&str; 6] = [
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "shared_preload_libraries",
        "temp_tablespaces",
        "unix_socket_directories",
    ];
    LISTS.iter().any(|list| name.eq_ignore_ascii_case(list))
}

/// The names of a list, as `SplitGUCList` has them: `"$user", public`.
fn names(list: &str) -> Vec<String> {
    let (mut names, mut name, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = list.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                name.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => names.push(std::mem::take(&mut name)),
            letter if !quoted && letter.is_ascii_whitespace() => {}
            letter => name.push(letter),
        }
    }
    if !list.trim().is_empty() {
        names.push(name);
    }
    names
}

/// The value that the server keeps for a setting that is told as these, the reverse of [`set`].
pub fn list<'a>(name: &str, values: impl Iterator<Item = &'a str>) -> String {
    if is_list(name) { values.map(kept_name).collect::<Vec<_>>().join(", ") } else { values.collect() }
}

/// Words that the server quotes where they are names.
const KEYWORDS: &str = "all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case cast \
    char character check coalesce collate collation column concurrently constraint create cross current_catalog current_date \
    current_role current_schema current_time current_timestamp current_user dec decimal default deferrable desc distinct do else end \
    except exists extract false fetch float for foreign freeze from full grant greatest group grouping having ilike in initially inner \
    inout int integer intersect interval into is isnull join lateral leading least left like limit localtime localtimestamp national \
    natural nchar none normalize not notnull null nullif numeric offset on only or order out outer overlaps overlay placing position \
    precision primary real references returning right row select session_user setof similar smallint some substring symmetric \
    system_user table tablesample then time timestamp to trailing treat trim true union unique user using values varchar variadic \
    verbose when where window with";

/// A name as the server keeps it in a list: quoted where it has to be.
fn kept_name(name: &str) -> String {
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if starts && plain && !KEYWORDS.split(' ').any(|word| word == name) { name.to_owned() } else { identifier(name) }
}

/// What gives a database these privileges, and no others.
pub fn grant_all(database: &str, grants: &[DatabaseGrant]) -> Vec<String> {
    let database = identifier(database);
    let revoke = format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC");
    let grants = grants.iter().map(|grant| {
        let role = grant.role.as_deref().map_or_else(|| "PUBLIC".to_owned(), identifier);
        let option = if grant.grantable { " WITH GRANT OPTION" } else { "" };
        format!("GRANT {} ON DATABASE {database} TO {role}{option}", grant.privilege)
    });
    std::iter::once(revoke).chain(grants).collect()
}

/// What says this of a database.
pub fn comment(database: &str, text: &str) -> String {
    format!("COMMENT ON DATABASE {} IS {}", identifier(database), literal(text))
}
