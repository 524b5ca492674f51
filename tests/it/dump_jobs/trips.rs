//! There and back, in every way that an archive is read.

use std::{fs::File, process::Command};

use super::{dumped_by, lanes, tables};
use crate::{
    roundtrip::{assert_same, dumped, loaded, manifest, real_rows, restored, with_clients_of},
    support::{Flavour, Server, checksum, mysql, postgres15, postgres18, schema, shared},
};

/// Every kind of object, or Chinook, by so many jobs; the manifest says what one job's would.
fn trip(server: &Server, name: &str, jobs: &str) {
    let source = loaded(server, name);
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, json) = dumped(&source, &folder, &["--jobs", jobs]);
    assert_eq!(json["rows"], real_rows(&source).values().sum::<u64>());
    let found = lanes(&archive);
    assert_eq!(found[0], 0, "the table of contents is first");
    assert_eq!(*found.iter().max().expect("lanes"), jobs.parse::<usize>().expect("a number"), "a lane for each job");
    let (alone, _) = dumped(&source, &folder, &[]);
    let said = |archive| {
        let mut manifest = manifest(archive);
        for what in ["members", "started_at", "finished_at"] {
            manifest.as_object_mut().expect("an object").remove(what);
        }
        let tables = manifest["tables"].as_array_mut().expect("tables");
        tables.sort_by_key(ToString::to_string);
        manifest
    };
    assert_eq!(said(&archive), said(&alone));
    let target = server.database("back");
    let back = restored(&archive, &target, &[]);
    assert_eq!((&back["rows"], &back["tables"]), (&json["rows"], &json["tables"]));
    assert_same(&source, &target);
}

#[test]
fn all_kinds_of_objects_come_back_from_several_jobs() {
    for server in [postgres15(), postgres18()] {
        trip(server, "objects", "2");
        trip(server, "objects", "4");
    }
}

#[test]
fn chinook_comes_back_from_several_jobs() {
    for server in [postgres15(), postgres18()] {
        trip(server, "chinook", "2");
        trip(server, "chinook", "4");
    }
    trip(shared(Flavour::Postgres13), "chinook", "3");
}
