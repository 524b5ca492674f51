//! What several tests of this engine need: a server and a connection made by hand.

use std::collections::BTreeMap;

use crate::connection::{Connection, Host, LoginRules, Tls, TlsMode};
use crate::dialect::Dialect;
use crate::engine::{Flavour, Server, TableEstimate, Target, Version};
use crate::invocation::{Arg, Invocation};
use crate::properties::DatabaseProperties;
use crate::secret::Secret;

/// A server with three tables and a view.
pub(super) fn server(flavour: Flavour, version: Version) -> Server {
    let table = |name: &str| TableEstimate { schema: "shop".into(), name: name.into(), rows: 10, bytes: 1000 };
    Server {
        flavour,
        version,
        version_text: version.to_string(),
        products: Vec::new(),
        login: "app".into(),
        user: "app@%".into(),
        database: "shop".into(),
        standing: "owner".into(),
        size: Some(3000),
        tables: ["logs", "orders", "users"].map(table).to_vec(),
        encoding: "utf8mb4".into(),
        collation: "utf8mb4_general_ci".into(),
        properties: DatabaseProperties::default(),
        replica: false,
        read_only: false,
        pooler: None,
        connections_left: Some(100),
        encrypted: true,
        selected: None,
        findings: Vec::new(),
        target: Target {
            exists: true,
            collations: strings(&["utf8mb4_general_ci", "latin1_german1_ci"]),
            ..Target::default()
        },
        settings: BTreeMap::from([("views".to_owned(), "recent".to_owned())]),
    }
}

/// `mysql://app:****@db.example:3306/shop`
pub(super) fn connection() -> Connection {
    Connection {
        dialect: Dialect::MYSQL,
        scheme: "mysql".into(),
        host: Host::Tcp { name: "db.example".into(), port: 3306 },
        route: None,
        user: "app".into(),
        password: Some(Secret::new("geheim")),
        database: "shop".into(),
        tls: Tls { mode: TlsMode::Prefer, explicit: false, ca: None, cert: None, key: None },
        login: LoginRules::default(),
        notes: Vec::new(),
    }
}

pub(super) fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

/// A command line on one line; private files show by their names.
pub(super) fn words(invocation: &Invocation) -> String {
    let args = invocation.args.iter().map(|arg| match arg {
        Arg::Text(text) => shell_words::quote(text).into_owned(),
        Arg::Bytes(_) => unreachable!("names are UTF-8"),
        Arg::File { prefix, content } => format!("{prefix}<{}>", content.name),
    });
    std::iter::once(invocation.program_name()).chain(args).collect::<Vec<_>>().join(" ")
}

/// Whether a client's `--help` tells of an option, by its name or by the one that `skip-` turns off.
pub(super) fn knows(help: &str, option: &str) -> bool {
    let told = |name: &str| {
        help.match_indices(name).any(|(at, _)| {
            let after = help[at + name.len()..].chars().next();
            !after.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-')
        })
    };
    let plain = option.strip_prefix("--skip-").map(|name| format!("--{name}"));
    told(option) || plain.is_some_and(|name| told(&name))
}
