//! Just enough of `PostgreSQL`'s lexical rules to know which lines of a script start as statements, and which are the
//! inside of a string, a dollar-quoted body or a comment: a function's body may hold anything, the words that end a
//! dump included.

/// What the next byte stands in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Statement,
    /// `'...'`; true where backslashes escape.
    Text(bool),
    Name,
    /// `$tag` without its second dollar yet.
    Tag(Vec<u8>),
    /// `$tag$ ... $tag$`, and how many bytes of the closing tag were just seen.
    Body(Vec<u8>, usize),
    /// `--`, up to the line's end.
    Remark,
    /// `/* */`, nested so deep.
    Comment(u32),
}

/// The longest tag that is believed; names end at 63 bytes.
const LONGEST_TAG: usize = 64;

/// Follows a script byte by byte.
#[derive(Clone, Debug, Default)]
pub struct Lexer {
    place: Place,
    before: u8,
    /// The text that just ended had escapes: a quote right behind it opens it again.
    reopens: bool,
    /// `standard_conforming_strings` is off.
    pub escapes: bool,
}

impl Lexer {
    /// True between statements and inside of them, false within quotes and comments of several lines.
    pub fn outside(&self) -> bool {
        matches!(self.place, Place::Statement | Place::Remark | Place::Tag(_))
    }

    /// True where a statement's own words stand.
    pub fn in_statement(&self) -> bool {
        self.place == Place::Statement
    }

    /// True within a quoted name, which may hold a newline.
    pub fn in_name(&self) -> bool {
        self.place == Place::Name
    }

    /// Takes the next byte.
    pub fn see(&mut self, byte: u8) {
        match &mut self.place {
            Place::Statement => self.statement(byte),
            Place::Text(true) if self.before == b'\\' => {
                // The escaped byte escapes nothing itself.
                self.before = 0;
                return;
            }
            Place::Text(escapes) if byte == b'\'' => {
                self.reopens = *escapes;
                self.place = Place::Statement;
                self.before = byte;
                return;
            }
            Place::Name if byte == b'"' => self.place = Place::Statement,
            Place::Tag(tag) => {
                tag.push(byte);
                if byte == b'$' {
                    self.place = Place::Body(std::mem::take(tag), 0);
                } else if !(word(byte) && tag.len() < LONGEST_TAG) {
                    self.place = Place::Statement;
                    self.statement(byte);
                }
            }
            Place::Body(tag, seen) => {
                *seen = if tag[*seen] == byte { *seen + 1 } else { usize::from(byte == b'$') };
                if *seen == tag.len() {
                    self.place = Place::Statement;
                }
            }
            Place::Remark if byte == b'\n' => self.place = Place::Statement,
            Place::Text(_) | Place::Name | Place::Remark => {}
            Place::Comment(depth) => match (self.before, byte) {
                (b'/', b'*') => {
                    *depth += 1;
                    self.before = 0;
                    return;
                }
                (b'*', b'/') => {
                    *depth -= 1;
                    if *depth == 0 {
                        self.place = Place::Statement;
                    }
                    self.before = 0;
                    return;
                }
                _ => {}
            },
        }
        self.reopens = false;
        self.before = byte;
    }

    fn statement(&mut self, byte: u8) {
        self.place = match (self.before, byte) {
            (b'\'', b'\'') if self.reopens => Place::Text(true),
            (b'E' | b'e', b'\'') => Place::Text(true),
            (_, b'\'') => Place::Text(self.escapes),
            (_, b'"') => Place::Name,
            (before, b'$') if !word(before) && before != b'$' => Place::Tag(vec![b'$']),
            (b'-', b'-') => Place::Remark,
            (b'/', b'*') => Place::Comment(1),
            _ => return,
        };
    }
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
        let (was_name, was_tag) = (lexer.in_name(), matches!(lexer.place, Place::Tag(_)));
        let was_plain = lexer.in_statement() || was_tag;
        lexer.see(byte);
        let plain = was_plain && lexer.in_statement();
        if plain && word(byte) {
            word_at.get_or_insert(at);
            continue;
        }
        if let Some(start) = word_at.take() {
            tokens.push(Token::Word(&sql[start..at]));
        }
        match lexer.place {
            Place::Statement if plain && !byte.is_ascii_whitespace() => tokens.push(Token::Symbol(byte)),
            Place::Statement if was_name => tokens.push(Token::Name(&sql[name_at..at])),
            // A doubled quote goes on with the name that it seemed to end.
            Place::Name if !was_name => match tokens.last() {
                Some(Token::Name(name)) if name_at + name.len() + 1 == at => drop(tokens.pop()),
                _ => name_at = at + 1,
            },
            // So does one within a string.
            Place::Text(_) if was_plain && !sql[..at].ends_with('\'') => tokens.push(Token::Text),
            Place::Body(..) if was_tag => tokens.push(Token::Text),
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
                Symbol(b'-'),
                Word("ADD"),
                Word("CHECK"),
                Symbol(b'('),
                Word("x"),
                Symbol(b'<'),
                Symbol(b'>'),
                Word("E"),
                Text,
                Word("AND"),
                Symbol(b')'),
                Symbol(b'/'),
                Text,
                Word("größe"),
            ]
        );
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
        ] {
            assert!(outside_after(closed), "{closed}");
        }
        for open in ["'it''s", "E'it\\'", "$a$ $b$", "\"it", "/* /* */", "E'\\\\\\'", "$$ $a$"] {
            assert!(!outside_after(open), "{open}");
        }
    }
}
