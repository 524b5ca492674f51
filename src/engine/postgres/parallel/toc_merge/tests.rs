//! Recorded dumps, taken apart as several `pg_dump`s would have written them, and put together again.

use proptest::prelude::*;

use super::*;
use crate::engine::postgres::format::content::inspector;
use crate::engine::postgres::format::toc::TocEntry;
use crate::engine::{Complete, Content, Format};

/// A recorded dump, in pieces.
struct Dump {
    header: Vec<u8>,
    sizes: Sizes,
    entries: Vec<(TocEntry, Vec<u8>, Range<usize>)>,
    /// Blocks by the numbers of their entries, in their order.
    blocks: Vec<(i64, Vec<u8>)>,
}

fn recorded(version: &str) -> (Vec<u8>, Content) {
    let path = format!("{}/fixtures/dumps/pg_dump-{version}.custom.dump", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&path).expect(&path);
    let content = read(&[&bytes]).expect("complete");
    (bytes, content)
}

fn read(lanes: &[&[u8]]) -> Result<Content, crate::engine::Incomplete> {
    let mut inspector = inspector(Format::PG_CUSTOM);
    inspector.see_lane(0, lanes[0]);
    // A piece of this one, a piece of that one.
    for at in 0..lanes.iter().map(|lane| lane.len()).max().unwrap_or(0).div_ceil(7) {
        for (number, lane) in lanes.iter().enumerate().skip(1) {
            inspector.see_lane(number, lane.chunks(7).nth(at).unwrap_or_default());
        }
    }
    Complete::prove(inspector).map(Complete::into_content)
}

impl Dump {
    fn of(bytes: &[u8], content: &Content) -> Self {
        let mut cursor = Cursor::new(bytes);
        let header = cursor.header().unwrap_or_else(|_| panic!("a header"));
        let mut at = cursor.at();
        let start = bytes[..at].to_vec();
        let entry = |_| {
            let mut cursor = Cursor::new(&bytes[at..]);
            let entry = cursor.entry(&header).unwrap_or_else(|_| panic!("an entry"));
            let own = bytes[at..at + cursor.at()].to_vec();
            at += cursor.at();
            (entry, own, cursor.needs())
        };
        let entries = (0..header.entries).map(entry).collect();
        let mut spans: Vec<_> = content.entries.iter().filter_map(|e| Some((e.id, e.span.clone()?))).collect();
        spans.sort_by_key(|(_, span)| span.start);
        let block = |(id, span): (i64, Range<u64>)| {
            let [from, to] = [span.start, span.end].map(|at| usize::try_from(at).expect("small"));
            (id, bytes[from..to].to_vec())
        };
        Self { header: start, sizes: header.sizes, entries, blocks: spans.into_iter().map(block).collect() }
    }

    /// The entries and blocks for which this holds, under these numbers, as one `pg_dump` writes them.
    fn only(&self, holds: impl Fn(&TocEntry) -> bool, number: impl Fn(i64) -> i64) -> Vec<u8> {
        let chosen: Vec<_> = self.entries.iter().filter(|(entry, ..)| holds(entry)).collect();
        let int = |value: i64| {
            let mut bytes = Vec::new();
            put_int(value, self.sizes, &mut bytes);
            bytes
        };
        let width = 1 + self.sizes.int;
        let mut bytes = self.header[..self.header.len() - width].to_vec();
        bytes.extend(int(i64::try_from(chosen.len()).expect("few")));
        for (entry, own, needs) in &chosen {
            bytes.extend(int(number(entry.entry.id)));
            bytes.extend_from_slice(&own[width..needs.start]);
            for id in &entry.entry.needs {
                put_text(Some(&number(*id).to_string()), self.sizes, &mut bytes);
            }
            put_text(None, self.sizes, &mut bytes);
            bytes.extend_from_slice(&own[needs.end..]);
        }
        for (id, block) in &self.blocks {
            if chosen.iter().any(|(entry, ..)| entry.entry.id == *id) {
                bytes.push(block[0]);
                bytes.extend(int(number(*id)));
                bytes.extend_from_slice(&block[1 + width..]);
            }
        }
        bytes
    }

    /// The tables whose rows it has.
    fn tables(&self) -> Vec<Shared> {
        let rows = self.entries.iter().filter(|(entry, ..)| entry.entry.kind == "TABLE DATA");
        rows.map(|(entry, ..)| Shared { oid: entry.catalog.1, name: entry.entry.tag.clone(), ..Shared::default() })
            .collect()
    }

    /// The outputs of a main command and of others, one for each of the tables that are given away.
    fn split(&self, given: &[Shared]) -> Vec<Vec<u8>> {
        let rows_of = |entry: &TocEntry, oid| entry.entry.kind == "TABLE DATA" && entry.catalog.1 == oid;
        let main = self.only(|entry| !given.iter().any(|table| rows_of(entry, table.oid)), |id| id);
        // Others number as they like.
        let other = |table: &Shared| self.only(|entry| rows_of(entry, table.oid), |id| id % 10 + 3);
        std::iter::once(main).chain(given.iter().map(other)).collect()
    }
}

/// The lanes of these outputs, whose bytes come in pieces of this size.
fn spliced(given: &[Shared], outputs: &[Vec<u8>], size: usize) -> Result<Vec<Vec<u8>>, String> {
    let merger = TocMerger::new(given.iter().map(|table| vec![table.clone()]).collect());
    let (mut heads, mut rests) = (Vec::new(), Vec::new());
    for (mut head, output) in merger.heads().into_iter().zip(outputs) {
        let mut chunks = output.chunks(size);
        while !head.see(chunks.next().ok_or("cut")?)? {}
        heads.push(head);
        rests.push(chunks.collect::<Vec<_>>().concat());
    }
    let (contents, bodies) = merger.join(heads)?;
    let mut lanes = vec![Vec::new()];
    contents.read().read_to_end(&mut lanes[0]).expect("memory");
    for (body, rest) in bodies.into_iter().zip(rests) {
        let (mut reader, mut lane, mut buffer) = (body.of(&rest[..]), Vec::new(), vec![0; size]);
        loop {
            let read = reader.read(&mut buffer).map_err(|error| error.to_string())?;
            if read == 0 {
                break;
            }
            lane.extend_from_slice(&buffer[..read]);
        }
        lanes.push(lane);
    }
    Ok(lanes)
}

/// Everything but numbers and places.
fn said(content: &Content) -> impl PartialEq + std::fmt::Debug {
    let mut tables: Vec<_> = content.tables.iter().map(|table| format!("{table:?}")).collect();
    tables.sort();
    let mut entries: Vec<_> =
        content.entries.iter().map(|e| (e.kind.clone(), e.tag.clone(), e.owner.clone())).collect();
    entries.sort();
    (tables, entries, content.features.clone(), content.facts.clone(), content.objects, content.longest_statement)
}

#[test]
fn a_dump_that_was_taken_apart_is_whole_again() {
    for version in ["15", "18"] {
        let (bytes, content) = recorded(version);
        let dump = Dump::of(&bytes, &content);
        let tables = dump.tables();
        assert!(tables.len() > 3);
        for given in [&tables[..1], &tables[1..3], &tables[..]] {
            let outputs = dump.split(given);
            for size in [1, 7, 100, 1 << 16] {
                let lanes = spliced(given, &outputs, size).expect("they fit together");
                let found = read(&lanes.iter().map(Vec::as_slice).collect::<Vec<_>>()).expect("complete");
                assert_eq!(said(&found), said(&content), "{version} {size}");
                // Joined it is what one command writes, and says where each block stands.
                let joined = lanes.concat();
                let whole = read(&[&joined]).expect("complete");
                assert_eq!(whole.entries, found.entries, "{version} {size}");
                for entry in whole.entries.iter().filter(|entry| entry.kind == "TABLE DATA") {
                    let table = whole.entries.iter().find(|other| other.id == entry.needs[0]).expect("its table");
                    assert_eq!((&table.kind[..], &table.tag), ("TABLE", &entry.tag));
                }
                // A pipe is read in the order of the table of contents.
                let starts: Vec<_> = whole.entries.iter().filter_map(|entry| entry.span.clone()).collect();
                assert!(starts.windows(2).all(|pair| pair[0].end == pair[1].start), "{version} {size}");
            }
        }
    }
}

#[test]
fn what_does_not_fit_together_is_said() {
    let (bytes, content) = recorded("15");
    let dump = Dump::of(&bytes, &content);
    let tables = &dump.tables()[..2];
    let outputs = dump.split(tables);
    let whole = dump.only(|_| true, |id| id);
    let without = |kind: &str| dump.only(|entry| entry.entry.kind != kind, |id| id);
    for (outputs, words) in [
        (vec![whole, outputs[1].clone(), outputs[2].clone()], "two of them dump the rows of table"),
        (vec![without("TABLE"), outputs[1].clone(), outputs[2].clone()], "two of them"),
        (vec![outputs[0].clone(), outputs[2].clone(), outputs[1].clone()], "nobody asked this command for it"),
        (vec![outputs[0].clone(), outputs[1].clone()], "cut"),
    ] {
        // Fewer outputs than commands are cut off.
        let outputs = [outputs, vec![Vec::new()]].concat();
        let error = spliced(tables, &outputs[..3], 64).expect_err(words);
        assert!(error.contains(words), "{error}");
    }
    // Blocks in another order than the entries, and something else than rows.
    let start = spliced(tables, &outputs, 1 << 16).expect("whole")[3].len();
    let start = outputs[2].len() - start;
    for (place, words) in [(start + 2, "order"), (start, "a block of the kind")] {
        let mut altered = outputs.clone();
        altered[2][place] ^= 0x40;
        let error = spliced(tables, &altered, 64).map(drop).expect_err(words);
        assert!(error.contains(words), "{error}");
    }
    // A table that nobody knows.
    let gone = [tables, &[Shared { oid: 1, name: "gone".into(), ..Shared::default() }]].concat();
    let empty = dump.only(|_| false, |id| id);
    let error = spliced(&gone, &[outputs, vec![empty]].concat(), 64).expect_err("gone");
    assert!(error.contains("the rows of table .gone are missing"), "{error}");
}

proptest! {
    #[test]
    fn outputs_that_were_cut_are_never_whole(at in any::<prop::sample::Index>()) {
        let (bytes, content) = recorded("15");
        let dump = Dump::of(&bytes, &content);
        let given = &dump.tables()[..3];
        let mut outputs = dump.split(given);
        let command = at.index(outputs.len());
        let place = at.index(outputs[command].len());
        outputs[command].truncate(place);
        let lanes = spliced(given, &outputs, 64);
        let whole = lanes.is_ok_and(|lanes| read(&lanes.iter().map(Vec::as_slice).collect::<Vec<_>>()).is_ok());
        prop_assert!(!whole, "cut at {place} of the output {command}");
    }
}
