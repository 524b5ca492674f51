//! Tests of the readers on real dumps: `pg_dump` 15 and 18, of `fixtures/dumps/sample.sql`.

use proptest::prelude::*;

use super::content::inspector;
use super::directory::inspect_directory;
use super::toc::Cursor;
use crate::engine::{Content, Format, Incomplete};

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/fixtures/dumps/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).expect(&path)
}

fn read(format: Format, bytes: &[u8], size: usize) -> Result<Content, Incomplete> {
    let mut inspector = inspector(format);
    for chunk in bytes.chunks(size) {
        inspector.see(chunk);
        let _ = inspector.position();
    }
    inspector.finish()
}

/// `public.users 12`, in the dump's order.
fn tables(content: &Content) -> Vec<String> {
    let rows = |rows: Option<u64>| rows.map_or("-".into(), |r| r.to_string());
    content
        .tables
        .iter()
        .map(|t| format!("{}.{} {}", t.schema.as_deref().unwrap_or(""), t.name, rows(t.rows)))
        .collect()
}

fn sorted(content: &Content) -> Vec<String> {
    let mut tables = tables(content);
    tables.sort();
    tables
}

const COUNTED: [&str; 5] =
    ["odd schema.O'Dd \"table\" 3", "public.empty_one 0", "public.parts 0", "public.parts_1 2", "public.users 12"];

/// As newer ones leave it in a file that their stdout was sent to.
#[test]
fn a_copy_of_the_contents_may_follow_the_last_block() {
    let archive = fixture("pg_dump-18.custom.dump");
    let mut cursor = Cursor::new(&archive);
    let header = cursor.header().unwrap_or_else(|_| panic!("no header"));
    let start = cursor.at() - 1 - header.sizes.int;
    for _ in 0..header.entries {
        assert!(cursor.entry(&header).is_ok());
    }
    let copied = [&archive[..], &archive[start..cursor.at()]].concat();
    for size in [1, 7, 4096, copied.len()] {
        let content = read(Format::PG_CUSTOM, &copied, size).expect("complete");
        assert_eq!(sorted(&content), COUNTED);
        for wrong in [&copied[..copied.len() - 1], &[&copied[..], b"\0"].concat(), &[&archive[..], b"\x05"].concat()] {
            assert!(read(Format::PG_CUSTOM, wrong, size).is_err());
        }
    }
}

#[test]
fn rows_are_counted_however_the_bytes_come() {
    for version in ["15", "18"] {
        let mut objects = None;
        for form in ["custom", "seekable"] {
            let bytes = fixture(&format!("pg_dump-{version}.{form}.dump"));
            for size in [1, 2, 7, 4096, bytes.len()] {
                let content = read(Format::PG_CUSTOM, &bytes, size).expect("complete");
                assert_eq!(sorted(&content), COUNTED, "{version} {form} {size}");
                assert_eq!(content.large_objects, objects.or(content.large_objects), "{version} {form} {size}");
                objects = content.large_objects;
            }
        }
        let bytes = fixture(&format!("pg_dump-{version}.plain.sql"));
        for size in [1, 2, 7, 4096, bytes.len()] {
            let content = read(Format::PG_PLAIN, &bytes, size).expect("complete");
            assert_eq!(sorted(&content), COUNTED, "{version} plain {size}");
            assert!(!content.facts.contains_key("psql.command"), "{:?}", content.facts);
        }
    }
}

#[test]
fn what_the_dump_says_of_itself() {
    for (file, format) in [("pg_dump-18.custom.dump", Format::PG_CUSTOM), ("pg_dump-18.plain.sql", Format::PG_PLAIN)] {
        let content = read(format, &fixture(file), 4096).expect("complete");
        assert!(content.source_version.as_deref().is_some_and(|v| v.starts_with("15.")), "{file}");
        assert!(content.client_version.as_deref().is_some_and(|v| v.starts_with("18.")), "{file}");
        assert_eq!(content.extensions, ["pg_stat_statements"], "{file}");
        assert_eq!(content.schemas, ["odd schema"], "{file}");
        assert!(content.objects > 15 && content.longest_statement > 30, "{file}");
    }
    let versions = ["15", "18"].map(|v| {
        read(Format::PG_CUSTOM, &fixture(&format!("pg_dump-{v}.custom.dump")), 4096).expect("complete").facts
            ["archive.version"]
            .clone()
    });
    assert_eq!(versions, ["1.14", "1.16"]);
}

#[test]
fn inserts_are_not_counted_but_proved() {
    for version in ["15", "18"] {
        for (form, format) in [("inserts.dump", Format::PG_CUSTOM), ("inserts.sql", Format::PG_PLAIN)] {
            let content = read(format, &fixture(&format!("pg_dump-{version}.{form}")), 512).expect("complete");
            assert!(
                content.tables.len() == 5 && content.tables.iter().all(|t| t.rows.is_none() || t.name == "parts"),
                "{version} {form}"
            );
        }
    }
}

#[test]
fn compressed_rows_are_counted_and_an_altered_bit_of_them_is_noticed() {
    for version in ["15", "18"] {
        let mut bytes = fixture(&format!("pg_dump-{version}.compressed.dump"));
        let plain = fixture(&format!("pg_dump-{version}.custom.dump"));
        let plain = read(Format::PG_CUSTOM, &plain, 4096).expect("complete");
        for size in [1, 7, 4096, bytes.len()] {
            let content = read(Format::PG_CUSTOM, &bytes, size).expect("complete");
            assert_eq!(sorted(&content), COUNTED, "{version} {size}");
            assert_eq!((content.large_objects, content.large_objects.is_some()), (plain.large_objects, true));
        }
        // Each stream begins with two bytes of which the second makes the pair a multiple of 31.
        let starts: Vec<_> = (7..bytes.len() - 2)
            .filter(|&at| bytes[at] == 0x78 && [0x01, 0x5e, 0x9c, 0xda].contains(&bytes[at + 1]))
            .filter(|&at| bytes[at - 3..at] == [0, 0, 0])
            .map(|at| at..at + usize::from(bytes[at - 4]))
            .collect();
        assert_eq!(starts.len(), 6, "{version}: four tables and two large objects");
        // The byte before the Adler-32 has bits behind the last block's end, which say nothing.
        for at in starts.into_iter().flat_map(|stream| (stream.start..stream.end - 5).chain(stream.end - 4..stream.end))
        {
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                let noticed = |size| read(Format::PG_CUSTOM, &bytes, size).expect_err("altered");
                assert_eq!(noticed(4096), noticed(3), "{version}: bit {bit} of byte {at}");
                bytes[at] ^= 1 << bit;
            }
        }
    }
}

#[test]
fn a_custom_archive_cut_anywhere_is_incomplete() {
    for file in ["15.custom", "15.seekable", "15.compressed", "15.inserts", "18.custom", "18.seekable", "18.compressed"]
    {
        let bytes = fixture(&format!("pg_dump-{file}.dump"));
        for end in 0..bytes.len() {
            let incomplete = read(Format::PG_CUSTOM, &bytes[..end], 4096).expect_err("cut");
            assert!(incomplete.offset <= end as u64, "{file} {end}: {incomplete}");
        }
    }
}

#[test]
fn a_plain_dump_cut_before_its_last_word_is_incomplete() {
    for file in ["15.plain", "15.inserts", "18.plain", "18.inserts"] {
        let bytes = fixture(&format!("pg_dump-{file}.sql"));
        let whole = bytes.trim_ascii_end().len();
        // Each byte of the end, which decides, and every third one before it.
        for end in (0..whole).filter(|end| end % 3 == 0 || end + 200 > whole) {
            assert!(read(Format::PG_PLAIN, &bytes[..end], 4096).is_err(), "{file} {end}");
        }
        assert!(read(Format::PG_PLAIN, &bytes[..whole], 4096).is_ok());
    }
}

#[test]
fn bytes_behind_the_end_are_noticed() {
    let mut bytes = fixture("pg_dump-15.custom.dump");
    bytes.push(0);
    assert!(read(Format::PG_CUSTOM, &bytes, 4096).is_err());
    let mut text = fixture("pg_dump-15.plain.sql");
    text.extend(b"DROP TABLE users;\n");
    assert!(read(Format::PG_PLAIN, &text, 4096).expect("the dump in it is whole").proved().is_err());
}

#[test]
fn the_words_for_a_cut_name_the_place() {
    let bytes = fixture("pg_dump-15.custom.dump");
    let at = |end: usize| read(Format::PG_CUSTOM, &bytes[..end], 4096).expect_err("cut").to_string();
    insta::assert_snapshot!(at(0), @r#"it is empty (byte 0 of the dump)"#);
    insta::assert_snapshot!(at(900), @r#"it ends inside its table of contents (byte 900 of the dump)"#);
    insta::assert_snapshot!(at(bytes.len() - 1), @r#"it ends inside the data of blobs (byte 7451 of the dump)"#);
    insta::assert_snapshot!(at(0x1b00), @r#"it ends inside the data of table public.users (byte 6912 of the dump)"#);
    insta::assert_snapshot!(at(0x1a93), @r#"it ends inside the data of table odd schema.O'Dd "table" (byte 6803 of the dump)"#);
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), size in 1usize..64) {
        let mut archive = b"PGDMP\x01\x0e\x00\x04\x08\x01".to_vec();
        archive.extend(&bytes);
        let _ = read(Format::PG_CUSTOM, &archive, size);
        let _ = read(Format::PG_CUSTOM, &bytes, size);
        let _ = read(Format::PG_PLAIN, &bytes, size);
    }

    #[test]
    fn no_altered_byte_makes_a_reader_panic(at in 0usize..7000, value: u8, size in 1usize..5000) {
        for file in ["pg_dump-15.seekable.dump", "pg_dump-18.custom.dump"] {
            let mut bytes = fixture(file);
            bytes[at] = value;
            let _ = read(Format::PG_CUSTOM, &bytes, size);
        }
    }
}

#[test]
fn a_folder_is_read_with_every_file_that_it_names() {
    for version in ["15", "18"] {
        let folder = format!("{}/fixtures/dumps/pg_dump-{version}.directory", env!("CARGO_MANIFEST_DIR"));
        let content = inspect_directory(folder.as_ref()).expect("complete");
        assert_eq!(sorted(&content), COUNTED, "{version}");
        for file in std::fs::read_dir(&folder).expect("a folder") {
            let missing = file.expect("a file").file_name();
            let copy = copied(&folder);
            std::fs::remove_file(copy.path().join(&missing)).expect("removed");
            assert!(inspect_directory(copy.path()).is_err(), "{version} without {}", missing.display());
        }
    }
}

#[test]
fn a_folder_with_a_cut_file_is_incomplete() {
    for version in ["15", "18"] {
        let folder = format!("{}/fixtures/dumps/pg_dump-{version}.directory", env!("CARGO_MANIFEST_DIR"));
        for file in std::fs::read_dir(&folder).expect("a folder") {
            let name = file.expect("a file").file_name();
            // Nothing frames a large object that is not compressed.
            if name.to_string_lossy().starts_with("blob_") && version == "15" {
                continue;
            }
            let copy = copied(&folder);
            let path = copy.path().join(&name);
            let bytes = std::fs::read(&path).expect("bytes");
            std::fs::write(&path, &bytes[..bytes.len() - 3]).expect("cut");
            assert!(inspect_directory(copy.path()).is_err(), "{version} {}", name.display());
        }
    }
}

fn copied(folder: &str) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a folder");
    for file in std::fs::read_dir(folder).expect("a folder") {
        let file = file.expect("a file");
        std::fs::copy(file.path(), copy.path().join(file.file_name())).expect("copied");
    }
    copy
}
