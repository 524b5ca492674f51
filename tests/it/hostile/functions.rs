//! The lists of functions that expressions may call, against every server.

use dbhaul::engine::postgres::gate::{Act, is_of_the_server, judge_all, sort_function};

use crate::support::{Database, Flavour, shared};

const SERVERS: [Flavour; 7] = [
    Flavour::Postgres12,
    Flavour::Postgres13,
    Flavour::Postgres14,
    Flavour::Postgres15,
    Flavour::Postgres16,
    Flavour::Postgres17,
    Flavour::Postgres18,
];

/// Not every server has all, and some need what is not installed.
const ALL_EXTENSIONS: &str = "SET client_min_messages = error;
    DO $$ DECLARE extension text; BEGIN
        FOR extension IN SELECT name FROM pg_available_extensions LOOP
            BEGIN EXECUTE format('CREATE EXTENSION IF NOT EXISTS %I CASCADE', extension);
            EXCEPTION WHEN OTHERS THEN NULL; END;
        END LOOP;
    END $$";

/// Of the server's own and of extensions. Procedures stand in no expression.
const FUNCTIONS: &str = "SELECT DISTINCT proname FROM pg_proc
    WHERE prokind <> 'p' AND (provolatile <> 'i' OR starts_with(proname, 'pg_')) ORDER BY 1";

const VIEWS: &str = "SELECT c.relname, translate(pg_get_viewdef(c.oid), E'\\n', ' ') FROM pg_class c
    WHERE c.relkind = 'v' AND c.relnamespace <> 'information_schema'::regnamespace ORDER BY 1";

fn unsorted_functions(database: &Database<'_>) -> Vec<String> {
    let names = database.sql(FUNCTIONS);
    assert!(names.lines().any(|name| name == "pg_read_file"), "{names}");
    names.lines().filter(|name| sort_function(name).is_none()).map(str::to_owned).collect()
}

/// Views that call what is stopped, and that a materialized view may read all the same.
fn unknown_views(database: &Database<'_>) -> Vec<String> {
    let views = database.sql(VIEWS);
    let reaches = |(name, definition): &(&str, &str)| {
        let acts = judge_all(&format!("CREATE VIEW {name} AS {definition}")).acts;
        assert!(!acts.is_empty(), "{name}");
        acts.iter().any(|act| matches!(act, Act::View { reaches: true, .. }))
    };
    let reaching: Vec<_> = views.lines().filter_map(|line| line.split_once('\t')).filter(reaches).collect();
    assert!(reaching.len() > 5, "{views}");
    reaching.into_iter().map(|(name, _)| name.to_owned()).filter(|name| !is_of_the_server(name)).collect()
}

#[test]
fn every_function_of_every_postgresql_is_sorted() {
    let mut unsorted = Vec::new();
    for flavour in SERVERS {
        let database = shared(flavour).database("functions");
        database.sql(ALL_EXTENSIONS);
        let names = unsorted_functions(&database).into_iter().chain(unknown_views(&database));
        unsorted.extend(names.map(|name| format!("{}: {name}", flavour.name())));
    }
    assert_eq!(unsorted, Vec::<String>::new(), "to be sorted in src/engine/postgres/gate");
}
