//! What a part of a database needs and does not hold: asked of the source's `pg_depend` before a dump, and of the target
//! before a restore.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::{extra, psql_patterns};
use crate::connection::{Connection, Limits};
use crate::engine::postgres::dump;
use crate::engine::postgres::format::encoding::Encoding;
use crate::engine::postgres::probe::findings::{LeftOut, pattern};
use crate::engine::postgres::probe::{NOT_OF_AN_EXTENSION, USER_SCHEMA, like};
use crate::engine::postgres::restore::restore_filter::{ChosenEntries, join_truncated, select};
use crate::engine::postgres::restore::target::lines;
use crate::engine::postgres::restore::{roles, unheld};
use crate::engine::postgres::session::{self, Row, Session, identifier, literal};
use crate::engine::{
    Clean, Content, Dependency, DumpOptions, Entry, RestoreOptions, Selected, Server, Version, sentences, with_comments,
};
use crate::error::{Error, Kind, Result};
use crate::hint::{self, Hint};

/// Objects as a dump names them: catalog, number, kind, schema, name.
const THINGS: &str = "SELECT 'pg_class'::regclass::oid AS class, c.oid AS id, CASE c.relkind WHEN 'S' THEN 'sequence' \
       WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'table' END AS kind, \
       c.relnamespace AS space, c.relname::text AS name FROM pg_class c WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') \
     UNION ALL SELECT 'pg_type'::regclass, t.oid, CASE t.typtype WHEN 'd' THEN 'domain' ELSE 'type' END, t.typnamespace, \
       t.typname FROM pg_type t \
     UNION ALL SELECT 'pg_proc'::regclass, p.oid, CASE p.prokind WHEN 'a' THEN 'aggregate' WHEN 'p' THEN 'procedure' \
       ELSE 'function' END, p.pronamespace, p.proname || '(' || array_to_string(ARRAY(SELECT format_type(a.type, NULL) \
       FROM unnest(p.proargtypes) WITH ORDINALITY a(type, place) ORDER BY a.place), ', ') || ')' FROM pg_proc p \
     UNION ALL SELECT 'pg_collation'::regclass, o.oid, 'collation', o.collnamespace, o.collname FROM pg_collation o \
     UNION ALL SELECT 'pg_operator'::regclass, o.oid, 'operator', o.oprnamespace, o.oprname FROM pg_operator o \
     UNION ALL SELECT 'pg_opclass'::regclass, o.oid, 'operator class', o.opcnamespace, o.opcname FROM pg_opclass o \
     UNION ALL SELECT 'pg_opfamily'::regclass, o.oid, 'operator family', o.opfnamespace, o.opfname FROM pg_opfamily o \
     UNION ALL SELECT 'pg_ts_config'::regclass, o.oid, 'text search configuration', o.cfgnamespace, o.cfgname FROM pg_ts_config o \
     UNION ALL SELECT 'pg_ts_dict'::regclass, o.oid, 'text search dictionary', o.dictnamespace, o.dictname FROM pg_ts_dict o \
     UNION ALL SELECT 'pg_ts_parser'::regclass, o.oid, 'text search parser', o.prsnamespace, o.prsname FROM pg_ts_parser o \
     UNION ALL SELECT 'pg_ts_template'::regclass, o.oid, 'text search template', o.tmplnamespace, o.tmplname FROM pg_ts_template o \
     UNION ALL SELECT 'pg_namespace'::regclass, o.oid, 'schema', 0, o.nspname FROM pg_namespace o \
     UNION ALL SELECT 'pg_extension'::regclass, o.oid, 'extension', 0, o.extname FROM pg_extension o \
     UNION ALL SELECT 'pg_foreign_server'::regclass, o.oid, 'server', 0, o.srvname FROM pg_foreign_server o \
     UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, o.oid, 'foreign data wrapper', 0, o.fdwname FROM pg_foreign_data_wrapper o \
     UNION ALL SELECT 'pg_language'::regclass, o.oid, 'procedural language', 0, o.lanname FROM pg_language o \
     UNION ALL SELECT 'pg_am'::regclass, o.oid, 'access method', 0, o.amname FROM pg_am o \
     UNION ALL SELECT 'pg_event_trigger'::regclass, o.oid, 'event trigger', 0, o.evtname FROM pg_event_trigger o";

/// What belongs to another object, and what it belongs to. The triggers of foreign keys are the server's own.
const BELONGINGS: &str = "SELECT 'pg_type'::regclass::oid AS class, t.oid AS id, \
       CASE WHEN r.oid IS NULL THEN 'pg_type'::regclass ELSE 'pg_class'::regclass END::oid AS to_class, coalesce(r.oid, e.oid) AS to_id \
       FROM pg_type t JOIN pg_type e ON e.typarray = t.oid LEFT JOIN pg_class r ON r.oid = e.typrelid AND r.relkind <> 'c' \
     UNION ALL SELECT 'pg_type'::regclass, t.oid, 'pg_class'::regclass, r.oid FROM pg_type t \
       JOIN pg_class r ON r.oid = t.typrelid WHERE r.relkind <> 'c' \
     UNION ALL SELECT 'pg_class'::regclass, r.oid, 'pg_type'::regclass, r.reltype FROM pg_class r WHERE r.relkind = 'c' \
     UNION ALL SELECT 'pg_class'::regclass, i.indexrelid, 'pg_class'::regclass, i.indrelid FROM pg_index i \
     UNION ALL SELECT 'pg_constraint'::regclass, o.oid, CASE o.conrelid WHEN 0 THEN 'pg_type'::regclass ELSE 'pg_class'::regclass END, \
       CASE o.conrelid WHEN 0 THEN o.contypid ELSE o.conrelid END FROM pg_constraint o WHERE o.contype <> 'f' OR o.conparentid = 0 \
     UNION ALL SELECT 'pg_attrdef'::regclass, a.oid, 'pg_class'::regclass, a.adrelid FROM pg_attrdef a \
     UNION ALL SELECT 'pg_rewrite'::regclass, w.oid, 'pg_class'::regclass, w.ev_class FROM pg_rewrite w \
     UNION ALL SELECT 'pg_trigger'::regclass, t.oid, 'pg_class'::regclass, t.tgrelid FROM pg_trigger t WHERE NOT t.tgisinternal \
     UNION ALL SELECT 'pg_policy'::regclass, p.oid, 'pg_class'::regclass, p.polrelid FROM pg_policy p \
     UNION ALL SELECT 'pg_statistic_ext'::regclass, s.oid, 'pg_class'::regclass, s.stxrelid FROM pg_statistic_ext s \
     UNION ALL SELECT 'pg_amop'::regclass, o.oid, 'pg_opfamily'::regclass, o.amopfamily FROM pg_amop o \
     UNION ALL SELECT 'pg_amproc'::regclass, o.oid, 'pg_opfamily'::regclass, o.amprocfamily FROM pg_amproc o";

/// Kinds that the target is asked for, and by which other ones they may stand there.
const ALIKE: [&[&str]; 3] = [
    &["table", "view", "materialized view", "foreign table"],
    &["type", "domain"],
    &["function", "aggregate", "procedure"],
];

/// What a foreign key needs of a table that comes without its rows.
const ROWS: &str = "rows of table";

/// What the options choose, and what that needs.
pub async fn selected(
    connection: &Connection,
    server: &Server,
    options: &DumpOptions,
    limits: &Limits,
) -> Result<Option<Selected>> {
    let unreadable = LeftOut(server);
    let left_out: Vec<String> = unreadable.tables().into_iter().map(str::to_owned).collect();
    let left_out = if options.allow_incomplete { left_out } else { Vec::new() };
    let chooses = |list: &(&str, &Vec<String>)| !list.1.is_empty();
    let is_part = !left_out.is_empty() || options.patterns()[..4].iter().any(chooses);
    if extra::chooses(&options.extra) || !is_part && options.exclude_table_data.is_empty() {
        return Ok(None);
    }
    check_sayable(server, options)?;
    let session = session::open(connection, &connection.database, limits).await.map_err(|refusal| refusal.error)?;
    // As pg_dump does: a name without a schema means what it means for this user.
    session.rows("RESET search_path").await?;
    let meant = Conditions::of(server.version, &connection.database, options, &left_out)?;
    let choice = Choice::read(&session, options, &meant).await?;
    let brings_both = !options.schema_only && !options.data_only && !choice.emptied.is_empty();
    let unfilled = if brings_both { session.rows(&quietly(&choice.unfilled())).await? } else { Vec::new() };
    if options.with_dependencies {
        let unneeded = session.rows(&quietly(&choice.unneeded())).await?;
        let unneeded = unneeded.iter().filter_map(|row| Some(pattern(row.first()?.as_ref()?, row.get(1)?.as_ref()?)));
        let (tables, schemas) = (choice.tables, choice.schema_names);
        let (relations, with_rows) = (choice.patterns, choice.with_rows);
        let (unneeded, dependencies) = (unneeded.collect(), gather(unfilled));
        let selected = Selected { is_part, relations, with_rows, dependencies, ..Selected::default() };
        return Ok(Some(Selected { unneeded, tables, schemas, ..selected }));
    }
    let added = choice.sequences.iter().map(|(schema, name)| pattern(schema, name)).collect();
    let mut edges =
        if options.data_only || !is_part { Vec::new() } else { session.rows(&quietly(&choice.edges())).await? };
    edges.extend(unfilled);
    let partitions = session.column(&choice.left_partitions()).await?;
    let (dependencies, relations, with_rows) = (gather(edges), choice.patterns, choice.with_rows);
    Ok(Some(Selected { is_part, relations, with_rows, dependencies, partitions, added, ..Selected::default() }))
}

/// No name holds a character that the database's encoding lacks, and the server can't be asked for it.
fn check_sayable(server: &Server, options: &DumpOptions) -> Result<()> {
    if Encoding::named(&server.encoding).is_known() {
        for (_, patterns) in options.patterns() {
            dump::said(&server.encoding, patterns.clone())?;
        }
    }
    Ok(())
}

/// In a transaction whose names are those of a dump. The planner takes recursions for long ones, and compiles them.
fn quietly(query: &str) -> String {
    format!("BEGIN; SET LOCAL jit = off; SET LOCAL search_path = ''; {query}; COMMIT")
}

/// What is chosen, by its numbers.
struct Choice {
    /// Tables, views, sequences.
    relations: Vec<String>,
    /// Those that match, as patterns; and those whose rows come.
    patterns: BTreeSet<String>,
    with_rows: BTreeSet<String>,
    /// Those whose rows don't come, by their numbers.
    emptied: Vec<String>,
    /// The tables that were named, as `schema.name`.
    tables: Vec<String>,
    /// Sequences that come because chosen tables use them.
    sequences: Vec<(String, String)>,
    /// Schemas that come as a whole.
    schemas: Vec<String>,
    schema_names: Vec<String>,
    /// What stands in no schema comes, too.
    everything: bool,
}

/// What the options mean, as conditions for relation `c` in schema `n`.
struct Conditions {
    chosen: String,
    not_excluded: String,
    /// Its rows don't come.
    without_rows: String,
    /// It may not be read, and is left out for that.
    unreadable: String,
    /// Schema `n` comes as a whole.
    schema: String,
}

impl Conditions {
    fn of(version: Version, database: &str, options: &DumpOptions, left_out: &[String]) -> Result<Self> {
        let or = |texts: Vec<String>, otherwise: &str| match texts.join(" OR ") {
            none if none.is_empty() => otherwise.to_owned(),
            any => any,
        };
        let tables = |list: &[String], flag: &str, otherwise: &str| -> Result<String> {
            let one =
                |text: &String| Ok(format!("({})", psql_patterns::table(flag, text, database)?.condition(version)));
            Ok(or(list.iter().map(one).collect::<Result<_>>()?, otherwise))
        };
        let schemas = |list: &[String], flag: &str, otherwise: &str| -> Result<String> {
            let one = |text: &String| Ok(like(version, "n.nspname", &psql_patterns::schema(flag, text)?));
            Ok(or(list.iter().map(one).collect::<Result<_>>()?, otherwise))
        };
        let schema = format!(
            "({}) AND NOT ({})",
            schemas(&options.schemas, "--schema", "true")?,
            schemas(&options.exclude_schemas, "--exclude-schema", "false")?
        );
        Ok(Self {
            // Schemas mean nothing beside tables.
            chosen: if options.tables.is_empty() {
                schema.clone()
            } else {
                tables(&options.tables, "--table", "false")?
            },
            not_excluded: format!("NOT ({})", tables(&options.exclude_tables, "--exclude-table", "false")?),
            without_rows: tables(&options.exclude_table_data, "--exclude-table-data", "false")?,
            unreadable: tables(left_out, "--exclude-table", "false")?,
            schema,
        })
    }
}

/// The user's relations.
fn relations() -> String {
    format!(
        "pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {USER_SCHEMA} \
         AND {NOT_OF_AN_EXTENSION} AND c.relpersistence <> 't' AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"
    )
}

impl Choice {
    async fn read(session: &Session, options: &DumpOptions, meant: &Conditions) -> Result<Self> {
        let by_table = !options.tables.is_empty();
        let query = format!(
            "SELECT c.oid, n.nspname, c.relname, {}, {} FROM {} AND ({}) AND {} ORDER BY 2, 3",
            meant.without_rows,
            meant.unreadable,
            relations(),
            meant.chosen,
            meant.not_excluded
        );
        let chosen = session.rows(&query).await?;
        let is = |row: &Row, at: usize| row.get(at).is_some_and(|yes| yes.as_deref() == Some("t"));
        let readable: Vec<Row> = chosen.iter().filter(|row| !is(row, 4)).cloned().collect();
        let as_pattern = |row: &Row| name(row).map(|(schema, name)| pattern(&schema, &name));
        let mut numbers = numbered(&readable);
        numbers.extend(numbered(&session.rows(&owned_sequences(&numbers)).await?));
        let used = used_sequences(&numbers, &meant.not_excluded);
        let used = if by_table { session.rows(&used).await? } else { Vec::new() };
        numbers.extend(numbered(&used));
        let schemas =
            format!("SELECT n.oid, n.nspname FROM pg_catalog.pg_namespace n WHERE {USER_SCHEMA} AND {}", meant.schema);
        let schemas = if by_table { Vec::new() } else { session.rows(&schemas).await? };
        let named = if by_table { chosen.iter().filter_map(name).collect() } else { Vec::new() };
        Ok(Self {
            relations: numbers,
            patterns: chosen.iter().filter_map(as_pattern).collect(),
            with_rows: chosen.iter().filter(|row| !is(row, 3)).filter_map(as_pattern).collect(),
            emptied: numbered(&chosen.iter().filter(|row| is(row, 3)).cloned().collect::<Vec<_>>()),
            tables: named.into_iter().map(|(schema, name): (String, String)| format!("{schema}.{name}")).collect(),
            sequences: used.iter().filter_map(name).collect(),
            schemas: numbered(&schemas),
            schema_names: schemas.iter().filter_map(|row| row.get(1).cloned().flatten()).collect(),
            everything: !by_table && options.schemas.is_empty(),
        })
    }

    /// What the chosen objects need, in rows: what needs it, a foreign key of that, and what is needed. What is needed and
    /// chosen is left out, except for extensions, whose schemas their users need, too.
    fn edges(&self) -> String {
        format!(
            "{needs} SELECT DISTINCT s.kind, sn.nspname, s.name, e.conname, t.kind, tn.nspname, t.name, {of_target} FROM needs e \
             JOIN things s ON s.class = e.class AND s.id = e.id LEFT JOIN pg_namespace sn ON sn.oid = s.space \
             JOIN things t ON t.class = e.on_class AND t.id = e.on_id LEFT JOIN pg_namespace tn ON tn.oid = t.space \
             WHERE e.on_id >= 16384 AND {of_source} AND (t.kind = 'extension' OR NOT {of_target})",
            needs = *NEEDS,
            of_source = self.comes("s"),
            of_target = self.comes("t"),
        )
    }

    /// Foreign keys of rows that come to rows that don't, in the same form.
    fn unfilled(&self) -> String {
        let (relations, emptied) = (joined(&self.relations), joined(&self.emptied));
        let any = |root: &str, condition: &str| {
            format!(
                "EXISTS (SELECT 1 FROM (SELECT {root}.oid WHERE {root}.relkind = 'r' UNION ALL SELECT p.relid \
                 FROM pg_partition_tree({root}.oid) p WHERE p.isleaf) l(oid) WHERE l.oid {condition})"
            )
        };
        format!(
            "SELECT DISTINCT 'table', sn.nspname, s.relname, k.conname, '{ROWS}', tn.nspname, t.relname, 'f' \
             FROM pg_constraint k JOIN pg_class s ON s.oid = k.conrelid JOIN pg_namespace sn ON sn.oid = s.relnamespace \
             JOIN pg_class t ON t.oid = k.confrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace \
             WHERE k.contype = 'f' AND COALESCE(to_jsonb(k) ->> 'conparentid', '0') = '0' \
             AND s.oid IN ({relations}) AND t.oid IN ({relations}) AND {} AND {}",
            any("t", &format!("IN ({emptied})")),
            any("s", &format!("IN ({relations}) AND l.oid NOT IN ({emptied})")),
        )
    }

    /// Partitions with rows whose root is chosen, and they are not.
    fn left_partitions(&self) -> String {
        format!(
            "SELECT DISTINCT n.nspname || '.' || c.relname FROM pg_catalog.pg_class r, \
             LATERAL pg_catalog.pg_partition_tree(r.oid) p JOIN pg_catalog.pg_class c ON c.oid = p.relid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE r.oid IN ({0}) AND r.relkind = 'p' AND p.isleaf \
             AND c.oid NOT IN ({0}) ORDER BY 1",
            joined(&self.relations)
        )
    }

    /// Whether a thing is chosen.
    fn comes(&self, thing: &str) -> String {
        let (relations, schemas) = (joined(&self.relations), joined(&self.schemas));
        format!(
            "CASE WHEN {thing}.class = 'pg_class'::regclass THEN {thing}.id IN ({relations}) \
             WHEN {thing}.class = 'pg_namespace'::regclass THEN {thing}.id IN ({schemas}) \
             WHEN {thing}.space <> 0 THEN {thing}.space IN ({schemas}) ELSE {} END",
            self.everything
        )
    }

    /// Tables, views and sequences that the chosen objects don't need, nor what these need. Partitions go with their tables.
    fn unneeded(&self) -> String {
        format!(
            "{needs}, leads AS MATERIALIZED (SELECT class, id, on_class, on_id FROM needs UNION SELECT 'pg_class'::regclass, \
               i.inhparent, 'pg_class'::regclass, i.inhrelid FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhrelid AND p.relispartition), \
             whole AS (SELECT t.class, t.id FROM things t WHERE {} UNION SELECT l.on_class, l.on_id FROM whole w \
               JOIN leads l ON l.class = w.class AND l.id = w.id) \
             SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {USER_SCHEMA} \
             AND {NOT_OF_AN_EXTENSION} AND c.relpersistence <> 't' AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') \
             AND c.oid NOT IN (SELECT w.id FROM whole w WHERE w.class = 'pg_class'::regclass) ORDER BY 1, 2",
            self.comes("t"),
            needs = *NEEDS
        )
    }
}

/// What needs what, as `needs`: belongings count as what they belong to, members of an extension as the extension.
static NEEDS: LazyLock<String> = LazyLock::new(|| {
    format!(
        "WITH RECURSIVE things AS MATERIALIZED ({THINGS}), belongings AS MATERIALIZED ({BELONGINGS}), \
         extended AS MATERIALIZED (SELECT d.classid, d.objid, d.refobjid FROM pg_depend d WHERE d.deptype = 'e'), \
         edges AS (SELECT DISTINCT coalesce(s.to_class, d.classid) AS class, coalesce(s.to_id, d.objid) AS id, k.conname, \
           coalesce(t.to_class, d.refclassid) AS on_class, coalesce(t.to_id, d.refobjid) AS on_id FROM pg_depend d \
           LEFT JOIN belongings s ON s.class = d.classid AND s.id = d.objid \
           LEFT JOIN belongings t ON t.class = d.refclassid AND t.id = d.refobjid \
           LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid AND k.contype = 'f' \
           WHERE d.deptype IN ('n', 'a', 'i') AND NOT (d.deptype IN ('a', 'i') AND d.classid = 'pg_class'::regclass \
             AND d.refclassid = 'pg_class'::regclass AND EXISTS (SELECT 1 FROM pg_class q WHERE q.oid = d.objid AND q.relkind = 'S'))), \
         needs AS MATERIALIZED (SELECT e.class, e.id, e.conname, \
           CASE WHEN x.objid IS NULL THEN e.on_class ELSE 'pg_extension'::regclass::oid END AS on_class, \
           coalesce(x.refobjid, e.on_id) AS on_id FROM edges e \
           LEFT JOIN extended x ON x.classid = e.on_class AND x.objid = e.on_id \
           WHERE (e.class, e.id) <> (e.on_class, e.on_id) \
           AND NOT EXISTS (SELECT 1 FROM extended m WHERE m.classid = e.class AND m.objid = e.id))"
    )
});

/// Sequences that columns of these own, which come by themselves.
fn owned_sequences(relations: &[String]) -> String {
    format!(
        "SELECT c.oid FROM {} AND c.relkind = 'S' AND EXISTS (SELECT 1 FROM pg_catalog.pg_depend d \
         WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i') \
         AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid IN ({}))",
        self::relations(),
        joined(relations)
    )
}

/// Others that their defaults use.
fn used_sequences(relations: &[String], not_excluded: &str) -> String {
    format!(
        "SELECT c.oid, n.nspname, c.relname FROM {from} AND c.relkind = 'S' AND {not_excluded} AND c.oid NOT IN ({these}) \
         AND c.oid IN (SELECT d.refobjid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attrdef a ON a.oid = d.objid \
         WHERE d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass \
         AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND a.adrelid IN ({these})) ORDER BY 2, 3",
        from = self::relations(),
        these = joined(relations)
    )
}

fn name(row: &Row) -> Option<(String, String)> {
    Some((row.get(1)?.clone()?, row.get(2)?.clone()?))
}

fn numbered(rows: &[Row]) -> Vec<String> {
    rows.iter().filter_map(|row| row.first().cloned().flatten()).collect()
}

/// For `IN (...)`; no number is 0.
fn joined(numbers: &[String]) -> String {
    if numbers.is_empty() { "0".to_owned() } else { numbers.join(", ") }
}

/// Rows of [`Choice::edges`] by what is needed. Who uses an extension needs what the extension needs.
fn gather(rows: Vec<Row>) -> Vec<Dependency> {
    let mut needed: BTreeMap<Dependency, BTreeSet<String>> = BTreeMap::new();
    let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in rows {
        let [Some(by), by_schema, Some(by_name), key, Some(kind), schema, Some(name), chosen] = row.as_slice() else {
            continue;
        };
        let of = |kind: &str| Dependency {
            kind: kind.to_owned(),
            schema: by_schema.clone(),
            name: by_name.clone(),
            ..Dependency::default()
        };
        let by = match key {
            Some(key) => Dependency { name: format!("{by_name} {key}"), ..of("fk constraint") },
            None => of(by),
        };
        let on = Dependency { kind: kind.clone(), schema: schema.clone(), name: name.clone(), ..Dependency::default() };
        if kind == "extension" {
            users.entry(on.to_string()).or_default().insert(by.to_string());
        }
        if chosen.as_deref() != Some("t") {
            needed.entry(on).or_default().insert(by.to_string());
        }
    }
    let with_users = |(on, by): (Dependency, BTreeSet<String>)| {
        let theirs = by.iter().filter_map(|by| users.get(by)).flatten().cloned().collect::<Vec<_>>();
        Dependency { needed_by: by.into_iter().chain(theirs).collect(), ..on }
    };
    needed.into_iter().map(with_users).collect()
}

/// What the restore needs, and neither brings nor finds in the target as it will be then.
pub async fn lacking(
    connection: &Connection,
    server: &Server,
    content: &Content,
    options: &RestoreOptions,
    limits: &Limits,
) -> Result<Vec<Dependency>> {
    if options.data_only {
        return Ok(Vec::new());
    }
    let chosen = if options.selects() { Some(select(&content.entries, options)) } else { None };
    // What is wrong with the names is told when all else is judged.
    let Ok(chosen) = chosen.transpose() else { return Ok(Vec::new()) };
    let entries = chosen.as_ref().map(|selection| &selection.chosen);
    let roles = roles::lacking(connection, content, options, entries, limits).await?;
    let mut wanted = of_manifest(content, chosen.as_ref());
    if chosen.is_none() {
        let rows_alone = |d: &&Dependency| d.needed_by.iter().all(|by| by.starts_with("table data "));
        let unheld = content.unheld.iter().filter(|d| !(options.schema_only && rows_alone(d)));
        wanted.extend(unheld.cloned());
    }
    let emptied = options.clean == Some(Clean::Database) || !server.target.exists;
    if !emptied && !lines(server, "schemas.kept").contains(&PUBLIC) {
        wanted.extend(public(content, chosen.as_ref()));
    }
    wanted.extend(chosen.into_iter().flat_map(|selection| selection.needs));
    if wanted.is_empty() {
        return Ok(roles);
    }
    let there = if emptied { BTreeSet::new() } else { held(connection, server, &wanted, options, limits).await? };
    let is_there = |d: &Dependency| {
        let kinds = ALIKE.iter().find(|kinds| kinds.contains(&d.kind.as_str())).copied();
        if d.kind == unheld::OBJECT {
            return there.iter().any(|(_, schema, name)| *schema == d.schema && without_arguments(name) == d.name);
        }
        let named = |kind: &str| there.contains(&(kind.to_owned(), d.schema.clone(), d.name.clone()));
        kinds.map_or_else(|| named(&d.kind), |kinds| kinds.iter().any(|kind| named(kind)))
    };
    // Without rows, every key holds.
    wanted.retain(|dependency| !(is_there(dependency) || options.schema_only && dependency.kind == ROWS));
    Ok(wanted.into_iter().chain(roles).collect())
}

/// The schema that a new database has, and that no dump makes.
const PUBLIC: &str = "public";

/// That schema, where what comes is in it.
fn public(content: &Content, chosen: Option<&ChosenEntries>) -> Option<Dependency> {
    const NAMED: usize = 4;
    let comes = |entry: &&Entry| chosen.is_none_or(|chosen| chosen.chosen.contains(&entry.id));
    let coming = content.entries.iter().filter(comes);
    if coming.clone().any(|entry| entry.kind == "SCHEMA" && entry.tag == PUBLIC) {
        return None;
    }
    let needed_by: BTreeSet<String> = coming
        .filter(|entry| entry.schema.as_deref() == Some(PUBLIC))
        .map(|entry| Dependency::from(entry).to_string())
        .take(NAMED)
        .collect();
    let public = Dependency { kind: "schema".to_owned(), schema: None, name: PUBLIC.to_owned(), needed_by };
    Some(public).filter(|public| !public.needed_by.is_empty())
}

/// What the dump lacks, of what its chosen part needs.
fn of_manifest(content: &Content, chosen: Option<&ChosenEntries>) -> Vec<Dependency> {
    let Some(chosen) = chosen else { return content.dependencies.clone() };
    let comes = |entry: &&Entry| chosen.chosen.contains(&entry.id);
    let names: BTreeSet<String> =
        content.entries.iter().filter(comes).map(|entry| Dependency::from(entry).to_string()).collect();
    let of_these = |dependency: &Dependency| {
        let needed_by = dependency.needed_by.intersection(&names).cloned().collect();
        Dependency { needed_by, ..dependency.clone() }
    };
    content.dependencies.iter().map(of_these).filter(|dependency| !dependency.needed_by.is_empty()).collect()
}

/// Refuses to begin what would fail for want of something. Foreign keys are left out instead.
pub fn check(server: &Server, content: &Content) -> Result<()> {
    roles::check(&server.target.lacking, content)?;
    let lacking = server.target.lacking.iter().filter(|dependency| !dependency.is_of_foreign_keys());
    let lacking: Vec<Dependency> = lacking.cloned().collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let held = |d: &Dependency| content.entries.iter().any(|e| Dependency::from(e).to_string() == d.to_string());
    let what = if lacking.iter().all(|dependency| dependency.kind == "schema" && dependency.name == PUBLIC) {
        "the target lacks what a new database has, and no dump makes"
    } else {
        "a part of a database is restored, and the target lacks what that part needs"
    };
    let error = sentences(&lacking).into_iter().fold(Error::new(Kind::Refused, what), Error::why);
    let (brought, others): (Vec<&Dependency>, Vec<&Dependency>) = lacking.iter().partition(|d| held(d));
    let brings = (!brought.is_empty()).then_some(hint::WITH_DEPENDENCIES);
    let extension =
        others.iter().find_map(|d| Some((unheld::extension_of(without_arguments(&d.name))?, d.schema.as_deref()?)));
    let extension = extension.map(|(name, schema)| {
        Hint::naming(
            "create-extension-with-schema",
            format!("an extension's: CREATE EXTENSION {} WITH SCHEMA {}", identifier(name), identifier(schema)),
        )
    });
    let first = others.first().map(|first| match first.kind.as_str() {
        "schema" => Hint::naming(
            "create-schema-first",
            format!("make it in the target first: CREATE SCHEMA {}", identifier(&first.name)),
        ),
        "extension" => Hint::naming(
            "create-extension-first",
            format!("make it in the target first: CREATE EXTENSION {}", identifier(&first.name)),
        ),
        _ => hint::MAKE_THESE_FIRST,
    });
    Err(error.hints(brings).hints(extension).hints(first))
}

/// A function's name, without its arguments.
fn without_arguments(name: &str) -> &str {
    name.split('(').next().unwrap_or(name)
}

/// Without the foreign keys that point at what neither comes nor is there, which are named.
pub fn without_pointing_keys(
    server: &Server,
    content: &Content,
    chosen: Option<BTreeSet<i64>>,
    notes: &mut Vec<String>,
) -> Option<BTreeSet<i64>> {
    let lacking = server.target.lacking.iter().filter(|dependency| dependency.is_of_foreign_keys());
    let keys: BTreeSet<String> = lacking.flat_map(|d| d.needed_by.iter().cloned()).collect();
    if keys.is_empty() {
        return chosen;
    }
    let gone: BTreeSet<i64> = with_comments(&content.entries, &keys).into_iter().map(|entry| entry.id).collect();
    let listed = keys.into_iter();
    notes.push(format!(
        "left out, since what they point at is neither in the dump nor in the target: {}",
        join_truncated(listed)
    ));
    let comes = |e: &&Entry| !gone.contains(&e.id) && chosen.as_ref().is_none_or(|chosen| chosen.contains(&e.id));
    Some(content.entries.iter().filter(comes).map(|e| e.id).collect())
}

/// Whether all that the target holds is what the dump needs there.
pub fn is_prepared(server: &Server, content: &Content) -> bool {
    let target = &server.target;
    let bare = |d: &Dependency| d.to_string().split('(').next().unwrap_or_default().to_owned();
    let schemas = content.dependencies.iter().filter_map(|d| Some(format!("schema {}", d.schema.as_ref()?)));
    let needed: BTreeSet<String> = content.dependencies.iter().map(bare).chain(schemas).collect();
    let unheld = |object: &str| {
        content.unheld.iter().any(|d| {
            let schema = d.schema.as_deref().unwrap_or_default();
            object.ends_with(&format!(" {schema}.{}", d.name)) || object == format!("schema {schema}")
        })
    };
    let is_needed = |object: &String| needed.contains(object) || unheld(object);
    target.objects.len() as u64 == target.object_count && target.objects.iter().all(is_needed)
}

/// What of the wanted the target has, and keeps.
async fn held(
    connection: &Connection,
    server: &Server,
    wanted: &[Dependency],
    options: &RestoreOptions,
    limits: &Limits,
) -> Result<BTreeSet<(String, Option<String>, String)>> {
    let session = session::open(connection, &connection.database, limits).await.map_err(|refusal| refusal.error)?;
    let names: BTreeSet<String> =
        wanted.iter().map(|dependency| literal(without_arguments(&dependency.name))).collect();
    let names = names.into_iter().collect::<Vec<_>>().join(", ");
    let query = format!(
        "WITH things AS MATERIALIZED ({THINGS}) SELECT t.kind, n.nspname, t.name, EXISTS (SELECT 1 FROM pg_depend d \
         WHERE d.classid = t.class AND d.objid = t.id AND d.deptype = 'e') FROM things t \
         LEFT JOIN pg_namespace n ON n.oid = t.space WHERE split_part(t.name, '(', 1) IN ({names})"
    );
    let kept = lines(server, "schemas.kept");
    let mut there = BTreeSet::new();
    for row in session.rows(&quietly(&query)).await? {
        let [Some(kind), schema, Some(name), member] = row.as_slice() else { continue };
        let stays = match kind.as_str() {
            "extension" => true,
            "schema" => kept.contains(&name.as_str()),
            _ => member.as_deref() == Some("t"),
        };
        if stays || options.clean != Some(Clean::Schema) {
            there.insert((kind.clone(), schema.clone(), name.clone()));
        }
    }
    Ok(there)
}
