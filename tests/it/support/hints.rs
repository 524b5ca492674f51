//! The hints of the program, as its source makes them, and the test that follows one.

use std::{fs, path::Path, sync::OnceLock};

use super::{Output, root};

/// A hint where the source makes it.
pub struct MadeHint {
    pub name: String,
    /// What is printed; `{...}` stands for something of the case at hand. Empty where the text comes from elsewhere.
    pub text: String,
    /// `src/engine/plan.rs`.
    pub file: String,
}

/// All hints that the source makes, in the order of its files.
pub fn made_hints() -> &'static [MadeHint] {
    static MADE: OnceLock<Vec<MadeHint>> = OnceLock::new();
    MADE.get_or_init(|| {
        let sources = sources("src").into_iter().filter(|(file, _)| !file.ends_with("tests.rs"));
        sources.flat_map(|(file, source)| made_in(&file, &source)).collect()
    })
}

/// Every Rust file below a folder of the repository, with its text, sorted.
pub fn sources(folder: &str) -> Vec<(String, String)> {
    files(folder, "rs")
}

/// The same of the files with another ending.
pub fn files(folder: &str, wanted: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, wanted: &str, found: &mut Vec<(String, String)>) {
        let root = root();
        let entries = fs::read_dir(root.join(folder)).expect("a folder of sources").flatten();
        for entry in entries {
            let path = folder.join(entry.file_name());
            if root.join(&path).is_dir() {
                walk(&path, wanted, found);
            } else if path.extension().is_some_and(|ending| ending == wanted) {
                let text = fs::read_to_string(root.join(&path)).expect("a source");
                found.push((path.to_string_lossy().into_owned(), text));
            }
        }
    }
    let mut found = Vec::new();
    walk(Path::new(folder), wanted, &mut found);
    found.sort();
    found
}

fn made_in(file: &str, source: &str) -> Vec<MadeHint> {
    let source = source.split("#[cfg(test)]\nmod tests {").next().expect("the part that is no test");
    let mut made = Vec::new();
    for call in ["Hint::new(", "Hint::naming("] {
        for (at, _) in source.match_indices(call) {
            let rest = source[at + call.len()..].trim_start();
            let (name, rest) =
                literal(rest).unwrap_or_else(|| panic!("{file}: a hint's name stands in place, not {rest:.40}"));
            let rest = rest.trim_start_matches([',', ' ', '\n']);
            let rest = rest.strip_prefix("format!(").unwrap_or(rest).trim_start();
            let text = literal(rest).map_or_else(String::new, |(text, _)| text);
            made.push(MadeHint { name, text, file: file.to_owned() });
        }
    }
    made
}

/// The value of the string literal that a text begins with, and what follows it.
fn literal(text: &str) -> Option<(String, &str)> {
    let text = text.strip_prefix('"')?;
    let mut value = String::new();
    let mut rest = text.char_indices().peekable();
    while let Some((at, character)) = rest.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match rest.next()?.1 {
                '\n' => while rest.next_if(|(_, next)| next.is_whitespace()).is_some() {},
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            _ => value.push(character),
        }
    }
    None
}

impl Output {
    /// The text of the hint that this output has: the test does what it says. A guard (`hints/guard.rs`) finds the call.
    #[track_caller]
    pub fn follows(&self, name: &str) -> String {
        let hint = made_hints().iter().find(|hint| hint.name == name);
        let hint = hint.unwrap_or_else(|| panic!("no hint has the name {name:?}"));
        let everything = [&*String::from_utf8_lossy(&self.stdout), &*self.stderr].concat();
        let said = everything.lines().find_map(|line| {
            let (_, said) = line.split_once("hint: ")?;
            fits(&hint.text, said).then(|| said.to_owned())
        });
        said.unwrap_or_else(|| panic!("no hint {name:?} ({}) in:\n{everything}", hint.text))
    }
}

/// Whether a hint's text may be this one: what stands between its places stands there, in order.
fn fits(text: &str, said: &str) -> bool {
    let fixed = text.split('{').enumerate().map(|(number, piece)| match number {
        0 => piece,
        _ => piece.split_once('}').map_or(piece, |(_, fixed)| fixed),
    });
    fixed.into_iter().try_fold(said, |rest, piece| Some(rest.split_once(piece)?.1)).is_some()
}
