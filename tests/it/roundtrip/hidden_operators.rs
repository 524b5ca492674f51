//! Comparisons whose operator no dump can name: `IS DISTINCT FROM`, `NULLIF`, `CASE x WHEN`, `JOIN USING`.

use std::path::Path;

use crate::{
    roundtrip::{dumped, with_clients_of},
    support::{Database, Output, postgres15, postgres18},
};

const EVERYWHERE: &str = "
    CREATE EXTENSION citext; CREATE EXTENSION ltree; CREATE TABLE audit (n int);
    CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.audit VALUES (1); RETURN NULL; END$$;
    CREATE TABLE person (id int PRIMARY KEY, mail citext, n varchar,
        CONSTRAINT checked CHECK (NULLIF(mail, 'x') <> 'y'), CONSTRAINT rows_checked CHECK ((id, mail) <= (1, 'A')),
        g text GENERATED ALWAYS AS (CASE mail WHEN 'A' THEN 'x' ELSE 'y' END) STORED,
        d bool DEFAULT ('a'::citext IS DISTINCT FROM 'A'::citext));
    CREATE TABLE other (mail citext, id int, path ltree);
    CREATE VIEW joined AS SELECT id FROM person JOIN other USING (id, mail);
    CREATE MATERIALIZED VIEW kept AS SELECT mail IS NOT DISTINCT FROM 'q' AS q FROM person;
    CREATE INDEX indexed ON person ((mail IS DISTINCT FROM 'x'));
    CREATE INDEX part ON person (id) WHERE mail IS DISTINCT FROM 'z';
    CREATE DOMAIN checked AS citext CHECK (VALUE IS DISTINCT FROM 'x');
    CREATE POLICY seen ON person USING (mail IS DISTINCT FROM 'x');
    CREATE RULE ruled AS ON INSERT TO other WHERE NEW.mail IS DISTINCT FROM 'a' DO NOTHING;
    CREATE FUNCTION atomic() RETURNS bool BEGIN ATOMIC SELECT 'a'::citext IS DISTINCT FROM 'A'::citext; END;
    CREATE TRIGGER moved AFTER UPDATE ON other FOR EACH ROW WHEN (OLD.path IS DISTINCT FROM NEW.path) EXECUTE FUNCTION note_it();
    CREATE VIEW fine AS SELECT p.id FROM person p WHERE mail IN ('a', 'b') AND mail BETWEEN 'a' AND 'b' AND mail = ANY ('{a}')
        AND mail IN (SELECT mail FROM other) AND CASE id WHEN 1 THEN true END AND CASE n WHEN 'a' THEN true END
        AND id IS DISTINCT FROM 3 AND mail LIKE 'a' AND (mail, mail) < ('a', 'b') AND (id, n) < (2, 'a') AND (id, n) IN (SELECT 1, 'a');
    CREATE VIEW rowed AS SELECT id FROM person WHERE (mail, id) < ('a', 2);
    CREATE VIEW rows_in AS SELECT id FROM person WHERE (id, mail) NOT IN (SELECT id, mail FROM other);
    CREATE VIEW rows_is AS SELECT id FROM person WHERE (id, mail) = (SELECT id, mail FROM other LIMIT 1);
    CREATE FUNCTION defaulted(b bool DEFAULT 'a'::citext IS DISTINCT FROM 'A'::citext) RETURNS bool LANGUAGE sql AS 'SELECT b';
";

fn warnings(database: &Database<'_>, folder: &tempfile::TempDir) -> Vec<String> {
    let (_, result) = dumped(database, folder, &[]);
    let all = result["warnings"].as_array().expect("warnings").iter().map(|warning| warning.as_str().expect("text"));
    all.filter(|warning| warning.contains("compares with")).map(str::to_owned).collect()
}

#[test]
fn each_object_that_compares_so_is_named_at_the_dump() {
    for server in [postgres15(), postgres18()] {
        let source = server.database("hidden");
        source.sql(EVERYWHERE);
        let folder = tempfile::tempdir().expect("a folder");
        let seen = warnings(&source, &folder);
        let seen: Vec<_> = seen.iter().map(|warning| warning.split(": a dump").next().expect("text")).collect();
        let expected = [
            "domain constraint checked_check on public.checked compares with IS DISTINCT FROM by public.=",
            "function public.atomic() compares with IS DISTINCT FROM by public.=",
            "function public.defaulted(boolean) compares with IS DISTINCT FROM by public.=",
            "index public.indexed compares with IS DISTINCT FROM by public.=",
            "index public.part compares with IS DISTINCT FROM by public.=",
            "materialized view public.kept compares with IS DISTINCT FROM by public.=",
            "policy seen on public.person compares with IS DISTINCT FROM by public.=",
            "rule ruled on public.other compares with IS DISTINCT FROM by public.=",
            "table column public.person.d compares with IS DISTINCT FROM by public.=",
            "table column public.person.g compares with CASE x WHEN by public.=",
            "table constraint checked on public.person compares with NULLIF by public.=",
            "table constraint rows_checked on public.person compares with rows by public.<=",
            "trigger moved on public.other compares with IS DISTINCT FROM by public.=",
            "view public.joined compares with JOIN USING by public.=",
            "view public.rowed compares with rows by public.<",
            "view public.rows_in compares with rows by public.=",
            "view public.rows_is compares with rows by public.=",
        ];
        assert_eq!(seen, expected);
    }
}

fn restore(archive: &Path, target: &Database<'_>) -> Output {
    with_clients_of(target.server()).arg("restore").arg(archive).arg(target.uri()).run()
}

#[test]
fn a_restore_that_finds_no_operator_names_the_trigger_and_one_that_finds_another_is_told_by_verify() {
    for server in [postgres15(), postgres18()] {
        let source = server.database("hidden");
        source.sql(
            "CREATE EXTENSION ltree; CREATE TABLE node (id int PRIMARY KEY, path ltree); INSERT INTO node VALUES (1, 'a.b');
             CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
             CREATE TRIGGER node_path AFTER UPDATE ON node FOR EACH ROW WHEN (OLD.path IS DISTINCT FROM NEW.path) EXECUTE FUNCTION note_it()",
        );
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, _) = dumped(&source, &folder, &[]);
        let (plain, _) = dumped(&source, &folder, &["--format", "plain", "--name", "plain"]);
        for (archive, who) in [(&archive, "trigger node_path on public.node"), (&plain, "something in the dump")] {
            let target = server.database("back");
            let failed = restore(archive, &target).expect_code(7);
            for words in ["public.ltree = public.ltree", who, "OPERATOR(public.<>)", "rolled back"] {
                assert!(failed.stderr.contains(words), "{}", failed.stderr);
            }
            assert!(!failed.stderr.contains("ALTER FUNCTION"), "{}", failed.stderr);
            assert_eq!(target.sql("SELECT count(*) FROM pg_class WHERE relname = 'node'"), "0");
        }
        // The way out that is named.
        source.sql("DROP TRIGGER node_path ON node; CREATE TRIGGER node_path AFTER UPDATE ON node FOR EACH ROW WHEN (OLD.path OPERATOR(public.<>) NEW.path) EXECUTE FUNCTION note_it()");
        assert_eq!(warnings(&source, &folder), [""; 0]);
        let (archive, _) = dumped(&source, &folder, &["--name", "mended"]);
        restore(&archive, &server.database("back")).expect_code(0);

        let source = server.database("hidden");
        source.sql(
            "CREATE EXTENSION citext; CREATE TABLE person (id int PRIMARY KEY, mail citext); INSERT INTO person VALUES (1, 'a@b.c');
             CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
             CREATE TRIGGER person_mail AFTER UPDATE ON person FOR EACH ROW WHEN (OLD.mail IS DISTINCT FROM NEW.mail) EXECUTE FUNCTION note_it()",
        );
        let (archive, _) = dumped(&source, &folder, &["--name", "citext"]);
        let verify =
            with_clients_of(server).arg("verify").arg(&archive).args(["--restore-into", &server.uri("postgres")]);
        let differs = verify.run().expect_code(8);
        assert!(differs.stderr.contains("trigger") && differs.stderr.contains("person_mail"), "{}", differs.stderr);
    }
}

#[test]
fn rows_whose_operator_is_not_found_are_told_as_such_and_column_by_column_it_works() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, target) = (postgres15().database("hidden_rows"), postgres15().database("hidden_rows_target"));
    source.sql("CREATE EXTENSION citext; CREATE TABLE t (x int, m citext); INSERT INTO t VALUES (1, 'a')");
    source.sql("CREATE VIEW v AS SELECT x FROM t WHERE (m, x) <= ('A', 1)");
    let (archive, _) = dumped(&source, &folder, &["--name", "rows"]);
    let failed = restore(&archive, &target).refused(7, &["view public.v compares with ROW", "column by column"]);
    assert!(!failed.stderr.contains("ALTER FUNCTION"), "{}", failed.stderr);
    source.sql("CREATE OR REPLACE VIEW v AS SELECT x FROM t WHERE m < 'A' OR m = 'A' AND x <= 1");
    let (archive, _) = dumped(&source, &folder, &["--name", "columns"]);
    restore(&archive, &target).expect_code(0);
    assert_eq!(target.sql("SELECT x FROM v"), "1");
}
