//! What a statement is, read from its head: verb, object, name, definer.
//!
//! Both the inspector and the filter ask the same questions, of our own dumps and of other people's.

use std::ops::Range;

use super::lexer::{Syntax, Token};

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Create,
    Drop,
    Alter,
    Insert,
    Lock,
    Set,
    Use,
    /// `CHANGE MASTER`, `STOP REPLICA`: would turn the target into a replica.
    Replication,
    Other,
}

/// To what kind of thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Object {
    Table,
    View,
    Trigger,
    /// A procedure or package.
    Routine,
    Function,
    Event,
    Sequence,
    Database,
    Other,
}

/// A statement's head, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatementInfo {
    pub(crate) verb: Verb,
    pub(crate) object: Object,
    /// The object's bare name.
    pub(crate) name: Option<String>,
    /// Where the name stands in the head, quotes and qualifier included.
    pub(crate) name_at: Range<usize>,
    /// The table that a trigger stands on.
    pub(crate) on: Option<String>,
    /// Where `DEFINER=...` stands.
    pub(crate) definer: Option<Range<usize>>,
}

/// A token that carries meaning, with its place.
#[derive(Clone, Debug)]
pub(crate) struct SpannedToken<'a> {
    pub(crate) token: Token,
    pub(crate) text: &'a [u8],
    pub(crate) at: usize,
    /// How many brackets of versioned comments stand before it.
    pub(crate) bracket: usize,
    /// The version from which on servers read it; 0 where all do.
    pub(crate) since: u32,
}

impl SpannedToken<'_> {
    pub(crate) fn end(&self) -> usize {
        self.at + self.text.len()
    }

    /// What it adds to a name that ends where it begins: the quote that was doubled, and what follows.
    fn behind_a_quote(&self) -> Option<String> {
        let Token::Quoted(quote) = self.token else { return None };
        Some(format!("{}{}", char::from(quote), self.unquoted()?))
    }

    pub(crate) fn is(&self, word: &str) -> bool {
        self.token == Token::Word && self.text.eq_ignore_ascii_case(word.as_bytes())
    }

    /// Whether it stands in a versioned comment.
    pub(crate) fn versioned(&self) -> bool {
        self.bracket % 2 == 1
    }

    pub(crate) fn is_symbol(&self, symbol: u8) -> bool {
        self.token == Token::Symbol(symbol)
    }

    /// A word, or what stands between the quotes.
    pub(crate) fn unquoted(&self) -> Option<String> {
        match self.token {
            Token::Word => Some(String::from_utf8_lossy(self.text).into_owned()),
            Token::Quoted(_) => Some(String::from_utf8_lossy(&self.text[1..self.text.len() - 1]).into_owned()),
            _ => None,
        }
    }
}

/// The pieces of a head: no white space, comments, or brackets of versioned comments.
pub(crate) fn pieces<'a>(head: &'a [u8], syntax: &'a Syntax) -> impl Iterator<Item = SpannedToken<'a>> {
    let (mut at, mut bracket, mut since) = (0, 0, 0);
    std::iter::from_fn(move || {
        loop {
            let (token, mut length) = syntax.next(&head[at..], true)?;
            let (start, open) = (at, bracket % 2 == 1);
            match token {
                Token::Open => {
                    bracket += if open { 2 } else { 1 };
                    since = version(&head[at..at + length]);
                }
                Token::Symbol(b'*') if open && head[at..].starts_with(b"*/") => {
                    (bracket, since) = (bracket + 1, 0);
                    // A comment may begin with its second half.
                    length = if head.get(at + 2) == Some(&b'*') { 1 } else { 2 };
                }
                Token::Space | Token::Comment => {}
                _ => {
                    at += length;
                    return Some(SpannedToken { token, text: &head[start..at], at: start, bracket, since });
                }
            }
            at += length;
        }
    })
}

/// Servers of `MariaDB` skip versioned comments from this version of `MySQL`'s on.
pub(crate) const NEW: u32 = 50700;

/// Of `/*!50013`; what MariaDB alone reads (`/*M!`) is newer than all.
pub(crate) fn version(open: &[u8]) -> u32 {
    if open.starts_with(b"/*M") {
        return u32::MAX;
    }
    open.iter().filter(|b| b.is_ascii_digit()).fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
}

/// The word behind which the rows of an `INSERT` stand.
pub(crate) fn announces_rows(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"values") || word.eq_ignore_ascii_case(b"value")
}

/// Takes a head apart.
pub(crate) fn subject(head: &[u8], syntax: &Syntax) -> StatementInfo {
    let mut pieces = pieces(head, syntax).peekable();
    let mut subject =
        StatementInfo { verb: Verb::Other, object: Object::Other, name: None, name_at: 0..0, on: None, definer: None };
    let Some(first) = pieces.next() else { return subject };
    subject.verb = verb(&first);
    match subject.verb {
        Verb::Create | Verb::Drop | Verb::Alter | Verb::Lock => find_object(&mut subject, &mut pieces),
        Verb::Insert => {
            subject.object = Object::Table;
            let noise = ["low_priority", "delayed", "high_priority", "ignore", "into"];
            while pieces.next_if(|p| noise.iter().any(|n| p.is(n))).is_some() {}
        }
        Verb::Use => subject.object = Object::Database,
        Verb::Other if first.is("stop") || first.is("start") => {
            if pieces.next_if(|p| p.is("slave") || p.is("replica")).is_some() {
                subject.verb = Verb::Replication;
            }
        }
        Verb::Set | Verb::Replication | Verb::Other => {}
    }
    if subject.object != Object::Other {
        // `ALTER DATABASE` knows no condition: what stands there is the name.
        let conditional = (subject.verb, subject.object) != (Verb::Alter, Object::Database);
        let condition = |p: &SpannedToken<'_>| conditional && ["if", "not", "exists"].iter().any(|n| p.is(n));
        while pieces.next_if(condition).is_some() {}
        find_name(&mut subject, &mut pieces);
    }
    if subject.object == Object::Trigger && pieces.any(|p| p.is("on")) {
        let mut table = StatementInfo { name: None, ..subject.clone() };
        find_name(&mut table, &mut pieces.peekable());
        subject.on = table.name;
    }
    subject
}

fn verb(first: &SpannedToken<'_>) -> Verb {
    let verbs = [
        ("create", Verb::Create),
        ("drop", Verb::Drop),
        ("alter", Verb::Alter),
        ("insert", Verb::Insert),
        ("replace", Verb::Insert),
        ("lock", Verb::Lock),
        ("set", Verb::Set),
        ("use", Verb::Use),
        ("change", Verb::Replication),
    ];
    verbs.iter().find(|(word, _)| first.is(word)).map_or(Verb::Other, |(_, verb)| *verb)
}

fn object(piece: &SpannedToken<'_>) -> Option<Object> {
    let objects = [
        ("table", Object::Table),
        ("tables", Object::Table),
        ("view", Object::View),
        ("trigger", Object::Trigger),
        ("procedure", Object::Routine),
        ("function", Object::Function),
        ("package", Object::Routine),
        ("event", Object::Event),
        ("sequence", Object::Sequence),
        ("database", Object::Database),
        ("schema", Object::Database),
    ];
    objects.iter().find(|(word, _)| piece.is(word)).map(|(_, object)| *object)
}

/// Up to the word that says what it is: `OR REPLACE`, `ALGORITHM`, `DEFINER`, `SQL SECURITY` stand before it.
fn find_object<'a>(
    subject: &mut StatementInfo,
    pieces: &mut std::iter::Peekable<impl Iterator<Item = SpannedToken<'a>>>,
) {
    const MAX_WORDS_BEFORE: usize = 24;
    for _ in 0..MAX_WORDS_BEFORE {
        let Some(piece) = pieces.next() else { return };
        if piece.is("definer") && pieces.next_if(|p| p.is_symbol(b'=')).is_some() {
            subject.definer = definer_end(pieces, piece.bracket).map(|end| piece.at..end);
        } else if let Some(object) = object(&piece) {
            subject.object = object;
            // `CREATE PACKAGE BODY name`
            pieces.next_if(|p| p.is("body"));
            return;
        } else if piece.is("index") || matches!(piece.token, Token::Symbol(symbol) if symbol != b'=') {
            // `CREATE INDEX i ON t ((definer = 'x'))` has columns, not a definer; and behind a sign that stands in no such
            // statement nothing may be taken out: what is left of it might become a comment.
            return;
        }
    }
}

/// `user`, `user@host`, `CURRENT_USER()`, after the equals sign, all of it within the same brackets.
fn definer_end<'a>(
    pieces: &mut std::iter::Peekable<impl Iterator<Item = SpannedToken<'a>>>,
    bracket: usize,
) -> Option<usize> {
    let named = |p: &SpannedToken<'_>| matches!(p.token, Token::Word | Token::Quoted(_));
    let mut next = |wanted: &dyn Fn(&SpannedToken<'_>) -> bool| pieces.next_if(|p| p.bracket == bracket && wanted(p));
    let mut end = next(&named)?.end();
    // A doubled backtick inside of a name reads as two quoted pieces.
    while let Some(more) = next(&|p| p.at == end && matches!(p.token, Token::Quoted(_))) {
        end = more.end();
    }
    if next(&|p| p.is_symbol(b'(')).is_some() {
        return Some(next(&|p| p.is_symbol(b')'))?.end());
    }
    if next(&|p| p.is_symbol(b'@')).is_some() {
        let host = next(&named)?;
        end = host.end();
        // An unquoted host name has dots; one in quotes ends with them.
        let goes_on = |p: &SpannedToken<'_>| match host.token {
            Token::Word => p.token == Token::Word || p.is_symbol(b'.'),
            _ => matches!(p.token, Token::Quoted(_)),
        };
        while let Some(more) = next(&|p| p.at == end && goes_on(p)) {
            end = more.end();
        }
    }
    Some(end)
}

/// The name that stands first, and how many pieces it takes: one with doubled quotes inside reads as several.
pub(crate) fn leading_name(pieces: &[SpannedToken<'_>]) -> Option<(String, usize)> {
    let first = pieces.first()?;
    let (mut name, mut end, mut taken) = (first.unquoted()?, first.end(), 1);
    while let Some(more) = pieces.get(taken).filter(|more| more.at == end && more.token == first.token) {
        let Some(text) = more.behind_a_quote() else { break };
        name.push_str(&text);
        (end, taken) = (more.end(), taken + 1);
    }
    Some((name, taken))
}

/// A name, a name with doubled quotes inside, or a database and a name: the last part counts.
fn find_name<'a>(
    subject: &mut StatementInfo,
    pieces: &mut std::iter::Peekable<impl Iterator<Item = SpannedToken<'a>>>,
) {
    let named = |p: &SpannedToken<'_>| matches!(p.token, Token::Word | Token::Quoted(_));
    let Some(first) = pieces.next_if(named) else { return };
    subject.name_at = first.at..first.end();
    subject.name = first.unquoted();
    loop {
        let end = subject.name_at.end;
        if let Some(more) = pieces.next_if(|p| p.at == end && matches!(p.token, Token::Quoted(_))) {
            if let (Some(name), Some(text)) = (&mut subject.name, more.behind_a_quote()) {
                name.push_str(&text);
            }
            subject.name_at.end = more.end();
        } else if pieces.next_if(|p| p.bracket == first.bracket && p.is_symbol(b'.')).is_some() {
            let Some(part) = pieces.next_if(|p| p.bracket == first.bracket && named(p)) else { return };
            subject.name_at.end = part.end();
            subject.name = part.unquoted();
        } else {
            return;
        }
    }
}

/// `ALTER TABLE t DISABLE KEYS`, `ENABLE KEYS`, and nothing else.
pub(crate) fn switches_keys(head: &[u8], syntax: &Syntax) -> bool {
    let (mut before, mut last) = (None, None);
    for piece in pieces(head, syntax) {
        before = last.replace(piece);
    }
    let switched = before.is_some_and(|what| what.is("disable") || what.is("enable"));
    switched && last.is_some_and(|keys| keys.is("keys"))
}

/// The collations that a statement names: `COLLATE x`, `COLLATE=x`, `SET collation_connection = x`.
pub(crate) fn collations<'a>(head: &'a [u8], syntax: &'a Syntax) -> impl Iterator<Item = SpannedToken<'a>> {
    let mut pieces = pieces(head, syntax).peekable();
    let sets = pieces.peek().is_some_and(|first| first.is("set"));
    // The symbols right before a piece: `@collate` is the user's, `@@collation_connection` the server's.
    let mut before = [0; 2];
    std::iter::from_fn(move || {
        loop {
            let piece = pieces.next()?;
            let symbols = before;
            before = [symbols[1], if let Token::Symbol(symbol) = piece.token { symbol } else { 0 }];
            let clause = piece.is("collate") && !matches!(symbols[1], b'@' | b'.');
            let variable = sets && piece.is("collation_connection") && (symbols[1] != b'@' || symbols[0] == b'@');
            if !(clause || variable) {
                continue;
            }
            let equals = pieces.next_if(|p| p.is_symbol(b'=')).is_some();
            let name = pieces.next_if(|p| (clause || equals) && matches!(p.token, Token::Word | Token::Quoted(_)));
            before = [0; 2];
            if name.is_some() {
                return name;
            }
        }
    })
}

/// Whether backslashes escape after this statement: none when it is no `SET sql_mode`.
pub(crate) fn backslash_after(head: &[u8], syntax: &Syntax) -> Option<bool> {
    let value = sql_mode(head, syntax)?;
    let value = head[value].to_ascii_uppercase();
    Some(memchr::memmem::find(&value, b"NO_BACKSLASH_ESCAPES").is_none())
}

/// Whether double quotes are those of names after this statement: none when it is no `SET sql_mode`, or takes a variable's.
pub(crate) fn ansi_quotes_after(head: &[u8], syntax: &Syntax) -> Option<bool> {
    Some(has_ansi_quotes(&head[sql_mode(head, syntax)?].to_ascii_uppercase()))
}

/// Whether double quotes are those of names in one of these modes, in capital letters.
pub(crate) fn has_ansi_quotes(modes: &[u8]) -> bool {
    const QUOTING: [&[u8]; 6] = [b"ANSI", b"DB2", b"MAXDB", b"MSSQL", b"ORACLE", b"POSTGRESQL"];
    QUOTING.iter().any(|mode| memchr::memmem::find(modes, mode).is_some())
}

/// Where the value of `SET ... sql_mode = ...` stands: a string, or the variable that the old mode was saved in.
pub(crate) fn sql_mode(head: &[u8], syntax: &Syntax) -> Option<Range<usize>> {
    let mut pieces = pieces(head, syntax);
    pieces.next().filter(|p| p.is("set"))?;
    let mut after_at = false;
    while let Some(piece) = pieces.next() {
        // `@OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='...'`: only the last of the three is an assignment to the mode.
        if piece.is("sql_mode") && !after_at {
            let mut equals = pieces.next()?;
            if equals.is_symbol(b':') {
                equals = pieces.next()?;
            }
            if equals.is_symbol(b'=') {
                let value = pieces.next()?;
                return Some(value.at..value.end());
            }
        }
        after_at = piece.is_symbol(b'@') && piece.at.checked_sub(1).is_none_or(|i| head[i] != b'@') && {
            // `@@sql_mode = ` and `@@session.sql_mode = ` are assignments too.
            head.get(piece.end()) != Some(&b'@')
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::mysql::restore::rewrite::scripts::DEFINERS;

    fn of(text: &str) -> StatementInfo {
        subject(text.as_bytes(), &Syntax::new())
    }

    #[test]
    fn verbs_objects_and_names() {
        let table = [
            ("CREATE TABLE `we``ird; na(me` (", Verb::Create, Object::Table, "we`ird; na(me"),
            ("/*!50001 DROP VIEW IF EXISTS `v`*/", Verb::Drop, Object::View, "v"),
            ("INSERT IGNORE INTO `shop`.`t` (a) VALUES", Verb::Insert, Object::Table, "t"),
            ("REPLACE users VALUES", Verb::Insert, Object::Table, "users"),
            ("LOCK TABLES `t` WRITE", Verb::Lock, Object::Table, "t"),
            ("/*!40000 ALTER TABLE `t` DISABLE KEYS */", Verb::Alter, Object::Table, "t"),
            ("CREATE OR REPLACE SEQUENCE s", Verb::Create, Object::Sequence, "s"),
            ("ALTER DATABASE `shop` CHARACTER SET x", Verb::Alter, Object::Database, "shop"),
            ("USE `shop`", Verb::Use, Object::Database, "shop"),
            ("CREATE DATABASE /*!32312 IF NOT EXISTS*/ `shop`", Verb::Create, Object::Database, "shop"),
            ("CREATE DEFINER=`a`@`%` FUNCTION `fn`(x int)", Verb::Create, Object::Function, "fn"),
        ];
        for (text, verb, object, name) in table {
            let found = of(text);
            assert_eq!((found.verb, found.object, found.name.as_deref()), (verb, object, Some(name)), "{text}");
        }
    }

    #[test]
    fn definers_in_all_their_forms() {
        for definer in DEFINERS {
            for (before, after) in [
                (
                    "/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013 ",
                    " SQL SECURITY DEFINER */\n/*!50001 VIEW `v` AS select 1 */",
                ),
                ("/*!50003 CREATE*/ /*!50017 ", "*/ /*!50003 TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET @a=1 */"),
                ("CREATE ", " PROCEDURE p() SELECT 'DEFINER=`a`@`b`'"),
            ] {
                let text = format!("{before}{definer}{after}");
                let found = of(&text).definer.map(|range| text[range].to_owned());
                assert_eq!(found.as_deref(), Some(definer), "{text}");
            }
        }
        assert_eq!(of("CREATE TABLE definer (definer int)").definer, None);
        assert_eq!(of("CREATE INDEX i ON t ((definer = 'x'))").definer, None);
        assert_eq!(of("CREATE UNIQUE INDEX event ON t (a)").object, Object::Other);
    }

    #[test]
    fn a_trigger_stands_on_a_table() {
        let found = of(
            "/*!50003 CREATE*/ /*!50017 DEFINER=`r`@`l`*/ /*!50003 TRIGGER trg BEFORE INSERT ON `us``ers` FOR EACH ROW x */",
        );
        assert_eq!(found.on.as_deref(), Some("us`ers"));
    }

    #[test]
    fn collations_are_named_by_clauses_not_by_variables_and_columns() {
        let named = |text: &str| {
            let syntax = Syntax::new();
            collations(text.as_bytes(), &syntax).filter_map(|name| name.unquoted()).collect::<Vec<_>>()
        };
        assert_eq!(named("CREATE TABLE t (a int COLLATE 'x') COLLATE=y"), ["x", "y"]);
        assert_eq!(named("SET collation_connection = x, @@session.collation_connection = `y`"), ["x", "y"]);
        assert_eq!(named("SET @@collation_connection = x"), ["x"]);
        for other in [
            "SET @collation_connection = 'x'",
            "SET @collate = 'x'",
            "CREATE PROCEDURE p() IF @collate = 'x' OR t.collate = 'x' THEN SELECT 1",
            "SELECT collation_connection = 'x'",
        ] {
            assert!(named(other).is_empty(), "{other}");
        }
    }

    #[test]
    fn the_mode_that_changes_what_a_backslash_is() {
        let after = |text: &str| backslash_after(text.as_bytes(), &Syntax::new());
        assert_eq!(after("/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */"), Some(true));
        assert_eq!(after("/*!50003 SET sql_mode              = 'ANSI,NO_BACKSLASH_ESCAPES' */ "), Some(false));
        assert_eq!(after("SET SESSION sql_mode := 'no_backslash_escapes'"), Some(false));
        assert_eq!(after("SET @@session.sql_mode = 'NO_BACKSLASH_ESCAPES'"), Some(false));
        assert_eq!(after("/*!50003 SET sql_mode = @saved_sql_mode */"), Some(true));
        assert_eq!(after("/*!50003 SET @saved_sql_mode       = @@sql_mode */"), None);
        assert_eq!(after("SELECT sql_mode = 'NO_BACKSLASH_ESCAPES'"), None);
    }
}
