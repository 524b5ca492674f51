//! The splitter's bounds: see [`crate::engine::Stretch`].

use super::lexer::Syntax;
use super::splitter::{Between, Splitter, Visitor};
use crate::engine::Stretch;

/// The statements of a script, and the comments between them.
pub(in crate::engine) fn bounds(script: &[u8]) -> Vec<Stretch> {
    let (mut splitter, mut collector) = (Splitter::new(), Collector::default());
    splitter.push(script, &mut collector);
    splitter.finish(&mut collector);
    collector.stretches
}

#[derive(Default)]
struct Collector {
    offset: usize,
    stretches: Vec<Stretch>,
}

impl Collector {
    fn open(&mut self, length: usize, is_statement: bool) {
        self.stretches.push(Stretch { range: self.offset..self.offset + length, is_statement });
        self.offset += length;
    }

    fn extend(&mut self, length: usize) {
        self.offset += length;
        if let Some(last) = self.stretches.last_mut() {
            last.range.end = self.offset;
        }
    }
}

impl Visitor for Collector {
    fn between(&mut self, what: Between, bytes: &[u8]) {
        match what {
            Between::Comment => self.open(bytes.len(), false),
            Between::More => self.extend(bytes.len()),
            _ => self.offset += bytes.len(),
        }
    }

    fn head(&mut self, head: &[u8], _: &Syntax) {
        self.open(head.len(), true);
    }

    fn more(&mut self, bytes: &[u8]) {
        self.extend(bytes.len());
    }

    fn rows(&mut self, _: u64, _: u64) {}

    fn end(&mut self, _: u64) {}
}
