//! Clients that are too old or too new for the server, the archive or the dump.

use std::{fs, os::unix::fs::symlink};

use super::vendor;
use crate::{
    roundtrip::{dumped, restored, with_clients_of},
    support::{checksum, dbhaul, fake_client, fixture, postgres15, postgres18},
};

#[test]
fn row_01_a_pg_dump_older_than_the_server_is_never_taken() {
    let source = postgres18().database("newer");
    source.sql("CREATE TABLE t AS SELECT 1 AS n");
    // 15's by itself:
    let mut old = source.client("pg_dump");
    old = {
        let mut command = std::process::Command::new(postgres15().client_dir().join("pg_dump"));
        command.envs(old.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
    };
    let (well, said) = vendor(&mut old);
    assert!(!well && said.contains("server version mismatch"), "{said}");

    let folder = tempfile::tempdir().expect("a folder");
    let only_old = with_clients_of(postgres15()).args(["dump", &source.uri()]).cwd(folder.path()).run();
    only_old
        .refused(5, &["no pg_dump fits PostgreSQL 18.", "15.", "too old", "hint: apt install postgresql-client-18"]);

    // Debian's /usr/bin/pg_dump is a script, and stands before the one that fits, which is in ~/bin.
    let wrapper = fs::read_link("/usr/bin/pg_dump").expect("Debian's link to its wrapper");
    assert!(wrapper.ends_with("pg_wrapper"), "{}", wrapper.display());
    let dump = dbhaul().env("PATH", "/usr/bin:/bin").args(["dump", &source.uri()]).cwd(folder.path());
    let bin = dump.home().join("bin");
    fs::create_dir(&bin).expect("a folder");
    symlink(postgres18().client_dir().join("pg_dump"), bin.join("pg_dump")).expect("a link");
    let output = dump.run().expect_code(0);
    assert!(output.stderr.contains(&format!("{}/pg_dump", bin.display())), "by absolute path: {}", output.stderr);
}

#[test]
fn row_02_a_dump_of_pg_dump_15_comes_back_by_pg_restore_18_alone() {
    let source = postgres15().database("older");
    source.sql("CREATE TABLE t AS SELECT n FROM generate_series(1, 100) n");
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    let dump = folder.path().join("dump.pgsql");
    fs::write(&dump, crate::roundtrip::member(&archive, "*/dump.pgsql")).expect("write");

    let target = postgres15().database("older");
    let mut newer = std::process::Command::new(postgres18().client_dir().join("pg_restore"));
    newer.args(["--exit-on-error", "--single-transaction", "--dbname", target.name()]).arg(&dump);
    let (well, said) = vendor(newer.envs(target.client("psql").get_envs().filter_map(|(n, v)| Some((n, v?)))));
    assert!(!well && said.contains("transaction_timeout"), "{said}");

    let restore = with_clients_of(postgres18()).args(["restore", "--json"]).arg(&archive).arg(target.uri());
    let result = restore.run().expect_code(0).json();
    assert_eq!(checksum(&target), checksum(&source));
    assert_eq!(result["adaptations"][0]["what"], "SET transaction_timeout left out", "{result}");
}

#[test]
fn row_04_a_psql_that_does_not_know_restrict_never_sees_it() {
    let source = postgres15().database("restricted");
    source.sql("CREATE TABLE t AS SELECT n FROM generate_series(1, 100) n");
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &["--format", "plain"]);
    let dump = String::from_utf8(crate::roundtrip::member(&archive, "*/dump.sql")).expect("SQL");
    assert!(dump.contains("\n\\restrict ") && dump.contains("\n\\unrestrict "), "this pg_dump writes none");

    // psql 14.2 as it was recorded: a line with the command is an error, and the end with ON_ERROR_STOP.
    let clients = tempfile::tempdir().expect("a folder");
    let version = fixture("client-help/psql-14.2.version.txt");
    let real = postgres15().client_dir().join("psql");
    let script = format!(
        "#!/bin/bash\n[ \"$1\" = --version ] && exec cat '{}'\nset -o pipefail\n\
         awk '/^\\\\(un)?restrict /{{ print \"psql:<stdin>: invalid command \" $1 > \"/dev/stderr\"; exit 3 }} 1' | '{}' \"$@\"\n",
        version.display(),
        real.display()
    );
    fake_client(clients.path(), "psql", &script);
    symlink(postgres15().client_dir().join("pg_restore"), clients.path().join("pg_restore")).expect("a link");
    let by_hand =
        format!("printf '\\\\restrict x\\n' | PGDATABASE=none '{}' -X", clients.path().join("psql").display());
    let (well, said) = vendor(std::process::Command::new("bash").args(["-c", &by_hand]));
    assert!(!well && said.contains("invalid command \\restrict"), "the old psql is no old psql: {said}");

    let target = postgres15().database("restricted");
    let restore = dbhaul().client_dirs([clients.path()]).args(["restore", "--json"]).arg(&archive).arg(target.uri());
    let result = restore.run().expect_code(0).json();
    assert_eq!(checksum(&target), checksum(&source));
    assert!(result["adaptations"].to_string().contains("\\\\restrict left out"), "{result}");
    assert!(result["notes"].to_string().contains("psql 14.2 does not know \\\\restrict"), "{result}");
    // A patched psql gets them as they are.
    let target = postgres15().database("restricted");
    let result = restored(&archive, &target, &[]);
    assert!(!result["adaptations"].to_string().contains("restrict"), "{result}");
}
