//! What the targets share.

use std::sync::LazyLock;

use dbhaul::connection::Connection;
use dbhaul::engine::{
    self, Client, CollationMap, Content, Filter, Flavour, Format, Found, Incomplete, RestoreInput, RestoreJob, RestoreOptions,
    Role, Server, Target, Version,
};
use dbhaul::uri;

#[path = "../../src/engine/mysql/restore/rewrite/model.rs"]
pub mod model;
#[path = "../../src/engine/mysql/restore/rewrite/scripts.rs"]
pub mod scripts;
pub mod object;
pub mod seal;

/// Cuts bytes into pieces: a pipe cuts where it likes. The last byte is their length as well, so that a dump as it is
/// makes a seed; a long input is not cut into more than some pieces, since each may be looked at from its beginning.
pub fn pieces(bytes: &[u8]) -> std::slice::Chunks<'_, u8> {
    const MOST: usize = 64;
    let length = bytes.last().map_or(1, |&last| usize::from(last));
    bytes.chunks(length.max(bytes.len() / MOST).max(1))
}

/// Reads a dump whole and in pieces, which must come to the same.
pub fn inspect(format: Format, bytes: &[u8]) {
    let read = |pieces: std::slice::Chunks<'_, u8>| -> Result<Content, Incomplete> {
        let mut inspector = engine::of(format.dialect).inspector(format);
        pieces.for_each(|piece| inspector.see(piece));
        inspector.finish()
    };
    match (read(bytes.chunks(bytes.len().max(1))), read(pieces(bytes))) {
        (Err(whole), Err(pieces)) => assert_eq!(whole, pieces),
        (whole, pieces) => assert_eq!(format!("{whole:?}"), format!("{pieces:?}")),
    }
}

/// What a filter makes of some SQL, whole and in pieces, which must come to the same; and what it says that it did.
/// Who says nothing has changed nothing.
pub fn filtered(make: impl Fn() -> Box<dyn Filter>, sql: &[u8]) -> (Vec<u8>, Vec<(String, u64)>) {
    let run = |pieces: std::slice::Chunks<'_, u8>| {
        let (mut filter, mut out) = (make(), Vec::new());
        pieces.for_each(|piece| filter.push(piece, &mut out));
        filter.finish(&mut out);
        (out, filter.adaptations())
    };
    let (whole, pieces) = (run(sql.chunks(sql.len().max(1))), run(pieces(sql)));
    assert!(whole.0 == pieces.0, "whole: {:?}\nin pieces: {:?}", shown(&whole.0), shown(&pieces.0));
    assert_eq!(whole.1, pieces.1);
    assert!(!whole.1.is_empty() || whole.0 == sql, "changed without a word: {:?}", shown(&whole.0));
    whole
}

/// Bytes for a message.
pub fn shown(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// The filter that a restore with these options puts before `mysql`.
pub fn mysql_filter(options: &RestoreOptions) -> Box<dyn Filter> {
    static PARTS: LazyLock<Parts> = LazyLock::new(|| Parts::new(Format::MYSQL_SQL));
    PARTS.filter(options)
}

/// The one that a restore of a plain dump into an old server puts before an old `psql`.
pub fn postgres_filter() -> Box<dyn Filter> {
    static PARTS: LazyLock<Parts> = LazyLock::new(|| Parts::new(Format::PG_PLAIN));
    PARTS.filter(&RestoreOptions::default())
}

/// Options out of one byte's bits.
pub fn restore_options(bits: u8) -> RestoreOptions {
    let on = |bit: u8| bits & 1 << bit != 0;
    let [from, to] = scripts::COLLATIONS.map(str::to_owned);
    RestoreOptions {
        keep_definers: on(0),
        map_collations: if on(1) { vec![CollationMap { from, to }] } else { Vec::new() },
        schema_only: on(2),
        data_only: on(3) && !on(2),
        tables: if on(4) { vec!["users".into()] } else { Vec::new() },
        exclude_table_data: if on(5) { vec!["users".into()] } else { Vec::new() },
        ..RestoreOptions::default()
    }
}

/// What a restore is planned from, and does not change.
struct Parts {
    connection: Connection,
    server: Server,
    content: Content,
    clients: Found,
}

impl Parts {
    fn new(format: Format) -> Self {
        let (uri, flavour, server, client) = match format {
            Format::MYSQL_SQL => {
                ("mysql://app@db.example/shop", Flavour::MYSQL, Version::new(9, 7, 4), Version::new(9, 7, 4))
            }
            _ => ("postgres://app@db.example/shop", Flavour::POSTGRES, Version::new(15, 20, 0), Version::new(15, 2, 0)),
        };
        let mut content = Content::new(format);
        content.schemas.push("public".into());
        let client = Client { role: Role::Shell, path: "/usr/bin/client".into(), flavour, version: client };
        Self {
            connection: uri::parse(uri).expect("a URI"),
            server: self::server(flavour, server),
            content,
            clients: Found { clients: vec![client], rejected: Vec::new() },
        }
    }

    fn filter(&self, options: &RestoreOptions) -> Box<dyn Filter> {
        let engine = engine::of(self.connection.dialect);
        let (connection, server, content) = (&self.connection, &self.server, &self.content);
        let plan = engine.plan_restore(&RestoreJob {
            connection,
            server,
            content,
            clients: &self.clients,
            options,
            source: RestoreInput::Stream,
        });
        plan.expect("a plan").filter.expect("a filter")
    }
}

fn server(flavour: Flavour, version: Version) -> Server {
    Server {
        flavour,
        version,
        version_text: version.to_string(),
        products: Vec::new(),
        user: "app".into(),
        database: "shop".into(),
        standing: "owner".into(),
        size: None,
        tables: Vec::new(),
        encoding: "utf8mb4".into(),
        collation: String::new(),
        replica: false,
        read_only: false,
        pooler: None,
        connections_left: None,
        encrypted: true,
        findings: Vec::new(),
        // No database yet: it comes with a schema named public, which the dump's own would clash with.
        target: Target::default(),
        settings: Default::default(),
    }
}
