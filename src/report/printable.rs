//! Text that others wrote, made harmless for a terminal: a table's name, a server's error or an archive's path may hold
//! escape sequences, which would move the cursor, rename the window or hide the line that matters.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Control characters show as `\x1b` or `\u{202e}`; newlines and tabs stay.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(
        text,
        |c| c != '\n' && c != '\t' && acts(c),
        |out, c| {
            let code = u32::from(c);
            let _ = if code < 0x80 { write!(out, "\\x{code:02x}") } else { write!(out, "\\u{{{code:x}}}") };
        },
    )
}

/// The same of a JSON text, as JSON spells it: what stands below a space is spelled so already.
pub fn printable_json(text: &str) -> Cow<'_, str> {
    escaped(text, acts, |out, c| {
        let _ = write!(out, "\\u{:04x}", u32::from(c));
    })
}

fn escaped(text: &str, bad: impl Fn(char) -> bool, spell: impl Fn(&mut String, char)) -> Cow<'_, str> {
    if !text.contains(&bad) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if bad(c) { spell(&mut out, c) } else { out.push(c) }
    }
    out.into()
}

/// Control characters, and those that turn the direction of what follows.
fn acts(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_on_a_terminal() {
        assert_eq!(printable("a\x1b]0;x\x07b\r\u{9b}2J\u{202e}\tc\n"), "a\\x1b]0;x\\x07b\\x0d\\u{9b}2J\\u{202e}\tc\n");
        assert!(matches!(printable("grün 🦀"), Cow::Borrowed(_)));
        let name = "a\x1b\u{9b}\u{7f}\u{202e}z";
        let json = printable_json(&serde_json::json!({ "name": name }).to_string()).into_owned();
        assert!(json.is_ascii(), "{json}");
        let back: serde_json::Value = serde_json::from_str(&json).expect("still JSON");
        assert_eq!(back["name"], name);
    }
}
