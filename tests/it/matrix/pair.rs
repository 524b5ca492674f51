//! One server and one client.

use std::{
    collections::BTreeMap,
    fmt::{self, Display},
    sync::OnceLock,
};

use super::{Place, Way, clients_of};
use crate::support::{Database, Flavour, Output, Pooler, checksum, dbhaul, fixture, schema, shared};

/// How dump, verify and restore by one client ended.
pub enum Outcome {
    /// All done, and everything is the same.
    Same,
    /// Code 5 or 10 before anything was started, with the reason in words that hold for every minor version.
    Refused { step: &'static str, why: String },
    /// What must not be.
    Other(String),
}

impl Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same => f.write_str("works"),
            Self::Refused { step, why } => write!(f, "{step} refused: {why}"),
            Self::Other(text) => write!(f, "FAILS: {text}"),
        }
    }
}

/// What is dumped, and how it looks: made once for each server.
struct Source {
    database: Database<'static>,
    sums: BTreeMap<String, (u64, String)>,
    schema: String,
}

impl Source {
    fn of(place: Place) -> &'static Self {
        const MOST: usize = 16;
        static SOURCES: [[OnceLock<Source>; MOST]; 2] = [const { [const { OnceLock::new() }; MOST] }; 2];
        let Place { flavour, way } = place;
        SOURCES[usize::from(way == Way::NothingGenerated)][flavour as usize].get_or_init(|| {
            let database = shared(flavour).database("matrix");
            let family = if flavour.is_postgres() { "postgres" } else { "mysql" };
            for name in ["chinook", "matrix"] {
                database.load_file(fixture(&format!("{name}-{family}.sql")));
            }
            if way == Way::NothingGenerated {
                database.sql("ALTER TABLE `generated` MODIFY area int, DROP COLUMN loud");
            }
            let (sums, schema) = (checksum(&database), schema(&database));
            Self { database, sums, schema }
        })
    }

    /// What of it a database does not have in the same way.
    fn difference(&self, other: &Database<'_>) -> Option<String> {
        let sums = checksum(other);
        let tables: Vec<_> = self.sums.iter().filter(|(name, sum)| sums.get(*name) != Some(sum)).collect();
        if !tables.is_empty() || sums.len() != self.sums.len() {
            return Some(format!("rows differ: {tables:?}, {} for {} tables", sums.len(), self.sums.len()));
        }
        // Definers that nobody is have become the restoring user.
        let wanted = self.schema.replace("`ghost`@`%.example.test`", "`dbhaul`@`%`");
        let (wanted, found) = (wanted.replace(self.database.name(), other.name()), schema(other));
        let lost: Vec<_> = wanted.lines().filter(|line| !found.lines().any(|other| other == *line)).collect();
        let new: Vec<_> = found.lines().filter(|line| !wanted.lines().any(|other| other == *line)).collect();
        (wanted != found).then(|| format!("schema differs: - {lost:#?} + {new:#?}"))
    }
}

/// Dumps, verifies, restores and compares.
pub fn run(place: Place, client: Flavour) -> Outcome {
    let source = Source::of(place);
    let server = shared(place.flavour);
    let pooler = match place.way {
        Way::Pooled(pooling) => Some(Pooler::start(server, pooling)),
        Way::Directly | Way::NothingGenerated => None,
    };
    let uri = |database: &Database<'_>| pooler.as_ref().map_or_else(|| database.uri(), |pooler| pooler.uri(database));
    let with_client = |command: &str| dbhaul().args([command, "--json", "--client-dir"]).arg(clients_of(client));

    let folder = tempfile::tempdir().expect("a folder");
    let output = format!("{}/", folder.path().display());
    let done = with_client("dump").args(["--output", &output, &uri(&source.database)]).run();
    let archive = match finished("dump", &done) {
        Ok(json) => json["archive"].as_str().expect("a path").to_owned(),
        Err(outcome) => {
            let left = std::fs::read_dir(folder.path()).expect("the folder").count();
            assert_eq!(left, 0, "a failed dump left something");
            return outcome;
        }
    };
    if let Err(outcome) = finished("verify", &dbhaul().args(["verify", "--json", &archive]).run()) {
        return outcome;
    }
    let target = server.database("matrix_back");
    let before = (checksum(&target), schema(&target));
    if let Err(outcome) = finished("restore", &with_client("restore").args([&archive, &uri(&target)]).run()) {
        let untouched = (checksum(&target), schema(&target)) == before;
        return if untouched { outcome } else { Outcome::Other(format!("after it has begun, {outcome}")) };
    }
    source.difference(&target).map_or(Outcome::Same, Outcome::Other)
}

/// The JSON of a success, or what the failure was.
pub fn finished(step: &'static str, output: &Output) -> Result<serde_json::Value, Outcome> {
    let json = output.json();
    match output.code {
        Some(0) => Ok(json),
        Some(5 | 10) => Err(Outcome::Refused { step, why: reason(&json) }),
        _ => Err(Outcome::Other(format!("{step}: {}", output.stderr))),
    }
}

/// `too old` of `found: /usr/bin/pg_dump (PostgreSQL 13.16), too old`; or else what failed, or what was found before it.
fn reason(json: &serde_json::Value) -> String {
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let detail = json["details"][0].as_str().unwrap_or_default();
    match detail.strip_prefix("found: ").and_then(|found| found.split_once("), ")) {
        Some((_, why)) => why.trim_start_matches("which ").to_owned(),
        None if text(&json["message"]).ends_with("nothing was started") => detail.to_owned(),
        None => text(&json["message"]),
    }
}
