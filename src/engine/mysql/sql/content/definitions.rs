//! What `CREATE` and `ALTER` say of tables, views, triggers, routines and events.

use super::super::lexer::Syntax;
use super::super::statement::{self, Object, SpannedToken, StatementInfo};
use super::super::{definition, structure};
use super::created::Created;
use super::{Seen, fact};
use crate::engine::mysql::dump::dependencies::{self, Need};
use crate::engine::mysql::features;
use crate::engine::mysql::restore::{events, own_name, wide_tables};
use crate::engine::{Feature, Structure};

impl Seen {
    /// A table's definition: its columns are looked at for what another server may not take.
    pub(super) fn table(&mut self, subject: &StatementInfo, head: &[u8], syntax: &Syntax) {
        let Some(name) = subject.name.clone() else { return };
        let index = self.index(name.clone());
        self.tables[index].rows.get_or_insert(0);
        self.tables[index].checksum.get_or_insert(0);
        self.tables[index].structure = Some(structure::read(head, syntax).unwrap_or_default());
        let definition = Created::read(head, syntax);
        self.counts |= definition::has_counter(head, syntax);
        self.needs("table", Some(&name), head, syntax);
        self.define(subject, head, syntax);
        self.tables[index].added_column = definition.added_key.then(|| definition::ADDED_KEY.to_owned());
        self.row_columns.define(&name, head, syntax);
        for column in features::timestamps(head, syntax) {
            self.note(fact::TIMESTAMPS, Some(format!("{name}.{column}")));
        }
        self.zeros_default(&name, head, syntax);
        for tablespace in features::tablespaces(head, syntax) {
            self.note(fact::TABLESPACES, Some(format!("{name}\t{tablespace}")));
        }
        let fits = |trial: &String| self.trial_bytes + trial.len() <= wide_tables::MAX_TRIAL_BYTES;
        if let Some(trial) = wide_tables::temporary_table(&name, head, syntax).filter(fits) {
            self.trial_bytes += trial.len();
            self.note(fact::TRIALS, Some(format!("{name}\t{trial}")));
        }
        if let Some(size) = features::block_size(head, syntax) {
            self.note(fact::BLOCK_SIZES, Some(format!("{name}\t{size}")));
        }
        let compressed = features::is_compressed(head, syntax);
        self.note(fact::COMPRESSED, compressed.then(|| name.clone()));
        self.note(fact::FOREIGN_KEYS, (!definition.references.is_empty()).then(|| name.clone()));
        self.collations(head, syntax);
        self.keys.see(&name, head, syntax);
        self.features.extend(features::of(subject, head, syntax));
        for check in features::check_names(head, syntax) {
            self.check(&name, &check);
        }
        for column in definition.generated {
            self.note(fact::GENERATED, Some(format!("{name}.{column}")));
        }
        self.floats.extend(definition.floats.iter().map(|column| format!("{name}.{column}")));
        for other in definition.references.into_iter().filter(|other| *other != name) {
            self.note(fact::REFERENCES, Some(format!("{name}.{other}")));
        }
        let condition = |piece: SpannedToken<'_>| piece.is("exists") && piece.at < subject.name_at.start;
        if !self.order.drops(&name) && statement::pieces(head, syntax).take(6).any(condition) {
            self.note(fact::KEPT_TABLES, Some(name.clone()));
        }
        if !definition.primary_key {
            self.note(fact::COUNTED_WITHOUT_PRIMARY_KEY, Some(name.clone()).filter(|_| definition.counts));
            self.note(fact::NO_PRIMARY_KEY, Some(name));
        }
    }

    /// Several statements may define a view: it stands in for itself before its time.
    fn define(&mut self, subject: &StatementInfo, head: &[u8], syntax: &Syntax) {
        if let Some(name) = definition::name(subject) {
            let hash = definition::hash(head, syntax, subject, self.database.as_deref());
            let sum = &mut self.definitions.entry(name).or_default().text;
            *sum = if subject.object == Object::View { sum.wrapping_add(hash) } else { hash };
        }
    }

    /// Where the mode is left to the server, a strict one refuses dates of zeros.
    fn zeros_default(&mut self, table: &str, head: &[u8], syntax: &Syntax) {
        if !self.sets_mode {
            let columns = features::zero_dates(head, syntax);
            self.named.extend(columns.into_iter().map(|column| (fact::ZERO_DEFAULTS, format!("{table}.{column}"))));
        }
    }

    /// What else a definition names. A table's columns and keys only look like what views call.
    fn needs(&mut self, kind: &str, by: Option<&str>, head: &[u8], syntax: &Syntax) {
        let Some(by) = by else { return };
        for named in dependencies::named(head, syntax, self.database.as_deref()) {
            if kind == "view" || named.0 == "sequence" {
                self.note(fact::NEEDS, Some(Need::encode(kind, by, &named)));
            }
        }
    }

    /// A definition that is not all that makes a table tells little of it.
    pub(super) fn alter(&mut self, name: Option<&String>) {
        let index = name.and_then(|name| self.by_name.get(name));
        if let Some(structure) = index.and_then(|at| self.tables[*at].structure.as_mut()) {
            *structure = Structure::default();
        }
    }

    pub(super) fn create(&mut self, subject: &StatementInfo, head: &[u8], syntax: &Syntax) {
        let list = match subject.object {
            Object::View => fact::VIEWS,
            Object::Trigger => fact::TRIGGERS,
            Object::Routine | Object::Function => fact::ROUTINES,
            Object::Event => fact::EVENTS,
            Object::Sequence => fact::SEQUENCES,
            Object::Database => fact::DATABASES,
            Object::Table | Object::Other => return,
        };
        self.note(list, subject.name.clone());
        let schedule = events::schedule(subject, head, syntax).filter(|_| subject.object == Object::Event);
        let passes = schedule.as_ref().is_some_and(|schedule| schedule.once || schedule.ends);
        if passes {
            self.note(fact::ENDING_EVENTS, subject.name.clone());
        } else {
            self.define(subject, head, syntax);
        }
        if subject.object == Object::View {
            self.needs("view", subject.name.as_deref(), head, syntax);
        }
        if let Some(database) = &self.database {
            self.note(fact::OWN_NAMES, own_name::named(head, syntax, database).own_line(subject));
        }
        if subject.object == Object::Function {
            self.note(fact::FUNCTIONS, subject.name.clone());
        }
        if let Some(schedule) = schedule {
            self.note(fact::ENABLED_EVENTS, subject.name.clone().filter(|_| schedule.enabled));
            self.note(fact::ONE_TIME_EVENTS, subject.name.clone().filter(|_| schedule.once));
        }
        self.definers += u64::from(subject.definer.is_some());
        let definer = subject.definer.as_ref().and_then(|at| std::str::from_utf8(&head[at.clone()]).ok());
        let account = definer.and_then(|text| text.split_once('=')).map(|(_, account)| account.trim().to_owned());
        self.note(fact::DEFINER_NAMES, account);
        self.collations(head, syntax);
        self.features.extend(features::of(subject, head, syntax));
    }

    /// Names are the same in any letter case.
    fn check(&mut self, table: &str, name: &str) {
        let first = self.checks.entry(name.to_lowercase()).or_insert_with(|| table.to_owned());
        if *first != table {
            self.features.insert(Feature {
                name: features::CHECK_NAME.to_owned(),
                kind: "constraint".to_owned(),
                object: format!("{name} of {first} and {table}"),
            });
        }
    }
}
