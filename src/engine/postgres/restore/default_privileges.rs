//! `ALTER DEFAULT PRIVILEGES` of the target: what is restored there gets them, whatever the source granted.

use super::target::lines;
use crate::engine::{Clean, Content, RestoreOptions, Server};

/// The setting that names them, a line for each: the kind of object, the schema or nothing, and the words of `ALTER DEFAULT
/// PRIVILEGES`; tabs between.
pub const GIVEN: &str = "privileges.default";

/// Those of the role that restores, as far as they are not what the server gives by itself.
pub const QUERY: &str = "WITH given AS (SELECT d.defaclobjtype AS kind, n.nspname AS space, d.defaclacl AS acl, \
       CASE WHEN n.oid IS NULL THEN pg_catalog.acldefault(CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype END, \
         d.defaclrole) END AS usual \
       FROM pg_catalog.pg_default_acl d JOIN pg_catalog.pg_roles r ON r.oid = d.defaclrole AND r.rolname = current_user \
       LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace), \
     changed AS (SELECT g.kind, g.space, 'GRANT' AS what, a.privilege_type, a.grantee FROM given g, pg_catalog.aclexplode(g.acl) a \
       WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.aclexplode(g.usual) u \
         WHERE u.grantee = a.grantee AND u.privilege_type = a.privilege_type) \
       UNION ALL SELECT g.kind, g.space, 'REVOKE', u.privilege_type, u.grantee FROM given g, pg_catalog.aclexplode(g.usual) u \
       WHERE NOT EXISTS (SELECT 1 FROM pg_catalog.aclexplode(g.acl) a \
         WHERE u.grantee = a.grantee AND u.privilege_type = a.privilege_type)) \
     SELECT pg_catalog.concat_ws(E'\\t', c.kind, COALESCE(c.space, ''), \
       COALESCE('IN SCHEMA ' || pg_catalog.quote_ident(c.space) || ' ', '') || c.what || ' ' \
       || pg_catalog.string_agg(c.privilege_type, ', ' ORDER BY c.privilege_type) || ' ON ' \
       || CASE c.kind WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' \
         WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END || CASE c.what WHEN 'GRANT' THEN ' TO ' ELSE ' FROM ' END \
       || CASE c.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.grantee)) END) \
     FROM changed c GROUP BY c.kind, c.space, c.what, c.grantee ORDER BY 1";

/// Which entries of an archive each kind of default privileges is for.
const KINDS: [(&str, &[&str]); 5] = [
    ("r", &["TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE"]),
    ("S", &["SEQUENCE"]),
    ("f", &["FUNCTION", "AGGREGATE", "PROCEDURE"]),
    ("T", &["TYPE", "DOMAIN"]),
    ("n", &["SCHEMA"]),
];

/// Names those that what is restored gets. A database that is made has none, and `--clean schema` with `--keep-privileges`
/// takes the dump's in their place.
pub fn warning(server: &Server, content: &Content, options: &RestoreOptions) -> Option<String> {
    let is_new = !server.target.exists || options.clean == Some(Clean::Database);
    let are_dropped = options.clean == Some(Clean::Schema) && options.keep_privileges && server.target.object_count > 0;
    if is_new || are_dropped || options.data_only {
        return None;
    }
    let makes = |kind: &str, schema: &str| {
        let kinds = KINDS.iter().find(|(of, _)| *of == kind).map_or(&[][..], |(_, kinds)| *kinds);
        let mut made = content.entries.iter().filter(|entry| kinds.contains(&entry.kind.as_str()));
        made.any(|entry| schema.is_empty() || entry.schema.as_deref() == Some(schema))
    };
    let given = lines(server, GIVEN).into_iter().filter_map(|line| {
        let [kind, schema, words] = line.splitn(3, '\t').collect::<Vec<_>>()[..] else { return None };
        makes(kind, schema).then_some(words)
    });
    let given: Vec<&str> = given.collect();
    let what = "the target's default privileges change what is restored";
    (!given.is_empty()).then(|| format!("{what}: ALTER DEFAULT PRIVILEGES {}", given.join("; ")))
}
