//! Tablespaces of the source, which the target's server does not have.

use crate::{
    roundtrip::{dumped, restored, with_clients_of},
    support::{postgres15, postgres18},
};

#[test]
fn what_was_in_a_tablespace_comes_where_the_target_lacks_it() {
    let (server, other) = (postgres15(), postgres18());
    let (place, source) = (format!("fast_{}", std::process::id()), server.database("in_tablespace"));
    source.sql(&format!("SET allow_in_place_tablespaces = on; CREATE TABLESPACE {place} LOCATION ''"));
    source.sql(&format!(
        "CREATE TABLE t (i int PRIMARY KEY USING INDEX TABLESPACE {place}) TABLESPACE {place}; INSERT INTO t VALUES (1);
         CREATE INDEX i ON t (i) TABLESPACE {place}; CREATE TABLE plain (s text); INSERT INTO plain VALUES
         (E'a\\nSET default_tablespace = {place};\\nb')"
    ));
    let folder = tempfile::tempdir().expect("a folder");
    for (format, jobs) in [("custom", "1"), ("custom", "2"), ("plain", "1")] {
        let name = format!("{format}{jobs}");
        let (archive, _) = dumped(&source, &folder, &["--format", format, "--name", &name]);
        let target = other.database("in_tablespace_target");
        let result = restored(&archive, &target, &["--jobs", jobs]);
        assert!(result.to_string().contains(&format!("the target lacks {place}")), "{result}");
        assert_eq!(target.sql("SELECT count(*) FROM t, plain"), "1");
        assert_eq!(target.sql("SELECT s FROM plain"), source.sql("SELECT s FROM plain"));
        // Where it is there, it is kept.
        let target = server.database("in_tablespace_again");
        restored(&archive, &target, &["--jobs", jobs]);
        let of_place = format!(
            "SELECT count(*) FROM pg_class JOIN pg_tablespace s ON s.oid = reltablespace WHERE spcname = '{place}'"
        );
        assert_eq!(target.sql(&of_place), "3", "{format}");
        let verify = with_clients_of(server).arg("verify").arg("--restore").arg(&archive).run();
        verify.expect_code(0);
    }
    for jobs in ["1", "2"] {
        let target = other.database("in_tablespace_copy");
        let copy = with_clients_of(other).args(["copy", &source.uri(), &target.uri(), "--jobs", jobs]).run();
        assert!(copy.expect_code(0).stderr.contains(&format!("the target lacks {place}")));
        assert_eq!(target.sql("SELECT i FROM t"), "1");
    }
}
