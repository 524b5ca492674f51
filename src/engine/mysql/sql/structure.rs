//! What a table's definition names: columns, keys, checks, foreign keys.
//!
//! It tells whether a table has all that a dump gives it. Servers write types and options each in their own way, and
//! names all alike: the dump's `CREATE TABLE` and the target's `SHOW CREATE TABLE` are read by the same rules.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::lexer::{Syntax, Token};
use super::statement;
use crate::engine::Structure;
use crate::engine::mysql::parallel::keys::Definition;

/// What an item begins with that is no column.
const NO_COLUMN: [&str; 11] =
    ["primary", "key", "index", "unique", "fulltext", "spatial", "vector", "constraint", "foreign", "check", "period"];

/// Reads `CREATE TABLE`; none when it is not understood.
pub(crate) fn read(definition: &[u8], syntax: &Syntax) -> Option<Structure> {
    let divides = Definition::read(definition, syntax).is_some();
    let mut found = Structure { divides, ..Structure::default() };
    // The words of an item up to its first parenthesis, of a column only its name.
    let (mut depth, mut item, mut named) = (0_u32, Vec::new(), false);
    for piece in statement::pieces(definition, syntax) {
        match piece.token {
            Token::Symbol(b'(') => {
                depth += 1;
                named = depth > 1;
            }
            Token::Symbol(b')') if depth == 1 => {
                add(&mut found, &item);
                return Some(found);
            }
            Token::Symbol(b')') => depth = depth.checked_sub(1)?,
            Token::Symbol(b',') if depth == 1 => {
                add(&mut found, &item);
                item.clear();
                named = false;
            }
            Token::Broken | Token::End => return None,
            _ if depth == 1 && !named => {
                item.push(piece.unquoted()?.to_lowercase());
                let is_column = !NO_COLUMN.iter().any(|word| piece.is(word));
                named = item.len() == 1 && is_column;
            }
            _ => {}
        }
    }
    None
}

/// Hashes an item: `id`, `primary key`, `unique key u`, `constraint of_user foreign key`.
fn add(found: &mut Structure, item: &[String]) {
    let mut hasher = DefaultHasher::new();
    item.hash(&mut hasher);
    let keys = ["foreign", "key"];
    let points = item.first().is_some_and(|first| first == "constraint") && item.ends_with(&keys.map(str::to_owned));
    let sum = if points { &mut found.foreign } else { &mut found.own };
    *sum = sum.wrapping_add(hasher.finish());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Structure {
        read(text.as_bytes(), &Syntax::new()).expect("understood")
    }

    const ORDERS: &str = "CREATE TABLE `orders` (\n  `id` bigint(20) NOT NULL AUTO_INCREMENT,\n  `a(,` varchar(9) DEFAULT ',(' COMMENT 'KEY `x` (`y`)',\n  \
        PRIMARY KEY (`id`),\n  UNIQUE KEY `u` (`a(,`(3) DESC,`id`),\n  KEY `foreign key` (`id`),\n  \
        CONSTRAINT `fk` FOREIGN KEY (`id`) REFERENCES `customers` (`id`),\n  CONSTRAINT `c` CHECK ((`id` > 0))\n) ENGINE=InnoDB COMMENT='a, (b'";

    #[test]
    fn types_options_and_order_are_nothing() {
        for (what, with) in [
            ("bigint(20)", "bigint"),
            (" DEFAULT ',('", ""),
            (
                " ENGINE=InnoDB COMMENT='a, (b'",
                " ENGINE=InnoDB AUTO_INCREMENT=7 /*!50100 PARTITION BY HASH (id) (PARTITION a, PARTITION b) */",
            ),
            ("(`a(,`(3) DESC,`id`)", "(`a(,`,`id`) USING BTREE"),
            ("CHECK ((`id` > 0))", "CHECK (`id` > 0) /*!80016 NOT ENFORCED */"),
            ("`id` bigint(20) NOT NULL AUTO_INCREMENT,\n  `a(,` varchar(9)", "`a(,` text, id int"),
            ("CREATE TABLE `orders`", "CREATE TABLE IF NOT EXISTS shop.orders"),
        ] {
            let other = of(&ORDERS.replacen(what, with, 1));
            assert_eq!((other.own, other.foreign), (of(ORDERS).own, of(ORDERS).foreign), "{with}");
        }
    }

    #[test]
    fn each_name_that_is_missing_is_noticed() {
        for what in [
            "`a(,` varchar(9) DEFAULT ',(' COMMENT 'KEY `x` (`y`)',",
            "PRIMARY KEY (`id`),",
            "KEY `foreign key` (`id`),",
            ",\n  CONSTRAINT `c` CHECK ((`id` > 0))",
            "UNIQUE ",
        ] {
            let other = of(&ORDERS.replacen(what, "", 1));
            assert_ne!(other.own, of(ORDERS).own, "{what}");
            assert_eq!(other.foreign, of(ORDERS).foreign, "{what}");
        }
        let without = of(&ORDERS.replacen("CONSTRAINT `fk` FOREIGN KEY (`id`) REFERENCES `customers` (`id`),", "", 1));
        assert_eq!((without.own, without.foreign), (of(ORDERS).own, 0));
    }

    #[test]
    fn what_has_no_items_tells_nothing() {
        for text in ["", "CREATE TABLE `t`", "CREATE TABLE `t` LIKE `u`", "CREATE TABLE `t` (`a` int", "DROP TABLE `t`"]
        {
            assert_eq!(read(text.as_bytes(), &Syntax::new()), None, "{text}");
        }
    }
}
