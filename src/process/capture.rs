//! Short runs whose whole answer is wanted: `--version`, `pg_restore --list`.

use std::io::Read;

use tokio::sync::oneshot;

use super::failure::{Cause, Failure};
use super::running::Exited;
use super::{SpawnOptions, spawn};
use crate::invocation::Invocation;

/// What a short run printed, and how it ended.
#[derive(Debug)]
pub struct Captured {
    /// Its stdout; what is not UTF-8 is replaced.
    pub stdout: String,
    /// Its good end.
    pub exited: Exited,
}

/// Runs a program that answers with at most so many bytes and exit code 0; anything else is a failure. The time-outs
/// are those of the options.
pub async fn capture(invocation: &Invocation, options: &SpawnOptions, most: usize) -> Result<Captured, Failure> {
    let mut running = spawn(invocation, options)?;
    let (answer, answered) = oneshot::channel();
    if let Some(output) = running.take_stdout() {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            // One byte more tells a full answer from a cut one. The pipe is closed with the thread, which ends a child
            // that goes on writing.
            let _ = output.take(most as u64 + 1).read_to_end(&mut bytes);
            let _ = answer.send(bytes);
        });
    }
    let (bytes, exited) = tokio::join!(answered, running.wait());
    let bytes = bytes.unwrap_or_default();
    if bytes.len() > most {
        let (program, stderr) = match exited {
            Ok(exited) => (exited.program().to_owned(), exited.stderr().clone()),
            Err(failure) => (failure.program, failure.stderr),
        };
        return Err(Failure { program, cause: Cause::TooMuchOutput(most), stderr });
    }
    Ok(Captured { stdout: String::from_utf8_lossy(&bytes).into_owned(), exited: exited? })
}
