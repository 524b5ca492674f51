//! What a restore reads and fills beyond a statement of its own: a materialized view runs the views under it, and rows for
//! a foreign table, or for a table with one below it, go where that table stands.

use std::collections::{HashMap, HashSet};

use super::super::commands::is;
use super::super::lexer::Token;
use super::functions::{calls_reaching, name};
use super::rules::{Event, Rule, Rules};
use super::{Reason, Stopped, knows};
use crate::engine::Entry;

/// A table or view, with its schema where that is said.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Relation {
    schema: Option<String>,
    name: String,
}

impl Relation {
    /// What an entry of a table of contents is about.
    #[must_use]
    pub fn of(entry: &Entry) -> Self {
        Self { schema: entry.schema.clone(), name: entry.tag.clone() }
    }

    /// The relation that these tokens begin with, and what follows it.
    #[must_use]
    pub fn read<'t, 'a>(tokens: &'t [Token<'a>]) -> Option<(Self, &'t [Token<'a>])> {
        let (mut schema, mut last, mut rest) = (None, name(tokens.first()?)?, &tokens[1..]);
        while let [Token::Symbol(b'.'), next, more @ ..] = rest {
            (schema, last, rest) = (Some(last), name(next)?, more);
        }
        Some((Self { schema, name: last }, rest))
    }

    /// Where one has no schema, the search path decides, which a script may set.
    pub(super) fn may_be(&self, other: &Self) -> bool {
        self.name == other.name && (self.schema.is_none() || other.schema.is_none() || self.schema == other.schema)
    }
}

/// What a statement does with relations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// It makes a view.
    View {
        /// Its name.
        view: Relation,
        /// What it reads from.
        reads: Vec<Relation>,
        /// It calls what reaches beyond the database.
        reaches: bool,
    },
    /// It makes a foreign table.
    Foreign(Relation),
    /// It puts a table below another: as partition, or by inheritance.
    Below(Relation, Relation),
    /// A query runs while the dump is restored.
    Query(Vec<Relation>),
    /// A query runs that no dump program writes, unless it reads tables only.
    OddQuery(Vec<Relation>),
    /// Rows come into a table, go from it, or are looked through.
    Rows(Relation),
    /// It makes a rule.
    Rule(Relation, Event, Rule),
    /// A statement at which a table's rules run: `COPY` is none.
    Fires(Relation, Event),
    /// All tables are looked through.
    AllRows,
}

impl Act {
    /// Whether it makes what other statements read or fill.
    #[must_use]
    pub fn makes(&self) -> bool {
        matches!(self, Self::View { .. } | Self::Foreign(_) | Self::Below(..) | Self::Query(_) | Self::Rule(..))
    }
}

/// What a materialized view, or another query, reads from.
pub fn reads(tokens: &[Token<'_>]) -> Vec<Relation> {
    const ENDS: [&str; 11] =
        ["select", "where", "group", "order", "having", "limit", "union", "intersect", "except", "window", "fetch"];
    let (mut reads, mut from, mut outer) = (Vec::new(), false, Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Symbol(b'(') => outer.push(from),
            Token::Symbol(b')') => from = outer.pop().unwrap_or(false),
            _ if is(token, "from") || is(token, "join") || is(token, "table") => from = true,
            _ if ENDS.iter().any(|word| is(token, word)) => from = false,
            _ if from && !(at > 0 && tokens[at - 1] == Token::Symbol(b'.')) => {
                let read = Relation::read(&tokens[at..]).map(|(relation, _)| relation);
                reads.extend(read.filter(|relation| !reads.contains(relation)));
            }
            _ => {}
        }
    }
    reads
}

/// A relation's acts, by `CREATE` or `ALTER`; `object` is where the kind of what is made stands.
pub fn acts(tokens: &[Token<'_>], object: usize) -> Vec<Act> {
    let before = |word: &str| tokens[..object].iter().any(|token| is(token, word));
    let is_object = |word: &str| is(&tokens[object], word);
    let mut rest = &tokens[object + 1..];
    while rest.first().is_some_and(|token| ["if", "not", "exists", "only"].iter().any(|word| is(token, word))) {
        rest = &rest[1..];
    }
    let creates = is(&tokens[0], "create");
    if is_object("rule") {
        return rule(rest).into_iter().collect();
    }
    let Some((made, rest)) = Relation::read(rest) else { return Vec::new() };
    if is_object("view") && creates && before("materialized") {
        return vec![Act::Query(reads(rest))];
    }
    if is_object("view") && creates {
        return vec![Act::View { view: made, reads: reads(rest), reaches: calls_reaching(rest) }];
    }
    if !is_object("table") {
        return Vec::new();
    }
    let mut acts = below(&made, rest, creates);
    acts.extend((creates && before("foreign")).then_some(Act::Foreign(made)));
    acts
}

/// Where a table stands below another.
fn below(made: &Relation, tokens: &[Token<'_>], creates: bool) -> Vec<Act> {
    let mut acts = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let behind = &tokens[at + 1..];
        if is(token, "attach") && behind.first().is_some_and(|token| is(token, "partition")) {
            let child = Relation::read(&behind[1..]).map(|(child, _)| Act::Below(child, made.clone()));
            acts.extend(child.filter(|_| !creates));
        } else if is(token, "partition") && behind.first().is_some_and(|token| is(token, "of")) {
            acts.extend(Relation::read(&behind[1..]).map(|(parent, _)| Act::Below(made.clone(), parent)));
        } else if is(token, "inherits") || is(token, "inherit") {
            let mut list = behind.strip_prefix(&[Token::Symbol(b'(')]).unwrap_or(behind);
            while let Some((parent, rest)) = Relation::read(list) {
                acts.push(Act::Below(made.clone(), parent));
                let Some(more) = rest.strip_prefix(&[Token::Symbol(b',')]) else { break };
                list = more;
            }
        }
    }
    acts
}

/// `CREATE RULE "_RETURN" AS ON SELECT TO v DO INSTEAD SELECT ...` makes a view.
fn rule(tokens: &[Token<'_>]) -> Option<Act> {
    let at =
        tokens.windows(3).position(|three| is(&three[0], "on") && is(&three[1], "select") && is(&three[2], "to"))?;
    let (view, rest) = Relation::read(&tokens[at + 3..])?;
    Some(Act::View { view, reads: reads(rest), reaches: calls_reaching(rest) })
}

/// Relations of the server's own in which stands what is in its files, its passwords, or what other sessions do. Those
/// that call a function which is [stopped](super::function_lists) are all here: a test asks every server.
const OF_THE_SERVER: &str = "pg_aios pg_authid pg_file_settings pg_hba_file_rules pg_ident_file_mappings pg_locks pg_prepared_xacts \
    pg_replication_origin_status pg_replication_slots pg_shadow pg_stat_activity pg_stat_gssapi pg_stat_progress_analyze \
    pg_stat_progress_basebackup pg_stat_progress_cluster pg_stat_progress_copy pg_stat_progress_create_index \
    pg_stat_progress_vacuum pg_stat_replication pg_stat_ssl pg_stat_statements pg_stat_subscription pg_stat_wal_receiver \
    pg_subscription";

/// Whether a relation of this name shows more than its own database.
#[must_use]
pub fn is_of_the_server(relation: &str) -> bool {
    knows(OF_THE_SERVER, relation)
}

/// What the statements of a dump do with relations, in the order in which they run.
#[derive(Debug, Default)]
pub struct Relations {
    views: HashMap<String, Vec<(Relation, Vec<Relation>, bool)>>,
    foreign: HashMap<String, Vec<Relation>>,
    below: Vec<(Relation, Relation)>,
    /// All of `below` that leads to a foreign table is among `foreign`.
    is_spread: bool,
    /// What materialized views read, and where they stand: they are filled when everything is made.
    queries: Vec<(String, Vec<Relation>)>,
    /// Tables whose rows are stopped: each is told once.
    told: HashSet<Relation>,
    rules: Rules,
}

impl Relations {
    /// Notes what a statement does, and stops rows and queries that reach beyond the tables made so far.
    pub fn note(&mut self, act: Act, place: impl FnOnce() -> String, stopped: &mut Stopped) {
        if act.makes() {
            self.rules.forget();
        }
        match act {
            Act::View { view, reads, reaches } => {
                self.views.entry(view.name.clone()).or_default().push((view, reads, reaches));
            }
            Act::Foreign(table) => {
                self.foreign.entry(table.name.clone()).or_default().push(table);
                self.is_spread = false;
            }
            Act::Below(child, parent) => {
                self.below.push((child, parent));
                self.is_spread = false;
            }
            Act::Query(reads) => self.queries.push((place(), reads)),
            Act::Rows(table) => {
                if let Some(reason) = self.rows(&table).filter(|_| self.told.insert(table)) {
                    stopped.add(&place(), reason);
                }
            }
            Act::Rule(table, event, rule) => self.rules.add(table, event, rule),
            Act::Fires(table, event) => {
                let rules = self.rules.fired(&table, event);
                if !rules.is_empty() {
                    self.run(rules, &place(), stopped);
                }
            }
            Act::AllRows if self.foreign.is_empty() => {}
            Act::AllRows => stopped.add(&place(), Reason::Reaches),
            Act::OddQuery(reads) => {
                if let Some(reason) = self.odd_query(&reads) {
                    stopped.add(&place(), reason);
                }
            }
        }
    }

    /// Judges what rules do, like statements that stand there.
    fn run(&mut self, rules: Vec<Rule>, place: &str, stopped: &mut Stopped) {
        for Rule { reason, acts } in rules {
            if let Some(reason) = reason {
                stopped.add(&format!("{place}, by a rule of the table's"), reason);
            }
            for act in acts {
                self.note(act, || format!("{place}, by a rule of the table's"), stopped);
            }
        }
    }

    /// Adds the materialized views that are stopped.
    pub fn judge(mut self, stopped: &mut Stopped) {
        for (place, reads) in std::mem::take(&mut self.queries) {
            if let Some(reason) = self.reaches(&reads) {
                stopped.add(&place, reason);
            }
        }
    }

    fn rows(&mut self, table: &Relation) -> Option<Reason> {
        self.spread();
        if self.is_foreign(table) {
            return Some(Reason::Reaches);
        }
        self.views_of(table).next().map(|_| Reason::Runs)
    }

    fn odd_query(&mut self, reads: &[Relation]) -> Option<Reason> {
        let reaches = self.reaches(reads);
        let is_view = || reads.iter().any(|read| self.views_of(read).next().is_some());
        reaches.or_else(|| is_view().then_some(Reason::Runs))
    }

    /// What has a foreign table below it is one for whoever reads or fills it.
    fn spread(&mut self) {
        while !self.is_spread && !self.foreign.is_empty() {
            let below = std::mem::take(&mut self.below);
            let (connected, left): (Vec<_>, _) = below.into_iter().partition(|(child, _)| self.is_foreign(child));
            self.below = left;
            self.is_spread = connected.is_empty();
            for (_, parent) in connected {
                self.foreign.entry(parent.name.clone()).or_default().push(parent);
            }
        }
    }

    fn is_foreign(&self, relation: &Relation) -> bool {
        self.foreign.get(&relation.name).is_some_and(|all| all.iter().any(|one| one.may_be(relation)))
    }

    fn views_of<'s>(&'s self, relation: &'s Relation) -> impl Iterator<Item = &'s (Relation, Vec<Relation>, bool)> {
        self.views.get(&relation.name).into_iter().flatten().filter(move |(view, ..)| view.may_be(relation))
    }

    /// Whether one of these relations, or one that they read, reaches beyond the database.
    fn reaches(&mut self, reads: &[Relation]) -> Option<Reason> {
        self.spread();
        let (mut open, mut seen): (Vec<&Relation>, HashSet<&Relation>) = (reads.iter().collect(), HashSet::new());
        while let Some(relation) = open.pop() {
            if self.is_foreign(relation) || is_of_the_server(&relation.name) {
                return Some(Reason::Reaches);
            }
            for (_, reads, reaches) in self.views_of(relation) {
                if *reaches {
                    return Some(Reason::Reaches);
                }
                open.extend(reads.iter().filter(|read| seen.insert(*read)));
            }
        }
        None
    }
}
