//! Arguments that a person hands on to the dump program: those that would break the archive, or the promise that it
//! is whole, are refused with the reason.

use crate::engine::DumpOptions;
use crate::error::{Error, Kind, Result};

/// Long names, and why not.
const REFUSED: &[(&[&str], &str)] = &[
    (&["result-file", "tab", "dir"], "the dump would not go into the archive"),
    (
        &["parallel", "xml", "help", "version", "print-defaults", "compact"],
        "the output would be no dump that can be checked",
    ),
    (&["password", "password1", "password2", "password3"], "a password stands in no command line"),
    (&["host", "port", "user", "socket", "protocol", "bind-address", "pipe"], "the URI says where the database is"),
    (
        &["defaults-file", "defaults-extra-file", "defaults-group-suffix", "no-defaults", "login-path"],
        "the option file is dbhaul's own",
    ),
    (
        &["all-databases", "databases", "system", "all-tablespaces"],
        "an archive holds one database, and goes back into any",
    ),
    (&["force", "ignore-error"], "a failed dump would look like a whole one"),
    (&["default-character-set"], "any other than dbhaul's would turn characters into question marks"),
    (&["log-error"], "errors must reach dbhaul"),
    (&["delete-master-logs", "delete-source-logs"], "a dump changes nothing on the server"),
    (&["single-transaction"], "dbhaul decides how consistent a dump is, and says so in the manifest"),
];

/// Short names of the same; the last are those that take a value, after which nothing is an option any more.
const REFUSED_SHORT: &str = "rTDjX?VpWhuPSABfY";
const WITH_VALUE: &str = "w#";

/// `--skip-comments` and its like would take the proof away that a dump is whole.
const TRAILER: &str = "without comments a dump carries no proof that it is whole";

/// `--skip-tz-utc`
const ZONES: &str = "times of TIMESTAMP columns would move: a dump says them in UTC, whatever zone the servers are in";

/// Looks at each argument.
pub(crate) fn check(extra: &[String]) -> Result<()> {
    for arg in extra {
        if let Some(why) = reason(arg) {
            return Err(
                Error::new(Kind::Usage, format!("{} can't be handed to the dump program", without_value(arg))).why(why)
            );
        }
    }
    Ok(())
}

/// The argument without its value, which may be a secret.
fn without_value(arg: &str) -> &str {
    if arg.starts_with("--") {
        arg.split('=').next().unwrap_or(arg)
    } else if arg.starts_with('-') {
        arg.get(..2).unwrap_or(arg)
    } else {
        arg
    }
}

fn reason(arg: &str) -> Option<&'static str> {
    if let Some(long) = arg.strip_prefix("--") {
        return if long.is_empty() { Some("it would end the options") } else { long_reason(long) };
    }
    match arg.strip_prefix('-') {
        Some(short) if !short.is_empty() => short_reason(short),
        _ => Some("tables are named with --table, and an option's value follows its =, as in --where=..."),
    }
}

/// The name of a long option as `my_getopt` understands it, and whether it is switched off.
fn named(long: &str) -> (String, bool) {
    let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
    let mut name = name.replace('_', "-").to_ascii_lowercase();
    let mut off = value.is_some_and(|v| matches!(v.to_ascii_lowercase().as_str(), "0" | "off" | "false" | "no"));
    // What my_getopt takes in front of any option.
    while let Some((prefix, rest)) = ["loose-", "skip-", "disable-", "enable-", "maximum-"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix).map(|rest| (*prefix, rest.to_owned())))
    {
        off |= matches!(prefix, "skip-" | "disable-");
        name = rest;
    }
    (name, off)
}

/// What the arguments say of a switch: the last of them that names it counts.
pub(crate) fn switched(extra: &[String], option: &str, letter: Option<char>) -> Option<bool> {
    let said = |arg: &String| {
        if let Some(long) = arg.strip_prefix("--") {
            let (name, off) = named(long);
            return (name.len() > 1 && option.starts_with(&name)).then_some(!off);
        }
        let letters = arg.strip_prefix('-')?;
        let end = letters.find(|c| WITH_VALUE.contains(c)).unwrap_or(letters.len());
        letters[..end].contains(letter?).then_some(true)
    };
    extra.iter().filter_map(said).next_back()
}

/// The tables that the arguments leave out: `--ignore-table=shop.logs`.
pub(crate) fn ignored<'a>(extra: &'a [String], database: &str) -> Vec<&'a str> {
    let name = |arg: &'a String| {
        let (option, table) = arg.strip_prefix("--")?.split_once('=')?;
        let table = table.strip_prefix(database)?.strip_prefix('.')?;
        (named(option).0 == "ignore-table").then_some(table)
    };
    extra.iter().filter_map(name).collect()
}

/// Arguments that leave something out, and for which there is no option of ours.
pub(crate) fn leaving_out(extra: &[String]) -> Vec<&String> {
    let leaves_out = |arg: &&String| {
        if let Some(long) = arg.strip_prefix("--") {
            let (name, off) = named(long);
            let parts = ["triggers", "events", "routines"];
            return ["where", "no-create-info", "no-data", "ignore-table", "ignore-table-data"]
                .contains(&name.as_str())
                || off && name.len() > 1 && parts.iter().any(|part| part.starts_with(&name));
        }
        arg.starts_with("-w") || arg.starts_with("-t") || arg.starts_with("-d")
    };
    extra.iter().filter(leaves_out).collect()
}

/// What the arguments choose of this database, as options of ours where there are such: then it is known what the dump
/// lacks.
pub(crate) fn adopted(mut options: DumpOptions, database: &str) -> DumpOptions {
    for argument in std::mem::take(&mut options.extra) {
        let long = argument.strip_prefix("--").map(|long| long.split_once('=').unwrap_or((long, "")));
        let list = match long.map(|(name, _)| named(name).0).as_deref() {
            Some("ignore-table") => options.patterns_mut("exclude-table"),
            Some("ignore-table-data") => options.patterns_mut("exclude-table-data"),
            _ => None,
        };
        let table = long.and_then(|(_, value)| value.strip_prefix(database)?.strip_prefix('.'));
        match (list, table.filter(|table| !table.contains('"'))) {
            // As it stands there: no pattern.
            (Some(list), Some(table)) => list.push(format!("\"{table}\"")),
            _ => options.extra.push(argument),
        }
    }
    options
}

fn long_reason(long: &str) -> Option<&'static str> {
    let (name, off) = named(long);
    if off && is_or_begins(&name, "comments") {
        return Some(TRAILER);
    }
    if off && is_or_begins(&name, "tz-utc") {
        return Some(ZONES);
    }
    REFUSED.iter().find(|(names, _)| names.iter().any(|refused| is_or_begins(&name, refused))).map(|(_, why)| *why)
}

/// An option may be shortened as long as it is unambiguous.
fn is_or_begins(given: &str, option: &str) -> bool {
    // Whole names of harmless options that a refused one begins with.
    const WHOLE: &[&str] = &["comments", "ssl"];
    option == given
        || (given.len() > 1 && option.starts_with(given) && !WHOLE.contains(&given))
        || (given.len() == 1 && option.starts_with(given))
}

fn short_reason(short: &str) -> Option<&'static str> {
    for c in short.chars() {
        if REFUSED_SHORT.contains(c) {
            let name = match c {
                'p' => "password",
                'r' | 'T' | 'D' => "tab",
                'h' | 'u' | 'P' | 'S' | 'W' => "host",
                'A' | 'B' | 'Y' => "databases",
                'f' => "force",
                _ => "xml",
            };
            return long_reason(name);
        }
        if WITH_VALUE.contains(c) {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surprise_04_what_breaks_the_archive_is_refused_in_every_spelling() {
        for bad in [
            "--result-file=x",
            "--result_file=x",
            "--res=x",
            "-r",
            "-rx",
            "-vrx",
            "--tab=/tmp",
            "-T/tmp",
            "--dir=x",
            "--parallel=4",
            "--password",
            "--password=x",
            "--pass=x",
            "-px",
            "-p",
            "--host=x",
            "-hx",
            "--user=x",
            "-ux",
            "--port=1",
            "-P1",
            "--socket=x",
            "--defaults-extra-file=x",
            "--all-databases",
            "-A",
            "--databases",
            "-B",
            "--force",
            "-f",
            "-qf",
            "--skip-comments",
            "--skip_comments",
            "--disable-comments",
            "--comments=0",
            "--loose-skip-comments",
            "--skip-comm",
            "--compact",
            "--xml",
            "-X",
            "--help",
            "--loose-force",
            "--FORCE",
            "shop",
            "--",
            "-",
            "--skip-single-transaction",
            "--default-character-set=latin1",
            "--skip-tz-utc",
            "--tz-utc=0",
        ] {
            assert!(check(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_the_arguments_choose_becomes_an_option() {
        let extra =
            ["--ignore-table=shop.a*", "--ignore_table=other.b", "--where=n > 0", "--skip-triggers", "--compress"];
        let extra = extra.map(str::to_owned).to_vec();
        let options = adopted(DumpOptions { extra, ..DumpOptions::default() }, "shop");
        assert_eq!(options.exclude_tables, ["\"a*\""]);
        assert_eq!(leaving_out(&options.extra), ["--ignore_table=other.b", "--where=n > 0", "--skip-triggers"]);
    }

    #[test]
    fn everything_else_goes_through() {
        for good in [
            "--where=id<5",
            "-wid<5 or pass",
            "--skip-dump-date",
            "--complete-insert",
            "-c",
            "--verbose",
            "--tables",
            "--compress",
            "--compatible=ansi",
            "--comments",
            "--ssl-cipher=x",
            "--order-by-primary",
            "--skip-extended-insert",
            "--add-drop-trigger",
            "--no-autocommit",
            "--skip-add-locks",
            "--hex-blob",
            "--net-buffer-length=16384",
        ] {
            assert_eq!(reason(good), None, "{good}");
        }
        assert!(!check(&["--password=geheim".to_owned()]).expect_err("refused").to_string().contains("geheim"));
    }
}
