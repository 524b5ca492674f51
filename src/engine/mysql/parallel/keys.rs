//! A table's definition without the keys that are made faster once its rows are in.
//!
//! Keys are taken out all or none: what stays and what comes later would stand in another order in `SHOW CREATE TABLE`.
//! Whatever is not surely understood is left as it is: a definition that this module has no [`Definition`] of, or whose
//! keys are not all of the plain kind.

use std::ops::Range;

use crate::engine::mysql::sql::lexer::{Syntax, Token};
use crate::engine::mysql::sql::statement::{self, Object, SpannedToken, Verb};

/// `CREATE TABLE` of an `InnoDB` table with a primary key, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Definition {
    text: Vec<u8>,
    /// The table's name as it is written.
    name: Range<usize>,
    items: Vec<Item>,
}

/// One of the parts that commas part.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    at: Range<usize>,
    part: ItemKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum ItemKind {
    /// A column, the primary key, a check.
    Stays,
    /// `KEY`, `UNIQUE KEY`, `SPATIAL KEY`.
    Key,
    /// `FULLTEXT KEY`.
    Fulltext,
    /// A foreign key, and the table that it points at.
    Foreign(Option<String>),
}

/// What of a definition is added later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Later {
    /// Secondary keys.
    Keys,
    /// Foreign keys.
    Foreign,
}

impl Definition {
    /// Takes a statement apart; none when it is another one, or has something in it that is not known here.
    pub(in super::super) fn read(text: &[u8], syntax: &Syntax) -> Option<Self> {
        let pieces: Vec<SpannedToken<'_>> = statement::pieces(text, syntax).collect();
        let subject = statement::subject(text, syntax);
        let plain =
            pieces.first()?.is("create") && pieces.get(1)?.is("table") && pieces.get(2)?.at == subject.name_at.start;
        if (subject.verb, subject.object) != (Verb::Create, Object::Table) || !plain {
            return None;
        }
        let open = pieces.iter().position(|p| p.at >= subject.name_at.end)?;
        let (ranges, close) = items(text, &pieces, open)?;
        if !is_innodb(&pieces[close + 1..]) {
            return None;
        }
        let mut items = Vec::new();
        let (mut primary, mut counted) = (None, None);
        for (at, range) in ranges {
            let inside = &pieces[range];
            let part = item_kind(inside)?;
            if inside.first()?.is("primary") {
                primary = first_column(inside);
            } else if inside.iter().any(|p| p.is("auto_increment")) {
                counted = inside.first()?.unquoted();
            }
            items.push(Item { at, part });
        }
        // A column that counts needs a key from the beginning.
        let primary = primary?;
        let counts_elsewhere = counted.is_some_and(|column| column != primary);
        (!counts_elsewhere).then(|| Self { text: text.to_vec(), name: subject.name_at, items })
    }

    /// Whether there is something to add later.
    pub(super) fn has(&self, later: Later) -> bool {
        self.items.iter().any(|item| item.part.is(later))
    }

    /// The tables that foreign keys point at.
    pub(super) fn parents(&self) -> impl Iterator<Item = &str> {
        self.items.iter().filter_map(|item| match &item.part {
            ItemKind::Foreign(parent) => Some(parent.as_deref().unwrap_or_default()),
            _ => None,
        })
    }

    /// `CREATE TABLE` without these.
    pub(super) fn create(&self, without: &[Later]) -> Vec<u8> {
        let (Some(first), Some(last)) = (self.items.first(), self.items.last()) else { return self.text.clone() };
        let stays = self.items.iter().filter(|item| !without.iter().any(|later| item.part.is(*later)));
        let kept: Vec<&[u8]> = stays.map(|item| &self.text[item.at.clone()]).collect();
        [&self.text[..first.at.start], &kept.join(&b",\n  "[..]), &self.text[last.at.end..]].concat()
    }

    /// `ALTER TABLE`s that add these, in their order: one, but one more for each `FULLTEXT` key, of which `InnoDB` makes
    /// one at a time.
    pub(super) fn alter(&self, later: Later) -> Vec<Vec<u8>> {
        let added: Vec<&Item> = self.items.iter().filter(|item| item.part.is(later)).collect();
        let (single, together): (Vec<_>, Vec<_>) = added.into_iter().partition(|item| item.part == ItemKind::Fulltext);
        let table = &self.text[self.name.clone()];
        let groups = [together].into_iter().chain(single.into_iter().map(|item| vec![item]));
        let adds = groups.filter(|group| !group.is_empty()).map(|group| {
            let adds = group.iter().map(|item| [b"ADD ", &self.text[item.at.clone()]].concat());
            adds.collect::<Vec<_>>().join(&b", "[..])
        });
        adds.map(|adds| [b"ALTER TABLE ", table, b" ", &adds].concat()).collect()
    }
}

impl ItemKind {
    fn is(&self, later: Later) -> bool {
        match self {
            Self::Stays => false,
            Self::Key | Self::Fulltext => later == Later::Keys,
            Self::Foreign(_) => later == Later::Foreign,
        }
    }
}

/// Where each item stands, in bytes and in pieces.
pub(in super::super) type Items = Vec<(Range<usize>, Range<usize>)>;

/// The items between the outer parentheses, and the piece that closes these. A versioned comment must not reach over a
/// border.
pub(in super::super) fn items(text: &[u8], pieces: &[SpannedToken<'_>], open: usize) -> Option<(Items, usize)> {
    let mut found = Vec::new();
    let (mut depth, mut start) = (0_u32, open + 1);
    for (index, piece) in pieces.iter().enumerate().skip(open) {
        match piece.token {
            Token::Symbol(b'(') => depth += 1,
            Token::Symbol(b')') => depth = depth.checked_sub(1)?,
            Token::Broken | Token::End => return None,
            _ if index == open => return None,
            _ => {}
        }
        let border = depth == 1 && piece.is_symbol(b',') || depth == 0;
        if border {
            if piece.versioned() || start == index {
                return None;
            }
            found.push((trimmed(text, pieces[start - 1].end()..piece.at), start..index));
            start = index + 1;
        } else if index == open && piece.versioned() {
            return None;
        }
        if depth == 0 {
            return Some((found, index));
        }
    }
    None
}

fn trimmed(text: &[u8], range: Range<usize>) -> Range<usize> {
    let before = text[range.clone()].iter().take_while(|b| b.is_ascii_whitespace()).count();
    let start = range.start + before;
    let after = text[start..range.end].iter().rev().take_while(|b| b.is_ascii_whitespace()).count();
    start..range.end - after
}

/// What stands behind the items: `ENGINE=InnoDB`, and nothing that makes the table of another kind.
fn is_innodb(tail: &[SpannedToken<'_>]) -> bool {
    let others = ["select", "as", "like", "ignore", "replace", "versioning", "union", "with"];
    let mut engines = tail.iter().skip_while(|p| !p.is("engine")).skip(1).skip_while(|p| p.is_symbol(b'='));
    engines.next().is_some_and(|engine| engine.is("innodb")) && !tail.iter().any(|p| others.iter().any(|o| p.is(o)))
}

/// What an item is; none when that is not known.
fn item_kind(inside: &[SpannedToken<'_>]) -> Option<ItemKind> {
    let word = |at: usize, word: &str| inside.get(at).is_some_and(|p| p.is(word));
    let first = inside.first()?;
    let key = |at: usize| word(at, "key") || word(at, "index");
    match first.token {
        Token::Quoted(b'`') => {
            // `UNIQUE` and `PRIMARY KEY` as words of a column stand in no dump, and the order of keys would be another.
            let keyed = inside.iter().any(|p| p.is("unique") || p.is("key") || p.is("versioning") || p.is("row"));
            (!keyed).then_some(ItemKind::Stays)
        }
        _ if first.is("primary") || first.is("check") => Some(ItemKind::Stays),
        _ if key(0) => is_plain_key(&inside[1..]).then_some(ItemKind::Key),
        _ if first.is("fulltext") && key(1) => is_plain_key(&inside[2..]).then_some(ItemKind::Fulltext),
        _ if ["unique", "spatial"].iter().any(|kind| first.is(kind)) && key(1) => {
            is_plain_key(&inside[2..]).then_some(ItemKind::Key)
        }
        _ if first.is("constraint") && word(2, "check") => Some(ItemKind::Stays),
        _ if first.is("constraint") && word(2, "foreign") => {
            let mut parent = inside.iter().skip_while(|p| !p.is("references")).skip(1);
            let (name, after) = (parent.next()?.unquoted()?, parent.next()?);
            // A table of another database, or one with a doubled backtick in its name.
            Some(ItemKind::Foreign(after.is_symbol(b'(').then_some(name)))
        }
        _ => None,
    }
}

/// `` `name` (`column`(10) DESC, ...) USING BTREE COMMENT 'x' ``: columns, no expressions, no kind of key of its own.
fn is_plain_key(inside: &[SpannedToken<'_>]) -> bool {
    let Some(open) = inside.iter().position(|p| p.is_symbol(b'(')) else { return false };
    let named = open > 0 && inside[..open].iter().all(|p| matches!(p.token, Token::Quoted(b'`')));
    let number = |p: &SpannedToken<'_>| p.token == Token::Word && p.text.iter().all(u8::is_ascii_digit);
    let (mut depth, mut close) = (0, None);
    for (index, piece) in inside.iter().enumerate().skip(open) {
        let belongs = match piece.token {
            Token::Symbol(b'(') => {
                depth += 1;
                // The length of a column's prefix, and no expression.
                depth == 1 || depth == 2 && matches!(inside[index - 1].token, Token::Quoted(b'`'))
            }
            Token::Symbol(b')') => {
                depth -= 1;
                true
            }
            Token::Quoted(b'`') | Token::Symbol(b',') => depth == 1,
            _ if depth == 2 => number(piece),
            _ => piece.is("asc") || piece.is("desc"),
        };
        if !belongs {
            return false;
        }
        if depth == 0 {
            close = Some(index);
            break;
        }
    }
    let words = ["using", "btree", "comment", "key_block_size", "invisible", "ignored", "with", "parser"];
    let option = |p: &SpannedToken<'_>| {
        words.iter().any(|w| p.is(w)) || number(p) || p.is_symbol(b'=') || matches!(p.token, Token::Quoted(_))
    };
    named && close.is_some_and(|close| inside[close + 1..].iter().all(option))
}

/// The first column of a key.
fn first_column(inside: &[SpannedToken<'_>]) -> Option<String> {
    inside.iter().skip_while(|p| !p.is_symbol(b'(')).nth(1)?.unquoted()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<Definition> {
        Definition::read(text.as_bytes(), &Syntax::new())
    }

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).expect("text")
    }

    const ORDERS: &str = "CREATE TABLE `ord,ers` (\n  `id` bigint NOT NULL AUTO_INCREMENT,\n  `a(` varchar(9) DEFAULT ',(\\'' COMMENT 'KEY `x` (`y`)',\n  \
        `g` int GENERATED ALWAYS AS ((`id` + 1)) STORED,\n  PRIMARY KEY (`id`),\n  UNIQUE KEY `u` (`a(`(3) DESC,`g`) USING BTREE COMMENT 'x' /*!80000 INVISIBLE */,\n  \
        KEY `k` (`g`),\n  FULLTEXT KEY `f` (`a(`) /*!50100 WITH PARSER `ngram` */ ,\n  CONSTRAINT `fk` FOREIGN KEY (`g`) REFERENCES `customers` (`id`) ON DELETE CASCADE,\n  \
        CONSTRAINT `c` CHECK ((`g` > 0)) /*!80016 NOT ENFORCED */\n) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 COMMENT='a, (b'";

    #[test]
    fn keys_and_foreign_keys_come_later_and_the_rest_stays() {
        let orders = read(ORDERS).expect("understood");
        let without = text(orders.create(&[Later::Keys, Later::Foreign]));
        let expected = "CREATE TABLE `ord,ers` (\n  `id` bigint NOT NULL AUTO_INCREMENT,\n  `a(` varchar(9) DEFAULT ',(\\'' COMMENT 'KEY `x` (`y`)',\n  \
            `g` int GENERATED ALWAYS AS ((`id` + 1)) STORED,\n  PRIMARY KEY (`id`),\n  \
            CONSTRAINT `c` CHECK ((`g` > 0)) /*!80016 NOT ENFORCED */\n) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 COMMENT='a, (b'";
        assert_eq!(without, expected);
        let later = |what| orders.alter(what).into_iter().map(text).collect::<Vec<_>>();
        assert_eq!(
            later(Later::Keys),
            [
                "ALTER TABLE `ord,ers` ADD UNIQUE KEY `u` (`a(`(3) DESC,`g`) USING BTREE COMMENT 'x' /*!80000 INVISIBLE */, ADD KEY `k` (`g`)",
                "ALTER TABLE `ord,ers` ADD FULLTEXT KEY `f` (`a(`) /*!50100 WITH PARSER `ngram` */"
            ]
        );
        assert_eq!(
            later(Later::Foreign),
            [
                "ALTER TABLE `ord,ers` ADD CONSTRAINT `fk` FOREIGN KEY (`g`) REFERENCES `customers` (`id`) ON DELETE CASCADE"
            ]
        );
        assert_eq!(orders.parents().collect::<Vec<_>>(), ["customers"]);
    }

    #[test]
    fn what_is_not_surely_understood_is_left_whole() {
        for (what, with) in [
            ("ENGINE=InnoDB", "ENGINE=MyISAM"),
            ("ENGINE=InnoDB", ""),
            ("ENGINE=InnoDB", "ENGINE=InnoDB WITH SYSTEM VERSIONING"),
            ("CREATE TABLE", "CREATE TABLE IF NOT EXISTS"),
            ("CREATE TABLE", "CREATE TEMPORARY TABLE"),
            ("CREATE TABLE", "CREATE OR REPLACE TABLE"),
            ("PRIMARY KEY (`id`)", "KEY `id` (`id`)"),
            ("PRIMARY KEY (`id`)", "PRIMARY KEY (`g`,`id`)"),
            ("KEY `k` (`g`)", "KEY `k` ((`g` + 1))"),
            ("KEY `k` (`g`)", "KEY `k` (`g`) USING HASH"),
            ("KEY `k` (`g`)", "VECTOR KEY `k` (`g`)"),
            ("KEY `k` (`g`)", "UNIQUE KEY `k` (`g`,`p` WITHOUT OVERLAPS)"),
            ("KEY `k` (`g`)", "PERIOD FOR SYSTEM_TIME (`a`, `b`)"),
            ("KEY `k` (`g`)", "CONSTRAINT `k` UNIQUE (`g`)"),
            ("KEY `k` (`g`),", "/*!50100 KEY `k` (`g`), */"),
            ("COMMENT='a, (b'", "AS SELECT 1"),
        ] {
            assert_eq!(read(&ORDERS.replace(what, with)), None, "{with}");
        }
        for other in
            ["", "CREATE TABLE `t`", "CREATE TABLE `t` (`a` int", "CREATE TABLE `t` LIKE `u`", "DROP TABLE `t`"]
        {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn what_stops_anywhere_is_left_whole() {
        let engine = ORDERS.find("InnoDB").expect("an engine");
        for end in (0..engine).filter(|end| ORDERS.is_char_boundary(*end)) {
            assert_eq!(read(&ORDERS[..end]), None, "{}", &ORDERS[..end]);
        }
    }

    fn tokens(text: &[u8]) -> Vec<Vec<u8>> {
        statement::pieces(text, &Syntax::new()).map(|p| p.text.to_vec()).collect()
    }

    prop_compose! {
        fn name()(name in "[a-z(),;'\" #-]{1,6}") -> String { format!("`{name}`") }
    }

    fn item() -> impl Strategy<Value = String> {
        let column = (name(), "( NOT NULL| DEFAULT 'a,\\(b\\\\''| DEFAULT \\(1 \\+ \\(2\\)\\)| COMMENT 'KEY `x` \\(`y`\\)'| /\\*!80023 INVISIBLE \\*/)?")
            .prop_map(|(name, more)| format!("{name} varchar(9){more}"));
        let key = (
            "(UNIQUE |FULLTEXT |SPATIAL )?",
            name(),
            prop::collection::vec((name(), "(\\([0-9]{1,3}\\))?( DESC)?"), 1..4),
            "( USING BTREE| COMMENT 'x, \\(y'| /\\*!80000 INVISIBLE \\*/)?",
        )
            .prop_map(|(kind, name, columns, more)| {
                let columns: Vec<_> = columns.into_iter().map(|(column, rest)| column + &rest).collect();
                format!("{kind}KEY {name} ({}){more}", columns.join(","))
            });
        let foreign = (name(), name(), name())
            .prop_map(|(a, b, c)| format!("CONSTRAINT {a} FOREIGN KEY ({b}) REFERENCES {c} (`id`)"));
        let check = name().prop_map(|a| format!("CONSTRAINT {a} CHECK ((`x` in (1,2)))"));
        prop_oneof![3 => column, 3 => key, 1 => foreign, 1 => check]
    }

    proptest! {
        #[test]
        fn nothing_is_lost_between_the_table_and_what_comes_later(items in prop::collection::vec(item(), 0..12)) {
            let all = ["`id` int", "PRIMARY KEY (`id`)"].into_iter().map(str::to_owned).chain(items);
            let all: Vec<String> = all.collect();
            let create = |items: &[String]| format!("CREATE TABLE `t` (\n  {}\n) ENGINE=InnoDB COMMENT='x'", items.join(",\n  "));
            let definition = read(&create(&all)).expect("understood");
            let is_key = |i: &String| ["KEY", "UNIQUE", "FULLTEXT", "SPATIAL"].iter().any(|k| i.starts_with(k));
            let is_foreign = |i: &String| i.contains(" FOREIGN KEY ");
            let stays: Vec<String> = all.iter().filter(|i| !is_key(i) && !is_foreign(i)).cloned().collect();
            prop_assert_eq!(tokens(&definition.create(&[Later::Keys, Later::Foreign])), tokens(create(&stays).as_bytes()));
            prop_assert_eq!(tokens(&definition.create(&[])), tokens(create(&all).as_bytes()));
            let is_fulltext = |i: &&String| i.starts_with("FULLTEXT");
            let (single, together): (Vec<_>, Vec<_>) = all.iter().filter(|i| is_key(i)).partition(is_fulltext);
            let foreign: Vec<&String> = all.iter().filter(|i| is_foreign(i)).collect();
            let keys = [together].into_iter().chain(single.into_iter().map(|i| vec![i]));
            for (what, groups) in [(Later::Keys, keys.collect::<Vec<_>>()), (Later::Foreign, vec![foreign])] {
                let groups: Vec<_> = groups.into_iter().filter(|group| !group.is_empty()).collect();
                prop_assert_eq!(definition.has(what), !groups.is_empty());
                let added = |group: &Vec<&String>| group.iter().map(|i| format!("ADD {i}")).collect::<Vec<_>>().join(", ");
                let wanted: Vec<_> = groups.iter().map(|group| tokens(format!("ALTER TABLE `t` {}", added(group)).as_bytes())).collect();
                prop_assert_eq!(definition.alter(what).iter().map(|alter| tokens(alter)).collect::<Vec<_>>(), wanted);
            }
        }

        #[test]
        fn bytes_of_any_kind_never_panic(text in "CREATE TABLE `t`[ (),`'a-z*/!0-9]{0,60}") {
            if let Some(definition) = read(&text) {
                definition.create(&[Later::Keys]);
            }
        }
    }
}
