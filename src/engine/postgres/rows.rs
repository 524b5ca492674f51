//! Counts rows of COPY text as they pass by. This runs on a dump's hot path, so it never looks at a line for its own
//! sake: newlines are counted in bulk, and the longest row is found by leaping.

use memchr::{memchr, memchr_iter, memrchr};

/// What `pg_dump` writes after a table's last row: the end of COPY's data, and two empty lines.
const END: &[u8; 5] = b"\\.\n\n\n";

/// A table's COPY text, seen so far.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    newlines: u64,
    /// Bytes of the row that has not ended yet.
    open: u64,
    longest: u64,
    last: [u8; END.len()],
}

impl Rows {
    /// Takes the next bytes.
    pub fn see(&mut self, bytes: &[u8]) {
        self.newlines += memchr_iter(b'\n', bytes).count() as u64;
        self.measure(bytes);
        let keep = bytes.len().min(END.len());
        self.last.rotate_left(keep);
        self.last[END.len() - keep..].copy_from_slice(&bytes[bytes.len() - keep..]);
    }

    /// Rows so far; the end's own lines count as rows until the end is known.
    pub fn so_far(&self) -> u64 {
        self.newlines
    }

    /// The longest row in bytes, its newline not counted.
    pub fn longest(&self) -> u64 {
        self.longest
    }

    /// How many rows there were, if the text ended as COPY text from `pg_dump` ends.
    pub fn finished(&self) -> Option<u64> {
        (&self.last == END).then(|| self.newlines - 3)
    }

    /// A row longer than the longest yet has no newline among its first `longest + 1` bytes. So we look for the last
    /// newline in that window, and leap there: the rows in between are all too short to matter.
    fn measure(&mut self, bytes: &[u8]) {
        let mut start = 0;
        while start < bytes.len() {
            let rest = &bytes[start..];
            let window = usize::try_from(self.longest - self.open + 1).unwrap_or(usize::MAX).min(rest.len());
            let end = if let Some(end) = memrchr(b'\n', &rest[..window]) {
                end
            } else if let Some(end) = memchr(b'\n', &rest[window..]) {
                self.longest = self.longest.max(self.open + (window + end) as u64);
                window + end
            } else {
                self.open += rest.len() as u64;
                self.longest = self.longest.max(self.open);
                return;
            };
            self.open = 0;
            start += end + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_a_plain_count(lines in proptest::collection::vec("[a-z]{0,20}", 0..50), size in 1usize..17) {
            let ends = ["\\.", "", "", ""].map(str::to_owned);
            let text = [lines.as_slice(), &ends].concat().join("\n");
            let mut rows = Rows::default();
            text.as_bytes().chunks(size).for_each(|chunk| rows.see(chunk));
            prop_assert_eq!(rows.finished(), Some(lines.len() as u64));
            let longest = lines.iter().map(String::len).max().unwrap_or(0).max(2);
            prop_assert_eq!(rows.longest(), longest as u64);
        }
    }

    #[test]
    fn text_without_its_end_has_no_count() {
        let mut rows = Rows::default();
        rows.see(b"1\n2\n\\.\n\n");
        assert_eq!(rows.finished(), None);
    }
}
