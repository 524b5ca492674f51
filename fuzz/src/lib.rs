//! What the targets share.

use dbhaul::engine::{self, Content, Format, Incomplete};

/// Reads a dump whole and in pieces, which must come to the same: a pipe cuts where it likes. The last byte is the
/// length of the pieces as well, so that a dump as it is makes a seed.
pub fn inspect(format: Format, bytes: &[u8]) {
    let Some(&length) = bytes.last() else { return };
    let read = |length: usize| -> Result<Content, Incomplete> {
        let mut inspector = engine::of(format.dialect()).inspector(format);
        bytes.chunks(length.max(1)).for_each(|piece| inspector.see(piece));
        inspector.finish()
    };
    let (whole, pieces) = (read(bytes.len()), read(usize::from(length)));
    assert_eq!(format!("{whole:?}"), format!("{pieces:?}"));
}
