//! Archives in each store, read back by everything that reads archives.

use std::io::Read;

use super::*;
use crate::archive::{
    Index, Level, MANIFEST, Manifest, Options, Reader, Reading, Sealed, StoredObject, Writer, dump_parts, dump_stream,
    inspect, verify,
};
use crate::dialect::Dialect;
use crate::engine::{self, Format};

/// Writes an archive of one dump.
pub fn write(
    store: Box<dyn Store>,
    compression: Compression,
    dump: &[u8],
) -> Result<Sealed<Box<dyn Store>>, ArchiveError> {
    let options = Options { root: "20260102030405_shop".into(), compression, mtime: 1, encoders: 1 };
    let writer = Writer::new(store, options)?;
    let members = writer.stream("dump.sql", &mut &*dump, &mut |_| {})?;
    let manifest = Manifest { format_version: 1, engine: "mysql".into(), members, ..Manifest::default() };
    writer.bytes(MANIFEST, &manifest.to_json())?;
    writer.seal()
}

/// What mysqldump writes of a table with so many rows.
pub fn dump(rows: usize) -> Vec<u8> {
    let head = "-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)\n--\n-- Server version\t8.0.36\n\n\
                CREATE TABLE `orders` (\n  `id` int NOT NULL\n);\n";
    let rows = (0..rows).map(|id| format!("INSERT INTO `orders` VALUES ({id});\n")).collect::<Vec<_>>().concat();
    format!("{head}{rows}\n-- Dump completed on 2026-01-02  3:04:05\n").into_bytes()
}

/// Publishes an archive of a dump as a dump does: with the proof.
pub fn publish(store: Box<dyn Store>, compression: Compression, dump: &[u8]) -> Option<PathBuf> {
    let sealed = write(store, compression, dump).expect("an archive");
    let mut inspector = engine::of(Dialect::MYSQL).inspector(Format::MYSQL_SQL);
    inspector.see(dump);
    let complete = Complete::prove(inspector).expect("a whole dump");
    Proof { ended: &SourceEnded::Children(Vec::new()), complete: &complete, sealed }.publish().expect("published")
}

#[test]
fn an_archive_is_read_from_every_store_that_can_be_read() {
    let dump = dump(20_000);
    for compression in ["gzip", "zstd", "none"].map(|name| name.parse().expect("a compression")) {
        for case in cases() {
            let what = format!("{}, {compression}", case.what);
            let path = publish(case.stage(), compression, &dump);
            if case.can_read {
                check(&case.open(path.as_deref()), &dump, case.can_patch, &what);
            } else if let Some(received) = (case.received)() {
                // Somebody else stores what a stream's reader gets.
                check(&(MemoryObject::of(&received) as _), &dump, case.can_patch, &what);
            }
        }
    }
}

fn check(object: &SharedObject, dump: &[u8], can_patch: bool, what: &str) {
    let mut seen = Vec::new();
    let verified = verify(object, &mut |_, bytes| seen.extend_from_slice(bytes)).expect(what);
    assert!(seen == dump, "{what}: verified");
    assert_eq!(verified.bytes(), object.size(), "{what}");
    let index = Index::read(object.as_ref()).expect(what).expect(what);
    // What can't be patched has numbered parts.
    assert_eq!(index.members[0].path.ends_with("/dump.sql"), can_patch, "{what}");
    let inspected = inspect(object).expect(what);
    assert_eq!((&inspected.manifest, inspected.index), (verified.manifest(), index), "{what}");
    let mut read = Vec::new();
    dump_stream(object).expect(what).1.read_to_end(&mut read).expect(what);
    assert!(read == dump, "{what}: as a stream");
    read.clear();
    dump_parts(object, &[3..5, 300_000..400_000]).expect(what).read_to_end(&mut read).expect(what);
    assert!(read == [&dump[3..5], &dump[300_000..400_000]].concat(), "{what}: in parts");
    let mut reader = Reader::open(object).expect(what);
    let path = reader.next_member().expect(what).expect(what).path().to_owned();
    read.clear();
    let reader = Reader::open(object).expect(what);
    reader.dump(&path, None, Reading::default()).expect(what).read_to_end(&mut read).expect(what);
    assert!(read == dump, "{what}: as anybody's archive");
}

#[test]
fn an_index_spares_reads_and_reads_are_large() {
    let archive_of = |rows| {
        let location = locate(&memory::new_bucket()).expect("a location");
        let path =
            publish(location.stage("a", "tar").expect("staged"), Compression::Gzip(Level::Fixed(1)), &dump(rows));
        let object = locate(path.expect("a key").to_str().expect("UTF-8")).expect("a location").open();
        let object = object.expect("readable").expect("there");
        let bytes = read(&object, 0, usize::try_from(object.size()).expect("small"));
        MemoryObject::of(&bytes)
    };
    for rows in [1, 200_000] {
        let object = archive_of(rows);
        inspect(&(object.clone() as _)).expect("an archive");
        assert!(object.reads() <= 6, "{rows} rows are inspected in {} reads", object.reads());
        let before = object.reads();
        verify(&(object.clone() as _), &mut |_, _| {}).expect("an archive");
        let (reads, blocks) = ((object.reads() - before) as u64, object.size() / (128 << 10));
        assert!(reads <= blocks + 10, "{rows} rows, {} bytes, are verified in {reads} reads", object.size());
    }
}
