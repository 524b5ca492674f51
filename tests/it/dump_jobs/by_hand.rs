//! Without dbhaul: tar, cat and `pg_restore`.

use std::process::Command;

use super::{dumped_by, tables};
use crate::{
    by_hand::{every_reader, shell},
    roundtrip::{assert_same, loaded},
    support::{Server, postgres15, postgres18},
};

/// What the README says: unpacked and joined, through a pipe or, for several jobs of `pg_restore`, a file.
fn by_hand(server: &Server) {
    let source = loaded(server, "objects");
    let folder = tempfile::tempdir().expect("a folder");
    let archive = dumped_by(&source, &folder, "4", &[]);
    shell("tar xzf \"$X\"", &archive, folder.path());
    let stem = archive.file_name().expect("a name").to_str().expect("UTF-8").trim_end_matches(".tar.gz").to_owned();
    for script in [
        "cat $STEM/part.* | \"$RESTORE\" $OPTIONS",
        "cat $STEM/part.* > $STEM.dump && \"$RESTORE\" $OPTIONS $STEM.dump",
        "cat $STEM/part.* > $STEM.dump && \"$RESTORE\" $OPTIONS -j2 $STEM.dump",
    ] {
        let target = server.database("by_hand");
        let mut restore = target.client("pg_restore");
        let (program, args) = (restore.get_program().to_owned(), restore.get_args().map(ToOwned::to_owned));
        let words: Vec<_> = std::iter::once(program).chain(args).collect();
        let runs = folder.path().join("pg_restore");
        let line: Vec<_> = words.iter().map(|word| format!("'{}'", word.to_str().expect("UTF-8"))).collect();
        std::fs::write(&runs, format!("exec {} \"$@\"\n", line.join(" "))).expect("write");
        let options = format!("--no-owner --no-privileges --exit-on-error -d {}", target.name());
        let script = script.replace("\"$RESTORE\"", "sh ./pg_restore").replace("$STEM", &stem);
        restore = {
            let mut bash = Command::new("bash");
            for (name, value) in restore.get_envs() {
                bash.env(name, value.unwrap_or_default());
            }
            bash
        };
        restore.args(["-euo", "pipefail", "-c", &script.replace("$OPTIONS", &options)]).current_dir(folder.path());
        let output = restore.output().expect("run bash");
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        assert_same(&source, &target);
    }
    // The line for the other layouts would join the parts in the order of the tar: it finds nothing here.
    let wrong = Command::new("tar").arg("xzOf").arg(&archive).args(["--wildcards", "*/dump.*"]).output().expect("tar");
    assert!(!wrong.status.success() && wrong.stdout.is_empty());
}

#[test]
fn pg_restore_takes_the_parts_of_several_jobs_by_hand() {
    by_hand(postgres15());
    by_hand(postgres18());
}

#[test]
fn every_tar_program_reads_the_parts_of_several_jobs() {
    let source = postgres15().database("by_hand");
    // Enough for several parts in a lane.
    tables(&source, 4, 40_000);
    let folder = tempfile::tempdir().expect("a folder");
    let archive = dumped_by(&source, &folder, "4", &["--compression", "gzip:1"]);
    let mut members = super::lanes(&archive);
    assert!(members.len() > 5, "{members:?}");
    every_reader(&archive, "z");
    members.sort_unstable();
    members.dedup();
    assert_eq!(members, [0, 1, 2, 3, 4]);
}
