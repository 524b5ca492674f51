//! One of those who work at the same time: draws what to do, does it, and looks whether what dbhaul said is true.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::{
    support::{Database, Dbhaul, Dice, Output, Proxy, Server, checksum, dbhaul, eventually, names, sessions},
    tally::Tally,
    watch::{Fault, Ran, watch},
};

type Sums = BTreeMap<String, (u64, String)>;

/// Works until it is told to stop.
pub struct Worker<'s> {
    dice: Dice,
    lines: Vec<Line<'s>>,
    /// Where archives go, and TMPDIR.
    out: PathBuf,
    temp: PathBuf,
    /// How long an undisturbed run takes, by its command.
    usual: BTreeMap<&'static str, Duration>,
    /// The last run was, and may have left something.
    killed: bool,
    tally: &'s Tally,
}

/// A server, a database of it that is dumped and copied, and archives of that.
struct Line<'s> {
    server: &'s Server,
    source: Database<'s>,
    sums: Sums,
    rows: u64,
    archives: Vec<(PathBuf, Sums)>,
}

impl<'s> Worker<'s> {
    pub fn new(seed: u64, servers: &'s [Server], root: &Path, tally: &'s Tally) -> Self {
        let [out, temp] = ["out", "temp"].map(|name| root.join(name));
        for folder in [&out, &temp] {
            fs::create_dir_all(folder).expect("a folder");
        }
        let lines = servers.iter().map(Line::on).collect();
        Self { dice: Dice::new(seed), lines, out, temp, usual: BTreeMap::new(), killed: false, tally }
    }

    pub fn work_until(&mut self, deadline: Instant) {
        while Instant::now() < deadline && !self.tally.failed() {
            let at = usize::try_from(self.dice.below(self.lines.len() as u64)).expect("a small number");
            let line = &mut self.lines[at];
            if self.dice.once_in(4) {
                line.grow(self.dice.below(2000) + 1);
            }
            match self.dice.below(4) {
                1 if !line.archives.is_empty() => self.restore(at),
                2 => self.copy(at),
                3 if !line.archives.is_empty() => self.verify(at),
                _ => self.dump(at),
            }
            if self.killed {
                self.remove_leftovers(at);
            }
        }
        for line in &mut self.lines {
            line.archives.drain(..).for_each(|(archive, _)| remove(&archive));
        }
        self.remove_leftovers(0);
        assert_eq!(names(&self.out), [""; 0], "left at the end");
    }

    fn fault(&mut self) -> Fault {
        let stops = [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT, Signal::KILL, Signal::KILL];
        let ends = [Signal::TERM, Signal::KILL, Signal::KILL, Signal::STOP];
        match self.dice.below(14) {
            0..=3 => Fault::Signal(self.dice.pick(&stops)),
            4 => Fault::Twice,
            5 | 6 => Fault::Client(self.dice.pick(&ends)),
            7 => Fault::Sessions,
            8 | 9 => Fault::Cut,
            10 => Fault::Stall,
            _ => Fault::Nothing,
        }
    }

    /// Runs a command with a fault at a moment that is somewhere in its usual time, or a little later.
    fn run(
        &mut self,
        name: &'static str,
        fault: Fault,
        at: usize,
        command: Dbhaul,
        more: Option<&Database<'_>>,
        proxy: &Proxy,
    ) -> Ran {
        let usual = self.usual.get(name).copied().unwrap_or(Duration::from_millis(700));
        let after = usual.mul_f64(self.dice.below(1200) as f64 / 1000.0);
        let source = &self.lines[at].source;
        let databases: Vec<&Database<'_>> = std::iter::once(source).chain(more).collect();
        let ran = watch(command, fault, after, proxy, &databases);
        let output = &ran.output;
        assert!(
            fault.explains(output),
            "{name}: {fault:?} after {after:?} is no reason for {:?} {:?}\n{}",
            output.code,
            output.signal,
            output.stderr
        );
        if fault == Fault::Nothing {
            self.usual.insert(name, usual.mul_f64(0.8) + ran.took.mul_f64(0.2));
        }
        self.tally.count(name, &ran);
        self.killed |= output.signal == Some(9);
        let left = names(&self.temp);
        assert!(self.killed || left.is_empty(), "{left:?} left in TMPDIR by {name}: {fault:?}\n{}", output.stderr);
        self.tally.left_by_kill(left.len());
        ran
    }

    fn command(&self, name: &str, at: usize, fault: Fault) -> Dbhaul {
        let clients = self.lines[at].server.client_dir();
        let command = dbhaul().cwd(&self.out).env("TMPDIR", &self.temp).client_dirs([clients]);
        command.args([name, "--quiet"]).args(fault.options()).limit(Duration::from_secs(300))
    }

    /// One job, as a rule.
    fn jobs(&mut self) -> &'static str {
        if self.dice.once_in(3) { "3" } else { "1" }
    }

    fn dump(&mut self, at: usize) {
        let fault = self.fault();
        let proxy = Proxy::to(self.lines[at].server.port());
        let before = names(&self.out);
        let uri = through(&self.lines[at].source, &proxy);
        let command = self.command("dump", at, fault).arg(uri).args(["--jobs", self.jobs()]);
        let ran = self.run("dump", fault, at, command, None, &proxy);
        drop(proxy);
        let line = &mut self.lines[at];
        no_sessions(&line.source);
        let now: Vec<_> = names(&self.out).into_iter().filter(|name| !before.contains(name)).collect();
        let output = ran.output;
        match output.code {
            Some(0) => {
                assert_eq!(now, [output.text().trim()], "the archive and nothing beside it");
                let archive = self.out.join(&now[0]);
                dbhaul().arg("verify").arg(&archive).env("TMPDIR", &self.temp).run().expect_code(0);
                self.tally.published();
                line.archives.push((archive, line.sums.clone()));
                if line.archives.len() > 3 {
                    remove(&line.archives.remove(0).0);
                }
            }
            // KILL may come after the last step, when the archive has its name.
            None if now.iter().any(|name| name.ends_with(".tar.gz")) => {
                let archive = self.out.join(&now[0]);
                dbhaul().arg("verify").arg(&archive).env("TMPDIR", &self.temp).run().expect_code(0);
                remove(&archive);
            }
            None if output.signal == Some(9) => {
                assert!(now.iter().all(|name| name.ends_with(".partial")), "{now:?}");
                self.tally.partial(now.len());
            }
            _ => assert_eq!(now, [""; 0], "left by a dump that failed: {fault:?}\n{}", output.stderr),
        }
    }

    fn restore(&mut self, at: usize) {
        let fault = self.fault();
        let server = self.lines[at].server;
        let (archive, sums) = self.drawn(at);
        let proxy = Proxy::to(server.port());
        let target = Target::new(server, &mut self.dice);
        let command = self.command("restore", at, fault).arg(archive).arg(through(&target.database, &proxy));
        let command = command.args(["--into-non-empty", "--jobs", self.jobs()]);
        let ran = self.run("restore", fault, at, command, Some(&target.database), &proxy);
        drop(proxy);
        target.judge(&ran.output, &sums, fault);
    }

    fn copy(&mut self, at: usize) {
        let fault = self.fault();
        let server = self.lines[at].server;
        let proxy = Proxy::to(server.port());
        let target = Target::new(server, &mut self.dice);
        let (from, to) = (through(&self.lines[at].source, &proxy), through(&target.database, &proxy));
        let command = self.command("copy", at, fault).arg(from).arg(to);
        let command = command.args(["--into-non-empty", "--jobs", self.jobs()]);
        let ran = self.run("copy", fault, at, command, Some(&target.database), &proxy);
        drop(proxy);
        no_sessions(&self.lines[at].source);
        target.judge(&ran.output, &self.lines[at].sums, fault);
    }

    /// No server takes part: only signals can happen.
    fn verify(&mut self, at: usize) {
        let fault = match self.fault() {
            Fault::Signal(signal) => Fault::Signal(signal),
            Fault::Twice => Fault::Twice,
            _ => Fault::Nothing,
        };
        let (archive, _) = self.drawn(at);
        let proxy = Proxy::to(self.lines[at].server.port());
        let command = self.command("verify", at, fault);
        let command = if self.dice.once_in(2) {
            command.arg("-").input_file(fs::File::open(archive).expect("an archive"))
        } else {
            command.arg(archive)
        };
        self.run("verify", fault, at, command, None, &proxy);
    }

    fn drawn(&mut self, at: usize) -> (PathBuf, Sums) {
        let archives = &self.lines[at].archives;
        let which = usize::try_from(self.dice.below(archives.len() as u64)).expect("a small number");
        archives[which].clone()
    }

    /// A run that is told to removes what killed ones left.
    fn remove_leftovers(&mut self, at: usize) {
        let output =
            self.command("dump", at, Fault::Nothing).arg("--remove-leftovers").arg(self.lines[at].source.uri());
        remove(&self.out.join(output.run().expect_code(0).text().trim()));
        let partial: Vec<_> = names(&self.out).into_iter().filter(|name| name.ends_with(".partial")).collect();
        assert_eq!((partial, names(&self.temp)), (Vec::new(), Vec::new()), "left after --remove-leftovers");
        self.killed = false;
    }
}

/// A database that is restored into, and what it held before.
struct Target<'s> {
    database: Database<'s>,
    before: Sums,
}

impl<'s> Target<'s> {
    fn new(server: &'s Server, dice: &mut Dice) -> Self {
        let database = server.database("soak_target");
        if dice.once_in(2) {
            database.sql("CREATE TABLE kept (id int PRIMARY KEY, text varchar(80)); INSERT INTO kept VALUES (1, 'x')");
        }
        let before = checksum(&database);
        Self { database, before }
    }

    /// Panics unless what dbhaul said of it is true.
    fn judge(self, output: &Output, sums: &Sums, fault: Fault) {
        no_sessions(&self.database);
        let found = checksum(&self.database);
        let whole: Sums = self.before.clone().into_iter().chain(sums.clone()).collect();
        let says = |words: &str| output.stderr.contains(words);
        let unchanged = found == self.before;
        let claim = match output.code {
            Some(0) => found == whole,
            None => true,
            _ if says("unless its COMMIT had just been sent") => unchanged || found == whole,
            _ if says("rolled back") || says("nothing was changed") => unchanged,
            _ if says("may have been changed") => true,
            // It could not connect, or found no client: the code itself says so.
            Some(4 | 5) => unchanged,
            _ => panic!("what is left is not said ({fault:?}):\n{}", output.stderr),
        };
        assert!(claim, "{fault:?}, {:?}: the target holds {found:?}\n{}", output.code, output.stderr);
    }
}

impl<'s> Line<'s> {
    fn on(server: &'s Server) -> Self {
        let source = server.database("soak_source");
        source.sql("CREATE TABLE items (id int PRIMARY KEY, name varchar(60), text text)");
        source.sql("CREATE TABLE parts (id int PRIMARY KEY, item int, FOREIGN KEY (item) REFERENCES items (id))");
        source.sql("CREATE INDEX by_name ON items (name); CREATE VIEW named AS SELECT id, name FROM items");
        let mut line = Self { server, source, sums: Sums::new(), rows: 0, archives: Vec::new() };
        line.grow(1500);
        line
    }

    /// More rows; from some size on, all over again.
    fn grow(&mut self, by: u64) {
        if self.rows + by > 6000 {
            self.source.sql("DELETE FROM parts; DELETE FROM items");
            self.rows = 0;
        }
        let (from, to) = (self.rows + 1, self.rows + by);
        if self.server.flavour().is_postgres() {
            self.source.sql(&format!(
                "INSERT INTO items SELECT n, md5(n::text), repeat(md5(n::text), 16) FROM generate_series({from}, {to}) n"
            ));
        } else {
            let rows: Vec<_> =
                (from..=to).map(|n| format!("({n}, hex(pow({n}, 5)), repeat(hex(pow({n} + 2, 4)), 40))")).collect();
            self.source.sql(&format!("INSERT INTO items VALUES {}", rows.join(",")));
        }
        self.source.sql(&format!("INSERT INTO parts SELECT id, id FROM items WHERE id >= {from}"));
        self.rows = to;
        self.sums = checksum(&self.source);
    }
}

fn through(database: &Database<'_>, proxy: &Proxy) -> String {
    let port = database.server().port();
    database.uri().replace(&format!("127.0.0.1:{port}/"), &format!("127.0.0.1:{}/", proxy.port()))
}

fn no_sessions(database: &Database<'_>) {
    eventually("every session is gone", || sessions(database, false) == 0);
}

fn remove(path: &Path) {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    removed.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
