//! More than 8 GiB in one member, where a tar header's size no longer fits its octal digits.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::process::Command;

use super::*;

const LARGE: u64 = (8 << 30) + 12_345;

#[test]
fn a_member_beyond_eight_gib() {
    let bytes = archive(Compression::Gzip(Level::Fixed(2)), true, io::repeat(0).take(LARGE));
    let object = stored(&bytes);
    let index = inspect(&object).expect("an index").index;
    assert_eq!(index.members[0].size, LARGE);
    assert!((2048..=4096).contains(&index.spans.len()), "{} spans", index.spans.len());
    let verified = verify(&object, &mut |_, _| {}).expect("our own");
    assert_eq!(verified.manifest().members[0].size, LARGE);
}

/// A file with a hole wherever a block is empty, so that nine GiB of tar take no space, and `tar` seeks over them.
struct Sparse(File);

impl Sink for Sparse {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match i64::try_from(bytes.len()) {
            Ok(len) if len >= 65_536 => self.0.seek(SeekFrom::Current(len)).map(drop),
            _ => self.0.write_all(bytes),
        }
    }

    fn patch(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let end = self.0.stream_position()?;
        self.0.seek(SeekFrom::Start(offset))?;
        self.0.write_all(bytes)?;
        self.0.seek(SeekFrom::Start(end)).map(drop)
    }

    fn can_patch(&self) -> bool {
        true
    }
}

#[test]
fn other_readers_know_its_size() {
    let file = tempfile::Builder::new().suffix(".tar").tempfile().expect("a temporary file");
    let sink = Sparse(file.reopen().expect("the same file"));
    let writer = Writer::new(sink, options(Compression::None)).expect("a writer");
    let members = writer.stream("dump.sql", &mut io::repeat(0).take(LARGE), &mut |_| {}).expect("a dump");
    writer.bytes(MANIFEST, &manifest(members).to_json()).expect("a manifest");
    writer.seal().expect("an archive");
    let listing = "import sys, tarfile\nfor m in tarfile.open(sys.argv[1]): print('', m.size, m.name)";
    for (program, args) in
        [("tar", &["tvf"][..]), ("bsdtar", &["tvf"]), ("busybox", &["tar", "tvf"]), ("python3", &["-c", listing])]
    {
        let output = Command::new(program).args(args).arg(file.path()).output().expect(program);
        let (said, warned) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success() && warned.is_empty(), "{program}: {warned}");
        let lines: Vec<&str> = said.lines().collect();
        assert!(lines.len() == 2 && lines[0].contains(&format!(" {LARGE} ")), "{program}: {said}");
    }
}
