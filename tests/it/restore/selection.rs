//! A restore of a part of a dump: `--table`, `--schema`, `--exclude-table-data`, from every form of archive.

use std::{fs, path::Path, process::Stdio};

use crate::{
    roundtrip::{dumped, restored, with_clients_of},
    support::{Database, Output, mariadb, mysql, names, postgres15, postgres18},
};

fn restore(archive: &Path, target: &Database<'_>, args: &[&str]) -> Output {
    with_clients_of(target.server()).arg("restore").args(args).arg(archive).arg(target.uri()).run()
}

const SHOP: &str = r#"
    CREATE SCHEMA sales; COMMENT ON SCHEMA sales IS 'what was sold'; CREATE TYPE sales.mood AS ENUM ('good', 'bad');
    CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL); COMMENT ON TABLE users IS 'people';
    COMMENT ON COLUMN users.name IS 'theirs';
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
SET LOCAL work_mem = '1MB';
-- Name: users; Type: TABLE; Schema: public; Owner: -
RETURN new; END $$;
    CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_id int REFERENCES users, parent int REFERENCES orders, note text DEFAULT 'public.users');
    CREATE INDEX orders_note ON orders (lower(note)); COMMENT ON INDEX orders_note IS 'an index';
    CREATE TRIGGER orders_touch BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION touch();
    CREATE STATISTICS orders_stats ON user_id, parent FROM orders;
    ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON orders USING (user_id > 0);
    CREATE RULE never AS ON DELETE TO orders DO INSTEAD NOTHING;
    CREATE TABLE sales.moods (id int PRIMARY KEY, mood sales.mood, order_id int REFERENCES orders);
    CREATE TABLE sales.users (id int, "odd ""name""" text); CREATE VIEW sales.happy AS SELECT * FROM sales.moods WHERE mood = 'good';
    CREATE SEQUENCE sales.numbers START 7; SELECT nextval('sales.numbers');
    CREATE TABLE logs (id int PRIMARY KEY, day date) PARTITION BY RANGE (id);
    CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM (0) TO (10); CREATE TABLE logs_2 PARTITION OF logs FOR VALUES FROM (10) TO (20);
    INSERT INTO users (name) SELECT 'user ' || i FROM generate_series(1, 50) i;
    INSERT INTO orders (user_id, parent) SELECT i, i FROM generate_series(1, 40) i;
    INSERT INTO sales.moods SELECT i, 'good', i FROM generate_series(1, 20) i; INSERT INTO sales.users VALUES (1, 'x');
    INSERT INTO logs SELECT i, '2020-01-01' FROM generate_series(1, 15) i;
"#;

/// A dump of the shop in every form that a restore takes.
fn archives(source: &Database<'_>, folder: &tempfile::TempDir) -> Vec<std::path::PathBuf> {
    let (custom, _) = dumped(source, folder, &["--name", "custom"]);
    let (plain, _) = dumped(source, folder, &["--format", "plain", "--keep-comments", "--name", "plain"]);
    let directory = folder.path().join("directory");
    let dump = source.client("pg_dump").args(["--format=directory", "--no-owner", "--file"]).arg(&directory).status();
    assert!(dump.expect("run pg_dump").success());
    vec![custom, plain, directory]
}

/// Tables, then everything else that the target has, by name.
fn holds(target: &Database<'_>) -> String {
    target.sql(
        "SELECT string_agg(what, ' ' ORDER BY what COLLATE \"C\") FROM (
            SELECT CASE relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' ELSE 'index' END
                || ':' || relnamespace::regnamespace || '.' || relname AS what
                FROM pg_class WHERE relnamespace::regnamespace::text IN ('public', 'sales') AND relkind IN ('r', 'p', 'v', 'S', 'i', 'I')
            UNION ALL SELECT 'key:' || conname FROM pg_constraint WHERE contype = 'f'
            UNION ALL SELECT 'trigger:' || tgname FROM pg_trigger WHERE NOT tgisinternal
            UNION ALL SELECT 'policy:' || polname FROM pg_policy
            UNION ALL SELECT 'rule:' || rulename FROM pg_rules WHERE schemaname IN ('public', 'sales')
            UNION ALL SELECT 'statistics:' || stxname FROM pg_statistic_ext
            UNION ALL SELECT 'comment:' || description FROM pg_description WHERE objoid > 16383
            UNION ALL SELECT 'type:' || typname FROM pg_type WHERE typtype = 'e'
        ) AS everything",
    )
}

#[test]
fn a_table_comes_with_all_that_belongs_to_it_from_every_form() {
    for server in [postgres15(), postgres18()] {
        let source = server.database("shop");
        source.sql(SHOP);
        let folder = tempfile::tempdir().expect("a folder");
        for archive in archives(&source, &folder) {
            let name = archive.display();
            let target = server.database("one");
            restored(&archive, &target, &["--table", "public.users"]);
            assert_eq!(
                holds(&target),
                "comment:people comment:theirs index:public.users_pkey sequence:public.users_id_seq table:public.users",
                "{name}"
            );
            assert_eq!(target.sql("SELECT count(*), nextval('users_id_seq') FROM users"), "50\t51", "{name}");

            // A key to a table that is not chosen stays behind, and is named; one to itself comes along.
            let target = server.database("one");
            target.sql("CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$");
            let result = restored(&archive, &target, &["--into-non-empty", "--table", "orders"]);
            assert_eq!(
                holds(&target),
                "comment:an index index:public.orders_note index:public.orders_pkey key:orders_parent_fkey policy:own rule:never \
                 sequence:public.orders_id_seq statistics:orders_stats table:public.orders trigger:orders_touch",
                "{name}"
            );
            let notes = result["notes"].to_string();
            assert!(notes.contains("fk constraint public.orders orders_user_id_fkey"), "{name}: {notes}");
            assert_eq!((&result["tables"], &result["rows"]), (&1.into(), &40.into()), "{name}");
            assert_eq!(target.sql("SELECT relrowsecurity FROM pg_class WHERE relname = 'orders'"), "t", "{name}");
            target.sql("INSERT INTO orders (note) VALUES ('x')");
            assert_eq!(target.sql("SELECT max(id) FROM orders"), "41", "{name}");

            // Together with its table it comes.
            let target = server.database("one");
            target.sql("CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$");
            restored(&archive, &target, &["--into-non-empty", "--table", "orders", "--table", "public.users"]);
            assert!(holds(&target).contains("key:orders_user_id_fkey"), "{name}");

            // Partitions come with their table; one of them alone is a table of its own.
            let target = server.database("one");
            restored(&archive, &target, &["--table", "logs"]);
            assert_eq!(target.sql("SELECT count(*) FROM logs"), "15", "{name}");
            assert_eq!(
                target.sql("SELECT bool_and(indisvalid) FROM pg_index WHERE indrelid = 'logs'::regclass"),
                "t",
                "{name}"
            );
            let target = server.database("one");
            restored(&archive, &target, &["--table", "logs_2"]);
            assert_eq!(holds(&target), "index:public.logs_2_pkey table:public.logs_2", "{name}");
        }
    }
}

#[test]
fn a_schema_comes_whole_and_only_it_from_every_form() {
    for server in [postgres15(), postgres18()] {
        let source = server.database("shop");
        source.sql(SHOP);
        let folder = tempfile::tempdir().expect("a folder");
        for archive in archives(&source, &folder) {
            let name = archive.display();
            let target = server.database("schema");
            let result = restored(&archive, &target, &["--schema", "sales"]);
            assert_eq!(
                holds(&target),
                "comment:what was sold index:sales.moods_pkey sequence:sales.numbers table:sales.moods table:sales.users \
                 type:mood view:sales.happy",
                "{name}"
            );
            assert!(result["notes"].to_string().contains("moods_order_id_fkey"), "{name}: {result}");
            assert_eq!(target.sql("SELECT (SELECT count(*) FROM sales.happy), nextval('sales.numbers')"), "20\t8");
            // With --table: where it is looked for.
            let target = server.database("schema");
            target.sql("CREATE SCHEMA sales");
            restored(&archive, &target, &["--into-non-empty", "--schema", "sales", "--table", "users"]);
            assert_eq!(holds(&target), "table:sales.users", "{name}");
        }
    }
}

#[test]
fn rows_that_are_left_out_leave_the_table_and_its_keys_behind_them() {
    let server = postgres15();
    let source = server.database("shop");
    source.sql(SHOP);
    let folder = tempfile::tempdir().expect("a folder");
    for archive in archives(&source, &folder) {
        let name = archive.display();
        let target = server.database("empty");
        let result =
            restored(&archive, &target, &["--exclude-table-data", "public.users", "--exclude-table-data", "logs"]);
        let counts = "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM orders), (SELECT count(*) FROM logs), \
            (SELECT count(*) FROM sales.users)";
        assert_eq!(target.sql(counts), "0\t40\t0\t1", "{name}");
        // 20 of sales.moods besides.
        assert_eq!(result["rows"], 61, "{name}");
        let (all, left) = (holds(&source), holds(&target));
        assert_eq!(left, all.replace("key:orders_user_id_fkey ", ""), "{name}");
        assert!(result["notes"].to_string().contains("point at rows that are left out"), "{name}: {result}");
    }
}

#[test]
fn names_that_match_nothing_are_2_with_near_ones_and_change_nothing() {
    let server = postgres15();
    let source = server.database("shop");
    source.sql(SHOP);
    let folder = tempfile::tempdir().expect("a folder");
    for archive in archives(&source, &folder) {
        let target = server.database("nothing");
        for (option, wanted, near) in [
            ("--table", "user", "hint: near: public.users, sales.users"),
            ("--table", "Orders", "hint: near: public.orders"),
            ("--table", "nowhere", "names are literal"),
            ("--schema", "sale", "hint: near: sales"),
            ("--exclude-table-data", "sales.mood", "hint: near: sales.moods"),
        ] {
            restore(&archive, &target, &[option, wanted]).refused(2, &[option, wanted, near, "nothing was changed"]);
        }
        restore(&archive, &target, &["--schema", "sales", "--table", "orders"]).refused(2, &["not in the schemas"]);
        assert_eq!(holds(&target), "");
    }
}

const SHOP_MY: &str = "CREATE TABLE a_first (id int PRIMARY KEY, t text); CREATE TABLE users (id int PRIMARY KEY AUTO_INCREMENT, name text);
    CREATE TABLE orders (id int PRIMARY KEY, user_id int, KEY k (user_id), FOREIGN KEY (user_id) REFERENCES users (id));
    CREATE TABLE z_last (id int PRIMARY KEY, t longtext); CREATE VIEW happy AS SELECT * FROM users;
    INSERT INTO a_first VALUES (1, 'INSERT INTO `users` VALUES'); INSERT INTO users VALUES (1, 'a'), (2, 'b'); INSERT INTO orders VALUES (1, 1), (2, 2);
    INSERT INTO z_last VALUES (1, REPEAT('z', 100000));
    CREATE TRIGGER touch BEFORE INSERT ON orders FOR EACH ROW SET NEW.id = NEW.id + 1;";

#[test]
fn mysqls_tables_are_chosen_and_emptied() {
    for server in [mysql(), mariadb()] {
        let source = server.database("shop");
        source.sql(SHOP_MY);
        let folder = tempfile::tempdir().expect("a folder");
        let (ours, _) = dumped(&source, &folder, &[]);
        let bare = folder.path().join("bare.sql");
        let program = names(&server.client_dir())
            .into_iter()
            .find(|n| n == "mariadb-dump")
            .filter(|_| server.uri("x").starts_with("maria"));
        let mut dump = server.client(program.as_deref().unwrap_or("mysqldump"));
        let file = fs::File::create(&bare).expect("a file");
        let made = dump.arg(source.name()).stdout(Stdio::from(file)).status().expect("run it");
        assert!(made.success());
        for archive in [&ours, &bare] {
            let name = archive.display();
            let tables = "SELECT GROUP_CONCAT(table_name ORDER BY table_name) FROM information_schema.tables WHERE table_schema = DATABASE()";
            let target = server.database("chosen");
            let result = restored(archive, &target, &["--table", "orders"]);
            assert_eq!(target.sql(tables), "orders", "{name}");
            assert_eq!(target.sql("SELECT GROUP_CONCAT(id) FROM orders"), "1,2", "{name}");
            assert_eq!(
                target.sql("SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema = DATABASE()"),
                "1",
                "{name}"
            );
            assert!(result["notes"].to_string().contains("orders points at users"), "{name}: {result}");
            // What comes behind the table is not read.
            let (bytes, read) =
                (result["bytes"].as_u64().expect("a number"), result["bytes_read"].as_u64().expect("a number"));
            assert!(bytes > 100_000 && read < bytes - 100_000, "{name}: {result}");

            let target = server.database("emptied");
            restored(archive, &target, &["--exclude-table-data", "users"]);
            assert_eq!(target.sql(tables), "a_first,happy,orders,users,z_last", "{name}");
            assert_eq!(
                target.sql(
                    "SELECT (SELECT COUNT(*) FROM users), (SELECT COUNT(*) FROM orders), (SELECT COUNT(*) FROM z_last)"
                ),
                "0\t2\t1"
            );

            let target = server.database("refused");
            restore(archive, &target, &["--schema", "shop"])
                .refused(2, &["--schema", "MySQL has no schemas", "nothing was changed"]);
            restore(archive, &target, &["--table", "user"]).refused(2, &["--table user", "hint: near: users"]);
            restore(archive, &target, &["--exclude-table-data", "Orders"]).refused(2, &["hint: near: orders"]);
        }
    }
}

/// The archive is checked to its end; then only what the table needs is read.
#[test]
fn a_table_of_a_large_dump_is_restored_without_decoding_the_rest() {
    let server = postgres15();
    let source = server.database("large");
    source.sql(
        "CREATE TABLE a (id int, t text); CREATE TABLE b (id int PRIMARY KEY); CREATE TABLE c (id int, t text);
         INSERT INTO a SELECT i, repeat(md5(i::text), 10) FROM generate_series(1, 20000) i; INSERT INTO c SELECT * FROM a;
         INSERT INTO b SELECT generate_series(1, 100)",
    );
    let folder = tempfile::tempdir().expect("a folder");
    for archive in &archives(&source, &folder)[..2] {
        let target = server.database("b");
        let result = restored(archive, &target, &["--table", "b"]);
        assert_eq!(target.sql("SELECT count(*) FROM b"), "100");
        let (bytes, read) =
            (result["bytes"].as_u64().expect("a number"), result["bytes_read"].as_u64().expect("a number"));
        assert!(bytes > 10_000_000 && read < 20_000, "{}: {read} of {bytes}", archive.display());
    }
}

#[test]
fn a_newer_pg_restore_chooses_on_its_way_through_psql() {
    let (newer, older) = (postgres18(), postgres15());
    let source = newer.database("shop");
    source.sql(SHOP);
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    let target = older.database("older");
    let output = crate::support::dbhaul()
        .client_dirs([newer.client_dir()])
        .args(["restore", "--table", "public.users"])
        .arg(&archive)
        .arg(target.uri())
        .run()
        .expect_code(0);
    assert!(output.stderr.contains("psql"), "{}", output.stderr);
    assert_eq!(target.sql("SELECT count(*), nextval('users_id_seq') FROM users"), "50\t51");
}

#[test]
fn a_name_with_a_lines_end_is_one_name() {
    let source = postgres15().database("line_end");
    source.sql("CREATE TABLE a (i int); CREATE TABLE b (i int); CREATE TABLE \"a\nb\" (i int)");
    source.sql("INSERT INTO a VALUES (1); INSERT INTO b VALUES (1); INSERT INTO \"a\nb\" VALUES (1)");
    let folder = tempfile::tempdir().expect("a folder");
    // The rows of each table, in that order; - where it is not there.
    let rows = |target: &Database<'_>| {
        ["a", "b", "a\nb"].map(|name| {
            let there = target.sql(&format!("SELECT to_regclass('\"{name}\"') IS NOT NULL")) == "t";
            if there { target.sql(&format!("SELECT count(*) FROM \"{name}\"")) } else { "-".to_owned() }
        })
    };
    let cases =
        [("--exclude-table-data", ["1", "1", "0"]), ("--table", ["-", "-", "1"]), ("--exclude-table", ["1", "1", "-"])];
    let (whole, _) = dumped(&source, &folder, &["--name", "whole"]);
    for (option, expected) in cases {
        let (archive, _) = dumped(&source, &folder, &["--name", &option[2..], option, "\"a\nb\""]);
        let target = postgres15().database("line_end_target");
        restored(&archive, &target, &[]);
        assert_eq!(rows(&target), expected, "dump {option}");
        let target = postgres15().database("line_end_target");
        let copy = with_clients_of(postgres15()).args(["copy", &source.uri(), &target.uri(), option, "\"a\nb\""]);
        copy.run().expect_code(0);
        assert_eq!(rows(&target), expected, "copy {option}");
        if option != "--exclude-table" {
            let target = postgres15().database("line_end_target");
            restored(&whole, &target, &[option, "a\nb"]);
            assert_eq!(rows(&target), expected, "restore {option}");
        }
    }
    // A variable holds one a line.
    let output = with_clients_of(postgres15()).env("DBHAUL_EXCLUDE_TABLE_DATA", "b\n\"a\nb\"");
    let archive = folder.path().join("variable.tar.gz");
    output.args(["dump", &source.uri(), "-o"]).arg(&archive).run().expect_code(0);
    let target = postgres15().database("line_end_target");
    restored(&archive, &target, &[]);
    assert_eq!(rows(&target), ["1", "0", "0"]);
}
