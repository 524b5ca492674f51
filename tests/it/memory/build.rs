//! Archives that no program would write.

use std::io::Write as _;

use tar::{EntryType, Header};

/// Two empty blocks.
pub const END: [u8; 1024] = [0; 1024];

/// A header block of a tar.
pub fn header(path: &str, kind: EntryType, size: u64) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_path(path).expect("a short path");
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(size);
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// The same with a size field of these bytes.
pub fn header_with(path: &str, size: [u8; 12]) -> Vec<u8> {
    let mut block = header(path, EntryType::Regular, 0);
    block[124..136].copy_from_slice(&size);
    let mut header = Header::new_gnu();
    header.as_mut_bytes().copy_from_slice(&block);
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// A member, padded.
pub fn member(path: &str, kind: EntryType, content: &[u8]) -> Vec<u8> {
    let mut bytes = header(path, kind, content.len() as u64);
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// A PAX header with one record.
pub fn pax(key: &str, value: &str) -> Vec<u8> {
    let rest = format!(" {key}={value}\n");
    let length = (rest.len()..rest.len() + 20)
        .find(|length| length.to_string().len() + rest.len() == *length)
        .expect("a length");
    member("pax", EntryType::XHeader, format!("{length}{rest}").as_bytes())
}

/// gzip of what is written.
pub fn gzip(write: impl FnOnce(&mut dyn std::io::Write)) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(1));
    write(&mut encoder);
    encoder.finish().expect("gzip")
}

/// So many bytes of one kind.
pub fn fill(out: &mut dyn std::io::Write, byte: u8, mut count: usize) {
    let block = vec![byte; 1 << 16];
    while count > 0 {
        let now = count.min(block.len());
        out.write_all(&block[..now]).expect("write");
        count -= now;
    }
}

/// A zstd frame of one raw block, which claims a window of `1 << log` bytes.
pub fn zstd_frame(log: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("a small block");
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3];
    frame.extend_from_slice(&(length << 3 | 1).to_le_bytes()[..3]);
    frame.extend_from_slice(content);
    frame
}

/// A whole archive of ours without compression: a small dump, this manifest, and an index to be bent.
pub struct Ours {
    /// What is claimed of the manifest's size, which follows the dump; its bytes need not be there.
    pub manifest_size: u64,
    pub manifest: Vec<u8>,
    /// The dump's size in the index.
    pub dump_size: u64,
    /// The index's spans, and more members than there are: `[0,0,0]` and `,{...}`.
    pub spans: String,
    pub more: String,
    /// What the pointer says of the index's length, if not the truth.
    pub index_len: Option<u64>,
    pub tar_len: Option<u64>,
}

/// A plain dump of no tables.
pub const EMPTY: &[u8] = b"--\n-- PostgreSQL database dump\n--\n\n-- PostgreSQL database dump complete\n";

impl Ours {
    pub fn with(manifest: Vec<u8>) -> Self {
        let (manifest_size, dump_size) = (manifest.len() as u64, EMPTY.len() as u64);
        let (spans, more) = ("[0,0,0]".to_owned(), String::new());
        Self { manifest_size, manifest, dump_size, spans, more, index_len: None, tar_len: None }
    }

    /// The archive: where a manifest is claimed that is not there, it has a hole of that size.
    pub fn write(&self, file: &mut std::fs::File) {
        use std::io::Seek;
        let mut tar = member("r/dump.sql", EntryType::Regular, EMPTY);
        let second = tar.len();
        tar.extend(header("r/manifest.json", EntryType::Regular, self.manifest_size));
        file.write_all(&tar).expect("write");
        file.write_all(&self.manifest).expect("write");
        let padded = tar.len() as u64 + self.manifest_size.next_multiple_of(512);
        file.set_len(padded).expect("a hole");
        file.seek(std::io::SeekFrom::End(0)).expect("seek");
        file.write_all(&END).expect("write");
        let at = padded + 1024;
        let crc = crc32fast::hash(&self.manifest);
        let index = format!(
            "{{\"format_version\":1,\"members\":[{{\"path\":\"r/dump.sql\",\"at\":0,\"offset\":0,\"size\":{},\"crc32\":{}}},\
             {{\"path\":\"r/manifest.json\",\"at\":{second},\"offset\":{second},\"size\":{},\"crc32\":{crc}}}{}],\
             \"spans\":[{}]}}",
            self.dump_size,
            crc32fast::hash(EMPTY),
            self.manifest_size,
            self.more,
            self.spans,
        );
        let mut trailer = b"dbhaul\x1a\x01".to_vec();
        trailer.extend(at.to_le_bytes());
        trailer.extend(self.tar_len.unwrap_or(at).to_le_bytes());
        trailer.extend(self.index_len.unwrap_or(index.len() as u64).to_le_bytes());
        trailer.extend(crc32fast::hash(index.as_bytes()).to_le_bytes());
        trailer.extend(crc32fast::hash(&trailer).to_le_bytes());
        file.write_all(index.as_bytes()).expect("write");
        file.write_all(&trailer).expect("write");
    }
}

/// `pg_dump`'s numbers and strings.
pub fn int(value: u32) -> Vec<u8> {
    [&[0][..], &value.to_le_bytes()].concat()
}

pub fn text(value: &str) -> Vec<u8> {
    [&int(u32::try_from(value.len()).expect("short"))[..], value.as_bytes()].concat()
}

/// The header of a custom-format archive of version 1.14 whose blocks are not compressed.
pub fn custom_header(entries: u32) -> Vec<u8> {
    let mut bytes = b"PGDMP\x01\x0e\x00\x04\x08\x01".to_vec();
    for number in [0; 8] {
        bytes.extend(int(number));
    }
    for word in ["db", "15.18", "15.18"] {
        bytes.extend(text(word));
    }
    bytes.extend(int(entries));
    bytes
}

/// An entry of the table of contents.
pub fn custom_entry(id: u32, kind: &str, tag: &str, definition: &str, copy: &str, needs: &[u32]) -> Vec<u8> {
    let mut bytes =
        [int(id), int(u32::from(!copy.is_empty())), text("0"), text("0"), text(tag), text(kind), int(2)].concat();
    for word in [definition, "", copy, "public", "", "", "app", "f"] {
        bytes.extend(text(word));
    }
    for id in needs {
        bytes.extend(text(&id.to_string()));
    }
    // A null ends the list; the offset is not known.
    bytes.extend([1, 1, 0, 0, 0]);
    bytes.extend([1, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes
}

/// A block of rows.
pub fn custom_block(id: u32, rows: &[u8]) -> Vec<u8> {
    let length = u32::try_from(rows.len()).expect("small");
    [&[1][..], &int(id), &int(length), rows, &int(0)].concat()
}
