//! Somebody's archive as a stream: tar or bare dump, compressed or not. A member may claim any size. In small reads it
//! is the same; and one of ours that `verify` takes restores to what its manifest promises, as it is and with checksums
//! that agree with what was changed.
#![no_main]

use std::io::{Cursor, Read};

use dbhaul::archive::{self, Index, Reader};
use dbhaul_fuzz::object::object;
use dbhaul_fuzz::seal::resealed;
use libfuzzer_sys::fuzz_target;

/// What is read of one input: a small gzip may hold gigabytes.
const ENOUGH: u64 = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let step = bytes.last().map_or(1, |&last| usize::from(last).max(bytes.len() / 64).max(1));
    let whole = read(bytes, bytes.len().max(1));
    assert!(whole == read(bytes, step), "in reads of {step} it is another archive");
    for bytes in [Some(bytes.to_vec()), resealed(bytes)].into_iter().flatten() {
        if let Ok(Some(_)) = Index::read(object(&bytes).as_ref()) {
            ours(&bytes);
        }
    }
});

/// Names, kinds and bytes of the members; none where there is an error, or too much. How much comes before an error
/// depends on the reads, that there is one does not.
fn read(bytes: &[u8], step: usize) -> Option<Vec<(String, Vec<u8>)>> {
    let mut reader = Reader::from_stream(Small { bytes: Cursor::new(bytes.to_vec()), step }, "fuzz").ok()?;
    let (mut members, mut left) = (Vec::new(), ENOUGH);
    while let Some(member) = reader.next_member().ok()? {
        let (name, mut content) = (format!("{} {:?}", member.path(), member.kind()), Vec::new());
        member.take(left).read_to_end(&mut content).ok()?;
        left = left.checked_sub(content.len() as u64).filter(|&left| left > 0)?;
        members.push((name, content));
    }
    Some(members)
}

/// A stream that gives a few bytes at a time.
struct Small {
    bytes: Cursor<Vec<u8>>,
    step: usize,
}

impl Read for Small {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let most = buf.len().min(self.step);
        self.bytes.read(&mut buf[..most])
    }
}

/// An archive with a good index. Few inputs come here.
fn ours(bytes: &[u8]) {
    let object = object(bytes);
    let mut seen = Vec::new();
    let verified = archive::verify(&object, &mut |name, bytes| {
        if name.contains("dump.") {
            seen.extend_from_slice(bytes);
        }
    });
    let _ = archive::inspect(&object);
    if verified.is_ok() {
        let (_, mut stream) = archive::dump_stream(&object).expect("verify has taken it");
        let mut restored = Vec::new();
        stream.read_to_end(&mut restored).expect("verify has read it");
        assert!(restored == seen, "what is restored is not what was verified");
    }
}
