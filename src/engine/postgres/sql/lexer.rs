//! Just enough of `PostgreSQL`'s lexical rules to know which lines of a script start as statements, and which are the
//! inside of a string, a dollar-quoted body or a comment: a function's body may hold anything, the words that end a
//! dump included.

/// What the next byte stands in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum LexState {
    #[default]
    Statement,
    /// `'...'`; true where backslashes escape.
    Text(bool),
    Name,
    /// `$tag` without its second dollar yet.
    Tag(Vec<u8>),
    /// `$tag$ ... $tag$`, and how many bytes of the closing tag were just seen.
    Body(Vec<u8>, usize),
    /// `--`, up to the line's end, which a carriage return is, too.
    Remark,
    /// `/* */`, nested so deep.
    Comment(u32),
}

/// The longest tag that is believed; names end at 63 bytes.
const LONGEST_TAG: usize = 64;

/// What stands before the next byte of a statement, where that decides how it is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Before {
    #[default]
    Nothing,
    /// A name or keyword; with its letter, if it has only one.
    Word(Option<u8>),
    /// A number, or a `$1`.
    Number,
    /// A string with escapes: a quote right behind it opens it again.
    Escaped,
    /// White space and remarks behind such a string. A string behind a carriage return among them continues it. Behind
    /// a newline the server goes on, too, but psql reads line by line, and forgets.
    Blank { line: bool },
    /// The first dash of such a remark.
    Dash { line: bool },
}

impl Before {
    /// Behind one more byte, which opens nothing.
    fn then(self, byte: u8) -> Self {
        match self {
            Self::Word(_) if word(byte) || byte == b'$' => Self::Word(None),
            Self::Number if word(byte) => Self::Number,
            _ if byte.is_ascii_digit() => Self::Number,
            _ if word(byte) => Self::Word(Some(byte)),
            Self::Escaped if byte == b'-' => Self::Dash { line: false },
            Self::Blank { line } if byte == b'-' => Self::Dash { line },
            Self::Escaped | Self::Blank { .. } if byte == b'\n' => Self::Nothing,
            Self::Escaped if byte.is_ascii_whitespace() => Self::Blank { line: byte == b'\r' },
            Self::Blank { line } if byte.is_ascii_whitespace() => Self::Blank { line: line || byte == b'\r' },
            _ => Self::Nothing,
        }
    }
}

/// Follows a script byte by byte, as psql does (`psqlscan.l`): what psql takes for the inside of a string must be that
/// here, or a command could hide there.
#[derive(Clone, Debug, Default)]
pub struct Lexer {
    place: LexState,
    /// The byte before, unless it was used up.
    last: u8,
    before: Before,
    /// The word that stands before began behind a colon: to psql it is a variable, which ends where no letter follows.
    variable: bool,
    /// `standard_conforming_strings` is off.
    pub escapes: bool,
    /// Something stood there that not every psql reads in the same way, and no program writes.
    pub doubtful: bool,
}

impl Lexer {
    /// True between statements and inside of them, false within quotes and comments of several lines.
    pub fn outside(&self) -> bool {
        matches!(self.place, LexState::Statement | LexState::Remark | LexState::Tag(_))
    }

    /// True where a statement's own words stand.
    pub fn in_statement(&self) -> bool {
        self.place == LexState::Statement
    }

    /// True within a quoted name, which may hold a newline.
    pub fn in_name(&self) -> bool {
        self.place == LexState::Name
    }

    /// Takes the next byte.
    pub fn see(&mut self, byte: u8) {
        let used_up = match &mut self.place {
            LexState::Statement => self.statement(byte),
            LexState::Text(true) if self.last == b'\\' => {
                // Where only a setting says that it escapes, a change of it that we can't see would end the string.
                self.doubtful |= self.escapes && byte == b'\'';
                // The escaped byte escapes nothing itself.
                true
            }
            LexState::Text(escapes) if byte == b'\'' => {
                let before = if *escapes { Before::Escaped } else { Before::Nothing };
                self.close(before)
            }
            LexState::Name if byte == b'"' => self.close(Before::Nothing),
            LexState::Remark if ends_line(byte) => {
                let before = self.before.then(byte);
                self.close(before)
            }
            LexState::Text(_) | LexState::Name | LexState::Remark => false,
            LexState::Tag(_) => self.tag(byte),
            LexState::Body(tag, seen) => {
                *seen = if tag[*seen] == byte { *seen + 1 } else { usize::from(byte == b'$') };
                let whole = *seen == tag.len();
                if whole { !self.close(Before::Nothing) } else { false }
            }
            LexState::Comment(depth) => match (self.last, byte) {
                (b'/', b'*') => {
                    *depth += 1;
                    true
                }
                (b'*', b'/') => {
                    *depth -= 1;
                    if *depth > 0 { true } else { !self.close(Before::Nothing) }
                }
                _ => false,
            },
        };
        self.last = if used_up { 0 } else { byte };
    }

    /// Back to the statement. False: the byte is not used up.
    fn close(&mut self, before: Before) -> bool {
        self.place = LexState::Statement;
        self.before = before;
        false
    }

    /// A byte of a statement. True when it can't be the half of what follows.
    fn statement(&mut self, byte: u8) -> bool {
        let before = self.before;
        let is_word = matches!(before, Before::Word(_));
        self.variable = if is_word { self.variable } else { self.last == b':' };
        self.doubtful |= is_word && self.variable && matches!(byte, b'$' | b'\'');
        let opened = match (self.last, byte) {
            (_, b'\'') => {
                self.doubtful |= before == Before::Number;
                let goes_on = matches!(before, Before::Escaped | Before::Blank { line: true });
                let marked = matches!(before, Before::Word(Some(b'E' | b'e')));
                LexState::Text(goes_on || marked || self.escapes)
            }
            (_, b'"') => LexState::Name,
            (_, b'$') if !matches!(before, Before::Word(_)) => {
                self.doubtful |= before == Before::Number;
                LexState::Tag(vec![b'$'])
            }
            (b'-', b'-') => {
                self.place = LexState::Remark;
                let blank = matches!(before, Before::Dash { .. });
                self.before = if blank { Before::Blank { line: false } } else { Before::Nothing };
                return false;
            }
            (b'/', b'*') => LexState::Comment(1),
            _ => {
                self.before = before.then(byte);
                return false;
            }
        };
        self.before = Before::Nothing;
        self.place = opened;
        // The star that opens a comment doesn't close it.
        byte == b'*'
    }

    /// A byte behind a dollar sign.
    fn tag(&mut self, byte: u8) -> bool {
        let LexState::Tag(tag) = &mut self.place else { return false };
        // No digit comes first: `$1` is a parameter.
        let first_digit = tag.len() == 1 && byte.is_ascii_digit();
        if byte == b'$' {
            tag.push(byte);
            self.place = LexState::Body(std::mem::take(tag), 0);
            return false;
        }
        if word(byte) && !first_digit && tag.len() < LONGEST_TAG {
            tag.push(byte);
            return false;
        }
        // Of the word behind the sign psql counts brackets of bodies by.
        self.doubtful |= tag.len() > 1;
        // It was no tag: what stands behind the dollar sign is a word.
        let before = tag[1..].iter().fold(Before::Nothing, |before, byte| before.then(*byte));
        self.close(before);
        self.statement(byte)
    }
}

fn ends_line(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

/// What a statement is made of: strings are one token, whatever they hold, and comments none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// A keyword, a name without quotes, a number.
    Word(&'a str),
    /// A quoted name, as it stands between its quotes.
    Name(&'a str),
    /// A string or a body.
    Text,
    /// Any other byte.
    Symbol(u8),
}

impl<'a> Token<'a> {
    /// The name that it is, if it can be one: `pg_dump` writes keywords in capitals.
    pub fn name(&self) -> Option<&'a str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Word(word) if !word.starts_with(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit()) => Some(word),
            _ => None,
        }
    }

    /// Whether it is this word or symbol; `?` stands for any name.
    pub fn is(&self, wanted: &str) -> bool {
        match self {
            Self::Word(word) => *word == wanted || wanted == "?" && self.name().is_some(),
            Self::Name(_) => wanted == "?",
            Self::Symbol(byte) => wanted.as_bytes() == [*byte],
            Self::Text => false,
        }
    }
}

/// The tokens of a statement.
pub fn tokens(sql: &str) -> Vec<Token<'_>> {
    let (mut lexer, mut tokens) = (Lexer::default(), Vec::new());
    let (mut word_at, mut name_at) = (None, 0);
    for (at, byte) in sql.bytes().enumerate() {
        let (was_name, was_tag) = (lexer.in_name(), matches!(lexer.place, LexState::Tag(_)));
        let was_plain = lexer.in_statement() || was_tag;
        lexer.see(byte);
        let plain = was_plain && lexer.in_statement();
        if plain && word(byte) {
            // What is too long for a tag may become a word in the middle of a letter.
            word_at = word_at.or_else(|| sql.is_char_boundary(at).then_some(at));
            continue;
        }
        if let Some(start) = word_at.take() {
            tokens.push(Token::Word(&sql[start..at]));
        }
        match lexer.place {
            LexState::Statement if plain && !byte.is_ascii_whitespace() => tokens.push(Token::Symbol(byte)),
            LexState::Statement if was_name => tokens.push(Token::Name(&sql[name_at..at])),
            // A doubled quote goes on with the name that it seemed to end.
            LexState::Name if !was_name => match tokens.last() {
                Some(Token::Name(name)) if name_at + name.len() + 1 == at => drop(tokens.pop()),
                _ => name_at = at + 1,
            },
            // So does one within a string.
            LexState::Text(_) if was_plain && !sql[..at].ends_with('\'') => tokens.push(Token::Text),
            LexState::Body(..) if was_tag => tokens.push(Token::Text),
            // Its first sign looked like one of the statement's.
            LexState::Remark | LexState::Comment(_) if was_plain => drop(tokens.pop()),
            _ => {}
        }
    }
    tokens.extend(word_at.map(|start| Token::Word(&sql[start..])));
    tokens
}

fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_cut_into_tokens() {
        use Token::*;
        assert_eq!(
            tokens("ALTER TABLE \"a\"\"b\".c -- d\n ADD CHECK (x <> E'y''' AND $1) /* z */ $$w$$ größe"),
            [
                Word("ALTER"),
                Word("TABLE"),
                Name("a\"\"b"),
                Symbol(b'.'),
                Word("c"),
                Word("ADD"),
                Word("CHECK"),
                Symbol(b'('),
                Word("x"),
                Symbol(b'<'),
                Symbol(b'>'),
                Word("E"),
                Text,
                Word("AND"),
                Word("1"),
                Symbol(b')'),
                Text,
                Word("größe"),
            ]
        );
    }

    #[test]
    fn what_is_no_tag_may_end_within_a_letter() {
        for before in 0..4 {
            let text = format!("${}{}", "a".repeat(before), "\u{fffd}".repeat(40));
            let whole = |token: &Token<'_>| matches!(token, Token::Word(word) if text.ends_with(word));
            assert!(tokens(&text).iter().all(whole), "{text}");
        }
    }

    fn outside_after(text: &str) -> bool {
        let mut lexer = Lexer::default();
        text.bytes().for_each(|b| lexer.see(b));
        lexer.outside()
    }

    #[test]
    fn quotes_end_where_postgres_ends_them() {
        for closed in [
            "SELECT 'it''s'",
            "SELECT E'it\\'s'",
            "SELECT 'back\\'",
            "SELECT E'a''b\\'c'",
            "$$ $x$ ' $$",
            "$a$ $$ $a$",
            "$a$ $b$ $a$",
            "SELECT a$1",
            "\"it's\"",
            "-- it's\n",
            "/* it's /* nested */ ' */",
            "E'\\\\'",
            "$1",
            "$$a$ $$",
            "-- it's\r",
            "/*/ ' */",
            "SELECT typE'\\'",
            "SELECT 1$$'$$",
            "$$a$$$$'$$",
            "SELECT $1, $2",
            "E'a'\r'\\''",
            "E'a' -- b\r  -- c\r '\\''",
            "E'a'\n'\\'",
            "E'a' -- b\n '\\'",
            "$E'\\''",
        ] {
            assert!(outside_after(closed), "{closed}");
        }
        for open in
            ["'it''s", "E'it\\'", "$a$ $b$", "\"it", "/* /* */", "E'\\\\\\'", "$$ $a$", "/*/", "$1$ '", "E'a' 'b\\''"]
        {
            assert!(!outside_after(open), "{open}");
        }
    }
}
