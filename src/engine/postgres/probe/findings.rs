//! What a dump will lack or stumble over, asked before it starts, thing by thing.
//!
//! `pg_dump` locks every table that it dumps and reads every sequence and large object: one that the user may not read
//! ends it. With `--allow-incomplete` these are left out by [`LeftOut`]'s flags; without, [`Severity::Missing`] refuses.

use super::{NOT_OF_AN_EXTENSION, USER_SCHEMA, hidden_operators, not_held, on_extensions};
use crate::engine::postgres::session::{Row, Session, identifier};
use crate::engine::{Finding, Server, Severity, Subject, Version};
use crate::error::Result;
use crate::hint::Hint;

/// Joins lists in [`Server::settings`]: names may hold anything else.
const JOIN: &str = "\0";
/// Patterns for `--exclude-table`.
const TABLES: &str = "unreadable.tables";
/// Patterns for `--exclude-table-data`.
const ROWS: &str = "unreadable.rows";
/// Descriptions of what `pg_dump` can't leave out, and can't be restored without the tables.
const DEPENDENTS: &str = "unreadable.dependents";
/// Large objects that may not be read: how many.
const LARGE_OBJECTS: &str = "unreadable.large_objects";
/// Tables whose policies hide rows: how many.
const ROW_SECURITY: &str = "unreadable.row_security";

/// Fills the server's findings, and the settings that [`LeftOut`] reads.
pub async fn find(session: &Session, server: &mut Server) -> Result<()> {
    let mut found = tables(session, server).await?;
    found.extend(sequences_and_configuration(session, server).await?);
    found.extend(row_security(session, server).await?);
    found.extend(large_objects(session, server).await?);
    found.extend(unseen(session).await?);
    found.extend(foreign(session).await?);
    found.extend(on_extensions::find(session).await?);
    found.extend(not_held::find(session).await?);
    found.extend(hidden_operators::find(session, server.version.major).await?);
    if server.replica {
        found.extend(on_a_standby(session).await?);
    }
    server.findings.extend(found);
    Ok(())
}

fn missing(what: String, hint: Hint) -> Finding {
    Finding::new(Severity::Missing, what, Some(hint))
}

/// Tables without SELECT, and what can't be restored without them: views, heirs and partitions, owned sequences.
async fn tables(session: &Session, server: &mut Server) -> Result<Vec<Finding>> {
    const HINT: Hint = Hint::new(
        "grant-select-and-usage",
        "grant SELECT on the tables and USAGE on their schemas (on PostgreSQL 14 and newer: GRANT \
         pg_read_all_data TO the user), or leave them out with --exclude-table",
    );
    let gone = format!(
        "WITH RECURSIVE gone(oid, root) AS (SELECT c.oid, true FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {USER_SCHEMA} AND {NOT_OF_AN_EXTENSION} \
         AND c.relpersistence <> 't' AND c.relkind IN ('r', 'p') \
         AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')) \
         UNION SELECT d.oid, false FROM gone g, LATERAL ({STANDS_ON}) d)"
    );
    // The planner takes a recursion for a long one, and compiles it: 50 ms for a query of one.
    let compiled = server.version.major >= 11;
    let uncompiled =
        |query: String| if compiled { format!("BEGIN; SET LOCAL jit = off; {query}; COMMIT") } else { query };
    let rows = session
        .rows(&uncompiled(format!(
            "{gone} SELECT {KIND} || ' ' || n.nspname || '.' || c.relname, n.nspname, c.relname, bool_or(g.root) FROM gone g \
             JOIN pg_catalog.pg_class c USING (oid) JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             GROUP BY c.oid, 1, 2, 3 ORDER BY NOT bool_or(g.root), 1"
        )))
        .await?;
    let mut patterns = Vec::new();
    let mut findings = Vec::new();
    for row in rows {
        let [Some(what), Some(schema), Some(name), Some(root)] = row.as_slice() else { continue };
        let pattern = pattern(schema, name);
        let why = if root == "t" { "may not be read" } else { "stands on a table that may not be read" };
        let subject = if root == "t" { Subject::Relation } else { Subject::View };
        findings.push(missing(format!("{what} {why}"), HINT).about(subject(pattern.clone())));
        patterns.push(pattern);
    }
    if !patterns.is_empty() {
        let dependents = session.column(&uncompiled(format!("{gone} {KEPT_DEPENDENTS}"))).await?;
        server.settings.insert(DEPENDENTS.into(), dependents.join(JOIN));
        server.settings.insert(TABLES.into(), patterns.join(JOIN));
    }
    Ok(findings)
}

/// What kind of relation `c` is.
const KIND: &str = "CASE c.relkind WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' \
                    WHEN 'f' THEN 'foreign table' ELSE 'table' END";

/// Relations that can't be without relation `g`, and that `--exclude-table` can leave out.
const STANDS_ON: &str = "SELECT v.oid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid \
     JOIN pg_catalog.pg_class v ON v.oid = r.ev_class WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass \
     AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = g.oid AND v.relkind IN ('v', 'm') \
     UNION ALL SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = g.oid \
     UNION ALL SELECT s.oid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class s ON s.oid = d.objid \
     WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i') AND s.relkind = 'S' \
     AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = g.oid";

/// What stays in the dump although it needs a relation of `gone`, or its row type: foreign keys, functions, policies,
/// rules, triggers, defaults and columns of other tables.
const KEPT_DEPENDENTS: &str = "SELECT DISTINCT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) \
     FROM (SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::oid AS class, oid FROM gone \
       UNION ALL SELECT 'pg_catalog.pg_type'::pg_catalog.regclass::oid, t.oid FROM pg_catalog.pg_type t \
         JOIN pg_catalog.pg_class c ON t.oid = c.reltype OR t.typelem = c.reltype AND c.reltype <> 0 \
         WHERE c.oid IN (SELECT oid FROM gone)) needed \
     JOIN pg_catalog.pg_depend d ON d.refclassid = needed.class AND d.refobjid = needed.oid AND d.deptype IN ('n', 'a') \
     LEFT JOIN pg_catalog.pg_constraint o ON d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND o.oid = d.objid \
     LEFT JOIN pg_catalog.pg_policy p ON d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND p.oid = d.objid \
     LEFT JOIN pg_catalog.pg_rewrite w ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND w.oid = d.objid \
     LEFT JOIN pg_catalog.pg_trigger t ON d.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND t.oid = d.objid \
       AND NOT t.tgisinternal \
     LEFT JOIN pg_catalog.pg_attrdef a ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND a.oid = d.objid \
     LEFT JOIN pg_catalog.pg_class c ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = d.objid \
       AND c.relkind IN ('r', 'p', 'f', 'c') \
     WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass \
       OR coalesce(nullif(o.conrelid, 0), p.polrelid, w.ev_class, t.tgrelid, a.adrelid, c.oid) NOT IN (SELECT oid FROM gone) \
     ORDER BY 1";

/// The definitions of these come without rights; only what they hold needs one.
async fn sequences_and_configuration(session: &Session, server: &mut Server) -> Result<Vec<Finding>> {
    let query = format!(
        "SELECT CASE c.relkind WHEN 'S' THEN 'sequence ' ELSE 'configuration table ' END || n.nspname || '.' || c.relname, \
         n.nspname, c.relname, c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relpersistence <> 't' AND CASE WHEN c.relkind = 'S' THEN {USER_SCHEMA} AND {NOT_OF_AN_EXTENSION} \
           AND NOT (has_sequence_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')) \
         ELSE c.oid IN (SELECT unnest(e.extconfig) FROM pg_catalog.pg_extension e) \
           AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')) END ORDER BY 4, 1"
    );
    let (mut patterns, mut findings) = (Vec::new(), Vec::new());
    for row in session.rows(&query).await? {
        let [Some(what), Some(schema), Some(name), Some(kind)] = row.as_slice() else { continue };
        let pattern = pattern(schema, name);
        // A sequence goes with the table that owns it.
        if LeftOut(server).list(TABLES).any(|table| table == pattern) {
            continue;
        }
        let subject = if kind == "S" { Subject::Rows(pattern.clone()) } else { Subject::Configuration };
        patterns.push(pattern);
        let finding = if kind == "S" {
            let hint = Hint::new(
                "grant-select-on-sequences",
                "grant SELECT on the sequences, or leave them out with --exclude-table",
            );
            missing(format!("{what}: its value may not be read"), hint)
        } else {
            let hint = Hint::new(
                "extensions-owner-grants",
                "have the extension's owner grant SELECT, or leave the rows out with --exclude-table-data",
            );
            missing(format!("{what} of an extension: its rows may not be read"), hint)
        };
        findings.push(finding.about(subject));
    }
    server.settings.insert(ROWS.into(), patterns.join(JOIN));
    Ok(findings)
}

/// For large objects that the user may not read.
pub const OWNER_OF_LARGE_OBJECTS: Hint =
    Hint::new("owner-of-large-objects-or-superuser", "dump as their owner or as a superuser");

/// For rows that policies hide.
pub const BYPASSRLS: Hint = Hint::new("owner-or-bypassrls", "dump as the tables' owner or as a user with BYPASSRLS");

async fn row_security(session: &Session, server: &mut Server) -> Result<Vec<Finding>> {
    let policies = "c.relkind IN ('r', 'p') AND c.relrowsecurity AND pg_catalog.row_security_active(c.oid)";
    let tables = session.rows(&named_relations(policies)).await?;
    server.settings.insert(ROW_SECURITY.into(), tables.len().to_string());
    let finding = |row: Row| {
        let (table, pattern) = named(&row)?;
        let what = format!("{table}: its row-level security hides rows, and may show none");
        Some(missing(what, BYPASSRLS).about(Subject::Rows(pattern)))
    };
    Ok(tables.into_iter().filter_map(finding).collect())
}

/// `pg_dump` takes all large objects or none.
async fn large_objects(session: &Session, server: &mut Server) -> Result<Vec<Finding>> {
    let others = session.column(LARGE_OBJECTS_OF_OTHERS).await?;
    server.settings.insert(LARGE_OBJECTS.into(), others.len().to_string());
    let Some(unreadable) = sentence(&others, "may not be read") else { return Ok(Vec::new()) };
    let all = session.column("SELECT count(*) FROM pg_catalog.pg_largeobject_metadata").await?.join("");
    let finding = missing(
        format!("{unreadable}; pg_dump takes all large objects or none, and there are {all}"),
        OWNER_OF_LARGE_OBJECTS,
    );
    Ok(vec![finding.about(Subject::LargeObjects)])
}

const LARGE_OBJECTS_OF_OTHERS: &str = "SELECT 'large object ' || l.oid FROM pg_catalog.pg_largeobject_metadata l \
     WHERE NOT pg_catalog.pg_has_role(l.lomowner, 'USAGE') AND NOT EXISTS \
     (SELECT 1 FROM pg_catalog.aclexplode(l.lomacl) a WHERE a.privilege_type = 'SELECT' \
      AND (a.grantee = 0 OR pg_catalog.pg_has_role(a.grantee, 'USAGE'))) ORDER BY l.oid";

/// What `pg_dump` leaves out without a word, or with one that nobody reads.
async fn unseen(session: &Session) -> Result<Vec<Finding>> {
    const SUPERUSER: &str = "(SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)";
    let subscriptions = session
        .column(&format!(
            "SELECT 'subscription ' || s.subname FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d \
             ON d.oid = s.subdbid WHERE d.datname = current_database() AND NOT {SUPERUSER} ORDER BY 1"
        ))
        .await?;
    let mappings = session
        .column(&format!(
            "SELECT format('user mapping for %s on server %s', m.usename, m.srvname) FROM pg_catalog.pg_user_mappings m \
             JOIN pg_catalog.pg_foreign_server s ON s.oid = m.srvid WHERE NOT {SUPERUSER} AND NOT CASE m.umuser WHEN 0 \
             THEN pg_catalog.pg_has_role(s.srvowner, 'USAGE') ELSE m.usename = current_user \
             AND (pg_catalog.pg_has_role(s.srvowner, 'USAGE') OR has_server_privilege(s.oid, 'USAGE')) END ORDER BY 1"
        ))
        .await?;
    let subscriptions = subscriptions.into_iter().map(|what| {
        missing(format!("{what} is only dumped for a superuser"), Hint::new("dump-as-superuser", "dump as a superuser"))
    });
    let mappings = mappings.into_iter().map(|what| {
        missing(
            format!("{what}: its options may not be read, and are left out"),
            Hint::new("owner-of-server-or-superuser", "dump as the server's owner or as a superuser"),
        )
    });
    Ok(subscriptions.chain(mappings).map(|finding| finding.about(Subject::OutsideOfSchemas)).collect())
}

async fn foreign(session: &Session) -> Result<Option<Finding>> {
    let tables = session.column(&relations("c.relkind = 'f'")).await?;
    Ok(sentence(&tables, "are foreign: their definitions are dumped, their rows stay where they are").map(|what| {
        Finding::new(
            Severity::Note,
            what,
            Some(Hint::new("include-foreign-data", "--include-foreign-data=SERVER after -- dumps their rows too")),
        )
    }))
}

async fn on_a_standby(session: &Session) -> Result<Vec<Finding>> {
    let unlogged = session.rows(&named_relations("c.relkind = 'r' AND c.relpersistence = 'u'")).await?;
    let hint = Hint::new("primary-or-exclude", "dump from the primary, or leave them out with --exclude-table");
    let unlogged = unlogged.into_iter().filter_map(|row| named(&row)).map(|(table, pattern)| {
        missing(format!("{table} is unlogged, and empty on a standby"), hint.clone()).about(Subject::Rows(pattern))
    });
    let warning = Finding::new(
        Severity::Warning,
        "the server is a standby: a long dump may be cancelled by its recovery",
        Some(Hint::new("primary-or-streaming-delay", "dump from the primary, or raise max_standby_streaming_delay")),
    );
    Ok(unlogged.chain([warning]).collect())
}

/// The user's relations for which a condition holds, as `table public.users`.
fn relations(condition: &str) -> String {
    listed(condition, "'table ' || n.nspname || '.' || c.relname")
}

/// The same, and their schemas and names.
fn named_relations(condition: &str) -> String {
    listed(condition, "'table ' || n.nspname || '.' || c.relname, n.nspname, c.relname")
}

/// What a row of [`named_relations`] says: for people, and as a pattern.
fn named(row: &Row) -> Option<(String, String)> {
    let [Some(table), Some(schema), Some(name)] = row.as_slice() else { return None };
    Some((table.clone(), pattern(schema, name)))
}

fn listed(condition: &str, columns: &str) -> String {
    format!(
        "SELECT {columns} FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE {USER_SCHEMA} AND {NOT_OF_AN_EXTENSION} AND c.relpersistence <> 't' AND ({condition}) ORDER BY 1"
    )
}

/// `table public.a, table public.b and 3 more are foreign`; none for no names.
fn sentence(names: &[String], predicate: &str) -> Option<String> {
    let shown = names.iter().take(5).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => None,
        1..=5 => Some(format!("{shown} {predicate}")),
        all => Some(format!("{shown} and {} more {predicate}", all - 5)),
    }
}

/// A pattern that means this table alone.
pub fn pattern(schema: &str, name: &str) -> String {
    format!("{}.{}", identifier(schema), identifier(name))
}

/// What `--allow-incomplete` leaves out of a dump.
pub struct LeftOut<'a>(pub &'a Server);

impl LeftOut<'_> {
    fn list(&self, setting: &str) -> impl Iterator<Item = &str> {
        self.0.settings.get(setting).map(String::as_str).unwrap_or_default().split(JOIN).filter(|name| !name.is_empty())
    }

    fn any(&self, setting: &str) -> bool {
        self.0.settings.get(setting).is_some_and(|count| count != "0")
    }

    /// Tables and views, as patterns.
    pub fn tables(&self) -> Vec<&str> {
        self.list(TABLES).collect()
    }

    /// What `pg_dump` would still dump although it can't be restored without the rest.
    pub fn dependents(&self) -> Vec<&str> {
        self.list(DEPENDENTS).collect()
    }

    /// The flags of `pg_dump`. Row-level security is only ever turned on here, where the manifest names the tables.
    pub fn flags(&self, client: Version) -> Vec<String> {
        let tables = self.list(TABLES).map(|table| format!("--exclude-table={table}"));
        let rows = self.list(ROWS).map(|table| format!("--exclude-table-data={table}"));
        let no_large_objects = if client.major >= 16 { "--no-large-objects" } else { "--no-blobs" };
        let switches = [(ROW_SECURITY, "--enable-row-security"), (LARGE_OBJECTS, no_large_objects)];
        let switches = switches.into_iter().filter(|(setting, _)| self.any(setting)).map(|(_, flag)| flag.to_owned());
        tables.chain(rows).chain(switches).collect()
    }
}

#[cfg(test)]
impl LeftOut<'_> {
    /// Settings as a probe leaves them that found something of every kind.
    pub fn everything() -> impl Iterator<Item = (String, String)> {
        [
            (TABLES, "\"public\".\"a\"\"b\"\0\"public\".\"c\""),
            (ROWS, "\"public\".\"s\""),
            (LARGE_OBJECTS, "1"),
            (ROW_SECURITY, "2"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
    }
}
