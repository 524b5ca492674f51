//! The classes of objects that a database holds beside its extensions: how each is listed, who may drop it, and how.
//! What a target holds, what `--clean schema` drops and what it must leave are all read from this one catalogue.
//!
//! What goes with its table has no class of its own: indexes, constraints, rules, policies, triggers, statistics.

use std::fmt::Write as _;

use crate::engine::postgres::probe::USER_SCHEMA;
use crate::engine::postgres::session::Session;
use crate::error::Result;

/// One class: a query for `noun`, `name`, `statement` (which drops the object), `may` (whether this user may run it) and
/// `outside` (of all schemas).
struct Class(String);

/// An object of the target's.
pub struct Object {
    /// `table public.users`.
    pub name: String,
    /// Whether this user may drop it.
    pub may_drop: bool,
    /// It is in no schema: what this user may not drop of these belongs to whoever keeps the server.
    pub outside: bool,
}

/// Everything that the database holds, tables first.
pub async fn list(session: &Session) -> Result<Vec<Object>> {
    let classes = classes().into_iter().enumerate();
    let all: Vec<String> =
        classes.map(|(rank, Class(query))| format!("SELECT {rank} AS rank, * FROM ({query}) c")).collect();
    let query = format!(
        "SELECT noun || ' ' || name, may, outside FROM ({}) AS everything \
         ORDER BY noun <> 'table', rank, 1",
        all.join(" UNION ALL ")
    );
    let rows = session.rows(&query).await?;
    let object = |row: Vec<Option<String>>| {
        let mut row = row.into_iter().map(Option::unwrap_or_default);
        let name = row.next().unwrap_or_default();
        let mut yes = || row.next().is_some_and(|value| value == "t");
        Object { name, may_drop: yes(), outside: yes() }
    };
    Ok(rows.into_iter().map(object).collect())
}

/// For psql: drops all that this user may drop, in the transaction that it stands in. Each class is asked for when its
/// turn comes, since an earlier drop may cascade over a later one. With `privileges`, default privileges go too.
pub fn drops(privileges: bool) -> String {
    let mut script = "SET LOCAL client_min_messages = warning;\n\
                      SELECT pg_catalog.set_config('search_path', '', true);\n"
        .to_owned();
    let privileges = privileges.then(default_privileges);
    for Class(query) in classes().into_iter().chain(privileges) {
        let _ = writeln!(script, "SELECT statement FROM ({query}) AS c WHERE may \\gexec");
    }
    script + "RESET search_path;\n"
}

/// A query for the schemas that `--clean schema` keeps: `public`, those that an extension owns or is installed in, and
/// those that hold something of one.
pub fn kept_schemas() -> String {
    let members = IN_SCHEMAS.iter().map(|(catalog, prefix, ..)| {
        format!(
            " UNION SELECT o.{prefix}namespace FROM pg_catalog.{catalog} o JOIN pg_catalog.pg_depend d ON d.objid = o.oid \
             AND d.classid = 'pg_catalog.{catalog}'::pg_catalog.regclass AND d.deptype = 'e'"
        )
    });
    format!(
        "SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname = 'public' OR n.oid IN \
         (SELECT extnamespace FROM pg_catalog.pg_extension UNION SELECT objid FROM pg_catalog.pg_depend \
          WHERE classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND deptype = 'e'{})",
        members.collect::<String>()
    )
}

/// Subscriptions of this database that have a slot: no transaction can drop them.
pub const SLOTS: &str = "SELECT s.subname FROM pg_catalog.pg_subscription s WHERE s.subslotname IS NOT NULL \
     AND s.subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) ORDER BY 1";

/// How many locks a transaction takes that drops everything: one for each object, and for each that goes with it.
pub const LOCKS: &str = "SELECT (SELECT count(*) FROM pg_catalog.pg_class WHERE oid >= 16384) \
     + (SELECT count(*) FROM pg_catalog.pg_type WHERE oid >= 16384) \
     + (SELECT count(*) FROM pg_catalog.pg_constraint WHERE oid >= 16384) \
     + (SELECT count(*) FROM pg_catalog.pg_attrdef WHERE oid >= 16384) \
     + (SELECT count(*) FROM pg_catalog.pg_rewrite WHERE oid >= 16384) \
     + (SELECT count(*) FROM pg_catalog.pg_trigger WHERE oid >= 16384) \
     + (SELECT count(*) FROM pg_catalog.pg_proc WHERE oid >= 16384) \
     + (SELECT count(*) FROM pg_catalog.pg_largeobject_metadata) \
     - (SELECT count(*) FROM pg_catalog.pg_depend WHERE deptype = 'e' AND objsubid = 0)";

/// How many locks the server has room for.
pub const LOCK_TABLE: &str = "SELECT current_setting('max_locks_per_transaction')::bigint \
     * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint)";

/// Catalogues of what stands in schemas, in an order in which drops succeed: what their columns' names begin with, an
/// expression for the noun, the word of `DROP`, and which rows.
const IN_SCHEMAS: [(&str, &str, &str, &str, &str); 16] = [
    ("pg_class", "rel", "'view'", "VIEW", "o.relkind = 'v'"),
    ("pg_class", "rel", "'materialized view'", "MATERIALIZED VIEW", "o.relkind = 'm'"),
    ("pg_class", "rel", "'foreign table'", "FOREIGN TABLE", "o.relkind = 'f'"),
    ("pg_class", "rel", "'table'", "TABLE", "o.relkind IN ('r', 'p')"),
    ("pg_class", "rel", "'sequence'", "SEQUENCE", "o.relkind = 'S'"),
    (
        "pg_proc",
        "pro",
        "CASE o.prokind WHEN 'a' THEN 'aggregate' WHEN 'p' THEN 'procedure' ELSE 'function' END",
        "ROUTINE",
        "true",
    ),
    ("pg_type", "typ", "CASE o.typtype WHEN 'd' THEN 'domain' ELSE 'type' END", "TYPE", "true"),
    ("pg_opfamily", "opf", "'operator family'", "OPERATOR FAMILY", "true"),
    ("pg_opclass", "opc", "'operator class'", "OPERATOR CLASS", "true"),
    ("pg_operator", "opr", "'operator'", "OPERATOR", "true"),
    ("pg_collation", "coll", "'collation'", "COLLATION", "true"),
    ("pg_conversion", "con", "'conversion'", "CONVERSION", "true"),
    ("pg_ts_config", "cfg", "'text search configuration'", "TEXT SEARCH CONFIGURATION", "true"),
    ("pg_ts_dict", "dict", "'text search dictionary'", "TEXT SEARCH DICTIONARY", "true"),
    ("pg_ts_template", "tmpl", "'text search template'", "TEXT SEARCH TEMPLATE", "true"),
    ("pg_ts_parser", "prs", "'text search parser'", "TEXT SEARCH PARSER", "true"),
];

/// Catalogues of what stands in no schema: what their columns' names begin with, and the noun.
const OUTSIDE: [(&str, &str, &str); 5] = [
    ("pg_event_trigger", "evt", "event trigger"),
    ("pg_publication", "pub", "publication"),
    ("pg_foreign_data_wrapper", "fdw", "foreign data wrapper"),
    ("pg_foreign_server", "srv", "server"),
    ("pg_language", "lan", "language"),
];

/// All classes, in an order in which their drops succeed: event triggers would run for the others.
fn classes() -> Vec<Class> {
    let outside = OUTSIDE.iter().map(|(catalog, prefix, noun)| outside(catalog, prefix, noun));
    let in_schemas =
        IN_SCHEMAS.iter().map(|(catalog, prefix, noun, word, rows)| in_schema(catalog, prefix, noun, word, rows));
    let others = [subscriptions(), casts(), transforms(), access_methods(), user_mappings(), large_objects()];
    outside.chain([schemas()]).chain(in_schemas).chain(others).collect()
}

/// Neither an extension's nor a part of another object: those go with it, or stay with it.
fn independent(catalog: &str, kinds: &str) -> String {
    format!(
        "NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.{catalog}'::pg_catalog.regclass \
         AND d.objid = o.oid AND d.deptype IN ({kinds}))"
    )
}

fn in_schema(catalog: &str, prefix: &str, noun: &str, word: &str, rows: &str) -> Class {
    // A partition is a part of its root, and counts all the same.
    let is_relation = catalog == "pg_class" && word != "SEQUENCE";
    let independent = independent(catalog, if is_relation { "'e'" } else { "'e', 'i', 'a'" });
    // Those have no owner of their own.
    let owner = match catalog {
        "pg_ts_template" | "pg_ts_parser" => "n.nspowner".to_owned(),
        _ => format!("o.{prefix}owner"),
    };
    Class(format!(
        "SELECT {noun} AS noun, n.nspname || '.' || o.{prefix}name AS name, 'DROP {word} IF EXISTS ' \
         || (pg_catalog.pg_identify_object('pg_catalog.{catalog}'::pg_catalog.regclass, o.oid, 0)).identity || ' CASCADE' \
         AS statement, pg_catalog.pg_has_role({owner}, 'USAGE') OR pg_catalog.pg_has_role(n.nspowner, 'USAGE') AS may, \
         false AS outside FROM pg_catalog.{catalog} o JOIN pg_catalog.pg_namespace n ON n.oid = o.{prefix}namespace \
         WHERE {USER_SCHEMA} AND {rows} AND {independent}"
    ))
}

fn outside(catalog: &str, prefix: &str, noun: &str) -> Class {
    Class(format!(
        "SELECT '{noun}' AS noun, o.{prefix}name::text AS name, pg_catalog.format('DROP {} IF EXISTS %I CASCADE', \
         o.{prefix}name) AS statement, pg_catalog.pg_has_role(o.{prefix}owner, 'USAGE') AS may, true AS outside \
         FROM pg_catalog.{catalog} o WHERE o.oid >= 16384 AND {}",
        noun.to_uppercase(),
        independent(catalog, "'e', 'i', 'a'")
    ))
}

/// Schemas go as a whole, with all that is in them.
fn schemas() -> Class {
    Class(format!(
        "SELECT 'schema' AS noun, n.nspname::text AS name, pg_catalog.format('DROP SCHEMA IF EXISTS %I CASCADE', n.nspname) \
         AS statement, pg_catalog.pg_has_role(n.nspowner, 'USAGE') AS may, false AS outside \
         FROM pg_catalog.pg_namespace n WHERE {USER_SCHEMA} AND n.nspname NOT IN ({})",
        kept_schemas()
    ))
}

/// Not everybody may read their numbers before version 14.
fn subscriptions() -> Class {
    Class(
        "SELECT 'subscription' AS noun, o.subname::text AS name, pg_catalog.format('DROP SUBSCRIPTION IF EXISTS %I', \
         o.subname) AS statement, pg_catalog.pg_has_role(o.subowner, 'USAGE') AS may, true AS outside \
         FROM pg_catalog.pg_subscription o WHERE o.subdbid = \
         (SELECT b.oid FROM pg_catalog.pg_database b WHERE b.datname = current_database())"
            .to_owned(),
    )
}

/// A cast is its types' owner's.
fn casts() -> Class {
    let owned = "SELECT pg_catalog.bool_or(pg_catalog.pg_has_role(t.typowner, 'USAGE')) FROM pg_catalog.pg_type t \
                 WHERE t.oid IN (o.castsource, o.casttarget)";
    identified("pg_cast", "cast", "i.identity", "'DROP CAST IF EXISTS ' || i.identity || ' CASCADE'", owned)
}

fn transforms() -> Class {
    let name = "pg_catalog.format('FOR %s LANGUAGE %I', pg_catalog.format_type(o.trftype, NULL), \
                (SELECT l.lanname FROM pg_catalog.pg_language l WHERE l.oid = o.trflang))";
    let owned = "SELECT pg_catalog.pg_has_role(t.typowner, 'USAGE') FROM pg_catalog.pg_type t WHERE t.oid = o.trftype";
    identified(
        "pg_transform",
        "transform",
        name,
        &format!("'DROP TRANSFORM IF EXISTS ' || {name} || ' CASCADE'"),
        owned,
    )
}

/// Superusers alone make and drop them.
fn access_methods() -> Class {
    let superuser = "SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user";
    let statement = "'DROP ACCESS METHOD IF EXISTS ' || i.identity || ' CASCADE'";
    identified("pg_am", "access method", "o.amname::text", statement, superuser)
}

fn identified(catalog: &str, noun: &str, name: &str, statement: &str, may: &str) -> Class {
    Class(format!(
        "SELECT '{noun}' AS noun, {name} AS name, {statement} AS statement, ({may}) AS may, true AS outside \
         FROM pg_catalog.{catalog} o, LATERAL pg_catalog.pg_identify_object('pg_catalog.{catalog}'::pg_catalog.regclass, \
         o.oid, 0) i WHERE o.oid >= 16384 AND {}",
        independent(catalog, "'e', 'i', 'a'")
    ))
}

/// Those of the servers that stay. A view shows them to everybody; their options, only to whom they concern.
fn user_mappings() -> Class {
    Class(
        "SELECT 'user mapping' AS noun, pg_catalog.format('%s SERVER %s', m.usename, m.srvname) AS name, \
         pg_catalog.format('DROP USER MAPPING IF EXISTS FOR %s SERVER %I', CASE m.umuser WHEN 0 THEN 'PUBLIC' \
         ELSE pg_catalog.quote_ident(m.usename) END, m.srvname) AS statement, \
         pg_catalog.pg_has_role(s.srvowner, 'USAGE') OR m.usename = current_user \
         AND pg_catalog.has_server_privilege(s.oid, 'USAGE') AS may, true AS outside \
         FROM pg_catalog.pg_user_mappings m JOIN pg_catalog.pg_foreign_server s ON s.oid = m.srvid"
            .to_owned(),
    )
}

fn large_objects() -> Class {
    Class(
        "SELECT 'large object' AS noun, o.oid::text AS name, 'SELECT pg_catalog.lo_unlink(' || o.oid || ')' AS statement, \
         pg_catalog.pg_has_role(o.lomowner, 'USAGE') AS may, false AS outside FROM pg_catalog.pg_largeobject_metadata o"
            .to_owned(),
    )
}

/// Back to what the server gives by itself. No target is full for having some, and they stay unless the archive's own take
/// their place.
fn default_privileges() -> Class {
    let grantees = "SELECT pg_catalog.string_agg(DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' \
                    ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(a.grantee)) END, ', ') \
                    FROM pg_catalog.aclexplode(o.defaclacl) a";
    Class(format!(
        "SELECT pg_catalog.format('ALTER DEFAULT PRIVILEGES FOR ROLE %1$s%2$s REVOKE ALL ON %3$s FROM PUBLIC, %1$s', r, s, k) \
         || coalesce(', ' || g, '') || CASE WHEN s <> '' THEN '' ELSE pg_catalog.format('; ALTER DEFAULT PRIVILEGES FOR ROLE \
         %1$s GRANT ALL ON %2$s TO %1$s', r, k) || CASE k WHEN 'FUNCTIONS' THEN pg_catalog.format('; ALTER DEFAULT PRIVILEGES \
         FOR ROLE %s GRANT EXECUTE ON FUNCTIONS TO PUBLIC', r) WHEN 'TYPES' THEN pg_catalog.format('; ALTER DEFAULT \
         PRIVILEGES FOR ROLE %s GRANT USAGE ON TYPES TO PUBLIC', r) ELSE '' END END AS statement, may FROM (\
         SELECT pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(o.defaclrole)) AS r, \
         coalesce(' IN SCHEMA ' || pg_catalog.quote_ident(n.nspname), '') AS s, CASE o.defaclobjtype WHEN 'r' THEN 'TABLES' \
         WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' \
         WHEN 'L' THEN 'LARGE OBJECTS' END AS k, ({grantees}) AS g, pg_catalog.pg_has_role(o.defaclrole, 'USAGE') AS may \
         FROM pg_catalog.pg_default_acl o LEFT JOIN pg_catalog.pg_namespace n ON n.oid = o.defaclnamespace) AS d"
    ))
}
