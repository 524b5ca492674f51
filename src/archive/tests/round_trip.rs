//! What goes in comes out, through every way of reading.

use std::io::Read;

use proptest::prelude::*;

use super::*;
use crate::archive::write::encode::BLOCK;
use crate::archive::write::part_writer::PART;

fn check(compression: Compression, can_patch: bool, dump: &[u8]) {
    let bytes = archive(compression, can_patch, dump);
    let object = stored(&bytes);
    let what = format!("{compression}, patch {can_patch}, {} bytes", dump.len());

    let mut seen = Vec::new();
    let verified = verify(&object, &mut |_, bytes| seen.extend_from_slice(bytes)).expect(&what);
    assert!(seen == dump, "{what}: verify saw something else");
    let members = &verified.manifest().members;
    assert_eq!(members.iter().map(|member| member.size).sum::<u64>(), dump.len() as u64, "{what}");
    let parts = if can_patch { 1 } else { (dump.len() as u64).div_ceil(PART).max(1) };
    assert_eq!(members.len() as u64, parts, "{what}");

    let inspected = inspect(&object).expect(&what);
    assert_eq!(&inspected.manifest, verified.manifest());
    assert_eq!(inspected.index.members.len(), members.len() + 1);

    let mut restored = Vec::new();
    let (manifest, mut stream) = dump_stream(&object).expect(&what);
    stream.read_to_end(&mut restored).expect(&what);
    assert!(restored == dump, "{what}: the dump stream gave something else");
    assert_eq!(&manifest, verified.manifest());

    // As on standard input, where there is no index to go by.
    let mut reader = Reader::from_stream(io::Cursor::new(bytes), "-").expect(&what);
    let first = reader.next_member().expect(&what).expect("a member");
    assert_eq!(first.path(), members[0].path);
    restored.clear();
    reader.into_stream().read_to_end(&mut restored).expect(&what);
    assert!(restored == dump, "{what}: the stream gave something else");
}

#[test]
fn sizes_around_every_boundary() {
    let part = usize::try_from(PART).expect("small");
    let all = sql(part + 2 * BLOCK);
    let edges = [1, 511, 512, 513, 1024, 65_535, 65_536, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK];
    for compression in ALL {
        for can_patch in [true, false] {
            check(compression, can_patch, b"");
            for edge in edges {
                check(compression, can_patch, &all[..edge]);
            }
        }
    }
    for compression in CONTAINERS {
        for edge in [part - 1, part, part + 1, part + BLOCK + 1] {
            check(compression, false, &all[..edge]);
        }
        check(compression, true, &all);
    }
}

#[test]
fn incompressible_parts() {
    let part = usize::try_from(PART).expect("small");
    let dump = noise(2 * part + 7);
    for compression in CONTAINERS {
        check(compression, true, &dump);
        check(compression, false, &dump);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_content(
        which in 0..ALL.len(),
        can_patch: bool,
        pieces in proptest::collection::vec((any::<u8>(), 0..90_000_usize, any::<bool>()), 0..8),
    ) {
        let mut dump = Vec::new();
        for (byte, len, mixed) in pieces {
            if mixed {
                dump.extend(noise(len).iter().map(|noise| noise ^ byte));
            } else {
                dump.resize(dump.len() + len, byte);
            }
        }
        check(ALL[which], can_patch, &dump);
    }

    #[test]
    fn any_names(root in "[a-zA-Z0-9_é.-]{1,300}x", name in "[a-z.é]{1,120}x") {
        let options = Options { root: root.clone(), ..options(Compression::default()) };
        prop_assume!(root != ".x" && name != ".x");
        let object = stored(&named(options, &name, true, &b"SELECT 1;"[..]));
        let verified = verify(&object, &mut |_, _| {}).expect("our own");
        prop_assert_eq!(&verified.manifest().members[0].path, &format!("{root}/{name}"));
    }
}

#[test]
fn a_slow_source_in_small_reads_fills_whole_blocks() {
    struct Drip(Vec<u8>, usize);
    impl Read for Drip {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            if self.1.is_multiple_of(3) {
                self.1 += 1;
                return Err(io::ErrorKind::Interrupted.into());
            }
            let len = 777.min(buf.len()).min(self.0.len());
            buf[..len].copy_from_slice(&self.0[..len]);
            self.0.drain(..len);
            self.1 += 1;
            Ok(len)
        }
    }
    let dump = sql(BLOCK + 100);
    let dripped = archive(Compression::Gzip(Level::Fixed(2)), true, Drip(dump.clone(), 0));
    assert_eq!(
        dripped,
        archive(Compression::Gzip(Level::Fixed(2)), true, &dump[..]),
        "the bytes depend on nothing else"
    );
}

#[test]
fn the_layout_is_the_documented_one() {
    let bytes = archive(Compression::default(), true, &b"SELECT 1;"[..]);
    assert_eq!(bytes[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
    assert_eq!(bytes[10..15], [0, 0, 2, 0xff, 0xfd]);
    assert!(bytes[15..].starts_with(format!("{ROOT}/dump.sql\0").as_bytes()));
    let end = bytes.len();
    assert_eq!(bytes[end - 10..end - 8], [3, 0]);
    assert_eq!(bytes[end - 50..end - 42], *b"dbhaul\x1a\x01");
}

#[test]
fn inspect_reads_no_more_than_it_needs() {
    // A flipped byte in the dump goes unnoticed by inspect, and only by it.
    let mut bytes = archive(Compression::default(), true, &sql(3 * BLOCK)[..]);
    bytes[2000] ^= 1;
    let object = stored(&bytes);
    inspect(&object).expect("the manifest is whole");
    verify(&object, &mut |_, _| {}).expect_err("the dump is not");
    let (_, mut stream) = dump_stream(&object).expect("its beginning is");
    stream.read_to_end(&mut Vec::new()).expect_err("the stream checks too");
}

#[test]
fn an_observer_sees_the_dump_in_order() {
    let dump = sql(3 * BLOCK + 5);
    let writer = Writer::new(Memory::default(), options(Compression::default())).expect("a writer");
    let mut seen = Vec::new();
    writer.stream("dump.sql", &mut &dump[..], &mut |bytes| seen.extend_from_slice(bytes)).expect("a dump");
    assert!(seen == dump);
}
