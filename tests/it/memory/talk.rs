//! Clients that say too much.

use std::{fs, path::Path};

use super::{Table, code, why, within};
use crate::support::{assert_section, dbhaul, fake_client, fixture, names, postgres15};

const VERSION: &str = "[ \"$1\" = --version ] && echo 'pg_dump (PostgreSQL) 15.18' && exit\n";

/// A `pg_dump` that does this, and the dump of it: exit code, what is left, and what is said.
fn dump(troubles: &mut Vec<String>, what: &str, script: &str) -> [String; 3] {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("out");
    fs::create_dir(&out).expect("a folder");
    fake_client(folder.path(), "pg_dump", &format!("#!/bin/bash\n{script}\n"));
    let source = postgres15().database("source");
    let command = dbhaul().args(["dump", &source.uri()]).cwd(&out).client_dirs([folder.path()]);
    let output = within(troubles, what, command);
    let left = names(&out).len();
    if (output.code == Some(0)) != (left == 1) {
        troubles.push(format!("{what}: {left} files:\n{}", output.stderr));
    }
    if output.stderr.len() > 200_000 {
        troubles.push(format!("{what}: {} bytes of stderr", output.stderr.len()));
    }
    if output.stderr.contains("correct-horse") {
        troubles.push(format!("{what}: the password was shown:\n{}", output.stderr));
    }
    if script.contains("the end") && !output.stderr.contains("the end") {
        troubles.push(format!("{what}: the last line is not shown:\n{}", output.stderr));
    }
    let folder = folder.path().display().to_string();
    let says: String = why(&output).replace(&folder, "").chars().take(60).collect();
    [what.to_owned(), code(&output), says]
}

fn emits(file: &Path) -> String {
    format!("cat {}", file.display())
}

#[test]
fn clients_that_say_too_much_are_heard_within_bounds() {
    let whole = emits(&fixture("dumps/pg_dump-15.custom.dump"));
    let said = "correct-horse-7Kq2wZ is the password of nobody";
    let lots = |what: &str, size: &str| format!("yes '{what}' | head -c {size} >&2");
    let endless = "head -c 1073741824 /dev/zero | tr '\\0' e >&2";
    let mut troubles = Vec::new();
    let mut table = Table::new(&["pg_dump", "dump", "what it says"]);
    for (what, script) in [
        ("a stderr of 128 MiB in lines, and a whole dump", format!("{VERSION}{}\n{whole}", lots(said, "128M"))),
        (
            "a stderr of 128 MiB in lines, and a failure",
            format!("{VERSION}{}\necho 'pg_dump: error: the end' >&2; exit 1", lots(said, "128M")),
        ),
        ("a stderr of one line of 1 GiB, and a failure", format!("{VERSION}{endless}\nexit 1")),
        ("a --version of 1 GiB", "yes 'pg_dump (PostgreSQL) 15.18' | head -c 1G".to_owned()),
        ("a --version of one line of 1 GiB", "head -c 1G /dev/zero | tr '\\0' 1".to_owned()),
    ] {
        table.row(&dump(&mut troubles, what, &script));
    }
    assert!(troubles.is_empty(), "{}\n{}", troubles.join("\n"), table.0);
    assert_section("docs/reliability.md", "memory-clients", &table.0);
}
