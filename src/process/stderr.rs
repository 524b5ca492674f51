//! What a child says on stderr: always drained, kept within bounds, never shown unredacted.
//!
//! A thread reads until the end, so that no child ever blocks on a full stderr. Lines are put together first, however
//! the reads cut them, and kept raw: the first few KiB, where the cause mostly stands, and the last ones. Secrets are
//! starred out when somebody looks. What a child repeats of its input between two fences
//! ([`Invocation::echo_fence`](crate::invocation::Invocation::echo_fence)) is passed over. A long line is kept up to [`LINE`] characters, with so much more while it is raw that a secret across the cut is still recognised as one.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::pipes::ChildStdout;
use crate::secret::Redactor;

/// Characters of a line that are shown.
const LINE: usize = 400;
/// Bytes of the first lines that are kept, and of the last ones.
const HEAD: usize = 4 * 1024;
const RECENT: usize = 60 * 1024;

/// Sees each line of a child's stderr, redacted and cut, from another thread.
pub type LineObserver = Arc<dyn Fn(&str) + Send + Sync>;

/// The first and the last lines that a child said, redacted; each at most 400 characters, together at most 64 KiB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StderrTail {
    first: Vec<String>,
    omitted: u64,
    last: Vec<String>,
}

impl StderrTail {
    /// The lines, in order; there may be a gap of [`omitted`](Self::omitted) lines.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.first.iter().chain(&self.last).map(String::as_str)
    }

    /// How many lines in between were not kept.
    #[must_use]
    pub fn omitted(&self) -> u64 {
        self.omitted
    }

    /// True when the child said nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first.is_empty() && self.last.is_empty()
    }
}

/// For people: the lines, and what is left out where it is left out.
impl fmt::Display for StderrTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gap = (self.omitted > 0).then(|| format!("({} lines left out)", self.omitted));
        let lines = self.first.iter().chain(gap.iter()).chain(&self.last);
        for (number, line) in lines.enumerate() {
            let separator = if number == 0 { "" } else { "\n" };
            write!(f, "{separator}{line}")?;
        }
        Ok(())
    }
}

/// The thread that drains, and what it has kept so far.
#[derive(Debug)]
pub(super) struct Stderr {
    kept: Arc<Mutex<Kept>>,
    redactor: Redactor,
    done: oneshot::Receiver<()>,
}

impl Stderr {
    pub(super) fn drain(
        mut output: ChildStdout,
        redactor: Redactor,
        echo_fence: Option<&'static str>,
        observer: Option<LineObserver>,
    ) -> io::Result<Self> {
        let kept = Arc::new(Mutex::new(Kept { echo_fence, ..Kept::new(&redactor) }));
        let (finished, done) = oneshot::channel();
        let (shared, filter) = (Arc::clone(&kept), redactor.clone());
        std::thread::Builder::new().name("stderr".into()).spawn(move || {
            let see = |line: &RawLine| {
                if let Some(observer) = &observer {
                    observer(&line.redacted(&filter));
                }
            };
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(bytes @ 1..) = output.read(&mut buffer) {
                shared.lock().unwrap_or_else(PoisonError::into_inner).push(&buffer[..bytes], see);
            }
            shared.lock().unwrap_or_else(PoisonError::into_inner).end_line(see);
            let _ = finished.send(());
        })?;
        Ok(Self { kept, redactor, done })
    }

    /// What was kept, once the thread is done; after the child's end that is at once.
    pub(super) async fn finish(&mut self) -> StderrTail {
        let _ = tokio::time::timeout(Duration::from_secs(5), &mut self.done).await;
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).redacted(&self.redactor)
    }
}

/// A line as it came, up to a bound.
#[derive(Debug, Default)]
struct RawLine {
    bytes: Vec<u8>,
    /// More came than was kept.
    cut: bool,
}

impl RawLine {
    fn redacted(&self, redactor: &Redactor) -> String {
        let mut text = redactor.redact(&String::from_utf8_lossy(&self.bytes));
        if self.cut {
            // The last bytes may be the beginning of a secret that the cut made unrecognisable.
            let mut safe = text.len().saturating_sub(margin(redactor));
            while !text.is_char_boundary(safe) {
                safe -= 1;
            }
            text.truncate(safe);
        }
        let cut = self.cut || text.chars().nth(LINE).is_some();
        // Foreign text must not steer the terminal.
        let clean = text.chars().take(LINE).map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c });
        clean.chain(cut.then_some('…')).collect()
    }
}

/// How many bytes at the end of redacted text an unrecognised piece of a secret can take up: its own length, or four
/// times that where stars took the place of single characters inside it.
fn margin(redactor: &Redactor) -> usize {
    4 * redactor.longest()
}

#[derive(Debug)]
struct Kept {
    current: RawLine,
    /// Bytes of a line that are kept raw.
    bound: usize,
    first: Vec<RawLine>,
    first_full: bool,
    recent: VecDeque<RawLine>,
    first_bytes: usize,
    recent_bytes: usize,
    omitted: u64,
    echo_fence: Option<&'static str>,
    /// Between two fences.
    echoing: bool,
}

impl Kept {
    fn new(redactor: &Redactor) -> Self {
        Self {
            current: RawLine::default(),
            bound: 4 * LINE + margin(redactor),
            first: Vec::new(),
            first_full: false,
            recent: VecDeque::new(),
            first_bytes: 0,
            recent_bytes: 0,
            omitted: 0,
            echo_fence: None,
            echoing: false,
        }
    }

    /// Takes what one read brought. A carriage return ends a line too: progress bars would be one endless line.
    fn push(&mut self, mut bytes: &[u8], see: impl Fn(&RawLine)) {
        while let Some(end) = memchr::memchr2(b'\n', b'\r', bytes) {
            self.extend(&bytes[..end]);
            self.end_line(&see);
            bytes = &bytes[end + 1..];
        }
        self.extend(bytes);
    }

    fn extend(&mut self, bytes: &[u8]) {
        let room = self.bound - self.current.bytes.len();
        self.current.bytes.extend_from_slice(&bytes[..room.min(bytes.len())]);
        self.current.cut |= bytes.len() > room;
    }

    fn end_line(&mut self, see: impl Fn(&RawLine)) {
        let line = std::mem::take(&mut self.current);
        if line.bytes.is_empty() {
            return;
        }
        let fence = self.echo_fence.is_some_and(|fence| line.bytes == fence.as_bytes());
        self.echoing ^= fence;
        if fence || self.echoing {
            return;
        }
        see(&line);
        let size = line.bytes.len();
        self.first_full |= self.first_bytes + size > HEAD;
        if !self.first_full {
            self.first_bytes += size;
            self.first.push(line);
            return;
        }
        self.recent_bytes += size;
        self.recent.push_back(line);
        while self.recent_bytes > RECENT && self.recent.len() > 1 {
            self.recent_bytes -= self.recent.pop_front().map_or(0, |l| l.bytes.len());
            self.omitted += 1;
        }
    }

    fn redacted(&self, redactor: &Redactor) -> StderrTail {
        let show = |line: &RawLine| line.redacted(redactor);
        StderrTail {
            first: self.first.iter().map(show).collect(),
            omitted: self.omitted,
            last: self.recent.iter().map(show).collect(),
        }
    }
}
