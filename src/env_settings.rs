//! Which database is meant: the command line's URI, `env:NAME`, `file:PATH`, or the first environment variable that
//! names one. Wherever a variable NAME may hold a URI, `NAME_FILE` may name a file that holds it, as container platforms
//! mount their secrets; NAME itself wins. Clap resolves every other option (command line, then `DBHAUL_` and its name,
//! then the default).
//!
//! The environment comes in as a function, so that nothing here depends on the process.

use crate::connection::Connection;
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;
use crate::uri;

/// Looks a variable up.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The variables that may hold a URI, in order.
pub const URI_VARIABLES: [&str; 4] = ["DBHAUL_URI", "DATABASE_URL", "SCALINGO_POSTGRESQL_URL", "SCALINGO_MYSQL_URL"];

/// A connection, and where its URI came from.
#[derive(Debug)]
pub struct Named {
    /// The connection.
    pub connection: Connection,
    /// `DATABASE_URL`, `file /run/secrets/uri`, or `URI` for the command line.
    pub source: String,
}

/// Resolves the URI argument, or the variables when there is none.
pub fn connection(argument: Option<&str>, lookup: Lookup<'_>) -> Result<Named> {
    let (source, text) = match argument {
        Some(argument) => from_argument(argument, lookup)?,
        None => from_variables(lookup)?,
    };
    let connection = uri::parse(text.trim()).map_err(|error| match source.as_str() {
        "URI" => error,
        source => error.why(format!("taken from {source}")),
    })?;
    Ok(Named { connection, source })
}

/// Whether a variable names a database when the command line does not.
pub fn named_by_variable(lookup: Lookup<'_>) -> bool {
    URI_VARIABLES.iter().any(|name| set(name, lookup).is_some() || set(&file_of(name), lookup).is_some())
}

/// The variable that names the file in which this one's value stands.
#[must_use]
pub fn file_of(name: &str) -> String {
    format!("{name}_FILE")
}

fn from_argument(argument: &str, lookup: Lookup<'_>) -> Result<(String, String)> {
    if let Some(name) = argument.strip_prefix("env:") {
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(Error::new(Kind::Config, "what follows env: is no name of a variable").hint(Hint::new(
                "env-names-a-variable",
                "env:NAME names the variable that holds the URI; a URI itself stands without env:",
            )));
        }
        return from_variable(name, lookup).unwrap_or_else(|| {
            Err(Error::new(Kind::Config, format!("the variable {name} is not set, nor {}", file_of(name))))
        });
    }
    if let Some(path) = argument.strip_prefix("file:").filter(|rest| !rest.starts_with("//")) {
        return read_file(path);
    }
    Ok(("URI".to_owned(), argument.to_owned()))
}

fn from_variables(lookup: Lookup<'_>) -> Result<(String, String)> {
    URI_VARIABLES.iter().find_map(|name| from_variable(name, lookup)).unwrap_or_else(|| {
        Err(Error::new(Kind::Config, "no database was named")
            .why(format!("no URI on the command line, and none of {} is set", URI_VARIABLES.join(", ")))
            .why("nor one of them with _FILE, such as DBHAUL_URI_FILE, for a file that holds it")
            .hint(Hint::new(
                "how-to-name-a-database",
                "dbhaul dump postgres://USER:PASSWORD@HOST:PORT/DATABASE, or env:NAME, or file:PATH",
            )))
    })
}

/// The variable's value, or that of the file that its `_FILE` names; None when neither is set.
fn from_variable(name: &str, lookup: Lookup<'_>) -> Option<Result<(String, String)>> {
    if let Some(value) = set(name, lookup) {
        return Some(Ok((name.to_owned(), value)));
    }
    set(&file_of(name), lookup).map(|path| read_file(path.trim()))
}

/// A variable that is set and empty is as good as none.
fn set(name: &str, lookup: Lookup<'_>) -> Option<String> {
    lookup(name).filter(|value| !value.trim().is_empty())
}

fn read_file(path: &str) -> Result<(String, String)> {
    if uri::holds_secret(path) {
        return Err(Error::new(Kind::Config, "a URI stands where the path of its file is wanted")
            .why("it is not repeated here: it may hold a password")
            .hint(Hint::new(
                "file-or-env",
                "file:PATH and variables in _FILE name the file that holds the URI; env:NAME names a variable",
            )));
    }
    let text = std::fs::read_to_string(path)
        .map_err(|e| Error::new(Kind::Config, format!("the URI's file {path} can't be read")).why(e))?;
    Ok((format!("file {path}"), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(argument: Option<&str>, variables: &[(&str, &str)]) -> Result<Named> {
        connection(argument, &|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_order_of_the_contract() {
        let all = [
            ("SCALINGO_MYSQL_URL", "mysql://u@h/5"),
            ("SCALINGO_POSTGRESQL_URL", "postgres://u@h/4"),
            ("DATABASE_URL", "postgres://u@h/3"),
            ("DBHAUL_URI", "postgres://u@h/1"),
        ];
        for end in (1..=all.len()).rev() {
            let found = named(None, &all[..end]).expect("a URI");
            assert_eq!(found.source, all[end - 1].0);
            assert!(all[end - 1].1.ends_with(&found.connection.database));
        }
        assert_eq!(named(Some("postgres://u@h/0"), &all).expect("a URI").source, "URI");
    }

    #[test]
    fn a_file_is_trimmed_and_named() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "postgres://u:p@h/d\n").expect("written");
        let path = file.path().to_str().expect("UTF-8");
        for (argument, variables) in [
            (Some(format!("file:{path}")), vec![]),
            (Some("env:STAGING".to_owned()), vec![("STAGING_FILE", path), ("STAGING", " ")]),
            (None, vec![("DBHAUL_URI_FILE", path), ("DATABASE_URL", "x")]),
            (None, vec![("DATABASE_URL_FILE", path), ("SCALINGO_MYSQL_URL", "x")]),
        ] {
            let found = named(argument.as_deref(), &variables).expect("a URI");
            assert_eq!((found.connection.database.as_str(), found.source), ("d", format!("file {path}")));
        }
    }

    #[test]
    fn nothing_named_and_nothing_there() {
        for argument in [
            None,
            Some("env:NOPE"),
            Some("file:/no/such/file"),
            Some("env:mysql://u:p@h/d"),
            Some("file:mysql://u:p@h/d"),
        ] {
            assert_eq!(named(argument, &[("DATABASE_URL", " ")]).expect_err("nothing").kind, Kind::Config);
        }
    }
}
