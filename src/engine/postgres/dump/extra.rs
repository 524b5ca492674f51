//! Arguments that people hand on to `pg_dump` after `--`. Those that would break the archive are refused, in every
//! spelling that `getopt_long` understands: `-Ft`, `-vFt`, `--format=t`, `--form t`.

use crate::engine::DumpOptions;
use crate::error::{Error, Kind, Result};

/// An option that is not handed on: long name, letter, why.
type RefusedOption = (&'static str, char, &'static str);

const OUTPUT: &str = "the dump goes into the archive, and dbhaul must see every byte of it";
const CONNECTION: &str = "the URI says where and as whom to connect";
const PASSWORD: &str = "a password never stands in a command line, and nobody is there to be asked";
const NO_DUMP: &str = "it prints something else instead of the dump";

const REFUSED: [RefusedOption; 13] = [
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

/// Arguments that leave something out, and for which there is no option of ours.
pub fn leaving_out(extra: &[String]) -> impl Iterator<Item = &String> {
    const NAMES: [&str; 8] = [
        "section",
        "filter",
        "extension",
        "exclude-extension",
        "table-and",
        "exclude-table-and",
        "no-data",
        "no-schema",
    ];
    const OBJECTS: [&str; 7] = [
        "no-blobs",
        "no-large-objects",
        "no-policies",
        "no-publications",
        "no-subscriptions",
        "no-security-labels",
        "no-comments",
    ];
    extra.iter().filter(|argument| match argument.strip_prefix("--") {
        Some(long) => NAMES.iter().chain(&OBJECTS).any(|name| long.starts_with(name)),
        None => argument.starts_with("-e") || argument.starts_with("-B"),
    })
}

/// What the arguments choose, as options of ours where there are such: then it is known what the dump lacks.
pub fn adopted(mut options: DumpOptions) -> DumpOptions {
    let mut rest = std::mem::take(&mut options.extra).into_iter();
    while let Some(argument) = rest.next() {
        if argument == "--" {
            options.extra.push(argument);
            break;
        }
        if argument == "--schema-only" || argument == "-s" {
            options.schema_only = true;
        } else if argument == "--data-only" || argument == "-a" {
            options.data_only = true;
        } else if let Some((flags, list, value)) = choice(&argument) {
            let value = value.map(str::to_owned).or_else(|| rest.next());
            match (options.patterns_mut(list), value) {
                (Some(patterns), Some(value)) => {
                    patterns.push(value);
                    options.extra.extend((flags != "-").then(|| flags.to_owned()));
                }
                _ => options.extra.push(argument),
            }
        } else {
            let takes_next = waits_for_value(&argument);
            options.extra.push(argument);
            options.extra.extend(takes_next.then(|| rest.next()).flatten());
        }
    }
    options.extra.extend(rest);
    options
}

/// The list of patterns that an argument adds to, what stands before, and the pattern, if it stands in the same argument.
fn choice(argument: &str) -> Option<(&str, &'static str, Option<&str>)> {
    const LETTERS: [(char, &str); 4] =
        [('n', "schema"), ('N', "exclude-schema"), ('t', "table"), ('T', "exclude-table")];
    if let Some(long) = argument.strip_prefix("--") {
        let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
        let lists = LETTERS.iter().map(|(_, list)| *list).chain(["exclude-table-data"]);
        return lists.into_iter().find(|list| *list == name).map(|list| ("-", list, value));
    }
    let at = argument.strip_prefix('-')?.find(|letter| WITH_VALUE.contains(letter))? + 1;
    let (letter, list) = LETTERS.iter().find(|(letter, _)| argument[at..].starts_with(*letter))?;
    let value = &argument[at + letter.len_utf8()..];
    Some((&argument[..at], list, Some(value).filter(|value| !value.is_empty())))
}

/// Whether letters end with one whose value is the next argument.
fn waits_for_value(argument: &str) -> bool {
    let letters = argument.strip_prefix('-').filter(|letters| !letters.starts_with('-'));
    letters.is_some_and(|letters| {
        letters.find(|letter| WITH_VALUE.contains(letter)).is_some_and(|at| at + 1 == letters.len())
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
fn refused_long(argument: &str) -> Option<RefusedOption> {
    let name = argument.split('=').next().unwrap_or(argument);
    REFUSED.into_iter().find(|(long, ..)| long.starts_with(name))
}

fn refused_letter(letters: &str) -> Option<RefusedOption> {
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

    #[test]
    fn what_the_arguments_choose_becomes_an_option() {
        let extra =
            ["-v", "-t", "a", "-OTb", "--schema=c", "--exclude-table-data", "d", "-E", "-s", "--section=data", "-a"];
        let extra = extra.map(str::to_owned).to_vec();
        let options = adopted(DumpOptions { extra, tables: vec!["z".into()], ..DumpOptions::default() });
        assert_eq!(options.extra, ["-v", "-O", "-E", "-s", "--section=data"]);
        assert_eq!(
            (&options.tables[..], &options.exclude_tables[..]),
            (&["z".into(), "a".into()][..], &["b".into()][..])
        );
        assert_eq!((&options.schemas[..], &options.exclude_table_data[..]), (&["c".into()][..], &["d".into()][..]));
        assert_eq!((options.schema_only, options.data_only), (false, true));
        assert_eq!(leaving_out(&options.extra).collect::<Vec<_>>(), ["--section=data"]);
    }

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
