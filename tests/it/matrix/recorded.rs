//! Clients that no package holds any more, played by their recorded texts: they refuse, as the real ones do, every
//! option that they do not know.

use std::sync::OnceLock;

use super::{MYSQL, Outcome, Place, Way, pair::finished};
use crate::{
    connect::clients::whole_mysql_dump,
    support::{Database, dbhaul, recorded_client, shared},
};

/// Dump program, interactive client, version.
const CLIENTS: [(&str, &str, &str); 5] = [
    ("mysqldump", "mysql", "5.7.21"),
    ("mysqldump", "mysql", "8.0.28"),
    ("mysqldump", "mysql", "8.0.36"),
    ("mysqldump", "mysql", "8.4.6"),
    ("mariadb-dump", "mariadb", "10.3.22"),
];

/// The servers that they meet.
fn places() -> impl Iterator<Item = Place> {
    MYSQL.into_iter().filter(|place| place.way == Way::Directly)
}

/// Dumps and restores one small table; a client that was asked for something that it does not know makes it fail.
fn run(place: Place, (dump, shell, version): (&str, &str, &str)) -> Outcome {
    let server = shared(place.flavour);
    let source = server.database("recorded");
    source.sql("CREATE TABLE t (n INT PRIMARY KEY); INSERT INTO t VALUES (1), (2)");
    let clients = tempfile::tempdir().expect("a folder");
    recorded_client(clients.path(), dump, &format!("{dump}-{version}"), &whole_mysql_dump());
    recorded_client(clients.path(), shell, &format!("{shell}-{version}"), "exec cat > \"$(dirname \"$0\")/fed\"");
    let with_client = |command: &str| dbhaul().args([command, "--json", "--client-dir"]).arg(clients.path());

    let folder = tempfile::tempdir().expect("a folder");
    let output = format!("{}/", folder.path().display());
    let archive = match finished("dump", &with_client("dump").args(["--output", &output, &source.uri()]).run()) {
        Ok(json) => json["archive"].as_str().expect("a path").to_owned(),
        Err(outcome) => {
            assert!(!clients.path().join("called").exists(), "a refused client was run");
            return outcome;
        }
    };
    let target: Database<'_> = server.database("recorded_back");
    match finished("restore", &with_client("restore").args([&archive, &target.uri()]).run()) {
        Ok(_) if clients.path().join("fed").exists() => Outcome::Same,
        Ok(_) => Outcome::Other("restored, but the client was not fed".to_owned()),
        Err(outcome) => outcome,
    }
}

/// Each client's outcomes with each server.
fn outcomes() -> &'static [Vec<Outcome>] {
    static OUTCOMES: OnceLock<Vec<Vec<Outcome>>> = OnceLock::new();
    OUTCOMES.get_or_init(|| places().map(|place| CLIENTS.map(|client| run(place, client)).into()).collect())
}

/// The table, as Markdown.
pub fn table() -> String {
    let mut text = String::from("| Server |");
    for (_, shell, version) in CLIENTS {
        text += &format!(" {} {version} |", if shell == "mysql" { "MySQL" } else { "MariaDB" });
    }
    text += &format!("\n|---|{}\n", "---|".repeat(CLIENTS.len()));
    for (place, outcomes) in places().zip(outcomes()) {
        let cells = outcomes.iter().map(|outcome| format!(" {outcome} |")).collect::<String>();
        text += &format!("| {place} |{cells}\n");
    }
    text
}

#[test]
fn every_recorded_client_is_asked_for_what_it_knows_or_is_refused() {
    for (place, outcomes) in places().zip(outcomes()) {
        for (outcome, client) in outcomes.iter().zip(CLIENTS) {
            assert!(!matches!(outcome, Outcome::Other(_)), "{place} with {client:?}: {outcome}");
        }
    }
}
