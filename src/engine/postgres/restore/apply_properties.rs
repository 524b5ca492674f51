//! What a restore gives to the database itself, when everything in it is there.
//!
//! Last: a `default_transaction_read_only` or a `statement_timeout` of a millisecond is for those who use the database,
//! not for its restore. A restore that is one transaction sets them in it ([`within_restore`]); what is left then, or
//! after several sessions, comes in a transaction of its own ([`apply`]), where each statement has a savepoint. What the
//! server refuses, what needs a superuser, loads a library or acts as another role, and what the target has otherwise, is
//! left to a person.

use std::collections::HashMap;

use super::target::lines;
use crate::connection::{Connection, Limits};
use crate::engine::postgres::probe::database;
use crate::engine::postgres::session::{self, Session, identifier, literal};
use crate::engine::{Clean, Content, DatabaseSettings, RestoreOptions, Server};
use crate::error::Result;
use crate::properties::{AppliedProperties, ByHand, DatabaseProperties, DatabaseSetting};

/// SQL that gives the database its source's settings in the restore's transaction. A statement that the server refuses is
/// undone, and [`apply`] tells why.
pub fn within_restore(server: &Server, content: &Content, options: &RestoreOptions) -> String {
    let is_one = options.section.is_none() && options.jobs <= 1 && options.clean != Some(Clean::Database);
    let knows_blocks = !server.target.exists || lines(server, "extensions.installed").contains(&"plpgsql");
    let Some(source) = content.properties.as_ref().filter(|_| is_one && knows_blocks) else { return String::new() };
    let wanted = options.database_settings(options.create && !server.target.exists);
    let wishes = source.settings.iter().filter_map(|setting| wish(setting, server, &server.database, wanted));
    wishes.filter(|wish| wish.declined.is_none()).filter_map(|wish| block(&wish)).collect()
}

/// A statement, if the server says that any user may set this.
fn block(wish: &Wish<'_>) -> Option<String> {
    let name = wish.setting?.name.to_ascii_lowercase();
    if changes_sessions(&name).is_some() || !name.is_ascii() {
        return None;
    }
    let unknown = if name.contains('.') { "user" } else { "unknown" };
    let body = format!(
        "BEGIN IF coalesce((SELECT s.context FROM pg_catalog.pg_settings s WHERE pg_catalog.lower(s.name) = {}), \
         '{unknown}') = 'user' THEN EXECUTE {}; END IF; EXCEPTION WHEN OTHERS THEN NULL; END",
        literal(&name),
        in_ascii(&wish.statement)
    );
    Some(format!("DO {};\n", literal(&body)))
}

/// A string of SQL. A character that the database's encoding has not is an error of the statement that takes it, and not of the
/// script.
fn in_ascii(text: &str) -> String {
    if text.is_ascii() {
        return literal(text);
    }
    let bytes = text.bytes().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"));
    format!("pg_catalog.convert_from(pg_catalog.decode('{bytes}', 'hex'), 'UTF8')")
}

/// Gives the database what belonged to its source itself, under the name that the connection has for it: the server's is
/// the one that people know. Without a session, all of it is left to be done by hand.
pub async fn apply(
    connection: &Connection,
    server: &Server,
    content: &Content,
    options: &RestoreOptions,
    limits: &Limits,
) -> Result<AppliedProperties> {
    let wishes = content
        .properties
        .as_ref()
        .map(|source| wishes(source, server, &connection.database, options))
        .unwrap_or_default();
    if wishes.is_empty() {
        return Ok(AppliedProperties::default());
    }
    let applied = match session::open(connection, &connection.database, limits).await {
        Ok(session) => within(&session, server, &connection.database, &wishes).await,
        Err(refusal) => Err(refusal.error),
    };
    Ok(applied.unwrap_or_else(|error| {
        // The restore itself may have set some.
        let why = [&["as far as is known".to_owned(), error.what], error.why.as_slice()].concat().join(": ");
        AppliedProperties { set: Vec::new(), by_hand: wishes.iter().map(|wish| wish.by_hand(&why)).collect() }
    }))
}

/// Something that the source's database has, and the target's is to have.
struct Wish<'a> {
    /// For people: `comment`, `work_mem for role app`.
    what: String,
    statement: String,
    /// The setting that it sets, if it sets one.
    setting: Option<&'a DatabaseSetting>,
    /// Why it is not even tried.
    declined: Option<String>,
    /// The same statement for people: without a value that may be a secret.
    shown: String,
}

impl Wish<'_> {
    fn new(what: &str, statement: String) -> Self {
        Self { what: what.to_owned(), shown: format!("{statement};"), statement, setting: None, declined: None }
    }

    /// The server's words may quote a value that is not to be shown.
    fn without_secret(&self, words: String) -> String {
        let secret = self.setting.filter(|setting| setting.is_secret()).and_then(DatabaseSetting::value);
        if secret.is_some_and(|secret| words.contains(secret)) { "the server refused it".to_owned() } else { words }
    }

    fn by_hand(&self, why: &str) -> ByHand {
        ByHand { statement: self.shown.clone(), why: self.declined.clone().unwrap_or_else(|| why.to_owned()) }
    }
}

/// What the target lacks, in an order in which it can be given: once the owner is another, we may do nothing more.
fn wishes<'a>(
    source: &'a DatabaseProperties,
    server: &Server,
    database: &str,
    options: &RestoreOptions,
) -> Vec<Wish<'a>> {
    let (name, made) = (&server.database, options.create && !server.target.exists);
    let wanted = options.database_settings(made);
    let mut wishes: Vec<_> =
        source.settings.iter().filter_map(|setting| wish(setting, server, database, wanted)).collect();
    if !made {
        return wishes;
    }
    if let Some(text) = source.comment.as_ref().filter(|_| !options.no_comments) {
        wishes.push(Wish::new("comment", database::comment(name, text)));
    }
    if let Some(limit) = source.connection_limit {
        let statement = format!("ALTER DATABASE {} CONNECTION LIMIT {limit}", identifier(name));
        wishes.push(Wish::new("connection limit", statement));
    }
    wishes.extend(left_to_owner(source, name));
    if let Some(grants) = source.grants.as_ref().filter(|_| options.keep_privileges) {
        wishes.extend(database::grant_all(name, grants).into_iter().map(|statement| Wish::new("grants", statement)));
    }
    if let Some(owner) = source.owner.as_ref().filter(|owner| options.keep_owner && **owner != server.user) {
        let statement = format!("ALTER DATABASE {} OWNER TO {}", identifier(name), identifier(owner));
        wishes.push(Wish::new("owner", statement));
    }
    wishes
}

/// What changes whom the database is open to, or where it is kept: never an archive's to decide.
fn left_to_owner<'a>(source: &DatabaseProperties, name: &str) -> impl Iterator<Item = Wish<'a>> {
    let alter = |what: String, why: &str| Wish {
        declined: Some(why.to_owned()),
        ..Wish::new("", format!("ALTER DATABASE {} {what}", identifier(name)))
    };
    let template = source.template.unwrap_or(false).then(|| {
        alter("IS_TEMPLATE true".to_owned(), "whoever may create databases can copy a template, and nobody can drop it")
    });
    let tablespace = source.tablespace.as_ref().map(|tablespace| {
        alter(
            format!("SET TABLESPACE {}", identifier(tablespace)),
            "it moves the database's files, while nobody is connected",
        )
    });
    template.into_iter().chain(tablespace)
}

fn wish<'a>(
    setting: &'a DatabaseSetting,
    server: &Server,
    database: &str,
    wanted: DatabaseSettings,
) -> Option<Wish<'a>> {
    let there = server.properties.setting(setting);
    let is_unreadable = server.properties.unreadable.contains(&format!("setting {setting}"));
    let same = there.is_some_and(|there| there.value() == setting.value());
    if same || wanted == DatabaseSettings::Keep {
        return None;
    }
    let shown = |setting: &DatabaseSetting| setting.value().filter(|_| !setting.is_secret()).map(str::to_owned);
    let declined = match (there, setting.value()) {
        (Some(there), _) => Some(match shown(there) {
            Some(value) => format!("the target has {setting} = {value}, which stays"),
            None => format!("the target has a value of its own for {setting}, which stays"),
        }),
        _ if is_unreadable => Some(format!("the target has a value of its own for {setting}, which stays")),
        _ if wanted == DatabaseSettings::Print => Some("--database-settings print".to_owned()),
        (None, None) => {
            Some("no manifest holds its value: a setting with a dot in its name may be a secret".to_owned())
        }
        _ => None,
    };
    Some(Wish {
        what: setting.to_string(),
        statement: database::set(database, setting, setting.value()),
        setting: Some(setting),
        declined,
        shown: format!("{};", database::set(&server.database, setting, shown(setting).as_deref())),
    })
}

/// In one transaction, which commits what the server took. What the restore has set is there.
async fn within(session: &Session, server: &Server, database: &str, wishes: &[Wish<'_>]) -> Result<AppliedProperties> {
    let now = database::read(session, server.version, database).await?;
    let is_set = |wish: &Wish<'_>| {
        let there = wish.setting.and_then(|setting| Some((setting.value(), now.setting(setting)?.value())));
        there.is_some_and(|(wanted, there)| wanted == there)
    };
    let rows = session.rows("SELECT name, context FROM pg_catalog.pg_settings").await?;
    let contexts: HashMap<_, _> = rows
        .into_iter()
        .filter_map(|row| <[_; 2]>::try_from(row).ok())
        .filter_map(|[name, context]| Some((name?.to_ascii_lowercase(), context?)))
        .collect();
    session.rows("BEGIN READ WRITE; SET LOCAL statement_timeout = 0").await?;
    let mut applied = AppliedProperties::default();
    for wish in wishes {
        if wish.declined.is_none() && is_set(wish) {
            applied.set.push(wish.what.clone());
            continue;
        }
        let left =
            wish.declined.clone().or_else(|| wish.setting.and_then(|setting| left_to_people(setting, &contexts)));
        if let Some(why) = left {
            applied.by_hand.push(wish.by_hand(&why));
            continue;
        }
        session.rows("SAVEPOINT one").await?;
        match session.try_rows(&wish.statement).await? {
            Ok(_) => applied.set.push(wish.what.clone()),
            Err(error) => {
                session.rows("ROLLBACK TO one").await?;
                applied.by_hand.push(wish.by_hand(&wish.without_secret(session.words(&error))));
            }
        }
    }
    session.rows("COMMIT").await?;
    applied.set.dedup();
    Ok(applied)
}

/// Why a setting is not for a restore to set. `contexts` says who may set what on the target.
fn left_to_people(setting: &DatabaseSetting, contexts: &HashMap<String, String>) -> Option<String> {
    let name = setting.name.to_ascii_lowercase();
    if let Some(why) = changes_sessions(&name) {
        return Some(why.to_owned());
    }
    let why = match (name.as_str(), contexts.get(&name).map(String::as_str)) {
        (_, Some("superuser" | "superuser-backend")) => "only a superuser may set it",
        (_, Some("user")) => return None,
        (_, Some(_)) => "the target's server takes it for no single database",
        (name, None) if name.contains('.') => return None,
        (_, None) => "the target does not know it",
    };
    Some(why.to_owned())
}

/// Why nobody's archive decides about it.
fn changes_sessions(name: &str) -> Option<&'static str> {
    match name {
        "role" | "session_authorization" => Some("it makes each session act as another role"),
        "local_preload_libraries" | "session_preload_libraries" => Some("it loads a library into each session"),
        _ => None,
    }
}
