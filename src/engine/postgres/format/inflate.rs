//! The compressed data of a custom-format archive, read for its checksum: each block of rows, and each large object, is
//! one zlib stream (RFC 1950) over any number of chunks, with an Adler-32 at its end.

use flate2::{Decompress, FlushDecompress, Status};

/// One stream, seen so far.
pub struct Inflate {
    state: Decompress,
    buffer: Vec<u8>,
    begun: bool,
    ended: bool,
}

impl Inflate {
    /// Before its first byte.
    pub fn new() -> Self {
        Self { state: Decompress::new(true), buffer: vec![0; 64 << 10], begun: false, ended: false }
    }

    /// Takes the next bytes, and hands on what they inflate to.
    pub fn see(&mut self, mut bytes: &[u8], mut inside: impl FnMut(&[u8])) -> Result<(), String> {
        self.begun |= !bytes.is_empty();
        loop {
            if self.ended {
                return if bytes.is_empty() { Ok(()) } else { Err("bytes follow its compressed data".into()) };
            }
            let (read, made) = (self.state.total_in(), self.state.total_out());
            let status = self.state.decompress(bytes, &mut self.buffer, FlushDecompress::None);
            self.ended = status.map_err(|_| "its compressed data are damaged")? == Status::StreamEnd;
            // Neither is more than went in, or fits the buffer.
            let read = usize::try_from(self.state.total_in() - read).unwrap_or(bytes.len());
            let made = usize::try_from(self.state.total_out() - made).unwrap_or(self.buffer.len());
            inside(&self.buffer[..made]);
            bytes = &bytes[read..];
            if bytes.is_empty() && made < self.buffer.len() {
                return Ok(());
            }
            if read == 0 && made == 0 {
                return Err("its compressed data are damaged".into());
            }
        }
    }

    /// The stream has no more bytes. Newer clients write none at all where there is nothing to compress.
    pub fn finish(&self) -> Result<(), String> {
        if self.ended || !self.begun { Ok(()) } else { Err("its compressed data have no end".into()) }
    }
}
