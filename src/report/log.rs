//! The library's debug log, shown with `-vv`: what is retried, started and ended. It goes through the redactor like
//! every other line; the log of the crates below us is not shown, since nobody knows what they put there.

use std::io::{self, Write};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;

use super::Report;

/// Sends the log to the report, for the rest of the process.
pub fn install(report: &Report) {
    let lines = tracing_subscriber::fmt::layer().without_time().with_level(false).with_ansi(false).with_target(false);
    let ours = Targets::new().with_target("dbhaul", LevelFilter::DEBUG);
    let layer = lines.with_writer(Lines(report.clone())).with_filter(ours);
    // A second report in one process (tests) leaves the first one in place.
    let _ = tracing_subscriber::registry().with(layer).try_init();
}

/// Makes a writer for each line.
struct Lines(Report);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { report: self.0.clone(), text: Vec::new() }
    }
}

/// Collects one line, and reports it when it is dropped.
struct Line {
    report: Report,
    text: Vec<u8>,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.report.line("debug", String::from_utf8_lossy(&self.text).trim_end());
    }
}
