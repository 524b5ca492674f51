//! `verify --restore` and `--restore-into`: real scratch servers, real databases, and nothing left of either.

use std::{
    fs,
    io::Read,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use dbhaul::archive::{self, Compression, Manifest, Options, Sink, Writer};
use dbhaul::store;
use rustix::process::Signal;

use crate::support::{
    Database, Dbhaul, Disk, Flavour, Gate, Server, alive, assert_gone, copy_program, dbhaul, descendants, eventually,
    fake_client, mariadb, mysql, names, postgres15, program,
};

/// Everything of one test: a folder for archives, and one for scratch servers that other users may pass through.
struct Place {
    _folder: tempfile::TempDir,
    path: PathBuf,
    temp: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, temp) = (folder.path().to_owned(), folder.path().join("tmp"));
        fs::create_dir(&temp).expect("made");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o711)).expect("chmod");
        fs::set_permissions(&temp, fs::Permissions::from_mode(0o1777)).expect("chmod");
        Self { _folder: folder, path, temp }
    }

    fn archive(&self, database: &Database<'_>) -> PathBuf {
        let path = self.path.join("archive.tar.gz");
        let dump = dbhaul().args(["dump", &database.uri(), "-o"]).arg(&path);
        dump.client_dirs([database.server().client_dir()]).run().expect_code(0);
        path
    }

    fn verify(&self, archive: &Path, server: &Server) -> Dbhaul {
        let verify = dbhaul().arg("verify").arg(archive).env("TMPDIR", &self.temp);
        verify.client_dirs([server.client_dir()])
    }

    /// `--restore`, with the server's programs where they are.
    fn on_scratch(&self, archive: &Path, server: &Server) -> Dbhaul {
        let verify = self.verify(archive, server).arg("--restore");
        if server.flavour() == Flavour::Mysql { verify.arg("--server-dir").arg(self.mysqld()) } else { verify }
    }

    /// The sid root's `mysqld` where every user reaches it, run by its own loader.
    fn mysqld(&self) -> PathBuf {
        let folder = self.path.join("mysqld");
        let root = Flavour::Mysql.client_dir().parent().and_then(Path::parent).expect("the cache").join("sid");
        if !folder.exists() {
            fs::create_dir(&folder).expect("made");
            let listed = Command::new("chroot").arg(&root).args(["ldd", "/usr/sbin/mysqld"]).output().expect("run ldd");
            let listed = String::from_utf8(listed.stdout).expect("paths");
            let libraries =
                listed.split_whitespace().filter(|word| word.starts_with("/lib") || word.starts_with("/usr"));
            for path in libraries.chain(["/usr/sbin/mysqld"]) {
                let from = root.join(path.trim_start_matches('/')).canonicalize().expect("a library");
                let name = if path.ends_with("mysqld") {
                    "real".as_ref()
                } else {
                    Path::new(path).file_name().expect("a name")
                };
                let to = folder.join(name);
                if fs::hard_link(&from, &to).is_err() {
                    copy_program(&from, &to);
                }
            }
            let at = folder.display();
            let script = format!(
                "#!/bin/sh\nexec {at}/ld-linux-x86-64.so.2 --argv0 \"$0\" --library-path {at} {at}/real \"$@\"\n"
            );
            fake_client(&folder, "mysqld", &script);
        }
        folder
    }

    /// No process, no folder.
    fn assert_clean(&self) {
        assert_gone(&self.temp.display().to_string());
        eventually("every scratch folder is gone", || names(&self.temp).is_empty());
    }
}

fn orders(database: &Database<'_>) {
    database.sql("CREATE TABLE orders (id int PRIMARY KEY, note text)");
    database.sql("INSERT INTO orders VALUES (1, 'one'), (2, 'it''s two'), (3, NULL)");
}

/// What a server of its own may write in another way: zones, floats, partitions, bytes.
fn of_postgres() -> Database<'static> {
    let database = postgres15().database("verify");
    orders(&database);
    let name = database.name();
    database.sql(&format!(
        r#"
        ALTER DATABASE "{name}" SET timezone = 'Asia/Kathmandu';
        CREATE TABLE "odd ""names" (at timestamptz, f float8, b bytea, j jsonb);
        INSERT INTO "odd ""names" VALUES (now(), 0.1 + 0.2, '\x00ff5c', '{{"a": [1, null]}}'), (NULL, 'NaN', NULL, NULL);
        CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
        CREATE TABLE moods (m mood) PARTITION BY HASH (m);
        CREATE TABLE moods_0 PARTITION OF moods FOR VALUES WITH (MODULUS 2, REMAINDER 0);
        CREATE TABLE moods_1 PARTITION OF moods FOR VALUES WITH (MODULUS 2, REMAINDER 1);
        INSERT INTO moods SELECT unnest(enum_range(NULL::mood)) FROM generate_series(1, 5);
        SELECT lo_from_bytea(0, 'large');
        CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
        CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f();
        COMMENT ON EVENT TRIGGER e IS 'none';
        CREATE ROLE "{name}_reader";
        CREATE POLICY p ON orders FOR SELECT TO "{name}_reader" USING (id > 1);
        CREATE ROLE "{name}_owner";
        ALTER TABLE moods OWNER TO "{name}_owner"; ALTER EVENT TRIGGER e OWNER TO CURRENT_USER;
        GRANT SELECT ON orders TO "{name}_reader" WITH GRANT OPTION; GRANT SELECT (m) ON moods TO "{name}_reader";
        ALTER DEFAULT PRIVILEGES FOR ROLE "{name}_owner" GRANT SELECT ON TABLES TO "{name}_reader";
        "#
    ));
    database
}

#[test]
fn a_postgres_archive_is_restored_into_a_scratch_server_and_is_the_same() {
    let place = Place::new();
    let database = of_postgres();
    let archive = place.archive(&database);
    let output = place.on_scratch(&archive, postgres15()).arg("--json").run().expect_code(0);
    let tried = &output.json()["restored"];
    assert_eq!(tried["rows"], 20, "{tried}");
    // Both partitions count as their root: pg_dump loads them through it.
    assert_eq!((&tried["tables"], &tried["checksums"]), (&3.into(), &3.into()), "{tried}");
    assert_eq!(tried["not_compared"], serde_json::json!(["the database's owner"]));
    place.assert_clean();
    // On a server of the user's nobody is made an owner, and nothing is granted: that is said.
    let into = place.verify(&archive, postgres15()).args(["--json", "--restore-into", &postgres15().uri("postgres")]);
    let tried = &into.run().expect_code(0).json()["restored"];
    assert_eq!(tried["not_compared"], serde_json::json!(["owners", "privileges", "the database's owner"]));
    let name = database.name().to_owned();
    database.sql("DROP POLICY p ON orders");
    database.sql(&format!(
        "DROP OWNED BY \"{name}_reader\", \"{name}_owner\"; DROP ROLE \"{name}_reader\", \"{name}_owner\""
    ));
}

#[test]
fn archives_of_mysql_and_mariadb_are_restored_into_scratch_servers_and_are_the_same() {
    for server in [mysql(), mariadb()] {
        let place = Place::new();
        let database = server.database("verify");
        orders(&database);
        database.sql("CREATE TABLE bytes (t timestamp, f float, b blob, s varchar(40))");
        database.sql(
            "INSERT INTO bytes VALUES ('2024-02-29 23:59:59', 0.1, x'00ff275c', 'a\\n\\'),(;'), (NULL, NULL, NULL, '')",
        );
        let archive = place.archive(&database);
        let output = place.on_scratch(&archive, server).arg("--json").run().expect_code(0);
        let tried = &output.json()["restored"];
        assert_eq!(
            (&tried["tables"], &tried["rows"], &tried["checksums"]),
            (&2.into(), &5.into(), &2.into()),
            "{tried}"
        );
        place.assert_clean();
    }
}

#[test]
fn somebody_elses_dump_is_compared_by_rows_and_it_is_said_so() {
    let place = Place::new();
    let database = postgres15().database("verify");
    orders(&database);
    let sql = database.client("pg_dump").output().expect("run pg_dump");
    let dump = place.verify(Path::new("-"), postgres15()).arg("--restore").input(sql.stdout).run().expect_code(0);
    assert!(dump.stderr.contains("none by checksum (the archive is not dbhaul's)"), "{}", dump.stderr);
    place.assert_clean();
}

#[test]
fn an_ordinary_user_needs_nobody_else() {
    let place = Place::new();
    let database = postgres15().database("verify");
    orders(&database);
    let archive = place.archive(&database);
    let (own, readable) = (place.path.join("dbhaul"), place.path.join("readable.tar.gz"));
    copy_program(program(), &own);
    fs::copy(&archive, &readable).expect("copied");
    fs::set_permissions(&readable, fs::Permissions::from_mode(0o644)).expect("chmod");
    let mut verify = Command::new("setpriv");
    verify.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&own);
    verify.arg("verify").arg(&readable).arg("--restore").current_dir("/");
    verify.env_clear().env("PATH", "/usr/bin:/bin").env("TMPDIR", &place.temp);
    let output = verify.output().expect("run setpriv");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 by checksum"), "{said}");
    place.assert_clean();
    // Root, where there is nobody else.
    let passwd = place.path.join("passwd");
    fs::write(&passwd, "root:x:0:0:root:/root:/bin/bash\n").expect("write");
    let alone = format!("mount --bind '{}' /etc/passwd && exec \"$@\"", passwd.display());
    let by_root = place.on_scratch(&archive, postgres15()).under(["unshare", "--mount", "sh", "-c", &alone, "sh"]);
    by_root.run().refused(5, &["neither postgres nor nobody"]).follows("ordinary-user");
}

/// An archive in memory.
struct Memory(Vec<u8>);

impl Sink for Memory {
    fn write_all(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn patch(&mut self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        let at = usize::try_from(offset).expect("a small archive");
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn can_patch(&self) -> bool {
        true
    }
}

/// The same archive with another manifest, and all checksums right.
pub fn with_manifest(archive: &Path, change: impl FnOnce(&mut Manifest)) {
    let mut dump = archive::dump_stream(&store::open(archive).expect("a file")).expect("a dump").1;
    rewrite(archive, &mut dump, change);
}

/// The same with another dump.
pub fn with_dump(archive: &Path, mut dump: &[u8]) {
    rewrite(archive, &mut dump, |manifest| manifest.tables.clear());
}

fn rewrite(archive: &Path, dump: &mut dyn Read, change: impl FnOnce(&mut Manifest)) {
    let mut manifest = archive::inspect(&store::open(archive).expect("a file")).expect("an archive").manifest;
    change(&mut manifest);
    let options = Options { root: "changed".into(), compression: Compression::None, mtime: 0, encoders: 1 };
    let writer = Writer::new(Memory(Vec::new()), options).expect("a writer");
    let name = manifest.members[0].path.rsplit('/').next().expect("a name").to_owned();
    manifest.members = writer.stream(&name, dump, &mut |_| {}).expect("written");
    writer.bytes("manifest.json", &manifest.to_json()).expect("written");
    fs::write(archive, writer.seal().expect("sealed").into_sink().0).expect("written");
}

#[test]
fn a_manifest_with_a_wrong_count_or_checksum_is_found_without_a_server() {
    for server in [postgres15(), mysql()] {
        let place = Place::new();
        let database = server.database("verify");
        orders(&database);
        let archive = place.archive(&database);
        with_manifest(&archive, |_| {});
        place.verify(&archive, server).run().expect_code(0);
        with_manifest(&archive, |manifest| manifest.tables[0].rows = Some(4));
        let words = ["orders has 4 rows in the manifest and 3 rows in the dump"];
        place.verify(&archive, server).run().refused(8, &words);
        with_manifest(&archive, |manifest| {
            manifest.tables[0].rows = Some(3);
            manifest.tables[0].checksum = Some("0123456789abcdef".into());
        });
        place.verify(&archive, server).run().refused(8, &["orders", "0123456789abcdef"]);
        // What was summed in a way that nobody knows here can't be wrong.
        with_manifest(&archive, |manifest| manifest.row_checksum = Some("another".into()));
        place.verify(&archive, server).run().expect_code(0);
    }
}

/// The vendor's programs, and a `pg_restore` that does something else to the target afterwards.
pub fn meddling(folder: &Path, server: &Server, sql: &str) {
    let real = server.client_dir();
    for program in ["pg_dump", "psql"] {
        std::os::unix::fs::symlink(real.join(program), folder.join(program)).expect("a link");
    }
    let script = format!(
        "#!/bin/sh\nfor arg; do case $arg in --dbname=*) db=${{arg#--dbname=}};; esac; done\n\
         [ \"$1\" = --version ] || {{ '{real}/pg_restore' \"$@\" && exec '{real}/psql' -X -q -d \"$db\" -c \"{sql}\"; exit 1; }}\n\
         exec '{real}/pg_restore' --version\n",
        real = real.display()
    );
    fake_client(folder, "pg_restore", &script);
}

#[test]
fn a_table_that_is_not_the_same_after_the_restore_is_named() {
    let place = Place::new();
    let database = postgres15().database("verify");
    orders(&database);
    database.sql(
        "CREATE VIEW v AS SELECT 1 AS one; CREATE SEQUENCE s; CREATE INDEX i ON orders (note);
         CREATE MATERIALIZED VIEW m AS SELECT 1 AS one; GRANT SELECT ON orders TO PUBLIC; SELECT lo_from_bytea(7, 'large')",
    );
    let archive = place.archive(&database);
    for (sql, word) in [
        ("DROP VIEW v", "view public.v is missing"),
        ("DROP INDEX i; CREATE INDEX i ON orders (id)", "index public.i: another definition than in the dump"),
        ("SELECT setval('s', 7)", "sequence set public.s: another definition than in the dump"),
        ("SELECT lo_put(7, 0, 'L')", "large objects: others than in the dump, or with other contents"),
        ("SELECT lo_unlink(7)", "large objects are missing"),
        ("REFRESH MATERIALIZED VIEW m WITH NO DATA", "materialized view data public.m is missing"),
        ("DELETE FROM orders WHERE id = 2", "table public.orders: 3 rows in the dump, 2 rows restored"),
        ("UPDATE orders SET note = 'two' WHERE id = 2", "public.orders: 3 rows as in the dump, but with other values"),
        ("ALTER TABLE orders RENAME TO x", "table public.orders is missing"),
    ] {
        let clients = tempfile::tempdir().expect("a folder");
        meddling(clients.path(), postgres15(), sql);
        let into = place.verify(&archive, postgres15()).client_dirs([clients.path()]);
        into.args(["--restore-into", &postgres15().uri("postgres")]).run().refused(8, &[word, "was dropped again"]);
    }
    let clients = tempfile::tempdir().expect("a folder");
    meddling(
        clients.path(),
        postgres15(),
        "DELETE FROM orders; CREATE ROLE other; ALTER TABLE orders OWNER TO other; REVOKE SELECT ON orders FROM PUBLIC",
    );
    let scratch = place.on_scratch(&archive, postgres15()).client_dirs([clients.path()]);
    scratch.run().refused(
        8,
        &[
            "public.orders: 3 rows in the dump, 0 rows restored",
            "table public.orders: another owner than in the dump",
            "privileges on TABLE orders in public is missing",
        ],
    );
    place.assert_clean();
}

#[test]
fn a_damaged_archive_never_starts_a_server() {
    let place = Place::new();
    let database = postgres15().database("verify");
    orders(&database);
    let archive = place.archive(&database);
    let mut bytes = fs::read(&archive).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&archive, bytes).expect("written");
    let asked = place.path.join("asked");
    fake_client(&place.path, "postgres", &format!("#!/bin/sh\ntouch '{}'\n", asked.display()));
    place.on_scratch(&archive, postgres15()).arg("--server-dir").arg(&place.path).run().refused(8, &["is not whole"]);
    assert!(!asked.exists(), "the server's program was run");
    place.assert_clean();
}

#[test]
fn without_a_server_that_fits_it_says_what_to_install() {
    let place = Place::new();
    let database = postgres15().database("verify");
    orders(&database);
    let archive = place.archive(&database);
    let servers = tempfile::tempdir().expect("a folder");
    let verify = || place.on_scratch(&archive, postgres15()).arg("--server-dir").arg(servers.path()).run();
    verify().refused(5, &["it takes PostgreSQL 15", "found: none", "apt install postgresql-15", "--restore-into"]);
    fake_client(servers.path(), "postgres", "#!/bin/sh\necho 'postgres (PostgreSQL) 13.2'\n");
    verify().refused(5, &["13.2), too old"]);
    fake_client(servers.path(), "postgres", "#!/bin/sh\necho 'postgres (PostgreSQL) 15.2'\n");
    verify().refused(5, &["has no initdb beside it"]);
    place.assert_clean();
}

#[test]
fn a_server_that_does_not_start_is_shown_with_its_own_words() {
    let place = Place::new();
    let database = postgres15().database("verify");
    orders(&database);
    let archive = place.archive(&database);
    let servers = tempfile::tempdir().expect("a folder");
    fs::set_permissions(servers.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
    fake_client(
        servers.path(),
        "postgres",
        "#!/bin/sh\n[ \"$1\" = --version ] && { echo 'postgres (PostgreSQL) 15.2'; exit; }\necho 'FATAL: not today' >&2\nexit 1\n",
    );
    fake_client(servers.path(), "initdb", "#!/bin/sh\nexit 0\n");
    let verify = place.on_scratch(&archive, postgres15()).arg("--server-dir").arg(servers.path());
    verify.run().refused(7, &["the scratch server ended by itself", "FATAL: not today"]);
    place.assert_clean();
}

#[test]
fn a_disk_that_is_too_small_is_seen_before_anything_is_started() {
    let place = Place::new();
    let database = postgres15().database("verify");
    orders(&database);
    let archive = place.archive(&database);
    let disk = Disk::mount("size=64m,mode=1777");
    let verify = place.on_scratch(&archive, postgres15()).env("TMPDIR", disk.path());
    verify.run().refused(10, &["there is no room for a scratch server", "are free", "nothing was started"]);
    assert_eq!(names(disk.path()), [""; 0]);
}

#[test]
fn a_disk_that_fills_up_under_a_scratch_server_is_7_and_nothing_is_left() {
    let place = Place::new();
    let database = postgres15().database("verify");
    database.sql("CREATE TABLE much AS SELECT n, repeat(md5(n::text), 32) AS text FROM generate_series(1, 3000) n");
    let archive = place.archive(&database);
    let disk = Disk::mount("size=1g,mode=1777");
    let gate = Gate::before(&postgres15().client_dir());
    let verify = place.on_scratch(&archive, postgres15()).env("TMPDIR", disk.path()).client_dirs([gate.folder()]);
    let mut running = verify.spawn();
    running.wait_until("a client before the gate", |_| gate.reached());
    disk.shrink();
    gate.open();
    running.wait().refused(7, &["No space left on device"]);
    assert_eq!(names(disk.path()), [""; 0]);
}

#[test]
fn term_and_kill_leave_neither_a_server_nor_its_folder() {
    for server in [postgres15(), mariadb()] {
        let place = Place::new();
        let database = server.database("verify");
        orders(&database);
        let archive = place.archive(&database);
        for (signal, code) in [(Signal::TERM, Some(143)), (Signal::KILL, None)] {
            let gate = Gate::before(&server.client_dir());
            let mut running = place.on_scratch(&archive, server).client_dirs([gate.folder()]).spawn();
            running.wait_until("a client before the gate", |_| gate.reached());
            let children = descendants(running.pid());
            assert!(children.len() > 2, "a server and a client");
            assert_eq!(names(&place.temp).len(), 1);
            running.signal(signal);
            assert_eq!(running.wait().code, code);
            eventually("every process is gone", || !children.iter().any(|&pid| alive(pid)));
            place.assert_clean();
        }
    }
}

#[test]
fn a_folder_that_nobody_removed_is_named_by_the_next_run() {
    let place = Place::new();
    let database = postgres15().database("verify");
    orders(&database);
    let archive = place.archive(&database);
    let left = place.temp.join("dbhaul-scratch-left");
    fs::create_dir(&left).expect("made");
    fs::write(left.join("lock"), "").expect("written");
    let output = place.on_scratch(&archive, postgres15()).run().expect_code(0);
    let warned = output.stderr.lines().any(|line| line.starts_with("warning") && line.contains("dbhaul-scratch-left"));
    assert!(warned, "{}", output.stderr);
    assert_eq!(names(&place.temp), ["dbhaul-scratch-left"]);
}

/// The databases of verify on a server.
fn ours(server: &Server) -> Vec<String> {
    let query = if server.flavour().is_postgres() {
        "SELECT datname FROM pg_database WHERE datname LIKE 'dbhaul\\_verify\\_%'"
    } else {
        "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'dbhaul\\_verify\\_%'"
    };
    server.sql(query).lines().map(str::to_owned).collect()
}

/// On servers of its own: what is left there is to be seen.
#[test]
fn a_server_of_yours_has_a_database_for_as_long_as_the_trial_takes() {
    for flavour in [Flavour::Postgres15, Flavour::Mysql] {
        let server = &Server::start(flavour);
        let place = Place::new();
        let database = server.database("verify");
        orders(&database);
        let archive = place.archive(&database);
        let verify = || place.verify(&archive, server).args(["--restore-into", &database.uri()]);
        let output = verify().arg("--json").run().expect_code(0);
        assert_eq!(
            (&output.json()["restored"]["rows"], &output.json()["restored"]["checksums"]),
            (&3.into(), &1.into())
        );
        assert_eq!(ours(server), [""; 0]);

        for signal in [Signal::TERM, Signal::KILL] {
            let gate = Gate::before(&server.client_dir());
            let mut running = verify().client_dirs([gate.folder()]).spawn();
            running.wait_until("a client before the gate", |_| gate.reached());
            let children = descendants(running.pid());
            assert_eq!(ours(server).len(), 1);
            running.signal(signal);
            let output = running.wait();
            eventually("every process is gone", || !children.iter().any(|&pid| alive(pid)));
            if signal == Signal::TERM {
                output.refused(143, &["stopped by SIGTERM", "was dropped again"]);
                assert_eq!(ours(server), [""; 0]);
            }
        }
        let left = ours(server);
        assert_eq!(left.len(), 1, "kill -9 leaves it");
        let next = verify().run().expect_code(0);
        assert!(
            next.stderr.lines().any(|line| line.starts_with("warning") && line.contains(&left[0])),
            "{}",
            next.stderr
        );
        assert_eq!(ours(server), left);
        assert_eq!(database.sql("SELECT count(*) FROM orders"), "3");
        place.assert_clean();
    }
}

#[test]
fn who_may_not_create_a_database_is_refused() {
    let place = Place::new();
    for server in [postgres15(), mysql(), mariadb()] {
        let database = server.database("verify");
        orders(&database);
        let archive = place.archive(&database);
        let name = database.name();
        let user = format!("{name}_user");
        if server.flavour().is_postgres() {
            server.sql(&format!("CREATE ROLE {user} LOGIN PASSWORD 'plain'"));
        } else {
            server.sql(&format!("CREATE USER {user} IDENTIFIED BY 'plain'; GRANT ALL ON {name}.* TO {user}"));
        }
        let uri = server.uri_as(&user, "plain", name);
        let verify = place.verify(&archive, server).args(["--restore-into", &uri]).run();
        let words = ["may not create a database there", "nothing was changed"];
        assert_eq!(verify.refused(10, &words).hints(), 1);
        server.sql(&format!("DROP {} {user}", if server.flavour().is_postgres() { "ROLE" } else { "USER" }));
        fs::remove_file(&archive).expect("removed");
    }
}
