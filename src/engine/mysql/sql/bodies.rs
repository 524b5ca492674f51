//! Whether what the client sends as one statement is one for the server, too. Clients ask servers to take several at once,
//! so behind a `DELIMITER //` another statement may follow the `;` that ends a body.
//!
//! Blocks are opened where a statement may begin, and nowhere else: `begin` and `end` may be names as well. What is not
//! understood counts as several.

use std::ops::Range;

use super::doubts::dollar_tag;
use super::lexer::{Syntax, Token};
use super::statement::{self, SpannedToken};

/// What a body is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Routine {
    Procedure,
    Function,
    Trigger,
    Event,
    Package,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    Begin,
    If,
    /// The statement; the expression ends otherwise.
    Case,
    CaseExpression,
    Loop,
    Repeat,
    /// `WHILE` and MariaDB's `FOR`, before their `DO` and behind it.
    Head(&'static str),
    Do(&'static str),
    Package,
}

/// Words between a routine's parameters and its body.
const CHARACTERISTICS: &str =
    "comment language sql not deterministic contains no reads modifies data security definer invoker";

/// Words behind the type that a function returns.
const OF_TYPE: &str = "unsigned signed zerofill binary ascii unicode byte precision varying character charset set collate utf8 \
    utf8mb3 utf8mb4 latin1";

/// Whether statements follow one another in what is no body: a semicolon, and more.
pub(crate) fn follow(pieces: &[SpannedToken<'_>]) -> bool {
    pieces.iter().rev().skip_while(|piece| piece.is_symbol(b';')).any(|piece| piece.is_symbol(b';'))
}

/// Whether more follows the body that stands behind a name, which ends at this piece.
pub(crate) fn follow_body(pieces: &[SpannedToken<'_>], name_end: usize, routine: Routine) -> bool {
    if !follow(pieces) {
        return false;
    }
    if let Some(rest) = behind_javascript(pieces) {
        return rest.iter().any(|piece| !piece.is_symbol(b';'));
    }
    let Some(start) = body(pieces, name_end, routine) else { return true };
    let mut walk = Walk::new(&pieces[start..]);
    if routine == Routine::Package {
        walk.blocks.push(Block::Package);
    }
    walk.run()
}

/// The semicolons between a body and the end of the versioned comment that holds it. A server keeps the semicolon of a body
/// that came together with other statements, dump programs write it there, and no server reads it: the comment is open.
pub(crate) fn spare_semicolons(head: &[u8], syntax: &Syntax) -> Option<Range<usize>> {
    let pieces: Vec<_> = statement::pieces(head, syntax).collect();
    let spare = |piece: &&SpannedToken<'_>| piece.is_symbol(b';') && piece.bracket % 2 == 1;
    let (last, first) = (pieces.last().filter(spare)?, pieces.iter().rev().take_while(spare).last()?);
    Some(first.at..last.at + 1)
}

fn is_one_of(piece: &SpannedToken<'_>, words: &str) -> bool {
    words.split_ascii_whitespace().any(|word| piece.is(word))
}

/// Where the body begins.
fn body(pieces: &[SpannedToken<'_>], name_end: usize, routine: Routine) -> Option<usize> {
    let rest = pieces.get(name_end..)?;
    let behind = match routine {
        Routine::Trigger => {
            let row = rest.windows(3).position(|w| w[0].is("for") && w[1].is("each") && w[2].is("row"))? + 3;
            let ordered = rest.get(row).is_some_and(|piece| is_one_of(piece, "follows precedes"));
            if ordered { row + 2 } else { row }
        }
        Routine::Event => rest.iter().position(|piece| piece.is("do"))? + 1,
        Routine::Package => rest.iter().position(|piece| is_one_of(piece, "as is"))? + 1,
        Routine::Procedure | Routine::Function => {
            let mut at = behind_brackets(rest, 0)?;
            if routine == Routine::Function && rest.get(at).is_some_and(|piece| is_one_of(piece, "returns return")) {
                at = behind_type(rest, at + 1)?;
            }
            let is_characteristic =
                |piece: &SpannedToken<'_>| is_one_of(piece, CHARACTERISTICS) || matches!(piece.token, Token::Quoted(_));
            at + rest[at..].iter().take_while(|piece| is_characteristic(piece)).count()
        }
    };
    Some(name_end + behind)
}

/// Behind the body of a routine of MySQL's in JavaScript, a string between dollars. No other server takes a statement with these
/// words.
fn behind_javascript<'p, 'a>(pieces: &'p [SpannedToken<'a>]) -> Option<&'p [SpannedToken<'a>]> {
    let head = pieces.iter().position(|piece| piece.is_symbol(b';'))?;
    let language = pieces[..head].windows(2).position(|pair| pair[0].is("language") && pair[1].is("javascript"))?;
    let start = language + pieces[language..head].iter().position(|piece| piece.is("as"))? + 1;
    let tag = dollar_tag(pieces.get(start)?.text)?;
    let end = pieces[start + 1..].iter().position(|piece| piece.text.starts_with(tag))?;
    Some(&pieces[start + end + 2..])
}

/// Behind the brackets that open here.
fn behind_brackets(pieces: &[SpannedToken<'_>], at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, piece) in pieces.iter().enumerate().skip(at) {
        match piece.token {
            Token::Symbol(b'(') => depth += 1,
            Token::Symbol(b')') => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return piece.is_symbol(b')').then_some(index + 1);
        }
    }
    None
}

/// Behind `varchar(10) CHARSET utf8mb4 COLLATE utf8mb4_bin`.
fn behind_type(pieces: &[SpannedToken<'_>], mut at: usize) -> Option<usize> {
    at += 1;
    while let Some(piece) = pieces.get(at) {
        match () {
            () if piece.is_symbol(b'(') => at = behind_brackets(pieces, at)?,
            () if pieces[at - 1].is("charset") || pieces[at - 1].is("set") || pieces[at - 1].is("collate") => at += 1,
            () if is_one_of(piece, OF_TYPE) => at += 1,
            () => break,
        }
    }
    Some(at)
}

/// Goes through a body.
#[expect(clippy::struct_excessive_bools, reason = "each is about where the walk stands")]
struct Walk<'p, 'a> {
    pieces: &'p [SpannedToken<'a>],
    at: usize,
    blocks: Vec<Block>,
    /// A statement may begin here.
    starts: bool,
    /// In a `DECLARE`; in one of a handler, behind its `FOR`.
    declares: bool,
    handler: bool,
    /// Within a package: behind `PROCEDURE`, and behind the `AS` that follows it.
    routine: bool,
    /// Declarations may stand here, before `BEGIN`.
    declarations: bool,
    depth: u32,
}

impl<'p, 'a> Walk<'p, 'a> {
    fn new(pieces: &'p [SpannedToken<'a>]) -> Self {
        Self {
            pieces,
            at: 0,
            blocks: Vec::new(),
            starts: true,
            declares: false,
            handler: false,
            routine: false,
            declarations: false,
            depth: 0,
        }
    }

    fn next_is(&self, words: &str) -> bool {
        self.pieces.get(self.at + 1).is_some_and(|piece| is_one_of(piece, words))
    }

    fn is_behind(&self, word: &str) -> bool {
        self.at.checked_sub(1).is_some_and(|before| self.pieces[before].is(word))
    }

    /// Whether more follows the body.
    fn run(mut self) -> bool {
        // Oracle's way: declarations, and then BEGIN.
        if self.pieces.first().is_some_and(|piece| is_one_of(piece, "as is")) {
            self.declarations =
                self.pieces.get(1).is_some_and(|piece| piece.token == Token::Word && !piece.text.starts_with(b"$"));
            self.at = 1;
        }
        while let Some(piece) = self.pieces.get(self.at) {
            if piece.is_symbol(b';') {
                if self.blocks.is_empty() && !self.declarations {
                    return self.pieces[self.at..].iter().any(|piece| !piece.is_symbol(b';'));
                }
                self.routine &= self.declarations;
                (self.starts, self.declares, self.handler) = (true, false, false);
            } else if !self.piece(piece) {
                return true;
            }
            self.at += 1;
        }
        false
    }

    /// False where a block ends as another one.
    fn piece(&mut self, piece: &SpannedToken<'_>) -> bool {
        let before = self.at.checked_sub(1).map(|before| &self.pieces[before]);
        let is_part = before.is_some_and(|before| before.is_symbol(b'.') || before.is_symbol(b'@'));
        let starts = std::mem::take(&mut self.starts);
        match piece.token {
            Token::Symbol(b'(') => self.depth += 1,
            Token::Symbol(b')') => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        if is_part {
            return true;
        }
        if starts && self.is_label() {
            self.at += 1;
            self.starts = true;
            return true;
        }
        if piece.is("end") {
            return self.end(starts);
        }
        let handles = self.handler && before.is_some_and(|before| !before.is("for") && !before.is_symbol(b','));
        if starts || handles {
            self.statement(piece);
        } else {
            self.within(piece);
        }
        true
    }

    /// `x: BEGIN`, but not `x := 1`.
    fn is_label(&self) -> bool {
        let next = |by: usize, symbol| self.pieces.get(self.at + by).is_some_and(|piece| piece.is_symbol(symbol));
        next(1, b':') && !next(2, b'=')
    }

    /// A word that a statement may begin with.
    fn statement(&mut self, piece: &SpannedToken<'_>) {
        let in_package = self.blocks.last() == Some(&Block::Package);
        let opened = match () {
            () if piece.is("begin") && in_package && !self.declarations => {
                // Its own, which ends with it.
                self.starts = true;
                return;
            }
            () if piece.is("begin") => Block::Begin,
            () if piece.is("if") => Block::If,
            () if piece.is("case") => Block::Case,
            () if piece.is("loop") => Block::Loop,
            () if piece.is("repeat") => Block::Repeat,
            () if piece.is("while") => Block::Head("while"),
            () if piece.is("for") => Block::Head("for"),
            () => {
                self.declares |= piece.is("declare");
                self.routine |= in_package && is_one_of(piece, "procedure function");
                return;
            }
        };
        self.handler = false;
        (self.declarations, self.routine) = (false, false);
        self.starts = matches!(opened, Block::Begin | Block::Loop | Block::Repeat);
        self.blocks.push(opened);
    }

    /// A word within a statement.
    fn within(&mut self, piece: &SpannedToken<'_>) {
        let top = self.blocks.last().copied();
        match top {
            _ if piece.is("case") => self.blocks.push(Block::CaseExpression),
            Some(Block::If | Block::Case | Block::Begin) if is_one_of(piece, "then else") => self.starts = true,
            Some(Block::Head(word)) if piece.is("do") => {
                self.blocks.pop();
                self.blocks.push(Block::Do(word));
                self.starts = true;
            }
            _ if self.declares && piece.is("for") && self.is_behind("handler") => self.handler = true,
            _ if self.routine && self.depth == 0 && is_one_of(piece, "as is") => {
                (self.declarations, self.starts) = (true, true);
            }
            _ => {}
        }
    }

    /// `END`, with the word that says of what.
    fn end(&mut self, starts: bool) -> bool {
        const ENDS: &str = "if case loop repeat while for";
        let ends = |word: &str| self.next_is(word);
        let fits = match self.blocks.last() {
            Some(Block::CaseExpression) => {
                self.blocks.pop();
                return true;
            }
            Some(Block::Repeat) => ends("repeat"),
            // A name.
            _ if !starts => return true,
            Some(Block::Begin | Block::Package) => !ends(ENDS),
            Some(Block::If) => ends("if"),
            Some(Block::Case) => ends("case"),
            Some(Block::Loop) => ends("loop"),
            Some(Block::Do(word)) => ends(word),
            Some(Block::Head(_)) | None => false,
        };
        self.at += usize::from(self.next_is(ENDS));
        self.blocks.pop();
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn several(text: &str) -> bool {
        let mut syntax = Syntax::new();
        syntax.delimit(b"//");
        let pieces: Vec<_> = statement::pieces(text.as_bytes(), &syntax).collect();
        let (routine, word) = [
            (Routine::Package, "package"),
            (Routine::Procedure, "procedure"),
            (Routine::Function, "function"),
            (Routine::Trigger, "trigger"),
            (Routine::Event, "event"),
        ]
        .into_iter()
        .find(|(_, word)| pieces.iter().any(|piece| piece.is(word)))
        .expect("a routine");
        let name = pieces.iter().position(|piece| piece.is(word)).expect("it") + 1;
        follow_body(&pieces, name + 1, routine)
    }

    #[test]
    fn a_body_is_one_statement() {
        for body in [
            "CREATE PROCEDURE p() SELECT 1",
            "CREATE PROCEDURE p() SELECT 1;",
            "CREATE PROCEDURE p(IN a int, OUT b varchar(10)) COMMENT 'x' READS SQL DATA BEGIN SELECT 1; END",
            "CREATE PROCEDURE p() x: BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION, 1062 BEGIN ROLLBACK; END; SELECT 1; END x;",
            "CREATE PROCEDURE p() BEGIN DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1; y: LOOP LEAVE y; END LOOP y; END",
            "CREATE PROCEDURE p() BEGIN IF a THEN SELECT IF(1, 2, 3); ELSEIF b THEN BEGIN END; ELSE SELECT 2; END IF; END",
            "CREATE PROCEDURE p() BEGIN CASE a WHEN 1 THEN SELECT CASE WHEN b THEN 1 ELSE 2 END; ELSE SELECT 1; END CASE; END",
            "CREATE PROCEDURE p() BEGIN WHILE a < 3 DO SET a = a + 1; END WHILE; REPEAT SET b = 1; UNTIL b END REPEAT; DO SLEEP(0); END",
            "CREATE PROCEDURE p() BEGIN FOR i IN 1 .. 3 DO SELECT i; END FOR; END",
            "CREATE PROCEDURE p() IF a THEN SELECT 1; END IF",
            "CREATE PROCEDURE p() BEGIN SELECT start, end FROM t; SELECT NEW.end, t.begin, t.case FROM t; END",
            "CREATE FUNCTION f(a int) RETURNS varchar(10) CHARSET utf8mb4 COLLATE utf8mb4_bin DETERMINISTIC BEGIN SET @a = 1; RETURN 1; END",
            "CREATE FUNCTION f() RETURNS decimal(10,2) unsigned BEGIN RETURN 1; END",
            "CREATE FUNCTION f() RETURNS enum('a','b') BEGIN RETURN 1; END",
            "CREATE TRIGGER t BEFORE INSERT ON u FOR EACH ROW FOLLOWS v BEGIN SET NEW.a = 1; SET NEW.b = 2; END",
            "CREATE EVENT e ON SCHEDULE EVERY 1 DAY ON COMPLETION PRESERVE ENABLE COMMENT 'x' DO BEGIN SELECT 1; END",
            "CREATE FUNCTION f() RETURNS int DETERMINISTIC LANGUAGE JAVASCRIPT AS $$ let a = 1; return a; $$",
            "CREATE PROCEDURE p() AS x INT; BEGIN x := 1; END",
            "CREATE PACKAGE k AS PROCEDURE p(); FUNCTION f() RETURN INT; END",
            "CREATE PACKAGE k AS x INT; PROCEDURE p() AS y INT; BEGIN y := 1; END; BEGIN x := 1; END",
        ] {
            assert!(!several(body), "{body}");
        }
    }

    #[test]
    fn a_semicolon_before_the_end_of_a_versioned_comment_is_spare() {
        let mut syntax = Syntax::new();
        syntax.delimit(b";;");
        let spare = |text: &'static str| spare_semicolons(text.as_bytes(), &syntax).map(|range| &text[range]);
        assert_eq!(
            spare("/*!50003 CREATE*/ /*!50003 TRIGGER t BEFORE INSERT ON u FOR EACH ROW SET @a = ';'; */"),
            Some(";")
        );
        assert_eq!(spare("/*!50106 CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN SELECT 1; END ; ; */"), Some("; ;"));
        assert_eq!(
            spare("/*!50003 CREATE*/ /*!50003 TRIGGER t BEFORE INSERT ON u FOR EACH ROW BEGIN SET @a = 1; END */"),
            None
        );
        assert_eq!(spare("CREATE PROCEDURE p() SELECT 1;"), None);
    }

    #[test]
    fn what_follows_a_body_is_another() {
        for body in [
            "CREATE PROCEDURE p() SELECT 1; DROP TABLE t",
            "CREATE PROCEDURE p() BEGIN SELECT 1; END; DROP TABLE t",
            "CREATE PROCEDURE p(begin int) SELECT 1; DROP TABLE t; SELECT 1 end",
            "CREATE PROCEDURE p() SELECT 1 AS begin; DROP TABLE t; END",
            "CREATE PROCEDURE p() BEGIN SELECT CASE WHEN 1 THEN begin ELSE 2 END; END; DROP TABLE t",
            "CREATE PROCEDURE p() BEGIN DECLARE begin INT; DO begin; END; DROP TABLE t",
            "CREATE PROCEDURE p() BEGIN begin: LOOP LEAVE begin; END LOOP begin; END; DROP TABLE t",
            "CREATE PROCEDURE p() BEGIN DECLARE begin CONDITION FOR 1062; DECLARE EXIT HANDLER FOR begin SELECT 1; END; DROP TABLE t",
            "CREATE PROCEDURE p() BEGIN SELECT t.case, @case; END; DROP TABLE t",
            "CREATE PROCEDURE p() BEGIN SET @a := begin; END; DROP TABLE t",
            "CREATE FUNCTION f() RETURNS int RETURN 1; DROP TABLE t",
            "CREATE FUNCTION f() RETURNS int LANGUAGE JAVASCRIPT AS 'return 1'; DROP TABLE t; BEGIN",
            "CREATE FUNCTION f() RETURNS int LANGUAGE JAVASCRIPT AS $$ let a; $$; DROP TABLE t",
            "CREATE FUNCTION f() RETURNS int RETURN $$x; DROP TABLE t; SELECT 1 AS $$",
            "CREATE FUNCTION f() RETURNS int RETURN 1; SELECT LANGUAGE JAVASCRIPT AS $$ ; DROP TABLE t; $$",
            "CREATE TRIGGER begin BEFORE INSERT ON begin FOR EACH ROW SET @a = 1; DROP TABLE t",
            "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1; DROP TABLE t",
            "CREATE PACKAGE k AS PROCEDURE p(); END; DROP TABLE t",
            "CREATE PACKAGE k AS PROCEDURE p() AS BEGIN NULL; END; BEGIN SET @x = 1; END; DROP TABLE t",
            "CREATE PACKAGE k AS PROCEDURE p(); BEGIN SET @x = 1; END; DROP TABLE t",
        ] {
            assert!(several(body), "{body}");
        }
    }
}
