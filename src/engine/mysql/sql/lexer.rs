//! SQL cut into tokens just as the `mysql` client cuts it: what is a string, a comment, the end of a statement.
//!
//! The client's rules count, not the server's: it is the client that finds the delimiter. A versioned comment
//! (`/*!50013 ... */`) is code between two brackets, and a delimiter inside of it ends the statement. A doubled quote
//! is read as the end of one string and the start of the next, which comes to the same.

use memchr::{memchr, memchr2, memmem};

/// Clients cut a longer delimiter off.
pub(crate) const LONGEST_DELIMITER: usize = 15;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// White space.
    Space,
    /// `-- ...`, `# ...` with its newline, `/* ... */`, `/*+ ... */`.
    Comment,
    /// `/*!50013` or `/*M!100616`: what follows is code.
    Open,
    /// Letters, digits, `_`, `$`, and everything that is not ASCII.
    Word,
    /// A whole string or quoted identifier, quotes included.
    Quoted(u8),
    /// Any other byte.
    Symbol(u8),
    /// The delimiter.
    End,
    /// A string or comment that the input ends in.
    Broken,
}

/// What of the syntax a script can change.
#[derive(Clone, Debug)]
pub(crate) struct Syntax {
    delimiter: Vec<u8>,
    /// False under `NO_BACKSLASH_ESCAPES`.
    pub(crate) backslash: bool,
    /// Double quotes are those of names: `ANSI_QUOTES`.
    pub(crate) ansi_quotes: bool,
    /// Bytes at which something other than plain code may begin.
    special: [bool; 256],
}

impl Syntax {
    /// What the client starts with.
    pub(crate) fn new() -> Self {
        let mut syntax = Self { delimiter: Vec::new(), backslash: true, ansi_quotes: false, special: [false; 256] };
        syntax.delimit(b";");
        syntax
    }

    /// What `DELIMITER` does.
    pub(crate) fn delimit(&mut self, delimiter: &[u8]) {
        let Some(first) = delimiter.first() else { return };
        self.special = [false; 256];
        for byte in *b"'\"`()-#/\\" {
            self.special[usize::from(byte)] = true;
        }
        self.special[usize::from(*first)] = true;
        self.delimiter = delimiter[..delimiter.len().min(LONGEST_DELIMITER)].to_vec();
    }

    /// What ends a statement now.
    pub(crate) fn delimiter(&self) -> &[u8] {
        &self.delimiter
    }

    /// Where the next byte stands that is not plain code.
    #[inline]
    pub(crate) fn plain(&self, input: &[u8]) -> usize {
        input.iter().position(|&b| self.special[usize::from(b)]).unwrap_or(input.len())
    }

    /// The next token and its length; none when more input is needed to tell. At the end of the script nothing more
    /// comes, and there is always an answer.
    pub(crate) fn next(&self, input: &[u8], at_end: bool) -> Option<(Token, usize)> {
        let first = *input.first()?;
        let end = self.delimited(input, at_end)?;
        if end > 0 {
            return Some((Token::End, end));
        }
        match first {
            b'\'' | b'"' | b'`' => self.quoted(first, input, at_end),
            b'#' => line(input, at_end),
            b'-' => match input.get(1..3) {
                Some([b'-', after]) if after.is_ascii_whitespace() => line(input, at_end),
                None if input.get(1).is_none_or(|&b| b == b'-') => match (at_end, input.len()) {
                    (false, _) => None,
                    (true, 2) => Some((Token::Comment, 2)),
                    (true, _) => Some((Token::Symbol(b'-'), 1)),
                },
                _ => Some((Token::Symbol(b'-'), 1)),
            },
            b'/' => slash(input, at_end),
            _ if first.is_ascii_whitespace() => Some((Token::Space, run(input, |b| b.is_ascii_whitespace()))),
            _ if in_word(first) => self.word(input, at_end).map(|length| (Token::Word, length)),
            _ => Some((Token::Symbol(first), 1)),
        }
    }

    /// A word ends where a delimiter of letters begins.
    fn word(&self, input: &[u8], at_end: bool) -> Option<usize> {
        let length = run(input, in_word);
        if self.delimiter.first().is_some_and(|&b| in_word(b)) {
            for at in 1..length {
                if self.delimited(&input[at..], at_end)? > 0 {
                    return Some(at);
                }
            }
        }
        (at_end || length < input.len()).then_some(length)
    }

    /// The length of the delimiter that the input starts with, 0 if it does not; none when it is too short to tell.
    #[inline]
    pub(crate) fn delimited(&self, input: &[u8], at_end: bool) -> Option<usize> {
        if input.first() != self.delimiter.first() {
            return Some(0);
        }
        starts(input, &self.delimiter, at_end).map(|yes| if yes { self.delimiter.len() } else { 0 })
    }

    fn quoted(&self, quote: u8, input: &[u8], at_end: bool) -> Option<(Token, usize)> {
        match self.string_end(quote, &input[1..]) {
            StringEnd::At(length) => Some((Token::Quoted(quote), 1 + length)),
            StringEnd::Beyond(_) => at_end.then_some((Token::Broken, input.len())),
        }
    }

    /// Where the string ends that `input` stands in.
    #[inline]
    pub(crate) fn string_end(&self, quote: u8, input: &[u8]) -> StringEnd {
        let escape = if quote == b'`' || !self.backslash { quote } else { b'\\' };
        let mut at = 0;
        loop {
            let Some(found) = find2(quote, escape, &input[at..]) else { return StringEnd::Beyond(input.len()) };
            at += found;
            if input[at] == quote {
                return StringEnd::At(at + 1);
            }
            if at + 1 == input.len() {
                return StringEnd::Beyond(at);
            }
            at += 2;
        }
    }
}

/// Where a string ends.
pub(crate) enum StringEnd {
    /// After so many bytes, the quote included.
    At(usize),
    /// Not in this input, of which so many bytes are surely inside (all but a lone backslash at the end).
    Beyond(usize),
}

/// `memchr2`, with the first bytes looked at by hand: most strings are short.
#[inline]
fn find2(a: u8, b: u8, input: &[u8]) -> Option<usize> {
    const SHORT: usize = 16;
    let short = &input[..input.len().min(SHORT)];
    if let Some(at) = short.iter().position(|&x| x == a || x == b) {
        return Some(at);
    }
    memchr2(a, b, &input[short.len()..]).map(|at| at + short.len())
}

/// Whether the input starts with this; none when it is too short to tell.
fn starts(input: &[u8], with: &[u8], at_end: bool) -> Option<bool> {
    if input.len() >= with.len() || at_end {
        return Some(input.starts_with(with));
    }
    if with.starts_with(input) { None } else { Some(false) }
}

fn line(input: &[u8], at_end: bool) -> Option<(Token, usize)> {
    match memchr(b'\n', input) {
        Some(at) => Some((Token::Comment, at + 1)),
        None => at_end.then_some((Token::Comment, input.len())),
    }
}

/// `/`, `/* ... */`, `/*!50013` or `/*M!100616`.
fn slash(input: &[u8], at_end: bool) -> Option<(Token, usize)> {
    if !starts(input, b"/*", at_end)? {
        return Some((Token::Symbol(b'/'), 1));
    }
    for open in [&b"/*!"[..], b"/*M!"] {
        if starts(input, open, at_end)? {
            let digits = run(&input[open.len()..], |b| b.is_ascii_digit()).min(6);
            let length = open.len() + digits;
            return (at_end || length < input.len()).then_some((Token::Open, length));
        }
    }
    match memmem::find(&input[2..], b"*/") {
        Some(at) => Some((Token::Comment, 2 + at + 2)),
        None => at_end.then_some((Token::Broken, input.len())),
    }
}

fn run(input: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    input.iter().position(|b| !belongs(*b)).unwrap_or(input.len())
}

pub(crate) fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<(Token, &str)> {
        let syntax = Syntax::new();
        let mut at = 0;
        std::iter::from_fn(|| {
            let (token, length) = syntax.next(&text.as_bytes()[at..], true)?;
            at += length;
            Some((token, &text[at - length..at]))
        })
        .filter(|(token, _)| *token != Token::Space)
        .collect()
    }

    #[test]
    fn cuts_as_the_client_does() {
        use Token::*;
        assert_eq!(
            tokens("a--b -- c;\nd"),
            [(Word, "a"), (Symbol(b'-'), "-"), (Symbol(b'-'), "-"), (Word, "b"), (Comment, "-- c;\n"), (Word, "d")]
        );
        assert_eq!(tokens(r"'a\';' ;"), [(Quoted(b'\''), r"'a\';'"), (End, ";")]);
        assert_eq!(tokens("`a\\`;"), [(Quoted(b'`'), "`a\\`"), (End, ";")]);
        assert_eq!(tokens("'a''b'"), [(Quoted(b'\''), "'a'"), (Quoted(b'\''), "'b'")]);
        assert_eq!(
            tokens("/*!50013 x /*M!100616 y /* ; */ /*+ ; */ 2*/* ; */3"),
            [
                (Open, "/*!50013"),
                (Word, "x"),
                (Open, "/*M!100616"),
                (Word, "y"),
                (Comment, "/* ; */"),
                (Comment, "/*+ ; */"),
                (Word, "2"),
                (Symbol(b'*'), "*"),
                (Comment, "/* ; */"),
                (Word, "3"),
            ]
        );
        assert_eq!(tokens("'open;"), [(Broken, "'open;")]);
        assert_eq!(tokens("1/2-"), [(Word, "1"), (Symbol(b'/'), "/"), (Word, "2"), (Symbol(b'-'), "-")]);
    }

    #[test]
    fn asks_for_more_where_a_border_hides_the_answer() {
        let mut syntax = Syntax::new();
        for cut in ["-", "--", "/", "/*", "/*M", "/*!5", "'a", "'a\\", "# x", "word", "/* x"] {
            assert_eq!(syntax.next(cut.as_bytes(), false), None, "{cut}");
        }
        syntax.delimit(b";;");
        assert_eq!(syntax.next(b";", false), None);
        assert_eq!(syntax.next(b";a", false), Some((Token::Symbol(b';'), 1)));
        assert_eq!(syntax.next(b";;", false), Some((Token::End, 2)));
    }
}
