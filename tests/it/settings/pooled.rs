//! Behind a pooler, which takes no startup options: psql is told by statements.

use crate::{
    roundtrip::{dumped, manifest, with_clients_of},
    support::{Pooler, Pooling, checksum, postgres15, schema},
};

#[test]
fn a_restore_behind_a_pooler_depends_on_no_setting_either() {
    let server = postgres15();
    let source = server.database("behind");
    source.sql(
        "CREATE TABLE t (id int PRIMARY KEY, m money, words text[]); INSERT INTO t VALUES (1, '$12.34', '{NULL,a}')",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let bouncer = Pooler::start(server, Pooling::Session);
    let (archive, _) = dumped(&source, &folder, &[]);
    let target = server.database("behind_back");
    let name = target.name();
    for setting in ["lc_monetary = 'es_CO.UTF-8'", "array_nulls = off", "default_transaction_read_only = on"] {
        server.sql(&format!("ALTER DATABASE {name} SET {setting}"));
    }
    with_clients_of(server).arg("restore").arg(&archive).arg(bouncer.uri(&target)).run().expect_code(0);
    server.sql(&format!("ALTER DATABASE {name} RESET ALL"));
    assert_eq!((checksum(&target), schema(&target)), (checksum(&source), schema(&source)));
}

#[test]
fn a_dump_behind_a_pooler_says_in_which_locale_its_money_is() {
    let server = postgres15();
    let source = server.database("behind_money");
    source.sql("CREATE TABLE m (c money); INSERT INTO m VALUES ('$12.34')");
    server.sql(&format!("ALTER DATABASE {} SET lc_monetary = 'es_CO.UTF-8'", source.name()));
    let folder = tempfile::tempdir().expect("a folder");
    let bouncer = Pooler::start(server, Pooling::Session);
    let archive = folder.path().join("pooled.tar.gz");
    let dump = with_clients_of(server).args(["dump", &bouncer.uri(&source), "-o"]).arg(&archive).run().expect_code(0);
    assert!(dump.stderr.contains("lc_monetary is es_CO.UTF-8 for this user"), "{}", dump.stderr);
    assert_eq!(manifest(&archive)["lc_monetary"], "es_CO.UTF-8");
    let target = server.database("behind_money_back");
    with_clients_of(server).arg("restore").arg(&archive).arg(target.uri()).run().expect_code(0);
    assert_eq!(target.sql("SELECT c::numeric FROM m"), "12.34");
}
