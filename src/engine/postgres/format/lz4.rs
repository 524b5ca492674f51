//! Walks over an LZ4 frame without decoding it: enough to tell a file that was cut. `pg_dump` writes no checksums into
//! its frames, so there is no more to be told from them. (lz4's `doc/lz4_Frame_format.md`.)

use std::io::{self, Read};

const MAGIC: [u8; 4] = [0x04, 0x22, 0x4d, 0x18];
/// The highest bit of a block's length says that it is stored as it is.
const STORED: u32 = 1 << 31;

/// Reads frames up to the end of the file, which must be the end of a frame.
pub fn walk(mut file: impl Read) -> io::Result<()> {
    while frame(&mut file)? {}
    Ok(())
}

/// One frame; false where the file ends instead.
fn frame(file: &mut impl Read) -> io::Result<bool> {
    let mut magic = Vec::new();
    file.take(4).read_to_end(&mut magic)?;
    if magic.is_empty() {
        return Ok(false);
    }
    let [flags, _block_size]: [u8; 2] = if magic == MAGIC { exactly(file)? } else { return Err(damaged()) };
    if flags >> 6 != 1 {
        return Err(damaged());
    }
    let set = |bit: u8| u64::from(flags >> bit & 1);
    // Content size, dictionary, and the header's own checksum.
    skip(file, 8 * set(3) + 4 * set(0) + 1)?;
    loop {
        match u32::from_le_bytes(exactly(file)?) {
            0 => break,
            length => skip(file, u64::from(length & !STORED) + 4 * set(4))?,
        }
    }
    skip(file, 4 * set(2))?;
    Ok(true)
}

fn exactly<const N: usize>(file: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn skip(file: &mut impl Read, count: u64) -> io::Result<()> {
    let skipped = io::copy(&mut file.take(count), &mut io::sink())?;
    if skipped == count { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "this is no LZ4 frame")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_is_cut_has_no_end() {
        // Content size and both checksums; one block as it is, one compressed, the end mark.
        let mut whole = MAGIC.to_vec();
        whole.extend([0b0101_1100, 0x40, 9, 0, 0, 0, 0, 0, 0, 0, 0x77]);
        whole.extend([3, 0, 0, 0x80, b'a', b'b', b'c', 1, 2, 3, 4]);
        whole.extend([2, 0, 0, 0, 0x10, b'd', 1, 2, 3, 4]);
        whole.extend([0, 0, 0, 0, 1, 2, 3, 4]);
        walk(&whole[..]).expect("a whole frame");
        walk(&[&whole[..], &whole[..]].concat()[..]).expect("two of them");
        for end in 1..whole.len() {
            assert!(walk(&whole[..end]).is_err(), "cut to {end}");
        }
        assert!(walk(&b"\\.\n\n\n"[..]).is_err());
    }
}
