//! Which client fits: names, folders, version lines, and who can talk to whom.

use crate::engine::{Client, Content, Flavour, Rejected, Role, Server, Version};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;

/// Names under which a client may be installed. MariaDB's images no longer have the old names, Alpine's `mysqldump` is
/// MariaDB's: what a file is, its `--version` says. MariaDB's own names come first: where the old name is a link to the
/// new one, the new one says what runs.
pub(super) fn programs(role: Role) -> &'static [&'static str] {
    match role {
        Role::Dump => &["mariadb-dump", "mysqldump"],
        Role::Shell => &["mariadb", "mysql"],
        Role::Restore => &[],
        Role::Server => &["mariadbd", "mysqld"],
    }
}

/// Where packages put clients that are not on PATH.
pub(super) const FOLDERS: &[&str] = &[
    "/usr/bin",
    "/usr/sbin",
    "/usr/libexec",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/local/mysql/bin",
    "/usr/local/mysql-*/bin",
    "/opt/mysql/*/bin",
    "/opt/homebrew/opt/mysql-client*/bin",
    "/opt/homebrew/opt/mysql*/bin",
    "/opt/homebrew/opt/mariadb*/bin",
    "/usr/local/opt/mysql-client*/bin",
    "/usr/local/opt/mysql*/bin",
    "/usr/local/opt/mariadb*/bin",
    "/home/linuxbrew/.linuxbrew/opt/mysql-client*/bin",
    "/home/linuxbrew/.linuxbrew/opt/mariadb*/bin",
];

/// The four forms of a version line. The number after `Ver` is the client's own where `Distrib` or `from` follows.
pub(super) fn read_version(text: &str) -> Option<(Flavour, Version)> {
    let line = text.lines().find(|line| {
        let line = line.to_ascii_lowercase();
        line.contains("mysql") || line.contains("mariadb")
    })?;
    let after = |word: &str| line.split_once(word).and_then(|(_, rest)| Version::parse(rest.trim_start()));
    let version = after("Distrib ").or_else(|| after(" from ")).or_else(|| after("Ver "))?;
    let flavour = if line.contains("MariaDB") { Flavour::MARIADB } else { Flavour::MYSQL };
    Some((flavour, version))
}

/// The client that fits best. None is ever taken that the table of failures says can't do it.
pub(super) fn choose<'c>(
    role: Role,
    server: &Server,
    content: Option<&Content>,
    found: &'c [Client],
    rejected: &[Rejected],
) -> Result<&'c Client> {
    let _ = content;
    let candidates: Vec<_> = found.iter().filter(|c| c.role == role).collect();
    let fitting = candidates.iter().copied().filter(|client| unfit(client, server).is_none());
    match fitting.min_by_key(|client| rank(client, server)) {
        Some(client) => Ok(client),
        None => Err(none_fits(role, server, &candidates, rejected)),
    }
}

/// Why a client can't work with a server; none when it can.
fn unfit(client: &Client, server: &Server) -> Option<&'static str> {
    let modern_mysql = server.flavour == Flavour::MYSQL && server.version.major >= 8;
    match client.flavour {
        Flavour::MARIADB if modern_mysql && client.version < Version::new(10, 5, 0) => {
            Some("which can't log in with caching_sha2_password")
        }
        Flavour::MYSQL if client.version < Version::new(5, 7, 0) => Some("which is too old"),
        Flavour::MYSQL if client.version.major < 8 && (modern_mysql || server.flavour == Flavour::MARIADB) => {
            Some("which fails TLS with newer servers and knows no utf8mb4_0900 collations")
        }
        // 9.0 dropped the plugin that MariaDB's accounts log in with.
        Flavour::MYSQL if client.version.major >= 9 && server.flavour == Flavour::MARIADB => {
            Some("which can't log in with mysql_native_password")
        }
        // 8.4 manages with 11.8 and nothing older.
        Flavour::MYSQL if client.role == Role::Dump && server.flavour == Flavour::MARIADB => {
            let modern = client.version >= Version::new(8, 1, 0);
            (modern && server.version < Version::new(11, 8, 0)).then_some("which can't dump a MariaDB as old as this")
        }
        _ => None,
    }
}

/// The smaller, the better: the server's own flavour, then not older than the server, then the nearest.
fn rank(client: &Client, server: &Server) -> (bool, bool, u64) {
    let number = |v: Version| u64::from(v.major) << 32 | u64::from(v.minor) << 16 | u64::from(v.patch);
    let release = |v: Version| (v.major, v.minor);
    let other_flavour = client.flavour != server.flavour;
    let older = !other_flavour && release(client.version) < release(server.version);
    let distance = if other_flavour {
        // Versions of two products can't be compared: the newest that works.
        u64::MAX - number(client.version)
    } else {
        number(client.version).abs_diff(number(server.version))
    };
    (other_flavour, older, distance)
}

fn none_fits(role: Role, server: &Server, candidates: &[&Client], rejected: &[Rejected]) -> Error {
    let (flavour, version) = (server.flavour, server.version);
    let mut error = Error::new(Kind::Client, format!("no client fits {flavour} {version}"));
    for client in candidates {
        let why = unfit(client, server).unwrap_or("which does not fit");
        error = error.why(format!("found: {client}, {why}"));
    }
    for one in rejected {
        error = error.why(format!("found: {}, {}", one.path.display(), one.why));
    }
    let names = programs(role).join(" or ");
    if candidates.is_empty() && rejected.is_empty() {
        error = error.why(format!("found: no {names} on PATH or where packages put one"));
    }
    let program = match (role, flavour) {
        (Role::Dump, Flavour::MARIADB) => "MariaDB's mariadb-dump",
        (_, Flavour::MARIADB) => "MariaDB's mariadb",
        (Role::Dump, _) => "MySQL's mysqldump",
        _ => "MySQL's mysql",
    };
    error.hint(Hint::naming(
        "install-mysql-client",
        format!("{}, or point --client-dir at a folder that holds {program}", install(flavour)),
    ))
}

/// How each system installs a flavour's client.
fn install(flavour: Flavour) -> &'static str {
    match flavour {
        Flavour::MARIADB => {
            "apt install mariadb-client (Debian, Ubuntu), apk add mariadb-client (Alpine), dnf install mariadb (RHEL), \
             brew install mariadb"
        }
        _ => {
            "apt install mysql-client (Ubuntu; Debian: from repo.mysql.com), apk add mysql-client mariadb-connector-c \
             (Alpine), dnf install mysql (RHEL), brew install mysql-client"
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::engine::mysql::test_fixtures::server;

    /// Every recording of a client, with its folder's name for it.
    pub(in super::super) fn recorded() -> Vec<(String, Client, String)> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/client-help");
        let mut names: Vec<_> = std::fs::read_dir(folder).expect("recordings").flatten().map(|e| e.path()).collect();
        names.sort();
        let mut clients = Vec::new();
        for path in names {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some(name) = name.strip_suffix(".version.txt") else { continue };
            if !["mysql", "maria"].iter().any(|prefix| name.starts_with(prefix)) {
                continue;
            }
            let version = std::fs::read_to_string(&path).expect("a version text");
            let help = std::fs::read_to_string(format!("{folder}/{name}.help.txt")).expect("a help text");
            let (flavour, version) = read_version(&version).expect("a version");
            let role = if name.contains("dump") { Role::Dump } else { Role::Shell };
            let program = name.rsplit_once('-').map_or(name, |(program, _)| program);
            let path = format!("/clients/{name}/{program}").into();
            clients.push((name.to_owned(), Client { role, path, flavour, version }, help));
        }
        clients
    }

    #[test]
    fn every_recorded_client_is_read() {
        let recorded = recorded();
        assert_eq!(recorded.len(), 18);
        for (name, client, _) in recorded {
            let (program, version) = name.rsplit_once('-').expect("a version in the name");
            assert_eq!(Some(client.version), Version::parse(version), "{name}");
            let mariadb = program.starts_with("mariadb");
            assert_eq!(client.flavour, if mariadb { Flavour::MARIADB } else { Flavour::MYSQL }, "{name}");
        }
        assert_eq!(read_version("pg_dump (PostgreSQL) 15.20"), None);
        assert_eq!(read_version("mysqldump: not found"), None);
    }

    #[test]
    fn the_table_of_who_dumps_whom() {
        let (mysql, mariadb) = (Flavour::MYSQL, Flavour::MARIADB);
        let recorded = recorded();
        let dumpers: Vec<_> = recorded.iter().map(|(_, c, _)| c.clone()).filter(|c| c.role == Role::Dump).collect();
        let choose = |flavour, version: &str, wanted: Option<Flavour>| {
            let found: Vec<_> = dumpers.iter().filter(|c| wanted.is_none_or(|w| c.flavour == w)).cloned().collect();
            let version = Version::parse(version).expect("a version");
            choose(Role::Dump, &server(flavour, version), None, &found, &[]).map(|c| c.version.to_string()).ok()
        };
        for (flavour, version, wanted, chosen) in [
            (mysql, "9.7.4", None, Some("9.7.4")),
            (mysql, "8.4.6", None, Some("8.4.6")),
            (mysql, "8.0.40", None, Some("8.0.36")),
            (mysql, "5.7.44", None, Some("5.7.21")),
            (mysql, "5.7.44", Some(mariadb), Some("11.8.6")),
            (mysql, "9.7.4", Some(mariadb), Some("11.8.6")),
            (mariadb, "10.11.19", None, Some("10.11.19")),
            (mariadb, "10.6.5", None, Some("10.11.19")),
            (mariadb, "11.8.6", None, Some("11.8.6")),
            (mariadb, "12.0.2", None, Some("11.8.6")),
            (mariadb, "10.11.19", Some(mysql), Some("8.0.36")),
            (mariadb, "11.8.6", Some(mysql), Some("8.4.6")),
        ] {
            assert_eq!(choose(flavour, version, wanted).as_deref(), chosen, "{flavour} {version} with {wanted:?}");
        }
    }

    #[test]
    fn the_error_says_what_was_found_and_what_to_install() {
        let old = Client {
            role: Role::Dump,
            path: "/usr/bin/mysqldump".into(),
            flavour: Flavour::MARIADB,
            version: Version::new(10, 3, 22),
        };
        let target = server(Flavour::MYSQL, Version::new(9, 7, 4));
        let error = choose(Role::Dump, &target, None, &[old], &[]).expect_err("unfit");
        insta::assert_snapshot!(format!("{error}\nhint: {}", crate::hint::texts(&error.hints).join("\nhint: ")), @r#"
        no client fits MySQL 9.7.4
          found: /usr/bin/mysqldump (MariaDB 10.3.22), which can't log in with caching_sha2_password
        hint: apt install mysql-client (Ubuntu; Debian: from repo.mysql.com), apk add mysql-client mariadb-connector-c (Alpine), dnf install mysql (RHEL), brew install mysql-client, or point --client-dir at a folder that holds MySQL's mysqldump
        "#);
        let rejected = Rejected { path: "/opt/x/mysqldump".into(), why: "not executable".into() };
        let error = choose(Role::Dump, &target, None, &[], &[rejected]).expect_err("none");
        assert_eq!(error.why, ["found: /opt/x/mysqldump, not executable"]);
        assert_eq!(error.kind, Kind::Client);
    }
}
