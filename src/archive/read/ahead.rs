//! Decoding ahead: while one stretch is looked at, a thread inflates the next.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};

use super::input::{Bytes, Position};

/// How much is handed over at once. Three of them are in use: read, waiting, written.
const STRETCH: usize = 256 * 1024;

/// What another reader reads, read by a thread of its own. It ends with the last stretch that is wanted.
pub(crate) struct Ahead {
    /// Each with how far its file was read then. An empty one is the end: without it, nothing was proved to be the end.
    stretches: Receiver<(io::Result<Vec<u8>>, u64)>,
    /// Buffers to be used again.
    back: Sender<Vec<u8>>,
    current: Vec<u8>,
    read: usize,
    position: Position,
    ended: bool,
}

impl Ahead {
    /// `file` is how far `input` has read its file; the position that comes back is that of what was handed over.
    pub fn of(mut input: Bytes, file: Position) -> io::Result<(Self, Position)> {
        let (ahead, stretches) = sync_channel(1);
        let (back, used) = channel::<Vec<u8>>();
        std::thread::Builder::new().name("decoder".into()).spawn(move || {
            loop {
                let mut stretch = used.try_recv().unwrap_or_default();
                stretch.clear();
                let read = (&mut input).take(STRETCH as u64).read_to_end(&mut stretch);
                let end = !matches!(read, Ok(1..));
                // What was decoded before an error comes before it.
                let failed = read.is_err() && !stretch.is_empty();
                if failed && ahead.send((Ok(std::mem::take(&mut stretch)), file.get())).is_err() {
                    return;
                }
                if ahead.send((read.map(|_| stretch), file.get())).is_err() || end {
                    return;
                }
            }
        })?;
        let position = Position::default();
        let ahead = Self { stretches, back, current: Vec::new(), read: 0, position: position.clone(), ended: false };
        Ok((ahead, position))
    }
}

impl Read for Ahead {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.read == self.current.len() && !self.ended && !buf.is_empty() {
            let lost = |_| io::Error::other("the decoder's thread ended before what it decodes");
            let (next, file) = self.stretches.recv().map_err(lost)?;
            self.position.set(file);
            let next = next?;
            self.ended = next.is_empty();
            self.read = 0;
            // Nobody waits for it behind the end.
            drop(self.back.send(std::mem::replace(&mut self.current, next)));
        }
        let read = (&self.current[self.read..]).read(buf)?;
        self.read += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some bytes, then something else than an end.
    struct Then<F>(usize, F);

    impl<F: FnMut() -> io::Result<usize>> Read for Then<F> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return (self.1)();
            }
            let read = buf.len().min(self.0);
            buf[..read].fill(7);
            self.0 -= read;
            Ok(read)
        }
    }

    fn read_all(input: Bytes) -> (usize, io::Result<usize>) {
        let mut all = Vec::new();
        let (mut ahead, _) = Ahead::of(input, Position::default()).expect("a thread");
        let ended = ahead.read_to_end(&mut all);
        assert!(all.iter().all(|byte| *byte == 7));
        (all.len(), ended)
    }

    #[test]
    fn all_comes_and_then_the_end() {
        for len in [0, 1, STRETCH - 1, STRETCH, STRETCH + 1, 5 * STRETCH] {
            let (read, ended) = read_all(Box::new(Then(len, || Ok(0))));
            assert_eq!((read, ended.expect("an end")), (len, len));
        }
    }

    #[test]
    fn what_comes_before_an_error_is_read_before_it() {
        let (read, ended) = read_all(Box::new(Then(STRETCH + 5, || Err(io::Error::other("torn")))));
        assert_eq!((read, ended.expect_err("an error").to_string()), (STRETCH + 5, "torn".to_owned()));
    }

    #[test]
    fn a_decoder_that_dies_is_no_end() {
        let (read, ended) = read_all(Box::new(Then(5, || panic!("on purpose"))));
        assert!(read <= 5 && ended.expect_err("an error").to_string().contains("thread"), "{read}");
    }

    #[test]
    fn it_ends_when_nobody_reads_on() {
        let (gone, wait) = channel::<()>();
        let endless = Then(usize::MAX, move || gone.send(()).map(|()| 0).map_err(io::Error::other));
        let (mut ahead, _) = Ahead::of(Box::new(endless), Position::default()).expect("a thread");
        ahead.read_exact(&mut [0; 10]).expect("ten bytes");
        drop(ahead);
        // The thread drops what it reads from.
        assert!(wait.recv().is_err());
    }
}
