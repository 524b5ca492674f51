//! Other people's archives, and hostile ones.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use super::*;

fn tar_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, *content).expect("a tar");
    }
    builder.into_inner().expect("a tar")
}

/// Through a program that reads standard input and writes standard output.
fn through(program: &str, args: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut stdin = child.stdin.take().expect("piped");
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || stdin.write_all(&input).expect("it reads"));
    let output = child.wait_with_output().expect("its output");
    feeder.join().expect("fed");
    assert!(output.status.success(), "{program}: {}", output.status);
    output.stdout
}

/// Path, kind of content and bytes of each member.
fn members(bytes: &[u8], name: &str) -> Result<Vec<(String, ContentKind, Vec<u8>)>> {
    let mut reader = Reader::from_stream(io::Cursor::new(bytes.to_vec()), name)?;
    let mut found = Vec::new();
    while let Some(mut entry) = reader.next_member()? {
        let mut content = Vec::new();
        let (path, kind) = (entry.path().to_owned(), entry.content());
        entry.read_to_end(&mut content).map_err(ArchiveError::from_read)?;
        found.push((path, kind, content));
    }
    Ok(found)
}

const PROGRAMS: [(&str, ContentKind, &str); 4] = [
    ("gzip", ContentKind::Gzip, "gz"),
    ("zstd", ContentKind::Zstd, "zst"),
    ("bzip2", ContentKind::Bzip2, "bz2"),
    ("xz", ContentKind::Xz, "xz"),
];

#[test]
fn compressed_tars_of_any_names() {
    let dump = sql(100_000);
    let long = format!("{}/dump.pgsql", "d".repeat(300));
    let tar = tar_of(&[("backup/readme.txt", b"Dear all,"), (&long, &dump), ("x.json", b"{}")]);
    for (program, kind, _) in PROGRAMS {
        let bytes = through(program, &["-c"], &tar);
        assert_eq!(sniff(&bytes), kind);
        let found = members(&bytes, "x").expect(program);
        let kinds: Vec<_> = found.iter().map(|(path, kind, _)| (path.as_str(), *kind)).collect();
        assert_eq!(
            kinds,
            [
                ("backup/readme.txt", ContentKind::Text),
                (long.as_str(), ContentKind::Sql),
                ("x.json", ContentKind::Text)
            ]
        );
        assert!(found[1].2 == dump);
        for cut in [bytes.len() / 3, bytes.len() - 1] {
            let error = members(&bytes[..cut], "x").expect_err("cut");
            assert!(
                matches!(error, ArchiveError::Truncated { .. } | ArchiveError::Corrupt { .. }),
                "{program} {error:?}"
            );
        }
    }
    members(&tar, "x").expect("a plain tar");
    assert!(matches!(members(&tar[..tar.len() / 2], "x"), Err(ArchiveError::Truncated { .. })));
}

#[test]
fn bare_files_also_of_several_members() {
    let dump = sql(50_000);
    for (program, kind, ending) in PROGRAMS {
        let (first, second) = dump.split_at(20_000);
        let bytes = [through(program, &["-c"], first), through(program, &["-c"], second)].concat();
        let found = members(&bytes, &format!("shop.sql.{ending}")).expect(program);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].0.as_str(), found[0].1), ("shop.sql", ContentKind::Sql), "{kind:?}");
        assert!(found[0].2 == dump, "{program}: not all members were read");
    }
    let found = members(&dump, "shop.sql").expect("plain SQL");
    assert!(found[0].2 == dump);
}

#[test]
fn what_is_not_a_dump_is_named() {
    let nothing = through("gzip", &["-c"], b"");
    let letter = through("gzip", &["-c"], b"Dear all,");
    let cases: &[(&[u8], &str)] = &[
        (b"", "an empty file"),
        (b"Dear all,\n", "text that is not SQL"),
        (b"\x7fELF\x01\x02\0\0", "something unknown"),
        (&nothing, "a gzip file that holds an empty file"),
        (&letter, "a gzip file that holds text that is not SQL"),
    ];
    for (bytes, message) in cases {
        match members(bytes, "x") {
            Err(ArchiveError::NotRecognised { what }) => assert_eq!(what, *message),
            other => panic!("{message}: {other:?}"),
        }
        let object = stored(bytes);
        assert!(matches!(verify(&object, &mut |_, _| {}), Err(ArchiveError::NotRecognised { .. })), "{message}");
    }
    let object = stored(&tar_of(&[("x/dump.sql", b"SELECT 1;")]));
    assert!(matches!(verify(&object, &mut |_, _| {}), Err(ArchiveError::NotRecognised { .. })));
    assert!(matches!(inspect(&object), Err(ArchiveError::NotRecognised { .. })));
}

fn header(path: &str, size: u64, kind: tar::EntryType) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(size);
    header.set_cksum();
    header.as_bytes().to_vec()
}

#[test]
fn claims_are_not_believed() {
    let huge = header("dump.sql", 1 << 60, tar::EntryType::Regular);
    assert!(matches!(members(&huge, "x"), Err(ArchiveError::Truncated { .. })));
    let over = header("dump.sql", u64::MAX, tar::EntryType::Regular);
    assert!(matches!(members(&over, "x"), Err(ArchiveError::Corrupt { .. })));
    for kind in [tar::EntryType::GNULongName, tar::EntryType::XHeader, tar::EntryType::XGlobalHeader] {
        let bytes = header("././@LongLink", 1 << 40, kind);
        assert!(matches!(members(&bytes, "x"), Err(ArchiveError::TooLarge { .. })), "{kind:?}");
    }
}

#[test]
fn a_manifest_of_a_gigabyte_is_not_read() {
    let size = MANIFEST_MAX + 1;
    let writer = Writer::new(Memory { can_patch: true, ..Memory::default() }, options(Compression::default()))
        .expect("a writer");
    writer.stream(MANIFEST, &mut io::repeat(b' ').take(size), &mut |_| {}).expect("a member");
    let object = stored(&writer.seal().expect("an archive").into_sink().bytes);
    assert!(matches!(inspect(&object), Err(ArchiveError::TooLarge { .. })));
    assert!(matches!(verify(&object, &mut |_, _| {}), Err(ArchiveError::TooLarge { .. })));
}

#[test]
fn extraction_stays_inside() {
    let good = tar_of(&[("./d/toc.dat", b"PGDMP\x01\x0e\0\x04\x08\x03"), ("d/1.dat", b"1\t2\n")]);
    let folder = tempfile::tempdir().expect("a folder");
    let reader = Reader::from_stream(io::Cursor::new(good.clone()), "-").expect("a tar");
    reader.extract_to(folder.path(), "./d", None).expect("extracted");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 2);
    assert_eq!(std::fs::read(folder.path().join("1.dat")).expect("a file"), b"1\t2\n");
    let again = Reader::from_stream(io::Cursor::new(good), "-").expect("a tar").extract_to(folder.path(), "d", None);
    assert!(matches!(again, Err(ArchiveError::Extract { .. })), "nothing is overwritten");

    for (path, kind) in [
        ("../out", tar::EntryType::Regular),
        ("a/../../out", tar::EntryType::Regular),
        ("/tmp/out", tar::EntryType::Regular),
        ("link", tar::EntryType::Symlink),
        ("hard", tar::EntryType::Link),
        ("dev", tar::EntryType::Char),
        ("fifo", tar::EntryType::Fifo),
    ] {
        let mut bytes = header(path, 0, kind);
        bytes.resize(bytes.len() + 1024, 0);
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).expect("a folder");
        let result = Reader::from_stream(io::Cursor::new(bytes), "-").expect("a tar").extract_to(&inner, "", None);
        assert!(matches!(result, Err(ArchiveError::Refused { .. })), "{path}: {result:?}");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "{path}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_damaged_tar_never_panics(at in 0..4096_usize, byte: u8, at2 in 0..4096_usize, byte2: u8) {
        let long = format!("{}/x", "d".repeat(200));
        let mut bytes = tar_of(&[(&long, b"SELECT 1;"), ("b", b"2")]);
        let len = bytes.len();
        bytes[at % len] = byte;
        bytes[at2 % len] = byte2;
        drop(members(&bytes, "x"));
        drop(Index::read(stored(&bytes).as_ref()));
    }
}
