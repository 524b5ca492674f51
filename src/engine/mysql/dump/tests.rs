use super::*;
use crate::engine::Role;
use crate::engine::mysql::clients::tests::recorded;
use crate::engine::mysql::test_fixtures::{connection, knows, server, strings, words};

fn planned(options: &DumpOptions) -> Vec<(String, Client, String, DumpPlan)> {
    let dumpers = recorded().into_iter().filter(|(_, client, _)| client.role == Role::Dump);
    let plan = |(name, client, help): (String, Client, String)| {
        let server = server(client.flavour, client.version);
        let plan = plan(&connection(), &server, &client, options, &Limits::default(), &DumpSnapshot::Alone(None))
            .expect("a plan");
        (name, client, help, plan)
    };
    dumpers.map(plan).collect()
}

fn display_plans(options: &DumpOptions) -> String {
    let mut text = String::new();
    for (name, _, _, plan) in planned(options) {
        text.extend([name, "\n".to_owned()]);
        text.extend(plan.source.commands().iter().map(|run| format!("  {}\n", words(run))));
    }
    text
}

#[test]
fn a_dump_by_every_recorded_client() {
    insta::assert_snapshot!(display_plans(&DumpOptions::default()), @r#"
    mariadb-dump-10.11.19
      mariadb-dump --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' --ssl --skip-ssl-verify-server-cert --single-transaction --quick --hex-blob '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --no-tablespaces --triggers --routines --events shop
    mariadb-dump-10.3.22
      mariadb-dump --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' --ssl --skip-ssl-verify-server-cert --single-transaction --quick --hex-blob '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --no-tablespaces --triggers --routines --events shop
    mariadb-dump-10.5.23
      mariadb-dump --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' --ssl --skip-ssl-verify-server-cert --single-transaction --quick --hex-blob '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --no-tablespaces --triggers --routines --events shop
    mariadb-dump-11.8.6
      mariadb-dump --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' --ssl --skip-ssl-verify-server-cert --single-transaction --quick --hex-blob '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --no-tablespaces --triggers --routines --events shop
    mysqldump-5.7.21
      mysqldump --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' '--ssl-mode=PREFERRED' --single-transaction --quick --hex-blob '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --no-tablespaces '--set-gtid-purged=OFF' --triggers --routines --events shop
    mysqldump-8.0.28
      mysqldump --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' '--ssl-mode=PREFERRED' --single-transaction --quick --hex-blob '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --no-tablespaces '--set-gtid-purged=OFF' '--column-statistics=0' --triggers --routines --events shop
    mysqldump-8.0.36
      mysqldump --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' '--ssl-mode=PREFERRED' --single-transaction --quick --hex-blob '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --no-tablespaces '--set-gtid-purged=OFF' '--column-statistics=0' --triggers --routines --events shop
    mysqldump-8.4.6
      mysqldump --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' '--ssl-mode=PREFERRED' --single-transaction --quick --hex-blob '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --no-tablespaces '--set-gtid-purged=OFF' '--column-statistics=0' '--init-command=SET SESSION max_execution_time=0, lock_wait_timeout=540, wait_timeout=86400, net_write_timeout=86400' --triggers --routines --events shop
    mysqldump-9.7.4
      mysqldump --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' '--ssl-mode=PREFERRED' --single-transaction --quick --hex-blob '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --no-tablespaces '--set-gtid-purged=OFF' '--column-statistics=0' '--init-command=SET SESSION max_execution_time=0, lock_wait_timeout=540, wait_timeout=86400, net_write_timeout=86400' --triggers --routines --events shop
    "#);
}

#[test]
fn a_dump_of_some_tables_by_every_recorded_client() {
    let options = DumpOptions {
        exclude_tables: strings(&["recent"]),
        exclude_table_data: strings(&["log*"]),
        extra: strings(&["--where=id < 5"]),
        ..DumpOptions::default()
    };
    insta::assert_snapshot!(display_plans(&options), @r#"
    mariadb-dump-10.11.19
      mariadb-dump --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' --ssl --skip-ssl-verify-server-cert --single-transaction --quick --hex-blob '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --no-tablespaces --triggers --routines --events '--ignore-table-data=shop.logs' '--ignore-table=shop.recent' '--where=id < 5' shop
    mariadb-dump-10.3.22
      mariadb-dump --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' --ssl --skip-ssl-verify-server-cert --single-transaction --quick --hex-blob '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --no-tablespaces --no-data --triggers --skip-routines --skip-events '--where=id < 5' shop logs
      mariadb-dump --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' --ssl --skip-ssl-verify-server-cert --single-transaction --quick --hex-blob '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --no-tablespaces --triggers --routines --events '--ignore-table=shop.recent' '--ignore-table=shop.logs' '--where=id < 5' shop
    mariadb-dump-10.5.23
      mariadb-dump --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' --ssl --skip-ssl-verify-server-cert --single-transaction --quick --hex-blob '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --no-tablespaces --triggers --routines --events '--ignore-table-data=shop.logs' '--ignore-table=shop.recent' '--where=id < 5' shop
    mariadb-dump-11.8.6
      mariadb-dump --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' --ssl --skip-ssl-verify-server-cert --single-transaction --quick --hex-blob '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --no-tablespaces --triggers --routines --events '--ignore-table-data=shop.logs' '--ignore-table=shop.recent' '--where=id < 5' shop
    mysqldump-5.7.21
      mysqldump --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' '--ssl-mode=PREFERRED' --single-transaction --quick --hex-blob '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --no-tablespaces '--set-gtid-purged=OFF' --no-data --triggers --skip-routines --skip-events '--where=id < 5' shop logs
      mysqldump --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' '--ssl-mode=PREFERRED' --single-transaction --quick --hex-blob '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --no-tablespaces '--set-gtid-purged=OFF' --triggers --routines --events '--ignore-table=shop.recent' '--ignore-table=shop.logs' '--where=id < 5' shop
    mysqldump-8.0.28
      mysqldump --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' '--ssl-mode=PREFERRED' --single-transaction --quick --hex-blob '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --no-tablespaces '--set-gtid-purged=OFF' '--column-statistics=0' --no-data --triggers --skip-routines --skip-events '--where=id < 5' shop logs
      mysqldump --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' '--ssl-mode=PREFERRED' --single-transaction --quick --hex-blob '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --no-tablespaces '--set-gtid-purged=OFF' '--column-statistics=0' --triggers --routines --events '--ignore-table=shop.recent' '--ignore-table=shop.logs' '--where=id < 5' shop
    mysqldump-8.0.36
      mysqldump --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' '--ssl-mode=PREFERRED' --single-transaction --quick --hex-blob '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --no-tablespaces '--set-gtid-purged=OFF' '--column-statistics=0' --no-data --triggers --skip-routines --skip-events '--where=id < 5' shop logs
      mysqldump --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' '--ssl-mode=PREFERRED' --single-transaction --quick --hex-blob '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --no-tablespaces '--set-gtid-purged=OFF' '--column-statistics=0' --triggers --routines --events '--ignore-table=shop.recent' '--ignore-table=shop.logs' '--where=id < 5' shop
    mysqldump-8.4.6
      mysqldump --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' '--ssl-mode=PREFERRED' --single-transaction --quick --hex-blob '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --no-tablespaces '--set-gtid-purged=OFF' '--column-statistics=0' '--init-command=SET SESSION max_execution_time=0, lock_wait_timeout=540, wait_timeout=86400, net_write_timeout=86400' --no-data --triggers --skip-routines --skip-events '--where=id < 5' shop logs
      mysqldump --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' '--ssl-mode=PREFERRED' --single-transaction --quick --hex-blob '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --no-tablespaces '--set-gtid-purged=OFF' '--column-statistics=0' '--init-command=SET SESSION max_execution_time=0, lock_wait_timeout=540, wait_timeout=86400, net_write_timeout=86400' --triggers --routines --events '--ignore-table=shop.recent' '--ignore-table=shop.logs' '--where=id < 5' shop
    mysqldump-9.7.4
      mysqldump --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' '--ssl-mode=PREFERRED' --single-transaction --quick --hex-blob '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --no-tablespaces '--set-gtid-purged=OFF' '--column-statistics=0' '--init-command=SET SESSION max_execution_time=0, lock_wait_timeout=540, wait_timeout=86400, net_write_timeout=86400' --no-data --triggers --skip-routines --skip-events '--where=id < 5' shop logs
      mysqldump --defaults-file=<my.cnf> '--protocol=TCP' '--host=db.example' '--port=3306' '--user=app' '--ssl-mode=PREFERRED' --single-transaction --quick --hex-blob '--default-character-set=utf8mb4' '--max-allowed-packet=1G' --no-tablespaces '--set-gtid-purged=OFF' '--column-statistics=0' '--init-command=SET SESSION max_execution_time=0, lock_wait_timeout=540, wait_timeout=86400, net_write_timeout=86400' --triggers --routines --events '--ignore-table=shop.recent' '--ignore-table=shop.logs' '--where=id < 5' shop
    "#);
}

#[test]
fn flags_by_client_a_dump_client_knows_every_option_that_it_is_given() {
    let variants = [
        DumpOptions::default(),
        DumpOptions { schema_only: true, ..DumpOptions::default() },
        DumpOptions { data_only: true, exclude_table_data: strings(&["logs"]), ..DumpOptions::default() },
        DumpOptions {
            tables: strings(&["users", "logs"]),
            exclude_table_data: strings(&["logs"]),
            ..DumpOptions::default()
        },
        DumpOptions {
            exclude_table_data: strings(&["logs"]),
            exclude_tables: strings(&["users"]),
            ..DumpOptions::default()
        },
    ];
    for options in &variants {
        for (name, _, help, plan) in planned(options) {
            for run in plan.source.commands() {
                for option in long_options(run) {
                    assert!(knows(&help, &option), "{name} does not know {option}");
                }
            }
        }
    }
}

#[test]
fn what_is_taken_shows_in_the_arguments() {
    let client = Client {
        role: Role::Dump,
        path: "/c/mysqldump".into(),
        flavour: Flavour::MYSQL,
        version: Version::new(9, 7, 4),
    };
    let server = server(Flavour::MYSQL, Version::new(9, 7, 4));
    let tail = |options: &DumpOptions| {
        let plan = plan(&connection(), &server, &client, options, &Limits::default(), &DumpSnapshot::Alone(None))
            .expect("a plan");
        let runs = plan.source.commands().iter().map(words).collect::<Vec<_>>();
        runs.iter().map(|r| r[r.find("86400'").map_or(0, |at| at + 7)..].to_owned()).collect::<Vec<_>>().join(" && ")
    };
    let mut all = String::new();
    for options in [
        DumpOptions { schema_only: true, exclude_table_data: strings(&["logs"]), ..DumpOptions::default() },
        DumpOptions { data_only: true, exclude_table_data: strings(&["logs"]), ..DumpOptions::default() },
        DumpOptions {
            tables: strings(&["users", "logs"]),
            exclude_table_data: strings(&["logs"]),
            ..DumpOptions::default()
        },
        DumpOptions { tables: strings(&["logs"]), exclude_table_data: strings(&["logs"]), ..DumpOptions::default() },
    ] {
        all += &(tail(&options) + "\n");
    }
    insta::assert_snapshot!(all, @r#"
    --no-data --triggers --routines --events shop
    --no-create-info --complete-insert --skip-triggers --skip-routines --skip-events '--ignore-table=shop.logs' shop
    --no-data --triggers --skip-routines --skip-events shop logs && --triggers --skip-routines --skip-events shop users
    --no-data --triggers --skip-routines --skip-events shop logs
    "#);
}

#[test]
fn tables_without_transactions_are_named() {
    let client = Client {
        role: Role::Dump,
        path: "/c/mysqldump".into(),
        flavour: Flavour::MYSQL,
        version: Version::new(8, 0, 36),
    };
    let mut server = server(Flavour::MYSQL, Version::new(8, 0, 36));
    server.settings.insert(probe_keys::NO_TRANSACTIONS.into(), "logs".into());
    server.settings.insert("max_execution_time".into(), "5000".into());
    let planned =
        plan(&connection(), &server, &client, &DumpOptions::default(), &Limits::default(), &DumpSnapshot::Alone(None))
            .expect("a plan");
    assert_eq!(planned.consistency, "snapshot, except for tables without transactions");
    assert_eq!(planned.warnings.len(), 2);
    let logs = strings(&["logs"]);
    for options in [
        DumpOptions { exclude_tables: logs.clone(), ..DumpOptions::default() },
        DumpOptions { exclude_table_data: logs.clone(), ..DumpOptions::default() },
        DumpOptions { schema_only: true, ..DumpOptions::default() },
    ] {
        let planned = plan(&connection(), &server, &client, &options, &Limits::default(), &DumpSnapshot::Alone(None));
        assert_eq!(planned.expect("a plan").consistency, "snapshot", "{options:?}");
    }
    server.settings.insert(probe_keys::NO_TRANSACTIONS.into(), ["logs", "orders", "users"].join("\0"));
    server.settings.insert("grant.lock tables".into(), "yes".into());
    let planned =
        plan(&connection(), &server, &client, &DumpOptions::default(), &Limits::default(), &DumpSnapshot::Alone(None))
            .expect("a plan");
    assert!(words(&planned.source.commands()[0]).contains("--lock-tables"));
}

#[test]
fn generated_columns_of_mysql_are_not_for_mariadbs_client() {
    let mut mysql = server(Flavour::MYSQL, Version::new(9, 7, 4));
    mysql.settings.insert(probe_keys::GENERATED.to_owned(), ["orders.total", "users.full name"].join(probe_keys::JOIN));
    let plan_with = |flavour, options: &DumpOptions| {
        let client = Client { role: Role::Dump, path: "/c/dump".into(), flavour, version: Version::new(11, 8, 6) };
        plan(&connection(), &mysql, &client, options, &Limits::default(), &DumpSnapshot::Alone(None)).map(drop)
    };
    let all = DumpOptions::default();
    let error = plan_with(Flavour::MARIADB, &all).expect_err("refused");
    assert_eq!((error.kind, error.why[0].as_str()), (Kind::Refused, "orders.total, users.full name"));
    plan_with(Flavour::MYSQL, &all).expect("MySQL's own can");
    let without = DumpOptions { exclude_tables: strings(&["orders", "users"]), ..DumpOptions::default() };
    plan_with(Flavour::MARIADB, &without).expect("nothing generated is left");
    plan_with(Flavour::MARIADB, &DumpOptions { schema_only: true, ..all }).expect("no values");
}

#[test]
fn names_that_look_like_options_are_guarded() {
    let mut at = connection();
    at.database = "-r".into();
    assert_eq!(positional(&at, &[]), ["--", "-r"]);
}
