//! stdout and stderr that are full or gone, and terminals: which code it is, and what still arrives.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::fd::OwnedFd,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    roundtrip::{dumped, with_clients_of},
    support::{Database, Dbhaul, eventually, names, postgres15, program},
};

fn full() -> File {
    File::options().write(true).open("/dev/full").expect("/dev/full")
}

/// The writing end of a pipe that nobody reads any more.
fn gone() -> File {
    let (reader, writer) = io::pipe().expect("a pipe");
    drop(reader);
    File::from(OwnedFd::from(writer))
}

fn source() -> Database<'static> {
    let source = postgres15().database("streams");
    source.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)");
    source
}

/// Each command with what it needs, and whether a script waits for what it prints.
fn commands(source: &str, target: &str, archive: &str) -> Vec<(Vec<String>, bool)> {
    let lines: [(&[&str], bool); 17] = [
        (&["--help"], false),
        (&["--version"], false),
        (&["restore", "--help"], false),
        (&["man"], false),
        (&["completions", "bash"], false),
        (&["inspect", archive], false),
        (&["inspect", archive, "--json"], true),
        (&["verify", archive], false),
        (&["verify", archive, "--json"], true),
        (&["doctor", source], false),
        (&["doctor", source, "--json"], true),
        (&["dump", source, "--dry-run"], false),
        (&["dump", source], true),
        (&["dump", source, "--json"], true),
        (&["restore", archive, target, "--clean", "schema", "--json"], true),
        (&["restore", archive, target, "--clean", "schema", "--dry-run"], false),
        (&["copy", source, target, "--clean", "schema", "--json"], true),
    ];
    lines.map(|(words, awaited)| (words.iter().map(|word| (*word).to_owned()).collect(), awaited)).to_vec()
}

#[test]
fn a_result_that_cannot_be_written_is_9_and_a_reader_who_leaves_is_none() {
    let (server, source) = (postgres15(), source());
    let target = server.database("streams_back");
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    for (words, awaited) in commands(&source.uri(), &target.uri(), &archive.display().to_string()) {
        let here = tempfile::tempdir().expect("a folder");
        let run = |stdout| {
            let run = with_clients_of(server).args(&words).cwd(here.path()).output_file(stdout).run();
            assert!(!run.stderr.contains("panicked") && !run.stderr.contains("defect"), "{words:?}: {}", run.stderr);
            run
        };
        let unwritten = run(full()).expect_code(9);
        assert!(unwritten.stderr.contains("the result can't be written to stdout"), "{words:?}: {}", unwritten.stderr);
        for name in names(here.path()) {
            assert!(unwritten.stderr.contains(&name), "{words:?}: {name} stands there unnamed: {}", unwritten.stderr);
        }
        run(gone()).expect_code(if awaited { 9 } else { 0 });
    }
}

/// The command with stderr somewhere else.
fn stderr_to(dbhaul: Dbhaul, place: &str) -> Dbhaul {
    dbhaul.under(["sh", "-c", &format!("exec \"$@\" 2>{place}"), "sh"])
}

#[test]
fn a_stderr_that_takes_nothing_changes_no_code_and_no_result() {
    let (server, source) = (postgres15(), source());
    let target = server.database("streams_quiet");
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    for (words, _) in commands(&source.uri(), &target.uri(), &archive.display().to_string()) {
        let here = tempfile::tempdir().expect("a folder");
        for place in ["/dev/full", "&-"] {
            let run = with_clients_of(server).args(&words).cwd(here.path());
            stderr_to(run, place).run().expect_code(0);
        }
    }
    for (words, code) in
        [(&["frob"][..], 2), (&["verify", "/no/such/archive"], 8), (&["dump"], 3), (&["dump", "--json"], 3)]
    {
        stderr_to(crate::support::dbhaul().args(words), "/dev/full").output_file(full()).run().expect_code(code);
    }
    stderr_to(with_clients_of(server).args(["dump", &source.uri(), "--json", "-o", "-"]), "/dev/full")
        .run()
        .expect_code(9);
}

/// dbhaul on a terminal of its own, which `script` holds: what it shows comes to a file, its exit code to another.
struct Terminal {
    folder: tempfile::TempDir,
    script: Child,
}

impl Terminal {
    fn start(line: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // A trap that does something is not handed on: dbhaul hears the hang-up.
        let inside = format!("trap : HUP INT; {line}; echo $? > {}", folder.path().join("code").display());
        let shown = File::create(folder.path().join("shown")).expect("a file");
        let script = Command::new("script")
            .args(["-q", "-c", &inside, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(shown)
            .spawn()
            .expect("run script, of util-linux");
        Self { folder, script }
    }

    fn shown(&self) -> String {
        fs::read_to_string(self.folder.path().join("shown")).expect("what it shows")
    }

    fn asked(self) -> Self {
        eventually("the question", || self.shown().contains("Type the database's name to go on"));
        self
    }

    fn type_in(&mut self, keys: &str) {
        self.script.stdin.as_mut().expect("piped").write_all(keys.as_bytes()).expect("type");
    }

    fn hang_up(&self) {
        kill_process(Pid::from_child(&self.script), Signal::KILL).expect("kill script");
    }

    fn code(&self) -> String {
        let file = self.folder.path().join("code");
        let read = || fs::read_to_string(&file).unwrap_or_default().trim().to_owned();
        eventually("an exit code", || !read().is_empty());
        read()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}

#[test]
fn the_question_is_put_on_the_terminal_and_hears_ctrl_c_and_a_hang_up() {
    let (server, source) = (postgres15(), source());
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    let target = server.database("streams_asked");
    let keep = || target.sql("SELECT count(*) FROM keep");
    target.sql("CREATE TABLE keep AS SELECT 7 AS n");
    let line = |more: &str, dbhaul_streams: &str| {
        let (program, clients) = (program(), server.client_dir());
        format!(
            "DBHAUL_CLIENT_DIR={} {program} restore {} {} --clean schema {more} {dbhaul_streams}",
            clients.display(),
            archive.display(),
            target.uri()
        )
    };
    // stdin is no terminal: it is asked all the same.
    let mut interrupted = Terminal::start(&line("", "< /dev/null")).asked();
    interrupted.type_in("\x03");
    assert_eq!((interrupted.code().as_str(), keep().as_str()), ("130", "1"));
    assert!(interrupted.shown().contains("nothing was changed"), "{}", interrupted.shown());
    // Nor is stderr.
    let log = folder.path().join("log");
    let mut other = Terminal::start(&line("", &format!("2> {}", log.display()))).asked();
    other.type_in("no\n");
    assert_eq!((other.code().as_str(), keep().as_str()), ("10", "1"));
    assert!(fs::read_to_string(&log).expect("the log").contains("not the database's name"));
    let gone = Terminal::start(&line("", "")).asked();
    gone.hang_up();
    // The signal and the end of what is typed come together, and either is told.
    assert!(["129", "10"].contains(&gone.code().as_str()), "{}", gone.code());
    assert_eq!(keep(), "1");
    let mut answered = Terminal::start(&line("", "< /dev/null")).asked();
    answered.type_in(&format!("{}\n", target.name()));
    assert_eq!((answered.code().as_str(), target.sql("SELECT count(*) FROM t").as_str()), ("0", "2"));
    let unasked = Terminal::start(&line("--yes", ""));
    assert_eq!(unasked.code(), "0");
}

#[test]
fn without_a_terminal_clean_goes_on() {
    let (server, source) = (postgres15(), source());
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    let target = server.database("streams_unasked");
    target.sql("CREATE TABLE keep AS SELECT 7 AS n");
    let restore = with_clients_of(server).arg("restore").arg(&archive).arg(target.uri());
    restore.args(["--clean", "schema"]).run().expect_code(0);
    assert_eq!(target.sql("SELECT count(*) FROM t"), "2");
}

#[test]
fn an_empty_word_is_refused_before_anything_is_read() {
    let source = source();
    let here = tempfile::tempdir().expect("a folder");
    let uri = source.uri();
    for words in [
        ["dump", &uri, "-o", ""],
        ["dump", &uri, "--name", ""],
        ["restore", "", &uri, "--yes"],
        ["verify", "", "--timeout", "9"],
    ] {
        let run = with_clients_of(postgres15()).args(words).cwd(here.path()).run();
        run.refused(2, &["a value is required"]);
    }
    assert!(names(here.path()).is_empty());
}
