//! A dump in members, for engines without a client: dbhaul asks the server for them, and hands them back to one.
//!
//! ```text
//! dump:     Producer ─▶ MemberSender ─┐                     ┌─▶ MemberReceiver ─▶ archive
//!                                     ├─▶ a bounded queue ──┤
//! restore:  archive ──▶ MemberSender ─┘                     └─▶ MemberReceiver ─▶ Consumer
//! ```
//!
//! A queue that ends is no end: every member is ended by a word of its own, and so are all of them. What breaks off before
//! that is never taken for whole.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::mpsc::{self, error::SendError};

use super::Pending;
use crate::connection::Limits;
use crate::error::{Error, Kind, Result};

/// Pieces that may wait in the queue.
const QUEUE: usize = 8;

/// The longest piece, in bytes. With the number of pieces it bounds the queue's memory.
pub const MAX_PIECE: usize = 256 << 10;

/// Asks a server for a dump's members, by sessions of our own.
pub trait Producer {
    /// What will happen, for people: `3 indices are read over HTTP`.
    fn describe(&self) -> String;

    /// Sends all members, in the order in which they are to stand in the archive, then [finishes](MemberSender::finish).
    /// May be asked again where a dump is begun anew.
    fn start(&self, limits: &Limits, members: MemberSender) -> Pending<'static, ()>;
}

/// Hands a dump's members to a server, by sessions of our own.
pub trait Consumer {
    /// What will happen, for people.
    fn describe(&self) -> String;

    /// Takes members until [`Piece::Finish`]; only then may what was written count. The rows that the server took come
    /// back.
    fn start(self: Box<Self>, limits: &Limits, members: MemberReceiver) -> Pending<'static, u64>;
}

/// What travels in the queue.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// A member begins. Its name is that of a file: no folder, and no `.00001` at its end.
    Begin(String),
    /// Bytes of it.
    Bytes(Vec<u8>),
    /// Its source said that it ended well.
    End,
    /// All members were sent.
    Finish,
}

/// The end of the queue that is filled.
#[derive(Clone, Debug)]
pub struct MemberSender {
    pieces: mpsc::Sender<Piece>,
    flow: Arc<Flow>,
}

/// The end that is emptied.
#[derive(Debug)]
pub struct MemberReceiver {
    pieces: mpsc::Receiver<Piece>,
    flow: Arc<Flow>,
    /// The last piece but bytes.
    last: Option<Stage>,
}

/// How a queue flows, for whoever watches over silences.
#[derive(Debug, Default)]
pub struct Flow {
    moved: AtomicU64,
    full: AtomicBool,
    empty: AtomicBool,
}

impl Flow {
    /// Pieces that came in and went out.
    pub fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// Whoever fills it waits for room.
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Whoever empties it waits for a piece.
    pub fn is_empty(&self) -> bool {
        self.empty.load(Ordering::Relaxed)
    }

    fn has_moved(&self) {
        self.moved.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Inside,
    Between,
    Finished,
}

/// All members came to their ends, as their sources said. Only [`MemberReceiver::next_member`] makes one.
#[derive(Debug)]
pub struct MembersEnded(());

/// What follows a member, for whoever reads them one by one.
#[derive(Debug)]
pub enum NextMember {
    /// One of this name, to be read from [`MemberReceiver::member`].
    Begun(String),
    /// None: all were read.
    Ended(MembersEnded),
}

/// A queue.
#[must_use]
pub fn queue() -> (MemberSender, MemberReceiver) {
    let (sender, pieces) = mpsc::channel(QUEUE);
    let flow: Arc<Flow> = Arc::default();
    (MemberSender { pieces: sender, flow: Arc::clone(&flow) }, MemberReceiver { pieces, flow, last: None })
}

impl MemberSender {
    /// How the queue flows.
    #[must_use]
    pub fn flow(&self) -> Arc<Flow> {
        Arc::clone(&self.flow)
    }

    /// Begins a member.
    pub async fn begin(&self, name: &str) -> Result<()> {
        self.send(Piece::Begin(name.to_owned())).await
    }

    /// Sends bytes of it.
    pub async fn bytes(&self, bytes: &[u8]) -> Result<()> {
        for piece in bytes.chunks(MAX_PIECE) {
            self.send(Piece::Bytes(piece.to_vec())).await?;
        }
        Ok(())
    }

    /// Says that it ended well.
    pub async fn end(&self) -> Result<()> {
        self.send(Piece::End).await
    }

    /// Says that all were sent.
    pub async fn finish(&self) -> Result<()> {
        self.send(Piece::Finish).await
    }

    async fn send(&self, piece: Piece) -> Result<()> {
        self.flow.full.store(true, Ordering::Relaxed);
        let sent = self.pieces.send(piece).await;
        self.sent(sent)
    }

    /// The same for a plain thread, whatever the piece is.
    pub fn send_blocking(&self, piece: Piece) -> Result<()> {
        self.flow.full.store(true, Ordering::Relaxed);
        self.sent(self.pieces.blocking_send(piece))
    }

    fn sent(&self, sent: std::result::Result<(), SendError<Piece>>) -> Result<()> {
        self.flow.full.store(false, Ordering::Relaxed);
        self.flow.has_moved();
        sent.map_err(|_| Error::new(Kind::Unexpected, "nobody takes the dump's members any more"))
    }
}

impl MemberReceiver {
    /// How the queue flows.
    #[must_use]
    pub fn flow(&self) -> Arc<Flow> {
        Arc::clone(&self.flow)
    }

    /// The next piece.
    pub async fn next(&mut self) -> Result<Piece> {
        self.flow.empty.store(true, Ordering::Relaxed);
        let piece = self.pieces.recv().await;
        self.accept(piece)
    }

    /// The same for a plain thread.
    fn next_blocking(&mut self) -> Result<Piece> {
        self.flow.empty.store(true, Ordering::Relaxed);
        let piece = self.pieces.blocking_recv();
        self.accept(piece)
    }

    /// Refuses what does not follow.
    fn accept(&mut self, piece: Option<Piece>) -> Result<Piece> {
        self.flow.empty.store(false, Ordering::Relaxed);
        let piece = piece.ok_or_else(|| Error::new(Kind::DumpFailed, "the members broke off before their end"))?;
        self.flow.has_moved();
        let next = match (self.last, &piece) {
            (None | Some(Stage::Between), Piece::Begin(_)) | (Some(Stage::Inside), Piece::Bytes(_)) => Stage::Inside,
            (Some(Stage::Inside), Piece::End) => Stage::Between,
            (None | Some(Stage::Between), Piece::Finish) => Stage::Finished,
            _ => return Err(Error::new(Kind::Unexpected, "a dump's members came out of order")),
        };
        self.last = Some(next);
        Ok(piece)
    }

    /// The next member. Blocking, for a plain thread.
    pub fn next_member(&mut self) -> io::Result<NextMember> {
        loop {
            match self.next_blocking().map_err(io::Error::other)? {
                Piece::Begin(name) => return Ok(NextMember::Begun(name)),
                Piece::Finish => return Ok(NextMember::Ended(MembersEnded(()))),
                // What was not read of the one before.
                Piece::Bytes(_) | Piece::End => {}
            }
        }
    }

    /// The bytes of the member that has begun: a reader that ends well only where its source said so.
    pub fn member(&mut self) -> MemberBytes<'_> {
        MemberBytes { members: self, piece: Vec::new(), read: 0, ended: false }
    }
}

/// The bytes of one member.
#[derive(Debug)]
pub struct MemberBytes<'a> {
    members: &'a mut MemberReceiver,
    piece: Vec<u8>,
    read: usize,
    ended: bool,
}

impl Read for MemberBytes<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.piece.len() && !self.ended {
            match self.members.next_blocking().map_err(io::Error::other)? {
                Piece::Bytes(bytes) => (self.piece, self.read) = (bytes, 0),
                _ => self.ended = true,
            }
        }
        let count = buffer.len().min(self.piece.len() - self.read);
        buffer[..count].copy_from_slice(&self.piece[self.read..self.read + count]);
        self.read += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Members = Vec<(String, Vec<u8>)>;

    fn received(pieces: Vec<Piece>) -> (Members, io::Result<MembersEnded>) {
        let (sender, mut receiver) = queue();
        let sending = std::thread::spawn(move || pieces.into_iter().try_for_each(|piece| sender.send_blocking(piece)));
        let mut members = Members::new();
        let result = loop {
            let name = match receiver.next_member() {
                Ok(NextMember::Begun(name)) => name,
                Ok(NextMember::Ended(ended)) => break Ok(ended),
                Err(error) => break Err(error),
            };
            let mut content = Vec::new();
            match receiver.member().read_to_end(&mut content) {
                Ok(_) => members.push((name, content)),
                Err(error) => break Err(error),
            }
        };
        drop(receiver);
        let _ = sending.join().expect("a sender");
        (members, result)
    }

    #[test]
    fn members_come_whole_and_in_order() {
        let bytes = |byte| Piece::Bytes(vec![byte; 3]);
        let begin = |name: &str| Piece::Begin(name.to_owned());
        let (members, ended) =
            received(vec![begin("a"), bytes(1), bytes(2), Piece::End, begin("empty"), Piece::End, Piece::Finish]);
        assert_eq!(members, [("a".to_owned(), vec![1, 1, 1, 2, 2, 2]), ("empty".to_owned(), vec![])]);
        ended.expect("the end of all");
    }

    #[test]
    fn what_breaks_off_has_not_ended() {
        let begin = || Piece::Begin("a".to_owned());
        for pieces in [
            vec![],
            vec![begin()],
            vec![begin(), Piece::Bytes(vec![1])],
            vec![begin(), Piece::End],
            vec![begin(), Piece::Finish],
            vec![begin(), Piece::End, Piece::Bytes(vec![1]), Piece::Finish],
            vec![begin(), begin()],
        ] {
            assert!(received(pieces).1.is_err());
        }
    }
}
