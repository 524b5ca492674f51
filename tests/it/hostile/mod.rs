//! Archives that somebody made to run programs on the machine of whoever restores them.
//!
//! Each trick tries to make a file; each test looks for it. Where `--trust` lets a trick through to a client that obeys
//! it, the file is made: so the trick is one.

mod bounds;
mod functions;
mod gate;
mod mysql;
mod postgres;

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::support::{Database, Dbhaul, Output, checksum, dbhaul, postgres15, program};

/// A folder with the script, and the file that a trick would make.
struct Trap {
    folder: tempfile::TempDir,
}

impl Trap {
    fn new() -> Self {
        let trap = Self { folder: tempfile::tempdir().expect("a folder") };
        // For tricks that read a script from a file.
        fs::write(trap.path("more.sql"), format!("\\! touch {}\n", trap.mark().display())).expect("write");
        trap
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn mark(&self) -> PathBuf {
        self.path("mark")
    }

    /// The trick, with the places filled in: MARK is the file, MORE a script that makes it.
    fn set(&self, trick: &str) -> String {
        let filled = trick.replace("MARK", &self.mark().display().to_string());
        filled.replace("MORE", &self.path("more.sql").display().to_string())
    }

    /// Whether the file was made; it is taken away.
    fn sprung(&self) -> bool {
        fs::remove_file(self.mark()).is_ok()
    }

    fn write(&self, script: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path("dump.sql");
        fs::write(&path, script).expect("write the script");
        path
    }
}

fn restore(clients: &Path, archive: &Path, target: &Database<'_>) -> Dbhaul {
    dbhaul().client_dirs([clients]).arg("restore").arg(archive).arg(target.uri())
}

/// Refused before the target was touched, with the line of what was found.
fn refused(output: Output, target: &Database<'_>, trick: &str) {
    assert_eq!(output.code, Some(10), "{trick:?}: {}", output.stderr);
    // What nobody can read is not let through, whatever is said.
    let way_out = if output.stderr.contains("hides where strings end") { "utf8mb4 is read" } else { "--trust" };
    let output = output.refused(10, &["nothing was changed", way_out]);
    assert!(output.stderr.contains("\n  line "), "no line is named for {trick:?}: {}", output.stderr);
    assert!(checksum(target).is_empty(), "{trick:?} left something");
}

#[test]
fn escape_sequences_of_an_archive_reach_no_terminal() {
    let server = postgres15();
    let folder = tempfile::tempdir().expect("a folder");
    let source = server.database("escaping");
    source.sql("CREATE TABLE \"a\u{1b}]0;title\u{7}b\u{9b}2J\" (n int)");
    let (archive, _) = crate::roundtrip::dumped(&source, &folder, &[]);
    // `script` gives it a terminal.
    let command = format!("'{}' inspect '{}'", program(), archive.display());
    let shown = std::process::Command::new("script").args(["-qec", &command, "/dev/null"]).output().expect("script");
    let shown = String::from_utf8(shown.stdout).expect("UTF-8");
    assert!(shown.contains("a\\x1b]0;title\\x07b\\u{9b}2J"), "{shown:?}");
    assert!(!shown.contains(['\u{1b}', '\u{9b}']), "{shown:?}");

    // What is refused on stderr, terminal or not; and as JSON, which a terminal shows as well.
    let trap = Trap::new();
    let script = trap.write(postgres::script("\\! \u{1b}[2J \u{9b}2J\n"));
    let target = server.database("escaping");
    for words in [&[][..], &["--json"]] {
        let output = restore(&server.client_dir(), &script, &target).args(words).run();
        assert_eq!(output.code, Some(10), "{}", output.stderr);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), output.stderr);
        assert!(!said.contains(['\u{1b}', '\u{9b}']) && output.stderr.contains("\\x1b[2J"), "{said:?}");
    }
}
