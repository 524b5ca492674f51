//! How an archive of ours begins, for one that never came to its end.

use tar::Header;

use crate::archive::codec;
use crate::archive::write::header::BLOCK;

/// So many bytes tell whose a file is.
pub const BEGINNING: u64 = 4 * BLOCK as u64;

/// Whether these first bytes are those of an archive that dbhaul dumped: a stored tar header for
/// `YYYYMMDDHHMMSS_NAME/dump...`. None where there are too few of them to say.
#[must_use]
pub fn is_ours(first: &[u8]) -> Option<bool> {
    let codec = codec::recognise(first);
    let framing = codec.head().len() + usize::try_from(codec.stored_prefix()).ok()?;
    let block = first.get(framing..framing + BLOCK)?;
    let mut header = Header::new_old();
    header.as_mut_bytes().copy_from_slice(block);
    let path = header.path_bytes().into_owned();
    let path = if path == b"././@LongLink" { first.get(framing + BLOCK..)?.to_vec() } else { path };
    let stamped = path.len() > 15 && path[..14].iter().all(u8::is_ascii_digit) && path[14] == b'_';
    let named = path.windows(6).any(|part| part == b"/dump.");
    Some(stamped && named && (header.as_ustar().is_some() || header.as_gnu().is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::codec::{Codec, Gzip, Plain, Zstandard};
    use crate::archive::write::header;

    #[test]
    fn it_is_known_in_every_container_by_its_first_header() {
        for name in ["shop", &"é".repeat(60), &"long".repeat(100)] {
            let path = format!("20260102030405_{name}/dump.pgsql");
            for codec in [&Gzip as &dyn Codec, &Zstandard, &Plain] {
                for blocks in [header::file(&path, 5, 1), header::placeholder(&path, 1)] {
                    let mut bytes = codec.head().to_vec();
                    codec.store(&blocks.expect("a name"), &mut bytes);
                    assert_eq!(is_ours(&bytes), Some(true), "{path}");
                    assert_eq!(is_ours(&bytes[..100]), None);
                    assert_eq!(is_ours(codec.head()), None);
                }
            }
        }
    }

    #[test]
    fn what_others_write_is_not() {
        assert_eq!(is_ours(&[0; 2048]), Some(false));
        assert_eq!(is_ours(&[b'7'; 2048]), Some(false));
        assert_eq!(is_ours(&header::file("photos/dump.jpg", 5, 1).expect("a name")), Some(false));
        assert_eq!(is_ours(&header::file("20260102030405_shop/photo.jpg", 5, 1).expect("a name")), Some(false));
        let mut gzip = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
        gzip.resize(2048, 9);
        assert_eq!(is_ours(&gzip), Some(false));
    }
}
