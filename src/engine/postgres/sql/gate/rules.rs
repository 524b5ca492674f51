//! Rules: what they do at each `INSERT` or `DELETE` of a table that has one. `pg_dump` writes them behind the rows, where
//! none of them runs while a dump is restored. Where rows follow a rule, its actions are judged like statements.

use std::collections::HashSet;

use super::super::commands::is;
use super::super::lexer::Token;
use super::functions::calls_reaching;
use super::{Act, Judged, Reason, Relation, Statement, statements};

/// What a rule waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// `ON INSERT`.
    Insert,
    /// `ON DELETE`.
    Delete,
}

/// The event of a statement that begins so.
pub(super) fn fired(first: &Token<'_>) -> Option<Event> {
    match () {
        () if is(first, "insert") => Some(Event::Insert),
        () if is(first, "delete") => Some(Event::Delete),
        () => None,
    }
}

/// What a rule does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Why its first action that is no statement of a dump's is stopped.
    pub reason: Option<Reason>,
    /// What its actions do with relations.
    pub acts: Vec<Act>,
}

/// `name AS ON INSERT TO t WHERE condition DO ALSO (action; action)`; none for other events.
pub(super) fn read(tokens: &[Token<'_>]) -> Option<Act> {
    let on = tokens.iter().position(|token| is(token, "on"))?;
    let event = fired(tokens.get(on + 1)?)?;
    let (table, rest) = Relation::read(tokens.get(on + 3..)?)?;
    let mut depth = 0_u32;
    let does = rest.iter().position(|token| {
        match token {
            Token::Symbol(b'(') => depth += 1,
            Token::Symbol(b')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && is(token, "do")
    })?;
    let (condition, actions) = (&rest[..does], &rest[does + 1..]);
    let mut rule = judged(actions);
    if calls_reaching(condition) {
        rule.reason = Some(Reason::Reaches);
    }
    Some(Act::Rule(table, event, rule))
}

fn judged(mut actions: &[Token<'_>]) -> Rule {
    if let [also, rest @ ..] = actions
        && (is(also, "also") || is(also, "instead"))
    {
        actions = rest;
    }
    if let [Token::Symbol(b'('), inner @ .., Token::Symbol(b')')] = actions {
        actions = inner;
    }
    let mut rule = Rule::default();
    for action in statements(actions).into_iter().filter(|action| !matches!(action, [word] if is(word, "nothing"))) {
        let Judged { reason, acts } = Statement::new(action).judged();
        rule.reason = rule.reason.or(reason);
        rule.acts.extend(acts);
    }
    rule
}

/// The rules that a dump has made so far.
#[derive(Debug, Default)]
pub(super) struct Rules {
    all: Vec<(Relation, Event, Rule)>,
    /// Whose rules are already judged.
    fired: HashSet<(Relation, Event)>,
}

impl Rules {
    pub(super) fn add(&mut self, table: Relation, event: Event, rule: Rule) {
        self.all.push((table, event, rule));
    }

    /// What they lead to is judged again: there is more than before.
    pub(super) fn forget(&mut self) {
        self.fired.clear();
    }

    /// The rules that run, the first time that they do.
    pub(super) fn fired(&mut self, table: &Relation, event: Event) -> Vec<Rule> {
        if self.all.is_empty() || !self.fired.insert((table.clone(), event)) {
            return Vec::new();
        }
        let runs = |(of, on, _): &&(Relation, Event, Rule)| *on == event && of.may_be(table);
        self.all.iter().filter(runs).map(|(_, _, rule)| rule.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Relations, Stopped, judge_all};
    use super::*;

    /// How many statements of a script are stopped.
    fn stopped(script: &[&str]) -> usize {
        let (mut relations, mut stopped) = (Relations::default(), Stopped::default());
        for sql in script {
            let Judged { reason, acts } = judge_all(sql);
            assert_eq!(reason, None, "{sql}");
            for act in acts {
                relations.note(act, || (*sql).to_owned(), &mut stopped);
            }
        }
        stopped.shown.len()
    }

    const ROW: &str = "INSERT INTO public.t VALUES (1)";

    #[test]
    fn rules_before_rows_are_judged_like_statements() {
        for (rule, count) in [
            ("CREATE RULE r AS ON INSERT TO public.t DO ALSO INSERT INTO u VALUES (new.a, now())", 0),
            ("CREATE RULE r AS ON INSERT TO public.t DO INSTEAD NOTHING", 0),
            ("CREATE RULE r AS ON UPDATE TO public.t DO ALSO SELECT f()", 0),
            ("CREATE RULE r AS ON INSERT TO public.u DO ALSO SELECT f()", 0),
            ("CREATE RULE r AS ON INSERT TO public.t DO ALSO SELECT f()", 1),
            ("CREATE RULE r AS ON INSERT TO t WHERE (lo_export(1, 'x') = 1) DO INSTEAD NOTHING", 1),
            ("CREATE RULE r AS ON INSERT TO t DO (INSERT INTO u VALUES (1); NOTIFY x)", 1),
            ("CREATE OR REPLACE RULE r AS ON INSERT TO t DO ALSO UPDATE u SET a = 1", 1),
        ] {
            assert_eq!(stopped(&[rule, ROW, ROW]), count, "{rule}");
        }
    }

    #[test]
    fn rules_that_run_nothing_here_are_let_through() {
        let rule = "CREATE RULE r AS ON INSERT TO public.t DO ALSO SELECT f()";
        assert_eq!(stopped(&[ROW, rule]), 0, "pg_dump writes rules behind the rows");
        assert_eq!(stopped(&[rule, "COPY public.t (a) FROM stdin"]), 0, "COPY runs no rules");
    }

    #[test]
    fn what_a_rule_leads_to_is_judged_too() {
        let first = "CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO u VALUES (1)";
        let second = "CREATE RULE r AS ON INSERT TO u DO ALSO SELECT f()";
        assert_eq!(stopped(&[first, second, ROW]), 1);
        assert_eq!(stopped(&[first, ROW, second, ROW]), 1, "also what is made later");
        let back = "CREATE RULE r AS ON INSERT TO u DO ALSO INSERT INTO t VALUES (1)";
        assert_eq!(stopped(&[first, back, ROW]), 0, "it ends");
        assert_eq!(stopped(&[first, "CREATE FOREIGN TABLE u (a int) SERVER s", ROW]), 1);
    }
}
