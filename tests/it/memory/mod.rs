//! Huge and hostile inputs: dbhaul takes less than 64 MiB of memory, whatever comes, and says what is wrong with it.
//!
//! The tables in docs/reliability.md are written from here.

mod archives;
mod build;
mod rows;
mod tables;
mod talk;

use std::{fmt::Write as _, path::Path, thread, time::Duration};

use crate::support::{Dbhaul, Flavour, Output, dbhaul, fake_client, names, peak, shared};

/// The most that dbhaul may take, in KiB: its resident size, the program's own pages included.
const MOST: u64 = 64 * 1024;
/// What it can't go beyond, in bytes: heap and the stacks that its threads reserve and hardly use. Whoever asked for
/// much at once would end here, between two looks at the resident size.
const HARD: u64 = 96 << 20;

/// Runs dbhaul to its end; more memory than [`MOST`] at any time is said among `troubles`.
pub fn within(troubles: &mut Vec<String>, what: &str, command: Dbhaul) -> Output {
    // Clients inherit it: they are fakes here, or small.
    let limited = command.limit(Duration::from_secs(400)).under(["prlimit".to_owned(), format!("--data={HARD}:")]);
    let mut running = limited.spawn();
    let mut most = 0;
    while running.is_running() {
        // The high-water mark never falls: what is seen of it last is nearly the whole truth.
        most = most.max(peak(running.pid()).unwrap_or(0));
        thread::sleep(Duration::from_millis(2));
    }
    let output = running.wait();
    if most >= MOST || output.signal.is_some() || output.code == Some(101) {
        troubles.push(format!("{what}: {most} KiB, {:?}, {:?}\n{}", output.code, output.signal, output.stderr));
    }
    output
}

/// Clients that dump by this shell command, and others that swallow what they are given.
fn clients(folder: &Path, emits: &str) {
    let mariadb = "Ver 10.19 Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)";
    for (program, version, does) in [
        ("pg_dump", "(PostgreSQL) 15.18", emits),
        ("mariadb-dump", mariadb, emits),
        ("pg_restore", "(PostgreSQL) 15.18", "exec cat >/dev/null"),
        ("psql", "(PostgreSQL) 15.18", "exec cat >/dev/null"),
        ("mariadb", mariadb, "exec cat >/dev/null"),
    ] {
        let script = format!("#!/bin/sh\n[ \"$1\" = --version ] && echo '{program} {version}' && exit\n{does}\n");
        fake_client(folder, program, &script);
    }
}

/// What [`every_command`] fills a table with, under this head.
fn heads(what: &str) -> [&str; 7] {
    [what, "dump", "verify", "inspect", "restore", "restore --table", "copy"]
}

/// A kind of dump: its name, the server that it is of, and what tells dbhaul to make it.
#[derive(Clone, Copy)]
struct Form {
    name: &'static str,
    flavour: Flavour,
    options: &'static [&'static str],
}

const CUSTOM: Form = Form { name: "PostgreSQL, custom format", flavour: Flavour::Postgres15, options: &[] };
const PLAIN: Form =
    Form { name: "PostgreSQL, plain format", flavour: Flavour::Postgres15, options: &["--format", "plain"] };
const SQL: Form = Form { name: "MariaDB, SQL", flavour: Flavour::Mariadb, options: &[] };

/// Every command on the dump that the clients in this folder write, which holds a table of this name; `more` is for
/// `dump` as well. The row of a table; what failed is said among `troubles`.
fn every_command(troubles: &mut Vec<String>, form: Form, clients: &Path, more: &[&str], table: &str) -> Vec<String> {
    let Form { name, flavour, options } = form;
    let (source, target) = (shared(flavour).database("source"), shared(flavour).database("target"));
    let out = tempfile::tempdir().expect("a folder");
    let mut cells = vec![name.to_owned()];
    let mut run = |what: &str, args: &[&str], uris: &[String]| {
        let command = dbhaul().args(args).args(uris).client_dirs([clients]);
        let output = within(troubles, &format!("{name}: {what}"), command);
        if output.code != Some(0) {
            troubles.push(format!("{name}: {what}:\n{}", output.stderr));
        }
        cells.push(code(&output));
    };
    let into = format!("{}/", out.path().display());
    run("dump", &[&["dump", "-o", &into], more, options].concat(), &[source.uri()]);
    let archive = out.path().join(names(out.path()).pop().unwrap_or_default());
    let archive = archive.to_str().expect("UTF-8");
    run("verify", &["verify", archive], &[]);
    run("inspect", &["inspect", archive], &[]);
    run("restore", &["restore", archive], &[target.uri()]);
    run("restore --table", &["restore", "--table", table, archive], &[target.uri()]);
    // A copy is always made in the custom format.
    if options.is_empty() {
        run("copy", &["copy"], &[source.uri(), target.uri()]);
    } else {
        cells.push("-".to_owned());
    }
    cells
}

/// Why a command failed, as it says below its error line.
fn why(output: &Output) -> String {
    let mut lines = output.stderr.lines().skip_while(|line| !line.starts_with("error:")).skip(1);
    lines.find(|line| line.starts_with("  ")).unwrap_or_default().trim().to_owned()
}

/// Lines of a table of Markdown.
#[derive(Default)]
struct Table(String);

impl Table {
    fn row(&mut self, cells: &[impl AsRef<str>]) {
        let cells: Vec<_> = cells.iter().map(|cell| cell.as_ref().replace('|', "\\|")).collect();
        let _ = writeln!(self.0, "| {} |", cells.join(" | "));
    }

    fn new(heads: &[&str]) -> Self {
        let mut table = Self::default();
        table.row(heads);
        table.row(&vec!["---"; heads.len()]);
        table
    }
}

/// An exit code for a cell.
fn code(output: &Output) -> String {
    output.code.map_or_else(|| "signal".to_owned(), |code| code.to_string())
}
