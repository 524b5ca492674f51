//! What scripts read: the shape of every JSON result (`docs/json.md`), stdout as a path, the quiet and the loud ways.

use std::{fmt::Write as _, process::Command};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Database, Dbhaul, dbhaul, fixture, mysql, names, postgres15, program, recorded_client};

/// Every key of a value with its type, one a line, sorted. A list shows its first item; an empty one says so.
fn shape(value: &Value) -> String {
    let mut lines = Vec::new();
    walk(value, "", &mut lines);
    lines.sort();
    lines.into_iter().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{line}");
        text
    })
}

fn walk(value: &Value, path: &str, lines: &mut Vec<String>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(items) => {
            return match items.first() {
                Some(first) => walk(first, &format!("{path}[]"), lines),
                None => lines.push(format!("{path}[] none")),
            };
        }
        Value::Object(fields) => {
            let dot = if path.is_empty() { "" } else { "." };
            return fields.iter().for_each(|(key, field)| walk(field, &format!("{path}{dot}{key}"), lines));
        }
    };
    lines.push(format!("{path} {kind}"));
}

#[track_caller]
fn is(value: &Value, command: &str, status: &str, expected: &[&str]) {
    assert_eq!(
        (&value["schema_version"], &value["command"], &value["status"]),
        (&1.into(), &command.into(), &status.into())
    );
    let mut lines: Vec<_> = ["command string", "schema_version integer", "status string"].into();
    lines.extend(expected);
    lines.sort_unstable();
    assert_eq!(shape(value).lines().collect::<Vec<_>>(), lines, "{value:#}");
}

const DUMPED: [&str; 16] = [
    "archive string",
    "bytes integer",
    "client_version string",
    "consistency string",
    "database string",
    "duration_s float",
    "engine string",
    "members[].bytes integer",
    "members[].path string",
    "members[].sha256 string",
    "missing[] none",
    "raw_bytes integer",
    "rows integer",
    "server_version string",
    "tables integer",
    "warnings[] none",
];

const FAILED: [&str; 5] = ["code integer", "details[] string", "hints[] string", "kind string", "message string"];

fn orders(database: &Database<'_>) {
    database.sql("CREATE TABLE orders (id int PRIMARY KEY)");
    database.sql("INSERT INTO orders VALUES (1), (2), (3)");
}

fn dump(database: &Database<'_>, folder: &tempfile::TempDir) -> Dbhaul {
    dbhaul().args(["dump", &database.uri()]).client_dirs([database.server().client_dir()]).cwd(folder.path())
}

#[test]
fn the_results_of_dump_and_restore_have_their_shape() {
    for (server, engine) in [(postgres15(), "postgresql"), (mysql(), "mysql")] {
        let folder = tempfile::tempdir().expect("a folder");
        let source = server.database("json");
        orders(&source);
        let output = dump(&source, &folder).arg("--json").run().expect_code(0);
        assert_eq!(output.text().lines().count(), 1, "one object on one line");
        let dumped = output.json();
        is(&dumped, "dump", "ok", &DUMPED);
        assert_eq!((&dumped["engine"], &dumped["tables"], &dumped["rows"]), (&engine.into(), &1.into(), &3.into()));
        let archive = dumped["archive"].as_str().expect("a path");
        assert_eq!(names(folder.path()), [archive]);
        let size = std::fs::metadata(folder.path().join(archive)).expect("metadata").len();
        assert_eq!(dumped["bytes"], size);

        // A stream: stdout is the archive's, so the object goes to stderr, and the archive has no path.
        let output = dump(&source, &folder).args(["--json", "-o", "-"]).run().expect_code(0);
        assert!(output.stdout.starts_with(&[0x1f, 0x8b]), "the archive");
        let line = output.stderr.lines().find(|line| line.starts_with('{')).expect("an object");
        let mut streamed = DUMPED;
        streamed[0] = "archive null";
        is(&serde_json::from_str(line).expect("JSON"), "dump", "ok", &streamed);

        // One that fails, in the middle or before it began, leaves stdout alone, too.
        let output = dump(&source, &folder).args(["--json", "-o", "-", "--table", "nope*"]).run().refused(2, &[]);
        let line = output.stderr.lines().find(|line| line.starts_with('{')).expect("an object");
        assert_eq!(serde_json::from_str::<Value>(line).expect("JSON")["kind"], "usage");

        let output = dump(&source, &folder).args(["--json", "--dry-run"]).run().expect_code(0);
        is(&output.json(), "dump", "ok", &["commands[] string"]);

        let target = server.database("json");
        let restore = || {
            let restore = dbhaul().args(["restore", archive, &target.uri(), "--json"]).cwd(folder.path());
            restore.client_dirs([server.client_dir()])
        };
        is(&restore().arg("--dry-run").run().expect_code(0).json(), "restore", "ok", &["commands[] string"]);
        let restored = restore().run().expect_code(0).json();
        let lists = ["adaptations[]", "database_properties", "notes[]", "prepared[]", "warnings[]"];
        let rest: Vec<_> = shape(&restored)
            .lines()
            .filter(|l| lists.iter().any(|list| l.starts_with(list)))
            .map(str::to_owned)
            .collect();
        let fixed = [
            "archive string",
            "bytes integer",
            "bytes_read integer",
            "complete bool",
            "database string",
            "duration_s float",
            "engine string",
            "rows integer",
            "server_version string",
            "source_database null",
            "tables integer",
            "tables_complete integer",
        ];
        is(&restored, "restore", "ok", &[&fixed[..], &rest.iter().map(String::as_str).collect::<Vec<_>>()].concat());
        for line in &rest {
            let known = [
                "adaptations[] none",
                "adaptations[].count integer",
                "adaptations[].what string",
                "database_properties.by_hand[] none",
                "database_properties.by_hand[].statement string",
                "database_properties.by_hand[].why string",
                "database_properties.set[] none",
                "database_properties.set[] string",
                "notes[] none",
                "notes[] string",
                "prepared[] none",
                "prepared[] string",
                "warnings[] none",
                "warnings[] string",
            ];
            assert!(known.contains(&line.as_str()), "{line}");
        }
        is(&restore().run().expect_code(10).json(), "restore", "error", &FAILED);
    }
}

#[test]
fn the_results_of_verify_and_inspect_have_their_shape() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = postgres15().database("json");
    orders(&source);
    dump(&source, &folder).args(["-o", "ours.tar.gz"]).run().expect_code(0);
    let run = |command: &str, archive: &str| dbhaul().args([command, archive, "--json"]).cwd(folder.path()).run();
    let verified = |rows| {
        [
            "archive string",
            "bytes integer",
            "checked string",
            "complete bool",
            "engine string",
            "kind string",
            "restored null",
            rows,
            "source_database null",
            "tables integer",
            "warnings[] none",
        ]
    };
    is(&run("verify", "ours.tar.gz").expect_code(0).json(), "verify", "ok", &verified("rows integer"));
    let inspected = run("inspect", "ours.tar.gz").expect_code(0).json();
    let manifest = "manifest.";
    let own: Vec<_> = shape(&inspected).lines().filter(|line| !line.starts_with(manifest)).map(str::to_owned).collect();
    let mut without = inspected.clone();
    without["manifest"] = Value::Null;
    let members = [
        "archive string",
        "dump null",
        "kind string",
        "manifest null",
        "members[].bytes integer",
        "members[].path string",
    ];
    is(&without, "inspect", "ok", &members);
    assert_eq!(own.len(), members.len() - 1 + 3);
    let manifest: Vec<_> = inspected["manifest"].as_object().expect("a manifest").keys().cloned().collect();
    for key in ["client", "database", "engine", "finished_at", "format_version", "members", "options", "tables", "tool"]
    {
        assert!(manifest.iter().any(|k| k == key), "no {key} in {manifest:?}");
    }
    // Somebody else's: no manifest.
    for foreign in [
        "pg_dump-15.custom.dump",
        "pg_dump-18.plain.sql",
        "mysql-9.7.4.sql",
        "mariadb-10.11.19.sql",
        "pg_dump-18.directory",
    ] {
        let path = fixture(&format!("dumps/{foreign}"));
        let path = path.to_str().expect("UTF-8");
        let mut inspected = run("inspect", path).expect_code(0).json();
        let dump = inspected["dump"].take();
        is(&inspected, "inspect", "ok", &members);
        assert_eq!((&dump["complete"], &dump["end"]), (&true.into(), &"complete".into()), "{foreign}: {dump}");
        assert!(dump["tables"].as_array().is_some_and(|tables| !tables.is_empty()), "{foreign}: {dump}");
        assert!(dump["server_version"].is_string() && dump["exporter"].is_null(), "{foreign}: {dump}");
        let result = run("verify", path).expect_code(0).json();
        // Compressed rows can't be counted from outside.
        let counted = if result["rows"].is_null() { "rows null" } else { "rows integer" };
        is(&result, "verify", "ok", &verified(counted));
    }
    is(&run("verify", "missing").expect_code(8).json(), "verify", "error", &FAILED);
    is(&run("inspect", "missing").expect_code(8).json(), "inspect", "error", &FAILED);
}

#[test]
fn the_results_of_doctor_have_their_shape() {
    let clients = [
        "clients[].flavour string",
        "clients[].path string",
        "clients[].role string",
        "clients[].version string",
        "free_disk integer",
        "rejected[] none",
    ];
    let doctor = || dbhaul().args(["doctor", "--json"]).client_dirs([postgres15().client_dir()]);
    is(&doctor().run().expect_code(0).json(), "doctor", "ok", &[&clients[..], &["warnings[] string"]].concat());
    let database = postgres15().database("json");
    orders(&database);
    let examined = doctor().arg(database.uri()).run().expect_code(0).json();
    let server = [
        "commands[] string",
        "server.bytes integer",
        "server.collation string",
        "server.connections_left integer",
        "server.database string",
        "server.encoding string",
        "server.encrypted bool",
        "server.findings[] none",
        "server.flavour string",
        "server.pooler null",
        "server.products[] none",
        "server.read_only bool",
        "server.replica bool",
        "server.standing string",
        "server.tables integer",
        "server.user string",
        "server.version string",
        "server.version_text string",
        "replacement_databases[] none",
        "trial_databases[] none",
        "warnings[] none",
    ];
    is(&examined, "doctor", "ok", &[&clients[..], &server].concat());
    let empty = tempfile::tempdir().expect("a folder");
    let unfit = doctor().client_dirs([empty.path()]).arg(database.uri()).run().expect_code(5);
    is(&unfit.json(), "doctor", "error", &FAILED);
    assert_eq!(unfit.json()["kind"], "client_unfit");
}

#[test]
fn errors_have_their_shape_usage_errors_too() {
    for (args, command, code, kind) in [
        (&["dump", "--json"][..], "dump", 3, "config"),
        (&["dump", "redis://u:hunter2@h/d", "--json"], "dump", 3, "config"),
        (&["dump", "postgres://u:hunter2@127.0.0.1:1/d", "--json"], "dump", 4, "connect_failed"),
        (&["dump", "--jobs", "0", "--json"], "dump", 2, "usage"),
        (&["--json", "restore", "x", "--schema-only", "--data-only"], "restore", 2, "usage"),
        (&["--json", "shovel"], "", 2, "usage"),
    ] {
        let output = dbhaul().args(args).run().expect_code(code);
        let value = output.json();
        let lists = |name: &str| if value[name].as_array().is_some_and(Vec::is_empty) { "none" } else { "string" };
        let (details, hints) = (format!("details[] {}", lists("details")), format!("hints[] {}", lists("hints")));
        is(&value, command, "error", &["code integer", &details, &hints, "kind string", "message string"]);
        assert_eq!((&value["code"], &value["kind"]), (&code.into(), &kind.into()), "{args:?}");
        assert!(!output.text().contains("hunter2") && !output.stderr.contains("hunter2"), "{args:?}");
    }
}

#[test]
fn a_flag_in_the_environment_is_on_as_people_write_it() {
    for (value, json) in [("1", true), ("true", true), ("yes", true), ("0", false), ("false", false), ("", false)] {
        for (args, code) in [(&["dump"][..], 3), (&["dump", "--jobs", "0"], 2)] {
            let output = dbhaul().args(args).env("DBHAUL_JSON", value).run().expect_code(code);
            assert_eq!(output.text().starts_with('{'), json, "DBHAUL_JSON={value:?} {args:?}: {}", output.text());
        }
    }
}

#[test]
fn stdout_is_the_path_alone_so_that_a_shell_can_take_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = postgres15().database("json");
    orders(&database);
    let output = dump(&database, &folder).run().expect_code(0);
    assert_eq!(output.text(), format!("{}\n", names(folder.path())[0]));
    let beside = tempfile::tempdir().expect("a folder");
    let output = dump(&database, &folder).arg("-o").arg(format!("{}/", beside.path().display())).run().expect_code(0);
    assert_eq!(output.text(), format!("{}/{}\n", beside.path().display(), names(beside.path())[0]));
}

#[test]
fn quiet_says_nothing_on_success_and_the_error_on_failure() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = postgres15().database("json");
    orders(&database);
    let output = dump(&database, &folder).arg("--quiet").run().expect_code(0);
    assert_eq!((output.stderr.as_str(), output.text().lines().count()), ("", 1));
    let output = dump(&database, &folder).args(["--quiet", "--table", "nope*"]).run();
    assert!(output.refused(2, &["nope*"]).stderr.starts_with("error:"));
}

#[test]
fn v_shows_each_command_and_vv_what_the_clients_say() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = postgres15().database("json");
    orders(&database);
    let quiet = dump(&database, &folder).run().expect_code(0);
    assert!(!quiet.stderr.contains("--format=custom"), "{}", quiet.stderr);
    let commands = dump(&database, &folder).arg("-v").run().expect_code(0);
    let line = commands.stderr.lines().find(|line| line.starts_with("run ")).expect("a command");
    assert!(line.contains("pg_dump") && line.contains("--format=custom"), "{line}");
    assert!(!commands.stderr.contains(database.server().password()), "{}", commands.stderr);
    let all = dump(&database, &folder).args(["-vv", "--", "--verbose"]).run().expect_code(0);
    assert!(all.stderr.lines().any(|line| line.starts_with("said ")), "{}", all.stderr);
}

#[test]
fn without_a_terminal_there_is_neither_colour_nor_a_bar() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = postgres15().database("json");
    orders(&database);
    for colour in ["", "1"] {
        let output = dump(&database, &folder).env("NO_COLOR", colour).run().expect_code(0);
        assert!(!output.stderr.contains(['\x1b', '\r', '━']), "{:?}", output.stderr);
    }
}

#[test]
fn row_51_without_a_terminal_a_plain_line_tells_now_and_then_how_far_it_is() {
    let (folder, clients) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let database = postgres15().database("json");
    orders(&database);
    recorded_client(clients.path(), "pg_dump", "pg_dump-15.20", "exec sleep 1000");
    let mut running = dump(&database, &folder).client_dirs([clients.path()]).spawn();
    let line = |stderr: &str| stderr.lines().any(|line| line.starts_with(database.name()) && line.ends_with(" so far"));
    running.wait_until("a line of progress", |running| line(&running.stderr()));
    running.signal(Signal::TERM);
    running.wait().refused(143, &[]);
}

/// dbhaul on a terminal, by util-linux's `script`: what it shows.
fn on_a_terminal(no_color: &str) -> String {
    let command = format!("{} dump", program());
    let mut script = Command::new("script");
    script.args(["-qec", &command, "/dev/null"]).env_clear().env("PATH", "/usr/bin:/bin").env("NO_COLOR", no_color);
    let output = script.env("TERM", "xterm").output().expect("run script");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_terminal_gets_colour_unless_no_color_is_set() {
    assert!(on_a_terminal("").contains("\x1b[1;31merror:"), "{:?}", on_a_terminal(""));
    let plain = on_a_terminal("1");
    assert!(plain.contains("error: no database was named") && !plain.contains('\x1b'), "{plain:?}");
}

#[test]
fn verify_and_inspect_say_in_words_what_they_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = mysql().database("json");
    orders(&database);
    dump(&database, &folder).args(["-o", "ours.tar.gz"]).run().expect_code(0);
    let run = |command: &str| dbhaul().args([command, "ours.tar.gz"]).cwd(folder.path()).run().expect_code(0);
    let verify = run("verify");
    assert!(verify.text().starts_with("ours.tar.gz: complete; 1 table, 3 rows"), "{}", verify.text());
    let inspect = run("inspect");
    for word in ["MySQL 9.7", "manifest.json", "dump.sql", "3 rows", "orders", database.name()] {
        assert!(inspect.text().contains(word), "no {word} in:\n{}", inspect.text());
    }
}

#[test]
fn doctor_shows_clients_server_and_the_command() {
    let database = mysql().database("json");
    orders(&database);
    let doctor = || dbhaul().arg("doctor").client_dirs([mysql().client_dir()]);
    let alone = doctor().run().expect_code(0);
    assert!(alone.stderr.contains("no database was named") && alone.stderr.contains("mysqldump"), "{}", alone.stderr);
    let whole = doctor().arg(database.uri()).run().expect_code(0);
    assert!(whole.text().contains("mysqldump") && whole.text().contains("--single-transaction"), "{}", whole.text());
    assert!(whole.stderr.contains("MySQL 9.7") && whole.stderr.contains("encrypted"), "{}", whole.stderr);
    for text in [whole.text(), &whole.stderr] {
        assert!(!text.contains(database.server().password()), "{text}");
    }
}

#[test]
fn completions_and_the_manual_page_are_made() {
    for shell in ["bash", "zsh", "fish"] {
        let script = dbhaul().args(["completions", shell]).run().expect_code(0);
        assert!(script.text().contains("exclude-table-data"), "{shell}");
        let path = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(path.path(), &script.stdout).expect("write");
        // Where a shell is not installed, it can't be asked; bash always is.
        match Command::new(shell).arg("-n").arg(path.path()).output() {
            Ok(checked) => assert!(checked.status.success(), "{shell}: {}", String::from_utf8_lossy(&checked.stderr)),
            Err(error) => assert!(shell != "bash", "bash: {error}"),
        }
    }
    let man = dbhaul().arg("man").run().expect_code(0);
    for word in [".TH dbhaul 1", ".TH dbhaul-dump 1", "\\-\\-exclude\\-table\\-data"] {
        assert!(man.text().contains(word), "no {word}");
    }
    dbhaul().args(["completions", "csh"]).run().refused(2, &["csh"]);
    let help = dbhaul().arg("--help").run().expect_code(0);
    assert!(help.text().contains("restore") && help.stderr.is_empty());
}
