//! Users as managed platforms give them out: they own a database and nothing else. `public` and the extensions belong
//! to the provider, which the tests' superuser plays.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use crate::{
    roundtrip::{manifest, with_clients_of},
    support::{
        Database, Dbhaul, Flavour, Output, Server, checksum, fixture, mariadb, names, postgres15, postgres18, schema,
    },
};

const PASSWORD: &str = "few-rights-9xQ";

/// A database, and a user who owns it and nothing else.
struct Tenant<'s> {
    database: Database<'s>,
    user: String,
}

impl<'s> Tenant<'s> {
    fn new(server: &'s Server, setup: impl Fn(&Database<'s>, &str)) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let database = server.database("owned");
        let user = format!("tenant_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        setup(&database, &user);
        Self { database, user }
    }

    /// As on managed PostgreSQL.
    fn of_postgres(server: &'s Server) -> Self {
        Self::new(server, |database, user| {
            let name = server.quote(database.name());
            database.sql(&format!(
                "CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}';
                ALTER DATABASE {name} OWNER TO {user};
                ALTER SCHEMA public OWNER TO dbhaul;
                GRANT USAGE, CREATE ON SCHEMA public TO {user};
                COMMENT ON SCHEMA public IS 'the provider''s';
                CREATE EXTENSION pg_stat_statements;
                CREATE EXTENSION hstore;
                COMMENT ON EXTENSION hstore IS 'the provider''s, too';"
            ));
        })
    }

    /// With these rights on the database alone, `ALL` as on managed MySQL.
    fn of_mysql(server: &'s Server, rights: &str) -> Self {
        Self::new(server, |database, user| {
            let grant = if rights.is_empty() {
                String::new()
            } else {
                format!("GRANT {rights} ON `{}`.* TO {user}", database.name())
            };
            database.sql(&format!("CREATE USER {user} IDENTIFIED BY '{PASSWORD}'; {grant}"));
        })
    }

    fn uri(&self) -> String {
        self.database.server().uri_as(&self.user, PASSWORD, self.database.name())
    }

    /// Runs a file of SQL as the tenant.
    fn load(&self, path: impl AsRef<Path>) {
        let path = path.as_ref();
        let mut client = if self.database.server().flavour().is_postgres() {
            let mut client = self.database.client("psql");
            client.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-"]);
            client.env("PGUSER", &self.user).env("PGPASSWORD", PASSWORD);
            client
        } else {
            let flavour = self.database.server().flavour();
            let mut client = self.database.client(if flavour == Flavour::Mysql { "mysql" } else { "mariadb" });
            client.args([format!("--user={}", self.user), format!("--database={}", self.database.name())]);
            client.env("MYSQL_PWD", PASSWORD);
            client
        };
        let file = fs::File::open(path).expect("the file");
        let output = client.stdin(file).output().expect("run the client");
        assert!(output.status.success(), "{}: {}", path.display(), String::from_utf8_lossy(&output.stderr));
    }

    /// The same with a text.
    fn run(&self, sql: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("text.sql");
        fs::write(&path, sql).expect("write");
        self.load(path);
    }

    fn dump(&self, archive: &Path, options: &[&str]) -> Output {
        self.command(&["dump", "--json", &self.uri(), "-o"]).arg(archive).args(options).run()
    }

    /// A dump that is refused in these words, and leaves no archive behind.
    fn refused(&self, options: &[&str], words: &[&str]) {
        let (folder, archive) = archive();
        self.command(&["dump", &self.uri(), "-o"]).arg(archive).args(options).run().refused(10, words);
        assert_eq!(names(folder.path()), [""; 0]);
    }

    fn restore(&self, archive: &Path, options: &[&str]) -> Output {
        self.command(&["restore", "--json"]).arg(archive).arg(self.uri()).args(options).run()
    }

    fn command(&self, words: &[&str]) -> Dbhaul {
        with_clients_of(self.database.server()).args(words)
    }
}

/// A new archive's path, in a folder that goes with the value.
fn archive() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("archive.tar.gz");
    (folder, path)
}

/// A list of the JSON result.
fn list(json: &serde_json::Value, key: &str) -> Vec<String> {
    let texts = json[key].as_array().unwrap_or_else(|| panic!("no {key}: {json}"));
    texts.iter().map(|text| text.as_str().expect("a text").to_owned()).collect()
}

fn an_owners_dump_comes_back(server: &Server, options: &[&str]) {
    let (source, target) = (Tenant::of_postgres(server), Tenant::of_postgres(server));
    source.load(fixture("objects-postgres.sql"));
    let (_folder, archive) = archive();
    let dump = source.dump(&archive, options).expect_code(0).json();
    assert_eq!(list(&dump, "missing"), Vec::<String>::new());
    let restore = target.restore(&archive, &[]).expect_code(0).json();
    assert_eq!(restore["rows"], dump["rows"]);
    let same = [&source, &target].map(|tenant| {
        // A plain dump leaves comments out, since some could not be set.
        let schema = schema(&tenant.database).replace(tenant.database.name(), "name");
        let sections =
            schema.split("\n--\n-- Name: ").filter(|s| options.is_empty() || !s.contains("; Type: COMMENT; "));
        (checksum(&tenant.database), sections.map(str::to_owned).collect::<Vec<_>>())
    });
    assert_eq!(same[1], same[0]);
}

#[test]
fn a_postgres15_owners_dump_comes_back_to_another_owner() {
    an_owners_dump_comes_back(postgres15(), &[]);
}

#[test]
fn a_postgres18_owners_dump_comes_back_to_another_owner() {
    an_owners_dump_comes_back(postgres18(), &[]);
}

#[test]
fn a_postgres15_owners_plain_dump_comes_back_to_another_owner() {
    an_owners_dump_comes_back(postgres15(), &["--format", "plain"]);
}

#[test]
fn a_postgres18_owners_plain_dump_comes_back_to_another_owner() {
    an_owners_dump_comes_back(postgres18(), &["--format", "plain"]);
}

/// What the provider keeps to itself in the tenant's database.
const KEPT_FROM_THE_OWNER: &str = "
    CREATE TABLE secret (id int PRIMARY KEY, kept text);
    INSERT INTO secret VALUES (1, 'for nobody');
    CREATE TABLE heir () INHERITS (secret);
    GRANT SELECT ON heir TO tenant;
    CREATE VIEW over_secret AS SELECT * FROM secret;
    CREATE VIEW over_view AS SELECT * FROM over_secret;
    CREATE SCHEMA closed;
    CREATE TABLE closed.\"odd \"\"name\" (id serial);
    GRANT SELECT ON ALL TABLES IN SCHEMA closed TO tenant;
    CREATE SEQUENCE counter START WITH 7;
    SELECT nextval('counter');
    CREATE TABLE filtered (id int);
    INSERT INTO filtered SELECT generate_series(1, 9);
    ALTER TABLE filtered ENABLE ROW LEVEL SECURITY;
    CREATE POLICY few ON filtered FOR SELECT USING (id <= 2);
    GRANT SELECT ON filtered TO tenant;
    SELECT lo_from_bytea(4711, 'not yours');
    CREATE TABLE settings (id int);
    INSERT INTO settings VALUES (1);
    ALTER EXTENSION hstore ADD TABLE settings;
    UPDATE pg_extension SET extconfig = ARRAY['settings'::regclass], extcondition = '{\"\"}' WHERE extname = 'hstore';
    CREATE SUBSCRIPTION follows_DATABASE CONNECTION 'dbname=none' PUBLICATION none WITH (connect = false, slot_name = NONE);
";

const OF_THE_OWNER: &str = "
    CREATE TABLE mine (id int PRIMARY KEY, t text);
    INSERT INTO mine SELECT i, md5(i::text) FROM generate_series(1, 100) AS i;
    CREATE FUNCTION double(int) RETURNS int LANGUAGE sql AS 'SELECT $1 * 2';
    SELECT lo_from_bytea(4712, 'mine');
";

fn what_the_owner_may_not_read_is_named(server: &Server, options: &[&str]) {
    let source = Tenant::of_postgres(server);
    let words = KEPT_FROM_THE_OWNER.replace("tenant", &source.user).replace("DATABASE", source.database.name());
    source.database.sql(&words);
    let (_folder, archive) = archive();
    source.run(OF_THE_OWNER);
    // Routines of other owners are dumped, too: PostgreSQL shows them to all.
    source.database.sql("CREATE FUNCTION theirs(int) RETURNS int LANGUAGE sql AS 'SELECT $1 * 3'");

    let subscription = format!("subscription follows_{}", source.database.name());
    let missing = [
        "table public.secret may not be read",
        "table public.heir stands on a table that may not be read",
        "view public.over_secret stands on a table that may not be read",
        "view public.over_view stands on a table that may not be read",
        "table closed.odd \"name may not be read",
        "sequence closed.odd \"name_id_seq stands on a table that may not be read",
        "sequence public.counter: its value may not be read",
        "table public.filtered: its row-level security hides rows, and may show none",
        "large object 4711 may not be read; pg_dump takes all large objects or none, and there are 2",
        "configuration table public.settings of an extension: its rows may not be read",
        &format!("{subscription} is only dumped for a superuser"),
    ]
    .map(str::to_owned);
    let words = ["the dump would not be complete: nothing was started", "hint: --allow-incomplete dumps the rest"];
    source.refused(options, &words.into_iter().chain(missing.iter().map(String::as_str)).collect::<Vec<_>>());

    let allowed = source.dump(&archive, &[&["--allow-incomplete"], options].concat()).expect_code(0);
    for what in &missing {
        assert!(allowed.stderr.contains(what.as_str()), "{what} is not in {}", allowed.stderr);
    }
    let listed: BTreeSet<_> = list(&allowed.json(), "missing").into_iter().collect();
    assert_eq!(listed, BTreeSet::from(missing));
    let manifest = manifest(&archive);
    assert_eq!(manifest["missing"], allowed.json()["missing"]);
    assert_eq!(manifest["consistency"], "snapshot");

    let target = Tenant::of_postgres(server);
    target.restore(&archive, &[]).expect_code(0);
    let (wanted, found) = (checksum(&source.database), checksum(&target.database));
    assert_eq!(found["public.mine"], wanted["public.mine"]);
    assert_eq!(found["public.filtered"].0, 2, "what the policy shows");
    let names: BTreeSet<_> = found.keys().map(String::as_str).collect();
    assert_eq!(names, BTreeSet::from(["public.mine", "public.filtered", "sequence public.counter"]));
    assert_eq!(target.database.sql("SELECT double(2), theirs(2)"), "4\t6");
    // A database with a subscription can't be dropped.
    source.database.sql(&format!("DROP {subscription}"));
}

#[test]
fn what_a_postgres15_owner_may_not_read_is_refused_by_name_and_left_out_when_allowed() {
    what_the_owner_may_not_read_is_named(postgres15(), &[]);
}

#[test]
fn what_a_postgres18_owner_may_not_read_is_refused_by_name_and_left_out_when_allowed() {
    what_the_owner_may_not_read_is_named(postgres18(), &[]);
}

#[test]
fn what_a_postgres18_owner_may_not_read_is_left_out_of_a_plain_dump_too() {
    what_the_owner_may_not_read_is_named(postgres18(), &["--format", "plain"]);
}

/// An archive that no restore could take is no archive, allowed or not.
#[test]
fn what_needs_an_unreadable_table_and_can_not_be_left_out_is_refused_although_incomplete_is_allowed() {
    for server in [postgres15(), postgres18()] {
        let source = Tenant::of_postgres(server);
        source.database.sql(&format!(
            "CREATE TABLE secret (id int PRIMARY KEY);
            CREATE TABLE refers (id int REFERENCES secret);
            CREATE TABLE holds (s secret);
            CREATE FUNCTION counts() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM secret; END;
            CREATE FUNCTION takes(secret[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
            ALTER TABLE refers ENABLE ROW LEVEL SECURITY;
            CREATE POLICY looks ON refers USING (id IN (SELECT id FROM secret));
            CREATE RULE does AS ON DELETE TO refers DO ALSO DELETE FROM secret;
            GRANT SELECT ON refers, holds TO {}",
            source.user
        ));
        let words = [
            "an incomplete dump could not be restored: nothing was started",
            "constraint refers_id_fkey on table public.refers",
            "column s of table public.holds",
            "function public.counts()",
            "function public.takes(public.secret[])",
            "policy looks on table public.refers",
            "rule does on table public.refers",
            "hint: grant SELECT",
        ];
        source.refused(&["--allow-incomplete"], &words);
        // A selection may leave them out, as far as dbhaul can tell: then they are warned of.
        let (_folder, archive) = archive();
        let rest = ["--allow-incomplete", "--exclude-table", "refers", "--exclude-table", "holds"];
        let dump = source.dump(&archive, &rest).expect_code(0);
        assert!(dump.stderr.contains("can't be restored without them: "), "{}", dump.stderr);
    }
}

/// Platforms keep event triggers of their own in the databases that they give out.
#[test]
fn a_providers_event_trigger_is_left_out_of_an_owners_restore_and_said() {
    let (source, target) = (Tenant::of_postgres(postgres15()), Tenant::of_postgres(postgres15()));
    source.database.sql(
        "CREATE FUNCTION guard() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN NULL; END';
        CREATE EVENT TRIGGER guards ON ddl_command_end EXECUTE FUNCTION guard();
        COMMENT ON EVENT TRIGGER guards IS 'the provider''s';",
    );
    source.run("CREATE TABLE mine (id int)");
    let (_folder, archive) = archive();
    source.dump(&archive, &[]).expect_code(0);
    let restored = target.restore(&archive, &[]).expect_code(0);
    let notes = list(&restored.json(), "notes");
    let note = "event triggers left out (only a superuser may create them), 1: guards";
    assert!(notes.iter().any(|said| said == note), "{notes:?}");
    assert_eq!(target.database.sql("SELECT count(*) FROM pg_event_trigger"), "0");
    assert_eq!(target.database.sql("SELECT count(*) FROM mine"), "0");
}

/// `pg_dump` writes CREATE USER MAPPING without the options that it may not read, and says nothing.
#[test]
fn options_of_other_users_mappings_are_missing_and_named() {
    let source = Tenant::of_postgres(postgres15());
    source.database.sql(
        "CREATE EXTENSION postgres_fdw;
        CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw;
        CREATE USER MAPPING FOR dbhaul SERVER elsewhere OPTIONS (user 'u', password 'never-shown');",
    );
    let (_folder, archive) = archive();
    let what = "user mapping for dbhaul on server elsewhere: its options may not be read, and are left out";
    source.refused(&[], &[what]);
    let allowed = source.dump(&archive, &["--allow-incomplete"]).expect_code(0);
    assert_eq!(list(&allowed.json(), "missing"), [what]);
}

/// A MySQL that lets users without SUPER create functions and triggers, as managed platforms set it.
fn managed_mysql() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::start_with(Flavour::Mysql, &["--log-bin-trust-function-creators=ON"]))
}

const OF_THE_TENANT: &str = "
    CREATE TABLE mine (id int PRIMARY KEY, t varchar(50));
    INSERT INTO mine VALUES (1, 'one'), (2, 'two');
    CREATE VIEW seen AS SELECT t FROM mine;
    CREATE TABLE log (what text);
    CREATE TRIGGER watch AFTER UPDATE ON mine FOR EACH ROW INSERT INTO log VALUES (NEW.t);
    CREATE PROCEDURE tell() INSERT INTO log VALUES ('told');
    CREATE FUNCTION twice(n int) RETURNS int DETERMINISTIC RETURN n * 2;
    CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01 03:00:00' DO DELETE FROM log;
";

fn a_tenants_dump_comes_back(server: &Server) {
    let (source, target) = (Tenant::of_mysql(server, "ALL"), Tenant::of_mysql(server, "ALL"));
    source.run(OF_THE_TENANT);
    let (_folder, archive) = archive();
    let dump = source.dump(&archive, &[]).expect_code(0).json();
    assert_eq!(list(&dump, "missing"), Vec::<String>::new());
    assert_eq!(dump["consistency"], "snapshot");
    target.restore(&archive, &[]).expect_code(0);
    assert_eq!(checksum(&target.database), checksum(&source.database));
    let wanted = schema(&source.database).replace(source.database.name(), target.database.name());
    assert_eq!(schema(&target.database), wanted.replace(&source.user, &target.user));
}

#[test]
fn a_mysql_owners_dump_comes_back_to_another_owner() {
    a_tenants_dump_comes_back(managed_mysql());
}

#[test]
fn a_mariadb_owners_dump_comes_back_to_another_owner() {
    a_tenants_dump_comes_back(mariadb());
}

/// Whoever has all rights on a database still can't read the bodies of others' routines.
fn routines_of_others_are_named(server: &Server) {
    let source = Tenant::of_mysql(server, "ALL");
    source.run(OF_THE_TENANT);
    source.database.sql(
        "CREATE PROCEDURE hidden() SELECT 1; CREATE FUNCTION veiled() RETURNS int DETERMINISTIC RETURN 1;
        CREATE TABLE gone (id int); CREATE VIEW broken AS SELECT id FROM gone; DROP TABLE gone;",
    );
    let missing = [
        "procedure hidden belongs to another user, and its body may not be read",
        "function veiled belongs to another user, and its body may not be read",
        "procedure tell goes with the others: the client dumps all routines or none",
        "function twice goes with the others: the client dumps all routines or none",
        "view broken refers to something that is gone",
    ];
    source.refused(&[], &missing);
    source.refused(
        &[],
        &["the dump would not be complete: nothing was started", "hint: --allow-incomplete dumps the rest"],
    );
    let (_folder, archive) = archive();
    let allowed = source.dump(&archive, &["--allow-incomplete"]).expect_code(0);
    assert_eq!(
        list(&allowed.json(), "missing").into_iter().collect::<BTreeSet<_>>(),
        missing.map(str::to_owned).into()
    );
    assert_eq!(manifest(&archive)["missing"], allowed.json()["missing"]);
    let target = Tenant::of_mysql(server, "ALL");
    target.restore(&archive, &[]).expect_code(0);
    assert_eq!(checksum(&target.database), checksum(&source.database));
    assert_eq!(objects(&target.database), "EVENT nightly\nTABLE log\nTABLE mine\nTRIGGER watch\nVIEW seen");
}

/// All objects of a database, as `VIEW seen`.
fn objects(database: &Database<'_>) -> String {
    database.sql(
        "SELECT * FROM (
            SELECT CONCAT(IF(table_type = 'VIEW', 'VIEW ', 'TABLE '), table_name) AS o FROM information_schema.tables WHERE table_schema = DATABASE()
            UNION SELECT CONCAT('TRIGGER ', trigger_name) FROM information_schema.triggers WHERE trigger_schema = DATABASE()
            UNION SELECT CONCAT('EVENT ', event_name) FROM information_schema.events WHERE event_schema = DATABASE()
            UNION SELECT CONCAT('ROUTINE ', routine_name) FROM information_schema.routines WHERE routine_schema = DATABASE()
        ) AS all_objects ORDER BY o",
    )
}

#[test]
fn routines_of_others_are_refused_by_name_and_left_out_when_allowed_on_mysql() {
    routines_of_others_are_named(managed_mysql());
}

#[test]
fn routines_of_others_are_refused_by_name_and_left_out_when_allowed_on_mariadb() {
    routines_of_others_are_named(mariadb());
}

/// Grants on some tables only, and none for triggers, events, routines and views.
fn what_a_reader_may_not_see_is_named(server: &Server) {
    let source = Tenant::of_mysql(server, "");
    source.database.sql(OF_THE_TENANT);
    source.database.sql(&format!(
        "CREATE TABLE closed (id int, b int); INSERT INTO closed VALUES (1, 1);
        CREATE VIEW over_closed AS SELECT id FROM closed;
        CREATE VIEW over_view AS SELECT id FROM over_closed;
        GRANT SELECT ON mine TO {0}; GRANT INSERT, SELECT (id) ON closed TO {0}; GRANT SELECT, SHOW VIEW ON over_closed TO {0};
        GRANT SELECT, SHOW VIEW ON over_view TO {0}; GRANT SELECT ON seen TO {0};",
        source.user
    ));
    let missing = [
        "without SELECT on the database only the tables that the user was granted are dumped",
        "triggers can't be seen without TRIGGER: the dump holds none, if there are any",
        "events can't be seen without EVENT: the dump holds none, if there are any",
        "routines of other users can't be seen: the dump holds none, if there are any",
        "table closed may not be read",
        "view seen may not be read without SELECT and SHOW VIEW",
        "view over_closed stands on a table or view that may not be read",
        "view over_view stands on a table or view that may not be read",
    ];
    source.refused(&[], &missing);
    let (_folder, archive) = archive();
    let allowed = source.dump(&archive, &["--allow-incomplete"]).expect_code(0);
    assert_eq!(
        list(&allowed.json(), "missing").into_iter().collect::<BTreeSet<_>>(),
        missing.map(str::to_owned).into()
    );
    let target = Tenant::of_mysql(server, "ALL");
    target.restore(&archive, &[]).expect_code(0);
    assert_eq!(objects(&target.database), "TABLE mine");
    assert_eq!(checksum(&target.database)["mine"], checksum(&source.database)["mine"]);
}

#[test]
fn what_a_mysql_reader_may_not_see_is_refused_by_name_and_left_out_when_allowed() {
    what_a_reader_may_not_see_is_named(managed_mysql());
}

#[test]
fn what_a_mariadb_reader_may_not_see_is_refused_by_name_and_left_out_when_allowed() {
    what_a_reader_may_not_see_is_named(mariadb());
}

/// Rights that come by a role are rights.
#[test]
fn rights_of_a_role_are_seen() {
    for server in [managed_mysql(), mariadb()] {
        let source = Tenant::of_mysql(server, "");
        source.database.sql(OF_THE_TENANT);
        let (user, name) = (&source.user, source.database.name());
        let (default, all) = match server.flavour() {
            Flavour::Mysql => (format!("SET DEFAULT ROLE ALL TO {user}"), "SHOW_ROUTINE ON *.*"),
            _ => (format!("SET DEFAULT ROLE role_of_{user} FOR {user}"), "SELECT ON mysql.proc"),
        };
        source.database.sql(&format!(
            "CREATE ROLE role_of_{user}; GRANT ALL ON `{name}`.* TO role_of_{user}; GRANT {all} TO role_of_{user};
            GRANT role_of_{user} TO {user}; {default}"
        ));
        let (_folder, archive) = archive();
        let dump = source.dump(&archive, &[]).expect_code(0).json();
        assert_eq!(list(&dump, "missing"), Vec::<String>::new());
    }
}

#[test]
fn the_manifest_says_how_far_a_dump_is_one_point_in_time() {
    for server in [managed_mysql(), mariadb()] {
        let rights = "SELECT, SHOW VIEW, TRIGGER, EVENT, CREATE ROUTINE";
        let of = |tables: &str, rights: &str| {
            let source = Tenant::of_mysql(server, rights);
            source.database.sql(tables);
            let (_folder, archive) = archive();
            let dump = source.dump(&archive, &[]).expect_code(0);
            assert_eq!(manifest(&archive)["consistency"], dump.json()["consistency"]);
            (dump.json()["consistency"].as_str().expect("a text").to_owned(), dump.stderr)
        };
        let myisam = "CREATE TABLE loose (id int) ENGINE = MyISAM; INSERT INTO loose VALUES (1);";
        let both = &format!("{myisam} CREATE TABLE firm (id int) ENGINE = InnoDB;");
        assert_eq!(of("CREATE TABLE firm (id int)", rights).0, "snapshot");
        assert_eq!(of(myisam, &format!("{rights}, LOCK TABLES")).0, "tables locked while they were read");
        for (tables, consistency) in [
            (both.as_str(), "snapshot, except for tables without transactions"),
            (myisam, "none: no table knows transactions, and the user may not lock them"),
        ] {
            let (said, stderr) = of(tables, rights);
            assert_eq!(said, consistency);
            assert!(
                stderr.contains("1 table of an engine without transactions may change while they are read: loose"),
                "{stderr}"
            );
        }
    }
}
