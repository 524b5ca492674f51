//! Rows that come frozen: `COPY ... WITH (FREEZE)`.
//!
//! Rows of a new table are seen by nobody before its transaction has ended, and by everybody after. Told so, the server
//! marks them and their pages at once, where else whoever reads them first has to, and to write them again: foreign keys
//! are checked through indexes alone (`docs/decisions/rows-come-frozen.md`).

use std::collections::BTreeSet;

use crate::engine::postgres::format::dump_lines::qualified;
use crate::engine::postgres::format::encoding::Encoding;
use crate::engine::postgres::format::toc::{Cursor, Header, Stop, TocEntry, put_text};
use crate::engine::{Entry, Filter, RestoreOptions, Section, Server};

/// The version of the server from which on pages are marked, not only rows.
const SINCE: u32 = 14;

/// Where the archive goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FreezeTarget {
    /// A `pg_restore` that makes tables and fills them in one transaction.
    Stream,
    /// A file that `pg_restore --jobs` reads: it empties the tables that it has made in the transaction of their rows.
    File,
    /// A `pg_restore` of rows alone. The tables were made by another.
    Lane,
}

/// Adapts the table of contents of a custom archive; what follows passes as it is.
pub struct Freeze {
    to: FreezeTarget,
    /// Tables by schema and name: those that this restore makes, as far as they have come.
    made: BTreeSet<(Option<String>, String)>,
    /// What of the table of contents is no whole entry yet.
    held: Vec<u8>,
    header: Option<Header>,
    /// Entries that have passed.
    passed: i64,
    is_over: bool,
}

impl Freeze {
    /// For these options, where rows can come so.
    pub fn new(server: &Server, options: &RestoreOptions, to: FreezeTarget) -> Option<Self> {
        let makes = to == FreezeTarget::Lane || options.section.is_none() && !options.data_only && !options.schema_only;
        if !makes || server.version.major < SINCE {
            return None;
        }
        Some(Self { to, made: BTreeSet::new(), held: Vec::new(), header: None, passed: 0, is_over: false })
    }

    /// For a lane of these options, whose tables are among these entries. A table that it empties is locked until all
    /// lanes are through: functions that rows run may read it, and would wait for that.
    pub fn lane(server: &Server, options: &RestoreOptions, entries: &[Entry]) -> Option<Self> {
        let lane = options.section == Some(Section::Data) && !run_functions(entries);
        let mut freeze = Self::new(server, options, FreezeTarget::Lane).filter(|_| lane)?;
        let large: BTreeSet<_> = options.large.iter().map(|(schema, name)| (Some(schema), name)).collect();
        let tables = entries.iter().filter(|e| e.kind == "TABLE" && large.contains(&(e.schema.as_ref(), &e.tag)));
        freeze.made = tables.map(|e| (e.schema.clone(), e.tag.clone())).collect();
        Some(freeze)
    }

    /// Passes on the header, or one entry. False when no more of them is adapted.
    fn unit(&mut self, at: &mut usize, out: &mut Vec<u8>) -> Result<bool, Stop> {
        let bytes = &self.held[*at..];
        let mut cursor = Cursor::new(bytes);
        let Some(header) = &self.header else {
            self.header = Some(cursor.header()?);
            out.extend_from_slice(&bytes[..cursor.at()]);
            *at += cursor.at();
            return Ok(true);
        };
        if self.passed == header.entries {
            return Ok(false);
        }
        let found = cursor.entry(header)?;
        // It names the places of blocks in the file, which must not be moved.
        if self.to == FreezeTarget::File && found.offset.is_some() {
            return Ok(false);
        }
        let bytes = &bytes[..cursor.at()];
        if let Some(statement) = self.frozen(&found) {
            out.extend_from_slice(&bytes[..cursor.copy().start]);
            put_text(Some(&statement), header.sizes, out);
            out.extend_from_slice(&bytes[cursor.copy().end..]);
        } else {
            out.extend_from_slice(bytes);
        }
        if let Some(header) = &mut self.header {
            header.learn(&found);
        }
        if found.entry.kind == "TABLE" && self.to != FreezeTarget::Lane {
            self.made.insert((found.entry.schema, found.entry.tag));
        }
        self.passed += 1;
        *at += bytes.len();
        Ok(true)
    }

    /// What takes the place of an entry's COPY: `COPY public.orders (id, note) FROM stdin;`.
    fn frozen(&self, TocEntry { entry, copy, .. }: &TocEntry) -> Option<String> {
        let table = (entry.schema.clone(), entry.tag.clone());
        let is_made = entry.kind == "TABLE DATA" && self.made.contains(&table);
        // Text in another encoding was not read as it stands.
        let in_utf8 = self.header.as_ref().is_none_or(|header| header.encoding == Encoding::Utf8);
        let as_it_stands = |copy: &str| {
            copy.is_ascii() && !copy.contains('\\') || in_utf8 && !copy.contains(char::REPLACEMENT_CHARACTER)
        };
        let copy = copy.as_ref().filter(|copy| is_made && as_it_stands(copy))?;
        let (schema, name, columns) = qualified(copy.strip_prefix("COPY ")?)?;
        // The rows of a partition may go to its root, which can't take them so.
        let its_own = (schema, name) == table && columns.starts_with(" (");
        let begun = copy.strip_suffix(" FROM stdin;\n").filter(|_| its_own)?;
        let quoted = &copy["COPY ".len()..copy.len() - columns.len()];
        let first =
            if self.to == FreezeTarget::Lane { format!("TRUNCATE TABLE ONLY {quoted};\n") } else { String::new() };
        Some(format!("{first}{begun} FROM stdin WITH (FREEZE);\n"))
    }
}

impl Filter for Freeze {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.is_over {
            out.extend_from_slice(bytes);
            return;
        }
        self.held.extend_from_slice(bytes);
        let mut at = 0;
        self.is_over = loop {
            match self.unit(&mut at, out) {
                Ok(true) => {}
                Err(Stop::More) => break false,
                // Of what can't be read pg_restore says why.
                Ok(false) | Err(_) => break true,
            }
        };
        self.held.drain(..at);
        if self.is_over {
            out.append(&mut self.held);
            self.made.clear();
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.held);
    }

    fn adaptations(&self) -> Vec<(String, u64)> {
        Vec::new()
    }
}

/// Whether rows may run functions of the dump's own when they come, in checks and types.
fn run_functions(entries: &[Entry]) -> bool {
    const CODE: [&str; 4] = ["FUNCTION", "PROCEDURE", "AGGREGATE", "OPERATOR"];
    const RUN_IT: [&str; 3] = ["TABLE", "DOMAIN", "TYPE"];
    let code: BTreeSet<i64> = entries.iter().filter(|e| CODE.contains(&e.kind.as_str())).map(|e| e.id).collect();
    let mut run = entries.iter().filter(|e| RUN_IT.contains(&e.kind.as_str()));
    run.any(|entry| entry.needs.iter().any(|id| code.contains(id)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::postgres::format::toc;
    use crate::engine::postgres::test_fixtures;

    fn recorded(name: &str) -> Vec<u8> {
        let path = format!("{}/fixtures/dumps/{name}.dump", env!("CARGO_MANIFEST_DIR"));
        std::fs::read(&path).expect(&path)
    }

    fn through(mut freeze: Freeze, dump: &[u8], size: usize) -> Vec<u8> {
        let mut out = Vec::new();
        dump.chunks(size).for_each(|chunk| freeze.push(chunk, &mut out));
        freeze.finish(&mut out);
        out
    }

    fn entries(dump: &[u8]) -> Vec<TocEntry> {
        let mut entries = Vec::new();
        toc::read_all(dump, |entry| entries.push(entry)).expect("bytes").expect("a table of contents");
        entries
    }

    fn streamed() -> Freeze {
        Freeze::new(&test_fixtures::server(15), &test_fixtures::restore_options(), FreezeTarget::Stream)
            .expect("a filter")
    }

    #[test]
    fn only_the_copies_of_tables_that_are_made_change_however_the_bytes_come() {
        for name in ["pg_dump-15.custom", "pg_dump-18.custom", "pg_dump-15.seekable"] {
            let dump = recorded(name);
            let frozen = through(streamed(), &dump, dump.len());
            for size in [1, 7, 4096] {
                assert!(through(streamed(), &dump, size) == frozen, "{name} in pieces of {size}");
            }
            let mut count = 0;
            for (before, after) in entries(&dump).into_iter().zip(entries(&frozen)) {
                if let Some(copy) = before.copy.as_ref().filter(|copy| copy.contains(" (")) {
                    let expected = copy.replace(" FROM stdin;", " FROM stdin WITH (FREEZE);");
                    assert_eq!(after.copy.as_ref(), Some(&expected));
                    count += 1;
                }
                assert_eq!(TocEntry { copy: before.copy.clone(), ..after }, before);
            }
            assert!(count > 1 && frozen.len() == dump.len() + count * " WITH (FREEZE)".len(), "{name}");
        }
    }

    #[test]
    fn a_file_whose_blocks_are_named_by_place_stays_as_it_is() {
        let file = || {
            Freeze::new(&test_fixtures::server(15), &test_fixtures::restore_options(), FreezeTarget::File)
                .expect("a filter")
        };
        let dump = recorded("pg_dump-15.seekable");
        assert!(through(file(), &dump, 100) == dump);
        let dump = recorded("pg_dump-15.custom");
        assert!(through(file(), &dump, 100) == through(streamed(), &dump, 100));
        // No archive at all.
        assert_eq!(through(file(), b"PGDMP\x01\x63 and more", 3), b"PGDMP\x01\x63 and more");
        assert_eq!(through(file(), b"PGD", 1), b"PGD");
    }

    fn entry(id: i64, kind: &str, tag: &str, needs: &[i64]) -> Entry {
        let schema = Some("public".to_owned());
        Entry { id, kind: kind.into(), schema, tag: tag.into(), needs: needs.into(), ..Entry::default() }
    }

    #[test]
    fn a_lane_empties_the_large_tables_that_were_made_for_it() {
        let (server, section) = (test_fixtures::server(15), Some(Section::Data));
        let large = ["a b", "theirs"].map(|name| ("public".to_owned(), name.to_owned())).to_vec();
        let options = RestoreOptions { section, large, ..test_fixtures::restore_options() };
        let mut entries = vec![entry(1, "TABLE", "a b", &[]), entry(2, "TABLE", "small", &[])];
        let lane = Freeze::lane(&server, &options, &entries).expect("a lane");
        let statement = |tag: &str, copy: &str| {
            let entry = entry(9, "TABLE DATA", tag, &[]);
            lane.frozen(&TocEntry { entry, has_data: true, copy: Some(copy.to_owned()), ..TocEntry::default() })
        };
        insta::assert_snapshot!(statement("a b", "COPY public.\"a b\" (\"x FROM stdin;\") FROM stdin;\n").expect("frozen"), @r#"
        TRUNCATE TABLE ONLY public."a b";
        COPY public."a b" ("x FROM stdin;") FROM stdin WITH (FREEZE);
        "#);
        // A small one, an extension's, one without columns, a partition's root, other forms.
        for (tag, copy) in [
            ("small", "COPY public.small (x) FROM stdin;\n"),
            ("theirs", "COPY public.theirs (x) FROM stdin;\n"),
            ("a b", "COPY public.\"a b\"  FROM stdin;\n"),
            ("a b", "COPY public.root (x) FROM stdin;\n"),
            ("a b", "COPY \"a b\" (x) FROM stdin;\n"),
            ("a b", "COPY public.\"a b\" WITH OIDS FROM stdin;\n"),
            ("a b", "COPY public.\"a b\" (\u{fffd}) FROM stdin;\n"),
        ] {
            assert_eq!(statement(tag, copy), None, "{copy}");
        }
        assert!(Freeze::lane(&test_fixtures::server(13), &options, &entries).is_none());
        entries.extend([entry(3, "FUNCTION", "reads(integer)", &[]), entry(4, "DOMAIN", "checked", &[3])]);
        assert!(Freeze::lane(&server, &options, &entries).is_none());
    }
}
