//! Clients that can't be had, played by their recorded texts.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::{fake_client, fixture};

fn recorded(name: &str, what: &str) -> String {
    let path = fixture("client-help").join(format!("{name}.{what}.txt"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A client that answers as the recorded one (`pg_dump-15.20`), refuses what that one does not know in its words and
/// with its exit code, and hands the rest to `then` (a few lines of bash). A call leaves its words in `folder/called`.
pub fn recorded_client(folder: &Path, program: &str, name: &str, then: &str) -> PathBuf {
    let mut known = BTreeSet::new();
    let help = recorded(name, "help");
    for (at, _) in help.match_indices("--") {
        let word: String =
            help[at + 2..].chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
        if !word.is_empty() {
            // MySQL's list of variables has underscores, and a boolean one is turned off by --skip-.
            let word = word.replace('_', "-");
            known.insert(format!("--skip-{}", word.trim_start_matches("skip-")));
            known.insert(format!("--{word}"));
        }
    }
    if !program.starts_with("pg_") {
        known.extend(["--defaults-file", "--no-defaults"].map(str::to_owned));
    }
    let known: Vec<_> = known.into_iter().collect();
    let (code, words) = if program.starts_with("pg_") { (1, "unrecognized option") } else { (7, "unknown option") };
    let script = format!(
        "#!/bin/bash\nif [ \"$1\" = --version ]; then cat <<'VERSION'\n{version}VERSION\nexit 0; fi\n\
         known=' {known} '\nfor arg in \"$@\"; do\n\
         case $arg in --) break ;; --*) name=${{arg%%=*}}\n\
         case $known in *\" $name \"*) ;; *) echo \"{program}: {words} '$arg'\" >&2; exit {code} ;; esac ;; esac\ndone\n\
         printf '%s\\n' \"$0\" \"$@\" > {folder}/called\n{then}\n",
        version = recorded(name, "version"),
        known = known.join(" "),
        folder = folder.display(),
    );
    fake_client(folder, program, &script)
}
