//! What psql would obey: its own commands, and what makes it take rows for commands or commands for rows.
//!
//! A psql that knows `\restrict` obeys no command of the script's, whatever is in it. For an older one the script is
//! looked through; so what is looked at must be what psql will take for commands, for rows, and for neither.

use super::lexer::{Token, tokens};
use crate::engine::cut;

/// Longer words are none that matter.
const LONGEST_WORD: usize = 16;

/// How much of a statement is shown.
const SHOWN: usize = 160;

/// Follows a script's brackets and words: psql sends a statement at its semicolon, but not at one between brackets, nor,
/// from version 14 on, at one within the `BEGIN ... END` of a function. A line that looks like `COPY` is none there.
#[derive(Clone, Debug, Default)]
pub struct Nesting {
    brackets: u32,
    begins: u32,
    creates: bool,
    routine: bool,
    word: Vec<u8>,
    first: Option<Vec<u8>>,
}

impl Nesting {
    /// Takes a byte, or the news that a string, a quoted name or a comment is passing by.
    pub fn see(&mut self, byte: Option<u8>) {
        match byte {
            Some(byte) if byte == b'_' || byte == b'$' || byte.is_ascii_alphabetic() || !byte.is_ascii() => {
                if self.word.len() <= LONGEST_WORD {
                    self.word.push(byte.to_ascii_lowercase());
                }
            }
            // A number may stand right before a word.
            Some(byte) if byte.is_ascii_digit() && !self.word.is_empty() => self.word.push(byte),
            _ => {
                self.end_word();
                match byte {
                    Some(b'(') => self.brackets = self.brackets.saturating_add(1),
                    Some(b')') => self.brackets = self.brackets.saturating_sub(1),
                    Some(b';') if self.is_flat() => *self = Self::default(),
                    _ => {}
                }
            }
        }
    }

    /// Outside of brackets and bodies.
    pub fn is_flat(&self) -> bool {
        self.brackets == 0 && self.begins == 0
    }

    /// The statement's first word, in small letters; before its semicolon was seen.
    pub fn first(&self) -> &[u8] {
        self.first.as_deref().unwrap_or(&self.word)
    }

    fn end_word(&mut self) {
        if self.word.is_empty() {
            return;
        }
        let word = std::mem::take(&mut self.word);
        match word.as_slice() {
            b"create" => self.creates = true,
            b"function" | b"procedure" => self.routine |= self.creates,
            b"begin" if self.routine && self.brackets == 0 => self.begins += 1,
            b"case" if self.begins > 0 && self.brackets == 0 => self.begins += 1,
            b"end" if self.brackets == 0 => self.begins = self.begins.saturating_sub(1),
            _ => {}
        }
        self.first.get_or_insert(word);
    }
}

/// The words that begin a statement.
const STATEMENTS: &str = "abort alter analyze begin call checkpoint close cluster comment commit copy create deallocate declare \
    delete discard do drop end execute explain fetch grant import insert listen load lock merge move notify \
    prepare reassign refresh reindex release repack reset revoke rollback savepoint security select set show \
    start table truncate unlisten update vacuum values with";

/// Whether a line begins as a statement does, as a string that may be one's rest, as a remark, or as a command of psql's.
pub fn is_statement(line: &str) -> bool {
    let line = line.trim_start();
    let word = line.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default();
    let others = ["--", "/*", "\\", ";", "(", "'"];
    line.is_empty()
        || others.iter().any(|other| line.starts_with(other))
        || STATEMENTS.split(' ').any(|known| word.eq_ignore_ascii_case(known))
}

/// What a statement of a script is, as far as it is more than SQL for the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SQL.
    Plain,
    /// `COPY name (columns) FROM stdin`, as `pg_dump` writes it: rows follow.
    Rows,
    /// Rows follow a statement that `pg_dump` does not write, or a setting changes how strings are read.
    Odd,
}

/// Judges one statement, up to and with its semicolon. `first` is its first word in small letters.
pub fn judge(first: &[u8], sql: &str, whole: bool) -> Kind {
    match first {
        b"copy" if !whole => Kind::Odd,
        b"copy" => {
            let tokens = tokens(sql);
            let tokens = without_remarks(&tokens);
            if rows_follow(tokens) {
                Kind::Rows
            } else if !copies_files(tokens) && tokens.iter().any(|t| is(t, "stdin")) {
                Kind::Odd
            } else {
                Kind::Plain
            }
        }
        b"set" | b"select" | b"reset" if changes_strings(sql) => Kind::Odd,
        _ => Kind::Plain,
    }
}

/// A statement in one line, for people.
pub fn shown(sql: &str) -> String {
    let lines = sql.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("--"));
    cut(&lines.collect::<Vec<_>>().join(" "), SHOWN)
}

/// Of a remark before a statement its first sign is left.
pub fn without_remarks<'t, 'a>(tokens: &'t [Token<'a>]) -> &'t [Token<'a>] {
    let sign = |token: &Token<'_>| matches!(token, Token::Symbol(b'-' | b'/'));
    let start = tokens.iter().position(|token| !sign(token)).unwrap_or(tokens.len());
    &tokens[start..]
}

/// Whether it is this word, in letters of any case.
pub fn is(token: &Token<'_>, wanted: &str) -> bool {
    matches!(token, Token::Word(word) if word.eq_ignore_ascii_case(wanted))
}

/// `COPY name (columns) FROM stdin;`, as `pg_dump` writes it.
pub fn rows_follow(tokens: &[Token<'_>]) -> bool {
    let [Token::Word("COPY"), table @ .., Token::Word("FROM"), Token::Word("stdin"), Token::Symbol(b';')] = tokens
    else {
        return false;
    };
    let named = |t: &Token<'_>| matches!(t, Token::Word(_) | Token::Name(_) | Token::Symbol(b'.' | b',' | b'(' | b')'));
    table.iter().all(|token| named(token) && !is(token, "from") && !is(token, "to"))
}

/// `COPY ... PROGRAM 'x'`, `COPY ... FROM '/x'`.
pub fn copies_files(tokens: &[Token<'_>]) -> bool {
    tokens.windows(2).any(|pair| {
        let direction = |token| is(token, "from") || is(token, "to");
        // A prefix belongs to a string: E'/x'.
        direction(&pair[0]) && (pair[1] == Token::Text || ["e", "u", "n", "b", "x"].iter().any(|p| is(&pair[1], p)))
            || is(&pair[0], "program")
    })
}

/// Anything about this setting but what `pg_dump` says of it.
fn changes_strings(sql: &str) -> bool {
    const SETTING: &str = "standard_conforming_strings";
    let value = |token: &Token<'_>| matches!(token, Token::Word("on" | "off"));
    sql.to_ascii_lowercase().contains(SETTING)
        && !matches!(
            without_remarks(&tokens(sql)),
            [Token::Word("SET"), Token::Word(SETTING), Token::Symbol(b'='), to, Token::Symbol(b';')] if value(to)
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(sql: &str) -> Kind {
        let mut nesting = Nesting::default();
        let words = sql.trim_start_matches("--\n-- x\n").trim_end_matches(';');
        words.bytes().for_each(|byte| nesting.see(Some(byte)));
        let first = nesting.first().to_vec();
        judge(&first, sql, true)
    }

    #[test]
    fn only_what_pg_dump_writes_announces_rows() {
        for sql in ["COPY public.\"two\nlines\" (\"a\"\"b\", c) FROM stdin;", "--\n-- x\n\nCOPY t FROM stdin;"] {
            assert_eq!(kind(sql), Kind::Rows, "{sql}");
        }
        for sql in [
            "copy t from stdin;",
            "COPY t FROM STDIN WITH CSV;",
            "SET standard_conforming_strings TO off;",
            "SELECT set_config('Standard_Conforming_Strings', 'off', false);",
        ] {
            assert_eq!(kind(sql), Kind::Odd, "{sql}");
        }
        for sql in ["COPY t TO STDOUT;", "SET standard_conforming_strings = on;", "SELECT pg_catalog.setval('s', 1);"] {
            assert_eq!(kind(sql), Kind::Plain, "{sql}");
        }
    }

    #[test]
    fn a_semicolon_between_brackets_or_in_a_body_ends_nothing() {
        for (sql, flat) in [
            ("SELECT (1;", false),
            ("CREATE FUNCTION f() BEGIN ATOMIC SELECT 1;", false),
            ("CREATE FUNCTION f() BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; END;", true),
            ("BEGIN; COMMIT;", true),
            ("SELECT (1);", true),
        ] {
            let mut nesting = Nesting::default();
            sql.bytes().for_each(|byte| nesting.see(Some(byte)));
            assert_eq!(nesting.is_flat(), flat, "{sql}");
        }
    }
}
