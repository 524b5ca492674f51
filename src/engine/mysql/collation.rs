//! Collations that the target does not know, and those that may take their place.

use super::hints::SOURCES_FLAVOUR;
use super::probe::probe_keys::join_truncated;
use crate::engine::{CollationMap, Content, Server};
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;

/// Refuses a dump that names collations which the target does not know, after the user's mapping; the hint is the
/// mapping that would work.
pub(super) fn check(server: &Server, content: &Content, maps: &[CollationMap]) -> Result<()> {
    let target = format!("{} {}", server.flavour, server.version);
    for map in maps {
        if charset(&map.from) != charset(&map.to) {
            let what = format!("--map-collation {}={}: the two are of different character sets", map.from, map.to);
            return Err(Error::new(Kind::Usage, what).hint(hint(server, &[&map.from])));
        }
        if !knows(server, &map.to) {
            let what = format!("--map-collation {}={}: {target} does not know {}", map.from, map.to, map.to);
            return Err(Error::new(Kind::Refused, what).hint(hint(server, &[&map.from])));
        }
    }
    let names = content.collations.iter().map(String::as_str);
    let unknown: Vec<&str> = names.filter(|name| mapped(maps, name).is_none() && !knows(server, name)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Error::new(Kind::Refused, format!("{target} does not know the collation {}", join_truncated(&unknown)))
        .hint(hint(server, &unknown)))
}

/// Mappings of collations that the dump does not name.
pub(super) fn unused(content: &Content, maps: &[CollationMap]) -> Vec<String> {
    let named = |map: &CollationMap| content.collations.iter().any(|name| same(name, &map.from));
    let unused = maps.iter().filter(|map| !named(map));
    unused.map(|map| format!("--map-collation {}: the dump does not name that collation", map.from)).collect()
}

/// What the user wants in a collation's place.
pub(super) fn mapped<'m>(maps: &'m [CollationMap], name: &str) -> Option<&'m str> {
    maps.iter().find(|map| same(&map.from, name)).map(|map| map.to.as_str())
}

/// `utf8_general_ci` is `utf8mb3_general_ci` under its old name, and every server takes both.
fn modern(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    name.strip_prefix("utf8_").map(|rest| format!("utf8mb3_{rest}")).unwrap_or(name)
}

fn same(a: &str, b: &str) -> bool {
    modern(a) == modern(b)
}

fn charset(collation: &str) -> String {
    modern(collation).split('_').next().unwrap_or_default().to_owned()
}

/// True as well where the target did not say what it knows.
pub(super) fn knows(server: &Server, name: &str) -> bool {
    let known = &server.target.collations;
    known.is_empty() || known.iter().any(|k| same(k, name))
}

/// Whether the target has this character set, as far as it said which collations it knows.
pub(super) fn has_charset(server: &Server, name: &str) -> bool {
    let wanted = charset(name);
    server.target.collations.iter().any(|known| charset(known) == wanted)
}

/// The mapping that would work, as arguments.
fn hint(server: &Server, unknown: &[&str]) -> Hint {
    let maps: Option<Vec<_>> = unknown
        .iter()
        .map(|name| Some(format!("--map-collation {name}={}", substitute(&server.target.collations, name)?)))
        .collect();
    match maps {
        Some(maps) => Hint::naming(
            "map-collation",
            format!("{} compares and sorts by what the target has instead", maps.join(" ")),
        ),
        None => SOURCES_FLAVOUR,
    }
}

/// The nearest that the target knows: as particular about letter case, of the newest Unicode, and with the same regard for
/// spaces at the end, where there is one.
fn substitute(known: &[String], name: &str) -> Option<String> {
    const INSENSITIVE: [&str; 9] = [
        "_uca1400_nopad_ai_ci",
        "_0900_ai_ci",
        "_unicode_520_nopad_ci",
        "_unicode_nopad_ci",
        "_general_nopad_ci",
        "_uca1400_ai_ci",
        "_unicode_520_ci",
        "_unicode_ci",
        "_general_ci",
    ];
    const SENSITIVE: [&str; 5] = ["_uca1400_nopad_as_cs", "_0900_as_cs", "_nopad_bin", "_0900_bin", "_bin"];
    const ACCENTS: [&str; 5] =
        ["_uca1400_nopad_as_ci", "_0900_as_cs", "_uca1400_as_ci", "_unicode_520_nopad_ci", "_unicode_520_ci"];
    let name = modern(name);
    let endings: &[&str] = if name.ends_with("_bin") {
        &["_nopad_bin", "_0900_bin", "_bin"]
    } else if name.ends_with("_cs") || name.ends_with("_ks") {
        &SENSITIVE
    } else if name.ends_with("_as_ci") {
        &ACCENTS
    } else {
        &INSENSITIVE
    };
    let candidates = endings.iter().map(|ending| format!("{}{ending}", charset(&name)));
    let mut there: Vec<_> = candidates.filter(|candidate| known.iter().any(|known| same(known, candidate))).collect();
    there.sort_by_key(|candidate| pads(candidate) != pads(&name));
    there.into_iter().next()
}

/// Whether spaces at the end count nothing: `'a' = 'a '`.
fn pads(name: &str) -> bool {
    !["_nopad_", "_0900_"].iter().any(|part| name.contains(part)) && name != "binary"
}

/// For each mapping by which strings become one that differ in spaces at their end: what it does, and the mapping that does
/// not, of those that the target knows.
pub(super) fn padding(maps: &[CollationMap], known: &[String]) -> Vec<Hint> {
    let padding = maps.iter().filter(|map| !pads(&modern(&map.from)) && pads(&modern(&map.to)));
    let better = |map: &CollationMap| substitute(known, &map.from).filter(|better| !pads(better));
    let sentence = |map: &CollationMap| {
        let CollationMap { from, to } = map;
        let instead = better(map).map_or_else(
            || "the target has none that does not".to_owned(),
            |better| format!("--map-collation {from}={better} does not"),
        );
        Hint::naming(
            "mapping-that-does-not-pad",
            format!(
                "{to} takes strings for the same that differ in spaces at their end, which {from} tells apart: {instead}"
            ),
        )
    };
    padding.map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::mysql::test_fixtures::{server, strings};
    use crate::engine::{Flavour, Version};

    #[test]
    fn the_nearest_collation_is_as_particular() {
        let mut server = server(Flavour::MARIADB, Version::new(10, 5, 23));
        server.target.collations =
            strings(&["utf8_general_ci", "utf8mb4_bin", "utf8mb4_unicode_520_ci", "utf8mb4_unicode_ci"]);
        for (name, nearest) in [
            ("utf8mb4_0900_ai_ci", Some("utf8mb4_unicode_520_ci")),
            ("utf8mb4_ja_0900_as_cs_ks", Some("utf8mb4_bin")),
            ("utf8mb4_0900_bin", Some("utf8mb4_bin")),
            ("utf8mb4_0900_as_ci", Some("utf8mb4_unicode_520_ci")),
            ("utf8_uca1400_ai_ci", Some("utf8mb3_general_ci")),
            ("gb18030_chinese_ci", None),
        ] {
            assert_eq!(substitute(&server.target.collations, name).as_deref(), nearest, "{name}");
        }
        assert!(knows(&server, "utf8mb3_general_ci") && knows(&server, "UTF8_GENERAL_CI"));
    }
}
