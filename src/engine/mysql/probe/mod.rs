//! One short session that reads everything that planning needs, and says what a dump will lack or stumble over.

pub(super) mod database;
pub(super) mod findings;
pub(super) mod generated;
pub(super) mod grants;
pub(super) mod identity;
pub(super) mod lossy_texts;
pub(super) mod probe_keys;
pub(super) mod replication;

use std::collections::BTreeMap;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::dump::computed;
use super::products::{PRODUCTS, WITNESSES};
use super::restore::own_name;
use super::session::server_settings::{self, Pinned, SessionUse};
use super::session::{self, quote, tolerant};
use crate::connection::{Connection, Limits};
use crate::engine::{Flavour, Purpose, Server, TableEstimate, Target, TargetTrigger, Version, recognise};
use crate::error::{Kind, Result};
use grants::Grants;
use probe_keys::JOIN;

/// How many views are looked at for being broken.
const VIEWS_TRIED: usize = 500;
/// How many objects of a target are named.
const OBJECTS_NAMED: usize = 24;

/// Variables that planning reads, by their own names; a server that lacks one leaves it out.
const VARIABLES: &str = "'version_comment','gtid_mode','max_allowed_packet','net_write_timeout','sql_mode','read_only',\
    'super_read_only','lower_case_table_names','log_bin','log_bin_trust_function_creators','sql_require_primary_key','innodb_force_primary_key',\
    'event_scheduler','max_connections','max_user_connections','max_execution_time','max_statement_time',\
    'character_set_server','collation_server','disabled_storage_engines','innodb_read_only_compressed',\
    'innodb_read_only','innodb_force_recovery','innodb_file_per_table','innodb_page_size',\
    'innodb_default_row_format','enforce_storage_engine','innodb_default_encryption_key_id','mysql56_temporal_format'";

/// Reads a server.
pub(super) async fn probe(connection: &Connection, purpose: Purpose, limits: &Limits) -> Result<Server> {
    let (mut conn, exists, pinned) = open_session(connection, purpose, limits).await?;
    let read = async {
        let (version, words) = session::within(connection, limits, words(&mut conn)).await?;
        let products = recognise(PRODUCTS, "MySQL", &words)?;
        let mut server =
            session::within(connection, limits, read(&mut conn, connection, purpose, exists, version, pinned)).await?;
        server.products = products;
        Ok(server)
    }
    .await;
    session::close(conn, limits).await;
    read
}

/// A session; for a restore, the database may be yet to come.
async fn open_session(connection: &Connection, purpose: Purpose, limits: &Limits) -> Result<(Conn, bool, Pinned)> {
    let (opened, exists) = match session::open_for_probe(connection, Some(&connection.database), limits).await {
        Err(e)
            if purpose == Purpose::Restore
                && e.kind == Kind::Connect
                && e.why.iter().any(|w| w.starts_with("ERROR 1049:")) =>
        {
            (session::open_for_probe(connection, None, limits).await?, false)
        }
        other => (other?, true),
    };
    let (conn, pinned) = opened;
    Ok((conn, exists, pinned))
}

/// What the server calls itself, in lines. Asked first, one by one: what only sounds like MySQL may not understand more.
async fn words(conn: &mut Conn) -> mysql_async::Result<(String, String)> {
    let version: String = conn.query_first("SELECT VERSION()").await?.unwrap_or_default();
    let mut words = version.clone();
    for comment in tolerant::<String>(conn, "SELECT @@version_comment").await? {
        words = format!("{words}\n{comment}");
    }
    for name in WITNESSES {
        for (name, value) in tolerant::<(String, String)>(conn, &format!("SHOW VARIABLES LIKE '{name}'")).await? {
            words = format!("{words}\n{name} {value}");
        }
    }
    Ok((version, words))
}

async fn read(
    conn: &mut Conn,
    connection: &Connection,
    purpose: Purpose,
    exists: bool,
    version_text: String,
    pinned: Pinned,
) -> mysql_async::Result<Server> {
    let database = &connection.database;
    let mut settings: BTreeMap<String, String> =
        conn.query(format!("SHOW VARIABLES WHERE Variable_name IN ({VARIABLES})")).await?.into_iter().collect();
    settings.extend(server_settings::found(pinned));
    let facts = "SELECT CURRENT_USER(), USER(), CONNECTION_ID()";
    let (user, login, session): (String, String, u64) = conn.query_first(facts).await?.unwrap_or_default();
    settings.insert(probe_keys::SESSION.to_owned(), session.to_string());
    let mariadb = version_text.to_ascii_lowercase().contains("mariadb")
        || settings.get("version_comment").is_some_and(|c| c.to_ascii_lowercase().contains("mariadb"));
    let flavour = if mariadb { Flavour::MARIADB } else { Flavour::MYSQL };
    // MariaDB behind a MySQL-like front says 5.5.5-10.11.19-MariaDB.
    let version =
        Version::parse(version_text.strip_prefix("5.5.5-").unwrap_or(&version_text)).unwrap_or(Version::new(0, 0, 0));
    let grants = Grants::read(&tolerant(conn, "SHOW GRANTS").await?, database);
    settings.insert("grants".to_owned(), "read".to_owned());
    settings.extend(grants.iter().map(|right| (format!("{}{right}", probe_keys::GRANT), "yes".to_owned())));
    let cipher: Option<(String, String)> = conn.query_first("SHOW SESSION STATUS LIKE 'Ssl_cipher'").await?;
    let properties = database::read(conn, database, flavour, version).await?;
    // The server's own, while there is no database.
    let of_server = |name: &str| settings.get(name).cloned().unwrap_or_default();
    let encoding = properties.encoding.clone().unwrap_or_else(|| of_server("character_set_server"));
    let collation = properties.collation.clone().unwrap_or_else(|| of_server("collation_server"));
    let objects = Objects::read(conn, database, flavour).await?;
    objects.keep(&mut settings);
    let mut server = Server {
        flavour,
        version,
        version_text,
        products: Vec::new(),
        login: login.rsplit_once('@').map_or_else(String::new, |(name, _)| name.to_owned()),
        user,
        database: database.clone(),
        standing: standing(&grants).to_owned(),
        size: Some(objects.size),
        tables: objects.tables.clone(),
        encoding,
        collation,
        properties,
        replica: replica(conn).await?,
        read_only: read_only(&settings, &grants),
        pooler: pooler(&settings),
        connections_left: connections_left(conn, &settings).await?,
        encrypted: cipher.is_some_and(|(_, cipher)| !cipher.is_empty()),
        selected: None,
        findings: Vec::new(),
        target: Target { exists, ..Target::default() },
        settings,
    };
    match purpose {
        Purpose::Dump => {
            if let Some((limit, _)) = server_settings::odd(&server, server_settings::SELECT_LIMIT, SessionUse::Read) {
                let limit = limit.to_owned();
                let (over, longest) = over_limit(conn, &server, &limit).await?;
                server.settings.insert(probe_keys::OVER_LIMIT.to_owned(), over.join(JOIN));
                server.settings.insert(probe_keys::LONGEST_LIST.to_owned(), longest.to_string());
            }
            let broken = broken_views(conn, database, &objects.views).await?;
            server.settings.insert(probe_keys::BROKEN_VIEWS.to_owned(), broken.join(JOIN));
            if server.flavour == Flavour::MYSQL {
                let generated = generated(conn, database).await?;
                server.settings.insert(probe_keys::GENERATED.to_owned(), generated.join(JOIN));
            }
            look_inside(conn, &mut server).await?;
            computed::read(conn, &mut server).await?;
            let floats = floats(conn, database).await?;
            server.settings.insert(probe_keys::FLOATS.to_owned(), floats.join(JOIN));
            if !objects.versioned.is_empty() {
                let query = "SELECT DISTINCT TABLE_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? \
                             AND DATA_TYPE = 'bigint' AND GENERATION_EXPRESSION = 'ROW START'";
                let names: Vec<String> = session::rows_of(conn, query, &[database]).await?;
                server.settings.insert(probe_keys::VERSIONED_BY_TRANSACTION.to_owned(), names.join(JOIN));
            }
            let bound = bound_to_sequences(conn, &server).await?;
            server.settings.insert(probe_keys::BOUND_TO_SEQUENCES.to_owned(), bound.join(JOIN));
            server.settings.extend(unseen(conn, database, &grants, &objects).await?);
            server.findings = findings::find(&server, &grants);
        }
        Purpose::Restore => {
            server.target.objects = objects.named.iter().take(OBJECTS_NAMED).cloned().collect();
            server.target.object_count = objects.named.len() as u64;
            server.target.collations = collations(conn).await?;
            let engines = "SELECT ENGINE FROM information_schema.ENGINES WHERE SUPPORT IN ('YES', 'DEFAULT')";
            let engines: Vec<String> = tolerant(conn, engines).await?;
            server.settings.insert(probe_keys::ENGINES.to_owned(), engines.join(JOIN));
            server
                .settings
                .insert(probe_keys::TABLESPACES.to_owned(), tablespaces(conn, server.flavour).await?.join(JOIN));
            server.target.lacks = findings::lacks(&grants);
            server.settings.insert(probe_keys::UNDROPPABLE.to_owned(), objects.undroppable(&grants).join(JOIN));
            if server.flavour == Flavour::MARIADB {
                let generated = generated(conn, database).await?;
                server.settings.insert(probe_keys::GENERATED.to_owned(), generated.join(JOIN));
            }
            let others = foreign_keys_of_others(conn, database, &server).await?;
            server.settings.insert(probe_keys::OTHERS_KEYS.to_owned(), others.join(JOIN));
            server.target.triggers = objects.triggers;
        }
    }
    Ok(server)
}

/// What a dump names of bodies and of rows.
async fn look_inside(conn: &mut Conn, server: &mut Server) -> mysql_async::Result<()> {
    let bodies = own_name::read(conn, &server.database).await?;
    server.settings.insert(probe_keys::BODIES.to_owned(), bodies);
    lossy_texts::histograms(conn, server).await?;
    lossy_texts::read(conn, server).await
}

/// Tables and views that call a sequence by the database's name.
async fn bound_to_sequences(conn: &mut Conn, server: &Server) -> mysql_async::Result<Vec<String>> {
    if !probe_keys::on(server, probe_keys::SEQUENCES) {
        return Ok(Vec::new());
    }
    let database = &server.database;
    let calls = format!("%val({}.%", quote(database).replace('\\', "\\\\"));
    let query = "SELECT DISTINCT TABLE_NAME FROM information_schema.COLUMNS \
                 WHERE TABLE_SCHEMA = ? AND COLUMN_DEFAULT LIKE ? UNION \
                 SELECT TABLE_NAME FROM information_schema.VIEWS WHERE TABLE_SCHEMA = ? AND VIEW_DEFINITION LIKE ?";
    session::rows_of(conn, query, &[database, &calls, database, &calls]).await
}

/// The tablespaces that there are; none of a server that does not tell, or does not look at their names.
async fn tablespaces(conn: &mut Conn, flavour: Flavour) -> mysql_async::Result<Vec<String>> {
    if flavour != Flavour::MYSQL {
        return Ok(Vec::new());
    }
    tolerant(conn, "SELECT TABLESPACE_NAME FROM information_schema.TABLESPACES_EXTENSIONS").await
}

/// What the database holds, as far as this user sees it.
#[derive(Default)]
struct Objects {
    tables: Vec<TableEstimate>,
    views: Vec<String>,
    size: u64,
    no_transactions: Vec<String>,
    versioned: Vec<String>,
    /// `procedure NAME`.
    routines: Vec<String>,
    /// Routines whose body the server doesn't show.
    hidden: Vec<String>,
    /// `table users`, `view recent`, ...
    named: Vec<String>,
    /// Triggers that rows fire when they come.
    triggers: Vec<TargetTrigger>,
}

impl Objects {
    async fn read(conn: &mut Conn, database: &str, flavour: Flavour) -> mysql_async::Result<Self> {
        let mut found = Self::default();
        let tables = "SELECT TABLE_NAME, TABLE_TYPE, IFNULL(ENGINE, ''), IFNULL(TABLE_ROWS, 0), IFNULL(DATA_LENGTH, 0), \
                      IFNULL(INDEX_LENGTH, 0) FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? ORDER BY TABLE_NAME";
        for row in session::rows_of::<(String, String, String, u64, u64, u64)>(conn, tables, &[database]).await? {
            found.table(database, row);
        }
        let routines = "SELECT ROUTINE_TYPE, ROUTINE_NAME, ROUTINE_DEFINITION IS NULL FROM information_schema.ROUTINES \
                        WHERE ROUTINE_SCHEMA = ? ORDER BY ROUTINE_NAME";
        for (kind, name, hidden) in session::rows_of::<(String, String, bool)>(conn, routines, &[database]).await? {
            found.routines.push(format!("{} {name}", kind.to_lowercase()));
            // MariaDB's packages have no definition of their own there.
            if hidden && (flavour == Flavour::MYSQL || !kind.starts_with("PACKAGE")) {
                found.hidden.push(name);
            }
        }
        found.named.extend(found.routines.iter().cloned());
        let triggers = "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, EVENT_MANIPULATION FROM information_schema.TRIGGERS \
                        WHERE TRIGGER_SCHEMA = ? ORDER BY EVENT_OBJECT_TABLE, ACTION_ORDER";
        for (name, table, event) in session::rows_of::<(String, String, String)>(conn, triggers, &[database]).await? {
            found.named.push(format!("trigger {name}"));
            if event.contains("INSERT") {
                found.triggers.push(TargetTrigger { table, name, ..TargetTrigger::default() });
            }
        }
        let events = "SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ?";
        let events: Vec<String> = session::rows_of(conn, events, &[database]).await?;
        found.named.extend(events.into_iter().map(|name| format!("event {name}")));
        Ok(found)
    }

    fn table(&mut self, database: &str, row: (String, String, String, u64, u64, u64)) {
        const TRANSACTIONS: &[&str] = &["innodb", "rocksdb", "ndbcluster", "tokudb", "xtradb"];
        let (name, kind, engine, rows, bytes, indexes) = row;
        if kind == "SYSTEM VERSIONED" {
            self.versioned.push(name.clone());
        }
        let kind = match kind.as_str() {
            "VIEW" | "SYSTEM VIEW" => "view",
            "SEQUENCE" => "sequence",
            _ => "table",
        };
        self.named.push(format!("{kind} {name}"));
        match kind {
            "view" => self.views.push(name),
            "table" => {
                self.size += bytes + indexes;
                if !TRANSACTIONS.contains(&engine.to_ascii_lowercase().as_str()) {
                    self.no_transactions.push(name.clone());
                }
                self.tables.push(TableEstimate { schema: database.to_owned(), name, rows, bytes });
            }
            _ => {}
        }
    }

    /// Routines that the user may not drop.
    fn undroppable(&self, grants: &Grants) -> Vec<&str> {
        let droppable =
            |routine: &&String| routine.split_once(' ').is_some_and(|(_, name)| grants.has_on(name, "alter routine"));
        self.routines.iter().filter(|routine| !droppable(routine)).map(String::as_str).collect()
    }

    /// Names of tables whose triggers the user does not see, joined.
    fn without_triggers(&self, grants: &Grants) -> String {
        let tables = self.tables.iter().map(|table| table.name.as_str());
        tables.filter(|name| !grants.has_on(name, "trigger")).collect::<Vec<_>>().join(JOIN)
    }

    fn keep(&self, settings: &mut BTreeMap<String, String>) {
        settings.insert(probe_keys::VIEWS.to_owned(), self.views.join(JOIN));
        settings.insert(probe_keys::NO_TRANSACTIONS.to_owned(), self.no_transactions.join(JOIN));
        let sequences: Vec<&str> = self.named.iter().filter_map(|object| object.strip_prefix("sequence ")).collect();
        let any = if sequences.is_empty() { "no" } else { "yes" };
        settings.insert(probe_keys::SEQUENCES.to_owned(), any.to_owned());
        settings.insert(probe_keys::SEQUENCE_NAMES.to_owned(), sequences.join(JOIN));
        settings.insert(probe_keys::VERSIONED.to_owned(), self.versioned.join(JOIN));
        settings.insert(probe_keys::ROUTINES.to_owned(), self.routines.join(JOIN));
        settings.insert(probe_keys::HIDDEN_ROUTINES.to_owned(), self.hidden.join(JOIN));
    }
}

fn standing(grants: &Grants) -> &'static str {
    if grants.has("super") || grants.has("set_any_definer") {
        "superuser"
    } else if ["create", "drop", "insert", "select"].iter().all(|right| grants.has(right)) {
        "owner"
    } else if grants.has("insert") {
        "writer"
    } else {
        "reader"
    }
}

fn read_only(settings: &BTreeMap<String, String>, grants: &Grants) -> bool {
    let on = |name: &str| settings.get(name).is_some_and(|v| !matches!(v.as_str(), "OFF" | "0" | ""));
    let above =
        ["super", "connection_admin", "read_only admin", "read only admin"].iter().any(|right| grants.has(right));
    on("super_read_only") || (on("read_only") && !above)
}

/// Poolers answer in the server's name, and give themselves away in the version's comment.
fn pooler(settings: &BTreeMap<String, String>) -> Option<String> {
    let comment = settings.get("version_comment")?.to_ascii_lowercase();
    [("proxysql", "ProxySQL"), ("maxscale", "MaxScale")]
        .iter()
        .find(|(word, _)| comment.contains(word))
        .map(|(_, name)| (*name).to_owned())
}

/// Only a replica that is at work counts; who may not look is told nothing.
async fn replica(conn: &mut Conn) -> mysql_async::Result<bool> {
    Ok(replication::sources(conn).await?.unwrap_or_default().iter().any(|source| source.runs))
}

async fn connections_left(conn: &mut Conn, settings: &BTreeMap<String, String>) -> mysql_async::Result<Option<u64>> {
    let used: Vec<(String, u64)> = tolerant(conn, "SHOW GLOBAL STATUS LIKE 'Threads_connected'").await?;
    let most = |name: &str| settings.get(name).and_then(|v| v.parse::<u64>().ok()).filter(|&n| n > 0);
    let all = most("max_connections").zip(used.first()).map(|(most, (_, used))| most.saturating_sub(*used));
    // The limit for one user counts this session of ours, which is all that we know of.
    let own = most("max_user_connections").map(|most| most.saturating_sub(1));
    Ok(match (all, own) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    })
}

/// Tables with more rows than a `SELECT` may have there, of a versioned one with its history; and the longest list that a
/// client asks for. A table that can't be read is judged elsewhere.
async fn over_limit(conn: &mut Conn, server: &Server, limit: &str) -> mysql_async::Result<(Vec<String>, u64)> {
    let versioned = probe_keys::list(server, probe_keys::VERSIONED);
    let mut over = Vec::new();
    for table in &server.tables {
        let of_all_times = if versioned.contains(&table.name.as_str()) { " FOR SYSTEM_TIME ALL" } else { "" };
        let name = format!("{}.{}", quote(&server.database), quote(&table.name));
        let query = format!("SELECT 1 FROM {name}{of_all_times} LIMIT 1 OFFSET {limit}");
        if !tolerant::<u8>(conn, &query).await?.is_empty() {
            over.push(table.name.clone());
        }
    }
    let lists = [
        ("TABLES WHERE TABLE_SCHEMA", "TABLE_SCHEMA"),
        ("COLUMNS WHERE TABLE_SCHEMA", "TABLE_NAME"),
        ("TRIGGERS WHERE TRIGGER_SCHEMA", "EVENT_OBJECT_TABLE"),
        ("ROUTINES WHERE ROUTINE_SCHEMA", "ROUTINE_TYPE"),
        ("EVENTS WHERE EVENT_SCHEMA", "EVENT_SCHEMA"),
    ];
    let mut longest = 0;
    for (list, each) in lists {
        let query = format!("SELECT COUNT(*), {each} FROM information_schema.{list} = ? GROUP BY 2");
        let counts: Vec<(u64, String)> = session::rows_of(conn, &query, &[&server.database]).await?;
        longest = counts.into_iter().map(|(count, _)| count).fold(longest, u64::max);
    }
    Ok((over, longest))
}

/// Generated columns that a dump shows; what stands behind a functional index is hidden.
async fn generated(conn: &mut Conn, database: &str) -> mysql_async::Result<Vec<String>> {
    let query = "SELECT CONCAT(TABLE_NAME, '.', COLUMN_NAME) FROM information_schema.COLUMNS \
                 WHERE TABLE_SCHEMA = ? AND GENERATION_EXPRESSION <> '' ORDER BY TABLE_NAME, ORDINAL_POSITION";
    session::rows_of(conn, query, &[database]).await
}

/// FLOAT columns whose text has fewer digits than their values: not those of a fixed scale, whose text is exact, nor
/// generated ones, which are computed again.
async fn floats(conn: &mut Conn, database: &str) -> mysql_async::Result<Vec<String>> {
    let query = "SELECT CONCAT(c.TABLE_NAME, '.', c.COLUMN_NAME) FROM information_schema.COLUMNS c \
                 JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME \
                 WHERE c.TABLE_SCHEMA = ? AND c.DATA_TYPE = 'float' AND c.NUMERIC_SCALE IS NULL \
                 AND IFNULL(c.GENERATION_EXPRESSION, '') = '' AND t.TABLE_TYPE NOT LIKE '%VIEW' \
                 ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION";
    session::rows_of(conn, query, &[database]).await
}

/// What the user may not read or see, as settings.
async fn unseen(
    conn: &mut Conn,
    database: &str,
    grants: &Grants,
    objects: &Objects,
) -> mysql_async::Result<[(String, String); 4]> {
    let (tables, views, dependent) = unreadable(conn, database, grants, objects).await?;
    Ok([
        (probe_keys::UNREADABLE.to_owned(), tables.join(JOIN)),
        (probe_keys::UNREADABLE_VIEWS.to_owned(), views.join(JOIN)),
        (probe_keys::DEPENDENT_VIEWS.to_owned(), dependent.join(JOIN)),
        (probe_keys::WITHOUT_TRIGGERS.to_owned(), objects.without_triggers(grants)),
    ])
}

/// Tables and sequences without SELECT, views whose definitions may not be read, and views that stand on either.
async fn unreadable(
    conn: &mut Conn,
    database: &str,
    grants: &Grants,
    objects: &Objects,
) -> mysql_async::Result<(Vec<String>, Vec<String>, Vec<String>)> {
    let named =
        |object: &String| ["table ", "sequence "].iter().find_map(|kind| object.strip_prefix(kind)).map(str::to_owned);
    let tables: Vec<_> = objects.named.iter().filter_map(named).filter(|name| !grants.has_on(name, "select")).collect();
    let seen = |name: &String| grants.has_on(name, "select") && grants.has_on(name, "show view");
    let views: Vec<_> = objects.views.iter().filter(|name| !seen(name)).cloned().collect();
    let mut dependent: Vec<String> = Vec::new();
    if tables.is_empty() && views.is_empty() {
        return Ok((tables, views, dependent));
    }
    let query =
        "SELECT TABLE_NAME, VIEW_DEFINITION FROM information_schema.VIEWS WHERE TABLE_SCHEMA = ? ORDER BY TABLE_NAME";
    let definitions: Vec<(String, Option<String>)> = session::rows_of(conn, query, &[database]).await?;
    // A definition names all that it stands on in full: `shop`.`users`.
    let mut gone: Vec<String> = tables.iter().chain(&views).cloned().collect();
    while let Some(name) = gone.pop() {
        let full = format!("{}.{}", quote(database), quote(&name));
        for (view, definition) in &definitions {
            let stands_on = definition.as_ref().is_some_and(|text| text.contains(&full));
            if stands_on && !views.contains(view) && !dependent.contains(view) {
                dependent.push(view.clone());
                gone.push(view.clone());
            }
        }
    }
    dependent.sort();
    Ok((tables, views, dependent))
}

/// Views that refer to something that is gone: the dump would stop there.
async fn broken_views(conn: &mut Conn, database: &str, views: &[String]) -> mysql_async::Result<Vec<String>> {
    let mut broken = Vec::new();
    for view in views.iter().take(VIEWS_TRIED) {
        let tried = conn.query_drop(format!("SHOW FIELDS FROM {}.{}", quote(database), quote(view))).await;
        match tried {
            Err(e) if session::number(&e) == Some(1356) => broken.push(view.clone()),
            Err(e) if session::number(&e).is_none() => return Err(e),
            _ => {}
        }
    }
    Ok(broken)
}

/// Foreign keys of other databases that point at this one, as far as the user sees them. MariaDB would open every table of
/// the server for the standard's view.
async fn foreign_keys_of_others(conn: &mut Conn, database: &str, server: &Server) -> mysql_async::Result<Vec<String>> {
    if !server.target.exists || server.target.object_count == 0 {
        return Ok(Vec::new());
    }
    let query = if server.flavour == Flavour::MYSQL && server.version.major >= 8 {
        "SELECT CONCAT(CONSTRAINT_SCHEMA, '.', TABLE_NAME, '.', CONSTRAINT_NAME, CHAR(9), REFERENCED_TABLE_NAME) \
         FROM information_schema.REFERENTIAL_CONSTRAINTS \
         WHERE UNIQUE_CONSTRAINT_SCHEMA = ? AND CONSTRAINT_SCHEMA <> ? ORDER BY 1"
    } else {
        "SELECT CONCAT(REPLACE(FOR_NAME, '/', '.'), '.', SUBSTRING_INDEX(ID, '/', -1), CHAR(9), SUBSTRING_INDEX(REF_NAME, '/', -1)) \
         FROM information_schema.INNODB_SYS_FOREIGN WHERE SUBSTRING_INDEX(REF_NAME, '/', 1) = ? \
         AND SUBSTRING_INDEX(FOR_NAME, '/', 1) <> ? ORDER BY 1"
    };
    tolerant(conn, &session::with_texts(query, &[database, database])).await
}

/// MariaDB 10.10 and later list some collations by a short name only in the first table.
async fn collations(conn: &mut Conn) -> mysql_async::Result<Vec<String>> {
    let full = "SELECT FULL_COLLATION_NAME FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY";
    let mut names: Vec<String> = tolerant(conn, full).await?;
    names.extend(tolerant::<String>(conn, "SELECT COLLATION_NAME FROM information_schema.COLLATIONS").await?);
    names.sort();
    names.dedup();
    Ok(names)
}
