//! `manifest.json`: what an archive holds and where it came from, written last, from what was really seen.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::archive::error::{ArchiveError, Result};
use crate::archive::write::writer::Member;
use crate::dependency::Dependency;
use crate::properties::DatabaseProperties;

/// The manifest's file name inside the archive's folder.
pub const MANIFEST: &str = "manifest.json";
/// The version of the manifest that is written here.
pub const FORMAT_VERSION: u64 = 1;
/// The largest manifest that is read into memory, and written, in bytes: that of more than 100,000 tables.
pub const MANIFEST_MAX: u64 = 32 << 20;
/// A manifest of ours takes more bytes than this for each of its values.
const VALUE_MIN: usize = 16;
/// So many values are no matter, however short they are.
const VALUES_FREE: usize = 1 << 16;

/// The manifest. Fields that are not known here are ignored when reading, and those that are absent are empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// 1; a greater one is refused, since its meaning can't be known.
    pub format_version: u64,
    /// The program that wrote the archive, with its version: `dbhaul 0.1.0`.
    pub tool: String,
    /// `postgresql` or `mysql`.
    pub engine: String,
    /// The product: `PostgreSQL`, `MySQL`, `MariaDB`, ...
    #[serde(default)]
    pub flavour: String,
    /// The server's version, in its own words.
    #[serde(default)]
    pub server_version: String,
    /// The program that made the dump.
    #[serde(default)]
    pub client: Client,
    /// The database's name on its server.
    #[serde(default)]
    pub database: String,
    /// The name the archive was given.
    #[serde(default)]
    pub name: String,
    /// When the dump began, RFC 3339, UTC.
    #[serde(default)]
    pub started_at: String,
    /// When it was complete, RFC 3339, UTC.
    #[serde(default)]
    pub finished_at: String,
    /// The options that shape the dump's content.
    #[serde(default)]
    pub options: BTreeMap<String, serde_json::Value>,
    /// The other members, in their order.
    pub members: Vec<Member>,
    /// How far the dump is one point in time.
    #[serde(default)]
    pub consistency: String,
    /// How the tables' `checksum`s were made: `xxh3-64-sum`. Without it they mean nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_checksum: Option<String>,
    /// The tables.
    #[serde(default)]
    pub tables: Vec<ManifestTable>,
    /// Columns of which the dump holds fewer digits than the source, as `table.column`; none where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inexact_columns: Option<Vec<String>>,
    /// Columns with values that come back in other types, as `table.column`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retyped_columns: Vec<String>,
    /// What is in the database but not in the dump.
    #[serde(default)]
    pub missing: Vec<String>,
    /// What the client leaves out of every dump, and is in the database: sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_held: Vec<String>,
    /// What the dumped part needs and the dump does not hold; none of a dump of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependencies: Option<Vec<Dependency>>,
    /// What was warned of.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The database's encoding or character set.
    #[serde(default)]
    pub encoding: Option<String>,
    /// PostgreSQL: the locale in which the dump's amounts of money are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lc_monetary: Option<String>,
    /// The database's collation.
    #[serde(default)]
    pub collation: Option<String>,
    /// Extensions that a target must have.
    #[serde(default)]
    pub extensions: Vec<String>,
    /// What belongs to the database itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database_properties: Option<DatabaseProperties>,
}

/// The program that made a dump.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its name: `pg_dump`, `mysqldump`, `mariadb-dump`.
    #[serde(default)]
    pub program: String,
    /// Its version.
    #[serde(default)]
    pub version: String,
}

/// A table, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestTable {
    /// Its schema, where the engine has them.
    #[serde(default)]
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// Rows in the dump, counted.
    #[serde(default)]
    pub rows: Option<u64>,
    /// The checksum of these rows in any order: 16 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    /// Rows in the database, from the server's statistics.
    #[serde(default)]
    pub estimated_rows: Option<u64>,
    /// Its size in the database, in bytes.
    #[serde(default)]
    pub bytes: Option<u64>,
}

impl Manifest {
    /// Reads a manifest. A version from the future is told apart from a manifest that is broken.
    pub fn parse(json: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            format_version: u64,
        }
        let broken = |error: serde_json::Error| {
            ArchiveError::corrupt(format!("the manifest can't be understood: {error}")).at(None, Some(MANIFEST))
        };
        let Version { format_version: found } = serde_json::from_slice(json).map_err(broken)?;
        if found > FORMAT_VERSION {
            return Err(ArchiveError::FormatVersion { found, supported: FORMAT_VERSION });
        }
        if values(json) > VALUES_FREE + json.len() / VALUE_MIN {
            let what = "the manifest has more and shorter values than one of dbhaul's";
            return Err(ArchiveError::corrupt(what).at(None, Some(MANIFEST)));
        }
        serde_json::from_slice(json).map_err(broken)
    }

    /// The manifest's text: indented, since people read it, with a newline at its end.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "strings, numbers and string keys always serialise")]
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).expect("strings, numbers and string keys always serialise");
        json.push(b'\n');
        json
    }
}

/// How many values a JSON text holds, or a few less: an empty one takes two bytes of it, and a hundred of memory.
fn values(json: &[u8]) -> usize {
    let (mut count, mut inside, mut escaped) = (0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => inside = !inside,
            b',' | b'{' | b'[' if !inside => count += 1,
            _ => {}
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_fields_are_ignored_and_later_versions_named() {
        let known = br#"{"format_version":1,"tool":"dbhaul 9","engine":"mysql","members":[],"colour":"blue"}"#;
        let manifest = Manifest::parse(known).expect("a known version");
        assert_eq!((manifest.tool.as_str(), manifest.rest()), ("dbhaul 9", 0));
        let later = Manifest::parse(br#"{"format_version":2,"members":{"as":"a map"}}"#);
        assert!(matches!(later, Err(ArchiveError::FormatVersion { found: 2, supported: 1 })));
        for broken in [&b""[..], b"{}", b"[]", br#"{"format_version":1}"#, br#"{"format_version":"1"}"#] {
            assert!(matches!(Manifest::parse(broken), Err(ArchiveError::Corrupt { .. })));
        }
    }

    impl Manifest {
        fn rest(&self) -> usize {
            self.tables.len() + self.warnings.len() + self.missing.len()
        }
    }

    #[test]
    fn many_short_values_are_refused_and_names_full_of_commas_are_none() {
        assert_eq!(values(br#"{"a,\",{[":[1,"\\",2]}"#), 4);
        let dense = "0,".repeat(100_000);
        let json = format!(r#"{{"format_version":1,"tool":"","engine":"","members":[],"options":{{"a":[{dense}0]}}}}"#);
        assert!(matches!(Manifest::parse(json.as_bytes()), Err(ArchiveError::Corrupt { .. })));
    }

    #[test]
    fn round_trip() {
        let table = ManifestTable {
            schema: Some("public".into()),
            name: "ü".into(),
            rows: Some(3),
            ..ManifestTable::default()
        };
        let manifest = Manifest {
            format_version: FORMAT_VERSION,
            options: [("jobs".to_owned(), 1.into())].into(),
            tables: vec![table],
            members: vec![Member { path: "r/dump.sql".into(), size: 1, sha256: "00".into() }],
            ..Manifest::default()
        };
        assert_eq!(Manifest::parse(&manifest.to_json()).expect("our own"), manifest);
    }
}
