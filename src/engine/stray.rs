//! Lines of a script that are no SQL: what a program wrote to its error output, caught in its dump
//! (`mysqldump ... > dump.sql 2>&1`). A client finds such a line when it gets there; it is looked for before.

use memchr::memmem;

/// Programs that write dumps, as they call themselves at the beginning of a line.
const PROGRAMS: [&str; 6] =
    ["mysqldump: ", "mariadb-dump: ", "mysqlpump: ", "mysqldump.exe: ", "pg_dump: ", "pg_dumpall: "];

/// The byte order mark that some editors put before a text, which no server takes.
pub const MARK: &[u8] = b"\xef\xbb\xbf";

/// As much of a line is shown.
const SHOWN: usize = 160;

/// Lines that are no SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// The first of them, from 1.
    pub line: u64,
    /// How many follow one another.
    pub count: u64,
    /// The first of them, or its beginning.
    pub text: String,
    /// Where it stands in the dump.
    pub offset: u64,
    /// It begins in the middle of a line, the rest of which is the dump's.
    pub is_within: bool,
}

/// The fact that names a row which looks like such a line, and may be one.
pub const ROW: &str = "rows.look_stray";

impl Stray {
    /// What stands at the beginning of this text: one line, or several of one program.
    #[must_use]
    pub fn at(text: &[u8], line: u64, offset: u64) -> Self {
        let mut lines = text.split(|&byte| byte == b'\n');
        let first = lines.next().unwrap_or_default();
        let count = 1 + if is_said(first) { lines.take_while(|line| is_said(line)).count() as u64 } else { 0 };
        let shown = String::from_utf8_lossy(&first[..first.len().min(SHOWN)]).trim().to_owned();
        Self { line, count, text: shown, offset, is_within: false }
    }

    /// The lines as `sed` names them: `7`, `7,9`.
    #[must_use]
    pub fn address(&self) -> String {
        if self.count > 1 { format!("{},{}", self.line, self.line + self.count - 1) } else { self.line.to_string() }
    }
}

fn is_said(line: &[u8]) -> bool {
    PROGRAMS.iter().any(|program| line.starts_with(program.as_bytes()))
}

/// Looks for what a program said among the rows of its own dump. It writes no line feed into a row; behind one, a comma,
/// a semicolon or a word (`VALUES`) stands before it.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// The last bytes, in which such words may have begun.
    tail: Vec<u8>,
    /// Such words stand on this line: in a row, or what the program said.
    named: bool,
}

impl Watch {
    /// What is looked for is no longer.
    const LONGEST: usize = 16;

    /// Where in these bytes such words begin, or a line of them; what began in the bytes before begins at 0.
    pub fn see(&mut self, bytes: &[u8]) -> Option<FoundAt> {
        let head = &bytes[..bytes.len().min(Self::LONGEST)];
        let border = [self.tail.as_slice(), head].concat();
        let line = find(&border).map(|at| at.saturating_sub(self.tail.len())).or_else(|| find(bytes));
        let within = self.within(&border, bytes);
        let end = if bytes.len() > Self::LONGEST { bytes } else { &border };
        self.tail = end[end.len().saturating_sub(Self::LONGEST)..].to_vec();
        line.map(|at| FoundAt { at, is_within: false }).or(within.map(|at| FoundAt { at, is_within: true }))
    }

    /// Where words begin in the middle of a line that no row ends.
    fn within(&mut self, border: &[u8], bytes: &[u8]) -> Option<usize> {
        let before = self.tail.len();
        let mut from = 0;
        loop {
            // What lies in the tail alone was seen with it.
            let in_border =
                named(border).map(|(at, length)| (at.saturating_sub(before), (at + length).saturating_sub(before)));
            let first = in_border.filter(|(_, end)| from == 0 && *end > 0);
            let found = first.or_else(|| named(&bytes[from..]).map(|(at, length)| (from + at, from + at + length)));
            let (at, end) = match found {
                _ if self.named => (0, from),
                Some(found) => found,
                None => return None,
            };
            let Some(feed) = memchr::memchr(b'\n', &bytes[end.min(bytes.len())..]).map(|feed| end + feed) else {
                self.named = true;
                return None;
            };
            self.named = false;
            let last = bytes[..feed].iter().rev().chain(self.tail.iter().rev()).find(|byte| **byte != b'\r');
            if !last.is_some_and(|last| [b',', b';'].contains(last)) {
                return Some(at);
            }
            from = feed + 1;
        }
    }

    /// Other bytes stand between.
    pub fn forget(&mut self) {
        self.tail.clear();
        self.named = false;
    }
}

/// Where words of a program's were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundAt {
    /// In the bytes that were seen last.
    pub at: usize,
    /// In the middle of a line.
    pub is_within: bool,
}

/// Where a MySQL program names itself, and how long that name is.
fn named(bytes: &[u8]) -> Option<(usize, usize)> {
    let needles = [&b"mysqldump: "[..], b"mariadb-dump: "];
    needles.iter().filter_map(|needle| Some((memmem::find(bytes, needle)?, needle.len()))).min()
}

/// Where a line begins that a MySQL program wrote, behind a line feed.
#[must_use]
pub fn find(bytes: &[u8]) -> Option<usize> {
    let needles = [&b"\nmysqldump: "[..], b"\nmariadb-dump: "];
    needles.iter().filter_map(|needle| memmem::find(bytes, needle)).min().map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_one_program_are_one_place() {
        let stray = Stray::at(b"pg_dump: warning: x\npg_dump: hint: y\n--\n", 3, 40);
        assert_eq!((stray.address().as_str(), stray.text.as_str()), ("3,4", "pg_dump: warning: x"));
        assert_eq!(Stray::at(b"Warning: a\nmysqldump: b", 1, 0).address(), "1");
    }

    #[test]
    fn a_line_is_found_across_every_border() {
        let text = b"(1,'a'),\nmariadb-dump: Got error\n(2,'b')";
        for chunk in 1..text.len() {
            let (mut watch, mut found, mut before) = (Watch::default(), Vec::new(), 0);
            for bytes in text.chunks(chunk) {
                found.extend(watch.see(bytes).map(|place| before + place.at));
                before += bytes.len();
            }
            assert!(!found.is_empty(), "chunks of {chunk}");
        }
        assert_eq!(Watch::default().see(b"mysqldump: at no beginning of a line"), None);
    }

    #[test]
    fn words_within_a_line_are_told_from_a_row_that_holds_them() {
        for (text, expected) in [
            ("(1,'a'),(2,'bmysqldump: Got error: 1: x\nc'),(3,'d')", true),
            ("(1,'a'),mariadb-dump: Got error: it's\r\n(2,'b')", true),
            ("(1,'mysqldump: Got error: 1'),(2,'b'),\n(3,'c');\n", false),
            ("(1,'mysqldump: '),\n(2,'mysqldump: Got error');\n", false),
            ("(1,'mysqldump: '),\n(2,'mysqldump: Got error\n", true),
        ] {
            for chunk in 1..text.len() {
                let mut watch = Watch::default();
                let found = text.as_bytes().chunks(chunk).any(|bytes| watch.see(bytes).is_some());
                assert_eq!(found, expected, "{text}, chunks of {chunk}");
            }
        }
    }
}
