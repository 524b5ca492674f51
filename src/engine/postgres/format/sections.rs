//! The sections of a plain dump: `pg_dump` writes each entry of its table of contents behind a comment of its own.
//!
//! What a custom archive says of its entries is read from the sections' words: which tables a foreign key, an index or
//! an ownership names. Names are looked for as `pg_dump` has written them since 10.3, with their schemas.

use super::dump_lines::qualified;
use super::name_index::NameIndex;
use crate::engine::Entry;

/// As much of a section is looked at for names; what belongs to a table names it in its first lines.
const READ: usize = 16 << 10;

/// What `pg_dump --verbose` writes between the dashes and an entry's name.
const VERBOSE: [&str; 2] = ["TOC entry ", "Dependencies: "];

/// What other sections name.
const THINGS: [&str; 19] = [
    "TABLE",
    "VIEW",
    "MATERIALIZED VIEW",
    "FOREIGN TABLE",
    "SEQUENCE",
    "INDEX",
    "CONSTRAINT",
    "TYPE",
    "DOMAIN",
    "SCHEMA",
    "FUNCTION",
    "AGGREGATE",
    "PROCEDURE",
    "COLLATION",
    "OPERATOR CLASS",
    "OPERATOR FAMILY",
    "TEXT SEARCH CONFIGURATION",
    "TEXT SEARCH DICTIONARY",
    "TEXT SEARCH PARSER",
];

/// Gathers the sections of a script.
#[derive(Default)]
pub struct Sections {
    entries: Vec<Entry>,
    places: NameIndex,
    /// The section that is passing by has no end yet.
    open: bool,
    /// The beginning of its text.
    text: String,
    /// Where the line before this one starts, if it was `--`.
    dashes: Option<u64>,
}

impl Sections {
    /// Takes a line that began outside of strings and rows; `between` when no statement was open before it.
    pub fn line(&mut self, line: &str, start: u64, between: bool) {
        let dashes = self.dashes.take().filter(|_| between);
        if let Some(header) = line.strip_prefix("-- ").filter(|_| dashes.is_some()) {
            let at = dashes.unwrap_or(start);
            if VERBOSE.iter().any(|words| header.starts_with(words)) {
                self.dashes = dashes;
            } else if let Some(entry) = entry(header) {
                self.end(at);
                self.begin(entry, at);
            } else if header.ends_with(" complete") {
                self.end(at);
            }
        } else if line == "--" {
            self.dashes = Some(start);
        } else if between && line.starts_with("SET ") && line.ends_with(';') {
            // A setting for everything that follows: it stays whatever is left out.
            self.end(start);
        } else if self.open && self.text.len() < READ {
            self.text.push_str(line);
            self.text.push('\n');
        }
    }

    /// How many there are so far.
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// All entries; the script has so many bytes.
    pub fn finish(mut self, length: u64) -> Vec<Entry> {
        self.end(length);
        self.entries
    }

    fn begin(&mut self, mut entry: Entry, at: u64) {
        entry.id = i64::try_from(self.entries.len()).unwrap_or(i64::MAX - 1) + 1;
        entry.span = Some(at..at);
        self.places.insert(entry.schema.as_deref(), called(&entry), self.entries.len());
        self.entries.push(entry);
        self.open = true;
        self.text.clear();
    }

    fn end(&mut self, at: u64) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        let Some(mut entry) = self.entries.pop() else { return };
        if let Some(span) = &mut entry.span {
            span.end = at;
        }
        entry.needs = self.needs(&entry);
        if entry.kind == "CONSTRAINT" {
            // Its index has its name.
            let mut tables = entry.needs.iter().filter_map(|id| self.entries.get(place(*id)));
            if let Some(index) = tables.find_map(|t| entry.tag.strip_prefix(&t.tag)?.strip_prefix(' ')) {
                self.places.insert(entry.schema.as_deref(), index, self.entries.len());
            }
        }
        if entry.kind == "SEQUENCE OWNED BY" {
            // The sequence goes with the table that owns it, which is named here only.
            let (own, owners): (Vec<i64>, Vec<i64>) =
                entry.needs.iter().partition(|id| self.entries[place(**id)].kind == "SEQUENCE");
            for id in own {
                self.entries[place(id)].needs.extend(&owners);
            }
        }
        self.entries.push(entry);
    }

    /// The entries that a section names.
    fn needs(&self, entry: &Entry) -> Vec<i64> {
        // Rows and values stand behind the name of what holds them.
        if entry.kind.ends_with(" DATA") || entry.kind == "SEQUENCE SET" {
            return self.called(entry.schema.as_deref(), &entry.tag, entry);
        }
        if let Some(schema) = entry.tag.strip_prefix("SCHEMA ").filter(|_| entry.schema.is_none()) {
            return self.called(None, schema, entry);
        }
        let mut needs = Vec::new();
        for (schema, name) in names(definition(entry, &self.text)) {
            for id in self.called(Some(&schema), &name, entry) {
                if !needs.contains(&id) {
                    needs.push(id);
                }
            }
            // A comment or a grant is about the first thing that it names; what follows is its text.
            if ["COMMENT", "ACL"].contains(&entry.kind.as_str()) && !needs.is_empty() {
                break;
            }
        }
        needs
    }

    /// The entries of this name, belongings' rows and the asking one left out.
    fn called(&self, schema: Option<&str>, name: &str, asking: &Entry) -> Vec<i64> {
        let found = self.places.of(schema, name).filter_map(|place| self.entries.get(place));
        let found = found.filter(|entry| entry.schema.as_deref() == schema && is_called(entry, name));
        found.filter(|e| THINGS.contains(&e.kind.as_str()) && e.id != asking.id).map(|e| e.id).collect()
    }
}

/// The entry has this name; a constraint's stands behind that of its table.
fn is_called(entry: &Entry, name: &str) -> bool {
    called(entry) == name
        || entry.kind == "CONSTRAINT" && entry.tag.strip_suffix(name).is_some_and(|table| table.ends_with(' '))
}

/// The name that others call it by: a function's stands before its arguments.
pub fn called(entry: &Entry) -> &str {
    if is_routine(entry) { entry.tag.split('(').next().unwrap_or_default() } else { &entry.tag }
}

fn is_routine(entry: &Entry) -> bool {
    ["FUNCTION", "AGGREGATE", "PROCEDURE"].contains(&entry.kind.as_str())
}

/// What is looked at when the entry is made: a function's body in a string is not.
fn definition<'t>(entry: &Entry, text: &'t str) -> &'t str {
    let body = ["\n    AS $", "\n    AS '"].iter().filter_map(|start| text.find(start)).min();
    &text[..body.filter(|_| is_routine(entry)).unwrap_or(text.len())]
}

/// Entries are numbered from 1.
fn place(id: i64) -> usize {
    usize::try_from(id - 1).unwrap_or(usize::MAX)
}

/// `Name: users; Type: TABLE; Schema: public; Owner: -`, also `Data for Name: ...`.
fn entry(header: &str) -> Option<Entry> {
    let rest = ["Name: ", "Data for Name: ", "Statistics for Name: "].iter().find_map(|p| header.strip_prefix(p))?;
    // The name may hold anything: the last such words count.
    let (rest, owner) = rest.rsplit_once("; Owner: ")?;
    let (rest, schema) = rest.rsplit_once("; Schema: ")?;
    let (tag, kind) = rest.rsplit_once("; Type: ")?;
    let known = |text: &str| (text != "-").then(|| text.to_owned());
    Some(Entry {
        kind: kind.to_owned(),
        schema: known(schema),
        tag: tag.to_owned(),
        owner: known(owner.split("; Tablespace: ").next().unwrap_or(owner)),
        ..Entry::default()
    })
}

/// Names with a schema before them, outside of strings.
pub fn names(text: &str) -> Vec<(String, String)> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            let end = rest[1..].find('\'').map_or(rest.len(), |end| end + 2);
            // `nextval('public.numbers'::regclass)`
            let is_name = rest[end..].starts_with("::regclass");
            if let Some((Some(schema), name, _)) = rest.get(1..end - 1).filter(|_| is_name).and_then(qualified) {
                names.push((schema, name));
            }
            rest = &rest[end..];
        } else if first == '"' || first.is_alphabetic() || first == '_' {
            match qualified(rest) {
                Some((Some(schema), name, behind)) => {
                    names.push((schema, name));
                    rest = behind;
                }
                // A word, or a name alone.
                Some((None, _, behind)) if behind.len() < rest.len() => rest = behind,
                _ => rest = &rest[first.len_utf8()..],
            }
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_from_its_end() {
        let read =
            entry("Name: odd; Type: x; Type: TABLE; Schema: a.b; Owner: me; Tablespace: fast").expect("an entry");
        assert_eq!((read.tag.as_str(), read.kind.as_str()), ("odd; Type: x", "TABLE"));
        assert_eq!((read.schema.as_deref(), read.owner.as_deref()), (Some("a.b"), Some("me")));
        assert_eq!(entry("Name: SCHEMA x; Type: COMMENT; Schema: -; Owner: -").expect("an entry").schema, None);
        assert_eq!(entry("Dumped from database version 15"), None);
    }

    #[test]
    fn names_are_found_outside_of_strings() {
        let text = "ALTER TABLE ONLY public.orders\n ADD CONSTRAINT x FOREIGN KEY (a) REFERENCES \"Odd\".\"t\"\"x\"(id) -- 'public.no'\n";
        let found = names(text);
        assert_eq!(found, [("public".into(), "orders".into()), ("Odd".into(), "t\"x".into())]);
        assert_eq!(names("CREATE INDEX i ON ONLY s.t USING btree (lower(s.f(x)))").len(), 2);
    }
}
