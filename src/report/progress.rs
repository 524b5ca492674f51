//! The progress line: a bar on a terminal, a plain line every so often elsewhere.
//!
//! A platform ends a one-off container after minutes of silence, so the plain line comes whether or not bytes moved.

use std::io::Write;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::printable::printable;
use super::units::{duration, size};
use crate::event::Progress;

/// Between two plain lines; the contract says 30 seconds at most.
const EVERY: Duration = Duration::from_secs(15);

/// The line at the bottom of the terminal, or the plain lines that stand for it.
pub struct Line {
    terminal: bool,
    every: Duration,
    shown: Option<Shown>,
}

impl Default for Line {
    fn default() -> Self {
        Self::new(false)
    }
}

struct Shown {
    started: Instant,
    last: Instant,
    bar: Option<ProgressBar>,
}

impl Line {
    /// A line for a terminal, or for a log.
    pub fn new(terminal: bool) -> Self {
        Self { terminal, every: EVERY, shown: None }
    }

    /// Shows how far the work is.
    pub fn show(&mut self, progress: &Progress) {
        if let Some(line) = self.advance(progress) {
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }

    /// Moves the bar. Without a terminal, a plain line when it is time for one.
    fn advance(&mut self, progress: &Progress) -> Option<String> {
        let (terminal, every) = (self.terminal, self.every);
        let shown = self.shown.get_or_insert_with(|| Shown::new(terminal));
        let text = describe(progress, shown.started.elapsed());
        if let Some(bar) = &shown.bar {
            bar.set_position(progress.share.map_or(0, per_mille));
            bar.set_prefix(label(&progress.what));
            bar.set_message(text);
            return None;
        }
        (shown.last.elapsed() >= every).then(|| {
            shown.last = Instant::now();
            format!("{:<14} {text}", label(&progress.what))
        })
    }

    /// Takes the line away.
    pub fn clear(&mut self) {
        if let Some(bar) = self.shown.take().and_then(|shown| shown.bar) {
            bar.finish_and_clear();
        }
    }

    /// Lets another line be printed above.
    pub fn suspend(&self, print: impl FnOnce()) {
        match self.shown.as_ref().and_then(|shown| shown.bar.as_ref()) {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

impl Shown {
    fn new(terminal: bool) -> Self {
        let bar = terminal.then(|| {
            let bar = ProgressBar::with_draw_target(Some(1000), ProgressDrawTarget::stderr_with_hz(8));
            let style = ProgressStyle::with_template("{prefix:<14} {bar:26} {msg}").expect("a constant template");
            bar.set_style(style.progress_chars("━╸━"));
            bar
        });
        Self { started: Instant::now(), last: Instant::now(), bar }
    }
}

/// `62 %  741 MB  158 MB/s  0:03 left`
fn describe(progress: &Progress, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64().max(0.001);
    let rate = size(whole(progress.bytes as f64 / seconds));
    let moved = size(progress.bytes);
    match progress.share {
        Some(share) if share > 0.0 => {
            let left = Duration::from_secs_f64((seconds / share - seconds).clamp(0.0, 8.64e6));
            format!("{:>3.0} %  {moved}  {rate}/s  {} left", share * 100.0, duration(left))
        }
        _ => format!("{moved}  {rate}/s  {} so far", duration(elapsed)),
    }
}

fn per_mille(share: f64) -> u64 {
    whole((share * 1000.0).min(1000.0))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never negative, and shown rounded")]
fn whole(number: f64) -> u64 {
    number as u64
}

/// A table's name, cut to the column.
fn label(what: &str) -> String {
    let what = printable(what);
    if what.chars().count() <= 14 { what.into_owned() } else { what.chars().take(13).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_51_a_quiet_dump_shows_a_sign_of_life_without_a_terminal() {
        assert!(EVERY <= Duration::from_secs(30), "the contract");
        // Nothing moves: the same progress, told again and again.
        let silent = Progress { what: "orders".into(), bytes: 0, share: None };
        let mut line = Line { every: Duration::ZERO, ..Line::new(false) };
        for _ in 0..3 {
            assert_eq!(line.advance(&silent).expect("a line"), "orders         0 bytes  0 bytes/s  0:00 so far");
        }
        let mut line = Line { every: Duration::MAX, ..Line::new(false) };
        assert!((0..3).all(|_| line.advance(&silent).is_none()), "not more often than it has to");
    }
}
