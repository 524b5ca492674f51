//! Two dumps in one archive are never half read.

use super::{Source, vendor};
use crate::support::{mariadb, mysql, postgres15};

/// Two dumps, in every container that holds several files.
fn boxes(source: &Source<'_>) -> [&'static str; 3] {
    source.bash("tar cf both.tar a.sql b.sql && tar czf both.tar.gz ./a.sql ./b.sql && zip -q both.zip a.sql b.sql");
    ["both.tar", "both.tar.gz", "both.zip"]
}

#[test]
fn both_are_named_and_one_is_chosen() {
    for server in [postgres15(), mysql(), mariadb()] {
        let source = Source::of(server);
        source.write("a.sql", source.dump.replace("second", "SECOND"));
        source.write("b.sql", &source.dump);
        for file in boxes(&source) {
            source.refused(file, 8, &["holds 2 dumps", "a.sql, ", "b.sql, ", "--member takes one of them", "kB"], &[]);
            source.comes_back_in_every_way(file, &["--member", "b.sql"]);
            let refused = ["holds no dump that is called \"c.sql\"", "a.sql, ", "b.sql, "];
            source.refused(file, 2, &refused, &["--member", "c.sql"]);
            let inspect = source.dbhaul().args(["inspect", file]).run().expect_code(0);
            let text = inspect.text();
            assert!(text.contains("a.sql (SQL)") && text.contains("b.sql (SQL)"), "{text}");
        }
        // As the hint says it, and by the variable.
        source.verify("both.tar.gz", &["--member", "./a.sql"]).expect_code(0);
        source.dbhaul().args(["verify", "both.zip"]).env("DBHAUL_MEMBER", "b.sql").run().expect_code(0);
    }
}

#[test]
fn the_second_is_named_whatever_it_is() {
    let (source, other) = (Source::of(postgres15()), Source::of(mysql()));
    source.write("a.sql", &source.dump);
    source.write("z.dump", vendor(&source.database, "pg_dump", &["-Fc"]));
    source.write("z.sql", &other.dump);
    source.write("cut.sql", &other.dump[..other.dump.len() / 2]);
    source.write("compact.sql", vendor(&other.database, "mysqldump", &["--compact"]));
    source.bash("gzip -k z.sql; gzip -kc z.sql | head -c 200 > cut.sql.gz");
    for second in ["z.dump", "z.sql", "cut.sql", "compact.sql", "z.sql.gz", "cut.sql.gz"] {
        source.bash(&format!("tar czf both.tar.gz a.sql {second}; tar czf other.tar.gz {second} a.sql"));
        // A compressed file that is cut is met before what stands behind it.
        let both: &[&str] = if second == "cut.sql.gz" { &["both.tar.gz"] } else { &["both.tar.gz", "other.tar.gz"] };
        for file in both {
            source.refused(file, 8, &["holds 2 dumps", "a.sql, ", &format!("{second}, ")], &[]);
        }
        source.comes_back("other.tar.gz", &["--member", "a.sql"]);
    }
}

/// A directory-format dump is one dump, and another beside it is another.
#[test]
fn a_directory_dump_beside_another_dump_is_named() {
    let source = Source::of(postgres15());
    let path = source.path("folder");
    vendor(&source.database, "pg_dump", &["-Fd", "-f", path.to_str().expect("UTF-8")]);
    source.write("a.sql", &source.dump);
    source.write("folder/._toc.dat", b"\0\x05\x16\x07\0\x02\0\0Mac OS X        ");
    source.write("folder/._3347.dat.gz", b"\0\x05\x16\x07\0\x02\0\0Mac OS X        ");
    source.bash("tar czf one.tar.gz folder; tar cf ab.tar folder a.sql; tar cf ba.tar a.sql folder; zip -qr ab.zip folder a.sql");
    source.comes_back("one.tar.gz", &[]);
    for file in ["ab.tar", "ba.tar", "ab.zip"] {
        source.refused(file, 8, &["holds 2 dumps", "a.sql, ", "folder/toc.dat, "], &[]);
        source.comes_back(file, &["--member", "folder/toc.dat"]);
        source.comes_back(file, &["--member", "a.sql"]);
    }
}

/// What macOS adds, an application's own files, and notes are no dumps.
#[test]
fn other_files_beside_a_dump_do_not_count() {
    for server in [postgres15(), mysql()] {
        let source = Source::of(server);
        source.write("site/db/dump.sql", &source.dump);
        source.write("site/db/._dump.sql", "-- PostgreSQL database dump\nCREATE TABLE x (a int);\n");
        source.write("site/__MACOSX/db/dump.sql", "CREATE TABLE x (a int);\n");
        source.write("site/a.js", "/* Copyright */\nfunction f() {}\n");
        source.write("site/b.css", "/*! normalize.css */\nhtml { }\n");
        source.write("site/README", "Use this with care.\n");
        source.write("site/c.lua", "-- a module\nlocal x = require('x')\n");
        source.write("site/config.yml", "---\na: b\n");
        source.write("site/z.gz", "\x1f no gzip file");
        source.bash("gzip -nc site/README > site/README.gz; tar czf site.tar.gz site; zip -qr site.zip site");
        for file in ["site.tar.gz", "site.zip"] {
            source.comes_back(file, &[]);
        }
    }
}

/// A file that is no archive holds one dump, by its own name.
#[test]
fn a_bare_file_and_an_archive_of_dbhauls_have_one_member() {
    let source = Source::of(postgres15());
    source.write("a.sql", &source.dump);
    source.bash("gzip -k a.sql");
    for file in ["a.sql", "a.sql.gz"] {
        source.verify(file, &["--member", "a.sql"]).expect_code(0);
        source.refused(file, 2, &["holds no dump that is called \"x\"", "a.sql"], &["--member", "x"]);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = crate::roundtrip::dumped(&source.database, &folder, &["--name", "n"]);
    let archive = archive.to_str().expect("UTF-8");
    source.verify(archive, &["--member", "x"]).refused(2, &["holds no dump that is called \"x\"", "_n/dump.pgsql"]);
}

/// `tar -r` puts a newer file behind the older one of its name, and whoever unpacks it gets the newer one.
#[test]
fn a_name_that_two_dumps_have_says_which_one_is_meant_to_nobody() {
    for server in [postgres15(), mysql()] {
        let source = Source::of(server);
        source.write("a.sql", source.dump.replace("second", "SECOND"));
        source.bash("cp a.sql b.sql; tar cf twice.tar a.sql; tar cf mixed.tar b.sql a.sql");
        source.write("a.sql", &source.dump);
        source.bash("tar rf twice.tar ./a.sql; tar rf mixed.tar a.sql; gzip -k twice.tar; rm a.sql");
        for words in [&[][..], &["--member", "a.sql"]] {
            for file in ["twice.tar", "twice.tar.gz"] {
                source.refused(file, 8, &["a.sql more than once", "unpacking leaves that one"], words);
            }
        }
        source.refused("mixed.tar", 8, &["a.sql more than once"], &["--member", "a.sql"]);
        source.verify("mixed.tar", &["--member", "b.sql"]).expect_code(0);
        // As the hint says.
        let refused = source.verify("twice.tar", &[]).refused(8, &[]);
        refused.follows("last-of-a-name");
        source.bash(&super::command_of(&refused.stderr));
        source.comes_back("a.sql", &[]);
    }
}
