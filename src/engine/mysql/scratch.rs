//! A throw-away MySQL or MariaDB: one private folder that holds data, socket and all, quick and unsafe where nobody
//! minds.

use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::connection::{Connection, Host, LoginRules, Tls, TlsMode};
use crate::dialect::Dialect;
use crate::engine::{Flavour, ScratchPlan, ScratchSpec};
use crate::error::{Error, Kind, Result};
use crate::hint;
use crate::invocation::{Invocation, PrivateFile, Service};
use crate::secret::{STARS, Secret};

/// Bytes: the system's tables, and the redo and undo logs, which a load fills.
pub(super) const EMPTY: u64 = 350 << 20;

const USER: &str = "root";

/// What both flavours are told: nothing survives a crash, nobody but us comes in, and what the dump holds stays still
/// (an event that ran would change rows).
const SETTINGS: &[&str] = &[
    "--skip-networking",
    "--skip-name-resolve",
    "--skip-log-bin",
    "--skip-innodb-doublewrite",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-buffer-pool-size=256M",
    "--max-allowed-packet=1G",
    "--character-set-server=utf8mb4",
    "--event-scheduler=OFF",
    "--performance-schema=OFF",
];

/// The command lines.
pub(super) fn plan(site: &ScratchSpec<'_>) -> Result<ScratchPlan> {
    let program = &site.program.path;
    let within = |name: &str| site.folder.join(name).display().to_string();
    let service = Service { folder: site.folder.to_owned(), account: site.account, end: Signal::KILL };
    let data = format!("--datadir={}", within("data"));
    let (install, own) = match site.program.flavour {
        Flavour::MARIADB => {
            let installer = installer(program)?;
            let install = Invocation::new(installer).args([
                "--no-defaults",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ]);
            (install, [].as_slice())
        }
        _ => (
            Invocation::new(program).args(["--no-defaults", "--initialize-insecure"]),
            ["--mysqlx=OFF", "--secure-file-priv=NULL"].as_slice(),
        ),
    };
    // The server runs this before it lets anybody in.
    let first = |password: &str| format!("ALTER USER {USER}@localhost IDENTIFIED BY '{password}';\n");
    let first = PrivateFile {
        name: "init.sql".into(),
        content: Secret::new(first(site.password.expose())),
        redacted: first(STARS),
    };
    let server = Invocation::new(program)
        .args(["--no-defaults", data.as_str()])
        .args([format!("--socket={}", within("socket")), format!("--pid-file={}", within("pid"))])
        .arg(format!("--tmpdir={}", site.folder.display()))
        .args(SETTINGS.iter().copied())
        .args(own.iter().copied())
        .file_arg("--init-file=", first)
        .service(service.clone());
    let install = install.arg(data).service(service);
    Ok(ScratchPlan { install, server, connection: connection(site) })
}

/// MariaDB makes its first tables by a script, which stands beside the server or where programs for everybody do.
fn installer(server: &Path) -> Result<PathBuf> {
    let folder = server.parent().unwrap_or(Path::new("/"));
    let folders = [folder.to_owned(), folder.join("../bin"), folder.join("../scripts")];
    let names = ["mariadb-install-db", "mysql_install_db"];
    let mut candidates = folders.iter().flat_map(|folder| names.iter().map(move |name| folder.join(name)));
    candidates.find(|path| path.is_file()).ok_or_else(|| {
        Error::new(Kind::Client, format!("{} has no mariadb-install-db near it", server.display()))
            .hint(hint::WHOLE_SERVER_PACKAGE)
    })
}

fn connection(site: &ScratchSpec<'_>) -> Connection {
    let scheme = if site.program.flavour == Flavour::MARIADB { "mariadb" } else { "mysql" };
    Connection {
        dialect: Dialect::MYSQL,
        scheme: scheme.into(),
        host: Host::Socket { path: site.folder.join("socket"), port: 3306 },
        route: None,
        user: USER.into(),
        password: Some(site.password.clone()),
        database: "mysql".into(),
        tls: Tls { mode: TlsMode::Off, explicit: true, ca: None, cert: None, key: None },
        login: LoginRules::default(),
        notes: Vec::new(),
    }
}
