//! SQL cut into statements, and what each of them means for the order of the work.

use std::io::{self, Write};

use tokio::sync::mpsc::Sender;

use super::keys::Definition;
use super::session_vars;
use crate::engine::mysql::sql::lexer::{Syntax, Token};
use crate::engine::mysql::sql::splitter::{Between, Splitter, Visitor};
use crate::engine::mysql::sql::statement::{self, Object, SpannedToken, StatementInfo, Verb};

/// Rows are handed over in pieces of this many bytes, and few more.
const PIECE: usize = 128 << 10;
/// So many bytes are looked at in one go; of each it is known where its last row ends.
const SLICE: usize = 32 << 10;

/// A statement of the dump.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) kind: StatementKind,
    /// The whole of it, without its delimiter.
    pub(super) sql: Vec<u8>,
    /// How much of it is no rows.
    pub(super) head: usize,
}

/// What a statement means for the order of the work.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum StatementKind {
    /// `INSERT INTO table VALUES ...`. Plain ones may change places.
    Rows { table: String, plain: bool },
    /// `SET` of these session variables, and of the user's.
    Set(Vec<String>),
    /// What several sessions do on their own: locks, transactions.
    Ours,
    /// `ALTER TABLE ... DISABLE KEYS`, `ENABLE KEYS`.
    SwitchKeys(String),
    /// `CREATE TABLE`, taken apart where it can be.
    Table { name: String, definition: Option<Box<Definition>> },
    /// A trigger is made, on this table, or dropped.
    Trigger { on: Option<String> },
    /// A table, view or sequence is dropped.
    Drop(String),
    /// It needs nothing of what stands before it: a sequence, a view that stands in for one to come.
    Alone,
    /// It may need all that stands before it.
    After,
    /// It may change its session in a way that other sessions can't be given: from here on there is one.
    Unknown,
}

/// Takes SQL, and hands over its statements.
pub(super) struct Script {
    splitter: Splitter,
    out: Collector,
}

impl Script {
    pub(super) fn new(statements: Sender<Statement>) -> Self {
        Self::in_pieces(statements, PIECE)
    }

    fn in_pieces(statements: Sender<Statement>, piece: usize) -> Self {
        let out = Collector {
            statements,
            piece,
            now: None,
            delimiter: 0,
            borders: Vec::new(),
            beyond_rows: false,
            before: 0,
            likely: 0,
            gone: false,
        };
        Self { splitter: Splitter::without_rows(), out }
    }
}

impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for slice in bytes.chunks(SLICE) {
            self.splitter.push(slice, &mut self.out);
        }
        if self.out.gone { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(bytes.len()) }
    }

    /// The end of the SQL: what was held back goes on.
    fn flush(&mut self) -> io::Result<()> {
        self.splitter.finish(&mut self.out);
        if self.out.gone { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }
}

struct Collector {
    statements: Sender<Statement>,
    now: Option<Statement>,
    /// Bytes of the delimiter that ends the current statement.
    delimiter: usize,
    piece: usize,
    /// Where rows end, at least a piece apart.
    borders: Vec<usize>,
    /// Something stands behind the rows.
    beyond_rows: bool,
    /// The length of the statement before the last bytes.
    before: usize,
    /// How long the next rows will be, most likely.
    likely: usize,
    /// Nobody takes statements any more.
    gone: bool,
}

impl Visitor for Collector {
    fn between(&mut self, _: Between, _: &[u8]) {}

    fn head(&mut self, head: &[u8], syntax: &Syntax) {
        let kind = kind(head, syntax);
        let room = if matches!(kind, StatementKind::Rows { .. }) { self.likely } else { head.len() + 16 };
        let mut sql = Vec::with_capacity(room);
        sql.extend_from_slice(head);
        self.now = Some(Statement { kind, sql, head: head.len() });
        self.delimiter = syntax.delimiter().len();
        self.borders.clear();
        self.beyond_rows = false;
    }

    fn more(&mut self, bytes: &[u8]) {
        if let Some(now) = &mut self.now {
            self.before = now.sql.len();
            now.sql.extend_from_slice(bytes);
        }
    }

    fn row_ended(&mut self, at: usize) {
        let border = self.before + at;
        if border >= self.borders.last().unwrap_or(&0) + self.piece {
            self.borders.push(border);
        }
    }

    fn rows(&mut self, _: u64, _: u64) {}

    fn beyond_rows(&mut self) {
        self.beyond_rows = true;
    }

    fn end(&mut self, _: u64) {
        let Some(mut statement) = self.now.take() else { return };
        statement.sql.truncate(statement.sql.len() - self.delimiter.min(statement.sql.len()));
        if let StatementKind::Rows { plain, .. } = &mut statement.kind {
            *plain &= !self.beyond_rows;
            self.likely = statement.sql.len() + statement.sql.len() / 16;
            if *plain && !self.borders.is_empty() {
                return self.send_pieces(&statement);
            }
        }
        self.send(statement);
    }
}

impl Collector {
    fn send(&mut self, statement: Statement) {
        if !self.gone {
            self.gone = self.statements.blocking_send(statement).is_err();
        }
    }

    /// Rows in pieces, each a statement of its own: the less a session has in hand, the less memory it takes.
    fn send_pieces(&mut self, whole: &Statement) {
        let Statement { kind: StatementKind::Rows { table, plain }, sql, head } = whole else { return };
        let mut start = *head;
        let borders = std::mem::take(&mut self.borders);
        for end in borders.into_iter().filter(|end| *end < sql.len()).chain([sql.len()]) {
            let next = sql[end..].trim_ascii_start().strip_prefix(b",");
            // A comment, or nothing more: what stands there goes with the rows before it.
            if next.is_none() && end < sql.len() {
                continue;
            }
            let kind = StatementKind::Rows { table: table.clone(), plain: *plain };
            self.send(Statement { kind, sql: [&sql[..*head], &sql[start..end]].concat(), head: *head });
            start = sql.len() - next.map_or(0, <[u8]>::len);
        }
    }
}

fn kind(head: &[u8], syntax: &Syntax) -> StatementKind {
    let subject = statement::subject(head, syntax);
    let name = || subject.name.clone().unwrap_or_default();
    match (subject.verb, subject.object) {
        (Verb::Insert, _) => rows(head, syntax, &subject).unwrap_or(StatementKind::After),
        (Verb::Set, _) => session_vars::names(head, syntax).map_or(StatementKind::Unknown, StatementKind::Set),
        (Verb::Lock, _) => StatementKind::Ours,
        (Verb::Create, Object::Table) if has(head, syntax, "temporary") => StatementKind::Unknown,
        (Verb::Create, Object::Table) => {
            StatementKind::Table { name: name(), definition: Definition::read(head, syntax).map(Box::new) }
        }
        (Verb::Alter, Object::Table) if statement::switches_keys(head, syntax) => StatementKind::SwitchKeys(name()),
        (Verb::Create | Verb::Drop, Object::Trigger) => StatementKind::Trigger { on: subject.on },
        (Verb::Drop, Object::Table | Object::View | Object::Sequence) => StatementKind::Drop(name()),
        (Verb::Create, Object::Sequence) => StatementKind::Alone,
        (Verb::Create, Object::View) if !has(head, syntax, "from") => StatementKind::Alone,
        (Verb::Create | Verb::Drop | Verb::Alter, _) => StatementKind::After,
        _ => other(head, syntax),
    }
}

fn has(head: &[u8], syntax: &Syntax, word: &str) -> bool {
    statement::pieces(head, syntax).any(|p| p.is(word))
}

/// A head that ends where the rows begin: `INSERT INTO t (a, b) VALUES`.
fn rows(head: &[u8], syntax: &Syntax, subject: &StatementInfo) -> Option<StatementKind> {
    let pieces: Vec<SpannedToken<'_>> = statement::pieces(head, syntax).collect();
    let before = pieces.iter().take_while(|p| p.at < subject.name_at.start);
    let plain = pieces[0].is("insert") && before.clone().skip(1).all(|p| p.is("into"));
    let after: Vec<_> = pieces.iter().skip_while(|p| p.at < subject.name_at.end).collect();
    let (last, columns) = after.split_last()?;
    let listed = match columns {
        [] => true,
        [first, .., last] => first.is_symbol(b'(') && last.is_symbol(b')'),
        [_] => false,
    };
    let to_rows = (last.is("values") || last.is("value")) && last.end() == head.len() && listed;
    to_rows.then(|| StatementKind::Rows { table: subject.name.clone().unwrap_or_default(), plain })
}

/// What is neither about an object nor a setting. Variables of the user's may be given values in many ways.
fn other(head: &[u8], syntax: &Syntax) -> StatementKind {
    let pieces: Vec<_> = statement::pieces(head, syntax).take(1 << 16).collect();
    let first = |words: &[&str]| pieces.first().is_some_and(|p| words.iter().any(|word| p.is(word)));
    if first(&["unlock", "commit", "begin"]) || first(&["start"]) && pieces.get(1).is_some_and(|p| p.is("transaction"))
    {
        return StatementKind::Ours;
    }
    let known = [
        "select", "do", "analyze", "optimize", "check", "repair", "grant", "revoke", "flush", "truncate", "delete",
        "update",
    ];
    let variables = pieces.iter().any(|p| p.is_symbol(b'@') || p.token == Token::Broken);
    if first(&known) && !variables { StatementKind::After } else { StatementKind::Unknown }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::sync::mpsc::channel;

    use super::*;

    fn statements(text: &[u8], chunk: usize) -> Vec<Statement> {
        in_pieces(text, chunk, PIECE)
    }

    fn in_pieces(text: &[u8], chunk: usize, piece: usize) -> Vec<Statement> {
        let (sender, mut receiver) = channel(1 << 12);
        let mut script = Script::in_pieces(sender, piece);
        for bytes in text.chunks(chunk) {
            script.write_all(bytes).expect("written");
        }
        script.flush().expect("finished");
        drop(script);
        std::iter::from_fn(|| receiver.blocking_recv()).collect()
    }

    fn of(text: &str) -> StatementKind {
        let mut all = statements(format!("{text};").as_bytes(), 7);
        assert_eq!(all.len(), 1, "{text}");
        all.remove(0).kind
    }

    #[test]
    fn each_statement_of_a_dump_has_its_place() {
        let rows = |plain| StatementKind::Rows { table: "t".into(), plain };
        for (text, kind) in [
            ("INSERT INTO `t` VALUES (1,'a;b'),(2,'on duplicate')", rows(true)),
            ("INSERT INTO `t` (`a`, `b`) VALUES (1)", rows(true)),
            ("INSERT INTO `t` VALUES (1) ON DUPLICATE KEY UPDATE a = VALUES(a)", rows(false)),
            ("INSERT INTO `t` VALUES (1) /*!50000 ON DUPLICATE KEY UPDATE a = (1) */", rows(false)),
            ("INSERT IGNORE INTO `t` VALUES (1)", rows(false)),
            ("REPLACE INTO `t` VALUES (1)", rows(false)),
            ("INSERT INTO t SELECT value FROM u", StatementKind::After),
            ("INSERT INTO t SET a = 1", StatementKind::After),
            ("/*!40014 SET UNIQUE_CHECKS=0 */", StatementKind::Set(vec!["unique_checks".into()])),
            ("SET ROLE x", StatementKind::Unknown),
            ("LOCK TABLES `t` WRITE", StatementKind::Ours),
            ("UNLOCK TABLES", StatementKind::Ours),
            ("START TRANSACTION", StatementKind::Ours),
            ("/*!40000 ALTER TABLE `t` DISABLE KEYS */", StatementKind::SwitchKeys("t".into())),
            ("ALTER TABLE `t` ADD KEY `keys` (a)", StatementKind::After),
            ("CREATE TABLE `t` (`a` int)", StatementKind::Table { name: "t".into(), definition: None }),
            ("CREATE TEMPORARY TABLE `t` (`a` int)", StatementKind::Unknown),
            (
                "/*!50003 CREATE*/ /*!50003 TRIGGER x BEFORE INSERT ON `t` FOR EACH ROW SET @a=1 */",
                StatementKind::Trigger { on: Some("t".into()) },
            ),
            ("DROP TRIGGER IF EXISTS `x`", StatementKind::Trigger { on: None }),
            ("/*!50001 DROP VIEW IF EXISTS `v`*/", StatementKind::Drop("v".into())),
            ("/*!50001 CREATE VIEW `v` AS SELECT 1 AS `from`*/", StatementKind::Alone),
            ("/*!50001 CREATE VIEW `v` AS select `a` from `t` */", StatementKind::After),
            ("CREATE PROCEDURE p() SELECT 1", StatementKind::After),
            ("SELECT SETVAL(`s`, 1, 0)", StatementKind::After),
            ("SELECT 1 INTO @a", StatementKind::Unknown),
            ("CALL p()", StatementKind::Unknown),
        ] {
            assert_eq!(of(text), kind, "{text}");
        }
    }

    #[test]
    fn a_delimiter_is_nobodys_statement() {
        let text = "-- x\nDELIMITER ;;\nCREATE PROCEDURE p() BEGIN SELECT 1; END ;;\nDELIMITER ;\n/*!999999\\- enable the sandbox mode */ \nSELECT 2;";
        let all: Vec<_> =
            statements(text.as_bytes(), 5).into_iter().map(|s| String::from_utf8(s.sql).expect("text")).collect();
        assert_eq!(all, ["CREATE PROCEDURE p() BEGIN SELECT 1; END ", "SELECT 2"]);
    }

    #[test]
    fn rows_that_are_not_plain_stay_together() {
        for tail in [" ON DUPLICATE KEY UPDATE a = 1", " AS new"] {
            let text = format!("INSERT INTO t VALUES (1),(2),(3){tail};");
            let all = in_pieces(text.as_bytes(), 4, 4);
            assert_eq!(all.len(), 1);
            assert_eq!(all[0].sql, text.trim_end_matches(';').as_bytes());
        }
    }

    proptest! {
        #[test]
        fn pieces_hold_all_rows_in_their_order(
            rows in prop::collection::vec("\\([0-9]{1,3},'[a-z(),;\n]{0,9}'\\)", 1..30),
            between in "(,|,\n|, /\\* \\),\\( \\*/ | ,\n  )",
            (piece, chunk) in (1..60_usize, 1..60_usize),
        ) {
            let head = "INSERT INTO `t` (`a`, `b`) VALUES";
            let all = in_pieces(format!("{head} {};", rows.join(&between)).as_bytes(), chunk, piece);
            let mut found = Vec::new();
            for statement in all {
                let text = String::from_utf8(statement.sql).expect("text");
                let rows = text.strip_prefix(head).expect("the same head").trim().to_owned();
                prop_assert!(rows.starts_with(['(', '/']) && rows.ends_with(')'), "{rows}");
                found.push(rows);
            }
            let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join("");
            prop_assert_eq!(squeezed(&found.join(",")), squeezed(&rows.join(&between)));
        }

        #[test]
        fn any_chunking_gives_the_same_statements(text in crate::engine::mysql::sql::splitter::tests::script(), chunk in 1..50_usize) {
            prop_assert_eq!(statements(text.as_bytes(), chunk), statements(text.as_bytes(), text.len().max(1)));
        }
    }
}
