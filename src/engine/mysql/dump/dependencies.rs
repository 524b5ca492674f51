//! What a part of a database needs and does not hold: a view's tables and functions, a default's sequence, a foreign key's
//! other side.

use std::collections::BTreeSet;

use mysql_async::Conn;

use super::dump_filter::{self, TableFilter};
use crate::connection::{Connection, Limits};
use crate::engine::mysql::probe::{findings, probe_keys};
use crate::engine::mysql::restore::suitability::without_database;
use crate::engine::mysql::session;
use crate::engine::mysql::sql::content::{fact, names};
use crate::engine::mysql::sql::lexer::{Syntax, Token};
use crate::engine::mysql::sql::statement::{self, SpannedToken};
use crate::engine::{Clean, Content, Dependency, DumpOptions, RestoreOptions, Selected, Server, sentences};
use crate::error::{Error, Kind, Result};
use crate::hint;

/// Between the parts of a need: no name can hold it.
const PART: char = '\u{1}';

/// That an object of the database needs another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Need {
    /// What it is, and its name.
    pub(crate) by_kind: &'static str,
    pub(crate) by: String,
    /// The kind and name of what it needs: `table`, which may be a view as well, `function`, `sequence`.
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    /// The foreign key that needs it.
    pub(crate) key: Option<String>,
}

impl Need {
    /// For a fact of a dump's content.
    pub(crate) fn encode(by_kind: &str, by: &str, (kind, name): &(&'static str, String)) -> String {
        format!("{by_kind}{PART}{by}{PART}{kind}{PART}{name}")
    }

    fn decode(text: &str) -> Option<Self> {
        let [by_kind, by, kind, name] = text.splitn(4, PART).collect::<Vec<_>>()[..] else { return None };
        let known = |kind: &str| KINDS.into_iter().find(|known| *known == kind);
        Some(Self { by_kind: known(by_kind)?, by: by.to_owned(), kind: known(kind)?, name: name.to_owned(), key: None })
    }
}

const KINDS: [&str; 4] = ["function", "sequence", "table", "view"];

/// What a definition names of this database: tables behind FROM and JOIN, functions and sequences that are called.
pub(crate) fn named(text: &[u8], syntax: &Syntax, database: Option<&str>) -> BTreeSet<(&'static str, String)> {
    let pieces: Vec<_> = statement::pieces(text, syntax).collect();
    let mut named = BTreeSet::new();
    for (at, piece) in pieces.iter().enumerate() {
        let rest = &pieces[at + 1..];
        if ["from", "join", "straight_join"].iter().any(|word| piece.is(word)) {
            let rest = &rest[rest.iter().take_while(|p| p.is_symbol(b'(')).count()..];
            named.extend(name(rest, database).map(|(name, _)| ("table", name)));
        } else if ["nextval", "lastval", "setval"].iter().any(|word| piece.is(word)) && begins(rest, b'(') {
            named.extend(name(&rest[1..], database).map(|(name, _)| ("sequence", name)));
        } else if is_quoted(piece) && !at.checked_sub(1).is_some_and(|before| qualifies(&pieces[before])) {
            let called = name(&pieces[at..], database).filter(|(_, rest)| begins(rest, b'('));
            named.extend(called.map(|(name, _)| ("function", name)));
        }
    }
    named
}

/// What stands before a name that is no function's: the rest of a longer name, a view's own name.
fn qualifies(before: &SpannedToken<'_>) -> bool {
    before.is_symbol(b'.') || before.is("view")
}

fn is_quoted(piece: &SpannedToken<'_>) -> bool {
    matches!(piece.token, Token::Quoted(_)) && piece.text.first() == Some(&b'`')
}

fn begins(pieces: &[SpannedToken<'_>], symbol: u8) -> bool {
    pieces.first().is_some_and(|piece| piece.is_symbol(symbol))
}

/// The quoted name that stands first, of this database, and what follows.
fn name<'p, 'a>(pieces: &'p [SpannedToken<'a>], database: Option<&str>) -> Option<(String, &'p [SpannedToken<'a>])> {
    let first = pieces.first().filter(|piece| is_quoted(piece))?;
    let unquoted = |piece: &SpannedToken<'_>| piece.unquoted().map(|name| name.replace("``", "`"));
    match &pieces[1..] {
        [dot, second, rest @ ..] if dot.is_symbol(b'.') => {
            let is_ours = database.is_some() && unquoted(first).as_deref() == database;
            Some((unquoted(second).filter(|_| is_ours && is_quoted(second))?, rest))
        }
        rest => Some((unquoted(first)?, rest)),
    }
}

/// What the options choose, and what that needs.
pub(crate) async fn selected(
    connection: &Connection,
    server: &Server,
    options: &DumpOptions,
    limits: &Limits,
) -> Result<Option<Selected>> {
    let mut selection = dump_filter::select(options, server)?;
    if options.allow_incomplete {
        selection.leave_out(&findings::left_out(server));
    }
    if selection.only.is_none() && selection.ignored.is_empty() {
        return Ok(None);
    }
    let database = &connection.database;
    let work = async |conn: &mut Conn| needs(conn, database).await;
    let mut needs = session::ask(connection, Some(database), limits, work).await?;
    let (relations, routines) = (relations(server), probe_keys::list(server, probe_keys::ROUTINES));
    let is_function =
        |name: &str| routines.iter().any(|routine| routine.split_once(' ').is_some_and(|(_, n)| n == name));
    // What a view calls a table may be a name of its own.
    needs.retain(|need| match need.kind {
        "function" => is_function(&need.name),
        _ => relations.contains(&need.name.as_str()),
    });
    Ok(Some(judge(server, options, &selection, &needs)))
}

fn judge(server: &Server, options: &DumpOptions, selection: &TableFilter, needs: &[Need]) -> Selected {
    let all = relations(server);
    if options.with_dependencies {
        let whole = closure(all.iter().copied().filter(|name| selection.includes(name)), needs);
        let unneeded = all.iter().filter(|name| !whole.contains(**name)).map(|&name| name.to_owned()).collect();
        // A dump of some tables holds no routines: the wider one does, and the restore chooses.
        let tables = selection.only.clone().unwrap_or_default();
        return Selected { is_part: true, unneeded, tables, ..Selected::default() };
    }
    let mut selected = Selected { is_part: true, ..Selected::default() };
    if options.data_only {
        return selected;
    }
    let used = needs.iter().filter(|need| need.kind == "sequence" && selection.includes(&need.by));
    let excluded = |name: &String| dump_filter::excludes(options, server, name);
    let used = used.map(|need| &need.name).filter(|name| !selection.includes(name) && !excluded(name));
    let used: BTreeSet<String> = used.cloned().collect();
    selected.dependencies = gather(needs.iter().filter(|need| selection.includes(&need.by)), |need| match need.kind {
        "function" => selection.only.is_none(),
        _ => selection.includes(&need.name) || used.contains(&need.name) && selection.only.is_some(),
    });
    if selection.only.is_some() {
        selected.added = used.into_iter().collect();
    }
    selected
}

/// Tables, views and sequences.
fn relations(server: &Server) -> Vec<&str> {
    let tables = server.tables.iter().map(|table| table.name.as_str());
    let lists =
        [probe_keys::VIEWS, probe_keys::SEQUENCE_NAMES].into_iter().flat_map(|list| probe_keys::list(server, list));
    tables.chain(lists).collect()
}

/// These, and all that they need.
fn closure<'n>(names: impl Iterator<Item = &'n str>, needs: &'n [Need]) -> BTreeSet<&'n str> {
    let mut whole: BTreeSet<&str> = names.collect();
    loop {
        let before = whole.len();
        let more = needs.iter().filter(|need| need.kind != "function" && whole.contains(need.by.as_str()));
        let more: Vec<&str> = more.map(|need| need.name.as_str()).collect();
        whole.extend(more);
        if whole.len() == before {
            return whole;
        }
    }
}

/// Needs by what is needed, without what is there.
fn gather<'n>(needs: impl Iterator<Item = &'n Need>, is_there: impl Fn(&Need) -> bool) -> Vec<Dependency> {
    let mut all: Vec<Dependency> = Vec::new();
    for need in needs.filter(|need| !is_there(need)) {
        let by = match &need.key {
            Some(key) => format!("fk constraint {}.{key}", need.by),
            None => format!("{} {}", need.by_kind, need.by),
        };
        match all.iter_mut().find(|known| known.kind == need.kind && known.name == need.name) {
            Some(known) => drop(known.needed_by.insert(by)),
            None => all.push(Dependency {
                kind: need.kind.to_owned(),
                schema: None,
                name: need.name.clone(),
                needed_by: BTreeSet::from([by]),
            }),
        }
    }
    all
}

/// What the database's views, tables and defaults need of it.
async fn needs(conn: &mut Conn, database: &str) -> mysql_async::Result<Vec<Need>> {
    let syntax = Syntax::new();
    let mut needs = Vec::new();
    let views = "SELECT TABLE_NAME, VIEW_DEFINITION FROM information_schema.VIEWS WHERE TABLE_SCHEMA = ?";
    let defaults = "SELECT TABLE_NAME, COLUMN_DEFAULT FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? \
                    AND COLUMN_DEFAULT LIKE '%val(%'";
    for (by_kind, query) in [("view", views), ("table", defaults)] {
        for (by, text) in session::rows_of::<(String, Option<String>)>(conn, query, &[database]).await? {
            let named = named(text.unwrap_or_default().as_bytes(), &syntax, Some(database));
            needs.extend(named.into_iter().map(|(kind, name)| Need { by_kind, by: by.clone(), kind, name, key: None }));
        }
    }
    let keys = "SELECT TABLE_NAME, CONSTRAINT_NAME, REFERENCED_TABLE_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS \
                WHERE CONSTRAINT_SCHEMA = ? AND UNIQUE_CONSTRAINT_SCHEMA = ? AND TABLE_NAME <> REFERENCED_TABLE_NAME";
    let keys = session::rows_of::<(String, String, String)>(conn, keys, &[database, database]).await?;
    needs.extend(keys.into_iter().map(|(by, key, name)| Need {
        by_kind: "table",
        by,
        kind: "table",
        name,
        key: Some(key),
    }));
    needs.sort();
    needs.dedup();
    Ok(needs)
}

/// What the definitions of a dump need of the dump's own; foreign keys stay with their tables.
fn held_needs(content: &Content) -> Vec<Need> {
    names(content, fact::NEEDS).into_iter().filter_map(Need::decode).collect()
}

/// The tables and views that come, those besides that they need among them, if not all; and the functions that come with
/// them.
pub(crate) fn chosen(content: &Content, options: &RestoreOptions) -> (BTreeSet<String>, BTreeSet<String>) {
    let tables: BTreeSet<String> = options.tables.iter().map(|table| without_database(table).to_owned()).collect();
    if tables.is_empty() || !options.with_dependencies {
        return (tables, BTreeSet::new());
    }
    let mut needs = held_needs(content);
    let references = names(content, fact::REFERENCES);
    let points =
        |table: &str| references.iter().filter_map(|r| r.strip_prefix(table)?.strip_prefix('.')).collect::<Vec<_>>();
    let keys = content.tables.iter().flat_map(|table| {
        let by = table.name.clone();
        points(&table.name).into_iter().map(move |name| (by.clone(), name.to_owned()))
    });
    needs.extend(keys.map(|(by, name)| Need { by_kind: "table", by, kind: "table", name, key: Some(String::new()) }));
    let held: BTreeSet<&str> = content.entries.iter().map(|entry| entry.tag.as_str()).collect();
    needs.retain(|need| need.kind == "function" || held.contains(need.name.as_str()));
    let whole: BTreeSet<String> =
        closure(tables.iter().map(String::as_str), &needs).into_iter().map(str::to_owned).collect();
    let functions = needs.iter().filter(|need| need.kind == "function" && whole.contains(&need.by));
    let functions = functions.map(|need| need.name.clone()).collect();
    (whole, functions)
}

/// What needs a table of which a dump has the rows alone.
const ITS_DATA: &str = "its data";

/// What the restore needs, and neither brings nor finds in the target as it will be then.
pub(crate) fn lacking(server: &Server, content: &Content, options: &RestoreOptions) -> Vec<Dependency> {
    if options.data_only {
        return Vec::new();
    }
    let (tables, functions) = chosen(content, options);
    let is_chosen = |by: &str| tables.is_empty() || tables.contains(by);
    let by_chosen = |by: &String| match by.strip_prefix("fk constraint ").and_then(|key| key.rsplit_once('.')) {
        Some((table, _)) => is_chosen(table),
        None => is_chosen(by.split_once(' ').map_or(by, |(_, name)| name)),
    };
    let told = content.dependencies.iter().filter(|d| d.needed_by.iter().any(by_chosen)).cloned();
    let needs = held_needs(content);
    let routines: BTreeSet<&str> = names(content, fact::FUNCTIONS).into_iter().collect();
    let held: BTreeSet<&str> = content.entries.iter().map(|entry| entry.tag.as_str()).collect();
    // Of the whole, what a dump does not hold may be there: that of a part stands in its manifest.
    let own = needs.iter().filter(|need| !tables.is_empty() && is_chosen(&need.by));
    let own = gather(own, |need| match need.kind {
        "function" => functions.contains(&need.name) || !routines.contains(need.name.as_str()),
        _ => tables.contains(&need.name) || !held.contains(need.name.as_str()),
    });
    let rows_alone = content.tables.iter().filter(|table| table.structure.is_none() && is_chosen(&table.name));
    let rows_alone = rows_alone.map(|table| Dependency {
        kind: "table".to_owned(),
        schema: None,
        name: table.name.clone(),
        needed_by: BTreeSet::from([ITS_DATA.to_owned()]),
    });
    let there = there(server, options);
    let mut lacking: Vec<Dependency> =
        told.chain(own).chain(rows_alone).filter(|d| !there.contains(&d.name.to_lowercase())).collect();
    lacking.dedup();
    lacking
}

/// What the target has and keeps, in lower case: names are compared as most servers do.
fn there(server: &Server, options: &RestoreOptions) -> BTreeSet<String> {
    let emptied = matches!(options.clean, Some(Clean::Schema | Clean::Database)) || !server.target.exists;
    if emptied {
        return BTreeSet::new();
    }
    let routines = probe_keys::list(server, probe_keys::ROUTINES)
        .into_iter()
        .filter_map(|routine| Some(routine.split_once(' ')?.1));
    relations(server).into_iter().chain(routines).map(str::to_lowercase).collect()
}

/// Refuses to begin what would fail for want of something. Foreign keys are part of their tables, and stay.
pub(crate) fn check(server: &Server, content: &Content) -> Result<()> {
    let lacking = server.target.lacking.iter().filter(|dependency| !dependency.is_of_foreign_keys());
    let lacking: Vec<Dependency> = lacking.cloned().collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let what = "a part of a database is restored, and the target lacks what that part needs";
    let error = sentences(&lacking).into_iter().fold(Error::new(Kind::Refused, what), Error::why);
    let routines: BTreeSet<&str> = names(content, fact::FUNCTIONS).into_iter().collect();
    let held = |d: &&Dependency| {
        content.entries.iter().any(|entry| entry.tag == d.name) && !d.needed_by.contains(ITS_DATA)
            || d.kind == "function" && routines.contains(d.name.as_str())
    };
    let all_held = lacking.iter().filter(held).count();
    let brings = (all_held > 0).then_some(hint::WITH_DEPENDENCIES);
    let first = (all_held < lacking.len()).then_some(hint::MAKE_THESE_FIRST);
    Err(error.hints(brings).hints(first))
}

/// Whether all that the target holds is what the dump needs there.
pub(crate) fn is_prepared(server: &Server, content: &Content) -> bool {
    let (target, needed) = (&server.target, &content.dependencies);
    let is_needed =
        |object: &String| object.split_once(' ').is_some_and(|(_, name)| needed.iter().any(|d| d.name == name));
    target.objects.len() as u64 == target.object_count && target.objects.iter().all(is_needed)
}

/// `orders points at users`: foreign keys of the dumped part, to tables that are not there.
pub(crate) fn dangling(server: &Server) -> Vec<String> {
    let keys = server.target.lacking.iter().filter(|dependency| dependency.is_of_foreign_keys());
    keys.map(Dependency::sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_names_its_tables_functions_and_sequences() {
        let text = "select `v`.`from` AS `x`,`f`(1) AS `join`,`shop`.`g`(`b`.`n`) AS `y`,extract(year from `b`.`d`) AS `z`, \
                    nextval(`shop`.`s`) AS `q` from ((`a` join `shop`.`b` on((`a`.`id` = `b`.`id`))) left join `other`.`c` on(1)) \
                    where `a`.`n` in (select `d`.`n` from `d e` `d`)";
        let found = named(text.as_bytes(), &Syntax::new(), Some("shop"));
        let found: Vec<_> = found.iter().map(|(kind, name)| format!("{kind} {name}")).collect();
        assert_eq!(found, ["function f", "function g", "sequence s", "table a", "table b", "table d e"]);
    }
}
