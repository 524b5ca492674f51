//! Which entries of a dump `--table`, `--schema` and `--exclude-table-data` of a restore mean.
//!
//! What belongs to a table comes along with it: its rows, indexes, constraints, triggers, rules, policies, defaults,
//! statistics, comments, grants, the sequences that it owns, its partitions. Such an entry is chosen when everything
//! among tables and their belongings that it needs is chosen too: so a foreign key to a table that is left out is left
//! out itself, and said so. One rule for the custom and the directory format, whose table of contents says what each
//! entry needs, and for SQL, whose sections are read for it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::engine::{Content, Dependency, DumpedTable, Entry, RestoreOptions, suggest};
use crate::error::{Error, Kind, Result};
use crate::hint::{self, Hint};

/// What has rows or stands where rows do.
const RELATIONS: [&str; 5] = ["TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE", "SEQUENCE"];
/// What belongs to a relation.
const BELONGINGS: [&str; 18] = [
    "TABLE DATA",
    "MATERIALIZED VIEW DATA",
    "TABLE ATTACH",
    "SEQUENCE",
    "SEQUENCE SET",
    "SEQUENCE OWNED BY",
    "DEFAULT",
    "INDEX",
    "INDEX ATTACH",
    "CONSTRAINT",
    "CHECK CONSTRAINT",
    "FK CONSTRAINT",
    "TRIGGER",
    "RULE",
    "POLICY",
    "ROW SECURITY",
    "STATISTICS",
    "STATISTICS DATA",
];
/// What belongs to whatever it needs, tables or not.
const REMARKS: [&str; 5] = ["COMMENT", "ACL", "SECURITY LABEL", "PUBLICATION TABLE", "PUBLICATION TABLES IN SCHEMA"];

/// The chosen part of a dump.
#[derive(Debug, Default)]
pub struct ChosenEntries {
    /// The numbers of the chosen entries.
    pub chosen: BTreeSet<i64>,
    /// What was left out although it belongs to something chosen, and what is needed and not brought, in sentences.
    pub notes: Vec<String>,
    /// What is needed and not brought.
    pub needs: Vec<Dependency>,
}

/// The tables among the chosen entries, or all of them: those whose rows are not chosen come empty.
pub fn tables(content: &Content, chosen: Option<&BTreeSet<i64>>) -> Vec<DumpedTable> {
    let Some(chosen) = chosen else { return content.tables.clone() };
    let entries = content.entries.iter().filter(|e| chosen.contains(&e.id));
    let come: BTreeSet<_> = entries.map(|e| (e.kind.as_str(), e.schema.as_deref(), e.tag.as_str())).collect();
    let comes = |kind, table: &DumpedTable| come.contains(&(kind, table.schema.as_deref(), table.name.as_str()));
    let tables = content.tables.iter().filter(|table| comes("TABLE", table) || comes("TABLE DATA", table));
    let with_rows = |table: &DumpedTable| if comes("TABLE DATA", table) { table.rows } else { Some(0) };
    tables.map(|table| DumpedTable { rows: with_rows(table), ..table.clone() }).collect()
}

/// Of a custom archive: its table of contents, and the blocks of rows that are wanted. `pg_restore` looks for each block
/// from where it stands, and takes no notice of those that don't come.
pub fn blocks(content: &Content, chosen: &BTreeSet<i64>, options: &RestoreOptions) -> Vec<Range<u64>> {
    let spans = || content.entries.iter().filter_map(|e| Some((e.id, e.span.clone()?)));
    let contents = 0..spans().map(|(_, span)| span.start).min().unwrap_or(u64::MAX);
    let mut rows: Vec<_> = spans().filter(|(id, _)| chosen.contains(id)).map(|(_, span)| span).collect();
    rows.retain(|_| !options.schema_only);
    rows.sort_by_key(|span| span.start);
    std::iter::once(contents).chain(rows).collect()
}

/// Of a script: everything but the sections that are not wanted, up to the last that is.
pub fn sections(entries: &[Entry], chosen: &BTreeSet<i64>) -> Vec<Range<u64>> {
    let mut parts: Vec<Range<u64>> = Vec::new();
    let (mut from, mut end) = (0, 0);
    for (entry, span) in entries.iter().filter_map(|e| Some((e, e.span.clone()?))) {
        if chosen.contains(&entry.id) {
            end = span.end;
        } else {
            parts.push(from..span.start);
            from = span.end;
        }
    }
    parts.push(from..end);
    // The first stretch is the script's head, even when nothing is wanted behind it.
    let head = parts[0].clone();
    parts.retain(|part| part.start < part.end.min(end));
    if parts.is_empty() { vec![head] } else { parts.iter().map(|p| p.start..p.end.min(end)).collect() }
}

/// These stretches of a dump, or all of it, without some others.
pub fn without(parts: Option<Vec<Range<u64>>>, left_out: &[Range<u64>]) -> Vec<Range<u64>> {
    let parts = parts.unwrap_or_else(|| std::iter::once(0..u64::MAX).collect());
    left_out.iter().fold(parts, |parts, gap| {
        let around = |part: Range<u64>| [part.start..part.end.min(gap.start), part.start.max(gap.end)..part.end];
        parts.into_iter().flat_map(around).filter(|part| part.start < part.end).collect()
    })
}

/// Chooses. A name that matches nothing is `Kind::Usage`.
pub fn select(entries: &[Entry], options: &RestoreOptions) -> Result<ChosenEntries> {
    let all = Entries { list: entries, by_id: entries.iter().map(|e| (e.id, e)).collect() };
    all.check(options)?;
    let (chosen, split) = all.choose(options);
    let without_rows = all.without_rows(options);
    let mut selection = ChosenEntries { chosen, ..ChosenEntries::default() };
    let pointing = all.pointing(&selection.chosen, &without_rows);
    let remarks = all.remarks(&pointing);
    selection.chosen.retain(|id| ![&without_rows, &pointing, &remarks].iter().any(|left| left.contains(id)));
    let named = |ids: &BTreeSet<i64>| join_truncated(ids.iter().filter_map(|id| all.by_id.get(id)).map(|e| name(e)));
    let mut note = |ids: &BTreeSet<i64>, what: &str| {
        selection.notes.extend((!ids.is_empty()).then(|| format!("{what}: {}", named(ids))));
    };
    note(&split, "left out, since they need what is not chosen");
    note(&pointing, "left out, since they point at rows that are left out");
    let needs = all.dependencies(&selection.chosen);
    let needed = join_truncated(needs.iter().map(ToString::to_string));
    selection.notes.extend((!needs.is_empty()).then(|| format!("needed, and in the target already: {needed}")));
    Ok(ChosenEntries { needs, ..selection })
}

struct Entries<'a> {
    list: &'a [Entry],
    by_id: BTreeMap<i64, &'a Entry>,
}

impl<'a> Entries<'a> {
    /// Every name must match something.
    fn check(&self, options: &RestoreOptions) -> Result<()> {
        let relations = || self.list.iter().filter(|e| is_relation(e));
        for (flag, names) in [("--table", &options.tables), ("--exclude-table-data", &options.exclude_table_data)] {
            for wanted in names {
                if !relations().any(|e| is_named(e, wanted)) {
                    return Err(no_match(flag, "table", wanted, relations().map(qualified)));
                }
            }
        }
        let schemas = || self.list.iter().filter_map(schema_of).map(str::to_owned);
        for wanted in &options.schemas {
            if !schemas().any(|schema| schema == *wanted) {
                return Err(no_match("--schema", "schema", wanted, schemas()));
            }
        }
        for wanted in options.tables.iter().filter(|_| !options.schemas.is_empty()) {
            if !relations().any(|e| is_named(e, wanted) && in_schemas(e, options)) {
                return Err(Error::new(Kind::Usage, format!("--table {wanted}: not in the schemas of --schema")).hint(
                    Hint::new("schema-with-table", "--schema with --table says where the tables are looked for"),
                ));
            }
        }
        Ok(())
    }

    /// What is chosen, and what belongs to it and yet is not.
    fn choose(&self, options: &RestoreOptions) -> (BTreeSet<i64>, BTreeSet<i64>) {
        let by_table = !options.tables.is_empty();
        let everything = !by_table && options.schemas.is_empty();
        let seed = |e: &&Entry| match (everything, by_table) {
            (true, _) => true,
            (_, true) => is_relation(e) && options.tables.iter().any(|t| is_named(e, t)) && in_schemas(e, options),
            (_, false) => in_schemas(e, options) && self.anchors(e).is_empty(),
        };
        let mut chosen: BTreeSet<i64> = self.list.iter().filter(seed).map(|e| e.id).collect();
        loop {
            let before = chosen.len();
            for entry in self.list {
                let anchors = self.anchors(entry);
                if by_table && entry.kind == "TABLE ATTACH" {
                    chosen.extend(Self::partition(entry, &anchors, &chosen));
                }
                if !anchors.is_empty() && anchors.iter().all(|a| chosen.contains(&a.id)) {
                    chosen.insert(entry.id);
                }
            }
            if options.with_dependencies {
                chosen.extend(self.needed(&chosen).into_iter().map(|(_, needed)| needed.id));
                chosen.extend(self.named_by_belongings(&chosen));
            }
            if chosen.len() == before {
                break;
            }
        }
        // A sequence that was chosen without its table belongs to nobody.
        for entry in self.list.iter().filter(|e| e.kind == "SEQUENCE OWNED BY") {
            let owners = self.anchors(entry).into_iter().flat_map(|sequence| self.anchors(sequence));
            if owners.into_iter().any(|table| !chosen.contains(&table.id)) {
                chosen.remove(&entry.id);
            }
        }
        let split = |e: &&Entry| {
            !chosen.contains(&e.id)
                && !["INDEX ATTACH", "SEQUENCE OWNED BY"].contains(&e.kind.as_str())
                && self.anchors(e).iter().any(|a| chosen.contains(&a.id) && owns(a, e))
        };
        let split = self.list.iter().filter(split).map(|e| e.id).collect();
        (chosen, split)
    }

    /// The tables and belongings that an entry belongs to: it comes when all of them do.
    fn anchors(&self, entry: &Entry) -> Vec<&'a Entry> {
        let needs = || entry.needs.iter().filter_map(|id| self.by_id.get(id).copied());
        let kind = entry.kind.as_str();
        if REMARKS.contains(&kind) {
            needs().collect()
        } else if ["INDEX", "CONSTRAINT"].contains(&kind) {
            // A partition's also names that of the table above, and can do without.
            needs().filter(|e| is_relation(e)).collect()
        } else if kind == "DEFAULT" {
            // Its sequence may be another table's.
            needs().filter(|e| is_relation(e) && owns(e, entry)).collect()
        } else if BELONGINGS.contains(&kind) {
            needs().filter(|e| is_relation(e) || BELONGINGS.contains(&e.kind.as_str())).collect()
        } else {
            Vec::new()
        }
    }

    /// The partition that this entry attaches to a chosen table.
    fn partition(attach: &Entry, anchors: &[&Entry], chosen: &BTreeSet<i64>) -> Option<i64> {
        let (children, parents): (Vec<&&Entry>, Vec<&&Entry>) = anchors.iter().partition(|a| same_name(a, attach));
        let wanted = parents.iter().any(|parent| chosen.contains(&parent.id));
        children.first().filter(|_| wanted).map(|child| child.id)
    }

    /// The rows of the tables that are to be empty, partitions' too.
    fn without_rows(&self, options: &RestoreOptions) -> BTreeSet<i64> {
        let named = |e: &&Entry| is_relation(e) && options.exclude_table_data.iter().any(|t| is_named(e, t));
        let mut tables: BTreeSet<i64> = self.list.iter().filter(named).map(|e| e.id).collect();
        // A partition's partitions are attached before it is.
        for attach in self.list.iter().filter(|e| e.kind == "TABLE ATTACH").rev() {
            tables.extend(Self::partition(attach, &self.anchors(attach), &tables));
        }
        for attach in self.list.iter().filter(|e| e.kind == "TABLE ATTACH") {
            tables.extend(Self::partition(attach, &self.anchors(attach), &tables));
        }
        let rows = |e: &&Entry| e.kind.ends_with(" DATA") && self.anchors(e).iter().any(|a| tables.contains(&a.id));
        self.list.iter().filter(rows).map(|e| e.id).collect()
    }

    /// Foreign keys of tables with rows to tables whose rows are left out: the server would refuse them.
    fn pointing(&self, chosen: &BTreeSet<i64>, without_rows: &BTreeSet<i64>) -> BTreeSet<i64> {
        let emptied = |table: &Entry| without_rows.iter().any(|id| self.by_id[id].needs.contains(&table.id));
        let points = |e: &&Entry| {
            let tables = || self.anchors(e).into_iter().filter(|a| is_relation(a));
            e.kind == "FK CONSTRAINT"
                && chosen.contains(&e.id)
                && tables().any(|table| emptied(table) && !owns(table, e))
                && !tables().any(|table| emptied(table) && owns(table, e))
        };
        self.list.iter().filter(points).map(|e| e.id).collect()
    }

    /// Comments and the like on some entries.
    fn remarks(&self, on: &BTreeSet<i64>) -> BTreeSet<i64> {
        let remark = |e: &&Entry| REMARKS.contains(&e.kind.as_str()) && e.needs.iter().any(|id| on.contains(id));
        self.list.iter().filter(remark).map(|e| e.id).collect()
    }

    /// What the chosen entries need and is not chosen: types, functions, parents, schemas.
    fn needed(&self, chosen: &BTreeSet<i64>) -> Vec<(&'a Entry, &'a Entry)> {
        let attached = self.attached();
        let entry = |id: &i64| self.by_id.get(id).copied();
        let each = chosen.iter().filter_map(entry);
        let needs = each.clone().flat_map(|e| e.needs.iter().filter_map(entry).map(move |needed| (e, needed)));
        let schemas = self.list.iter().filter(|e| e.kind == "SCHEMA" && e.tag != "public");
        let schemas: BTreeMap<&str, &Entry> = schemas.map(|e| (e.tag.as_str(), e)).collect();
        let in_schemas = each.filter_map(|e| Some((e, *schemas.get(e.schema.as_deref()?)?)));
        let can_do_without = |(by, needed): &(&Entry, &Entry)| {
            let pair = [by.kind.as_str(), needed.kind.as_str()];
            needed.kind.ends_with(" DATA")
                // A sequence stays when the table that owns it does not come; a partition is a table of its own.
                || pair == ["SEQUENCE", "TABLE"]
                || attached.contains(&(by.id, needed.id))
                // A partition's index also names that of the table above.
                || pair.iter().all(|kind| ["INDEX", "CONSTRAINT"].contains(kind))
        };
        needs.chain(in_schemas).filter(|both| !chosen.contains(&both.1.id) && !can_do_without(both)).collect()
    }

    /// Partitions that are attached by an entry of their own, and the tables above.
    fn attached(&self) -> BTreeSet<(i64, i64)> {
        let attach = self.list.iter().filter(|e| e.kind == "TABLE ATTACH");
        attach
            .flat_map(|e| {
                let (children, parents): (Vec<_>, Vec<_>) = self.anchors(e).into_iter().partition(|a| same_name(a, e));
                let pairs =
                    children.into_iter().flat_map(move |c| parents.clone().into_iter().map(move |p| (c.id, p.id)));
                pairs.collect::<Vec<_>>()
            })
            .collect()
    }

    /// The same by what is needed.
    fn dependencies(&self, chosen: &BTreeSet<i64>) -> Vec<Dependency> {
        let mut all: BTreeMap<i64, Dependency> = BTreeMap::new();
        for (by, needed) in self.needed(chosen) {
            all.entry(needed.id).or_insert_with(|| Dependency::from(needed)).needed_by.insert(name(by));
        }
        all.into_values().collect()
    }

    /// The tables that foreign keys, rules, policies and triggers of chosen tables name.
    fn named_by_belongings(&self, chosen: &BTreeSet<i64>) -> Vec<i64> {
        let naming = self.list.iter().filter(|e| ["FK CONSTRAINT", "RULE", "POLICY", "TRIGGER"].contains(&&*e.kind));
        let tables = |e: &Entry| self.anchors(e).into_iter().filter(|a| is_relation(a)).collect::<Vec<_>>();
        let of_chosen =
            naming.map(|e| (e, tables(e))).filter(|(e, all)| all.iter().any(|t| chosen.contains(&t.id) && owns(t, e)));
        of_chosen.flat_map(|(_, all)| all.into_iter().map(|table| table.id)).collect()
    }
}

fn is_relation(entry: &Entry) -> bool {
    RELATIONS.contains(&entry.kind.as_str())
}

fn same_name(one: &Entry, other: &Entry) -> bool {
    one.schema == other.schema && one.tag == other.tag
}

/// Entries are called after their table, or after their table and themselves: `orders`, `orders orders_user_fkey`.
fn owns(table: &Entry, entry: &Entry) -> bool {
    let called = entry.tag.strip_prefix(&table.tag).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    table.schema == entry.schema && called
}

/// `name`, or `schema.name`.
fn is_named(entry: &Entry, wanted: &str) -> bool {
    entry.tag == wanted || qualified(entry) == wanted
}

fn in_schemas(entry: &Entry, options: &RestoreOptions) -> bool {
    options.schemas.is_empty() || schema_of(entry).is_some_and(|s| options.schemas.iter().any(|wanted| wanted == s))
}

/// The schema that an entry is in, or is.
fn schema_of(entry: &Entry) -> Option<&str> {
    entry.schema.as_deref().or((entry.kind == "SCHEMA").then_some(entry.tag.as_str()))
}

fn qualified(entry: &Entry) -> String {
    entry.schema.as_ref().map_or(entry.tag.clone(), |schema| format!("{schema}.{}", entry.tag))
}

/// `type public.mood`
fn name(entry: &Entry) -> String {
    format!("{} {}", entry.kind.to_lowercase(), qualified(entry))
}

/// The first of some names.
pub fn join_truncated(names: impl Iterator<Item = String>) -> String {
    const SHOWN: usize = 8;
    let names: Vec<_> = names.collect();
    let more = if names.len() > SHOWN { format!(" and {} more", names.len() - SHOWN) } else { String::new() };
    format!("{}{more}", names[..names.len().min(SHOWN)].join(", "))
}

fn no_match(flag: &str, noun: &str, wanted: &str, known: impl Iterator<Item = String>) -> Error {
    let error = Error::new(Kind::Usage, format!("{flag} {wanted}: the dump has no such {noun}"));
    let close = suggest(wanted, known);
    if close.is_empty() {
        error.hint(Hint::new(
            "names-are-literal",
            "names are literal, with or without the schema: dbhaul inspect lists them",
        ))
    } else {
        error.hint(hint::suggest(&close))
    }
}
