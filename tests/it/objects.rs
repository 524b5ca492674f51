//! Every kind of object that the newest versions have, there and back: rows, definitions, and on request owners and
//! rights.

use crate::{
    roundtrip::{assert_same, dumped, loaded, restored},
    support::{Database, Flavour, Server, fixture, mariadb, mysql, postgres15, postgres18, schema_without},
};

/// A database with all that this server can hold.
fn everything(server: &Server) -> Database<'_> {
    let database = loaded(server, "objects");
    let more: &[&str] = match server.flavour() {
        Flavour::Mysql => &["objects-mysql-9.sql"],
        Flavour::Mariadb => &["objects-mariadb.sql"],
        Flavour::Postgres18 => &["objects-postgres-superuser.sql", "objects-postgres-18.sql"],
        _ => &["objects-postgres-superuser.sql"],
    };
    more.iter().for_each(|name| database.load_file(fixture(name)));
    database
}

fn comes_back(server: &Server, dump: &[&str], restore: &[&str], compare: &[&str]) {
    let source = everything(server);
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, dump);
    let target = server.database("back");
    restored(&archive, &target, restore);
    assert_same(&source, &target);
    assert_eq!(schema_without(&target, compare), schema_without(&source, compare));
}

#[test]
fn every_kind_of_object_comes_back_with_owners_and_privileges_on_postgres15() {
    comes_back(postgres15(), &[], &["--keep-owner", "--keep-privileges"], &[]);
}

#[test]
fn every_kind_of_object_comes_back_with_owners_and_privileges_on_postgres18() {
    comes_back(postgres18(), &[], &["--keep-owner", "--keep-privileges"], &[]);
}

const KEEP: [&str; 5] = ["--format", "plain", "--keep-owner", "--keep-privileges", "--keep-comments"];

#[test]
fn every_kind_of_object_comes_back_from_a_plain_dump_of_postgres15() {
    comes_back(postgres15(), &KEEP, &[], &[]);
}

#[test]
fn every_kind_of_object_comes_back_from_a_plain_dump_of_postgres18() {
    comes_back(postgres18(), &KEEP, &[], &[]);
}

/// Owners are left out unless they are kept, rights too, each by itself.
#[test]
fn owners_and_privileges_are_kept_one_without_the_other() {
    comes_back(postgres18(), &[], &["--keep-privileges"], &["--no-owner"]);
    comes_back(postgres18(), &[], &["--keep-owner"], &["--no-privileges"]);
}
