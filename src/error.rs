//! What a command says when it fails: what failed, why in the server's or system's words, what to do next.
//!
//! Modules have errors of their own where a caller tells variants apart (the archive, the processes, the URI); here
//! they meet in one type that the command line prints and turns into an exit code.

use std::fmt;

use crate::hint::Hint;

/// The line of everything that ends before the first change of a target.
pub const UNCHANGED: &str = "nothing was changed";

/// The class of a failure; each has one exit code (`exit_code.rs`) and one name in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A defect of dbhaul's own or of the system under it.
    Unexpected,
    /// The command line is wrong.
    Usage,
    /// The URI or a setting is wrong.
    Config,
    /// The server can't be reached, or it does not let us in.
    Connect,
    /// The client program is missing or does not fit.
    Client,
    /// The dump failed or is not complete; nothing was published.
    DumpFailed,
    /// The restore failed; the message says whether the target was changed.
    RestoreFailed,
    /// The archive is corrupt, truncated or not one.
    Archive,
    /// The place where archives go refused a read or a write.
    Store,
    /// Refused before anything was changed.
    Refused,
    /// A time-out of ours.
    TimedOut,
    /// Ended by a signal, given by its number.
    Signal(i32),
}

impl Kind {
    /// The name in JSON results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unexpected => "unexpected",
            Self::Usage => "usage",
            Self::Config => "config",
            Self::Connect => "connect_failed",
            Self::Client => "client_unfit",
            Self::DumpFailed => "dump_failed",
            Self::RestoreFailed => "restore_failed",
            Self::Archive => "archive_corrupt",
            Self::Store => "store_failed",
            Self::Refused => "refused",
            Self::TimedOut => "timed_out",
            Self::Signal(_) => "interrupted",
        }
    }
}

/// A failure as people see it.
#[derive(Clone, Debug)]
pub struct Error {
    /// The class.
    pub kind: Kind,
    /// What failed, to what: one line.
    pub what: String,
    /// Why, mostly in the words of a server, a client or the system: one line each.
    pub why: Vec<String>,
    /// What to do next: one line each.
    pub hints: Vec<Hint>,
    /// True when trying again may help by itself: a closed port, a server that is starting.
    pub transient: bool,
    /// True when the server itself refused a statement with this: it has ended the transaction that it was in.
    pub refused_by_server: bool,
    /// True when the same again fails in the same way, unless something is mended first.
    pub recurs: bool,
}

/// The result of everything that can fail in front of a person.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure of a kind.
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        let (why, hints) = (Vec::new(), Vec::new());
        Self { kind, what: what.into(), why, hints, transient: false, refused_by_server: false, recurs: false }
    }

    /// Adds why, one line or several.
    #[must_use]
    pub fn why(mut self, why: impl fmt::Display) -> Self {
        self.why.extend(why.to_string().lines().map(str::to_owned).filter(|l| !l.trim().is_empty()));
        self
    }

    /// Says, once, that the target is as it was.
    #[must_use]
    pub fn unchanged(self) -> Self {
        if self.why.iter().any(|line| line == UNCHANGED) { self } else { self.why(UNCHANGED) }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: Hint) -> Self {
        self.hints.push(hint);
        self
    }

    /// Says that trying again may help.
    #[must_use]
    pub fn transient(mut self) -> Self {
        self.transient = true;
        self
    }

    /// Adds several hints.
    #[must_use]
    pub fn hints(mut self, hints: impl IntoIterator<Item = Hint>) -> Self {
        self.hints.extend(hints);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        for line in &self.why {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
