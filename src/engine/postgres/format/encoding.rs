//! The encodings of PostgreSQL's databases: how a name reads that stands in a dump, and how a client's command line is
//! to say it.
//!
//! `pg_dump` writes names, rows and definitions in the encoding that it is told, and takes the patterns of its command
//! line to be in that encoding, too. The server's own sessions with us are in UTF-8.

use std::borrow::Cow;
use std::fmt::Write as _;

use encoding_rs as tables;

use crate::error::{Error, Kind, Result};
use crate::hint::Hint;
use crate::invocation::Arg;

/// An encoding, as the server calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// Bytes that the server does not look at: mostly UTF-8.
    SqlAscii,
    /// Each byte is the code point of the same number.
    Latin1,
    /// One with a table.
    Table(&'static tables::Encoding),
    /// One without: only ASCII can be read in it, and handed to a client.
    Unknown,
}

impl Encoding {
    /// By the server's name for it: `UTF8`, `LATIN1`, `EUC_JP`.
    pub fn named(name: &str) -> Self {
        let table = match name.to_ascii_uppercase().as_str() {
            "UTF8" | "UNICODE" => return Self::Utf8,
            "SQL_ASCII" => return Self::SqlAscii,
            "LATIN1" => return Self::Latin1,
            "LATIN2" => tables::ISO_8859_2,
            "LATIN3" => tables::ISO_8859_3,
            "LATIN4" => tables::ISO_8859_4,
            // ISO 8859-9 is this one but for 0x80 to 0x9F, where it has control characters.
            "LATIN5" | "WIN1254" => tables::WINDOWS_1254,
            "LATIN6" => tables::ISO_8859_10,
            "LATIN7" => tables::ISO_8859_13,
            "LATIN8" => tables::ISO_8859_14,
            // ISO 8859-15, which the crate calls so.
            "LATIN9" => tables::ISO_8859_15,
            "LATIN10" => tables::ISO_8859_16,
            "ISO_8859_5" => tables::ISO_8859_5,
            "ISO_8859_6" => tables::ISO_8859_6,
            "ISO_8859_7" => tables::ISO_8859_7,
            "ISO_8859_8" => tables::ISO_8859_8,
            "KOI8R" => tables::KOI8_R,
            "KOI8U" => tables::KOI8_U,
            "WIN866" => tables::IBM866,
            "WIN874" => tables::WINDOWS_874,
            "WIN1250" => tables::WINDOWS_1250,
            "WIN1251" => tables::WINDOWS_1251,
            "WIN1252" => tables::WINDOWS_1252,
            "WIN1253" => tables::WINDOWS_1253,
            "WIN1255" => tables::WINDOWS_1255,
            "WIN1256" => tables::WINDOWS_1256,
            "WIN1257" => tables::WINDOWS_1257,
            "WIN1258" => tables::WINDOWS_1258,
            "EUC_JP" => tables::EUC_JP,
            "EUC_CN" | "GBK" => tables::GBK,
            "EUC_KR" | "UHC" => tables::EUC_KR,
            "GB18030" => tables::GB18030,
            "BIG5" => tables::BIG5,
            "SJIS" => tables::SHIFT_JIS,
            _ => return Self::Unknown,
        };
        Self::Table(table)
    }

    /// The encoding that this statement announces: `SET client_encoding = 'LATIN1';`.
    pub fn announced(statement: &str) -> Option<&str> {
        let value = statement.trim().strip_prefix("SET client_encoding = '")?;
        value.strip_suffix("';")
    }

    /// The text. What is no text in this encoding shows its bytes as `\xE9`, so that two names never become one.
    pub fn decode(self, bytes: &[u8]) -> Cow<'_, str> {
        let known = match self {
            Self::Utf8 => return String::from_utf8_lossy(bytes),
            Self::Latin1 => Some(tables::mem::decode_latin1(bytes)),
            Self::Table(table) => table.decode_without_bom_handling_and_without_replacement(bytes),
            Self::SqlAscii => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Self::Unknown => std::str::from_utf8(bytes).ok().filter(|text| text.is_ascii()).map(Cow::Borrowed),
        };
        known.unwrap_or_else(|| escaped(bytes).into())
    }

    /// The bytes; none where the encoding hasn't such a character, or is not known.
    pub fn encode(self, text: &str) -> Option<Cow<'_, [u8]>> {
        if text.is_ascii() {
            return Some(text.as_bytes().into());
        }
        match self {
            Self::Utf8 | Self::SqlAscii => Some(text.as_bytes().into()),
            Self::Latin1 => {
                text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect::<Option<Vec<_>>>().map(Cow::Owned)
            }
            Self::Table(table) => {
                let (bytes, _, has_others) = table.encode(text);
                (!has_others).then_some(bytes)
            }
            Self::Unknown => None,
        }
    }

    /// Whether a name of the database can be handed to a client.
    pub fn is_known(self) -> bool {
        self != Self::Unknown
    }

    /// An argument of a client that reads its command line in this encoding.
    pub fn argument(self, text: impl Into<String>) -> Result<Arg> {
        let text = text.into();
        if matches!(self, Self::Utf8 | Self::SqlAscii) || text.is_ascii() {
            return Ok(Arg::Text(text));
        }
        match self.encode(&text) {
            Some(bytes) => Ok(Arg::Bytes(bytes.into_owned())),
            None => Err(Error::new(Kind::Usage, format!("{text} can't be said in the dump's encoding"))
                .why("pg_dump reads its command line in the encoding that it writes: nothing was started")
                .hint(Hint::new(
                    "question-mark-for-characters",
                    "write ? in a pattern for each character that is beyond ASCII: it stands for any one",
                ))),
        }
    }

    /// The same for several.
    pub fn arguments(self, texts: impl IntoIterator<Item = String>) -> Result<Vec<Arg>> {
        texts.into_iter().map(|text| self.argument(text)).collect()
    }
}

fn escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        if byte.is_ascii() {
            text.push(char::from(*byte));
        } else {
            let _ = write!(text, "\\x{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_in_both_directions() {
        for (name, text, bytes) in [
            ("UTF8", "café", &b"caf\xc3\xa9"[..]),
            ("SQL_ASCII", "café", b"caf\xc3\xa9"),
            ("LATIN1", "café", b"caf\xe9"),
            ("latin1", "\u{85}ÿ", b"\x85\xff"),
            ("LATIN9", "€", b"\xa4"),
            ("WIN1252", "€", b"\x80"),
            ("KOI8R", "ж", b"\xd6"),
            ("EUC_JP", "日", b"\xc6\xfc"),
            ("GB18030", "😀", b"\x94\x39\xfc\x36"),
        ] {
            let encoding = Encoding::named(name);
            assert_eq!(encoding.decode(bytes), text, "{name}");
            assert_eq!(encoding.encode(text).as_deref(), Some(bytes), "{name}");
        }
    }

    #[test]
    fn what_an_encoding_has_not_is_refused_and_what_is_no_text_in_it_stays_apart() {
        assert_eq!(Encoding::Latin1.encode("€"), None);
        assert_eq!(Encoding::named("WIN1251").encode("é"), None);
        assert_eq!(Encoding::SqlAscii.decode(b"caf\xe9\xff"), "caf\\xE9\\xFF");
        assert_eq!(Encoding::named("EUC_JP").decode(b"a\xff"), "a\\xFF");
        let unknown = Encoding::named("EUC_TW");
        assert_eq!((unknown.decode(b"a\xc4\xe3"), unknown.encode("a")), ("a\\xC4\\xE3".into(), Some(b"a"[..].into())));
        assert_eq!(unknown.argument("日").expect_err("refused").kind, Kind::Usage);
    }

    #[test]
    fn a_dump_announces_its_encoding() {
        assert_eq!(Encoding::announced("SET client_encoding = 'LATIN1';\n"), Some("LATIN1"));
        assert_eq!(Encoding::announced("SET client_encoding = x;"), None);
    }
}
