//! MySQL's values whose texts mean others: exact, or named.

use crate::{
    roundtrip::{dumped, restored, restored_and_copied, with_clients_of},
    support::{mariadb, mysql},
};

/// Its text is that of a proper value.
#[test]
fn the_errors_value_of_an_enum_comes_back_beside_an_empty_one() {
    for server in [mysql(), mariadb()] {
        let source = server.database("enums");
        source.sql(
            "SET sql_mode = ''; CREATE TABLE e (id int PRIMARY KEY, a enum('x', ''), b enum('', 'y') NOT NULL, c enum('x', 'y'));
             INSERT IGNORE INTO e VALUES (1, 'no', 'no', 'no'), (2, '', '', 'x'), (3, 'x', 'y', NULL), (4, NULL, 0, 0)",
        );
        let numbers = "SELECT id, a + 0, b + 0, c + 0 FROM e";
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, _) = dumped(&source, &folder, &[]);
        for target in restored_and_copied(&archive, &source) {
            assert_eq!(target.sql(numbers), source.sql(numbers), "{}", target.name());
        }
    }
}

/// A number or a date that is none of JSON's own becomes one; what the text says of large numbers and zeros stays.
#[test]
fn json_that_comes_back_in_other_types_is_named() {
    let server = mysql();
    let source = server.database("json");
    source.sql(
        r#"CREATE TABLE plain (id int PRIMARY KEY, j json, g json AS (JSON_ARRAY(1.50)));
           INSERT INTO plain (id, j) VALUES (1, '{"a": 1.0, "b": 1, "c": 18446744073709551615, "d": 18446744073709551616, "e": -0.0}'),
             (2, '[1.10, 1e30, "x", null, true, 0.1]'), (3, NULL), (4, JSON_OBJECT('n', 5, 'd', 1e0));
           CREATE TABLE typed (id int PRIMARY KEY, j json, k json);
           INSERT INTO typed VALUES (1, JSON_OBJECT('price', CAST(1.50 AS decimal(9, 2))), '1'), (2, CAST(CAST('2026-01-01' AS date) AS json), '2');
           UPDATE plain SET j = JSON_REPLACE(j, '$.b', 'longer') WHERE id = 1; UPDATE plain SET j = JSON_REMOVE(j, '$.a') WHERE id = 1"#,
    );
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, output) = dumped(&source, &folder, &[]);
    let warnings = output["warnings"].to_string();
    assert!(warnings.contains("come back as the numbers and strings of JSON's text: typed.j\""), "{warnings}");
    let target = server.database("back");
    restored(&archive, &target, &[]);
    let values = "SELECT id, j, JSON_TYPE(JSON_EXTRACT(j, '$.d')), JSON_TYPE(JSON_EXTRACT(j, '$.c')) FROM plain";
    assert_eq!(target.sql(values), source.sql(values));
    // No good archive is called a bad one.
    let verify = with_clients_of(server).arg("verify").arg(&archive).args(["--restore-into", &source.uri()]);
    let output = verify.run().expect_code(0);
    assert!(output.stderr.contains("values of tables with JSON of other types (typed.j)"), "{}", output.stderr);
    let (_, output) = dumped(&source, &folder, &["--name", "without", "--exclude-table-data", "typed"]);
    assert_eq!(output["warnings"].as_array().map(Vec::len), Some(0), "{output}");
}

#[test]
fn histograms_are_named_or_made_again() {
    let server = mysql();
    let source = server.database("histograms");
    source.sql(
        "CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1), (2, 5);
         ANALYZE TABLE t UPDATE HISTOGRAM ON a WITH 4 BUCKETS",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let (_, output) = dumped(&source, &folder, &[]);
    assert!(output["warnings"].to_string().contains("histograms are not in the dump"), "{output}");
    let (archive, output) = dumped(&source, &folder, &["--name", "with", "--", "--column-statistics"]);
    assert_eq!(output["warnings"].as_array().map(Vec::len), Some(0), "{output}");
    let target = server.database("back");
    restored(&archive, &target, &[]);
    let there =
        "SELECT table_name, column_name FROM information_schema.column_statistics WHERE schema_name = DATABASE()";
    assert_eq!(target.sql(there), "t\ta");
}
