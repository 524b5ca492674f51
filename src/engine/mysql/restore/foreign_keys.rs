//! Foreign keys that point at columns which are no whole unique key: `InnoDB` takes them, and MySQL from 8.4 on only where
//! `restrict_fk_on_non_standard_key` is off.

use std::collections::BTreeMap;

use crate::engine::mysql::features::Statement;
use crate::engine::mysql::sql::lexer::Syntax;
use crate::engine::mysql::sql::statement::{self, SpannedToken};

/// The keys of the tables that a dump defines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    /// The columns of each table's unique keys, sorted.
    unique: BTreeMap<String, Vec<Vec<String>>>,
    foreign: Vec<ForeignKey>,
}

#[derive(Clone, Debug)]
struct ForeignKey {
    table: String,
    name: String,
    parent: String,
    columns: Vec<String>,
}

impl Keys {
    /// Reads a table's definition.
    pub(crate) fn see(&mut self, table: &str, definition: &[u8], syntax: &Syntax) {
        self.foreign.retain(|key| key.table != table);
        let mut unique = Vec::new();
        let pieces: Vec<_> = statement::pieces(definition, syntax).collect();
        for part in Statement::new(&pieces).parts {
            let words = ["primary", "unique", "constraint", "foreign"];
            let Some(first) = part.first().and_then(|piece| words.into_iter().find(|word| piece.is(word))) else {
                continue;
            };
            let points = part.iter().position(|piece| piece.is("references"));
            match points {
                Some(at) => {
                    let named = if first == "constraint" { part.get(1) } else { None };
                    let Some(parent) = part.get(at + 1).and_then(SpannedToken::unquoted) else { continue };
                    self.foreign.push(ForeignKey {
                        table: table.to_owned(),
                        name: named.and_then(SpannedToken::unquoted).unwrap_or_default(),
                        parent,
                        columns: columns(&part[at + 2..]),
                    });
                }
                None if first == "primary" || first == "unique" => {
                    let mut key: Vec<_> = columns(part).iter().map(|column| column.to_lowercase()).collect();
                    key.sort();
                    unique.push(key);
                }
                None => {}
            }
        }
        self.unique.insert(table.to_owned(), unique);
    }

    /// `b_child.b_fk: a_parent(code)`, of tables that the dump defines.
    pub(crate) fn not_unique(&self) -> impl Iterator<Item = String> {
        self.foreign.iter().filter(|key| self.unique.get(&key.parent).is_some_and(|unique| !key.is_among(unique))).map(
            |key| {
                let ForeignKey { table, name, parent, columns } = key;
                format!("{table}.{name}: {parent}({})", columns.join(", "))
            },
        )
    }
}

impl ForeignKey {
    fn is_among(&self, unique: &[Vec<String>]) -> bool {
        let mut columns: Vec<_> = self.columns.iter().map(|column| column.to_lowercase()).collect();
        columns.sort();
        unique.contains(&columns)
    }
}

/// The names in the first parentheses.
fn columns(part: &[SpannedToken<'_>]) -> Vec<String> {
    let inside = part.iter().skip_while(|piece| !piece.is_symbol(b'(')).skip(1);
    let inside = inside.take_while(|piece| !piece.is_symbol(b')'));
    inside.filter(|piece| !piece.is_symbol(b',')).filter_map(SpannedToken::unquoted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_must_point_at_a_whole_unique_key() {
        let mut keys = Keys::default();
        let mut see = |table: &str, items: &str| {
            keys.see(table, format!("CREATE TABLE `{table}` (\n{items}\n) ENGINE=InnoDB").as_bytes(), &Syntax::new());
        };
        see(
            "a_parent",
            "`id` int NOT NULL,`Code` int DEFAULT ',(',\nPRIMARY KEY (`id`),\nKEY `code` (`Code`),\nUNIQUE KEY `both` (`id`,`Code`)",
        );
        see(
            "b_child",
            "`code` int,\nPRIMARY KEY (`code`),\nCONSTRAINT `b_fk` FOREIGN KEY (`code`) REFERENCES `a_parent` (`code`),\n\
             CONSTRAINT `ok` FOREIGN KEY (`code`) REFERENCES `a_parent` (`ID`) ON DELETE CASCADE,\n\
             CONSTRAINT `two` FOREIGN KEY (`code`,`x`) REFERENCES `a_parent` (`code`,`id`),\n\
             CONSTRAINT `away` FOREIGN KEY (`code`) REFERENCES `elsewhere` (`code`),\n\
             CONSTRAINT `later` FOREIGN KEY (`code`) REFERENCES `z_parent` (`k`)",
        );
        see("z_parent", "`k` int,\nKEY `k` (`k`)");
        assert_eq!(
            keys.not_unique().collect::<Vec<_>>(),
            ["b_child.b_fk: a_parent(code)", "b_child.later: z_parent(k)"]
        );
    }
}
