//! The terminal's side: one file per subcommand, each an `Args` and a `run`. Help texts are the doc comments.
//!
//! This module and `report` are the only ones that read the environment and write to the terminal.

#![expect(clippy::doc_markdown, reason = "doc comments are help texts here, shown as they are written")]

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::builder::FalseyValueParser;
use clap::{ArgAction, ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::error::{Error, Kind};
use crate::exit_code;
use crate::hint::Hint;
use crate::process;
use crate::report::{Report, Verbosity, defect, stdout};
use crate::secret::Redactor;
use crate::uri;

mod connect;
mod copy;
mod doctor;
mod dump;
mod foreign;
mod inspect;
mod lists;
mod manual;
mod question;
mod restore;
mod verify;

use lists::Variables;

/// Dumps a PostgreSQL, MySQL or MariaDB database into a tar.gz, and brings it back, truthfully.
#[derive(Parser, Debug)]
#[command(name = "dbhaul", version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    output: OutputArgs,
    #[command(subcommand)]
    command: Command,
}

/// What people see.
#[derive(Args, Debug)]
struct OutputArgs {
    /// One JSON object on stdout instead of text
    #[arg(long, global = true, env = "DBHAUL_JSON")]
    json: bool,
    /// Only errors on stderr
    #[arg(long, short, global = true, env = "DBHAUL_QUIET", conflicts_with = "verbose")]
    quiet: bool,
    /// Shows each command, redacted; twice: what the clients say, too
    #[arg(long, short, global = true, action = ArgAction::Count, env = "DBHAUL_VERBOSE")]
    verbose: u8,
}

#[derive(Subcommand, Debug)]
enum Command {
    Dump(dump::DumpArgs),
    Restore(restore::RestoreArgs),
    Copy(copy::CopyArgs),
    Verify(verify::VerifyArgs),
    Inspect(inspect::InspectArgs),
    Doctor(doctor::DoctorArgs),
    Completions(manual::CompletionsArgs),
    Man(manual::ManArgs),
}

/// Runs the command line, and says everything that there is to say.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    process::hide_memory();
    defect::listen();
    let args: Vec<OsString> = connect::spell_out_tunnel(args);
    // A command line that can't be understood still gets the answer that it asks for.
    let json_wanted = args.iter().take_while(|a| *a != "--").any(|a| a == "--json")
        || std::env::var_os("DBHAUL_JSON").is_some_and(|value| is_true(&value));
    let matches = match command().try_get_matches_from(&args) {
        Ok(matches) => matches,
        Err(error) if !error.use_stderr() => return help(&error),
        Err(error) => return refuse_usage(&error, json_wanted, &args),
    };
    let mut cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return refuse_usage(&error, json_wanted, &args),
    };
    cli.command.split_lists(&Variables::of(&matches));
    let verbosity = match (cli.output.quiet, cli.output.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, 0) => Verbosity::Normal,
        (false, 1) => Verbosity::Commands,
        (false, _) => Verbosity::Everything,
    };
    let report = Report::new(matches.subcommand_name().unwrap_or_default(), verbosity, cli.output.json);
    report.take_log();
    if let Some(error) = misplaced(&matches) {
        return failed(&report, &error);
    }
    match defect::caught(|| block_on(cli.command.run(&report))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&report, &described(error)),
    }
}

/// Help or the version, which somebody asked for.
fn help(text: &clap::Error) -> ExitCode {
    match text.print().or_else(stdout::read_enough).map_err(stdout::unwritten) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&Report::new("", Verbosity::Quiet, false), &error),
    }
}

fn failed(report: &Report, error: &Error) -> ExitCode {
    report.failure(error);
    ExitCode::from(exit_code::of(error.kind))
}

/// Our own errors say everything; another one reached this layer by accident, and shows its causes.
fn described(error: anyhow::Error) -> Error {
    error.downcast::<Error>().unwrap_or_else(|other| {
        let mut chain = other.chain();
        let what = chain.next().map_or_else(String::new, ToString::to_string);
        chain.fold(Error::new(Kind::Unexpected, what), Error::why)
    })
}

/// The command line, its flags' variables read the way people write them: `1`, `yes`, and nothing for no.
fn command() -> clap::Command {
    let lenient = |arg: clap::Arg| {
        // A variable that is set and empty is as good as none.
        let empty = arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
        let arg = if empty { arg.env(None::<&str>) } else { arg };
        match arg.get_action() {
            ArgAction::SetTrue => arg.value_parser(FalseyValueParser::new()),
            _ => arg,
        }
    };
    Cli::command().mut_args(lenient).mut_subcommands(|command| command.mut_args(lenient))
}

/// What `FalseyValueParser` takes for true.
fn is_true(value: &OsStr) -> bool {
    let value = value.to_string_lossy().to_ascii_lowercase();
    !["", "0", "f", "false", "n", "no", "off"].contains(&value.as_str())
}

/// Children are spawned on the thread that runs this, the main one: their death signal is tied to it.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("the runtime could not start")?;
    let result = runtime.block_on(work);
    // A thread that still hangs in a read must not keep a finished command from ending.
    runtime.shutdown_background();
    result
}

/// A URI where none belongs. It is refused here, unseen: a message about it would repeat its password.
fn misplaced(matches: &ArgMatches) -> Option<Error> {
    /// The arguments that take one; those behind `--` have a check of their own.
    const ITS_PLACES: [&str; 5] = ["uri", "source", "target", "restore_into", "extra"];
    let (name, given) = matches.subcommand()?;
    let command = command();
    let options = command.find_subcommand(name)?.get_arguments();
    let holds_one = |id: &str| {
        let values = given.try_get_raw(id).ok().flatten();
        values.into_iter().flatten().any(|value| uri::holds_secret(&value.to_string_lossy()))
    };
    let wrong = options.filter(|option| !ITS_PLACES.contains(&option.get_id().as_str()));
    let wrong = wrong.into_iter().find(|option| holds_one(option.get_id().as_str()))?;
    let what = match wrong.get_long() {
        Some(long) => format!("--{long} was given a URI, which it does not take"),
        None if name == "restore" => "the first argument is the archive, and a URI stands there".into(),
        None => format!("a URI stands where {} is wanted", wrong.get_id().as_str().to_uppercase()),
    };
    let usage = Hint::naming("help-tells-arguments", format!("dbhaul {name} --help tells which arguments take a URI"));
    Some(Error::new(Kind::Usage, what).why("it is not repeated here: it may hold a password").hint(usage))
}

/// Everything that clap's words may repeat: the arguments, their values, the values of the options' variables.
fn given(args: &[OsString]) -> Vec<String> {
    let command = command();
    let options = command.get_subcommands().flat_map(clap::Command::get_arguments).chain(command.get_arguments());
    let variables = options.filter_map(|option| std::env::var_os(option.get_env()?));
    let arguments = args.iter().skip(1).cloned();
    let mut texts = Vec::new();
    for text in arguments.chain(variables).map(|text| text.to_string_lossy().into_owned()) {
        if text.starts_with('-') {
            // --option=VALUE, -oVALUE
            texts.extend(text.split_once('=').map(|(_, value)| value.to_owned()));
            texts.extend(text.char_indices().nth(2).map(|(at, _)| text[at..].to_owned()));
        }
        texts.push(text);
    }
    texts.retain(|text| uri::may_hold_secret(text));
    texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
    texts
}

/// Clap's words without the secrets of what was given: a text that may hold one is replaced whole.
fn redacted(words: &str, args: &[OsString]) -> String {
    let given = given(args);
    // The options' own parsers quote what they could not read.
    let whole = given.iter().fold(words.to_owned(), |words, text| {
        let shown = uri::redact(text);
        words.replace(&format!("{text:?}"), &format!("{shown:?}")).replace(text, &shown)
    });
    let secrets: Vec<_> = given.iter().flat_map(|text| uri::secrets(text)).collect();
    uri::redact_words(&Redactor::new(&secrets).redact(&whole))
}

/// Clap's own words, with our exit code; as JSON when JSON was asked for.
fn refuse_usage(error: &clap::Error, json: bool, args: &[OsString]) -> ExitCode {
    let text = redacted(&error.render().to_string(), args);
    if json {
        let message = text.trim_start_matches("error: ").split("\n\n").next().unwrap_or_default().trim().to_owned();
        Report::new(&command_name(args), Verbosity::Quiet, true).failure(&Error::new(Kind::Usage, message));
    } else {
        Report::usage(&text);
    }
    ExitCode::from(exit_code::of(Kind::Usage))
}

/// The name of the first known command, or nothing: global options may stand before it.
fn command_name(args: &[OsString]) -> String {
    let command = command();
    let known = args.iter().skip(1).find_map(|arg| command.find_subcommand(arg));
    known.map(|command| command.get_name().to_owned()).unwrap_or_default()
}

impl Command {
    fn split_lists(&mut self, variables: &Variables) {
        match self {
            Self::Dump(args) => args.select.split(variables),
            Self::Copy(args) => args.select.split(variables),
            Self::Restore(args) => args.split(variables),
            _ => {}
        }
    }

    async fn run(self, report: &Report) -> anyhow::Result<()> {
        match self {
            Self::Dump(args) => Box::pin(dump::run(args, report)).await?,
            Self::Restore(args) => Box::pin(restore::run(args, report)).await?,
            Self::Copy(args) => Box::pin(copy::run(args, report)).await?,
            Self::Verify(args) => Box::pin(verify::run(args, report)).await?,
            Self::Inspect(args) => inspect::run(&args, report)?,
            Self::Doctor(args) => doctor::run(args, report).await?,
            Self::Completions(args) => manual::completions(&args, command())?,
            Self::Man(_) => manual::man(command())?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_long_option_has_its_variable() {
        for command in Cli::command().get_subcommands() {
            for arg in command.get_arguments().filter(|a| !["help", "version"].contains(&a.get_id().as_str())) {
                let Some(long) = arg.get_long() else { continue };
                let expected = format!("DBHAUL_{}", long.to_uppercase().replace('-', "_"));
                // `--dry-run`, `--yes` and what is destructive are for the command line, where somebody sees them.
                if !["dry-run", "yes", "clean", "create", "into-non-empty", "resume", "trust"].contains(&long)
                    || arg.get_env().is_some()
                {
                    let env = arg.get_env().map(|e| e.to_string_lossy().into_owned());
                    assert_eq!(env.as_deref(), Some(expected.as_str()), "{} --{long}", command.get_name());
                }
            }
        }
    }
}
