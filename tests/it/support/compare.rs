//! Whether two databases are the same: rows by count and checksum, the rest by schema text.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{Database, Family};

/// Rows and an order-independent checksum for each table (PostgreSQL: `schema.table`, quoted where SQL asks for it).
///
/// PostgreSQL's materialized views, sequences (`sequence NAME`, with their state as the checksum) and large objects
/// (`large objects`) are in it as well.
pub fn checksum(database: &Database<'_>) -> BTreeMap<String, (u64, String)> {
    let rows = if database.server().flavour().is_postgres() { postgres(database) } else { mysql(database) };
    rows.lines()
        .map(|line| {
            let fields: Vec<_> = line.split('\t').collect();
            let &[name, rows, sum] = fields.as_slice() else { panic!("not three columns: {line:?}") };
            (String::from_utf8(unhex(name)).expect("a name"), (rows.parse().expect("a count"), sum.to_owned()))
        })
        .collect()
}

// Names travel as hexadecimal digits: they may hold newlines and tabs.
fn postgres(database: &Database<'_>) -> String {
    database.sql(
        r#"
        SELECT format(
            CASE WHEN relkind = 'S'
                THEN 'SELECT %L, 1, last_value || ''/'' || is_called FROM %s'
                ELSE 'SELECT %L, count(*), coalesce(sum(hashtextextended(("a row".*)::text, 0)::numeric), 0) FROM %s AS "a row"'
            END,
            encode(convert_to(CASE WHEN relkind = 'S' THEN 'sequence ' ELSE '' END || full_name, 'UTF8'), 'hex'),
            full_name)
        FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace,
            LATERAL (SELECT format('%I.%I', nspname, relname) AS full_name) AS names
        WHERE relkind IN ('r', 'p', 'm', 'S') AND relispopulated AND nspname !~ '^pg_' AND nspname <> 'information_schema'
        \gexec
        SELECT encode('large objects', 'hex'), count(*),
            coalesce(sum(hashtextextended(oid || ' ' || encode(lo_get(oid), 'hex'), 0)::numeric), 0)
        FROM pg_largeobject_metadata HAVING count(*) > 0;
        "#,
    )
}

fn mysql(database: &Database<'_>) -> String {
    // MySQL 9.7 has no MD5() any more. HEX(3.7) is HEX(4), hence CONCAT; bits and geometries are bytes already.
    let statements = database.sql(
        "SET SESSION group_concat_max_len = 16777216;
        SELECT HEX(CONCAT(
            'SELECT ''', HEX(t.table_name), ''', COUNT(*), COALESCE(SUM(CAST(CONV(LEFT(SHA2(CONCAT_WS(''#'', ',
            GROUP_CONCAT(CONCAT(
                'IFNULL(HEX(',
                IF(c.data_type IN ('bit', 'geometry', 'point', 'linestring', 'polygon', 'multipoint', 'multilinestring',
                    'multipolygon', 'geometrycollection', 'geomcollection', 'vector'), '', 'CONCAT'),
                '(`', REPLACE(c.column_name, '`', '``'), '`)), ''NULL'')') ORDER BY c.ordinal_position SEPARATOR ', '),
            '), 256), 16), 16, 10) AS DECIMAL(20))), 0) FROM `', REPLACE(t.table_name, '`', '``'), '`'))
        FROM information_schema.tables t
            JOIN information_schema.columns c ON c.table_schema = t.table_schema AND c.table_name = t.table_name
        WHERE t.table_schema = DATABASE() AND t.table_type IN ('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE')
        GROUP BY t.table_name",
    );
    if statements.is_empty() {
        return String::new();
    }
    let mut all = String::new();
    for statement in statements.lines() {
        let _ = writeln!(all, "{};", String::from_utf8(unhex(statement)).expect("a statement"));
    }
    database.sql(&all)
}

/// The schema as the server's own client dumps it, without the lines that differ from dump to dump or with the
/// versions of server and client. MySQL: with definers and `AUTO_INCREMENT`.
pub fn schema(database: &Database<'_>) -> String {
    schema_without(database, &["--no-owner", "--no-privileges"])
}

/// The same; PostgreSQL's with nothing left out but what these options leave out.
pub fn schema_without(database: &Database<'_>, options: &[&str]) -> String {
    let server = database.server();
    let family = server.flavour().family();
    let mut command = database.client(family.dump());
    if family == Family::Postgres {
        command.arg("--schema-only").args(options);
    } else {
        command.args(["--no-data", "--routines", "--events", "--triggers", "--skip-comments", "--no-tablespaces"]);
        if family == Family::Mysql {
            command.arg("--set-gtid-purged=OFF");
        }
        command.arg(database.name());
    }
    let output = command.output().expect("run the dump program");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}: {errors}", output.status);
    let text = String::from_utf8(output.stdout).expect("a schema in UTF-8");

    // \restrict's key is new each time; only its two lines at the ends are taken, not those in a routine's body.
    let key = text.lines().find_map(|line| line.strip_prefix(r"\restrict ")).unwrap_or("no key").to_owned();
    let differs = |line: &&str| {
        *line == format!(r"\restrict {key}")
            || *line == format!(r"\unrestrict {key}")
            || [
                "-- Dumped from database version ",
                "-- Dumped by pg_dump version ",
                "SET transaction_timeout ",
                r"/*M!999999\-",
            ]
            .iter()
            .any(|start| line.starts_with(start))
    };
    let mut kept = String::new();
    for line in text.lines().filter(|line| !differs(line)) {
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

fn unhex(digits: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("a hexadecimal digit");
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::try_from(digit(pair[0]) * 16 + digit(pair[1])).expect("two digits make a byte"))
        .collect()
}
