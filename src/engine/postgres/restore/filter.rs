//! Adapts a script on its way into `psql`: lines that the target or an older `psql` does not know are dropped.
//!
//! `SET transaction_timeout` and `\restrict` stand in a dump's header, before the first statement that makes
//! something but a schema; behind it bytes pass as they are. `\unrestrict` comes at the end, with the header's random
//! token, which no other line can hold. A line within a string or a name, which may have several, is never one of them.
//!
//! What `pg_dump --clean` drops first need not be there: the target may be empty, and the transaction would end.
//!
//! A script gets its transaction here, and not from psql, which would commit whatever it got when its input breaks off.

use memchr::{memchr, memmem};

use super::drops;
use crate::engine::Filter;
use crate::engine::postgres::sql::lexer::Lexer;
use crate::engine::stray::MARK;

/// A line longer than this is none of the header's.
const LONGEST_LINE: usize = 64 << 10;

/// What becomes of `\restrict`, between which and `\unrestrict` psql obeys no command of the script's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Restriction {
    /// The script's own stands, if it has one.
    #[default]
    AsItIs,
    /// This psql does not know it: the lines go.
    Unknown,
    /// Ours takes its place, from before the first line to behind the last; with a token that the script can't know.
    Ours(String),
}

/// The transaction that a script runs in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Transaction {
    /// What the session is told before it begins.
    pub settings: String,
    /// What is done in it before the script: psql may obey commands here.
    pub first: String,
    /// The script brings `BEGIN` and `COMMIT` of its own.
    pub is_scripts: bool,
}

/// The filter of one script.
#[expect(clippy::struct_excessive_bools, reason = "each is one line that goes or stays")]
#[derive(Debug, Default)]
pub struct Adapter {
    drop_timeout: bool,
    restriction: Restriction,
    transaction: Option<Transaction>,
    begun: bool,
    drop_public: bool,
    header_is_over: bool,
    /// Where the header's next line stands: in a statement, or within a name.
    lexer: Lexer,
    /// Bytes that wait for the rest of their line, or for the rest of the line that is looked for.
    held: Vec<u8>,
    /// The line that ends the restriction.
    unrestrict: Option<Vec<u8>>,
    timeouts: u64,
    restricts: u64,
    publics: u64,
    forgiven: u64,
}

impl Adapter {
    /// A filter that drops `SET transaction_timeout`, if asked, and does with `\restrict` as told.
    pub fn new(drop_timeout: bool, restriction: Restriction) -> Self {
        Self { drop_timeout, restriction, ..Self::default() }
    }

    /// Runs the script in this transaction, which is begun with its first byte and committed behind its last.
    pub fn within(self, transaction: Transaction) -> Self {
        Self { transaction: Some(transaction), ..self }
    }

    /// Drops `CREATE SCHEMA public` too, which `pg_dump --schema=public` writes and every database has already.
    pub fn without_public(self) -> Self {
        Self { drop_public: true, ..self }
    }

    /// Takes whole lines of the header from what is held.
    fn header(&mut self, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        let mut rest = held.as_slice();
        while let Some(end) = memchr(b'\n', &rest[..rest.len().min(LONGEST_LINE)]) {
            let (line, behind) = rest.split_at(end + 1);
            if !self.lexer.outside() {
                out.extend_from_slice(line);
            } else if !self.drops(line) {
                if let Some(forgiving) = drops::if_exists(line) {
                    out.extend(forgiving);
                    self.forgiven += 1;
                } else if belongs_to_header(line) {
                    out.extend_from_slice(line);
                } else {
                    self.header_is_over = true;
                    break;
                }
            }
            for &byte in line {
                self.lexer.see(byte);
            }
            rest = behind;
        }
        self.header_is_over |= rest.len() >= LONGEST_LINE;
        self.held = rest.to_vec();
    }

    fn drops(&mut self, line: &[u8]) -> bool {
        if self.drop_timeout && line == b"SET transaction_timeout = 0;\n" {
            self.timeouts += 1;
            return true;
        }
        if self.transaction.as_ref().is_some_and(|t| t.is_scripts) && line == b"BEGIN;\n" {
            return true;
        }
        if self.drop_public && line == b"CREATE SCHEMA public;\n" {
            self.publics += 1;
            return true;
        }
        // A dump of nothing is all header.
        if self.unrestrict.as_ref().is_some_and(|wanted| wanted[1..] == *line) {
            self.unrestrict = None;
            return true;
        }
        let stays = self.restriction == Restriction::AsItIs;
        let Some(token) = line.strip_prefix(b"\\restrict ").filter(|_| !stays) else { return false };
        self.unrestrict = Some([b"\n\\unrestrict ", token].concat());
        self.restricts += u64::from(self.restriction == Restriction::Unknown);
        true
    }

    /// Passes on what can't be part of the line that is looked for.
    fn body(&mut self, out: &mut Vec<u8>) {
        let Some(wanted) = &self.unrestrict else {
            out.append(&mut self.held);
            return;
        };
        if let Some(at) = memmem::find(&self.held, wanted) {
            // The newline before the line stays.
            self.held.drain(at + 1..at + wanted.len());
            self.unrestrict = None;
            out.append(&mut self.held);
            return;
        }
        let keep = self.held.len().min(wanted.len() - 1);
        let passed = self.held.len() - keep;
        out.extend(self.held.drain(..passed));
    }
}

fn belongs_to_header(line: &[u8]) -> bool {
    let starts = [
        b"--".as_slice(),
        b"\n",
        b"BEGIN;\n",
        b"SET ",
        b"\\restrict ",
        b"SELECT pg_catalog.set_config(",
        b"CREATE SCHEMA ",
    ];
    starts.iter().any(|start| line.starts_with(start))
}

impl Filter for Adapter {
    fn push(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            // psql passes over a mark on its first line, which is ours.
            bytes = bytes.strip_prefix(MARK).unwrap_or(bytes);
            if let Some(transaction) = &self.transaction {
                out.extend_from_slice(format!("{}BEGIN;\n{}", transaction.settings, transaction.first).as_bytes());
            }
            if let Restriction::Ours(token) = &self.restriction {
                out.extend_from_slice(format!("\\restrict {token}\n").as_bytes());
            }
        }
        if self.header_is_over && self.unrestrict.is_none() {
            out.append(&mut self.held);
            out.extend_from_slice(bytes);
            return;
        }
        self.held.extend_from_slice(bytes);
        if !self.header_is_over {
            self.header(out);
        }
        if self.header_is_over {
            self.body(out);
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if let Some(wanted) = self.unrestrict.take() {
            // The last line may have lost its newline.
            let line = &wanted[1..wanted.len() - 1];
            let starts =
                if self.header_is_over { self.held.ends_with(&wanted[..wanted.len() - 1]) } else { self.held == line };
            if starts {
                self.held.truncate(self.held.len() - line.len());
            }
        }
        out.append(&mut self.held);
        if self.begun && self.transaction.as_ref().is_some_and(|t| !t.is_scripts) {
            out.extend_from_slice(b"\nCOMMIT;\n");
        }
    }

    fn adaptations(&self) -> Vec<(String, u64)> {
        [
            ("SET transaction_timeout left out", self.timeouts),
            ("\\restrict left out", self.restricts),
            ("CREATE SCHEMA public left out", self.publics),
            ("IF EXISTS added to what the dump drops first", self.forgiven),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(what, count)| (what.to_owned(), count))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SCRIPT: &str = "--\n\n\\restrict abc\n\nSET transaction_timeout = 0;\nSET lock_timeout = 0;\n\nCREATE TABLE t ();\n\
                          COPY t FROM stdin;\nSET transaction_timeout = 0;\n\\\\unrestrict abc\n\\.\n-- done\n\n\\unrestrict abc\n\n";

    fn adapted(mut adapter: Adapter, script: &str, size: usize) -> (String, Vec<(String, u64)>) {
        let mut out = Vec::new();
        script.as_bytes().chunks(size).for_each(|chunk| adapter.push(chunk, &mut out));
        adapter.finish(&mut out);
        (String::from_utf8(out).expect("text"), adapter.adaptations())
    }

    #[test]
    fn only_the_exact_lines_go_however_the_bytes_come() {
        let without_timeout = SCRIPT.replacen("SET transaction_timeout = 0;\n", "", 1);
        let without_restrict = SCRIPT.replacen("\\restrict abc\n", "", 1).replace("\n\n\\unrestrict abc\n", "\n\n");
        for size in 1..=SCRIPT.len() {
            assert_eq!(adapted(Adapter::new(false, Restriction::AsItIs), SCRIPT, size), (SCRIPT.to_owned(), vec![]));
            assert_eq!(adapted(Adapter::new(true, Restriction::AsItIs), SCRIPT, size).0, without_timeout);
            let ours = adapted(Adapter::new(false, Restriction::Ours("xyz".into())), SCRIPT, size);
            assert_eq!(ours, (format!("\\restrict xyz\n{without_restrict}"), vec![]), "{size}");
            let (text, counts) = adapted(Adapter::new(false, Restriction::Unknown), SCRIPT, size);
            assert_eq!(text, without_restrict, "{size}");
            assert_eq!(counts, [("\\restrict left out".to_owned(), 1)]);
        }
    }

    #[test]
    fn a_dump_of_nothing_is_all_header() {
        let script = "--\n\n\\restrict abc\n\nSET lock_timeout = 0;\n\n--\n-- done\n--\n\n\\unrestrict abc\n\n";
        for script in [script, &script[..script.len() - 2]] {
            for size in 1..=script.len() {
                let (text, _) = adapted(Adapter::new(false, Restriction::Unknown), script, size);
                assert!(!text.contains("restrict") && text.contains("-- done\n--\n\n"), "{text}");
            }
        }
    }

    #[test]
    fn a_line_within_a_name_or_a_string_stays() {
        for script in [
            "CREATE SCHEMA \"a\nSET transaction_timeout = 0;\nb\";\n",
            "SET x = 'a\nCREATE SCHEMA public;\n';\n",
            "SELECT pg_catalog.set_config('a', E'\\'\n\\restrict abc\n', false);\n",
            "CREATE SCHEMA /* /* \n*/\nCREATE SCHEMA public;\n*/ x;\n",
        ] {
            let all = Adapter::new(true, Restriction::Unknown).without_public();
            assert_eq!(adapted(all, script, 7), (script.to_owned(), vec![]));
        }
    }

    /// Lines that go, and pieces that only look like them: within strings, names, comments, bodies and rows.
    fn script() -> impl Strategy<Value = (String, String)> {
        const GO: [&str; 2] = ["SET transaction_timeout = 0;\n", "CREATE SCHEMA public;\n"];
        const STAY: [&str; 6] =
            ["SET lock_timeout = 0;\n", "--\n", "\n", "-- it's $$ \" /*\n", "CREATE SCHEMA x;\n", "BEGIN;\n"];
        const QUOTES: [(&str, &str); 5] = [
            ("SET x = '", "';\n"),
            ("CREATE SCHEMA \"", "\";\n"),
            ("SET x = E'\\'", "';\n"),
            ("SET x TO $q$", "$q$;\n"),
            ("CREATE SCHEMA /* /* */", "*/ y;\n"),
        ];
        const INSIDE: [&str; 6] = [GO[0], GO[1], "\n", "\n\\restrict no\n", "''", "\"\""];
        let kept = |text: String| (text.clone(), text);
        let inside = prop::collection::vec(prop::sample::select(&INSIDE[..]), 0..4).prop_map(|pieces| pieces.concat());
        let line = prop_oneof![
            prop::sample::select(&GO[..]).prop_map(|line| (line.to_owned(), String::new())),
            prop::sample::select(&STAY[..]).prop_map(move |line| kept(line.to_owned())),
            (prop::sample::select(&QUOTES[..]), inside.clone())
                .prop_map(move |((open, close), inside)| kept([open, &inside, close].concat())),
        ];
        let body = prop::collection::vec(
            prop_oneof![Just("COPY t FROM stdin;\n"), Just("\\.\n"), Just("$$;\n"), prop::sample::select(&INSIDE[..])],
            0..8,
        );
        (prop::collection::vec(line, 0..10), any::<bool>(), body).prop_map(|(lines, restricted, body)| {
            let (before, after): (Vec<String>, Vec<String>) = lines.into_iter().unzip();
            let body = ["CREATE TABLE t ();\n", &body.concat(), "\n\n"].concat();
            let (start, end) = if restricted { ("\\restrict abc\n", "\\unrestrict abc\n") } else { ("", "") };
            ([start, &before.concat(), &body, end].concat(), [&after.concat(), body.as_str()].concat())
        })
    }

    proptest! {
        #[test]
        fn nothing_goes_but_lines_of_the_header((before, after) in script(), size in 1..80_usize) {
            let all = Adapter::new(true, Restriction::Unknown).without_public();
            prop_assert_eq!(adapted(all, &before, size).0, after, "{}", before);
        }
    }
}
