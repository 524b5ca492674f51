//! Which `pg_dump`, `pg_restore` or `psql` fits.
//!
//! `pg_dump` refuses a server newer than itself, and its archive is best read back by a client of the same major
//! version: the lowest major version that is not below the server's is taken. `pg_restore` must know the archive's
//! version, and from 17 on it sets `transaction_timeout`, which servers up to 16 don't know: the target's own major
//! version is best, then the next above, then the next below.

use std::cmp::Reverse;
use std::path::Path;

use crate::engine::{Client, Content, Flavour, Rejected, Role, Server, Version};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;

/// Folders outside of PATH where packages put clients.
pub const FOLDERS: &[&str] = &[
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/libexec/postgresql*",
    "/usr/lib/postgresql*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/opt/homebrew/opt/libpq/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/usr/local/opt/libpq/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/Library/PostgreSQL/*/bin",
    "/usr/local/pgsql/bin",
];

/// The names of the programs.
pub fn programs(role: Role) -> &'static [&'static str] {
    match role {
        Role::Dump => &["pg_dump"],
        Role::Restore => &["pg_restore"],
        Role::Shell => &["psql"],
        Role::Server => &["postgres"],
    }
}

/// Reads `pg_dump (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)`.
pub fn read_version(text: &str) -> Option<(Flavour, Version)> {
    let (program, rest) = text.lines().next()?.split_once(" (PostgreSQL) ")?;
    let known = ["pg_dump", "pg_restore", "psql", "postgres"].contains(&program.rsplit('/').next()?);
    known.then(|| Version::parse(rest)).flatten().map(|version| (Flavour::POSTGRES, version))
}

/// The client that fits.
pub fn choose<'c>(
    role: Role,
    server: &Server,
    content: Option<&Content>,
    found: &'c [Client],
    rejected: &[Rejected],
) -> Result<&'c Client> {
    let all: Vec<&Client> = found.iter().filter(|c| c.role == role && c.flavour == Flavour::POSTGRES).collect();
    let needed = content.map_or(0, oldest_reader);
    let fits = |c: &&Client| match role {
        Role::Dump => release(c.version) >= release(server.version),
        Role::Restore => c.version.major >= needed,
        Role::Shell | Role::Server => true,
    };
    let candidates = all.iter().copied().filter(|c| !is_wrapper(&c.path)).filter(fits);
    let best = candidates.min_by_key(|c| {
        let (own, wanted) = (release(c.version), release(server.version));
        // The server's own version, then those above it from below, then those below it from above.
        let distance = if own >= wanted { (0, own, Reverse((0, 0))) } else { (1, (0, 0), Reverse(own)) };
        (distance, Reverse(c.version.minor))
    });
    best.ok_or_else(|| none_fits(role, server, needed, &all, rejected))
}

/// What makes versions compatible: the first number, and before version 10 the second too.
fn release(version: Version) -> (u32, u32) {
    (version.major, if version.major < 10 { version.minor } else { 0 })
}

/// Debian's Perl script stands for whichever version a cluster or a variable names; the real ones stand in folders.
fn is_wrapper(path: &Path) -> bool {
    let real = std::fs::canonicalize(path);
    real.as_deref().unwrap_or(path).file_name().is_some_and(|name| name == "pg_wrapper")
}

/// The oldest major version whose `pg_restore` reads this archive.
pub fn oldest_reader(content: &Content) -> u32 {
    match content.facts.get("archive.version").map(String::as_str) {
        Some("1.16") => 17,
        Some("1.15") => 16,
        Some("1.14") => 12,
        Some("1.13") => 10,
        _ => 0,
    }
}

fn none_fits(role: Role, server: &Server, needed: u32, all: &[&Client], rejected: &[Rejected]) -> Error {
    let program = programs(role)[0];
    let wanted = server.version.major.max(needed);
    let what = match role {
        Role::Dump => format!("no {program} fits PostgreSQL {}", server.version),
        Role::Restore if needed > 0 => format!("no {program} reads this archive: it takes version {needed} or newer"),
        Role::Restore | Role::Shell | Role::Server => format!("no {program} was found"),
    };
    let mut error = Error::new(Kind::Client, what);
    for client in all {
        let why = if is_wrapper(&client.path) { "Debian's wrapper, not a client" } else { "too old" };
        error = error.why(format!("found: {client}, {why}"));
    }
    for one in rejected {
        error = error.why(format!("found: {}, {}", one.path.display(), one.why));
    }
    if error.why.is_empty() {
        error = error.why("found: none, neither on PATH nor where packages put them");
    }
    error.hint(Hint::naming("install-postgresql-client", format!(
        "apt install postgresql-client-{wanted}, apk add postgresql{wanted}-client, dnf install postgresql{wanted}, \
         or brew install postgresql@{wanted}; or point --client-dir at a folder that holds it"
    )))
}

/// `\restrict` came with a security fix, to every branch at once.
pub fn knows_restrict(psql: Version) -> bool {
    let since = match psql.major {
        ..13 => return false,
        13 => 22,
        14 => 19,
        15 => 14,
        16 => 10,
        17 => 6,
        18.. => 0,
    };
    psql.minor >= since
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::postgres::test_fixtures;

    fn client(role: Role, version: &str) -> Client {
        let version = Version::parse(version).expect("a version");
        let path = format!("/usr/lib/postgresql/{}/bin/{}", version.major, programs(role)[0]).into();
        Client { role, path, flavour: Flavour::POSTGRES, version }
    }

    #[test]
    fn recorded_version_texts_are_read() {
        for name in ["pg_dump-10.3", "pg_restore-13.16", "psql-16.2", "pg_dump-18.6"] {
            let path = format!("{}/fixtures/client-help/{name}.version.txt", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(path).expect("a recording");
            let (_, version) = read_version(&text).expect("a version");
            assert!(name.ends_with(&version.to_string()), "{name}: {version}");
        }
        for foreign in ["mysqldump  Ver 8.0.28", "initdb (PostgreSQL) 15.20", "pg_dump", "", "not (PostgreSQL) 15"] {
            assert_eq!(read_version(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn the_lowest_version_that_is_not_older_than_the_server_dumps() {
        let have = ["10.3", "13.16", "15.18", "15.20", "16.2", "18.6"].map(|v| client(Role::Dump, v));
        let table = [
            (9, "10.3"),
            (10, "10.3"),
            (11, "13.16"),
            (13, "13.16"),
            (14, "15.20"),
            (15, "15.20"),
            (17, "18.6"),
            (18, "18.6"),
        ];
        for (server, expected) in table {
            let chosen = choose(Role::Dump, &test_fixtures::server(server), None, &have, &[]).expect("one fits");
            assert_eq!(chosen.version.to_string(), expected, "server {server}");
        }
    }

    #[test]
    fn a_restore_takes_the_targets_version_if_it_reads_the_archive() {
        let have = ["13.16", "15.20", "16.2", "17.11", "18.6"].map(|v| client(Role::Restore, v));
        for (archive, target, expected) in [
            ("1.14", 15, "15.20"),
            ("1.14", 18, "18.6"),
            ("1.14", 14, "15.20"),
            ("1.16", 15, "17.11"),
            ("1.16", 18, "18.6"),
            ("1.15", 13, "16.2"),
            ("1.14", 19, "18.6"),
        ] {
            let content = test_fixtures::content(archive);
            let chosen =
                choose(Role::Restore, &test_fixtures::server(target), Some(&content), &have, &[]).expect("one fits");
            assert_eq!(chosen.version.to_string(), expected, "archive {archive} into {target}");
        }
    }

    #[test]
    fn the_error_says_what_was_found_and_what_to_install() {
        let have = [client(Role::Dump, "13.16"), client(Role::Dump, "15.20")];
        let bad = [Rejected { path: "/opt/x/pg_dump".into(), why: "not executable".into() }];
        let error = choose(Role::Dump, &test_fixtures::server(18), None, &have, &bad).expect_err("too old");
        insta::assert_snapshot!(format!("{error}\n{}", crate::hint::texts(&error.hints).join("\n")), @r#"
            no pg_dump fits PostgreSQL 18.1
              found: /usr/lib/postgresql/13/bin/pg_dump (PostgreSQL 13.16), too old
              found: /usr/lib/postgresql/15/bin/pg_dump (PostgreSQL 15.20), too old
              found: /opt/x/pg_dump, not executable
            apt install postgresql-client-18, apk add postgresql18-client, dnf install postgresql18, or brew install postgresql@18; or point --client-dir at a folder that holds it
        "#);
        let error = choose(Role::Restore, &test_fixtures::server(15), Some(&test_fixtures::content("1.16")), &[], &[])
            .expect_err("none");
        insta::assert_snapshot!(format!("{error}\n{}", crate::hint::texts(&error.hints).join("\n")), @r#"
            no pg_restore reads this archive: it takes version 17 or newer
              found: none, neither on PATH nor where packages put them
            apt install postgresql-client-17, apk add postgresql17-client, dnf install postgresql17, or brew install postgresql@17; or point --client-dir at a folder that holds it
        "#);
    }
}
