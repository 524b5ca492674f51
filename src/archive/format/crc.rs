//! CRC-32 of a stream that is checksummed in pieces, by several threads, and partly rewritten afterwards.
//!
//! CRC-32 is linear: the checksum of two pieces follows from theirs, and a rewritten stretch changes the whole by
//! the difference of its checksums, shifted over what follows. So no byte is visited twice.

use crc32fast::Hasher;

/// Checksum and length of a stretch of bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Crc {
    pub sum: u32,
    pub len: u64,
}

impl Crc {
    pub fn of(bytes: &[u8]) -> Self {
        Self { sum: crc32fast::hash(bytes), len: bytes.len() as u64 }
    }

    /// The checksum of these bytes followed by the other ones.
    pub fn append(&mut self, next: Self) {
        self.sum = shift(self.sum, next.len) ^ next.sum;
        self.len += next.len;
    }

    /// Notes that a stretch, followed by `after` more bytes of this one, was rewritten at the same length.
    pub fn rewrite(&mut self, old: Self, new: Self, after: u64) {
        debug_assert_eq!(old.len, new.len);
        self.sum ^= shift(old.sum ^ new.sum, after);
    }
}

/// What a checksum contributes once `len` more bytes have followed.
fn shift(sum: u32, len: u64) -> u32 {
    let mut hasher = Hasher::new_with_initial(sum);
    hasher.combine(&Hasher::new_with_initial_len(0, len));
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_and_rewrites_equal_one_pass() {
        let mut bytes: Vec<u8> = (0..=255).cycle().take(5000).collect();
        let mut whole = Crc::default();
        for piece in bytes.chunks(700) {
            whole.append(Crc::of(piece));
        }
        assert_eq!(whole, Crc::of(&bytes));
        let (old, new) = (Crc::of(&bytes[1000..1512]), Crc::of(&[7; 512]));
        bytes[1000..1512].fill(7);
        whole.rewrite(old, new, 5000 - 1512);
        assert_eq!(whole, Crc::of(&bytes));
    }
}
