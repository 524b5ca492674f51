//! An index of names: the places in a list of what is called so.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};

/// Holds hashes: the names themselves, which the list has already, would double the memory of a dump of many entries.
#[derive(Clone, Debug, Default)]
pub struct NameIndex {
    by_hash: BTreeSet<(u64, usize)>,
    hasher: RandomState,
}

impl NameIndex {
    /// Notes that something of this name stands at this place.
    pub fn insert(&mut self, schema: Option<&str>, name: &str, place: usize) {
        self.by_hash.insert((self.hash(schema, name), place));
    }

    /// Where something of this name may stand, in order. Names can share a hash: the caller looks.
    pub fn of(&self, schema: Option<&str>, name: &str) -> impl Iterator<Item = usize> {
        let hash = self.hash(schema, name);
        self.by_hash.range((hash, 0)..=(hash, usize::MAX)).map(|(_, place)| *place)
    }

    fn hash(&self, schema: Option<&str>, name: &str) -> u64 {
        self.hasher.hash_one((schema, name))
    }
}
