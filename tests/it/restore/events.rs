//! Events of an archive: none runs in a trial or a copy, and a restore says which run.

use std::{fs, path::PathBuf};

use crate::{
    roundtrip::{restored, with_clients_of},
    support::{Database, Server, eventually, mariadb, mysql},
};

/// A script whose events never ran where it was made: they are enabled in its text. One writes to another database, each
/// second; the time of one has passed, and that of one to come is far away; one is disabled.
fn script(server: &Server, witness: &Database<'_>, folder: &tempfile::TempDir) -> PathBuf {
    let source = server.database("events");
    source.sql(&format!(
        "CREATE TABLE q (id INT PRIMARY KEY); INSERT INTO q VALUES (1), (2), (3);
         CREATE EVENT `purge` ON SCHEDULE EVERY 1 SECOND DISABLE DO INSERT INTO {0}.seen VALUES (DATABASE());
         CREATE EVENT gone ON SCHEDULE AT '2036-01-01 00:00:00' DISABLE DO INSERT INTO {0}.seen VALUES ('gone');
         CREATE EVENT kept ON SCHEDULE AT '2036-01-01 00:00:00' ON COMPLETION PRESERVE DISABLE DO INSERT INTO {0}.seen VALUES ('kept');
         CREATE EVENT later ON SCHEDULE AT '2037-01-01 00:00:00' DISABLE DO INSERT INTO {0}.seen VALUES ('later');
         CREATE EVENT off ON SCHEDULE EVERY 1 SECOND DISABLE DO INSERT INTO {0}.seen VALUES ('off');",
        witness.name()
    ));
    let mut dump = source.client(server.flavour().family().dump());
    let output = dump.args(["--events", source.name()]).output().expect("run the dump program");
    let text = String::from_utf8(output.stdout).expect("text").replace("2036-01-01", "2020-01-01");
    let enabled = |line: &str| {
        let runs = line.contains(" EVENT `") && !line.contains("`off`");
        (if runs { line.replace(" DISABLE ", " ENABLE ") } else { line.to_owned() }) + "\n"
    };
    let path = folder.path().join("events.sql");
    fs::write(&path, text.lines().map(enabled).collect::<String>()).expect("written");
    path
}

fn states(database: &Database<'_>) -> String {
    let query = "SELECT GROUP_CONCAT(event_name, ' ', status ORDER BY event_name SEPARATOR ', ') \
                 FROM information_schema.events WHERE event_schema = DATABASE()";
    database.sql(query)
}

#[test]
fn events_run_only_where_a_restore_brings_them_enabled() {
    for server in [mysql(), mariadb()] {
        let scheduled = server.sql("SELECT @@event_scheduler") == "ON";
        let witness = server.database("witness");
        witness.sql("CREATE TABLE seen (what VARCHAR(99))");
        let folder = tempfile::tempdir().expect("a folder");
        let file = script(server, &witness, &folder);
        let none = "kept DISABLED, later DISABLED, off DISABLED, purge DISABLED";

        let verify = with_clients_of(server).arg("verify").arg(&file).args(["--restore-into", &server.uri("mysql")]);
        verify.run().expect_code(0);
        for args in [&["--events", "disabled"][..], &["--events", "disabled", "--jobs", "2"]] {
            let target = server.database("disabled");
            let result = restored(&file, &target, args);
            assert_eq!(states(&target), none);
            assert!(result["notes"].to_string().contains("events come disabled"), "{result}");
        }
        assert_eq!(witness.sql("SELECT COUNT(*) FROM seen"), "0");

        let target = server.database("enabled");
        let result = restored(&file, &target, &[]);
        let notes = result["notes"].to_string();
        assert!(notes.contains("event gone is not there") && notes.contains("1588"), "{notes}");
        assert!(notes.contains("event kept came disabled"), "{notes}");
        let runs = "1 event (purge) is enabled and the scheduler is on: it runs now";
        assert_eq!(notes.contains(runs), scheduled, "{notes}");
        let enabled = "kept DISABLED, later ENABLED, off DISABLED, purge ENABLED";
        assert_eq!(states(&target), enabled);
        let seen = || witness.sql("SELECT DISTINCT what FROM seen");
        if scheduled {
            eventually("the event runs", || seen() == target.name());
        }

        for (args, states_there) in [(&[][..], none), (&["--jobs", "2"], none), (&["--events", "enabled"], enabled)] {
            let copied = server.database("copied");
            let copy = with_clients_of(server).args(["copy", "--json"]).arg(target.uri()).arg(copied.uri()).args(args);
            let notes = copy.run().expect_code(0).json()["notes"].to_string();
            assert_eq!(states(&copied), states_there);
            assert_eq!(notes.contains("events come disabled"), states_there == none, "{notes}");
            assert_eq!(notes.contains(runs), scheduled && states_there == enabled, "{notes}");
            if states_there == none && scheduled {
                assert_eq!(seen(), target.name());
            }
        }
    }
}
