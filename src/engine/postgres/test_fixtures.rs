//! Values that several tests of this engine start from.

use std::collections::BTreeMap;

use crate::engine::{Content, Flavour, Format, RestoreOptions, Server, Target, Version};
use crate::invocation::{Arg, Invocation};
use crate::properties::DatabaseProperties;

/// An empty, healthy server of this major version.
pub fn server(major: u32) -> Server {
    Server {
        flavour: Flavour::POSTGRES,
        version: Version::new(major, 1, 0),
        version_text: format!("{major}.1"),
        products: Vec::new(),
        login: "app".into(),
        user: "app".into(),
        database: "shop".into(),
        standing: "owner".into(),
        size: None,
        tables: Vec::new(),
        encoding: "UTF8".into(),
        collation: "C.UTF-8".into(),
        properties: DatabaseProperties::default(),
        replica: false,
        read_only: false,
        pooler: None,
        connections_left: Some(90),
        encrypted: true,
        selected: None,
        findings: Vec::new(),
        target: Target { exists: true, ..Target::default() },
        settings: BTreeMap::new(),
    }
}

/// An empty archive of this format version.
pub fn content(archive: &str) -> Content {
    Content {
        source_version: Some("15.18 (Debian)".into()),
        source_flavour: Some(Flavour::POSTGRES),
        client_version: Some("15.18 (Debian)".into()),
        facts: BTreeMap::from([("archive.version".into(), archive.into())]),
        ..Content::new(Format::PG_CUSTOM)
    }
}

/// A restore with every default.
pub fn restore_options() -> RestoreOptions {
    RestoreOptions::default()
}

/// A client's recorded text.
pub fn recording(name: &str) -> String {
    let path = format!("{}/fixtures/client-help/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).expect(&path)
}

/// Fails when an invocation has a long option that the recorded help does not know.
pub fn assert_known(invocation: &Invocation, help: &str) {
    for arg in &invocation.args {
        let text = match arg {
            Arg::Text(text) => text.clone(),
            Arg::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Arg::File { prefix, .. } => prefix.clone(),
        };
        let Some(name) = text.strip_prefix("--").and_then(|t| t.split('=').next()) else { continue };
        let option = format!("--{name}");
        let known = help.split([' ', ',', '=', '\n']).any(|word| word == option);
        assert!(known, "{option} is not in the help of {}", help.lines().next().unwrap_or_default());
    }
}
