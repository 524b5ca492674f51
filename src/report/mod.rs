//! What people and scripts see: facts, warnings, progress and errors on stderr, the result alone on stdout.
//!
//! Nothing is redacted here. What others say loses our secrets where it comes in, and our own words hold none: a password
//! that is a common word must not change a path or a key.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::{Value, json};

use self::printable::{printable, printable_json};
use crate::error::{Error, Result};
use crate::event::{Event, Observer};
use crate::exit_code;
use crate::hint;

pub mod defect;
mod log;
mod printable;
mod progress;
pub mod stdout;
pub mod units;

/// How much stderr says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors.
    Quiet,
    /// Facts, warnings, progress.
    Normal,
    /// Commands, too.
    Commands,
    /// What the clients say, too.
    Everything,
}

/// The terminal, shared by everything that reports.
#[derive(Clone)]
pub struct Report(Arc<Inner>);

struct Inner {
    command: String,
    verbosity: Verbosity,
    json: bool,
    colour: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    warnings: Vec<String>,
    progress: progress::Line,
    /// Stdout is an archive's: not a byte of ours may get between.
    stdout_taken: bool,
}

impl Report {
    /// A report of one command.
    #[must_use]
    pub fn new(command: &str, verbosity: Verbosity, json: bool) -> Self {
        let stderr = io::stderr();
        let colour = stderr.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        let state = State { progress: progress::Line::new(stderr.is_terminal()), ..State::default() };
        Self(Arc::new(Inner { command: command.to_owned(), verbosity, json, colour, state: Mutex::new(state) }))
    }

    /// The usage error of a command line, in clap's words.
    pub fn usage(text: &str) {
        let _ = write!(io::stderr(), "{}", printable(text));
    }

    /// With `-vv`, shows the library's debug log.
    pub fn take_log(&self) {
        if self.0.verbosity >= Verbosity::Everything {
            log::install(self);
        }
    }

    /// Leaves stdout to an archive: a failure's object goes to stderr, too.
    pub fn leave_stdout(&self) {
        self.state().stdout_taken = true;
    }

    /// Takes the library's events.
    #[must_use]
    pub fn observer(&self) -> Observer {
        let report = self.clone();
        Arc::new(move |event| report.event(event))
    }

    fn event(&self, event: Event) {
        match event {
            Event::Fact { label, value } => self.fact(label, value),
            Event::Note(text) => self.note(text),
            Event::Warning(text) => self.warning(text),
            Event::Command(text) if self.0.verbosity >= Verbosity::Commands => self.line("run", &text),
            Event::Said(text) if self.0.verbosity >= Verbosity::Everything => self.line("said", &text),
            Event::Progress(progress) if self.0.verbosity >= Verbosity::Normal => self.state().progress.show(&progress),
            Event::Command(_) | Event::Said(_) | Event::Progress(_) => {}
            Event::ProgressEnd => self.state().progress.clear(),
        }
    }

    /// A labelled fact.
    pub fn fact(&self, label: &str, value: impl AsRef<str>) {
        if self.0.verbosity >= Verbosity::Normal {
            self.line(label, value.as_ref());
        }
    }

    /// Something that nobody needs to act on.
    pub fn note(&self, text: impl AsRef<str>) {
        self.fact("note", text);
    }

    /// Something that people should know; it comes back from [`Report::warnings`].
    pub fn warning(&self, text: impl AsRef<str>) {
        let text = text.as_ref();
        if self.0.verbosity >= Verbosity::Normal {
            self.line("warning", text);
        }
        self.state().warnings.push(text.to_owned());
    }

    /// The warnings so far.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        self.state().warnings.clone()
    }

    /// The result: text for a reader, or a JSON object, on stdout. Where that carries an archive, the text goes nowhere
    /// and the object to stderr. A reader who goes away has seen enough; a script's object must arrive.
    pub fn result(&self, text: &str, fields: impl Serialize) -> Result<()> {
        if self.0.json {
            self.print_object(&self.object("ok", fields))
        } else {
            self.print_text(text).or_else(stdout::read_enough)
        }
        .map_err(stdout::unwritten)
    }

    /// The same where the text is a path, which a script waits for.
    pub fn path(&self, path: &str, fields: impl Serialize) -> Result<()> {
        if self.0.json { self.print_object(&self.object("ok", fields)) } else { self.print_text(path) }
            .map_err(stdout::unwritten)
    }

    fn print_text(&self, text: &str) -> io::Result<()> {
        if text.is_empty() || self.state().stdout_taken {
            return Ok(());
        }
        let text = text.trim_end_matches('\n');
        // A script gets the path as it is.
        let shown = if io::stdout().is_terminal() { printable(text) } else { text.into() };
        stdout::line(io::stdout(), &shown)
    }

    fn print_object(&self, object: &str) -> io::Result<()> {
        if self.state().stdout_taken { stdout::line(io::stderr(), object) } else { stdout::line(io::stdout(), object) }
    }

    /// The end of a command that failed.
    pub fn failure(&self, error: &Error) {
        self.state().progress.clear();
        if self.0.json {
            let fields = json!({
                "code": exit_code::of(error.kind),
                "kind": error.kind.name(),
                "message": error.what,
                "details": error.why,
                "hints": hint::texts(&error.hints),
            });
            // Where even this can't be written, stderr and the exit code tell it.
            let _ = self.print_object(&self.object("error", fields));
        }
        let (red, bold, plain) = if self.0.colour { ("\x1b[1;31m", "\x1b[1m", "\x1b[0m") } else { ("", "", "") };
        let safe = printable;
        let mut text = format!("{red}error:{plain} {}", safe(&error.what));
        for line in &error.why {
            let _ = write!(text, "\n  {}", safe(line));
        }
        for hint in &error.hints {
            let _ = write!(text, "\n{bold}hint:{plain} {}", safe(hint.text()));
        }
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// `{"schema_version":1,"command":...,"status":...}` and the fields.
    fn object(&self, status: &str, fields: impl Serialize) -> String {
        let mut object = json!({ "schema_version": 1, "command": self.0.command, "status": status });
        if let (Some(object), Ok(Value::Object(fields))) = (object.as_object_mut(), serde_json::to_value(fields)) {
            object.extend(fields);
        }
        printable_json(&object.to_string()).into_owned()
    }

    /// One line of the two columns.
    fn line(&self, label: &str, value: &str) {
        let state = self.state();
        state.progress.suspend(|| {
            let _ = writeln!(io::stderr(), "{label:<14} {}", printable(value));
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
