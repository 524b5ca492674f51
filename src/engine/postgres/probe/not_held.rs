//! What a database holds and `pg_dump` leaves out without a word: what belongs to the server or to an extension, and was
//! changed or added by users; indexes that are not valid; rows of materialized views that stand on one without rows.

use super::{NOT_OF_AN_EXTENSION, USER_SCHEMA};
use crate::engine::postgres::session::Session;
use crate::engine::{Finding, Severity, Subject};
use crate::error::Result;
use crate::hint::Hint;

/// Objects with numbers from this one on are not the server's own.
const FIRST_OF_USERS: u32 = 16384;

/// Kinds of such things.
struct Gap {
    /// Why it is not in a dump; its name stands before it.
    why: &'static str,
    hint: Hint,
}

static GAPS: [Gap; 5] = [
    Gap {
        why: "maps words otherwise than it was made to, and is not in the dump: it is the server's or an extension's",
        hint: Hint::new(
            "configuration-of-ones-own",
            "CREATE TEXT SEARCH CONFIGURATION public.NAME (COPY = ...), and alter that one",
        ),
    },
    Gap {
        why: "is an extension's, which does not say that its rows are dumped: they are not in the dump",
        hint: Hint::new(
            "table-of-ones-own",
            "ALTER EXTENSION ... DROP TABLE makes it the database's own; an extension of yours says \
               pg_extension_config_dump",
        ),
    },
    Gap {
        why: "is not valid, and not in the dump: making it once failed or has not ended",
        hint: Hint::new("reindex-or-drop", "REINDEX INDEX, or drop it"),
    },
    Gap {
        why: "stands among the server's own, which are never dumped",
        hint: Hint::new("set-schema", "ALTER ... SET SCHEMA moves it into a schema of the database's own"),
    },
    Gap {
        why: "has rows, and comes without them: one that it reads has none, and a restore can't refresh it",
        hint: Hint::new("refresh-what-it-reads", "REFRESH MATERIALIZED VIEW what it reads, and dump again"),
    },
];

/// Warns of each at a dump.
pub async fn find(session: &Session) -> Result<Vec<Finding>> {
    let mut found = Vec::new();
    for row in session.rows(&query()).await? {
        let [Some(kind), Some(what)] = row.as_slice() else { continue };
        let Some(Gap { why, hint }) = kind.parse::<usize>().ok().and_then(|kind| GAPS.get(kind)) else { continue };
        found
            .push(Finding::new(Severity::Warning, format!("{what} {why}"), Some(hint.clone())).about(Subject::NotHeld));
    }
    Ok(found)
}

/// The number of its kind, and what it is.
fn query() -> String {
    let relation = "CASE c.relkind WHEN 'i' THEN 'index ' WHEN 'I' THEN 'index ' WHEN 'm' THEN 'materialized view ' \
                    ELSE 'table ' END || n.nspname || '.' || c.relname";
    let relations = "pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace";
    let servers_own = "(n.nspname = 'pg_catalog' OR n.nspname = 'information_schema')";
    format!(
        "BEGIN; SET LOCAL jit = off; WITH RECURSIVE {EMPTY_VIEWS} \
         SELECT DISTINCT 0, 'text search configuration ' || n.nspname || '.' || c.cfgname FROM pg_catalog.pg_ts_config c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.cfgnamespace WHERE {ALTERED_CONFIGURATION} \
         UNION ALL SELECT 1, {relation} FROM {relations} JOIN pg_catalog.pg_depend e \
         ON e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid AND e.deptype = 'e' \
         JOIN pg_catalog.pg_extension x ON x.oid = e.refobjid WHERE c.relkind = 'r' AND c.relpersistence <> 't' \
         AND NOT c.oid = ANY (COALESCE(x.extconfig, '{{}}')) AND pg_catalog.pg_relation_size(c.oid) > 0 \
         UNION ALL SELECT 2, {relation} FROM {relations} JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid \
         JOIN pg_catalog.pg_class t ON t.oid = i.indrelid \
         WHERE {USER_SCHEMA} AND NOT i.indisvalid AND t.relkind <> 'p' AND t.relpersistence <> 't' AND NOT EXISTS \
         (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass \
          AND d.objid = t.oid AND d.deptype = 'e') \
         UNION ALL SELECT 3, pg_catalog.pg_describe_object(o.class, o.id, 0) FROM ( \
         SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, oid, pronamespace FROM pg_catalog.pg_proc \
         UNION ALL SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass, oid, oprnamespace FROM pg_catalog.pg_operator \
         UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, oid, relnamespace FROM pg_catalog.pg_class \
           WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') \
         UNION ALL SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, oid, typnamespace FROM pg_catalog.pg_type \
           WHERE typtype IN ('d', 'e', 'r') \
         ) AS o(class, id, space) JOIN pg_catalog.pg_namespace n ON n.oid = o.space \
         WHERE {servers_own} AND o.id >= {FIRST_OF_USERS} AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d \
           WHERE d.classid = o.class AND d.objid = o.id AND d.deptype = 'e') \
         UNION ALL SELECT 4, {relation} FROM {relations} WHERE c.relkind = 'm' AND c.relispopulated AND {USER_SCHEMA} \
         AND {NOT_OF_AN_EXTENSION} AND c.oid IN (SELECT oid FROM empty_views) ORDER BY 1, 2; COMMIT"
    )
}

/// Materialized views without rows, and what reads them, through other views, too.
const EMPTY_VIEWS: &str = "empty_views(oid) AS (SELECT c.oid FROM pg_catalog.pg_class c \
     WHERE c.relkind = 'm' AND NOT c.relispopulated \
     UNION SELECT w.ev_class FROM empty_views e JOIN pg_catalog.pg_depend d \
     ON d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = e.oid \
     AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass \
     JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid AND w.rulename = '_RETURN' WHERE w.ev_class <> e.oid)";

/// The server makes each configuration in one way: its own stemmer for words, `simple` for the rest, 19 kinds of tokens.
/// One of an extension's may name its own dictionaries, and the server's.
const ALTERED_CONFIGURATION: &str = "CASE WHEN c.oid < 16384 THEN 19 <> (SELECT count(*) FROM pg_catalog.pg_ts_config_map m \
       WHERE m.mapcfg = c.oid) OR EXISTS (SELECT 1 FROM pg_catalog.pg_ts_config_map m \
       JOIN pg_catalog.pg_ts_dict d ON d.oid = m.mapdict WHERE m.mapcfg = c.oid AND (d.oid >= 16384 \
         OR d.dictname <> CASE WHEN m.maptokentype IN (1, 2, 10, 11, 16, 17) AND c.cfgname <> 'simple' \
           THEN c.cfgname || '_stem' ELSE 'simple' END \
         AND NOT (m.maptokentype IN (1, 11, 16) AND d.dictname = 'english_stem' AND c.cfgname IN ('russian', 'hindi')))) \
     ELSE EXISTS (SELECT 1 FROM pg_catalog.pg_depend e JOIN pg_catalog.pg_ts_config_map m ON m.mapcfg = c.oid \
       WHERE e.classid = 'pg_catalog.pg_ts_config'::pg_catalog.regclass AND e.objid = c.oid AND e.deptype = 'e' \
       AND m.mapdict >= 16384 AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend o \
         WHERE o.classid = 'pg_catalog.pg_ts_dict'::pg_catalog.regclass AND o.objid = m.mapdict AND o.deptype = 'e' \
         AND o.refobjid = e.refobjid)) END";
