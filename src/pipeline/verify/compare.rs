//! Whether two dumps hold the same rows: one as it was recorded, one of the database that it was restored into.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU64;

use crate::archive::Manifest;
use crate::engine::{Content, DumpedTable, ROW_CHECKSUM, Version, registry};
use crate::pipeline::dump::manifest::qualified;
use crate::report::units;

/// What was compared, and what differs.
#[derive(Debug)]
pub struct Comparison {
    /// Tables that both have.
    pub tables: u64,
    /// Rows in them, as found; None where they could not be counted.
    pub rows: Option<u64>,
    /// Tables whose checksums were compared, beside their rows.
    pub checksums: u64,
    /// Definitions that both have.
    pub definitions: u64,
    /// What the restored database has beside the dump's own.
    pub added: Vec<String>,
    /// A sentence for each thing that is missing, or that holds other rows.
    pub differences: Vec<String>,
    /// A sentence for each object whose definition reads otherwise, although the dump's own words made it.
    pub redefined: Vec<String>,
    /// What was not compared although the dump has it.
    pub not_compared: BTreeSet<&'static str>,
}

/// What of two dumps can be held against each other.
pub struct Scope<'a> {
    /// What rows and definitions say, and not only that they are there.
    pub exact: bool,
    /// Owners were kept.
    pub owners: bool,
    /// What the restore left out, by the name of its definition.
    pub left_out: &'a dyn Fn(&str) -> Option<&'static str>,
}

/// The rows of a table, or of all partitions that their root sorts anew: a row may well come to stand in another one.
#[derive(Default)]
struct RowsOfTable<'a> {
    count: Option<u64>,
    checksum: Option<u64>,
    columns: Option<&'a str>,
}

/// Compares every table and definition.
pub fn compare(expected: &Content, found: &Content, scope: &Scope<'_>) -> Comparison {
    let exact = scope.exact;
    let (wanted, there) = (names(expected), names(found));
    let mut differences: Vec<_> = wanted.difference(&there).map(|name| format!("table {name} is missing")).collect();
    differences.extend(there.difference(&wanted).map(|name| format!("table {name} was never in the dump")));
    let roots: BTreeMap<String, &str> = expected.tables.iter().chain(&found.tables).filter_map(rooted).collect();
    let (mut wanted, mut there) = (gather(expected, &roots), gather(found, &roots));
    let both: Vec<_> = wanted.keys().filter(|name| there.contains_key(*name)).cloned().collect();
    let mut compared = Comparison {
        tables: 0,
        rows: Some(0),
        checksums: 0,
        definitions: 0,
        added: Vec::new(),
        differences,
        redefined: Vec::new(),
        not_compared: BTreeSet::new(),
    };
    for name in both {
        let (wanted, there) = (wanted.remove(&name).unwrap_or_default(), there.remove(&name).unwrap_or_default());
        compared.tables += 1;
        compared.rows = compared.rows.zip(there.count).map(|(all, rows)| all + rows);
        let same_shape = exact && wanted.columns == there.columns;
        match (wanted.count, there.count) {
            (Some(w), Some(t)) if w != t => {
                let (w, t) = (units::plural(w, "row"), units::plural(t, "row"));
                compared.differences.push(format!("table {name}: {w} in the dump, {t} restored"));
            }
            (Some(_), Some(_)) if same_shape && wanted.checksum.is_some() && there.checksum.is_some() => {
                compared.checksums += 1;
                if wanted.checksum != there.checksum {
                    let rows = units::plural(there.count.unwrap_or(0), "row");
                    compared.differences.push(format!("table {name}: {rows} as in the dump, but with other values"));
                }
            }
            _ => {}
        }
    }
    compare_definitions(&mut compared, expected, found, scope);
    compare_large_objects(&mut compared, expected, found);
    compared
}

/// Their bytes are the same wherever they are read.
fn compare_large_objects(compared: &mut Comparison, expected: &Content, found: &Content) {
    match (expected.large_objects, found.large_objects) {
        (Some(wanted), Some(there)) if wanted != there => {
            compared.differences.push("large objects: others than in the dump, or with other contents".to_owned());
        }
        (Some(_), None) => compared.differences.push("large objects are missing".to_owned()),
        _ => {}
    }
}

/// What the target adds makes no archive a bad one: it is told.
fn compare_definitions(compared: &mut Comparison, expected: &Content, found: &Content, scope: &Scope<'_>) {
    // Tables are told apart by their names already.
    let is_table = |object: &str| object.starts_with("table ");
    // A dump without rows says nothing of them; an extension brings a comment of its own.
    let values = ["sequence set ", "sequence value ", "materialized view data ", "comment EXTENSION "];
    let is_value = |object: &str| values.iter().any(|value| object.starts_with(value));
    let altered = added_columns(expected, found);
    for (object, wanted) in &expected.definitions {
        if let Some(left_out) = (scope.left_out)(object) {
            compared.not_compared.insert(left_out);
            continue;
        }
        match found.definitions.get(object) {
            None if is_table(object) => {}
            None => compared.differences.push(format!("{object} is missing")),
            Some(there) => {
                compared.definitions += 1;
                if scope.exact && wanted.text != there.text && !altered.contains_key(object.as_str()) {
                    compared.redefined.push(format!("{object}: another definition than in the dump"));
                }
                compare_owners(compared, object, [wanted.owner, there.owner], scope);
            }
        }
    }
    let beside = found.definitions.keys().filter(|object| !expected.definitions.contains_key(*object));
    compared.added.extend(beside.filter(|object| !is_table(object) && !is_value(object)).cloned());
    compared.added.extend(altered.into_values());
}

fn compare_owners(compared: &mut Comparison, object: &str, owners: [Option<NonZeroU64>; 2], scope: &Scope<'_>) {
    match owners {
        [Some(_), _] if !(scope.owners && scope.exact) => drop(compared.not_compared.insert("owners")),
        [Some(wanted), there] if there != Some(wanted) => {
            compared.redefined.push(format!("{object}: another owner than in the dump"));
        }
        _ => {}
    }
}

/// Columns that a MySQL server adds by itself, by the name of the table's definition.
fn added_columns(expected: &Content, found: &Content) -> BTreeMap<String, String> {
    let wanted: BTreeMap<&str, Option<&str>> =
        expected.tables.iter().map(|table| (table.name.as_str(), table.added_column.as_deref())).collect();
    let adds = |table: &DumpedTable| {
        let column = table.added_column.as_deref().filter(|_| wanted.get(table.name.as_str()) == Some(&None))?;
        Some((format!("table {}", table.name), format!("column {}.{column}", table.name)))
    };
    found.tables.iter().filter_map(adds).collect()
}

fn name(table: &DumpedTable) -> String {
    qualified(table.schema.as_deref(), &table.name)
}

fn names(content: &Content) -> BTreeSet<String> {
    content.tables.iter().map(name).collect()
}

fn rooted(table: &DumpedTable) -> Option<(String, &str)> {
    Some((name(table), table.root.as_deref()?))
}

fn gather<'c>(content: &'c Content, roots: &BTreeMap<String, &str>) -> BTreeMap<String, RowsOfTable<'c>> {
    let mut all: BTreeMap<String, RowsOfTable<'c>> = BTreeMap::new();
    for table in &content.tables {
        let own = name(table);
        let place = roots.get(&own).map_or(own, |root| (*root).to_owned());
        let rows = all.entry(place).or_insert_with(|| RowsOfTable { count: Some(0), checksum: Some(0), columns: None });
        rows.count = rows.count.zip(table.rows).map(|(a, b)| a + b);
        rows.checksum = rows.checksum.zip(table.checksum).map(|(a, b)| a.wrapping_add(b));
        rows.columns = rows.columns.or(table.columns.as_deref()).or(table.added_column.as_deref());
    }
    all
}

/// Why the rows of two dumps may be written differently although they are the same; None when they can't. An archive of
/// somebody else's says too little of how it was made.
pub fn other_words(recorded: Option<&Manifest>, again: &Manifest) -> Option<String> {
    let Some(recorded) = recorded else { return Some("the archive is not dbhaul's".into()) };
    if recorded.row_checksum.as_deref() != Some(ROW_CHECKSUM) {
        return Some("the archive has none".into());
    }
    let flavour = |manifest: &Manifest| registry::flavour(&manifest.flavour);
    let release = |manifest: &Manifest, version: &str| {
        let version = Version::parse(version)?;
        Some(flavour(manifest).map_or((version.major, version.minor), |flavour| flavour.release(version)))
    };
    let made_by = |m: &Manifest| (m.flavour.clone(), release(m, &m.server_version));
    let written_by = |m: &Manifest| (m.client.program.clone(), release(m, &m.client.version));
    if made_by(recorded) != made_by(again) {
        let server = |m: &Manifest| format!("{} {}", m.flavour, m.server_version);
        return Some(format!("the dump is of {}, the trial's server is {}", server(recorded), server(again)));
    }
    if written_by(recorded) != written_by(again) {
        let client = |m: &Manifest| format!("{} {}", m.client.program, m.client.version);
        return Some(format!("the dump was made by {}, the trial's by {}", client(recorded), client(again)));
    }
    if flavour(recorded).is_some_and(|flavour| flavour.rows_in_encoding) && recorded.encoding != again.encoding {
        let encoding = |m: &Manifest| m.encoding.clone().unwrap_or_else(|| "unknown".into());
        return Some(format!("the database's encoding was {}, the trial's is {}", encoding(recorded), encoding(again)));
    }
    recorded.options.get("arguments").map(|arguments| format!("the dump was made with {arguments}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Defined, Format};

    fn content(tables: &[(&str, u64, u64, Option<&str>)]) -> Content {
        let table = |&(name, rows, sum, root): &(&str, u64, u64, Option<&str>)| DumpedTable {
            schema: Some("public".into()),
            name: name.into(),
            rows: Some(rows),
            checksum: Some(sum),
            columns: Some("(id)".into()),
            root: root.map(str::to_owned),
            ..DumpedTable::default()
        };
        Content { tables: tables.iter().map(table).collect(), ..Content::new(Format::PG_CUSTOM) }
    }

    /// Everything, or only that it is there.
    fn compare(expected: &Content, found: &Content, exact: bool) -> Comparison {
        let left_out = |name: &str| name.starts_with("privileges").then_some("privileges");
        super::compare(expected, found, &Scope { exact, owners: true, left_out: &left_out })
    }

    #[test]
    fn every_difference_is_named() {
        let dumped = content(&[("a", 2, 7, None), ("b", 2, 7, None), ("c", 2, 7, None), ("d", 0, 0, None)]);
        let restored = content(&[("a", 2, 7, None), ("b", 1, 7, None), ("c", 2, 8, None), ("e", 0, 0, None)]);
        let compared = compare(&dumped, &restored, true);
        assert_eq!((compared.tables, compared.rows, compared.checksums), (3, Some(5), 2));
        assert_eq!(
            compared.differences,
            [
                "table public.d is missing",
                "table public.e was never in the dump",
                "table public.b: 2 rows in the dump, 1 row restored",
                "table public.c: 2 rows as in the dump, but with other values",
            ]
        );
        assert_eq!(compare(&dumped, &restored, false).differences.len(), 3);
    }

    #[test]
    fn definitions_are_compared_and_what_the_target_adds_is_no_difference() {
        let defined = |all: &[(&str, u64)], columns: Option<&str>| {
            let defined = |text| Defined { text, owner: NonZeroU64::new(text) };
            let definitions = all.iter().map(|&(name, hash)| (name.to_owned(), defined(hash))).collect();
            let added_column = columns.map(str::to_owned);
            let table = DumpedTable { name: "t".into(), added_column, ..DumpedTable::default() };
            Content { definitions, tables: vec![table], ..Content::new(Format::MYSQL_SQL) }
        };
        let dumped = defined(&[("table t", 1), ("trigger a", 1), ("view v", 1), ("view w", 1)], None);
        let restored = defined(&[("table t", 2), ("trigger a", 2), ("view v", 1), ("view x", 1)], Some("my_row_id"));
        let compared = compare(&dumped, &restored, true);
        assert_eq!(
            (compared.definitions, &compared.added[..]),
            (3, &["view x".into(), "column t.my_row_id".into()][..])
        );
        assert_eq!(compared.differences, ["view w is missing"]);
        assert_eq!(
            compared.redefined,
            [
                "table t: another owner than in the dump",
                "trigger a: another definition than in the dump",
                "trigger a: another owner than in the dump"
            ]
        );
        assert_eq!(compare(&dumped, &restored, false).redefined, [""; 0]);
    }

    #[test]
    fn rows_that_their_root_sorts_anew_are_compared_in_the_root() {
        let root = Some("public.p");
        let dumped = content(&[("p", 0, 0, None), ("p1", 3, 30, root), ("p2", 1, 12, root)]);
        let restored = content(&[("p", 0, 0, None), ("p1", 2, 20, root), ("p2", 2, 22, root)]);
        assert_eq!(compare(&dumped, &restored, true).differences, [""; 0]);
        let lost = content(&[("p", 0, 0, None), ("p1", 2, 20, root), ("p2", 1, 12, root)]);
        assert_eq!(compare(&dumped, &lost, true).differences, ["table public.p: 4 rows in the dump, 3 rows restored"]);
        // A plain dump names the root alone.
        let plain = content(&[("p", 4, 42, None), ("p1", 0, 0, None), ("p2", 0, 0, None)]);
        assert_eq!(compare(&plain, &restored, true).differences, [""; 0]);
    }

    #[test]
    fn columns_in_another_order_are_no_difference() {
        let dumped = content(&[("a", 2, 7, None)]);
        let mut restored = content(&[("a", 2, 8, None)]);
        restored.tables[0].columns = Some("(note, id)".into());
        let compared = compare(&dumped, &restored, true);
        assert_eq!((compared.checksums, compared.differences.len()), (0, 0));
    }
}
