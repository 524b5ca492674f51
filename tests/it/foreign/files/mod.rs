//! Whole files as people have them: what stands around a dump, and what Windows, a terminal and PowerShell made of it.

mod containers;
mod several_dumps;
mod table;
mod tar_format;
mod texts;

use std::{
    cell::Cell,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    roundtrip::with_clients_of,
    support::{Database, Dbhaul, Family, Output, Server, checksum, schema},
};

/// A database with what a change of line ends or characters would show in, and a plain dump of it.
pub struct Source<'s> {
    pub database: Database<'s>,
    pub dump: String,
    folder: tempfile::TempDir,
    /// Which of the ways is next.
    turn: Cell<usize>,
}

const MYSQL: &str = "CREATE TABLE t (id int PRIMARY KEY, v text);
    INSERT INTO t VALUES (1, 'first\nsecond'), (2, 'x'), (3, 'y ');
    CREATE FUNCTION f() RETURNS text DETERMINISTIC RETURN 'one\ntwo';
    CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.v = 'a\nb'";
const POSTGRES: &str = "CREATE TABLE t (id int PRIMARY KEY, v text);
    INSERT INTO t VALUES (1, E'first\nsecond'), (2, 'x'), (3, 'y ');
    CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT 'one\ntwo'::text $$;
    COMMENT ON TABLE t IS E'one\ntwo';
    CREATE SEQUENCE s OWNED BY t.id; ALTER TABLE t ALTER COLUMN id SET DEFAULT nextval('s'); CREATE INDEX i ON t (v);
    CREATE VIEW w AS SELECT id FROM t";

impl<'s> Source<'s> {
    pub fn of(server: &'s Server) -> Self {
        let database = server.database("source");
        database.sql(if server.flavour().is_postgres() { POSTGRES } else { MYSQL });
        let dump = plain(&database);
        Self { database, dump, folder: tempfile::tempdir().expect("a folder"), turn: Cell::default() }
    }

    pub fn server(&self) -> &'s Server {
        self.database.server()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, content).expect("write");
        path
    }

    /// Runs a script in the folder.
    pub fn bash(&self, script: &str) {
        let output = Command::new("bash").args(["-euc", script]).current_dir(self.folder.path()).output();
        let output = output.expect("run bash");
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    }

    pub fn dbhaul(&self) -> Dbhaul {
        with_clients_of(self.server()).cwd(self.folder.path())
    }

    pub fn verify(&self, file: &str, more: &[&str]) -> Output {
        self.dbhaul().args(["verify", file]).args(more).run()
    }

    /// Verifies it and restores it in the next of the ways that there are, and compares.
    pub fn comes_back(&self, file: &str, more: &[&str]) {
        let ways = self.ways(file, more);
        let turn = self.turn.replace(self.turn.get() + 1);
        self.restores(file, ways[turn % ways.len()], more);
    }

    /// The same in all of them.
    pub fn comes_back_in_every_way(&self, file: &str, more: &[&str]) {
        for way in self.ways(file, more) {
            self.restores(file, way, more);
        }
    }

    fn ways(&self, file: &str, more: &[&str]) -> Vec<&'static str> {
        let kind = self.verify(file, &[more, &["--json"]].concat()).expect_code(0).json()["kind"].to_string();
        let stdin = if self.path(file).is_dir() { &[][..] } else { &["-"] };
        let ways: &[&str] = match self.server().flavour().family() {
            Family::Postgres if kind.contains("PostgreSQL SQL") => &[""],
            Family::Postgres => &["--jobs=2", ""],
            _ => &["--jobs=2", "", "--resume"],
        };
        [ways, stdin].concat()
    }

    fn restores(&self, file: &str, way: &str, more: &[&str]) {
        let target = self.server().database("target");
        let name = if way == "-" { way } else { file };
        let mut restore = self.dbhaul().args(["restore", name, &target.uri()]).args(more);
        if way == "-" {
            restore = restore.input_file(fs::File::open(self.path(file)).expect("the file"));
        } else if !way.is_empty() {
            restore = restore.arg(way);
        }
        restore.run().expect_code(0);
        self.assert_same(&target, &format!("{file} {way:?}"));
    }

    pub fn assert_same(&self, target: &Database<'_>, how: &str) {
        assert_eq!(checksum(target), checksum(&self.database), "{how}");
        let wanted = schema(&self.database).replace(self.database.name(), target.name());
        assert_eq!(schema(target), wanted, "{how}");
    }

    /// Refused by verify and by restore, with a target that stays as it is.
    pub fn refused(&self, file: &str, code: i32, words: &[&str], more: &[&str]) {
        self.verify(file, more).refused(code, words);
        let turn = self.turn.replace(self.turn.get() + 1);
        let target = self.server().database("target");
        target.sql("CREATE TABLE keep (id int); INSERT INTO keep VALUES (1)");
        let name = if turn % 3 == 2 { "-" } else { file };
        let mut restore = self.dbhaul().args(["restore", name, &target.uri(), "--clean", "schema", "--yes"]).args(more);
        restore = match turn % 3 {
            0 => restore,
            1 => restore.args(["--jobs", "2"]),
            _ => restore.input_file(fs::File::open(self.path(file)).expect("the file")),
        };
        let words: Vec<_> = words.iter().filter(|word| name != "-" || !word.starts_with("head -c")).copied().collect();
        let restore = restore.run().refused(code, &words);
        assert!(code == 2 || restore.stderr.contains("nothing was changed"), "{}", restore.stderr);
        assert_eq!(target.sql("SELECT id FROM keep"), "1", "{file}");
    }
}

/// What the vendor's dump program writes of a database.
pub fn plain(database: &Database<'_>) -> String {
    let (program, args): (_, &[&str]) = match database.server().flavour().family() {
        Family::Postgres => ("pg_dump", &["--no-owner"]),
        Family::Mysql => ("mysqldump", &["--routines", "--set-gtid-purged=OFF"]),
        Family::Mariadb => ("mariadb-dump", &["--routines"]),
    };
    String::from_utf8(vendor(database, program, args)).expect("UTF-8")
}

/// What a dump program writes to its stdout.
pub fn vendor(database: &Database<'_>, program: &str, args: &[&str]) -> Vec<u8> {
    let mut dump = database.client(program);
    dump.args(args);
    if !database.server().flavour().is_postgres() {
        dump.arg(database.name());
    }
    let output = dump.output().expect("run the dump program");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The command that a hint ends with.
#[track_caller]
pub fn command_of(stderr: &str) -> String {
    let mut commands = stderr.lines().filter(|line| line.starts_with("hint: ")).filter_map(|line| {
        let begins = ["tr ", "sed ", "head -c", "gzip ", "zcat ", "bzip2 ", "xz ", "zstd ", "lz4 ", "tar ", "unzip "];
        let at = begins.iter().filter_map(|word| Some(line.find(&format!(": {word}"))? + 2)).min()?;
        Some(line[at..].to_owned())
    });
    commands.next().unwrap_or_else(|| panic!("no hint ends with a command:\n{stderr}"))
}

/// A file's content.
pub fn read(path: &Path) -> Vec<u8> {
    fs::read(path).expect("read")
}
