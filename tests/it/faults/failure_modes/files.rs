//! Options that exclude each other, and archives' names.

use std::{collections::BTreeSet, fs::File, process::Command};

use crate::{
    roundtrip::{dumped, with_clients_of},
    support::{checksum, fixture, names, postgres15},
};

#[test]
fn row_56_what_pg_restore_would_not_do_at_once_is_refused_or_done_another_way() {
    let server = postgres15();
    let source = server.database("options");
    source.sql("CREATE TABLE t AS SELECT n FROM generate_series(1, 100) n");
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    // Jobs read a file, and stdin is none: pg_restore refuses, dbhaul makes one.
    let target = server.database("options");
    let restore = with_clients_of(server).args(["restore", "-", &target.uri(), "--jobs", "2"]);
    restore.input_file(File::open(&archive).expect("the archive")).run().expect_code(0);
    assert_eq!(checksum(&target), checksum(&source));
    // One transaction can't create its database: it is created before.
    let made = server.database("options");
    server.sql(&format!("DROP DATABASE {}", server.quote(made.name())));
    let restore = with_clients_of(server).arg("restore").arg(&archive).arg(made.uri()).arg("--create").run();
    restore.expect_code(0);
    assert_eq!(checksum(&made), checksum(&source));
    // A script has no entries, and one session.
    let empty = server.database("options");
    for options in [&["--jobs", "2"][..], &["--schema-only"], &["--exclude-extension", "hstore"]] {
        let script = fixture("dumps/pg_dump-15.plain.sql");
        let restore = with_clients_of(server).arg("restore").arg(script).arg(empty.uri()).args(options).run();
        restore.refused(10, &["a plain dump is restored by one session", "nothing was changed"]);
    }
    assert!(checksum(&empty).is_empty());
}

#[test]
fn row_60_dumps_of_the_same_second_have_names_of_their_own_in_universal_time() {
    let server = postgres15();
    let source = server.database("at_once");
    source.sql("CREATE TABLE t AS SELECT 1 AS n");
    let folder = tempfile::tempdir().expect("a folder");
    let now = || -> u64 {
        let output = Command::new("date").args(["-u", "+%Y%m%d%H%M%S"]).output().expect("run date");
        String::from_utf8(output.stdout).expect("digits").trim().parse().expect("a number")
    };
    let before = now();
    let dump = || {
        let dump = with_clients_of(server).args(["dump", &source.uri(), "--name", "x:y z"]).cwd(folder.path());
        dump.env("TZ", "Asia/Kolkata").env("LC_ALL", "en_US.UTF-8").spawn()
    };
    let running: Vec<_> = (0..4).map(|_| dump()).collect();
    let archives: BTreeSet<String> =
        running.into_iter().map(|one| one.wait().expect_code(0).text().trim().to_owned()).collect();
    let after = now();
    assert_eq!(archives.iter().cloned().collect::<Vec<_>>(), names(folder.path()), "no more, and none twice");
    assert_eq!(archives.len(), 4);
    for name in &archives {
        let second: u64 = name[..14].parse().expect("14 digits");
        assert!((before..=after).contains(&second), "{name} is not between {before} and {after}");
        assert!(name[14..].starts_with("_x_y_z") && !name.contains(':'), "{name}");
        let verify = with_clients_of(server).args(["verify", name]).cwd(folder.path()).run();
        verify.expect_code(0);
    }
}
