//! MySQL and MariaDB: each into each other one.

use std::{collections::BTreeMap, fs::File, path::PathBuf, sync::OnceLock};

use super::{dump, refused, restore, table};
use crate::support::{Database, Family, Flavour, shared};

const ALL: [Flavour; 5] = [Mysql, Mariadb105, Mariadb, Mariadb114, Mariadb118];

/// What every server of the family takes; view, trigger and routine carry the collation of their maker's session.
const COMMON: &str = r#"
    CREATE TABLE users (
        id int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, name varchar(100) NOT NULL, old varchar(20) CHARACTER SET utf8,
        exact varchar(20) COLLATE utf8mb4_bin, price decimal(30, 10), at datetime(6), day date, raw varbinary(40),
        bits bit(9), doc json, kind enum('a', 'it''s b'), tags set('x', 'y'), real_one double, spot point,
        since timestamp NULL DEFAULT CURRENT_TIMESTAMP, KEY by_name (name(10)), FULLTEXT KEY words (name),
        CONSTRAINT positive CHECK (price > 0)
    ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci COMMENT='expressions in keys ((lower(x)))';
    CREATE TABLE orders (
        id bigint PRIMARY KEY, user_id int unsigned, note text COMMENT 'uuid INVISIBLE /*!80023 INVISIBLE */',
        FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
    ) ENGINE=InnoDB DEFAULT CHARSET=latin1;
    CREATE TABLE parts (id int NOT NULL, y year) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci
        PARTITION BY HASH (id) PARTITIONS 3;
    INSERT INTO users (name, old, exact, price, at, day, raw, bits, doc, kind, tags, real_one, spot) VALUES
        ('Zoë ❤ utf8mb4_0900_ai_ci', 'grün', 'Ab', 1.5, '2024-02-29 12:34:56.789012', '0000-00-00', 0x00ff27, b'101',
            '{"a": [1, null, "x"]}', 'it''s b', 'x,y', 0.1, ST_GeomFromText('POINT(1 2)')),
        ('COLLATE utf8mb4_0900_ai_ci', NULL, 'AB', 99999.0000000001, NULL, NULL, NULL, NULL, NULL, NULL, '', -1e300, NULL);
    INSERT INTO orders VALUES (1, 1, 'CREATE TABLE x (a uuid) COLLATE=utf8mb4_uca1400_ai_ci;'), (2, 2, NULL);
    INSERT INTO parts VALUES (1, 1901), (2, 2155), (3, NULL);
    CREATE VIEW dear AS SELECT id, name FROM users WHERE price > 2;
    CREATE TRIGGER quiet BEFORE UPDATE ON users FOR EACH ROW SET NEW.name = CONCAT(NEW.name, ' uuid_to_bin()');
    CREATE PROCEDURE twice(IN a int) SELECT a * 2;
"#;

/// As every server shows it.
const ROWS: &str = "
    SELECT id, HEX(name), HEX(old), HEX(exact), price, at, day, HEX(raw), HEX(bits), JSON_EXTRACT(doc, '$.a[2]'), kind,
        tags, real_one, ST_AsText(spot), since IS NULL FROM users ORDER BY id;
    SELECT id, user_id, HEX(note) FROM orders ORDER BY id;
    SELECT id, y FROM parts ORDER BY id;
    SELECT id, HEX(name) FROM dear ORDER BY id;
    SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = DATABASE();
    CALL twice(21);";

fn mapping(stderr: &str) -> Vec<&str> {
    let hint = stderr.lines().find(|line| line.contains("--map-collation")).unwrap_or_else(|| panic!("{stderr}"));
    let words: Vec<&str> = hint.split(' ').collect();
    words.windows(2).filter(|pair| pair[0] == "--map-collation").flatten().copied().collect()
}

/// Restores, with the mapping that a refusal names, if there is one.
fn restored(archive: &PathBuf, target: &Database<'_>, source: Flavour) -> String {
    let output = restore(archive, target, source).run();
    if output.code == Some(0) {
        return "works".to_owned();
    }
    let output = refused(archive, target, source, &["does not know the collation"]);
    output.follows("map-collation");
    let maps = mapping(&output.stderr);
    let result = restore(archive, target, source).args(&maps).run().expect_code(0).json();
    assert!(result["adaptations"].to_string().contains("collations mapped"), "{result}");
    let from = |map: &&str| map.split_once('=').map(|(from, _)| format!("`{from}`"));
    format!("with `--map-collation` of {}", maps.iter().filter_map(from).collect::<Vec<_>>().join(", "))
}

fn crossed(source: Flavour) -> &'static BTreeMap<String, String> {
    static CELLS: [OnceLock<BTreeMap<String, String>>; ALL.len()] = [const { OnceLock::new() }; ALL.len()];
    let place = ALL.iter().position(|&flavour| flavour == source).expect("one of them");
    CELLS[place].get_or_init(|| {
        let database = shared(source).database("crossing");
        database.sql(&format!("SET sql_mode = '';{COMMON}"));
        let folder = tempfile::tempdir().expect("a folder");
        let archive = dump(&database, &folder, &[]);
        let wanted = database.sql(ROWS);
        let cross = |target: Flavour| {
            let database = shared(target).database("crossed");
            let cell = restored(&archive, &database, source);
            assert_eq!(database.sql(ROWS), wanted, "{} into {}", source.name(), target.name());
            cell
        };
        ALL.iter().map(|&target| (target.name(), cross(target))).collect()
    })
}

macro_rules! into_every_server {
    ($($name:ident: $flavour:ident),*) => {$(
        #[test]
        fn $name() {
            assert_eq!(crossed(Flavour::$flavour).len(), ALL.len());
        }
    )*};
}

into_every_server!(
    a_dump_of_mysql_goes_into_every_server: Mysql,
    a_dump_of_mariadb_10_5_goes_into_every_server: Mariadb105,
    a_dump_of_mariadb_10_11_goes_into_every_server: Mariadb,
    a_dump_of_mariadb_11_4_goes_into_every_server: Mariadb114,
    a_dump_of_mariadb_11_8_goes_into_every_server: Mariadb118
);

/// Something that not every server takes: the server that makes it, its name in a refusal, how it is made, where it
/// goes, and which servers go on without it.
struct Special {
    maker: Flavour,
    name: &'static str,
    sql: &'static str,
    takes: &'static [Flavour],
    loses: &'static [Flavour],
}

const fn special(
    maker: Flavour,
    name: &'static str,
    sql: &'static str,
    takes: &'static [Flavour],
    loses: &'static [Flavour],
) -> Special {
    Special { maker, name, sql, takes, loses }
}

use Flavour::{Mariadb, Mariadb105, Mariadb114, Mariadb118, Mysql};
const MARIADBS: &[Flavour] = &[Mariadb105, Mariadb, Mariadb114, Mariadb118];
const SINCE_10_11: &[Flavour] = &[Mariadb, Mariadb114, Mariadb118];

#[rustfmt::skip]
const SPECIAL: &[Special] = &[
    special(Mysql, "expressions in keys", "CREATE TABLE t1 (a varchar(9), b int, KEY k (b, (lower(a))))", &[Mysql], &[]),
    special(Mysql, "descending keys", "CREATE TABLE t2 (a int, KEY k (a DESC))", &[Mysql, Mariadb, Mariadb114, Mariadb118], &[Mariadb105]),
    special(Mysql, "invisible columns of MySQL", "CREATE TABLE t3 (a int, b int INVISIBLE)", &[Mysql], MARIADBS),
    special(Mysql, "invisible keys", "CREATE TABLE t4 (a int, KEY k (a) INVISIBLE)", &[Mysql], MARIADBS),
    special(Mysql, "constraints that are not enforced", "CREATE TABLE t5 (a int, CONSTRAINT c5 CHECK (a > 0) NOT ENFORCED)", &[Mysql], &[]),
    special(Mysql, "the SRID of columns", "CREATE TABLE t6 (a point NOT NULL SRID 4326)", &[Mysql], MARIADBS),
    special(Mysql, "the type geomcollection", "CREATE TABLE t7 (a geometrycollection)", &[Mysql], &[]),
    special(Mysql, "parsers of fulltext keys", "CREATE TABLE t8 (a varchar(9), FULLTEXT KEY k (a) WITH PARSER ngram)", &[Mysql], &[]),
    special(Mysql, "COMPRESSION of tables", "CREATE TABLE t9 (a int) COMPRESSION='none'", &[Mysql], &[]),
    special(Mysql, "LATERAL", "CREATE VIEW t11 AS SELECT z.x FROM (SELECT 1 AS a) y, LATERAL (SELECT y.a + 1 AS x) z", &[Mysql], &[]),
    special(Mysql, "the operators -> and ->>", "CREATE FUNCTION t12(a json) RETURNS json DETERMINISTIC RETURN (SELECT d->'$.x' FROM (SELECT a AS d) y)", &[Mysql], &[]),
    special(Mysql, "routines in JavaScript", "CREATE FUNCTION t13(a int) RETURNS int DETERMINISTIC LANGUAGE JAVASCRIPT AS $$ let b = a; return b; $$", &[Mysql], &[]),
    special(Mysql, "functions of MySQL alone", "CREATE TABLE t14 (a binary(16) DEFAULT (uuid_to_bin(uuid())))", &[Mysql], &[]),
    special(Mysql, "CHARSET gb18030", "CREATE TABLE t15 (a varchar(9)) CHARSET gb18030", &[Mysql], &[]),
    special(Mysql, "vector columns", "CREATE TABLE t16 (a vector(3))", &[Mysql, Mariadb118], &[]),
    special(Mysql, "JSON_TABLE", "CREATE VIEW t17 AS SELECT j.x FROM JSON_TABLE('[1]', '$[*]' COLUMNS (x int PATH '$')) j", &[Mysql, Mariadb, Mariadb114, Mariadb118], &[]),
    special(Mariadb118, "invisible columns of MariaDB", "CREATE TABLE t20 (a int, b int INVISIBLE)", &ALL, &[]),
    special(Mariadb118, "sequences", "CREATE SEQUENCE t21", MARIADBS, &[]),
    special(Mariadb118, "system versioning", "CREATE TABLE t22 (a int) WITH SYSTEM VERSIONING", MARIADBS, &[]),
    special(Mariadb118, "periods", "CREATE TABLE t23 (a int, s date, e date, PERIOD FOR p (s, e))", MARIADBS, &[]),
    special(Mariadb118, "the type uuid", "CREATE TABLE t24 (a uuid)", SINCE_10_11, &[]),
    special(Mariadb118, "the type inet4", "CREATE TABLE t25 (a inet4)", SINCE_10_11, &[]),
    special(Mariadb118, "the type inet6", "CREATE TABLE t26 (a inet6)", MARIADBS, &[]),
    special(Mariadb118, "vector keys", "CREATE TABLE t27 (a vector(3) NOT NULL, VECTOR KEY k (a))", &[Mariadb118], &[]),
    special(Mariadb118, "ignored keys", "CREATE TABLE t28 (a int, KEY k (a) IGNORED)", SINCE_10_11, &[]),
    special(Mariadb118, "compressed columns", "CREATE TABLE t29 (a text COMPRESSED)", MARIADBS, &[Mysql]),
    special(Mariadb118, "options of storage engines", "CREATE TABLE t30 (a int) PAGE_COMPRESSED=1", MARIADBS, &[]),
    special(Mariadb118, "ENGINE Aria", "CREATE TABLE t31 (a int) ENGINE=Aria", MARIADBS, &[]),
    special(Mariadb118, "a function as default without parentheses", "CREATE TABLE t32 (a date DEFAULT curdate())", MARIADBS, &[]),
    special(Mariadb118, "a text's or blob's default", "CREATE TABLE t33 (a text DEFAULT 'x')", MARIADBS, &[]),
    special(Mariadb118, "sql_mode ORACLE", "SET sql_mode = ORACLE; CREATE PROCEDURE t34 AS BEGIN NULL; END", MARIADBS, &[]),
    special(Mariadb118, "defaults of parameters", "CREATE PROCEDURE t35(a int DEFAULT 3) SELECT a", &[Mariadb118], &[]),
    special(Mariadb118, "EXECUTE IMMEDIATE", "CREATE PROCEDURE t36() EXECUTE IMMEDIATE 'SELECT 1'", MARIADBS, &[]),
    special(Mariadb118, "FOR loops", "CREATE PROCEDURE t37() FOR i IN 1..3 DO SET @a = i; END FOR", MARIADBS, &[]),
    special(Mariadb118, "functions of MariaDB alone", "CREATE VIEW t38 AS SELECT json_compact('[1]') AS a", MARIADBS, &[]),
    special(Mariadb118, "a check constraint's name in several tables", "CREATE TABLE t39 (a int, CONSTRAINT same CHECK (a > 0)); CREATE TABLE t40 (a int, CONSTRAINT same CHECK (a > 0))", MARIADBS, &[]),
];

/// A database whose collation every server knows.
fn neutral(maker: Flavour, name: &str) -> Database<'static> {
    let database = shared(maker).database(name);
    database.sql(&format!("ALTER DATABASE `{}` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci", database.name()));
    database
}

/// Makes it so that no session's collation is in the way.
fn made(special: &Special, database: &Database<'_>) -> Result<String, String> {
    let delimited = format!(
        "DELIMITER //\nSET collation_connection = utf8mb4_unicode_ci //\nSET sql_mode = '' //\n{} //",
        special.sql.replace("; CREATE", "//\nCREATE")
    );
    database.try_sql(&delimited)
}

/// One dump with everything that a server can make, into each server: what each names is what it does not take.
fn judged(maker: Flavour) {
    let specials: Vec<_> = SPECIAL.iter().filter(|special| special.maker == maker).collect();
    let source = neutral(maker, "special");
    for special in &specials {
        made(special, &source).unwrap_or_else(|error| panic!("{}: {error}", special.name));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let archive = dump(&source, &folder, &[]);
    for target in ALL {
        let database = shared(target).database("ordinary");
        let output = restore(&archive, &database, maker).run();
        let all_taken = specials.iter().all(|s| s.takes.contains(&target) || s.loses.contains(&target));
        assert_eq!(output.code, Some(if all_taken { 0 } else { 10 }), "{}:\n{}", target.name(), output.stderr);
        if !all_taken {
            super::assert_untouched(&database, &output);
        }
        for special in specials.iter().filter(|_| !all_taken) {
            let named = output.stderr.contains(&format!("  {}", special.name));
            let wanted = !special.takes.contains(&target) && !special.loses.contains(&target);
            assert_eq!(named, wanted, "{} into {}:\n{}", special.name, target.name(), output.stderr);
        }
    }
}

#[test]
fn what_mysql_alone_has_is_refused_by_name() {
    judged(Mysql);
}

#[test]
fn what_mariadb_alone_has_is_refused_by_name() {
    judged(Mariadb118);
}

#[test]
fn what_is_lost_on_the_way_is_said() {
    for maker in [Mysql, Mariadb118] {
        let specials = SPECIAL.iter().filter(|special| special.maker == maker && !special.loses.is_empty());
        let specials: Vec<_> = specials.collect();
        let source = neutral(maker, "losing");
        for special in &specials {
            made(special, &source).expect("made");
        }
        let folder = tempfile::tempdir().expect("a folder");
        let archive = dump(&source, &folder, &[]);
        for target in ALL {
            let database = shared(target).database("lost");
            let result = restore(&archive, &database, maker).run().expect_code(0).json();
            let warnings = result["warnings"].to_string();
            for special in &specials {
                let said = warnings.contains(special.name);
                assert_eq!(
                    said,
                    special.loses.contains(&target),
                    "{} into {}: {warnings}",
                    special.name,
                    target.name()
                );
            }
        }
    }
}

/// The last table, view or routine that a special makes.
fn object(special: &Special) -> &'static str {
    let mut words = special.sql.split([' ', '(']);
    words.rfind(|word| word.strip_prefix('t').is_some_and(|n| n.parse::<u8>().is_ok())).expect("a name")
}

#[test]
fn what_is_refused_is_what_the_server_itself_does_not_take() {
    for (maker, program) in [(Mysql, "mysqldump"), (Mariadb118, "mariadb-dump")] {
        let specials: Vec<_> = SPECIAL.iter().filter(|special| special.maker == maker).collect();
        let source = neutral(maker, "itself");
        for special in &specials {
            made(special, &source).expect("made");
        }
        let mut client = source.client(program);
        client.args(["--routines", "--skip-comments", "--no-tablespaces"]);
        if maker.family() == Family::Mysql {
            client.arg("--set-gtid-purged=OFF");
        }
        let dump = client.arg(source.name()).output().expect("run the dump program").stdout;
        for target in ALL.into_iter().filter(|&target| target != maker) {
            let database = shared(target).database("itself");
            let folder = tempfile::tempdir().expect("a folder");
            let file = folder.path().join("dump.sql");
            std::fs::write(&file, &dump).expect("write");
            let mut client = database.client(target.family().shell());
            client.args(["--force", "--binary-mode", database.name()]).stdin(File::open(&file).expect("the dump"));
            client.output().expect("run the client");
            let there = database.sql(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()
                 UNION SELECT routine_name FROM information_schema.routines WHERE routine_schema = DATABASE()",
            );
            for special in &specials {
                let taken = there.lines().any(|name| name == object(special));
                // That one would be enforced from then on: worse than refused.
                let wanted = special.takes.contains(&target)
                    || special.loses.contains(&target)
                    || special.name == "constraints that are not enforced";
                assert_eq!(taken, wanted, "{} on {}", special.name, target.name());
            }
        }
    }
}

#[test]
fn a_generated_column_of_mariadb_is_refused_by_mysql_by_its_name() {
    let source = shared(Mariadb).database("generated");
    source.sql(
        "CREATE TABLE t (a int, twice int AS (a * 2) STORED) COLLATE utf8mb4_unicode_ci; INSERT INTO t (a) VALUES (1)",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let target = shared(Mysql).database("plain");
    refused(&dump(&source, &folder, &[]), &target, Mariadb, &["t.twice"]);
}

#[test]
fn a_mapping_goes_where_collations_are_named_and_nowhere_else() {
    let source = shared(Mysql).database("mapped");
    source.sql(
        "CREATE TABLE t (a varchar(99) COLLATE utf8mb4_0900_ai_ci, b varchar(99) COLLATE utf8mb4_0900_bin DEFAULT 'utf8mb4_0900_ai_ci')
             COLLATE utf8mb4_0900_as_cs COMMENT 'COLLATE utf8mb4_0900_ai_ci';
         INSERT INTO t (a) VALUES ('COLLATE=utf8mb4_0900_ai_ci'), ('x');
         CREATE VIEW v AS SELECT a COLLATE utf8mb4_0900_ai_ci AS c, 'utf8mb4_0900_ai_ci' AS d FROM t",
    );
    let folder = tempfile::tempdir().expect("a folder");
    let archive = dump(&source, &folder, &[]);
    let target = shared(Mariadb105).database("mapping");
    let output = refused(&archive, &target, Mysql, &["utf8mb4_0900_ai_ci", "utf8mb4_0900_as_cs", "utf8mb4_0900_bin"]);
    let maps = mapping(&output.stderr);
    assert_eq!(maps.len(), 6, "{maps:?}");

    // The user's own choice, by the environment, and one that does not matter.
    let chosen = "utf8mb4_0900_ai_ci=utf8mb4_general_ci\nutf8mb4_0900_as_cs=utf8mb4_bin\nutf8mb4_0900_bin=utf8mb4_bin\nutf8mb4_da_0900_ai_ci=utf8mb4_danish_ci";
    let result = restore(&archive, &target, Mysql).env("DBHAUL_MAP_COLLATION", chosen).run().expect_code(0).json();
    assert!(result["warnings"].to_string().contains("utf8mb4_da_0900_ai_ci"), "{result}");
    let mapped = result["adaptations"].as_array().expect("a list").iter().find(|a| a["what"] == "collations mapped");
    assert!(mapped.and_then(|a| a["count"].as_u64()) >= Some(5), "{result}");
    assert_eq!(
        target.sql("SELECT a, b, c, d FROM t JOIN v ON a = c ORDER BY a"),
        source.sql("SELECT a, b, c, d FROM t JOIN v ON a = c ORDER BY a")
    );
    let collations = "SELECT collation_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 't' ORDER BY ordinal_position";
    assert_eq!(target.sql(collations), "utf8mb4_general_ci\nutf8mb4_bin");
    assert_eq!(
        target.sql(
            "SELECT table_comment FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 't'"
        ),
        "COLLATE utf8mb4_0900_ai_ci"
    );

    let target = shared(Mariadb105).database("mapping");
    for (map, code, words) in [
        ("utf8mb4_0900_ai_ci=utf8mb4_nowhere_ci", 10, "does not know utf8mb4_nowhere_ci"),
        ("utf8mb4_0900_ai_ci=latin1_swedish_ci", 2, "different character sets"),
        ("utf8mb4_0900_ai_ci", 2, "FROM=TO"),
    ] {
        let output = restore(&archive, &target, Mysql).args(["--map-collation", map]).run().expect_code(code);
        assert!(output.stderr.contains(words), "{}", output.stderr);
        assert_eq!(target.sql("SHOW TABLES"), "");
    }
}

#[test]
fn every_server_of_the_family_stands_in_the_table_of_crossings() {
    let text = table(&ALL, "from, into", |source, target| crossed(source)[&target.name()].clone());
    crate::support::assert_section("docs/compatibility.md", "crossing-mysql", &text);
}
