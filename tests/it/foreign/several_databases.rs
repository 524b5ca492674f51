//! Files that name their databases: `pg_dump --create`, `pg_dumpall`, `mysqldump --databases` and `--all-databases`.
//!
//! What comes goes into the target's database; a database of the old name that lives on the same server stays as it is.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    roundtrip::with_clients_of,
    support::{Database, Flavour, Output, Server, checksum},
};

/// A server of its own, whose databases are known: `shop`, with everything that a section may have, and `other`.
struct Place {
    server: Server,
    folder: tempfile::TempDir,
    /// What `shop` and `other` hold.
    rows: [Rows; 2],
}

type Rows = BTreeMap<String, (u64, String)>;

const POSTGRES: &str = "CREATE TABLE t (id int PRIMARY KEY, v text); \
    INSERT INTO t VALUES (1, E'\\\\connect other'), (2, E'two\\nlines'), (3, '-- PostgreSQL database dump complete'); \
    CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$\n/*\n\\connect other\n*/\nSELECT 'x';\n$$; CREATE VIEW w AS SELECT v FROM t; \
    ALTER DATABASE shop SET search_path = app, public; ALTER DATABASE shop SET \"app.key\" = 'kept-9Zq'; \
    ALTER ROLE app IN DATABASE shop SET work_mem = '64MB'; ALTER DATABASE shop CONNECTION LIMIT 50; \
    COMMENT ON DATABASE shop IS 'the shop; -- PostgreSQL database dump complete\nits second line'; \
    REVOKE CONNECT ON DATABASE shop FROM PUBLIC; GRANT CONNECT ON DATABASE shop TO app; ALTER DATABASE shop OWNER TO app";

const MYSQL: &str = "CREATE TABLE t (id int PRIMARY KEY, v varchar(50)); \
    INSERT INTO t VALUES (1, 'USE `other`;'), (2, 'two\nlines'), (3, '-- Dump completed\n'); CREATE VIEW w AS SELECT v FROM t; \
    CREATE TABLE u (id int PRIMARY KEY, t int, FOREIGN KEY (t) REFERENCES t (id)); INSERT INTO u VALUES (1, 1); \
    CREATE EVENT e ON SCHEDULE EVERY 1 YEAR DISABLE DO DELETE FROM u; CREATE TRIGGER r BEFORE INSERT ON u FOR EACH ROW SET NEW.id = NEW.id + 10; \
    CREATE FUNCTION f() RETURNS int DETERMINISTIC RETURN (SELECT COUNT(*) FROM t);";

impl Place {
    fn new(flavour: Flavour) -> Self {
        let server = Server::start(flavour);
        let filled = |name: &str, sql: &str| {
            let database = server.database_named(name);
            database.sql(sql);
            let rows = checksum(&database);
            // It goes with the server.
            std::mem::forget(database);
            rows
        };
        let shop = if flavour.is_postgres() {
            server.sql("CREATE ROLE app LOGIN");
            filled("shop", POSTGRES)
        } else {
            server.sql("SET GLOBAL log_bin_trust_function_creators = 1");
            filled("shop", &format!("ALTER DATABASE shop CHARACTER SET latin1 COLLATE latin1_german1_ci; {MYSQL}"))
        };
        let other = filled("other", "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (7), (8)");
        Self { server, folder: tempfile::tempdir().expect("a folder"), rows: [shop, other] }
    }

    fn dump(&self, program: &str, words: &[&str]) -> Vec<u8> {
        let mut client = self.server.client(program);
        if (program, self.server.flavour()) == ("pg_dumpall", Flavour::Postgres18) {
            // It looks for the pg_dump beside it, and so is run where that one runs.
            let root = self.server.client_dir().parent().and_then(Path::parent).expect("the cache").join("sid");
            let mut inside = Command::new("/usr/sbin/chroot");
            inside.arg(root).arg("/usr/lib/postgresql/18/bin/pg_dumpall").env_clear();
            inside.envs(client.get_envs().filter_map(|(name, value)| Some((name, value?))));
            client = inside;
        }
        let output = client.args(words).output().expect("run the client");
        assert!(output.status.success(), "{program} {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn file(&self, text: impl AsRef<[u8]>) -> PathBuf {
        let file = self.folder.path().join("file.sql");
        fs::write(&file, text).expect("write");
        file
    }

    fn run(&self, text: impl AsRef<[u8]>, words: &[&str]) -> Output {
        with_clients_of(&self.server).arg(words[0]).arg(self.file(text)).args(&words[1..]).run()
    }

    /// All that stands in the database `shop`, and what belongs to it itself.
    fn living(&self, name: &str) -> String {
        if !self.server.flavour().is_postgres() {
            let create = self.server.sql(&format!("SHOW CREATE DATABASE {name}"));
            let gtid = (self.server.flavour() == Flavour::Mysql).then_some("--set-gtid-purged=OFF");
            let options = ["--skip-dump-date", "--skip-comments", "--routines", "--events", name];
            let options: Vec<_> = gtid.into_iter().chain(options).collect();
            return create + &String::from_utf8_lossy(&self.dump(dump_program(&self.server), &options));
        }
        let dump = String::from_utf8_lossy(&self.dump("pg_dump", &["-C", name])).into_owned();
        let is_key = |line: &&str| line.starts_with("\\restrict") || line.starts_with("\\unrestrict");
        dump.lines().filter(|line| !is_key(line)).collect::<Vec<_>>().join("\n")
    }

    /// The file goes into a target of another name, by file and by stdin; what lives under the old name is left alone.
    fn restores(&self, text: &[u8], words: &[&str]) -> (Database<'_>, serde_json::Value) {
        self.server.try_sql("shop", "INSERT INTO t VALUES (99, 'came later')").expect("insert");
        let before = (self.living("shop"), self.living("other"));
        let piped = self.server.database("piped");
        let output = with_clients_of(&self.server).args(["restore", "-", &piped.uri()]).args(words).input(text).run();
        output.expect_code(0);
        let target = self.server.database("target");
        let output = self.run(text, &[&["restore", &target.uri(), "--json"], words].concat()).expect_code(0);
        assert_eq!((self.living("shop"), self.living("other")), before, "{words:?}");
        self.server.try_sql("shop", "DELETE FROM t WHERE id = 99").expect("delete");
        let expected = &self.rows[usize::from(words.contains(&"other"))];
        for database in [&piped, &target] {
            assert_eq!(checksum(database), *expected, "{words:?}\n{}", output.stderr);
        }
        let json = output.json();
        (target, json)
    }

    /// Restored for a trial, and compared: on a scratch server where the tests have its programs.
    fn verifies(&self, text: impl AsRef<[u8]>, words: &[&str], counts: &str) {
        let uri = self.server.uri("other");
        let place: &[&str] = match self.server.flavour() {
            Flavour::Postgres15 | Flavour::Mariadb => &["--restore"],
            _ => &["--restore-into", &uri],
        };
        let verify = self.run(text, &[&["verify"], place, words].concat()).expect_code(0);
        assert!(verify.text().contains(&format!("restored and the same; {counts}")), "{}", verify.text());
    }

    /// Nothing is restored, and nothing is changed.
    fn refuses(&self, text: impl AsRef<[u8]>, words: &[&str], code: i32, parts: &[&str]) {
        let before = (self.living("shop"), self.living("other"));
        let target = self.server.database("target");
        self.run(text, &[&["restore", &target.uri()], words].concat()).refused(code, parts);
        assert!(checksum(&target).is_empty());
        assert_eq!((self.living("shop"), self.living("other")), before);
    }
}

fn dump_program(server: &Server) -> &'static str {
    if server.flavour() == Flavour::Mysql { "mysqldump" } else { "mariadb-dump" }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// X6.
fn pg_dump_with_create(flavour: Flavour) {
    let place = Place::new(flavour);
    for words in [&["-C"][..], &["-C", "--clean"], &["-C", "--clean", "--if-exists"]] {
        let dump = place.dump("pg_dump", &[words, &["shop"]].concat());
        let (target, json) = place.restores(&dump, &[]);
        assert_eq!(json["source_database"], "shop");
        let name = target.name();
        assert_eq!(target.sql("SHOW search_path; SHOW \"app.key\""), "app, public\nkept-9Zq", "{words:?}");
        let of_database = format!("FROM pg_database d WHERE datname = '{name}'");
        assert_eq!(
            target.sql(&format!(
                "SELECT datconnlimit, shobj_description(d.oid, 'pg_database') IS NULL, datacl IS NULL, \
                pg_get_userbyid(datdba) {of_database}"
            )),
            "-1\tt\tt\tdbhaul",
            "the target's own stay"
        );
        assert!(json["database_properties"]["set"].to_string().contains("work_mem for role app"), "{json}");
        assert!(json["notes"].to_string().contains("CREATE DATABASE"), "{json}");
        assert_eq!(target.sql("SELECT f()"), "x");
    }
    let dump = place.dump("pg_dump", &["-C", "shop"]);
    let kept = place.restores(&dump, &["--database-settings", "keep"]).0;
    assert_eq!(kept.sql("SHOW search_path"), "\"$user\", public");
    let printed = place.restores(&dump, &["--database-settings", "print"]);
    assert!(printed.1["database_properties"]["by_hand"].to_string().contains("search_path"), "{}", printed.1);
    let uri = place.server.uri("made");
    let words = ["restore", &uri, "--create", "--keep-owner", "--keep-privileges"];
    place.run(&dump, &words).expect_code(0);
    let found = place.server.sql("SELECT datconnlimit, split_part(shobj_description(d.oid, 'pg_database'), ';', 1), \
        pg_get_userbyid(datdba), has_database_privilege('app', d.oid, 'CONNECT') FROM pg_database d WHERE datname = 'made'");
    assert_eq!(found, "50\tthe shop\tapp\tt");
    place.server.sql("DROP DATABASE made");
    place.verifies(&dump, &[], "1 table, 3 rows");
    assert_eq!(place.run(&dump, &["verify", "--json"]).expect_code(0).json()["source_database"], "shop");
    place.refuses(place.dump("pg_dump", &["-Fc", "shop"]), &["--database", "shop"], 2, &["names no database"]);
    place.run(&dump[..dump.len() / 2], &["verify"]).refused(8, &["does not hold a complete dump"]);
    // X7.
    let both = [place.dump("pg_dump", &["-s", "shop"]), place.dump("pg_dump", &["-a", "shop"])].concat();
    place.restores(&both, &[]);
    let both = [place.dump("pg_dump", &["-C", "-s", "shop"]), place.dump("pg_dump", &["-a", "shop"])].concat();
    place.restores(&both, &[]);
}

#[test]
fn pg_dump_15_with_create_goes_into_the_target() {
    pg_dump_with_create(Flavour::Postgres15);
}

#[test]
fn pg_dump_18_with_create_goes_into_the_target() {
    pg_dump_with_create(Flavour::Postgres18);
}

fn pg_dumpall(flavour: Flavour) {
    let place = Place::new(flavour);
    for words in [&[][..], &["-c"], &["-c", "--if-exists"]] {
        let dump = place.dump("pg_dumpall", words);
        let roles = place.server.sql("SELECT string_agg(rolname, ',' ORDER BY 1) FROM pg_roles");
        let (target, json) = place.restores(&dump, &["--database", "shop"]);
        assert_eq!(target.sql("SHOW search_path"), "app, public");
        assert!(json["notes"].to_string().contains("about roles, tablespaces, global settings and the like"), "{json}");
        place.restores(&dump, &["--database", "other"]);
        assert_eq!(place.server.sql("SELECT string_agg(rolname, ',' ORDER BY 1) FROM pg_roles"), roles);
        let list = ["holds 4 databases", "\"shop\", ", "\"other\", ", "\"template1\", ", "--database "];
        place.refuses(&dump, &[], 8, &list);
        // X9.
        place.refuses(&dump, &["--trust"], 8, &list);
        place.refuses(&dump, &["--database", "shp"], 2, &["no such database", "\"shop\", "]);
        place.run(&dump, &["verify"]).refused(8, &list[..3]);
        place.verifies(&dump, &["--database", "shop"], "1 table, 3 rows");
        let globals = place.dump("pg_dumpall", &["--globals-only"]);
        for words in [&[][..], &["--accept-unproven"], &["--database", "shop"]] {
            let refused = ["holds no database", "of roles and tablespaces alone", "psql -f FILE postgres"];
            place.refuses(&globals, words, 8, &refused);
        }
        let cut = &globals[..globals.len() - 50];
        place.run(cut, &["verify"]).refused(8, &["does not hold a complete dump", "cluster dump complete"]);
        let end = text(&dump).rfind("-- PostgreSQL database cluster dump complete").expect("its end");
        place.run(&dump[..end], &["verify", "--database", "shop"]).refused(8, &["cluster dump complete"]);
    }
}

#[test]
fn one_database_of_pg_dumpall_15_comes() {
    pg_dumpall(Flavour::Postgres15);
}

#[test]
fn one_database_of_pg_dumpall_18_comes() {
    pg_dumpall(Flavour::Postgres18);
}

fn mysqldump(flavour: Flavour) {
    let place = Place::new(flavour);
    let program = dump_program(&place.server);
    let all = ["--routines", "--events"];
    for words in [
        &["--all-databases"][..],
        &["--databases", "other", "shop"],
        &["--databases", "shop", "other", "--add-drop-database"],
    ] {
        let dump = place.dump(program, &[&all, words].concat());
        for jobs in ["1", "2"] {
            let (target, json) = place.restores(&dump, &["--database", "shop", "--jobs", jobs]);
            assert_eq!(json["source_database"], "shop");
            assert_eq!(target.sql("SELECT f(); SELECT COUNT(*) FROM w"), "3\n3", "{words:?}");
            assert_eq!(target.sql("INSERT INTO u VALUES (1, 1); SELECT MAX(id) FROM u"), "11", "{words:?}");
            assert_eq!(target.sql("SELECT @@collation_database"), "latin1_german1_ci", "{words:?}");
            assert_eq!(
                target.sql("SELECT event_name FROM information_schema.events WHERE event_schema = DATABASE()"),
                "e"
            );
            place.restores(&dump, &["--database", "other", "--jobs", jobs]);
        }
        place.refuses(
            &dump,
            &[],
            8,
            &["databases, and a restore goes into one", "\"shop\", ", "\"other\", ", "hint: --database shop "],
        );
        place.refuses(&dump, &["--database", "Shop"], 2, &["no such database", "\"shop\", "]);
        place.verifies(&dump, &["--database", "shop"], "2 tables, 4 rows");
        let cut = text(&dump).rfind("-- Dump completed").expect("its end");
        place.run(&dump[..cut], &["verify", "--database", "shop"]).refused(8, &["-- Dump completed"]);
        if words[0] == "--all-databases" {
            place.refuses(&dump, &["--database", "mysql"], 10, &["that database belongs to the server"]);
        }
    }
    // Of one that is alone the name need not be said.
    for words in [&["--databases", "shop"][..], &["--databases", "shop", "--add-drop-database", "--no-create-db"]] {
        let dump = place.dump(program, &[&all, words].concat());
        let (target, json) = place.restores(&dump, &[]);
        assert!(json["notes"].to_string().contains("the file names its database: shop"), "{json}");
        assert_eq!(target.sql("SELECT f()"), "3");
        place.restores(&dump, &["--database", "shop", "--jobs", "2"]);
    }
    let dump = place.dump(program, &["shop"]);
    place.restores(&dump, &[]);
    place.refuses(&dump, &["--database", "shop"], 2, &["names no database"]);
    let dump = place.dump(program, &["--databases", "shop", "other"]);
    let verify = with_clients_of(&place.server).arg("verify").arg(place.file(dump)).env("DBHAUL_DATABASE", "other");
    assert!(verify.run().expect_code(0).text().contains("1 table, 2 rows"));
}

#[test]
fn one_database_of_mysqldump_comes() {
    mysqldump(Flavour::Mysql);
}

#[test]
fn one_database_of_mariadb_dump_comes() {
    mysqldump(Flavour::Mariadb);
}

/// Behind the beginning of a section, or at its end.
fn with(dump: &[u8], at: &str, more: &str) -> String {
    let text = text(dump);
    let place = text.find(at).unwrap_or_else(|| panic!("{at} in {text}"));
    format!("{}{more}\n{}", &text[..place], &text[place..])
}

#[test]
fn a_mysql_file_reaches_no_other_database_by_its_sections() {
    let place = Place::new(Flavour::Mysql);
    let dump = place.dump("mysqldump", &["--databases", "shop"]);
    let alone = place.dump("mysqldump", &["shop"]);
    let drop = "USE `other`;\nDROP TABLE t;";
    for (file, code, why) in [
        (with(&dump, "CREATE TABLE `t`", drop), 8, "holds 2 databases"),
        (with(&alone, "CREATE TABLE `u`", drop), 8, "statements before the first name of a database"),
        (with(&dump, "CREATE TABLE `t`", "DROP TABLE `other`.`t`;"), 10, "it is for the database other"),
        (with(&dump, "CREATE TABLE `t`", "CREATE USER x;"), 10, "it changes the server"),
        (with(&dump, "CREATE TABLE `t`", "CREATE DATABASE made;"), 8, "holds 2 databases"),
        (with(&dump, "CREATE TABLE `t`", "SET GLOBAL general_log = 1;"), 10, "it changes the server"),
    ] {
        place.refuses(&file, &[], code, &[why]);
    }
    // What is another database's is left there.
    let mixed = with(&dump, "CREATE TABLE `t`", &format!("{drop}\nCREATE USER x;\nUSE `shop`;"));
    let (target, _) = place.restores(mixed.as_bytes(), &["--database", "shop"]);
    assert_eq!(target.sql("SELECT COUNT(*) FROM mysql.user WHERE user = 'x'"), "0");
    for statement in ["ALTER DATABASE `other` CHARACTER SET ascii;", "DROP DATABASE `other`;"] {
        let file = with(&dump, "CREATE TABLE `t`", statement);
        place.run(&file, &["restore", &place.server.database("target").uri()]);
        assert_eq!(
            place.server.try_sql("other", "SELECT @@character_set_database = 'ascii', COUNT(*) FROM t"),
            Ok("0\t2".into())
        );
    }
    place.refuses(
        with(&dump, "CREATE TABLE `t`", "GRANT ALL ON *.* TO x;"),
        &["--database", "shop"],
        10,
        &["it changes the server"],
    );
}

#[test]
fn a_postgres_file_reaches_no_other_database_by_its_sections() {
    let place = Place::new(Flavour::Postgres15);
    let dump = place.dump("pg_dump", &["-C", "shop"]);
    let alone = place.dump("pg_dump", &["shop"]);
    let all = place.dump("pg_dumpall", &[]);
    let drop = "\\connect other\nDROP TABLE t;";
    for (file, words, code, why) in [
        (with(&dump, "CREATE TABLE public.t", drop), &[][..], 8, "holds 2 databases"),
        (with(&alone, "ALTER TABLE ONLY public.t", drop), &[], 10, "\\connect other"),
        (with(&dump, "CREATE TABLE public.t", "DROP DATABASE other;"), &[], 8, "holds 2 databases"),
        (
            with(&dump, "CREATE TABLE public.t", "DROP DATABASE IF EXISTS other; DROP DATABASE other;"),
            &[],
            10,
            "it changes the server",
        ),
        (with(&dump, "CREATE TABLE public.t", "\\connect \"dbname=other host=127.0.0.1\" app"), &[], 10, "\\connect"),
        (with(&dump, "CREATE TABLE public.t", "\\! touch x"), &[], 10, "\\! touch"),
        (with(&dump, "CREATE TABLE public.t", "CREATE ROLE x SUPERUSER;"), &[], 10, "it changes the server"),
        (
            with(&all, "CREATE TABLE public.t (\n    id integer NOT NULL,", "GRANT postgres TO app;"),
            &["--database", "shop"],
            10,
            "it changes the server",
        ),
        (with(&alone, "-- PostgreSQL database dump", "CREATE ROLE x;"), &[], 10, "it changes the server"),
    ] {
        place.refuses(&file, words, code, &[why]);
    }
    // What is another database's is left there.
    let mixed = with(&dump, "ALTER TABLE ONLY public.t", &format!("{drop}\nCREATE ROLE x;\n\\connect shop"));
    let (target, _) = place.restores(mixed.as_bytes(), &["--database", "shop"]);
    assert_eq!(target.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'x'"), "0");
}
