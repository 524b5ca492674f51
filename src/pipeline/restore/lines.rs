//! The last lines that a client read of a script: one that fails says at which line it stood, and not in which object.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// How much of a script is remembered, in bytes of it: more than a pipe and a client's buffer hold.
const WINDOW: u64 = 4 << 20;
/// How much of a line, in bytes.
const BEGINNING: usize = 200;
/// How many lines at most.
const MAX_LINES: usize = 20_000;

/// The last lines of a script, by their beginnings.
#[derive(Debug, Default)]
pub struct Lines {
    /// Lines before the first that is kept.
    before: u64,
    /// Where each begins, and its first bytes. The last is not at its end yet.
    kept: VecDeque<(u64, Vec<u8>)>,
    /// Bytes that have passed.
    at: u64,
}

impl Lines {
    fn see(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.kept.is_empty() {
                self.kept.push_back((self.at, Vec::new()));
            }
            let end = memchr::memchr(b'\n', bytes);
            let (line, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
            if let Some((_, beginning)) = self.kept.back_mut() {
                let room = BEGINNING - beginning.len();
                beginning.extend_from_slice(&line[..line.len().min(room)]);
            }
            self.at += line.len() as u64;
            if end.is_some() {
                self.kept.push_back((self.at, Vec::new()));
            }
            while self.kept.len() > MAX_LINES || self.kept.get(1).is_some_and(|(begin, _)| begin + WINDOW < self.at) {
                self.kept.pop_front();
                self.before += 1;
            }
            bytes = rest;
        }
    }

    /// The beginning of a statement that begins at this line, counted from 1.
    pub fn statement(&self, line: u64) -> Option<String> {
        let index = usize::try_from(line.checked_sub(1)?.checked_sub(self.before)?).ok()?;
        let lines = self.kept.range(index.min(self.kept.len())..).take(3).map(|(_, line)| line.as_slice());
        let text = lines.collect::<Vec<_>>().concat();
        (!text.is_empty()).then(|| String::from_utf8_lossy(&text).into_owned())
    }
}

/// A client's stdin, whose last lines are remembered.
pub struct Remembered<W> {
    inner: W,
    lines: Arc<Mutex<Lines>>,
}

impl<W> Remembered<W> {
    pub fn new(inner: W, lines: Arc<Mutex<Lines>>) -> Self {
        Self { inner, lines }
    }
}

impl<W: Write> Write for Remembered<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).see(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_by_its_number_however_the_bytes_came() {
        let script = b"SET a;\nCREATE TABLE `t` (\n  `i` int\n);\n\nDROP TABLE `u`;";
        for size in [1, 3, script.len()] {
            let mut lines = Lines::default();
            script.chunks(size).for_each(|part| lines.see(part));
            assert!(lines.statement(2).is_some_and(|text| text.starts_with("CREATE TABLE `t` (\n  `i` int\n")));
            assert_eq!(lines.statement(6).as_deref(), Some("DROP TABLE `u`;"));
            assert_eq!((lines.statement(0), lines.statement(7)), (None, None));
        }
    }

    #[test]
    fn what_passed_long_ago_is_forgotten() {
        let mut lines = Lines::default();
        for number in 1..=100_000 {
            lines.see(format!("line {number}\n").as_bytes());
        }
        assert!(lines.statement(1).is_none() && lines.kept.len() <= MAX_LINES);
        assert!(lines.statement(99_999).is_some_and(|text| text.starts_with("line 99999\n")));
        lines.see(&vec![b'x'; 10 << 20]);
        assert!(
            lines.statement(99_999).is_none() && lines.statement(100_001).is_some_and(|text| text.len() == BEGINNING)
        );
    }
}
