//! Counts rows of COPY text as they pass by, and sums their hashes. This runs on a dump's hot path: a newline is looked
//! for, and what stands before it is hashed where it stands.

use memchr::memchr_iter;

use crate::engine::RowSum;

/// What `pg_dump` writes after a table's last row: the end of COPY's data, and two empty lines.
const END: &[u8; 5] = b"\\.\n\n\n";

/// A table's COPY text, seen so far.
#[derive(Clone, Debug, Default)]
pub struct CopyText {
    newlines: u64,
    /// Bytes of the row that has not ended yet.
    open: u64,
    longest: u64,
    last: [u8; END.len()],
    /// Lines that end COPY's data: behind the first of them, a server reads no more rows.
    ends: u64,
    sum: RowSum,
}

impl CopyText {
    /// Takes the next bytes.
    pub fn see(&mut self, bytes: &[u8]) {
        let mut start = 0;
        for end in memchr_iter(b'\n', bytes) {
            self.sum.end(&bytes[start..end]);
            let length = self.open + (end - start) as u64;
            self.ends += u64::from(length == 2 && self.ends_data(&bytes[start..end]));
            self.longest = self.longest.max(length);
            self.open = 0;
            self.newlines += 1;
            start = end + 1;
        }
        self.sum.extend_row(&bytes[start..]);
        self.open += (bytes.len() - start) as u64;
        self.longest = self.longest.max(self.open);
        let keep = bytes.len().min(END.len());
        self.last.rotate_left(keep);
        self.last[END.len() - keep..].copy_from_slice(&bytes[bytes.len() - keep..]);
    }

    /// Whether a line of two bytes, of which these have just come, is the end of COPY's data.
    fn ends_data(&self, line: &[u8]) -> bool {
        let before = &self.last[END.len() - (2 - line.len())..];
        before.iter().chain(line).eq(b"\\.")
    }

    /// Rows so far; the end's own lines count as rows until the end is known.
    pub fn so_far(&self) -> u64 {
        self.newlines
    }

    /// The longest row in bytes, its newline not counted.
    pub fn longest(&self) -> u64 {
        self.longest
    }

    /// How many rows there were and the sum of their hashes, if the text ended as COPY text from `pg_dump` ends.
    pub fn finished(&self) -> Option<(u64, u64)> {
        if &self.last != END || self.ends != 1 {
            return None;
        }
        let mut sum = self.sum.clone();
        for line in [&b"\\."[..], b"", b""] {
            sum.without(line);
        }
        Some((self.newlines - 3, sum.sum()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rows_behind_their_end_are_no_rows() {
        for size in 1..9 {
            for (text, whole) in
                [("a\n\\.\n\n\n", true), ("a\n\\.\nb\n\\.\n\n\n", false), ("\\\\.\n.\\\n\\.\n\n\n", true)]
            {
                let mut rows = CopyText::default();
                text.as_bytes().chunks(size).for_each(|chunk| rows.see(chunk));
                assert_eq!(rows.finished().is_some(), whole, "{text:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_plain_count(lines in proptest::collection::vec("[a-z]{0,20}", 0..50), size in 1usize..17) {
            let ends = ["\\.", "", "", ""].map(str::to_owned);
            let text = [lines.as_slice(), &ends].concat().join("\n");
            let mut rows = CopyText::default();
            text.as_bytes().chunks(size).for_each(|chunk| rows.see(chunk));
            let mut sum = RowSum::default();
            for line in &lines {
                sum.end(line.as_bytes());
            }
            prop_assert_eq!(rows.finished(), Some((lines.len() as u64, sum.sum())));
            let longest = lines.iter().map(String::len).max().unwrap_or(0).max(2);
            prop_assert_eq!(rows.longest(), longest as u64);
        }
    }

    #[test]
    fn text_without_its_end_has_no_count() {
        let mut rows = CopyText::default();
        rows.see(b"1\n2\n\\.\n\n");
        assert_eq!(rows.finished(), None);
    }
}
