//! Every call to the system that the store and the readers make on an archive fails once: the first of its kind, the
//! second, and so on, until a run passes untouched. `strace` lets them fail, in the real program.

use std::{fs, path::PathBuf, process::Command};

use super::{archives::ours, checking::Checker};
use crate::support::{Database, assert_section, checksum, dbhaul, error_lines, names, postgres15, program, several};

/// A call, what it is for, how else the run is troubled, and the errors that it ends with.
struct Row {
    call: &'static str,
    what: &'static str,
    besides: &'static [&'static str],
    errors: &'static [&'static str],
}

const fn row(
    call: &'static str,
    what: &'static str,
    besides: &'static [&'static str],
    errors: &'static [&'static str],
) -> Row {
    Row { call, what, besides, errors }
}

/// A file system without `RENAME_NOREPLACE`, then one that has no hard links either.
const NO_FLAG: &[&str] = &["renameat2:error=EINVAL:when=1"];
const NO_LINKS: &[&str] = &["renameat2:error=EINVAL:when=1", "linkat:error=EPERM"];

const DUMP: [Row; 12] = [
    row(
        "openat",
        "the folder is looked through for leftovers, and opened; the `.partial` file is made",
        &[],
        &["EIO", "ENOSPC", "EDQUOT", "EMFILE", "EACCES"],
    ),
    row("write", "the archive's bytes", &[], &["EIO", "ENOSPC", "EDQUOT", "EFBIG"]),
    row("write", "the same, interrupted", &[], &["EINTR"]),
    row("pwrite64", "the member's header, once its size is known", &[], &["EIO", "ENOSPC", "EINTR"]),
    row("fsync", "the file, then its folder", &[], &["EIO", "ENOSPC", "EDQUOT"]),
    row("fsync", "the same, interrupted", &[], &["EINTR"]),
    row("renameat2", "the final name", &[], &["EIO", "ENOSPC", "EDQUOT", "EACCES"]),
    row("renameat2", "the final name, without RENAME_NOREPLACE", &[], &["EINVAL", "ENOSYS"]),
    row("linkat", "the final name, by a hard link", NO_FLAG, &["EIO", "EPERM"]),
    row("unlinkat", "the `.partial` name goes, behind a hard link", NO_FLAG, &["EIO"]),
    row("openat", "the final name, without hard links", NO_LINKS, &["EIO", "ENOSPC"]),
    row(
        "unlinkat",
        "the `.partial` file goes, behind a write that failed",
        &["write:error=EIO:when=3"],
        &["EIO", "EROFS"],
    ),
];

const VERIFY: [Row; 3] = [
    row("openat", "the archive is opened", &[], &["EIO", "EACCES", "EMFILE"]),
    row("pread64", "its index and its bytes", &[], &["EIO"]),
    row("pread64", "the same, interrupted", &[], &["EINTR"]),
];

const RESTORE: [Row; 2] = [
    row("openat", "the archive is opened", &[], &["EIO"]),
    row("pread64", "its bytes, to check them and to feed them", &[], &["EIO"]),
];

/// How a run ended, as the table shows it.
type Ending = String;

/// A command under strace, with the calls on these paths in trouble.
struct Trial<'a> {
    command: &'a [String],
    paths: Vec<PathBuf>,
    log: PathBuf,
}

impl Trial<'_> {
    /// Runs it with the `nth` such call failing. Exit code and stderr, and whether the call was made at all.
    fn run(&self, row: &Row, error: &str, nth: usize) -> (i32, String, bool) {
        let mut strace = Command::new("timeout");
        strace.args(["--kill-after=1", "100", "strace", "--follow-forks", "--seccomp-bpf", "-qq", "--output"]);
        strace.arg(&self.log).arg(format!("--inject={}:error={error}:when={nth}", row.call));
        strace.args(row.besides.iter().map(|besides| format!("--inject={besides}")));
        let calls: Vec<_> = row.besides.iter().filter_map(|besides| besides.split(':').next()).collect();
        strace.arg(format!("--trace={}", [calls.as_slice(), &[row.call]].concat().join(",")));
        for path in &self.paths {
            strace.arg("--trace-path").arg(path);
        }
        let output = strace.args(self.command).env("DBHAUL_QUIET", "1").output().expect("run strace");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let log = fs::read_to_string(&self.log).expect("strace's log; run scripts/servers.sh");
        // Another thread's call may stand between the two halves of a line.
        let this = [format!(" {}(", row.call), format!(" {} resumed>", row.call)];
        let is_this = |line: &str| this.iter().any(|call| line.contains(call));
        let made = log.lines().any(|line| is_this(line) && line.contains("(INJECTED)"));
        let code = output.status.code().unwrap_or_else(|| panic!("{}: {stderr}", output.status));
        (code, stderr, made)
    }
}

/// Lets each call fail by each error, the first, the second, and so on; `judge` says how each run ended.
fn each_call(row: &Row, trial: &Trial<'_>, judge: &dyn Fn(&str, i32, &str, bool) -> Ending) -> String {
    let mut endings: Vec<Ending> = Vec::new();
    for error in row.errors {
        for nth in 1.. {
            let (code, stderr, made) = trial.run(row, error, nth);
            let what = format!("{} no. {nth} ({}) ends with {error}", row.call, row.what);
            let ending = judge(&what, code, &stderr, made);
            if !made {
                break;
            }
            if !endings.contains(&ending) {
                endings.push(ending);
            }
        }
    }
    assert!(!endings.is_empty(), "{} ({}) is never called", row.call, row.what);
    format!("| `{}` | {} | {} | {} |\n", row.call, row.what, row.errors.join(" "), endings.join("; or "))
}

/// A dump to a file of a folder, with one call in trouble.
fn dump(source: &Database<'_>, row: &Row) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let into = folder.path().join("into");
    let (archive, partial) = (into.join("a.tar"), into.join("a.tar.partial"));
    let words = [program(), "dump", &source.uri(), "--compression", "none", "--output"];
    let mut command: Vec<String> = words.map(str::to_owned).into();
    command.push(archive.display().to_string());
    let trial = Trial {
        command: &command,
        paths: vec![into.clone(), archive.clone(), partial],
        log: folder.path().join("log"),
    };
    let checker = Checker::new();
    fs::create_dir(&into).expect("a folder");
    each_call(row, &trial, &|what, code, stderr, made| {
        let left = names(&into);
        let whole = || fs::read(&archive).is_ok_and(|bytes| checker.verify(&bytes).is_ok());
        let shown = || format!("{what}: code {code}, {left:?}:\n{stderr}");
        let ending = match (code, left.iter().map(String::as_str).collect::<Vec<_>>().as_slice()) {
            (0, ["a.tar"]) if whole() => "0, whole",
            (9, []) if made || !row.besides.is_empty() => "9, nothing",
            (9, ["a.tar"]) if whole() && stderr.contains("is whole and has its name") => {
                "9, whole, and the message says so"
            }
            (9, ["a.tar.partial"]) if stderr.contains("a.tar.partial could not be removed") => {
                "9, the `.partial` file is named"
            }
            _ => panic!("{}", shown()),
        };
        assert_eq!(error_lines(stderr), usize::from(code != 0), "{}", shown());
        for name in left {
            fs::remove_file(into.join(name)).expect("remove it");
        }
        ending.to_owned()
    })
}

/// A verify, or a restore, of an archive with one call in trouble.
fn read(command: &str, target: &Database<'_>, row: &Row) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.tar.gz");
    fs::write(&path, &ours()[0].bytes).expect("write the archive");
    let mut words = vec![program().to_owned(), command.to_owned(), path.display().to_string()];
    if command == "restore" {
        words.push(target.uri());
    }
    let trial = Trial { command: &words, paths: vec![path.clone()], log: folder.path().join("log") };
    each_call(row, &trial, &|what, code, stderr, made| {
        let tables = checksum(target).len();
        let shown = || format!("{what}: code {code}, {tables} tables:\n{stderr}");
        let ending = match (code, tables) {
            (0, 0) if command == "verify" => "0",
            (0, 1..) if command == "restore" => "0, whole",
            (8, 0) if made && stderr.contains("os error") && command == "verify" => "8",
            (8, 0) if made && stderr.contains("os error") => "8, unchanged",
            (7, 0) if made && stderr.contains("once, and not again") => "7, rolled back",
            _ => panic!("{}", shown()),
        };
        assert_eq!(error_lines(stderr), usize::from(code != 0), "{}", shown());
        target.sql("DROP TABLE IF EXISTS users, orders");
        ending.to_owned()
    })
}

/// Every call of a dump, of a verify and of a restore, some at a time.
#[test]
fn each_call_that_fails_is_said_and_leaves_nothing() {
    let server = postgres15();
    let source = server.database("calls");
    source.sql("CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users VALUES (1), (2)");
    let rows: Vec<(&str, &Row)> = [("dump", &DUMP[..]), ("verify", &VERIFY), ("restore", &RESTORE)]
        .into_iter()
        .flat_map(|(command, rows)| rows.iter().map(move |row| (command, row)))
        .collect();
    let lines = several(&rows, |(command, row)| {
        let target = server.database("calls_target");
        let line = if *command == "dump" { dump(&source, row) } else { read(command, &target, row) };
        format!("| {command} {line}")
    });
    let mut text =
        "| command | call | for what | each fails with | code, and what is left |\n|---|---|---|---|---|\n".to_owned();
    text.extend(lines);
    assert_section("docs/reliability.md", "calls", &text);
}

#[test]
fn an_error_of_standard_input_is_not_taken_for_one_of_the_temporary_file() {
    // A folder can be opened, and not read.
    let folder = fs::File::open("/").expect("a folder");
    let output = dbhaul().args(["verify", "-"]).input_file(folder).run();
    output.refused(8, &["standard input can't be read", "Is a directory"]);
}
