//! What `--clean objects` would take along: what stands on an object that the archive brings, and is not in the archive.
//!
//! The server drops a table's partitions, indexes, triggers, rules and policies with it, and takes it out of publications,
//! without a word. What holds rows of its own, or belongs to something else, is refused before the first drop; the rest is
//! named. What stands on a table otherwise (views, foreign keys) makes the server refuse the drop.

use std::collections::BTreeSet;

use super::restore_filter::{join_truncated, select};
use super::suitability::refused;
use super::target::lines;
use super::use_list::TocExclusions;
use crate::engine::postgres::probe::USER_SCHEMA;
use crate::engine::{Clean, Content, RestoreOptions, Server, Version};
use crate::error::{Error, Result};
use crate::hint::Hint;

/// The setting that names what goes along, a line for each: whether it is refused, what it stands on (schema, name), what
/// a table of contents calls it (kind, schema, name), and its description; tabs between.
pub const DEPENDENTS: &str = "objects.dependents";

/// Relations as `c` in schema `n`, and what goes with them; what a publication publishes, which goes with the publication,
/// and by a schema with the schema: neither of the two stands in a schema.
pub fn query(version: Version) -> String {
    let by_schema = if version.major < 15 { "" } else { BY_SCHEMA };
    format!(
        "{OF_RELATIONS} WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't' AND {USER_SCHEMA} \
             {OF_PUBLICATIONS}{by_schema} ORDER BY 1"
    )
}

const OF_RELATIONS: &str = "SELECT pg_catalog.concat_ws(E'\\t', d.kept, n.nspname, c.relname, d.kind, d.space, d.tag, d.what) \
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace, LATERAL ( \
       SELECT 't' AS kept, 'TABLE' AS kind, m.nspname AS space, p.relname AS tag, \
         pg_catalog.format('partition %I.%I of %I.%I', m.nspname, p.relname, n.nspname, c.relname) AS what \
         FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class p ON p.oid = i.inhrelid AND p.relispartition \
         AND p.relkind IN ('r', 'p', 'f') JOIN pg_catalog.pg_namespace m ON m.oid = p.relnamespace WHERE i.inhparent = c.oid \
       UNION ALL SELECT 't', 'TABLE', m.nspname, p.relname, \
         pg_catalog.format('the place of %I.%I below %I.%I', n.nspname, c.relname, m.nspname, p.relname) \
         FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class p ON p.oid = i.inhparent AND p.relkind IN ('r', 'p', 'f') \
         JOIN pg_catalog.pg_namespace m ON m.oid = p.relnamespace WHERE i.inhrelid = c.oid \
       UNION ALL SELECT 't', 'PUBLICATION TABLE', n.nspname, p.pubname || ' ' || c.relname, \
         pg_catalog.format('%I.%I in publication %I', n.nspname, c.relname, p.pubname) \
         FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid WHERE r.prrelid = c.oid \
       UNION ALL SELECT 't', 'SUBSCRIPTION', '', r.srsubid::text, \
         pg_catalog.format('%I.%I in a subscription', n.nspname, c.relname) \
         FROM pg_catalog.pg_subscription_rel r WHERE r.srrelid = c.oid \
       UNION ALL SELECT 'f', 'INDEX', n.nspname, x.relname, pg_catalog.format('index %I.%I', n.nspname, x.relname) \
         FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = c.oid \
         AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint o WHERE o.conindid = x.oid AND o.conrelid = c.oid) \
       UNION ALL SELECT 'f', CASE o.contype WHEN 'f' THEN 'FK CONSTRAINT' ELSE 'CONSTRAINT' END, n.nspname, \
         c.relname || ' ' || o.conname, pg_catalog.format('constraint %I of %I.%I', o.conname, n.nspname, c.relname) \
         FROM pg_catalog.pg_constraint o WHERE o.conrelid = c.oid AND o.contype IN ('p', 'u', 'x', 'f') \
         AND (o.contype <> 'f' OR o.conparentid = 0) \
       UNION ALL SELECT 'f', 'TRIGGER', n.nspname, c.relname || ' ' || t.tgname, \
         pg_catalog.format('trigger %I of %I.%I', t.tgname, n.nspname, c.relname) \
         FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal \
         AND COALESCE(pg_catalog.to_jsonb(t) ->> 'tgparentid', '0') = '0' \
       UNION ALL SELECT 'f', 'RULE', n.nspname, c.relname || ' ' || w.rulename, \
         pg_catalog.format('rule %I of %I.%I', w.rulename, n.nspname, c.relname) \
         FROM pg_catalog.pg_rewrite w WHERE w.ev_class = c.oid AND w.rulename <> '_RETURN' \
       UNION ALL SELECT 'f', 'POLICY', n.nspname, c.relname || ' ' || p.polname, \
         pg_catalog.format('policy %I of %I.%I', p.polname, n.nspname, c.relname) \
         FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid \
       UNION ALL SELECT 'f', 'STATISTICS', m.nspname, s.stxname, pg_catalog.format('statistics %I.%I', m.nspname, s.stxname) \
         FROM pg_catalog.pg_statistic_ext s JOIN pg_catalog.pg_namespace m ON m.oid = s.stxnamespace WHERE s.stxrelid = c.oid \
       UNION ALL SELECT 'f', 'SEQUENCE', m.nspname, q.relname, pg_catalog.format('sequence %I.%I', m.nspname, q.relname) \
         FROM pg_catalog.pg_depend o JOIN pg_catalog.pg_class q ON q.oid = o.objid AND q.relkind = 'S' \
         JOIN pg_catalog.pg_namespace m ON m.oid = q.relnamespace WHERE o.refobjid = c.oid AND o.deptype = 'a' \
         AND o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass \
         AND o.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass \
       UNION ALL SELECT 'f', 'ACL', n.nspname, 'TABLE ' || c.relname, \
         pg_catalog.format('privileges on %I.%I', n.nspname, c.relname) WHERE c.relacl IS NOT NULL \
     ) d";

const OF_PUBLICATIONS: &str = "UNION ALL SELECT pg_catalog.concat_ws(E'\\t', 't', '', p.pubname, 'PUBLICATION TABLE', n.nspname, \
     p.pubname || ' ' || c.relname, pg_catalog.format('%I.%I in publication %I', n.nspname, c.relname, p.pubname)) \
     FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid \
     JOIN pg_catalog.pg_class c ON c.oid = r.prrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace";

/// Publications of whole schemas came with 15.
const BY_SCHEMA: &str = " UNION ALL SELECT pg_catalog.concat_ws(E'\\t', 't', '', o.name, 'PUBLICATION TABLES IN SCHEMA', n.nspname, \
     p.pubname || ' ' || n.nspname, pg_catalog.format('schema %I in publication %I', n.nspname, p.pubname)) \
     FROM pg_catalog.pg_publication_namespace r JOIN pg_catalog.pg_publication p ON p.oid = r.pnpubid \
     JOIN pg_catalog.pg_namespace n ON n.oid = r.pnnspid, LATERAL (VALUES (n.nspname), (p.pubname)) o(name)";

/// One line of what goes along.
struct Dependent<'s> {
    is_refused: bool,
    /// Schema and name; a publication has no schema.
    on: (&'s str, &'s str),
    /// Kind, schema, name.
    entry: (&'s str, &'s str, &'s str),
    what: &'s str,
}

fn read(line: &str) -> Option<Dependent<'_>> {
    let [refused, schema, name, kind, space, tag, what] = line.splitn(7, '\t').collect::<Vec<_>>()[..] else {
        return None;
    };
    Some(Dependent { is_refused: refused == "t", on: (schema, name), entry: (kind, space, tag), what })
}

/// Refuses drops that would lose what the archive does not bring back. What goes along otherwise comes back in a sentence.
pub fn check(server: &Server, content: &Content, options: &RestoreOptions) -> Result<Option<String>> {
    if options.clean != Some(Clean::Objects) {
        return Ok(None);
    }
    let chosen = if options.selects() { Some(select(&content.entries, options)?.chosen) } else { None };
    let exclusions = TocExclusions { server, options };
    let comes = content.entries.iter().filter(|entry| chosen.as_ref().is_none_or(|chosen| chosen.contains(&entry.id)));
    let comes = comes.filter(|entry| !exclusions.leaves_out(entry, true));
    let comes = comes.filter(|entry| options.keep_privileges || entry.kind != "ACL");
    let entries: BTreeSet<(&str, &str, &str)> = comes
        .map(|entry| (entry.kind.as_str(), entry.schema.as_deref().unwrap_or_default(), entry.tag.as_str()))
        .collect();
    let comes_in =
        |kinds: &[&str], schema: &str, name: &str| kinds.iter().any(|kind| entries.contains(&(*kind, schema, name)));
    let is_lost = |dependent: &Dependent<'_>| {
        let ((schema, name), (kind, space, tag)) = (dependent.on, dependent.entry);
        let on = if schema.is_empty() { &["PUBLICATION", "SCHEMA"][..] } else { &RELATIONS };
        let alike = if kind == "TABLE" { &RELATIONS[..] } else { &[kind] };
        comes_in(on, schema, name) && !comes_in(alike, space, tag)
    };
    let dependents = lines(server, DEPENDENTS).into_iter().filter_map(read).filter(is_lost);
    let (refusals, others): (Vec<_>, Vec<_>) = dependents.partition(|dependent| dependent.is_refused);
    let named = |all: Vec<Dependent<'_>>| all.iter().map(|one| one.what.to_owned()).collect::<BTreeSet<String>>();
    if refusals.is_empty() {
        let others = named(others);
        let what = "goes with what is dropped, and does not come back";
        return Ok((!others.is_empty()).then(|| format!("{what}: {}", join_truncated(others.into_iter()))));
    }
    let error = refused("--clean objects would drop what the dump does not bring back");
    Err(named(refusals).into_iter().fold(error, Error::why).hint(TAKE_IT_OUT))
}

/// Kinds of entries that are relations.
const RELATIONS: [&str; 4] = ["TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE"];

const TAKE_IT_OUT: Hint = Hint::new(
    "take-it-out-first",
    "take it out first, and put it back behind the restore: ALTER TABLE ... DETACH PARTITION or NO INHERIT, \
     ALTER PUBLICATION ... DROP TABLE",
);
