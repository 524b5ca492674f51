//! What bytes are, by their beginning. Names are never trusted.

use memchr::memmem;

use crate::archive::read::tar_reader;

/// How many bytes [`sniff`] wants to see.
pub const SNIFF: usize = 1024;

/// What something is, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContentKind {
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
    /// bzip2.
    Bzip2,
    /// xz.
    Xz,
    /// LZ4, its frame format.
    Lz4,
    /// A zip.
    Zip,
    /// A tar.
    Tar,
    /// An archive of `pg_dump --format=custom`.
    PgCustom,
    /// The `toc.dat` of a directory-format (or tar-format) dump of `pg_dump`.
    PgToc,
    /// SQL text.
    Sql,
    /// Text in UTF-16, as PowerShell's `>` writes it.
    Utf16,
    /// Some other text.
    Text,
    /// Nothing at all.
    Empty,
    /// None of these.
    Unknown,
}

impl ContentKind {
    /// Whether there is something else inside that can be read from here.
    #[must_use]
    pub fn is_compressed(self) -> bool {
        matches!(self, Self::Gzip | Self::Zstd | Self::Bzip2 | Self::Xz | Self::Lz4)
    }

    /// Whether it is a dump that one program can read as one stream.
    #[must_use]
    pub fn is_dump(self) -> bool {
        matches!(self, Self::PgCustom | Self::Sql)
    }

    /// For messages: `a zip file`.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Gzip => "a gzip file",
            Self::Zstd => "a zstd file",
            Self::Bzip2 => "a bzip2 file",
            Self::Xz => "an xz file",
            Self::Lz4 => "an lz4 file",
            Self::Zip => "a zip file",
            Self::Tar => "a tar",
            Self::PgCustom => "a custom-format dump",
            Self::PgToc => "the table of contents of a directory-format dump",
            Self::Sql => "SQL",
            Self::Utf16 => "text in UTF-16, as PowerShell's > writes it",
            Self::Text => "text that is not SQL",
            Self::Empty => "an empty file",
            Self::Unknown => "something unknown",
        }
    }
}

/// Looks at the first bytes of something: [`SNIFF`] of them, or all there are.
#[must_use]
pub fn sniff(first: &[u8]) -> ContentKind {
    match first {
        [] => ContentKind::Empty,
        [0x1f, 0x8b, ..] => ContentKind::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => ContentKind::Zstd,
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => ContentKind::Bzip2,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => ContentKind::Xz,
        [0x04, 0x22, 0x4d, 0x18, ..] => ContentKind::Lz4,
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => ContentKind::Zip,
        // The eleventh byte is the format: 1 custom; toc.dat carries 3, so that a tar of it can be read as well.
        [b'P', b'G', b'D', b'M', b'P', rest @ ..] if rest.get(5) == Some(&1) => ContentKind::PgCustom,
        [b'P', b'G', b'D', b'M', b'P', ..] => ContentKind::PgToc,
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => ContentKind::Utf16,
        _ if tar_reader::is_header(first) => ContentKind::Tar,
        _ => text(first),
    }
}

/// Statements and commands that dumps begin with, once comments are skipped.
const BEGINNINGS: [&str; 26] = [
    "alter",
    "analyze",
    "begin",
    "call",
    "comment",
    "copy",
    "create",
    "delete",
    "delimiter",
    "do",
    "drop",
    "flush",
    "grant",
    "insert",
    "lock",
    "replace",
    "rollback",
    "select",
    "set",
    "start",
    "truncate",
    "unlock",
    "update",
    "use",
    "values",
    "with",
];

/// What a dump's first line says.
const HEADERS: [&str; 3] = ["\n-- MySQL dump ", "\n-- MariaDB dump ", "\n-- PostgreSQL database dump"];

fn text(first: &[u8]) -> ContentKind {
    let first = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first);
    let control = |byte: &u8| matches!(byte, 0..=8 | 14..=26 | 28..=31 | 127);
    if first.iter().take(SNIFF).any(control) {
        return ContentKind::Unknown;
    }
    let start = first.trim_ascii_start();
    // Three dashes alone are how YAML begins.
    if start.starts_with(b"---\n") || start.starts_with(b"---\r\n") {
        return ContentKind::Text;
    }
    // Something may stand before a dump's first line: what its program said on its error output.
    if begins_as_sql(start) || header_at(first).is_some() { ContentKind::Sql } else { ContentKind::Text }
}

/// Whether a text begins with a comment, a command of psql's or a statement.
pub(crate) fn begins_as_sql(start: &[u8]) -> bool {
    // `-- ` and `--` alone, `/*`, `#` comments of MySQL are left to the words after them; `\restrict`, `\connect`.
    if start.starts_with(b"--") || start.starts_with(b"/*") || start.starts_with(b"\\") {
        return true;
    }
    let word: Vec<u8> =
        start.iter().take_while(|byte| byte.is_ascii_alphabetic()).map(u8::to_ascii_lowercase).collect();
    let ends = start.get(word.len()).is_none_or(|byte| byte.is_ascii_whitespace() || b";(`\"'".contains(byte));
    ends && BEGINNINGS.iter().any(|known| known.as_bytes() == word)
}

/// Where the line feed stands behind which a dump program's first line follows.
pub(crate) fn header_at(text: &[u8]) -> Option<usize> {
    HEADERS.iter().filter_map(|header| memmem::find(text, header.as_bytes())).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        let cases: &[(&[u8], ContentKind)] = &[
            (b"", ContentKind::Empty),
            (b"\x1f\x8b\x08", ContentKind::Gzip),
            (b"\x28\xb5\x2f\xfd\x04", ContentKind::Zstd),
            (b"BZh91AY", ContentKind::Bzip2),
            (b"\xfd7zXZ\0", ContentKind::Xz),
            (b"PK\x03\x04", ContentKind::Zip),
            (b"PGDMP\x01\x0e\x00\x04\x08\x01", ContentKind::PgCustom),
            (b"PGDMP\x01\x0e\x00\x04\x08\x03", ContentKind::PgToc),
            (b"--\n-- PostgreSQL database dump\n", ContentKind::Sql),
            (b"/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump", ContentKind::Sql),
            (b"\xef\xbb\xbf\r\nSET NAMES utf8;", ContentKind::Sql),
            (b"\\restrict abc\n", ContentKind::Sql),
            (b"INSERT INTO `a` VALUES (1);", ContentKind::Sql),
            (b"Settings for the machine", ContentKind::Text),
            (b"Dear all,", ContentKind::Text),
            (b"mysqldump: [Warning] x\n-- MySQL dump 10.13", ContentKind::Sql),
            (b"pg_dump: warning: x\n--\n-- PostgreSQL database dump\n", ContentKind::Sql),
            (b"\xff\xfe-\0-\0", ContentKind::Utf16),
            (b"\x7fELF\x02", ContentKind::Unknown),
            (&[0; 1024], ContentKind::Unknown),
        ];
        for (bytes, kind) in cases {
            assert_eq!(sniff(bytes), *kind, "{bytes:?}");
        }
    }
}
