//! Every archive, cut and altered in 250 places (`src/archive/tests/damage.rs` does it at every bit of one).

use std::{collections::BTreeSet, ops::AddAssign};

use super::{
    archives::{Archive, Guard, foreign, ours},
    checking::Checker,
    meaning::{Meaning, field},
};
use crate::support::{assert_section, several};

/// Places that are tried in each archive.
const PLACES: usize = 250;

/// What became of an archive's cuts and flips.
#[derive(Default)]
struct Found {
    cuts: Tally,
    flips: Tally,
    /// The fields of bytes that say nothing.
    fields: BTreeSet<&'static str>,
    /// Neither found nor without a meaning, although the archive could tell.
    missed: Vec<String>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    tried: usize,
    found: usize,
    /// Not found, and nothing was lost by it.
    meaningless: usize,
    /// Not found: nothing in the archive could tell.
    unguarded: usize,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.tried += other.tried;
        self.found += other.found;
        self.meaningless += other.meaningless;
        self.unguarded += other.unguarded;
    }
}

/// Evenly spread, the first and the last among them.
fn places(len: usize) -> impl Iterator<Item = usize> {
    assert!(len >= PLACES, "an archive of {len} bytes");
    (0..PLACES).map(move |n| n * (len - 1) / (PLACES - 1))
}

/// Cuts it and alters it, and lets `verify` say what it thinks of each.
fn damage(archive: &Archive, checker: &Checker) -> Found {
    let Archive { layout, engine, bytes, guard } = archive;
    let whole = checker.verify(bytes);
    assert!(whole.is_ok(), "{layout}, {engine}: {whole:?}");
    let meaning = Meaning::of(bytes);
    let mut found = Found::default();
    for len in places(bytes.len()) {
        found.cuts.tried += 1;
        if checker.verify(&bytes[..len]).is_err() {
            found.cuts.found += 1;
        } else if *guard != Guard::Checksums && meaning.survives_cut(&bytes[..len]) {
            found.cuts.meaningless += 1;
        } else {
            found.missed.push(format!("{layout}, {engine}: cut to {len} of {} bytes", bytes.len()));
        }
    }
    let mut altered = bytes.clone();
    for at in places(bytes.len()) {
        found.flips.tried += 1;
        let bit = 1 << (at % 8);
        altered[at] ^= bit;
        if checker.verify(&altered).is_err() {
            found.flips.found += 1;
        } else if *guard != Guard::Checksums && meaning.is_of(&altered, at) {
            found.flips.meaningless += 1;
            found.fields.extend(field(bytes, at));
        } else if *guard == Guard::Structure {
            found.flips.unguarded += 1;
        } else {
            found.missed.push(format!("{layout}, {engine}: bit {bit:#x} of byte {at}"));
        }
        altered[at] ^= bit;
    }
    found
}

fn thousands(number: usize) -> String {
    match number {
        0 => "–".into(),
        1..1000 => number.to_string(),
        _ => format!("{},{:03}", number / 1000, number % 1000),
    }
}

fn cell(tally: Tally) -> String {
    let found = if tally.found == tally.tried { "all".into() } else { thousands(tally.found) };
    [thousands(tally.tried), found, thousands(tally.meaningless)].join(" | ")
}

#[test]
fn every_cut_and_every_altered_bit_that_says_something_is_found() {
    let archives: Vec<&Archive> = ours().iter().chain(foreign()).collect();
    let found = several(&archives, |archive| damage(archive, &Checker::new()));

    let missed: Vec<_> = found.iter().flat_map(|found| &found.missed).collect();
    assert!(missed.is_empty(), "{} not found:\n{missed:#?}", missed.len());

    // dbhaul's own of PostgreSQL are of two forms, in one row.
    let mut rows: Vec<(String, Tally, Tally)> = Vec::new();
    for (archive, found) in archives.iter().zip(&found) {
        let what = format!("{} | {}", archive.layout, archive.engine);
        match rows.iter_mut().find(|(name, ..)| *name == what) {
            Some((_, cuts, flips)) => {
                *cuts += found.cuts;
                *flips += found.flips;
            }
            None => rows.push((what, found.cuts, found.flips)),
        }
    }
    let mut text = "| layout | engine | cut | found | nothing lost \
                    | altered | found | says nothing | no checksum |\n|---|---|--:|--:|--:|--:|--:|--:|--:|\n"
        .to_owned();
    for (what, cuts, flips) in rows {
        text += &format!("| {what} | {} | {} | {} |\n", cell(cuts), cell(flips), thousands(flips.unguarded));
    }
    text += "\nBytes that say nothing, where an altered bit may pass:\n\n";
    for field in found.iter().flat_map(|found| &found.fields).collect::<BTreeSet<_>>() {
        text += &format!("- {field}\n");
    }
    assert_section("docs/reliability.md", "corruption", &text);
}
