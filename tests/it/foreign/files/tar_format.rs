//! Case 21: `pg_dump --format=tar`, with large objects.

use super::{Source, vendor};
use crate::support::{Database, checksum, names, postgres15, postgres18};

/// Each large object with its content, owner aside.
fn large_objects(database: &Database<'_>) -> String {
    database.sql("SELECT oid, convert_from(lo_get(oid), 'UTF8') FROM pg_largeobject_metadata ORDER BY oid")
}

#[test]
fn a_tar_format_dump_comes_back_with_its_large_objects() {
    for server in [postgres15(), postgres18()] {
        let source = Source::of(server);
        source
            .database
            .sql("CREATE TABLE empty (i int); SELECT lo_from_bytea(4001, 'one'), lo_from_bytea(4002, 'two')");
        source.write("a.tar", vendor(&source.database, "pg_dump", &["-Ft", "--no-owner"]));
        source.bash(
            "gzip -k a.tar; mkdir u; tar xf a.tar -C u; cd u; tar cf ../late.tar restore.sql [0-9]*.dat blob* toc.dat; cd ..
             tar czf folder.tar.gz u; zip -qr folder.zip u",
        );
        let before = names(&source.path("u"));
        for file in ["a.tar", "a.tar.gz", "u", "folder.tar.gz", "folder.zip", "late.tar"] {
            source.verify(file, &[]).expect_code(0);
            for way in [&["--jobs", "1"], &["--jobs", "2"]] {
                let target = server.database("target");
                source.dbhaul().args(["restore", file, &target.uri()]).args(way).run().expect_code(0);
                assert_eq!(checksum(&target), checksum(&source.database), "{file} {way:?}");
                assert_eq!(large_objects(&target), large_objects(&source.database), "{file} {way:?}");
            }
        }
        assert_eq!(large_objects(&source.database), "4001\tone\n4002\ttwo");
        assert_eq!(names(&source.path("u")), before, "the user's folder stays as it is");
        let target = server.database("target");
        let input = std::fs::File::open(source.path("a.tar")).expect("the file");
        source.dbhaul().args(["restore", "-", &target.uri()]).input_file(input).run().expect_code(0);
        assert_eq!(large_objects(&target), large_objects(&source.database));
        // A list that is not there is told.
        source.bash("rm u/blob*.toc");
        source.verify("u", &[]).refused(8, &["does not hold a complete dump", ".dat is missing"]);
    }
}

/// Without its toc.dat it is a script that reads files, which nobody has.
#[test]
fn the_script_of_a_tar_format_dump_is_no_dump() {
    let source = Source::of(postgres15());
    source.write("a.tar", vendor(&source.database, "pg_dump", &["-Ft", "--no-owner"]));
    source.bash("mkdir u; tar xf a.tar -C u; rm u/toc.dat; tar cf rest.tar -C u .");
    source.refused("rest.tar", 8, &["restore.sql\" is the script of a dump in tar format"], &[]);
    source.bash("cp u/restore.sql .");
    source.refused("restore.sql", 8, &["restore.sql\" is the script of a dump in tar format"], &[]);
}
