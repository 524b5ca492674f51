//! Which of the installed servers can take a dump.

use crate::connection::Dialect;
use crate::engine::{Client, Content, Flavour, Found, Role, Version};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;

/// The lowest version that is not older than the server that the dump was made from, of the same flavour. Of a dump
/// that does not say, the newest.
pub fn choose<'f>(content: &Content, found: &'f Found) -> Result<&'f Client> {
    let source = content.source_version.as_deref().and_then(Version::parse);
    let flavour = content.source_flavour;
    let servers = found.clients.iter().filter(|c| c.role == Role::Server && flavour.is_none_or(|f| f == c.flavour));
    let chosen = match source {
        Some(source) => {
            servers.filter(|c| release(c.flavour, c.version) >= release(c.flavour, source)).min_by_key(|c| c.version)
        }
        None => servers.max_by_key(|c| c.version),
    };
    chosen.ok_or_else(|| none_fits(content, source, found))
}

/// What of a version a dump depends on.
fn release(flavour: Flavour, version: Version) -> (u32, u32) {
    if flavour == Flavour::Postgres && version.major >= 10 {
        (version.major, 0)
    } else {
        (version.major, version.minor)
    }
}

fn none_fits(content: &Content, source: Option<Version>, found: &Found) -> Error {
    let flavour = content.source_flavour.unwrap_or(match content.format.dialect() {
        Dialect::Postgres => Flavour::Postgres,
        Dialect::Mysql => Flavour::Mysql,
    });
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
    let major = source.map_or(String::new(), |version| format!("-{}", version.major));
    let install = match flavour {
        Flavour::Postgres => format!("apt install postgresql{major}, or brew install postgresql@N"),
        Flavour::Mysql => "apt install mysql-server-core (or MySQL's own package), or brew install mysql".to_owned(),
        Flavour::Mariadb => "apt install mariadb-server-core mariadb-server, or brew install mariadb".to_owned(),
    };
    error
        .hint(Hint::naming(
            "install-server-or-server-dir",
            format!("{install}; or point --server-dir at a folder that holds the server's programs"),
        ))
        .hint(Hint::new("restore-into-uri", "--restore-into URI uses a server that runs already"))
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::engine::Format;

    fn dump(flavour: Option<Flavour>, version: Option<&str>) -> Content {
        Content {
            source_version: version.map(str::to_owned),
            source_flavour: flavour,
            ..Content::new(if flavour == Some(Flavour::Postgres) { Format::PgCustom } else { Format::MysqlSql })
        }
    }

    #[test]
    fn the_lowest_server_that_is_not_older_and_of_the_same_product() {
        use Flavour::{Mariadb, Mysql, Postgres};
        let server = |(flavour, version): (Flavour, &str)| Client {
            role: Role::Server,
            path: format!("/{version}").into(),
            flavour,
            version: Version::parse(version).expect("a version"),
        };
        let all = [
            (Postgres, "13.9"),
            (Postgres, "15.2"),
            (Postgres, "18.1"),
            (Mysql, "8.0.28"),
            (Mysql, "9.7.4"),
            (Mariadb, "10.5.23"),
            (Mariadb, "10.11.19"),
        ];
        let found = Found { clients: all.map(server).into(), rejected: Vec::new() };
        for (flavour, version, chosen) in [
            (Some(Postgres), Some("15.18 (Debian 15.18-0)"), Some("15.2")),
            (Some(Postgres), Some("14.1"), Some("15.2")),
            (Some(Postgres), Some("9.6.1"), Some("13.9")),
            (Some(Postgres), None, Some("18.1")),
            (Some(Postgres), Some("19.0"), None),
            (Some(Mysql), Some("8.0.36"), Some("8.0.28")),
            (Some(Mysql), Some("8.4.6"), Some("9.7.4")),
            (Some(Mariadb), Some("10.6.1-MariaDB"), Some("10.11.19")),
            (Some(Mariadb), Some("11.8.6-MariaDB"), None),
        ] {
            let content = dump(flavour, version);
            let taken = choose(&content, &found).map(|c| c.version.to_string());
            assert_eq!(taken.as_deref().ok(), chosen, "{flavour:?} {version:?}");
        }
    }
}
