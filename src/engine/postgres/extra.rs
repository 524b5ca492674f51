//! Arguments that people hand on to `pg_dump` after `--`. Those that would break the archive are refused, in every
//! spelling that `getopt_long` understands: `-Ft`, `-vFt`, `--format=t`, `--form t`.

use crate::error::{Error, Kind, Result};

/// An option that is not handed on: long name, letter, why.
type Refusal = (&'static str, char, &'static str);

const OUTPUT: &str = "the dump goes into the archive, and dbhaul must see every byte of it";
const CONNECTION: &str = "the URI says where and as whom to connect";
const PASSWORD: &str = "a password never stands in a command line, and nobody is there to be asked";
const NO_DUMP: &str = "it prints something else instead of the dump";

const REFUSED: [Refusal; 13] = [
    ("file", 'f', OUTPUT),
    ("format", 'F', "--format custom or --format plain of dbhaul's own choose it"),
    ("compress", 'Z', "the archive compresses; --compression says how"),
    ("jobs", 'j', "only the directory format can be dumped by several jobs, and it is no stream"),
    ("dbname", 'd', CONNECTION),
    ("host", 'h', CONNECTION),
    ("port", 'p', CONNECTION),
    ("username", 'U', CONNECTION),
    ("password", 'W', PASSWORD),
    ("enable-row-security", '\0', "the rows that a policy hides would be missing, and nothing would say so"),
    ("version", 'V', NO_DUMP),
    ("help", '?', NO_DUMP),
    ("create", 'C', "a plain dump would then leave the database that it is restored into"),
];

/// Letters that take a value, which may stand right behind them.
const WITH_VALUE: &str = "deEfFhjnNpStTUZ";

/// Refuses what would break the archive.
pub fn check(extra: &[String], plain: bool) -> Result<()> {
    for argument in extra {
        let refusal = match argument.strip_prefix("--") {
            Some("") => break,
            Some(long) => refused_long(long),
            None => argument.strip_prefix('-').and_then(refused_letter),
        };
        match refusal {
            Some(("create", ..)) if !plain => {}
            // Without its value, which may be a password.
            Some((_, letter, why)) => {
                let long = argument.starts_with("--").then(|| argument.split('=').next().unwrap_or(argument));
                let shown = long.map_or_else(|| format!("-{letter}"), str::to_owned);
                return Err(Error::new(Kind::Usage, format!("{shown} is not handed on to pg_dump")).why(why));
            }
            None => {}
        }
    }
    Ok(())
}

/// Whether these arguments choose what is dumped: what stands outside of schemas may well be left out by them.
pub fn chooses(extra: &[String]) -> bool {
    const CHOICES: [&str; 9] = [
        "schema",
        "table",
        "extension",
        "filter",
        "section",
        "data-only",
        "statistics-only",
        "no-subscriptions",
        "no-schema",
    ];
    extra.iter().any(|argument| match argument.strip_prefix("--") {
        Some(long) => CHOICES.iter().any(|choice| long.starts_with(choice)),
        None => argument.strip_prefix('-').is_some_and(|letters| {
            let end = letters.find(|letter| WITH_VALUE.contains(letter)).map_or(letters.len(), |at| at + 1);
            letters[..end].contains(['n', 't', 'e', 'a'])
        }),
    })
}

/// The encoding that is asked for here instead of the database's own, by the last `--encoding` or `-E`.
pub fn encoding(extra: &[String]) -> Option<&str> {
    let mut following = extra.iter().skip(1).map(String::as_str).chain([""]);
    let values = extra.iter().filter_map(|argument| {
        let next = following.next()?;
        if let Some(long) = argument.strip_prefix("--") {
            let (name, value) = long.split_once('=').unwrap_or((long, next));
            // Shorter starts are other options', too.
            return (name.len() > 1 && "encoding".starts_with(name)).then_some(value);
        }
        let letters = argument.strip_prefix('-')?;
        let at = letters.find(|letter| WITH_VALUE.contains(letter))?;
        let value = letters[at..].strip_prefix('E')?;
        Some(if value.is_empty() { next } else { value })
    });
    values.last().filter(|value| !value.is_empty())
}

/// Any start of a long name counts, unless it is another option's whole name.
fn refused_long(argument: &str) -> Option<Refusal> {
    let name = argument.split('=').next().unwrap_or(argument);
    REFUSED.into_iter().find(|(long, ..)| long.starts_with(name))
}

fn refused_letter(letters: &str) -> Option<Refusal> {
    for letter in letters.chars() {
        if let Some(refused) = REFUSED.into_iter().find(|(_, short, _)| *short == letter) {
            return Some(refused);
        }
        if WITH_VALUE.contains(letter) {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(arguments: &[&str]) -> Result<()> {
        check(&arguments.iter().map(ToString::to_string).collect::<Vec<_>>(), true)
    }

    #[test]
    fn an_encoding_is_found_in_every_spelling() {
        for (arguments, encoding) in [
            (&["--encoding=LATIN1"][..], Some("LATIN1")),
            (&["--enc", "LATIN1", "-v"], Some("LATIN1")),
            (&["-vE", "LATIN1"], Some("LATIN1")),
            (&["-ELATIN1", "--encoding=UTF8"], Some("UTF8")),
            (&["-nE", "--exclude-schema=x"], None),
            (&[], None),
        ] {
            let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
            assert_eq!(super::encoding(&arguments), encoding, "{arguments:?}");
        }
    }

    #[test]
    fn what_breaks_the_archive_is_refused_in_every_spelling() {
        for refused in [
            "--file=x",
            "--file",
            "--fil=x",
            "-f",
            "-fx",
            "--format",
            "--form=t",
            "-Ft",
            "-vFt",
            "-OxFp",
            "-Z9",
            "--comp=1",
            "-j4",
            "--jobs=4",
            "--dbname=x",
            "-dx",
            "-W",
            "-vW",
            "--pass",
            "--enable-row",
            "-V",
            "--help",
            "-?",
            "-h",
            "-C",
        ] {
            let error = checked(&[refused]).expect_err(refused);
            assert_eq!((error.kind, error.why.len()), (Kind::Usage, 1), "{refused}");
        }
    }

    #[test]
    fn everything_else_is_handed_on() {
        for fine in [
            "--no-sync",
            "--inserts",
            "-v",
            "-nFt",
            "-tfoo",
            "--filter=x",
            "--disable-triggers",
            "--verbose",
            "-Ox",
            "--column-inserts",
            "--snapshot=00000003-1",
            "data",
            "-SFred",
            "--no-password",
            "--comments",
        ] {
            assert!(checked(&[fine]).is_ok(), "{fine}");
        }
        assert!(check(&["-C".into()], false).is_ok());
    }
}
