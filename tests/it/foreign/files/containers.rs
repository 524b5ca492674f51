//! What stands around a dump.

use super::{Source, command_of, read};
use crate::support::{mariadb, mysql, postgres15, postgres18};

#[test]
fn a_compressed_dump_in_an_archive_comes_back() {
    for server in [postgres15(), mysql(), mariadb()] {
        let source = Source::of(server);
        source.write("b/dump.sql", &source.dump);
        source.write("b/README", "nothing");
        source.bash("cd b; gzip -k dump.sql; bzip2 -k dump.sql; xz -k dump.sql; zstd -qk dump.sql; lz4 -q dump.sql dump.sql.lz4; gzip -k README");
        source.bash(
            "tar czf gz.tar.gz b/README b/dump.sql.gz b/README.gz; tar cf bz2.tar b/dump.sql.bz2 b/README
             tar cJf xz.tar.xz b/dump.sql.xz; tar cf zst.tar b/README b/dump.sql.zst; zip -q lz4.zip b/README b/dump.sql.lz4",
        );
        for file in ["gz.tar.gz", "bz2.tar", "xz.tar.xz", "zst.tar", "lz4.zip"] {
            source.comes_back(file, &[]);
        }
        // A line that is none of SQL's is taken out by the command that is told.
        let table = "\nCREATE TABLE";
        source.write("b/dump.sql", source.dump.replacen(table, &format!("\nstdin: is not a tty{table}"), 1));
        source
            .bash("gzip -kf b/dump.sql; tar czf gz.tar.gz b/README b/dump.sql.gz; zip -q said.zip b/README b/dump.sql");
        for file in ["gz.tar.gz", "said.zip"] {
            let refused = source.verify(file, &[]).refused(8, &[": stdin: is not a tty"]);
            source.bash(&command_of(&refused.stderr));
            source.comes_back("fixed.sql", &[]);
        }
    }
}

#[test]
fn a_custom_dump_comes_back_from_within_a_compressed_file_in_an_archive() {
    for server in [postgres15(), postgres18()] {
        let source = Source::of(server);
        source.write("my.dump", super::vendor(&source.database, "pg_dump", &["-Fc"]));
        source.bash("gzip -k my.dump; lz4 -q my.dump my.dump.lz4; tar czf a.tar.gz my.dump.gz; tar cf a.tar my.dump.lz4; zip -q a.zip my.dump");
        for file in ["a.tar.gz", "a.tar", "a.zip", "my.dump.lz4"] {
            source.comes_back(file, &[]);
        }
    }
}

#[test]
fn a_cut_or_changed_dump_within_an_archive_is_told_by_its_name() {
    let source = Source::of(mysql());
    source.write("dump.sql", &source.dump);
    source.bash("gzip -k dump.sql; size=$(stat -c %s dump.sql.gz); head -c $((size - 9)) dump.sql.gz > cut.sql.gz; tar czf a.tar.gz cut.sql.gz");
    source.refused("a.tar.gz", 8, &["is not whole", "truncated", "cut.sql.gz"], &[]);
    source.bash("zip -q a.zip dump.sql; size=$(stat -c %s a.zip); head -c $((size - 30)) a.zip > cut.zip");
    source.refused("cut.zip", 8, &["is not whole", "the list of members, with which a zip ends, is missing"], &[]);
    let mut changed = read(&source.path("a.zip"));
    changed[200] ^= 1;
    source.write("changed.zip", changed);
    source.refused("changed.zip", 8, &["is not whole", "\"dump.sql\""], &[]);
    source.bash("lz4 -q dump.sql dump.sql.lz4; size=$(stat -c %s dump.sql.lz4); head -c $((size - 5)) dump.sql.lz4 > cut.sql.lz4");
    source.refused("cut.sql.lz4", 8, &["is not whole"], &[]);
}

/// Case 20: gzip itself passes over zero bytes.
#[test]
fn zero_bytes_behind_a_compressed_file_are_nothing() {
    for server in [postgres15(), mysql()] {
        let source = Source::of(server);
        source.write("d.sql", &source.dump);
        source.bash(
            "for program in gzip bzip2 xz zstd lz4; do $program -qc d.sql > $program; (cat $program; head -c 512 /dev/zero) > $program.0; done
             (gzip -c d.sql; head -c 17 /dev/zero) > in.sql.gz; tar czf t in.sql.gz; (cat t; head -c 100000 /dev/zero) > t.0
             (gzip -c < /dev/null; cat gzip.0) > two.0",
        );
        for file in ["gzip.0", "bzip2.0", "xz.0", "zstd.0", "lz4.0", "t.0", "two.0"] {
            source.comes_back(file, &[]);
        }
    }
}

#[test]
fn something_else_behind_a_compressed_file_is_told_with_its_place() {
    let source = Source::of(mysql());
    source.write("d.sql", &source.dump);
    for program in ["gzip", "bzip2", "xz", "zstd", "lz4"] {
        source.bash(&format!(
            "{program} -qc d.sql > x; (cat x; echo garbage) > garbage.x; (cat x; head -c 5 /dev/zero; echo x) > mixed.x"
        ));
        let size = read(&source.path("x")).len();
        let place = format!("that is whole, but 8 bytes of something else follow it, from its byte {size} on");
        source.refused("garbage.x", 8, &[&place, "head -c"], &[]);
        source.refused("mixed.x", 8, &["7 bytes of something else"], &[]);
        // As the hint says.
        let refused = source.verify("garbage.x", &[]).refused(8, &["hint: "]);
        refused.follows("take-what-stands-before");
        source.bash(&command_of(&refused.stderr));
        source.comes_back("first.x", &[]);
    }
    source.bash("gzip -c d.sql > d.sql.gz; echo garbage >> d.sql.gz; tar cf a.tar d.sql.gz");
    source.refused("a.tar", 8, &["8 bytes of something else", "d.sql.gz"], &[]);
}

/// Whichever it is, verify and restore agree.
#[test]
fn something_behind_an_archive_of_dbhauls_is_refused_by_verify_and_restore() {
    for (server, more) in [(postgres15(), &["--name", "n"][..]), (mysql(), &["--name", "n", "--compression", "zstd"])] {
        let source = Source::of(server);
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, _) = crate::roundtrip::dumped(&source.database, &folder, more);
        let whole = read(&archive);
        source.write("zeros", [&whole[..], &[0; 512]].concat());
        source.write("garbage", [&whole[..], b"garbage\n"].concat());
        source.refused("zeros", 8, &["its index is not at its end"], &[]);
        source.refused("garbage", 8, &["8 bytes of something else"], &[]);
    }
}

#[test]
fn a_zip_comes_back() {
    for server in [postgres15(), mysql(), mariadb()] {
        let source = Source::of(server);
        source.write("db-dumps/mysql-shop.sql", &source.dump);
        source.write("app/index.php", "<?php\n");
        source.bash(
            "zip -qr a.zip app db-dumps; zip -q0 stored.zip db-dumps/mysql-shop.sql; cat db-dumps/mysql-shop.sql | zip -q stream.zip -
             cat db-dumps/mysql-shop.sql | zip -q -fz zip64.zip -
             (echo '#!/bin/sh'; cat a.zip) > prefixed; echo comment | zip -qz a.zip",
        );
        for file in ["a.zip", "stored.zip", "stream.zip", "zip64.zip"] {
            source.comes_back(file, &[]);
        }
        source.bash(
            "zip -qP secret encrypted.zip db-dumps/mysql-shop.sql; zip -qZ bzip2 bzip2.zip db-dumps/mysql-shop.sql",
        );
        source.refused("encrypted.zip", 8, &["mysql-shop.sql", "it is encrypted", "unzip"], &[]);
        source.refused(
            "bzip2.zip",
            8,
            &["mysql-shop.sql", "compressed in a way that is not read (method 12)", "unzip"],
            &[],
        );
    }
}

#[test]
fn lz4_comes_back() {
    for server in [postgres18(), mysql(), mariadb()] {
        let source = Source::of(server);
        source.write("d.sql", &source.dump);
        source.bash(
            "lz4 -q d.sql d.sql.lz4; lz4 -q -BD --content-size d.sql linked.lz4; lz4 -q -B4 --no-frame-crc d.sql small.lz4
             tar cf - d.sql | lz4 -q > a.tar.lz4; head -c 300 d.sql | lz4 -q > 1; tail -c +301 d.sql | lz4 -q > 2; cat 1 2 > several.lz4",
        );
        for file in ["d.sql.lz4", "linked.lz4", "small.lz4", "a.tar.lz4", "several.lz4"] {
            source.comes_back(file, &[]);
        }
    }
}

/// X11: what is not read says how it is.
#[test]
fn a_folder_with_a_dump_in_it_says_how_that_is_restored() {
    let source = Source::of(mysql());
    source.write("folder/d.sql", &source.dump);
    source.write("folder/README", "nothing");
    source.bash("mkdir empty");
    let refused = source.verify("folder", &[]).refused(8, &["a folder without the toc.dat", "hold a dump: d.sql"]);
    refused.follows("restore-reads-one-file");
    let command =
        refused.stderr.split("dbhaul restore ").nth(1).expect("a command").split(" [URI]").next().expect("a path");
    source.comes_back(command, &[]);
    source.verify("empty", &[]).refused(8, &["a folder without the toc.dat", "hint: "]);
    source.bash("zip -q a.zip folder/d.sql; tar czf a.tar.gz a.zip; tar czf b.tar.gz a.tar.gz; gzip -c folder/d.sql | xz | gzip > twice.gz");
    source.refused("twice.gz", 8, &["a gzip file that holds an xz file", "unpack it first (gzip -d"], &[]);
    source.refused("a.tar.gz", 8, &["\"a.zip\", a zip file", "unpack"], &[]);
    source.refused("b.tar.gz", 8, &["\"a.tar.gz\", a tar", "unpack"], &[]);
}
