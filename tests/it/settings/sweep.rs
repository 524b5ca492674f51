//! Every setting of a server, one by one, at another value. `scripts/sweep.sh` runs it; what came of it is written to
//! docs/sweeps/settings.md.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write as _},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::{
    only,
    sweep_mysql::{MysqlSweep, SWEPT_WITH},
    sweep_postgres::PostgresSweep,
};
use crate::{
    roundtrip::with_clients_of,
    support::{Database, Dbhaul, Flavour, Output, Server, cache, checksum, schema, write_section},
};

/// A setting at another value.
pub struct Change {
    pub name: String,
    /// What makes it so, and what puts it back.
    pub set: String,
    pub reset: String,
    pub reach: Reach,
    /// Whether sessions have a value of their own. Where not, a dump and a copy will do.
    pub of_sessions: bool,
    /// Whether nothing may come of it. The others may also be refused.
    pub changes_nothing: bool,
    /// Whether it is a limit, which may end the work with an error.
    pub is_limit: bool,
}

/// Whose sessions have the other value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Those of one role, or of users without SUPER.
    User,
    /// All.
    Server,
}

/// What can be done to a setting.
pub enum Trial {
    Change(Change),
    /// Nothing, and why.
    None(String, &'static str),
}

/// How an engine's settings are swept.
pub trait Sweep {
    /// Fills the source.
    fn fill(&self, source: &Database<'_>);
    fn trials(&self) -> Vec<Trial>;
    /// Makes the change, and waits until it is seen. What the server said where it refuses.
    fn make(&self, change: &Change) -> Result<(), String>;
    /// Puts the setting back, and waits until that is seen.
    fn put_back(&self, change: &Change);
    /// The user whose sessions have the other value.
    fn user(&self, reach: Reach) -> (String, String);
    /// The dump in an archive, without what is new each time.
    fn bytes(&self, archive: &Path) -> String;
}

/// What was done, its stderr and its exit code.
type Difference = (&'static str, String, Option<i32>);

type State = (BTreeMap<String, (u64, String)>, String);

struct Sweeping<'s> {
    sweep: &'s dyn Sweep,
    server: &'s Server,
    source: Database<'s>,
    folder: TempDir,
    archive: PathBuf,
    bytes: String,
    state: State,
}

#[derive(Default)]
struct Found {
    tried: usize,
    refused: BTreeSet<String>,
    ended: BTreeSet<String>,
    not_tried: BTreeMap<String, BTreeSet<String>>,
    faults: Vec<String>,
}

fn state(database: &Database<'_>) -> State {
    // Whoever restores without SUPER is the definer.
    let definitions = schema(database).replace(database.name(), "it").replace("`sweep`@`%`", "`dbhaul`@`%`");
    (checksum(database), definitions)
}

impl<'s> Sweeping<'s> {
    fn new(sweep: &'s dyn Sweep, server: &'s Server) -> Self {
        let (source, folder) = (server.database("sweep"), tempfile::tempdir().expect("a folder"));
        sweep.fill(&source);
        let archive = folder.path().join("wanted.tar.gz");
        let dump = with_clients_of(server).args(["dump", &source.uri()]).args(Self::dump_options(server)).arg(&archive);
        dump.run().expect_code(0);
        let (bytes, state) = (sweep.bytes(&archive), state(&source));
        Self { sweep, server, source, folder, archive, bytes, state }
    }

    fn dump_options(server: &Server) -> &'static [&'static str] {
        if server.flavour().is_postgres() { &["--format", "plain", "--keep-comments", "-o"] } else { &["-o"] }
    }

    fn dbhaul(&self, words: &[&str]) -> Dbhaul {
        with_clients_of(self.server).args(words)
    }

    /// The same; what does not end, or can't be looked at, is a difference.
    fn outcome(&self, change: &Change) -> Result<Vec<Difference>, String> {
        match catch_unwind(AssertUnwindSafe(|| self.differs(change))) {
            Ok(differs) => differs,
            Err(panic) => {
                self.sweep.put_back(change);
                let words = panic.downcast_ref::<String>().map_or(String::new(), |words| format!("error: {words}"));
                Ok(vec![("no end", words, None)])
            }
        }
    }

    /// What differs while the setting has another value. An error where it can't have one.
    fn differs(&self, change: &Change) -> Result<Vec<Difference>, String> {
        let server = self.server;
        let [restored, copied] = ["restored", "copied"].map(|name| server.database(name));
        let (user, password) = self.sweep.user(change.reach);
        let uri = |database: &Database<'_>| server.uri_as(&user, &password, database.name());
        let again = self.folder.path().join("again.tar.gz");
        let _ = std::fs::remove_file(&again);
        self.sweep.make(change)?;
        let dump = self.dbhaul(&["dump", &uri(&self.source)]).args(Self::dump_options(server)).arg(&again).run();
        let copy = self.dbhaul(&["copy", "--jobs", "2", &uri(&self.source), &uri(&copied)]).run();
        let restores = || {
            let restore = self.dbhaul(&["restore"]).arg(&self.archive).arg(uri(&restored)).run();
            let verify = self.dbhaul(&["verify"]).arg(&self.archive).args(["--restore-into", &uri(&restored)]).run();
            (restore, verify)
        };
        let restores = change.of_sessions.then(restores);
        self.sweep.put_back(change);
        let mut differs = Vec::new();
        let mut look = |how, output: Output, looks: &dyn Fn() -> bool| {
            if output.code != Some(0) || !looks() {
                differs.push((how, output.stderr, output.code));
            }
        };
        look("dump", dump, &|| self.sweep.bytes(&again) == self.bytes);
        if let Some((restore, verify)) = restores {
            look("restore", restore, &|| state(&restored) == self.state);
            look("verify", verify, &|| true);
        }
        look("copy", copy, &|| state(&copied) == self.state);
        Ok(differs)
    }

    fn words(&self, stderr: &str) -> String {
        let [folder, cache] = [self.folder.path(), &cache()].map(|path| path.display().to_string());
        let error = stderr.find("error:").map_or("not the same", |at| &stderr[at..]);
        error.split_whitespace().collect::<Vec<_>>().join(" ").replace(&folder, "").replace(&cache, "")
    }

    fn all(&self) -> Found {
        let mut found = Found::default();
        for trial in self.sweep.trials() {
            let change = match trial {
                Trial::Change(change) => change,
                Trial::None(name, why) => {
                    found.not_tried.entry(why.to_owned()).or_default().insert(name);
                    continue;
                }
            };
            match self.outcome(&change) {
                Err(why) => {
                    found.not_tried.entry(why).or_default().insert(change.name);
                }
                Ok(differs) => {
                    found.tried += 1;
                    for (how, stderr, code) in differs {
                        // By name: what a client can't be told.
                        if code == Some(10) && (!change.changes_nothing || stderr.contains(&change.name)) {
                            found.refused.insert(change.name.clone());
                        } else if change.is_limit && code.is_some_and(|code| code != 0) {
                            found.ended.insert(change.name.clone());
                        } else {
                            let words = self.words(&stderr);
                            let _ = writeln!(io::stderr(), "{}: {how}: {code:?}, {words}", change.set);
                            found.faults.push(format!("`{}`, {how}: {code:?}, {words}", change.set));
                        }
                    }
                }
            }
        }
        found
    }
}

fn said_by(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().expect("run it");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn names(names: &BTreeSet<String>) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn page(server: &Server, found: &Found) -> String {
    let version = server.sql("SELECT version()");
    let version = version.split(" (").next().unwrap_or_default();
    let not_tried: usize = found.not_tried.values().map(BTreeSet::len).sum();
    let mut text = format!(
        "{}, commit {}, {version}: {} settings; {} were tried, {} were not; {} differences.\n\n",
        said_by("date", &["+%F"]),
        said_by("git", &["rev-parse", "--short", "HEAD"]),
        found.tried + not_tried,
        found.tried,
        not_tried,
        found.faults.len()
    );
    for fault in &found.faults {
        text += &format!("- differs: {fault}\n");
    }
    if !found.refused.is_empty() {
        text += &format!("- refused (10), not ours to pin: {}\n", names(&found.refused));
    }
    if !found.ended.is_empty() {
        text += &format!("- limits that ended the work with an error: {}\n", names(&found.ended));
    }
    for (why, settings) in &found.not_tried {
        text += &format!("- not tried, {why}: {}\n", names(settings));
    }
    text
}

/// `DBHAUL_SWEEP_ONLY=work_mem,jit` tries some, and writes nothing.
fn sweep(flavour: Flavour) {
    let server = Server::start_with(flavour, if flavour.is_postgres() { &[] } else { SWEPT_WITH });
    let sweep: Box<dyn Sweep + '_> =
        if flavour.is_postgres() { Box::new(PostgresSweep::new(&server)) } else { Box::new(MysqlSweep::new(&server)) };
    let found = Sweeping::new(&*sweep, &server).all();
    if only().is_none() {
        write_section("docs/sweeps/settings.md", &flavour.name(), &page(&server, &found));
    }
    assert!(found.faults.is_empty(), "{}", found.faults.join("\n"));
}

macro_rules! sweeps {
    ($($name:ident: $flavour:ident),*) => {
        $(
            #[test]
            #[ignore = "it takes half an hour: scripts/sweep.sh runs it"]
            fn $name() {
                sweep(Flavour::$flavour);
            }
        )*
    };
}

sweeps!(
    postgresql_13: Postgres13, postgresql_15: Postgres15, postgresql_18: Postgres18, mysql_9_7: Mysql,
    mariadb_10_5: Mariadb105, mariadb_11_8: Mariadb118
);
