//! A checksum of a table's rows that does not depend on their order.
//!
//! Each row's text, as it stands in the dump, is hashed with XXH3-64 (seed 0); the hashes are added up modulo 2^64. It
//! tells apart what no row count can, and costs a dump next to nothing (`docs/decisions/row-checksums.md`). It is
//! no defence against somebody who forges rows: that is what SHA-256 in the manifest is for.

use std::hash::Hasher as _;

use twox_hash::XxHash3_64;

/// Its name in the manifest.
pub const ROW_CHECKSUM: &str = "xxh3-64-sum";

/// The rows of one table, seen so far.
#[derive(Clone, Default)]
pub struct RowSum {
    sum: u64,
    /// A row that came in more than one piece.
    open: Option<Box<XxHash3_64>>,
}

impl RowSum {
    /// A row begins or goes on, and has not ended yet.
    pub fn extend_row(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.open.get_or_insert_with(Default::default).write(bytes);
        }
    }

    /// A row ends with these bytes.
    #[inline]
    pub fn end(&mut self, bytes: &[u8]) {
        let hash = match self.open.take() {
            None => XxHash3_64::oneshot(bytes),
            Some(mut open) => {
                open.write(bytes);
                open.finish()
            }
        };
        self.sum = self.sum.wrapping_add(hash);
    }

    /// Takes a row out again that turned out to be none.
    pub fn without(&mut self, row: &[u8]) {
        self.sum = self.sum.wrapping_sub(XxHash3_64::oneshot(row));
    }

    /// Adds rows that were summed elsewhere.
    pub fn add(&mut self, sum: u64) {
        self.sum = self.sum.wrapping_add(sum);
    }

    /// The sum of the rows that have ended since this was last asked for.
    pub fn take(&mut self) -> u64 {
        std::mem::take(&mut self.sum)
    }

    /// The sum of the rows that have ended.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.sum
    }
}

impl std::fmt::Debug for RowSum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowSum").field("sum", &self.sum).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_hash_is_xxh3_as_others_have_it() {
        // The published test vector of an empty input.
        assert_eq!(XxHash3_64::oneshot(b""), 0x2d06_8005_38d3_94c2);
    }

    proptest! {
        #[test]
        fn neither_order_nor_pieces_change_it(mut rows in proptest::collection::vec("[a-z]{0,600}", 0..9), size in 1usize..99) {
            let mut whole = RowSum::default();
            for row in &rows {
                whole.end(row.as_bytes());
            }
            rows.reverse();
            let mut pieces = RowSum::default();
            for row in &rows {
                for piece in row.as_bytes().chunks(size) {
                    pieces.extend_row(piece);
                }
                pieces.end(b"");
            }
            prop_assert_eq!(whole.sum(), pieces.sum());
        }
    }
}
