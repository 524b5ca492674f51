//! One list of assertions for every store: a new one joins by a line of [`cases`].

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tempfile::TempDir;

use super::file::Staged;
use super::location::STORES;
use super::stdout::Stream;
use super::*;
use crate::archive::tests::MemoryObject;
use crate::archive::{ArchiveError, Compression, SharedObject, fill};

pub(crate) mod archives;

/// A store, and what is to be true of it.
struct Case {
    what: &'static str,
    location: SharedLocation,
    /// Whether it can be read by ranges, patched, and take back what was written.
    can_read: bool,
    can_patch: bool,
    can_abort: bool,
    /// Names that are visible there, `.partial` ones included.
    list: Box<dyn Fn() -> Vec<String>>,
    /// The bytes that a stream's reader has got, once the stream has ended.
    received: Box<dyn Fn() -> Option<Vec<u8>>>,
    /// The same store when it takes no more; None where it always does.
    broken: Option<Box<dyn Fn() -> Box<dyn Store>>>,
}

fn cases() -> Vec<Case> {
    vec![
        file("a file", "a.tar"),
        file("a folder", ""),
        memory("a key", "a.tar"),
        memory("a prefix", ""),
        pipe(),
        null(),
    ]
}

fn file(what: &'static str, name: &str) -> Case {
    let folder: Arc<TempDir> = Arc::new(tempfile::tempdir().expect("a folder"));
    let listed = folder.clone();
    let url = format!("file://{}/{name}", folder.path().display());
    Case {
        what,
        location: locate(&url).expect("a location"),
        can_read: true,
        can_patch: true,
        can_abort: true,
        list: Box::new(move || names(listed.path())),
        received: Box::new(|| None),
        broken: Some(Box::new(move || {
            Box::new(Staged::at(&folder.path().join("full")).expect("staged").on_full_disk())
        })),
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").path().display().to_string()).collect()
}

fn memory(what: &'static str, name: &str) -> Case {
    let bucket = memory::new_bucket();
    let location = locate(&format!("{bucket}{name}")).expect("a location");
    let full = location.clone();
    Case {
        what,
        location,
        can_read: true,
        can_patch: false,
        can_abort: true,
        list: Box::new(move || memory::list(&bucket)),
        received: Box::new(|| None),
        broken: Some(Box::new(move || {
            let mut full = full.stage("full", "tar").expect("staged");
            full.write_all(&vec![0; memory::QUOTA]).expect("within the quota");
            full
        })),
    }
}

/// Standard output, as a pipe that a program reads.
#[derive(Debug, Default)]
struct Pipe(Mutex<Vec<JoinHandle<Vec<u8>>>>);

impl Location for Pipe {
    fn scheme(&self) -> &'static str {
        stdout::SCHEME
    }

    fn stage(&self, _: &str, _: &str) -> Result<Box<dyn Store>, StoreError> {
        let (reader, writer) = rustix::pipe::pipe().expect("a pipe");
        let reading = std::thread::spawn(move || {
            let mut all = Vec::new();
            File::from(reader).read_to_end(&mut all).expect("a pipe");
            all
        });
        self.0.lock().expect("no panic").push(reading);
        Ok(Box::new(Stream(writer.into())))
    }

    fn open(&self) -> Option<io::Result<SharedObject>> {
        locate(stdout::SCHEME).expect("stdout").open()
    }
}

fn pipe() -> Case {
    let pipe: Arc<Pipe> = Arc::default();
    let read = pipe.clone();
    let received = move || Some(read.0.lock().expect("no panic").pop()?.join().expect("no panic"));
    Case {
        what: "standard output",
        location: pipe,
        can_read: false,
        can_patch: false,
        can_abort: false,
        list: Box::new(Vec::new),
        received: Box::new(received),
        // A pipe whose reader has gone.
        broken: Some(Box::new(|| Box::new(Stream(rustix::pipe::pipe().expect("a pipe").1.into())))),
    }
}

fn null() -> Case {
    Case {
        what: "nowhere",
        location: Arc::new(NullLocation),
        can_read: false,
        can_patch: true,
        can_abort: true,
        list: Box::new(Vec::new),
        received: Box::new(|| None),
        broken: None,
    }
}

impl Case {
    fn stage(&self) -> Box<dyn Store> {
        self.location.stage("20260102030405_shop", "tar").unwrap_or_else(|error| panic!("{}: {error}", self.what))
    }

    /// Stores these bytes. The path that they have then.
    fn store(&self, bytes: &[u8]) -> Option<PathBuf> {
        let mut store = self.stage();
        bytes.chunks(77_777).for_each(|chunk| store.write_all(chunk).expect(self.what));
        store.publish(Proved(())).expect(self.what)
    }

    /// Opens what a store has published.
    fn open(&self, path: Option<&Path>) -> SharedObject {
        let location = locate(path.and_then(Path::to_str).expect(self.what)).expect(self.what);
        location.open().expect(self.what).expect(self.what)
    }
}

/// Bytes of which no two stretches are the same.
fn bytes(count: u32) -> Vec<u8> {
    (0..count).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

fn read(object: &SharedObject, offset: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let filled = fill(object.as_ref(), offset, &mut bytes).expect("readable");
    bytes.truncate(filled);
    bytes
}

#[test]
fn every_store_of_the_command_line_is_here() {
    let schemes: Vec<_> = cases().iter().map(|case| case.location.scheme()).collect();
    assert!(STORES.iter().all(|store| schemes.contains(&store.scheme)), "{schemes:?}");
}

#[test]
fn what_was_written_comes_back_in_any_ranges() {
    let written = bytes(100_000);
    for case in cases() {
        let path = case.store(&written);
        assert_eq!(path.is_some(), case.can_read, "{}", case.what);
        assert_eq!(case.location.open().is_some(), case.can_read, "{}: whether it can be read", case.what);
        assert!((case.received)().is_none_or(|received| received == written), "{}", case.what);
        if !case.can_read {
            continue;
        }
        let object = case.open(path.as_deref());
        assert_eq!(object.size(), written.len() as u64, "{}", case.what);
        assert!(object.is_unchanged(), "{}", case.what);
        let mut seed = 1_usize;
        for len in [0, 1, 511, 4096, 77_777, written.len(), written.len() + 1] {
            for _ in 0..20 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let from = (seed >> 33) % written.len();
                let wanted = &written[from..written.len().min(from + len)];
                assert!(read(&object, from as u64, len) == wanted, "{}: {len} from {from}", case.what);
            }
        }
    }
}

#[test]
fn behind_its_end_there_is_nothing() {
    for written in [&b""[..], b"x"] {
        for case in cases().iter().filter(|case| case.can_read) {
            let object = case.open(case.store(written).as_deref());
            for offset in [object.size(), object.size() + 1, 1 << 40, i64::MAX as u64, u64::MAX] {
                assert_eq!(object.read_at(offset, &mut [0; 10]).expect(case.what), 0, "{}, {offset}", case.what);
            }
        }
    }
}

#[test]
fn what_is_not_there_is_not_found() {
    for case in cases().iter().filter(|case| case.can_read) {
        let url = (case.store(b"x").expect(case.what).display().to_string()) + "-";
        let missing = locate(&url).expect(case.what).open().expect(case.what);
        assert_eq!(missing.err().map(|error| error.kind()), Some(io::ErrorKind::NotFound), "{}", case.what);
    }
}

#[test]
fn nothing_is_visible_before_it_is_published() {
    for case in cases().into_iter().filter(|case| case.can_read) {
        let mut store = case.stage();
        store.write_all(b"some").expect(case.what);
        let partial = store.partial().map(|path| path.display().to_string());
        let visible = (case.list)().into_iter().filter(|name| Some(name) != partial.as_ref());
        assert_eq!(visible.count(), 0, "{}", case.what);
        assert!(partial.is_none_or(|path| path.ends_with(".partial")), "{}", case.what);
        let path = store.publish(Proved(())).expect(case.what).expect(case.what);
        assert_eq!((case.list)(), [path.display().to_string()], "{}", case.what);
    }
}

#[test]
fn dropped_before_it_is_published_it_leaves_nothing() {
    for case in cases() {
        let mut store = case.stage();
        assert_eq!(store.can_abort(), case.can_abort, "{}", case.what);
        store.write_all(b"some").expect(case.what);
        drop(store);
        assert!((case.list)().is_empty(), "{}", case.what);
        // What a stream's reader has it keeps.
        assert_eq!((case.received)(), (!case.can_abort).then(|| b"some".to_vec()), "{}", case.what);
    }
}

#[test]
fn nothing_is_overwritten() {
    for case in cases().iter().filter(|case| case.can_read) {
        // Both begin before one ends.
        let (mut first, mut second) = (case.stage(), case.stage());
        first.write_all(b"first").expect(case.what);
        second.write_all(b"second").expect(case.what);
        let path = first.publish(Proved(())).expect(case.what);
        match (second.publish(Proved(())), case.location.stage("20260102030405_shop", "tar").map(drop)) {
            (Err(StoreError::Exists(taken)), Err(StoreError::Exists(again))) => {
                assert_eq!([Some(taken), Some(again)], [path.clone(), path.clone()], "{}", case.what);
            }
            (Ok(Some(second)), Ok(())) => {
                assert!(second.ends_with("20260102030405_shop_2.tar"), "{}: {second:?}", case.what);
                assert_eq!(read(&case.open(Some(&second)), 0, 10), b"second", "{}", case.what);
            }
            other => panic!("{}: {other:?}", case.what),
        }
        assert_eq!(read(&case.open(path.as_deref()), 0, 10), b"first", "{}", case.what);
    }
}

#[test]
fn only_what_can_be_patched_is() {
    for case in cases() {
        let mut store = case.stage();
        assert_eq!(store.can_patch(), case.can_patch, "{}", case.what);
        store.write_all(b"a placeholder").expect(case.what);
        let patched = store.patch(2, b"PLACE").map_err(|error| error.kind());
        assert_eq!(patched, if case.can_patch { Ok(()) } else { Err(io::ErrorKind::Unsupported) }, "{}", case.what);
        store.write_all(b", and more").expect(case.what);
        let path = store.publish(Proved(())).expect(case.what);
        let wanted: &[u8] = if case.can_patch { b"a PLACEholder, and more" } else { b"a placeholder, and more" };
        if case.can_read {
            assert_eq!(read(&case.open(path.as_deref()), 0, 100), wanted, "{}", case.what);
        }
        assert!((case.received)().is_none_or(|received| received == wanted), "{}", case.what);
    }
}

#[test]
fn an_error_while_writing_is_told_as_the_stores() {
    for case in cases() {
        let Some(broken) = case.broken.as_ref().map(|broken| broken()) else { continue };
        let error = archives::write(broken, Compression::None, &bytes(1000)).err().expect(case.what);
        assert!(matches!(error, ArchiveError::Sink(_)), "{}: {error:?}", case.what);
        assert!((case.list)().is_empty(), "{}", case.what);
    }
}
