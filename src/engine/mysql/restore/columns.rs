//! Rows that come alone, into tables that are there: whether each value comes into the column that it was read from.

use std::collections::BTreeMap;

use mysql_async::Conn;

use super::coming;
use crate::connection::{Connection, Limits};
use crate::engine::mysql::features::Statement;
use crate::engine::mysql::probe::probe_keys::join_truncated;
use crate::engine::mysql::session;
use crate::engine::mysql::sql::content::{fact, names};
use crate::engine::mysql::sql::lexer::{Syntax, Token};
use crate::engine::mysql::sql::statement::{self, SpannedToken, StatementInfo};
use crate::engine::{Content, RestoreOptions, Server};
use crate::error::{Error, Kind, Result};

/// Between the parts of a line: no name can hold it.
const PART: char = '\u{1}';
/// Bytes of names that are kept of one dump; tables beyond are not held against the target.
const MAX_BYTES: usize = 4 << 20;

/// Which columns the rows of a dump are for.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowColumns {
    /// The columns of each table that has a definition.
    defined: BTreeMap<String, String>,
    /// Of each table with rows what its first statement says.
    rows: BTreeMap<String, Order>,
    bytes: usize,
}

#[derive(Clone, Debug)]
enum Order {
    /// The statement names these columns.
    Named(String),
    /// It names none: values come in the order of the table's columns.
    Unnamed,
}

impl RowColumns {
    /// A table's definition. Columns that `SELECT *` does not have are in no row that names none.
    pub(crate) fn define(&mut self, table: &str, definition: &[u8], syntax: &Syntax) {
        let pieces: Vec<_> = statement::pieces(definition, syntax).collect();
        let is_hidden = |part: &&[SpannedToken<'_>]| part.iter().any(|piece| piece.is("invisible"));
        let parts = Statement::new(&pieces).parts;
        let columns = parts.iter().filter(|part| !is_hidden(part)).filter_map(|part| column(part));
        self.keep(table, &columns.collect::<Vec<_>>(), |kept| &mut kept.defined, |columns| columns);
    }

    /// A statement with rows.
    pub(crate) fn insert(&mut self, table: &str, subject: &StatementInfo, head: &[u8], syntax: &Syntax) {
        if self.rows.contains_key(table) {
            return;
        }
        let behind =
            statement::pieces(head, syntax).filter(|piece| piece.at >= subject.name_at.end).collect::<Vec<_>>();
        match behind.first() {
            Some(first) if first.is_symbol(b'(') => {
                let end = behind.iter().position(|piece| piece.is_symbol(b')')).unwrap_or(behind.len());
                let columns = behind[1..end].split(|piece| piece.is_symbol(b',')).filter_map(any_name);
                self.keep(table, &columns.collect::<Vec<_>>(), |kept| &mut kept.rows, Order::Named);
            }
            Some(first) if first.is("values") || first.is("value") => {
                self.keep(table, &[], |kept| &mut kept.rows, |_| Order::Unnamed);
            }
            _ => {}
        }
    }

    fn keep<T>(
        &mut self,
        table: &str,
        columns: &[String],
        of: impl Fn(&mut Self) -> &mut BTreeMap<String, T>,
        make: impl Fn(String) -> T,
    ) {
        let joined = columns.join(&PART.to_string());
        self.bytes += table.len() + joined.len();
        if self.bytes <= MAX_BYTES {
            of(self).insert(table.to_owned(), make(joined));
        }
    }

    /// A line for each table with rows: its name, what is known, and its columns.
    pub(crate) fn lines(self) -> impl Iterator<Item = String> {
        let Self { mut defined, rows, .. } = self;
        rows.into_iter().map(move |(table, order)| match order {
            Order::Named(columns) => format!("{table}{PART}named{PART}{columns}"),
            Order::Unnamed => match defined.remove(&table) {
                Some(columns) => format!("{table}{PART}in order{PART}{columns}"),
                None => format!("{table}{PART}unknown"),
            },
        })
    }
}

/// The column that this part of a table's definition is about.
fn column(part: &[SpannedToken<'_>]) -> Option<String> {
    part.first().filter(|piece| matches!(piece.token, Token::Quoted(b'`' | b'"'))).and_then(|_| any_name(part))
}

fn any_name(part: &[SpannedToken<'_>]) -> Option<String> {
    statement::leading_name(part).map(|(name, _)| name)
}

/// Refuses rows whose columns the target's tables lack, or have in another order where the dump does not name them.
pub(crate) async fn check(
    connection: &Connection,
    server: &Server,
    content: &Content,
    options: &RestoreOptions,
    limits: &Limits,
) -> Result<()> {
    let lines = names(content, fact::ROW_COLUMNS);
    if !options.data_only && !content.holds_rows_alone() || !server.target.exists || lines.is_empty() {
        return Ok(());
    }
    let database = &connection.database;
    let query = "SELECT TABLE_NAME, COLUMN_NAME, EXTRA LIKE '%INVISIBLE%' FROM information_schema.COLUMNS \
                 WHERE TABLE_SCHEMA = ? ORDER BY TABLE_NAME, ORDINAL_POSITION";
    let work = async |conn: &mut Conn| session::rows_of::<(String, String, bool)>(conn, query, &[database]).await;
    let found = session::ask(connection, Some(database), limits, work).await?;
    let mut there: BTreeMap<String, Vec<(String, bool)>> = BTreeMap::new();
    for (table, column, hidden) in found {
        there.entry(table.to_lowercase()).or_default().push((column, hidden));
    }
    let come = coming(content, options);
    let is_coming = |table: &str| come.iter().any(|one| one.name == table && one.rows != Some(0));
    let differs: Vec<String> = lines.into_iter().filter_map(|line| difference(line, &there, is_coming)).collect();
    if differs.is_empty() {
        return Ok(());
    }
    let what = "rows alone would come into other columns than they were read from";
    let error = differs.iter().fold(Error::new(Kind::Refused, what), Error::why);
    Err(error
        .why(connection)
        .why("nothing was changed; a dump made with --data-only names its columns, and needs no order"))
}

/// What of a table with rows does not fit the target's table of that name.
fn difference(
    line: &str,
    there: &BTreeMap<String, Vec<(String, bool)>>,
    is_coming: impl Fn(&str) -> bool,
) -> Option<String> {
    let mut parts = line.split(PART);
    let (table, known) = (parts.next()?, parts.next()?);
    let columns: Vec<&str> = parts.collect();
    let target = there.get(&table.to_lowercase()).filter(|_| is_coming(table) && known != "unknown")?;
    let same = |one: &str, other: &str| one.to_lowercase() == other.to_lowercase();
    let missing: Vec<&str> =
        columns.iter().filter(|column| !target.iter().any(|(name, _)| same(name, column))).copied().collect();
    if !missing.is_empty() {
        return Some(format!("table {table}: the target's has no column {}", join_truncated(&missing)));
    }
    let shown: Vec<&str> = target.iter().filter(|(_, hidden)| !hidden).map(|(name, _)| name.as_str()).collect();
    let in_order = shown.len() == columns.len() && shown.iter().zip(&columns).all(|(one, other)| same(one, other));
    (known == "in order" && !in_order)
        .then(|| format!("table {table}: ({}) in the dump, ({}) in the target", columns.join(", "), shown.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_the_rows() {
        let syntax = Syntax::new();
        let mut found = RowColumns::default();
        let definition = "CREATE TABLE `t` (`a``b` int, `h` int /*!80023 INVISIBLE */, `c` int, PRIMARY KEY (`c`))";
        found.define("t", definition.as_bytes(), &syntax);
        for insert in ["INSERT INTO `t` VALUES ", "INSERT INTO `u` (`a``b`, c) VALUES ", "INSERT INTO `v` VALUES "] {
            let subject = statement::subject(insert.as_bytes(), &syntax);
            found.insert(subject.name.as_deref().expect("a name"), &subject, insert.as_bytes(), &syntax);
        }
        let lines: Vec<_> = found.lines().map(|line| line.replace(PART, "|")).collect();
        assert_eq!(lines, ["t|in order|a`b|c", "u|named|a`b|c", "v|unknown"]);
    }
}
