//! No compression: the pieces are the tar itself.

use std::io::{self, BufRead, Read};

use super::{Codec, Encode};
use crate::archive::format::crc::Crc;

pub(in super::super) struct Plain;

impl Codec for Plain {
    fn head(&self) -> &'static [u8] {
        &[]
    }

    fn store(&self, raw: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(raw);
    }

    fn stored_prefix(&self) -> u64 {
        0
    }

    fn encoder(&self) -> Box<dyn Encode> {
        Box::new(Handover)
    }

    fn finish(&self, _raw: Crc, index: &[u8], trailer: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(index);
        out.extend_from_slice(trailer);
    }

    fn after_trailer(&self) -> u64 {
        0
    }

    fn unframe(&self, framed: &[u8], index_len: u64) -> Option<Vec<u8>> {
        Some(framed.get(..usize::try_from(index_len).ok()?)?.to_vec())
    }

    fn whole<'a>(&self, file: Box<dyn BufRead + Send + 'a>) -> io::Result<Box<dyn Read + Send + 'a>> {
        Ok(Box::new(file))
    }

    fn onwards<'a>(&self, file: Box<dyn BufRead + Send + 'a>) -> io::Result<Box<dyn Read + Send + 'a>> {
        Ok(Box::new(file))
    }

    fn index_in_stream(&self) -> bool {
        true
    }
}

struct Handover;

impl Encode for Handover {
    fn encode(&mut self, raw: &mut Vec<u8>, _level: u32, out: &mut Vec<u8>) -> io::Result<()> {
        std::mem::swap(raw, out);
        Ok(())
    }
}
