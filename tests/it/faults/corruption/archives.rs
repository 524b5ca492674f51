//! Archives of every layout: dbhaul's own from real servers, other people's from the dumps in `fixtures/dumps`.
//!
//! All are small, and other people's are the same in every run: what is found in them stands in a table.

use std::{fs, path::Path, process::Command, sync::OnceLock};

use crate::{
    roundtrip::with_clients_of,
    support::{Server, fixture, mariadb, mysql, postgres15},
};

/// An archive, and what could tell that it was altered.
pub struct Archive {
    pub layout: String,
    pub engine: &'static str,
    pub bytes: Vec<u8>,
    pub guard: Guard,
}

/// What guards an archive's bytes against alteration.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Checksums of everything.
    Checksums,
    /// Checksums of the container's content, so of all that the dump says.
    Container,
    /// Checksums of some of it, or none at all: the rest is only known by its structure.
    Structure,
}

/// Engine, server, options.
type Source = (&'static str, fn() -> &'static Server, &'static [&'static str]);

/// The sources of dbhaul's own.
const SOURCES: [Source; 4] = [
    ("PostgreSQL", postgres15, &["--format", "custom"]),
    ("PostgreSQL", postgres15, &["--format", "plain"]),
    ("MySQL", mysql, &[]),
    ("MariaDB", mariadb, &[]),
];

const TABLES: &str = "CREATE TABLE users (id int PRIMARY KEY, name varchar(40) NOT NULL);
    INSERT INTO users VALUES (1, 'Ada'), (2, 'Grace'), (3, 'Jürgen'), (4, 'O''Neil');
    CREATE TABLE orders (id int PRIMARY KEY, total decimal(8, 2));
    INSERT INTO orders VALUES (1, 9.90), (2, 12.50)";

/// dbhaul's own: each compression, as one member, as numbered parts and, where several jobs can dump, as lanes.
pub fn ours() -> &'static [Archive] {
    static OURS: OnceLock<Vec<Archive>> = OnceLock::new();
    OURS.get_or_init(|| {
        let mut archives = Vec::new();
        for (engine, server, options) in SOURCES {
            let source = server().database("corruption");
            source.sql(TABLES);
            for (compression, extension) in [("gzip", "tar.gz"), ("zstd", "tar.zst"), ("none", "tar")] {
                let lanes = options.contains(&"custom").then_some((false, "lanes"));
                for (parts, layout) in [(false, "one member"), (true, "parts")].into_iter().chain(lanes) {
                    let folder = tempfile::tempdir().expect("a folder");
                    let path = folder.path().join("archive");
                    let dump = with_clients_of(server())
                        .args(["dump", &source.uri(), "--name", "small", "--compression", compression])
                        .args(options)
                        .args(if layout == "lanes" { &["--jobs", "2"][..] } else { &[] });
                    let bytes = if parts {
                        dump.args(["-o", "-"]).run().expect_code(0).stdout
                    } else {
                        dump.arg("-o").arg(&path).run().expect_code(0);
                        fs::read(&path).expect("the archive")
                    };
                    let layout = format!("dbhaul's `{extension}`, {layout}");
                    archives.push(Archive { layout, engine, bytes, guard: Guard::Checksums });
                }
            }
        }
        archives
    })
}

/// Layout, engine, guard, and how it is made in a folder that holds copies of `fixtures/dumps`.
type Foreign = (&'static str, &'static str, Guard, &'static str);

#[rustfmt::skip]
const FOREIGN: [Foreign; 23] = {
    use Guard::{Container, Structure};
    [
        ("platform's `tar.gz`, custom format", "PostgreSQL", Container, "cp pg_dump-15.custom.dump my_app.pgsql; $TAR -c my_app.pgsql | gzip -n"),
        ("platform's `tar.gz`, SQL",           "PostgreSQL", Container, "cp pg_dump-15.plain.sql my_app.sql; $TAR -c my_app.sql | gzip -n"),
        ("platform's `tar.gz`, SQL",           "MySQL",      Container, "cp mysql-9.7.4.sql my_app.sql; $TAR -c my_app.sql | gzip -n"),
        ("platform's `tar.gz`, SQL",           "MariaDB",    Container, "cp mariadb-10.11.19.sql my_app.sql; $TAR -c my_app.sql | gzip -n"),
        ("`tar.gz` of a directory-format dump", "PostgreSQL", Container, "$TAR -c pg_dump-18.directory | gzip -n"),
        ("`tar` of a directory-format dump, compressed files", "PostgreSQL", Structure, "$TAR -c pg_dump-18.directory"),
        ("`tar` of a directory-format dump, plain files",      "PostgreSQL", Structure, "$TAR -c pg_dump-15.directory"),
        ("bare custom format, `.gz`",          "PostgreSQL", Container, "gzip -c pg_dump-15.custom.dump"),
        ("bare custom format, `.zst`",         "PostgreSQL", Container, "zstd -qc pg_dump-15.custom.dump"),
        ("bare SQL, `.gz`",                    "PostgreSQL", Container, "gzip -c pg_dump-15.plain.sql"),
        ("bare SQL, `.gz`",                    "MySQL",      Container, "gzip -c mysql-9.7.4.sql"),
        ("bare SQL, `.gz`",                    "MariaDB",    Container, "gzip -c mariadb-10.11.19.sql"),
        ("bare SQL, `.zst`",                   "PostgreSQL", Container, "zstd -qc pg_dump-15.plain.sql"),
        ("bare SQL, `.zst`",                   "MySQL",      Container, "zstd -qc mysql-9.7.4.sql"),
        ("bare SQL, `.zst`",                   "MariaDB",    Container, "zstd -qc mariadb-10.11.19.sql"),
        ("bare SQL, `.bz2`",                   "MySQL",      Container, "bzip2 -c mysql-9.7.4.sql"),
        ("bare SQL, `.xz`",                    "MySQL",      Container, "xz -c mysql-9.7.4.sql"),
        ("bare custom format, rows compressed", "PostgreSQL", Structure, "cat pg_dump-15.compressed.dump"),
        ("bare custom format, rows compressed, of 18", "PostgreSQL", Structure, "cat pg_dump-18.compressed.dump"),
        ("bare custom format, rows as they are", "PostgreSQL", Structure, "cat pg_dump-15.custom.dump"),
        ("bare SQL",                           "PostgreSQL", Structure, "cat pg_dump-15.plain.sql"),
        ("bare SQL",                           "MySQL",      Structure, "cat mysql-9.7.4.sql"),
        ("bare SQL",                           "MariaDB",    Structure, "cat mariadb-10.11.19.sql"),
    ]
};

/// Other people's, made of recorded dumps by the usual programs.
pub fn foreign() -> &'static [Archive] {
    static FOREIGN_ONES: OnceLock<Vec<Archive>> = OnceLock::new();
    FOREIGN_ONES.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let tar = "tar --sort=name --mtime=2023-12-07 --owner=app --group=app --mode=0644";
        let copy = "cp -r \"$0\"/. . && find . -exec touch -d 2023-12-07T00:06:08Z {} +";
        shell(copy, folder.path(), tar);
        let made = |(layout, engine, guard, script): Foreign| {
            let bytes = shell(script, folder.path(), tar);
            Archive { layout: layout.to_owned(), engine, bytes, guard }
        };
        FOREIGN.into_iter().map(made).collect()
    })
}

fn shell(script: &str, folder: &Path, tar: &str) -> Vec<u8> {
    let output = Command::new("bash")
        .args(["-o", "pipefail", "-euc", script])
        .arg(fixture("dumps"))
        .env("TAR", tar)
        .current_dir(folder)
        .output()
        .expect("run bash");
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
