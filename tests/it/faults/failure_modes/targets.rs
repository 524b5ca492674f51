//! Targets that don't take what a dump holds: rights, owners, what stands in the way.

use super::{Role, vendor};
use crate::{
    roundtrip::{dumped, restored, with_clients_of},
    support::{Flavour, Server, checksum, fixture, postgres15, postgres18},
};

#[test]
fn row_27_a_user_who_may_not_create_in_public_is_told_so_before_anything_starts() {
    let server = postgres15();
    let user = Role::new(server, "row27", "");
    let source = server.database("in_public");
    source.sql("CREATE TABLE t AS SELECT 1 AS n");
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    // Since PostgreSQL 15 public belongs to the database's owner alone.
    let target = server.database("not_mine");
    let uri = user.uri(&target);
    let (well, said) = vendor(target.client("psql").args(["-X", "-c", "CREATE TABLE t (n int)", &uri]));
    assert!(!well && said.contains("permission denied for schema public"), "{said}");
    let restore = || with_clients_of(server).arg("restore").arg(&archive).arg(&uri).run();
    let words =
        ["may not create objects in schema \"public\"", "nothing was changed", "GRANT CREATE ON SCHEMA public TO"];
    restore().refused(10, &words);
    target.sql(&format!("GRANT CREATE ON SCHEMA public TO {}", user.name));
    restore().expect_code(0);
    assert_eq!(checksum(&target), checksum(&source));
    drop(target);
}

#[test]
fn row_28_by_itself_pg_restore_doubles_the_rows_of_a_table_without_a_key() {
    let source = postgres15().database("keyless");
    source.sql("CREATE TABLE t AS SELECT 1 AS n");
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    let dump = folder.path().join("dump.pgsql");
    std::fs::write(&dump, crate::roundtrip::member(&archive, "*/dump.pgsql")).expect("write");
    let target = postgres15().database("keyless");
    restored(&archive, &target, &[]);
    let _ = vendor(target.client("pg_restore").args(["--dbname", target.name()]).arg(&dump));
    assert_eq!(target.sql("SELECT count(*) FROM t"), "2", "the failure itself");
    let restore = with_clients_of(postgres15()).arg("restore").arg(&archive).arg(target.uri()).run();
    restore
        .refused(10, &["the target is not empty: 1 table in schema \"public\" (t)", "nothing was changed", "--clean"]);
    assert_eq!(target.sql("SELECT count(*) FROM t"), "2");
}

#[test]
fn row_57_jobs_for_which_no_connections_are_left_are_refused() {
    let server = postgres15();
    let user = Role::new(server, "row57", "CONNECTION LIMIT 3");
    let target = server.database("few");
    server.sql(&format!("ALTER DATABASE {} OWNER TO {}", target.name(), user.name));
    let archive = fixture("dumps/pg_dump-15.seekable.dump");
    let restore = |jobs: &str| {
        let restore = with_clients_of(server).arg("restore").arg(&archive).arg(user.uri(&target));
        restore.args(["--jobs", jobs, "--exclude-extension", "hstore"]).run()
    };
    // Ours is one of the three.
    restore("4").refused(10, &["4 jobs need 5 connections, 2 are left", "nothing was changed", "hint: --jobs 1"]);
    restore("2").refused(10, &["2 jobs need 3 connections, 2 are left"]);
    drop(target);
}

#[test]
fn row_57_a_server_without_room_for_so_many_locks_is_named() {
    let small = ["-c", "max_locks_per_transaction=10", "-c", "max_connections=12", "-c", "max_wal_senders=1"];
    let more = ["-c", "max_worker_processes=1", "-c", "autovacuum=off"];
    let server = Server::start_with(Flavour::Postgres15, &[&small[..], &more].concat());
    let source = server.database("many");
    // One transaction can't make as many, for the same reason.
    source.sql("SELECT format('CREATE TABLE t%s (n int)', n) FROM generate_series(1, 3000) n \\gexec");
    let folder = tempfile::tempdir().expect("a folder");
    let dump = with_clients_of(&server).args(["dump", &source.uri()]).cwd(folder.path()).run();
    dump.refused(6, &["out of shared memory", "hint: raise max_locks_per_transaction"]);
}

#[test]
fn row_58_a_role_that_the_target_has_not_matters_only_when_owners_are_kept() {
    let owner = Role::new(postgres15(), "row58", "");
    let source = postgres15().database("owned");
    source.sql(&format!(
        "CREATE TABLE t AS SELECT 1 AS n; ALTER TABLE t OWNER TO {0}; GRANT SELECT ON t TO {0}",
        owner.name
    ));
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    // Another server, where nobody has that name.
    let target = postgres18().database("owned");
    let restore =
        with_clients_of(postgres18()).arg("restore").arg(&archive).arg(target.uri()).arg("--keep-owner").run();
    let missing = format!("role {}, of an owner", owner.name);
    restore
        .refused(10, &[&missing, "nothing was changed", "hint: make them there first"])
        .follows("or-restore-without-owners");
    restored(&archive, &target, &[]);
    assert_eq!(checksum(&target), checksum(&source));
    drop(source);
}

#[test]
fn who_acts_as_another_role_is_told_what_that_role_lacks() {
    let (user, acted) = (Role::new(postgres15(), "acting", ""), Role::new(postgres15(), "acted", ""));
    let source = postgres15().database("acted");
    source.sql(&format!("GRANT {1} TO {0}; ALTER ROLE {0} SET role = {1}", user.name, acted.name));
    source.sql("CREATE TABLE t AS SELECT 1 AS n");
    let folder = tempfile::tempdir().expect("a folder");
    let (archive, _) = dumped(&source, &folder, &[]);
    let uri = user.uri(&source);
    let verify = || with_clients_of(postgres15()).arg("verify").arg(&archive).args(["--restore-into", &uri]).run();
    let line = format!("ALTER ROLE \"{}\" CREATEDB", acted.name);
    verify().refused(10, &["may not create a database there", &line]);
    source.sql(&line);
    verify().expect_code(0);
}
