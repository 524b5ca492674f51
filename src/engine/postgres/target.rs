//! What a restore's target holds and can take.

use super::probe::{NOT_OF_AN_EXTENSION, USER_SCHEMA};
use super::session::Session;
use crate::engine::{Left, Server, Target};
use crate::error::Result;

/// As many objects are named.
const NAMED: usize = 40;

/// Fills the server's `target`, and the settings that planning reads: `extensions.installed`, `schemas` (a name per
/// line), `settings.known`, `schemas.kept` (those that hold extensions, which `--clean schema` keeps), `schema.public.owned`.
pub async fn read(session: &Session, server: &mut Server) -> Result<()> {
    let objects = session.column(&objects()).await?;
    server.target = Target {
        exists: true,
        object_count: objects.len() as u64,
        objects: objects.into_iter().take(NAMED).collect(),
        extensions: session.column(&creatable(server)).await?,
        collations: session.column(COLLATIONS).await?,
        lacks: lacks(session, server).await?,
        left: Left::default(),
    };
    let lists = [
        ("extensions.installed", "SELECT extname FROM pg_catalog.pg_extension ORDER BY 1"),
        ("extensions.available", "SELECT name FROM pg_catalog.pg_available_extensions ORDER BY 1"),
        ("settings.known", "SELECT name FROM pg_catalog.pg_settings ORDER BY 1"),
        ("schemas", "SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1"),
        ("schemas.kept", KEPT),
        (
            "schema.public.owned",
            "SELECT pg_catalog.pg_has_role(nspowner, 'USAGE') FROM pg_catalog.pg_namespace WHERE nspname = 'public'",
        ),
    ];
    for (name, query) in lists {
        server.settings.insert(name.to_owned(), session.column(query).await?.join("\n"));
    }
    Ok(())
}

/// Collations of `pg_catalog` that work with this database's encoding.
const COLLATIONS: &str = "SELECT collname FROM pg_catalog.pg_collation \
     WHERE collnamespace = 'pg_catalog'::pg_catalog.regnamespace AND collencoding IN (-1, \
     (SELECT encoding FROM pg_catalog.pg_database WHERE datname = current_database())) ORDER BY 1";

/// Schemas that an extension owns, is installed in, or has something in.
const KEPT: &str = "SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname = 'public' OR n.oid IN \
     (SELECT extnamespace FROM pg_catalog.pg_extension \
      UNION SELECT objid FROM pg_catalog.pg_depend WHERE classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND deptype = 'e' \
      UNION SELECT c.relnamespace FROM pg_catalog.pg_class c JOIN pg_catalog.pg_depend d ON d.objid = c.oid \
      AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'e' \
      UNION SELECT p.pronamespace FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_depend d ON d.objid = p.oid \
      AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.deptype = 'e' \
      UNION SELECT t.typnamespace FROM pg_catalog.pg_type t JOIN pg_catalog.pg_depend d ON d.objid = t.oid \
      AND d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.deptype = 'e')";

/// Everything of the user's, tables first: `table public.users`.
fn objects() -> String {
    let free = |catalog: &str, alias: &str| {
        format!(
            "NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.{catalog}'::pg_catalog.regclass \
             AND d.objid = {alias}.oid AND d.deptype IN ('e', 'i', 'a'))"
        )
    };
    let (function, kind, schema) = (free("pg_proc", "p"), free("pg_type", "t"), free("pg_namespace", "n"));
    format!(
        "SELECT what FROM (\
         SELECT CASE WHEN c.relkind IN ('r', 'p') THEN 1 ELSE 2 END AS rank, CASE c.relkind WHEN 'v' THEN 'view ' \
         WHEN 'm' THEN 'materialized view ' WHEN 'S' THEN 'sequence ' WHEN 'f' THEN 'foreign table ' ELSE 'table ' END \
         || n.nspname || '.' || c.relname AS what \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND {USER_SCHEMA} AND {NOT_OF_AN_EXTENSION} \
         AND NOT (c.relkind = 'S' AND EXISTS (SELECT 1 FROM pg_catalog.pg_depend o WHERE o.objid = c.oid \
         AND o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.deptype IN ('a', 'i'))) \
         UNION ALL SELECT 3, 'function ' || n.nspname || '.' || p.proname FROM pg_catalog.pg_proc p \
         JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE {USER_SCHEMA} AND {function} \
         UNION ALL SELECT 4, 'type ' || n.nspname || '.' || t.typname FROM pg_catalog.pg_type t \
         JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_catalog.pg_class k ON k.oid = t.typrelid \
         WHERE (t.typtype IN ('b', 'd', 'e', 'r') AND t.typelem = 0 OR t.typtype = 'c' AND k.relkind = 'c') \
         AND {USER_SCHEMA} AND {kind} \
         UNION ALL SELECT 5, 'schema ' || n.nspname FROM pg_catalog.pg_namespace n \
         WHERE {USER_SCHEMA} AND {schema} AND n.nspname NOT IN ({KEPT}) \
         UNION ALL SELECT 6, 'large object ' || l.oid FROM pg_catalog.pg_largeobject_metadata l\
         ) AS everything ORDER BY rank, what"
    )
}

/// Extensions that this user may create.
fn creatable(server: &Server) -> String {
    let trusted = if server.version.major >= 13 {
        "v.trusted AND has_database_privilege(current_database(), 'CREATE')"
    } else {
        "false"
    };
    format!(
        "SELECT DISTINCT v.name FROM pg_catalog.pg_available_extension_versions v WHERE NOT v.superuser OR {trusted} \
         OR (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) ORDER BY 1"
    )
}

async fn lacks(session: &Session, server: &Server) -> Result<Vec<String>> {
    let mut lacks = Vec::new();
    let rights = "SELECT has_database_privilege(current_database(), 'CREATE'), \
         (SELECT has_schema_privilege(oid, 'CREATE') FROM pg_catalog.pg_namespace WHERE nspname = 'public')";
    let row = session.rows(rights).await?.into_iter().next().unwrap_or_default();
    let denied = |at: usize| row.get(at).is_some_and(|v| v.as_deref() == Some("f"));
    if denied(0) {
        lacks.push(format!("{} may not create schemas in database \"{}\"", server.user, server.database));
    }
    if denied(1) {
        lacks.push(format!("{} may not create objects in schema \"public\"", server.user));
    }
    Ok(lacks)
}

/// A setting that is a list.
pub fn lines<'s>(server: &'s Server, setting: &str) -> Vec<&'s str> {
    server.settings.get(setting).map(|text| text.lines().collect()).unwrap_or_default()
}
