//! What a file may do beside its database: each way is shown to be one by the bare client, then refused.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use super::{Trap, mysql, postgres, restore};
use crate::support::{Database, Flavour, Server, mariadb, mysql as mysql_server, postgres15, postgres18};

/// `MARK` is a file, `OTHER` another database, `WHO` an account that nobody has, `FUNCTION` one that deletes from `OTHER`,
/// `ELSEWHERE` a foreign table that stands in another database, `FOLDER` one that is not the server's.
const MYSQL: &[&str] = &[
    "CREATE TABLE u (a longtext); INSERT INTO u VALUES ('a\\\0'); /*\n'); DROP TABLE OTHER.keep; -- */",
    "CREATE PROCEDURE p() BEGIN /*M! ' */ END; DROP TABLE OTHER.keep; -- ';",
    "TABLE t INTO OUTFILE 'MARK';",
    "VALUES ROW(1) INTO OUTFILE 'MARK';",
    "(SELECT 1 INTO DUMPFILE 'MARK');",
    "SELECT 1\u{b}INTO\u{b}OUTFILE 'MARK';",
    "CREATE TABLE u AS TABLE OTHER.keep; DROP TABLE OTHER.keep;",
    "SET PERSIST long_query_time = 77;",
    "SET PASSWORD FOR function_WHO = 'Xx-0-long-enough';",
];

const MARIADB: &[&str] = &[
    "EXECUTE IMMEDIATE \"SELECT 1 INTO OUTFILE 'MARK'\";",
    "SET STATEMENT max_statement_time = 9 FOR SELECT 1 INTO OUTFILE 'MARK';",
    "DELIMITER //\nBEGIN NOT ATOMIC SELECT 1 INTO OUTFILE 'MARK'; END//\nDELIMITER ;",
    "ANALYZE DELETE FROM OTHER.keep;",
    "/*M!100000 DELETE FROM OTHER.keep */;",
    "CREATE OR REPLACE TABLE OTHER.keep (n int);",
    "SET PASSWORD FOR function_WHO = PASSWORD('Xx-0-long-enough');",
    "CREATE TABLE u (b int, a int DEFAULT nextval(OTHER.sq)); INSERT INTO u (b) VALUES (1);",
    "CREATE TABLE u (b int, a int DEFAULT (NEXT VALUE FOR OTHER.sq)); INSERT INTO u (b) VALUES (1);",
    "ALTER TABLE t ADD n int DEFAULT setval(OTHER.sq, 77); INSERT INTO t VALUES ('x', DEFAULT);",
];

/// Of a view that points elsewhere, and of what the server reads otherwise than it looks.
const MARIADB_READS: &[&str] = &[
    "CREATE TABLE stolen (x longtext); INSERT INTO stolen VALUES (/*!50708 '*/load_file('/etc/passwd')/*!50708 '*/);",
    "CREATE /*!50708 PROCEDURE f() */ TABLE stolen AS SELECT load_file('/etc/passwd') AS x;",
    "CREATE TABLE moved (n int) ENGINE=MyISAM DATA DIRECTORY='FOLDER';",
    "CREATE TABLE moved (n int) ENGINE=InnoDB DATA DIRECTORY='FOLDER';",
    "CREATE TABLE moved (n int) ENGINE=MyISAM PARTITION BY RANGE (n) (PARTITION p VALUES LESS THAN (9) DATA DIRECTORY='FOLDER');",
];

const BOTH: &[&str] = &[
    "CREATE VIEW v AS SELECT n FROM OTHER.keep; INSERT INTO v VALUES (9);",
    "/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50001 VIEW `v` AS select n from OTHER.keep */; REPLACE INTO `v` VALUES (9);",
    "CREATE VIEW v AS SELECT n FROM OTHER.keep; DELETE FROM v;",
    "CREATE TABLE stolen (x longtext); INSERT INTO stolen VALUES (@OLD_SQL_MODE:='NO_BACKSLASH_ESCAPES'); \
     SET SQL_MODE=@OLD_SQL_MODE; INSERT INTO stolen VALUES ('\\'),(load_file(0x2f6574632f706173737764));-- ');",
    "CREATE TABLE stolen (x longtext); SET time_zone = @OLD_SQL_MODE:='SYSTEM'; SET @x = @OLD_SQL_MODE:='NO_BACKSLASH_ESCAPES'; \
     SET SQL_MODE=@OLD_SQL_MODE; INSERT INTO stolen VALUES ('\\'),(load_file(0x2f6574632f706173737764));-- ');",
    "CREATE TABLE stolen (x longtext); INSERT INTO stolen VALUES (/*!99999 '*/load_file('/etc/passwd')/*!99999 '*/);",
    // The last byte of the character is half of one together with the backslash.
    "CREATE TABLE stolen (x longtext CHARACTER SET utf8mb4); SET NAMES gbk; \
     INSERT INTO stolen VALUES ('丁\\'),(load_file(0x2f6574632f706173737764));-- ');",
    "CREATE TABLE stolen (x longtext CHARACTER SET utf8mb4); SET character_set_client = 28; \
     INSERT INTO stolen VALUES ('丁\\'),(load_file(0x2f6574632f706173737764));-- ');",
    "SELECT 1 INTO OUTFILE 'MARK';",
    "SELECT 1 UNION SELECT 2 INTO OUTFILE 'MARK';",
    "/*!50000 SELECT 1 INTO OUTFILE 'MARK' */;",
    "SELECT/**/1/**/INTO/**/OUTFILE/**/'MARK';",
    "PREPARE s FROM \"SELECT 1 INTO OUTFILE 'MARK'\"; EXECUTE s;",
    "SET @q = \"SELECT 1 INTO OUTFILE 'MARK'\"; PREPARE s FROM @q; EXECUTE s;",
    "CREATE PROCEDURE p() SELECT 1 INTO OUTFILE 'MARK'; CALL p();",
    "FUNCTION DO f();",
    "FUNCTION SELECT f();",
    "FUNCTION INSERT INTO t VALUES (f());",
    "FUNCTION SET @x = f();",
    "FUNCTION \
     INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = f(); INSERT INTO t SET a = f();",
    "DROP TABLE OTHER.keep;",
    "DROP TABLE t, OTHER . `keep`;",
    "DELETE FROM OTHER.keep;",
    "DELETE x FROM OTHER.keep AS x;",
    "TRUNCATE OTHER.keep;",
    "UPDATE OTHER.keep SET n = 9;",
    "INSERT INTO OTHER.keep VALUES (9);",
    "REPLACE INTO `OTHER` . keep VALUES (9);",
    "INSERT INTO OTHER.keep SELECT 9;",
    "ALTER TABLE OTHER.keep ADD x int;",
    "RENAME TABLE OTHER.keep TO OTHER.gone;",
    "ALTER TABLE t RENAME TO OTHER.more;",
    "CREATE TABLE OTHER.more (n int);",
    "CREATE TABLE OTHER.more LIKE t;",
    "CREATE INDEX i ON OTHER.keep (n);",
    "CREATE VIEW OTHER.more AS SELECT 1 AS n;",
    "CREATE TRIGGER OTHER.more BEFORE INSERT ON OTHER.keep FOR EACH ROW SET @x = 1;",
    "SET @m = 'NO_BACKSLASH_ESCAPES'; SET sql_mode = @m; INSERT INTO t VALUES ('\\'); DELETE FROM OTHER.keep; -- ');",
    "SET sql_mode = 1048576; INSERT INTO t VALUES ('\\'); DELETE FROM OTHER.keep; -- ');",
    "CREATE USER WHO IDENTIFIED BY 'Xx-0-long-enough';",
    "CREATE ROLE WHO;",
    "GRANT SELECT ON OTHER.* TO function_WHO;",
    "SET GLOBAL long_query_time = 77;",
    "SET @@global.long_query_time = 77;",
    "SET SESSION sort_buffer_size = 99999, GLOBAL long_query_time = 77;",
    // Of what clients and servers end in different places: see `bounds`.
    "/*!99999 -- */ DROP TABLE OTHER.keep /*!99999 \n*/;",
    "SELECT 1 AS '1'; DELIMITER x;\nCREATE PROCEDURE p() SELECT 1 x DROP TABLE OTHER.keep x x;\nDELIMITER ;",
    "CREATE PROCEDURE p() SELECT 1 /*!99999 ' */; DROP TABLE OTHER.keep; -- ';",
    "CREATE PROCEDURE p() BEGIN --\u{b}'\n END; DROP TABLE OTHER.keep; -- ';",
    "SET sql_mode = 'ANSI_QUOTES'; CREATE TABLE u (\"a\\\" int); DROP TABLE OTHER.keep; -- \");",
    "/*!99999 SET sql_mode = 'NO_BACKSLASH_ESCAPES' */; INSERT INTO t VALUES ('\\''); DROP TABLE OTHER.keep; -- ');",
    "CREATE PROCEDURE p() BEGIN /*!99999 /* /*! */ ' */ END; DROP TABLE OTHER.keep; -- ';",
    "SET sql_mode = 'NO_BACKSLASH_ESCAPES'; SET @OLD_SQL_MODE = @@sql_mode; SET sql_mode = ''; SET sql_mode = @OLD_SQL_MODE; \
     INSERT INTO t VALUES ('\\'); DROP TABLE OTHER.keep; -- ');",
    "SET sql_mode = IFNULL('NO_BACKSLASH_ESCAPES', ''); INSERT INTO t VALUES ('\\'); DROP TABLE OTHER.keep; -- ');",
    // What is one statement for the client, and several for the server.
    "DELIMITER //\nINSERT INTO t VALUES (1); DROP TABLE OTHER.keep//\nDELIMITER ;",
    "DELIMITER //\nCOMMIT; DROP TABLE OTHER.keep//\nDELIMITER ;",
    "DELIMITER //\nCREATE VIEW v AS SELECT 1; DROP TABLE OTHER.keep//\nDELIMITER ;",
    "DELIMITER //\nCREATE PROCEDURE p() SELECT 1; DROP TABLE OTHER.keep//\nDELIMITER ;",
    "DELIMITER //\nCREATE PROCEDURE p() BEGIN SELECT 1; END; DROP TABLE OTHER.keep//\nDELIMITER ;",
    "DELIMITER //\nCREATE PROCEDURE p() BEGIN SELECT CASE WHEN 1 THEN begin ELSE 2 END; END; DROP TABLE OTHER.keep; SELECT 1 end//\nDELIMITER ;",
    "DELIMITER //\nCREATE PROCEDURE p(begin int) SELECT 1; DROP TABLE OTHER.keep; SELECT 1 end//\nDELIMITER ;",
    "CREATE PROCEDURE p() BEGIN --\u{1}'\n END; DROP TABLE OTHER.keep; -- ';",
];

const POSTGRES: &[&str] = &[
    "DO $$ BEGIN COPY (SELECT 1) TO PROGRAM 'touch MARK'; END $$;",
    "DO $$ BEGIN EXECUTE 'CREATE ' || 'ROLE WHO'; END $$;",
    "COPY (SELECT 1) TO PROGRAM 'touch MARK';",
    "COPY (SELECT 1) TO 'MARK';",
    "copy\n(select 1) to e'MARK' ;",
    "SELECT lo_export(4712, 'MARK');",
    "SELECT pg_catalog . \"lo_export\" (4712, 'MARK');",
    "WITH x AS (SELECT lo_export(4712, 'MARK')) SELECT * FROM x;",
    "TABLE t; VALUES (lo_export(4712, 'MARK'));",
    "EXPLAIN ANALYZE SELECT lo_export(4712, 'MARK');",
    "INSERT INTO t SELECT lo_export(4712, 'MARK');",
    "INSERT INTO t VALUES (lo_export(4712, 'MARK'));",
    "UPDATE pg_class SET relname = relname WHERE lo_export(4712, 'MARK') = 0;",
    "INSERT INTO t VALUES (1); DELETE FROM t WHERE lo_export(4712, 'MARK') = 1;",
    "CREATE TABLE u AS SELECT lo_export(4712, 'MARK');",
    "CREATE MATERIALIZED VIEW u AS SELECT lo_export(4712, 'MARK');",
    "CREATE TABLE u (a int DEFAULT lo_export(4712, 'MARK')); INSERT INTO u DEFAULT VALUES;",
    "CREATE TABLE u (a int CHECK (lo_export(4712, 'MARK') = 1)); INSERT INTO u VALUES (1);",
    "PREPARE s AS SELECT lo_export(4712, 'MARK'); EXECUTE s;",
    "CREATE PROCEDURE p() LANGUAGE plpgsql AS 'BEGIN COPY (SELECT 1) TO PROGRAM ''touch MARK''; END'; CALL p();",
    "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS 'BEGIN COPY (SELECT 1) TO PROGRAM ''touch MARK''; RETURN 1; END'; SELECT f();",
    "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS 'BEGIN COPY (SELECT 1) TO PROGRAM ''touch MARK''; RETURN 1; END'; \
     INSERT INTO t VALUES (f());",
    "CREATE ROLE WHO;",
    "CREATE USER WHO;",
    "CREATE GROUP WHO;",
    "/* a */ create -- b\n role WHO;",
    "CREATE TABLE u (b int, a int DEFAULT lo_export/* x */(4712, 'MARK')); INSERT INTO u VALUES (1);",
    "CREATE TABLE u (b int, a int DEFAULT U&\"lo\\005fexport\"(4712, 'MARK')); INSERT INTO u VALUES (1);",
    "CREATE TABLE u (b int, a int DEFAULT U&\"lo!005fexport\" UESCAPE '!' (4712, 'MARK')); INSERT INTO u VALUES (1);",
    "CREATE OPERATOR ### (LEFTARG = oid, RIGHTARG = text, FUNCTION = pg_catalog.lo_export); \
     CREATE TABLE u (b int, a int DEFAULT ('4712'::oid OPERATOR(public.###) 'MARK'::text)); INSERT INTO u VALUES (1);",
    "CREATE VIEW v AS SELECT lo_export(4712, 'MARK') AS x; CREATE VIEW w AS SELECT x FROM public.v; \
     CREATE MATERIALIZED VIEW m AS SELECT w.x FROM (public.w LEFT JOIN t ON true);",
    "CREATE VIEW v AS SELECT lo_export(4712, 'MARK') AS x; CREATE MATERIALIZED VIEW m AS SELECT v.x FROM v WITH NO DATA; \
     REFRESH MATERIALIZED VIEW m;",
    "CREATE VIEW v AS SELECT lo_export(4712, 'MARK') AS x; SELECT x FROM v;",
    "CREATE VIEW v AS SELECT lo_export(4712, 'MARK') AS x; INSERT INTO t VALUES ((TABLE v));",
    "CREATE VIEW v AS SELECT lo_export(4712, 'MARK') AS x; CREATE TABLE u AS SELECT x FROM v;",
    "CREATE VIEW v AS SELECT lo_export(4712, 'MARK') AS x; COPY (TABLE v) TO stdout;",
    "CREATE VIEW v AS SELECT lo_export(4712, 'MARK') AS x; \
     CREATE MATERIALIZED VIEW m AS SELECT pg_catalog.schema_to_xml('public', false, false, '') AS x;",
    "CREATE MATERIALIZED VIEW m AS SELECT ts_rewrite('a'::tsquery, \
     'select ''a''::tsquery, pg_catalog.lo_export(4712, ''MARK'')::text::tsquery') AS x;",
    "CREATE MATERIALIZED VIEW m AS SELECT word FROM ts_stat('select pg_catalog.lo_export(4712, ''MARK'')::text::tsvector') x;",
    "CREATE FUNCTION f(a int DEFAULT lo_export(4712, 'MARK')) RETURNS int LANGUAGE sql AS 'SELECT 1 + $1'; \
     CREATE MATERIALIZED VIEW m AS SELECT f() AS x;",
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
     CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW WHEN (lo_export(4712, 'MARK') > 0) EXECUTE FUNCTION f(); \
     INSERT INTO t VALUES (1);",
    "CREATE EXTENSION file_fdw; CREATE SERVER s FOREIGN DATA WRAPPER file_fdw; \
     CREATE FOREIGN TABLE ft (x text) SERVER s OPTIONS (program 'touch MARK'); \
     CREATE MATERIALIZED VIEW m AS SELECT x FROM ft;",
    "CREATE EXTENSION file_fdw; CREATE SERVER s FOREIGN DATA WRAPPER file_fdw; \
     CREATE FOREIGN TABLE ft (x text) SERVER s OPTIONS (filename '/etc/passwd'); \
     CREATE MATERIALIZED VIEW stolen AS SELECT x FROM ft;",
    "CREATE TABLE stolen (b int, x text DEFAULT ('/etc/passwd'::text).pg_read_file); INSERT INTO stolen VALUES (1);",
    "CREATE MATERIALIZED VIEW stolen AS SELECT (v.c).pg_read_file AS x FROM (VALUES ('/etc/passwd'::text)) v (c);",
    "CREATE AGGREGATE ag (text) (SFUNC = textcat, STYPE = text, INITCOND = '', FINALFUNC = pg_catalog.pg_read_file); \
     CREATE MATERIALIZED VIEW stolen AS SELECT ag(v.c) AS x FROM (VALUES ('/etc/passwd'::text)) v (c);",
    "CREATE CAST (text AS bytea) WITH FUNCTION pg_catalog.pg_read_binary_file(text); \
     CREATE TABLE stolen (b int, x bytea DEFAULT ('/etc/passwd'::text)::bytea); INSERT INTO stolen VALUES (1);",
    "ELSEWHERE COPY ft (x) FROM stdin;\nevil\n\\.\n",
    "ELSEWHERE INSERT INTO ft VALUES ('evil');",
    "ELSEWHERE CREATE TABLE p (x text) PARTITION BY LIST (x); ALTER TABLE ONLY p ATTACH PARTITION ft DEFAULT; \
     INSERT INTO p VALUES ('evil');",
    "ELSEWHERE CREATE VIEW v AS SELECT x FROM ft; INSERT INTO v VALUES ('evil');",
    "CREATE RULE r AS ON INSERT TO t DO ALSO SELECT lo_export(4712, 'MARK'); INSERT INTO t VALUES (1);",
    "CREATE RULE r AS ON INSERT TO t WHERE (lo_export(4712, 'MARK') = 1) DO INSTEAD NOTHING; INSERT INTO t VALUES (1);",
    "INSERT INTO t VALUES (1); CREATE RULE r AS ON DELETE TO t DO ALSO (SELECT lo_export(4712, 'MARK'); SELECT 1); DELETE FROM t;",
    "CREATE TABLE u (a int); CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO u VALUES (new.a); \
     CREATE RULE r AS ON INSERT TO u DO ALSO SELECT lo_export(4712, 'MARK'); INSERT INTO t VALUES (1);",
    "ELSEWHERE CREATE RULE r AS ON INSERT TO t DO ALSO INSERT INTO ft VALUES ('evil'); INSERT INTO t VALUES (1);",
    "COMMENT ON ROLE dbhaul IS 'evil';",
    "COMMENT ON TABLESPACE pg_default IS 'evil';",
    "CREATE FUNCTION begin() RETURNS int LANGUAGE sql AS 'SELECT 1'; COPY (SELECT 1) TO PROGRAM 'touch MARK'; END;",
    "CREATE FUNCTION begin() RETURNS int LANGUAGE sql AS 'SELECT 1'; COPY (SELECT 1) TO PROGRAM 'touch MARK';",
    "CREATE TABLE c (\"case\" int); CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT c.case FROM c; END; \
     COPY (SELECT 1) TO PROGRAM 'touch MARK'; END;",
    "CREATE TABLE c (function int, begin int); CREATE VIEW v AS SELECT function, begin atomic FROM c; \
     COPY (SELECT 1) TO PROGRAM 'touch MARK'; END;",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END; COPY (SELECT 1) TO PROGRAM 'touch MARK';",
    "TRUNCATE t;SET standard_conforming_strings = off;\nINSERT INTO t VALUES (length('\\'')); \
     COPY (SELECT 1) TO PROGRAM $$touch MARK$$; --');",
    "SELECT set_config('standard_' || 'conforming_strings', 'off', false);\nINSERT INTO t VALUES (length('\\'')); \
     COPY (SELECT 1) TO PROGRAM $$touch MARK$$; --');",
    "SELECT query_to_xml('SELECT lo_export(4712, ''MARK'')', true, true, '');",
];

/// psql 17 and 18 take the lines behind an empty statement that follows rows for more rows, up to the next end of rows.
const PSQL_18: &[&str] = &["COPY t FROM stdin;\n\\.\n;\nCREATE FUNCTION f() RETURNS int LANGUAGE sql AS $a$\n\\.\n\
     CREATE ROLE WHO;\nSELECT 1 AS $a$;"];

/// `FUNCTION` of the ways above.
const FUNCTION: &str = "DELIMITER //\nCREATE FUNCTION f() RETURNS int READS SQL DATA BEGIN DELETE FROM OTHER.keep; RETURN 1; END//\n\
                        DELIMITER ;\n";

/// Where the file would be. MySQL's server may see other folders than we do; its own it sees from there.
fn mark(server: &Server, trap: &Trap) -> PathBuf {
    if server.flavour().is_postgres() { trap.mark() } else { server.data().join("gate_mark") }
}

/// Files of tables in the trap's folder, where servers make folders of their own, which stay.
fn tables_outside(trap: &Trap) -> usize {
    let entries = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten();
    let all = entries(trap.path("")).flat_map(|entry| entries(entry.path()).chain([entry]));
    all.filter(|entry| entry.file_name().to_string_lossy().starts_with("moved")).count()
}

/// What the canaries look at, in one text.
fn state(server: &Server, trap: &Trap, other: &str, who: &str) -> String {
    let marked = mark(server, trap).exists();
    if server.flavour().is_postgres() {
        return format!(
            "{marked} {}",
            server.sql(&format!(
                "SELECT count(*) FROM pg_roles WHERE rolname = '{who}';
                 SELECT count(*) FROM pg_shdescription WHERE description = 'evil'; SELECT count(*) FROM {other}"
            ))
        );
    }
    let folder = tables_outside(trap);
    let tables = server.sql(&format!(
        "SELECT table_name, column_name, column_key FROM information_schema.columns WHERE table_schema = '{other}' ORDER BY 1, 2;
         SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = '{other}'"
    ));
    let rows = server.sql(&format!(
        "SELECT @@global.long_query_time; SELECT COUNT(*) FROM mysql.user WHERE user = '{who}';
         SELECT COUNT(*) FROM mysql.db WHERE db = '{other}';
         SELECT LENGTH(authentication_string) FROM mysql.user WHERE user = 'function_{who}'"
    ));
    let numbers = if tables.contains("sq\t") {
        server.sql(&format!("SELECT next_not_cached_value FROM {other}.sq"))
    } else {
        String::new()
    };
    let kept = if tables.contains("keep") {
        server.sql(&format!("SELECT COUNT(*), SUM(n) FROM {other}.keep"))
    } else {
        String::new()
    };
    format!("{marked} {folder} {tables} {rows} {kept} {numbers}")
}

/// As it was before a canary sang.
fn reset(server: &Server, trap: &Trap, other: &str, who: &str) {
    let _ = fs::remove_file(mark(server, trap));
    if server.flavour().is_postgres() {
        server.sql(&format!(
            "DROP ROLE IF EXISTS {who}; COMMENT ON ROLE dbhaul IS NULL; COMMENT ON TABLESPACE pg_default IS NULL;
             CREATE TABLE IF NOT EXISTS {other} (x text); TRUNCATE {other}"
        ));
        return;
    }
    server.sql(&format!(
        "DROP USER IF EXISTS {who}; DROP DATABASE IF EXISTS {other}; CREATE DATABASE {other};
         CREATE TABLE {other}.keep (n int); INSERT INTO {other}.keep VALUES (1), (2);
         DROP USER IF EXISTS function_{who}; CREATE USER function_{who}; REVOKE ALL, GRANT OPTION FROM function_{who};
         SET GLOBAL long_query_time = DEFAULT"
    ));
    if server.flavour() == Flavour::Mysql {
        server.sql("RESET PERSIST IF EXISTS long_query_time");
    } else {
        // To MySQL a role is a user.
        server.sql(&format!("DROP ROLE IF EXISTS {who}; CREATE SEQUENCE {other}.sq NOCACHE"));
    }
}

/// A foreign table that is a table of another database.
fn foreign(server: &Server, other: &str) -> String {
    format!(
        "CREATE EXTENSION postgres_fdw;
         CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '{}', dbname '{}');
         CREATE USER MAPPING FOR CURRENT_USER SERVER s OPTIONS (user '{}', password '{}');
         CREATE FOREIGN TABLE ft (x text) SERVER s OPTIONS (table_name '{other}');\n",
        server.port(),
        server.sql("SELECT current_database()"),
        server.user(),
        server.password()
    )
}

/// Whether a file of the server's machine stands in a table.
fn stole(database: &Database<'_>) -> bool {
    database.try_sql("SELECT x FROM stolen").is_ok_and(|rows| rows.contains("root:") || rows.contains("726f6f743a"))
}

/// By the client as a restore calls it: `--binary-mode` is half of what its lexer goes by.
fn run_bare(database: &Database<'_>, script: &str) -> Result<String, String> {
    let server = database.server();
    if server.flavour().is_postgres() {
        return database.try_sql(script);
    }
    let mut client = server.client(server.flavour().family().shell());
    client.args(["--binary-mode", "--comments", "--batch"]).arg(format!("--database={}", database.name()));
    Ok(String::from_utf8_lossy(&super::bounds::fed(client, script.as_bytes())).into_owned())
}

fn each_way_is_one_and_is_refused(server: &Server, ways: &[&[&str]]) {
    let trap = Trap::new();
    fs::set_permissions(trap.mark().parent().expect("a folder"), fs::Permissions::from_mode(0o777)).expect("open");
    let (other, who) = (format!("gate_other_{}", std::process::id()), format!("gate_who_{}", std::process::id()));
    let mut troubles = Vec::new();
    for way in ways.concat() {
        let way_with_mark = if server.flavour().is_postgres() {
            trap.set(way).replace("ELSEWHERE ", &foreign(server, &other))
        } else {
            way.replace("MARK", "./gate_mark")
                .replace("FUNCTION ", FUNCTION)
                .replace("FOLDER", &trap.mark().parent().expect("a folder").display().to_string())
        };
        let statements = way_with_mark.replace("OTHER", &other).replace("WHO", &who);
        let script = if server.flavour().is_postgres() {
            postgres::script(&format!("SELECT pg_catalog.lo_from_bytea(4712, 'x');\n{statements}\n"))
                .replace("CREATE TABLE t (a text);", "CREATE TABLE t (a int);")
        } else {
            mysql::script(server, &format!("{statements}\n"))
        };
        reset(server, &trap, &other, &who);
        let before = state(server, &trap, &other, &who);
        let bare = server.database("gate_bare");
        let ran = run_bare(&bare, &script);
        if state(server, &trap, &other, &who) == before && !stole(&bare) {
            troubles.push(format!("{way:?} is no way: {ran:?}"));
            continue;
        }
        bare.try_sql("DROP TABLE IF EXISTS moved").expect("drop");
        reset(server, &trap, &other, &who);
        let target = server.database("gate_target");
        let output = restore(&server.client_dir(), &trap.write(script), &target).run();
        // What is not even read as a dump is refused, too.
        if output.code == Some(8) && state(server, &trap, &other, &who) == before {
            continue;
        }
        if output.code != Some(10) || state(server, &trap, &other, &who) != before {
            troubles.push(format!("{way:?} got through: {:?} {}", output.code, output.stderr));
            continue;
        }
        super::refused(output, &target, way);
    }
    reset(server, &trap, &other, &who);
    assert!(troubles.is_empty(), "{}", troubles.join("\n"));
    if server.flavour().is_postgres() {
        server.sql(&format!("DROP TABLE {other}"));
    } else {
        server.sql(&format!("DROP DATABASE {other}; DROP USER function_{who}"));
    }
}

#[test]
fn each_way_out_of_the_database_is_refused_in_mysql() {
    each_way_is_one_and_is_refused(mysql_server(), &[BOTH, MYSQL]);
}

#[test]
fn each_way_out_of_the_database_is_refused_in_mariadb() {
    each_way_is_one_and_is_refused(mariadb(), &[BOTH, MARIADB, MARIADB_READS]);
}

#[test]
fn each_way_out_of_the_database_is_refused_in_postgresql() {
    each_way_is_one_and_is_refused(postgres15(), &[POSTGRES]);
}

#[test]
fn each_way_of_a_newer_psql_is_refused() {
    each_way_is_one_and_is_refused(postgres18(), &[PSQL_18]);
}

#[test]
fn trust_says_what_it_lets_through() {
    let server = mariadb();
    let (trap, target) = (Trap::new(), server.database("gate_trusted"));
    let script = mysql::script(server, "CREATE PROCEDURE p() INSERT INTO t VALUES ('called');\nCALL p();\n");
    let restore =
        restore(&server.client_dir(), &trap.write(script), &target).args(["--trust", "--json"]).run().expect_code(0);
    assert!(restore.stderr.contains("1 statement, let through by --trust: line 7: CALL p()"), "{}", restore.stderr);
    assert!(restore.json()["warnings"].to_string().contains("let through by --trust"));
    assert_eq!(target.sql("SELECT a FROM t"), "called");
}
