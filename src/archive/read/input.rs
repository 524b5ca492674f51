//! From a file or a stream to the bytes inside: what fails on the way keeps its name.

use std::io::{self, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::archive::error::{ArchiveError, Result};
use crate::archive::format::index::Span;
use crate::archive::format::sniff::SNIFF;

/// How much of a file is read at once.
const BUFFER: usize = 128 * 1024;

/// Bytes that are read once.
pub(crate) type Bytes = Box<dyn Read + Send>;

/// How far the outermost file was read, for messages.
#[derive(Debug, Clone, Default)]
pub(crate) struct Position(Arc<AtomicU64>);

impl Position {
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub fn set(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }
}

/// The outermost reader: counts, and marks its errors as the medium's own.
pub(crate) struct Medium<R> {
    inner: R,
    position: Position,
}

impl<R: Read> Medium<R> {
    pub fn new(inner: R) -> (BufReader<Self>, Position) {
        let position = Position::default();
        (BufReader::with_capacity(BUFFER, Self { inner, position: position.clone() }), position)
    }
}

impl<R: Read> Read for Medium<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.inner.read(buf) {
                Ok(read) => {
                    self.position.0.fetch_add(read as u64, Ordering::Relaxed);
                    break Ok(read);
                }
                // Not one decoder goes on where it was interrupted: most take it for the end.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(ArchiveError::Read(error).into()),
            }
        }
    }
}

/// Checks the file's own bytes against the index's checksums as they pass.
pub(crate) struct Spanned<R> {
    inner: R,
    spans: std::vec::IntoIter<(Span, u64)>,
    current: Option<(Span, u64)>,
    hasher: crc32fast::Hasher,
}

impl<R: Read> Spanned<R> {
    /// `end` is where the last span ends: at the index.
    pub fn new(inner: R, spans: &[Span], end: u64) -> Self {
        let ends = spans.iter().skip(1).map(|next| next.0).chain([end]);
        let mut spans = spans.iter().zip(ends).map(|(span, end)| (*span, end - span.0)).collect::<Vec<_>>().into_iter();
        let current = spans.next();
        Self { inner, spans, current, hasher: crc32fast::Hasher::new() }
    }
}

impl<R: Read> Read for Spanned<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some((span, left)) = &mut self.current else { return self.inner.read(buf) };
        let most = usize::try_from(*left).unwrap_or(usize::MAX).min(buf.len());
        let read = self.inner.read(&mut buf[..most])?;
        self.hasher.update(&buf[..read]);
        *left -= read as u64;
        if *left == 0 {
            if std::mem::take(&mut self.hasher).finalize() != span.2 {
                return Err(ArchiveError::corrupt("these bytes do not agree with their checksum in the index")
                    .at(Some(span.0), None)
                    .into());
            }
            self.current = self.spans.next();
        }
        Ok(read)
    }
}

/// The first bytes of something, and all of it.
pub(crate) fn peek(mut input: impl Read) -> Result<(Vec<u8>, impl Read)> {
    let mut first = Vec::with_capacity(SNIFF);
    (&mut input).take(SNIFF as u64).read_to_end(&mut first).map_err(ArchiveError::from_read)?;
    Ok((first.clone(), Cursor::new(first).chain(input)))
}
