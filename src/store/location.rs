//! Where an archive is, or goes: the stores by their schemes.
//!
//! A new store is a file beside this one, with a [`Location`] and what it stages and opens, and a row of [`STORES`].

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use url::Url;

use super::{Store, StoreError, file, stdout};
use crate::archive::SharedObject;

/// A place in a store.
pub trait Location: fmt::Debug + Send + Sync {
    /// The store's scheme, as in its URLs: [`file::SCHEME`].
    fn scheme(&self) -> &'static str;

    /// Begins an archive there. `stem` and `extension` name it where the location is a folder.
    fn stage(&self, stem: &str, extension: &str) -> Result<Box<dyn Store>, StoreError>;

    /// Opens the object that is there; None where the store can't be read by ranges.
    fn open(&self) -> Option<io::Result<SharedObject>>;

    /// The path that it is on this machine, if it is one.
    fn local_path(&self) -> Option<&Path> {
        None
    }

    /// The folder of this machine that an archive will stand in, if any.
    fn local_folder(&self) -> Option<&Path> {
        None
    }
}

/// A location that several share.
pub type SharedLocation = Arc<dyn Location>;

/// A store, as people name it.
pub(super) struct StoreKind {
    pub scheme: &'static str,
    /// Reads a text of this scheme. An error is for people.
    parse: fn(&str) -> Result<SharedLocation, String>,
}

/// What the command line can name. [`NullLocation`](super::NullLocation) is not among them.
pub(super) const STORES: &[StoreKind] = &[
    StoreKind { scheme: file::SCHEME, parse: file::parse },
    StoreKind { scheme: stdout::SCHEME, parse: |_| Ok(stdout::location()) },
    #[cfg(test)]
    StoreKind { scheme: super::memory::SCHEME, parse: |url| Ok(super::memory::location(url)) },
];

/// Why a text names no location.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// A URL of this scheme, which no store has.
    #[error("no store has the scheme {0}://")]
    UnknownScheme(String),
    /// A URL that its store can't read.
    #[error("{0}")]
    Malformed(String),
}

/// Finds the location that a text names: a URL, `-` for standard output, or a path.
pub fn locate(text: &str) -> Result<SharedLocation, LocationError> {
    let scheme = match url(text) {
        Some(url) => url.scheme().to_owned(),
        None if text == stdout::SCHEME => text.to_owned(),
        None => file::SCHEME.to_owned(),
    };
    match STORES.iter().find(|store| store.scheme == scheme) {
        Some(store) => (store.parse)(text).map_err(LocationError::Malformed),
        None => Err(LocationError::UnknownScheme(scheme)),
    }
}

/// Whether a text is a URL of a store's.
#[must_use]
pub fn is_store_url(text: &str) -> bool {
    url(text).is_some_and(|url| STORES.iter().any(|store| store.scheme == url.scheme()))
}

/// A text as the URL that it is. `file:NAME` is a path.
pub(super) fn url(text: &str) -> Option<Url> {
    Some(text).filter(|text| text.contains("://")).and_then(|text| Url::parse(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scheme, path and folder of what a text names.
    fn located(text: &str) -> (&'static str, Option<String>, Option<String>) {
        let location = locate(text).expect(text);
        let shown = |path: Option<&Path>| path.map(|path| path.display().to_string());
        (location.scheme(), shown(location.local_path()), shown(location.local_folder()))
    }

    #[test]
    fn a_text_names_its_store_and_its_place() {
        let temp = tempfile::tempdir().expect("a folder");
        let here = temp.path().to_str().expect("UTF-8");
        let cases = [
            ("-", "-", None, None),
            (".", "file", Some("."), Some(".")),
            ("a.tar.gz", "file", Some("a.tar.gz"), Some(".")),
            ("b/", "file", Some("b/"), Some("b/")),
            ("b/a.tar.gz", "file", Some("b/a.tar.gz"), Some("b")),
            (here, "file", Some(here), Some(here)),
            ("file:a", "file", Some("file:a"), Some(".")),
            ("1://a", "file", Some("1://a"), Some("1:")),
            ("file:///b/a%20c.tar", "file", Some("/b/a c.tar"), Some("/b")),
            ("FILE:///b/", "file", Some("/b/"), Some("/b/")),
            ("file://localhost/b/a", "file", Some("/b/a"), Some("/b")),
        ];
        for (text, scheme, path, folder) in cases {
            assert_eq!(located(text), (scheme, path.map(str::to_owned), folder.map(str::to_owned)), "{text}");
        }
    }

    #[test]
    fn other_urls_are_none_of_a_store() {
        for text in ["s3://bucket/a", "S3://bucket/a", "s3://bucket/"] {
            assert_eq!(locate(text).err(), Some(LocationError::UnknownScheme("s3".into())), "{text}");
            assert!(!is_store_url(text));
        }
        assert_eq!(locate("null://a").err(), Some(LocationError::UnknownScheme("null".into())));
        assert!(matches!(locate("file://host/a"), Err(LocationError::Malformed(_))));
        assert!(is_store_url("file:///a") && !is_store_url("a") && !is_store_url("-"));
    }
}
