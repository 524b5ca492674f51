//! What speaks an engine's protocol: its own vendor's server, a managed service of it, a fork, or another database
//! that only sounds like it. Each engine has a table of those that are known.

use crate::error::{Error, Kind, Result};
use crate::hint::Hint;

/// A product, and how it gives itself away.
#[derive(Debug, PartialEq, Eq)]
pub struct Product {
    /// Its name.
    pub name: &'static str,
    /// Words, in lower case, in what a server says of itself.
    pub mark: &'static str,
    /// Whether dumps and restores work there.
    pub standing: SupportLevel,
}

/// Whether dumps and restores work with a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SupportLevel {
    /// As with the engine's own server.
    Supported,
    /// Mostly: what is different.
    Warned(&'static str),
    /// Not: what to use instead.
    Refused(&'static str),
}

/// The products of a table that some words give away; one that is refused is `Kind::Refused`.
pub fn recognise(table: &'static [Product], engine: &str, words: &str) -> Result<Vec<&'static Product>> {
    let words = words.to_lowercase();
    let found: Vec<&Product> = table.iter().filter(|product| words.contains(product.mark)).collect();
    let refused = found.iter().find_map(|product| match product.standing {
        SupportLevel::Refused(instead) => Some((product.name, instead)),
        _ => None,
    });
    match refused {
        None => Ok(found),
        Some((name, instead)) => Err(Error::new(
            Kind::Refused,
            format!("{name} only speaks {engine}'s protocol: {engine}'s clients can't dump or restore it"),
        )
        .why(format!("the server says: {}", words.lines().next().unwrap_or_default()))
        .why("nothing was started, nothing was changed")
        .hint(Hint::new("products-own-tool", instead))),
    }
}

/// One test for each engine: every recorded string of a folder gives away what its file says.
#[cfg(test)]
pub fn assert_recorded(table: &'static [Product], engine: &str, recording: &str) {
    let path = format!("{}/fixtures/version-strings/{recording}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect(&path);
    let mut seen = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let (name, words) = line.split_once('\t').expect("a name, a tab, a server's words");
        let words = words.replace("\\n", "\n");
        let found = recognise(table, engine, &words);
        let expected = table.iter().find(|product| product.name == name);
        match (&found, expected.map(|product| product.standing)) {
            (Ok(found), None) => assert!(name == engine && found.is_empty(), "{line}: {found:?}"),
            (Err(error), Some(SupportLevel::Refused(instead))) => {
                assert!(
                    error.what.starts_with(name) && crate::hint::texts(&error.hints) == [instead],
                    "{line}: {error}"
                );
                assert_eq!(error.kind, Kind::Refused);
            }
            (Ok(found), Some(_)) => assert!(found.iter().any(|p| p.name == name), "{line}: {found:?}"),
            (Err(error), _) => panic!("{line}: {error}"),
        }
        seen.push(name);
    }
    for product in table {
        assert!(seen.contains(&product.name), "no recording of {}", product.name);
    }
}
