//! Independent Zstandard frames (RFC 8878), the index in a skippable one.

use std::io::{self, BufRead, Read};

use zstd::bulk::Compressor;
use zstd::zstd_safe;

use super::{Codec, Encode, STORED_MAX};
use crate::archive::format::crc::Crc;

pub(super) const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The last of the sixteen skippable magics; pzstd and seekable zstd use others.
const SKIPPABLE: [u8; 4] = [0x5f, 0x2a, 0x4d, 0x18];
/// Magic, descriptor, content size, block header.
const PREFIX: usize = 4 + 1 + 4 + 3;

/// The window of a frame of ours is a block of 256 KiB, and 1 MiB is allowed.
const WINDOW_LOG: u32 = 20;

pub(in super::super) struct Zstandard;

impl Codec for Zstandard {
    fn head(&self) -> &'static [u8] {
        &[]
    }

    fn store(&self, raw: &[u8], out: &mut Vec<u8>) {
        for chunk in raw.chunks(STORED_MAX) {
            let len = u32::try_from(chunk.len()).expect("a chunk has at most 65,535 bytes");
            out.extend_from_slice(&MAGIC);
            // Single segment, content size in four bytes, no checksum: it would have to be rewritten as well.
            out.push(0b1010_0000);
            out.extend_from_slice(&len.to_le_bytes());
            // The last block, raw, of this length.
            out.extend_from_slice(&(len << 3 | 1).to_le_bytes()[..3]);
            out.extend_from_slice(chunk);
        }
    }

    fn stored_prefix(&self) -> u64 {
        PREFIX as u64
    }

    fn encoder(&self) -> Box<dyn Encode> {
        Box::new(Frames { state: None })
    }

    fn finish(&self, _raw: Crc, index: &[u8], trailer: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&skippable(index.len() + trailer.len()));
        out.extend_from_slice(index);
        out.extend_from_slice(trailer);
    }

    fn after_trailer(&self) -> u64 {
        0
    }

    fn unframe(&self, framed: &[u8], index_len: u64) -> Option<Vec<u8>> {
        let inside = framed.get(8..)?;
        framed.starts_with(&skippable(inside.len())).then_some(())?;
        Some(inside.get(..usize::try_from(index_len).ok()?)?.to_vec())
    }

    fn whole<'a>(&self, file: Box<dyn BufRead + Send + 'a>) -> io::Result<Box<dyn Read + Send + 'a>> {
        self.onwards(file)
    }

    fn onwards<'a>(&self, file: Box<dyn BufRead + Send + 'a>) -> io::Result<Box<dyn Read + Send + 'a>> {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(file)?;
        // What we write are frames of a block each: whoever asks for more memory than that is not us.
        decoder.window_log_max(WINDOW_LOG)?;
        Ok(Box::new(decoder))
    }

    fn index_in_stream(&self) -> bool {
        false
    }
}

fn skippable(len: usize) -> [u8; 8] {
    let len = u32::try_from(len).expect("the index is bounded far below 4 GiB");
    let mut head = [0; 8];
    head[..4].copy_from_slice(&SKIPPABLE);
    head[4..].copy_from_slice(&len.to_le_bytes());
    head
}

struct Frames {
    state: Option<(u32, Compressor<'static>)>,
}

impl Encode for Frames {
    fn encode(&mut self, raw: &mut Vec<u8>, level: u32, out: &mut Vec<u8>) -> io::Result<()> {
        let signed = i32::try_from(level).map_err(io::Error::other)?;
        let (known, state) = match &mut self.state {
            Some(state) => state,
            empty => {
                let mut state = Compressor::new(signed)?;
                state.set_parameter(zstd_safe::CParameter::ChecksumFlag(true))?;
                empty.insert((level, state))
            }
        };
        if *known != level {
            state.set_compression_level(signed)?;
            *known = level;
        }
        out.reserve(zstd_safe::compress_bound(raw.len()));
        state.compress_to_buffer(raw, out).map(drop)
    }
}
