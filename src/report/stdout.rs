//! What stdout takes, and what it means when it doesn't.

use std::io::{self, Write};

use crate::error::{Error, Kind, Result};

/// Writes a line to its last byte.
pub fn line(mut stream: impl Write, line: &str) -> io::Result<()> {
    stream.write_all(format!("{line}\n").as_bytes())?;
    stream.flush()
}

/// Writes text for a reader: a manual page, completions.
pub fn page(text: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text).and_then(|()| stdout.flush()).or_else(read_enough).map_err(unwritten)
}

/// A reader who closed the pipe has seen enough; any other failure stays one.
pub fn read_enough(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}

/// The error of a result that did not arrive.
#[must_use]
pub fn unwritten(error: io::Error) -> Error {
    Error::new(Kind::Store, "the result can't be written to stdout").why(error).why("what the command did is done")
}
