//! What an earlier restore of the same dump left in a target, for `--resume`. The target itself tells: nobody keeps a
//! record that could be lost, or be of another run.
//!
//! A table is complete when it names all that the dump's definition does (`structure`) and holds as many rows as the
//! dump brings. A load by several sessions makes foreign keys when all tables are there, so a table that lacks only
//! these is taken for complete, too, and they are made. Everything else that the dump brings is dropped and comes again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::suitability::without_database;
use super::{coming, prepare};
use crate::connection::{Connection, Limits};
use crate::engine::mysql::probe::probe_keys::join_truncated;
use crate::engine::mysql::session::{self, quote, server_settings, tolerant};
use crate::engine::mysql::sql::content::{fact, names};
use crate::engine::mysql::sql::lexer::Syntax;
use crate::engine::mysql::sql::structure;
use crate::engine::{Content, DumpedTable, RestoreOptions, ResumeState, Server, Structure};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;
use crate::report::units;
use crate::secret::{Redactor, Secret};

/// The user may not look at it.
const DENIED: [u16; 5] = [1044, 1142, 1143, 1227, 1370];

/// Refuses what nothing can go on from.
pub(crate) fn check(server: &Server, content: &Content, options: &RestoreOptions) -> Result<()> {
    if !options.resume {
        return Ok(());
    }
    let refuse = |what: String, hint: Hint| Err(Error::new(Kind::Refused, what).hint(hint));
    let foreign: Vec<&str> = server.target.left.foreign.iter().map(String::as_str).collect();
    if !foreign.is_empty() && !options.into_non_empty {
        return refuse(
            format!("the target holds more than a restore of this dump could have left: {}", join_truncated(&foreign)),
            Hint::new(
                "resume-beside-or-clean-schema",
                "--into-non-empty goes on beside it, if this is the right target; --clean schema drops everything first",
            ),
        );
    }
    let tables = coming(content, options);
    let unmade: Vec<&str> = tables.iter().filter(|t| t.structure.is_none()).map(|t| t.name.as_str()).collect();
    if unmade.is_empty() {
        return Ok(());
    }
    refuse(
        format!(
            "the dump has rows for tables that it does not create, and --resume can't load these again: {}",
            join_truncated(&unmade)
        ),
        Hint::new(
            "others-or-from-the-beginning",
            "choose the others with --table, or restore again from the beginning",
        ),
    )
}

/// Looks at all tables that are to come.
pub(crate) async fn inspect_target(
    connection: &Connection,
    server: &Server,
    content: &Content,
    options: &RestoreOptions,
    limits: &Limits,
    done: &AtomicU64,
) -> Result<ResumeState> {
    if !server.target.exists {
        return Ok(ResumeState::default());
    }
    let mut conn = session::open(connection, Some(&connection.database), limits).await?;
    let left = inspect_tables(&mut conn, server, content, options, done).await;
    session::close(conn, limits).await;
    left.map_err(|error| {
        let explained = session::explain(&error, connection);
        match session::number(&error) {
            Some(_) => {
                Error { kind: Kind::Refused, what: "what the target holds can't be read".to_owned(), ..explained }
                    .why(connection)
                    .unchanged()
            }
            None => explained,
        }
    })
}

async fn inspect_tables(
    conn: &mut Conn,
    server: &Server,
    content: &Content,
    options: &RestoreOptions,
    done: &AtomicU64,
) -> mysql_async::Result<ResumeState> {
    let folds = server.settings.get("lower_case_table_names").is_some_and(|value| value != "0");
    let objects = prepare::objects(conn).await?;
    let triggers: Vec<(String, String)> = conn
        .query("SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()")
        .await?;
    let versioned = "SELECT TABLE_NAME FROM information_schema.TABLES \
                     WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'SYSTEM VERSIONED'";
    let versioned: BTreeSet<String> = tolerant::<String>(conn, versioned).await?.into_iter().collect();
    let (all, chosen) = (Brought::of(content, &[], folds), Brought::of(content, &options.tables, folds));
    let there = objects.iter().filter(|(kind, _)| kind == "TABLE").map(|(_, name)| (all.fold(name), name));
    let there: BTreeMap<String, &String> = there.collect();
    let mut left = ResumeState { foreign: all.foreign(&objects, &triggers), ..ResumeState::default() };
    let mut complete = BTreeSet::new();
    for table in coming(content, options) {
        let Some(&name) = there.get(&all.fold(&table.name)) else { continue };
        let state = state(conn, &table, name, versioned.contains(name)).await?;
        done.fetch_add(1, Ordering::Relaxed);
        if let State::Lacks(what) = state {
            left.incomplete.push(format!("{name} ({what})"));
            continue;
        }
        complete.insert(name.clone());
        if state == State::WithoutForeignKeys {
            left.without_foreign_keys.insert(table.name.clone());
        }
        left.complete.insert(table.name);
    }
    left.again = chosen.again(objects, triggers, &complete);
    Ok(left)
}

/// What a table is, held against the dump.
#[derive(Debug, PartialEq, Eq)]
enum State {
    Complete,
    WithoutForeignKeys,
    /// What it lacks, for people.
    Lacks(String),
}

/// One that the server can't read is not complete; one that we may not read is an error.
async fn state(conn: &mut Conn, table: &DumpedTable, name: &str, versioned: bool) -> mysql_async::Result<State> {
    match compare(conn, table, name, versioned).await {
        Err(mysql_async::Error::Server(error)) if !DENIED.contains(&error.code) => {
            let redactor = Redactor::new(&conn.opts().pass().map(Secret::new));
            Ok(State::Lacks(redactor.redact(&error.message)))
        }
        other => other,
    }
}

async fn compare(conn: &mut Conn, table: &DumpedTable, name: &str, versioned: bool) -> mysql_async::Result<State> {
    let lacks = |what: &str| Ok(State::Lacks(what.to_owned()));
    let wanted = table.structure.unwrap_or_default();
    let mut found = read_structure(conn, name).await?;
    if found.is_some_and(|found| found.own != wanted.own) && server_settings::show_added_keys(conn, false).await? {
        // The target may have added an invisible key.
        found = read_structure(conn, name).await?;
        server_settings::show_added_keys(conn, true).await?;
    }
    let Some(found) = found.filter(|found| found.own == wanted.own) else {
        return lacks("its columns, keys or checks are not the dump's");
    };
    let state = match found.foreign {
        same if same == wanted.foreign => State::Complete,
        0 if wanted.divides => State::WithoutForeignKeys,
        _ => return lacks("its foreign keys are not the dump's"),
    };
    // A dump with a table's history has its rows, too.
    let of_all_times = if versioned { " FOR SYSTEM_TIME ALL" } else { "" };
    let rows: Option<u64> = conn.query_first(format!("SELECT COUNT(*) FROM {}{of_all_times}", quote(name))).await?;
    let count = |rows: Option<u64>| rows.map_or("?".to_owned(), units::count);
    if rows.is_some() && rows == table.rows {
        Ok(state)
    } else {
        lacks(&format!("{} of {} rows", count(rows), count(table.rows)))
    }
}

/// What the server says that a table names.
async fn read_structure(conn: &mut Conn, name: &str) -> mysql_async::Result<Option<Structure>> {
    let shown: Option<Row> = conn.query_first(format!("SHOW CREATE TABLE {}", quote(name))).await?;
    let shown = shown.and_then(|row| row.get_opt::<Vec<u8>, _>(1)?.ok()).unwrap_or_default();
    Ok(structure::read(&shown, &Syntax::new()))
}

/// The names of what a dump brings, as the target tells names apart.
struct Brought {
    /// Tables, views and sequences, which share their names.
    tables: BTreeSet<String>,
    triggers: BTreeSet<String>,
    functions: BTreeSet<String>,
    /// Procedures and packages; functions are among them.
    routines: BTreeSet<String>,
    events: BTreeSet<String>,
    folds: bool,
}

impl Brought {
    /// All of the dump, or of it these tables and views.
    fn of(content: &Content, tables: &[String], folds: bool) -> Self {
        let folded = |names: Vec<&str>| names.into_iter().map(|name| fold(name, folds)).collect::<BTreeSet<_>>();
        let all = |list| if tables.is_empty() { folded(names(content, list)) } else { BTreeSet::new() };
        let mut named: Vec<&str> = match tables {
            [] => content.tables.iter().map(|table| table.name.as_str()).collect(),
            some => some.iter().map(|table| without_database(table)).collect(),
        };
        if tables.is_empty() {
            named.extend([fact::VIEWS, fact::SEQUENCES].into_iter().flat_map(|list| names(content, list)));
        }
        Self {
            tables: folded(named),
            triggers: folded(names(content, fact::TRIGGERS)),
            functions: all(fact::FUNCTIONS),
            routines: all(fact::ROUTINES),
            events: all(fact::EVENTS),
            folds,
        }
    }

    fn fold(&self, name: &str) -> String {
        fold(name, self.folds)
    }

    fn holds(&self, kind: &str, name: &str) -> bool {
        let names = match kind {
            "FUNCTION" => &self.functions,
            "PROCEDURE" | "PACKAGE" => &self.routines,
            "EVENT" => &self.events,
            _ => &self.tables,
        };
        names.contains(&self.fold(name))
    }

    fn holds_trigger(&self, name: &str, table: &str) -> bool {
        self.triggers.contains(&self.fold(name)) && self.tables.contains(&self.fold(table))
    }

    /// What is there and not brought.
    fn foreign(&self, objects: &[(String, String)], triggers: &[(String, String)]) -> Vec<String> {
        let objects = objects.iter().filter(|(kind, name)| !self.holds(kind, name));
        let objects = objects.map(|(kind, name)| format!("{} {name}", kind.to_lowercase()));
        let triggers = triggers.iter().filter(|(name, table)| !self.holds_trigger(name, table));
        objects.chain(triggers.map(|(name, _)| format!("trigger {name}"))).collect()
    }

    /// What is there and brought, but for complete tables. Of these the triggers: no dump drops triggers before it makes
    /// them.
    fn again(
        &self,
        objects: Vec<(String, String)>,
        triggers: Vec<(String, String)>,
        complete: &BTreeSet<String>,
    ) -> Vec<(String, String)> {
        let triggers =
            triggers.into_iter().filter(|(name, table)| complete.contains(table) && self.holds_trigger(name, table));
        let objects = objects
            .into_iter()
            .filter(|(kind, name)| self.holds(kind, name) && !(kind == "TABLE" && complete.contains(name)));
        triggers.map(|(name, _)| ("TRIGGER".to_owned(), name)).chain(objects).collect()
    }
}

/// Some servers don't tell upper case from lower case.
fn fold(name: &str, folds: bool) -> String {
    if folds { name.to_lowercase() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::mysql::sql::content::Reader;
    use crate::engine::mysql::test_fixtures::server;
    use crate::engine::{Flavour, Inspector, Version};

    const DUMP: &str = "CREATE TABLE `Users` (`id` int);CREATE TABLE `logs` (`id` int);INSERT INTO `late` VALUES (1);\
        CREATE VIEW `recent` AS SELECT 1;CREATE FUNCTION f() RETURNS int RETURN 1;CREATE PROCEDURE p() SELECT 1;\
        CREATE TRIGGER t BEFORE INSERT ON `Users` FOR EACH ROW SET @x=1;CREATE EVENT e ON SCHEDULE AT NOW() DO SELECT 1;\
        \n-- Dump completed\n";

    fn content() -> Content {
        let mut reader = Box::new(Reader::new());
        reader.see(DUMP.as_bytes());
        reader.finish().expect("complete")
    }

    fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
        all.iter().map(|&(a, b)| (a.to_owned(), b.to_owned())).collect()
    }

    #[test]
    fn what_the_dump_brings_is_told_from_what_is_somebody_elses() {
        let brought = Brought::of(&content(), &[], false);
        let objects = pairs(&[
            ("TABLE", "Users"),
            ("TABLE", "users"),
            ("TABLE", "logs"),
            ("TABLE", "recent"),
            ("FUNCTION", "f"),
            ("FUNCTION", "p"),
            ("PROCEDURE", "p"),
            ("EVENT", "e"),
        ]);
        let triggers = pairs(&[("t", "Users"), ("t2", "Users"), ("t", "users")]);
        let foreign = brought.foreign(&objects, &triggers);
        assert_eq!(foreign, ["table users", "function p", "trigger t2", "trigger t"]);
        let again = brought.again(objects, triggers, &["Users".to_owned()].into());
        let all = [
            ("TRIGGER", "t"),
            ("TABLE", "logs"),
            ("TABLE", "recent"),
            ("FUNCTION", "f"),
            ("PROCEDURE", "p"),
            ("EVENT", "e"),
        ];
        assert_eq!(again, pairs(&all));
        assert!(Brought::of(&content(), &[], true).holds("TABLE", "USERS"));
    }

    #[test]
    fn of_chosen_tables_nothing_else_is_dropped() {
        let brought = Brought::of(&content(), &["shop.logs".to_owned()], false);
        let objects = pairs(&[("TABLE", "Users"), ("TABLE", "logs"), ("VIEW", "recent"), ("FUNCTION", "f")]);
        assert_eq!(brought.again(objects, pairs(&[("t", "Users")]), &BTreeSet::new()), pairs(&[("TABLE", "logs")]));
    }

    #[test]
    fn what_nothing_can_go_on_from_is_refused() {
        let mut server = server(Flavour::MYSQL, Version::new(9, 7, 4));
        let options = RestoreOptions { resume: true, tables: vec!["Users".to_owned()], ..RestoreOptions::default() };
        assert!(check(&server, &content(), &options).is_ok());
        let late = RestoreOptions { tables: Vec::new(), ..options.clone() };
        let error = check(&server, &content(), &late).expect_err("refused");
        assert!(error.what.ends_with("can't load these again: late"), "{error}");
        server.target.left.foreign = vec!["table theirs".to_owned()];
        let error = check(&server, &content(), &options).expect_err("refused");
        assert!(error.kind == Kind::Refused && error.what.ends_with("could have left: table theirs"), "{error}");
        assert!(check(&server, &content(), &RestoreOptions { into_non_empty: true, ..options }).is_ok());
        assert!(check(&server, &content(), &RestoreOptions::default()).is_ok());
    }
}
