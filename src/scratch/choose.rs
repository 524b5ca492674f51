//! Which of the installed servers can take a dump.

use crate::engine::{self, Client, Content, Found, Role, Version};
use crate::error::{Error, Kind, Result};
use crate::hint::{self, Hint};

/// The lowest version that is not older than the server that the dump was made from, of the same flavour. Of a dump
/// that does not say, the newest.
pub fn choose<'f>(content: &Content, found: &'f Found) -> Result<&'f Client> {
    let source = content.source_version.as_deref().and_then(Version::parse);
    let flavour = content.source_flavour;
    let servers = found.clients.iter().filter(|c| c.role == Role::Server && flavour.is_none_or(|f| f == c.flavour));
    let chosen = match source {
        Some(source) => {
            servers.filter(|c| c.flavour.release(c.version) >= c.flavour.release(source)).min_by_key(|c| c.version)
        }
        None => servers.max_by_key(|c| c.version),
    };
    chosen.ok_or_else(|| none_fits(content, source, found))
}

fn none_fits(content: &Content, source: Option<Version>, found: &Found) -> Error {
    let engine = engine::of(content.format.dialect);
    let flavour = content.source_flavour.unwrap_or(engine.flavours()[0]);
    let version = source.map_or(String::new(), |version| format!(" {version} or newer"));
    let mut error = Error::new(Kind::Client, format!("no server for a trial: it takes {flavour}{version}"));
    for server in &found.clients {
        let why = if server.flavour == flavour { "too old" } else { "another product" };
        error = error.why(format!("found: {server}, {why}"));
    }
    for one in &found.rejected {
        error = error.why(format!("found: {}, {}", one.path.display(), one.why));
    }
    if error.why.is_empty() {
        error = error.why("found: none, neither on PATH nor where packages put them");
    }
    if let Some(scratch) = engine.scratch() {
        let install = scratch.to_install(flavour, source.map(|version| version.major));
        error = error.hint(Hint::naming(
            "install-server-or-server-dir",
            format!("{install}; or point --server-dir at a folder that holds the server's programs"),
        ));
    }
    error.hint(hint::RESTORE_INTO_URI)
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::engine::{Flavour, Format};

    fn dump(flavour: Option<Flavour>, version: Option<&str>) -> Content {
        Content {
            source_version: version.map(str::to_owned),
            source_flavour: flavour,
            ..Content::new(if flavour == Some(Flavour::POSTGRES) { Format::PG_CUSTOM } else { Format::MYSQL_SQL })
        }
    }

    #[test]
    fn the_lowest_server_that_is_not_older_and_of_the_same_product() {
        let (postgres, mysql, mariadb) = (Flavour::POSTGRES, Flavour::MYSQL, Flavour::MARIADB);
        let server = |(flavour, version): (Flavour, &str)| Client {
            role: Role::Server,
            path: format!("/{version}").into(),
            flavour,
            version: Version::parse(version).expect("a version"),
        };
        let all = [
            (postgres, "13.9"),
            (postgres, "15.2"),
            (postgres, "18.1"),
            (mysql, "8.0.28"),
            (mysql, "9.7.4"),
            (mariadb, "10.5.23"),
            (mariadb, "10.11.19"),
        ];
        let found = Found { clients: all.map(server).into(), rejected: Vec::new() };
        for (flavour, version, chosen) in [
            (Some(postgres), Some("15.18 (Debian 15.18-0)"), Some("15.2")),
            (Some(postgres), Some("14.1"), Some("15.2")),
            (Some(postgres), Some("9.6.1"), Some("13.9")),
            (Some(postgres), None, Some("18.1")),
            (Some(postgres), Some("19.0"), None),
            (Some(mysql), Some("8.0.36"), Some("8.0.28")),
            (Some(mysql), Some("8.4.6"), Some("9.7.4")),
            (Some(mariadb), Some("10.6.1-MariaDB"), Some("10.11.19")),
            (Some(mariadb), Some("11.8.6-MariaDB"), None),
        ] {
            let content = dump(flavour, version);
            let taken = choose(&content, &found).map(|c| c.version.to_string());
            assert_eq!(taken.as_deref().ok(), chosen, "{flavour:?} {version:?}");
        }
    }
}
