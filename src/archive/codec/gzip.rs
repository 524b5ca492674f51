//! One gzip member (RFC 1952) of independent deflate blocks (RFC 1951).

use std::io::{self, BufRead, Read};

use flate2::{Compress, FlushCompress, Status};

use super::{Codec, Encode, STORED_MAX};
use crate::archive::format::crc::Crc;

/// Magic, deflate, no flags, no time, no extra flags, unknown system: the header that every reader accepts.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
/// Stored block: one byte that says so and is not the last, length, its complement.
const PREFIX: usize = 5;
/// A final, empty block with fixed codes.
const LAST: [u8; 2] = [0x03, 0x00];

pub(in super::super) struct Gzip;

impl Codec for Gzip {
    fn head(&self) -> &'static [u8] {
        &HEAD
    }

    fn store(&self, raw: &[u8], out: &mut Vec<u8>) {
        for chunk in raw.chunks(STORED_MAX) {
            out.extend_from_slice(&prefix(chunk.len()));
            out.extend_from_slice(chunk);
        }
    }

    fn stored_prefix(&self) -> u64 {
        PREFIX as u64
    }

    fn encoder(&self) -> Box<dyn Encode> {
        Box::new(Deflate {
            levels: Vec::new(),
            #[cfg(feature = "isal")]
            isal: super::isal::Isal::new(),
        })
    }

    fn finish(&self, mut raw: Crc, index: &[u8], trailer: &[u8], out: &mut Vec<u8>) {
        self.store(index, out);
        self.store(trailer, out);
        raw.append(Crc::of(index));
        raw.append(Crc::of(trailer));
        out.extend_from_slice(&LAST);
        out.extend_from_slice(&raw.sum.to_le_bytes());
        // ISIZE is the length modulo 2^32: the low four bytes.
        out.extend_from_slice(&raw.len.to_le_bytes()[..4]);
    }

    fn after_trailer(&self) -> u64 {
        LAST.len() as u64 + 8
    }

    fn unframe(&self, mut framed: &[u8], index_len: u64) -> Option<Vec<u8>> {
        let mut index = Vec::new();
        let mut left = usize::try_from(index_len).ok()?;
        while left > 0 {
            let len = left.min(STORED_MAX);
            framed = framed.strip_prefix(&prefix(len))?;
            index.extend_from_slice(framed.get(..len)?);
            framed = &framed[len..];
            left -= len;
        }
        let trailer = framed.get(PREFIX..)?.len().checked_sub(LAST.len() + 8)?;
        (framed.starts_with(&prefix(trailer)) && framed[PREFIX + trailer..].starts_with(&LAST)).then_some(index)
    }

    fn whole<'a>(&self, file: Box<dyn BufRead + Send + 'a>) -> io::Result<Box<dyn Read + Send + 'a>> {
        Ok(Box::new(OneMember(flate2::bufread::GzDecoder::new(file))))
    }

    fn onwards<'a>(&self, file: Box<dyn BufRead + Send + 'a>) -> io::Result<Box<dyn Read + Send + 'a>> {
        Ok(Box::new(flate2::bufread::DeflateDecoder::new(file)))
    }

    fn index_in_stream(&self) -> bool {
        true
    }
}

fn prefix(len: usize) -> [u8; PREFIX] {
    debug_assert!(len <= STORED_MAX);
    let [a, b, ..] = len.to_le_bytes();
    [0, a, b, !a, !b]
}

/// Raw deflate at changing levels: one reusable state for each level that was ever asked for.
struct Deflate {
    levels: Vec<(u32, Compress)>,
    #[cfg(feature = "isal")]
    isal: super::isal::Isal,
}

impl Encode for Deflate {
    fn encode(&mut self, raw: &mut Vec<u8>, level: u32, out: &mut Vec<u8>) -> io::Result<()> {
        #[cfg(feature = "isal")]
        if level <= super::isal::MAX_LEVEL {
            return self.isal.encode(raw, out);
        }
        let known = self.levels.iter().position(|(known, _)| *known == level);
        let at = known.unwrap_or_else(|| {
            self.levels.push((level, Compress::new(flate2::Compression::new(level), false)));
            self.levels.len() - 1
        });
        let state = &mut self.levels[at].1;
        // A fresh state for each block is what makes it independent of the others.
        state.reset();
        // Incompressible input grows by 5 bytes in 16 KiB at most.
        out.reserve(raw.len() + raw.len() / 1024 + 1024);
        loop {
            let done = usize::try_from(state.total_in()).map_err(io::Error::other)?;
            let status = state.compress_vec(&raw[done..], out, FlushCompress::Sync).map_err(io::Error::other)?;
            // Space left in `out` is zlib's word for: the flush is complete.
            if state.total_in() == raw.len() as u64 && out.len() < out.capacity() {
                return Ok(());
            }
            if status == Status::StreamEnd {
                return Err(io::Error::other("deflate ended its stream by itself"));
            }
            out.reserve(64 * 1024);
        }
    }
}

/// Refuses what follows the member: an archive of ours is one member and nothing else.
struct OneMember<R: BufRead>(flate2::bufread::GzDecoder<R>);

impl<R: BufRead> Read for OneMember<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buf)?;
        if read == 0 && !buf.is_empty() && !self.0.get_mut().fill_buf()?.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "bytes follow the gzip member"));
        }
        Ok(read)
    }
}
