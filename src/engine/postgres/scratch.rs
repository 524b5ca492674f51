//! A throw-away PostgreSQL: one private folder that holds data, socket and all, quick and unsafe where nobody minds.

use rustix::process::Signal;

use crate::connection::{Connection, Host, LoginRules, Tls, TlsMode};
use crate::dialect::Dialect;
use crate::engine::{ScratchPlan, ScratchSpec};
use crate::error::{Error, Kind, Result};
use crate::hint;
use crate::invocation::{Invocation, PrivateFile, Service};
use crate::secret::{STARS, Secret};

/// Bytes: a new cluster has 40 MB, and the write-ahead log below keeps to its size.
pub const EMPTY: u64 = 350 << 20;

const USER: &str = "dbhaul";
const PORT: u16 = 5432;

/// What a server is told that nobody will miss: nothing survives a crash, nobody but us comes in.
const SETTINGS: &[&str] = &[
    "listen_addresses=",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_wal_size=256MB",
    "autovacuum=off",
    "ssl=off",
    "logging_collector=off",
    "max_connections=20",
    // A restore is one transaction, and a dump locks every table.
    "max_locks_per_transaction=4096",
    // In the folder, not in /dev/shm, where a killed server would leave it.
    "dynamic_shared_memory_type=mmap",
];

/// The command lines.
pub fn plan(site: &ScratchSpec<'_>) -> Result<ScratchPlan> {
    let program = &site.program.path;
    let initdb = program.with_file_name("initdb");
    if !initdb.is_file() {
        return Err(Error::new(Kind::Client, format!("{} has no initdb beside it", program.display()))
            .hint(hint::WHOLE_SERVER_PACKAGE));
    }
    let (folder, data) = (site.folder.display(), site.folder.join("data"));
    let service = Service { folder: site.folder.to_owned(), account: site.account, end: Signal::KILL };
    let encoding = site.encoding.unwrap_or("UTF8");
    // Sorted as the bytes are; letters beyond ASCII are letters where the system knows how.
    let locale = if encoding == "UTF8" && cfg!(target_os = "linux") { "C.UTF-8" } else { "C" };
    let password = PrivateFile {
        name: "password".into(),
        content: Secret::new(format!("{}\n", site.password.expose())),
        redacted: STARS.into(),
    };
    let install = Invocation::new(&initdb)
        .args([format!("--pgdata={}", data.display()), format!("--encoding={encoding}"), format!("--locale={locale}")])
        .args([format!("--username={USER}").as_str(), "--auth=scram-sha-256", "--no-sync"])
        .file_arg("--pwfile=", password)
        .service(service.clone());
    let settings = [format!("unix_socket_directories={folder}"), format!("port={PORT}")];
    let settings = settings.into_iter().chain(SETTINGS.iter().map(ToString::to_string));
    let server = Invocation::new(program)
        .args(["-D".to_owned(), data.display().to_string()])
        .args(settings.flat_map(|setting| ["-c".to_owned(), setting]))
        // Its own sessions end with it only in order: "immediate shutdown".
        .service(Service { end: Signal::QUIT, ..service });
    Ok(ScratchPlan { install, server, connection: connection(site) })
}

fn connection(site: &ScratchSpec<'_>) -> Connection {
    Connection {
        dialect: Dialect::POSTGRES,
        scheme: "postgres".into(),
        host: Host::Socket { path: site.folder.to_owned(), port: PORT },
        route: None,
        user: USER.into(),
        password: Some(site.password.clone()),
        database: "postgres".into(),
        tls: Tls { mode: TlsMode::Off, explicit: true, ca: None, cert: None, key: None },
        login: LoginRules::default(),
        notes: Vec::new(),
    }
}
