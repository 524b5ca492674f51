//! The two ends that a caller's threads hold: [`Output`] reads a child's stdout, [`Input`] feeds its stdin.
//!
//! Plain pipes would do, were it not for grandchildren: one that left the process group keeps a pipe open for ever,
//! and a thread would read from it, or write to it, for ever. So both ends also watch a line that goes dead when the
//! child has ended. What the child wrote before is in the pipe by then and is still read; after that comes the end.

use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use super::platform;

/// What a child has moved, and when it last gave a sign of life.
#[derive(Debug)]
pub struct Activity {
    bytes: AtomicU64,
    started: Instant,
    /// Milliseconds after `started`.
    last_sign: AtomicU64,
}

impl Activity {
    pub(super) fn start() -> Self {
        Self { bytes: AtomicU64::new(0), started: Instant::now(), last_sign: AtomicU64::new(0) }
    }

    /// Bytes read from the child's stdout and written to its stdin.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// A sign of life that moves no bytes through us, such as the server's own progress: the idle time starts anew.
    pub fn touch(&self) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_sign.fetch_max(now, Ordering::Relaxed);
    }

    fn moved(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.touch();
    }

    /// Waits until there was no sign of life for so long.
    pub(super) async fn silent_for(&self, limit: Duration) {
        loop {
            let last = Duration::from_millis(self.last_sign.load(Ordering::Relaxed));
            let silence = self.started.elapsed().saturating_sub(last);
            if silence >= limit {
                return;
            }
            tokio::time::sleep(limit.saturating_sub(silence)).await;
        }
    }
}

/// The near end of the line that goes dead when the child has ended. Dropping it ends the line.
#[derive(Debug)]
pub(super) struct EndSignal {
    line: PipeReader,
    flag: Arc<AtomicBool>,
    _held: PipeWriter,
}

impl EndSignal {
    pub(super) fn new() -> io::Result<Self> {
        let (line, held) = io::pipe()?;
        Ok(Self { line, flag: Arc::default(), _held: held })
    }

    fn watch(&self) -> io::Result<EndWatch> {
        Ok(EndWatch { line: self.line.try_clone()?, flag: Arc::clone(&self.flag) })
    }
}

impl Drop for EndSignal {
    fn drop(&mut self) {
        self.flag.store(true, Ordering::Release);
    }
}

/// The far end of the line.
#[derive(Debug)]
struct EndWatch {
    line: PipeReader,
    flag: Arc<AtomicBool>,
}

impl EndWatch {
    fn is_over(&self) -> bool {
        self.flag.load(Ordering::Acquire)
    }

    /// Blocks until the pipe is ready (true), or else the child has ended (false).
    fn ready(&self, pipe: &impl AsFd, flags: PollFlags) -> io::Result<bool> {
        let mut both = [PollFd::new(pipe, flags), PollFd::new(&self.line, PollFlags::IN)];
        loop {
            match poll(&mut both, None) {
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
                Ok(_) => return Ok(!both[0].revents().is_empty()),
            }
        }
    }
}

/// A child's stdout: blocking, for a plain thread. End of file says nothing of success: only
/// [`wait`](super::Running::wait) does. Dropping it early ends the child's writing with a broken pipe.
#[derive(Debug)]
pub struct ChildStdout {
    pipe: PipeReader,
    ended: EndWatch,
    /// How many bytes may still come after the child's end: no more than fitted into the pipe.
    left: Option<usize>,
    activity: Arc<Activity>,
    /// False for stderr, which is a sign of life but no payload.
    counted: bool,
}

impl ChildStdout {
    pub(super) fn new(
        pipe: PipeReader,
        ending: &EndSignal,
        activity: &Arc<Activity>,
        counted: bool,
    ) -> io::Result<Self> {
        set_nonblocking(&pipe)?;
        Ok(Self { pipe, ended: ending.watch()?, left: None, activity: Arc::clone(activity), counted })
    }

    fn count(&mut self, bytes: usize) {
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(bytes);
        }
        if self.counted {
            self.activity.moved(bytes);
        } else {
            self.activity.touch();
        }
    }
}

impl Read for ChildStdout {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.left.is_none() && self.ended.is_over() {
                self.left = Some(platform::capacity(&self.pipe));
            }
            let most = buffer.len().min(self.left.unwrap_or(usize::MAX));
            match self.pipe.read(&mut buffer[..most]) {
                Ok(bytes) => {
                    self.count(bytes);
                    return Ok(bytes);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if !self.ended.ready(&self.pipe, PollFlags::IN)? {
                        return Ok(0);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// A child's stdin: blocking, for a plain thread. Dropping it is the child's end of file.
#[derive(Debug)]
pub struct ChildStdin {
    pipe: PipeWriter,
    ended: EndWatch,
    activity: Arc<Activity>,
}

impl ChildStdin {
    pub(super) fn new(pipe: PipeWriter, ending: &EndSignal, activity: &Arc<Activity>) -> io::Result<Self> {
        set_nonblocking(&pipe)?;
        Ok(Self { pipe, ended: ending.watch()?, activity: Arc::clone(activity) })
    }
}

impl Write for ChildStdin {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            if self.ended.is_over() {
                return Err(ErrorKind::BrokenPipe.into());
            }
            match self.pipe.write(bytes) {
                Ok(written) => {
                    self.activity.moved(written);
                    return Ok(written);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    // Whichever it was, the next turn finds out.
                    self.ended.ready(&self.pipe, PollFlags::OUT)?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Our end alone: the child's is another open file and keeps blocking.
fn set_nonblocking(pipe: &impl AsFd) -> io::Result<()> {
    Ok(rustix::io::ioctl_fionbio(pipe, true)?)
}
