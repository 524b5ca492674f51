//! The servers themselves: each starts, answers through its vendor's client, speaks TLS, and leaves nothing behind.

use std::{collections::BTreeMap, net::TcpStream, process::Command};

use crate::support::{
    Family, Flavour, Pooler, Pooling, Server, checksum, fixture, mariadb, mysql, postgres15, postgres18, schema,
};

fn starts_and_stops(flavour: Flavour) {
    let server = Server::start(flavour);
    let folder = server.ca_file().parent().expect("a folder").to_owned();
    let port = server.port();
    {
        let database = server.database("smoke");
        let answer = database.sql("SELECT version()");
        let version = format!("{}{}.", if flavour.is_postgres() { "PostgreSQL " } else { "" }, flavour.version());
        assert!(answer.starts_with(&version), "{answer}");
        let encrypted = if flavour.is_postgres() {
            database.sql("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == "t"
        } else {
            let mut client = server.client(flavour.family().shell());
            client.arg(format!("--ssl-ca={}", server.ca_file().display()));
            client.arg(if flavour.family() == Family::Mysql { "--ssl-mode=VERIFY_CA" } else { "--ssl" });
            let output =
                client.args(["--batch", "-e", "SHOW STATUS LIKE 'Ssl_cipher'"]).output().expect("run the client");
            String::from_utf8_lossy(&output.stdout).contains("TLS")
        };
        assert!(encrypted);
    }
    server.stop();
    assert!(!folder.exists(), "{} is still there", folder.display());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "port {port} is still open");
    let left = Command::new("pgrep").arg("-f").arg(&folder).output().expect("run pgrep");
    assert_eq!(String::from_utf8_lossy(&left.stdout), "", "processes of {} are left", folder.display());
}

#[test]
fn postgres12_starts_and_stops() {
    starts_and_stops(Flavour::Postgres12);
}

#[test]
fn postgres13_starts_and_stops() {
    starts_and_stops(Flavour::Postgres13);
}

#[test]
fn postgres14_starts_and_stops() {
    starts_and_stops(Flavour::Postgres14);
}

#[test]
fn postgres15_starts_and_stops() {
    starts_and_stops(Flavour::Postgres15);
}

#[test]
fn postgres16_starts_and_stops() {
    starts_and_stops(Flavour::Postgres16);
}

#[test]
fn postgres17_starts_and_stops() {
    starts_and_stops(Flavour::Postgres17);
}

#[test]
fn postgres18_starts_and_stops() {
    starts_and_stops(Flavour::Postgres18);
}

#[test]
fn mariadb_10_5_starts_and_stops() {
    starts_and_stops(Flavour::Mariadb105);
}

#[test]
fn mariadb_10_11_starts_and_stops() {
    starts_and_stops(Flavour::Mariadb);
}

#[test]
fn mariadb_11_4_starts_and_stops() {
    starts_and_stops(Flavour::Mariadb114);
}

#[test]
fn mariadb_11_8_starts_and_stops() {
    starts_and_stops(Flavour::Mariadb118);
}

#[test]
fn mysql_starts_and_stops() {
    starts_and_stops(Flavour::Mysql);
}

#[test]
fn pgbouncer_answers_in_session_and_in_transaction_mode() {
    for pooling in [Pooling::Session, Pooling::Transaction] {
        let pooler = Pooler::start(postgres15(), pooling);
        let database = postgres15().database("pooled");
        let mut psql = database.client("psql");
        psql.env("PGPORT", pooler.port().to_string()).args(["-Atc", "SELECT current_database()"]);
        let output = psql.output().expect("run psql");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), database.name(), "{output:?}");
    }
}

/// Loads every fixture, checks what `checksum` and `schema` see of it, and that a second loading looks the same.
fn loads_fixtures(server: &Server, family: &str) {
    let loaded = |name: &str| {
        let database = server.database(&name.replace('-', "_"));
        database.load_file(fixture(&format!("{name}-{family}.sql")));
        (checksum(&database), schema(&database), database)
    };
    let (chinook, chinook_schema, _database) = loaded("chinook");
    assert_eq!(chinook.len(), 11);
    assert_eq!(chinook.values().map(|(rows, _)| rows).sum::<u64>(), 15_607);
    let (chinook_again, chinook_schema_again, _database) = loaded("chinook");
    assert_eq!(chinook_again, chinook);
    assert_eq!(chinook_schema_again, chinook_schema);

    let (big_row, _, database) = loaded("big-row");
    assert_eq!(big_row.values().map(|(rows, _)| *rows).collect::<Vec<_>>(), [2]);
    assert_eq!(database.sql("SELECT max(length(body)), max(length(raw)) FROM big_row"), "31457280\t8388608");

    let (objects, objects_schema, database) = loaded("objects");
    assert!(objects.len() > 20, "{objects:#?}");
    assert!(objects_schema.contains("-- Dump completed"));
    // A byte that changes, and a null that becomes an empty text, change the sum.
    let (table, change) = if family == "mysql" {
        (
            "texts",
            ["UPDATE texts SET b = 0x01 WHERE note = 'no byte'", "UPDATE texts SET t = '' WHERE note = 'every byte'"],
        )
    } else {
        (
            "public.edges",
            ["UPDATE edges SET b = '\\x01' WHERE note = 'no byte'", "UPDATE edges SET t = '' WHERE note = 'NaN'"],
        )
    };
    let mut seen = vec![objects[table].clone()];
    for statement in change {
        database.sql(statement);
        let sum = checksum(&database)[table].clone();
        assert_eq!(sum.0, seen[0].0);
        assert!(!seen.contains(&sum), "{statement} is not seen");
        seen.push(sum);
    }
    let (objects_again, objects_schema_again, _database) = loaded("objects");
    assert_eq!(objects_schema_again, objects_schema);
    // These hold times, random values, or the numbers of large objects.
    let lasting = |sums: BTreeMap<String, (u64, String)>| {
        sums.into_iter()
            .filter(|(name, _)| {
                !["audit", "public.audit", "kinds", "public.files", "large objects"].contains(&name.as_str())
            })
            .collect::<BTreeMap<_, _>>()
    };
    assert_eq!(lasting(objects_again), lasting(objects));
}

#[test]
fn fixtures_load_into_postgres15() {
    loads_fixtures(postgres15(), "postgres");
}

#[test]
fn fixtures_load_into_postgres18() {
    loads_fixtures(postgres18(), "postgres");
}

#[test]
fn fixtures_load_into_mysql() {
    loads_fixtures(mysql(), "mysql");
}

#[test]
fn fixtures_load_into_mariadb() {
    loads_fixtures(mariadb(), "mysql");
}
