//! What has to be known of tables whose rows are read by sessions of our own: columns that a statement must name, and
//! how a large table is divided.

use std::collections::{BTreeSet, HashMap, HashSet};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::{is_member, probe_keys};
use crate::engine::mysql::session::{self, quote};
use crate::engine::{Flavour, Server, TableEstimate as Dumped};

/// A table is divided into stretches of about this many bytes of its data: what a session may read ahead of its turn.
const STRETCH: u64 = 2 << 20;
/// Every stretch costs a question, so there are no more than this of one table.
const MAX_STRETCHES: u64 = 1 << 16;

/// What is known of a table; nothing for most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TableReadPlan {
    /// All columns, in order, where some of them are hidden from `SELECT *`, can't be written, or have texts that are not
    /// their values, or where all are named.
    pub(super) columns: Vec<Column>,
    /// Its statements name all of them.
    pub(super) all_named: bool,
    /// How it is divided.
    pub(super) division: Option<Division>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) generated: bool,
    pub(super) hidden: bool,
    /// How it is asked for where its text is not its value.
    pub(super) exact: Option<Exact>,
}

/// How a value is asked for whose text means another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exact {
    /// A FLOAT as the double that it is: `* 1e0` keeps even the sign of a zero.
    Double,
    /// Text that UTF-8 can't hold, as its bytes.
    Bytes,
    /// An ENUM that has the error's empty text for a value, too, as its number.
    Number,
}

impl Column {
    fn expression(&self) -> String {
        let name = quote(&self.name);
        match self.exact {
            None => name,
            Some(Exact::Double) => format!("{name} * 1e0"),
            Some(Exact::Bytes) => format!("CAST({name} AS BINARY)"),
            Some(Exact::Number) => format!("CAST({name} AS UNSIGNED)"),
        }
    }
}

/// A table divided by the first column of its primary key, a whole number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Division {
    column: String,
    first: i128,
    last: i128,
    stretches: u64,
}

impl TableReadPlan {
    /// The columns that this client's statements name; all, unnamed, when there are none.
    pub(super) fn named(&self, client: Flavour) -> Vec<&str> {
        let mariadb = client == Flavour::MARIADB;
        // MariaDB's client also writes what is generated: its server passes over that.
        let name = |column: &Column| column.hidden || column.generated && !mariadb;
        if !self.all_named && !self.columns.iter().any(name) {
            return Vec::new();
        }
        let written = self.columns.iter().filter(|column| mariadb || !column.generated);
        written.map(|column| column.name.as_str()).collect()
    }

    /// What is selected, for a client's statements.
    pub(super) fn selected(&self, client: Flavour) -> String {
        let named = self.named(client);
        if !self.columns.iter().any(|column| column.exact.is_some()) {
            return if named.is_empty() { "*".to_owned() } else { quoted(&named) };
        }
        let wanted = self.columns.iter().filter(|column| named.is_empty() || named.contains(&column.name.as_str()));
        wanted.map(Column::expression).collect::<Vec<_>>().join(", ")
    }

    /// The conditions of its stretches, in the order of their rows: together every row, each once.
    pub(super) fn stretches(&self) -> impl Iterator<Item = Option<String>> + Send + use<> {
        let division = self.division.clone();
        let count = division.as_ref().map_or(1, |division| division.stretches);
        (0..count).map(move |n| division.as_ref().and_then(|division| division.condition(n)))
    }
}

/// Names, as a statement lists them.
pub(super) fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ")
}

impl Division {
    fn new(column: String, first: i128, last: i128, bytes: u64) -> Option<Self> {
        let span = u64::try_from(last - first).unwrap_or(u64::MAX).saturating_add(1);
        let stretches = bytes.div_ceil(STRETCH).min(MAX_STRETCHES).min(span);
        (stretches > 1).then_some(Self { column, first, last, stretches })
    }

    /// The first and the last have no end: rows may have come since the borders were asked for.
    fn condition(&self, n: u64) -> Option<String> {
        let span = self.last - self.first + 1;
        let border = |n: u64| self.first + span * i128::from(n) / i128::from(self.stretches);
        let column = quote(&self.column);
        let from = (n > 0).then(|| format!("{column} >= {}", border(n)));
        let to = (n + 1 < self.stretches).then(|| format!("{column} < {}", border(n + 1)));
        let conditions: Vec<_> = from.into_iter().chain(to).collect();
        (!conditions.is_empty()).then(|| conditions.join(" AND "))
    }
}

/// Asks for all tables of the database that something has to be known of: for all of them where all columns are named.
pub(super) async fn ask(
    conn: &mut Conn,
    server: &Server,
    all: bool,
) -> mysql_async::Result<HashMap<String, TableReadPlan>> {
    let mut tables: HashMap<String, TableReadPlan> = HashMap::new();
    let database = &server.database;
    let lossy = probe_keys::list(server, probe_keys::LOSSY_TEXTS);
    let has_lossy = |table: &&Dumped| lossy.iter().any(|column| is_member(column, &table.name));
    let mut special: BTreeSet<String> =
        server.tables.iter().filter(has_lossy).map(|table| table.name.clone()).collect();
    let others = format!(
        "SELECT DISTINCT TABLE_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? \
         AND ({all} OR EXTRA LIKE '%INVISIBLE%' OR EXTRA LIKE '%VIRTUAL GENERATED%' OR EXTRA LIKE '%STORED GENERATED%' \
         OR DATA_TYPE = 'float' AND NUMERIC_SCALE IS NULL)"
    );
    special.extend(session::rows_of::<String>(conn, &others, &[database]).await?);
    let columns = "SELECT TABLE_NAME, COLUMN_NAME, UPPER(EXTRA), CASE WHEN DATA_TYPE = 'float' AND NUMERIC_SCALE IS NULL \
                   THEN 'double' WHEN DATA_TYPE = 'enum' THEN 'number' ELSE 'bytes' END FROM information_schema.COLUMNS \
                   WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION";
    for table in &special {
        let rows: Vec<(String, String, String, String)> = session::rows_of(conn, columns, &[database, table]).await?;
        for (table, name, extra, how) in rows {
            let generated = extra.contains("VIRTUAL GENERATED") || extra.contains("STORED GENERATED");
            let is_lossy = lossy.contains(&format!("{table}.{name}").as_str());
            let exact = match how.as_str() {
                "double" => Some(Exact::Double),
                "number" => is_lossy.then_some(Exact::Number),
                _ => is_lossy.then_some(Exact::Bytes),
            };
            let hidden = extra.contains("INVISIBLE");
            let column = Column { name, generated, hidden, exact: exact.filter(|_| !generated) };
            let table = tables.entry(table).or_default();
            table.all_named = all;
            table.columns.push(column);
        }
    }
    for (table, division) in divisions(conn, server).await? {
        tables.entry(table).or_default().division = Some(division);
    }
    Ok(tables)
}

/// Tables that have columns of more than some MiB, and these.
pub(super) async fn wide(conn: &mut Conn, server: &Server) -> mysql_async::Result<Vec<(String, Vec<String>)>> {
    let query = "SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? \
                 AND DATA_TYPE IN ('mediumblob', 'longblob', 'mediumtext', 'longtext', 'json', 'geometry', 'linestring', \
                 'polygon', 'multipoint', 'multilinestring', 'multipolygon', 'geometrycollection', 'geomcollection') \
                 ORDER BY TABLE_NAME";
    let mut tables: Vec<(String, Vec<String>)> = Vec::new();
    for (table, column) in session::rows_of::<(String, String)>(conn, query, &[&server.database]).await? {
        match tables.last_mut().filter(|(last, _)| *last == table) {
            Some((_, columns)) => columns.push(column),
            None => tables.push((table, vec![column])),
        }
    }
    Ok(tables)
}

/// How each large table can be divided. Of a partitioned one the rows would come in another order.
async fn divisions(conn: &mut Conn, server: &Server) -> mysql_async::Result<Vec<(String, Division)>> {
    let large: HashMap<_, _> =
        server.tables.iter().filter(|t| t.bytes > STRETCH).map(|t| (t.name.as_str(), t.bytes)).collect();
    if large.is_empty() {
        return Ok(Vec::new());
    }
    let keys = "SELECT s.TABLE_NAME, s.COLUMN_NAME FROM information_schema.STATISTICS s JOIN information_schema.COLUMNS c \
                ON c.TABLE_SCHEMA = s.TABLE_SCHEMA AND c.TABLE_NAME = s.TABLE_NAME AND c.COLUMN_NAME = s.COLUMN_NAME \
                WHERE s.TABLE_SCHEMA = ? AND s.INDEX_NAME = 'PRIMARY' AND s.SEQ_IN_INDEX = 1 \
                AND c.DATA_TYPE IN ('tinyint', 'smallint', 'mediumint', 'int', 'bigint')";
    let keys: Vec<(String, String)> = session::rows_of(conn, keys, &[&server.database]).await?;
    let partitioned = "SELECT DISTINCT TABLE_NAME FROM information_schema.PARTITIONS \
                       WHERE TABLE_SCHEMA = ? AND PARTITION_NAME IS NOT NULL";
    let partitioned: Vec<String> = session::rows_of(conn, partitioned, &[&server.database]).await?;
    let partitioned: HashSet<String> = partitioned.into_iter().collect();
    let mut divisions = Vec::new();
    for (table, column) in keys {
        let Some(bytes) = large.get(table.as_str()).filter(|_| !partitioned.contains(&table)) else { continue };
        let name = quote(&column);
        let query = format!(
            "SELECT CAST(MIN({name}) AS CHAR), CAST(MAX({name}) AS CHAR) FROM {}.{}",
            quote(&server.database),
            quote(&table)
        );
        let found: Option<(Option<String>, Option<String>)> = conn.query_first(query).await?;
        let number = |text: Option<String>| text.and_then(|text| text.parse().ok());
        let Some((Some(first), Some(last))) = found.map(|(first, last)| (number(first), number(last))) else {
            continue;
        };
        divisions.extend(Division::new(column, first, last, *bytes).map(|division| (table, division)));
    }
    Ok(divisions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_have_no_gap_and_no_end() {
        let table = |first, last, bytes| TableReadPlan {
            division: Division::new("i`d".into(), first, last, bytes),
            ..TableReadPlan::default()
        };
        let conditions = |table: TableReadPlan| table.stretches().map(Option::unwrap_or_default).collect::<Vec<_>>();
        assert_eq!(
            conditions(table(1, 30, 3 * STRETCH)),
            ["`i``d` < 11", "`i``d` >= 11 AND `i``d` < 21", "`i``d` >= 21"]
        );
        assert_eq!(conditions(table(-5, -4, 1 << 40)), ["`i``d` < -4", "`i``d` >= -4"]);
        assert_eq!(conditions(table(7, 7, 1 << 40)), [""]);
        assert_eq!(conditions(table(1, 1000, STRETCH)), [""]);
        let widest = table(0, u64::MAX.into(), 1 << 60);
        assert_eq!(widest.stretches().count() as u64, MAX_STRETCHES);
        assert!(conditions(widest).last().is_some_and(|last| last.starts_with("`i``d` >= 18446")));
    }

    #[test]
    fn columns_are_named_where_the_client_names_them() {
        let column = |name: &str, generated, hidden| Column { name: name.into(), generated, hidden, exact: None };
        let table = |columns: &[Column]| TableReadPlan { columns: columns.to_vec(), ..TableReadPlan::default() };
        let (a, g, h) = (column("a", false, false), column("g", true, false), column("h", false, true));
        let generated = table(&[a.clone(), g.clone()]);
        assert_eq!(generated.named(Flavour::MYSQL), ["a"]);
        assert!(generated.named(Flavour::MARIADB).is_empty());
        let hidden = table(&[a.clone(), g, h]);
        assert_eq!(hidden.named(Flavour::MYSQL), ["a", "h"]);
        assert_eq!(hidden.named(Flavour::MARIADB), ["a", "g", "h"]);
        assert!(table(std::slice::from_ref(&a)).named(Flavour::MYSQL).is_empty());
        assert_eq!(TableReadPlan { all_named: true, ..table(&[a]) }.named(Flavour::MYSQL), ["a"]);
    }
}
