//! What holds for every script: what is not a definer or a mapped collation goes through byte for byte.

use proptest::prelude::*;

use super::model;
use super::scripts::{COLLATIONS, script};
use super::*;

fn adapt() -> Adapt {
    let [from, to] = COLLATIONS.map(str::to_owned);
    Adapt { definers: true, collations: vec![CollationMap { from, to }], ..Adapt::default() }
}

fn rewrite(adapt: &Adapt, script: &[u8], lengths: &[usize]) -> Vec<u8> {
    let (mut filter, mut out, mut rest) = (Rewriter::new(adapt.clone()), Vec::new(), script);
    for &length in lengths.iter().cycle() {
        let (now, later) = rest.split_at(length.min(rest.len()));
        filter.push(now, &mut out);
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    filter.finish(&mut out);
    out
}

fn judge(before: &[u8], after: &[u8]) -> Result<(), String> {
    let [from, to] = COLLATIONS;
    model::check(before, after, &[(from, to)])
}

fn numbers() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..200)
}

fn lengths() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1..60_usize, 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn only_definers_and_mapped_collations_change(numbers in numbers(), lengths in lengths()) {
        let script = script(&numbers);
        let out = rewrite(&adapt(), script.before.as_bytes(), &lengths);
        prop_assert_eq!(String::from_utf8_lossy(&out), script.after.as_str(), "{}", script.before);
        prop_assert_eq!(judge(script.before.as_bytes(), &out), Ok(()), "{}", script.before);
    }

    #[test]
    fn a_slow_tokenizer_finds_the_same_tokens_but_for_those(
        text in crate::engine::mysql::sql::splitter::tests::script(), lengths in lengths()
    ) {
        let all = Adapt { sandbox: true, sql_mode: true, ..adapt() };
        let out = rewrite(&all, text.as_bytes(), &lengths);
        // The gate stops what the client may obey or not.
        if !model::obeys_all(text.as_bytes()) || !model::obeys_all(&out) {
            return Ok(());
        }
        prop_assert_eq!(judge(text.as_bytes(), &out), Ok(()), "{:?} became {:?}", text, String::from_utf8_lossy(&out));
    }
}

#[test]
fn strings_of_megabytes_are_cut_at_every_place_and_stay() {
    let filler = "DEFINER=`a`@`b` COLLATE utf8mb4_0900_ai_ci -- # /* ; \\\\ '' ".repeat(50_000);
    let definer = "DEFINER=`a`@`b` ";
    let before = format!(
        "CREATE TABLE `t` (a int COMMENT '{filler}');\nINSERT INTO `t` VALUES ('{filler}'),('x');\n\
         /* {filler} */\n-- {}\nDELIMITER ;;\nCREATE {definer}PROCEDURE p() BEGIN SELECT '{filler}'; END ;;\n\
         CREATE {definer}VIEW `v` AS SELECT 1 ;;\n",
        filler.replace('\n', " ")
    );
    let after = before.replace(&format!("CREATE {definer}"), "CREATE ");
    for length in [61, 65_536, 262_144, 1_000_003, before.len()] {
        let out = rewrite(&adapt(), before.as_bytes(), &[length]);
        assert!(out == after.as_bytes(), "in pieces of {length}");
    }
    assert_eq!(judge(before.as_bytes(), after.as_bytes()), Ok(()));
}

#[test]
fn a_delimiter_may_begin_with_the_end_of_a_conditional_comment() {
    let all = Adapt { sandbox: true, sql_mode: true, ..adapt() };
    let text = "DELIMITER //\n/*!50013 *///*!999999\\- enable the sandbox mode */ \n";
    for n in 1..=text.len() {
        let out = rewrite(&all, text.as_bytes(), &[n]);
        assert_eq!(judge(text.as_bytes(), &out), Ok(()), "{n} {:?}", String::from_utf8_lossy(&out));
    }
}

#[test]
fn the_judge_sees_what_it_must() {
    for (before, after) in [
        ("SELECT 'DEFINER=a@b ';", "SELECT '';"),
        ("CREATE VIEW v AS SELECT `DEFINER=a`;", "CREATE VIEW v AS SELECT ``;"),
        ("SELECT 1 -- DEFINER=a@b\n;", "SELECT 1 -- \n;"),
        (
            "CREATE TABLE t (a int COMMENT 'COLLATE utf8mb4_0900_ai_ci');",
            "CREATE TABLE t (a int COMMENT 'COLLATE utf8mb4_unicode_ci');",
        ),
        ("SELECT DEFINER=a@b;", "SELECT ;"),
        ("IF @collate = 'utf8mb4_0900_ai_ci';", "IF @collate = 'utf8mb4_unicode_ci';"),
        ("SELECT 1;", "SELECT 2;"),
        ("SELECT 1;", ""),
        ("", "SELECT 1;"),
    ] {
        assert!(judge(before.as_bytes(), after.as_bytes()).is_err(), "{before} may not become {after}");
    }
    let fine = (
        "CREATE DEFINER=a@b VIEW v AS SELECT 1 COLLATE 'utf8mb4_0900_ai_ci';USE x;",
        "CREATE VIEW v AS SELECT 1 COLLATE 'utf8mb4_unicode_ci';",
    );
    assert_eq!(judge(fine.0.as_bytes(), fine.1.as_bytes()), Ok(()));
}
