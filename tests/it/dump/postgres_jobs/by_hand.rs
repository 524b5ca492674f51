//! Without dbhaul: tar, cat and `pg_restore`.

use std::process::{Command, Stdio};

use super::{dumped_by, tables};
use crate::{
    inspect::by_hand::{every_reader, shell, tool},
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
    shell(&format!("cat {stem}/part.* > joined"), &archive, folder.path());
    for (piped, options) in [(true, &[][..]), (false, &["joined"]), (false, &["-j2", "joined"])] {
        let target = server.database("by_hand");
        let mut restore = tool(&target, false);
        restore.args(options).current_dir(folder.path());
        let mut cat = Command::new("bash");
        cat.args(["-c", "exec cat \"$0\"/part.*", &stem]).current_dir(folder.path()).stdout(Stdio::piped());
        let mut cat = piped.then(|| cat.spawn().expect("run cat"));
        restore.stdin(cat.as_mut().and_then(|cat| cat.stdout.take()).map_or_else(Stdio::null, Stdio::from));
        let output = restore.output().expect("run pg_restore");
        assert!(output.status.success(), "{options:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(cat.is_none_or(|mut cat| cat.wait().expect("wait for cat").success()));
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
