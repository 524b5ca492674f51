//! The only place that joins the stages: connection, engine, child, archive, store.
//!
//! One file per command. What they share: [`Context`], the world around a run; `connect`, from a URI to a probed server;
//! `source`, what is read, and `target`, what is written, each judged and planned; `resume`, what is there already; `load`,
//! bytes into a target; `spool`, private temporary files; `clients`, which programs are there; `watch`, progress while
//! something else works.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use crate::archive::ArchiveError;
use crate::connection::Limits;
use crate::engine::{Client, Server};
use crate::error::{Error, Kind};
use crate::event::{Event, Observer};
use crate::hint::{self, Hint};
use crate::process::{Cause, ChildEnv, Deadline, Failure, SpawnOptions, Stop};
use crate::secret::Redactor;
use crate::store::what_helps;
use crate::tunnel::{Tunnel, TunnelSpec};

pub mod clients;
mod connect;
pub mod copy;
pub mod doctor;
pub mod dump;
mod input;
pub mod inspect;
mod leftovers;
pub mod restore;
mod source;
mod target;
pub mod verify;
mod watch;

/// The world around a run: everything that a pipeline takes from the process that it runs in.
#[derive(Clone)]
pub struct Context {
    /// Takes events.
    pub observer: Observer,
    /// Signals.
    pub stop: Stop,
    /// Time limits.
    pub limits: Limits,
    /// The moment by which the whole command must be done.
    pub deadline: Option<Deadline>,
    /// What client programs may see of our environment.
    pub client_env: ChildEnv,
    /// What ssh and tunnel commands may see of it.
    pub tunnel_env: ChildEnv,
    /// `PATH`.
    pub search_path: OsString,
    /// The one folder to take clients from.
    pub client_dir: Option<PathBuf>,
    /// The one folder to take servers for a trial from.
    pub server_dir: Option<PathBuf>,
    /// The way to the server, when it isn't straight.
    pub tunnel: Option<TunnelSpec>,
    /// Take a file whose structure is whole, though its program writes no mark at the end.
    pub accept_unproven: bool,
    /// The database that is taken of a file of several.
    pub database: Option<String>,
    /// Which of several dumps in an archive is meant.
    pub member: Option<String>,
    /// Try with a server that is older than the oldest supported.
    pub force_version: bool,
    /// Where spools may stand.
    pub temp_dir: PathBuf,
    /// Remove what runs that were killed left behind, instead of naming it.
    pub remove_leftovers: bool,
}

impl Context {
    /// Tells the observer.
    pub fn tell(&self, event: Event) {
        (self.observer)(event);
    }

    /// Tells a labelled fact.
    pub fn fact(&self, label: &'static str, value: impl Into<String>) {
        self.tell(Event::Fact { label, value: value.into() });
    }

    /// Tells a note.
    pub fn note(&self, text: impl Into<String>) {
        self.tell(Event::Note(text.into()));
    }

    /// Tells a warning.
    pub fn warn(&self, text: impl Into<String>) {
        self.tell(Event::Warning(text.into()));
    }

    /// How a child of this run is supervised.
    pub(crate) fn supervision(&self, redactor: &Redactor) -> SpawnOptions {
        let observer = self.observer.clone();
        let mut options = SpawnOptions::new(self.client_env.clone(), &self.limits, self.stop.clone());
        options.redactor = redactor.clone();
        options.deadline = self.deadline;
        options.on_stderr = Some(Arc::new(move |line: &str| observer(Event::Said(line.to_owned()))));
        options
    }
}

/// A client of another flavour works, with differences: people should know that it stands in.
fn tell_stand_in(context: &Context, client: &Client, server: &Server) {
    if client.flavour != server.flavour {
        context.note(format!("no fitting client of {}'s is here: {client} stands in", server.flavour));
    }
}

/// An archive that can't be read, by the name that people gave it.
fn archive_error(name: &str, error: &ArchiveError) -> Error {
    if let Some(error) = input::input_error::which_dump(name, error) {
        return error;
    }
    let why = chain(error);
    match error {
        ArchiveError::Read(e) => {
            let hint = match e.kind() {
                std::io::ErrorKind::NotFound => {
                    Hint::new("check-its-path", "check its path: it is looked for from the folder that dbhaul runs in")
                }
                std::io::ErrorKind::PermissionDenied => {
                    Hint::new("check-who-may-read", "check who may read it, and the folders above it")
                }
                _ => Hint::new("check-disk-or-fetch", "check the disk, or fetch the file again"),
            };
            Error::new(Kind::Archive, format!("{name} can't be read")).why(why).hint(hint)
        }
        ArchiveError::Extract { .. } => {
            Error::new(Kind::Store, format!("{name} can't be extracted")).why(why).hint(hint::ANOTHER_TMPDIR)
        }
        ArchiveError::FormatVersion { .. } => {
            Error::new(Kind::Archive, format!("{name} was written by a later dbhaul"))
                .why(why)
                .hint(Hint::new("read-by-that-dbhaul", "that dbhaul reads it, and so do later ones"))
        }
        ArchiveError::TooLarge { .. } => {
            Error::new(Kind::Archive, format!("{name} is not read")).why(why).hint(Hint::new(
                "archive-means-to-exhaust",
                "dbhaul writes no such archive: whoever made it means to exhaust its reader, or it was changed",
            ))
        }
        ArchiveError::NotRecognised { .. } => {
            Error::new(Kind::Archive, format!("{name} is not recognised")).why(why).hint(Hint::new(
                "wanted-formats",
                "wanted: a dbhaul archive, a tar.gz with a dump in it, or a dump of pg_dump or mysqldump itself",
            ))
        }
        ArchiveError::Packed { .. } => Error::new(Kind::Archive, format!("{name} is not recognised")).why(why).hint(
            Hint::new("unpack-and-name", "unpack it first (gzip -d, unzip, 7z, tar), and name the file that was in it"),
        ),
        _ => Error::new(Kind::Archive, format!("{name} is not whole")).why(why).hint(Hint::new(
            "fetch-again",
            "fetch the file again, or take another backup: this one was cut or changed",
        )),
    }
}

/// An archive that can't be written.
fn dump_error(error: ArchiveError) -> Error {
    let why = chain(&error);
    match error {
        ArchiveError::Sink(e) => {
            let hint = what_helps(&e);
            Error::new(Kind::Store, "the archive could not be written; nothing was published").why(e).hint(hint)
        }
        // An error of ours may have travelled through a reader.
        ArchiveError::Source(e) => {
            e.downcast().unwrap_or_else(|_| Error::new(Kind::DumpFailed, "the dump could not be read").why(why))
        }
        _ => Error::new(Kind::Unexpected, "the archive could not be made").why(why),
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |e| e.source()).map(ToString::to_string);
    std::iter::once(error.to_string()).chain(causes).collect::<Vec<_>>().join(": ")
}

/// A child's failure, in the words of the engine that knows its stderr; a tunnel that ended with it is named.
async fn explain(connected: &connect::ConnectedServer, failure: Failure, kind: Kind) -> Error {
    let holders = connected.waited_for();
    if !matches!(failure.cause, Cause::Exit(_)) {
        return holders.into_iter().fold(failure.into_error(kind), Error::why);
    }
    connected.settle().await;
    let said: Vec<&str> = failure.stderr.lines().collect();
    let diagnosis = connected
        .engine
        .clients()
        .map(|catalog| catalog.diagnose(&said.join("\n"), &connected.scene))
        .unwrap_or_default();
    let kind = if diagnosis.connection { Kind::Connect } else { kind };
    let about = diagnosis.line.and_then(|line| connected.about(line)).map(|what| format!("in: {what}"));
    let mut error = diagnosis.of(Error::new(kind, failure.to_string()));
    error.why.extend(about);
    error.why.extend(holders);
    if let Some(lost) = connected.tunnel.as_ref().and_then(Tunnel::died) {
        error = error.why(lost);
    }
    error
}
