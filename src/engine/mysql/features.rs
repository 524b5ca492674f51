//! What a dump holds that not every server of the family takes: one table, and how each of its rows is recognised in a
//! `CREATE` statement.
//!
//! Only tokens of code are looked at, never strings, comments or rows. MariaDB passes over versioned comments of MySQL
//! 5.7 and later (`/*!80023 INVISIBLE */`): what stands in them is lost there, or worse than lost.

use super::probe::probe_keys;
use super::sql::lexer::{Syntax, Token};
use super::sql::statement::{self, Object, SpannedToken, StatementInfo};
use crate::engine::{Feature, Flavour, Server, Version};

/// One row.
struct FeatureRule {
    name: &'static str,
    mysql: Support,
    mariadb: Support,
    /// The kinds of objects that it can stand in.
    on: &'static [Object],
    sign: Matcher,
}

/// What a flavour makes of it.
#[derive(Clone, Copy)]
enum Support {
    Since(u32, u32, u32),
    Never,
    /// Goes on without it.
    Loses,
    LosesBefore(u32, u32, u32),
}

/// How a feature is recognised. Runs of tokens are in small letters, a space between two; `?` is any name.
enum Matcher {
    /// By the kind of object.
    Kind,
    /// Anywhere in the statement.
    Words(&'static [&'static str]),
    /// A call of one of the server's own functions.
    Call(&'static [&'static str]),
    /// A column's type.
    Type(&'static [&'static str]),
    /// In the definition of a column, key or constraint, or of a routine's parameter.
    Part(&'static [&'static str]),
    /// The same, but in a versioned comment.
    Versioned(&'static [&'static str]),
    /// Behind a table's columns.
    Option(&'static [&'static str]),
    /// Of the definition of a column, key or constraint.
    Shape(fn(&[SpannedToken<'_>]) -> bool),
}

use Support::{Loses, LosesBefore, Never, Since};
const ALWAYS: Support = Since(0, 0, 0);
const TABLE: &[Object] = &[Object::Table];
const VIEW: &[Object] = &[Object::View];
const CODE: &[Object] = &[Object::Routine, Object::Function, Object::Trigger, Object::Event];
const ROUTINE: &[Object] = &[Object::Routine, Object::Function];
const EXPRESSIONS: &[Object] = &[Object::Table, Object::View];
const ALL: &[Object] =
    &[Object::Table, Object::View, Object::Routine, Object::Function, Object::Trigger, Object::Event];

const fn row(
    name: &'static str,
    mysql: Support,
    mariadb: Support,
    on: &'static [Object],
    sign: Matcher,
) -> FeatureRule {
    FeatureRule { name, mysql, mariadb, on, sign }
}

#[rustfmt::skip]
const ROWS: &[FeatureRule] = &[
    // MySQL's.
    row("expressions in keys", Since(8, 0, 13), Never, TABLE, Matcher::Shape(key_of_an_expression)),
    row("descending keys", LosesBefore(8, 0, 0), LosesBefore(10, 8, 0), TABLE, Matcher::Shape(descending_key)),
    row("invisible columns of MySQL", LosesBefore(8, 0, 23), Loses, TABLE, Matcher::Shape(invisible_column_of_mysql)),
    row("invisible keys", LosesBefore(8, 0, 0), Loses, TABLE, Matcher::Shape(invisible_key)),
    row("constraints that are not enforced", Since(8, 0, 16), Never, TABLE, Matcher::Versioned(&["not enforced"])),
    row("the SRID of columns", LosesBefore(8, 0, 3), Loses, TABLE, Matcher::Versioned(&["srid"])),
    row("the type geomcollection", Since(8, 0, 11), Never, TABLE, Matcher::Type(&["geomcollection"])),
    row("parsers of fulltext keys", ALWAYS, Never, TABLE, Matcher::Part(&["with parser ?"])),
    row("COMPRESSION of tables", Since(5, 7, 8), Never, TABLE, Matcher::Option(&["compression ="])),
    row("ENCRYPTION of tables", Since(5, 7, 11), Loses, TABLE, Matcher::Option(&["encryption ="])),
    row("LATERAL", Since(8, 0, 14), Never, ALL, Matcher::Words(&["lateral ("])),
    row("the operators -> and ->>", Since(5, 7, 9), Never, CODE, Matcher::Words(&["- >"])),
    row("MEMBER OF", Since(8, 0, 17), Never, ALL, Matcher::Words(&["member of ("])),
    row("FOR SHARE", Since(8, 0, 1), Never, CODE, Matcher::Words(&["for share"])),
    row("routines in JavaScript", Since(9, 0, 0), Never, ROUTINE, Matcher::Words(&["language javascript"])),
    row("JSON duality views", Since(9, 4, 0), Never, VIEW, Matcher::Words(&["duality view"])),
    row("functions of MySQL alone", ALWAYS, Never, EXPRESSIONS, Matcher::Call(&["any_value", "bin_to_uuid", "is_uuid",
        "json_pretty", "json_schema_validation_report", "json_storage_free", "json_storage_size", "regexp_like",
        "st_geohash", "st_latitude", "st_longitude", "st_swapxy", "st_transform", "uuid_to_bin"])),
    // MySQL's and MariaDB's.
    row("vector columns", Since(9, 0, 0), Since(11, 7, 1), TABLE, Matcher::Type(&["vector"])),
    row("JSON_TABLE", Since(8, 0, 4), Since(10, 6, 0), ALL, Matcher::Words(&["json_table ("])),
    row("SKIP LOCKED", Since(8, 0, 1), Since(10, 6, 0), CODE, Matcher::Words(&["skip locked"])),
    // MariaDB's.
    row("invisible columns of MariaDB", Since(8, 0, 23), Since(10, 3, 3), TABLE,
        Matcher::Shape(invisible_column_of_mariadb)),
    row("sequences", Never, Since(10, 3, 0), &[Object::Sequence], Matcher::Kind),
    row("functions of sequences", Never, Since(10, 3, 0), EXPRESSIONS, Matcher::Call(&["nextval", "lastval", "setval"])),
    row("system versioning", Never, Since(10, 3, 4), TABLE, Matcher::Option(&["with system versioning"])),
    row("columns of row versions", Never, Since(10, 3, 4), TABLE, Matcher::Part(&["as row start", "as row end"])),
    row("periods", Never, Since(10, 4, 3), TABLE, Matcher::Part(&["period for ?"])),
    row("WITHOUT OVERLAPS", Never, Since(10, 5, 3), TABLE, Matcher::Part(&["without overlaps"])),
    row("the type uuid", Never, Since(10, 7, 0), TABLE, Matcher::Type(&["uuid"])),
    row("the type inet4", Never, Since(10, 10, 0), TABLE, Matcher::Type(&["inet4"])),
    row("the type inet6", Never, Since(10, 5, 0), TABLE, Matcher::Type(&["inet6"])),
    row("the type xmltype", Never, Since(12, 3, 0), TABLE, Matcher::Type(&["xmltype"])),
    row("vector keys", Never, Since(11, 7, 1), TABLE, Matcher::Part(&["vector key"])),
    row("ignored keys", Never, Since(10, 6, 0), TABLE, Matcher::Shape(ignored_key)),
    row("compressed columns", Loses, ALWAYS, TABLE, Matcher::Versioned(&["compressed"])),
    row("options of storage engines", Never, ALWAYS, TABLE, Matcher::Option(&["` =", "page_checksum =",
        "transactional ="])),
    row("a function as default without parentheses", Never, ALWAYS, TABLE, Matcher::Shape(bare_function_as_default)),
    row("a text's or blob's default", Never, ALWAYS, TABLE, Matcher::Shape(default_of_a_text)),
    row("packages", Never, Since(10, 3, 5), &[Object::Routine], Matcher::Words(&["` package"])),
    row("aggregate functions", Never, Since(10, 3, 3), &[Object::Function], Matcher::Words(&["aggregate function"])),
    row("defaults of parameters", Never, Since(11, 8, 0), ROUTINE, Matcher::Part(&["default"])),
    row("EXECUTE IMMEDIATE", Never, Since(10, 2, 3), CODE, Matcher::Words(&["execute immediate"])),
    row("RETURNING", Never, Since(10, 5, 0), CODE, Matcher::Words(&["returning"])),
    row("FOR loops", Never, Since(10, 3, 3), CODE, Matcher::Words(&["end for"])),
    row("functions of MariaDB alone", Never, ALWAYS, EXPRESSIONS, Matcher::Call(&["add_months", "json_compact",
        "json_detailed", "json_exists", "json_loose", "json_query", "median", "natural_sort_key", "nvl", "nvl2",
        "percentile_cont", "percentile_disc", "sformat", "sys_guid", "to_char", "vec_fromtext", "vec_totext"])),
];

/// Values of `sql_mode` that only one flavour has.
const MODES: &[(Flavour, &[&str])] = &[
    (Flavour::MYSQL, &["TIME_TRUNCATE_FRACTIONAL"]),
    (
        Flavour::MARIADB,
        &[
            "EMPTY_STRING_IS_NULL",
            "IGNORE_BAD_TABLE_OPTIONS",
            "NO_FIELD_OPTIONS",
            "NO_KEY_OPTIONS",
            "NO_TABLE_OPTIONS",
            "ORACLE",
            "SIMULTANEOUS_ASSIGNMENT",
            "TIME_ROUND_FRACTIONAL",
        ],
    ),
];

/// Names of features that go by a name: `ENGINE Aria`, `CHARSET gb18030`, `sql_mode ORACLE`.
const ENGINE: &str = "ENGINE ";
const CHARSET: &str = "CHARSET ";
const MODE: &str = "sql_mode ";
/// The name of a check constraint, which MySQL wants but once in a database.
pub(super) const CHECK_NAME: &str = "a check constraint's name in several tables";

/// What a server makes of a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    Taken,
    Lost,
    Refused,
}

/// Judges a feature by the table, or by what the server says that it has. What a flavour never takes can't come from a
/// server of that flavour: then it was only something that looks like it.
pub(super) fn verdict(feature: &Feature, server: &Server, source: Option<Flavour>) -> Verdict {
    let known = |known: bool| if known { Verdict::Taken } else { Verdict::Refused };
    if let Some(engine) = feature.name.strip_prefix(ENGINE) {
        let engines = probe_keys::list(server, probe_keys::ENGINES);
        let disabled = server.settings.get("disabled_storage_engines").map(String::as_str).unwrap_or_default();
        let shut = disabled.split(',').any(|e| e.trim().eq_ignore_ascii_case(engine));
        return known(!shut && (engines.is_empty() || engines.iter().any(|e| e.eq_ignore_ascii_case(engine))));
    }
    if let Some(charset) = feature.name.strip_prefix(CHARSET) {
        return known(knows_charset(server, charset));
    }
    if let Some(mode) = feature.name.strip_prefix(MODE) {
        return known(MODES.iter().any(|(flavour, modes)| *flavour == server.flavour && modes.contains(&mode)));
    }
    if feature.name == CHECK_NAME {
        return known(server.flavour == Flavour::MARIADB);
    }
    let Some(row) = ROWS.iter().find(|row| row.name == feature.name) else { return Verdict::Taken };
    let takes = if server.flavour == Flavour::MARIADB { row.mariadb } else { row.mysql };
    match takes {
        Never => known(source == Some(server.flavour)),
        Loses => Verdict::Lost,
        Since(a, b, c) => known(server.version >= Version::new(a, b, c)),
        LosesBefore(a, b, c) if server.version < Version::new(a, b, c) => Verdict::Lost,
        LosesBefore(..) => Verdict::Taken,
    }
}

/// Each collation's name begins with its character set's. `utf8` is `utf8mb3` under its old name.
fn knows_charset(server: &Server, charset: &str) -> bool {
    let modern = |name: &str| if name == "utf8" { "utf8mb3".to_owned() } else { name.to_ascii_lowercase() };
    let known = &server.target.collations;
    let of = |collation: &String| modern(collation.split('_').next().unwrap_or_default());
    known.is_empty() || known.iter().any(|collation| of(collation) == modern(charset))
}

/// The features in a `CREATE` statement.
pub(super) fn of(subject: &StatementInfo, head: &[u8], syntax: &Syntax) -> Vec<Feature> {
    let Some(name) = subject.name.as_deref() else { return Vec::new() };
    let pieces: Vec<_> = statement::pieces(head, syntax).collect();
    let statement = Statement::new(&pieces);
    let mut found = Vec::new();
    let mut add = |feature: String, part: Option<String>| {
        let object = part.map_or_else(|| name.to_owned(), |part| format!("{name}.{part}"));
        found.push(Feature { name: feature, kind: kind(subject.object).to_owned(), object });
    };
    for row in ROWS.iter().filter(|row| row.on.contains(&subject.object)) {
        match &row.sign {
            Matcher::Kind => add(row.name.to_owned(), None),
            Matcher::Option(runs) if runs.iter().any(|run| has(statement.options, run)) => {
                add(row.name.to_owned(), None);
            }
            sign if sign.is_in(&pieces) => add(row.name.to_owned(), None),
            sign => {
                let parts = statement.parts.iter().filter(|part| sign.is_in_part(part));
                parts.for_each(|part| add(row.name.to_owned(), part_name(part)));
            }
        }
    }
    if subject.object == Object::Table {
        after(statement.options, "engine =").for_each(|engine| add(format!("{ENGINE}{engine}"), None));
        for run in ["character set", "charset ="] {
            after(&pieces, run).for_each(|charset| add(format!("{CHARSET}{charset}"), None));
        }
    }
    found
}

/// The engine that a table names.
pub(super) fn engine(feature: &Feature) -> Option<&str> {
    feature.name.strip_prefix(ENGINE)
}

/// Whether a table is one of `InnoDB`'s compressed ones.
pub(super) fn is_compressed(head: &[u8], syntax: &Syntax) -> bool {
    let pieces: Vec<_> = statement::pieces(head, syntax).collect();
    let options = Statement::new(&pieces).options;
    has(options, "row_format = compressed") || has(options, "key_block_size =")
}

/// The size in KiB that a table names for its compressed blocks.
pub(super) fn block_size(head: &[u8], syntax: &Syntax) -> Option<u64> {
    let pieces: Vec<_> = statement::pieces(head, syntax).collect();
    Statement::option(Statement::new(&pieces).options, "key_block_size")?.parse().ok()
}

/// The tablespaces that a table or its partitions name.
pub(super) fn tablespaces(head: &[u8], syntax: &Syntax) -> Vec<String> {
    let pieces: Vec<_> = statement::pieces(head, syntax).collect();
    let options = Statement::new(&pieces).options;
    ["tablespace", "tablespace ="].iter().flat_map(|run| after(options, run).collect::<Vec<_>>()).collect()
}

/// Columns of a time whose default has a month or day of zero: `DEFAULT '0000-00-00'`.
pub(super) fn zero_dates(head: &[u8], syntax: &Syntax) -> Vec<String> {
    let pieces: Vec<_> = statement::pieces(head, syntax).collect();
    let has_zeros = |part: &&[SpannedToken<'_>]| {
        let is_date =
            part.get(1).is_some_and(|kind| ["date", "datetime", "timestamp"].iter().any(|date| kind.is(date)));
        let value = after(part, "default").next().filter(|_| is_date && is_name(&part[0])).unwrap_or_default();
        value.get(4..7) == Some("-00") || value.get(7..10) == Some("-00")
    };
    let parts = Statement::new(&pieces).parts;
    parts.iter().filter(|part| has_zeros(part)).filter_map(|part| part[0].unquoted()).collect()
}

/// Columns of points in time.
pub(super) fn timestamps(head: &[u8], syntax: &Syntax) -> Vec<String> {
    let pieces: Vec<_> = statement::pieces(head, syntax).collect();
    let is_one =
        |part: &&&[SpannedToken<'_>]| is_name(&part[0]) && part.get(1).is_some_and(|kind| kind.is("timestamp"));
    let parts = Statement::new(&pieces).parts;
    parts.iter().filter(|part| !part.is_empty()).filter(is_one).filter_map(|part| part[0].unquoted()).collect()
}

/// The names of a table's check constraints.
pub(super) fn check_names(head: &[u8], syntax: &Syntax) -> Vec<String> {
    let pieces: Vec<_> = statement::pieces(head, syntax).collect();
    let named = |part: &&[SpannedToken<'_>]| has(part.get(..3).unwrap_or_default(), "constraint ? check");
    Statement::new(&pieces).parts.iter().filter(|part| named(part)).filter_map(|part| part[1].unquoted()).collect()
}

/// The values in `SET sql_mode = '...'` that only one flavour has.
pub(super) fn modes(head: &[u8], syntax: &Syntax) -> Vec<Feature> {
    let Some(value) = statement::sql_mode(head, syntax) else { return Vec::new() };
    let value = String::from_utf8_lossy(&head[value]).to_ascii_uppercase();
    let given: Vec<&str> = value.trim_matches(['\'', '"']).split(',').map(str::trim).collect();
    let alone = MODES.iter().flat_map(|(_, modes)| modes.iter()).filter(|mode| given.contains(mode));
    alone
        .map(|mode| Feature { name: format!("{MODE}{mode}"), kind: "statement".into(), object: "SET sql_mode".into() })
        .collect()
}

fn kind(object: Object) -> &'static str {
    match object {
        Object::Table => "table",
        Object::View => "view",
        Object::Trigger => "trigger",
        Object::Routine => "procedure",
        Object::Function => "function",
        Object::Event => "event",
        Object::Sequence => "sequence",
        Object::Database => "database",
        Object::Other => "object",
    }
}

/// A statement, cut at its first brackets: the definitions in them, and what comes behind.
pub(super) struct Statement<'p, 'a> {
    pub(super) parts: Vec<&'p [SpannedToken<'a>]>,
    options: &'p [SpannedToken<'a>],
}

impl<'p, 'a> Statement<'p, 'a> {
    pub(super) fn new(pieces: &'p [SpannedToken<'a>]) -> Self {
        let (mut parts, mut depth, mut start) = (Vec::new(), 0_u32, 0);
        for (at, piece) in pieces.iter().enumerate() {
            match piece.token {
                Token::Symbol(b'(') => {
                    depth += 1;
                    start = if depth == 1 { at + 1 } else { start };
                }
                Token::Symbol(b',') if depth == 1 => {
                    parts.push(&pieces[start..at]);
                    start = at + 1;
                }
                Token::Symbol(b')') if depth == 1 => {
                    parts.push(&pieces[start..at]);
                    return Self { parts, options: &pieces[at + 1..] };
                }
                Token::Symbol(b')') => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        Self { parts, options: &[] }
    }

    /// The same of this table.
    pub(super) fn option_named(&self, name: &str) -> Option<String> {
        Self::option(self.options, name)
    }

    /// The value of an option of a table: `ROW_FORMAT=DYNAMIC`, `CHARSET utf8mb4`.
    pub(super) fn option(options: &[SpannedToken<'_>], name: &str) -> Option<String> {
        let at = options.iter().position(|piece| piece.is(name))?;
        options[at + 1..].iter().find(|piece| !piece.is_symbol(b'=')).and_then(SpannedToken::unquoted)
    }
}

/// The name of a column, or of a key or constraint.
fn part_name(part: &[SpannedToken<'_>]) -> Option<String> {
    part.iter().find(|piece| is_name(piece)).and_then(SpannedToken::unquoted)
}

impl Matcher {
    fn is_in(&self, pieces: &[SpannedToken<'_>]) -> bool {
        match self {
            Self::Words(runs) => runs.iter().any(|run| has(pieces, run)),
            Self::Call(names) => pieces.windows(2).enumerate().any(|(at, pair)| {
                names.iter().any(|name| pair[0].is(name))
                    && pair[1].is_symbol(b'(')
                    && (at == 0 || !pieces[at - 1].is_symbol(b'.'))
            }),
            _ => false,
        }
    }

    fn is_in_part(&self, part: &[SpannedToken<'_>]) -> bool {
        match self {
            Self::Type(names) => {
                part.first().is_some_and(is_name) && part.get(1).is_some_and(|p| names.iter().any(|name| p.is(name)))
            }
            Self::Part(runs) => runs.iter().any(|run| has(part, run)),
            Self::Versioned(runs) => runs.iter().any(|run| find(part, run).any(|at| part[at].versioned())),
            Self::Shape(holds) => holds(part),
            Self::Kind | Self::Words(_) | Self::Call(_) | Self::Option(_) => false,
        }
    }
}

/// Where a run of tokens stands.
fn find<'p>(pieces: &'p [SpannedToken<'_>], run: &'p str) -> impl Iterator<Item = usize> {
    let length = run.split(' ').count();
    let is = |piece: &SpannedToken<'_>, wanted: &str| match wanted {
        "?" => is_name(piece) || piece.token == Token::Word,
        "`" => is_name(piece),
        _ if wanted.len() == 1 && !wanted.as_bytes()[0].is_ascii_alphanumeric() => {
            piece.is_symbol(wanted.as_bytes()[0])
        }
        _ => piece.is(wanted),
    };
    let starts = 0..(pieces.len() + 1).saturating_sub(length);
    starts.filter(move |&at| pieces[at..].iter().zip(run.split(' ')).all(|(piece, wanted)| is(piece, wanted)))
}

fn has(pieces: &[SpannedToken<'_>], run: &str) -> bool {
    find(pieces, run).next().is_some()
}

/// The names behind each of these runs of tokens.
fn after<'p>(pieces: &'p [SpannedToken<'_>], run: &'p str) -> impl Iterator<Item = String> {
    let length = run.split(' ').count();
    find(pieces, run).filter_map(move |at| pieces.get(at + length)?.unquoted())
}

/// A quoted name: the server quotes all names in tables and views.
fn is_name(piece: &SpannedToken<'_>) -> bool {
    matches!(piece.token, Token::Quoted(b'`' | b'"'))
}

fn is_key(part: &[SpannedToken<'_>]) -> bool {
    !part.first().is_some_and(is_name) && part.iter().take(3).any(|piece| piece.is("key"))
}

/// `KEY k ((lower(a)))`
fn key_of_an_expression(part: &[SpannedToken<'_>]) -> bool {
    let behind =
        |pair: &[SpannedToken<'_>]| (pair[0].is_symbol(b'(') || pair[0].is_symbol(b',')) && pair[1].is_symbol(b'(');
    is_key(part) && part.windows(2).any(behind)
}

fn descending_key(part: &[SpannedToken<'_>]) -> bool {
    is_key(part) && has(part, "desc")
}

fn invisible_key(part: &[SpannedToken<'_>]) -> bool {
    is_key(part) && has(part, "invisible")
}

fn ignored_key(part: &[SpannedToken<'_>]) -> bool {
    is_key(part) && has(part, "ignored")
}

fn invisible_column(part: &[SpannedToken<'_>], of_mysql: bool) -> bool {
    !is_key(part) && find(part, "invisible").any(|at| part[at].versioned() == of_mysql)
}

fn invisible_column_of_mysql(part: &[SpannedToken<'_>]) -> bool {
    invisible_column(part, true)
}

fn invisible_column_of_mariadb(part: &[SpannedToken<'_>]) -> bool {
    invisible_column(part, false)
}

/// `DEFAULT uuid()`; the current time is what every server takes.
fn bare_function_as_default(part: &[SpannedToken<'_>]) -> bool {
    const TIMES: [&str; 4] = ["current_timestamp", "now", "localtime", "localtimestamp"];
    find(part, "default ? (").any(|at| !TIMES.iter().any(|time| part[at + 1].is(time)))
}

/// `text DEFAULT 'x'`; MySQL takes `DEFAULT ('x')`.
fn default_of_a_text(part: &[SpannedToken<'_>]) -> bool {
    const TEXTS: [&str; 9] =
        ["tinytext", "text", "mediumtext", "longtext", "tinyblob", "blob", "mediumblob", "longblob", "json"];
    let text = part.first().is_some_and(is_name) && part.get(1).is_some_and(|t| TEXTS.iter().any(|text| t.is(text)));
    text && find(part, "default")
        .any(|at| part.get(at + 1).is_some_and(|value| !value.is("null") && !value.is_symbol(b'(')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::mysql::test_fixtures::server;

    /// The features of a statement that a server shows so.
    fn named(sql: &str) -> Vec<String> {
        let syntax = Syntax::new();
        let subject = statement::subject(sql.as_bytes(), &syntax);
        let found = of(&subject, sql.as_bytes(), &syntax);
        found.into_iter().filter(|f| f.name != "ENGINE InnoDB").map(|f| format!("{} @ {}", f.name, f.object)).collect()
    }

    #[test]
    fn the_place_tells_what_a_word_means() {
        for (sql, expected) in [
            ("CREATE TABLE `t` (`uuid` int, `a` uuid) ENGINE=InnoDB", "the type uuid @ t.a"),
            ("CREATE TABLE `t` (`a` int /*!80023 INVISIBLE */)", "invisible columns of MySQL @ t.a"),
            ("CREATE TABLE `t` (`a` int INVISIBLE)", "invisible columns of MariaDB @ t.a"),
            ("CREATE TABLE `t` (`a` int, KEY `k` (`a`) /*!80000 INVISIBLE */)", "invisible keys @ t.k"),
            ("CREATE TABLE `t` (`a` text, UNIQUE KEY `k` (`a`(10),(lower(`a`))))", "expressions in keys @ t.k"),
            ("CREATE TABLE `t` (`a` int) /*!80016 ENCRYPTION='Y' */", "ENCRYPTION of tables @ t"),
            ("CREATE TABLE `t` (`a` text CHARACTER SET gb18030)", "CHARSET gb18030 @ t"),
            ("CREATE DEFINER=`a`@`b` PROCEDURE `p`() BEGIN DELETE FROM t RETURNING a; END", "RETURNING @ p"),
        ] {
            assert_eq!(named(sql), [expected], "{sql}");
        }
        for nothing in [
            "CREATE TABLE `uuid` (`vector` int COMMENT 'uuid INVISIBLE', `desc` int, KEY `ignored` (`desc`)) COMMENT='page_checksum=1'",
            "CREATE TABLE `t` (`a` timestamp DEFAULT current_timestamp() ON UPDATE current_timestamp(), `b` text DEFAULT NULL)",
            "CREATE TABLE `t` (`a` text DEFAULT ('x'), CHECK ((`a` <> ('y'))))",
            "CREATE VIEW `v` AS select `regexp_like`(1) AS `lateral`, `a`.`chr` AS `x` from `nvl`",
            "CREATE PROCEDURE `p`() SELECT 'EXECUTE IMMEDIATE' -- FOR SHARE",
        ] {
            assert_eq!(named(nothing), Vec::<String>::new(), "{nothing}");
        }
    }

    #[test]
    fn what_a_flavour_never_takes_does_not_come_from_it() {
        let feature = Feature { name: "RETURNING".into(), kind: "procedure".into(), object: "p".into() };
        let mysql = server(Flavour::MYSQL, Version::new(9, 7, 4));
        // JSON_VALUE(a, '$' RETURNING int)
        assert_eq!(verdict(&feature, &mysql, Some(Flavour::MYSQL)), Verdict::Taken);
        assert_eq!(verdict(&feature, &mysql, Some(Flavour::MARIADB)), Verdict::Refused);
        assert_eq!(verdict(&feature, &mysql, None), Verdict::Refused);
    }
}
