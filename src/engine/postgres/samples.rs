//! Values that several tests of this engine start from.

use std::collections::BTreeMap;

use crate::engine::{Content, Flavour, Format, RestoreOptions, Server, Target, Version};
use crate::invocation::{Arg, Invocation};

/// An empty, healthy server of this major version.
pub fn server(major: u32) -> Server {
    Server {
        flavour: Flavour::Postgres,
        version: Version::new(major, 1, 0),
        version_text: format!("{major}.1"),
        products: Vec::new(),
        user: "app".into(),
        database: "shop".into(),
        standing: "owner".into(),
        size: None,
        tables: Vec::new(),
        encoding: "UTF8".into(),
        collation: "C.UTF-8".into(),
        replica: false,
        read_only: false,
        pooler: None,
        connections_left: Some(90),
        encrypted: true,
        findings: Vec::new(),
        target: Target { exists: true, ..Target::default() },
        settings: BTreeMap::new(),
    }
}

/// An empty archive of this format version.
pub fn content(archive: &str) -> Content {
    Content {
        format: Format::PgCustom,
        tables: Vec::new(),
        objects: 0,
        source_version: Some("15.18 (Debian)".into()),
        source_flavour: Some(Flavour::Postgres),
        client_version: Some("15.18 (Debian)".into()),
        extensions: Vec::new(),
        schemas: Vec::new(),
        collations: Vec::new(),
        features: Vec::new(),
        longest_statement: 0,
        facts: BTreeMap::from([("archive.version".into(), archive.into())]),
        entries: Vec::new(),
    }
}

/// A restore with every default.
pub fn restore_options() -> RestoreOptions {
    RestoreOptions {
        jobs: 1,
        clean: None,
        create: false,
        into_non_empty: false,
        schema_only: false,
        data_only: false,
        tables: Vec::new(),
        schemas: Vec::new(),
        exclude_table_data: Vec::new(),
        keep_owner: false,
        keep_privileges: false,
        keep_definers: false,
        no_comments: false,
        map_collations: Vec::new(),
        exclude_extensions: Vec::new(),
    }
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
            Arg::Text(text) => text,
            Arg::File { prefix, .. } => prefix,
        };
        let Some(name) = text.strip_prefix("--").and_then(|t| t.split('=').next()) else { continue };
        let option = format!("--{name}");
        let known = help.split([' ', ',', '=', '\n']).any(|word| word == option);
        assert!(known, "{option} is not in the help of {}", help.lines().next().unwrap_or_default());
    }
}
