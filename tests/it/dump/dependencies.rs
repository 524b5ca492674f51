//! A part of a database says what it lacks: at the dump, in the manifest, and before a restore begins.

mod mysql;

use std::path::Path;

use crate::{
    roundtrip::{dumped, manifest, member, restored, with_clients_of},
    support::{Database, Output, mariadb, mysql, names, postgres15, postgres18},
};

/// `dbhaul dump ARGS URI` into a folder of its own.
fn dump(source: &Database<'_>, uri: &str, args: &[&str]) -> (Output, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let to = format!("{}/", folder.path().display());
    let run = with_clients_of(source.server()).args(["dump", "--json", "--output", &to, uri]).args(args).run();
    (run, folder)
}

/// The same, refused in these words, with nothing published. What was said comes back.
fn refuses(source: &Database<'_>, uri: &str, args: &[&str], code: i32, words: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let to = format!("{}/", folder.path().display());
    let run = with_clients_of(source.server()).args(["dump", "--output", &to, uri]).args(args).run();
    let stderr = run.refused(code, words).stderr;
    assert_eq!(names(folder.path()), [""; 0], "{args:?}");
    stderr
}

#[test]
fn the_catalogs_of_postgresql_are_never_in_a_dump() {
    for server in [postgres15(), postgres18()] {
        let source = server.database("catalogs");
        source
            .sql("CREATE SCHEMA other; CREATE TABLE other.t (n int); CREATE TABLE t (n int); INSERT INTO t VALUES (1)");
        let folder = tempfile::tempdir().expect("a folder");
        for (n, args) in [
            &["--table", "*.*"][..],
            &["--table", "*"],
            &["--schema", "*"],
            &["--schema", "*", "--table", "t"],
            &["--exclude-table", "other.t", "--table", "*.*"],
            &["--table", "*.*", "--format", "plain"],
            &["--table", "*.*", "--jobs", "2"],
            &["--", "--table=*.*"],
            &["--", "-n", "*"],
        ]
        .into_iter()
        .enumerate()
        {
            let (archive, _) = dumped(&source, &folder, &[&["--name", &n.to_string()][..], args].concat());
            let tables = manifest(&archive)["tables"].to_string();
            assert!(
                tables.contains("\"t\"") && !tables.contains("pg_") && !tables.contains("sql_"),
                "{args:?}: {tables}"
            );
            let held = String::from_utf8_lossy(&member(&archive, "*/*sql*")).into_owned();
            assert!(!held.contains("pg_authid") && !held.contains("information_schema."), "{args:?}");
        }
        for (option, pattern) in [
            ("--table", "pg_catalog.pg_authid"),
            ("--table", "pg_authid"),
            ("--table", "information_schema.*"),
            ("--schema", "pg_catalog"),
            ("--schema", "pg_*"),
            ("--schema", "information_schema"),
        ] {
            let words = [pattern, "the server's own catalogs, which are never dumped", "hint: name schemas and tables"];
            refuses(&source, &source.uri(), &[option, pattern], 2, &words);
        }
    }
}

#[test]
fn the_databases_of_mysqls_own_are_no_part_of_a_dump() {
    for server in [mysql(), mariadb()] {
        let source = server.database("catalogs");
        source.sql("CREATE TABLE user (n INT); INSERT INTO user VALUES (1)");
        for pattern in ["mysql.user", "information_schema.tables", "performance_schema.*", "sys.*"] {
            let words = [pattern, "which is the server's own", source.name()];
            refuses(&source, &source.uri(), &["--table", pattern], 2, &words);
        }
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, _) = dumped(&source, &folder, &["--table", "*.*"]);
        assert_eq!(manifest(&archive)["tables"].as_array().expect("tables").len(), 1);
    }
}

/// A user with these rights on the database, by name and URI.
fn user(source: &Database<'_>, rights: &str) -> (String, String) {
    let name = format!("of_{}", source.name());
    source.sql(&format!(
        "CREATE USER {name} IDENTIFIED BY 'parts-7Q'; GRANT {rights} ON `{}`.* TO {name}",
        source.name()
    ));
    (source.server().uri_as(&name, "parts-7Q", source.name()), name)
}

const SHOP_MY: &str = "CREATE TABLE t (n INT PRIMARY KEY); INSERT INTO t VALUES (1); CREATE TABLE logs (n INT);
    CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @a = 1; CREATE PROCEDURE p() SELECT 1;
    CREATE EVENT e ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01' DO DELETE FROM logs";

#[test]
fn only_a_selection_that_leaves_the_very_thing_out_excuses_what_a_mysql_user_may_not_see() {
    for server in [mysql(), mariadb()] {
        let source = server.database("excuses");
        source.sql(SHOP_MY);
        let (uri, _) = user(&source, "SELECT, SHOW VIEW, LOCK TABLES");
        let (triggers, events, routines) = ("without TRIGGER", "without EVENT", "routines of other users");
        let all = [triggers, events, routines];
        for (args, lacks) in [
            (&[][..], &all[..]),
            (&["--exclude-table", "logs"], &all),
            (&["--exclude-table-data", "logs"], &all),
            (&["--schema-only"], &all),
            (&["--", "--compress"], &all),
            (&["--", "--where=n > 0"], &all),
            (&["--", "--skip-triggers"], &[events, routines]),
            (&["--", "--skip_events", "--routines=0"], &[triggers]),
            (&["--", "--skip-triggers", "--triggers", "--skip-events", "--skip-routines"], &[triggers]),
            (&["--table", "t"], &[triggers]),
            (&["--table", "t", "--jobs", "2"], &[triggers]),
            (&["--table", "t", "--", "--skip-triggers", "-R"], &[routines]),
        ] {
            let words = [lacks, &["nothing was started", "hint: GRANT", "--allow-incomplete"]].concat();
            let said = refuses(&source, &uri, args, 10, &words);
            for other in all.iter().filter(|what| !lacks.contains(what)) {
                assert!(!said.contains(other), "{args:?}: {other}");
            }
        }
        for args in [
            &["--table", "t", "--", "--skip-triggers"][..],
            &["--data-only"],
            &["--", "--skip-triggers", "--skip-events", "--skip-routines"],
        ] {
            let (run, _folder) = dump(&source, &uri, args);
            let run = run.expect_code(0);
            assert_eq!(run.json()["missing"], serde_json::json!([]), "{args:?}");
            assert!(!run.stderr.contains("can't be seen"), "{args:?}: {}", run.stderr);
        }
        let (run, _folder) = dump(&source, &uri, &["--exclude-table", "logs", "--allow-incomplete"]);
        assert_eq!(run.expect_code(0).json()["missing"].as_array().expect("a list").len(), 3);
    }
}

#[test]
fn a_right_on_one_table_is_enough_for_its_triggers() {
    for server in [mysql(), mariadb()] {
        let source = server.database("excuses");
        source.sql(SHOP_MY);
        let (uri, name) = user(&source, "SELECT, SHOW VIEW");
        source.sql(&format!("GRANT TRIGGER ON `{}`.t TO {name}", source.name()));
        let (run, _folder) = dump(&source, &uri, &["--table", "t"]);
        let archive = run.expect_code(0).json()["archive"].as_str().expect("a path").to_owned();
        let target = server.database("excuses");
        restored(archive.as_ref(), &target, &[]);
        let triggers = "SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema = DATABASE()";
        assert_eq!(target.sql(triggers), "1");
        refuses(&source, &uri, &["--table", "t", "--table", "logs"], 10, &["without TRIGGER"]);
    }
}

#[test]
fn a_mysql_table_that_may_not_be_read_is_excused_by_leaving_it_out_and_by_nothing_else() {
    for server in [mysql(), mariadb()] {
        let source = server.database("excuses");
        source.sql("CREATE TABLE t (n INT); CREATE TABLE closed (n INT); CREATE TABLE logs (n INT)");
        let (uri, name) = user(&source, "TRIGGER, EVENT, CREATE ROUTINE, INSERT");
        source.sql(&["t", "logs"].map(|t| format!("GRANT SELECT ON `{}`.{t} TO {name};", source.name())).concat());
        refuses(&source, &uri, &["--exclude-table", "logs"], 10, &["table closed may not be read"]);
        refuses(&source, &uri, &["--table", "t", "--table", "closed"], 10, &["table closed may not be read"]);
        let (run, _folder) = dump(&source, &uri, &["--table", "t", "--table", "logs"]);
        assert_eq!(run.expect_code(0).json()["missing"], serde_json::json!([]));
        // Others may be there that it does not see.
        refuses(&source, &uri, &["--exclude-table", "closed"], 10, &["only the tables that the user was granted"]);
    }
}

/// What `pg_dump` leaves out without a word is excused by no exclusion of tables.
#[test]
fn a_subscription_is_missed_although_a_table_is_left_out() {
    let server = postgres15();
    let source = server.database("subscribed");
    let (owner, subscription) = (format!("owner_{}", source.name()), format!("follows_{}", source.name()));
    source.sql(&format!(
        "CREATE ROLE {owner} LOGIN PASSWORD 'parts-7Q'; CREATE TABLE t (n int); CREATE TABLE logs (n int);
         ALTER TABLE t OWNER TO {owner}; ALTER TABLE logs OWNER TO {owner}"
    ));
    source.sql(&format!(
        "CREATE SUBSCRIPTION {subscription} CONNECTION 'dbname=none' PUBLICATION none WITH (connect = false, slot_name = NONE)"
    ));
    let uri = server.uri_as(&owner, "parts-7Q", source.name());
    let what = format!("subscription {subscription} is only dumped for a superuser");
    for args in [&[][..], &["--exclude-table", "logs"], &["--", "--verbose"]] {
        refuses(&source, &uri, args, 10, &[&what]);
    }
    for args in [&["--table", "t"][..], &["--schema", "public"], &["--", "--no-subscriptions"], &["--data-only"]] {
        let (run, _folder) = dump(&source, &uri, args);
        assert_eq!(run.expect_code(0).json()["missing"], serde_json::json!([]), "{args:?}");
    }
    source.sql(&format!("DROP SUBSCRIPTION {subscription}; DROP OWNED BY {owner}"));
    drop(source);
    server.sql(&format!("DROP ROLE {owner}"));
}

/// `dbhaul restore ARGS ARCHIVE URI`.
fn restore(archive: &Path, target: &Database<'_>, args: &[&str]) -> Output {
    with_clients_of(target.server()).arg("restore").args(args).arg(archive).arg(target.uri()).run()
}

/// What a manifest says that the part needs: `sequence public.numbers`.
fn needed(archive: &Path) -> Vec<String> {
    let manifest = manifest(archive);
    let all = manifest["dependencies"].as_array().expect("dependencies").iter();
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    let name = |d: &serde_json::Value| match d["schema"].as_str() {
        Some(schema) => format!("{} {schema}.{}", text(&d["kind"]), text(&d["name"])),
        None => format!("{} {}", text(&d["kind"]), text(&d["name"])),
    };
    all.map(name).collect()
}

const ORDERS: &str = "CREATE SEQUENCE hibernate_sequence START 50; CREATE SCHEMA lib; CREATE TYPE lib.mood AS ENUM ('ok');
    CREATE FUNCTION lib.f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1';
    CREATE TABLE orders (id bigint DEFAULT nextval('hibernate_sequence') PRIMARY KEY, m lib.mood, x int CHECK (lib.f(x) > 0));
    INSERT INTO orders(m, x) VALUES ('ok', 1); CREATE TABLE other (n int); INSERT INTO other VALUES (1)";

/// What is needed besides, made by hand.
const LIB: &str = "CREATE SCHEMA lib; CREATE TYPE lib.mood AS ENUM ('ok');
    CREATE FUNCTION lib.f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1'";

fn is_empty(target: &Database<'_>) {
    assert_eq!(
        target.sql("SELECT count(*) FROM pg_class WHERE relnamespace::regnamespace::text !~ '^pg_|^information'"),
        "0"
    );
}

#[test]
fn a_dump_of_a_table_brings_its_sequences_and_names_what_else_it_needs() {
    for server in [postgres15(), postgres18()] {
        let source = server.database("orders");
        source.sql(ORDERS);
        let folder = tempfile::tempdir().expect("a folder");
        for (n, args) in [
            &["--table", "orders"][..],
            &["--table", "orders", "--format", "plain"],
            &["--table", "orders", "--jobs", "2"],
        ]
        .into_iter()
        .enumerate()
        {
            let (archive, result) = dumped(&source, &folder, &[args, &["--name", &n.to_string()]].concat());
            assert_eq!(needed(&archive), ["function lib.f(integer)", "type lib.mood"], "{args:?}");
            let warnings = result["warnings"].to_string();
            for words in ["not in the dump: type lib.mood, which table public.orders needs", "function lib.f(integer)"]
            {
                assert!(warnings.contains(words), "{args:?}: {warnings}");
            }
            let inspected = with_clients_of(server).arg("inspect").arg(&archive).run().expect_code(0);
            assert!(
                inspected.text().contains("type lib.mood, which table public.orders needs"),
                "{}",
                inspected.text()
            );
            let target = server.database("orders");
            let words = ["function lib.f(integer)", "type lib.mood", "table public.orders", "nothing was changed"];
            restore(&archive, &target, &[]).refused(10, &words).follows("make-these-first");
            restore(&archive, &target, &["--dry-run"]).refused(10, &words);
            is_empty(&target);
            // As the hint says; what is needed there makes no target full.
            target.sql(LIB);
            restored(&archive, &target, &[]);
            assert_eq!(target.sql("SELECT count(*), nextval('hibernate_sequence') FROM orders"), "1\t51", "{args:?}");
            restore(&archive, &target, &[]).refused(10, &["the target is not empty"]);
            // What goes with the old content is not there any more.
            restore(&archive, &target, &["--clean", "schema", "--yes"]).refused(10, &["type lib.mood"]);
            assert_eq!(target.sql("SELECT count(*) FROM orders"), "1", "{args:?}");
        }
        let (plan, _) = dump(&source, &source.uri(), &["--table", "orders", "--dry-run"]);
        let plan = plan.expect_code(0);
        assert!(plan.text().contains("hibernate_sequence") && plan.stderr.contains("type lib.mood"), "{plan:?}");
        // A sequence that is left out by name stays out.
        let args = ["--table", "orders", "--exclude-table", "hibernate*", "--name", "without"];
        let (archive, _) = dumped(&source, &folder, &args);
        assert!(needed(&archive).contains(&"sequence public.hibernate_sequence".to_owned()), "{:?}", needed(&archive));
    }
}

#[test]
fn a_dump_of_a_schema_names_what_it_needs_of_others() {
    for server in [postgres15(), postgres18()] {
        let source = server.database("orders");
        source.sql(ORDERS);
        let folder = tempfile::tempdir().expect("a folder");
        for (n, args) in
            [&["--schema", "public"][..], &["--exclude-schema", "lib"], &["--schema", "public", "--format", "plain"]]
                .into_iter()
                .enumerate()
        {
            let (archive, _) = dumped(&source, &folder, &[args, &["--name", &n.to_string()]].concat());
            assert_eq!(needed(&archive), ["function lib.f(integer)", "type lib.mood"], "{args:?}");
            let target = server.database("orders");
            restore(&archive, &target, &[])
                .refused(10, &["function lib.f(integer)", "type lib.mood", "nothing was changed"]);
            is_empty(&target);
            target.sql(LIB);
            restored(&archive, &target, &[]);
            assert_eq!(target.sql("SELECT count(*), nextval('hibernate_sequence') FROM orders"), "1\t51", "{args:?}");
        }
        // A whole dump says nothing.
        let (archive, _) = dumped(&source, &folder, &["--name", "whole", "--exclude-table-data", "other"]);
        assert_eq!(manifest(&archive).get("dependencies"), None);
        restored(&archive, &server.database("orders"), &[]);
    }
}

#[test]
fn a_table_of_a_whole_archive_brings_what_it_needs_or_names_it() {
    for server in [postgres15(), postgres18()] {
        let source = server.database("orders");
        source.sql(ORDERS);
        let folder = tempfile::tempdir().expect("a folder");
        let (custom, _) = dumped(&source, &folder, &["--name", "custom"]);
        let (plain, _) = dumped(&source, &folder, &["--format", "plain", "--name", "plain"]);
        let directory = folder.path().join("directory");
        let dump =
            source.client("pg_dump").args(["--format=directory", "--no-owner", "--file"]).arg(&directory).status();
        assert!(dump.expect("run pg_dump").success());
        for archive in [&custom, &plain, &directory] {
            let name = archive.display();
            let target = server.database("orders");
            let words = [
                "sequence public.hibernate_sequence",
                "type lib.mood",
                "function lib.f(integer)",
                "--with-dependencies",
            ];
            restore(archive, &target, &["--table", "orders"]).refused(10, &words);
            is_empty(&target);
            let result = restored(archive, &target, &["--table", "orders", "--with-dependencies"]);
            assert_eq!(result["rows"], 1, "{name}");
            assert_eq!(target.sql("SELECT count(*), nextval('hibernate_sequence') FROM orders"), "1\t51", "{name}");
            assert_eq!(target.sql("SELECT count(*) FROM pg_class WHERE relname = 'other'"), "0", "{name}");
        }
        let target = server.database("orders");
        restored(&custom, &target, &["--table", "orders", "--with-dependencies", "--jobs", "2"]);
        assert_eq!(target.sql("SELECT count(*), nextval('hibernate_sequence') FROM orders"), "1\t51");
    }
}

/// What a rule and a policy name comes, too, with its rows.
#[test]
fn rules_policies_and_triggers_of_a_part_bring_their_tables() {
    for server in [postgres15(), postgres18()] {
        let source = server.database("ruled");
        source.sql(
            "CREATE SCHEMA lib; CREATE TABLE lib.log (i int); CREATE TABLE lib.allowed (i int); INSERT INTO lib.allowed VALUES (7);
             CREATE FUNCTION lib.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
             CREATE TABLE main (i int); INSERT INTO main VALUES (1); CREATE TABLE other (i int); INSERT INTO lib.log VALUES (8);
             CREATE TRIGGER tr AFTER INSERT ON main FOR EACH ROW EXECUTE FUNCTION lib.f(); ALTER TABLE main DISABLE TRIGGER tr;
             CREATE RULE ru AS ON INSERT TO main DO ALSO INSERT INTO lib.log VALUES (NEW.i);
             CREATE POLICY po ON main USING (EXISTS (SELECT 1 FROM lib.allowed a WHERE a.i = main.i))",
        );
        let folder = tempfile::tempdir().expect("a folder");
        let (custom, _) = dumped(&source, &folder, &["--name", "custom"]);
        let (plain, _) = dumped(&source, &folder, &["--format", "plain", "--name", "plain"]);
        let part = ["--table", "main", "--with-dependencies"];
        let check = |target: &Database<'_>, how: &str| {
            let holds = "SELECT (SELECT i FROM lib.allowed), (SELECT i FROM lib.log), (SELECT count(*) FROM pg_policy), \
                         (SELECT count(*) FROM pg_rewrite WHERE rulename = 'ru'), (SELECT tgenabled FROM pg_trigger), \
                         (SELECT i FROM main), to_regclass('other')";
            assert_eq!(target.sql(holds), "7\t8\t1\t1\tD\t1\t", "{how}");
        };
        for archive in [&custom, &plain] {
            let target = server.database("ruled");
            restored(archive, &target, &part);
            check(&target, &archive.display().to_string());
        }
        for jobs in ["1", "2"] {
            let target = server.database("ruled");
            let copy = with_clients_of(server).args(["copy", &source.uri(), &target.uri(), "--jobs", jobs]).args(part);
            copy.run().expect_code(0);
            check(&target, jobs);
        }
    }
}

#[test]
fn a_copy_of_a_part_brings_what_it_needs_or_names_it() {
    for server in [postgres15(), postgres18()] {
        let source = server.database("orders");
        source.sql(ORDERS);
        source.sql("CREATE TABLE people (id int PRIMARY KEY); INSERT INTO people VALUES (7); ALTER TABLE orders ADD p int REFERENCES people");
        let copy = |target: &Database<'_>, args: &[&str]| {
            with_clients_of(server).args(["copy", &source.uri(), &target.uri()]).args(args).run()
        };
        for part in [&["--table", "orders"][..], &["--table", "orders", "--jobs", "2"]] {
            let target = server.database("orders");
            copy(&target, part).refused(10, &["type lib.mood", "function lib.f(integer)", "nothing was changed"]);
            is_empty(&target);
            copy(&target, &[part, &["--with-dependencies"]].concat()).expect_code(0);
            assert_eq!(target.sql("SELECT count(*), nextval('hibernate_sequence') FROM orders"), "1\t51", "{part:?}");
            assert_eq!(target.sql("SELECT id FROM people"), "7", "{part:?}");
            assert_eq!(target.sql("SELECT count(*) FROM pg_class WHERE relname = 'other'"), "0", "{part:?}");
            // What it needs is there: the key to the table that does not come is left out, and named.
            let target = server.database("orders");
            target.sql(LIB);
            let output = copy(&target, &[part, &["--into-non-empty"]].concat()).expect_code(0);
            assert!(output.stderr.contains("fk constraint public.orders orders_p_fkey"), "{}", output.stderr);
            assert_eq!(target.sql("SELECT count(*) FROM orders"), "1", "{part:?}");
        }
        let target = server.database("orders");
        copy(&target, &["--exclude-schema", "lib", "--with-dependencies"]).expect_code(0);
        assert_eq!(target.sql("SELECT count(*), nextval('hibernate_sequence') FROM orders, other"), "1\t51");
    }
}

#[test]
fn an_extension_in_an_excluded_schema_is_named_with_who_uses_it() {
    for server in [postgres15(), postgres18()] {
        let source = server.database("citext");
        source.sql(
            "CREATE SCHEMA extensions; CREATE EXTENSION citext SCHEMA extensions;
             CREATE TABLE t (c extensions.citext); INSERT INTO t VALUES ('a')",
        );
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, result) = dumped(&source, &folder, &["--exclude-schema", "extensions"]);
        let warning = "not in the dump: schema extensions, which extension citext, table public.t need";
        assert!(result["warnings"].to_string().contains(warning), "{result}");
        let target = server.database("citext");
        let words = [
            "schema extensions",
            "extension citext",
            "hint: make it in the target first: CREATE SCHEMA \"extensions\"",
        ];
        restore(&archive, &target, &[]).refused(10, &words).follows("create-schema-first");
        target.sql("CREATE SCHEMA extensions");
        restored(&archive, &target, &[]);
        assert_eq!(target.sql("SELECT count(*) FROM t WHERE c::text = 'a'"), "1");

        let (archive, _) = dumped(&source, &folder, &["--table", "t", "--name", "one"]);
        let target = server.database("citext");
        restore(&archive, &target, &[])
            .refused(10, &["extension citext, which table public.t needs", "CREATE EXTENSION \"citext\""]);
        target.sql("CREATE SCHEMA extensions; CREATE EXTENSION citext SCHEMA extensions");
        restored(&archive, &target, &["--into-non-empty"]);
        let (whole, _) = dumped(&source, &folder, &["--name", "whole"]);
        let target = server.database("citext");
        restore(&whole, &target, &["--table", "t"]).refused(10, &["extension citext", "--with-dependencies"]);
        restored(&whole, &target, &["--table", "t", "--with-dependencies"]);
        assert_eq!(target.sql("SELECT count(*) FROM t WHERE c::text = 'a'"), "1");
    }
}

#[test]
fn a_view_without_its_table_is_named_at_the_dump_and_before_the_restore() {
    for server in [postgres15(), postgres18()] {
        let source = server.database("views");
        source.sql("CREATE TABLE p (n int); INSERT INTO p VALUES (1); CREATE VIEW v AS SELECT n FROM p; CREATE VIEW w AS SELECT n FROM v");
        let folder = tempfile::tempdir().expect("a folder");
        for (args, lacks) in [
            (&["--exclude-table", "p"][..], "table public.p, which view public.v needs"),
            (&["--table", "v"], "table public.p, which view public.v needs"),
            (&["--table", "w"], "view public.v, which view public.w needs"),
        ] {
            let (archive, result) =
                dumped(&source, &folder, &[args, &["--name", &args.concat().replace("--", "")]].concat());
            assert!(result["warnings"].to_string().contains(&format!("not in the dump: {lacks}")), "{result}");
            let target = server.database("views");
            let refused = restore(&archive, &target, &[]).refused(10, &[lacks, "nothing was changed"]);
            assert!(!refused.stderr.contains("changed while"), "{}", refused.stderr);
            let verify =
                with_clients_of(server).arg("verify").arg(&archive).args(["--restore-into", &server.uri("postgres")]);
            verify.run().refused(10, &[lacks]);
        }
        let (whole, _) = dumped(&source, &folder, &["--name", "whole"]);
        let target = server.database("views");
        restore(&whole, &target, &["--table", "w"]).refused(10, &["view public.v, which view public.w needs"]);
        restored(&whole, &target, &["--table", "w", "--with-dependencies"]);
        assert_eq!(target.sql("SELECT n FROM w"), "1");
    }
}

#[test]
fn everything_that_a_table_may_need_is_named() {
    for server in [postgres15(), postgres18()] {
        let source = server.database("needs");
        source.sql(
            "CREATE SCHEMA x; CREATE EXTENSION btree_gist SCHEMA x; CREATE COLLATION x.german (provider = icu, locale = 'de');
             CREATE DOMAIN x.word AS text COLLATE x.german; CREATE TYPE x.pair AS (a int, b text);
             CREATE FUNCTION x.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;
             CREATE FUNCTION x.seen(text) RETURNS bool LANGUAGE sql AS 'SELECT true';
             CREATE TEXT SEARCH CONFIGURATION x.simple (COPY = simple); CREATE TABLE x.base (b int); CREATE SEQUENCE x.numbers;
             CREATE TABLE x.users (id serial PRIMARY KEY); CREATE TABLE x.parted (n int) PARTITION BY RANGE (n);
             CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, s serial, w x.word, p x.pair[], k int DEFAULT nextval('x.numbers'),
                g tsvector GENERATED ALWAYS AS (to_tsvector('x.simple', 'a')) STORED, u int REFERENCES x.users) INHERITS (x.base);
             CREATE INDEX ON t USING gist (k); CREATE TRIGGER touch BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION x.touch();
             CREATE POLICY seen ON t USING (x.seen(w)); CREATE TABLE part PARTITION OF x.parted FOR VALUES FROM (0) TO (10);
             INSERT INTO t (w) VALUES ('a'); INSERT INTO part VALUES (1)",
        );
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, _) = dumped(&source, &folder, &["--table", "t", "--table", "part"]);
        let expected = [
            "collation x.german",
            "domain x.word",
            "extension btree_gist",
            "function x.seen(text)",
            "function x.touch()",
            "schema x",
            "table x.base",
            "table x.parted",
            "table x.users",
            "text search configuration x.simple",
            "type x.pair",
        ];
        assert_eq!(needed(&archive), expected);
        let (archive, _) = dumped(&source, &folder, &["--schema", "public", "--name", "schema"]);
        assert!(needed(&archive).contains(&"sequence x.numbers".to_owned()), "{:?}", needed(&archive));
        let target = server.database("needs");
        restore(&archive, &target, &[])
            .refused(10, &["domain x.word", "function x.touch()", "table x.base", "table x.parted", "type x.pair"]);
        is_empty(&target);
        // Of the whole, all of it comes.
        let (whole, _) = dumped(&source, &folder, &["--name", "whole"]);
        restored(&whole, &target, &["--table", "t", "--with-dependencies"]);
        assert_eq!(target.sql("SELECT w, k, s FROM t"), "a\t1\t1");
        let there = "SELECT to_regclass('x.users') IS NOT NULL, to_regclass('part') IS NULL, count(*) FROM pg_constraint WHERE conname = 't_u_fkey'";
        assert_eq!(target.sql(there), "t\tt\t1");
    }
}

#[test]
fn a_foreign_key_without_its_other_side_is_left_out_and_named() {
    for server in [postgres15(), postgres18()] {
        let source = server.database("keys");
        source.sql(
            "CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users VALUES (1); CREATE TABLE orders (id int PRIMARY KEY, u int REFERENCES users);
             COMMENT ON CONSTRAINT orders_u_fkey ON orders IS 'theirs'; CREATE INDEX orders_u ON orders (u); INSERT INTO orders VALUES (1, 1)",
        );
        let folder = tempfile::tempdir().expect("a folder");
        for format in ["custom", "plain"] {
            let args = ["--table", "orders", "--format", format, "--keep-comments", "--name", format];
            let (archive, result) = dumped(&source, &folder, &args[..if format == "plain" { 7 } else { 4 }]);
            let key = "fk constraint public.orders orders_u_fkey";
            assert!(
                result["warnings"].to_string().contains(&format!("table public.users, which {key} needs")),
                "{result}"
            );
            let target = server.database("keys");
            let restored_one = restored(&archive, &target, &[]);
            assert!(restored_one["notes"].to_string().contains(key), "{restored_one}");
            let keys = "SELECT count(*) FROM orders JOIN pg_constraint ON contype = 'f'";
            assert_eq!(
                target.sql("SELECT count(*), (SELECT count(*) FROM pg_constraint WHERE contype = 'f') FROM orders"),
                "1\t0"
            );
            assert_eq!(target.sql("SELECT count(*) FROM pg_indexes WHERE indexname = 'orders_u'"), "1");
            let verify = with_clients_of(server)
                .args(["verify", "--json"])
                .arg(&archive)
                .args(["--restore-into", &server.uri("postgres")]);
            let verified = verify.run().expect_code(0).json();
            assert!(verified["restored"]["not_compared"].to_string().contains("foreign keys"), "{verified}");
            // Where the other side is, the key comes.
            let target = server.database("keys");
            target.sql("CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users VALUES (1)");
            restored(&archive, &target, &["--into-non-empty"]);
            assert_eq!(target.sql(keys), "1");
            std::fs::remove_file(&archive).expect("remove it");
        }
    }
}

#[test]
fn partitions_that_are_left_out_with_their_rows_are_named() {
    for server in [postgres15(), postgres18()] {
        let source = server.database("parted");
        source.sql(
            "CREATE TABLE logs (n int) PARTITION BY RANGE (n); CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM (0) TO (10);
             CREATE TABLE logs_2 PARTITION OF logs FOR VALUES FROM (10) TO (20); INSERT INTO logs VALUES (1), (11)",
        );
        let (run, _folder) = dump(&source, &source.uri(), &["--table", "logs", "--table", "logs_1"]);
        let run = run.expect_code(0);
        assert!(run.stderr.contains("partitions of chosen tables, and their rows: public.logs_2"), "{}", run.stderr);
        let (run, _folder) = dump(&source, &source.uri(), &["--table", "logs*"]);
        let run = run.expect_code(0);
        assert!(!run.stderr.contains("not in the dump"), "{}", run.stderr);
    }
}
