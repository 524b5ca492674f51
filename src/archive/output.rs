//! The output thread: puts the pieces into the file in their order, and remembers where.

use std::sync::mpsc::Receiver;

use super::codec::Codec;
use super::crc::Crc;
use super::encode::{Encoded, Pending, Pool};
use super::error::{ArchiveError, Result};
use super::header;
use super::index::{Gather, IndexedMember};
use super::writer::Sink;

/// What the writer asks for, in the order of the file.
pub(super) enum Piece {
    /// A member begins. With `open`, its last header block is a placeholder.
    Member { path: String, headers: Vec<u8>, open: bool },
    /// More of its content.
    Block(Pending),
    /// It ends; this is its true last header block.
    Close(Vec<u8>),
    /// The archive ends.
    Finish,
}

/// A finished file.
pub(super) struct Written<S> {
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

pub(super) struct Output<S> {
    sink: S,
    codec: &'static dyn Codec,
    pool: Pool,
    gather: Gather,
    at: u64,
    raw: Crc,
    current: Option<Current>,
    /// Where the sink can't be patched, an open member waits here from `held_at` on, until its header is known.
    held: Vec<u8>,
    held_at: Option<u64>,
}

impl<S: Sink> Output<S> {
    pub fn new(sink: S, codec: &'static dyn Codec, pool: Pool) -> Self {
        let (gather, raw) = (Gather::new(), Crc::default());
        Self { sink, codec, pool, gather, at: 0, raw, current: None, held: Vec::new(), held_at: None }
    }

    /// Runs until the archive is finished, or the writer gone.
    pub fn run(mut self, pieces: &Receiver<Piece>) -> Result<Written<S>> {
        self.put(self.codec.head(), Crc::of(self.codec.head()), Crc::default())?;
        loop {
            match pieces.recv() {
                Ok(Piece::Member { path, headers, open }) => self.begin(path, &headers, open)?,
                Ok(Piece::Block(pending)) => self.block(&pending)?,
                Ok(Piece::Close(header)) => self.close(&header)?,
                Ok(Piece::Finish) => return self.finish(),
                Err(_) => return Err(ArchiveError::Abandoned),
            }
        }
    }

    fn begin(&mut self, path: String, headers: &[u8], open: bool) -> Result<()> {
        if open && !self.sink.can_patch() {
            self.held_at = Some(self.at);
        }
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

    fn block(&mut self, pending: &Pending) -> Result<()> {
        let lost = |what: String| ArchiveError::Worker { what };
        let block = pending.recv().map_err(|_| lost("an encoder thread ended before its block was done".into()))?;
        let Encoded { bytes, file, raw } = block.map_err(|error| lost(error.to_string()))?;
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
        if self.held_at.take().is_some() {
            self.sink.write_all(&self.held).map_err(ArchiveError::Sink)?;
            self.held.clear();
        }
        current.index.size = current.content.len;
        current.index.crc32 = current.content.sum;
        self.gather.member(current.index)
    }

    fn rewrite(&mut self, current: &Current, header: &[u8]) -> Result<()> {
        let (old, new) = (Crc::of(&current.header), Crc::of(header));
        self.raw.rewrite(old, new, self.raw.len - current.header_end);
        self.gather.rewrite(current.header_at, old, new);
        match self.held_at {
            Some(start) => {
                let from = usize::try_from(current.header_at - start).map_err(|_| ArchiveError::Abandoned)?;
                self.held[from..from + header.len()].copy_from_slice(header);
                Ok(())
            }
            None => self.sink.patch(current.header_at, header).map_err(ArchiveError::Sink),
        }
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
        if self.held_at.is_some() {
            self.held.extend_from_slice(bytes);
            Ok(())
        } else {
            self.sink.write_all(bytes).map_err(ArchiveError::Sink)
        }
    }
}
