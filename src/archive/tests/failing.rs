//! Sources, sinks and encoders that fail: an error at once, never a hang, never a sealed archive.

use std::io::{BufRead, Read};
use std::sync::mpsc::channel;
use std::time::Duration;

use super::super::codec::{Codec, Encode, Gzip};
use super::*;
use crate::archive::format::crc::Crc;

/// Fails a test that hangs.
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, wait) = channel();
    std::thread::spawn(move || drop(done.send(work())));
    wait.recv_timeout(Duration::from_secs(20)).expect("it neither succeeded nor failed")
}

/// Takes so many calls, then fails all further ones.
struct Failing {
    calls: usize,
    can_patch: bool,
    patches: bool,
}

impl Sink for Failing {
    fn write_all(&mut self, _: &[u8]) -> io::Result<()> {
        self.calls = self.calls.checked_sub(1).ok_or(io::ErrorKind::StorageFull)?;
        Ok(())
    }

    fn patch(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
        if self.patches { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }

    fn can_patch(&self) -> bool {
        self.can_patch
    }
}

fn write<S: Sink>(sink: S, compression: Compression, source: &mut dyn Read) -> Result<Sealed<S>> {
    let writer = Writer::new(sink, options(compression))?;
    let members = writer.stream("dump.sql", source, &mut |_| {})?;
    writer.bytes(MANIFEST, &manifest(members).to_json())?;
    writer.seal()
}

#[test]
fn a_sink_that_fails_on_the_nth_write() {
    for compression in CONTAINERS {
        for can_patch in [true, false] {
            let mut calls = 0;
            loop {
                let result = in_time(move || {
                    let dump = sql(6_000_000);
                    write(Failing { calls, can_patch, patches: true }, compression, &mut &dump[..]).map(drop)
                });
                match result {
                    Ok(()) => break,
                    Err(ArchiveError::Sink(error)) => assert_eq!(error.kind(), io::ErrorKind::StorageFull),
                    Err(error) => panic!("write {calls}: {error:?}"),
                }
                calls += 1;
            }
            assert!(calls > 5, "only {calls} writes were tried");
        }
    }
}

#[test]
fn a_sink_that_fails_to_patch() {
    let result = in_time(|| {
        let sink = Failing { calls: usize::MAX, can_patch: true, patches: false };
        write(sink, Compression::default(), &mut &sql(1000)[..]).map(drop)
    });
    assert!(matches!(result, Err(ArchiveError::Sink(_))), "{result:?}");
}

#[test]
fn a_failing_sink_ends_an_endless_source() {
    let result = in_time(|| {
        let sink = Failing { calls: 100, can_patch: true, patches: true };
        write(sink, Compression::default(), &mut io::repeat(7)).map(drop)
    });
    assert!(matches!(result, Err(ArchiveError::Sink(_))), "{result:?}");
}

#[test]
fn a_source_that_fails_leaves_nothing_to_seal() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    }
    for can_patch in [true, false] {
        for len in [0, 10, 1_000_000] {
            in_time(move || {
                let writer = Writer::new(Memory { can_patch, ..Memory::default() }, options(Compression::default()))
                    .expect("a writer");
                let result = writer.stream("dump.sql", &mut sql(len).chain(Broken), &mut |_| {});
                assert!(matches!(result, Err(ArchiveError::Source(_))), "{result:?}");
                assert!(matches!(writer.bytes(MANIFEST, b"{}"), Err(ArchiveError::Abandoned)));
                assert!(matches!(writer.seal(), Err(ArchiveError::Abandoned)));
            });
        }
    }
}

/// Gzip whose encoders panic, or fail, at their third block.
struct Faulty {
    panics: bool,
}

struct FaultyEncoder {
    inner: Box<dyn Encode>,
    panics: bool,
    left: usize,
}

impl Encode for FaultyEncoder {
    fn encode(&mut self, raw: &mut Vec<u8>, level: u32, out: &mut Vec<u8>) -> io::Result<()> {
        if self.left == 0 {
            assert!(!self.panics, "meant to panic");
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        self.left -= 1;
        self.inner.encode(raw, level, out)
    }
}

impl Codec for Faulty {
    fn head(&self) -> &'static [u8] {
        Gzip.head()
    }
    fn store(&self, raw: &[u8], out: &mut Vec<u8>) {
        Gzip.store(raw, out);
    }
    fn stored_prefix(&self) -> u64 {
        Gzip.stored_prefix()
    }
    fn encoder(&self) -> Box<dyn Encode> {
        Box::new(FaultyEncoder { inner: Gzip.encoder(), panics: self.panics, left: 2 })
    }
    fn finish(&self, raw: Crc, index: &[u8], trailer: &[u8], out: &mut Vec<u8>) {
        Gzip.finish(raw, index, trailer, out);
    }
    fn after_trailer(&self) -> u64 {
        Gzip.after_trailer()
    }
    fn unframe(&self, framed: &[u8], index_len: u64) -> Option<Vec<u8>> {
        Gzip.unframe(framed, index_len)
    }
    fn whole<'a>(&self, file: Box<dyn BufRead + Send + 'a>) -> io::Result<Box<dyn Read + Send + 'a>> {
        Gzip.whole(file)
    }
    fn onwards<'a>(&self, file: Box<dyn BufRead + Send + 'a>) -> io::Result<Box<dyn Read + Send + 'a>> {
        Gzip.onwards(file)
    }
    fn index_in_stream(&self) -> bool {
        true
    }
}

#[test]
fn an_encoder_that_dies_is_an_error_at_once() {
    static PANICS: Faulty = Faulty { panics: true };
    static FAILS: Faulty = Faulty { panics: false };
    for codec in [&PANICS, &FAILS] {
        for can_patch in [true, false] {
            let result = in_time(move || {
                let sink = Memory { can_patch, ..Memory::default() };
                let writer = Writer::with_codec(sink, options(Compression::default()), codec)?;
                writer.stream("dump.sql", &mut io::repeat(7), &mut |_| {}).map(drop)
            });
            assert!(matches!(result, Err(ArchiveError::Worker { .. })), "{result:?}");
        }
    }
}

#[test]
fn a_sink_that_panics_is_an_error() {
    struct Panics;
    impl Sink for Panics {
        fn write_all(&mut self, _: &[u8]) -> io::Result<()> {
            panic!("meant to panic")
        }
        fn patch(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
            Ok(())
        }
        fn can_patch(&self) -> bool {
            true
        }
    }
    let result = in_time(|| write(Panics, Compression::default(), &mut io::repeat(7)).map(drop));
    assert!(matches!(result, Err(ArchiveError::Worker { .. })), "{result:?}");
}

#[test]
fn dropping_a_writer_drops_the_sink_first() {
    struct Guard(std::sync::mpsc::Sender<()>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.send(()).unwrap_or_default();
        }
    }
    impl Sink for Guard {
        fn write_all(&mut self, _: &[u8]) -> io::Result<()> {
            std::thread::sleep(Duration::from_millis(20));
            Ok(())
        }
        fn patch(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
            Ok(())
        }
        fn can_patch(&self) -> bool {
            true
        }
    }
    let (dropped, wait) = channel();
    let writer = Writer::new(Guard(dropped), options(Compression::default())).expect("a writer");
    writer.stream("dump.sql", &mut &sql(1_000_000)[..], &mut |_| {}).expect("a dump");
    drop(writer);
    wait.try_recv().expect("the sink is gone once the writer is");
}

#[test]
fn bad_names_are_refused() {
    for root in ["", "..", "a/../b", "/a"] {
        let options = Options { root: root.into(), ..options(Compression::default()) };
        assert!(matches!(Writer::new(Memory::default(), options), Err(ArchiveError::Name { .. })), "{root:?}");
    }
}
