//! What belongs to the database itself comes along: encoding, locale, settings, comment, limit, grants.

mod mysql;
mod postgres;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Database, Dbhaul, Output, Server, dbhaul};

/// A database that was made in these words.
fn made<'s>(server: &'s Server, prefix: &str, words: &str) -> Database<'s> {
    let database = server.database(prefix);
    server.sql(&format!("DROP DATABASE {}", database.name()));
    server.sql(&format!("CREATE DATABASE {} {words}", database.name()));
    database
}

/// The name of a database that is not there; dropped with the value all the same.
fn absent<'s>(server: &'s Server, prefix: &str) -> Database<'s> {
    let database = server.database(prefix);
    server.sql(&format!("DROP DATABASE {}", database.name()));
    database
}

fn dump(database: &Database<'_>, folder: &Path) -> PathBuf {
    let path = folder.join(format!("{}.tar.gz", database.name()));
    let dump = dbhaul().args(["dump", &database.uri(), "-o"]).arg(&path);
    dump.client_dirs([database.server().client_dir()]).run().expect_code(0);
    path
}

fn restoring(archive: &Path, target: &Database<'_>, options: &[&str]) -> Dbhaul {
    let dbhaul = dbhaul().arg("restore").arg(archive).arg(target.uri()).args(options);
    dbhaul.client_dirs([target.server().client_dir()])
}

/// Restores, and returns the result.
fn restored(archive: &Path, target: &Database<'_>, options: &[&str]) -> Value {
    restoring(archive, target, options).arg("--json").run().expect_code(0).json()
}

/// The statements that are left to a person, each with why.
fn by_hand(result: &Value) -> Vec<(String, String)> {
    let list = result["database_properties"]["by_hand"].as_array().expect("a list");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    list.iter().map(|hand| (text(&hand["statement"]), text(&hand["why"]))).collect()
}

fn set(result: &Value) -> Vec<&str> {
    let list = result["database_properties"]["set"].as_array().expect("a list");
    list.iter().map(|what| what.as_str().expect("text")).collect()
}

/// What a run said, on both streams.
fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), output.stderr)
}
