//! `dbhaul completions` and `dbhaul man`: what packages install beside the program.

use anyhow::Result;
use clap::{Args, Command};

use crate::report::stdout;

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
    Ok(stdout::page(&script)?)
}

/// Prints the page of the program, and of each subcommand after it.
pub fn man(command: Command) -> Result<()> {
    let mut page = Vec::new();
    let subcommands: Vec<_> = command.get_subcommands().cloned().collect();
    clap_mangen::Man::new(command).render(&mut page)?;
    for subcommand in subcommands {
        let title = format!("dbhaul-{}", subcommand.get_name());
        clap_mangen::Man::new(subcommand).title(title).render(&mut page)?;
    }
    Ok(stdout::page(&page)?)
}
