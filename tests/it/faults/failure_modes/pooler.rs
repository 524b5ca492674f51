//! A real PgBouncer between dbhaul and the server.

use std::fs;

use crate::{
    roundtrip::{dumped, with_clients_of},
    support::{Database, Pooler, Pooling, checksum, postgres15},
};

fn source() -> Database<'static> {
    let source = postgres15().database("pooled");
    source.sql("CREATE TABLE t AS SELECT n FROM generate_series(1, 100) n");
    source
}

#[test]
fn row_48_a_pooler_that_pools_by_session_carries_a_dump_and_a_restore() {
    let source = source();
    let folder = tempfile::tempdir().expect("a folder");
    let bouncer = Pooler::start(postgres15(), Pooling::Session);
    let dump = with_clients_of(postgres15()).args(["dump", &bouncer.uri(&source), "-o", "pooled.tar.gz"]);
    let output = dump.cwd(folder.path()).run().expect_code(0);
    assert!(output.stderr.contains("PgBouncer answers in the server's name"), "{}", output.stderr);
    let target = postgres15().database("pooled");
    // So little that a restore would ask for more, if it could: PgBouncer refuses startup options.
    target.sql(&format!("ALTER DATABASE {} SET maintenance_work_mem = '1MB'", target.name()));
    let restore = |more: &[&str]| {
        let restore = with_clients_of(postgres15()).args(["restore", "pooled.tar.gz", &bouncer.uri(&target)]);
        restore.args(more).cwd(folder.path()).run()
    };
    restore(&["--jobs", "2"])
        .refused(10, &["PgBouncer", "may hang with several jobs", "nothing was changed"])
        .follows("itself-or-no-jobs");
    restore(&[]).expect_code(0);
    assert_eq!(checksum(&target), checksum(&source));
}

#[test]
fn row_48_a_pooler_that_pools_by_transaction_is_seen_and_refused() {
    let source = source();
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    let target = postgres15().database("pooled");
    // The line that stands last counts.
    for more in [&[][..], &["pool_mode = statement"]] {
        let bouncer = Pooler::start_with(postgres15(), Pooling::Transaction, more);
        let words = ["PgBouncer stands before the server and pools by transaction"];
        let clients = || with_clients_of(postgres15()).cwd(folder.path());
        clients().args(["dump", &bouncer.uri(&source)]).run().refused(10, &words).follows("server-itself");
        let restore = clients().arg("restore").arg(&archive).arg(bouncer.uri(&target)).run();
        restore.refused(10, &words).refused(10, &["nothing was changed"]);
        assert!(checksum(&target).is_empty());
    }
    assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1, "the archive alone");
    with_clients_of(postgres15()).args(["dump", &source.uri(), "--output", "-"]).run().expect_code(0);
}
