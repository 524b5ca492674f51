//! A store in memory, for tests: an object store as far as a dump or a restore can tell.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Location, Proved, SharedLocation, Store, StoreError};
use crate::archive::tests::MemoryObject;
use crate::archive::{SharedObject, Sink};

/// As in `memory://bucket/key`, and `memory://bucket/prefix/`.
pub const SCHEME: &str = "memory";

/// Everything that is stored, by URL.
static OBJECTS: Mutex<BTreeMap<String, Arc<Vec<u8>>>> = Mutex::new(BTreeMap::new());

fn objects() -> MutexGuard<'static, BTreeMap<String, Arc<Vec<u8>>>> {
    OBJECTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The URL of a bucket that nobody else uses.
pub fn new_bucket() -> String {
    static BUCKETS: AtomicUsize = AtomicUsize::new(0);
    format!("{SCHEME}://bucket-{}/", BUCKETS.fetch_add(1, Ordering::Relaxed))
}

/// The URLs of what a bucket holds.
pub fn list(prefix: &str) -> Vec<String> {
    objects().keys().filter(|url| url.starts_with(prefix)).cloned().collect()
}

/// Stores bytes that no dump wrote.
pub fn put(url: &str, bytes: &[u8]) {
    objects().insert(url.to_owned(), Arc::new(bytes.to_vec()));
}

/// A URL of this store.
#[derive(Debug)]
struct MemoryLocation(String);

pub(super) fn location(url: &str) -> SharedLocation {
    Arc::new(MemoryLocation(url.to_owned()))
}

impl Location for MemoryLocation {
    fn scheme(&self) -> &'static str {
        SCHEME
    }

    fn stage(&self, stem: &str, extension: &str) -> Result<Box<dyn Store>, StoreError> {
        let names = if self.0.ends_with('/') {
            ["", "_2", "_3"].map(|number| format!("{}{stem}{number}.{extension}", self.0)).to_vec()
        } else {
            vec![self.0.clone()]
        };
        if names.iter().all(|name| objects().contains_key(name)) {
            return Err(StoreError::Exists(PathBuf::from(&self.0)));
        }
        Ok(Box::new(MemoryUpload { names, bytes: Vec::new() }))
    }

    fn open(&self) -> Option<io::Result<SharedObject>> {
        let object = objects().get(&self.0).cloned().ok_or(io::ErrorKind::NotFound);
        Some(object.map(|bytes| MemoryObject::of(&bytes) as _).map_err(Into::into))
    }
}

/// What is on its way.
struct MemoryUpload {
    /// The first that is free is taken.
    names: Vec<String>,
    bytes: Vec<u8>,
}

/// An upload takes no more than this, as a bucket with a quota.
pub const QUOTA: usize = 64 << 20;

impl Sink for MemoryUpload {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > QUOTA { Err(io::ErrorKind::QuotaExceeded.into()) } else { Ok(()) }
    }

    fn patch(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn can_patch(&self) -> bool {
        false
    }
}

impl Store for MemoryUpload {
    fn can_abort(&self) -> bool {
        true
    }

    fn publish(self: Box<Self>, _: Proved) -> Result<Option<PathBuf>, StoreError> {
        let Self { names, bytes } = *self;
        let bytes = Arc::new(bytes);
        for name in &names {
            if let Entry::Vacant(free) = objects().entry(name.clone()) {
                free.insert(bytes);
                return Ok(Some(PathBuf::from(name)));
            }
        }
        Err(StoreError::Exists(PathBuf::from(&names[0])))
    }
}
