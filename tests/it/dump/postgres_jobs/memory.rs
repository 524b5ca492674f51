//! Eight jobs take no more memory than one may.

use super::{lanes, tables};
use crate::{
    memory::within,
    support::{Flavour, Server, dbhaul, names, postgres15},
};

#[test]
fn eight_jobs_fit_into_the_memory() {
    let source = postgres15().database("memory");
    // Rows that hardly compress: parts are full early.
    let noise = (0..6).map(|n| format!("md5(i::text || '{n}')")).collect::<Vec<_>>().join(" || ");
    for n in 1..=9 {
        source.sql(&format!("CREATE TABLE t{n} AS SELECT i, {noise} AS v FROM generate_series(1, 60000) i"));
    }
    let mut troubles = Vec::new();
    for compression in ["gzip", "zstd:1", "none"] {
        let folder = tempfile::tempdir().expect("a folder");
        let dump = |out: &str| {
            let dump = dbhaul().args(["dump", "--jobs", "8", "--compression", compression, "--output", out]);
            dump.arg(source.uri()).client_dirs([postgres15().client_dir()]).cwd(folder.path())
        };
        let output = within(&mut troubles, compression, dump(".")).expect_code(0);
        let archive = folder.path().join(output.text().trim());
        assert!(lanes(&archive).contains(&8), "{:?}", names(folder.path()));
        within(&mut troubles, &format!("{compression}, to a pipe"), dump("-")).expect_code(0);
        let verify = dbhaul().arg("verify").arg(&archive);
        within(&mut troubles, &format!("verify, {compression}"), verify).expect_code(0);
    }
    assert!(troubles.is_empty(), "{}", troubles.join("\n"));
}

#[test]
fn eight_thousand_tables_by_eight_jobs_fit_into_the_memory() {
    // Each job locks what it dumps.
    let server = Server::start_with(Flavour::Postgres15, &["-c", "max_locks_per_transaction=512"]);
    let source = server.database("memory");
    source.sql(
        "DO $$ BEGIN FOR n IN 1..8000 LOOP
            EXECUTE format('CREATE TABLE small_%s (id int PRIMARY KEY, v text)', n);
            IF n % 500 = 0 THEN COMMIT; END IF;
        END LOOP; END $$",
    );
    tables(&source, 9, 500);
    let folder = tempfile::tempdir().expect("a folder");
    let mut troubles = Vec::new();
    let dump = dbhaul().args(["dump", "--jobs", "8", &source.uri()]).client_dirs([postgres15().client_dir()]);
    let output = within(&mut troubles, "8,000 tables", dump.cwd(folder.path())).expect_code(0);
    assert!(troubles.is_empty(), "{}", troubles.join("\n"));
    let archive = folder.path().join(output.text().trim());
    assert!(lanes(&archive).contains(&8));
    let manifest = crate::roundtrip::manifest(&archive);
    assert_eq!(manifest["tables"].as_array().map(Vec::len), Some(8_009));
}
