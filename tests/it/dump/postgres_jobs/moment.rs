//! The proof that it is one moment: while sessions move money and rows between tables that different jobs dump, nothing is
//! missing and nothing is there twice in what is restored.

use std::{
    env,
    process::{Child, Stdio},
};

use super::{assert_empty, dumped_by, lanes};
use crate::{
    roundtrip::restored,
    support::{Database, Server, eventually, postgres15, postgres18, sessions},
};

const TABLES: u32 = 6;

/// Moves in a transaction each: an amount from a row of one table to one of another, then a row.
const MOVE: &str = "CREATE PROCEDURE move() LANGUAGE plpgsql AS $$
    DECLARE a text; b text; i int; j int; amount int;
    BEGIN
        LOOP
            PERFORM pg_advisory_xact_lock(1);
            i := 1 + floor(random() * 6); j := 1 + (i + floor(random() * 5)::int) % 6; amount := floor(random() * 100);
            a := 'account_' || i; b := 'account_' || j;
            EXECUTE format('UPDATE %I SET amount = amount - $1 WHERE id = (SELECT max(id) FROM %1$I)', a) USING amount;
            EXECUTE format('UPDATE %I SET amount = amount + $1 WHERE id = (SELECT min(id) FROM %1$I)', b) USING amount;
            EXECUTE format('WITH gone AS (DELETE FROM %I WHERE id = (SELECT min(id) FROM %1$I) RETURNING amount, filler)
                INSERT INTO %I SELECT nextval(''ids''), amount, filler FROM gone', a, b);
            INSERT INTO moves VALUES (i, j);
            COMMIT;
            PERFORM pg_sleep(0.002); -- Others need the processor, too.
        END LOOP;
    END $$";

/// Makes them.
pub fn accounts(database: &Database<'_>) {
    database.sql("CREATE SEQUENCE ids; CREATE TABLE moves (a int, b int)");
    for n in 1..=TABLES {
        database.sql(&format!(
            "CREATE TABLE account_{n} (id int PRIMARY KEY, amount int NOT NULL, filler text);
             INSERT INTO account_{n} SELECT nextval('ids'), 1000, repeat('x', 100) FROM generate_series(1, 3000)"
        ));
    }
    database.sql(MOVE);
}

/// Rows and money of all tables.
pub fn total(database: &Database<'_>) -> String {
    let all: Vec<_> = (1..=TABLES).map(|n| format!("SELECT amount FROM account_{n}")).collect();
    database.sql(&format!("SELECT count(*), sum(amount) FROM ({}) all_of_them", all.join(" UNION ALL ")))
}

/// Sessions that move all the time.
pub struct Writers(Vec<Child>);

impl Writers {
    pub fn on(database: &Database<'_>) -> Self {
        let flavour = database.server().flavour();
        let words = if flavour.is_postgres() {
            ["-X", "-q", "-c", "CALL move()"].map(str::to_owned).to_vec()
        } else {
            vec!["--execute=CALL move()".to_owned(), database.name().to_owned()]
        };
        let writer = |_| {
            let mut client = database.client(flavour.family().shell());
            client.args(&words).stdout(Stdio::null()).stderr(Stdio::null());
            client.spawn().expect("run the client")
        };
        Self((0..3).map(writer).collect())
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        for writer in &mut self.0 {
            let _ = writer.kill();
            let _ = writer.wait();
        }
    }
}

#[expect(clippy::print_stdout, reason = "how many rounds there were is asked for with --nocapture")]
fn rounds(server: &Server, jobs: &str, how_many: u32) {
    let source = server.database("moment");
    accounts(&source);
    let wanted = total(&source);
    let writers = Writers::on(&source);
    let moves = || source.sql("SELECT count(*) FROM moves").parse::<u64>().expect("a count");
    eventually("rows are moved", || moves() > 10);
    let mut round = 0;
    while round < how_many {
        let folder = tempfile::tempdir().expect("a folder");
        let before = moves();
        let archive = dumped_by(&source, &folder, jobs, &[]);
        assert!(moves() > before, "nothing was moved meanwhile");
        assert_eq!(lanes(&archive).into_iter().max(), jobs.parse().ok(), "a lane for each job");
        let target = server.database("moment");
        restored(&archive, &target, &[]);
        assert_eq!(total(&target), wanted, "round {round}");
        std::fs::remove_file(&archive).expect("remove it");
        assert_empty(&folder);
        round += 1;
    }
    drop(writers);
    source.end_sessions();
    eventually("no session is left", || sessions(&source, false) == 0);
    println!("{round} rounds by {jobs} jobs");
}

/// `DBHAUL_MOMENTS=100` makes it so many rounds.
fn how_many() -> u32 {
    env::var("DBHAUL_MOMENTS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(4)
}

#[test]
fn what_three_jobs_dump_is_one_moment() {
    rounds(postgres15(), "3", how_many());
}

#[test]
fn what_six_jobs_dump_is_one_moment() {
    rounds(postgres18(), "6", how_many());
}
