//! MySQL and MariaDB: objects that spell out the name of the database that they are of.

use serde_json::Value;

use crate::{
    roundtrip::{dumped, member, with_clients_of},
    support::{checksum, mariadb, mysql},
};

#[test]
fn sequences_in_defaults_are_those_of_the_target() {
    let server = mariadb();
    let folder = tempfile::tempdir().expect("a folder");
    let source = server.database("numbers");
    source.sql(
        "CREATE SEQUENCE sq; CREATE TABLE t (id INT PRIMARY KEY DEFAULT nextval(sq), v INT);
         INSERT INTO t (v) VALUES (1), (2); CREATE VIEW w AS SELECT nextval(sq) AS n",
    );
    let (archive, _) = dumped(&source, &folder, &[]);
    with_clients_of(server).arg("verify").arg(&archive).args(["--restore-into", &source.uri()]).run().expect_code(0);
    let sums = checksum(&source);
    for jobs in ["1", "2"] {
        let target = server.database("target");
        let restore =
            with_clients_of(server).arg("restore").arg(&archive).arg(target.uri()).args(["--jobs", jobs]).run();
        restore.expect_code(0);
        assert_eq!(checksum(&target), sums);
        for shown in [target.sql("SHOW CREATE TABLE t"), target.sql("SHOW CREATE VIEW w")] {
            assert!(!shown.contains(&format!("`{}`", source.name())) && shown.contains("nextval("), "{shown}");
        }
        let before = source.sql("SELECT next_not_cached_value FROM sq");
        target.sql("INSERT INTO t (v) VALUES (3); SELECT n FROM w");
        assert_eq!(source.sql("SELECT next_not_cached_value FROM sq"), before);
    }
}

#[test]
fn bodies_that_name_their_database_or_what_stays_out_are_told() {
    for server in [mysql(), mariadb()] {
        let folder = tempfile::tempdir().expect("a folder");
        let source = server.database("spelled");
        let name = source.name();
        source.sql(&format!(
            "CREATE TABLE base (id INT PRIMARY KEY); CREATE TABLE aud (id INT); CREATE TABLE free (id INT PRIMARY KEY);
             CREATE TRIGGER trg AFTER INSERT ON base FOR EACH ROW INSERT INTO {name}.aud VALUES (NEW.id);
             CREATE PROCEDURE p() DELETE FROM aud; CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM `{name}`.base"
        ));
        let (archive, _) = dumped(&source, &folder, &[]);
        let output =
            with_clients_of(server).args(["dump", &source.uri(), "--output"]).arg(folder.path().join("x.tar.gz")).run();
        let output = output.expect_code(0);
        let own = [format!("trigger trg ({name}.aud)"), format!("event e ({name}.base)")];
        let tells = |text: &str| own.iter().all(|one| text.contains(one)) && !text.contains("procedure p");
        assert!(tells(&output.stderr), "{}", output.stderr);
        let target = server.database("target");
        let restored = with_clients_of(server).arg("restore").arg(&archive).arg(target.uri()).run().expect_code(0);
        assert!(tells(&restored.stderr) && restored.stderr.contains("mean that one"), "{}", restored.stderr);
        let copy = with_clients_of(server).args(["copy", &source.uri(), &server.database("copied").uri()]).run();
        let copy = copy.expect_code(0);
        assert!(tells(&copy.stderr) && copy.stderr.contains("mean that one"), "{}", copy.stderr);
        let same = with_clients_of(server)
            .args(["restore", "--clean", "schema", "--yes"])
            .arg(&archive)
            .arg(source.uri())
            .run();
        assert!(!same.expect_code(0).stderr.contains("bodies name"));

        for (args, told) in [
            (
                ["--exclude-table", "aud"],
                &["aud, which the body of trigger trg names", "aud, which the body of procedure p names"][..],
            ),
            (["--table", "base"], &["aud, which the body of trigger trg names"]),
            (["--table", "free"], &[]),
        ] {
            let (archive, output) = dumped(&source, &folder, &args);
            let manifest: Value = serde_json::from_slice(&member(&archive, "*/manifest.json")).expect("JSON");
            let warnings = manifest["warnings"].to_string();
            assert_eq!(warnings, output["warnings"].to_string());
            assert!(told.iter().all(|line| warnings.contains(line)), "{args:?} {warnings}");
            assert_eq!(warnings.matches("the body of").count(), told.len(), "{args:?} {warnings}");
        }
    }
}
