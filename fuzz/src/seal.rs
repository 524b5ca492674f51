//! Makes the checksums of an archive of ours right again: what was changed in it is then read, not refused at the door.

use serde_json::Value;

const TRAILER: usize = 40;
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const SKIPPABLE: [u8; 4] = [0x5f, 0x2a, 0x4d, 0x18];

/// The same archive with spans, index and trailer that agree with its bytes (see `docs/archive-format.md`); none where
/// there is no trailer and index at its end. Not for gzip, whose own checksum is of what is inside.
pub fn resealed(bytes: &[u8]) -> Option<Vec<u8>> {
    let (before, trailer) = bytes.split_at_checked(bytes.len().checked_sub(TRAILER)?)?;
    if !trailer.starts_with(b"dbhaul\x1a\x01") {
        return None;
    }
    let number = |at: usize| usize::try_from(u64::from_le_bytes(trailer[at..at + 8].try_into().ok()?)).ok();
    let (at, length) = (number(8)?, number(24)?);
    let mut index: Value = serde_json::from_slice(before.get(before.len().checked_sub(length)?..)?).ok()?;
    let body = before.get(..at)?;
    let spans = index.get_mut("spans")?.as_array_mut()?;
    let start = |span: &Value| usize::try_from(span.get(0)?.as_u64()?).ok();
    let starts: Vec<_> = spans.iter().map(start).collect::<Option<_>>()?;
    for (n, span) in spans.iter_mut().enumerate() {
        let end = starts.get(n + 1).copied().unwrap_or(at);
        *span.get_mut(2)? = crc32fast::hash(body.get(starts[n]..end)?).into();
    }
    Some(sealed(body, &serde_json::to_vec(&index).ok()?, &trailer[16..24]))
}

fn sealed(body: &[u8], index: &[u8], tar_length: &[u8]) -> Vec<u8> {
    let mut archive = body.to_vec();
    if body.starts_with(&ZSTD) {
        archive.extend(SKIPPABLE);
        archive.extend(u32::try_from(index.len() + TRAILER).expect("a short index").to_le_bytes());
    }
    archive.extend(index);
    let start = archive.len();
    archive.extend(b"dbhaul\x1a\x01");
    archive.extend((body.len() as u64).to_le_bytes());
    archive.extend(tar_length);
    archive.extend((index.len() as u64).to_le_bytes());
    archive.extend(crc32fast::hash(index).to_le_bytes());
    archive.extend(crc32fast::hash(&archive[start..]).to_le_bytes());
    archive
}
