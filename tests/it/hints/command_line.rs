//! Hints on options and files.

use std::fs;

use super::{dump_of, restore};
use crate::roundtrip::with_clients_of;
use crate::support::{Database, Output, fixture, mysql, postgres15};

/// A dump to stdout, with these options.
fn dump(source: &Database<'_>, options: &[&str]) -> Output {
    let dump = with_clients_of(source.server()).args(["dump", &source.uri()]);
    let elsewhere = options.iter().any(|option| option.starts_with("--output"));
    dump.args((!elsewhere).then_some("--output=-")).args(options).run()
}

/// The names that a hint calls near.
fn near(output: &Output) -> String {
    let names = output.follows("near");
    names.trim_start_matches("near: ").split(", ").next().expect("a name").to_owned()
}

#[test]
fn an_output_that_is_refused_is_another_one() {
    let source = mysql().database("output");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| format!("--output={}", folder.path().join(name).display());
    dump(&source, &["--output=s3://bucket/a"]).refused(2, &[]).follows("output-to-stdout");
    dump(&source, &["--output=-"]).expect_code(0);
    fs::write(folder.path().join("a.tar.gz"), "mine").expect("write");
    dump(&source, &[&at("a.tar.gz")]).refused(10, &[]).follows("name-another-file");
    dump(&source, &[&at("b.tar.gz")]).expect_code(0);
    dump(&source, &[&at("none/c.tar.gz")]).refused(9, &[]).follows("output-folder");
    dump(&source, &[&at("")]).expect_code(0);
}

#[test]
fn a_name_that_no_object_has_is_one_of_the_near_ones() {
    for server in [postgres15(), mysql()] {
        let source = server.database("near");
        source.sql("CREATE TABLE users (id int PRIMARY KEY)");
        let (_folder, archive) = dump_of(&source);
        let target = server.database("near_target");
        let close = near(&restore(&archive, &target, &["--table", "user"]).refused(2, &[]));
        restore(&archive, &target, &["--table", &close]).expect_code(0);
        let far = restore(&archive, &target, &["--table", "nothing_like_it"]).refused(2, &[]);
        far.follows(if server.flavour() == mysql().flavour() { "names-stand-in-inspect" } else { "names-are-literal" });
        let inspect = with_clients_of(server).args(["inspect"]).arg(&archive).run().expect_code(0);
        assert!(inspect.text().contains("users"), "{}", inspect.text());
    }
    let source = postgres15().database("folded");
    source.sql("CREATE TABLE \"Users\" (id int PRIMARY KEY)");
    dump(&source, &["--table", "Users"]).refused(2, &[]).follows("names-are-folded");
    dump(&source, &["--table", "\"Users\""]).expect_code(0);
}

#[test]
fn patterns_are_written_as_the_hints_say() {
    let source = postgres15().database("patterns");
    source.sql(
        "CREATE SCHEMA s; CREATE TABLE s.t (id int); CREATE SCHEMA \"a.b\"; CREATE TABLE \"a.b\".\"c.d\" (id int)",
    );
    let catalogs = dump(&source, &["--table", "pg_catalog.pg_class"]).refused(2, &[]);
    catalogs.follows("name-schemas-of-database");
    dump(&source, &["--table", "s.t"]).expect_code(0);
    let hint = dump(&source, &["--schema", "a.b"]).refused(2, &[]).follows("quote-the-dot");
    let quoted = hint.split("--schema '").nth(1).expect("a pattern").trim_end_matches('\'');
    dump(&source, &["--schema", quoted]).expect_code(0);
    dump(&source, &["--table", "other.s.t"]).refused(2, &[]).follows("write-schema-dot-table");
    dump(&source, &["--table", "s.t"]).expect_code(0);
    dump(&source, &["--table", "a.b.c.d"]).refused(2, &[]).follows("schema-dot-table");
    dump(&source, &["--table", "\"a.b\".\"c.d\""]).expect_code(0);

    let source = mysql().database("patterns");
    source.sql("CREATE TABLE t (id int PRIMARY KEY)");
    dump(&source, &["--schema", "t"]).refused(2, &[]).follows("database-in-uri-tables-by-option");
    dump(&source, &["--exclude-table-data", "t"]).expect_code(0);
    dump(&source, &["--table", "mysql.user"]).refused(2, &[]).follows("tables-of-this-database");
    dump(&source, &["--table", "t"]).expect_code(0);
}

#[test]
fn options_that_do_not_fit_a_restore_are_others() {
    let source = mysql().database("options");
    source.sql("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let (_folder, archive) = dump_of(&source);
    let target = mysql().database("options_target");
    restore(&archive, &target, &["--exclude-extension", "x"]).refused(2, &[]).follows("leave-it-out");
    restore(&archive, &target, &["--schema", "s"]).refused(2, &[]).follows("tables-by-option-database-in-uri");
    restore(&archive, &target, &["--table", "t"]).expect_code(0);
    let together = restore(&archive, &target, &["--resume", "--clean", "schema", "--yes"]).refused(2, &[]);
    together.follows("give-one");
    restore(&archive, &target, &["--resume"]).expect_code(0);
    restore(&archive, &target, &["--clean", "schema", "--yes"]).expect_code(0);
    restore(&archive, &target, &["--data-only"]).refused(10, &[]).follows("into-non-empty");
    target.sql("DELETE FROM t");
    restore(&archive, &target, &["--data-only", "--into-non-empty"]).expect_code(0);

    let source = postgres15().database("options");
    source.sql(
        "CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY); CREATE TABLE u (id int); INSERT INTO s.t VALUES (1)",
    );
    let (_folder, archive) = dump_of(&source);
    let target = postgres15().database("options_target");
    restore(&archive, &target, &["--schema", "s", "--table", "u"]).refused(2, &[]).follows("schema-with-table");
    restore(&archive, &target, &["--schema", "s", "--table", "t", "--with-dependencies"]).expect_code(0);
    target.sql("DROP SCHEMA s CASCADE");
    restore(&archive, &target, &["--resume"]).refused(2, &[]).follows("restore-from-the-beginning");
    restore(&archive, &target, &[]).expect_code(0);
    restore(&archive, &target, &["--clean", "schema", "--yes"]).expect_code(0);
    target.sql("DELETE FROM s.t");
    restore(&archive, &target, &["--data-only"]).refused(10, &[]).follows("data-only-into-non-empty");
    restore(&archive, &target, &["--data-only", "--into-non-empty"]).expect_code(0);
}

#[test]
fn an_archive_that_is_not_found_is_looked_for_from_the_folder() {
    let source = mysql().database("path");
    let (folder, archive) = dump_of(&source);
    let verify = |from: &std::path::Path, path: &str| with_clients_of(mysql()).args(["verify", path]).cwd(from).run();
    let name = archive.file_name().expect("a name").to_str().expect("UTF-8");
    verify(std::path::Path::new("/"), name).refused(8, &[]).follows("check-its-path");
    verify(folder.path(), name).expect_code(0);
    verify(std::path::Path::new("/"), archive.to_str().expect("UTF-8")).expect_code(0);

    let target = mysql().database("path_target");
    let restore = |archive: &str| with_clients_of(mysql()).args(["restore", archive, &target.uri()]);
    restore("https://host/a.tar.gz").run().refused(2, &[]).follows("name-the-archive");
    restore("-").input_file(fs::File::open(&archive).expect("the archive")).run().expect_code(0);
    with_clients_of(mysql()).args(["restore", &target.uri()]).run().refused(2, &[]).follows("help-tells-arguments");
    let help = with_clients_of(mysql()).args(["restore", "--help"]).run().expect_code(0);
    assert!(help.text().contains("ARCHIVE") && help.text().contains("URI"), "{}", help.text());
}

#[test]
fn a_server_of_the_other_family_is_another_uri() {
    let (postgres, other) = (postgres15().database("family"), mysql().database("family"));
    postgres.sql("CREATE TABLE t (id int)");
    let archive = fixture("dumps/mysql-9.7.4.sql");
    restore(&archive, &postgres, &[]).refused(10, &[]).follows("server-of-same-family");
    restore(&archive, &other, &[]).expect_code(0);
    let copy = |from: &str, into: &str, more: &[&str]| {
        with_clients_of(postgres15()).args(["copy", from, into]).args(more).run()
    };
    copy(&postgres.uri(), &other.uri(), &[]).refused(10, &[]).follows("two-servers-of-a-family");
    let target = postgres15().database("family_target");
    copy(&postgres.uri(), &target.uri(), &[]).expect_code(0);
    copy(&postgres.uri(), &postgres.uri(), &["--clean", "schema", "--yes"]).refused(10, &[]).follows("another-target");
    let missing = format!("{}_made", postgres.name());
    copy(&postgres.uri(), &postgres15().uri(&missing), &["--create"]).expect_code(0);
    postgres15().sql(&format!("DROP DATABASE {missing}"));
}
