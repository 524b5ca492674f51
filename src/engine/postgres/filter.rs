//! Adapts a script on its way into `psql`: lines that the target or an older `psql` does not know are dropped.
//!
//! `SET transaction_timeout` and `\restrict` stand in a dump's header, before the first statement that makes
//! something but a schema; behind it bytes pass as they are. `\unrestrict` comes at the end, with the header's random token, which
//! no other line can hold.

use memchr::memmem;

use crate::engine::Filter;

/// A header longer than this is none.
const LONGEST_HEADER: usize = 64 << 10;

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

/// The filter of one script.
#[expect(clippy::struct_excessive_bools, reason = "each is one line that goes or stays")]
#[derive(Debug, Default)]
pub struct Adapter {
    drop_timeout: bool,
    restriction: Restriction,
    begun: bool,
    drop_public: bool,
    header_is_over: bool,
    /// Bytes that wait for the rest of their line, or for the rest of the line that is looked for.
    held: Vec<u8>,
    /// The line that ends the restriction.
    unrestrict: Option<Vec<u8>>,
    timeouts: u64,
    restricts: u64,
    publics: u64,
}

impl Adapter {
    /// A filter that drops `SET transaction_timeout`, if asked, and does with `\restrict` as told.
    pub fn new(drop_timeout: bool, restriction: Restriction) -> Self {
        Self { drop_timeout, restriction, ..Self::default() }
    }

    /// Whether it changes anything.
    pub fn is_needed(&self) -> bool {
        self.drop_timeout || self.drop_public || self.restriction != Restriction::AsItIs
    }

    /// Drops `CREATE SCHEMA public` too, which `pg_dump --schema=public` writes and every database has already.
    pub fn without_public(self) -> Self {
        Self { drop_public: true, ..self }
    }

    /// Takes whole lines of the header from what is held.
    fn header(&mut self, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        let mut rest = held.as_slice();
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, behind) = rest.split_at(end + 1);
            if !belongs_to_header(line) {
                self.header_is_over = true;
                break;
            }
            if !self.drops(line) {
                out.extend_from_slice(line);
            }
            rest = behind;
        }
        self.header_is_over |= rest.len() > LONGEST_HEADER;
        self.held = rest.to_vec();
    }

    fn drops(&mut self, line: &[u8]) -> bool {
        if self.drop_timeout && line == b"SET transaction_timeout = 0;\n" {
            self.timeouts += 1;
            return true;
        }
        if self.drop_public && line == b"CREATE SCHEMA public;\n" {
            self.publics += 1;
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
    fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if let (Restriction::Ours(token), false) = (&self.restriction, std::mem::replace(&mut self.begun, true)) {
            out.extend_from_slice(format!("\\restrict {token}\n").as_bytes());
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
            if self.held.ends_with(&wanted[..wanted.len() - 1]) {
                self.held.truncate(self.held.len() + 2 - wanted.len());
            }
        }
        out.append(&mut self.held);
    }

    fn adaptations(&self) -> Vec<(String, u64)> {
        [
            ("SET transaction_timeout left out", self.timeouts),
            ("\\restrict left out", self.restricts),
            ("CREATE SCHEMA public left out", self.publics),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(what, count)| (what.to_owned(), count))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "--\n\n\\restrict abc\n\nSET transaction_timeout = 0;\nSET lock_timeout = 0;\n\nCREATE TABLE t ();\n\
                          COPY t FROM stdin;\nSET transaction_timeout = 0;\n\\\\unrestrict abc\n\\.\n-- done\n\n\\unrestrict abc\n\n";

    fn adapted(mut adapter: Adapter, size: usize) -> (String, Vec<(String, u64)>) {
        let mut out = Vec::new();
        SCRIPT.as_bytes().chunks(size).for_each(|chunk| adapter.push(chunk, &mut out));
        adapter.finish(&mut out);
        (String::from_utf8(out).expect("text"), adapter.adaptations())
    }

    #[test]
    fn only_the_exact_lines_go_however_the_bytes_come() {
        let without_timeout = SCRIPT.replacen("SET transaction_timeout = 0;\n", "", 1);
        let without_restrict = SCRIPT.replacen("\\restrict abc\n", "", 1).replace("\n\n\\unrestrict abc\n", "\n\n");
        for size in 1..=SCRIPT.len() {
            assert_eq!(adapted(Adapter::new(false, Restriction::AsItIs), size), (SCRIPT.to_owned(), vec![]));
            assert_eq!(adapted(Adapter::new(true, Restriction::AsItIs), size).0, without_timeout);
            let ours = adapted(Adapter::new(false, Restriction::Ours("xyz".into())), size);
            assert_eq!(ours, (format!("\\restrict xyz\n{without_restrict}"), vec![]), "{size}");
            let (text, counts) = adapted(Adapter::new(false, Restriction::Unknown), size);
            assert_eq!(text, without_restrict, "{size}");
            assert_eq!(counts, [("\\restrict left out".to_owned(), 1)]);
        }
    }
}
