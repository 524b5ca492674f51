//! Blocks by ISA-L, Intel's deflate (feature `isal`): about the size of zlib-rs's level 2 for a third of its time.
//!
//! It is C and assembly, so building it takes a C compiler, nasm and the autotools; `docs/decisions/isa-l.md` weighs that.

use std::io;

use isal_sys::igzip_lib as isal;

/// The highest level that is ISA-L's: it has one of this kind, and those above are smaller by zlib-rs.
pub(super) const MAX_LEVEL: u32 = 2;

/// A block encoder. It keeps the matcher's memory from block to block, and nothing of what was in it.
pub(super) struct Isal {
    tables: Vec<u8>,
}

impl Isal {
    pub fn new() -> Self {
        Self { tables: vec![0; isal::ISAL_DEF_LVL1_DEFAULT as usize] }
    }

    /// Compresses `raw` into `out`, which is empty, as blocks of which none is the last, up to a byte's end.
    pub fn encode(&mut self, raw: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        // What it can't compress it stores, in blocks of at most 64 KiB; the rest is their heads and the flush.
        out.resize(raw.len() + raw.len() / 1024 + 1024, 0);
        let written = deflate(raw, &mut self.tables, out)?;
        out.truncate(written);
        Ok(())
    }
}

/// One call for a whole block; how many bytes came out.
#[expect(unsafe_code, reason = "C has no slices: a pointer and a length each, both of the same slice")]
fn deflate(raw: &[u8], tables: &mut [u8], out: &mut [u8]) -> io::Result<usize> {
    let len = |slice: &[u8]| u32::try_from(slice.len()).map_err(io::Error::other);
    let (avail_in, avail_out, level_buf_size) = (len(raw)?, len(out)?, len(tables)?);
    // SAFETY: plain numbers and pointers, for which zero is a value, and what the call takes zero for.
    let mut stream: isal::isal_zstream = unsafe { std::mem::zeroed() };
    // SAFETY: it writes to the stream alone.
    unsafe { isal::isal_deflate_stateless_init(&raw mut stream) };
    stream.level = 1;
    (stream.level_buf, stream.level_buf_size) = (tables.as_mut_ptr(), level_buf_size);
    // Not the last block, and ended at a byte: the next one follows, and knows nothing of it.
    (stream.end_of_stream, stream.flush) = (0, u16::try_from(isal::FULL_FLUSH).map_err(io::Error::other)?);
    // It only reads through this pointer, although C's type doesn't say so.
    (stream.next_in, stream.avail_in) = (raw.as_ptr().cast_mut(), avail_in);
    (stream.next_out, stream.avail_out) = (out.as_mut_ptr(), avail_out);
    // SAFETY: the three pointers are of slices that outlive the call, with their lengths; nothing is kept of them.
    let code = unsafe { isal::isal_deflate_stateless(&raw mut stream) };
    if code != isal::COMP_OK.cast_signed() || stream.avail_in != 0 {
        return Err(io::Error::other(format!("ISA-L left {} of {avail_in} bytes, code {code}", stream.avail_in)));
    }
    Ok(out.len() - stream.avail_out as usize)
}
