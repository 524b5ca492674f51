//! A dump cut into statements while it streams by, in bounded memory and at the speed of the disk.
//!
//! Of each statement the *head* is held together: all of it, as a rule, or for an `INSERT` what stands before its
//! rows. Rows, and whatever is longer than [`LONGEST_HEAD`], run through in the pieces in which they come.
//! What a border between two chunks cuts in half is carried over into the next.

use memchr::{memchr, memchr2, memmem};

use super::buffer::{Buffer, mark, new_delimiter, sandbox};
use super::lexer::{StringEnd, Syntax, Token, in_word};
use super::{doubts, gate, statement};
use crate::engine::RowSum;

/// The most that is held together: a `CREATE TABLE` of 4096 columns fits.
pub(crate) const LONGEST_HEAD: usize = 1 << 20;

/// Somebody who is shown a dump piece by piece. All pieces together are the dump, byte for byte.
pub(crate) trait Visitor {
    /// Something that stands between two statements.
    fn between(&mut self, what: Between, bytes: &[u8]);
    /// A statement begins: its head, without the delimiter.
    fn head(&mut self, head: &[u8], syntax: &Syntax);
    /// More of the statement; at last its delimiter.
    fn more(&mut self, bytes: &[u8]);
    /// So many rows began in the current `INSERT` since this was last said; the hashes of those that ended have this sum.
    fn rows(&mut self, count: u64, sum: u64);
    /// The last row that ended in the bytes that [`more`](Self::more) was given last, ended after so many of them.
    fn row_ended(&mut self, _: usize) {}
    /// A word with a parenthesis behind it, in a row or beyond the rows; empty where a parenthesis stands there alone.
    fn called(&mut self, _: &[u8]) {}
    /// The statement that ends now has more than rows behind its head: `ON DUPLICATE KEY UPDATE`.
    fn beyond_rows(&mut self) {}
    /// The statement has ended; it had so many bytes.
    fn end(&mut self, length: u64);
}

/// What stands between two statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Between {
    /// White space, or a delimiter that ends nothing.
    Blank,
    /// A comment, whole; of one that is longer than [`LONGEST_HEAD`] only what opens it.
    Comment,
    /// More of a comment that is too long to be held together.
    More,
    /// `DELIMITER ;;`, the client's own command.
    Delimiter,
    /// `/*M!999999\- enable the sandbox mode */`, a whole line.
    Sandbox,
    /// The byte order mark that an editor put before the text, which no server takes.
    Mark,
}

/// How a script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScriptEnd {
    /// Between two statements.
    Clean,
    /// In a statement or comment that starts at this offset.
    Inside {
        /// The offset.
        start: u64,
        /// In a string, quoted identifier or comment of it.
        quoted: bool,
    },
}

/// Cuts a dump into statements.
#[derive(Clone)]
pub(crate) struct Splitter {
    syntax: Syntax,
    /// The statement that is running through, if one is.
    inside: Option<Runner>,
    /// The comment between two statements that is running through, if one is.
    comment: Option<Inside>,
    carry: Vec<u8>,
    /// A carry shorter than this is not looked at again: what comes in small pieces is not read from its beginning with
    /// each of them.
    enough: usize,
    /// The dump's bytes that were consumed.
    offset: u64,
    /// Where the current statement starts.
    start: u64,
    /// Whether anybody wants to know of rows.
    counts: bool,
    /// What of the client's buffer decides whether it obeys `DELIMITER`.
    buffer: Buffer,
}

impl Splitter {
    pub(crate) fn new() -> Self {
        Self {
            syntax: Syntax::new(),
            inside: None,
            comment: None,
            carry: Vec::new(),
            enough: 0,
            offset: 0,
            start: 0,
            counts: true,
            buffer: Buffer::default(),
        }
    }

    /// One that says nothing of rows.
    pub(crate) fn without_rows() -> Self {
        Self { counts: false, ..Self::new() }
    }

    /// Bytes seen and consumed so far.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Takes the next bytes.
    pub(crate) fn push(&mut self, bytes: &[u8], visitor: &mut impl Visitor) {
        if self.carry.is_empty() {
            let consumed = self.process(bytes, false, visitor);
            self.carry.extend_from_slice(&bytes[consumed..]);
            return;
        }
        let mut carry = std::mem::take(&mut self.carry);
        carry.extend_from_slice(bytes);
        if carry.len() < self.enough {
            self.carry = carry;
            return;
        }
        let consumed = self.process(&carry, false, visitor);
        carry.drain(..consumed);
        self.enough = if consumed > 0 { 0 } else { (carry.len() * 2).min(LONGEST_HEAD) };
        self.carry = carry;
    }

    /// The script has ended.
    pub(crate) fn finish(&mut self, visitor: &mut impl Visitor) -> ScriptEnd {
        let carry = std::mem::take(&mut self.carry);
        self.process(&carry, true, visitor);
        match (&self.inside, self.comment) {
            (Some(runner), _) => ScriptEnd::Inside { start: self.start, quoted: runner.inside != Inside::Code },
            (None, Some(Inside::Block)) => ScriptEnd::Inside { start: self.start, quoted: true },
            (None, _) => ScriptEnd::Clean,
        }
    }

    /// Works through the input, as far as it can be told what it is; returns how far.
    fn process(&mut self, input: &[u8], at_end: bool, visitor: &mut impl Visitor) -> usize {
        let mut at = 0;
        while at < input.len() {
            let rest = &input[at..];
            let step = match (self.inside.take(), self.comment) {
                (Some(runner), _) => self.run(runner, rest, at_end, visitor),
                (None, Some(comment)) => self.comment(comment, rest, at_end, visitor),
                (None, None) => self.next(rest, at_end, visitor),
            };
            let Some(used) = step else { break };
            at += used;
            self.offset += used as u64;
        }
        at
    }

    /// What begins here, told by no more than [`LONGEST_HEAD`] bytes, however many are at hand: the pieces in which a
    /// dump comes must not matter.
    fn next(&mut self, input: &[u8], at_end: bool, visitor: &mut impl Visitor) -> Option<usize> {
        let (window, cut) = (&input[..input.len().min(LONGEST_HEAD)], input.len() > LONGEST_HEAD);
        let at_end = at_end && !cut;
        match self.between(window, at_end, visitor) {
            Some(0) => self.begin(window, cut, at_end, visitor),
            None if cut => Some(self.begin_unbounded(window, visitor)),
            None if at_end => Some(self.pass_headless(visitor)),
            length => length,
        }
    }

    /// Consumes what stands between statements; 0 when a statement begins, none when more is needed.
    fn between(&mut self, input: &[u8], at_end: bool, visitor: &mut impl Visitor) -> Option<usize> {
        let length = mark(input, at_end)?;
        if length > 0 {
            visitor.between(Between::Mark, &input[..length]);
            return Some(length);
        }
        let length = sandbox(input, at_end)?;
        if length > 0 {
            self.buffer.passes(Between::Sandbox, &input[..length]);
            visitor.between(Between::Sandbox, &input[..length]);
            return Some(length);
        }
        let (token, mut length) = self.syntax.next(input, at_end)?;
        let what = match token {
            Token::Space | Token::End => Between::Blank,
            Token::Comment => Between::Comment,
            Token::Broken if input.starts_with(b"/*") => return None,
            Token::Word if input[..length].eq_ignore_ascii_case(gate::DELIMITER) => {
                length = match memchr(b'\n', input) {
                    Some(end) => end + 1,
                    None if at_end => input.len(),
                    None => return None,
                };
                // What clients may read otherwise is a statement, which the gate stops.
                match new_delimiter(&input[..length]).filter(|_| self.buffer.obeys(&input[..length])) {
                    Some(delimiter) => self.syntax.delimit(delimiter),
                    None if input[..length].ends_with(b"\n") => return Some(0),
                    // The dump was cut here.
                    None => {}
                }
                Between::Delimiter
            }
            _ => return Some(0),
        };
        self.buffer.passes(what, &input[..length]);
        visitor.between(what, &input[..length]);
        Some(length)
    }

    /// Something too long to be held together begins here: a comment, or what else never ends.
    fn begin_unbounded(&mut self, input: &[u8], visitor: &mut impl Visitor) -> usize {
        let Some((inside, length)) = opens_comment(input) else { return self.pass_headless(visitor) };
        self.start = self.offset;
        self.comment = Some(inside);
        self.buffer.passes(Between::Comment, &input[..length]);
        visitor.between(Between::Comment, &input[..length]);
        length
    }

    /// Lets a long comment run on; none when more is needed.
    fn comment(&mut self, comment: Inside, input: &[u8], at_end: bool, visitor: &mut impl Visitor) -> Option<usize> {
        let (used, ended) = comment_end(comment, input, at_end);
        if ended {
            self.comment = None;
        }
        self.buffer.passes(Between::More, &input[..used]);
        visitor.between(Between::More, &input[..used]);
        (used > 0).then_some(used)
    }

    /// Something that never ends: it runs through as a statement without a head.
    fn pass_headless(&mut self, visitor: &mut impl Visitor) -> usize {
        self.start = self.offset;
        visitor.head(b"", &self.syntax);
        self.inside = Some(Runner::new(false));
        0
    }

    /// A statement begins here: shows its head once that can be told.
    fn begin(&mut self, input: &[u8], cut: bool, at_end: bool, visitor: &mut impl Visitor) -> Option<usize> {
        let (length, stop) = self.measure(input, cut, at_end)?;
        self.start = self.offset;
        let head = &input[..length];
        visitor.head(head, &self.syntax);
        if let (Stop::End, Some(backslash)) = (stop, statement::backslash_after(head, &self.syntax)) {
            self.syntax.backslash = backslash;
            self.syntax.ansi_quotes = statement::ansi_quotes_after(head, &self.syntax).unwrap_or_default();
        }
        self.inside = Some(Runner::new(self.counts && stop == Stop::Rows));
        Some(length)
    }

    /// How long the head is, and what stopped it; none when more input is needed, and it is not cut at its longest.
    fn measure(&self, input: &[u8], cut: bool, at_end: bool) -> Option<(usize, Stop)> {
        let (mut at, mut depth, mut insert) = (0, 0_u32, None);
        loop {
            let next = self.syntax.next(&input[at..], at_end);
            let Some((token, length)) = next.filter(|(token, _)| *token != Token::Broken) else {
                return (at_end || cut).then_some((at, Stop::Long));
            };
            let text = &input[at..at + length];
            match token {
                Token::End => return Some((at, Stop::End)),
                Token::Symbol(b'(') => depth += 1,
                Token::Symbol(b')') => depth = depth.saturating_sub(1),
                Token::Word if insert.is_none() => {
                    insert = Some(text.eq_ignore_ascii_case(b"insert") || text.eq_ignore_ascii_case(b"replace"));
                }
                Token::Word if insert == Some(true) && depth == 0 && statement::announces_rows(text) => {
                    return Some((at + length, Stop::Rows));
                }
                _ => {}
            }
            at += length;
        }
    }

    /// Lets the statement run on; none when more is needed.
    fn run(&mut self, mut runner: Runner, input: &[u8], at_end: bool, visitor: &mut impl Visitor) -> Option<usize> {
        let (used, ended) = runner.run(input, &self.syntax, at_end);
        visitor.more(&input[..used]);
        if let Some(at) = runner.row_end.take() {
            visitor.row_ended(at);
        }
        for word in runner.called.drain(..) {
            visitor.called(&word);
        }
        let (rows, sum) = (std::mem::take(&mut runner.rows), runner.sum.take());
        if rows > 0 || sum > 0 {
            visitor.rows(rows, sum);
        }
        if ended {
            if runner.beyond {
                visitor.beyond_rows();
            }
            self.buffer = Buffer::default().behind();
            visitor.end(self.offset + used as u64 - self.start);
        } else {
            self.inside = Some(runner);
        }
        (used > 0 || ended).then_some(used)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// The delimiter.
    End,
    /// `VALUES`: rows follow.
    Rows,
    /// It was too long.
    Long,
}

/// Where in a statement the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inside {
    Code,
    Quoted(u8),
    Line,
    Block,
}

/// Runs through a statement to its delimiter, and counts the rows of an `INSERT` on the way.
#[derive(Clone)]
struct Runner {
    inside: Inside,
    depth: u32,
    /// An opening parenthesis would begin a row.
    row_may_begin: bool,
    /// The code that the input so far ended with: a parenthesis may follow that calls its last word.
    tail: Vec<u8>,
    /// What was called, or stood before a parenthesis within a row.
    called: Vec<Vec<u8>>,
    /// There was a word outside of all rows.
    beyond: bool,
    counts: bool,
    rows: u64,
    sum: RowSum,
    /// The row that we are in, if its hash is wanted, starts here in the input.
    row: Option<usize>,
    /// The last row that ended ends here in the input.
    row_end: Option<usize>,
}

impl Runner {
    fn new(counts: bool) -> Self {
        Self {
            inside: Inside::Code,
            depth: 0,
            row_may_begin: true,
            tail: Vec::new(),
            called: Vec::new(),
            beyond: false,
            counts,
            rows: 0,
            sum: RowSum::default(),
            row: None,
            row_end: None,
        }
    }

    /// How much of the input was used, and whether the statement ended there.
    fn run(&mut self, input: &[u8], syntax: &Syntax, at_end: bool) -> (usize, bool) {
        let (used, ended) = self.walk(input, syntax, at_end);
        if let Some(start) = &mut self.row {
            self.sum.extend_row(&input[*start..used]);
            *start = 0;
        }
        (used, ended)
    }

    fn walk(&mut self, input: &[u8], syntax: &Syntax, at_end: bool) -> (usize, bool) {
        let mut at = 0;
        while at < input.len() {
            let rest = &input[at..];
            match self.inside {
                Inside::Quoted(quote) => match syntax.string_end(quote, rest) {
                    StringEnd::At(length) => {
                        self.doubt(doubts::is_doubtful_string(quote, &rest[..length], syntax));
                        self.inside = Inside::Code;
                        at += length;
                    }
                    StringEnd::Beyond(length) => {
                        self.doubt(doubts::is_doubtful_string(quote, &rest[..length], syntax));
                        return (if at_end { input.len() } else { at + length }, false);
                    }
                },
                Inside::Line | Inside::Block => {
                    let (used, ended) = comment_end(self.inside, rest, at_end);
                    self.doubt(self.inside == Inside::Block && memmem::find(&rest[..used], b"/*").is_some());
                    at += used;
                    if !ended {
                        return (at, false);
                    }
                    self.inside = Inside::Code;
                }
                Inside::Code => {
                    let plain = syntax.plain(rest);
                    if self.depth == 0 {
                        self.outside_of_rows(&rest[..plain]);
                    }
                    // Of a long body nobody can tell what is no part of it.
                    self.doubt(!self.counts && memchr2(b';', b'$', &rest[..plain]).is_some());
                    if self.counts {
                        self.calls(&rest[..plain], rest.get(plain).copied());
                    }
                    at += plain;
                    match self.special(&input[at..], syntax, at_end) {
                        ValuesStep::On(length) => at += length,
                        ValuesStep::RowBegins => {
                            self.row = Some(at);
                            at += 1;
                        }
                        ValuesStep::RowEnds => {
                            at += 1;
                            self.row_end = Some(at);
                            if let Some(start) = self.row.take() {
                                self.sum.end(&input[start..at]);
                            }
                        }
                        ValuesStep::End(length) => return (at + length, true),
                        ValuesStep::More => return (at, false),
                    }
                }
            }
        }
        (at, false)
    }

    /// Plain code, and the byte behind it: notes what is called there. A row is called by nothing.
    #[inline]
    fn calls(&mut self, code: &[u8], next: Option<u8>) {
        let begins_row = self.depth == 0 && self.row_may_begin;
        match next {
            Some(b'(') if !begins_row => self.call(code),
            Some(_)
                if self.tail.is_empty()
                    && code.len() < gate::DELIMITER.len()
                    && !code.iter().any(|b| b":;$".contains(b)) => {}
            _ => self.end_of_code(code, next.is_none()),
        }
    }

    fn call(&mut self, code: &[u8]) {
        let code = [&self.tail, code].concat();
        self.tail.clear();
        self.doubt(memchr2(b';', b'$', &code).is_some());
        if memchr(b':', &code).is_some() {
            self.note_call(gate::ASSIGNS);
        }
        let code = code.trim_ascii_end();
        let word = code.iter().rev().take_while(|b| in_word(**b)).count();
        self.note_call(&code[code.len() - word..]);
    }

    /// Code that calls nothing, or goes on in the next input.
    fn end_of_code(&mut self, code: &[u8], goes_on: bool) {
        const LONGEST_NAME: usize = 256;
        let code = [&self.tail, code].concat();
        if memchr(b':', &code).is_some() {
            self.note_call(gate::ASSIGNS);
        }
        self.doubt(memchr2(b';', b'$', &code).is_some());
        if gate::holds_delimiter(&code) {
            self.note_call(gate::DELIMITER);
        }
        self.tail = if goes_on { code[code.len().saturating_sub(LONGEST_NAME)..].to_vec() } else { Vec::new() };
    }

    fn note_call(&mut self, word: &[u8]) {
        if self.called.last().is_none_or(|last| last != word) {
            self.called.push(word.to_vec());
        }
    }

    /// Plain bytes between two rows: a comma announces the next, a word (`ON DUPLICATE KEY`) that there is none.
    fn outside_of_rows(&mut self, plain: &[u8]) {
        for byte in plain {
            match byte {
                b',' => self.row_may_begin = true,
                b' ' | b'\n' | b'\r' | b'\t' => {}
                _ => {
                    self.row_may_begin = false;
                    self.beyond = true;
                }
            }
        }
    }

    /// One byte or more at which something other than plain code may begin.
    #[inline]
    fn special(&mut self, input: &[u8], syntax: &Syntax, at_end: bool) -> ValuesStep {
        let Some(&first) = input.first() else { return ValuesStep::On(0) };
        match syntax.delimited(input, at_end) {
            Some(0) => {}
            Some(length) => return ValuesStep::End(length),
            None => return ValuesStep::More,
        }
        match first {
            b'\'' | b'"' | b'`' => {
                self.inside = Inside::Quoted(first);
                return ValuesStep::On(1);
            }
            b'(' => {
                let begins = self.depth == 0 && self.counts && std::mem::take(&mut self.row_may_begin);
                self.rows += u64::from(begins);
                self.depth = self.depth.saturating_add(1);
                return if begins { ValuesStep::RowBegins } else { ValuesStep::On(1) };
            }
            b')' => {
                self.depth = self.depth.saturating_sub(1);
                return if self.depth == 0 { ValuesStep::RowEnds } else { ValuesStep::On(1) };
            }
            b'-' if input.get(1).is_some_and(|&b| b != b'-') => return ValuesStep::On(1),
            _ => {}
        }
        self.rare(input, syntax, at_end)
    }

    /// Something that clients and servers may read in different ways.
    fn doubt(&mut self, doubtful: bool) {
        if doubtful {
            self.note_call(gate::VERSIONED);
        }
    }

    /// A comment, or none.
    fn rare(&mut self, input: &[u8], syntax: &Syntax, at_end: bool) -> ValuesStep {
        if input == b"\\" && !at_end {
            return ValuesStep::More;
        }
        let escapes = matches!(input, [b'\\', next, ..] if *next != b'N');
        self.doubt(escapes || input.starts_with(b"/*+") || doubts::is_doubtful_dash(input));
        // It may be too long to be one token, so it is only entered here.
        match (syntax.next(input, at_end), opens_comment(input)) {
            (_, Some((inside, length))) => {
                self.inside = inside;
                ValuesStep::On(length)
            }
            (Some((Token::Broken, length)), None) => {
                self.inside = Inside::Block;
                ValuesStep::On(length)
            }
            (Some((token, length)), None) => {
                if token == Token::Open {
                    self.note_call(gate::VERSIONED);
                }
                ValuesStep::On(length)
            }
            (None, None) => ValuesStep::More,
        }
    }
}

/// What kind of comment the input opens, and with how many bytes; none as well when it is too short to tell.
fn opens_comment(input: &[u8]) -> Option<(Inside, usize)> {
    match input {
        [b'#', ..] => Some((Inside::Line, 1)),
        [b'-', b'-', after, ..] if after.is_ascii_whitespace() => Some((Inside::Line, 2)),
        [b'/', b'*', next, ..] if !matches!(next, b'!' | b'M') => Some((Inside::Block, 2)),
        [b'/', b'*', b'M', next, ..] if *next != b'!' => Some((Inside::Block, 2)),
        _ => None,
    }
}

/// How much of the input belongs to the comment that it stands in, and whether the comment ends there.
fn comment_end(inside: Inside, input: &[u8], at_end: bool) -> (usize, bool) {
    let end = match inside {
        Inside::Block => memmem::find(input, b"*/").map(|at| at + 2),
        _ => memchr(b'\n', input).map(|at| at + 1),
    };
    let half = inside == Inside::Block && (input.ends_with(b"*") || input.ends_with(b"/")) && !at_end;
    end.map_or((input.len() - usize::from(half), false), |length| (length, true))
}

enum ValuesStep {
    /// Go on after so many bytes.
    On(usize),
    /// The parenthesis that opens a row.
    RowBegins,
    /// A parenthesis that closes a row, if one was open.
    RowEnds,
    /// The delimiter of this length.
    End(usize),
    /// Too short to tell.
    More,
}

#[cfg(test)]
pub(crate) mod tests;
