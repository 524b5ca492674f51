//! One run of dbhaul, with its databases, folders and clients: set up, stopped at a moment, judged by what it leaves.

use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{
    Case, Moment, Work,
    lent::{Lent, lend, lend_filled},
};
use crate::support::{
    Database, Dbhaul, Family, Flavour, Output, Running, Server, alive, checksum, dbhaul, descendants, error_lines,
    eventually, fake_client, names, root, sessions, shared,
};

/// About half of what goes through a client of a [`fill`]ed database.
const HALF: u64 = 2_000_000;

/// Everything that a run touches.
pub struct Stage<'s> {
    pub case: Case,
    pub moment: Moment,
    /// What is dumped, copied, or was dumped into the archive.
    pub source: Lent<'s>,
    /// What is restored into; for a dump and a verify it stays empty.
    pub target: Lent<'s>,
    /// The working folder, where a dump's archive goes.
    pub folder: TempDir,
    /// TMPDIR.
    pub temp: TempDir,
    /// What the clients are told, and where they leave signs.
    place: TempDir,
    clients: PathBuf,
    /// The address that dbhaul is told instead of the server's: a proxy's, a tunnel's.
    pub through: Option<SocketAddr>,
    /// What the archive that is restored holds, if not the usual.
    pub contents: Option<Vec<u8>>,
    /// A folder of programs that come before this machine's.
    pub programs: Option<PathBuf>,
}

/// A run that stands still.
pub struct Held<'s> {
    /// Before the stage: when a test panics, it must be gone before its databases are dropped.
    pub running: Running,
    pub stage: Stage<'s>,
    /// Every process that dbhaul had then.
    children: Vec<u32>,
    /// The other end of a verify's input, and what is still to come of it.
    input: Option<(OwnedFd, Vec<u8>)>,
}

/// A run that has ended.
pub struct Ended<'s> {
    pub stage: Stage<'s>,
    pub output: Output,
    children: Vec<u32>,
}

impl Stage<'static> {
    /// On the server that the tests share.
    pub fn at(case: Case, moment: Moment) -> Self {
        Self::on_static(shared(case.flavour), case, moment)
    }

    /// On another server that lives as long as the process.
    pub fn on_static(server: &'static Server, case: Case, moment: Moment) -> Self {
        Self::with(server, lend_filled(server), lend(server), case, moment)
    }
}

impl<'s> Stage<'s> {
    /// On a server of the test's own.
    pub fn on(server: &'s Server, case: Case, moment: Moment) -> Self {
        let [source, target] = ["source", "target"].map(|name| server.database(name));
        fill(&source);
        Self::with(server, Lent::own(source), Lent::own(target), case, moment)
    }

    fn with(server: &'s Server, source: Lent<'s>, target: Lent<'s>, case: Case, moment: Moment) -> Self {
        let folder = || tempfile::tempdir().expect("a folder");
        let place = folder();
        let (end, told) = hold_of(case, moment);
        fs::write(place.path().join(end), told).expect("write");
        let clients = holding(server);
        target.set_clean(matches!(case.work, Work::Dump | Work::Verify));
        Self {
            case,
            moment,
            source,
            target,
            folder: folder(),
            temp: folder(),
            place,
            clients,
            through: None,
            contents: None,
            programs: None,
        }
    }

    /// The file that a restore reads.
    pub fn archive(&self) -> PathBuf {
        self.place.path().join("archive.tar.gz")
    }

    /// The URI of one of its databases, as dbhaul is told it.
    pub fn uri(&self, database: &Database<'_>) -> String {
        let here = format!("127.0.0.1:{}", database.server().port());
        let through = self.through.map_or(here.clone(), |address| address.to_string());
        database.uri().replace(&format!("{here}/"), &format!("{through}/"))
    }

    /// The command, for faults that want other options.
    pub fn command(&self) -> Dbhaul {
        let path = std::env::var_os("PATH").expect("PATH");
        let path =
            [self.place.path().to_owned()].into_iter().chain(self.programs.clone()).chain(std::env::split_paths(&path));
        let command = dbhaul().cwd(self.folder.path()).client_dirs([&self.clients]).env("TMPDIR", self.temp.path());
        let command = command.env("PATH", std::env::join_paths(path).expect("folders without a colon"));
        // Of a copy, it is the way to the target that a test does something to.
        let source = if self.case.work == Work::Copy { self.source.uri() } else { self.uri(&self.source) };
        let command = command.env("S", source).env("T", self.uri(&self.target));
        match self.case.work {
            Work::Dump => command.args(["dump", "env:S"]),
            Work::Copy => command.args(["copy", "env:S", "env:T"]),
            Work::Restore => {
                // Not in the working folder, where nothing but what a dump leaves shall stand.
                let archive = self.archive();
                let bytes = self.contents.clone().unwrap_or_else(|| archive_of(self.case.flavour));
                fs::write(&archive, bytes).expect("write");
                command.arg("restore").arg(archive).arg("env:T")
            }
            Work::Verify => command.args(["verify", "-"]),
        }
    }

    /// Starts the command, and waits until it stands still.
    pub fn hold(self) -> Held<'s> {
        let command = self.command();
        self.hold_as(command)
    }

    /// The same with a command of the test's.
    pub fn hold_as(self, command: Dbhaul) -> Held<'s> {
        if self.case.work == Work::Verify {
            return self.hold_input(command);
        }
        let mut held = self.start_as(command);
        let arrived = held.stage.place.path().join("arrived");
        held.running.wait_until("the moment", |_| arrived.exists());
        held.children = descendants(held.running.pid());
        held
    }

    /// Starts the command, and waits for nothing.
    pub fn start_as(self, command: Dbhaul) -> Held<'s> {
        Held { running: command.spawn(), stage: self, children: Vec::new(), input: None }
    }

    fn hold_input(self, command: Dbhaul) -> Held<'s> {
        let archive = archive_of(self.case.flavour);
        // That it has read one shows that it has begun.
        let sent = match self.moment {
            Moment::Start => 1,
            Moment::Middle => archive.len() / 2,
            Moment::LastByte => archive.len() - 1,
            Moment::Sent => archive.len(),
        };
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        let running = command.input_file(fs::File::from(OwnedFd::from(reader))).spawn();
        writer.write_all(&archive[..sent]).expect("dbhaul reads");
        // What is sent has been taken out of the pipe when nothing is left in it.
        let writer = OwnedFd::from(writer);
        eventually("dbhaul has read it", || rustix::io::ioctl_fionread(&writer).is_ok_and(|left| left == 0));
        Held { stage: self, running, children: Vec::new(), input: Some((writer, archive[sent..].to_vec())) }
    }
}

/// Which end of the street stands still, and where (`filter.pl`).
fn hold_of(case: Case, moment: Moment) -> (&'static str, String) {
    let out = case.work == Work::Dump;
    let (end, how) = match moment {
        Moment::Start => (out, "first 0".to_owned()),
        Moment::Middle => (out, format!("first {HALF}")),
        // A copy hands on its last byte when the dumper has ended well: here it has written all, and has not ended.
        Moment::LastByte if case.work == Work::Copy => (true, "last 0".to_owned()),
        Moment::LastByte => (out, "last 1".to_owned()),
        // pg_restore commits when it has read the last byte, without waiting for the end.
        Moment::Sent if !out && case.flavour.is_postgres() => (false, "last 1".to_owned()),
        Moment::Sent => (out, "last 0".to_owned()),
    };
    (if end { "out" } else { "in" }, how)
}

impl<'s> Held<'s> {
    /// One of its clients, by the name of its program.
    pub fn client(&self) -> u32 {
        let postgres = self.stage.case.flavour.is_postgres();
        let program = match self.stage.case.work {
            Work::Dump => self.stage.case.flavour.family().dump(),
            _ if postgres => "pg_restore",
            _ => "mysql",
        };
        crate::support::child_of(self.running.pid(), program).unwrap_or_else(|| panic!("no {program} runs"))
    }

    /// Waits until every client stands still, too: before a full or an empty pipe, or at its end.
    pub fn stand_still(&self) {
        let Stage { case, moment, ref source, .. } = self.stage;
        // Before the last byte, each has begun and none has ended, but for a dumper whose rest is in the pipes of a copy.
        let wanted = match (moment, case.work) {
            (_, Work::Verify) | (Moment::LastByte | Moment::Sent, _) => 0,
            (Moment::Start, Work::Copy) => 2,
            _ => 1,
        };
        let folder = source.server().client_dir();
        let is_client = |pid: &u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|&byte| byte == 0).take(3).any(|word| word.starts_with(folder.as_os_str().as_encoded_bytes()))
        };
        let waits = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/wchan")).is_ok_and(|at| at.contains("pipe"));
        let mut seen = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let clients: Vec<_> = descendants(self.running.pid()).into_iter().filter(is_client).collect();
            if clients.len() >= wanted && clients.iter().all(waits) {
                return;
            }
            seen.clear();
            seen.extend(clients.iter().map(|pid| fs::read_to_string(format!("/proc/{pid}/wchan"))));
            assert!(Instant::now() < deadline, "a client does not stand still: {seen:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Lets it go on.
    pub fn release(&mut self) {
        fs::write(self.stage.place.path().join("open"), "").expect("write");
        if let Some((writer, rest)) = self.input.take() {
            // It may have ended: then nobody reads.
            let _ = fs::File::from(writer).write_all(&rest);
        }
    }

    /// Waits for the end; a panic unless everything is as the exit code and the message say. What is to be said of it
    /// in a cell.
    pub fn outcome(self) -> String {
        self.ended().outcome()
    }

    /// Waits for the end; a panic when a process, a session or a temporary file is left, or when stderr has not one
    /// error. The archive and the target are left to be judged.
    pub fn end(self) -> (Stage<'s>, Output) {
        self.ended().clean()
    }

    /// Waits for the end alone, where something has to be put right before anybody looks at what is left.
    pub fn ended(self) -> Ended<'s> {
        let Self { stage, running, children, input } = self;
        let output = running.wait();
        drop(input);
        Ended { stage, output, children }
    }
}

impl<'s> Ended<'s> {
    /// See [`Held::outcome`].
    pub fn outcome(self) -> String {
        let (stage, output) = self.clean();
        let left = match stage.case.work {
            Work::Dump => stage.archive_left(&output),
            Work::Restore | Work::Copy => stage.target_left(&output),
            Work::Verify if output.code == Some(0) => "whole".to_owned(),
            Work::Verify if names(stage.temp.path()).is_empty() => "nothing".to_owned(),
            Work::Verify => "a temporary copy".to_owned(),
        };
        match (output.code, output.signal) {
            (Some(code), _) => format!("{code}, {left}"),
            (None, signal) => format!("killed by {}, {left}", signal.expect("a signal")),
        }
    }

    /// See [`Held::end`].
    fn clean(self) -> (Stage<'s>, Output) {
        let Self { stage, output, children } = self;
        eventually("every process is gone", || !children.iter().any(|&pid| alive(pid)));
        let (source, target) = (&stage.source, &stage.target);
        let used: &[&Database<'_>] = match stage.case.work {
            Work::Dump => &[source],
            Work::Restore => &[target],
            Work::Copy => &[source, target],
            Work::Verify => &[],
        };
        for database in used {
            eventually("every session is gone", || sessions(database, false) == 0);
        }
        // Standard input is read into a file, which stays after KILL; the watcher of a dead run needs a moment.
        let copies = usize::from(output.signal == Some(9) && stage.case.work == Work::Verify);
        if output.signal.is_some() {
            eventually("temporary files are gone", || names(stage.temp.path()).len() == copies);
        }
        assert_eq!(names(stage.temp.path()).len(), copies, "temporary files; {}", output.stderr);
        said_once(&output);
        (stage, output)
    }
}

impl Stage<'_> {
    fn archive_left(&self, output: &Output) -> String {
        let left = names(self.folder.path());
        if output.code == Some(0) {
            assert_eq!(left, [output.text().trim()], "the archive and nothing beside it");
            dbhaul().cwd(self.folder.path()).args(["verify", &left[0]]).run().expect_code(0);
            return "whole".into();
        }
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "the name of an archive that is none");
        match left.as_slice() {
            [] => "nothing".into(),
            [name] if name.ends_with(".partial") => "a partial file".into(),
            _ => panic!("{left:?} stand there; {}", output.stderr),
        }
    }

    fn target_left(&self, output: &Output) -> String {
        assert_eq!(names(self.folder.path()), [""; 0]);
        let Ok(found) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| checksum(&self.target))) else {
            panic!("the target can't be read; {}", output.stderr)
        };
        self.target.set_clean(found.is_empty());
        if output.code == Some(0) {
            assert_eq!(found, checksum(&self.source), "reported as done");
            return "whole".into();
        }
        let says = |words: &str| output.stderr.contains(words);
        let (claim, untouched) = if output.code.is_none() {
            // Nobody was left to say anything.
            (if found.is_empty() { "unchanged" } else { "part" }, found.is_empty())
        } else if says("unless its COMMIT had just been sent") {
            assert!(found.is_empty() || found == checksum(&self.source), "{found:?} are neither all nor nothing");
            return "all or nothing".into();
        } else if says("rolled back") {
            ("rolled back", true)
        } else if says("nothing was changed") {
            ("unchanged", true)
        } else if says("may have been changed") {
            ("part", false)
        } else {
            panic!("what is left is not said:\n{}", output.stderr)
        };
        assert!(!untouched || found.is_empty(), "said to be {claim}, and holds {found:?}\n{}", output.stderr);
        claim.into()
    }
}

/// A failure says in one line what happened, a success has no such line.
fn said_once(output: &Output) {
    let errors = error_lines(&output.stderr);
    let wanted = usize::from(output.code.is_some_and(|code| code != 0));
    assert_eq!(errors, wanted, "lines that say what failed, exit code {:?}:\n{}", output.code, output.stderr);
}

/// More than the pipes between hold: at the middle the dumper still has rows to read.
pub(super) fn fill(database: &Database<'_>) {
    database.sql("CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders VALUES (1), (2), (3)");
    database.sql("CREATE TABLE much (id int PRIMARY KEY, text text)");
    if database.server().flavour().is_postgres() {
        database.sql("INSERT INTO much SELECT n, repeat(md5(n::text), 32) FROM generate_series(1, 4800) n");
    } else {
        let rows: Vec<_> = (0..300).map(|n| format!("({n}, repeat(hex(pow({n} + 2, 7)), 1500))")).collect();
        database.sql(&format!("INSERT INTO much VALUES {}", rows.join(",")));
        // So that the server knows how much it is.
        database.sql("ANALYZE TABLE much");
    }
}

/// An archive of it, made once.
pub(super) fn archive_of(flavour: Flavour) -> Vec<u8> {
    static MADE: Mutex<Vec<(Flavour, Vec<u8>)>> = Mutex::new(Vec::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, archive)) = made.iter().find(|(of, _)| *of == flavour) {
        return archive.clone();
    }
    let (server, folder) = (shared(flavour), tempfile::tempdir().expect("a folder"));
    let source = server.database("archived");
    fill(&source);
    let file = folder.path().join("archive.tar.gz");
    let dump = dbhaul().args(["dump", &source.uri(), "-o"]).arg(&file).client_dirs([server.client_dir()]);
    dump.run().expect_code(0);
    let archive = fs::read(file).expect("the archive");
    made.push((flavour, archive.clone()));
    archive
}

/// Clients of which the one that moves the bytes stands still at the stage's moment. Written once: what differs stands
/// in the stage's own folder.
fn holding(server: &Server) -> PathBuf {
    static WRITTEN: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    let mut written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faults").join(server.flavour().name());
    if !written.contains(&folder) {
        fs::create_dir_all(&folder).expect("a folder");
        wrap(server, &folder);
        written.push(folder.clone());
    }
    folder
}

/// What goes through the client that moves the bytes goes through a filter: out of the dumper, into the loader. The
/// others are the real ones.
fn wrap(server: &Server, folder: &Path) {
    let family = server.flavour().family();
    let dumper = family.dump();
    let filter = format!("perl '{}'", root().join("tests/it/faults/injection/filter.pl").display());
    // A dumper may end long before its last byte has passed: its wrapper stays for that, and ends as it did.
    let out = format!(
        "case \"$*\" in *--no-data*) exec \"$real\" \"$@\";; esac\n\"$real\" \"$@\" | {filter} out\n\
         ended=${{PIPESTATUS[0]}}\n[ $ended -gt 128 ] && kill -$((ended - 128)) $$\nexit $ended"
    );
    // A loader waits for the end of its input: it takes its wrapper's place.
    let into = format!("exec 3<&0\nexec \"$real\" \"$@\" < <(exec {filter} in <&3) 3<&-");
    for program in [dumper, "pg_restore", "psql", "mysql", "mariadb"] {
        let real = server.client_dir().join(program);
        if !real.exists() {
            continue;
        }
        let loads = if family == Family::Postgres { program == "pg_restore" } else { program.starts_with('m') };
        let (end, run) = if program == dumper { ("out", &out) } else { ("in", &into) };
        let run = if program == dumper || loads { run } else { "exec \"$real\" \"$@\"" };
        let script = format!(
            "#!/bin/bash\nreal='{real}'\n[ -e \"${{PATH%%:*}}/{end}\" ] || exec \"$real\" \"$@\"\n\
             case \"$*\" in *--version*|*--help*|*--list*) exec \"$real\" \"$@\";; esac\n{run}\n",
            real = real.display()
        );
        fake_client(folder, program, &script);
    }
}
