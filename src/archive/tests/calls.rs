//! A medium that fails at its nth call, takes so many bytes and no more, or hands out a few at a time: every n, every
//! length. What comes out is an error that names the medium, or the whole archive.

use std::io::Read;
use std::sync::Mutex;

use super::*;

/// Takes so many calls of any kind, and so many bytes, before it fails with this error.
struct Limited {
    memory: Memory,
    calls: usize,
    room: usize,
    error: io::ErrorKind,
}

impl Limited {
    fn call(&mut self) -> io::Result<()> {
        self.calls = self.calls.checked_sub(1).ok_or(self.error)?;
        Ok(())
    }
}

impl Sink for Limited {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.call()?;
        // A disk that fills up takes what fits: the write is cut short.
        let fits = bytes.len().min(self.room);
        self.room -= fits;
        self.memory.write_all(&bytes[..fits])?;
        if fits == bytes.len() { Ok(()) } else { Err(self.error.into()) }
    }

    fn patch(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.call()?;
        self.memory.patch(offset, bytes)
    }

    fn can_patch(&self) -> bool {
        self.memory.can_patch
    }
}

const ERRORS: [io::ErrorKind; 4] =
    [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::PermissionDenied, io::ErrorKind::Other];

fn write(sink: Limited, compression: Compression, dump: &[u8]) -> Result<Vec<u8>> {
    let writer = Writer::new(sink, options(compression))?;
    let members = writer.stream("dump.sql", &mut &dump[..], &mut |_| {})?;
    writer.bytes(MANIFEST, &manifest(members).to_json())?;
    Ok(writer.seal()?.into_sink().memory.bytes)
}

/// What becomes of an archive, with one limit after the other, until one is no limit: the limit that is none.
fn limits(compression: Compression, can_patch: bool, step: usize, limited: impl Fn(usize, Memory) -> Limited) -> usize {
    let dump = sql(700);
    let whole = archive(compression, can_patch, &dump[..]);
    for limit in (0..).step_by(step) {
        let sink = limited(limit, Memory { can_patch, ..Memory::default() });
        let error = sink.error;
        match write(sink, compression, &dump) {
            Ok(bytes) => {
                assert!(bytes == whole, "{compression}, {can_patch}: another archive with a limit of {limit}");
                return limit;
            }
            Err(ArchiveError::Sink(found)) => assert_eq!(found.kind(), error, "{compression}, {can_patch}, {limit}"),
            Err(error) => panic!("{compression}, {can_patch}, {limit}: {error:?}"),
        }
    }
    unreachable!("some limit is none")
}

#[test]
fn a_sink_that_fails_at_its_nth_call_with_every_error() {
    for compression in CONTAINERS {
        for can_patch in [true, false] {
            for error in ERRORS {
                let calls = limits(compression, can_patch, 1, |calls, memory| Limited {
                    memory,
                    calls,
                    room: usize::MAX,
                    error,
                });
                assert!(calls > 5, "only {calls} calls");
            }
        }
    }
}

#[test]
fn a_sink_with_room_for_every_length() {
    for compression in CONTAINERS {
        for can_patch in [true, false] {
            let error = io::ErrorKind::StorageFull;
            // Every length of one, for time; the others' pieces are larger, and cut in all places, too.
            let step = if matches!(compression, Compression::Gzip(_)) { 1 } else { 11 };
            let room =
                limits(compression, can_patch, step, |room, memory| Limited { memory, calls: usize::MAX, room, error });
            assert_eq!(room, archive(compression, can_patch, &sql(700)[..]).len().next_multiple_of(step));
        }
    }
}

/// A medium that hands out so many bytes at once, is interrupted in between, and fails at its nth read.
struct Medium {
    bytes: io::Cursor<Vec<u8>>,
    at_once: usize,
    reads: usize,
    error: Option<io::ErrorKind>,
    interrupted: bool,
}

impl Medium {
    fn new(bytes: &[u8], at_once: usize) -> Self {
        Self { bytes: io::Cursor::new(bytes.to_vec()), at_once, reads: usize::MAX, error: None, interrupted: false }
    }

    fn failing(bytes: &[u8], reads: usize, error: io::ErrorKind) -> Self {
        Self { reads, error: Some(error), ..Self::new(bytes, 100) }
    }
}

impl Read for Medium {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if self.reads == 0
            && let Some(error) = self.error
        {
            return Err(error.into());
        }
        self.reads -= 1;
        let most = self.at_once.min(buf.len());
        self.bytes.read(&mut buf[..most])
    }
}

/// The same as an object of a store.
struct Stored(Mutex<Medium>);

impl StoredObject for Stored {
    fn name(&self) -> &'static str {
        "-"
    }

    fn size(&self) -> u64 {
        self.0.lock().expect("no panic").bytes.get_ref().len() as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut medium = self.0.lock().expect("no panic");
        medium.bytes.set_position(offset);
        medium.read(buf)
    }
}

/// The index in it.
fn index(medium: Medium) -> Result<Option<Index>> {
    Index::read(&Stored(Mutex::new(medium)))
}

/// Everything in it, as a stream.
fn read(medium: Medium) -> Result<Vec<u8>> {
    let mut reader = Reader::from_stream(medium, "-")?;
    let mut all = Vec::new();
    while let Some(mut entry) = reader.next_member()? {
        entry.read_to_end(&mut all).map_err(ArchiveError::from_read)?;
    }
    Ok(all)
}

/// Archives of every container and layout, and a dump without one.
fn archives() -> Vec<(String, Vec<u8>)> {
    let mut archives = Vec::new();
    for compression in CONTAINERS {
        for can_patch in [true, false] {
            archives
                .push((format!("{compression}, patch {can_patch}"), archive(compression, can_patch, &sql(700)[..])));
        }
    }
    archives.push(("a bare dump".into(), sql(700)));
    archives
}

#[test]
fn a_medium_that_hands_out_every_number_of_bytes() {
    for (what, bytes) in archives() {
        let whole = read(Medium::new(&bytes, usize::MAX)).expect(&what);
        let known = Index::read(stored(&bytes).as_ref()).expect(&what);
        for at_once in (1..=20).chain([511, 512, 513, 1023, 1024, 1025]) {
            assert!(read(Medium::new(&bytes, at_once)).expect(&what) == whole, "{what}, {at_once} at once");
            assert_eq!(index(Medium::new(&bytes, at_once)).expect(&what), known, "{what}, {at_once} at once");
        }
    }
}

#[test]
fn a_medium_that_fails_at_its_nth_read_is_blamed_by_its_name() {
    for (what, bytes) in archives() {
        for kind in [io::ErrorKind::Other, io::ErrorKind::UnexpectedEof, io::ErrorKind::TimedOut] {
            let (mut failed, mut by_index) = (0, 0);
            for reads in 0.. {
                match read(Medium::failing(&bytes, reads, kind)) {
                    Ok(_) => break,
                    Err(ArchiveError::Read(error)) => assert_eq!(error.kind(), kind, "{what}, read {reads}"),
                    Err(error) => panic!("{what}, read {reads}, {kind}: {error:?}"),
                }
                failed += 1;
            }
            for reads in 0.. {
                match index(Medium::failing(&bytes, reads, kind)) {
                    Ok(_) => break,
                    Err(ArchiveError::Read(error)) => assert_eq!(error.kind(), kind, "{what}, read {reads}"),
                    Err(error) => panic!("{what}, read {reads} of the index, {kind}: {error:?}"),
                }
                by_index += 1;
            }
            assert!(failed >= bytes.len() / 100 && by_index > 0, "{what}: {failed} and {by_index} reads");
        }
    }
}
