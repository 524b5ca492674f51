//! What a dump's definitions name, or its rows want, and the dump does not hold. Where nobody asked the source for it, as of
//! a dump that `pg_dump --table` made, the target is asked.

use std::collections::{BTreeMap, HashSet};

use crate::engine::postgres::format::content::hashed_name;
use crate::engine::postgres::format::dump_lines::qualified;
use crate::engine::postgres::format::sections::{called, names};
use crate::engine::{Dependency, Entry};

/// As many names are kept: dumps of more objects are seldom parts.
const MAX_NAMES: usize = 4_000;

/// Something of which only the name is known.
pub const OBJECT: &str = "object";

/// Kinds whose definitions name nothing but objects with their schemas: a view names columns of its own in the same way.
const DEFINING: [&str; 7] = ["TABLE", "FOREIGN TABLE", "DOMAIN", "TYPE", "DEFAULT", "INDEX", "CHECK CONSTRAINT"];

/// Names that extensions of contrib and of others bring, and whose name is not the extension's own.
const OF_EXTENSIONS: [(&str, &str); 12] = [
    ("crypt", "pgcrypto"),
    ("digest", "pgcrypto"),
    ("gen_salt", "pgcrypto"),
    ("geography", "postgis"),
    ("geometry", "postgis"),
    ("gin_trgm_ops", "pg_trgm"),
    ("gist_trgm_ops", "pg_trgm"),
    ("halfvec", "vector"),
    ("unaccent", "unaccent"),
    ("uuid_generate_v1", "uuid-ossp"),
    ("uuid_generate_v4", "uuid-ossp"),
    ("uuid_generate_v1mc", "uuid-ossp"),
];

const EXTENSIONS: [&str; 8] = ["citext", "cube", "hstore", "isn", "ltree", "seg", "vector", "lo"];

/// The extension that something of this name is of, where it is a well-known one.
pub fn extension_of(name: &str) -> Option<&'static str> {
    let own = EXTENSIONS.into_iter().find(|extension| *extension == name);
    own.or_else(|| OF_EXTENSIONS.into_iter().find(|(of, _)| *of == name).map(|(_, extension)| extension))
}

/// Names by schema, each with its kind and what names it first.
#[derive(Clone, Debug, Default)]
pub struct Named {
    by_schema: BTreeMap<String, BTreeMap<String, (&'static str, Vec<String>)>>,
    /// The multirange types, which their range types make.
    made: Vec<(String, String)>,
    count: usize,
}

impl Named {
    /// Takes the names of an entry's definition.
    pub fn note(&mut self, entry: &Entry, sql: &str) {
        if entry.kind == "FK CONSTRAINT" {
            let target = sql.split_once(" REFERENCES ").and_then(|(_, rest)| qualified(rest));
            if let Some((Some(schema), name, _)) = target {
                self.add(schema, name, "table", entry);
            }
            return;
        }
        let multirange = sql.split_once("multirange_type_name = ").and_then(|(_, rest)| qualified(rest));
        if let Some((Some(schema), name, _)) = multirange.filter(|_| entry.kind == "TYPE") {
            self.made.push((schema, name));
        }
        if DEFINING.contains(&entry.kind.as_str()) {
            for (schema, name) in names(sql) {
                if entry.schema.as_ref() != Some(&schema) || entry.tag != name {
                    self.add(schema, name, OBJECT, entry);
                }
            }
        }
    }

    fn add(&mut self, schema: String, name: String, kind: &'static str, by: &Entry) {
        if self.count >= MAX_NAMES || ["pg_catalog", "information_schema"].contains(&schema.as_str()) {
            return;
        }
        let names = self.by_schema.entry(schema).or_default();
        self.count += usize::from(!names.contains_key(&name));
        let (_, needed_by) = names.entry(name).or_insert_with(|| (kind, Vec::with_capacity(1)));
        // Which foreign keys stay out must be known of all of them.
        if needed_by.len() < 3 || kind == "table" {
            needed_by.push(Dependency::from(by).to_string());
        }
    }

    /// Those that no entry makes. What an extension of the dump brings is not known: its schema is passed over.
    pub fn unheld(mut self, entries: &[Entry], extensions: &[(String, String)]) -> Vec<Dependency> {
        let tables = entries.iter().filter(|entry| entry.kind.ends_with("TABLE"));
        let tables: HashSet<u64> = tables.map(hashed_name).collect();
        let is_made = |rows: &Entry| tables.contains(&hashed_name(rows));
        for rows in entries.iter().filter(|entry| entry.kind == "TABLE DATA" && !is_made(entry)) {
            if let Some(schema) = rows.schema.clone() {
                self.add(schema, rows.tag.clone(), "table", rows);
            }
        }
        for (_, schema) in extensions {
            self.by_schema.remove(schema);
        }
        self.forget_other_words(entries);
        for (schema, name) in &self.made {
            self.by_schema.get_mut(schema).map(|names| names.remove(name));
        }
        let no_objects = ["TABLE DATA", "COMMENT", "ACL", "SEQUENCE SET", "SEQUENCE OWNED BY"];
        for entry in entries.iter().filter(|entry| !no_objects.contains(&entry.kind.as_str())) {
            if let Some(names) = entry.schema.as_ref().and_then(|schema| self.by_schema.get_mut(schema)) {
                names.remove(called(entry));
            }
        }
        let dependency = |schema: &str, name: String, kind: &str, needed_by: Vec<String>| Dependency {
            kind: kind.to_owned(),
            schema: Some(schema.to_owned()),
            name,
            needed_by: needed_by.into_iter().collect(),
        };
        let of_schema = |(schema, names): (String, BTreeMap<String, (&str, Vec<String>)>)| {
            let all = names.into_iter().map(|(name, (kind, by))| dependency(&schema, name, kind, by));
            all.collect::<Vec<_>>()
        };
        self.by_schema.into_iter().flat_map(of_schema).collect()
    }
}

impl Named {
    /// What only looks like an object with its schema: the storage parameter `toast.autovacuum_enabled`, where the dump has
    /// nothing in a schema of that name.
    fn forget_other_words(&mut self, entries: &[Entry]) {
        const TOAST: &str = "toast";
        let is_of_it =
            |entry: &Entry| entry.schema.as_deref() == Some(TOAST) || entry.kind == "SCHEMA" && entry.tag == TOAST;
        if !entries.iter().any(is_of_it) {
            self.by_schema.remove(TOAST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_entry_makes_is_unheld() {
        let entry = |kind: &str, tag: &str| Entry {
            kind: kind.into(),
            schema: Some("public".into()),
            tag: tag.into(),
            ..Entry::default()
        };
        let (table, key, rows) = (entry("TABLE", "t"), entry("FK CONSTRAINT", "t t_fk"), entry("TABLE DATA", "u"));
        let mut named = Named::default();
        named.note(
            &table,
            "CREATE TABLE public.t (m lib.mood, c public.citext, d date DEFAULT pg_catalog.now(), n int DEFAULT \
             nextval('public.s'::regclass), x int DEFAULT public.f(1), CONSTRAINT c CHECK ((note <> 'no.name'::text)));",
        );
        let range = entry("TYPE", "ra");
        named.note(
            &range,
            "CREATE TYPE public.ra AS RANGE (subtype = integer, multirange_type_name = public.ra_multirange);",
        );
        named.note(&table, "CREATE TABLE public.t (r public.ra_multirange);");
        named.note(&key, "ALTER TABLE ONLY public.t ADD CONSTRAINT t_fk FOREIGN KEY (p) REFERENCES public.p(id);");
        named.note(&table, "CREATE TABLE public.t (a int) WITH (toast.autovacuum_enabled='false');");
        let of_lib = Entry { schema: Some("lib".into()), ..entry("TYPE", "other") };
        let entries = [table, key, rows, entry("FUNCTION", "f(integer)"), entry("SEQUENCE", "s"), of_lib];
        let found = named.clone().unheld(&entries, &[]);
        let found: Vec<_> = found.iter().map(Dependency::sentence).collect();
        assert_eq!(
            found,
            [
                "object lib.mood, which table public.t needs",
                "object public.citext, which table public.t needs",
                "table public.p, which fk constraint public.t t_fk needs",
                "table public.u, which table data public.u needs",
            ]
        );
        assert_eq!(named.unheld(&entries, &[("citext".into(), "public".into())]).len(), 1);
    }
}
