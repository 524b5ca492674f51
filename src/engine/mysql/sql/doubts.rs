//! Text that clients and servers read in different ways: in one of them a string or a comment ends elsewhere, and what
//! looks like its inside is a statement. The fuzzer in `tests/it/hostile/bounds.rs` found them. No dump program writes any
//! of it, so a script that holds it is stopped.

use memchr::memmem;

use super::lexer::{Syntax, Token};
use super::statement::{NEW, version};

/// Whether the end of a statement, or of a comment between statements, may be in doubt. Where a versioned comment is open at
/// the end, the next statement would begin within it for `mysql`; only before rows it `may_end_open`.
pub(crate) fn is_doubtful(text: &[u8], syntax: &Syntax, may_end_open: bool) -> bool {
    let (mut at, mut open) = (0, None);
    while let Some((token, length)) = syntax.next(&text[at..], true) {
        let (token_text, rest) = (&text[at..at + length], &text[at..]);
        let doubtful = match token {
            Token::Open => {
                let is_within = open.is_some();
                open = open.or(Some(version(token_text)));
                token_text.starts_with(b"/*M") && (is_within || is_odd_comment(rest, syntax))
            }
            Token::Symbol(b'*') if rest.starts_with(b"*/") => {
                open = None;
                false
            }
            Token::Comment if token_text.starts_with(b"/*") => {
                is_doubtful_comment(token_text, syntax) || open.is_some() && !ends_alike(&text[at + length..], syntax)
            }
            // A server that skips the versioned comment ends it here.
            Token::Comment => open.is_some() && holds(token_text, b"*/"),
            Token::Quoted(quote) => {
                is_doubtful_string(quote, token_text, syntax)
                    || open.is_some_and(|since| since >= NEW) && holds(token_text, b"*/")
            }
            Token::Symbol(b'\\') => !rest.starts_with(b"\\N"),
            Token::Symbol(b'-') => is_doubtful_dash(rest),
            Token::Word => match dollar_string(token_text, &text[at + length..], syntax) {
                Ok(inside) => {
                    at += inside;
                    false
                }
                Err(Doubt) => true,
            },
            _ => false,
        };
        if doubtful {
            return true;
        }
        at += length;
    }
    open.is_some() && !may_end_open
}

/// A string of which clients lose a part, or in which they disagree on what escapes.
pub(crate) fn is_doubtful_string(quote: u8, text: &[u8], syntax: &Syntax) -> bool {
    let escapes = syntax.backslash && quote != b'`';
    // The client takes no more of a line behind a backslash and a zero byte.
    escapes && memchr::memchr(0, text).is_some() && holds(text, b"\\\0")
        || escapes && quote == b'"' && syntax.ansi_quotes && memchr::memchr(b'\\', text).is_some()
}

/// Clients and servers may end it in different places.
struct Doubt;

/// From version 9 on `$$ ... $$` and `$x$ ... $x$` are strings for `mysql`: how much of one follows the word that begins it. It
/// comes to the same for all where nothing of ours is open at its end, which stands in a word or begins one.
fn dollar_string(word: &[u8], rest: &[u8], syntax: &Syntax) -> Result<usize, Doubt> {
    let Some(tag) = dollar_tag(word) else { return Ok(0) };
    if holds(&word[tag.len()..], tag) {
        return Ok(0);
    }
    let end = memmem::find(rest, tag).ok_or(Doubt)?;
    let ends_alike = reads_up_to(end, rest, syntax) && !is_doubtful(&rest[..end], syntax, false);
    if ends_alike { Ok(end + tag.len()) } else { Err(Doubt) }
}

/// `$$` or `$x$` at the beginning of a word.
pub(crate) fn dollar_tag(word: &[u8]) -> Option<&[u8]> {
    word.strip_prefix(b"$").and_then(|rest| memchr::memchr(b'$', rest)).map(|at| &word[..at + 2])
}

/// Two dashes before a control character: a comment for servers and some clients.
pub(crate) fn is_doubtful_dash(rest: &[u8]) -> bool {
    matches!(rest, [b'-', b'-', after, ..] if after.is_ascii_control() && !after.is_ascii_whitespace())
}

/// A comment in which another kind seems to begin: `mysql` looks for two ends then, if they stand on one line.
pub(crate) fn is_doubtful_comment(text: &[u8], syntax: &Syntax) -> bool {
    let inner = text.get(2..).unwrap_or_default();
    [&b"/*!"[..], b"/*M!", b"/*+", b"/*/"].iter().any(|open| holds(inner, open))
        || inner.starts_with(b"+") && is_odd_comment(text, syntax)
}

/// `/*M!` is code for `mariadb` and a comment for `mysql`; `/*+` is a comment, or code, or one thing up to the end of its line.
/// They come to the same where nothing is in it that one of them would stop at.
fn is_odd_comment(text: &[u8], syntax: &Syntax) -> bool {
    let Some(end) = memmem::find(&text[2..], b"*/") else { return true };
    let inner = &text[2..2 + end];
    let stops = |byte: &u8| b"'\"`\\#\n".contains(byte);
    inner.iter().any(stops) || [&b"--"[..], b"/*", syntax.delimiter()].iter().any(|what| holds(inner, what))
}

/// Within a versioned comment `mysql` may take a comment to end with the outer one: whether that end is code for us, too.
fn ends_alike(rest: &[u8], syntax: &Syntax) -> bool {
    let Some(end) = memmem::find(rest, b"*/") else { return false };
    !holds(&rest[..end], b"/*") && reads_up_to(end, rest, syntax)
}

/// Whether a token of ours ends here.
fn reads_up_to(end: usize, rest: &[u8], syntax: &Syntax) -> bool {
    let mut at = 0;
    while at < end {
        let Some((_, length)) = syntax.next(&rest[at..], true) else { return false };
        at += length;
    }
    at == end
}

fn holds(text: &[u8], what: &[u8]) -> bool {
    memmem::find(text, what).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_between_dollars_is_read_up_to_its_end() {
        let doubtful = |text: &str| is_doubtful(text.as_bytes(), &Syntax::new(), false);
        assert!(!doubtful("AS $$ return a $$"));
        assert!(!doubtful("AS $x$ return a $x$, $$b$$"));
        for text in
            ["AS $$ return a", "AS $$ 'it' + ' $$", "AS $$ --\u{1} $$", "AS $$ a $$ \\", "/*! a", "AS $$ /*! a $$"]
        {
            assert!(doubtful(text), "{text}");
        }
    }
}
