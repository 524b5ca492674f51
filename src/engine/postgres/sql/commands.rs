//! What psql would obey: its own commands, and what makes it take rows for commands or commands for rows.
//!
//! A psql that knows `\restrict` obeys no command of the script's, whatever is in it. For an older one the script is
//! looked through; so what is looked at must be what psql will take for commands, for rows, and for neither.

use super::lexer::{Token, tokens};
use crate::engine::truncate;

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
    /// How many words came, and the first letters of those that make a routine's beginning.
    words: usize,
    letters: [u8; 4],
    word: Vec<u8>,
    first: Option<Vec<u8>>,
}

impl Nesting {
    /// Takes a byte, or the news that a string, a quoted name or a comment is passing by.
    pub fn see(&mut self, byte: Option<u8>) {
        match byte {
            Some(byte) if byte == b'_' || byte.is_ascii_alphabetic() || !byte.is_ascii() => {
                if self.word.len() <= LONGEST_WORD {
                    self.word.push(byte.to_ascii_lowercase());
                }
            }
            // A number may stand right before a word.
            Some(byte) if (byte.is_ascii_digit() || byte == b'$') && !self.word.is_empty() => self.word.push(byte),
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

    /// Whether a semicolon that comes now ends the statement.
    pub fn ends(&self) -> bool {
        let mut ended = self.clone();
        ended.end_word();
        ended.is_flat()
    }

    /// Outside of brackets and bodies.
    pub fn is_flat(&self) -> bool {
        self.brackets == 0 && self.begins == 0
    }

    /// The statement's first word, in small letters; before its semicolon was seen.
    pub fn first(&self) -> &[u8] {
        self.first.as_deref().unwrap_or(&self.word)
    }

    /// psql looks at the words that a statement begins with.
    fn is_routine(&self) -> bool {
        matches!(self.letters, [b'c', b'f' | b'p', ..] | [b'c', b'o', b'r', b'f' | b'p'])
    }

    fn end_word(&mut self) {
        if self.word.is_empty() {
            return;
        }
        let word = std::mem::take(&mut self.word);
        match word.as_slice() {
            b"begin" if self.is_routine() && self.brackets == 0 => self.begins += 1,
            b"case" if self.begins > 0 && self.brackets == 0 => self.begins += 1,
            b"end" if self.brackets == 0 => self.begins = self.begins.saturating_sub(1),
            b"create" | b"or" | b"replace" | b"function" | b"procedure" => {
                if let Some(letter) = self.letters.get_mut(self.words) {
                    *letter = word[0];
                }
            }
            _ => {}
        }
        self.words += 1;
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
pub enum CommandKind {
    /// SQL.
    Plain,
    /// `COPY name (columns) FROM stdin`, as `pg_dump` writes it: rows follow.
    Rows,
    /// Rows follow a statement that `pg_dump` does not write, or a setting changes how strings are read.
    Odd,
}

/// Judges one statement, up to and with its semicolon. `first` is its first word in small letters.
pub fn judge(first: &[u8], sql: &str, whole: bool) -> CommandKind {
    match first {
        b"copy" if !whole => CommandKind::Odd,
        b"copy" => {
            let tokens = tokens(sql);
            let tokens = without_remarks(&tokens);
            if rows_follow(tokens) {
                CommandKind::Rows
            } else if !copies_files(tokens) && tokens.iter().any(|t| is(t, "stdin")) {
                CommandKind::Odd
            } else {
                CommandKind::Plain
            }
        }
        b"set" | b"select" | b"reset" if changes_strings(sql) => CommandKind::Odd,
        _ => CommandKind::Plain,
    }
}

/// A statement without the remarks and psql's commands before it; the commands are judged by themselves.
pub fn without_commands(sql: &str) -> &str {
    let mut rest = sql.trim_start();
    while rest.starts_with('\\') || rest.starts_with("--") {
        rest = rest.split_once(['\n', '\r']).map_or("", |(_, rest)| rest).trim_start();
    }
    rest
}

/// A statement in one line, for people.
pub fn display_statement(sql: &str) -> String {
    let lines = sql.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("--"));
    truncate(&lines.collect::<Vec<_>>().join(" "), SHOWN)
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

/// It decides whether backslashes escape.
const SETTING: &str = "standard_conforming_strings";

/// Whether backslashes escape behind this statement, which says it as `pg_dump` does.
pub fn escapes_after(sql: &str) -> Option<bool> {
    match without_remarks(&tokens(sql)) {
        [Token::Word("SET"), Token::Word(SETTING), Token::Symbol(b'='), Token::Word(to), Token::Symbol(b';')] => {
            ["on", "off"].contains(to).then_some(*to == "off")
        }
        _ => None,
    }
}

/// Anything about this setting but what `pg_dump` says of it, and a setting whose name is not plain.
fn changes_strings(sql: &str) -> bool {
    mentions_strings(sql) && escapes_after(sql).is_none() || !sets_plainly(sql)
}

/// Whether the setting that decides how strings are read stands there.
pub fn mentions_strings(sql: &str) -> bool {
    sql.to_ascii_lowercase().contains(SETTING)
}

/// Whether each `set_config` has a name that is one string without escapes.
fn sets_plainly(sql: &str) -> bool {
    sql.to_ascii_lowercase().split("set_config").skip(1).all(|behind| {
        let name = behind.trim_start().strip_prefix('(').and_then(|rest| rest.trim_start().strip_prefix('\''));
        let (name, rest) = name.and_then(|rest| rest.split_once('\'')).unwrap_or_default();
        let is_plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || b"_.".contains(&byte));
        is_plain && rest.trim_start().starts_with(',')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(sql: &str) -> CommandKind {
        let mut nesting = Nesting::default();
        let words = sql.trim_start_matches("--\n-- x\n").trim_end_matches(';');
        words.bytes().for_each(|byte| nesting.see(Some(byte)));
        let first = nesting.first().to_vec();
        judge(&first, sql, true)
    }

    #[test]
    fn only_what_pg_dump_writes_announces_rows() {
        for sql in ["COPY public.\"two\nlines\" (\"a\"\"b\", c) FROM stdin;", "--\n-- x\n\nCOPY t FROM stdin;"] {
            assert_eq!(kind(sql), CommandKind::Rows, "{sql}");
        }
        for sql in [
            "copy t from stdin;",
            "COPY t FROM STDIN WITH CSV;",
            "SET standard_conforming_strings TO off;",
            "SELECT set_config('Standard_Conforming_Strings', 'off', false);",
            "SELECT set_config('standard_' || 'conforming_strings', 'off', false);",
            "SELECT \"set_config\"('search_path', '', false);",
        ] {
            assert_eq!(kind(sql), CommandKind::Odd, "{sql}");
        }
        for sql in [
            "SELECT pg_catalog.set_config('search_path', '', false);",
            "COPY t TO STDOUT;",
            "SET standard_conforming_strings = on;",
            "SELECT pg_catalog.setval('s', 1);",
        ] {
            assert_eq!(kind(sql), CommandKind::Plain, "{sql}");
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
