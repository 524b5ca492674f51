//! Where definitions spell out the name of the database that they are of: what calls a sequence, in which the server writes
//! it, and the bodies of triggers, routines and events, in which a person did.

use std::borrow::Cow;
use std::collections::BTreeSet;

use mysql_async::Conn;

use crate::engine::mysql::dump::dump_filter::TableFilter;
use crate::engine::mysql::probe::probe_keys::{self, JOIN, join_truncated};
use crate::engine::mysql::session;
use crate::engine::mysql::sql::content::{fact, names};
use crate::engine::mysql::sql::lexer::{Syntax, Token};
use crate::engine::mysql::sql::statement::{self, Object, SpannedToken, StatementInfo, Verb};
use crate::engine::{Content, DumpOptions, RestoreOptions, Server};

/// Between the parts of a line: no name can hold it.
const PART: char = '\u{1}';
/// Between names.
const NAMES: char = '\u{2}';

/// What a body names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    /// By the database's own name, as `shop.audit`.
    own: BTreeSet<String>,
    /// Tables and views of the database, by whichever name.
    tables: BTreeSet<String>,
}

/// A table's or view's definition in which sequences are called without the database's name: those of the database that it is
/// restored into are meant.
pub(crate) fn without<'h>(head: &'h [u8], syntax: &Syntax, subject: &StatementInfo, database: &str) -> Cow<'h, [u8]> {
    if subject.verb != Verb::Create || !matches!(subject.object, Object::Table | Object::View) {
        return Cow::Borrowed(head);
    }
    let pieces: Vec<_> = statement::pieces(head, syntax).collect();
    let (mut out, mut done) = (Vec::new(), 0);
    for group in pieces.windows(5) {
        let [call, open, name, dot, sequence] = group else { continue };
        let calls = ["nextval", "lastval", "setval"].iter().any(|word| call.is(word)) && open.is_symbol(b'(');
        let is_own = calls && dot.is_symbol(b'.') && text(name).as_deref() == Some(database);
        if is_own {
            out.extend_from_slice(&head[done..name.at]);
            done = sequence.at;
        }
    }
    if done == 0 {
        return Cow::Borrowed(head);
    }
    out.extend_from_slice(&head[done..]);
    Cow::Owned(out)
}

/// A name without its quotes.
fn text(piece: &SpannedToken<'_>) -> Option<String> {
    piece.unquoted().map(|name| name.replace("``", "`"))
}

fn is_name(piece: &SpannedToken<'_>) -> bool {
    matches!(piece.token, Token::Word | Token::Quoted(b'`' | b'"'))
}

/// What a body names in the places of tables, and by the database's own name in those of routines.
pub(crate) fn named(body: &[u8], syntax: &Syntax, database: &str) -> Named {
    const BEFORE: [&str; 11] =
        ["from", "join", "straight_join", "into", "update", "table", "call", "insert", "replace", "ignore", "truncate"];
    let pieces: Vec<_> = statement::pieces(body, syntax).collect();
    let mut named = Named::default();
    for (at, piece) in pieces.iter().enumerate().skip(1) {
        let before = &pieces[at - 1];
        // `ON DUPLICATE KEY UPDATE a = 1`, `FOR UPDATE`
        let of_update = before.is("update") && at > 1 && ["key", "for"].iter().any(|word| pieces[at - 2].is(word));
        let is_place = BEFORE.iter().any(|word| before.is(word)) && !of_update;
        if !is_name(piece)
            || BEFORE.iter().any(|word| piece.is(word))
            || before.is_symbol(b'.')
            || before.is_symbol(b'@')
        {
            continue;
        }
        let Some(name) = text(piece) else { continue };
        let part = pieces.get(at + 1..at + 3).filter(|next| next[0].is_symbol(b'.') && is_name(&next[1]));
        match part {
            Some(part) if name == database => {
                let is_call = pieces.get(at + 3).is_some_and(|next| next.is_symbol(b'('));
                if is_place
                    || is_call
                    || before.is_symbol(b',') && pieces.get(at + 3).is_some_and(|p| p.is_symbol(b'.'))
                {
                    let table = text(&part[1]).unwrap_or_default();
                    named.own.insert(format!("{name}.{table}"));
                    named.tables.insert(table);
                }
            }
            None if is_place => drop(named.tables.insert(name)),
            _ => {}
        }
    }
    named
}

impl Named {
    /// What the server's bodies name, a line for each that names something: its kind and name, the table that a trigger stands
    /// on, the tables, and what is spelled out.
    fn line(&self, object: &str, on: &str) -> Option<String> {
        let joined = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(&NAMES.to_string());
        let line = || format!("{object}{PART}{on}{PART}{}{PART}{}", joined(&self.tables), joined(&self.own));
        (!self.own.is_empty() || !self.tables.is_empty()).then(line)
    }

    /// A line of a dump's content, where a name is spelled out.
    pub(crate) fn own_line(&self, subject: &StatementInfo) -> Option<String> {
        let kind = match subject.object {
            Object::Trigger => "trigger",
            Object::Event => "event",
            Object::Function => "function",
            Object::Routine => "procedure",
            _ => return None,
        };
        let own: Vec<&str> = self.own.iter().map(String::as_str).collect();
        (!own.is_empty())
            .then(|| format!("{kind} {} ({})", subject.name.as_deref().unwrap_or_default(), join_truncated(&own)))
    }
}

/// Reads the bodies of a source.
pub(crate) async fn read(conn: &mut Conn, database: &str) -> mysql_async::Result<String> {
    const QUERIES: [&str; 3] = [
        "SELECT CONCAT('trigger ', TRIGGER_NAME), EVENT_OBJECT_TABLE, ACTION_STATEMENT FROM information_schema.TRIGGERS \
         WHERE TRIGGER_SCHEMA = ?",
        "SELECT CONCAT(LOWER(ROUTINE_TYPE), ' ', ROUTINE_NAME), '', ROUTINE_DEFINITION FROM information_schema.ROUTINES \
         WHERE ROUTINE_SCHEMA = ?",
        "SELECT CONCAT('event ', EVENT_NAME), '', CONCAT('DO ', EVENT_DEFINITION) FROM information_schema.EVENTS \
         WHERE EVENT_SCHEMA = ?",
    ];
    let syntax = Syntax::new();
    let mut lines = Vec::new();
    for query in QUERIES {
        for (object, on, body) in session::rows_of::<(String, String, Option<String>)>(conn, query, &[database]).await?
        {
            let body = format!("DO {}", body.unwrap_or_default());
            lines.extend(named(body.as_bytes(), &syntax, database).line(&object, &on));
        }
    }
    Ok(lines.join(JOIN))
}

/// What bodies of the dump name and the selection leaves out, for a warning.
pub(crate) fn left_out(server: &Server, options: &DumpOptions, selection: &TableFilter) -> Vec<String> {
    if options.data_only || selection.only.is_none() && selection.ignored.is_empty() {
        return Vec::new();
    }
    let relations: BTreeSet<&str> = server
        .tables
        .iter()
        .map(|table| table.name.as_str())
        .chain(probe_keys::list(server, probe_keys::VIEWS))
        .collect();
    let mut found = Vec::new();
    for line in probe_keys::list(server, probe_keys::BODIES) {
        let [object, on, tables, _] = line.splitn(4, PART).collect::<Vec<_>>()[..] else { continue };
        let comes = if on.is_empty() { selection.only.is_none() } else { selection.includes(on) };
        let lacks = |table: &&str| relations.contains(table) && !selection.includes(table);
        let lacking: Vec<&str> = tables.split(NAMES).filter(lacks).filter(|_| comes).collect();
        if !lacking.is_empty() {
            found.push(format!("not in the dump: {}, which the body of {object} names", join_truncated(&lacking)));
        }
    }
    found
}

/// What bodies spell out at a source, for a note.
pub(crate) fn spelled_out(server: &Server, options: &DumpOptions, selection: &TableFilter) -> Option<String> {
    let mut found = Vec::new();
    for line in probe_keys::list(server, probe_keys::BODIES) {
        let [object, on, _, own] = line.splitn(4, PART).collect::<Vec<_>>()[..] else { continue };
        let comes = if on.is_empty() { selection.only.is_none() } else { selection.includes(on) };
        if comes && !options.data_only && !own.is_empty() {
            found.push(format!("{object} ({})", join_truncated(&own.split(NAMES).collect::<Vec<_>>())));
        }
    }
    let text =
        || format!("{SPELLED_OUT}: restored under another name they still mean this one: {}", join_truncated(&found));
    (!found.is_empty()).then(text)
}

const SPELLED_OUT: &str = "bodies name their own database";

/// What bodies of the dump spell out, where it is restored into a database of another name.
pub(crate) fn warning(server: &Server, content: &Content, options: &RestoreOptions) -> Option<String> {
    let source = content.facts.get(fact::DATABASE_NAME)?;
    let found = names(content, fact::OWN_NAMES);
    if options.data_only || found.is_empty() || *source == server.database {
        return None;
    }
    Some(format!(
        "{SPELLED_OUT}, {source:?}, and mean that one, not {:?}: what they read or write is there: {}",
        server.database,
        join_truncated(&found)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_name_tables_and_their_own_database() {
        let body = "DO BEGIN DECLARE n INT; INSERT INTO src.aud VALUES (1) ON DUPLICATE KEY UPDATE a = 1; \
                    DELETE FROM `src`.`t`; UPDATE base SET src.x = NEW.src; SELECT src.id FROM src WHERE src.a = 'FROM src.b'; \
                    CALL src.p(src.f(1)); SELECT 1 FROM other.z FOR UPDATE; END";
        let found = named(body.as_bytes(), &Syntax::new(), "src");
        let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>();
        assert_eq!(list(&found.own), ["src.aud", "src.f", "src.p", "src.t"]);
        assert_eq!(list(&found.tables), ["aud", "base", "f", "p", "src", "t"]);
    }

    #[test]
    fn sequences_are_called_without_the_databases_name() {
        let syntax = Syntax::new();
        let rewritten = |text: &str| {
            let subject = statement::subject(text.as_bytes(), &syntax);
            String::from_utf8(without(text.as_bytes(), &syntax, &subject, "src").into_owned()).expect("text")
        };
        assert_eq!(
            rewritten("CREATE TABLE `t` (`a` int DEFAULT nextval(`src`.`s`), `b` int DEFAULT (setval(`src`.`s`, 1)))"),
            "CREATE TABLE `t` (`a` int DEFAULT nextval(`s`), `b` int DEFAULT (setval(`s`, 1)))"
        );
        for same in
            ["CREATE TABLE `t` (`a` int DEFAULT nextval(`other`.`s`))", "INSERT INTO t VALUES ('nextval(`src`.`s`)')"]
        {
            assert_eq!(rewritten(same), same);
        }
    }
}
