//! What an archive says, by other programs' reading, and which of its bytes say nothing.

use std::{
    io::Write,
    process::{Command, Stdio},
};

/// What an archive says.
pub struct Meaning {
    /// Decompressed, as gzip, zstd, bzip2 and xz do it.
    inside: Vec<u8>,
    compressed: bool,
    /// Where the members' content stands in it, and the end mark, if it is a tar.
    tar: Option<Tar>,
}

struct Tar {
    headers: Vec<usize>,
    contents: Vec<std::ops::Range<usize>>,
    end: usize,
}

impl Meaning {
    pub fn of(bytes: &[u8]) -> Self {
        let inside = decompressed(bytes).expect("the usual programs read it");
        let tar = Tar::of(&inside);
        Self { compressed: inside != bytes, inside, tar }
    }

    /// Whether the beginning of the archive says all that the whole of it says.
    pub fn survives_cut(&self, rest: &[u8]) -> bool {
        match (&self.tar, self.compressed) {
            // Of the end mark, one empty block is enough.
            (Some(tar), false) => rest.len() >= tar.end + 512,
            // Behind a dump's last words stand an empty comment and newlines.
            (None, false) => self.inside[rest.len()..].iter().all(|byte| b"-\n".contains(byte)),
            (_, true) => decompressed(rest).is_some_and(|inside| inside == self.inside),
        }
    }

    /// Whether the archive with its byte `at` altered says the same.
    pub fn is_of(&self, altered: &[u8], at: usize) -> bool {
        match (&self.tar, self.compressed) {
            (_, true) => decompressed(altered).is_some_and(|inside| inside == self.inside),
            (None, false) => false,
            (Some(tar), false) if tar.contents.iter().any(|content| content.contains(&at)) => false,
            // A header says the same where tar lists the same.
            (Some(tar), false) if tar.headers.iter().any(|header| (*header..header + 512).contains(&at)) => {
                let list = |bytes: &[u8]| through(&["tar", "-tv"], bytes);
                list(altered).is_some_and(|altered| Some(altered) == list(&self.inside))
            }
            (Some(_), false) => true,
        }
    }
}

impl Tar {
    fn of(bytes: &[u8]) -> Option<Self> {
        let mut tar = Self { headers: Vec::new(), contents: Vec::new(), end: 0 };
        while bytes.get(tar.end + 257..tar.end + 262) == Some(b"ustar") {
            let digits = std::str::from_utf8(&bytes[tar.end + 124..tar.end + 135]).expect("octal digits");
            let size = usize::from_str_radix(digits, 8).expect("octal digits");
            let content = tar.end + 512;
            tar.headers.push(tar.end);
            tar.contents.push(content..content + size);
            tar.end = (content + size).next_multiple_of(512);
        }
        (!tar.headers.is_empty()).then_some(tar)
    }
}

fn decompressed(bytes: &[u8]) -> Option<Vec<u8>> {
    match bytes {
        [0x1f, 0x8b, ..] => through(&["gzip", "-dc"], bytes),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => through(&["zstd", "-dqc"], bytes),
        [b'B', b'Z', b'h', ..] => through(&["bzip2", "-dc"], bytes),
        [0xfd, b'7', b'z', ..] => through(&["xz", "-dc"], bytes),
        _ => Some(bytes.to_vec()),
    }
}

fn through(words: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let mut child = Command::new(words[0])
        .args(&words[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}; run scripts/servers.sh", words[0]));
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().expect("its output");
    feeder.join().expect("no panic");
    output.status.success().then_some(output.stdout)
}

/// The field that a byte which says nothing lies in.
pub fn field(bytes: &[u8], at: usize) -> Option<&'static str> {
    Some(match bytes {
        [0x1f, 0x8b, ..] => gzip(bytes, at),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => match at {
            4 => "zstd: the unused bit of the frame's descriptor",
            5 => "zstd: the window's size",
            _ => "zstd: bits of a block that decode to the same bytes",
        },
        [b'B', b'Z', b'h', ..] => match at {
            3 => "bzip2: the largest block's size",
            _ => "bzip2: bits behind the end, or of a code that no symbol has",
        },
        _ => {
            let tar = Tar::of(bytes)?;
            if tar.headers.iter().any(|header| (*header..header + 512).contains(&at)) {
                "tar: behind the digits of a header's checksum"
            } else if at < tar.end {
                "tar: padding behind a member"
            } else {
                "tar: the end mark's second block, and what follows"
            }
        }
    })
}

fn gzip(bytes: &[u8], at: usize) -> &'static str {
    let named = bytes[3] & 8 != 0;
    let name_end = bytes[10..].iter().position(|byte| *byte == 0).map_or(10, |end| 10 + end + 1);
    match at {
        3 => "gzip: FTEXT in FLG",
        4..8 => "gzip: MTIME",
        8 => "gzip: XFL",
        9 => "gzip: OS",
        _ if named && at < name_end => "gzip: FNAME",
        _ => "gzip: bits of deflate that decode to the same bytes (behind the last block; a distance within a run)",
    }
}
