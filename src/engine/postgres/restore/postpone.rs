//! Triggers of a script that stand before the rows which would fire them, as in `pg_dump -s` and `pg_dump -a` in one file:
//! they come behind all else.

use std::collections::VecDeque;
use std::ops::Range;

use crate::engine::{Entry, Filter};

/// The sections of such triggers, with the remarks about them, and their names.
pub fn early(entries: &[Entry]) -> (Vec<Range<u64>>, Vec<&str>) {
    let starts =
        |kind| entries.iter().filter(move |e: &&Entry| e.kind == kind).filter_map(|e| Some(e.span.clone()?.start));
    let last_rows = starts("TABLE DATA").max().unwrap_or(0);
    let is_trigger = |e: &&Entry| e.kind == "TRIGGER";
    let is_remark = |e: &&Entry| e.kind == "COMMENT" && e.tag.starts_with("TRIGGER ");
    let before = |e: &&Entry| e.span.as_ref().is_some_and(|span| span.start < last_rows);
    let spans = entries.iter().filter(|e| is_trigger(e) || is_remark(e)).filter(before).filter_map(|e| e.span.clone());
    (spans.collect(), entries.iter().filter(is_trigger).filter(before).map(|e| e.tag.as_str()).collect())
}

/// Holds stretches of a script back until its end; what passes goes through another filter.
pub struct Postpone {
    inner: Box<dyn Filter>,
    /// Stretches to come, as places among the bytes that come.
    spans: VecDeque<Range<u64>>,
    /// The place of the next byte.
    at: u64,
    held: Vec<u8>,
}

impl Postpone {
    /// For these stretches of a dump of which only some parts come.
    pub fn new(inner: Box<dyn Filter>, spans: Vec<Range<u64>>, parts: Option<&[Range<u64>]>) -> Self {
        let spans = spans.into_iter().filter_map(|span| parts.map_or(Some(span.clone()), |parts| among(parts, &span)));
        Self { inner, spans: spans.collect(), at: 0, held: Vec::new() }
    }
}

/// Where a stretch comes when only these parts come.
fn among(parts: &[Range<u64>], span: &Range<u64>) -> Option<Range<u64>> {
    let at = parts.iter().position(|part| part.contains(&span.start))?;
    let before: u64 = parts[..at].iter().map(|part| part.end - part.start).sum();
    let start = before + span.start - parts[at].start;
    Some(start..start + span.end.min(parts[at].end) - span.start)
}

impl Filter for Postpone {
    fn push(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) {
        while !bytes.is_empty() {
            let length =
                |end: u64| usize::try_from(end - self.at).map_or(bytes.len(), |length| length.min(bytes.len()));
            let (is_held, count) = match self.spans.front() {
                Some(span) if self.at >= span.start => (true, length(span.end)),
                Some(span) => (false, length(span.start)),
                None => (false, bytes.len()),
            };
            let (now, rest) = bytes.split_at(count);
            if is_held {
                self.held.extend_from_slice(now);
            } else {
                self.inner.push(now, out);
            }
            (self.at, bytes) = (self.at + count as u64, rest);
            if self.spans.front().is_some_and(|span| span.end <= self.at) {
                self.spans.pop_front();
            }
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        self.inner.push(&held, out);
        self.inner.finish(out);
    }

    fn adaptations(&self) -> Vec<(String, u64)> {
        self.inner.adaptations()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::postgres::restore::filter::{Adapter, Restriction};

    #[test]
    fn stretches_come_last_however_the_bytes_come() {
        let script = "abcDEFghIJkl";
        for (parts, wanted) in
            [(None, "abcghklDEFIJ"), (Some(vec![1..6, 7..12]), "bchklDEFIJ"), (Some(vec![0..3, 8..10]), "abcIJ")]
        {
            let fed: String = parts.clone().map_or(script.to_owned(), |parts: Vec<Range<u64>>| {
                parts
                    .iter()
                    .map(|p| &script[usize::try_from(p.start).expect("small")..usize::try_from(p.end).expect("small")])
                    .collect()
            });
            for size in 1..=fed.len() {
                let inner = Box::new(Adapter::new(false, Restriction::AsItIs));
                let (mut filter, mut out) = (Postpone::new(inner, vec![3..6, 8..10], parts.as_deref()), Vec::new());
                fed.as_bytes().chunks(size).for_each(|chunk| filter.push(chunk, &mut out));
                filter.finish(&mut out);
                assert_eq!(String::from_utf8(out).expect("text"), wanted, "{size}");
            }
        }
    }
}
