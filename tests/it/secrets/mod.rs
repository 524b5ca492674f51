//! A password of awkward characters, searched for wherever no password may stand.

mod leftovers;
mod others;
mod strings;

use std::{
    collections::BTreeSet,
    fs,
    io::Read,
    path::Path,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crate::support::{Dbhaul, Output, Server, dbhaul, fake_client, mariadb, mysql, postgres15, postgres18};

/// Quotes of all kinds, what shells, URIs, option files and passfiles take for their own, and letters beyond ASCII.
/// Its two ends are long words, as parsers repeat them.
const PASSWORD: &str = "Vorn7Qk4x'a\"b\\c#d%e?f+g:h@i j$(k)`l&m=n;o{p}|q<r>üß🦀~Hinten9Zw2y";

/// Every spelling of the password holds one of these.
const PIECES: [&str; 2] = ["Vorn7Qk4x", "Hinten9Zw2y"];

/// A password of a test's own: tests run at the same time, and see each other's processes.
fn password(of: &str) -> String {
    PASSWORD.replace("Vorn", &format!("{of}Vorn")).replace("9Zw2y", &format!("9Zw2y{of}"))
}

/// Fails when a text holds the beginning or the end of either piece, or a piece in hex or base64.
fn assert_clean(what: &str, bytes: impl AsRef<[u8]>) {
    let text = String::from_utf8_lossy(bytes.as_ref());
    for piece in PIECES {
        let hex: String = piece.bytes().map(|byte| format!("{byte:02x}")).collect();
        let ends = [piece[..6].to_owned(), piece[piece.len() - 6..].to_owned(), hex.to_uppercase(), hex];
        for spelling in ends.into_iter().chain(base64(piece)) {
            assert!(!text.contains(&spelling), "{what} holds {piece} as {spelling}:\n{text}");
        }
    }
}

/// What every base64 text with the piece in it holds: it may begin at any of three places in a group.
fn base64(piece: &str) -> [String; 3] {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    [0, 1, 2].map(|skipped| {
        let groups = piece.as_bytes()[skipped..].chunks_exact(3);
        groups
            .flat_map(|group| {
                let bits = group.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte));
                [18, 12, 6, 0].map(|shift| char::from(DIGITS[bits >> shift & 63]))
            })
            .collect()
    })
}

#[test]
fn the_search_knows_every_spelling() {
    assert_eq!(base64("Vorn7Q"), ["Vm9ybjdR", "b3Ju", "cm43"]);
}

fn assert_output_clean(what: &str, output: &Output) {
    assert_clean(&format!("stdout of {what}"), &output.stdout);
    assert_clean(&format!("stderr of {what}"), &output.stderr);
}

/// Reads the command line and environment of every process, over and over, until it is told to stop.
struct Spy {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    /// Where a piece of the password stood.
    leaks: BTreeSet<String>,
    /// Every command line that names the folder of the wrappers.
    commands: BTreeSet<String>,
}

impl Spy {
    /// `except`: a process that was given the password by the test itself, on its command line. `folder`: of the wrappers.
    fn start(except: Option<u32>, folder: &Path, of: &str) -> Self {
        let command_line = |pid: u32| loop {
            // In the middle of its exec it has none.
            let text = read_at_once(format!("/proc/{pid}/cmdline"));
            if !text.is_empty() {
                break text;
            }
        };
        // By text: a child that was just forked still has the command line of its parent. Read at the start, for the
        // parent may have ended since, and again where it matters, for it may have been in its exec then.
        let first = except.map(command_line).unwrap_or_default();
        let is_given = move |text: &[u8]| {
            text == first || except.is_some_and(|pid| read_at_once(format!("/proc/{pid}/cmdline")) == text)
        };
        let pieces = [format!("{of}Vorn"), format!("9Zw2y{of}")];
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Seen::default())));
        let (ended, found, folder) = (Arc::clone(&stop), Arc::clone(&seen), folder.display().to_string());
        let thread = thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                for entry in fs::read_dir("/proc").expect("/proc").flatten() {
                    let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
                    for file in ["cmdline", "environ"] {
                        let bytes = read_at_once(entry.path().join(file));
                        let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
                        let mut seen = found.lock().expect("no panic with the lock");
                        if pieces.iter().any(|piece| text.contains(piece)) && !is_given(&bytes) {
                            seen.leaks.insert(format!("{file} of {pid}: {text}"));
                        }
                        if file == "cmdline" && text.contains(&folder) {
                            seen.commands.insert(text);
                        }
                    }
                }
                thread::sleep(Duration::from_millis(2));
            }
        });
        Self { stop, seen, thread: Some(thread) }
    }

    /// Whether a program of the wrappers' folder runs with this in its command line.
    fn saw(&self, what: &str) -> bool {
        self.seen.lock().expect("no panic with the lock").commands.iter().any(|command| command.contains(what))
    }

    fn end(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("a thread").join().expect("the spy");
        let seen = self.seen.lock().expect("no panic with the lock");
        assert_eq!(seen.leaks, BTreeSet::new());
    }
}

/// A small file of `/proc`, in one call: between two, a process may become another program, and the half of its parent's
/// command line that was read before is nobody's. Nothing where it has gone.
fn read_at_once(path: impl AsRef<Path>) -> Vec<u8> {
    let mut bytes = vec![0; 256 << 10];
    let length = fs::File::open(path).and_then(|mut file| file.read(&mut bytes)).unwrap_or_default();
    bytes.truncate(length);
    bytes
}

/// Wrappers of the server's clients: each copies its environment and waits for the file `go` before it becomes the
/// client. They stay visible in argv of the shell that runs them.
fn wrappers(server: &Server, folder: &Path) {
    let programs: &[&str] = if server.flavour().is_postgres() {
        &["pg_dump", "pg_restore", "psql"]
    } else if server.client_dir().join("mysqldump").exists() && !server.client_dir().join("mariadb-dump").exists() {
        &["mysqldump", "mysql"]
    } else {
        &["mariadb-dump", "mariadb"]
    };
    for program in programs {
        let (real, folder_name) = (server.client_dir().join(program), folder.display());
        fake_client(
            folder,
            program,
            &format!(
                "#!/bin/sh\n[ \"$1\" = --version ] && exec {real} --version\nenv > {folder_name}/environment.$$\n\
                 grep core /proc/self/limits > {folder_name}/limits.$$\n\
                 n=0; until [ -e {folder_name}/go ] || [ $n = 6000 ]; do n=$((n+1)); sleep 0.01; done\nexec {real} \"$@\"\n",
                real = real.display(),
            ),
        );
    }
}

/// A user with the awkward password who owns databases.
fn user(server: &Server, name: &str, password: &str) {
    if server.flavour().is_postgres() {
        // Inside a dollar quote nothing is escaped.
        server.sql(&format!(
            "DO $do$ BEGIN EXECUTE format('CREATE ROLE {name} LOGIN CREATEDB SUPERUSER PASSWORD %L', $pw${password}$pw$); END $do$;"
        ));
    } else {
        let quoted = password.replace('\\', "\\\\").replace('\'', "''");
        server.sql(&format!("CREATE USER {name}@'%' IDENTIFIED BY '{quoted}'; GRANT ALL ON *.* TO {name}@'%';"));
    }
}

/// A dbhaul with the wrappers and a temporary folder of its own, that says everything it can.
fn talkative(wrappers: &Path, temp: &Path) -> Dbhaul {
    dbhaul().client_dirs([wrappers]).env("TMPDIR", temp).arg("-vv")
}

/// Runs a command to its end under the eyes of a spy. The wrappers wait until the spy has seen one at work.
fn watched(command: Dbhaul, wrappers: &Path, at_work: &str, of: &str) -> Output {
    let _ = fs::remove_file(wrappers.join("go"));
    let mut running = command.spawn();
    let spy = Spy::start(Some(running.pid()), wrappers, of);
    running.wait_until("a client at work", |_| spy.saw(at_work));
    fs::write(wrappers.join("go"), "").expect("let the client go");
    let output = running.wait();
    spy.end();
    output
}

fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let output = Command::new("find").arg(folder).args(["-type", "f"]).output().expect("run find");
    String::from_utf8_lossy(&output.stdout).lines().map(Into::into).collect()
}

fn stays_secret(server: &Server, of: &str) {
    let password = &password(of);
    let place = tempfile::tempdir().expect("a folder");
    let (clients, temp, out) = (place.path().join("clients"), place.path().join("tmp"), place.path().join("out"));
    for folder in [&clients, &temp, &out] {
        fs::create_dir(folder).expect("a folder");
    }
    wrappers(server, &clients);
    let name = format!("awkward_{}", std::process::id());
    user(server, &name, password);
    let (source, target) = (server.database("secret_source"), server.database("secret_target"));
    source.sql("CREATE TABLE t (n INT PRIMARY KEY, v VARCHAR(20)); INSERT INTO t VALUES (1, 'one'), (2, 'two')");
    let uri = |database: &str| server.uri_as(&name, password, database);
    let at_work = if server.flavour().is_postgres() { "--format" } else { "--quick" };

    // By the command line, then by a file, which keeps it out of dbhaul's own command line as well.
    let output = talkative(&clients, &temp).arg("dump").arg(uri(source.name())).arg("--json").cwd(&out);
    let output = watched(output, &clients, at_work, of);
    assert_output_clean("dump --json", &output);
    let archive = out.join(output.expect_code(0).json()["archive"].as_str().expect("a path"));

    let file = place.path().join("uri");
    fs::write(&file, uri(source.name())).expect("write the URI");
    let by_file = format!("file:{}", file.display());
    let _ = fs::remove_file(clients.join("go"));
    let spy = Spy::start(None, &clients, of);
    let mut running = talkative(&clients, &temp).args(["dump", &by_file]).cwd(&out).spawn();
    running.wait_until("a client at work", |_| spy.saw(at_work));
    fs::write(clients.join("go"), "").expect("let the client go");
    let output = running.wait();
    spy.end();
    assert_output_clean("dump file:", &output);
    output.expect_code(0);

    let mut bytes = Vec::new();
    flate2::read::MultiGzDecoder::new(fs::File::open(&archive).expect("the archive"))
        .read_to_end(&mut bytes)
        .expect("a gzip file");
    assert_clean("the archive", &bytes);
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("\"format_version\""), "the manifest was searched, too");
    assert!(text.contains("one"), "the rows were searched, too");

    for words in
        [vec!["dump", "--dry-run"], vec!["dump", "--dry-run", "--json"], vec!["doctor"], vec!["doctor", "--json"]]
    {
        let output = talkative(&clients, &temp).args(&words).arg(uri(source.name())).cwd(&out).run();
        assert_output_clean(&words.join(" "), &output);
        let output = output.expect_code(0);
        let said = format!("{}{}", output.text(), output.stderr);
        assert!(said.contains("dump"), "{words:?} said nothing: {said}");
    }

    let restore = talkative(&clients, &temp).arg("restore").arg(&archive).arg(uri(target.name())).cwd(&out);
    let at_work = if server.flavour().is_postgres() { "--exit-on-error" } else { "--defaults-file" };
    let output = watched(restore, &clients, at_work, of);
    assert_output_clean("restore", &output);
    output.expect_code(0);
    assert_eq!(target.sql("SELECT count(*) FROM t"), "2");

    for file in files_below(&temp).into_iter().chain(files_below(&out)).chain(files_below(&clients)) {
        assert_clean(&file.display().to_string(), fs::read(&file).expect("a file"));
    }
    let environments = files_below(&clients).into_iter().filter(|f| f.display().to_string().contains("environment"));
    assert!(environments.count() >= 2, "the wrappers ran");
    for limits in files_below(&clients).into_iter().filter(|f| f.display().to_string().contains("limits")) {
        let text = fs::read_to_string(limits).expect("a file");
        assert_eq!(leftovers::core_limit(&text), ["1", "1"], "a client may leave a core dump: {text}");
    }

    // What servers and clients send back.
    let wrong = server.uri_as("dbhaul", password, source.name());
    let unknown = uri("no_such_database");
    for (what, words, code) in [
        ("a wrong password", vec!["dump", &wrong], 4),
        ("an unknown database", vec!["dump", &unknown], 4),
        ("a wrong password, as JSON", vec!["dump", "--json", &wrong], 4),
        ("a wrong password, by doctor", vec!["doctor", &wrong], 4),
    ] {
        let output = talkative(&clients, &temp).args(words).cwd(&out).run();
        assert_output_clean(what, &output);
        output.expect_code(code);
    }
}

#[test]
fn row_13_the_password_of_a_postgresql_15_user_shows_nowhere() {
    stays_secret(postgres15(), "fifteen");
}

#[test]
fn row_13_the_password_of_a_postgresql_18_user_shows_nowhere() {
    stays_secret(postgres18(), "eighteen");
}

#[test]
fn row_13_the_password_of_a_mysql_user_shows_nowhere() {
    stays_secret(mysql(), "mysql");
}

#[test]
fn row_13_the_password_of_a_mariadb_user_shows_nowhere() {
    stays_secret(mariadb(), "mariadb");
}

/// A client that repeats its option file or passfile, raw and escaped, on stderr, and fails.
fn blabbing(server: &Server, program: &str, read: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let real = server.client_dir().join(program);
    fake_client(
        folder.path(),
        program,
        &format!(
            "#!/bin/bash\n[ \"$1\" = --version ] && exec {real} --version\n{read}\n\
             echo \"fatal: bad line: $secret\" >&2\n\
             echo \"near \\\"${{secret:0:24}}\\\"\" >&2\n\
             head -c 70000 /dev/zero | tr '\\0' x >&2; echo \"$secret\" >&2\n\
             echo \"last words: $secret\" >&2\nexit 1\n",
            real = real.display()
        ),
    );
    let password = &password("blab");
    let name = format!("blab_{}", std::process::id());
    user(server, &name, password);
    let database = server.database("secret_blab");
    database.sql("CREATE TABLE t (n INT)");
    let uri = server.uri_as(&name, password, database.name());
    for more in [vec![], vec!["--json"], vec!["-vv"]] {
        let output = dbhaul().client_dirs([folder.path()]).args(["dump", &uri]).args(&more).cwd(folder.path()).run();
        assert_output_clean("a client that repeats the password", &output);
        let output = output.expect_code(6);
        assert!(output.stderr.contains("****"), "{}", output.stderr);
    }
}

#[test]
fn what_pg_dump_repeats_of_its_passfile_is_hidden() {
    blabbing(postgres15(), "pg_dump", "secret=$(tail -n 1 \"$PGPASSFILE\")");
}

#[test]
fn what_mysqldump_repeats_of_its_option_file_is_hidden() {
    blabbing(mysql(), "mysqldump", "secret=$(grep password= \"${1#--defaults-file=}\")");
}

/// The password as people type it into URIs: encoded, raw where libpq takes it, and with a space in it.
fn uris() -> Vec<String> {
    let encoded = mysql_free_uri(PASSWORD);
    let mut all = vec![encoded];
    for password in
        ["Vorn7Qk4x#?+%Hinten9Zw2y", "Vorn7Qk4x Hinten9Zw2y", "Vorn7Qk4x/Hinten9Zw2y", "Vorn7Qk4x@Hinten9Zw2y"]
    {
        all.push(format!("postgres://u:{password}@127.0.0.1:1/d"));
        all.push(format!("mysql://u:{password}@127.0.0.1:1/d"));
    }
    all.push("postgres://u@127.0.0.1:1/d?password=Vorn7Qk4x@Hinten9Zw2y".to_owned());
    all.push("postgres://127.0.0.1:1/d?user=u&password=Vorn7Qk4x Hinten9Zw2y&connect_timeout=1".to_owned());
    all
}

fn mysql_free_uri(password: &str) -> String {
    let encoded: String = password.bytes().map(|byte| format!("%{byte:02x}")).collect();
    // Letters stay as they are, or no piece could ever be found.
    let [first, last] = PIECES;
    let spell = |piece: &str| piece.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    format!("postgres://u:{}@127.0.0.1:1/d", encoded.replace(&spell(first), first).replace(&spell(last), last))
}

#[test]
fn no_usage_error_repeats_a_password() {
    let folder = tempfile::tempdir().expect("a folder");
    for uri in uris() {
        let of = |option: &str| format!("{option}={uri}");
        let cases: Vec<Vec<String>> = vec![
            vec!["dump".into(), uri.clone(), "--no-such-flag".into()],
            vec!["dump".into(), uri.clone(), uri.clone()],
            vec!["restore".into(), "x.tar.gz".into(), uri.clone(), uri.clone()],
            vec!["dump".into(), of("--no-such-flag")],
            vec!["dump".into(), of("--connect-timeout")],
            vec!["dump".into(), of("--compression")],
            vec!["dump".into(), of("--format")],
            vec!["dump".into(), of("--tunnel")],
            vec!["dump".into(), of("--ssh")],
            vec!["dump".into(), of("--output")],
            vec!["dump".into(), of("--jobs")],
            vec!["dump".into(), format!("-j{uri}")],
            vec!["dump".into(), of("--tunnel-command"), uri.clone()],
            vec!["dump".into(), format!("-o{uri}"), uri.clone()],
            vec![uri.clone()],
            vec!["dmup".into(), uri.clone()],
            vec!["restore".into(), uri.clone(), "x.tar.gz".into()],
            vec!["verify".into(), uri.clone()],
            vec!["inspect".into(), uri.clone()],
            vec!["completions".into(), uri.clone()],
            vec!["doctor".into(), uri.clone(), uri.clone()],
            vec!["dump".into(), uri.clone(), "--".into(), of("--dbname")],
            vec!["dump".into(), uri.clone(), "--".into(), format!("-d{uri}")],
            vec!["dump".into(), uri.clone(), "--".into(), "--password=Vorn7Qk4x Hinten9Zw2y".into()],
            vec!["dump".into(), uri.clone(), "--".into(), "-pVorn7Qk4x".into()],
            vec!["dump".into(), uri.clone(), "--client-dir=/nonexistent".into()],
            vec!["dump".into(), format!("env:{uri}")],
            vec!["dump".into(), format!("file:{uri}")],
        ];
        for words in cases {
            for json in [false, true] {
                let mut command =
                    dbhaul().args(&words[..1]).env("DBHAUL_CONNECT_TIMEOUT", "1").env("DBHAUL_RETRIES", "0");
                if json {
                    command = command.arg("--json");
                }
                let output = command.args(&words[1..]).cwd(folder.path()).run();
                assert_output_clean(&format!("{words:?}"), &output);
                assert_ne!(output.code, Some(0), "{words:?}");
            }
        }
    }
}

#[test]
fn row_14_no_error_about_a_uri_repeats_its_password() {
    let folder = tempfile::tempdir().expect("a folder");
    for uri in uris() {
        let changed = [
            uri.replace("postgres://", "postgis://").replace("mysql://", "msyql://"),
            uri.replace("://", ":/"),
            uri.replace(":1/", ":99999/"),
            uri.replace(":1/", ":x/"),
            uri.replace("/d", "/"),
            uri.replace("/d", "/d?sslmode=perhaps"),
            uri.replace("/d", "/d?sslfoo=1"),
            uri.replace("127.0.0.1:1", "a,b"),
            uri.replace("127.0.0.1:1", "[::1"),
            // Whether what follows an @ is a host or the rest of a password, nobody can tell.
            uri.replace("@127.0.0.1:1/d", "").replace("x@H", "x-H"),
            uri.replace("@127.0.0.1", "").replace("x@H", "x-H"),
            format!(" {uri}\n{uri}"),
        ];
        for text in changed {
            let file = folder.path().join("uri");
            fs::write(&file, &text).expect("write the URI");
            for (words, variable) in [
                (vec!["dump".to_owned(), text.clone()], ""),
                (vec!["dump".to_owned(), format!("file:{}", file.display())], ""),
                (vec!["dump".to_owned(), "--json".to_owned(), "env:SOME_URI".to_owned()], text.as_str()),
                (vec!["doctor".to_owned(), text.clone()], ""),
            ] {
                let output = dbhaul()
                    .args(&words)
                    .args(["--connect-timeout", "1", "--retries", "0"])
                    .env("SOME_URI", variable)
                    .cwd(folder.path())
                    .run();
                assert_output_clean(&format!("{words:?} with {text:?}"), &output);
                assert_ne!(output.code, Some(0), "{words:?}");
            }
        }
    }
}
