//! Adapts a dump on its way into a server: what the target can't take is left out or rewritten, and counted.
//!
//! The splitter tells statements from strings, names and comments; a change is only ever made to the one token or
//! statement that it is about, and everything else goes through byte for byte.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use super::early::{self, HeldBack};
use super::{events, own_name};
use crate::engine::mysql::collation;
use crate::engine::mysql::sql::bodies;
use crate::engine::mysql::sql::content::sets_gtid;
use crate::engine::mysql::sql::lexer::{Syntax, Token};
use crate::engine::mysql::sql::splitter::{Between, ScriptEnd, Splitter, Visitor};
use crate::engine::mysql::sql::statement::{self, Object, StatementInfo, Verb};
use crate::engine::{CollationMap, Filter};

/// What is adapted, and what is left out.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent switch")]
pub(crate) struct Adapt {
    /// Take `DEFINER=` away: objects then belong to the user who restores.
    pub(crate) definers: bool,
    /// Drop the sandbox line: the client that loads doesn't know it.
    pub(crate) sandbox: bool,
    /// Take `NO_AUTO_CREATE_USER` out of `SET sql_mode`: MySQL 8 and later refuse it.
    pub(crate) sql_mode: bool,
    /// Leave rows out.
    pub(crate) schema_only: bool,
    /// Leave everything but rows out.
    pub(crate) data_only: bool,
    /// Only these tables and views, if any are named.
    pub(crate) tables: BTreeSet<String>,
    /// Functions that come with them.
    pub(crate) functions: BTreeSet<String>,
    /// Collations that take another one's place.
    pub(crate) collations: Vec<CollationMap>,
    /// These tables without their rows.
    pub(crate) without_rows: BTreeSet<String>,
    /// These tables are there already, and stay as they are.
    pub(crate) complete: BTreeSet<String>,
    /// Of these their definitions come all the same: they lack their foreign keys.
    pub(crate) without_foreign_keys: BTreeSet<String>,
    /// Events come disabled.
    pub(crate) disable_events: bool,
    /// Rows come into tables that are there: values that a column does not take are refused, not cut to fit.
    pub(crate) strict: bool,
    /// The dump's own database, where MariaDB writes its name into what calls a sequence.
    pub(crate) own_name: Option<String>,
    /// Triggers and events that are held back until all rows are in, as `trigger t_log`.
    pub(crate) early: BTreeSet<String>,
    /// Statements that come before the dump's first.
    pub(crate) prologue: Vec<String>,
}

/// The filter in front of the loading client.
pub(crate) struct Rewriter {
    splitter: Splitter,
    writer: Writer,
}

impl Rewriter {
    pub(crate) fn new(adapt: Adapt) -> Self {
        Self { splitter: Splitter::without_rows(), writer: Writer { adapt, ..Writer::default() } }
    }
}

impl Filter for Rewriter {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        // Lent to the writer for the time of this call.
        std::mem::swap(&mut self.writer.out, out);
        self.writer.out.reserve(bytes.len());
        self.splitter.push(bytes, &mut self.writer);
        std::mem::swap(&mut self.writer.out, out);
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        std::mem::swap(&mut self.writer.out, out);
        let ending = self.splitter.finish(&mut self.writer);
        if ending == ScriptEnd::Clean {
            self.writer.release();
        }
        std::mem::swap(&mut self.writer.out, out);
    }

    fn adaptations(&self) -> Vec<(String, u64)> {
        let counts = &self.writer.counts;
        [
            ("DEFINER clauses removed", counts.definers),
            ("byte order marks dropped", counts.marks),
            ("sandbox lines dropped", counts.sandbox),
            ("GTID and binary log statements dropped", counts.gtid),
            ("replication statements dropped", counts.replication),
            ("NO_AUTO_CREATE_USER taken out of sql_mode", counts.sql_mode),
            ("CREATE DATABASE and USE statements dropped", counts.database),
            ("database names taken out of ALTER DATABASE", counts.alter_database),
            ("collations mapped", counts.collations),
            ("database names taken out of what calls a sequence", counts.own_names),
            ("events disabled", counts.events),
            ("semicolons taken from the ends of bodies, where no server reads them", counts.semicolons),
            ("triggers and events made behind the rows", counts.held_back),
            ("statements left out as asked", counts.left_out),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(what, count)| (what.to_owned(), count))
        .collect()
    }
}

#[derive(Default)]
struct Counts {
    definers: u64,
    marks: u64,
    sandbox: u64,
    gtid: u64,
    replication: u64,
    sql_mode: u64,
    database: u64,
    alter_database: u64,
    collations: u64,
    events: u64,
    own_names: u64,
    semicolons: u64,
    held_back: u64,
    left_out: u64,
}

#[derive(Default)]
struct Writer {
    adapt: Adapt,
    out: Vec<u8>,
    counts: Counts,
    /// The rest of the current statement is left out too.
    dropping: bool,
    held_back: HeldBack,
    /// The rest of the current statement is held back too.
    holding: bool,
}

impl Visitor for Writer {
    fn between(&mut self, what: Between, bytes: &[u8]) {
        if what == Between::Sandbox && self.adapt.sandbox {
            self.counts.sandbox += 1;
            return;
        }
        if what == Between::Mark {
            self.counts.marks += 1;
            return;
        }
        self.out.extend_from_slice(bytes);
    }

    fn head(&mut self, head: &[u8], syntax: &Syntax) {
        for statement in std::mem::take(&mut self.adapt.prologue) {
            self.out.extend([statement.as_bytes(), syntax.delimiter(), b"\n"].concat());
        }
        let subject = statement::subject(head, syntax);
        self.forget(&subject);
        self.dropping = self.drops(&subject, head, syntax);
        if self.dropping {
            return;
        }
        let head = &*self.map_collations(head, syntax);
        // What stands before the places that are used below may have become longer.
        let subject = if self.adapt.collations.is_empty() { subject } else { statement::subject(head, syntax) };
        let head = &*self.without_own_name(&subject, head, syntax);
        let subject = if self.adapt.own_name.is_none() { subject } else { statement::subject(head, syntax) };
        let head = &*self.disable_event(&subject, head, syntax);
        let head = &*self.without_spare_semicolons(&subject, head, syntax);
        let begin = self.out.len();
        self.adapted(&subject, head, syntax);
        self.hold(subject, begin, syntax);
    }

    fn more(&mut self, bytes: &[u8]) {
        if self.holding {
            self.held_back.more(bytes);
        } else if !self.dropping {
            self.out.extend_from_slice(bytes);
        }
    }

    fn rows(&mut self, _: u64, _: u64) {}

    fn end(&mut self, _: u64) {
        (self.dropping, self.holding) = (false, false);
    }
}

impl Writer {
    /// Writes a statement's head, with what is taken out of it.
    fn adapted(&mut self, subject: &StatementInfo, head: &[u8], syntax: &Syntax) {
        match (subject.verb, subject.object) {
            (Verb::Create | Verb::Alter, _) if self.adapt.definers && subject.definer.is_some() => {
                self.counts.definers += 1;
                self.without(head, subject.definer.clone().unwrap_or_default());
            }
            (Verb::Alter, Object::Database) if subject.name.as_deref().is_some_and(names_a_database) => {
                self.counts.alter_database += 1;
                self.without(head, subject.name_at.clone());
            }
            (Verb::Set, _) if self.adapt.sql_mode || self.adapt.strict => self.set(head, syntax),
            _ => self.out.extend_from_slice(head),
        }
    }

    /// Takes what was just written back, if its time has not come.
    fn hold(&mut self, subject: StatementInfo, begin: usize, syntax: &Syntax) {
        let early = early::key(&subject).filter(|key| subject.verb == Verb::Create && self.adapt.early.contains(key));
        self.holding = early.is_some();
        if let Some(key) = early {
            let text = self.out.split_off(begin);
            self.held_back.hold(key, subject.on, text, syntax, &mut self.out);
        }
    }

    /// Of what is dropped again nothing is held back.
    fn forget(&mut self, subject: &StatementInfo) {
        match (subject.verb, &subject.name) {
            (Verb::Drop, Some(table)) if subject.object == Object::Table => self.held_back.forget_table(table),
            (Verb::Drop, _) => early::key(subject).iter().for_each(|key| self.held_back.forget(key)),
            _ => {}
        }
    }

    fn release(&mut self) {
        self.counts.held_back = self.held_back.release(&mut self.out);
    }

    fn without_own_name<'h>(&mut self, subject: &StatementInfo, head: &'h [u8], syntax: &Syntax) -> Cow<'h, [u8]> {
        let Some(name) = &self.adapt.own_name else { return Cow::Borrowed(head) };
        let changed = own_name::without(head, syntax, subject, name);
        self.counts.own_names += u64::from(matches!(changed, Cow::Owned(_)));
        changed
    }

    fn disable_event<'h>(&mut self, subject: &StatementInfo, head: &'h [u8], syntax: &Syntax) -> Cow<'h, [u8]> {
        if !self.adapt.disable_events || (subject.verb, subject.object) != (Verb::Create, Object::Event) {
            return Cow::Borrowed(head);
        }
        let disabled = events::disabled(subject, head, syntax);
        self.counts.events += u64::from(matches!(disabled, Cow::Owned(_)));
        disabled
    }

    fn without_spare_semicolons<'h>(
        &mut self,
        subject: &StatementInfo,
        head: &'h [u8],
        syntax: &Syntax,
    ) -> Cow<'h, [u8]> {
        let has_body = subject.verb == Verb::Create && matches!(subject.object, Object::Trigger | Object::Event);
        if !has_body {
            return Cow::Borrowed(head);
        }
        let Some(spare) = bodies::spare_semicolons(head, syntax) else { return Cow::Borrowed(head) };
        self.counts.semicolons += 1;
        Cow::Owned([&head[..spare.start], &head[spare.end..]].concat())
    }
}

/// A statement that sets the SQL mode as well says what a backslash is from here on: it can't be left out.
fn only_gtid(head: &[u8], syntax: &Syntax) -> bool {
    sets_gtid(&statement::pieces(head, syntax).take(16).collect::<Vec<_>>())
        && statement::sql_mode(head, syntax).is_none()
}

/// `ALTER DATABASE CHARACTER SET utf8mb4` names none.
fn names_a_database(word: &str) -> bool {
    !["character", "charset", "collate", "default"].iter().any(|w| word.eq_ignore_ascii_case(w))
}

impl Writer {
    /// Whether a statement is left out, and counts why.
    fn drops(&mut self, subject: &StatementInfo, head: &[u8], syntax: &Syntax) -> bool {
        let counter = if subject.verb == Verb::Use
            || (subject.object == Object::Database && matches!(subject.verb, Verb::Create | Verb::Drop))
        {
            &mut self.counts.database
        } else if subject.verb == Verb::Set && only_gtid(head, syntax) {
            &mut self.counts.gtid
        } else if subject.verb == Verb::Replication {
            &mut self.counts.replication
        } else if !self.adapt.wants(subject) {
            &mut self.counts.left_out
        } else {
            return false;
        };
        *counter += 1;
        true
    }

    /// The user's collations in the place of those that the statement names.
    fn map_collations<'h>(&mut self, head: &'h [u8], syntax: &Syntax) -> Cow<'h, [u8]> {
        if self.adapt.collations.is_empty() {
            return Cow::Borrowed(head);
        }
        let (mut mapped, mut done, mut count) = (Vec::new(), 0, 0);
        for name in statement::collations(head, syntax) {
            let wanted = name.unquoted().and_then(|from| collation::mapped(&self.adapt.collations, &from));
            if let Some(to) = wanted {
                // Quotes stay: `COLLATE'x'` needs no space.
                let quote = usize::from(matches!(name.token, Token::Quoted(_)));
                mapped.extend_from_slice(&head[done..name.at + quote]);
                mapped.extend_from_slice(to.as_bytes());
                done = name.end() - quote;
                count += 1;
            }
        }
        mapped.extend_from_slice(&head[done..]);
        // A name may hold the delimiter, where that is a letter.
        let ends = |text: &[u8]| memchr::memmem::find_iter(text, syntax.delimiter()).count();
        if ends(&mapped) > ends(head) {
            return Cow::Borrowed(head);
        }
        self.counts.collations += count;
        Cow::Owned(mapped)
    }

    /// All but a stretch of the head, and one of the two spaces around it.
    fn without(&mut self, head: &[u8], range: Range<usize>) {
        let (before, after) = (&head[..range.start], &head[range.end..]);
        self.out.extend_from_slice(before);
        let [spaced, followed] = [before.last(), after.first()].map(|byte| byte.is_none_or(u8::is_ascii_whitespace));
        if !spaced && !followed {
            self.out.push(b' ');
        }
        self.out.extend_from_slice(if spaced { after.strip_prefix(b" ").unwrap_or(after) } else { after });
    }

    fn set(&mut self, head: &[u8], syntax: &Syntax) {
        const MODE: &[u8] = b"NO_AUTO_CREATE_USER";
        // Dates that a source may hold are no reason.
        const STRICT: &[u8] = b"STRICT_ALL_TABLES,ALLOW_INVALID_DATES";
        let value = statement::sql_mode(head, syntax).filter(|value| {
            matches!(syntax.next(&head[value.clone()], true), Some((Token::Quoted(_), _)))
                && (self.adapt.strict || contains_mode(&head[value.start + 1..value.end - 1], MODE))
        });
        let Some(value) = value else { return self.out.extend_from_slice(head) };
        self.counts.sql_mode +=
            u64::from(self.adapt.sql_mode && contains_mode(&head[value.start + 1..value.end - 1], MODE));
        self.out.extend_from_slice(&head[..=value.start]);
        let modes = head[value.start + 1..value.end - 1].split(|&b| b == b',');
        let stays =
            |mode: &&[u8]| !(mode.is_empty() || self.adapt.sql_mode && mode.trim_ascii().eq_ignore_ascii_case(MODE));
        let strict = self.adapt.strict.then_some(STRICT);
        let kept: Vec<_> = modes.filter(stays).chain(strict).collect();
        self.out.extend_from_slice(&kept.join(&b","[..]));
        self.out.extend_from_slice(&head[value.end - 1..]);
    }
}

fn contains_mode(list: &[u8], mode: &[u8]) -> bool {
    list.split(|&b| b == b',').any(|one| one.trim_ascii().eq_ignore_ascii_case(mode))
}

impl Adapt {
    /// Whether a statement belongs to what was asked for. Settings always do.
    fn wants(&self, subject: &StatementInfo) -> bool {
        let changes = matches!(subject.verb, Verb::Create | Verb::Drop | Verb::Alter);
        // `ALTER TABLE t DISABLE KEYS` goes with the rows.
        let structure = changes && (subject.verb, subject.object) != (Verb::Alter, Object::Table);
        let rows = subject.verb == Verb::Insert;
        let unwanted = subject.name.as_ref().is_some_and(|name| self.without_rows.contains(name));
        if rows && (self.schema_only || unwanted) || self.data_only && structure {
            return false;
        }
        if self.is_complete(subject) {
            return false;
        }
        if self.tables.is_empty() || !(changes || rows || subject.verb == Verb::Lock) {
            return true;
        }
        let table = match subject.object {
            Object::Table | Object::View | Object::Sequence => &subject.name,
            Object::Trigger => &subject.on,
            Object::Function => return subject.name.as_ref().is_some_and(|name| self.functions.contains(name)),
            Object::Routine | Object::Event | Object::Database | Object::Other => return false,
        };
        table.as_ref().is_some_and(|name| self.tables.contains(name))
    }

    /// Whether a statement is about a table that needs it no more. Triggers come again: those that were there are gone.
    fn is_complete(&self, subject: &StatementInfo) -> bool {
        if (subject.verb, subject.object) == (Verb::Drop, Object::Trigger) {
            return !self.complete.is_empty();
        }
        let of = |tables: &BTreeSet<String>| subject.name.as_ref().is_some_and(|name| tables.contains(name));
        let defines = subject.verb == Verb::Create && of(&self.without_foreign_keys);
        subject.object == Object::Table && of(&self.complete) && !defines
    }
}

#[cfg(test)]
pub(crate) mod model;
#[cfg(test)]
mod properties;
#[cfg(test)]
pub(crate) mod scripts;

#[cfg(test)]
mod tests;
