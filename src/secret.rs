//! Secrets, and the one filter that keeps them out of everything that people see.
//!
//! A [`Secret`] has no `Display` and its `Debug` shows stars: whoever wants the text must say `expose`, which is easy
//! to search for. Text that comes from elsewhere (a child's stderr, a server's error) passes through a [`Redactor`].

mod quoted;

use std::fmt;

/// What stands where a secret stood.
pub const STARS: &str = "****";

/// A password or another value that must not be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value that must not be shown.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that hands it on.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(STARS)
    }
}

/// Replaces every known secret in foreign text, in each spelling in which programs repeat one, and what stands where a
/// password does.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    needles: Vec<Secret>,
}

impl Redactor {
    /// A redactor for these secrets. Empty ones are ignored.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut redactor = Self::default();
        for secret in secrets {
            redactor.add(secret);
        }
        redactor
    }

    /// Adds a secret: as it is, percent-encoded, as SQL and option files and shells quote it, and its fragments.
    ///
    /// A parser that stumbles inside a password repeats the piece around the character it stumbled over, so the
    /// pieces between punctuation count too, when they are long enough not to be an ordinary word.
    pub fn add(&mut self, secret: &Secret) {
        let text = secret.expose();
        if text.is_empty() {
            return;
        }
        let mut spellings = vec![
            text.to_owned(),
            percent_encode(text),
            percent_encode(text).to_lowercase(),
            text.replace('\\', "\\\\"),
            text.replace('\\', "\\\\").replace('"', "\\\""),
            text.replace('\'', "''"),
            text.replace('\'', "\\'"),
            text.replace('\'', "'\\''"),
            text.replace(':', "\\:"),
        ];
        let fragments = text.split(|c: char| !c.is_alphanumeric());
        spellings.extend(fragments.filter(|f| f.chars().count() >= 6).map(str::to_owned));
        for spelling in spellings {
            if !self.needles.iter().any(|n| n.expose() == spelling) {
                self.needles.push(Secret(spelling));
            }
        }
        // The longest first, so that a fragment never splits the whole.
        self.needles.sort_by_key(|n| std::cmp::Reverse(n.expose().len()));
    }

    /// Takes over every secret of another redactor.
    pub fn merge(&mut self, other: &Self) {
        for needle in &other.needles {
            if !self.needles.contains(needle) {
                self.needles.push(needle.clone());
            }
        }
        self.needles.sort_by_key(|n| std::cmp::Reverse(n.expose().len()));
    }

    /// The text with stars where a secret stood, and in place of the passwords of others that it quotes.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let mut out = text.to_owned();
        for needle in &self.needles {
            out = replace_where_it_stands(&out, needle.expose());
        }
        quoted::redact(&out)
    }

    /// The length in bytes of the longest spelling: text that is cut must be redacted with this much overlap.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.needles.first().map_or(0, |n| n.expose().len())
    }
}

/// Replaces a secret. One of up to three characters is replaced only where it stands alone: to star out each `a` of a
/// message would say more than it hides.
fn replace_where_it_stands(text: &str, needle: &str) -> String {
    if needle.chars().count() > 3 {
        return text.replace(needle, STARS);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(needle) {
        let (before, after) = (&rest[..at], &rest[at + needle.len()..]);
        let alone = !before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric);
        out.push_str(before);
        out.push_str(if alone { STARS } else { needle });
        rest = after;
    }
    out + rest
}

/// Percent-encodes everything that RFC 3986 does not call unreserved.
#[must_use]
pub fn percent_encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_debug_nor_redacted_text_shows_the_secret() {
        let secret = Secret::new(r#"p%w'o:r"d\long#"#);
        assert_eq!(format!("{secret:?}"), STARS);
        let redactor = Redactor::new([&secret]);
        for spelling in [
            r#"p%w'o:r"d\long#"#,
            "p%25w%27o%3Ar%22d%5Clong%23",
            r#"p%w'o:r\"d\\long#"#,
            r#"p%w''o:r"d\long#"#,
            r#"p%w'o\:r"d\long#"#,
        ] {
            assert_eq!(redactor.redact(&format!("<{spelling}>")), "<****>", "{spelling}");
        }
    }

    #[test]
    fn a_fragment_that_a_parser_repeats_is_hidden() {
        let redactor = Redactor::new([&Secret::new("geheimnis%zz")]);
        assert_eq!(redactor.redact("invalid token: \"geheimnis\""), "invalid token: \"****\"");
    }

    #[test]
    fn a_short_secret_is_hidden_only_where_it_stands_alone() {
        let redactor = Redactor::new([&Secret::new("a")]);
        assert_eq!(redactor.redact("password 'a' was bad"), "password '****' was bad");
    }
}
