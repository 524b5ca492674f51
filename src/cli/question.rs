//! The question before something is dropped.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, IsTerminal, Write};

use crate::engine::Server;
use crate::error::{Error, Kind, Result};
use crate::hint::Hint;
use crate::report::units;

/// On a terminal, `--clean` wants to see the database's name; elsewhere it was meant. A signal ends the waiting: whoever
/// awaits this stops, and the thread that reads goes with the process.
pub async fn may_be_dropped(server: &Server, answered: bool) -> Result<()> {
    let Some(terminal) = terminal().filter(|_| !answered) else { return Ok(()) };
    let objects = units::plural(server.target.object_count, "object");
    let question = format!("--clean drops {objects} of \"{0}\". Type the database's name to go on: ", server.database);
    let answer = tokio::task::spawn_blocking(move || ask(terminal, &question)).await;
    match answer.unwrap_or_else(|defect| Err(defect.into())) {
        Ok(answer) if answer.trim() == server.database => Ok(()),
        Ok(_) => Err(Error::new(Kind::Refused, "not the database's name")),
        Err(error) => Err(Error::new(Kind::Refused, "the question of --clean could not be asked")
            .why(error)
            .hint(Hint::new("yes-goes-on", "--yes goes on without it"))),
    }
}

/// Where somebody sees the question and can answer it, whatever stdin and stderr are sent to.
fn terminal() -> Option<File> {
    let watched = io::stderr().is_terminal() || io::stdin().is_terminal();
    let open = |path| OpenOptions::new().read(true).write(true).open(path).ok();
    watched.then(|| open("/dev/tty").or_else(|| open("/dev/stdin").filter(File::is_terminal))).flatten()
}

fn ask(mut terminal: File, question: &str) -> io::Result<String> {
    terminal.write_all(question.as_bytes())?;
    let mut answer = String::new();
    BufReader::new(terminal).read_line(&mut answer)?;
    Ok(answer)
}
