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
}

impl Stray {
    /// What stands at the beginning of this text: one line, or several of one program.
    #[must_use]
    pub fn at(text: &[u8], line: u64, offset: u64) -> Self {
        let mut lines = text.split(|&byte| byte == b'\n');
        let first = lines.next().unwrap_or_default();
        let count = 1 + if is_said(first) { lines.take_while(|line| is_said(line)).count() as u64 } else { 0 };
        let shown = String::from_utf8_lossy(&first[..first.len().min(SHOWN)]).trim().to_owned();
        Self { line, count, text: shown, offset }
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

/// Looks for lines of a program's among the rows of its own dump. It writes no line feed into them.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// The last bytes, in which such a line may have begun.
    tail: Vec<u8>,
}

impl Watch {
    /// What is looked for is no longer.
    const LONGEST: usize = 16;

    /// Where in these bytes such a line begins; one that began in the bytes before begins at 0.
    pub fn see(&mut self, bytes: &[u8]) -> Option<usize> {
        let head = &bytes[..bytes.len().min(Self::LONGEST)];
        let border = [self.tail.as_slice(), head].concat();
        let found = find(&border).map(|at| at.saturating_sub(self.tail.len())).or_else(|| find(bytes));
        let end = if bytes.len() > Self::LONGEST { bytes } else { &border };
        self.tail = end[end.len().saturating_sub(Self::LONGEST)..].to_vec();
        found
    }

    /// Other bytes stand between.
    pub fn forget(&mut self) {
        self.tail.clear();
    }
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
                found.extend(watch.see(bytes).map(|at| before + at));
                before += bytes.len();
            }
            assert!(!found.is_empty(), "chunks of {chunk}");
        }
        assert_eq!(Watch::default().see(b"mysqldump: at no beginning of a line"), None);
    }
}
