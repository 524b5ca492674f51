//! A foreign compressed file: one stream or several of a kind, one behind the other, and what stands behind the last.

use std::io::{self, BufRead, Read};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use async_compression::tokio::bufread::{BzDecoder, GzipDecoder, XzDecoder, ZstdDecoder};
use lz4_flex::frame::FrameDecoder as Lz4Decoder;
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

use crate::archive::error::ArchiveError;
use crate::archive::format::sniff::{ContentKind, sniff};

/// What a decoder may take to undo `xz -9` and no more, in bytes.
const XZ_MEMORY: u64 = 128 << 20;
/// So many bytes tell whether another stream follows.
const MAGIC: usize = 6;

/// What is inside, decompressed once if it is compressed.
///
/// The end comes only where the last stream was whole and nothing but zero bytes follow it: tapes and block devices pad
/// with them, and gzip passes over them, too.
pub(crate) fn decode<'a>(kind: ContentKind, input: impl BufRead + Send + 'a) -> Box<dyn Read + Send + 'a> {
    let input = Counted { inner: Box::new(input), ahead: Vec::new(), consumed: 0 };
    match decoder(kind, input) {
        Ok(decoder) => Box::new(Streams { kind, state: State::Reading(decoder) }),
        Err(input) => Box::new(input),
    }
}

/// The decoder of one stream of a kind; the input again where it is not compressed.
fn decoder<'a>(kind: ContentKind, input: Counted<'a>) -> Result<Box<dyn Decoder<'a> + 'a>, Counted<'a>> {
    Ok(match kind {
        ContentKind::Gzip => Box::new(Bridge(GzipDecoder::new(BlockingRead(input)))),
        ContentKind::Zstd => Box::new(Bridge(ZstdDecoder::new(BlockingRead(input)))),
        ContentKind::Bzip2 => Box::new(Bridge(BzDecoder::new(BlockingRead(input)))),
        ContentKind::Xz => Box::new(Bridge(XzDecoder::with_mem_limit(BlockingRead(input), XZ_MEMORY))),
        ContentKind::Lz4 => Box::new(Lz4Decoder::new(Endless(input))),
        _ => return Err(input),
    })
}

/// Whether these bytes, and no more of them, are the beginning of a stream of this kind.
fn is_cut_magic(kind: ContentKind, bytes: &[u8]) -> bool {
    let begins = |magic: &[u8]| !bytes.is_empty() && bytes.len() < magic.len() && magic.starts_with(bytes);
    match kind {
        ContentKind::Gzip => begins(b"\x1f\x8b"),
        // A skippable frame has one of sixteen.
        ContentKind::Zstd => {
            begins(b"\x28\xb5\x2f\xfd") || (0x50..=0x5f).any(|first| begins(&[first, 0x2a, 0x4d, 0x18]))
        }
        ContentKind::Bzip2 => begins(b"BZh1"),
        ContentKind::Xz => begins(b"\xfd7zXZ\0"),
        ContentKind::Lz4 => begins(b"\x04\x22\x4d\x18"),
        _ => false,
    }
}

/// Decodes one stream, and gives back what stands behind it.
trait Decoder<'a>: Read + Send {
    fn into_rest(self: Box<Self>) -> Counted<'a>;
}

/// All streams of a file.
struct Streams<'a> {
    kind: ContentKind,
    state: State<'a>,
}

enum State<'a> {
    Reading(Box<dyn Decoder<'a> + 'a>),
    Ended,
    /// Something else stands behind the last stream: from which byte on, and how much.
    Behind {
        offset: u64,
        bytes: u64,
    },
}

impl<'a> Streams<'a> {
    /// What follows a stream that was whole.
    fn behind(&self, mut rest: Counted<'a>) -> io::Result<State<'a>> {
        if sniff(rest.peek()?) == self.kind {
            return Ok(decoder(self.kind, rest).map_or(State::Ended, State::Reading));
        }
        // Cut within the first bytes of the stream that follows.
        if is_cut_magic(self.kind, rest.peek()?) {
            return Err(ArchiveError::truncated("it ends inside its compressed data").into());
        }
        let offset = rest.consumed;
        let (mut buffer, mut zeros) = ([0; 8192], true);
        loop {
            match rest.read(&mut buffer)? {
                0 if zeros => return Ok(State::Ended),
                0 => return Ok(State::Behind { offset, bytes: rest.consumed - offset }),
                read => zeros &= buffer[..read].iter().all(|byte| *byte == 0),
            }
        }
    }
}

impl Read for Streams<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let decoder = match &mut self.state {
                State::Reading(decoder) if !buf.is_empty() => decoder,
                State::Behind { offset, bytes } => {
                    let (container, offset, bytes) = (self.kind.describe(), *offset, *bytes);
                    return Err(ArchiveError::Behind { container, offset, bytes, member: None }.into());
                }
                _ => return Ok(0),
            };
            let read = decoder.read(buf)?;
            if read > 0 {
                return Ok(read);
            }
            if let State::Reading(decoder) = std::mem::replace(&mut self.state, State::Ended) {
                self.state = self.behind(decoder.into_rest())?;
            }
        }
    }
}

/// Counts what a decoder takes, and looks ahead.
struct Counted<'a> {
    inner: Box<dyn BufRead + Send + 'a>,
    ahead: Vec<u8>,
    consumed: u64,
}

impl Counted<'_> {
    /// The next bytes, which stay.
    fn peek(&mut self) -> io::Result<&[u8]> {
        let wanted = MAGIC.saturating_sub(self.ahead.len()) as u64;
        (&mut self.inner).take(wanted).read_to_end(&mut self.ahead)?;
        Ok(&self.ahead)
    }
}

impl BufRead for Counted<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.ahead.is_empty() { self.inner.fill_buf() } else { Ok(&self.ahead) }
    }

    fn consume(&mut self, amount: usize) {
        self.consumed += amount as u64;
        if self.ahead.is_empty() {
            self.inner.consume(amount);
        } else {
            self.ahead.drain(..amount);
        }
    }
}

impl Read for Counted<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buf)?;
        self.consume(read);
        Ok(read)
    }
}

/// A blocking reader in asynchronous clothes: it never says "not yet", so [`Bridge`] needs no runtime.
struct BlockingRead<R>(R);

impl<R: BufRead + Unpin> AsyncRead for BlockingRead<R> {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = self.get_mut().0.read(buf.initialize_unfilled());
        Poll::Ready(read.map(|read| buf.advance(read)))
    }
}

impl<R: BufRead + Unpin> AsyncBufRead for BlockingRead<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Poll::Ready(self.get_mut().0.fill_buf())
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        self.get_mut().0.consume(amount);
    }
}

/// An asynchronous decoder over [`BlockingRead`], read like any other.
struct Bridge<D>(D);

impl<D: AsyncRead + Unpin> Read for Bridge<D> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut target = ReadBuf::new(buf);
        match Pin::new(&mut self.0).poll_read(&mut Context::from_waker(Waker::noop()), &mut target) {
            Poll::Ready(Ok(())) => Ok(target.filled().len()),
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Err(io::Error::other("a decoder waits for a reader that never makes it wait")),
        }
    }
}

macro_rules! gives_its_input_back {
    ($($decoder:ident),*) => {$(
        impl<'a> Decoder<'a> for Bridge<$decoder<BlockingRead<Counted<'a>>>> {
            fn into_rest(self: Box<Self>) -> Counted<'a> {
                self.0.into_inner().0
            }
        }
    )*};
}

gives_its_input_back!(GzipDecoder, ZstdDecoder, BzDecoder, XzDecoder);

/// Input in which the end comes too early: the decoder of LZ4 takes the end of its input for the end of a frame, and reads no
/// further than that by itself.
struct Endless<'a>(Counted<'a>);

impl Read for Endless<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buf)? {
            0 if !buf.is_empty() => Err(ArchiveError::truncated("it ends inside its compressed data").into()),
            read => Ok(read),
        }
    }
}

impl<'a> Decoder<'a> for Lz4Decoder<Endless<'a>> {
    fn into_rest(self: Box<Self>) -> Counted<'a> {
        self.into_inner().0
    }
}
