//! The proof that it is one moment: while sessions move money and rows between tables of different lanes, nothing is
//! missing and nothing is there twice in the copy.

use super::copied;
use crate::{
    dump::postgres_jobs::moment::{Writers, accounts, total},
    support::{Server, eventually, postgres15, postgres18, sessions},
};

fn rounds(from: &Server, to: &Server, jobs: &str) {
    let source = from.database("moment");
    accounts(&source);
    let wanted = total(&source);
    let writers = Writers::on(&source);
    let moves = || source.sql("SELECT count(*) FROM moves").parse::<u64>().expect("a count");
    eventually("rows are moved", || moves() > 10);
    let rounds = std::env::var("DBHAUL_MOMENTS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(3);
    for round in 0..rounds {
        let before = moves();
        let target = to.database("moment");
        copied(&source, &target, jobs, &[]);
        assert!(moves() > before, "nothing was moved meanwhile");
        assert_eq!(total(&target), wanted, "round {round}");
    }
    drop(writers);
    source.end_sessions();
    eventually("no session is left", || sessions(&source, false) == 0);
}

#[test]
fn what_two_jobs_copy_is_one_moment() {
    rounds(postgres15(), postgres18(), "2");
}

#[test]
fn what_six_jobs_copy_is_one_moment() {
    rounds(postgres18(), postgres18(), "6");
}
