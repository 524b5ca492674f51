//! `dbhaul completions` and `dbhaul man`: what packages install beside the program.

use std::io::{self, Write};

use clap::{Args, Command};

use crate::error::{Error, Kind, Result};

/// Prints the completion script of a shell
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// The shell
    shell: clap_complete::Shell,
}

/// Prints the manual page
#[derive(Args, Debug)]
pub struct ManArgs {}

/// Prints the completions.
pub fn completions(args: &CompletionsArgs, mut command: Command) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "dbhaul", &mut script);
    print(&script)
}

/// Prints the page of the program, and of each subcommand after it.
pub fn man(command: Command) -> Result<()> {
    let mut page = Vec::new();
    let subcommands: Vec<_> = command.get_subcommands().cloned().collect();
    clap_mangen::Man::new(command).render(&mut page).map_err(unprintable)?;
    for subcommand in subcommands {
        let title = format!("dbhaul-{}", subcommand.get_name());
        clap_mangen::Man::new(subcommand).title(title).render(&mut page).map_err(unprintable)?;
    }
    print(&page)
}

fn print(bytes: &[u8]) -> Result<()> {
    io::stdout().write_all(bytes).map_err(unprintable)
}

fn unprintable(error: io::Error) -> Error {
    Error::new(Kind::Unexpected, "stdout can't be written to").why(error)
}
