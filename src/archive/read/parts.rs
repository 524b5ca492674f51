//! Stretches of a dump, without decoding what lies between them where an archive's index says how.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::ops::Range;

use super::input::{Bytes, Medium};
use super::object::{ObjectStream, SharedObject};
use crate::archive::codec::Codec;
use crate::archive::error::{ArchiveError, Result};
use crate::archive::format::index::Index;
use crate::archive::write::part_writer::joined;

/// Tar pads every member to a multiple of this.
const BLOCK: u64 = 512;

/// Some stretches of the dump in an archive of ours, in order, read from the index's spans that hold them.
///
/// Nothing is checked on the way but that it can be decoded: `verify` comes before.
pub fn dump_parts(object: &SharedObject, parts: &[Range<u64>]) -> Result<impl Read + Send + use<>> {
    let (index, codec) = Index::with_codec(object.as_ref())?
        .ok_or_else(|| ArchiveError::NotRecognised { what: "an archive without index".into() })?;
    let (starts, stretches) = (starts(&index), in_tar(&index, parts));
    Ok(Parts { object: object.clone(), codec, starts, stretches, at: 0, open: None })
}

/// Where decoding can begin: offsets in the file and in the tar. Spans may be long, members of the dump short.
fn starts(index: &Index) -> Vec<(u64, u64)> {
    let spans = index.spans.iter().map(|span| (span.0, span.1));
    // Before the first piece stands the container's own head: the first span leads there as well.
    let members = index.members.iter().skip(1).map(|member| (member.at, member.offset));
    let mut starts: Vec<_> = spans.chain(members).collect();
    starts.sort_unstable_by_key(|start| (start.1, start.0));
    starts.dedup_by_key(|start| start.1);
    starts
}

/// Where stretches of the dump's bytes stand in the tar: the dump may be in several members.
fn in_tar(index: &Index, parts: &[Range<u64>]) -> VecDeque<Range<u64>> {
    let mut found = VecDeque::new();
    let mut start = 0;
    for place in joined(index.members.iter().map(|member| member.path.as_str())) {
        let (member, Some(next)) = (&index.members[place], index.members.get(place + 1)) else { break };
        // Headers may be longer than one block: the content's place is known from its end.
        let content = next.offset - member.size.next_multiple_of(BLOCK);
        let whole = start..start + member.size;
        for part in parts {
            let (from, to) = (part.start.max(whole.start), part.end.min(whole.end));
            if from < to {
                found.push_back(content + from - start..content + to - start);
            }
        }
        start = whole.end;
    }
    found
}

struct Parts {
    object: SharedObject,
    codec: &'static dyn Codec,
    starts: Vec<(u64, u64)>,
    /// What is still to be read, in the tar.
    stretches: VecDeque<Range<u64>>,
    /// The open decoder's place in the tar.
    at: u64,
    open: Option<Bytes>,
}

impl Parts {
    /// Brings the decoder to a place: it goes on, or begins anew in the span that holds it.
    fn go_to(&mut self, target: u64) -> io::Result<&mut Bytes> {
        let (file_at, tar_at) = self.starts[self.starts.partition_point(|start| start.1 <= target).max(1) - 1];
        let goes_on = self.open.is_some() && (tar_at..=target).contains(&self.at);
        let mut decoder = if let Some(decoder) = self.open.take().filter(|_| goes_on) {
            decoder
        } else {
            // Before the first piece stands the container's own head.
            let head = if file_at == 0 { self.codec.head().len() as u64 } else { 0 };
            let from = ObjectStream::new(&self.object, file_at + head);
            self.at = tar_at;
            self.codec.onwards(Box::new(Medium::new(from).0))?
        };
        let skipped = io::copy(&mut (&mut decoder).take(target - self.at), &mut io::sink())?;
        self.at += skipped;
        if self.at != target {
            return Err(ArchiveError::truncated("it became shorter while it was read").into());
        }
        Ok(self.open.insert(decoder))
    }
}

impl Read for Parts {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(stretch) = self.stretches.front().cloned() else { return Ok(0) };
        let most = usize::try_from(stretch.end - stretch.start).unwrap_or(usize::MAX).min(buf.len());
        let read = self.go_to(stretch.start)?.read(&mut buf[..most])?;
        if read == 0 && most > 0 {
            return Err(ArchiveError::truncated("it became shorter while it was read").into());
        }
        self.at += read as u64;
        let rest = stretch.start + read as u64..stretch.end;
        self.stretches[0] = rest.clone();
        if rest.is_empty() {
            self.stretches.pop_front();
        }
        Ok(read)
    }
}

/// The same stretches of any stream: what lies between them is read and left, what follows the last is not read.
pub fn stretches<R: Read + Send>(stream: R, parts: &[Range<u64>]) -> impl Read + Send + use<R> {
    Skipping { stream, at: 0, stretches: parts.iter().filter(|part| !part.is_empty()).cloned().collect() }
}

struct Skipping<R> {
    stream: R,
    at: u64,
    stretches: VecDeque<Range<u64>>,
}

impl<R: Read> Read for Skipping<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(stretch) = self.stretches.front().cloned() else { return Ok(0) };
        self.at += io::copy(&mut (&mut self.stream).take(stretch.start.saturating_sub(self.at)), &mut io::sink())?;
        let most = usize::try_from(stretch.end - self.at.min(stretch.end)).unwrap_or(usize::MAX).min(buf.len());
        let read = self.stream.read(&mut buf[..most])?;
        self.at += read as u64;
        if self.at >= stretch.end || read == 0 && most > 0 {
            self.stretches.pop_front();
        }
        Ok(read)
    }
}
