//! The output thread: puts the pieces into the file in their order, and remembers where.

use std::sync::mpsc::{Receiver, SyncSender};

use super::encode::{Encoded, Pending, Pool, kept};
use super::header;
use super::writer::Sink;
use crate::archive::codec::Codec;
use crate::archive::error::{ArchiveError, Result};
use crate::archive::format::crc::Crc;
use crate::archive::format::index::{Gather, IndexedMember};

/// What the writer asks for, in the order of the file.
pub(crate) enum OutputItem {
    /// A member begins. Its last header block may be a placeholder, where the sink can be patched.
    Member { path: String, headers: Vec<u8> },
    /// More of its content.
    Block(Pending),
    /// It ends; this is its true last header block.
    Close(Vec<u8>),
    /// A whole member that was held until its size was known.
    Part(CompleteMember),
    /// The archive ends.
    Finish,
}

/// A member that is complete.
pub(crate) struct CompleteMember {
    pub path: String,
    pub headers: Vec<u8>,
    /// Its pieces, one behind the other, and what each of them is.
    pub bytes: Vec<u8>,
    pub pieces: Vec<Piecewise>,
    /// Takes `bytes` back once they are written.
    pub done: SyncSender<Vec<u8>>,
}

/// A piece's bytes as they stand in the file, and as they stand in the tar.
#[derive(Clone, Copy)]
pub(crate) struct Piecewise {
    pub file: Crc,
    pub raw: Crc,
}

/// A finished file.
pub(crate) struct Written<S> {
    pub sink: S,
    pub bytes: u64,
    pub raw_bytes: u64,
}

/// The member that is being written.
struct Current {
    index: IndexedMember,
    content: Crc,
    /// The last header block as it was written, and where that is in the file and in the tar.
    header: Vec<u8>,
    header_at: u64,
    header_end: u64,
}

pub(crate) struct Output<S> {
    sink: S,
    codec: &'static dyn Codec,
    pool: Pool,
    gather: Gather,
    at: u64,
    raw: Crc,
    current: Option<Current>,
}

impl<S: Sink> Output<S> {
    pub fn new(sink: S, codec: &'static dyn Codec, pool: Pool) -> Self {
        let (gather, raw) = (Gather::new(), Crc::default());
        Self { sink, codec, pool, gather, at: 0, raw, current: None }
    }

    /// Runs until the archive is finished, or the writer gone.
    pub fn run(mut self, pieces: &Receiver<OutputItem>) -> Result<Written<S>> {
        self.put(self.codec.head(), Crc::of(self.codec.head()), Crc::default())?;
        loop {
            match pieces.recv() {
                Ok(OutputItem::Member { path, headers }) => self.begin(path, &headers)?,
                Ok(OutputItem::Block(pending)) => self.block(&pending)?,
                Ok(OutputItem::Close(header)) => self.close(&header)?,
                Ok(OutputItem::Part(part)) => self.write_member(part)?,
                Ok(OutputItem::Finish) => return self.finish(),
                Err(_) => return Err(ArchiveError::Abandoned),
            }
        }
    }

    fn begin(&mut self, path: String, headers: &[u8]) -> Result<()> {
        let (at, offset) = (self.at, self.raw.len);
        self.store(headers)?;
        let before = (headers.len() - header::BLOCK) as u64;
        self.current = Some(Current {
            index: IndexedMember { path, at, offset, size: 0, crc32: 0 },
            content: Crc::default(),
            header: headers[headers.len() - header::BLOCK..].to_vec(),
            header_at: at + self.codec.stored_prefix() + before,
            header_end: self.raw.len,
        });
        Ok(())
    }

    fn write_member(&mut self, part: CompleteMember) -> Result<()> {
        self.begin(part.path, &part.headers)?;
        let mut rest = part.bytes.as_slice();
        for Piecewise { file, raw } in part.pieces {
            let (bytes, behind) = rest.split_at(usize::try_from(file.len).expect("a piece fits into memory"));
            self.put(bytes, file, raw)?;
            rest = behind;
            if let Some(current) = &mut self.current {
                current.content.append(raw);
            }
        }
        self.close(&part.headers[part.headers.len() - header::BLOCK..])?;
        // Nobody waits where the writer has failed elsewhere.
        drop(part.done.send(part.bytes));
        Ok(())
    }

    fn block(&mut self, pending: &Pending) -> Result<()> {
        let Encoded { bytes, file, raw } = kept(pending)?;
        self.put(&bytes, file, raw)?;
        self.pool.put(bytes);
        if let Some(current) = &mut self.current {
            current.content.append(raw);
        }
        Ok(())
    }

    fn close(&mut self, header: &[u8]) -> Result<()> {
        let Some(mut current) = self.current.take() else { return Ok(()) };
        self.store(&[0; header::BLOCK][..header::padding(current.content.len)])?;
        if current.header != header {
            self.rewrite(&current, header)?;
        }
        current.index.size = current.content.len;
        current.index.crc32 = current.content.sum;
        self.gather.member(current.index)
    }

    fn rewrite(&mut self, current: &Current, header: &[u8]) -> Result<()> {
        let (old, new) = (Crc::of(&current.header), Crc::of(header));
        self.raw.rewrite(old, new, self.raw.len - current.header_end);
        self.gather.rewrite(current.header_at, old, new);
        self.sink.patch(current.header_at, header).map_err(ArchiveError::Sink)
    }

    fn finish(mut self) -> Result<Written<S>> {
        self.store(&header::END)?;
        let (index, trailer) = self.gather.finish(self.at, self.raw.len)?;
        let mut tail = Vec::new();
        self.codec.finish(self.raw, &index, &trailer, &mut tail);
        self.sink.write_all(&tail).map_err(ArchiveError::Sink)?;
        Ok(Written { sink: self.sink, bytes: self.at + tail.len() as u64, raw_bytes: self.raw.len })
    }

    /// Puts bytes verbatim, in a piece of their own.
    fn store(&mut self, raw: &[u8]) -> Result<()> {
        let mut framed = Vec::with_capacity(raw.len() + 64);
        self.codec.store(raw, &mut framed);
        self.put(&framed, Crc::of(&framed), Crc::of(raw))
    }

    fn put(&mut self, bytes: &[u8], file: Crc, raw: Crc) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.gather.piece(self.at, self.raw.len, file);
        self.at += file.len;
        self.raw.append(raw);
        self.sink.write_all(bytes).map_err(ArchiveError::Sink)
    }
}
