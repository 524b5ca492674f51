//! Tests of the archive as a whole; each file's own parts are tested beside them.

mod calls;
mod damage;
mod failing;
mod foreign;
mod lanes;
mod large;
mod parts;
mod readers;
mod round_trip;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// A sink in memory.
#[derive(Debug, Default)]
struct Memory {
    bytes: Vec<u8>,
    can_patch: bool,
}

impl Sink for Memory {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn patch(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        assert!(self.can_patch, "patched though it can't be");
        let at = usize::try_from(offset).expect("small");
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn can_patch(&self) -> bool {
        self.can_patch
    }
}

/// An object in memory, which counts its reads.
pub(crate) struct MemoryObject {
    bytes: Vec<u8>,
    reads: AtomicUsize,
}

impl MemoryObject {
    pub fn of(bytes: &[u8]) -> Arc<Self> {
        Arc::new(Self { bytes: bytes.to_vec(), reads: AtomicUsize::new(0) })
    }

    /// How often it was read.
    pub fn reads(&self) -> usize {
        self.reads.load(Ordering::Relaxed)
    }
}

impl StoredObject for MemoryObject {
    fn name(&self) -> &'static str {
        "object"
    }

    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let rest = usize::try_from(offset).ok().and_then(|from| self.bytes.get(from..)).unwrap_or_default();
        let read = rest.len().min(buf.len());
        buf[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }
}

const ROOT: &str = "20231207000608_my_app";
const ALL: [Compression; 5] = [
    Compression::Gzip(Level::Adaptive),
    Compression::Gzip(Level::Fixed(1)),
    Compression::Zstd(Level::Adaptive),
    Compression::Zstd(Level::Fixed(3)),
    Compression::None,
];
const CONTAINERS: [Compression; 3] =
    [Compression::Gzip(Level::Adaptive), Compression::Zstd(Level::Adaptive), Compression::None];

fn options(compression: Compression) -> Options {
    Options { root: ROOT.to_owned(), compression, mtime: 1_701_907_568, encoders: 2 }
}

fn manifest(members: Vec<Member>) -> Manifest {
    Manifest {
        format_version: FORMAT_VERSION,
        tool: "dbhaul test".into(),
        engine: "mysql".into(),
        members,
        ..Manifest::default()
    }
}

/// An archive of one dump and its manifest.
fn archive(compression: Compression, can_patch: bool, dump: impl io::Read) -> Vec<u8> {
    named(options(compression), "dump.sql", can_patch, dump)
}

fn named(options: Options, name: &str, can_patch: bool, mut dump: impl io::Read) -> Vec<u8> {
    let writer = Writer::new(Memory { can_patch, ..Memory::default() }, options).expect("a writer");
    let members = writer.stream(name, &mut dump, &mut |_| {}).expect("a dump");
    writer.bytes(MANIFEST, &manifest(members).to_json()).expect("a manifest");
    let sealed = writer.seal().expect("an archive");
    let told = sealed.bytes();
    let bytes = sealed.into_sink().bytes;
    assert_eq!(told, bytes.len() as u64);
    bytes
}

/// The same bytes, as an object of a store.
fn stored(bytes: &[u8]) -> SharedObject {
    MemoryObject::of(bytes)
}

/// Text that compresses like a dump does.
fn sql(len: usize) -> Vec<u8> {
    let mut text = b"-- MySQL dump\n".to_vec();
    let mut seed = 1_u32;
    while text.len() < len {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let line = format!("INSERT INTO `orders` VALUES ({},'customer {:x}',{}.5);\n", text.len(), seed, seed >> 20);
        text.extend_from_slice(line.as_bytes());
    }
    text.truncate(len);
    text
}

/// Bytes that don't compress.
fn noise(len: usize) -> Vec<u8> {
    let mut seed = 88_172_645_463_325_252_u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed.to_le_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}
