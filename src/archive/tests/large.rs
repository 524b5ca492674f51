//! More than 8 GiB in one member, where a tar header's size no longer fits its octal digits.

use std::io::Read;
use std::process::Command;

use super::*;

const LARGE: u64 = (8 << 30) + 12_345;

#[test]
fn a_member_beyond_eight_gib() {
    // Most of nine GiB through the encoders: memory is bounded, or this would show in any CI.
    let bytes = archive(Compression::Gzip(Level::Fixed(2)), true, io::repeat(0).take(LARGE));
    let file = on_disk(&bytes);
    let index = inspect(file.path()).expect("an index").index;
    assert_eq!(index.members[0].size, LARGE);
    assert!(index.spans.len() <= 4096);
    let listed = Command::new("tar").arg("tvzf").arg(file.path()).output().expect("tar");
    assert!(listed.status.success() && listed.stderr.is_empty());
    assert!(String::from_utf8_lossy(&listed.stdout).contains(&format!(" {LARGE} ")));
    let verified = verify(file.path(), &mut |_, _| {}).expect("our own");
    assert_eq!(verified.manifest().members[0].size, LARGE);
}
