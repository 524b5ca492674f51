//! docs/foreign-files.md: what `restore` does with each kind of file, as it is seen here.

use super::{Source, command_of, vendor};
use crate::{
    foreign::no_end_mark::{ADMINER, HEIDISQL, PHPMYADMIN},
    support::{Flavour, Output, Server, assert_section, mysql},
};

/// A kind of files that people bring.
struct Kind {
    what: &'static str,
    /// Makes the files of what [`prepared`] wrote.
    make: &'static str,
    /// All of them have one result.
    files: &'static [&'static str],
    way_on: WayOn,
    note: &'static str,
}

/// What makes of a refusal a restore.
enum WayOn {
    /// It is restored as it is.
    NotNeeded,
    /// Another file is needed, or another command.
    Elsewhere,
    /// These options; NAME is the database of which the file is a dump.
    Options(&'static [&'static str]),
    /// The command of the hint, which makes this file.
    Command(&'static str),
}

use WayOn::{Command, Elsewhere, NotNeeded, Options};

const UNPROVEN: WayOn = Options(&["--accept-unproven"]);

const POSTGRES: &[Kind] = &[
    Kind {
        what: "`pg_dump`, plain SQL; by gzip, bzip2, xz, zstd or lz4; compressed in a tar or zip",
        make: "for by in gzip bzip2 xz zstd lz4; do $by -qc dump.sql > d.$by; done; tar cf d.tar d.zstd; zip -q d.zip d.gzip",
        files: &["dump.sql", "d.gzip", "d.bzip2", "d.xz", "d.zstd", "d.lz4", "d.tar", "d.zip"],
        way_on: NotNeeded,
        note: "files beside the dump (scripts, notes, `._*`, `__MACOSX`) do not count",
    },
    Kind {
        what: "`pg_dump -Fc`, `-Ft`, `-Fd`; in a tar, tar.gz or zip",
        make: "tar czf c.tar.gz c.dump; gzip -k t.tar; tar cf directory.tar directory; zip -qr directory.zip directory",
        files: &["c.dump", "c.tar.gz", "t.tar", "t.tar.gz", "directory", "directory.tar", "directory.zip"],
        way_on: NotNeeded,
        note: "with large objects, too",
    },
    Kind {
        what: "`pg_dump --create`, `--create --clean`",
        make: "",
        files: &["create.sql", "create-clean.sql"],
        way_on: NotNeeded,
        note: "into the target's database; no statement that names the old one is sent. `ALTER DATABASE ... SET` goes to the target by `--database-settings`",
    },
    Kind {
        what: "`pg_dump --clean`, with `--if-exists`, too; `pg_dump --verbose`",
        make: "",
        files: &["clean.sql", "if-exists.sql", "verbose.sql"],
        way_on: NotNeeded,
        note: "what it drops need not be there",
    },
    Kind {
        what: "`pg_dump -s` and `pg_dump -a` in one file",
        make: "cat schema.sql rows.sql > both.sql",
        files: &["both.sql"],
        way_on: NotNeeded,
        note: "",
    },
    Kind {
        what: "`pg_dumpall`",
        make: "",
        files: &["all.sql"],
        way_on: Options(&["--database", "NAME"]),
        note: "roles, tablespaces and the other databases are not sent; of roles there is a note",
    },
    Kind {
        what: "`pg_dumpall --globals-only`",
        make: "",
        files: &["globals.sql"],
        way_on: Elsewhere,
        note: "roles and tablespaces alone: `psql` makes them",
    },
    Kind {
        what: "statements behind the end of a dump (Rails' `structure.sql`)",
        make: "(cat dump.sql; echo 'SET search_path TO \"$user\", public;') > structure.sql",
        files: &["structure.sql"],
        way_on: NotNeeded,
        note: "nothing proves that all of them are there",
    },
    Kind {
        what: "two dumps in one archive",
        make: "cp dump.sql a.sql; tar cf two.tar a.sql c.dump; tar czf two.tar.gz a.sql c.dump; zip -q two.zip a.sql c.dump",
        files: &["two.tar", "two.tar.gz", "two.zip"],
        way_on: Options(&["--member", "a.sql"]),
        note: "both are named with their sizes",
    },
    Kind {
        what: "one name twice in a tar (`tar -r`)",
        make: "cp dump.sql twice.sql; tar cf twice.tar twice.sql; tar rf twice.tar twice.sql; rm twice.sql",
        files: &["twice.tar"],
        way_on: Command("twice.sql"),
        note: "the last is the newest, and what unpacking leaves; with `--member`, too",
    },
    Kind {
        what: "a byte order mark before a dump",
        make: "(printf '\\357\\273\\277'; cat dump.sql) > bom.sql; gzip -k bom.sql",
        files: &["bom.sql", "bom.sql.gz"],
        way_on: NotNeeded,
        note: "",
    },
    Kind {
        what: "CRLF at the end of every line: a terminal (`docker exec -t`, `ssh -t`), Windows",
        make: "sed 's/$/\\r/' dump.sql > crlf.sql; gzip -k crlf.sql",
        files: &["crlf.sql", "crlf.sql.gz"],
        way_on: NotNeeded,
        note: "each line feed's carriage return is taken out, and no other",
    },
    Kind {
        what: "CRLF at the end of some lines",
        make: "sed '1,20s/$/\\r/' dump.sql > mixed.sql",
        files: &["mixed.sql"],
        way_on: Command("fixed.sql"),
        note: "which of them the dump had can't be told",
    },
    Kind {
        what: "carriage returns alone at the ends of all lines",
        make: "tr '\\n' '\\r' < dump.sql > returns.sql",
        files: &["returns.sql"],
        way_on: Command("fixed.sql"),
        note: "to a server it is one line, and a remark",
    },
    Kind {
        what: "a custom-format dump through a terminal",
        make: "sed 's/$/\\r/' c.dump > tty.dump",
        files: &["tty.dump"],
        way_on: Elsewhere,
        note: "dump again without `-t`",
    },
    Kind {
        what: "UTF-16, as PowerShell's `>` writes it, of ASCII alone",
        make: "iconv -f UTF-8 -t UTF-16 dump.sql > wide.sql",
        files: &["wide.sql"],
        way_on: NotNeeded,
        note: "",
    },
    Kind {
        what: "UTF-16 with other characters",
        make: "sed 's/^2\\tx$/2\\té/' dump.sql | iconv -f UTF-8 -t UTF-16 > accents.sql",
        files: &["accents.sql"],
        way_on: UNPROVEN,
        note: "PowerShell may have changed them; they are counted",
    },
    Kind {
        what: "zero bytes behind a compressed file",
        make: "for by in gzip bzip2 xz zstd lz4; do (cat d.$by; head -c 512 /dev/zero) > zeros.$by; done",
        files: &["zeros.gzip", "zeros.bzip2", "zeros.xz", "zeros.zstd", "zeros.lz4"],
        way_on: NotNeeded,
        note: "as gzip does; behind an archive of dbhaul's: refused (8)",
    },
    Kind {
        what: "something else behind a compressed file",
        make: "(cat d.gzip; echo garbage) > garbage.x",
        files: &["garbage.x"],
        way_on: Command("first.x"),
        note: "",
    },
    Kind {
        what: "`pg_dump` without its comments",
        make: "sed '/^--/d' dump.sql > bare.sql",
        files: &["bare.sql"],
        way_on: UNPROVEN,
        note: "no statement, string, comment or block of rows may break off; the result says \"not proved complete\"",
    },
    Kind {
        what: "plain SQL that was cut",
        make: "head -c -100 dump.sql > cut.sql; gzip -k cut.sql",
        files: &["cut.sql", "cut.sql.gz"],
        way_on: Elsewhere,
        note: "whatever is said: `--accept-unproven` does not take it",
    },
    Kind {
        what: "a compressed file that was cut",
        make: "head -c -9 d.gzip > cut.gz; head -c -9 d.zstd > cut.zst; tar cf cut.tar cut.gz",
        files: &["cut.gz", "cut.zst", "cut.tar"],
        way_on: Elsewhere,
        note: "the same",
    },
    Kind {
        what: "a custom-format dump that was cut",
        make: "head -c -100 c.dump > cut.dump",
        files: &["cut.dump"],
        way_on: Elsewhere,
        note: "the same",
    },
    Kind {
        what: "a line of a program's stderr before the dump (`2>&1`)",
        make: "(echo 'pg_dump: warning: there are circular foreign-key constraints on this table:'; cat dump.sql) > head.sql",
        files: &["head.sql"],
        way_on: NotNeeded,
        note: "",
    },
    Kind {
        what: "a line of a program's stderr within the dump",
        make: "sed '/^CREATE FUNCTION/i pg_dump: warning: typed by nobody' dump.sql > middle.sql",
        files: &["middle.sql"],
        way_on: Command("middle.sql"),
        note: "the line is quoted with its number",
    },
    Kind {
        what: "`restore.sql` of a dump in tar format",
        make: "tar xf t.tar restore.sql",
        files: &["restore.sql"],
        way_on: Elsewhere,
        note: "the whole tar is restored",
    },
    Kind {
        what: "a folder with a dump in it; a zip in a tar; an encrypted zip",
        make: "mkdir folder; cp dump.sql folder; tar cf zip.tar d.zip; zip -qP secret encrypted.zip dump.sql",
        files: &["folder", "zip.tar", "encrypted.zip"],
        way_on: Elsewhere,
        note: "the hint has the command that reads what is in it",
    },
    Kind {
        what: "statements that none of these programs writes",
        make: "(cat dump.sql; echo 'NOTIFY somebody;') > more.sql",
        files: &["more.sql"],
        way_on: Options(&["--trust"]),
        note: "see [SECURITY.md](../SECURITY.md)",
    },
];

const MYSQL: &[Kind] = &[
    Kind {
        what: "`mysqldump`, `mariadb-dump`; compressed; in a tar or zip",
        make: "for by in gzip bzip2 xz zstd lz4; do $by -qc dump.sql > d.$by; done; tar czf d.tar.gz d.gzip; zip -q d.zip dump.sql",
        files: &["dump.sql", "d.gzip", "d.bzip2", "d.xz", "d.zstd", "d.lz4", "d.tar.gz", "d.zip"],
        way_on: NotNeeded,
        note: "",
    },
    Kind {
        what: "`mysqldump --databases a`",
        make: "",
        files: &["one.sql"],
        way_on: NotNeeded,
        note: "into the target's database, which takes its character set; no statement that names the old one is sent",
    },
    Kind {
        what: "`mysqldump --databases a b`, `--all-databases`",
        make: "",
        files: &["two.sql"],
        way_on: Options(&["--database", "NAME"]),
        note: "the refusal lists what is inside with sizes",
    },
    Kind {
        what: "`mysqldump --no-data` and `mysqldump --no-create-info` in one file",
        make: "cat schema.sql rows.sql > both.sql",
        files: &["both.sql"],
        way_on: NotNeeded,
        note: "triggers come behind the rows",
    },
    Kind {
        what: "`mysqldump --compact`, `--skip-comments`",
        make: "",
        files: &["compact.sql", "uncommented.sql"],
        way_on: UNPROVEN,
        note: "as `pg_dump` without its comments",
    },
    Kind {
        what: "phpMyAdmin, HeidiSQL, Adminer; also Sequel Ace, Sequel Pro, SQLyog, Navicat, DBeaver",
        make: "",
        files: &["phpmyadmin.sql", "heidisql.sql", "adminer.sql"],
        way_on: UNPROVEN,
        note: "the program is named; an end mark that it writes must be there (Adminer's date)",
    },
    Kind {
        what: "the same, cut within a statement",
        make: "head -c -300 phpmyadmin.sql > cut.sql",
        files: &["cut.sql"],
        way_on: Elsewhere,
        note: "whatever is said; so is a setting that the beginning saves and the end never sets back",
    },
    Kind {
        what: "phpMyAdmin with UPDATE as the function to use when dumping data",
        make: "sed 's/^INSERT INTO .*/UPDATE `t` SET `id` = 0 WHERE `t`.`id` = 0;/' phpmyadmin.sql > update.sql",
        files: &["update.sql"],
        way_on: Elsewhere,
        note: "with `--accept-unproven` refused (10): it changes rows that are there, and makes none; export again with INSERT",
    },
    Kind {
        what: "`mysqldump: [Warning] ...` before the dump (`2>&1`)",
        make: "(echo 'mysqldump: [Warning] Using a password on the command line interface can be insecure.'; cat dump.sql) > head.sql",
        files: &["head.sql"],
        way_on: NotNeeded,
        note: "",
    },
    Kind {
        what: "`mysqldump: Error: ...` within the dump",
        make: "sed \"/^-- Dumping data for table/i mysqldump: Error: 'Access denied'\" dump.sql > middle.sql",
        files: &["middle.sql"],
        way_on: Command("middle.sql"),
        note: "the line is quoted with its number",
    },
    Kind {
        what: "statements that none of these programs writes",
        make: "(cat dump.sql; echo 'DROP USER IF EXISTS nobody_there;') > more.sql",
        files: &["more.sql"],
        way_on: Options(&["--trust"]),
        note: "see [SECURITY.md](../SECURITY.md)",
    },
];

/// Writes what the vendor's programs make of the source.
fn prepared(server: &Server) -> Source<'_> {
    let source = Source::of(server);
    source.write("dump.sql", &source.dump);
    let (database, name) = (&source.database, source.database.name());
    if !server.flavour().is_postgres() {
        let other = server.database("other");
        other.sql("CREATE TABLE o (i int)");
        let dump = |words: &[&str]| {
            let all = ["--routines", "--set-gtid-purged=OFF"];
            let output = database.client("mysqldump").args(all).args(words).output().expect("run mysqldump");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            output.stdout
        };
        source.write("one.sql", dump(&["--databases", name]));
        source.write("two.sql", dump(&["--databases", name, other.name()]));
        source.write("schema.sql", dump(&["--no-data", name]));
        source.write("rows.sql", dump(&["--no-create-info", "--skip-triggers", name]));
        source.write("compact.sql", dump(&["--compact", name]));
        source.write("uncommented.sql", dump(&["--skip-comments", name]));
        for (file, export) in [("phpmyadmin.sql", PHPMYADMIN), ("heidisql.sql", HEIDISQL), ("adminer.sql", ADMINER)] {
            source.write(file, export);
        }
        return source;
    }
    let dump = |words: &[&str]| vendor(database, "pg_dump", &[&["--no-owner"], words].concat());
    source.write("c.dump", dump(&["-Fc"]));
    source.write("t.tar", dump(&["-Ft"]));
    dump(&["-Fd", "-f", source.path("directory").to_str().expect("UTF-8")]);
    source.write("create.sql", dump(&["--create"]));
    source.write("create-clean.sql", dump(&["--create", "--clean"]));
    source.write("clean.sql", dump(&["--clean"]));
    source.write("if-exists.sql", dump(&["--clean", "--if-exists"]));
    source.write("verbose.sql", dump(&["--verbose"]));
    source.write("schema.sql", dump(&["-s"]));
    source.write("rows.sql", dump(&["-a"]));
    source.write("globals.sql", vendor(database, "pg_dumpall", &["--globals-only", "--no-role-passwords"]));
    source.write("all.sql", vendor(database, "pg_dumpall", &["--no-role-passwords"]));
    source
}

impl Kind {
    fn row(&self, source: &Source<'_>) -> String {
        source.bash(self.make);
        let results: Vec<_> = self.files.iter().map(|file| self.result(source, file)).collect();
        let differing = results.iter().find(|result| **result != results[0]);
        assert_eq!(differing, None, "{}: {}", self.what, results[0]);
        let Self { what, note, .. } = self;
        format!("| {what} | {} | {note} |\n", results[0])
    }

    fn result(&self, source: &Source<'_>, file: &str) -> String {
        let plainly = restored(source, file, &[]);
        let Err(refused) = plainly else {
            assert!(matches!(self.way_on, NotNeeded), "{}: {file} is restored as it is", self.what);
            return "restored".to_owned();
        };
        let stderr = refused.stderr.clone();
        let error = stderr.lines().find_map(|line| line.strip_prefix("error: ")).expect("an error");
        let code = refused.code.expect("a code");
        let error = error.replace(file, "FILE").replace(source.database.name(), "NAME");
        let way_on = match &self.way_on {
            NotNeeded => panic!("{}: {file} is to be restored as it is:\n{stderr}", self.what),
            Elsewhere => String::new(),
            Options(words) => {
                let own: Vec<_> =
                    words.iter().map(|word| if *word == "NAME" { source.database.name() } else { word }).collect();
                assert!(stderr.contains(words[0]), "{}: no {} in:\n{stderr}", self.what, words[0]);
                restored(source, file, &own).unwrap_or_else(|output| panic!("{}:\n{}", self.what, output.stderr));
                format!("; `{}` restores it", words.join(" "))
            }
            Command(made) => {
                let command = command_of(&stderr);
                source.bash(&command);
                restored(source, made, &[]).unwrap_or_else(|output| panic!("{}:\n{}", self.what, output.stderr));
                "; what the command of the hint makes is restored".to_owned()
            }
        };
        format!("refused ({code}): {error}{way_on}")
    }
}

/// Restores it and compares: what was made of the source's dump holds what the source does.
fn restored(source: &Source<'_>, file: &str, words: &[&str]) -> Result<(), Output> {
    let target = source.server().database("target");
    let output = source.dbhaul().args(["restore", file, &target.uri()]).args(words).run();
    if output.code != Some(0) {
        assert!(output.stderr.contains("nothing was changed"), "{file}: {}", output.stderr);
        return Err(output);
    }
    let rows = target.sql("SELECT count(*) FROM t");
    assert!(["3", "2"].contains(&rows.as_str()), "{file}: {rows} rows");
    if rows == "3" && file != "accents.sql" && file != "compact.sql" {
        source.assert_same(&target, file);
    }
    Ok(())
}

#[test]
fn the_table_says_what_happens() {
    // Another test's databases are in no dump of all of a server's.
    let postgres = Server::start(Flavour::Postgres15);
    for (server, kinds, section) in [(&postgres, POSTGRES, "postgresql"), (mysql(), MYSQL, "mysql")] {
        let source = prepared(server);
        let rows: String = kinds.iter().map(|kind| kind.row(&source)).collect();
        let table = format!("| File | `restore` | |\n|---|---|---|\n{rows}");
        assert_section("docs/foreign-files.md", section, &table);
    }
}
