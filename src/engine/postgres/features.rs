//! What a dump holds that older servers do not know: one table, and how each of its rows is recognised in the SQL of
//! an entry.
//!
//! `pg_dump` writes keywords in capitals, names that need it in quotes, and types and functions of `pg_catalog`, and
//! only those, without a schema. Strings, bodies and comments are no tokens: nothing is found in them. Whatever is not
//! in the table is for the server to judge, in a transaction.

use super::restore::target::lines;
use super::session::pinned_settings::MONEY;
use super::sql::lexer::{Token, tokens};
use crate::engine::Server;

/// How the name of a feature begins that is a setting.
const SETTING: &str = "setting ";

/// One row.
struct FeatureRule {
    name: &'static str,
    /// The first major version that knows it.
    since: u32,
    /// The kinds of entries that it can stand in; all of them if none is named.
    kinds: &'static [&'static str],
    sign: Matcher,
}

/// How a feature is recognised.
enum Matcher {
    /// By the entry's kind.
    Kind,
    /// Any of these runs of tokens, which a space separates; `?` is any name.
    Words(&'static [&'static str]),
    /// A type of `pg_catalog` where a type stands.
    Type(&'static [&'static str]),
    /// A call of a function of `pg_catalog`.
    Call(&'static [&'static str]),
    Shape(fn(&[Token<'_>]) -> bool),
}

const CONSTRAINTS: &[&str] = &["TABLE", "CONSTRAINT", "CHECK CONSTRAINT", "FK CONSTRAINT", "DOMAIN"];
const ROUTINES: &[&str] = &["FUNCTION", "PROCEDURE"];
const WITH_TYPES: &[&str] = &["TABLE", "FOREIGN TABLE", "DOMAIN", "TYPE", "FUNCTION", "PROCEDURE", "AGGREGATE", "CAST"];
const VIEWS: &[&str] = &["VIEW"];
const SUBSCRIPTION: &[&str] = &["SUBSCRIPTION"];
const PUBLICATION: &[&str] = &["PUBLICATION"];
const GRANTS: &[&str] = &["ACL", "DEFAULT ACL"];

const fn row(since: u32, name: &'static str, kinds: &'static [&'static str], sign: Matcher) -> FeatureRule {
    FeatureRule { name, since, kinds, sign }
}

#[rustfmt::skip]
const ROWS: &[FeatureRule] = &[
    row(8, MONEY, &["TABLE", "FOREIGN TABLE", "DOMAIN", "TYPE"], Matcher::Type(&["money"])),
    row(14, "multirange types", WITH_TYPES, Matcher::Type(&["int4multirange", "int8multirange", "nummultirange",
        "datemultirange", "tsmultirange", "tstzmultirange"])),
    row(14, "multirange_type_name", &["TYPE"], Matcher::Words(&["multirange_type_name ="])),
    row(14, "COMPRESSION of a column", &["TABLE", "MATERIALIZED VIEW"], Matcher::Words(&["SET COMPRESSION"])),
    row(14, "SQL-standard function bodies", ROUTINES, Matcher::Shape(sql_body)),
    row(14, "OUT parameters of procedures", &["PROCEDURE"], Matcher::Words(&["( OUT", ", OUT"])),
    row(14, "statistics on expressions", &["STATISTICS"], Matcher::Shape(expression_statistics)),
    row(14, "SEARCH and CYCLE clauses", &[], Matcher::Words(&["SEARCH DEPTH FIRST", "SEARCH BREADTH FIRST", ") CYCLE ?"])),
    row(14, "GROUP BY DISTINCT", &[], Matcher::Words(&["GROUP BY DISTINCT"])),
    row(14, "subscript functions of types", &["TYPE"], Matcher::Words(&["SUBSCRIPT ="])),
    row(14, "binary or streaming subscriptions", SUBSCRIPTION, Matcher::Words(&[", binary =", ", streaming ="])),
    row(14, "functions of PostgreSQL 14", &[], Matcher::Call(&["date_bin", "string_to_table", "bit_count", "trim_array",
        "unistr", "range_agg", "multirange", "bit_xor"])),
    row(15, "NULLS NOT DISTINCT", &[], Matcher::Words(&["NULLS NOT DISTINCT"])),
    row(15, "security_invoker views", VIEWS, Matcher::Words(&["WITH ( security_invoker =", ", security_invoker ="])),
    row(15, "MERGE", &[], Matcher::Words(&["MERGE INTO"])),
    row(15, "publications of schemas", &["PUBLICATION TABLES IN SCHEMA"], Matcher::Kind),
    row(15, "row filters of publications", &["PUBLICATION TABLE"], Matcher::Words(&["WHERE ("])),
    row(15, "column lists of publications", &["PUBLICATION TABLE"], Matcher::Shape(published_columns)),
    row(15, "columns in ON DELETE SET", &["FK CONSTRAINT"], Matcher::Words(&["SET NULL (", "SET DEFAULT ("])),
    row(15, "unlogged sequences", &["SEQUENCE", "TABLE"], Matcher::Words(&["CREATE UNLOGGED SEQUENCE", "SET LOGGED",
        "SET UNLOGGED"])),
    row(15, "numeric with a negative scale", WITH_TYPES, Matcher::Shape(negative_scale)),
    row(15, "two_phase or disable_on_error subscriptions", SUBSCRIPTION, Matcher::Words(&[", two_phase =",
        ", disable_on_error ="])),
    row(15, "functions of PostgreSQL 15", &[], Matcher::Call(&["regexp_count", "regexp_instr", "regexp_like",
        "regexp_substr"])),
    row(16, "rules of ICU collations", &["COLLATION"], Matcher::Words(&[", rules ="])),
    row(16, "SQL/JSON constructors", &[], Matcher::Words(&["JSON_OBJECT (", "JSON_ARRAY (", "JSON_OBJECTAGG (",
        "JSON_ARRAYAGG (", "IS JSON", "IS NOT JSON"])),
    row(16, "SYSTEM_USER", &[], Matcher::Words(&["SYSTEM_USER"])),
    row(16, "password_required, run_as_owner or origin of subscriptions", SUBSCRIPTION, Matcher::Words(&[
        ", password_required =", ", run_as_owner =", ", origin ="])),
    row(16, "parallel streaming of subscriptions", SUBSCRIPTION, Matcher::Words(&["streaming = parallel"])),
    row(16, "functions of PostgreSQL 16", &[], Matcher::Call(&["any_value", "array_sample", "array_shuffle", "date_add",
        "date_subtract", "erf", "erfc", "random_normal"])),
    row(17, "the MAINTAIN privilege", GRANTS, Matcher::Words(&["MAINTAIN"])),
    row(17, "the builtin collation provider", &["COLLATION"], Matcher::Words(&["provider = builtin"])),
    row(17, "SQL/JSON query functions", &[], Matcher::Words(&["JSON_TABLE (", "JSON_QUERY (", "JSON_VALUE (",
        "JSON_EXISTS (", "JSON_SCALAR (", "JSON_SERIALIZE (", "JSON ("])),
    row(17, "AT LOCAL", &[], Matcher::Words(&["AT LOCAL"])),
    row(17, "MERGE with NOT MATCHED BY SOURCE or RETURNING", &[], Matcher::Words(&["MATCHED BY SOURCE",
        "MERGE_ACTION ("])),
    row(17, "failover of subscriptions", SUBSCRIPTION, Matcher::Words(&[", failover ="])),
    row(17, "functions of PostgreSQL 17", &[], Matcher::Call(&["to_bin", "to_oct", "uuid_extract_timestamp",
        "uuid_extract_version", "xmltext"])),
    row(18, "virtual generated columns", &["TABLE", "FOREIGN TABLE"], Matcher::Shape(virtual_column)),
    row(18, "WITHOUT OVERLAPS", CONSTRAINTS, Matcher::Words(&["WITHOUT OVERLAPS"])),
    row(18, "PERIOD in a foreign key", CONSTRAINTS, Matcher::Words(&[", PERIOD ?"])),
    row(18, "NOT NULL as a constraint of its own", CONSTRAINTS, Matcher::Words(&["CONSTRAINT ? NOT NULL ?",
        "NOT NULL NO INHERIT"])),
    row(18, "NOT ENFORCED constraints", CONSTRAINTS, Matcher::Words(&["NOT ENFORCED"])),
    row(18, "OLD and NEW in RETURNING", &[], Matcher::Words(&["RETURNING WITH ("])),
    row(18, "generated columns in publications", PUBLICATION, Matcher::Words(&["publish_generated_columns ="])),
    row(18, "functions of PostgreSQL 18", &[], Matcher::Call(&["uuidv4", "uuidv7", "array_sort", "array_reverse",
        "casefold", "crc32", "crc32c", "gamma", "lgamma"])),
];

/// What the SQL of one entry asks of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asks {
    /// Names of features.
    pub features: Vec<String>,
    /// Collations of `pg_catalog`.
    pub collations: Vec<String>,
}

/// Looks at an entry's kind and SQL.
pub fn of(kind: &str, sql: &str) -> Asks {
    let tokens = tokens(sql);
    let rows = ROWS.iter().filter(|row| row.kinds.is_empty() || row.kinds.contains(&kind));
    let mut features: Vec<_> = rows.filter(|row| row.sign.is_in(&tokens)).map(|row| row.name.to_owned()).collect();
    if ROUTINES.contains(&kind) {
        features.extend(settings(&tokens));
    }
    Asks { features, collations: after(&tokens, "COLLATE pg_catalog .").map(str::to_owned).collect() }
}

/// What is to be said of a feature that the server does not know: none if it does. Which settings it has, it said.
pub fn unknown(feature: &str, server: &Server) -> Option<String> {
    if let Some(setting) = feature.strip_prefix(SETTING) {
        let known = lines(server, "settings.known");
        // A name with a dot is an extension's, and any server takes it.
        let taken = known.is_empty() || known.contains(&setting) || setting.contains('.');
        return (!taken).then(|| feature.to_owned());
    }
    let row = ROWS.iter().find(|row| row.name == feature)?;
    (row.since > server.version.major).then(|| format!("{feature} (PostgreSQL {} and newer)", row.since))
}

impl Matcher {
    fn is_in(&self, tokens: &[Token<'_>]) -> bool {
        match self {
            Self::Kind => true,
            Self::Words(runs) => runs.iter().any(|run| find(tokens, run).is_some()),
            Self::Type(names) => (1..tokens.len()).any(|at| {
                // A name stands before a column's or an argument's type; behind `(` and `,` a table has columns.
                matches!(tokens[at], Token::Word(word) if names.contains(&word))
                    && matches!(tokens[at - 1], Token::Word(_) | Token::Name(_) | Token::Symbol(b':'))
            }),
            Self::Call(names) => tokens.windows(2).enumerate().any(|(at, pair)| {
                matches!(pair, [Token::Word(word), Token::Symbol(b'(')] if names.contains(word))
                    && (at == 0 || tokens[at - 1] != Token::Symbol(b'.'))
            }),
            Self::Shape(holds) => holds(tokens),
        }
    }
}

/// Where a run of tokens stands.
fn find(tokens: &[Token<'_>], run: &str) -> Option<usize> {
    let first = run.split(' ').next().unwrap_or(run);
    (0..tokens.len()).find(|&at| tokens[at].is(first) && stands(tokens, at, run))
}

/// Whether a run of tokens stands here.
fn stands(tokens: &[Token<'_>], at: usize, run: &str) -> bool {
    run.split(' ').enumerate().all(|(next, wanted)| tokens.get(at + next).is_some_and(|token| token.is(wanted)))
}

/// The names behind each of these runs of tokens.
fn after<'a>(tokens: &'a [Token<'a>], run: &'a str) -> impl Iterator<Item = &'a str> {
    let length = run.split(' ').count();
    (0..tokens.len()).filter(move |&at| stands(tokens, at, run)).filter_map(move |at| tokens.get(at + length)?.name())
}

/// `SET name TO value` among a routine's attributes.
fn settings(tokens: &[Token<'_>]) -> Vec<String> {
    let set = |window: &[Token<'_>]| {
        let [Token::Word("SET"), name, Token::Word("TO")] = window else { return None };
        Some(format!("{SETTING}{}", name.name()?))
    };
    tokens.windows(3).filter_map(set).collect()
}

/// `BEGIN ATOMIC ... END`, or `RETURN x` behind the parameters.
fn sql_body(tokens: &[Token<'_>]) -> bool {
    find(tokens, "BEGIN ATOMIC").is_some() || outside_of_brackets(tokens).any(|(_, token)| token.is("RETURN"))
}

fn expression_statistics(tokens: &[Token<'_>]) -> bool {
    find(tokens, "ON").is_some_and(|on| tokens[on..].contains(&Token::Symbol(b'(')))
}

/// `ADD TABLE ONLY t (a, b)`, not `ADD TABLE ONLY t WHERE (...)`.
fn published_columns(tokens: &[Token<'_>]) -> bool {
    outside_of_brackets(tokens)
        .take_while(|(_, token)| !token.is("WHERE"))
        .any(|(at, _)| tokens.get(at + 1) == Some(&Token::Symbol(b'(')))
}

fn negative_scale(tokens: &[Token<'_>]) -> bool {
    let start = |at: usize| tokens.get(at..at + 5);
    (0..tokens.len()).filter_map(start).any(|window| {
        matches!(
            window,
            [Token::Word("numeric"), Token::Symbol(b'('), Token::Word(_), Token::Symbol(b','), Token::Symbol(b'-')]
        )
    })
}

/// `GENERATED ALWAYS AS (...)` without `STORED` behind it.
fn virtual_column(tokens: &[Token<'_>]) -> bool {
    let mut rest = tokens;
    while let Some(at) = find(rest, "GENERATED ALWAYS AS (") {
        rest = &rest[at + 3..];
        let end = outside_of_brackets(rest).nth(1).map_or(rest.len(), |(end, _)| end);
        if !rest.get(end).is_some_and(|token| token.is("STORED")) {
            return true;
        }
        rest = &rest[end.min(rest.len())..];
    }
    false
}

/// Tokens that stand in no brackets, opening ones included.
fn outside_of_brackets<'t, 'a>(tokens: &'t [Token<'a>]) -> impl Iterator<Item = (usize, &'t Token<'a>)> {
    let mut depth = 0_u32;
    tokens.iter().enumerate().filter(move |(_, token)| {
        let before = depth;
        match token {
            Token::Symbol(b'(') => depth += 1,
            Token::Symbol(b')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        before == 0
    })
}
