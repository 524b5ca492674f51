//! A fuzzer: scripts out of hostile pieces, and whether the real clients see a statement that the gate did not see as one.
//!
//! A script that the gate stops is safe, however it is read. What it lets pass goes through the real client, which echoes
//! what it sends. Both are cut at numbered words: a statement that the client sends may hold words of one statement of
//! ours, and no other statement may hold more of them. Comments between statements belong to whichever is sent with them;
//! one that is sent alone must be no more than it was.
//!
//! `DBHAUL_SWEEP=1`, which `scripts/sweep.sh` sets, tries many seeds, `DBHAUL_BOUNDS_SEED=7` one.

mod mysql;
mod postgres;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::Write as _,
    ops::Range,
    process::{Command, Stdio},
};

use dbhaul::engine::{self, Format, Stretch};

use crate::support::{Dice, Server, sweeping};

/// Fills templates: each `{w}` is a word with a number of its own, each `{f}` hostile pieces with such words among them.
struct Maker {
    dice: Dice,
    words: usize,
    pieces: &'static [&'static str],
}

impl Maker {
    fn word(&mut self) -> String {
        self.words += 1;
        format!("w{}w", self.words)
    }

    fn pieces(&mut self) -> String {
        let mut text = self.word();
        for _ in 0..self.dice.below(4) {
            let word = self.word();
            text.push_str(&self.dice.pick(self.pieces).replace("{w}", &word));
            if !self.dice.once_in(3) {
                let word = self.word();
                text.push_str(&word);
            }
        }
        text
    }

    fn fill(&mut self, template: &str) -> String {
        let (mut text, mut rest) = (String::new(), template);
        while let Some(at) = rest.find("{w}").into_iter().chain(rest.find("{f}")).min() {
            text.push_str(&rest[..at]);
            text.push_str(&if rest[at..].starts_with("{w}") { self.word() } else { self.pieces() });
            rest = &rest[at + 3..];
        }
        text + rest
    }
}

/// A dialect's side of the fuzzer.
struct Fuzzed {
    format: Format,
    pieces: &'static [&'static str],
    /// One script.
    script: fn(&mut Maker) -> String,
    /// What brings everything back to where it was before a script.
    reset: &'static str,
    /// What the real client sends.
    sent: fn(&Server, &[u8]) -> Vec<String>,
}

/// Whether a restore refuses it before it touches the target.
fn is_refused(format: Format, script: &[u8]) -> bool {
    const STOPS: [&str; 4] = ["gate.stopped", "gate.databases", "psql.command", "psql.connects"];
    let mut inspector = engine::of(format.dialect).inspector(format);
    inspector.see(script);
    inspector.finish().map_or(true, |content| STOPS.iter().any(|fact| content.facts.contains_key(*fact)))
}

/// The numbered words, with where they stand.
fn words(text: &[u8]) -> Vec<(Range<usize>, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].iter().position(|b| *b == b'w').map(|i| at + i) {
        let digits = text[start + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
        let end = start + 1 + digits;
        at = start + 1;
        if digits > 0 && text.get(end) == Some(&b'w') {
            let number = std::str::from_utf8(&text[start + 1..end]).expect("digits").parse().expect("a number");
            found.push((start..end + 1, number));
            at = end + 1;
        }
    }
    found
}

fn without_spaces(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|b| !b.is_ascii_whitespace() && !b.is_ascii_control()).collect()
}

/// What the client sent that our side did not see so.
fn difference(script: &[u8], ours: &[Stretch], sent: &[String]) -> Option<String> {
    let mut place = BTreeMap::new();
    for (range, number) in words(script) {
        let stretch = ours.iter().position(|stretch| stretch.range.contains(&range.start));
        place.insert(number, stretch);
    }
    let mut sent_with = BTreeMap::new();
    for (index, text) in sent.iter().enumerate() {
        let held: Vec<usize> = words(text.as_bytes()).into_iter().filter_map(|(_, n)| *place.get(&n)?).collect();
        let mut statements: Vec<usize> = held.iter().copied().filter(|at| ours[*at].is_statement).collect();
        statements.dedup();
        if statements.len() > 1 {
            let last = sent[..index].iter().rev().find(|text| !words(text.as_bytes()).is_empty());
            return Some(format!("the client sends several of our statements as one: {text:?}, behind {last:?}"));
        }
        if words(text.as_bytes()).iter().any(|(_, n)| place.get(n).is_none_or(Option::is_none)) {
            return Some(format!("the client sends what is no statement of ours: {text:?}"));
        }
        let mut all = held.clone();
        all.dedup();
        for at in &all {
            if *sent_with.entry(*at).or_insert(index) != index {
                return Some(format!("the client parts one of our statements or comments: {text:?}"));
            }
        }
        // A statement behind the comments may have no word.
        let behind = all.first().map_or(&[][..], |first| &ours[*first..]);
        let comments = behind.iter().position(|stretch| stretch.is_statement).map_or(behind, |at| &behind[..=at]);
        let comments: Vec<u8> =
            comments.iter().flat_map(|stretch| without_spaces(&script[stretch.range.clone()])).collect();
        if statements.is_empty() && !all.is_empty() && !comments.starts_with(&without_spaces(text.as_bytes())) {
            return Some(format!("the client sends more than our comments: {text:?}"));
        }
    }
    None
}

impl Fuzzed {
    fn differs(&self, server: &Server, script: &[u8]) -> Option<String> {
        let sent = (self.sent)(server, script);
        difference(script, &engine::of(self.format.dialect).stretches(script), &sent)
    }

    /// Scripts that the gate lets pass, and whether the client reads each of them as we do.
    fn run(&self, server: &Server, seed: u64, scripts: usize) {
        let mut maker = Maker { dice: Dice::new(seed), words: 0, pieces: self.pieces };
        let made: Vec<String> = (0..scripts).map(|_| (self.script)(&mut maker)).collect();
        let passed: Vec<&String> = made.iter().filter(|script| !is_refused(self.format, script.as_bytes())).collect();
        assert!(passed.len() > scripts / 10, "too few pass: {} of {scripts}", passed.len());
        let mut with_reset = |script: &str| format!("{script}{}", maker.fill(self.reset));
        let all = passed.iter().map(|script| with_reset(script)).collect::<String>();
        let Some(trouble) = self.differs(server, all.as_bytes()) else { return };
        // One after the other, to name those that it comes from.
        let mut report = format!("seed {seed}: {trouble}\n\nbefore it: {:?}\n", before(&all, &trouble));
        for script in &passed {
            if let Some(trouble) = self.differs(server, with_reset(script).as_bytes()) {
                writeln!(report, "\n{script:?}\n  {trouble}").expect("a string");
            }
        }
        panic!("{report}");
    }

    /// One seed in the ordinary suite.
    fn seeds(&self, server: &Server) {
        const SCRIPTS: usize = 1000;
        const MANY_SEEDS: u64 = 200;
        let one = std::env::var("DBHAUL_BOUNDS_SEED").ok().and_then(|seed| seed.parse().ok());
        let seeds = one.map_or(if sweeping() { 0..MANY_SEEDS } else { 0..1 }, |seed: u64| seed..seed + 1);
        seeds.for_each(|seed| self.run(server, seed, SCRIPTS));
    }
}

/// What a script has before the first word that a trouble shows.
fn before<'s>(script: &'s str, trouble: &str) -> &'s str {
    const SHOWN: usize = 600;
    let shown = words(trouble.as_bytes());
    let end = shown.first().and_then(|(range, _)| script.find(&trouble[range.clone()])).unwrap_or(script.len());
    let start = (0..=end.saturating_sub(SHOWN)).rev().find(|at| script.is_char_boundary(*at)).unwrap_or(0);
    &script[start..end]
}

/// A client's output, after it was given a script.
pub(super) fn fed(mut client: Command, script: &[u8]) -> Vec<u8> {
    let mut child = client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("run it");
    let (mut stdin, script) = (child.stdin.take().expect("a pipe"), script.to_vec());
    let writer = std::thread::spawn(move || stdin.write_all(&script));
    let output = child.wait_with_output().expect("its output");
    let _ = writer.join().expect("the writer");
    output.stdout
}
