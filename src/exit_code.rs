//! The exit codes, a contract with scripts: `docs/exit-codes.md`.

use crate::error::Kind;

/// The exit code of a failure.
#[must_use]
pub fn of(kind: Kind) -> u8 {
    match kind {
        Kind::Unexpected => 1,
        Kind::Usage => 2,
        Kind::Config => 3,
        Kind::Connect => 4,
        Kind::Client => 5,
        Kind::DumpFailed => 6,
        Kind::RestoreFailed => 7,
        Kind::Archive => 8,
        Kind::Store => 9,
        Kind::Refused => 10,
        Kind::TimedOut => 11,
        // The shells' convention: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP.
        Kind::Signal(number) => 128_u8.saturating_add(u8::try_from(number).unwrap_or(127)),
    }
}
