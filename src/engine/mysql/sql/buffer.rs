//! What the client holds back while it reads: it obeys `DELIMITER` only at the start of a line, with nothing in its buffer.
//! With `--comments` a comment is something, and so are blanks on a line of their own.

use memchr::{memchr, memchr2};

use super::gate;
use super::lexer::LONGEST_DELIMITER;
use super::splitter::Between;
use crate::engine::stray::MARK;

/// Where on its line the next byte stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Line {
    #[default]
    Start,
    /// Behind blanks only.
    Blank,
    /// Behind anything else.
    Behind,
}

/// The client's buffer, between two statements.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Buffer {
    is_filled: bool,
    line: Line,
}

impl Buffer {
    /// Behind a delimiter.
    pub(crate) fn behind(self) -> Self {
        Self { line: Line::Behind, ..self }
    }

    /// Whether a line of `DELIMITER` that stands here is the client's command.
    pub(crate) fn obeys(self, line: &[u8]) -> bool {
        // Behind blanks the client finds no quotes.
        let at_start =
            self.line == Line::Start || self.line == Line::Blank && !line.iter().any(|b| b"'\"`".contains(b));
        !self.is_filled && at_start
    }

    /// Something that stands between two statements passes by.
    pub(crate) fn passes(&mut self, what: Between, bytes: &[u8]) {
        let ends_line = bytes.ends_with(b"\n");
        match what {
            Between::Blank if !bytes.iter().all(u8::is_ascii_whitespace) => *self = Self::default().behind(),
            Between::Blank => bytes.iter().for_each(|byte| self.blank(*byte)),
            Between::Comment if !bytes.starts_with(b"/*") => self.is_filled |= self.line == Line::Blank,
            Between::Comment => self.is_filled = true,
            Between::Sandbox => self.is_filled |= self.line != Line::Start,
            Between::More | Between::Delimiter | Between::Mark => {}
        }
        match what {
            Between::Blank | Between::Mark => {}
            _ => self.line = if ends_line { Line::Start } else { Line::Behind },
        }
    }

    fn blank(&mut self, byte: u8) {
        match (self.line, byte) {
            (line, b'\n') => {
                self.is_filled |= line == Line::Blank;
                self.line = Line::Start;
            }
            (Line::Start, _) => self.line = Line::Blank,
            _ => {}
        }
    }
}

/// The delimiter that a whole line of the client's command names, where every client takes the same for it. Only a blank
/// ends it: of a line that ends with a carriage return, that is half of the delimiter.
pub(crate) fn new_delimiter(line: &[u8]) -> Option<&[u8]> {
    const WORD: usize = b"delimiter".len();
    const LONGEST_LINE: usize = 200;
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let rest = line.get(WORD..).filter(|rest| rest.first().is_some_and(is_blank))?;
    let rest = &rest[rest.iter().position(|byte| !is_blank(byte))?..];
    let delimiter = match rest {
        // Of one that is left open clients make different things.
        [quote @ (b'\'' | b'"' | b'`'), quoted @ ..] => &quoted[..memchr(*quote, quoted)?],
        _ => &rest[..memchr2(b' ', b'\n', rest).unwrap_or(rest.len())],
    };
    let visible = delimiter.strip_suffix(b"\r").unwrap_or(delimiter);
    // With a star it may be half of a comment's end.
    let is_plain = visible.iter().all(|byte| byte.is_ascii_graphic() && !b"'\"`\\*".contains(byte));
    let fits = !visible.is_empty() && delimiter.len() <= LONGEST_DELIMITER && line.len() <= LONGEST_LINE;
    (is_plain && fits && !gate::holds_delimiter(delimiter)).then_some(delimiter)
}

/// The length of a byte order mark at the start of the input, 0 if there is none; none when more is needed.
pub(crate) fn mark(input: &[u8], at_end: bool) -> Option<usize> {
    let cut = !at_end && input.len() < MARK.len() && MARK.starts_with(input);
    (!cut).then_some(if input.starts_with(MARK) { MARK.len() } else { 0 })
}

/// The length of a sandbox line at the start of the input, 0 if there is none; none when more is needed.
pub(crate) fn sandbox(input: &[u8], at_end: bool) -> Option<usize> {
    for line in [&b"/*!999999\\- enable the sandbox mode */"[..], b"/*M!999999\\- enable the sandbox mode */"] {
        if let Some(rest) = input.strip_prefix(line) {
            return match rest.iter().position(|b| !matches!(b, b' ' | b'\r')) {
                Some(at) if rest[at] == b'\n' => Some(line.len() + at + 1),
                Some(_) => Some(0),
                None => at_end.then_some(input.len()),
            };
        }
        if !at_end && line.starts_with(input) {
            return None;
        }
    }
    Some(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_take_the_same_for_a_delimiter() {
        for (line, delimiter) in [
            ("DELIMITER ;;\n", Some(";;")),
            ("delimiter\t// -- x\r\n", Some("//")),
            ("DELIMITER $$\r\n", Some("$$\r")),
            ("DELIMITER //\t\n", None),
            ("DELIMITER é\n", None),
            ("DELIMITER//\n", None),
            ("DELIMITER '//'\n", Some("//")),
            ("DELIMITER '//\n", None),
            ("DELIMITER '\n", None),
            ("DELIMITER */\n", None),
            ("DELIMITER delimiter\n", None),
            ("DELIMITER \\\\\n", None),
            ("DELIMITER\n", None),
            ("DELIMITER 1234567890123456\n", None),
        ] {
            assert_eq!(new_delimiter(line.as_bytes()), delimiter.map(str::as_bytes), "{line}");
        }
    }
}
