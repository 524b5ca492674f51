//! What is in a dump's large objects, as a sum: each object's number and bytes are hashed, in any order of the objects.

use crate::engine::{Content, RowSum};

/// The objects of a dump, or of one lane of it, seen so far.
#[derive(Clone, Debug, Default)]
pub struct LargeObjects {
    sum: RowSum,
    count: u64,
    /// Some were compressed in a way that is not decoded here.
    unread: bool,
}

impl LargeObjects {
    /// An object begins.
    pub fn begin(&mut self, number: &str) {
        self.count += 1;
        self.sum.extend_row(format!("{number}\n").as_bytes());
    }

    /// Some of its bytes.
    pub fn see(&mut self, bytes: &[u8]) {
        self.sum.extend_row(bytes);
    }

    /// It ends; `read` says whether its bytes were seen.
    pub fn end(&mut self, read: bool) {
        self.sum.end(&[]);
        self.unread |= !read;
    }

    /// A statement of a script, which opens an object, writes to it, or closes it.
    pub fn statement(&mut self, sql: &str) {
        let Some((_, call)) = sql.split_once("SELECT pg_catalog.lo") else { return };
        if let Some(rest) = call.strip_prefix("_open(") {
            self.begin(rest.split(',').next().unwrap_or_default().trim_matches('\''));
        } else if let Some(rest) = call.strip_prefix("write(") {
            self.see(rest.as_bytes());
        } else if call.starts_with("_close(") {
            self.end(true);
        }
    }

    /// Says what was seen.
    pub fn tell(&self, content: &mut Content) {
        if self.unread {
            content.not_compared.insert("large objects");
        } else if self.count > 0 {
            content.large_objects = Some(self.sum.sum());
        }
    }

    /// Adds those of another lane.
    pub fn add(&mut self, other: &Self) {
        self.sum.add(other.sum.sum());
        self.count += other.count;
        self.unread |= other.unread;
    }
}
