//! What the client writes when it is told that no row is wanted: everything but the rows, and the places for them.

use std::io::{self, Read};

use crate::engine::mysql::sql::lexer::Syntax;
use crate::engine::mysql::sql::splitter::{Between, Splitter, Visitor};
use crate::engine::mysql::sql::statement::{self, Object, StatementInfo, Verb};

/// No row is wanted.
pub(in crate::engine::mysql) const NO_ROWS: &str = "--where=0";
/// How the client says in the dump that it was told so.
const SAID: &[u8] = b"-- WHERE:  0";

/// Text is handed over in pieces of about so many bytes.
const PIECE: usize = 64 << 10;

/// A part of the dump, in its order.
#[derive(Debug)]
pub(super) enum Segment {
    /// The client's own words.
    Text(Vec<u8>),
    /// Here stand the rows of a table.
    Rows(RowsSlot),
    /// The client's output has ended, or can't be read.
    End(io::Result<()>),
}

/// Where a table's rows stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RowsSlot {
    /// The table's name.
    pub(super) table: String,
    /// The same in its quotes.
    pub(super) quoted: Vec<u8>,
    /// Its `CREATE TABLE`, where the dump has that.
    pub(super) definition: Option<Vec<u8>>,
}

/// Reads the client's output to its end, or until a part is not taken.
pub(super) fn read(dump: &mut dyn Read, take: impl FnMut(Segment) -> bool) {
    let mut buffer = vec![0; PIECE];
    let mut splitter = Splitter::without_rows();
    let mut out =
        Collector { take, text: Vec::new(), statement: Vec::new(), definition: None, place: None, gone: false };
    let end = loop {
        match dump.read(&mut buffer) {
            Ok(0) => break Ok(()),
            Ok(count) => splitter.push(&buffer[..count], &mut out),
            Err(e) => break Err(e),
        }
        if out.gone {
            return;
        }
    };
    splitter.finish(&mut out);
    // A dump that breaks off does so within a statement: that it is not whole is for others to say.
    out.text.append(&mut out.statement);
    out.hand_over();
    out.send(Segment::End(end));
}

struct Collector<F> {
    /// Says whether it wants more.
    take: F,
    text: Vec<u8>,
    /// The statement that is running through.
    statement: Vec<u8>,
    /// The last table that was defined, and its definition.
    definition: Option<(String, Vec<u8>)>,
    /// The statement stands behind a table's rows.
    place: Option<RowsSlot>,
    gone: bool,
}

impl<F: FnMut(Segment) -> bool> Collector<F> {
    fn send(&mut self, part: Segment) {
        self.gone = self.gone || !(self.take)(part);
    }

    fn hand_over(&mut self) {
        if !self.text.is_empty() {
            let text = std::mem::take(&mut self.text);
            self.send(Segment::Text(text));
        }
    }
}

impl<F: FnMut(Segment) -> bool> Visitor for Collector<F> {
    fn between(&mut self, what: Between, bytes: &[u8]) {
        if !(what == Between::Comment && bytes.trim_ascii_end() == SAID) {
            self.text.extend_from_slice(bytes);
        }
    }

    fn head(&mut self, head: &[u8], syntax: &Syntax) {
        let subject = statement::subject(head, syntax);
        match (subject.verb, subject.object) {
            (Verb::Create, Object::Table) => self.definition = subject.name.map(|name| (name, head.to_vec())),
            (Verb::Alter, Object::Table) if ends_rows(head, syntax) => self.place = place(head, subject),
            _ => {}
        }
        self.statement.extend_from_slice(head);
    }

    fn more(&mut self, bytes: &[u8]) {
        self.statement.extend_from_slice(bytes);
    }

    fn rows(&mut self, _: u64, _: u64) {}

    fn end(&mut self, _: u64) {
        if let Some(mut place) = self.place.take() {
            let definition = self.definition.take().filter(|(name, _)| *name == place.table);
            place.definition = definition.map(|(_, definition)| definition);
            self.hand_over();
            self.send(Segment::Rows(place));
        }
        self.text.append(&mut self.statement);
        if self.text.len() >= PIECE {
            self.hand_over();
        }
    }
}

/// `ALTER TABLE t ENABLE KEYS`, which the client writes behind the rows of every table, of whatever engine.
fn ends_rows(head: &[u8], syntax: &Syntax) -> bool {
    let pieces: Vec<_> = statement::pieces(head, syntax).collect();
    matches!(&pieces[..], [.., what, keys] if keys.is("keys") && what.is("enable"))
}

fn place(head: &[u8], subject: StatementInfo) -> Option<RowsSlot> {
    let quoted = head.get(subject.name_at)?.to_vec();
    Some(RowsSlot { table: subject.name?, quoted, definition: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "-- MySQL dump\nCREATE TABLE `a``b` (\n  `x` int\n);\n\n--\n-- Dumping data for table `a``b`\n--\n\
        -- WHERE:  0\n\nLOCK TABLES `a``b` WRITE;\n/*!40000 ALTER TABLE `a``b` DISABLE KEYS */;\n\
        /*!40000 ALTER TABLE `a``b` ENABLE KEYS */;\nUNLOCK TABLES;\nDELIMITER ;;\nCREATE PROCEDURE p() BEGIN\n\
        -- WHERE:  0\n/*!40000 ALTER TABLE `a``b` ENABLE KEYS */;\nEND ;;\nDELIMITER ;\n-- Dump completed\n";

    /// Pieces of every length: the text, and where in it rows stand.
    #[test]
    fn a_place_stands_before_the_keys_are_switched_on_and_nowhere_else() {
        let place = "/*!40000 ALTER TABLE `a``b` ENABLE KEYS */;\nUNLOCK";
        let whole = DUMP.replacen("-- WHERE:  0\n", "", 1);
        for piece in (1..80).chain([DUMP.len()]) {
            let (mut text, mut places, mut ended) = (Vec::new(), Vec::new(), false);
            read(&mut Pieces(DUMP.as_bytes(), piece), |part| {
                match part {
                    Segment::Text(bytes) => text.extend(bytes),
                    Segment::Rows(place) => places.push((text.len(), place)),
                    Segment::End(end) => ended = end.is_ok(),
                }
                true
            });
            assert!(ended);
            assert_eq!(String::from_utf8_lossy(&text), whole, "in pieces of {piece}");
            let [(at, found)] = &places[..] else { panic!("{places:?} in pieces of {piece}") };
            assert_eq!(whole.find(place), Some(*at));
            assert_eq!((found.table.as_str(), &found.quoted[..]), ("a`b", &b"`a``b`"[..]));
            assert!(found.definition.as_ref().is_some_and(|d| d.starts_with(b"CREATE TABLE `a``b` (")));
        }
    }

    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let most = self.1.min(buffer.len());
            self.0.read(&mut buffer[..most])
        }
    }
}
