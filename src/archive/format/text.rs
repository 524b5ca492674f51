//! SQL text as its dump program wrote it: what Windows, a terminal and PowerShell made of it is undone, exactly or not at
//! all.
//!
//! A terminal, and a text mode of Windows', put a carriage return before every line feed. Where every one has it, taking
//! it out gives the same bytes as before; where not every one has it, nobody can say which of them belonged to the dump.
//! PowerShell's `>` writes UTF-16; what was ASCII came through unchanged. Lines of a program's error output that stand
//! before the dump (`2>&1`) are left empty.

use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use memchr::{memchr, memchr_iter};

use super::sniff::{self, SNIFF};
use crate::archive::error::ArchiveError;

/// How much is read at once.
const BUFFER: usize = 64 * 1024;

/// How a text is taken, and what was met in it.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// Takes UTF-16 with other characters than ASCII's.
    pub accept_unproven: bool,
    /// How many of those came last time.
    pub wide_characters: Arc<AtomicU64>,
    /// Lines before the dump that are no SQL, which were left empty last time.
    pub passed_over: Arc<Mutex<Vec<String>>>,
}

/// The bytes of a text, mended while they pass.
pub(crate) struct Text<R> {
    lines: Lines<Narrow<R>>,
    front: Option<Front>,
    input: Vec<u8>,
    mended: Vec<u8>,
    read: usize,
    failed: Option<&'static str>,
}

impl<R: Read> Text<R> {
    pub fn new(input: R, reading: Reading) -> Self {
        reading.wide_characters.store(0, Ordering::Relaxed);
        let front = Front { held: Vec::new(), passed_over: reading.passed_over.clone() };
        let narrow = Narrow { input, order: None, reading, line: 1, marked: true, pending: Vec::new(), ended: false };
        let front = Some(front);
        Self { lines: Lines::new(narrow), front, input: Vec::new(), mended: Vec::new(), read: 0, failed: None }
    }
}

impl<R: Read> Read for Text<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if let Some(what) = self.failed {
            return Err(ArchiveError::corrupt(what).into());
        }
        while self.read == self.mended.len() && !buf.is_empty() {
            self.mended.clear();
            self.read = 0;
            match self.lines.next(&mut self.input, &mut self.mended) {
                Ok(more) => {
                    if let Some(front) = &mut self.front
                        && front.passes(&mut self.mended, !more)
                    {
                        self.front = None;
                    }
                    if !more && self.mended.is_empty() {
                        return Ok(0);
                    }
                }
                Err(error) => {
                    // Who reads on must not find an end.
                    self.failed = Some("it was read on after an error");
                    return Err(error);
                }
            }
        }
        let read = (&self.mended[self.read..]).read(buf)?;
        self.read += read;
        Ok(read)
    }
}

/// The beginning of a text, until it is known what stands before the dump.
struct Front {
    held: Vec<u8>,
    passed_over: Arc<Mutex<Vec<String>>>,
}

impl Front {
    /// Takes the next bytes in; true once what stands before the dump is known and `bytes` are all that was held.
    fn passes(&mut self, bytes: &mut Vec<u8>, is_end: bool) -> bool {
        self.held.append(bytes);
        if self.held.len() < SNIFF && !is_end {
            return false;
        }
        let mut passed_over = Vec::new();
        let seen = &self.held[..self.held.len().min(SNIFF)];
        let (mut at, header) = (0, sniff::header_at(seen).unwrap_or(0));
        while at < header {
            let end = at + memchr(b'\n', &self.held[at..]).unwrap_or(self.held.len() - at);
            let line = &self.held[at..end];
            let start = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii_start();
            if !start.is_empty() {
                if sniff::begins_as_sql(start) {
                    break;
                }
                passed_over.push(String::from_utf8_lossy(start).trim_end().to_owned());
            }
            at = end + 1;
        }
        if passed_over.is_empty() {
            at = 0;
        }
        // The dump's lines keep their numbers.
        bytes.extend(memchr_iter(b'\n', &self.held[..at]).map(|_| b'\n'));
        bytes.extend_from_slice(&self.held[at..]);
        *self.passed_over.lock().unwrap_or_else(PoisonError::into_inner) = passed_over;
        true
    }
}

/// Takes the carriage returns out, where they are at every line's end.
struct Lines<S> {
    source: S,
    ends: Ends,
    line: u64,
    /// The last byte was a carriage return: it is held back.
    held: bool,
    /// Carriage returns before the first line feed.
    returns: u64,
    /// How the current line begins, for what a program's own lines say.
    beginning: Vec<u8>,
}

/// What stands at the ends of lines, by the first of them.
#[derive(Clone, Copy, PartialEq)]
enum Ends {
    Unknown,
    Feed,
    ReturnAndFeed,
}

/// Lines that a dump program wrote itself: in a dump whose lines end in line feeds none of them ends in more.
const OWN_LINES: [&[u8]; 5] = [
    b"\\.\r",
    b"-- PostgreSQL database dump\r",
    b"-- PostgreSQL database dump complete\r",
    b"-- Dump completed",
    b"-- Host: ",
];
/// So much of a line is looked at.
const BEGINNING: usize = 48;

impl<R: Read> Lines<Narrow<R>> {
    fn new(source: Narrow<R>) -> Self {
        Self { source, ends: Ends::Unknown, line: 1, held: false, returns: 0, beginning: Vec::new() }
    }

    /// The next bytes, mended; false at the end.
    fn next(&mut self, input: &mut Vec<u8>, out: &mut Vec<u8>) -> io::Result<bool> {
        if !self.source.fill(input)? {
            if self.ends == Ends::Unknown && self.returns > 1 {
                return Err(ArchiveError::ReturnsAlone.into());
            }
            if std::mem::take(&mut self.held) {
                out.push(b'\r');
                return Ok(true);
            }
            return Ok(false);
        }
        if self.ends == Ends::Unknown
            && let Some(at) = memchr(b'\n', input)
        {
            let returned = if at == 0 { self.held } else { input[at - 1] == b'\r' };
            self.ends = if returned { Ends::ReturnAndFeed } else { Ends::Feed };
        }
        match self.ends {
            Ends::ReturnAndFeed => self.undo(input, out)?,
            Ends::Feed => self.scan(input, out)?,
            // A return that is the last byte may be of the first line's end.
            Ends::Unknown => {
                self.returns += memchr_iter(b'\r', input).count() as u64;
                self.keep(input, out);
            }
        }
        Ok(true)
    }

    fn keep(&mut self, input: &[u8], out: &mut Vec<u8>) {
        if std::mem::take(&mut self.held) {
            out.push(b'\r');
        }
        let held = input.last() == Some(&b'\r');
        out.extend_from_slice(&input[..input.len() - usize::from(held)]);
        self.held = held;
    }

    /// Every line feed loses its carriage return.
    fn undo(&mut self, input: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let mut from = 0;
        for at in memchr_iter(b'\n', input) {
            let returned = if at == 0 { std::mem::take(&mut self.held) } else { input[at - 1] == b'\r' };
            if !returned {
                return Err(mixed(format!(
                    "line {} ends in a line feed alone, others in carriage return and line feed",
                    self.line
                )));
            }
            if std::mem::take(&mut self.held) {
                out.push(b'\r');
            }
            out.extend_from_slice(&input[from..at.saturating_sub(1).max(from)]);
            out.push(b'\n');
            from = at + 1;
            self.line += 1;
        }
        if from < input.len() {
            self.keep(&input[from..], out);
        }
        Ok(())
    }

    /// Nothing is changed; but a program's own line that ends in a carriage return shows that something was.
    fn scan(&mut self, input: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        if std::mem::take(&mut self.held) {
            out.push(b'\r');
        }
        out.extend_from_slice(input);
        if self.beginning.last() != Some(&b'\r') && memchr(b'\r', input).is_none() {
            // The fast way: only how the last line begins is of interest.
            let last = memchr::memrchr(b'\n', input);
            self.line += memchr_iter(b'\n', input).count() as u64;
            if last.is_some() {
                self.beginning.clear();
            }
            self.begin(&input[last.map_or(0, |at| at + 1)..]);
            return Ok(());
        }
        let mut from = 0;
        for at in memchr_iter(b'\n', input) {
            self.begin(&input[from..at]);
            let returned = if at == from { self.beginning.last() == Some(&b'\r') } else { input[at - 1] == b'\r' };
            if returned && OWN_LINES.iter().any(|own| self.beginning.starts_with(own)) {
                return Err(mixed(format!(
                    "line {} is the dump program's own and ends in a carriage return and a line feed, the first line in a line \
                     feed alone",
                    self.line
                )));
            }
            self.beginning.clear();
            self.line += 1;
            from = at + 1;
        }
        self.begin(&input[from..]);
        Ok(())
    }

    fn begin(&mut self, bytes: &[u8]) {
        let room = BEGINNING.saturating_sub(self.beginning.len()).min(bytes.len());
        self.beginning.extend_from_slice(&bytes[..room]);
    }
}

fn mixed(what: String) -> io::Error {
    ArchiveError::LineEnds { what }.into()
}

/// UTF-16 becomes UTF-8; anything else stays as it is.
struct Narrow<R> {
    input: R,
    order: Option<Order>,
    reading: Reading,
    line: u64,
    /// The mark is still to come.
    marked: bool,
    /// Bytes of a character that is not whole yet.
    pending: Vec<u8>,
    ended: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Order {
    Bytes,
    Little,
    Big,
}

impl Order {
    /// Of what begins so; UTF-16 only with its mark.
    fn of(first: &[u8]) -> Self {
        match first {
            [0xff, 0xfe, ..] => Self::Little,
            [0xfe, 0xff, ..] => Self::Big,
            _ => Self::Bytes,
        }
    }

    fn unit(self, pair: [u8; 2]) -> u16 {
        if self == Self::Big { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
    }
}

impl<R: Read> Narrow<R> {
    /// The next bytes; false at the end.
    fn fill(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        loop {
            out.clear();
            if self.ended {
                return Ok(false);
            }
            self.ended = (&mut self.input).take(BUFFER as u64).read_to_end(out)? == 0;
            let order = *self.order.get_or_insert_with(|| Order::of(out));
            if order == Order::Bytes {
                return Ok(!self.ended);
            }
            let wide = std::mem::take(&mut self.pending).into_iter().chain(out.drain(..)).collect::<Vec<_>>();
            self.narrow(order, &wide, out)?;
            if !out.is_empty() {
                return Ok(true);
            }
        }
    }

    fn narrow(&mut self, order: Order, wide: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let mut pairs = wide.chunks_exact(2).map(|pair| order.unit([pair[0], pair[1]]));
        let mut read = 0;
        while let Some(unit) = pairs.next() {
            if let Ok(byte @ 0..=0x7f) = u8::try_from(unit) {
                self.line += u64::from(byte == b'\n');
                read += 2;
                out.push(byte);
                continue;
            }
            let mut units = vec![unit];
            if (0xd800..0xdc00).contains(&unit) {
                // Its other half may come with the next bytes.
                let Some(low) = pairs.next() else { break };
                units.push(low);
            }
            read += 2 * units.len();
            let character = match char::decode_utf16(units).collect::<Result<Vec<_>, _>>().as_deref() {
                Ok([character]) => *character,
                _ => return Err(self.broken("half a character")),
            };
            if character == '\u{feff}' && std::mem::take(&mut self.marked) {
                continue;
            }
            self.reading.wide_characters.fetch_add(1, Ordering::Relaxed);
            if !self.reading.accept_unproven {
                return Err(ArchiveError::WideText { line: self.line, character }.into());
            }
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        if self.ended && read < wide.len() {
            return Err(self.broken("the end of it is half a character"));
        }
        self.pending = wide[read..].to_vec();
        Ok(())
    }

    fn broken(&self, what: &str) -> io::Error {
        ArchiveError::corrupt(format!("it is no UTF-16 in line {}: {what}", self.line)).into()
    }
}

/// How a text in UTF-16 begins, with a question mark for what is not ASCII.
pub(crate) fn narrow_beginning(first: &[u8]) -> Vec<u8> {
    let order = Order::of(first);
    let pairs = first.chunks_exact(2).skip(1).map(|pair| order.unit([pair[0], pair[1]]));
    pairs.map(|unit| u8::try_from(unit).ok().filter(u8::is_ascii).unwrap_or(b'?')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some bytes at a time.
    struct Few<'a>(&'a [u8], usize);

    impl Read for Few<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let most = self.1.min(buf.len());
            self.0.read(&mut buf[..most])
        }
    }

    fn read(text: &[u8], accept_unproven: bool) -> io::Result<Vec<u8>> {
        let reading = Reading { accept_unproven, ..Reading::default() };
        let mut all = Vec::new();
        Text::new(Few(text, 3), reading).read_to_end(&mut all).map(|_| all)
    }

    fn utf16(text: &str, order: Order) -> Vec<u8> {
        let bytes = |unit: u16| if order == Order::Big { unit.to_be_bytes() } else { unit.to_le_bytes() };
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(bytes).collect()
    }

    #[test]
    fn what_every_line_feed_has_is_taken_out_exactly() {
        for text in ["", "\n", "a\nb\n\n\nc", "a\r\nb\n", "\r\n\r\r\n\n", "a\rb\n", "no line feed\r", "\n\n\n"] {
            let through_a_terminal = text.replace('\n', "\r\n");
            assert_eq!(read(through_a_terminal.as_bytes(), false).expect("read"), text.as_bytes(), "{text:?}");
        }
        // Where the stretches end makes no difference.
        let long = "0123456789\r\n\n".repeat(BUFFER / 5);
        for shift in 0..3 {
            let text = format!("{}\n{long}", "x".repeat(BUFFER - 2 + shift));
            assert_eq!(read(text.replace('\n', "\r\n").as_bytes(), false).expect("read"), text.as_bytes());
            assert_eq!(read(text.as_bytes(), false).expect("read"), text.as_bytes());
        }
    }

    #[test]
    fn where_not_every_line_feed_has_it_nothing_is_guessed() {
        let error = |text: &str| read(text.as_bytes(), false).expect_err("mixed").to_string();
        assert!(error("a\r\nb\nc\r\n").contains("line 2 ends in a line feed alone"));
        assert!(error("--\n-- PostgreSQL database dump\r\n").contains("line 2 is the dump program's own"));
        assert!(error("x\nCOPY a FROM stdin;\n1\n\\.\r\n").contains("line 4"));
        assert!(error(&format!("x\n{}\n-- Dump completed on 2026\r\n", "y".repeat(BUFFER))).contains("line 3"));
        // A body of a function may have both.
        let body = "CREATE FUNCTION f() AS $$\r\nBEGIN\r\n-- x\r\nEND\r\n$$;\n";
        let text = format!("--\n{body}");
        assert_eq!(read(text.as_bytes(), false).expect("read"), text.as_bytes());
    }

    #[test]
    fn utf16_is_read_where_it_is_ascii() {
        for order in [Order::Little, Order::Big] {
            let bytes = utf16("-- x\r\nSELECT 1;\r\n", order);
            assert_eq!(read(&bytes, false).expect("read"), b"-- x\nSELECT 1;\n");
            assert_eq!(narrow_beginning(&bytes), b"-- x\r\nSELECT 1;\r\n");
            let wide = utf16("-- x\nSELECT 'é\u{1f600}';\n", order);
            assert!(read(&wide, false).expect_err("wide").to_string().contains("line 2"));
            assert_eq!(read(&wide, true).expect("read"), "-- x\nSELECT 'é\u{1f600}';\n".as_bytes());
            assert!(read(&wide[..wide.len() - 1], true).is_err());
        }
        let reading = Reading { accept_unproven: true, ..Reading::default() };
        let wide = utf16("éa\u{1f600}", Order::Little);
        io::copy(&mut Text::new(wide.as_slice(), reading.clone()), &mut io::sink()).expect("read");
        assert_eq!(reading.wide_characters.load(Ordering::Relaxed), 2);
        assert!(read(b"\xff\xfe\x00\xd8a\x00", true).is_err());
    }
}
