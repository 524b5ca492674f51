//! The tar headers that the writer makes.

use tar::{EntryType, Header};

use crate::archive::error::{ArchiveError, Result};

/// Everything in a tar is padded to blocks of this many bytes.
pub(crate) const BLOCK: usize = 512;
/// Two empty blocks end a tar.
pub(crate) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];
/// Longer names fit no file system, and would not fit one stored piece.
const NAME_MAX: usize = 4096;

/// How many bytes of padding follow `size` bytes of content.
pub(crate) fn padding(size: u64) -> usize {
    let over = usize::try_from(size % BLOCK as u64).expect("less than a block");
    (BLOCK - over) % BLOCK
}

/// Refuses names that some reader would refuse, change, or extract elsewhere.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let refuse = |why| Err(ArchiveError::Name { name: name.to_owned(), why });
    if name.is_empty() || name.split('/').any(str::is_empty) {
        return refuse("it has an empty component");
    }
    if name.split('/').any(|part| part == "." || part == "..") {
        return refuse("it has a relative component");
    }
    if name.contains(|c: char| c.is_control() || c == '\\') {
        return refuse("it has a control character or a backslash");
    }
    if name.len() > NAME_MAX {
        return refuse("it is longer than 4096 bytes");
    }
    Ok(())
}

/// The header blocks of a regular file: one, or three and more where the path is too long for one.
pub(crate) fn file(path: &str, size: u64, mtime: u64) -> Result<Vec<u8>> {
    check_name(path)?;
    let mut header = Header::new_ustar();
    if header.set_path(path).is_ok() {
        dress(&mut header, EntryType::Regular, size, mtime);
        return Ok(header.as_bytes().to_vec());
    }
    // GNU's way, which busybox knows as well; it ignores PAX's.
    let mut long = Header::new_gnu();
    let name = b"././@LongLink";
    long.as_mut_bytes()[..name.len()].copy_from_slice(name);
    dress(&mut long, EntryType::GNULongName, path.len() as u64 + 1, 0);
    let mut blocks = long.as_bytes().to_vec();
    blocks.extend_from_slice(path.as_bytes());
    blocks.push(0);
    blocks.resize(blocks.len().next_multiple_of(BLOCK), 0);
    let mut header = Header::new_gnu();
    let cut = (0..100).rev().find(|cut| path.is_char_boundary(*cut)).unwrap_or(0);
    header.as_mut_bytes()[..cut].copy_from_slice(&path.as_bytes()[..cut]);
    dress(&mut header, EntryType::Regular, size, mtime);
    blocks.extend_from_slice(header.as_bytes());
    Ok(blocks)
}

/// The same blocks with a checksum that no reader accepts, while the size is not known.
///
/// An empty header would read as the end of an empty, valid archive.
pub(crate) fn placeholder(path: &str, mtime: u64) -> Result<Vec<u8>> {
    let mut blocks = file(path, 0, mtime)?;
    let last = blocks.len() - BLOCK;
    // No sum of 512 bytes is this large.
    blocks[last + 148..last + 156].copy_from_slice(b"777777\0 ");
    Ok(blocks)
}

fn dress(header: &mut Header, kind: EntryType, size: u64, mtime: u64) {
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(mtime);
    header.set_size(size);
    header.set_cksum();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_beyond_eight_gib_are_base_256() {
        for size in [0, 1, 1 << 30, (1 << 33) - 1, 1 << 33, 1 << 50] {
            let blocks = file("r/dump.sql", size, 1).expect("a short name");
            let header = Header::from_byte_slice(&blocks);
            assert_eq!(header.entry_size().expect("a size"), size);
            assert_eq!(blocks[124] & 0x80 != 0, size >= 1 << 33, "{size}");
        }
    }

    #[test]
    fn content_is_padded_to_blocks() {
        for (size, bytes) in [(0, 0), (1, 511), (511, 1), (512, 0), (513, 511), ((1 << 40) + 1, 511)] {
            assert_eq!(padding(size), bytes, "{size}");
        }
    }

    #[test]
    fn names() {
        for bad in ["", "/a", "a//b", "a/", "../a", "a/./b", "a/..", "a\nb", "a\0b", "a\\b", &"a".repeat(4097)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
        assert_eq!(file(&format!("{}/dump.sql", "r".repeat(155)), 0, 0).expect("a prefix").len(), BLOCK);
        assert_eq!(file(&format!("{}/dump.sql", "é".repeat(100)), 0, 0).expect("a long name").len(), 3 * BLOCK);
    }

    #[test]
    fn a_placeholder_is_never_valid() {
        let blocks = placeholder("r/dump.sql", 1).expect("a short name");
        let whole = file("r/dump.sql", 0, 1).expect("a short name");
        assert_eq!(blocks.len(), whole.len());
        assert_ne!(&blocks[148..156], &whole[148..156]);
    }
}
